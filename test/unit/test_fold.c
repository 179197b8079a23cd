/* test_fold.c -- every rule of the fold, and what it must not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/fold_tree.h"
#include "core/follow_up.h"
#include "test/lib/test_folder.h"
#include "json/jcs.h"

static struct test_folder folder;

static int set_up(void **state)
{
    (void)state;
    test_folder_init(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_free(&folder);
    return 0;
}

/* Folds one usable event. */
static void take(const char *event_type, const char *payload)
{
    test_folder_apply(&folder, event_type, payload);
    assert_false(folder.note.is_unusable);
    assert_string_equal(folder.note.reason, "");
}

/* Folds one event that must change nothing and say why. */
static void take_unusable(const char *event_type, const char *payload,
                          const char *reason)
{
    char *before = strdup(test_folder_state(&folder));
    assert_non_null(before);
    test_folder_apply(&folder, event_type, payload);
    assert_true(folder.note.is_unusable);
    assert_string_equal(folder.note.reason, reason);
    assert_string_equal(test_folder_state(&folder), before);
    free(before);
}

static void expect(const char *json)
{
    assert_string_equal(test_folder_state(&folder), json);
}

/* ---- documents ---------------------------------------------------------- */

static void created_sets_members_and_status(void **state)
{
    (void)state;
    take("order.created", "{\"total\": 12.50, \"_ves\": {\"v\": 1}, "
                          "\"lines\": [{\"q\": 1, \"a\": null}]}");
    expect("{\"lines\":[{\"a\":null,\"q\":1}],\"status\":\"created\","
           "\"total\":12.5}");
}

static void created_takes_the_payloads_status(void **state)
{
    (void)state;
    take("customer.created", "{\"name\":\"A\",\"status\":\"vip\"}");
    expect("{\"name\":\"A\",\"status\":\"vip\"}");
}

static void second_create_adds_only_what_is_missing(void **state)
{
    (void)state;
    take("order.created", "{\"note\":\"first\",\"a\":null}");
    take("order.updated", "{\"patch\":{\"status\":\"confirmed\"}}");
    take("order.created", "{\"note\":\"second\",\"a\":1,\"b\":2,"
                          "\"status\":\"created\"}");
    expect("{\"a\":null,\"b\":2,\"note\":\"first\",\"status\":\"confirmed\"}");
}

static void late_create_keeps_what_came_before_it(void **state)
{
    (void)state;
    take("order.shipped", "{\"shipment_id\":\"S1\"}");
    take("order.created", "{\"order_number\":\"7\",\"shipments\":[]}");
    expect("{\"order_number\":\"7\",\"shipments\":{\"S1\":{\"shipment_id\":"
           "\"S1\"}},\"status\":\"shipped\"}");
}

/* RFC 7396 appendix A, those whose document and patch are objects. */
static void updated_is_a_merge_patch(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
         "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char payload[256];
        char result[256];
        test_folder_reset(&folder);
        (void)snprintf(payload, sizeof(payload), "{\"status\":0,\"x\":%s}",
                       cases[i][0]);
        (void)snprintf(result, sizeof(result), "{\"status\":0,\"x\":%s}",
                       cases[i][2]);
        take("order.created", payload);
        (void)snprintf(payload, sizeof(payload), "{\"patch\":{\"x\":%s}}",
                       cases[i][1]);
        take("order.updated", payload);
        expect(result);
    }
}

static void patch_order_of_members_does_not_matter(void **state)
{
    (void)state;
    take("order.created", "{\"b\":1,\"d\":1,\"f\":{\"x\":1,\"y\":2}}");
    take("order.updated", "{\"patch\":{\"g\":3,\"f\":{\"z\":1,\"y\":null,"
                          "\"a\":{\"q\":null,\"p\":1}},\"d\":null,\"a\":0,"
                          "\"c\":[{\"z\":null,\"b\":2}]}}");
    expect("{\"a\":0,\"b\":1,\"c\":[{\"b\":2,\"z\":null}],\"f\":{\"a\":{\"p\":"
           "1},\"x\":1,\"z\":1},\"g\":3,\"status\":\"created\"}");
}

static void updated_without_patch_is_the_patch(void **state)
{
    (void)state;
    take("customer.updated", "{\"email\":\"a@b\",\"phone\":null,"
                             "\"_ves\":{\"v\":1}}");
    expect("{\"email\":\"a@b\"}");
}

