/* checker.c -- batches of signatures, checked on all cores while the log is
 * read on. */
#include <string.h>

#include "audit/audit.h"
#include "base/error.h"
#include "os/pool.h"

enum { BATCH = 4096 };

/* What an item is of.  Items of one signature with several keys stand behind
 * each other; one that verifies is enough. */
struct origin {
    uint64_t sequence;
    enum ves_audit_id check;
    bool is_another_key;
};

struct batch {
    size_t count;
    struct ves_verify_item items[BATCH];
    struct origin origins[BATCH];
};

struct ves_audit_checker {
    struct ves_audit *audit;
    struct ves_pool *pool;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *filling; /* the reader's */
    struct batch *full;    /* the thread's, or NULL */
    bool is_stopping;
    struct batch batches[2];
};

static void look_at(struct ves_audit_checker *checker,
                    const struct batch *batch)
{
    struct ves_audit *audit = checker->audit;
    size_t i = 0;

    while (i < batch->count) {
        const struct origin *origin = &batch->origins[i];
        bool is_valid = batch->items[i++].is_valid;
        for (; i < batch->count && batch->origins[i].is_another_key; i++)
            is_valid |= batch->items[i].is_valid;
        if (!is_valid && origin->check == VES_AUDIT_RECEIPTS)
            ves_audit_find(audit, origin->check, origin->sequence,
                           "the receipt does not verify with the sequencer's "
                           "key");
        else if (!is_valid)
            ves_audit_find(audit, origin->check, origin->sequence,
                           "the event is not signed by its agent's key");
    }
    pthread_mutex_lock(&audit->lock);
    audit->signatures += batch->count;
    pthread_mutex_unlock(&audit->lock);
}

static void *run(void *ctx)
{
    struct ves_audit_checker *checker = ctx;
    struct ves_verifier *verifier = ves_pool_verifier(checker->pool);

    pthread_mutex_lock(&checker->lock);
    for (;;) {
        while (!checker->full && !checker->is_stopping)
            pthread_cond_wait(&checker->changed, &checker->lock);
        struct batch *batch = checker->full;
        if (!batch)
            break;
        pthread_mutex_unlock(&checker->lock);
        verifier->verify(verifier, batch->items, batch->count);
        look_at(checker, batch);
        pthread_mutex_lock(&checker->lock);
        checker->full = NULL;
        pthread_cond_broadcast(&checker->changed);
    }
    pthread_mutex_unlock(&checker->lock);
    return NULL;
}

enum ves_status ves_audit_checker_start(struct ves_audit *audit)
{
    const struct ves_alloc *alloc = audit->alloc;
    struct ves_audit_checker *checker =
        alloc->realloc(alloc->ctx, NULL, sizeof(*checker));

    if (!checker)
        return ves_fail(audit->error, VES_NOMEM, "out of memory");
    memset(checker, 0, sizeof(*checker));
    checker->audit = audit;
    checker->filling = &checker->batches[0];
    enum ves_status status = ves_pool_new(alloc, audit->options->threads,
                                          &checker->pool, audit->error);
    if (status) {
        alloc->realloc(alloc->ctx, checker, 0);
        return status;
    }
    pthread_mutex_init(&checker->lock, NULL);
    pthread_cond_init(&checker->changed, NULL);
    if (pthread_create(&checker->thread, NULL, run, checker)) {
        pthread_cond_destroy(&checker->changed);
        pthread_mutex_destroy(&checker->lock);
        ves_pool_free(checker->pool);
        alloc->realloc(alloc->ctx, checker, 0);
        return ves_fail(audit->error, VES_IO, "no thread can be started");
    }
    audit->checker = checker;
    return VES_OK;
}

/* Gives the batch that is filling to the thread. */
static void hand_over(struct ves_audit_checker *checker)
{
    pthread_mutex_lock(&checker->lock);
    while (checker->full)
        pthread_cond_wait(&checker->changed, &checker->lock);
    if (checker->filling->count > 0) {
        checker->full = checker->filling;
        checker->filling = checker->full == &checker->batches[0]
                               ? &checker->batches[1]
                               : &checker->batches[0];
        checker->filling->count = 0;
        pthread_cond_broadcast(&checker->changed);
    }
    pthread_mutex_unlock(&checker->lock);
}

enum ves_status
ves_audit_checker_add(struct ves_audit *audit, enum ves_audit_id check,
                      uint64_t sequence, const struct ves_public_key *keys,
                      size_t key_count, const struct ves_hash *hash,
                      const struct ves_sig *sig)
{
    struct ves_audit_checker *checker = audit->checker;

    if (checker->filling->count + key_count > BATCH)
        hand_over(checker);
    struct batch *batch = checker->filling;
    for (size_t i = 0; i < key_count; i++) {
        batch->items[batch->count] = (struct ves_verify_item){
            .key = keys[i], .hash = *hash, .sig = *sig};
        batch->origins[batch->count++] =
            (struct origin){sequence, check, i > 0};
    }
    return VES_OK;
}

void ves_audit_checker_flush(struct ves_audit *audit)
{
    struct ves_audit_checker *checker = audit->checker;

    hand_over(checker);
    pthread_mutex_lock(&checker->lock);
    while (checker->full)
        pthread_cond_wait(&checker->changed, &checker->lock);
    pthread_mutex_unlock(&checker->lock);
}

void ves_audit_checker_stop(struct ves_audit *audit)
{
    struct ves_audit_checker *checker = audit->checker;

    if (!checker)
        return;
    pthread_mutex_lock(&checker->lock);
    checker->is_stopping = true;
    pthread_cond_broadcast(&checker->changed);
    pthread_mutex_unlock(&checker->lock);
    pthread_join(checker->thread, NULL);
    pthread_cond_destroy(&checker->changed);
    pthread_mutex_destroy(&checker->lock);
    ves_pool_free(checker->pool);
    audit->alloc->realloc(audit->alloc->ctx, checker, 0);
    audit->checker = NULL;
}
