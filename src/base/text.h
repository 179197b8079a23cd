/* text.h -- text forms of bytes: hex, base64, UTF-8, decimal numbers. */
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

/* Characters base64 (RFC 4648 section 4, padded) needs for len bytes. */
size_t ves_b64_len(size_t len);
/* Writes ves_b64_len(len) characters, no NUL. */
void ves_b64_encode(const uint8_t *data, size_t len, char *out);
/* Decodes base64; nothing but the one text ves_b64_encode makes: padding
 * there, stray bits zero, no blanks.  *out_len is the capacity in and the
 * length out; VES_LIMIT when it does not fit. */
VES_NODISCARD enum ves_status ves_b64_decode(struct ves_bytes text,
                                             uint8_t *out, size_t *out_len);
/* Is it such a text?  *len is then how many bytes it stands for. */
bool ves_b64_is_valid(struct ves_bytes text, size_t *len);

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
