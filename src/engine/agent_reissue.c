/* agent_reissue.c -- own events that a sequencer refused for a stale base.
 *
 * A sequencer that keeps no branches refuses such an event and has no record
 * of it (semantics.md decision 5).  Deciding it appends a new event on the
 * state as it is now; the refused one keeps its bytes and is never sent again.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/effect_read.h"
#include "core/fold_ops.h"
#include "core/rules.h"
#include "engine/agent_internal.h"
#include "engine/conflict.h"
#include "json/jcs.h"

enum { PAYLOAD_MAX = 4 * 1024 * 1024, TYPE_MAX = VES_ENTITY_TYPE_MAX + 16 };

bool ves_core_is_refused_conflict(const struct ves_outbox_row *row)
{
    return row->status == VES_OUTBOX_CONFLICT && row->sequence_number == 0;
}

/* ---- gathering ----------------------------------------------------------- */

static enum ves_status read_state(struct ves_arena *arena,
                                  struct ves_bytes text,
                                  const struct ves_json **out)
{
    if (text.len == 0)
        text = ves_bytes_str("{}");
    enum ves_status status = ves_json_read(arena, text, NULL, out, NULL);
    return status == VES_MALFORMED ? VES_CORRUPT : status;
}

/* What it does, as operations; out->ops NULL: that cannot be said. */
static enum ves_status read_ops(struct ves_agent_core *core,
                                struct ves_arena *arena,
                                const struct ves_event *event,
                                struct ves_case_event *out)
{
    const struct ves_event_type *type =
        ves_event_rule(VES_RULES_BUILT_IN, event, NULL);
    struct ves_bytes text;
    struct ves_buf buf;

    if (!type || !event->payload)
        return VES_OK;
    ves_buf_init(&buf, core->alloc, PAYLOAD_MAX);
    enum ves_status status = ves_operations_write(arena, type, event->payload,
                                                  &event->event_id, &buf);
    if (!status)
        status = ves_arena_copy(arena, ves_buf_view(&buf), &text);
    ves_buf_free(&buf);
    if (status)
        return status == VES_INVALID ? VES_OK : status;
    return ves_json_read(arena, text, NULL, &out->ops, NULL);
}

static enum ves_status gather(struct ves_agent_core *core,
                              struct ves_arena *arena,
                              const struct ves_uuid *event_id,
                              struct ves_core_refused *out)
{
    struct ves_core_entity view;
    struct ves_refusal refusal;

    enum ves_status status = core->store->ops->outbox_get(core->store, event_id,
                                                          1, arena, &out->row);
    if (status)
        return status;
    if (out->row.local_seq == 0 || !ves_core_is_refused_conflict(&out->row))
        return VES_NOT_FOUND;
    status = ves_event_read(arena, out->row.envelope, &out->event, &refusal);
    if (!status)
        status = ves_event_check(arena, &out->event, &refusal);
    if (status)
        return status == VES_REFUSED ? VES_CORRUPT : status;
    status = ves_core_entity(core, out->row.entity_type, out->row.entity_id,
                             arena, &view);
    if (!status)
        status = read_state(arena, view.state, &out->state);
    out->version = view.version;
    if (!status)
        status = read_ops(core, arena, &out->event, &out->branch);
    return status;
}

enum ves_status ves_core_refused(struct ves_agent_core *core,
                                 struct ves_arena *arena,
                                 const struct ves_uuid *event_id,
                                 struct ves_core_refused *out)
{
    memset(out, 0, sizeof(*out));
    core->error.status = VES_OK;
    return gather(core, arena, event_id, out);
}

/* ---- deciding ------------------------------------------------------------ */

struct reissue {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    const struct ves_core_env *env;
    const struct ves_core_decide *say;
    struct ves_core_reissued *out;
    struct ves_buf payload; /* of the new event */
    char type[TYPE_MAX];    /* its type, when it is not the same */
    bool is_done;
};

static enum ves_status answer(struct reissue *reissue,
                              enum ves_decide_code code, const char *reason)
{
    reissue->out->code = code;
    reissue->out->reason = reason;
    reissue->is_done = true;
    return VES_OK;
}

