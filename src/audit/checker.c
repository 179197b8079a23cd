/* checker.c -- batches of signatures, checked on all cores while the log is
 * read on.
 *
 * What was verified is remembered as one number and one digest over all keys,
 * hashes and signatures so far: a later run that comes to the same digest at
 * that number need not verify them again, and one that does not must.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/pool.h"

/* Every batch ends with cores that wait for the last one, so batches are large;
 * the first ones are small, to begin soon and to have something to resume. */
enum { BATCH = 8192, BATCH_FIRST = 1024, RESUME_MAX = 256, SAVE_MS = 1000 };

#define RESUME_HEAD "ves-audit-resume@v1\nitems "

/* How far a run has come. */
struct reached {
    uint64_t items;
    struct ves_hash digest;
};

/* What an item is of.  Items of one signature with several keys stand behind
 * each other; one that verifies is enough. */
struct origin {
    uint32_t stream_no;
    uint64_t sequence;
    enum ves_audit_id check;
    bool is_another_key;
};

struct batch {
    size_t count;
    struct reached reached; /* with all of it */
    struct ves_verify_item items[BATCH];
    struct origin origins[BATCH];
};

struct ves_audit_checker {
    struct ves_audit *audit;
    struct ves_pool *pool;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *filling;   /* the reader's */
    size_t room;             /* ... and how much goes into it */
    struct batch *full;      /* the thread's, or NULL */
    struct reached given;    /* the reader's */
    struct reached earlier;  /* by the run before; items 0: none */
    struct reached verified; /* the thread's: without a problem up to there */
    bool has_problem;
    int64_t saved_ms;
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
        checker->has_problem |= !is_valid;
        if (!is_valid && origin->check == VES_AUDIT_RECEIPTS)
            ves_audit_find_in(
                audit, origin->stream_no, origin->check, origin->sequence,
                "the receipt does not verify with the sequencer's "
                "key");
        else if (!is_valid && audit->options->tiles_dir)
            ves_audit_unknown(audit, origin->check,
                              "entry %llu is signed by no key that you gave",
                              (unsigned long long)origin->sequence);
        else if (!is_valid)
            ves_audit_find_in(audit, origin->stream_no, origin->check,
                              origin->sequence,
                              "the event is not signed by its agent's key");
    }
    pthread_mutex_lock(&audit->lock);
    audit->signatures += batch->count;
    pthread_mutex_unlock(&audit->lock);
}

/* ---- what is kept for a later run ---- */

static void read_earlier(struct ves_audit_checker *checker)
{
    const char *path = checker->audit->options->resume_path;
    struct reached *earlier = &checker->earlier;
    const size_t head = sizeof(RESUME_HEAD) - 1;
    struct ves_buf file;

    if (!path || checker->audit->ignores_resume)
        return;
    ves_buf_init(&file, checker->audit->alloc, RESUME_MAX);
    if (ves_file_read(path, &file, NULL) == VES_OK && file.len > head &&
        memcmp(file.ptr, RESUME_HEAD, head) == 0) {
        const uint8_t *at = file.ptr + head;
        size_t left = file.len - head;
        const uint8_t *end = memchr(at, '\n', left);
        size_t n = end ? (size_t)(end - at) : left;
        if (left != n + 1 + 2 * VES_HASH_SIZE + 1 ||
            ves_decimal_parse(ves_bytes(at, n), &earlier->items) ||
            ves_hex_decode(ves_bytes(end + 1, (size_t)2 * VES_HASH_SIZE),
                           earlier->digest.b, VES_HASH_SIZE))
            memset(earlier, 0, sizeof(*earlier));
    }
    ves_buf_free(&file);
}

