/* conflict_refused.c -- own events a sequencer without branches refused for a
 * stale base, in the same documents as conflicts.
 */
#include <string.h>

#include "agent/conflict.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/random.h"

/* ---- finding ------------------------------------------------------------- */

enum ves_status ves_conflict_is_refused(struct ves_agent *agent, const char *id,
                                        struct ves_uuid *event_id, bool *out)
{
    struct ves_outbox_row row;

    *out = false;
    if (!id || ves_uuid_parse(ves_bytes_str(id), event_id))
        return VES_OK;
    enum ves_status status = agent->store->ops->outbox_get(
        agent->store, event_id, 1, &agent->arena, &row);
    *out = !status && row.local_seq > 0 && ves_core_is_refused_conflict(&row);
    return status;
}

/* ---- one item ------------------------------------------------------------ */

static void put_strategies(struct ves_jw *jw)
{
    ves_jw_member_str(jw, "suggestedStrategy", "manual");
    ves_jw_member_str(jw, "suggestionReason",
                      "the sequencer keeps no record of the other side; look "
                      "at the state as it is now");
    ves_jw_key(jw, "allowedStrategies");
    ves_jw_array(jw);
    for (int i = 0; i < (int)VES_STRATEGIES; i++)
        ves_jw_str(jw, ves_strategy_name((enum ves_strategy)i));
    ves_jw_end(jw);
    ves_jw_member_bool(jw, "mergeable", false);
}

static void put_item(struct ves_agent *agent, const struct ves_outbox_row *row,
                     struct ves_jw *jw)
{
    ves_jw_member_uuid(jw, "eventId", &row->event_id);
    ves_jw_member(jw, "eventType", row->event_type);
    ves_jw_member(jw, "timestamp", row->created_at);
    ves_jw_member_uuid(jw, "agentId", &agent->core.agent);
    ves_jw_member_str(jw, "conflictType", "version_mismatch");
    ves_jw_member_str(jw, "subCode", "version_conflict");
    ves_jw_key(jw, "entity");
    ves_jw_object(jw);
    ves_jw_member(jw, "type", row->entity_type);
    ves_jw_member(jw, "id", row->entity_id);
    ves_jw_end(jw);
    ves_jw_member_str(jw, "origin", "own");
    ves_jw_member_u64(jw, "localSequence", row->local_seq);
    ves_jw_member_str(jw, "status", "open");
    ves_jw_member_bool(jw, "isRefused", true);
    ves_jw_member_bool(jw, "isPending", false);
    ves_jw_member(jw, "refusal", row->error);
    put_strategies(jw);
}

struct listing {
    struct ves_agent *agent;
    struct ves_jw *jw;
    struct ves_refused_page *page;
};

static bool is_any_or(struct ves_bytes wanted, struct ves_bytes text)
{
    return wanted.len == 0 || ves_bytes_equal(wanted, text);
}

static enum ves_status visit(void *ctx, const struct ves_outbox_row *row)
{
    struct listing *listing = ctx;
    struct ves_refused_page *page = listing->page;

    if (!ves_core_is_refused_conflict(row))
        return VES_OK;
    page->all++;
    if (!page->is_shown || !is_any_or(page->event_type, row->event_type) ||
        !is_any_or(page->entity_type, row->entity_type) ||
        !is_any_or(page->entity_id, row->entity_id))
        return VES_OK;
    page->total++;
    uint64_t place = page->place + row->local_seq;
    if (place <= page->after)
        return VES_OK;
    page->has_more = page->room == 0;
    if (page->has_more)
        return VES_OK;
    page->room--;
    page->last = place;
    ves_jw_object(listing->jw);
    put_item(listing->agent, row, listing->jw);
    ves_jw_member_u64(listing->jw, "place", place);
    ves_jw_end(listing->jw);
    return ves_jw_status(listing->jw);
}

enum ves_status ves_conflict_put_refused(struct ves_agent *agent,
                                         struct ves_refused_page *page,
                                         struct ves_jw *jw)
{
    const struct ves_outbox_filter filter = {.status_mask =
                                                 1U << VES_OUTBOX_CONFLICT};
    struct listing listing = {agent, jw, page};

