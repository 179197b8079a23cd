/* test_types.c -- the table of built-in types and what their payloads must
 * hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/types.h"

static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

/* The error's text, "" when the payload is good. */
static const char *check(const char *type, const char *payload)
{
    static struct ves_error error;
    const struct ves_json *json;
    memset(&error, 0, sizeof(error));
    ves_arena_reset(&arena);
    assert_int_equal(
        ves_json_read(&arena, ves_bytes_str(payload), NULL, &json, NULL),
        VES_OK);
    const struct ves_event_type *row = ves_event_type_find(ves_bytes_str(type));
    enum ves_status status =
        row ? ves_event_type_check(row, json, &error) : VES_OK;
    assert_int_equal(status, error.text[0] ? VES_INVALID : VES_OK);
    assert_int_equal(error.status, status);
    return error.text;
}

struct sample {
    const char *type;
    const char *payload;
    const char *error; /* "" when good */
};

static void run(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(check(samples[i].type, samples[i].payload),
                            samples[i].error);
}

#define RUN(samples) run(samples, sizeof(samples) / sizeof((samples)[0]))

/* seed.md, "Event Types", in its words. */
static void table_is_the_seeds(void **state)
{
    static const char *const names[] = {
        "order.created",      "order.updated",      "order.shipped",
        "order.cancelled",    "inventory.adjusted", "inventory.reserved",
        "inventory.released", "customer.created",   "customer.updated",
        "payment.created",    "payment.completed",  "payment.refunded",
        "return.created",     "return.approved",    "return.rejected",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct ves_event_type *type =
            ves_event_type_find(ves_bytes_str(names[i]));
        assert_non_null(type);
        assert_string_equal(type->name, names[i]);
        struct ves_bytes entity = ves_entity_type_of(ves_bytes_str(names[i]));
        assert_true(ves_bytes_is(entity, type->entity_type));
        assert_int_equal(type->version, 1);
    }
    assert_null(ves_event_type_find(ves_bytes_str("order")));
    assert_null(ves_event_type_find(ves_bytes_str("order.created ")));
    assert_null(ves_event_type_find(ves_bytes_str("")));
    assert_null(ves_event_type_find(ves_bytes(NULL, 0)));
    assert_null(ves_event_type_find(ves_bytes_str("ves.checkpoint")));
}

