/* agent_rows.c -- outbox rows and the overlay they form on entities. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/agent_internal.h"

bool ves_device_is_decided(const struct ves_outbox_row *row)
{
    return row->status == VES_OUTBOX_FAILED &&
           (ves_bytes_is(row->disposition, VES_DISPOSITION_REISSUED) ||
            ves_bytes_is(row->disposition, VES_DISPOSITION_OVERRIDDEN) ||
            ves_bytes_is(row->disposition, VES_DISPOSITION_SETTLED));
}

static enum ves_status count_undelivered(void *ctx,
                                         const struct ves_outbox_row *row)
{
    struct ves_undelivered *out = ctx;
    bool is_open = !ves_device_is_decided(row);

    out->events += is_open;
    out->refused += is_open && row->is_refused;
    return VES_OK;
}

enum ves_status ves_core_undelivered(struct ves_agent_core *core,
                                     uint64_t failed,
                                     struct ves_undelivered *out)
{
    const struct ves_outbox_filter filter = {.status_mask =
                                                 1U << VES_OUTBOX_FAILED};

    *out = (struct ves_undelivered){0};
    if (failed == 0)
        return VES_OK;
    return core->store->ops->outbox_list(core->store, &filter,
                                         count_undelivered, out);
}

void ves_device_row_unsend(struct ves_outbox_row *row)
{
    row->status = VES_OUTBOX_PENDING;
    row->claim = 0;
    row->attempts = 0;
    row->next_attempt_ms = 0;
    row->error_class = VES_ERROR_NONE;
    row->error = ves_bytes(NULL, 0);
    row->sequence_number = 0;
    row->sequencer_id = (struct ves_uuid){{0}};
    row->sequenced_at_ms = 0;
    row->has_receipt = false;
    row->receipt = (struct ves_sig){{0}};
    row->receipt_key_version = 0;
    row->has_verdict = false;
    row->verdict = 0;
    row->disposition = ves_bytes(NULL, 0);
    row->pushed_ms = 0;
    row->synced_ms = 0;
}

enum ves_status ves_device_row_copy(struct ves_arena *arena,
                                    const struct ves_outbox_row *row,
                                    bool with_envelope,
                                    struct ves_outbox_row *out)
{
    struct ves_bytes *views[] = {&out->entity_type, &out->entity_id,
                                 &out->event_type,  &out->created_at,
                                 &out->error,       &out->disposition,
                                 &out->envelope};
    size_t count = sizeof(views) / sizeof(views[0]) - (with_envelope ? 0 : 1);

    *out = *row;
    if (!with_envelope)
        out->envelope = ves_bytes(NULL, 0);
    for (size_t i = 0; i < count; i++) {
        enum ves_status status = ves_arena_copy(arena, *views[i], views[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status take_hash(void *ctx, const struct ves_outbox_row *row)
{
    struct ves_hash *head = ctx;
    *head = row->event_hash;
    return VES_OK;
}

enum ves_status ves_device_own_head(struct ves_agent_core *core,
                                    struct ves_entity_row *entity)
{
    memset(&entity->own_head, 0, sizeof(entity->own_head));
    if (entity->own_count == 0)
        return VES_OK;
    return core->store->ops->outbox_overlay(core->store, entity->own_last, 1,
                                            take_hash, &entity->own_head);
}

static enum ves_status count_overlay(struct ves_device_fold *fold,
                                     const struct ves_outbox_row *rows,
                                     size_t count, bool is_in)
{
    for (size_t i = 0; i < count; i++) {
        struct ves_device_slot *slot =
            ves_device_fold_slot(fold, &rows[i].entity_key);
        VES_ASSERT(slot);
        if (!is_in && slot->entity.row.own_count == 0)
            return ves_fail(&fold->core->error, VES_CORRUPT,
                            "an entity counts fewer own events than the "
                            "outbox holds for it");
        if (is_in)
            slot->entity.row.own_count++;
        else
            slot->entity.row.own_count--;
        slot->needs_own_head = true;
    }
    return ves_device_fold_save(fold);
}

enum ves_status ves_device_overlay(struct ves_agent_core *core,
                                   struct ves_arena *arena,
                                   struct ves_outbox_row *rows, size_t count,
                                   bool is_in)
{
    struct ves_device_fold fold;

    if (count == 0)
        return VES_OK;
    struct ves_entity_name *names =
        ves_arena_alloc(arena, count * sizeof(*names));
    if (!names)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++) {
        VES_ASSERT(rows[i].is_in_overlay != is_in);
        rows[i].is_in_overlay = is_in;
        names[i] = (struct ves_entity_name){
            rows[i].entity_key, rows[i].entity_type, rows[i].entity_id};
    }
    enum ves_status status =
        core->store->ops->outbox_update(core->store, rows, count);
    if (status)
        return status;
    status = ves_device_fold_open(&fold, core, arena, names, count);
    if (!status)
        status = count_overlay(&fold, rows, count, is_in);
    ves_device_fold_close(&fold);
    return status;
}
