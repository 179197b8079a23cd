/* walk.c -- the log read once: every event, receipt, chain, commitment, and
 * the tree over them. */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/entity.h"
#include "core/event.h"
#include "core/merkle.h"
#include "core/receipt.h"
#include "crypto/crypto.h"
#include "engine/sequencer_keys.h"

enum {
    EVENT_ARENA_MAX = 64 * 1024 * 1024,
    ENVELOPE_MAX = 32 * 1024 * 1024,
    PROGRESS_STEP = 500
};

struct key {
    struct ves_public_key key;
    struct ves_key_span span;
};

/* The map's key: agent, then key id. */
struct key_name {
    uint8_t b[32];
};

struct walk {
    struct ves_audit *audit;
    struct ves_audit_stream *stream;
    struct ves_arena arena; /* of one event */
    struct ves_buf envelope, again;
    uint64_t next;
    /* The commitment whose events are passing; NULL: none. */
    struct ves_audit_commitment *commitment;
    uint64_t committed_end;
    struct ves_hash state_root, stream_id;
    struct ves_hash *leaves, *scratch;
    size_t leaf_count;
    uint64_t own_counts[VES_OUTBOX_STATUSES];
    struct ves_uuid sequencer; /* as the store has it; nil: it has not */
    bool is_stopped;
};

/* ---- keys ---------------------------------------------------------------- */

static struct key_name name_of(const struct ves_uuid *agent, uint32_t key_id)
{
    struct key_name name = {{0}};

    memcpy(name.b, agent->b, VES_UUID_SIZE);
    memcpy(name.b + VES_UUID_SIZE, &key_id, sizeof(key_id));
    return name;
}

/* Both roles write the span with the key, so one that is gone was taken; the
 * sequencer's own keys need none. */
static void check_span(struct walk *walk, const struct ves_key_row *row,
                       const struct ves_key_span *span)
{
    char agent[VES_UUID_TEXT + 1];

    if (span->is_found || !ves_key_is_for(row, &walk->stream->row.stream) ||
        ves_uuid_equal(&row->agent, &walk->stream->logged.log.sequencer))
        return;
    ves_uuid_format(&row->agent, agent);
    ves_audit_find(walk->audit, VES_AUDIT_KEYS, 0,
                   "from which number on key %u of agent %s is valid is not "
                   "in the file",
                   row->key_id, agent);
}

static enum ves_status take_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct walk *walk = ctx;
    struct key_name name = name_of(&row->agent, row->key_id);
    struct key *key = ves_arena_alloc(&walk->audit->arena, sizeof(*key));
    void **slot = ves_map_slot(&walk->stream->keys, name.b);

    if (!key || !slot)
        return VES_NOMEM;
    *key = (struct key){row->public_key, *span};
    *slot = key;
    check_span(walk, row, span);
    return VES_OK;
}

/* The key of an event, whether or not it may sign there; false: unknown.  The
 * log's word counts, the directory's where it has none. */
static bool check_key(struct walk *walk, const struct ves_log_row *row,
                      struct ves_public_key *out)
{
    struct key_name name = name_of(&row->agent, row->agent_key_id);
    const struct key *key = ves_map_get(&walk->stream->keys, name.b);
    uint64_t n = row->sequence_number;

    ves_audit_count(walk->audit, VES_AUDIT_KEYS, 1);
    if (ves_audit_keys_own(walk->audit, walk->stream, &row->agent,
                           row->agent_key_id, out) ||
        ves_audit_keys_check(walk->audit, walk->stream, row, out) !=
            VES_AUDIT_KEY_UNKNOWN)
        return true;
    if (key)
        *out = key->key;
    if (!key)
        ves_audit_find(walk->audit, VES_AUDIT_KEYS, n,
                       "its agent's key %u is in no directory here",
                       row->agent_key_id);
    else if (key->span.is_found &&
             !ves_key_covers(key->span.valid_from_sequence,
                             key->span.revoked_at_sequence, n))
        ves_audit_find(walk->audit, VES_AUDIT_KEYS, n,
                       "its agent's key %u is not valid at this number",
                       row->agent_key_id);
    return key != NULL;
}

/* ---- one event ----------------------------------------------------------- */