/* The case as the functions of core/resolution.h see it. */
static struct ves_case case_of(const struct ves_core_refused *refused)
{
    return (struct ves_case){
        .entity_type = refused->row.entity_type,
        .kind = VES_CONFLICT_VERSION_MISMATCH,
        .branch = &refused->branch,
        .branch_count = 1,
        .function = VES_MERGE_NEVER,
        .state = refused->state,
        .version = refused->version,
    };
}

/* The same again: the library says on which base. */
static enum ves_status same_again(struct reissue *reissue)
{
    const struct ves_core_refused *refused = &reissue->out->refused;
    const struct ves_case of = case_of(refused);

    /* A preview where the operations can be said; the event is what counts. */
    enum ves_status status =
        ves_case_branch(reissue->arena, &of, &reissue->out->result);
    if (status == VES_INVALID) {
        reissue->out->result =
            (struct ves_case_result){.state = refused->state};
        status = VES_OK;
    }
    if (!status && !refused->event.payload)
        return answer(reissue, VES_DECIDE_IMPOSSIBLE,
                      "its payload is encrypted");
    if (!status)
        status = ves_jcs_write_without(&reissue->payload, reissue->arena,
                                       refused->event.payload, "_ves");
    return status;
}

/* What a person wrote, as an update of the entity. */
static enum ves_status as_patch(struct reissue *reissue)
{
    static const char updated[] = ".updated";
    static const struct ves_json null = {.type = VES_JSON_NULL};
    static const struct ves_json empty = {.type = VES_JSON_OBJECT};
    const struct ves_core_decide *say = reissue->say;
    const struct ves_core_refused *refused = &reissue->out->refused;
    struct ves_case of = case_of(refused);
    struct ves_case_result patch;
    struct ves_case_set *sets =
        ves_arena_alloc(reissue->arena, say->set_count * sizeof(*sets));

    if (!sets)
        return VES_NOMEM;
    memcpy(reissue->type, refused->row.entity_type.ptr,
           refused->row.entity_type.len);
    memcpy(reissue->type + refused->row.entity_type.len, updated,
           sizeof(updated));
    if (!ves_event_type_find(ves_bytes_str(reissue->type)))
        return answer(reissue, VES_DECIDE_IMPOSSIBLE,
                      "there is no event that changes single values of that "
                      "kind of entity");
    enum ves_status status =
        ves_case_patch(reissue->arena, &of, say->patch, say->sets,
                       say->set_count, &reissue->out->result);
    if (status == VES_INVALID)
        return answer(reissue, VES_DECIDE_IMPOSSIBLE,
                      reissue->out->result.reason);
    if (!status)
        status =
            ves_state_check_ops(reissue->arena, of.rules, of.entity_type,
                                reissue->out->result.ops, &reissue->out->fault);
    if (status == VES_INVALID)
        return answer(reissue, VES_DECIDE_BAD_VALUE,
                      reissue->out->fault.expected);
    for (size_t i = 0; i < say->set_count; i++)
        sets[i] = (struct ves_case_set){
            say->sets[i].path, say->sets[i].value ? say->sets[i].value : &null};
    of.state = say->patch ? say->patch : &empty;
    if (!status)
        status = ves_case_patch(reissue->arena, &of, NULL, sets, say->set_count,
                                &patch);
    if (status)
        return status;
    ves_buf_put_str(&reissue->payload, "{\"patch\":");
    status = ves_jcs_write(&reissue->payload, reissue->arena, patch.state);
    ves_buf_put_u8(&reissue->payload, '}');
    return status;
}

static enum ves_status make(struct reissue *reissue)
{
    const struct ves_core_decide *say = reissue->say;
    struct ves_core_reissued *out = reissue->out;
    bool has_answer = say->patch || say->set_count > 0;

