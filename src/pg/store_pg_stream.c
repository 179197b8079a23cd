/* store_pg_stream.c -- named values and streams of the PostgreSQL store. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

/* ---- meta -----------------------------------------------------------------
 */

enum ves_status ves_pg_meta_get(struct ves_store *s, const char *name,
                                struct ves_arena *arena,
                                struct ves_bytes *value)
{
    struct ves_pg_call q;

    *value = ves_bytes(NULL, 0);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_META_GET, "w",
                "SELECT value FROM ves_meta WHERE name = $1");
    ves_pg_put_word(&q, name);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    status = ves_arena_copy(arena, ves_pg_bytes(&q), value);
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_meta_put(struct ves_store *s, const char *name,
                                struct ves_bytes value)
{
    struct ves_pg_call q;

    VES_ASSERT(!ves_pg_of(s)->is_partial);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_META_PUT, "wb",
                "INSERT INTO ves_meta (name, value) VALUES ($1, $2)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value");
    ves_pg_put_word(&q, name);
    ves_pg_put_bytes(&q, value);
    return ves_pg_send(&q);
}

/* ---- streams --------------------------------------------------------------
 */

#define STREAM_SELECT "SELECT " VES_PG_STREAM_COLUMNS " FROM ves_streams s"

enum ves_status ves_pg_stream_read(struct ves_pg_call *q,
                                   struct ves_stream_row *row)
{
    memset(row, 0, sizeof *row);
    row->stream_no = ves_pg_u32(q);
    ves_pg_fixed(q, row->stream.tenant.b, sizeof row->stream.tenant.b);
    ves_pg_fixed(q, row->stream.store.b, sizeof row->stream.store.b);
    row->has_owner_key =
        ves_pg_fixed(q, row->owner_key.b, sizeof row->owner_key.b);
    row->committed_end = ves_pg_u64(q);
    ves_pg_fixed(q, row->state_root.b, sizeof row->state_root.b);
    row->head = ves_pg_u64(q);
    return ves_pg_check(q);
}

/* Asks for the one row and reads it. */
static enum ves_status read_one(struct ves_pg_call *q,
                                struct ves_stream_row *row)
{
    enum ves_status status = ves_pg_ask_row(q);

    if (status)
        return status;
    status = ves_pg_stream_read(q, row);
    ves_pg_close(q);
    if (!status)
        ves_pg_know(q->st, row->stream_no);
    return status;
}

static enum ves_status stream_add(struct ves_pg *st,
                                  const struct ves_stream *stream,
                                  struct ves_stream_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_STREAM_ADD, "uu",
                "INSERT INTO ves_streams AS s (stream_no, tenant, store)"
                " SELECT coalesce(max(stream_no), 0) + 1, $1, $2"
                " FROM ves_streams RETURNING " VES_PG_STREAM_COLUMNS);
    ves_pg_put_uuid(&q, &stream->tenant);
    ves_pg_put_uuid(&q, &stream->store);
    return read_one(&q, row);
}

enum ves_status ves_pg_stream_get(struct ves_store *s,
                                  const struct ves_stream *stream, bool create,
                                  struct ves_stream_row *row)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;

    VES_ASSERT(!create || (st->is_in && !st->is_partial));
    if (ves_pg_recall(st, &q, stream, 0)) {
        enum ves_status known = ves_pg_stream_read(&q, row);
        if (!known)
            ves_pg_know(st, row->stream_no);
        return known;
    }
    ves_pg_open(st, &q, VES_PG_STREAM_GET, "uu",
                STREAM_SELECT " WHERE tenant = $1 AND store = $2");
    ves_pg_put_uuid(&q, &stream->tenant);
    ves_pg_put_uuid(&q, &stream->store);
    enum ves_status status = read_one(&q, row);
    return status == VES_NOT_FOUND && create ? stream_add(st, stream, row)
                                             : status;
}

enum ves_status ves_pg_stream_put(struct ves_store *s,
                                  const struct ves_stream_row *row)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 1;

    ves_pg_forget(st);
    ves_pg_open(st, &q, VES_PG_STREAM_PUT, "ibib",
                "UPDATE ves_streams SET owner_key = $2, committed_end = $3,"
                " state_root = $4 WHERE stream_no = $1");
    ves_pg_put_i64(&q, row->stream_no);
    ves_pg_put_blob_if(&q, row->has_owner_key, row->owner_key.b,
                       sizeof row->owner_key.b);
    ves_pg_put_u64(&q, row->committed_end);
    ves_pg_put_hash_or_null(&q, &row->state_root);
    if (ves_pg_knows(st, row->stream_no))
        return ves_pg_send(&q);
    enum ves_status status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? ves_pg_missing(st, "stream") : status;
}

enum ves_status ves_pg_stream_list(struct ves_store *s,
                                   ves_stream_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_STREAM_LIST, "",
                STREAM_SELECT " ORDER BY stream_no");
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_stream_row row;

        status = ves_pg_stream_read(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}
