/* test_server_shared.c -- two sequencers on one PostgreSQL database: what one
 * commits those who follow at the other hear at once.
 */
#if !__has_include(<libpq-fe.h>)
#include <stdio.h>

int main(void)
{
    puts("ok 1 - sequencers on one database # SKIP libpq's header is not there "
         "(apt-get install libpq-dev)\n1..1");
    return 0;
}
#else

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#include "os/clock.h"
#include "server/server.h"
#include "test/lib/test_pg.h"
#include "test/lib/test_serve.h"

enum { PATIENCE_MS = 60000, NEVER_MS = INT32_MAX, RATE = 10000 };

static struct test_serve one, two;
static char signing_key[128], admin_key[128];

/* ---- two of them --------------------------------------------------------- */

static void start(struct test_serve *serve, const char *db)
{
    *serve = one;
    snprintf(serve->db, sizeof(serve->db), "%s", db);
    serve->options = (struct ves_serve_options){.store = test_pg_url,
                                                .signing_key = signing_key,
                                                .listen = "127.0.0.1:0",
                                                .rate_limit = RATE,
                                                .threads = 1};
    test_serve_start(serve);
}

static int set_up(void **state)
{
    char folder[] = "/tmp/ves-test-XXXXXX", db[96];
    struct ves_error error = {0};

    (void)state;
    memset(&one, 0, sizeof(one));
    assert_int_equal(ves_crypto_init(), VES_OK);
    assert_non_null(mkdtemp(folder));
    snprintf(db, sizeof(db), "%s/hub", folder);
    snprintf(signing_key, sizeof(signing_key), "%s.key", db);
    snprintf(admin_key, sizeof(admin_key), "%s.admin-key", db);
    const struct ves_serve_options options = {.store = test_pg_url,
                                              .signing_key = signing_key};
    if (ves_server_init(&options, admin_key, &error))
        fail_msg("%s", error.text);
    snprintf(one.folder, sizeof(one.folder), "%s", folder);
    one.stream = (struct ves_stream){test_id(0xa1), test_id(0xa2)};
    one.agent = test_id(0xa3);
    ves_uuid_format(&one.stream.tenant, one.tenant);
    ves_uuid_format(&one.stream.store, one.store);
    ves_uuid_format(&one.agent, one.agent_text);
    snprintf(one.scope, sizeof(one.scope), "tenant_id=%s&store_id=%s",
             one.tenant, one.store);
    test_signer_init(&one.agent_key, 8);
    start(&one, db);
    test_serve_register(&one, &one.agent, 1, &one.agent_key);
    start(&two, db);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_stop(&two);
    test_serve_free(&one);
    return 0;
}

static void push(uint32_t first)
{
    /* A connection that was ended may cost one answer. */
    int64_t end_ms = ves_clock_monotonic_ms() + PATIENCE_MS;
    uint32_t status = 0;

    while (status != 200 && ves_clock_monotonic_ms() < end_ms)
        status = test_serve_push(&one, &one.http, first, 1);
    assert_int_equal(status, 200);
}

/* ---- a follower at the second -------------------------------------------- */

static int follow(void)
{
    const char *port = strrchr(two.http.url, ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    char text[1024];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    int n = snprintf(text, sizeof(text),
                     "GET /api/v1/ves/events/stream?%s&heads=1 HTTP/1.1\r\n"
                     "Host: x\r\nx-api-key: %s\r\n\r\n",
                     one.scope, one.admin_key);
    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

static void hear(int fd, unsigned head)
{
    static char text[65536];
    static size_t len;
    char want[64];

    snprintf(want, sizeof(want), "{\"head_sequence\":%u}", head);
    while (!strstr(text, want)) {
        assert_true(len + 1 < sizeof(text));
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (n <= 0)
            fail_msg("no %s in \"%s\"", want, text);
        len += (size_t)n;
        text[len] = 0;
    }
}

static uint64_t notices(void)
{
    return atomic_load(&two.server->metrics.notices_heard);
}

static void await_look(void)
{
    struct ves_refresh *refresh = &two.server->refresh;
    int64_t end_ms = ves_clock_monotonic_ms() + PATIENCE_MS;

    while (atomic_load(&refresh->looked_ms) == 0) {
        assert_true(ves_clock_monotonic_ms() < end_ms);
        (void)usleep(1000);
    }
}

/* The second looks at the streams by itself only when it has connected, so
 * what is heard later came as a notice. */
static void who_follows_elsewhere_hears_at_once(void **state)
{
    (void)state;
    atomic_store(&two.server->refresh.streams_ms, NEVER_MS);
    await_look();
    int fd = follow();
    for (unsigned i = 1; i <= 20; i++) {
        push(i);
        hear(fd, i);
    }
    uint64_t before = notices();
    assert_true(before >= 1);

    /* Every connection of both is ended, and made again. */
    PGconn *behind = PQconnectdb(test_pg_url);
    PQclear(PQexec(behind, "SELECT pg_terminate_backend(pid, 10000) FROM"
                           " pg_stat_activity WHERE application_name = 'ves'"));
    PQfinish(behind);
    push(21);
    hear(fd, 21);
    int64_t end_ms = ves_clock_monotonic_ms() + PATIENCE_MS;
    for (unsigned i = 22; notices() == before; i++) {
        assert_true(ves_clock_monotonic_ms() < end_ms);
        push(i);
        hear(fd, i);
    }
    close(fd);
}

static void await_parts(unsigned parts)
{
    struct ves_server *server = one.server;
    int64_t end_ms = ves_clock_monotonic_ms() + PATIENCE_MS;
    char policy[96];

    while (atomic_load(&server->rates.parts) != parts) {
        assert_true(ves_clock_monotonic_ms() < end_ms);
        (void)usleep(1000);
    }
    snprintf(policy, sizeof(policy),
             "RateLimit-Policy: \"credential\";q=%u;w=10\r", RATE * 10 / parts);
    assert_int_equal(test_http_get(&one.http, "/api/v1/ves/head?%s", one.scope),
                     200);
    assert_true(test_http_has_header(&one.http, policy));
}

/* What a caller may do is not more when more processes serve; who counts is
 * whoever is there, not who once was. */
static void each_gives_its_part_of_a_rate(void **state)
{
    (void)state;
    atomic_store(&one.server->refresh.streams_ms, 0);
    await_parts(2);
    ves_server_stop(two.server);
    two.server = NULL;
    await_parts(1);
    char db[sizeof(one.db)];
    memcpy(db, one.db, sizeof(db));
    start(&two, db);
    await_parts(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_follows_elsewhere_hears_at_once),
        cmocka_unit_test(each_gives_its_part_of_a_rate),
    };
    int failed = test_pg_start("sequencers on one database");

    if (failed)
        return failed == 77 ? 0 : 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, set_up, tear_down);
    test_pg_run("stop");
    return failed;
}

#endif
