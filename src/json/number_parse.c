/* number_parse.c -- from text to the nearest double, ties to even.
 *
 * The first 19 digits times a 128-bit power of ten give an interval around
 * the value (Eisel and Lemire's idea, but with both ends kept).  When both
 * ends round to the same double, that is the answer; otherwise exact integers
 * decide.
 */
#include <string.h>

#include "json/decimal.h"
#include "json/number.h"
#include "json/pow10.h"

enum { DIGITS_MAX = 19 }; /* 10^19 < 2^64 */

static const uint64_t infinity_bits = UINT64_C(0x7FF) << 52;

/* Bits of the double nearest to value * 2^exponent; infinity's on overflow.
 * value.hi is at least 2^62. */
static uint64_t round_bits(struct ves_u128 value, int exponent)
{
    if (!(value.hi >> 63)) {
        value.hi = value.hi << 1 | value.lo >> 63;
        value.lo <<= 1;
        exponent--;
    }
    int top = exponent + 127; /* exponent of the first bit */
    if (top > 1023)
        return infinity_bits;
    /* 53 bits stay, fewer when the double is subnormal. */
    int drop = top < -1022 ? 11 + (-1022 - top) : 11;
    if (drop > 64)
        return 0;
    uint64_t mantissa = drop < 64 ? value.hi >> drop : 0;
    uint64_t rest = drop < 64 ? value.hi << (64 - drop) : value.hi;
    const uint64_t half = UINT64_C(1) << 63;
    if (rest > half || (rest == half && (value.lo || (mantissa & 1))))
        mantissa++;
    /* A carry out of the mantissa lands in the exponent, where it belongs. */
    uint64_t bits = mantissa;
    if (top >= -1022)
        bits += (uint64_t)(top + 1022) << 52;
    return bits < infinity_bits ? bits : infinity_bits;
}

/* Bits of the double nearest to a value in [w, w + 1) * 10^exponent, or to
 * w * 10^exponent exactly when !cut.  false when undecided; *bits is close
 * then. */
static bool approximate(uint64_t w, bool cut, int exponent, uint64_t *bits)
{
    int shift = 0;
    while (!(w >> 63)) {
        w <<= 1;
        shift++;
    }
    struct ves_u128 power = ves_pow10(exponent);
    struct ves_u128 low = ves_mul64(w, power.lo);
    struct ves_u128 product = ves_mul64(w, power.hi);
    product.lo += low.hi;
    product.hi += product.lo < low.hi;
    /* The dropped 64 bits and the power's rounding are each less than one
     * unit of product.lo, in opposite directions. */
    struct ves_u128 least = product;
    least.hi -= least.lo == 0;
    least.lo -= 1;
    struct ves_u128 most = product;
    most.lo += 1;
    most.hi += most.lo == 0;
    if (cut) {
        most.hi += UINT64_C(1) << shift;
        if (most.hi < product.hi)
            most = (struct ves_u128){UINT64_MAX, UINT64_MAX};
    }
    int scale = ves_pow10_log2(exponent) - 63 - shift;
    *bits = round_bits(least, scale);
    return *bits == round_bits(most, scale);
}

/* The first digits as an integer. */
static uint64_t first_digits(const struct ves_decimal *decimal, size_t count)
{
    uint64_t w = 0;
    size_t before = decimal->before.len < count ? decimal->before.len : count;
    for (size_t i = 0; i < before; i++)
        w = w * 10 + (uint64_t)(decimal->before.ptr[i] - '0');
    for (size_t i = 0; i < count - before; i++)
        w = w * 10 + (uint64_t)(decimal->after.ptr[i] - '0');
    return w;
}

/* Bits of the nearest double of a value that is not zero. */
static uint64_t nearest_bits(const struct ves_decimal *decimal)
{
    size_t total = decimal->before.len + decimal->after.len;
    size_t count = total < DIGITS_MAX ? total : DIGITS_MAX;
    int64_t exponent = decimal->exponent + (int64_t)(total - count);
    /* 1 <= w < 10^19, so beyond these exponents the value is less than half
     * of the smallest double (2.47e-324) or at least 10^309. */
    if (exponent < VES_POW10_MIN)
        return 0;
    if (exponent > 308)
        return infinity_bits;
    uint64_t w = first_digits(decimal, count);
    uint64_t bits;
    if (approximate(w, total > count, (int)exponent, &bits))
        return bits;
    if (bits == infinity_bits)
        bits--;
    return ves_decimal_nearest(decimal, bits);
}

enum ves_status ves_number_parse(struct ves_bytes text, double *out)
{
    struct ves_decimal decimal;
    if (!ves_decimal_split(text, &decimal))
        return VES_MALFORMED;
    uint64_t bits = decimal.zero ? 0 : nearest_bits(&decimal);
    if (bits == infinity_bits)
        return VES_MALFORMED;
    bits |= (uint64_t)decimal.negative << 63;
    memcpy(out, &bits, sizeof(*out));
    return VES_OK;
}

bool ves_number_is_unsafe_integer(struct ves_bytes text)
{
    struct ves_decimal decimal;
    if (!ves_decimal_split(text, &decimal) || decimal.zero)
        return false;
    /* The last digit is not 0, so a negative exponent means a fraction. */
    if (decimal.exponent < 0)
        return false;
    size_t digits = decimal.before.len + decimal.after.len;
    if (digits > 16 || decimal.exponent > (int64_t)(16 - digits))
        return true;
    uint64_t value = first_digits(&decimal, digits);
    for (int64_t i = 0; i < decimal.exponent; i++)
        value *= 10;
    return value > (UINT64_C(1) << 53) - 1;
}
