/* checkpoints.c -- when heads are signed, and what becomes of them. */
#include "server/checkpoints.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/random.h"
#include "os/timed.h"
#include "server/server.h"
#include "server/storage.h"

#define META_HAS_FILE "log.head-file"

enum { ARENA_MAX = 16 * 1024 * 1024 };

/* ---- signing ------------------------------------------------------------- */

static void log_failure(struct ves_server *server, const char *event,
                        const struct ves_stream *stream, enum ves_status status,
                        const char *words)
{
    char store[VES_UUID_TEXT + 1] = "";
    if (stream)
        ves_uuid_format(&stream->store, store);
    const struct ves_log_field fields[] = {
        {"status", ves_status_name(status), 0},
        {"store", store, 0},
        {"message", words, 0}};
    ves_log_write(&server->log, VES_LOG_ERROR, event, fields, 3);
}

/* What the store gave back is not what was appended, or not what was signed:
 * the stream stops before anybody is told something false. */
static void freeze(struct ves_server *server, const struct ves_stream *stream,
                   const struct ves_error *why)
{
    enum ves_status status =
        ves_log_freeze(&server->sequencer, stream, ves_bytes_str(why->text),
                       ves_bytes_str(""), ves_clock_now_ms());
    log_failure(server, "log_frozen", stream, why->status, why->text);
    if (status)
        log_failure(server, "log_freeze_failed", stream, status,
                    server->sequencer.store->error.text);
}

/* What one round made.  On the stack of who makes it. */
struct ves_checkpoints_made {
    struct {
        struct ves_stream stream;
        struct ves_error error; /* VES_CORRUPT: it is to be frozen */
        bool is_failed;         /* to be tried again */
    } of[VES_CHECKPOINTS_STREAMS_MAX];
    struct ves_log_head heads[VES_CHECKPOINTS_STREAMS_MAX];
    size_t count;
    size_t due;          /* heads that were signed */
    bool is_in_the_file; /* or there is no file */
};

static void make_head(struct ves_server *server,
                      struct ves_checkpoints_made *made, size_t i,
                      struct ves_arena *arena)
{
    struct ves_error error = {0};
    enum ves_status status = ves_log_head_make(
        &server->sequencer, server->checkpoints.reader, &made->of[i].stream,
        ves_clock_now_ms(), arena, &made->heads[i], &error);
    made->of[i].is_failed = false;
    made->of[i].error = (struct ves_error){0};
    if (!status) {
        made->due += made->heads[i].is_due;
        return;
    }
    made->heads[i].is_due = false;
    if (status == VES_CORRUPT) {
        error.status = status;
        made->of[i].error = error;
        return;
    }
    made->of[i].is_failed = true;
    log_failure(server, "checkpoint_failed", &made->of[i].stream, status,
                error.text);
}

/* The file before the store: what it has not, nobody may read. */
static void make_heads(struct ves_server *server, struct ves_arena *arena,
                       struct ves_checkpoints_made *made)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_error error = {0};
    checkpoints->signed_us = ves_metric_now_us();
    made->due = 0;
    for (size_t i = 0; i < made->count; i++)
        make_head(server, made, i, arena);
    enum ves_status status = VES_OK;
    if (checkpoints->has_file && made->due > 0)
        status = ves_head_file_write(&checkpoints->file, made->heads,
                                     made->count, &error);
    if (status)
        log_failure(server, "head_file_failed", NULL, status, error.text);
    made->is_in_the_file = status == VES_OK;
}

static bool keep_heads(struct ves_server *server,
                       const struct ves_checkpoints_made *made)
{
    if (!made->is_in_the_file)
        return false;
    enum ves_status status =
        ves_log_head_keep(&server->sequencer, made->heads, made->count);
    /* Another process on the same database signed meanwhile: the next round
     * sees what is left to sign. */
    if (status && status != VES_CONFLICT)
        log_failure(server, "checkpoint_failed", NULL, status,
                    server->sequencer.store->error.text);
    return status == VES_OK;
}

/* On the store's one writer.  When nothing could be kept, all of them are to
 * be tried again. */
