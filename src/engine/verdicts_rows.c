/* verdicts_rows.c -- events the judge looks at, from the store. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/scratch.h"
#include "engine/folding.h"
#include "engine/verdicts.h"

/* Rows kept for the rest of the run; beyond that many, or that many bytes of
 * them, they are read again each time, so that an entity with a long history
 * costs time, not memory. */
enum { STORED_MAX = 8192, STORED_BYTES_MAX = 24 * 1024 * 1024 };

enum { EFFECTS_MAX = 4 * 1024 * 1024 };

enum ves_status ves_effects_keep(struct ves_arena *arena,
                                 struct ves_effects effects,
                                 struct ves_bytes *bytes,
                                 struct ves_effects *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, arena, 64 + 96 * effects.count, EFFECTS_MAX);
    ves_effects_write(&scratch.buf, effects);
    enum ves_status status = ves_buf_status(&scratch.buf);
    *bytes = ves_buf_view(&scratch.buf);
    return status ? status : ves_effects_read(arena, *bytes, out);
}

/* What an envelope says, in memory of its own. */
static enum ves_status effects_of(struct ves_verdicts *v,
                                  struct ves_arena *arena, uint64_t sequence,
                                  struct ves_bytes envelope,
                                  struct ves_effects *out)
{
    struct ves_judge_subject subject;
    struct ves_rules_at rules;
    struct ves_bytes bytes;
    struct ves_event event;

    ves_arena_reset(&v->reading);
    enum ves_status status =
        ves_log_event_read(&v->reading, envelope, &v->store->error, &event);
    if (!status)
        status = ves_rules_log_at(v->rules, &event, sequence, &rules);
    if (!status)
        status = ves_judge_subject_read(&v->reading, rules, &event, &subject);
    if (!status && !subject.has_effects)
        status = ves_judge_subject_effects(&v->reading, rules, &event,
                                           &subject.effects);
    return status ? status
                  : ves_effects_keep(arena, subject.effects, &bytes, out);
}

/* ---- one event ----------------------------------------------------------- */

struct load {
    struct ves_verdicts *v;
    struct ves_arena *arena;
    struct ves_verdict_event *event;
    bool is_found;
};

/* Effects as applied: what was recorded, else what the event says. */
static enum ves_status read_effects(struct load *load,
                                    const struct ves_log_row *row)
{
    struct ves_verdict_event *out = load->event;

    out->has_effects =
        row->verdict == VES_VERDICT_APPLIED || row->effects.len > 0;
    if (row->effects.len > 0)
        return ves_effects_read(load->arena, out->row->effects, &out->effects);
    if (!out->has_effects)
        return VES_OK;
    if (row->envelope.len == 0)
        return ves_fail(&load->v->store->error, VES_CORRUPT,
                        "the body of log row %llu is gone, and what it did "
                        "was not kept",
                        (unsigned long long)row->sequence_number);
    return effects_of(load->v, load->arena, row->sequence_number, row->envelope,
                      &out->effects);
}

static enum ves_status keep_row(void *ctx, const struct ves_log_row *row)
{
    struct load *load = ctx;
    struct ves_log_row *kept = ves_arena_alloc(load->arena, sizeof(*kept));

    if (!kept)
        return VES_NOMEM;
    *kept = *row;
    kept->envelope = ves_bytes(NULL, 0);
    kept->raw = ves_bytes(NULL, 0);
    load->event->row = kept;
    load->is_found = true;
    if (ves_arena_copy(load->arena, row->sub_code, &kept->sub_code) ||
        ves_arena_copy(load->arena, row->note, &kept->note) ||
        ves_arena_copy(load->arena, row->effects, &kept->effects) ||
        ves_arena_copy(load->arena, row->opposite, &kept->opposite))
        return VES_NOMEM;
    return read_effects(load, row);
}

static enum ves_status load_row(struct ves_verdicts *v, uint64_t sequence,
                                struct ves_arena *arena,
                                struct ves_verdict_event **out)
{
    struct load load = {v, arena, NULL, false};

    load.event = ves_arena_alloc(arena, sizeof(*load.event));
    if (!load.event)
        return VES_NOMEM;
    enum ves_status status = v->store->ops->log_read(
        v->store, v->stream_no, sequence, 1, keep_row, &load);
    if (status)
        return status;
    if (!load.is_found || load.event->row->sequence_number != sequence)
        return ves_fail(&v->store->error, VES_CORRUPT,
                        "the log has no row %llu although another row names "
                        "it",
                        (unsigned long long)sequence);
    *out = load.event;
    return VES_OK;
}

static enum ves_status load_to_stay(struct ves_verdicts *v, uint64_t sequence,
                                    struct ves_verdict_event **out)
{
    const uint64_t key[2] = {sequence, 0};
    size_t before = v->arena->total;

    enum ves_status status = load_row(v, sequence, v->arena, out);
    if (status)
        return status;
    v->stored_bytes += v->arena->total - before;
    void **slot = ves_map_slot(&v->stored, key);
    if (!slot)
        return VES_NOMEM;
    *slot = *out;
    v->stored_count++;
    return VES_OK;
}

