/* test_store_schema.c -- what is opened, migrated, shown, planned, copied. */
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "store/store_sqlite_check.h"
#include "store/store_sqlite_schema.h"
#include "test/store/suite_place.h"

/* ---- what is not opened ---------------------------------------------------
 */

static void what_is_not_there_is_not_made(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    sqlite3 *db;

    (void)state;
    o.create = false;
    place_expect_refused(&o, VES_NOT_FOUND, "There is no file");
    o.create = true;
    o.is_read_only = true;
    place_expect_refused(&o, VES_NOT_FOUND, "There is no file");
    assert_int_not_equal(access(place.path, F_OK), 0);
    db = place_connect(place.path);
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY)");
    o.create = o.is_read_only = false;
    place_expect_refused(&o, VES_NOT_FOUND, "no VES store in this database");
    ASK(db, "SELECT count(*) FROM sqlite_master", "1");
    sqlite3_close(db);
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    struct ves_store_sqlite_options o = place_options();

    (void)state;
    o.path = place_path("nowhere/store.db");
    place_expect_refused(&o, VES_IO, "cannot be made");
}

static void read_only_reads(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store = place_open_own();

    (void)state;
    place_put_meta(store, "1");
    place_close(store);
    o.is_read_only = true;
    store = place_open(&o);
    assert_non_null(store);
    place_expect_meta(store, "1");
    assert_int_equal(store->ops->begin(store), VES_INVALID);
    assert_non_null(strstr(store->error.text, "reading only"));
    place_expect_meta(store, "1");
    place_close(store);
}

enum { NOBODY = 65534, CLOSED = 77 };

/* What a child without rights on the folder is told; it exits with 0 when that
 * is what to do, with CLOSED when it does not even get there. */
