/* agent_ack.c -- acknowledging what is proven, retrying what failed. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/agent_internal.h"

/* ---- acknowledge --------------------------------------------------------- */

/* One call of ves_core_acknowledge. */
struct ack {
    struct ves_agent_core *core;
    struct ves_arena *arena; /* of one chunk */
    int64_t now_ms;
    struct ves_ack_result *result;
    struct ves_outbox_row *rows; /* looked at */
    size_t count;
    struct ves_uuid *proven; /* their receipts verify */
    size_t proven_count;
    uint64_t after; /* local_seq of the last row listed */
    size_t listed;
    uint64_t acknowledged, already_synced, not_acknowledged;
};

static void object(struct ack *ack, const struct ves_uuid *event_id,
                   const char *reason)
{
    struct ves_ack_result *result = ack->result;
    const size_t max = sizeof(result->problems) / sizeof(result->problems[0]);

    ack->not_acknowledged++;
    if (result->problem_count == max)
        return;
    struct ves_ack_problem *problem =
        &result->problems[result->problem_count++];
    problem->event_id = *event_id;
    VES_ASSERT(strlen(reason) < sizeof(problem->reason));
    memcpy(problem->reason, reason, strlen(reason) + 1);
}

/* Why the row cannot be acknowledged, before its receipt is looked at; NULL
 * when it may be. */
static const char *obstacle(const struct ves_outbox_row *row)
{
    switch (row->status) {
    case VES_OUTBOX_PENDING:
        return "it was not sent yet: push first";
    case VES_OUTBOX_FAILED:
        return "it failed; its outbox row says why";
    case VES_OUTBOX_CONFLICT:
        return "it is in conflict: resolve that first";
    case VES_OUTBOX_SYNCING:
    case VES_OUTBOX_SYNCED:
    case VES_OUTBOX_STATUSES:
        break;
    }
    if (!row->has_receipt)
        return "the sequencer has not proven that it took it: there is no "
               "receipt";
    if (!row->has_verdict)
        return "its verdict is not known yet: pull first";
    return NULL;
}

/* Verifies the receipts of rows again, all in one batch. */
static enum ves_status verify(struct ack *ack)
{
    struct ves_agent_core *core = ack->core;
    struct ves_verify_item *items = ves_arena_list(
        ack->arena, ack->count * core->sequencer_key_count, sizeof(*items));
    size_t n = 0;

    ack->proven = ves_arena_list(ack->arena, ack->count, sizeof(*ack->proven));
    if (!items || !ack->proven)
        return VES_NOMEM;
    for (size_t i = 0; i < ack->count; i++) {
        const struct ves_outbox_row *row = &ack->rows[i];
        struct ves_hash hash;
        ves_receipt_hash(&core->stream, &row->event_id, row->sequence_number,
                         &row->event_hash, &hash);
        ves_device_key_items(core, row->receipt_key_version, &hash,
                             &row->receipt, &items[n]);
        n += ves_device_key_count(core, row->receipt_key_version);
    }
    if (n > 0)
        core->verifier->verify(core->verifier, items, n);
    n = 0;
    for (size_t i = 0; i < ack->count; i++) {
        const struct ves_outbox_row *row = &ack->rows[i];
        size_t keys = ves_device_key_count(core, row->receipt_key_version);
        if (ves_device_is_valid(&items[n], keys))
            ack->proven[ack->proven_count++] = row->event_id;
        else
            object(ack, &row->event_id,
                   "its receipt does not verify against the pinned keys");
        n += keys;
    }
    return VES_OK;
}

/* Rows may have moved on since they were verified, so they are read again
 * where they are written. */
static enum ves_status store_synced(struct ack *ack)
{
    struct ves_agent_core *core = ack->core;
    struct ves_outbox_row *rows =
        ves_arena_alloc(ack->arena, ack->proven_count * sizeof(*rows));
    size_t n = 0;

    if (!rows)
        return VES_NOMEM;
    if (ack->proven_count == 0)
        return VES_OK;
    enum ves_status status = core->store->ops->outbox_get(
        core->store, ack->proven, ack->proven_count, ack->arena, rows);
    if (status)
        return status;
    for (size_t i = 0; i < ack->proven_count; i++) {
        struct ves_outbox_row *row = &rows[i];
        if (row->local_seq == 0 || row->status != VES_OUTBOX_SYNCING ||
            obstacle(row))
            continue;
        row->status = VES_OUTBOX_SYNCED;
        row->claim = 0;
        row->synced_ms = ack->now_ms;
        rows[n++] = *row;
    }
    ack->acknowledged = n;
    if (n == 0)
        return VES_OK;
    return core->store->ops->outbox_update(core->store, rows, n);
}

