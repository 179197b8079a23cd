/* witnesses.h -- asking witnesses to cosign our heads (C2SP tlog-witness).
 *
 * Which ones: the `witness` lines with a URL of a policy (core/policy.h).
 * Each has a thread with a view of the store and a connection of its own, so
 * that one that is slow or down holds up nobody, and no event ever waits for
 * any: a head is asked about after it was signed and published.  Good lines go
 * the way of the stores' (server/cosignatures.h).
 *
 * A witness that knows a larger tree than ours, or another one, is an alarm:
 * this database may have been restored from a backup.  Its word alone freezes
 * nothing; a checkpoint that it can show, that our own key signed and our log
 * does not have, does.  Everything else becomes an alert.
 */
#ifndef VES_SERVER_WITNESSES_H
#define VES_SERVER_WITNESSES_H

#include "core/policy.h"
#include "port/store.h"
#include "ves/serve.h"

struct ves_server;
struct ves_witnesses;

enum {
    VES_WITNESSES_MAX = 16,           /* that are asked */
    VES_WITNESSES_PAUSE_MS = 1000,    /* between two rounds to one witness */
    VES_WITNESSES_TIMEOUT_MS = 10000, /* of one request */
    VES_WITNESSES_RETRY_MS = 2000,    /* after a failure; doubles */
    VES_WITNESSES_RETRY_MAX_MS = 600000,
    /* A head that does not grow is cosigned again that often, so that its
     * lines stay fresh. */
    VES_WITNESSES_REFRESH_MS = 3600000
};

/* Reads options->witness_policy and fills server->witnesses, which stays NULL
 * without one; open makes a read-only store for each witness.  Before the
 * committer runs.  VES_MALFORMED, VES_INVALID ... */
VES_NODISCARD enum ves_status
ves_witnesses_open(struct ves_server *server,
                   const struct ves_serve_options *options,
                   enum ves_status (*open)(void *ctx, struct ves_store **store,
                                           struct ves_error *error),
                   void *ctx, struct ves_error *error);
/* Starts the threads, while the committer runs. */
VES_NODISCARD enum ves_status ves_witnesses_run(struct ves_witnesses *witnesses,
                                                struct ves_error *error);
/* Ends what is under way, before the committer ends.  NULL allowed. */
void ves_witnesses_stop(struct ves_witnesses *witnesses);
/* After the committer has ended; NULL allowed. */
void ves_witnesses_free(struct ves_witnesses *witnesses);

/* Heads were signed.  From any thread; NULL allowed. */
void ves_witnesses_wake(struct ves_witnesses *witnesses);

/* Committer thread: is there an alarm, and acting on all there are. */
bool ves_witnesses_has_alarm(struct ves_witnesses *witnesses);
void ves_witnesses_settle(struct ves_witnesses *witnesses);

#endif
