/* bytes.h -- small helpers for views and fixed-size values. */
#ifndef VES_BASE_BYTES_H
#define VES_BASE_BYTES_H

#include <string.h>

#include "ves/ves.h"

/* View of n bytes at ptr. */
static inline struct ves_bytes ves_bytes(const void *ptr, size_t n)
{
    struct ves_bytes b = {(const uint8_t *)ptr, n};
    return b;
}

/* View of a NUL-terminated string without its NUL; NULL gives no bytes. */
static inline struct ves_bytes ves_bytes_str(const char *text)
{
    return ves_bytes(text, text ? strlen(text) : 0);
}

static inline bool ves_bytes_equal(struct ves_bytes a, struct ves_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool ves_bytes_is(struct ves_bytes a, const char *text)
{
    return ves_bytes_equal(a, ves_bytes_str(text));
}

/* memcmp order, shorter first on a tie. */
int ves_bytes_compare(struct ves_bytes a, struct ves_bytes b);

static inline bool ves_hash_equal(const struct ves_hash *a,
                                  const struct ves_hash *b)
{
    return memcmp(a->b, b->b, VES_HASH_SIZE) == 0;
}

static inline bool ves_uuid_equal(const struct ves_uuid *a,
                                  const struct ves_uuid *b)
{
    return memcmp(a->b, b->b, VES_UUID_SIZE) == 0;
}

static inline bool ves_stream_equal(const struct ves_stream *a,
                                    const struct ves_stream *b)
{
    return ves_uuid_equal(&a->tenant, &b->tenant) &&
           ves_uuid_equal(&a->store, &b->store);
}

bool ves_hash_is_zero(const struct ves_hash *hash);
bool ves_uuid_is_nil(const struct ves_uuid *uuid);

#endif
