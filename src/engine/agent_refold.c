/* agent_refold.c -- judging and folding the whole log again, after a change of
 * the rules (semantics.md decision 5).
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/types.h"
#include "engine/agent_internal.h"

/* Log rows read at a time. */
struct chunk {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_log_row *rows;
    struct ves_event *events;
    struct ves_hash *keys;
    size_t count;
    bool is_pruned;
};

/* The stored form lacks only its closing brace. */
static enum ves_status read_envelope(struct chunk *chunk,
                                     struct ves_bytes envelope,
                                     struct ves_event *event)
{
    struct ves_refusal refusal;
    uint8_t *text = ves_arena_bytes(chunk->arena, envelope.len + 1);

    if (!text)
        return VES_NOMEM;
    memcpy(text, envelope.ptr, envelope.len);
    text[envelope.len] = '}';
    enum ves_status status = ves_event_read(
        chunk->arena, ves_bytes(text, envelope.len + 1), event, &refusal);
    if (!status)
        status = ves_event_check(chunk->arena, event, &refusal);
    if (status == VES_REFUSED)
        return ves_fail(&chunk->core->error, VES_CORRUPT,
                        "an event in the log is not readable any more: %s",
                        refusal.message);
    return status;
}

static enum ves_status visit(void *ctx, const struct ves_log_row *row)
{
    struct chunk *chunk = ctx;

    if (row->envelope.len == 0) {
        chunk->is_pruned = true;
        return VES_AGAIN;
    }
    enum ves_status status =
        read_envelope(chunk, row->envelope, &chunk->events[chunk->count]);
    if (status)
        return status;
    struct ves_log_row *copy = &chunk->rows[chunk->count];
    *copy = *row;
    copy->envelope = ves_bytes(NULL, 0);
    copy->raw = ves_bytes(NULL, 0);
    copy->note = ves_bytes(NULL, 0);
    copy->sub_code = ves_bytes(NULL, 0);
    chunk->keys[chunk->count] = row->entity_key;
    chunk->count++;
    return VES_OK;
}

static enum ves_status read_chunk(struct chunk *chunk, uint64_t from)
{
    struct ves_agent_core *core = chunk->core;

    chunk->count = 0;
    chunk->rows =
        ves_arena_alloc(chunk->arena, VES_DEVICE_CHUNK * sizeof(*chunk->rows));
    chunk->events = ves_arena_alloc(chunk->arena,
                                    VES_DEVICE_CHUNK * sizeof(*chunk->events));
    chunk->keys =
        ves_arena_alloc(chunk->arena, VES_DEVICE_CHUNK * sizeof(*chunk->keys));
    if (!chunk->rows || !chunk->events || !chunk->keys)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->log_read(
        core->store, core->stream_no, from, VES_DEVICE_CHUNK, visit, chunk);
    return status == VES_AGAIN && chunk->is_pruned ? VES_OK : status;
}

/* Own rows show the verdict their event has now. */
static enum ves_status update_own(struct chunk *chunk)
{
    struct ves_agent_core *core = chunk->core;
    struct ves_uuid *ids =
        ves_arena_alloc(chunk->arena, chunk->count * sizeof(*ids));
    struct ves_outbox_row *rows =
        ves_arena_alloc(chunk->arena, chunk->count * sizeof(*rows));
    uint32_t *verdicts =
        ves_arena_alloc(chunk->arena, chunk->count * sizeof(*verdicts));
    size_t count = 0;
    size_t n = 0;

    if (!ids || !rows || !verdicts)
        return VES_NOMEM;
    for (size_t i = 0; i < chunk->count; i++) {
        if (!ves_uuid_equal(&chunk->rows[i].agent, &core->agent))
            continue;
        ids[count] = chunk->rows[i].event_id;
        verdicts[count++] = chunk->rows[i].verdict;
    }
    if (count == 0)
        return VES_OK;
    enum ves_status status = core->store->ops->outbox_get(
        core->store, ids, count, chunk->arena, rows);
    for (size_t i = 0; i < count && !status; i++) {
        struct ves_outbox_row *row = &rows[i];
        if (row->local_seq == 0 ||
            (row->has_verdict && row->verdict == verdicts[i]))
            continue;
        row->has_verdict = true;
        row->verdict = verdicts[i];
        row->disposition =
            ves_bytes_str(ves_verdict_name((enum ves_verdict)verdicts[i]));
        if (verdicts[i] == VES_VERDICT_CONFLICT)
            row->status = VES_OUTBOX_CONFLICT;
        else if (row->status == VES_OUTBOX_CONFLICT)
            row->status = VES_OUTBOX_SYNCING;
        rows[n++] = *row;
    }
    if (status || n == 0)
        return status;
    return core->store->ops->outbox_update(core->store, rows, n);
}

