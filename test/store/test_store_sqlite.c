/* test_store_sqlite.c -- the contract on SQLite, own and joined; two at once.
 */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/entity.h"
#include "test/store/suite_place.h"

/* ---- the suite on an own file ---------------------------------------------
 */

static struct ves_store *own_open(enum suite_role role, void **handle)
{
    place_make(role);
    *handle = &place;
    return place.s.store = place_open_own();
}

static struct ves_store *own_reopen(void *handle)
{
    (void)handle;
    place_close(place.s.store);
    return place.s.store = place_open_own();
}

static void own_close(void *handle)
{
    (void)handle;
    place_close(place.s.store);
    place_leave();
}

static const struct suite_backend own = {.name = "store_sqlite",
                                         .open = own_open,
                                         .reopen = own_reopen,
                                         .close = own_close};

/* ---- the suite inside a caller's transaction ------------------------------
 */

static struct ves_store *joined_open(enum suite_role role, void **handle)
{
    place_make(role);
    *handle = &place;
    place.outer = place_connect(place.path);
    place_exec(place.outer, "BEGIN");
    return place.s.store = place_open_on(place.outer);
}

static struct ves_store *joined_reopen(void *handle)
{
    (void)handle;
    place_close(place.s.store);
    return place.s.store = place_open_on(place.outer);
}

static void joined_close(void *handle)
{
    (void)handle;
    assert_false(sqlite3_get_autocommit(place.outer));
    place_close(place.s.store);
    place_exec(place.outer, "ROLLBACK");
    assert_int_equal(sqlite3_close(place.outer), SQLITE_OK);
    place_leave();
}

static const struct suite_backend joined = {
    .name = "store_sqlite in a caller's transaction",
    .open = joined_open,
    .reopen = joined_reopen,
    .close = joined_close};

/* ---- settings and nesting -------------------------------------------------
 */

static void own_files_are_private_and_durable(void **state)
{
    static const char *const names[] = {"store.db", "store.db-wal",
                                        "store.db-shm"};
    struct ves_store *store;
    struct stat st;
    sqlite3 *db;
    struct ves_store_sqlite_sync how;
    int is_defensive = 0;

    (void)state;
    umask(0022);
    store = place_open_own();
    db = ves_store_sqlite_connection(store);
    place_put_meta(store, "1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stat(place_path(names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    ASK(db, "PRAGMA journal_mode", "wal");
    ASK(db, "PRAGMA synchronous", "2");
    ASK(db, "PRAGMA foreign_keys", "0");
    ASK(db, "PRAGMA trusted_schema", "0");
    ASK(db, "PRAGMA application_id", "1447383908");
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, -1, &is_defensive);
    assert_int_equal(is_defensive, 1);
    OK(ves_store_sqlite_synchronous(store, &how));
    assert_int_equal(how.level, 2);
    place_close(store);
}

/* Bytes of pages that a connection keeps after reading all events. */
static int kept_after_reading(uint32_t stream_no, size_t events,
                              bool reads_once)
{
    static struct ves_leaf_row leaves[1000];
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *reader;
    size_t found;
    int bytes = 0, high;

    o.create = false;
    o.is_read_only = true;
    o.reads_once = reads_once;
    reader = place_open(&o);
    OK(reader->ops->begin_read(reader));
    OK(reader->ops->log_leaves(reader, stream_no, 1, events, leaves, &found));
    assert_int_equal(found, events);
    reader->ops->end_read(reader);
    sqlite3_db_status(ves_store_sqlite_connection(reader),
                      SQLITE_DBSTATUS_CACHE_USED, &bytes, &high, 0);
    place_close(reader);
    return bytes;
}

static void who_reads_once_keeps_little(void **state)
{
    struct suite *s = &place.s;
    uint32_t no;

    (void)state;
    s->store = place_open_own();
    no = suite_append_log(s, 1, 1000);
    assert_in_range(kept_after_reading(no, 1000, true), 4096, 128 * 1024);
    assert_in_range(kept_after_reading(no, 1000, false), 256 * 1024, INT_MAX);
    place_close(s->store);
}

