/* key_table.c -- sums of table entries instead of scalar multiplications. */
#include "crypto/key_table.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/digits.h"
#include "crypto/edwards25519.h"

#ifdef VES_HAS_KEY_TABLES

/* Window i, of w bits, holds 1 to 2^(w-1) times 2^(w i) P: digits are signed,
 * and 0 is not added.  A key's window is small because a table pays only after
 * it was built; the base point's is made once.  Both tables of a busy stream
 * fit the second cache (performance.md 2.1). */
enum {
    SCALAR_BITS = 253, /* S and k are below L < 2^253 */
    KEY_BITS = 5,
    KEY_ENTRIES = 1 << (KEY_BITS - 1),
    KEY_WINDOWS = (SCALAR_BITS + KEY_BITS - 1) / KEY_BITS,
    BASE_BITS = 8,
    BASE_ENTRIES = 1 << (BASE_BITS - 1),
    BASE_WINDOWS = (SCALAR_BITS + BASE_BITS - 1) / BASE_BITS,
    CACHE_LINE = 64
};

/* A carry out of the last window would be lost: the highest digit of a number
 * below 2^253 must have room for one. */
_Static_assert(KEY_WINDOWS *KEY_BITS > SCALAR_BITS, "room for a carry");
_Static_assert(BASE_WINDOWS *BASE_BITS > SCALAR_BITS, "room for a carry");
_Static_assert((int)BASE_ENTRIES <= (int)VES_POINTS_MAX, "points at a time");
_Static_assert((int)VES_POINTS_MAX % (int)KEY_ENTRIES == 0, "whole windows");

/* Two cache lines, so that an entry never touches three. */
struct entry {
    _Alignas(CACHE_LINE) struct ves_affine point;
};

struct ves_base_table {
    struct entry entries[BASE_WINDOWS][BASE_ENTRIES];
};

struct ves_key_table {
    struct entry entries[KEY_WINDOWS][KEY_ENTRIES]; /* of -A */
    struct ves_public_key key;
};

/* ---- memory ------------------------------------------------------------- */

/* Aligned memory of a realloc that aligns less: what was given stands right
 * before what is used. */
static void *new_aligned(const struct ves_alloc *alloc, size_t size)
{
    enum { AHEAD = CACHE_LINE + sizeof(void *) };
    uint8_t *given = alloc->realloc(alloc->ctx, NULL, size + AHEAD);
    if (!given)
        return NULL;
    uint8_t *used = given + AHEAD;
    used -= (uintptr_t)used % CACHE_LINE;
    memcpy(used - sizeof(given), &given, sizeof(given));
    return used;
}

static void free_aligned(const struct ves_alloc *alloc, void *used)
{
    uint8_t *given;
    if (!used)
        return;
    memcpy(&given, (uint8_t *)used - sizeof(given), sizeof(given));
    alloc->realloc(alloc->ctx, given, 0);
}

/* ---- building ----------------------------------------------------------- */

/* Fills windows of `bits` bits with multiples of a point. */
static void fill(const struct ves_point *point, unsigned bits, size_t windows,
                 struct entry *out)
{
    const size_t entries = (size_t)1 << (bits - 1);
    struct ves_point many[VES_POINTS_MAX], first = *point;
    struct ves_affine affine[VES_POINTS_MAX];
    size_t held = 0;
    for (size_t i = 0; i < windows; i++) {
        struct ves_point *window = many + held;
        window[0] = first;
        for (size_t j = 1; j < entries; j++)
            window[j] = ves_point_add(&window[j - 1], &first);
        first = ves_point_double(&window[entries - 1]);
        held += entries;
        if (held < VES_POINTS_MAX && i + 1 < windows)
            continue;
        ves_points_normalize(many, affine, held);
        for (size_t j = 0; j < held; j++)
            out[j].point = affine[j];
        out += held;
        held = 0;
    }
}

struct ves_base_table *ves_base_table_new(const struct ves_alloc *alloc)
{
    struct ves_point base = ves_point_base();
    struct ves_base_table *table = new_aligned(alloc, sizeof(*table));
    if (table)
        fill(&base, BASE_BITS, BASE_WINDOWS, table->entries[0]);
    return table;
}

void ves_base_table_free(const struct ves_alloc *alloc,
                         struct ves_base_table *table)
{
    free_aligned(alloc, table);
}

struct ves_key_table *ves_key_table_new(const struct ves_alloc *alloc,
                                        const struct ves_public_key *key)
{
    struct ves_point point;
    if (!ves_ed25519_key_is_valid(key) || !ves_point_load(key->b, &point))
        return NULL;
    struct ves_key_table *table = new_aligned(alloc, sizeof(*table));
    if (!table)
        return NULL;
    point = ves_point_negate(&point);
    fill(&point, KEY_BITS, KEY_WINDOWS, table->entries[0]);
    table->key = *key;
    return table;
}

