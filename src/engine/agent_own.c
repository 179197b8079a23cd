/* agent_own.c -- own events that come back from the log.
 *
 * semantics.md decision 15: what the outbox holds gets its place; what it lost
 * is taken back; what contradicts it means that two stores write as one agent.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"

enum { HLC_TEXT = 12 + 1 + 4 };

/* ---- ids that are taken -------------------------------------------------- */

/* Place of the i-th id in an index of those before it: the one that has it,
 * or a free one. */
static uint32_t *find_id(uint32_t *index, size_t size,
                         const struct ves_uuid *ids, size_t i)
{
    size_t at;
    memcpy(&at, ids[i].b + VES_UUID_SIZE - sizeof(at), sizeof(at));
    for (at &= size - 1; index[at] != 0; at = (at + 1) & (size - 1)) {
        if (ves_uuid_equal(&ids[index[at] - 1], &ids[i]))
            break;
    }
    return &index[at];
}

enum ves_status ves_device_find_reused(struct ves_agent_core *core,
                                       struct ves_arena *arena,
                                       const struct ves_page_item *items,
                                       size_t count, size_t *reused)
{
    size_t size = 16;

    *reused = count;
    while (size < 2 * count)
        size *= 2;
    struct ves_uuid *ids = ves_arena_alloc(arena, count * sizeof(*ids));
    struct ves_id_row *found = ves_arena_alloc(arena, count * sizeof(*found));
    uint32_t *index = ves_arena_alloc(arena, size * sizeof(*index));
    if (!ids || !found || !index)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++)
        ids[i] = items[i].event.event_id;
    enum ves_status status = core->store->ops->log_find_ids(
        core->store, core->stream_no, ids, count, found);
    for (size_t i = 0; i < count && !status && *reused == count; i++) {
        uint32_t *place = find_id(index, size, ids, i);
        if (found[i].sequence_number > 0 || *place != 0)
            *reused = i;
        *place = (uint32_t)i + 1;
    }
    return status;
}

/* ---- looking up ---------------------------------------------------------- */

static bool is_own(const struct ves_device_own *own,
                   const struct ves_page_item *item)
{
    return ves_uuid_equal(&item->event.agent, &own->core->agent);
}

enum ves_status ves_device_own_open(struct ves_device_own *own,
                                    struct ves_page_item *items, size_t count)
{
    struct ves_agent_core *core = own->core;
    struct ves_uuid *ids = ves_arena_alloc(own->arena, count * sizeof(*ids));

    if (!ids)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++) {
        items[i].own = 0;
        if (!is_own(own, &items[i]))
            continue;
        ids[own->count++] = items[i].event.event_id;
        items[i].own = own->count;
    }
    if (own->count == 0)
        return VES_OK;
    own->rows = ves_arena_alloc(own->arena, own->count * sizeof(*own->rows));
    own->back = ves_arena_alloc(own->arena, own->count * sizeof(*own->back));
    own->is_changed = ves_arena_alloc(own->arena, own->count);
    if (!own->rows || !own->back || !own->is_changed)
        return VES_NOMEM;
    struct ves_device_lease lease;
    enum ves_status status =
        ves_device_chain_get(core, own->arena, &own->chain);
    if (!status)
        status = ves_device_lease_get(core, own->arena, &lease);
    if (status)
        return status;
    own->sent = ves_device_sent(&lease);
    return core->store->ops->outbox_get(core->store, ids, own->count,
                                        own->arena, own->rows);
}

bool ves_device_own_contradicts(const struct ves_device_own *own,
                                const struct ves_page_item *item)
{
    if (item->own == 0)
        return false;
    const struct ves_outbox_row *row = &own->rows[item->own - 1];
    return row->local_seq > 0 &&
           ves_hash_equal(&row->event_hash, &item->event.event_hash) &&
           row->sequence_number > 0 &&
           row->sequence_number != item->event.sequence_number;
}

/* ---- two stores, one agent ----------------------------------------------- */

