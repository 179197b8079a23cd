/* store_mem_log.c -- the log of the memory store. */
#include "base/assert.h"
#include "base/bytes.h"
#include "core/judge.h"
#include "store/store_mem_internal.h"

const struct ves_mem_shape ves_mem_log_shape = {
    sizeof(struct ves_log_row),
    6,
    {offsetof(struct ves_log_row, sub_code), offsetof(struct ves_log_row, note),
     offsetof(struct ves_log_row, effects),
     offsetof(struct ves_log_row, opposite),
     offsetof(struct ves_log_row, envelope),
     offsetof(struct ves_log_row, raw)}};

static struct ves_mem_key log_key(uint32_t stream_no, uint64_t sequence)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_LOG, stream_no);

    ves_mem_key_add_u64(&key, sequence);
    return key;
}

static struct ves_mem_key id_key(unsigned table, uint32_t stream_no,
                                 const struct ves_uuid *id)
{
    struct ves_mem_key key = ves_mem_key(table, stream_no);

    ves_mem_key_add(&key, id->b, sizeof id->b);
    return key;
}

uint64_t ves_mem_head(const struct ves_mem_store *st, uint32_t stream_no)
{
    struct ves_mem_key key = log_key(stream_no, UINT64_MAX);
    const struct ves_mem_node *node = ves_mem_seek_below(&st->map, &key);

    if (!node || !ves_mem_key_leads(&key, 5, node))
        return 0;
    return ((const struct ves_log_row *)node->value)->sequence_number;
}

enum ves_status ves_mem_log_head(struct ves_store *s, uint32_t stream_no,
                                 uint64_t *head)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM_ROW, stream_no);

    *head = ves_mem_head(st, stream_no);
    return ves_mem_get(&st->map, &key) ? VES_OK : VES_NOT_FOUND;
}

static void fill_id_row(const struct ves_mem_store *st, uint32_t stream_no,
                        uint64_t sequence, struct ves_id_row *out)
{
    struct ves_mem_key key = log_key(stream_no, sequence);
    const struct ves_log_row *row = ves_mem_get(&st->map, &key);

    out->sequence_number = sequence;
    out->fingerprint = row->fingerprint;
}

enum ves_status ves_mem_log_find_ids(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_uuid *ids, size_t count,
                                     struct ves_id_row *rows)
{
    struct ves_mem_store *st = ves_mem_of(s);

    for (size_t i = 0; i < count; i++) {
        struct ves_mem_key key = id_key(VES_MEM_LOG_ID, stream_no, &ids[i]);
        const struct ves_mem_u64 *at = ves_mem_get(&st->map, &key);

        memset(&rows[i], 0, sizeof rows[i]);
        if (at)
            fill_id_row(st, stream_no, at->value, &rows[i]);
    }
    return VES_OK;
}

enum ves_status ves_mem_log_find_commands(struct ves_store *s,
                                          uint32_t stream_no,
                                          const struct ves_uuid *ids,
                                          size_t count, struct ves_id_row *rows)
{
    struct ves_mem_store *st = ves_mem_of(s);

    for (size_t i = 0; i < count; i++) {
        struct ves_mem_key key =
            id_key(VES_MEM_LOG_COMMAND, stream_no, &ids[i]);
        const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);

        memset(&rows[i], 0, sizeof rows[i]);
        if (node && ves_mem_key_leads(&key, key.len, node))
            fill_id_row(st, stream_no, ves_mem_node_u64(node), &rows[i]);
    }
    return VES_OK;
}

static enum ves_status append_one(struct ves_mem_store *st, uint32_t stream_no,
                                  uint64_t next, const struct ves_log_row *row)
{
    struct ves_mem_u64 at = {row->sequence_number};
    struct ves_log_row kept = *row;
    struct ves_mem_key key = id_key(VES_MEM_LOG_ID, stream_no, &row->event_id);
    enum ves_status status;

    VES_ASSERT(row->verdict <= VES_VERDICT_SUPERSEDED);
    if (row->sequence_number != next)
        return row->sequence_number < next ? VES_CONFLICT : VES_INVALID;
    if (ves_mem_get(&st->map, &key))
        return VES_CONFLICT;
    if (!row->has_command_id)
        memset(&kept.command_id, 0, sizeof kept.command_id);
    if (!row->has_receipt) {
        memset(&kept.receipt, 0, sizeof kept.receipt);
        kept.receipt_key_version = 0;
    }
    if (!row->has_conflict_id)
        memset(&kept.conflict_id, 0, sizeof kept.conflict_id);
    status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &at);
    if (status)
        return status;
    if (row->has_command_id) {
        key = id_key(VES_MEM_LOG_COMMAND, stream_no, &row->command_id);
        ves_mem_key_add_u64(&key, at.value);
        status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &at);
        if (status)
            return status;
    }
    key = log_key(stream_no, at.value);
    status = ves_mem_put_row(st, &key, &ves_mem_log_shape, &kept);
    return status ? status : ves_mem_index_row(st, stream_no, &kept, true);
}

enum ves_status ves_mem_log_append(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_log_row *rows, size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM_ROW, stream_no);
    size_t mark = ves_mem_mark(&st->map);
    uint64_t head = ves_mem_head(st, stream_no);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    if (!ves_mem_get(&st->map, &key))
        status = VES_NOT_FOUND;
    for (size_t i = 0; i < count && !status; i++)
        status = append_one(st, stream_no, head + 1 + i, &rows[i]);
    return ves_mem_end(st, mark, status, "append to the log");
}

