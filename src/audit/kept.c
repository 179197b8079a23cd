/* kept.c -- what the copy said, kept where judging it again says otherwise.
 *
 * Of a sound log every row comes out as it stands, and is neither copied nor
 * written.  So judging what has been judged costs reading it, and what differs
 * is found in a small table.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/judge.h"
#include "store/sqlite_api.h"

enum { STREAM_SHIFT = 40 };

/* What judging writes; everything else of a row is the event's. */
#define JUDGED                                                           \
    "verdict, applied_at, version, sub_code, note, is_fact, has_waited," \
    " conflict_id, waits_for, effects, opposite"

/* A process judges one copy, once. */
static struct {
    const struct ves_store_ops *inner;
    struct ves_store_ops ops;
    sqlite3 *db;
    sqlite3_stmt *read; /* rows from an id on */
    sqlite3_stmt *keep; /* one row */
} kept;

/* ---- is it the same? ----------------------------------------------------- */

static bool is_number(int column, uint64_t value)
{
    return sqlite3_column_type(kept.read, column) == SQLITE_INTEGER &&
           sqlite3_column_int64(kept.read, column) == (int64_t)value;
}

static bool is_as(int column, int type, const void *bytes, size_t len)
{
    if (sqlite3_column_type(kept.read, column) != type)
        return false;
    const void *there =
        type == SQLITE_TEXT
            ? (const void *)sqlite3_column_text(kept.read, column)
            : sqlite3_column_blob(kept.read, column);
    return sqlite3_column_bytes(kept.read, column) == (int)len &&
           (len == 0 || memcmp(there, bytes, len) == 0);
}

static bool is_text(int column, struct ves_bytes text)
{
    return is_as(column, SQLITE_TEXT, text.ptr, text.len);
}

/* Nothing stands as NULL. */
static bool is_optional(int column, int type, bool is_there, const void *bytes,
                        size_t len)
{
    return is_there ? is_as(column, type, bytes, len)
                    : sqlite3_column_type(kept.read, column) == SQLITE_NULL;
}

/* The columns are those of open_read. */
static bool is_same(const struct ves_log_row *row)
{
    const char *verdict =
        row->verdict == VES_VERDICT_NONE
            ? "none"
            : ves_verdict_name((enum ves_verdict)row->verdict);

    return is_text(1, ves_bytes_str(verdict)) &&
           is_number(2, row->applied_at) && is_number(3, row->version) &&
           is_text(4, row->sub_code) && is_text(5, row->note) &&
           is_number(6, row->is_fact) && is_number(7, row->has_waited) &&
           is_optional(8, SQLITE_BLOB, row->has_conflict_id, row->conflict_id.b,
                       sizeof(row->conflict_id.b)) &&
           is_optional(9, SQLITE_BLOB, !ves_hash_is_zero(&row->waits_for),
                       row->waits_for.b, VES_HASH_SIZE) &&
           is_optional(10, SQLITE_BLOB, row->effects.len > 0, row->effects.ptr,
                       row->effects.len) &&
           is_optional(11, SQLITE_TEXT, row->opposite.len > 0,
                       row->opposite.ptr, row->opposite.len);
}

/* ---- in the store's place ------------------------------------------------ */

static enum ves_status run(struct ves_store *s, sqlite3_stmt *stmt)
{
    int code = sqlite3_step(stmt);

    sqlite3_reset(stmt);
    return code == SQLITE_DONE
               ? VES_OK
               : ves_fail(&s->error, VES_IO, "%s", sqlite3_errmsg(kept.db));
}

/* What is kept stays as it was first. */
static enum ves_status write_one(struct ves_store *s, uint32_t stream_no,
                                 int64_t id, const struct ves_log_row *row)
{
    sqlite3_bind_int64(kept.keep, 1, id);
    enum ves_status status = run(s, kept.keep);
    return status ? status : kept.inner->log_judge(s, stream_no, row, 1);
}

/* Rows mostly follow one another, and are read in one go. */
static enum ves_status log_judge(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_row *rows, size_t count)
{
    enum ves_status status = VES_OK;
    int64_t next = -1; /* id that reading on gives */

    for (size_t i = 0; i < count && !status; i++) {
        int64_t id = ((int64_t)stream_no << STREAM_SHIFT) +
                     (int64_t)rows[i].sequence_number;
        if (id != next) {
            sqlite3_reset(kept.read);
            sqlite3_bind_int64(kept.read, 1, id);
        }
        bool is_there = sqlite3_step(kept.read) == SQLITE_ROW &&
                        sqlite3_column_int64(kept.read, 0) == id;
        next = is_there ? id + 1 : -1;
        if (is_there && is_same(&rows[i]))
            continue;
        sqlite3_reset(kept.read);
        next = -1;
        status = write_one(s, stream_no, id, &rows[i]);
    }
    sqlite3_reset(kept.read);
    return status;
}

static enum ves_status verdict_reset(struct ves_store *s, uint32_t stream_no)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(
            kept.db,
            "INSERT INTO audit_events SELECT id, " JUDGED
            " FROM ves_events WHERE stream_no = ?1 AND waits_for IS NOT NULL"
            " UNION SELECT id, " JUDGED
            " FROM ves_events WHERE stream_no = ?1 AND has_waited",
            -1, &stmt, NULL) != SQLITE_OK)
        return ves_fail(&s->error, VES_IO, "%s", sqlite3_errmsg(kept.db));
    sqlite3_bind_int64(stmt, 1, stream_no);
    enum ves_status status = run(s, stmt);
    sqlite3_finalize(stmt);
    return status ? status : kept.inner->verdict_reset(s, stream_no);
}

bool ves_audit_kept_open(struct ves_store *store, struct sqlite3 *db)
{
    kept.db = db;
    kept.inner = store->ops;
    kept.ops = *store->ops;
    kept.ops.log_judge = log_judge;
    kept.ops.verdict_reset = verdict_reset;
    if (sqlite3_exec(
            db,
            "CREATE TABLE audit_events (id INTEGER PRIMARY KEY, " JUDGED ")",
            NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "SELECT id, " JUDGED
                           " FROM ves_events WHERE id >= ? ORDER BY id",
                           -1, &kept.read, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(
            db,
            "INSERT OR IGNORE INTO audit_events SELECT id, " JUDGED
            " FROM ves_events WHERE id = ?",
            -1, &kept.keep, NULL) != SQLITE_OK)
        return false;
    store->ops = &kept.ops;
    return true;
}

void ves_audit_kept_close(struct ves_store *store)
{
    sqlite3_finalize(kept.read);
    sqlite3_finalize(kept.keep);
    if (kept.inner)
        store->ops = kept.inner;
    memset(&kept, 0, sizeof(kept));
}
