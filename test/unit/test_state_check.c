/* test_state_check.c -- what may stand in the state of an entity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/rules.h"
#include "core/state_check.h"
#include "test/lib/test_util.h"

static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

/* fault: the path named, NULL when the value may stand there. */
static void expect(struct ves_rules_at rules, const char *entity_type,
                   const char *path, const char *value, const char *fault)
{
    struct ves_state_fault found;
    enum ves_status status = ves_state_check(
        &arena, rules, ves_bytes_str(entity_type), ves_bytes_str(path),
        value ? test_json(&arena, value) : NULL, &found);

    if (!fault) {
        assert_int_equal(status, VES_OK);
        return;
    }
    if (status != VES_INVALID || !ves_bytes_is(found.path, fault))
        fail_msg("%s %s: the fault is at %.*s", entity_type, path,
                 (int)found.path.len, (const char *)found.path.ptr);
    assert_non_null(found.expected);
}

static void built_in_types(void **state)
{
    static const struct {
        const char *entity, *path, *value, *fault;
    } rows[] = {
        /* what nobody declares may be anything */
        {"order", "/email", "5", NULL},
        {"order", "/a/b", "[1]", NULL},
        {"nothing", "/x", "{}", NULL},
        {"order", "/email", NULL, NULL},
        /* fields of what fills the state */
        {"order", "/currency", "\"GBP\"", NULL},
        {"order", "/currency", "\"pounds\"", "/currency"},
        {"order", "/currency", "7", "/currency"},
        {"order", "/lines", "[{\"sku\":\"A\",\"quantity\":\"2\"}]", NULL},
        {"order", "/lines", "[{\"sku\":\"A\",\"quantity\":\"two\"}]",
         "/lines/0/quantity"},
        {"order", "/lines", "[{\"sku\":\"A\"}]", "/lines/0/quantity"},
        {"order", "/lines", "[7]", "/lines/0"},
        {"order", "/lines", "7", "/lines"},
        /* lines by id */
        {"order", "/lines/L1/quantity", "3", NULL},
        {"order", "/lines/L1/quantity", "\"x\"", "/lines/L1/quantity"},
        {"order", "/lines/L1/quantity", NULL, "/lines/L1/quantity"},
        {"order", "/lines/L1/quantity/deep", "1", "/lines/L1/quantity"},
        {"order", "/lines/L1", "{\"sku\":\"A\"}", "/lines/L1/quantity"},
        {"order", "/lines/L1", NULL, NULL},
        {"order", "/lines/L1", "{\"quantity\":1,\"x\":null}", NULL},
        /* money, wherever it is */
        {"order", "/total_minor", "12.5", "/total_minor"},
        {"order", "/total_minor", "1250", NULL},
        {"order", "/totals", "{\"tax_minor\":\"1\"}", "/totals/tax_minor"},
        {"order", "/totals/tax_minor", "{}", "/totals/tax_minor"},
        {"order", "/lines/L1/unit_price_minor", "\"a\"",
         "/lines/L1/unit_price_minor"},
        {"unheard_of", "/fee_minor", "true", "/fee_minor"},
        /* entries */
        {"cart", "/items/I1", "{\"item_id\":\"I1\",\"quantity\":1}", NULL},
        {"cart", "/items/I1", "{\"quantity\":1}", "/items/I1/item_id"},
        {"cart", "/items/I1/quantity", "\"\"", "/items/I1/quantity"},
        {"order", "/shipments/S1/lines", "[{\"quantity\":true}]",
         "/shipments/S1/lines/0/quantity"},
        /* statuses, sums, sets, balances */
        {"order", "/status", "\"shipped\"", NULL},
        {"order", "/status", "1", "/status"},
        {"order", "/tags", "[\"a\"]", NULL},
        {"order", "/tags", "\"a\"", "/tags"},
        {"inventory", "/on_hand", "\"2.5\"", NULL},
        {"inventory", "/on_hand", "\"many\"", "/on_hand"},
        {"inventory", "/reserved", "{}", "/reserved"},
        {"inventory", "/available", "3", "/available"},
        {"inventory", "/available", NULL, "/available"},
        {"payment", "/completed_minor", "1.5", "/completed_minor"},
        {"payment", "/amount_minor", NULL, "/amount_minor"},
        {"payment", "/currency", NULL, "/currency"},
        {"subscription", "/plan_id", "{}", "/plan_id"},
        {"subscription", "/plan_id", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(VES_RULES_BUILT_IN, rows[i].entity, rows[i].path, rows[i].value,
               rows[i].fault);
}

/* Every type's own schema is kept by what the check says of its state: a field
 * of one kind is refused a value that no kind but "any" takes. */
static void every_copied_field_is_seen(void **state)
{
    const struct ves_event_type *type;
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; (type = ves_event_type_at(i)); i++) {
        for (const struct ves_operation *op = type->operations;
             op->source != VES_SOURCE_END; op++) {
            for (const struct ves_field *f = type->fields;
                 f->kind != VES_FIELD_END; f++) {
                if (op->op != VES_OP_SET || op->source != VES_SOURCE_MEMBER ||
                    op->path[0] == '@' || strchr(op->path, '{') ||
                    strcmp(op->from, f->pointer) != 0 ||
                    f->kind == VES_FIELD_ANY)
                    continue;
                expect(VES_RULES_BUILT_IN, type->entity_type, op->path, "[[]]",
                       op->path);
                seen++;
            }
        }
    }
    assert_true(seen >= 6);
}

static void declared_types(void **state)
{
    static const char document[] =
        "{\"rules\":1,\"types\":[{\"name\":\"menu.priced\","
        "\"version\":1,\"class\":\"intent\",\"operations\":[{\"op\":\"set\","
        "\"path\":\"/portions\",\"from\":\"/portions\"}],\"payload\":[{"
        "\"pointer\":\"/portions\",\"is\":\"quantity\",\"need\":\"yes\"}]}]}";
    struct ves_error error = {VES_OK, ""};
    struct ves_rules *rules = NULL;

    (void)state;
    enum ves_status status = ves_rules_read(
        ves_alloc_default(), NULL, ves_bytes_str(document), 10, &rules, &error);
    if (status)
        print_message("%s\n", error.text);
    assert_int_equal(status, VES_OK);
    const struct ves_rules_at now = {rules, VES_SEQUENCE_NEXT};
    const struct ves_rules_at before = {rules, 10};
    expect(now, "menu", "/portions", "\"some\"", "/portions");
    expect(now, "menu", "/portions", "4", NULL);
    expect(before, "menu", "/portions", "\"some\"", NULL);
    ves_rules_free(rules);
}

static void what_is_typed(void **state)
{
    (void)state;
    assert_true(ves_state_is_text(VES_RULES_BUILT_IN, ves_bytes_str("order"),
                                  ves_bytes_str("/status")));
    assert_true(ves_state_is_text(VES_RULES_BUILT_IN, ves_bytes_str("order"),
                                  ves_bytes_str("/currency")));
    assert_false(ves_state_is_text(VES_RULES_BUILT_IN, ves_bytes_str("order"),
                                   ves_bytes_str("/email")));
    assert_false(ves_state_is_text(VES_RULES_BUILT_IN,
                                   ves_bytes_str("inventory"),
                                   ves_bytes_str("/on_hand")));
}

static void operations(void **state)
{
    struct ves_state_fault fault;

    (void)state;
    assert_int_equal(
        ves_state_check_ops(&arena, VES_RULES_BUILT_IN, ves_bytes_str("order"),
                            test_json(&arena,
                                      "[{\"op\":\"restore\"},{\"op\":\"set\","
                                      "\"path\":\"/email\",\"value\":1},{"
                                      "\"op\":\"set\",\"path\":\"/currency\","
                                      "\"value\":\"x\"}]"),
                            &fault),
        VES_INVALID);
    assert_true(ves_bytes_is(fault.path, "/currency"));
    assert_int_equal(ves_state_check_ops(&arena, VES_RULES_BUILT_IN,
                                         ves_bytes_str("order"), NULL, &fault),
                     VES_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(built_in_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_copied_field_is_seen, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(declared_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_typed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(operations, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("state_check", tests, NULL, NULL);
}
