/* store_mem_tlog.c -- the provable log's rows of the memory store. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/store_mem_internal.h"

struct tile_hash {
    struct ves_hash hash;
};

struct cosigned {
    struct ves_bytes notes;
};

static const struct ves_mem_shape tlog_shape = {
    sizeof(struct ves_tlog_row),
    3,
    {offsetof(struct ves_tlog_row, edge), offsetof(struct ves_tlog_row, note),
     offsetof(struct ves_tlog_row, frozen_why)}};
static const struct ves_mem_shape hash_shape = {
    sizeof(struct tile_hash), 0, {0}};

static const struct ves_mem_shape cosigned_shape = {
    sizeof(struct cosigned), 1, {offsetof(struct cosigned, notes)}};

static struct ves_mem_key id_key(const struct ves_hash *stream_id)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_TLOG_ID, 0);

    ves_mem_key_add(&key, stream_id->b, sizeof stream_id->b);
    return key;
}

static struct ves_mem_key hash_key(uint32_t stream_no, uint32_t level,
                                   uint64_t index)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_TILE, stream_no);

    ves_mem_key_add_u32(&key, level);
    ves_mem_key_add_u64(&key, index);
    return key;
}

static const struct ves_tlog_row *find_row(const struct ves_mem_store *st,
                                           uint32_t stream_no)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_TLOG, stream_no);

    return ves_mem_get(&st->map, &key);
}

static enum ves_status put_row(struct ves_mem_store *st, uint32_t stream_no,
                               const struct ves_tlog_row *row)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_TLOG, stream_no);

    return ves_mem_put_row(st, &key, &tlog_shape, row);
}

enum ves_status ves_mem_log_leaves(struct ves_store *s, uint32_t stream_no,
                                   uint64_t from, size_t count,
                                   struct ves_leaf_row *rows, size_t *found)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_LOG, stream_no);
    const struct ves_mem_node *node;

    ves_mem_key_add_u64(&key, from);
    *found = 0;
    for (node = ves_mem_seek(&st->map, &key);
         node && *found < count && ves_mem_key_leads(&key, 5, node);
         node = node->next[0]) {
        const struct ves_log_row *row = node->value;

        if (row->sequence_number - from >= count)
            break;
        struct ves_leaf_row *leaf = &rows[(*found)++];
        leaf->sequence_number = row->sequence_number;
        leaf->event_hash = row->event_hash;
        leaf->signature = row->signature;
    }
    return VES_OK;
}

enum ves_status ves_mem_log_links(struct ves_store *s, uint32_t stream_no,
                                  const uint64_t *sequences, size_t count,
                                  struct ves_link_row *rows)
{
    struct ves_mem_store *st = ves_mem_of(s);

    for (size_t i = 0; i < count; i++) {
        struct ves_mem_key key = ves_mem_key(VES_MEM_LOG, stream_no);

        ves_mem_key_add_u64(&key, sequences[i]);
        const struct ves_log_row *row = ves_mem_get(&st->map, &key);
        rows[i] = (struct ves_link_row){0};
        if (row)
            rows[i] = (struct ves_link_row){row->sequence_number,
                                            row->entity_key, row->entity_index,
                                            row->entity_prev, row->entity_jump};
    }
    return VES_OK;
}

enum ves_status ves_mem_tlog_get(struct ves_store *s, uint32_t stream_no,
                                 struct ves_arena *arena,
                                 struct ves_tlog_row *row)
{
    const struct ves_tlog_row *kept = find_row(ves_mem_of(s), stream_no);

    return kept ? ves_mem_copy_out(&tlog_shape, kept, arena, row)
                : VES_NOT_FOUND;
}

enum ves_status ves_mem_tlog_find(struct ves_store *s,
                                  const struct ves_hash *stream_id,
                                  struct ves_stream_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = id_key(stream_id);
    const struct ves_mem_u64 *no = ves_mem_get(&st->map, &key);

    if (!no)
        return VES_NOT_FOUND;
    key = ves_mem_key(VES_MEM_STREAM_ROW, (uint32_t)no->value);
    *row = *(const struct ves_stream_row *)ves_mem_get(&st->map, &key);
    row->head = ves_mem_head(st, row->stream_no);
    return VES_OK;
}

static enum ves_status add_hash(struct ves_mem_store *st, uint32_t stream_no,
                                const struct ves_tile_hash *hash)
{
    struct ves_mem_key key = hash_key(stream_no, hash->level, hash->index);
    struct tile_hash row = {hash->hash};

    VES_ASSERT(hash->level < VES_STORE_TILE_LEVELS);
    if (ves_mem_get(&st->map, &key))
        return VES_CONFLICT;
    if (hash->index > 0) {
        struct ves_mem_key before =
            hash_key(stream_no, hash->level, hash->index - 1);

        if (!ves_mem_get(&st->map, &before))
            return VES_INVALID;
    }
    return ves_mem_put_row(st, &key, &hash_shape, &row);
}

enum ves_status ves_mem_tlog_append(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *stream_id,
                                    struct ves_bytes edge,
                                    const struct ves_tile_hash *hashes,
                                    size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    const struct ves_tlog_row *old = find_row(st, stream_no);
    struct ves_mem_key stream = ves_mem_key(VES_MEM_STREAM_ROW, stream_no);
    struct ves_tlog_row row = {0};
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    if (!ves_mem_get(&st->map, &stream))
        return ves_mem_end(st, mark, VES_NOT_FOUND, "add to the tree");
    if (old) {
        row = *old;
    } else {
        struct ves_mem_key key = id_key(stream_id);
        struct ves_mem_u64 no = {stream_no};

        row.stream_id = *stream_id;
        status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &no);
    }
    row.edge = edge;
    if (!status)
        status = put_row(st, stream_no, &row);
    for (size_t i = 0; i < count && !status; i++)
        status = add_hash(st, stream_no, &hashes[i]);
    return ves_mem_end(st, mark, status, "add to the tree");
}

enum ves_status ves_mem_tlog_sign(struct ves_store *s, uint32_t stream_no,
                                  uint64_t expected_size,
                                  const struct ves_head_row *head)
{
    struct ves_mem_store *st = ves_mem_of(s);
    const struct ves_tlog_row *old = find_row(st, stream_no);
    size_t mark = ves_mem_mark(&st->map);
    struct ves_tlog_row row;

    VES_ASSERT(st->is_writing);
    if (!old || old->signed_size != expected_size)
        return ves_mem_end(st, mark, old ? VES_CONFLICT : VES_NOT_FOUND,
                           "keep a signed head");
    row = *old;
    row.signed_size = head->size;
    row.signed_root = head->root;
    row.note = head->note;
    row.signed_at_ms = head->signed_at_ms;
    return ves_mem_end(st, mark, put_row(st, stream_no, &row),
                       "keep a signed head");
}

enum ves_status ves_mem_tlog_freeze(struct ves_store *s, uint32_t stream_no,
                                    int64_t at_ms, struct ves_bytes why)
{
    struct ves_mem_store *st = ves_mem_of(s);
    const struct ves_tlog_row *old = find_row(st, stream_no);
    size_t mark = ves_mem_mark(&st->map);
    struct ves_tlog_row row;

    VES_ASSERT(st->is_writing);
    if (!old)
        return ves_mem_end(st, mark, VES_NOT_FOUND, "freeze a stream");
    row = *old;
    row.frozen_at_ms = at_ms;
    row.frozen_why = at_ms ? why : ves_bytes(NULL, 0);
    return ves_mem_end(st, mark, put_row(st, stream_no, &row),
                       "freeze a stream");
}

enum ves_status ves_mem_tile_read(struct ves_store *s, uint32_t stream_no,
                                  uint32_t level, uint64_t index,
                                  struct ves_hash *hashes, size_t *count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key =
        hash_key(stream_no, level, index * VES_STORE_TILE_WIDTH);
    const struct ves_mem_node *node;

    *count = 0;
    for (node = ves_mem_seek(&st->map, &key);
         node && *count < VES_STORE_TILE_WIDTH &&
         ves_mem_key_leads(&key, 9, node);
         node = node->next[0]) {
        const struct tile_hash *row = node->value;

        if (ves_mem_node_u64(node) != index * VES_STORE_TILE_WIDTH + *count)
            break;
        hashes[(*count)++] = row->hash;
    }
    return VES_OK;
}

enum ves_status ves_mem_cosigned_get(struct ves_store *s, uint32_t stream_no,
                                     struct ves_arena *arena,
                                     struct ves_bytes *notes)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_COSIGNED, stream_no);
    const struct cosigned *kept = ves_mem_get(&st->map, &key);

    *notes = ves_bytes(NULL, 0);
    return kept ? ves_arena_copy(arena, kept->notes, notes) : VES_OK;
}

enum ves_status ves_mem_cosigned_put(struct ves_store *s, uint32_t stream_no,
                                     struct ves_bytes notes)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key stream = ves_mem_key(VES_MEM_STREAM_ROW, stream_no);
    struct ves_mem_key key = ves_mem_key(VES_MEM_COSIGNED, stream_no);
    const struct cosigned row = {notes};
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_NOT_FOUND;

    VES_ASSERT(st->is_writing);
    if (ves_mem_get(&st->map, &stream))
        status = ves_mem_put_row(st, &key, &cosigned_shape, &row);
    return ves_mem_end(st, mark, status, "keep cosignatures");
}
