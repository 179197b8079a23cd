/* routes_log.c -- the provable log: checkpoints, tiles, bundles, proofs.
 *
 * The prefix /ves/{stream id} is the one of C2SP tlog-tiles.  Nothing beyond
 * the signed head is given out, and nothing without the right to read the
 * stream.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/merkle.h"
#include "core/tlog_proof.h"
#include "engine/log_cosigned.h"
#include "engine/log_epoch.h"
#include "server/routes.h"
#include "server/server.h"

#define OCTETS "application/octet-stream"
#define TEXT   "text/plain; charset=utf-8"

/* ---- the stream asked about ---------------------------------------------- */

struct asked {
    struct ves_stream_row stream;
    struct ves_tlog_row log;
};

/* false: the answer is made. */
static bool load_log(struct ves_request *request, struct asked *asked)
{
    struct ves_store *store = request->store;
    enum ves_status status = store->ops->tlog_get(
        store, asked->stream.stream_no, &request->arena, &asked->log);
    if (status)
        ves_reply_status(request, status, &store->error);
    return !status;
}

static bool find_log(struct ves_request *request, struct asked *asked)
{
    struct ves_store *store = request->store;
    struct ves_hash stream_id;
    struct ves_bytes digits = request->captures[0];
    enum ves_status status =
        digits.len == 2 * VES_HASH_SIZE
            ? ves_hex_decode(digits, stream_id.b, VES_HASH_SIZE)
            : VES_NOT_FOUND;
    if (!status)
        status = store->ops->tlog_find(store, &stream_id, &asked->stream);
    if (status && status != VES_NOT_FOUND && status != VES_MALFORMED) {
        ves_reply_status(request, status, &store->error);
        return false;
    }
    return ves_request_may_see(request, VES_RIGHT_READ,
                               status ? NULL : &asked->stream.stream,
                               "there is no such log") &&
           load_log(request, asked);
}

/* ... which has a signed head. */
static bool find_signed(struct ves_request *request, struct asked *asked)
{
    if (!find_log(request, asked))
        return false;
    if (asked->log.signed_size > 0)
        return true;
    ves_reply_error(request, 404, NULL,
                    "no head of this log is signed yet; ask again in a moment");
    return false;
}

static enum ves_status read_origin(const struct ves_request *request,
                                   const struct asked *asked,
                                   struct ves_buf *out)
{
    return ves_log_origin_write(out, &request->server->sequencer,
                                request->store, asked->stream.stream_no,
                                &asked->log.stream_id);
}

/* Begins an answer with it; false: answered. */
static bool put_origin(struct ves_request *request, const struct asked *asked)
{
    struct ves_buf *out = &request->out;
    ves_buf_put_str(out, "{\"origin\":\"");
    enum ves_status status = read_origin(request, asked, out);
    if (status) {
        ves_buf_reset(out);
        ves_reply_status(request, status, &request->store->error);
        return false;
    }
    ves_buf_put_u8(out, '"');
    return true;
}

static void put_hash(struct ves_buf *out, const char *name,
                     const struct ves_hash *hash)
{
    ves_put_name(out, false, name);
    ves_put_hex(out, "", hash->b, VES_HASH_SIZE);
}

static void put_path(struct ves_buf *out, const struct ves_tlog_path *path)
{
    ves_put_name(out, false, "path");
    ves_buf_put_u8(out, '[');
    for (uint32_t i = 0; i < path->count; i++) {
        if (i)
            ves_buf_put_u8(out, ',');
        ves_put_hex(out, "", path->hash[i].b, VES_HASH_SIZE);
    }
    ves_buf_put_str(out, "]}");
}

/* ---- tlog-tiles ---------------------------------------------------------- */

static void get_checkpoint(struct ves_request *request)
{
    struct asked asked;
    if (!find_signed(request, &asked))
        return;
    enum ves_status status = ves_log_cosigned_note(
        &request->out, request->store, asked.stream.stream_no,
        asked.log.signed_size, asked.log.note, &request->arena);
    if (status) {
        ves_reply_status(request, status, &request->store->error);
        return;
    }
    request->content_type = TEXT;
    ves_reply(request, 200);
}

