/* log_recover.c -- the lost tail of a stream, rebuilt from what stores hold. */
#include "engine/log_recover.h"

#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/entity.h"
#include "core/epoch.h"
#include "core/invitation.h"
#include "core/merkle.h"
#include "core/refusal.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "engine/chain.h"
#include "engine/entity_events.h"
#include "engine/folding.h"
#include "engine/key_log.h"
#include "engine/log_tree.h"
#include "engine/map.h"

enum {
    CHUNK = 500, /* events read from a store at a time */
    ARENA_MAX = 256 * 1024 * 1024,
    ENDS_EXPECTED = 1024
};

struct recovering {
    struct ves_sequencer *sequencer;
    const struct ves_log_recovery *what;
    struct ves_error *error;
    struct ves_arena arena;       /* of one chunk */
    struct ves_arena event_arena; /* of one event */
    struct ves_arena ends_arena;
    struct ves_entity_name entity; /* of the last row checked; event_arena */
    struct ves_map ends; /* entities behind the log's last event, by key */
    struct ves_arena keys_arena;
    struct ves_key_log keys; /* what the log says of keys, as far as it is */
    int64_t last_ms;         /* when the last event that was taken came */
    struct ves_stream_row stream;
    struct ves_log_row *rows; /* copies, in arena */
    size_t count, max;
    uint64_t next;  /* sequence number wanted */
    uint64_t limit; /* the last that is */
    /* Of the store at hand. */
    uint32_t stream_no;
    struct ves_store *store;
    uint64_t end; /* the first number of a later epoch there; 0: none */
};

static enum ves_status store_failed(struct recovering *r,
                                    const struct ves_store *store,
                                    enum ves_status status)
{
    return ves_fail(r->error, status, "%s; nothing was changed",
                    store->error.status == status ? store->error.text
                                                  : ves_status_message(status));
}

/* ---- one store ----------------------------------------------------------- */

static bool is_receipt_of(const struct recovering *r,
                          const struct ves_log_row *row,
                          const struct ves_hash *hash, uint32_t version)
{
    const struct ves_receipt_keys *keys = &r->what->keys;
    struct ves_public_key key;

    return keys->find(keys->ctx, version, &key) &&
           ves_ed25519_verify(&key, ves_bytes(hash->b, VES_HASH_SIZE),
                              &row->receipt);
}

/* Did this sequencer give that event that number, and by which key?  No
 * receipt need name its key's version, and none is signed together with it:
 * *version is of the key that it verifies with. */
static bool is_ours(const struct recovering *r, const struct ves_log_row *row,
                    uint32_t *version)
{
    struct ves_hash hash;

    if (!row->has_receipt || row->envelope.len == 0 ||
        !ves_uuid_equal(&row->sequencer_id, &r->sequencer->sequencer_id))
        return false;
    ves_receipt_hash(&r->stream.stream, &row->event_id, row->sequence_number,
                     &row->event_hash, &hash);
    *version = row->receipt_key_version;
    if (*version != 0)
        return is_receipt_of(r, row, &hash, *version);
    while (++*version <= VES_SEQUENCER_KEYS_MAX) {
        if (is_receipt_of(r, row, &hash, *version))
            return true;
    }
    return false;
}

