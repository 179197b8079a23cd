/* test_sequencer_groups.c -- atomic groups, command ids, cost, failures. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "test/lib/test_desk.h"
#include "test/lib/test_ops.h"

static void test_group(void **state)
{
    (void)state;
    struct test_event plain = desk_event(20);
    struct ves_uuid command = test_id(77);

    desk_begin(0);
    desk_add_group(0, 1, 77, 3);
    desk_add_group(0, 4, 78, 1);
    desk_add(0, &plain);
    desk_push(0);
    assert_int_equal(desk.ingests[0].accepted, 5);

    desk_begin(1); /* again, and only a part of it */
    desk_add_group(1, 1, 77, 3);
    desk_push(1);
    assert_int_equal(desk.ingests[1].replayed, 3);
    desk_begin(2);
    struct test_event part = desk_member(2, 77, 1, 3);
    desk_add(2, &part);
    desk_push(2);
    assert_outcome(2, 0, VES_OUTCOME_REPLAYED);

    desk_begin(3); /* the same command with other events */
    desk_add_group(3, 11, 77, 2);
    struct test_event single = desk_event(13);
    single.fields.has_command_id = true;
    single.fields.command_id = command;
    desk_add(3, &single);
    desk_push(3);
    assert_refused(3, 0, VES_REFUSAL_DUPLICATE_COMMAND_ID);
    assert_int_equal(desk.ingests[3].refused, 3);
    assert_refused(3, 2, VES_REFUSAL_DUPLICATE_COMMAND_ID);
    assert_int_equal(desk_log()->count, 5);
}

static void test_group_incomplete(void **state)
{
    (void)state;
    struct test_event stranger = desk_event(50);
    struct test_event events[] = {
        desk_member(1, 70, 0, 3),
        desk_member(2, 70, 1, 3), /* 2 is missing */
        desk_member(3, 71, 0, 2),
        stranger,
        desk_member(4, 71, 1, 2), /* not together */
        desk_member(5, 72, 1, 2),
        desk_member(6, 72, 0, 2), /* not in order */
        desk_member(7, 73, 0, 2),
        desk_member(8, 73, 0, 2), /* twice */
        desk_member(9, 74, 0, 2),
        desk_member(10, 74, 1, 3), /* they do not agree */
        desk_member(11, 75, 0, 2),
        desk_member(12, 76, 1, 2), /* two commands */
        desk_member(13, 79, 0, 900),
    };
    size_t count = sizeof(events) / sizeof(events[0]);

    desk_begin(0);
    for (size_t i = 0; i < count; i++)
        desk_add(0, &events[i]);
    desk_push(0);
    for (size_t i = 0; i < count; i++) {
        if (i == 3)
            assert_outcome(0, i, VES_OUTCOME_ACCEPTED);
        else
            assert_refused(0, i, VES_REFUSAL_INCOMPLETE_GROUP);
    }
    assert_int_equal(desk_log()->count, 1);
}

/* One bad member takes the others with it, and leaves nothing behind: not a
 * number, not a version, not an id, not the command. */
static void test_group_undone(void **state)
{
    (void)state;

    for (uint32_t bad = 0; bad < 3; bad++) {
        desk_begin(bad);
        struct test_event before = desk_based(100 + bad, 2 * bad);
        desk_add(bad, &before);
        for (uint32_t k = 0; k < 3; k++) {
            struct test_event event = desk_member(10 + k, 70, k, 3);
            if (k == bad)
                event.fields.context.seen = 1000;
            desk_add(bad, &event);
        }
        struct test_event after = desk_based(200 + bad, 2 * bad + 1);
        desk_add(bad, &after);
        desk_push(bad);
        assert_outcome(bad, 0, VES_OUTCOME_ACCEPTED);
        for (uint32_t k = 0; k < 3; k++)
            assert_refused(bad, 1 + k,
                           k == bad ? VES_REFUSAL_SEEN_BEYOND_HEAD
                                    : VES_REFUSAL_INCOMPLETE_GROUP);
        assert_outcome(bad, 4, VES_OUTCOME_ACCEPTED);
        assert_int_equal(desk.ingests[bad].sequence_start, 2 * bad + 1);
        assert_int_equal(desk.ingests[bad].sequence_end, 2 * bad + 2);
        desk_log();
    }
    desk_begin(3); /* prepare's refusals count as well */
    for (uint32_t k = 0; k < 3; k++) {
        struct test_event event = desk_member(10 + k, 70, k, 3);
        event.has_bad_signature = k == 2;
        desk_add(3, &event);
    }
    desk_push(3);
    assert_refused(3, 0, VES_REFUSAL_INCOMPLETE_GROUP);
    assert_refused(3, 2, VES_REFUSAL_INVALID_SIGNATURE);
    desk_begin(4);
    desk_add_group(4, 10, 70, 3);
    desk_push(4);
    assert_int_equal(desk.ingests[4].accepted, 3);
    assert_int_equal(desk_log()->count, 9);
}

