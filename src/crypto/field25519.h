/* field25519.h -- arithmetic modulo p = 2^255 - 19 (RFC 8032 section 5.1),
 * variable time: for public values only.
 *
 * An element is five limbs of 51 bits, its value the sum of v[i] * 2^(51 i);
 * it is not unique.  Two bounds are kept, and every function says which it
 * takes and gives:
 *
 *     tight   every limb below 2^51 + 2^13
 *     loose   every limb below 2^54
 *
 * Why nothing overflows: a product column of loose limbs is at most
 * 2^108 (1 + 4 * 19) < 2^115; what is carried out of a column is below 2^64;
 * the last column holds no factor 19, so what is carried out of it is at most
 * 5 * 2^57 + 2^13, and 19 times that is below 2^64 as well.  test_ed25519.c
 * tries the extremes against another library's integers.
 */
#ifndef VES_CRYPTO_FIELD25519_H
#define VES_CRYPTO_FIELD25519_H

#include "ves/ves.h"

/* A compiler without 128-bit integers has no tables (key_table.h). */
#ifdef __SIZEOF_INT128__
#define VES_HAS_KEY_TABLES 1

enum { VES_FIELD_SIZE = 32 };

/* Five limbs belong into registers; a call passes them through memory, twice
 * the time (gcc 12, -O2, leaves products out of line when it may). */
#define VES_FIELD_INLINE static inline __attribute__((always_inline))

__extension__ typedef unsigned __int128 ves_u128;

struct ves_field {
    uint64_t v[5];
};

#define VES_FIELD_MASK ((UINT64_C(1) << 51) - 1)
#define VES_FIELD_ZERO ((struct ves_field){{0, 0, 0, 0, 0}})
#define VES_FIELD_ONE  ((struct ves_field){{1, 0, 0, 0, 0}})

/* loose = tight + tight; also of two loose ones whose sum is below 2^54. */
VES_FIELD_INLINE struct ves_field ves_field_add(const struct ves_field *a,
                                                const struct ves_field *b)
{
    return (struct ves_field){{a->v[0] + b->v[0], a->v[1] + b->v[1],
                               a->v[2] + b->v[2], a->v[3] + b->v[3],
                               a->v[4] + b->v[4]}};
}

/* loose = a - b, with b tight and a below 2^53. */
VES_FIELD_INLINE struct ves_field ves_field_sub(const struct ves_field *a,
                                                const struct ves_field *b)
{
    /* 2p is added, so that no limb falls below nothing. */
    const uint64_t low = 2 * VES_FIELD_MASK - 36, other = 2 * VES_FIELD_MASK;
    return (struct ves_field){
        {a->v[0] + low - b->v[0], a->v[1] + other - b->v[1],
         a->v[2] + other - b->v[2], a->v[3] + other - b->v[3],
         a->v[4] + other - b->v[4]}};
}

/* tight = the sum of c[i] * 2^(51 i): columns of products. */
VES_FIELD_INLINE struct ves_field
ves_field_carry(ves_u128 c0, ves_u128 c1, ves_u128 c2, ves_u128 c3, ves_u128 c4)
{
    c1 += (uint64_t)(c0 >> 51);
    c2 += (uint64_t)(c1 >> 51);
    c3 += (uint64_t)(c2 >> 51);
    c4 += (uint64_t)(c3 >> 51);
    uint64_t r0 = (uint64_t)c0 & VES_FIELD_MASK;
    r0 += 19 * (uint64_t)(c4 >> 51);
    return (struct ves_field){
        {r0 & VES_FIELD_MASK, ((uint64_t)c1 & VES_FIELD_MASK) + (r0 >> 51),
         (uint64_t)c2 & VES_FIELD_MASK, (uint64_t)c3 & VES_FIELD_MASK,
         (uint64_t)c4 & VES_FIELD_MASK}};
}

