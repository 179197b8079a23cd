/* test_mcp_limits.c -- what strangers can take of a server: memory for
 * messages, connections, time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "mcp/lines.h"
#include "mcp/peers.h"
#include "mcp/server.h"

/* ---- memory -------------------------------------------------------------- */

struct meter {
    struct ves_alloc alloc;
    size_t held, peak; /* bytes */
};

static void *metered_realloc(void *ctx, void *ptr, size_t size)
{
    struct meter *meter = ctx;
    size_t before = ptr ? malloc_usable_size(ptr) : 0;

    if (size == 0) {
        meter->held -= before;
        free(ptr);
        return NULL;
    }
    /* The old block and the new one may both be there for a while. */
    void *made = malloc(size);
    if (!made)
        return NULL;
    size_t after = malloc_usable_size(made);
    meter->held += after;
    if (meter->held > meter->peak)
        meter->peak = meter->held;
    if (ptr)
        memcpy(made, ptr, before < after ? before : after);
    meter->held -= before;
    free(ptr);
    return made;
}

/* The longest message there may be, of nothing but items, as a client on a
 * pipe sends it; sets how it was read.  Returns the most bytes it took. */
static size_t memory_for(const char *item, enum ves_mcp_kind *kind, int *code)
{
    static char text[64 * 1024];
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                               "\"m\",\"params\":{\"pad\":[";
    size_t n = strlen(item), fit = sizeof(text) / n * n;
    struct meter meter = {{metered_realloc, &meter}, 0, 0};
    struct ves_mcp mcp = {.alloc = &meter.alloc};
    struct ves_mcp_lines lines;
    struct ves_bytes line;

    ves_mcp_lines_init(&lines, &meter.alloc, VES_MCP_MESSAGE_MAX);
    ves_mcp_lines_put(&lines, ves_bytes_str(head));
    for (size_t at = 0; at < fit; at += n)
        memcpy(text + at, item, n);
    for (size_t left = VES_MCP_MESSAGE_MAX - 100; left > fit; left -= fit)
        ves_mcp_lines_put(&lines, ves_bytes(text, fit));
    ves_mcp_lines_put(&lines, ves_bytes_str("1]}}\n"));
    assert_int_equal(ves_mcp_lines_next(&lines, &line), VES_MCP_LINE_WHOLE);
    struct ves_mcp_call *call = ves_mcp_call_new(&mcp, line);
    assert_non_null(call);
    *kind = call->message.kind;
    *code = call->message.code;
    ves_mcp_call_free(call);
    ves_mcp_lines_free(&lines);
    assert_int_equal(meter.held, 0);
    return meter.peak;
}

static void small_values_do_not_take_the_memory_of_the_machine(void **state)
{
    static const struct {
        const char *item;
        bool is_read;
    } cases[] = {{"1,", false},
                 {"[],", false},
                 {"\"\",", false},
                 {"{\"a\":1},", false},
                 {"\"a text of a length as payloads have it\",", true}};
    enum ves_mcp_kind kind;
    int code;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t took = memory_for(cases[i].item, &kind, &code);
        assert_true(took < (size_t)18 * VES_MCP_MESSAGE_MAX);
        assert_int_equal(kind,
                         cases[i].is_read ? VES_MCP_REQUEST : VES_MCP_BROKEN);
        assert_int_equal(code, cases[i].is_read ? 0 : VES_MCP_INTERNAL_ERROR);
    }
}

/* A megabyte of short texts, as far as it is read. */
static struct ves_mcp_call *long_call(struct ves_mcp *mcp)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                               "\"m\",\"params\":{\"pad\":[";
    static const char item[] = "\"a text of a payload\",", tail[] = "1]}}";
    struct ves_buf text;

    ves_buf_init(&text, ves_alloc_default(), 2 * 1024 * 1024);
    ves_buf_put_str(&text, head);
    while (text.len < 1024 * 1024)
        ves_buf_put_str(&text, item);
    ves_buf_put_str(&text, tail);
    struct ves_mcp_call *call = ves_mcp_call_new(mcp, ves_buf_view(&text));
    ves_buf_free(&text);
    return call;
}

static void all_messages_together_have_a_limit(void **state)
{
    enum { MANY = 1024 };
    static struct ves_mcp_call *calls[MANY];
    struct meter meter = {{metered_realloc, &meter}, 0, 0};
    struct ves_mcp mcp = {.alloc = &meter.alloc};
    size_t n = 0, read = 0;

    (void)state;
    while (n < MANY && (calls[n] = long_call(&mcp))) {
        read += calls[n]->message.kind == VES_MCP_REQUEST;
        n++;
    }
    assert_true(n < MANY);
    assert_true(read > 10);
    assert_true(meter.peak < (size_t)VES_MCP_HELD_MAX + (32u << 20));
    /* A short one is still answered: somebody may want to cancel. */
    struct ves_mcp_call *small = ves_mcp_call_new(
        &mcp, ves_bytes_str("{\"jsonrpc\":\"2.0\",\"method\":\"m\"}"));
    assert_non_null(small);
    assert_int_equal(small->message.kind, VES_MCP_NOTIFICATION);
    ves_mcp_call_free(small);
    while (n > 0)
        ves_mcp_call_free(calls[--n]);
    assert_int_equal(atomic_load(&mcp.held), 0);
    assert_int_equal(meter.held, 0);
    struct ves_mcp_call *call = long_call(&mcp);
    assert_non_null(call);
    ves_mcp_call_free(call);
}

