/* test_agent_bulk.c -- many events in one transaction of the application's:
 * what an append knows from the one before it is forgotten when anything
 * happened in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "test/lib/test_shop.h"
#include "test/lib/test_util.h"

static struct test_shop shop;
static struct test_document doc;
static sqlite3 *db;
static struct ves_agent *agent;

static void sql(const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    test_document_open(&doc);
    assert_int_equal(sqlite3_open(test_shop_path(&shop, "app.db"), &db),
                     SQLITE_OK);
    sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE sales(id INTEGER PRIMARY KEY, sku)");
    agent = test_shop_store(&shop, "app.db", db);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_agent_close(agent);
    sqlite3_close(db);
    test_document_close(&doc);
    test_shop_close(&shop);
    return 0;
}

static void append(struct ves_agent *by, const char *id)
{
    test_shop_append(by, "order.created", id,
                     "{\"currency\":\"GBP\",\"lines\":[]}");
}

/* Of every row: its agent_seq is its place, its _ves.prev the hash of the one
 * before, and the hlc goes up. */
static void assert_one_chain(int count)
{
    sqlite3_stmt *stmt;
    char prev[80] = "", hlc[32] = "";
    int seen = 0;
    struct ves_error error;
    bool is_healthy;

    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT agent_seq, lower(hex(event_hash)),"
            " coalesce(json_extract(p, '$._ves.prev'), ''),"
            " json_extract(p, '$._ves.hlc') FROM (SELECT *,"
            " json_extract(envelope, '$.payload') AS p FROM ves_outbox"
            " ORDER BY local_seq)",
            -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *hash = (const char *)sqlite3_column_text(stmt, 1);
        const char *before = (const char *)sqlite3_column_text(stmt, 2);
        const char *now = (const char *)sqlite3_column_text(stmt, 3);
        if (strncmp(before, "0x", 2) == 0)
            before += 2;
        assert_int_equal(sqlite3_column_int(stmt, 0), ++seen);
        assert_string_equal(before, prev);
        assert_true(strcmp(hlc, now) < 0);
        snprintf(prev, sizeof(prev), "%s", hash);
        snprintf(hlc, sizeof(hlc), "%s", now);
    }
    sqlite3_finalize(stmt);
    assert_int_equal(seen, count);
    assert_int_equal(ves_agent_doctor(agent, doc.jw, &is_healthy, &error),
                     VES_OK);
    assert_true(is_healthy);
}

static void a_run_is_one_chain(void **state)
{
    (void)state;
    sql("BEGIN");
    for (int i = 0; i < 20; i++)
        append(agent, i % 2 ? "ORD-1" : "ORD-2");
    sql("COMMIT; BEGIN");
    append(agent, "ORD-1");
    append(agent, "ORD-3");
    sql("COMMIT");
    assert_one_chain(22);
}

static void what_was_rolled_back_is_not_gone_on_from(void **state)
{
    (void)state;
    sql("BEGIN");
    append(agent, "ORD-1");
    append(agent, "ORD-2");
    sql("SAVEPOINT a");
    append(agent, "ORD-1");
    append(agent, "ORD-2");
    sql("ROLLBACK TO a");
    append(agent, "ORD-3");
    append(agent, "ORD-1");
    sql("ROLLBACK TO a; RELEASE a");
    append(agent, "ORD-1");
    sql("COMMIT; BEGIN");
    append(agent, "ORD-2");
    append(agent, "ORD-2");
    sql("ROLLBACK; BEGIN");
    append(agent, "ORD-2");
    append(agent, "ORD-1");
    sql("COMMIT");
    assert_one_chain(5);
}

static void two_handles_take_turns(void **state)
{
    struct ves_agent *other = test_shop_again(&shop, NULL, db);

    (void)state;
    sql("BEGIN");
    for (int i = 0; i < 4; i++) {
        append(agent, "ORD-1");
        append(agent, "ORD-2");
        append(other, "ORD-1");
        append(other, "ORD-3");
    }
    sql("COMMIT");
    assert_one_chain(16);
    ves_agent_close(other);
}

/* As a rotation of the key does, on the same connection. */
static void what_was_written_in_between_counts(void **state)
{
    (void)state;
    sql("BEGIN");
    append(agent, "ORD-1");
    append(agent, "ORD-1");
    sql("UPDATE ves_meta SET value = replace(value, 'hlc_ms=', 'hlc_ms=9')"
        " WHERE name = 'append'");
    append(agent, "ORD-1");
    append(agent, "ORD-1");
    sqlite3_stmt *stmt;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT count(*) FROM ves_outbox WHERE local_seq > 2"
                           " AND json_extract(envelope, '$.payload._ves.hlc')"
                           " > '0fffffffffff'",
                           -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 2);
    sqlite3_finalize(stmt);
    sql("COMMIT");
    assert_one_chain(4);
}

static void the_applications_rows_stand_between(void **state)
{
    (void)state;
    sql("BEGIN");
    for (int i = 0; i < 6; i++) {
        append(agent, "ORD-1");
        if (i % 2)
            sql("INSERT INTO sales (sku) VALUES ('a'); DELETE FROM sales");
    }
    sql("COMMIT");
    assert_one_chain(6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_one_chain),
        TEST(what_was_rolled_back_is_not_gone_on_from),
        TEST(two_handles_take_turns),
        TEST(what_was_written_in_between_counts),
        TEST(the_applications_rows_stand_between),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