static enum ves_status copy_views(struct ves_arena *arena,
                                  struct ves_log_row *row)
{
    struct ves_bytes *const views[] = {&row->sub_code, &row->note,
                                       &row->effects, &row->opposite,
                                       &row->envelope};

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        enum ves_status status = ves_arena_copy(arena, *views[i], views[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

/* Stops at the first row that is of no use. */
static enum ves_status take_any(struct recovering *r,
                                const struct ves_log_row *row)
{
    uint32_t version;

    if (row->sequence_number != r->next || r->count == r->max ||
        r->next > r->limit || !is_ours(r, row, &version))
        return VES_AGAIN;
    struct ves_log_row *copy = &r->rows[r->count];
    *copy = *row;
    copy->receipt_key_version = version;
    copy->raw = ves_bytes(NULL, 0);
    enum ves_status status = copy_views(&r->arena, copy);
    if (status)
        return status;
    r->count++;
    r->next++;
    return VES_OK;
}

static bool is_later(const struct recovering *r, uint64_t number)
{
    return r->end > 0 && number >= r->end;
}

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct recovering *r = ctx;

    return is_later(r, row->sequence_number) ? VES_AGAIN : take_any(r, row);
}

/* The store followed the epoch after this one and kept what that gave up. */
static enum ves_status take_given_up(void *ctx, uint64_t epoch,
                                     const struct ves_log_row *row)
{
    struct recovering *r = ctx;

    return epoch != r->what->epoch + 1 ? VES_OK : take_any(r, row);
}

/* Where the store says a key is valid, if that can be. */
static enum ves_status read_span(struct recovering *r,
                                 const struct ves_log_row *row,
                                 struct ves_key_span *span)
{
    uint64_t n = row->sequence_number;

    enum ves_status status = r->store->ops->key_span_get(
        r->store, r->stream_no, &row->agent, row->agent_key_id, span);
    if (status && status != VES_NOT_FOUND)
        return store_failed(r, r->store, status);
    if (status || !span->is_found ||
        !ves_key_covers(span->valid_from_sequence, span->revoked_at_sequence,
                        n))
        *span =
            (struct ves_key_span){.is_found = true, .valid_from_sequence = n};
    return VES_OK;
}

/* A key that was registered after the backup: without it what its agent sends
 * next would be refused.  The file of a store is anybody's word; what shows
 * that this sequencer had that key is an event it signed a receipt for.  It was
 * for this stream; one that is known for another was for both. */
static enum ves_status learn_key(struct recovering *r,
                                 const struct ves_log_row *row)
{
    const struct ves_stream *stream = &r->stream.stream;
    struct ves_store *store = r->sequencer->store;
    struct ves_key_row known, key;
    struct ves_key_span span;

    enum ves_status status =
        store->ops->key_get(store, &stream->tenant, &row->agent,
                            row->agent_key_id, &r->arena, &known);
    bool is_known = status == VES_OK;
    if (status && status != VES_NOT_FOUND)
        return store_failed(r, store, status);
    if (is_known &&
        (!known.has_store || ves_uuid_equal(&known.store, &stream->store)))
        return VES_OK;
    status = r->store->ops->key_get(r->store, &stream->tenant, &row->agent,
                                    row->agent_key_id, &r->arena, &key);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK
                                       : store_failed(r, r->store, status);
    if (!ves_ed25519_verify(&key.public_key,
                            ves_bytes(row->event_hash.b, VES_HASH_SIZE),
                            &row->signature) ||
        (is_known &&
         memcmp(known.public_key.b, key.public_key.b, VES_KEY_SIZE) != 0))
        return VES_OK;
    key.has_store = !is_known;
    key.store = stream->store;
    status = read_span(r, row, &span);
    if (status)
        return status;
    status = store->ops->key_put(store, &key);
    if (!status)
        status = store->ops->key_span_put(
            store, r->stream.stream_no, &row->agent, row->agent_key_id, &span);
    return status ? store_failed(r, store, status) : VES_OK;
}

static enum ves_status learn_keys(struct recovering *r)
{
    const struct ves_log_row *last = NULL;
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < r->count && !status; i++) {
        const struct ves_log_row *row = &r->rows[i];
        if (last && last->agent_key_id == row->agent_key_id &&
            ves_uuid_equal(&last->agent, &row->agent))
            continue;
        status = learn_key(r, row);
        last = row;
    }
    return status;
}

static enum ves_status append(struct recovering *r)
{
    struct ves_store *store = r->sequencer->store;
    struct ves_tlog_row log = {.edge = ves_bytes(NULL, 0)};
    struct ves_log_tree tree;

