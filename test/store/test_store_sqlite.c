/* test_store_sqlite.c -- the contract on SQLite, own and joined, and more. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_sqlite.h"
#include "store/store_sqlite_schema.h"
#include "test/store/suite.h"

/* ---- a folder of the test's own -------------------------------------------
 */

struct place {
    char folder[64];
    char path[128];
    enum ves_store_role role;
    sqlite3 *outer; /* joined: the caller's connection */
    struct suite s; /* s.store is the store of path */
};

static struct place place; /* of the test that is running */

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", place.folder, name);
    return path;
}

static void make_place(enum suite_role role)
{
    const char *tmp = getenv("TMPDIR");

    memset(&place, 0, sizeof place);
    snprintf(place.folder, sizeof place.folder, "%s/ves-store.XXXXXX",
             tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(place.folder));
    snprintf(place.path, sizeof place.path, "%s", path_of("store.db"));
    place.role = role == SUITE_DEVICE ? VES_STORE_DEVICE : VES_STORE_SEQUENCER;
    place.s.role = role;
    ves_arena_init(&place.s.arena, ves_alloc_default(), 1 << 26);
    ves_buf_init(&place.s.got, ves_alloc_default(), 1 << 26);
    ves_buf_init(&place.s.want, ves_alloc_default(), 1 << 26);
}

static struct ves_store_sqlite_options options(void)
{
    struct ves_store_sqlite_options o = {.path = place.path,
                                         .create = true,
                                         .role = place.role,
                                         .busy_timeout_ms = 0};

    return o;
}

static struct ves_store *open_with(const struct ves_store_sqlite_options *o)
{
    struct ves_store *store = NULL;
    struct ves_error error = {0};

    if (ves_store_sqlite_open(o, ves_alloc_default(), &store, &error))
        printf("# %s\n", error.text);
    return store;
}

static struct ves_store *open_own(void)
{
    struct ves_store_sqlite_options o = options();
    struct ves_store *store = open_with(&o);

    assert_non_null(store);
    return store;
}

