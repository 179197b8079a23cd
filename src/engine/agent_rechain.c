/* agent_rechain.c -- what a restored store wrote before it had pulled, and what
 * has no number under a key that was rotated.
 *
 * semantics.md decision 15: the chain continues after own events that were
 * taken back.  What was appended on the older copy stands beside them instead,
 * under numbers that are used.  It never left this store, so nobody has seen
 * it: each such event keeps its id, time, payload, base and what its author
 * had seen, and gets another place in the chain and another signature.  So does
 * what was sent under the old key and is not in the log in front of the event
 * that rotated it: the sequencer takes nothing behind it (agent_rotate.c).  And
 * so does what has seen events that an epoch gave up (agent_given_up.c): its
 * author has seen the log as far as it is left, and its base is what that says.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"
#include "json/jcs.h"

/* One row to be signed again; its bytes are read when it is its turn. */
struct again {
    struct ves_uuid event_id;
    struct ves_hash old_hash, new_hash;
    uint64_t entity_prev;
    struct again *next;
};

struct rechain {
    struct ves_agent_core *core;
    struct ves_arena *arena;  /* the list */
    struct ves_arena scratch; /* one event */
    uint64_t from, sent;
    uint64_t seen_below;        /* struct ves_device_state */
    struct again *first, *last; /* by local_seq */
    uint64_t last_seq;          /* local_seq of last */
    struct ves_device_chain chain;
    size_t count;
    uint64_t old_first, new_first; /* agent_seq, for the trail */
};

static enum ves_status visit(void *ctx, const struct ves_outbox_row *row)
{
    struct rechain *rechain = ctx;

    if (row->local_seq < rechain->from || row->sequence_number > 0 ||
        row->is_refused || row->local_seq <= rechain->sent) {
        if (row->agent_seq > rechain->chain.agent_seq) {
            rechain->chain.agent_seq = row->agent_seq;
            rechain->chain.prev = row->event_hash;
        }
        return VES_OK;
    }
    struct again *again = ves_arena_alloc(rechain->arena, sizeof(*again));
    if (!again)
        return VES_NOMEM;
    *again = (struct again){.event_id = row->event_id,
                            .old_hash = row->event_hash,
                            .entity_prev = row->entity_prev};
    if (rechain->last)
        rechain->last->next = again;
    else
        rechain->first = again;
    rechain->last = again;
    rechain->last_seq = row->local_seq;
    return VES_OK;
}

/* Its base may be one of those signed again before it. */
static void follow_base(const struct rechain *rechain,
                        const struct again *again, struct ves_context *context)
{
    if (!context->has_base_head || again->entity_prev < rechain->from)
        return;
    for (const struct again *a = rechain->first; a != again; a = a->next) {
        if (ves_hash_equal(&a->old_hash, &context->base_head)) {
            context->base_head = a->new_hash;
            return;
        }
    }
}

struct base {
    uint64_t before; /* local_seq of the row whose base it is */
    uint64_t count;  /* of the rows of the overlay before it */
    struct ves_hash head;
};

static enum ves_status see_before(void *ctx, const struct ves_outbox_row *row)
{
    struct base *base = ctx;

    if (row->local_seq < base->before) {
        base->count++;
        base->head = row->event_hash;
    }
    return VES_OK;
}

/* Its author had seen what is given up; without that, the entity is what the
 * log says and what he wrote himself.  A base that he named is not raised. */
static enum ves_status forget_seen(struct rechain *rechain,
                                   const struct ves_outbox_row *row,
                                   struct ves_event *event)
{
    struct ves_agent_core *core = rechain->core;
    const struct ves_entity_name name = {row->entity_key, row->entity_type,
                                         row->entity_id};
    struct base base = {.before = row->local_seq};
    struct ves_entity_row entity;

    event->context.seen = rechain->seen_below - 1;
    if (!event->has_base_version)
        return VES_OK;
    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, &name, 1, &rechain->scratch, &entity);
    if (!status && entity.own_count > 0)
        status = core->store->ops->outbox_overlay(
            core->store, entity.own_last, entity.own_count, see_before, &base);
    if (status)
        return status;
    uint64_t known = entity.version + base.count;
    if (event->context.has_base_head || event->base_version > known)
        event->base_version = known;
    if (known == 0)
        event->context.has_base_head = false;
    if (event->context.has_base_head)
        event->context.base_head = base.count > 0 ? base.head : entity.head;
    return VES_OK;
}

