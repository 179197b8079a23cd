/* test_agent_conflicts.c -- conflicts as a store and its sequencer keep them:
 * own rows, the local view, advice, groups, pruning, judging again.
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
#include "core/entity.h"
#include "core/judge.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_ops.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct test_fleet fleet;

static int set_up(void **state)
{
    (void)state;
    test_fleet_open(&fleet, 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_fleet_close(&fleet);
    return 0;
}

/* ---- looking ------------------------------------------------------------- */

static struct ves_uuid edit(size_t n, const char *id, const char *patch)
{
    char payload[256];
    snprintf(payload, sizeof(payload), "{\"patch\":%s}", patch);
    return test_fleet_append(&fleet, n, "customer.updated", id, payload);
}

static void pull(size_t n, uint32_t limit)
{
    struct ves_pull_result result = {0};
    enum ves_status status = test_fleet_pull(&fleet, n, limit, &result);
    if (status)
        fail_msg("%s: %s", ves_status_name(status),
                 fleet.devices[n].core.error.text);
}

static void push(size_t n)
{
    assert_int_equal(test_fleet_push(&fleet, n, NULL), VES_OK);
}

static enum ves_status take_conflict(void *ctx,
                                     const struct ves_conflict_row *row)
{
    struct ves_conflict_row *out = ctx;
    *out = *row;
    return VES_OK;
}

static uint64_t count_open(struct ves_store *store)
{
    uint64_t counts[VES_CONFLICT_KINDS];
    assert_int_equal(store->ops->conflict_counts(store, 1, counts), VES_OK);
    return counts[1] + counts[2] + counts[3];
}

/* The only one. */
static struct ves_conflict_row only_conflict(struct ves_store *store)
{
    const struct ves_conflict_filter all = {.after = 0};
    struct ves_conflict_row row = {.opened = 0};

    assert_int_equal(
        store->ops->conflict_list(store, 1, &all, take_conflict, &row), VES_OK);
    assert_int_equal(count_open(store), 1);
    row.sub_code = ves_bytes(NULL, 0);
    return row;
}

struct verdicts {
    uint32_t list[64];
    size_t count;
};

static enum ves_status take_verdict(void *ctx, const struct ves_log_row *row)
{
    struct verdicts *verdicts = ctx;
    verdicts->list[verdicts->count++] = row->verdict;
    return VES_OK;
}

static struct verdicts verdicts_of(struct ves_store *store)
{
    struct verdicts verdicts = {{0}, 0};
    assert_int_equal(
        store->ops->log_read(store, 1, 1, 0, take_verdict, &verdicts), VES_OK);
    return verdicts;
}

static const char *member(size_t n, const char *id, const char *name,
                          bool is_local)
{
    return test_fleet_member(&fleet, n, "customer", id, name, is_local);
}

/* Customer C with field a, known to devices 0 and 1. */
static void begin(void)
{
    test_fleet_append(&fleet, 0, "customer.created", "C",
                      "{\"name\":\"n\",\"a\":\"0\"}");
    test_fleet_sync(&fleet, 0);
    test_fleet_sync(&fleet, 1);
}

/* ---- one conflict -------------------------------------------------------- */

static void two_edits_are_one_conflict_everywhere(void **state)
{
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    struct ves_uuid second = edit(1, "C", "{\"a\":\"second\"}");
    assert_string_equal(member(1, "C", "a", true), "second");
    push(0);
    push(1);
    for (size_t n = 0; n < 3; n++)
        test_fleet_sync(&fleet, n);

    struct ves_conflict_row want = only_conflict(fleet.hub_store);
    assert_int_equal(want.opened, 3);
    assert_int_equal(want.kind, VES_CONFLICT_CONCURRENT_EDIT);
    assert_int_equal(want.branch_count, 1);
    for (size_t n = 0; n < 3; n++) {
        struct ves_conflict_row got = only_conflict(fleet.devices[n].store);
        assert_memory_equal(&got, &want, sizeof(got));
        /* The branch moved nothing. */
        assert_string_equal(member(n, "C", "a", false), "first");
        assert_string_equal(member(n, "C", "a", true), "first");
        assert_int_equal(test_fleet_trail(&fleet, n, "conflict_opened"), 1);
    }
    struct ves_outbox_row row = test_fleet_row(&fleet, 1, &second);
    assert_int_equal(row.status, VES_OUTBOX_CONFLICT);
    assert_int_equal(row.verdict, VES_VERDICT_CONFLICT);
    assert_true(row.has_receipt && !row.is_in_overlay);
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_CONFLICT],
                     1);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_CONFLICT],
                     0);
}

