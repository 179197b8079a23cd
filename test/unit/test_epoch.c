/* test_epoch.c -- a log that goes on without a tail that is lost for good: the
 * opening, and what a store makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/epoch.h"
#include "core/merkle.h"
#include "engine/log_epoch.h"
#include "engine/log_recover.h"
#include "engine/log_tree.h"
#include "engine/own_event.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_ops.h"
#include "json/jcs.h"

enum { TEXT_MAX = 16 * 1024 * 1024, READER = 1 };

/* One sequencer, and the same again as it comes back from a backup: first has
 * the tail, second opens the epoch. */
static struct test_fleet first, second;
static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    test_fleet_open(&first, 2);
    test_fleet_open(&second, 2);
    first.has_receipts = first.has_log = true;
    second.has_receipts = second.has_log = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_fleet_close(&first);
    test_fleet_close(&second);
    ves_arena_free(&arena);
    return 0;
}

static void grow(struct test_fleet *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_fleet_adjust(at, 0, "MUG", "1");
    assert_int_equal(test_fleet_push(at, 0, NULL), VES_OK);
}

static struct ves_stream_row stream_of(struct test_fleet *at)
{
    struct ves_stream_row row;

    assert_int_equal(at->hub_store->ops->stream_get(
                         at->hub_store, &at->hub.stream, false, &row),
                     VES_OK);
    return row;
}

static struct ves_hash root_at(struct test_fleet *at, uint64_t size)
{
    struct ves_hash root;

    assert_int_equal(
        ves_log_root_at(at->hub_store, stream_of(at).stream_no, size, &root),
        VES_OK);
    return root;
}

static void freeze(struct test_fleet *at)
{
    assert_int_equal(ves_log_freeze(&at->hub.sequencer, &at->hub.stream,
                                    ves_bytes_str("test"), ves_bytes(NULL, 0),
                                    at->hub.now_ms),
                     VES_OK);
}

/* The head of size entries that `of` signed is given up by second. */
static enum ves_status open_epoch(struct test_fleet *of, uint64_t size)
{
    const struct ves_log_giving_up what = {.stream = second.hub.stream,
                                           .size = size,
                                           .root = root_at(of, size),
                                           .reason = ves_bytes_str("it burnt")};
    const struct ves_uuid batch = {{9}};
    struct ves_log_head head;
    struct ves_error error;

    enum ves_status status =
        ves_log_epoch_open(&second.hub.sequencer, &what, &batch,
                           second.hub.now_ms, &arena, &head, &error);
    if (!status && head.is_due)
        status = ves_log_head_keep(&second.hub.sequencer, &head, 1);
    return status;
}

static struct ves_store *store(void)
{
    return first.devices[READER].core.store;
}

static struct ves_follow_row follow(void)
{
    struct ves_follow_row row = {.logged = 0};

    assert_int_equal(
        store()->ops->follow_get(store(), first.devices[READER].core.stream_no,
                                 &arena, &row),
        VES_OK);
    return row;
}

static uint64_t cursor(void)
{
    return test_fleet_status(&first, READER).cursor;
}

static size_t alerts(const char *code)
{
    return test_fleet_open_records(&first, READER, VES_RECORD_ALERT, code);
}

/* The reader is given a page by that sequencer. */
static enum ves_status take(struct test_fleet *teller, uint64_t from,
                            uint32_t limit)
{
    struct ves_pull_result result = {0};
    struct ves_buf page;

    ves_buf_init(&page, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(teller, from, limit, &page);
    enum ves_status status =
        test_fleet_take(&first, READER, ves_buf_view(&page), from, &result);
    ves_buf_free(&page);
    return status;
}

/* Until it stands still. */
static enum ves_status take_all(void)
{
    enum ves_status status = VES_OK;
    uint64_t before;

    do {
        before = cursor();
        status = take(&second, before > 0 ? before : 1, 0);
    } while (!status && cursor() > before);
    return status;
}

/* ---- the opening --------------------------------------------------------- */

static void names_follow_from_each_other(void **state)
{
    static const struct {
        const char *before;
        uint64_t epoch;
    } cases[] = {{"log.example", 0},           {"log.example/epoch/1", 1},
                 {"log.example/epoch/12", 12}, {"log.example/epoch/0", 0},
                 {"log.example/epoch/01", 0},  {"/epoch/3", 0},
                 {"log.example/epoch/", 0},    {"epoch/3", 0}};
    const struct ves_hash id = {{7}};
    struct ves_bytes host;
    struct ves_buf buf;

    (void)state;
    ves_buf_init(&buf, ves_alloc_default(), 1024);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ves_buf_reset(&buf);
        ves_origin_write(&buf, ves_bytes_str(cases[i].before), &id);
        assert_int_equal(ves_epoch_of_origin(ves_buf_view(&buf), &host),
                         cases[i].epoch);
        if (cases[i].epoch > 0)
            assert_true(ves_bytes_is(host, "log.example"));
        else
            assert_true(ves_bytes_is(host, cases[i].before));
    }
    for (uint64_t n = 0; n < 3; n++) {
        ves_buf_reset(&buf);
        ves_epoch_origin_write(&buf, ves_bytes_str("h"), n, &id);
        assert_int_equal(ves_epoch_of_origin(ves_buf_view(&buf), &host), n);
        assert_true(ves_bytes_is(host, "h"));
    }
    ves_buf_free(&buf);
}

