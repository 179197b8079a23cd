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
#include "engine/follow_ups.h"
#include "engine/rejudge.h"

/* ---- one chunk ----------------------------------------------------------- */

struct refold {
    struct ves_agent_core *core;
    const struct ves_rejudge_chunk *chunk;
    struct ves_device_fold fold;
};

static enum ves_status begin(void *ctx, const struct ves_rejudge_chunk *chunk,
                             struct ves_verdicts **v)
{
    struct refold *refold = ctx;

    refold->chunk = chunk;
    enum ves_status status =
        ves_device_fold_open(&refold->fold, refold->core, chunk->arena,
                             chunk->names, chunk->name_count);
    if (!status)
        status = ves_device_fold_begin(&refold->fold, chunk->rules, chunk->base,
                                       chunk->count);
    if (status)
        ves_device_fold_close(&refold->fold);
    *v = &refold->fold.verdicts;
    return status;
}

static enum ves_status link(void *ctx, const struct ves_event *event,
                            const struct ves_log_row *row)
{
    struct refold *refold = ctx;
    struct ves_device_slot *slot =
        ves_device_fold_slot(&refold->fold, &row->entity_key);

    ves_rejudge_link(&slot->entity.row, event, row);
    slot->entity.is_changed = true;
    return VES_OK;
}

static enum ves_status end(void *ctx, enum ves_status status)
{
    struct refold *refold = ctx;

    if (!status)
        status = ves_device_fold_save(&refold->fold);
    ves_device_fold_close(&refold->fold);
    return status;
}

/* ---- own rows ------------------------------------------------------------ */

/* Own events among some rows of the log, and their verdicts. */
struct own_rows {
    struct ves_agent_core *core;
    struct ves_uuid *ids;
    uint32_t *verdicts;
    size_t count, seen;
};

static enum ves_status take_own(void *ctx, const struct ves_log_row *row)
{
    struct own_rows *own = ctx;

    own->seen++;
    if (row->verdict == VES_VERDICT_NONE ||
        !ves_uuid_equal(&row->agent, &own->core->agent))
        return VES_OK;
    own->ids[own->count] = row->event_id;
    own->verdicts[own->count++] = row->verdict;
    return VES_OK;
}

/* Those in conflict are looked at with their conflict. */
static void show_verdict(struct ves_outbox_row *row, uint32_t verdict)
{
    row->has_verdict = true;
    row->verdict = verdict;
    row->disposition =
        ves_bytes_str(ves_verdict_name((enum ves_verdict)verdict));
    row->is_likely_conflict = false;
    if (verdict != VES_VERDICT_CONFLICT && row->status == VES_OUTBOX_CONFLICT)
        row->status =
            row->has_receipt ? VES_OUTBOX_SYNCING : VES_OUTBOX_PENDING;
}

static enum ves_status update_some(struct own_rows *own,
                                   struct ves_arena *arena)
{
    struct ves_agent_core *core = own->core;
    struct ves_outbox_row *rows =
        ves_arena_alloc(arena, own->count * sizeof(*rows));
    size_t n = 0;

    if (!rows)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->outbox_get(
        core->store, own->ids, own->count, arena, rows);
    for (size_t i = 0; i < own->count && !status; i++) {
        if (rows[i].local_seq == 0 ||
            (rows[i].has_verdict && rows[i].verdict == own->verdicts[i]))
            continue;
        show_verdict(&rows[i], own->verdicts[i]);
        rows[n++] = rows[i];
    }
    if (status || n == 0)
        return status;
    return core->store->ops->outbox_update(core->store, rows, n);
}

/* Own rows show the verdict their event has now. */
static enum ves_status update_own(struct ves_agent_core *core)
{
    struct own_rows own = {.core = core, .seen = VES_DEVICE_CHUNK};
    enum ves_status status = VES_OK;
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    for (uint64_t from = 1; own.seen == VES_DEVICE_CHUNK && !status;
         from += own.seen) {
        ves_arena_reset(&arena);
        own.count = own.seen = 0;
        own.ids = ves_arena_alloc(&arena, VES_DEVICE_CHUNK * sizeof(*own.ids));
        own.verdicts =
            ves_arena_alloc(&arena, VES_DEVICE_CHUNK * sizeof(*own.verdicts));
        status =
            own.ids && own.verdicts
                ? core->store->ops->log_read(core->store, core->stream_no, from,
                                             VES_DEVICE_CHUNK, take_own, &own)
                : VES_NOMEM;
        if (!status && own.count > 0)
            status = update_some(&own, &arena);
    }
    ves_arena_free(&arena);
    return status ? status : ves_device_conflicts_all(core);
}

/* ---- all of it ----------------------------------------------------------- */

/* What is folded marks its bucket; this is for entities that are not folded
 * any more.  A bucket that was never hashed, and is not marked, has none. */
static enum ves_status mark_hashed(struct ves_agent_core *core)
{
    static const struct ves_hash never;
    struct ves_arena arena;
    size_t count = 0;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    struct ves_hash *hashes =
        ves_arena_alloc(&arena, VES_STATE_BUCKETS * sizeof(*hashes));
    bool *is_dirty =
        ves_arena_alloc(&arena, VES_STATE_BUCKETS * sizeof(*is_dirty));
    uint16_t *buckets =
        ves_arena_alloc(&arena, VES_STATE_BUCKETS * sizeof(*buckets));
    enum ves_status status =
        hashes && is_dirty && buckets
            ? core->store->ops->bucket_get_all(core->store, core->stream_no,
                                               hashes, is_dirty)
            : VES_NOMEM;

    for (unsigned b = 0; b < VES_STATE_BUCKETS && !status; b++)
        if (!is_dirty[b] && !ves_hash_equal(&hashes[b], &never))
            buckets[count++] = (uint16_t)b;
    if (!status && count > 0)
        status = core->store->ops->bucket_mark(core->store, core->stream_no,
                                               buckets, count);
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_device_refold(struct ves_agent_core *core, bool *is_pruned)
{
    struct refold refold = {.core = core};
    const struct ves_rejudge_host host = {&refold, begin, link, end};
    uint64_t head, follow_ups, unknown;

    *is_pruned = false;
    enum ves_status status = ves_device_cursor(core, &head);
    if (!status)
        status = ves_core_follow_ups(core, &follow_ups);
    if (!status)
        status = ves_device_unknown_schema(core, &unknown);
    if (!status)
        status = ves_device_follow_ups_begin(core, 0);
    if (!status)
        status = ves_device_number_put(core, VES_DEVICE_UNKNOWN_SCHEMA, 0);
    if (!status)
        status = ves_rejudge(core->store, core->stream_no, core->alloc,
                             &core->owner_key, head, &host, is_pruned);
    if (!status && *is_pruned) {
        status = ves_device_follow_ups_begin(core, follow_ups);
        return status ? status
                      : ves_device_number_put(core, VES_DEVICE_UNKNOWN_SCHEMA,
                                              unknown);
    }
    if (status)
        return status;
    status = mark_hashed(core);
    if (!status)
        status = update_own(core);
    if (!status)
        status = ves_device_number_put(core, "fold.version", VES_FOLD_VERSION);
    if (!status)
        status =
            ves_device_number_put(core, "judge.version", VES_JUDGE_VERSION);
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
