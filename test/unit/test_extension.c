/* test_extension.c -- the loadable SQLite extension, from C. */
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
#include "os/file.h"
#include "test/lib/test_shop.h"

static struct test_shop shop;
static struct test_document doc;
static char extension[1024];
static sqlite3 *db;

/* $VES_EXTENSION, else ves.so beside this program. */
static bool find_extension(void)
{
    const char *named = getenv("VES_EXTENSION");
    ssize_t len;

    if (named) {
        snprintf(extension, sizeof(extension), "%s", named);
        return true;
    }
    len = readlink("/proc/self/exe", extension, sizeof(extension) - 16);
    if (len <= 0)
        return false;
    extension[len] = '\0';
    char *slash = strrchr(extension, '/');
    memcpy(slash + 1, "ves.so", 7);
    return access(extension, R_OK) == 0;
}

static sqlite3 *open_loaded(const char *name)
{
    char *error = NULL;
    sqlite3 *connection;

    assert_int_equal(sqlite3_open(test_shop_path(&shop, name), &connection),
                     SQLITE_OK);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1,
                      NULL);
    if (sqlite3_load_extension(connection, extension, NULL, &error) !=
        SQLITE_OK)
        fail_msg("%s: %s", extension, error);
    return connection;
}

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    test_document_open(&doc);
    ves_agent_close(test_shop_store(&shop, "till.db", NULL));
    db = open_loaded("till.db");
    sqlite3_exec(db,
                 "PRAGMA synchronous=FULL;"
                 "CREATE TABLE sales(id INTEGER PRIMARY KEY, sku)",
                 NULL, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sqlite3_close_v2(db);
    db = NULL;
    test_document_close(&doc);
    test_shop_close(&shop);
    return 0;
}

/* First column of the first row as text, or "error: ..."; valid until the
 * fourth call after it. */
static const char *ask(sqlite3 *connection, const char *text)
{
    static char answers[4][8192];
    static unsigned next;
    char *out = answers[next++ % 4];
    sqlite3_stmt *stmt = NULL;

    int rc = sqlite3_prepare_v2(connection, text, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *answer = (const char *)sqlite3_column_text(stmt, 0);
        snprintf(out, sizeof(answers[0]), "%s", answer ? answer : "NULL");
    } else if (rc == SQLITE_DONE) {
        out[0] = '\0';
    } else {
        snprintf(out, sizeof(answers[0]), "error: %s",
                 sqlite3_errmsg(connection));
    }
    sqlite3_finalize(stmt);
    return out;
}

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void assert_refused(const char *statement, const char *words)
{
    const char *answer = ask(db, statement);

    assert_says(answer, "error: ");
    assert_says(answer, words);
}

#define APPEND                                                 \
    "SELECT ves_append('order.created', 'ORD-1', json_object(" \
    "'currency','GBP','lines',json_array()))"

static void append_gives_an_event_id(void **state)
{
    (void)state;
    const char *id = ask(db, APPEND);

    assert_int_equal(strlen(id), 36);
    assert_int_equal(id[14], '7');
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox_view"), "1");
    assert_string_equal(ask(db, "SELECT event_id FROM ves_outbox_view"), id);
    struct ves_agent *agent = test_shop_again(&shop, "till.db", NULL);
    struct ves_error error;
    bool is_healthy;
    assert_int_equal(ves_agent_doctor(agent, doc.jw, &is_healthy, &error),
                     VES_OK);
    assert_true(is_healthy);
    ves_agent_close(agent);
}

static void rollback_removes_both(void **state)
{
    (void)state;
    ask(db, "BEGIN");
    ask(db, "INSERT INTO sales(sku) VALUES ('A')");
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    ask(db, "ROLLBACK");
    assert_string_equal(ask(db, "SELECT count(*) FROM sales"), "0");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "0");
    ask(db, "BEGIN");
    ask(db, "INSERT INTO sales(sku) VALUES ('A')");
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    ask(db, "COMMIT");
    assert_string_equal(ask(db, "SELECT count(*) FROM sales"), "1");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "1");
}

