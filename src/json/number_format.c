/* number_format.c -- from a double to its shortest text, as ECMAScript.
 *
 * Raffaello Giulietti, "The Schubfach way to render doubles" (2020): the
 * rounding interval of a double holds at most one multiple of 10^(k+1) and at
 * least one of 10^k; three 126-bit products with rounding to odd find them
 * without a loop.  Variable names are the paper's.
 */
#include <string.h>

#include "base/assert.h"
#include "json/number.h"
#include "json/pow10.h"

/* digits * 10^exponent */
struct shortest {
    uint64_t digits;
    int exponent;
};

/* floor(g * cp / 2^128) with the last bit set when something was lost. */
static uint64_t round_to_odd(struct ves_u128 g, uint64_t cp)
{
    struct ves_u128 x = ves_mul64(g.lo, cp);
    struct ves_u128 y = ves_mul64(g.hi, cp);
    y.lo += x.hi;
    y.hi += y.lo < x.hi;
    return y.hi | (y.lo > 1);
}

static struct shortest find_shortest(uint64_t fraction, int biased)
{
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;
    bool is_even = c % 2 == 0;
    /* At a power of two the neighbour below is half as far away. */
    bool closer_below = fraction == 0 && biased > 1;
    uint64_t cbl = 4 * c - 2 + closer_below;
    uint64_t cb = 4 * c;
    uint64_t cbr = 4 * c + 2;
    int k = ves_floor_shift(q * 1262611 - (closer_below ? 524031 : 0), 22);
    int h = q + ves_pow10_log2(-k) + 1;
    struct ves_u128 g = ves_pow10(-k);
    uint64_t vbl = round_to_odd(g, cbl << h);
    uint64_t vb = round_to_odd(g, cb << h);
    uint64_t vbr = round_to_odd(g, cbr << h);
    uint64_t lower = vbl + !is_even;
    uint64_t upper = vbr - !is_even;
    uint64_t s = vb / 4;
    if (s >= 10) {
        uint64_t sp = s / 10;
        bool up_inside = lower <= 40 * sp;
        bool wp_inside = 40 * sp + 40 <= upper;
        if (up_inside != wp_inside)
            return (struct shortest){sp + wp_inside, k + 1};
    }
    bool u_inside = lower <= 4 * s;
    bool w_inside = 4 * s + 4 <= upper;
    if (u_inside != w_inside)
        return (struct shortest){s + w_inside, k};
    uint64_t mid = 4 * s + 2;
    bool round_up = vb > mid || (vb == mid && (s & 1));
    return (struct shortest){s + round_up, k};
}

/* Decimal digits of value; returns how many. */
static int put_digits(uint64_t value, char out[20])
{
    char reversed[20];
    int count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (int i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    return count;
}

static char *put_zeros(char *out, int count)
{
    memset(out, '0', (size_t)count);
    return out + count;
}

static char *put_text(char *out, const char *text, int count)
{
    memcpy(out, text, (size_t)count);
    return out + count;
}

/* ECMA-262 Number::toString, steps 6 to 12: the value is 0.digits * 10^n. */
static char *lay_out(char *out, const char *digits, int k, int n)
{
    if (k <= n && n <= 21) {
        out = put_text(out, digits, k);
        return put_zeros(out, n - k);
    }
    if (0 < n && n <= 21) {
        out = put_text(out, digits, n);
        *out++ = '.';
        return put_text(out, digits + n, k - n);
    }
    if (-6 < n && n <= 0) {
        out = put_text(out, "0.", 2);
        out = put_zeros(out, -n);
        return put_text(out, digits, k);
    }
    *out++ = digits[0];
    if (k > 1) {
        *out++ = '.';
        out = put_text(out, digits + 1, k - 1);
    }
    int e = n - 1;
    *out++ = 'e';
    *out++ = e < 0 ? '-' : '+';
    char text[20];
    int count = put_digits((uint64_t)(e < 0 ? -e : e), text);
    return put_text(out, text, count);
}

size_t ves_number_format(double value, char out[VES_NUMBER_TEXT])
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7FF);
    VES_ASSERT(biased != 0x7FF);
    char *p = out;
    if (bits << 1 == 0) {
        *p = '0';
        return 1;
    }
    if (bits >> 63)
        *p++ = '-';
    char digits[20];
    /* Integers below 2^53 are exact; no need to search. */
    if (biased >= 1023 && biased < 1023 + 53) {
        double magnitude = value < 0 ? -value : value;
        uint64_t integer = (uint64_t)magnitude;
        if ((double)integer == magnitude) {
            p += put_digits(integer, p);
            return (size_t)(p - out);
        }
    }
    struct shortest d = find_shortest(fraction, biased);
    VES_ASSERT(d.digits > 0);
    for (; d.digits % 10 == 0; d.digits /= 10)
        d.exponent++;
    int k = put_digits(d.digits, digits);
    p = lay_out(p, digits, k, k + d.exponent);
    return (size_t)(p - out);
}
