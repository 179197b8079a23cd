/* jwt.c -- signatures of JSON web tokens, by libjwt. */
#include "os/jwt.h"

#include <limits.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/error.h"
#include "os/library.h"

/* What we use has been the same from 1.10 (Debian 12) to 1.17 (Ubuntu 24.04),
 * whose header, where it is there, has to agree with this. */
#if __has_include(<jwt.h>)
#include <jwt.h>
#else
typedef struct jwt jwt_t;
typedef enum jwt_alg { JWT_ALG_HS256 = 1, JWT_ALG_RS256 = 4 } jwt_alg_t;
#endif
_Static_assert(JWT_ALG_HS256 == 1 && JWT_ALG_RS256 == 4, "as declared here");

static const char *const libraries[] = {"libjwt.so.2", "libjwt.so.1",
                                        "libjwt.so.0"};

static struct {
    int (*decode)(jwt_t **jwt, const char *token, const unsigned char *key,
                  int len);
    jwt_alg_t (*get_alg)(jwt_t *jwt);
    void (*free)(jwt_t *jwt);
} jwt;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;
static char reason[VES_LIBRARY_REASON];

static void load(void)
{
    const struct ves_library_symbol symbols[] = {{"jwt_decode", &jwt.decode},
                                                 {"jwt_get_alg", &jwt.get_alg},
                                                 {"jwt_free", &jwt.free},
                                                 {NULL, NULL}};

    for (size_t i = 0;
         i < sizeof(libraries) / sizeof(libraries[0]) && !is_loaded; i++)
        is_loaded = ves_library_load(libraries[i], symbols, reason);
}

enum ves_status ves_jwt_load(struct ves_error *error)
{
    pthread_once(&once, load);
    if (is_loaded)
        return VES_OK;
    return ves_fail(
        error, VES_IO,
        "the library that checks JSON web tokens cannot be loaded "
        "(%s); install libjwt 1.10 to 1.17 (libjwt0 or libjwt2), or "
        "serve without tokens",
        reason);
}

bool ves_jwt_is_signed(const char *token, enum ves_jwt_alg alg,
                       struct ves_bytes key)
{
    jwt_t *read = NULL;
    /* Without a key libjwt reads a token and checks nothing. */
    VES_ASSERT(is_loaded && key.ptr && key.len > 0 && key.len <= INT_MAX);
    if (jwt.decode(&read, token, key.ptr, (int)key.len) != 0)
        return false;
    jwt_alg_t found = jwt.get_alg(read);
    jwt.free(read);
    return found == (alg == VES_JWT_HS256 ? JWT_ALG_HS256 : JWT_ALG_RS256);
}
