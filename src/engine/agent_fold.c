/* agent_fold.c -- judging and folding a run of events over entities held in
 * memory, so that a page costs one read and one write of the entities.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/fold.h"
#include "crypto/crypto.h"
#include "engine/agent_internal.h"
#include "json/jcs.h"

enum {
    /* A state every replica can hold.  The same number everywhere: what does
     * not fit leaves the state as it was, on all of them. */
    STATE_MAX = 16 * 1024 * 1024,
    SCRATCH_MAX = 512 * 1024 * 1024
};

static size_t hash_of(const struct ves_hash *key)
{
    size_t h;
    /* An entity key is a SHA-256 value: any part of it is a good hash. */
    memcpy(&h, key->b, sizeof(h));
    return h;
}

/* Place of key in the index: the slot that has it, or a free one. */
static uint32_t *find(struct ves_device_fold *fold, const struct ves_hash *key)
{
    size_t at = hash_of(key) & (fold->index_size - 1);
    while (fold->index[at] != 0 &&
           !ves_hash_equal(&fold->slots[fold->index[at] - 1].row.key, key))
        at = (at + 1) & (fold->index_size - 1);
    return &fold->index[at];
}

static enum ves_status load_rows(struct ves_device_fold *fold)
{
    struct ves_agent_core *core = fold->core;
    struct ves_hash *keys =
        ves_arena_alloc(fold->arena, fold->count * sizeof(*keys));
    struct ves_entity_row *rows =
        ves_arena_alloc(fold->arena, fold->count * sizeof(*rows));

    if (!keys || !rows)
        return VES_NOMEM;
    for (size_t i = 0; i < fold->count; i++)
        keys[i] = fold->slots[i].row.key;
    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, keys, fold->count, fold->arena, rows);
    for (size_t i = 0; i < fold->count && !status; i++) {
        fold->slots[i].row = rows[i];
        fold->slots[i].row.key = keys[i];
    }
    return status;
}

enum ves_status ves_device_fold_open(struct ves_device_fold *fold,
                                     struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     const struct ves_hash *keys, size_t count)
{
    memset(fold, 0, sizeof(*fold));
    fold->core = core;
    fold->arena = arena;
    ves_arena_init(&fold->scratch, core->alloc, SCRATCH_MAX);
    ves_buf_init(&fold->next, core->alloc, STATE_MAX);

    fold->index_size = 16;
    while (fold->index_size < 2 * count)
        fold->index_size *= 2;
    fold->index =
        ves_arena_alloc(arena, fold->index_size * sizeof(*fold->index));
    fold->slots = ves_arena_alloc(arena, count * sizeof(*fold->slots));
    if (!fold->index || !fold->slots)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++) {
        uint32_t *place = find(fold, &keys[i]);
        if (*place != 0)
            continue;
        struct ves_device_slot *slot = &fold->slots[fold->count++];
        slot->row.key = keys[i];
        ves_buf_init(&slot->state, core->alloc, STATE_MAX);
        *place = (uint32_t)fold->count;
    }
    return fold->count > 0 ? load_rows(fold) : VES_OK;
}

struct ves_device_slot *ves_device_fold_slot(struct ves_device_fold *fold,
                                             const struct ves_hash *key)
{
    uint32_t at = *find(fold, key);
    return at ? &fold->slots[at - 1] : NULL;
}

static enum ves_status judge(struct ves_device_fold *fold,
                             const struct ves_device_slot *slot,
                             const struct ves_event *event,
                             struct ves_log_row *row)
{
    struct ves_refusal refusal;

    enum ves_status status =
        ves_judge_foreign(event, slot->row.version, &refusal);
    if (status == VES_REFUSED) {
        /* A sequencer that follows the rules refuses such an event.  It is in
         * the log all the same, so every replica must say the same of it, and
         * it must not move the entity. */
        row->verdict = VES_VERDICT_CONFLICT;
        return ves_device_text(fold->arena, "version_conflict", &row->sub_code);
    }
    if (status)
        return status;
    row->verdict = VES_VERDICT_APPLIED;
    row->sub_code = ves_bytes(NULL, 0);
    return VES_OK;
}

/* {"unusable":"reason"} into row->note. */
static enum ves_status note(struct ves_device_fold *fold, const char *reason,
                            struct ves_log_row *row)
{
    struct ves_buf buf;

