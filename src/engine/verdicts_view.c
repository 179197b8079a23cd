/* verdicts_view.c -- what the judge asks, answered from the run and the store
 * below it.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/folding.h"
#include "engine/verdicts.h"

/* ---- what was shown ------------------------------------------------------ */

static enum ves_status show(struct ves_verdicts *v, const struct ves_hash *hash,
                            uint64_t sequence, const struct ves_uuid *event_id)
{
    enum ves_status status = VES_OK;

    if (!v->has_seen)
        status =
            ves_map_init(&v->seen, &v->scratch, VES_HASH_SIZE, 0, &v->secret);
    if (status)
        return status;
    v->has_seen = true;
    void **slot = ves_map_slot(&v->seen, hash->b);
    if (!slot)
        return VES_NOMEM;
    if (*slot)
        return VES_OK;
    struct ves_seen *seen = ves_arena_alloc(&v->scratch, sizeof(*seen));
    if (!seen)
        return VES_NOMEM;
    *seen = (struct ves_seen){sequence, *event_id};
    *slot = seen;
    return VES_OK;
}

enum ves_status ves_verdicts_show(struct ves_verdicts *v,
                                  const struct ves_verdict_event *event)
{
    const struct ves_log_row *row = event->row;
    return show(v, &row->event_hash, row->sequence_number, &row->event_id);
}

const struct ves_seen *ves_verdicts_seen(const struct ves_verdicts *v,
                                         const struct ves_hash *hash)
{
    return v->has_seen ? ves_map_get(&v->seen, hash->b) : NULL;
}

/* ---- events -------------------------------------------------------------- */

enum ves_status ves_verdicts_find(struct ves_verdicts *v, uint64_t sequence,
                                  struct ves_verdict_event **out)
{
    if (sequence <= v->base)
        return ves_verdicts_load(v, sequence, out);
    VES_ASSERT(sequence - v->base <= v->count);
    *out = v->events[sequence - v->base - 1];
    return VES_OK;
}

static void fill_known(const struct ves_log_row *row,
                       struct ves_judge_known *out)
{
    *out = (struct ves_judge_known){
        .hash = row->event_hash,
        .event_id = row->event_id,
        .sequence = row->sequence_number,
        .agent_seq = row->agent_seq,
        .verdict = (enum ves_verdict)row->verdict,
        .is_fact = row->is_fact,
        .has_conflict_id = row->has_conflict_id,
        .conflict_id = row->conflict_id,
    };
}

static enum ves_status enter_ids(struct ves_verdicts *v)
{
    for (; v->ids_count < v->count; v->ids_count++) {
        struct ves_verdict_event *event = v->events[v->ids_count];
        void **slot = ves_map_slot(&v->ids, event->row->event_id.b);
        if (!slot)
            return VES_NOMEM;
        *slot = event;
    }
    return VES_OK;
}

static enum ves_status view_event(void *ctx, const struct ves_uuid *event_id,
                                  struct ves_judge_known *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_id_row found;

    enum ves_status status = enter_ids(v);
    if (status)
        return status;
    struct ves_verdict_event *event = ves_map_get(&v->ids, event_id->b);
    if (!event) {
        status = v->store->ops->log_find_ids(v->store, v->stream_no, event_id,
                                             1, &found);
        if (status)
            return status;
        if (found.sequence_number == 0 || found.sequence_number > v->base)
            return VES_NOT_FOUND;
        status = ves_verdicts_load(v, found.sequence_number, &event);
        if (status)
            return status;
    }
    if (event->row->verdict == VES_VERDICT_NONE)
        return VES_NOT_FOUND;
    fill_known(event->row, out);
    return VES_OK;
}

/* ---- entities ------------------------------------------------------------ */

static enum ves_status fill_tombstone(struct ves_verdicts *v, uint64_t sequence,
                                      struct ves_judge_entity *out)
{
    struct ves_verdict_event *event;

    enum ves_status status = ves_verdicts_find(v, sequence, &event);
    if (!status)
        status = ves_verdicts_show(v, event);
    if (status)
        return status;
    out->has_tombstone = true;
    out->tombstone = event->row->event_hash;
    out->tombstone_at = event->row->applied_at;
    out->tombstone_sequence = sequence;
    out->tombstone_agent = event->row->agent;
    out->tombstone_agent_seq = event->row->agent_seq;
    out->tombstone_is_fact = event->row->is_fact;
    return VES_OK;
}

