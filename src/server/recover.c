/* recover.c -- a sequencer's database made whole again from what stores hold;
 * nobody serves it meanwhile.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "engine/log_epoch.h"
#include "engine/log_recover.h"
#include "engine/log_tree.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"
#include "pg/store_pg.h"
#include "server/head_file.h"
#include "server/identity.h"
#include "server/storage.h"
#include "server/trail.h"
#include "store/store_sqlite.h"
#include "ves/serve.h"

enum { BUSY_TIMEOUT_MS = 5000, ARENA_MAX = 16 * 1024 * 1024, PATH_SIZE = 4096 };

struct recover {
    const struct ves_alloc *alloc;
    const struct ves_serve_options *options;
    struct ves_error *error;
    int lock_fd;
    struct ves_identity identity;
    struct ves_sequencer sequencer;
    struct ves_head_file heads;
    bool has_heads;
    struct ves_store *stores[VES_RECOVER_STORES_MAX];
    size_t store_count;
    struct ves_arena names; /* what lives as long as this */
    struct ves_arena arena;
    struct ves_recovered *out;
    enum ves_status status; /* of the heads looked at so far */
    uint64_t lost;          /* events that no store has, of all heads */
    bool gives_up;          /* ... and that is decided */
};

static enum ves_status store_failed(struct recover *r, enum ves_status status)
{
    return ves_fail(r->error, status, "the database failed: %s",
                    r->sequencer.store->error.text);
}

/* ---- opening ------------------------------------------------------------- */

static enum ves_status lock(struct recover *r)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s.lock", r->options->db);
    if (n < 0 || (size_t)n >= sizeof(path))
        return ves_fail(r->error, VES_INVALID,
                        "the database's path is too long");
    enum ves_status status = ves_file_lock(path, &r->lock_fd, r->error);
    return status == VES_BUSY ? ves_fail(r->error, status,
                                         "a sequencer serves %s; stop it first",
                                         r->options->db)
                              : status;
}

/* Of a database any number of processes may be at work. */
static enum ves_status check_alone(struct recover *r)
{
    struct ves_store *store = r->sequencer.store;
    uint64_t others;
    enum ves_status status = ves_store_pg_others(store, &others);
    if (status)
        return store_failed(r, status);
    return others == 0
               ? VES_OK
               : ves_fail(r->error, VES_BUSY,
                          "%llu other connections of ves are open to the "
                          "database; stop every sequencer that serves it first",
                          (unsigned long long)others);
}

static enum ves_status open_sequencer(struct recover *r)
{
    enum ves_status status = ves_storage_open(
        r->options, VES_STORAGE_WRITE, r->alloc, &r->sequencer.store, r->error);
    if (!status && ves_storage_is_shared(r->options))
        status = check_alone(r);
    if (!status)
        status =
            ves_identity_open(r->sequencer.store, r->alloc, r->options, NULL,
                              ves_clock_now_ms(), &r->identity, r->error);
    if (status)
        return status;
    r->sequencer.alloc = r->alloc;
    r->sequencer.sequencer_id = r->identity.sequencer_id;
    r->sequencer.key_version = ves_identity_current(&r->identity)->version;
    r->sequencer.signer = r->identity.signer;
    status =
        r->sequencer.store->ops->meta_get(r->sequencer.store, VES_META_LOG_HOST,
                                          &r->names, &r->sequencer.log_host);
    if (status == VES_NOT_FOUND)
        status = VES_OK;
    if (!status)
        status = ves_log_tree_plant(&r->sequencer);
    return status ? store_failed(r, status) : VES_OK;
}

static enum ves_status open_stores(struct recover *r, const char *const *paths,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ves_store_sqlite_options options = {
            .path = paths[i],
            .is_read_only = true,
            .role = VES_STORE_DEVICE,
            .busy_timeout_ms = BUSY_TIMEOUT_MS};
        enum ves_status status =
            ves_store_sqlite_open(&options, r->alloc, &r->stores[i], r->error);
        if (status)
            return status;
        r->store_count = i + 1;
    }
    return VES_OK;
}

