/* store_sqlite_record.c -- append-only records of the SQLite store. */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"

#define RECORD_COLUMNS \
    "id, at_ms, sequence_number, event_id, code, detail, body, signature"

/* The statements of a table; closed is its column for the time of closing, or
 * a constant where records are never closed. */
struct texts {
    const char *last, *append, *list, *list_down, *close, *open;
};

#define LAST(table)                          \
    "SELECT coalesce((SELECT id FROM " table \
    " WHERE id > ? AND id <= ? ORDER BY id DESC LIMIT 1), 0)"
#define LIST(table, closed)                             \
    "SELECT " RECORD_COLUMNS ", " closed " FROM " table \
    " WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?"
#define LIST_DOWN(table, closed)                        \
    "SELECT " RECORD_COLUMNS ", " closed " FROM " table \
    " WHERE id >= ? AND id <= ? ORDER BY id DESC LIMIT ?"

#define TEXTS_FOREVER(table)                                    \
    {                                                           \
        LAST(table),                                            \
            "INSERT INTO " table " (" RECORD_COLUMNS            \
            ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",                \
            LIST(table, "0"), LIST_DOWN(table, "0"), NULL, NULL \
    }
#define TEXTS_CLOSABLE(table)                                        \
    {                                                                \
        LAST(table),                                                 \
            "INSERT INTO " table " (" RECORD_COLUMNS                 \
            ", closed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",       \
            LIST(table, "closed_ms"), LIST_DOWN(table, "closed_ms"), \
            "UPDATE " table " SET closed_ms = ? WHERE id = ?",       \
            "SELECT count(*) FROM " table                            \
            " WHERE closed_ms = 0 AND id >= ? AND id <= ?"           \
    }

static const struct texts texts[VES_RECORD_KINDS] = {
    [VES_RECORD_TRAIL] = TEXTS_FOREVER("ves_trail"),
    [VES_RECORD_QUARANTINE] = TEXTS_CLOSABLE("ves_quarantine"),
    [VES_RECORD_REFUSAL] = TEXTS_FOREVER("ves_refusals"),
    [VES_RECORD_ALERT] = TEXTS_CLOSABLE("ves_alerts")};

static enum ves_status need_kind(struct ves_sqlite *st,
                                 enum ves_record_kind kind)
{
    VES_ASSERT(kind < VES_RECORD_KINDS);
    if (kind == VES_RECORD_QUARANTINE)
        return ves_sqlite_need(st, VES_STORE_DEVICE);
    if (kind == VES_RECORD_REFUSAL)
        return ves_sqlite_need(st, VES_STORE_SEQUENCER);
    return VES_OK;
}

static void put_bounds(struct ves_sql *q, uint32_t stream_no, uint64_t from,
                       uint64_t to)
{
    ves_sql_put_i64(q, ves_sqlite_rowid(stream_no, from));
    ves_sql_put_i64(q, ves_sqlite_rowid(stream_no, to));
}

/* Records are dense: the last number is also how many there are. */
static enum ves_status last_no(struct ves_sqlite *st, enum ves_record_kind kind,
                               uint32_t stream_no, uint64_t *last)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_RECORD_LAST + (unsigned)kind, texts[kind].last);

    *last = 0;
    if (status)
        return status;
    put_bounds(&q, stream_no, 0, VES_SQLITE_NO_MAX);
    status = ves_sql_row(&q);
    if (!status)
        *last = ves_sqlite_rowid_no(ves_sql_i64(&q));
    ves_sql_close(&q);
    return status;
}

static enum ves_status append_one(struct ves_sql *q, int64_t rowid,
                                  bool can_close, const struct ves_record *row)
{
    ves_sql_put_i64(q, rowid);
    ves_sql_put_i64(q, row->at_ms);
    ves_sql_put_u64(q, row->sequence_number);
    ves_sql_put_blob_if(q, row->has_event_id, row->event_id.b,
                        sizeof row->event_id.b);
    ves_sql_put_text(q, row->code);
    ves_sql_put_text(q, row->detail);
    ves_sql_put_blob_if(q, row->body.len > 0, row->body.ptr, row->body.len);
    ves_sql_put_blob_if(q, row->has_signature, row->signature.b,
                        sizeof row->signature.b);
    if (can_close)
        ves_sql_put_i64(q, row->closed_ms);
    return ves_sql_run(q);
}

