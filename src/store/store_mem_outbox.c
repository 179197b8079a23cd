/* store_mem_outbox.c -- the outbox of the memory store. */
#include "base/assert.h"
#include "base/bytes.h"
#include "core/judge.h"
#include "store/store_mem_internal.h"

struct counts_row {
    uint64_t counts[VES_OUTBOX_STATUSES];
};

static const struct ves_mem_shape outbox_shape = {
    sizeof(struct ves_outbox_row),
    7,
    {offsetof(struct ves_outbox_row, entity_type),
     offsetof(struct ves_outbox_row, entity_id),
     offsetof(struct ves_outbox_row, event_type),
     offsetof(struct ves_outbox_row, created_at),
     offsetof(struct ves_outbox_row, envelope),
     offsetof(struct ves_outbox_row, error),
     offsetof(struct ves_outbox_row, disposition)}};
static const struct ves_mem_shape counts_shape = {
    sizeof(struct counts_row), 0, {0}};

static struct ves_mem_key outbox_key(uint64_t local_seq)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_OUTBOX, 0);

    ves_mem_key_add_u64(&key, local_seq);
    return key;
}

static struct ves_mem_key outbox_id_key(const struct ves_uuid *id)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_OUTBOX_ID, 0);

    ves_mem_key_add(&key, id->b, sizeof id->b);
    return key;
}

static uint64_t last_local_seq(const struct ves_mem_store *st)
{
    struct ves_mem_key key = outbox_key(UINT64_MAX);
    const struct ves_mem_node *node = ves_mem_seek_below(&st->map, &key);

    if (!node || !ves_mem_key_leads(&key, 5, node))
        return 0;
    return ((const struct ves_outbox_row *)node->value)->local_seq;
}

static void read_counts(const struct ves_mem_store *st, struct counts_row *out)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_COUNTS, 0);
    const struct counts_row *row = ves_mem_get(&st->map, &key);

    memset(out, 0, sizeof *out);
    if (row)
        *out = *row;
}

static enum ves_status write_counts(struct ves_mem_store *st,
                                    const struct counts_row *counts)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_COUNTS, 0);

    return ves_mem_put_row(st, &key, &counts_shape, counts);
}

/* What a flag says is not there reads as zeros, as from any other store. */
static void clear_absent(struct ves_outbox_row *row)
{
    VES_ASSERT(row->status < VES_OUTBOX_STATUSES);
    VES_ASSERT(row->error_class <= VES_ERROR_REFUSED);
    VES_ASSERT(!row->has_verdict || row->verdict <= VES_VERDICT_SUPERSEDED);
    if (!row->has_command_id)
        memset(&row->command_id, 0, sizeof row->command_id);
    if (!row->is_refused)
        memset(&row->refusal_signature, 0, sizeof row->refusal_signature);
    if (!row->has_receipt) {
        memset(&row->receipt, 0, sizeof row->receipt);
        row->receipt_key_version = 0;
    }
    if (!row->has_verdict)
        row->verdict = 0;
}

static enum ves_status append_one(struct ves_mem_store *st,
                                  struct ves_outbox_row *row,
                                  struct counts_row *counts)
{
    struct ves_mem_key key = outbox_id_key(&row->event_id);
    struct ves_outbox_row kept = *row;
    struct ves_mem_u64 at = {row->local_seq};
    enum ves_status status;

    clear_absent(&kept);
    if (ves_mem_get(&st->map, &key))
        return VES_CONFLICT;
    counts->counts[row->status]++;
    status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &at);
    if (status)
        return status;
    key = outbox_key(at.value);
    return ves_mem_put_row(st, &key, &outbox_shape, &kept);
}

