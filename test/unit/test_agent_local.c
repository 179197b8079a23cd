/* test_agent_local.c -- the local store: making, opening, appending, sharing
 * one file.
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
#include "base/text.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "os/keyfile.h"
#include "test/lib/test_shop.h"
#include "test/lib/test_util.h"

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

#define ORDER                                                             \
    "{\"currency\":\"GBP\",\"lines\":[{\"line_uid\":\"1\",\"sku\":\"A\"," \
    "\"quantity\":\"2\",\"unit_price_minor\":250}]}"

static void sql(sqlite3 *db, const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

static int64_t sql_number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

/* An application's own connection, as it should be. */
static sqlite3 *app_open(const char *name)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(test_shop_path(&shop, name), &db), SQLITE_OK);
    sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE IF NOT EXISTS sales(id INTEGER PRIMARY KEY, sku)");
    return db;
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(stat(test_shop_path(&shop, name), &st), 0);
    return st.st_mode & 0777;
}

static enum ves_status try_append(struct ves_agent *agent, const char *type,
                                  const char *payload, struct ves_error *error)
{
    const struct ves_append what = {
        .type = type,
        .aggregate_id = "ORD-1",
        .payload = ves_bytes_str(payload),
    };
    struct ves_uuid event_id;

    memset(error, 0, sizeof(*error));
    return ves_append(agent, &what, &event_id, error);
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

static uint64_t pending(struct ves_agent *agent)
{
    struct ves_error error;

    assert_int_equal(ves_agent_status(agent, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    return test_number(&doc, "/counts/pending");
}

/* ---- making and opening -------------------------------------------------- */

static void create_makes_store_key_and_credential(void **state)
{
    struct ves_agent_info info, again;
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);

    (void)state;
    ves_agent_info(agent, &info);
    assert_int_equal(mode_of("till.db"), 0600);
    assert_int_equal(mode_of("till.db.key"), 0600);
    assert_int_equal(mode_of("till.db.credential"), 0600);
    assert_string_equal(info.url, "http://127.0.0.1:1");
    assert_int_equal(info.key_id, 1);
    assert_int_equal(info.agent.b[6] >> 4, 7);
    assert_false(ves_uuid_is_nil(&info.agent));
    struct ves_agent *second = test_shop_again(&shop, "till.db", NULL);
    ves_agent_info(second, &again);
    assert_memory_equal(&info.agent, &again.agent, sizeof(info.agent));
    assert_memory_equal(&info.public_key, &again.public_key,
                        sizeof(info.public_key));
    assert_memory_equal(&info.stream, &again.stream, sizeof(info.stream));
    ves_agent_close(second);
    ves_agent_close(agent);
}

static void secret_key_is_not_in_the_store(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    uint8_t seed[VES_SEED_SIZE];

    (void)state;
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    ves_agent_close(agent);
    struct ves_bytes key = test_read_file(test_shop_path(&shop, "till.db.key"));
    const char *hex = strstr((const char *)key.ptr, "seed ");
    assert_non_null(hex);
    assert_int_equal(ves_hex_decode(ves_bytes(hex + 5, 64), seed, sizeof(seed)),
                     VES_OK);
    struct ves_bytes file = test_read_file(test_shop_path(&shop, "till.db"));
    assert_true(file.len > 4096);
    assert_null(memmem(file.ptr, file.len, seed, sizeof(seed)));
    assert_null(memmem(file.ptr, file.len, hex + 5, 64));
    assert_null(memmem(file.ptr, file.len, "ss_test", 7));
    free((void *)(uintptr_t)key.ptr);
    free((void *)(uintptr_t)file.ptr);
}

static void create_again_is_the_same_store(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_uuid id = agent->core.agent;

    (void)state;
    ves_agent_close(agent);
    agent = test_shop_store(&shop, "till.db", NULL);
    assert_memory_equal(&id, &agent->core.agent, sizeof(id));
    ves_agent_close(agent);

    const struct ves_agent_options options = {
        .path = test_shop_path(&shop, "till.db")};
    struct ves_agent_identity other = {
        .stream = {shop.hub.stream.store, shop.hub.stream.tenant}};
    struct ves_error error;
    assert_int_equal(ves_agent_create(&options, &other, &agent, &error),
                     VES_CONFLICT);
    assert_says(&error, "another stream");
    /* The identity counts, not only the stream. */
    other.stream = shop.hub.stream;
    other.agent = test_id(99);
    assert_int_equal(ves_agent_create(&options, &other, &agent, &error),
                     VES_CONFLICT);
}

static void interrupted_create_keeps_its_key(void **state)
{
    struct ves_public_key key;
    struct ves_error error;

    (void)state;
    assert_int_equal(ves_keyfile_generate(test_shop_path(&shop, "till.db.key"),
                                          VES_KEY_AGENT, NULL, &key, &error),
                     VES_OK);
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    assert_memory_equal(&agent->public_key, &key, sizeof(key));
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    ves_agent_close(agent);
}

static void open_says_when_there_is_no_store(void **state)
{
    struct ves_agent_options options = {.path =
                                            test_shop_path(&shop, "absent.db")};
    struct ves_agent *agent = NULL;
    struct ves_error error;

    (void)state;
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_NOT_FOUND);
    assert_says(&error, "absent.db");
    assert_says(&error, "ves init");
    assert_int_not_equal(access(options.path, F_OK), 0);
    /* A database without our tables, and one that is none at all. */
    sqlite3 *db = app_open("app.db");
    options.path = NULL;
    options.connection = db;
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_NOT_FOUND);
    assert_int_equal(sql_number(db, "SELECT count(*) FROM sqlite_schema"
                                    " WHERE name LIKE 'ves%'"),
                     0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    FILE *file = fopen(test_shop_path(&shop, "text.db"), "w");
    fputs("this is no database, but long enough to be taken for one", file);
    fclose(file);
    options.connection = NULL;
    options.path = test_shop_path(&shop, "text.db");
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_CORRUPT);
    options.path = "";
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_INVALID);
}

