/* refresh.h -- what other processes on the same database change and this one
 * keeps in memory: the API keys.
 *
 * A thread looks twice a second whether any was made or revoked, and reads
 * them anew.  An API key that is not known is looked for at once, so that one
 * that another process made is good from its first use; one that another
 * process revoked is taken for VES_REFRESH_MS longer at most, while the
 * database can be reached.  As often, whoever follows a stream here is told of
 * what others appended to it.
 */
#ifndef VES_SERVER_REFRESH_H
#define VES_SERVER_REFRESH_H

#include <pthread.h>

#include "base/buf.h"
#include "port/store.h"

enum { VES_REFRESH_MS = 500 };

struct ves_server;

struct ves_refresh {
    bool is_running;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
    struct ves_store *reader; /* its own, owned */
    struct ves_buf seen;      /* what the mark was when they were read */
};

/* reader is taken over, also on failure. */
VES_NODISCARD enum ves_status ves_refresh_start(struct ves_server *server,
                                                struct ves_store *reader,
                                                struct ves_error *error);
/* Safe on a zeroed struct. */
void ves_refresh_stop(struct ves_server *server);

/* Asks the database for an API key that is not in memory; is it there now? */
bool ves_refresh_find(struct ves_server *server,
                      const struct ves_hash *key_hash);

#endif