enum ves_status ves_mem_outbox_append(struct ves_store *s,
                                      struct ves_outbox_row *rows, size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    uint64_t last = last_local_seq(st);
    enum ves_status status = VES_OK;
    struct counts_row counts;

    VES_ASSERT(st->is_writing);
    read_counts(st, &counts);
    for (size_t i = 0; i < count && !status; i++) {
        rows[i].local_seq = last + 1 + i;
        status = append_one(st, &rows[i], &counts);
    }
    if (!status)
        status = write_counts(st, &counts);
    return ves_mem_end(st, mark, status, "append to the outbox");
}

enum ves_status ves_mem_outbox_get(struct ves_store *s,
                                   const struct ves_uuid *ids, size_t count,
                                   struct ves_arena *arena,
                                   struct ves_outbox_row *rows)
{
    struct ves_mem_store *st = ves_mem_of(s);

    for (size_t i = 0; i < count; i++) {
        struct ves_mem_key key = outbox_id_key(&ids[i]);
        const struct ves_mem_u64 *at = ves_mem_get(&st->map, &key);
        enum ves_status status;

        memset(&rows[i], 0, sizeof rows[i]);
        if (!at)
            continue;
        key = outbox_key(at->value);
        status = ves_mem_copy_out(&outbox_shape, ves_mem_get(&st->map, &key),
                                  arena, &rows[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

static bool is_wanted(const struct ves_outbox_filter *filter,
                      const struct ves_outbox_row *row)
{
    if (filter->status_mask && !(filter->status_mask & 1u << row->status))
        return false;
    return !filter->has_entity ||
           ves_hash_equal(&filter->entity_key, &row->entity_key);
}

static const struct ves_mem_node *
first_listed(const struct ves_mem_store *st,
             const struct ves_outbox_filter *filter)
{
    uint64_t after = filter->after_local_seq;
    struct ves_mem_key key;

    if (!filter->is_descending) {
        key = outbox_key(after < UINT64_MAX ? after + 1 : after);
        return ves_mem_seek(&st->map, &key);
    }
    key = outbox_key(after ? after : UINT64_MAX);
    return ves_mem_seek_below(&st->map, &key);
}

enum ves_status ves_mem_outbox_list(struct ves_store *s,
                                    const struct ves_outbox_filter *filter,
                                    ves_outbox_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = outbox_key(0);
    const struct ves_mem_node *node = first_listed(st, filter);
    uint32_t done = 0;

    while (node && ves_mem_key_leads(&key, 5, node)) {
        const struct ves_outbox_row *row = node->value;
        enum ves_status status;

        if (is_wanted(filter, row)) {
            status = visit(ctx, row);
            if (status)
                return status;
            if (++done == filter->limit)
                break;
        }
        if (filter->is_descending) {
            key = outbox_key(row->local_seq);
            node = ves_mem_seek_below(&st->map, &key);
        } else {
            node = node->next[0];
        }
    }
    return VES_OK;
}

enum ves_status ves_mem_outbox_overlay(struct ves_store *s, uint64_t last,
                                       uint64_t count,
                                       ves_outbox_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = outbox_key(last);
    const struct ves_outbox_row *row = ves_mem_get(&st->map, &key);
    enum ves_status status = VES_OK;

    if (!row || count == 0)
        return VES_OK;
    if (row->entity_prev < last)
        status = ves_mem_outbox_overlay(s, row->entity_prev,
                                        count - row->is_in_overlay, visit, ctx);
    return !status && row->is_in_overlay ? visit(ctx, row) : status;
}

/* Into its place among the first max. */
static void add_promise(const struct ves_outbox_row *row, size_t max,
                        struct ves_promise_row *rows, size_t *found)
{
    size_t at = *found;

    while (at > 0 && rows[at - 1].sequence_number > row->sequence_number)
        at--;
    if (at == max)
        return;
    if (*found < max)
        ++*found;
    memmove(&rows[at + 1], &rows[at], (*found - at - 1) * sizeof(*rows));
    rows[at] = (struct ves_promise_row){row->sequence_number, row->local_seq};
}

enum ves_status ves_mem_outbox_promised(struct ves_store *s, uint64_t first,
                                        uint64_t last, size_t max,
                                        struct ves_promise_row *rows,
                                        size_t *found)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = outbox_key(0);

    *found = 0;
    for (const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
         node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        const struct ves_outbox_row *row = node->value;
        if (row->is_in_overlay && row->has_receipt &&
            row->sequence_number >= first && row->sequence_number <= last)
            add_promise(row, max, rows, found);
    }
    return VES_OK;
}

/* The members outbox_append fixed. */
static void keep_fixed(struct ves_outbox_row *row,
                       const struct ves_outbox_row *old)
{
    row->event_id = old->event_id;
    row->event_hash = old->event_hash;
    row->agent_seq = old->agent_seq;
    row->entity_key = old->entity_key;
    row->entity_type = old->entity_type;
    row->entity_id = old->entity_id;
    row->event_type = old->event_type;
    row->created_at = old->created_at;
    row->created_ms = old->created_ms;
    row->has_command_id = old->has_command_id;
    row->command_id = old->command_id;
    row->cmd_index = old->cmd_index;
    row->cmd_count = old->cmd_count;
    row->entity_prev = old->entity_prev;
    row->envelope = old->envelope;
}

enum ves_status ves_mem_outbox_update(struct ves_store *s,
                                      const struct ves_outbox_row *rows,
                                      size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;
    struct counts_row counts;

    VES_ASSERT(st->is_writing);
    read_counts(st, &counts);
    for (size_t i = 0; i < count && !status; i++) {
        struct ves_mem_key key = outbox_key(rows[i].local_seq);
        const struct ves_outbox_row *old = ves_mem_get(&st->map, &key);
        struct ves_outbox_row row = rows[i];

        if (!old) {
            status = VES_NOT_FOUND;
            break;
        }
        keep_fixed(&row, old);
        clear_absent(&row);
        counts.counts[old->status]--;
        counts.counts[row.status]++;
        status = ves_mem_put_row(st, &key, &outbox_shape, &row);
    }
    if (!status)
        status = write_counts(st, &counts);
    return ves_mem_end(st, mark, status, "change the outbox");
}

enum ves_status ves_mem_outbox_resign(struct ves_store *s,
                                      const struct ves_outbox_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = outbox_key(row->local_seq);
    const struct ves_outbox_row *old = ves_mem_get(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);

    VES_ASSERT(st->is_writing);
    if (!old)
        return ves_mem_end(st, mark, VES_NOT_FOUND, "sign an event again");
    struct ves_outbox_row next = *old;
    next.event_hash = row->event_hash;
    next.agent_seq = row->agent_seq;
    next.envelope = row->envelope;
    enum ves_status status = ves_mem_put_row(st, &key, &outbox_shape, &next);
    return ves_mem_end(st, mark, status, "sign an event again");
}

enum ves_status ves_mem_outbox_counts(struct ves_store *s,
                                      uint64_t counts[VES_OUTBOX_STATUSES])
{
    struct counts_row row;

    read_counts(ves_mem_of(s), &row);
    memcpy(counts, row.counts, sizeof row.counts);
    return VES_OK;
}

enum ves_status ves_mem_outbox_prune(struct ves_store *s, int64_t before_ms,
                                     uint64_t *count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = outbox_key(0);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    *count = 0;
    for (; node && ves_mem_key_leads(&key, 5, node) && !status;
         node = node->next[0]) {
        struct ves_outbox_row row = *(const struct ves_outbox_row *)node->value;

        if (row.status != VES_OUTBOX_SYNCED || row.synced_ms >= before_ms ||
            row.is_in_overlay || row.envelope.len == 0)
            continue;
        row.envelope = ves_bytes(NULL, 0);
        key = outbox_key(row.local_seq);
        status = ves_mem_put_row(st, &key, &outbox_shape, &row);
        (*count)++;
    }
    return ves_mem_end(st, mark, status, "prune the outbox");
}
