/* verdicts.c -- a run: events added, judged, their judgements made true. */
#include "engine/verdicts.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/scratch.h"

enum {
    /* What one step may need: it grows with the events that are concurrent to
     * the one judged. */
    SCRATCH_MAX = 512 * 1024 * 1024,
    NOTE_MAX = 64 * 1024,
    NOTE_IDS_MAX = 32 /* named in a note; the rest is counted */
};

void ves_verdict_entity_open(struct ves_verdict_entity *entity)
{
    entity->stored_last = entity->row.last;
    entity->stored_version = entity->row.version;
    entity->newest = NULL;
    entity->applied = NULL;
    entity->is_changed = false;
    entity->is_streak_known = false;
    entity->streak.is_found = false;
}

enum ves_status
ves_verdicts_open(struct ves_verdicts *v, struct ves_store *store,
                  uint32_t stream_no, const struct ves_alloc *alloc,
                  struct ves_arena *arena, const struct ves_verdict_host *host,
                  struct ves_rules_log *rules, const struct ves_uuid *secret,
                  uint64_t base, size_t room)
{
    memset(v, 0, sizeof(*v));
    v->store = store;
    v->stream_no = stream_no;
    v->alloc = alloc;
    v->arena = arena;
    v->host = *host;
    v->rules = rules;
    v->secret = *secret;
    v->base = base;
    v->room = room;
    ves_arena_init(&v->scratch, alloc, SCRATCH_MAX);
    ves_arena_init(&v->waking, alloc, SCRATCH_MAX);
    ves_arena_init(&v->passing, alloc, SCRATCH_MAX);
    ves_arena_init(&v->reading, alloc, SCRATCH_MAX);
    v->events =
        ves_arena_alloc(arena, room * sizeof(struct ves_verdict_event *));
    if (!v->events)
        return VES_NOMEM;
    enum ves_status status =
        ves_map_init(&v->stored, arena, 2 * sizeof(uint64_t), 0, secret);
    if (!status)
        status = ves_map_init(&v->conflicts, arena, VES_HASH_SIZE, 0, secret);
    return status ? status
                  : ves_map_init(&v->ids, arena, VES_UUID_SIZE, 0, secret);
}

void ves_verdicts_close(struct ves_verdicts *v)
{
    ves_arena_free(&v->scratch);
    ves_arena_free(&v->waking);
    ves_arena_free(&v->passing);
    ves_arena_free(&v->reading);
}

void ves_verdict_forget(struct ves_log_row *row)
{
    row->verdict = VES_VERDICT_NONE;
    row->applied_at = 0;
    row->version = 0;
    row->sub_code = ves_bytes(NULL, 0);
    row->note = ves_bytes(NULL, 0);
    row->is_fact = false;
    row->has_waited = false;
    row->has_conflict_id = false;
    memset(&row->conflict_id, 0, sizeof(row->conflict_id));
    memset(&row->waits_for, 0, sizeof(row->waits_for));
    row->effects = ves_bytes(NULL, 0);
    row->opposite = ves_bytes(NULL, 0);
}

enum ves_status ves_verdicts_add(struct ves_verdicts *v,
                                 struct ves_log_row *row,
                                 const struct ves_event *event,
                                 const struct ves_judge_subject *subject)
{
    struct ves_verdict_event *added = ves_arena_alloc(v->arena, sizeof(*added));

    if (!added)
        return VES_NOMEM;
    VES_ASSERT(v->count < v->room);
    VES_ASSERT(row->sequence_number == v->base + v->count + 1);
    ves_verdict_forget(row);
    added->row = row;
    added->event = event;
    added->subject = *subject;
    added->has_subject = true;
    added->is_new = true;
    ves_judge_subject_place(&added->subject, row->sequence_number, event);
    v->events[v->count++] = added;
    return VES_OK;
}

/* ---- making a judgement true --------------------------------------------- */

static enum ves_status keep_effects(struct ves_verdicts *v,
                                    struct ves_verdict_event *event,
                                    struct ves_effects effects)
{
    event->has_effects = true;
    return ves_effects_keep(v->arena, effects, &event->row->effects,
                            &event->effects);
}

