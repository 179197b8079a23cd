/* changes.c -- has somebody else written own events into this store? */
#include <stdlib.h>

#include "agent/agent.h"
#include "store/sqlite_api.h"

static int keep_number(void *ctx, int count, char **values, char **names)
{
    uint64_t *out = ctx;

    (void)names;
    if (count == 1 && values[0])
        *out = strtoull(values[0], NULL, 10);
    return 0;
}

static enum ves_status keep_newest(void *ctx, const struct ves_outbox_row *row)
{
    uint64_t *out = ctx;

    *out = row->local_seq;
    return VES_OK;
}

bool ves_agent_changes(struct ves_agent *agent, struct ves_agent_seen *seen)
{
    const struct ves_outbox_filter newest = {.is_descending = true, .limit = 1};
    struct ves_store *store = agent->store;
    uint64_t version = seen->version, local_seq = seen->local_seq;

    /* What others commit, without reading a page. */
    if (sqlite3_exec(agent->connection, "PRAGMA main.data_version", keep_number,
                     &version, NULL) != SQLITE_OK ||
        version == seen->version)
        return false;
    if (store->ops->outbox_list(store, &newest, keep_newest, &local_seq))
        return false;
    bool is_more = local_seq > seen->local_seq;
    *seen = (struct ves_agent_seen){version, local_seq};
    return is_more;
}
