/* alloc.c -- the C library's heap behind struct ves_alloc. */
#include <stdlib.h>

#include "ves/ves.h"

static void *heap_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

const struct ves_alloc *ves_alloc_default(void)
{
    static const struct ves_alloc heap = {heap_realloc, NULL};
    return &heap;
}