static void a_frozen_stream_takes_the_opening_only(void **state)
{
    struct ves_log_epoch last;
    struct ves_hash id;
    struct ves_buf name;

    (void)state;
    grow(&first, 5);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    assert_int_equal(stream_of(&second).head, 4);
    /* Cut short and done again it is the same one. */
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    assert_int_equal(stream_of(&second).head, 4);
    assert_int_equal(
        ves_log_epoch_last(second.hub_store, stream_of(&second).stream_no,
                           &second.hub.sequencer.sequencer_id, &arena, &last),
        VES_OK);
    struct ves_hash lost = root_at(&first, 5), common = root_at(&second, 3);
    assert_int_equal(last.sequence, 4);
    assert_int_equal(last.epoch.number, 1);
    assert_int_equal(last.epoch.common.size, 3);
    assert_true(ves_hash_equal(&last.epoch.common.root, &common));
    assert_int_equal(last.epoch.lost.size, 5);
    assert_true(ves_hash_equal(&last.epoch.lost.root, &lost));
    assert_true(ves_bytes_is(last.epoch.reason, "it burnt"));
    ves_buf_init(&name, ves_alloc_default(), 1024);
    ves_stream_id(&second.hub.stream, &id);
    assert_int_equal(ves_log_origin_write(&name, &second.hub.sequencer,
                                          second.hub_store,
                                          stream_of(&second).stream_no, &id),
                     VES_OK);
    assert_true(ves_bytes_equal(ves_buf_view(&name), last.epoch.origin));
    ves_buf_free(&name);
}

/* ---- stores that have nothing beyond ------------------------------------- */

/* The reader knows three events and their head; two are lost, of which it may
 * have one receipt. */
static void lose_tail(bool has_promise)
{
    grow(&first, 3);
    test_fleet_sign(&first);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    if (has_promise) {
        test_fleet_adjust(&first, READER, "BOWL", "1");
        assert_int_equal(test_fleet_push(&first, READER, NULL), VES_OK);
    } else {
        grow(&first, 1);
    }
    grow(&first, 1);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    grow(&second, 2);
    test_fleet_sign(&second);
}

static void a_store_goes_on(void **state)
{
    struct ves_bytes host;

    (void)state;
    lose_tail(false);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(follow().logged, 6);
    assert_int_equal(ves_epoch_of_origin(follow().origin, &host), 1);
    assert_int_equal(alerts("epoch_opened"), 1);
    assert_int_equal(alerts(NULL), 1);
    /* The old history is not taken for the new one again. */
    assert_int_equal(take(&first, 3, 0), VES_REFUSED);
    assert_int_equal(cursor(), 6);
}

/* Whatever the sizes of pages are. */
static void pages_end_anywhere(void **state)
{
    (void)state;
    lose_tail(false);
    for (int i = 0; i < 20 && cursor() < 6; i++)
        assert_int_equal(take(&second, cursor(), 1 + (uint32_t)i % 3), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(take(&second, 6, 0), VES_OK);
    assert_int_equal(follow().logged, 6);
    assert_int_equal(alerts("epoch_opened"), 1);
}

static void a_broken_receipt_is_kept(void **state)
{
    struct ves_promise_row row;
    size_t found;

    (void)state;
    lose_tail(true);
    assert_int_equal(
        store()->ops->outbox_promised(store(), 1, 99, 1, &row, &found), VES_OK);
    assert_int_equal(found, 1);
    assert_int_equal(row.sequence_number, 4);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(
        store()->ops->outbox_promised(store(), 1, 99, 1, &row, &found), VES_OK);
    assert_int_equal(found, 0);
    assert_int_equal(
        test_fleet_status(&first, READER).counts[VES_OUTBOX_PENDING], 1);
    assert_int_equal(alerts("epoch_opened"), 1);
    assert_int_equal(alerts("receipt_broken"), 0);
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "BOWL", "on_hand", true),
        "1");
}