static enum ves_status mark_copied(struct ves_device_own *own,
                                   const struct ves_page_item *item)
{
    const struct ves_device_alert alert = {
        .code = "copied_store",
        .detail = "another store writes as this store's agent: this file was "
                  "copied, or restored and written to before it pulled. "
                  "Pushing has stopped and everything is kept. Set up a new "
                  "store with a new invitation and write there",
        .sequence_number = item->event.sequence_number,
        .event_id = &item->event.event_id,
        .body = item->envelope};

    if (own->state->is_copied)
        return VES_OK;
    own->state->is_copied = 1;
    return ves_device_alert(own->core, own->now_ms, &alert);
}

/* Rows that contradict the chain an own event of the log stands in: another
 * event under its agent_seq, or before it another than its prev names. */
struct twin {
    const struct ves_context *context;
    const struct ves_hash *event_hash;
    uint64_t sent;
    uint64_t unsent; /* local_seq of the first that never left this store */
    bool has_left;   /* one that did, so that others may have it */
};

static bool contradicts(const struct twin *twin,
                        const struct ves_outbox_row *row)
{
    const struct ves_context *context = twin->context;

    if (row->agent_seq == context->agent_seq)
        return !ves_hash_equal(&row->event_hash, twin->event_hash);
    return row->agent_seq + 1 == context->agent_seq && context->has_prev &&
           row->local_seq > twin->sent && row->sequence_number == 0 &&
           !ves_hash_equal(&row->event_hash, &context->prev);
}

static enum ves_status visit_twin(void *ctx, const struct ves_outbox_row *row)
{
    struct twin *twin = ctx;

    if (!contradicts(twin, row))
        return VES_OK;
    if (row->local_seq <= twin->sent || row->sequence_number > 0 ||
        row->is_refused)
        twin->has_left = true;
    else if (twin->unsent == 0)
        twin->unsent = row->local_seq;
    return VES_OK;
}

/* Only asked when the number is one this store has used, or the event does not
 * go on where the chain ends, so the scan is rare. */
static enum ves_status find_twin(struct ves_device_own *own,
                                 const struct ves_page_item *item,
                                 struct twin *twin)
{
    struct ves_store *store = own->core->store;
    const struct ves_outbox_filter all = {.status_mask = 0};

    *twin = (struct twin){.context = &item->event.context,
                          .event_hash = &item->event.event_hash,
                          .sent = own->sent};
    for (size_t i = 0; i < own->back_count; i++)
        twin->has_left |= own->back[i].agent_seq == twin->context->agent_seq;
    return store->ops->outbox_list(store, &all, visit_twin, twin);
}

/* decision 15 speaks of a store that is used twice.  One that is known to have
 * been restored may have been written to before it pulled; what it wrote then
 * and did not send is signed again, behind what it lost (agent_rechain.c).  It
 * was not copied because the end of the log was told it too early. */
static bool is_restored(const struct ves_device_own *own)
{
    const struct ves_device_state *state = own->state;

    return state->is_backup || state->was_backup || state->is_restoring;
}

/* ---- taking back --------------------------------------------------------- */

static void set_place(const struct ves_device_own *own,
                      struct ves_outbox_row *row, const struct ves_log_row *log)
{
    row->sequence_number = log->sequence_number;
    row->sequencer_id = log->sequencer_id;
    row->sequenced_at_ms = log->sequenced_at_ms;
    if (!row->has_receipt && log->has_receipt) {
        row->has_receipt = true;
        row->receipt = log->receipt;
        row->receipt_key_version = log->receipt_key_version;
    }
    /* None yet: its group is not whole.  What the sequencer said stands. */
    if (log->verdict != VES_VERDICT_NONE) {
        row->has_verdict = true;
        row->verdict = log->verdict;
        row->is_likely_conflict = false;
        row->disposition =
            ves_bytes_str(ves_verdict_name((enum ves_verdict)log->verdict));
    }
    row->claim = 0;
    row->next_attempt_ms = 0;
    row->error_class = VES_ERROR_NONE;
    row->error = ves_bytes(NULL, 0);
    row->is_refused = false;
    if (row->pushed_ms == 0)
        row->pushed_ms = own->now_ms;
    /* In the log, but nothing proves the number: pushed again, it gets the
     * receipt it was given then. */
    if (row->status != VES_OUTBOX_SYNCED)
        row->status =
            row->has_receipt ? VES_OUTBOX_SYNCING : VES_OUTBOX_PENDING;
    if (log->verdict == VES_VERDICT_CONFLICT)
        row->status = VES_OUTBOX_CONFLICT;
}

