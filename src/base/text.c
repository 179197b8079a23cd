/* text.c -- text forms of bytes: hex, base64, UTF-8, decimal numbers. */
#include "base/text.h"

#include <string.h>

#include "base/endian.h"

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64u_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* Values plus one; 0 is no digit.  Every event brings some 400 digits. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

/* Value of a digit whose alphabet ends in the two of last; -1 for others. */
static int b64_value(uint8_t c, const char last[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (uint8_t)last[0])
        return 62;
    if (c == (uint8_t)last[1])
        return 63;
    return -1;
}

/* The digits of four bytes, a byte each. */
static uint64_t hex_eight(uint32_t bytes)
{
    uint64_t x = bytes;

    x = (x << 16 | x) & UINT64_C(0x0000FFFF0000FFFF);
    x = (x << 8 | x) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x << 4 | x) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    uint64_t is_letter =
        (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return x + UINT64_C(0x3030303030303030) + is_letter * ('a' - '0' - 10);
}

void ves_hex_encode(const uint8_t *data, size_t len, char *out)
{
    for (; len >= 4; len -= 4, data += 4, out += 8)
        ves_store_u64((uint8_t *)out, hex_eight(ves_load_u32(data)));
    for (; len > 0; len--, data++, out += 2) {
        uint64_t pair = hex_eight(*data);
        out[0] = (char)(pair >> 8);
        out[1] = (char)pair;
    }
}

enum ves_status ves_hex_decode(struct ves_bytes text, uint8_t *out,
                               size_t out_len)
{
    if (text.len >= 2 && text.ptr[0] == '0' &&
        (text.ptr[1] == 'x' || text.ptr[1] == 'X')) {
        text.ptr += 2;
        text.len -= 2;
    }
    if (text.len % 2 != 0 || text.len / 2 != out_len)
        return VES_MALFORMED;
    for (size_t i = 0; i < out_len; i++) {
        uint8_t high = hex_values[text.ptr[2 * i]];
        uint8_t low = hex_values[text.ptr[2 * i + 1]];
        if (high == 0 || low == 0)
            return VES_MALFORMED;
        out[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return VES_OK;
}

size_t ves_b64u_len(size_t len)
{
    return len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
}

/* Writes without padding and returns the end. */
static char *b64_put(const uint8_t *data, size_t len, const char *digits,
                     char *out)
{
    for (; len >= 3; data += 3, len -= 3) {
        uint32_t v = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = digits[v & 63];
    }
    if (len == 0)
        return out;
    uint32_t v = (uint32_t)data[0] << 16;
    if (len == 2)
        v |= (uint32_t)data[1] << 8;
    *out++ = digits[v >> 18];
    *out++ = digits[v >> 12 & 63];
    if (len == 2)
        *out++ = digits[v >> 6 & 63];
    return out;
}

/* Reads text without padding. */
static enum ves_status b64_get(struct ves_bytes text, const char last[2],
                               uint8_t *out, size_t *out_len)
{
    size_t n = text.len;
    if (n % 4 == 1)
        return VES_MALFORMED;
    size_t len = n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0);
    if (len > *out_len)
        return VES_LIMIT;
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int value = b64_value(text.ptr[i], last);
        if (value < 0)
            return VES_MALFORMED;
        acc = acc << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[at++] = (uint8_t)(acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }
    if (acc != 0)
        return VES_MALFORMED;
    *out_len = len;
    return VES_OK;
}

/* text without its padding, when it has the right one or none. */
static struct ves_bytes b64_unpadded(struct ves_bytes text)
{
    size_t n = text.len;
    if (n > 0 && n % 4 == 0 && text.ptr[n - 1] == '=')
        text.len -= text.ptr[n - 2] == '=' ? 2 : 1;
    return text;
}

void ves_b64u_encode(const uint8_t *data, size_t len, char *out)
{
    b64_put(data, len, b64u_digits, out);
}

enum ves_status ves_b64u_decode(struct ves_bytes text, uint8_t *out,
                                size_t *out_len)
{
    return b64_get(b64_unpadded(text), "-_", out, out_len);
}

size_t ves_b64_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

void ves_b64_encode(const uint8_t *data, size_t len, char *out)
{
    char *end = b64_put(data, len, b64_digits, out);
    while (len++ % 3 != 0)
        *end++ = '=';
}

enum ves_status ves_b64_decode(struct ves_bytes text, uint8_t *out,
                               size_t *out_len)
{
    if (text.len % 4 != 0)
        return VES_MALFORMED;
    return b64_get(b64_unpadded(text), "+/", out, out_len);
}

bool ves_b64_is_valid(struct ves_bytes text, size_t *len)
{
    enum { CHUNK = 64 };
    uint8_t bytes[CHUNK / 4 * 3];

    for (*len = 0; text.len > 0;) {
        struct ves_bytes chunk = text;
        size_t got = sizeof(bytes);
        if (chunk.len > CHUNK) {
            chunk.len = CHUNK;
            /* Padding ends a text. */
            if (chunk.ptr[CHUNK - 1] == '=')
                return false;
        }
        if (ves_b64_decode(chunk, bytes, &got))
            return false;
        *len += got;
        text.ptr += chunk.len;
        text.len -= chunk.len;
    }
    return true;
}

size_t ves_utf8_sequence(const uint8_t *p, size_t n)
{
    /* Table 3-7 of the Unicode standard: only the second byte's range
     * depends on the first. */
    if (n == 0)
        return 0;
    uint8_t lead = p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (n < len)
        return 0;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool ves_utf8_valid(struct ves_bytes text, size_t *bad)
{
    size_t i = 0;
    while (i < text.len) {
        uint64_t word;
        if (text.len - i >= sizeof(word)) {
            memcpy(&word, text.ptr + i, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        size_t n = ves_utf8_sequence(text.ptr + i, text.len - i);
        if (n == 0) {
            if (bad)
                *bad = i;
            return false;
        }
        i += n;
    }
    return true;
}

enum ves_status ves_decimal_parse(struct ves_bytes text, uint64_t *out)
{
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0'))
        return VES_MALFORMED;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = (uint8_t)(text.ptr[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return VES_MALFORMED;
        value = value * 10 + digit;
    }
    *out = value;
    return VES_OK;
}