static void ves_never_reaches_the_state(void **state)
{
    (void)state;
    take("order.updated", "{\"patch\":{\"_ves\":{\"v\":1},\"a\":1},"
                          "\"_ves\":{\"v\":1}}");
    take("order.shipped", "{\"_ves\":{\"v\":1},\"shipment_id\":\"s\"}");
    take("order.cancelled", "{\"_ves\":{\"v\":1}}");
    assert_null(strstr(test_folder_state(&folder), "_ves"));
}

static void bad_patches_change_nothing(void **state)
{
    (void)state;
    take("order.created", "{}");
    take_unusable("order.updated", "{\"patch\":null}",
                  "/patch is not an object");
    take_unusable("order.updated", "{\"patch\":[1]}",
                  "/patch is not an object");
    take_unusable("order.updated", "[]", "the payload is not an object");
    take_unusable("order.created", "7", "the payload is not an object");
}

static void shipments_are_keyed_by_id_or_event(void **state)
{
    (void)state;
    take("order.shipped", "{\"shipment_id\":\"S\",\"carrier\":\"x\"}");
    take("order.shipped", "{\"shipment_id\":12}");
    take("order.shipped", "{}");
    take("order.shipped", "{\"shipment_id\":\"S\",\"carrier\":\"y\","
                          "\"note\":1}");
    expect("{\"shipments\":{\"00000000-0000-0000-0000-000000000003\":{},"
           "\"12\":{\"shipment_id\":12},\"S\":{\"carrier\":\"x\",\"note\":1,"
           "\"shipment_id\":\"S\"}},\"status\":\"shipped\"}");
}

static void what_is_no_map_gives_way(void **state)
{
    (void)state;
    take("order.created", "{\"shipments\":[1]}");
    take("order.shipped", "{\"shipment_id\":\"\"}");
    expect("{\"shipments\":{\"\":{\"shipment_id\":\"\"}},"
           "\"status\":\"shipped\"}");
}

static void cancelled_and_returns(void **state)
{
    (void)state;
    take("order.cancelled", "{\"reason_code\":\"x\"}");
    expect("{\"cancellation\":{\"reason_code\":\"x\"},"
           "\"status\":\"cancelled\"}");
    test_folder_reset(&folder);
    take("return.created", "{\"order_id\":\"o\"}");
    expect("{\"order_id\":\"o\",\"status\":\"requested\"}");
    take("return.approved", "{\"rma_no\":\"5\"}");
    expect("{\"approval\":{\"rma_no\":\"5\"},\"order_id\":\"o\","
           "\"status\":\"approved\"}");
    take("return.rejected", "{}");
    expect("{\"approval\":{\"rma_no\":\"5\"},\"order_id\":\"o\","
           "\"rejection\":{},\"status\":\"rejected\"}");
}

/* ---- stock -------------------------------------------------------------- */

static void stock_example(void **state)
{
    (void)state;
    take("inventory.adjusted", "{\"delta\":\"10\",\"product_id\":\"p\"}");
    take("inventory.adjusted", "{\"delta\":-2,\"product_id\":\"q\"}");
    take("inventory.adjusted", "{\"delta\":\"-3.0\",\"location_id\":7}");
    expect("{\"available\":5,\"location_id\":7,\"on_hand\":5,"
           "\"product_id\":\"p\"}");
}

static void sums_are_exact_where_doubles_are_not(void **state)
{
    (void)state;
    take("inventory.adjusted", "{\"delta\":0.1}");
    take("inventory.adjusted", "{\"delta\":0.2}");
    expect("{\"available\":0.3,\"on_hand\":0.3}");
    take("inventory.adjusted", "{\"delta\":\"999999999999.4\"}");
    expect("{\"available\":999999999999.7,\"on_hand\":999999999999.7}");
    take("inventory.adjusted", "{\"delta\":\"0.000001\"}");
    expect("{\"available\":\"999999999999.700001\","
           "\"on_hand\":\"999999999999.700001\"}");
    take_unusable("inventory.adjusted", "{\"delta\":\"0.3\"}",
                  "on_hand would leave the range of quantities");
    take("inventory.adjusted", "{\"delta\":\"-999999999999.700001\"}");
    expect("{\"available\":0,\"on_hand\":0}");
    take("inventory.adjusted", "{\"delta\":-4}");
    expect("{\"available\":-4,\"on_hand\":-4}");
}

