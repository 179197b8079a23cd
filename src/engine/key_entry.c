/* key_entry.c -- what becomes known of keys enters the logs of streams that
 * have an owner, in the transaction that makes it known (ADR 0025).
 *
 * The tables change first; then every difference between them and the log is
 * an event.  So a key that was registered before its stream had an owner, or
 * by a sequencer that entered none, is entered the same way, later.
 */
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "engine/commit.h"
#include "engine/own_event.h"
#include "engine/sequencer_keys.h"
#include "engine/streams.h"

/* One call from outside. */
struct entry {
    struct ves_sequencer *sequencer;
    int64_t now_ms;
    struct ves_error *error;
    struct ves_arena *arena; /* of the commit */
    struct ves_ingest **ingests;
    size_t *count;
    /* What it is about. */
    const struct ves_key_row *row;         /* to register */
    const struct ves_uuid *tenant, *agent; /* whose key is revoked */
    uint32_t key_id;
    const struct ves_sig *owner_signature;
    const struct ves_stream *stream; /* of event */
    const struct ves_key_event *event;
    const struct ves_key_event *versions; /* of the sequencer's key */
    size_t version_count;
};

/* One stream of it. */
struct place {
    struct entry *entry;
    const struct ves_stream_row *stream;
    struct ves_key_log log;
    uint64_t head; /* after what was entered so far */
};

/* ---- one event ----------------------------------------------------------- */

static enum ves_status add_event(struct place *place,
                                 const struct ves_key_event *event)
{
    struct entry *entry = place->entry;
    struct ves_own_event what = {.stream = place->stream->stream,
                                 .event_type = ves_key_event_type(event->kind),
                                 .entity_type = VES_KEY_ENTITY_TYPE,
                                 .entity_id = VES_KEY_ENTITY_ID};
    struct ves_scratch payload;

    ves_scratch_init(&payload, entry->arena, 1024, VES_KEY_EVENT_MAX);
    ves_key_event_write(&payload.buf, event);
    what.payload = ves_buf_view(&payload.buf);
    enum ves_status status = ves_buf_status(&payload.buf);
    if (status)
        return status;
    struct ves_ingest *ingest = ves_arena_alloc(entry->arena, sizeof(*ingest));
    if (!ingest)
        return VES_NOMEM;
    if (place->head == place->stream->head) /* its first of this call */
        status = ves_own_key_put(entry->sequencer, &what.stream.tenant);
    if (!status)
        status = ves_own_event_prepare(entry->sequencer, &what, entry->now_ms,
                                       entry->arena, ingest);
    if (status)
        return status;
    entry->ingests[(*entry->count)++] = ingest;
    place->head++;
    return VES_OK;
}

static bool is_full(const struct entry *entry)
{
    return *entry->count + 2 > VES_COMMIT_OWN_MAX;
}

/* ---- whose word a key is ------------------------------------------------- */

static bool get_hex(const struct ves_json *object, const char *name, void *out,
                    size_t len)
{
    struct ves_bytes text;

    return ves_json_get_string(object, name, &text) &&
           ves_hex_decode(text, out, len) == VES_OK;
}

static bool get_invitation(const struct ves_json *proof,
                           struct ves_key_statement *out)
{
    struct ves_bytes id;
    uint64_t rights, expires;

    if (!ves_json_get_string(proof, "invitationId", &id))
        return true; /* the owner's own word */
    out->has_invitation = true;
    out->has_nonce = ves_json_member(proof, "nonce") != NULL;
    if (ves_uuid_parse(id, &out->invitation_id) ||
        !get_hex(proof, "invitationKey", out->invitation_key.b, VES_KEY_SIZE) ||
        !get_hex(proof, "invitationSignature", out->invitation_signature.b,
                 VES_SIG_SIZE) ||
        !get_hex(proof, "agentSignature", out->agent_signature.b,
                 VES_SIG_SIZE) ||
        (out->has_nonce &&
         !get_hex(proof, "nonce", out->nonce, sizeof(out->nonce))) ||
        !ves_json_get_u64(proof, "rights", &rights) || rights > UINT32_MAX ||
        !ves_json_get_u64(proof, "expiresAtMs", &expires) || expires == 0)
        return false;
    out->rights = (uint32_t)rights;
    out->expires_ms = (int64_t)expires;
    return true;
}

/* What was kept with the key when it was registered. */
static enum ves_status read_proof(struct entry *entry,
                                  const struct ves_key_row *row,
                                  struct ves_key_event *event)
{
    struct ves_key_statement *s = &event->statement;
    const struct ves_json *proof;

