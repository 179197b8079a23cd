/* store_sqlite_sql.c -- cached statements, parameters, columns, errors. */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"

/* ---- errors ---------------------------------------------------------------
 */

static enum ves_status fail_io(int rc, const char *why, struct ves_error *error)
{
    if ((rc & 0xff) == SQLITE_FULL)
        return ves_fail(error, VES_IO,
                        "The disk is full (%s). Nothing of this step was "
                        "stored. Free some space and try again.",
                        why);
    if ((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_PERM)
        return ves_fail(error, VES_IO,
                        "The store cannot be written (%s). Nothing was "
                        "changed. Check the permissions of the file and its "
                        "folder.",
                        why);
    if ((rc & 0xff) == SQLITE_CANTOPEN)
        return ves_fail(error, VES_IO,
                        "The store's file cannot be opened (%s). Nothing was "
                        "changed. Check the path and the permissions of the "
                        "file and its folder.",
                        why);
    return ves_fail(error, VES_IO,
                    "The store failed (%s, code %d). Nothing of this step was "
                    "stored. Check the disk, then try again.",
                    why, rc);
}

enum ves_status ves_sql_error(sqlite3 *db, int rc, struct ves_error *error)
{
    const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        if (db && sqlite3_extended_errcode(db) == SQLITE_BUSY_SNAPSHOT)
            return ves_fail(error, VES_BUSY,
                            "The transaction has read what others have changed "
                            "since, so it cannot write any more. Nothing was "
                            "changed. Roll it back and start over with BEGIN "
                            "IMMEDIATE.");
        return ves_fail(error, VES_BUSY,
                        "Another process is writing to the store (%s). Nothing "
                        "was changed. Try again.",
                        why);
    case SQLITE_NOMEM:
        return ves_fail(error, VES_NOMEM,
                        "There is not enough memory. Nothing of this step was "
                        "stored.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ves_fail(error, VES_CORRUPT,
                        "The store's file is damaged or not a database (%s). "
                        "Nothing was changed. Keep the file and restore a "
                        "backup.",
                        why);
    case SQLITE_CONSTRAINT:
        return ves_fail(error, VES_CONFLICT,
                        "The store already holds this (%s). Nothing was "
                        "changed.",
                        why);
    case SQLITE_TOOBIG:
        return ves_fail(error, VES_LIMIT,
                        "A value is too large for the store (%s). Nothing was "
                        "changed.",
                        why);
    case SQLITE_INTERRUPT:
    case SQLITE_ABORT:
        return ves_fail(error, VES_AGAIN,
                        "The store was interrupted (%s). Nothing of this step "
                        "was stored. Try again.",
                        why);
    case SQLITE_ERROR:
        return ves_fail(error, VES_CORRUPT,
                        "The store's tables are not as this program made them "
                        "(%s). Nothing was changed.",
                        why);
    default:
        return fail_io(rc, why, error);
    }
}

enum ves_status ves_sql_fail(struct ves_sqlite *st, int rc)
{
    enum ves_status status = ves_sql_error(st->db, rc, &st->store.error);

    if (st->tx != VES_TX_NONE && status != VES_CONFLICT && status != VES_LIMIT)
        st->is_failed = true;
    return status;
}

/* Binding and reading report into the statement, so that a row costs one
 * check. */
static void note_rc(struct ves_sql *q, int rc)
{
    if (rc != SQLITE_OK && !q->status)
        q->status = ves_sql_fail(q->st, rc);
}

static void note_corrupt(struct ves_sql *q)
{
    if (q->status)
        return;
    q->st->is_failed = q->st->tx != VES_TX_NONE;
    q->status = ves_fail(&q->st->store.error, VES_CORRUPT,
                         "A row of the store holds what this program never "
                         "wrote (column %s). Nothing was changed. Keep the "
                         "file and restore a backup.",
                         sqlite3_column_name(q->stmt, q->column));
}

enum ves_status ves_sql_check(struct ves_sql *q)
{
    return q->status;
}

