/* test_agent_pull.c -- pulling: what is believed, what is not, and what a
 * store does that was restored or copied.
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
#include "base/limits.h"
#include "core/entity.h"
#include "core/keydir.h"
#include "engine/agent_internal.h"
#include "engine/chain.h"
#include "store/store_mem.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_store_counting.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { TEXT_MAX = 64 * 1024 * 1024 };

static struct test_fleet fleet;
static struct ves_buf page;
static struct ves_pull_result result;

static int set_up(void **state)
{
    (void)state;
    test_fleet_open(&fleet, 3);
    ves_buf_init(&page, ves_alloc_default(), TEXT_MAX);
    memset(&result, 0, sizeof(result));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_buf_free(&page);
    test_fleet_close(&fleet);
    return 0;
}

static struct ves_agent_core *core_of(size_t n)
{
    return &fleet.devices[n].core;
}

/* count events of device 0 in the log. */
static void fill_log(int count)
{
    for (int i = 0; i < count; i++)
        test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
}

/* A page from `from` on, with a NUL behind it. */
static char *make_page(uint64_t from, uint32_t limit)
{
    ves_buf_reset(&page);
    test_fleet_page(&fleet, from, limit, &page);
    ves_buf_put_u8(&page, 0);
    return (char *)page.ptr;
}

static enum ves_status take(const char *text, uint64_t from)
{
    memset(&result, 0, sizeof(result));
    return test_fleet_take(&fleet, 1, ves_bytes_str(text), from, &result);
}

static size_t open_quarantine(const char *code)
{
    return test_fleet_open_records(&fleet, 1, VES_RECORD_QUARANTINE, code);
}

static size_t open_alerts(const char *code)
{
    return test_fleet_open_records(&fleet, 1, VES_RECORD_ALERT, code);
}

static uint64_t cursor(void)
{
    return test_fleet_status(&fleet, 1).cursor;
}

/* The character after the n-th occurrence of what. */
static char *after(char *text, const char *what, int n)
{
    while (n-- > 0) {
        text = strstr(text, what);
        assert_non_null(text);
        text += strlen(what);
    }
    return text;
}

/* ---- the usual way ------------------------------------------------------- */

static void a_page_is_applied_and_applied_once(void **state)
{
    (void)state;
    fill_log(5);
    char *text = make_page(1, 0);
    assert_int_equal(take(text, 1), VES_OK);
    assert_int_equal(result.received, 5);
    assert_int_equal(result.applied, 5);
    assert_int_equal(result.cursor, 5);
    assert_int_equal(result.remote_head, 5);
    assert_false(result.has_more);
    assert_false(result.is_position_unproven);
    struct ves_core_status before = test_fleet_status(&fleet, 1);
    /* The very same page again changes nothing. */
    assert_int_equal(take(text, 1), VES_OK);
    assert_int_equal(result.applied, 0);
    assert_int_equal(result.already_applied, 5);
    struct ves_core_status status = test_fleet_status(&fleet, 1);
    assert_true(ves_hash_equal(&before.state_hash, &status.state_hash));
    assert_int_equal(status.cursor, 5);
}

static void pages_overlap_and_go_on(void **state)
{
    (void)state;
    fill_log(5);
    assert_int_equal(take(make_page(1, 2), 1), VES_OK);
    assert_true(result.has_more);
    assert_int_equal(take(make_page(2, 2), 2), VES_OK);
    assert_int_equal(result.already_applied, 1);
    assert_int_equal(result.applied, 1);
    assert_int_equal(cursor(), 3);
    assert_int_equal(take(make_page(4, 0), 4), VES_OK);
    assert_int_equal(cursor(), 5);
    assert_false(result.has_more);
}

static enum ves_status check_chain(void *ctx, const struct ves_log_row *row)
{
    uint64_t *expected = ctx;

    assert_int_equal(row->entity_index, *expected);
    (*expected)++;
    return VES_OK;
}

static void the_chain_of_an_entity_holds_across_pages(void **state)
{
    struct ves_store *store = fleet.devices[1].store;
    struct ves_entity_row row;
    struct ves_arena arena;
    struct ves_entity_name name;
    uint64_t expected = 1;
    uint64_t sequence;

    (void)state;
    fill_log(64);
    for (uint64_t from = 1; from <= 64; from += 5)
        assert_int_equal(take(make_page(from, 5), from), VES_OK);
    ves_entity_name(ves_bytes_str("inventory"), ves_bytes_str("s"), &name);
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    uint32_t no = core_of(1)->stream_no;
    assert_int_equal(store->ops->entity_get(store, no, &name, 1, &arena, &row),
                     VES_OK);
    row.key = name.key;
    assert_int_equal(row.count, 64);
    assert_int_equal(row.version, 64);
    for (uint64_t i = 1; i <= 64; i++) {
        assert_int_equal(ves_chain_find(store, no, &row, i, &sequence), VES_OK);
        assert_int_equal(sequence, i);
    }
    assert_int_equal(
        store->ops->log_read(store, no, 1, 0, check_chain, &expected), VES_OK);
    ves_arena_free(&arena);
}

static enum ves_status check_raw(void *ctx, const struct ves_log_row *row)
{
    const bool *is_kept = ctx;

    assert_int_equal(row->raw.len > 0, *is_kept);
    return VES_OK;
}

static void bytes_in_another_spelling_are_kept_as_received(void **state)
{
    struct ves_store *store = fleet.devices[1].store;
    bool is_kept = false;

    (void)state;
    fill_log(2);
    assert_int_equal(take(make_page(1, 1), 1), VES_OK);
    assert_int_equal(store->ops->log_read(store, core_of(1)->stream_no, 1, 0,
                                          check_raw, &is_kept),
                     VES_OK);
    char *text = make_page(2, 1);
    char *at = after(text, "{\"envelope\":{", 1);
    /* A blank more is another spelling of the same event. */
    memmove(at + 1, at, strlen(at) + 1);
    *at = ' ';
    assert_int_equal(take(text, 2), VES_OK);
    is_kept = true;
    assert_int_equal(store->ops->log_read(store, core_of(1)->stream_no, 2, 0,
                                          check_raw, &is_kept),
                     VES_OK);
}

static void without_receipts_the_position_is_unproven(void **state)
{
    (void)state;
    fill_log(2);
    fleet.has_receipts = false;
    assert_int_equal(take(make_page(1, 0), 1), VES_OK);
    assert_true(result.is_position_unproven);
    assert_true(test_fleet_status(&fleet, 1).is_position_unproven);
    assert_int_equal(cursor(), 2);
}

/* ---- availability -------------------------------------------------------- */