static void keep_made(struct ves_server *server,
                      struct ves_checkpoints_made *made)
{
    for (size_t i = 0; i < made->count; i++) {
        if (made->of[i].error.status)
            freeze(server, &made->of[i].stream, &made->of[i].error);
    }
    if (made->due == 0)
        return;
    bool is_kept = keep_heads(server, made);
    for (size_t i = 0; i < made->count && !is_kept; i++)
        made->of[i].is_failed = true;
    ves_metric_add(&server->metrics.checkpoints, made->due);
}

/* ---- what is to be signed ------------------------------------------------ */

static void add(struct ves_checkpoints *checkpoints,
                const struct ves_stream *stream)
{
    for (size_t i = 0; i < checkpoints->count; i++) {
        if (ves_stream_equal(&checkpoints->streams[i], stream))
            return;
    }
    /* One for which there is no room is found when it grows again. */
    if (checkpoints->count < VES_CHECKPOINTS_STREAMS_MAX)
        checkpoints->streams[checkpoints->count++] = *stream;
}

static void take_noted(struct ves_checkpoints *checkpoints,
                       struct ves_checkpoints_made *made)
{
    made->count = checkpoints->count;
    for (size_t i = 0; i < made->count; i++)
        made->of[i].stream = checkpoints->streams[i];
    checkpoints->count = 0;
}

static void note_failed(struct ves_checkpoints *checkpoints,
                        const struct ves_checkpoints_made *made)
{
    checkpoints->pause_ms = checkpoints->interval_ms;
    for (size_t i = 0; i < made->count; i++) {
        if (!made->of[i].is_failed)
            continue;
        add(checkpoints, &made->of[i].stream);
        checkpoints->pause_ms = VES_CHECKPOINTS_RETRY_MS;
    }
}

static unsigned wait_ms(const struct ves_checkpoints *checkpoints)
{
    uint64_t ms = (ves_metric_now_us() - checkpoints->signed_us) / 1000;
    return ms >= checkpoints->pause_ms ? 0
                                       : checkpoints->pause_ms - (unsigned)ms;
}

/* ---- without a maker ----------------------------------------------------- */

void ves_checkpoints_sign(struct ves_server *server)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_checkpoints_made made;
    struct ves_arena arena;
    VES_ASSERT(!checkpoints->is_running);
    ves_arena_init(&arena, server->alloc, ARENA_MAX);
    take_noted(checkpoints, &made);
    make_heads(server, &arena, &made);
    keep_made(server, &made);
    note_failed(checkpoints, &made);
    ves_arena_free(&arena);
}

/* ---- the maker ----------------------------------------------------------- */

/* Until there is something to sign and it is time, or no more room to note
 * what comes.  false: the end.  Under the lock. */
static bool wait_for_work(struct ves_checkpoints *checkpoints)
{
    unsigned ms;
    while (!checkpoints->is_stopping && checkpoints->count == 0)
        pthread_cond_wait(&checkpoints->changed, &checkpoints->lock);
    while (!checkpoints->is_stopping &&
           checkpoints->count < VES_CHECKPOINTS_STREAMS_MAX &&
           (ms = wait_ms(checkpoints)) > 0) {
        struct timespec at = ves_timed_after(ms);
        (void)pthread_cond_timedwait(&checkpoints->changed, &checkpoints->lock,
                                     &at);
    }
    return !checkpoints->is_stopping;
}

static void *make_all(void *ctx)
{
    struct ves_server *server = ctx;
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_checkpoints_made made;
    struct ves_arena arena;
    ves_thread_name("ves-heads");
    ves_arena_init(&arena, server->alloc, ARENA_MAX);
    pthread_mutex_lock(&checkpoints->lock);
    while (wait_for_work(checkpoints)) {
        take_noted(checkpoints, &made);
        pthread_cond_broadcast(&checkpoints->changed); /* there is room */
        pthread_mutex_unlock(&checkpoints->lock);
        make_heads(server, &arena, &made);
        pthread_mutex_lock(&checkpoints->lock);
        checkpoints->made = &made;
        pthread_cond_broadcast(&checkpoints->changed);
        pthread_mutex_unlock(&checkpoints->lock);
        ves_pipeline_poke(server);
        pthread_mutex_lock(&checkpoints->lock);
        while (checkpoints->made)
            pthread_cond_wait(&checkpoints->changed, &checkpoints->lock);
        note_failed(checkpoints, &made);
        ves_arena_reset(&arena);
    }
    checkpoints->has_ended = true;
    pthread_cond_broadcast(&checkpoints->changed);
    pthread_mutex_unlock(&checkpoints->lock);
    ves_arena_free(&arena);
    return NULL;
}