enum ves_status ves_mem_log_read(struct ves_store *s, uint32_t stream_no,
                                 uint64_t from, uint32_t limit,
                                 ves_log_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = log_key(stream_no, from);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    uint32_t done = 0;

    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        enum ves_status status = visit(ctx, node->value);

        if (status)
            return status;
        if (++done == limit)
            break;
    }
    return VES_OK;
}

static enum ves_status judge_one(struct ves_mem_store *st, uint32_t stream_no,
                                 const struct ves_log_row *row)
{
    struct ves_mem_key key = log_key(stream_no, row->sequence_number);
    const struct ves_log_row *old = ves_mem_get(&st->map, &key);
    struct ves_log_row new;

    VES_ASSERT(row->verdict <= VES_VERDICT_SUPERSEDED);
    if (!old)
        return VES_NOT_FOUND;
    new = *old;
    new.verdict = row->verdict;
    new.applied_at = row->applied_at;
    new.version = row->version;
    new.sub_code = row->sub_code;
    new.note = row->note;
    new.is_fact = row->is_fact;
    new.has_waited = row->has_waited;
    new.has_conflict_id = row->has_conflict_id;
    memset(&new.conflict_id, 0, sizeof new.conflict_id);
    if (row->has_conflict_id)
        new.conflict_id = row->conflict_id;
    new.waits_for = row->waits_for;
    new.effects = row->effects;
    new.opposite = row->opposite;
    enum ves_status status = ves_mem_index_row(st, stream_no, old, false);
    if (!status)
        status = ves_mem_index_row(st, stream_no, &new, true);
    return status ? status
                  : ves_mem_put_row(st, &key, &ves_mem_log_shape, &new);
}

enum ves_status ves_mem_log_judge(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    for (size_t i = 0; i < count && !status; i++)
        status = judge_one(st, stream_no, &rows[i]);
    return ves_mem_end(st, mark, status, "keep verdicts");
}

static bool is_spared(const struct ves_hash *key, const struct ves_hash *spared,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ves_hash_equal(key, &spared[i]))
            return true;
    }
    return false;
}

enum ves_status ves_mem_log_prune(struct ves_store *s, uint32_t stream_no,
                                  uint64_t below, const struct ves_hash *spared,
                                  size_t spared_count, uint64_t *count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = log_key(stream_no, 0);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing && spared_count <= 2);
    *count = 0;
    for (; node && ves_mem_key_leads(&key, 5, node) && !status;
         node = node->next[0]) {
        struct ves_log_row row = *(const struct ves_log_row *)node->value;

        if (row.sequence_number >= below)
            break;
        if ((row.envelope.len == 0 && row.raw.len == 0) ||
            is_spared(&row.entity_key, spared, spared_count))
            continue;
        row.envelope = row.raw = ves_bytes(NULL, 0);
        key = log_key(stream_no, row.sequence_number);
        status = ves_mem_put_row(st, &key, &ves_mem_log_shape, &row);
        (*count)++;
    }
    return ves_mem_end(st, mark, status, "prune the log");
}

/* ---- giving up ------------------------------------------------------------
 */

static struct ves_mem_key given_up_key(uint32_t stream_no, uint64_t sequence,
                                       uint64_t epoch)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_GIVEN_UP, stream_no);

    ves_mem_key_add_u64(&key, sequence);
    ves_mem_key_add_u64(&key, epoch);
    return key;
}

static enum ves_status give_up_one(struct ves_mem_store *st, uint32_t stream_no,
                                   uint64_t epoch,
                                   const struct ves_log_row *row)
{
    struct ves_mem_key key =
        given_up_key(stream_no, row->sequence_number, epoch);
    enum ves_status status;

    if (ves_mem_get(&st->map, &key))
        return VES_CONFLICT;
    status = ves_mem_put_row(st, &key, &ves_mem_log_shape, row);
    if (!status)
        status = ves_mem_index_row(st, stream_no, row, false);
    key = id_key(VES_MEM_LOG_ID, stream_no, &row->event_id);
    if (!status)
        status = ves_mem_remove(&st->map, &key);
    key = id_key(VES_MEM_LOG_COMMAND, stream_no, &row->command_id);
    ves_mem_key_add_u64(&key, row->sequence_number);
    if (!status && row->has_command_id)
        status = ves_mem_remove(&st->map, &key);
    key = log_key(stream_no, row->sequence_number);
    return status ? status : ves_mem_remove(&st->map, &key);
}

enum ves_status ves_mem_log_give_up(struct ves_store *s, uint32_t stream_no,
                                    uint64_t above, uint64_t epoch,
                                    uint64_t *count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = log_key(stream_no, above + 1);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    *count = 0;
    while (node && ves_mem_key_leads(&key, 5, node) && !status) {
        const struct ves_mem_node *next = node->next[0];

        status = give_up_one(st, stream_no, epoch, node->value);
        (*count)++;
        node = next;
    }
    return ves_mem_end(st, mark, status, "give up the end of the log");
}

enum ves_status ves_mem_given_up_read(struct ves_store *s, uint32_t stream_no,
                                      uint64_t from, uint32_t limit,
                                      ves_given_up_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = given_up_key(stream_no, from, 0);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    uint32_t done = 0;

    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        enum ves_status status =
            visit(ctx, ves_mem_node_u64(node), node->value);

        if (status)
            return status;
        if (++done == limit)
            break;
    }
    return VES_OK;
}