/* Opening must fail, with this status and these words. */
static void expect_refused(const struct ves_store_sqlite_options *o,
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
static void close_store(struct ves_store *store)
{
    sqlite3 *db = ves_store_sqlite_connection(store);

    for (sqlite3_stmt *q = sqlite3_next_stmt(db, NULL); q;
         q = sqlite3_next_stmt(db, q))
        if (sqlite3_stmt_busy(q))
            fail_msg("still in use: %s", sqlite3_sql(q));
    ves_store_sqlite_close(store);
}

static void leave_place(void)
{
    static const char *const names[] = {
        "store.db", "store.db-wal", "store.db-shm", "store.db-journal",
        "copy.db",  "copy.db-wal",  "copy.db-shm"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    assert_int_equal(rmdir(place.folder), 0);
    ves_arena_free(&place.s.arena);
    ves_buf_free(&place.s.got);
    ves_buf_free(&place.s.want);
}

/* ---- the suite on an own file ---------------------------------------------
 */

static struct ves_store *own_open(enum suite_role role, void **handle)
{
    make_place(role);
    *handle = &place;
    return place.s.store = open_own();
}

static struct ves_store *own_reopen(void *handle)
{
    (void)handle;
    close_store(place.s.store);
    return place.s.store = open_own();
}

static void own_close(void *handle)
{
    (void)handle;
    close_store(place.s.store);
    leave_place();
}

static const struct suite_backend own = {"store_sqlite", own_open, own_reopen,
                                         own_close};

/* ---- the suite inside a caller's transaction ------------------------------
 */

static void exec(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
}

static sqlite3 *connect_to(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static struct ves_store *open_on(sqlite3 *db)
{
    struct ves_store_sqlite_options o = options();
    struct ves_store *store;

    o.connection = db;
    store = open_with(&o);
    assert_non_null(store);
    return store;
}

static struct ves_store *joined_open(enum suite_role role, void **handle)
{
    make_place(role);
    *handle = &place;
    place.outer = connect_to(place.path);
    exec(place.outer, "BEGIN");
    return place.s.store = open_on(place.outer);
}

static struct ves_store *joined_reopen(void *handle)
{
    (void)handle;
    close_store(place.s.store);
    return place.s.store = open_on(place.outer);
}

static void joined_close(void *handle)
{
    (void)handle;
    assert_false(sqlite3_get_autocommit(place.outer));
    close_store(place.s.store);
    exec(place.outer, "ROLLBACK");
    assert_int_equal(sqlite3_close(place.outer), SQLITE_OK);
    leave_place();
}

static const struct suite_backend joined = {
    "store_sqlite in a caller's transaction", joined_open, joined_reopen,
    joined_close};

/* ---- SQLite's own ways ----------------------------------------------------
 */

static int set_up_device(void **state)
{
    (void)state;
    make_place(SUITE_DEVICE);
    return 0;
}

static int set_up_sequencer(void **state)
{
    (void)state;
    make_place(SUITE_SEQUENCER);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    leave_place();
    return 0;
}

/* First column of the first row as text; "" for NULL and no row. */
static const char *ask(sqlite3 *db, const char *sql)
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

#define ASK(db, sql, want) assert_string_equal(ask(db, sql), want)

static void put_meta(struct ves_store *store, const char *value)
{
    place.s.store = store;
    suite_begin(&place.s);
    OK(CALL(&place.s, meta_put, "cursor", ves_bytes_str(value)));
    suite_commit(&place.s);
}

static void expect_meta(struct ves_store *store, const char *want)
{
    struct ves_bytes value;
    enum ves_status status =
        store->ops->meta_get(store, "cursor", &place.s.arena, &value);

    assert_int_equal(status, want ? VES_OK : VES_NOT_FOUND);
    assert_true(ves_bytes_is(value, want ? want : ""));
}

static void own_files_are_private_and_durable(void **state)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    struct ves_store *store;
    struct stat st;
    sqlite3 *db;
    int level = 0;

    (void)state;
    umask(0022);
    store = open_own();
    db = ves_store_sqlite_connection(store);
    put_meta(store, "1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stat(path_of(names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    ASK(db, "PRAGMA journal_mode", "wal");
    ASK(db, "PRAGMA synchronous", "2");
    ASK(db, "PRAGMA foreign_keys", "1");
    ASK(db, "PRAGMA trusted_schema", "0");
    ASK(db, "PRAGMA application_id", "1447383908");
    OK(ves_store_sqlite_synchronous(store, &level));
    assert_int_equal(level, 2);
    close_store(store);
}

static void a_callers_settings_stay(void **state)
{
    sqlite3 *db = connect_to(place.path);
    struct ves_store *store;
    int level = 0;

    (void)state;
    exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY);"
             "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF;"
             "PRAGMA cache_size = 77; PRAGMA busy_timeout = 123;"
             "PRAGMA application_id = 5; PRAGMA user_version = 9");
    store = open_on(db);
    put_meta(store, "1");
    ASK(db, "PRAGMA journal_mode", "delete");
    ASK(db, "PRAGMA synchronous", "1");
    ASK(db, "PRAGMA foreign_keys", "0");
    ASK(db, "PRAGMA trusted_schema", "1");
    ASK(db, "PRAGMA cache_size", "77");
    ASK(db, "PRAGMA busy_timeout", "123");
    ASK(db, "PRAGMA application_id", "5");
    ASK(db, "PRAGMA user_version", "9");
    ASK(db, "PRAGMA temp_store", "0");
    ASK(db,
        "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'ves\\_%'"
        " ESCAPE '\\' AND tbl_name NOT LIKE 'ves\\_%' ESCAPE '\\'",
        "1");
    OK(ves_store_sqlite_synchronous(store, &level));
    assert_int_equal(level, 1);
    close_store(store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void the_callers_rollback_removes_all(void **state)
{
    sqlite3 *db = connect_to(place.path);
    struct ves_store *store = open_on(db);

    (void)state;
    exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY); BEGIN;"
             "INSERT INTO sale VALUES (1)");
    put_meta(store, "inside");
    expect_meta(store, "inside");
    exec(db, "ROLLBACK");
    expect_meta(store, NULL);
    ASK(db, "SELECT count(*) FROM sale", "0");
    exec(db, "BEGIN; INSERT INTO sale VALUES (1)");
    put_meta(store, "kept");
    exec(db, "COMMIT");
    expect_meta(store, "kept");
    ASK(db, "SELECT count(*) FROM sale", "1");
    close_store(store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void our_rollback_leaves_the_callers_rows(void **state)
{
    sqlite3 *db = connect_to(place.path);
    struct suite *s = &place.s;

    (void)state;
    s->store = open_on(db);
    exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY); BEGIN;"
             "INSERT INTO sale VALUES (1); SAVEPOINT mine");
    put_meta(s->store, "first");
    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("second")));
    suite_rollback(s);
    assert_false(sqlite3_get_autocommit(db));
    expect_meta(s->store, "first");
    exec(db, "INSERT INTO sale VALUES (2); ROLLBACK TO mine; COMMIT");
    expect_meta(s->store, NULL);
    ASK(db, "SELECT count(*) FROM sale", "1");
    put_meta(s->store, "own transaction");
    assert_true(sqlite3_get_autocommit(db));
    close_store(s->store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void tables_made_in_a_transaction_go_with_it(void **state)
{
    sqlite3 *db = connect_to(place.path);
    struct ves_store *store;

    (void)state;
    exec(db, "BEGIN");
    store = open_on(db);
    put_meta(store, "1");
    close_store(store);
    exec(db, "ROLLBACK");
    ASK(db, "SELECT count(*) FROM sqlite_master", "0");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void statements_can_be_given_back_early(void **state)
{
    sqlite3 *db = connect_to(place.path);
    struct ves_store *store = open_on(db);

    (void)state;
    put_meta(store, "1");
    assert_non_null(sqlite3_next_stmt(db, NULL));
    ves_store_sqlite_forget_statements(store);
    assert_null(sqlite3_next_stmt(db, NULL));
    expect_meta(store, "1");
    close_store(store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- two at once ----------------------------------------------------------
 */

static void a_second_writer_is_told_busy(void **state)
{
    struct ves_store *one = open_own(), *two = open_own();

    (void)state;
    put_meta(one, "1");
    OK(one->ops->begin(one));
    OK(one->ops->meta_put(one, "cursor", ves_bytes_str("2")));
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    assert_non_null(strstr(two->error.text, "Another process"));
    expect_meta(two, "1");
    OK(one->ops->commit(one));
    expect_meta(two, "2");
    put_meta(two, "3");
    expect_meta(one, "3");
    close_store(one);
    close_store(two);
}

static void a_joined_writer_is_told_busy(void **state)
{
    struct ves_store *one = open_own(), *two;
    sqlite3 *db = connect_to(place.path);

    (void)state;
    two = open_on(db);
    put_meta(one, "1");
    exec(db, "BEGIN");
    expect_meta(two, "1"); /* the caller's snapshot */
    OK(one->ops->begin(one));
    OK(one->ops->meta_put(one, "cursor", ves_bytes_str("2")));
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    OK(one->ops->commit(one));
    /* The snapshot is old now: busy until the caller begins again. */
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    assert_false(sqlite3_get_autocommit(db));
    expect_meta(two, "1");
    exec(db, "COMMIT; BEGIN");
    put_meta(two, "3");
    exec(db, "COMMIT");
    expect_meta(one, "3");
    close_store(one);
    close_store(two);
    sqlite3_close(db);
}

static void a_writer_waits_as_long_as_told(void **state)
{
    struct ves_store_sqlite_options o = options();
    struct ves_store *one = open_own(), *two;
    pid_t child;
    int code;

    (void)state;
    close_store(one);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        one = open_own();
        if (one->ops->begin(one) != VES_OK)
            _exit(1);
        if (access(path_of("copy.db"), F_OK) == 0)
            _exit(2);
        fclose(fopen(path_of("copy.db"), "w")); /* "I hold the lock" */
        sqlite3_sleep(300);
        ves_store_sqlite_close(one);
        _exit(0);
    }
    while (access(path_of("copy.db"), F_OK) != 0)
        sqlite3_sleep(5);
    o.busy_timeout_ms = 20000;
    two = open_with(&o);
    assert_non_null(two);
    put_meta(two, "after waiting");
    close_store(two);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static void many_processes_may_open_a_new_file(void **state)
{
    enum { CHILDREN = 6 };
    pid_t children[CHILDREN];
    struct ves_store *store;

    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct ves_store_sqlite_options o = options();

            o.busy_timeout_ms = 20000;
            store = open_with(&o);
            if (!store)
                _exit(1);
            put_meta(store, "1");
            ves_store_sqlite_close(store);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int code = -1;

        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_int_equal(code, 0);
    }
    store = open_own();
    expect_meta(store, "1");
    close_store(store);
}

/* ---- what is not opened ---------------------------------------------------
 */

static void what_is_not_there_is_not_made(void **state)
{
    struct ves_store_sqlite_options o = options();
    sqlite3 *db;

    (void)state;
    o.create = false;
    expect_refused(&o, VES_NOT_FOUND, "There is no file");
    o.create = true;
    o.is_read_only = true;
    expect_refused(&o, VES_NOT_FOUND, "There is no file");
    assert_int_not_equal(access(place.path, F_OK), 0);
    db = connect_to(place.path);
    exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY)");
    o.create = o.is_read_only = false;
    expect_refused(&o, VES_NOT_FOUND, "no VES store in this database");
    ASK(db, "SELECT count(*) FROM sqlite_master", "1");
    sqlite3_close(db);
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    struct ves_store_sqlite_options o = options();

    (void)state;
    o.path = path_of("nowhere/store.db");
    expect_refused(&o, VES_IO, "cannot be made");
}

static void read_only_reads(void **state)
{
    struct ves_store_sqlite_options o = options();
    struct ves_store *store = open_own();

    (void)state;
    put_meta(store, "1");
    close_store(store);
    o.is_read_only = true;
    store = open_with(&o);
    assert_non_null(store);
    expect_meta(store, "1");
    assert_int_equal(store->ops->begin(store), VES_INVALID);
    assert_non_null(strstr(store->error.text, "reading only"));
    expect_meta(store, "1");
    close_store(store);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    static const char words[] = "This is a shopping list, not a database file, "
                                "however long it may get to be in the end.";
    struct ves_store_sqlite_options o = options();
    FILE *file = fopen(place.path, "w");
    char got[sizeof words] = "";

    (void)state;
    assert_non_null(file);
    fputs(words, file);
    fclose(file);
    expect_refused(&o, VES_CORRUPT, "not a database");
    file = fopen(place.path, "r");
    assert_non_null(file);
    assert_non_null(fgets(got, sizeof got, file));
    fclose(file);
    assert_string_equal(got, words);
}

static void a_newer_store_is_refused(void **state)
{
    struct ves_store_sqlite_options o = options();
    struct ves_store *store = open_own();
    sqlite3 *db;

    (void)state;
    close_store(store);
    db = connect_to(place.path);
    exec(db, "UPDATE ves_schema SET version = 99");
    expect_refused(&o, VES_UNSUPPORTED, "newer program");
    o.connection = db;
    expect_refused(&o, VES_UNSUPPORTED, "newer program");
    ASK(db, "SELECT version FROM ves_schema", "99");
    exec(db, "PRAGMA ignore_check_constraints = ON;"
             "UPDATE ves_schema SET version = 0");
    expect_refused(&o, VES_CORRUPT, "ves_schema");
    sqlite3_close(db);
}

static void a_store_of_the_other_role_is_refused(void **state)
{
    struct ves_store_sqlite_options o = options();
    struct ves_store *store = open_own();
    uint64_t counts[VES_OUTBOX_STATUSES];

    (void)state;
    assert_int_equal(store->ops->outbox_counts(store, counts), VES_UNSUPPORTED);
    assert_non_null(strstr(store->error.text, "sequencer's store"));
    close_store(store);
    o.role = VES_STORE_DEVICE;
    expect_refused(&o, VES_INVALID,
                   "the store of a sequencer, not of a device");
}

static void a_sequencer_wants_a_file_of_its_own(void **state)
{
    struct ves_store_sqlite_options o = options();
    sqlite3 *db = connect_to(place.path);

    (void)state;
    exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY)");
    expect_refused(&o, VES_INVALID, "other tables");
    ASK(db, "SELECT count(*) FROM sqlite_master", "1");
    sqlite3_close(db);
}

static void a_damaged_row_is_said(void **state)
{
    struct suite *s = &place.s;
    struct ves_id_row found;
    struct ves_uuid id = suite_uuid('E', 2);
    uint32_t no;

    (void)state;
    s->store = open_own();
    no = suite_append_log(s, 1, 3);
    sqlite3_db_config(ves_store_sqlite_connection(s->store),
                      SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    exec(ves_store_sqlite_connection(s->store),
         "UPDATE ves_events SET fingerprint = x'00' WHERE sequence_number = 2");
    assert_int_equal(CALL(s, log_find_ids, no, &id, 1, &found), VES_CORRUPT);
    assert_non_null(strstr(s->store->error.text, "fingerprint"));
    assert_int_equal(CALL(s, log_read, no, 1, 0, suite_see_log, &s->got),
                     VES_CORRUPT);
    id = suite_uuid('E', 3);
    OK(CALL(s, log_find_ids, no, &id, 1, &found));
    close_store(s->store);
}

/* ---- migrations -----------------------------------------------------------
 */

static const char *const second[] = {"ALTER TABLE ves_streams ADD extra TEXT",
                                     "CREATE TABLE ves_second (a)", NULL};
static const char *const broken[] = {"CREATE TABLE ves_third (a)",
                                     "CREATE TABLE ves_second (a)", NULL};
static const char *const *const second_scripts[] = {second, NULL};
static const char *const *const broken_scripts[] = {broken, NULL};

static void migrations_are_applied_in_order_or_not_at_all(void **state)
{
    struct ves_sqlite_migration list[3];
    struct suite *s = &place.s;
    sqlite3 *db;

    (void)state;
    assert_int_equal(ves_sqlite_migrations_count, 1);
    list[0] = ves_sqlite_migrations[0];
    list[1].device = list[1].sequencer = second_scripts;
    list[2].device = list[2].sequencer = broken_scripts;
    s->store = open_own();
    suite_append_log(s, 1, 3);
    db = ves_store_sqlite_connection(s->store);
    assert_int_not_equal(
        ves_sqlite_migrate((struct ves_sqlite *)s->store, list, 3, false),
        VES_OK);
    assert_true(sqlite3_get_autocommit(db));
    ASK(db, "SELECT version FROM ves_schema", "1");
    ASK(db,
        "SELECT count(*) FROM sqlite_master"
        " WHERE name IN ('ves_second', 'ves_third')",
        "0");
    OK(ves_sqlite_migrate((struct ves_sqlite *)s->store, list, 2, false));
    ASK(db, "SELECT version FROM ves_schema", "2");
    ASK(db, "SELECT count(*) FROM ves_second", "0");
    ASK(db, "SELECT count(*) FROM ves_events", "3");
    OK(ves_sqlite_migrate((struct ves_sqlite *)s->store, list, 2, false));
    assert_int_equal(
        ves_sqlite_migrate((struct ves_sqlite *)s->store, list, 1, false),
        VES_UNSUPPORTED);
    close_store(s->store);
}

/* ---- failing disks --------------------------------------------------------
 */

static void a_full_disk_loses_nothing_that_was_kept(void **state)
{
    struct suite *s = &place.s;
    struct ves_log_row row;
    enum ves_status status = VES_OK;
    uint64_t next = 4;
    uint32_t no;
    sqlite3 *db;

    (void)state;
    s->store = open_own();
    db = ves_store_sqlite_connection(s->store);
    no = suite_append_log(s, 1, 3);
    suite_dump(s->store, s->role, &s->want);
    exec(db, "PRAGMA max_page_count = 60");
    suite_begin(s);
    for (; !status && next < 100000; next++) {
        suite_log_row(s, &row, next);
        status = CALL(s, log_append, no, &row, 1);
    }
    assert_int_equal(status, VES_IO);
    assert_non_null(strstr(s->store->error.text, "disk is full"));
    assert_int_equal(s->store->ops->commit(s->store), VES_IO);
    suite_rollback(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    exec(db, "PRAGMA max_page_count = 100000");
    suite_append_log(s, 1, 100);
    close_store(s->store);
}

static void a_full_disk_in_the_callers_transaction(void **state)
{
    struct suite *s = &place.s;
    sqlite3 *db = connect_to(place.path);
    struct ves_log_row row;
    enum ves_status status = VES_OK;
    uint64_t next = 1;

    (void)state;
    s->store = open_on(db);
    suite_append_log(s, 1, 0);
    suite_dump(s->store, s->role, &s->want);
    exec(db, "PRAGMA max_page_count = 100; BEGIN");
    suite_begin(s);
    for (; !status && next < 100000; next++) {
        suite_log_row(s, &row, next);
        status = CALL(s, log_append, 1, &row, 1);
    }
    assert_int_equal(status, VES_IO);
    suite_rollback(s);
    if (!sqlite3_get_autocommit(db))
        exec(db, "COMMIT");
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    close_store(s->store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- for people -----------------------------------------------------------
 */

static void the_views_speak_to_people(void **state)
{
    struct suite *s = &place.s;
    struct ves_log_row log;
    struct ves_entity_row entity;
    struct ves_outbox_row outbox;
    struct ves_stream_row stream;
    struct ves_stream id = suite_stream(1);
    sqlite3 *db;

    (void)state;
    s->store = open_own();
    db = ves_store_sqlite_connection(s->store);
    suite_begin(s);
    OK(CALL(s, stream_get, &id, true, &stream));
    suite_log_row(s, &log, 1);
    log.envelope = ves_bytes_str(
        "{\"ves_version\":2,\"entity_id\":\"\\\",\",\"event_type\":"
        "\"order.created\",\"payload\":{\"event_type\":\"other\"}");
    log.verdict = 1;
    log.sequenced_at_ms = 1700000000123;
    log.entity_key = suite_hash('K', 1);
    OK(CALL(s, log_append, 1, &log, 1));
    suite_fill_entity(&entity, &s->arena, 1);
    entity.key = log.entity_key;
    entity.entity_id = ves_bytes_str("o-17");
    OK(CALL(s, entity_put, 1, &entity, 1));
    suite_fill_outbox(&outbox, &s->arena, 1);
    outbox.event_id = suite_uuid('E', 1);
    outbox.status = VES_OUTBOX_CONFLICT;
    outbox.pushed_ms = 0;
    OK(CALL(s, outbox_append, &outbox, 1));
    suite_commit(s);
    ASK(db, "SELECT event_id FROM ves_log_view",
        "45000000-0000-0000-0000-000000000001");
    ASK(db,
        "SELECT event_type || ' ' || entity_id || ' ' || verdict"
        " FROM ves_log_view WHERE sequence_number = 1",
        "order.created o-17 applied");
    ASK(db, "SELECT sequenced_at FROM ves_log_view",
        "2023-11-14T22:13:20.123Z");
    ASK(db, "SELECT json_valid(envelope) FROM ves_log_view", "1");
    ASK(db, "SELECT event_id || ' ' || status FROM ves_outbox_view",
        "45000000-0000-0000-0000-000000000001 conflict");
    ASK(db, "SELECT pushed_at IS NULL FROM ves_outbox_view", "1");
    ASK(db,
        "SELECT pending || ' ' || conflict || ' ' || head"
        " FROM ves_status_view",
        "0 1 1");
    ASK(db, "SELECT entity_id FROM ves_entity_view", "o-17");
    suite_begin(s);
    OK(CALL(s, log_prune, 1, 2, &(uint64_t){0}));
    suite_commit(s);
    ASK(db, "SELECT event_type IS NULL FROM ves_log_view", "1");
    close_store(s->store);
}

static void a_sequencers_views_too(void **state)
{
    struct suite *s = &place.s;
    sqlite3 *db;

    (void)state;
    s->store = open_own();
    db = ves_store_sqlite_connection(s->store);
    suite_append_log(s, 1, 3);
    suite_append_log(s, 2, 0);
    ASK(db, "SELECT group_concat(head) FROM ves_status_view", "3,0");
    ASK(db, "SELECT tenant FROM ves_status_view WHERE stream_no = 2",
        "54000000-0000-0000-0000-000000000002");
    ASK(db, "SELECT count(*) FROM ves_entity_view", "0");
    ASK(db,
        "SELECT sequence_number FROM ves_log_view WHERE event_id ="
        " '45000000-0000-0000-0000-000000000002'",
        "2");
    close_store(s->store);
}

static void expect_abort(sqlite3 *db, const char *sql, const char *words)
{
    char *error = NULL;

    assert_int_not_equal(sqlite3_exec(db, sql, NULL, NULL, &error), SQLITE_OK);
    if (!strstr(error, words))
        fail_msg("%s: %s", sql, error);
    sqlite3_free(error);
}

static void history_cannot_be_edited_by_hand(void **state)
{
    struct suite *s = &place.s;
    struct ves_record record;
    struct ves_outbox_row outbox;
    sqlite3 *db;

    (void)state;
    s->store = open_own();
    db = ves_store_sqlite_connection(s->store);
    suite_append_log(s, 1, 2);
    suite_begin(s);
    suite_fill_record(&record, &s->arena, 1);
    OK(CALL(s, record_append, VES_RECORD_TRAIL, 1, &record, 1));
    suite_fill_outbox(&outbox, &s->arena, 1);
    OK(CALL(s, outbox_append, &outbox, 1));
    suite_commit(s);
    suite_dump(s->store, s->role, &s->want);
    expect_abort(db, "UPDATE ves_trail SET detail = ''", "append-only");
    expect_abort(db, "DELETE FROM ves_trail", "append-only");
    expect_abort(db, "DELETE FROM ves_events", "append-only");
    expect_abort(db, "DELETE FROM ves_outbox", "never deleted");
    expect_abort(db, "UPDATE ves_outbox SET status = 'sent'", "CHECK");
    expect_abort(db, "UPDATE ves_events SET verdict = 'fine'", "CHECK");
    expect_abort(db, "UPDATE ves_counts SET count = -1", "CHECK");
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    close_store(s->store);
}

/* ---- plans ----------------------------------------------------------------
 */

/* Statements that may read a whole table, and why. */
static bool may_scan(const char *sql, const char *detail)
{
    return strstr(sql, "UPDATE ves_outbox SET envelope") || /* prune */
           strstr(detail, "SCAN ves_counts") ||             /* five rows */
           strstr(detail, "SCAN s") ||            /* list of streams */
           strstr(detail, "SCAN ves_api_keys") || /* list of all of them */
           strstr(detail, "USING INDEX ves_outbox_overlay") ||
           strstr(detail, "USING COVERING INDEX ves_outbox_overlay") ||
           strstr(detail, "CONSTANT ROW");
}

static void check_plan(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *plan = NULL;
    char text[8192];

    snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        bool is_slow =
            (strncmp(detail, "SCAN", 4) == 0 && !may_scan(sql, detail)) ||
            strstr(detail, "TEMP B-TREE") != NULL;

        if (is_slow)
            fail_msg("\"%s\" in the plan of: %s", detail, sql);
    }
    sqlite3_finalize(plan);
}

static int check_all_plans(sqlite3 *db)
{
    char *texts[VES_SQL_COUNT];
    int count = 0;

    for (sqlite3_stmt *q = sqlite3_next_stmt(db, NULL); q;
         q = sqlite3_next_stmt(db, q)) {
        const char *sql = sqlite3_sql(q);

        if (strncmp(sql, "SELECT", 6) == 0 || strncmp(sql, "UPDATE", 6) == 0)
            texts[count++] = strdup(sql);
    }
    for (int i = 0; i < count; i++) {
        check_plan(db, texts[i]);
        free(texts[i]);
    }
    return count;
}

static void use_all_lists(struct suite *s)
{
    struct ves_uuid id = suite_uuid('B', 1);
    struct ves_commitment_row commitment;
    struct ves_uuid tenant = suite_uuid('T', 1);
    uint32_t no;

    suite_dump(s->store, s->role, &s->got);
    OK(CALL(s, key_list, &tenant, &tenant, 1, suite_see_key, &s->got));
    for (unsigned i = 0; s->role == SUITE_DEVICE && i < 16; i++) {
        struct ves_outbox_filter f = {.status_mask = i % 2 ? 1 : 0,
                                      .has_entity = i / 2 % 2,
                                      .overlay_only = i / 4 % 2,
                                      .is_descending = i / 8};

        OK(CALL(s, outbox_list, &f, suite_see_outbox, &s->got));
    }
    if (s->role == SUITE_SEQUENCER) {
        assert_int_equal(CALL(s, commitment_get, &id, &no, &commitment),
                         VES_NOT_FOUND);
        assert_int_equal(CALL(s, commitment_covering, 1, 1, &commitment),
                         VES_NOT_FOUND);
    }
}

static void no_call_reads_a_whole_table(void **state)
{
    struct suite *s = &place.s;
    struct ves_outbox_row outbox;
    struct ves_uuid id = suite_uuid('E', 1);
    uint64_t count;

    (void)state;
    s->store = open_own();
    suite_append_log(s, 1, 3);
    suite_begin(s);
    OK(CALL(s, log_prune, 1, 2, &count));
    OK(CALL(s, entity_reset, 1));
    if (s->role == SUITE_DEVICE) {
        suite_fill_outbox(&outbox, &s->arena, 1);
        OK(CALL(s, outbox_append, &outbox, 1));
        OK(CALL(s, outbox_update, &outbox, 1));
        OK(CALL(s, outbox_get, &id, 1, &s->arena, &outbox));
    }
    suite_commit(s);
    use_all_lists(s);
    assert_true(check_all_plans(ves_store_sqlite_connection(s->store)) > 20);
    close_store(s->store);
}

/* ---- backup ---------------------------------------------------------------
 */

static void a_backup_is_whole_private_and_new(void **state)
{
    struct suite *s = &place.s;
    struct ves_store_sqlite_options o = options();
    struct ves_store *other, *copy;
    struct ves_error error;
    struct stat st;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s", path_of("copy.db"));
    s->store = open_own();
    suite_append_log(s, 1, 500);
    suite_dump(s->store, s->role, &s->want);
    /* Somebody else is writing meanwhile. */
    other = open_own();
    OK(other->ops->begin(other));
    OK(other->ops->meta_put(other, "cursor", ves_bytes_str("later")));
    OK(ves_store_sqlite_backup(s->store, path, &error));
    OK(other->ops->commit(other));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    o.path = path;
    o.create = false;
    copy = open_with(&o);
    assert_non_null(copy);
    suite_dump(copy, s->role, &s->got);
    suite_compare(s);
    ASK(ves_store_sqlite_connection(copy), "PRAGMA integrity_check", "ok");
    put_meta(copy, "a life of its own");
    close_store(copy);
    s->store = other;
    assert_int_equal(ves_store_sqlite_backup(s->store, path, &error),
                     VES_CONFLICT);
    assert_non_null(strstr(error.text, "exists already"));
    copy = open_with(&o);
    expect_meta(copy, "a life of its own");
    close_store(copy);
    unlink(path);
    suite_begin(s);
    assert_int_equal(ves_store_sqlite_backup(s->store, path, &error),
                     VES_INVALID);
    suite_rollback(s);
    assert_int_not_equal(access(path, F_OK), 0);
    close_store(other);
}

static void a_backup_to_nowhere_is_said(void **state)
{
    struct ves_store *store = open_own();
    struct ves_error error;

    (void)state;
    assert_int_equal(
        ves_store_sqlite_backup(store, path_of("nowhere/copy.db"), &error),
        VES_IO);
    assert_non_null(strstr(error.text, "cannot be made"));
    close_store(store);
}

#define ON_DEVICE(f) \
    cmocka_unit_test_setup_teardown(f, set_up_device, tear_down)
#define ON_SEQUENCER(f) \
    cmocka_unit_test_setup_teardown(f, set_up_sequencer, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DEVICE(own_files_are_private_and_durable),
        ON_DEVICE(a_callers_settings_stay),
        ON_DEVICE(the_callers_rollback_removes_all),
        ON_DEVICE(our_rollback_leaves_the_callers_rows),
        ON_DEVICE(tables_made_in_a_transaction_go_with_it),
        ON_DEVICE(statements_can_be_given_back_early),
        ON_DEVICE(a_second_writer_is_told_busy),
        ON_DEVICE(a_joined_writer_is_told_busy),
        ON_SEQUENCER(a_writer_waits_as_long_as_told),
        ON_DEVICE(many_processes_may_open_a_new_file),
        ON_DEVICE(what_is_not_there_is_not_made),
        ON_DEVICE(a_folder_that_is_not_there_is_said),
        ON_DEVICE(read_only_reads),
        ON_DEVICE(a_file_that_is_no_database_is_refused),
        ON_DEVICE(a_newer_store_is_refused),
        ON_SEQUENCER(a_store_of_the_other_role_is_refused),
        ON_SEQUENCER(a_sequencer_wants_a_file_of_its_own),
        ON_DEVICE(a_damaged_row_is_said),
        ON_SEQUENCER(migrations_are_applied_in_order_or_not_at_all),
        ON_DEVICE(a_full_disk_loses_nothing_that_was_kept),
        ON_DEVICE(a_full_disk_in_the_callers_transaction),
        ON_DEVICE(the_views_speak_to_people),
        ON_SEQUENCER(a_sequencers_views_too),
        ON_DEVICE(history_cannot_be_edited_by_hand),
        ON_DEVICE(no_call_reads_a_whole_table),
        ON_SEQUENCER(no_call_reads_a_whole_table),
        ON_DEVICE(a_backup_is_whole_private_and_new),
        ON_SEQUENCER(a_backup_to_nowhere_is_said),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_sqlite alone", tests, NULL,
                                       NULL) +
           suite_run(&own) + suite_run(&joined);
}
