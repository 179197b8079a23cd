/* text.h -- text forms of bytes: hex, base64url, UTF-8, decimal numbers. */
#ifndef VES_BASE_TEXT_H
#define VES_BASE_TEXT_H

#include "ves/ves.h"

/* Writes 2*len lower-case digits, no NUL. */
void ves_hex_encode(const uint8_t *data, size_t len, char *out);

/* Reads exactly 2*out_len digits of any case, with or without "0x"
 * (protocol.md B.3).  Otherwise VES_MALFORMED and out is unspecified. */
VES_NODISCARD enum ves_status ves_hex_decode(struct ves_bytes text,
                                             uint8_t *out, size_t out_len);

/* Characters base64url needs for len bytes, no padding. */
size_t ves_b64u_len(size_t len);
/* Writes ves_b64u_len(len) characters, no padding, no NUL. */
void ves_b64u_encode(const uint8_t *data, size_t len, char *out);
/* Decodes base64url; padding tolerated if correct, stray bits refused
 * (canonical form only).  *out_len is the capacity in and the length out;
 * VES_LIMIT when it does not fit. */
VES_NODISCARD enum ves_status ves_b64u_decode(struct ves_bytes text,
                                              uint8_t *out, size_t *out_len);

/* Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms)?  On false
 * *bad is the offset where the first wrong sequence starts (bad may be
 * NULL). */
bool ves_utf8_valid(struct ves_bytes text, size_t *bad);
/* Bytes of the character at p, which has n bytes left; 0 when it is not valid
 * UTF-8 or cut. */
size_t ves_utf8_sequence(const uint8_t *p, size_t n);

/* Reads an unsigned decimal without sign, blanks or leading zeros;
 * VES_MALFORMED also when it is beyond 2^64-1. */
VES_NODISCARD enum ves_status ves_decimal_parse(struct ves_bytes text,
                                                uint64_t *out);

#endif
