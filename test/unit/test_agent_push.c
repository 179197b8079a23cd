/* test_agent_push.c -- pushing: leases, receipts, refusals, retry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/refusal.h"
#include "engine/agent_internal.h"
#include "store/store_mem.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_store_counting.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { TEXT_MAX = 64 * 1024 * 1024 };

static struct test_fleet fleet;
static struct ves_push push;
static struct ves_push_result result;
static struct ves_buf answer;

static int set_up(void **state)
{
    (void)state;
    test_fleet_open(&fleet, 2);
    memset(&push, 0, sizeof(push));
    memset(&result, 0, sizeof(result));
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_push_free(&push, ves_alloc_default());
    ves_buf_free(&answer);
    test_fleet_close(&fleet);
    return 0;
}

static struct ves_agent_core *core_of(size_t n)
{
    return &fleet.devices[n].core;
}

static void begin(uint32_t limit, bool is_explicit, size_t count)
{
    ves_push_free(&push, ves_alloc_default());
    enum ves_status status =
        test_fleet_begin(&fleet, 0, limit, is_explicit, &push);
    if (status)
        fail_msg("%s", core_of(0)->error.text);
    assert_int_equal(push.count, count);
}

/* The sequencer takes what was pushed; the reply is in answer, with a NUL. */
static char *ingest(void)
{
    ves_buf_reset(&answer);
    test_fleet_ingest(&fleet, 0, ves_buf_view(&push.body), &answer);
    ves_buf_put_u8(&answer, 0);
    return (char *)answer.ptr;
}

static enum ves_status end(uint32_t http_status, const char *reply)
{
    memset(&result, 0, sizeof(result));
    return test_fleet_end(&fleet, 0, &push, http_status, reply, &result);
}

static void release(void)
{
    ves_core_push_release(core_of(0), &push);
    ves_push_free(&push, ves_alloc_default());
}

static void set_setting(const char *name, const char *value)
{
    struct ves_store *store = fleet.devices[0].store;

    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->meta_put(store, name, ves_bytes_str(value)),
                     VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
}

static struct ves_outbox_row row_of(const struct ves_uuid *id)
{
    return test_fleet_row(&fleet, 0, id);
}

/* ---- the usual way ------------------------------------------------------- */

static void a_push_has_verified_receipts(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "s", "2");

    (void)state;
    begin(0, true, 2);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(result.attempted, 2);
    assert_int_equal(result.accepted, 2);
    assert_int_equal(result.first_sequence, 1);
    assert_int_equal(result.last_sequence, 2);
    struct ves_outbox_row row = row_of(&b);
    assert_int_equal(row.status, VES_OUTBOX_SYNCING);
    assert_true(row.has_receipt);
    assert_int_equal(row.sequence_number, 2);
    assert_int_equal(row.receipt_key_version, 1);
    assert_true(row.has_verdict);
    assert_int_equal(row.claim, 0);
    release();
    begin(0, true, 0);
}

/* Who tells no verdicts: the log has it, and what became of it is not known
 * before it was pulled.  Till then it is not synced, nor what has no receipt.
 */
static void a_receipt_without_a_verdict_is_not_synced(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_ack_result ack = {0};

    (void)state;
    begin(0, true, 1);
    assert_int_equal(ves_core_acknowledge(core_of(0), &a, 1, 1, &ack), VES_OK);
    assert_int_equal(ack.not_acknowledged, 1);
    assert_non_null(strstr(ack.problems[0].reason, "no receipt"));
    char *reply = ingest();
    memcpy(strstr(reply, "\"verdicts\""), "\"remarks\" ", 10);
    assert_int_equal(end(200, reply), VES_OK);
    ack = (struct ves_ack_result){0}; /* it is added to */
    assert_true(row_of(&a).has_receipt);
    assert_false(row_of(&a).has_verdict);
    assert_int_equal(ves_core_acknowledge(core_of(0), &a, 1, 2, &ack), VES_OK);
    assert_int_equal(ack.acknowledged, 0);
    assert_int_equal(ack.not_acknowledged, 1);
    assert_non_null(strstr(ack.problems[0].reason, "verdict is not known"));
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    ack = (struct ves_ack_result){0};
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    assert_int_equal(ves_core_acknowledge(core_of(0), &a, 1, 3, &ack), VES_OK);
    assert_int_equal(ack.acknowledged, 1);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCED);
}

static void sending_again_is_safe(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    ingest(); /* taken, but the answer is lost */
    assert_int_equal(end(0, ""), VES_UNREACHABLE);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_int_equal(row_of(&a).attempts, 0);
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(result.accepted, 0);
    assert_int_equal(result.duplicates, 1);
    assert_int_equal(row_of(&a).sequence_number, 1);
}

static void events_without_an_answer_stay_pending(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "t", "1");

    (void)state;
    begin(1, true, 1);
    char *one = strdup(ingest());
    assert_int_equal(end(0, ""), VES_UNREACHABLE);
    begin(0, true, 2);
    /* The answer speaks of the first event only. */
    assert_int_equal(end(200, one), VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    assert_int_equal(row_of(&b).status, VES_OUTBOX_PENDING);
    free(one);
    begin(0, true, 1);
    assert_int_equal(end(200, "{\"receipts\":[]}"), VES_MALFORMED);
    assert_int_equal(row_of(&b).status, VES_OUTBOX_PENDING);
    begin(0, true, 1);
    assert_int_equal(end(200, "<html>"), VES_MALFORMED);
    assert_int_equal(row_of(&b).status, VES_OUTBOX_PENDING);
}

/* ---- false answers ------------------------------------------------------- */

/* Changes the character after the n-th occurrence of what. */
static void tamper(char *text, const char *what, int n)
{
    char *at = text;
    while (n-- > 0) {
        at = strstr(at, what);
        assert_non_null(at);
        at += strlen(what);
    }
    *at = *at == '1' ? '2' : '1';
}

