/* test_catalogue.c -- what becomes of two events that knew nothing of each
 * other, type by type, asked of the judge (semantics.md 3.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/effect_read.h"
#include "core/types.h"
#include "test/lib/test_judge_log.h"
#include "test/lib/test_util.h"

static struct test_judge_log *log_;

static int set_up(void **state)
{
    (void)state;
    log_ = calloc(1, sizeof(*log_));
    assert_non_null(log_);
    test_judge_log_init(log_);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_judge_log_free(log_);
    free(log_);
    return 0;
}

/* The effects as the log in memory writes them: a value is only compared. */
static struct test_effects effects_of(const struct ves_event_type *type,
                                      const struct ves_json *payload,
                                      const struct ves_uuid *id)
{
    struct ves_effects effects;
    struct test_effects out = {NULL, 0};

    assert_int_equal(
        ves_effects_of_payload(&log_->arena, type, payload, id, &effects),
        VES_OK);
    out.list =
        ves_arena_alloc(&log_->arena, (effects.count + 1) * sizeof(*out.list));
    assert_non_null(out.list);
    for (size_t i = 0; i < effects.count; i++) {
        struct test_effect *effect = &out.list[out.count++];
        char hex[2 * VES_HASH_SIZE + 1];
        assert_true(effects.list[i].path.len < sizeof(effect->path));
        memcpy(effect->path, effects.list[i].path.ptr,
               effects.list[i].path.len);
        effect->op = effects.list[i].op;
        ves_hex_encode(effects.list[i].value.b, VES_HASH_SIZE, hex);
        memcpy(effect->value, hex, sizeof(effect->value) - 1);
    }
    return out;
}

/* One event of an agent that saw the log up to `seen`. */
static const struct test_judge_event *append(const char *name,
                                             const char *agent, uint64_t seen,
                                             const char *type_name,
                                             const char *payload)
{
    const struct ves_event_type *type =
        ves_event_type_find(ves_bytes_str(type_name));
    const struct ves_json *json = test_json(&log_->arena, payload);
    const struct ves_uuid id = {{(uint8_t)name[0], (uint8_t)name[1]}};
    struct test_judge_says says = {.name = name,
                                   .agent = agent,
                                   .entity = "e",
                                   .agent_seq = 1,
                                   .seen = seen};

    assert_non_null(type);
    says.is_fact = ves_event_is_fact(type, json);
    says.has_base = type->base == VES_BASE_REQUIRED;
    says.is_free = !says.has_base;
    says.base_version = seen;
    says.base_head = seen > 0 ? "0" : NULL;
    says.effects = effects_of(type, json, &id);
    return test_judge_log_step(log_, &says);
}

/* What becomes of b, which comes second. */
enum outcome {
    MERGES,   /* both stand */
    CONFLICT, /* b is a branch */
    OVERRIDES /* b is a fact and stands over the intent a */
};

struct pair {
    const char *a_type, *a, *b_type, *b;
    enum outcome outcome;
    const char *sub_code; /* of a conflict */
};

static void run(const struct pair *pair)
{
    test_judge_log_reset(log_);
    append("0", "O", 0, "order.note_added", "{\"text\":\"first\"}");
    const struct test_judge_event *a =
        append("a", "A", 1, pair->a_type, pair->a);
    assert_int_equal(a->now.verdict, VES_VERDICT_APPLIED);
    const struct test_judge_event *b =
        append("b", "B", 1, pair->b_type, pair->b);
    bool is_conflict = b->now.verdict == VES_VERDICT_CONFLICT;
    bool is_over = b->now.overrode.count > 0;
    if (is_conflict != (pair->outcome == CONFLICT) ||
        is_over != (pair->outcome == OVERRIDES) ||
        (is_conflict && strcmp(b->now.sub_code, pair->sub_code) != 0))
        fail_msg("%s %s || %s %s: %s %s%s", pair->a_type, pair->a, pair->b_type,
                 pair->b, ves_verdict_name(b->now.verdict), b->now.sub_code,
                 is_over ? " overrode" : "");
}

#define RUN(pairs)                                                  \
    do {                                                            \
        for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) \
            run(&pairs[i]);                                         \
    } while (0)