/* The entity, as the run began: rows without a verdict do not count yet. */
static enum ves_status get_entity(struct ves_verdicts *v,
                                  const struct ves_hash *entity_key,
                                  struct ves_verdict_entity **out)
{
    enum ves_status status = v->host.entity(v->host.ctx, entity_key, out);

    while (!status && (*out)->stored_last > v->base) {
        struct ves_verdict_event *event;
        status = ves_verdicts_load(v, (*out)->stored_last, &event);
        if (!status)
            (*out)->stored_last = event->row->entity_prev;
    }
    return status;
}

static enum ves_status view_entity(void *ctx, const struct ves_hash *entity_key,
                                   struct ves_judge_entity *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_entity *entity;

    enum ves_status status = get_entity(v, entity_key, &entity);
    if (status)
        return status;
    const struct ves_entity_row *row = &entity->row;
    *out = (struct ves_judge_entity){
        .last = entity->newest ? entity->newest->row->sequence_number
                               : entity->stored_last,
        .version = row->version,
        .head = row->head,
        .head_applied_at = row->head_applied_at,
        .written_at = row->written_at,
    };
    return row->tombstone ? fill_tombstone(v, row->tombstone, out) : VES_OK;
}

/* ---- the applied ones ---------------------------------------------------- */

/* Of the store: along the chain, and those that waited where their version
 * says. */
struct walk {
    uint64_t sequence; /* of the next row of the chain, 0: at its end */
    uint64_t version;  /* wanted */
};

/* The newest row of the chain that is applied and did not wait. */
static enum ves_status step_chain(struct ves_verdicts *v, struct walk *walk,
                                  struct ves_verdict_event **out)
{
    *out = NULL;
    while (walk->sequence > 0) {
        struct ves_verdict_event *event;
        enum ves_status status = ves_verdicts_load(v, walk->sequence, &event);
        if (status)
            return status;
        /* What changed in the run is among the run's own. */
        if (!event->is_changed && event->row->verdict == VES_VERDICT_APPLIED &&
            !event->row->has_waited) {
            *out = event;
            return VES_OK;
        }
        walk->sequence = event->row->entity_prev;
    }
    return VES_OK;
}

static enum ves_status next_stored(struct ves_verdicts *v,
                                   const struct ves_verdict_entity *entity,
                                   struct walk *walk,
                                   struct ves_verdict_event **out)
{
    uint64_t sequence;

    enum ves_status status = step_chain(v, walk, out);
    if (status)
        return status;
    if (*out && (*out)->row->version == walk->version) {
        walk->sequence = (*out)->row->entity_prev;
        return VES_OK;
    }
    status = v->store->ops->log_find_late(
        v->store, v->stream_no, &entity->row.key, walk->version, &sequence);
    if (status)
        return status;
    if (sequence == 0 || sequence > v->base)
        return ves_fail(&v->store->error, VES_CORRUPT,
                        "the log has no event that made version %llu of an "
                        "entity, which is at version %llu",
                        (unsigned long long)walk->version,
                        (unsigned long long)entity->stored_version);
    return ves_verdicts_load(v, sequence, out);
}

enum ves_status ves_verdicts_applied(struct ves_verdicts *v,
                                     const struct ves_verdict_entity *entity,
                                     ves_verdict_visitor *visit, void *ctx)
{
    struct walk walk = {entity->stored_last, entity->stored_version};

    for (struct ves_verdict_event *e = entity->applied; e; e = e->earlier) {
        if (!visit(ctx, e))
            return VES_OK;
    }
    for (; walk.version > 0; walk.version--) {
        struct ves_verdict_event *event;
        enum ves_status status = next_stored(v, entity, &walk, &event);
        if (status)
            return status;
        if (!visit(ctx, event))
            break;
    }
    return VES_OK;
}

struct applied_visit {
    struct ves_verdicts *v;
    ves_judge_applied_visitor *visit;
    void *ctx;
    enum ves_status status;
};

static bool visit_applied(void *ctx, struct ves_verdict_event *event)
{
    struct applied_visit *applied = ctx;
    const struct ves_log_row *row = event->row;

    applied->status = ves_verdicts_effects(applied->v, event);
    if (!applied->status)
        applied->status = ves_verdicts_show(applied->v, event);
    if (applied->status)
        return false;
    const struct ves_judge_applied what = {
        .hash = row->event_hash,
        .sequence = row->sequence_number,
        .applied_at = row->applied_at,
        .agent = row->agent,
        .agent_seq = row->agent_seq,
        .is_fact = row->is_fact,
        .effects = event->effects,
    };
    return applied->visit(applied->ctx, &what);
}

