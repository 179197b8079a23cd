/* test_server_fair.c -- whose requests are taken when more come than can be
 * done.  No clock: a queue, and what is taken out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server/queue.h"
#include "server/request.h"

enum { TENANTS_MAX = 200, KB = 1024 };

static struct ves_queue queue;
static struct ves_account accounts[TENANTS_MAX];
static struct ves_held held[TENANTS_MAX];

static int set_up(void **state)
{
    (void)state;
    memset(accounts, 0, sizeof(accounts));
    ves_queue_init(&queue, VES_LANE_COMMIT);
    for (size_t i = 0; i < TENANTS_MAX; i++)
        held[i].account = &accounts[i];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (queue.count) {
        struct ves_request *list =
            ves_queue_take(&queue, 1, SIZE_MAX, SIZE_MAX);
        while (list) {
            struct ves_request *next = list->next;
            free(list);
            list = next;
        }
    }
    ves_queue_deinit(&queue);
    return 0;
}

/* started_us numbers a tenant's requests. */
static void ask(size_t tenant, uint64_t number, size_t bytes, size_t events)
{
    struct ves_request *request = calloc(1, sizeof(*request));
    assert_non_null(request);
    request->held = &held[tenant];
    request->started_us = number;
    request->body_len = bytes;
    request->ingest.count = events;
    assert_true(ves_queue_push(&queue, request));
}

struct taken {
    uint64_t requests[TENANTS_MAX], bytes[TENANTS_MAX];
    uint64_t next[TENANTS_MAX]; /* number that has to come */
};

static void take(struct taken *taken, struct ves_request *list)
{
    while (list) {
        struct ves_request *next = list->next;
        size_t tenant = (size_t)(list->held - held);
        assert_int_equal(list->started_us, taken->next[tenant]++);
        taken->requests[tenant]++;
        taken->bytes[tenant] += list->body_len;
        free(list);
        list = next;
    }
}

/* Behind a flood of one, the request of another is the next but one round's. */
static void test_newcomer(void **state)
{
    (void)state;
    struct taken taken = {0};
    for (uint64_t i = 0; i < 1000; i++)
        ask(0, i, 60 * KB, 100);
    take(&taken, ves_queue_take(&queue, 1, 10, SIZE_MAX));
    assert_int_equal(taken.requests[0], 10);
    ask(1, 0, 10 * KB, 10);
    take(&taken, ves_queue_take(&queue, 1, 3, SIZE_MAX));
    assert_int_equal(taken.requests[1], 1);
    assert_int_equal(ves_queue_count(&queue), 1000 - 12);
}

/* Equal demand, unequal sizes: bytes are shared, not requests. */
static void test_bytes_are_shared(void **state)
{
    (void)state;
    static const size_t sizes[] = {300, 7 * KB, 100 * KB, 2000 * KB};
    struct taken taken = {0};
    uint64_t number[4] = {0};
    for (int round = 0; round < 4000; round++) {
        for (size_t t = 0; t < 4; t++) {
            while (number[t] - taken.next[t] < 50)
                ask(t, number[t]++, sizes[t], 1);
        }
        take(&taken, ves_queue_take(&queue, 1, 8, SIZE_MAX));
    }
    uint64_t cost[4], sum = 0;
    for (size_t t = 0; t < 4; t++) {
        cost[t] = taken.bytes[t] +
                  taken.requests[t] * (uint64_t)VES_QUEUE_REQUEST_COST;
        sum += cost[t];
    }
    for (size_t t = 0; t < 4; t++) {
        if (cost[t] < sum / 4 * 9 / 10 || cost[t] > sum / 4 * 11 / 10)
            fail_msg("tenant %zu took %llu of %llu", t,
                     (unsigned long long)cost[t], (unsigned long long)sum);
    }
}

/* A server that commits a group a tick.  One tenant, or 99 of them, fill the
 * queue; another asks for a tenth of what is committed. */
