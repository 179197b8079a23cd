/* judge_subject.c -- what an event says to the judge.
 *
 * semantics.md decisions 3, 5 and 10: an event without causal context counts
 * as having seen everything before it, and is the whole entity to others.
 */
#include "base/bytes.h"
#include "base/text.h"
#include "core/effect_read.h"
#include "core/entity.h"
#include "core/judge.h"
#include "core/rules.h"

static bool read_hash(const struct ves_json *object, const char *name,
                      struct ves_hash *out)
{
    struct ves_bytes text;

    if (!ves_json_get_string(object, name, &text))
        return false;
    if (!ves_hex_decode(text, out->b, VES_HASH_SIZE))
        return true;
    memset(out, 0, sizeof(*out));
    return false;
}

static enum ves_winner read_winner(const struct ves_json *payload)
{
    struct ves_bytes word = {NULL, 0};

    if (!ves_json_is_absent(ves_json_member(payload, "supersedes")))
        return VES_WINNER_UNDO;
    (void)ves_json_get_string(payload, "winner", &word);
    if (ves_bytes_is(word, "branch"))
        return VES_WINNER_BRANCH;
    if (ves_bytes_is(word, "applied"))
        return VES_WINNER_APPLIED;
    return ves_bytes_is(word, "merge") ? VES_WINNER_MERGE : VES_WINNER_NONE;
}

/* The branch events among the inputs, in their order. */
static enum ves_status read_inputs(struct ves_arena *arena,
                                   const struct ves_json *inputs,
                                   struct ves_hashes *out)
{
    struct ves_bytes role;

    if (!inputs || inputs->type != VES_JSON_ARRAY)
        return VES_OK;
    out->list = ves_arena_alloc(arena, inputs->count * sizeof(*out->list));
    if (!out->list)
        return VES_NOMEM;
    for (const struct ves_json *i = inputs->first; i; i = i->next) {
        if (ves_json_get_string(i, "role", &role) &&
            ves_bytes_is(role, "branch") &&
            read_hash(i, "hash", &out->list[out->count]))
            out->count++;
    }
    return VES_OK;
}

static enum ves_status read_resolution(struct ves_arena *arena,
                                       const struct ves_event *event,
                                       struct ves_judge_subject *out)
{
    const struct ves_json *payload = event->payload;
    struct ves_resolution *resolution =
        ves_arena_alloc(arena, sizeof(*resolution));

    if (!resolution)
        return VES_NOMEM;
    /* Zeros name no conflict. */
    (void)read_hash(payload, "conflict_id", &resolution->conflict_id);
    resolution->winner = read_winner(payload);
    resolution->has_supersedes =
        read_hash(payload, "supersedes", &resolution->supersedes);
    enum ves_status status = read_inputs(
        arena, ves_json_member(payload, "inputs"), &resolution->inputs);
    if (!status && (resolution->winner == VES_WINNER_BRANCH ||
                    resolution->winner == VES_WINNER_MERGE))
        status = ves_effects_of_result(
            arena, ves_json_member(payload, "result"), &out->effects);
    out->has_effects = true;
    out->is_delta = ves_effects_are_deltas(out->effects);
    out->tombstone = ves_effects_tombstone(out->effects);
    out->resolution = resolution;
    return status;
}

static void read_context(const struct ves_event *event,
                         struct ves_judge_subject *out)
{
    const struct ves_context *context = &event->context;

    out->agent_seq = context->agent_seq;
    out->seen = context->seen;
    if (context->has_cmd)
        out->group_count = context->cmd_count;
    out->has_base_head = context->has_base_head;
    out->base_head = context->base_head;
    out->deps = (struct ves_ids){context->deps, context->dep_count};
}

/* Others do not say which rule they follow, and what they encrypt nobody may
 * judge by: to later events they are the whole entity. */
static enum ves_status whole_entity(struct ves_arena *arena,
                                    struct ves_judge_subject *out)
{
    struct ves_effect *effect = ves_arena_alloc(arena, sizeof(*effect));