static void a_conflict_cannot_be_acknowledged_away(void **state)
{
    struct ves_ack_result result = {0};
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    struct ves_uuid second = edit(1, "C", "{\"a\":\"second\"}");
    push(0);
    test_fleet_sync(&fleet, 1);
    assert_int_equal(ves_core_acknowledge(&fleet.devices[1].core, &second, 1,
                                          fleet.hub.now_ms, &result),
                     VES_OK);
    assert_int_equal(result.acknowledged, 0);
    assert_int_equal(result.not_acknowledged, 1);
    assert_non_null(strstr(result.problems[0].reason, "conflict"));
    assert_int_equal(test_fleet_row(&fleet, 1, &second).status,
                     VES_OUTBOX_CONFLICT);
}

static void different_fields_are_none(void **state)
{
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    edit(1, "C", "{\"b\":\"second\"}");
    push(0);
    push(1);
    for (size_t n = 0; n < 3; n++) {
        test_fleet_sync(&fleet, n);
        assert_int_equal(count_open(fleet.devices[n].store), 0);
        assert_string_equal(member(n, "C", "a", false), "first");
        assert_string_equal(member(n, "C", "b", false), "second");
    }
}

/* What an author goes on to write on top of a lost event joins it. */
static void the_branch_grows(void **state)
{
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    push(0);
    edit(1, "C", "{\"a\":\"second\"}");
    edit(1, "C", "{\"b\":\"third\"}");
    assert_string_equal(member(1, "C", "b", true), "third");
    test_fleet_sync(&fleet, 1);
    struct ves_conflict_row row = only_conflict(fleet.devices[1].store);
    assert_int_equal(row.branch_count, 2);
    assert_string_equal(member(1, "C", "b", true), "");
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_CONFLICT],
                     2);
    /* And what it writes after it knows is on the head again. */
    edit(1, "C", "{\"b\":\"fourth\"}");
    test_fleet_sync(&fleet, 1);
    assert_string_equal(member(1, "C", "b", false), "fourth");
    assert_int_equal(only_conflict(fleet.devices[1].store).branch_count, 2);
}

static void an_edit_of_the_deleted_is_a_conflict(void **state)
{
    (void)state;
    begin();
    test_fleet_append(&fleet, 0, "customer.deleted", "C", "{}");
    push(0);
    edit(1, "C", "{\"a\":\"second\"}");
    for (size_t n = 0; n < 3; n++) {
        test_fleet_sync(&fleet, n);
        if (n == 0)
            continue;
        struct ves_conflict_row row = only_conflict(fleet.devices[n].store);
        assert_int_equal(row.kind, VES_CONFLICT_DELETED_REFERENCE);
    }
}

/* ---- advice -------------------------------------------------------------- */

static void advice_comes_before_the_verdict(void **state)
{
    (void)state;
    begin();
    struct ves_uuid lost = edit(1, "C", "{\"a\":\"second\"}");
    struct ves_uuid other = test_fleet_append(&fleet, 1, "customer.created",
                                              "D", "{\"name\":\"d\"}");
    edit(0, "C", "{\"a\":\"first\"}");
    push(0);
    pull(1, 0);
    struct ves_outbox_row row = test_fleet_row(&fleet, 1, &lost);
    assert_true(row.is_likely_conflict);
    assert_int_equal(row.status, VES_OUTBOX_PENDING);
    assert_int_equal(count_open(fleet.devices[1].store), 0);
    assert_false(test_fleet_row(&fleet, 1, &other).is_likely_conflict);
    test_fleet_sync(&fleet, 1);
    row = test_fleet_row(&fleet, 1, &lost);
    assert_false(row.is_likely_conflict);
    assert_int_equal(row.status, VES_OUTBOX_CONFLICT);
}