/* Our own signed clock: ids made from now on sort after it. */
static void follow_clock(struct ves_device_chain *chain, struct ves_bytes hlc)
{
    uint8_t bytes[6];
    uint64_t ms = 0;

    if (hlc.len != HLC_TEXT || hlc.ptr[12] != '-' ||
        ves_hex_decode(ves_bytes(hlc.ptr, 12), bytes, sizeof(bytes)))
        return;
    for (size_t i = 0; i < sizeof(bytes); i++)
        ms = ms << 8 | bytes[i];
    if (ms >= chain->hlc_ms) {
        chain->hlc_ms = ms + 1;
        chain->hlc_counter = 0;
    }
}

static enum ves_status whole_envelope(struct ves_device_own *own,
                                      const struct ves_page_item *item,
                                      struct ves_bytes *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, own->arena, item->envelope.len + 1,
                     item->envelope.len + 1);
    ves_buf_put_bytes(&scratch.buf, item->envelope);
    ves_buf_put_u8(&scratch.buf, '}');
    *out = ves_buf_view(&scratch.buf);
    return ves_buf_status(&scratch.buf);
}

static enum ves_status take_back(struct ves_device_own *own,
                                 const struct ves_page_item *item,
                                 const struct ves_log_row *log)
{
    const struct ves_event *event = &item->event;
    const struct ves_context *context = &event->context;
    struct ves_outbox_row row = {
        .event_id = event->event_id,
        .event_hash = event->event_hash,
        .agent_seq = context->agent_seq,
        .entity_key = item->entity_key,
        .entity_type = event->entity_type,
        .entity_id = event->entity_id,
        .event_type = event->event_type,
        .created_at = event->created_at,
        .has_command_id = event->has_command_id,
        .command_id = event->command_id,
        .cmd_index = context->cmd_index,
        .cmd_count = context->cmd_count,
    };

    if (ves_time_parse(event->created_at, &row.created_ms))
        row.created_ms = 0;
    enum ves_status status = whole_envelope(own, item, &row.envelope);
    if (status)
        return status;
    set_place(own, &row, log);
    own->back[own->back_count++] = row;
    own->state->is_restoring = 1;
    own->state->has_taken_back = 1;
    if (context->agent_seq > own->chain.agent_seq) {
        own->chain.agent_seq = context->agent_seq;
        own->chain.prev = event->event_hash;
        follow_clock(&own->chain, context->hlc);
        own->is_chain_moved = true;
    }
    return VES_OK;
}

/* Asked first, since looking for a contradiction reads the whole outbox: an
 * event that goes on where the chain ends has none. */
static bool may_contradict(const struct ves_device_own *own,
                           const struct ves_context *context)
{
    const struct ves_device_chain *chain = &own->chain;

    if (context->agent_seq == chain->agent_seq + 1 && context->has_prev)
        return !ves_hash_equal(&context->prev, &chain->prev);
    return context->agent_seq <= chain->agent_seq;
}

/* An own event the outbox does not hold. */
static enum ves_status missing(struct ves_device_own *own,
                               const struct ves_page_item *item,
                               const struct ves_log_row *log)
{
    struct ves_device_state *state = own->state;
    struct twin twin = {.has_left = false};

    if (state->is_copied)
        return VES_OK;
    /* Not written by this library; the outbox has no place for it. */
    if (!item->event.context.is_present)
        return VES_OK;
    if (may_contradict(own, &item->event.context)) {
        enum ves_status status = find_twin(own, item, &twin);
        if (status)
            return status;
    }
    if (twin.has_left || (twin.unsent && !is_restored(own)))
        return mark_copied(own, item);
    if (twin.unsent && (!state->fork_from || twin.unsent < state->fork_from))
        state->fork_from = twin.unsent;
    return take_back(own, item, log);
}

/* ---- the usual case ------------------------------------------------------ */

static enum ves_status leave_overlay(struct ves_device_own *own,
                                     struct ves_outbox_row *row,
                                     struct ves_device_slot *slot)
{
    struct ves_entity_row *entity = &slot->entity.row;