static void bad_deltas_change_nothing(void **state)
{
    static const char *const payloads[] = {
        "{}",
        "{\"adjustment\":1}",
        "{\"quantity\":1}",
        "{\"delta\":null}",
        "{\"delta\":true}",
        "{\"delta\":\"\"}",
        "{\"delta\":\"+1\"}",
        "{\"delta\":\"1e3\"}",
        "{\"delta\":\"0.1234567\"}",
        "{\"delta\":0.1234567}",
        "{\"delta\":\"1000000000000\"}",
        "{\"delta\":1e12}",
        "{\"delta\":-1e300}",
    };
    (void)state;
    take("inventory.adjusted", "{\"delta\":1}");
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        take_unusable("inventory.adjusted", payloads[i],
                      "/delta is no quantity");
}

static void number_means_its_canonical_form(void **state)
{
    (void)state;
    /* The payload hash is that of 0.1 for both spellings. */
    take("inventory.adjusted",
         "{\"delta\":0.1000000000000000055511151231257827}");
    take("inventory.adjusted", "{\"delta\":1e2}");
    expect("{\"available\":100.1,\"on_hand\":100.1}");
}

static void reservations(void **state)
{
    (void)state;
    take("inventory.adjusted", "{\"delta\":10}");
    take("inventory.reserved",
         "{\"reservation_id\":\"r1\",\"quantity\":\"2.5\"}");
    take("inventory.reserved", "{\"reservation_id\":\"r2\",\"lines\":"
                               "[{\"quantity\":1},{\"quantity\":\"3\"}]}");
    expect("{\"available\":3.5,\"on_hand\":10,\"reservations\":{\"r1\":{"
           "\"quantity\":2.5,\"reservation_id\":\"r1\"},\"r2\":{\"lines\":"
           "[{\"quantity\":1},{\"quantity\":\"3\"}],\"quantity\":4,"
           "\"reservation_id\":\"r2\"}},\"reserved\":6.5}");
    /* The same id again changes nothing, whatever it says. */
    char *before = strdup(test_folder_state(&folder));
    take("inventory.reserved", "{\"reservation_id\":\"r1\",\"quantity\":9}");
    expect(before);
    free(before);

    take("inventory.released", "{\"reservation_id\":\"r2\",\"quantity\":1}");
    take("inventory.released", "{\"reservation_id\":\"r1\"}");
    take("inventory.released", "{\"reservation_id\":\"r1\"}");
    expect("{\"available\":7,\"on_hand\":10,\"reservations\":{\"r2\":{"
           "\"lines\":[{\"quantity\":1},{\"quantity\":\"3\"}],\"quantity\":3,"
           "\"reservation_id\":\"r2\"}},\"reserved\":3}");
    take("inventory.released", "{\"reservation_id\":\"r2\",\"quantity\":99}");
    expect("{\"available\":10,\"on_hand\":10,\"reservations\":{},"
           "\"reserved\":0}");
}

static void fulfilments(void **state)
{
    (void)state;
    take("inventory.adjusted", "{\"delta\":10}");
    take("inventory.reserved", "{\"reservation_id\":\"r\",\"quantity\":4}");
    take("inventory.fulfilled",
         "{\"reservation_id\":\"r\",\"lines\":[{\"quantity\":3}]}");
    expect("{\"available\":6,\"on_hand\":7,\"reservations\":{\"r\":{"
           "\"quantity\":1,\"reservation_id\":\"r\"}},\"reserved\":1}");
    /* More than was held left all the same. */
    take("inventory.fulfilled", "{\"reservation_id\":\"r\",\"quantity\":2}");
    expect("{\"available\":5,\"on_hand\":5,\"reservations\":{},"
           "\"reserved\":0}");
    take("inventory.fulfilled", "{\"reservation_id\":\"r\",\"quantity\":6}");
    expect("{\"available\":-1,\"on_hand\":-1,\"reservations\":{},"
           "\"reserved\":0}");
    take_unusable("inventory.fulfilled", "{\"reservation_id\":\"r\"}",
                  "/quantity and /lines are missing");
}