static void a_false_receipt_is_not_taken(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "t", "1");
    static const char *const members[] = {"\"sequencerSignature\":\"",
                                          "\"receiptHash\":\"",
                                          "\"sequenceNumber\":"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(0, true, i == 0 ? 2 : 1);
        char *reply = ingest();
        tamper(reply, members[i], 1);
        assert_int_equal(end(200, reply), VES_REFUSED);
        assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
        assert_false(row_of(&a).has_receipt);
        /* The other one is true and stays. */
        assert_true(row_of(&b).has_receipt);
        assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT,
                                                 "push_receipt_invalid"),
                         i + 1);
        assert_int_equal(test_fleet_status(&fleet, 0).signature_failures,
                         i + 1);
    }
    begin(0, true, 1);
    char *same = strdup(ingest());
    tamper(same, members[0], 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(end(200, same), VES_REFUSED);
        /* The very same falsehood is kept once. */
        assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT,
                                                 "push_receipt_invalid"),
                         3);
        begin(0, true, 1);
    }
    free(same);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&a).has_receipt);
    /* A true answer settles it. */
    assert_int_equal(test_fleet_status(&fleet, 0).signature_failures, 0);
}

static void a_receipt_by_another_key_is_not_taken(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    struct test_signer real = fleet.hub.key;
    test_signer_init(&fleet.hub.key, 99);
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_REFUSED);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    fleet.hub.key = real;
}

static void a_receipt_by_an_unknown_version_asks_for_keys(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    fleet.hub.sequencer.key_version = 2;
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_AGAIN);
    assert_non_null(strstr(core_of(0)->error.text, "sequencer keys"));
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT, NULL),
                     0);
}

static void version_0_is_tried_with_every_pinned_key(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    core_of(0)->sequencer_keys[1] = core_of(0)->sequencer_keys[0];
    core_of(0)->sequencer_keys[1].version = 2;
    memset(core_of(0)->sequencer_keys[0].public_key.b, 3, VES_KEY_SIZE);
    core_of(0)->sequencer_key_count = 2;
    begin(0, true, 1);
    char *reply = ingest();
    tamper(reply, "\"sequencerKeyVersion\":", 1);
    char *version = strstr(reply, "\"sequencerKeyVersion\":");
    version[strlen("\"sequencerKeyVersion\":")] = '0';
    assert_int_equal(end(200, reply), VES_OK);
    assert_true(row_of(&a).has_receipt);
    /* The signature says which it was; who recovers a log asks by version. */
    assert_int_equal(row_of(&a).receipt_key_version, 2);
}

/* Well signed, and the log that was pulled has another event there. */
static void a_number_that_is_taken_is_a_falsehood(void **state)
{
    struct ves_receipt receipt = {
        .sequence_number = 1, .sequencer_id = test_id(0xaa), .key_version = 1};

    (void)state;
    test_fleet_adjust(&fleet, 1, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    receipt.event_id = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_outbox_row row = row_of(&receipt.event_id);
    ves_receipt_hash(&fleet.hub.stream, &receipt.event_id, 1, &row.event_hash,
                     &receipt.receipt_hash);
    test_signer_sign(&fleet.hub.key, &receipt.receipt_hash, &receipt.signature);
    begin(0, true, 1);
    ves_buf_reset(&answer);
    ves_buf_put_str(&answer, "{\"receipts\":[");
    ves_receipt_write(&answer, &receipt);
    ves_buf_put_str(&answer, "]}");
    ves_buf_put_u8(&answer, 0);
    assert_int_equal(end(200, (char *)answer.ptr), VES_REFUSED);
    row = row_of(&receipt.event_id);
    assert_false(row.has_receipt);
    assert_int_equal(row.sequence_number, 0);
    assert_int_equal(row.status, VES_OUTBOX_PENDING);
    assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT,
                                             "receipt_contradiction"),
                     1);
    /* What is true is taken. */
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(row_of(&receipt.event_id).sequence_number, 2);
}

static void two_numbers_for_one_event_are_a_falsehood(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_receipt receipt = {.event_id = a,
                                  .sequence_number = 9,
                                  .sequencer_id = test_id(0xaa),
                                  .key_version = 1};

    (void)state;
    begin(0, true, 1);
    struct ves_push late = push;
    char *real = strdup(ingest());
    assert_int_equal(end(200, real), VES_OK);
    free(real);
    struct ves_outbox_row row = row_of(&a);
    ves_receipt_hash(&fleet.hub.stream, &a, 9, &row.event_hash,
                     &receipt.receipt_hash);
    test_signer_sign(&fleet.hub.key, &receipt.receipt_hash, &receipt.signature);
    ves_buf_reset(&answer);
    ves_buf_put_str(&answer, "{\"receipts\":[");
    ves_receipt_write(&answer, &receipt);
    ves_buf_put_str(&answer, "]}");
    ves_buf_put_u8(&answer, 0);
    push = late;
    assert_int_equal(end(200, (char *)answer.ptr), VES_REFUSED);
    assert_int_equal(row_of(&a).sequence_number, 1);
    assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT,
                                             "receipt_contradiction"),
                     1);
}

static void an_unsigned_sequencer_proves_nothing(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    ves_buf_reset(&answer);
    ves_buf_put_str(&answer, "{\"receipts\":[{\"eventId\":\"");
    ves_buf_put_uuid(&answer, &a);
    ves_buf_put_str(
        &answer,
        "\",\"sequencerId\":\"00000000-0000-0000-0000-0000000000aa\","
        "\"sequenceNumber\":1,\"sequencedAt\":\"2026-01-01T00:00:00Z\","
        "\"receiptHash\":\"\",\"signatureAlg\":\"none\","
        "\"sequencerSignature\":\"\"}]}");
    ves_buf_put_u8(&answer, 0);
    assert_int_equal(end(200, (char *)answer.ptr), VES_UNSUPPORTED);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_false(row_of(&a).has_receipt);
}

/* ---- refusals ------------------------------------------------------------ */

/* An answer that refuses event id, signed over row's envelope unless bad. */
static char *refusal(const struct ves_uuid *id, const char *reason,
                     bool is_signed, bool is_bad)
{
    struct ves_store *store = fleet.devices[0].store;
    struct ves_outbox_row row;
    struct ves_arena arena;
    struct ves_hash hash;
    struct ves_sig sig;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(store->ops->outbox_get(store, id, 1, &arena, &row),
                     VES_OK);
    ves_refusal_hash(&fleet.hub.stream, row.envelope, ves_bytes_str(reason),
                     &hash);
    test_signer_sign(&fleet.hub.key, &hash, &sig);
    if (is_bad)
        sig.b[0] ^= 1;
    ves_buf_reset(&answer);
    ves_buf_put_str(&answer, "{\"rejections\":[{\"event_id\":\"");
    ves_buf_put_uuid(&answer, id);
    ves_buf_putf(&answer, "\",\"reason\":\"%s\",\"message\":\"words\"", reason);
    if (is_signed) {
        ves_buf_put_str(&answer, ",\"refusalSignature\":\"");
        ves_buf_put_hex(&answer, sig.b, VES_SIG_SIZE);
        ves_buf_put_str(&answer, "\"");
    }
    ves_buf_put_str(&answer, "}]}");
    ves_buf_put_u8(&answer, 0);
    ves_arena_free(&arena);
    return (char *)answer.ptr;
}

