/* agent_automatic.c -- conflicts decided without being asked. */
#include <string.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/types.h"
#include "engine/agent_internal.h"
#include "engine/automatic.h"
#include "engine/conflict.h"

#define LOOKED   "policy.looked"   /* up to this number all was looked at */
#define SETTINGS "policy.settings" /* with these */

enum { ARENA_MAX = 256 * 1024 * 1024, CHUNK = 256 };

struct run {
    struct ves_agent_core *core;
    const struct ves_core_automatic *how;
    struct ves_core_automatic_report *report;
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

static bool is_for_people(const struct ves_core_conflict *conflict)
{
    return is_type_for_people(conflict->entity_type) ||
           strcmp(conflict->of.function, VES_MERGE_NEVER) == 0;
}

static enum ves_status decide(struct run *run,
                              const struct ves_core_conflict *conflict,
                              enum ves_strategy strategy,
                              enum ves_decide_code *code)
{
    const struct ves_core_automatic *how = run->how;
    const struct ves_core_decide say = {
        .conflict_id = conflict->row.id,
        .names_branch = true,
        .strategy = strategy,
        .expected_version = &conflict->version,
        .resolver = VES_RESOLVER_POLICY,
        .reason = ves_bytes_str("setting conflictStrategy"),
    };
    struct ves_core_decided done;
    struct ves_core_env env;

    enum ves_status status = how->prepare(how->ctx, &env);
    if (!status)
        status = ves_core_decide(run->core, &run->arena, &env, &say, &done);
    if (status)
        return status;
    *code = done.code;
    if (done.code == VES_DECIDE_DONE && how->decided)
        how->decided(how->ctx, &done.event_id);
    return VES_OK;
}

static enum ves_status find_refused(void *ctx, const struct ves_outbox_row *row)
{
    bool *is_there = ctx;

    *is_there |=
        row->is_refused && ves_bytes_is(row->event_type, VES_TYPE_RESOLVED);
    return *is_there ? VES_AGAIN : VES_OK;
}

/* Made again at every call, a decision would be refused again. */
static enum ves_status was_refused(struct run *run,
                                   const struct ves_hash *entity_key, bool *out)
{
    const struct ves_outbox_filter failed = {.status_mask =
                                                 1U << VES_OUTBOX_FAILED,
                                             .has_entity = true,
                                             .entity_key = *entity_key};
    struct ves_store *store = run->core->store;

    *out = false;
    enum ves_status status =
        store->ops->outbox_list(store, &failed, find_refused, out);
    return status == VES_AGAIN ? VES_OK : status;
}

/* Everything about one, and what its setting makes of it. */
static enum ves_status look_at(struct run *run, const struct ves_hash *id)
{
    struct ves_core_automatic_report *report = run->report;
    enum ves_decide_code code = VES_DECIDE_AWAITING;
    struct ves_core_conflict conflict;

    ves_arena_reset(&run->arena);
    enum ves_status status =
        ves_core_conflict(run->core, &run->arena, id, &conflict);
    if (status || !conflict.is_own || conflict.has_pending)
        return status;
    enum ves_strategy strategy =
        run->how->strategy(run->how->ctx, conflict.entity_type);
    report->looked_at++;
    bool may_decide = strategy != VES_STRATEGY_MANUAL && !conflict.was_undone &&
                      !is_for_people(&conflict);
    bool is_refused = false;
    if (may_decide)
        status = was_refused(run, &conflict.row.entity_key, &is_refused);
    if (!status && may_decide && !is_refused)
        status = decide(run, &conflict, strategy, &code);
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
    struct ves_agent_core *core = run->core;
    struct ves_store *store = core->store;
    struct ves_entity_row entity;
    struct ves_uuid author;

