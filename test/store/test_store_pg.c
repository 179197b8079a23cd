/* test_store_pg.c -- the contract on PostgreSQL, and its own ways.
 *
 * Runs against a server of its own (test/lib/postgres).
 */
#if !__has_include(<libpq-fe.h>)
#include <stdio.h>

int main(void)
{
    puts("ok 1 - the contract on PostgreSQL # SKIP libpq's header is not there "
         "(apt-get install libpq-dev)\n1..1");
    return 0;
}
#else

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "pg/store_pg.h"
#include "test/lib/test_pg.h"
#include "test/store/suite.h"

/* ---- what the tests do behind the store's back ----------------------------
 */

static PGconn *behind;

static void exec(const char *text)
{
    PGresult *result = PQexec(behind, text);

    if (PQresultStatus(result) != PGRES_COMMAND_OK &&
        PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQresultErrorMessage(result));
    PQclear(result);
}

static void connect_behind(void)
{
    behind = PQconnectdb(test_pg_url);
    assert_int_equal(PQstatus(behind), CONNECTION_OK);
    exec("SET client_min_messages = error");
}

static void end_backend(struct ves_store *store)
{
    char text[128];
    int64_t pid;

    OK(ves_store_pg_backend(store, &pid));
    snprintf(text, sizeof text, "SELECT pg_terminate_backend(%lld, 10000)",
             (long long)pid);
    exec(text);
}

static struct ves_store *open_with(const struct ves_store_pg_options *options)
{
    struct ves_store *store = NULL;
    struct ves_error error = {0};
    enum ves_status status =
        ves_store_pg_open(options, ves_alloc_default(), &store, &error);

    if (status)
        fail_msg("%s", error.text);
    return store;
}

static struct ves_store *open_store(void)
{
    return open_with(&(struct ves_store_pg_options){
        .url = test_pg_url, .create = true, .busy_timeout_ms = 200});
}

/* Until the answer is a row that says true; a minute at most. */
static void await(const char *text)
{
    for (int i = 0; i < 6000; i++) {
        PGresult *result = PQexec(behind, text);
        bool is_true = PQresultStatus(result) == PGRES_TUPLES_OK &&
                       PQntuples(result) == 1 &&
                       *PQgetvalue(result, 0, 0) == 't';

        PQclear(result);
        if (is_true)
            return;
        (void)usleep(10000);
    }
    fail_msg("%s: never", text);
}

/* Tables are emptied, for making them costs more. */
static void empty(void)
{
    exec("SET session_replication_role = replica");
    exec("DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class"
         " WHERE relkind IN ('r', 'p') AND NOT relispartition AND"
         " relname LIKE 'ves\\_%' AND relname <> 'ves_schema' LOOP"
         " EXECUTE 'DELETE FROM ' || t; END LOOP; END $$");
    exec("SET session_replication_role = DEFAULT");
}

/* ---- the suite ------------------------------------------------------------
 */

static struct ves_store *current;

static struct ves_store *suite_open(enum suite_role role, void **handle)
{
    assert_int_equal(role, SUITE_SEQUENCER);
    *handle = &current;
    return current = open_store();
}

static struct ves_store *suite_reopen(void *handle)
{
    (void)handle;
    ves_store_pg_close(current);
    return current = open_store();
}

static void suite_close(void *handle)
{
    (void)handle;
    ves_store_pg_close(current);
    empty();
}

static const struct suite_backend backend = {.name = "store_pg",
                                             .is_sequencer_only = true,
                                             .open = suite_open,
                                             .reopen = suite_reopen,
                                             .close = suite_close};

/* ---- by itself ------------------------------------------------------------
 */

#define ALONE(f) \
    cmocka_unit_test_setup_teardown(f, suite_setup_sequencer, suite_teardown)

static void put_meta(struct ves_store *store, const char *value)
{
    OK(store->ops->begin(store));
    OK(store->ops->meta_put(store, "cursor", ves_bytes_str(value)));
    OK(store->ops->commit(store));
}

static void expect_meta(struct suite *s, struct ves_store *store,
                        const char *want)
{
    struct ves_bytes got;

    OK(store->ops->meta_get(store, "cursor", &s->arena, &got));
    assert_true(ves_bytes_is(got, want));
}

