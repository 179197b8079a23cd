/* map.h -- a table from fixed-size keys to pointers, in an arena.
 *
 * For one step's look-ups.  Keys come from strangers (event ids), so buckets
 * are chosen with a secret: nobody can prepare ids that all fall into one.
 */
#ifndef VES_ENGINE_MAP_H
#define VES_ENGINE_MAP_H

#include "base/arena.h"
#include "ves/ves.h"

struct ves_map_node;

struct ves_map {
    struct ves_map_node **buckets;
    size_t mask;
    size_t count;
    size_t key_len; /* a multiple of 16 */
    uint64_t secret[2];
    struct ves_arena *arena;
};

/* Room for expected entries at once; it grows with more.  secret is 16
 * evenly spread bytes nobody outside can guess (not an id as it is); results
 * never depend on it.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_map_init(struct ves_map *map,
                                           struct ves_arena *arena,
                                           size_t key_len, size_t expected,
                                           const struct ves_uuid *secret);

/* The value of a key, NULL when it has none. */
void *ves_map_get(const struct ves_map *map, const void *key);

/* Where a key's value is; NULL in there when the key is new.  NULL when out
 * of memory.  The key is copied. */
VES_NODISCARD void **ves_map_slot(struct ves_map *map, const void *key);

#endif