static void gaps_stop_and_nothing_is_recorded(void **state)
{
    (void)state;
    fill_log(5);
    char *text = make_page(1, 0);
    /* Cut number 3 out of it. */
    char *third = after(text, ",{\"envelope\"", 2) - strlen(",{\"envelope\"");
    char *fourth = after(text, ",{\"envelope\"", 3) - strlen(",{\"envelope\"");
    memmove(third, fourth, strlen(fourth) + 1);
    assert_int_equal(take(text, 1), VES_AGAIN);
    assert_int_equal(cursor(), 2);
    assert_int_equal(result.applied, 2);
    assert_true(result.has_more);
    assert_int_equal(result.gap_expected, 3);
    assert_int_equal(result.gap_received, 4);
    assert_int_equal(open_quarantine(NULL), 0);
    assert_int_equal(open_alerts(NULL), 0);
    assert_int_equal(test_fleet_trail(&fleet, 1, "pull"), 1);
    /* A page that starts elsewhere, or twice the same event. */
    assert_int_equal(take(make_page(4, 0), 4), VES_AGAIN);
    assert_int_equal(take(make_page(1, 0), 3), VES_AGAIN);
    assert_int_equal(cursor(), 2);
    assert_int_equal(take(make_page(3, 0), 3), VES_OK);
    assert_int_equal(cursor(), 5);
}

static void a_page_cut_anywhere_applies_what_is_whole(void **state)
{
    static char copy[64 * 1024];
    uint64_t last = 0;

    (void)state;
    fill_log(3);
    char *text = make_page(1, 0);
    size_t len = strlen(text);
    assert_true(len < sizeof(copy));
    assert_int_equal(test_fleet_pull(&fleet, 2, 1, NULL), VES_OK); /* keys */
    assert_int_equal(take("", 1), VES_MALFORMED);
    for (size_t cut = 1; cut < len; cut += 13) {
        memcpy(copy, text, cut);
        copy[cut] = '\0';
        enum ves_status status = take(copy, last + 1);
        assert_true(status == VES_AGAIN || status == VES_MALFORMED);
        assert_int_equal(open_quarantine(NULL), 0);
        assert_true(cursor() >= last);
        if (cursor() > last) {
            /* Only an item whose end is there. */
            last = cursor();
            text = make_page(last + 1, 0);
            len = strlen(text);
            cut = 1;
        }
    }
    assert_int_equal(last, 3);
}

static void an_unknown_key_asks_for_the_directory(void **state)
{
    struct ves_page *read;
    bool needs_keys = false;

    (void)state;
    fill_log(2);
    char *text = make_page(1, 0);
    assert_int_equal(ves_core_page_read(core_of(1), ves_bytes_str(text), 1,
                                        &read, &needs_keys),
                     VES_OK);
    assert_true(needs_keys);
    ves_core_page_verify(core_of(1), read);
    assert_int_equal(
        ves_core_page_apply(core_of(1), read, fleet.hub.now_ms, &result),
        VES_AGAIN);
    ves_page_free(read);
    assert_int_equal(cursor(), 0);
    assert_int_equal(open_quarantine(NULL), 0);
    assert_int_equal(take(text, 1), VES_OK);
    assert_int_equal(cursor(), 2);
}

/* ---- falsehoods ---------------------------------------------------------- */

/* Item 2 of 3 is changed after what; pulling must stop before it, keep its
 * bytes under code, and go on when the true page comes. */
static void check_falsehood(const char *what, const char *code)
{
    fill_log(3);
    uint64_t from = cursor() + 1;
    char *good = strdup(make_page(from, 0));
    char *bad = strdup(good);
    char *at = after(after(bad, "{\"envelope\":", 2), what, 1);
    *at = *at == '1' ? '2' : '1';
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(bad, from), VES_REFUSED);
        assert_int_equal(cursor(), from);
        assert_true(result.has_more);
        /* The same falsehood again is not kept again. */
        assert_int_equal(result.quarantined, i == 0 ? 1 : 0);
        assert_int_equal(open_quarantine(code), 1);
        assert_int_equal(open_alerts(code), 1);
        assert_int_equal(test_fleet_status(&fleet, 1).quarantined, 1);
    }
    assert_non_null(strstr(core_of(1)->error.text, code));
    /* Local work and pushing go on. */
    test_fleet_adjust(&fleet, 1, "t", "1");
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
    assert_int_equal(take(good, from), VES_OK);
    assert_int_equal(cursor(), from + 2);
    assert_int_equal(open_quarantine(NULL), 0);
    assert_int_equal(open_alerts(NULL), 0);
    assert_int_equal(test_fleet_status(&fleet, 1).signature_failures, 0);
    free(good);
    free(bad);
}

static void falsehoods_stop_before_the_event(void **state)
{
    (void)state;
    check_falsehood("\"delta\":\"", "hash_mismatch");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    check_falsehood("\"agent_signature\":\"0x", "signature_invalid");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    check_falsehood("\"sequencerSignature\":\"", "receipt_invalid");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    check_falsehood("\"receiptHash\":\"", "receipt_invalid");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    check_falsehood("\"tenant_id\":\"", "scope_mismatch");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    /* The receipt is over the hash, which the entity is part of. */
    check_falsehood("\"entity_id\":\"", "receipt_invalid");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    /* The version is part of what is signed. */
    check_falsehood("\"ves_version\":", "receipt_invalid");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    check_falsehood("\"payload_kind\":", "malformed");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    fleet.has_receipts = false;
    check_falsehood("\"entity_id\":\"", "signature_invalid");
}

static void a_receipt_for_another_number_does_not_bind(void **state)
{
    (void)state;
    fill_log(2);
    char *text = make_page(1, 0);
    /* Both receipts change places. */
    char *one = after(text, "\"receipt\":", 1);
    char *two = after(text, "\"receipt\":", 2);
    size_t len = (size_t)(strchr(one, '}') - one) + 1;
    char keep[1024];
    assert_int_equal(len, strchr(two, '}') - two + 1);
    memcpy(keep, one, len);
    memmove(one, two, len);
    memcpy(two, keep, len);
    assert_int_equal(take(text, 1), VES_REFUSED);
    assert_int_equal(cursor(), 0);
    assert_int_equal(open_quarantine("receipt_invalid"), 1);
}

static void a_renumbered_log_does_not_verify(void **state)
{
    (void)state;
    fill_log(2);
    char *text = make_page(2, 1);
    *after(text, "\"sequence_number\":", 1) = '1';
    /* Number 2 in the place of number 1. */
    assert_int_equal(take(text, 1), VES_REFUSED);
    assert_int_equal(open_quarantine("receipt_invalid"), 1);
    assert_int_equal(cursor(), 0);
}

