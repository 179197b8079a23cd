/* story.c -- what an event has to do with a conflict, in plain words. */
#include "agent/story.h"

#include <string.h>

#include "agent/conflict.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "core/types.h"

struct memberships {
    struct ves_conflict_member list[4];
    size_t count;
};

static enum ves_status take(void *ctx, const struct ves_conflict_member *member)
{
    struct memberships *found = ctx;

    if (found->count < sizeof(found->list) / sizeof(found->list[0]))
        found->list[found->count++] = *member;
    return VES_OK;
}

enum ves_status ves_event_conflict(struct ves_agent *agent,
                                   const struct ves_uuid *event_id,
                                   struct ves_conflict_row *out)
{
    const struct ves_store_ops *ops = agent->store->ops;
    struct memberships found = {.count = 0};
    struct ves_id_row id;

    memset(out, 0, sizeof(*out));
    enum ves_status status = ops->log_find_ids(
        agent->store, agent->core.stream_no, event_id, 1, &id);
    if (!status && id.sequence_number > 0)
        status = ops->member_find(agent->store, agent->core.stream_no,
                                  id.sequence_number, take, &found);
    for (size_t i = 0; i < found.count && !status; i++) {
        if (found.list[i].side != VES_SIDE_BRANCH)
            continue;
        status = ops->conflict_get(agent->store, agent->core.stream_no,
                                   &found.list[i].conflict_id, 1, &agent->arena,
                                   out);
        out->id = found.list[i].conflict_id;
        break;
    }
    return status;
}

/* ---- sentences ----------------------------------------------------------- */

static void put_bytes(struct ves_buf *text, struct ves_bytes bytes)
{
    ves_buf_put_bytes(text, bytes);
}

static void put_name(struct ves_buf *text,
                     const struct ves_core_conflict *conflict)
{
    ves_buf_put_str(text, "conflict 0x");
    ves_buf_put_hex(text, conflict->row.id.b, 6);
    ves_buf_putf(
        text, " (%s, ",
        ves_conflict_kind_name((enum ves_conflict_kind)conflict->row.kind));
    put_bytes(text, conflict->row.sub_code);
    ves_buf_put_str(text, ") about ");
    put_bytes(text, conflict->entity_type);
    ves_buf_put_u8(text, ' ');
    put_bytes(text, conflict->entity_id);
}

const char *ves_lost_because(struct ves_bytes sub_code)
{
    static const struct {
        const char *code, *words;
    } rows[] = {
        {"already_resolved", "another decision of it came first"},
        {"branch_grew", "the branch had grown since its author looked"},
        {"head_moved", "what it writes had been changed since its author "
                       "looked"},
        {"not_allowed", "a side that really happened would have lost"},
        {"no_such_conflict", "it names no conflict of that entity"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ves_bytes_is(sub_code, rows[i].code))
            return rows[i].words;
    }
    return "it was not valid when it arrived";
}

static const char *won(const struct ves_decision_read *read)
{
    struct ves_bytes winner = read->winner;

    if (ves_bytes_is(winner, "branch"))
        return "the branch was written again on top of what was there";
    if (ves_bytes_is(winner, "applied"))
        return "what was there stayed and the branch was set aside";
    if (ves_bytes_is(winner, "undo"))
        return "the resolution before it was taken back";
    /* Only a merge that was computed names its function. */
    return read->function.len > 0
               ? "both sides were put together"
               : "what was given was written on what was there";
}

/* Who decided what, and why. */
static void put_decision(struct ves_buf *text, struct ves_agent *agent,
                         const struct ves_core_member *member)
{
    struct ves_decision_read read = {.has_supersedes = false};
    bool is_own = ves_uuid_equal(&member->agent, &agent->core.agent);

    if (member->has_event && member->event.payload)
        ves_decision_read(member->event.payload, &read);
    ves_buf_put_str(text, is_own ? " This store" : " Agent ");
    if (!is_own)
        ves_buf_put_uuid(text, &member->agent);
    ves_buf_put_str(text, " (");
    put_bytes(text, read.resolver);
    ves_buf_put_str(text, ") decided \"");
    put_bytes(text, read.strategy);
    ves_buf_putf(text, "\" as number %llu",
                 (unsigned long long)member->sequence_number);
    if (member->has_event) {
        ves_buf_put_str(text, " at ");
        put_bytes(text, member->event.created_at);
    }
    if (read.reason.len > 0) {
        ves_buf_put_str(text, ", because: ");
        put_bytes(text, read.reason);
    }
    if (member->verdict == VES_VERDICT_APPLIED)
        ves_buf_putf(text, "; %s.", won(&read));
    else
        ves_buf_putf(text, "; it has no effect, because %s.",
                     ves_lost_because(member->sub_code));
}

static bool is_in(const struct ves_core_members *members,
                  const struct ves_uuid *event_id)
{
    for (size_t i = 0; i < members->count; i++) {
        if (ves_uuid_equal(&members->list[i].event_id, event_id))
            return true;
    }
    return false;
}

static void put_part(struct ves_buf *text,
                     const struct ves_core_conflict *conflict,
                     const struct ves_uuid *event_id)
{
    if (text->len > 0)
        ves_buf_put_u8(text, ' ');
    if (is_in(&conflict->branch, event_id))
        ves_buf_put_str(text, "It is in the branch of ");
    else if (is_in(&conflict->applied, event_id))
        ves_buf_put_str(text, "It is what the branch collided with in ");
    else
        ves_buf_put_str(text, "It is a decision of ");
    put_name(text, conflict);
    ves_buf_put_str(text, conflict->row.closed > 0 ? ", which is resolved."
                                                   : ", which is open.");
}

static enum ves_status tell(struct ves_agent *agent, const struct ves_hash *id,
                            const struct ves_uuid *event_id,
                            struct ves_buf *text, bool *is_open)
{
    struct ves_core_conflict conflict;

    enum ves_status status =
        ves_core_conflict(&agent->core, &agent->arena, id, &conflict);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    *is_open |= conflict.row.closed == 0;
    put_part(text, &conflict, event_id);
    for (size_t i = 0; i < conflict.decisions.count; i++)
        put_decision(text, agent, &conflict.decisions.list[i]);
    if (conflict.has_pending)
        ves_buf_put_str(text, " This store has decided it; the decision takes "
                              "effect once it is synced.");
    return VES_OK;
}

/* A decision is a member of no side. */
static enum ves_status take_named(void *ctx, const struct ves_log_row *row)
{
    struct memberships *found = ctx;

    if (row->has_conflict_id && found->count == 0)
        found->list[found->count++].conflict_id = row->conflict_id;
    return VES_OK;
}

enum ves_status ves_event_story(struct ves_agent *agent,
                                const struct ves_uuid *event_id,
                                struct ves_buf *text, bool *is_open)
{
    const struct ves_store_ops *ops = agent->store->ops;
    uint32_t no = agent->core.stream_no;
    struct memberships found = {.count = 0};
    struct ves_id_row id;

    *is_open = false;
    enum ves_status status =
        ops->log_find_ids(agent->store, no, event_id, 1, &id);
    if (status || id.sequence_number == 0)
        return status;
    status =
        ops->member_find(agent->store, no, id.sequence_number, take, &found);
    if (!status && found.count == 0)
        status = ops->log_read(agent->store, no, id.sequence_number, 1,
                               take_named, &found);
    for (size_t i = 0; i < found.count && !status; i++)
        status =
            tell(agent, &found.list[i].conflict_id, event_id, text, is_open);
    return status;
}
