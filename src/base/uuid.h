/* uuid.h -- UUIDs, RFC 9562. */
#ifndef VES_BASE_UUID_H
#define VES_BASE_UUID_H

#include "ves/ves.h"

/* Reads 8-4-4-4-12 hexadecimal digits of any case; nothing else. */
VES_NODISCARD enum ves_status ves_uuid_parse(struct ves_bytes text,
                                             struct ves_uuid *out);

/* Writes 36 lower-case characters and a NUL. */
void ves_uuid_format(const struct ves_uuid *uuid, char out[VES_UUID_TEXT + 1]);

/* Version 7 from a time in ms since 1970 and 8 random bytes.  counter, below
 * 4096, goes into the 12 bits after the time, so that ids made in one ms by
 * one store sort in the order they were made. */
void ves_uuid_make_v7(uint64_t unix_ms, uint16_t counter,
                      const uint8_t random[8], struct ves_uuid *out);

/* Version 8: the first 16 bytes of a hash with version and variant set. */
void ves_uuid_make_v8(const struct ves_hash *hash, struct ves_uuid *out);

#endif