static enum ves_status apply(struct ves_verdicts *v,
                             struct ves_verdict_event *event, bool has_waited,
                             const struct ves_judgement *judgement)
{
    struct ves_verdict_entity *entity = event->entity;
    struct ves_entity_row *row = &entity->row;
    uint64_t now = v->base + v->count;

    row->version++;
    row->head = event->row->event_hash;
    row->head_applied_at = now;
    if (!judgement->is_delta)
        row->written_at = now;
    event->was_deleted = row->tombstone != 0;
    if (judgement->tombstone < 0)
        row->tombstone = 0;
    else if (judgement->tombstone > 0 && row->tombstone == 0)
        row->tombstone = event->row->sequence_number;
    event->row->applied_at = now;
    event->row->version = row->version;
    event->row->has_waited = has_waited;
    event->earlier = entity->applied;
    entity->applied = event;
    entity->is_changed = true;
    return judgement->has_effects ? keep_effects(v, event, judgement->effects)
                                  : VES_OK;
}

static enum ves_status add_member(struct ves_verdicts *v,
                                  const struct ves_conflict_member *member)
{
    if (v->member_count == v->member_room) {
        size_t room = v->member_room > 0 ? 2 * v->member_room : 16;
        struct ves_conflict_member *list =
            ves_arena_alloc(v->arena, room * sizeof(*list));
        if (!list)
            return VES_NOMEM;
        if (v->member_count > 0)
            memcpy(list, v->members, v->member_count * sizeof(*list));
        v->members = list;
        v->member_room = room;
    }
    v->members[v->member_count++] = *member;
    return VES_OK;
}

/* The event becomes the end of the branch. */
static enum ves_status join(struct ves_verdicts *v,
                            struct ves_conflict_row *conflict,
                            const struct ves_log_row *row)
{
    ves_branch_digest(&conflict->branch_digest, &row->event_hash);
    conflict->branch_count++;
    const struct ves_conflict_member member = {
        .conflict_id = conflict->id,
        .side = VES_SIDE_BRANCH,
        .place = conflict->branch_count,
        .sequence_number = row->sequence_number,
        .event_hash = row->event_hash,
    };
    return add_member(v, &member);
}

static enum ves_status open(struct ves_verdicts *v,
                            const struct ves_verdict_event *event,
                            const struct ves_judgement *judgement,
                            struct ves_conflict_row *conflict)
{
    VES_ASSERT(!conflict->is_found);
    *conflict = (struct ves_conflict_row){
        .id = judgement->conflict_id,
        .is_found = true,
        .opened = event->row->sequence_number,
        .entity_key = event->row->entity_key,
        .kind = (uint32_t)judgement->kind,
        .kinds = judgement->kinds,
        .sub_code = event->row->sub_code,
        .has_branch_fact = judgement->is_fact,
        .has_applied_fact = judgement->has_applied_fact,
    };
    enum ves_status status = join(v, conflict, event->row);
    for (size_t i = 0; i < judgement->against.count && !status; i++) {
        const struct ves_hash *hash = &judgement->against.list[i];
        const struct ves_seen *seen = ves_verdicts_seen(v, hash);
        VES_ASSERT(seen); /* the judge was shown everything it names */
        const struct ves_conflict_member member = {
            .conflict_id = conflict->id,
            .side = VES_SIDE_APPLIED,
            .place = i + 1,
            .sequence_number = seen->sequence,
            .event_hash = *hash,
        };
        status = add_member(v, &member);
    }
    return status;
}

static enum ves_status change_conflict(struct ves_verdicts *v,
                                       struct ves_verdict_event *event,
                                       const struct ves_judgement *judgement)
{
    struct ves_verdict_conflict *conflict;

    if (judgement->change == VES_CONFLICT_UNCHANGED)
        return VES_OK;
    enum ves_status status =
        ves_verdicts_conflict(v, &judgement->conflict_id, &conflict);
    if (status)
        return status;
    struct ves_conflict_row *row = &conflict->row;
    conflict->is_changed = true;
    switch (judgement->change) {
    case VES_CONFLICT_OPENED:
        return open(v, event, judgement, row);
    case VES_CONFLICT_JOINED:
        VES_ASSERT(row->is_found);
        return join(v, row, event->row);
    case VES_CONFLICT_CLOSED:
        VES_ASSERT(row->is_found);
        row->closed = event->row->sequence_number;
        row->closed_by = event->row->event_hash;
        row->winner = (uint32_t)judgement->winner;
        break;
    case VES_CONFLICT_REOPENED:
        VES_ASSERT(row->is_found);
        row->closed = 0;
        memset(&row->closed_by, 0, sizeof(row->closed_by));
        row->winner = VES_WINNER_NONE;
        break;
    case VES_CONFLICT_UNCHANGED:
        break;
    }
    return VES_OK;
}

