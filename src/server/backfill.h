/* backfill.h -- copies the sequencer's WAL back into its database file.
 *
 * SQLite does that inside a commit: half a second during which nobody is
 * answered.  Here a thread of its own does it beside the committer, and the
 * committer only the last pages, which lets the WAL begin anew.
 */
#ifndef VES_SERVER_BACKFILL_H
#define VES_SERVER_BACKFILL_H

#include <pthread.h>
#include <stdatomic.h>

#include "port/store.h"
#include "server/log.h"

/* In pages of WAL (of 4 KiB). */
struct ves_backfill_limits {
    uint64_t want; /* worth copying: fewer, and pages that change often are
                      copied more often */
    uint64_t last; /* so few are left to the committer: some milliseconds */
    uint64_t max;  /* the committer copies all of them itself: commits come
                      faster than the disk takes them, and the file must not
                      grow without bound */
};
extern const struct ves_backfill_limits ves_backfill_limits;

struct ves_backfill {
    struct ves_log *log;
    struct ves_backfill_limits limits;
    struct ves_store *store; /* the thread's own connection */
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* is_wanted or is_stopping */
    bool is_wanted;
    bool is_stopping;
    atomic_uint_fast64_t pages; /* of the WAL after the last commit */
    atomic_bool is_last;        /* the rest is the committer's */
};

/* Watches writer and takes store over, also on failure.  Both log and writer
 * must outlive it.  VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_backfill_start(struct ves_backfill *backfill, struct ves_log *log,
                   const struct ves_backfill_limits *limits,
                   struct ves_store *writer, struct ves_store *store,
                   struct ves_error *error);

/* Nobody commits any more.  Nothing happens when it was not started. */
void ves_backfill_stop(struct ves_backfill *backfill);

#endif
