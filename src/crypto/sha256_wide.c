/* sha256_wide.c -- SHA-256 of sixteen runs of one length at once.
 *
 * AVX-512 has sixteen words of 32 bits in a register, rotates them and takes
 * any function of three bits in one instruction: a word of each run side by
 * side, a block of one takes 17 ns where two runs by SHA instructions take 30
 * each.  Nothing is looked up by what is hashed, and nothing branches on it. */
#include "crypto/sha256_wide.h"

#include "base/assert.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "base/endian.h"

#define WIDE   __attribute__((target("avx512f,avx512bw")))
#define INSIDE WIDE __attribute__((always_inline)) static inline
/* What a loop goes over lies in registers when it is written out. */
#define UNROLLED _Pragma("GCC unroll 16")

enum {
    LANES = VES_SHA256_WIDE,
    BLOCK = 64,
    WORDS = 8, /* of a state */
    LENGTH_BYTES = 8,
    ENDS = 2 * BLOCK /* padding reaches into so many bytes at most */
};

/* FIPS 180-4 section 5.3.3. */
static const uint32_t start[WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                      0xa54ff53a, 0x510e527f, 0x9b05688c,
                                      0x1f83d9ab, 0x5be0cd19};

/* Functions of three bits, as the instruction wants them. */
enum { XOR = 0x96, CHOOSE = 0xca, MAJORITY = 0xe8 };

/* ---- lines to columns -----------------------------------------------------
 */