/* ---- taking and giving back -----------------------------------------------
 */

static enum ves_status prepare(struct ves_sqlite *st, const char *text,
                               unsigned flags, sqlite3_stmt **out)
{
    int rc = sqlite3_prepare_v3(st->db, text, -1, flags, out, NULL);

    return rc == SQLITE_OK ? VES_OK : ves_sql_fail(st, rc);
}

enum ves_status ves_sql_open(struct ves_sqlite *st, struct ves_sql *q,
                             enum ves_sql_id id, const char *text)
{
    enum ves_status status = VES_OK;

    memset(q, 0, sizeof *q);
    q->st = st;
    q->id = id;
    q->column = -1;
    /* A visitor may call the operation that is calling it: the cached
     * statement is then in the middle of its rows. */
    if (st->cache[id].is_taken)
        return prepare(st, text, 0, &q->stmt);
    if (!st->cache[id].stmt)
        status =
            prepare(st, text, SQLITE_PREPARE_PERSISTENT, &st->cache[id].stmt);
    if (status)
        return status;
    q->stmt = st->cache[id].stmt;
    q->is_cached = true;
    st->cache[id].is_taken = true;
    return VES_OK;
}

void ves_sql_close(struct ves_sql *q)
{
    if (!q->is_cached) {
        sqlite3_finalize(q->stmt);
        return;
    }
    if (!q->is_reset)
        sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
    q->st->cache[q->id].is_taken = false;
}

/* ---- parameters -----------------------------------------------------------
 */

void ves_sql_put_null(struct ves_sql *q)
{
    note_rc(q, sqlite3_bind_null(q->stmt, ++q->param));
}

void ves_sql_put_i64(struct ves_sql *q, int64_t value)
{
    note_rc(q, sqlite3_bind_int64(q->stmt, ++q->param, value));
}

void ves_sql_put_u64(struct ves_sql *q, uint64_t value)
{
    note_rc(q, sqlite3_bind_int64(q->stmt, ++q->param, (int64_t)value));
}

void ves_sql_put_text(struct ves_sql *q, struct ves_bytes text)
{
    const char *ptr = text.len ? (const char *)text.ptr : "";

    note_rc(q, sqlite3_bind_text64(q->stmt, ++q->param, ptr, text.len,
                                   SQLITE_STATIC, SQLITE_UTF8));
}

void ves_sql_put_word(struct ves_sql *q, const char *word)
{
    ves_sql_put_text(q, ves_bytes_str(word));
}

void ves_sql_put_blob(struct ves_sql *q, const void *ptr, size_t len)
{
    note_rc(q, sqlite3_bind_blob64(q->stmt, ++q->param, len ? ptr : "", len,
                                   SQLITE_STATIC));
}

void ves_sql_put_blob_if(struct ves_sql *q, bool is_there, const void *ptr,
                         size_t len)
{
    if (is_there)
        ves_sql_put_blob(q, ptr, len);
    else
        ves_sql_put_null(q);
}

void ves_sql_put_hash(struct ves_sql *q, const struct ves_hash *hash)
{
    ves_sql_put_blob(q, hash->b, sizeof hash->b);
}

void ves_sql_put_hash_or_null(struct ves_sql *q, const struct ves_hash *hash)
{
    ves_sql_put_blob_if(q, !ves_hash_is_zero(hash), hash->b, sizeof hash->b);
}

void ves_sql_put_uuid(struct ves_sql *q, const struct ves_uuid *uuid)
{
    ves_sql_put_blob(q, uuid->b, sizeof uuid->b);
}

void ves_sql_put_uuid_or_null(struct ves_sql *q, const struct ves_uuid *uuid)
{
    ves_sql_put_blob_if(q, !ves_uuid_is_nil(uuid), uuid->b, sizeof uuid->b);
}

/* ---- running --------------------------------------------------------------
 */

enum ves_status ves_sql_row(struct ves_sql *q)
{
    int rc;