static void a_key_is_valid_from_and_until_its_numbers(void **state)
{
    struct ves_uuid agent = core_of(0)->agent;

    (void)state;
    fill_log(3);
    assert_int_equal(ves_sequencer_revoke_key(&fleet.hub.sequencer,
                                              &fleet.hub.stream.tenant, &agent,
                                              1, fleet.hub.now_ms, NULL, NULL),
                     VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(), 3); /* what it signed before stays true */

    /* Somebody who holds the revoked key signs number 4, and even a sequencer
     * that lies about it cannot make us take it. */
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row row;
    assert_int_equal(hub->ops->stream_get(hub, &fleet.hub.stream, false, &row),
                     VES_OK);
    struct ves_key_span span = {.is_found = true, .valid_from_sequence = 1};
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(
        hub->ops->key_span_put(hub, row.stream_no, &agent, 1, &span), VES_OK);
    struct ves_arena arena;
    struct ves_key_row key;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(hub->ops->key_get(hub, &fleet.hub.stream.tenant, &agent, 1,
                                       &arena, &key),
                     VES_OK);
    key.revoked_at_ms = 0;
    assert_int_equal(hub->ops->key_put(hub, &key), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    ves_arena_free(&arena);
    fill_log(1);
    assert_int_equal(take(make_page(4, 0), 4), VES_REFUSED);
    assert_int_equal(open_quarantine("key_not_valid"), 1);
    assert_int_equal(cursor(), 3);
}

static void one_number_for_two_events_is_equivocation(void **state)
{
    struct test_fleet other;
    struct ves_buf buf;

    (void)state;
    fill_log(2);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);

    /* The same sequencer, same keys, tells somebody else another history. */
    test_fleet_open(&other, 3);
    test_fleet_adjust(&other, 0, "s", "7");
    assert_int_equal(test_fleet_push(&other, 0, NULL), VES_OK);
    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(&other, 1, 0, &buf);
    ves_buf_put_u8(&buf, 0);
    assert_int_equal(take((char *)buf.ptr, 1), VES_REFUSED);
    assert_int_equal(open_alerts("equivocation"), 1);
    assert_int_equal(open_quarantine("equivocation"), 1);
    assert_int_equal(cursor(), 2);
    ves_buf_free(&buf);
    test_fleet_close(&other);

    /* Evidence does not go away because a later page is fine. */
    fill_log(1);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(), 3);
    assert_int_equal(open_quarantine("equivocation"), 1);
}

struct trail_search {
    const char *code, *detail;
    bool is_found;
};

static enum ves_status visit_trail(void *ctx, const struct ves_record *row)
{
    struct trail_search *search = ctx;

    search->is_found =
        search->is_found || (ves_bytes_is(row->code, search->code) &&
                             ves_bytes_is(row->detail, search->detail));
    return VES_OK;
}

static bool trail_says(const char *code, const char *detail)
{
    struct trail_search search = {code, detail, false};
    struct ves_store *store = core_of(1)->store;

    assert_int_equal(store->ops->record_list(store, VES_RECORD_TRAIL,
                                             core_of(1)->stream_no, 0, false, 0,
                                             visit_trail, &search),
                     VES_OK);
    return search.is_found;
}

static void a_person_settles_what_no_answer_does(void **state)
{
    struct ves_agent_core *core = core_of(1);
    struct ves_bytes why = ves_bytes_str("two \"histories\", sequencer left");
    enum { NOW = 1000 };
    static const char said[] = "{\"alert\":1,\"code\":\"equivocation\","
                               "\"reason\":\"two \\\"histories\\\", "
                               "sequencer left\"}";

    one_number_for_two_events_is_equivocation(state);
    assert_int_equal(ves_core_settle(core, 1, ves_bytes_str(""), NOW),
                     VES_INVALID);
    assert_int_equal(ves_core_settle(core, 2, why, NOW), VES_NOT_FOUND);
    assert_int_equal(open_alerts("equivocation"), 1);
    assert_int_equal(ves_core_settle(core, 1, why, NOW), VES_OK);
    assert_int_equal(open_alerts("equivocation"), 0);
    assert_int_equal(open_quarantine("equivocation"), 0);
    assert_true(trail_says("settle", said));
    assert_int_equal(ves_core_settle(core, 1, why, NOW), VES_CONFLICT);
}

struct alert_search {
    const char *code;
    uint64_t no;
};

static enum ves_status visit_alert(void *ctx, const struct ves_record *row)
{
    struct alert_search *search = ctx;

    if (row->closed_ms == 0 && ves_bytes_is(row->code, search->code))
        search->no = row->no;
    return VES_OK;
}

static void settle(const char *code)
{
    struct ves_agent_core *core = core_of(1);
    struct alert_search search = {code, 0};

    assert_int_equal(core->store->ops->record_list(
                         core->store, VES_RECORD_ALERT, core->stream_no, 0,
                         false, 0, visit_alert, &search),
                     VES_OK);
    assert_int_equal(
        ves_core_settle(core, search.no, ves_bytes_str("looked at"), 1000),
        VES_OK);
}

/* The n-th of many false signatures of item 2 of a page from 1 on. */
static enum ves_status take_false_signature(const char *good, int n)
{
    char *bad = strdup(good);
    char *at =
        after(after(bad, "{\"envelope\":", 2), "\"agent_signature\":\"0x", 1) +
        n % 64;
    *at = (char)(*at == 'a' + n / 64 ? 'f' : 'a' + n / 64);
    enum ves_status status = take(bad, 1);
    free(bad);
    return status;
}

/* Whoever lies for ever does not fill the disk, and does not keep out what
 * else is proven. */
static void a_flood_of_falsehoods_is_bounded(void **state)
{
    (void)state;
    fill_log(3);
    char *good = strdup(make_page(1, 0));
    for (int n = 0; n < VES_EVIDENCE_ROWS_MAX + 20; n++) {
        assert_int_equal(take_false_signature(good, n), VES_REFUSED);
        assert_int_equal(cursor(), 1);
        assert_int_equal(result.quarantined, n < VES_EVIDENCE_ROWS_MAX);
    }
    assert_int_equal(open_quarantine("signature_invalid"),
                     VES_EVIDENCE_ROWS_MAX);
    assert_int_equal(open_alerts("signature_invalid"), 1);
    assert_int_equal(open_alerts(VES_EVIDENCE_FULL), 1);
    /* Another kind has its own room. */
    char *other = strdup(good);
    char *at = after(after(other, "{\"envelope\":", 2), "\"delta\":\"", 1);
    *at = *at == '1' ? '2' : '1';
    assert_int_equal(take(other, 1), VES_REFUSED);
    assert_int_equal(open_quarantine("hash_mismatch"), 1);
    free(other);

    /* The truth settles the lies, and makes no room for more of them; they are
     * seen all the same. */
    assert_int_equal(take(good, 1), VES_OK);
    assert_int_equal(cursor(), 3);
    assert_int_equal(open_quarantine(NULL), 0);
    assert_int_equal(open_alerts(NULL), 1);
    fill_log(3);
    free(good);
    good = strdup(make_page(4, 0));
    for (int n = 0; n < 2; n++) {
        char *bad = strdup(good);
        at = after(after(bad, "{\"envelope\":", 1), "\"agent_signature\":\"0x",
                   1);
        at[n] = at[n] == '1' ? '2' : '1';
        assert_int_equal(take(bad, 4), VES_REFUSED);
        assert_int_equal(result.quarantined, n);
        assert_int_equal(open_quarantine("signature_invalid"), n);
        assert_int_equal(open_alerts("signature_invalid"), 1);
        free(bad);
        /* Somebody looks: the next is kept. */
        if (n == 0)
            settle(VES_EVIDENCE_FULL);
    }
    assert_int_equal(open_alerts(VES_EVIDENCE_FULL), 0);
    free(good);
}