static void what_is_read_is_of_one_moment(void **state)
{
    struct suite *s = *state;
    struct ves_store *reader = open_store();

    put_meta(s->store, "before");
    OK(reader->ops->begin_read(reader));
    expect_meta(s, reader, "before");
    put_meta(s->store, "after");
    expect_meta(s, reader, "before");
    reader->ops->end_read(reader);
    reader->ops->end_read(reader);
    expect_meta(s, reader, "after");
    put_meta(reader, "own");
    expect_meta(s, s->store, "own");
    ves_store_pg_close(reader);
}

static void a_second_writer_is_told_busy(void **state)
{
    struct suite *s = *state;
    struct ves_store *one = s->store, *two = open_store();

    put_meta(one, "1");
    OK(one->ops->begin(one));
    OK(one->ops->meta_put(one, "cursor", ves_bytes_str("2")));
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    assert_non_null(strstr(two->error.text, "Another process"));
    expect_meta(s, two, "1");
    OK(one->ops->commit(one));
    expect_meta(s, two, "2");
    put_meta(two, "3");
    expect_meta(s, one, "3");
    ves_store_pg_close(two);
}

static void who_only_reads_cannot_write(void **state)
{
    struct suite *s = *state;
    struct ves_store *reader = open_with(&(struct ves_store_pg_options){
        .url = test_pg_url, .is_read_only = true});

    put_meta(s->store, "1");
    expect_meta(s, reader, "1");
    assert_int_equal(reader->ops->begin(reader), VES_INVALID);
    ves_store_pg_close(reader);
}

static void a_device_has_no_place_here(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_filter all = {0};
    struct ves_record record = {.no = 0};

    assert_int_equal(CALL(s, outbox_list, &all, suite_see_outbox, &s->got),
                     VES_UNSUPPORTED);
    suite_begin(s);
    assert_int_equal(
        CALL(s, record_append, VES_RECORD_QUARANTINE, 1, &record, 1),
        VES_UNSUPPORTED);
    suite_commit(s);
}

/* Nothing of the transaction is there, and the store goes on. */
static void a_connection_that_dies_takes_its_transaction(void **state)
{
    struct suite *s = *state;
    struct ves_bytes got;

    put_meta(s->store, "kept");
    suite_append_log(s, 1, 3);
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("lost")));
    OK(CALL(s, meta_get, "cursor", &s->arena, &got));
    end_backend(s->store);
    assert_int_equal(CALL(s, meta_get, "cursor", &s->arena, &got), VES_IO);
    assert_non_null(strstr(s->store->error.text, "connection"));
    assert_int_equal(s->store->ops->commit(s->store), VES_IO);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    put_meta(s->store, "again");
}

static void a_connection_that_died_meanwhile_is_made_anew(void **state)
{
    struct suite *s = *state;

    put_meta(s->store, "1");
    end_backend(s->store);
    put_meta(s->store, "2");
    end_backend(s->store);
    expect_meta(s, s->store, "2");
    end_backend(s->store);
    OK(s->store->ops->begin_read(s->store));
    expect_meta(s, s->store, "2");
    s->store->ops->end_read(s->store);
}

/* A trigger that runs at COMMIT ends the very connection: after what was
 * deferred nothing is left to fail, so on the server the transaction either is
 * done or is not, and the store says which. */
static void a_lost_commit_that_failed_is_told(void **state)
{
    struct suite *s = *state;

    put_meta(s->store, "kept");
    exec("CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
         " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid());"
         " PERFORM pg_sleep(10); RETURN NULL; END'");
    exec("CREATE CONSTRAINT TRIGGER die AFTER INSERT OR UPDATE ON ves_meta"
         " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()");
    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("lost")));
    assert_int_equal(s->store->ops->commit(s->store), VES_IO);
    exec("DROP FUNCTION die CASCADE");
    expect_meta(s, s->store, "kept");
    put_meta(s->store, "again");
}

/* Between libpq and the server there is one who passes everything on but the
 * answer to COMMIT (test/lib/proxy_pg.py). */
static void a_lost_commit_that_happened_is_told(void **state)
{
    struct suite *s = *state;
    char command[1024], through[600];
    struct ves_store *store;
    FILE *from;

    snprintf(command, sizeof command,
             "/usr/bin/python3 -E test/lib/proxy_pg.py %s %ld &",
             test_pg_folder, (long)getpid());
    from = popen(command, "r");
    assert_non_null(from);
    assert_true(test_pg_line(from, through, sizeof through));
    store = open_with(&(struct ves_store_pg_options){
        .url = through, .create = true, .busy_timeout_ms = 2000});
    OK(store->ops->begin(store));
    OK(store->ops->meta_put(store, "cursor", ves_bytes_str("lose my answer")));
    if (store->ops->commit(store))
        fail_msg("%s", store->error.text);
    expect_meta(s, s->store, "lose my answer");
    expect_meta(s, store, "lose my answer");
    put_meta(store, "again");
    expect_meta(s, s->store, "again");
    ves_store_pg_close(store);
    pclose(from);
}