static void a_callers_settings_stay(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct ves_store *store;
    struct ves_store_sqlite_sync how;

    (void)state;
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY);"
                   "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF;"
                   "PRAGMA cache_size = 77; PRAGMA busy_timeout = 123;"
                   "PRAGMA application_id = 5; PRAGMA user_version = 9");
    store = place_open_on(db);
    place_put_meta(store, "1");
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
    OK(ves_store_sqlite_synchronous(store, &how));
    assert_int_equal(how.level, 1);
    assert_true(how.has_journal);
    place_close(store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void the_callers_rollback_removes_all(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct ves_store *store = place_open_on(db);

    (void)state;
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY); BEGIN;"
                   "INSERT INTO sale VALUES (1)");
    place_put_meta(store, "inside");
    place_expect_meta(store, "inside");
    place_exec(db, "ROLLBACK");
    place_expect_meta(store, NULL);
    ASK(db, "SELECT count(*) FROM sale", "0");
    place_exec(db, "BEGIN; INSERT INTO sale VALUES (1)");
    place_put_meta(store, "kept");
    place_exec(db, "COMMIT");
    place_expect_meta(store, "kept");
    ASK(db, "SELECT count(*) FROM sale", "1");
    place_close(store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void our_rollback_leaves_the_callers_rows(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct suite *s = &place.s;

    (void)state;
    s->store = place_open_on(db);
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY); BEGIN;"
                   "INSERT INTO sale VALUES (1); SAVEPOINT mine");
    place_put_meta(s->store, "first");
    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("second")));
    suite_rollback(s);
    assert_false(sqlite3_get_autocommit(db));
    place_expect_meta(s->store, "first");
    place_exec(db, "INSERT INTO sale VALUES (2); ROLLBACK TO mine; COMMIT");
    place_expect_meta(s->store, NULL);
    ASK(db, "SELECT count(*) FROM sale", "1");
    place_put_meta(s->store, "own transaction");
    assert_true(sqlite3_get_autocommit(db));
    place_close(s->store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_flat_rollback_takes_the_callers_rows_along(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct suite *s = &place.s;

    (void)state;
    s->store = place_open_on(db);
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY); BEGIN;"
                   "INSERT INTO sale VALUES (1)");
    OK(s->store->ops->begin_flat(s->store));
    suite_rollback(s); /* nothing was written yet */
    assert_false(sqlite3_get_autocommit(db));
    OK(s->store->ops->begin_flat(s->store));
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("kept")));
    OK(s->store->ops->commit(s->store));
    place_exec(db, "COMMIT");
    place_expect_meta(s->store, "kept");
    ASK(db, "SELECT count(*) FROM sale", "1");
    place_exec(db, "BEGIN; INSERT INTO sale VALUES (2)");
    OK(s->store->ops->begin_flat(s->store));
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("gone")));
    suite_rollback(s);
    assert_true(sqlite3_get_autocommit(db));
    place_expect_meta(s->store, "kept");
    ASK(db, "SELECT count(*) FROM sale", "1");
    place_close(s->store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void tables_made_in_a_transaction_go_with_it(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct ves_store *store;

    (void)state;
    place_exec(db, "BEGIN");
    store = place_open_on(db);
    place_put_meta(store, "1");
    place_close(store);
    place_exec(db, "ROLLBACK");
    ASK(db, "SELECT count(*) FROM sqlite_master", "0");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void statements_can_be_given_back_early(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct ves_store *store = place_open_on(db);

    (void)state;
    place_put_meta(store, "1");
    assert_non_null(sqlite3_next_stmt(db, NULL));
    ves_store_sqlite_forget_statements(store);
    assert_null(sqlite3_next_stmt(db, NULL));
    place_expect_meta(store, "1");
    place_close(store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- two at once ----------------------------------------------------------
 */

static void what_is_read_is_of_one_moment(void **state)
{
    struct ves_store *writer = place_open_own(), *reader = place_open_own();

    (void)state;
    place_put_meta(writer, "before");
    OK(reader->ops->begin_read(reader));
    place_expect_meta(reader, "before");
    place_put_meta(writer, "after");
    place_expect_meta(reader, "before");
    reader->ops->end_read(reader);
    reader->ops->end_read(reader);
    place_expect_meta(reader, "after");
    place_put_meta(reader, "own");
    place_expect_meta(writer, "own");
    place_close(reader);
    place_close(writer);
}

static void a_second_writer_is_told_busy(void **state)
{
    struct ves_store *one = place_open_own(), *two = place_open_own();

    (void)state;
    place_put_meta(one, "1");
    OK(one->ops->begin(one));
    OK(one->ops->meta_put(one, "cursor", ves_bytes_str("2")));
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    assert_non_null(strstr(two->error.text, "Another process"));
    place_expect_meta(two, "1");
    OK(one->ops->commit(one));
    place_expect_meta(two, "2");
    place_put_meta(two, "3");
    place_expect_meta(one, "3");
    place_close(one);
    place_close(two);
}

static void a_joined_writer_is_told_busy(void **state)
{
    struct ves_store *one = place_open_own(), *two;
    sqlite3 *db = place_connect(place.path);

    (void)state;
    two = place_open_on(db);
    place_put_meta(one, "1");
    place_exec(db, "BEGIN");
    place_expect_meta(two, "1"); /* the caller's snapshot */
    OK(one->ops->begin(one));
    OK(one->ops->meta_put(one, "cursor", ves_bytes_str("2")));
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    OK(one->ops->commit(one));
    /* The snapshot is old now: busy until the caller begins again. */
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    assert_false(sqlite3_get_autocommit(db));
    place_expect_meta(two, "1");
    place_exec(db, "COMMIT; BEGIN");
    place_put_meta(two, "3");
    place_exec(db, "COMMIT");
    place_expect_meta(one, "3");
    place_close(one);
    place_close(two);
    sqlite3_close(db);
}

static void a_writer_waits_as_long_as_told(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *one = place_open_own(), *two;
    pid_t child;
    int code;

    (void)state;
    place_close(one);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        one = place_open_own();
        if (one->ops->begin(one) != VES_OK)
            _exit(1);
        if (access(place_path("copy.db"), F_OK) == 0)
            _exit(2);
        fclose(fopen(place_path("copy.db"), "w")); /* "I hold the lock" */
        sqlite3_sleep(300);
        ves_store_sqlite_close(one);
        _exit(0);
    }
    while (access(place_path("copy.db"), F_OK) != 0)
        sqlite3_sleep(5);
    o.busy_timeout_ms = 20000;
    two = place_open(&o);
    assert_non_null(two);
    place_put_meta(two, "after waiting");
    place_close(two);
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
            struct ves_store_sqlite_options o = place_options();

            o.busy_timeout_ms = 20000;
            store = place_open(&o);
            if (!store)
                _exit(1);
            place_put_meta(store, "1");
            ves_store_sqlite_close(store);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int code = -1;

        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_int_equal(code, 0);
    }
    store = place_open_own();
    place_expect_meta(store, "1");
    place_close(store);
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
    s->store = place_open_own();
    db = ves_store_sqlite_connection(s->store);
    no = suite_append_log(s, 1, 3);
    suite_dump(s->store, s->role, &s->want);
    place_exec(db, "PRAGMA max_page_count = 60");
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
    place_exec(db, "PRAGMA max_page_count = 100000");
    suite_append_log(s, 1, 100);
    place_close(s->store);
}

static void a_full_disk_in_the_callers_transaction(void **state)
{
    struct suite *s = &place.s;
    sqlite3 *db = place_connect(place.path);
    struct ves_log_row row;
    enum ves_status status = VES_OK;
    uint64_t next = 1;

    (void)state;
    s->store = place_open_on(db);
    suite_append_log(s, 1, 0);
    suite_dump(s->store, s->role, &s->want);
    place_exec(db, "PRAGMA max_page_count = 100; BEGIN");
    suite_begin(s);
    for (; !status && next < 100000; next++) {
        suite_log_row(s, &row, next);
        status = CALL(s, log_append, 1, &row, 1);
    }
    assert_int_equal(status, VES_IO);
    suite_rollback(s);
    if (!sqlite3_get_autocommit(db))
        place_exec(db, "COMMIT");
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    place_close(s->store);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A call that fails behind spilled pages takes the transaction with it where
 * SQLite would lose what is committed after a part of it was taken back. */
static void half_of_what_was_spilled_is_not_kept(void **state)
{
    struct suite *s = &place.s;
    struct ves_log_row rows[300];
    bool is_torn = sqlite3_libversion_number() < 3053004;
    uint32_t no;
    sqlite3 *db;

    (void)state;
    s->store = place_open_own();
    db = ves_store_sqlite_connection(s->store);
    no = suite_append_log(s, 1, 3);
    suite_dump(s->store, s->role, &s->want);
    place_exec(db, "PRAGMA cache_size = 10; PRAGMA cache_spill = 10");
    suite_begin(s);
    for (size_t i = 0; i < 300; i++)
        suite_log_row(s, &rows[i], 4 + i);
    rows[299].event_id = rows[0].event_id;
    assert_int_equal(CALL(s, log_append, no, rows, 300), VES_CONFLICT);
    assert_int_equal(sqlite3_get_autocommit(db), is_torn);
    if (is_torn) {
        assert_non_null(strstr(s->store->error.text, "whole transaction"));
        assert_int_equal(s->store->ops->commit(s->store), VES_IO);
    }
    suite_rollback(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    /* With room for it only the call is taken back. */
    place_exec(db, "PRAGMA cache_size = 10000; PRAGMA cache_spill = 10000");
    suite_begin(s);
    assert_int_equal(CALL(s, log_append, no, rows, 299), VES_OK);
    rows[0] = rows[299];
    rows[0].sequence_number = 303;
    assert_int_equal(CALL(s, log_append, no, rows, 1), VES_CONFLICT);
    assert_false(sqlite3_get_autocommit(db));
    suite_commit(s);
    place_close(s->store);
}

/* ---- what entities are sought by ------------------------------------------
 */

/* No list of a bucket is gone along for these: there is none. */
static void an_event_with_escapes_says_its_name_itself(void **state)
{
    static const char id[] = "o\"1\n\x01\\";
    const struct ves_log_match match = {.entity_type = ves_bytes_str("a\\b"),
                                        .entity_id = ves_bytes_str(id),
                                        .from = 1,
                                        .to = 100};
    struct suite *s = &place.s;
    struct ves_log_row row;
    uint64_t sequences[4];
    size_t found;

    (void)state;
    s->store = place_open_own();
    uint32_t no = suite_append_log(s, 1, 0);
    suite_log_row(s, &row, 1);
    ves_entity_key(match.entity_type, match.entity_id, &row.entity_key);
    row.envelope =
        ves_bytes_str("{\"ves_version\":2,\"entity_type\":\"a\\\\b\","
                      "\"entity_id\":\"o\\\"1\\n\\u0001\\\\\","
                      "\"event_type\":\"a.created\"");
    suite_begin(s);
    OK(CALL(s, log_append, no, &row, 1));
    suite_commit(s);
    OK(CALL(s, log_match, no, &match, sequences, 4, &found));
    assert_int_equal(found, 1);
    assert_int_equal(sequences[0], 1);
    place_close(s->store);
}

/* What a damaged file makes of an entity that is gone is no crash. */
static void an_entity_without_a_name_is_damage(void **state)
{
    struct suite *s = &place.s;
    struct ves_entity_row entity;

    (void)state;
    s->store = place_open_own();
    suite_append_log(s, 1, 0);
    suite_fill_entity(&entity, &s->arena, 1, 1);
    entity.entity_type = entity.entity_id = ves_bytes(NULL, 0);
    entity.place = 0;
    suite_begin(s);
    assert_int_equal(CALL(s, entity_put, 1, &entity, 1), VES_CORRUPT);
    suite_rollback(s);
    place_close(s->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DEVICE(own_files_are_private_and_durable),
        ON_SEQUENCER(who_reads_once_keeps_little),
        ON_DEVICE(a_callers_settings_stay),
        ON_DEVICE(the_callers_rollback_removes_all),
        ON_DEVICE(our_rollback_leaves_the_callers_rows),
        ON_DEVICE(a_flat_rollback_takes_the_callers_rows_along),
        ON_DEVICE(tables_made_in_a_transaction_go_with_it),
        ON_DEVICE(statements_can_be_given_back_early),
        ON_DEVICE(what_is_read_is_of_one_moment),
        ON_DEVICE(a_second_writer_is_told_busy),
        ON_DEVICE(a_joined_writer_is_told_busy),
        ON_SEQUENCER(a_writer_waits_as_long_as_told),
        ON_DEVICE(many_processes_may_open_a_new_file),
        ON_DEVICE(a_full_disk_loses_nothing_that_was_kept),
        ON_DEVICE(a_full_disk_in_the_callers_transaction),
        ON_DEVICE(half_of_what_was_spilled_is_not_kept),
        ON_SEQUENCER(an_event_with_escapes_says_its_name_itself),
        ON_DEVICE(an_entity_without_a_name_is_damage),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_sqlite alone", tests, NULL,
                                       NULL) +
           suite_run(&own) + suite_run(&joined);
}