/* A refused group in a commit of several requests: ids and commands are free
 * for the next request. */
static void test_group_undone_within_commit(void **state)
{
    (void)state;

    desk_begin(0);
    for (uint32_t k = 0; k < 2; k++) {
        struct test_event event = desk_member(10 + k, 70, k, 2);
        event.fields.context.seen = k == 1 ? 1000 : 0;
        desk_add(0, &event);
    }
    desk_begin(1);
    desk_add_group(1, 10, 70, 2);
    desk_prepare(0);
    desk_prepare(1);
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, 2), VES_OK);
    assert_int_equal(desk.ingests[0].refused, 2);
    assert_int_equal(desk.ingests[1].accepted, 2);
    assert_int_equal(desk_log()->count, 2);
}

static void test_commands(void **state)
{
    (void)state;
    struct ves_uuid command = test_id(77);
    struct test_event refused = desk_event(1);

    desk_begin(0); /* a refused event does not use its command up */
    refused.has_bad_signature = true;
    refused.fields.has_command_id = true;
    refused.fields.command_id = command;
    desk_add(0, &refused);
    for (uint32_t n = 2; n < 4; n++) {
        struct test_event event = desk_event(n);
        event.fields.has_command_id = true;
        event.fields.command_id = command;
        desk_add(0, &event);
    }
    desk_push(0);
    assert_refused(0, 0, VES_REFUSAL_INVALID_SIGNATURE);
    assert_outcome(0, 1, VES_OUTCOME_ACCEPTED);
    assert_refused(0, 2, VES_REFUSAL_DUPLICATE_COMMAND_ID);
    struct test_event later = desk_event(4);
    later.fields.has_command_id = true;
    later.fields.command_id = command;
    desk_begin(1);
    desk_add(1, &later);
    desk_push(1);
    assert_refused(1, 0, VES_REFUSAL_DUPLICATE_COMMAND_ID);
}

/* ---- cost and failure ---------------------------------------------------- */

static enum ves_status take_verdict(void *ctx, const struct ves_log_row *row)
{
    uint32_t *verdict = ctx;
    *verdict = row->verdict;
    return VES_OK;
}

static uint32_t verdict_at(uint64_t sequence)
{
    uint32_t verdict = VES_VERDICT_NONE;

    assert_int_equal(
        desk.store->ops->log_read(desk.store, desk_stream().stream_no, sequence,
                                  1, take_verdict, &verdict),
        VES_OK);
    return verdict;
}

/* One commit that has to read more rows than it keeps, and wakes an event that
 * waits: neither keeps the other from being judged. */
static void test_waiting_beyond_what_is_kept(void **state)
{
    (void)state;
    struct ves_uuid missing = desk_event(900001).fields.event_id;
    struct test_event waits = desk_event(900000);

    test_event_context(&waits, 1, 0);
    waits.fields.entity_id = ves_bytes_str("B-1");
    waits.fields.context.deps = &missing;
    waits.fields.context.dep_count = 1;
    desk_begin(0);
    desk_add(0, &waits);
    desk_push(0);
    for (uint32_t k = 0; k < 9; k++) {
        desk_add_plain(0, 1 + 1000 * k, 1000);
        desk_push(0);
        assert_int_equal(desk.ingests[0].accepted, 1000);
    }

    struct test_event late = desk_event(900002), found = desk_event(900001);
    test_event_context(&late, 2, 0); /* knows none of the 9,000 */
    test_event_context(&found, 3, 0);
    found.fields.entity_id = ves_bytes_str("C-1");
    desk_begin(1);
    desk_add(1, &late);
    desk_add(1, &found);
    desk_push(1);
    assert_int_equal(desk.ingests[1].accepted, 2);
    assert_int_equal(verdict_at(1), VES_VERDICT_APPLIED);
    assert_int_equal(verdict_at(9002), VES_VERDICT_CONFLICT);
}

/* Memory that ends. */
struct purse {
    size_t held, max;
};