enum ves_status ves_sqlite_record_append(struct ves_store *s,
                                         enum ves_record_kind kind,
                                         uint32_t stream_no,
                                         const struct ves_record *rows,
                                         size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    uint64_t last;
    enum ves_status status = need_kind(st, kind);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = last_no(st, kind, stream_no, &last);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_RECORD_APPEND + (unsigned)kind,
                              texts[kind].append);
    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = append_one(&q, ves_sqlite_rowid(stream_no, last + 1 + i),
                            texts[kind].close != NULL, &rows[i]);
    ves_sql_close(&q);
    return status;
}

static enum ves_status record_read(struct ves_sql *q, struct ves_record *row)
{
    memset(row, 0, sizeof *row);
    row->no = ves_sqlite_rowid_no(ves_sql_i64(q));
    row->at_ms = ves_sql_i64(q);
    row->sequence_number = ves_sql_u64(q);
    row->has_event_id =
        ves_sql_fixed(q, row->event_id.b, sizeof row->event_id.b);
    row->code = ves_sql_bytes(q);
    row->detail = ves_sql_bytes(q);
    row->body = ves_sql_bytes(q);
    row->has_signature =
        ves_sql_fixed(q, row->signature.b, sizeof row->signature.b);
    row->closed_ms = ves_sql_i64(q);
    return ves_sql_check(q);
}

enum ves_status ves_sqlite_record_list(struct ves_store *s,
                                       enum ves_record_kind kind,
                                       uint32_t stream_no, uint64_t from,
                                       bool is_descending, uint32_t limit,
                                       ves_record_visitor *visit, void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = need_kind(st, kind);

    if (!status && is_descending)
        status = ves_sql_open(st, &q, VES_SQL_RECORD_LIST_DOWN + (unsigned)kind,
                              texts[kind].list_down);
    else if (!status)
        status = ves_sql_open(st, &q, VES_SQL_RECORD_LIST + (unsigned)kind,
                              texts[kind].list);
    if (status)
        return status;
    if (is_descending)
        put_bounds(&q, stream_no, 0, from ? from : VES_SQLITE_NO_MAX);
    else
        put_bounds(&q, stream_no, from, VES_SQLITE_NO_MAX);
    ves_sql_put_i64(&q, limit ? (int64_t)limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_record row;

        status = record_read(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_record_close(struct ves_store *s,
                                        enum ves_record_kind kind,
                                        uint32_t stream_no, uint64_t no,
                                        int64_t closed_ms)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = need_kind(st, kind);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status && !texts[kind].close)
        return ves_fail(&s->error, VES_INVALID,
                        "Records of this kind are never closed. Nothing was "
                        "changed.");
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_RECORD_CLOSE + (unsigned)kind,
                              texts[kind].close);
    if (status)
        return status;
    ves_sql_put_i64(&q, closed_ms);
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, no));
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status && sqlite3_changes(st->db) == 0)
        status = ves_sqlite_missing(st, "record");
    return status;
}

enum ves_status ves_sqlite_record_count_open(struct ves_store *s,
                                             enum ves_record_kind kind,
                                             uint32_t stream_no,
                                             uint64_t *count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = need_kind(st, kind);

    *count = 0;
    if (status)
        return status;
    if (!texts[kind].open)
        return last_no(st, kind, stream_no, count);
    status = ves_sql_open(st, &q, VES_SQL_RECORD_OPEN + (unsigned)kind,
                          texts[kind].open);
    if (status)
        return status;
    put_bounds(&q, stream_no, 0, VES_SQLITE_NO_MAX);
    status = ves_sql_row(&q);
    if (!status)
        *count = ves_sql_u64(&q);
    ves_sql_close(&q);
    return status;
}
