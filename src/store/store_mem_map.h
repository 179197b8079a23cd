/* store_mem_map.h -- an ordered map of byte strings with an undo journal.
 *
 * A skip list whose coin tosses come from a fixed seed, so that equal
 * histories give equal structures.  Values are heap blocks the map owns.
 * Every change is journaled until settled; undoing needs no memory.
 */
#ifndef VES_STORE_STORE_MEM_MAP_H
#define VES_STORE_STORE_MEM_MAP_H

#include "ves/ves.h"

enum { VES_MEM_KEY_MAX = 96, VES_MEM_LEVELS = 12 };

struct ves_mem_key {
    uint8_t len;
    uint8_t b[VES_MEM_KEY_MAX];
};

/* key and value are read-only for users of the map. */
struct ves_mem_node {
    void *value;
    uint8_t key_len;
    uint8_t levels;
    struct ves_mem_node *next[]; /* levels of them, then the key's bytes */
};

struct ves_mem_change {
    struct ves_mem_node *node;
    void *old_value; /* NULL: the node itself is new, or was removed */
    bool is_removal;
};

struct ves_mem_map {
    const struct ves_alloc *alloc;
    struct ves_mem_node *first[VES_MEM_LEVELS];
    uint64_t tosses;
    struct ves_mem_change *journal;
    size_t journal_count, journal_cap;
};

void ves_mem_map_init(struct ves_mem_map *map, const struct ves_alloc *alloc);
void ves_mem_map_free(struct ves_mem_map *map);

/* A key is put together from left to right; too long a key asserts. */
void ves_mem_key_add(struct ves_mem_key *key, const void *bytes, size_t len);
void ves_mem_key_add_u32(struct ves_mem_key *key, uint32_t value);
void ves_mem_key_add_u64(struct ves_mem_key *key, uint64_t value);
/* Does node's key begin with the first len bytes of key? */
bool ves_mem_key_leads(const struct ves_mem_key *key, size_t len,
                       const struct ves_mem_node *node);
/* The last 8 bytes of node's key as the number they were made from. */
uint64_t ves_mem_node_u64(const struct ves_mem_node *node);

/* NULL when not there. */
void *ves_mem_get(const struct ves_mem_map *map, const struct ves_mem_key *key);
/* First node whose key is not below key; NULL at the end.  node->next[0] is
 * the one after. */
struct ves_mem_node *ves_mem_seek(const struct ves_mem_map *map,
                                  const struct ves_mem_key *key);
/* Last node whose key is below key; NULL when there is none. */
struct ves_mem_node *ves_mem_seek_below(const struct ves_mem_map *map,
                                        const struct ves_mem_key *key);
/* Inserts or replaces.  value, a block of the map's allocator or NULL when
 * getting it failed, is taken over also on failure.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_mem_put(struct ves_mem_map *map,
                                          const struct ves_mem_key *key,
                                          void *value);

/* Takes out a key that is there.  Its node may be looked at until the changes
 * are settled, so that who walks the map goes on from it. */
VES_NODISCARD enum ves_status ves_mem_remove(struct ves_mem_map *map,
                                             const struct ves_mem_key *key);

/* Position in the journal, for undo. */
size_t ves_mem_mark(const struct ves_mem_map *map);
void ves_mem_undo(struct ves_mem_map *map, size_t mark);
/* Makes all changes final. */
void ves_mem_settle(struct ves_mem_map *map);

#endif