static enum ves_status view_applied(void *ctx,
                                    const struct ves_hash *entity_key,
                                    ves_judge_applied_visitor *visit,
                                    void *visit_ctx)
{
    struct ves_verdicts *v = ctx;
    struct applied_visit applied = {v, visit, visit_ctx, VES_OK};
    struct ves_verdict_entity *entity;

    enum ves_status status = get_entity(v, entity_key, &entity);
    if (!status)
        status = ves_verdicts_applied(v, entity, visit_applied, &applied);
    return status ? status : applied.status;
}

/* ---- the author's own ---------------------------------------------------- */

struct own_visit {
    struct ves_verdicts *v;
    const struct ves_uuid *agent;
    uint64_t below;
    ves_judge_known_visitor *visit;
    void *ctx;
    bool is_over;
};

static enum ves_status visit_own(struct own_visit *own,
                                 const struct ves_verdict_event *event)
{
    const struct ves_log_row *row = event->row;
    struct ves_judge_known known;

    if (row->sequence_number >= own->below ||
        !ves_uuid_equal(&row->agent, own->agent))
        return VES_OK;
    fill_known(row, &known);
    own->is_over = !own->visit(own->ctx, &known);
    return ves_verdicts_show(own->v, event);
}

static enum ves_status view_own(void *ctx, const struct ves_hash *entity_key,
                                const struct ves_uuid *agent, uint64_t above,
                                uint64_t below, ves_judge_known_visitor *visit,
                                void *visit_ctx)
{
    struct ves_verdicts *v = ctx;
    struct own_visit own = {v, agent, below, visit, visit_ctx, false};
    struct ves_verdict_entity *entity;

    enum ves_status status = get_entity(v, entity_key, &entity);
    if (status)
        return status;
    for (const struct ves_verdict_event *e = entity->newest;
         e && e->row->sequence_number > above && !own.is_over && !status;
         e = e->older)
        status = visit_own(&own, e);
    uint64_t sequence = entity->stored_last;
    while (sequence > above && !own.is_over && !status) {
        struct ves_verdict_event *event;
        status = ves_verdicts_load(v, sequence, &event);
        if (!status)
            status = visit_own(&own, event);
        if (!status)
            sequence = event->row->entity_prev;
    }
    return status;
}

/* ---- conflicts ----------------------------------------------------------- */

enum ves_status ves_verdicts_conflict(struct ves_verdicts *v,
                                      const struct ves_hash *id,
                                      struct ves_verdict_conflict **out)
{
    void **slot = ves_map_slot(&v->conflicts, id->b);

    if (!slot)
        return VES_NOMEM;
    if (!*slot) {
        struct ves_verdict_conflict *conflict =
            ves_arena_alloc(v->arena, sizeof(*conflict));
        if (!conflict)
            return VES_NOMEM;
        enum ves_status status = v->store->ops->conflict_get(
            v->store, v->stream_no, id, 1, v->arena, &conflict->row);
        if (status)
            return status;
        conflict->was_there = conflict->row.is_found;
        conflict->was_open = conflict->was_there && conflict->row.closed == 0;
        conflict->next = v->first_conflict;
        v->first_conflict = conflict;
        *slot = conflict;
    }
    *out = *slot;
    return VES_OK;
}

static enum ves_status view_conflict(void *ctx, const struct ves_hash *id,
                                     struct ves_judge_conflict *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_conflict *conflict;
    struct ves_verdict_event *event;

    memset(out, 0, sizeof(*out));
    enum ves_status status = ves_verdicts_conflict(v, id, &conflict);
    if (status || !conflict->row.is_found)
        return status;
    const struct ves_conflict_row *row = &conflict->row;
    *out = (struct ves_judge_conflict){
        .is_found = true,
        .is_open = row->closed == 0,
        .entity_key = row->entity_key,
        .closed_by = row->closed_by,
        .winner = (enum ves_winner)row->winner,
        .branch_count = row->branch_count,
        .branch_digest = row->branch_digest,
        .has_branch_fact = row->has_branch_fact,
        .has_applied_fact = row->has_applied_fact,
    };
    if (out->is_open)
        return VES_OK;
    status = ves_verdicts_find(v, row->closed, &event);
    return status ? status : ves_verdicts_show(v, event);
}

static enum ves_status keep_effects(struct ves_verdicts *v,
                                    struct ves_verdict_event *event,
                                    struct ves_arena *arena,
                                    struct ves_effects *out)
{
    struct ves_bytes bytes;