static const char *on_hand(const char *id)
{
    return test_fleet_member(&fleet, 0, "inventory", id, "on_hand", true);
}

static void a_signed_refusal_leaves_the_overlay(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "s", "2");
    uint64_t retried;

    (void)state;
    begin(0, true, 2);
    assert_int_equal(end(200, refusal(&b, "schema_validation: x", true, false)),
                     VES_OK);
    struct ves_outbox_row row = row_of(&b);
    assert_int_equal(row.status, VES_OUTBOX_FAILED);
    assert_int_equal(row.error_class, VES_ERROR_REFUSED);
    assert_true(row.is_refused);
    assert_false(row.is_in_overlay);
    assert_string_equal(on_hand("s"), "1");
    assert_int_equal(result.failed, 1);
    assert_string_equal(result.problems[0].code, "schema_validation: x");
    assert_string_equal(result.problems[0].message, "words");
    assert_false(result.problems[0].is_retryable);
    release();

    /* What follows is based on what is left. */
    test_fleet_append(&fleet, 0, "order.created", "O", "{}");
    struct ves_uuid d =
        test_fleet_append(&fleet, 0, "order.updated", "O", "{\"patch\":{}}");
    begin(0, true, 3);
    assert_int_equal(end(200, refusal(&d, "schema_validation: y", true, false)),
                     VES_OK);
    release();
    struct ves_arena arena;
    struct ves_core_entity entity;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_core_entity(core_of(0), ves_bytes_str("order"),
                                     ves_bytes_str("O"), &arena, &entity),
                     VES_OK);
    assert_int_equal(entity.own_count, 1);
    ves_arena_free(&arena);

    /* Others of the entity are not held back, and the refused one is not sent
     * again by itself. */
    test_fleet_adjust(&fleet, 0, "s", "4");
    begin(0, true, 3);
    assert_int_equal(end(0, ""), VES_UNREACHABLE);
    release();
    /* Asked for, it goes out again. */
    assert_int_equal(ves_core_retry(core_of(0), &b, 1, 1, &retried), VES_OK);
    assert_int_equal(retried, 1);
    assert_string_equal(on_hand("s"), "7");
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    begin(0, true, 4);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&b).has_receipt);
}

static void
an_unsigned_refusal_keeps_the_overlay_and_holds_the_entity(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "s", "2");
    struct ves_uuid c = test_fleet_adjust(&fleet, 0, "t", "3");

    (void)state;
    begin(1, true, 1);
    assert_int_equal(end(200, refusal(&a, "schema_validation", false, false)),
                     VES_OK);
    struct ves_outbox_row row = row_of(&a);
    assert_int_equal(row.status, VES_OUTBOX_FAILED);
    assert_false(row.is_refused);
    assert_true(row.is_in_overlay);
    assert_string_equal(on_hand("s"), "3");
    /* The other entity goes on, with the limit not used up by what waits. */
    begin(1, false, 1);
    assert_true(ves_uuid_equal(&push.event_ids[0], &c));
    assert_int_equal(end(200, ingest()), VES_OK);
    begin(0, true, 0); /* it was tried in this session */
    assert_int_equal(row_of(&b).status, VES_OUTBOX_PENDING);
    release();
    begin(0, true, 2);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&a).has_receipt);
    assert_true(row_of(&b).has_receipt);
}

static void a_refusal_with_a_bad_signature_is_an_alert(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    assert_int_equal(end(200, refusal(&a, "schema_validation", true, true)),
                     VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_FAILED);
    assert_true(row_of(&a).is_in_overlay);
    assert_int_equal(
        test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT, "refusal_invalid"),
        1);
}

static void a_real_refusal_of_the_sequencer_verifies(void **state)
{
    struct ves_uuid a;

    (void)state;
    /* The sequencer forgets the key: its own signed refusal. */
    a = test_fleet_adjust(&fleet, 0, "s", "1");
    size_t keys = fleet.hub.keys.count;
    fleet.hub.keys.count = 0;
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_OK);
    fleet.hub.keys.count = keys;
    assert_int_equal(row_of(&a).status, VES_OUTBOX_FAILED);
    assert_true(row_of(&a).is_refused);
    assert_string_equal(on_hand("s"), "");
}

static void a_stale_base_is_a_conflict(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    assert_int_equal(
        end(200, refusal(&a, "version_conflict: expected 1, actual 2", false,
                         false)),
        VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_CONFLICT);
    assert_int_equal(result.conflicts, 1);
    assert_int_equal(result.failed, 0);
}

/* Nobody signed it: it is asked about once more, then it is a person's. */
static void an_unsigned_conflict_is_not_sent_for_ever(void **state)
{
    static const char stale[] = "version_conflict: expected 1, actual 2";
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    uint64_t retried = 9;

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(0, true, 1);
        assert_int_equal(end(200, refusal(&a, stale, false, false)), VES_OK);
        assert_int_equal(row_of(&a).status, VES_OUTBOX_CONFLICT);
        release();
    }
    begin(0, true, 0);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_CONFLICT);
    release();
    assert_int_equal(ves_core_retry(&fleet.devices[0].core, &a, 1,
                                    fleet.hub.now_ms, &retried),
                     VES_OK);
    assert_int_equal(retried, 1);
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
}

/* Done again under another id, the refused event is never sent again, and
 * holds nothing back. */
