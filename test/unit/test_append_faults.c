/* test_append_faults.c -- what breaks an append in the middle inside the
 * application's transaction: memory, the application's authorizer and its
 * triggers.  Whatever it is, the event is there as a whole or not at all, and
 * the caller is told what became of its transaction.
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

#include "agent/agent.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "test/lib/test_shop.h"
#include "test/lib/test_util.h"

/* ---- SQLite's memory ----------------------------------------------------- */

static sqlite3_mem_methods memory;
static long allocations_left = -1; /* then there is none; -1: without end */

static bool take(void)
{
    if (allocations_left < 0)
        return true;
    if (allocations_left == 0)
        return false;
    allocations_left--;
    return true;
}

static void *failing_malloc(int size)
{
    return take() ? memory.xMalloc(size) : NULL;
}

static void *failing_realloc(void *ptr, int size)
{
    return take() ? memory.xRealloc(ptr, size) : NULL;
}

static void install_memory(void)
{
    sqlite3_mem_methods failing;

    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory),
                     SQLITE_OK);
    failing = memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    /* Without a lookaside every allocation can fail. */
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

/* ---- an application ------------------------------------------------------ */

static struct test_shop shop;
static struct test_document doc;
static sqlite3 *db;
static struct ves_agent *agent;
static int64_t events, sales; /* what should be there */

