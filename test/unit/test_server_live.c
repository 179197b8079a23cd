/* test_server_live.c -- following a stream: resumed without a gap, cut off when
 * the right goes, cheap when many and slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/text.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/timed.h"
#include "server/server.h"
#include "test/lib/test_serve.h"

enum { TEXT_MAX = 16 * 1024 * 1024, PATIENCE_MS = 60000, LOOK_MS = 100 };

static struct test_serve serve;
static struct ves_server *server;

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    server = serve.server;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

/* ---- a follower by hand -------------------------------------------------- */

struct tail {
    int fd;
    struct ves_buf raw;  /* as it came */
    struct ves_buf text; /* the same without heads of chunks; NUL behind it */
    size_t at;           /* how much of raw is in text; 0: not the headers */
    bool has_ended;
};

static void tail_open(struct tail *tail, const char *key, const char *query,
                      const char *header)
{
    const char *port = strrchr(serve.http.url, ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[1024];
    memset(tail, 0, sizeof(*tail));
    ves_buf_init(&tail->raw, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&tail->text, ves_alloc_default(), TEXT_MAX);
    tail->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(tail->fd >= 0);
    assert_int_equal(connect(tail->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    int n = snprintf(text, sizeof(text),
                     "GET /api/v1/ves/events/stream?%s HTTP/1.1\r\n"
                     "Host: x\r\nx-api-key: %s\r\nx-request-id: same\r\n%s\r\n",
                     query, key, header);
    assert_int_equal(send(tail->fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void tail_close(struct tail *tail)
{
    close(tail->fd);
    ves_buf_free(&tail->raw);
    ves_buf_free(&tail->text);
}

/* A number of bytes, line end, so many bytes, line end. */
static bool take_chunk(struct tail *tail)
{
    const char *at = (const char *)tail->raw.ptr + tail->at;
    size_t left = tail->raw.len - tail->at;
    const char *line = memmem(at, left, "\r\n", 2);
    size_t size = line ? strtoul(at, NULL, 16) : 0;
    size_t head = line ? (size_t)(line - at) + 2 : 0;
    if (!line || left < head + size + 2)
        return false;
    ves_buf_put(&tail->text, at + head, size);
    tail->at += head + size + 2;
    tail->has_ended = size == 0;
    return size > 0;
}

/* An answer that is not a stream is all there is to see. */
static void decode(struct tail *tail)
{
    const char *raw = (const char *)tail->raw.ptr;
    const char *end = memmem(raw, tail->raw.len, "\r\n\r\n", 4);
    bool is_stream = strncmp(raw, "HTTP/1.1 200", 12) == 0;
    if (tail->at == 0 && end && is_stream)
        tail->at = (size_t)(end - raw) + 4;
    if (!is_stream) {
        ves_buf_reset(&tail->text);
        ves_buf_put_bytes(&tail->text, ves_buf_view(&tail->raw));
    }
    while (tail->at && !tail->has_ended && take_chunk(tail))
        continue;
    ves_buf_put_u8(&tail->text, 0);
    assert_int_equal(ves_buf_status(&tail->text), VES_OK);
    tail->text.len--;
}

/* Reads what there is, waiting at most that long; false at the end. */
static bool tail_read(struct tail *tail, int timeout_ms)
{
    struct pollfd poller = {.fd = tail->fd, .events = POLLIN};
    static _Thread_local char some[65536];
    if (poll(&poller, 1, timeout_ms) <= 0)
        return true;
    ssize_t n = recv(tail->fd, some, sizeof(some), 0);
    if (n <= 0)
        return false;
    ves_buf_put(&tail->raw, some, (size_t)n);
    decode(tail);
    return !tail->has_ended;
}

static const char *tail_text(const struct tail *tail)
{
    return tail->text.ptr ? (const char *)tail->text.ptr : "";
}

/* The same, and takes the time from *left_ms when nothing came: counted, not
 * read off a clock, which goes on while this process and the server in it stand
 * still. */
static bool tail_look(struct tail *tail, int *left_ms)
{
    const size_t had = tail->raw.len;
    bool goes_on = tail_read(tail, LOOK_MS);
    if (goes_on && tail->raw.len == had)
        *left_ms -= LOOK_MS;
    return goes_on;
}

static const char *tail_until(struct tail *tail, const char *what)
{
    int left_ms = PATIENCE_MS;
    size_t seen = 0;
    while (!strstr(tail_text(tail) + seen, what)) {
        size_t back = strlen(what) + 1;
        seen = tail->text.len > back ? tail->text.len - back : 0;
        if (!tail_look(tail, &left_ms) && !strstr(tail_text(tail) + seen, what))
            fail_msg("it ended without \"%s\": %.2000s", what, tail_text(tail));
        if (left_ms <= 0)
            fail_msg("no \"%s\" in \"%.2000s\"", what, tail_text(tail));
    }
    return tail_text(tail);
}

/* To the end of the answer. */
static const char *tail_all(struct tail *tail)
{
    int left_ms = PATIENCE_MS;
    while (tail_look(tail, &left_ms))
        assert_true(left_ms > 0);
    return tail_text(tail);
}

/* Every event once and in order, each what its id says; returns the last. */
static uint64_t check_ids(const char *text, uint64_t from)
{
    uint64_t next = from;
    for (const char *at = strstr(text, "\nid: "); at;
         at = strstr(at, "\nid: ")) {
        char line[64], number[64];
        at++;
        snprintf(line, sizeof(line),
                 "id: %llu\ndata: {\"envelope\":", (unsigned long long)next);
        const char *end = strstr(at, "\n\n");
        if (!end)
            break; /* the rest is on its way */
        if (strncmp(at, line, strlen(line)) != 0)
            fail_msg("wanted %s, got %.60s", line, at);
        snprintf(number, sizeof(number), "\"sequence_number\":%llu,",
                 (unsigned long long)next);
        const char *found = strstr(at, number);
        assert_true(found && found < end);
        next++;
    }
    return next - 1;
}

static void push(uint32_t first, uint32_t count)
{
    assert_int_equal(test_serve_push(&serve, &serve.http, first, count), 200);
}

/* Events of 20 KB each. */
static void push_large(uint32_t first, uint32_t count)
{
    enum { SIZE = 20000 };
    static char payload[SIZE + 1];
    struct test_request request;
    memset(payload, 'n', SIZE);
    memcpy(payload, "{\"note\":\"", 9);
    memcpy(payload + SIZE - 2, "\"}", 3);
    test_request_begin(&request, &serve.agent);
    for (uint32_t i = 0; i < count; i++) {
        struct test_event event;
        test_event_init(&event, &serve.stream, &serve.agent, first + i);
        event.payload = payload;
        test_request_event(&request, &event, &serve.agent_key);
    }
    assert_int_equal(test_http_call(&serve.http, "POST",
                                    "/api/v1/ves/events/ingest",
                                    test_request_end(&request)),
                     200);
    test_request_free(&request);
}

static const char *scope_and(const char *more)
{
    static char query[512];
    snprintf(query, sizeof(query), "%s%s", serve.scope, more);
    return query;
}

static void look_every(unsigned ms)
{
    atomic_store(&server->followers.alive_ms, ms);
}

static size_t followers(void)
{
    return atomic_load(&server->followers.count);
}

static void wait_for_followers(size_t count)
{
    while (followers() != count)
        nanosleep(&(struct timespec){0, 2000000}, NULL);
}

/* ---- what is told -------------------------------------------------------- */

static void test_gap_free(void **state)
{
    (void)state;
    struct tail live, later, heads;
    push(1, 3);
    tail_open(&live, serve.admin_key, scope_and("&receipts=1"), "");
    tail_until(&live, "id: 3\n");
    assert_non_null(strstr((const char *)live.raw.ptr,
                           "content-type: text/event-stream\r\n"));
    assert_non_null(strstr(tail_text(&live), "\"sequencerSignature\""));
    for (uint32_t i = 4; i < 40; i += 4)
        push(i, 4);
    assert_true(check_ids(tail_until(&live, "id: 39\n"), 1) >= 38);
    /* From where somebody stopped; the header knows better than the query. */
    tail_open(&later, serve.admin_key, scope_and("&from=2"),
              "Last-Event-ID: 17\r\n");
    check_ids(tail_until(&later, "id: 39\n"), 18);
    assert_null(strstr(tail_text(&later), "sequencerSignature"));
    tail_close(&later);
    tail_open(&later, serve.admin_key, scope_and("&from=40"), "");
    tail_open(&heads, serve.admin_key, scope_and("&heads=1&from=12"), "");
    assert_non_null(strstr(tail_until(&heads, "\n\nevent: head"),
                           "event: head\nid: 39\ndata: "
                           "{\"head_sequence\":39}\n\n"));
    push(40, 1);
    check_ids(tail_until(&later, "id: 40\n"), 40);
    tail_until(&heads, "event: head\nid: 40\n");
    assert_null(strstr(tail_text(&heads), "envelope"));
    tail_close(&later);
    tail_close(&heads);
    tail_close(&live);
}

/* One who came before the stream was there. */
static void test_empty(void **state)
{
    (void)state;
    struct tail tail;
    tail_open(&tail, serve.admin_key, scope_and(""), "");
    tail_until(&tail, "retry: ");
    push(1, 1);
    check_ids(tail_until(&tail, "id: 1\n"), 1);
    tail_close(&tail);
}

static void test_alive(void **state)
{
    (void)state;
    struct tail tail;
    look_every(20);
    tail_open(&tail, serve.admin_key, scope_and(""), "");
    tail_until(&tail, "\n\n: alive\n\n: alive\n\n");
    /* Who goes is noticed then. */
    wait_for_followers(1);
    tail_close(&tail);
    wait_for_followers(0);
    assert_int_equal(test_http_get(&serve.http, "/metrics"), 200);
    assert_non_null(
        strstr(test_http_body(&serve.http), "\nsequencer_followers 0\n"));
}

/* ---- who may ------------------------------------------------------------- */

static void expect_refused(const char *key, const char *query,
                           const char *header, const char *status)
{
    struct tail tail;
    tail_open(&tail, key, query, header);
    tail_until(&tail, "}");
    assert_memory_equal(tail.raw.ptr + 9, status, 3);
    tail_close(&tail);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const ids[] = {"-1",
                                      "x",
                                      "1.5",
                                      "9223372036854775808",
                                      "3",
                                      "1 OR 1=1",
                                      "99999999999999999999999"};
    char header[128], query[256];
    push(1, 2);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", ids[i]);
        expect_refused(serve.admin_key, serve.scope, header, "400");
    }
    expect_refused(serve.admin_key, scope_and("&from=4"), "", "400");
    expect_refused(serve.admin_key, scope_and("&from=-1"), "", "400");
    expect_refused(serve.admin_key, "tenant_id=x&store_id=y", "", "400");
    expect_refused("ss_nobody", serve.scope, "", "401");
    snprintf(query, sizeof(query), "tenant_id=%s", serve.tenant);
    expect_refused(serve.admin_key, query, "", "400");
    assert_int_equal(followers(), 0);
    wait_for_followers(0);
}

/* The answer without the line that tells the time. */
static const char *answer_to(struct tail *tail, const char *key,
                             const char *query)
{
    tail_open(tail, key, query, "");
    tail_until(tail, "}");
    char *date = strstr((char *)tail->raw.ptr, "Date: ");
    assert_non_null(date);
    memset(date, '-', strcspn(date, "\r"));
    return (const char *)tail->raw.ptr;
}

static void test_not_yours(void **state)
{
    (void)state;
    struct tail there, nowhere;
    char key[64], query[256], members[256], other[VES_UUID_TEXT + 1];
    struct ves_uuid id = test_id(0x77);
    push(1, 2);
    ves_uuid_format(&id, other);
    snprintf(members, sizeof(members),
             "\"storeId\":\"%s\",\"rights\":[\"read\"]", other);
    test_serve_key(&serve, members, key);
    answer_to(&there, key, serve.scope);
    assert_memory_equal(there.raw.ptr + 9, "403", 3);
    ves_uuid_format(&(struct ves_uuid){{9}}, other);
    snprintf(query, sizeof(query), "tenant_id=%s&store_id=%s", serve.tenant,
             other);
    answer_to(&nowhere, key, query);
    assert_int_equal(there.raw.len, nowhere.raw.len);
    assert_memory_equal(there.raw.ptr, nowhere.raw.ptr, there.raw.len);
    tail_close(&there);
    tail_close(&nowhere);
}

static void test_revoked(void **state)
{
    (void)state;
    struct tail mine, others;
    char key[64], path[128] = "/api/v1/api-keys/";
    struct ves_hash hash;
    push(1, 1);
    /* Nothing else wakes it. */
    look_every(10 * PATIENCE_MS);
    test_serve_key(&serve, "\"rights\":[\"read\"]", key);
    tail_open(&mine, key, serve.scope, "");
    tail_open(&others, serve.admin_key, serve.scope, "");
    tail_until(&mine, "id: 1\n");
    tail_until(&others, "id: 1\n");
    ves_api_key_hash(ves_bytes_str(key), &hash);
    ves_hex_encode(hash.b, 8, path + strlen(path));
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 200);
    assert_non_null(strstr(tail_all(&mine),
                           "event: end\ndata: {\"code\":\"invalid_api_key\","
                           "\"message\":\"this API key is not accepted\"}"));
    push(2, 1);
    tail_until(&others, "id: 2\n");
    tail_close(&mine);
    tail_close(&others);
}

static void test_expired(void **state)
{
    (void)state;
    struct tail tail;
    char key[64], at[VES_TIME_TEXT + 1], members[128];
    look_every(20);
    ves_time_format(ves_clock_now_ms() + 200, at);
    snprintf(members, sizeof(members),
             "\"rights\":[\"read\"],\"expiresAt\":\"%s\"", at);
    test_serve_key(&serve, members, key);
    tail_open(&tail, key, serve.scope, "");
    if (!strstr(tail_all(&tail), "HTTP/1.1 401"))
        tail_until(&tail, "event: end\ndata: {\"code\":\"token_expired\"");
    tail_close(&tail);
}

/* ---- those who do not read, and many ------------------------------------- */

static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_done;
static bool has_stopped;

static void *stop_server(void *unused)
{
    test_serve_stop(&serve);
    pthread_mutex_lock(&stop_lock);
    has_stopped = true;
    pthread_cond_signal(&stop_done);
    pthread_mutex_unlock(&stop_lock);
    return unused;
}

/* Does it stop within so long? */
static bool stops_within(unsigned left_ms)
{
    pthread_t thread;
    has_stopped = false;
    ves_timed_cond_init(&stop_done);
    assert_int_equal(pthread_create(&thread, NULL, stop_server, NULL), 0);
    pthread_mutex_lock(&stop_lock);
    while (!has_stopped && ves_timed_wait(&stop_done, &stop_lock, &left_ms))
        continue;
    bool in_time = has_stopped;
    pthread_mutex_unlock(&stop_lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&stop_done);
    return in_time;
}

static void test_slow(void **state)
{
    (void)state;
    enum { COUNT = 400, EACH = 200 };
    struct tail slow, gone;
    tail_open(&slow, serve.admin_key, serve.scope, "");
    tail_open(&gone, serve.admin_key, serve.scope, "");
    wait_for_followers(2);
    for (uint32_t i = 0; i < COUNT / EACH; i++)
        push_large(1 + i * EACH, EACH);
    /* Nothing is queued for those who do not read. */
    assert_true(atomic_load(&server->metrics.reply_memory) < 1024 * 1024);
    assert_true(check_ids(tail_until(&slow, "id: 400\n"), 1) >= COUNT - 1);
    /* And nobody waits for them. */
    assert_true(stops_within(30000));
    tail_until(&slow, "event: end\ndata: {\"code\":\"SERVICE_UNAVAILABLE\"");
    tail_close(&slow);
    tail_close(&gone);
}

static void test_many(void **state)
{
    (void)state;
    enum { KEYS = 4, COUNT = KEYS * VES_FOLLOWERS_KEY_MAX };
    static struct tail tails[COUNT];
    struct tail more;
    char key[64] = "";
    for (size_t i = 0; i < COUNT; i++) {
        if (i % VES_FOLLOWERS_KEY_MAX == 0)
            test_serve_key(&serve, "\"rights\":[\"read\"]", key);
        tail_open(&tails[i], key, scope_and(i % 2 ? "&heads=1" : ""), "");
    }
    wait_for_followers(COUNT);
    tail_open(&more, key, serve.scope, "");
    assert_non_null(strstr(tail_until(&more, "}"), "HTTP/1.1 503"));
    assert_non_null(strstr(tail_text(&more), "Retry-After: 1"));
    tail_close(&more);
    push(1, 1);
    for (size_t i = 0; i < COUNT; i++)
        tail_until(&tails[i], "id: 1\n");
    tail_close(&tails[0]);
    test_serve_stop(&serve);
    for (size_t i = 1; i < COUNT; i++) {
        assert_non_null(strstr(tail_all(&tails[i]), "event: end\n"));
        tail_close(&tails[i]);
    }
}

/* Coming, going and pushing at once. */
static void *come_and_go(void *ctx)
{
    for (int i = 0; i < 40; i++) {
        struct tail tail;
        tail_open(&tail, ctx, serve.scope, "");
        if (i % 3)
            (void)tail_read(&tail, 20);
        tail_close(&tail);
    }
    return NULL;
}

static void test_restless(void **state)
{
    (void)state;
    pthread_t threads[3];
    char keys[3][64];
    look_every(5);
    for (size_t i = 0; i < 3; i++) {
        test_serve_key(&serve, "\"rights\":[\"read\"]", keys[i]);
        assert_int_equal(
            pthread_create(&threads[i], NULL, come_and_go, keys[i]), 0);
    }
    for (uint32_t i = 0; i < 30; i++)
        push(1 + i, 1);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    wait_for_followers(0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(gap_free), T(empty),   T(alive), T(refused), T(not_yours),
        T(revoked),  T(expired), T(slow),  T(many),    T(restless),
    };
#undef T
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
