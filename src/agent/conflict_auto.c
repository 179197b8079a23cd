/* conflict_auto.c -- deciding without being asked, as the settings say.
 *
 * semantics.md decision 13: only the store that wrote the branch event does
 * it, so that two stores never decide the same conflict by policy.  What
 * somebody took back is not decided again.
 *
 * A conflict that was left is left again as long as nothing happened to its
 * entity and settings and rules are the same, so it is not gathered again: of
 * ten thousand that wait for a person a sync costs a look at as many rows.
 */
#include <string.h>

#include "agent/conflict.h"
#include "agent/strategies.h"
#include "base/bytes.h"
#include "core/entity.h"
#include "core/rules.h"
#include "core/types.h"
#include "os/clock.h"
#include "os/random.h"

#define LOOKED   "policy.looked"   /* up to this number all was looked at */
#define SETTINGS "policy.settings" /* with these */

enum { ARENA_MAX = 256 * 1024 * 1024, CHUNK = 256 };

struct run {
    struct ves_agent *agent;
    struct ves_auto_report *report;
    struct ves_arena arena;
    uint64_t looked; /* what was left below this number stays left */
    bool is_early;   /* something may be decided later without a new event */
    struct ves_conflict_row rows[CHUNK];
    size_t count;
};

static enum ves_status take_row(void *ctx, const struct ves_conflict_row *row)
{
    struct run *run = ctx;

    run->rows[run->count++] = *row;
    return VES_OK;
}

static bool is_type_for_people(struct ves_bytes entity_type)
{
    return ves_bytes_is(entity_type, "payment") ||
           ves_bytes_is(entity_type, "refund") ||
           ves_bytes_is(entity_type, "return");
}

/* Money and goods that came back are for people. */
static bool is_for_people(const struct ves_core_conflict *conflict)
{
    return is_type_for_people(conflict->entity_type) ||
           strcmp(conflict->of.function, VES_MERGE_NEVER) == 0;
}

static enum ves_status decide(struct ves_agent *agent, struct ves_arena *arena,
                              const struct ves_hash *id,
                              enum ves_strategy strategy,
                              enum ves_decide_code *code)
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
    if (!status)
        *code = done.code;
    return status;
}

/* Everything about one, and what its setting makes of it. */
static enum ves_status look_at(struct run *run, const struct ves_hash *id)
{
    struct ves_auto_report *report = run->report;
    struct ves_agent *agent = run->agent;
    enum ves_decide_code code = VES_DECIDE_AWAITING;
    struct ves_core_conflict conflict;

    ves_arena_reset(&run->arena);
    enum ves_status status =
        ves_core_conflict(&agent->core, &run->arena, id, &conflict);
    if (status || !conflict.is_own || conflict.has_pending)
        return status;
    enum ves_strategy strategy = ves_agent_policy(agent, conflict.entity_type);
    report->looked_at++;
    if (strategy != VES_STRATEGY_MANUAL && !conflict.was_undone &&
        !is_for_people(&conflict))
        status = decide(agent, &run->arena, id, strategy, &code);
    report->resolved += !status && code == VES_DECIDE_DONE;
    report->left += status || code != VES_DECIDE_DONE;
    run->is_early |= code == VES_DECIDE_PENDING ||
                     code == VES_DECIDE_SYNC_FIRST ||
                     code == VES_DECIDE_CHANGED;
    return status;
}

static enum ves_status see_author(void *ctx, const struct ves_log_row *row)
{
    *(struct ves_uuid *)ctx = row->agent;
    return VES_OK;
}

