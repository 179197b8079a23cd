/* store_mem_record.c -- append-only records of the memory store. */
#include <string.h>

#include "base/assert.h"
#include "store/store_mem_internal.h"

static const struct ves_mem_shape record_shape = {
    sizeof(struct ves_record),
    3,
    {offsetof(struct ves_record, code), offsetof(struct ves_record, detail),
     offsetof(struct ves_record, body)}};

static struct ves_mem_key record_key(enum ves_record_kind kind,
                                     uint32_t stream_no, uint64_t no)
{
    struct ves_mem_key key;

    VES_ASSERT(kind < VES_RECORD_KINDS);
    key = ves_mem_key(VES_MEM_RECORD + (unsigned)kind, stream_no);
    ves_mem_key_add_u64(&key, no);
    return key;
}

static uint64_t last_no(const struct ves_mem_store *st,
                        enum ves_record_kind kind, uint32_t stream_no)
{
    struct ves_mem_key key = record_key(kind, stream_no, UINT64_MAX);
    const struct ves_mem_node *node = ves_mem_seek_below(&st->map, &key);

    if (!node || !ves_mem_key_leads(&key, 5, node))
        return 0;
    return ((const struct ves_record *)node->value)->no;
}

static bool can_close(enum ves_record_kind kind)
{
    return kind == VES_RECORD_QUARANTINE || kind == VES_RECORD_ALERT;
}

enum ves_status ves_mem_record_append(struct ves_store *s,
                                      enum ves_record_kind kind,
                                      uint32_t stream_no,
                                      const struct ves_record *rows,
                                      size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    uint64_t last = last_no(st, kind, stream_no);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    for (size_t i = 0; i < count && !status; i++) {
        struct ves_record row = rows[i];
        struct ves_mem_key key;

        row.no = last + 1 + i;
        if (!row.has_event_id)
            memset(&row.event_id, 0, sizeof row.event_id);
        if (!row.has_signature)
            memset(&row.signature, 0, sizeof row.signature);
        if (!can_close(kind))
            row.closed_ms = 0;
        key = record_key(kind, stream_no, row.no);
        status = ves_mem_put_row(st, &key, &record_shape, &row);
    }
    return ves_mem_end(st, mark, status, "add a record");
}

enum ves_status ves_mem_record_list(struct ves_store *s,
                                    enum ves_record_kind kind,
                                    uint32_t stream_no, uint64_t from,
                                    bool is_descending, uint32_t limit,
                                    ves_record_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    uint64_t last = last_no(st, kind, stream_no);
    uint64_t no = from;

    if (is_descending && (from == 0 || from > last))
        no = last;
    else if (!is_descending && from == 0)
        no = 1;
    for (uint32_t done = 0; no >= 1 && no <= last;
         no = is_descending ? no - 1 : no + 1) {
        struct ves_mem_key key = record_key(kind, stream_no, no);
        enum ves_status status = visit(ctx, ves_mem_get(&st->map, &key));

        if (status)
            return status;
        if (++done == limit)
            break;
    }
    return VES_OK;
}

enum ves_status ves_mem_record_close(struct ves_store *s,
                                     enum ves_record_kind kind,
                                     uint32_t stream_no, uint64_t no,
                                     int64_t closed_ms)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = record_key(kind, stream_no, no);
    const struct ves_record *old = ves_mem_get(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_NOT_FOUND;

    VES_ASSERT(st->is_writing);
    if (!can_close(kind)) {
        status = VES_INVALID;
    } else if (old) {
        struct ves_record row = *old;

        row.closed_ms = closed_ms;
        status = ves_mem_put_row(st, &key, &record_shape, &row);
    }
    return ves_mem_end(st, mark, status, "close a record");
}

enum ves_status ves_mem_record_count_open(struct ves_store *s,
                                          enum ves_record_kind kind,
                                          uint32_t stream_no, uint64_t *count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = record_key(kind, stream_no, 0);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);

    *count = 0;
    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0])
        if (((const struct ves_record *)node->value)->closed_ms == 0)
            (*count)++;
    return VES_OK;
}
