/* test_number.c -- doubles to and from text, against exact integers and the
 * C library (whose strtod and printf round exactly).
 */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "json/number.h"
#include "json/pow10.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static const char *formatted(double value)
{
    static char text[VES_NUMBER_TEXT + 1];
    size_t len = ves_number_format(value, text);
    assert_true(len > 0 && len <= VES_NUMBER_TEXT);
    text[len] = '\0';
    return text;
}

/* Reads as the C library does? */
static void check_parse_bytes(const char *text, size_t len)
{
    double want = strtod(text, NULL);
    double got = 42;
    enum ves_status status = ves_number_parse(ves_bytes(text, len), &got);
    if (isinf(want) ? status != VES_MALFORMED || got != 42
                    : status != VES_OK || to_bits(got) != to_bits(want))
        fail_msg("%.60s... is %a, not %a", text, got, want);
}

static void check_parse(const char *text)
{
    check_parse_bytes(text, strlen(text));
}

/* A large integer, least significant first, for the tests only. */
struct wide {
    uint32_t limb[80];
};

static void wide_multiply(struct wide *a, uint32_t factor)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < COUNT(a->limb); i++) {
        carry += (uint64_t)a->limb[i] * factor;
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_int_equal(carry, 0);
}

static void wide_add(struct wide *a, const struct wide *b, bool subtract)
{
    int64_t carry = 0;
    for (size_t i = 0; i < COUNT(a->limb); i++) {
        carry += (int64_t)a->limb[i] +
                 (subtract ? -(int64_t)b->limb[i] : (int64_t)b->limb[i]);
        a->limb[i] = (uint32_t)carry;
        carry = carry < 0 ? -1 : carry >> 32;
    }
    assert_int_equal(carry, 0);
}

static struct wide wide_shift(const struct wide *a, unsigned shift)
{
    struct wide out = {{0}};
    for (size_t i = 0; i < COUNT(a->limb); i++) {
        uint64_t v = (uint64_t)a->limb[i] << shift % 32;
        size_t at = i + shift / 32;
        if (v)
            assert_true(at < COUNT(out.limb));
        if ((uint32_t)v)
            out.limb[at] |= (uint32_t)v;
        if (v >> 32) {
            assert_true(at + 1 < COUNT(out.limb));
            out.limb[at + 1] |= (uint32_t)(v >> 32);
        }
    }
    return out;
}

