/* uuid.c -- UUIDs, RFC 9562. */
#include "base/uuid.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

/* Bytes in the five groups of the text form. */
static const uint8_t group_bytes[5] = {4, 2, 2, 2, 6};

enum ves_status ves_uuid_parse(struct ves_bytes text, struct ves_uuid *out)
{
    if (text.len != VES_UUID_TEXT)
        return VES_MALFORMED;
    struct ves_uuid uuid;
    size_t from = 0;
    size_t to = 0;
    for (size_t g = 0; g < sizeof(group_bytes); g++) {
        if (g > 0 && text.ptr[from++] != '-')
            return VES_MALFORMED;
        size_t n = group_bytes[g];
        /* The hex reader would take "0x" as a prefix, but the digits left
         * over are then too few, so it refuses. */
        if (ves_hex_decode(ves_bytes(text.ptr + from, 2 * n), uuid.b + to, n))
            return VES_MALFORMED;
        from += 2 * n;
        to += n;
    }
    *out = uuid;
    return VES_OK;
}

void ves_uuid_format(const struct ves_uuid *uuid, char out[VES_UUID_TEXT + 1])
{
    size_t from = 0;
    size_t to = 0;
    for (size_t g = 0; g < sizeof(group_bytes); g++) {
        if (g > 0)
            out[to++] = '-';
        ves_hex_encode(uuid->b + from, group_bytes[g], out + to);
        from += group_bytes[g];
        to += 2 * (size_t)group_bytes[g];
    }
    out[to] = '\0';
}

static void set_version(struct ves_uuid *uuid, uint8_t version)
{
    uuid->b[6] = (uint8_t)(version << 4 | (uuid->b[6] & 0x0F));
    uuid->b[8] = (uint8_t)(0x80 | (uuid->b[8] & 0x3F));
}

void ves_uuid_make_v7(uint64_t unix_ms, uint16_t counter,
                      const uint8_t random[8], struct ves_uuid *out)
{
    VES_ASSERT(counter < 4096);
    /* A clock beyond the year 10889 is wrong anyway; ids still sort last. */
    if (unix_ms >> 48)
        unix_ms = (UINT64_C(1) << 48) - 1;
    for (int i = 0; i < 6; i++)
        out->b[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    out->b[6] = (uint8_t)(counter >> 8);
    out->b[7] = (uint8_t)counter;
    memcpy(out->b + 8, random, 8);
    set_version(out, 7);
}

void ves_uuid_make_v8(const struct ves_hash *hash, struct ves_uuid *out)
{
    memcpy(out->b, hash->b, sizeof(out->b));
    set_version(out, 8);
}