/* What is large is bounded by bytes, but never the first of its kind. */
static void large_evidence_is_bounded(void **state)
{
    struct ves_agent_core *core = core_of(1);
    size_t large = VES_EVIDENCE_BYTES_MAX + 1,
           part = VES_EVIDENCE_BYTES_MAX / 4;
    uint8_t *body = calloc(1, large);
    struct ves_device_alert alert = {.code = "log_fork", .detail = "two"};
    bool is_new;

    (void)state;
    assert_non_null(body);
    assert_int_equal(ves_device_begin(core), VES_OK);
    alert.body = ves_bytes(body, large);
    assert_int_equal(ves_device_quarantine(core, 1, &alert, &is_new), VES_OK);
    assert_true(is_new);
    body[0] = 1;
    alert.body = ves_bytes(body, 1);
    assert_int_equal(ves_device_quarantine(core, 1, &alert, &is_new), VES_OK);
    assert_false(is_new);
    for (uint8_t i = 0; i < 6; i++) {
        alert.code = "malformed";
        body[0] = i;
        alert.body = ves_bytes(body, part);
        assert_int_equal(ves_device_quarantine(core, 1, &alert, &is_new),
                         VES_OK);
        assert_int_equal(is_new, i < 4);
    }
    assert_int_equal(ves_device_end(core, VES_OK), VES_OK);
    assert_int_equal(open_quarantine(NULL), 5);
    assert_int_equal(open_alerts("malformed"), 1);
    assert_int_equal(open_alerts(VES_EVIDENCE_FULL), 1);
    free(body);
}

static enum ves_status look_at_version(void *ctx, const struct ves_log_row *row)
{
    *(uint32_t *)ctx = row->receipt_key_version;
    return VES_OK;
}

/* The version is not signed.  A store that kept none would be of no use to a
 * sequencer that has lost its log and asks its stores. */
static void a_receipt_without_a_version_gets_that_of_its_key(void **state)
{
    struct ves_store *store = core_of(1)->store;
    uint32_t version = 0;
    (void)state;
    fill_log(1);
    char *text = strdup(make_page(1, 0));
    *after(text, "\"sequencerKeyVersion\":", 1) = '0';
    assert_int_equal(take(text, 1), VES_OK);
    assert_int_equal(store->ops->log_read(store, core_of(1)->stream_no, 1, 1,
                                          look_at_version, &version),
                     VES_OK);
    assert_int_equal(version, 1);
    free(text);
}

static void an_event_cannot_have_two_numbers(void **state)
{
    (void)state;
    fill_log(1);
    /* A sequencer that numbers its first event again, with a true receipt. */
    char *text = make_page(1, 0);
    char *item = strdup(text);
    assert_int_equal(take(item, 1), VES_OK);
    char *number = after(item, "\"sequence_number\":", 1);
    *number = '2';
    char *receipt = after(item, "\"receipt\":", 1);
    *after(item, "\"sequenceNumber\":", 1) = '2';
    struct ves_event event;
    struct ves_refusal refusal;
    struct ves_arena arena;
    const struct ves_json *root;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(
        ves_json_read(&arena, ves_bytes_str(item), NULL, &root, NULL), VES_OK);
    const struct ves_json *first = ves_json_member(root, "events")->first;
    assert_int_equal(ves_event_from_json(&arena,
                                         ves_json_member(first, "envelope"),
                                         &event, &refusal),
                     VES_OK);
    assert_int_equal(ves_event_check(&arena, &event, &refusal), VES_OK);
    struct ves_receipt made = {.sequencer_id = test_id(0xaa),
                               .event_id = event.event_id,
                               .sequence_number = 2,
                               .key_version = 1};
    ves_receipt_hash(&fleet.hub.stream, &event.event_id, 2, &event.event_hash,
                     &made.receipt_hash);
    test_signer_sign(&fleet.hub.key, &made.receipt_hash, &made.signature);
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    ves_buf_put(&buf, item, (size_t)(receipt - item));
    ves_receipt_write(&buf, &made);
    ves_buf_put_str(&buf, "}],\"head_sequence\":2}");
    ves_buf_put_u8(&buf, 0);
    assert_int_equal(take((char *)buf.ptr, 2), VES_REFUSED);
    assert_int_equal(open_quarantine("event_id_reused"), 1);
    assert_int_equal(cursor(), 1);
    ves_buf_free(&buf);
    ves_arena_free(&arena);
    free(item);
}

static void a_sequencer_that_lost_its_tail_is_noticed(void **state)
{
    struct test_fleet other;

    (void)state;
    fill_log(3);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    test_fleet_adjust(&fleet, 1, "t", "1");

    assert_int_equal(
        take("{\"events\":[],\"head_sequence\":1,\"has_more\":false}", 4),
        VES_DIVERGED);
    assert_true(test_fleet_status(&fleet, 1).is_diverged);
    assert_int_equal(open_alerts("diverged"), 1);
    struct ves_push push;
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_DIVERGED);
    /* It gets longer again, but with another history: that is proven. */
    uint64_t from;
    assert_int_equal(ves_core_pull_from(core_of(1), &from), VES_OK);
    assert_int_equal(from, 3);
    test_fleet_open(&other, 1);
    for (int i = 0; i < 5; i++)
        test_fleet_adjust(&other, 0, "s", "9");
    assert_int_equal(test_fleet_push(&other, 0, NULL), VES_OK);
    ves_buf_reset(&page);
    test_fleet_page(&other, 3, 0, &page);
    ves_buf_put_u8(&page, 0);
    assert_int_equal(take((char *)page.ptr, 3), VES_REFUSED);
    assert_int_equal(open_quarantine("equivocation"), 1);
    assert_true(test_fleet_status(&fleet, 1).is_diverged);
    test_fleet_close(&other);
    /* The true history is back. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_false(test_fleet_status(&fleet, 1).is_diverged);
    assert_int_equal(open_alerts("diverged"), 0);
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
}

/* ---- own events ---------------------------------------------------------- */

