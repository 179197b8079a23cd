/* test_server_backfill.c -- the WAL is copied back beside the writer, and
 * begins anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/bytes.h"
#include "server/backfill.h"
#include "store/store_sqlite.h"

enum { PAGE = 4096, VALUE = 20 * PAGE, NAMES = 8 };

static struct {
    char folder[64], db[96], wal[128];
    struct ves_store *writer;
    struct ves_log log;
    struct ves_backfill backfill;
    uint8_t value[VALUE];
    uint64_t longest; /* of the WAL, in pages */
} place;

static struct ves_store *open_store(void)
{
    const struct ves_store_sqlite_options options = {.path = place.db,
                                                     .create = true,
                                                     .role =
                                                         VES_STORE_SEQUENCER,
                                                     .busy_timeout_ms = 5000};
    struct ves_store *store = NULL;
    struct ves_error error = {0};

    if (ves_store_sqlite_open(&options, ves_alloc_default(), &store, &error))
        fail_msg("%s", error.text);
    return store;
}

static void start(const struct ves_copier_limits *limits)
{
    struct ves_error error;

    assert_int_equal(ves_backfill_start(&place.backfill, &place.log, limits,
                                        place.writer, open_store(), &error),
                     VES_OK);
}

static int set_up(void **state)
{
    (void)state;
    memset(&place, 0, sizeof(place));
    snprintf(place.folder, sizeof(place.folder), "/tmp/ves-backfill-XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    snprintf(place.db, sizeof(place.db), "%s/log.db", place.folder);
    snprintf(place.wal, sizeof(place.wal), "%s-wal", place.db);
    place.log.level = VES_LOG_ERROR;
    place.writer = open_store();
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    ves_backfill_stop(&place.backfill);
    ves_store_sqlite_close(place.writer);
    snprintf(command, sizeof(command), "rm -rf %s", place.folder);
    return system(command);
}

static uint64_t wal_pages(void)
{
    struct stat st;

    return stat(place.wal, &st) ? 0 : (uint64_t)st.st_size / PAGE;
}

/* The i-th value is under one of few names, so that the database stays small
 * while the WAL does not. */
static void write_value(unsigned i)
{
    static const char *const names[NAMES] = {"a", "b", "c", "d",
                                             "e", "f", "g", "h"};
    struct ves_store *s = place.writer;

    memset(place.value, (int)(i & 0x7F), VALUE);
    assert_int_equal(s->ops->begin(s), VES_OK);
    assert_int_equal(
        s->ops->meta_put(s, names[i % NAMES], ves_bytes(place.value, VALUE)),
        VES_OK);
    assert_int_equal(s->ops->commit(s), VES_OK);
    if (wal_pages() > place.longest)
        place.longest = wal_pages();
}

/* What the file itself holds, without the WAL, after everybody closed. */
static void stored_value_is(unsigned i)
{
    struct ves_arena arena;
    struct ves_bytes value;
    static const char *const names[NAMES] = {"a", "b", "c", "d",
                                             "e", "f", "g", "h"};
    struct ves_store *s = open_store();

    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    memset(place.value, (int)(i & 0x7F), VALUE);
    assert_int_equal(s->ops->meta_get(s, names[i % NAMES], &arena, &value),
                     VES_OK);
    assert_true(ves_bytes_equal(value, ves_bytes(place.value, VALUE)));
    ves_arena_free(&arena);
    ves_store_sqlite_close(s);
}

/* The thread goes on beside the writer, which waits only where it is far
 * behind: how busy the machine is must not decide how long the WAL gets. */
static void let_it_follow(void)
{
    uint64_t far = 4 * place.backfill.copier.limits.want;

    for (int i = 0;
         i < 1000 && atomic_load(&place.backfill.copier.pages) >= far &&
         !atomic_load(&place.backfill.copier.is_last);
         i++)
        usleep(1000);
}

/* ---- tests --------------------------------------------------------------- */

static void the_wal_begins_anew_beside_the_writer(void **state)
{
    const struct ves_copier_limits limits = {
        .want = 100, .last = 40, .max = 1000000};
    enum { COMMITS = 150 }; /* over 3,000 pages */

    (void)state;
    start(&limits);
    for (unsigned i = 0; i < COMMITS; i++) {
        write_value(i);
        let_it_follow();
    }
    print_message("# the WAL had at most %llu pages\n",
                  (unsigned long long)place.longest);
    assert_true(place.longest >= limits.want);
    assert_true(place.longest < COMMITS * (VALUE / PAGE) / 2);
    for (unsigned i = COMMITS - NAMES; i < COMMITS; i++)
        stored_value_is(i);
}

/* A thread that does nothing (it wants more than there ever is). */
static void the_writer_copies_when_there_is_too_much(void **state)
{
    const struct ves_copier_limits limits = {
        .want = 1000000, .last = 0, .max = 200};

    (void)state;
    start(&limits);
    for (unsigned i = 0; i < 40; i++)
        write_value(i);
    assert_true(place.longest >= limits.max);
    assert_true(place.longest < 2 * limits.max);
}

static void a_reader_keeps_its_snapshot(void **state)
{
    const struct ves_copier_limits limits = {
        .want = 100, .last = 40, .max = 400};
    sqlite3 *reader;
    sqlite3_stmt *stmt;

    (void)state;
    start(&limits);
    write_value(0);
    assert_int_equal(sqlite3_open(place.db, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(reader,
                           "SELECT hex(substr(CAST(value AS BLOB), 1, 1)) FROM "
                           "ves_meta WHERE name = 'a'",
                           -1, &stmt, NULL),
        SQLITE_OK);
    for (unsigned i = 0; i < 60; i++) {
        if (i % 20 == 0) {
            assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
            assert_string_equal((const char *)sqlite3_column_text(stmt, 0),
                                "00");
            sqlite3_reset(stmt);
        }
        write_value(NAMES * (i + 1));
    }
    assert_true(place.longest > 1200); /* nothing could be left behind */
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(reader);
    uint64_t before = wal_pages();
    for (unsigned i = 0; i < 60; i++) {
        write_value(NAMES * (i + 1));
    }
    assert_true(wal_pages() < before + 600); /* it began anew */
    stored_value_is(NAMES * 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_wal_begins_anew_beside_the_writer,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_writer_copies_when_there_is_too_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_keeps_its_snapshot, set_up,
                                        tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