static void fields_and_lines(void **state)
{
    static const struct pair pairs[] = {
        {"customer.updated", "{\"patch\":{\"name\":\"A\"}}", "customer.updated",
         "{\"patch\":{\"email\":\"e\"}}", MERGES, ""},
        {"customer.updated", "{\"patch\":{\"name\":\"A\"}}", "customer.updated",
         "{\"patch\":{\"name\":\"B\"}}", CONFLICT, "same_field"},
        {"customer.updated", "{\"patch\":{\"name\":\"A\"}}", "customer.updated",
         "{\"patch\":{\"name\":\"A\"}}", MERGES, ""},
        {"customer.updated",
         "{\"patch\":{\"a\":1},\"before\":{\"/a\":0,\"/b\":2}}",
         "customer.updated", "{\"patch\":{\"b\":3}}", CONFLICT, "same_field"},
        /* an order's lines */
        {"order.line_changed", "{\"line_uid\":\"1\",\"quantity_to\":2}",
         "order.line_changed", "{\"line_uid\":\"2\",\"quantity_to\":2}", MERGES,
         ""},
        {"order.line_changed", "{\"line_uid\":\"1\",\"quantity_to\":2}",
         "order.line_changed", "{\"line_uid\":\"1\",\"quantity_to\":3}",
         CONFLICT, "same_line"},
        {"order.line_changed", "{\"line_uid\":\"1\",\"quantity_to\":2}",
         "order.line_changed", "{\"line_uid\":\"1\",\"quantity_to\":2}", MERGES,
         ""},
        {"order.line_changed", "{\"line_uid\":\"1\",\"quantity_to\":2}",
         "order.line_changed", "{\"line_uid\":\"1\",\"line\":{\"note\":\"n\"}}",
         MERGES, ""},
        {"order.line_removed", "{\"line_uid\":\"1\"}", "order.line_changed",
         "{\"line_uid\":\"1\",\"quantity_to\":2}", CONFLICT, "same_line"},
        {"order.line_removed", "{\"line_uid\":\"1\"}", "order.line_removed",
         "{\"line_uid\":\"1\"}", MERGES, ""},
        {"order.line_added", "{\"line_uid\":\"1\",\"line\":{\"quantity\":1}}",
         "order.line_added", "{\"line_uid\":\"2\",\"line\":{\"quantity\":1}}",
         MERGES, ""},
        {"order.line_added", "{\"line_uid\":\"1\",\"line\":{\"quantity\":1}}",
         "order.line_added", "{\"line_uid\":\"1\",\"line\":{\"quantity\":2}}",
         CONFLICT, "create_create"},
        {"order.updated", "{\"patch\":{\"lines\":{\"1\":{\"q\":1}}}}",
         "order.line_changed", "{\"line_uid\":\"2\",\"quantity_to\":1}", MERGES,
         ""},
        {"order.updated", "{\"patch\":{\"lines\":[]}}", "order.line_changed",
         "{\"line_uid\":\"2\",\"quantity_to\":1}", CONFLICT, "same_line"},
        /* maps by id, sets, lists */
        {"customer.address_added", "{\"address_id\":\"a\",\"zip\":\"1\"}",
         "customer.address_added", "{\"address_id\":\"b\",\"zip\":\"2\"}",
         MERGES, ""},
        {"customer.address_changed", "{\"address_id\":\"a\",\"zip\":\"1\"}",
         "customer.address_changed", "{\"address_id\":\"a\",\"city\":\"C\"}",
         MERGES, ""},
        {"customer.address_changed", "{\"address_id\":\"a\",\"zip\":\"1\"}",
         "customer.address_removed", "{\"address_id\":\"a\"}", CONFLICT,
         "same_field"},
        {"customer.consent_changed",
         "{\"purpose\":\"mail\",\"state\":\"granted\"}",
         "customer.consent_changed",
         "{\"purpose\":\"mail\",\"state\":\"denied\"}", CONFLICT, "same_field"},
        {"customer.consent_changed",
         "{\"purpose\":\"mail\",\"state\":\"granted\"}",
         "customer.consent_changed",
         "{\"purpose\":\"call\",\"state\":\"denied\"}", MERGES, ""},
        {"order.tagged", "{\"tags\":[\"a\"]}", "order.tagged",
         "{\"tags\":[\"b\"]}", MERGES, ""},
        {"order.note_added", "{\"text\":\"a\"}", "order.note_added",
         "{\"text\":\"b\"}", MERGES, ""},
        {"product.price_changed", "{\"price_minor\":1,\"currency\":\"GBP\"}",
         "product.price_changed", "{\"price_minor\":2,\"currency\":\"GBP\"}",
         CONFLICT, "same_field"},
        {"product.price_changed", "{\"price_minor\":1,\"currency\":\"GBP\"}",
         "product.updated", "{\"patch\":{\"name\":\"N\"}}", MERGES, ""},
        /* creates and deletes */
        {"customer.created", "{\"name\":\"A\"}", "customer.created",
         "{\"name\":\"A\"}", MERGES, ""},
        {"customer.created", "{\"name\":\"A\"}", "customer.created",
         "{\"name\":\"B\"}", CONFLICT, "create_create"},
        {"customer.updated", "{\"patch\":{\"name\":\"A\"}}", "customer.deleted",
         "{}", CONFLICT, "edit_delete"},
        {"customer.deleted", "{}", "customer.deleted", "{}", MERGES, ""},
    };
    (void)state;
    RUN(pairs);
}

