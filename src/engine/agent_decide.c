/* agent_decide.c -- deciding a conflict: looking again, then one event. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/effect_read.h"
#include "core/fold_ops.h"
#include "core/types.h"
#include "engine/agent_internal.h"
#include "engine/conflict.h"
#include "json/jcs.h"

enum { PAYLOAD_MAX = 4 * 1024 * 1024 };

/* One decision being made. */
struct decide {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    const struct ves_core_env *env;
    const struct ves_core_decide *say;
    struct ves_core_decided *out;
    const char *function; /* of a merge that was computed */
    bool is_done;         /* the code is known */
};

static enum ves_status answer(struct decide *decide, enum ves_decide_code code,
                              const char *reason)
{
    decide->out->code = code;
    decide->out->reason = reason;
    decide->is_done = true;
    return VES_OK;
}

static bool has_answer(const struct ves_core_decide *say)
{
    return say->patch || say->set_count > 0;
}

/* ---- is it still what was reviewed? -------------------------------------- */

/* Everything on the other side that is newer than what was reviewed. */
static enum ves_status changed(struct decide *decide)
{
    const struct ves_core_conflict *conflict = &decide->out->conflict;
    const struct ves_core_members *sides[3] = {
        &conflict->applied, &conflict->later, &conflict->branch};
    struct ves_core_members *list = &decide->out->changed;
    size_t room = 0;
    uint64_t reviewed = 0;

    for (size_t s = 0; s < 3; s++)
        room += sides[s]->count;
    list->list = ves_arena_alloc(decide->arena, room * sizeof(*list->list));
    if (!list->list)
        return VES_NOMEM;
    for (size_t s = 0; s < 3; s++) {
        for (size_t i = 0; i < sides[s]->count; i++) {
            if (decide->say->expected_remote &&
                ves_uuid_equal(&sides[s]->list[i].event_id,
                               decide->say->expected_remote))
                reviewed = sides[s]->list[i].sequence_number;
        }
    }
    for (size_t s = decide->say->names_branch ? 0 : 2;
         s < (decide->say->names_branch ? 2U : 3U); s++) {
        for (size_t i = 0; i < sides[s]->count; i++) {
            if (sides[s]->list[i].sequence_number > reviewed)
                list->list[list->count++] = sides[s]->list[i];
        }
    }
    return answer(decide, VES_DECIDE_CHANGED,
                  "something was written since it was looked at");
}

static bool is_as_reviewed(const struct decide *decide)
{
    const struct ves_core_decide *say = decide->say;
    const struct ves_core_conflict *conflict = &decide->out->conflict;
    const struct ves_core_member *remote =
        ves_core_conflict_remote(conflict, say->names_branch);

    if (say->expected_version &&
        !ves_hash_equal(say->expected_version, &conflict->version))
        return false;
    return !say->expected_remote ||
           (remote && ves_uuid_equal(say->expected_remote, &remote->event_id));
}

/* ---- undo ---------------------------------------------------------------- */

struct opposite {
    struct decide *decide;
    struct ves_bytes text;
};

static enum ves_status take_opposite(void *ctx, const struct ves_log_row *row)
{
    struct opposite *opposite = ctx;
    return ves_arena_copy(opposite->decide->arena, row->opposite,
                          &opposite->text);
}

static enum ves_status read_opposite(struct decide *decide,
                                     const struct ves_json **ops,
                                     struct ves_effects *effects)
{
    struct ves_agent_core *core = decide->core;
    struct opposite opposite = {decide, {NULL, 0}};
    const struct ves_json *result;
    struct ves_buf buf;

    enum ves_status status = core->store->ops->log_read(
        core->store, core->stream_no, decide->out->conflict.row.closed, 1,
        take_opposite, &opposite);
    if (status)
        return status;
    ves_buf_init(&buf, core->alloc, PAYLOAD_MAX);
    ves_buf_put_str(&buf, "{\"ops\":");
    ves_buf_put_bytes(&buf,
                      opposite.text.len ? opposite.text : ves_bytes_str("[]"));
    ves_buf_put_u8(&buf, '}');
    status = ves_buf_status(&buf);
    if (!status)
        status =
            ves_arena_copy(decide->arena, ves_buf_view(&buf), &opposite.text);
    ves_buf_free(&buf);
    if (!status)
        status =
            ves_json_read(decide->arena, opposite.text, NULL, &result, NULL);
    if (status)
        return status == VES_MALFORMED ? VES_CORRUPT : status;
    *ops = ves_json_member(result, "ops");
    return ves_effects_of_result(decide->arena, result, effects);
}

static enum ves_status undo(struct decide *decide)
{
    struct ves_core_decided *out = decide->out;
    const struct ves_core_conflict *conflict = &out->conflict;
    struct ves_fold_ops fold = {.state = conflict->of.state,
                                .is_deleted = conflict->of.is_deleted,
                                .entity_type = conflict->entity_type,
                                .rules = conflict->of.rules};
    const struct ves_json *ops = NULL;
    struct ves_effects effects;