/* ---- notes --------------------------------------------------------------- */

/* ,"name":["event id",...]; events the judge was not shown by id are left
 * out. */
static void put_ids(struct ves_verdicts *v, struct ves_buf *buf,
                    const char *name, const struct ves_hashes *hashes)
{
    size_t named = 0;

    if (hashes->count == 0)
        return;
    ves_buf_putf(buf, "%s\"%s\":[", buf->len > 1 ? "," : "", name);
    for (size_t i = 0; i < hashes->count && named < NOTE_IDS_MAX; i++) {
        const struct ves_seen *seen = ves_verdicts_seen(v, &hashes->list[i]);
        if (!seen)
            continue;
        ves_buf_put_str(buf, named++ > 0 ? ",\"" : "\"");
        ves_buf_put_uuid(buf, &seen->event_id);
        ves_buf_put_u8(buf, '"');
    }
    ves_buf_put_u8(buf, ']');
    if (hashes->count > NOTE_IDS_MAX)
        ves_buf_putf(buf, ",\"%sCount\":%zu", name, hashes->count);
}

/* Entity keys are not names; how many is what can be said. */
static void put_count(struct ves_buf *buf, const char *name,
                      const struct ves_hashes *hashes)
{
    if (hashes->count > 0)
        ves_buf_putf(buf, "%s\"%s\":%zu", buf->len > 1 ? "," : "", name,
                     hashes->count);
}

static bool has_note(const struct ves_verdict_event *event,
                     const struct ves_judgement *judgement)
{
    return judgement->commuted.count > 0 || judgement->overrode.count > 0 ||
           judgement->dangling.count > 0 ||
           judgement->unresolved_refs.count > 0 || event->unusable.len > 0 ||
           (judgement->verdict == VES_VERDICT_SUPERSEDED &&
            judgement->against.count > 0);
}

static enum ves_status write_note(struct ves_verdicts *v,
                                  struct ves_verdict_event *event,
                                  const struct ves_judgement *judgement)
{
    struct ves_scratch scratch;
    struct ves_buf *buf = &scratch.buf;

    event->row->note = ves_bytes(NULL, 0);
    if (!has_note(event, judgement))
        return VES_OK;
    ves_scratch_init(&scratch, v->arena, 256, NOTE_MAX);
    ves_buf_put_u8(buf, '{');
    put_ids(v, buf, "commuted", &judgement->commuted);
    put_ids(v, buf, "overrode", &judgement->overrode);
    put_ids(v, buf, "dangling", &judgement->dangling);
    put_count(buf, "unresolvedRefs", &judgement->unresolved_refs);
    if (judgement->verdict == VES_VERDICT_SUPERSEDED)
        put_ids(v, buf, "moved", &judgement->against);
    if (event->unusable.len > 0) {
        ves_buf_put_str(buf, buf->len > 1 ? ",\"unusable\":" : "\"unusable\":");
        ves_buf_put_bytes(buf, event->unusable);
    }
    ves_buf_put_u8(buf, '}');
    event->row->note = ves_buf_view(buf);
    return ves_buf_status(buf);
}

/* ---- a step -------------------------------------------------------------- */

static void mark_changed(struct ves_verdicts *v,
                         struct ves_verdict_event *event)
{
    if (event->is_new || event->is_changed)
        return;
    event->is_changed = true;
    event->next_changed = v->changed;
    v->changed = event;
}

/* What is said of every event, whatever the verdict. */
static enum ves_status write_row(struct ves_verdicts *v,
                                 struct ves_verdict_event *event,
                                 const struct ves_judgement *judgement)
{
    struct ves_log_row *row = event->row;

    row->verdict = (uint32_t)judgement->verdict;
    row->applied_at = 0;
    row->version = 0;
    row->has_waited = false;
    row->is_fact = judgement->is_fact;
    row->has_conflict_id = judgement->has_conflict_id;
    row->conflict_id = judgement->conflict_id;
    memset(&row->waits_for, 0, sizeof(row->waits_for));
    if (judgement->verdict == VES_VERDICT_WAITING)
        row->waits_for = judgement->waits_for;
    return ves_arena_copy(v->arena, ves_bytes_str(judgement->sub_code),
                          &row->sub_code);
}