/* Whatever the operator has set for the user: what comes after the wait for
 * the lock sees what was committed before it, and nothing is cut short. */
static void settings_of_the_user_do_no_harm(void **state)
{
    struct suite *s = *state;
    pid_t child;
    int code = -1;

    exec("ALTER ROLE ves SET default_transaction_isolation = 'serializable'");
    exec("ALTER ROLE ves SET statement_timeout = 5000");
    put_meta(s->store, "1");
    OK(s->store->ops->begin(s->store));
    OK(s->store->ops->meta_put(s->store, "cursor", ves_bytes_str("2")));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct ves_store *two = NULL;
        struct ves_error error;
        struct ves_bytes got;
        struct ves_arena arena;
        enum ves_status status;

        ves_arena_init(&arena, ves_alloc_default(), 4096);
        status = ves_store_pg_open(
            &(struct ves_store_pg_options){.url = test_pg_url,
                                           .busy_timeout_ms = 60000},
            ves_alloc_default(), &two, &error);
        if (!status)
            status = two->ops->begin(two);
        if (!status)
            status = two->ops->meta_get(two, "cursor", &arena, &got);
        _exit(status ? (int)status : !ves_bytes_is(got, "2"));
    }
    await("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'"
          " AND NOT granted");
    OK(s->store->ops->commit(s->store));
    assert_int_equal(waitpid(child, &code, 0), child);
    exec("ALTER ROLE ves RESET ALL");
    assert_int_equal(code, 0);
}

/* Ends every wait for a standby as an operator's pg_cancel_backend does, or a
 * statement_timeout: PostgreSQL then says COMMIT, and warns. */
static pid_t cancel_waits(void)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child)
        return child;
    PGconn *conn = PQconnectdb(test_pg_url);
    for (;;) {
        PQclear(PQexec(conn, "SELECT pg_cancel_backend(pid) FROM"
                             " pg_stat_activity WHERE wait_event = 'SyncRep'"));
        (void)usleep(5000);
    }
}

