/* agent_prune.c -- bodies of old events out of the log, without what the judge
 * may still need of them.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/key_event.h"
#include "core/rules.h"
#include "engine/agent_internal.h"
#include "engine/folding.h"

/* ---- how far ------------------------------------------------------------- */

struct limit {
    struct ves_agent_core *core;
    uint64_t below;
};

static void keep_from(struct limit *limit, uint64_t sequence)
{
    if (sequence > 0 && sequence < limit->below)
        limit->below = sequence;
}

static enum ves_status keep_waiting(void *ctx, uint64_t sequence,
                                    const struct ves_hash *waits_for)
{
    (void)waits_for;
    keep_from(ctx, sequence);
    return VES_OK;
}

static enum ves_status keep_member(void *ctx,
                                   const struct ves_conflict_member *member)
{
    keep_from(ctx, member->sequence_number);
    return VES_OK;
}

/* Who decides an open conflict has to see both sides. */
static enum ves_status keep_conflict(void *ctx,
                                     const struct ves_conflict_row *row)
{
    struct limit *limit = ctx;
    struct ves_store *store = limit->core->store;

    keep_from(limit, row->opened);
    return store->ops->member_list(store, limit->core->stream_no, &row->id,
                                   keep_member, limit);
}

static enum ves_status find_limit(struct limit *limit, struct ves_arena *arena)
{
    const struct ves_conflict_filter open = {.open_only = true};
    struct ves_agent_core *core = limit->core;
    struct ves_device_held held;
    uint64_t cursor;

    enum ves_status status = core->store->ops->waiting_list(
        core->store, core->stream_no, NULL, 0, keep_waiting, limit);
    if (!status)
        status = core->store->ops->conflict_list(core->store, core->stream_no,
                                                 &open, keep_conflict, limit);
    if (!status)
        status = ves_device_cursor(core, &cursor);
    if (!status)
        status = ves_device_held(core, arena, cursor, &held);
    if (!status && held.count > 0)
        keep_from(limit, held.rows[0].sequence_number);
    return status;
}

/* ---- what stays of them -------------------------------------------------- */

struct keeper {
    struct ves_agent_core *core;
    struct ves_arena *arena, reading;
    struct ves_log_row *rows;
    size_t count;
    uint64_t below, next;
    struct ves_rules_log rules;
};

static enum ves_status keep_effects(struct keeper *keeper,
                                    const struct ves_log_row *row)
{
    struct ves_log_row *kept = &keeper->rows[keeper->count];
    struct ves_judge_subject subject;
    struct ves_rules_at rules;
    struct ves_effects copy;
    struct ves_event event;

    *kept = *row;
    if (ves_arena_copy(keeper->arena, row->sub_code, &kept->sub_code) ||
        ves_arena_copy(keeper->arena, row->note, &kept->note) ||
        ves_arena_copy(keeper->arena, row->opposite, &kept->opposite))
        return VES_NOMEM;
    ves_arena_reset(&keeper->reading);
    enum ves_status status = ves_log_event_read(&keeper->reading, row->envelope,
                                                &keeper->core->error, &event);
    if (!status)
        status = ves_rules_log_at(&keeper->rules, &event, row->sequence_number,
                                  &rules);
    if (!status)
        status =
            ves_judge_subject_read(&keeper->reading, rules, &event, &subject);
    if (!status && !subject.has_effects)
        status = ves_judge_subject_effects(&keeper->reading, rules, &event,
                                           &subject.effects);
    if (!status)
        status = ves_effects_keep(keeper->arena, subject.effects,
                                  &kept->effects, &copy);
    if (!status)
        keeper->count++;
    return status;
}

/* Whoever comes later is judged by what was applied, and who decides a
 * conflict that was reopened by the fact that lost it. */
static bool is_judged_by(const struct ves_log_row *row)
{
    return row->verdict == VES_VERDICT_APPLIED ||
           (row->verdict == VES_VERDICT_CONFLICT && row->is_fact);
}

static enum ves_status visit(void *ctx, const struct ves_log_row *row)
{
    struct keeper *keeper = ctx;

    if (row->sequence_number >= keeper->below)
        return VES_AGAIN;
    keeper->next = row->sequence_number + 1;
    if (!is_judged_by(row) || row->effects.len > 0 || row->envelope.len == 0)
        return VES_OK;
    return keep_effects(keeper, row);
}

static enum ves_status keep_chunk(struct keeper *keeper)
{
    struct ves_agent_core *core = keeper->core;
    uint64_t from = keeper->next;

    ves_arena_reset(keeper->arena);
    keeper->count = 0;
    keeper->rows = ves_arena_alloc(keeper->arena,
                                   VES_DEVICE_CHUNK * sizeof(*keeper->rows));
    if (!keeper->rows)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->log_read(
        core->store, core->stream_no, from, VES_DEVICE_CHUNK, visit, keeper);
    if (status == VES_AGAIN || (!status && keeper->next == from)) {
        keeper->below = keeper->next;
        status = VES_OK;
    }
    if (status || keeper->count == 0)
        return status;
    return core->store->ops->log_judge(core->store, core->stream_no,
                                       keeper->rows, keeper->count);
}

static enum ves_status keep_all(struct ves_agent_core *core,
                                struct ves_arena *arena, uint64_t from,
                                uint64_t below)
{
    struct keeper keeper = {
        .core = core, .arena = arena, .below = below, .next = from};
    enum ves_status status = VES_OK;

    ves_arena_init(&keeper.reading, core->alloc, VES_FOLDING_ARENA_MAX);
    ves_rules_log_open(&keeper.rules, core->store, core->stream_no, core->alloc,
                       &core->owner_key);
    while (keeper.next < keeper.below && !status)
        status = keep_chunk(&keeper);
    ves_rules_log_close(&keeper.rules);
    ves_arena_free(&keeper.reading);
    return status;
}

enum ves_status ves_core_prune(struct ves_agent_core *core, uint64_t from,
                               uint64_t *below, uint64_t *count)
{
    struct limit limit = {core, *below};
    struct ves_arena arena;
    struct ves_hash spared[2];

    *count = 0;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = find_limit(&limit, &arena);
    if (!status && limit.below > from)
        status = keep_all(core, &arena, from, limit.below);
    ves_arena_free(&arena);
    if (status)
        return ves_device_say(core, status);
    *below = limit.below > from ? limit.below : from;
    /* What is declared there says how all other events are read. */
    ves_entity_key(ves_bytes_str(VES_SCHEMA_ENTITY_TYPE),
                   ves_bytes_str(VES_SCHEMA_ENTITY_ID), &spared[0]);
    /* And there, whose signatures count. */
    ves_entity_key(ves_bytes_str(VES_KEY_ENTITY_TYPE),
                   ves_bytes_str(VES_KEY_ENTITY_ID), &spared[1]);
    return ves_device_say(
        core, core->store->ops->log_prune(core->store, core->stream_no, *below,
                                          spared, 2, count));
}