static void own_events_leave_the_overlay_when_they_come_back(void **state)
{
    (void)state;
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_adjust(&fleet, 1, "s", "2");
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
    struct ves_uuid c = test_fleet_adjust(&fleet, 1, "s", "4");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", false), "3");
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", true), "7");
    struct ves_outbox_row row = test_fleet_row(&fleet, 1, &a);
    assert_false(row.is_in_overlay);
    assert_int_equal(row.status, VES_OUTBOX_SYNCING);
    assert_true(row.has_verdict);
    assert_true(test_fleet_row(&fleet, 1, &c).is_in_overlay);
}

static void a_lost_answer_is_made_good_by_the_pull(void **state)
{
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "1");
    struct ves_push push;

    (void)state;
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_OK);
    ves_buf_reset(&page);
    test_fleet_ingest(&fleet, 1, ves_buf_view(&push.body), &page);
    /* The pull overtakes the answer. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    struct ves_outbox_row row = test_fleet_row(&fleet, 1, &a);
    assert_true(row.has_receipt);
    assert_int_equal(row.sequence_number, 1);
    assert_int_equal(row.status, VES_OUTBOX_SYNCING);
    assert_int_equal(test_fleet_end(&fleet, 1, &push, 0, "", NULL),
                     VES_UNREACHABLE);
    assert_int_equal(test_fleet_row(&fleet, 1, &a).status, VES_OUTBOX_SYNCING);
    ves_core_push_release(core_of(1), &push);
    ves_push_free(&push, ves_alloc_default());
    struct ves_ack_result acknowledged = {0};
    assert_int_equal(
        ves_core_acknowledge(core_of(1), NULL, 0, 1, &acknowledged), VES_OK);
    assert_int_equal(acknowledged.acknowledged, 1);
}

/* Device 1 goes on from an older copy of its store. */
static void restore(struct ves_store *older)
{
    ves_store_mem_close(fleet.devices[1].store);
    fleet.devices[1].store = older;
    core_of(1)->store = older;
    assert_int_equal(ves_core_load(core_of(1)), VES_OK);
}

static void a_restored_store_takes_its_events_back(void **state)
{
    (void)state;
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    struct ves_uuid b = test_fleet_adjust(&fleet, 1, "s", "2");
    struct ves_uuid c = test_fleet_adjust(&fleet, 1, "s", "3");
    test_fleet_sync(&fleet, 1);
    struct ves_outbox_row lost = test_fleet_row(&fleet, 1, &c);
    restore(older);
    assert_int_equal(cursor(), 1);

    /* Nothing is pushed before they are back. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 1, NULL), VES_OK);
    assert_true(test_fleet_status(&fleet, 1).is_restoring);
    struct ves_push push;
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_AGAIN);
    assert_int_equal(test_fleet_pull(&fleet, 1, 1, NULL), VES_OK);
    assert_false(test_fleet_status(&fleet, 1).is_restoring);
    assert_false(test_fleet_status(&fleet, 1).is_copied);

    struct ves_outbox_row back = test_fleet_row(&fleet, 1, &c);
    assert_int_equal(back.agent_seq, lost.agent_seq);
    assert_int_equal(back.sequence_number, lost.sequence_number);
    assert_int_equal(back.status, VES_OUTBOX_SYNCING);
    assert_true(back.has_receipt);
    assert_false(back.is_in_overlay);
    assert_true(test_fleet_row(&fleet, 1, &b).has_receipt);
    assert_true(test_fleet_row(&fleet, 1, &a).has_receipt);
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", true), "6");

    /* The chain goes on after them. */
    struct ves_uuid d = test_fleet_adjust(&fleet, 1, "s", "4");
    assert_int_equal(test_fleet_row(&fleet, 1, &d).agent_seq, 4);
    assert_true(memcmp(c.b, d.b, VES_UUID_SIZE) < 0);
    test_fleet_sync(&fleet, 1);
    test_fleet_sync(&fleet, 0);
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "s", "on_hand", true), "10");
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_SYNCED], 4);
}

static void a_lost_store_is_taken_back_whole(void **state)
{
    (void)state;
    for (int i = 0; i < 250; i++)
        test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);
    ves_store_mem_close(fleet.devices[1].store);
    test_fleet_device(&fleet, 1, &fleet.devices[1]);
    struct test_counting counting;
    test_counting_init(&counting, core_of(1)->store);
    core_of(1)->store = &counting.store;
    test_fleet_sync(&fleet, 1);
    core_of(1)->store = counting.inner;
    /* Not once for each event that comes back. */
    assert_in_range(counting.calls.outbox_list, 0, 20);
    struct ves_core_status status = test_fleet_status(&fleet, 1);
    assert_int_equal(status.counts[VES_OUTBOX_SYNCED], 250);
    assert_false(status.is_copied);
    struct ves_uuid next = test_fleet_adjust(&fleet, 1, "s", "1");
    assert_int_equal(test_fleet_row(&fleet, 1, &next).agent_seq, 251);
}

static void a_copied_store_stops_pushing_and_keeps_everything(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);
    struct ves_store *copy = test_fleet_copy(&fleet, &fleet.devices[1]);
    test_fleet_adjust(&fleet, 1, "s", "2");
    test_fleet_adjust(&fleet, 1, "s", "3");
    test_fleet_sync(&fleet, 1);

    restore(copy);
    struct ves_uuid mine = test_fleet_adjust(&fleet, 1, "s", "4");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    struct ves_core_status status = test_fleet_status(&fleet, 1);
    assert_true(status.is_copied);
    assert_int_equal(status.cursor, 3); /* the log itself is fine */
    assert_int_equal(open_alerts("copied_store"), 1);
    struct ves_push push;
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_DIVERGED);
    assert_non_null(strstr(core_of(1)->error.text, "new invitation"));
    assert_int_equal(test_fleet_row(&fleet, 1, &mine).status,
                     VES_OUTBOX_PENDING);
    /* Local work goes on. */
    test_fleet_adjust(&fleet, 1, "s", "5");
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", true), "15");
    /* It stays so, and the alert is one. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(open_alerts("copied_store"), 1);
}

/* A store that is an older copy and knows it: ves_store_sqlite_backup put the
 * mark there. */
static void restore_backup(struct ves_store *older)
{
    assert_int_equal(older->ops->begin(older), VES_OK);
    assert_int_equal(
        older->ops->meta_put(older, VES_STORE_BACKUP, ves_bytes_str("1")),
        VES_OK);
    assert_int_equal(older->ops->commit(older), VES_OK);
    restore(older);
}

static enum ves_status rechain(void)
{
    return ves_core_rechain(core_of(1), 1);
}