static void end_child(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void await_setting(const char *name, const char *want);

/* What no standby has may be gone with this server, so it is not told. */
static void a_commit_without_its_standby_is_not_told(void **state)
{
    struct suite *s = *state;
    struct ves_store *store = open_with(&(struct ves_store_pg_options){
        .url = test_pg_url, .busy_timeout_ms = 2000, .outcome_ms = 100});
    struct ves_bytes got;

    put_meta(store, "before");
    exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    exec("SELECT pg_reload_conf()");
    await_setting("synchronous_standby_names", "nobody");
    pid_t child = cancel_waits();
    OK(store->ops->begin(store));
    OK(store->ops->meta_put(store, "cursor", ves_bytes_str("here only")));
    assert_int_equal(store->ops->commit(store), VES_IO);
    assert_non_null(strstr(store->error.text, "did not say"));
    assert_int_equal(store->ops->begin(store), VES_IO);
    /* Nor what somebody else found there. */
    struct ves_store *other = open_with(&(struct ves_store_pg_options){
        .url = test_pg_url, .busy_timeout_ms = 2000, .outcome_ms = 100});
    OK(other->ops->begin(other));
    OK(other->ops->meta_get(other, "cursor", &s->arena, &got));
    assert_int_equal(other->ops->commit(other), VES_IO);
    end_child(child);
    exec("ALTER SYSTEM RESET synchronous_standby_names");
    exec("SELECT pg_reload_conf()");
    await_setting("synchronous_standby_names", "");
    OK(store->ops->begin(store));
    OK(store->ops->meta_get(store, "cursor", &s->arena, &got));
    assert_true(ves_bytes_is(got, "here only"));
    OK(store->ops->commit(store));
    ves_store_pg_close(store);
    ves_store_pg_close(other);
}

/* A server that is there and says nothing, as one whose disk hangs. */
static void silence_is_a_lost_connection(void **state)
{
    struct suite *s = *state;
    struct ves_store *store = open_with(&(struct ves_store_pg_options){
        .url = test_pg_url, .busy_timeout_ms = 100, .outcome_ms = 100});
    int64_t pid;

    OK(ves_store_pg_backend(store, &pid));
    OK(store->ops->begin(store));
    OK(store->ops->meta_put(store, "cursor", ves_bytes_str("late")));
    assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
    ves_store_pg_patience(store, 300);
    enum ves_status status = store->ops->commit(store);
    ves_store_pg_patience(store, 60000);
    char text[128];
    assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
    assert_int_equal(status, VES_IO);
    assert_non_null(strstr(store->error.text, "did not say"));
    snprintf(text, sizeof text,
             "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %lld",
             (long long)pid);
    await(text);
    /* What it had been sent it has done. */
    OK(store->ops->begin(store));
    OK(store->ops->commit(store));
    expect_meta(s, store, "late");
    ves_store_pg_close(store);
}

static void a_newer_schema_stops_who_is_older(void **state)
{
    struct suite *s = *state;

    put_meta(s->store, "1");
    exec("UPDATE ves_schema SET version = version + 1");
    assert_int_equal(s->store->ops->begin(s->store), VES_UNSUPPORTED);
    assert_non_null(strstr(s->store->error.text, "another program"));
    exec("UPDATE ves_schema SET version = version - 1");
    put_meta(s->store, "2");
}

static void what_is_expected_is_looked_at_in_the_transaction(void **state)
{
    struct suite *s = *state;
    struct ves_store *other = open_store();

    put_meta(s->store, "mine");
    OK(ves_store_pg_expect(s->store, "cursor", ves_bytes_str("mine")));
    put_meta(s->store, "mine");
    put_meta(other, "theirs");
    assert_int_equal(s->store->ops->begin(s->store), VES_REFUSED);
    assert_non_null(strstr(s->store->error.text, "Start this one"));
    expect_meta(s, s->store, "theirs");
    put_meta(other, "mine");
    put_meta(s->store, "mine");
    ves_store_pg_close(other);
}

/* More rows than one answer takes, of one moment. */
static void long_reads_see_one_moment(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 100);

    for (uint64_t i = 1; i <= 100; i++) {
        struct ves_log_row row;

        suite_log_row(s, &row, i);
        suite_print_log(&s->want, &row);
    }
    OK(CALL(s, log_read, no, 0, 0, suite_see_log, &s->got));
    suite_compare(s);
}

/* What a commit of the sequencer asks of a store, in its order. */
static uint64_t round_trips_of_a_commit(struct suite *s, uint64_t count)
{
    enum { MAX = 400 };
    struct ves_stream stream = suite_stream(1);
    struct ves_stream_row row;
    struct ves_tlog_row tlog;
    struct ves_log_row rows[MAX];
    struct ves_entity_row entities[MAX];
    struct ves_entity_name entity_names[MAX];
    struct ves_hash id = suite_hash('S', 1);
    struct ves_tile_hash tiles[MAX];
    struct ves_uuid ids[MAX];
    struct ves_id_row found[MAX];
    struct ves_record record;
    const struct ves_key_name names[] = {{suite_uuid('A', 1), 1},
                                         {suite_uuid('A', 2), 1}};
    struct ves_key_found keys_found[2];
    struct ves_bytes policy;
    uint64_t before = ves_store_pg_round_trips(s->store);

    suite_fill_record(&record, &s->arena, 5);
    enum ves_status begun = CALL(s, begin_streams, &stream, 1);
    if (begun == VES_NOT_FOUND)
        suite_begin(s);
    else
        OK(begun);
    OK(CALL(s, stream_get, &stream, begun != VES_OK, &row));
    (void)CALL(s, tlog_get, row.stream_no, &s->arena, &tlog);
    for (uint64_t i = 0; i < count; i++) {
        suite_log_row(s, &rows[i], row.head + 1 + i);
        ids[i] = rows[i].event_id;
        entity_names[i] = suite_entity_name(i);
        tiles[i] = (struct ves_tile_hash){0, row.head + i, id};
    }
    OK(CALL(s, log_find_ids, row.stream_no, ids, count, found));
    OK(CALL(s, log_find_commands, row.stream_no, ids, count, found));
    OK(CALL(s, entity_get, row.stream_no, entity_names, count, &s->arena,
            entities));
    (void)CALL(s, meta_get, "policy", &s->arena, &policy);
    OK(CALL(s, key_find, row.stream_no, &stream.tenant, names, 2, &s->arena,
            keys_found));
    OK(CALL(s, log_append, row.stream_no, rows, count));
    for (uint64_t i = 0; i < count; i++)
        entities[i].entity_type = entities[i].entity_id = ves_bytes_str("x");
    OK(CALL(s, entity_put, row.stream_no, entities, count));
    OK(CALL(s, stream_put, &row));
    OK(CALL(s, tlog_append, row.stream_no, &id, ves_bytes_str("edge"), tiles,
            count));
    OK(CALL(s, record_append, VES_RECORD_REFUSAL, row.stream_no, &record, 1));
    suite_commit(s);
    return ves_store_pg_round_trips(s->store) - before;
}