    if (row->proof.len == 0)
        return VES_OK;
    enum ves_status status =
        ves_json_read(entry->arena, row->proof, NULL, &proof, NULL);
    if (status)
        return status == VES_NOMEM ? status : VES_OK;
    event->has_next =
        get_hex(proof, "nextKeyDigest", event->next.b, VES_HASH_SIZE);
    event->has_statement =
        get_hex(proof, "ownerSignature", s->owner_signature.b, VES_SIG_SIZE) &&
        get_invitation(proof, s);
    return VES_OK;
}

/* ---- differences --------------------------------------------------------- */

struct key_item {
    struct ves_key_row row;
    struct ves_key_span span;
    struct key_item *next;
};

struct key_list {
    struct place *place;
    struct key_item *first, *last;
};

static enum ves_status take_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct key_list *list = ctx;
    struct entry *entry = list->place->entry;

    if (!ves_key_is_for(row, &list->place->stream->stream) ||
        ves_uuid_equal(&row->agent, &entry->sequencer->sequencer_id))
        return VES_OK;
    struct key_item *item = ves_arena_alloc(entry->arena, sizeof(*item));
    if (!item)
        return VES_NOMEM;
    *item = (struct key_item){.row = *row, .span = *span};
    if (!span->is_found)
        item->span = (struct ves_key_span){.is_found = true,
                                           .valid_from_sequence = 1,
                                           .revoked_at_sequence =
                                               row->revoked_at_ms != 0 ? 1 : 0};
    if (list->last)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
    return ves_arena_copy(entry->arena, row->proof, &item->row.proof);
}

static bool is_registered_now(const struct entry *entry,
                              const struct ves_key_row *row)
{
    return entry->row && entry->row->key_id == row->key_id &&
           ves_uuid_equal(&entry->row->agent, &row->agent);
}

/* Number it gets if it is entered now; 0: that is what it says anyhow. */
static uint64_t other_than_next(const struct place *place, uint64_t sequence)
{
    return sequence == place->head + 1 ? 0 : sequence;
}

static enum ves_status enter_registered(struct place *place,
                                        const struct key_item *item,
                                        struct ves_key_state *state,
                                        bool *is_in)
{
    struct entry *entry = place->entry;
    enum ves_key_fault fault;
    struct ves_key_event event = {
        .kind = VES_KEY_EVENT_REGISTERED,
        .agent = item->row.agent,
        .key_id = item->row.key_id,
        .public_key = item->row.public_key,
        .at_sequence = other_than_next(place, item->span.valid_from_sequence)};

    enum ves_status status = read_proof(entry, &item->row, &event);
    if (!status)
        status = ves_key_event_apply(entry->arena, &place->log.world, &event,
                                     place->head + 1, state, &fault);
    if (!status && fault == VES_KEY_FAULT_OWNER) {
        event.has_statement = false;
        status = ves_key_event_apply(entry->arena, &place->log.world, &event,
                                     place->head + 1, state, &fault);
    }
    if (status)
        return status;
    *is_in = !fault;
    if (!fault)
        return add_event(place, &event);
    /* What the owner does not want stays out of his log. */
    return is_registered_now(entry, &item->row)
               ? ves_fail(entry->error, VES_REFUSED,
                          "the key was not registered: %s",
                          ves_key_fault_words(fault))
               : VES_OK;
}

static enum ves_status enter_revoked(struct place *place,
                                     const struct key_item *item)
{
    const struct entry *entry = place->entry;
    struct ves_key_event event = {.kind = VES_KEY_EVENT_REVOKED,
                                  .agent = item->row.agent,
                                  .key_id = item->row.key_id};
    struct ves_hash hash;

    if (entry->owner_signature && place->log.world.has_owner) {
        ves_key_revoke_hash(&place->stream->stream, &event, &hash);
        event.has_statement = ves_ed25519_verify(
            &place->log.world.owner, ves_bytes(hash.b, VES_HASH_SIZE),
            entry->owner_signature);
        if (event.has_statement)
            event.statement.owner_signature = *entry->owner_signature;
    }
    return add_event(place, &event);
}

static enum ves_status enter_key(struct place *place,
                                 const struct key_item *item)
{
    const struct ves_key_state *known;
    const struct ves_logged_key *logged = NULL;
    struct ves_key_state state = {.agent = item->row.agent};

    enum ves_status status =
        ves_key_log_find(&place->log, &item->row.agent, &known);
    if (status)
        return status;
    if (known) {
        state = *known;
        logged = ves_key_state_find(known, item->row.key_id);
    }
    bool is_in = logged != NULL;
    if (!logged)
        status = enter_registered(place, item, &state, &is_in);
    if (!status && is_in && item->span.revoked_at_sequence != 0 &&
        (!logged || logged->revoked_at == 0))
        status = enter_revoked(place, item);
    return status;
}

