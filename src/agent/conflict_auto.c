/* conflict_auto.c -- deciding without being asked, as the settings say. */
#include "agent/conflict.h"
#include "agent/strategies.h"
#include "engine/automatic.h"
#include "os/clock.h"
#include "os/random.h"

static enum ves_strategy strategy_for(void *ctx, struct ves_bytes entity_type)
{
    return ves_agent_policy(ctx, entity_type);
}

static enum ves_status prepare(void *ctx, struct ves_core_env *env)
{
    env->now_ms = ves_clock_now_ms();
    enum ves_status status = ves_agent_need_key(ctx, NULL);
    return status ? status : ves_random(env->random, sizeof(env->random), NULL);
}

enum ves_status ves_resolve_automatic(struct ves_agent *agent,
                                      struct ves_auto_report *report,
                                      struct ves_error *error)
{
    struct ves_core_automatic_report done;

    *report = (struct ves_auto_report){0};
    ves_agent_start(agent);
    if (!ves_agent_has_policy(agent))
        return VES_OK;
    enum ves_status status = ves_agent_may_append(agent, error);
    if (status)
        return status;
    const struct ves_core_automatic how = {
        .strategy = strategy_for,
        .prepare = prepare,
        .ctx = agent,
        .settings = ves_agent_policies_sum(agent),
    };
    status = ves_core_automatic(&agent->core, &how, &done);
    *report = (struct ves_auto_report){
        .looked_at = done.looked_at,
        .resolved = done.resolved,
        .left = done.left,
    };
    return ves_agent_fail(agent, status, error, "deciding by policy");
}
