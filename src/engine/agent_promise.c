/* agent_promise.c -- receipts are held against the log when it catches up.
 *
 * A receipt promises an own event one number for ever.  Where the log comes to
 * that number with another event, the promise is broken, whether or not the own
 * event is ever seen again.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/agent_internal.h"

static bool is_kept(const struct ves_device_own *own,
                    const struct ves_page *page,
                    const struct ves_promise_row *promise)
{
    const struct ves_page_item *item =
        &page->items[promise->sequence_number - page->asked_from];

    if (item->own == 0)
        return false;
    const struct ves_outbox_row *row = &own->rows[item->own - 1];
    return row->local_seq == promise->local_seq &&
           ves_hash_equal(&row->event_hash, &item->event.event_hash);
}

static enum ves_status take(void *ctx, const struct ves_outbox_row *row)
{
    struct ves_broken_promise *broken = ctx;

    *broken = (struct ves_broken_promise){
        .is_there = true,
        .event_hash = row->event_hash,
        .receipt = {.sequencer_id = row->sequencer_id,
                    .event_id = row->event_id,
                    .sequence_number = row->sequence_number,
                    .sequenced_at_ms = row->sequenced_at_ms,
                    .signature = row->receipt,
                    .key_version = row->receipt_key_version}};
    return VES_OK;
}

/* It was when it came; nobody is accused because of a file that was damaged
 * since. */
static enum ves_status is_signed(const struct ves_device_log *log,
                                 struct ves_broken_promise *broken,
                                 bool *is_good)
{
    struct ves_agent_core *core = log->core;
    struct ves_receipt *receipt = &broken->receipt;
    size_t count = ves_device_key_count(core, receipt->key_version);
    struct ves_verify_item *items =
        ves_arena_alloc(log->arena, (count + 1) * sizeof(*items));

    if (!items)
        return VES_NOMEM;
    ves_receipt_hash(&core->stream, &receipt->event_id,
                     receipt->sequence_number, &broken->event_hash,
                     &receipt->receipt_hash);
    ves_device_key_items(core, receipt->key_version, &receipt->receipt_hash,
                         &receipt->signature, items);
    if (count > 0)
        core->verifier->verify(core->verifier, items, count);
    *is_good = ves_device_is_valid(items, count);
    return VES_OK;
}

static enum ves_status hold_against(struct ves_device_log *log,
                                    struct ves_page *page,
                                    const struct ves_promise_row *promise)
{
    struct ves_store *store = log->core->store;
    const struct ves_outbox_filter one = {
        .after_local_seq = promise->local_seq - 1, .limit = 1};
    struct ves_broken_promise broken = {.is_there = false};
    bool is_good = false;

    enum ves_status status =
        store->ops->outbox_list(store, &one, take, &broken);
    if (!status && broken.is_there)
        status = is_signed(log, &broken, &is_good);
    if (status || !is_good)
        return status;
    page->log.broken = broken;
    log->is_verified = false;
    log->code = VES_RECEIPT_BROKEN;
    (void)ves_fail(&log->words, VES_REFUSED,
                   "number %llu was promised to an event of this store, and "
                   "another event stands there; settling this alert lets the "
                   "receipt go",
                   (unsigned long long)promise->sequence_number);
    return VES_OK;
}

enum ves_status ves_device_promises(struct ves_device_log *log,
                                    const struct ves_device_own *own,
                                    struct ves_page *page, size_t first,
                                    size_t end)
{
    struct ves_store *store = log->core->store;
    size_t max = end - first + 1, found;

    if (end == first || log->code)
        return VES_OK;
    struct ves_promise_row *rows =
        ves_arena_alloc(log->arena, max * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    enum ves_status status = store->ops->outbox_promised(
        store, page->asked_from + first, page->asked_from + end - 1, max, rows,
        &found);
    for (size_t i = 0; !status && !log->code && i < found; i++) {
        if (!is_kept(own, page, &rows[i]))
            status = hold_against(log, page, &rows[i]);
    }
    return status;
}

/* ---- a person's word ----------------------------------------------------- */

enum ves_status ves_device_promise_release(struct ves_agent_core *core,
                                           struct ves_arena *arena,
                                           const struct ves_uuid *event_id,
                                           uint64_t number, struct ves_buf *out)
{
    struct ves_store *store = core->store;
    struct ves_broken_promise broken;
    struct ves_outbox_row row;

    enum ves_status status =
        store->ops->outbox_get(store, event_id, 1, arena, &row);
    if (status || row.local_seq == 0 || !row.has_receipt ||
        !row.is_in_overlay || row.sequence_number != number)
        return status;
    status = take(&broken, &row);
    if (status)
        return status;
    ves_receipt_hash(&core->stream, event_id, number, &row.event_hash,
                     &broken.receipt.receipt_hash);
    ves_receipt_write(out, &broken.receipt);
    ves_device_row_unsend(&row);
    return store->ops->outbox_update(store, &row, 1);
}