static enum ves_status open_heads(struct recover *r)
{
    if (!r->options->head_file)
        return VES_OK;
    enum ves_status status =
        ves_head_file_open(r->options->head_file, &r->identity.sequencer_id,
                           false, r->alloc, 0, &r->heads, r->error);
    r->has_heads = status == VES_OK;
    return status;
}

/* ---- one head ------------------------------------------------------------ */

static bool find_key(void *ctx, uint32_t version, struct ves_public_key *out)
{
    const struct ves_identity *identity = ctx;
    for (size_t i = 0; i < identity->key_count; i++) {
        if (identity->keys[i].version != version)
            continue;
        *out = identity->keys[i].public_key;
        return true;
    }
    return false;
}

/* Is the log as far as the head, and the same? */
static enum ves_status is_there(struct recover *r,
                                const struct ves_log_recovery *what,
                                bool *is_frozen, bool *out)
{
    struct ves_store *store = r->sequencer.store;
    struct ves_checkpoint head = {.size = what->size, .root = what->root};
    enum ves_log_claim claim = VES_LOG_CONTRADICTS;
    struct ves_stream_row stream;
    struct ves_tlog_row log;
    *is_frozen = false;
    enum ves_status status =
        store->ops->tlog_find(store, &what->stream_id, &stream);
    if (!status)
        status = ves_log_claim_compare(store, &stream, &head, &claim);
    if (!status)
        status = store->ops->tlog_get(store, stream.stream_no, &r->arena, &log);
    if (!status)
        *is_frozen = log.frozen_at_ms != 0;
    *out = claim == VES_LOG_AGREES;
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* Was it given up before? */
static enum ves_status is_given_up(struct recover *r,
                                   const struct ves_log_recovery *what,
                                   struct ves_stream_row *stream, bool *out)
{
    struct ves_store *store = r->sequencer.store;
    struct ves_log_epoch epoch;
    *out = false;
    enum ves_status status =
        store->ops->tlog_find(store, &what->stream_id, stream);
    if (!status)
        status = ves_log_epoch_find(store, stream->stream_no,
                                    &r->sequencer.sequencer_id, what->size,
                                    &what->root, &r->arena, out, &epoch);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* The log first, then the file: until the file has the new head, the server
 * does not start, and this is done again. */
static enum ves_status open_epoch(struct recover *r,
                                  const struct ves_log_recovery *what,
                                  const struct ves_stream_row *stream)
{
    const char *reason = r->options->epoch_reason;
    const struct ves_log_giving_up giving_up = {
        .stream = stream->stream,
        .size = what->size,
        .root = what->root,
        .reason = ves_bytes_str(reason ? reason : "")};
    struct ves_uuid batch_id;
    struct ves_log_head head;
    if (r->sequencer.log_host.len == 0)
        return ves_fail(r->error, VES_UNSUPPORTED,
                        "this database's logs have no name yet, so that no "
                        "head of them was signed under one");
    enum ves_status status = ves_sequencer_upgrade(&r->sequencer);
    if (status)
        return store_failed(r, status);
    status = ves_random(batch_id.b, sizeof(batch_id.b), r->error);
    if (!status)
        status =
            ves_log_epoch_open(&r->sequencer, &giving_up, &batch_id,
                               ves_clock_now_ms(), &r->arena, &head, r->error);
    if (!status && r->has_heads)
        status = ves_head_file_write(&r->heads, &head, 1, r->error);
    if (!status && head.is_due) {
        status = ves_log_head_keep(&r->sequencer, &head, 1);
        status = status ? store_failed(r, status) : VES_OK;
    }
    r->out->epochs += !status;
    return status;
}

static enum ves_status give_up(struct recover *r,
                               const struct ves_log_recovery *what)
{
    struct ves_stream_row stream;
    enum ves_status status = r->sequencer.store->ops->tlog_find(
        r->sequencer.store, &what->stream_id, &stream);
    return status ? store_failed(r, status) : open_epoch(r, what, &stream);
}

static enum ves_status recover_head(struct recover *r,
                                    const struct ves_hash *stream_id,
                                    uint64_t epoch, uint64_t size,
                                    const struct ves_hash *root)
{
    uint64_t events = 0, lost = 0;
    const struct ves_log_recovery what = {.stream_id = *stream_id,
                                          .epoch = epoch,
                                          .size = size,
                                          .root = *root,
                                          .stores = r->stores,
                                          .store_count = r->store_count,
                                          .keys = {find_key, &r->identity},
                                          .takes_more = true,
                                          .lost = &lost,
                                          .gives_up = r->gives_up};
    struct ves_stream_row stream;
    bool is_known, is_frozen, is_done = false;
    enum ves_status status = is_there(r, &what, &is_frozen, &is_known);
    if (!status && !is_known)
        status = is_given_up(r, &what, &stream, &is_done);
    if (status)
        return store_failed(r, status);
    if (is_done)
        return open_epoch(r, &what, &stream);
    status = ves_log_recover(&r->sequencer, &what, &events, r->error);
    if (status == VES_NOT_FOUND && lost > 0 && r->options->new_epoch) {
        r->lost += lost; /* decided when all of it is known */
        return VES_OK;
    }
    if (status)
        return status;
    r->out->streams += !is_known || is_frozen || events > 0;
    r->out->events += events;
    r->out->given_up += lost;
    return lost > 0 ? give_up(r, &what) : VES_OK;
}

static bool recover_listed(void *ctx, const struct ves_hash *stream_id,
                           uint64_t size, const struct ves_hash *root)
{
    struct recover *r = ctx;
    r->status = recover_head(
        r, stream_id, ves_head_file_epoch(&r->heads, stream_id), size, root);
    return r->status == VES_OK;
}

/* ---- what a stream was frozen for ---------------------------------------- */

struct frozen {
    struct recover *r;
    struct ves_bytes origin; /* the log's, now */
    struct ves_hash stream_id, root;
    uint64_t size; /* of the largest head kept as evidence; 0: none */
};

static enum ves_status take_alert(void *ctx, const struct ves_record *row)
{
    struct frozen *frozen = ctx;
    struct ves_checkpoint head;
    struct ves_hash stream_id;
    struct ves_note *note = ves_arena_alloc(&frozen->r->arena, sizeof(*note));
    if (!note)
        return VES_NOMEM;
    if (!ves_bytes_is(row->code, "log_frozen") ||
        ves_note_read(row->body, note, NULL) ||
        ves_checkpoint_read(note->text, &head, NULL) ||
        !ves_origin_stream(head.origin, &stream_id) ||
        !ves_hash_equal(&stream_id, &frozen->stream_id) ||
        !ves_bytes_equal(head.origin, frozen->origin) ||
        head.size <= frozen->size)
        return VES_OK;
    frozen->size = head.size;
    frozen->root = head.root;
    return VES_OK;
}

struct stream_list {
    struct recover *r;
    uint32_t numbers[4096];
    struct ves_hash ids[4096];
    size_t count;
};

static enum ves_status take_frozen(void *ctx, const struct ves_stream_row *row)
{
    struct stream_list *list = ctx;
    struct ves_store *store = list->r->sequencer.store;
    struct ves_tlog_row log;
    enum ves_status status =
        store->ops->tlog_get(store, row->stream_no, &list->r->arena, &log);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    if (!log.frozen_at_ms ||
        list->count == sizeof(list->numbers) / sizeof(list->numbers[0]))
        return VES_OK;
    list->numbers[list->count] = row->stream_no;
    list->ids[list->count++] = log.stream_id;
    return VES_OK;
}

static enum ves_status read_origin(struct recover *r, uint32_t stream_no,
                                   struct frozen *frozen)
{
    struct ves_scratch name;
    ves_scratch_init(&name, &r->arena, VES_ORIGIN_MAX, VES_ORIGIN_MAX);
    enum ves_status status =
        ves_log_origin_write(&name.buf, &r->sequencer, r->sequencer.store,
                             stream_no, &frozen->stream_id);
    frozen->origin = ves_buf_view(&name.buf);
    return status;
}

static enum ves_status recover_frozen(struct recover *r)
{
    struct ves_store *store = r->sequencer.store;
    struct stream_list *list = ves_arena_alloc(&r->arena, sizeof(*list));
    if (!list)
        return ves_fail(r->error, VES_NOMEM, "out of memory");
    list->r = r;
    enum ves_status status = store->ops->stream_list(store, take_frozen, list);
    if (status)
        return store_failed(r, status);
    for (size_t i = 0; i < list->count; i++) {
        struct frozen frozen = {.r = r, .stream_id = list->ids[i]};
        status = read_origin(r, list->numbers[i], &frozen);
        if (!status)
            status = store->ops->record_list(store, VES_RECORD_ALERT,
                                             list->numbers[i], 0, false, 0,
                                             take_alert, &frozen);
        if (status)
            return store_failed(r, status);
        if (frozen.size == 0)
            return ves_fail(r->error, VES_UNSUPPORTED,
                            "a stream is frozen because its own rows do not "
                            "fit its tree; stores cannot help there: restore "
                            "a backup of the database first");
        struct ves_bytes host;
        status = recover_head(r, &frozen.stream_id,
                              ves_epoch_of_origin(frozen.origin, &host),
                              frozen.size, &frozen.root);
        if (status)
            return status;
    }
    return VES_OK;
}

/* ---- all of it ----------------------------------------------------------- */

static enum ves_status recover_all(struct recover *r)
{
    r->status = VES_OK;
    if (r->has_heads)
        ves_head_file_each(&r->heads, recover_listed, r);
    return r->status ? r->status : recover_frozen(r);
}

/* What is given up is said to the event, by a person who was told. */
static enum ves_status decide(struct recover *r)
{
    if (r->options->give_up != r->lost)
        return ves_fail(
            r->error, VES_REFUSED,
            "%llu signed events are in none of these stores, and --give-up "
            "says %llu; no epoch was opened. Name more stores, and copies of "
            "stores; what is given up does not come back",
            (unsigned long long)r->lost,
            (unsigned long long)r->options->give_up);
    r->gives_up = true;
    return VES_OK;
}

/* ---- what nobody asked for ----------------------------------------------- */

static enum ves_status take_stream(void *ctx, const struct ves_stream_row *row)
{
    *(struct ves_stream_row *)ctx = *row;
    return VES_OK;
}

struct numbered {
    struct ves_hash event_hash;
    struct ves_uuid sequencer_id;
};

static enum ves_status take_numbered(void *ctx, const struct ves_log_row *row)
{
    *(struct numbered *)ctx =
        (struct numbered){row->event_hash, row->sequencer_id};
    return VES_OK;
}

/* Has the store more of this very history than the database?  Without the head
 * file of this database nothing else tells that it is an older copy. */
static enum ves_status look_beyond(struct recover *r, struct ves_store *from)
{
    struct ves_store *store = r->sequencer.store;
    struct ves_stream_row theirs = {.stream_no = 0}, ours = {.head = 0};
    struct numbered last[2] = {0}, next = {0};
    enum ves_status status = from->ops->stream_list(from, take_stream, &theirs);
    if (!status)
        status = store->ops->stream_get(store, &theirs.stream, false, &ours);
    if (status == VES_NOT_FOUND)
        status = VES_OK;
    if (status || theirs.head <= ours.head)
        return status;
    if (ours.head > 0) {
        status = store->ops->log_read(store, ours.stream_no, ours.head, 1,
                                      take_numbered, &last[0]);
        if (!status)
            status = from->ops->log_read(from, theirs.stream_no, ours.head, 1,
                                         take_numbered, &last[1]);
    }
    if (!status)
        status = from->ops->log_read(from, theirs.stream_no, ours.head + 1, 1,
                                     take_numbered, &next);
    uint64_t more = theirs.head - ours.head;
    if (!status && more > r->out->beyond &&
        ves_hash_equal(&last[0].event_hash, &last[1].event_hash) &&
        ves_uuid_equal(&next.sequencer_id, &r->sequencer.sequencer_id))
        r->out->beyond = more;
    return status;
}

/* ---- ends of keys -------------------------------------------------------- */

static enum ves_status count_ownerless(void *ctx,
                                       const struct ves_stream_row *row)
{
    ((struct ves_recovered *)ctx)->ownerless += !row->has_owner_key;
    return VES_OK;
}

static enum ves_status take_act(void *ctx, const struct ves_record *row)
{
    struct ves_recovered *out = ctx;
    out->last_act = row->no;
    out->last_act_ms = row->at_ms;
    return VES_OK;
}

static enum ves_status note_acts(struct recover *r)
{
    struct ves_store *store = r->sequencer.store;
    enum ves_status status =
        store->ops->record_list(store, VES_RECORD_TRAIL, VES_TRAIL_STREAM, 0,
                                true, 1, take_act, r->out);
    return status ? store_failed(r, status) : VES_OK;
}

static enum ves_status recover_keys(struct recover *r)
{
    const struct ves_receipt_keys keys = {find_key, &r->identity};
    struct ves_store *store = r->sequencer.store;
    struct ves_key_ends ends = {0};
    enum ves_status status = VES_OK;
    for (size_t i = 0; !status && i < r->store_count; i++)
        status = ves_keys_recover(&r->sequencer, &keys, r->stores[i], &ends);
    r->out->revocations = ends.restored;
    r->out->doubtful = ends.doubtful;
    r->out->doubtful_agent = ends.agent;
    r->out->doubtful_key_id = ends.key_id;
    if (!status && r->out->streams + r->out->epochs > 0)
        status = store->ops->stream_list(store, count_ownerless, r->out);
    return status ? ves_fail(r->error, status,
                             "the log is whole, and the ends of keys that "
                             "stores know could not be compared with it: %s",
                             ves_status_message(status))
                  : VES_OK;
}

static enum ves_status run(struct recover *r, const char *const *paths,
                           size_t count)
{
    enum ves_status status =
        ves_storage_is_shared(r->options) ? VES_OK : lock(r);
    if (!status)
        status = open_sequencer(r);
    if (!status)
        status = open_stores(r, paths, count);
    if (!status)
        status = open_heads(r);
    if (!status)
        status = recover_all(r);
    if (!status && r->lost > 0)
        status = decide(r);
    if (!status && r->gives_up)
        status = recover_all(r);
    if (status)
        return status;
    status = ves_sequencer_upgrade(&r->sequencer);
    if (status)
        return store_failed(r, status);
    status = recover_keys(r);
    if (!status && r->out->streams + r->out->epochs > 0)
        status = note_acts(r);
    for (size_t i = 0; !status && i < r->store_count; i++) {
        status = look_beyond(r, r->stores[i]);
        if (status)
            return ves_fail(r->error, status,
                            "what could be put back is, and %s cannot be "
                            "compared with it: %s",
                            paths[i], ves_status_message(status));
    }
    return status;
}

enum ves_status ves_server_recover(const struct ves_serve_options *options,
                                   const char *const *stores, size_t count,
                                   struct ves_recovered *out,
                                   struct ves_error *error)
{
    struct recover r = {.alloc = ves_alloc_default(),
                        .options = options,
                        .error = error,
                        .lock_fd = -1,
                        .out = out};
    *out = (struct ves_recovered){0};
    if (count > VES_RECOVER_STORES_MAX)
        return ves_fail(error, VES_INVALID, "at most %d stores at a time",
                        VES_RECOVER_STORES_MAX);
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    ves_arena_init(&r.arena, r.alloc, ARENA_MAX);
    ves_arena_init(&r.names, r.alloc, ARENA_MAX);
    enum ves_status status = run(&r, stores, count);
    if (r.has_heads)
        ves_head_file_close(&r.heads);
    for (size_t i = 0; i < r.store_count; i++)
        ves_store_sqlite_close(r.stores[i]);
    ves_identity_close(&r.identity);
    ves_storage_close(r.sequencer.store);
    if (r.lock_fd >= 0)
        (void)close(r.lock_fd);
    ves_arena_free(&r.arena);
    ves_arena_free(&r.names);
    return status;
}
