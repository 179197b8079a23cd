/* conflict_show.c -- one conflict with everything a decision needs. */
#include <string.h>

#include "agent/conflict.h"
#include "agent/follow_ups.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "core/types.h"
#include "json/jcs.h"

enum { BLOCKS_MAX = 50 };

struct show {
    struct ves_agent *agent;
    const struct ves_named *named;
    const struct ves_core_conflict *conflict;
    struct ves_jw *jw;
    size_t blocks;
};

/* ---- sides --------------------------------------------------------------- */

static enum ves_status put_member(struct show *show,
                                  const struct ves_core_member *member)
{
    struct ves_jw *jw = show->jw;
    struct ves_buf buf;
    enum ves_status status = VES_OK;

    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "eventId", &member->event_id);
    if (member->has_event) {
        ves_jw_member(jw, "type", member->event.event_type);
        ves_jw_member(jw, "timestamp", member->event.created_at);
    }
    ves_jw_member_uuid(jw, "agentId", &member->agent);
    ves_jw_member_bool(
        jw, "isOwn", ves_uuid_equal(&member->agent, &show->agent->core.agent));
    ves_jw_member_u64(jw, "sequenceNumber", member->sequence_number);
    ves_jw_member_str(jw, "class", member->is_fact ? "fact" : "intent");
    ves_jw_member_str(jw, "verdict",
                      ves_verdict_name((enum ves_verdict)member->verdict));
    if (member->has_event && member->event.payload) {
        ves_buf_init(&buf, show->agent->alloc, (size_t)4 << 20);
        status = ves_jcs_write_without(&buf, &show->agent->arena,
                                       member->event.payload, "_ves");
        if (!status)
            status = ves_buf_status(&buf);
        if (!status) {
            ves_jw_key(jw, "payload");
            ves_jw_raw(jw, ves_buf_view(&buf));
        }
        ves_buf_free(&buf);
    }
    ves_jw_end(jw);
    return status;
}

static enum ves_status put_members(struct show *show,
                                   const struct ves_core_members *members)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < members->count && !status; i++)
        status = put_member(show, &members->list[i]);
    return status;
}

static enum ves_status put_side(struct show *show, const char *name,
                                bool is_branch)
{
    const struct ves_core_conflict *conflict = show->conflict;
    struct ves_jw *jw = show->jw;

    ves_jw_key(jw, name);
    ves_jw_object(jw);
    ves_jw_member_str(jw, "side", is_branch ? "branch" : "applied");
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    enum ves_status status =
        put_members(show, is_branch ? &conflict->branch : &conflict->applied);
    if (!status && !is_branch)
        status = put_members(show, &conflict->later);
    ves_jw_end(jw);
    ves_jw_end(jw);
    return status;
}

/* ---- what hangs on it ---------------------------------------------------- */

static enum ves_status take_id(void *ctx, const struct ves_log_row *row)
{
    struct show *show = ctx;

    ves_jw_uuid(show->jw, &row->event_id);
    return VES_OK;
}

static enum ves_status take_waiting(void *ctx, uint64_t sequence,
                                    const struct ves_hash *waits_for)
{
    struct show *show = ctx;
    struct ves_agent *agent = show->agent;

    (void)waits_for;
    if (show->blocks++ >= BLOCKS_MAX)
        return VES_OK;
    return agent->store->ops->log_read(agent->store, agent->core.stream_no,
                                       sequence, 1, take_id, show);
}

/* Events that wait for the conflict, or for an event of its branch. */
static enum ves_status put_blocks(struct show *show)
{
    struct ves_agent *agent = show->agent;
    const struct ves_core_conflict *conflict = show->conflict;

    ves_jw_key(show->jw, "blocks");
    ves_jw_array(show->jw);
    enum ves_status status = agent->store->ops->waiting_list(
        agent->store, agent->core.stream_no, &conflict->row.id, 0, take_waiting,
        show);
    for (size_t i = 0; i < conflict->branch.count && !status; i++) {
        struct ves_hash waits_for = {{0}};
        memcpy(waits_for.b, conflict->branch.list[i].event_id.b, VES_UUID_SIZE);
        status =
            agent->store->ops->waiting_list(agent->store, agent->core.stream_no,
                                            &waits_for, 0, take_waiting, show);
    }
    ves_jw_end(show->jw);
    return status;
}

/* ---- the merge ----------------------------------------------------------- */

static enum ves_status put_merge(struct show *show)
{
    const struct ves_core_conflict *conflict = show->conflict;
    struct ves_jw *jw = show->jw;
    enum ves_status status = VES_OK;

