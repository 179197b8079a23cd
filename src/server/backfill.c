/* backfill.c -- copies the sequencer's WAL back into its database file. */
#include "server/backfill.h"

#include "base/error.h"
#include "os/process.h"
#include "store/store_sqlite.h"

enum {
    /* Each pass leaves what was committed during it, a fraction; should that
     * not get small, the committer is asked all the same. */
    PASSES_MAX = 8
};

const struct ves_backfill_limits ves_backfill_limits = {
    .want = 10000, .last = 600, .max = 80000};

/* On the committer, after each of its commits. */
static bool watch(void *ctx, uint64_t pages)
{
    struct ves_backfill *backfill = ctx;

    atomic_store(&backfill->pages, pages);
    if (atomic_exchange(&backfill->is_last, false) ||
        pages >= backfill->limits.max)
        return true;
    if (pages < backfill->limits.want)
        return false;
    pthread_mutex_lock(&backfill->lock);
    backfill->is_wanted = true;
    pthread_cond_signal(&backfill->changed);
    pthread_mutex_unlock(&backfill->lock);
    return false;
}

static void copy_back(struct ves_backfill *backfill)
{
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        uint64_t pages, filled;
        enum ves_status status =
            ves_store_sqlite_backfill(backfill->store, &pages, &filled);
        if (status == VES_BUSY)
            return; /* the committer is at it */
        if (status) {
            ves_log_say(backfill->log, VES_LOG_ERROR, "backfill_failed",
                        backfill->store->error.text);
            return;
        }
        if (filled < pages)
            return; /* a reader needs the rest: with the next commit */
        if (atomic_load(&backfill->pages) <= pages + backfill->limits.last)
            break;
    }
    atomic_store(&backfill->is_last, true);
}

static void *work(void *ctx)
{
    struct ves_backfill *backfill = ctx;

    ves_thread_name("ves-backfill");
    pthread_mutex_lock(&backfill->lock);
    for (;;) {
        while (!backfill->is_wanted && !backfill->is_stopping)
            pthread_cond_wait(&backfill->changed, &backfill->lock);
        if (backfill->is_stopping)
            break;
        backfill->is_wanted = false;
        pthread_mutex_unlock(&backfill->lock);
        copy_back(backfill);
        pthread_mutex_lock(&backfill->lock);
    }
    pthread_mutex_unlock(&backfill->lock);
    return NULL;
}

enum ves_status ves_backfill_start(struct ves_backfill *backfill,
                                   struct ves_log *log,
                                   const struct ves_backfill_limits *limits,
                                   struct ves_store *writer,
                                   struct ves_store *store,
                                   struct ves_error *error)
{
    backfill->log = log;
    backfill->limits = *limits;
    backfill->store = store;
    pthread_mutex_init(&backfill->lock, NULL);
    pthread_cond_init(&backfill->changed, NULL);
    if (pthread_create(&backfill->thread, NULL, work, backfill)) {
        ves_store_sqlite_close(store);
        pthread_cond_destroy(&backfill->changed);
        pthread_mutex_destroy(&backfill->lock);
        return ves_fail(error, VES_NOMEM, "no more threads can be made");
    }
    backfill->is_running = true;
    ves_store_sqlite_watch_wal(writer, watch, backfill);
    return VES_OK;
}

void ves_backfill_stop(struct ves_backfill *backfill)
{
    if (!backfill->is_running)
        return;
    pthread_mutex_lock(&backfill->lock);
    backfill->is_stopping = true;
    pthread_cond_signal(&backfill->changed);
    pthread_mutex_unlock(&backfill->lock);
    pthread_join(backfill->thread, NULL);
    ves_store_sqlite_close(backfill->store);
    pthread_cond_destroy(&backfill->changed);
    pthread_mutex_destroy(&backfill->lock);
    backfill->is_running = false;
}
