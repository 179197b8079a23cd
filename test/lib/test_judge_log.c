/* test_judge_log.c -- a log in memory that answers the judge's questions. */
#include "test/lib/test_judge_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "core/merkle.h"
#include "crypto/crypto.h"

#define NEED(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static void *get(struct test_judge_log *log, size_t size)
{
    void *memory = ves_arena_alloc(&log->arena, size);
    NEED(memory);
    return memory;
}

static struct ves_hash hash_of(const char *text)
{
    struct ves_hash hash;
    ves_sha256_one(text, strlen(text), &hash);
    return hash;
}

static void put_text(char *out, size_t size, const char *text)
{
    NEED(strlen(text) < size);
    memcpy(out, text, strlen(text) + 1);
}

struct ves_stream test_judge_stream(void)
{
    struct ves_stream stream = {{{1}}, {{2}}};
    return stream;
}

/* ---- the toy state ------------------------------------------------------- */

static struct test_effect *find_member(struct test_judge_entity *entity,
                                       const char *path)
{
    for (size_t i = 0; i < entity->state.count; i++) {
        if (strcmp(entity->state.list[i].path, path) == 0)
            return &entity->state.list[i];
    }
    return NULL;
}

static const char *read_member(struct test_judge_entity *entity,
                               const char *path)
{
    const struct test_effect *member = find_member(entity, path);
    return member ? member->value : "";
}

/* Members stay sorted by path. */
static void write_member(struct test_judge_log *log,
                         struct test_judge_entity *entity, const char *path,
                         const char *value)
{
    struct test_effect *member = find_member(entity, path);
    if (!member) {
        struct test_effects *state = &entity->state;
        struct test_effect *list = get(log, (state->count + 1) * sizeof(*list));
        size_t at = 0;
        while (at < state->count && strcmp(state->list[at].path, path) < 0)
            at++;
        if (at > 0)
            memcpy(list, state->list, at * sizeof(*list));
        if (at < state->count)
            memcpy(list + at + 1, state->list + at,
                   (state->count - at) * sizeof(*list));
        state->list = list;
        state->count++;
        member = &list[at];
        put_text(member->path, sizeof(member->path), path);
    }
    char copy[sizeof(member->value)];
    put_text(copy, sizeof(copy), value);
    memcpy(member->value, copy, sizeof(copy));
}

static void push_opposite(struct test_effects *opposite, const char *path,
                          enum ves_op op, const char *value)
{
    struct test_effect *effect = &opposite->list[opposite->count++];
    put_text(effect->path, sizeof(effect->path), path);
    effect->op = op;
    put_text(effect->value, sizeof(effect->value), value);
}

static void fold(struct test_judge_log *log, struct test_judge_entity *entity,
                 const struct test_effect *effect, struct test_effects *undo)
{
    const char *old = read_member(entity, effect->path);
    char text[32];

    switch (effect->op) {
    case VES_OP_DELTA:
        snprintf(text, sizeof(text), "%lld", -atoll(effect->value));
        push_opposite(undo, effect->path, VES_OP_DELTA, text);
        snprintf(text, sizeof(text), "%lld", atoll(old) + atoll(effect->value));
        write_member(log, entity, effect->path, text);
        return;
    case VES_OP_SET:
    case VES_OP_TRANSITION:
        push_opposite(undo, effect->path, effect->op, *old ? old : "null");
        write_member(log, entity, effect->path, effect->value);
        return;
    case VES_OP_CREATE:
        if (!*old)
            write_member(log, entity, effect->path, effect->value);
        return;
    case VES_OP_DELETE:
        if (strcmp(old, "true") != 0)
            push_opposite(undo, "*", VES_OP_RESTORE, "0");
        write_member(log, entity, "*", "true");
        return;
    case VES_OP_RESTORE:
        if (strcmp(old, "true") == 0)
            push_opposite(undo, "*", VES_OP_DELETE, "0");
        write_member(log, entity, "*", "false");
        return;
    case VES_OP_ADD_TO_SET:
    case VES_OP_APPEND:
    case VES_OP_EXPECT:
    case VES_OP_ADVANCE:
    case VES_OP_DEFAULT:
        return;
    }
}

