/* agent_epoch.c -- a new epoch of the log that is followed (ADR 0024).
 *
 * Its opening is applied alone, so that everything before it is compared under
 * the old name and everything after it under the new one.  A store that has
 * nothing beyond the last common head goes on by itself: own events whose
 * receipts were given up wait to be sent again, as they are.  One that has more
 * stops; a person decides (agent_given_up.c).
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"
#include "engine/row_receipt.h"

enum {
    PROMISES_CHUNK = 256,        /* looked up at a time */
    BODY_MAX = 64 * 1024 * 1024, /* bytes of evidence */
    NAMES_MAX = 8, /* broken receipts told in words; all of them are kept */
    WORDS_MAX = 4096
};

static bool is_own(struct ves_agent_core *core, const struct ves_event *event)
{
    struct ves_verify_item items[VES_SEQUENCER_KEYS_MAX];
    size_t count = ves_device_key_count(core, event->agent_key_id);

    ves_device_key_items(core, event->agent_key_id, &event->event_hash,
                         &event->signature, items);
    if (count > 0)
        core->verifier->verify(core->verifier, items, count);
    return ves_device_is_valid(items, count);
}

/* Who knows only the sequencer's keys finds it by them. */
static bool is_opening(struct ves_agent_core *core,
                       const struct ves_page_item *item)
{
    if (!item->has_event || !ves_epoch_is_opening(&item->event))
        return false;
    return ves_uuid_is_nil(&core->sequencer_id)
               ? is_own(core, &item->event)
               : ves_uuid_equal(&item->event.agent, &core->sequencer_id);
}

size_t ves_device_epoch_find(struct ves_agent_core *core,
                             const struct ves_page *page, size_t first,
                             size_t end)
{
    while (first < end && !is_opening(core, &page->items[first]))
        first++;
    return first;
}

/* ---- does it hold? ------------------------------------------------------- */

static bool is_signed(const struct ves_agent_core *core,
                      const struct ves_epoch *epoch,
                      const struct ves_note *note)
{
    bool is_good = false;

    for (size_t i = 0; i < core->sequencer_key_count; i++)
        is_good |= ves_epoch_is_signed(epoch, note,
                                       &core->sequencer_keys[i].public_key);
    return is_good;
}

static const char *check(const struct ves_device_log *log,
                         const struct ves_page_item *item,
                         const struct ves_epoch *epoch,
                         const struct ves_note *note,
                         const struct ves_hash *root)
{
    struct ves_bytes host;

    if (!item->has_receipt)
        return "the opening of an epoch comes without the sequencer's receipt";
    if (!is_signed(log->core, epoch, note))
        return "the head that the epoch gives up is not signed by the log";
    if (!ves_hash_equal(root, &epoch->common.root))
        return "the head that the epoch goes on from is not what this store "
               "knows of the log at that size";
    if (ves_epoch_of_origin(log->row.origin, &host) + 1 != epoch->number ||
        (log->row.origin.len > 0 &&
         !ves_bytes_equal(log->row.origin, epoch->common.origin)))
        return "the epoch goes on from another log than this store follows";
    return NULL;
}

enum ves_status ves_device_epoch_check(struct ves_device_log *log,
                                       const struct ves_page_item *item)
{
    struct ves_device_opening *opening = &log->opening;
    struct ves_note *note = ves_arena_alloc(log->arena, sizeof(*note));
    struct ves_error why = {.status = VES_OK};
    const char *bad = why.text;
    struct ves_hash root;

    if (!note)
        return VES_NOMEM;
    ves_tlog_edge_root(&log->edge, &root);
    if (!ves_epoch_read(&item->event, item->event.sequence_number,
                        &opening->epoch, note, &why))
        bad = check(log, item, &opening->epoch, note, &root);
    opening->is_there = !bad;
    if (bad) {
        log->code = VES_EPOCH_FALSE;
        (void)ves_fail(&log->words, VES_REFUSED, "%s", bad);
    }
    return VES_OK;
}

