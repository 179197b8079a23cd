/* agent_conflict.c -- one conflict gathered from a store.
 *
 * Everything is read again from the log: who is in it, what both sides began
 * with, what they wrote, what was decided.  The entity's events are few, as a
 * rule, and a person is about to look at them.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "core/effect_read.h"
#include "core/entity.h"
#include "core/fold.h"
#include "core/fold_ops.h"
#include "core/rules.h"
#include "core/types.h"
#include "crypto/crypto.h"
#include "engine/agent_internal.h"
#include "engine/conflict.h"
#include "engine/folding.h"
#include "json/jcs.h"

enum { STATE_MAX = 64 * 1024 * 1024 };

/* An event of the entity. */
struct entry {
    struct ves_core_member member;
    uint64_t applied_at, version, agent_seq;
    bool names_this;                    /* a resolution of this conflict */
    struct ves_bytes opposite, effects; /* as stored, "" for none */
};

struct gather {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_core_conflict *out;
    struct ves_entity_row entity;
    struct entry *entries; /* newest first */
    size_t count;
    bool is_cut; /* the entity has more */
    /* members by sequence, as the store lists them */
    struct ves_conflict_member *members;
    size_t member_count, member_room;
    /* the row just read */
    struct ves_log_row *row;
    uint64_t prev;
};

/* ---- reading rows -------------------------------------------------------- */

static enum ves_status read_event(struct gather *gather,
                                  struct ves_bytes envelope, bool is_open,
                                  struct ves_event *event)
{
    struct ves_refusal refusal;
    uint8_t *text = ves_arena_bytes(gather->arena, envelope.len + 1);

    if (!text)
        return VES_NOMEM;
    memcpy(text, envelope.ptr, envelope.len);
    text[envelope.len] = '}';
    enum ves_status status = ves_event_read(
        gather->arena, ves_bytes(text, envelope.len + (is_open ? 1 : 0)), event,
        &refusal);
    if (!status)
        status = ves_event_check_logged(gather->arena, event, &refusal);
    if (status == VES_REFUSED)
        return ves_fail(&gather->core->error, VES_CORRUPT,
                        "an event in the store is not readable any more: %s; "
                        "nothing was changed; restore a backup, or set up a "
                        "new store with an invitation (`ves doctor` says what "
                        "is damaged)",
                        refusal.message);
    return status;
}

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct gather *gather = ctx;
    struct entry *entry = &gather->entries[gather->count];
    struct ves_core_member *member = &entry->member;

    memset(entry, 0, sizeof(*entry));
    gather->prev = row->entity_prev;
    member->sequence_number = row->sequence_number;
    member->event_id = row->event_id;
    member->hash = row->event_hash;
    member->agent = row->agent;
    member->verdict = row->verdict;
    member->is_fact = row->is_fact;
    member->sequenced_at_ms = row->sequenced_at_ms;
    member->has_event = row->envelope.len > 0;
    entry->applied_at = row->applied_at;
    entry->version = row->version;
    entry->agent_seq = row->agent_seq;
    enum ves_status status =
        ves_arena_copy(gather->arena, row->sub_code, &member->sub_code);
    if (!status)
        status = ves_arena_copy(gather->arena, row->opposite, &entry->opposite);
    if (!status)
        status = ves_arena_copy(gather->arena, row->effects, &entry->effects);
    if (!status && member->has_event)
        status = read_event(gather, row->envelope, true, &member->event);
    if (status)
        return status;
    if (member->has_event && member->event.payload &&
        ves_bytes_is(member->event.event_type, VES_TYPE_RESOLVED)) {
        struct ves_decision_read read;
        ves_decision_read(member->event.payload, &read);
        entry->names_this =
            read.has_conflict_id &&
            ves_hash_equal(&read.conflict_id, &gather->out->row.id);
    }
    gather->count++;
    return VES_OK;
}