/* tight = loose * loose. */
VES_FIELD_INLINE struct ves_field ves_field_mul(const struct ves_field *x,
                                                const struct ves_field *y)
{
    const uint64_t a0 = x->v[0], a1 = x->v[1], a2 = x->v[2], a3 = x->v[3],
                   a4 = x->v[4];
    const uint64_t b0 = y->v[0], b1 = y->v[1], b2 = y->v[2], b3 = y->v[3],
                   b4 = y->v[4];
    const uint64_t d1 = 19 * b1, d2 = 19 * b2, d3 = 19 * b3, d4 = 19 * b4;
    return ves_field_carry(
        (ves_u128)a0 * b0 + (ves_u128)a1 * d4 + (ves_u128)a2 * d3 +
            (ves_u128)a3 * d2 + (ves_u128)a4 * d1,
        (ves_u128)a0 * b1 + (ves_u128)a1 * b0 + (ves_u128)a2 * d4 +
            (ves_u128)a3 * d3 + (ves_u128)a4 * d2,
        (ves_u128)a0 * b2 + (ves_u128)a1 * b1 + (ves_u128)a2 * b0 +
            (ves_u128)a3 * d4 + (ves_u128)a4 * d3,
        (ves_u128)a0 * b3 + (ves_u128)a1 * b2 + (ves_u128)a2 * b1 +
            (ves_u128)a3 * b0 + (ves_u128)a4 * d4,
        (ves_u128)a0 * b4 + (ves_u128)a1 * b3 + (ves_u128)a2 * b2 +
            (ves_u128)a3 * b1 + (ves_u128)a4 * b0);
}

/* tight = loose * loose. */
VES_FIELD_INLINE struct ves_field ves_field_square(const struct ves_field *x)
{
    const uint64_t a0 = x->v[0], a1 = x->v[1], a2 = x->v[2], a3 = x->v[3],
                   a4 = x->v[4];
    const uint64_t t0 = 2 * a0, t1 = 2 * a1, t2 = 2 * a2, t3 = 2 * a3;
    const uint64_t d3 = 19 * a3, d4 = 19 * a4;
    return ves_field_carry(
        (ves_u128)a0 * a0 + (ves_u128)t1 * d4 + (ves_u128)t2 * d3,
        (ves_u128)t0 * a1 + (ves_u128)t2 * d4 + (ves_u128)a3 * d3,
        (ves_u128)t0 * a2 + (ves_u128)a1 * a1 + (ves_u128)t3 * d4,
        (ves_u128)t0 * a3 + (ves_u128)t1 * a2 + (ves_u128)a4 * d4,
        (ves_u128)t0 * a4 + (ves_u128)t1 * a3 + (ves_u128)a2 * a2);
}

/* tight = x^(2^count), x loose; count at least 1. */
struct ves_field ves_field_square_times(const struct ves_field *x,
                                        unsigned count);
/* tight = 1/x, x loose; 0 for 0. */
struct ves_field ves_field_invert(const struct ves_field *x);
/* tight = x^((p-5)/8), x loose: the heart of a square root. */
struct ves_field ves_field_root_power(const struct ves_field *x);

/* The 255 low bits of 32 bytes, little-endian; tight.  Not canonical values
 * (p and above) are taken modulo p. */
struct ves_field ves_field_load(const uint8_t bytes[VES_FIELD_SIZE]);
/* The one canonical form of x, loose: below p, its highest bit 0. */
void ves_field_store(const struct ves_field *x, uint8_t out[VES_FIELD_SIZE]);

VES_NODISCARD bool ves_field_equal(const struct ves_field *a,
                                   const struct ves_field *b); /* loose */

/* Replaces each of n nonzero elements, tight, by its inverse, for the price of
 * one inversion and three products each; room holds n elements.  A zero among
 * them makes all of them zero. */
void ves_field_invert_all(struct ves_field *x, struct ves_field *room,
                          size_t n);

#endif
#endif
