/* test_agent_wal.c -- a store's WAL is copied back beside who appends, and a
 * caller's connection is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "agent/agent.h"
#include "test/lib/test_shop.h"
#include "test/lib/test_util.h"

enum { WANT = 100, WAIT_MS = 30 * 1000 };

static struct test_shop shop;

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_shop_close(&shop);
    return 0;
}

static void append(struct ves_agent *agent, int number)
{
    char id[16];

    snprintf(id, sizeof(id), "ORD-%d", number);
    test_shop_append(agent, "order.created", id,
                     "{\"currency\":\"GBP\",\"lines\":[]}");
}

static int append_until_there_is_much(struct ves_agent *agent, int count)
{
    for (int i = 0; i < WANT && atomic_load(&agent->wal.copier.pages) < WANT;
         i++)
        append(agent, count++);
    assert_true(atomic_load(&agent->wal.copier.pages) >= WANT);
    return count;
}

static void wait_for_the_last(struct ves_copier *copier)
{
    for (int ms = 0; ms < WAIT_MS && !atomic_load(&copier->is_last); ms++)
        usleep(1000);
    assert_true(atomic_load(&copier->is_last));
}

static int64_t in_file_alone(const char *path, const char *text)
{
    char uri[512];
    sqlite3 *db;
    sqlite3_stmt *stmt;

    /* As a file that never changes: the WAL is not looked at. */
    snprintf(uri, sizeof(uri), "file:%s?immutable=1", path);
    assert_int_equal(
        sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

static void a_thread_copies_and_the_wal_begins_anew(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_copier *copier = &agent->wal.copier;
    int count = 0;

    (void)state;
    copier->limits = (struct ves_copier_limits){
        .want = WANT, .last = WANT / 2, .max = 1000000};
    append(agent, count++);
    assert_false(copier->is_running);
    count = append_until_there_is_much(agent, count);
    assert_true(copier->is_running);
    wait_for_the_last(copier);
    /* All but what this commit adds is in the file, and with it that, too. */
    append(agent, count++);
    assert_int_equal(in_file_alone(test_shop_path(&shop, "till.db"),
                                   "SELECT count(*) FROM ves_outbox"),
                     count);
    append(agent, count++);
    assert_in_range(atomic_load(&copier->pages), 1, WANT / 2);
    ves_agent_close(agent);
    assert_int_equal(access(test_shop_path(&shop, "till.db-wal"), F_OK), -1);
    agent = test_shop_again(&shop, "till.db", NULL);
    assert_int_equal(in_file_alone(test_shop_path(&shop, "till.db"),
                                   "SELECT count(*) FROM ves_outbox"),
                     count);
    ves_agent_close(agent);
}

/* As when no thread can be had. */
static void the_writer_copies_what_nobody_else_does(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_copier *copier = &agent->wal.copier;

    (void)state;
    copier->limits =
        (struct ves_copier_limits){.want = 1000000, .last = 0, .max = WANT};
    int count = append_until_there_is_much(agent, 0);
    assert_false(copier->is_running);
    append(agent, count);
    assert_in_range(atomic_load(&copier->pages), 1, WANT / 2);
    ves_agent_close(agent);
}

static void a_callers_connection_is_left_alone(void **state)
{
    sqlite3 *db;

    (void)state;
    ves_agent_close(test_shop_store(&shop, "app.db", NULL));
    assert_int_equal(sqlite3_open(test_shop_path(&shop, "app.db"), &db),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA journal_mode=WAL;"
                                  "PRAGMA synchronous=FULL",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    struct ves_agent *agent = test_shop_again(&shop, NULL, db);
    append(agent, 1);
    assert_int_equal(atomic_load(&agent->wal.copier.pages), 0);
    ves_agent_close(agent);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_copies_and_the_wal_begins_anew,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_writer_copies_what_nobody_else_does,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_callers_connection_is_left_alone,
                                        set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
