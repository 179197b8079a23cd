/* decimal.c -- a JSON number taken apart, and its exact comparison.
 *
 * The exact part is for the few numbers that lie so close to the middle
 * between two doubles that 128 bits do not tell on which side.  A midpoint of
 * doubles has at most 767 significant digits, so 800 digits and the knowledge
 * that something follows them decide every case, and 96 limbs hold both sides
 * of every comparison: 801 digits are 2661 bits, 5^1143 * 2^54 are 2708.
 */
#include "json/decimal.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

enum { DIGITS_MAX = 800, LIMBS_MAX = 96 };

/* Exponents beyond it mean zero or overflow for any text that fits memory. */
#define EXPONENT_MAX (INT64_C(1) << 61)

struct big {
    uint32_t limb[LIMBS_MAX]; /* least significant first */
    size_t count;             /* without leading zero limbs */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct ves_bytes take_digits(const uint8_t **p, const uint8_t *end)
{
    const uint8_t *start = *p;
    while (*p != end && is_digit(**p))
        (*p)++;
    return ves_bytes(start, (size_t)(*p - start));
}

static bool take_exponent(const uint8_t **p, const uint8_t *end, int64_t *out)
{
    bool negative = *p != end && **p == '-';
    if (*p != end && (**p == '-' || **p == '+'))
        (*p)++;
    struct ves_bytes digits = take_digits(p, end);
    int64_t value = 0;
    for (size_t i = 0; i < digits.len && value < EXPONENT_MAX / 16; i++)
        value = value * 10 + (digits.ptr[i] - '0');
    *out = negative ? -value : value;
    return digits.len > 0;
}

static void drop_leading_zeros(struct ves_bytes *digits)
{
    while (digits->len && digits->ptr[0] == '0') {
        digits->ptr++;
        digits->len--;
    }
}

static size_t drop_trailing_zeros(struct ves_bytes *digits)
{
    size_t dropped = 0;
    while (digits->len && digits->ptr[digits->len - 1] == '0') {
        digits->len--;
        dropped++;
    }
    return dropped;
}

bool ves_decimal_split(struct ves_bytes text, struct ves_decimal *out)
{
    *out = (struct ves_decimal){0};
    if (text.len == 0)
        return false;
    const uint8_t *p = text.ptr;
    const uint8_t *end = p + text.len;
    out->negative = *p == '-';
    if (out->negative)
        p++;
    out->before = take_digits(&p, end);
    if (out->before.len == 0 ||
        (out->before.len > 1 && out->before.ptr[0] == '0'))
        return false;
    out->after = ves_bytes(p, 0);
    if (p != end && *p == '.') {
        p++;
        out->after = take_digits(&p, end);
        if (out->after.len == 0)
            return false;
    }
    if (p != end && (*p == 'e' || *p == 'E')) {
        p++;
        if (!take_exponent(&p, end, &out->exponent))
            return false;
    }
    if (p != end)
        return false;
    drop_trailing_zeros(&out->after);
    out->exponent -= (int64_t)out->after.len;
    drop_leading_zeros(&out->before);
    if (out->before.len == 0)
        drop_leading_zeros(&out->after);
    if (out->after.len == 0)
        out->exponent += (int64_t)drop_trailing_zeros(&out->before);
    out->zero = out->before.len == 0 && out->after.len == 0;
    return true;
}

static void multiply_add(struct big *a, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < a->count; i++) {
        carry += (uint64_t)a->limb[i] * factor;
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) {
        VES_ASSERT(a->count < LIMBS_MAX);
        a->limb[a->count++] = (uint32_t)carry;
    }
}

static void multiply_pow5(struct big *a, int64_t exponent)
{
    static const uint32_t pow5[13] = {
        1,     5,      25,      125,     625,      3125,     15625,
        78125, 390625, 1953125, 9765625, 48828125, 244140625};
    for (; exponent >= 13; exponent -= 13)
        multiply_add(a, 1220703125, 0);
    multiply_add(a, pow5[exponent], 0);
}

/* *a * 2^shift */
static struct big shifted(const struct big *a, int64_t shift)
{
    struct big out;
    size_t limbs = (size_t)shift / 32;
    VES_ASSERT(limbs + a->count + 1 <= LIMBS_MAX);
    memset(out.limb, 0, limbs * sizeof(out.limb[0]));
    uint64_t carry = 0;
    for (size_t i = 0; i < a->count; i++) {
        carry |= (uint64_t)a->limb[i] << (shift % 32);
        out.limb[limbs + i] = (uint32_t)carry;
        carry >>= 32;
    }
    out.limb[limbs + a->count] = (uint32_t)carry;
    out.count = limbs + a->count + (carry != 0);
    return out;
}

static int compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (size_t i = a->count; i-- > 0;) {
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}

/* The first DIGITS_MAX digits; a 1 after them when something follows. */
static struct big load_digits(const struct ves_decimal *decimal,
                              int64_t *exponent)
{
    struct big out = {.count = 0};
    size_t total = decimal->before.len + decimal->after.len;
    size_t count = total < DIGITS_MAX ? total : DIGITS_MAX;
    for (size_t i = 0; i < count; i++) {
        uint8_t c = i < decimal->before.len
                        ? decimal->before.ptr[i]
                        : decimal->after.ptr[i - decimal->before.len];
        multiply_add(&out, 10, (uint32_t)(c - '0'));
    }
    *exponent = decimal->exponent + (int64_t)(total - count);
    /* The last digit of all is never 0, so what follows is not zero. */
    if (total > count) {
        multiply_add(&out, 10, 1);
        *exponent -= 1;
    }
    return out;
}

/* The decimal is left * 2^exponent / 5^exponent_of_five. */
struct exact {
    struct big left;
    int64_t exponent;
    int64_t exponent_of_five;
};

/* Compares with the middle between the double of these bits and the next. */
static int compare_midpoint(const struct exact *exact, uint64_t bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52);
    uint64_t m = 2 * (biased ? fraction | UINT64_C(1) << 52 : fraction) + 1;
    struct big right = {.limb = {(uint32_t)m, (uint32_t)(m >> 32)},
                        .count = m >> 32 ? 2 : 1};
    multiply_pow5(&right, exact->exponent_of_five);
    int64_t shift = exact->exponent - ((biased ? biased : 1) - 1076);
    struct big big =
        shifted(shift > 0 ? &exact->left : &right, shift > 0 ? shift : -shift);
    return shift > 0 ? compare(&big, &right) : compare(&exact->left, &big);
}

uint64_t ves_decimal_nearest(const struct ves_decimal *decimal, uint64_t guess)
{
    const uint64_t infinity = UINT64_C(0x7FF) << 52;
    VES_ASSERT(guess < infinity);
    struct exact exact;
    exact.left = load_digits(decimal, &exact.exponent);
    exact.exponent_of_five = exact.exponent < 0 ? -exact.exponent : 0;
    if (exact.exponent > 0)
        multiply_pow5(&exact.left, exact.exponent);
    /* Ties go to the even of the two neighbours. */
    for (;;) {
        int up = compare_midpoint(&exact, guess);
        if (up > 0 || (up == 0 && (guess & 1))) {
            guess++;
            if (guess == infinity)
                return guess;
            continue;
        }
        if (guess == 0)
            return guess;
        int down = compare_midpoint(&exact, guess - 1);
        if (down > 0 || (down == 0 && !(guess & 1)))
            return guess;
        guess--;
    }
}