    enum ves_status status = ves_verdicts_effects(v, event);
    return status ? status
                  : ves_effects_keep(arena, event->effects, &bytes, out);
}

static enum ves_status view_opener(void *ctx, const struct ves_hash *id,
                                   struct ves_arena *arena,
                                   struct ves_effects *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_conflict *conflict;
    struct ves_verdict_event *event;

    enum ves_status status = ves_verdicts_conflict(v, id, &conflict);
    if (status)
        return status;
    VES_ASSERT(conflict->row.is_found);
    status = ves_verdicts_hold(v, conflict->row.opened, &event);
    return status ? status : keep_effects(v, event, arena, out);
}

/* The applied side of one conflict. */
struct members {
    struct ves_verdicts *v;
    const struct ves_hash *id;
    uint64_t *list;
    size_t count, room;
};

static enum ves_status add_member(void *ctx,
                                  const struct ves_conflict_member *member)
{
    struct members *members = ctx;

    if (member->side != VES_SIDE_APPLIED ||
        !ves_hash_equal(&member->conflict_id, members->id))
        return VES_OK;
    if (members->count == members->room) {
        size_t room = members->room > 0 ? 2 * members->room : 16;
        uint64_t *list =
            ves_arena_alloc(&members->v->scratch, room * sizeof(*list));
        if (!list)
            return VES_NOMEM;
        if (members->count > 0)
            memcpy(list, members->list, members->count * sizeof(*list));
        members->list = list;
        members->room = room;
    }
    members->list[members->count++] = member->sequence_number;
    return VES_OK;
}

static enum ves_status view_against(void *ctx, const struct ves_hash *id,
                                    ves_judge_applied_visitor *visit,
                                    void *visit_ctx)
{
    struct ves_verdicts *v = ctx;
    struct members members = {.v = v, .id = id};
    struct applied_visit applied = {v, visit, visit_ctx, VES_OK};

    enum ves_status status = v->store->ops->member_list(
        v->store, v->stream_no, id, add_member, &members);
    for (size_t i = 0; i < v->member_count && !status; i++)
        status = add_member(&members, &v->members[i]);
    for (size_t i = 0; i < members.count && !status; i++) {
        struct ves_verdict_event *event;
        status = ves_verdicts_hold(v, members.list[i], &event);
        if (!status && !visit_applied(&applied, event))
            return applied.status;
    }
    return status;
}

static enum ves_status view_opposite(void *ctx,
                                     const struct ves_hash *resolution,
                                     struct ves_effects *out)
{
    struct ves_verdicts *v = ctx;
    const struct ves_seen *seen = ves_verdicts_seen(v, resolution);
    struct ves_verdict_event *event;

    VES_ASSERT(seen); /* it closed the conflict that was asked for before */
    enum ves_status status = ves_verdicts_hold(v, seen->sequence, &event);
    /* Beside the row: which rows are looked at together must not decide what
     * is written of them. */
    if (!status && ves_verdict_opposite(event).len == 0)
        status = ves_verdicts_replay(v, event, &event->replayed);
    return status ? status
                  : ves_opposite_effects(&v->scratch,
                                         ves_verdict_opposite(event), out);
}

/* ---- effects ------------------------------------------------------------- */

static enum ves_status view_effects(void *ctx,
                                    const struct ves_judge_subject *subject,
                                    struct ves_arena *arena,
                                    struct ves_effects *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_event *event;
    uint64_t last = v->base + v->count;

    if (subject->sequence > last) {
        VES_ASSERT(subject->sequence - last <= v->forecast_count);
        const struct ves_event *next =
            &v->forecast[subject->sequence - last - 1];
        struct ves_rules_at rules;
        enum ves_status asked =
            ves_rules_log_at(v->rules, next, VES_SEQUENCE_NEXT, &rules);
        return asked ? asked
                     : ves_judge_subject_effects(arena, rules, next, out);
    }
    enum ves_status status = ves_verdicts_find(v, subject->sequence, &event);
    if (!status)
        status = ves_verdicts_effects(v, event);
    if (!status)
        *out = event->effects;
    return status;
}

struct ves_judge_view ves_verdicts_view(struct ves_verdicts *v)
{
    return (struct ves_judge_view){
        .ctx = v,
        .entity = view_entity,
        .applied = view_applied,
        .own = view_own,
        .event = view_event,
        .conflict = view_conflict,
        .opener = view_opener,
        .against = view_against,
        .opposite = view_opposite,
        .effects = view_effects,
        .streak = ves_verdicts_streak,
        .referrers = ves_verdicts_referrers,
    };
}
