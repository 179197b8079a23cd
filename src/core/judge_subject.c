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
#include "core/types.h"

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
    out->resolution = resolution;
    return status;
}

static enum ves_status read_context(struct ves_arena *arena,
                                    const struct ves_event *event,
                                    struct ves_judge_subject *out)
{
    const struct ves_context *context = &event->context;

    out->agent_seq = context->agent_seq;
    out->seen = context->seen;
    if (context->has_cmd) {
        out->first_of_group = out->sequence - context->cmd_index;
        out->group_count = context->cmd_count;
    }
    out->has_base_head = context->has_base_head;
    out->base_head = context->base_head;
    out->deps.list =
        ves_arena_alloc(arena, context->dep_count * sizeof(struct ves_hash));
    if (!out->deps.list)
        return VES_NOMEM;
    for (size_t i = 0; i < context->dep_count; i++)
        out->deps.list[i] = context->deps[i].event_hash;
    out->deps.count = context->dep_count;
    return VES_OK;
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
    return VES_OK;
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
    enum ves_status status = ves_references_of_payload(
        arena, type, payload, &out->refs.list, &out->refs.count);
    if (!status)
        status = ves_effects_of_payload(arena, type, payload, &out->effects);
    /* A delete stays one, or it would leave no tombstone. */
    if (!status && !out->has_context && !ves_effects_delete(out->effects))
        status = whole_entity(arena, out);
    return status;
}

enum ves_status ves_judge_subject_read(struct ves_arena *arena,
                                       const struct ves_event *event,
                                       uint64_t sequence,
                                       struct ves_judge_subject *out)
{
    const struct ves_event_type *type = ves_event_type_find(event->event_type);
    enum ves_status status = VES_OK;

    memset(out, 0, sizeof(*out));
    out->stream = event->stream;
    out->sequence = sequence;
    out->hash = event->event_hash;
    out->agent = event->agent;
    out->seen = sequence - 1;
    out->has_context = event->context.is_present;
    out->has_base = event->has_base_version;
    out->base_version = event->base_version;
    ves_entity_key(event->entity_type, event->entity_id, &out->entity_key);
    if (out->has_context)
        status = read_context(arena, event, out);
    if (status)
        return status;
    if (out->has_context && event->payload &&
        ves_bytes_is(event->event_type, VES_TYPE_RESOLVED))
        return read_resolution(arena, event, out);
    uint32_t named = out->has_context ? event->context.schema_version
                                      : (type ? type->version : 0);
    out->is_unknown = named > (type ? type->version : 0);
    out->is_carried = !type || named == 0 || out->is_unknown;
    return out->is_carried ? VES_OK : read_rule(arena, event, type, out);
}
