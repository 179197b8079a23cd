/* agent_given_up.c -- a store that has more of the log than an epoch goes on
 * from goes back to where both are one, by its owner's word (ADR 0048).
 *
 * Nothing that is here goes away: events leave the log for what was given up,
 * and those of this store go back to waiting, as if they had never been sent.
 * All of it is one transaction, so a process that dies leaves the store as it
 * was or as it is to be.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/entity.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"
#include "engine/folding.h"
#include "engine/row_receipt.h"

enum {
    BODY_MAX = 64 * 1024 * 1024, /* bytes of evidence */
    WORDS_MAX = 1024
};

/* An event that is given up, as its entity and its author see it. */
struct lost {
    struct ves_hash entity_key;
    uint64_t entity_index, entity_prev;
};

struct going {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_arena scratch; /* one chunk */
    struct ves_device_log log;
    struct ves_device_state state;
    const struct ves_page_item *item;
    int64_t now_ms;
    uint64_t cursor, common;
    struct ves_core_given_up *out;
    struct ves_buf body; /* the opening, the old head, receipts and the events
                            that they are of, where the log has them not */
    struct ves_hash key_entity;
    bool has_key_events;
    uint64_t rotations; /* of the own key */
    struct ves_key_event rotation;
    /* One chunk of the log, or of the outbox. */
    struct lost *lost;
    struct ves_outbox_row *rows;
    size_t count, listed;
    uint64_t after;
};

/* ---- the log ------------------------------------------------------------- */

static enum ves_status see_key_event(struct going *g,
                                     const struct ves_log_row *row)
{
    struct ves_key_event read;
    struct ves_event event;
    struct ves_bytes envelope;

    g->has_key_events = true;
    if (row->envelope.len == 0)
        return VES_OK;
    enum ves_status status =
        ves_arena_copy(&g->scratch, row->envelope, &envelope);
    if (!status)
        status = ves_log_event_read(&g->scratch, envelope,
                                    &g->core->store->error, &event);
    if (status || ves_key_event_read(&event, &read, NULL) ||
        !ves_uuid_equal(&read.agent, &g->core->agent))
        return status;
    if (read.kind == VES_KEY_EVENT_REGISTERED)
        g->out->needs_key = true;
    if (read.kind == VES_KEY_EVENT_ROTATED && g->rotations++ == 0)
        g->rotation = read;
    return VES_OK;
}

static enum ves_status see_lost(void *ctx, const struct ves_log_row *row)
{
    struct going *g = ctx;

    if (ves_uuid_equal(&row->agent, &g->core->agent))
        g->out->own++;
    else
        g->out->others++;
    g->lost[g->count++] =
        (struct lost){row->entity_key, row->entity_index, row->entity_prev};
    return ves_hash_equal(&row->entity_key, &g->key_entity)
               ? see_key_event(g, row)
               : VES_OK;
}

static enum ves_status take_jump(void *ctx, const struct ves_log_row *row)
{
    *(uint64_t *)ctx = row->entity_jump;
    return VES_OK;
}

/* An entity's list ends in front of the first event that is given up, which is
 * met first. */
static enum ves_status shorten(struct going *g, const struct lost *lost)
{
    struct ves_store *store = g->core->store;
    uint32_t stream_no = g->core->stream_no;
    const struct ves_entity_name name = {.key = lost->entity_key};
    struct ves_entity_row entity;

    enum ves_status status = store->ops->entity_get(store, stream_no, &name, 1,
                                                    &g->scratch, &entity);
    if (status || entity.last <= g->common)
        return status;
    entity.last = lost->entity_prev;
    entity.count = lost->entity_index - 1;
    entity.last_jump = 0;
    if (entity.last > 0)
        status = store->ops->log_read(store, stream_no, entity.last, 1,
                                      take_jump, &entity.last_jump);
    return status ? status
                  : store->ops->entity_put(store, stream_no, &entity, 1);
}

static enum ves_status shorten_all(struct going *g)
{
    struct ves_store *store = g->core->store;
    enum ves_status status = VES_OK;

    for (uint64_t from = g->common + 1; !status && from <= g->cursor;
         from += g->count) {
        ves_arena_reset(&g->scratch);
        g->count = 0;
        status = store->ops->log_read(store, g->core->stream_no, from,
                                      VES_DEVICE_CHUNK, see_lost, g);
        if (!status && g->count == 0)
            status = VES_CORRUPT;
        for (size_t i = 0; i < g->count && !status; i++)
            status = shorten(g, &g->lost[i]);
    }
    return status;
}

static enum ves_status cut_keys(struct going *g)
{
    struct ves_agent_core *core = g->core;
    struct ves_key_log log;

