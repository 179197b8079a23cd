/* copier.c -- a thread that copies SQLite's WAL back beside its writer. */
#include "os/copier.h"

#include <signal.h>

#include "base/error.h"
#include "os/process.h"

enum {
    /* Each pass leaves what was committed during it, a fraction; should that
     * not get small, the writer is asked all the same. */
    PASSES_MAX = 8
};

static void copy_back(struct ves_copier *copier)
{
    const struct ves_copier_work *work = &copier->work;

    for (int pass = 0; pass < PASSES_MAX; pass++) {
        uint64_t pages, filled;
        enum ves_status status = work->copy(work->ctx, &pages, &filled);
        if (status == VES_BUSY)
            return; /* the writer is at it */
        if (status) {
            if (work->failed)
                work->failed(work->ctx);
            return;
        }
        if (filled < pages)
            return; /* a reader needs the rest: with the next commit */
        if (atomic_load(&copier->pages) <= pages + copier->limits.last)
            break;
    }
    atomic_store(&copier->is_last, true);
}

static void *run(void *ctx)
{
    struct ves_copier *copier = ctx;

    ves_thread_name("ves-copier");
    pthread_mutex_lock(&copier->lock);
    for (;;) {
        while (!copier->is_wanted && !copier->is_stopping)
            pthread_cond_wait(&copier->changed, &copier->lock);
        if (copier->is_stopping)
            break;
        copier->is_wanted = false;
        pthread_mutex_unlock(&copier->lock);
        copy_back(copier);
        pthread_mutex_lock(&copier->lock);
    }
    pthread_mutex_unlock(&copier->lock);
    return NULL;
}

void ves_copier_init(struct ves_copier *copier,
                     const struct ves_copier_limits *limits,
                     const struct ves_copier_work *work)
{
    copier->limits = *limits;
    copier->work = *work;
    pthread_mutex_init(&copier->lock, NULL);
    pthread_cond_init(&copier->changed, NULL);
}

enum ves_status ves_copier_start(struct ves_copier *copier,
                                 struct ves_error *error)
{
    sigset_t all, before;

    if (copier->is_running)
        return VES_OK;
    /* The program's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    copier->is_running =
        pthread_create(&copier->thread, NULL, run, copier) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return copier->is_running
               ? VES_OK
               : ves_fail(error, VES_NOMEM, "no more threads can be made");
}

bool ves_copier_watch(void *ctx, uint64_t pages)
{
    struct ves_copier *copier = ctx;

    atomic_store(&copier->pages, pages);
    if (atomic_exchange(&copier->is_last, false) || pages >= copier->limits.max)
        return true;
    if (pages < copier->limits.want)
        return false;
    if (ves_copier_start(copier, NULL))
        return true; /* as without us */
    pthread_mutex_lock(&copier->lock);
    copier->is_wanted = true;
    pthread_cond_signal(&copier->changed);
    pthread_mutex_unlock(&copier->lock);
    return false;
}

void ves_copier_stop(struct ves_copier *copier)
{
    if (!copier->work.copy)
        return;
    if (copier->is_running) {
        pthread_mutex_lock(&copier->lock);
        copier->is_stopping = true;
        pthread_cond_signal(&copier->changed);
        pthread_mutex_unlock(&copier->lock);
        pthread_join(copier->thread, NULL);
        copier->is_running = false;
    }
    pthread_cond_destroy(&copier->changed);
    pthread_mutex_destroy(&copier->lock);
    copier->work.copy = NULL;
}