/* ---- the sequencer's own key --------------------------------------------- */

static enum ves_status take_first(void *ctx, const struct ves_log_row *row)
{
    *(uint32_t *)ctx = row->receipt_key_version;
    return VES_OK;
}

/* A store learns the versions that were there before its stream when it joins,
 * so only what came later is news. */
static enum ves_status enter_versions(struct place *place)
{
    const struct entry *entry = place->entry;
    struct ves_store *store = entry->sequencer->store;
    uint32_t known = UINT32_MAX;

    if (entry->version_count == 0)
        return VES_OK;
    enum ves_status status = store->ops->log_read(
        store, place->stream->stream_no, 1, 1, take_first, &known);
    if (!status)
        status = ves_key_log_load(&place->log);
    if (!status && place->log.versions &&
        place->log.versions->key.version > known)
        known = place->log.versions->key.version;
    for (size_t i = 0; !status && i < entry->version_count && !is_full(entry);
         i++) {
        if (entry->versions[i].key_id > known)
            status = add_event(place, &entry->versions[i]);
    }
    return status;
}

/* ---- streams ------------------------------------------------------------- */

static enum ves_status is_open(struct place *place, bool *out)
{
    struct ves_store *store = place->entry->sequencer->store;
    struct ves_tlog_row row;

    enum ves_status status = store->ops->tlog_get(
        store, place->stream->stream_no, place->entry->arena, &row);
    *out = status == VES_NOT_FOUND || (!status && row.frozen_at_ms == 0);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

static void open_place(struct place *place, struct entry *entry,
                       const struct ves_stream_row *stream)
{
    *place =
        (struct place){.entry = entry, .stream = stream, .head = stream->head};
    ves_key_log_open(&place->log, entry->sequencer->store, stream->stream_no,
                     &stream->stream,
                     stream->has_owner_key ? &stream->owner_key : NULL,
                     &entry->sequencer->sequencer_id, entry->arena);
}

/* What the tables know of that agent's keys (NULL: of all) and this stream's
 * log does not.  A frozen one takes nothing, and catches up later. */
static enum ves_status enter_stream(struct entry *entry,
                                    const struct ves_stream_row *stream,
                                    const struct ves_uuid *agent)
{
    struct ves_store *store = entry->sequencer->store;
    struct place place;
    struct key_list list = {.place = &place};
    bool can_enter = false;

    if (!stream->has_owner_key)
        return VES_OK;
    open_place(&place, entry, stream);
    enum ves_status status = is_open(&place, &can_enter);
    if (status || !can_enter)
        return status;
    status = enter_versions(&place);
    if (!status)
        status = store->ops->key_list(store, &stream->stream.tenant, agent,
                                      stream->stream_no, take_key, &list);
    for (struct key_item *item = list.first; !status && item && !is_full(entry);
         item = item->next)
        status = enter_key(&place, item);
    return status;
}

static enum ves_status enter_streams(struct entry *entry,
                                     const struct ves_uuid *tenant,
                                     const struct ves_uuid *agent)
{
    struct ves_stream_item *first;

    enum ves_status status =
        ves_streams_list(entry->sequencer->store, tenant, entry->arena, &first);
    for (struct ves_stream_item *s = first; !status && s; s = s->next)
        status = enter_stream(entry, &s->row, agent);
    return status;
}

/* ---- calls --------------------------------------------------------------- */

typedef enum ves_status gather_fn(struct entry *entry);

struct call {
    struct entry *entry;
    gather_fn *gather;
};

static enum ves_status gather(void *ctx, struct ves_arena *arena,
                              struct ves_ingest **ingests, size_t *count)
{
    struct call *call = ctx;

    call->entry->arena = arena;
    call->entry->ingests = ingests;
    call->entry->count = count;
    return call->gather(call->entry);
}

static enum ves_status run(struct entry *entry, gather_fn *gather_these,
                           size_t *entered)
{
    struct call call = {.entry = entry, .gather = gather_these};
    const struct ves_commit_own own = {.gather = gather, .ctx = &call};
    struct ves_error ignored;

    if (!entry->error)
        entry->error = &ignored;
    entry->error->status = VES_OK;
    return ves_commit_own(entry->sequencer, &own, entry->now_ms, entry->error,
                          entered);
}

static enum ves_status gather_registered(struct entry *entry)
{
    enum ves_status status = ves_keys_register(entry->sequencer, entry->row,
                                               entry->arena, entry->error);

    return status
               ? status
               : enter_streams(entry, &entry->row->tenant, &entry->row->agent);
}

enum ves_status ves_sequencer_register_key(struct ves_sequencer *sequencer,
                                           const struct ves_key_row *row,
                                           int64_t now_ms,
                                           struct ves_error *error)
{
    struct entry entry = {
        .sequencer = sequencer, .now_ms = now_ms, .error = error, .row = row};