static void counts_and_transfers(void **state)
{
    (void)state;
    take("inventory.initialized", "{\"quantity\":\"5\",\"product_id\":\"p\"}");
    take("inventory.initialized", "{\"quantity\":\"7\"}");
    take("inventory.counted", "{\"counted\":4,\"expected\":5}");
    take("inventory.transferred", "{\"transfer_id\":1,\"delta\":\"-1.5\"}");
    take("inventory.transferred", "{\"transfer_id\":1,\"delta\":\"-1.5\"}");
    expect("{\"available\":2.5,\"initialized\":{\"product_id\":\"p\","
           "\"quantity\":\"5\"},\"on_hand\":2.5,\"product_id\":\"p\","
           "\"transfers\":{\"1\":{\"delta\":\"-1.5\",\"transfer_id\":1}}}");
    take_unusable("inventory.counted", "{\"counted\":\"many\"}",
                  "/counted is no quantity");
    take_unusable("inventory.transferred", "{\"delta\":1}",
                  "/transfer_id is missing");
}

static void releasing_the_unknown_makes_no_entity(void **state)
{
    (void)state;
    take("inventory.released", "{\"reservation_id\":\"r\"}");
    expect("");
}

static void bad_reservations_change_nothing(void **state)
{
    (void)state;
    take_unusable("inventory.reserved", "{\"quantity\":1}",
                  "/reservation_id is missing");
    take_unusable("inventory.reserved", "{\"reservation_id\":\"r\"}",
                  "/quantity and /lines are missing");
    take_unusable("inventory.reserved",
                  "{\"reservation_id\":\"r\",\"quantity\":-1}",
                  "/quantity is no quantity of zero or more");
    take_unusable("inventory.reserved",
                  "{\"reservation_id\":\"r\",\"lines\":{}}",
                  "/lines is not an array");
    take_unusable("inventory.reserved",
                  "{\"reservation_id\":\"r\",\"lines\":[1]}",
                  "a quantity in /lines is no quantity of zero or more");
    take_unusable("inventory.released", "{\"quantity\":1}",
                  "/reservation_id is missing");
}

/* ---- money -------------------------------------------------------------- */

static void payments(void **state)
{
    (void)state;
    take("payment.created", "{\"amount_minor\":500,\"currency\":\"GBP\"}");
    take("payment.completed", "{\"amount_minor\":480,\"provider\":\"x\"}");
    expect("{\"amount_minor\":500,\"completed_minor\":480,\"currency\":\"GBP\","
           "\"provider\":\"x\",\"status\":\"completed\"}");
    take("payment.refunded", "{\"refund_id\":\"a\",\"amount_minor\":100}");
    take("payment.refunded", "{\"refund_id\":\"b\",\"amount_minor\":50}");
    take("payment.refunded", "{\"refund_id\":\"a\",\"amount_minor\":7}");
    take("payment.completed", "{\"amount_minor\":481}");
    expect("{\"amount_minor\":500,\"completed_minor\":481,\"currency\":\"GBP\","
           "\"provider\":\"x\",\"refunded_minor\":150,\"refunds\":{\"a\":{"
           "\"amount_minor\":100,\"refund_id\":\"a\"},\"b\":{\"amount_minor\":"
           "50,\"refund_id\":\"b\"}},\"status\":\"refunded\"}");
}

static void bad_amounts_change_nothing(void **state)
{
    static const char reason[] = "/amount_minor is no integer of minor units";
    (void)state;
    take("payment.created", "{}");
    take_unusable("payment.completed", "{}", reason);
    take_unusable("payment.completed", "{\"amount_minor\":1.5}", reason);
    take_unusable("payment.completed", "{\"amount_minor\":\"1\"}", reason);
    take_unusable("payment.refunded", "{\"amount_minor\":1e16}", reason);
    take("payment.refunded",
         "{\"amount_minor\":9007199254740991,\"refund_id\":\"x\"}");
    take_unusable("payment.refunded", "{\"amount_minor\":1}",
                  "refunded_minor would leave the range of amounts");
}

/* ---- the wider catalogue --------------------------------------------------
 */

static void statuses_go_up_their_ladder(void **state)
{
    (void)state;
    take("order.created", "{}");
    take("order.processing", "{}");
    take("order.confirmed", "{\"by\":1}");
    expect("{\"confirmation\":{\"by\":1},\"processing\":{},"
           "\"status\":\"processing\"}");
    take("order.cancelled", "{}");
    take("order.confirmed", "{\"by\":2}");
    expect("{\"cancellation\":{},\"confirmation\":{\"by\":2},"
           "\"processing\":{},\"status\":\"confirmed\"}");
}