/* The newest head that somebody vouches for. */
static void get_witnessed(struct ves_request *request)
{
    struct asked asked;
    struct ves_cosigned set;
    if (!find_signed(request, &asked))
        return;
    enum ves_status status = ves_log_cosigned_get(
        request->store, asked.stream.stream_no, &request->arena, &set);
    if (status) {
        ves_reply_status(request, status, &request->store->error);
        return;
    }
    if (set.count == 0) {
        ves_reply_error(request, 404, NULL,
                        "no head of this log was cosigned yet");
        return;
    }
    ves_cosigned_note_write(&request->out, set.heads[0]->note, set.heads[0]);
    request->content_type = TEXT;
    ves_reply(request, 200);
}

static enum ves_status put_tile(struct ves_request *request,
                                const struct asked *asked,
                                const struct ves_tile *tile)
{
    struct ves_store *store = request->store;
    struct ves_hash hashes[VES_TILE_WIDTH];
    size_t count;
    if (tile->is_entries)
        return ves_log_entries_write(store, &asked->stream,
                                     tile->index * VES_TILE_WIDTH, tile->width,
                                     &request->out);
    enum ves_status status =
        store->ops->tile_read(store, asked->stream.stream_no, tile->level,
                              tile->index, hashes, &count);
    if (!status && count < tile->width)
        status = ves_fail(&store->error, VES_CORRUPT,
                          "a tile of the log's tree is missing");
    if (!status)
        ves_buf_put(&request->out, hashes, tile->width * sizeof(hashes[0]));
    return status;
}

static void get_tile(struct ves_request *request)
{
    struct asked asked;
    struct ves_tile tile;
    struct ves_bytes rest = request->captures[1];
    /* The path as it was sent: the last capture runs to its end. */
    struct ves_bytes path = ves_bytes(rest.ptr - (sizeof("tile/") - 1),
                                      rest.len + (sizeof("tile/") - 1));
    if (ves_tile_path_read(path, &tile)) {
        ves_reply_error(request, 400, NULL,
                        "that is no address of a tile or a bundle of entries");
        return;
    }
    if (!find_signed(request, &asked))
        return;
    if (!ves_tile_is_within(&tile, asked.log.signed_size)) {
        ves_reply_error(request, 404, NULL,
                        "a log of %llu entries has no such tile",
                        (unsigned long long)asked.log.signed_size);
        return;
    }
    enum ves_status status = put_tile(request, &asked, &tile);
    if (status) {
        ves_reply_status(request, status, &request->store->error);
        return;
    }
    request->content_type = OCTETS;
    ves_reply(request, 200);
}

/* ---- proofs -------------------------------------------------------------- */

/* The sequence number of the path, within size. */
static bool read_index(struct ves_request *request, uint64_t size,
                       uint64_t *index)
{
    uint64_t sequence;
    if (ves_decimal_parse(request->captures[1], &sequence) || sequence == 0) {
        ves_reply_error(request, 400, NULL,
                        "the sequence number in the path is not a number from "
                        "1 on");
        return false;
    }
    *index = sequence - VES_TLOG_FIRST;
    if (*index < size)
        return true;
    ves_reply_error(request, 404, NULL,
                    "event %llu is not in a log of %llu entries",
                    (unsigned long long)sequence, (unsigned long long)size);
    return false;
}

/* A size of the query, at most that of the signed head. */
static bool read_size(struct ves_request *request, const char *name,
                      const struct asked *asked, uint64_t fallback,
                      uint64_t *size)
{
    if (!ves_request_u64(request, name, fallback, size))
        return false;
    if (*size <= asked->log.signed_size)
        return true;
    ves_reply_error(request, 400, NULL,
                    "%s is %llu; the signed head has %llu entries", name,
                    (unsigned long long)*size,
                    (unsigned long long)asked->log.signed_size);
    return false;
}

/* Leaf and path of an entry in the tree of size. */
static enum ves_status prove(struct ves_request *request,
                             const struct asked *asked, uint64_t index,
                             uint64_t size, struct ves_hash *leaf,
                             struct ves_tlog_path *path)
{
    struct ves_log_source source;
    const struct ves_tlog_node node = {0, index};
    ves_log_source_init(&source, request->store, asked->stream.stream_no, size);
    enum ves_status status =
        source.tiles.source.read(source.tiles.source.ctx, &node, 1, leaf);
    return status ? status
                  : ves_tlog_inclusion_make(&source.tiles.source, node, size,
                                            path);
}

