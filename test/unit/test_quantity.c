/* test_quantity.c -- exact decimal quantities and money. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/quantity.h"
#include "json/number.h"

static void decimal_strings(void **state)
{
    static const struct {
        const char *text;
        int64_t millionths;
        const char *shortest;
    } good[] = {
        {"0", 0, "0"},
        {"-0", 0, "0"},
        {"0.000000000", 0, "0"},
        {"1", 1000000, "1"},
        {"-1.5", -1500000, "-1.5"},
        {"10.250000000000", 10250000, "10.25"},
        {"0.000001", 1, "0.000001"},
        {"-0.100000", -100000, "-0.1"},
        {"100", 100000000, "100"},
        {"999999999999.999999", 999999999999999999, "999999999999.999999"},
        {"-999999999999.999999", -999999999999999999, "-999999999999.999999"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct ves_quantity quantity;
        char text[VES_QUANTITY_TEXT];
        assert_int_equal(
            ves_quantity_parse(ves_bytes_str(good[i].text), &quantity), VES_OK);
        assert_true(quantity.millionths == good[i].millionths);
        size_t len = ves_quantity_format(quantity, text);
        assert_true(ves_bytes_is(ves_bytes(text, len), good[i].shortest));
    }
}

static void other_texts(void **state)
{
    static const char *const malformed[] = {
        "",    "-",     "+1",   "01", "-01", "00",      ".5",
        "5.",  "1e3",   " 1",   "1 ", "1,5", "0x1",     "NaN",
        "--1", "1.2.3", "1.-2", "1.", "-.1", "\xd9\xa1"};
    static const char *const over[] = {
        "1000000000000", "-1000000000000", "0.0000001", "1.0000010000001",
        "99999999999999999999999999999999999999999"};
    struct ves_quantity quantity = {42};
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_int_equal(
            ves_quantity_parse(ves_bytes_str(malformed[i]), &quantity),
            VES_MALFORMED);
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        assert_int_equal(ves_quantity_parse(ves_bytes_str(over[i]), &quantity),
                         VES_LIMIT);
    assert_int_equal(ves_quantity_parse(ves_bytes(NULL, 0), &quantity),
                     VES_MALFORMED);
    /* Digits beyond what 64 bits hold, wherever they would wrap to. */
    char digits[64];
    for (size_t len = 13; len < sizeof(digits); len++) {
        for (int digit = '1'; digit <= '9'; digit++) {
            memset(digits, digit, len);
            assert_int_equal(
                ves_quantity_parse(ves_bytes(digits, len), &quantity),
                VES_LIMIT);
            digits[len - 6] = '.';
            assert_int_equal(
                ves_quantity_parse(ves_bytes(digits, len), &quantity),
                len <= 18 ? VES_OK : VES_LIMIT);
            if (len <= 18)
                quantity.millionths = 42;
        }
    }
    assert_true(quantity.millionths == 42);
}

static void sums_stay_in_range(void **state)
{
    const struct ves_quantity max = {VES_QUANTITY_LIMIT - 1};
    const struct ves_quantity min = {-(VES_QUANTITY_LIMIT - 1)};
    const struct ves_quantity one = {1};
    struct ves_quantity out = {42};
    (void)state;
    assert_false(ves_quantity_add(max, one, &out));
    assert_false(ves_quantity_add(max, max, &out));
    assert_false(ves_quantity_subtract(min, one, &out));
    assert_false(ves_quantity_subtract(min, max, &out));
    assert_true(out.millionths == 42);
    assert_true(ves_quantity_add(max, min, &out));
    assert_true(out.millionths == 0);
    assert_true(ves_quantity_subtract(max, max, &out));
    assert_true(out.millionths == 0);
    assert_true(ves_quantity_subtract(one, max, &out));
    assert_true(out.millionths == 2 - VES_QUANTITY_LIMIT);
}

/* Whatever is said to fit must come back from the double unchanged, and with
 * 15 digits everything does. */
static void numbers_carry_fifteen_digits(void **state)
{
    static const struct {
        int64_t millionths;
        bool fits;
    } cases[] = {
        {0, true},
        {1, true},
        {999999999999999, true}, /* 999999999.999999 */
        {-999999999999999, true},
        {1000000000000001, false}, /* 16 digits */
        {-1000000000000001, false},
        {999999999999999000, true}, /* 999999999999.999 */
        {999999999999999100, false},
        {100000000000000000, true}, /* 10^11 */
        {900000000000000009, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_quantity quantity = {cases[i].millionths};
        struct ves_quantity back;
        char text[VES_QUANTITY_TEXT];
        char again[VES_NUMBER_TEXT];
        double number;
        assert_int_equal(ves_quantity_fits_number(quantity), cases[i].fits);
        if (!cases[i].fits)
            continue;
        size_t len = ves_quantity_format(quantity, text);
        assert_int_equal(ves_number_parse(ves_bytes(text, len), &number),
                         VES_OK);
        size_t again_len = ves_number_format(number, again);
        assert_true(
            ves_bytes_equal(ves_bytes(text, len), ves_bytes(again, again_len)));
        const struct ves_json node = {.type = VES_JSON_NUMBER,
                                      .number = number};
        assert_int_equal(ves_quantity_read(&node, &back), VES_OK);
        assert_true(back.millionths == quantity.millionths);
    }
}

static void nodes(void **state)
{
    struct ves_quantity quantity;
    struct ves_json node = {.type = VES_JSON_NUMBER, .number = -0.0};
    (void)state;
    assert_int_equal(ves_quantity_read(&node, &quantity), VES_OK);
    assert_true(quantity.millionths == 0);
    node.number = 0.000001;
    assert_int_equal(ves_quantity_read(&node, &quantity), VES_OK);
    assert_true(quantity.millionths == 1);
    node.number = 999999999999;
    assert_int_equal(ves_quantity_read(&node, &quantity), VES_OK);
    const double over[] = {1e-7, 1e12, 1e21, -1e300, 5e-324, 0.1234567};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
        node.number = over[i];
        assert_int_equal(ves_quantity_read(&node, &quantity), VES_LIMIT);
    }
    const enum ves_json_type others[] = {VES_JSON_NULL, VES_JSON_TRUE,
                                         VES_JSON_ARRAY, VES_JSON_OBJECT};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        node.type = others[i];
        assert_int_equal(ves_quantity_read(&node, &quantity), VES_MALFORMED);
    }
    assert_int_equal(ves_quantity_read(NULL, &quantity), VES_MALFORMED);
}

static void money(void **state)
{
    struct ves_json node = {.type = VES_JSON_NUMBER};
    const double good[] = {
        0, -0.0, 1, -7, 9007199254740991.0, -9007199254740991.0};
    const double bad[] = {0.5, 9007199254740992.0, -9007199254740992.0, 1e300,
                          -1e300};
    int64_t value;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        node.number = good[i];
        assert_true(ves_minor_read(&node, &value));
        assert_true((double)value == good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        node.number = bad[i];
        assert_false(ves_minor_read(&node, &value));
    }
    node.type = VES_JSON_STRING;
    assert_false(ves_minor_read(&node, &value));
    assert_false(ves_minor_read(NULL, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_strings),
        cmocka_unit_test(other_texts),
        cmocka_unit_test(sums_stay_in_range),
        cmocka_unit_test(numbers_carry_fifteen_digits),
        cmocka_unit_test(nodes),
        cmocka_unit_test(money),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