    ves_jw_key(jw, "merge");
    ves_jw_object(jw);
    ves_jw_member_str(jw, "function", conflict->of.function);
    ves_jw_member_bool(jw, "isClean",
                       conflict->has_merge && conflict->merge.is_clean);
    if (conflict->has_merge && conflict->merge.is_clean)
        status =
            ves_jw_node(jw, &show->agent->arena, "ops", conflict->merged.ops);
    if (!status && conflict->has_merge)
        status = ves_conflict_put_overlaps(&show->agent->arena, "overlaps",
                                           &conflict->merge,
                                           show->named->names_branch, jw);
    if (!conflict->has_merge && conflict->merged.reason)
        ves_jw_member_str(jw, "reason", conflict->merged.reason);
    ves_jw_end(jw);
    return status;
}

/* ---- the rest ------------------------------------------------------------ */

static void put_places(struct show *show)
{
    const struct ves_core_conflict *conflict = show->conflict;
    const struct ves_core_member *first = &conflict->branch.list[0];
    struct ves_jw *jw = show->jw;

    ves_jw_member_hash(jw, "conflictVersion", &conflict->version);
    ves_jw_key(jw, "base");
    ves_jw_object(jw);
    ves_jw_member_bool(jw, "isKnown", conflict->of.base != NULL);
    if (first->has_event && first->event.has_base_version)
        ves_jw_member_u64(jw, "version", first->event.base_version);
    if (first->has_event && first->event.context.has_base_head)
        ves_jw_member_hash(jw, "head", &first->event.context.base_head);
    ves_jw_end(jw);
    ves_jw_key(jw, "head");
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "version", conflict->of.version);
    if (conflict->of.has_head)
        ves_jw_member_hash(jw, "hash", &conflict->of.head);
    ves_jw_end(jw);
    ves_jw_member_bool(jw, "isDeleted", conflict->of.is_deleted);
}

static void put_state(struct ves_jw *jw, const char *name,
                      struct ves_bytes state)
{
    ves_jw_key(jw, name);
    if (state.len > 0)
        ves_jw_stored(jw, state);
    else
        ves_jw_null(jw);
}

static enum ves_status put_decisions(struct show *show)
{
    const struct ves_core_conflict *conflict = show->conflict;
    enum ves_status status = VES_OK;

    ves_jw_key(show->jw, "decisions");
    ves_jw_array(show->jw);
    for (size_t i = 0; i < conflict->decisions.count && !status; i++)
        status = ves_conflict_put_decision(
            show->jw, &conflict->decisions.list[i],
            conflict->row.closed > 0 ? &conflict->row.closed_by : NULL);
    ves_jw_end(show->jw);
    return status;
}

static const char *mismatched(struct ves_bytes sub_code)
{
    if (ves_bytes_is(sub_code, "future_base"))
        return "A change was made to a version that is not in the log: its "
               "author saw something that never got there, or the log lost it.";
    if (ves_bytes_is(sub_code, "fork_base"))
        return "A change was made to a version of another history than the "
               "log's, of a restored or copied store perhaps.";
    if (ves_bytes_is(sub_code, "missing_base"))
        return "A change does not say which version it was made to.";
    if (ves_bytes_is(sub_code, "closed_branch"))
        return "A change goes on from one that was set aside, by somebody who "
               "did not know of that.";
    return "A change was made on an older copy than its author already had.";
}

static const char *happened(const struct ves_core_conflict *conflict)
{
    switch ((enum ves_conflict_kind)conflict->row.kind) {
    case VES_CONFLICT_CONCURRENT_EDIT:
        return "Two people changed the same thing without knowing of each "
               "other.";
    case VES_CONFLICT_VERSION_MISMATCH:
        return mismatched(conflict->row.sub_code);
    case VES_CONFLICT_DELETED_REFERENCE:
        return "A change was made to something, or refers to something, that "
               "was deleted.";
    case VES_CONFLICT_KIND_NONE:
        break;
    }
    return "";
}

static void put_explanation(struct show *show)
{
    const struct ves_core_conflict *conflict = show->conflict;
    struct ves_buf buf;

    ves_buf_init(&buf, show->agent->alloc, 2048);
    ves_buf_put_str(&buf, happened(conflict));
    if (conflict->branch.count > 1) {
        ves_buf_put_str(&buf, " ");
        ves_buf_put_count(&buf, conflict->branch.count - 1, "later change");
        ves_buf_put_str(&buf, " of the same author went on from there and "
                              "will be decided with it.");
    }
    if (conflict->row.closed > 0)
        ves_buf_put_str(&buf, " It is resolved.");
    else if (conflict->has_pending)
        ves_buf_put_str(&buf, " This store decided it already; the decision "
                              "takes effect once it is synced.");
    else
        ves_buf_put_str(&buf, " Nothing is lost: both sides are in the log, "
                              "and the branch has no effect until somebody "
                              "decides.");
    ves_jw_member(show->jw, "explanation", ves_buf_view(&buf));
    ves_buf_free(&buf);
}

