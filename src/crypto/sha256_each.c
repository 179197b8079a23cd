/* sha256_each.c -- SHA-256 of many runs of one length.
 *
 * Sixteen at once where the processor has AVX-512 (sha256_wide.h).  Else, and
 * for what is left over, two: a round of the processor's SHA instructions waits
 * for the one before it, so two runs side by side take little more time than
 * one, 48 ns a node of the log's tree against 92.  What neither takes OpenSSL
 * hashes one after the other (sha256_openssl.c); so it does when one of them
 * does not agree with it about the first runs. */
#include "crypto/crypto.h"

#include "base/assert.h"
#include "base/endian.h"
#include "crypto/sha256_wide.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <string.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

enum { BLOCK = 64, LANES = 2, LENGTH_BYTES = 8, TAIL_MAX = 2 * BLOCK };

const uint32_t ves_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* One of the runs: its state as the instructions want it, and the sixteen
 * words of the schedule that are needed. */
struct lane {
    __m128i abef, cdgh;
    __m128i words[4];
};

/* FIPS 180-4 section 5.3.3. */
WITH_SHA static inline void lane_init(struct lane *lane)
{
    lane->abef =
        _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    lane->cdgh =
        _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
}

WITH_SHA static inline __m128i load_words(const uint8_t *at)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)at),
                            swap);
}

WITH_SHA static inline void load(struct lane *lane, const uint8_t *block)
{
    lane->words[0] = load_words(block);
    lane->words[1] = load_words(block + 16);
    lane->words[2] = load_words(block + 32);
    lane->words[3] = load_words(block + 48);
}

/* Words 4n to 4n + 3 of the schedule, in the place of those sixteen before. */
WITH_SHA static inline void extend(struct lane *lane, size_t n)
{
    __m128i *w = lane->words;
    const __m128i last = w[(n + 3) % 4];
    __m128i sum = _mm_sha256msg1_epu32(w[n % 4], w[(n + 1) % 4]);

    sum = _mm_add_epi32(sum, _mm_alignr_epi8(last, w[(n + 2) % 4], 4));
    w[n % 4] = _mm_sha256msg2_epu32(sum, last);
}

WITH_SHA static inline void four_rounds(struct lane *lane, size_t n)
{
    __m128i words = _mm_add_epi32(
        lane->words[n % 4],
        _mm_loadu_si128(
            (const __m128i *)(const void *)(ves_sha256_constants + 4 * n)));

    lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, words);
    lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh,
                                       _mm_shuffle_epi32(words, 0x0e));
}

WITH_SHA static inline void both_rounds(struct lane *a, struct lane *b,
                                        size_t n)
{
    if (n >= 4) {
        extend(a, n);
        extend(b, n);
    }
    four_rounds(a, n);
    four_rounds(b, n);
}

/* A block of each.  Written out and on copies, so that all of it stays in
 * registers. */
WITH_SHA static inline void both_blocks(struct lane *of_a,
                                        const uint8_t *block_a,
                                        struct lane *of_b,
                                        const uint8_t *block_b)
{
    struct lane a = *of_a, b = *of_b;

    load(&a, block_a);
    load(&b, block_b);
    both_rounds(&a, &b, 0);
    both_rounds(&a, &b, 1);
    both_rounds(&a, &b, 2);
    both_rounds(&a, &b, 3);
    both_rounds(&a, &b, 4);
    both_rounds(&a, &b, 5);
    both_rounds(&a, &b, 6);
    both_rounds(&a, &b, 7);
    both_rounds(&a, &b, 8);
    both_rounds(&a, &b, 9);
    both_rounds(&a, &b, 10);
    both_rounds(&a, &b, 11);
    both_rounds(&a, &b, 12);
    both_rounds(&a, &b, 13);
    both_rounds(&a, &b, 14);
    both_rounds(&a, &b, 15);
    of_a->abef = _mm_add_epi32(a.abef, of_a->abef);
    of_a->cdgh = _mm_add_epi32(a.cdgh, of_a->cdgh);
    of_b->abef = _mm_add_epi32(b.abef, of_b->abef);
    of_b->cdgh = _mm_add_epi32(b.cdgh, of_b->cdgh);
}

