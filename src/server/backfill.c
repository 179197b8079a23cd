/* backfill.c -- copies the sequencer's WAL back into its database file. */
#include "server/backfill.h"

#include "store/store_sqlite.h"

const struct ves_copier_limits ves_backfill_limits = {
    .want = 10000, .last = 600, .max = 80000};

static enum ves_status copy(void *ctx, uint64_t *pages, uint64_t *filled)
{
    const struct ves_backfill *backfill = ctx;

    return ves_store_sqlite_backfill(backfill->store, pages, filled);
}

static void failed(void *ctx)
{
    const struct ves_backfill *backfill = ctx;

    ves_log_say(backfill->log, VES_LOG_ERROR, "backfill_failed",
                backfill->store->error.text);
}

enum ves_status ves_backfill_start(struct ves_backfill *backfill,
                                   struct ves_log *log,
                                   const struct ves_copier_limits *limits,
                                   struct ves_store *writer,
                                   struct ves_store *store,
                                   struct ves_error *error)
{
    const struct ves_copier_work work = {
        .ctx = backfill, .copy = copy, .failed = failed};

    backfill->log = log;
    backfill->store = store;
    ves_copier_init(&backfill->copier, limits, &work);
    enum ves_status status = ves_copier_start(&backfill->copier, error);
    if (status) {
        ves_backfill_stop(backfill);
        return status;
    }
    ves_store_sqlite_watch_wal(writer, ves_copier_watch, &backfill->copier);
    return VES_OK;
}

void ves_backfill_stop(struct ves_backfill *backfill)
{
    ves_copier_stop(&backfill->copier);
    ves_store_sqlite_close(backfill->store);
    backfill->store = NULL;
}
