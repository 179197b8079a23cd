/* number.h -- doubles to and from text exactly as ECMAScript does. */
#ifndef VES_JSON_NUMBER_H
#define VES_JSON_NUMBER_H

#include "base/buf.h"

enum { VES_NUMBER_TEXT = 32 };

/* Shortest text that reads back as value (ECMA-262 Number::toString, RFC 8785
 * 3.2.2.3).  Returns the length; no NUL.  value must be finite. */
size_t ves_number_format(double value, char out[VES_NUMBER_TEXT]);

/* Nearest double (ties to even) of a number that obeys the JSON grammar.
 * Overflow gives VES_MALFORMED; underflow gives zero or a subnormal. */
VES_NODISCARD enum ves_status ves_number_parse(struct ves_bytes text,
                                               double *out);

/* Is the decimal value written in text (JSON grammar) an integer beyond
 * +-(2^53-1)?  Judges the exact decimal value, not the rounded double. */
bool ves_number_is_unsafe_integer(struct ves_bytes text);

#endif
