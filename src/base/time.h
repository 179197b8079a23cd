/* time.h -- RFC 3339 text and milliseconds since 1970, without libc time. */
#ifndef VES_BASE_TIME_H
#define VES_BASE_TIME_H

#include "ves/ves.h"

enum { VES_TIME_TEXT = 24 }; /* "2026-11-22T14:02:11.123Z" */

/* Reads RFC 3339 with any fraction and offset; leap seconds count as :59.
 * *unix_ms may be NULL when only validity matters. */
VES_NODISCARD enum ves_status ves_time_parse(struct ves_bytes text,
                                             int64_t *unix_ms);

/* Writes UTC with milliseconds and a NUL.  Years 0 to 9999; clamps. */
void ves_time_format(int64_t unix_ms, char out[VES_TIME_TEXT + 1]);

#endif