/* A head that was verified beyond the common one, by a store that has not got
 * its events. */
static void a_head_beyond_is_given_up(void **state)
{
    struct ves_kept_head kept[8];
    size_t found;

    (void)state;
    grow(&first, 5);
    test_fleet_sign(&first);
    assert_int_equal(take(&first, 1, 3), VES_OK);
    assert_int_equal(cursor(), 3);
    assert_int_equal(follow().logged, 5);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    grow(&second, 2);
    test_fleet_sign(&second);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(follow().logged, 6);
    assert_int_equal(alerts("epoch_opened"), 1);
    assert_int_equal(
        store()->ops->kept_heads_read(
            store(), first.devices[READER].core.stream_no, 4, 8, kept, &found),
        VES_OK);
    for (size_t i = 0; i < found; i++) {
        struct ves_hash root = root_at(&second, kept[i].size);
        assert_true(ves_hash_equal(&kept[i].root, &root));
    }
}

/* Who pulls from the start reads it as history. */
static void a_new_store_reads_history(void **state)
{
    (void)state;
    grow(&first, 5);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    grow(&second, 3);
    test_fleet_sign(&second);
    assert_int_equal(take(&second, 1, 2), VES_OK);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 7);
    assert_int_equal(follow().logged, 7);
    assert_int_equal(alerts(NULL), 0);
}

/* Epochs may follow each other. */
static void a_second_epoch(void **state)
{
    struct ves_bytes host;

    (void)state;
    lose_tail(false);
    assert_int_equal(take_all(), VES_OK);
    freeze(&second);
    grow(&first, 4);
    assert_int_equal(open_epoch(&first, 9), VES_OK);
    grow(&second, 1);
    test_fleet_sign(&second);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 8);
    assert_int_equal(follow().logged, 8);
    assert_int_equal(ves_epoch_of_origin(follow().origin, &host), 2);
    assert_int_equal(alerts("epoch_opened"), 2);
}

/* A name is moved by an opening alone: a history that is shown under the name
 * of an epoch nobody opened is refused, even to a store that knows no name yet.
 */
static void a_name_without_an_opening(void **state)
{
    struct ves_checkpoint head = {.size = 4};
    struct ves_buf name, note, page;
    struct ves_pull_result result = {0};
    struct ves_note_key key;
    struct ves_hash id;
    struct ves_bytes text;

    (void)state;
    grow(&first, 4);
    first.has_log = false;
    ves_buf_init(&name, ves_alloc_default(), 1024);
    ves_buf_init(&note, ves_alloc_default(), 1024);
    ves_buf_init(&page, ves_alloc_default(), TEXT_MAX);
    ves_stream_id(&first.hub.stream, &id);
    ves_epoch_origin_write(&name, ves_bytes_str("log.test"), 1, &id);
    head.origin = ves_buf_view(&name);
    head.root = root_at(&first, 4);
    ves_checkpoint_write(&note, &head);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&note), &text),
                     VES_OK);
    ves_note_key_init(&key, head.origin, VES_NOTE_ED25519,
                      &first.hub.key.signer.public_key);
    ves_buf_put_u8(&note, '\n');
    ves_note_sign(&note, text, &key, &first.hub.key.secret);
    for (int known = 0; known < 2; known++) {
        ves_buf_reset(&page);
        test_fleet_page(&first, 1, 0, &page);
        page.len--;
        ves_buf_put_str(&page, ",\"checkpoint\":");
        ves_jcs_write_string(&page, ves_buf_view(&note));
        ves_buf_put_str(&page, ",\"consistency\":[]}");
        assert_int_equal(
            test_fleet_take(&first, READER, ves_buf_view(&page), 1, &result),
            VES_REFUSED);
        assert_int_equal(alerts("checkpoint_invalid"), 1);
        if (known == 0)
            assert_int_equal(take(&first, 1, 0), VES_OK);
    }
    assert_int_equal(follow().logged, 0);
    ves_buf_free(&name);
    ves_buf_free(&note);
    ves_buf_free(&page);
}