static struct test_effects fold_all(struct test_judge_log *log,
                                    struct test_judge_entity *entity,
                                    struct test_effects effects)
{
    struct test_effects undo = {get(log, effects.count * sizeof(*undo.list)),
                                0};
    for (size_t i = 0; i < effects.count; i++)
        fold(log, entity, &effects.list[i], &undo);
    for (size_t i = 0, k = undo.count; i + 1 < k; i++) {
        struct test_effect swap = undo.list[i];
        undo.list[i] = undo.list[--k];
        undo.list[k] = swap;
    }
    return undo;
}

static struct ves_effects effects_of(struct test_judge_log *log,
                                     struct test_effects values)
{
    struct ves_effect *list = get(log, values.count * sizeof(*list));
    for (size_t i = 0; i < values.count; i++) {
        list[i].path = ves_bytes_str(values.list[i].path);
        list[i].op = values.list[i].op;
        list[i].value = hash_of(values.list[i].value);
    }
    return (struct ves_effects){list, values.count};
}

/* ---- finding ------------------------------------------------------------- */

static struct test_judge_event *find_hash(const struct test_judge_log *log,
                                          const struct ves_hash *hash)
{
    for (size_t i = 0; i < log->count; i++) {
        if (ves_hash_equal(&log->events[i].subject.hash, hash))
            return (struct test_judge_event *)(uintptr_t)&log->events[i];
    }
    return NULL;
}

static struct test_judge_event *find_id(const struct test_judge_log *log,
                                        const struct ves_uuid *event_id)
{
    for (size_t i = 0; i < log->count; i++) {
        if (ves_uuid_equal(&log->events[i].subject.event_id, event_id))
            return (struct test_judge_event *)(uintptr_t)&log->events[i];
    }
    return NULL;
}

const struct test_judge_event *
test_judge_log_hash(const struct test_judge_log *log,
                    const struct ves_hash *hash)
{
    return find_hash(log, hash);
}

const struct test_judge_event *
test_judge_log_event(const struct test_judge_log *log, const char *name)
{
    struct ves_hash hash = hash_of(name);
    return find_hash(log, &hash);
}

static struct test_judge_conflict *find_conflict(struct test_judge_log *log,
                                                 const struct ves_hash *id)
{
    for (size_t i = 0; i < log->conflict_count; i++) {
        if (ves_hash_equal(&log->conflicts[i].id, id))
            return &log->conflicts[i];
    }
    return NULL;
}

const struct test_judge_conflict *
test_judge_log_conflict(const struct test_judge_log *log,
                        const struct ves_hash *id)
{
    for (size_t i = 0; i < log->conflict_count; i++) {
        if (ves_hash_equal(&log->conflicts[i].id, id))
            return &log->conflicts[i];
    }
    return NULL;
}

static struct test_judge_entity *find_entity(struct test_judge_log *log,
                                             const struct ves_hash *key)
{
    for (size_t i = 0; i < log->entity_count; i++) {
        if (ves_hash_equal(&log->entities[i].key, key))
            return &log->entities[i];
    }
    return NULL;
}

struct test_judge_entity *test_judge_log_entity(struct test_judge_log *log,
                                                const char *name)
{
    struct ves_hash key = hash_of(name);
    struct test_judge_entity *entity = find_entity(log, &key);

    if (entity)
        return entity;
    NEED(log->entity_count < sizeof(log->entities) / sizeof(*log->entities));
    entity = &log->entities[log->entity_count++];
    memset(entity, 0, sizeof(*entity));
    put_text(entity->name, sizeof(entity->name), name);
    entity->key = key;
    entity->history = get(log, TEST_JUDGE_MAX * sizeof(*entity->history));
    return entity;
}

const char *test_judge_log_state(struct test_judge_log *log, const char *entity,
                                 const char *path)
{
    return read_member(test_judge_log_entity(log, entity), path);
}

/* ---- the view ------------------------------------------------------------ */