static enum ves_status write(void *ctx, const struct ves_judge_subject *subject,
                             const struct ves_judgement *judgement)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_event *event;

    enum ves_status status = ves_verdicts_find(v, subject->sequence, &event);
    if (!status && !event->entity)
        status =
            v->host.entity(v->host.ctx, &subject->entity_key, &event->entity);
    if (status)
        return status;
    bool was_waiting = event->row->verdict == VES_VERDICT_WAITING;
    const struct ves_verdict_entity *entity = event->entity;
    uint64_t last = entity->newest ? entity->newest->row->sequence_number
                                   : entity->stored_last;
    uint64_t head_applied_at = entity->row.head_applied_at;
    if (event->is_new && !was_waiting) {
        event->older = event->entity->newest;
        event->entity->newest = event;
    }
    mark_changed(v, event);
    status = write_row(v, event, judgement);
    if (!status && judgement->verdict == VES_VERDICT_APPLIED)
        status = apply(v, event, was_waiting, judgement);
    if (!status)
        ves_verdicts_streak_move(event, event->is_new && !was_waiting, last,
                                 head_applied_at);
    if (judgement->verdict == VES_VERDICT_WAITING && !event->is_listed) {
        event->is_listed = true;
        event->next_waiting = v->waiting;
        v->waiting = event;
    }
    if (!status)
        status = change_conflict(v, event, judgement);
    if (!status && v->host.written)
        status = v->host.written(v->host.ctx, event, judgement);
    return status ? status : write_note(v, event, judgement);
}

/* ---- who waits ----------------------------------------------------------- */

struct ves_waiting {
    uint64_t sequence;
    struct ves_hash waits_for;
};

/* Waiting events are few.  A stream with more than this many of them is asked
 * about each thing that changes. */
enum { WAITING_MAX = 1024 };

static enum ves_status keep_waiting(void *ctx, uint64_t sequence,
                                    const struct ves_hash *waits_for)
{
    struct ves_verdicts *v = ctx;

    if (v->wait_count < WAITING_MAX)
        v->waits[v->wait_count] = (struct ves_waiting){sequence, *waits_for};
    v->wait_count++;
    return VES_OK;
}

/* Once a run. */
static enum ves_status know_waiting(struct ves_verdicts *v)
{
    if (v->is_waiting_known)
        return VES_OK;
    v->waits = ves_arena_list(v->arena, WAITING_MAX, sizeof(*v->waits));
    if (!v->waits)
        return VES_NOMEM;
    enum ves_status status = v->store->ops->waiting_list(
        v->store, v->stream_no, NULL, WAITING_MAX + 1, keep_waiting, v);
    v->is_waiting_known = status == VES_OK;
    v->is_waiting_long = v->wait_count > WAITING_MAX;
    return status;
}

struct wake {
    struct ves_verdicts *v;
    ves_judge_sequence_visitor *visit;
    void *ctx;
};

/* What waits in the store, unless it changed since or is not judged yet. */
static enum ves_status wake_stored(void *ctx, uint64_t sequence,
                                   const struct ves_hash *waits_for)
{
    const struct wake *wake = ctx;
    const uint64_t key[2] = {sequence, 0};
    const struct ves_verdict_event *event = ves_map_get(&wake->v->stored, key);

    (void)waits_for;
    if (sequence > wake->v->base || (event && event->is_changed))
        return VES_OK;
    return wake->visit(wake->ctx, sequence) ? VES_OK : VES_NOMEM;
}

static enum ves_status waiters(void *ctx, const struct ves_hash *waits_for,
                               ves_judge_sequence_visitor *visit,
                               void *visit_ctx)
{
    struct ves_verdicts *v = ctx;
    struct wake wake = {v, visit, visit_ctx};

    for (struct ves_verdict_event *e = v->waiting; e; e = e->next_waiting) {
        if (e->row->verdict == VES_VERDICT_WAITING &&
            ves_hash_equal(&e->row->waits_for, waits_for) &&
            !visit(visit_ctx, e->row->sequence_number))
            return VES_NOMEM;
    }
    enum ves_status status = know_waiting(v);
    if (!status && v->is_waiting_long)
        return v->store->ops->waiting_list(v->store, v->stream_no, waits_for, 0,
                                           wake_stored, &wake);
    for (size_t i = 0; i < v->wait_count && !status; i++) {
        if (ves_hash_equal(&v->waits[i].waits_for, waits_for))
            status = wake_stored(&wake, v->waits[i].sequence, waits_for);
    }
    return status;
}