static void store_must_have_a_file(void **state)
{
    struct ves_agent_options options = {0};
    const struct ves_agent_identity identity = {.stream = shop.hub.stream};
    struct ves_agent *agent = NULL;
    struct ves_error error;
    sqlite3 *db;

    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    options.connection = db;
    assert_int_equal(ves_agent_create(&options, &identity, &agent, &error),
                     VES_INVALID);
    assert_says(&error, "has no file");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void store_needs_a_stream(void **state)
{
    const struct ves_agent_options options = {
        .path = test_shop_path(&shop, "till.db")};
    const struct ves_agent_identity identity = {0};
    struct ves_agent *agent = NULL;
    struct ves_error error;

    (void)state;
    assert_int_equal(ves_agent_create(&options, &identity, &agent, &error),
                     VES_INVALID);
    assert_int_not_equal(access(options.path, F_OK), 0);
}

/* ---- keys ----------------------------------------------------------------
 */

static void missing_key_matters_only_for_signing(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_error error;

    (void)state;
    ves_agent_close(agent);
    assert_int_equal(unlink(test_shop_path(&shop, "till.db.key")), 0);
    agent = test_shop_again(&shop, "till.db", NULL);
    assert_int_equal(pending(agent), 0);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_NOT_FOUND);
    assert_says(&error, "till.db.key");
    assert_int_equal(pending(agent), 0);
    ves_agent_close(agent);
}

static void key_of_another_agent_is_refused(void **state)
{
    struct ves_agent *till = test_shop_store(&shop, "till.db", NULL);
    struct ves_agent *other = test_shop_store(&shop, "other.db", NULL);
    struct ves_error error;

    (void)state;
    ves_agent_close(till);
    ves_agent_close(other);
    assert_int_equal(rename(test_shop_path(&shop, "other.db.key"),
                            test_shop_path(&shop, "till.db.key")),
                     0);
    till = test_shop_again(&shop, "till.db", NULL);
    assert_int_equal(try_append(till, "order.created", ORDER, &error),
                     VES_CONFLICT);
    assert_says(&error, "another agent's key");
    assert_int_equal(pending(till), 0);
    ves_agent_close(till);
}

static void key_open_to_others_is_refused(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_error error;

    (void)state;
    ves_agent_close(agent);
    assert_int_equal(chmod(test_shop_path(&shop, "till.db.key"), 0640), 0);
    agent = test_shop_again(&shop, "till.db", NULL);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_REFUSED);
    assert_int_equal(pending(agent), 0);
    ves_agent_close(agent);
}

