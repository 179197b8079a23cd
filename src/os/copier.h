/* copier.h -- a thread that copies SQLite's WAL back beside its writer.
 *
 * SQLite does that inside a commit: half a second during which nothing is
 * committed, and longer the larger the file.  Here a thread does it on a
 * connection of its own, and the writer only the last pages, which lets the
 * WAL begin anew.
 */
#ifndef VES_OS_COPIER_H
#define VES_OS_COPIER_H

#include <pthread.h>
#include <stdatomic.h>

#include "ves/ves.h"

/* In pages of WAL (of 4 KiB). */
struct ves_copier_limits {
    uint64_t want; /* worth copying: fewer, and pages that change often are
                      copied more often */
    uint64_t last; /* so few are left to the writer: some milliseconds */
    uint64_t max;  /* the writer copies all of them itself: commits come faster
                      than the disk takes them, and the file must not grow
                      without bound */
};

/* What the thread calls, with ctx. */
struct ves_copier_work {
    void *ctx;
    /* Copies what no reader needs any more; *pages: what the WAL had at the
     * beginning, *filled: how many of them are in the database now.  VES_BUSY:
     * somebody else is at it. */
    enum ves_status (*copy)(void *ctx, uint64_t *pages, uint64_t *filled);
    /* copy said something else than VES_OK and VES_BUSY; NULL: nobody asks. */
    void (*failed)(void *ctx);
};

struct ves_copier {
    struct ves_copier_limits limits;
    struct ves_copier_work work;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* is_wanted or is_stopping */
    bool is_wanted;
    bool is_stopping;
    atomic_uint_fast64_t pages; /* of the WAL after the last commit */
    atomic_bool is_last;        /* the rest is the writer's */
};

/* Nothing runs yet.  *copier must be zeroes, and is given back with _stop. */
void ves_copier_init(struct ves_copier *copier,
                     const struct ves_copier_limits *limits,
                     const struct ves_copier_work *work);

/* Starts the thread now, and not when it is wanted.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_copier_start(struct ves_copier *copier,
                                               struct ves_error *error);

/* For ves_store_sqlite_watch_wal of the writer, copier as ctx: after each of
 * its commits, on its thread.  true: the writer shall copy. */
bool ves_copier_watch(void *copier, uint64_t pages);

/* Nobody commits any more.  Nothing happens without _init. */
void ves_copier_stop(struct ves_copier *copier);

#endif
