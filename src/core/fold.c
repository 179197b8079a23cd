/* fold.c -- entity state from events, deterministically. */
#include "core/fold.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "core/fold_rules.h"
#include "core/quantity.h"
#include "core/types.h"
#include "json/jcs.h"
#include "json/number.h"

_Static_assert((int)VES_FOLD_VERSION == 1, "the rules below are version 1");

/* ---- what the rules share ----------------------------------------------- */

enum ves_status ves_fold_unusable(struct ves_fold_step *step,
                                  const char *reason)
{
    step->reason = reason;
    return VES_INVALID;
}

static enum ves_status merge(struct ves_fold_step *step,
                             const struct ves_json *overlay,
                             enum ves_tree_mode mode)
{
    if (!overlay)
        return VES_NOMEM;
    const struct ves_json *state =
        ves_tree_merge(step->arena, step->state, overlay, mode);
    if (!state)
        return VES_NOMEM;
    step->state = state;
    return VES_OK;
}

enum ves_status ves_fold_set(struct ves_fold_step *step, const char *name,
                             const struct ves_json *value)
{
    if (!value)
        return VES_NOMEM;
    return merge(step, ves_tree_single(step->arena, ves_bytes_str(name), value),
                 VES_TREE_REPLACE);
}

enum ves_status ves_fold_set_text(struct ves_fold_step *step, const char *name,
                                  const char *text)
{
    return ves_fold_set(step, name,
                        ves_tree_string(step->arena, ves_bytes_str(text)));
}

enum ves_status ves_fold_fill(struct ves_fold_step *step,
                              const struct ves_json *object)
{
    return merge(step, object, VES_TREE_KEEP);
}

const struct ves_json *ves_fold_map(const struct ves_fold_step *step,
                                    const char *name)
{
    const struct ves_json *map = ves_json_member(step->state, name);
    return map && map->type == VES_JSON_OBJECT ? map : NULL;
}

enum ves_status ves_fold_map_put(struct ves_fold_step *step, const char *name,
                                 struct ves_bytes key,
                                 const struct ves_json *entry)
{
    const struct ves_json *single = ves_tree_single(step->arena, key, entry);
    if (!single)
        return VES_NOMEM;
    return ves_fold_set(step, name,
                        ves_tree_merge(step->arena, ves_fold_map(step, name),
                                       single, VES_TREE_REPLACE));
}

bool ves_fold_has_id(const struct ves_fold_step *step, const char *name)
{
    const struct ves_json *node = ves_json_member(step->payload, name);
    int64_t number;
    return node &&
           (node->type == VES_JSON_STRING || ves_minor_read(node, &number));
}

struct ves_bytes ves_fold_id(struct ves_fold_step *step, const char *name)
{
    const struct ves_json *node = ves_json_member(step->payload, name);
    struct ves_bytes copy = {NULL, 0};
    char text[VES_UUID_TEXT + 1];
    size_t len = VES_UUID_TEXT;

    _Static_assert((int)VES_UUID_TEXT >= (int)VES_NUMBER_TEXT, "text fits");
    if (!ves_fold_has_id(step, name)) {
        ves_uuid_format(&step->event->event_id, text);
    } else if (node->type == VES_JSON_STRING) {
        /* An empty text has no bytes of its own perhaps. */
        return node->string.len ? node->string : ves_bytes("", 0);
    } else {
        len = ves_number_format(node->number, text);
    }
    if (ves_arena_copy(step->arena, ves_bytes(text, len), &copy))
        copy = ves_bytes(NULL, 0);
    return copy;
}

/* ---- one step ----------------------------------------------------------- */

static const struct {
    const char *event_type;
    enum ves_status (*fold)(struct ves_fold_step *step);
} rules[] = {
    {"order.created", ves_fold_created},
    {"order.updated", ves_fold_updated},
    {"order.shipped", ves_fold_order_shipped},
    {"order.cancelled", ves_fold_order_cancelled},
    {"inventory.adjusted", ves_fold_inventory_adjusted},
    {"inventory.reserved", ves_fold_inventory_reserved},
    {"inventory.released", ves_fold_inventory_released},
    {"customer.created", ves_fold_created},
    {"customer.updated", ves_fold_updated},
    {"payment.created", ves_fold_created},
    {"payment.completed", ves_fold_payment_completed},
    {"payment.refunded", ves_fold_payment_refunded},
    {"return.created", ves_fold_return_created},
    {"return.approved", ves_fold_return_approved},
    {"return.rejected", ves_fold_return_rejected},
};

