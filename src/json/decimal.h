/* decimal.h -- a JSON number taken apart, and its exact comparison. */
#ifndef VES_JSON_DECIMAL_H
#define VES_JSON_DECIMAL_H

#include "ves/ves.h"

/* Where one second of digits lies in the text; nothing is copied.  The digits
 * before and after the point follow each other without the point; the value
 * is (digits as one integer) * 10^exponent. */
struct ves_decimal {
    struct ves_bytes before; /* digits before the point, no leading zeros */
    struct ves_bytes after;  /* digits after the point; no leading zeros when
                                before is empty; no trailing zeros */
    int64_t exponent;        /* far from overflow for any text */
    bool negative;
    bool zero; /* no digit but 0: before and after are empty */
};

/* Takes apart a number; false when text does not obey the JSON grammar. */
bool ves_decimal_split(struct ves_bytes text, struct ves_decimal *out);

/* Corrects guess, the bits of a finite, not negative double not far from the
 * decimal's absolute value, to the nearest double, ties to even; the bits of
 * infinity when that is beyond the largest.  The value must lie between
 * 10^-343 and 10^310. */
uint64_t ves_decimal_nearest(const struct ves_decimal *decimal, uint64_t guess);

#endif