    enum ves_status status =
        store->ops->tlog_get(store, r->stream.stream_no, &r->arena, &log);
    if (status && status != VES_NOT_FOUND)
        return status;
    status = ves_log_tree_open(&tree, store, &r->stream, log.edge, r->count,
                               &r->arena);
    if (!status)
        status = store->ops->log_append(store, r->stream.stream_no, r->rows,
                                        r->count);
    for (size_t i = 0; i < r->count && !status; i++)
        status =
            ves_log_tree_add(&tree, r->rows[i].sequence_number,
                             &r->rows[i].event_hash, &r->rows[i].signature);
    return status ? status : ves_log_tree_save(&tree);
}

/* ---- what a store sent and did not pull ---------------------------------- */

/* The event as it was pushed, in the form the log keeps. */
static enum ves_status read_pushed(struct recovering *r,
                                   const struct ves_outbox_row *pushed,
                                   struct ves_log_row *row, bool *is_good)
{
    struct ves_scratch envelope;
    struct ves_refusal refusal;
    struct ves_event event;
    struct ves_bytes bytes;

    *is_good = false;
    enum ves_status status =
        ves_arena_copy(&r->arena, pushed->envelope, &bytes);
    if (!status)
        status = ves_event_read(&r->arena, bytes, &event, &refusal);
    if (!status)
        status = ves_event_check(&r->arena, &event, &refusal);
    if (status || !ves_hash_equal(&event.event_hash, &pushed->event_hash) ||
        !ves_stream_equal(&event.stream, &r->stream.stream))
        return status == VES_NOMEM ? status : VES_OK;
    ves_scratch_init(&envelope, &r->arena, bytes.len + 64, ARENA_MAX / 2);
    ves_event_write_open(&envelope.buf, &event);
    *row =
        (struct ves_log_row){.sequence_number = pushed->sequence_number,
                             .event_id = event.event_id,
                             .event_hash = event.event_hash,
                             .sequenced_at_ms = pushed->sequenced_at_ms,
                             .sequencer_id = pushed->sequencer_id,
                             .has_receipt = pushed->has_receipt,
                             .receipt = pushed->receipt,
                             .receipt_key_version = pushed->receipt_key_version,
                             .envelope = ves_buf_view(&envelope.buf)};
    *is_good = true;
    return ves_buf_status(&envelope.buf);
}

static enum ves_status take_pushed(void *ctx,
                                   const struct ves_outbox_row *pushed)
{
    struct recovering *r = ctx;
    struct ves_log_row *row = &r->rows[0];
    bool is_good;

    enum ves_status status = read_pushed(r, pushed, row, &is_good);
    if (status || !is_good || !is_ours(r, row, &row->receipt_key_version))
        return status;
    r->count = 1;
    return VES_OK;
}

/* Its own event with the receipt for the number wanted: nobody pulled it, and
 * its author has it. */
static enum ves_status find_pushed(struct recovering *r)
{
    struct ves_store *from = r->store;
    struct ves_promise_row promise;
    size_t found;

