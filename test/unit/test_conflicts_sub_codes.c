/* test_conflicts_sub_codes.c -- answers that only events of others get: a
 * store of ours writes none of them, the sequencer takes and judges them, and
 * every store's list of conflicts says so (semantics.md 3.2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "test/lib/test_shop.h"
#include "ves/conflict.h"

static struct test_shop shop;
static struct ves_agent *till, *office;
static struct test_document doc;
static struct ves_error error;
static struct test_request request;
static struct ves_ingest ingest;

static int set_up(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    test_shop_open(&shop);
    till = test_shop_store(&shop, "till.db", NULL);
    office = test_shop_store(&shop, "office.db", NULL);
    test_document_open(&doc);
    /* Three of the log: version 3 of O1. */
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    test_shop_append(till, "order.updated", "O1", "{\"patch\":{\"a\":1}}");
    test_shop_append(till, "order.updated", "O1", "{\"patch\":{\"b\":1}}");
    assert_int_equal(test_shop_push(&shop, till), 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_document_close(&doc);
    ves_agent_close(till);
    ves_agent_close(office);
    test_shop_close(&shop);
    return 0;
}

/* An edit of O1 by an agent that is no store of ours, who has pulled so much
 * and says which version it changes. */
static struct test_event strange_edit(uint64_t seen, uint64_t base)
{
    struct test_event event = test_hub_event(&shop.hub, 1);

    event.fields.entity_id = ves_bytes_str("O1");
    event.payload = "{\"patch\":{\"c\":1}}";
    test_event_context(&event, 1, seen);
    event.fields.has_base_version = true;
    event.fields.base_version = base;
    return event;
}

/* The sequencer accepts it with that answer. */
static void push(const struct test_event *event, enum ves_verdict verdict,
                 const char *sub_code)
{
    shop.hub.caller.agent = shop.hub.agent;
    test_request_begin(&request, &shop.hub.agent);
    test_request_event(&request, event, &shop.hub.agent_key);
    test_hub_push(&shop.hub, &ingest, test_request_end(&request));
    assert_int_equal(ingest.accepted, 1);
    assert_int_equal(ingest.events[0].judgement.verdict, verdict);
    assert_string_equal(ingest.events[0].judgement.sub_code, sub_code);
    ves_ingest_free(&ingest);
    test_request_free(&request);
}

static void assert_listed(struct ves_agent *agent, const char *type,
                          const char *sub_code)
{
    const struct ves_conflicts_filter filter = {.state = NULL};

    (void)test_shop_pull(&shop, agent);
    assert_int_equal(ves_conflicts(agent, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    if (!type) {
        assert_int_equal(test_count(&doc, "/conflicts"), 0);
        return;
    }
    assert_int_equal(test_count(&doc, "/conflicts"), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictType"), type);
    assert_string_equal(test_text(&doc, "/conflicts/0/subCode"), sub_code);
}

static void both_list(const char *type, const char *sub_code)
{
    assert_listed(till, type, sub_code);
    assert_listed(office, type, sub_code);
}

/* What happened is told in words for that answer, not for its type. */
static void assert_explained(const char *words)
{
    char id[80];

    snprintf(id, sizeof(id), "%s", test_text(&doc, "/conflicts/0/conflictId"));
    assert_int_equal(ves_conflict_show(office, id, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    if (!strstr(test_text(&doc, "/explanation"), words))
        fail_msg("%s", test_text(&doc, "/explanation"));
}

/* It changed a version that the log does not have. */
static void future_base(void **state)
{
    struct test_event event = strange_edit(3, 4);

    (void)state;
    push(&event, VES_VERDICT_CONFLICT, "future_base");
    both_list("version_mismatch", "future_base");
    assert_explained("a version that is not in the log");
}

/* The right number, of another history. */
static void fork_base(void **state)
{
    struct test_event event = strange_edit(3, 3);

    (void)state;
    event.fields.context.has_base_head = true;
    memset(event.fields.context.base_head.b, 0x55, VES_HASH_SIZE);
    push(&event, VES_VERDICT_CONFLICT, "fork_base");
    both_list("version_mismatch", "fork_base");
    assert_explained("another history");
}

/* It had pulled the delete, and changed what was deleted. */
static void known_deleted(void **state)
{
    struct test_event event = strange_edit(4, 4);

    (void)state;
    test_shop_append(till, "order.deleted", "O1", "{}");
    assert_int_equal(test_shop_push(&shop, till), 1);
    push(&event, VES_VERDICT_CONFLICT, "known_deleted");
    both_list("deleted_reference", "known_deleted");
    assert_explained("was deleted");
}

/* A decision about a conflict that never was: it changes nothing, nobody is
 * asked about it, and whoever looks is told. */
static void no_such_conflict(void **state)
{
    struct test_event event = strange_edit(3, 3);

    (void)state;
    event.fields.event_type = ves_bytes_str("ves.conflict.resolved");
    event.fields.context.schema = ves_bytes_str("ves.conflict.resolved/1");
    event.payload =
        "{\"conflict_id\":\"0x"
        "5555555555555555555555555555555555555555555555555555555555555555\","
        "\"strategy\":\"merge\",\"winner\":\"merge\",\"inputs\":[],"
        "\"parents\":[],\"result\":{\"ops\":[{\"op\":\"set\","
        "\"path\":\"/note\",\"value\":\"x\"}]},\"resolver\":\"r\","
        "\"supersedes\":null}";
    push(&event, VES_VERDICT_SUPERSEDED, "no_such_conflict");
    both_list(NULL, NULL);
    assert_int_equal(
        ves_agent_why(office, &event.fields.event_id, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_non_null(strstr(test_text(&doc, "/explanation"),
                           "it names no conflict of that entity"));
    assert_int_equal(ves_agent_entity(office, "order", "O1", doc.jw, &error),
                     VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/state/note"), "n");
}

/* Merged into another is not deleted (doc/adr/0030). */
static void merged_customers(void **state)
{
    (void)state;
    test_shop_append(till, "customer.created", "C1", "{\"name\":\"n\"}");
    test_shop_append(till, "customer.created", "C2", "{\"name\":\"n\"}");
    assert_int_equal(test_shop_push(&shop, till), 2);
    (void)test_shop_pull(&shop, office);
    test_shop_append(till, "customer.merged", "C1", "{\"to\":\"C2\"}");
    test_shop_append(office, "order.created", "O2", "{\"customer_id\":\"C1\"}");
    test_shop_append(office, "order.updated", "O1",
                     "{\"patch\":{\"customer_id\":\"C1\"}}");
    assert_int_equal(test_shop_push(&shop, till), 1);
    assert_int_equal(test_shop_push(&shop, office), 2);
    both_list(NULL, NULL);
    assert_int_equal(ves_agent_entity(office, "order", "O1", doc.jw, &error),
                     VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/state/customer_id"), "C1");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(future_base),      T(fork_base),        T(known_deleted),
        T(no_such_conflict), T(merged_customers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sub codes", tests, NULL, NULL);
}