/* Word i of line k to word k of line i. */
INSIDE void turn(__m512i r[LANES])
{
    __m512i t[LANES];

    UNROLLED for (size_t i = 0; i < LANES; i += 2)
    {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLLED for (size_t i = 0; i < LANES; i += 4)
    {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLLED for (size_t i = 0; i < 4; i++)
    {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    UNROLLED for (size_t i = 0; i < 4; i++)
    {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Big-endian words to the processor's and back. */
INSIDE __m512i swap(__m512i words)
{
    const __m128i order =
        _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order));
}

/* ---- rounds ---------------------------------------------------------------
 */

INSIDE __m512i xor_of(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi32(a, b, c, XOR);
}

/* Word n of the schedule, in the place of the one sixteen before it. */
INSIDE void extend(__m512i w[LANES], size_t n)
{
    const __m512i near = w[(n + 1) % LANES], far = w[(n + 14) % LANES];
    const __m512i s0 =
        xor_of(_mm512_ror_epi32(near, 7), _mm512_ror_epi32(near, 18),
               _mm512_srli_epi32(near, 3));
    const __m512i s1 =
        xor_of(_mm512_ror_epi32(far, 17), _mm512_ror_epi32(far, 19),
               _mm512_srli_epi32(far, 10));

    w[n % LANES] = _mm512_add_epi32(_mm512_add_epi32(w[n % LANES], s0),
                                    _mm512_add_epi32(w[(n + 9) % LANES], s1));
}

/* Where a..h of round n are: instead of moving all, each round calls the last
 * one the first. */
#define AT(s, i, n) (s)[((i) + 64 - (n)) % WORDS]

INSIDE void one_round(__m512i s[WORDS], __m512i w[LANES], size_t n)
{
    const __m512i a = AT(s, 0, n), b = AT(s, 1, n), c = AT(s, 2, n);
    const __m512i e = AT(s, 4, n), f = AT(s, 5, n), g = AT(s, 6, n);

    if (n >= LANES)
        extend(w, n);
    const __m512i words = _mm512_add_epi32(
        w[n % LANES], _mm512_set1_epi32((int)ves_sha256_constants[n]));
    const __m512i sum1 = xor_of(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11),
                                _mm512_ror_epi32(e, 25));
    const __m512i sum0 = xor_of(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13),
                                _mm512_ror_epi32(a, 22));
    const __m512i t1 = _mm512_add_epi32(
        _mm512_add_epi32(AT(s, 7, n), words),
        _mm512_add_epi32(sum1, _mm512_ternarylogic_epi32(e, f, g, CHOOSE)));

    AT(s, 3, n) = _mm512_add_epi32(AT(s, 3, n), t1);
    AT(s, 7, n) = _mm512_add_epi32(
        t1,
        _mm512_add_epi32(sum0, _mm512_ternarylogic_epi32(a, b, c, MAJORITY)));
}

/* Written out, so that all of it stays in registers. */
INSIDE void eight_rounds(__m512i s[WORDS], __m512i w[LANES], size_t n)
{
    one_round(s, w, n);
    one_round(s, w, n + 1);
    one_round(s, w, n + 2);
    one_round(s, w, n + 3);
    one_round(s, w, n + 4);
    one_round(s, w, n + 5);
    one_round(s, w, n + 6);
    one_round(s, w, n + 7);
}

/* A block of each run: what mask lets through of the 64 bytes at every len
 * from data on, and padding. */
WIDE static void all_blocks(__m512i state[WORDS], const uint8_t *data,
                            size_t len, __mmask64 mask, const uint8_t *padding)
{
    const __m512i rest = _mm512_loadu_si512(padding);
    __m512i s[WORDS], w[LANES];

    UNROLLED for (size_t i = 0; i < LANES; i++) w[i] =
        _mm512_or_si512(rest, _mm512_maskz_loadu_epi8(mask, data + i * len));
    turn(w);
    UNROLLED for (size_t i = 0; i < LANES; i++) w[i] = swap(w[i]);
    UNROLLED for (size_t i = 0; i < WORDS; i++) s[i] = state[i];
    eight_rounds(s, w, 0);
    eight_rounds(s, w, 8);
    eight_rounds(s, w, 16);
    eight_rounds(s, w, 24);
    eight_rounds(s, w, 32);
    eight_rounds(s, w, 40);
    eight_rounds(s, w, 48);
    eight_rounds(s, w, 56);
    UNROLLED for (size_t i = 0; i < WORDS; i++) state[i] =
        _mm512_add_epi32(state[i], s[i]);
}

WIDE static void write_out(const __m512i state[WORDS],
                           struct ves_hash out[LANES])
{
    __m512i r[LANES];

    UNROLLED for (size_t i = 0; i < LANES; i++) r[i] =
        i < WORDS ? state[i] : _mm512_setzero_si512();
    turn(r);
    UNROLLED for (size_t i = 0; i < LANES; i++) _mm256_storeu_si256(
        (__m256i *)(void *)out[i].b, _mm512_castsi512_si256(swap(r[i])));
}

/* ---- whole runs -----------------------------------------------------------
 */

WIDE void ves_sha256_wide(const uint8_t *data, size_t len,
                          struct ves_hash out[VES_SHA256_WIDE])
{
    static const uint8_t none[BLOCK];
    uint8_t ends[ENDS] = {0};
    size_t whole = len - len % BLOCK;
    size_t size = len % BLOCK + 1 + LENGTH_BYTES <= BLOCK ? BLOCK : ENDS;
    __m512i state[WORDS];

    ends[len % BLOCK] = 0x80;
    ves_store_u64(ends + size - LENGTH_BYTES, (uint64_t)len * 8);
    UNROLLED for (size_t i = 0; i < WORDS; i++) state[i] =
        _mm512_set1_epi32((int)start[i]);
    for (size_t at = 0; at < whole; at += BLOCK)
        all_blocks(state, data + at, len, ~(__mmask64)0, none);
    all_blocks(state, data + whole, len, ((__mmask64)1 << len % BLOCK) - 1,
               ends);
    if (size == ENDS)
        all_blocks(state, data, 0, 0, ends + BLOCK);
    write_out(state, out);
}

bool ves_sha256_wide_is_there(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw");
}

#else

bool ves_sha256_wide_is_there(void)
{
    return false;
}

void ves_sha256_wide(const uint8_t *data, size_t len,
                     struct ves_hash out[VES_SHA256_WIDE])
{
    (void)data;
    (void)len;
    (void)out;
    VES_ASSERT(!"the processor has no AVX-512");
}

#endif