static void statuses(void **state)
{
    static const struct pair pairs[] = {
        /* a fact and an intent, in both orders */
        {"order.shipped", "{}", "order.cancelled", "{}", CONFLICT,
         "state_transition"},
        {"order.cancelled", "{}", "order.shipped", "{}", OVERRIDES, ""},
        /* the same, with the same words or with others */
        {"order.cancelled", "{\"reason_code\":\"r\"}", "order.cancelled",
         "{\"reason_code\":\"r\"}", MERGES, ""},
        {"order.cancelled", "{\"reason_code\":\"r\"}", "order.cancelled",
         "{\"reason_code\":\"s\"}", CONFLICT, "state_transition"},
        /* up the ladder they go together */
        {"order.confirmed", "{}", "order.processing", "{}", MERGES, ""},
        {"order.processing", "{}", "order.confirmed", "{}", MERGES, ""},
        {"order.confirmed", "{}", "order.shipped", "{}", MERGES, ""},
        {"order.delivered", "{}", "order.shipped", "{}", MERGES, ""},
        {"order.confirmed", "{}", "order.cancelled", "{}", CONFLICT,
         "state_transition"},
        {"order.updated", "{\"patch\":{\"status\":\"x\"}}", "order.confirmed",
         "{}", CONFLICT, "state_transition"},
        /* two facts */
        {"order.shipped", "{\"tracking_number\":\"1\"}", "order.shipped",
         "{\"tracking_number\":\"2\"}", CONFLICT, "fact_fact"},
        {"order.shipped", "{\"shipment_id\":1,\"tracking_number\":\"1\"}",
         "order.shipped", "{\"shipment_id\":2,\"tracking_number\":\"2\"}",
         MERGES, ""},
        {"order.shipped", "{\"tracking_number\":\"1\"}", "order.shipped",
         "{\"tracking_number\":\"1\"}", MERGES, ""},
        /* returns */
        {"return.approved", "{}", "return.rejected", "{}", CONFLICT,
         "state_transition"},
        {"return.rejected", "{}", "return.approved", "{}", CONFLICT,
         "state_transition"},
        {"return.approved", "{\"rma_no\":1}", "return.approved",
         "{\"rma_no\":1}", MERGES, ""},
        {"return.approved", "{\"rma_no\":1}", "return.approved",
         "{\"rma_no\":2}", CONFLICT, "state_transition"},
        {"return.rejected", "{}", "return.received", "{\"lines\":[]}",
         OVERRIDES, ""},
        {"return.approved", "{}", "return.received", "{\"lines\":[]}", MERGES,
         ""},
        {"cart.checked_out", "{}", "cart.cancelled", "{}", CONFLICT,
         "state_transition"},
    };
    (void)state;
    RUN(pairs);
}