static int wide_compare(const struct wide *a, const struct wide *b)
{
    for (size_t i = COUNT(a->limb); i-- > 0;) {
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}

static struct wide wide_pow10(unsigned exponent)
{
    struct wide out = {{1}};
    while (exponent-- > 0)
        wide_multiply(&out, 10);
    return out;
}

/* (t - 1) * 2^x < 10^e <= t * 2^x, with t of exactly 128 bits and x from
 * ves_pow10_log2, for every entry of the table. */
static void test_table_of_powers(void **state)
{
    (void)state;
    for (int e = VES_POW10_MIN; e <= VES_POW10_MAX; e++) {
        struct ves_u128 t = ves_pow10(e);
        int x = ves_pow10_log2(e) - 127;
        assert_true(t.hi >> 63);
        struct wide left = {{(uint32_t)t.lo, (uint32_t)(t.lo >> 32),
                             (uint32_t)t.hi, (uint32_t)(t.hi >> 32)}};
        struct wide unit = {{1}};
        struct wide right = {{1}};
        if (e >= 0) {
            right = wide_pow10((unsigned)e);
        } else {
            for (int i = 0; i < -e; i++) {
                wide_multiply(&left, 10);
                wide_multiply(&unit, 10);
            }
        }
        if (x >= 0) {
            left = wide_shift(&left, (unsigned)x);
            unit = wide_shift(&unit, (unsigned)x);
        } else {
            right = wide_shift(&right, (unsigned)-x);
        }
        assert_true(wide_compare(&left, &right) >= 0);
        if (e >= 0 && e <= 55)
            assert_int_equal(wide_compare(&left, &right), 0);
        wide_add(&left, &unit, true);
        assert_true(wide_compare(&left, &right) < 0);
    }
}

static void test_multiply(void **state)
{
    (void)state;
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     UINT32_MAX,
                                     UINT64_C(1) << 32,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    random_state = 7;
    for (int i = 0; i < 10000; i++) {
        uint64_t a = i < 64 ? edges[i / 8] : next_random();
        uint64_t b = i < 64 ? edges[i % 8] : next_random();
        struct ves_u128 p = ves_mul64(a, b);
        __extension__ unsigned __int128 want = a;
        want *= b;
        assert_true(p.lo == (uint64_t)want && p.hi == (uint64_t)(want >> 64));
    }
    for (int n = 1; n < 20; n++) {
        for (int a = -3000; a < 3000; a++)
            /* Remainder 0 to 2^n - 1 means rounded down. */
            assert_in_range(a - ves_floor_shift(a, n) * (1 << n), 0,
                            (1 << n) - 1);
    }
}

/* RFC 8785, appendix B. */
static void test_rfc8785_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        const char *text;
    } cases[] = {
        {UINT64_C(0x0000000000000000), "0"},
        {UINT64_C(0x8000000000000000), "0"},
        {UINT64_C(0x0000000000000001), "5e-324"},
        {UINT64_C(0x8000000000000001), "-5e-324"},
        {UINT64_C(0x7fefffffffffffff), "1.7976931348623157e+308"},
        {UINT64_C(0xffefffffffffffff), "-1.7976931348623157e+308"},
        {UINT64_C(0x4340000000000000), "9007199254740992"},
        {UINT64_C(0xc340000000000000), "-9007199254740992"},
        {UINT64_C(0x4430000000000000), "295147905179352830000"},
        {UINT64_C(0x44b52d02c7e14af5), "9.999999999999997e+22"},
        {UINT64_C(0x44b52d02c7e14af6), "1e+23"},
        {UINT64_C(0x44b52d02c7e14af7), "1.0000000000000001e+23"},
        {UINT64_C(0x444b1ae4d6e2ef4e), "999999999999999700000"},
        {UINT64_C(0x444b1ae4d6e2ef4f), "999999999999999900000"},
        {UINT64_C(0x444b1ae4d6e2ef50), "1e+21"},
        {UINT64_C(0x3eb0c6f7a0b5ed8c), "9.999999999999997e-7"},
        {UINT64_C(0x3eb0c6f7a0b5ed8d), "0.000001"},
        {UINT64_C(0x41b3de4355555553), "333333333.3333332"},
        {UINT64_C(0x41b3de4355555554), "333333333.33333325"},
        {UINT64_C(0x41b3de4355555555), "333333333.3333333"},
        {UINT64_C(0x41b3de4355555556), "333333333.3333334"},
        {UINT64_C(0x41b3de4355555557), "333333333.33333343"},
        {UINT64_C(0xbecbf647612f3696), "-0.0000033333333333333333"},
        {UINT64_C(0x43143ff3c1cb0959), "1424953923781206.2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(formatted(from_bits(cases[i].bits)), cases[i].text);
        double back = 42;
        assert_int_equal(ves_number_parse(ves_bytes_str(cases[i].text), &back),
                         VES_OK);
        assert_true(back == from_bits(cases[i].bits));
    }
}