    if (!row->is_in_overlay)
        return VES_OK;
    if (entity->own_count == 0)
        return ves_fail(&own->core->error, VES_CORRUPT,
                        "an entity counts fewer own events than the outbox "
                        "holds for it");
    row->is_in_overlay = false;
    entity->own_count--;
    slot->entity.is_changed = true;
    if (entity->own_count == 0)
        memset(&entity->own_head, 0, sizeof(entity->own_head));
    else if (ves_hash_equal(&entity->own_head, &row->event_hash))
        slot->needs_own_head = true; /* sequenced out of our order */
    return VES_OK;
}

/* Signed again (agent_rechain.c) after the backup was made that this store was
 * restored from: the log has the id under another hash, and what is here never
 * left.  Or signed again because of an epoch, while a request with what it was
 * before was still on its way: then this form of it is refused, if it was sent.
 */
static bool was_signed_again(const struct ves_device_own *own,
                             const struct ves_outbox_row *row)
{
    if (row->local_seq <= own->state->epoch_signed &&
        row->sequence_number == 0 && !own->state->is_copied)
        return true;
    return is_restored(own) && !own->state->is_copied &&
           row->local_seq > own->sent && row->sequence_number == 0 &&
           !row->is_refused;
}

static enum ves_status adopt(struct ves_device_own *own,
                             const struct ves_page_item *item,
                             struct ves_outbox_row *row)
{
    struct ves_device_state *state = own->state;

    row->agent_seq = item->event.context.agent_seq;
    row->event_hash = item->event.event_hash;
    state->is_restoring = 1;
    state->has_taken_back = 1;
    /* The chain is put together anew, with what follows it. */
    if (!state->fork_from || row->local_seq < state->fork_from)
        state->fork_from = row->local_seq;
    enum ves_status status = whole_envelope(own, item, &row->envelope);
    return status ? status
                  : own->core->store->ops->outbox_resign(own->core->store, row);
}

enum ves_status ves_device_own_event(struct ves_device_own *own,
                                     const struct ves_page_item *item,
                                     const struct ves_log_row *log,
                                     struct ves_device_slot *slot)
{
    VES_ASSERT(item->own > 0 && item->own <= own->count);
    struct ves_outbox_row *row = &own->rows[item->own - 1];

    if (row->local_seq == 0)
        return missing(own, item, log);
    bool is_other = !ves_hash_equal(&row->event_hash, &item->event.event_hash);
    if (is_other && !was_signed_again(own, row))
        return mark_copied(own, item);
    own->is_changed[item->own - 1] = true;
    set_place(own, row, log);
    enum ves_status status = leave_overlay(own, row, slot);
    return status || !is_other ? status : adopt(own, item, row);
}

/* ---- writing ------------------------------------------------------------- */

/* One by one: the next of the same entity has to name its number. */
static enum ves_status append_back(struct ves_device_own *own,
                                   struct ves_device_fold *fold)
{
    struct ves_store *store = own->core->store;
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < own->back_count && !status; i++) {
        struct ves_outbox_row *row = &own->back[i];
        struct ves_device_slot *slot =
            ves_device_fold_slot(fold, &row->entity_key);

        VES_ASSERT(slot);
        row->entity_prev = slot->entity.row.own_last;
        status = store->ops->outbox_append(store, row, 1);
        slot->entity.row.own_last = row->local_seq;
        slot->entity.is_changed = true;
    }
    return status;
}

/* Which key signs it may have changed with this page (agent_rotate.c). */
static enum ves_status save_chain(struct ves_device_own *own)
{
    struct ves_device_chain now;

    enum ves_status status = ves_device_chain_get(own->core, own->arena, &now);
    own->chain.key_id = now.key_id;
    return status ? status : ves_device_chain_put(own->core, &own->chain);
}

enum ves_status ves_device_own_save(struct ves_device_own *own,
                                    struct ves_device_fold *fold)
{
    struct ves_agent_core *core = own->core;
    enum ves_status status = VES_OK;
    size_t n = 0;

    for (size_t i = 0; i < own->count; i++) {
        if (own->is_changed[i])
            own->rows[n++] = own->rows[i];
    }
    if (n > 0)
        status = core->store->ops->outbox_update(core->store, own->rows, n);
    if (!status)
        status = append_back(own, fold);
    if (!status && own->is_chain_moved)
        status = save_chain(own);
    return status;
}