static void options_are_taken_and_checked(void **state)
{
    static const char id[] = "018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e6f";

    (void)state;
    assert_string_equal(
        ask(db, "SELECT ves_append('order.created', 'O', '{\"lines\":[],"
                "\"currency\":\"GBP\"}', json_object('eventId',"
                " '018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e6f', 'commandId',"
                " '018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e70', 'baseVersion', 0))"),
        id);
    assert_string_equal(ask(db, "SELECT json_extract(envelope, '$.command_id')"
                                " FROM ves_outbox"),
                        "018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e70");
    assert_string_equal(ask(db,
                            "SELECT json_extract(envelope, '$.base_version')"
                            " FROM ves_outbox"),
                        "0");
    assert_refused("SELECT ves_append('order.created', 'O', '{}',"
                   " '{\"eventID\":1}')",
                   "no option \"eventID\"");
    assert_refused("SELECT ves_append('order.created', 'O', '{}',"
                   " '{\"eventId\":\"1\"}')",
                   "must be a UUID");
    assert_refused("SELECT ves_append('order.created', 'O', '{}',"
                   " '{\"baseVersion\":-1}')",
                   "baseVersion");
    assert_refused("SELECT ves_append('order.created', 'O', '{}', '{')",
                   "not valid JSON");
    assert_refused("SELECT ves_append('order.created', 'O', '{}', '[]')",
                   "JSON object");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "1");
}

static void bad_arguments_are_sql_errors(void **state)
{
    (void)state;
    assert_refused("SELECT ves_append(NULL, 'O', '{}')", "event type");
    assert_refused("SELECT ves_append('order.created', NULL, '{}')",
                   "aggregate id");
    assert_refused("SELECT ves_append('order.created', 'O', NULL)", "payload");
    assert_refused("SELECT ves_append('order.created', 'O', x'7b7d')",
                   "payload");
    assert_refused("SELECT ves_append('order.created', 'O' || char(0), '{}')",
                   "NUL");
    assert_refused("SELECT ves_append('order.created', 'O', '{\"a\":1,}')",
                   "not valid JSON");
    assert_refused("SELECT ves_append('order.created', 'O', '[]')", "object");
    assert_refused("SELECT ves_append('order.created', 'O', '{\"_ves\":1}')",
                   "_ves");
    assert_refused("SELECT ves_append('ves.note', 'O', '{}')", "system");
    assert_refused("SELECT ves_append('order.created', 'O')", "arguments");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "0");
}

static void read_functions_answer_in_json(void **state)
{
    char statement[128], id[64];

    (void)state;
    snprintf(id, sizeof(id), "%s",
             ask(db, "SELECT ves_append('inventory.adjusted', 7,"
                     " '{\"delta\":\"3\"}')"));
    assert_int_equal(strlen(id), 36);
    assert_string_equal(
        ask(db, "SELECT json_extract(ves_status(), '$.counts.pending')"), "1");
    assert_string_equal(
        ask(db, "SELECT json_extract(ves_outbox(), '$.events[0].eventId')"),
        id);
    assert_string_equal(
        ask(db, "SELECT json_extract(ves_outbox('failed'), '$.total')"), "0");
    assert_refused("SELECT ves_outbox('done')", "not a status");
    assert_refused("SELECT ves_outbox(NULL, 0)", "limit");
    assert_string_equal(ask(db,
                            "SELECT json_extract(ves_entity('inventory', '7'),"
                            " '$.pending')"),
                        "1");
    assert_string_equal(ask(db, "SELECT ves_entity('inventory', 'x')"), "NULL");
    snprintf(statement, sizeof(statement),
             "SELECT json_extract(ves_why('%s'), '$.status')", id);
    assert_string_equal(ask(db, statement), "pending");
    assert_refused("SELECT ves_why('x')", "UUID");
    assert_refused("SELECT ves_why('018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e6f')",
                   "not in this store");
    assert_int_equal(strlen(ask(db, "SELECT ves_state_hash()")), 64);
    assert_string_equal(ask(db, "SELECT ves_version()"), VES_VERSION);
    /* In the middle of a statement that reads. */
    ask(db, "INSERT INTO sales(sku) VALUES ('7'), ('8')");
    assert_string_equal(
        ask(db, "SELECT count(ves_entity('inventory', sku)) FROM sales"), "1");
}

static void views_show_the_same(void **state)
{
    (void)state;
    ask(db, "SELECT ves_append('inventory.adjusted', 'S', '{\"delta\":3}')");
    assert_string_equal(ask(db, "SELECT status FROM ves_outbox_view"),
                        "pending");
    assert_string_equal(ask(db, "SELECT own_events FROM ves_entity_view"), "1");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_log_view"), "0");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_status_view"), "1");
}