static void advice_is_not_given_where_changes_commute(void **state)
{
    (void)state;
    begin();
    struct ves_uuid mine = edit(1, "C", "{\"b\":\"second\"}");
    edit(0, "C", "{\"a\":\"first\"}");
    push(0);
    pull(1, 0);
    assert_false(test_fleet_row(&fleet, 1, &mine).is_likely_conflict);
    assert_string_equal(member(1, "C", "a", true), "first");
    assert_string_equal(member(1, "C", "b", true), "second");
}

/* ---- groups -------------------------------------------------------------- */

static void append_group(size_t n, uint32_t number, const char *const *ids,
                         uint32_t count)
{
    struct ves_agent_core *core = &fleet.devices[n].core;

    for (uint32_t i = 0; i < count; i++) {
        struct ves_core_env env = test_fleet_env(&fleet);
        char payload[64];
        struct ves_uuid id;
        snprintf(payload, sizeof(payload), "{\"patch\":{\"a\":\"g%u\"}}",
                 (unsigned)i);
        const struct ves_core_append what = {
            .event_type = ves_bytes_str("customer.updated"),
            .entity_id = ves_bytes_str(ids[i]),
            .payload = ves_bytes_str(payload),
            .has_command_id = true,
            .command_id = test_id(number),
            .cmd_index = i,
            .cmd_count = count};
        assert_int_equal(ves_core_append(core, &env, &what, &id), VES_OK);
    }
}

static enum ves_status check_told(void *ctx, const struct ves_outbox_row *row)
{
    size_t *count = ctx;

    assert_true(row->has_verdict);
    assert_int_equal(row->verdict, VES_VERDICT_APPLIED);
    ++*count;
    return VES_OK;
}

static size_t count_told(size_t n)
{
    const struct ves_outbox_filter all = {.status_mask = 0};
    struct ves_store *store = fleet.devices[n].store;
    size_t count = 0;

    assert_int_equal(store->ops->outbox_list(store, &all, check_told, &count),
                     VES_OK);
    return count;
}

/* One member collides, and none of them takes effect. */
static void a_group_stands_or_falls(void **state)
{
    static const char *const ids[] = {"D", "C", "E", "F", "G"};
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    push(0);
    append_group(1, 1, ids, 5);
    for (size_t n = 0; n < 3; n++) {
        test_fleet_sync(&fleet, n == 0 ? 1 : n == 1 ? 0 : 2);
    }
    for (size_t n = 0; n < 3; n++) {
        assert_int_equal(only_conflict(fleet.devices[n].store).branch_count, 5);
        assert_string_equal(member(n, "D", "a", true), "");
        assert_string_equal(member(n, "C", "a", true), "first");
    }
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_CONFLICT],
                     5);
}

/* What the answer to a push said of own events stands while the log, cut off
 * inside their group, has no verdict of them yet. */
static void a_group_cut_off_keeps_the_verdicts_it_was_told(void **state)
{
    static const char *const ids[] = {"D", "E", "F"};
    struct ves_agent_core *core = &fleet.devices[1].core;
    (void)state;
    begin();
    append_group(1, 1, ids, 3);
    push(1);
    assert_int_equal(count_told(1), 3);
    pull(1, 2); /* two of the three */
    assert_int_equal(verdicts_of(core->store).list[2], VES_VERDICT_NONE);
    assert_int_equal(count_told(1), 3);
    assert_int_equal(ves_core_refold(core), VES_OK);
    assert_int_equal(count_told(1), 3);
}

