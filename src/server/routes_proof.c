/* routes_proof.c -- commitments and inclusion proofs (protocol.md A.6 to A.8,
 * A.13, B.7). */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/manifest.h"
#include "core/merkle.h"
#include "os/clock.h"
#include "os/random.h"
#include "server/body.h"
#include "server/routes.h"
#include "server/server.h"

enum { COMMITMENT_VES_VERSION = 1, LIST_MAX = 1000 };

static void put_hash(struct ves_buf *out, const char *name,
                     const struct ves_hash *hash)
{
    ves_put_name(out, false, name);
    ves_put_hex(out, "", hash->b, VES_HASH_SIZE);
}

/* Without the closing brace. */
static void put_commitment(struct ves_buf *out, const struct ves_stream *stream,
                           const struct ves_commitment_row *row)
{
    ves_buf_put_str(out, "{\"batch_id\":");
    ves_put_uuid(out, &row->batch_id);
    ves_buf_put_str(out, ",\"tenant_id\":");
    ves_put_uuid(out, &stream->tenant);
    ves_buf_put_str(out, ",\"store_id\":");
    ves_put_uuid(out, &stream->store);
    ves_buf_putf(out,
                 ",\"ves_version\":%d,\"tree_depth\":%u,\"leaf_count\":%u,"
                 "\"padded_leaf_count\":%llu",
                 COMMITMENT_VES_VERSION, ves_tree_depth(row->leaf_count),
                 row->leaf_count,
                 (unsigned long long)ves_padded_count(row->leaf_count));
    put_hash(out, "merkle_root", &row->merkle_root);
    put_hash(out, "prev_state_root", &row->prev_state_root);
    put_hash(out, "new_state_root", &row->new_state_root);
    ves_buf_putf(out, ",\"sequence_start\":%llu,\"sequence_end\":%llu",
                 (unsigned long long)row->sequence_start,
                 (unsigned long long)row->sequence_end);
    ves_put_name(out, false, "committed_at");
    ves_put_time(out, row->committed_at_ms);
}

/* ---- commitments --------------------------------------------------------- */

static void make_commitment(struct ves_request *request)
{
    struct ves_commitment_body body;
    struct ves_commitment_row row;
    struct ves_error error = {0};
    struct ves_uuid batch_id;
    uint8_t random[8];
    int64_t now_ms = ves_clock_now_ms();
    enum ves_status status = ves_commitment_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_WRITE, &body.stream.tenant,
                            &body.stream.store))
        return;
    status = ves_random(random, sizeof(random), &error);
    ves_uuid_make_v7((uint64_t)now_ms, 0, random, &batch_id);
    if (!status)
        status = ves_sequencer_commit_range(
            &request->server->sequencer, &body.stream, body.sequence_start,
            body.sequence_end, &batch_id, now_ms, &row, &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    put_commitment(&request->out, &body.stream, &row);
    ves_buf_put_u8(&request->out, '}');
    ves_reply(request, 200);
}

struct list {
    struct ves_buf *out;
    const struct ves_stream *stream;
    size_t count;
};

static enum ves_status put_listed(void *ctx,
                                  const struct ves_commitment_row *row)
{
    struct list *list = ctx;
    if (list->count++)
        ves_buf_put_u8(list->out, ',');
    put_commitment(list->out, list->stream, row);
    ves_buf_put_str(list->out, ",\"is_anchored\":false}");
    return ves_buf_status(list->out);
}

static void list_commitments(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_stream stream;
    struct ves_stream_row row;
    struct list list = {.out = &request->out, .stream = &stream};
    uint64_t from;
    uint32_t limit;
    if (!ves_request_stream(request, VES_RIGHT_READ, &stream) ||
        !ves_request_u64(request, "from", 1, &from) ||
        !ves_request_limit(request, LIST_MAX, LIST_MAX, &limit))
        return;
    ves_buf_put_str(list.out, "{\"commitments\":[");
    enum ves_status status =
        store->ops->stream_get(store, &stream, false, &row);
    if (!status)
        status = store->ops->commitment_list(store, row.stream_no, from, limit,
                                             put_listed, &list);
    if (status && status != VES_NOT_FOUND) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    ves_buf_putf(list.out, "],\"count\":%zu}", list.count);
    ves_reply(request, 200);
}