static void fill_tombstone(const struct test_judge_log *log,
                           const struct test_judge_entity *entity,
                           struct ves_judge_entity *out)
{
    if (entity->tombstone == 0)
        return;
    const struct test_judge_event *event = &log->events[entity->tombstone - 1];
    out->has_tombstone = true;
    out->tombstone = event->subject.hash;
    out->tombstone_at = event->applied_at;
    out->tombstone_sequence = event->subject.sequence;
    out->tombstone_agent = event->subject.agent;
    out->tombstone_agent_seq = event->subject.agent_seq;
    out->tombstone_is_fact = event->now.is_fact;
}

static enum ves_status view_entity(void *ctx, const struct ves_hash *key,
                                   struct ves_judge_entity *out)
{
    struct test_judge_log *log = ctx;
    struct test_judge_entity *entity = find_entity(log, key);

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < log->count; i++) {
        if (log->events[i].now.verdict != VES_VERDICT_NONE &&
            ves_hash_equal(&log->events[i].subject.entity_key, key))
            out->last = log->events[i].subject.sequence;
    }
    if (!entity || entity->version == 0)
        return VES_OK;
    const struct test_judge_event *head =
        &log->events[entity->history[entity->version - 1]];
    out->version = entity->version;
    out->head = head->subject.hash;
    out->head_applied_at = head->applied_at;
    for (size_t i = 0; i < entity->version; i++) {
        const struct test_judge_event *event = &log->events[entity->history[i]];
        if (!ves_effects_are_deltas(event->applied))
            out->written_at = event->applied_at;
    }
    if (log->is_odd)
        out->written_at = out->head_applied_at;
    fill_tombstone(log, entity, out);
    return VES_OK;
}

static bool is_in_streak(const struct test_judge_event *event,
                         const struct test_judge_event *later)
{
    const struct ves_judge_subject *subject = &event->subject;

    return event->now.verdict == VES_VERDICT_APPLIED &&
           event->applied_at == subject->sequence && subject->has_context &&
           (!later || (ves_uuid_equal(&later->subject.agent, &subject->agent) &&
                       later->subject.agent_seq > subject->agent_seq));
}

/* By its definition: the longest end, and what is beside it. */
static enum ves_status view_streak(void *ctx, const struct ves_hash *key,
                                   struct ves_judge_streak *out)
{
    struct test_judge_log *log = ctx;
    const struct test_judge_event *later = NULL;
    bool is_over = false;

    *out = (struct ves_judge_streak){.is_found = false};
    for (size_t i = log->count; i > 0; i--) {
        const struct test_judge_event *event = &log->events[i - 1];
        if (event->now.verdict == VES_VERDICT_NONE ||
            !ves_hash_equal(&event->subject.entity_key, key))
            continue;
        is_over = is_over || !is_in_streak(event, later);
        if (!is_over) {
            if (!later)
                out->last_agent_seq = event->subject.agent_seq;
            out->is_found = true;
            out->agent = event->subject.agent;
            later = event;
            continue;
        }
        if (event->subject.sequence > out->after)
            out->after = event->subject.sequence;
        if (event->now.verdict == VES_VERDICT_APPLIED &&
            event->applied_at > out->after)
            out->after = event->applied_at;
    }
    return VES_OK;
}

static enum ves_status view_applied(void *ctx, const struct ves_hash *key,
                                    ves_judge_applied_visitor *visit,
                                    void *visit_ctx)
{
    struct test_judge_log *log = ctx;
    struct test_judge_entity *entity = find_entity(log, key);

    for (size_t i = entity ? entity->version : 0; i > 0; i--) {
        const struct test_judge_event *event =
            &log->events[entity->history[i - 1]];
        const struct ves_judge_applied applied = {
            .hash = event->subject.hash,
            .sequence = event->subject.sequence,
            .applied_at = event->applied_at,
            .agent = event->subject.agent,
            .agent_seq = event->subject.agent_seq,
            .is_fact = event->now.is_fact,
            .effects = event->applied,
        };
        log->visited++;
        if (!visit(visit_ctx, &applied))
            break;
    }
    return VES_OK;
}

static void fill_known(const struct test_judge_event *event,
                       struct ves_judge_known *out)
{
    *out = (struct ves_judge_known){
        .hash = event->subject.hash,
        .event_id = event->subject.event_id,
        .sequence = event->subject.sequence,
        .agent_seq = event->subject.agent_seq,
        .verdict = event->now.verdict,
        .is_fact = event->now.is_fact,
        .has_conflict_id = event->now.has_conflict_id,
        .conflict_id = event->now.conflict_id,
    };
}

