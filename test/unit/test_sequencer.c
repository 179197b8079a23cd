/* test_sequencer.c -- commits: places, receipts, replays, versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "test/lib/test_desk.h"

static void test_accepts(void **state)
{
    (void)state;
    struct test_event event = desk_event(1);
    struct ves_hash hash, receipt_hash;
    struct ves_buf envelope;

    test_event_context(&event, 1, 0);
    event.fields.has_base_version = true;
    desk_begin(0);
    desk_add(0, &event);
    desk_push(0);
    ves_buf_init(&envelope, ves_alloc_default(), 1 << 20);
    test_event_write(&envelope, &event, &desk.hub.agent_key, &hash);

    assert_outcome(0, 0, VES_OUTCOME_ACCEPTED);
    const struct ves_receipt *receipt = &desk.ingests[0].events[0].receipt;
    assert_int_equal(receipt->sequence_number, 1);
    assert_true(ves_uuid_equal(&receipt->event_id, &event.fields.event_id));
    assert_true(ves_uuid_equal(&receipt->sequencer_id,
                               &desk.hub.sequencer.sequencer_id));
    assert_int_equal(receipt->sequenced_at_ms, desk.hub.now_ms);
    assert_int_equal(receipt->key_version, 1);
    ves_receipt_hash(&desk.hub.stream, &event.fields.event_id, 1, &hash,
                     &receipt_hash);
    assert_true(ves_hash_equal(&receipt_hash, &receipt->receipt_hash));
    assert_true(test_verify(&desk.hub.key.signer.public_key, &receipt_hash,
                            &receipt->signature));
    assert_int_equal(desk.ingests[0].events[0].judgement.verdict,
                     VES_VERDICT_APPLIED);

    const struct ves_log_row *row = &desk_log()->rows[0];
    assert_true(ves_hash_equal(&row->event_hash, &hash));
    assert_int_equal(row->agent_seq, 1);
    assert_int_equal(row->verdict, VES_VERDICT_APPLIED);
    assert_int_equal(row->applied_at, 1);
    assert_int_equal(row->version, 1);

    const struct ves_entity_name name = {.key = row->entity_key};
    struct ves_entity_row entity;
    struct ves_arena arena;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    assert_int_equal(desk.store->ops->entity_get(desk.store,
                                                 desk_stream().stream_no, &name,
                                                 1, &arena, &entity),
                     VES_OK);
    assert_true(entity.is_found);
    assert_true(ves_bytes_is(entity.entity_type, "order"));
    assert_true(ves_bytes_is(entity.entity_id, "A-1"));
    assert_int_equal(entity.version, 1);
    assert_int_equal(entity.head_applied_at, 1);
    assert_true(ves_hash_equal(&entity.head, &hash));
    ves_arena_free(&arena);
    ves_buf_free(&envelope);
}

static enum ves_status check_envelope(void *ctx, const struct ves_log_row *row)
{
    struct ves_arena *arena = ctx;
    struct ves_event event;
    struct ves_refusal refusal;
    struct ves_buf text;

    ves_buf_init(&text, ves_alloc_default(), 1 << 20);
    ves_buf_put_bytes(&text, row->envelope);
    ves_buf_put_u8(&text, '}');
    assert_int_equal(
        ves_event_read(arena, ves_buf_view(&text), &event, &refusal), VES_OK);
    assert_int_equal(ves_event_check(arena, &event, &refusal), VES_OK);
    assert_true(ves_hash_equal(&event.event_hash, &row->event_hash));
    assert_true(test_verify(&desk.hub.agent_key.signer.public_key,
                            &event.event_hash, &event.signature));
    ves_buf_free(&text);
    return VES_OK;
}

/* What is stored is the event, whatever its spelling was. */
static void test_keeps_envelope(void **state)
{
    (void)state;
    struct test_event plain = desk_event(1), loud = desk_event(2);
    struct ves_arena arena;

    test_event_context(&plain, 3, 0);
    loud.is_upper_case = true;
    loud.extra = ",\"kernel\":{\"a\":[1,2]},\"sequence_number\":null";
    loud.payload = "{ \"z\":1.0e2, \"a\":\"\\u0041\\n\" }";
    desk_begin(0);
    desk_add(0, &plain);
    desk_add(0, &loud);
    desk_push(0);
    assert_int_equal(desk.ingests[0].accepted, 2);
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    assert_int_equal(desk.store->ops->log_read(desk.store,
                                               desk_stream().stream_no, 1, 0,
                                               check_envelope, &arena),
                     VES_OK);
    ves_arena_free(&arena);
}