enum ves_status ves_verdicts_load(struct ves_verdicts *v, uint64_t sequence,
                                  struct ves_verdict_event **out)
{
    const uint64_t key[2] = {sequence, 0};

    *out = ves_map_get(&v->stored, key);
    if (*out)
        return VES_OK;
    if (v->stored_count < STORED_MAX && v->stored_bytes < STORED_BYTES_MAX)
        return load_to_stay(v, sequence, out);
    ves_arena_reset(&v->passing);
    return load_row(v, sequence, &v->passing, out);
}

enum ves_status ves_verdicts_hold(struct ves_verdicts *v, uint64_t sequence,
                                  struct ves_verdict_event **out)
{
    const uint64_t key[2] = {sequence, 0};

    if (sequence > v->base)
        return ves_verdicts_find(v, sequence, out);
    *out = ves_map_get(&v->stored, key);
    return *out ? VES_OK : load_to_stay(v, sequence, out);
}

/* ---- one that is judged again -------------------------------------------- */

struct waking {
    struct ves_verdicts *v;
    struct ves_verdict_event *event;
};

static enum ves_status take_envelope(void *ctx, const struct ves_log_row *row)
{
    const struct waking *waking = ctx;
    struct ves_verdicts *v = waking->v;
    struct ves_verdict_event *out = waking->event;
    struct ves_event *event = ves_arena_alloc(&v->waking, sizeof(*event));

    if (!event)
        return VES_NOMEM;
    if (row->envelope.len == 0)
        return ves_fail(&v->store->error, VES_CORRUPT,
                        "the body of log row %llu, which waits, is gone",
                        (unsigned long long)row->sequence_number);
    enum ves_status status =
        ves_log_event_read(&v->waking, row->envelope, &v->store->error, event);
    if (!status)
        status = ves_rules_log_subject(v->rules, &v->waking, event,
                                       row->sequence_number, &out->subject);
    if (status)
        return status;
    ves_judge_subject_place(&out->subject, row->sequence_number, event);
    out->event = event;
    out->has_subject = true;
    return VES_OK;
}

/* What it will be judged with is looked up while its names are at hand. */
static enum ves_status name_entities(struct ves_verdicts *v,
                                     const struct ves_event *event,
                                     const struct ves_judge_subject *subject)
{
    struct ves_entity_name name;

    ves_entity_name(event->entity_type, event->entity_id, &name);
    enum ves_status status = v->host.named(v->host.ctx, &name);
    for (size_t i = 0; i < subject->refs.count && !subject->is_fact && !status;
         i++)
        status = v->host.named(v->host.ctx, &subject->refs.list[i]);
    return status;
}

enum ves_status ves_verdicts_wake(struct ves_verdicts *v,
                                  struct ves_verdict_event *event)
{
    const uint64_t sequence = event->row->sequence_number;
    const uint64_t key[2] = {sequence, 0};
    struct waking waking = {v, event};

    VES_ASSERT(!event->is_new && !event->is_waking);
    /* It is going to be changed, so it has to stay. */
    VES_ASSERT(ves_map_get(&v->stored, key) == event);
    event->is_waking = true;
    event->next_waking = v->awake;
    v->awake = event;
    enum ves_status status = v->store->ops->log_read(
        v->store, v->stream_no, sequence, 1, take_envelope, &waking);
    return status || !event->has_subject
               ? status
               : name_entities(v, event->event, &event->subject);
}

/* Effects of an applied one are asked for by all that come after it, so they
 * stay while there is room; those that a row records are in the run's memory
 * already. */
static void keep_or_forget(struct ves_verdicts *v,
                           struct ves_verdict_event *event)
{
    size_t before = v->arena->total;
    struct ves_bytes bytes;

    if (!event->has_effects || event->row->effects.len > 0)
        return;
    event->has_effects = event->row->verdict == VES_VERDICT_APPLIED &&
                         v->stored_bytes < STORED_BYTES_MAX &&
                         ves_effects_keep(v->arena, event->effects, &bytes,
                                          &event->effects) == VES_OK;
    v->stored_bytes += v->arena->total - before;
}

void ves_verdicts_release(struct ves_verdicts *v)
{
    for (struct ves_verdict_event *e = v->awake; e; e = e->next_waking) {
        keep_or_forget(v, e);
        memset(&e->subject, 0, sizeof(e->subject));
        e->event = NULL;
        e->has_subject = false;
        e->is_waking = false;
    }
    v->awake = NULL;
}

/* ---- effects ------------------------------------------------------------- */

static enum ves_status take_effects(void *ctx, const struct ves_log_row *row)
{
    struct load *load = ctx;

    load->is_found = true;
    return effects_of(load->v, load->arena, row->sequence_number, row->envelope,
                      &load->event->effects);
}

/* Of one that nobody keeps the body of. */
static enum ves_status effects_again(struct ves_verdicts *v,
                                     struct ves_verdict_event *event)
{
    struct load load = {v, &v->passing, event, false};

