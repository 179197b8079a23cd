/* key_recover.c -- ends of keys that a sequencer lost with its backup.
 *
 * In a stream with an owner they are events and come back with the log.  In
 * one without they stood in the tables alone; what is left of them is what
 * stores were shown.  The last directory that ended a key is kept there
 * (agent_keys.c), with this sequencer's signature, which proves it; a store's
 * tables alone are anybody's word.
 */
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/keydir.h"
#include "crypto/crypto.h"
#include "engine/key_log.h"
#include "engine/log_recover.h"
#include "json/json.h"

enum { ARENA_MAX = 64 * 1024 * 1024 };

struct ended {
    struct ves_key_row row;
    uint64_t at;
    struct ended *next;
};

struct ends {
    struct ves_sequencer *sequencer;
    const struct ves_receipt_keys *keys;
    struct ves_store *from;
    struct ves_key_ends *out;
    struct ves_arena arena;
    struct ves_stream_row theirs, ours;
    struct ended *first;
    struct ves_agent_key *shown; /* of a directory this sequencer signed */
    size_t shown_count;
};

/* ---- what the store has -------------------------------------------------- */

static enum ves_status take_stream(void *ctx, const struct ves_stream_row *row)
{
    *(struct ves_stream_row *)ctx = *row;
    return VES_OK;
}

static enum ves_status take_ended(void *ctx, const struct ves_key_row *row,
                                  const struct ves_key_span *span)
{
    struct ends *e = ctx;

    if (!span->is_found || span->revoked_at_sequence == 0)
        return VES_OK;
    struct ended *one = ves_arena_alloc(&e->arena, sizeof(*one));
    if (!one)
        return VES_NOMEM;
    *one = (struct ended){*row, span->revoked_at_sequence, e->first};
    e->first = one;
    return VES_OK;
}

static bool is_ours(struct ends *e, const struct ves_json *directory)
{
    const struct ves_stream *stream = &e->ours.stream;
    struct ves_bytes tenant, store, hex;
    struct ves_public_key key;
    struct ves_uuid ids[2];
    uint64_t version;
    struct ves_sig sig;
    struct ves_hash hash;

    return ves_json_get_string(directory, "tenantId", &tenant) &&
           ves_json_get_string(directory, "storeId", &store) &&
           ves_uuid_parse(tenant, &ids[0]) == VES_OK &&
           ves_uuid_parse(store, &ids[1]) == VES_OK &&
           ves_uuid_equal(&ids[0], &stream->tenant) &&
           ves_uuid_equal(&ids[1], &stream->store) &&
           ves_json_get_u64(directory, "sequencerKeyVersion", &version) &&
           version <= UINT32_MAX &&
           e->keys->find(e->keys->ctx, (uint32_t)version, &key) &&
           ves_json_get_string(directory, "directorySignature", &hex) &&
           ves_hex_decode(hex, sig.b, VES_SIG_SIZE) == VES_OK &&
           ves_keydir_hash(&e->arena, e->sequencer->alloc, directory, &hash) ==
               VES_OK &&
           ves_ed25519_verify(&key, ves_bytes(hash.b, VES_HASH_SIZE), &sig);
}

/* A directory that is not what it says shows nothing. */
static enum ves_status read_directory(struct ends *e)
{
    const struct ves_json *directory;
    struct ves_bytes text;

    enum ves_status status =
        e->from->ops->meta_get(e->from, VES_KEY_DIRECTORY, &e->arena, &text);
    if (status || text.len == 0)
        return status == VES_NOT_FOUND ? VES_OK : status;
    status = ves_json_read(&e->arena, text, NULL, &directory, NULL);
    if (!status && is_ours(e, directory))
        status =
            ves_keydir_read(&e->arena, directory, &e->shown, &e->shown_count);
    return status == VES_MALFORMED ? VES_OK : status;
}

static bool is_shown(const struct ends *e, const struct ended *one)
{
    for (size_t i = 0; i < e->shown_count; i++) {
        const struct ves_agent_key *key = &e->shown[i];
        if (key->key_id == one->row.key_id && key->revoked_at_sequence != 0 &&
            ves_uuid_equal(&key->agent, &one->row.agent) &&
            memcmp(key->public_key.b, one->row.public_key.b, VES_KEY_SIZE) == 0)
            return true;
    }
    return false;
}

/* ---- what the sequencer has ---------------------------------------------- */

/* From the number it had, or from the next one where the log is shorter now:
 * nothing that is in it is taken back. */
static enum ves_status end_key(struct ends *e, const struct ended *one,
                               struct ves_key_row *row,
                               struct ves_key_span *span)
{
    struct ves_store *store = e->sequencer->store;
    uint64_t next = e->ours.head + 1;

    span->revoked_at_sequence = one->at < next ? one->at : next;
    row->revoked_at_ms = one->row.revoked_at_ms;
    if (row->revoked_at_ms <= 0)
        row->revoked_at_ms = 1; /* 0 would say: not */
    enum ves_status status = store->ops->key_put(store, row);
    if (!status)
        status = store->ops->key_span_put(store, e->ours.stream_no, &row->agent,
                                          row->key_id, span);
    e->out->restored += !status;
    return status;
}

static enum ves_status compare(struct ends *e, const struct ended *one)
{
    struct ves_store *store = e->sequencer->store;
    struct ves_key_span span;
    struct ves_key_row row;

    enum ves_status status =
        store->ops->key_get(store, &e->ours.stream.tenant, &one->row.agent,
                            one->row.key_id, &e->arena, &row);
    if (!status)
        status = ves_sequencer_key_span(e->sequencer, &e->ours, &row, &span);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    /* What is revoked altogether lets nothing sign here again. */
    if (!span.is_found || span.revoked_at_sequence != 0 ||
        memcmp(row.public_key.b, one->row.public_key.b, VES_KEY_SIZE) != 0)
        return VES_OK;
    if (is_shown(e, one))
        return end_key(e, one, &row, &span);
    if (e->out->doubtful++ == 0) {
        e->out->agent = one->row.agent;
        e->out->key_id = one->row.key_id;
    }
    return VES_OK;
}

static enum ves_status run(struct ends *e)
{
    struct ves_store *store = e->sequencer->store;

    enum ves_status status =
        e->from->ops->stream_list(e->from, take_stream, &e->theirs);
    if (!status)
        status =
            store->ops->stream_get(store, &e->theirs.stream, false, &e->ours);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    status = e->from->ops->key_list(e->from, &e->theirs.stream.tenant, NULL,
                                    e->theirs.stream_no, take_ended, e);
    if (!status)
        status = read_directory(e);
    if (status || !e->first)
        return status;
    status = store->ops->begin(store);
    if (status)
        return status;
    for (struct ended *one = e->first; one && !status; one = one->next)
        status = compare(e, one);
    if (!status)
        status = store->ops->commit(store);
    if (status)
        store->ops->rollback(store);
    return status;
}

enum ves_status ves_keys_recover(struct ves_sequencer *sequencer,
                                 const struct ves_receipt_keys *keys,
                                 struct ves_store *from,
                                 struct ves_key_ends *out)
{
    struct ends ends = {
        .sequencer = sequencer, .keys = keys, .from = from, .out = out};

    ves_arena_init(&ends.arena, sequencer->alloc, ARENA_MAX);
    enum ves_status status = run(&ends);
    ves_arena_free(&ends.arena);
    return status;
}