/* The borders between the layouts of Number::toString. */
static void test_layouts(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {0.1, "0.1"},
        {-0.5, "-0.5"},
        {12.5, "12.5"},
        {100.25, "100.25"},
        {1e20, "100000000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e21, "1e+21"},
        {1.5e21, "1.5e+21"},
        {-1e21, "-1e+21"},
        {1e22, "1e+22"},
        {1e100, "1e+100"},
        {0.000001, "0.000001"},
        {0.0000015, "0.0000015"},
        {0.0000001, "1e-7"},
        {1.5e-7, "1.5e-7"},
        {-1.5e-10, "-1.5e-10"},
        {1e-100, "1e-100"},
        {9007199254740991, "9007199254740991"},
        {9007199254740993.0, "9007199254740992"},
        {9007199254740994.0, "9007199254740994"},
        {4503599627370495.5, "4503599627370495.5"},
        {2251799813685248.5, "2251799813685248.5"},
        {0.1 + 0.2, "0.30000000000000004"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_TRUE_MIN, "5e-324"},
        {DBL_MIN - DBL_TRUE_MIN, "2.225073858507201e-308"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(formatted(cases[i].value), cases[i].text);
}

/* Digits of a formatted number as an integer, with the power of ten. */
static uint64_t take_digits(const char *text, int *exponent)
{
    uint64_t digits = 0;
    int zeros = 0; /* not yet known to be inside */
    int point = 0;
    bool after = false;
    *exponent = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '.') {
            after = true;
            continue;
        }
        point += after;
        if (*text == '0') {
            zeros++;
        } else if (*text != '-') {
            for (; zeros > 0; zeros--)
                digits *= 10;
            digits = digits * 10 + (uint64_t)(*text - '0');
        }
    }
    if (*text == 'e')
        *exponent = (int)strtol(text + 1, NULL, 10);
    *exponent += zeros - point;
    return digits;
}

static bool reads_as(uint64_t digits, int exponent, double value)
{
    char text[64];
    snprintf(text, sizeof(text), "%llue%d", (unsigned long long)digits,
             exponent);
    return strtod(text, NULL) == value;
}

/* Shortest, closest among the shortest, and read back by both readers. */
static void check_shortest(double value)
{
    const char *text = formatted(value);
    double magnitude = fabs(value);
    double back = 42;
    assert_int_equal(ves_number_parse(ves_bytes_str(text), &back), VES_OK);
    if (back != value || strtod(text, NULL) != value)
        fail_msg("%s is not %a", text, value);
    assert_true((text[0] == '-') == (value < 0));
    int exponent;
    uint64_t digits = take_digits(text, &exponent);
    if (digits == 0)
        return;
    int count = 0;
    for (uint64_t d = digits; d; d /= 10)
        count++;
    /* The texts with one digit less that stand nearest on either side. */
    if (count > 1 && (reads_as(digits / 10, exponent + 1, magnitude) ||
                      reads_as(digits / 10 + 1, exponent + 1, magnitude)))
        fail_msg("%s is not the shortest for %a", text, value);
    /* Of as many digits, the one that is nearest is the right one, unless
     * it reads as another double. */
    char nearest[64];
    snprintf(nearest, sizeof(nearest), "%.*e", count - 1, magnitude);
    if (strtod(nearest, NULL) != magnitude)
        return;
    int near_exponent;
    uint64_t near_digits = take_digits(nearest, &near_exponent);
    if (near_digits != digits || near_exponent != exponent)
        fail_msg("%s, but %s is nearer to %a", text, nearest, value);
}

static void test_all_powers_of_two(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        double value = from_bits(e < -1022 ? UINT64_C(1) << (e + 1074)
                                           : (uint64_t)(e + 1023) << 52);
        for (int64_t near = -3; near <= 3; near++) {
            uint64_t bits = to_bits(value) + (uint64_t)near;
            if (isfinite(from_bits(bits)) && !(bits >> 63)) {
                check_shortest(from_bits(bits));
                check_shortest(-from_bits(bits));
            }
        }
    }
}

static void test_all_powers_of_ten(void **state)
{
    (void)state;
    for (int e = -330; e <= 310; e++) {
        char text[32];
        for (int digit = 1; digit <= 9; digit++) {
            snprintf(text, sizeof(text), "%de%d", digit, e);
            check_parse(text);
            snprintf(text, sizeof(text), "-%d.000E%+d", digit, e);
            check_parse(text);
        }
        snprintf(text, sizeof(text), "1e%d", e);
        double value = strtod(text, NULL);
        if (e < -323 || e > 308)
            continue;
        for (int64_t near = -3; near <= 3; near++) {
            uint64_t bits = to_bits(value) + (uint64_t)near;
            if (!(bits >> 63))
                check_shortest(from_bits(bits));
        }
        /* ECMAScript's own text of a power of ten. */
        char want[32];
        if (e >= 0 && e <= 20)
            snprintf(want, sizeof(want), "1%.*s", e, "00000000000000000000");
        else if (e < 0 && e >= -6)
            snprintf(want, sizeof(want), "0.%.*s1", -e - 1, "00000");
        else
            snprintf(want, sizeof(want), "1e%+d", e);
        assert_string_equal(formatted(value), want);
    }
}