/* A failure costs time at the next run and nothing else. */
static void save(struct ves_audit_checker *checker)
{
    const char *path = checker->audit->options->resume_path;
    const struct reached *verified = &checker->verified;
    struct ves_buf file;

    if (!path || verified->items <= checker->earlier.items)
        return;
    ves_buf_init(&file, checker->audit->alloc, RESUME_MAX);
    ves_buf_put_str(&file, RESUME_HEAD);
    ves_buf_put_decimal(&file, verified->items);
    ves_buf_put_u8(&file, '\n');
    ves_buf_put_hex(&file, verified->digest.b, VES_HASH_SIZE);
    ves_buf_put_u8(&file, '\n');
    if (!ves_buf_status(&file) &&
        ves_file_write(path, ves_buf_view(&file), VES_FILE_REPLACE, NULL) ==
            VES_OK)
        checker->saved_ms = ves_clock_monotonic_ms();
    ves_buf_free(&file);
}

static void advance(struct ves_audit_checker *checker,
                    const struct reached *reached)
{
    if (checker->has_problem)
        return;
    checker->verified = *reached;
    if (ves_clock_monotonic_ms() - checker->saved_ms >= SAVE_MS)
        save(checker);
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
        advance(checker, &batch->reached);
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
    checker->room = BATCH_FIRST;
    read_earlier(checker);
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
        checker->full->reached = checker->given;
        checker->filling = checker->full == &checker->batches[0]
                               ? &checker->batches[1]
                               : &checker->batches[0];
        checker->filling->count = 0;
        checker->room = 2 * checker->room < BATCH ? 2 * checker->room : BATCH;
        pthread_cond_broadcast(&checker->changed);
    }
    pthread_mutex_unlock(&checker->lock);
}

/* Takes the item into the digest; *was_verified: by the run before. */
static enum ves_status count_item(struct ves_audit_checker *checker,
                                  const struct ves_public_key *key,
                                  const struct ves_hash *hash,
                                  const struct ves_sig *sig, bool *was_verified)
{
    struct reached *given = &checker->given;
    const struct reached *earlier = &checker->earlier;

    if (!checker->audit->options->resume_path)
        return VES_OK;
    const struct ves_bytes parts[] = {ves_bytes(given->digest.b, VES_HASH_SIZE),
                                      ves_bytes(key->b, VES_KEY_SIZE),
                                      ves_bytes(hash->b, VES_HASH_SIZE),
                                      ves_bytes(sig->b, VES_SIG_SIZE)};
    ves_sha256(parts, 4, &given->digest);
    given->items++;
    *was_verified = given->items <= earlier->items;
    if (*was_verified)
        checker->audit->resumed++;
    if (given->items == earlier->items &&
        !ves_hash_equal(&given->digest, &earlier->digest))
        return VES_CONFLICT;
    return VES_OK;
}

enum ves_status
ves_audit_checker_add(struct ves_audit *audit, enum ves_audit_id check,
                      uint64_t sequence, const struct ves_public_key *keys,
                      size_t key_count, const struct ves_hash *hash,
                      const struct ves_sig *sig)
{
    struct ves_audit_checker *checker = audit->checker;

    bool was_verified = false;

    if (checker->filling->count + key_count > checker->room)
        hand_over(checker);
    struct batch *batch = checker->filling;
    for (size_t i = 0; i < key_count; i++) {
        enum ves_status status =
            count_item(checker, &keys[i], hash, sig, &was_verified);
        if (status)
            return status;
        if (was_verified)
            continue;
        batch->items[batch->count] = (struct ves_verify_item){
            .key = keys[i], .hash = *hash, .sig = *sig};
        batch->origins[batch->count++] =
            (struct origin){audit->walked, sequence, check, i > 0};
    }
    return VES_OK;
}

enum ves_status ves_audit_checker_flush(struct ves_audit *audit)
{
    struct ves_audit_checker *checker = audit->checker;

    hand_over(checker);
    pthread_mutex_lock(&checker->lock);
    while (checker->full)
        pthread_cond_wait(&checker->changed, &checker->lock);
    pthread_mutex_unlock(&checker->lock);
    save(checker);
    return checker->given.items < checker->earlier.items ? VES_CONFLICT
                                                         : VES_OK;
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