static _Noreturn void read_without_rights(const char *path)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store;
    struct ves_error error;

    o.path = path;
    o.is_read_only = true;
    if (geteuid() == 0 &&
        (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
        _exit(2);
    if (access(path, R_OK))
        _exit(CLOSED);
    enum ves_status status =
        ves_store_sqlite_open(&o, ves_alloc_default(), &store, &error);
    _exit(status == VES_IO && strstr(error.text, "the user who owns") &&
                  strstr(error.text, "ves backup FILE")
              ? 0
              : 1);
}

/* A WAL file wants its index beside it. */
static void a_reader_without_rights_is_told_what_to_do(void **state)
{
    char folder[PATH_MAX];
    int how = -1;

    (void)state;
    place_close(place_open_own());
    snprintf(folder, sizeof folder, "%s", place.path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(chmod(place.path, 0444), 0);
    pid_t child = fork();
    if (child == 0)
        read_without_rights(place.path);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_true(WIFEXITED(how));
    if (WEXITSTATUS(how) == CLOSED) {
        print_message("a stranger cannot come to %s\n", folder);
        skip();
    }
    assert_int_equal(WEXITSTATUS(how), 0);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    static const char words[] = "This is a shopping list, not a database file, "
                                "however long it may get to be in the end.";
    struct ves_store_sqlite_options o = place_options();
    FILE *file = fopen(place.path, "w");
    char got[sizeof words] = "";

    (void)state;
    assert_non_null(file);
    fputs(words, file);
    fclose(file);
    place_expect_refused(&o, VES_CORRUPT, "not a database");
    file = fopen(place.path, "r");
    assert_non_null(file);
    assert_non_null(fgets(got, sizeof got, file));
    fclose(file);
    assert_string_equal(got, words);
}

static void a_newer_store_is_refused(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store = place_open_own();
    sqlite3 *db;

    (void)state;
    place_close(store);
    db = place_connect(place.path);
    place_exec(db, "UPDATE ves_schema SET version = 99");
    place_expect_refused(&o, VES_UNSUPPORTED, "newer program");
    o.connection = db;
    place_expect_refused(&o, VES_UNSUPPORTED, "newer program");
    ASK(db, "SELECT version FROM ves_schema", "99");
    place_exec(db, "PRAGMA ignore_check_constraints = ON;"
                   "UPDATE ves_schema SET version = 0");
    place_expect_refused(&o, VES_CORRUPT, "ves_schema");
    sqlite3_close(db);
}

static void a_store_of_the_other_role_is_refused(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store = place_open_own();
    uint64_t counts[VES_OUTBOX_STATUSES];

    (void)state;
    assert_int_equal(store->ops->outbox_counts(store, counts), VES_UNSUPPORTED);
    assert_non_null(strstr(store->error.text, "sequencer's store"));
    place_close(store);
    o.role = VES_STORE_DEVICE;
    place_expect_refused(&o, VES_INVALID,
                         "the store of a sequencer, not of a device");
}

static void a_sequencer_wants_a_file_of_its_own(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    sqlite3 *db = place_connect(place.path);

    (void)state;
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY)");
    place_expect_refused(&o, VES_INVALID, "other tables");
    ASK(db, "SELECT count(*) FROM sqlite_master", "1");
    sqlite3_close(db);
}

static void a_damaged_row_is_said(void **state)
{
    struct suite *s = &place.s;
    struct ves_leaf_row leaves[3];
    struct ves_id_row found;
    size_t count;
    struct ves_uuid id = suite_uuid('E', 2);
    uint32_t no;

    (void)state;
    s->store = place_open_own();
    no = suite_append_log(s, 1, 3);
    sqlite3_db_config(ves_store_sqlite_connection(s->store),
                      SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    place_exec(
        ves_store_sqlite_connection(s->store),
        "UPDATE ves_events SET fingerprint = x'00' WHERE sequence_number = 2");
    assert_int_equal(CALL(s, log_find_ids, no, &id, 1, &found), VES_CORRUPT);
    assert_non_null(strstr(s->store->error.text, "fingerprint"));
    assert_int_equal(CALL(s, log_read, no, 1, 0, suite_see_log, &s->got),
                     VES_CORRUPT);
    id = suite_uuid('E', 3);
    OK(CALL(s, log_find_ids, no, &id, 1, &found));
    OK(CALL(s, log_leaves, no, 1, 3, leaves, &count));
    place_exec(ves_store_sqlite_connection(s->store),
               "UPDATE ves_events SET signature = substr(signature, 2)"
               " WHERE sequence_number = 2");
    assert_int_equal(CALL(s, log_leaves, no, 1, 3, leaves, &count),
                     VES_CORRUPT);
    assert_int_equal(count, 0);
    place_close(s->store);
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
    enum { NOW = 8 }; /* the version of this program */
    struct ves_sqlite_migration list[NOW + 2] = {{0}};
    struct suite *s = &place.s;
    sqlite3 *db;

    (void)state;
    assert_int_equal(ves_sqlite_migrations_count, NOW);
    memcpy(list, ves_sqlite_migrations, NOW * sizeof list[0]);
    list[NOW].device = list[NOW].sequencer = second_scripts;
    list[NOW + 1].device = list[NOW + 1].sequencer = broken_scripts;
    s->store = place_open_own();
    suite_append_log(s, 1, 3);
    db = ves_store_sqlite_connection(s->store);
    assert_int_not_equal(
        ves_sqlite_migrate((struct ves_sqlite *)s->store, list, NOW + 2, false),
        VES_OK);
    assert_true(sqlite3_get_autocommit(db));
    ASK(db, "SELECT version FROM ves_schema", "8");
    ASK(db,
        "SELECT count(*) FROM sqlite_master"
        " WHERE name IN ('ves_second', 'ves_third')",
        "0");
    OK(ves_sqlite_migrate((struct ves_sqlite *)s->store, list, NOW + 1, false));
    ASK(db, "SELECT version FROM ves_schema", "9");
    ASK(db, "SELECT count(*) FROM ves_second", "0");
    ASK(db, "SELECT count(*) FROM ves_events", "3");
    OK(ves_sqlite_migrate((struct ves_sqlite *)s->store, list, NOW + 1, false));
    assert_int_equal(
        ves_sqlite_migrate((struct ves_sqlite *)s->store, list, 2, false),
        VES_UNSUPPORTED);
    place_close(s->store);
}

/* A store as version 1 left it: 30 outbox rows of three entities, of which the
 * third has none, and every second row in the overlay. */
static void make_version_1(sqlite3 *db)
{
    const char *const *const *script = ves_sqlite_migrations[0].device;

    for (; *script; script++)
        for (const char *const *text = *script; *text; text++)
            place_exec(db, *text);
    place_exec(db, "INSERT INTO ves_schema VALUES (1, 1, 'device', 0, 'old');"
                   "INSERT INTO ves_streams (tenant, store) VALUES (x'01',"
                   " x'02')");
    place_exec(db,
               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM"
               " n WHERE i < 30) INSERT INTO ves_outbox SELECT i,"
               " zeroblob(14) || char(64 + i), zeroblob(32), i,"
               " CAST(char(i * i % 3 + 48) || zeroblob(31) AS BLOB), 'order',"
               " 'O', 'order.created', '', 0, NULL, 0, 0, 'pending', 0, 0, 0,"
               " 'none', '', 0, NULL, 0, NULL, 0, NULL, 0, NULL, '', 0, 0,"
               " i % 2, '{}' FROM n");
    place_exec(db,
               "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM"
               " n WHERE i < 2) INSERT INTO ves_entities SELECT 1,"
               " CAST(char(i + 48) || zeroblob(31) AS BLOB), 'order', 'O' || i,"
               " i, 100 - i, 7, i, NULL, 0, NULL, i, NULL, 'state ' || i FROM"
               " n");
}

static void version_1_is_linked(void **state)
{
    sqlite3 *db = place_connect(place.path);

    (void)state;
    make_version_1(db);
    sqlite3_close(db);
    place_close(place_open_own());
    db = place_connect(place.path);
    ASK(db, "SELECT version FROM ves_schema", "8");
    ASK(db,
        "SELECT count(*) FROM ves_outbox o WHERE entity_prev = coalesce("
        "(SELECT max(p.local_seq) FROM ves_outbox p WHERE p.entity_key ="
        " o.entity_key AND p.local_seq < o.local_seq), 0)",
        "30");
    ASK(db,
        "SELECT group_concat(own_last || ' ' || entity_id || ' ' || state ||"
        " ' ' || own_events || ' ' || last_sequence, '; ') FROM ves_entities",
        "0 O2 state 2 2 98; 29 O1 state 1 1 99; 30 O0 state 0 0 100");
    /* Keys that begin with 0x30, 0x31 and 0x32: buckets of their own. */
    ASK(db,
        "SELECT group_concat(b.bucket || ' ' || n.entity_id || ' ' ||"
        " n.bucket_prev, '; ') FROM ves_entity_buckets b JOIN ves_entities n"
        " ON n.id = b.newest AND b.stream_no = n.stream_no",
        "768 O0 0; 784 O1 0; 800 O2 0");
    ASK(db, "SELECT count(*) FROM sqlite_master WHERE name LIKE '%moving%'",
        "0");
    sqlite3_close(db);
}

/* What the migration makes of 300 entities in three buckets is what inserting
 * them one by one makes. */
static void version_8_lists_the_entities_of_buckets(void **state)
{
    sqlite3 *db = place_connect(place.path);
    struct ves_arena arena;
    struct ves_store *store;

    (void)state;
    make_version_1(db);
    place_exec(db,
               "WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM"
               " n WHERE i < 299) INSERT INTO ves_entities SELECT 1,"
               " CAST(char(i % 3 + 48) || char(i % 16) || char(i / 100 + 1) ||"
               " char(i % 100 + 1) || zeroblob(28) AS BLOB), 'order', 'O' || i,"
               " i, 100 + i, 7, i, NULL, 0, NULL, i, NULL, 'state ' || i FROM"
               " n");
    sqlite3_close(db);
    store = place_open_own();
    db = ves_store_sqlite_connection(store);
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    ASK(db, "SELECT count(*) FROM ves_entity_buckets", "3");
    for (unsigned i = 3; i < 300; i++) {
        struct ves_entity_name name = {.key = {{0}}};
        struct ves_entity_row row;
        char id[8];

        name.key.b[0] = (uint8_t)(i % 3 + 48);
        name.key.b[1] = (uint8_t)(i % 16);
        name.key.b[2] = (uint8_t)(i / 100 + 1);
        name.key.b[3] = (uint8_t)(i % 100 + 1);
        OK(store->ops->entity_get(store, 1, &name, 1, &arena, &row));
        snprintf(id, sizeof id, "O%u", i);
        assert_true(row.is_found && ves_bytes_is(row.entity_id, id));
    }
    ves_arena_free(&arena);
    place_close(store);
}

/* Somebody else's database is left as it is, its way of journalling too. */
static void what_is_not_ours_is_not_turned_into_wal(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    sqlite3 *db = place_connect(place.path);

    (void)state;
    o.create = false;
    place_exec(db, "CREATE TABLE sale (id INTEGER PRIMARY KEY)");
    place_expect_refused(&o, VES_NOT_FOUND, "no VES store in this database");
    ASK(db, "PRAGMA journal_mode", "delete");
    place_exec(db, "CREATE TABLE ves_sales (id INTEGER PRIMARY KEY)");
    o.create = true;
    place_expect_refused(&o, VES_INVALID, "table ves_sales");
    ASK(db, "PRAGMA journal_mode", "delete");
    ASK(db, "SELECT count(*) FROM sqlite_master", "2");
    sqlite3_close(db);
}

/* Rows without end, made by who asks for the first. */
#define ENDLESS                                                           \
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"    \
    " SELECT count(*) AS only, 6 AS version, 'device' AS role, 0 AS name" \
    " FROM n"

/* What a file may bring along in the place of our tables, or tied to them, so
 * that it runs when we read or write. */
static const struct stranger {
    const char *make, *words;
} strangers[] = {
    {"DROP TABLE ves_meta; CREATE VIEW ves_meta AS " ENDLESS, "view ves_meta"},
    {"DROP TABLE ves_schema; CREATE VIEW ves_schema AS " ENDLESS,
     "view ves_schema"},
    {"DROP TABLE ves_schema; CREATE TABLE ves_schema (only INTEGER, role,"
     " version AS (length(zeroblob(999999999))))",
     "table ves_schema"},
    {"CREATE TRIGGER mine AFTER INSERT ON ves_outbox BEGIN INSERT INTO"
     " ves_meta " ENDLESS "; END",
     "trigger mine"},
    {"CREATE TRIGGER mine INSTEAD OF INSERT ON ves_log_view BEGIN SELECT 1;"
     " END",
     "trigger mine"},
    {"CREATE INDEX mine ON ves_outbox (length(zeroblob(local_seq)))",
     "index mine"},
    {"ALTER TABLE ves_meta ADD COLUMN more AS (zeroblob(999999999))",
     "table ves_meta"},
    {"DROP TABLE ves_meta; CREATE TABLE ves_meta (name TEXT PRIMARY KEY, value"
     " NOT NULL CHECK (length(zeroblob(999999999)))) WITHOUT ROWID",
     "table ves_meta"},
    {"DROP TABLE ves_meta; CREATE VIRTUAL TABLE ves_meta USING"
     " fts5(name, value)",
     "table ves_meta"},
    {"CREATE TABLE VES_Session (a)", "table VES_Session"},
    {"CREATE TRIGGER \"m\x1b[2J; please\" AFTER UPDATE ON ves_meta BEGIN"
     " SELECT 1; END",
     "trigger m??2J??please"},
};

static void strangers_among_our_tables_are_refused(void **state)
{
    struct ves_store_sqlite_options o = place_options();

    (void)state;
    alarm(60); /* a test that hangs has failed */
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        sqlite3 *db;

        place_close(place_open_own());
        db = place_connect(place.path);
        place_exec(db, strangers[i].make);
        place_expect_refused(&o, VES_CORRUPT, strangers[i].words);
        o.is_read_only = true;
        place_expect_refused(&o, VES_CORRUPT, strangers[i].words);
        o.is_read_only = false;
        o.connection = db;
        place_expect_refused(&o, VES_CORRUPT, strangers[i].words);
        o.connection = NULL;
        sqlite3_close(db);
        unlink(place.path);
    }
    alarm(0);
}

/* An older store is looked at before it is brought up to date. */
static void strangers_in_an_older_store_are_refused(void **state)
{
    struct ves_store_sqlite_options o = place_options();
    sqlite3 *db = place_connect(place.path);

    (void)state;
    make_version_1(db);
    place_exec(db, "CREATE TRIGGER mine AFTER UPDATE ON ves_outbox BEGIN"
                   " SELECT 1; END");
    place_expect_refused(&o, VES_CORRUPT, "trigger mine");
    ASK(db, "SELECT version FROM ves_schema", "1");
    place_exec(db, "DROP TRIGGER mine");
    place_close(place_open_own());
    ASK(db, "SELECT version FROM ves_schema", "8");
    sqlite3_close(db);
}

/* A guard that somebody took away does not keep the store from being read, an
 * auditor's for one. */
static void what_is_missing_is_not_strange(void **state)
{
    struct ves_store *store = place_open_own();
    sqlite3 *db;

    (void)state;
    place_put_meta(store, "1");
    place_close(store);
    db = place_connect(place.path);
    place_exec(db, "DROP TRIGGER ves_trail_no_update;"
                   "CREATE TABLE sale (id INTEGER PRIMARY KEY);"
                   "CREATE VIEW sold AS SELECT * FROM ves_outbox_view;"
                   "CREATE TRIGGER sell AFTER INSERT ON sale BEGIN"
                   " SELECT 1; END; ANALYZE");
    sqlite3_close(db);
    store = place_open_own();
    place_expect_meta(store, "1");
    place_close(store);
}

static void the_digests_are_those_of_the_migrations(void **state)
{
    (void)state;
    for (unsigned role = 0; role < 2; role++) {
        char text[2 * VES_HASH_SIZE + 1] = "";
        struct ves_hash digest;

        OK(ves_sqlite_schema_digest(ves_sqlite_migrations,
                                    ves_sqlite_migrations_count,
                                    (enum ves_store_role)role, &digest));
        ves_hex_encode(digest.b, VES_HASH_SIZE, text);
        assert_string_equal(ves_sqlite_digests[role], text);
    }
}

/* ---- for people -----------------------------------------------------------
 */

static void the_views_speak_to_people(void **state)
{
    struct suite *s = &place.s;
    struct ves_log_row log;
    struct ves_entity_row entity;
    struct ves_outbox_row outbox;
    struct ves_conflict_row conflict;
    struct ves_stream_row stream;
    struct ves_stream id = suite_stream(1);
    sqlite3 *db;

    (void)state;
    s->store = place_open_own();
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
    suite_fill_entity(&entity, &s->arena, 1, 1);
    entity.key = log.entity_key;
    entity.entity_id = ves_bytes_str("o-17");
    OK(CALL(s, entity_put, 1, &entity, 1));
    suite_fill_outbox(&outbox, &s->arena, 1);
    outbox.event_id = suite_uuid('E', 1);
    outbox.status = VES_OUTBOX_CONFLICT;
    outbox.pushed_ms = 0;
    OK(CALL(s, outbox_append, &outbox, 1));
    suite_fill_conflict(&conflict, &s->arena, 1);
    conflict.entity_key = entity.key;
    conflict.closed = conflict.winner = 0;
    OK(CALL(s, conflict_put, 1, &conflict, 1));
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
    ASK(db, "SELECT entity_id || ' ' || status FROM ves_conflict_view",
        "o-17 open");
    ASK(db, "SELECT open_conflicts || ' ' || follow_ups FROM ves_status_view",
        "1 0");
    suite_begin(s);
    OK(CALL(s, log_prune, 1, 2, NULL, 0, &(uint64_t){0}));
    suite_commit(s);
    ASK(db, "SELECT event_type IS NULL FROM ves_log_view", "1");
    ASK(db, "SELECT entity_type || ' ' || entity_id FROM ves_log_view",
        "order o-17");
    place_close(s->store);
}

static void a_sequencers_views_too(void **state)
{
    struct suite *s = &place.s;
    sqlite3 *db;

    (void)state;
    s->store = place_open_own();
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
    place_close(s->store);
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
    s->store = place_open_own();
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
    place_close(s->store);
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
           strcmp(detail, "SCAN c") == 0 ||       /* rows of a chain */
           strcmp(detail, "SCAN chain") == 0 || strstr(detail, "CONSTANT ROW");
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
    struct ves_hash hash = suite_hash('Q', 1);
    struct ves_conflict_row conflict;
    uint64_t late;
    uint32_t no;

    suite_dump(s->store, s->role, &s->got);
    for (unsigned i = 0; i < 4; i++) {
        struct ves_conflict_filter f = {.open_only = i % 2,
                                        .is_descending = i / 2};

        OK(CALL(s, conflict_list, 1, &f, suite_see_conflict, &s->got));
    }
    OK(CALL(s, conflict_get, 1, &hash, 1, &s->arena, &conflict));
    OK(CALL(s, waiting_list, 1, &hash, 0, suite_see_waiting, &s->got));
    OK(CALL(s, log_find_late, 1, &hash, 1, &late));
    OK(CALL(s, key_list, &tenant, &tenant, 1, suite_see_key, &s->got));
    for (unsigned i = 0; s->role == SUITE_DEVICE && i < 8; i++) {
        struct ves_outbox_filter f = {.status_mask = i % 2 ? 1 : 0,
                                      .has_entity = i / 2 % 2,
                                      .is_descending = i / 4};

        OK(CALL(s, outbox_list, &f, suite_see_outbox, &s->got));
    }
    if (s->role == SUITE_DEVICE) {
        struct ves_promise_row promise;
        size_t promised;

        OK(CALL(s, outbox_overlay, 1, 1, suite_see_outbox, &s->got));
        OK(CALL(s, outbox_promised, 1, 9, 1, &promise, &promised));
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
    s->store = place_open_own();
    suite_append_log(s, 1, 3);
    suite_begin(s);
    OK(CALL(s, log_prune, 1, 2, NULL, 0, &count));
    OK(CALL(s, entity_reset, 1));
    OK(CALL(s, verdict_reset, 1));
    if (s->role == SUITE_DEVICE) {
        suite_fill_outbox(&outbox, &s->arena, 1);
        OK(CALL(s, outbox_append, &outbox, 1));
        OK(CALL(s, outbox_update, &outbox, 1));
        OK(CALL(s, outbox_get, &id, 1, &s->arena, &outbox));
    }
    suite_commit(s);
    use_all_lists(s);
    assert_true(check_all_plans(ves_store_sqlite_connection(s->store)) > 20);
    place_close(s->store);
}

/* ---- backup ---------------------------------------------------------------
 */

static void a_backup_is_whole_private_and_new(void **state)
{
    struct suite *s = &place.s;
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *first = place_open_own(), *other, *copy;
    struct ves_error error;
    struct stat st;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s", place_path("copy.db"));
    s->store = first;
    suite_append_log(s, 1, 500);
    suite_dump(s->store, s->role, &s->want);
    /* Somebody else is writing meanwhile. */
    other = place_open_own();
    OK(other->ops->begin(other));
    OK(other->ops->meta_put(other, "cursor", ves_bytes_str("later")));
    OK(ves_store_sqlite_backup(first, path, &error));
    OK(other->ops->commit(other));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    o.path = path;
    o.create = false;
    copy = place_open(&o);
    assert_non_null(copy);
    suite_dump(copy, s->role, &s->got);
    suite_compare(s);
    ASK(ves_store_sqlite_connection(copy), "PRAGMA integrity_check", "ok");
    place_put_meta(copy, "a life of its own");
    place_close(copy);
    place_close(first);
    s->store = other;
    assert_int_equal(ves_store_sqlite_backup(s->store, path, &error),
                     VES_CONFLICT);
    assert_non_null(strstr(error.text, "exists already"));
    copy = place_open(&o);
    place_expect_meta(copy, "a life of its own");
    place_close(copy);
    unlink(path);
    suite_begin(s);
    assert_int_equal(ves_store_sqlite_backup(s->store, path, &error),
                     VES_INVALID);
    suite_rollback(s);
    assert_int_not_equal(access(path, F_OK), 0);
    place_close(other);
}

/* One to be read and thrown away: whole, private and new all the same. */
static void a_copy_is_whole_and_new(void **state)
{
    struct suite *s = &place.s;
    struct ves_store_sqlite_options o = place_options();
    struct ves_store *store = place_open_own(), *copy;
    struct ves_error error;
    struct stat st;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s", place_path("thrown-away.db"));
    s->store = store;
    suite_append_log(s, 1, 50);
    suite_dump(store, s->role, &s->want);
    OK(ves_store_sqlite_copy(store, path, &error));
    assert_int_equal(ves_store_sqlite_copy(store, path, &error), VES_CONFLICT);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    o.path = path;
    o.create = false;
    copy = place_open(&o);
    assert_non_null(copy);
    suite_dump(copy, s->role, &s->got);
    suite_compare(s);
    place_close(copy);
    unlink(path);
    suite_begin(s);
    assert_int_equal(ves_store_sqlite_copy(store, path, &error), VES_INVALID);
    suite_rollback(s);
    place_close(store);
}

static void a_backup_to_nowhere_is_said(void **state)
{
    struct ves_store *store = place_open_own();
    struct ves_error error;

    (void)state;
    assert_int_equal(
        ves_store_sqlite_backup(store, place_path("nowhere/copy.db"), &error),
        VES_IO);
    assert_non_null(strstr(error.text, "cannot be made"));
    place_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DEVICE(what_is_not_there_is_not_made),
        ON_DEVICE(a_folder_that_is_not_there_is_said),
        ON_DEVICE(read_only_reads),
        ON_DEVICE(a_reader_without_rights_is_told_what_to_do),
        ON_DEVICE(a_file_that_is_no_database_is_refused),
        ON_DEVICE(a_newer_store_is_refused),
        ON_SEQUENCER(a_store_of_the_other_role_is_refused),
        ON_SEQUENCER(a_sequencer_wants_a_file_of_its_own),
        ON_DEVICE(a_damaged_row_is_said),
        ON_SEQUENCER(migrations_are_applied_in_order_or_not_at_all),
        ON_DEVICE(version_1_is_linked),
        ON_DEVICE(what_is_not_ours_is_not_turned_into_wal),
        ON_DEVICE(strangers_among_our_tables_are_refused),
        ON_DEVICE(strangers_in_an_older_store_are_refused),
        ON_DEVICE(what_is_missing_is_not_strange),
        ON_DEVICE(version_8_lists_the_entities_of_buckets),
        ON_DEVICE(the_digests_are_those_of_the_migrations),
        ON_DEVICE(the_views_speak_to_people),
        ON_SEQUENCER(a_sequencers_views_too),
        ON_DEVICE(history_cannot_be_edited_by_hand),
        ON_DEVICE(no_call_reads_a_whole_table),
        ON_SEQUENCER(no_call_reads_a_whole_table),
        ON_DEVICE(a_backup_is_whole_private_and_new),
        ON_SEQUENCER(a_backup_to_nowhere_is_said),
        ON_SEQUENCER(a_copy_is_whole_and_new),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_sqlite schema", tests, NULL,
                                       NULL);
}