/* ---- what is false, and who has more ------------------------------------- */

/* What an opening says, each part of it to be made false. */
struct said {
    const char *before, *after, *lost; /* hosts */
    uint64_t epoch_before, epoch_after, number;
    uint64_t common, lost_size, sequence;
    const char *entity_id;
};

static void put_origin(struct ves_buf *out, const char *host, uint64_t epoch)
{
    struct ves_hash id;

    ves_buf_init(out, ves_alloc_default(), 1024);
    ves_stream_id(&first.hub.stream, &id);
    ves_epoch_origin_write(out, ves_bytes_str(host), epoch, &id);
}

static enum ves_status read_opening(const struct said *said)
{
    const struct test_signer *by = &first.hub.key;
    struct ves_buf before, after, lost, note, payload;
    struct ves_event event = {.stream = first.hub.stream,
                              .payload_kind = VES_PAYLOAD_PLAIN,
                              .entity_type =
                                  ves_bytes_str(VES_EPOCH_ENTITY_TYPE),
                              .entity_id = ves_bytes_str(said->entity_id)};
    struct ves_note *lost_note = ves_arena_alloc(&arena, sizeof(*lost_note));
    struct ves_note_key key;
    struct ves_epoch read;
    struct ves_bytes text;

    assert_non_null(lost_note);
    put_origin(&before, said->before, said->epoch_before);
    put_origin(&after, said->after, said->epoch_after);
    put_origin(&lost, said->lost, said->epoch_before);
    ves_buf_init(&note, ves_alloc_default(), 4096);
    ves_buf_init(&payload, ves_alloc_default(), VES_EPOCH_PAYLOAD_MAX);
    const struct ves_checkpoint gone = {
        ves_buf_view(&lost), said->lost_size, {{7}}};
    ves_checkpoint_write(&note, &gone);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&note), &text),
                     VES_OK);
    ves_note_key_init(&key, gone.origin, VES_NOTE_ED25519,
                      &by->signer.public_key);
    ves_buf_put_u8(&note, '\n');
    ves_note_sign(&note, text, &key, &by->secret);
    const struct ves_epoch epoch = {
        .number = said->number,
        .origin = ves_buf_view(&after),
        .common = {ves_buf_view(&before), said->common, {{8}}},
        .lost_note = ves_buf_view(&note)};
    assert_int_equal(ves_epoch_write(&payload, ves_alloc_default(), &epoch),
                     VES_OK);
    assert_int_equal(ves_json_read(&arena, ves_buf_view(&payload), NULL,
                                   &event.payload, NULL),
                     VES_OK);
    enum ves_status status =
        ves_epoch_read(&event, said->sequence, &read, lost_note, NULL);
    ves_buf_free(&before);
    ves_buf_free(&after);
    ves_buf_free(&lost);
    ves_buf_free(&note);
    ves_buf_free(&payload);
    return status;
}

/* Its names and numbers follow from each other, or it opens nothing. */
static void what_an_opening_says_of_itself(void **state)
{
    const struct said good = {.before = "log.test",
                              .after = "log.test",
                              .lost = "log.test",
                              .epoch_after = 1,
                              .number = 1,
                              .common = 3,
                              .lost_size = 4,
                              .sequence = 4,
                              .entity_id = VES_EPOCH_ENTITY_ID};
    struct said bad[9];

    (void)state;
    assert_int_equal(read_opening(&good), VES_OK);
    for (size_t i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].sequence = bad[0].lost_size = 5;
    bad[1].common = 2;
    bad[2].lost_size = 3;
    bad[3].lost = "other.test";
    bad[4].after = "other.test";
    bad[5].number = 2;
    bad[6].number = bad[6].epoch_after = 2;
    bad[7].epoch_before = 1;
    bad[8].entity_id = "other";
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(read_opening(&bad[i]), VES_INVALID);
}

/* An opening that names another head than the one this store knows, or gives up
 * what nobody signed, is not believed. */
