/* readers.c -- read-only connections to the store, shared by threads. */
#include "server/readers.h"

#include "base/assert.h"

enum ves_status
ves_readers_open(struct ves_readers *readers, size_t count,
                 enum ves_status (*open)(void *ctx, struct ves_store **store,
                                         struct ves_error *error),
                 void (*close)(struct ves_store *store), void *ctx,
                 struct ves_error *error)
{
    VES_ASSERT(count > 0 && count <= VES_READERS_MAX);
    *readers = (struct ves_readers){.close = close};
    pthread_mutex_init(&readers->lock, NULL);
    pthread_cond_init(&readers->given, NULL);
    for (size_t i = 0; i < count; i++) {
        enum ves_status status = open(ctx, &readers->free[i], error);
        if (status) {
            ves_readers_close(readers);
            return status;
        }
        readers->free_count = readers->count = i + 1;
    }
    return VES_OK;
}

void ves_readers_close(struct ves_readers *readers)
{
    if (!readers->close)
        return;
    VES_ASSERT(readers->free_count == readers->count);
    for (size_t i = 0; i < readers->count; i++)
        readers->close(readers->free[i]);
    pthread_cond_destroy(&readers->given);
    pthread_mutex_destroy(&readers->lock);
    *readers = (struct ves_readers){0};
}

struct ves_store *ves_readers_take(struct ves_readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    while (readers->free_count == 0)
        pthread_cond_wait(&readers->given, &readers->lock);
    struct ves_store *store = readers->free[--readers->free_count];
    pthread_mutex_unlock(&readers->lock);
    return store;
}

void ves_readers_give(struct ves_readers *readers, struct ves_store *store)
{
    pthread_mutex_lock(&readers->lock);
    VES_ASSERT(readers->free_count < readers->count);
    readers->free[readers->free_count++] = store;
    pthread_cond_signal(&readers->given);
    pthread_mutex_unlock(&readers->lock);
}