static void what_was_written_to_a_backup_is_signed_again_behind(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);
    struct ves_uuid waiting = test_fleet_adjust(&fleet, 1, "w", "1");
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    test_fleet_adjust(&fleet, 1, "s", "2");
    test_fleet_adjust(&fleet, 1, "s", "3");
    test_fleet_sync(&fleet, 1);

    restore_backup(older);
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "4");
    struct ves_uuid b = test_fleet_adjust(&fleet, 1, "s", "5");
    struct ves_outbox_row before = test_fleet_row(&fleet, 1, &b);
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 3);
    struct ves_push push;
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_AGAIN);
    assert_true(test_fleet_status(&fleet, 1).is_restoring);

    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_false(test_fleet_status(&fleet, 1).is_copied);
    /* Everything is back, but they stand where others stand. */
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_AGAIN);
    struct ves_uuid late = test_fleet_adjust(&fleet, 1, "s", "6");
    assert_int_equal(rechain(), VES_OK);
    assert_int_equal(test_fleet_row(&fleet, 1, &waiting).agent_seq, 2);
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 5);
    struct ves_outbox_row after = test_fleet_row(&fleet, 1, &b);
    assert_int_equal(after.agent_seq, 6);
    assert_int_equal(test_fleet_row(&fleet, 1, &late).agent_seq, 7);
    assert_false(ves_hash_equal(&before.event_hash, &after.event_hash));
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", true), "21");
    assert_int_equal(rechain(), VES_OK); /* nothing more to do */
    assert_int_equal(test_fleet_row(&fleet, 1, &late).agent_seq, 7);

    test_fleet_sync(&fleet, 1);
    test_fleet_sync(&fleet, 0);
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_SYNCED], 7);
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "s", "on_hand", true), "21");
    assert_false(test_fleet_status(&fleet, 1).is_restoring);
}

#define NOTHING "{\"events\":[],\"head_sequence\":0,\"has_more\":false}"

/* What a cache may still say of a log: the answer from the day of the backup.
 * Nothing proves where a log ends. */
static void an_end_told_too_early_makes_no_copy(void **state)
{
    struct ves_core_own own;
    bool is_known;

    (void)state;
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    struct ves_uuid lost = test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_adjust(&fleet, 1, "s", "2");
    test_fleet_sync(&fleet, 1);

    restore_backup(older);
    assert_int_equal(take(NOTHING, 1), VES_OK);
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "4");
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 1);
    /* Whoever pushes for it has to ask; that answer is another one. */
    assert_int_equal(ves_core_own(core_of(1), &own), VES_OK);
    assert_false(own.needs_pull);
    assert_true(own.was_backup);
    assert_int_equal(ves_core_own_counted(core_of(1), 0, 2, 2, &is_known),
                     VES_OK);
    assert_false(is_known);

    /* Told again in the middle of what comes back. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 1, NULL), VES_OK);
    assert_true(test_fleet_status(&fleet, 1).is_restoring);
    assert_int_equal(take(NOTHING, 1), VES_OK);
    struct ves_uuid b = test_fleet_adjust(&fleet, 1, "s", "8");
    assert_int_equal(rechain(), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_false(test_fleet_status(&fleet, 1).is_copied);
    assert_int_equal(open_alerts("copied_store"), 0);
    assert_int_equal(test_fleet_row(&fleet, 1, &lost).agent_seq, 1);
    assert_int_equal(rechain(), VES_OK);
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 3);
    assert_int_equal(test_fleet_row(&fleet, 1, &b).agent_seq, 4);
    test_fleet_sync(&fleet, 1);
    test_fleet_sync(&fleet, 0);
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_SYNCED], 4);
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "s", "on_hand", true), "15");
}

/* Once two answers agree it is a store like any other. */
static void a_backup_that_is_whole_can_be_a_copy(void **state)
{
    struct ves_core_own own;

    (void)state;
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    restore_backup(older);
    assert_int_equal(take(NOTHING, 1), VES_OK);
    assert_int_equal(ves_core_own_whole(core_of(1)), VES_OK);
    assert_int_equal(ves_core_own(core_of(1), &own), VES_OK);
    assert_false(own.was_backup);
    test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);

    older = test_fleet_copy(&fleet, &fleet.devices[1]);
    test_fleet_adjust(&fleet, 1, "s", "2");
    test_fleet_sync(&fleet, 1);
    restore(older);
    test_fleet_adjust(&fleet, 1, "s", "4");
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_true(test_fleet_status(&fleet, 1).is_copied);
}

static void an_append_between_two_pages_is_signed_again(void **state)
{
    (void)state;
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    for (int i = 0; i < 3; i++)
        test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);
    restore(older);
    assert_int_equal(test_fleet_pull(&fleet, 1, 1, NULL), VES_OK);
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "1");
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 2);
    assert_int_equal(test_fleet_pull(&fleet, 1, 1, NULL), VES_OK);
    assert_int_equal(rechain(), VES_OK); /* too early */
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 2);
    assert_int_equal(test_fleet_pull(&fleet, 1, 1, NULL), VES_OK);
    assert_false(test_fleet_status(&fleet, 1).is_copied);
    assert_int_equal(rechain(), VES_OK);
    assert_int_equal(test_fleet_row(&fleet, 1, &a).agent_seq, 4);
    test_fleet_sync(&fleet, 1);
    assert_int_equal(test_fleet_status(&fleet, 1).counts[VES_OUTBOX_SYNCED], 4);
}

/* Whether it arrived nobody knows: another event under its id could follow. */
static void what_may_have_left_is_never_signed_again(void **state)
{
    struct ves_push push;

    (void)state;
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    test_fleet_adjust(&fleet, 1, "s", "1");
    test_fleet_sync(&fleet, 1);
    restore(older);
    struct ves_uuid a = test_fleet_adjust(&fleet, 1, "s", "2");
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_OK);
    ves_core_push_release(core_of(1), &push);
    ves_push_free(&push, ves_alloc_default());
    assert_int_equal(ves_core_load(core_of(1)), VES_OK);
    struct ves_outbox_row before = test_fleet_row(&fleet, 1, &a);
    restore_backup(test_fleet_copy(&fleet, &fleet.devices[1]));
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_true(test_fleet_status(&fleet, 1).is_copied);
    assert_int_equal(rechain(), VES_OK);
    struct ves_outbox_row after = test_fleet_row(&fleet, 1, &a);
    assert_int_equal(after.agent_seq, before.agent_seq);
    assert_true(ves_hash_equal(&before.event_hash, &after.event_hash));
}

