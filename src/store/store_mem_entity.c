/* store_mem_entity.c -- entities and state buckets of the memory store. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "core/entity.h"
#include "store/store_mem_internal.h"

struct bucket_row {
    struct ves_hash hash;
    uint16_t bucket;
    bool is_dirty;
};

static const struct ves_mem_shape entity_shape = {
    sizeof(struct ves_entity_row),
    3,
    {offsetof(struct ves_entity_row, entity_type),
     offsetof(struct ves_entity_row, entity_id),
     offsetof(struct ves_entity_row, state)}};
static const struct ves_mem_shape bucket_shape = {
    sizeof(struct bucket_row), 0, {0}};

static struct ves_mem_key entity_key(uint32_t stream_no,
                                     const struct ves_hash *hash)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_ENTITY, stream_no);

    ves_mem_key_add(&key, hash->b, sizeof hash->b);
    return key;
}

enum ves_status ves_mem_entity_get(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_entity_name *names,
                                   size_t count, struct ves_arena *arena,
                                   struct ves_entity_row *rows)
{
    for (size_t i = 0; i < count; i++) {
        struct ves_mem_key key = entity_key(stream_no, &names[i].key);
        const struct ves_entity_row *row =
            ves_mem_get(&ves_mem_of(s)->map, &key);

        memset(&rows[i], 0, sizeof rows[i]);
        rows[i].key = names[i].key;
        if (row) {
            enum ves_status status =
                ves_mem_copy_out(&entity_shape, row, arena, &rows[i]);

            if (status)
                return status;
        }
    }
    return VES_OK;
}

enum ves_status ves_mem_entity_put(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_entity_row *rows,
                                   size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    for (size_t i = 0; i < count && !status; i++) {
        struct ves_mem_key key = entity_key(stream_no, &rows[i].key);
        struct ves_entity_row row = rows[i];

        row.is_found = true;
        status = ves_mem_put_row(st, &key, &entity_shape, &row);
    }
    return ves_mem_end(st, mark, status, "keep entities");
}

enum ves_status ves_mem_entity_scan(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *from, uint32_t limit,
                                    struct ves_bytes entity_type,
                                    ves_entity_visitor *visit, void *ctx)
{
    struct ves_mem_key key = entity_key(stream_no, from);
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);
    uint32_t done = 0;

    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        const struct ves_entity_row *row = node->value;
        enum ves_status status;

        if (entity_type.len && !ves_bytes_equal(row->entity_type, entity_type))
            continue;
        status = visit(ctx, row);
        if (status)
            return status;
        if (++done == limit)
            break;
    }
    return VES_OK;
}

enum ves_status ves_mem_log_match(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_match *match,
                                  uint64_t *sequences, size_t max,
                                  size_t *found)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_LOG, stream_no);
    const struct ves_mem_node *node;

    ves_mem_key_add_u64(&key, match->from);
    *found = 0;
    for (node = ves_mem_seek(&st->map, &key);
         node && *found < max && ves_mem_key_leads(&key, 5, node);
         node = node->next[0]) {
        const struct ves_log_row *row = node->value;
        struct ves_mem_key name = entity_key(stream_no, &row->entity_key);
        const struct ves_entity_row *entity = ves_mem_get(&st->map, &name);

        if (row->sequence_number >= match->to)
            break;
        if (entity &&
            (!match->entity_type.len ||
             ves_bytes_equal(entity->entity_type, match->entity_type)) &&
            (!match->entity_id.len ||
             ves_bytes_equal(entity->entity_id, match->entity_id)))
            sequences[(*found)++] = row->sequence_number;
    }
    return VES_OK;
}

enum ves_status ves_mem_entity_reset(struct ves_store *s, uint32_t stream_no)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_ENTITY, stream_no);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    for (; node && ves_mem_key_leads(&key, 5, node) && !status;
         node = node->next[0]) {
        struct ves_entity_row row = *(const struct ves_entity_row *)node->value;

        row.count = 0;
        row.last = 0;
        row.last_jump = 0;
        row.version = 0;
        memset(&row.head, 0, sizeof row.head);
        row.head_applied_at = 0;
        row.written_at = 0;
        row.tombstone = 0;
        row.state = ves_bytes(NULL, 0);
        memset(&row.state_hash, 0, sizeof row.state_hash);
        key = entity_key(stream_no, &row.key);
        status = ves_mem_put_row(st, &key, &entity_shape, &row);
    }
    return ves_mem_end(st, mark, status, "reset entities");
}

/* ---- state buckets --------------------------------------------------------
 */

