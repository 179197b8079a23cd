/* agent_push.c -- the push lease, and the request a push sends. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "engine/agent_claim.h"
#include "engine/agent_internal.h"

enum { ROW_WAIT_MAX_MS = 60 * 60 * 1000 };

/* One call of ves_core_push_begin. */
struct begin {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    const struct ves_lease *self;
    bool (*is_alive)(const struct ves_lease *holder);
    int64_t now_ms;
    uint32_t limit;
    bool is_explicit;
    struct ves_device_state state;
    struct ves_device_lease lease;
};

/* ---- claims of others ---------------------------------------------------- */

struct claimed {
    struct ves_arena *arena;
    uint64_t last;
    struct ves_outbox_row *rows;
    size_t count;
};

static enum ves_status visit_claimed(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct claimed *claimed = ctx;

    if (row->local_seq > claimed->last)
        return VES_AGAIN;
    /* decision 12: a row with a receipt never goes back. */
    if (row->claim == 0 || row->has_receipt)
        return VES_OK;
    if (claimed->count == VES_DEVICE_CHUNK)
        return VES_LIMIT;
    struct ves_outbox_row *copy = &claimed->rows[claimed->count++];
    enum ves_status status =
        ves_device_row_copy(claimed->arena, row, false, copy);
    copy->status = VES_OUTBOX_PENDING;
    copy->claim = 0;
    return status;
}

enum ves_status ves_device_reset_claims(struct ves_agent_core *core,
                                        struct ves_arena *arena,
                                        struct ves_device_lease *lease)
{
    struct ves_outbox_filter filter = {.status_mask = 1U << VES_OUTBOX_SYNCING};
    struct claimed claimed = {.arena = arena, .last = lease->last};
    enum ves_status status;

    if (lease->first == 0)
        return VES_OK;
    claimed.rows =
        ves_arena_alloc(arena, VES_DEVICE_CHUNK * sizeof(*claimed.rows));
    if (!claimed.rows)
        return VES_NOMEM;
    filter.after_local_seq = lease->first - 1;
    do {
        claimed.count = 0;
        status = core->store->ops->outbox_list(core->store, &filter,
                                               visit_claimed, &claimed);
        if (status && status != VES_AGAIN && status != VES_LIMIT)
            return status;
        enum ves_status update = VES_OK;
        if (claimed.count > 0) {
            update = core->store->ops->outbox_update(core->store, claimed.rows,
                                                     claimed.count);
            filter.after_local_seq = claimed.rows[claimed.count - 1].local_seq;
        }
        if (update)
            return update;
    } while (status == VES_LIMIT);
    lease->first = 0;
    lease->last = 0;
    return VES_OK;
}

/* ---- the lease ----------------------------------------------------------- */

static bool is_self(const struct ves_device_lease *lease,
                    const struct ves_lease *self)
{
    return lease->pid == self->pid &&
           lease->process_start == self->process_start &&
           ves_uuid_equal(&lease->boot_id, &self->boot_id);
}

static enum ves_status take_lease(struct begin *begin)
{
    struct ves_device_lease *lease = &begin->lease;
    const struct ves_lease holder = {.pid = lease->pid,
                                     .process_start = lease->process_start,
                                     .boot_id = lease->boot_id};
    bool is_mine = lease->is_held && is_self(lease, begin->self);
    if (lease->is_held && !is_mine && begin->is_alive(&holder))
        return ves_fail(&begin->core->error, VES_BUSY,
                        "process %llu is pushing from this store; nothing was "
                        "sent. Its events are on their way already",
                        (unsigned long long)holder.pid);
    if (lease->token == 0)
        lease->is_counted = 1;
    lease->token++;
    if (!is_mine)
        lease->session = lease->token;
    lease->is_held = 1;
    lease->pid = begin->self->pid;
    lease->process_start = begin->self->process_start;
    lease->boot_id = begin->self->boot_id;
    return ves_device_reset_claims(begin->core, begin->arena, lease);
}

/* ---- may this push happen at all? ---------------------------------------- */

static enum ves_status check_history(const struct begin *begin)
{
    struct ves_error *error = &begin->core->error;
    const struct ves_device_state *state = &begin->state;

