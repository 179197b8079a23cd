/* checkpoints.c -- when heads are signed, and what becomes of them. */
#include "server/checkpoints.h"

#include <limits.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/random.h"
#include "server/server.h"
#include "store/store_sqlite.h"

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

/* false: the stream has to be tried again. */
static bool make_head(struct ves_server *server,
                      const struct ves_stream *stream, struct ves_arena *arena,
                      struct ves_log_head *head)
{
    struct ves_error error = {0};
    enum ves_status status =
        ves_log_head_make(&server->sequencer, server->checkpoints.reader,
                          stream, ves_clock_now_ms(), arena, head, &error);
    if (!status)
        return true;
    head->is_due = false;
    if (status == VES_CORRUPT) {
        freeze(server, stream, &error);
        return true;
    }
    log_failure(server, "checkpoint_failed", stream, status, error.text);
    return false;
}

/* The file first: what it has not, nobody may read. */
static enum ves_status keep(struct ves_server *server,
                            const struct ves_log_head *heads, size_t count)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_error error = {0};
    enum ves_status status = VES_OK;
    if (checkpoints->has_file)
        status = ves_head_file_write(&checkpoints->file, heads, count, &error);
    if (status) {
        log_failure(server, "head_file_failed", NULL, status, error.text);
        return status;
    }
    status = ves_log_head_keep(&server->sequencer, heads, count);
    if (status)
        log_failure(server, "checkpoint_failed", NULL, status,
                    server->sequencer.store->error.text);
    return status;
}

void ves_checkpoints_sign(struct ves_server *server)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_log_head heads[VES_CHECKPOINTS_STREAMS_MAX];
    struct ves_stream again[VES_CHECKPOINTS_STREAMS_MAX];
    struct ves_arena arena;
    size_t due = 0, left = 0;
    ves_arena_init(&arena, server->alloc, ARENA_MAX);
    checkpoints->signed_us = ves_metric_now_us();
    for (size_t i = 0; i < checkpoints->count; i++) {
        const struct ves_stream *stream = &checkpoints->streams[i];
        if (!make_head(server, stream, &arena, &heads[i]))
            again[left++] = *stream;
        due += heads[i].is_due;
    }
    /* When nothing could be kept, all of them are tried again. */
    if (due == 0 || keep(server, heads, checkpoints->count) == VES_OK) {
        memcpy(checkpoints->streams, again, left * sizeof(*again));
        checkpoints->count = left;
    }
    checkpoints->is_failing = checkpoints->count > 0;
    ves_metric_add(&server->metrics.checkpoints, due);
    ves_arena_free(&arena);
}

void ves_checkpoints_note(struct ves_server *server,
                          const struct ves_stream *stream)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    for (size_t i = 0; i < checkpoints->count; i++) {
        if (ves_stream_equal(&checkpoints->streams[i], stream))
            return;
    }
    if (checkpoints->count == VES_CHECKPOINTS_STREAMS_MAX)
        ves_checkpoints_sign(server);
    /* One that cannot be signed now is found when it grows again. */
    if (checkpoints->count < VES_CHECKPOINTS_STREAMS_MAX)
        checkpoints->streams[checkpoints->count++] = *stream;
}

unsigned ves_checkpoints_wait_ms(const struct ves_server *server)
{
    const struct ves_checkpoints *checkpoints = &server->checkpoints;
    if (checkpoints->count == 0)
        return UINT_MAX;
    unsigned pause =
        checkpoints->is_failing ? VES_CHECKPOINTS_RETRY_MS : VES_CHECKPOINTS_MS;
    uint64_t ms = (ves_metric_now_us() - checkpoints->signed_us) / 1000;
    return ms >= pause ? 0 : pause - (unsigned)ms;
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

static enum ves_status open_file(struct ves_server *server,
                                 const struct ves_serve_options *options,
                                 struct ves_error *error)
{
    struct ves_checkpoints *checkpoints = &server->checkpoints;
    struct ves_store *store = server->sequencer.store;
    struct ves_arena arena;
    struct ves_bytes value;
    uint64_t seed;
    enum ves_status status = ves_random(&seed, sizeof(seed), error);
    if (status)
        return status;
    ves_arena_init(&arena, server->alloc, 4096);
    status = store->ops->meta_get(store, META_HAS_FILE, &arena, &value);
    ves_arena_free(&arena);
    if (status && status != VES_NOT_FOUND)
        return ves_fail(error, status, "%s", store->error.text);
    bool had_one = status == VES_OK && !options->new_head_file;
    status = ves_head_file_open(options->head_file,
                                &server->identity.sequencer_id, !had_one,
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
    server->checkpoints = (struct ves_checkpoints){.reader = reader};
    enum ves_status status = VES_OK;
    if (options->head_file)
        status = open_file(server, options, error);
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
    ves_store_sqlite_close(server->checkpoints.reader);
    server->checkpoints = (struct ves_checkpoints){.reader = NULL};
}