    if (q->status)
        return q->status;
    q->is_reset = false;
    rc = sqlite3_step(q->stmt);
    q->column = -1;
    if (rc == SQLITE_ROW)
        return VES_OK;
    if (rc == SQLITE_DONE)
        return VES_NOT_FOUND;
    q->status = ves_sql_fail(q->st, rc);
    return q->status;
}

bool ves_sql_next(struct ves_sql *q)
{
    return ves_sql_row(q) == VES_OK;
}

enum ves_status ves_sql_run(struct ves_sql *q)
{
    int rc;

    if (q->status)
        return q->status;
    rc = sqlite3_step(q->stmt);
    VES_ASSERT(rc != SQLITE_ROW);
    if (rc != SQLITE_DONE)
        q->status = ves_sql_fail(q->st, rc);
    sqlite3_reset(q->stmt);
    q->is_reset = true;
    q->param = 0;
    return q->status;
}

enum ves_status ves_sql_run_row(struct ves_sql *q)
{
    sqlite3 *db = q->st->db;
    int before = sqlite3_total_changes(db);
    enum ves_status status = ves_sql_run(q);

    /* A trigger's rows are in the total; a statement that does nothing leaves
     * the other as it was. */
    if (status ||
        (sqlite3_total_changes(db) != before && sqlite3_changes(db) == 1))
        return status;
    q->st->is_failed = q->st->tx != VES_TX_NONE;
    q->status = ves_fail(&q->st->store.error, VES_CONFLICT,
                         "A trigger or an authorizer of the application kept a "
                         "row out of the store. Nothing was stored. Take it "
                         "off the tables that begin with ves_.");
    return q->status;
}

/* ---- columns --------------------------------------------------------------
 */

int64_t ves_sql_i64(struct ves_sql *q)
{
    return sqlite3_column_int64(q->stmt, ++q->column);
}

uint64_t ves_sql_u64(struct ves_sql *q)
{
    return (uint64_t)ves_sql_i64(q);
}

uint32_t ves_sql_u32(struct ves_sql *q)
{
    int64_t value = ves_sql_i64(q);

    if (value < 0 || value > UINT32_MAX) {
        note_corrupt(q);
        return 0;
    }
    return (uint32_t)value;
}

bool ves_sql_bool(struct ves_sql *q)
{
    return ves_sql_i64(q) != 0;
}

struct ves_bytes ves_sql_bytes(struct ves_sql *q)
{
    int column = ++q->column;
    const void *ptr;
    int len;

    /* Text first as UTF-8: the caller's database may keep UTF-16. */
    if (sqlite3_column_type(q->stmt, column) == SQLITE_BLOB)
        ptr = sqlite3_column_blob(q->stmt, column);
    else
        ptr = sqlite3_column_text(q->stmt, column);
    len = sqlite3_column_bytes(q->stmt, column);
    if (!ptr && sqlite3_errcode(q->st->db) == SQLITE_NOMEM)
        note_rc(q, SQLITE_NOMEM);
    return ptr ? ves_bytes(ptr, (size_t)len) : ves_bytes(NULL, 0);
}

bool ves_sql_fixed(struct ves_sql *q, void *out, size_t len)
{
    int column = ++q->column;
    const void *ptr = sqlite3_column_blob(q->stmt, column);

    memset(out, 0, len);
    if (!ptr) {
        if (sqlite3_column_type(q->stmt, column) != SQLITE_NULL)
            note_corrupt(q);
        return false;
    }
    if ((size_t)sqlite3_column_bytes(q->stmt, column) != len) {
        note_corrupt(q);
        return false;
    }
    memcpy(out, ptr, len);
    return true;
}

bool ves_sql_word(struct ves_sql *q, const char *const *words, size_t count,
                  uint32_t *out)
{
    struct ves_bytes word = ves_sql_bytes(q);

    *out = 0;
    if (sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (ves_bytes_is(word, words[i])) {
            *out = i;
            return true;
        }
    }
    note_corrupt(q);
    return false;
}

