/* table.h -- an in-memory map from fixed-size keys to nodes, for many readers.
 *
 * A node is embedded as the first member of what is stored.  Nothing is ever
 * removed before the table goes: keys and credentials are revoked, not
 * forgotten.  The caller brings the lock.
 */
#ifndef VES_SERVER_TABLE_H
#define VES_SERVER_TABLE_H

#include "ves/ves.h"

enum { VES_TABLE_KEY_MAX = 36 };

struct ves_table_node {
    struct ves_table_node *next;
    uint64_t hash;
    uint8_t key[VES_TABLE_KEY_MAX];
};

struct ves_table {
    const struct ves_alloc *alloc;
    size_t key_size;
    uint64_t seed; /* so that nobody can choose keys that collide */
    struct ves_table_node **buckets;
    size_t bucket_count; /* power of two, or 0 */
    size_t count;
};

void ves_table_init(struct ves_table *table, const struct ves_alloc *alloc,
                    size_t key_size, uint64_t seed);
/* Frees every node with the table's alloc. */
void ves_table_free(struct ves_table *table);

/* NULL when absent. */
struct ves_table_node *ves_table_find(const struct ves_table *table,
                                      const void *key);

/* Adds a node of size bytes, zeroed but for its key.  The key must be absent.
 * NULL when out of memory. */
struct ves_table_node *ves_table_add(struct ves_table *table, const void *key,
                                     size_t size);

/* Visits all in no order until visit returns false. */
void ves_table_each(const struct ves_table *table,
                    bool (*visit)(void *ctx, struct ves_table_node *node),
                    void *ctx);

#endif
