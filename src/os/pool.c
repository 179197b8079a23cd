/* pool.c -- worker threads for batches of signatures. */
#include "os/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/verifier.h"
#include "os/process.h"

/* Items taken at a time.  Eight verifications are 0.4 ms: long against a
 * lock, short against a batch. */
enum { PART = 8 };

/* One call, on its caller's stack.  All members but the first four are under
 * the pool's lock. */
struct job {
    void (*run)(void *ctx, size_t from, size_t to);
    void *ctx;
    size_t count;
    bool is_urgent;
    size_t taken; /* items handed out */
    size_t done;  /* items finished */
    struct job *next;
};

struct ves_pool {
    struct ves_verifier verifier; /* first: the verifier is the pool */
    const struct ves_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t has_work; /* jobs is not empty, or is_stopping */
    pthread_cond_t has_done; /* some job's last item was finished */
    struct job *jobs;        /* with items not yet taken: urgent, then old */
    bool is_stopping;
    unsigned worker_count;
    pthread_t workers[VES_POOL_THREADS_MAX - 1];
};

struct pool_signer {
    struct ves_signer signer; /* first: see ves_pool_signer_free */
    struct ves_pool *pool;
    struct ves_signer *inner;
};

/* ---- jobs; all under the lock ------------------------------------------- */

static void enqueue(struct ves_pool *pool, struct job *job)
{
    struct job **link = &pool->jobs;
    while (*link && (!job->is_urgent || (*link)->is_urgent))
        link = &(*link)->next;
    job->next = *link;
    *link = job;
}

static void dequeue(struct ves_pool *pool, struct job *job)
{
    struct job **link = &pool->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
}

/* Works on one part of a job that has items left; unlocks meanwhile. */
static void run_part(struct ves_pool *pool, struct job *job)
{
    size_t from = job->taken;
    size_t to = job->count - from > PART ? from + PART : job->count;
    job->taken = to;
    if (to == job->count)
        dequeue(pool, job);
    pthread_mutex_unlock(&pool->lock);

    job->run(job->ctx, from, to);

    pthread_mutex_lock(&pool->lock);
    job->done += to - from;
    /* The job may vanish with its caller from here on. */
    if (job->done == job->count)
        pthread_cond_broadcast(&pool->has_done);
}

static void *work(void *ctx)
{
    struct ves_pool *pool = ctx;
    ves_thread_name("ves-pool");
    /* Whoever asked works along, and may have others waiting for it. */
    ves_thread_give_way();
    pthread_mutex_lock(&pool->lock);
    while (!pool->is_stopping) {
        if (pool->jobs)
            run_part(pool, pool->jobs);
        else
            pthread_cond_wait(&pool->has_work, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Runs all items of a job, on this thread and the workers. */
static void run_batch(struct ves_pool *pool, struct job *job)
{
    if (pool->worker_count == 0 || job->count <= PART) {
        job->run(job->ctx, 0, job->count);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    enqueue(pool, job);
    pthread_cond_broadcast(&pool->has_work);
    while (job->taken < job->count)
        run_part(pool, job);
    while (job->done < job->count)
        pthread_cond_wait(&pool->has_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- verifying ---------------------------------------------------------- */

static void verify_part(void *ctx, size_t from, size_t to)
{
    struct ves_verify_item *items = ctx;
    ves_verify_each(NULL, items + from, to - from);
}

static void verify(struct ves_verifier *self, struct ves_verify_item *items,
                   size_t count)
{
    struct job job = {.run = verify_part, .ctx = items, .count = count};
    run_batch((struct ves_pool *)self, &job);
}

struct ves_verifier *ves_pool_verifier(struct ves_pool *pool)
{
    return &pool->verifier;
}

/* ---- signing ------------------------------------------------------------ */

struct sign_batch {
    struct ves_signer *inner;
    struct ves_sign_item *items;
};

static void sign_part(void *ctx, size_t from, size_t to)
{
    const struct sign_batch *batch = ctx;
    batch->inner->sign(batch->inner, batch->items + from, to - from);
}

static void sign(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count)
{
    struct pool_signer *signer = (struct pool_signer *)self;
    struct sign_batch batch = {signer->inner, items};
    /* Who signs holds a transaction open; who verifies has not begun one. */
    struct job job = {
        .run = sign_part, .ctx = &batch, .count = count, .is_urgent = true};
    run_batch(signer->pool, &job);
}

static void sign_text(struct ves_signer *self, struct ves_bytes text,
                      struct ves_sig *sig)
{
    struct ves_signer *inner = ((struct pool_signer *)self)->inner;
    inner->sign_text(inner, text, sig);
}

enum ves_status ves_pool_signer_new(struct ves_pool *pool,
                                    struct ves_signer *inner,
                                    struct ves_signer **out)
{
    struct pool_signer *signer =
        pool->alloc->realloc(pool->alloc->ctx, NULL, sizeof(*signer));
    if (!signer)
        return VES_NOMEM;
    signer->signer.public_key = inner->public_key;
    signer->signer.sign = sign;
    signer->signer.sign_text = sign_text;
    signer->pool = pool;
    signer->inner = inner;
    *out = &signer->signer;
    return VES_OK;
}

void ves_pool_signer_free(struct ves_signer *signer)
{
    struct pool_signer *self = (struct pool_signer *)signer;
    if (self)
        self->pool->alloc->realloc(self->pool->alloc->ctx, self, 0);
}

/* ---- life --------------------------------------------------------------- */

static unsigned count_processors(void)
{
    cpu_set_t set;
    /* It fails on machines with more processors than the set holds. */
    long count = sched_getaffinity(0, sizeof(set), &set)
                     ? sysconf(_SC_NPROCESSORS_ONLN)
                     : CPU_COUNT(&set);
    return count < 1                      ? 1
           : count > VES_POOL_THREADS_MAX ? VES_POOL_THREADS_MAX
                                          : (unsigned)count;
}

static void start_workers(struct ves_pool *pool, unsigned count)
{
    sigset_t all, before;
    /* Threads inherit the mask: signals go to threads that expect them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->worker_count < count &&
           pthread_create(&pool->workers[pool->worker_count], NULL, work,
                          pool) == 0)
        pool->worker_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum ves_status ves_pool_new(const struct ves_alloc *alloc, unsigned threads,
                             struct ves_pool **out, struct ves_error *error)
{
    VES_ASSERT(threads <= VES_POOL_THREADS_MAX);
    if (threads == 0)
        threads = count_processors();
    struct ves_pool *pool = alloc->realloc(alloc->ctx, NULL, sizeof(*pool));
    if (!pool)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(pool, 0, sizeof(*pool));
    pool->verifier.verify = verify;
    pool->alloc = alloc;
    /* On Linux none of these three can fail without attributes. */
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    pthread_cond_init(&pool->has_done, NULL);
    start_workers(pool, threads - 1);
    *out = pool;
    return VES_OK;
}

void ves_pool_free(struct ves_pool *pool)
{
    if (!pool)
        return;
    VES_ASSERT(!pool->jobs);
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->has_done);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->lock);
    pool->alloc->realloc(pool->alloc->ctx, pool, 0);
}

unsigned ves_pool_threads(const struct ves_pool *pool)
{
    return pool->worker_count + 1;
}