static void lines_become_a_map_when_addressed(void **state)
{
    (void)state;
    take("order.created", "{\"lines\":[{\"line_uid\":\"b\",\"quantity\":1},"
                          "{\"line_uid\":2,\"quantity\":1}]}");
    take("order.line_changed", "{\"line_uid\":\"b\",\"quantity_to\":3,"
                               "\"line\":{\"note\":\"n\"}}");
    take("order.line_removed", "{\"line_uid\":2}");
    take("order.line_added", "{\"line_uid\":\"a\",\"line\":{\"quantity\":9}}");
    take("order.line_added", "{\"line_uid\":\"a\",\"line\":{\"quantity\":8}}");
    take("order.edited_price_override", "{\"line_uid\":\"a\"}");
    take("order.updated", "{\"patch\":{\"lines\":{\"c\":{\"q\":1}}}}");
    expect("{\"lines\":{\"a\":{\"price_override\":{\"line_uid\":\"a\"},"
           "\"quantity\":9},\"b\":{\"line_uid\":\"b\",\"note\":\"n\","
           "\"quantity\":3},\"c\":{\"q\":1}},\"status\":\"created\"}");
    /* An array is what it says. */
    take("order.updated", "{\"patch\":{\"lines\":[{\"sku\":1}]}}");
    take_unusable("order.updated", "{\"patch\":{\"lines\":{\"c\":{\"q\":1}}}}",
                  "an item of /lines cannot be addressed: not each has a "
                  "line_uid of its own");
    take("order.updated", "{\"patch\":{\"lines\":null}}");
    take("order.updated", "{\"patch\":{\"lines\":[{\"line_uid\":1},"
                          "{\"line_uid\":\"1\"}]}}");
    take_unusable("order.line_removed", "{\"line_uid\":1}",
                  "an item of /lines cannot be addressed: not each has a "
                  "line_uid of its own");
}

static void sets_lists_and_maps(void **state)
{
    (void)state;
    take("order.tagged", "{\"tags\":[\"a\",\"b\",\"a\"]}");
    take("order.tagged", "{\"tags\":\"b\"}");
    take("order.note_added", "{\"text\":\"n\"}");
    take("order.note_added", "{\"text\":\"n\"}");
    take("order.held", "{\"reason\":1}");
    take("order.hold_released", "{}");
    expect("{\"notes\":[{\"text\":\"n\"},{\"text\":\"n\"}],"
           "\"tags\":[\"a\",\"b\"]}");
    test_folder_reset(&folder);
    take("customer.address_added", "{\"address_id\":\"h\",\"zip\":\"1\"}");
    take("customer.address_changed",
         "{\"address_id\":\"h\",\"zip\":null,\"city\":\"C\"}");
    take("customer.consent_changed",
         "{\"purpose\":\"mail\",\"state\":\"denied\"}");
    expect("{\"addresses\":{\"h\":{\"address_id\":\"h\",\"city\":\"C\"}},"
           "\"consents\":{\"mail\":{\"purpose\":\"mail\",\"state\":"
           "\"denied\"}}}");
    take("customer.address_removed", "{\"address_id\":\"h\"}");
    take("customer.merged", "{\"from\":\"1\",\"to\":\"2\"}");
    take("customer.deleted", "{}");
    expect("{\"addresses\":{},\"consents\":{\"mail\":{\"purpose\":\"mail\","
           "\"state\":\"denied\"}},\"merged_to\":\"2\"}");
}

static void sums_of_money_and_points(void **state)
{
    (void)state;
    take("register.opened", "{\"shift_id\":1,\"amount_minor\":100}");
    take("register.cash_paid_in", "{\"amount_minor\":50}");
    take("register.cash_paid_out", "{\"amount_minor\":9000000000000}");
    take("register.no_sale", "{}");
    take("register.no_sale", "{}");
    expect("{\"cash_minor\":-8999999999850,\"no_sale_count\":2,\"opening\":{"
           "\"amount_minor\":100,\"shift_id\":1},\"status\":\"open\"}");
    test_folder_reset(&folder);
    take("loyalty.earned", "{\"points\":\"2.5\"}");
    take("loyalty.redeemed", "{\"points\":4}");
    expect("{\"points\":-1.5}");
    take_unusable("loyalty.earned", "{\"points\":-1}",
                  "/points is no quantity");
}