    enum ves_status status = ves_device_keys_cut(core, g->arena, g->common);
    if (status || !g->has_key_events)
        return status;
    ves_key_log_open(&log, core->store, core->stream_no, &core->stream,
                     &core->owner_key, &core->sequencer_id, g->arena);
    status = ves_key_log_load(&log);
    log.is_policy_changed = true; /* it is what the rest of the log says */
    return status ? status : ves_key_log_save(&log, g->now_ms);
}

/* The edge is computed again when it is needed. */
static enum ves_status cut_follow(struct going *g)
{
    struct ves_agent_core *core = g->core;
    struct ves_follow_row *row = &g->log.row;

    row->edge = ves_bytes(NULL, 0);
    if (row->logged > g->common) {
        ves_buf_put_bytes(&g->body, row->note);
        row->note = ves_bytes(NULL, 0);
        row->logged = g->common;
    }
    if (row->witnessed > g->common)
        row->witnessed = g->common;
    enum ves_status status =
        core->store->ops->follow_put(core->store, core->stream_no, row);
    return status ? status
                  : core->store->ops->kept_heads_cut(
                        core->store, core->stream_no, g->common);
}

static enum ves_status cut(struct going *g)
{
    struct ves_agent_core *core = g->core;
    uint64_t count;
    bool is_pruned;

    enum ves_status status = shorten_all(g);
    if (!status)
        status = core->store->ops->log_give_up(
            core->store, core->stream_no, g->common, g->out->epoch, &count);
    if (!status)
        status = cut_keys(g);
    if (!status)
        status = cut_follow(g);
    if (!status)
        status = ves_device_refold(core, &is_pruned);
    if (!status && is_pruned)
        return ves_fail(&core->error, VES_UNSUPPORTED,
                        "the log of this store was pruned, so its state cannot "
                        "be worked out again for number %llu; nothing was "
                        "changed. Keep the file, from which ves admin recover "
                        "can still read, set up a new store beside it, and "
                        "enter there what only this one has: ves log and ves "
                        "outbox show it",
                        (unsigned long long)g->common);
    return status;
}

/* ---- own events ---------------------------------------------------------- */

static enum ves_status visit_own(void *ctx, const struct ves_outbox_row *row)
{
    struct going *g = ctx;

    g->listed++;
    g->after = row->local_seq;
    if (row->sequence_number <= g->common)
        return VES_OK;
    return ves_device_row_copy(&g->scratch, row, true, &g->rows[g->count++]);
}

/* What the log had is kept as it was; this receipt is of what it had not. */
static void keep_promise(struct going *g, const struct ves_outbox_row *row)
{
    struct ves_receipt receipt;

    if (row->sequence_number <= g->cursor || !row->has_receipt)
        return;
    g->out->own++;
    ves_outbox_row_receipt(&g->core->stream, row, &receipt);
    ves_receipt_write(&g->body, &receipt);
    ves_buf_put_u8(&g->body, '\n');
    ves_buf_put_bytes(&g->body, row->envelope);
    ves_buf_put_u8(&g->body, '\n');
}

struct body {
    struct going *going;
    const struct ves_outbox_row *row;
    struct ves_bytes envelope;
};

static enum ves_status take_body(void *ctx, uint64_t epoch,
                                 const struct ves_log_row *row)
{
    struct body *body = ctx;
    struct ves_scratch text;

    if (epoch != body->going->out->epoch ||
        row->sequence_number != body->row->sequence_number)
        return VES_OK;
    ves_scratch_init(&text, &body->going->scratch, row->envelope.len + 1,
                     row->envelope.len + 1);
    ves_buf_put_bytes(&text.buf, row->envelope);
    ves_buf_put_u8(&text.buf, '}');
    body->envelope = ves_buf_view(&text.buf);
    return ves_buf_status(&text.buf);
}

/* The body of a row that was done with may be gone; the log had it. */
static enum ves_status fetch_body(struct going *g, struct ves_outbox_row *row)
{
    struct ves_store *store = g->core->store;
    struct body body = {.going = g, .row = row};

    if (row->envelope.len > 0)
        return VES_OK;
    enum ves_status status = store->ops->given_up_read(
        store, g->core->stream_no, row->sequence_number, 2, take_body, &body);
    if (status)
        return status;
    if (body.envelope.len == 0)
        return VES_CORRUPT;
    row->envelope = body.envelope;
    return store->ops->outbox_resign(store, row);
}

static enum ves_status take_rows_back(struct going *g)
{
    struct ves_store *store = g->core->store;
    size_t there = 0, away = 0;
    struct ves_outbox_row *moved =
        ves_arena_list(&g->scratch, VES_DEVICE_CHUNK, sizeof(*moved));
    enum ves_status status = moved ? VES_OK : VES_NOMEM;

