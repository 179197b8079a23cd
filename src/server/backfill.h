/* backfill.h -- copies the sequencer's WAL back into its database file.
 *
 * On a thread of its own beside the committer (os/copier.h).
 */
#ifndef VES_SERVER_BACKFILL_H
#define VES_SERVER_BACKFILL_H

#include "os/copier.h"
#include "port/store.h"
#include "server/log.h"

extern const struct ves_copier_limits ves_backfill_limits;

struct ves_backfill {
    struct ves_copier copier;
    struct ves_log *log;
    struct ves_store *store; /* the thread's own connection */
};

/* Watches writer and takes store over, also on failure.  Both log and writer
 * must outlive it.  VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_backfill_start(struct ves_backfill *backfill, struct ves_log *log,
                   const struct ves_copier_limits *limits,
                   struct ves_store *writer, struct ves_store *store,
                   struct ves_error *error);

/* Nobody commits any more.  Nothing happens when it was not started. */
void ves_backfill_stop(struct ves_backfill *backfill);

#endif
