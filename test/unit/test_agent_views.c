/* test_agent_views.c -- documents, settings, backup, prune, doctor and why. */
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
#include "os/clock.h"
#include "test/lib/test_shop.h"
#include "test/lib/test_util.h"

static struct test_shop shop;
static struct test_document doc;
static struct ves_agent *till;

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    test_document_open(&doc);
    shop.hub.now_ms = ves_clock_now_ms();
    till = test_shop_store(&shop, "till.db", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_agent_close(till);
    till = NULL;
    test_document_close(&doc);
    test_shop_close(&shop);
    return 0;
}

#define ORDER "{\"currency\":\"GBP\",\"lines\":[]}"
#define NOTE  "{\"patch\":{\"note\":\"x\"},\"before\":{}}"

static void assert_ok(enum ves_status status, const struct ves_error *error)
{
    if (status)
        fail_msg("%s: %s", ves_status_name(status), error->text);
}

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void read_status(struct ves_agent *agent)
{
    struct ves_error error;

    assert_ok(ves_agent_status(agent, doc.jw, &error), &error);
    test_document_read(&doc);
}

static void read_show(struct ves_agent *agent, const struct ves_uuid *id)
{
    struct ves_error error;

    assert_ok(ves_agent_show(agent, id, doc.jw, &error), &error);
    test_document_read(&doc);
}

static const char *why(struct ves_agent *agent, const struct ves_uuid *id)
{
    struct ves_error error;

    assert_ok(ves_agent_why(agent, id, doc.jw, &error), &error);
    test_document_read(&doc);
    return test_text(&doc, "/explanation");
}

static void acknowledge(struct ves_agent *agent, uint64_t expected)
{
    struct ves_ack_report report;
    struct ves_error error;

    assert_ok(ves_acknowledge(agent, NULL, 0, &report, &error), &error);
    assert_int_equal(report.acknowledged, expected);
}

