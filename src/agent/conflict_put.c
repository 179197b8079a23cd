/* conflict_put.c -- one conflict in the words of a document. */
#include <string.h>

#include "agent/conflict.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "core/types.h"

enum { IDS_MAX = 20 };

/* ---- sides --------------------------------------------------------------- */

static void put_ids(struct ves_jw *jw, const char *name,
                    const struct ves_core_members *a,
                    const struct ves_core_members *b)
{
    size_t n = 0;

    ves_jw_key(jw, name);
    ves_jw_array(jw);
    for (size_t i = 0; i < a->count && n < IDS_MAX; i++, n++)
        ves_jw_uuid(jw, &a->list[i].event_id);
    for (size_t i = 0; b && i < b->count && n < IDS_MAX; i++, n++)
        ves_jw_uuid(jw, &b->list[i].event_id);
    ves_jw_end(jw);
}

enum ves_status ves_conflict_put_decision(struct ves_jw *jw,
                                          const struct ves_core_member *member,
                                          const struct ves_hash *in_effect)
{
    struct ves_decision_read read = {.has_supersedes = false};

    if (member->has_event && member->event.payload)
        ves_decision_read(member->event.payload, &read);
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "eventId", &member->event_id);
    ves_jw_member(jw, "strategy", read.strategy);
    ves_jw_member(jw, "winner", read.winner);
    ves_jw_member_bool(jw, "isAutomatic",
                       ves_bytes_is(read.resolver, VES_RESOLVER_POLICY));
    ves_jw_member(jw, "resolver", read.resolver);
    ves_jw_member(jw, "reason", read.reason);
    ves_jw_member(jw, "mergeFunction", read.function);
    ves_jw_member_uuid(jw, "agentId", &member->agent);
    if (member->has_event)
        ves_jw_member(jw, "timestamp", member->event.created_at);
    ves_jw_member_u64(jw, "sequenceNumber", member->sequence_number);
    ves_jw_member_str(jw, "verdict",
                      ves_verdict_name((enum ves_verdict)member->verdict));
    ves_jw_member(jw, "subCode", member->sub_code);
    ves_jw_member_bool(jw, "inEffect",
                       in_effect && ves_hash_equal(in_effect, &member->hash));
    ves_jw_end(jw);
    return ves_jw_status(jw);
}

/* ---- strategies ---------------------------------------------------------- */

static bool is_allowed(const struct ves_core_conflict *conflict,
                       enum ves_strategy strategy, bool names_branch,
                       const char **reason)
{
    enum ves_winner winner = ves_strategy_winner(strategy, names_branch);

    *reason = NULL;
    if (!ves_case_allows(&conflict->of, winner, reason))
        return false;
    if (winner != VES_WINNER_BRANCH)
        return true;
    /* A side that cannot be written again cannot be kept either. */
    for (size_t i = 0; i < conflict->of.branch_count; i++) {
        if (!conflict->of.branch[i].ops) {
            *reason = conflict->of.branch[i].ops_reason;
            return false;
        }
    }
    return true;
}

static const char *effect_of(const struct ves_core_conflict *conflict,
                             enum ves_strategy strategy, bool names_branch)
{
    bool is_clean = conflict->has_merge && conflict->merge.is_clean;

    switch (ves_strategy_winner(strategy, names_branch)) {
    case VES_WINNER_BRANCH:
        return conflict->of.is_deleted
                   ? "write the branch's change again; what was deleted comes "
                     "back"
                   : "write the branch's change again on top of the current "
                     "state; what the other side changed elsewhere stays";
    case VES_WINNER_APPLIED:
        return "leave everything as it is; the branch's change is set aside "
               "and kept on record";
    case VES_WINNER_MERGE:
    case VES_WINNER_NONE:
    case VES_WINNER_UNDO:
        break;
    }
    if (strategy == VES_STRATEGY_MANUAL)
        return "say what it should be; without an answer it stays open";
    return is_clean ? "put both changes together"
                    : "record a combined value that you give";
}