    enum ves_status status =
        from->ops->outbox_promised(from, r->next, r->next, 1, &promise, &found);
    if (status || found == 0)
        return status;
    const struct ves_outbox_filter one = {
        .after_local_seq = promise.local_seq - 1, .limit = 1};
    status = from->ops->outbox_list(from, &one, take_pushed, r);
    if (!status)
        r->next += r->count;
    return status;
}

/* ---- what was found ------------------------------------------------------ */

/* One that nobody here knows is told by the tree. */
static enum ves_status is_signed(struct recovering *r,
                                 const struct ves_event *event, bool *out)
{
    struct ves_store *store = r->sequencer->store;
    struct ves_key_row key;

    enum ves_status status =
        store->ops->key_get(store, &event->stream.tenant, &event->agent,
                            event->agent_key_id, &r->event_arena, &key);
    *out = status ||
           ves_ed25519_verify(&key.public_key,
                              ves_bytes(event->event_hash.b, VES_HASH_SIZE),
                              &event->signature);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* A key that was registered, rotated or revoked after the backup is so again:
 * else the directory would go on letting sign whom the log forbids it. */
static enum ves_status note_keys(struct recovering *r,
                                 const struct ves_event *event,
                                 const struct ves_log_row *row)
{
    struct ves_error ignored;

    r->last_ms = row->sequenced_at_ms;
    return ves_key_log_add(&r->keys, event, row->sequence_number, &ignored);
}

/* The receipt is for an event's hash, and the file of a store is anybody's
 * word: is the envelope that event?  What else the row says follows from it. */
static enum ves_status check_row(struct recovering *r, struct ves_log_row *row,
                                 bool *is_good)
{
    struct ves_error ignored;
    struct ves_event event;

    *is_good = false;
    ves_arena_reset(&r->event_arena);
    enum ves_status status =
        ves_log_event_read(&r->event_arena, row->envelope, &ignored, &event);
    if (status)
        return status == VES_CORRUPT ? VES_OK : status;
    if (!ves_hash_equal(&event.event_hash, &row->event_hash) ||
        !ves_uuid_equal(&event.event_id, &row->event_id) ||
        !ves_stream_equal(&event.stream, &r->stream.stream))
        return VES_OK;
    row->signature = event.signature;
    row->agent = event.agent;
    row->agent_key_id = event.agent_key_id;
    row->agent_seq = event.context.is_present ? event.context.agent_seq : 0;
    row->has_command_id = event.has_command_id;
    row->command_id = event.command_id;
    ves_event_fingerprint(&event, &row->fingerprint);
    ves_entity_name(event.entity_type, event.entity_id, &r->entity);
    row->entity_key = r->entity.key;
    status = is_signed(r, &event, is_good);
    return status || !*is_good ? status : note_keys(r, &event, row);
}

static enum ves_status find_entity(struct recovering *r,
                                   const struct ves_entity_name *name,
                                   struct ves_entity_row **out)
{
    struct ves_store *store = r->sequencer->store;
    void **place = ves_map_slot(&r->ends, name->key.b);
    struct ves_entity_row known;

    if (!place)
        return VES_NOMEM;
    if (!*place) {
        struct ves_entity_row *end =
            ves_arena_alloc(&r->ends_arena, sizeof(*end));
        if (!end)
            return VES_NOMEM;
        enum ves_status status = store->ops->entity_get(
            store, r->stream.stream_no, name, 1, &r->event_arena, &known);
        if (status)
            return status;
        *end = (struct ves_entity_row){.key = name->key,
                                       .count = known.count,
                                       .last = known.last,
                                       .last_jump = known.last_jump};
        *place = end;
    }
    *out = *place;
    return VES_OK;
}

/* Puts row i into the chain of its entity, behind those before it. */
static enum ves_status link_row(struct recovering *r, size_t i)
{
    struct ves_log_row *row = &r->rows[i];
    uint64_t first = r->rows[0].sequence_number;
    struct ves_entity_row *end;

    enum ves_status status = find_entity(r, &r->entity, &end);
    if (status)
        return status;
    uint64_t wanted = ves_chain_wanted(end);
    if (wanted < first)
        return ves_chain_push(r->sequencer->store, r->stream.stream_no, end,
                              row);
    ves_chain_link(end, r->rows[wanted - first].entity_jump, row);
    return VES_OK;
}

/* Drops the first that is not good, and those behind it. */
static enum ves_status check_rows(struct recovering *r)
{
    for (size_t i = 0; i < r->count; i++) {
        bool is_good;
        enum ves_status status = check_row(r, &r->rows[i], &is_good);
        if (!status && is_good)
            status = link_row(r, i);
        if (status)
            return store_failed(r, r->sequencer->store, status);
        if (!is_good) {
            r->next = r->rows[i].sequence_number;
            r->count = i;
        }
    }
    return VES_OK;
}

static enum ves_status take_chunk(struct recovering *r)
{
    ves_arena_reset(&r->arena);
    r->count = 0;
    r->max = CHUNK;
    r->rows = ves_arena_list(&r->arena, CHUNK, sizeof(*r->rows));
    if (!r->rows)
        return ves_fail(r->error, VES_NOMEM, "out of memory");
    enum ves_status status = r->store->ops->log_read(
        r->store, r->stream_no, r->next, CHUNK, take_row, r);
    if (status && status != VES_AGAIN)
        return store_failed(r, r->store, status);
    if (r->count == 0 && r->next <= r->limit) {
        status = r->store->ops->given_up_read(r->store, r->stream_no, r->next,
                                              0, take_given_up, r);
        if (status && status != VES_AGAIN)
            return store_failed(r, r->store, status);
    }
    if (r->count == 0 && r->next <= r->limit && !is_later(r, r->next)) {
        status = find_pushed(r);
        if (status)
            return store_failed(r, r->store, status);
    }
    status = check_rows(r);
    if (status || r->count == 0)
        return status;
    status = append(r);
    return status ? store_failed(r, r->sequencer->store, status)
                  : learn_keys(r);
}

/* Where the store's log goes on in a later epoch. */
static enum ves_status find_end(struct recovering *r)
{
    struct ves_entity_events of;
    struct ves_epoch epoch;

    r->end = 0;
    ves_arena_reset(&r->arena);
    struct ves_note *note = ves_arena_alloc(&r->arena, sizeof(*note));
    if (!note)
        return ves_fail(r->error, VES_NOMEM, "out of memory");
    enum ves_status status =
        ves_entity_events_read(r->store, r->stream_no, VES_EPOCH_ENTITY_TYPE,
                               VES_EPOCH_ENTITY_ID, &r->arena, &of);
    if (status)
        return store_failed(r, r->store, status);
    for (size_t i = 0; i < of.count && r->end == 0; i++) {
        if (ves_epoch_is_opening(&of.events[i]) &&
            !ves_epoch_read(&of.events[i], of.sequences[i], &epoch, note,
                            NULL) &&
            epoch.number > r->what->epoch)
            r->end = of.sequences[i];
    }
    return VES_OK;
}

static enum ves_status take_from(struct recovering *r, struct ves_store *from)
{
    struct ves_stream_row row;

    enum ves_status status =
        from->ops->stream_get(from, &r->stream.stream, false, &row);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : store_failed(r, from, status);
    r->store = from;
    r->stream_no = row.stream_no;
    status = find_end(r);
    while (!status) {
        status = take_chunk(r);
        if (r->count == 0)
            break;
    }
    return status;
}

/* ---- all of them --------------------------------------------------------- */

struct search {
    const struct ves_hash *stream_id;
    struct ves_stream found;
};

static enum ves_status match(void *ctx, const struct ves_stream_row *row)
{
    struct search *search = ctx;
    struct ves_hash id;

    ves_stream_id(&row->stream, &id);
    if (!ves_hash_equal(&id, search->stream_id))
        return VES_OK;
    search->found = row->stream;
    return VES_AGAIN; /* found; stops the scan */
}

/* A stream younger than the backup is known to its stores only. */
static enum ves_status find_stream(struct recovering *r)
{
    struct ves_store *store = r->sequencer->store;
    struct search search = {.stream_id = &r->what->stream_id};

    enum ves_status status =
        store->ops->tlog_find(store, &r->what->stream_id, &r->stream);
    if (status != VES_NOT_FOUND)
        return status ? store_failed(r, store, status) : VES_OK;
    for (size_t i = 0; i < r->what->store_count; i++) {
        struct ves_store *from = r->what->stores[i];
        if (from->ops->stream_list(from, match, &search) != VES_AGAIN)
            continue;
        status = ves_sequencer_stream(r->sequencer, &search.found, &r->stream);
        return status ? store_failed(r, store, status) : VES_OK;
    }
    return ves_fail(r->error, VES_NOT_FOUND,
                    "none of the stores is of a stream that this database has "
                    "lost altogether; nothing was changed: name a store of it");
}

/* How much would be given up, and the head that everybody still has. */
static enum ves_status say_lost(struct recovering *r)
{
    struct ves_store *store = r->sequencer->store;
    unsigned long long first = r->next, size = r->what->size;
    char hex[2 * VES_HASH_SIZE + 1] = "";
    struct ves_hash root;

    enum ves_status status =
        ves_log_root_at(store, r->stream.stream_no, first - 1, &root);
    if (status)
        return store_failed(r, store, status);
    ves_hex_encode(root.b, VES_HASH_SIZE, hex);
    return ves_fail(r->error, VES_NOT_FOUND,
                    "event %llu is in none of these stores with a receipt of "
                    "this sequencer: of %llu signed events %llu are missing, "
                    "and the log can be made up to %llu, root %.64s. Nothing "
                    "was changed: name more stores, and copies of stores. If "
                    "these events are lost for good, --new-epoch --give-up "
                    "COUNT goes on without them, under another name of the "
                    "log, and tells every store (ves-serve(8), BACKUPS)",
                    first, size, size - first + 1, first - 1, hex);
}

/* Nothing else may be appended before the epoch's first event. */
static enum ves_status wait_for_epoch(struct recovering *r)
{
    static const char why[] =
        "the end of this log is given up, and the epoch that goes on from "
        "there is not opened yet; run ves admin recover --new-epoch again";
    struct ves_store *store = r->sequencer->store;

    enum ves_status status = store->ops->tlog_freeze(store, r->stream.stream_no,
                                                     1, ves_bytes_str(why));
    if (!status)
        status =
            store->ops->meta_put(store, "judge.version", ves_bytes_str("0"));
    return status ? store_failed(r, store, status) : VES_OK;
}

static enum ves_status check_root(struct recovering *r)
{
    struct ves_store *store = r->sequencer->store;
    struct ves_hash root;

    if (r->next <= r->what->size)
        return say_lost(r);
    enum ves_status status =
        ves_log_root_at(store, r->stream.stream_no, r->what->size, &root);
    if (status)
        return store_failed(r, store, status);
    return ves_hash_equal(&root, &r->what->root)
               ? VES_OK
               : ves_fail(r->error, VES_CORRUPT,
                          "the events that are there do not make the head of "
                          "%llu that was signed; nothing was changed: this "
                          "database has another history, keep it and all "
                          "stores",
                          (unsigned long long)r->what->size);
}

static enum ves_status take_hash(void *ctx, const struct ves_log_row *row)
{
    *(struct ves_hash *)ctx = row->event_hash;
    return VES_OK;
}

/* Behind the head no root tells whose history it is: has the store the event
 * that the log has, in the last place that both have? */
static enum ves_status is_same_history(struct recovering *r,
                                       struct ves_store *from, bool *out)
{
    struct ves_store *store = r->sequencer->store;
    struct ves_hash ours = {{0}}, theirs = {{0}};
    struct ves_stream_row row;

    *out = false;
    enum ves_status status =
        from->ops->stream_get(from, &r->stream.stream, false, &row);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : store_failed(r, from, status);
    uint64_t at = row.head < r->next - 1 ? row.head : r->next - 1;
    status =
        from->ops->log_read(from, row.stream_no, at, 1, take_hash, &theirs);
    if (status)
        return store_failed(r, from, status);
    status = store->ops->log_read(store, r->stream.stream_no, at, 1, take_hash,
                                  &ours);
    if (status)
        return store_failed(r, store, status);
    *out = at > 0 && ves_hash_equal(&ours, &theirs);
    return VES_OK;
}

/* One store goes on where another stops, and the other after it again. */
static enum ves_status take_from_all(struct recovering *r)
{
    enum ves_status status = VES_OK;
    uint64_t before;

    do {
        before = r->next;
        for (size_t i = 0; i < r->what->store_count && !status; i++) {
            struct ves_store *from = r->what->stores[i];
            bool agrees = r->limit == r->what->size;
            if (!agrees)
                status = is_same_history(r, from, &agrees);
            if (!status && agrees)
                status = take_from(r, from);
        }
    } while (!status && r->next > before && r->next <= r->limit);
    return status;
}

static enum ves_status recover(struct recovering *r)
{
    struct ves_store *store = r->sequencer->store;
    struct ves_uuid secret;
    struct ves_hash hash;

    /* No entity of a stranger's choice is in there: all have receipts. */
    ves_sha256_one(r->what->root.b, VES_HASH_SIZE, &hash);
    memcpy(secret.b, hash.b, VES_UUID_SIZE);
    enum ves_status status = ves_map_init(
        &r->ends, &r->ends_arena, VES_HASH_SIZE, ENDS_EXPECTED, &secret);
    if (status)
        return store_failed(r, store, status);
    status = find_stream(r);
    ves_key_log_open(&r->keys, store, r->stream.stream_no, &r->stream.stream,
                     r->stream.has_owner_key ? &r->stream.owner_key : NULL,
                     &r->sequencer->sequencer_id, &r->keys_arena);
    r->next = r->stream.head + 1;
    r->limit = r->what->size;
    if (!status)
        status = take_from_all(r);
    if (!status && r->what->lost && r->next <= r->what->size) {
        *r->what->lost = r->what->size - r->next + 1;
        if (r->what->gives_up)
            return wait_for_epoch(r);
    }
    if (!status)
        status = check_root(r);
    if (!status && r->what->takes_more) {
        r->limit = INT64_MAX;
        status = take_from_all(r);
    }
    if (!status)
        status = store->ops->tlog_freeze(store, r->stream.stream_no, 0,
                                         ves_bytes(NULL, 0));
    /* Conflicts and entities follow from the events. */
    if (!status && r->next - 1 > r->stream.head)
        status =
            store->ops->meta_put(store, "judge.version", ves_bytes_str("0"));
    return status;
}

enum ves_status ves_log_recover(struct ves_sequencer *sequencer,
                                const struct ves_log_recovery *what,
                                uint64_t *events, struct ves_error *error)
{
    struct recovering r = {
        .sequencer = sequencer, .what = what, .error = error};
    struct ves_store *store = sequencer->store;

    *events = 0;
    /* A recovery before this one left it to others to work the entities out,
     * and pushed events are linked behind them. */
    enum ves_status status = ves_sequencer_upgrade(sequencer);
    if (!status)
        status = store->ops->begin(store);
    if (status)
        return store_failed(&r, store, status);
    ves_arena_init(&r.arena, sequencer->alloc, ARENA_MAX);
    ves_arena_init(&r.event_arena, sequencer->alloc, ARENA_MAX);
    ves_arena_init(&r.ends_arena, sequencer->alloc, ARENA_MAX);
    ves_arena_init(&r.keys_arena, sequencer->alloc, ARENA_MAX);
    status = recover(&r);
    if (!status) {
        status = ves_key_log_save(&r.keys, r.last_ms);
        if (status)
            (void)store_failed(&r, store, status);
    }
    if (!status) {
        *events = r.next - 1 - r.stream.head;
        status = store->ops->commit(store);
        if (status)
            (void)store_failed(&r, store, status);
    }
    if (status)
        store->ops->rollback(store);
    ves_arena_free(&r.keys_arena);
    ves_arena_free(&r.ends_arena);
    ves_arena_free(&r.event_arena);
    ves_arena_free(&r.arena);
    return status;
}
