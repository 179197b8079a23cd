/* store_sqlite_sync.c -- how a connection writes to disk. */
#include "base/bytes.h"
#include "store/store_sqlite.h"
#include "store/store_sqlite_internal.h"

/* Counts commits; a rollback it does not count. */
static unsigned data_version(struct ves_sqlite *st)
{
    unsigned version = 0;

    (void)sqlite3_file_control(st->db, "main", SQLITE_FCNTL_DATA_VERSION,
                               &version);
    return version;
}

/* Is this the transaction in which the level was asked?  Then it cannot have
 * changed.  The answer is in what was appended since: it is the last row, and
 * nothing was committed. */
static bool is_same_transaction(struct ves_sqlite *st)
{
    uint64_t last;

    return st->sync.local_seq > 0 && !sqlite3_get_autocommit(st->db) &&
           data_version(st) == st->sync.version &&
           ves_sqlite_outbox_last(st, &last) == VES_OK &&
           last == st->sync.local_seq;
}

static enum ves_status ask_level(struct ves_sqlite *st, int *level)
{
    struct ves_sql q;

    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_SYNCHRONOUS, "PRAGMA main.synchronous");
    if (status)
        return status;
    status = ves_sql_row(&q);
    if (!status)
        *level = (int)ves_sql_i64(&q);
    ves_sql_close(&q);
    return status;
}

static enum ves_status ask_journal(struct ves_sqlite *st, bool *has_journal)
{
    struct ves_sql q;

    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_JOURNAL_MODE, "PRAGMA main.journal_mode");
    if (status)
        return status;
    status = ves_sql_row(&q);
    if (!status) {
        struct ves_bytes mode = ves_sql_bytes(&q);
        *has_journal =
            !ves_bytes_is(mode, "off") && !ves_bytes_is(mode, "memory");
    }
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_store_sqlite_synchronous(struct ves_store *store,
                                             struct ves_store_sqlite_sync *out)
{
    struct ves_sqlite *st = ves_sqlite_of(store);

    /* SQLite parses this pragma anew each time. */
    st->sync.is_same = is_same_transaction(st);
    if (st->sync.is_same) {
        *out = st->sync.how;
        return VES_OK;
    }
    st->sync.local_seq = 0;
    st->sync.version = data_version(st);
    out->has_journal = true; /* ours is WAL */
    enum ves_status status = ask_level(st, &out->level);
    if (!status && !st->is_own)
        status = ask_journal(st, &out->has_journal);
    st->sync.how = *out;
    return status;
}