static enum ves_status view_own(void *ctx, const struct ves_hash *key,
                                const struct ves_uuid *agent, uint64_t above,
                                uint64_t below, ves_judge_known_visitor *visit,
                                void *visit_ctx)
{
    struct test_judge_log *log = ctx;

    for (size_t n = log->count; n > 0; n--) {
        size_t i = log->is_odd ? log->count - n : n - 1;
        const struct test_judge_event *event = &log->events[i];
        const struct ves_judge_subject *subject = &event->subject;
        if (event->now.verdict == VES_VERDICT_NONE ||
            subject->sequence <= above || subject->sequence >= below ||
            !ves_hash_equal(&subject->entity_key, key) ||
            !ves_uuid_equal(&subject->agent, agent))
            continue;
        struct ves_judge_known known;
        fill_known(event, &known);
        log->visited++;
        if (!visit(visit_ctx, &known))
            break;
    }
    return VES_OK;
}

static enum ves_status view_event(void *ctx, const struct ves_uuid *event_id,
                                  struct ves_judge_known *out)
{
    const struct test_judge_event *event = find_id(ctx, event_id);

    if (!event || event->now.verdict == VES_VERDICT_NONE)
        return VES_NOT_FOUND;
    fill_known(event, out);
    return VES_OK;
}

static enum ves_status view_conflict(void *ctx, const struct ves_hash *id,
                                     struct ves_judge_conflict *out)
{
    const struct test_judge_conflict *conflict = find_conflict(ctx, id);

    memset(out, 0, sizeof(*out));
    if (conflict)
        *out = conflict->record;
    return VES_OK;
}

static enum ves_status view_opener(void *ctx, const struct ves_hash *id,
                                   struct ves_arena *arena,
                                   struct ves_effects *out)
{
    const struct test_judge_conflict *conflict = find_conflict(ctx, id);

    (void)arena;
    NEED(conflict && conflict->branch.count > 0);
    *out = find_hash(ctx, &conflict->branch.list[0])->subject.effects;
    return VES_OK;
}

static enum ves_status view_against(void *ctx, const struct ves_hash *id,
                                    ves_judge_applied_visitor *visit,
                                    void *visit_ctx)
{
    const struct test_judge_conflict *conflict = find_conflict(ctx, id);

    NEED(conflict);
    for (size_t i = 0; i < conflict->applied.count; i++) {
        const struct test_judge_event *event =
            find_hash(ctx, &conflict->applied.list[i]);
        const struct ves_judge_applied applied = {
            .hash = event->subject.hash,
            .is_fact = event->now.is_fact,
            .effects = event->applied,
        };
        if (!visit(visit_ctx, &applied))
            break;
    }
    return VES_OK;
}

static enum ves_status view_opposite(void *ctx,
                                     const struct ves_hash *resolution,
                                     struct ves_effects *out)
{
    const struct test_judge_event *event = find_hash(ctx, resolution);

    NEED(event && event->applied_at > 0);
    *out = effects_of(ctx, event->opposite);
    return VES_OK;
}

static enum ves_status view_referrers(void *ctx, const struct ves_hash *key,
                                      uint64_t above,
                                      ves_judge_hash_visitor *visit,
                                      void *visit_ctx)
{
    struct test_judge_log *log = ctx;

    for (size_t i = 0; i < log->count; i++) {
        const struct test_judge_event *event = &log->events[i];
        for (size_t k = 0; k < event->subject.refs.count; k++) {
            if (event->applied_at > above &&
                ves_hash_equal(&event->subject.refs.list[k].key, key))
                (void)visit(visit_ctx, &event->subject.hash);
        }
    }
    return VES_OK;
}

/* ---- writing ------------------------------------------------------------- */

static struct ves_hashes copy_hashes(struct test_judge_log *log,
                                     struct ves_hashes hashes)
{
    size_t size = hashes.count * sizeof(*hashes.list);
    struct ves_hashes copy = {get(log, size), hashes.count};
    if (size > 0)
        memcpy(copy.list, hashes.list, size);
    return copy;
}