/* Rows keep their place in the entity's chain; its end is made again. */
static void link_again(struct ves_device_slot *slot,
                       const struct ves_log_row *row)
{
    slot->row.count = row->entity_index;
    slot->row.last = row->sequence_number;
    slot->row.last_jump = row->entity_jump;
}

static enum ves_status fold_chunk(struct chunk *chunk)
{
    struct ves_agent_core *core = chunk->core;
    struct ves_device_fold fold;

    enum ves_status status = ves_device_fold_open(&fold, core, chunk->arena,
                                                  chunk->keys, chunk->count);
    for (size_t i = 0; i < chunk->count && !status; i++) {
        struct ves_log_row *row = &chunk->rows[i];
        link_again(ves_device_fold_slot(&fold, &row->entity_key), row);
        status = ves_device_fold_event(&fold, &chunk->events[i], row);
    }
    if (!status)
        status = core->store->ops->log_judge(core->store, core->stream_no,
                                             chunk->rows, chunk->count);
    if (!status)
        status = ves_device_fold_save(&fold);
    ves_device_fold_close(&fold);
    return status ? status : update_own(chunk);
}

static enum ves_status mark_all(struct ves_agent_core *core)
{
    uint16_t buckets[VES_STATE_BUCKETS];

    for (unsigned b = 0; b < VES_STATE_BUCKETS; b++)
        buckets[b] = (uint16_t)b;
    return core->store->ops->bucket_mark(core->store, core->stream_no, buckets,
                                         VES_STATE_BUCKETS);
}

static enum ves_status refold(struct chunk *chunk)
{
    struct ves_agent_core *core = chunk->core;
    uint64_t head;

    enum ves_status status = ves_device_cursor(core, &head);
    /* Pruning goes from the front, so the first row tells. */
    if (!status && head > 0)
        status = read_chunk(chunk, 1);
    if (status || chunk->is_pruned)
        return status;
    status = core->store->ops->entity_reset(core->store, core->stream_no);
    if (!status)
        status = mark_all(core);
    for (uint64_t from = 1; from <= head && !status;) {
        ves_arena_reset(chunk->arena);
        status = read_chunk(chunk, from);
        if (!status && (chunk->is_pruned || chunk->count == 0))
            status = ves_fail(&core->error, VES_CORRUPT,
                              "the log has no body at number %llu",
                              (unsigned long long)from);
        if (!status)
            status = fold_chunk(chunk);
        from += chunk->count;
    }
    if (!status)
        status = ves_device_number_put(core, "fold.version", VES_FOLD_VERSION);
    if (!status)
        status =
            ves_device_number_put(core, "judge.version", VES_JUDGE_VERSION);
    return status;
}

enum ves_status ves_device_refold(struct ves_agent_core *core, bool *is_pruned)
{
    struct ves_arena arena;
    struct chunk chunk = {.core = core, .arena = &arena};

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = refold(&chunk);
    *is_pruned = chunk.is_pruned;
    ves_arena_free(&arena);
    return status;
}

static enum ves_status refold_or_say(struct ves_agent_core *core)
{
    bool is_pruned = false;

    enum ves_status status = ves_device_refold(core, &is_pruned);
    if (!status && is_pruned)
        return ves_fail(&core->error, VES_UNSUPPORTED,
                        "the log was pruned, so it cannot be folded again; "
                        "nothing was changed. Set up a new store to fold it "
                        "from the sequencer's");
    return status;
}

enum ves_status ves_core_refold(struct ves_agent_core *core)
{
    enum ves_status status = ves_device_begin(core);
    return status ? status : ves_device_end(core, refold_or_say(core));
}
