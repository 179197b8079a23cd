/* test_server_slow.c -- a client that takes its time does not keep its place.
 *
 * No test waits: the sweeper's work is done here with a time of our own, and
 * the server's own sweeper finds nothing in the seconds a test takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "server/server.h"
#include "test/lib/test_serve.h"

enum { S = 1000000, LONG_MS = 30000 };

/* ---- the rule ------------------------------------------------------------ */

static void test_rule(void **state)
{
    (void)state;
    static const struct {
        enum ves_connection_phase phase;
        uint64_t bytes;
        uint64_t spent_s;
        bool is_late;
    } cases[] = {{VES_CONNECTION_HEADERS, 0, 60, false},
                 {VES_CONNECTION_HEADERS, 0, 61, true},
                 {VES_CONNECTION_BODY, 0, 30, false},
                 {VES_CONNECTION_BODY, 0, 32, true},
                 {VES_CONNECTION_BODY, 2 * 4096, 32, false},
                 {VES_CONNECTION_BODY, 1000 * 4096, 1030, false},
                 {VES_CONNECTION_BODY, 1000 * 4096, 1032, true},
                 {VES_CONNECTION_WORK, 0, 1000000, false},
                 {VES_CONNECTION_ANSWER, 0, 31, true},
                 {VES_CONNECTION_ANSWER, 10 * 4096, 40, false},
                 {VES_CONNECTION_ANSWER, 10 * 4096, 41, true},
                 {VES_CONNECTION_ANSWER, 64 * 1024 * 1024, 16000, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_connection c = {.fd = -1};
        ves_connection_enter(&c, cases[i].phase, cases[i].bytes,
                             5 * (uint64_t)S);
        if (ves_connection_is_late(&c, (5 + cases[i].spent_s) * S) !=
            cases[i].is_late)
            fail_msg("case %zu", i);
        /* A clock that seems to go back is no reason. */
        assert_false(ves_connection_is_late(&c, 0));
    }
}

/* ---- sockets ------------------------------------------------------------- */

static struct test_serve serve;

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

static struct ves_server *server(void)
{
    return serve.server;
}

static int dial(void)
{
    const char *colon = strrchr(serve.http.url, ':');
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd,
                             (const struct sockaddr *)(const void *)&address,
                             sizeof(address)),
                     0);
    return fd;
}