static void test_subnormals(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < 3000; bits++)
        check_shortest(from_bits(bits));
    for (uint64_t bits = 0; bits < 3000; bits++)
        check_shortest(from_bits((UINT64_C(1) << 52) - 1500 + bits));
    /* Half of the smallest, and a little on either side. */
    check_parse("2.4703282292062327e-324");
    check_parse("2.4703282292062328e-324");
    check_parse("2.47e-324");
    check_parse("2.48e-324");
    check_parse("1e-323");
    check_parse("1e-324");
    check_parse("1e-400");
    check_parse("-1e-99999999999999999999999999999");
    check_parse("2.2250738585072011e-308");
    check_parse("2.2250738585072012e-308");
}

static void test_random_doubles(void **state)
{
    (void)state;
    random_state = 20260101;
    for (int i = 0; i < 60000; i++) {
        double value = from_bits(next_random());
        if (i % 4 == 1) /* few digits */
            value = (double)(int64_t)(next_random() % 2000000) / 1000;
        if (i % 4 == 2) /* integers around 2^53 */
            value = (double)(next_random() >> (8 + next_random() % 8));
        if (isfinite(value))
            check_shortest(value);
    }
}

static void test_random_decimals(void **state)
{
    (void)state;
    random_state = 20260102;
    for (int i = 0; i < 100000; i++) {
        char text[128];
        size_t len = 0;
        uint64_t shape = next_random();
        if (shape & 1)
            text[len++] = '-';
        size_t before = 1 + (shape >> 1) % 25;
        size_t after = (shape >> 8) % 30;
        for (size_t k = 0; k < before; k++)
            text[len++] = (char)('0' + next_random() % 10);
        size_t first = shape & 1;
        if (before > 1 && text[first] == '0')
            text[first] = '1';
        if (after)
            text[len++] = '.';
        for (size_t k = 0; k < after; k++)
            text[len++] = (char)('0' + next_random() % 10);
        text[len] = '\0';
        if (shape >> 16 & 1)
            snprintf(text + len, sizeof(text) - len, "e%d",
                     (int)((shape >> 20) % 700) - 360);
        check_parse(text);
    }
}

/* The exact decimal text of the middle between a double and the next, made
 * by the C library out of both; it has up to 770 digits. */
static size_t exact_midpoint(uint64_t bits, char *out, size_t size)
{
    long double middle =
        ((long double)from_bits(bits) + (long double)from_bits(bits + 1)) / 2;
    int len = snprintf(out, size, "%.780Le", middle);
    assert_true(len > 0 && (size_t)len < size);
    return (size_t)len;
}

/* Halfway cases: exactly in the middle, and by one digit in the 780th place
 * (and beyond) above or below it. */