/* Where pages end changes nothing: the whole group is judged at its end. */
static void a_group_longer_than_a_page_is_judged_whole(void **state)
{
    static const char *const ids[] = {"D", "C", "E", "F", "G"};
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    push(0);
    append_group(1, 1, ids, 5);
    edit(1, "C", "{\"a\":\"later\"}");
    push(1);
    test_fleet_sync(&fleet, 0);
    pull(2, 2);
    for (int i = 0; i < 2; i++) {
        pull(2, 2);
        struct verdicts part = verdicts_of(fleet.devices[2].store);
        assert_true(part.count > 2 && part.count < 7);
        for (size_t k = 2; k < part.count; k++)
            assert_int_equal(part.list[k], VES_VERDICT_NONE);
        assert_string_equal(member(2, "D", "a", false), "");
    }
    for (int i = 0; i < 3; i++)
        pull(2, 2);
    struct verdicts want = verdicts_of(fleet.hub_store);
    struct verdicts got = verdicts_of(fleet.devices[2].store);
    assert_int_equal(want.count, 8);
    assert_memory_equal(&want, &got, sizeof(want));
    assert_int_equal(got.list[2], VES_VERDICT_CONFLICT);
    struct ves_conflict_row a = only_conflict(fleet.devices[2].store);
    struct ves_conflict_row b = only_conflict(fleet.devices[0].store);
    assert_memory_equal(&a, &b, sizeof(a));

    struct ves_hash one, two;
    assert_int_equal(ves_core_state_hash(&fleet.devices[0].core, &one), VES_OK);
    assert_int_equal(ves_core_state_hash(&fleet.devices[2].core, &two), VES_OK);
    assert_true(ves_hash_equal(&one, &two));
    /* A store that ends inside a group folds to where it was. */
    assert_int_equal(ves_core_refold(&fleet.devices[2].core), VES_OK);
    got = verdicts_of(fleet.devices[2].store);
    assert_memory_equal(&want, &got, sizeof(want));
}

static void a_group_cut_off_survives_a_refold(void **state)
{
    static const char *const ids[] = {"D", "E", "F", "G", "H"};
    (void)state;
    begin();
    append_group(1, 1, ids, 5);
    push(1);
    test_fleet_sync(&fleet, 0);
    pull(2, 1);
    pull(2, 3);
    struct verdicts part = verdicts_of(fleet.devices[2].store);
    assert_int_equal(part.list[part.count - 1], VES_VERDICT_NONE);
    assert_int_equal(ves_core_refold(&fleet.devices[2].core), VES_OK);
    struct verdicts again = verdicts_of(fleet.devices[2].store);
    assert_memory_equal(&part, &again, sizeof(part));
    test_fleet_sync(&fleet, 2);
    struct verdicts want = verdicts_of(fleet.hub_store);
    again = verdicts_of(fleet.devices[2].store);
    assert_memory_equal(&want, &again, sizeof(want));
    assert_string_equal(member(2, "H", "a", false), "g4");
}

/* ---- costs --------------------------------------------------------------- */

static size_t calls_for_page(uint32_t count)
{
    struct ves_store *store = fleet.devices[2].store;

    for (uint32_t i = 0; i < count; i++) {
        char id[32];
        static uint32_t n;
        snprintf(id, sizeof(id), "X%u", (unsigned)n++);
        test_fleet_append(&fleet, 0, "customer.created", id,
                          "{\"name\":\"x\"}");
    }
    test_fleet_sync(&fleet, 0);
    test_ops_install(store);
    test_ops_arm(0, false, VES_IO);
    pull(2, 0);
    size_t calls = test_ops()->calls;
    test_ops_remove(store);
    return calls;
}

/* What nobody else touched costs a page nothing each. */
static void a_page_costs_the_same_however_long(void **state)
{
    (void)state;
    begin();
    test_fleet_sync(&fleet, 2);
    size_t one = calls_for_page(1);
    assert_int_equal(calls_for_page(40), one);
    assert_int_equal(calls_for_page(300), one);
}

/* ---- pruning ------------------------------------------------------------- */