    for (size_t i = 0; i < g->count && !status; i++) {
        keep_promise(g, &g->rows[i]);
        status = fetch_body(g, &g->rows[i]);
        ves_device_row_unsend(&g->rows[i]);
        if (g->rows[i].is_in_overlay)
            g->rows[there++] = g->rows[i];
        else
            moved[away++] = g->rows[i];
    }
    g->out->again += there + away;
    if (!status && there > 0)
        status = store->ops->outbox_update(store, g->rows, there);
    return status ? status
                  : ves_device_overlay(g->core, &g->scratch, moved, away, true);
}

static enum ves_status take_all_back(struct going *g)
{
    struct ves_store *store = g->core->store;
    struct ves_outbox_filter filter = {.limit = VES_DEVICE_CHUNK};
    enum ves_status status;

    do {
        ves_arena_reset(&g->scratch);
        g->count = g->listed = 0;
        filter.after_local_seq = g->after;
        status = store->ops->outbox_list(store, &filter, visit_own, g);
        if (!status)
            status = take_rows_back(g);
    } while (!status && g->listed == VES_DEVICE_CHUNK);
    return status ? status : ves_buf_status(&g->body);
}

/* ---- signing again ------------------------------------------------------- */

struct seen {
    struct going *going;
    uint64_t first; /* local_seq of the first that has seen too much */
};

static enum ves_status visit_seen(void *ctx, const struct ves_outbox_row *row)
{
    struct seen *seen = ctx;
    struct going *g = seen->going;
    struct ves_refusal refusal;
    struct ves_event event;
    struct ves_bytes bytes;

    if (row->sequence_number > 0 || row->is_refused || row->envelope.len == 0)
        return VES_OK;
    ves_arena_reset(&g->scratch);
    enum ves_status status = ves_arena_copy(&g->scratch, row->envelope, &bytes);
    if (!status)
        status = ves_event_read(&g->scratch, bytes, &event, &refusal);
    if (!status)
        status = ves_event_check(&g->scratch, &event, &refusal);
    if (status)
        return status == VES_REFUSED ? VES_CORRUPT : status;
    if (event.context.seen <= g->common)
        return VES_OK;
    seen->first = row->local_seq;
    return VES_AGAIN;
}

/* The key that signs now is known to the log by a rotation that is given up:
 * asked for again, it comes first, and the key before it signs nothing more. */
static enum ves_status rotate_again(struct going *g)
{
    struct ves_agent_core *core = g->core;

    if (g->rotations == 0)
        return VES_OK;
    if (g->rotations > 1 || g->rotation.key_id != core->key_id)
        return ves_fail(&core->error, VES_UNSUPPORTED,
                        "the key of this store was rotated %llu times by "
                        "events that were given up, and one can be asked for "
                        "again; nothing was changed. Set up a new store "
                        "beside this one and enter there what only this one "
                        "has: ves log and ves outbox show it",
                        (unsigned long long)g->rotations);
    g->out->is_rotated_again = true;
    return ves_device_rotation_again(core, g->arena, &g->rotation);
}

static enum ves_status sign_again(struct going *g)
{
    struct ves_agent_core *core = g->core;
    struct ves_device_state *state = &g->state;
    const struct ves_outbox_filter all = {.status_mask = 0};
    struct seen seen = {.going = g};

    enum ves_status status = ves_device_need_signer(core, g->arena);
    if (!status)
        status = rotate_again(g);
    if (!status && g->out->is_rotated_again)
        seen.first = 1;
    else if (!status)
        status =
            core->store->ops->outbox_list(core->store, &all, visit_seen, &seen);
    if (status && status != VES_AGAIN)
        return status;
    status = ves_device_fence(core, g->arena);
    if (status || seen.first == 0)
        return status;
    if (state->fork_from == 0 || seen.first < state->fork_from)
        state->fork_from = seen.first;
    state->seen_below = g->common + 1;
    return ves_device_rechain(core, g->arena, state, g->now_ms,
                              &g->out->signed_again);
}

/* ---- the whole ----------------------------------------------------------- */

static enum ves_status tell(struct going *g)
{
    const struct ves_core_given_up *out = g->out;
    struct ves_device_alert alert = {.code = VES_EPOCH_GIVEN_UP,
                                     .sequence_number =
                                         g->item->event.sequence_number,
                                     .event_id = &g->item->event.event_id,
                                     .body = ves_buf_view(&g->body)};
    struct ves_scratch words;
    struct ves_buf detail;