static void test_halfway(void **state)
{
    (void)state;
#if LDBL_MANT_DIG < 64
    fail_msg("long double is too narrow for this test");
#endif
    random_state = 20260103;
    for (int i = 0; i < 4000; i++) {
        uint64_t bits = next_random() >> 1;
        if (i % 4 == 0)
            bits %= UINT64_C(1) << 53; /* subnormal and just above */
        if (i % 4 == 1)
            bits = to_bits((double)(next_random() >> 11)); /* integers */
        if (i % 16 == 2)
            bits = (bits & ~((UINT64_C(1) << 52) - 1)) - 1;
        if (!isfinite(from_bits(bits)) || !isfinite(from_bits(bits + 1)))
            continue;
        char text[1024];
        size_t len = exact_midpoint(bits, text, sizeof(text));
        char *e = memchr(text, 'e', len);
        double even = from_bits(bits & 1 ? bits + 1 : bits);
        double got = 42;
        assert_int_equal(ves_number_parse(ves_bytes(text, len), &got), VES_OK);
        assert_true(to_bits(got) == to_bits(even));
        check_parse(text);
        /* Above: a digit far behind. */
        char longer[4096];
        size_t zeros = (size_t)(next_random() % 900);
        snprintf(longer, sizeof(longer), "%.*s%0*d1%s", (int)(e - text), text,
                 (int)zeros + 1, 0, e);
        assert_int_equal(ves_number_parse(ves_bytes_str(longer), &got), VES_OK);
        assert_true(to_bits(got) == bits + 1);
        check_parse(longer);
        /* Below: the last digit that is not 0, less one, then nines. */
        char *last = e - 1;
        while (*last == '0' || *last == '.')
            last--;
        --*last;
        for (char *p = last + 1; p < e; p++) {
            if (*p != '.')
                *p = '9';
        }
        assert_int_equal(ves_number_parse(ves_bytes(text, len), &got), VES_OK);
        assert_true(to_bits(got) == bits);
        check_parse(text);
    }
}

static void test_overflow(void **state)
{
    (void)state;
    /* 2^1024 - 2^970: the first number that rounds to infinity. */
    char text[400];
    int len = snprintf(text, sizeof(text), "%.0f", DBL_MAX);
    assert_int_equal(len, 309);
    check_parse(text);
    long double border = ((long double)DBL_MAX + 0x1p1024L) / 2;
    snprintf(text, sizeof(text), "%.0Lf", border);
    check_parse(text);
    double got = 42;
    assert_int_equal(ves_number_parse(ves_bytes_str(text), &got),
                     VES_MALFORMED);
    text[308]--; /* the last digit is not 0 */
    assert_int_equal(ves_number_parse(ves_bytes_str(text), &got), VES_OK);
    assert_true(got == DBL_MAX);
    static const char *const cases[] = {
        "1e309",
        "-1e309",
        "1e400",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "179769313486231580793e289",
        "0.00000000000000000000000000000000000000000000000000001e361",
        "0.00000000000000000000000000000000000000000000000000001e362",
        "1e99999999999999999999999999999999",
        "0e99999999999999999999999999999999",
        "-0.0e999",
        "0.0000",
        "-0",
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_parse(cases[i]);
}

/* Digits by the million: right, and in no time. */
static void test_long_texts(void **state)
{
    (void)state;
    enum { LEN = 1000000 };
    char *text = malloc(LEN + 64);
    assert_non_null(text);
    /* 1000...0001 is one above the middle of two doubles only when the digits
     * before the long row say so. */
    memset(text, '0', LEN);
    memcpy(text, "9007199254740993.", 17);
    text[LEN] = '\0';
    check_parse_bytes(text, LEN);
    text[LEN - 1] = '1';
    double got = 42;
    assert_int_equal(ves_number_parse(ves_bytes(text, LEN), &got), VES_OK);
    assert_true(got == 9007199254740994.0);
    check_parse_bytes(text, LEN);
    memset(text, '9', LEN);
    check_parse_bytes(text, LEN); /* overflow */
    snprintf(text + LEN, 64, "e-1000000");
    check_parse(text);
    snprintf(text + LEN, 64, "e-1000300");
    check_parse(text);
    memset(text, '0', LEN);
    text[1] = '.';
    snprintf(text + LEN, 64, "123456789e1000001");
    check_parse(text);
    snprintf(text + LEN, 64, "e5");
    check_parse(text); /* zero */
    memset(text, '3', LEN);
    text[1] = '.';
    text[LEN] = '\0';
    check_parse_bytes(text, LEN);
    /* Long exponents. */
    memset(text, '0', LEN);
    memcpy(text, "1e+", 3);
    snprintf(text + LEN, 64, "7");
    assert_int_equal(ves_number_parse(ves_bytes_str(text), &got), VES_OK);
    assert_true(got == 1e7);
    memset(text + 3, '9', LEN - 3);
    text[2] = '-';
    assert_int_equal(ves_number_parse(ves_bytes_str(text), &got), VES_OK);
    assert_true(got == 0);
    assert_false(ves_number_is_unsafe_integer(ves_bytes_str(text)));
    text[2] = '+';
    assert_int_equal(ves_number_parse(ves_bytes_str(text), &got),
                     VES_MALFORMED);
    assert_true(ves_number_is_unsafe_integer(ves_bytes_str(text)));
    free(text);
}

static void test_not_json_numbers(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",     "-",        "+1",    "01",   "-01",      "00",  ".5",
        "1.",   "1.e5",     "1e",    "1e+",  "1e-",      "e5",  "--1",
        "1-",   " 1",       "1 ",    "0x10", "NaN",      "1_0", "1e5.",
        "1.5.", "Infinity", "1e1e1", "1,5",  "\xD9\xA1",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double got = 42;
        if (ves_number_parse(ves_bytes_str(cases[i]), &got) != VES_MALFORMED ||
            got != 42)
            fail_msg("accepted: %s", cases[i]);
        assert_false(ves_number_is_unsafe_integer(ves_bytes_str(cases[i])));
    }
}