    ves_arena_reset(&v->passing);
    enum ves_status status = v->store->ops->log_read(
        v->store, v->stream_no, event->row->sequence_number, 1, take_effects,
        &load);
    VES_ASSERT(status || load.is_found);
    return status;
}

enum ves_status ves_verdicts_effects(struct ves_verdicts *v,
                                     struct ves_verdict_event *event)
{
    const struct ves_judge_subject *subject = &event->subject;
    struct ves_arena *arena = event->is_waking ? &v->waking : v->arena;
    struct ves_rules_at rules;
    struct ves_bytes bytes;

    if (event->has_effects)
        return VES_OK;
    if (!event->has_subject)
        return effects_again(v, event);
    event->has_effects = true;
    event->effects = subject->effects;
    if (subject->has_effects)
        return VES_OK;
    if (!event->event->payload)
        return effects_of(v, arena, event->row->sequence_number,
                          event->row->envelope, &event->effects);
    ves_arena_reset(&v->reading);
    enum ves_status status = ves_rules_log_at(
        v->rules, event->event, event->row->sequence_number, &rules);
    if (!status)
        status = ves_judge_subject_effects(&v->reading, rules, event->event,
                                           &event->effects);
    return status ? status
                  : ves_effects_keep(arena, event->effects, &bytes,
                                     &event->effects);
}

/* ---- an opposite that nobody recorded ------------------------------------ */

struct past {
    struct ves_arena *arena;
    uint64_t version; /* of the last one wanted */
    uint64_t *sequences;
    size_t count, room;
    enum ves_status status;
};

static bool collect(void *ctx, struct ves_verdict_event *event)
{
    struct past *past = ctx;

    if (event->row->version > past->version)
        return true;
    if (past->count == past->room) {
        size_t room = past->room > 0 ? 2 * past->room : 64;
        uint64_t *list = ves_arena_alloc(past->arena, room * sizeof(*list));
        if (!list) {
            past->status = VES_NOMEM;
            return false;
        }
        if (past->count > 0)
            memcpy(list, past->sequences, past->count * sizeof(*list));
        past->sequences = list;
        past->room = room;
    }
    past->sequences[past->count++] = event->row->sequence_number;
    return true;
}

struct body {
    struct ves_arena *arena;
    struct ves_bytes envelope;
};

static enum ves_status take_body(void *ctx, const struct ves_log_row *row)
{
    struct body *body = ctx;
    return ves_arena_copy(body->arena, row->envelope, &body->envelope);
}

static enum ves_status get_body(struct ves_verdicts *v, uint64_t sequence,
                                struct body *body)
{
    if (sequence > v->base) {
        body->envelope = v->events[sequence - v->base - 1]->row->envelope;
        return VES_OK;
    }
    return v->store->ops->log_read(v->store, v->stream_no, sequence, 1,
                                   take_body, body);
}

static enum ves_status replay_one(struct ves_verdicts *v,
                                  struct ves_folding *folding,
                                  uint64_t sequence)
{
    struct ves_rules_at rules;
    struct ves_arena arena;
    struct ves_event event;

    ves_arena_init(&arena, v->alloc, VES_FOLDING_ARENA_MAX);
    struct body body = {&arena, {NULL, 0}};
    enum ves_status status = get_body(v, sequence, &body);
    if (!status && body.envelope.len == 0)
        status = ves_fail(&v->store->error, VES_CORRUPT,
                          "the body of log row %llu is gone; what was before "
                          "a resolution cannot be found out",
                          (unsigned long long)sequence);
    if (!status)
        status =
            ves_log_event_read(&arena, body.envelope, &v->store->error, &event);
    if (!status)
        status = ves_rules_log_at(v->rules, &event, sequence, &rules);
    if (!status)
        status = ves_folding_step(folding, &arena, rules, &event);
    ves_arena_free(&arena);
    return status;
}

struct ves_bytes ves_verdict_opposite(const struct ves_verdict_event *event)
{
    return event->row->opposite.len > 0 ? event->row->opposite
                                        : event->replayed;
}

enum ves_status ves_verdicts_replay(struct ves_verdicts *v,
                                    struct ves_verdict_event *event,
                                    struct ves_bytes *opposite)
{
    struct past past = {.arena = &v->scratch, .version = event->row->version};
    struct ves_verdict_entity *entity;
    struct ves_folding folding;

    enum ves_status status =
        v->host.entity(v->host.ctx, &event->row->entity_key, &entity);
    if (!status)
        status = ves_verdicts_applied(v, entity, collect, &past);
    if (!status)
        status = past.status;
    if (status)
        return status;
    ves_folding_open(&folding, v->alloc, &v->scratch);
    for (size_t i = past.count; i > 0 && !status; i--)
        status = replay_one(v, &folding, past.sequences[i - 1]);
    if (!status)
        status =
            ves_arena_copy(v->arena, ves_buf_view(&folding.opposite), opposite);
    ves_folding_close(&folding);
    return status;
}