static uint64_t prune(size_t n, uint64_t below)
{
    struct ves_agent_core *core = &fleet.devices[n].core;
    uint64_t count;

    assert_int_equal(core->store->ops->begin(core->store), VES_OK);
    assert_int_equal(ves_core_prune(core, 1, &below, &count), VES_OK);
    assert_int_equal(core->store->ops->commit(core->store), VES_OK);
    return below;
}

static void pruned_events_are_still_judged_by(void **state)
{
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    edit(0, "C", "{\"b\":\"first\"}");
    push(0);
    edit(1, "C", "{\"a\":\"second\"}");
    test_fleet_sync(&fleet, 2);
    assert_int_equal(prune(2, 4), 4);
    push(1);
    test_fleet_sync(&fleet, 2);
    test_fleet_sync(&fleet, 0);
    struct ves_conflict_row a = only_conflict(fleet.devices[2].store);
    struct ves_conflict_row b = only_conflict(fleet.devices[0].store);
    assert_memory_equal(&a, &b, sizeof(a));
    /* Its body stays, and so does what it collided with from now on. */
    assert_int_equal(prune(0, 100), 2);
}

/* ---- the sequencer judges again ------------------------------------------ */

static enum ves_status spoil(void *ctx, const struct ves_log_row *row)
{
    struct ves_log_row *rows = ctx;
    rows[row->sequence_number - 1] = *row;
    rows[row->sequence_number - 1].verdict = VES_VERDICT_APPLIED;
    rows[row->sequence_number - 1].has_conflict_id = false;
    rows[row->sequence_number - 1].sub_code = ves_bytes(NULL, 0);
    rows[row->sequence_number - 1].note = ves_bytes(NULL, 0);
    return VES_OK;
}

static void a_sequencer_judges_an_old_log_again(void **state)
{
    struct ves_store *store = fleet.hub_store;
    struct ves_log_row rows[8];
    (void)state;
    begin();
    edit(0, "C", "{\"a\":\"first\"}");
    push(0);
    edit(1, "C", "{\"a\":\"second\"}");
    push(1);
    struct ves_conflict_row want = only_conflict(store);
    struct verdicts before = verdicts_of(store);
    /* As a program that judged nothing left it. */
    assert_int_equal(store->ops->log_read(store, 1, 1, 0, spoil, rows), VES_OK);
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->verdict_reset(store, 1), VES_OK);
    assert_int_equal(store->ops->log_judge(store, 1, rows, before.count),
                     VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    assert_int_equal(ves_sequencer_upgrade(&fleet.hub.sequencer), VES_OK);
    struct verdicts after = verdicts_of(store);
    assert_memory_equal(&before, &after, sizeof(before));
    struct ves_conflict_row got = only_conflict(store);
    assert_memory_equal(&got, &want, sizeof(got));
    /* Once is enough: its version is read, and that the tree is there. */
    test_ops_install(store);
    test_ops_arm(0, false, VES_IO);
    assert_int_equal(ves_sequencer_upgrade(&fleet.hub.sequencer), VES_OK);
    assert_int_equal(test_ops()->calls, 3);
    test_ops_remove(store);
    /* And it goes on from there. */
    edit(0, "C", "{\"b\":\"third\"}");
    test_fleet_sync(&fleet, 0);
    assert_string_equal(member(0, "C", "b", false), "third");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_edits_are_one_conflict_everywhere),
        TEST(a_conflict_cannot_be_acknowledged_away),
        TEST(different_fields_are_none),
        TEST(the_branch_grows),
        TEST(an_edit_of_the_deleted_is_a_conflict),
        TEST(advice_comes_before_the_verdict),
        TEST(advice_is_not_given_where_changes_commute),
        TEST(a_group_stands_or_falls),
        TEST(a_group_cut_off_keeps_the_verdicts_it_was_told),
        TEST(a_group_longer_than_a_page_is_judged_whole),
        TEST(a_group_cut_off_survives_a_refold),
        TEST(a_page_costs_the_same_however_long),
        TEST(pruned_events_are_still_judged_by),
        TEST(a_sequencer_judges_an_old_log_again),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("conflicts", tests, NULL, NULL);
}
