/* agent_fold.c -- folding a run of events over entities held in memory, so
 * that a page costs one read and one write of the entities.
 *
 * What is applied, and in which order, the judge says (engine/verdicts.h).
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "crypto/crypto.h"
#include "engine/agent_internal.h"
#include "engine/folding.h"
#include "json/jcs.h"

enum {
    /* A state every replica can hold.  The same number everywhere: what does
     * not fit leaves the state as it was, on all of them. */
    STATE_MAX = 16 * 1024 * 1024,
    OPPOSITE_MAX = 64 * 1024 * 1024
};

/* ---- entities ------------------------------------------------------------ */

static enum ves_status find(struct ves_device_fold *fold,
                            const struct ves_entity_name *name, bool *is_new,
                            struct ves_device_slot **out)
{
    void **place = ves_map_slot(&fold->slots, name->key.b);

    if (!place)
        return VES_NOMEM;
    *is_new = *place == NULL;
    if (*is_new) {
        struct ves_device_slot *slot =
            ves_arena_alloc(fold->arena, sizeof(*slot));
        if (!slot)
            return VES_NOMEM;
        slot->name = *name;
        slot->entity.row.key = name->key;
        ves_buf_init(&slot->state, fold->core->alloc, STATE_MAX);
        if (fold->last)
            fold->last->next = slot;
        else
            fold->first = slot;
        fold->last = slot;
        fold->count++;
        *place = slot;
    }
    *out = *place;
    return VES_OK;
}

static enum ves_status load(struct ves_device_fold *fold,
                            struct ves_device_slot *const *slots, size_t count)
{
    struct ves_agent_core *core = fold->core;
    struct ves_entity_name *names =
        ves_arena_alloc(fold->arena, count * sizeof(*names));
    struct ves_entity_row *rows =
        ves_arena_alloc(fold->arena, count * sizeof(*rows));

    if (!names || !rows)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++)
        names[i] = slots[i]->name;
    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, names, count, fold->arena, rows);
    for (size_t i = 0; i < count && !status; i++) {
        slots[i]->entity.row = rows[i];
        slots[i]->entity.row.key = names[i].key;
        ves_verdict_entity_open(&slots[i]->entity);
    }
    return status;
}

enum ves_status ves_device_fold_open(struct ves_device_fold *fold,
                                     struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     const struct ves_entity_name *names,
                                     size_t count)
{
    struct ves_hash hash;
    size_t n = 0;

    memset(fold, 0, sizeof(*fold));
    fold->core = core;
    fold->arena = arena;
    ves_arena_init(&fold->scratch, core->alloc, VES_FOLDING_ARENA_MAX);
    ves_buf_init(&fold->next, core->alloc, STATE_MAX);
    ves_buf_init(&fold->opposite, core->alloc, OPPOSITE_MAX);
    /* Keys are SHA-256 values, and a page holds a thousand: what could be
     * gained by choosing them is little. */
    ves_sha256_one(core->agent.b, VES_UUID_SIZE, &hash);
    memcpy(fold->secret.b, hash.b, VES_UUID_SIZE);
    struct ves_device_slot **slots =
        ves_arena_alloc(arena, count * sizeof(struct ves_device_slot *));
    if (!slots ||
        ves_map_init(&fold->slots, arena, VES_HASH_SIZE, count, &fold->secret))
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++) {
        bool is_new;
        enum ves_status status = find(fold, &names[i], &is_new, &slots[n]);
        if (status)
            return status;
        n += is_new;
    }
    return n > 0 ? load(fold, slots, n) : VES_OK;
}

struct ves_device_slot *ves_device_fold_slot(struct ves_device_fold *fold,
                                             const struct ves_hash *key)
{
    return ves_map_get(&fold->slots, key->b);
}

static enum ves_status find_loaded(struct ves_device_fold *fold,
                                   const struct ves_entity_name *name,
                                   struct ves_device_slot **slot)
{
    bool is_new;

