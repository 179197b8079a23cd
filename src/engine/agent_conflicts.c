/* agent_conflicts.c -- what conflicts mean for own events: rows of the outbox,
 * the trail, and advice before there is a verdict.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "engine/agent_internal.h"

enum {
    ADVICE_MAX = 256 /* own pending events of one entity that are looked at */
};

/* ---- the branch of a conflict -------------------------------------------- */

/* Its own events, by id. */
struct branch {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    uint64_t *sequences;
    size_t sequence_count;
    struct ves_uuid *ids;
    size_t count;
};

static enum ves_status take_member(void *ctx,
                                   const struct ves_conflict_member *member)
{
    struct branch *branch = ctx;

    /* The branch comes first, and its length is known. */
    if (member->side != VES_SIDE_BRANCH)
        return VES_AGAIN;
    branch->sequences[branch->sequence_count++] = member->sequence_number;
    return VES_OK;
}

static enum ves_status take_id(void *ctx, const struct ves_log_row *row)
{
    struct branch *branch = ctx;

    if (ves_uuid_equal(&row->agent, &branch->core->agent))
        branch->ids[branch->count++] = row->event_id;
    return VES_OK;
}

static enum ves_status read_branch(struct branch *branch,
                                   const struct ves_conflict_row *conflict)
{
    struct ves_agent_core *core = branch->core;
    size_t room = (size_t)conflict->branch_count;

    branch->ids = ves_arena_alloc(branch->arena, room * sizeof(*branch->ids));
    branch->sequences =
        ves_arena_alloc(branch->arena, room * sizeof(*branch->sequences));
    if (!branch->ids || !branch->sequences)
        return VES_NOMEM;
    /* Not all of a branch need be by one author: who tried to decide it joins
     * it with what he wrote after that. */
    enum ves_status status = core->store->ops->member_list(
        core->store, core->stream_no, &conflict->id, take_member, branch);
    if (status == VES_AGAIN)
        status = VES_OK;
    VES_ASSERT(status || branch->sequence_count == room);
    for (size_t i = 0; i < branch->sequence_count && !status; i++)
        status = core->store->ops->log_read(core->store, core->stream_no,
                                            branch->sequences[i], 1, take_id,
                                            branch);
    return status;
}

/* ---- own rows ------------------------------------------------------------ */

static const char *disposition_of(const struct ves_conflict_row *conflict)
{
    switch ((enum ves_winner)conflict->winner) {
    case VES_WINNER_BRANCH:
        return VES_DISPOSITION_REBASED;
    case VES_WINNER_APPLIED:
        return VES_DISPOSITION_OVERRIDDEN;
    case VES_WINNER_MERGE:
        return VES_DISPOSITION_MERGED;
    case VES_WINNER_NONE:
    case VES_WINNER_UNDO:
        break;
    }
    return ves_verdict_name(VES_VERDICT_CONFLICT);
}

/* semantics.md 3.3: conflict -> synced when it is decided, and back. */
static void settle_row(struct ves_outbox_row *row,
                       const struct ves_conflict_row *conflict)
{
    row->has_verdict = true;
    row->verdict = VES_VERDICT_CONFLICT;
    row->disposition = ves_bytes_str(disposition_of(conflict));
    if (conflict->closed == 0)
        row->status = VES_OUTBOX_CONFLICT;
    else if (row->status == VES_OUTBOX_CONFLICT)
        row->status =
            row->has_receipt ? VES_OUTBOX_SYNCING : VES_OUTBOX_PENDING;
}