static void say(int fd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(int fd, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

/* Waits until so many connections are in that phase, with so many bytes. */
static void wait_for(enum ves_connection_phase phase, uint64_t bytes,
                     size_t count)
{
    struct ves_connections *all = &server()->connections;
    for (int i = 0; i < LONG_MS; i++) {
        size_t found = 0;
        pthread_mutex_lock(&all->lock);
        for (struct ves_connection *c = all->first; c; c = c->next)
            found += atomic_load(&c->phase) == (unsigned)phase &&
                     atomic_load(&c->bytes) == bytes && !c->is_cut;
        pthread_mutex_unlock(&all->lock);
        if (found == count)
            return;
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    }
    fail_msg("never %zu connections in phase %d", count, (int)phase);
}

/* Reads to the end, which comes. */
static void expect_end(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    char bytes[4096];
    ssize_t n = 1;
    while (n > 0) {
        assert_true(poll(&poller, 1, LONG_MS) > 0);
        n = recv(fd, bytes, sizeof(bytes), 0);
    }
    close(fd);
}

static size_t sweep_after(uint64_t seconds)
{
    return ves_connections_sweep(&server()->connections,
                                 ves_metric_now_us() + seconds * S);
}

static void test_slow_headers(void **state)
{
    (void)state;
    /* Our own connection is one, too, which says nothing more. */
    int silent = dial(), dripping = dial();
    say(dripping, "GET /health HTTP/1.1\r\nHost: x\r\nx-a");
    wait_for(VES_CONNECTION_HEADERS, 0, 3);
    assert_int_equal(sweep_after(50), 0);
    say(dripping, ": b\r\nx-c");
    assert_int_equal(sweep_after(61), 3);
    assert_int_equal(sweep_after(61), 0); /* once each */
    expect_end(silent);
    expect_end(dripping);
    assert_int_equal(test_http_get(&serve.http, "/metrics"), 200);
    assert_non_null(strstr(test_http_body(&serve.http),
                           "\nsequencer_http_slow_clients_total 3\n"));
}

static void test_slow_body(void **state)
{
    (void)state;
    int fd = dial();
    say(fd,
        "POST /api/v1/ves/events/ingest HTTP/1.1\r\nHost: x\r\n"
        "x-api-key: %s\r\nContent-Length: 100000\r\n\r\n0123456789",
        serve.admin_key);
    wait_for(VES_CONNECTION_BODY, 10, 1);
    assert_int_equal(sweep_after(30), 0);
    say(fd, "0123456789");
    wait_for(VES_CONNECTION_BODY, 20, 1);
    assert_true(sweep_after(40) >= 1);
    expect_end(fd);
    /* What it held is given back. */
    for (int i = 0; i < LONG_MS; i++) {
        if (atomic_load(&server()->metrics.body_memory) == 0)
            break;
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    }
    assert_int_equal(atomic_load(&server()->metrics.body_memory), 0);
}

/* A body that was refused is one, too. */
static void test_slow_refused_body(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "POST /api/v1/ves/events/ingest HTTP/1.1\r\nHost: x\r\n"
            "x-api-key: ss_no\r\nContent-Length: 100000\r\n\r\n0123456789");
    wait_for(VES_CONNECTION_BODY, 10, 1);
    assert_true(sweep_after(40) >= 1);
    expect_end(fd);
}

/* Who follows a stream on which nothing happens is no slow client. */
static void test_follower_stays(void **state)
{
    (void)state;
    struct pollfd poller = {.events = POLLIN};
    char bytes[4096];
    int fd = poller.fd = dial();
    say(fd,
        "GET /api/v1/ves/events/stream?%s HTTP/1.1\r\nHost: x\r\n"
        "x-api-key: %s\r\n\r\n",
        serve.scope, serve.admin_key);
    assert_true(poll(&poller, 1, LONG_MS) > 0);
    assert_true(recv(fd, bytes, sizeof(bytes), 0) > 0);
    wait_for(VES_CONNECTION_WORK, 0, 1);
    (void)sweep_after(1000000);
    size_t cut = 0;
    pthread_mutex_lock(&server()->connections.lock);
    for (struct ves_connection *c = server()->connections.first; c; c = c->next)
        cut += c->is_cut && atomic_load(&c->phase) == VES_CONNECTION_WORK;
    pthread_mutex_unlock(&server()->connections.lock);
    assert_int_equal(cut, 0);
    close(fd);
}

static bool is_answered(int fd)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    char bytes[4096];
    (void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    assert_true(poll(&poller, 1, LONG_MS) > 0);
    return recv(fd, bytes, sizeof(bytes), 0) > 0;
}

/* After the limit of one address nobody else comes from there, until one
 * goes. */
static void test_connections_of_an_address(void **state)
{
    (void)state;
    test_serve_stop(&serve);
    serve.options.address_connections = 3;
    test_serve_start(&serve);
    assert_int_equal(test_http_get(&serve.http, "/health"), 200);
    int second = dial(), third = dial();
    wait_for(VES_CONNECTION_HEADERS, 0, 3);
    expect_end(dial());
    assert_int_equal(test_http_get(&serve.http, "/health"), 200);
    close(second);
    wait_for(VES_CONNECTION_HEADERS, 0, 2);
    /* The library counts it down a moment after it says that it is gone. */
    bool is_in = false;
    for (int i = 0; i < LONG_MS / 10 && !is_in; i++) {
        int fourth = dial();
        is_in = is_answered(fourth);
        close(fourth);
        if (!is_in)
            nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
    }
    assert_true(is_in);
    close(third);
}

/* ---- of a credential ------------------------------------------------------
 */

static void with_key(struct test_http *http, const char *key)
{
    test_http_init(http, ves_server_url(serve.server));
    test_http_auth(http, "x-api-key: ", key);
}

/* Until the server has seen connections go. */
static uint32_t get_until_in(struct test_http *http, const char *path)
{
    uint32_t status = 0;
    for (int i = 0; i < LONG_MS / 10; i++) {
        status = test_http_get(http, "%s", path);
        if (status != 429)
            break;
        nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
    }
    return status;
}

/* A connection is whose credential came over it last; those of one are
 * limited, others are not kept out by that, and one that goes makes room. */
static void test_connections_of_a_credential(void **state)
{
    (void)state;
    const char path[] = "/api/v1/ves/sequencer-keys";
    struct test_http mine[4], other;
    char key[64], other_key[64];
    test_serve_stop(&serve);
    serve.options.credential_connections = 2;
    test_serve_start(&serve);
    test_serve_key(&serve, "\"rights\":[\"read\"]", key);
    test_serve_key(&serve, "\"rights\":[\"read\"]", other_key);
    for (int i = 0; i < 4; i++)
        with_key(&mine[i], key);
    with_key(&other, other_key);
    assert_int_equal(test_http_get(&mine[0], path), 200);
    assert_int_equal(test_http_get(&mine[1], path), 200);
    assert_int_equal(test_http_get(&mine[2], path), 429);
    assert_true(test_http_has_header(&mine[2], "retry-after: 1"));
    assert_true(test_http_has_header(&mine[2], "connection: close"));
    assert_int_equal(test_http_get(&mine[0], path), 200);
    assert_int_equal(test_http_get(&other, path), 200);
    /* Without one nobody is asked whose it is. */
    assert_int_equal(test_http_get(&mine[3], "/health"), 200);
    /* What a connection carries now is what counts. */
    test_http_auth(&mine[1], "x-api-key: ", other_key);
    assert_int_equal(test_http_get(&mine[1], path), 200);
    assert_int_equal(test_http_get(&mine[2], path), 200);
    assert_int_equal(test_http_get(&mine[3], path), 429);
    test_http_free(&mine[0]);
    assert_int_equal(get_until_in(&mine[3], path), 200);
    for (int i = 1; i < 4; i++)
        test_http_free(&mine[i]);
    test_http_free(&other);
}

/* A tenant with many credentials leaves room for others: of eight places it
 * may have twice what is free. */
static void test_connections_of_a_tenant(void **state)
{
    (void)state;
    const char path[] = "/api/v1/ves/sequencer-keys";
    enum { MANY = 7 };
    struct test_http mine[MANY];
    char key[64];
    unsigned served = 0;
    serve.server->connections_max = 8;
    for (int i = 0; i < MANY; i++) {
        test_serve_key(&serve, "\"rights\":[\"read\"]", key);
        with_key(&mine[i], key);
        uint32_t status = test_http_get(&mine[i], path);
        assert_true(status == 200 || status == 429);
        served += status == 200;
    }
    /* One place is the administrator's, of no tenant. */
    assert_in_range(served, 4, 6);
    for (int i = 0; i < MANY; i++)
        test_http_free(&mine[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule),
        cmocka_unit_test_setup_teardown(test_slow_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_refused_body, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_follower_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connections_of_an_address, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_connections_of_a_credential,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connections_of_a_tenant, set_up,
                                        tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_slow", tests, NULL, NULL);
}