static void a_false_opening(void **state)
{
    struct ves_hash stream_id, root;
    struct ves_buf payload, origin, before, note;
    struct ves_note_key key;

    (void)state;
    grow(&first, 3);
    test_fleet_sign(&first);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    grow(&second, 3);
    ves_buf_init(&payload, ves_alloc_default(), VES_EPOCH_PAYLOAD_MAX);
    ves_buf_init(&origin, ves_alloc_default(), 1024);
    ves_buf_init(&before, ves_alloc_default(), 1024);
    ves_buf_init(&note, ves_alloc_default(), 1024);
    ves_stream_id(&second.hub.stream, &stream_id);
    ves_epoch_origin_write(&origin, ves_bytes_str("log.test"), 1, &stream_id);
    ves_epoch_origin_write(&before, ves_bytes_str("log.test"), 0, &stream_id);
    root = root_at(&second, 3);
    for (int lie = 0; lie < 2; lie++) {
        test_fleet_close(&second);
        test_fleet_open(&second, 2);
        second.has_receipts = second.has_log = true;
        grow(&second, 3);
        struct test_signer rogue;
        struct ves_ingest ingest, *ingests[] = {&ingest};
        const struct ves_checkpoint lost = {ves_buf_view(&before), 9, root};
        struct ves_epoch epoch = {.number = 1,
                                  .origin = ves_buf_view(&origin),
                                  .common = {ves_buf_view(&before), 3, root}};
        struct ves_own_event event = {.stream = second.hub.stream,
                                      .event_type = VES_TYPE_EPOCH_OPENED,
                                      .entity_type = VES_EPOCH_ENTITY_TYPE,
                                      .entity_id = VES_EPOCH_ENTITY_ID};

        test_signer_init(&rogue, 66);
        ves_buf_reset(&note);
        ves_buf_reset(&payload);
        ves_checkpoint_write(&note, &lost);
        const struct test_signer *by = lie == 0 ? &rogue : &second.hub.key;
        struct ves_bytes text;
        assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&note), &text),
                         VES_OK);
        ves_note_key_init(&key, lost.origin, VES_NOTE_ED25519,
                          &by->signer.public_key);
        ves_buf_put_u8(&note, '\n');
        ves_note_sign(&note, text, &key, &by->secret);
        epoch.lost_note = ves_buf_view(&note);
        if (lie == 1)
            epoch.common.root.b[3] ^= 1;
        assert_int_equal(ves_epoch_write(&payload, ves_alloc_default(), &epoch),
                         VES_OK);
        event.payload = ves_buf_view(&payload);
        assert_int_equal(second.hub_store->ops->begin(second.hub_store),
                         VES_OK);
        assert_int_equal(
            ves_own_key_put(&second.hub.sequencer, &second.hub.stream.tenant),
            VES_OK);
        assert_int_equal(second.hub_store->ops->commit(second.hub_store),
                         VES_OK);
        assert_int_equal(ves_own_event_prepare(&second.hub.sequencer, &event,
                                               second.hub.now_ms, &arena,
                                               &ingest),
                         VES_OK);
        assert_int_equal(test_hub_commit(&second.hub, ingests, 1), VES_OK);
        assert_int_equal(ingest.accepted, 1);
        ves_ingest_free(&ingest);
        assert_int_equal(take(&second, 3, 0), VES_REFUSED);
        assert_non_null(strstr(first.devices[READER].core.error.text,
                               lie == 0 ? "gives up is not signed"
                                        : "is not what this store knows"));
        assert_int_equal(cursor(), 3);
        assert_int_equal(alerts("epoch_false"), 1);
    }
    ves_buf_free(&payload);
    ves_buf_free(&origin);
    ves_buf_free(&before);
    ves_buf_free(&note);
}

static enum ves_status look_beyond(uint64_t sequence)
{
    struct ves_agent_core *core = &first.devices[READER].core;
    struct ves_page *page;
    struct ves_buf buf;
    bool needs_keys;

    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(&second, sequence, 1, &buf);
    assert_int_equal(ves_core_page_read(core, ves_buf_view(&buf), sequence,
                                        &page, &needs_keys),
                     VES_OK);
    ves_buf_free(&buf);
    ves_core_page_verify(core, page);
    enum ves_status status =
        ves_core_epoch_beyond(core, page, first.hub.now_ms);
    ves_page_free(page);
    return status;
}

/* Events that were acknowledged, and pulled, are given up all the same: who has
 * them is not made to forget. */
