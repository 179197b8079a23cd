/* quantity.h -- exact amounts: stock, deltas, order quantities, money.
 *
 * Base-10 fixed point with six decimals and an absolute value below 10^12;
 * sums never round.  Text is what semantics.md 4.2 calls a decimal string:
 * an optional minus, digits without leading zeros, optionally a point and
 * digits.
 */
#ifndef VES_CORE_QUANTITY_H
#define VES_CORE_QUANTITY_H

#include "ves/ves.h"
#include "json/json.h"

enum {
    VES_QUANTITY_DECIMALS = 6,
    VES_QUANTITY_TEXT = 24 /* bytes that hold any quantity's text */
};

/* A quantity never reaches it, in millionths. */
#define VES_QUANTITY_LIMIT INT64_C(1000000000000000000)

struct ves_quantity {
    int64_t millionths; /* |millionths| < VES_QUANTITY_LIMIT */
};

/* Reads a decimal string.  VES_MALFORMED when the text is none, VES_LIMIT
 * when it has more than six decimals (trailing zeros do not count) or is too
 * large.  *out is untouched then. */
VES_NODISCARD enum ves_status ves_quantity_parse(struct ves_bytes text,
                                                 struct ves_quantity *out);

/* Same from a JSON string or number; any other node, or NULL, is
 * VES_MALFORMED.  A number counts as its canonical text (RFC 8785), so that
 * every spelling of one payload hash means the same quantity. */
VES_NODISCARD enum ves_status ves_quantity_read(const struct ves_json *node,
                                                struct ves_quantity *out);

/* a + b and a - b; false when the result leaves the range (*out untouched). */
VES_NODISCARD bool ves_quantity_add(struct ves_quantity a,
                                    struct ves_quantity b,
                                    struct ves_quantity *out);
VES_NODISCARD bool ves_quantity_subtract(struct ves_quantity a,
                                         struct ves_quantity b,
                                         struct ves_quantity *out);

/* Writes the shortest text; returns its length, no NUL. */
size_t ves_quantity_format(struct ves_quantity quantity,
                           char out[VES_QUANTITY_TEXT]);

/* Has it at most 15 significant digits, so that a JSON number carries it
 * exactly? */
bool ves_quantity_fits_number(struct ves_quantity quantity);

/* An amount of money in the currency's minor unit: a JSON number that is an
 * integer within +-(2^53-1).  False for anything else, NULL included. */
bool ves_minor_read(const struct ves_json *node, int64_t *out);

#endif