static double kept(size_t floods, size_t flood_events)
{
    enum { TICKS = 3000, GROUP = 1000, OWN = 100 };
    struct taken taken = {0};
    uint64_t number[TENANTS_MAX] = {0};
    for (int tick = 0; tick < TICKS; tick++) {
        for (size_t t = 1; t <= floods; t++) {
            while (number[t] - taken.next[t] < 64)
                ask(t, number[t]++, flood_events * 600, flood_events);
        }
        ask(0, number[0]++, (size_t)OWN * 600, OWN); /* a tenth of a group */
        /* Of which a group is a part while several come. */
        assert_true(queue.mixed);
        take(&taken,
             ves_queue_take_group(&queue, 256, GROUP * VES_QUEUE_MIXED_SHARE));
    }
    return (double)taken.requests[0] / TICKS;
}

static void test_tenth_against_a_flood(void **state)
{
    (void)state;
    static const size_t events[] = {1, 10, 100, 1000};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        double ratio = kept(1, events[i]);
        if (ratio < 0.8)
            fail_msg("a flood of %zu events a request leaves %.2f", events[i],
                     ratio);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* Against many floods it has its share of all, and they no more. */
static void test_share_among_many(void **state)
{
    (void)state;
    enum { FLOODS = 4 };
    double ratio = kept(FLOODS, 100);
    assert_true(ratio >= 0.8); /* a fifth is its share, it asks for half that */
}

/* Groups hold what they may, and one that is larger alone. */
static void test_groups(void **state)
{
    (void)state;
    struct taken taken = {0};
    for (uint64_t i = 0; i < 4; i++)
        ask(0, i, 100, 400);
    ask(0, 4, 100, 5000);
    assert_int_equal(queue.events, 6600);
    for (int i = 0; i < 2; i++)
        take(&taken, ves_queue_take_group(&queue, 256, 1000));
    assert_int_equal(taken.requests[0], 4);
    take(&taken, ves_queue_take_group(&queue, 256, 1000));
    assert_int_equal(taken.requests[0], 5);
    assert_int_equal(queue.events, 0);
    for (uint64_t i = 0; i < 5; i++) {
        ask(0, 5 + i, 100, 0);
        ask(1, i, 100, 0);
    }
    take(&taken, ves_queue_take_group(&queue, 4, 1000));
    assert_int_equal(ves_queue_count(&queue), 6);
}

/* Nobody waits long for the group before his own while several come; who is
 * alone for some time commits in large ones again. */
static void test_groups_of_several(void **state)
{
    (void)state;
    struct taken taken = {0};
    uint64_t n = 0;
    for (; n < 10; n++)
        ask(0, n, 100, 100);
    take(&taken, ves_queue_take_group(&queue, 256, 1000));
    assert_int_equal(taken.requests[0], 10);
    for (; n < 20; n++)
        ask(0, n, 100, 100);
    ask(1, 0, 100, 20);
    take(&taken, ves_queue_take_group(&queue, 256, 1000));
    assert_in_range(taken.requests[0] + taken.requests[1], 12, 13);
    while (ves_queue_count(&queue))
        take(&taken, ves_queue_take_group(&queue, 256, 1000));
    assert_int_equal(taken.requests[1], 1);
    for (int i = 0; i <= VES_QUEUE_MIXED_REQUESTS; i++) {
        ask(0, n++, 100, 1);
        take(&taken, ves_queue_take_group(&queue, 256, 1000));
    }
    uint64_t before = taken.requests[0];
    for (int i = 0; i < 12; i++)
        ask(0, n++, 100, 100);
    take(&taken, ves_queue_take_group(&queue, 256, 1000));
    assert_int_equal(taken.requests[0], before + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newcomer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_are_shared, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_tenth_against_a_flood, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_share_among_many, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_groups_of_several, set_up,
                                        tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_fair", tests, NULL, NULL);
}