    enum ves_status status = find(fold, name, &is_new, slot);
    return !status && is_new ? load(fold, slot, 1) : status;
}

static enum ves_status host_entity(void *ctx, const struct ves_hash *key,
                                   struct ves_verdict_entity **out)
{
    const struct ves_entity_name name = {.key = *key};
    struct ves_device_slot *slot = NULL;

    enum ves_status status = find_loaded(ctx, &name, &slot);
    *out = status ? NULL : &slot->entity;
    return status;
}

static enum ves_status host_named(void *ctx, const struct ves_entity_name *name)
{
    struct ves_device_slot *slot;

    return find_loaded(ctx, name, &slot);
}

/* ---- folding ------------------------------------------------------------- */

/* The phrase as JSON, for the note. */
static enum ves_status say_unusable(struct ves_device_fold *fold,
                                    const char *reason,
                                    struct ves_verdict_event *event)
{
    struct ves_buf buf;

    ves_buf_init(&buf, fold->core->alloc, 4096);
    ves_jcs_write_string(&buf, ves_bytes_str(reason));
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status =
            ves_arena_copy(fold->arena, ves_buf_view(&buf), &event->unusable);
    ves_buf_free(&buf);
    return status;
}

/* What the resolution that an undo takes back left behind. */
static enum ves_status find_opposite(struct ves_device_fold *fold,
                                     const struct ves_resolution *resolution,
                                     struct ves_bytes *out)
{
    const struct ves_seen *seen =
        ves_verdicts_seen(&fold->verdicts, &resolution->supersedes);
    struct ves_verdict_event *event;

    VES_ASSERT(seen); /* the judge has just looked at it */
    enum ves_status status =
        ves_verdicts_hold(&fold->verdicts, seen->sequence, &event);
    *out = status ? ves_bytes(NULL, 0) : ves_verdict_opposite(event);
    return status;
}

static enum ves_status apply(struct ves_device_fold *fold,
                             struct ves_device_slot *slot,
                             struct ves_verdict_event *event)
{
    const struct ves_resolution *resolution = event->subject.resolution;
    struct ves_folding_write write = {.is_deleted = event->was_deleted};
    struct ves_fold_note note = {.is_unusable = false};
    struct ves_bytes old =
        slot->is_folded ? ves_buf_view(&slot->state) : slot->entity.row.state;
    enum ves_status status = VES_OK;

    if (resolution && resolution->winner == VES_WINNER_UNDO)
        status = find_opposite(fold, resolution, &write.opposite);
    if (status)
        return status;
    status = ves_rules_log_at(fold->verdicts.rules, event->event,
                              event->row->sequence_number, &write.rules);
    if (status)
        return status;
    ves_arena_reset(&fold->scratch);
    ves_buf_reset(&fold->next);
    ves_buf_reset(&fold->opposite);
    status = ves_folding_apply(&fold->scratch, old, event->event, &write,
                               &fold->next, &fold->opposite, &note);
    if (status == VES_LIMIT) {
        if (resolution)
            event->row->opposite = ves_bytes_str("[]");
        return say_unusable(fold, "the entity's state would grow too large",
                            event);
    }
    if (!status && resolution)
        status = ves_arena_copy(fold->arena, ves_buf_view(&fold->opposite),
                                &event->row->opposite);
    if (!status && note.is_unusable)
        status = say_unusable(fold, note.reason, event);
    if (status || ves_bytes_equal(old, ves_buf_view(&fold->next)))
        return status;
    struct ves_buf swap = slot->state;
    slot->state = fold->next;
    fold->next = swap;
    slot->is_folded = true;
    return VES_OK;
}

static enum ves_status host_written(void *ctx, struct ves_verdict_event *event,
                                    const struct ves_judgement *judgement)
{
    struct ves_device_fold *fold = ctx;

    if (judgement->verdict != VES_VERDICT_APPLIED)
        return VES_OK;
    if (event->subject.is_unknown &&
        (fold->unknown_at == 0 ||
         event->row->sequence_number < fold->unknown_at))
        fold->unknown_at = event->row->sequence_number;
    return apply(fold, ves_device_fold_slot(fold, &event->row->entity_key),
                 event);
}