static enum ves_status store_trail(struct ack *ack)
{
    struct ves_buf buf;

    ves_buf_init(&buf, ack->core->alloc, 4096);
    ves_buf_putf(&buf,
                 "{\"acknowledged\":%llu,\"alreadySynced\":%llu,"
                 "\"notAcknowledged\":%llu}",
                 (unsigned long long)ack->acknowledged,
                 (unsigned long long)ack->already_synced,
                 (unsigned long long)ack->not_acknowledged);
    return ves_device_trail_end(ack->core, ack->now_ms, "ack", &buf);
}

/* Verifies and acknowledges ack->rows in one transaction, and counts. */
static enum ves_status settle_chunk(struct ack *ack)
{
    struct ves_ack_result *result = ack->result;

    enum ves_status status = verify(ack);
    if (status)
        return ves_device_say(ack->core, status);
    status = ves_device_begin(ack->core);
    if (status)
        return status;
    status = store_synced(ack);
    if (!status)
        status = store_trail(ack);
    status = ves_device_end(ack->core, status);
    if (status)
        return status;
    result->acknowledged += ack->acknowledged;
    result->already_synced += ack->already_synced;
    result->not_acknowledged += ack->not_acknowledged;
    return VES_OK;
}

static enum ves_status visit_syncing(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct ack *ack = ctx;
    const char *why = obstacle(row);

    ack->after = row->local_seq;
    ack->listed++;
    if (why) {
        object(ack, &row->event_id, why);
        return VES_OK;
    }
    /* Fixed-size members suffice; the views end with this call. */
    ack->rows[ack->count++] = *row;
    return VES_OK;
}

static enum ves_status ack_all(struct ack *ack)
{
    struct ves_store *store = ack->core->store;
    struct ves_outbox_filter filter = {.status_mask = 1U << VES_OUTBOX_SYNCING,
                                       .limit = VES_DEVICE_CHUNK};

    do {
        ves_arena_reset(ack->arena);
        ack->listed = 0;
        ack->count = 0;
        ack->proven_count = 0;
        ack->acknowledged = 0;
        ack->not_acknowledged = 0;
        ack->rows =
            ves_arena_list(ack->arena, VES_DEVICE_CHUNK, sizeof(*ack->rows));
        if (!ack->rows)
            return ves_device_say(ack->core, VES_NOMEM);
        filter.after_local_seq = ack->after;
        enum ves_status status =
            store->ops->outbox_list(store, &filter, visit_syncing, ack);
        if (status)
            return ves_device_say(ack->core, status);
        status = settle_chunk(ack);
        if (status)
            return status;
    } while (ack->listed == VES_DEVICE_CHUNK);
    return VES_OK;
}

static enum ves_status ack_named(struct ack *ack, const struct ves_uuid *ids,
                                 size_t count)
{
    struct ves_store *store = ack->core->store;
    struct ves_outbox_row *rows =
        ves_arena_alloc(ack->arena, count * sizeof(*rows));

    if (!rows)
        return ves_device_say(ack->core, VES_NOMEM);
    enum ves_status status =
        store->ops->outbox_get(store, ids, count, ack->arena, rows);
    if (status)
        return ves_device_say(ack->core, status);
    ack->rows = rows;
    for (size_t i = 0; i < count; i++) {
        const char *why = rows[i].local_seq == 0
                              ? "the outbox holds no such event"
                              : obstacle(&rows[i]);
        bool is_twice = false;
        for (size_t j = 0; j < ack->count && !is_twice; j++)
            is_twice = rows[j].local_seq == rows[i].local_seq;
        if (why)
            object(ack, &ids[i], why);
        else if (rows[i].status == VES_OUTBOX_SYNCED || is_twice)
            ack->already_synced++;
        else
            rows[ack->count++] = rows[i];
    }
    return settle_chunk(ack);
}

enum ves_status ves_core_acknowledge(struct ves_agent_core *core,
                                     const struct ves_uuid *ids, size_t count,
                                     int64_t now_ms,
                                     struct ves_ack_result *result)
{
    struct ves_arena arena;
    struct ack ack = {
        .core = core, .arena = &arena, .now_ms = now_ms, .result = result};

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ids ? ack_named(&ack, ids, count) : ack_all(&ack);
    ves_arena_free(&arena);
    return status;
}

/* ---- retry --------------------------------------------------------------- */

struct retry {
    struct ves_arena *arena;
    struct ves_outbox_row *rows;
    size_t count, listed;
    uint64_t after; /* local_seq of the last row listed */
};

/* A conflict that nobody signed too: asking again is the only way to hear
 * something else. */
