/* wal.h -- a store's WAL is copied back beside who writes to the store.
 *
 * For handles that opened the file themselves: a thread begins when there is
 * much to copy (os/copier.h), so a short command has none.  A connection of the
 * application's copies as the application has set it.
 */
#ifndef VES_AGENT_WAL_H
#define VES_AGENT_WAL_H

#include "os/copier.h"

struct ves_agent;
struct ves_store;

struct ves_agent_wal {
    struct ves_copier copier;
    struct ves_store *store; /* the thread's; NULL until it has copied */
};

/* agent's store is open and its path known. */
void ves_agent_wal_watch(struct ves_agent *agent);
/* Before the store is closed. */
void ves_agent_wal_close(struct ves_agent *agent);

#endif