/* semantics.md 4.2, column "Class", and 3.2 missing_base. */
static void classes_and_bases(void **state)
{
    static const struct {
        const char *name;
        enum ves_event_class event_class;
        enum ves_base_rule base;
    } rows[] = {
        {"order.created", VES_CLASS_FACT, VES_BASE_NONE},
        {"order.updated", VES_CLASS_INTENT, VES_BASE_REQUIRED},
        {"order.shipped", VES_CLASS_FACT, VES_BASE_NONE},
        {"order.cancelled", VES_CLASS_INTENT, VES_BASE_REQUIRED},
        {"inventory.adjusted", VES_CLASS_FACT, VES_BASE_NONE},
        {"inventory.reserved", VES_CLASS_INTENT, VES_BASE_NONE},
        {"customer.created", VES_CLASS_INTENT, VES_BASE_NONE},
        {"customer.updated", VES_CLASS_INTENT, VES_BASE_REQUIRED},
        {"payment.created", VES_CLASS_INTENT, VES_BASE_NONE},
        {"payment.completed", VES_CLASS_FACT, VES_BASE_NONE},
        {"payment.refunded", VES_CLASS_FACT, VES_BASE_NONE},
        {"return.approved", VES_CLASS_INTENT, VES_BASE_REQUIRED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ves_event_type *type =
            ves_event_type_find(ves_bytes_str(rows[i].name));
        assert_non_null(type);
        assert_int_equal(type->event_class, rows[i].event_class);
        assert_int_equal(type->base, rows[i].base);
    }
}

#define CURRENCY                                                              \
    "payload /currency: expected an ISO 4217 code of three capital letters, " \
    "because money occurs"
#define MINOR    " expected an integer, the amount in the currency's minor unit"
#define QUANTITY " expected a decimal number or string"
#define RANGE    " expected at most 6 decimals and less than 10^12 in size"
#define ID       " expected an id, a text of 1 to 512 bytes or an integer"

static void foreign_shapes_pass(void **state)
{
    static const struct sample samples[] = {
        {"order.created", "{\"total\":12.5}", ""},
        {"order.created", "{}", ""},
        {"order.created",
         "{\"orderId\":\"x\",\"totals\":{\"subtotal\":12.5},"
         "\"shippingAddress\":{\"zip\":\"94103\"}}",
         ""},
        {"order.created", "{\"currency\":\"usd\",\"total\":1}", ""},
        {"order.updated", "{\"shippingAddress\":{\"zip\":\"94103\"}}", ""},
        {"order.created", "{\"_ves\":{\"v\":1}}", ""},
        {"order.shipped", "{}", ""},
        {"order.cancelled", "{}", ""},
        {"return.approved", "{\"by\":1}", ""},
        {"return.rejected", "{}", ""},
        {"no.such.type", "[1]", ""},
    };
    (void)state;
    RUN(samples);
}

static void payloads_are_objects(void **state)
{
    static const struct sample samples[] = {
        {"order.created", "[]", "payload: expected an object"},
        {"return.rejected", "null", "payload: expected an object"},
    };
    (void)state;
    RUN(samples);
}

static void orders(void **state)
{
    static const struct sample samples[] = {
        {"order.created",
         "{\"currency\":\"GBP\",\"lines\":[{\"quantity\":\"-1.5\","
         "\"unit_price_minor\":255},{\"quantity\":6}],"
         "\"totals\":{\"total_minor\":-3}}",
         ""},
        {"order.created",
         "{\"lines\":[{\"unit_price_minor\":1,"
         "\"quantity\":1}]}",
         CURRENCY},
        {"order.created", "{\"totals\":{\"tax_minor\":1}}", CURRENCY},
        {"order.created", "{\"amount_minor\":1,\"currency\":\"gbp\"}",
         CURRENCY},
        {"order.created", "{\"amount_minor\":1,\"currency\":\"GBPX\"}",
         CURRENCY},
        {"order.created", "{\"amount_minor\":null}", ""},
        {"order.created", "{\"currency\":\"GBP\",\"amount_minor\":1.5}",
         "payload /amount_minor:" MINOR},
        {"order.created",
         "{\"currency\":\"GBP\",\"totals\":{\"a/b~_minor\":"
         "\"1\"}}",
         "payload /totals/a~1b~0_minor:" MINOR},
        {"order.created", "{\"totals\":{\"_minor\":\"1\"}}", ""},
        {"order.created", "{\"currency\":\"GBP\",\"tip_minor\":1e16}",
         "payload /tip_minor:" MINOR},
        {"order.created", "{\"lines\":{}}",
         "payload /lines: expected an array of objects"},
        {"order.created", "{\"lines\":[{\"quantity\":1},7]}",
         "payload /lines/1: expected an object"},
        {"order.created", "{\"lines\":[{\"sku\":\"x\"}]}",
         "payload /lines/0/quantity:" QUANTITY},
        {"order.created", "{\"lines\":[{\"quantity\":\"one\"}]}",
         "payload /lines/0/quantity:" QUANTITY},
        {"order.created",
         "{\"lines\":[{\"quantity\":1},{\"quantity\":2},"
         "{\"quantity\":\"1.0000001\"}]}",
         "payload /lines/2/quantity:" RANGE},
        {"order.created",
         "{\"lines\":[{\"quantity\":1,"
         "\"tax_minor\":\"3\"}]}",
         "payload /lines/0/tax_minor:" MINOR},
        {"order.created", "{\"lines\":null}", ""},
        {"order.updated", "{\"patch\":{},\"before\":{},\"reason\":\"x\"}", ""},
        {"order.updated", "{\"patch\":null}",
         "payload /patch: expected an object, an RFC 7396 patch"},
        {"order.updated", "{\"before\":[]}",
         "payload /before: expected an object of pointers and previous "
         "values"},
        {"order.shipped", "{\"shipment_id\":7}", ""},
        {"order.shipped", "{\"shipment_id\":\"\"}", "payload /shipment_id:" ID},
        {"order.shipped", "{\"lines\":[{}]}",
         "payload /lines/0/quantity:" QUANTITY},
        {"order.cancelled", "{\"refund_request_minor\":true}",
         "payload /refund_request_minor:" MINOR},
    };
    (void)state;
    RUN(samples);
}

static void stock(void **state)
{
    static const struct sample samples[] = {
        {"inventory.adjusted", "{\"delta\":\"-2\"}", ""},
        {"inventory.adjusted", "{\"delta\":2.5}", ""},
        {"inventory.adjusted", "{\"quantity\":1}", "payload /delta:" QUANTITY},
        {"inventory.adjusted", "{\"delta\":null}", "payload /delta:" QUANTITY},
        {"inventory.adjusted", "{\"delta\":1e12}", "payload /delta:" RANGE},
        {"inventory.reserved", "{\"reservation_id\":\"r\",\"quantity\":1}", ""},
        {"inventory.reserved",
         "{\"reservation_id\":\"r\",\"lines\":[{\"quantity\":\"1\"}]}", ""},
        {"inventory.reserved", "{\"quantity\":1}",
         "payload /reservation_id:" ID},
        {"inventory.reserved", "{\"reservation_id\":\"r\"}",
         "payload: expected at least one of /quantity and /lines"},
        {"inventory.reserved", "{\"reservation_id\":\"r\",\"quantity\":-1}",
         "payload /quantity: expected a quantity that is not below zero"},
        {"inventory.reserved",
         "{\"reservation_id\":\"r\",\"lines\":[{\"quantity\":-1}]}",
         "payload /lines/0/quantity: expected a quantity that is not below "
         "zero"},
        {"inventory.released", "{\"reservation_id\":\"r\"}", ""},
        {"inventory.released", "{\"reservation_id\":[1]}",
         "payload /reservation_id:" ID},
        {"inventory.released", "{\"reservation_id\":\"r\",\"quantity\":{}}",
         "payload /quantity:" QUANTITY},
    };
    (void)state;
    RUN(samples);
}

static void people_and_money(void **state)
{
    static const char none[] = "payload: expected at least one of /name, "
                               "/email, /phone and /customer_id";
    const struct sample samples[] = {
        {"customer.created", "{\"email\":\"a@b\"}", ""},
        {"customer.created", "{\"customer_id\":\"17850\"}", ""},
        {"customer.created", "{\"name\":null,\"note\":1}", none},
        {"customer.created", "{}", none},
        {"payment.created", "{\"amount_minor\":1,\"currency\":\"EUR\"}", ""},
        {"payment.created", "{\"amount_minor\":1}", CURRENCY},
        {"payment.created", "{\"currency\":\"EUR\"}",
         "payload /amount_minor:" MINOR},
        {"payment.created", "{\"amount\":1,\"currency\":\"EUR\"}",
         "payload /amount_minor:" MINOR},
        {"payment.completed", "{\"amount_minor\":1}", ""},
        {"payment.completed", "{}", "payload /amount_minor:" MINOR},
        {"payment.completed", "{\"amount_minor\":\"1\"}",
         "payload /amount_minor:" MINOR},
        {"payment.refunded", "{\"amount_minor\":1,\"refund_id\":\"r\"}", ""},
        {"payment.refunded", "{\"amount_minor\":1}", "payload /refund_id:" ID},
        {"return.created", "{\"lines\":[{\"quantity\":1}]}", ""},
        {"return.created", "{}", ""},
        {"return.created", "{\"lines\":[{\"reason\":1}]}",
         "payload /lines/0/quantity:" QUANTITY},
        {"return.approved", "{\"restocking_fee_minor\":0.5}",
         "payload /restocking_fee_minor:" MINOR},
    };
    (void)state;
    RUN(samples);
}

/* The name is the author's: long, with control characters, not ASCII. */
static void names_in_messages_are_tamed(void **state)
{
    char payload[512] = "{\"\\n";
    char expected[512] = "payload /?";
    (void)state;
    size_t sent = strlen(payload), shown = strlen(expected);

    for (int i = 0; i < 40; i++, sent += 2)
        memcpy(payload + sent, "\xc3\xa9", 2); /* 80 bytes */
    for (int i = 0; i < 31; i++, shown += 2)   /* 1 + 62 <= 64, no more */
        memcpy(expected + shown, "\xc3\xa9", 2);
    snprintf(payload + sent, sizeof(payload) - sent, "_minor\":true}");
    snprintf(expected + shown, sizeof(expected) - shown, ":" MINOR);
    assert_string_equal(check("order.created", payload), expected);
}

/* semantics.md 4.2: ids, quantity or amount, and currency. */
static void the_wider_catalogue(void **state)
{
    static const struct sample samples[] = {
        {"order.line_added", "{\"line_uid\":1,\"line\":{\"quantity\":1}}", ""},
        {"order.line_added", "{\"line_uid\":1}",
         "payload /line: expected an object"},
        {"order.line_added", "{\"line_uid\":1,\"line\":{}}",
         "payload /line/quantity:" QUANTITY},
        {"order.line_changed", "{\"line_uid\":1}",
         "payload: expected at least one of /line and /quantity_to"},
        {"order.line_removed", "{\"line_uid\":\"\"}", "payload /line_uid:" ID},
        {"order.tagged", "{\"tags\":[\"a\",1]}",
         "payload /tags: expected an array of texts"},
        {"order.confirmed", "{}", ""},
        {"order.note_added", "{\"text\":1}", "payload /text: expected a text"},
        {"inventory.counted", "{}", "payload /counted:" QUANTITY},
        {"inventory.counted", "{\"counted\":1,\"expected\":\"x\"}",
         "payload /expected:" QUANTITY},
        {"inventory.fulfilled", "{\"reservation_id\":1}",
         "payload: expected at least one of /quantity and /lines"},
        {"inventory.fulfilled",
         "{\"reservation_id\":1,\"lines\":[{\"quantity\":-1}]}",
         "payload /lines/0/quantity: expected a quantity that is not below "
         "zero"},
        {"payment.refund_requested", "{\"refund_id\":1}",
         "payload /amount_minor:" MINOR},
        {"product.price_changed", "{\"price_minor\":1}",
         "payload /currency: expected an ISO 4217 code of three capital "
         "letters, because money occurs"},
        {"product.created", "{\"name\":\"n\",\"price_minor\":1}", CURRENCY},
        {"product.created", "{\"name\":\"n\"}", ""},
        {"register.closed", "{\"shift_id\":1,\"counted_minor\":1.5}",
         "payload /counted_minor:" MINOR},
        {"customer.consent_changed", "{\"purpose\":\"mail\"}",
         "payload /state: expected a text"},
        {"return.received", "{}",
         "payload /lines: expected an array of objects"},
    };
    (void)state;
    RUN(samples);
}

static void errors_may_be_ignored(void **state)
{
    const struct ves_json *json;
    (void)state;
    assert_int_equal(
        ves_json_read(&arena, ves_bytes_str("{}"), NULL, &json, NULL), VES_OK);
    assert_int_equal(
        ves_event_type_check(
            ves_event_type_find(ves_bytes_str("payment.created")), json, NULL),
        VES_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_seeds),
        cmocka_unit_test(classes_and_bases),
        cmocka_unit_test(foreign_shapes_pass),
        cmocka_unit_test(payloads_are_objects),
        cmocka_unit_test(orders),
        cmocka_unit_test(stock),
        cmocka_unit_test(people_and_money),
        cmocka_unit_test(names_in_messages_are_tamed),
        cmocka_unit_test(the_wider_catalogue),
        cmocka_unit_test(errors_may_be_ignored),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("types", tests, set_up, tear_down);
}
