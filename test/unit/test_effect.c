/* test_effect.c -- footprints of events, and what commutes with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/effect_read.h"
#include "core/entity.h"
#include "crypto/crypto.h"
#include "test/lib/test_util.h"

static struct ves_arena arena;
static struct ves_buf buf;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(ves_crypto_init(), VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 26);
    ves_buf_init(&buf, ves_alloc_default(), (size_t)1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    ves_buf_free(&buf);
    return 0;
}

static struct ves_effects effects_of(const char *type, const char *payload)
{
    const struct ves_event_type *row = ves_event_type_find(ves_bytes_str(type));
    static const struct ves_uuid id = {{7}};
    struct ves_effects effects;

    assert_non_null(row);
    assert_int_equal(ves_effects_of_payload(&arena, row,
                                            test_json(&arena, payload), &id,
                                            &effects),
                     VES_OK);
    return effects;
}

/* "op path, op path" */
static const char *spell(struct ves_effects effects)
{
    ves_buf_reset(&buf);
    for (size_t i = 0; i < effects.count; i++) {
        ves_buf_put_str(&buf, i > 0 ? ", " : "");
        ves_buf_put_str(&buf, ves_op_name(effects.list[i].op));
        ves_buf_put_str(&buf, " ");
        ves_buf_put_bytes(&buf, effects.list[i].path);
    }
    ves_buf_put_u8(&buf, 0);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    return (const char *)buf.ptr;
}

static bool commutes(const char *a_type, const char *a, const char *b_type,
                     const char *b)
{
    struct ves_effects x = effects_of(a_type, a);
    struct ves_effects y = effects_of(b_type, b);
    bool answer = ves_commutes(x, y);
    assert_int_equal(ves_commutes(y, x), answer);
    return answer;
}

