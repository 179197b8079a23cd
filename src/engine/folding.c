/* folding.c -- events of one entity folded one after the other. */
#include "engine/folding.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/effect_read.h"
#include "core/fold_result.h"
#include "core/judge.h"

enum {
    STATE_MAX = 16 * 1024 * 1024,
    OPPOSITE_MAX = 64 * 1024 * 1024 /* of many operations, each bounded */
};

enum ves_status ves_log_event_read(struct ves_arena *arena,
                                   struct ves_bytes envelope,
                                   struct ves_error *error,
                                   struct ves_event *event)
{
    struct ves_refusal refusal;
    uint8_t *text = ves_arena_bytes(arena, envelope.len + 1);

    if (!text)
        return VES_NOMEM;
    memcpy(text, envelope.ptr, envelope.len);
    text[envelope.len] = '}';
    enum ves_status status = ves_event_read(
        arena, ves_bytes(text, envelope.len + 1), event, &refusal);
    if (!status)
        status = ves_event_check_logged(arena, event, &refusal);
    if (status == VES_REFUSED)
        return ves_fail(error, VES_CORRUPT,
                        "an event in the log is not readable any more: %s; "
                        "nothing was changed; restore a backup, or set up a "
                        "new store with an invitation (`ves doctor` says what "
                        "is damaged)",
                        refusal.message);
    return status;
}

/* ---- one event ----------------------------------------------------------- */

/* A recorded opposite as the result it is. */
static enum ves_status read_opposite(struct ves_arena *arena,
                                     struct ves_bytes opposite,
                                     const struct ves_json **out)
{
    struct ves_json *nodes = ves_arena_alloc(arena, 2 * sizeof(*nodes));
    const struct ves_json *list;

    if (!nodes)
        return VES_NOMEM;
    enum ves_status status = ves_json_read(arena, opposite, NULL, &list, NULL);
    if (status)
        return status == VES_MALFORMED ? VES_CORRUPT : status;
    nodes[1] = *list;
    nodes[1].key = ves_bytes_str("ops");
    nodes[1].next = NULL;
    nodes[0] = (struct ves_json){
        .type = VES_JSON_OBJECT, .count = 1, .first = &nodes[1]};
    *out = nodes;
    return VES_OK;
}

static enum ves_status
write_result(struct ves_arena *arena, struct ves_bytes state,
             const struct ves_event *event,
             const struct ves_resolution *resolution,
             const struct ves_folding_write *what, struct ves_buf *out,
             struct ves_buf *opposite, struct ves_fold_note *note)
{
    struct ves_fold_decision decision = {.rules = what->rules,
                                         .entity_type = event->entity_type,
                                         .is_deleted = what->is_deleted};
    enum ves_status status = VES_OK;

    if (resolution->winner == VES_WINNER_UNDO)
        status = read_opposite(arena, what->opposite, &decision.result);
    else if (resolution->winner == VES_WINNER_BRANCH ||
             resolution->winner == VES_WINNER_MERGE)
        decision.result = ves_json_member(event->payload, "result");
    return status ? status
                  : ves_fold_decision(arena, state, &decision, out, opposite,
                                      note);
}

enum ves_status ves_folding_apply(struct ves_arena *arena,
                                  struct ves_bytes state,
                                  const struct ves_event *event,
                                  const struct ves_folding_write *what,
                                  struct ves_buf *out, struct ves_buf *opposite,
                                  struct ves_fold_note *note)
{
    struct ves_judge_subject subject;

    enum ves_status status =
        ves_judge_subject_read(arena, what->rules, event, &subject);
    if (status)
        return status;
    if (subject.resolution)
        return write_result(arena, state, event, subject.resolution, what, out,
                            opposite, note);
    return ves_fold(arena, what->rules, state, event, out, note);
}

enum ves_status ves_opposite_effects(struct ves_arena *arena,
                                     struct ves_bytes opposite,
                                     struct ves_effects *out)
{
    const struct ves_json *result;

    enum ves_status status = read_opposite(arena, opposite, &result);
    return status ? status : ves_effects_of_result(arena, result, out);
}

/* ---- one entity ---------------------------------------------------------- */

/* A resolution that an undo may name. */
struct ves_folding_past {
    struct ves_folding_past *next;
    struct ves_hash hash;
    struct ves_bytes opposite;
};

void ves_folding_open(struct ves_folding *folding,
                      const struct ves_alloc *alloc, struct ves_arena *arena)
{
    *folding = (struct ves_folding){.arena = arena};
    ves_buf_init(&folding->state, alloc, STATE_MAX);
    ves_buf_init(&folding->next, alloc, STATE_MAX);
    ves_buf_init(&folding->opposite, alloc, OPPOSITE_MAX);
}

void ves_folding_close(struct ves_folding *folding)
{
    ves_buf_free(&folding->state);
    ves_buf_free(&folding->next);
    ves_buf_free(&folding->opposite);
}

static enum ves_status remember(struct ves_folding *folding,
                                const struct ves_event *event)
{
    struct ves_folding_past *past =
        ves_arena_alloc(folding->arena, sizeof(*past));

    if (!past)
        return VES_NOMEM;
    past->hash = event->event_hash;
    past->next = folding->past;
    folding->past = past;
    return ves_arena_copy(folding->arena, ves_buf_view(&folding->opposite),
                          &past->opposite);
}

/* What the event's author takes back; "[]" when that is nothing known. */
static struct ves_bytes find_opposite(const struct ves_folding *folding,
                                      const struct ves_hash *hash)
{
    const struct ves_folding_past *past = folding->past;

    while (past && !ves_hash_equal(&past->hash, hash))
        past = past->next;
    return past ? past->opposite : ves_bytes_str("[]");
}

enum ves_status ves_folding_step(struct ves_folding *folding,
                                 struct ves_arena *scratch,
                                 struct ves_rules_at rules,
                                 const struct ves_event *event)
{
    struct ves_folding_write what = {.rules = rules,
                                     .is_deleted = folding->is_deleted};
    struct ves_judge_subject subject;
    struct ves_fold_note note;

    ves_buf_reset(&folding->next);
    ves_buf_reset(&folding->opposite);
    enum ves_status status =
        ves_judge_subject_read(scratch, rules, event, &subject);
    if (status)
        return status;
    if (subject.resolution && subject.resolution->has_supersedes)
        what.opposite = find_opposite(folding, &subject.resolution->supersedes);
    status =
        ves_folding_apply(scratch, ves_buf_view(&folding->state), event, &what,
                          &folding->next, &folding->opposite, &note);
    /* As a device has it: what does not fit leaves the state as it was. */
    if (status && status != VES_LIMIT)
        return status;
    if (!status) {
        struct ves_buf swap = folding->state;
        folding->state = folding->next;
        folding->next = swap;
    }
    if (what.opposite.len > 0) {
        struct ves_effects effects;
        status = ves_opposite_effects(scratch, what.opposite, &effects);
        if (status)
            return status;
        subject.tombstone = ves_effects_tombstone(effects);
    }
    if (subject.tombstone != 0)
        folding->is_deleted = subject.tombstone > 0;
    return subject.resolution ? remember(folding, event) : VES_OK;
}