static void differs(struct walk *walk, const struct ves_log_row *row,
                    const char *what)
{
    ves_audit_find(walk->audit, VES_AUDIT_EVENTS, row->sequence_number,
                   "the row says another %s than the event", what);
}

static void compare(struct walk *walk, const struct ves_log_row *row,
                    const struct ves_event *event)
{
    struct ves_hash key, fingerprint;

    ves_entity_key(event->entity_type, event->entity_id, &key);
    ves_event_fingerprint(event, &fingerprint);
    if (!ves_uuid_equal(&row->event_id, &event->event_id))
        differs(walk, row, "event id");
    if (!ves_hash_equal(&row->event_hash, &event->event_hash))
        differs(walk, row, "hash");
    if (!ves_hash_equal(&row->fingerprint, &fingerprint))
        differs(walk, row, "fingerprint");
    if (memcmp(row->signature.b, event->signature.b, VES_SIG_SIZE) != 0)
        differs(walk, row, "signature");
    if (!ves_uuid_equal(&row->agent, &event->agent) ||
        row->agent_key_id != event->agent_key_id)
        differs(walk, row, "agent or key");
    if (row->agent_seq !=
        (event->context.is_present ? event->context.agent_seq : 0))
        differs(walk, row, "place in its agent's chain");
    if (!ves_hash_equal(&row->entity_key, &key))
        differs(walk, row, "entity");
    if (row->has_command_id != event->has_command_id ||
        (row->has_command_id &&
         !ves_uuid_equal(&row->command_id, &event->command_id)))
        differs(walk, row, "command id");
    if (!ves_stream_equal(&walk->stream->row.stream, &event->stream))
        ves_audit_find(walk->audit, VES_AUDIT_EVENTS, row->sequence_number,
                       "the event is of another stream");
}

/* Reads the stored envelope; false when it is not what it should be. */
static enum ves_status read_event(struct walk *walk,
                                  const struct ves_log_row *row,
                                  struct ves_event *event, bool *is_whole)
{
    struct ves_refusal refusal;

    *is_whole = false;
    ves_buf_reset(&walk->envelope);
    ves_buf_put_bytes(&walk->envelope, row->envelope);
    ves_buf_put_u8(&walk->envelope, '}');
    if (ves_buf_status(&walk->envelope))
        return ves_buf_status(&walk->envelope);
    enum ves_status status = ves_event_read(
        &walk->arena, ves_buf_view(&walk->envelope), event, &refusal);
    if (!status)
        status = ves_event_check_logged(&walk->arena, event, &refusal);
    if (status == VES_REFUSED) {
        ves_audit_find(walk->audit, VES_AUDIT_EVENTS, row->sequence_number,
                       "the event is not what it says: %s", refusal.message);
        return VES_OK;
    }
    if (status)
        return status;
    /* One event has one text here, so that a changed byte is always seen. */
    ves_buf_reset(&walk->again);
    ves_event_write_open(&walk->again, event);
    if (ves_buf_status(&walk->again))
        return ves_buf_status(&walk->again);
    *is_whole = ves_bytes_equal(ves_buf_view(&walk->again), row->envelope);
    if (!*is_whole)
        ves_audit_find(walk->audit, VES_AUDIT_EVENTS, row->sequence_number,
                       "the event is spelt in another way than it was stored");
    else
        compare(walk, row, event);
    return VES_OK;
}

static enum ves_status
check_receipt(struct walk *walk, const struct ves_uuid *event_id,
              uint64_t sequence, const struct ves_hash *event_hash,
              const struct ves_sig *receipt, uint32_t version)
{
    struct ves_audit *audit = walk->audit;
    struct ves_public_key keys[VES_AUDIT_KEYS_MAX];
    struct ves_hash hash;
    size_t count = 0;

    ves_audit_count(audit, VES_AUDIT_RECEIPTS, 1);
    for (size_t i = 0; i < audit->key_count; i++) {
        if (version == 0 || audit->keys[i].version == version)
            keys[count++] = audit->keys[i].key;
    }
    if (count == 0) {
        ves_audit_find(audit, VES_AUDIT_RECEIPTS, sequence,
                       "the receipt is by version %u of the sequencer's key, "
                       "which is not known here",
                       version);
        return VES_OK;
    }
    ves_receipt_hash(&walk->stream->row.stream, event_id, sequence, event_hash,
                     &hash);
    return ves_audit_checker_add(audit, VES_AUDIT_RECEIPTS, sequence, keys,
                                 count, &hash, receipt);
}