static enum ves_status bare_payload(struct rechain *rechain,
                                    const struct ves_event *event,
                                    const struct ves_json **out)
{
    const struct ves_json_options options = {.depth_max =
                                                 VES_JSON_DEPTH_MAX - 1};
    struct ves_scratch text;

    ves_scratch_init(&text, &rechain->scratch, event->payload_jcs.len + 64,
                     VES_PAYLOAD_MAX);
    enum ves_status status = ves_jcs_write_without(&text.buf, &rechain->scratch,
                                                   event->payload, "_ves");
    if (!status)
        status = ves_buf_status(&text.buf);
    return status ? status
                  : ves_json_read(&rechain->scratch, ves_buf_view(&text.buf),
                                  &options, out, NULL);
}

static enum ves_status sign_again(struct rechain *rechain, struct again *again,
                                  struct ves_outbox_row *row)
{
    struct ves_agent_core *core = rechain->core;
    struct ves_device_chain *chain = &rechain->chain;
    struct ves_refusal refusal;
    struct ves_event event;
    const struct ves_json *payload;

    enum ves_status status = core->store->ops->outbox_get(
        core->store, &again->event_id, 1, &rechain->scratch, row);
    if (!status)
        status =
            ves_event_read(&rechain->scratch, row->envelope, &event, &refusal);
    if (!status)
        status = ves_event_check(&rechain->scratch, &event, &refusal);
    if (status)
        return status == VES_REFUSED ? VES_CORRUPT : status;
    event.agent_key_id = core->key_id;
    event.context.agent_seq = chain->agent_seq + 1;
    event.context.has_prev = chain->agent_seq > 0;
    event.context.prev = chain->prev;
    follow_base(rechain, again, &event.context);
    if (rechain->seen_below > 0 && event.context.seen >= rechain->seen_below)
        status = forget_seen(rechain, row, &event);
    if (!status)
        status = bare_payload(rechain, &event, &payload);
    if (!status)
        status = ves_device_payload(core, &rechain->scratch, &event.context,
                                    payload, &event.payload_jcs);
    if (status)
        return status;
    ves_device_sign(core, &event);
    status = ves_device_envelope(&rechain->scratch, &event, &row->envelope);
    if (status)
        return status;
    if (rechain->count++ == 0) {
        rechain->old_first = row->agent_seq;
        rechain->new_first = event.context.agent_seq;
    }
    row->agent_seq = event.context.agent_seq;
    row->event_hash = event.event_hash;
    again->new_hash = event.event_hash;
    chain->agent_seq = event.context.agent_seq;
    chain->prev = event.event_hash;
    return core->store->ops->outbox_resign(core->store, row);
}

/* The newest event of the overlay has another hash now. */
static enum ves_status follow_head(struct rechain *rechain,
                                   const struct again *again,
                                   const struct ves_outbox_row *row)
{
    struct ves_agent_core *core = rechain->core;
    const struct ves_entity_name name = {row->entity_key, row->entity_type,
                                         row->entity_id};
    struct ves_entity_row entity;

    if (!row->is_in_overlay)
        return VES_OK;
    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, &name, 1, &rechain->scratch, &entity);
    if (status || !ves_hash_equal(&entity.own_head, &again->old_hash))
        return status;
    entity.own_head = row->event_hash;
    return core->store->ops->entity_put(core->store, core->stream_no, &entity,
                                        1);
}

static enum ves_status tell(struct rechain *rechain, int64_t now_ms)
{
    struct ves_buf buf;

    ves_buf_init(&buf, rechain->core->alloc, 256);
    ves_buf_putf(&buf,
                 "{\"signedAgain\":%zu,\"agentSeqWas\":%llu,"
                 "\"agentSeqIs\":%llu}",
                 rechain->count, (unsigned long long)rechain->old_first,
                 (unsigned long long)rechain->new_first);
    return ves_device_trail_end(rechain->core, now_ms, "rechain", &buf);
}

/* ---- refused because of the key that was rotated ------------------------- */