    enum ves_status status = store->ops->log_read(
        store, core->stream_no, row->opened, 1, see_author, &author);
    if (status || !ves_uuid_equal(&author, &core->agent))
        return status;
    ves_arena_reset(&run->arena);
    const struct ves_entity_name name = {.key = row->entity_key};
    status = store->ops->entity_get(store, core->stream_no, &name, 1,
                                    &run->arena, &entity);
    if (status)
        return status;
    bool is_quiet = entity.own_count == 0;
    if (is_quiet &&
        (entity.last <= run->looked || is_type_for_people(entity.entity_type) ||
         run->how->strategy(run->how->ctx, entity.entity_type) ==
             VES_STRATEGY_MANUAL)) {
        run->report->looked_at++;
        run->report->left++;
        return VES_OK;
    }
    run->is_early |= !is_quiet;
    return look_at(run, &row->id);
}

static enum ves_status look_at_all(struct run *run)
{
    struct ves_agent_core *core = run->core;
    struct ves_conflict_filter filter = {.open_only = true, .limit = CHUNK};
    enum ves_status status;

    do {
        run->count = 0;
        status = core->store->ops->conflict_list(core->store, core->stream_no,
                                                 &filter, take_row, run);
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

    enum ves_status status = ves_device_number_get(
        run->core, &run->arena, LOOKED, 0, 0, UINT64_MAX, &run->looked);
    if (!status)
        status = ves_device_number_get(run->core, &run->arena, SETTINGS, 0, 0,
                                       UINT64_MAX, &before);
    if (before != settings)
        run->looked = 0;
    return status;
}

static enum ves_status remember(struct run *run, uint64_t settings,
                                uint64_t cursor)
{
    struct ves_agent_core *core = run->core;

    bool is_idle = run->report->left == 0 && run->report->resolved == 0;

    if (is_idle || run->is_early || run->looked == cursor)
        return VES_OK;
    enum ves_status status = ves_device_begin(core);
    if (status)
        return status;
    status = ves_device_number_put(core, LOOKED, cursor);
    if (!status)
        status = ves_device_number_put(core, SETTINGS, settings);
    return ves_device_end(core, status);
}

/* An event that waited is judged at a number that is none of its entity. */
enum ves_status ves_device_automatic_again(struct ves_agent_core *core,
                                           struct ves_arena *arena,
                                           uint64_t from)
{
    uint64_t looked = 0;

    enum ves_status status =
        ves_device_number_get(core, arena, LOOKED, 0, 0, UINT64_MAX, &looked);
    if (status || looked < from)
        return status;
    return ves_device_number_put(core, LOOKED, from - 1);
}

/* What else a decision depends on: with other settings, with rules that came
 * into the log since, or judged otherwise, what was left may be decided. */
static enum ves_status sum_up(struct run *run, uint64_t *out)
{
    struct ves_agent_core *core = run->core;
    struct ves_entity_row rules;
    struct ves_entity_name name;

    ves_entity_name(ves_bytes_str(VES_SCHEMA_ENTITY_TYPE),
                    ves_bytes_str(VES_SCHEMA_ENTITY_ID), &name);
    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, &name, 1, &run->arena, &rules);
    *out = run->how->settings ^ VES_JUDGE_VERSION;
    if (!status)
        *out ^= rules.last << 8;
    return status;
}

enum ves_status ves_core_automatic(struct ves_agent_core *core,
                                   const struct ves_core_automatic *how,
                                   struct ves_core_automatic_report *report)
{
    uint64_t cursor = 0, settings = 0;
    struct ves_arena frame;

    memset(report, 0, sizeof(*report));
    core->error.text[0] = '\0';
    ves_arena_init(&frame, core->alloc, sizeof(struct run) + 4096);
    struct run *run = ves_arena_alloc(&frame, sizeof(*run));
    if (!run)
        return ves_device_say(core, VES_NOMEM);
    memset(run, 0, sizeof(*run));
    run->core = core;
    run->how = how;
    run->report = report;
    ves_arena_init(&run->arena, core->alloc, ARENA_MAX);
    enum ves_status status = ves_device_cursor(core, &cursor);
    if (!status)
        status = sum_up(run, &settings);
    if (!status)
        status = recall(run, settings);
    if (!status)
        status = look_at_all(run);
    if (!status)
        status = remember(run, settings, cursor);
    ves_arena_free(&run->arena);
    ves_arena_free(&frame);
    return ves_device_say(core, status);
}