static void a_decided_refusal_rests(void **state)
{
    struct ves_store *store = fleet.devices[0].store;
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_outbox_row row;
    struct ves_arena arena;
    uint64_t retried = 9;

    (void)state;
    begin(0, true, 1);
    assert_int_equal(
        end(200, refusal(&a, "version_conflict: expected 1, actual 2", false,
                         false)),
        VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), 65536);
    assert_int_equal(store->ops->outbox_get(store, &a, 1, &arena, &row),
                     VES_OK);
    assert_true(ves_bytes_is(row.disposition, VES_DISPOSITION_REFUSED));
    row.status = VES_OUTBOX_FAILED;
    row.disposition = ves_bytes_str(VES_DISPOSITION_REISSUED);
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->outbox_update(store, &row, 1), VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    ves_arena_free(&arena);
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "s", "2");
    begin(0, true, 1);
    assert_true(ves_uuid_equal(&push.event_ids[0], &b));
    assert_int_equal(end(200, refusal(&b, "nothing_special", false, false)),
                     VES_OK);
    /* Nobody signed that one: settled, it would never be sent again. */
    assert_int_equal(row_of(&b).status, VES_OUTBOX_FAILED);
    assert_int_equal(ves_core_settle_refused(&fleet.devices[0].core, &b,
                                             ves_bytes_str("seen to"),
                                             fleet.hub.now_ms),
                     VES_INVALID);
    assert_int_equal(ves_core_retry(&fleet.devices[0].core, NULL, 0,
                                    fleet.hub.now_ms, &retried),
                     VES_OK);
    assert_int_equal(retried, 1);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_FAILED);
    assert_int_equal(ves_core_retry(&fleet.devices[0].core, &a, 1,
                                    fleet.hub.now_ms, &retried),
                     VES_OK);
    assert_int_equal(retried, 0);
}

static void an_id_used_by_another_is_an_alert(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    assert_int_equal(end(200, refusal(&a, "duplicate_event_id", true, false)),
                     VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_FAILED);
    assert_int_equal(
        test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT, "id_reuse"), 1);
}

static void seen_beyond_head_stops_pushing(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    assert_int_equal(end(200, refusal(&a, "seen_beyond_head", true, false)),
                     VES_DIVERGED);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_true(row_of(&a).is_in_overlay);
    assert_true(test_fleet_status(&fleet, 0).is_diverged);
    assert_int_equal(
        test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT, "diverged"), 1);
    release();
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_DIVERGED);
    /* Local work goes on. */
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_string_equal(on_hand("s"), "2");
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    assert_false(test_fleet_status(&fleet, 0).is_diverged);
    begin(0, true, 2);
}

/* ---- leases -------------------------------------------------------------- */

static bool alive;

static bool is_alive(const struct ves_lease *holder)
{
    assert_int_equal(holder->pid, 100);
    return alive;
}

static enum ves_status begin_as(uint64_t pid, struct ves_push *out)
{
    const struct ves_lease self = {
        .pid = pid, .process_start = 1, .boot_id = test_id(0xb007)};

    return ves_core_push_begin(core_of(0), &self, is_alive, fleet.hub.now_ms, 0,
                               true, out);
}

static void one_process_pushes(void **state)
{
    struct ves_push other;
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    alive = true;
    assert_int_equal(begin_as(7, &other), VES_BUSY);
    assert_non_null(strstr(core_of(0)->error.text, "process 100"));
    /* Dead, it is replaced at once, and what it had is taken over. */
    alive = false;
    assert_int_equal(begin_as(7, &other), VES_OK);
    assert_int_equal(other.count, 1);
    assert_true(other.token > push.token);

    /* The late answer of the fenced one adds its receipt. */
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&a).has_receipt);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    /* The other's failure takes nothing away. */
    struct ves_core_env env = test_fleet_env(&fleet);
    assert_int_equal(ves_core_push_end(core_of(0), &other, &env, 0,
                                       ves_bytes(NULL, 0), 0, &result),
                     VES_UNREACHABLE);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    assert_true(row_of(&a).has_receipt);
    ves_push_free(&other, ves_alloc_default());
}

static void a_fenced_pusher_changes_nothing_else(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_push other;

    (void)state;
    begin(0, true, 1);
    alive = false;
    assert_int_equal(begin_as(7, &other), VES_OK);
    struct ves_outbox_row before = row_of(&a);
    assert_int_equal(end(200, refusal(&a, "schema_validation", true, false)),
                     VES_MALFORMED);
    assert_int_equal(end(500, ""), VES_AGAIN);
    assert_int_equal(end(401, ""), VES_AUTH);
    struct ves_outbox_row after = row_of(&a);
    assert_memory_equal(&before, &after, sizeof(before));
    struct ves_core_status status = test_fleet_status(&fleet, 0);
    assert_false(status.needs_auth);
    assert_int_equal(status.next_attempt_ms, 0);
    ves_push_free(&other, ves_alloc_default());
}

/* Of two answers that contradict each other the receipt is the fact: the event
 * counts in the local view again. */
static void a_late_receipt_takes_a_refusal_back(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_core_env env = test_fleet_env(&fleet);
    struct ves_push other;

    (void)state;
    begin(0, true, 1);
    char *late = strdup(ingest());
    assert_non_null(late);
    alive = false;
    assert_int_equal(begin_as(7, &other), VES_OK);
    assert_int_equal(
        ves_core_push_end(
            core_of(0), &other, &env, 200,
            ves_bytes_str(refusal(&a, "schema_validation", true, false)), 0,
            &result),
        VES_OK);
    assert_true(row_of(&a).is_refused);
    assert_string_equal(on_hand("s"), "");

    assert_int_equal(end(200, late), VES_OK);
    struct ves_outbox_row row = row_of(&a);
    assert_true(row.has_receipt);
    assert_false(row.is_refused);
    assert_true(row.is_in_overlay);
    assert_string_equal(on_hand("s"), "1");
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    assert_false(row_of(&a).is_in_overlay);
    assert_string_equal(on_hand("s"), "1");
    ves_push_free(&other, ves_alloc_default());
    free(late);
}