struct refused {
    struct ves_arena *arena;
    struct ves_outbox_row rows[VES_DEVICE_CHUNK];
    size_t count, listed;
    uint64_t after;
};

static enum ves_status visit_refused(void *ctx,
                                     const struct ves_outbox_row *row)
{
    static const char reason[] = "agent_key_invalid";
    struct refused *refused = ctx;

    refused->listed++;
    refused->after = row->local_seq;
    if (row->sequence_number > 0 || row->error.len < sizeof(reason) - 1 ||
        memcmp(row->error.ptr, reason, sizeof(reason) - 1) != 0 ||
        ves_device_is_decided(row))
        return VES_OK;
    return ves_device_row_copy(refused->arena, row, true,
                               &refused->rows[refused->count++]);
}

/* Those that carry another key than the one that signs now. */
static enum ves_status requeue(struct rechain *rechain, struct refused *refused)
{
    struct ves_agent_core *core = rechain->core;
    struct ves_refusal refusal;
    struct ves_event event;
    size_t n = 0;

    for (size_t i = 0; i < refused->count; i++) {
        enum ves_status status = ves_event_read(
            refused->arena, refused->rows[i].envelope, &event, &refusal);
        if (status)
            return status == VES_REFUSED ? VES_CORRUPT : status;
        if (event.agent_key_id != core->key_id)
            refused->rows[n++] = refused->rows[i];
    }
    return ves_device_requeue(core, refused->arena, refused->rows, n);
}

static enum ves_status take_up_refused(struct rechain *rechain)
{
    struct ves_store *store = rechain->core->store;
    struct ves_outbox_filter filter = {.status_mask = 1U << VES_OUTBOX_FAILED,
                                       .limit = VES_DEVICE_CHUNK};
    struct refused *refused = ves_arena_alloc(rechain->arena, sizeof(*refused));
    enum ves_status status;

    if (!refused)
        return VES_NOMEM;
    *refused = (struct refused){.arena = &rechain->scratch};
    do {
        ves_arena_reset(&rechain->scratch);
        refused->count = 0;
        refused->listed = 0;
        filter.after_local_seq = refused->after;
        status =
            store->ops->outbox_list(store, &filter, visit_refused, refused);
        if (!status)
            status = requeue(rechain, refused);
    } while (!status && refused->listed == VES_DEVICE_CHUNK);
    return status;
}

/* ---- the whole ----------------------------------------------------------- */

static enum ves_status sign_all(struct rechain *rechain,
                                struct ves_device_state *state, int64_t now_ms)
{
    struct ves_agent_core *core = rechain->core;
    const struct ves_outbox_filter all = {.status_mask = 0};

    rechain->from = state->fork_from;
    rechain->seen_below = state->seen_below;
    rechain->chain.agent_seq = 0;
    enum ves_status status =
        core->store->ops->outbox_list(core->store, &all, visit, rechain);
    for (struct again *a = rechain->first; a && !status; a = a->next) {
        struct ves_outbox_row row;
        ves_arena_reset(&rechain->scratch);
        status = sign_again(rechain, a, &row);
        if (!status)
            status = follow_head(rechain, a, &row);
    }
    if (!status)
        status = ves_device_chain_put(core, &rechain->chain);
    if (state->seen_below > 0)
        state->epoch_signed = rechain->last_seq;
    state->fork_from = 0;
    state->seen_below = 0;
    return status ? status : tell(rechain, now_ms);
}

static enum ves_status run(struct rechain *rechain,
                           struct ves_device_state *state, int64_t now_ms)
{
    struct ves_agent_core *core = rechain->core;
    struct ves_device_lease lease;

    /* Not before everything lost is back: what follows it moves with it. */
    if (state->fork_from == 0 || state->is_restoring || state->is_backup ||
        state->is_copied)
        return VES_OK;
    enum ves_status status = ves_device_lease_get(core, rechain->arena, &lease);
    if (!status)
        status = ves_device_chain_get(core, rechain->arena, &rechain->chain);
    if (!status)
        status = ves_device_need_signer(core, rechain->arena);
    if (!status)
        status = take_up_refused(rechain);
    if (status)
        return status;
    rechain->sent = ves_device_sent(&lease);
    return sign_all(rechain, state, now_ms);
}