static void a_commit_is_few_round_trips_however_large(void **state)
{
    struct suite *s = *state;
    uint64_t first = round_trips_of_a_commit(s, 1);
    uint64_t small = round_trips_of_a_commit(s, 1);
    uint64_t large = round_trips_of_a_commit(s, 400);

    /* begin, five questions, commit */
    assert_int_equal(small, 7);
    assert_int_equal(large, small);
    /* It is not there: rolled back, begun anew, asked for, made; its log; and
     * whoever has the whole database waits for what was appended. */
    assert_int_equal(first, small + 6);
}

static size_t log_size(struct suite *s, uint32_t no)
{
    struct ves_leaf_row leaves[16];
    size_t found;

    OK(CALL(s, log_leaves, no, 1, 16, leaves, &found));
    return found;
}

/* A commit that has looked for its ids does not look again; whoever has not,
 * or for others, is told at once and may go on. */
static void what_was_looked_for_is_not_looked_for_again(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 3);
    struct ves_stream stream = suite_stream(1);
    struct ves_log_row rows[2];
    struct ves_id_row found[2];
    struct ves_uuid ids[2];

    suite_log_row(s, &rows[0], 4);
    suite_log_row(s, &rows[1], 5);
    ids[0] = rows[1].event_id;
    ids[1] = suite_uuid('N', 1);
    OK(CALL(s, begin_streams, &stream, 1));
    OK(CALL(s, log_find_ids, no, ids, 2, found));
    rows[1].event_id = rows[0].event_id; /* twice, and not asked for */
    assert_int_equal(CALL(s, log_append, no, rows, 2), VES_CONFLICT);
    suite_commit(s);
    assert_int_equal(log_size(s, no), 3);

    /* Asked for twice, so the index has to say it: nothing is stored. */
    ids[0] = ids[1] = rows[0].event_id;
    OK(CALL(s, begin_streams, &stream, 1));
    OK(CALL(s, log_find_ids, no, ids, 2, found));
    uint64_t before = ves_store_pg_round_trips(s->store);
    OK(CALL(s, log_append, no, rows, 2));
    assert_int_equal(ves_store_pg_round_trips(s->store), before);
    assert_int_equal(s->store->ops->commit(s->store), VES_CONFLICT);
    assert_int_equal(log_size(s, no), 3);

    suite_log_row(s, &rows[1], 5);
    ids[1] = rows[1].event_id;
    OK(CALL(s, begin_streams, &stream, 1));
    OK(CALL(s, log_find_ids, no, ids, 2, found));
    OK(CALL(s, log_append, no, rows, 2));
    suite_commit(s);
    assert_int_equal(log_size(s, no), 5);
    /* They are there now. */
    OK(CALL(s, begin_streams, &stream, 1));
    suite_log_row(s, &rows[1], 6);
    rows[1].event_id = ids[0];
    OK(CALL(s, log_find_ids, no, ids, 2, found));
    assert_int_equal(CALL(s, log_append, no, &rows[1], 1), VES_CONFLICT);
    suite_commit(s);
}

static void append_one(struct suite *s, struct ves_store *store,
                       const struct ves_stream *stream)
{
    struct ves_stream_row row;
    struct ves_log_row event;

    OK(store->ops->stream_get(store, stream, false, &row));
    suite_log_row(s, &event, row.head + 1);
    OK(store->ops->log_append(store, row.stream_no, &event, 1));
}

static uint64_t head_of(struct ves_store *store,
                        const struct ves_stream *stream)
{
    struct ves_stream_row row;

    OK(store->ops->stream_get(store, stream, false, &row));
    return row.head;
}