/* Events that reach the log out of the agent's own order are no copy. */
static void own_events_out_of_order_are_taken_back_too(void **state)
{
    struct ves_push push;
    struct ves_buf one, two;

    (void)state;
    struct ves_store *older = test_fleet_copy(&fleet, &fleet.devices[1]);
    ves_buf_init(&one, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&two, ves_alloc_default(), TEXT_MAX);
    test_fleet_adjust(&fleet, 1, "a", "1");
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_OK);
    ves_buf_put_bytes(&one, ves_buf_view(&push.body));
    ves_push_free(&push, ves_alloc_default());
    test_fleet_adjust(&fleet, 1, "b", "1");
    assert_int_equal(test_fleet_begin(&fleet, 1, 0, true, &push), VES_OK);
    assert_int_equal(push.count, 2);
    ves_core_push_release(core_of(1), &push);
    ves_push_free(&push, ves_alloc_default());
    /* The second alone, then the first. */
    struct test_device *device = &fleet.devices[1];
    struct ves_outbox_row row;
    struct ves_arena arena;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    struct ves_uuid c = test_fleet_adjust(&fleet, 1, "c", "1");
    assert_int_equal(
        device->store->ops->outbox_get(device->store, &c, 1, &arena, &row),
        VES_OK);
    ves_buf_put_str(&two, "{\"agentId\":\"");
    ves_buf_put_uuid(&two, &device->core.agent);
    ves_buf_put_str(&two, "\",\"events\":[");
    ves_buf_put_bytes(&two, row.envelope);
    ves_buf_put_str(&two, "]}");
    ves_buf_reset(&page);
    test_fleet_ingest(&fleet, 1, ves_buf_view(&two), &page);
    ves_buf_reset(&page);
    test_fleet_ingest(&fleet, 1, ves_buf_view(&one), &page);
    restore(older);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    struct ves_core_status status = test_fleet_status(&fleet, 1);
    assert_false(status.is_copied);
    assert_int_equal(status.counts[VES_OUTBOX_SYNCING], 2);
    struct ves_uuid d = test_fleet_adjust(&fleet, 1, "d", "1");
    assert_int_equal(test_fleet_row(&fleet, 1, &d).agent_seq, 4);
    ves_arena_free(&arena);
    ves_buf_free(&one);
    ves_buf_free(&two);
}

/* ---- keys ---------------------------------------------------------------- */

static enum ves_status give_directory(void)
{
    struct ves_buf buf;

    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_directory(&fleet, &buf);
    enum ves_status status =
        ves_core_keys(core_of(1), ves_buf_view(&buf), fleet.hub.now_ms);
    ves_buf_free(&buf);
    return status;
}

static void a_directory_must_be_signed_and_ours(void **state)
{
    struct ves_buf buf;

    (void)state;
    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_directory(&fleet, &buf);
    ves_buf_put_u8(&buf, 0);
    char *text = (char *)buf.ptr;
    char *at = after(text, "\"publicKey\":\"0x", 1);
    char keep = *at;
    *at = keep == '1' ? '2' : '1';
    assert_int_equal(ves_core_keys(core_of(1), ves_bytes_str(text), 1),
                     VES_REFUSED);
    assert_int_equal(open_alerts("directory_invalid"), 1);
    *at = keep;
    assert_int_equal(ves_core_keys(core_of(1), ves_bytes_str("{}"), 1),
                     VES_MALFORMED);
    assert_int_equal(ves_core_keys(core_of(1), ves_bytes_str("{"), 1),
                     VES_MALFORMED);
    ves_buf_free(&buf);

    fleet.hub.sequencer.key_version = 2;
    assert_int_equal(give_directory(), VES_AGAIN);
    fleet.hub.sequencer.key_version = 1;
    struct ves_uuid store = fleet.hub.stream.store;
    fleet.hub.stream.store = test_id(0x5555);
    assert_int_equal(give_directory(), VES_REFUSED);
    fleet.hub.stream.store = store;
    assert_int_equal(test_fleet_status(&fleet, 1).open_alerts, 2);
    /* Until the answer verifies. */
    assert_int_equal(give_directory(), VES_OK);
    assert_int_equal(test_fleet_status(&fleet, 1).open_alerts, 0);
}

static void a_pinned_key_never_changes(void **state)
{
    struct ves_store *hub = fleet.hub_store;
    struct ves_key_row row;
    struct ves_arena arena;

    (void)state;
    fill_log(1);
    assert_int_equal(give_directory(), VES_OK);
    assert_int_equal(give_directory(), VES_OK);

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(hub->ops->key_get(hub, &fleet.hub.stream.tenant,
                                       &core_of(0)->agent, 1, &arena, &row),
                     VES_OK);
    row.public_key = fleet.hub.agent_key.signer.public_key;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(hub->ops->key_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    ves_arena_free(&arena);
    assert_int_equal(give_directory(), VES_REFUSED);
    assert_int_equal(open_alerts("key_changed"), 1);
    /* What was pinned still verifies. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(), 1);
}

static void own_key_in_the_directory_must_be_ours(void **state)
{
    struct test_signer real = fleet.devices[1].key;

    (void)state;
    test_signer_init(&fleet.devices[1].key, 77);
    assert_int_equal(give_directory(), VES_REFUSED);
    assert_int_equal(open_alerts("key_changed"), 1);
    fleet.devices[1].key = real;
}

static void
an_end_is_taken_once_and_an_old_directory_changes_nothing(void **state)
{
    struct ves_buf old;

    (void)state;
    fill_log(2);
    assert_int_equal(give_directory(), VES_OK);
    ves_buf_init(&old, ves_alloc_default(), TEXT_MAX);
    test_fleet_directory(&fleet, &old);
    assert_int_equal(ves_sequencer_revoke_key(
                         &fleet.hub.sequencer, &fleet.hub.stream.tenant,
                         &core_of(0)->agent, 1, fleet.hub.now_ms, NULL, NULL),
                     VES_OK);
    assert_int_equal(give_directory(), VES_OK);
    /* A late answer from before is no contradiction. */
    assert_int_equal(ves_core_keys(core_of(1), ves_buf_view(&old), 1), VES_OK);
    struct ves_store *store = fleet.devices[1].store;
    struct ves_key_span span;
    assert_int_equal(store->ops->key_span_get(store, core_of(1)->stream_no,
                                              &core_of(0)->agent, 1, &span),
                     VES_OK);
    assert_int_equal(span.revoked_at_sequence, 3);
    ves_buf_free(&old);
}

/* A list of the sequencer's keys with a second one; signer vouches for it. */
static void write_rotation(const struct test_signer *next,
                           const struct test_signer *signer)
{
    struct ves_hash hash;
    struct ves_sig sig;

    ves_seqkey_hash(&fleet.hub.key.signer.public_key, &next->signer.public_key,
                    2, &hash);
    test_signer_sign(signer, &hash, &sig);
    ves_buf_reset(&page);
    ves_buf_put_str(&page, "{\"keys\":[{\"version\":1,\"publicKey\":\"");
    ves_buf_put_hex(&page, fleet.hub.key.signer.public_key.b, VES_KEY_SIZE);
    ves_buf_put_str(&page, "\"},{\"version\":2,\"publicKey\":\"0x");
    ves_buf_put_hex(&page, next->signer.public_key.b, VES_KEY_SIZE);
    ves_buf_put_str(&page, "\",\"statementSignature\":\"");
    ves_buf_put_hex(&page, sig.b, VES_SIG_SIZE);
    ves_buf_put_str(&page, "\"}]}");
}

static void a_new_sequencer_key_needs_its_predecessor(void **state)
{
    struct ves_agent_core *core = core_of(1);
    struct test_signer next;

    (void)state;
    test_signer_init(&next, 55);
    write_rotation(&next, &next);
    assert_int_equal(ves_core_sequencer_keys(core, ves_buf_view(&page), 1),
                     VES_REFUSED);
    assert_int_equal(core->sequencer_key_count, 1);
    assert_int_equal(open_alerts("sequencer_key_changed"), 1);
    write_rotation(&next, &fleet.hub.key);
    assert_int_equal(ves_core_sequencer_keys(core, ves_buf_view(&page), 1),
                     VES_OK);
    assert_int_equal(core->sequencer_key_count, 2);
    assert_int_equal(open_alerts("sequencer_key_changed"), 0);

    /* Receipts of both verify, now and after the store is opened again. */
    fill_log(1);
    fleet.hub.key = next;
    fleet.hub.sequencer.signer = &fleet.hub.key.signer;
    fleet.hub.sequencer.key_version = 2;
    test_fleet_adjust(&fleet, 1, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
    assert_int_equal(ves_core_load(core), VES_OK);
    assert_int_equal(core->sequencer_key_count, 2);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(), 2);

    /* Another key under a pinned version is refused. */
    fleet.hub.key = fleet.devices[0].key;
    write_rotation(&next, &fleet.hub.key);
    assert_int_equal(ves_core_sequencer_keys(core, ves_buf_view(&page), 1),
                     VES_REFUSED);
    assert_int_equal(core->sequencer_key_count, 2);
    assert_int_equal(
        ves_core_sequencer_keys(core, ves_bytes_str("{\"keys\":7}"), 1),
        VES_MALFORMED);
}

/* ---- atomic groups ------------------------------------------------------- */

static void add_group(size_t n, uint32_t command, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ves_core_env env = test_fleet_env(&fleet);
        const struct ves_core_append what = {
            .event_type = ves_bytes_str("inventory.adjusted"),
            .entity_id = ves_bytes_str("g"),
            .payload = ves_bytes_str("{\"delta\":1}"),
            .has_command_id = true,
            .command_id = test_id(command),
            .cmd_index = i,
            .cmd_count = count};
        struct ves_uuid id;
        assert_int_equal(ves_core_append(core_of(n), &env, &what, &id), VES_OK);
    }
}

