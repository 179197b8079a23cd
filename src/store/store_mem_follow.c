/* store_mem_follow.c -- what the memory store keeps of a log it follows. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "store/store_mem_internal.h"

struct kept {
    struct ves_kept_head head;
    bool is_gone; /* forgotten: keys never leave the map */
    bool is_cut;  /* as if it had never been kept */
};

static const struct ves_mem_shape follow_shape = {
    sizeof(struct ves_follow_row),
    3,
    {offsetof(struct ves_follow_row, edge),
     offsetof(struct ves_follow_row, origin),
     offsetof(struct ves_follow_row, note)}};
static const struct ves_mem_shape kept_shape = {sizeof(struct kept), 0, {0}};

enum { STREAM_KEY = 5 }; /* bytes of a key that name table and stream */

static struct ves_mem_key kept_key(uint32_t stream_no, uint64_t size)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_KEPT_HEAD, stream_no);

    ves_mem_key_add_u64(&key, size);
    return key;
}

static bool has_stream(const struct ves_mem_store *st, uint32_t stream_no)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM_ROW, stream_no);

    return ves_mem_get(&st->map, &key) != NULL;
}

enum ves_status ves_mem_follow_get(struct ves_store *s, uint32_t stream_no,
                                   struct ves_arena *arena,
                                   struct ves_follow_row *row)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_FOLLOW, stream_no);
    const struct ves_follow_row *kept = ves_mem_get(&ves_mem_of(s)->map, &key);

    return kept ? ves_mem_copy_out(&follow_shape, kept, arena, row)
                : VES_NOT_FOUND;
}

enum ves_status ves_mem_follow_put(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_follow_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_FOLLOW, stream_no);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_NOT_FOUND;

    VES_ASSERT(st->is_writing);
    if (has_stream(st, stream_no))
        status = ves_mem_put_row(st, &key, &follow_shape, row);
    return ves_mem_end(st, mark, status, "follow the log");
}

/* Is it below one that was forgotten, so that there is no room for it? */
static bool is_too_small(const struct ves_mem_store *st, uint32_t stream_no,
                         uint64_t size)
{
    struct ves_mem_key key = kept_key(stream_no, size);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);

    return node && ves_mem_key_leads(&key, STREAM_KEY, node) &&
           ((const struct kept *)node->value)->is_gone;
}

/* Marks the one that is one too many. */
static enum ves_status forget(struct ves_mem_store *st, uint32_t stream_no,
                              uint32_t keep)
{
    struct ves_mem_key key = kept_key(stream_no, UINT64_MAX);
    const struct ves_mem_node *node = ves_mem_seek_below(&st->map, &key);

    for (uint32_t n = 0; node && ves_mem_key_leads(&key, STREAM_KEY, node);
         n++) {
        struct kept row = *(const struct kept *)node->value;

        if (row.is_gone)
            return VES_OK;
        key = kept_key(stream_no, row.head.size);
        if (row.is_cut) {
            n--;
        } else if (n >= keep) {
            row.is_gone = true;
            return ves_mem_put_row(st, &key, &kept_shape, &row);
        }
        node = ves_mem_seek_below(&st->map, &key);
    }
    return VES_OK;
}

enum ves_status ves_mem_kept_head_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_kept_head *head,
                                      uint32_t keep)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = kept_key(stream_no, head->size);
    const struct kept *old = ves_mem_get(&st->map, &key);
    bool is_there = old && !old->is_cut;
    const struct kept row = {.head = *head};
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing && keep > 0);
    if (!has_stream(st, stream_no))
        status = VES_NOT_FOUND;
    else if (is_too_small(st, stream_no, head->size))
        return VES_OK;
    else if (is_there)
        status = ves_hash_equal(&old->head.root, &head->root) ? VES_OK
                                                              : VES_CONFLICT;
    else
        status = ves_mem_put_row(st, &key, &kept_shape, &row);
    if (!status && !is_there)
        status = forget(st, stream_no, keep);
    return ves_mem_end(st, mark, status, "keep a head");
}

enum ves_status ves_mem_kept_heads_cut(struct ves_store *s, uint32_t stream_no,
                                       uint64_t above)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = kept_key(stream_no, above + 1);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    while (!status && node && ves_mem_key_leads(&key, STREAM_KEY, node)) {
        struct kept row = *(const struct kept *)node->value;

        row.is_cut = true;
        row.is_gone = false;
        key = kept_key(stream_no, row.head.size);
        status = ves_mem_put_row(st, &key, &kept_shape, &row);
        key = kept_key(stream_no, row.head.size + 1);
        node = ves_mem_seek(&st->map, &key);
    }
    return ves_mem_end(st, mark, status, "forget heads");
}

enum ves_status ves_mem_kept_heads_read(struct ves_store *s, uint32_t stream_no,
                                        uint64_t from, size_t count,
                                        struct ves_kept_head *rows,
                                        size_t *found)
{
    struct ves_mem_key key = kept_key(stream_no, from);
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);

    *found = 0;
    for (; node && *found < count && ves_mem_key_leads(&key, STREAM_KEY, node);
         node = node->next[0]) {
        const struct kept *row = node->value;

        if (!row->is_gone && !row->is_cut)
            rows[(*found)++] = row->head;
    }
    return VES_OK;
}