/* The signed one is known; others are made from tiles. */
static enum ves_status root_at(struct ves_request *request,
                               const struct asked *asked, uint64_t size,
                               struct ves_hash *root)
{
    *root = asked->log.signed_root;
    return size == asked->log.signed_size
               ? VES_OK
               : ves_log_root_at(request->store, asked->stream.stream_no, size,
                                 root);
}

static void get_inclusion(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_buf *out = &request->out;
    struct asked asked;
    struct ves_tlog_path path;
    struct ves_hash leaf, root;
    uint64_t size, index;
    if (!find_signed(request, &asked) ||
        !read_size(request, "size", &asked, asked.log.signed_size, &size) ||
        !read_index(request, size, &index))
        return;
    enum ves_status status = prove(request, &asked, index, size, &leaf, &path);
    if (!status)
        status = root_at(request, &asked, size, &root);
    /* A proof of ours that does not hold would mean a damaged log. */
    if (!status &&
        ves_tlog_inclusion_check(&path, (struct ves_tlog_node){0, index}, size,
                                 &leaf, &root))
        status = VES_CORRUPT;
    if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    if (!put_origin(request, &asked))
        return;
    ves_buf_putf(out, ",\"index\":%llu,\"size\":%llu",
                 (unsigned long long)index, (unsigned long long)size);
    put_hash(out, "leafHash", &leaf);
    put_hash(out, "root", &root);
    put_path(out, &path);
    ves_reply(request, 200);
}

static void get_consistency(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_buf *out = &request->out;
    struct ves_log_source source;
    struct asked asked;
    struct ves_tlog_path path;
    struct ves_hash roots[2];
    uint64_t from, to;
    if (!find_signed(request, &asked) ||
        !read_size(request, "from", &asked, 0, &from) ||
        !read_size(request, "to", &asked, asked.log.signed_size, &to))
        return;
    if (from > to) {
        ves_reply_error(request, 400, NULL, "from is larger than to");
        return;
    }
    ves_log_source_init(&source, store, asked.stream.stream_no, to);
    enum ves_status status =
        ves_tlog_consistency_make(&source.tiles.source, from, to, &path);
    if (!status)
        status = root_at(request, &asked, from, &roots[0]);
    if (!status)
        status = root_at(request, &asked, to, &roots[1]);
    if (!status &&
        ves_tlog_consistency_check(&path, from, &roots[0], to, &roots[1]))
        status = VES_CORRUPT;
    if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    if (!put_origin(request, &asked))
        return;
    ves_buf_putf(out, ",\"from\":%llu", (unsigned long long)from);
    put_hash(out, "fromRoot", &roots[0]);
    ves_buf_putf(out, ",\"to\":%llu", (unsigned long long)to);
    put_hash(out, "toRoot", &roots[1]);
    put_path(out, &path);
    ves_reply(request, 200);
}

static void get_proof_file(struct ves_request *request)
{
    struct asked asked;
    struct ves_tlog_path path;
    struct ves_hash leaf;
    struct ves_buf note;
    uint64_t index;
    if (!find_signed(request, &asked) ||
        !read_index(request, asked.log.signed_size, &index))
        return;
    ves_buf_init(&note, request->server->alloc, VES_NOTE_MAX);
    enum ves_status status =
        prove(request, &asked, index, asked.log.signed_size, &leaf, &path);
    if (!status)
        status = ves_log_cosigned_note(
            &note, request->store, asked.stream.stream_no,
            asked.log.signed_size, asked.log.note, &request->arena);
    if (status) {
        ves_reply_status(request, status, &request->store->error);
    } else {
        ves_tlog_proof_write(&request->out, NULL, index, &path,
                             ves_buf_view(&note));
        request->content_type = TEXT;
        ves_reply(request, 200);
    }
    ves_buf_free(&note);
}

/* ---- about a log --------------------------------------------------------- */

static void put_vkeys(struct ves_request *request, struct ves_bytes origin)
{
    const struct ves_identity *identity = &request->server->identity;
    struct ves_buf *out = &request->out;
    ves_put_name(out, false, "vkeys");
    ves_buf_put_u8(out, '[');
    for (size_t i = 0; i < identity->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, origin, VES_NOTE_ED25519,
                          &identity->keys[i].public_key);
        ves_buf_put_str(out, i ? ",\"" : "\"");
        ves_note_key_write(out, &key);
        ves_buf_put_u8(out, '"');
    }
    ves_buf_put_u8(out, ']');
}

