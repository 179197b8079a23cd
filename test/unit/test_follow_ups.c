/* test_follow_ups.c -- what really happened and somebody should look at, as
 * every document shows it (semantics.md 3.3).
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
#include "core/follow_up.h"
#include "os/clock.h"
#include "test/lib/test_shop.h"
#include "test/lib/test_util.h"
#include "ves/conflict.h"

static struct test_shop shop;
static struct ves_agent *till, *office;
static struct test_document doc;
static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    test_shop_open(&shop);
    shop.hub.now_ms = ves_clock_now_ms();
    till = test_shop_store(&shop, "till.db", NULL);
    office = test_shop_store(&shop, "office.db", NULL);
    test_document_open(&doc);
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

static void sync_both(void)
{
    struct ves_agent *const order[] = {till, office, till};
    struct ves_ack_report ack;

    for (size_t i = 0; i < 3; i++) {
        (void)test_shop_push(&shop, order[i]);
        (void)test_shop_pull(&shop, order[i]);
        assert_int_equal(ves_acknowledge(order[i], NULL, 0, &ack, &error),
                         VES_OK);
    }
}

static uint64_t counted(struct ves_agent *agent)
{
    assert_int_equal(ves_agent_standing(agent, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    return test_number(&doc, "/followUps");
}

static void read_list(struct ves_agent *agent, const char *type, const char *id)
{
    const struct ves_conflicts_filter filter = {.entity_type = type,
                                                .entity_id = id};

    assert_int_equal(ves_conflicts(agent, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
}

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

/* Two tills sell the last mug. */
static struct ves_uuid oversell(void)
{
    struct ves_uuid sale;

    test_shop_append(till, "inventory.adjusted", "MUG", "{\"delta\":1}");
    sync_both();
    test_shop_append(till, "inventory.adjusted", "MUG", "{\"delta\":-1}");
    sale =
        test_shop_append(office, "inventory.adjusted", "MUG", "{\"delta\":-3}");
    sync_both();
    return sale;
}

static void oversold_is_shown_everywhere(void **state)
{
    struct ves_agent *const stores[] = {till, office};
    struct ves_uuid sale;

    (void)state;
    assert_int_equal(counted(till), 0);
    sale = oversell();
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(counted(stores[i]), 1);
        /* A matter of the shop's, not of syncing. */
        assert_string_not_equal(test_text(&doc, "/health"), "attention");
        assert_says(test_text(&doc, "/reasons/0"), "ves conflicts");
        assert_string_equal(test_text(&doc, "/nextSteps/0"), "ves conflicts");

        read_list(stores[i], NULL, NULL);
        assert_int_equal(test_number(&doc, "/open"), 0);
        assert_int_equal(test_number(&doc, "/followUpTotal"), 1);
        assert_string_equal(test_text(&doc, "/followUps/0/name"),
                            "inventory.oversold");
        assert_string_equal(test_text(&doc, "/followUps/0/entity/type"),
                            "inventory");
        assert_string_equal(test_text(&doc, "/followUps/0/entity/id"), "MUG");
        assert_string_equal(test_text(&doc, "/followUps/0/quantity"), "3");
        assert_says(test_text(&doc, "/followUps/0/explanation"), "by 3");

        assert_int_equal(
            ves_agent_entity(stores[i], "inventory", "MUG", doc.jw, &error),
            VES_OK);
        test_document_read(&doc);
        assert_int_equal(test_count(&doc, "/followUps"), 1);

        assert_int_equal(ves_agent_why(stores[i], &sale, doc.jw, &error),
                         VES_OK);
        test_document_read(&doc);
        assert_says(test_text(&doc, "/explanation"),
                    "To look at, of inventory MUG: more was promised than "
                    "there is, by 3");
    }
}

static void lists_are_of_what_was_asked_for(void **state)
{
    (void)state;
    (void)oversell();
    test_shop_append(till, "payment.refunded", "P1",
                     "{\"refund_id\":\"R\",\"amount_minor\":250}");
    sync_both();
    assert_int_equal(counted(office), 2);
    read_list(office, "payment", NULL);
    assert_int_equal(test_count(&doc, "/followUps"), 1);
    assert_string_equal(test_text(&doc, "/followUps/0/name"),
                        "payment.unmatched");
    assert_int_equal(test_number(&doc, "/followUps/0/amountMinor"), 250);
    assert_int_equal(test_number(&doc, "/followUpTotal"), 2);
    read_list(office, "inventory", "MUG");
    assert_int_equal(test_count(&doc, "/followUps"), 1);
    read_list(office, "inventory", "CUP");
    assert_int_equal(test_count(&doc, "/followUps"), 0);
    read_list(office, "order", NULL);
    assert_int_equal(test_count(&doc, "/followUps"), 0);
}

/* One of each kind, through count and list. */
static void every_kind_is_counted(void **state)
{
    (void)state;
    test_shop_append(till, "inventory.adjusted", "MUG", "{\"delta\":-1}");
    test_shop_append(till, "payment.refunded", "P1",
                     "{\"refund_id\":\"R\",\"amount_minor\":250}");
    test_shop_append(till, "return.created", "R1",
                     "{\"lines\":[{\"line_uid\":\"a\",\"quantity\":1}]}");
    test_shop_append(till, "return.received", "R1",
                     "{\"lines\":[{\"line_uid\":\"a\",\"quantity\":2}]}");
    sync_both();
    assert_int_equal(counted(office), 3);
    read_list(office, NULL, NULL);
    assert_int_equal(test_count(&doc, "/followUps"), 3);
    for (size_t i = 0; ves_follow_up_type(i); i++) {
        read_list(office, ves_follow_up_type(i), NULL);
        assert_int_equal(test_count(&doc, "/followUps"), 1);
        assert_null(strstr(test_text(&doc, "/followUps/0/explanation"),
                           test_text(&doc, "/followUps/0/name")));
    }
}