/* What a person has to say: the first thing that both sides changed, where its
 * name can be typed as it is. */
static void put_set(struct ves_buf *buf,
                    const struct ves_core_conflict *conflict)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-.";
    struct ves_bytes path = ves_bytes_str("/PATH");

    if (conflict->has_merge && conflict->merge.overlap_count > 0 &&
        conflict->merge.overlaps[0].path.len > 0)
        path = conflict->merge.overlaps[0].path;
    for (size_t i = 0; i < path.len; i++) {
        if (!memchr(plain, path.ptr[i], sizeof(plain) - 1) || path.len > 60)
            path = ves_bytes_str("/PATH");
    }
    ves_buf_put_str(buf, " --set ");
    ves_buf_put_bytes(buf, path);
    ves_buf_put_str(buf, "=VALUE");
}

static void put_steps(struct show *show)
{
    const struct ves_core_conflict *conflict = show->conflict;
    const char *reason;
    struct ves_buf buf;

    ves_jw_key(show->jw, "nextSteps");
    ves_jw_array(show->jw);
    ves_buf_init(&buf, show->agent->alloc, 512);
    if (conflict->has_pending) {
        ves_buf_put_str(&buf, "ves sync");
    } else if (conflict->row.closed > 0) {
        ves_buf_put_str(&buf, "ves resolve --undo ");
        ves_buf_put_uuid(&buf, &conflict->branch.list[0].event_id);
    } else {
        enum ves_strategy strategy = ves_case_suggest(
            &conflict->of, show->named->names_branch,
            conflict->has_merge ? &conflict->merge : NULL, &reason);
        ves_buf_put_str(&buf, "ves resolve ");
        ves_buf_put_uuid(&buf, show->named->has_event
                                   ? &show->named->event_id
                                   : &conflict->branch.list[0].event_id);
        ves_buf_putf(&buf, " --strategy %s", ves_strategy_name(strategy));
        if (strategy == VES_STRATEGY_MANUAL)
            put_set(&buf, conflict);
    }
    ves_jw_bytes(show->jw, ves_buf_view(&buf));
    ves_buf_free(&buf);
    ves_jw_end(show->jw);
}

static enum ves_status put_conflict(struct show *show)
{
    const struct ves_core_conflict *conflict = show->conflict;
    bool names_branch = show->named->names_branch;
    struct ves_jw *jw = show->jw;
    struct ves_arena *arena = &show->agent->arena;

    ves_jw_object(jw);
    enum ves_status status =
        ves_conflict_put_item(show->agent, arena, conflict, names_branch, jw);
    if (show->named->has_event)
        ves_jw_member_uuid(jw, "named", &show->named->event_id);
    put_places(show);
    if (!status)
        status = put_side(show, "ours", names_branch);
    if (!status)
        status = put_side(show, "theirs", !names_branch);
    if (!status)
        status = ves_conflict_put_fields(arena, conflict, names_branch, jw);
    if (!status)
        status = put_blocks(show);
    if (!status)
        status = put_merge(show);
    if (!status)
        status = put_decisions(show);
    put_state(jw, "state", conflict->state);
    put_state(jw, "localState", conflict->local_state);
    if (!status)
        status = ves_follow_ups_put(show->agent, conflict->entity_type,
                                    conflict->entity_id, conflict->state, jw);
    ves_conflict_put_choices(conflict, names_branch, jw);
    put_explanation(show);
    put_steps(show);
    ves_jw_end(jw);
    return status;
}

enum ves_status ves_conflict_show(struct ves_agent *agent, const char *id,
                                  struct ves_jw *jw, struct ves_error *error)
{
    struct ves_core_conflict conflict;
    struct ves_named named;
    struct ves_uuid event_id;
    bool is_refused;

    ves_agent_start(agent);
    enum ves_status status =
        ves_conflict_is_refused(agent, id, &event_id, &is_refused);
    if (status)
        return ves_agent_fail(agent, status, error, "looking for an event");
    if (is_refused)
        return ves_conflict_show_refused(agent, &event_id, jw, error);
    status = ves_conflict_named(agent, id, NULL, &named, jw, error);
    if (status)
        return status;
    struct show show = {agent, &named, &conflict, jw, 0};
    status = ves_core_conflict(&agent->core, &agent->arena, &named.conflict_id,
                               &conflict);
    if (!status)
        status = put_conflict(&show);
    if (status)
        return ves_agent_fail(agent, status, error, "reading a conflict");
    return ves_agent_jw_end(jw, error);
}
