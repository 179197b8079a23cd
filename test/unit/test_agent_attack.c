/* test_agent_attack.c -- a local store used in ways nobody planned for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/bytes.h"
#include "test/lib/test_shop.h"
#include "ves/sync.h"

static struct test_shop shop;
static struct test_document doc;

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    test_document_open(&doc);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_document_close(&doc);
    test_shop_close(&shop);
    return 0;
}

static void sql(sqlite3 *db, const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

/* An application's own connection. */
static sqlite3 *app_open(const char *name)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(test_shop_path(&shop, name), &db), SQLITE_OK);
    sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE IF NOT EXISTS sales(id INTEGER PRIMARY KEY, sku)");
    return db;
}

static uint64_t count_of(struct ves_agent *agent, const char *pointer)
{
    struct ves_error error;

    assert_int_equal(ves_agent_status(agent, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    return test_number(&doc, pointer);
}

static void assert_says(const struct ves_error *error, const char *words)
{
    if (!strstr(error->text, words))
        fail_msg("\"%s\" does not say \"%s\"", error->text, words);
}

static void assert_healthy(struct ves_agent *agent)
{
    struct ves_error error;
    bool is_healthy;

    assert_int_equal(ves_agent_doctor(agent, doc.jw, &is_healthy, &error),
                     VES_OK);
    if (!is_healthy)
        fail_msg("%.*s", (int)ves_jw_view(doc.jw).len,
                 (const char *)ves_jw_view(doc.jw).ptr);
    ves_jw_reset(doc.jw);
}

/* {"name":"n","M059":59,"M058":58 ... "M000":0}: no order that sorting would
 * leave alone, and "_ves" in the middle of it. */
static const char *many_members(unsigned count)
{
    static char text[8192];
    int len = snprintf(text, sizeof(text), "{\"name\":\"n\"");

    while (count-- > 0)
        len += snprintf(text + len, sizeof(text) - (size_t)len, ",\"M%03u\":%u",
                        count, count);
    snprintf(text + len, sizeof(text) - (size_t)len, "}");
    return text;
}

static void payloads_of_any_number_of_members(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_error error;
    char pointer[64];

    (void)state;
    for (unsigned n = 1; n <= 60; n++) {
        struct ves_uuid id =
            test_shop_append(agent, "customer.created", "C", many_members(n));
        assert_int_equal(ves_agent_show(agent, &id, doc.jw, &error), VES_OK);
        test_document_read(&doc);
        /* name, the n, and the library's own */
        assert_int_equal(test_count(&doc, "/envelope/payload"), n + 2);
        assert_int_equal(test_number(&doc, "/envelope/payload/_ves/agent_seq"),
                         n);
        for (unsigned i = 0; i < n; i++) {
            snprintf(pointer, sizeof(pointer), "/envelope/payload/M%03u", i);
            assert_int_equal(test_number(&doc, pointer), i);
        }
    }
    assert_int_equal(test_shop_push(&shop, agent), 60);
    assert_int_equal(test_shop_pull(&shop, agent), 60);
    assert_healthy(agent);
    ves_agent_close(agent);
}

/* What is not committed must not leave the machine: a rollback would make the
 * sequencer the only one who has it. */
static void nothing_is_sent_inside_a_transaction(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    struct ves_push_report push;
    struct ves_pull_report pull;
    struct ves_sync_report sync;
    struct ves_error error;

    (void)state;
    sql(db, "BEGIN; INSERT INTO sales(sku) VALUES ('A')");
    test_shop_append(agent, "order.created", "ORD-1", "{}");
    assert_int_equal(ves_push(agent, NULL, &push, &error), VES_INVALID);
    assert_says(&error, "transaction");
    assert_says(&error, "othing was sent");
    assert_int_equal(ves_pull(agent, NULL, 0, &pull, &error), VES_INVALID);
    assert_says(&error, "transaction");
    assert_int_equal(ves_sync(agent, NULL, &sync, &error), VES_INVALID);
    assert_int_equal(count_of(agent, "/counts/pending"), 1);
    sql(db, "ROLLBACK");
    assert_int_equal(count_of(agent, "/counts/pending"), 0);
    /* Nobody listens there. */
    assert_int_equal(ves_push(agent, NULL, &push, &error), VES_OK);
    test_shop_append(agent, "order.created", "ORD-1", "{}");
    assert_int_equal(ves_push(agent, NULL, &push, &error), VES_UNREACHABLE);
    ves_agent_close(agent);
    sqlite3_close(db);
}

/* An event in a temporary table of the same name would be gone with the
 * connection, although its id was handed out. */
static void a_temporary_table_swallows_nothing(void **state)
{
    static const char *const tables[] = {"ves_outbox", "ves_entities",
                                         "ves_entity_buckets", "ves_meta",
                                         "ves_counts"};
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    const struct ves_append what = {
        .type = "order.created",
        .aggregate_id = "ORD-1",
        .payload = ves_bytes_str("{}"),
    };
    struct ves_uuid event_id;
    struct ves_error error;
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        snprintf(text, sizeof(text),
                 "CREATE TEMP TABLE %s AS SELECT * FROM main.%s", tables[i],
                 tables[i]);
        sql(db, text);
        assert_int_equal(ves_append(agent, &what, &event_id, &error),
                         VES_INVALID);
        assert_says(&error, tables[i]);
        snprintf(text, sizeof(text), "DROP TABLE temp.%s", tables[i]);
        sql(db, text);
        assert_int_equal(ves_append(agent, &what, &event_id, &error), VES_OK);
    }
    assert_int_equal(count_of(agent, "/counts/pending"), 5);
    assert_healthy(agent);
    ves_agent_close(agent);
    sqlite3_close(db);
}

/* "Try again" would be wrong advice: a transaction that has read an older
 * state never gets to write. */
static void an_outdated_transaction_is_told_so(void **state)
{
    sqlite3 *db = app_open("app.db"), *other = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    const struct ves_append what = {
        .type = "order.created",
        .aggregate_id = "ORD-1",
        .payload = ves_bytes_str("{}"),
    };
    struct ves_uuid event_id;
    struct ves_error error;

    (void)state;
    sql(db, "BEGIN; SELECT count(*) FROM sales");
    sql(other, "INSERT INTO sales(sku) VALUES ('B')");
    assert_int_equal(ves_append(agent, &what, &event_id, &error), VES_BUSY);
    assert_says(&error, "BEGIN IMMEDIATE");
    sql(db, "ROLLBACK; BEGIN IMMEDIATE");
    assert_int_equal(ves_append(agent, &what, &event_id, &error), VES_OK);
    sql(db, "COMMIT");
    ves_agent_close(agent);
    sqlite3_close(db);
    sqlite3_close(other);
}

/* Whatever makes an alert makes a person look. */
static void an_open_alert_is_a_reason_for_attention(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_error error;

    (void)state;
    test_shop_append(agent, "order.created", "ORD-1", "{}");
    test_shop_push_fails(&shop, agent, 403);
    assert_int_equal(ves_agent_status(agent, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    assert_int_equal(test_count(&doc, "/reasons"), 1);
    assert_non_null(strstr(test_text(&doc, "/reasons/0"), "may not push"));
    assert_int_equal(test_shop_push(&shop, agent), 1);
    assert_int_equal(ves_agent_status(agent, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "pending_work");

    assert_int_equal(
        ves_core_keys(
            &agent->core,
            ves_bytes_str("{\"tenantId\":\"00000000-0000-0000-0000-000000000001"
                          "\",\"keys\":[],\"directorySignature\":\""
                          "00000000000000000000000000000000000000000000000000"
                          "00000000000000000000000000000000000000000000000000"
                          "0000000000000000000000000000\"}"),
            1),
        VES_REFUSED);
    assert_int_equal(ves_agent_status(agent, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    assert_non_null(strstr(test_text(&doc, "/reasons/0"), "not verify"));
    assert_string_equal(test_text(&doc, "/nextSteps/0"), "ves quarantine");
    ves_agent_close(agent);
}

/* Joining again must not put a fresh key where the lost one belongs. */
static void a_lost_key_is_not_replaced(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    const struct ves_agent_options options = {
        .path = test_shop_path(&shop, "till.db")};
    const struct ves_agent_identity identity = {.stream = shop.hub.stream,
                                                .agent = agent->core.agent};
    struct ves_error error;

    (void)state;
    ves_agent_close(agent);
    assert_int_equal(unlink(test_shop_path(&shop, "till.db.key")), 0);
    assert_int_equal(ves_agent_create(&options, &identity, &agent, &error),
                     VES_NOT_FOUND);
    assert_says(&error, "till.db.key");
    assert_int_equal(access(test_shop_path(&shop, "till.db.key"), F_OK), -1);
}

/* After an update of the program, on a store that cannot be folded again. */
static void an_older_fold_can_still_be_looked_at(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_agent_options options = {.path =
                                            test_shop_path(&shop, "till.db")};
    struct ves_error error;
    uint64_t pruned;
    sqlite3 *db;

    (void)state;
    test_shop_append(agent, "order.created", "ORD-1", "{}");
    test_shop_push(&shop, agent);
    test_shop_pull(&shop, agent);
    assert_int_equal(ves_agent_prune(agent, 0, &pruned, &error), VES_OK);
    assert_true(pruned > 0);
    ves_agent_close(agent);
    db = app_open("till.db");
    sql(db, "UPDATE ves_meta SET value = '0' WHERE name = 'fold.version'");
    sqlite3_close(db);

    for (int i = 0; i < 2; i++) {
        options.is_read_only = true;
        if (ves_agent_open(&options, &agent, &error))
            fail_msg("%s", error.text);
        assert_int_equal(count_of(agent, "/foldVersion"), 0);
        ves_agent_close(agent);
        /* Writing goes on too, and says why the states are old. */
        options.is_read_only = false;
        if (ves_agent_open(&options, &agent, &error))
            fail_msg("%s", error.text);
        test_shop_append(agent, "order.created", "ORD-2", "{}");
        assert_int_equal(ves_agent_quarantine(agent, 10, doc.jw, &error),
                         VES_OK);
        test_document_read(&doc);
        assert_int_equal(test_number(&doc, "/openAlerts"), 1);
        assert_string_equal(test_text(&doc, "/alerts/0/code"),
                            "refold_impossible");
        ves_agent_close(agent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(payloads_of_any_number_of_members,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_sent_inside_a_transaction,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_temporary_table_swallows_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outdated_transaction_is_told_so,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_key_is_not_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_older_fold_can_still_be_looked_at,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_alert_is_a_reason_for_attention,
                                        set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent_attack", tests, NULL, NULL);
}