static int say_word(void *ctx, char *out, size_t size)
{
    const char *word = ctx;
    size_t len = strlen(word);

    assert_true(len <= size);
    memcpy(out, word, len);
    return (int)len;
}

static void sealed_key_wants_its_passphrase(void **state)
{
    char right[] = "correct horse", wrong[] = "battery staple";
    struct ves_agent_options options = {
        .path = test_shop_path(&shop, "till.db"),
        .passphrase = say_word,
        .passphrase_ctx = right,
    };
    const struct ves_agent_make make = {
        .identity = {.stream = shop.hub.stream, .key_id = 1}, .seal_key = true};
    struct ves_agent *agent = NULL;
    struct ves_error error;

    (void)state;
    assert_int_equal(ves_agent_make(&options, &make, &agent, &error), VES_OK);
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    ves_agent_close(agent);
    options.passphrase_ctx = wrong;
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_OK);
    assert_int_equal(pending(agent), 1); /* looking needs no passphrase */
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_AUTH);
    ves_agent_close(agent);
    options.passphrase = NULL;
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_OK);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_AUTH);
    assert_int_equal(pending(agent), 1);
    ves_agent_close(agent);
}

static void read_only_store_shows_and_does_not_sign(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_agent_options options = {
        .path = test_shop_path(&shop, "till.db"), .is_read_only = true};
    struct ves_error error;
    uint64_t number;

    (void)state;
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    ves_agent_close(agent);
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_OK);
    assert_int_equal(pending(agent), 1);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    assert_says(&error, "reading only");
    assert_int_equal(ves_agent_retry(agent, NULL, &number, &error),
                     VES_INVALID);
    assert_int_equal(ves_agent_prune(agent, 1, &number, &error), VES_INVALID);
    assert_int_equal(ves_agent_set(agent, "batchSize", "5", &error),
                     VES_INVALID);
    assert_int_equal(ves_agent_begin(agent, &error), VES_INVALID);
    ves_agent_close(agent);
}

/* ---- the caller's transaction -------------------------------------------- */

static void commit_makes_both_true_and_rollback_removes_both(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);

    (void)state;
    sql(db, "BEGIN; INSERT INTO sales(sku) VALUES ('A')");
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    sql(db, "ROLLBACK");
    assert_int_equal(sql_number(db, "SELECT count(*) FROM sales"), 0);
    assert_int_equal(sql_number(db, "SELECT count(*) FROM ves_outbox"), 0);
    assert_int_equal(pending(agent), 0);

    sql(db, "BEGIN; INSERT INTO sales(sku) VALUES ('A')");
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    test_shop_append(agent, "order.updated", "ORD-1",
                     "{\"patch\":{\"note\":\"x\"},\"before\":{}}");
    sql(db, "COMMIT");
    assert_int_equal(sql_number(db, "SELECT count(*) FROM sales"), 1);
    assert_int_equal(pending(agent), 2);
    /* What was rolled back left no hole in the agent's chain. */
    assert_healthy(agent);

    sqlite3 *other = app_open("app.db");
    assert_int_equal(sql_number(other, "SELECT count(*) FROM sales"), 1);
    assert_int_equal(sql_number(other, "SELECT count(*) FROM ves_outbox"), 2);
    sqlite3_close(other);
    ves_agent_close(agent);
    /* Nothing of ours keeps the caller from closing. */
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void savepoints_of_the_caller_hold_too(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);

    (void)state;
    sql(db, "BEGIN");
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    sql(db, "SAVEPOINT a");
    test_shop_append(agent, "order.created", "ORD-2", ORDER);
    sql(db, "ROLLBACK TO a; RELEASE a");
    test_shop_append(agent, "order.created", "ORD-3", ORDER);
    sql(db, "COMMIT");
    assert_int_equal(pending(agent), 2);
    assert_healthy(agent);
    ves_agent_close(agent);
    sqlite3_close(db);
}

static void append_without_transaction_makes_its_own(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);

    (void)state;
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    assert_int_equal(sqlite3_get_autocommit(db), 1);
    sqlite3 *other = app_open("app.db");
    assert_int_equal(sql_number(other, "SELECT count(*) FROM ves_outbox"), 1);
    sqlite3_close(other);
    ves_agent_close(agent);
    sqlite3_close(db);
}