static void *lend(void *ctx, void *ptr, size_t size)
{
    const struct ves_alloc *real = ves_alloc_default();
    struct purse *purse = ctx;
    size_t before = ptr ? malloc_usable_size(ptr) : 0;

    if (size > before && purse->held + size - before > purse->max)
        return NULL;
    void *out = real->realloc(real->ctx, ptr, size);
    purse->held -= before;
    purse->held += out ? malloc_usable_size(out) : 0;
    return out;
}

/* A large payload: much to read, little that it does. */
static const char *long_list(char *out, size_t items)
{
    static const char head[] = "{\"patch\":{\"list\":[1", tail[] = "]}}";
    char *at = out + sizeof(head) - 1;

    memcpy(out, head, sizeof(head));
    for (size_t i = 1; i < items; i++, at += 2)
        memcpy(at, ",7", 2);
    memcpy(at, tail, sizeof(tail));
    return out;
}

/* What comes free together is judged one after the other, in the memory of
 * one. */
static void test_many_come_free_at_once(void **state)
{
    (void)state;
    enum { MANY = 24, ITEMS = 60000 };
    struct ves_uuid missing = desk_event(900001).fields.event_id;
    char *text = malloc(2 * ITEMS + 64);
    assert_non_null(text);

    for (uint32_t k = 0; k < MANY; k++) {
        struct test_event waits = desk_based(1000 + k, k / 2);
        test_event_context(&waits, 1 + k, 0);
        /* Every other one on one entity: later ones look at earlier ones. */
        waits.fields.entity_id = ves_bytes_str(k % 2 ? "B-1" : "B-2");
        waits.fields.context.deps = &missing;
        waits.fields.context.dep_count = 1;
        waits.payload = long_list(text, ITEMS);
        desk_begin(0);
        desk_add(0, &waits);
        desk_push(0);
        assert_int_equal(desk.ingests[0].accepted, 1);
        assert_int_equal(verdict_at(1 + k), VES_VERDICT_WAITING);
    }
    free(text);

    struct purse purse = {0, (size_t)48 << 20};
    const struct ves_alloc alloc = {lend, &purse};
    struct test_event found = desk_event(900001);
    test_event_context(&found, 1 + MANY, 0);
    found.fields.entity_id = ves_bytes_str("C-1");
    desk_begin(0);
    desk_add(0, &found);
    desk_prepare(0);
    desk.hub.sequencer.alloc = &alloc;
    test_ops_install(desk.store);
    desk_commit(1);
    /* Whoever makes a bucket's list long makes nobody wait while one writes. */
    assert_int_equal(test_ops()->nameless, 0);
    test_ops_remove(desk.store);
    desk.hub.sequencer.alloc = ves_alloc_default();
    assert_int_equal(purse.held, 0);
    assert_outcome(0, 0, VES_OUTCOME_ACCEPTED);
    for (uint32_t k = 0; k < MANY; k++)
        assert_int_equal(verdict_at(1 + k), VES_VERDICT_APPLIED);
}

static size_t calls_for(size_t count, uint32_t *next)
{
    for (size_t r = 0; r < count; r++) {
        desk_add_plain(r, *next, 4);
        *next += 4;
        desk_prepare(r);
    }
    /* An entity of its own for every commit: no jumps to read yet. */
    test_ops_install(desk.store);
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, count), VES_OK);
    size_t calls = test_ops()->calls;
    assert_int_equal(test_ops()->log_appends, 1);
    assert_int_equal(test_ops()->commits, 1);
    test_ops_remove(desk.store);
    return calls;
}

static void test_calls(void **state)
{
    (void)state;
    uint32_t next = 1;

    size_t one = calls_for(1, &next);
    for (size_t count = 2; count <= REQUESTS; count++) {
        size_t calls = calls_for(count, &next);
        /* At most one row read for the entity's chain. */
        assert_true(calls <= one + 1);
    }
    desk_log();
}

static void fill_mixed(void)
{
    desk_begin(0);
    for (uint32_t n = 1; n <= 3; n++) {
        struct test_event event = desk_based(n + 100, n + 1);
        desk_add(0, &event);
    }
    desk_add_group(0, 10, 70, 3);
    test_request_raw(&desk.requests[0], "{\"event_id\":1}");
    desk_begin(1);
    struct test_event replay = desk_event(2), bad = desk_event(30),
                      fresh = desk_event(31);
    bad.has_bad_hash = true;
    fresh.fields.entity_id = ves_bytes_str("B-2");
    desk_add(1, &replay);
    desk_add(1, &bad);
    desk_add(1, &fresh);
    desk_prepare(0);
    desk_prepare(1);
}

