/* test_http.h -- one HTTP connection for tests, by libcurl or by hand.
 *
 * Whatever goes wrong in here that is not the server's answer ends the
 * program.
 */
#ifndef VES_TEST_HTTP_H
#define VES_TEST_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "ves/ves.h"
#include "json/json.h"

struct test_http {
    void *curl;
    char url[256];
    char auth[2048];        /* whole header line; "" none */
    char extra[16384];      /* another one; "" none */
    char pin[128];          /* "sha256//..." ; "" none */
    uint32_t status;        /* of the last call; 0: no answer */
    struct ves_buf body;    /* NUL behind it */
    struct ves_buf headers; /* NUL behind them */
    struct ves_arena arena;
    const struct ves_json *json; /* NULL when the body is not JSON */
};

void test_http_init(struct test_http *http, const char *url);
void test_http_free(struct test_http *http);

/* "scheme key" is put behind the name, e.g. ("x-api-key: ", key). */
void test_http_auth(struct test_http *http, const char *name, const char *key);

/* Returns the status.  body NULL: none. */
uint32_t test_http_call(struct test_http *http, const char *method,
                        const char *path, struct ves_bytes body);
uint32_t test_http_get(struct test_http *http, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint32_t test_http_post(struct test_http *http, const char *path,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *test_http_body(const struct test_http *http);
/* Is there a header line that begins so (any case)? */
bool test_http_has_header(const struct test_http *http, const char *line);

/* Values of the answer by JSON pointer; they must be there. */
uint64_t test_http_u64(const struct test_http *http, const char *pointer);
/* NUL-terminated, until the next call. */
const char *test_http_text(struct test_http *http, const char *pointer);
bool test_http_is_null(const struct test_http *http, const char *pointer);
bool test_http_is_true(const struct test_http *http, const char *pointer);

/* Sends bytes over a socket of its own and returns what comes until the
 * server closes or says no more for timeout_ms; free it. */
char *test_http_raw(const char *url, const char *text, int timeout_ms);

#endif
