/* agent_view.c -- how a store stands, and what it holds of an entity. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/fold.h"
#include "engine/agent_internal.h"

enum { STATE_MAX = 64 * 1024 * 1024 };

/* ---- status -------------------------------------------------------------- */

static enum ves_status take_created(void *ctx, const struct ves_outbox_row *row)
{
    int64_t *created_ms = ctx;
    *created_ms = row->created_ms;
    return VES_OK;
}

static enum ves_status oldest_pending(struct ves_agent_core *core,
                                      struct ves_core_status *out)
{
    const struct ves_outbox_filter filter = {
        .status_mask = 1U << VES_OUTBOX_PENDING, .limit = 1};

    if (out->counts[VES_OUTBOX_PENDING] == 0)
        return VES_OK;
    return core->store->ops->outbox_list(core->store, &filter, take_created,
                                         &out->oldest_pending_ms);
}

struct failures {
    uint64_t left; /* open alerts not met yet */
    uint64_t count;
    bool is_epoch_new, is_beyond_epoch;
};

static enum ves_status count_failure(void *ctx, const struct ves_record *row)
{
    static const char *const codes[] = {
        "signature_invalid",     "receipt_invalid",
        "push_receipt_invalid",  "refusal_invalid",
        "directory_invalid",     "key_changed",
        "sequencer_key_changed", "receipt_contradiction",
        "part_invalid"};
    struct failures *failures = ctx;

    if (row->closed_ms != 0)
        return VES_OK;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (ves_bytes_is(row->code, codes[i]))
            failures->count++;
    }
    failures->is_epoch_new |= ves_bytes_is(row->code, VES_EPOCH_OPENED);
    failures->is_beyond_epoch |= ves_bytes_is(row->code, VES_EPOCH_BEYOND);
    return --failures->left == 0 ? VES_AGAIN : VES_OK;
}

static enum ves_status signature_failures(struct ves_agent_core *core,
                                          struct ves_core_status *out)
{
    struct failures failures = {0};

    enum ves_status status = core->store->ops->record_count_open(
        core->store, VES_RECORD_ALERT, core->stream_no, &failures.left);
    out->open_alerts = failures.left;
    if (!status && failures.left > 0) {
        status = core->store->ops->record_list(core->store, VES_RECORD_ALERT,
                                               core->stream_no, 0, true, 0,
                                               count_failure, &failures);
        if (status == VES_AGAIN)
            status = VES_OK;
    }
    out->signature_failures = failures.count;
    out->is_epoch_new = failures.is_epoch_new;
    out->is_beyond_epoch = failures.is_beyond_epoch;
    return status;
}

static enum ves_status take_id(void *ctx, const struct ves_log_row *row)
{
    struct ves_uuid *id = ctx;
    *id = row->event_id;
    return VES_OK;
}

static void fill_state(const struct ves_device_state *state,
                       struct ves_core_status *out)
{
    out->remote_head = state->remote_head;
    out->last_pushed = state->last_pushed;
    out->last_push_ms = (int64_t)state->last_push_ms;
    out->last_pull_ms = (int64_t)state->last_pull_ms;
    out->is_diverged = state->is_diverged;
    out->is_copied = state->is_copied;
    out->needs_auth = state->needs_auth;
    out->is_position_unproven = state->is_position_unproven;
    out->is_forbidden = state->is_forbidden;
    out->is_restoring =
        state->is_restoring || state->is_backup || state->fork_from > 0;
    out->has_taken_back = state->has_taken_back;
    out->is_breaker_open = state->is_breaker_open;
    out->offline_failures = (uint32_t)state->offline_failures;
    out->next_attempt_ms = (int64_t)state->next_attempt_ms;
}

static enum ves_status read_status(struct ves_agent_core *core,
                                   struct ves_arena *arena,
                                   struct ves_core_status *out)
{
    struct ves_device_state state;
    struct ves_bytes mark;
    uint64_t fold;
    enum ves_status status;

    status = ves_device_state_get(core, arena, &state);
    /* Somebody who only reads the file cannot have noted it. */
    if (!status)
        status = core->store->ops->meta_get(core->store, VES_STORE_BACKUP,
                                            arena, &mark);
    if (status == VES_NOT_FOUND)
        status = VES_OK;
    else if (!status && mark.len > 0)
        state.is_backup = 1;
    if (!status)
        status = core->store->ops->outbox_counts(core->store, out->counts);
    if (!status)
        status = ves_device_cursor(core, &out->cursor);
    if (!status)
        status = oldest_pending(core, out);
    if (!status)
        status = signature_failures(core, out);
    if (!status)
        status = core->store->ops->record_count_open(
            core->store, VES_RECORD_QUARANTINE, core->stream_no,
            &out->quarantined);
    if (!status && out->cursor > 0)
        status = core->store->ops->log_read(core->store, core->stream_no,
                                            out->cursor, 1, take_id,
                                            &out->last_pulled_event_id);
    if (!status)
        status = ves_device_number_get(core, arena, "fold.version", 0, 0,
                                       UINT32_MAX, &fold);
    if (!status)
        status = ves_device_unknown_schema(core, &out->unknown_schema_at);
    if (!status)
        status = ves_core_finality(core, &out->finality);
    if (status)
        return ves_device_say(core, status);
    fill_state(&state, out);
    out->fold_version = (uint32_t)fold;
    return VES_OK;
}