/* All events of the entity, newest first, along its chain. */
static enum ves_status read_entity(struct gather *gather)
{
    struct ves_agent_core *core = gather->core;
    const struct ves_entity_name name = {.key = gather->out->row.entity_key};

    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, &name, 1, gather->arena, &gather->entity);
    if (status)
        return status;
    gather->entity.key = name.key;
    size_t room = gather->entity.count < VES_CONFLICT_EVENTS_MAX
                      ? (size_t)gather->entity.count
                      : VES_CONFLICT_EVENTS_MAX;
    gather->is_cut = gather->entity.count > VES_CONFLICT_EVENTS_MAX;
    gather->entries =
        ves_arena_alloc(gather->arena, room * sizeof(*gather->entries));
    if (!gather->entries)
        return VES_NOMEM;
    for (uint64_t at = gather->entity.last; at > 0 && gather->count < room;
         at = gather->prev) {
        status = core->store->ops->log_read(core->store, core->stream_no, at, 1,
                                            take_row, gather);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status take_member(void *ctx,
                                   const struct ves_conflict_member *member)
{
    struct gather *gather = ctx;

    if (gather->member_count == gather->member_room) {
        size_t room = gather->member_room ? gather->member_room * 2 : 16;
        struct ves_conflict_member *list =
            ves_arena_alloc(gather->arena, room * sizeof(*list));
        if (!list)
            return VES_NOMEM;
        if (gather->member_count > 0)
            memcpy(list, gather->members, gather->member_count * sizeof(*list));
        gather->members = list;
        gather->member_room = room;
    }
    gather->members[gather->member_count++] = *member;
    return VES_OK;
}

/* ---- sides --------------------------------------------------------------- */

static struct entry *find_entry(struct gather *gather, uint64_t sequence)
{
    for (size_t i = 0; i < gather->count; i++) {
        if (gather->entries[i].member.sequence_number == sequence)
            return &gather->entries[i];
    }
    return NULL;
}

static enum ves_status open_list(struct gather *gather,
                                 struct ves_core_members *members, size_t room)
{
    members->count = 0;
    members->list =
        ves_arena_alloc(gather->arena, room * sizeof(*members->list));
    return members->list ? VES_OK : VES_NOMEM;
}

/* A member outside what was read: a deleted reference is of another entity,
 * and an entity may have more events than are read. */
static enum ves_status read_member(struct gather *gather, uint64_t sequence,
                                   struct ves_core_member *out)
{
    struct gather one = *gather;
    struct entry entry;

    one.entries = &entry;
    one.count = 0;
    enum ves_status status = gather->core->store->ops->log_read(
        gather->core->store, gather->core->stream_no, sequence, 1, take_row,
        &one);
    if (!status && one.count == 0)
        status = VES_CORRUPT;
    if (!status)
        *out = entry.member;
    return status;
}

static enum ves_status fill_sides(struct gather *gather)
{
    struct ves_core_conflict *out = gather->out;

    enum ves_status status = gather->core->store->ops->member_list(
        gather->core->store, gather->core->stream_no, &out->row.id, take_member,
        gather);
    if (!status)
        status = open_list(gather, &out->branch, gather->member_count);
    if (!status)
        status = open_list(gather, &out->applied, gather->member_count);
    for (size_t i = 0; i < gather->member_count && !status; i++) {
        const struct ves_conflict_member *member = &gather->members[i];
        struct ves_core_members *side =
            member->side == VES_SIDE_BRANCH ? &out->branch : &out->applied;
        const struct entry *entry = find_entry(gather, member->sequence_number);
        if (entry)
            side->list[side->count++] = entry->member;
        else
            status = read_member(gather, member->sequence_number,
                                 &side->list[side->count++]);
    }
    if (!status && out->branch.count == 0)
        return ves_fail(&gather->core->error, VES_CORRUPT,
                        "a conflict has no branch; `ves doctor` says more");
    return status;
}

/* The number by which its rules are looked up. */
static uint64_t number_of(const struct ves_core_member *member)
{
    return member->sequence_number > 0 ? member->sequence_number
                                       : VES_SEQUENCE_NEXT;
}

/* What an event says it does. */
static enum ves_status effects_of(struct gather *gather,
                                  const struct ves_core_member *member,
                                  struct ves_effects *out)
{
    struct ves_judge_subject subject;

    *out = (struct ves_effects){NULL, 0};
    if (!member->has_event || !member->event.payload)
        return VES_OK;
    struct ves_rules_at rules;
    enum ves_status status = ves_rules_log_at(
        gather->out->rules, &member->event, number_of(member), &rules);
    if (!status)
        status = ves_judge_subject_read(gather->arena, rules, &member->event,
                                        &subject);
    if (!status && !subject.has_effects)
        return ves_judge_subject_effects(gather->arena, rules, &member->event,
                                         out);
    *out = subject.effects;
    return status;
}

/* What an applied event did: an undo's effects are not in it. */
static enum ves_status applied_effects(struct gather *gather,
                                       const struct entry *entry,
                                       struct ves_effects *out)
{
    if (entry->effects.len > 0)
        return ves_effects_read(gather->arena, entry->effects, out);
    return effects_of(gather, &entry->member, out);
}

static bool commutes_with_branch(const struct ves_effects *branch, size_t count,
                                 struct ves_effects effects)
{
    for (size_t i = 0; i < count; i++) {
        if (!ves_commutes(branch[i], effects))
            return false;
    }
    return true;
}

static bool is_in(const struct ves_core_members *members, uint64_t sequence)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->list[i].sequence_number == sequence)
            return true;
    }
    return false;
}