    if (state->is_copied)
        return ves_fail(error, VES_DIVERGED,
                        "this store is a copy of another that writes as the "
                        "same agent; nothing was sent and everything is kept. "
                        "Set up a new store with a new invitation and write "
                        "there");
    if (state->is_diverged)
        return ves_fail(error, VES_DIVERGED,
                        "the sequencer's history ends before what this store "
                        "has seen; nothing was sent and everything is kept. "
                        "Pull again once the sequencer has its history back");
    if (state->is_restoring || state->is_backup)
        return ves_fail(error, VES_AGAIN,
                        "this store was restored from an older copy and is "
                        "taking its own events back; nothing was sent. Pull "
                        "until there is no more, then push");
    if (state->fork_from)
        return ves_fail(error, VES_AGAIN,
                        "this store was restored from an older copy, or its "
                        "key was rotated; what was written before has to be "
                        "signed again first; nothing was sent");
    return VES_OK;
}

/* decision 12: what only waits never stops a person. */
static enum ves_status check_waits(const struct begin *begin)
{
    struct ves_error *error = &begin->core->error;
    const struct ves_device_state *state = &begin->state;

    if (begin->is_explicit)
        return VES_OK;
    if (state->needs_auth)
        return ves_fail(error, VES_AUTH,
                        "the sequencer did not accept our credentials; nothing "
                        "was sent. Renew them and push");
    if (state->is_forbidden)
        return ves_fail(error, VES_FORBIDDEN,
                        "the sequencer says we may not push; nothing was sent. "
                        "Ask its operator, then push");
    if (!ves_device_is_due(state->next_attempt_ms, state->wait_ms,
                           begin->now_ms))
        return ves_fail(error, VES_AGAIN,
                        "the last %llu pushes failed; the next try is due in "
                        "%llu ms. Nothing was sent",
                        (unsigned long long)state->push_failures,
                        (unsigned long long)(state->next_attempt_ms -
                                             ves_device_time(begin->now_ms)));
    return VES_OK;
}

/* ---- the request --------------------------------------------------------- */

static enum ves_status fill(struct begin *begin,
                            const struct ves_outbox_row *rows, size_t count,
                            struct ves_push *push)
{
    const struct ves_alloc *alloc = begin->core->alloc;
    struct ves_buf *body = &push->body;

    push->local_seqs =
        alloc->realloc(alloc->ctx, NULL, count * sizeof(*push->local_seqs));
    push->event_ids =
        alloc->realloc(alloc->ctx, NULL, count * sizeof(*push->event_ids));
    if (!push->local_seqs || !push->event_ids)
        return VES_NOMEM;
    ves_buf_put_str(body, "{\"agentId\":\"");
    ves_buf_put_uuid(body, &begin->core->agent);
    ves_buf_put_str(body, "\",\"events\":[");
    for (size_t i = 0; i < count; i++) {
        push->local_seqs[i] = rows[i].local_seq;
        push->event_ids[i] = rows[i].event_id;
        if (i > 0)
            ves_buf_put_u8(body, ',');
        ves_buf_put_bytes(body, rows[i].envelope);
    }
    ves_buf_put_str(body, "]}");
    push->count = count;
    return ves_buf_status(body);
}

static size_t limit_of(const struct begin *begin)
{
    uint64_t limit = begin->limit;

    if (limit == 0 || limit > VES_EVENTS_PER_REQUEST_MAX)
        limit = VES_EVENTS_PER_REQUEST_MAX;
    if (begin->state.batch > 0 && begin->state.batch < limit)
        limit = begin->state.batch;
    return (size_t)limit;
}

static enum ves_status see_last(void *ctx, const struct ves_outbox_row *row)
{
    uint64_t *last = ctx;
    *last = row->local_seq;
    return VES_OK;
}

/* From here on what was claimed is counted; what an older program claimed and
 * gave back is somewhere among the rows there are. */
static enum ves_status count_sent(struct begin *begin, uint64_t last)
{
    struct ves_store *store = begin->core->store;
    const struct ves_outbox_filter newest = {.is_descending = true, .limit = 1};
    struct ves_device_lease *lease = &begin->lease;

    if (lease->sent == 0 && !lease->is_counted) {
        enum ves_status status =
            store->ops->outbox_list(store, &newest, see_last, &lease->sent);
        if (status)
            return status;
    }
    if (last > lease->sent)
        lease->sent = last;
    return VES_OK;
}