/* ---- going on ------------------------------------------------------------ */

struct entering {
    struct ves_device_log *log;
    const struct ves_page_item *item;
    struct ves_device_state *state;
    int64_t now_ms;
    struct ves_buf body; /* what shows it: opening, receipts, the old head */
    uint64_t promises;
    struct ves_buf names; /* of the first of them, for people */
    struct ves_outbox_row row;
};

/* Its texts are written anew, or are not touched. */
static enum ves_status take_row(void *ctx, const struct ves_outbox_row *row)
{
    struct entering *e = ctx;

    e->row = *row;
    return VES_OK;
}

static enum ves_status take_back(struct entering *e)
{
    struct ves_agent_core *core = e->log->core;
    const struct ves_outbox_row *row = &e->row;
    struct ves_receipt receipt;
    struct ves_outbox_row next = *row;

    ves_outbox_row_receipt(&core->stream, row, &receipt);
    ves_receipt_write(&e->body, &receipt);
    ves_buf_put_u8(&e->body, '\n');
    if (e->promises++ < NAMES_MAX) {
        ves_buf_putf(&e->names,
                     e->promises > 1 ? ", number %llu of "
                                     : ": number %llu of ",
                     (unsigned long long)row->sequence_number);
        ves_buf_put_uuid(&e->names, &row->event_id);
    }
    ves_device_row_unsend(&next);
    return core->store->ops->outbox_update(core->store, &next, 1);
}

/* Each one that was taken back is promised nothing any more, so the next look
 * finds others. */
static enum ves_status take_promises_back(struct entering *e, uint64_t above)
{
    struct ves_store *store = e->log->core->store;
    struct ves_promise_row *rows =
        ves_arena_alloc(e->log->arena, PROMISES_CHUNK * sizeof(*rows));
    enum ves_status status = rows ? VES_OK : VES_NOMEM;
    size_t found = 1;

    while (!status && found > 0) {
        status = store->ops->outbox_promised(store, above + 1, VES_LOG_SIZE_MAX,
                                             PROMISES_CHUNK, rows, &found);
        for (size_t i = 0; !status && i < found; i++) {
            const struct ves_outbox_filter one = {
                .after_local_seq = rows[i].local_seq - 1, .limit = 1};
            status = store->ops->outbox_list(store, &one, take_row, e);
            if (!status)
                status = take_back(e);
        }
    }
    return status;
}

/* The pins.  A head beyond the common one is of what is given up. */
static enum ves_status move_pins(struct entering *e, bool *had_more)
{
    struct ves_device_log *log = e->log;
    const struct ves_epoch *epoch = &log->opening.epoch;
    struct ves_follow_row *row = &log->row;
    uint64_t size = epoch->common.size;

    *had_more = row->logged > size &&
                ves_bytes_equal(row->origin, epoch->common.origin);
    row->origin = epoch->origin;
    if (!*had_more)
        return VES_OK;
    ves_buf_put_bytes(&e->body, row->note);
    row->note = ves_bytes(NULL, 0);
    row->logged = size;
    if (row->witnessed > size)
        row->witnessed = size;
    return log->core->store->ops->kept_heads_cut(log->core->store,
                                                 log->core->stream_no, size);
}

static enum ves_status tell(struct entering *e)
{
    const struct ves_epoch *epoch = &e->log->opening.epoch;
    struct ves_bytes reason = epoch->reason;
    struct ves_scratch words;
    struct ves_device_alert alert = {.code = VES_EPOCH_OPENED,
                                     .sequence_number =
                                         e->item->event.sequence_number,
                                     .event_id = &e->item->event.event_id,
                                     .body = ves_buf_view(&e->body)};