void ves_conflict_put_choices(const struct ves_core_conflict *conflict,
                              bool names_branch, struct ves_jw *jw)
{
    ves_jw_key(jw, "choices");
    ves_jw_array(jw);
    for (int i = 0; i < (int)VES_STRATEGIES; i++) {
        enum ves_strategy strategy = (enum ves_strategy)i;
        const char *reason;
        bool is_fine = is_allowed(conflict, strategy, names_branch, &reason);
        if (strategy == VES_STRATEGY_MERGE && !conflict->has_merge)
            reason = conflict->merged.reason;
        ves_jw_object(jw);
        ves_jw_member_str(jw, "strategy", ves_strategy_name(strategy));
        ves_jw_member_bool(jw, "isAllowed", is_fine);
        ves_jw_member_str(jw, "effect",
                          effect_of(conflict, strategy, names_branch));
        if (reason)
            ves_jw_member_str(jw, "reason", reason);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

void ves_conflict_put_allowed(const struct ves_core_conflict *conflict,
                              bool names_branch, struct ves_jw *jw)
{
    ves_jw_key(jw, "allowedStrategies");
    ves_jw_array(jw);
    for (int i = 0; i < (int)VES_STRATEGIES; i++) {
        const char *reason;
        if (is_allowed(conflict, (enum ves_strategy)i, names_branch, &reason))
            ves_jw_str(jw, ves_strategy_name((enum ves_strategy)i));
    }
    ves_jw_end(jw);
}

/* ---- one item ------------------------------------------------------------ */

static void put_types(const struct ves_core_conflict *conflict,
                      struct ves_jw *jw)
{
    enum ves_conflict_kind kind = (enum ves_conflict_kind)conflict->row.kind;

    ves_jw_member_str(jw, "conflictType", ves_conflict_kind_name(kind));
    ves_jw_key(jw, "conflictTypes");
    ves_jw_array(jw);
    for (int i = 1; i < VES_CONFLICT_KINDS; i++) {
        if (conflict->row.kinds & 1U << i)
            ves_jw_str(jw, ves_conflict_kind_name((enum ves_conflict_kind)i));
    }
    ves_jw_end(jw);
    ves_jw_member(jw, "subCode", conflict->row.sub_code);
}

static enum ves_status put_origin(struct ves_agent *agent,
                                  struct ves_arena *arena,
                                  const struct ves_core_conflict *conflict,
                                  struct ves_jw *jw)
{
    struct ves_outbox_row row;

    ves_jw_member_str(jw, "origin", conflict->is_own ? "own" : "other");
    if (!conflict->is_own)
        return VES_OK;
    enum ves_status status = agent->store->ops->outbox_get(
        agent->store, &conflict->branch.list[0].event_id, 1, arena, &row);
    if (!status && row.local_seq > 0)
        ves_jw_member_u64(jw, "localSequence", row.local_seq);
    return status;
}

static void put_entity(const struct ves_core_conflict *conflict,
                       struct ves_jw *jw)
{
    ves_jw_key(jw, "entity");
    ves_jw_object(jw);
    ves_jw_member(jw, "type", conflict->entity_type);
    ves_jw_member(jw, "id", conflict->entity_id);
    ves_jw_end(jw);
}

static void put_advice(const struct ves_core_conflict *conflict,
                       bool names_branch, struct ves_jw *jw)
{
    const char *reason;
    enum ves_strategy strategy = ves_case_suggest(
        &conflict->of, names_branch,
        conflict->has_merge ? &conflict->merge : NULL, &reason);

    ves_jw_member_str(jw, "suggestedStrategy", ves_strategy_name(strategy));
    ves_jw_member_str(jw, "suggestionReason", reason);
    ves_conflict_put_allowed(conflict, names_branch, jw);
    ves_jw_member_bool(jw, "mergeable",
                       conflict->has_merge && conflict->merge.is_clean);
}

static enum ves_status put_resolution(const struct ves_core_conflict *conflict,
                                      struct ves_jw *jw)
{
    for (size_t i = 0; i < conflict->decisions.count; i++) {
        const struct ves_core_member *member = &conflict->decisions.list[i];
        if (member->sequence_number != conflict->row.closed)
            continue;
        ves_jw_key(jw, "resolution");
        return ves_conflict_put_decision(jw, member, &conflict->row.closed_by);
    }
    return VES_OK;
}

enum ves_status ves_conflict_put_item(struct ves_agent *agent,
                                      struct ves_arena *arena,
                                      const struct ves_core_conflict *conflict,
                                      bool names_branch, struct ves_jw *jw)
{
    const struct ves_core_member *first = &conflict->branch.list[0];
    const struct ves_core_member *remote =
        ves_core_conflict_remote(conflict, names_branch);

    ves_jw_member_hash(jw, "conflictId", &conflict->row.id);
    ves_jw_member_uuid(jw, "eventId", &first->event_id);
    if (first->has_event) {
        ves_jw_member(jw, "eventType", first->event.event_type);
        ves_jw_member(jw, "timestamp", first->event.created_at);
    }
    ves_jw_member_uuid(jw, "agentId", &first->agent);
    put_types(conflict, jw);
    put_entity(conflict, jw);
    enum ves_status status = put_origin(agent, arena, conflict, jw);
    if (status)
        return status;
    ves_jw_member_u64(jw, "openedSequence", conflict->row.opened);
    ves_jw_member_u64(jw, "place", conflict->row.opened);
    ves_jw_member_time(jw, "openedAt", first->sequenced_at_ms);
    ves_jw_member_str(jw, "status",
                      conflict->row.closed > 0 ? "resolved" : "open");
    ves_jw_member_u64(jw, "branchEvents", conflict->branch.count);
    put_ids(jw, "branchEventIds", &conflict->branch, NULL);
    put_ids(jw, "remoteEventIds", &conflict->applied, &conflict->later);
    if (remote)
        ves_jw_member_uuid(jw, "remoteEventId", &remote->event_id);
    ves_jw_member_bool(jw, "isPending", conflict->has_pending);
    if (conflict->has_pending)
        ves_jw_member_uuid(jw, "pendingResolutionId", &conflict->pending_id);
    put_advice(conflict, names_branch, jw);
    status = put_resolution(conflict, jw);
    return status ? status : ves_jw_status(jw);
}

/* ---- fields -------------------------------------------------------------- */

static bool is_below(struct ves_bytes path, struct ves_bytes outer)
{
    return path.len >= outer.len &&
           memcmp(path.ptr, outer.ptr, outer.len) == 0 &&
           (path.len == outer.len || path.ptr[outer.len] == '/');
}

static bool overlaps(const struct ves_merge_result *merge,
                     struct ves_bytes path)
{
    for (size_t i = 0; i < merge->overlap_count; i++) {
        if (is_below(merge->overlaps[i].path, path) ||
            is_below(path, merge->overlaps[i].path))
            return true;
    }
    return false;
}

static bool is_same(const struct ves_json *a, const struct ves_json *b)
{
    return a && b ? ves_json_equal(a, b) : a == b;
}

static enum ves_status put_field(struct ves_arena *arena,
                                 const struct ves_core_conflict *conflict,
                                 const struct ves_difference *field,
                                 bool names_branch, struct ves_jw *jw)
{
    const struct ves_json *ours = names_branch ? field->local : field->remote;
    const struct ves_json *theirs = names_branch ? field->remote : field->local;
    /* Without a merge: both differ from what they began with and from each
     * other. */
    bool is_overlap = conflict->has_merge
                          ? overlaps(&conflict->merge, field->path)
                          : !is_same(ours, theirs) &&
                                !is_same(ours, field->base) &&
                                !is_same(theirs, field->base);

    ves_jw_object(jw);
    ves_jw_member(jw, "path", field->path);
    enum ves_status status = ves_jw_node(jw, arena, "base", field->base);
    if (!status)
        status = ves_jw_node(jw, arena, "ours", ours);
    if (!status)
        status = ves_jw_node(jw, arena, "theirs", theirs);
    if (!status && conflict->has_merge && !is_overlap)
        status =
            ves_jw_node(jw, arena, "merged",
                        ves_json_pointer(conflict->merge.value, field->path));
    ves_jw_member_bool(jw, "isOverlap", is_overlap);
    ves_jw_end(jw);
    return status;
}

enum ves_status
ves_conflict_put_fields(struct ves_arena *arena,
                        const struct ves_core_conflict *conflict,
                        bool names_branch, struct ves_jw *jw)
{
    struct ves_differences list;
    const struct ves_json *branch;

    enum ves_status status = ves_case_side(arena, &conflict->of, &branch);
    /* What they began with is gone: the branch on the state as it is. */
    if (!status && !branch) {
        struct ves_case_result again;
        status = ves_case_branch(arena, &conflict->of, &again);
        branch = status ? conflict->of.state : again.state;
        status = status == VES_INVALID ? VES_OK : status;
    }
    if (!status)
        status = ves_differences(arena, conflict->of.base, branch,
                                 conflict->of.state, &list);
    ves_jw_key(jw, "fields");
    ves_jw_array(jw);
    for (size_t i = 0; !status && i < list.count; i++)
        status = put_field(arena, conflict, &list.list[i], names_branch, jw);
    ves_jw_end(jw);
    return status;
}

enum ves_status ves_conflict_put_overlaps(struct ves_arena *arena,
                                          const char *name,
                                          const struct ves_merge_result *merge,
                                          bool names_branch, struct ves_jw *jw)
{
    enum ves_status status = VES_OK;

    ves_jw_key(jw, name);
    ves_jw_array(jw);
    for (size_t i = 0; i < merge->overlap_count && !status; i++) {
        const struct ves_merge_overlap *overlap = &merge->overlaps[i];
        ves_jw_object(jw);
        ves_jw_member(jw, "path", overlap->path);
        status = ves_jw_node(jw, arena, "base", overlap->base);
        if (!status)
            status =
                ves_jw_node(jw, arena, "ours",
                            names_branch ? overlap->local : overlap->remote);
        if (!status)
            status =
                ves_jw_node(jw, arena, "theirs",
                            names_branch ? overlap->remote : overlap->local);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    return status;
}