/* S2: refused ones in between leave no holes. */
static void test_contiguous(void **state)
{
    (void)state;

    for (size_t r = 0; r < 3; r++) {
        desk_begin(r);
        for (uint32_t i = 0; i < 5; i++) {
            struct test_event event = desk_event((uint32_t)r * 10 + i + 1);
            event.has_bad_signature = i == 2;
            desk_add(r, &event);
        }
        desk_prepare(r);
    }
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, 3), VES_OK);
    for (size_t r = 0; r < 3; r++) {
        assert_int_equal(desk.ingests[r].accepted, 4);
        assert_int_equal(desk.ingests[r].refused, 1);
        assert_int_equal(desk.ingests[r].sequence_start, 4 * r + 1);
        assert_int_equal(desk.ingests[r].sequence_end, 4 * r + 4);
        assert_int_equal(desk.ingests[r].head, 12);
        assert_int_equal(sequence_of(r, 3), 4 * r + 3);
    }
    desk_log();
    assert_int_equal(desk_count_refusals(), 3);
}

/* One batch of signatures for a whole commit (design.md D16). */
static void test_signs_at_once(void **state)
{
    (void)state;

    desk_add_plain(0, 1, 10);
    test_request_raw(&desk.requests[0], "{}");
    desk_add_plain(1, 11, 10);
    desk_prepare(0);
    desk_prepare(1);
    size_t verified = desk.hub.verifier.calls;
    assert_int_equal(verified, 2);
    assert_int_equal(desk.hub.verifier.items, 20);
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, 2), VES_OK);
    assert_int_equal(desk.hub.key.calls, 1);
    assert_int_equal(desk.hub.key.items, 21);
    assert_int_equal(desk.hub.verifier.calls, verified);
}

static void test_streams(void **state)
{
    (void)state;
    struct ves_stream first = desk.hub.stream;
    struct ves_stream other = {first.tenant, test_id(0xee)};

    desk_add_plain(0, 1, 3);
    desk_prepare(0);
    desk.hub.stream = other;
    desk.hub.caller.store = other.store;
    desk_add_plain(1, 1, 2); /* ids are unique in a stream, not in the world */
    desk_prepare(1);
    desk.hub.stream = first;
    desk.hub.caller.store = first.store;
    desk_add_plain(2, 4, 3);
    desk_prepare(2);
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, 3), VES_OK);
    assert_int_equal(desk.ingests[0].sequence_end, 3);
    assert_int_equal(desk.ingests[2].sequence_start, 4);
    assert_int_equal(desk.ingests[1].sequence_start, 1);
    assert_int_equal(desk.ingests[1].head, 2);
    assert_int_equal(desk_log()->count, 6);
    desk.hub.stream = other;
    assert_int_equal(desk_log()->count, 2);
}

/* ---- replays ------------------------------------------------------------- */

/* The answer from its receipts on. */
static struct ves_bytes receipts_of(size_t r, struct ves_buf *out)
{
    ves_buf_init(out, ves_alloc_default(), 1 << 24);
    assert_int_equal(ves_ingest_answer(&desk.ingests[r], &desk.hub.sequencer,
                                       VES_DIALECT_RUST, out),
                     VES_OK);
    ves_buf_put_u8(out, 0);
    const char *at = strstr((const char *)out->ptr, "\"receipts\":");
    assert_non_null(at);
    return ves_bytes_str(at);
}

static void test_replays(void **state)
{
    (void)state;
    struct ves_buf first, second;
    struct test_event loud;

    desk_add_plain(0, 1, 4);
    desk_push(0);
    desk.hub.now_ms += 5000;
    desk_add_plain(1, 1, 4);
    desk_push(1);
    assert_int_equal(desk.ingests[1].replayed, 4);
    assert_int_equal(desk.ingests[1].accepted, 0);
    assert_int_equal(desk.ingests[1].sequence_start, 0);
    assert_int_equal(desk_log()->count, 4);

    struct ves_bytes a = receipts_of(0, &first);
    struct ves_bytes b = receipts_of(1, &second);
    assert_true(a.len > 4 * 400);
    assert_true(ves_bytes_equal(a, b));
    ves_buf_free(&first);
    ves_buf_free(&second);

    loud = desk_event(3);
    loud.is_upper_case = true;
    loud.payload = " {\"note\" : \"\\u006e\"} ";
    desk_begin(2);
    desk_add(2, &loud);
    desk_push(2);
    assert_outcome(2, 0, VES_OUTCOME_REPLAYED);
    assert_int_equal(sequence_of(2, 0), 3);
}

/* A receipt that was given is given again, whatever became of the key. */
static void test_replays_after_revocation(void **state)
{
    (void)state;
    struct test_event late = desk_event(9);

    desk_add_plain(0, 1, 2);
    desk_push(0);
    assert_int_equal(ves_sequencer_revoke_key(
                         &desk.hub.sequencer, &desk.hub.stream.tenant,
                         &desk.hub.agent, 1, desk.hub.now_ms, NULL, NULL),
                     VES_OK);
    desk.hub.sequencer.require_v2 = true;
    desk_add_plain(1, 1, 2);
    desk_add(1, &late);
    desk_push(1);
    assert_outcome(1, 0, VES_OUTCOME_REPLAYED);
    assert_outcome(1, 1, VES_OUTCOME_REPLAYED);
    assert_refused(1, 2, VES_REFUSAL_KEY_REVOKED);
    desk.hub.keys.count = 0; /* and even when prepare cannot find it */
    desk_add_plain(2, 1, 2);
    desk_push(2);
    assert_int_equal(desk.ingests[2].replayed, 2);
}