static void failed_append_leaves_the_transaction_alone(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    struct ves_error error;

    (void)state;
    sql(db, "BEGIN; INSERT INTO sales(sku) VALUES ('A')");
    assert_int_equal(try_append(agent, "order.created", "{\"lines\":", &error),
                     VES_MALFORMED);
    assert_int_equal(
        try_append(agent, "order.created", "{\"_ves\":{}}", &error),
        VES_INVALID);
    assert_says(&error, "_ves");
    assert_int_equal(try_append(agent, "ves.note", "{}", &error), VES_INVALID);
    assert_int_equal(try_append(agent, "", "{}", &error), VES_INVALID);
    sql(db, "COMMIT");
    assert_int_equal(sql_number(db, "SELECT count(*) FROM sales"), 1);
    assert_int_equal(pending(agent), 0);
    ves_agent_close(agent);
    sqlite3_close(db);
}

/* What broke it came after the outbox row: only the whole can be taken back. */
static void append_broken_in_the_middle_takes_the_transaction(void **state)
{
    static const char *const tables[] = {"INSERT ON main.ves_entities",
                                         "INSERT ON main.ves_entity_buckets",
                                         "INSERT ON main.ves_meta"};
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    struct ves_error error;
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        snprintf(text, sizeof(text),
                 "CREATE TEMP TRIGGER no BEFORE %s BEGIN "
                 "SELECT RAISE(ABORT, 'no'); END",
                 tables[i]);
        sql(db, text);
        sql(db, "BEGIN; INSERT INTO sales(sku) VALUES ('A')");
        assert_int_not_equal(try_append(agent, "order.created", ORDER, &error),
                             VES_OK);
        assert_says(&error, "rolled back as a whole");
        assert_int_equal(sqlite3_get_autocommit(db), 1);
        assert_int_equal(sql_number(db, "SELECT count(*) FROM sales"), 0);
        assert_int_equal(sql_number(db, "SELECT count(*) FROM ves_outbox"), 0);
        sql(db, "DROP TRIGGER no");
    }
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    assert_healthy(agent);
    ves_agent_close(agent);
    sqlite3_close(db);
}

static int interrupt_at_zero(void *ctx)
{
    int *left = ctx;
    return --*left == 0;
}

static void append_interrupted_anywhere_is_all_or_nothing(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    struct ves_error error;
    int64_t events = 0, sales = 0;
    int steps = 0, rolled_back = 0, left;

    (void)state;
    do {
        left = ++steps;
        sql(db, "BEGIN; INSERT INTO sales(sku) VALUES ('A')");
        sqlite3_progress_handler(db, 1, interrupt_at_zero, &left);
        enum ves_status status =
            try_append(agent, "order.created", ORDER, &error);
        sqlite3_progress_handler(db, 0, NULL, NULL);
        bool is_gone = sqlite3_get_autocommit(db) != 0;
        if (!is_gone)
            sql(db, "COMMIT");
        events += status == VES_OK;
        sales += !is_gone;
        rolled_back += is_gone;
        assert_true(status != VES_OK || !is_gone);
        assert_true(!is_gone || strstr(error.text, "rolled back as a whole"));
        assert_int_equal(sql_number(db, "SELECT count(*) FROM ves_outbox"),
                         events);
        assert_int_equal(sql_number(db, "SELECT count(*) FROM sales"), sales);
        assert_true(steps < 5000);
    } while (left <= 0);
    print_message("# %d steps, %d rolled back\n", steps, rolled_back);
    assert_true(steps > 50 && rolled_back > 0 && rolled_back < steps);
    assert_int_equal(pending(agent), events);
    assert_healthy(agent);
    ves_agent_close(agent);
    sqlite3_close(db);
}

static void relaxed_connection_is_refused(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    struct ves_error error;

    (void)state;
    /* The answer of an earlier moment must not be taken for today's. */
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    sql(db, "PRAGMA synchronous=NORMAL");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    assert_says(&error, "synchronous");
    sql(db, "PRAGMA synchronous=OFF; BEGIN");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    /* Nor that of a transaction which was rolled back. */
    sql(db, "COMMIT; PRAGMA synchronous=FULL; BEGIN");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    sql(db, "ROLLBACK; PRAGMA synchronous=OFF; BEGIN");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    sql(db, "COMMIT; PRAGMA synchronous=EXTRA");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    assert_int_equal(pending(agent), 2);
    /* Nor may the journal be one that a crash takes along. */
    sql(db, "PRAGMA journal_mode=MEMORY");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    assert_says(&error, "journal_mode");
    sql(db, "PRAGMA journal_mode=OFF; BEGIN");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    sql(db, "COMMIT; PRAGMA journal_mode=DELETE");
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    sql(db, "PRAGMA journal_mode=WAL");
    assert_int_equal(pending(agent), 3);
    ves_agent_close(agent);

    sql(db, "PRAGMA synchronous=OFF");
    const struct ves_agent_options options = {.connection = db,
                                              .allow_relaxed_sync = true};
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_OK);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    ves_agent_close(agent);
    sqlite3_close(db);
}