    out->winner = VES_WINNER_UNDO;
    if (conflict->has_pending)
        return answer(decide,
                      conflict->pending.has_supersedes ? VES_DECIDE_ALREADY
                                                       : VES_DECIDE_PENDING,
                      "an own decision of it has no number yet");
    if (conflict->row.closed == 0)
        return answer(decide, VES_DECIDE_NOT_RESOLVED,
                      "it is open; there is nothing to take back");
    enum ves_status status = read_opposite(decide, &ops, &effects);
    if (!status)
        status = ves_core_conflict_since(decide->core, decide->arena, conflict,
                                         effects, &out->changed);
    if (status)
        return status;
    if (out->changed.count > 0)
        return answer(decide, VES_DECIDE_CHANGED,
                      "something was written over it since");
    status = ves_fold_ops(decide->arena, ops, &fold, NULL);
    if (status == VES_INVALID)
        return answer(decide, VES_DECIDE_IMPOSSIBLE, fold.reason);
    out->result = (struct ves_case_result){.state = fold.state,
                                           .is_deleted = fold.is_deleted};
    return status;
}

/* ---- the four strategies ------------------------------------------------- */

static enum ves_status take_merge(struct decide *decide)
{
    struct ves_core_decided *out = decide->out;
    const struct ves_core_conflict *conflict = &out->conflict;

    if (!conflict->has_merge)
        return answer(decide, VES_DECIDE_IMPOSSIBLE, conflict->merged.reason);
    if (!conflict->merge.is_clean)
        return answer(decide, VES_DECIDE_OVERLAP,
                      "both sides changed the same thing");
    decide->function = conflict->of.function;
    out->result = conflict->merged;
    return VES_OK;
}

/* What a person wrote: no schema of any event has seen it. */
static enum ves_status take_answer(struct decide *decide)
{
    const struct ves_core_decide *say = decide->say;
    struct ves_core_decided *out = decide->out;
    const struct ves_case *of = &out->conflict.of;

    enum ves_status status = ves_case_patch(
        decide->arena, of, say->patch, say->sets, say->set_count, &out->result);
    if (status)
        return status;
    status = ves_state_check_ops(decide->arena, of->rules, of->entity_type,
                                 out->result.ops, &out->fault);
    return status == VES_INVALID
               ? answer(decide, VES_DECIDE_BAD_VALUE, out->fault.expected)
               : status;
}

/* Would the log set it aside for what it leaves unsaid? */
static enum ves_status check_settled(struct decide *decide)
{
    struct ves_core_decided *out = decide->out;
    const struct ves_json *ops = out->result.ops;
    struct ves_effects effects = {NULL, 0};
    enum ves_status status = VES_OK;
    bool is_settled;

    if (out->winner != VES_WINNER_MERGE || !out->conflict.of.has_branch_fact)
        return VES_OK;
    if (ops) {
        struct ves_json list = *ops;
        list.key = ves_bytes_str("ops");
        list.next = NULL;
        const struct ves_json result = {
            .type = VES_JSON_OBJECT, .count = 1, .first = &list};
        status = ves_effects_of_result(decide->arena, &result, &effects);
    }
    if (!status)
        status = ves_core_conflict_settles(
            decide->core, decide->arena, &out->conflict, effects, &is_settled);
    if (status || is_settled)
        return status;
    return answer(decide, VES_DECIDE_NOT_ALLOWED,
                  "the branch holds something that really happened, and the "
                  "result says nothing where the two sides differ: set those "
                  "members, also one that stays as it is");
}

static enum ves_status take_result(struct decide *decide)
{
    const struct ves_core_decide *say = decide->say;
    struct ves_core_decided *out = decide->out;
    const struct ves_case *of = &out->conflict.of;
    enum ves_status status = VES_OK;

    switch (out->winner) {
    case VES_WINNER_BRANCH:
        status = ves_case_branch(decide->arena, of, &out->result);
        break;
    case VES_WINNER_MERGE:
        if (!has_answer(say))
            return take_merge(decide);
        status = take_answer(decide);
        break;
    case VES_WINNER_APPLIED:
    case VES_WINNER_NONE:
    case VES_WINNER_UNDO:
        out->result = (struct ves_case_result){.state = of->state,
                                               .is_deleted = of->is_deleted};
        break;
    }
    if (status == VES_INVALID)
        return answer(decide, VES_DECIDE_IMPOSSIBLE, out->result.reason);
    return status;
}

/* Has somebody decided already, or this store just now? */
static bool is_decided(struct decide *decide)
{
    const struct ves_core_conflict *conflict = &decide->out->conflict;
    const char *winner = ves_winner_name(decide->out->winner);

    if (conflict->row.closed > 0) {
        (void)answer(decide, VES_DECIDE_ALREADY, "it is resolved");
        return true;
    }
    if (!conflict->has_pending)
        return false;
    bool is_same = !conflict->pending.has_supersedes &&
                   ves_bytes_is(conflict->pending.winner, winner) &&
                   !has_answer(decide->say);
    (void)answer(decide, is_same ? VES_DECIDE_ALREADY : VES_DECIDE_PENDING,
                 "an own decision of it has no number yet");
    return true;
}