static enum ves_status waiting_subject(void *ctx, uint64_t sequence,
                                       struct ves_arena *arena,
                                       struct ves_judge_subject *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_event *event;

    VES_ASSERT(arena == &v->waking);
    if (sequence == 0 || sequence > v->base + v->count)
        return VES_NOT_FOUND;
    enum ves_status status = ves_verdicts_hold(v, sequence, &event);
    if (status)
        return status;
    if (event->row->verdict != VES_VERDICT_WAITING)
        return VES_NOT_FOUND;
    if (!event->has_subject)
        status = ves_verdicts_wake(v, event);
    *out = event->subject;
    return status;
}

static void release(void *ctx)
{
    ves_verdicts_release(ctx);
}

/* ---- judging ------------------------------------------------------------- */

static void begin_step(struct ves_verdicts *v)
{
    ves_arena_reset(&v->scratch);
    v->has_seen = false;
}

enum ves_status ves_verdicts_step(struct ves_verdicts *v, size_t count)
{
    const struct ves_judge_view view = ves_verdicts_view(v);
    const struct ves_judge_writer writer = {.ctx = v,
                                            .write = write,
                                            .waiters = waiters,
                                            .subject = waiting_subject,
                                            .release = release,
                                            .waking = &v->waking};

    VES_ASSERT(count > 0 && count <= v->count);
    begin_step(v);
    struct ves_judge_subject *subjects =
        ves_arena_alloc(&v->scratch, count * sizeof(*subjects));
    struct ves_judgement *judgements =
        ves_arena_alloc(&v->scratch, count * sizeof(*judgements));
    if (!subjects || !judgements)
        return VES_NOMEM;
    enum ves_status status = VES_OK;
    for (size_t i = 0; i < count && !status; i++) {
        struct ves_verdict_event *event = v->events[v->count - count + i];
        subjects[i] = event->subject;
        if (count == 1)
            subjects[i].group_count = 0;
        else /* what one does may speak against the next */
            status = ves_verdicts_show(v, event);
    }
    if (status)
        return status;
    return ves_judge_step(&view, &writer, &v->scratch, subjects, count,
                          judgements);
}

enum ves_status ves_verdicts_forecast(struct ves_verdicts *v,
                                      struct ves_judge_subject *subjects,
                                      const struct ves_event *events,
                                      size_t count, struct ves_judgement *out)
{
    const struct ves_judge_view view = ves_verdicts_view(v);

    begin_step(v);
    v->forecast = events;
    v->forecast_count = count;
    for (size_t i = 0; i < count; i++)
        ves_judge_subject_place(&subjects[i], v->base + v->count + 1 + i,
                                &events[i]);
    enum ves_status status =
        ves_judge_forecast(&view, &v->scratch, subjects, count, out);
    v->forecast_count = 0;
    return status;
}

/* ---- writing ------------------------------------------------------------- */

static enum ves_status save_rows(struct ves_verdicts *v)
{
    size_t count = 0, n = 0;

    for (struct ves_verdict_event *e = v->changed; e; e = e->next_changed)
        count++;
    if (count == 0)
        return VES_OK;
    struct ves_log_row *rows = ves_arena_alloc(v->arena, count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    for (struct ves_verdict_event *e = v->changed; e; e = e->next_changed)
        rows[n++] = *e->row;
    return v->store->ops->log_judge(v->store, v->stream_no, rows, n);
}

static enum ves_status save_conflicts(struct ves_verdicts *v)
{
    struct ves_verdict_conflict *c;
    size_t count = 0, n = 0;

    for (c = v->first_conflict; c; c = c->next)
        count += c->is_changed;
    if (count == 0)
        return VES_OK;
    struct ves_conflict_row *rows =
        ves_arena_alloc(v->arena, count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    for (c = v->first_conflict; c; c = c->next) {
        if (c->is_changed)
            rows[n++] = c->row;
    }
    enum ves_status status =
        v->store->ops->conflict_put(v->store, v->stream_no, rows, n);
    if (!status && v->member_count > 0)
        status = v->store->ops->member_add(v->store, v->stream_no, v->members,
                                           v->member_count);
    return status;
}

enum ves_status ves_verdicts_save(struct ves_verdicts *v)
{
    enum ves_status status = save_rows(v);

    return status ? status : save_conflicts(v);
}