static void a_store_that_has_more_stops(void **state)
{
    (void)state;
    grow(&first, 5);
    test_fleet_sign(&first);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    grow(&second, 3);
    test_fleet_sign(&second);
    assert_int_equal(take(&second, 5, 0), VES_REFUSED);
    assert_int_equal(cursor(), 5);
    assert_int_equal(look_beyond(3), VES_NOT_FOUND);
    assert_int_equal(look_beyond(4), VES_DIVERGED);
    assert_int_equal(look_beyond(4), VES_DIVERGED);
    assert_int_equal(alerts("epoch_beyond"), 1);
    assert_true(test_fleet_status(&first, READER).is_diverged);
    assert_int_equal(follow().logged, 5);
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "MUG", "on_hand", false),
        "5");
}

static void nothing_is_beyond(void **state)
{
    (void)state;
    lose_tail(true);
    assert_int_equal(look_beyond(4), VES_NOT_FOUND);
    assert_int_equal(alerts("epoch_beyond"), 0);
}

/* ---- a store that goes back -----------------------------------------------
 */

static enum ves_status follow_epoch(uint64_t sequence, bool dry_run,
                                    struct ves_core_given_up *out)
{
    struct ves_agent_core *core = &first.devices[READER].core;
    struct ves_page *page;
    struct ves_buf buf;
    bool needs_keys;

    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(&second, sequence, 1, &buf);
    assert_int_equal(ves_core_page_read(core, ves_buf_view(&buf), sequence,
                                        &page, &needs_keys),
                     VES_OK);
    ves_buf_free(&buf);
    ves_core_page_verify(core, page);
    enum ves_status status =
        ves_core_epoch_follow(core, page, first.hub.now_ms, dry_run, out);
    ves_page_free(page);
    return status;
}

/* Three events are common; of what is given up, the reader has pulled four,
 * two of them its own, has one receipt and one event nobody saw. */
static void go_beyond(void)
{
    grow(&first, 3);
    test_fleet_sign(&first);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    test_fleet_adjust(&first, READER, "BOWL", "1");
    assert_int_equal(test_fleet_push(&first, READER, NULL), VES_OK);
    grow(&first, 2);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    test_fleet_adjust(&first, READER, "MUG", "10");
    assert_int_equal(test_fleet_push(&first, READER, NULL), VES_OK);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    test_fleet_adjust(&first, READER, "MUG", "100");
    assert_int_equal(test_fleet_push(&first, READER, NULL), VES_OK);
    test_fleet_adjust(&first, READER, "MUG", "1000");
    test_fleet_sign(&first);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 8), VES_OK);
    grow(&second, 2);
    test_fleet_sign(&second);
    assert_int_equal(cursor(), 7);
    assert_int_equal(look_beyond(4), VES_DIVERGED);
}

static enum ves_status count_row(void *ctx, uint64_t epoch,
                                 const struct ves_log_row *row)
{
    assert_int_equal(epoch, 1);
    assert_true(row->envelope.len > 0 && row->has_receipt);
    ++*(size_t *)ctx;
    return VES_OK;
}

static size_t given_up(void)
{
    size_t count = 0;

    assert_int_equal(store()->ops->given_up_read(
                         store(), first.devices[READER].core.stream_no, 1, 0,
                         count_row, &count),
                     VES_OK);
    return count;
}

/* What the reader has goes to second until nothing is left. */
static void push_to_second(void)
{
    struct ves_push push;
    struct ves_push_result result;
    struct ves_buf answer;

    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    for (int i = 0; i < 9; i++) {
        enum ves_status status =
            test_fleet_begin(&first, READER, 0, true, &push);
        assert_int_equal(status, VES_OK);
        if (push.count == 0) {
            ves_push_free(&push, ves_alloc_default());
            break;
        }
        ves_buf_reset(&answer);
        test_fleet_ingest(&second, READER, ves_buf_view(&push.body), &answer);
        ves_buf_put_u8(&answer, '\0');
        assert_int_equal(test_fleet_end(&first, READER, &push, 200,
                                        (const char *)answer.ptr, &result),
                         VES_OK);
        ves_push_free(&push, ves_alloc_default());
    }
    ves_buf_free(&answer);
}