enum ves_status ves_core_standing(struct ves_agent_core *core,
                                  struct ves_core_status *out)
{
    struct ves_arena arena;

    memset(out, 0, sizeof(*out));
    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = read_status(core, &arena, out);
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_status(struct ves_agent_core *core,
                                struct ves_core_status *out)
{
    enum ves_status status = ves_core_standing(core, out);

    if (status || out->unknown_schema_at > 0)
        return status;
    return ves_device_state_hash(core, &out->at_sequence, &out->state_hash);
}

/* ---- one entity ---------------------------------------------------------- */

/* Folds own events over the sequenced state; state and next change places. */
struct overlay {
    struct ves_rules_log rules;
    struct ves_arena scratch;
    struct ves_buf state, next;
};

static enum ves_status visit_own(void *ctx, const struct ves_outbox_row *row)
{
    struct overlay *overlay = ctx;
    struct ves_fold_note note;
    struct ves_refusal refusal;
    struct ves_rules_at rules;
    struct ves_event event;

    ves_arena_reset(&overlay->scratch);
    enum ves_status status =
        ves_event_read(&overlay->scratch, row->envelope, &event, &refusal);
    if (!status)
        status = ves_event_check(&overlay->scratch, &event, &refusal);
    if (status)
        return status == VES_REFUSED ? VES_CORRUPT : status;
    status =
        ves_rules_log_at(&overlay->rules, &event, VES_SEQUENCE_NEXT, &rules);
    if (status)
        return status;
    ves_buf_reset(&overlay->next);
    status = ves_fold(&overlay->scratch, rules, ves_buf_view(&overlay->state),
                      &event, &overlay->next, &note);
    if (status)
        return status == VES_LIMIT ? VES_OK : status;
    struct ves_buf swap = overlay->state;
    overlay->state = overlay->next;
    overlay->next = swap;
    return VES_OK;
}

static enum ves_status fold_own(struct ves_agent_core *core,
                                struct overlay *overlay,
                                const struct ves_entity_row *row,
                                struct ves_arena *arena, struct ves_bytes *out)
{
    ves_buf_put_bytes(&overlay->state, row->state);
    enum ves_status status = ves_buf_status(&overlay->state);
    if (!status)
        status = core->store->ops->outbox_overlay(
            core->store, row->own_last, row->own_count, visit_own, overlay);
    if (status)
        return status;
    return ves_arena_copy(arena, ves_buf_view(&overlay->state), out);
}

static enum ves_status local_state(struct ves_agent_core *core,
                                   const struct ves_entity_row *row,
                                   struct ves_arena *arena,
                                   struct ves_bytes *out)
{
    struct overlay overlay;

    *out = row->state;
    if (row->own_count == 0)
        return VES_OK;
    ves_arena_init(&overlay.scratch, core->alloc, VES_DEVICE_ARENA_MAX);
    ves_buf_init(&overlay.state, core->alloc, STATE_MAX);
    ves_buf_init(&overlay.next, core->alloc, STATE_MAX);
    ves_rules_log_open(&overlay.rules, core->store, core->stream_no,
                       core->alloc, &core->owner_key);
    enum ves_status status = fold_own(core, &overlay, row, arena, out);
    ves_rules_log_close(&overlay.rules);
    ves_buf_free(&overlay.state);
    ves_buf_free(&overlay.next);
    ves_arena_free(&overlay.scratch);
    return status;
}

enum ves_status ves_core_entity(struct ves_agent_core *core,
                                struct ves_bytes entity_type,
                                struct ves_bytes entity_id,
                                struct ves_arena *arena,
                                struct ves_core_entity *out)
{
    struct ves_entity_row row;
    struct ves_entity_name name;

    memset(out, 0, sizeof(*out));
    core->error.status = VES_OK;
    ves_entity_name(entity_type, entity_id, &name);
    enum ves_status status = core->store->ops->entity_get(
        core->store, core->stream_no, &name, 1, arena, &row);
    if (status)
        return ves_device_say(core, status);
    if (!row.is_found)
        return VES_OK;
    row.key = name.key;
    out->is_found = true;
    out->state = row.state;
    out->version = row.version;
    out->own_count = row.own_count;
    out->head = row.head;
    out->state_hash = row.state_hash;
    return ves_device_say(core,
                          local_state(core, &row, arena, &out->local_state));
}

/* ---- trail --------------------------------------------------------------- */

enum ves_status ves_core_trail(struct ves_agent_core *core, int64_t now_ms,
                               const char *code, const char *detail_json)
{
    enum ves_status status = ves_device_begin(core);
    if (status)
        return status;
    return ves_device_end(
        core, ves_device_trail(core, now_ms, code, ves_bytes_str(detail_json)));
}