struct search {
    uint32_t stream_no;
    struct ves_stream_row row;
};

static enum ves_status match_stream(void *ctx, const struct ves_stream_row *row)
{
    struct search *search = ctx;
    if (row->stream_no != search->stream_no)
        return VES_OK;
    search->row = *row;
    return VES_AGAIN; /* found; stops the scan */
}

static void get_commitment(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_commitment_row row;
    struct search search = {0};
    struct ves_uuid batch_id;
    if (!ves_request_uuid(request, 0, "the batch id", &batch_id))
        return;
    enum ves_status status =
        store->ops->commitment_get(store, &batch_id, &search.stream_no, &row);
    bool is_there = status != VES_NOT_FOUND;
    if (!status) {
        status = store->ops->stream_list(store, match_stream, &search);
        status = status == VES_AGAIN ? VES_OK : VES_CORRUPT;
    }
    if (status && is_there) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    if (!ves_request_may_see(request, VES_RIGHT_READ,
                             is_there ? &search.row.stream : NULL,
                             "there is no such commitment"))
        return;
    put_commitment(&request->out, &search.row.stream, &row);
    /* The names the JS client asks for, too (C.2). */
    ves_buf_putf(&request->out,
                 ",\"start_sequence\":%llu,\"end_sequence\":%llu,"
                 "\"event_count\":%u,\"is_anchored\":false,\"chain_id\":null,"
                 "\"chain_tx_hash\":null,\"chain_block_number\":null,"
                 "\"anchored_at\":null}",
                 (unsigned long long)row.sequence_start,
                 (unsigned long long)row.sequence_end, row.leaf_count);
    ves_reply(request, 200);
}

/* ---- the newest one, signed, for clients that verify it (A.13) ----------- */

/* Whole seconds, with the offset spelt out: they parse the time and hash what
 * they would print. */
static void write_issued(int64_t unix_ms, char out[VES_TIME_TEXT + 8])
{
    enum { SECONDS = 19 }; /* characters up to them */
    ves_time_format(unix_ms, out);
    memcpy(out + SECONDS, "+00:00", sizeof("+00:00"));
}

static void put_manifest(struct ves_request *request,
                         const struct ves_commitment_row *row,
                         const struct ves_commitment_row *previous)
{
    const struct ves_identity *identity = &request->server->identity;
    struct ves_buf *out = &request->out;
    char id[VES_UUID_TEXT + 1], before[VES_UUID_TEXT + 1],
        signer[VES_UUID_TEXT + 1], issued[VES_TIME_TEXT + 8];
    struct ves_hash hash;
    struct ves_sig sig;
    ves_uuid_format(&row->batch_id, id);
    ves_uuid_format(&identity->sequencer_id, signer);
    write_issued(row->committed_at_ms, issued);
    if (previous)
        ves_uuid_format(&previous->batch_id, before);
    const struct ves_manifest manifest = {
        .commitment_id = ves_bytes_str(id),
        .previous_id = ves_bytes_str(previous ? before : NULL),
        .state_root = row->new_state_root,
        .remote_head = row->sequence_end,
        .signer_id = ves_bytes_str(signer),
        .scheme = ves_bytes_str("ed25519"),
        .issued_at = ves_bytes_str(issued)};
    ves_manifest_hash(&manifest, &hash);
    ves_identity_sign(identity, &hash, &sig);
    ves_buf_put_str(out, ",\"latest_commitment\":{\"batch_id\":");
    ves_put_text(out, manifest.commitment_id);
    ves_put_name(out, false, "previous_batch_id");
    if (previous)
        ves_put_text(out, manifest.previous_id);
    else
        ves_buf_put_str(out, "null");
    put_hash(out, "state_root", &manifest.state_root);
    ves_buf_putf(out, ",\"remote_head\":%llu",
                 (unsigned long long)manifest.remote_head);
    ves_put_name(out, false, "signer_id");
    ves_put_text(out, manifest.signer_id);
    ves_put_name(out, false, "signature_scheme");
    ves_put_text(out, manifest.scheme);
    ves_put_name(out, false, "signer_public_key");
    ves_put_hex(out, "", ves_identity_current(identity)->public_key.b,
                VES_KEY_SIZE);
    ves_put_name(out, false, "signature");
    ves_put_hex(out, "", sig.b, VES_SIG_SIZE);
    ves_put_name(out, false, "issued_at");
    ves_put_text(out, manifest.issued_at);
    ves_buf_put_u8(out, '}');
}