/* ---- small statements -----------------------------------------------------
 */

enum ves_status ves_sql_simple(struct ves_sqlite *st, enum ves_sql_id id,
                               const char *text)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(st, &q, id, text);

    if (status)
        return status;
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sql_exec(struct ves_sqlite *st, const char *text)
{
    int rc = sqlite3_exec(st->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? VES_OK : ves_sql_fail(st, rc);
}

enum ves_status ves_sql_call_begin(struct ves_sqlite *st)
{
    st->call_spills = ves_sql_spills(st->db);
    return ves_sql_simple(st, VES_SQL_CALL_BEGIN, "SAVEPOINT ves_call");
}

static void take_call_back(struct ves_sqlite *st)
{
    if (ves_sql_is_torn(st, st->call_spills)) {
        ves_sqlite_undo(st);
        ves_sql_tell_torn(st);
    } else if (sqlite3_exec(st->db, "ROLLBACK TO ves_call", NULL, NULL, NULL) !=
               SQLITE_OK) {
        st->is_failed = true;
    }
}

enum ves_status ves_sql_call_end(struct ves_sqlite *st, enum ves_status status)
{
    /* SQLite has already rolled everything back after some failures. */
    if (status && !sqlite3_get_autocommit(st->db))
        take_call_back(st);
    if (sqlite3_get_autocommit(st->db)) {
        st->is_failed = true;
        return status;
    }
    if (status) {
        struct ves_error words = st->store.error;

        if (ves_sql_simple(st, VES_SQL_CALL_END, "RELEASE ves_call"))
            st->is_failed = true;
        st->store.error = words;
        return status;
    }
    return ves_sql_simple(st, VES_SQL_CALL_END, "RELEASE ves_call");
}

/* ---- savepoints that cannot be trusted ------------------------------------
 */

int ves_sql_spills(sqlite3 *db)
{
    int count = 0, high;

    (void)sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_SPILL, &count, &high, 0);
    return count;
}

bool ves_store_sqlite_tears_savepoints(void)
{
    enum { SEEN_RIGHT = 3053004 };

    return sqlite3_libversion_number() < SEEN_RIGHT;
}

bool ves_sql_is_torn(struct ves_sqlite *st, int spills_before)
{
    return ves_store_sqlite_tears_savepoints() &&
           ves_sql_spills(st->db) != spills_before;
}

void ves_sql_tell_torn(struct ves_sqlite *st)
{
    if (!st->store.error.status)
        return; /* who rolls back has words of his own */
    (void)ves_fail(&st->store.error, st->store.error.status,
                   "The whole transaction was rolled back, nothing of it was "
                   "stored: it is larger than SQLite's cache, and SQLite %s "
                   "does not take back a part of such a one safely. Begin it "
                   "again, smaller or with PRAGMA cache_spill = OFF. The "
                   "reason: %s",
                   sqlite3_libversion(), st->store.error.text);
}

enum ves_status ves_sqlite_need(struct ves_sqlite *st, enum ves_store_role role)
{
    if (st->role == role)
        return VES_OK;
    return ves_fail(&st->store.error, VES_UNSUPPORTED,
                    role == VES_STORE_DEVICE
                        ? "This is a sequencer's store; it has no such table. "
                          "Nothing was changed."
                        : "This is a device's store; it has no such table. "
                          "Nothing was changed.");
}

enum ves_status ves_sqlite_missing(struct ves_sqlite *st, const char *what)
{
    return ves_fail(&st->store.error, VES_NOT_FOUND,
                    "The store has no such %s. Nothing was changed.", what);
}

int64_t ves_sqlite_rowid(uint32_t stream_no, uint64_t no)
{
    if (no > VES_SQLITE_NO_MAX)
        no = VES_SQLITE_NO_MAX;
    if (stream_no > VES_SQLITE_STREAM_MAX)
        stream_no = VES_SQLITE_STREAM_MAX;
    return (int64_t)((uint64_t)stream_no << VES_SQLITE_NO_BITS | no);
}