    if (reason.len == 0)
        reason = ves_bytes_str("none");
    ves_scratch_init(&words, e->log->arena, WORDS_MAX, WORDS_MAX);
    ves_buf_putf(
        &words.buf,
        "epoch %llu of the log was opened: the sequencer lost what it "
        "had signed after number %llu, up to number %llu, and goes on "
        "without it (its operator's words: %.*s). %llu events of this "
        "store had receipts that are broken by it%.*s; they are kept here "
        "as evidence, and the events are sent again",
        (unsigned long long)epoch->number,
        (unsigned long long)epoch->common.size,
        (unsigned long long)epoch->lost.size, (int)reason.len,
        (const char *)reason.ptr, (unsigned long long)e->promises,
        (int)e->names.len, e->names.len > 0 ? (const char *)e->names.ptr : "");
    ves_buf_put_u8(&words.buf, '\0');
    enum ves_status status = ves_buf_status(&e->body);
    if (!status)
        status = ves_buf_status(&e->names);
    if (!status)
        status = ves_buf_status(&words.buf);
    if (status)
        return status;
    alert.detail = (const char *)words.buf.ptr;
    return ves_device_alert(e->log->core, e->now_ms, &alert);
}

static enum ves_status enter(struct entering *e)
{
    uint64_t size = e->log->opening.epoch.common.size;
    bool had_more = false,
         was_here = ves_bytes_equal(e->log->row.origin,
                                    e->log->opening.epoch.common.origin);

    ves_buf_put_bytes(&e->body, e->item->raw);
    ves_buf_put_u8(&e->body, '\n');
    enum ves_status status = take_promises_back(e, size);
    if (!status)
        status = move_pins(e, &had_more);
    /* Who sees this log for the first time has them from its directory. */
    if (!status && was_here)
        status = ves_device_keys_cut(e->log->core, e->log->arena, size);
    if (e->state->own_known > size)
        e->state->own_known = size;
    if (e->state->last_pushed > size)
        e->state->last_pushed = size;
    /* Who sets up a store today reads it as history. */
    if (!status && (e->promises > 0 || had_more || was_here))
        status = tell(e);
    return status;
}

enum ves_status ves_device_epoch_enter(struct ves_device_log *log,
                                       const struct ves_page_item *item,
                                       struct ves_device_state *state,
                                       int64_t now_ms)
{
    struct entering e = {
        .log = log, .item = item, .state = state, .now_ms = now_ms};

    ves_buf_init(&e.body, log->core->alloc, BODY_MAX);
    ves_buf_init(&e.names, log->core->alloc, WORDS_MAX);
    enum ves_status status = enter(&e);
    ves_buf_free(&e.names);
    ves_buf_free(&e.body);
    return status;
}

/* ---- a store that has more ----------------------------------------------- */

struct counting {
    const struct ves_agent_core *core;
    uint64_t own, others;
};

static enum ves_status count_row(void *ctx, const struct ves_log_row *row)
{
    struct counting *counting = ctx;

    if (ves_uuid_equal(&row->agent, &counting->core->agent))
        counting->own++;
    else
        counting->others++;
    return VES_OK;
}

/* Own events with a receipt, that were not pulled. */
static enum ves_status count_promises(struct ves_device_log *log,
                                      uint64_t cursor,
                                      struct counting *counting)
{
    struct ves_store *store = log->core->store;
    struct ves_promise_row *rows =
        ves_arena_alloc(log->arena, PROMISES_CHUNK * sizeof(*rows));
    enum ves_status status = rows ? VES_OK : VES_NOMEM;
    size_t found = PROMISES_CHUNK;

    for (uint64_t from = cursor + 1; !status && found == PROMISES_CHUNK;) {
        status = store->ops->outbox_promised(store, from, VES_LOG_SIZE_MAX,
                                             PROMISES_CHUNK, rows, &found);
        counting->own += status ? 0 : found;
        if (!status && found > 0)
            from = rows[found - 1].sequence_number + 1;
    }
    return status;
}

