/* pool.c -- worker threads for batches of signatures. */
#include "os/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/key_table.h"
#include "os/key_tables.h"
#include "os/process.h"

/* Items taken at a time.  Sixteen verifications are 0.1 ms with tables, 0.7
 * without: long against a lock, short against a batch, and what the tables do
 * together.  Somebody waits for the last of what is signed. */
enum { PART = VES_TABLE_BATCH, URGENT_PART = 4 };

/* One call, in its caller's memory.  All members but the first four are under
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
    struct ves_key_tables *tables;
    pthread_mutex_t lock;
    pthread_cond_t has_work; /* jobs is not empty, or is_stopping */
    pthread_cond_t has_done; /* some job's last item was finished */
    atomic_size_t urgent;    /* of jobs; read without the lock, too */
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
    if (job->is_urgent)
        atomic_fetch_add(&pool->urgent, 1);
}

static void dequeue(struct ves_pool *pool, struct job *job)
{
    struct job **link = &pool->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    if (job->is_urgent)
        atomic_fetch_sub(&pool->urgent, 1);
}

/* Works on one part of a job that has items left; unlocks meanwhile. */
static void run_part(struct ves_pool *pool, struct job *job)
{
    size_t from = job->taken;
    size_t part = job->is_urgent ? URGENT_PART : PART;
    size_t to = job->count - from > part ? from + part : job->count;
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

static void begin(struct ves_pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    enqueue(pool, job);
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
}

/* Works along on what is left of a job, and waits for what others have; what
 * is urgent goes first, whosever it is. */
static void end(struct ves_pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    while (job->taken < job->count)
        run_part(pool, pool->jobs->is_urgent ? pool->jobs : job);
    while (job->done < job->count)
        pthread_cond_wait(&pool->has_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

/* A thread that is running is there at once; a worker that is woken on a busy
 * machine waits for its turn, behind the one that it is to help. */
static void help_urgent(struct ves_pool *pool)
{
    if (atomic_load(&pool->urgent) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    while (pool->jobs && pool->jobs->is_urgent)
        run_part(pool, pool->jobs);
    pthread_mutex_unlock(&pool->lock);
}

/* Runs all items of a job, on this thread and the workers. */
static void run_batch(struct ves_pool *pool, struct job *job)
{
    help_urgent(pool);
    if (pool->worker_count == 0 || job->count <= PART) {
        job->run(job->ctx, 0, job->count);
        return;
    }
    begin(pool, job);
    end(pool, job);
}

/* ---- verifying ---------------------------------------------------------- */

struct verify_batch {
    struct ves_verify_item *items;
    struct ves_key_lease lease;
};

static void verify_part(void *ctx, size_t from, size_t to)
{
    const struct verify_batch *batch = ctx;
    ves_key_lease_verify(&batch->lease, batch->items + from, to - from);
}

static void verify(struct ves_verifier *self, struct ves_verify_item *items,
                   size_t count)
{
    struct ves_pool *pool = (struct ves_pool *)self;
    struct verify_batch batch;
    struct job job = {.run = verify_part, .ctx = &batch, .count = count};
    batch.items = items;
    ves_key_tables_take(pool->tables, items, count, &batch.lease);
    run_batch(pool, &job);
    ves_key_tables_give(&batch.lease);
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

/* Who signs holds a transaction open; who verifies has not begun one. */
static struct job sign_job(struct sign_batch *batch, size_t count)
{
    return (struct job){
        .run = sign_part, .ctx = batch, .count = count, .is_urgent = true};
}

static void sign(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count)
{
    struct pool_signer *signer = (struct pool_signer *)self;
    struct sign_batch batch = {signer->inner, items};
    struct job job = sign_job(&batch, count);
    run_batch(signer->pool, &job);
}

struct begun {
    struct job job;
    struct sign_batch batch;
};

static struct begun *begun_of(struct ves_signing *signing)
{
    _Static_assert(sizeof(struct begun) <= sizeof(signing->room), "room");
    return (struct begun *)signing->room;
}

static void sign_begin(struct ves_signer *self, struct ves_signing *signing)
{
    struct pool_signer *signer = (struct pool_signer *)self;
    struct begun *begun = begun_of(signing);
    begun->batch = (struct sign_batch){signer->inner, signing->items};
    begun->job = sign_job(&begun->batch, signing->count);
    if (signer->pool->worker_count > 0 && signing->count > 0)
        begin(signer->pool, &begun->job);
}

static void sign_end(struct ves_signer *self, struct ves_signing *signing)
{
    struct pool_signer *signer = (struct pool_signer *)self;
    struct job *job = &begun_of(signing)->job;
    if (signer->pool->worker_count > 0)
        end(signer->pool, job);
    else
        job->run(job->ctx, 0, job->count);
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
    signer->signer.begin = sign_begin;
    signer->signer.end = sign_end;
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
    enum ves_status status = ves_key_tables_new(alloc, &pool->tables, error);
    if (status) {
        alloc->realloc(alloc->ctx, pool, 0);
        return status;
    }
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
    ves_key_tables_free(pool->tables);
    pool->alloc->realloc(pool->alloc->ctx, pool, 0);
}

unsigned ves_pool_threads(const struct ves_pool *pool)
{
    return pool->worker_count + 1;
}