static void relaxed_sync_must_be_asked_for(void **state)
{
    (void)state;
    ask(db, "PRAGMA synchronous=NORMAL");
    assert_refused(APPEND, "synchronous");
    assert_refused("SELECT ves_config('allow_relaxed_sync', 2)", "0 or 1");
    assert_refused("SELECT ves_config('allow_relaxed_sync', 'yes')", "0 or 1");
    assert_refused("SELECT ves_config('colour', 1)", "no such thing");
    assert_string_equal(ask(db, "SELECT ves_config('allow_relaxed_sync', 1)"),
                        "1");
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    ask(db, "SELECT ves_config('allow_relaxed_sync', 0)");
    assert_refused(APPEND, "synchronous");
    /* Before the store is first used, and for this connection alone. */
    sqlite3 *other = open_loaded("till.db");
    ask(other, "PRAGMA synchronous=OFF");
    assert_string_equal(ask(other, "SELECT ves_config('allow_relaxed_sync')"),
                        "0");
    ask(other, "SELECT ves_config('allow_relaxed_sync', 1)");
    assert_int_equal(strlen(ask(other, APPEND)), 36);
    assert_refused(APPEND, "synchronous");
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void schema_cannot_sign_or_look(void **state)
{
    static const char *const calls[] = {
        "ves_append('order.created', 'X', '{}')",
        "ves_config('allow_relaxed_sync', 1)",
        "ves_status()",
        "ves_outbox()",
        "ves_entity('a', 'b')",
        "ves_why('x')",
        "ves_state_hash()",
    };
    char statement[512];

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        snprintf(statement, sizeof(statement),
                 "CREATE TRIGGER evil AFTER INSERT ON sales BEGIN"
                 " SELECT %s; END",
                 calls[i]);
        assert_string_equal(ask(db, statement), "");
        assert_refused("INSERT INTO sales(sku) VALUES ('A')", "unsafe use");
        ask(db, "DROP TRIGGER evil");
        snprintf(statement, sizeof(statement), "CREATE VIEW evil AS SELECT %s",
                 calls[i]);
        assert_string_equal(ask(db, statement), "");
        assert_refused("SELECT * FROM evil", "unsafe use");
        ask(db, "DROP VIEW evil");
    }
    ask(db, "CREATE VIEW evil AS SELECT * FROM ves_session");
    assert_refused("SELECT * FROM evil", "unsafe use");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "0");
}

static void append_inside_a_writing_statement_is_refused(void **state)
{
    (void)state;
    assert_refused("INSERT INTO sales(sku) VALUES (ves_append('order.created',"
                   " 'O', '{\"currency\":\"GBP\",\"lines\":[]}'))",
                   "statement of its own");
    ask(db, "BEGIN");
    assert_refused("UPDATE ves_meta SET value = value || ves_append("
                   "'order.created', 'O', '{}')",
                   "statement of its own");
    ask(db, "COMMIT");
    assert_string_equal(ask(db, "SELECT count(*) FROM sales"), "0");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "0");
}

static void connection_closes_cleanly(void **state)
{
    (void)state;
    ask(db, APPEND);
    ask(db, "SELECT ves_status()");
    /* The legacy close fails as long as a statement is left. */
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    db = open_loaded("till.db");
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    /* Closing too early, with a statement of the host's own: afterwards both
     * still work. */
    sqlite3_stmt *stmt;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT ves_status()", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_BUSY);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_finalize(stmt);
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    db = NULL;
}

static void loading_twice_is_harmless(void **state)
{
    char *error = NULL;

    (void)state;
    ask(db, APPEND);
    assert_int_equal(sqlite3_load_extension(db, extension, NULL, &error),
                     SQLITE_OK);
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "2");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    db = NULL;
}

static void two_connections_share_one_chain(void **state)
{
    sqlite3 *other = open_loaded("till.db");

    (void)state;
    ask(other, "PRAGMA synchronous=FULL");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(strlen(ask(db, APPEND)), 36);
        assert_int_equal(strlen(ask(other, APPEND)), 36);
    }
    ask(db, "BEGIN IMMEDIATE");
    assert_says(ask(other, APPEND), "error: ");
    assert_int_equal(sqlite3_errcode(other), SQLITE_BUSY);
    ask(db, "COMMIT");
    assert_int_equal(strlen(ask(other, APPEND)), 36);
    sqlite3_close(other);
    struct ves_agent *agent = test_shop_again(&shop, "till.db", NULL);
    struct ves_error error;
    bool is_healthy;
    assert_int_equal(ves_agent_doctor(agent, doc.jw, &is_healthy, &error),
                     VES_OK);
    assert_true(is_healthy);
    ves_agent_close(agent);
}