enum ves_status ves_device_fold_begin(struct ves_device_fold *fold,
                                      struct ves_rules_log *rules,
                                      uint64_t base, size_t room)
{
    const struct ves_verdict_host host = {fold, host_entity, host_named,
                                          host_written};
    struct ves_agent_core *core = fold->core;

    fold->has_verdicts = true;
    return ves_verdicts_open(&fold->verdicts, core->store, core->stream_no,
                             core->alloc, fold->arena, &host, rules,
                             &fold->secret, base, room);
}

/* ---- writing ------------------------------------------------------------- */

static enum ves_status mark_buckets(struct ves_device_fold *fold)
{
    struct ves_agent_core *core = fold->core;
    bool *is_marked = ves_arena_alloc(fold->arena, VES_STATE_BUCKETS);
    uint16_t *buckets =
        ves_arena_alloc(fold->arena, fold->count * sizeof(*buckets));
    size_t count = 0;

    if (!is_marked || !buckets)
        return VES_NOMEM;
    for (const struct ves_device_slot *s = fold->first; s; s = s->next) {
        uint16_t bucket = ves_entity_bucket(&s->entity.row.key);
        if (!s->is_folded || is_marked[bucket])
            continue;
        is_marked[bucket] = true;
        buckets[count++] = bucket;
    }
    if (count == 0)
        return VES_OK;
    return core->store->ops->bucket_mark(core->store, core->stream_no, buckets,
                                         count);
}

static enum ves_status save_unknown(struct ves_device_fold *fold)
{
    uint64_t known = 0;

    if (fold->unknown_at == 0)
        return VES_OK;
    enum ves_status status = ves_device_number_get(fold->core, fold->arena,
                                                   VES_DEVICE_UNKNOWN_SCHEMA, 0,
                                                   0, INT64_MAX, &known);
    if (status || (known > 0 && known <= fold->unknown_at))
        return status;
    return ves_device_number_put(fold->core, VES_DEVICE_UNKNOWN_SCHEMA,
                                 fold->unknown_at);
}

enum ves_status ves_device_fold_save(struct ves_device_fold *fold)
{
    struct ves_agent_core *core = fold->core;
    enum ves_status status = VES_OK;
    int64_t follow_ups = 0;
    size_t n = 0;

    struct ves_entity_row *rows =
        ves_arena_alloc(fold->arena, fold->count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    for (struct ves_device_slot *s = fold->first; s && !status; s = s->next) {
        struct ves_entity_row *row = &s->entity.row;
        if (s->is_folded) {
            status = ves_device_follow_ups_change(
                &fold->scratch, row, ves_buf_view(&s->state), &follow_ups);
            row->state = ves_buf_view(&s->state);
            ves_sha256_one(row->state.ptr, row->state.len, &row->state_hash);
        }
        if (!status && s->needs_own_head)
            status = ves_device_own_head(core, row);
        if (s->entity.is_changed || s->needs_own_head)
            rows[n++] = *row;
    }
    if (!status && n > 0)
        status =
            core->store->ops->entity_put(core->store, core->stream_no, rows, n);
    if (!status)
        status = ves_device_follow_ups_add(core, follow_ups);
    if (!status)
        status = save_unknown(fold);
    return status || n == 0 ? status : mark_buckets(fold);
}

void ves_device_fold_close(struct ves_device_fold *fold)
{
    if (fold->has_verdicts)
        ves_verdicts_close(&fold->verdicts);
    for (struct ves_device_slot *s = fold->first; s; s = s->next)
        ves_buf_free(&s->state);
    ves_buf_free(&fold->next);
    ves_buf_free(&fold->opposite);
    ves_arena_free(&fold->scratch);
}