static enum ves_status resolve(struct decide *decide)
{
    const struct ves_core_decide *say = decide->say;
    struct ves_core_decided *out = decide->out;

    out->winner = ves_strategy_winner(say->strategy, say->names_branch);
    if (is_decided(decide))
        return VES_OK;
    if (!is_as_reviewed(decide))
        return changed(decide);
    if (say->strategy == VES_STRATEGY_MANUAL && !has_answer(say))
        return answer(decide, VES_DECIDE_AWAITING,
                      "nobody has said yet what it should be");
    if (!ves_case_allows(&out->conflict.of, out->winner, &out->reason))
        return answer(decide, VES_DECIDE_NOT_ALLOWED, out->reason);
    if (out->conflict.has_pending_edit)
        return answer(decide, VES_DECIDE_SYNC_FIRST,
                      "own changes of it, written before the conflict was "
                      "known, have no number yet and will join it");
    enum ves_status status = take_result(decide);
    return status || decide->is_done ? status : check_settled(decide);
}

/* ---- the event ----------------------------------------------------------- */

static enum ves_status append(struct decide *decide)
{
    const struct ves_core_decide *say = decide->say;
    struct ves_core_decided *out = decide->out;
    const struct ves_core_conflict *conflict = &out->conflict;
    const struct ves_decision decision = {
        .strategy = say->is_undo ? "undo" : ves_strategy_name(say->strategy),
        .winner = out->winner,
        .ops = out->result.ops,
        .state = out->result.ops ? out->result.state : NULL,
        .function = decide->function,
        .resolver = say->resolver,
        .reason = say->reason,
        .has_supersedes = say->is_undo,
        .supersedes = conflict->row.closed_by,
    };
    struct ves_core_append what = {
        .event_type = ves_bytes_str(VES_TYPE_RESOLVED),
        .entity_type = conflict->entity_type,
        .entity_id = conflict->entity_id,
        .is_system = true,
    };
    struct ves_buf payload;

    ves_buf_init(&payload, decide->core->alloc, PAYLOAD_MAX);
    enum ves_status status =
        ves_decision_write(&payload, decide->arena, &conflict->of, &decision);
    what.payload = ves_buf_view(&payload);
    if (!status)
        status =
            ves_device_append(decide->core, decide->env, &what, &out->event_id);
    ves_buf_free(&payload);
    out->code = VES_DECIDE_DONE;
    return status;
}

static enum ves_status keep_trail(struct decide *decide)
{
    const struct ves_core_decide *say = decide->say;
    const struct ves_core_decided *out = decide->out;
    struct ves_buf buf;

    ves_buf_init(&buf, decide->core->alloc, 4096);
    ves_buf_put_str(&buf, "{\"conflictId\":\"0x");
    ves_buf_put_hex(&buf, out->conflict.row.id.b, VES_HASH_SIZE);
    ves_buf_putf(&buf, "\",\"strategy\":\"%s\",\"winner\":\"%s\"",
                 say->is_undo ? "undo" : ves_strategy_name(say->strategy),
                 ves_winner_name(out->winner));
    ves_buf_put_str(&buf, ",\"resolver\":");
    ves_jcs_write_string(&buf, ves_bytes_str(say->resolver));
    ves_buf_put_str(&buf, ",\"resultEventId\":\"");
    ves_buf_put_uuid(&buf, &out->event_id);
    ves_buf_put_str(&buf, "\"}");
    return ves_device_trail_end(decide->core, decide->env->now_ms, "resolve",
                                &buf);
}

static enum ves_status run(struct decide *decide)
{
    struct ves_core_decided *out = decide->out;

    enum ves_status status = ves_core_conflict(
        decide->core, decide->arena, &decide->say->conflict_id, &out->conflict);
    if (!status)
        status = decide->say->is_undo ? undo(decide) : resolve(decide);
    if (status || decide->is_done)
        return status;
    out->code = VES_DECIDE_PREVIEW;
    if (decide->say->is_dry_run)
        return VES_OK;
    status = append(decide);
    return status ? status : keep_trail(decide);
}

enum ves_status ves_core_decide(struct ves_agent_core *core,
                                struct ves_arena *arena,
                                const struct ves_core_env *env,
                                const struct ves_core_decide *say,
                                struct ves_core_decided *out)
{
    struct decide decide = {
        .core = core, .arena = arena, .env = env, .say = say, .out = out};

    memset(out, 0, sizeof(*out));
    /* A look needs no lock, and a store opened for reading has none. */
    if (say->is_dry_run)
        return ves_device_say(core, run(&decide));
    enum ves_status status = ves_device_begin(core);
    if (status)
        return status;
    return ves_device_end(core, run(&decide));
}