static void without_a_store_it_says_so(void **state)
{
    sqlite3 *plain = open_loaded("plain.db");
    sqlite3 *memory;

    (void)state;
    assert_string_equal(ask(plain, "SELECT ves_version()"), VES_VERSION);
    assert_says(ask(plain, "SELECT ves_status()"), "no VES store");
    assert_says(ask(plain, APPEND), "ves init");
    assert_string_equal(ask(plain, "SELECT count(*) FROM sqlite_schema"), "0");
    assert_int_equal(sqlite3_close(plain), SQLITE_OK);
    assert_int_equal(sqlite3_open(":memory:", &memory), SQLITE_OK);
    sqlite3_db_config(memory, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    assert_int_equal(sqlite3_load_extension(memory, extension, NULL, NULL),
                     SQLITE_OK);
    assert_says(ask(memory, APPEND), "error: ");
    assert_int_equal(sqlite3_close(memory), SQLITE_OK);
}

static void sealed_key_opens_with_the_named_file(void **state)
{
    const char *file = test_shop_path(&shop, "word");
    struct ves_error error;

    (void)state;
    assert_int_equal(ves_file_write(file, ves_bytes_str("a long word\n"),
                                    VES_FILE_NEW, &error),
                     VES_OK);
    unsetenv("VES_PASSPHRASE_FILE");
    ves_agent_close(test_shop_sealed(&shop, "sealed.db", "a long word"));
    sqlite3 *sealed = open_loaded("sealed.db");
    ask(sealed, "PRAGMA synchronous=FULL");
    assert_says(ask(sealed, APPEND), "passphrase");
    assert_string_equal(
        ask(sealed, "SELECT json_extract(ves_status(), '$.counts.pending')"),
        "0");
    setenv("VES_PASSPHRASE_FILE", file, 1);
    assert_int_equal(strlen(ask(sealed, APPEND)), 36);
    unsetenv("VES_PASSPHRASE_FILE");
    assert_int_equal(sqlite3_close(sealed), SQLITE_OK);
}

static void expect_failure(const char *statements, const char *words)
{
    char *error = NULL;

    assert_int_not_equal(sqlite3_exec(db, statements, NULL, NULL, &error),
                         SQLITE_OK);
    assert_says(error, words);
    sqlite3_free(error);
}

/* SQLite takes nothing back when a SELECT fails: what a row was told stands,
 * until its transaction is rolled back. */
static void a_call_stands_for_itself(void **state)
{
    static const char third_is_bad[] =
        "SELECT ves_append('order.created', sku, CASE id WHEN 3 THEN 'no'"
        " ELSE '{\"currency\":\"GBP\"}' END) FROM sales ORDER BY id";

    (void)state;
    sqlite3_exec(db, "INSERT INTO sales VALUES (1,'A'), (2,'B'), (3,'C')", NULL,
                 NULL, NULL);
    expect_failure(third_is_bad, "not valid JSON");
    assert_string_equal(ask(db, "SELECT group_concat(entity_id) FROM"
                                " ves_outbox_view"),
                        "A,B");
    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    expect_failure(third_is_bad, "not valid JSON");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "4");
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "2");
    sqlite3_exec(db, "BEGIN IMMEDIATE; SAVEPOINT all_or_none", NULL, NULL,
                 NULL);
    expect_failure(third_is_bad, "not valid JSON");
    sqlite3_exec(db,
                 "ROLLBACK TO all_or_none; INSERT INTO sales VALUES (4,"
                 " 'D'); COMMIT",
                 NULL, NULL, NULL);
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "2");
    assert_string_equal(ask(db, "SELECT count(*) FROM sales"), "4");
    /* Where SQLite would take back, no call is made at all. */
    expect_failure("INSERT INTO sales (sku) SELECT ves_append("
                   "'order.created', sku, '{\"currency\":\"GBP\"}')"
                   " FROM sales",
                   "still running");
    assert_string_equal(ask(db, "SELECT count(*) FROM ves_outbox"), "2");
}

/* The table that ties the agent to the connection would be a file's own. */
static void a_strangers_session_is_refused(void **state)
{
    (void)state;
    sqlite3_exec(db, "CREATE TABLE ves_session (a)", NULL, NULL, NULL);
    assert_refused(APPEND, "table ves_session");
    assert_refused("SELECT ves_status()", "table ves_session");
    sqlite3_exec(db, "DROP TABLE ves_session", NULL, NULL, NULL);
    assert_int_equal(strlen(ask(db, APPEND)), 36);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    db = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_stands_for_itself),
        TEST(a_strangers_session_is_refused),
        TEST(append_gives_an_event_id),
        TEST(rollback_removes_both),
        TEST(options_are_taken_and_checked),
        TEST(bad_arguments_are_sql_errors),
        TEST(read_functions_answer_in_json),
        TEST(views_show_the_same),
        TEST(relaxed_sync_must_be_asked_for),
        TEST(schema_cannot_sign_or_look),
        TEST(append_inside_a_writing_statement_is_refused),
        TEST(connection_closes_cleanly),
        TEST(loading_twice_is_harmless),
        TEST(two_connections_share_one_chain),
        TEST(without_a_store_it_says_so),
        TEST(sealed_key_opens_with_the_named_file),
    };

    if (!find_extension()) {
        /* Not built in every variant; saying so beats testing nothing. */
        printf("1..1\nok 1 - extension # SKIP there is no %s\n", extension);
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