static enum ves_status apply_rule(struct ves_fold_step *step)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (ves_bytes_is(step->event->event_type, rules[i].event_type))
            return rules[i].fold(step);
    }
    /* types.c lists a type that has no rule here. */
    ves_panic("a built-in type without a fold rule", __FILE__, __LINE__);
}

static enum ves_status read_state(struct ves_fold_step *step,
                                  struct ves_bytes state)
{
    const struct ves_json_options options = {.depth_max = VES_JSON_DEPTH_MAX};
    if (state.len == 0)
        state = ves_bytes_str("{}");
    enum ves_status status =
        ves_json_read(step->arena, state, &options, &step->state, NULL);
    if (status == VES_MALFORMED ||
        (!status && step->state->type != VES_JSON_OBJECT))
        return VES_CORRUPT;
    return status;
}

/* Everything that decides whether the event touches the state at all. */
static enum ves_status begin(struct ves_fold_step *step)
{
    const struct ves_event *event = step->event;
    const struct ves_event_type *type = ves_event_type_find(event->event_type);
    /* Without causal context nobody named a version: the newest counts. */
    uint32_t version = event->context.is_present ? event->context.schema_version
                                                 : (type ? type->version : 0);

    step->is_unchanged =
        !type || version == 0 || event->payload_kind != VES_PAYLOAD_PLAIN;
    if (step->is_unchanged)
        return VES_OK;
    if (version > type->version)
        return ves_fold_unusable(step, "the rule version in _ves.schema is not "
                                       "known here");
    if (!event->payload || event->payload->type != VES_JSON_OBJECT)
        return ves_fold_unusable(step, "the payload is not an object");
    step->payload = ves_tree_without(step->arena, event->payload, "_ves");
    return step->payload ? VES_OK : VES_NOMEM;
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
static enum ves_status write_state(struct ves_fold_step *step,
                                   struct ves_buf *out)
{
    size_t start = out->len;
    enum ves_status status = ves_jcs_write(out, step->arena, step->state);
    if (!status)
        status = ves_buf_status(out);
    if (!status) {
        struct ves_bytes state = ves_bytes(out->ptr + start, out->len - start);
        if (state.len > VES_STATE_MAX)
            status = ves_fold_unusable(step, "the state would be too large");
        else if (depth_of(state) > VES_JSON_DEPTH_MAX)
            status = ves_fold_unusable(step, "the state would nest too deep");
    }
    if (status)
        out->len = start;
    return status;
}

static enum ves_status run(struct ves_fold_step *step, struct ves_bytes state,
                           struct ves_buf *out)
{
    enum ves_status status = begin(step);
    if (status || step->is_unchanged)
        return status;
    status = read_state(step, state);
    if (!status)
        status = apply_rule(step);
    if (status || step->is_unchanged)
        return status;
    return write_state(step, out);
}

enum ves_status ves_fold(struct ves_arena *arena, struct ves_bytes state,
                         const struct ves_event *event, struct ves_buf *out,
                         struct ves_fold_note *note)
{
    struct ves_fold_step step = {.arena = arena, .event = event};
    struct ves_fold_note ignored;
    if (!note)
        note = &ignored;
    memset(note, 0, sizeof(*note));

    enum ves_status status = run(&step, state, out);
    if (step.reason) {
        size_t len = strlen(step.reason);
        VES_ASSERT(status == VES_INVALID && len < sizeof(note->reason));
        note->is_unusable = true;
        memcpy(note->reason, step.reason, len);
        status = VES_OK;
        step.is_unchanged = true;
    }
    if (status || !step.is_unchanged)
        return status;
    ves_buf_put_bytes(out, state);
    return ves_buf_status(out);
}
