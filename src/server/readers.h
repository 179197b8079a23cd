/* readers.h -- read-only connections to the store, shared by threads.
 *
 * Reads see the last commit and never wait for the writer.
 */
#ifndef VES_SERVER_READERS_H
#define VES_SERVER_READERS_H

#include <pthread.h>

#include "port/store.h"

enum { VES_READERS_MAX = 32 };

struct ves_readers {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct ves_store *free[VES_READERS_MAX];
    size_t free_count;
    size_t count;
    void (*close)(struct ves_store *store);
};

/* Opens count stores by calling open(ctx). */
VES_NODISCARD enum ves_status
ves_readers_open(struct ves_readers *readers, size_t count,
                 enum ves_status (*open)(void *ctx, struct ves_store **store,
                                         struct ves_error *error),
                 void (*close)(struct ves_store *store), void *ctx,
                 struct ves_error *error);
/* All must have been given back.  Safe on a zeroed struct. */
void ves_readers_close(struct ves_readers *readers);

/* Waits for a free one; give it back soon.  A thread takes one at a time. */
struct ves_store *ves_readers_take(struct ves_readers *readers);
void ves_readers_give(struct ves_readers *readers, struct ves_store *store);

#endif
