/* pow10.h -- the powers of ten as 128-bit fractions, and 128-bit products. */
#ifndef VES_JSON_POW10_H
#define VES_JSON_POW10_H

#include <stdint.h>

struct ves_u128 {
    uint64_t hi;
    uint64_t lo;
};

/* What decimal exponents reading (from -342) and printing (to 324) a double
 * can need. */
enum { VES_POW10_MIN = -342, VES_POW10_MAX = 324 };

extern const struct ves_u128 ves_pow10_table[VES_POW10_MAX - VES_POW10_MIN + 1];

/* Smallest t with t * 2^(ves_pow10_log2(e) - 127) >= 10^e; its top bit is
 * set.  Exact for e from 0 to 55. */
static inline struct ves_u128 ves_pow10(int e)
{
    return ves_pow10_table[e - VES_POW10_MIN];
}

/* floor(a / 2^n) for negative a too, where >> is not portable. */
static inline int ves_floor_shift(int a, int n)
{
    return a >= 0 ? a >> n : -((-a + (1 << n) - 1) >> n);
}

/* floor(log2(10^e)) for e in the table. */
static inline int ves_pow10_log2(int e)
{
    return ves_floor_shift(e * 217706, 16);
}

static inline struct ves_u128 ves_mul64(uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t)a;
    uint64_t a1 = a >> 32;
    uint64_t b0 = (uint32_t)b;
    uint64_t b1 = b >> 32;
    uint64_t p00 = a0 * b0;
    uint64_t p10 = a1 * b0;
    uint64_t mid = a0 * b1 + (p00 >> 32) + (uint32_t)p10;
    struct ves_u128 product = {a1 * b1 + (p10 >> 32) + (mid >> 32),
                               mid << 32 | (uint32_t)p00};
    return product;
}

#endif