/* Of each epoch the number of the event that opened it. */
struct epochs {
    struct ves_log_epoch last;
    uint64_t *sequences;
    size_t count;
};

static void put_log(struct ves_request *request, const struct asked *asked,
                    struct ves_bytes origin, const struct epochs *epochs)
{
    struct ves_buf *out = &request->out;
    ves_buf_put_str(out, "{\"origin\":\"");
    ves_buf_put_bytes(out, origin);
    ves_buf_putf(out, "\",\"epoch\":%llu,\"epochSequence\":%llu",
                 (unsigned long long)epochs->last.epoch.number,
                 (unsigned long long)epochs->last.sequence);
    ves_buf_put_str(out, ",\"epochSequences\":[");
    for (size_t i = 0; i < epochs->count; i++)
        ves_buf_putf(out, i > 0 ? ",%llu" : "%llu",
                     (unsigned long long)epochs->sequences[i]);
    ves_buf_put_u8(out, ']');
    put_hash(out, "streamId", &asked->log.stream_id);
    ves_buf_put_str(out, ",\"prefix\":\"/ves/");
    ves_buf_put_hex(out, asked->log.stream_id.b, VES_HASH_SIZE);
    ves_buf_put_u8(out, '"');
    put_vkeys(request, origin);
    ves_buf_putf(out, ",\"size\":%llu,\"signedSize\":%llu",
                 (unsigned long long)asked->stream.head,
                 (unsigned long long)asked->log.signed_size);
    put_hash(out, "signedRoot", &asked->log.signed_root);
    ves_put_name(out, false, "signedAt");
    ves_put_time(out, asked->log.signed_at_ms);
    ves_put_name(out, false, "frozen");
    if (asked->log.frozen_at_ms) {
        ves_buf_put_str(out, "{\"at\":");
        ves_put_time(out, asked->log.frozen_at_ms);
        ves_put_name(out, false, "why");
        ves_put_text(out, asked->log.frozen_why);
        ves_buf_put_u8(out, '}');
    } else {
        ves_buf_put_str(out, "null");
    }
    ves_buf_put_u8(out, '}');
}

static void get_log(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct asked asked = {.stream = {.head = 0}};
    struct ves_stream stream;
    if (!ves_request_stream(request, VES_RIGHT_READ, &stream))
        return;
    enum ves_status status =
        store->ops->stream_get(store, &stream, false, &asked.stream);
    if (!status)
        status = store->ops->tlog_get(store, asked.stream.stream_no,
                                      &request->arena, &asked.log);
    if (status == VES_NOT_FOUND) {
        ves_reply_error(request, 404, NULL,
                        "this stream has no log yet; it begins with the first "
                        "event");
        return;
    }
    struct epochs epochs;
    struct ves_buf origin;
    ves_buf_init(&origin, request->server->alloc, VES_ORIGIN_MAX);
    if (!status)
        status = ves_log_epoch_last(store, asked.stream.stream_no,
                                    &request->server->sequencer.sequencer_id,
                                    &request->arena, &epochs.last);
    if (!status)
        status = ves_log_epoch_list(store, asked.stream.stream_no,
                                    &request->server->sequencer.sequencer_id,
                                    &request->arena, &epochs.sequences,
                                    &epochs.count);
    if (!status)
        ves_epoch_origin_write(&origin, request->server->sequencer.log_host,
                               epochs.last.epoch.number, &asked.log.stream_id);
    if (status) {
        ves_reply_status(request, status, &store->error);
    } else {
        put_log(request, &asked, ves_buf_view(&origin), &epochs);
        ves_reply(request, 200);
    }
    ves_buf_free(&origin);
}

#define READ(path, handle)                                                   \
    {                                                                        \
        VES_METHOD_GET, path, VES_ROUTE_READ, VES_ACCESS_READ, false, handle \
    }

const struct ves_route ves_routes_log[] = {
    READ("/ves/{}/checkpoint", get_checkpoint),
    READ("/ves/{}/witnessed", get_witnessed),
    READ("/ves/{}/tile/{*}", get_tile),
    READ("/ves/{}/inclusion/{}", get_inclusion),
    READ("/ves/{}/consistency", get_consistency),
    READ("/ves/{}/proof/{}", get_proof_file),
    READ("/api/v1/ves/log", get_log),
    {.pattern = NULL}};