static void append_hash(struct test_judge_log *log, struct ves_hashes *hashes,
                        const struct ves_hash *hash)
{
    struct ves_hashes longer = {get(log, (hashes->count + 1) * sizeof(*hash)),
                                hashes->count + 1};
    if (hashes->count > 0)
        memcpy(longer.list, hashes->list, hashes->count * sizeof(*hash));
    longer.list[hashes->count] = *hash;
    *hashes = longer;
}

static void move_entity(struct test_judge_log *log,
                        struct test_judge_event *event)
{
    struct test_judge_entity *entity =
        find_entity(log, &event->subject.entity_key);
    struct test_effects values = event->values;
    const struct ves_resolution *resolution = event->subject.resolution;

    NEED(entity && event->applied_at == 0);
    if (resolution && resolution->winner == VES_WINNER_UNDO)
        values = find_hash(log, &resolution->supersedes)->opposite;
    event->applied = effects_of(log, values);
    NEED(!event->now.has_effects ||
         event->applied.count == event->now.effects.count);
    NEED(event->now.is_delta == ves_effects_are_deltas(event->applied));
    event->opposite = fold_all(log, entity, values);
    event->applied_at = log->count;
    entity->history[entity->version++] = (size_t)(event - log->events);
    event->version = entity->version;
    entity->is_dirty = true;
    if (event->now.tombstone > 0 && entity->tombstone == 0)
        entity->tombstone = (size_t)(event - log->events) + 1;
    if (event->now.tombstone < 0)
        entity->tombstone = 0;
    NEED((entity->tombstone > 0) ==
         (strcmp(read_member(entity, "*"), "true") == 0));
}

static void open_conflict(struct test_judge_log *log,
                          const struct test_judge_event *event)
{
    NEED(log->conflict_count < TEST_JUDGE_MAX);
    struct test_judge_conflict *conflict =
        &log->conflicts[log->conflict_count++];
    memset(conflict, 0, sizeof(*conflict));
    conflict->id = event->now.conflict_id;
    conflict->kind = event->now.kind;
    conflict->applied = copy_hashes(log, event->now.against);
    conflict->record.is_found = true;
    conflict->record.is_open = true;
    conflict->record.entity_key = event->subject.entity_key;
    conflict->record.has_branch_fact = event->now.is_fact;
    conflict->record.has_applied_fact = event->now.has_applied_fact;
}

static void move_conflict(struct test_judge_log *log,
                          const struct test_judge_event *event)
{
    const struct ves_judgement *now = &event->now;

    if (now->change == VES_CONFLICT_UNCHANGED)
        return;
    if (now->change == VES_CONFLICT_OPENED)
        open_conflict(log, event);
    struct test_judge_conflict *conflict =
        find_conflict(log, &now->conflict_id);
    NEED(conflict);
    struct ves_judge_conflict *record = &conflict->record;
    conflict->is_dirty = true;
    if (now->change == VES_CONFLICT_CLOSED) {
        record->is_open = false;
        record->closed_by = event->subject.hash;
        record->winner = now->winner;
    } else if (now->change == VES_CONFLICT_REOPENED) {
        record->is_open = true;
    } else {
        append_hash(log, &conflict->branch, &event->subject.hash);
        ves_branch_digest(&record->branch_digest, &event->subject.hash);
        record->branch_count++;
    }
}

static enum ves_status write(void *ctx, const struct ves_judge_subject *subject,
                             const struct ves_judgement *judgement)
{
    struct test_judge_log *log = ctx;
    struct test_judge_event *event = find_hash(log, &subject->hash);

    NEED(event && judgement->verdict != VES_VERDICT_NONE);
    NEED(event->now.verdict == VES_VERDICT_NONE ||
         event->now.verdict == VES_VERDICT_WAITING);
    if (judgement->verdict != event->now.verdict)
        event->is_dirty = true;
    event->now = *judgement;
    event->now.against = copy_hashes(log, judgement->against);
    event->now.commuted = copy_hashes(log, judgement->commuted);
    event->now.overrode = copy_hashes(log, judgement->overrode);
    event->now.dangling = copy_hashes(log, judgement->dangling);
    event->now.unresolved_refs = copy_hashes(log, judgement->unresolved_refs);
    if (judgement->verdict == VES_VERDICT_APPLIED)
        move_entity(log, event);
    move_conflict(log, event);
    return VES_OK;
}

