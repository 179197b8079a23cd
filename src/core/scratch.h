/* scratch.h -- a byte buffer whose memory comes from an arena.
 *
 * Nothing is freed: what the buffer holds lives as long as the arena.
 */
#ifndef VES_CORE_SCRATCH_H
#define VES_CORE_SCRATCH_H

#include "base/arena.h"
#include "base/buf.h"

struct ves_scratch {
    struct ves_alloc alloc; /* points at the arena */
    struct ves_buf buf;
};

/* Room for expected bytes at once; grows up to max, copying.  scratch must
 * not move while buf is in use.  Errors stick in buf as always. */
void ves_scratch_init(struct ves_scratch *scratch, struct ves_arena *arena,
                      size_t expected, size_t max);

#endif