/* Under the lock, which is let go meanwhile. */
static void keep_if_made(struct ves_server *server)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_checkpoints_made *made = checkpoints->made;
    if (!made)
        return;
    pthread_mutex_unlock(&checkpoints->lock);
    keep_made(server, made);
    pthread_mutex_lock(&checkpoints->lock);
    checkpoints->made = NULL;
    pthread_cond_broadcast(&checkpoints->changed);
}

bool ves_checkpoints_keep(struct ves_server *server)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    pthread_mutex_lock(&checkpoints->lock);
    bool is_made = checkpoints->made;
    keep_if_made(server);
    pthread_mutex_unlock(&checkpoints->lock);
    return is_made;
}

void ves_checkpoints_note(struct ves_server *server,
                          const struct ves_stream *stream)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    if (!checkpoints->is_running) {
        if (checkpoints->count == VES_CHECKPOINTS_STREAMS_MAX)
            ves_checkpoints_sign(server);
        add(checkpoints, stream);
        return;
    }
    pthread_mutex_lock(&checkpoints->lock);
    /* The maker cannot go on before what it made is kept. */
    while (checkpoints->count == VES_CHECKPOINTS_STREAMS_MAX) {
        pthread_cond_broadcast(&checkpoints->changed);
        if (checkpoints->made)
            keep_if_made(server);
        else
            pthread_cond_wait(&checkpoints->changed, &checkpoints->lock);
    }
    if (checkpoints->count == 0)
        pthread_cond_broadcast(&checkpoints->changed);
    add(checkpoints, stream);
    pthread_mutex_unlock(&checkpoints->lock);
}

void ves_checkpoints_finish(struct ves_server *server)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    if (!checkpoints->is_running)
        return;
    pthread_mutex_lock(&checkpoints->lock);
    checkpoints->is_stopping = true;
    pthread_cond_broadcast(&checkpoints->changed);
    while (!checkpoints->has_ended) {
        if (checkpoints->made)
            keep_if_made(server);
        else
            pthread_cond_wait(&checkpoints->changed, &checkpoints->lock);
    }
    pthread_mutex_unlock(&checkpoints->lock);
    pthread_join(checkpoints->maker, NULL);
    pthread_cond_destroy(&checkpoints->changed);
    pthread_mutex_destroy(&checkpoints->lock);
    checkpoints->is_running = false;
    ves_checkpoints_sign(server);
}

enum ves_status ves_checkpoints_run(struct ves_server *server,
                                    struct ves_error *error)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    pthread_mutex_init(&checkpoints->lock, NULL);
    ves_timed_cond_init(&checkpoints->changed);
    if (pthread_create(&checkpoints->maker, NULL, make_all, server)) {
        pthread_cond_destroy(&checkpoints->changed);
        pthread_mutex_destroy(&checkpoints->lock);
        return ves_fail(error, VES_NOMEM, "no more threads can be made");
    }
    checkpoints->is_running = true;
    return VES_OK;
}

/* ---- starting ------------------------------------------------------------ */

struct comparison {
    struct ves_server *server;
    struct ves_error *error;
    enum ves_status status;
};

/* Is the store as far as a head that was signed, and the same up to there? */
static bool compare_head(void *ctx, const struct ves_hash *stream_id,
                         uint64_t size, const struct ves_hash *root)
{
    struct comparison *c = ctx;
    struct ves_store *store = c->server->sequencer.store;
    struct ves_checkpoint head = {.size = size, .root = *root};
    enum ves_log_claim claim = VES_LOG_CONTRADICTS;
    struct ves_stream_row stream = {.head = 0};
    char id[2 * VES_HASH_SIZE + 1];
    c->status = store->ops->tlog_find(store, stream_id, &stream);
    if (c->status == VES_NOT_FOUND)
        c->status = VES_OK;
    else if (!c->status)
        c->status = ves_log_claim_compare(store, &stream, &head, &claim);
    if (c->status) {
        (void)ves_fail(c->error, c->status,
                       "the log cannot be compared with the head file: %s",
                       store->error.text);
        return false;
    }
    if (claim == VES_LOG_AGREES)
        return true;
    ves_hex_encode(stream_id->b, VES_HASH_SIZE, id);
    id[2 * VES_HASH_SIZE] = 0;
    c->status = ves_fail(
        c->error, VES_CORRUPT,
        "this database is %s a head it signed: stream %s has %llu events here "
        "and %llu in the head file %s. It was restored from a backup, and "
        "going on would make a second history. Nothing was changed: bring the "
        "newest database back, or rebuild what is missing from stores with "
        "ves admin recover",
        stream.head < size ? "behind" : "not the one that made", id,
        (unsigned long long)stream.head, (unsigned long long)size,
        c->server->checkpoints.file.path);
    return false;
}

