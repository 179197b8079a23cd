/* file.c -- the copy as SQLite sees it, what is in it that nobody would read,
 * and what stands beside the log (rows.c).  A thread of its own, so that
 * nothing waits for it. */
#include <string.h>

#include "audit/audit.h"
#include "store/sqlite_api.h"

enum { BUSY_TIMEOUT_MS = 10000 };

static void find(struct ves_audit *audit, const char *words, const char *why)
{
    ves_audit_find_in(audit, 0, VES_AUDIT_FILE, 0, "%s%s", words, why);
}

static void check_pages(struct ves_audit *audit, sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    const char *text = NULL;

    ves_audit_count(audit, VES_AUDIT_FILE, 1);
    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(stmt, 0);
    if (!text || strcmp(text, "ok") != 0)
        find(audit,
             "SQLite finds it damaged: ", text ? text : sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
}

/* Events of a stream that is not listed would be walked over by nobody.  From
 * stream to stream by the key, which begins with its number. */
static void check_streams(struct ves_audit *audit, sqlite3 *db)
{
    static const char sql[] =
        "WITH RECURSIVE s (n) AS (SELECT min(id) >> 40 FROM ves_events UNION "
        "ALL SELECT (SELECT min(id) >> 40 FROM ves_events WHERE id >= (s.n + 1)"
        " << 40) FROM s WHERE s.n IS NOT NULL) SELECT count(*) FROM s WHERE n "
        "IS NOT NULL AND n NOT IN (SELECT stream_no FROM ves_streams)";
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        find(audit, "its streams cannot be read", "");
    else if (sqlite3_column_int64(stmt, 0) > 0)
        find(audit, "it has events of streams that it does not list", "");
    sqlite3_finalize(stmt);
}

static void *check(void *ctx)
{
    struct ves_audit *audit = ctx;

    check_pages(audit, audit->file);
    check_streams(audit, audit->file);
    ves_audit_rows(audit, audit->file);
    sqlite3_close(audit->file);
    audit->file = NULL;
    return NULL;
}

/* A connection of its own, with the file as it is before anybody judges it.
 * Nothing is written; but of a file that is only read SQLite does not look at
 * the schema's CHECKs. */
static bool open_file(struct ves_audit *audit)
{
    sqlite3 **db = &audit->file;

    if (sqlite3_open_v2(audit->copy, db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(*db, BUSY_TIMEOUT_MS) == SQLITE_OK &&
        sqlite3_exec(*db, "BEGIN; SELECT count(*) FROM ves_streams", NULL, NULL,
                     NULL) == SQLITE_OK)
        return true;
    find(audit, "SQLite does not read it: ", sqlite3_errmsg(*db));
    return false;
}

void ves_audit_file_start(struct ves_audit *audit)
{
    if (!open_file(audit))
        return;
    audit->has_file_check =
        pthread_create(&audit->file_check, NULL, check, audit) == 0;
    if (!audit->has_file_check)
        (void)check(audit);
}

void ves_audit_file_end(struct ves_audit *audit)
{
    if (audit->has_file_check)
        pthread_join(audit->file_check, NULL);
    audit->has_file_check = false;
    sqlite3_close(audit->file);
    audit->file = NULL;
}
