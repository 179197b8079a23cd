/* scratch.c -- a byte buffer whose memory comes from an arena. */
#include "core/scratch.h"

#include <string.h>

/* The arena does not remember sizes, so each block starts with its own. */
static void *arena_realloc(void *ctx, void *ptr, size_t size)
{
    if (size == 0 || size > SIZE_MAX - sizeof(size))
        return NULL;

    uint8_t *block = ves_arena_bytes(ctx, sizeof(size) + size);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    block += sizeof(size);
    if (ptr) {
        size_t old;
        memcpy(&old, (uint8_t *)ptr - sizeof(old), sizeof(old));
        memcpy(block, ptr, old < size ? old : size);
    }
    return block;
}

void ves_scratch_init(struct ves_scratch *scratch, struct ves_arena *arena,
                      size_t expected, size_t max)
{
    scratch->alloc.realloc = arena_realloc;
    scratch->alloc.ctx = arena;
    ves_buf_init(&scratch->buf, &scratch->alloc, max);
    /* A failure sticks in the buffer and is found by whoever asks it. */
    (void)ves_buf_reserve(&scratch->buf, expected < max ? expected : max);
}
