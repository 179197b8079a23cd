/* map.c -- a table from fixed-size keys to pointers, in an arena. */
#include "engine/map.h"

#include <string.h>

#include "base/assert.h"

struct ves_map_node {
    struct ves_map_node *next;
    void *value;
    uint8_t key[];
};

/* Both halves of a 64 by 64 bit product, folded: with secrets in the factors
 * an outsider cannot tell which keys meet. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static size_t bucket_of(const struct ves_map *map, const uint8_t *key)
{
    uint64_t hash = map->key_len;

    for (size_t at = 0; at < map->key_len; at += 16) {
        uint64_t words[2];
        memcpy(words, key + at, sizeof(words));
        hash =
            fold(words[0] ^ map->secret[0], words[1] ^ map->secret[1] ^ hash);
    }
    return (size_t)hash & map->mask;
}

enum ves_status ves_map_init(struct ves_map *map, struct ves_arena *arena,
                             size_t key_len, size_t expected,
                             const struct ves_uuid *secret)
{
    size_t buckets = 8;

    VES_ASSERT(key_len > 0 && key_len % 16 == 0);
    while (buckets < expected && buckets < SIZE_MAX / 4 / sizeof(void *))
        buckets *= 2;
    map->buckets = ves_arena_alloc(arena, buckets * sizeof(*map->buckets));
    if (!map->buckets)
        return VES_NOMEM;
    map->mask = buckets - 1;
    map->count = 0;
    map->key_len = key_len;
    memcpy(map->secret, secret->b, sizeof(map->secret));
    map->arena = arena;
    return VES_OK;
}

static struct ves_map_node *find(const struct ves_map *map, const void *key)
{
    struct ves_map_node *node = map->buckets[bucket_of(map, key)];

    while (node && memcmp(node->key, key, map->key_len) != 0)
        node = node->next;
    return node;
}

void *ves_map_get(const struct ves_map *map, const void *key)
{
    const struct ves_map_node *node = find(map, key);

    return node ? node->value : NULL;
}

/* Four times as many buckets; without memory for them it stays slow. */
static void grow(struct ves_map *map)
{
    struct ves_map_node **old = map->buckets;
    size_t count = map->mask + 1;

    if (count > SIZE_MAX / 16 / sizeof(struct ves_map_node *))
        return;
    struct ves_map_node **buckets =
        ves_arena_alloc(map->arena, 4 * count * sizeof(*buckets));
    if (!buckets)
        return;
    map->buckets = buckets;
    map->mask = 4 * count - 1;
    for (size_t i = 0; i < count; i++) {
        for (struct ves_map_node *node = old[i], *next; node; node = next) {
            struct ves_map_node **bucket =
                &map->buckets[bucket_of(map, node->key)];
            next = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
}

void **ves_map_slot(struct ves_map *map, const void *key)
{
    struct ves_map_node *node = find(map, key);

    if (node)
        return &node->value;
    if (map->count > 4 * map->mask)
        grow(map);
    node = ves_arena_alloc(map->arena, sizeof(*node) + map->key_len);
    if (!node)
        return NULL;
    map->count++;
    struct ves_map_node **bucket = &map->buckets[bucket_of(map, key)];
    memcpy(node->key, key, map->key_len);
    node->next = *bucket;
    *bucket = node;
    return &node->value;
}
