/* edwards25519.c -- adding, doubling and encoding of points. */
#include "crypto/edwards25519.h"

#ifdef VES_HAS_KEY_TABLES

#include "base/assert.h"

/* -121665/121666, twice that, and a square root of -1; test_ed25519.c proves
 * each from what it is. */
static const struct ves_field d = {{0x34dca135978a3, 0x1a8283b156ebd,
                                    0x5e7a26001c029, 0x739c663a03cbb,
                                    0x52036cee2b6ff}};
static const struct ves_field d2 = {{0x69b9426b2f159, 0x35050762add7a,
                                     0x3cf44c0038052, 0x6738cc7407977,
                                     0x2406d9dc56dff}};
static const struct ves_field root_of_minus_1 = {
    {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
     0x2b8324804fc1d}};

struct ves_point ves_point_neutral(void)
{
    return (struct ves_point){VES_FIELD_ZERO, VES_FIELD_ONE, VES_FIELD_ONE,
                              VES_FIELD_ZERO};
}

struct ves_point ves_point_base(void)
{
    /* y = 4/5, x even (RFC 8032 section 5.1). */
    static const uint8_t bytes[VES_FIELD_SIZE] = {
        0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    struct ves_point base;
    bool is_point = ves_point_load(bytes, &base);
    VES_ASSERT(is_point);
    return base;
}

static struct ves_field negate(const struct ves_field *a)
{
    struct ves_field zero = VES_FIELD_ZERO, one = VES_FIELD_ONE, r;
    r = ves_field_sub(&zero, a);
    return ves_field_mul(&r, &one); /* tight again */
}

/* x of y: a square root of u/v = (y^2 - 1)/(d y^2 + 1). */
static bool find_x(const struct ves_field *y, struct ves_field *x)
{
    struct ves_field one = VES_FIELD_ONE, yy, u, v, v2, v3, v7, t, minus_u;
    yy = ves_field_square(y);
    u = ves_field_sub(&yy, &one);
    t = ves_field_mul(&d, &yy);
    v = ves_field_add(&t, &one);
    v2 = ves_field_square(&v);
    v3 = ves_field_mul(&v2, &v);
    v7 = ves_field_square(&v3);
    v7 = ves_field_mul(&v7, &v);
    t = ves_field_mul(&u, &v7);
    t = ves_field_root_power(&t);
    t = ves_field_mul(&t, &v3);
    *x = ves_field_mul(&t, &u);

    t = ves_field_square(x);
    t = ves_field_mul(&t, &v);
    if (ves_field_equal(&t, &u))
        return true;
    u = ves_field_mul(&u, &one);
    minus_u = negate(&u);
    *x = ves_field_mul(x, &root_of_minus_1);
    return ves_field_equal(&t, &minus_u);
}

bool ves_point_load(const uint8_t bytes[VES_FIELD_SIZE], struct ves_point *out)
{
    uint8_t x[VES_FIELD_SIZE];
    bool is_odd = bytes[VES_FIELD_SIZE - 1] >> 7;
    out->y = ves_field_load(bytes);
    out->z = VES_FIELD_ONE;
    if (!find_x(&out->y, &out->x))
        return false;
    ves_field_store(&out->x, x);
    if ((x[0] & 1) != is_odd) {
        struct ves_field zero = VES_FIELD_ZERO;
        if (ves_field_equal(&out->x, &zero))
            return false;
        out->x = negate(&out->x);
    }
    out->t = ves_field_mul(&out->x, &out->y);
    return true;
}

struct ves_point ves_point_negate(const struct ves_point *p)
{
    return (struct ves_point){negate(&p->x), p->y, p->z, negate(&p->t)};
}

/* The four products that end every formula; all loose. */
VES_FIELD_INLINE struct ves_point finish(const struct ves_field *e,
                                         const struct ves_field *f,
                                         const struct ves_field *g,
                                         const struct ves_field *h)
{
    return (struct ves_point){ves_field_mul(e, f), ves_field_mul(g, h),
                              ves_field_mul(f, g), ves_field_mul(e, h)};
}

struct ves_point ves_point_double(const struct ves_point *p)
{
    struct ves_field a, b, c, e, f, g, h, sum;
    a = ves_field_square(&p->x);
    b = ves_field_square(&p->y);
    c = ves_field_square(&p->z);
    c = ves_field_add(&c, &c);
    sum = ves_field_add(&p->x, &p->y);
    sum = ves_field_square(&sum);
    h = ves_field_add(&a, &b);
    e = ves_field_sub(&h, &sum);
    g = ves_field_sub(&a, &b);
    f = ves_field_add(&c, &g);
    return finish(&e, &f, &g, &h);
}

/* a = (y1 - x1)(y2 - x2), b = (y1 + x1)(y2 + x2), c = 2d t1 t2, z = 2 z1 z2;
 * minus turns the sign of c. */
VES_FIELD_INLINE struct ves_point
sum_of(const struct ves_field *a, const struct ves_field *b,
       const struct ves_field *c, const struct ves_field *z, bool is_minus)
{
    struct ves_field e, f, g, h;
    e = ves_field_sub(b, a);
    f = ves_field_sub(z, c);
    g = ves_field_add(z, c);
    h = ves_field_add(b, a);
    return is_minus ? finish(&e, &g, &f, &h) : finish(&e, &f, &g, &h);
}

struct ves_point ves_point_add(const struct ves_point *p,
                               const struct ves_point *q)
{
    struct ves_field a, b, c, z, left, right;
    left = ves_field_sub(&p->y, &p->x);
    right = ves_field_sub(&q->y, &q->x);
    a = ves_field_mul(&left, &right);
    left = ves_field_add(&p->y, &p->x);
    right = ves_field_add(&q->y, &q->x);
    b = ves_field_mul(&left, &right);
    c = ves_field_mul(&p->t, &q->t);
    c = ves_field_mul(&c, &d2);
    z = ves_field_mul(&p->z, &q->z);
    z = ves_field_add(&z, &z);
    return sum_of(&a, &b, &c, &z, false);
}

struct ves_point ves_point_add_affine(const struct ves_point *p,
                                      const struct ves_affine *q, bool is_minus)
{
    /* -q has x, and so t, negated: y + x and y - x change places. */
    const struct ves_field *plus = is_minus ? &q->y_minus_x : &q->y_plus_x;
    const struct ves_field *minus = is_minus ? &q->y_plus_x : &q->y_minus_x;
    struct ves_field a, b, c, z, t;
    t = ves_field_sub(&p->y, &p->x);
    a = ves_field_mul(&t, minus);
    t = ves_field_add(&p->y, &p->x);
    b = ves_field_mul(&t, plus);
    c = ves_field_mul(&p->t, &q->xy2d);
    z = ves_field_add(&p->z, &p->z);
    return sum_of(&a, &b, &c, &z, is_minus);
}

void ves_points_normalize(const struct ves_point *points,
                          struct ves_affine *out, size_t n)
{
    struct ves_field z[VES_POINTS_MAX], room[VES_POINTS_MAX];
    struct ves_field one = VES_FIELD_ONE;
    VES_ASSERT(n <= VES_POINTS_MAX);
    for (size_t i = 0; i < n; i++)
        z[i] = points[i].z;
    ves_field_invert_all(z, room, n);
    for (size_t i = 0; i < n; i++) {
        struct ves_field x = ves_field_mul(&points[i].x, &z[i]);
        struct ves_field y = ves_field_mul(&points[i].y, &z[i]);
        struct ves_field t = ves_field_add(&y, &x);
        out[i].y_plus_x = ves_field_mul(&t, &one);
        t = ves_field_sub(&y, &x);
        out[i].y_minus_x = ves_field_mul(&t, &one);
        t = ves_field_mul(&x, &y);
        out[i].xy2d = ves_field_mul(&t, &d2);
    }
}

void ves_point_store(const struct ves_point *p, uint8_t out[VES_FIELD_SIZE])
{
    uint8_t x_bytes[VES_FIELD_SIZE];
    struct ves_field x = ves_field_mul(&p->x, &p->z);
    struct ves_field y = ves_field_mul(&p->y, &p->z);
    ves_field_store(&x, x_bytes);
    ves_field_store(&y, out);
    out[VES_FIELD_SIZE - 1] |= (uint8_t)(x_bytes[0] << 7);
}

#endif
