/* fold.c -- entity state from events, deterministically. */
#include "core/fold.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "core/fold_rules.h"
#include "core/fold_tree.h"
#include "core/rules.h"
#include "json/jcs.h"

_Static_assert((int)VES_FOLD_VERSION == 4, "the rules below are version 4");

/* ---- one step ----------------------------------------------------------- */

static enum ves_status apply_rule(struct ves_fold_step *step)
{
    switch (step->type->fold) {
    case VES_FOLD_OPERATIONS:
        return ves_fold_operations(step, step->type->operations);
    case VES_FOLD_RESERVE:
        return ves_fold_inventory_reserved(step);
    case VES_FOLD_RELEASE:
        return ves_fold_inventory_released(step);
    case VES_FOLD_FULFIL:
        return ves_fold_inventory_fulfilled(step);
    }
    return VES_OK;
}

enum ves_status ves_fold_read_state(struct ves_fold_step *step,
                                    struct ves_bytes state)
{
    const struct ves_json_options options = {.depth_max = VES_JSON_DEPTH_MAX};
    if (state.len == 0)
        state = ves_bytes_str("{}");
    enum ves_status status = ves_json_read(step->write.arena, state, &options,
                                           &step->write.state, NULL);
    if (status == VES_MALFORMED ||
        (!status && step->write.state->type != VES_JSON_OBJECT))
        return VES_CORRUPT;
    return status;
}

/* Everything that decides whether the event touches the state at all. */
static enum ves_status begin(struct ves_fold_step *step,
                             struct ves_rules_at rules,
                             const struct ves_event *event)
{
    bool is_unknown;
    const struct ves_event_type *type =
        ves_event_rule(rules, event, &is_unknown);

    step->is_unchanged =
        event->payload_kind != VES_PAYLOAD_PLAIN || (!type && !is_unknown);
    if (step->is_unchanged)
        return VES_OK;
    if (!type)
        return ves_write_fail(&step->write, "the rule version in _ves.schema "
                                            "is not known here");
    if (!event->payload || event->payload->type != VES_JSON_OBJECT)
        return ves_write_fail(&step->write, "the payload is not an object");
    step->type = type;
    step->write.entity =
        ves_rules_entity(rules, ves_bytes_str(type->entity_type));
    step->write.gives_way = true;
    step->operand.event_id = &event->event_id;
    step->operand.payload =
        ves_tree_without(step->write.arena, event->payload, "_ves");
    return step->operand.payload ? VES_OK : VES_NOMEM;
}

/* Where the string ends whose opening quote is right before at. */
static size_t end_of_string(struct ves_bytes json, size_t at)
{
    const size_t start = at;
    while (at < json.len) {
        const uint8_t *quote = memchr(json.ptr + at, '"', json.len - at);
        if (!quote)
            break;
        at = (size_t)(quote - json.ptr);
        size_t escapes = 0;
        while (at - escapes > start && json.ptr[at - escapes - 1] == '\\')
            escapes++;
        if (escapes % 2 == 0)
            return at;
        at++;
    }
    return json.len;
}

/* Deepest nesting of brackets in canonical JSON. */
static size_t depth_of(struct ves_bytes json)
{
    size_t depth = 0;
    size_t max = 0;
    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.ptr[i];
        if (c == '"') {
            i = end_of_string(json, i + 1);
        } else if (c == '{' || c == '[') {
            depth++;
            max = depth > max ? depth : max;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return max;
}

/* Appends the new state, or nothing. */
enum ves_status ves_fold_write_state(struct ves_fold_step *step,
                                     struct ves_buf *out)
{
    size_t start = out->len;
    enum ves_status status =
        ves_jcs_write(out, step->write.arena, step->write.state);
    if (!status)
        status = ves_buf_status(out);
    if (!status) {
        struct ves_bytes state = ves_bytes(out->ptr + start, out->len - start);
        if (state.len > VES_STATE_MAX)
            status =
                ves_write_fail(&step->write, "the state would be too large");
        else if (depth_of(state) > VES_JSON_DEPTH_MAX)
            status =
                ves_write_fail(&step->write, "the state would nest too deep");
    }
    if (status)
        out->len = start;
    return status;
}

static enum ves_status run(struct ves_fold_step *step,
                           struct ves_rules_at rules, struct ves_bytes state,
                           const struct ves_event *event, struct ves_buf *out)
{
    enum ves_status status = begin(step, rules, event);
    if (status || step->is_unchanged)
        return status;
    status = ves_fold_read_state(step, state);
    if (!status)
        status = apply_rule(step);
    if (!status && !step->is_unchanged)
        status = ves_write_balances(&step->write);
    if (status || step->is_unchanged)
        return status;
    return ves_fold_write_state(step, out);
}

_Static_assert(sizeof(((struct ves_fold_note *)0)->reason) ==
                   sizeof(((struct ves_error *)0)->text),
               "a reason is an error's text");

enum ves_status ves_fold(struct ves_arena *arena, struct ves_rules_at rules,
                         struct ves_bytes state, const struct ves_event *event,
                         struct ves_buf *out, struct ves_fold_note *note)
{
    struct ves_fold_step step = {.write.arena = arena, .operand.arena = arena};
    struct ves_fold_note ignored;
    if (!note)
        note = &ignored;
    memset(note, 0, sizeof(*note));

    enum ves_status status = run(&step, rules, state, event, out);
    if (status == VES_INVALID) {
        note->is_unusable = true;
        memcpy(note->reason, step.write.error.text, sizeof(note->reason));
        status = VES_OK;
        step.is_unchanged = true;
    }
    if (status || !step.is_unchanged)
        return status;
    ves_buf_put_bytes(out, state);
    return ves_buf_status(out);
}