bool ves_commitment_put_latest(struct ves_request *request,
                               const struct ves_stream_row *stream)
{
    struct ves_store *store = request->store;
    struct ves_commitment_row row, previous;
    bool has_previous = false;
    if (!stream->committed_end)
        return true;
    enum ves_status status = store->ops->commitment_covering(
        store, stream->stream_no, stream->committed_end, &row);
    if (!status && row.sequence_start > 1) {
        status = store->ops->commitment_covering(
            store, stream->stream_no, row.sequence_start - 1, &previous);
        has_previous = !status;
    }
    if (status) {
        ves_reply_status(request, status, &store->error);
        return false;
    }
    put_manifest(request, &row, has_previous ? &previous : NULL);
    return true;
}

/* ---- proofs -------------------------------------------------------------- */

struct leaves {
    struct ves_stream stream;
    uint64_t next;
    struct ves_hash *hashes;
    size_t count;
    size_t max;
};

static enum ves_status take_leaf(void *ctx, const struct ves_log_row *row)
{
    struct leaves *leaves = ctx;
    if (row->sequence_number != leaves->next || leaves->count == leaves->max)
        return VES_CORRUPT;
    ves_leaf_hash(&leaves->stream, row->sequence_number, &row->event_hash,
                  &row->signature, &leaves->hashes[leaves->count++]);
    leaves->next++;
    return VES_OK;
}

static enum ves_status prove(struct ves_request *request,
                             const struct ves_stream_row *stream,
                             const struct ves_commitment_row *row,
                             uint64_t sequence, struct ves_hash *leaf,
                             struct ves_inclusion *proof)
{
    struct ves_store *store = request->store;
    struct leaves leaves = {.stream = stream->stream,
                            .next = row->sequence_start,
                            .max = row->leaf_count};
    size_t padded = (size_t)ves_padded_count(row->leaf_count);
    struct ves_hash *scratch =
        ves_arena_alloc(&request->arena, padded * sizeof(*scratch));
    leaves.hashes =
        ves_arena_alloc(&request->arena, leaves.max * sizeof(*leaves.hashes));
    if (!leaves.hashes || !scratch)
        return VES_NOMEM;
    enum ves_status status =
        store->ops->log_read(store, stream->stream_no, row->sequence_start,
                             row->leaf_count, take_leaf, &leaves);
    if (status || leaves.count != leaves.max)
        return status ? status : VES_CORRUPT;
    size_t index = (size_t)(sequence - row->sequence_start);
    *leaf = leaves.hashes[index];
    status =
        ves_inclusion_make(leaves.hashes, leaves.count, index, scratch, proof);
    /* A proof of ours that does not hold would mean a damaged log. */
    if (!status && ves_inclusion_check(proof, leaf, &row->merkle_root))
        status = VES_CORRUPT;
    return status;
}

static void put_proof(struct ves_request *request,
                      const struct ves_commitment_row *row, uint64_t sequence,
                      const struct ves_hash *leaf,
                      const struct ves_inclusion *proof)
{
    struct ves_buf *out = &request->out;
    ves_buf_putf(out, "{\"sequence_number\":%llu,\"batch_id\":",
                 (unsigned long long)sequence);
    ves_put_uuid(out, &row->batch_id);
    put_hash(out, "merkle_root", &row->merkle_root);
    put_hash(out, "leaf_hash", leaf);
    ves_buf_putf(out, ",\"leaf_index\":%llu,\"proof_path\":[",
                 (unsigned long long)proof->leaf_index);
    for (uint32_t i = 0; i < proof->depth; i++) {
        if (i)
            ves_buf_put_u8(out, ',');
        ves_put_hex(out, "", proof->path[i].b, VES_HASH_SIZE);
    }
    ves_buf_put_str(out, "],\"directions\":[");
    for (uint32_t i = 0; i < proof->depth; i++) {
        if (i)
            ves_buf_put_u8(out, ',');
        ves_put_bool(out, !(proof->leaf_index >> i & 1));
    }
    ves_buf_put_str(out, "]}");
    ves_reply(request, 200);
}