static enum ves_status stop(struct ves_device_log *log,
                            const struct ves_page_item *item, uint64_t cursor,
                            int64_t now_ms)
{
    struct ves_agent_core *core = log->core;
    const struct ves_epoch *epoch = &log->opening.epoch;
    struct counting counting = {.core = core};
    struct ves_device_state state;
    struct ves_scratch words;
    struct ves_device_alert alert = {.code = VES_EPOCH_BEYOND,
                                     .sequence_number =
                                         item->event.sequence_number,
                                     .event_id = &item->event.event_id,
                                     .body = item->raw};

    ves_scratch_init(&words, log->arena, WORDS_MAX, WORDS_MAX);
    enum ves_status status = core->store->ops->log_read(
        core->store, core->stream_no, epoch->common.size + 1, 0, count_row,
        &counting);
    if (!status)
        status = count_promises(log, cursor, &counting);
    if (!status)
        status = ves_device_state_get(core, log->arena, &state);
    ves_buf_putf(
        &words.buf,
        "epoch %llu of the log goes on from number %llu, and this store has "
        "it up to %llu: %llu events of others and %llu of its own were given "
        "up because nobody had them",
        (unsigned long long)epoch->number,
        (unsigned long long)epoch->common.size, (unsigned long long)cursor,
        (unsigned long long)counting.others, (unsigned long long)counting.own);
    ves_buf_put_u8(&words.buf, '\0');
    if (!status)
        status = ves_buf_status(&words.buf);
    if (status)
        return status;
    alert.detail = (const char *)words.buf.ptr;
    state.is_diverged = 1;
    status = ves_device_state_put(core, &state);
    if (!status)
        status = ves_device_alert(core, now_ms, &alert);
    if (!status)
        (void)ves_fail(
            &core->error, VES_DIVERGED,
            "%s. Nothing was changed here, and pushing has stopped. Tell the "
            "sequencer's operator first: as long as no store has followed, ves "
            "admin recover with this file, on database and head file from "
            "before the epoch, brings all back. Where that is not to be, ves "
            "epoch follow goes on with the epoch: what was given up is kept, "
            "and what this store wrote is sent again",
            alert.detail);
    return status;
}

enum ves_status ves_device_epoch_beyond(struct ves_device_log *log,
                                        struct ves_page *page, uint64_t cursor)
{
    const struct ves_page_item *item = &page->items[0];
    struct ves_note *note = ves_arena_alloc(log->arena, sizeof(*note));
    struct ves_epoch *epoch = &log->opening.epoch;
    struct ves_hash root;

    if (!note)
        return VES_NOMEM;
    if (page->count != 1 || item->problem || !is_opening(log->core, item) ||
        ves_epoch_read(&item->event, item->event.sequence_number, epoch, note,
                       NULL) ||
        epoch->common.size >= cursor)
        return VES_NOT_FOUND;
    enum ves_status status =
        ves_device_log_root_at(log, epoch->common.size, &root);
    return status || !check(log, item, epoch, note, &root) ? status
                                                           : VES_NOT_FOUND;
}

enum ves_status ves_core_epoch_beyond(struct ves_agent_core *core,
                                      struct ves_page *page, int64_t now_ms)
{
    struct ves_arena arena;
    uint64_t cursor;

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    struct ves_device_log log = {.core = core, .arena = &arena};
    enum ves_status status = ves_device_begin(core);
    if (!status) {
        status = ves_device_cursor(core, &cursor);
        if (!status)
            status = ves_device_log_open(&log, cursor);
        if (!status)
            status = ves_device_epoch_beyond(&log, page, cursor);
        if (!status)
            status = stop(&log, &page->items[0], cursor, now_ms);
        status = ves_device_end(core, status);
    }
    ves_arena_free(&arena);
    return status ? status : VES_DIVERGED;
}

enum ves_status ves_core_epoch(struct ves_agent_core *core, uint64_t *number)
{
    struct ves_follow_row row;
    struct ves_arena arena;
    struct ves_bytes host;

    *number = 0;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = core->store->ops->follow_get(
        core->store, core->stream_no, &arena, &row);
    if (!status)
        *number = ves_epoch_of_origin(row.origin, &host);
    ves_arena_free(&arena);
    return status == VES_NOT_FOUND ? VES_OK : status;
}