    out->winner = ves_strategy_winner(say->strategy, true);
    if (out->winner == VES_WINNER_BRANCH)
        return same_again(reissue);
    if (out->winner == VES_WINNER_APPLIED) {
        out->result = (struct ves_case_result){.state = out->refused.state};
        return VES_OK;
    }
    if (has_answer)
        return as_patch(reissue);
    if (say->strategy == VES_STRATEGY_MANUAL)
        return answer(reissue, VES_DECIDE_AWAITING,
                      "nobody has said yet what it should be");
    return answer(reissue, VES_DECIDE_IMPOSSIBLE,
                  "the sequencer keeps no record to merge from");
}

/* Out of the view, with what became of it. */
static enum ves_status close_row(struct reissue *reissue)
{
    struct ves_outbox_row *row = &reissue->out->refused.row;
    struct ves_buf words;

    row->status = VES_OUTBOX_FAILED;
    row->is_refused = true;
    row->next_attempt_ms = 0;
    row->claim = 0;
    row->disposition =
        ves_bytes_str(reissue->payload.len > 0 ? VES_DISPOSITION_REISSUED
                                               : VES_DISPOSITION_OVERRIDDEN);
    ves_buf_init(&words, reissue->core->alloc, 256);
    if (reissue->payload.len > 0) {
        ves_buf_put_str(&words, "reissued as ");
        ves_buf_put_uuid(&words, &reissue->out->event_id);
    } else {
        ves_buf_put_str(&words, "set aside: the sequencer's state was kept");
    }
    enum ves_status status = ves_buf_status(&words);
    if (!status)
        status =
            ves_arena_copy(reissue->arena, ves_buf_view(&words), &row->error);
    ves_buf_free(&words);
    return status ? status
                  : reissue->core->store->ops->outbox_update(
                        reissue->core->store, row, 1);
}

static enum ves_status write(struct reissue *reissue)
{
    struct ves_core_refused *refused = &reissue->out->refused;
    struct ves_core_append what = {
        .event_type = reissue->type[0] ? ves_bytes_str(reissue->type)
                                       : refused->row.event_type,
        .entity_id = refused->row.entity_id,
        .payload = ves_buf_view(&reissue->payload),
    };
    enum ves_status status = VES_OK;

    /* First, so that the new event is not based on what it replaces. */
    if (refused->row.is_in_overlay)
        status = ves_device_overlay(reissue->core, reissue->arena,
                                    &refused->row, 1, false);
    if (!status && reissue->payload.len > 0)
        status = ves_device_append(reissue->core, reissue->env, &what,
                                   &reissue->out->event_id);
    if (!status)
        status = close_row(reissue);
    reissue->out->code = VES_DECIDE_DONE;
    return status ? status
                  : ves_device_trail(reissue->core, reissue->env->now_ms,
                                     "reissue", refused->row.error);
}

static enum ves_status run(struct reissue *reissue,
                           const struct ves_uuid *event_id)
{
    enum ves_status status =
        gather(reissue->core, reissue->arena, event_id, &reissue->out->refused);
    if (!status)
        status = make(reissue);
    if (!status)
        status = ves_buf_status(&reissue->payload);
    if (status || reissue->is_done)
        return status;
    reissue->out->code = VES_DECIDE_PREVIEW;
    return reissue->say->is_dry_run ? VES_OK : write(reissue);
}

enum ves_status ves_core_reissue(struct ves_agent_core *core,
                                 struct ves_arena *arena,
                                 const struct ves_core_env *env,
                                 const struct ves_uuid *event_id,
                                 const struct ves_core_decide *say,
                                 struct ves_core_reissued *out)
{
    struct reissue reissue = {
        .core = core, .arena = arena, .env = env, .say = say, .out = out};

    memset(out, 0, sizeof(*out));
    ves_buf_init(&reissue.payload, core->alloc, PAYLOAD_MAX);
    enum ves_status status = say->is_dry_run ? VES_OK : ves_device_begin(core);
    if (!status) {
        status = run(&reissue, event_id);
        status = say->is_dry_run ? ves_device_say(core, status)
                                 : ves_device_end(core, status);
    }
    ves_buf_free(&reissue.payload);
    return status;
}