static enum ves_status claim(struct begin *begin, struct ves_push *push)
{
    struct ves_agent_core *core = begin->core;
    struct ves_outbox_row *rows;
    size_t count;
    const struct ves_device_claim claim = {.token = begin->lease.token,
                                           .session = begin->lease.session,
                                           .now_ms = begin->now_ms,
                                           .wait_max_ms = ROW_WAIT_MAX_MS,
                                           .limit = limit_of(begin),
                                           .is_explicit = begin->is_explicit};

    enum ves_status status =
        ves_device_claim(core, begin->arena, &claim, &rows, &count);
    if (status || count == 0)
        return status;
    begin->lease.first = rows[0].local_seq;
    begin->lease.last = rows[count - 1].local_seq;
    status = count_sent(begin, begin->lease.last);
    return status ? status : fill(begin, rows, count, push);
}

enum ves_status ves_core_push_may(struct ves_agent_core *core, int64_t now_ms,
                                  bool is_explicit)
{
    struct ves_arena arena;
    struct begin begin = {.core = core,
                          .arena = &arena,
                          .now_ms = now_ms,
                          .is_explicit = is_explicit};

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_state_get(core, &arena, &begin.state);
    if (!status)
        status = check_history(&begin);
    if (!status)
        status = check_waits(&begin);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

static enum ves_status begin_push(struct begin *begin, struct ves_push *push)
{
    enum ves_status status =
        ves_device_state_get(begin->core, begin->arena, &begin->state);
    if (!status)
        status = ves_device_lease_get(begin->core, begin->arena, &begin->lease);
    if (status)
        return status;
    /* So that release works even if this push comes to nothing. */
    if (begin->lease.is_held && is_self(&begin->lease, begin->self))
        push->token = begin->lease.token;
    status = check_history(begin);
    if (!status)
        status = check_waits(begin);
    if (!status)
        status = take_lease(begin);
    if (!status)
        status = claim(begin, push);
    if (!status)
        status = ves_device_lease_put(begin->core, &begin->lease);
    if (!status)
        push->token = begin->lease.token;
    return status;
}

enum ves_status
ves_core_push_begin(struct ves_agent_core *core, const struct ves_lease *self,
                    bool (*is_alive)(const struct ves_lease *holder),
                    int64_t now_ms, uint32_t limit, bool is_explicit,
                    struct ves_push *push)
{
    struct ves_arena arena;
    struct begin begin = {.core = core,
                          .arena = &arena,
                          .self = self,
                          .is_alive = is_alive,
                          .now_ms = now_ms,
                          .limit = limit,
                          .is_explicit = is_explicit};
    VES_ASSERT(self && is_alive);

    memset(push, 0, sizeof(*push));
    ves_buf_init(&push->body, core->alloc, 2 * VES_BODY_MAX);
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, begin_push(&begin, push));
    ves_arena_free(&arena);
    if (status)
        ves_push_free(push, core->alloc);
    return status;
}

void ves_push_free(struct ves_push *push, const struct ves_alloc *alloc)
{
    if (push->local_seqs)
        (void)alloc->realloc(alloc->ctx, push->local_seqs, 0);
    if (push->event_ids)
        (void)alloc->realloc(alloc->ctx, push->event_ids, 0);
    if (push->body.alloc)
        ves_buf_free(&push->body);
    push->local_seqs = NULL;
    push->event_ids = NULL;
    push->count = 0;
}

static enum ves_status release(struct ves_agent_core *core,
                               struct ves_arena *arena,
                               const struct ves_push *push)
{
    struct ves_device_lease lease;

    enum ves_status status = ves_device_lease_get(core, arena, &lease);
    if (status || !lease.is_held || lease.token != push->token)
        return status;
    status = ves_device_reset_claims(core, arena, &lease);
    lease.is_held = 0;
    return status ? status : ves_device_lease_put(core, &lease);
}

void ves_core_push_release(struct ves_agent_core *core,
                           const struct ves_push *push)
{
    struct ves_error error = core->error;
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    /* A lease that cannot be given back now falls to the next pusher when
     * this process is gone; words about what happened before stay. */
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, release(core, &arena, push));
    ves_arena_free(&arena);
    if (!status || error.status)
        core->error = error;
}