/* What needs no more than rows to be known is not gathered. */
static enum ves_status look_at_row(struct run *run,
                                   const struct ves_conflict_row *row)
{
    struct ves_agent *agent = run->agent;
    const struct ves_store_ops *ops = agent->store->ops;
    struct ves_entity_row entity;
    struct ves_uuid author;

    enum ves_status status = ops->log_read(agent->store, agent->core.stream_no,
                                           row->opened, 1, see_author, &author);
    if (status || !ves_uuid_equal(&author, &agent->core.agent))
        return status;
    ves_arena_reset(&run->arena);
    status = ops->entity_get(agent->store, agent->core.stream_no,
                             &row->entity_key, 1, &run->arena, &entity);
    if (status)
        return status;
    bool is_quiet = entity.own_count == 0;
    if (is_quiet &&
        (entity.last <= run->looked || is_type_for_people(entity.entity_type) ||
         ves_agent_policy(agent, entity.entity_type) == VES_STRATEGY_MANUAL)) {
        run->report->looked_at++;
        run->report->left++;
        return VES_OK;
    }
    run->is_early |= !is_quiet;
    return look_at(run, &row->id);
}

static enum ves_status look_at_all(struct run *run)
{
    struct ves_agent *agent = run->agent;
    struct ves_conflict_filter filter = {.open_only = true, .limit = CHUNK};
    enum ves_status status;

    do {
        run->count = 0;
        status = agent->store->ops->conflict_list(
            agent->store, agent->core.stream_no, &filter, take_row, run);
        for (size_t i = 0; i < run->count && !status; i++)
            status = look_at_row(run, &run->rows[i]);
        if (run->count > 0)
            filter.after = run->rows[run->count - 1].opened;
    } while (!status && run->count == CHUNK);
    return status;
}

/* ---- what was looked at before ------------------------------------------- */

static enum ves_status recall(struct run *run, uint64_t settings)
{
    uint64_t before = 0;

    enum ves_status status =
        ves_agent_meta_u64(run->agent, LOOKED, &run->looked);
    if (!status)
        status = ves_agent_meta_u64(run->agent, SETTINGS, &before);
    if (before != settings)
        run->looked = 0;
    return status;
}

static enum ves_status remember(struct run *run, uint64_t settings,
                                uint64_t cursor)
{
    struct ves_agent *agent = run->agent;

    if (run->report->left == 0 || run->is_early || run->looked == cursor)
        return VES_OK;
    enum ves_status status = ves_agent_begin_write(agent);
    if (status)
        return status;
    status = ves_agent_meta_put_u64(agent, LOOKED, cursor);
    if (!status)
        status = ves_agent_meta_put_u64(agent, SETTINGS, settings);
    return ves_agent_end_write(agent, status);
}

/* What else a decision depends on: with other settings, with rules that came
 * into the log since, or judged otherwise, what was left may be decided. */
static enum ves_status sum_up(struct run *run, uint64_t *out)
{
    struct ves_agent *agent = run->agent;
    struct ves_entity_row rules;
    struct ves_hash key;

    ves_entity_key(ves_bytes_str(VES_SCHEMA_ENTITY_TYPE),
                   ves_bytes_str(VES_SCHEMA_ENTITY_ID), &key);
    ves_arena_reset(&run->arena);
    enum ves_status status = agent->store->ops->entity_get(
        agent->store, agent->core.stream_no, &key, 1, &run->arena, &rules);
    *out = ves_agent_policies_sum(agent) ^ VES_JUDGE_VERSION;
    if (!status)
        *out ^= rules.last << 8;
    return status;
}

enum ves_status ves_resolve_automatic(struct ves_agent *agent,
                                      struct ves_auto_report *report,
                                      struct ves_error *error)
{
    uint64_t from = 0, settings = 0;

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    if (!ves_agent_has_policy(agent))
        return VES_OK;
    enum ves_status status = ves_agent_may_append(agent, error);
    if (status)
        return status;
    struct run *run = ves_arena_alloc(&agent->arena, sizeof(*run));
    if (!run)
        return ves_agent_fail(agent, VES_NOMEM, error, "deciding by policy");
    memset(run, 0, sizeof(*run));
    run->agent = agent;
    run->report = report;
    ves_arena_init(&run->arena, agent->alloc, ARENA_MAX);
    status = ves_core_pull_from(&agent->core, &from);
    if (!status)
        status = sum_up(run, &settings);
    if (!status)
        status = recall(run, settings);
    if (!status)
        status = look_at_all(run);
    if (!status)
        status = remember(run, settings, from - 1);
    ves_arena_free(&run->arena);
    return ves_agent_fail(agent, status, error, "deciding by policy");
}