/* What was applied since on the same place, and every decision. */
static enum ves_status fill_later(struct gather *gather)
{
    struct ves_core_conflict *out = gather->out;
    struct ves_effects *branch =
        ves_arena_alloc(gather->arena, out->branch.count * sizeof(*branch));
    enum ves_status status = branch ? VES_OK : VES_NOMEM;

    for (size_t i = 0; i < out->branch.count && !status; i++)
        status = effects_of(gather, &out->branch.list[i], &branch[i]);
    if (!status)
        status = open_list(gather, &out->later, gather->count);
    if (!status)
        status = open_list(gather, &out->decisions, gather->count);
    for (size_t i = gather->count; i > 0 && !status; i--) {
        const struct entry *entry = &gather->entries[i - 1];
        struct ves_effects effects;
        if (entry->names_this) {
            struct ves_decision_read read;
            ves_decision_read(entry->member.event.payload, &read);
            out->was_undone |= read.has_supersedes &&
                               entry->member.verdict == VES_VERDICT_APPLIED;
            out->decisions.list[out->decisions.count++] = entry->member;
            continue;
        }
        if (entry->member.verdict != VES_VERDICT_APPLIED ||
            entry->applied_at <= out->row.opened ||
            is_in(&out->applied, entry->member.sequence_number))
            continue;
        status = applied_effects(gather, entry, &effects);
        if (!status &&
            !commutes_with_branch(branch, out->branch.count, effects))
            out->later.list[out->later.count++] = entry->member;
    }
    return status;
}

/* ---- what the sides began with ------------------------------------------- */

/* Did the author of the branch's first event know it when it wrote? */
static bool is_past(const struct gather *gather, const struct entry *entry)
{
    const struct ves_core_member *first = &gather->out->branch.list[0];
    const struct ves_context *context = &first->event.context;
    uint64_t seen =
        context->is_present ? context->seen : first->sequence_number - 1;

    if (entry->member.verdict != VES_VERDICT_APPLIED)
        return false;
    if (entry->applied_at <= seen)
        return true;
    return context->is_present &&
           ves_uuid_equal(&entry->member.agent, &first->agent) &&
           entry->agent_seq > 0 && entry->agent_seq < context->agent_seq &&
           entry->member.sequence_number < first->sequence_number;
}

static enum ves_status replay_one(struct gather *gather,
                                  struct ves_folding *folding,
                                  struct ves_arena *scratch,
                                  const struct ves_core_member *member)
{
    struct ves_rules_at rules;

    enum ves_status status = ves_rules_log_at(
        gather->out->rules, &member->event, number_of(member), &rules);
    return status ? status
                  : ves_folding_step(folding, scratch, rules, &member->event);
}

/* Applied events by version - 1; NULL where one was not gathered. */
static enum ves_status by_version(struct gather *gather,
                                  const struct entry ***out)
{
    uint64_t last = gather->entity.version;

    *out = ves_arena_alloc(gather->arena,
                           ((size_t)last + 1) * sizeof(struct entry *));
    if (!*out)
        return VES_NOMEM;
    for (size_t i = 0; i < gather->count; i++) {
        const struct entry *entry = &gather->entries[i];
        if (entry->version > 0 && entry->version <= last)
            (*out)[entry->version - 1] = entry;
    }
    return VES_OK;
}

/* The past, in the order it was applied in. */
static enum ves_status replay_past(struct gather *gather,
                                   struct ves_folding *folding, bool *is_known)
{
    const struct entry **list;
    struct ves_arena scratch;

    *is_known = !gather->is_cut && gather->out->branch.list[0].has_event;
    if (!*is_known)
        return VES_OK;
    enum ves_status status = by_version(gather, &list);
    ves_arena_init(&scratch, gather->core->alloc, VES_DEVICE_ARENA_MAX);
    for (uint64_t version = 1;
         version <= gather->entity.version && !status && *is_known; version++) {
        const struct entry *entry = list[version - 1];
        if (!entry || !is_past(gather, entry))
            continue;
        *is_known = entry->member.has_event;
        ves_arena_reset(&scratch);
        if (*is_known)
            status = replay_one(gather, folding, &scratch, &entry->member);
    }
    ves_arena_free(&scratch);
    return status;
}