/* Several requests of one commit ask again, out of order and with gaps. */
static void test_replays_scattered(void **state)
{
    (void)state;
    static const uint32_t asked[3][4] = {
        {7, 1, 3, 2}, {3, 7, 9, 1}, {2, 10, 4, 7}};

    desk_add_plain(3, 1, 10);
    desk_push(3);
    for (size_t r = 0; r < 3; r++) {
        desk_begin(r);
        for (size_t i = 0; i < 4; i++) {
            struct test_event event = desk_event(asked[r][i]);
            desk_add(r, &event);
        }
        desk_prepare(r);
    }
    desk_commit(3);
    for (size_t r = 0; r < 3; r++) {
        for (size_t i = 0; i < 4; i++) {
            assert_outcome(r, i, VES_OUTCOME_REPLAYED);
            assert_memory_equal(
                &desk.ingests[r].events[i].receipt,
                &desk.ingests[3].events[asked[r][i] - 1].receipt,
                sizeof(struct ves_receipt));
        }
    }
}

/* Two requests of one commit with the same events: a client that was too
 * impatient. */
static void test_replays_within_commit(void **state)
{
    (void)state;
    struct test_event changed = desk_event(2);

    desk_add_plain(0, 1, 3);
    desk_add_plain(1, 2, 3);
    changed.payload = "{\"note\":\"other\"}";
    desk_begin(2);
    desk_add(2, &changed);
    for (size_t r = 0; r < 3; r++)
        desk_prepare(r);
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, 3), VES_OK);
    assert_outcome(1, 0, VES_OUTCOME_REPLAYED);
    assert_outcome(1, 1, VES_OUTCOME_REPLAYED);
    assert_outcome(1, 2, VES_OUTCOME_ACCEPTED);
    assert_int_equal(sequence_of(1, 0), 2);
    assert_memory_equal(&desk.ingests[1].events[0].receipt,
                        &desk.ingests[0].events[1].receipt,
                        sizeof(desk.ingests[0].events[1].receipt));
    assert_refused(2, 0, VES_REFUSAL_DUPLICATE_EVENT_ID);
    assert_int_equal(desk_log()->count, 4);
}

/* ---- entity versions ----------------------------------------------------- */

/* B.3 step 6: versions move inside the batch; a refused one moves none. */
static void test_foreign_base(void **state)
{
    (void)state;
    const uint64_t bases[] = {0, 1, 1, 2, 5, 3};
    const bool is_good[] = {true, true, false, true, false, true};

    desk_begin(0);
    for (uint32_t i = 0; i < 6; i++) {
        struct test_event event = desk_based(i + 1, bases[i]);
        desk_add(0, &event);
    }
    desk_push(0);
    for (size_t i = 0; i < 6; i++) {
        if (is_good[i])
            assert_outcome(0, i, VES_OUTCOME_ACCEPTED);
        else
            assert_refused(0, i, VES_REFUSAL_VERSION_CONFLICT);
    }
    assert_string_equal(desk.ingests[0].events[2].refusal.reason,
                        "version_conflict: expected 1, actual 2");
    struct test_event stale = desk_based(9, 3), fresh = desk_based(10, 4);
    desk_begin(1);
    desk_add(1, &stale);
    desk_add(1, &fresh);
    desk_push(1);
    assert_refused(1, 0, VES_REFUSAL_VERSION_CONFLICT);
    assert_outcome(1, 1, VES_OUTCOME_ACCEPTED);
    /* One of our own with a stale base is logged and judged (decision 5). */
    struct test_event own = desk_based(11, 0);
    test_event_context(&own, 1, 0);
    desk_begin(2);
    desk_add(2, &own);
    desk_push(2);
    assert_outcome(2, 0, VES_OUTCOME_ACCEPTED);
    desk_log();
}

/* seen may name what the same request put there, no more. */
static void test_seen(void **state)
{
    (void)state;
    const uint64_t seen[] = {0, 1, 3, 2};

    desk_begin(0);
    for (uint32_t i = 0; i < 4; i++) {
        struct test_event event = desk_event(i + 1);
        test_event_context(&event, i + 1, seen[i]);
        desk_add(0, &event);
    }
    desk_push(0);
    assert_outcome(0, 0, VES_OUTCOME_ACCEPTED);
    assert_outcome(0, 1, VES_OUTCOME_ACCEPTED);
    assert_refused(0, 2, VES_REFUSAL_SEEN_BEYOND_HEAD);
    assert_outcome(0, 3, VES_OUTCOME_ACCEPTED);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_accepts),
        TEST(test_keeps_envelope),
        TEST(test_contiguous),
        TEST(test_signs_at_once),
        TEST(test_streams),
        TEST(test_replays),
        TEST(test_replays_after_revocation),
        TEST(test_replays_scattered),
        TEST(test_replays_within_commit),
        TEST(test_foreign_base),
        TEST(test_seen),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sequencer", tests, NULL, NULL);
}