static enum ves_status waiters(void *ctx, const struct ves_hash *waits_for,
                               ves_judge_sequence_visitor *visit,
                               void *visit_ctx)
{
    struct test_judge_log *log = ctx;

    for (size_t i = 0; i < log->count; i++) {
        const struct ves_judgement *now = &log->events[i].now;
        if (now->verdict == VES_VERDICT_WAITING &&
            ves_hash_equal(&now->waits_for, waits_for) &&
            !visit(visit_ctx, i + 1))
            break;
    }
    return VES_OK;
}

static enum ves_status waiting_subject(void *ctx, uint64_t sequence,
                                       struct ves_arena *arena,
                                       struct ves_judge_subject *out)
{
    struct test_judge_log *log = ctx;
    (void)arena;
    NEED(sequence >= 1 && sequence <= log->count);
    *out = log->events[sequence - 1].subject;
    return log->events[sequence - 1].now.verdict == VES_VERDICT_WAITING
               ? VES_OK
               : VES_NOT_FOUND;
}

/* ---- one step ------------------------------------------------------------ */

static struct ves_hashes hashes_of(struct test_judge_log *log,
                                   const char *const *names, size_t count)
{
    struct ves_hashes hashes = {get(log, count * sizeof(*hashes.list)), count};
    for (size_t i = 0; i < count; i++)
        hashes.list[i] = hash_of(names[i]);
    return hashes;
}

/* The first half of its hash. */
static struct ves_uuid id_of(const char *name)
{
    struct ves_hash hash = hash_of(name);
    struct ves_uuid id;
    memcpy(id.b, hash.b, sizeof(id.b));
    return id;
}

static struct ves_ids ids_of(struct test_judge_log *log,
                             const char *const *names, size_t count)
{
    struct ves_uuid *list = get(log, count * sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = id_of(names[i]);
    return (struct ves_ids){list, count};
}

/* Decision 8 once more, from the names of its members. */
static struct ves_hash conflict_id_of(struct test_judge_log *log,
                                      const struct test_judge_says *says)
{
    struct ves_stream stream = test_judge_stream();
    size_t n = says->over_count;
    struct ves_hashes over = hashes_of(log, says->conflict_over, n);
    uint8_t *bytes = get(log, (n + 2) * VES_HASH_SIZE + 15);
    struct ves_hash hash, id;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            if (memcmp(over.list[k].b, over.list[i].b, VES_HASH_SIZE) >= 0)
                continue;
            hash = over.list[i];
            over.list[i] = over.list[k];
            over.list[k] = hash;
        }
    }
    memcpy(bytes, "VES_CONFLICT_V1", 15);
    ves_stream_id(&stream, &hash);
    memcpy(bytes + 15, hash.b, VES_HASH_SIZE);
    hash = hash_of(says->conflict_first);
    memcpy(bytes + 15 + VES_HASH_SIZE, hash.b, VES_HASH_SIZE);
    if (n > 0)
        memcpy(bytes + 15 + 2 * VES_HASH_SIZE, over.list, n * VES_HASH_SIZE);
    ves_sha256_one(bytes, 15 + (n + 2) * VES_HASH_SIZE, &id);
    return id;
}

static const struct ves_resolution *
resolution_of(struct test_judge_log *log, const struct test_judge_says *says)
{
    struct ves_resolution *resolution = get(log, sizeof(*resolution));

    resolution->conflict_id = conflict_id_of(log, says);
    resolution->winner = says->winner;
    resolution->inputs = hashes_of(log, says->inputs, says->input_count);
    resolution->has_supersedes = says->supersedes != NULL;
    if (says->supersedes)
        resolution->supersedes = hash_of(says->supersedes);
    return resolution;
}