static enum ves_status parse_state(struct gather *gather, struct ves_bytes text,
                                   const struct ves_json **out)
{
    struct ves_bytes copy;

    if (text.len == 0)
        text = ves_bytes_str("{}");
    enum ves_status status = ves_arena_copy(gather->arena, text, &copy);
    if (!status)
        status = ves_json_read(gather->arena, copy, NULL, out, NULL);
    return status == VES_MALFORMED ? VES_CORRUPT : status;
}

static enum ves_status fill_base(struct gather *gather)
{
    struct ves_folding folding;
    bool is_known;

    ves_folding_open(&folding, gather->core->alloc, gather->arena);
    enum ves_status status = replay_past(gather, &folding, &is_known);
    if (!status && is_known)
        status = parse_state(gather, ves_buf_view(&folding.state),
                             &gather->out->of.base);
    ves_folding_close(&folding);
    return status;
}

/* ---- own events without a number ----------------------------------------- */

static enum ves_status visit_own(void *ctx, const struct ves_outbox_row *row)
{
    struct gather *gather = ctx;
    struct ves_core_conflict *out = gather->out;
    struct ves_decision_read read;
    struct ves_event event;
    struct ves_bytes copy;

    if (row->envelope.len == 0)
        return VES_OK;
    enum ves_status status =
        ves_arena_copy(gather->arena, row->envelope, &copy);
    if (!status)
        status = read_event(gather, copy, false, &event);
    if (status || !event.payload)
        return status;
    if (!ves_bytes_is(event.event_type, VES_TYPE_RESOLVED)) {
        out->has_pending_edit |=
            out->is_own && event.context.seen < out->row.opened;
        return VES_OK;
    }
    ves_decision_read(event.payload, &read);
    if (read.has_conflict_id &&
        ves_hash_equal(&read.conflict_id, &out->row.id)) {
        out->has_pending = true;
        out->pending_id = event.event_id;
        out->pending = read;
    }
    return VES_OK;
}

/* ---- the case ------------------------------------------------------------ */

/* NULL: it has no rule, or its body is gone. */
static enum ves_status find_type(struct gather *gather,
                                 const struct ves_core_member *member,
                                 const struct ves_event_type **out)
{
    struct ves_rules_at rules;

    *out = NULL;
    if (!member->has_event)
        return VES_OK;
    enum ves_status status = ves_rules_log_at(
        gather->out->rules, &member->event, number_of(member), &rules);
    if (!status)
        *out = ves_event_rule(rules, &member->event, NULL);
    return status;
}

/* What an event does, as operations. */
static enum ves_status branch_ops(struct gather *gather,
                                  const struct ves_core_member *member,
                                  struct ves_case_event *out)
{
    const struct ves_event *event = &member->event;
    const struct ves_event_type *type;
    struct ves_buf buf;
    struct ves_bytes text;

    enum ves_status status = find_type(gather, member, &type);
    if (status)
        return status;
    out->ops_reason = "what it does cannot be said without the state it was "
                      "done to";
    if (!type || !event->payload)
        return VES_OK;
    ves_buf_init(&buf, gather->core->alloc, STATE_MAX);
    status = ves_operations_write(gather->arena, type, event->payload,
                                  &event->event_id, &buf);
    if (!status)
        status = ves_arena_copy(gather->arena, ves_buf_view(&buf), &text);
    ves_buf_free(&buf);
    if (status)
        return status == VES_INVALID ? VES_OK : status;
    status = ves_json_read(gather->arena, text, NULL, &out->ops, NULL);
    return status == VES_MALFORMED ? VES_CORRUPT : status;
}