void ves_key_table_free(const struct ves_alloc *alloc,
                        struct ves_key_table *table)
{
    free_aligned(alloc, table);
}

/* ---- verifying ---------------------------------------------------------- */

/* A number as the entries it is the sum of. */
struct term {
    const struct ves_affine *point;
    bool is_minus;
};

/* The entries of a number's digits that are not 0; returns how many. */
static size_t find_terms(const uint8_t number[VES_SCALAR_SIZE], unsigned bits,
                         size_t windows, const struct entry *entries,
                         struct term *terms)
{
    int16_t digits[VES_DIGITS_MAX];
    size_t count = 0;
    ves_digits(number, bits, windows, digits);
    for (size_t i = 0; i < windows; i++, entries += (size_t)1 << (bits - 1)) {
        if (digits[i] == 0)
            continue;
        const struct entry *entry =
            entries + (digits[i] < 0 ? -digits[i] : digits[i]) - 1;
        terms[count].is_minus = digits[i] < 0;
        terms[count++].point = &entry->point;
        __builtin_prefetch(entry);
        __builtin_prefetch((const uint8_t *)entry + CACHE_LINE);
    }
    return count;
}

/* S < L (RFC 8032 section 5.1.7); L = 2^252 + 277423177773723535358519377... */
static bool is_reduced(const uint8_t s[VES_SCALAR_SIZE])
{
    static const uint8_t order[VES_SCALAR_SIZE] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    for (size_t i = VES_SCALAR_SIZE; i-- > 0;)
        if (s[i] != order[i])
            return s[i] < order[i];
    return false;
}

/* [S]B - [k]A. */
static struct ves_point sum(const struct ves_base_table *base,
                            const struct ves_key_table *table,
                            const struct ves_verify_item *item)
{
    struct term terms[BASE_WINDOWS + KEY_WINDOWS];
    struct ves_point point = ves_point_neutral();
    uint8_t k[VES_SCALAR_SIZE];
    size_t count = find_terms(item->sig.b + VES_FIELD_SIZE, BASE_BITS,
                              BASE_WINDOWS, base->entries[0], terms);
    ves_ed25519_challenge(&table->key, ves_bytes(item->hash.b, VES_HASH_SIZE),
                          &item->sig, k);
    count +=
        find_terms(k, KEY_BITS, KEY_WINDOWS, table->entries[0], terms + count);
    for (size_t i = 0; i < count; i++)
        point = ves_point_add_affine(&point, terms[i].point, terms[i].is_minus);
    return point;
}

static bool is_neutral(const uint8_t bytes[VES_FIELD_SIZE])
{
    static const uint8_t neutral[VES_FIELD_SIZE] = {1};
    return memcmp(bytes, neutral, VES_FIELD_SIZE) == 0;
}

void ves_key_table_verify(const struct ves_base_table *base,
                          const struct ves_table_item *items, size_t count)
{
    struct ves_point points[VES_TABLE_BATCH];
    struct ves_field z[VES_TABLE_BATCH], room[VES_TABLE_BATCH];
    VES_ASSERT(count <= VES_TABLE_BATCH);
    for (size_t i = 0; i < count; i++) {
        struct ves_verify_item *item = items[i].item;
        VES_ASSERT(memcmp(&items[i].table->key, &item->key, VES_KEY_SIZE) == 0);
        item->is_valid = is_reduced(item->sig.b + VES_FIELD_SIZE);
        points[i] = item->is_valid ? sum(base, items[i].table, item)
                                   : ves_point_neutral();
        z[i] = points[i].z;
    }
    ves_field_invert_all(z, room, count);
    for (size_t i = 0; i < count; i++) {
        struct ves_verify_item *item = items[i].item;
        uint8_t bytes[VES_FIELD_SIZE];
        points[i].z = z[i];
        ves_point_store(&points[i], bytes);
        item->is_valid = item->is_valid && !is_neutral(bytes) &&
                         memcmp(bytes, item->sig.b, VES_FIELD_SIZE) == 0;
    }
}

#else

struct ves_base_table *ves_base_table_new(const struct ves_alloc *alloc)
{
    (void)alloc;
    return NULL;
}

void ves_base_table_free(const struct ves_alloc *alloc,
                         struct ves_base_table *table)
{
    (void)alloc;
    VES_ASSERT(!table);
}

struct ves_key_table *ves_key_table_new(const struct ves_alloc *alloc,
                                        const struct ves_public_key *key)
{
    (void)alloc;
    (void)key;
    return NULL;
}

void ves_key_table_free(const struct ves_alloc *alloc,
                        struct ves_key_table *table)
{
    (void)alloc;
    VES_ASSERT(!table);
}

void ves_key_table_verify(const struct ves_base_table *base,
                          const struct ves_table_item *items, size_t count)
{
    (void)base;
    (void)items;
    VES_ASSERT(count == 0);
}

#endif