static void check_mixed(bool is_late)
{
    assert_int_equal(desk.ingests[0].refused, 1);
    assert_int_equal(desk.ingests[1].refused, 1);
    assert_int_equal(desk.ingests[0].accepted, is_late ? 0 : 6);
    assert_int_equal(desk.ingests[0].replayed, is_late ? 6 : 0);
    assert_int_equal(desk.ingests[1].accepted, is_late ? 0 : 1);
    assert_int_equal(desk.ingests[1].replayed, is_late ? 2 : 1);
    assert_int_equal(sequence_of(0, 0), 3);
    assert_int_equal(sequence_of(1, 2), 9);
    assert_int_equal(desk_log()->count, 9);
    assert_int_equal(desk_count_refusals(), is_late ? 4 : 2);
}

/* Events that say as much as an event may: memory for a commit is bounded, and
 * still what was written without knowing them gets its verdict. */
static void test_large_effects(void **state)
{
    (void)state;
    enum { EVENTS = 240, FIELDS = 250, NAME = 900 };
    struct ves_buf payload;

    ves_buf_init(&payload, ves_alloc_default(), 1024 * 1024);
    ves_buf_put_str(&payload, "{\"patch\":{");
    for (int i = 0; i < FIELDS; i++)
        ves_buf_putf(&payload, "%s\"%0*d\":1", i > 0 ? "," : "", NAME, i);
    ves_buf_put_str(&payload, "}}");
    ves_buf_put_u8(&payload, 0);
    assert_int_equal(ves_buf_status(&payload), VES_OK);
    for (uint32_t n = 1; n <= EVENTS; n++) {
        struct test_event event = desk_event(n);
        test_event_context(&event, n, n - 1);
        event.payload = (const char *)payload.ptr;
        event.fields.has_base_version = true;
        event.fields.base_version = n - 1;
        desk_begin(0);
        desk_add(0, &event);
        desk_push(0);
        assert_int_equal(verdict_at(n), VES_VERDICT_APPLIED);
    }
    struct test_event late = desk_event(1000);
    test_event_context(&late, EVENTS + 1, 0);
    desk_begin(0);
    desk_add(0, &late);
    desk_push(0);
    assert_outcome(0, 0, VES_OUTCOME_ACCEPTED);
    ves_buf_free(&payload);
}

/* Makes the n-th call fail; false when the commit has fewer calls. */
static bool fail_once(size_t n, bool is_late, enum ves_status failure)
{
    void *state = NULL;
    uint64_t head;

    assert_int_equal(desk_set_up(&state), 0);
    desk_add_plain(0, 1, 2);
    desk_push(0);
    fill_mixed();
    head = desk_stream().head;
    test_ops_install(desk.store);
    test_ops_arm(n, is_late, failure);
    enum ves_status status = test_hub_commit(&desk.hub, desk.group, 2);
    bool is_committed = status != VES_OK && test_ops()->commits > 0 && is_late;
    bool is_failed = status != VES_OK;
    test_ops_remove(desk.store);
    if (is_failed) {
        assert_int_equal(status, failure);
        for (size_t r = 0; r < 2; r++) {
            assert_int_equal(desk.ingests[r].accepted, 0);
            for (size_t i = 0; i < desk.ingests[r].count; i++)
                assert_outcome(r, i, VES_OUTCOME_NONE);
        }
        if (!is_committed)
            assert_int_equal(desk_stream().head, head);
        assert_int_equal(test_hub_commit(&desk.hub, desk.group, 2), VES_OK);
    }
    check_mixed(is_committed);
    desk_tear_down(&state);
    return is_failed;
}

static void test_failures(void **state)
{
    (void)state;
    const enum ves_status failures[] = {VES_IO, VES_BUSY, VES_NOMEM};

    for (size_t k = 0; k < 6; k++) {
        size_t n = 1;
        while (fail_once(n, k >= 3, failures[k % 3]))
            n++;
        assert_true(n > 10);
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_group),
        TEST(test_group_incomplete),
        TEST(test_group_undone),
        TEST(test_group_undone_within_commit),
        TEST(test_commands),
        TEST(test_calls),
        TEST(test_waiting_beyond_what_is_kept),
        TEST(test_many_come_free_at_once),
        TEST(test_large_effects),
        cmocka_unit_test(test_failures),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sequencer_groups", tests, NULL, NULL);
}
