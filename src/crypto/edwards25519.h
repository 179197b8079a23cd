/* edwards25519.h -- points of edwards25519 (RFC 8032 sections 5.1 and 5.1.4),
 * variable time: for public values only.
 *
 * The addition formulas are complete for this curve (a = -1 is a square, d is
 * none): they hold for every pair of points, equal, opposite and neutral ones
 * too, so no case is left out.
 *
 * Members of all points are tight (field25519.h) unless said.
 */
#ifndef VES_CRYPTO_EDWARDS25519_H
#define VES_CRYPTO_EDWARDS25519_H

#include "crypto/field25519.h"

#ifdef VES_HAS_KEY_TABLES

/* x = X/Z, y = Y/Z, T = XY/Z. */
struct ves_point {
    struct ves_field x, y, z, t;
};

/* A point that is to be added often: y + x, y - x and 2dxy, with z = 1. */
struct ves_affine {
    struct ves_field y_plus_x, y_minus_x, xy2d;
};

struct ves_point ves_point_neutral(void);
/* RFC 8032's base point B. */
struct ves_point ves_point_base(void);

/* The point of a canonical encoding (RFC 8032 section 5.1.3); false if there
 * is none.  Whether y is below p is for the caller to know. */
VES_NODISCARD bool ves_point_load(const uint8_t bytes[VES_FIELD_SIZE],
                                  struct ves_point *out);

struct ves_point ves_point_negate(const struct ves_point *p);
struct ves_point ves_point_double(const struct ves_point *p);
struct ves_point ves_point_add(const struct ves_point *p,
                               const struct ves_point *q);
/* p + q, or p - q. */
struct ves_point ves_point_add_affine(const struct ves_point *p,
                                      const struct ves_affine *q,
                                      bool is_minus);

/* The n points as affine ones; n is at most VES_POINTS_MAX. */
enum { VES_POINTS_MAX = 128 };
void ves_points_normalize(const struct ves_point *points,
                          struct ves_affine *out, size_t n);

/* The encoding of a point whose z was replaced by 1/z. */
void ves_point_store(const struct ves_point *p, uint8_t out[VES_FIELD_SIZE]);

#endif
#endif
