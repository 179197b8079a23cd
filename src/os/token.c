/* token.c -- one bearer token out of a file, kept as its hash. */
#include "os/token.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "os/file.h"

enum { TOKEN_MAX = 4096 };

enum ves_status ves_token_read(const char *path, struct ves_token *out,
                               struct ves_error *error)
{
    char token[TOKEN_MAX];
    size_t len;

    *out = (struct ves_token){.is_set = false};
    if (!path)
        return VES_OK;
    enum ves_status status =
        ves_file_read_secret(path, token, sizeof(token), &len, error);
    if (status)
        return status;
    const char *end = memchr(token, '\n', len);
    size_t n = end ? (size_t)(end - token) : len;
    while (n > 0 && (token[n - 1] == '\r' || token[n - 1] == ' '))
        n--;
    out->is_set = n > 0;
    ves_sha256_one(token, n, &out->hash);
    ves_wipe(token, sizeof(token));
    if (n > 0)
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "%s holds no token in its first line; nothing is served",
                    path);
}

bool ves_token_is_shown(const struct ves_token *token,
                        const char *authorization)
{
    static const char scheme[] = "Bearer ";
    struct ves_hash hash;

    if (!token->is_set)
        return true;
    if (!authorization ||
        strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return false;
    /* Hashes have one length, whatever was given. */
    authorization += sizeof(scheme) - 1;
    ves_sha256_one(authorization, strlen(authorization), &hash);
    return ves_equal_ct(hash.b, token->hash.b, VES_HASH_SIZE);
}
