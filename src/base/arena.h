/* arena.h -- bump allocator for everything one step needs.
 *
 * All memory is given back together by reset or free; pointers live until
 * then.
 */
#ifndef VES_BASE_ARENA_H
#define VES_BASE_ARENA_H

#include "ves/ves.h"

struct ves_arena_chunk;

struct ves_arena {
    const struct ves_alloc *alloc;
    struct ves_arena_chunk *chunk; /* newest first */
    size_t used;                   /* bytes in the newest chunk */
    size_t total;                  /* bytes in all chunks */
    size_t max;                    /* total never exceeds it */
};

void ves_arena_init(struct ves_arena *arena, const struct ves_alloc *alloc,
                    size_t max);
/* Forgets everything, keeps the largest chunk for reuse. */
void ves_arena_reset(struct ves_arena *arena);
void ves_arena_free(struct ves_arena *arena);

/* size bytes aligned for any type, zeroed; NULL when out of memory or over
 * max.  size 0 gives a valid pointer. */
VES_NODISCARD void *ves_arena_alloc(struct ves_arena *arena, size_t size);
/* count items of size bytes each, aligned for any type, with whatever lay
 * there: for lists of which somebody counts how much is filled.  NULL as above.
 */
VES_NODISCARD void *ves_arena_list(struct ves_arena *arena, size_t count,
                                   size_t size);
/* Without zeroing and alignment; for text. */
VES_NODISCARD uint8_t *ves_arena_bytes(struct ves_arena *arena, size_t size);
/* Copies; *out views the copy. */
VES_NODISCARD enum ves_status ves_arena_copy(struct ves_arena *arena,
                                             struct ves_bytes bytes,
                                             struct ves_bytes *out);

#endif