WITH_SHA static inline void store(const struct lane *lane, struct ves_hash *out)
{
    const __m128i reverse =
        _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    const __m128i dcba = _mm_unpackhi_epi64(lane->cdgh, lane->abef);
    const __m128i hgfe = _mm_unpacklo_epi64(lane->cdgh, lane->abef);

    _mm_storeu_si128((__m128i *)(void *)out->b,
                     _mm_shuffle_epi8(dcba, reverse));
    _mm_storeu_si128((__m128i *)(void *)(out->b + 16),
                     _mm_shuffle_epi8(hgfe, reverse));
}

/* The end of a run that does not fill a block, padded; how many bytes. */
static size_t pad(const uint8_t *rest, size_t rest_len, size_t len,
                  uint8_t out[TAIL_MAX])
{
    size_t size = rest_len + 1 + LENGTH_BYTES <= BLOCK ? BLOCK : TAIL_MAX;

    memset(out, 0, TAIL_MAX);
    memcpy(out, rest, rest_len);
    out[rest_len] = 0x80;
    ves_store_u64(out + size - LENGTH_BYTES, (uint64_t)len * 8);
    return size;
}

WITH_SHA static void hash_two(const uint8_t *data, size_t len,
                              struct ves_hash *out)
{
    const uint8_t *second = data + len;
    uint8_t tails[LANES][TAIL_MAX];
    size_t whole = len - len % BLOCK;
    struct lane a, b;

    size_t tail = pad(data + whole, len - whole, len, tails[0]);
    (void)pad(second + whole, len - whole, len, tails[1]);
    lane_init(&a);
    lane_init(&b);
    for (size_t at = 0; at < whole; at += BLOCK)
        both_blocks(&a, data + at, &b, second + at);
    for (size_t at = 0; at < tail; at += BLOCK)
        both_blocks(&a, tails[0] + at, &b, tails[1] + at);
    store(&a, &out[0]);
    store(&b, &out[1]);
}

static bool has_sha(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) ||
        !(c & bit_SSE4_1))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* ---- which way ------------------------------------------------------------
 */

enum { UNKNOWN, ABSENT, PRESENT };

/* The widest first. */
static struct way {
    size_t lanes;
    bool (*is_there)(void);
    void (*hash)(const uint8_t *data, size_t len, struct ves_hash *out);
    atomic_int known;
} ways[] = {{VES_SHA256_WIDE, ves_sha256_wide_is_there, ves_sha256_wide, 0},
            {LANES, has_sha, hash_two, 0}};

/* Some runs, once, beside what OpenSSL makes of them. */
static bool agrees(const struct way *way)
{
    enum { RUN = 2 * BLOCK + 19 }; /* whole blocks and a tail */
    uint8_t runs[VES_SHA256_WIDE][RUN];
    struct ves_hash each[VES_SHA256_WIDE], one;
    bool is_same = true;

    for (size_t i = 0; i < sizeof(runs); i++)
        runs[i / RUN][i % RUN] = (uint8_t)(i * 167 + i / 256 + 13);
    way->hash(runs[0], RUN, each);
    for (size_t i = 0; i < way->lanes; i++) {
        ves_sha256_one(runs[i], RUN, &one);
        is_same = is_same && memcmp(one.b, each[i].b, VES_HASH_SIZE) == 0;
    }
    return is_same;
}

static bool is_usable(struct way *way)
{
    int state = atomic_load_explicit(&way->known, memory_order_relaxed);
    if (state == UNKNOWN) {
        state = way->is_there() && agrees(way) ? PRESENT : ABSENT;
        atomic_store_explicit(&way->known, state, memory_order_relaxed);
    }
    return state == PRESENT;
}

/* How many of the first runs. */
static size_t hash_together(const uint8_t *data, size_t len, size_t count,
                            struct ves_hash *out)
{
    size_t i = 0;

    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        if (i + ways[w].lanes > count || !is_usable(&ways[w]))
            continue;
        for (; i + ways[w].lanes <= count; i += ways[w].lanes)
            ways[w].hash(data + i * len, len, out + i);
    }
    return i;
}

#else

static size_t hash_together(const uint8_t *data, size_t len, size_t count,
                            struct ves_hash *out)
{
    (void)data;
    (void)len;
    (void)count;
    (void)out;
    return 0;
}

#endif

void ves_sha256_each(const uint8_t *data, size_t len, size_t count,
                     struct ves_hash *out)
{
    VES_ASSERT(data || count == 0);
    for (size_t i = hash_together(data, len, count, out); i < count; i++)
        ves_sha256_one(data + i * len, len, &out[i]);
}