/* Deeper than the top, too, or a late create would not be one. */
static void fill_is_deep(void **state)
{
    (void)state;
    take("order.updated", "{\"patch\":{\"a\":{\"x\":1},\"b\":1}}");
    take("order.created", "{\"a\":{\"x\":2,\"y\":{\"z\":3}},\"b\":{\"c\":4}}");
    expect("{\"a\":{\"x\":1,\"y\":{\"z\":3}},\"b\":1,\"status\":"
           "\"created\"}");
}

/* What the state asks somebody to look at, "" for nothing. */
static const char *follow_up(const char *entity_type)
{
    static char text[64];
    struct ves_follow_up list[VES_FOLLOW_UPS_MAX];
    const struct ves_json *state;
    char quantity[VES_QUANTITY_TEXT];

    assert_int_equal(ves_json_read(&folder.arena,
                                   ves_bytes_str(test_folder_state(&folder)),
                                   NULL, &state, NULL),
                     VES_OK);
    size_t count = ves_follow_ups(ves_bytes_str(entity_type), state, list);
    if (count == 0)
        return "";
    assert_int_equal(count, 1);
    /* The quick look passes none of them over. */
    assert_true(ves_follow_ups_may(ves_bytes_str(entity_type),
                                   ves_bytes_str(test_folder_state(&folder))));
    if (list[0].is_money)
        snprintf(text, sizeof(text), "%s %lld", list[0].name,
                 (long long)list[0].amount_minor);
    else
        snprintf(text, sizeof(text), "%s %.*s", list[0].name,
                 (int)ves_quantity_format(list[0].quantity, quantity),
                 quantity);
    return text;
}

static void follow_ups(void **state)
{
    (void)state;
    take("inventory.adjusted", "{\"delta\":1}");
    assert_string_equal(follow_up("inventory"), "");
    assert_false(ves_follow_ups_may(ves_bytes_str("inventory"),
                                    ves_bytes_str(test_folder_state(&folder))));
    take("inventory.reserved", "{\"reservation_id\":1,\"quantity\":\"3.5\"}");
    assert_string_equal(follow_up("inventory"), "inventory.oversold 2.5");
    assert_string_equal(follow_up("order"), "");
    test_folder_reset(&folder);
    take("payment.refunded", "{\"refund_id\":1,\"amount_minor\":5}");
    assert_string_equal(follow_up("payment"), "payment.unmatched 5");
    take("payment.completed", "{\"amount_minor\":4}");
    assert_string_equal(follow_up("payment"), "payment.over_refunded 1");
    take("payment.completed", "{\"amount_minor\":6}");
    assert_string_equal(follow_up("payment"), "");
    take("payment.refund_requested", "{\"refund_id\":1,\"amount_minor\":5}");
    assert_string_equal(follow_up("payment"), "");
    take("payment.refund_requested", "{\"refund_id\":2,\"amount_minor\":3}");
    assert_string_equal(follow_up("payment"), "payment.over_requested 2");
    test_folder_reset(&folder);
    take("return.received", "{\"lines\":[{\"line_uid\":1,\"quantity\":2}]}");
    assert_string_equal(follow_up("return"), "");
    take("return.requested", "{\"order_id\":1,\"lines\":[{\"line_uid\":1,"
                             "\"quantity\":2},{\"line_uid\":2,"
                             "\"quantity\":\"0.5\"}]}");
    assert_string_equal(follow_up("return"), "");
    take("return.received",
         "{\"lines\":[{\"line_uid\":2,\"quantity\":\"0.75\"}]}");
    assert_string_equal(follow_up("return"), "return.over_received 0.25");
}

/* ---- around the rules --------------------------------------------------- */

static void other_types_leave_the_state(void **state)
{
    (void)state;
    take("order.gift_wrapped", "{\"a\":1}");
    take("ves.conflict.resolved", "{\"a\":1}");
    expect("");
    take("order.created", "{\"a\":1}");
    take("order.createdx", "{\"a\":2}");
    expect("{\"a\":1,\"status\":\"created\"}");
}

static void rule_versions(void **state)
{
    (void)state;
    test_folder_apply_version(&folder, "order.created", 0, "{\"a\":1}");
    assert_false(folder.note.is_unusable);
    expect("");
    test_folder_apply_version(&folder, "order.created", 2, "{\"a\":1}");
    assert_true(folder.note.is_unusable);
    expect("");
    test_folder_apply_version(&folder, "order.created", 1, "{\"a\":1}");
    assert_false(folder.note.is_unusable);
    expect("{\"a\":1,\"status\":\"created\"}");
    /* It may be a type of a later program. */
    test_folder_apply_version(&folder, "x.y", 3, "{\"a\":2}");
    assert_true(folder.note.is_unusable);
    expect("{\"a\":1,\"status\":\"created\"}");
}