/* The commitment asked for by batch_id, else the one that covers sequence.
 * false: the answer is made. */
static bool find_commitment(struct ves_request *request,
                            const struct ves_stream_row *stream,
                            uint64_t sequence, struct ves_commitment_row *row)
{
    struct ves_store *store = request->store;
    struct ves_error error = {0};
    struct ves_uuid batch_id;
    uint32_t stream_no = stream->stream_no;
    enum ves_status status =
        ves_uri_uuid(&request->uri, "batch_id", &batch_id, &error);
    if (status == VES_INVALID) {
        ves_reply_status(request, status, &error);
        return false;
    }
    if (status == VES_OK)
        status = store->ops->commitment_get(store, &batch_id, &stream_no, row);
    else
        status =
            store->ops->commitment_covering(store, stream_no, sequence, row);
    if (status == VES_NOT_FOUND || (!status && stream_no != stream->stream_no))
        ves_reply_error(request, 404, NULL,
                        "no commitment of this stream covers sequence %llu "
                        "yet; make one with POST /api/v1/ves/commitments",
                        (unsigned long long)sequence);
    else if (status)
        ves_reply_status(request, status, &store->error);
    else if (sequence < row->sequence_start || sequence > row->sequence_end)
        ves_reply_error(request, 400, NULL,
                        "sequence %llu is outside that commitment, %llu to "
                        "%llu",
                        (unsigned long long)sequence,
                        (unsigned long long)row->sequence_start,
                        (unsigned long long)row->sequence_end);
    else
        return true;
    return false;
}

static void get_proof(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_stream stream;
    struct ves_stream_row stream_row;
    struct ves_commitment_row row;
    struct ves_inclusion proof;
    struct ves_hash leaf;
    uint64_t sequence;
    if (ves_decimal_parse(request->captures[0], &sequence) || sequence == 0 ||
        sequence > VES_SEQUENCE_MAX) {
        ves_reply_error(request, 400, NULL,
                        "the sequence number in the path is not a number from "
                        "1 on");
        return;
    }
    if (!ves_request_stream(request, VES_RIGHT_READ, &stream))
        return;
    enum ves_status status =
        store->ops->stream_get(store, &stream, false, &stream_row);
    if (status == VES_NOT_FOUND)
        stream_row = (struct ves_stream_row){.stream = stream};
    else if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    if (!find_commitment(request, &stream_row, sequence, &row))
        return;
    status = prove(request, &stream_row, &row, sequence, &leaf, &proof);
    if (status)
        ves_reply_status(request, status, &store->error);
    else
        put_proof(request, &row, sequence, &leaf, &proof);
}

static void verify_proof(struct ves_request *request)
{
    struct ves_proof_body body;
    struct ves_error error = {0};
    enum ves_status status = ves_proof_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    ves_buf_put_str(&request->out, "{\"valid\":");
    ves_put_bool(&request->out, ves_inclusion_check(&body.proof, &body.leaf,
                                                    &body.root) == VES_OK);
    put_hash(&request->out, "leaf_hash", &body.leaf);
    put_hash(&request->out, "merkle_root", &body.root);
    ves_buf_put_u8(&request->out, '}');
    ves_reply(request, 200);
}

const struct ves_route ves_routes_proof[] = {
    {VES_METHOD_POST, "/api/v1/ves/commitments", VES_ROUTE_WRITE,
     VES_ACCESS_WRITE, false, make_commitment},
    {VES_METHOD_GET, "/api/v1/ves/commitments", VES_ROUTE_READ, VES_ACCESS_READ,
     false, list_commitments},
    {VES_METHOD_GET, "/api/v1/ves/commitments/{}", VES_ROUTE_READ,
     VES_ACCESS_READ, false, get_commitment},
    {VES_METHOD_GET, "/api/v1/commitments/{}", VES_ROUTE_READ, VES_ACCESS_READ,
     true, get_commitment},
    {VES_METHOD_GET, "/api/v1/ves/proofs/{}", VES_ROUTE_READ, VES_ACCESS_READ,
     false, get_proof},
    {VES_METHOD_POST, "/api/v1/ves/proofs/verify", VES_ROUTE_READ,
     VES_ACCESS_ANY, false, verify_proof},
    {.pattern = NULL}};