static void a_crash_between_begin_and_end_loses_nothing(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    ingest();
    ves_push_free(&push, ves_alloc_default());
    ves_store_mem_crash(fleet.devices[0].store);
    assert_int_equal(ves_core_load(core_of(0)), VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    /* The next process finds the row claimed by a dead one. */
    fleet.devices[0].lease.pid = 4711;
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(result.duplicates, 1);
    assert_int_equal(row_of(&a).sequence_number, 1);
}

static void releasing_gives_claimed_rows_back(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_push other;

    (void)state;
    begin(0, true, 1);
    release();
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    alive = true;
    assert_int_equal(begin_as(7, &other), VES_OK);
    ves_core_push_release(core_of(0), &push); /* harmless: another has it */
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    ves_push_free(&other, ves_alloc_default());
}

/* ---- retry --------------------------------------------------------------- */

static void delay_is_full_jitter(void **state)
{
    const struct ves_device_retry retry = {
        .base_ms = 1000, .cap_ms = 30000, .count_max = 3};
    uint8_t random[16];
    uint64_t highest[8] = {0};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct ves_core_env env = test_fleet_env(&fleet);
        for (uint64_t n = 1; n <= 7; n++) {
            uint64_t delay = ves_device_delay(&retry, n, env.random);
            uint64_t ceiling = UINT64_C(1000) << (n - 1);
            if (ceiling > 30000)
                ceiling = 30000;
            assert_true(delay <= ceiling);
            if (delay > highest[n])
                highest[n] = delay;
        }
    }
    /* All of the range is used. */
    assert_true(highest[1] > 990 && highest[5] > 15800 && highest[7] > 29700);
    memset(random, 0, sizeof(random));
    assert_int_equal(ves_device_delay(&retry, 1, random), 0);
    assert_int_equal(ves_device_delay(&retry, 10000, random), 0);
}

static void backoff_holds_the_machine_and_never_a_person(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, false, 1);
    struct ves_core_env env = {.now_ms = fleet.hub.now_ms};
    memset(env.random, 0xff, sizeof(env.random));
    assert_int_equal(ves_core_push_end(core_of(0), &push, &env, 0,
                                       ves_bytes(NULL, 0), 0, &result),
                     VES_UNREACHABLE);
    release();
    struct ves_core_status status = test_fleet_status(&fleet, 0);
    assert_int_equal(status.offline_failures, 1);
    /* 2^64 - 1 modulo 1,001 */
    uint64_t wait = UINT64_MAX % 1001;
    assert_int_equal(status.next_attempt_ms, fleet.hub.now_ms + (int64_t)wait);
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, false, &push), VES_AGAIN);
    begin(0, true, 1);
    release();
    fleet.hub.now_ms += (int64_t)wait;
    begin(0, false, 1);
    release();
    /* A clock that is put back makes nobody wait longer. */
    fleet.hub.now_ms -= 3600 * 1000;
    begin(0, false, 1);
    assert_int_equal(row_of(&a).attempts, 0);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(test_fleet_status(&fleet, 0).next_attempt_ms, 0);
    assert_int_equal(test_fleet_status(&fleet, 0).offline_failures, 0);
}

static void offline_is_never_an_attempt(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    for (int i = 0; i < 50; i++) {
        begin(0, true, 1);
        assert_int_equal(end(0, ""), VES_UNREACHABLE);
    }
    assert_int_equal(row_of(&a).attempts, 0);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_int_equal(row_of(&a).error_class, VES_ERROR_OFFLINE);
}

static void the_breaker_opens_after_five_in_a_minute(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "s", "1");
    /* Five failures, but spread over more than a minute. */
    for (int i = 0; i < 5; i++) {
        begin(0, true, 1);
        assert_int_equal(end(0, ""), VES_UNREACHABLE);
        fleet.hub.now_ms += 16000;
    }
    assert_false(test_fleet_status(&fleet, 0).is_breaker_open);
    begin(0, true, 1);
    fleet.hub.now_ms -= 15000;
    assert_int_equal(end(0, ""), VES_UNREACHABLE);
    struct ves_core_status status = test_fleet_status(&fleet, 0);
    assert_true(status.is_breaker_open);
    assert_int_equal(status.next_attempt_ms, fleet.hub.now_ms + 30000);
    release();
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, false, &push), VES_AGAIN);
    /* Half open: one probe, which fails, and it is open again. */
    fleet.hub.now_ms += 30000;
    begin(0, false, 1);
    assert_int_equal(end(0, ""), VES_UNREACHABLE);
    release();
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, false, &push), VES_AGAIN);
    begin(0, true, 1); /* a person is the probe */
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_false(test_fleet_status(&fleet, 0).is_breaker_open);
}

/* A loop leaves a sequencer alone that asks for it; a clock that was set back
 * makes no hour of a minute. */
static void a_busy_sequencer_is_left_alone(void **state)
{
    struct ves_agent_core *core = core_of(0);
    int64_t now = fleet.hub.now_ms;
    uint32_t seconds;

    (void)state;
    assert_int_equal(ves_core_is_to_wait(core, now, &seconds), VES_OK);
    assert_int_equal(seconds, 0);
    assert_int_equal(ves_core_told_to_wait(core, now, 7), VES_OK);
    assert_int_equal(ves_core_is_to_wait(core, now, &seconds), VES_OK);
    assert_int_equal(seconds, 7);
    assert_int_equal(ves_core_is_to_wait(core, now + 6001, &seconds), VES_OK);
    assert_int_equal(seconds, 1);
    assert_int_equal(ves_core_is_to_wait(core, now + 7000, &seconds), VES_OK);
    assert_int_equal(seconds, 0);
    assert_int_equal(ves_core_is_to_wait(core, now - 1, &seconds), VES_OK);
    assert_int_equal(seconds, 0);
    assert_int_equal(ves_core_told_to_wait(core, now, UINT32_MAX), VES_OK);
    assert_int_equal(ves_core_is_to_wait(core, now, &seconds), VES_OK);
    assert_int_equal(seconds, VES_DEVICE_RETRY_AFTER_MAX_S);
    /* An answer to somebody who did not wait ends it. */
    test_fleet_adjust(&fleet, 0, "A", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, &result), VES_OK);
    assert_int_equal(ves_core_is_to_wait(core, now, &seconds), VES_OK);
    assert_int_equal(seconds, 0);
    assert_int_equal(ves_core_told_to_wait(core, now, 7), VES_OK);
    struct ves_pull_result pulled = {0};
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, &pulled), VES_OK);
    assert_int_equal(ves_core_is_to_wait(core, now, &seconds), VES_OK);
    assert_int_equal(seconds, 0);
}

static void busy_is_honoured_and_halves_the_batch(void **state)
{
    struct ves_core_env env = test_fleet_env(&fleet);
    char id[16];

    (void)state;
    for (int i = 0; i < 8; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        test_fleet_adjust(&fleet, 0, id, "1");
    }
    begin(0, true, 8);
    assert_int_equal(ves_core_push_end(core_of(0), &push, &env, 429,
                                       ves_bytes(NULL, 0), 7, &result),
                     VES_BUSY);
    assert_int_equal(test_fleet_status(&fleet, 0).next_attempt_ms,
                     fleet.hub.now_ms + 7000);
    begin(0, true, 4);
    assert_int_equal(ves_core_push_end(core_of(0), &push, &env, 503,
                                       ves_bytes(NULL, 0), UINT32_MAX, &result),
                     VES_BUSY);
    /* Nobody waits longer than an hour because a server says so. */
    assert_int_equal(test_fleet_status(&fleet, 0).next_attempt_ms,
                     fleet.hub.now_ms + 3600 * 1000);
    begin(0, true, 2);
    assert_int_equal(end(200, ingest()), VES_OK);
    begin(0, true, 4); /* and doubles with success */
    assert_int_equal(end(200, ingest()), VES_OK);
    begin(0, true, 2);
}