static void a_store_goes_back_by_its_owners_word(void **state)
{
    struct ves_core_given_up told, done;
    struct ves_bytes host;

    (void)state;
    go_beyond();
    struct ves_hash before = test_fleet_digest(&first.devices[READER]);
    assert_int_equal(follow_epoch(4, true, &told), VES_OK);
    struct ves_hash after = test_fleet_digest(&first.devices[READER]);
    assert_true(ves_hash_equal(&before, &after));
    assert_int_equal(follow_epoch(4, false, &done), VES_OK);
    assert_memory_equal(&told, &done, sizeof(told));
    assert_int_equal(done.epoch, 1);
    assert_int_equal(done.common, 3);
    assert_int_equal(done.cursor, 7);
    assert_int_equal(done.others, 2);
    assert_int_equal(done.own, 3);
    assert_int_equal(done.again, 3);
    /* BOWL was written when nothing beyond had been seen. */
    assert_int_equal(done.signed_again, 3);
    assert_int_equal(cursor(), 3);
    assert_int_equal(given_up(), 4);
    assert_int_equal(alerts("epoch_beyond"), 0);
    assert_int_equal(alerts("epoch_given_up"), 1);
    assert_int_equal(test_fleet_trail(&first, READER, "epoch_follow"), 1);
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "MUG", "on_hand", false),
        "3");
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "MUG", "on_hand", true),
        "1113");
    /* Twice is once. */
    assert_int_equal(follow_epoch(4, false, &done), VES_NOT_FOUND);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(follow().logged, 6);
    assert_int_equal(ves_epoch_of_origin(follow().origin, &host), 1);
    assert_false(test_fleet_status(&first, READER).is_diverged);
    push_to_second();
    assert_int_equal(stream_of(&second).head, 10);
    test_fleet_sign(&second);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 10);
    assert_int_equal(follow().logged, 10);
    assert_false(test_fleet_status(&first, READER).is_copied);
    assert_int_equal(
        test_fleet_status(&first, READER).counts[VES_OUTBOX_PENDING], 0);
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "MUG", "on_hand", false),
        "1115");
    assert_string_equal(test_fleet_member(&first, READER, "inventory", "BOWL",
                                          "on_hand", false),
                        "1");
}

/* A call of the store that fails, or dies, leaves it as it was. */
static void nothing_is_half_done(void **state)
{
    struct ves_core_given_up done;
    struct ves_hash before;

    (void)state;
    go_beyond();
    before = test_fleet_digest(&first.devices[READER]);
    for (int is_late = 0; is_late < 2; is_late++) {
        for (size_t n = 1;; n++) {
            test_ops_install(store());
            test_ops_arm(n, is_late, VES_IO);
            enum ves_status status = follow_epoch(4, true, &done);
            bool has_failed = test_ops()->calls >= n;
            test_ops_arm(0, false, VES_OK);
            test_ops_remove(store());
            struct ves_hash after = test_fleet_digest(&first.devices[READER]);
            assert_true(ves_hash_equal(&before, &after));
            if (!has_failed) {
                assert_int_equal(status, VES_OK);
                break;
            }
            assert_int_not_equal(status, VES_OK);
        }
    }
}

/* The sequencer's tail turns up after all: everything comes back, and what was
 * signed again gives way to what it was. */
static void an_old_log_comes_back(void **state)
{
    struct ves_core_given_up done;

    (void)state;
    go_beyond();
    assert_int_equal(follow_epoch(4, false, &done), VES_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(&first, cursor(), 0), VES_OK);
    assert_int_equal(cursor(), 8);
    assert_false(test_fleet_status(&first, READER).is_copied);
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "MUG", "on_hand", false),
        "115");
    assert_string_equal(
        test_fleet_member(&first, READER, "inventory", "MUG", "on_hand", true),
        "1115");
}

/* What others had written and is given up is no base any more: an edit upon it
 * is one upon what is left, and meets theirs when they send it again. */
