/* store_sqlite_stream.c -- named values and streams of the SQLite store. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/text.h"
#include "store/store_sqlite_internal.h"

/* ---- meta -----------------------------------------------------------------
 */

enum ves_status ves_sqlite_meta_get(struct ves_store *s, const char *name,
                                    struct ves_arena *arena,
                                    struct ves_bytes *value)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;

    if (ves_sqlite_kept_value(st, name, value))
        return ves_arena_copy(arena, *value, value);
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_META_GET, "SELECT value FROM ves_meta WHERE name = ?");

    *value = ves_bytes(NULL, 0);
    if (status)
        return status;
    ves_sql_put_word(&q, name);
    status = ves_sql_row(&q);
    if (!status) {
        *value = ves_sql_bytes(&q);
        status = ves_sql_check(&q);
    }
    if (!status)
        status = ves_arena_copy(arena, *value, value);
    ves_sql_close(&q);
    return status;
}

/* Text stays readable with any SQLite tool; bytes stay bytes. */
static bool is_plain_text(struct ves_bytes value)
{
    return ves_utf8_valid(value, NULL) &&
           (value.len == 0 || !memchr(value.ptr, 0, value.len));
}

/* text has the parameters value and name. */
static enum ves_status meta_write(struct ves_sqlite *st, enum ves_sql_id id,
                                  const char *text, const char *name,
                                  struct ves_bytes value)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(st, &q, id, text);

    if (status)
        return status;
    if (is_plain_text(value))
        ves_sql_put_text(&q, value);
    else
        ves_sql_put_blob(&q, value.ptr, value.len);
    ves_sql_put_word(&q, name);
    status = id == VES_SQL_META_PUT ? ves_sql_run_row(&q) : ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_meta_put(struct ves_store *s, const char *name,
                                    struct ves_bytes value)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    /* Nearly always it is there, and this costs half of an upsert. */
    status =
        meta_write(st, VES_SQL_META_UPDATE,
                   "UPDATE ves_meta SET value = ? WHERE name = ?", name, value);
    if (!status && sqlite3_changes(st->db) == 0)
        status = meta_write(st, VES_SQL_META_PUT,
                            "INSERT INTO ves_meta (value, name) VALUES (?, ?)",
                            name, value);
    if (!status)
        ves_sqlite_keep_value(st, name, value);
    return status;
}

/* ---- streams --------------------------------------------------------------
 */

#define STREAM_SELECT "SELECT " VES_SQLITE_STREAM_COLUMNS " FROM ves_streams s"

enum ves_status ves_sqlite_stream_read(struct ves_sql *q,
                                       struct ves_stream_row *row)
{
    memset(row, 0, sizeof *row);
    row->stream_no = ves_sql_u32(q);
    ves_sql_fixed(q, row->stream.tenant.b, sizeof row->stream.tenant.b);
    ves_sql_fixed(q, row->stream.store.b, sizeof row->stream.store.b);
    row->has_owner_key =
        ves_sql_fixed(q, row->owner_key.b, sizeof row->owner_key.b);
    row->committed_end = ves_sql_u64(q);
    ves_sql_fixed(q, row->state_root.b, sizeof row->state_root.b);
    row->head = ves_sqlite_rowid_no(ves_sql_i64(q));
    return ves_sql_check(q);
}

static enum ves_status stream_find(struct ves_sqlite *st,
                                   const struct ves_stream *stream,
                                   struct ves_stream_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_STREAM_GET,
                     STREAM_SELECT " WHERE tenant = ? AND store = ?");

    if (status)
        return status;
    ves_sql_put_uuid(&q, &stream->tenant);
    ves_sql_put_uuid(&q, &stream->store);
    status = ves_sql_row(&q);
    if (!status)
        status = ves_sqlite_stream_read(&q, row);
    ves_sql_close(&q);
    return status;
}

static enum ves_status stream_add(struct ves_sqlite *st,
                                  const struct ves_stream *stream)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_STREAM_ADD,
                     "INSERT INTO ves_streams (tenant, store, state_root)"
                     " VALUES (?, ?, NULL)");

    if (status)
        return status;
    ves_sql_put_uuid(&q, &stream->tenant);
    ves_sql_put_uuid(&q, &stream->store);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_stream_get(struct ves_store *s,
                                      const struct ves_stream *stream,
                                      bool create, struct ves_stream_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;

    VES_ASSERT(!create || st->tx != VES_TX_NONE);
    status = stream_find(st, stream, row);
    if (status != VES_NOT_FOUND || !create)
        return status;
    status = stream_add(st, stream);
    if (status)
        return status;
    status = stream_find(st, stream, row);
    if (!status && row->stream_no > VES_SQLITE_STREAM_MAX) {
        st->is_failed = true;
        status = ves_fail(&s->error, VES_LIMIT,
                          "The store holds %u streams, as many as it can. The "
                          "stream was not added.",
                          VES_SQLITE_STREAM_MAX);
    }
    return status;
}

enum ves_status ves_sqlite_stream_put(struct ves_store *s,
                                      const struct ves_stream_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    status = ves_sql_open(st, &q, VES_SQL_STREAM_PUT,
                          "UPDATE ves_streams SET owner_key = ?,"
                          " committed_end = ?, state_root = ?"
                          " WHERE stream_no = ?");
    if (status)
        return status;
    ves_sql_put_blob_if(&q, row->has_owner_key, row->owner_key.b,
                        sizeof row->owner_key.b);
    ves_sql_put_u64(&q, row->committed_end);
    ves_sql_put_hash_or_null(&q, &row->state_root);
    ves_sql_put_i64(&q, row->stream_no);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status && sqlite3_changes(st->db) == 0)
        status = ves_sqlite_missing(st, "stream");
    return status;
}

enum ves_status ves_sqlite_stream_list(struct ves_store *s,
                                       ves_stream_visitor *visit, void *ctx)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_STREAM_LIST,
                     STREAM_SELECT " ORDER BY stream_no");

    if (status)
        return status;
    while (!status && ves_sql_next(&q)) {
        struct ves_stream_row row;

        status = ves_sqlite_stream_read(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