static void footprints_of_the_seeds_types(void **state)
{
    static const struct {
        const char *type, *payload, *effects;
    } rows[] = {
        {"order.created", "{\"note\":\"n\",\"totals\":{\"total_minor\":5}}",
         "create @, set /note, set /totals/total_minor"},
        {"order.updated",
         "{\"patch\":{\"note\":\"n\",\"a\":{\"b\":1,\"c\":{}}}}",
         "set /note, set /a/b, set /a/c"},
        {"order.updated", "{\"note\":null,\"_ves\":{\"v\":1}}", "set /note"},
        {"order.updated",
         "{\"patch\":{\"x\":1},\"before\":{\"/x\":0,\"/y\":2}}",
         "set /x, expect /y"},
        {"order.shipped", "{\"shipment_id\":\"S/1\",\"tracking_number\":\"T\"}",
         "advance /status, set /shipments/S~11/shipment_id, "
         "set /shipments/S~11/tracking_number"},
        {"order.cancelled", "{\"reason_code\":\"r\"}",
         "transition /status, set /cancellation"},
        {"inventory.adjusted", "{\"delta\":\"-2\"}", "delta /on_hand"},
        {"inventory.reserved", "{\"reservation_id\":7,\"quantity\":1}",
         "create /reservations/7, delta /reserved"},
        {"inventory.released", "{\"reservation_id\":\"r\"}",
         "delta /reservations/r, delta /reserved"},
        {"customer.created", "{\"email\":\"e\"}", "create @, set /email"},
        {"customer.updated", "{\"patch\":{\"~/\":1}}", "set /~0~1"},
        {"payment.created", "{\"amount_minor\":1}",
         "create @, set /amount_minor"},
        {"payment.completed",
         "{\"amount_minor\":1,\"status\":\"captured\",\"tip\":1}",
         "create @completed, advance /status, set /completed_minor, "
         "set /amount_minor, set /tip"},
        {"payment.refunded", "{\"refund_id\":\"R\",\"amount_minor\":1}",
         "create /refunds/R, delta /refunded_minor, advance /status"},
        {"return.created", "{\"reason\":\"r\"}", "create @, set /reason"},
        {"return.approved", "{\"by\":\"b\"}", "advance /status, set /approval"},
        {"return.rejected", "{\"reason\":\"b\"}",
         "transition /status, set /rejection"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(spell(effects_of(rows[i].type, rows[i].payload)),
                            rows[i].effects);
}

/* semantics.md 3.4, one row of its table a line. */
static void what_commutes(void **state)
{
    static const struct {
        const char *a_type, *a, *b_type, *b;
        bool is_free;
    } rows[] = {
        {"order.deleted", "{\"reason\":\"a\"}", "order.deleted", "{}", true},
        {"order.deleted", "{}", "order.updated", "{\"patch\":{\"a\":1}}",
         false},
        {"inventory.adjusted", "{\"delta\":1}", "inventory.adjusted",
         "{\"delta\":-3}", true},
        {"inventory.reserved", "{\"reservation_id\":\"a\",\"quantity\":1}",
         "inventory.reserved", "{\"reservation_id\":\"b\",\"quantity\":1}",
         true},
        {"inventory.reserved", "{\"reservation_id\":\"a\",\"quantity\":1}",
         "inventory.reserved", "{\"reservation_id\":\"a\",\"quantity\":1}",
         true},
        {"inventory.reserved", "{\"reservation_id\":\"a\",\"quantity\":1}",
         "inventory.reserved", "{\"reservation_id\":\"a\",\"quantity\":2}",
         false},
        {"inventory.released", "{\"reservation_id\":\"a\"}",
         "inventory.released", "{\"reservation_id\":\"a\"}", true},
        {"inventory.released", "{\"reservation_id\":\"a\"}",
         "inventory.fulfilled", "{\"reservation_id\":\"a\"}", true},
        {"inventory.counted", "{\"counted\":5}", "inventory.adjusted",
         "{\"delta\":-3}", false},
        /* fields and lines */
        {"order.updated", "{\"patch\":{\"note\":\"x\"}}", "order.updated",
         "{\"patch\":{\"tags\":[]}}", true},
        {"order.updated", "{\"patch\":{\"note\":\"x\"}}", "order.updated",
         "{\"patch\":{\"note\":\"y\"}}", false},
        {"order.updated", "{\"patch\":{\"note\":\"x\"}}", "order.updated",
         "{\"patch\":{\"note\":\"x\"}}", true},
        {"order.updated", "{\"patch\":{\"a\":{\"b\":1}}}", "order.updated",
         "{\"patch\":{\"a\":null}}", false},
        {"order.updated", "{\"patch\":{\"a\":{\"b\":1}}}", "order.updated",
         "{\"patch\":{\"ab\":null}}", true},
        {"order.updated", "{\"patch\":{\"a\":1},\"before\":{\"/b\":2}}",
         "order.updated", "{\"patch\":{\"b\":3}}", false},
        {"order.updated", "{\"patch\":{\"a\":1},\"before\":{\"/b\":2}}",
         "order.updated", "{\"patch\":{\"b\":2}}", true},
        {"order.updated", "{\"patch\":{\"lines\":{\"u1\":{\"quantity\":1}}}}",
         "order.updated", "{\"patch\":{\"lines\":{\"u2\":{\"quantity\":1}}}}",
         true},
        {"order.updated", "{\"patch\":{\"lines\":{\"u1\":{\"quantity\":1}}}}",
         "order.updated", "{\"patch\":{\"lines\":{\"u1\":null}}}", false},
        /* states */
        {"order.cancelled", "{\"reason_code\":\"r\"}", "order.cancelled",
         "{\"reason_code\":\"r\"}", true},
        {"order.cancelled", "{\"reason_code\":\"r\"}", "order.cancelled",
         "{\"reason_code\":\"s\"}", false},
        {"order.shipped", "{}", "order.cancelled", "{}", false},
        /* a merge writes as a set what a cancellation writes as a transition */
        {"order.updated", "{\"patch\":{\"status\":\"cancelled\"}}",
         "order.cancelled", "{}", true},
        {"order.updated", "{\"patch\":{\"status\":\"created\"}}",
         "order.cancelled", "{}", false},
        {"order.updated",
         "{\"patch\":{\"a\":1},\"before\":{\"/status\":\"cancelled\"}}",
         "order.cancelled", "{}", true},
        {"order.updated",
         "{\"patch\":{\"a\":1},\"before\":{\"/status\":\"created\"}}",
         "order.cancelled", "{}", false},
        {"order.shipped", "{\"shipment_id\":1}", "order.shipped",
         "{\"shipment_id\":2}", true},
        {"order.shipped", "{\"tracking_number\":\"a\"}", "order.shipped",
         "{\"tracking_number\":\"b\"}", false},
        {"return.approved", "{}", "return.rejected", "{}", false},
        /* money */
        {"payment.completed", "{\"amount_minor\":1}", "payment.completed",
         "{\"amount_minor\":1}", true},
        {"payment.completed", "{\"amount_minor\":1}", "payment.completed",
         "{\"amount_minor\":2}", false},
        {"payment.completed", "{\"amount_minor\":1}", "payment.refunded",
         "{\"refund_id\":1,\"amount_minor\":1}", true},
        {"payment.completed", "{\"amount_minor\":1}", "payment.voided", "{}",
         false},
        {"payment.refunded", "{\"refund_id\":1,\"amount_minor\":1}",
         "payment.refunded", "{\"refund_id\":2,\"amount_minor\":1}", true},
        {"payment.refunded", "{\"refund_id\":1,\"amount_minor\":1}",
         "payment.refunded", "{\"refund_id\":1,\"amount_minor\":2}", false},
        /* decision 10: equal but for _ves */
        {"order.created", "{\"note\":\"x\",\"_ves\":1}", "order.created",
         "{\"_ves\":2,\"note\":\"x\"}", true},
        {"order.created", "{\"note\":\"x\"}", "order.created",
         "{\"note\":\"y\"}", false},
        /* deletes */
        {"customer.deleted", "{}", "customer.deleted", "{}", true},
        {"customer.deleted", "{}", "customer.updated", "{\"patch\":{\"a\":1}}",
         false},
        /* sets and lists */
        {"order.tagged", "{\"tags\":[\"a\"]}", "order.tagged",
         "{\"tags\":[\"b\"]}", true},
        {"order.note_added", "{\"text\":\"a\"}", "order.note_added",
         "{\"text\":\"b\"}", true},
        {"order.note_added", "{\"text\":\"a\"}", "order.updated",
         "{\"patch\":{\"notes\":[]}}", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (commutes(rows[i].a_type, rows[i].a, rows[i].b_type, rows[i].b) !=
            rows[i].is_free)
            fail_msg("%s %s and %s %s", rows[i].a_type, rows[i].a,
                     rows[i].b_type, rows[i].b);
    }
}

static void whole_overlaps_everything(void **state)
{
    const struct ves_effect whole = {.path = ves_bytes_str("*"),
                                     .op = VES_OP_SET};
    const struct ves_effect root = {.path = ves_bytes_str("/a"),
                                    .op = VES_OP_DELTA};
    const struct ves_effect birth = {.path = ves_bytes_str("@"),
                                     .op = VES_OP_CREATE};
    (void)state;
    assert_true(ves_effect_overlaps(&whole, &root));
    assert_true(ves_effect_overlaps(&birth, &whole));
    assert_false(ves_effect_overlaps(&birth, &root));
    assert_false(ves_effect_commutes(&whole, &root));
    assert_true(ves_effect_commutes(&whole, &whole));
    assert_true(ves_commutes((struct ves_effects){NULL, 0},
                             (struct ves_effects){&whole, 1}));
}

static void tombstones_follow_the_last_word(void **state)
{
    struct ves_effect list[] = {
        {.op = VES_OP_RESTORE}, {.op = VES_OP_SET}, {.op = VES_OP_DELETE}};
    (void)state;
    assert_int_equal(ves_effects_tombstone((struct ves_effects){list, 3}), 1);
    assert_int_equal(ves_effects_tombstone((struct ves_effects){list, 2}), -1);
    assert_int_equal(ves_effects_tombstone((struct ves_effects){list + 1, 1}),
                     0);
    assert_false(ves_effects_delete((struct ves_effects){list, 3}));
    assert_true(ves_effects_delete((struct ves_effects){list + 2, 1}));
    assert_false(ves_effects_delete((struct ves_effects){list, 0}));
}

/* Too many, or too long, and the footprint is the whole entity. */
static void large_footprints_are_whole(void **state)
{
    struct ves_buf text;
    (void)state;
    for (unsigned n = VES_EFFECTS_MAX; n <= VES_EFFECTS_MAX + 1; n++) {
        ves_buf_init(&text, ves_alloc_default(), 1 << 20);
        ves_buf_put_str(&text, "{\"patch\":{");
        for (unsigned i = 0; i < n; i++)
            ves_buf_putf(&text, "%s\"m%u\":1", i > 0 ? "," : "", i);
        ves_buf_put_str(&text, "}}");
        ves_buf_put_u8(&text, 0);
        assert_int_equal(ves_buf_status(&text), VES_OK);
        struct ves_effects effects =
            effects_of("order.updated", (const char *)text.ptr);
        if (n == VES_EFFECTS_MAX)
            assert_int_equal(effects.count, n);
        else
            assert_string_equal(spell(effects), "set *");
        ves_buf_free(&text);
    }
    for (unsigned n = VES_EFFECT_PATH_MAX - 1; n <= VES_EFFECT_PATH_MAX; n++) {
        ves_buf_init(&text, ves_alloc_default(), 1 << 20);
        ves_buf_put_str(&text, "{\"patch\":{\"");
        for (unsigned i = 0; i < n; i++)
            ves_buf_put_u8(&text, 'k');
        ves_buf_put_str(&text, "\":1}}");
        ves_buf_put_u8(&text, 0);
        struct ves_effects effects =
            effects_of("order.updated", (const char *)text.ptr);
        assert_int_equal(effects.count, 1);
        assert_int_equal(effects.list[0].path.len,
                         n < VES_EFFECT_PATH_MAX ? VES_EFFECT_PATH_MAX : 1);
        ves_buf_free(&text);
    }
}

static void stored_form_reads_back(void **state)
{
    struct ves_effects effects =
        effects_of("order.created", "{\"note\":\"n\",\"lines\":[1,2]}");
    struct ves_effects again;
    (void)state;
    ves_buf_reset(&buf);
    ves_effects_write(&buf, effects);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    struct ves_bytes bytes = ves_buf_view(&buf);
    assert_int_equal(ves_effects_read(&arena, bytes, &again), VES_OK);
    assert_int_equal(again.count, effects.count);
    for (size_t i = 0; i < again.count; i++) {
        assert_int_equal(again.list[i].op, effects.list[i].op);
        assert_true(ves_bytes_equal(again.list[i].path, effects.list[i].path));
        assert_true(
            ves_hash_equal(&again.list[i].value, &effects.list[i].value));
    }
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_equal(
            ves_effects_read(&arena, ves_bytes(bytes.ptr, n), &again),
            VES_CORRUPT);
    buf.ptr[4] = 0xEE; /* no such operation */
    assert_int_equal(ves_effects_read(&arena, bytes, &again), VES_CORRUPT);
    memset(buf.ptr, 0xFF, 4); /* more than there can be */
    assert_int_equal(ves_effects_read(&arena, bytes, &again), VES_CORRUPT);
}

static const char *result(const char *json)
{
    struct ves_effects effects;
    assert_int_equal(
        ves_effects_of_result(&arena, test_json(&arena, json), &effects),
        VES_OK);
    return spell(effects);
}

static void results_of_resolutions(void **state)
{
    (void)state;
    assert_string_equal(result("null"), "");
    assert_string_equal(result("{\"ops\":[]}"), "");
    assert_string_equal(
        result("{\"ops\":[{\"op\":\"restore\"},"
               "{\"op\":\"set\",\"path\":\"/a\",\"value\":1},"
               "{\"op\":\"delta\",\"path\":\"/b\",\"value\":\"-1\"},"
               "{\"op\":\"delete\"}]}"),
        "restore *, set /a, delta /b, delete *");
    assert_string_equal(result("{\"patch\":{\"a\":{\"b\":1}}}"), "set /a/b");
    /* A patch's null and a set without value are the same removal. */
    struct ves_effects a =
        effects_of("order.updated", "{\"patch\":{\"a\":null}}");
    struct ves_effects b;
    assert_int_equal(
        ves_effects_of_result(
            &arena,
            test_json(&arena, "{\"ops\":[{\"op\":\"set\",\"path\":\"/a\"}]}"),
            &b),
        VES_OK);
    assert_true(ves_commutes(a, b));
    assert_int_equal(
        ves_effects_of_result(
            &arena,
            test_json(&arena, "{\"ops\":[{\"op\":\"set\",\"path\":\"/a\","
                              "\"value\":null}]}"),
            &b),
        VES_OK);
    assert_false(ves_commutes(a, b));
    /* What is not understood slips past nothing. */
    assert_string_equal(result("{}"), "set *");
    assert_string_equal(result("7"), "set *");
    assert_string_equal(result("{\"ops\":[],\"patch\":{}}"), "set *");
    assert_string_equal(result("{\"ops\":[{\"op\":\"set\",\"path\":\"/a\"},"
                               "{\"op\":\"create\"}]}"),
                        "set *");
    assert_string_equal(result("{\"ops\":[{\"op\":\"set\",\"path\":\"*\"}]}"),
                        "set *");
}

static void references_of_payloads(void **state)
{
    const struct ves_event_type *type =
        ves_event_type_find(ves_bytes_str("order.created"));
    struct ves_entity_name *names;
    struct ves_hash want;
    size_t count;
    (void)state;
    assert_int_equal(
        ves_references_of_payload(
            &arena, type,
            test_json(&arena, "{\"customer_id\":\"C\",\"lines\":["
                              "{\"product_id\":\"P\"},{\"product_id\":12},"
                              "{\"product_id\":\"P\"},{},7,"
                              "{\"product_id\":null}]}"),
            &names, &count),
        VES_OK);
    assert_int_equal(count, 3);
    ves_entity_key(ves_bytes_str("customer"), ves_bytes_str("C"), &want);
    assert_true(ves_hash_equal(&names[0].key, &want));
    ves_entity_key(ves_bytes_str("product"), ves_bytes_str("P"), &want);
    assert_true(ves_hash_equal(&names[1].key, &want));
    ves_entity_key(ves_bytes_str("product"), ves_bytes_str("12"), &want);
    assert_true(ves_hash_equal(&names[2].key, &want));
    assert_true(ves_bytes_is(names[2].type, "product"));
    assert_true(ves_bytes_is(names[2].id, "12"));
    type = ves_event_type_find(ves_bytes_str("order.cancelled"));
    assert_int_equal(ves_references_of_payload(
                         &arena, type, test_json(&arena, "{}"), &names, &count),
                     VES_OK);
    assert_int_equal(count, 0);
}

/* Every row is whole: names, a closed footprint with known operations. */
static void catalogue_is_sound(void **state)
{
    const struct ves_event_type *type;
    const char *before = NULL;
    size_t count = 0;
    (void)state;
    for (; (type = ves_event_type_at(count)) != NULL; count++) {
        struct ves_bytes name = ves_bytes_str(type->name);
        assert_ptr_equal(ves_event_type_find(name), type);
        struct ves_bytes entity = ves_entity_type_of(name);
        assert_true(ves_bytes_is(entity, type->entity_type));
        assert_int_equal(type->version, 1);
        assert_true(strlen(type->merge) > 0);
        assert_true(!before || strcmp(before, type->name) < 0);
        before = type->name;
        assert_int_not_equal(type->operations->source, VES_SOURCE_END);
        assert_false(type->event_class == VES_CLASS_FACT &&
                     type->base == VES_BASE_REQUIRED);
        (void)effects_of(type->name, "{}");
    }
    assert_true(count > 15); /* the seed's and more */
    assert_null(ves_event_type_at(count + 1));
    assert_null(ves_event_type_find(ves_bytes_str("order.gift_wrapped")));
}

static void origin_decides_the_class_of_an_order(void **state)
{
    const struct ves_event_type *type =
        ves_event_type_find(ves_bytes_str("order.created"));
    (void)state;
    assert_true(ves_event_is_fact(type, NULL));
    assert_true(ves_event_is_fact(type, test_json(&arena, "{}")));
    assert_true(
        ves_event_is_fact(type, test_json(&arena, "{\"origin\":\"pos\"}")));
    assert_false(
        ves_event_is_fact(type, test_json(&arena, "{\"origin\":\"web\"}")));
    assert_false(
        ves_event_is_fact(type, test_json(&arena, "{\"origin\":\"draft\"}")));
    type = ves_event_type_find(ves_bytes_str("order.shipped"));
    assert_true(
        ves_event_is_fact(type, test_json(&arena, "{\"origin\":\"web\"}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footprints_of_the_seeds_types),
        cmocka_unit_test(what_commutes),
        cmocka_unit_test(whole_overlaps_everything),
        cmocka_unit_test(tombstones_follow_the_last_word),
        cmocka_unit_test(large_footprints_are_whole),
        cmocka_unit_test(stored_form_reads_back),
        cmocka_unit_test(results_of_resolutions),
        cmocka_unit_test(references_of_payloads),
        cmocka_unit_test(catalogue_is_sound),
        cmocka_unit_test(origin_decides_the_class_of_an_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("effect", tests, set_up, tear_down);
}