/* ---- connections --------------------------------------------------------- */

struct pair {
    int ours, theirs;
    struct ves_mcp_peer *peer;
};

static struct pair connect_at(struct ves_mcp_peers *peers, int64_t now)
{
    struct pair pair;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair.ours = fds[0];
    pair.theirs = fds[1];
    pair.peer = ves_mcp_peers_add(peers, pair.ours, now);
    assert_non_null(pair.peer);
    return pair;
}

static bool is_open(const struct pair *pair)
{
    struct pollfd item = {.fd = pair->theirs, .events = POLLIN};

    return poll(&item, 1, 0) == 0;
}

static void close_pair(struct ves_mcp_peers *peers, struct pair *pair)
{
    ves_mcp_peers_remove(peers, pair->peer);
    close(pair->ours);
    close(pair->theirs);
}

static void a_request_that_does_not_come_is_not_waited_for(void **state)
{
    struct ves_mcp_peers peers;

    (void)state;
    ves_mcp_peers_init(&peers, ves_alloc_default());
    struct pair slow = connect_at(&peers, 1000);
    struct pair served = connect_at(&peers, 1000);
    ves_mcp_peer_is_served(&peers, served.peer);
    ves_mcp_peers_expire(&peers, 1000 + VES_MCP_HEADERS_MS - 1);
    assert_true(is_open(&slow));
    ves_mcp_peers_expire(&peers, 1000 + VES_MCP_HEADERS_MS);
    assert_false(is_open(&slow));
    assert_true(is_open(&served));
    /* Headers came, the body does not. */
    ves_mcp_peer_sends(&peers, served.peer, 5000, VES_MCP_BODY_MS);
    ves_mcp_peers_expire(&peers, 5000 + VES_MCP_BODY_MS - 1);
    assert_true(is_open(&served));
    ves_mcp_peers_expire(&peers, 5000 + VES_MCP_BODY_MS);
    assert_false(is_open(&served));
    close_pair(&peers, &slow);
    close_pair(&peers, &served);
    ves_mcp_peers_free(&peers);
}

static void the_slowest_makes_room(void **state)
{
    static struct pair pairs[VES_MCP_PEERS_MAX];
    struct ves_mcp_peers peers;

    (void)state;
    ves_mcp_peers_init(&peers, ves_alloc_default());
    for (int i = 0; i < VES_MCP_PEERS_MAX; i++)
        pairs[i] = connect_at(&peers, 1000 + i);
    /* The oldest one works, the next one has sent another request since. */
    ves_mcp_peer_is_served(&peers, pairs[0].peer);
    ves_mcp_peer_sends(&peers, pairs[1].peer, 5000, VES_MCP_BODY_MS);
    struct pair first = connect_at(&peers, 6000);
    struct pair second = connect_at(&peers, 6001);
    for (int i = 0; i < VES_MCP_PEERS_MAX; i++)
        assert_int_equal(is_open(&pairs[i]), i != 2 && i != 3);
    assert_false(first.peer->is_surplus || second.peer->is_surplus);
    /* When all are being served, a new one is told to come again. */
    for (int i = 0; i < VES_MCP_PEERS_MAX; i++)
        ves_mcp_peer_is_served(&peers, pairs[i].peer);
    ves_mcp_peer_is_served(&peers, first.peer);
    ves_mcp_peer_is_served(&peers, second.peer);
    struct pair late = connect_at(&peers, 7000);
    assert_true(late.peer->is_surplus);
    close_pair(&peers, &late);
    close_pair(&peers, &pairs[5]);
    late = connect_at(&peers, 7001);
    assert_false(late.peer->is_surplus);
    close_pair(&peers, &late);
    for (int i = 0; i < VES_MCP_PEERS_MAX; i++) {
        if (i != 5)
            close_pair(&peers, &pairs[i]);
    }
    close_pair(&peers, &first);
    close_pair(&peers, &second);
    assert_int_equal(peers.count, 0);
    ves_mcp_peers_free(&peers);
}

static void places_are_counted(void **state)
{
    struct ves_mcp_peers peers;

    (void)state;
    ves_mcp_peers_init(&peers, ves_alloc_default());
    for (int i = 0; i < VES_MCP_CALLS_MAX; i++)
        assert_true(
            ves_mcp_peers_take(&peers, &peers.calls, VES_MCP_CALLS_MAX));
    assert_false(ves_mcp_peers_take(&peers, &peers.calls, VES_MCP_CALLS_MAX));
    assert_true(
        ves_mcp_peers_take(&peers, &peers.streams, VES_MCP_STREAMS_MAX));
    ves_mcp_peers_give(&peers, &peers.calls);
    assert_true(ves_mcp_peers_take(&peers, &peers.calls, VES_MCP_CALLS_MAX));
    ves_mcp_peers_free(&peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_do_not_take_the_memory_of_the_machine),
        cmocka_unit_test(all_messages_together_have_a_limit),
        cmocka_unit_test(a_request_that_does_not_come_is_not_waited_for),
        cmocka_unit_test(the_slowest_makes_room),
        cmocka_unit_test(places_are_counted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