enum ves_status ves_device_rechain(struct ves_agent_core *core,
                                   struct ves_arena *arena,
                                   struct ves_device_state *state,
                                   int64_t now_ms, uint64_t *count)
{
    struct rechain rechain = {.core = core, .arena = arena};
    VES_ASSERT(core->signer);

    ves_arena_init(&rechain.scratch, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = run(&rechain, state, now_ms);
    ves_arena_free(&rechain.scratch);
    *count = rechain.count;
    return status;
}

static enum ves_status rechain_state(struct ves_agent_core *core,
                                     struct ves_arena *arena, int64_t now_ms)
{
    struct ves_device_state state;
    uint64_t count;

    enum ves_status status = ves_device_state_get(core, arena, &state);
    if (status || state.fork_from == 0)
        return status;
    status = ves_device_rechain(core, arena, &state, now_ms, &count);
    return status ? status : ves_device_state_put(core, &state);
}

enum ves_status ves_core_rechain(struct ves_agent_core *core, int64_t now_ms)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, rechain_state(core, &arena, now_ms));
    ves_arena_free(&arena);
    return status;
}

/* ---- what a push has to know first ----------------------------------------
 */

struct counter {
    uint64_t after, until, wanted, count;
};

static enum ves_status count_placed(void *ctx, const struct ves_outbox_row *row)
{
    struct counter *counter = ctx;

    counter->count += row->sequence_number > counter->after &&
                      row->sequence_number <= counter->until;
    return counter->count >= counter->wanted ? VES_AGAIN : VES_OK;
}

enum ves_status ves_core_own(struct ves_agent_core *core,
                             struct ves_core_own *out)
{
    struct ves_device_state state;
    uint64_t cursor;

    enum ves_status status = ves_device_where(core, &state, &cursor);
    if (status)
        return status;
    *out = (struct ves_core_own){
        .cursor = cursor,
        .known = state.own_known > cursor ? state.own_known : cursor,
        .needs_pull = state.is_restoring || state.is_backup,
        .was_backup = state.was_backup && !state.is_copied,
        .needs_rechain = state.fork_from > 0 && !state.is_copied};
    return VES_OK;
}

static enum ves_status end_backup(struct ves_agent_core *core,
                                  struct ves_arena *arena)
{
    struct ves_device_state state;

    enum ves_status status = ves_device_state_get(core, arena, &state);
    if (status || !state.was_backup)
        return status;
    state.was_backup = 0;
    return ves_device_state_put(core, &state);
}

enum ves_status ves_core_own_whole(struct ves_agent_core *core)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, end_backup(core, &arena));
    ves_arena_free(&arena);
    return status;
}

/* A head that was verified goes further: what was counted up to there is an
 * answer of before. */
static enum ves_status is_old_end(struct ves_agent_core *core,
                                  struct ves_arena *arena, uint64_t until,
                                  bool *is_old)
{
    struct ves_follow_row row = {.logged = 0};

    enum ves_status status =
        core->store->ops->follow_get(core->store, core->stream_no, arena, &row);
    *is_old = !status && row.logged > until;
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_core_own_counted(struct ves_agent_core *core,
                                     uint64_t after, uint64_t until,
                                     uint64_t count, bool *is_known)
{
    /* The newest first: those that were sent since somebody asked last. */
    const struct ves_outbox_filter newest = {.is_descending = true};
    struct counter counter = {.after = after, .until = until, .wanted = count};
    bool is_old = false;
    struct ves_device_state state;
    struct ves_arena arena;

    *is_known = false;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (status)
        goto out;
    status = is_old_end(core, &arena, until, &is_old);
    if (status || is_old)
        goto end;
    if (count > 0)
        status = core->store->ops->outbox_list(core->store, &newest,
                                               count_placed, &counter);
    if (status == VES_AGAIN)
        status = VES_OK;
    *is_known = !status && counter.count >= count;
    if (!status && *is_known)
        status = ves_device_state_get(core, &arena, &state);
    if (!status && *is_known && until != state.own_known) {
        state.own_known = until;
        status = ves_device_state_put(core, &state);
    }
end:
    status = ves_device_end(core, status);
out:
    ves_arena_free(&arena);
    return status;
}