static void sql(const char *name, const char *text)
{
    char *error = NULL;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(test_shop_path(&shop, name), &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

static int64_t sql_number(const char *name, const char *text)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(test_shop_path(&shop, name), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

/* What a push or a pull would have left. */
struct fate {
    enum ves_outbox_status status;
    uint32_t attempts;
    uint32_t error_class;
    const char *error;
    int64_t next_attempt_ms;
    uint64_t sequence_number;
    const char *disposition;
    bool is_refused;
};

static void meet(const struct ves_uuid *id, const struct fate *fate)
{
    const struct ves_store_ops *ops = till->store->ops;
    struct ves_outbox_row row;

    ves_agent_start(till);
    assert_int_equal(ops->outbox_get(till->store, id, 1, &till->arena, &row),
                     VES_OK);
    row.status = fate->status;
    row.attempts = fate->attempts;
    row.error_class = fate->error_class;
    row.error = ves_bytes_str(fate->error);
    row.next_attempt_ms = fate->next_attempt_ms;
    row.sequence_number = fate->sequence_number;
    row.disposition = ves_bytes_str(fate->disposition);
    row.is_refused = fate->is_refused;
    assert_int_equal(ops->begin(till->store), VES_OK);
    assert_int_equal(ops->outbox_update(till->store, &row, 1), VES_OK);
    assert_int_equal(ops->commit(till->store), VES_OK);
}

/* ---- status -------------------------------------------------------------- */

static void status_says_what_is_so(void **state)
{
    (void)state;
    read_status(till);
    assert_string_equal(test_text(&doc, "/health"), "pending_work");
    assert_says(test_text(&doc, "/summary"), "Nothing to send");
    assert_says(test_text(&doc, "/summary"), "not contacted yet");
    assert_int_equal(
        ves_json_pointer(doc.root, ves_bytes_str("/lastPushAt"))->type,
        VES_JSON_NULL);
    assert_int_equal(
        ves_json_pointer(doc.root, ves_bytes_str("/sequencer/reachable"))->type,
        VES_JSON_NULL);

    test_shop_append(till, "order.created", "ORD-1", ORDER);
    test_shop_append(till, "order.updated", "ORD-1", NOTE);
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/pending"), 2);
    assert_string_equal(test_text(&doc, "/health"), "pending_work");
    assert_says(test_text(&doc, "/summary"), "2 pending");
    assert_null(strstr(test_text(&doc, "/summary"), "synced"));
    assert_string_equal(test_text(&doc, "/nextSteps/0"), "ves sync");
    assert_int_equal(strlen(test_text(&doc, "/oldestPendingAt")), 24);

    assert_int_equal(test_shop_push(&shop, till), 2);
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/syncing"), 2);
    assert_int_equal(test_number(&doc, "/sequence/lastPushed"), 2);
    assert_says(test_text(&doc, "/summary"), "2 syncing");

    acknowledge(till, 2);
    ves_agent_note_contact(till, true, shop.hub.now_ms);
    assert_int_equal(test_shop_pull(&shop, till), 2);
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/synced"), 2);
    assert_says(test_text(&doc, "/summary"), "All own events are synced (2)");
    assert_int_equal(test_number(&doc, "/sequence/lastPulled"), 2);
    assert_int_equal(test_number(&doc, "/stateAtSequence"), 2);
    assert_true(test_is_true(&doc, "/sequencer/reachable"));
    assert_false(test_is_true(&doc, "/sequence/gap"));
    assert_int_equal(test_number(&doc, "/conflictsByType/concurrent_edit"), 0);
    assert_int_equal(test_number(&doc, "/signatureFailures"), 0);
}

static void status_does_not_hide_trouble(void **state)
{
    (void)state;
    struct ves_uuid id = test_shop_append(till, "order.created", "O", ORDER);
    ves_agent_note_contact(till, false, shop.hub.now_ms);
    read_status(till);
    assert_string_equal(test_text(&doc, "/health"), "offline");
    assert_false(test_is_true(&doc, "/sequencer/reachable"));
    meet(&id, &(struct fate){.status = VES_OUTBOX_FAILED, .error = "no"});
    read_status(till);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    assert_string_equal(test_text(&doc, "/nextSteps/0"),
                        "ves outbox --status failed");
    assert_string_equal(test_text(&doc, "/nextSteps/1"), "ves retry");
}

/* Somebody who pulls before the number-th statement of a reader. */
struct puller {
    struct ves_agent *agent;
    int number;
};

static int pull_between(unsigned type, void *ctx, void *statement, void *text)
{
    struct puller *puller = ctx;

    (void)type;
    (void)statement;
    (void)text;
    if (puller->number-- == 0)
        test_shop_pull(&shop, puller->agent);
    return 0;
}

static void a_status_is_of_one_moment(void **state)
{
    (void)state;
    test_shop_append(till, "order.created", "ORD-1", ORDER);
    test_shop_push(&shop, till);
    for (int i = 0; i < 24; i++) {
        char name[32];
        snprintf(name, sizeof(name), "moment-%d.db", i);
        struct ves_agent *reader = test_shop_store(&shop, name, NULL);
        struct puller puller = {test_shop_again(&shop, name, NULL), i};
        sqlite3_trace_v2(reader->connection, SQLITE_TRACE_STMT, pull_between,
                         &puller);
        read_status(reader);
        sqlite3_trace_v2(reader->connection, 0, NULL, NULL);
        if (test_number(&doc, "/stateAtSequence") !=
            test_number(&doc, "/sequence/lastPulled"))
            fail_msg("a pull before statement %d", i);
        ves_agent_close(puller.agent);
        ves_agent_close(reader);
    }
}

static void state_hash_is_the_same_everywhere(void **state)
{
    struct ves_agent *other = test_shop_store(&shop, "other.db", NULL);
    struct ves_hash one, two;
    struct ves_error error;
    uint64_t at;
    char hex[65] = {0};

    (void)state;
    test_shop_append(till, "inventory.adjusted", "SKU-1", "{\"delta\":\"10\"}");
    test_shop_push(&shop, till);
    assert_int_equal(test_shop_pull(&shop, till), 1);
    assert_int_equal(test_shop_pull(&shop, other), 1);
    assert_ok(ves_agent_state_hash(till, &one, &at, &error), &error);
    assert_int_equal(at, 1);
    assert_ok(ves_agent_state_hash(other, &two, &at, &error), &error);
    assert_memory_equal(&one, &two, sizeof(one));
    /* Own events above the cursor are no part of it. */
    test_shop_append(till, "inventory.adjusted", "SKU-1", "{\"delta\":\"1\"}");
    assert_ok(ves_agent_state_hash(till, &two, &at, &error), &error);
    assert_memory_equal(&one, &two, sizeof(one));
    read_status(till);
    ves_hex_encode(one.b, sizeof(one.b), hex);
    assert_string_equal(test_text(&doc, "/stateHash"), hex);
    ves_agent_close(other);
}

/* ---- lists --------------------------------------------------------------- */

static void outbox_lists_by_status_and_in_pages(void **state)
{
    struct ves_error error;
    struct ves_uuid first = test_shop_append(till, "order.created", "O", ORDER);
    char id[VES_UUID_TEXT + 1];

    (void)state;
    test_shop_append(till, "order.updated", "O", NOTE);
    test_shop_append(till, "order.updated", "O", NOTE);
    assert_ok(ves_agent_outbox(till, "pending", 2, 0, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_count(&doc, "/events"), 2);
    assert_int_equal(test_number(&doc, "/total"), 3);
    ves_uuid_format(&first, id);
    assert_string_equal(test_text(&doc, "/events/0/eventId"), id);
    assert_string_equal(test_text(&doc, "/events/0/type"), "order.created");
    assert_string_equal(test_text(&doc, "/events/0/aggregateId"), "O");
    assert_string_equal(test_text(&doc, "/events/0/status"), "pending");
    assert_int_equal(test_number(&doc, "/events/0/attempts"), 0);
    uint64_t last = test_number(&doc, "/lastLocalSequence");
    assert_ok(ves_agent_outbox(till, NULL, 2, last, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_count(&doc, "/events"), 1);
    assert_ok(ves_agent_outbox(till, "failed", 0, 0, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/total"), 0);
    assert_int_equal(ves_agent_outbox(till, "done", 0, 0, doc.jw, &error),
                     VES_INVALID);
    assert_says(error.text, "conflict");
    ves_jw_reset(doc.jw);
}

static void log_keys_trail_and_quarantine_are_documents(void **state)
{
    struct ves_error error;

    (void)state;
    test_shop_append(till, "order.created", "O", ORDER);
    test_shop_append(till, "order.updated", "O", NOTE);
    test_shop_push(&shop, till);
    test_shop_pull(&shop, till);
    assert_ok(ves_agent_log(till, 1, 1, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_count(&doc, "/events"), 1);
    assert_int_equal(test_number(&doc, "/events/0/sequenceNumber"), 1);
    assert_true(test_is_true(&doc, "/events/0/own"));
    assert_true(test_is_true(&doc, "/events/0/receipt"));
    assert_string_equal(test_text(&doc, "/events/0/verdict"), "applied");
    assert_string_equal(test_text(&doc, "/events/0/event/type"),
                        "order.created");
    assert_int_equal(test_number(&doc, "/cursor"), 2);
    assert_true(test_is_true(&doc, "/hasMore"));
    assert_ok(ves_agent_log(till, 2, 10, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_count(&doc, "/events"), 1);
    assert_false(test_is_true(&doc, "/hasMore"));

    assert_ok(ves_agent_trail(till, 0, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_true(test_count(&doc, "/operations") >= 2);
    assert_ok(ves_agent_quarantine(till, 0, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/open"), 0);
    assert_ok(ves_agent_keys(till, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(strlen(test_text(&doc, "/own/publicKey")), 66);
    assert_int_equal(test_count(&doc, "/agents"), 2);
    assert_int_equal(test_count(&doc, "/sequencer/keys"), 1);
}

static void show_has_event_envelope_and_receipt(void **state)
{
    struct ves_uuid id = test_shop_append(till, "order.created", "O", ORDER);
    struct ves_error error;
    char text[VES_UUID_TEXT + 1];

    (void)state;
    ves_uuid_format(&id, text);
    read_show(till, &id);
    assert_string_equal(test_text(&doc, "/status"), "pending");
    assert_string_equal(test_text(&doc, "/event/eventId"), text);
    assert_string_equal(test_text(&doc, "/event/payload/currency"), "GBP");
    assert_null(
        ves_json_pointer(doc.root, ves_bytes_str("/event/payload/_ves")));
    assert_int_equal(test_number(&doc, "/envelope/payload/_ves/agent_seq"), 1);
    assert_int_equal(strlen(test_text(&doc, "/event/signature")), 130);
    assert_true(test_is_true(&doc, "/signatureCheck/valid"));
    assert_null(ves_json_pointer(doc.root, ves_bytes_str("/receipt")));

    test_shop_push(&shop, till);
    acknowledge(till, 1);
    test_shop_pull(&shop, till);
    read_show(till, &id);
    assert_string_equal(test_text(&doc, "/status"), "synced");
    assert_string_equal(test_text(&doc, "/disposition"), "applied");
    assert_string_equal(test_text(&doc, "/verdict"), "applied");
    assert_int_equal(test_number(&doc, "/sequenceNumber"), 1);
    assert_int_equal(test_number(&doc, "/receipt/sequencerKeyVersion"), 1);
    assert_int_equal(strlen(test_text(&doc, "/receipt/sequencerSignature")),
                     128);
    id.b[0] ^= 1;
    assert_int_equal(ves_agent_show(till, &id, doc.jw, &error), VES_NOT_FOUND);
}

static void entity_has_both_states(void **state)
{
    struct ves_error error;

    (void)state;
    test_shop_append(till, "inventory.adjusted", "S", "{\"delta\":\"10\"}");
    test_shop_push(&shop, till);
    test_shop_pull(&shop, till);
    test_shop_append(till, "inventory.adjusted", "S", "{\"delta\":\"-2\"}");
    assert_ok(ves_agent_entity(till, "inventory", "S", doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/version"), 1);
    assert_int_equal(test_number(&doc, "/pending"), 1);
    struct ves_bytes seq =
        ves_json_pointer(doc.root, ves_bytes_str("/state"))->text;
    struct ves_bytes local =
        ves_json_pointer(doc.root, ves_bytes_str("/localState"))->text;
    assert_non_null(memmem(seq.ptr, seq.len, "10", 2));
    assert_non_null(memmem(local.ptr, local.len, "8", 1));
    assert_int_equal(ves_agent_entity(till, "inventory", "T", doc.jw, &error),
                     VES_NOT_FOUND);
    ves_jw_reset(doc.jw);
}

/* ---- settings ------------------------------------------------------------ */

static void settings_come_from_three_places(void **state)
{
    struct ves_error error;

    (void)state;
    unsetenv("VES_BATCH_SIZE");
    assert_int_equal(ves_agent_setting(till, "batchSize"), 100);
    assert_ok(ves_agent_set(till, "batchSize", "250", &error), &error);
    assert_int_equal(ves_agent_setting(till, "batchSize"), 250);
    setenv("VES_BATCH_SIZE", "7", 1);
    assert_int_equal(ves_agent_setting(till, "batchSize"), 7);
    assert_ok(ves_agent_settings(till, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/settings/batchSize"), 7);
    assert_string_equal(test_text(&doc, "/sources/batchSize"), "environment");
    assert_string_equal(test_text(&doc, "/lockedByOperator/0"), "batchSize");
    assert_string_equal(test_text(&doc, "/sources/maxRetries"), "default");
    assert_int_equal(test_number(&doc, "/settings/maxRetries"), 3);
    assert_false(test_is_true(&doc, "/settings/autoSync"));
    assert_string_equal(test_text(&doc, "/settings/conflictStrategy"),
                        "manual");
    assert_int_equal(test_number(&doc, "/version"), 1);
    unsetenv("VES_BATCH_SIZE");
    assert_ok(ves_agent_settings(till, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/sources/batchSize"), "file");
    assert_string_equal(test_text(&doc, "/fixed/sequencerUrl"),
                        "http://127.0.0.1:1");
}

static void settings_refuse_nonsense(void **state)
{
    static const struct {
        const char *name, *value;
        enum ves_status status;
    } cases[] = {
        {"batchSize", "0", VES_INVALID},
        {"batchSize", "1001", VES_INVALID},
        {"batchSize", "-1", VES_INVALID},
        {"batchSize", "1e2", VES_INVALID},
        {"batchSize", "", VES_INVALID},
        {"autoSync", "yes", VES_INVALID},
        {"conflictStrategy", "newest", VES_INVALID},
        {"outboxRetentionDays", "3651", VES_INVALID},
        {"syncIntervalMs", "999", VES_INVALID},
        {"retryBaseDelayMs", "30001", VES_INVALID}, /* above the other */
        {"retryMaxDelayMs", "999", VES_INVALID},
        {"colour", "red", VES_NOT_FOUND},
        {"batchSize", "1000", VES_OK},
        {"autoSync", "true", VES_OK},
        {"conflictStrategy", "merge", VES_OK},
        {"maxRetries", "0", VES_OK},
    };
    struct ves_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum ves_status status =
            ves_agent_set(till, cases[i].name, cases[i].value, &error);
        if (status != cases[i].status)
            fail_msg("%s=%s: %s", cases[i].name, cases[i].value,
                     ves_status_name(status));
    }
    assert_int_equal(ves_agent_setting(till, "batchSize"), 1000);
    assert_int_equal(ves_agent_setting(till, "autoSync"), 1);

    const struct ves_agent_options options = {
        .path = test_shop_path(&shop, "till.db")};
    struct ves_agent *agent = NULL;
    setenv("VES_MAX_RETRIES", "often", 1);
    assert_int_equal(ves_agent_open(&options, &agent, &error), VES_INVALID);
    assert_says(error.text, "VES_MAX_RETRIES");
    unsetenv("VES_MAX_RETRIES");
}

static void settings_go_together(void **state)
{
    struct ves_setting_change both[] = {{"retryBaseDelayMs", "50000"},
                                        {"retryMaxDelayMs", "60000"}};
    struct ves_setting_change half[] = {{"batchSize", "5"},
                                        {"maxRetries", "51"}};
    struct ves_error error;
    uint64_t version = 0;

    (void)state;
    assert_int_equal(ves_agent_set_all(till, both, 1, &version, false, &error),
                     VES_INVALID);
    assert_ok(ves_agent_set_all(till, both, 2, &version, true, &error), &error);
    assert_int_equal(ves_agent_setting(till, "retryBaseDelayMs"), 1000);
    assert_ok(ves_agent_set_all(till, both, 2, &version, false, &error),
              &error);
    assert_int_equal(version, 1);
    assert_int_equal(ves_agent_setting(till, "retryBaseDelayMs"), 50000);
    assert_int_equal(ves_agent_setting(till, "retryMaxDelayMs"), 60000);
    assert_int_equal(ves_agent_set_all(till, half, 2, &version, false, &error),
                     VES_INVALID);
    assert_int_equal(ves_agent_setting(till, "batchSize"), 100);
    version = 0;
    assert_int_equal(ves_agent_set_all(till, half, 1, &version, false, &error),
                     VES_CONFLICT);
    assert_int_equal(ves_agent_setting(till, "batchSize"), 100);
}

static void derived_bytes_are_the_keys_own(void **state)
{
    uint8_t one[32], again[32], other[32], theirs[32];
    struct ves_error error;

    (void)state;
    struct ves_agent *office = test_shop_store(&shop, "office.db", NULL);
    assert_ok(ves_agent_derive(till, "one", one, &error), &error);
    assert_ok(ves_agent_derive(till, "one", again, &error), &error);
    assert_ok(ves_agent_derive(till, "other", other, &error), &error);
    assert_ok(ves_agent_derive(office, "one", theirs, &error), &error);
    assert_memory_equal(one, again, 32);
    assert_memory_not_equal(one, other, 32);
    assert_memory_not_equal(one, theirs, 32);
    ves_agent_close(office);
}

static void notes_are_in_the_trail(void **state)
{
    struct ves_error error;

    (void)state;
    assert_ok(ves_agent_note(till, "mcp", "{\"tool\":\"x\"}", &error), &error);
    assert_ok(ves_agent_trail(till, 1, doc.jw, &error), &error);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/operations/0/code"), "mcp");
    assert_string_equal(test_text(&doc, "/operations/0/detail/tool"), "x");
}

/* What settings say about trying again is what pushing does. */
static void settings_reach_the_pusher(void **state)
{
    struct ves_error error;

    (void)state;
    unsetenv("VES_MAX_RETRIES");
    test_shop_append(till, "order.created", "O", ORDER);
    test_shop_push_fails(&shop, till, 500);
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/pending"), 1);
    setenv("VES_MAX_RETRIES", "0", 1);
    test_shop_push_fails(&shop, till, 500);
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/failed"), 1);
    unsetenv("VES_MAX_RETRIES");
    assert_ok(ves_agent_set(till, "maxRetries", "5", &error), &error);
    test_shop_push_fails(&shop, till, 500);
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/pending"), 1);
}

/* ---- backup and prune ---------------------------------------------------- */

static void backup_is_consistent_while_others_write(void **state)
{
    struct ves_agent *writer = test_shop_again(&shop, "till.db", NULL);
    struct ves_error error;
    bool is_healthy;

    (void)state;
    for (int i = 0; i < 20; i++)
        test_shop_append(till, "order.updated", "O", NOTE);
    assert_ok(ves_agent_begin(writer, &error), &error);
    test_shop_append(writer, "order.updated", "O", NOTE);
    assert_ok(ves_agent_backup(till, test_shop_path(&shop, "copy.db"), &error),
              &error);
    assert_ok(ves_agent_commit(writer, &error), &error);
    ves_agent_close(writer);

    struct stat st;
    assert_int_equal(stat(test_shop_path(&shop, "copy.db"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_not_equal(access(test_shop_path(&shop, "copy.db.key"), F_OK), 0);
    struct ves_agent *copy = test_shop_again(&shop, "copy.db", NULL);
    read_status(copy);
    assert_int_equal(test_number(&doc, "/counts/pending"), 20);
    assert_ok(ves_agent_doctor(copy, doc.jw, &is_healthy, &error), &error);
    assert_false(is_healthy); /* no key: it cannot sign, and says so */
    test_document_read(&doc);
    for (size_t i = 0; i < test_count(&doc, "/checks"); i++) {
        char at[64];
        snprintf(at, sizeof(at), "/checks/%zu/name", i);
        bool is_file = strcmp(test_text(&doc, at), "key") == 0 ||
                       strcmp(test_text(&doc, at), "credential") == 0;
        snprintf(at, sizeof(at), "/checks/%zu/ok", i);
        assert_int_equal(test_is_true(&doc, at), !is_file);
    }
    ves_agent_close(copy);

    assert_int_equal(
        ves_agent_backup(till, test_shop_path(&shop, "copy.db"), &error),
        VES_CONFLICT);
    assert_int_equal(
        ves_agent_backup(till, test_shop_path(&shop, "no/copy.db"), &error),
        VES_IO);
    assert_int_equal(ves_agent_backup(till, "", &error), VES_INVALID);
}

static void prune_drops_bodies_and_keeps_proofs(void **state)
{
    struct ves_uuid id = test_shop_append(till, "order.created", "O", ORDER);
    struct ves_error error;
    uint64_t pruned;
    bool is_healthy;

    (void)state;
    shop.hub.now_ms -= 10 * 86400000LL;
    test_shop_push(&shop, till);
    shop.hub.now_ms += 10 * 86400000LL;
    acknowledge(till, 1);
    test_shop_append(till, "order.updated", "O", NOTE);
    test_shop_push(&shop, till);
    test_shop_pull(&shop, till);
    struct ves_uuid pending =
        test_shop_append(till, "order.updated", "O", NOTE);
    assert_ok(ves_agent_prune(till, 30, &pruned, &error), &error);
    assert_int_equal(pruned, 0);
    /* Number 1 was sequenced ten days ago; its outbox row was synced just
     * now. */
    assert_ok(ves_agent_prune(till, 5, &pruned, &error), &error);
    assert_int_equal(pruned, 1);
    assert_int_equal(sql_number("till.db", "SELECT count(*) FROM ves_events"
                                           " WHERE envelope = ''"),
                     1);
    read_show(till, &id);
    assert_string_equal(test_text(&doc, "/event/type"), "order.created");
    /* Now the outbox row as well. */
    sql("till.db", "UPDATE ves_outbox SET synced_ms = synced_ms - 864000000"
                   " WHERE synced_ms > 0");
    assert_ok(ves_agent_prune(till, 5, &pruned, &error), &error);
    assert_int_equal(pruned, 1);
    read_show(till, &id);
    assert_true(test_is_true(&doc, "/pruned"));
    assert_int_equal(strlen(test_text(&doc, "/eventHash")), 66);
    assert_int_equal(strlen(test_text(&doc, "/receipt/sequencerSignature")),
                     128);
    assert_says(why(till, &id), "pruned");
    read_show(till, &pending);
    assert_string_equal(test_text(&doc, "/event/type"), "order.updated");
    assert_ok(ves_agent_doctor(till, doc.jw, &is_healthy, &error), &error);
    if (!is_healthy)
        fail_msg("%.*s", (int)ves_jw_view(doc.jw).len,
                 (const char *)ves_jw_view(doc.jw).ptr);
    ves_jw_reset(doc.jw);
    assert_ok(ves_agent_prune(till, 5, &pruned, &error), &error);
    assert_int_equal(pruned, 0);
    assert_int_equal(ves_agent_prune(till, 1000000, &pruned, &error),
                     VES_INVALID);
}

/* ---- doctor -------------------------------------------------------------- */

/* Which check of a store fails; "" when none does. */
static const char *sick_part(const char *name)
{
    struct ves_agent *agent = test_shop_again(&shop, name, NULL);
    struct ves_error error;
    const char *part = "";
    bool is_healthy;

    assert_ok(ves_agent_doctor(agent, doc.jw, &is_healthy, &error), &error);
    ves_agent_close(agent);
    test_document_read(&doc);
    assert_int_equal(test_is_true(&doc, "/ok"), is_healthy);
    for (size_t i = test_count(&doc, "/checks"); i > 0; i--) {
        char at[64];
        snprintf(at, sizeof(at), "/checks/%zu/ok", i - 1);
        if (test_is_true(&doc, at))
            continue;
        snprintf(at, sizeof(at), "/checks/%zu/name", i - 1);
        part = test_text(&doc, at);
    }
    assert_int_equal(is_healthy, part[0] == '\0');
    return part;
}

static void copy_file(const char *from, const char *to)
{
    struct ves_bytes bytes = test_read_file(test_shop_path(&shop, from));
    FILE *file = fopen(test_shop_path(&shop, to), "wb");

    assert_non_null(bytes.ptr);
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(test_shop_path(&shop, to), 0600), 0);
    free((void *)(uintptr_t)bytes.ptr);
}

/* A healthy copy with its key, to be made sick. */
static void make_patient(void)
{
    static const char *const names[] = {"sick.db", "sick.db-wal", "sick.db-shm",
                                        "sick.db.key", "sick.db.credential"};
    struct ves_error error;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(test_shop_path(&shop, names[i]));
    assert_ok(ves_agent_backup(till, test_shop_path(&shop, "sick.db"), &error),
              &error);
    copy_file("till.db.key", "sick.db.key");
    copy_file("till.db.credential", "sick.db.credential");
}

/* Something that is neither where it was nor a syntax error. */
#define FLIP(column, where)                              \
    "UPDATE ves_outbox SET " column " = replace(" column \
    ", '\"note\":\"x\"', '\"note\":\"y\"') WHERE " where

static void doctor_says_what_sqlite_means(void **state)
{
    struct ves_error error;
    bool is_healthy, is_said = false;

    (void)state;
    assert_ok(ves_agent_doctor(till, doc.jw, &is_healthy, &error), &error);
    test_document_read(&doc);
    for (size_t i = 0; i < test_count(&doc, "/checks"); i++) {
        char at[64];
        snprintf(at, sizeof(at), "/checks/%zu/name", i);
        if (strcmp(test_text(&doc, at), "sqlite") != 0)
            continue;
        snprintf(at, sizeof(at), "/checks/%zu/detail", i);
        is_said = true;
        assert_non_null(strstr(test_text(&doc, at), sqlite3_libversion()));
        assert_int_equal(strstr(test_text(&doc, at), "cache_spill") != NULL,
                         sqlite3_libversion_number() < 3053004);
    }
    assert_true(is_said && is_healthy);
}

static void doctor_finds_what_was_planted(void **state)
{
    static const struct {
        const char *sql;
        const char *part;
    } cases[] = {
        {"SELECT 1", ""},
        {FLIP("envelope", "local_seq = 2"), "outbox"},
        {"UPDATE ves_outbox SET event_hash = zeroblob(32) WHERE local_seq = 2",
         "outbox"},
        {"UPDATE ves_outbox SET event_type = 'order.shipped'"
         " WHERE local_seq = 2",
         "outbox"},
        {"DROP TRIGGER ves_outbox_no_delete;"
         "DELETE FROM ves_outbox WHERE local_seq = 2",
         "outbox"},
        {"UPDATE ves_outbox SET agent_seq = 9 WHERE local_seq = 3", "chain"},
        {"UPDATE ves_meta SET value = replace(value, 'agent_seq=4',"
         " 'agent_seq=3') WHERE name = 'append'",
         "chain"},
        {"UPDATE ves_outbox SET receipt = zeroblob(64) WHERE local_seq = 1",
         "receipts"},
        {"UPDATE ves_outbox SET receipt = NULL WHERE local_seq = 1",
         "receipts"},
        {"UPDATE ves_events SET envelope = replace(envelope,"
         " '\"note\":\"x\"', '\"note\":\"y\"') WHERE event_hash ="
         " (SELECT event_hash FROM ves_outbox WHERE local_seq = 2)",
         "log"},
        {"UPDATE ves_events SET envelope = ''", "log"},
        {"DROP TRIGGER ves_events_no_delete; DELETE FROM ves_events WHERE"
         " event_hash = (SELECT event_hash FROM ves_outbox"
         "  WHERE local_seq = 1)",
         "log"},
        {"UPDATE ves_entities SET state = replace(state, 'GBP', 'EUR')",
         "entities"},
        {"UPDATE ves_entities SET own_events = own_events + 1", "entities"},
    };

    (void)state;
    test_shop_append(till, "order.created", "O", ORDER);
    test_shop_append(till, "order.updated", "O", NOTE);
    test_shop_append(till, "order.updated", "O", NOTE);
    test_shop_push(&shop, till);
    acknowledge(till, 3);
    test_shop_pull(&shop, till);
    test_shop_append(till, "order.updated", "O", NOTE);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_patient();
        sql("sick.db", cases[i].sql);
        const char *part = sick_part("sick.db");
        if (strcmp(part, cases[i].part) != 0)
            fail_msg("%s: doctor says \"%s\"", cases[i].sql, part);
    }
    make_patient();
    chmod(test_shop_path(&shop, "sick.db.key"), 0644);
    assert_string_equal(sick_part("sick.db"), "key");
    make_patient();
    chmod(test_shop_path(&shop, "sick.db.credential"), 0644);
    assert_string_equal(sick_part("sick.db"), "credential");
    make_patient();
    struct ves_agent *other = test_shop_store(&shop, "other.db", NULL);
    ves_agent_close(other);
    copy_file("other.db.key", "sick.db.key");
    assert_string_equal(sick_part("sick.db"), "key");
}

/* A document stays one, whatever the store holds. */
static void documents_stay_documents(void **state)
{
    struct ves_agent_options options = {.path = NULL};
    struct ves_agent *sick;
    struct ves_error error;

    (void)state;
    test_shop_append(till, "order.created", "O", ORDER);
    test_shop_push(&shop, till);
    test_shop_pull(&shop, till);
    make_patient();
    sql("sick.db", "UPDATE ves_entities SET state = '{'; DROP TRIGGER"
                   " ves_trail_no_update; UPDATE ves_trail SET detail = '{'");
    options.path = test_shop_path(&shop, "sick.db");
    assert_int_equal(ves_agent_open(&options, &sick, &error), VES_OK);
    assert_int_equal(ves_agent_trail(sick, 5, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/operations/0/detail"), "{");
    assert_int_equal(ves_agent_entity(sick, "order", "O", doc.jw, &error),
                     VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/state"), "{");
    ves_agent_close(sick);
}

/* An outbox row whose bytes, hashes included, are consistent but were signed
 * by nobody. */
static void doctor_verifies_signatures(void **state)
{
    char statement[512];

    (void)state;
    test_shop_append(till, "order.created", "O", ORDER);
    make_patient();
    snprintf(statement, sizeof(statement),
             "UPDATE ves_outbox SET envelope = substr(envelope, 1,"
             " instr(envelope, '\"agent_signature\":\"0x') + 20) ||"
             " CASE substr(envelope, instr(envelope,"
             " '\"agent_signature\":\"0x') + 21, 1) WHEN '0' THEN '1' ELSE '0'"
             " END || substr(envelope, instr(envelope,"
             " '\"agent_signature\":\"0x') + 22)");
    sql("sick.db", statement);
    assert_string_equal(sick_part("sick.db"), "signatures");
}

/* Every event good in itself, but one is of another branch of the chain, as
 * when somebody mends a store with rows out of a copy. */
static void doctor_follows_the_chain(void **state)
{
    char attach[512];

    (void)state;
    test_shop_append(till, "order.created", "O", ORDER);
    make_patient();
    struct ves_agent *copy = test_shop_again(&shop, "sick.db", NULL);
    test_shop_append(copy, "order.updated", "O", NOTE);
    ves_agent_close(copy);
    test_shop_append(till, "order.updated", "O", NOTE);
    test_shop_append(till, "order.updated", "O", NOTE);
    snprintf(attach, sizeof(attach),
             "ATTACH '%s' AS copy;"
             "DROP TRIGGER ves_outbox_no_delete;"
             "DELETE FROM ves_outbox WHERE local_seq = 2;"
             "INSERT INTO ves_outbox SELECT * FROM copy.ves_outbox"
             " WHERE local_seq = 2",
             test_shop_path(&shop, "sick.db"));
    sql("till.db", attach);
    assert_string_equal(sick_part("till.db"), "chain");
}

/* ---- why ----------------------------------------------------------------- */

static void why_follows_an_event(void **state)
{
    struct ves_uuid id = test_shop_append(till, "order.created", "O", ORDER);
    struct ves_error error;

    (void)state;
    assert_says(why(till, &id), "not yet at the sequencer");
    assert_says(why(till, &id), "Nothing is wrong");
    assert_string_equal(test_text(&doc, "/status"), "pending");
    assert_string_equal(test_text(&doc, "/nextSteps/0"), "ves sync");
    test_shop_push(&shop, till);
    assert_says(why(till, &id), "number 1 of the stream");
    assert_says(why(till, &id), "not acknowledged yet");
    assert_string_equal(test_text(&doc, "/nextSteps/0"), "ves ack");
    acknowledge(till, 1);
    assert_says(why(till, &id), "Done.");
    assert_says(why(till, &id), "Judged: applied.");
    assert_says(why(till, &id), "has not pulled that far");
    test_shop_pull(&shop, till);
    assert_null(strstr(why(till, &id), "has not pulled"));

    struct ves_agent *other = test_shop_store(&shop, "other.db", NULL);
    assert_int_equal(ves_agent_why(other, &id, doc.jw, &error), VES_NOT_FOUND);
    assert_says(error.text, "neither in the outbox nor");
    test_shop_pull(&shop, other);
    assert_says(why(other, &id), "Another agent wrote it");
    assert_says(why(other, &id), "signature and receipt verified");
    assert_string_equal(test_text(&doc, "/status"), "received");
    ves_agent_close(other);
}

static void why_explains_what_holds_an_event_back(void **state)
{
    struct ves_uuid one = test_shop_append(till, "order.created", "O", ORDER);
    struct ves_uuid two = test_shop_append(till, "order.updated", "O", NOTE);
    struct ves_uuid three = test_shop_append(till, "order.created", "P", ORDER);
    char text[VES_UUID_TEXT + 1];
    uint64_t retried;
    struct ves_error error;

    (void)state;
    meet(&one, &(struct fate){.status = VES_OUTBOX_FAILED,
                              .attempts = 3,
                              .error_class = VES_ERROR_PROTOCOL,
                              .error = "HTTP 500"});
    ves_uuid_format(&one, text);
    assert_says(why(till, &one), "HTTP 500.");
    assert_says(why(till, &one), "3 attempts");
    assert_says(test_text(&doc, "/nextSteps/0"), "ves retry ");
    assert_says(test_text(&doc, "/nextSteps/0"), text);
    assert_says(why(till, &two), "waits behind an earlier event");
    assert_says(why(till, &two), text);
    assert_null(strstr(why(till, &three), "waits behind"));
    /* One that a signed refusal settled holds nobody back. */
    meet(&one, &(struct fate){.status = VES_OUTBOX_FAILED, .is_refused = true});
    assert_null(strstr(why(till, &two), "waits behind"));
    meet(&one, &(struct fate){.status = VES_OUTBOX_FAILED});
    assert_says(why(till, &two), "waits behind");
    assert_ok(ves_agent_retry(till, &one, &retried, &error), &error);
    assert_int_equal(retried, 1);
    assert_null(strstr(why(till, &two), "waits behind"));

    meet(&three, &(struct fate){.status = VES_OUTBOX_PENDING,
                                .attempts = 1,
                                .error_class = VES_ERROR_BUSY,
                                .error = "HTTP 503.",
                                .next_attempt_ms = 32503680000000});
    assert_says(why(till, &three), "HTTP 503. ");
    assert_says(why(till, &three), "tried again by itself after 3000-01-01");
    meet(&three, &(struct fate){.status = VES_OUTBOX_SYNCING});
    assert_says(why(till, &three), "no answer has come yet");
    meet(&three, &(struct fate){.status = VES_OUTBOX_CONFLICT,
                                .sequence_number = 9,
                                .disposition = "conflict"});
    assert_says(why(till, &three), "conflicts with what others wrote");
    read_status(till);
    assert_int_equal(test_number(&doc, "/counts/conflict"), 1);
    assert_string_equal(test_text(&doc, "/health"), "attention");
}

static void why_shows_refusals_and_quarantine(void **state)
{
    struct ves_uuid one = test_shop_append(till, "order.created", "O", ORDER);
    struct ves_uuid strange = test_id(0x77);
    const struct ves_record record = {
        .at_ms = 1,
        .sequence_number = 1,
        .has_event_id = true,
        .event_id = strange,
        .code = ves_bytes_str("signature_invalid"),
        .detail = ves_bytes_str("the agent's signature does not verify"),
        .body = ves_bytes_str("{}"),
    };
    const struct ves_store_ops *ops = till->store->ops;

    (void)state;
    meet(&one, &(struct fate){.status = VES_OUTBOX_FAILED,
                              .is_refused = true,
                              .error_class = VES_ERROR_REFUSED,
                              .error = "schema_validation: total"});
    assert_says(why(till, &one), "refused it, and signed the refusal: "
                                 "schema_validation: total.");
    assert_null(strstr(why(till, &one), "ves retry"));

    assert_int_equal(ops->begin(till->store), VES_OK);
    assert_int_equal(ops->record_append(till->store, VES_RECORD_QUARANTINE,
                                        till->core.stream_no, &record, 1),
                     VES_OK);
    assert_int_equal(ops->commit(till->store), VES_OK);
    assert_says(why(till, &strange), "in quarantine");
    assert_says(why(till, &strange), "signature does not verify.");
    assert_string_equal(test_text(&doc, "/status"), "quarantined");
    read_status(till);
    assert_int_equal(test_number(&doc, "/quarantined"), 1);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    read_show(till, &strange);
    assert_string_equal(test_text(&doc, "/quarantine/code"),
                        "signature_invalid");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_says_what_is_so),
        TEST(status_does_not_hide_trouble),
        TEST(a_status_is_of_one_moment),
        TEST(state_hash_is_the_same_everywhere),
        TEST(outbox_lists_by_status_and_in_pages),
        TEST(log_keys_trail_and_quarantine_are_documents),
        TEST(show_has_event_envelope_and_receipt),
        TEST(entity_has_both_states),
        TEST(settings_come_from_three_places),
        TEST(settings_refuse_nonsense),
        TEST(settings_go_together),
        TEST(derived_bytes_are_the_keys_own),
        TEST(notes_are_in_the_trail),
        TEST(settings_reach_the_pusher),
        TEST(backup_is_consistent_while_others_write),
        TEST(prune_drops_bodies_and_keeps_proofs),
        TEST(doctor_says_what_sqlite_means),
        TEST(doctor_finds_what_was_planted),
        TEST(documents_stay_documents),
        TEST(doctor_verifies_signatures),
        TEST(doctor_follows_the_chain),
        TEST(why_follows_an_event),
        TEST(why_explains_what_holds_an_event_back),
        TEST(why_shows_refusals_and_quarantine),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
