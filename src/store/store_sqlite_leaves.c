/* store_sqlite_leaves.c -- what the log's tree is made of, read from its
 * events.
 *
 * Before a head is signed every event since the last one is read again, so the
 * rows are taken within one step of the statement, by an aggregate function:
 * half the time of a step for each of them.  It is defined on connections of
 * our own only; on a caller's, where no heads are signed, rows come singly.
 */
#include <string.h>

#include "store/store_sqlite_internal.h"

struct ves_sqlite_leaves {
    struct ves_leaf_row *rows;
    size_t count, found;
};

/* False when the row is not one of ours. */
static bool take(struct ves_sqlite_leaves *to, int64_t id,
                 struct ves_bytes hash, struct ves_bytes signature)
{
    uint64_t sequence = ves_sqlite_rowid_no(id);

    if (to->found == to->count || hash.len != VES_HASH_SIZE ||
        signature.len != VES_SIG_SIZE ||
        (to->found > 0 && sequence <= to->rows[to->found - 1].sequence_number))
        return false;
    struct ves_leaf_row *row = &to->rows[to->found++];
    row->sequence_number = sequence;
    memcpy(row->event_hash.b, hash.ptr, VES_HASH_SIZE);
    memcpy(row->signature.b, signature.ptr, VES_SIG_SIZE);
    return true;
}

static struct ves_bytes blob_of(sqlite3_value *value)
{
    const void *ptr = sqlite3_value_blob(value);

    return ves_bytes(ptr, ptr ? (size_t)sqlite3_value_bytes(value) : 0);
}

static void take_step(sqlite3_context *ctx, int count, sqlite3_value **values)
{
    struct ves_sqlite *st = sqlite3_user_data(ctx);

    (void)count;
    if (!st->leaves || !take(st->leaves, sqlite3_value_int64(values[0]),
                             blob_of(values[1]), blob_of(values[2])))
        sqlite3_result_error_code(ctx, SQLITE_CORRUPT);
}

static void take_end(sqlite3_context *ctx)
{
    sqlite3_result_null(ctx);
}

enum ves_status ves_sqlite_leaves_define(struct ves_sqlite *st)
{
    int rc = sqlite3_create_function_v2(st->db, "ves_take_leaf", 3,
                                        SQLITE_UTF8 | SQLITE_DIRECTONLY, st,
                                        NULL, take_step, take_end, NULL);

    return rc == SQLITE_OK ? VES_OK : ves_sql_fail(st, rc);
}

/* The last number of a range that may be longer than numbers go. */
static uint64_t last_of(uint64_t from, size_t count)
{
    return from > VES_SQLITE_NO_MAX || count - 1 > VES_SQLITE_NO_MAX - from
               ? VES_SQLITE_NO_MAX
               : from + count - 1;
}

static enum ves_status open_range(struct ves_sqlite *st, struct ves_sql *q,
                                  uint32_t stream_no, uint64_t from,
                                  size_t count)
{
    enum ves_status status = ves_sql_open(
        st, q, VES_SQL_LOG_LEAVES,
        st->is_own ? "SELECT ves_take_leaf(id, event_hash, signature)"
                     " FROM ves_events WHERE id >= ? AND id <= ?"
                   : "SELECT id, event_hash, signature FROM ves_events"
                     " WHERE id >= ? AND id <= ? ORDER BY id");

    if (status)
        return status;
    ves_sql_put_i64(q, ves_sqlite_rowid(stream_no, from));
    ves_sql_put_i64(q, ves_sqlite_rowid(stream_no, last_of(from, count)));
    return VES_OK;
}

static void take_singly(struct ves_sql *q, struct ves_sqlite_leaves *to)
{
    while (to->found < to->count && ves_sql_next(q)) {
        struct ves_leaf_row *row = &to->rows[to->found++];

        row->sequence_number = ves_sqlite_rowid_no(ves_sql_i64(q));
        ves_sql_fixed(q, row->event_hash.b, sizeof row->event_hash.b);
        ves_sql_fixed(q, row->signature.b, sizeof row->signature.b);
    }
}

enum ves_status ves_sqlite_log_leaves(struct ves_store *s, uint32_t stream_no,
                                      uint64_t from, size_t count,
                                      struct ves_leaf_row *rows, size_t *found)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sqlite_leaves to = {.rows = rows, .count = count};
    struct ves_sql q;

    *found = 0;
    if (count == 0)
        return VES_OK;
    enum ves_status status = open_range(st, &q, stream_no, from, count);
    if (status)
        return status;
    st->leaves = &to;
    if (st->is_own)
        (void)ves_sql_next(&q);
    else
        take_singly(&q, &to);
    st->leaves = NULL;
    status = ves_sql_check(&q);
    ves_sql_close(&q);
    *found = status ? 0 : to.found;
    return status;
}