    ves_scratch_init(&words, g->arena, WORDS_MAX, WORDS_MAX);
    ves_buf_putf(
        &words.buf,
        "this store went back to number %llu, from where epoch %llu of the log "
        "goes on: %llu events of others and %llu of its own that were given up "
        "are kept (ves epoch export), and %llu of its own are sent again",
        (unsigned long long)out->common, (unsigned long long)out->epoch,
        (unsigned long long)out->others, (unsigned long long)out->own,
        (unsigned long long)out->again);
    ves_buf_put_u8(&words.buf, '\0');
    alert.detail = (const char *)words.buf.ptr;
    ves_buf_init(&detail, g->core->alloc, WORDS_MAX);
    ves_buf_putf(
        &detail,
        "{\"epoch\":%llu,\"common\":%llu,\"cursor\":%llu,"
        "\"others\":%llu,\"own\":%llu,\"sentAgain\":%llu,"
        "\"signedAgain\":%llu}",
        (unsigned long long)out->epoch, (unsigned long long)out->common,
        (unsigned long long)out->cursor, (unsigned long long)out->others,
        (unsigned long long)out->own, (unsigned long long)out->again,
        (unsigned long long)out->signed_again);
    enum ves_status status = ves_buf_status(&detail);
    if (!status)
        status = ves_buf_status(&words.buf);
    if (!status)
        status = ves_device_trail(g->core, g->now_ms, "epoch_follow",
                                  ves_buf_view(&detail));
    ves_buf_free(&detail);
    if (!status)
        status = ves_device_close(g->core, g->now_ms, VES_EPOCH_BEYOND);
    return status ? status : ves_device_alert(g->core, g->now_ms, &alert);
}

static enum ves_status find(struct going *g, struct ves_page *page)
{
    struct ves_agent_core *core = g->core;

    enum ves_status status = ves_device_state_get(core, g->arena, &g->state);
    if (!status)
        status = ves_device_cursor(core, &g->cursor);
    if (!status)
        status = ves_device_log_open(&g->log, g->cursor);
    if (!status)
        status = ves_device_epoch_beyond(&g->log, page, g->cursor);
    if (status)
        return status;
    g->item = &page->items[0];
    g->common = g->log.opening.epoch.common.size;
    *g->out = (struct ves_core_given_up){.epoch = g->log.opening.epoch.number,
                                         .common = g->common,
                                         .cursor = g->cursor};
    if (!g->state.is_copied)
        return VES_OK;
    return ves_fail(&core->error, VES_DIVERGED,
                    "this store is a copy of another that writes as the same "
                    "agent; nothing was changed. Go on with the other one");
}

static enum ves_status go(struct going *g, struct ves_page *page)
{
    struct ves_device_state *state = &g->state;

    enum ves_status status = find(g, page);
    if (status)
        return status;
    ves_buf_put_bytes(&g->body, g->item->raw);
    ves_buf_put_u8(&g->body, '\n');
    status = cut(g);
    if (!status)
        status = take_all_back(g);
    if (!status)
        status = sign_again(g);
    if (status)
        return status;
    if (state->own_known > g->common)
        state->own_known = g->common;
    if (state->last_pushed > g->common)
        state->last_pushed = g->common;
    state->remote_head = g->item->event.sequence_number;
    status = ves_device_state_put(g->core, state);
    return status ? status : tell(g);
}

static struct going *make_going(struct ves_agent_core *core,
                                struct ves_arena *arena, int64_t now_ms,
                                struct ves_core_given_up *out)
{
    struct going *g = ves_arena_alloc(arena, sizeof(*g));
    if (!g)
        return NULL;
    *g = (struct going){.core = core,
                        .arena = arena,
                        .log = {.core = core, .arena = arena},
                        .now_ms = now_ms,
                        .out = out};
    g->lost = ves_arena_list(arena, VES_DEVICE_CHUNK, sizeof(*g->lost));
    g->rows = ves_arena_list(arena, VES_DEVICE_CHUNK, sizeof(*g->rows));
    return g->lost && g->rows ? g : NULL;
}

enum ves_status ves_core_epoch_follow(struct ves_agent_core *core,
                                      struct ves_page *page, int64_t now_ms,
                                      bool dry_run,
                                      struct ves_core_given_up *out)
{
    struct ves_arena arena;
    VES_ASSERT(page->is_verified && core->signer);

    *out = (struct ves_core_given_up){.epoch = 0};
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (status)
        goto out;
    struct going *g = make_going(core, &arena, now_ms, out);
    if (!g) {
        status = ves_device_end(core, VES_NOMEM);
        goto out;
    }
    ves_arena_init(&g->scratch, core->alloc, VES_DEVICE_ARENA_MAX);
    ves_buf_init(&g->body, core->alloc, BODY_MAX);
    ves_entity_key(ves_bytes_str(VES_KEY_ENTITY_TYPE),
                   ves_bytes_str(VES_KEY_ENTITY_ID), &g->key_entity);
    status = go(g, page);
    if (!status && dry_run)
        core->store->ops->rollback(core->store);
    else
        status = ves_device_end(core, status);
    ves_buf_free(&g->body);
    ves_arena_free(&g->scratch);
out:
    ves_arena_free(&arena);
    return status;
}