    ves_buf_init(&buf, fold->core->alloc, 4096);
    ves_buf_put_str(&buf, "{\"unusable\":");
    ves_jcs_write_string(&buf, ves_bytes_str(reason));
    ves_buf_put_u8(&buf, '}');
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status = ves_arena_copy(fold->arena, ves_buf_view(&buf), &row->note);
    ves_buf_free(&buf);
    return status;
}

static struct ves_bytes state_of(const struct ves_device_slot *slot)
{
    return slot->is_folded ? ves_buf_view(&slot->state) : slot->row.state;
}

static enum ves_status apply(struct ves_device_fold *fold,
                             struct ves_device_slot *slot,
                             const struct ves_event *event,
                             struct ves_log_row *row)
{
    struct ves_fold_note what = {.is_unusable = false};
    struct ves_bytes old = state_of(slot);

    slot->row.version++;
    slot->row.head = event->event_hash;
    slot->row.head_applied_at = row->sequence_number;
    row->applied_at = row->sequence_number;
    row->version = slot->row.version;

    ves_buf_reset(&fold->next);
    enum ves_status status =
        ves_fold(&fold->scratch, old, event, &fold->next, &what);
    if (status == VES_LIMIT)
        return note(fold, "the entity's state would grow too large", row);
    if (status)
        return status;
    if (what.is_unusable) {
        status = note(fold, what.reason, row);
        if (status)
            return status;
    }
    if (ves_bytes_equal(old, ves_buf_view(&fold->next)))
        return VES_OK;
    struct ves_buf swap = slot->state;
    slot->state = fold->next;
    fold->next = swap;
    slot->is_folded = true;
    return VES_OK;
}

enum ves_status ves_device_fold_event(struct ves_device_fold *fold,
                                      const struct ves_event *event,
                                      struct ves_log_row *row)
{
    struct ves_device_slot *slot = ves_device_fold_slot(fold, &row->entity_key);
    VES_ASSERT(slot);

    if (slot->row.entity_type.len == 0) {
        slot->row.entity_type = event->entity_type;
        slot->row.entity_id = event->entity_id;
    }
    ves_arena_reset(&fold->scratch);
    row->applied_at = 0;
    row->version = 0;
    row->note = ves_bytes(NULL, 0);
    enum ves_status status = judge(fold, slot, event, row);
    if (!status && row->verdict == VES_VERDICT_APPLIED)
        status = apply(fold, slot, event, row);
    return status;
}

static enum ves_status mark_buckets(struct ves_device_fold *fold)
{
    struct ves_agent_core *core = fold->core;
    bool *is_marked = ves_arena_alloc(fold->arena, VES_STATE_BUCKETS);
    uint16_t *buckets =
        ves_arena_alloc(fold->arena, fold->count * sizeof(*buckets));
    size_t count = 0;

    if (!is_marked || !buckets)
        return VES_NOMEM;
    for (size_t i = 0; i < fold->count; i++) {
        uint16_t bucket = ves_entity_bucket(&fold->slots[i].row.key);
        if (!fold->slots[i].is_folded || is_marked[bucket])
            continue;
        is_marked[bucket] = true;
        buckets[count++] = bucket;
    }
    if (count == 0)
        return VES_OK;
    return core->store->ops->bucket_mark(core->store, core->stream_no, buckets,
                                         count);
}

enum ves_status ves_device_fold_save(struct ves_device_fold *fold)
{
    struct ves_agent_core *core = fold->core;
    enum ves_status status = VES_OK;

    if (fold->count == 0)
        return VES_OK;
    struct ves_entity_row *rows =
        ves_arena_alloc(fold->arena, fold->count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    for (size_t i = 0; i < fold->count && !status; i++) {
        struct ves_device_slot *slot = &fold->slots[i];
        if (slot->is_folded) {
            slot->row.state = ves_buf_view(&slot->state);
            ves_sha256_one(slot->row.state.ptr, slot->row.state.len,
                           &slot->row.state_hash);
        }
        if (slot->needs_own_head)
            status = ves_device_own_head(core, &slot->row);
        rows[i] = slot->row;
    }
    if (!status)
        status = core->store->ops->entity_put(core->store, core->stream_no,
                                              rows, fold->count);
    return status ? status : mark_buckets(fold);
}

void ves_device_fold_close(struct ves_device_fold *fold)
{
    for (size_t i = 0; i < fold->count; i++)
        ves_buf_free(&fold->slots[i].state);
    ves_buf_free(&fold->next);
    ves_arena_free(&fold->scratch);
}