static bool has_failed(const struct ves_outbox_row *row)
{
    return row->status == VES_OUTBOX_FAILED ||
           (row->status == VES_OUTBOX_CONFLICT && row->sequence_number == 0 &&
            !row->is_refused);
}

static enum ves_status visit_failed(void *ctx, const struct ves_outbox_row *row)
{
    struct retry *retry = ctx;

    retry->listed++;
    retry->after = row->local_seq;
    if (ves_device_is_decided(row) || !has_failed(row))
        return VES_OK;
    return ves_device_row_copy(retry->arena, row, false,
                               &retry->rows[retry->count++]);
}

enum ves_status ves_device_requeue(struct ves_agent_core *core,
                                   struct ves_arena *arena,
                                   struct ves_outbox_row *rows, size_t count)
{
    struct ves_outbox_row *returning =
        ves_arena_alloc(arena, count * sizeof(*returning));
    size_t n = 0;

    if (!returning)
        return VES_NOMEM;
    if (count == 0)
        return VES_OK;
    for (size_t i = 0; i < count; i++) {
        rows[i].status = VES_OUTBOX_PENDING;
        rows[i].claim = 0;
        rows[i].attempts = 0;
        rows[i].next_attempt_ms = 0;
        rows[i].error_class = VES_ERROR_NONE;
        rows[i].error = ves_bytes(NULL, 0);
        rows[i].is_refused = false;
        if (!rows[i].is_in_overlay)
            returning[n++] = rows[i];
    }
    enum ves_status status =
        core->store->ops->outbox_update(core->store, rows, count);
    if (status)
        return status;
    return ves_device_overlay(core, arena, returning, n, true);
}

static enum ves_status retry_all(struct ves_agent_core *core,
                                 struct ves_arena *arena, uint64_t *retried)
{
    struct ves_outbox_filter filter = {.status_mask = 1U << VES_OUTBOX_FAILED |
                                                      1U << VES_OUTBOX_CONFLICT,
                                       .limit = VES_DEVICE_CHUNK};
    struct retry retry = {.arena = arena};

    do {
        ves_arena_reset(arena);
        retry.count = 0;
        retry.listed = 0;
        filter.after_local_seq = retry.after;
        retry.rows =
            ves_arena_alloc(arena, VES_DEVICE_CHUNK * sizeof(*retry.rows));
        if (!retry.rows)
            return VES_NOMEM;
        enum ves_status status = core->store->ops->outbox_list(
            core->store, &filter, visit_failed, &retry);
        if (!status)
            status = ves_device_requeue(core, arena, retry.rows, retry.count);
        if (status)
            return status;
        *retried += retry.count;
    } while (retry.listed == VES_DEVICE_CHUNK);
    return VES_OK;
}

static enum ves_status retry_named(struct ves_agent_core *core,
                                   struct ves_arena *arena,
                                   const struct ves_uuid *ids, size_t count,
                                   uint64_t *retried)
{
    struct ves_outbox_row *rows = ves_arena_alloc(arena, count * sizeof(*rows));
    size_t n = 0;

    if (!rows)
        return VES_NOMEM;
    enum ves_status status =
        core->store->ops->outbox_get(core->store, ids, count, arena, rows);
    if (status)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].local_seq == 0)
            return ves_fail(&core->error, VES_NOT_FOUND,
                            "the outbox does not hold one of these events; "
                            "nothing was changed");
        bool is_twice = false;
        for (size_t j = 0; j < n && !is_twice; j++)
            is_twice = rows[j].local_seq == rows[i].local_seq;
        if (has_failed(&rows[i]) && !is_twice &&
            !ves_device_is_decided(&rows[i]))
            rows[n++] = rows[i];
    }
    *retried = n;
    return ves_device_requeue(core, arena, rows, n);
}

static enum ves_status retry_trail(struct ves_agent_core *core, int64_t now_ms,
                                   uint64_t retried)
{
    struct ves_buf buf;

    ves_buf_init(&buf, core->alloc, 4096);
    ves_buf_putf(&buf, "{\"retried\":%llu}", (unsigned long long)retried);
    return ves_device_trail_end(core, now_ms, "retry", &buf);
}

enum ves_status ves_core_retry(struct ves_agent_core *core,
                               const struct ves_uuid *ids, size_t count,
                               int64_t now_ms, uint64_t *retried)
{
    struct ves_arena arena;
    uint64_t n = 0;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status) {
        status = ids ? retry_named(core, &arena, ids, count, &n)
                     : retry_all(core, &arena, &n);
        if (!status)
            status = retry_trail(core, now_ms, n);
        status = ves_device_end(core, status);
    }
    ves_arena_free(&arena);
    *retried = status ? 0 : n;
    return status;
}
