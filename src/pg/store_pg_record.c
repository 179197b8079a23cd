/* store_pg_record.c -- append-only records of the PostgreSQL store. */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

#define RECORD_COLUMNS                                                  \
    "at_ms, sequence_number, event_id, code, detail, body, signature, " \
    "closed_ms"

static bool can_close(enum ves_record_kind kind)
{
    return kind == VES_RECORD_ALERT;
}

static enum ves_status need_kind(struct ves_pg *st, enum ves_record_kind kind)
{
    VES_ASSERT(kind < VES_RECORD_KINDS);
    _Static_assert(VES_RECORD_ALERT == 3, "an index of the schema names it");
    if (kind != VES_RECORD_QUARANTINE)
        return VES_OK;
    return ves_fail(&st->store.error, VES_UNSUPPORTED,
                    "This is a sequencer's store; it has no such table. "
                    "Nothing was changed.");
}

/* Records are dense: the last number is also how many there are. */
enum ves_status ves_pg_record_append(struct ves_store *s,
                                     enum ves_record_kind kind,
                                     uint32_t stream_no,
                                     const struct ves_record *rows,
                                     size_t count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    enum ves_status status = need_kind(st, kind);

    VES_ASSERT(st->is_in);
    if (status || count == 0)
        return status;
    ves_pg_open(
        st, &q, VES_PG_RECORD_APPEND, "iiIIUBBBBI",
        "INSERT INTO ves_records (stream_no, kind, no, " RECORD_COLUMNS ")"
        " SELECT $1, $2, r.n + coalesce((SELECT no FROM ves_records"
        "  WHERE stream_no = $1 AND kind = $2 ORDER BY no DESC LIMIT 1), 0),"
        " " RECORD_COLUMNS " FROM unnest($3, $4, $5, $6, $7, $8, $9, $10)"
        " WITH ORDINALITY r (" RECORD_COLUMNS ", n)");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_i64(&q, kind);
    for (size_t i = 0; i < count; i++) {
        const struct ves_record *row = &rows[i];

        ves_pg_put_i64(&q, row->at_ms);
        ves_pg_put_u64(&q, row->sequence_number);
        ves_pg_put_uuid_if(&q, row->has_event_id, &row->event_id);
        ves_pg_put_bytes(&q, row->code);
        ves_pg_put_bytes(&q, row->detail);
        ves_pg_put_blob_if(&q, row->body.len > 0, row->body.ptr, row->body.len);
        ves_pg_put_blob_if(&q, row->has_signature, row->signature.b,
                           sizeof row->signature.b);
        ves_pg_put_i64(&q, can_close(kind) ? row->closed_ms : 0);
    }
    return ves_pg_send(&q);
}

static enum ves_status read_record(struct ves_pg_call *q,
                                   struct ves_record *row)
{
    memset(row, 0, sizeof *row);
    row->no = ves_pg_u64(q);
    row->at_ms = ves_pg_i64(q);
    row->sequence_number = ves_pg_u64(q);
    row->has_event_id =
        ves_pg_fixed(q, row->event_id.b, sizeof row->event_id.b);
    row->code = ves_pg_bytes(q);
    row->detail = ves_pg_bytes(q);
    row->body = ves_pg_bytes(q);
    row->has_signature =
        ves_pg_fixed(q, row->signature.b, sizeof row->signature.b);
    row->closed_ms = ves_pg_i64(q);
    return ves_pg_check(q);
}

struct record_range {
    enum ves_record_kind kind;
    uint32_t stream_no;
    uint64_t from;
    bool is_descending;
};

static enum ves_status list_page(struct ves_pg *st, struct record_range *range,
                                 struct ves_pg_scan *scan,
                                 ves_record_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    if (range->is_descending)
        ves_pg_open(st, &q, VES_PG_RECORD_LIST_DOWN, "iiii",
                    "SELECT no, " RECORD_COLUMNS " FROM ves_records"
                    " WHERE stream_no = $1 AND kind = $2 AND no <= $3"
                    " ORDER BY no DESC LIMIT $4");
    else
        ves_pg_open(st, &q, VES_PG_RECORD_LIST, "iiii",
                    "SELECT no, " RECORD_COLUMNS " FROM ves_records"
                    " WHERE stream_no = $1 AND kind = $2 AND no >= $3"
                    " ORDER BY no LIMIT $4");
    ves_pg_put_i64(&q, range->stream_no);
    ves_pg_put_i64(&q, range->kind);
    ves_pg_put_u64(&q, range->from);
    ves_pg_put_u64(&q, scan->rows);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_record row;

        status = read_record(&q, &row);
        scan->got++;
        scan->bytes += row.body.len + row.detail.len;
        range->from = range->is_descending ? row.no - 1 : row.no + 1;
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_record_list(struct ves_store *s,
                                   enum ves_record_kind kind,
                                   uint32_t stream_no, uint64_t from,
                                   bool is_descending, uint32_t limit,
                                   ves_record_visitor *visit, void *ctx)
{
    struct ves_pg *st = ves_pg_of(s);
    struct record_range range = {kind, stream_no, from, is_descending};
    struct ves_pg_scan scan;
    enum ves_status status = need_kind(st, kind);

    if (is_descending && from == 0)
        range.from = INT64_MAX;
    if (!status)
        status = ves_pg_scan_begin(st, &scan, limit);
    if (status)
        return status;
    do
        status = list_page(st, &range, &scan, visit, ctx);
    while (!status && ves_pg_scan_more(&scan));
    ves_pg_scan_end(st, &scan);
    return status;
}

enum ves_status ves_pg_record_close(struct ves_store *s,
                                    enum ves_record_kind kind,
                                    uint32_t stream_no, uint64_t no,
                                    int64_t closed_ms)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;
    enum ves_status status = need_kind(st, kind);

    VES_ASSERT(st->is_in);
    if (status)
        return status;
    if (!can_close(kind))
        return ves_fail(&s->error, VES_INVALID,
                        "Records of this kind are never closed. Nothing was "
                        "changed.");
    ves_pg_open(st, &q, VES_PG_RECORD_CLOSE, "iiii",
                "UPDATE ves_records SET closed_ms = $4 WHERE stream_no = $1"
                " AND kind = $2 AND no = $3");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_i64(&q, kind);
    ves_pg_put_u64(&q, no);
    ves_pg_put_i64(&q, closed_ms);
    status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? ves_pg_missing(st, "record") : status;
}

enum ves_status ves_pg_record_count_open(struct ves_store *s,
                                         enum ves_record_kind kind,
                                         uint32_t stream_no, uint64_t *count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    enum ves_status status = need_kind(st, kind);

    *count = 0;
    if (status)
        return status;
    if (can_close(kind))
        ves_pg_open(st, &q, VES_PG_RECORD_OPEN, "i",
                    "SELECT count(*) FROM ves_records WHERE stream_no = $1"
                    " AND kind = 3 AND closed_ms = 0");
    else
        ves_pg_open(st, &q, VES_PG_RECORD_LAST, "ii",
                    "SELECT no FROM ves_records WHERE stream_no = $1"
                    " AND kind = $2 ORDER BY no DESC LIMIT 1");
    ves_pg_put_i64(&q, stream_no);
    if (!can_close(kind))
        ves_pg_put_i64(&q, kind);
    status = ves_pg_ask_u64(&q, count);
    return status == VES_NOT_FOUND ? VES_OK : status;
}