    if (!effect)
        return VES_NOMEM;
    effect->path = ves_bytes_str(VES_PATH_WHOLE);
    effect->op = VES_OP_SET;
    effect->value = out->hash;
    out->effects = (struct ves_effects){effect, 1};
    out->has_effects = true;
    return VES_OK;
}

/* What can be said of a type's effects without spelling them out. */
static void read_shape(const struct ves_event_type *type,
                       struct ves_judge_subject *out)
{
    out->is_delta = true;
    for (const struct ves_operation *o = type->operations;
         o->source != VES_SOURCE_END; o++) {
        /* A path with a name in it may grow beyond bounds, and then the
         * footprint is the whole entity. */
        bool is_one_delta =
            o->op == VES_OP_DELTA && o->source != VES_SOURCE_FILL &&
            o->source != VES_SOURCE_PATCH && !strchr(o->path, '{');
        if (o->op != VES_OP_DEFAULT && !is_one_delta)
            out->is_delta = false;
        if (o->op == VES_OP_DELETE)
            out->tombstone = 1;
        else if (o->op == VES_OP_RESTORE)
            out->tombstone = -1;
    }
}

static bool is_delete(const struct ves_event_type *type)
{
    return type->operations->source != VES_SOURCE_END &&
           type->operations->op == VES_OP_DELETE;
}

static enum ves_status read_rule(struct ves_arena *arena,
                                 const struct ves_event *event,
                                 const struct ves_event_type *type,
                                 struct ves_judge_subject *out)
{
    const struct ves_json *payload = event->payload;

    out->is_fact = ves_event_is_fact(type, payload);
    out->needs_base = !out->is_fact && type->base == VES_BASE_REQUIRED;
    if (!payload || payload->type != VES_JSON_OBJECT)
        return whole_entity(arena, out);
    /* Only intents are judged by what they refer to. */
    enum ves_status status = VES_OK;
    if (!out->is_fact)
        status = ves_references_of_payload(arena, type, payload,
                                           &out->refs.list, &out->refs.count);
    /* A delete stays one, or it would leave no tombstone. */
    if (!status && !out->has_context && !is_delete(type))
        return whole_entity(arena, out);
    read_shape(type, out);
    return status;
}

enum ves_status ves_judge_subject_effects(struct ves_arena *arena,
                                          struct ves_rules_at rules,
                                          const struct ves_event *event,
                                          struct ves_effects *out)
{
    const struct ves_event_type *type = ves_event_rule(rules, event, NULL);

    *out = (struct ves_effects){NULL, 0};
    if (!type || !event->payload)
        return VES_OK;
    return ves_effects_of_payload(arena, type, event->payload, &event->event_id,
                                  out);
}

void ves_judge_subject_place(struct ves_judge_subject *subject,
                             uint64_t sequence, const struct ves_event *event)
{
    subject->sequence = sequence;
    if (!subject->has_context)
        subject->seen = sequence - 1;
    if (subject->group_count > 0)
        subject->first_of_group = sequence - event->context.cmd_index;
}

enum ves_status ves_judge_subject_read(struct ves_arena *arena,
                                       struct ves_rules_at rules,
                                       const struct ves_event *event,
                                       struct ves_judge_subject *out)
{
    const struct ves_event_type *type;

    memset(out, 0, sizeof(*out));
    out->stream = event->stream;
    out->hash = event->event_hash;
    out->event_id = event->event_id;
    out->agent = event->agent;
    out->has_context = event->context.is_present;
    out->has_base = event->has_base_version;
    out->base_version = event->base_version;
    ves_entity_key(event->entity_type, event->entity_id, &out->entity_key);
    if (out->has_context)
        read_context(event, out);
    if (out->has_context && event->payload &&
        ves_bytes_is(event->event_type, VES_TYPE_RESOLVED))
        return read_resolution(arena, event, out);
    type = ves_event_rule(rules, event, &out->is_unknown);
    out->is_carried = !type;
    if (!out->is_carried)
        return read_rule(arena, event, type, out);
    out->has_effects = true;
    out->is_delta = true;
    return VES_OK;
}