static void encrypted_events_leave_the_state(void **state)
{
    struct ves_event event;
    (void)state;
    take("order.created", "{\"a\":1}");
    memset(&event, 0, sizeof(event));
    event.event_type = ves_bytes_str("order.updated");
    event.payload_kind = VES_PAYLOAD_ENCRYPTED;
    test_folder_apply_event(&folder, &event);
    assert_false(folder.note.is_unusable);
    expect("{\"a\":1,\"status\":\"created\"}");
}

static char *nested(const char *before, size_t depth, const char *after)
{
    char *text = calloc(1, strlen(before) + 2 * depth + strlen(after) + 1);
    assert_non_null(text);
    char *at = text;
    memcpy(at, before, strlen(before));
    at += strlen(before);
    memset(at, '[', depth);
    memset(at + depth, ']', depth);
    memcpy(at + 2 * depth, after, strlen(after));
    return text;
}

/* A payload as deep as events may be becomes two deeper in a map, where the
 * next reader of the state would fail. */
static void depth_stays_within_the_limit(void **state)
{
    (void)state;
    char *deep = nested("{\"shipment_id\":\"s\",\"x\":", 63, "}");
    char *less = nested("{\"shipment_id\":\"s\",\"x\":", 61, "}");
    take_unusable("order.shipped", deep, "the state would nest too deep");
    take("order.created", deep);
    take("order.shipped", less);
    free(deep);
    /* Brackets in texts are no nesting, behind an escaped quote neither. */
    deep = nested("{\"a\":\"\\\"", 70, "\"}");
    take("order.updated", deep);
    free(deep);
    deep = nested("{\"b\\\\\":", 62, ",\"c\":\"\\\\\\\"\"}");
    take_unusable("order.shipped", deep, "the state would nest too deep");
    free(deep);
    free(less);
}

static void size_stays_within_the_limit(void **state)
{
    (void)state;
    size_t len = VES_STATE_MAX - 64;
    char *payload = malloc(len + 64);
    assert_non_null(payload);
    memcpy(payload, "{\"note\":\"", 9);
    memset(payload + 9, 'x', len);
    memcpy(payload + 9 + len, "\"}", 3);
    take("order.created", payload);
    take_unusable("order.updated",
                  "{\"patch\":{\"memo\":\"more than is left "
                  "of the room, which is 64 bytes or so\"}}",
                  "the state would be too large");
    take("order.updated", "{\"patch\":{\"note\":null}}");
    expect("{\"status\":\"created\"}");
    free(payload);
}

static void state_that_is_no_object_is_corrupt(void **state)
{
    static const char *const states[] = {"[]", "{", "{}x", "7"};
    struct ves_event event;
    (void)state;
    memset(&event, 0, sizeof(event));
    event.event_type = ves_bytes_str("order.created");
    assert_int_equal(ves_json_read(&folder.arena, ves_bytes_str("{}"), NULL,
                                   &event.payload, NULL),
                     VES_OK);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        ves_buf_reset(&folder.next);
        assert_int_equal(ves_fold(&folder.arena, VES_RULES_BUILT_IN,
                                  ves_bytes_str(states[i]), &event,
                                  &folder.next, NULL),
                         VES_CORRUPT);
        assert_int_equal(folder.next.len, 0);
    }
}

/* Fails the n-th allocation. */
struct countdown {
    size_t left;
};

static void *count_realloc(void *ctx, void *ptr, size_t size)
{
    struct countdown *countdown = ctx;
    if (size > 0 && countdown->left-- == 0) {
        countdown->left = 0;
        return NULL;
    }
    return ves_alloc_default()->realloc(NULL, ptr, size);
}

