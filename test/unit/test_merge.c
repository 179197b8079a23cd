/* test_merge.c -- three-way merges, case by case (semantics.md 3.4, 3.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/merge.h"
#include "core/types.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

static struct ves_arena arena;
static struct ves_buf text;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 26);
    ves_buf_init(&text, ves_alloc_default(), (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    ves_buf_free(&text);
    return 0;
}

/* "-" is absent. */
static const struct ves_json *value_of(const char *json)
{
    return strcmp(json, "-") == 0 ? NULL : test_json(&arena, json);
}

/* The value, or the overlapping paths, each behind a '!'. */
static const char *spell(const struct ves_merge_result *result)
{
    ves_buf_reset(&text);
    for (size_t i = 0; i < result->overlap_count; i++) {
        ves_buf_put_u8(&text, '!');
        ves_buf_put_bytes(&text, result->overlaps[i].path);
    }
    if (result->is_clean && result->value)
        assert_int_equal(ves_jcs_write(&text, &arena, result->value), VES_OK);
    else if (result->is_clean)
        ves_buf_put_u8(&text, '-');
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    return (const char *)text.ptr;
}

struct row {
    const char *function, *base, *local, *remote, *result;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        struct ves_merge_result result;
        assert_int_equal(ves_merge(&arena, row->function, value_of(row->base),
                                   value_of(row->local), value_of(row->remote),
                                   &result),
                         VES_OK);
        assert_string_equal(spell(&result), row->result);
        assert_int_equal(ves_merge(&arena, row->function, value_of(row->base),
                                   value_of(row->remote), value_of(row->local),
                                   &result),
                         VES_OK);
        assert_string_equal(spell(&result), row->result);
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void fields(void **state)
{
    static const struct row rows[] = {
        {"fields/1", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
         "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":2}"},
        {"fields/1", "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "!/a"},
        {"fields/1", "{\"a\":1}", "{\"a\":2}", "{\"a\":2}", "{\"a\":2}"},
        /* absent and null differ */
        {"fields/1", "{\"a\":1}", "{}", "{\"a\":null}", "!/a"},
        {"fields/1", "{\"a\":null}", "{}", "{\"a\":null}", "{}"},
        {"fields/1", "{}", "{\"a\":null}", "{}", "{\"a\":null}"},
        /* taken away and left alone, taken away and changed */
        {"fields/1", "{\"a\":1,\"b\":1}", "{\"b\":1}", "{\"a\":1,\"b\":2}",
         "{\"b\":2}"},
        {"fields/1", "{\"a\":{\"x\":1}}", "{}", "{\"a\":{\"x\":2}}", "!/a"},
        /* objects recurse, arrays are one value */
        {"fields/1", "{\"a\":{\"x\":1,\"y\":1}}", "{\"a\":{\"x\":2,\"y\":1}}",
         "{\"a\":{\"x\":1,\"y\":3}}", "{\"a\":{\"x\":2,\"y\":3}}"},
        {"fields/1", "{\"a\":[1,2]}", "{\"a\":[1,2,3]}", "{\"a\":[0,1,2]}",
         "!/a"},
        {"fields/1", "-", "{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}"},
        {"fields/1", "-", "{\"a\":1}", "{\"a\":2}", "!/a"},
        {"fields/1", "{}", "-", "{\"a\":2}", "!"},
        {"fields/1", "{\"a\":1}", "-", "-", "-"},
        {"fields/1", "{\"a/b\":1,\"c~\":1}", "{\"a/b\":2,\"c~\":2}",
         "{\"a/b\":3,\"c~\":3}", "!/a~1b!/c~0"},
        {"fields/1", "{\"n\":1}", "{\"n\":2}", "{\"n\":3}", "!/n"},
        {"fields/1", "{\"tags\":[\"a\"]}", "{\"tags\":[\"a\",\"b\"]}",
         "{\"tags\":[]}", "!/tags"},
    };
    (void)state;
    CHECK(rows);
}

/* What two people ask to give back is put together by nobody but a person: of
 * no line is there more than one of them wrote. */
static void returns(void **state)
{
    static const struct row rows[] = {
        {VES_MERGE_FIELDS, "-",
         "{\"lines\":[{\"line_uid\":\"a\",\"quantity\":1}]}",
         "{\"lines\":[{\"line_uid\":\"b\",\"quantity\":1}]}", "!/lines"},
        {VES_MERGE_FIELDS, "{\"lines\":[{\"line_uid\":\"a\",\"quantity\":1}]}",
         "{\"lines\":[{\"line_uid\":\"a\",\"quantity\":2}]}",
         "{\"lines\":[{\"line_uid\":\"a\",\"quantity\":3}]}", "!/lines"},
        {VES_MERGE_FIELDS, "{\"lines\":{\"a\":{\"quantity\":1}}}",
         "{\"lines\":{\"a\":{\"quantity\":2}}}",
         "{\"lines\":{\"a\":{\"quantity\":3}}}", "!/lines/a/quantity"},
    };
    (void)state;
    CHECK(rows);
}

static void orders(void **state)
{
#define L(uid, quantity, total)                        \
    "{\"line_uid\":\"" uid "\",\"quantity\":" quantity \
    ",\"total_minor\":" total "}"
    static const struct row rows[] = {
        /* two lines, two people */
        {"order/1", "{\"lines\":[" L("a", "1", "10") "," L("b", "1", "20") "]}",
         "{\"lines\":[" L("a", "2", "20") "," L("b", "1", "20") "]}",
         "{\"lines\":[" L("a", "1", "10") "," L("b", "3", "60") "]}",
         "{\"lines\":[" L("a", "2", "20") "," L("b", "3", "60") "]}"},
        /* one line, two quantities */
        {"order/1", "{\"lines\":[" L("a", "1", "10") "]}",
         "{\"lines\":[" L("a", "2", "10") "]}",
         "{\"lines\":[" L("a", "3", "10") "]}", "!/lines/a/quantity"},
        /* removed and changed; removed and left */
        {"order/1", "{\"lines\":[" L("a", "1", "10") "]}", "{\"lines\":[]}",
         "{\"lines\":[" L("a", "3", "10") "]}", "!/lines/a"},
        {"order/1", "{\"lines\":[" L("b", "1", "1") "," L("a", "1", "1") "]}",
         "{\"lines\":[" L("a", "1", "1") "]}",
         "{\"lines\":[" L("b", "1", "1") "," L("a", "1", "1") "," L("c", "1",
                                                                    "1") "]}",
         "{\"lines\":[" L("a", "1", "1") "," L("c", "1", "1") "]}"},
        /* both add: in the order of their ids, whoever asks */
        {"order/1", "{\"lines\":[]}", "{\"lines\":[" L("z", "1", "1") "]}",
         "{\"lines\":[" L("y", "1", "1") "]}",
         "{\"lines\":[" L("y", "1", "1") "," L("z", "1", "1") "]}"},
        /* lines as a map */
        {"order/1", "{\"lines\":{\"a\":{\"quantity\":1}}}",
         "{\"lines\":{\"a\":{\"quantity\":1},\"b\":{\"quantity\":1}}}",
         "{\"lines\":{\"a\":{\"quantity\":2}}}",
         "{\"lines\":{\"a\":{\"quantity\":2},\"b\":{\"quantity\":1}}}"},
        /* a total is the lines' sum and a shipping of 5, on all sides: it is
         * so in the result, also where both grew by the same */
        {"order/1",
         "{\"lines\":[" L("a", "1", "10") "],\"totals\":{\"total\":15}}",
         "{\"lines\":[" L("a", "1", "10") "," L(
             "b", "1", "7") "],\"totals\":{\"total\":22}}",
         "{\"lines\":[" L("a", "1", "10") "," L(
             "c", "1", "7") "],\"totals\":{\"total\":22}}",
         "{\"lines\":[" L("a", "1", "10") "," L("b", "1", "7") "," L(
             "c", "1", "7") "],\"totals\":{\"total\":29}}"},
        /* totals of which nobody knows where they come from */
        {"order/1",
         "{\"lines\":[" L("a", "1", "10") "],\"totals\":{\"total\":15}}",
         "{\"lines\":[" L("a", "1", "10") "],\"totals\":{\"total\":16}}",
         "{\"lines\":[" L("a", "1", "10") "],\"totals\":{\"total\":17}}",
         "!/totals/total"},
        {"order/1", "{\"total_minor\":10,\"lines\":[" L("a", "1", "10") "]}",
         "{\"total_minor\":20,\"lines\":[" L("a", "2", "20") "]}",
         "{\"total_minor\":13,\"lines\":[" L("a", "1", "10") "," L("b", "1",
                                                                   "3") "]}",
         "{\"lines\":[" L("a", "2", "20") "," L("b", "1",
                                                "3") "],\"total_minor\":23}"},
        /* lines without ids, or with one twice: one value */
        {"order/1", "{\"lines\":[{\"q\":1}]}", "{\"lines\":[{\"q\":2}]}",
         "{\"lines\":[{\"q\":1},{\"q\":1}]}", "!/lines"},
        {"order/1", "{\"lines\":[]}", "{\"lines\":[{\"id\":1},{\"id\":\"1\"}]}",
         "{\"lines\":[{\"id\":2}]}", "!/lines"},
    };
#undef L
    (void)state;
    CHECK(rows);
}

static void customers(void **state)
{
    static const struct row rows[] = {
        /* scalars: nobody guesses */
        {"customer/1", "{\"email\":\"a\"}", "{\"email\":\"b\"}",
         "{\"email\":\"c\"}", "!/email"},
        /* tags */
        {"customer/1", "{\"tags\":[\"b\",\"a\"]}", "{\"tags\":[\"b\",\"z\"]}",
         "{\"tags\":[\"b\",\"a\",\"m\"]}", "{\"tags\":[\"b\",\"m\",\"z\"]}"},
        {"customer/1", "{}", "{\"tags\":[\"x\"]}", "{\"tags\":[\"x\",\"y\"]}",
         "{\"tags\":[\"x\",\"y\"]}"},
        /* consents */
        {"customer/1", "{\"consents\":{\"mail\":{\"state\":\"pending\"}}}",
         "{\"consents\":{\"mail\":{\"state\":\"granted\",\"at\":1}}}",
         "{\"consents\":{\"mail\":{\"state\":\"withdrawn\",\"at\":2}}}",
         "{\"consents\":{\"mail\":{\"at\":2,\"state\":\"withdrawn\"}}}"},
        {"customer/1", "{\"consents\":{}}", "{\"consents\":{\"sms\":true}}",
         "{\"consents\":{\"sms\":false}}", "{\"consents\":{\"sms\":false}}"},
        {"customer/1",
         "{\"consents\":[{\"purpose\":\"m\",\"state\":\"pending\"}]}",
         "{\"consents\":[{\"purpose\":\"m\",\"state\":\"denied\"}]}",
         "{\"consents\":[{\"purpose\":\"m\",\"state\":\"granted\"}]}",
         "{\"consents\":[{\"purpose\":\"m\",\"state\":\"denied\"}]}"},
        {"customer/1", "{\"consents\":{}}", "{\"consents\":{\"m\":\"maybe\"}}",
         "{\"consents\":{\"m\":\"granted\"}}", "!/consents/m"},
        /* maps by id */
        {"customer/1", "{\"addresses\":[{\"id\":1,\"zip\":\"a\"}]}",
         "{\"addresses\":[{\"id\":1,\"zip\":\"b\"}]}",
         "{\"addresses\":[{\"id\":1,\"zip\":\"a\"},{\"id\":2}]}",
         "{\"addresses\":[{\"id\":1,\"zip\":\"b\"},{\"id\":2}]}"},
        /* sums */
        {"customer/1", "{\"loyalty_points\":10}", "{\"loyalty_points\":15}",
         "{\"loyalty_points\":3}", "{\"loyalty_points\":8}"},
        {"customer/1", "{}", "{\"store_credit_minor\":500}",
         "{\"store_credit_minor\":200}", "{\"store_credit_minor\":700}"},
        /* notes */
        {"customer/1", "{\"notes\":[\"1\"]}", "{\"notes\":[\"1\",\"b\"]}",
         "{\"notes\":[\"1\",\"a\"]}", "{\"notes\":[\"1\",\"a\",\"b\"]}"},
        {"customer/1", "{\"notes\":[\"1\"]}", "{\"notes\":[\"b\"]}",
         "{\"notes\":[\"1\",\"a\"]}", "!/notes"},
    };
    (void)state;
    CHECK(rows);
}

static void deltas(void **state)
{
    static const struct row rows[] = {
        {"deltas/1", "{\"on_hand\":10}", "{\"on_hand\":8}", "{\"on_hand\":7}",
         "{\"on_hand\":5}"},
        {"deltas/1", "{}", "{\"on_hand\":-2}", "{\"on_hand\":-3}",
         "{\"on_hand\":-5}"},
        {"deltas/1", "{\"q\":\"1.5\"}", "{\"q\":\"1.25\"}", "{\"q\":2}",
         "{\"q\":\"1.75\"}"},
        {"deltas/1", "{\"r\":{\"a\":1}}", "{\"r\":{\"a\":2}}",
         "{\"r\":{\"a\":4}}", "{\"r\":{\"a\":5}}"},
        {"deltas/1", "{\"name\":\"a\"}", "{\"name\":\"b\"}", "{\"name\":\"c\"}",
         "!/name"},
        {"deltas/1", "{\"amount_minor\":9007199254740991}",
         "{\"amount_minor\":9007199254740990}",
         "{\"amount_minor\":9007199254740000}",
         "{\"amount_minor\":9007199254739999}"},
    };
    (void)state;
    CHECK(rows);
}

static void never_and_unknown(void **state)
{
    struct ves_merge_result result;
    const struct ves_json *x = test_json(&arena, "{\"a\":1}");

    (void)state;
    assert_int_equal(ves_merge(&arena, "never", NULL, x, x, &result), VES_OK);
    assert_false(result.is_clean);
    assert_non_null(result.reason);
    assert_int_equal(result.overlap_count, 0);
    assert_int_equal(ves_merge(&arena, "order/2", NULL, x, x, &result),
                     VES_UNSUPPORTED);
    assert_true(ves_merge_is_known("never"));
    assert_true(ves_merge_is_known("customer/1"));
    assert_false(ves_merge_is_known("fields/2"));
}

/* Every row of the catalogue names a function there is. */
static void catalogue(void **state)
{
    (void)state;
    for (size_t i = 0; ves_event_type_at(i); i++)
        assert_true(ves_merge_is_known(ves_event_type_at(i)->merge));
}

/* More places than are told, in an object wide enough to be searched. */
static void many_overlaps(void **state)
{
    struct ves_merge_result result;
    const struct ves_json *sides[3];

    (void)state;
    for (int s = 0; s < 3; s++) {
        struct ves_bytes copy;
        ves_buf_reset(&text);
        for (int i = 0; i < 300; i++)
            ves_buf_putf(&text, "%s\"k%03d\":%d", i ? "," : "{", i, s);
        ves_buf_put_str(&text, "}");
        ves_buf_put_u8(&text, 0);
        assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&text), &copy),
                         VES_OK);
        sides[s] = test_json(&arena, (const char *)copy.ptr);
    }
    assert_int_equal(
        ves_merge(&arena, "fields/1", sides[0], sides[1], sides[2], &result),
        VES_OK);
    assert_false(result.is_clean);
    assert_int_equal(result.overlap_count, VES_MERGE_OVERLAPS_MAX);
    assert_true(result.has_more);
    assert_true(ves_json_equal(result.value, sides[2]));
}

static void out_of_memory(void **state)
{
    const char *base = "{\"lines\":[{\"id\":1}],\"tags\":[\"a\"]}";
    const char *local = "{\"lines\":[{\"id\":2}],\"tags\":[\"a\",\"b\"]}";
    const char *remote = "{\"lines\":[{\"id\":3}],\"tags\":[\"c\",\"a\"]}";
    struct ves_merge_result result;
    struct ves_arena small;
    enum ves_status status = VES_NOMEM;
    size_t tries = 0;

    (void)state;
    for (size_t max = 0; status == VES_NOMEM; max += 64, tries++) {
        ves_arena_init(&small, ves_alloc_default(), max);
        status = ves_merge(&small, "order/1", test_json(&arena, base),
                           test_json(&arena, local), test_json(&arena, remote),
                           &result);
        ves_arena_free(&small);
    }
    assert_int_equal(status, VES_OK);
    assert_true(tries > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(returns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(customers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deltas, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_and_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(catalogue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_overlaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(out_of_memory, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
