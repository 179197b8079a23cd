/* table.c -- an in-memory map from fixed-size keys to nodes. */
#include "server/table.h"

#include <string.h>

#include "base/assert.h"

enum { BUCKETS_MIN = 64 };

/* FNV-1a from a secret start: cheap, and good enough below a secret seed. */
static uint64_t hash_key(const struct ves_table *table, const uint8_t *key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ table->seed;
    for (size_t i = 0; i < table->key_size; i++)
        h = (h ^ key[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static bool grow(struct ves_table *table)
{
    const struct ves_alloc *alloc = table->alloc;
    size_t n = table->bucket_count ? table->bucket_count * 2 : BUCKETS_MIN;
    struct ves_table_node **buckets =
        alloc->realloc(alloc->ctx, NULL, n * sizeof(*buckets));
    if (!buckets)
        return false;
    memset(buckets, 0, n * sizeof(*buckets));
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct ves_table_node *node = table->buckets[i];
        while (node) {
            struct ves_table_node *next = node->next;
            struct ves_table_node **to = &buckets[node->hash & (n - 1)];
            node->next = *to;
            *to = node;
            node = next;
        }
    }
    if (table->buckets)
        alloc->realloc(alloc->ctx, table->buckets, 0);
    table->buckets = buckets;
    table->bucket_count = n;
    return true;
}

void ves_table_init(struct ves_table *table, const struct ves_alloc *alloc,
                    size_t key_size, uint64_t seed)
{
    VES_ASSERT(key_size <= VES_TABLE_KEY_MAX);
    *table =
        (struct ves_table){.alloc = alloc, .key_size = key_size, .seed = seed};
}

void ves_table_free(struct ves_table *table)
{
    const struct ves_alloc *alloc = table->alloc;
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct ves_table_node *node = table->buckets[i];
        while (node) {
            struct ves_table_node *next = node->next;
            alloc->realloc(alloc->ctx, node, 0);
            node = next;
        }
    }
    if (table->buckets)
        alloc->realloc(alloc->ctx, table->buckets, 0);
    table->buckets = NULL;
    table->bucket_count = 0;
    table->count = 0;
}

struct ves_table_node *ves_table_find(const struct ves_table *table,
                                      const void *key)
{
    if (!table->bucket_count)
        return NULL;
    uint64_t h = hash_key(table, key);
    struct ves_table_node *node = table->buckets[h & (table->bucket_count - 1)];
    while (node &&
           (node->hash != h || memcmp(node->key, key, table->key_size) != 0))
        node = node->next;
    return node;
}

struct ves_table_node *ves_table_add(struct ves_table *table, const void *key,
                                     size_t size)
{
    VES_ASSERT(size >= sizeof(struct ves_table_node));
    if (table->count >= table->bucket_count && !grow(table))
        return NULL;
    struct ves_table_node *node =
        table->alloc->realloc(table->alloc->ctx, NULL, size);
    if (!node)
        return NULL;
    memset(node, 0, size);
    node->hash = hash_key(table, key);
    memcpy(node->key, key, table->key_size);
    struct ves_table_node **to =
        &table->buckets[node->hash & (table->bucket_count - 1)];
    node->next = *to;
    *to = node;
    table->count++;
    return node;
}

void ves_table_each(const struct ves_table *table,
                    bool (*visit)(void *ctx, struct ves_table_node *node),
                    void *ctx)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct ves_table_node *node = table->buckets[i];
        while (node) {
            if (!visit(ctx, node))
                return;
            node = node->next;
        }
    }
}