static void two_streams_commit_at_once(void **state)
{
    struct suite *s = *state;
    struct ves_store *one = s->store, *two = open_store();
    const struct ves_stream streams[] = {suite_stream(1), suite_stream(2),
                                         suite_stream(3)};

    assert_int_equal(one->ops->begin_streams(one, streams, 1), VES_NOT_FOUND);
    (void)suite_append_log(s, 1, 1);
    (void)suite_append_log(s, 2, 1);
    assert_int_equal(one->ops->begin_streams(one, streams, 3), VES_NOT_FOUND);

    OK(one->ops->begin_streams(one, &streams[0], 1));
    append_one(s, one, &streams[0]);
    OK(two->ops->begin_streams(two, &streams[1], 1));
    append_one(s, two, &streams[1]);
    OK(two->ops->commit(two));
    assert_int_equal(head_of(two, &streams[1]), 2);
    assert_int_equal(head_of(two, &streams[0]), 1);

    /* The same stream is for one, and the whole database for nobody. */
    assert_int_equal(two->ops->begin_streams(two, streams, 2), VES_BUSY);
    assert_int_equal(two->ops->begin(two), VES_BUSY);
    OK(one->ops->commit(one));
    OK(two->ops->begin(two));
    assert_int_equal(one->ops->begin_streams(one, &streams[1], 1), VES_BUSY);
    OK(two->ops->commit(two));
    OK(one->ops->begin_streams(one, streams, 2));
    append_one(s, one, &streams[0]);
    append_one(s, one, &streams[1]);
    OK(one->ops->commit(one));
    assert_int_equal(head_of(two, &streams[0]), 3);
    assert_int_equal(head_of(two, &streams[1]), 3);
    ves_store_pg_close(two);
}

/* A child ends with what fails in it; it would go on with the parent's tests.
 */
static pid_t fork_child(void)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        assert_int_equal(setenv("CMOCKA_TEST_ABORT", "1", 1), 0);
    return child;
}

/* What count(*) says of a query. */
static unsigned long count_of(const char *text)
{
    PGresult *result = PQexec(behind, text);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQresultErrorMessage(result));
    unsigned long count = strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return count;
}

#define LOCK_ROW                                      \
    "SELECT 1 FROM ves_streams WHERE stream_no = %u " \
    "FOR NO KEY UPDATE NOWAIT"

/* Who names two the other way round has to wait for the first as well, and
 * holds nothing meanwhile. */
