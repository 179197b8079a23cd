/* conflict_auto.c -- deciding without being asked, as the settings say.
 *
 * semantics.md decision 13: only the store that wrote the branch event does
 * it, so that two stores never decide the same conflict by policy.  What
 * somebody took back is not decided again.
 */
#include <string.h>

#include "agent/conflict.h"
#include "agent/strategies.h"
#include "base/bytes.h"
#include "core/types.h"
#include "os/clock.h"
#include "os/random.h"

enum { ARENA_MAX = 256 * 1024 * 1024 };

struct open {
    struct ves_agent *agent;
    struct ves_hash *ids;
    size_t count, room;
};

static enum ves_status take_id(void *ctx, const struct ves_conflict_row *row)
{
    struct open *open = ctx;

    if (open->count == open->room) {
        size_t room = open->room ? open->room * 2 : 64;
        struct ves_hash *ids =
            ves_arena_alloc(&open->agent->arena, room * sizeof(*ids));
        if (!ids)
            return VES_NOMEM;
        if (open->count > 0)
            memcpy(ids, open->ids, open->count * sizeof(*ids));
        open->ids = ids;
        open->room = room;
    }
    open->ids[open->count++] = row->id;
    return VES_OK;
}

/* Money and goods that came back are for people. */
static bool is_for_people(const struct ves_core_conflict *conflict)
{
    return ves_bytes_is(conflict->entity_type, "payment") ||
           ves_bytes_is(conflict->entity_type, "refund") ||
           ves_bytes_is(conflict->entity_type, "return") ||
           strcmp(conflict->of.function, VES_MERGE_NEVER) == 0;
}

static enum ves_status decide(struct ves_agent *agent, struct ves_arena *arena,
                              const struct ves_hash *id,
                              enum ves_strategy strategy, bool *is_resolved)
{
    struct ves_core_env env = {.now_ms = ves_clock_now_ms()};
    const struct ves_core_decide say = {
        .conflict_id = *id,
        .names_branch = true,
        .strategy = strategy,
        .resolver = VES_RESOLVER_POLICY,
        .reason = ves_bytes_str("setting conflictStrategy"),
    };
    struct ves_core_decided done;

    enum ves_status status = ves_agent_need_key(agent, NULL);
    if (!status)
        status = ves_random(env.random, sizeof(env.random), NULL);
    if (!status)
        status = ves_core_decide(&agent->core, arena, &env, &say, &done);
    *is_resolved = !status && done.code == VES_DECIDE_DONE;
    return status;
}

static enum ves_status look_at(struct ves_agent *agent,
                               const struct ves_hash *id,
                               struct ves_auto_report *report)
{
    struct ves_core_conflict conflict;
    struct ves_arena arena;
    bool is_resolved = false;

    ves_arena_init(&arena, agent->alloc, ARENA_MAX);
    enum ves_status status =
        ves_core_conflict(&agent->core, &arena, id, &conflict);
    if (!status && conflict.is_own && !conflict.has_pending) {
        enum ves_strategy strategy =
            ves_agent_policy(agent, conflict.entity_type);
        report->looked_at++;
        if (strategy != VES_STRATEGY_MANUAL && !conflict.was_undone &&
            !is_for_people(&conflict))
            status = decide(agent, &arena, id, strategy, &is_resolved);
        report->resolved += is_resolved;
        report->left += !is_resolved;
    }
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_resolve_automatic(struct ves_agent *agent,
                                      struct ves_auto_report *report,
                                      struct ves_error *error)
{
    const struct ves_conflict_filter filter = {.open_only = true};
    struct open open = {.agent = agent};

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    if (!ves_agent_has_policy(agent))
        return VES_OK;
    enum ves_status status = ves_agent_may_append(agent, error);
    if (status)
        return status;
    status = agent->store->ops->conflict_list(
        agent->store, agent->core.stream_no, &filter, take_id, &open);
    for (size_t i = 0; i < open.count && !status; i++)
        status = look_at(agent, &open.ids[i], report);
    return ves_agent_fail(agent, status, error, "deciding by policy");
}