static void bad_credentials_wait_for_a_person(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    begin(0, true, 1);
    assert_int_equal(end(401, "{}"), VES_AUTH);
    release();
    assert_true(test_fleet_status(&fleet, 0).needs_auth);
    fleet.hub.now_ms += 3600 * 1000;
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, false, &push), VES_AUTH);
    begin(0, true, 1);
    assert_int_equal(end(403, "{}"), VES_FORBIDDEN);
    release();
    assert_int_equal(
        test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT, "push_forbidden"),
        1);
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_OK);
    release();
    assert_false(test_fleet_status(&fleet, 0).needs_auth);
    assert_false(test_fleet_status(&fleet, 0).is_forbidden);
    assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT, NULL),
                     0);
    assert_true(row_of(&a).has_receipt);
}

/* One answer of a server that fails whenever it sees the poison event. */
static void serve_with_poison(const struct ves_uuid *poison,
                              uint32_t http_status)
{
    for (size_t i = 0; i < push.count; i++) {
        if (ves_uuid_equal(&push.event_ids[i], poison)) {
            (void)end(http_status, "");
            return;
        }
    }
    assert_int_equal(end(200, ingest()), VES_OK);
}

/* Pushes as a machine does until nothing moves for an hour of tries. */
static int drive_with_poison(const struct ves_uuid *poison,
                             uint32_t http_status)
{
    int idle = 0;
    int rounds = 0;

    while (idle < 5 && rounds < 1000) {
        fleet.hub.now_ms += 31000;
        rounds++;
        ves_push_free(&push, ves_alloc_default());
        assert_int_equal(test_fleet_begin(&fleet, 0, 0, false, &push), VES_OK);
        if (push.count == 0) {
            idle++;
            continue;
        }
        idle = 0;
        serve_with_poison(poison, http_status);
    }
    assert_true(rounds < 1000);
    return rounds;
}

static void a_poison_event_blocks_its_own_entity_only(void **state)
{
    static const uint32_t statuses[] = {500, 413, 400};
    struct ves_uuid poison = test_id(0), behind = test_id(0);
    char id[16];

    (void)state;
    for (size_t s = 0; s < 3; s++) {
        for (int i = 0; i < 32; i++) {
            snprintf(id, sizeof(id), "s%zu-%d", s, i);
            struct ves_uuid one = test_fleet_adjust(&fleet, 0, id, "1");
            if (i == 11) {
                poison = one;
                behind = test_fleet_adjust(&fleet, 0, id, "1");
            }
        }
        drive_with_poison(&poison, statuses[s]);
        struct ves_outbox_row row = row_of(&poison);
        assert_int_equal(row.status, VES_OUTBOX_FAILED);
        assert_int_equal(row.error_class, VES_ERROR_PROTOCOL);
        assert_true(row.is_in_overlay);
        /* maxRetries 3: the first try and three more. */
        if (statuses[s] == 500)
            assert_int_equal(row.attempts, 4);
        assert_int_equal(row_of(&behind).status, VES_OUTBOX_PENDING);
        struct ves_core_status status = test_fleet_status(&fleet, 0);
        assert_int_equal(status.counts[VES_OUTBOX_PENDING], s + 1);
        assert_int_equal(status.counts[VES_OUTBOX_SYNCING], 31 * (s + 1));
        assert_int_equal(status.counts[VES_OUTBOX_FAILED], s + 1);
    }
    /* The next explicit push takes them up again, each alone. */
    release();
    do {
        ves_push_free(&push, ves_alloc_default());
        assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_OK);
        if (push.count > 0)
            assert_int_equal(end(200, ingest()), VES_OK);
    } while (push.count > 0);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_SYNCING],
                     99);
}

static void a_sick_server_does_not_fail_events(void **state)
{
    char id[16];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof(id), "s%d", i);
        test_fleet_adjust(&fleet, 0, id, "1");
    }
    for (int i = 0; i < 200; i++) {
        fleet.hub.now_ms += 31000;
        ves_push_free(&push, ves_alloc_default());
        assert_int_equal(test_fleet_begin(&fleet, 0, 0, false, &push), VES_OK);
        assert_true(push.count > 0);
        assert_int_equal(end(502, "Bad Gateway"), VES_AGAIN);
    }
    /* One may be suspected, the others never are. */
    assert_true(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_FAILED] <= 1);
}

static void settings_rule_the_numbers(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "s", "1");

    (void)state;
    set_setting("setting.maxRetries", "0");
    set_setting("setting.retryBaseDelayMs", "100");
    set_setting("setting.retryMaxDelayMs", "1000");
    begin(0, false, 1);
    assert_int_equal(end(500, ""), VES_AGAIN);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_FAILED);
    assert_true(test_fleet_status(&fleet, 0).next_attempt_ms <=
                fleet.hub.now_ms + 100);
}

/* ---- atomic groups ------------------------------------------------------- */

static enum ves_status try_member(uint32_t command, uint32_t index,
                                  uint32_t count, const char *id,
                                  struct ves_uuid *event_id)
{
    struct ves_core_env env = test_fleet_env(&fleet);
    const struct ves_core_append what = {
        .event_type = ves_bytes_str("inventory.adjusted"),
        .entity_id = ves_bytes_str(id),
        .payload = ves_bytes_str("{\"delta\":1}"),
        .has_command_id = true,
        .command_id = test_id(command),
        .cmd_index = index,
        .cmd_count = count};

    return ves_core_append(core_of(0), &env, &what, event_id);
}

static struct ves_uuid add_member(uint32_t command, uint32_t index,
                                  uint32_t count, const char *id)
{
    struct ves_uuid event_id;

    if (try_member(command, index, count, id, &event_id))
        fail_msg("%s", core_of(0)->error.text);
    return event_id;
}