static void sql(const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

static int64_t number(const char *text)
{
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void connect_app(void)
{
    assert_int_equal(sqlite3_open(test_shop_path(&shop, "app.db"), &db),
                     SQLITE_OK);
    sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
        "CREATE TABLE IF NOT EXISTS sales(id INTEGER PRIMARY KEY, sku)");
}

static void connect_again(void)
{
    struct ves_agent_options options = {.path =
                                            test_shop_path(&shop, "app.db")};
    struct ves_error error;

    ves_agent_close(agent);
    sqlite3_close(db);
    connect_app();
    options.connection = db;
    options.allow_relaxed_sync = true;
    if (ves_agent_open(&options, &agent, &error))
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    test_document_open(&doc);
    events = sales = 0;
    connect_app();
    agent = test_shop_store(&shop, "app.db", db);
    agent->allow_relaxed_sync = true;
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

static void assert_healthy(void)
{
    struct ves_error error;
    bool is_healthy;

    sql("PRAGMA synchronous=FULL");
    assert_int_equal(ves_agent_doctor(agent, doc.jw, &is_healthy, &error),
                     VES_OK);
    if (!is_healthy)
        fail_msg("%.*s", (int)ves_jw_view(doc.jw).len,
                 (const char *)ves_jw_view(doc.jw).ptr);
    ves_jw_reset(doc.jw);
}

static enum ves_status append(struct ves_error *error)
{
    static const char payload[] =
        "{\"currency\":\"GBP\",\"lines\":[{\"line_uid\":\"1\",\"sku\":\"A\","
        "\"quantity\":\"2\",\"unit_price_minor\":250}]}";
    const struct ves_append what = {.type = "order.created",
                                    .aggregate_id = "ORD-1",
                                    .payload = ves_bytes_str(payload)};
    struct ves_uuid event_id;

    memset(error, 0, sizeof(*error));
    return ves_append(agent, &what, &event_id, error);
}

static void assert_whole(void)
{
    assert_int_equal(number("SELECT count(*) FROM sales"), sales);
    assert_int_equal(number("SELECT count(*) FROM ves_outbox"), events);
    assert_int_equal(number("SELECT count(DISTINCT agent_seq) FROM ves_outbox"),
                     events);
    assert_int_equal(
        number("SELECT coalesce(max(agent_seq), 0) FROM ves_outbox"), events);
    assert_int_equal(
        number("SELECT coalesce(sum(own_events), 0) FROM ves_entities"),
        events);
}

/* A sale whose append meets what break_it does.  What the caller is told about
 * its transaction must be true; a caller that goes on commits. */
static enum ves_status sell(void (*break_it)(void), void (*mend_it)(void))
{
    struct ves_error error;

    sql("BEGIN; INSERT INTO sales(sku) VALUES ('A')");
    break_it();
    enum ves_status status = append(&error);
    mend_it();
    bool is_gone = sqlite3_get_autocommit(db) != 0;
    bool is_told = strstr(error.text, "rolled back as a whole");

    if (is_gone != is_told)
        fail_msg("the transaction is %s, but: %s", is_gone ? "gone" : "open",
                 error.text);
    if (!is_gone)
        sql("COMMIT");
    events += status == VES_OK;
    sales += !is_gone;
    assert_whole();
    return status;
}

/* ---- memory -------------------------------------------------------------- */

static long allocations;

static void run_out(void)
{
    allocations_left = allocations;
}

static void run_on(void)
{
    allocations_left = -1;
}

static void memory_may_end_anywhere(void **state)
{
    enum ves_status status;
    int places = 0;

    (void)state;
    for (int is_first = 1; is_first >= 0; is_first--) {
        allocations = 0;
        do {
            if (is_first) /* all its statements are to be prepared yet */
                connect_again();
            status = sell(run_out, run_on);
            assert_true(allocations < 5000);
            allocations += is_first ? 7 : 1;
            places++;
        } while (status != VES_OK);
    }
    print_message("# %d places\n", places);
    assert_true(places > 100);
    assert_healthy();
}

/* ---- the application's authorizer ---------------------------------------- */

static int deny_transactions(void *ctx, int action, const char *a,
                             const char *b, const char *c, const char *d)
{
    (void)ctx;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
}

static void trigger_and_deny(void)
{
    sql("CREATE TEMP TRIGGER no BEFORE INSERT ON main.ves_entities BEGIN "
        "SELECT RAISE(ABORT, 'no'); END");
    sqlite3_set_authorizer(db, deny_transactions, NULL);
}

static int allow_all(void *ctx, int action, const char *a, const char *b,
                     const char *c, const char *d)
{
    (void)ctx;
    (void)action;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return SQLITE_OK;
}

static void allow(void)
{
    /* A new one has statements prepared again, none does not. */
    sqlite3_set_authorizer(db, allow_all, NULL);
    sqlite3_set_authorizer(db, NULL, NULL);
    sql("DROP TRIGGER IF EXISTS temp.no");
}

static void nobody_need_allow_a_rollback(void **state)
{
    (void)state;
    assert_int_not_equal(sell(trigger_and_deny, allow), VES_OK);
    assert_int_equal(sales, 0);
    assert_int_equal(sell(allow, allow), VES_OK);
    assert_healthy();
}

static int ignore_inserts(void *ctx, int action, const char *a, const char *b,
                          const char *c, const char *d)
{
    (void)b;
    (void)c;
    (void)d;
    return action == SQLITE_INSERT && strcmp(a, ctx) == 0 ? SQLITE_IGNORE
                                                          : SQLITE_OK;
}

static const char *ignored;

static void ignore(void)
{
    sqlite3_set_authorizer(db, ignore_inserts, (void *)(uintptr_t)ignored);
}

static void what_the_authorizer_swallows_is_not_appended(void **state)
{
    static const char *const tables[] = {"ves_outbox", "ves_entities",
                                         "ves_entity_buckets", "ves_meta"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        ignored = tables[i];
        assert_int_not_equal(sell(ignore, allow), VES_OK);
    }
    assert_int_equal(sell(allow, allow), VES_OK);
    assert_healthy();
}

/* ---- the application's triggers ------------------------------------------ */

static const char *trigger;

static void make_trigger(void)
{
    sql(trigger);
}

static void a_trigger_that_swallows_or_fails_is_told(void **state)
{
    static const char *const whens[] = {"BEFORE INSERT", "AFTER INSERT"};
    static const char *const tables[] = {"ves_outbox", "ves_entities",
                                         "ves_entity_buckets", "ves_meta"};
    static const char *const raises[] = {"IGNORE", "ABORT, 'no'", "FAIL, 'no'",
                                         "ROLLBACK, 'no'"};
    char text[256];

    (void)state;
    trigger = text;
    for (size_t i = 0; i < 2 * 4 * 4; i++) {
        const char *when = whens[i % 2], *raise = raises[i / 8];

        snprintf(text, sizeof(text),
                 "CREATE TEMP TRIGGER no %s ON main.%s BEGIN"
                 " SELECT RAISE(%s); END",
                 when, tables[i / 2 % 4], raise);
        /* After the row, IGNORE takes nothing back. */
        bool is_harmless = i % 2 == 1 && i / 8 == 0;
        if (is_harmless)
            continue;
        if (sell(make_trigger, allow) == VES_OK)
            fail_msg("appended in spite of: %s", text);
    }
    assert_int_equal(sell(allow, allow), VES_OK);
    assert_healthy();
}

static void long_words_do_not_hide_the_rollback(void **state)
{
    char text[1200], words[901];

    (void)state;
    memset(words, 'x', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    snprintf(text, sizeof(text),
             "CREATE TEMP TRIGGER no BEFORE INSERT ON main.ves_entities BEGIN"
             " SELECT RAISE(ABORT, '%s'); END",
             words);
    trigger = text;
    assert_int_not_equal(sell(make_trigger, allow), VES_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_may_end_anywhere),
        TEST(nobody_need_allow_a_rollback),
        TEST(what_the_authorizer_swallows_is_not_appended),
        TEST(a_trigger_that_swallows_or_fails_is_told),
        TEST(long_words_do_not_hide_the_rollback),
    };
    install_memory();
    assert_int_equal(ves_crypto_init(), VES_OK);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