static struct test_judge_event *append(struct test_judge_log *log,
                                       const struct test_judge_says *says)
{
    NEED(log->count < TEST_JUDGE_MAX);
    struct test_judge_event *event = &log->events[log->count++];
    struct ves_judge_subject *subject = &event->subject;
    size_t deps = 0;

    memset(event, 0, sizeof(*event));
    put_text(event->name, sizeof(event->name), says->name);
    event->values.list =
        get(log, says->effects.count * sizeof(struct test_effect));
    event->values.count = says->effects.count;
    for (size_t i = 0; i < says->effects.count; i++)
        event->values.list[i] = says->effects.list[i];
    while (deps < 4 && says->deps[deps])
        deps++;
    *subject = (struct ves_judge_subject){
        .stream = test_judge_stream(),
        .sequence = log->count,
        .hash = hash_of(says->name),
        .agent_seq = says->agent_seq,
        .seen = says->is_foreign ? log->count - 1 : says->seen,
        .entity_key = test_judge_log_entity(log, says->entity)->key,
        .has_context = !says->is_foreign,
        .is_carried = says->is_carried,
        .is_fact = says->is_fact,
        .needs_base = !says->is_fact && !says->is_free,
        .has_base = says->has_base,
        .base_version = says->base_version,
        .event_id = id_of(says->name),
        .deps = ids_of(log, says->deps, deps),
        .has_effects = true,
        .effects = effects_of(log, event->values),
    };
    subject->is_delta = ves_effects_are_deltas(subject->effects);
    subject->tombstone = ves_effects_tombstone(subject->effects);
    put_text((char *)subject->agent.b, sizeof(subject->agent.b), says->agent);
    subject->has_base_head = says->base_head != NULL;
    if (says->base_head)
        subject->base_head = hash_of(says->base_head);
    if (says->ref) {
        subject->refs.list = get(log, sizeof(*subject->refs.list));
        subject->refs.list[0].key = hash_of(says->ref);
        subject->refs.count = 1;
    }
    if (says->conflict_first)
        subject->resolution = resolution_of(log, says);
    return event;
}

const struct test_judge_event *
test_judge_log_step(struct test_judge_log *log,
                    const struct test_judge_says *says)
{
    return test_judge_log_group(log, says, 1);
}

const struct test_judge_event *
test_judge_log_group(struct test_judge_log *log,
                     const struct test_judge_says *says, size_t count)
{
    const struct ves_judge_view view = {
        .ctx = log,
        .entity = view_entity,
        .applied = view_applied,
        .own = view_own,
        .event = view_event,
        .conflict = view_conflict,
        .opener = view_opener,
        .against = view_against,
        .opposite = view_opposite,
        .streak = log->is_odd ? NULL : view_streak,
        .referrers = view_referrers,
    };
    const struct ves_judge_writer writer = {
        .ctx = log,
        .write = write,
        .waiters = waiters,
        .subject = waiting_subject,
        .waking = &log->waking,
    };
    struct ves_judgement *judgements = get(log, count * sizeof(*judgements));
    struct ves_judge_subject *subjects = get(log, count * sizeof(*subjects));
    size_t first = log->count;

    for (size_t i = 0; i < log->count; i++)
        log->events[i].is_dirty = false;
    for (size_t i = 0; i < log->conflict_count; i++)
        log->conflicts[i].is_dirty = false;
    for (size_t i = 0; i < log->entity_count; i++)
        log->entities[i].is_dirty = false;
    for (size_t i = 0; i < count; i++) {
        struct test_judge_event *event = append(log, &says[i]);
        event->subject.first_of_group = first + 1;
        event->subject.group_count = (uint32_t)count;
        subjects[i] = event->subject;
    }
    NEED(ves_judge_step(&view, &writer, &log->arena, subjects, count,
                        judgements) == VES_OK);
    return &log->events[first];
}

void test_judge_log_init(struct test_judge_log *log)
{
    NEED(ves_crypto_init() == VES_OK);
    memset(log, 0, sizeof(*log));
    ves_arena_init(&log->arena, ves_alloc_default(), (size_t)1 << 30);
    ves_arena_init(&log->waking, ves_alloc_default(), (size_t)1 << 30);
}

void test_judge_log_reset(struct test_judge_log *log)
{
    log->count = 0;
    log->conflict_count = 0;
    log->entity_count = 0;
    log->visited = 0;
    ves_arena_reset(&log->arena);
}

void test_judge_log_free(struct test_judge_log *log)
{
    ves_arena_free(&log->arena);
    ves_arena_free(&log->waking);
}