static void append_inside_a_writing_statement_is_refused(void **state)
{
    sqlite3 *db = app_open("app.db");
    struct ves_agent *agent = test_shop_store(&shop, "app.db", db);
    struct ves_error error;
    sqlite3_stmt *stmt;

    (void)state;
    assert_int_equal(
        sqlite3_prepare_v2(
            db, "INSERT INTO sales(sku) VALUES ('A'), ('B') RETURNING id", -1,
            &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error),
                     VES_INVALID);
    assert_says(&error, "still running");
    sqlite3_finalize(stmt);
    assert_int_equal(try_append(agent, "order.created", ORDER, &error), VES_OK);
    assert_int_equal(sql_number(db, "SELECT count(*) FROM ves_outbox"), 1);
    ves_agent_close(agent);
    sqlite3_close(db);
}

/* ---- several at one file ------------------------------------------------- */

static void two_connections_take_turns(void **state)
{
    sqlite3 *one = app_open("app.db");
    struct ves_agent *first = test_shop_store(&shop, "app.db", one);
    sqlite3 *two = app_open("app.db");
    struct ves_agent *second = test_shop_again(&shop, "app.db", two);
    struct ves_error error;

    (void)state;
    test_shop_append(first, "order.created", "ORD-1", ORDER);
    test_shop_append(second, "order.created", "ORD-2", ORDER);
    test_shop_append(first, "order.created", "ORD-3", ORDER);

    sql(one, "BEGIN IMMEDIATE");
    test_shop_append(first, "order.created", "ORD-4", ORDER);
    assert_int_equal(try_append(second, "order.created", ORDER, &error),
                     VES_BUSY);
    assert_int_equal(pending(second), 3); /* the last commit */
    sql(one, "COMMIT");
    assert_int_equal(try_append(second, "order.created", ORDER, &error),
                     VES_OK);
    assert_int_equal(pending(first), 5);
    /* One chain, whoever appended. */
    assert_healthy(first);
    assert_healthy(second);
    ves_agent_close(first);
    ves_agent_close(second);
    sqlite3_close(one);
    sqlite3_close(two);
}

static void own_connection_in_bulk(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_error error;
    char id[16];

    (void)state;
    assert_int_equal(ves_agent_commit(agent, &error), VES_INVALID);
    assert_int_equal(ves_agent_begin(agent, &error), VES_OK);
    assert_int_equal(ves_agent_begin(agent, &error), VES_INVALID);
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof(id), "ORD-%d", i);
        test_shop_append(agent, "order.created", id, ORDER);
    }
    struct ves_agent *other = test_shop_again(&shop, "till.db", NULL);
    assert_int_equal(pending(other), 0);
    assert_int_equal(ves_agent_commit(agent, &error), VES_OK);
    assert_int_equal(pending(other), 50);
    assert_int_equal(ves_agent_begin(agent, &error), VES_OK);
    test_shop_append(agent, "order.created", "ORD-50", ORDER);
    ves_agent_rollback(agent);
    ves_agent_rollback(agent);
    assert_int_equal(pending(agent), 50);
    assert_int_equal(ves_agent_begin(agent, &error), VES_OK);
    test_shop_append(agent, "order.created", "ORD-50", ORDER);
    ves_agent_close(agent); /* as a process that ends */
    assert_int_equal(pending(other), 50);
    assert_healthy(other);
    ves_agent_close(other);
}

static void symbolic_link_finds_the_same_key(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);

    (void)state;
    ves_agent_close(agent);
    assert_int_equal(symlink(test_shop_path(&shop, "till.db"),
                             test_shop_path(&shop, "link.db")),
                     0);
    agent = test_shop_again(&shop, "link.db", NULL);
    test_shop_append(agent, "order.created", "ORD-1", ORDER);
    ves_agent_close(agent);
}

