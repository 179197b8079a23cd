/* test_append_cost.c -- what appending in bulk costs beyond the unavoidable.
 *
 * The unavoidable: one signature an event, and inserting rows of the same
 * bytes under the same indexes.  The issue allows twice that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "test/lib/test_shop.h"
#include "test/lib/test_signer.h"

enum { EVENTS = 2000, ROUNDS = 5, RATIO_MAX_PERCENT = 200 };

/* A slowed build measures the sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    !defined(__OPTIMIZE__)
#define IS_SLOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SLOWED 1
#endif
#endif
#ifndef IS_SLOWED
#define IS_SLOWED 0
#endif

static struct test_shop shop;

/* CPU time: what others do on the machine is not our cost. */
static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char payload[] =
    "{\"delta\":\"-1\",\"reason_code\":\"sale\",\"order_id\":\"536365\","
    "\"description\":\"WHITE HANGING HEART T-LIGHT HOLDER\"}";

static double append_all(struct ves_agent *agent)
{
    struct ves_error error;
    char id[32];

    double start = seconds();
    assert_int_equal(ves_agent_begin(agent, &error), VES_OK);
    for (int i = 0; i < EVENTS; i++) {
        snprintf(id, sizeof(id), "SKU-%d", i % 500);
        test_shop_append(agent, "inventory.adjusted", id, payload);
    }
    assert_int_equal(ves_agent_commit(agent, &error), VES_OK);
    return seconds() - start;
}

static void exec(sqlite3 *db, const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

/* ---- the same rows by plain SQL ------------------------------------------ */

struct rows {
    int columns;
    sqlite3_value **values; /* EVENTS times columns */
};

static void load_rows(struct rows *rows, const char *path)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    size_t n = 0;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT * FROM ves_outbox ORDER BY local_seq",
                           -1, &stmt, NULL),
        SQLITE_OK);
    rows->columns = sqlite3_column_count(stmt);
    rows->values = calloc((size_t)rows->columns * EVENTS, sizeof(void *));
    assert_non_null(rows->values);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        assert_true(n < (size_t)rows->columns * EVENTS);
        for (int i = 0; i < rows->columns; i++)
            rows->values[n++] =
                sqlite3_value_dup(sqlite3_column_value(stmt, i));
    }
    assert_int_equal(n, (size_t)rows->columns * EVENTS);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < (size_t)rows->columns * EVENTS; i++)
        sqlite3_value_free(rows->values[i]);
    free(rows->values);
}

static void copy_schema(sqlite3 *db, const char *from)
{
    sqlite3_stmt *stmt;
    sqlite3 *source;

    assert_int_equal(sqlite3_open(from, &source), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(source,
                           "SELECT sql FROM sqlite_schema WHERE tbl_name ="
                           " 'ves_outbox' AND type IN ('table', 'index')"
                           " AND sql IS NOT NULL ORDER BY rowid",
                           -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        exec(db, (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(source);
}

static double insert_all(const struct rows *rows, const char *path,
                         const char *like, const struct test_signer *signer)
{
    char text[256] = "INSERT INTO ves_outbox VALUES (?";
    struct ves_hash hash = {{0}};
    struct ves_sig sig;
    sqlite3_stmt *insert;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    exec(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL;"
             "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=10000;"
             "PRAGMA cache_size=-32768");
    copy_schema(db, like);
    for (int i = 1; i < rows->columns; i++)
        strncat(text, ", ?", sizeof(text) - strlen(text) - 1);
    strncat(text, ")", sizeof(text) - strlen(text) - 1);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &insert, NULL),
                     SQLITE_OK);

    double start = seconds();
    exec(db, "BEGIN IMMEDIATE");
    for (int n = 0; n < EVENTS; n++) {
        hash.b[0] = (uint8_t)n;
        hash.b[1] = (uint8_t)(n >> 8);
        test_signer_sign(signer, &hash, &sig);
        for (int i = 0; i < rows->columns; i++)
            sqlite3_bind_value(insert, i + 1,
                               rows->values[n * rows->columns + i]);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    exec(db, "COMMIT");
    double taken = seconds() - start;
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return taken;
}

static void append_costs_at_most_twice_the_unavoidable(void **state)
{
    double append = 1e9, insert = 1e9;
    struct test_signer signer;
    struct rows rows;
    char name[32];

    (void)state;
    if (IS_SLOWED) {
        print_message("# SKIP measuring: this build is not optimised\n");
        skip();
    }
    test_shop_open(&shop);
    test_signer_init(&signer, 1);
    /* The better of several rounds, in turn, so that whatever else runs meets
     * both alike. */
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(name, sizeof(name), "till-%d.db", round);
        struct ves_agent *agent = test_shop_store(&shop, name, NULL);
        double taken = append_all(agent);
        append = taken < append ? taken : append;
        ves_agent_close(agent);

        load_rows(&rows, test_shop_path(&shop, name));
        char plain[32];
        snprintf(plain, sizeof(plain), "plain-%d.db", round);
        taken = insert_all(&rows, test_shop_path(&shop, plain),
                           test_shop_path(&shop, name), &signer);
        insert = taken < insert ? taken : insert;
        free_rows(&rows);
    }
    test_shop_close(&shop);
    print_message("# append %.1f us, plain insert and signature %.1f us an "
                  "event, ratio %.2f\n",
                  append * 1e6 / EVENTS, insert * 1e6 / EVENTS,
                  append / insert);
    assert_true(append * 100 <= insert * RATIO_MAX_PERCENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_costs_at_most_twice_the_unavoidable),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