static void an_edit_stands_on_what_is_left(void **state)
{
    static const char order[] = "order.updated";
    struct ves_core_given_up done;
    struct ves_push push;
    struct ves_push_result result;
    struct ves_buf answer;
    struct test_fleet *both[] = {&first, &second};

    (void)state;
    for (int i = 0; i < 2; i++) {
        test_fleet_append(both[i], 0, "order.created", "O1",
                          "{\"email\":\"a\",\"note\":\"a\"}");
        assert_int_equal(test_fleet_push(both[i], 0, NULL), VES_OK);
    }
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    test_fleet_append(&first, 0, order, "O1", "{\"patch\":{\"email\":\"b\"}}");
    assert_int_equal(test_fleet_push(&first, 0, NULL), VES_OK);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    test_fleet_append(&first, READER, order, "O1",
                      "{\"patch\":{\"note\":\"c\"}}");
    test_fleet_append(&first, READER, order, "O1",
                      "{\"patch\":{\"note\":\"d\"}}");
    test_fleet_sign(&first);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 2), VES_OK);
    assert_int_equal(follow_epoch(2, false, &done), VES_OK);
    assert_int_equal(done.others, 1);
    assert_int_equal(done.own, 0);
    assert_int_equal(done.signed_again, 2);
    assert_int_equal(take_all(), VES_OK);
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(test_fleet_begin(&first, READER, 0, true, &push), VES_OK);
    assert_int_equal(push.count, 2);
    test_fleet_ingest(&second, READER, ves_buf_view(&push.body), &answer);
    ves_buf_put_u8(&answer, '\0');
    assert_int_equal(test_fleet_end(&first, READER, &push, 200,
                                    (const char *)answer.ptr, &result),
                     VES_OK);
    ves_push_free(&push, ves_alloc_default());
    ves_buf_free(&answer);
    test_fleet_sign(&second);
    assert_int_equal(take_all(), VES_OK);
    assert_string_equal(
        test_fleet_member(&first, READER, "order", "O1", "note", false), "d");
    assert_string_equal(
        test_fleet_member(&first, READER, "order", "O1", "email", false), "a");
    uint64_t counts[VES_CONFLICT_KINDS];
    assert_int_equal(store()->ops->conflict_counts(
                         store(), first.devices[READER].core.stream_no, counts),
                     VES_OK);
    for (int i = 0; i < VES_CONFLICT_KINDS; i++)
        assert_int_equal(counts[i], 0);
}

static bool find_key(void *ctx, uint32_t version, struct ves_public_key *out)
{
    (void)ctx;
    *out = first.hub.key.signer.public_key;
    return version == 1;
}

/* The database of before the epoch is made whole by a store that followed it:
 * by what it kept, not by what it pulled since. */
static void what_was_given_up_still_makes_the_old_log(void **state)
{
    struct ves_store *stores[] = {store()};
    struct ves_core_given_up done;
    struct test_fleet third;
    struct ves_hash got;
    struct ves_error error;
    uint64_t events;

    (void)state;
    grow(&first, 5);
    test_fleet_sign(&first);
    assert_int_equal(test_fleet_pull(&first, READER, 0, NULL), VES_OK);
    grow(&second, 3);
    freeze(&second);
    assert_int_equal(open_epoch(&first, 5), VES_OK);
    grow(&second, 4);
    test_fleet_sign(&second);
    assert_int_equal(follow_epoch(4, false, &done), VES_OK);
    assert_int_equal(done.again + done.signed_again, 0);
    assert_int_equal(take_all(), VES_OK);
    assert_int_equal(cursor(), 8);
    test_fleet_open(&third, 2);
    third.has_receipts = third.has_log = true;
    grow(&third, 3);
    struct ves_log_recovery what = {.size = 5,
                                    .root = root_at(&first, 5),
                                    .stores = stores,
                                    .store_count = 1,
                                    .keys = {find_key, NULL}};
    ves_stream_id(&third.hub.stream, &what.stream_id);
    assert_int_equal(
        ves_log_recover(&third.hub.sequencer, &what, &events, &error), VES_OK);
    assert_int_equal(events, 2);
    got = root_at(&third, 5);
    assert_true(ves_hash_equal(&got, &what.root));
    test_fleet_close(&third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(names_follow_from_each_other),
        T(a_frozen_stream_takes_the_opening_only),
        T(a_store_goes_on),
        T(pages_end_anywhere),
        T(a_broken_receipt_is_kept),
        T(a_head_beyond_is_given_up),
        T(a_new_store_reads_history),
        T(a_second_epoch),
        T(a_name_without_an_opening),
        T(what_an_opening_says_of_itself),
        T(a_false_opening),
        T(a_store_that_has_more_stops),
        T(nothing_is_beyond),
        T(a_store_goes_back_by_its_owners_word),
        T(nothing_is_half_done),
        T(an_old_log_comes_back),
        T(an_edit_stands_on_what_is_left),
        T(what_was_given_up_still_makes_the_old_log),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
