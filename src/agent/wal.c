/* wal.c -- a store's WAL is copied back beside who writes to the store. */
#include "agent/wal.h"

#include "agent/agent.h"
#include "store/store_sqlite.h"

enum { BUSY_TIMEOUT_MS = 10 * 1000 };

/* A till's disk is small: a WAL of 160 MB is enough. */
static const struct ves_copier_limits limits = {
    .want = 10000, .last = 600, .max = 40000};

/* What cannot be copied now is copied with a later commit, or by whoever
 * closes the file last; so nobody is told. */
static enum ves_status copy(void *ctx, uint64_t *pages, uint64_t *filled)
{
    struct ves_agent *agent = ctx;
    const struct ves_store_sqlite_options options = {.path = agent->path,
                                                     .role = VES_STORE_DEVICE,
                                                     .busy_timeout_ms =
                                                         BUSY_TIMEOUT_MS};

    if (!agent->wal.store) {
        enum ves_status status = ves_store_sqlite_open(&options, agent->alloc,
                                                       &agent->wal.store, NULL);
        if (status)
            return status;
    }
    return ves_store_sqlite_backfill(agent->wal.store, pages, filled);
}

void ves_agent_wal_watch(struct ves_agent *agent)
{
    const struct ves_copier_work work = {.ctx = agent, .copy = copy};

    if (agent->is_joined || agent->is_read_only)
        return;
    ves_copier_init(&agent->wal.copier, &limits, &work);
    ves_store_sqlite_watch_wal(agent->store, ves_copier_watch,
                               &agent->wal.copier);
}

void ves_agent_wal_close(struct ves_agent *agent)
{
    ves_copier_stop(&agent->wal.copier);
    ves_store_sqlite_close(agent->wal.store);
    agent->wal.store = NULL;
}