/* ---- ids ----------------------------------------------------------------- */

static void event_ids_are_ordered_and_unique(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_uuid last = {{0}}, id;
    struct ves_error error;
    bool is_there;

    (void)state;
    for (int i = 0; i < 100; i++) {
        id = test_shop_append(agent, "order.created", "ORD-1", ORDER);
        assert_int_equal(id.b[6] >> 4, 7);
        assert_true(memcmp(last.b, id.b, sizeof(id.b)) < 0);
        last = id;
    }
    assert_int_equal(ves_agent_has_event(agent, &id, &is_there, &error),
                     VES_OK);
    assert_true(is_there);
    id.b[15] ^= 1;
    assert_int_equal(ves_agent_has_event(agent, &id, &is_there, &error),
                     VES_OK);
    assert_false(is_there);
    /* An id of the caller's choice is taken once. */
    const struct ves_append what = {
        .type = "order.created",
        .aggregate_id = "ORD-2",
        .payload = ves_bytes_str(ORDER),
        .event_id = &last,
    };
    assert_int_equal(ves_append(agent, &what, &id, &error), VES_CONFLICT);
    ves_agent_close(agent);
}

static void import_id_is_the_hash_it_says(void **state)
{
    struct ves_agent *agent = test_shop_store(&shop, "till.db", NULL);
    struct ves_uuid id, again, expected;
    struct ves_hash hash;
    struct ves_buf buf;

    (void)state;
    ves_buf_init(&buf, ves_alloc_default(), 1024);
    ves_buf_put_str(&buf, "VES_IMPORT_V1");
    ves_buf_put(&buf, shop.hub.stream.tenant.b, 16);
    ves_buf_put(&buf, shop.hub.stream.store.b, 16);
    ves_buf_put(&buf, agent->core.agent.b, 16);
    ves_buf_put_lstr(&buf, ves_bytes_str("online-retail"));
    ves_buf_put_lstr(&buf, ves_bytes_str("order.created"));
    ves_buf_put_lstr(&buf, ves_bytes_str("536365"));
    ves_buf_put_u64(&buf, 7);
    ves_sha256_one(buf.ptr, buf.len, &hash);
    memcpy(expected.b, hash.b, sizeof(expected.b));
    expected.b[6] = (uint8_t)((expected.b[6] & 0x0F) | 0x80);
    expected.b[8] = (uint8_t)((expected.b[8] & 0x3F) | 0x80);
    ves_buf_free(&buf);
    ves_import_id(agent, "online-retail", "order.created", "536365", 7, &id);
    assert_memory_equal(&id, &expected, sizeof(id));
    ves_import_id(agent, "online-retail", "order.created", "536365", 8, &again);
    assert_memory_not_equal(&id, &again, sizeof(id));
    /* A border between two texts is part of what is hashed. */
    ves_import_id(agent, "online-retailo", "rder.created", "536365", 7, &again);
    assert_memory_not_equal(&id, &again, sizeof(id));
    ves_agent_close(agent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create_makes_store_key_and_credential),
        TEST(secret_key_is_not_in_the_store),
        TEST(create_again_is_the_same_store),
        TEST(interrupted_create_keeps_its_key),
        TEST(open_says_when_there_is_no_store),
        TEST(store_must_have_a_file),
        TEST(store_needs_a_stream),
        TEST(missing_key_matters_only_for_signing),
        TEST(key_of_another_agent_is_refused),
        TEST(key_open_to_others_is_refused),
        TEST(sealed_key_wants_its_passphrase),
        TEST(read_only_store_shows_and_does_not_sign),
        TEST(commit_makes_both_true_and_rollback_removes_both),
        TEST(savepoints_of_the_caller_hold_too),
        TEST(append_without_transaction_makes_its_own),
        TEST(failed_append_leaves_the_transaction_alone),
        TEST(append_broken_in_the_middle_takes_the_transaction),
        TEST(append_interrupted_anywhere_is_all_or_nothing),
        TEST(relaxed_connection_is_refused),
        TEST(append_inside_a_writing_statement_is_refused),
        TEST(two_connections_take_turns),
        TEST(own_connection_in_bulk),
        TEST(symbolic_link_finds_the_same_key),
        TEST(event_ids_are_ordered_and_unique),
        TEST(import_id_is_the_hash_it_says),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
