/* store_sqlite_wal.c -- copying the WAL back, beside the writer. */
#include "base/assert.h"
#include "store/store_sqlite.h"
#include "store/store_sqlite_internal.h"

/* A WAL that could not be copied back stays as it is; the next commit finds
 * it longer. */
static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct ves_sqlite *st = ctx;

    if (st->wal_watch(st->wal_ctx, pages > 0 ? (uint64_t)pages : 0))
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  NULL);
    return SQLITE_OK;
}

void ves_store_sqlite_watch_wal(struct ves_store *store,
                                bool (*watch)(void *ctx, uint64_t pages),
                                void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(store);

    VES_ASSERT(st->is_own && !st->is_read_only);
    st->wal_watch = watch;
    st->wal_ctx = ctx;
    sqlite3_wal_hook(st->db, on_commit, st);
}

enum ves_status ves_store_sqlite_backfill(struct ves_store *store,
                                          uint64_t *pages, uint64_t *filled)
{
    struct ves_sqlite *st = ves_sqlite_of(store);
    int in_wal = 0, copied = 0;

    VES_ASSERT(st->is_own && st->tx == VES_TX_NONE);
    int rc = sqlite3_wal_checkpoint_v2(
        st->db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied);
    *pages = in_wal > 0 ? (uint64_t)in_wal : 0;
    *filled = copied > 0 ? (uint64_t)copied : 0;
    return rc == SQLITE_OK ? VES_OK : ves_sql_fail(st, rc);
}