static void a_group_is_applied_whole(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "x", "1");
    test_fleet_adjust(&fleet, 0, "x", "1");
    add_group(0, 1, 4);
    test_fleet_adjust(&fleet, 0, "x", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);

    /* A page that ends inside the group gives its beginning back. */
    assert_int_equal(take(make_page(1, 4), 1), VES_OK);
    assert_int_equal(cursor(), 2);
    assert_true(result.has_more);
    assert_int_equal(take(make_page(3, 4), 3), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(take(make_page(7, 4), 7), VES_OK);
    assert_int_equal(cursor(), 7);
}

static void a_group_larger_than_a_page_does_not_stall(void **state)
{
    (void)state;
    add_group(0, 1, 10);
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(test_fleet_pull(&fleet, 1, 3, NULL), VES_OK);
    assert_int_equal(cursor(), 9);
    assert_int_equal(test_fleet_pull(&fleet, 1, 3, NULL), VES_OK);
    assert_int_equal(cursor(), 10);
}

static void a_group_with_a_bad_member_waits_whole(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "x", "1");
    add_group(0, 1, 4);
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    char *text = make_page(1, 0);
    char *at = after(text, "\"agent_signature\":\"0x", 4);
    *at = *at == '1' ? '2' : '1';
    assert_int_equal(take(text, 1), VES_REFUSED);
    assert_int_equal(cursor(), 1);
    assert_int_equal(take(make_page(2, 0), 2), VES_OK);
    assert_int_equal(cursor(), 5);
}

static void half_a_group_at_the_end_of_the_log_is_applied(void **state)
{
    (void)state;
    add_group(0, 1, 4);
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    char *text = make_page(1, 2);
    char *head = after(text, "\"head_sequence\":", 1);
    *head = '2';
    memcpy(after(text, "\"has_more\":", 1), "false}", 7);
    assert_int_equal(take(text, 1), VES_OK);
    assert_int_equal(cursor(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_applied_and_applied_once),
        TEST(pages_overlap_and_go_on),
        TEST(the_chain_of_an_entity_holds_across_pages),
        TEST(bytes_in_another_spelling_are_kept_as_received),
        TEST(without_receipts_the_position_is_unproven),
        TEST(gaps_stop_and_nothing_is_recorded),
        TEST(a_page_cut_anywhere_applies_what_is_whole),
        TEST(an_unknown_key_asks_for_the_directory),
        TEST(falsehoods_stop_before_the_event),
        TEST(a_receipt_for_another_number_does_not_bind),
        TEST(a_renumbered_log_does_not_verify),
        TEST(a_key_is_valid_from_and_until_its_numbers),
        TEST(one_number_for_two_events_is_equivocation),
        TEST(a_person_settles_what_no_answer_does),
        TEST(a_flood_of_falsehoods_is_bounded),
        TEST(large_evidence_is_bounded),
        TEST(a_receipt_without_a_version_gets_that_of_its_key),
        TEST(an_event_cannot_have_two_numbers),
        TEST(a_sequencer_that_lost_its_tail_is_noticed),
        TEST(own_events_leave_the_overlay_when_they_come_back),
        TEST(a_lost_answer_is_made_good_by_the_pull),
        TEST(a_restored_store_takes_its_events_back),
        TEST(a_lost_store_is_taken_back_whole),
        TEST(what_was_written_to_a_backup_is_signed_again_behind),
        TEST(an_end_told_too_early_makes_no_copy),
        TEST(a_backup_that_is_whole_can_be_a_copy),
        TEST(an_append_between_two_pages_is_signed_again),
        TEST(what_may_have_left_is_never_signed_again),
        TEST(a_copied_store_stops_pushing_and_keeps_everything),
        TEST(own_events_out_of_order_are_taken_back_too),
        TEST(a_directory_must_be_signed_and_ours),
        TEST(a_pinned_key_never_changes),
        TEST(own_key_in_the_directory_must_be_ours),
        TEST(an_end_is_taken_once_and_an_old_directory_changes_nothing),
        TEST(a_new_sequencer_key_needs_its_predecessor),
        TEST(a_group_is_applied_whole),
        TEST(a_group_larger_than_a_page_does_not_stall),
        TEST(a_group_with_a_bad_member_waits_whole),
        TEST(half_a_group_at_the_end_of_the_log_is_applied),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
