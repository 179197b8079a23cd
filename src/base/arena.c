/* arena.c -- bump allocator for everything one step needs.
 *
 * Chunks start at 16 KiB and double to 1 MiB.  A request that would not fit
 * an ordinary chunk gets one of its own, filed behind the current chunk so
 * that the space left there stays in use.
 */
#include "base/arena.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"

enum { CHUNK_MIN = 16 * 1024, CHUNK_MAX = 1024 * 1024 };

struct ves_arena_chunk {
    struct ves_arena_chunk *next;
    size_t size; /* bytes, this header included */
};

enum {
    ALIGN = _Alignof(max_align_t),
    HEADER = (sizeof(struct ves_arena_chunk) + ALIGN - 1) / ALIGN * ALIGN
};

static size_t align_up(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static void free_chunks(struct ves_arena *arena, struct ves_arena_chunk *chunk)
{
    while (chunk) {
        struct ves_arena_chunk *next = chunk->next;
        arena->total -= chunk->size;
        arena->alloc->realloc(arena->alloc->ctx, chunk, 0);
        chunk = next;
    }
}

/* A chunk that holds size bytes, not yet linked; NULL when it may not be. */
static struct ves_arena_chunk *new_chunk(struct ves_arena *arena, size_t size,
                                         bool *own)
{
    if (size > SIZE_MAX - HEADER)
        return NULL;
    size_t need = HEADER + size;
    size_t left = arena->max - arena->total;
    size_t want = CHUNK_MIN;
    while (want < CHUNK_MAX && want <= arena->total)
        want *= 2;
    *own = need > want;
    if (want > left)
        want = left;
    if (want < need)
        want = need;
    if (want > left)
        return NULL;
    struct ves_arena_chunk *chunk =
        arena->alloc->realloc(arena->alloc->ctx, NULL, want);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->size = want;
    arena->total += want;
    return chunk;
}

static uint8_t *take_new(struct ves_arena *arena, size_t size)
{
    bool own;
    struct ves_arena_chunk *chunk = new_chunk(arena, size, &own);
    if (!chunk)
        return NULL;
    if (own && arena->chunk) {
        chunk->next = arena->chunk->next;
        arena->chunk->next = chunk;
    } else {
        chunk->next = arena->chunk;
        arena->chunk = chunk;
        arena->used = HEADER + size;
    }
    return (uint8_t *)chunk + HEADER;
}

static uint8_t *take(struct ves_arena *arena, size_t start, size_t size)
{
    if (!arena->chunk || start > arena->chunk->size ||
        size > arena->chunk->size - start)
        return take_new(arena, size);
    arena->used = start + size;
    return (uint8_t *)arena->chunk + start;
}

void ves_arena_init(struct ves_arena *arena, const struct ves_alloc *alloc,
                    size_t max)
{
    VES_ASSERT(alloc && alloc->realloc);
    *arena = (struct ves_arena){.alloc = alloc, .max = max};
}

void ves_arena_reset(struct ves_arena *arena)
{
    struct ves_arena_chunk *largest = arena->chunk;
    for (struct ves_arena_chunk *c = arena->chunk; c; c = c->next) {
        if (c->size > largest->size)
            largest = c;
    }
    struct ves_arena_chunk **link = &arena->chunk;
    while (*link && *link != largest)
        link = &(*link)->next;
    if (largest) {
        *link = largest->next;
        free_chunks(arena, arena->chunk);
        largest->next = NULL;
    }
    arena->chunk = largest;
    arena->used = HEADER;
}

void ves_arena_free(struct ves_arena *arena)
{
    free_chunks(arena, arena->chunk);
    arena->chunk = NULL;
    arena->used = 0;
    VES_ASSERT(arena->total == 0);
}

void *ves_arena_alloc(struct ves_arena *arena, size_t size)
{
    uint8_t *ptr = take(arena, align_up(arena->used), size);
    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void *ves_arena_list(struct ves_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return take(arena, align_up(arena->used), count * size);
}

uint8_t *ves_arena_bytes(struct ves_arena *arena, size_t size)
{
    return take(arena, arena->used, size);
}

enum ves_status ves_arena_copy(struct ves_arena *arena, struct ves_bytes bytes,
                               struct ves_bytes *out)
{
    uint8_t *ptr = ves_arena_bytes(arena, bytes.len);
    if (!ptr)
        return VES_NOMEM;
    if (bytes.len)
        memcpy(ptr, bytes.ptr, bytes.len);
    *out = (struct ves_bytes){ptr, bytes.len};
    return VES_OK;
}
