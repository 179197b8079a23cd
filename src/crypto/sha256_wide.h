/* sha256_wide.h -- SHA-256 of sixteen runs of one length at once (ADR 0084). */
#ifndef VES_CRYPTO_SHA256_WIDE_H
#define VES_CRYPTO_SHA256_WIDE_H

#include "ves/ves.h"

enum { VES_SHA256_WIDE = 16 };

/* FIPS 180-4 section 4.2.2; in sha256_each.c.  Only where the processor's own
 * instructions are used. */
extern const uint32_t ves_sha256_constants[64];

/* Has the processor what it takes? */
bool ves_sha256_wide_is_there(void);

/* The runs, each of len bytes, follow one another from data on.  Only where
 * ves_sha256_wide_is_there. */
void ves_sha256_wide(const uint8_t *data, size_t len,
                     struct ves_hash out[VES_SHA256_WIDE]);

#endif