static void put_right_is_told_no_more(void **state)
{
    (void)state;
    (void)oversell();
    test_shop_append(office, "inventory.adjusted", "MUG", "{\"delta\":5}");
    /* What has no number yet changes nothing that others can see. */
    assert_int_equal(counted(office), 1);
    sync_both();
    assert_int_equal(counted(office), 0);
    assert_int_equal(counted(till), 0);
    read_list(till, NULL, NULL);
    assert_int_equal(test_count(&doc, "/followUps"), 0);
    test_shop_append(till, "inventory.adjusted", "MUG", "{\"delta\":-4}");
    sync_both();
    assert_int_equal(counted(office), 1);
}

static void counted_again_with_the_log(void **state)
{
    (void)state;
    (void)oversell();
    assert_int_equal(ves_core_refold(&till->core), VES_OK);
    assert_int_equal(counted(till), 1);
    assert_int_equal(ves_core_refold(&till->core), VES_OK);
    assert_int_equal(counted(till), 1);
    read_list(till, NULL, NULL);
    assert_int_equal(test_count(&doc, "/followUps"), 1);
}

/* More entities than one page of the search holds. */
static void none_is_passed_over(void **state)
{
    enum { MANY = 600 };
    char id[16];

    (void)state;
    assert_int_equal(ves_agent_begin(till, &error), VES_OK);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "ITEM-%d", i);
        test_shop_append(till, "inventory.adjusted", id,
                         i % 5 == 0 ? "{\"delta\":-1}" : "{\"delta\":1}");
    }
    assert_int_equal(ves_agent_commit(till, &error), VES_OK);
    sync_both();
    assert_int_equal(counted(till), MANY / 5);
    read_list(till, NULL, NULL);
    assert_int_equal(test_count(&doc, "/followUps"), 100);
    assert_int_equal(test_number(&doc, "/followUpTotal"), MANY / 5);
    read_list(till, "inventory", "ITEM-595");
    assert_int_equal(test_count(&doc, "/followUps"), 1);
}

/* What is noted beside a verdict is said in words: a fact over an intent. */
static void notes_are_said(void **state)
{
    struct ves_uuid wish, fact;
    char words[256], id[VES_UUID_TEXT + 1];

    (void)state;
    test_shop_append(till, "order.created", "O1",
                     "{\"currency\":\"GBP\",\"lines\":[]}");
    sync_both();
    wish = test_shop_append(till, "order.cancelled", "O1", "{}");
    fact = test_shop_append(office, "order.shipped", "O1",
                            "{\"shipment_id\":\"S1\"}");
    sync_both();
    ves_uuid_format(&wish, id);
    snprintf(words, sizeof(words), "applied over what others had wished: %s.",
             id);
    assert_int_equal(ves_agent_why(till, &fact, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_says(test_text(&doc, "/explanation"), words);
}

/* What an event waits for, and what the log does not know. */
static void waiting_is_said(void **state)
{
    static const char payload[] = "{\"patch\":{\"note\":\"n\"}}";
    const struct ves_uuid missing = {{0xde, 0xad}};
    struct ves_append what = {.type = "order.updated",
                              .aggregate_id = "O1",
                              .payload = ves_bytes_str(payload),
                              .deps = &missing,
                              .dep_count = 1};
    struct ves_uuid waits, sale;

    (void)state;
    sale = test_shop_append(till, "order.created", "O1",
                            "{\"currency\":\"GBP\",\"lines\":[],"
                            "\"origin\":\"web\",\"customer_id\":\"C9\"}");
    sync_both();
    assert_int_equal(ves_append(till, &what, &waits, &error), VES_OK);
    sync_both();
    assert_int_equal(ves_agent_why(office, &waits, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_says(test_text(&doc, "/explanation"), "Judged: waiting.");
    assert_says(test_text(&doc, "/explanation"),
                "It waits for event dead0000-0000-0000-0000-000000000000");
    assert_int_equal(ves_agent_why(office, &sale, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_says(test_text(&doc, "/explanation"),
                "It refers to 1 thing that the log did not know");
}

/* A newer program's event: kept, and said to be what it is. */
static void an_unknown_rule_is_said(void **state)
{
    struct test_event event = test_hub_event(&shop.hub, 7);
    struct ves_ingest ingest = {.count = 0};
    struct test_request request;

    (void)state;
    test_event_context(&event, 1, 0);
    event.fields.context.schema = ves_bytes_str("order.updated/99");
    event.fields.context.schema_version = 99;
    test_request_begin(&request, &shop.hub.agent);
    test_request_event(&request, &event, &shop.hub.agent_key);
    test_hub_push(&shop.hub, &ingest, test_request_end(&request));
    ves_ingest_free(&ingest);
    test_request_free(&request);
    sync_both();
    assert_int_equal(
        ves_agent_why(till, &event.fields.event_id, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_says(test_text(&doc, "/explanation"),
                "It names version 99 of the rules of order.updated");
    assert_says(test_text(&doc, "/explanation"), "(unknown_schema)");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(oversold_is_shown_everywhere),
        TEST(lists_are_of_what_was_asked_for),
        TEST(every_kind_is_counted),
        TEST(put_right_is_told_no_more),
        TEST(counted_again_with_the_log),
        TEST(none_is_passed_over),
        TEST(notes_are_said),
        TEST(waiting_is_said),
        TEST(an_unknown_rule_is_said),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("follow_ups", tests, NULL, NULL);
}