static void stock(void **state)
{
    static const struct pair pairs[] = {
        {"inventory.adjusted", "{\"delta\":1}", "inventory.adjusted",
         "{\"delta\":-3}", MERGES, ""},
        {"inventory.counted", "{\"counted\":5}", "inventory.adjusted",
         "{\"delta\":-3}", CONFLICT, "fact_fact"},
        {"inventory.counted", "{\"counted\":5}", "inventory.counted",
         "{\"counted\":6}", CONFLICT, "fact_fact"},
        {"inventory.initialized", "{\"quantity\":5}", "inventory.adjusted",
         "{\"delta\":-3}", MERGES, ""},
        {"inventory.initialized", "{\"quantity\":5}", "inventory.initialized",
         "{\"quantity\":6}", CONFLICT, "fact_fact"},
        {"inventory.reserved", "{\"reservation_id\":1,\"quantity\":1}",
         "inventory.reserved", "{\"reservation_id\":2,\"quantity\":1}", MERGES,
         ""},
        {"inventory.reserved", "{\"reservation_id\":1,\"quantity\":1}",
         "inventory.reserved", "{\"reservation_id\":1,\"quantity\":1}", MERGES,
         ""},
        {"inventory.reserved", "{\"reservation_id\":1,\"quantity\":1}",
         "inventory.reserved", "{\"reservation_id\":1,\"quantity\":2}",
         CONFLICT, "create_create"},
        {"inventory.released", "{\"reservation_id\":1}", "inventory.released",
         "{\"reservation_id\":1}", MERGES, ""},
        {"inventory.released", "{\"reservation_id\":1}", "inventory.fulfilled",
         "{\"reservation_id\":1}", MERGES, ""},
        {"inventory.fulfilled", "{\"reservation_id\":1}", "inventory.released",
         "{\"reservation_id\":1}", MERGES, ""},
        {"inventory.fulfilled", "{\"reservation_id\":1}", "inventory.fulfilled",
         "{\"reservation_id\":1}", CONFLICT, "fact_fact"},
        {"inventory.fulfilled",
         "{\"reservation_id\":1,\"fulfilment_id\":1,\"quantity\":1}",
         "inventory.fulfilled",
         "{\"reservation_id\":1,\"fulfilment_id\":2,\"quantity\":1}", MERGES,
         ""},
        {"inventory.transferred", "{\"transfer_id\":1,\"delta\":-2}",
         "inventory.adjusted", "{\"delta\":1}", MERGES, ""},
        {"inventory.transferred", "{\"transfer_id\":1,\"delta\":-2}",
         "inventory.transferred", "{\"transfer_id\":1,\"delta\":-3}", CONFLICT,
         "fact_fact"},
    };
    (void)state;
    RUN(pairs);
}

static void money(void **state)
{
    static const struct pair pairs[] = {
        /* same key and same bytes are the same fact, other bytes are not */
        {"payment.completed", "{\"amount_minor\":5}", "payment.completed",
         "{\"amount_minor\":5}", MERGES, ""},
        {"payment.completed", "{\"amount_minor\":5}", "payment.completed",
         "{\"amount_minor\":5,\"auth_code\":\"x\"}", CONFLICT, "fact_fact"},
        {"payment.completed", "{\"amount_minor\":5}", "payment.refunded",
         "{\"refund_id\":1,\"amount_minor\":5}", MERGES, ""},
        {"payment.refunded", "{\"refund_id\":1,\"amount_minor\":5}",
         "payment.refunded", "{\"refund_id\":2,\"amount_minor\":5}", MERGES,
         ""},
        {"payment.refunded", "{\"refund_id\":1,\"amount_minor\":5}",
         "payment.refunded", "{\"refund_id\":1,\"amount_minor\":5}", MERGES,
         ""},
        {"payment.refunded", "{\"refund_id\":1,\"amount_minor\":5}",
         "payment.refunded", "{\"refund_id\":1,\"amount_minor\":6}", CONFLICT,
         "fact_fact"},
        {"payment.completed", "{\"amount_minor\":5}", "payment.voided", "{}",
         CONFLICT, "fact_fact"},
        {"payment.completed", "{\"amount_minor\":5}", "payment.failed",
         "{\"reason_code\":\"r\"}", CONFLICT, "fact_fact"},
        {"payment.authorized", "{\"amount_minor\":5}", "payment.completed",
         "{\"amount_minor\":5}", MERGES, ""},
        {"payment.created", "{\"amount_minor\":5,\"currency\":\"GBP\"}",
         "payment.completed", "{\"amount_minor\":4}", OVERRIDES, ""},
        {"giftcard.loaded", "{\"delta_minor\":5}", "giftcard.redeemed",
         "{\"delta_minor\":-3}", MERGES, ""},
        {"loyalty.earned", "{\"points\":5}", "loyalty.redeemed",
         "{\"points\":5}", MERGES, ""},
        {"register.closed", "{\"shift_id\":1}", "register.cash_paid_in",
         "{\"amount_minor\":5}", MERGES, ""},
        {"register.opened",
         "{\"shift_id\":1,\"amount_minor\":5,\"currency\":\"GBP\"}",
         "register.cash_paid_in", "{\"amount_minor\":5}", CONFLICT,
         "fact_fact"},
        {"order.created", "{\"lines\":[{\"line_uid\":\"1\",\"quantity\":1}]}",
         "order.created", "{\"lines\":[{\"line_uid\":\"1\",\"quantity\":2}]}",
         CONFLICT, "fact_fact"},
    };
    (void)state;
    RUN(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_lines),
        cmocka_unit_test(statuses),
        cmocka_unit_test(stock),
        cmocka_unit_test(money),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("catalogue", tests, set_up, tear_down);
}