    return agent->store->ops->outbox_list(agent->store, &filter, visit,
                                          &listing);
}

/* ---- showing ------------------------------------------------------------- */

/* "fields":[...]: what the state would become. */
static enum ves_status put_fields(struct ves_agent *agent,
                                  const struct ves_json *before,
                                  const struct ves_json *after,
                                  const char *old_name, const char *new_name,
                                  struct ves_jw *jw)
{
    struct ves_differences list;

    enum ves_status status =
        ves_differences(&agent->arena, before, after, after, &list);
    for (size_t i = 0; i < list.count && !status; i++) {
        ves_jw_object(jw);
        ves_jw_member(jw, "path", list.list[i].path);
        status = ves_jw_node(jw, &agent->arena, old_name, list.list[i].base);
        if (!status)
            status =
                ves_jw_node(jw, &agent->arena, new_name, list.list[i].local);
        if (strcmp(new_name, "ours") == 0)
            ves_jw_member_bool(jw, "isOverlap", true);
        ves_jw_end(jw);
    }
    return status;
}

static void put_choices(struct ves_jw *jw)
{
    static const char *const effects[VES_STRATEGIES] = {
        "write the same again, on the state as it is now",
        "leave the state as it is; the refused event is kept on record",
        "record a combined value that you give, as an update",
        "say what it should be; without an answer it stays open"};

    ves_jw_key(jw, "choices");
    ves_jw_array(jw);
    for (int i = 0; i < (int)VES_STRATEGIES; i++) {
        ves_jw_object(jw);
        ves_jw_member_str(jw, "strategy",
                          ves_strategy_name((enum ves_strategy)i));
        ves_jw_member_bool(jw, "isAllowed", true);
        ves_jw_member_str(jw, "effect", effects[i]);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static enum ves_status put_refused(struct ves_agent *agent,
                                   const struct ves_core_refused *refused,
                                   const struct ves_case_result *again,
                                   struct ves_jw *jw, struct ves_error *error)
{
    ves_jw_object(jw);
    put_item(agent, &refused->row, jw);
    ves_jw_member_uuid(jw, "named", &refused->row.event_id);
    ves_jw_key(jw, "base");
    ves_jw_object(jw);
    ves_jw_member_bool(jw, "isKnown", false);
    if (refused->event.has_base_version)
        ves_jw_member_u64(jw, "version", refused->event.base_version);
    ves_jw_end(jw);
    ves_jw_key(jw, "head");
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "version", refused->version);
    ves_jw_end(jw);
    ves_jw_key(jw, "ours");
    ves_jw_object(jw);
    ves_jw_member_str(jw, "side", "branch");
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    enum ves_status status =
        ves_agent_put_event(agent, jw, &refused->event, error);
    ves_jw_end(jw);
    ves_jw_end(jw);
    ves_jw_key(jw, "fields");
    ves_jw_array(jw);
    if (!status)
        status = put_fields(agent, refused->state, again->state, "theirs",
                            "ours", jw);
    ves_jw_end(jw);
    if (!status)
        status = ves_jw_node(jw, &agent->arena, "state", refused->state);
    put_choices(jw);
    ves_jw_member_str(jw, "explanation",
                      "The sequencer refused this event, because it was made "
                      "on an older version than the sequencer has, and keeps "
                      "no record of it. It is safe here and has no effect "
                      "until somebody decides; pull first, to see what others "
                      "wrote.");
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    ves_jw_str(jw, "ves pull");
    ves_jw_str(jw, "ves resolve EVENT --strategy accept_local");
    ves_jw_end(jw);
    ves_jw_end(jw);
    return status;
}

enum ves_status ves_conflict_show_refused(struct ves_agent *agent,
                                          const struct ves_uuid *event_id,
                                          struct ves_jw *jw,
                                          struct ves_error *error)
{
    const struct ves_core_decide again = {.strategy = VES_STRATEGY_ACCEPT_LOCAL,
                                          .is_dry_run = true};
    const struct ves_core_env env = {.now_ms = 0};
    struct ves_core_reissued done;

    enum ves_status status = ves_core_reissue(&agent->core, &agent->arena, &env,
                                              event_id, &again, &done);
    if (!status && !done.result.state)
        done.result.state = done.refused.state;
    if (!status)
        status = put_refused(agent, &done.refused, &done.result, jw, error);
    if (status)
        return ves_agent_fail(agent, status, error, "reading a refused event");
    return ves_agent_jw_end(jw, error);
}

/* ---- deciding ------------------------------------------------------------ */

static const char *summary_of(const struct ves_core_reissued *done,
                              bool has_event)
{
    if (done->code == VES_DECIDE_AWAITING)
        return "Nothing was written. It stays open until somebody says what "
               "it should be.";
    if (done->code == VES_DECIDE_PREVIEW)
        return "Nothing was written; this is what it would come to.";
    return has_event ? "Decided: a new event takes the refused one's place. "
                       "It takes effect once it is synced."
                     : "Decided: the state stays as it is; the refused event "
                       "is kept on record.";
}

static enum ves_status put_outcome(struct ves_agent *agent,
                                   const struct ves_core_decide *say,
                                   const struct ves_core_reissued *done,
                                   struct ves_jw *jw)
{
    static const struct ves_uuid nil;
    bool has_event = !ves_uuid_equal(&done->event_id, &nil);
    bool is_open = done->code == VES_DECIDE_AWAITING;
    uint64_t remaining;

    ves_jw_object(jw);
    ves_jw_member_str(jw, "summary", summary_of(done, has_event));
    ves_jw_member_uuid(jw, "eventId", &done->refused.row.event_id);
    ves_jw_member_str(jw, "outcome",
                      is_open                            ? "awaiting_user"
                      : done->code == VES_DECIDE_PREVIEW ? "preview"
                                                         : "resolved");
    ves_jw_member_str(jw, "strategy", ves_strategy_name(say->strategy));
    ves_jw_member_bool(jw, "isRefused", true);
    if (has_event)
        ves_jw_member_uuid(jw, "resultEventId", &done->event_id);
    enum ves_status status = VES_OK;
    if (is_open) {
        put_choices(jw);
    } else {
        ves_jw_member_str(jw, "winner", ves_winner_name(done->winner));
        status = ves_jw_node(jw, &agent->arena, "state", done->result.state);
        ves_jw_key(jw, "changes");
        ves_jw_array(jw);
        if (!status)
            status = put_fields(agent, done->refused.state, done->result.state,
                                "from", "to", jw);
        ves_jw_end(jw);
    }
    if (!status)
        status = ves_conflict_remaining(agent, &remaining);
    if (status)
        return status;
    ves_jw_member_u64(jw, "remainingConflicts", remaining);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (has_event)
        ves_jw_str(jw, "ves sync");
    ves_jw_end(jw);
    ves_jw_end(jw);
    return VES_OK;
}

enum ves_status ves_conflict_resolve_refused(struct ves_agent *agent,
                                             const struct ves_uuid *event_id,
                                             const struct ves_core_decide *say,
                                             struct ves_jw *jw,
                                             struct ves_error *error)
{
    struct ves_core_env env = {.now_ms = ves_clock_now_ms()};
    struct ves_core_reissued done;
    enum ves_status status = VES_OK;

    if (!say->is_dry_run) {
        status = ves_agent_may_append(agent, error);
        if (!status)
            status = ves_agent_need_key(agent, error);
        if (!status)
            status = ves_random(env.random, sizeof(env.random), error);
        if (status)
            return status;
    }
    status = ves_core_reissue(&agent->core, &agent->arena, &env, event_id, say,
                              &done);
    if (status)
        return ves_agent_fail(agent, status, error, "deciding");
    if (done.code == VES_DECIDE_BAD_VALUE)
        return ves_conflict_bad_value(jw, error, &done.fault);
    if (done.code == VES_DECIDE_IMPOSSIBLE) {
        status = ves_conflict_problem(
            jw, error, VES_INVALID, "MERGE_IMPOSSIBLE",
            "%s; nothing was changed; choose a side, or say what it should be "
            "with --payload",
            done.reason);
        ves_conflict_problem_end(jw);
        return status;
    }
    status = put_outcome(agent, say, &done, jw);
    if (status)
        return ves_agent_fail(agent, status, error, "writing what was decided");
    return ves_agent_jw_end(jw, error);
}
