/* test_standing.c -- how a store stands is said again without looking, as long
 * as the file and what a probe showed are the same, and no longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "sim/rng.h"
#include "test/lib/test_ops.h"
#include "test/lib/test_shop.h"
#include "ves/sync.h"

enum { STEPS = 400, TEXT_MAX = 8192 };

static struct test_shop shop;
static struct ves_agent *till, *again; /* two handles of one file */
static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    test_shop_open(&shop);
    till = test_shop_store(&shop, "till.db", NULL);
    again = test_shop_again(&shop, "till.db", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_agent_close(till);
    ves_agent_close(again);
    test_shop_close(&shop);
    return 0;
}

static void standing(struct ves_agent *agent, char text[TEXT_MAX])
{
    struct ves_jw *jw = ves_jw_new(NULL, TEXT_MAX);

    assert_non_null(jw);
    assert_int_equal(ves_agent_standing(agent, jw, &error), VES_OK);
    struct ves_bytes view = ves_jw_view(jw);
    assert_in_range(view.len, 1, TEXT_MAX - 1);
    memcpy(text, view.ptr, view.len);
    text[view.len] = '\0';
    ves_jw_free(jw);
}

/* The same when all is looked at. */
static void assert_true_of_the_file(struct ves_agent *agent)
{
    char said[TEXT_MAX], looked[TEXT_MAX];

    standing(agent, said);
    agent->standing.is_there = false;
    standing(agent, looked);
    assert_string_equal(said, looked);
}

static size_t calls_of_a_look(void)
{
    char text[TEXT_MAX];

    test_ops_install(till->store);
    test_ops_arm(0, false, VES_OK);
    standing(till, text);
    size_t calls = test_ops()->calls;
    test_ops_remove(till->store);
    return calls;
}

static void nothing_happened(void **state)
{
    size_t first, second;

    (void)state;
    first = calls_of_a_look();
    second = calls_of_a_look();
    assert_true(first >= 10);
    assert_in_range(second, 1, 2);
}

static void append(struct ves_agent *agent)
{
    test_shop_append(agent, "inventory.adjusted", "S1", "{\"delta\":1}");
}

static void both_writers_are_seen(void **state)
{
    struct ves_agent *both[] = {till, again};
    char text[TEXT_MAX];

    (void)state;
    for (int i = 0; i < 6; i++) {
        char pending[32];
        append(both[i % 2]);
        snprintf(pending, sizeof(pending), "\"pending\":%d,", i + 1);
        standing(till, text);
        assert_non_null(strstr(text, pending));
    }
}

static void nothing_is_kept_of_what_is_rolled_back(void **state)
{
    char before[TEXT_MAX], within[TEXT_MAX], after[TEXT_MAX];

    (void)state;
    standing(till, before);
    assert_int_equal(ves_agent_begin(till, &error), VES_OK);
    append(till);
    standing(till, within);
    assert_string_not_equal(before, within);
    ves_agent_rollback(till);
    standing(till, after);
    assert_string_equal(before, after);
}

static void a_probe_is_told(void **state)
{
    const struct ves_contact contact = {
        .at_ms = 4000000000000, .is_reachable = true, .head = 7};
    char before[TEXT_MAX], after[TEXT_MAX];

    (void)state;
    standing(till, before);
    ves_agent_know(till, &contact);
    standing(till, after);
    assert_string_not_equal(before, after);
    assert_non_null(strstr(after, "\"remoteHead\":7"));
}

static void act(uint64_t *rng, struct ves_agent *agent)
{
    const struct ves_contact contact = {
        .at_ms = (int64_t)(4000000000000 + sim_below(rng, 3)),
        .is_reachable = sim_chance(rng, 500),
        .head = sim_below(rng, 9)};
    struct ves_ack_report ack;
    char text[TEXT_MAX];

    switch (sim_below(rng, 8)) {
    case 0:
        append(agent);
        break;
    case 1:
        (void)test_shop_push(&shop, agent);
        break;
    case 2:
        (void)test_shop_pull(&shop, agent);
        break;
    case 3:
        assert_int_equal(ves_acknowledge(agent, NULL, 0, &ack, &error), VES_OK);
        break;
    case 4:
        ves_agent_know(agent, &contact);
        break;
    case 5:
        assert_int_equal(ves_agent_begin(agent, &error), VES_OK);
        append(agent);
        standing(agent, text);
        if (sim_chance(rng, 500))
            assert_int_equal(ves_agent_commit(agent, &error), VES_OK);
        ves_agent_rollback(agent);
        break;
    default:
        break; /* nothing */
    }
}

static void always_what_the_file_says(void **state)
{
    struct ves_agent *both[] = {till, again};
    uint64_t rng = 1;

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        act(&rng, both[sim_below(&rng, 2)]);
        assert_true_of_the_file(both[sim_below(&rng, 2)]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_happened),
        TEST(both_writers_are_seen),
        TEST(nothing_is_kept_of_what_is_rolled_back),
        TEST(a_probe_is_told),
        TEST(always_what_the_file_says),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("standing", tests, NULL, NULL);
}