static enum ves_status settle_conflict(struct ves_agent_core *core,
                                       struct ves_arena *arena,
                                       const struct ves_conflict_row *conflict)
{
    struct branch branch = {.core = core, .arena = arena};
    size_t n = 0;

    enum ves_status status = read_branch(&branch, conflict);
    if (status || branch.count == 0)
        return status;
    struct ves_outbox_row *rows =
        ves_arena_alloc(arena, branch.count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    status = core->store->ops->outbox_get(core->store, branch.ids, branch.count,
                                          arena, rows);
    for (size_t i = 0; i < branch.count && !status; i++) {
        if (rows[i].local_seq == 0)
            continue;
        settle_row(&rows[i], conflict);
        rows[n++] = rows[i];
    }
    if (status || n == 0)
        return status;
    return core->store->ops->outbox_update(core->store, rows, n);
}

static enum ves_status settle_late_row(struct ves_device_fold *fold,
                                       const struct ves_log_row *log)
{
    struct ves_agent_core *core = fold->core;
    struct ves_outbox_row row;

    if (!ves_uuid_equal(&log->agent, &core->agent) ||
        log->verdict == VES_VERDICT_NONE)
        return VES_OK;
    enum ves_status status = core->store->ops->outbox_get(
        core->store, &log->event_id, 1, fold->arena, &row);
    if (status || row.local_seq == 0)
        return status;
    row.has_verdict = true;
    row.verdict = log->verdict;
    row.disposition =
        ves_bytes_str(ves_verdict_name((enum ves_verdict)row.verdict));
    /* What an answer to a push said meanwhile was another verdict. */
    if (row.status == VES_OUTBOX_CONFLICT &&
        log->verdict != VES_VERDICT_CONFLICT)
        row.status = row.has_receipt ? VES_OUTBOX_SYNCING : VES_OUTBOX_PENDING;
    return core->store->ops->outbox_update(core->store, &row, 1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Events of earlier pages whose verdict came now. */
static enum ves_status settle_late(struct ves_device_fold *fold,
                                   const struct ves_device_held *held)
{
    enum ves_status status = VES_OK;
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < held->count && !status; i++) {
        status = settle_late_row(fold, &held->rows[i]);
        first = least(first, held->rows[i].sequence_number);
    }
    for (const struct ves_verdict_event *e = fold->verdicts.changed;
         e && !status; e = e->next_changed) {
        status = settle_late_row(fold, e->row);
        first = least(first, e->row->sequence_number);
    }
    if (status || first == UINT64_MAX)
        return status;
    return ves_device_automatic_again(fold->core, fold->arena, first);
}

/* ---- the trail ----------------------------------------------------------- */

static const char *trail_code(const struct ves_verdict_conflict *conflict)
{
    bool is_open = conflict->row.closed == 0;

    if (!conflict->was_there && is_open)
        return "conflict_opened";
    if (conflict->was_there && conflict->was_open == is_open)
        return NULL; /* a tail joined */
    return is_open ? "conflict_reopened" : "conflict_closed";
}

static enum ves_status store_trail(struct ves_device_fold *fold, int64_t now_ms,
                                   const struct ves_verdict_conflict *conflict)
{
    const struct ves_conflict_row *row = &conflict->row;
    const char *code = trail_code(conflict);
    struct ves_buf buf;

    if (!code)
        return VES_OK;
    ves_buf_init(&buf, fold->core->alloc, 4096);
    ves_buf_put_str(&buf, "{\"conflictId\":\"0x");
    ves_buf_put_hex(&buf, row->id.b, VES_HASH_SIZE);
    ves_buf_putf(&buf, "\",\"conflictType\":\"%s\",\"openedSequence\":%llu",
                 ves_conflict_kind_name((enum ves_conflict_kind)row->kind),
                 (unsigned long long)row->opened);
    if (row->closed > 0)
        ves_buf_putf(&buf, ",\"closedSequence\":%llu,\"disposition\":\"%s\"",
                     (unsigned long long)row->closed, disposition_of(row));
    ves_buf_put_u8(&buf, '}');
    return ves_device_trail_end(fold->core, now_ms, code, &buf);
}

enum ves_status ves_device_conflicts(struct ves_device_fold *fold,
                                     const struct ves_device_held *held,
                                     int64_t now_ms)
{
    enum ves_status status = settle_late(fold, held);

    for (const struct ves_verdict_conflict *c = fold->verdicts.first_conflict;
         c && !status; c = c->next) {
        if (!c->is_changed)
            continue;
        status = settle_conflict(fold->core, fold->arena, &c->row);
        if (!status)
            status = store_trail(fold, now_ms, c);
    }
    return status;
}

/* ---- all of them --------------------------------------------------------- */

struct all {
    struct ves_conflict_row *rows;
    size_t count;
};

static enum ves_status take_conflict(void *ctx,
                                     const struct ves_conflict_row *row)
{
    struct all *all = ctx;

    all->rows[all->count++] = *row;
    return VES_OK;
}

static enum ves_status settle_some(struct ves_agent_core *core,
                                   struct ves_arena *arena, uint64_t *after)
{
    const struct ves_conflict_filter filter = {.after = *after,
                                               .limit = VES_DEVICE_CHUNK};
    struct all all = {
        ves_arena_alloc(arena, VES_DEVICE_CHUNK * sizeof(*all.rows)), 0};

    if (!all.rows)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->conflict_list(
        core->store, core->stream_no, &filter, take_conflict, &all);
    for (size_t i = 0; i < all.count && !status; i++)
        status = settle_conflict(core, arena, &all.rows[i]);
    *after = all.count > 0 ? all.rows[all.count - 1].opened : 0;
    return status;
}

enum ves_status ves_device_conflicts_all(struct ves_agent_core *core)
{
    enum ves_status status = VES_OK;
    struct ves_arena arena;
    uint64_t after = 0;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    do {
        ves_arena_reset(&arena);
        status = settle_some(core, &arena, &after);
    } while (!status && after > 0);
    ves_arena_free(&arena);
    return status;
}

/* ---- advice -------------------------------------------------------------- */

/* Own events of one entity that wait to be sent. */
struct pending {
    struct ves_rules_log *rules;
    struct ves_arena *arena;
    struct ves_outbox_row *rows;
    struct ves_event *events;
    struct ves_judge_subject *subjects;
    size_t count;
};

static enum ves_status take_pending(void *ctx, const struct ves_outbox_row *row)
{
    struct pending *pending = ctx;
    struct ves_event *event = &pending->events[pending->count];
    struct ves_refusal refusal;
    struct ves_bytes envelope;

    if (row->sequence_number > 0 || row->status == VES_OUTBOX_CONFLICT)
        return VES_OK;
    if (ves_arena_copy(pending->arena, row->envelope, &envelope))
        return VES_NOMEM;
    enum ves_status status =
        ves_event_read(pending->arena, envelope, event, &refusal);
    if (!status)
        status = ves_event_check(pending->arena, event, &refusal);
    if (!status)
        status = ves_rules_log_subject(pending->rules, pending->arena, event,
                                       VES_SEQUENCE_NEXT,
                                       &pending->subjects[pending->count]);
    if (status)
        return status == VES_REFUSED ? VES_CORRUPT : status;
    return ves_device_row_copy(pending->arena, row, false,
                               &pending->rows[pending->count++]);
}

/* Did the run bring something of somebody else? */
static bool is_touched(const struct ves_device_fold *fold,
                       const struct ves_device_slot *slot)
{
    const struct ves_verdict_event *e = slot->entity.newest;

    while (e && ves_uuid_equal(&e->row->agent, &fold->core->agent))
        e = e->older;
    return e != NULL;
}

static enum ves_status advise_entity(struct ves_device_fold *fold,
                                     struct ves_arena *arena,
                                     const struct ves_entity_row *entity)
{
    struct ves_agent_core *core = fold->core;
    size_t room = (size_t)entity->own_count;
    struct pending pending = {
        .rules = fold->verdicts.rules,
        .arena = arena,
        .rows = ves_arena_alloc(arena, room * sizeof(*pending.rows)),
        .events = ves_arena_alloc(arena, room * sizeof(*pending.events)),
        .subjects = ves_arena_alloc(arena, room * sizeof(*pending.subjects))};
    struct ves_judgement *judgements =
        ves_arena_alloc(arena, room * sizeof(*judgements));
    size_t n = 0;

    if (!pending.rows || !pending.events || !pending.subjects || !judgements)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->outbox_overlay(
        core->store, entity->own_last, room, take_pending, &pending);
    if (status || pending.count == 0)
        return status;
    status = ves_verdicts_forecast(&fold->verdicts, pending.subjects,
                                   pending.events, pending.count, judgements);
    for (size_t i = 0; i < pending.count && !status; i++) {
        bool is_likely = judgements[i].verdict == VES_VERDICT_CONFLICT;
        if (pending.rows[i].is_likely_conflict == is_likely)
            continue;
        pending.rows[i].is_likely_conflict = is_likely;
        pending.rows[n++] = pending.rows[i];
    }
    if (status || n == 0)
        return status;
    return core->store->ops->outbox_update(core->store, pending.rows, n);
}

enum ves_status ves_device_advise(struct ves_device_fold *fold)
{
    enum ves_status status = VES_OK;
    struct ves_arena arena;

    ves_arena_init(&arena, fold->core->alloc, VES_DEVICE_ARENA_MAX);
    for (const struct ves_device_slot *s = fold->first; s && !status;
         s = s->next) {
        const struct ves_entity_row *row = &s->entity.row;
        if (row->own_count == 0 || row->own_count > ADVICE_MAX ||
            !is_touched(fold, s))
            continue;
        ves_arena_reset(&arena);
        status = advise_entity(fold, &arena, row);
    }
    ves_arena_free(&arena);
    return status;
}
