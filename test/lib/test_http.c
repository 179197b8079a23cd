/* test_http.c -- one HTTP connection for tests, by libcurl or by hand. */
#include "test/lib/test_http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, TIMEOUT_MS = 60000 };

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
    ves_buf_put(ctx, data, size * count);
    return size * count;
}

void test_http_init(struct test_http *http, const char *url)
{
    memset(http, 0, sizeof(*http));
    VES_ASSERT(strlen(url) < sizeof(http->url));
    strncpy(http->url, url, sizeof(http->url) - 1);
    http->curl = curl_easy_init();
    VES_ASSERT(http->curl);
    ves_buf_init(&http->body, ves_alloc_default(), ANSWER_MAX);
    ves_buf_init(&http->headers, ves_alloc_default(), ANSWER_MAX);
    ves_arena_init(&http->arena, ves_alloc_default(), (size_t)ANSWER_MAX * 8);
}

void test_http_free(struct test_http *http)
{
    curl_easy_cleanup(http->curl);
    ves_buf_free(&http->body);
    ves_buf_free(&http->headers);
    ves_arena_free(&http->arena);
}

void test_http_auth(struct test_http *http, const char *name, const char *key)
{
    int n = snprintf(http->auth, sizeof(http->auth), "%s%s", name, key);
    VES_ASSERT(n >= 0 && (size_t)n < sizeof(http->auth));
}

static void prepare(struct test_http *http, const char *method,
                    const char *path, struct ves_bytes body)
{
    char url[4096];
    int n = snprintf(url, sizeof(url), "%s%s", http->url, path);
    VES_ASSERT(n >= 0 && (size_t)n < sizeof(url));
    curl_easy_reset(http->curl); /* keeps the connection */
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    curl_easy_setopt(http->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &http->body);
    curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, &http->headers);
    curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(http->curl, CURLOPT_NOBODY, 1L);
    if (http->pin[0]) {
        curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(http->curl, CURLOPT_PINNEDPUBLICKEY, http->pin);
    }
    if (body.ptr) {
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)body.len);
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS,
                         (const char *)body.ptr);
    }
}

uint32_t test_http_call(struct test_http *http, const char *method,
                        const char *path, struct ves_bytes body)
{
    struct curl_slist *list = NULL;
    long status = 0;
    ves_buf_reset(&http->body);
    ves_buf_reset(&http->headers);
    ves_arena_reset(&http->arena);
    http->json = NULL;
    prepare(http, method, path, body);
    list = curl_slist_append(list, "Expect:");
    list = curl_slist_append(list, "Content-Type: application/json");
    if (http->auth[0])
        list = curl_slist_append(list, http->auth);
    if (http->extra[0])
        list = curl_slist_append(list, http->extra);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
    if (curl_easy_perform(http->curl) == CURLE_OK)
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(list);
    ves_buf_put_u8(&http->body, 0);
    ves_buf_put_u8(&http->headers, 0);
    struct ves_bytes text = {http->body.ptr, http->body.len - 1};
    if (ves_json_read(&http->arena, text, NULL, &http->json, NULL))
        http->json = NULL;
    http->status = (uint32_t)status;
    return http->status;
}

uint32_t test_http_get(struct test_http *http, const char *format, ...)
{
    char path[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    VES_ASSERT(n >= 0 && (size_t)n < sizeof(path));
    return test_http_call(http, "GET", path, ves_bytes(NULL, 0));
}

uint32_t test_http_post(struct test_http *http, const char *path,
                        const char *format, ...)
{
    char body[8192];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(body, sizeof(body), format, args);
    va_end(args);
    VES_ASSERT(n >= 0 && (size_t)n < sizeof(body));
    return test_http_call(http, "POST", path, ves_bytes_str(body));
}

const char *test_http_body(const struct test_http *http)
{
    return (const char *)http->body.ptr;
}

bool test_http_has_header(const struct test_http *http, const char *line)
{
    const char *at = (const char *)http->headers.ptr;
    while (at && *at) {
        if (strncasecmp(at, line, strlen(line)) == 0)
            return true;
        at = strchr(at, '\n');
        if (at)
            at++;
    }
    return false;
}

static const struct ves_json *node(const struct test_http *http,
                                   const char *pointer)
{
    const struct ves_json *found =
        http->json ? ves_json_pointer(http->json, ves_bytes_str(pointer))
                   : NULL;
    if (!found) {
        fprintf(stderr, "test: no %s in: %.2000s\n", pointer,
                test_http_body(http));
        abort();
    }
    return found;
}

uint64_t test_http_u64(const struct test_http *http, const char *pointer)
{
    uint64_t value;
    if (!ves_json_as_u64(node(http, pointer), &value)) {
        fprintf(stderr, "test: %s is no number in: %.2000s\n", pointer,
                test_http_body(http));
        abort();
    }
    return value;
}

const char *test_http_text(struct test_http *http, const char *pointer)
{
    const struct ves_json *found = node(http, pointer);
    struct ves_bytes text =
        found->type == VES_JSON_STRING ? found->string : found->text;
    char *copy = ves_arena_alloc(&http->arena, text.len + 1);
    VES_ASSERT(copy);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

bool test_http_is_null(const struct test_http *http, const char *pointer)
{
    return node(http, pointer)->type == VES_JSON_NULL;
}

bool test_http_is_true(const struct test_http *http, const char *pointer)
{
    return node(http, pointer)->type == VES_JSON_TRUE;
}

static int open_socket(const char *url)
{
    const char *colon = strrchr(url, ':');
    uint64_t port;
    VES_ASSERT(colon &&
               ves_decimal_parse(ves_bytes_str(colon + 1), &port) == VES_OK);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    VES_ASSERT(fd >= 0);
    VES_ASSERT(connect(fd, (const struct sockaddr *)(const void *)&address,
                       sizeof(address)) == 0);
    return fd;
}

char *test_http_raw(const char *url, const char *text, int timeout_ms)
{
    int fd = open_socket(url);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    size_t len = 0;
    char *answer = calloc(1, 65536);
    VES_ASSERT(answer);
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
    while (len < 65535 && poll(&poller, 1, timeout_ms) > 0) {
        ssize_t n = recv(fd, answer + len, 65535 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    return answer;
}