static void a_group_is_claimed_whole(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "x", "1");
    for (uint32_t i = 0; i < 5; i++)
        add_member(1, i, 5, "g");
    test_fleet_adjust(&fleet, 0, "y", "1");
    begin(3, true, 6); /* never in parts, even over the limit */
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(result.accepted, 6);
    begin(1, true, 1);
}

static void an_unfinished_group_is_not_claimed(void **state)
{
    (void)state;
    add_member(1, 0, 2, "g");
    begin(0, true, 0);
    release();
    add_member(1, 1, 2, "h");
    test_fleet_adjust(&fleet, 0, "y", "1");
    begin(0, true, 3);
    assert_int_equal(end(200, ingest()), VES_OK);
}

static void a_broken_group_is_refused_with_a_signature(void **state)
{
    struct ves_uuid event_id;

    (void)state;
    struct ves_uuid a = add_member(1, 0, 3, "g");
    struct ves_uuid b = test_fleet_adjust(&fleet, 0, "g", "1");
    assert_int_equal(try_member(1, 1, 3, "g", &event_id), VES_INVALID);
    assert_int_equal(try_member(2, 1, 3, "g", &event_id), VES_INVALID);
    assert_int_equal(try_member(2, 3, 3, "g", &event_id), VES_INVALID);
    begin(0, true, 2);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&a).is_refused);
    assert_false(row_of(&a).is_in_overlay);
    assert_true(row_of(&b).has_receipt);
}

static void a_group_waits_as_a_whole(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 0, "g", "1");

    (void)state;
    begin(0, true, 1);
    assert_int_equal(end(200, refusal(&a, "schema_validation", false, false)),
                     VES_OK);
    add_member(1, 0, 2, "g");
    add_member(1, 1, 2, "h");
    test_fleet_adjust(&fleet, 0, "h", "1");
    struct ves_uuid c = test_fleet_adjust(&fleet, 0, "z", "1");
    begin(0, false, 1);
    assert_true(ves_uuid_equal(&push.event_ids[0], &c));
}

/* Sent without a member that somebody refused without a signature, the others
 * would be refused with one, as incomplete. */
static void a_group_waits_for_its_failed_member(void **state)
{
    struct ves_uuid members[3];

    (void)state;
    for (uint32_t failed = 0; failed < 3; failed++) {
        for (uint32_t i = 0; i < 3; i++) {
            const char id[] = {(char)('a' + 3 * failed + i), '\0'};
            members[i] = add_member(failed + 1, i, 3, id);
        }
        begin(0, true, 3);
        assert_int_equal(end(200, refusal(&members[failed], "schema_validation",
                                          false, false)),
                         VES_OK);
        begin(0, false, 0);
        release();
        begin(0, true, 3);
        assert_int_equal(end(200, ingest()), VES_OK);
        assert_int_equal(result.accepted, 3);
        release();
    }
}

/* The sequencer takes the events; nobody hears of it. */
static void lose_answer(size_t count)
{
    begin(0, true, count);
    (void)ingest();
    assert_int_equal(end(0, ""), VES_UNREACHABLE);
    release();
}

/* A page without receipts told of two facts that are applied and an intent
 * that is in conflict, and rests.  The facts wait for nobody's decision. */
static void a_group_partly_in_conflict_gets_its_receipts(void **state)
{
    struct ves_core_env env = test_fleet_env(&fleet);
    struct ves_uuid c;

    (void)state;
    test_fleet_append(&fleet, 1, "customer.updated", "C",
                      "{\"patch\":{\"name\":\"one\"}}");
    test_fleet_sync(&fleet, 1);
    struct ves_uuid a = add_member(1, 0, 3, "g");
    struct ves_uuid b = add_member(1, 1, 3, "h");
    const struct ves_core_append what = {
        .event_type = ves_bytes_str("customer.updated"),
        .entity_id = ves_bytes_str("C"),
        .payload = ves_bytes_str("{\"patch\":{\"name\":\"two\"}}"),
        .has_command_id = true,
        .command_id = test_id(1),
        .cmd_index = 2,
        .cmd_count = 3};
    assert_int_equal(ves_core_append(core_of(0), &env, &what, &c), VES_OK);
    lose_answer(3);
    fleet.has_receipts = false;
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_int_equal(row_of(&b).status, VES_OUTBOX_PENDING);
    assert_int_equal(row_of(&c).status, VES_OUTBOX_CONFLICT);
    begin(0, true, 2);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(result.duplicates, 2);
    assert_true(row_of(&a).has_receipt);
    assert_true(row_of(&b).has_receipt);
}

/* The log told where a group is, and proved it of its last member only. */
static void a_group_with_its_last_receipt_gets_the_others(void **state)
{
    (void)state;
    struct ves_uuid a = add_member(1, 0, 3, "g");
    struct ves_uuid b = add_member(1, 1, 3, "h");
    struct ves_uuid c = add_member(1, 2, 3, "i");
    lose_answer(3);
    fleet.has_receipts = false;
    assert_int_equal(test_fleet_pull(&fleet, 0, 2, NULL), VES_OK);
    fleet.has_receipts = true;
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    assert_false(row_of(&a).has_receipt);
    assert_true(row_of(&c).has_receipt);
    begin(0, true, 2);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_SYNCING);
    assert_int_equal(row_of(&b).status, VES_OUTBOX_SYNCING);
}

/* The answer says what became of one member, and nothing true of another. */
static void a_group_answered_in_part_asks_for_the_rest(void **state)
{
    (void)state;
    struct ves_uuid a = add_member(1, 0, 2, "g");
    struct ves_uuid b = add_member(1, 1, 2, "h");
    begin(0, true, 2);
    char *reply = ingest();
    tamper(reply, "\"sequencerSignature\":\"", 1);
    assert_int_equal(end(200, reply), VES_REFUSED);
    assert_false(row_of(&a).has_receipt);
    assert_true(row_of(&b).has_receipt);
    begin(0, true, 1);
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&a).has_receipt);
}

/* The same where the sequencer refused it, as its third member never came. */
static void a_group_refused_in_part_asks_for_the_rest(void **state)
{
    (void)state;
    struct ves_uuid a = add_member(1, 0, 3, "g");
    struct ves_uuid b = add_member(1, 1, 3, "h");
    test_fleet_adjust(&fleet, 0, "z", "1");
    begin(2, true, 2);
    assert_int_equal(end(200, refusal(&b, "incomplete_group", true, false)),
                     VES_OK);
    assert_int_equal(row_of(&a).status, VES_OUTBOX_PENDING);
    assert_true(row_of(&b).is_refused);
    begin(0, true, 2);
    assert_true(ves_uuid_equal(&push.event_ids[0], &a));
    assert_int_equal(end(200, ingest()), VES_OK);
    assert_true(row_of(&a).is_refused);
}

