/* scan.h -- what the strict reader and the skipper see alike. */
#ifndef VES_JSON_SCAN_H
#define VES_JSON_SCAN_H

#include <string.h>

#include "json/json.h"

static inline const uint8_t *ves_scan_blanks(const uint8_t *p,
                                             const uint8_t *end)
{
    while (p != end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Does this byte need a look inside a string? */
static inline bool ves_scan_is_special(uint8_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

/* First byte at or after p that is special, or end. */
static inline const uint8_t *ves_scan_plain(const uint8_t *p,
                                            const uint8_t *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        /* The top bit of some byte gets set if and only if one of the eight
         * is special; a borrow only spreads upwards from a special byte, so
         * that the lowest bit tells the truth. */
        uint64_t quote = (word ^ ones * '"') - ones;
        uint64_t slash = (word ^ ones * '\\') - ones;
        uint64_t control = word - ones * 0x20;
        uint64_t hit = (quote | slash | control | word) & ones * 0x80;
        if (hit) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + __builtin_ctzll(hit) / 8;
#else
            break;
#endif
        }
        p += sizeof(word);
    }
    while (p != end && !ves_scan_is_special(*p))
        p++;
    return p;
}

static inline enum ves_status ves_scan_fail(struct ves_json_where *where,
                                            size_t offset, const char *reason)
{
    if (where)
        *where = (struct ves_json_where){offset, reason};
    return VES_MALFORMED;
}

#endif
