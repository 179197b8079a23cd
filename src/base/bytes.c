/* bytes.c -- small helpers for views and fixed-size values. */
#include "base/bytes.h"

static bool is_zero(const uint8_t *data, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= data[i];
    return any == 0;
}

int ves_bytes_compare(struct ves_bytes a, struct ves_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool ves_hash_is_zero(const struct ves_hash *hash)
{
    return is_zero(hash->b, sizeof(hash->b));
}

bool ves_uuid_is_nil(const struct ves_uuid *uuid)
{
    return is_zero(uuid->b, sizeof(uuid->b));
}
