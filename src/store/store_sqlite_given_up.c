/* store_sqlite_given_up.c -- what leaves a device's log, because an epoch gave
 * it up, and where it goes.
 */
#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"

static enum ves_status copy(struct ves_sqlite *st, uint32_t stream_no,
                            uint64_t above, uint64_t epoch, uint64_t *count)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_GIVE_UP_COPY,
        "INSERT INTO ves_given_up (epoch, " VES_SQLITE_LOG_COLUMNS ")"
        " SELECT ?, " VES_SQLITE_LOG_COLUMNS " FROM ves_events"
        " WHERE id > ? AND id <= ?");

    if (status)
        return status;
    ves_sql_put_u64(&q, epoch);
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, above));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status)
        *count = (uint64_t)sqlite3_changes(st->db);
    return status;
}

static enum ves_status cut(struct ves_sqlite *st, uint32_t stream_no,
                           uint64_t above)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_GIVE_UP_CUT,
                     "DELETE FROM ves_events WHERE id > ? AND id <= ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, above));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_log_give_up(struct ves_store *s, uint32_t stream_no,
                                       uint64_t above, uint64_t epoch,
                                       uint64_t *count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE && above <= VES_SQLITE_NO_MAX);
    *count = 0;
    if (!status)
        status = ves_sql_call_begin(st);
    if (status)
        return status;
    st->kept.stream_no = 0;
    status = copy(st, stream_no, above, epoch, count);
    if (!status)
        status = cut(st, stream_no, above);
    return ves_sql_call_end(st, status);
}

enum ves_status ves_sqlite_given_up_read(struct ves_store *s,
                                         uint32_t stream_no, uint64_t from,
                                         uint32_t limit,
                                         ves_given_up_visitor *visit, void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);
    struct ves_sql q;

    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_GIVEN_UP_READ,
            "SELECT epoch, " VES_SQLITE_LOG_COLUMNS " FROM ves_given_up"
            " WHERE id >= ? AND id <= ? ORDER BY id, epoch LIMIT ?");
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, from));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    ves_sql_put_i64(&q, limit ? (int64_t)limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_log_row row;
        uint64_t epoch = ves_sql_u64(&q);

        status = ves_sqlite_log_row(&q, &row);
        if (!status)
            status = visit(ctx, epoch, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