static void out_of_memory_is_a_status(void **state)
{
    static const char payload[] = "{\"reservation_id\":\"r\",\"quantity\":1}";
    static const char before[] = "{\"available\":5,\"on_hand\":5}";
    struct ves_arena arena;
    enum ves_status status = VES_NOMEM;
    struct ves_event event;
    size_t failures = 0;
    (void)state;

    /* The payload lives elsewhere; the arena's limit grows until it does. */
    memset(&event, 0, sizeof(event));
    event.event_type = ves_bytes_str("inventory.reserved");
    assert_int_equal(ves_json_read(&folder.arena, ves_bytes_str(payload), NULL,
                                   &event.payload, NULL),
                     VES_OK);
    for (size_t max = 0; status; max += 64) {
        ves_buf_reset(&folder.next);
        ves_arena_init(&arena, ves_alloc_default(), max);
        status = ves_fold(&arena, VES_RULES_BUILT_IN, ves_bytes_str(before),
                          &event, &folder.next, NULL);
        ves_arena_free(&arena);
        if (status) {
            assert_int_equal(status, VES_NOMEM);
            assert_int_equal(folder.next.len, 0);
            failures++;
        }
    }
    assert_true(failures > 8);

    struct countdown countdown = {0};
    const struct ves_alloc alloc = {count_realloc, &countdown};
    struct ves_buf out;
    ves_buf_init(&out, &alloc, VES_STATE_MAX);
    assert_int_equal(ves_fold(&folder.arena, VES_RULES_BUILT_IN,
                              ves_bytes_str(before), &event, &out, NULL),
                     VES_NOMEM);
    ves_buf_free(&out);
    ves_buf_init(&out, ves_alloc_default(), 16);
    assert_int_equal(ves_fold(&folder.arena, VES_RULES_BUILT_IN,
                              ves_bytes_str(before), &event, &out, NULL),
                     VES_LIMIT);
    ves_buf_free(&out);
}

/* A quadratic merge would take minutes here. */
static void many_members_merge_in_any_order(void **state)
{
    enum { COUNT = 20000 };
    (void)state;
    char *payload = malloc(COUNT * 16 + 16);
    assert_non_null(payload);
    for (int round = 0; round < 2; round++) {
        size_t len = 1;
        payload[0] = '{';
        for (unsigned i = 0; i < COUNT; i++)
            len += (size_t)snprintf(payload + len, 16, "%s\"%05u\":%d",
                                    i ? "," : "", (i * 7919u + 13u) % COUNT,
                                    round);
        memcpy(payload + len, "}", 2);
        take("order.updated", payload);
    }
    free(payload);

    const struct ves_json *root;
    ves_arena_reset(&folder.arena);
    assert_int_equal(ves_json_read(&folder.arena, ves_buf_view(&folder.state),
                                   NULL, &root, NULL),
                     VES_OK);
    assert_int_equal(root->count, COUNT);
    unsigned i = 0;
    for (const struct ves_json *m = root->first; m; m = m->next, i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%05u", i);
        assert_true(ves_bytes_is(m->key, name));
        assert_true(m->number == 1.0);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(created_sets_members_and_status),
        CASE(created_takes_the_payloads_status),
        CASE(second_create_adds_only_what_is_missing),
        CASE(late_create_keeps_what_came_before_it),
        CASE(updated_is_a_merge_patch),
        CASE(patch_order_of_members_does_not_matter),
        CASE(updated_without_patch_is_the_patch),
        CASE(ves_never_reaches_the_state),
        CASE(bad_patches_change_nothing),
        CASE(shipments_are_keyed_by_id_or_event),
        CASE(what_is_no_map_gives_way),
        CASE(cancelled_and_returns),
        CASE(stock_example),
        CASE(sums_are_exact_where_doubles_are_not),
        CASE(bad_deltas_change_nothing),
        CASE(number_means_its_canonical_form),
        CASE(reservations),
        CASE(fulfilments),
        CASE(counts_and_transfers),
        CASE(releasing_the_unknown_makes_no_entity),
        CASE(bad_reservations_change_nothing),
        CASE(payments),
        CASE(bad_amounts_change_nothing),
        CASE(statuses_go_up_their_ladder),
        CASE(lines_become_a_map_when_addressed),
        CASE(sets_lists_and_maps),
        CASE(sums_of_money_and_points),
        CASE(fill_is_deep),
        CASE(follow_ups),
        CASE(other_types_leave_the_state),
        CASE(rule_versions),
        CASE(encrypted_events_leave_the_state),
        CASE(depth_stays_within_the_limit),
        CASE(size_stays_within_the_limit),
        CASE(state_that_is_no_object_is_corrupt),
        CASE(out_of_memory_is_a_status),
        CASE(many_members_merge_in_any_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