static void test_unsafe_integers(void **state)
{
    (void)state;
    static const char *const safe[] = {
        "0",
        "-0",
        "0e999999999999999999999",
        "1",
        "9007199254740991",
        "-9007199254740991",
        "9007199254740991.0",
        "9.007199254740991e15",
        "90071992547409910e-1",
        "900719925474099.1e1",
        "0.9007199254740991e16",
        "0.0000000000000000000000009007199254740991e40",
        "9007199254740992.5", /* no integer */
        "9007199254740992.00000000000000000000000000000000000000001",
        "9007199254740991.5",
        "1e-5",
        "123456789012345678901234567890.5",
        "123456789012345678901234567890e-1000",
        "1e15",
        "9e15",
    };
    static const char *const unsafe[] = {
        "9007199254740992",
        "-9007199254740992",
        "9007199254740993",
        "9007199254740992.0",
        "9007199254740992.000000000000000000000000000000000000000000",
        "9.007199254740992e15",
        "9.007199254740992E+15",
        "-9.007199254740992e15",
        "90071992547409920e-1",
        "900719925474099200000000000e-11",
        "0.9007199254740992e16",
        "0.0000000000000000000000009007199254740992e40",
        "10000000000000000",
        "1e16",
        "9.1e15",
        "1e22",
        "-1e300",
        "1e400",
        "1e99999999999999999999999999",
        "123456789012345678901234567890",
    };
    for (size_t i = 0; i < COUNT(safe); i++) {
        if (ves_number_is_unsafe_integer(ves_bytes_str(safe[i])))
            fail_msg("called unsafe: %s", safe[i]);
    }
    for (size_t i = 0; i < COUNT(unsafe); i++) {
        if (!ves_number_is_unsafe_integer(ves_bytes_str(unsafe[i])))
            fail_msg("called safe: %s", unsafe[i]);
    }
    /* Around the border, in every spelling with a shifted point. */
    for (int64_t d = -20; d <= 20; d++) {
        int64_t value = INT64_C(9007199254740991) + d;
        for (int shift = 0; shift <= 15; shift++) {
            char digits[32];
            char text[64];
            snprintf(digits, sizeof(digits), "%lld", (long long)value);
            snprintf(text, sizeof(text), "-%.*s.%s00e%d", 16 - shift, digits,
                     digits + 16 - shift, shift);
            assert_int_equal(ves_number_is_unsafe_integer(ves_bytes_str(text)),
                             d > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_powers),
        cmocka_unit_test(test_multiply),
        cmocka_unit_test(test_rfc8785_numbers),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_all_powers_of_two),
        cmocka_unit_test(test_all_powers_of_ten),
        cmocka_unit_test(test_subnormals),
        cmocka_unit_test(test_random_doubles),
        cmocka_unit_test(test_random_decimals),
        cmocka_unit_test(test_halfway),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_not_json_numbers),
        cmocka_unit_test(test_unsafe_integers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