/* ---- trees --------------------------------------------------------------- */

static void end_commitment(struct walk *walk)
{
    const struct ves_commitment_row *row = &walk->commitment->row;
    struct ves_audit *audit = walk->audit;
    struct ves_hash root, state;

    ves_audit_count(audit, VES_AUDIT_COMMITMENTS, 1);
    if (row->sequence_start != walk->committed_end + 1 ||
        !ves_hash_equal(&row->prev_state_root, &walk->state_root))
        ves_audit_find(audit, VES_AUDIT_COMMITMENTS, row->sequence_start,
                       "the commitment of %llu to %llu does not continue the "
                       "one before it",
                       (unsigned long long)row->sequence_start,
                       (unsigned long long)row->sequence_end);
    if (walk->leaf_count != row->leaf_count ||
        ves_merkle_root(walk->leaves, walk->leaf_count, walk->scratch, &root) ||
        !ves_hash_equal(&root, &row->merkle_root))
        ves_audit_find(audit, VES_AUDIT_COMMITMENTS, row->sequence_start,
                       "the events %llu to %llu do not lead to the root that "
                       "was committed",
                       (unsigned long long)row->sequence_start,
                       (unsigned long long)row->sequence_end);
    ves_state_root(&walk->stream_id, &row->prev_state_root, &row->merkle_root,
                   row->sequence_start, row->sequence_end, row->leaf_count,
                   &state);
    if (!ves_hash_equal(&state, &row->new_state_root))
        ves_audit_find(audit, VES_AUDIT_COMMITMENTS, row->sequence_start,
                       "the state root of the commitment of %llu to %llu is "
                       "wrong",
                       (unsigned long long)row->sequence_start,
                       (unsigned long long)row->sequence_end);
    walk->committed_end = row->sequence_end;
    walk->state_root = row->new_state_root;
    walk->leaf_count = 0;
    walk->commitment = walk->commitment->next;
}