    if (!ves_ed25519_key_is_valid(&row->public_key))
        return ves_fail(error, VES_INVALID,
                        "this is not an Ed25519 public key that can be used; "
                        "nothing was registered");
    if (row->valid_to_ms != 0 && row->valid_to_ms <= row->valid_from_ms)
        return ves_fail(error, VES_INVALID,
                        "validTo is not after validFrom; nothing was "
                        "registered");
    if (ves_uuid_equal(&row->agent, &sequencer->sequencer_id))
        return ves_fail(error, VES_INVALID,
                        "this agent id is the sequencer's own, whose keys "
                        "nobody registers; nothing was registered");
    return run(&entry, gather_registered, NULL);
}

static enum ves_status gather_revoked(struct entry *entry)
{
    struct ves_store *store = entry->sequencer->store;
    struct ves_key_row key;

    enum ves_status status = store->ops->key_get(
        store, entry->tenant, entry->agent, entry->key_id, entry->arena, &key);
    if (!status && key.revoked_at_ms == 0)
        status = ves_keys_revoke(entry->sequencer, &key, entry->now_ms,
                                 entry->arena);
    return status ? status : enter_streams(entry, entry->tenant, entry->agent);
}

enum ves_status ves_sequencer_revoke_key(struct ves_sequencer *sequencer,
                                         const struct ves_uuid *tenant,
                                         const struct ves_uuid *agent,
                                         uint32_t key_id, int64_t now_ms,
                                         const struct ves_sig *owner_signature,
                                         struct ves_error *error)
{
    struct entry entry = {.sequencer = sequencer,
                          .now_ms = now_ms,
                          .error = error,
                          .tenant = tenant,
                          .agent = agent,
                          .key_id = key_id,
                          .owner_signature = owner_signature};

    return run(&entry, gather_revoked, NULL);
}

/* Was it entered before, by a call whose answer was lost? */
static bool is_entered(const struct ves_key_event *event,
                       const struct ves_key_state *state)
{
    const struct ves_logged_key *key =
        state ? ves_key_state_find(state, event->key_id) : NULL;

    if (event->kind == VES_KEY_EVENT_REVOKED)
        return key && key->revoked_at != 0 && event->has_statement &&
               key->ended_by == VES_KEY_BY_OWNER;
    return event->kind == VES_KEY_EVENT_ROTATED && key &&
           key->author == VES_KEY_BY_ROTATION &&
           ves_bytes_equal(ves_bytes(key->public_key.b, VES_KEY_SIZE),
                           ves_bytes(event->public_key.b, VES_KEY_SIZE)) &&
           key->has_next == event->has_next &&
           ves_hash_equal(&key->next, &event->next);
}

static enum ves_status gather_event(struct entry *entry)
{
    struct ves_store *store = entry->sequencer->store;
    const struct ves_key_state *state;
    struct ves_stream_row stream;
    struct place place;

    enum ves_status status =
        store->ops->stream_get(store, entry->stream, false, &stream);
    if (status)
        return status;
    if (!stream.has_owner_key)
        return ves_fail(entry->error, VES_REFUSED,
                        "this stream has no owner, so its log holds no keys");
    /* The key before may have been registered when nobody entered any. */
    status = enter_stream(entry, &stream, &entry->event->agent);
    if (status)
        return status;
    open_place(&place, entry, &stream);
    place.head += *entry->count;
    status = ves_key_log_find(&place.log, &entry->event->agent, &state);
    if (status || is_entered(entry->event, state))
        return status;
    return add_event(&place, entry->event);
}

enum ves_status ves_sequencer_enter_key_event(struct ves_sequencer *sequencer,
                                              const struct ves_stream *stream,
                                              const struct ves_key_event *event,
                                              int64_t now_ms,
                                              struct ves_error *error)
{
    struct entry entry = {.sequencer = sequencer,
                          .now_ms = now_ms,
                          .error = error,
                          .stream = stream,
                          .event = event};

    return run(&entry, gather_event, NULL);
}

static enum ves_status gather_all(struct entry *entry)
{
    return enter_streams(entry, NULL, NULL);
}

enum ves_status ves_sequencer_enter_keys(struct ves_sequencer *sequencer,
                                         const struct ves_key_event *versions,
                                         size_t count, int64_t now_ms,
                                         struct ves_error *error)
{
    struct entry entry = {.sequencer = sequencer,
                          .now_ms = now_ms,
                          .error = error,
                          .versions = versions,
                          .version_count = count};
    enum ves_status status;
    size_t entered;

    do {
        status = run(&entry, gather_all, &entered);
    } while (!status && entered > 0);
    return status;
}