static enum ves_status case_events(struct gather *gather,
                                   const struct ves_core_members *members,
                                   bool is_branch,
                                   const struct ves_case_event **out)
{
    struct ves_case_event *list =
        ves_arena_alloc(gather->arena, members->count * sizeof(*list));

    *out = list;
    if (!list)
        return VES_NOMEM;
    for (size_t i = 0; i < members->count; i++) {
        const struct ves_core_member *member = &members->list[i];
        list[i].event_id = member->event_id;
        list[i].hash = member->hash;
        list[i].ops_reason = "the body of an event is no longer kept here";
        if (!is_branch || !member->has_event)
            continue;
        enum ves_status status = branch_ops(gather, member, &list[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

/* The function of the types on both sides. */
static enum ves_status case_function(struct gather *gather)
{
    const struct ves_core_members *sides[2] = {&gather->out->branch,
                                               &gather->out->applied};
    const char **names = ves_arena_alloc(
        gather->arena, (sides[0]->count + sides[1]->count) * sizeof(*names));
    size_t count = 0;

    if (!names)
        return VES_NOMEM;
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < sides[s]->count; i++) {
            const struct ves_event_type *type;
            enum ves_status status =
                find_type(gather, &sides[s]->list[i], &type);
            if (status)
                return status;
            if (type)
                names[count++] = type->merge;
        }
    }
    gather->out->of.function = ves_case_function(names, count);
    return VES_OK;
}

static enum ves_status fill_case(struct gather *gather)
{
    struct ves_core_conflict *out = gather->out;
    struct ves_case *of = &out->of;
    const struct ves_entity_row *entity = &gather->entity;

    of->conflict_id = out->row.id;
    of->entity_type = out->entity_type;
    of->rules = (struct ves_rules_at){ves_rules_log_newest(out->rules),
                                      VES_SEQUENCE_NEXT};
    of->kind = (enum ves_conflict_kind)out->row.kind;
    of->branch_count = out->branch.count;
    of->applied_count = out->applied.count;
    of->has_branch_fact = out->row.has_branch_fact;
    of->has_applied_fact = out->row.has_applied_fact;
    of->is_deleted = entity->tombstone > 0;
    of->version = entity->version + entity->own_count;
    of->has_head = of->version > 0;
    of->head = entity->own_count > 0 ? entity->own_head : entity->head;
    enum ves_status status =
        case_events(gather, &out->branch, true, &of->branch);
    if (!status)
        status = case_events(gather, &out->applied, false, &of->applied);
    if (!status)
        status = case_function(gather);
    if (!status)
        status = parse_state(gather, out->local_state, &of->state);
    return status ? status : fill_base(gather);
}

static void fill_version(struct gather *gather)
{
    const struct ves_core_conflict *out = gather->out;
    const struct ves_core_members *later = &out->later;
    uint8_t numbers[4][8];
    struct ves_bytes parts[4 + 4];
    size_t n = 0;

    ves_store_u64(numbers[0], out->row.branch_count);
    ves_store_u64(
        numbers[1],
        later->count > 0 ? later->list[later->count - 1].sequence_number : 0);
    ves_store_u64(numbers[2], out->row.closed);
    ves_store_u64(numbers[3], gather->entity.tombstone);
    parts[n++] = ves_bytes_str("VES_CONFLICT_VIEW_V1");
    parts[n++] = ves_bytes(out->row.id.b, VES_HASH_SIZE);
    parts[n++] = ves_bytes(out->row.branch_digest.b, VES_HASH_SIZE);
    for (size_t i = 0; i < 4; i++)
        parts[n++] = ves_bytes(numbers[i], sizeof(numbers[i]));
    ves_sha256(parts, n, &gather->out->version);
}

static enum ves_status fill_entity(struct gather *gather)
{
    struct ves_core_conflict *out = gather->out;
    struct ves_core_entity view;

    out->entity_type = gather->entity.entity_type;
    out->entity_id = gather->entity.entity_id;
    enum ves_status status = ves_core_entity(
        gather->core, out->entity_type, out->entity_id, gather->arena, &view);
    out->state = view.state;
    out->local_state = view.local_state;
    out->is_own =
        ves_uuid_equal(&out->branch.list[0].agent, &gather->core->agent);
    if (!status && gather->entity.own_count > 0)
        status = gather->core->store->ops->outbox_overlay(
            gather->core->store, gather->entity.own_last,
            gather->entity.own_count, visit_own, gather);
    return status;
}

static enum ves_status gather_all(struct gather *gather)
{
    struct ves_core_conflict *out = gather->out;

    enum ves_status status = read_entity(gather);
    if (!status)
        status = fill_sides(gather);
    if (!status)
        status = fill_later(gather);
    if (!status)
        status = fill_entity(gather);
    if (!status)
        status = fill_case(gather);
    if (status)
        return status;
    fill_version(gather);
    status = ves_case_merge(gather->arena, &out->of, &out->merge, &out->merged);
    out->has_merge = status == VES_OK;
    return status == VES_INVALID ? VES_OK : status;
}

enum ves_status ves_core_conflict(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  const struct ves_hash *id,
                                  struct ves_core_conflict *out)
{
    struct gather gather = {.core = core, .arena = arena, .out = out};

    memset(out, 0, sizeof(*out));
    core->error.status = VES_OK;
    enum ves_status status = core->store->ops->conflict_get(
        core->store, core->stream_no, id, 1, arena, &out->row);
    if (!status && !out->row.is_found)
        return VES_NOT_FOUND;
    out->row.id = *id;
    if (!status)
        status = ves_rules_log_make(arena, core->store, core->stream_no,
                                    &core->owner_key, &out->rules);
    if (!status)
        status = gather_all(&gather);
    return ves_device_say(core, status);
}

struct since {
    struct gather *gather;
    struct ves_effects effects;
    struct ves_core_members *out;
};

/* Own ones will be in the log before what is decided now. */
static enum ves_status visit_own_since(void *ctx,
                                       const struct ves_outbox_row *row)
{
    struct since *since = ctx;
    struct ves_core_member *member = &since->out->list[since->out->count];
    struct gather *gather = since->gather;
    struct ves_effects theirs;
    struct ves_bytes copy;

    if (row->envelope.len == 0)
        return VES_OK;
    memset(member, 0, sizeof(*member));
    enum ves_status status =
        ves_arena_copy(gather->arena, row->envelope, &copy);
    if (!status)
        status = read_event(gather, copy, false, &member->event);
    if (status)
        return status;
    member->has_event = true;
    member->event_id = member->event.event_id;
    member->hash = member->event.event_hash;
    member->agent = member->event.agent;
    status = effects_of(gather, member, &theirs);
    if (!status && !ves_commutes(theirs, since->effects))
        since->out->count++;
    return status;
}

static enum ves_status since(struct gather *gather, struct ves_effects effects,
                             struct ves_core_members *out)
{
    const struct ves_entity_row *entity = &gather->entity;
    struct since own = {gather, effects, out};
    uint64_t closed = gather->out->row.closed;
    const struct entry *resolution;

    enum ves_status status = read_entity(gather);
    if (!status)
        status =
            open_list(gather, out, gather->count + (size_t)entity->own_count);
    resolution = find_entry(gather, closed);
    for (size_t i = gather->count; i > 0 && !status; i--) {
        const struct entry *entry = &gather->entries[i - 1];
        struct ves_effects theirs;
        if (entry->member.verdict != VES_VERDICT_APPLIED || !resolution ||
            entry->version <= resolution->version)
            continue;
        status = applied_effects(gather, entry, &theirs);
        if (!status && !ves_commutes(theirs, effects))
            out->list[out->count++] = entry->member;
    }
    if (!status && entity->own_count > 0)
        status = gather->core->store->ops->outbox_overlay(
            gather->core->store, entity->own_last, entity->own_count,
            visit_own_since, &own);
    return status;
}

enum ves_status
ves_core_conflict_settles(struct ves_agent_core *core, struct ves_arena *arena,
                          const struct ves_core_conflict *conflict,
                          struct ves_effects result, bool *is_settled)
{
    struct ves_core_conflict copy = *conflict;
    struct gather gather = {.core = core, .arena = arena, .out = &copy};
    struct ves_effects fact;

    *is_settled = true;
    enum ves_status status =
        effects_of(&gather, &conflict->branch.list[0], &fact);
    for (size_t i = 0; i < conflict->applied.count && !status; i++) {
        const struct ves_core_member *member = &conflict->applied.list[i];
        struct ves_effects theirs;
        if (!member->is_fact || !member->has_event)
            continue;
        status = effects_of(&gather, member, &theirs);
        *is_settled =
            *is_settled && !status && ves_effects_settle(result, fact, theirs);
    }
    return ves_device_say(core, status);
}

enum ves_status
ves_core_conflict_since(struct ves_agent_core *core, struct ves_arena *arena,
                        const struct ves_core_conflict *conflict,
                        struct ves_effects effects,
                        struct ves_core_members *out)
{
    struct ves_core_conflict copy = *conflict;
    struct gather gather = {.core = core, .arena = arena, .out = &copy};

    return since(&gather, effects, out);
}

const struct ves_core_member *
ves_core_conflict_remote(const struct ves_core_conflict *conflict,
                         bool names_branch)
{
    const struct ves_core_members *side = !names_branch ? &conflict->branch
                                          : conflict->later.count > 0
                                              ? &conflict->later
                                              : &conflict->applied;

    return side->count > 0 ? &side->list[side->count - 1] : NULL;
}