static enum ves_status add_leaf(struct walk *walk,
                                const struct ves_log_row *row)
{
    const struct ves_leaf leaf = {walk->stream->row.stream,
                                  row->sequence_number, row->event_hash,
                                  row->signature};
    const struct ves_commitment_row *commitment =
        walk->commitment ? &walk->commitment->row : NULL;
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    ves_leaf_write(&leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    enum ves_status status =
        ves_audit_tree_add(walk->audit, walk->stream, &hash);
    if (status)
        return status;
    if (!commitment || row->sequence_number < commitment->sequence_start)
        return VES_OK;
    if (walk->leaf_count < VES_COMMITMENT_MAX)
        ves_sha256_one(entry, sizeof(entry), &walk->leaves[walk->leaf_count++]);
    if (row->sequence_number >= commitment->sequence_end)
        end_commitment(walk);
    return VES_OK;
}

/* ---- the log ------------------------------------------------------------- */

static unsigned bucket_of(const struct ves_audit_stream *stream, int64_t at_ms)
{
    int64_t span = stream->last_ms - stream->first_ms;

    if (at_ms <= stream->first_ms || span <= 0)
        return 0;
    if (at_ms >= stream->last_ms)
        return VES_AUDIT_BUCKETS - 1;
    return (unsigned)((double)(at_ms - stream->first_ms) / (double)span *
                      (VES_AUDIT_BUCKETS - 1));
}

/* A store made without an invitation may have joined a sequencer of another
 * implementation, whose pages have none. */
static void lacks_receipt(struct walk *walk, uint64_t sequence_number)
{
    struct ves_audit *audit = walk->audit;

    if (audit->role == VES_STORE_DEVICE && ves_uuid_is_nil(&walk->sequencer))
        ves_audit_unknown(audit, VES_AUDIT_RECEIPTS,
                          "the sequencer gives no receipts for what is pulled");
    else
        ves_audit_find(audit, VES_AUDIT_RECEIPTS, sequence_number,
                       "the event has no receipt");
}

/* Who gave it its number; nobody is named where there was no receipt. */
static void check_sequencer(struct walk *walk, const struct ves_log_row *row)
{
    const struct ves_uuid *known = &walk->sequencer;

    if (!ves_uuid_is_nil(known) && !ves_uuid_is_nil(&row->sequencer_id) &&
        !ves_uuid_equal(known, &row->sequencer_id))
        differs(walk, row, "sequencer");
}

static enum ves_status visit(void *ctx, const struct ves_log_row *row)
{
    struct walk *walk = ctx;
    struct ves_audit *audit = walk->audit;
    const struct ves_audit_options *options = audit->options;
    unsigned bucket = bucket_of(walk->stream, row->sequenced_at_ms);
    enum ves_status status = VES_OK;
    struct ves_event event;
    bool is_whole = false;

    ves_arena_reset(&walk->arena);
    if (row->sequence_number != walk->next)
        ves_audit_find(audit, VES_AUDIT_ORDER, walk->next,
                       "the log has number %llu where %llu must stand",
                       (unsigned long long)row->sequence_number,
                       (unsigned long long)walk->next);
    walk->next = row->sequence_number + 1;
    ves_audit_count(audit, VES_AUDIT_ORDER, 1);
    if (row->envelope.len == 0) {
        walk->stream->pruned++;
    } else {
        ves_audit_count(audit, VES_AUDIT_EVENTS, 1);
        status = read_event(walk, row, &event, &is_whole);
    }
    ves_audit_links_check(audit, walk->stream, row);
    check_sequencer(walk, row);
    struct ves_public_key key;
    if (!status && is_whole)
        status = ves_audit_keys_take(audit, walk->stream, &event,
                                     row->sequence_number);
    if (!status && is_whole)
        status = ves_audit_epoch_take(audit, walk->stream, &event,
                                      row->sequence_number, &walk->arena);
    if (check_key(walk, row, &key) && !status) {
        ves_audit_count(audit, VES_AUDIT_SIGNATURES, 1);
        status = ves_audit_checker_add(
            audit, VES_AUDIT_SIGNATURES, row->sequence_number, &key, 1,
            is_whole ? &event.event_hash : &row->event_hash, &row->signature);
    }
    if (!row->has_receipt)
        lacks_receipt(walk, row->sequence_number);
    else if (!status)
        status = check_receipt(walk, &row->event_id, row->sequence_number,
                               &row->event_hash, &row->receipt,
                               row->receipt_key_version);
    if (!status)
        status = ves_audit_chain(audit, walk->stream, row,
                                 is_whole ? &event : NULL, bucket);
    if (!status)
        status = add_leaf(walk, row);
    walk->stream->volume[bucket]++;
    audit->done++;
    if (!status && options->progress && audit->done % PROGRESS_STEP == 0 &&
        !options->progress(options->progress_ctx, "events", audit->done,
                           audit->total)) {
        walk->is_stopped = true;
        return VES_AGAIN;
    }
    return status;
}

/* An entity is found by the hash of its name. */
static enum ves_status check_entity(void *ctx, const struct ves_entity_row *row)
{
    struct walk *walk = ctx;
    struct ves_hash key;

    ves_entity_key(row->entity_type, row->entity_id, &key);
    if (!ves_hash_equal(&key, &row->key))
        ves_audit_find(walk->audit, VES_AUDIT_STATE, 0,
                       "an entity stands under another name than its own");
    return VES_OK;
}

struct times {
    int64_t *at_ms;
};

static enum ves_status take_time(void *ctx, const struct ves_log_row *row)
{
    const struct times *times = ctx;

    *times->at_ms = row->sequenced_at_ms;
    return VES_OK;
}

static enum ves_status read_times(struct walk *walk)
{
    struct ves_store *store = walk->audit->store;
    struct ves_audit_stream *stream = walk->stream;
    struct times first = {&stream->first_ms}, last = {&stream->last_ms};

    enum ves_status status = store->ops->log_read(store, stream->row.stream_no,
                                                  1, 1, take_time, &first);
    return status ? status
                  : store->ops->log_read(store, stream->row.stream_no,
                                         stream->row.head, 1, take_time, &last);
}

/* Appends commitments to a list. */
struct list {
    struct ves_arena *arena;
    struct ves_audit_commitment **end;
};

static enum ves_status list_commitment(void *ctx,
                                       const struct ves_commitment_row *row)
{
    struct list *list = ctx;
    struct ves_audit_commitment *item =
        ves_arena_alloc(list->arena, sizeof(*item));

    if (!item)
        return VES_NOMEM;
    item->row = *row;
    *list->end = item;
    list->end = &item->next;
    return VES_OK;
}

static enum ves_status read_sequencer(struct walk *walk)
{
    struct ves_audit *audit = walk->audit;
    struct ves_bytes text;

    enum ves_status status = audit->store->ops->meta_get(
        audit->store, "sequencer.id", &audit->arena, &text);
    if (!status && ves_uuid_parse(text, &walk->sequencer))
        ves_audit_find(audit, VES_AUDIT_EVENTS, 0,
                       "the id of the sequencer in the store is none");
    return status;
}

static enum ves_status prepare(struct walk *walk)
{
    struct ves_audit *audit = walk->audit;
    struct ves_audit_stream *stream = walk->stream;
    struct ves_store *store = audit->store;
    struct list list = {&audit->arena, &stream->commitments};

    if (read_sequencer(walk) == VES_NOMEM)
        return VES_NOMEM;
    stream->agent_end = &stream->first_agent;
    walk->leaves = ves_arena_alloc(&audit->arena,
                                   VES_COMMITMENT_MAX * sizeof(*walk->leaves));
    walk->scratch = ves_arena_alloc(&audit->arena, VES_COMMITMENT_MAX *
                                                       sizeof(*walk->scratch));
    if (!walk->leaves || !walk->scratch ||
        ves_map_init(&stream->agents, &audit->arena, VES_UUID_SIZE, 64,
                     &audit->secret) ||
        ves_map_init(&stream->keys, &audit->arena, sizeof(struct key_name), 64,
                     &audit->secret))
        return VES_NOMEM;
    ves_stream_id(&stream->row.stream, &walk->stream_id);
    ves_audit_keys_open(audit, stream);
    enum ves_status status =
        store->ops->key_list(store, &stream->row.stream.tenant, NULL,
                             stream->row.stream_no, take_key, walk);
    if (!status && audit->role == VES_STORE_SEQUENCER)
        status = store->ops->commitment_list(store, stream->row.stream_no, 1, 0,
                                             list_commitment, &list);
    walk->commitment = stream->commitments;
    if (!status)
        status = ves_audit_tree_open(audit, stream);
    if (!status)
        status = ves_audit_links_open(audit, stream);
    return status ? status : read_times(walk);
}

/* A list that cannot be gone along is found, not an end of all looking: where
 * it is broken, the rows say (rows.c). */
static enum ves_status check_entities(struct walk *walk)
{
    static const struct ves_hash first;
    struct ves_audit *audit = walk->audit;
    struct ves_store *store = audit->store;

    enum ves_status status =
        store->ops->entity_scan(store, walk->stream->row.stream_no, &first, 0,
                                ves_bytes_str(""), check_entity, walk);
    if (status != VES_CORRUPT || walk->is_stopped)
        return status;
    ves_audit_find(audit, VES_AUDIT_STATE, 0,
                   "the entities cannot be read to the end along the lists of "
                   "their buckets");
    return VES_OK;
}

enum ves_status ves_audit_walk(struct ves_audit *audit,
                               struct ves_audit_stream *stream)
{
    struct walk walk = {.audit = audit, .stream = stream, .next = 1};
    struct ves_store *store = audit->store;

    audit->walked = stream->row.stream_no;
    ves_arena_init(&walk.arena, audit->alloc, EVENT_ARENA_MAX);
    ves_buf_init(&walk.envelope, audit->alloc, ENVELOPE_MAX);
    ves_buf_init(&walk.again, audit->alloc, ENVELOPE_MAX);
    enum ves_status status = prepare(&walk);
    if (!status)
        status = store->ops->log_read(store, stream->row.stream_no, 1, 0, visit,
                                      &walk);
    if (!status)
        status = ves_audit_tree_end(audit, stream);
    if (!status)
        status = ves_audit_keys_end(audit, stream);
    if (!status)
        status = check_entities(&walk);
    if (!status && walk.next != stream->row.head + 1)
        ves_audit_find(audit, VES_AUDIT_ORDER, walk.next,
                       "the log ends at %llu, the stream at %llu",
                       (unsigned long long)walk.next - 1,
                       (unsigned long long)stream->row.head);
    if (!status && walk.commitment)
        ves_audit_find(audit, VES_AUDIT_COMMITMENTS,
                       walk.commitment->row.sequence_start,
                       "the commitment of %llu to %llu is of events that are "
                       "not there",
                       (unsigned long long)walk.commitment->row.sequence_start,
                       (unsigned long long)walk.commitment->row.sequence_end);
    if (!status && (walk.committed_end != stream->row.committed_end ||
                    !ves_hash_equal(&walk.state_root, &stream->row.state_root)))
        ves_audit_find(audit, VES_AUDIT_COMMITMENTS, stream->row.committed_end,
                       "the stream says another end of what is committed than "
                       "its commitments");
    audit->walked = 0;
    ves_audit_links_close(stream);
    ves_arena_free(&walk.arena);
    ves_buf_free(&walk.envelope);
    ves_buf_free(&walk.again);
    if (status && !walk.is_stopped && status != VES_NOMEM &&
        status != VES_CONFLICT)
        return ves_fail(audit->error, status, "reading the log: %s",
                        store->error.text[0] ? store->error.text
                                             : ves_status_message(status));
    return status;
}

/* ---- own events ---------------------------------------------------------- */

static bool is_row_of(const struct ves_outbox_row *row,
                      const struct ves_event *event)
{
    const struct ves_context *context = &event->context;
    struct ves_hash entity;

    ves_entity_key(event->entity_type, event->entity_id, &entity);
    return ves_hash_equal(&row->event_hash, &event->event_hash) &&
           ves_uuid_equal(&row->event_id, &event->event_id) &&
           ves_hash_equal(&row->entity_key, &entity) &&
           ves_bytes_equal(row->entity_type, event->entity_type) &&
           ves_bytes_equal(row->entity_id, event->entity_id) &&
           ves_bytes_equal(row->event_type, event->event_type) &&
           ves_bytes_equal(row->created_at, event->created_at) &&
           row->agent_seq == (context->is_present ? context->agent_seq : 0) &&
           row->has_command_id == event->has_command_id &&
           (!row->has_command_id ||
            ves_uuid_equal(&row->command_id, &event->command_id)) &&
           row->cmd_index == context->cmd_index &&
           row->cmd_count == context->cmd_count;
}

/* is_logged: its signature was looked at in the log. */
static enum ves_status
check_own(struct walk *walk, const struct ves_outbox_row *row, bool is_logged)
{
    struct ves_audit *audit = walk->audit;
    struct ves_refusal refusal;
    struct ves_event event;

    enum ves_status status =
        ves_event_read(&walk->arena, row->envelope, &event, &refusal);
    if (!status)
        status = ves_event_check_logged(&walk->arena, &event, &refusal);
    if (status == VES_REFUSED) {
        ves_audit_find(audit, VES_AUDIT_OUTBOX, 0,
                       "own event %llu is not what it says: %s",
                       (unsigned long long)row->local_seq, refusal.message);
        return VES_OK;
    }
    if (status)
        return status;
    if (!is_row_of(row, &event))
        ves_audit_find(audit, VES_AUDIT_OUTBOX, 0,
                       "own event %llu has a row that says something else",
                       (unsigned long long)row->local_seq);
    if (is_logged)
        return VES_OK;
    struct key_name name = name_of(&event.agent, event.agent_key_id);
    const struct key *key = ves_map_get(&walk->stream->keys, name.b);
    if (!key) {
        ves_audit_unknown(audit, VES_AUDIT_OUTBOX,
                          "own event %llu is signed by a key that is in no "
                          "directory here",
                          (unsigned long long)row->local_seq);
        return VES_OK;
    }
    return ves_audit_checker_add(audit, VES_AUDIT_OUTBOX, row->local_seq,
                                 &key->key, 1, &event.event_hash,
                                 &event.signature);
}

/* Is an own event, with its receipt, byte for byte what stands in the log? */
struct logged {
    const struct ves_outbox_row *own;
    bool is_there; /* an event of that number, whichever */
    bool is_it, has_receipt, has_envelope;
};

static enum ves_status compare_logged(void *ctx, const struct ves_log_row *row)
{
    struct logged *logged = ctx;
    const struct ves_outbox_row *own = logged->own;
    size_t len = row->envelope.len;

    logged->is_there = row->sequence_number == own->sequence_number;
    if (!logged->is_there || !ves_uuid_equal(&row->event_id, &own->event_id) ||
        !ves_hash_equal(&row->event_hash, &own->event_hash) ||
        !ves_hash_equal(&row->entity_key, &own->entity_key) ||
        row->agent_seq != own->agent_seq)
        return VES_OK;
    logged->is_it = row->sequenced_at_ms == own->sequenced_at_ms &&
                    (ves_uuid_is_nil(&row->sequencer_id) || /* no receipt */
                     ves_uuid_equal(&row->sequencer_id, &own->sequencer_id));
    logged->has_receipt =
        row->has_receipt && own->has_receipt &&
        row->receipt_key_version == own->receipt_key_version &&
        memcmp(row->receipt.b, own->receipt.b, VES_SIG_SIZE) == 0;
    logged->has_envelope =
        len > 0 && own->envelope.len == len + 1 &&
        memcmp(own->envelope.ptr, row->envelope.ptr, len) == 0 &&
        own->envelope.ptr[len] == '}';
    return VES_OK;
}

static enum ves_status find_logged(struct walk *walk, struct logged *logged)
{
    struct ves_store *store = walk->audit->store;

    if (logged->own->sequence_number == 0)
        return VES_OK;
    return store->ops->log_read(store, walk->stream->row.stream_no,
                                logged->own->sequence_number, 1, compare_logged,
                                logged);
}

/* What stands in the log was looked at there, and is not once more. */
static enum ves_status visit_own(void *ctx, const struct ves_outbox_row *row)
{
    struct walk *walk = ctx;
    struct ves_audit *audit = walk->audit;
    struct logged logged = {.own = row};

    ves_arena_reset(&walk->arena);
    ves_audit_count(audit, VES_AUDIT_OUTBOX, 1);
    walk->own_counts[row->status]++;
    enum ves_status status = find_logged(walk, &logged);
    if (!status && row->has_receipt && !logged.has_receipt)
        status = check_receipt(walk, &row->event_id, row->sequence_number,
                               &row->event_hash, &row->receipt,
                               row->receipt_key_version);
    if (status)
        return status;
    if (logged.is_there && !logged.is_it)
        ves_audit_find(audit, VES_AUDIT_OUTBOX, row->sequence_number,
                       "own event %llu is not what the log has at its number",
                       (unsigned long long)row->local_seq);
    if (!row->has_receipt && row->status == VES_OUTBOX_SYNCED)
        ves_audit_find(audit, VES_AUDIT_OUTBOX, 0,
                       "own event %llu is called synced without a receipt",
                       (unsigned long long)row->local_seq);
    if (row->envelope.len == 0 && row->status != VES_OUTBOX_SYNCED)
        ves_audit_find(audit, VES_AUDIT_OUTBOX, 0,
                       "own event %llu has no body although it is not synced",
                       (unsigned long long)row->local_seq);
    return row->envelope.len == 0 ? VES_OK
                                  : check_own(walk, row, logged.has_envelope);
}

/* What people are shown as waiting, or as synced. */
static enum ves_status check_counts(struct walk *walk)
{
    struct ves_store *store = walk->audit->store;
    uint64_t counts[VES_OUTBOX_STATUSES];

    enum ves_status status = store->ops->outbox_counts(store, counts);
    if (!status && memcmp(counts, walk->own_counts, sizeof(counts)) != 0)
        ves_audit_find(walk->audit, VES_AUDIT_OUTBOX, 0,
                       "the store counts its own events wrongly");
    return status;
}

enum ves_status ves_audit_outbox(struct ves_audit *audit)
{
    const struct ves_outbox_filter all = {0};
    struct walk walk = {.audit = audit, .stream = audit->streams};
    struct ves_store *store = audit->store;

    if (!walk.stream)
        return VES_OK;
    ves_arena_init(&walk.arena, audit->alloc, EVENT_ARENA_MAX);
    enum ves_status status =
        store->ops->outbox_list(store, &all, visit_own, &walk);
    if (!status)
        status = check_counts(&walk);
    ves_arena_free(&walk.arena);
    if (status && status != VES_NOMEM && status != VES_CONFLICT)
        return ves_fail(audit->error, status, "reading the outbox: %s",
                        store->error.text);
    return status;
}