static enum ves_status remember_file(struct ves_store *store)
{
    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    status = store->ops->meta_put(store, META_HAS_FILE, ves_bytes_str("1"));
    if (!status)
        status = store->ops->commit(store);
    if (status)
        store->ops->rollback(store);
    return status;
}

static enum ves_status had_file(struct ves_server *server, bool *had,
                                struct ves_error *error)
{
    struct ves_store *store = server->sequencer.store;
    struct ves_arena arena;
    struct ves_bytes value;
    ves_arena_init(&arena, server->alloc, 4096);
    enum ves_status status =
        store->ops->meta_get(store, META_HAS_FILE, &arena, &value);
    ves_arena_free(&arena);
    *had = status == VES_OK;
    return status && status != VES_NOT_FOUND
               ? ves_fail(error, status, "%s", store->error.text)
               : VES_OK;
}

/* Without the file a restored database would go on from where it was.  One
 * that is shared is not restored by the start of one process. */
static enum ves_status miss_file(struct ves_server *server,
                                 const struct ves_serve_options *options,
                                 struct ves_error *error)
{
    bool had;
    enum ves_status status = had_file(server, &had, error);
    if (status || !had || ves_storage_is_shared(options))
        return status;
    return ves_fail(error, VES_INVALID,
                    "this database has a file for its signed heads, by which "
                    "a restored copy is noticed: name it (--head-file), or "
                    "another one (--new-head-file, too); nothing was served");
}

static enum ves_status open_file(struct ves_server *server,
                                 const struct ves_serve_options *options,
                                 struct ves_error *error)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_store *store = server->sequencer.store;
    bool had_one = false;
    uint64_t seed;
    enum ves_status status = ves_random(&seed, sizeof(seed), error);
    if (!status)
        status = had_file(server, &had_one, error);
    if (status)
        return status;
    bool can_create = !had_one || options->new_head_file;
    status = ves_head_file_open(options->head_file,
                                &server->identity.sequencer_id, can_create,
                                server->alloc, seed, &checkpoints->file, error);
    if (status)
        return status;
    checkpoints->has_file = true;
    status = remember_file(store);
    return status ? ves_fail(error, status, "%s", store->error.text) : VES_OK;
}

static enum ves_status note_stream(void *ctx, const struct ves_stream_row *row)
{
    ves_checkpoints_note(ctx, &row->stream);
    return VES_OK;
}

enum ves_status ves_checkpoints_start(struct ves_server *server,
                                      const struct ves_serve_options *options,
                                      struct ves_store *reader,
                                      struct ves_error *error)
{
    server->checkpoints = (struct ves_checkpoints){
        .reader = reader, .interval_ms = VES_CHECKPOINTS_MS};
    enum ves_status status = options->head_file
                                 ? open_file(server, options, error)
                                 : miss_file(server, options, error);
    if (!status && server->checkpoints.has_file) {
        struct comparison c = {server, error, VES_OK};
        ves_head_file_each(&server->checkpoints.file, compare_head, &c);
        status = c.status;
    }
    if (status)
        return status;
    /* What was committed and not signed when the last process ended; and all
     * heads once more after the key was rotated. */
    status = reader->ops->stream_list(reader, note_stream, server);
    if (status)
        return ves_fail(error, status, "%s", reader->error.text);
    ves_checkpoints_sign(server);
    return VES_OK;
}

void ves_checkpoints_stop(struct ves_server *server)
{
    if (server->checkpoints.has_file)
        ves_head_file_close(&server->checkpoints.file);
    ves_storage_close(server->checkpoints.reader);
    server->checkpoints = (struct ves_checkpoints){.reader = NULL};
}