static enum ves_status bucket_write(struct ves_mem_store *st,
                                    uint32_t stream_no, uint16_t bucket,
                                    const struct ves_hash *hash)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_BUCKET, stream_no);
    const struct bucket_row *old;
    struct bucket_row row = {.bucket = bucket};

    VES_ASSERT(st->is_writing);
    VES_ASSERT(bucket < VES_STATE_BUCKETS);
    ves_mem_key_add_u32(&key, bucket);
    old = ves_mem_get(&st->map, &key);
    if (hash)
        row.hash = *hash;
    else if (old)
        row.hash = old->hash;
    row.is_dirty = hash == NULL;
    return ves_mem_put_row(st, &key, &bucket_shape, &row);
}

enum ves_status ves_mem_bucket_get_all(struct ves_store *s, uint32_t stream_no,
                                       struct ves_hash *hashes, bool *is_dirty)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_BUCKET, stream_no);
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);

    memset(hashes, 0, VES_STATE_BUCKETS * sizeof *hashes);
    memset(is_dirty, 0, VES_STATE_BUCKETS * sizeof *is_dirty);
    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        const struct bucket_row *row = node->value;

        hashes[row->bucket] = row->hash;
        is_dirty[row->bucket] = row->is_dirty;
    }
    return VES_OK;
}

static bool is_of_bucket(const struct ves_mem_node *node, uint32_t stream_no,
                         uint16_t bucket)
{
    const struct ves_mem_key key = ves_mem_key(VES_MEM_ENTITY, stream_no);
    const struct ves_entity_row *row = node->value;

    return ves_mem_key_leads(&key, 5, node) &&
           ves_entity_bucket(&row->key) == bucket;
}

enum ves_status ves_mem_bucket_mark(struct ves_store *s, uint32_t stream_no,
                                    const uint16_t *buckets, size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < count && !status; i++)
        status = bucket_write(st, stream_no, buckets[i], NULL);
    return ves_mem_end(st, mark, status, "mark state buckets");
}

enum ves_status ves_mem_bucket_put(struct ves_store *s, uint32_t stream_no,
                                   uint16_t bucket, const struct ves_hash *hash)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);

    return ves_mem_end(st, mark, bucket_write(st, stream_no, bucket, hash),
                       "keep a state bucket");
}

enum ves_status ves_mem_bucket_read(struct ves_store *s, uint32_t stream_no,
                                    uint16_t bucket, struct ves_arena *arena,
                                    struct ves_state_pair **pairs,
                                    size_t *count)
{
    const struct ves_hash first = {
        {(uint8_t)(bucket >> 4), (uint8_t)(bucket << 4)}};
    struct ves_mem_key key = entity_key(stream_no, &first);
    const struct ves_mem_node *from = ves_mem_seek(&ves_mem_of(s)->map, &key);
    const struct ves_mem_node *node;
    size_t room = 0;

    *pairs = NULL;
    *count = 0;
    for (node = from; node && is_of_bucket(node, stream_no, bucket);
         node = node->next[0])
        room++;
    if (room > 0)
        *pairs = ves_arena_alloc(arena, room * sizeof **pairs);
    if (room > 0 && !*pairs)
        return VES_NOMEM;
    for (; room > 0; room--, from = from->next[0]) {
        const struct ves_entity_row *row = from->value;

        if (row->state.len > 0)
            (*pairs)[(*count)++] =
                (struct ves_state_pair){row->key, row->state_hash};
    }
    return VES_OK;
}
