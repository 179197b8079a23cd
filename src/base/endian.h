/* endian.h -- big-endian loads and stores (protocol.md A.1); little-endian ones
 * for RFC 8032. */
#ifndef VES_BASE_ENDIAN_H
#define VES_BASE_ENDIAN_H

#include <stdint.h>

static inline void ves_store_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void ves_store_u64(uint8_t *p, uint64_t v)
{
    ves_store_u32(p, (uint32_t)(v >> 32));
    ves_store_u32(p + 4, (uint32_t)v);
}

static inline uint32_t ves_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

static inline uint64_t ves_load_u64(const uint8_t *p)
{
    return (uint64_t)ves_load_u32(p) << 32 | ves_load_u32(p + 4);
}

static inline void ves_store_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static inline uint64_t ves_load_le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

#endif
