/* suite_place.c -- SQLite stores in a folder of the test's own. */
#include "test/store/suite_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place place; /* of the test that is running */

const char *place_path(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", place.folder, name);
    return path;
}

void place_make(enum suite_role role)
{
    const char *tmp = getenv("TMPDIR");

    memset(&place, 0, sizeof place);
    snprintf(place.folder, sizeof place.folder, "%s/ves-store.XXXXXX",
             tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(place.folder));
    snprintf(place.path, sizeof place.path, "%s", place_path("store.db"));
    place.role = role == SUITE_DEVICE ? VES_STORE_DEVICE : VES_STORE_SEQUENCER;
    place.s.role = role;
    ves_arena_init(&place.s.arena, ves_alloc_default(), 1 << 26);
    ves_buf_init(&place.s.got, ves_alloc_default(), 1 << 26);
    ves_buf_init(&place.s.want, ves_alloc_default(), 1 << 26);
}

struct ves_store_sqlite_options place_options(void)
{
    struct ves_store_sqlite_options o = {.path = place.path,
                                         .create = true,
                                         .role = place.role,
                                         .busy_timeout_ms = 0};

    return o;
}

struct ves_store *place_open(const struct ves_store_sqlite_options *o)
{
    struct ves_store *store = NULL;
    struct ves_error error = {0};

    if (ves_store_sqlite_open(o, ves_alloc_default(), &store, &error))
        printf("# %s\n", error.text);
    return store;
}

struct ves_store *place_open_own(void)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store = place_open(&o);

    assert_non_null(store);
    return store;
}

/* Opening must fail, with this status and these words. */
void place_expect_refused(const struct ves_store_sqlite_options *o,
                          enum ves_status status, const char *words)
{
    struct ves_store *store = NULL;
    struct ves_error error = {0};

    assert_int_equal(
        ves_store_sqlite_open(o, ves_alloc_default(), &store, &error), status);
    assert_null(store);
    assert_int_equal(error.status, status);
    if (!strstr(error.text, words))
        fail_msg("no \"%s\" in: %s", words, error.text);
}

/* No statement may be in use between two calls. */
void place_close(struct ves_store *store)
{
    sqlite3 *db = ves_store_sqlite_connection(store);

    for (sqlite3_stmt *q = sqlite3_next_stmt(db, NULL); q;
         q = sqlite3_next_stmt(db, q))
        if (sqlite3_stmt_busy(q))
            fail_msg("still in use: %s", sqlite3_sql(q));
    ves_store_sqlite_close(store);
}

void place_leave(void)
{
    static const char *const names[] = {
        "store.db", "store.db-wal", "store.db-shm", "store.db-journal",
        "copy.db",  "copy.db-wal",  "copy.db-shm"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(place_path(names[i]));
    assert_int_equal(rmdir(place.folder), 0);
    ves_arena_free(&place.s.arena);
    ves_buf_free(&place.s.got);
    ves_buf_free(&place.s.want);
}

void place_exec(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
}

sqlite3 *place_connect(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

struct ves_store *place_open_on(sqlite3 *db)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store;

    o.connection = db;
    store = place_open(&o);
    assert_non_null(store);
    return store;
}

int place_set_up_device(void **state)
{
    (void)state;
    place_make(SUITE_DEVICE);
    return 0;
}

int place_set_up_sequencer(void **state)
{
    (void)state;
    place_make(SUITE_SEQUENCER);
    return 0;
}

int place_tear_down(void **state)
{
    (void)state;
    place_leave();
    return 0;
}

/* First column of the first row as text; "" for NULL and no row. */
const char *place_ask(sqlite3 *db, const char *sql)
{
    static char answer[4096];
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    answer[0] = '\0';
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0))
        snprintf(answer, sizeof answer, "%s",
                 (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return answer;
}

void place_put_meta(struct ves_store *store, const char *value)
{
    place.s.store = store;
    suite_begin(&place.s);
    OK(CALL(&place.s, meta_put, "cursor", ves_bytes_str(value)));
    suite_commit(&place.s);
}

void place_expect_meta(struct ves_store *store, const char *want)
{
    struct ves_bytes value;
    enum ves_status status =
        store->ops->meta_get(store, "cursor", &place.s.arena, &value);

    assert_int_equal(status, want ? VES_OK : VES_NOT_FOUND);
    assert_true(ves_bytes_is(value, want ? want : ""));
}