static void a_group_no_request_can_carry_fails_visibly(void **state)
{
    static char payload[1024 * 1024];
    struct ves_core_env env = test_fleet_env(&fleet);
    struct ves_uuid first = test_id(0), id;

    (void)state;
    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "{\"delta\":1,\"a\":\"", 16);
    memcpy(payload + sizeof(payload) - 1024, "\"}", 3);
    for (uint32_t i = 0; i < 11; i++) {
        const struct ves_core_append what = {
            .event_type = ves_bytes_str("inventory.adjusted"),
            .entity_id = ves_bytes_str("g"),
            .payload = ves_bytes_str(payload),
            .has_command_id = true,
            .command_id = test_id(1),
            .cmd_index = i,
            .cmd_count = 11};
        assert_int_equal(ves_core_append(core_of(0), &env, &what, &id), VES_OK);
        env = test_fleet_env(&fleet);
        if (i == 0)
            first = id;
    }
    test_fleet_adjust(&fleet, 0, "y", "1");
    begin(0, true, 1);
    assert_int_equal(row_of(&first).status, VES_OUTBOX_FAILED);
    assert_true(push.body.len < VES_BODY_MAX);
}

/* Twenty of them, and twenty events to send: not one look for each. */
static void rows_in_conflict_are_looked_at_once_a_request(void **state)
{
    enum { EVENTS = 20 };
    struct test_counting counting;
    char id[16];

    (void)state;
    for (size_t n = 2; n-- > 0;) {
        for (int i = 0; i < EVENTS; i++) {
            snprintf(id, sizeof(id), "c%d", i);
            test_fleet_append(&fleet, n, "customer.updated", id,
                              n ? "{\"patch\":{\"name\":\"one\"}}"
                                : "{\"patch\":{\"name\":\"two\"}}");
        }
    }
    test_fleet_sync(&fleet, 1);
    test_fleet_sync(&fleet, 0);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_CONFLICT],
                     EVENTS);
    for (int i = 0; i < EVENTS; i++)
        test_fleet_adjust(&fleet, 0, "s", "1");
    for (int is_explicit = 0; is_explicit < 2; is_explicit++) {
        test_counting_init(&counting, core_of(0)->store);
        core_of(0)->store = &counting.store;
        begin(0, is_explicit, EVENTS);
        core_of(0)->store = counting.inner;
        assert_in_range(counting.calls.outbox_list, 1, 3);
        assert_int_equal(end(0, ""), VES_UNREACHABLE);
        release();
        fleet.hub.now_ms += 60000;
    }
}

static void a_request_is_never_over_the_body_limit(void **state)
{
    static char payload[512 * 1024];

    (void)state;
    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "{\"delta\":1,\"a\":\"", 16);
    memcpy(payload + sizeof(payload) - 1024, "\"}", 3);
    for (int i = 0; i < 30; i++)
        test_fleet_append(&fleet, 0, "inventory.adjusted", "g", payload);
    do {
        ves_push_free(&push, ves_alloc_default());
        assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_OK);
        assert_true(push.body.len <= VES_BODY_MAX);
        if (push.count > 0)
            assert_int_equal(end(200, ingest()), VES_OK);
    } while (push.count > 0);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_SYNCING],
                     30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_push_has_verified_receipts),
        TEST(a_receipt_without_a_verdict_is_not_synced),
        TEST(sending_again_is_safe),
        TEST(events_without_an_answer_stay_pending),
        TEST(a_false_receipt_is_not_taken),
        TEST(a_receipt_by_another_key_is_not_taken),
        TEST(a_receipt_by_an_unknown_version_asks_for_keys),
        TEST(version_0_is_tried_with_every_pinned_key),
        TEST(two_numbers_for_one_event_are_a_falsehood),
        TEST(a_number_that_is_taken_is_a_falsehood),
        TEST(an_unsigned_sequencer_proves_nothing),
        TEST(a_signed_refusal_leaves_the_overlay),
        TEST(an_unsigned_refusal_keeps_the_overlay_and_holds_the_entity),
        TEST(a_refusal_with_a_bad_signature_is_an_alert),
        TEST(a_real_refusal_of_the_sequencer_verifies),
        TEST(a_stale_base_is_a_conflict),
        TEST(an_unsigned_conflict_is_not_sent_for_ever),
        TEST(a_decided_refusal_rests),
        TEST(an_id_used_by_another_is_an_alert),
        TEST(seen_beyond_head_stops_pushing),
        TEST(one_process_pushes),
        TEST(a_fenced_pusher_changes_nothing_else),
        TEST(a_late_receipt_takes_a_refusal_back),
        TEST(a_crash_between_begin_and_end_loses_nothing),
        TEST(releasing_gives_claimed_rows_back),
        TEST(delay_is_full_jitter),
        TEST(backoff_holds_the_machine_and_never_a_person),
        TEST(offline_is_never_an_attempt),
        TEST(the_breaker_opens_after_five_in_a_minute),
        TEST(a_busy_sequencer_is_left_alone),
        TEST(busy_is_honoured_and_halves_the_batch),
        TEST(bad_credentials_wait_for_a_person),
        TEST(a_poison_event_blocks_its_own_entity_only),
        TEST(a_sick_server_does_not_fail_events),
        TEST(settings_rule_the_numbers),
        TEST(a_group_is_claimed_whole),
        TEST(an_unfinished_group_is_not_claimed),
        TEST(a_broken_group_is_refused_with_a_signature),
        TEST(a_group_waits_as_a_whole),
        TEST(a_group_waits_for_its_failed_member),
        TEST(a_group_partly_in_conflict_gets_its_receipts),
        TEST(a_group_with_its_last_receipt_gets_the_others),
        TEST(a_group_answered_in_part_asks_for_the_rest),
        TEST(a_group_refused_in_part_asks_for_the_rest),
        TEST(a_group_no_request_can_carry_fails_visibly),
        TEST(rows_in_conflict_are_looked_at_once_a_request),
        TEST(a_request_is_never_over_the_body_limit),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