static void streams_are_locked_in_one_order(void **state)
{
    enum { NAP_US = 2000, LIMIT = 15000 };
    struct suite *s = *state;
    PGconn *holder = PQconnectdb(test_pg_url);
    uint32_t first = suite_append_log(s, 1, 1);
    uint32_t second = suite_append_log(s, 2, 1);
    int naps = 0, code = -1;
    char text[128];

    PQclear(PQexec(holder, "BEGIN"));
    snprintf(text, sizeof text, LOCK_ROW, first);
    PGresult *held = PQexec(holder, text);
    assert_int_equal(PQntuples(held), 1);
    PQclear(held);
    pid_t child = fork_child();
    if (child == 0) {
        const struct ves_stream streams[] = {suite_stream(2), suite_stream(1)};
        struct ves_store *store = open_with(&(struct ves_store_pg_options){
            .url = test_pg_url, .busy_timeout_ms = 60000});
        _exit(store->ops->begin_streams(store, streams, 2) ||
              store->ops->commit(store));
    }
    while (count_of("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0 &&
           ++naps < LIMIT)
        (void)usleep(NAP_US);
    snprintf(text, sizeof text, LOCK_ROW, second);
    PGresult *free = PQexec(behind, text);
    bool is_free = PQresultStatus(free) == PGRES_TUPLES_OK;
    /* Or a test that fails would keep all that come after it waiting. */
    PQclear(free);
    PQfinish(holder);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_true(naps < LIMIT && is_free);
}

enum { RIVALS = 3, APPENDS = 30 };

static _Noreturn void append_often(int child)
{
    struct suite s = {.store = NULL};
    struct ves_stream streams[] = {suite_stream(1), suite_stream(2)};

    ves_arena_init(&s.arena, ves_alloc_default(), 1024 * 1024);
    struct ves_store *store = open_with(&(struct ves_store_pg_options){
        .url = test_pg_url, .busy_timeout_ms = 60000});
    /* Named in either order. */
    if (child % 2) {
        struct ves_stream first = streams[0];
        streams[0] = streams[1];
        streams[1] = first;
    }
    for (int i = 0; i < APPENDS; i++) {
        OK(store->ops->begin_streams(store, streams, 2));
        append_one(&s, store, &streams[0]);
        append_one(&s, store, &streams[1]);
        OK(store->ops->commit(store));
    }
    _exit(0);
}

/* Whoever waits for a stream goes on from what the other has left, and who
 * wants two does not wait for one who wants the same two. */
static void rivals_lose_nothing(void **state)
{
    struct suite *s = *state;
    const struct ves_stream streams[] = {suite_stream(1), suite_stream(2)};
    pid_t children[RIVALS];

    (void)suite_append_log(s, 1, 1);
    (void)suite_append_log(s, 2, 1);
    for (int i = 0; i < RIVALS; i++) {
        children[i] = fork_child();
        if (children[i] == 0)
            append_often(i);
    }
    for (int i = 0; i < RIVALS; i++) {
        int code = -1;

        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_int_equal(code, 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(head_of(s->store, &streams[i]), 1 + RIVALS * APPENDS);
}

static void many_processes_may_open_an_empty_database(void **state)
{
    enum { CHILDREN = 4 };
    pid_t children[CHILDREN];

    (void)state;
    exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork_child();
        if (children[i] == 0) {
            struct ves_store_pg_options o = {
                .url = test_pg_url, .create = true, .busy_timeout_ms = 60000};
            struct ves_store *store = NULL;
            struct ves_error error;

            _exit(ves_store_pg_open(&o, ves_alloc_default(), &store, &error)
                      ? 1
                      : 0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int code = -1;

        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_int_equal(code, 0);
    }
    exec("SELECT 1 / (version = 2)::int FROM ves_schema");
}

/* Until new connections see it. */
static void await_setting(const char *name, const char *want)
{
    for (bool is_there = false; !is_there;) {
        PGconn *fresh = PQconnectdb(test_pg_url);
        PGresult *result;
        char text[64];

        assert_int_equal(PQstatus(fresh), CONNECTION_OK);
        snprintf(text, sizeof text, "SHOW %s", name);
        result = PQexec(fresh, text);
        is_there = strcmp(PQgetvalue(result, 0, 0), want) == 0;
        PQclear(result);
        PQfinish(fresh);
    }
}

static void expect_refused(const struct ves_store_pg_options *options,
                           enum ves_status want, const char *words)
{
    struct ves_store *store = NULL;
    struct ves_error error = {0};

    assert_int_equal(
        ves_store_pg_open(options, ves_alloc_default(), &store, &error), want);
    if (!strstr(error.text, words))
        fail_msg("%s", error.text);
    assert_null(strstr(error.text, "s3cret"));
}

static void what_cannot_be_opened_is_said(void **state)
{
    struct ves_store_pg_options o = {.url = "postgres://u:s3cret@h/d"};

    (void)state;
    expect_refused(&o, VES_INVALID, "PGPASSFILE");
    o.url = "postgres://u:s3c/s3cret@h/d";
    expect_refused(&o, VES_INVALID, "PGPASSFILE");
    o.url = "postgres://h/d?password=s3cret";
    expect_refused(&o, VES_INVALID, "PGPASSFILE");
    o.url = "postgres://h/d?p%61ssword=s3cret";
    expect_refused(&o, VES_INVALID, "PGPASSFILE");
    o.url = "host=h password=s3cret";
    expect_refused(&o, VES_INVALID, "named by a URL");
    o.url = "postgres://h/d?nonsense=1";
    expect_refused(&o, VES_INVALID, "nonsense");
    o.url = "postgres://u@/d?host=/nowhere";
    expect_refused(&o, VES_IO, "cannot be reached");
    exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    o.url = test_pg_url;
    expect_refused(&o, VES_NOT_FOUND, "admin init");
    o.create = true;
    ves_store_pg_close(open_with(&o));
    exec("UPDATE ves_schema SET version = 99");
    expect_refused(&o, VES_UNSUPPORTED, "newer program");
    exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    exec("ALTER SYSTEM SET fsync = off");
    exec("SELECT pg_reload_conf()");
    await_setting("fsync", "off");
    expect_refused(&o, VES_UNSUPPORTED, "fsync");
    exec("ALTER SYSTEM RESET fsync");
    exec("SELECT pg_reload_conf()");
}

/* A database as version 1 left it is brought on when it is opened for writing;
 * a reader is told to wait for that. */
static void version_1_goes_on(void **state)
{
    struct ves_store_pg_options o = {.url = test_pg_url};

    (void)state;
    exec("DROP TABLE ves_agent_policies");
    exec("UPDATE ves_schema SET version = 1");
    o.is_read_only = true;
    expect_refused(&o, VES_UNSUPPORTED, "older schema");
    o.is_read_only = false;
    ves_store_pg_close(open_with(&o));
    exec("SELECT 1 / (version = 2)::int FROM ves_schema");
    exec("SELECT count(*) FROM ves_agent_policies");
}

/* ---- plans ----------------------------------------------------------------
 */

struct plans {
    unsigned statements, bad;
    char last[16];
};

static void see_plan(void *ctx, const char *statement, struct ves_bytes line)
{
    struct plans *plans = ctx;
    char text[256];

    snprintf(text, sizeof text, "%.*s", (int)line.len, (const char *)line.ptr);
    plans->statements += strcmp(plans->last, statement) != 0;
    snprintf(plans->last, sizeof plans->last, "%s", statement);
    /* Lists of all there is are asked for as such.  A filter over a join
     * compares each row of the one side with each of the other: a thousand
     * events against a million. */
    if ((strstr(text, "Seq Scan") && !strstr(text, "ves_streams s")) ||
        strstr(text, "Join Filter") ||
        (strstr(text, "Filter:") &&
         (strstr(text, "= i.id") || strstr(text, "= w.")))) {
        printf("# %s: %s\n", statement, text);
        plans->bad++;
    }
}

static void no_statement_scans_a_table(void **state)
{
    struct suite *s = *state;
    struct plans plans = {0};

    struct ves_log_row row;
    struct ves_conflict_row conflict;
    struct ves_conflict_member member;
    struct ves_hash id = suite_hash('Q', 1);

    (void)round_trips_of_a_commit(s, 3);
    suite_log_row(s, &row, 1);
    suite_fill_conflict(&conflict, &s->arena, 3);
    suite_fill_member(&member, 3);
    suite_begin(s);
    OK(CALL(s, log_judge, 1, &row, 1));
    OK(CALL(s, conflict_put, 1, &conflict, 1));
    OK(CALL(s, conflict_get, 1, &id, 1, &s->arena, &conflict));
    OK(CALL(s, member_add, 1, &member, 1));
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    OK(ves_store_pg_explain(s->store, see_plan, &plans));
    /* Nor once the server knows how small the tables are. */
    exec("ANALYZE");
    OK(ves_store_pg_explain(s->store, see_plan, &plans));
    assert_true(plans.statements > 30);
    assert_int_equal(plans.bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(what_is_read_is_of_one_moment),
        ALONE(a_second_writer_is_told_busy),
        ALONE(who_only_reads_cannot_write),
        ALONE(a_device_has_no_place_here),
        ALONE(a_connection_that_dies_takes_its_transaction),
        ALONE(a_connection_that_died_meanwhile_is_made_anew),
        ALONE(a_lost_commit_that_failed_is_told),
        ALONE(a_lost_commit_that_happened_is_told),
        ALONE(settings_of_the_user_do_no_harm),
        ALONE(a_commit_without_its_standby_is_not_told),
        ALONE(silence_is_a_lost_connection),
        ALONE(a_newer_schema_stops_who_is_older),
        ALONE(version_1_goes_on),
        ALONE(what_is_expected_is_looked_at_in_the_transaction),
        ALONE(long_reads_see_one_moment),
        ALONE(a_commit_is_few_round_trips_however_large),
        ALONE(what_was_looked_for_is_not_looked_for_again),
        ALONE(two_streams_commit_at_once),
        ALONE(streams_are_locked_in_one_order),
        ALONE(rivals_lose_nothing),
        ALONE(no_statement_scans_a_table),
    };
    const struct CMUnitTest empties[] = {
        cmocka_unit_test(many_processes_may_open_an_empty_database),
        cmocka_unit_test(what_cannot_be_opened_is_said),
    };
    int failed = test_pg_start("the contract on PostgreSQL");

    if (failed)
        return failed == 77 ? 0 : 1;
    connect_behind();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = suite_run(&backend);
    failed += cmocka_run_group_tests_name("store_pg alone", tests, NULL, NULL);
    failed +=
        cmocka_run_group_tests_name("store_pg, empty", empties, NULL, NULL);
    PQfinish(behind);
    test_pg_run("stop");
    return failed;
}

#endif
