/* test_policy_faults.c -- a policy that decides while the store fails, call by
 * call: what failed is decided by a later run, nothing twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "test/lib/test_ops.h"
#include "test/lib/test_shop.h"
#include "ves/conflict.h"

enum { CONFLICTS = 12, RUNS_MAX = 1000 };

static struct test_shop shop;
static struct ves_agent *till, *office;
static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    test_shop_open(&shop);
    till = test_shop_store(&shop, "till.db", NULL);
    office = test_shop_store(&shop, "office.db", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_agent_close(till);
    ves_agent_close(office);
    test_shop_close(&shop);
    return 0;
}

static void sync_both(void)
{
    struct ves_agent *turns[] = {till, office, till};
    struct ves_ack_report ack;

    for (int i = 0; i < 3; i++) {
        (void)test_shop_push(&shop, turns[i]);
        (void)test_shop_pull(&shop, turns[i]);
        assert_int_equal(ves_acknowledge(turns[i], NULL, 0, &ack, &error),
                         VES_OK);
    }
}

static void write_all(struct ves_agent *agent, const char *type,
                      const char *payload)
{
    char id[16];

    assert_int_equal(ves_agent_begin(agent, &error), VES_OK);
    for (int i = 0; i < CONFLICTS; i++) {
        snprintf(id, sizeof(id), "O%d", i);
        test_shop_append(agent, type, id, payload);
    }
    assert_int_equal(ves_agent_commit(agent, &error), VES_OK);
}

/* The conflicts are the office's. */
static void quarrel(void)
{
    write_all(till, "order.created", "{\"email\":\"a\"}");
    sync_both();
    write_all(till, "order.updated", "{\"patch\":{\"email\":\"till\"}}");
    write_all(office, "order.updated", "{\"patch\":{\"email\":\"office\"}}");
    sync_both();
}

/* Fails at the first call, then at the second ... until a run gets through. */
static void decide(struct ves_agent *agent, bool is_late)
{
    struct ves_auto_report report;
    size_t n = 0;

    do {
        assert_in_range(++n, 1, RUNS_MAX);
        test_ops_install(agent->store);
        test_ops_arm(n, is_late, VES_IO);
        enum ves_status status = ves_resolve_automatic(agent, &report, &error);
        bool has_failed = test_ops()->calls >= n;
        test_ops_arm(0, false, VES_OK);
        test_ops_remove(agent->store);
        if (!has_failed) {
            assert_int_equal(status, VES_OK);
            break;
        }
    } while (true);
}

/* Created, changed by both, decided once. */
static void check(struct ves_agent *agent)
{
    uint64_t counts[4] = {0};
    struct ves_entity_row row;
    struct ves_arena arena;
    struct ves_entity_name name;
    char id[16];

    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    for (int i = 0; i < CONFLICTS; i++) {
        snprintf(id, sizeof(id), "O%d", i);
        ves_entity_name(ves_bytes_str("order"), ves_bytes_str(id), &name);
        assert_int_equal(agent->store->ops->entity_get(agent->store,
                                                       agent->core.stream_no,
                                                       &name, 1, &arena, &row),
                         VES_OK);
        assert_int_equal(row.count, 4);
        assert_int_equal(row.version, 3);
    }
    ves_arena_free(&arena);
    assert_int_equal(agent->store->ops->conflict_counts(
                         agent->store, agent->core.stream_no, counts),
                     VES_OK);
    assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3], 0);
}

static void decided_once(bool is_late)
{
    quarrel();
    struct ves_agent *both[] = {till, office};
    for (int i = 0; i < 2; i++)
        assert_int_equal(ves_agent_set(both[i], "conflictStrategy.order",
                                       "accept_local", &error),
                         VES_OK);
    decide(till, is_late);
    decide(office, is_late);
    sync_both();
    sync_both();
    check(till);
    check(office);
}

static void decided_once_though_calls_fail(void **state)
{
    (void)state;
    decided_once(false);
}

/* The call does its work and reports that it failed. */
static void decided_once_though_calls_seem_to_fail(void **state)
{
    (void)state;
    decided_once(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(decided_once_though_calls_fail),
        TEST(decided_once_though_calls_seem_to_fail),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("policy faults", tests, NULL, NULL);
}
