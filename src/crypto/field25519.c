/* field25519.c -- powers, bytes and inversions modulo 2^255 - 19. */
#include "crypto/field25519.h"

#ifdef VES_HAS_KEY_TABLES

#include <string.h>

#include "base/endian.h"

struct ves_field ves_field_square_times(const struct ves_field *x,
                                        unsigned count)
{
    struct ves_field r = ves_field_square(x);
    while (--count)
        r = ves_field_square(&r);
    return r;
}

/* x^(2^250 - 1), and x^11 by the way: what both powers below begin with. */
static struct ves_field power_250(const struct ves_field *x,
                                  struct ves_field *x11)
{
    struct ves_field t, x2, x9, p5, p10, p20, p40, p50, p100, p200;
    x2 = ves_field_square(x);
    t = ves_field_square_times(&x2, 2);
    x9 = ves_field_mul(x, &t);
    *x11 = ves_field_mul(&x2, &x9);
    t = ves_field_square(x11);
    p5 = ves_field_mul(&t, &x9); /* x^(2^5 - 1), and so on */
    t = ves_field_square_times(&p5, 5);
    p10 = ves_field_mul(&t, &p5);
    t = ves_field_square_times(&p10, 10);
    p20 = ves_field_mul(&t, &p10);
    t = ves_field_square_times(&p20, 20);
    p40 = ves_field_mul(&t, &p20);
    t = ves_field_square_times(&p40, 10);
    p50 = ves_field_mul(&t, &p10);
    t = ves_field_square_times(&p50, 50);
    p100 = ves_field_mul(&t, &p50);
    t = ves_field_square_times(&p100, 100);
    p200 = ves_field_mul(&t, &p100);
    t = ves_field_square_times(&p200, 50);
    return ves_field_mul(&t, &p50);
}

struct ves_field ves_field_invert(const struct ves_field *x)
{
    /* p - 2 = 2^5 (2^250 - 1) + 11 */
    struct ves_field x11, t = power_250(x, &x11);
    t = ves_field_square_times(&t, 5);
    return ves_field_mul(&t, &x11);
}

struct ves_field ves_field_root_power(const struct ves_field *x)
{
    /* (p - 5) / 8 = 2^2 (2^250 - 1) + 1 */
    struct ves_field x11, t = power_250(x, &x11);
    t = ves_field_square_times(&t, 2);
    return ves_field_mul(&t, x);
}

struct ves_field ves_field_load(const uint8_t bytes[VES_FIELD_SIZE])
{
    uint64_t w[4];
    for (size_t i = 0; i < 4; i++)
        w[i] = ves_load_le64(bytes + 8 * i);
    struct ves_field r = {{w[0] & VES_FIELD_MASK,
                           (w[0] >> 51 | w[1] << 13) & VES_FIELD_MASK,
                           (w[1] >> 38 | w[2] << 26) & VES_FIELD_MASK,
                           (w[2] >> 25 | w[3] << 39) & VES_FIELD_MASK,
                           w[3] >> 12 & VES_FIELD_MASK}};
    return r;
}

/* Carries once around; a loose element becomes tight. */
static void settle(struct ves_field *x)
{
    for (size_t i = 0; i < 4; i++) {
        x->v[i + 1] += x->v[i] >> 51;
        x->v[i] &= VES_FIELD_MASK;
    }
    x->v[0] += 19 * (x->v[4] >> 51);
    x->v[4] &= VES_FIELD_MASK;
}

void ves_field_store(const struct ves_field *x, uint8_t out[VES_FIELD_SIZE])
{
    struct ves_field r = *x;
    settle(&r);
    settle(&r);
    /* Below 2^255 now, so p fits at most once: it does exactly if adding 19
     * reaches 2^255.  Then 19 is added and 2^255 dropped. */
    uint64_t carry = 19;
    for (size_t i = 0; i < 5; i++)
        carry = (r.v[i] + carry) >> 51;
    r.v[0] += 19 * carry;
    for (size_t i = 0; i < 4; i++) {
        r.v[i + 1] += r.v[i] >> 51;
        r.v[i] &= VES_FIELD_MASK;
    }
    r.v[4] &= VES_FIELD_MASK;
    ves_store_le64(out, r.v[0] | r.v[1] << 51);
    ves_store_le64(out + 8, r.v[1] >> 13 | r.v[2] << 38);
    ves_store_le64(out + 16, r.v[2] >> 26 | r.v[3] << 25);
    ves_store_le64(out + 24, r.v[3] >> 39 | r.v[4] << 12);
}

bool ves_field_equal(const struct ves_field *a, const struct ves_field *b)
{
    uint8_t left[VES_FIELD_SIZE], right[VES_FIELD_SIZE];
    ves_field_store(a, left);
    ves_field_store(b, right);
    return memcmp(left, right, VES_FIELD_SIZE) == 0;
}

void ves_field_invert_all(struct ves_field *x, struct ves_field *room, size_t n)
{
    if (n == 0)
        return;
    room[0] = x[0];
    for (size_t i = 1; i < n; i++)
        room[i] = ves_field_mul(&room[i - 1], &x[i]);
    /* One over the product of all that are not done yet. */
    struct ves_field left = ves_field_invert(&room[n - 1]);
    for (size_t i = n - 1; i > 0; i--) {
        struct ves_field inverse = ves_field_mul(&left, &room[i - 1]);
        left = ves_field_mul(&left, &x[i]);
        x[i] = inverse;
    }
    x[0] = left;
}

#else

/* ISO C wants something in every file. */
extern int ves_field_is_missing;

#endif
