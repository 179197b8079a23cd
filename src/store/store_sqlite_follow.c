/* store_sqlite_follow.c -- what a store's file keeps of a log it follows: one
 * row a stream, and the last heads by size.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"

static enum ves_status open_here(struct ves_store *s, struct ves_sql *q,
                                 enum ves_sql_id id, const char *text)
{
    enum ves_status status =
        ves_sqlite_need(ves_sqlite_of(s), VES_STORE_DEVICE);

    return status ? status : ves_sql_open(ves_sqlite_of(s), q, id, text);
}

/* ---- the row --------------------------------------------------------------
 */

static enum ves_status follow_read(struct ves_sql *q, struct ves_arena *arena,
                                   struct ves_follow_row *row)
{
    enum ves_status status;

    memset(row, 0, sizeof *row);
    row->edge = ves_sql_bytes(q);
    row->origin = ves_sql_bytes(q);
    row->note = ves_sql_bytes(q);
    row->key_version = ves_sql_u32(q);
    row->logged = ves_sql_u64(q);
    row->witnessed = ves_sql_u64(q);
    row->verified_ms = ves_sql_i64(q);
    status = ves_sql_check(q);
    if (!status)
        status = ves_arena_copy(arena, row->edge, &row->edge);
    if (!status)
        status = ves_arena_copy(arena, row->origin, &row->origin);
    if (!status)
        status = ves_arena_copy(arena, row->note, &row->note);
    return status;
}

enum ves_status ves_sqlite_follow_get(struct ves_store *s, uint32_t stream_no,
                                      struct ves_arena *arena,
                                      struct ves_follow_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_FOLLOW_GET,
                  "SELECT edge, origin, note, key_version, logged, witnessed,"
                  " verified_ms FROM ves_follow WHERE stream_no = ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_row(&q);
    if (!status)
        status = follow_read(&q, arena, row);
    ves_sql_close(&q);
    return status;
}

static enum ves_status need_stream(struct ves_sqlite *st, uint32_t stream_no)
{
    uint64_t head;

    return ves_sqlite_log_head(&st->store, stream_no, &head);
}

enum ves_status ves_sqlite_follow_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_follow_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = need_stream(st, stream_no);
    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_FOLLOW_PUT,
            "INSERT OR REPLACE INTO ves_follow (edge, origin, note,"
            " key_version, logged, witnessed, verified_ms, stream_no)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    if (status)
        return status;
    ves_sql_put_blob(&q, row->edge.ptr, row->edge.len);
    ves_sql_put_text(&q, row->origin);
    ves_sql_put_text(&q, row->note);
    ves_sql_put_i64(&q, row->key_version);
    ves_sql_put_u64(&q, row->logged);
    ves_sql_put_u64(&q, row->witnessed);
    ves_sql_put_i64(&q, row->verified_ms);
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_run_row(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- heads ----------------------------------------------------------------
 */

/* *is_there: one of that size with that root. */
static enum ves_status compare_kept(struct ves_sqlite *st, uint32_t stream_no,
                                    const struct ves_kept_head *head,
                                    bool *is_there)
{
    struct ves_kept_head kept;
    size_t found;
    enum ves_status status = ves_sqlite_kept_heads_read(
        &st->store, stream_no, head->size, 1, &kept, &found);

    *is_there = !status && found && kept.size == head->size;
    if (*is_there && !ves_hash_equal(&kept.root, &head->root))
        status = ves_fail(&st->store.error, VES_CONFLICT,
                          "A head of %llu entries is kept already and has "
                          "another root. Nothing was changed.",
                          (unsigned long long)head->size);
    return status;
}

static enum ves_status add_kept(struct ves_sqlite *st, uint32_t stream_no,
                                const struct ves_kept_head *head)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_KEPT_HEAD_PUT,
                     "INSERT INTO ves_kept_heads (root, id) VALUES (?, ?)");

    if (status)
        return status;
    ves_sql_put_hash(&q, &head->root);
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, head->size));
    status = ves_sql_run_row(&q);
    ves_sql_close(&q);
    return status;
}

static enum ves_status forget_kept(struct ves_sqlite *st, uint32_t stream_no,
                                   uint32_t keep)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_KEPT_HEAD_FORGET,
                     "DELETE FROM ves_kept_heads WHERE id > ? AND id <="
                     " (SELECT id FROM ves_kept_heads WHERE id > ? AND id <= ?"
                     "  ORDER BY id DESC LIMIT 1 OFFSET ?)");

    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, 0));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, 0));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    ves_sql_put_i64(&q, keep);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_kept_head_put(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_kept_head *head,
                                         uint32_t keep)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);
    bool is_there = false;

    VES_ASSERT(st->tx != VES_TX_NONE && keep > 0 && head->size > 0 &&
               head->size <= VES_SQLITE_NO_MAX);
    if (!status)
        status = need_stream(st, stream_no);
    if (!status)
        status = compare_kept(st, stream_no, head, &is_there);
    if (status || is_there)
        return status;
    status = add_kept(st, stream_no, head);
    return status ? status : forget_kept(st, stream_no, keep);
}

enum ves_status ves_sqlite_kept_heads_cut(struct ves_store *s,
                                          uint32_t stream_no, uint64_t above)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE && above <= VES_SQLITE_NO_MAX);
    if (!status)
        status =
            ves_sql_open(st, &q, VES_SQL_KEPT_HEADS_CUT,
                         "DELETE FROM ves_kept_heads WHERE id > ? AND id <= ?");
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, above));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_kept_heads_read(struct ves_store *s,
                                           uint32_t stream_no, uint64_t from,
                                           size_t count,
                                           struct ves_kept_head *rows,
                                           size_t *found)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_KEPT_HEADS_READ,
                  "SELECT id, root FROM ves_kept_heads"
                  " WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?");

    *found = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, from));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    ves_sql_put_u64(&q, count);
    while (*found < count && ves_sql_next(&q)) {
        struct ves_kept_head *row = &rows[(*found)++];

        row->size = ves_sqlite_rowid_no(ves_sql_i64(&q));
        ves_sql_fixed(&q, row->root.b, sizeof row->root.b);
    }
    status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
