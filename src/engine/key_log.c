/* key_log.c -- what a stream's log says of keys, for one run. */
#include "engine/key_log.h"

#include <string.h>

#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/entity_events.h"

void ves_key_log_open(struct ves_key_log *log, struct ves_store *store,
                      uint32_t stream_no, const struct ves_stream *stream,
                      const struct ves_public_key *owner,
                      const struct ves_uuid *sequencer, struct ves_arena *arena)
{
    *log = (struct ves_key_log){
        .store = store,
        .stream_no = stream_no,
        .arena = arena,
        .world = {.stream = *stream, .has_owner = owner != NULL},
        .sequencer = *sequencer};
    if (owner)
        log->world.owner = *owner;
    log->is_loaded = ves_uuid_is_nil(sequencer);
}

/* ---- taking events ------------------------------------------------------- */

static struct ves_key_log_agent *find(const struct ves_key_log *log,
                                      const struct ves_uuid *agent)
{
    struct ves_key_log_agent *at = log->agents;

    while (at && !ves_uuid_equal(&at->state.agent, agent))
        at = at->next;
    return at;
}

static enum ves_status refuse(struct ves_error *why, enum ves_key_fault fault)
{
    if (fault)
        (void)ves_fail(why, VES_REFUSED, "%s: %s", ves_key_fault_code(fault),
                       ves_key_fault_words(fault));
    return VES_OK;
}

static enum ves_status take_agent(struct ves_key_log *log,
                                  const struct ves_key_event *event,
                                  uint64_t sequence, struct ves_error *why)
{
    struct ves_key_log_agent *agent = find(log, &event->agent);
    enum ves_key_fault fault;

    if (!agent) {
        agent = ves_arena_alloc(log->arena, sizeof(*agent));
        if (!agent)
            return VES_NOMEM;
        *agent = (struct ves_key_log_agent){.state.agent = event->agent,
                                            .next = log->agents};
        log->agents = agent;
    }
    enum ves_status status = ves_key_event_apply(
        log->arena, &log->world, event, sequence, &agent->state, &fault);
    if (status)
        return status;
    if (!fault && log->is_loaded)
        agent->is_changed = true;
    return refuse(why, fault);
}

/* The version before: the one that the log entered, or, where it began later,
 * the one of the directory.  NULL: neither has it, and who pinned it checks. */
static enum ves_status version_before(struct ves_key_log *log, uint32_t version,
                                      const struct ves_public_key **out)
{
    const struct ves_key_log_version *newest = log->versions;
    struct ves_key_row *row;

    *out = NULL;
    if (newest && newest->key.version + 1 == version) {
        *out = &newest->key.public_key;
        return VES_OK;
    }
    row = ves_arena_alloc(log->arena, sizeof(*row));
    if (!row)
        return VES_NOMEM;
    enum ves_status status =
        log->store->ops->key_get(log->store, &log->world.stream.tenant,
                                 &log->sequencer, version - 1, log->arena, row);
    if (!status)
        *out = &row->public_key;
    return status == VES_NOT_FOUND ? VES_OK : status;
}

static enum ves_status take_version(struct ves_key_log *log,
                                    const struct ves_key_event *event,
                                    uint64_t sequence, struct ves_error *why)
{
    const struct ves_key_log_version *newest = log->versions;
    struct ves_key_log_version *version;
    const struct ves_public_key *before;

    if (!ves_uuid_equal(&event->agent, &log->sequencer))
        return refuse(why, VES_KEY_FAULT_UNKNOWN);
    if (newest && newest->key.version >= event->key_id)
        return refuse(why, VES_KEY_FAULT_EXISTS);
    enum ves_status status = version_before(log, event->key_id, &before);
    if (status)
        return status;
    if (before) {
        enum ves_key_fault fault = ves_sequencer_key_check(event, before);
        if (fault)
            return refuse(why, fault);
    }
    version = ves_arena_alloc(log->arena, sizeof(*version));
    if (!version)
        return VES_NOMEM;
    *version = (struct ves_key_log_version){
        .key = {.version = event->key_id, .public_key = event->public_key},
        .sequence = sequence,
        .next = log->versions};
    log->versions = version;
    return VES_OK;
}

static enum ves_status take(struct ves_key_log *log,
                            const struct ves_event *event, uint64_t sequence,
                            struct ves_error *why)
{
    struct ves_key_event read;
    enum ves_key_fault fault;

    why->status = VES_OK;
    if (!ves_uuid_equal(&event->agent, &log->sequencer)) {
        (void)ves_fail(why, VES_REFUSED,
                       "not_the_sequencer: key events are the sequencer's to "
                       "enter, and this one is signed by another agent");
        return VES_OK;
    }
    if (ves_key_event_read(event, &read, why))
        return VES_OK;
    switch (read.kind) {
    case VES_KEY_EVENT_POLICY:
        fault = ves_key_policy_apply(&log->world, &read, sequence,
                                     &log->world.policy);
        log->is_policy_changed =
            log->is_policy_changed || (!fault && log->is_loaded);
        return refuse(why, fault);
    case VES_KEY_EVENT_SEQUENCER:
        return take_version(log, &read, sequence, why);
    default:
        return take_agent(log, &read, sequence, why);
    }
}

/* ---- asking -------------------------------------------------------------- */

enum ves_status ves_key_log_load(struct ves_key_log *log)
{
    struct ves_entity_events of;
    struct ves_error why;

    if (log->is_loaded)
        return VES_OK;
    enum ves_status status =
        ves_entity_events_read(log->store, log->stream_no, VES_KEY_ENTITY_TYPE,
                               VES_KEY_ENTITY_ID, log->arena, &of);
    for (size_t i = 0; i < of.count && !status; i++) {
        if (ves_key_event_kind_of(&of.events[i]) == VES_KEY_EVENT_NONE)
            continue;
        status = take(log, &of.events[i], of.sequences[i], &why);
    }
    log->is_loaded = !status;
    return status;
}

enum ves_status ves_key_log_find(struct ves_key_log *log,
                                 const struct ves_uuid *agent,
                                 const struct ves_key_state **out)
{
    enum ves_status status = ves_key_log_load(log);

    *out = NULL;
    if (status)
        return status;
    const struct ves_key_log_agent *at = find(log, agent);
    if (at && at->state.count > 0)
        *out = &at->state;
    return VES_OK;
}

enum ves_status ves_key_log_add(struct ves_key_log *log,
                                const struct ves_event *event,
                                uint64_t sequence, struct ves_error *why)
{
    why->status = VES_OK;
    if (ves_key_event_kind_of(event) == VES_KEY_EVENT_NONE ||
        ves_uuid_is_nil(&log->sequencer))
        return VES_OK;
    enum ves_status status = ves_key_log_load(log);
    return status ? status : take(log, event, sequence, why);
}

bool ves_key_log_allows(const struct ves_key_log *log,
                        const struct ves_logged_key *key)
{
    return !log->world.policy.is_strict ||
           (key && key->author != VES_KEY_BY_SEQUENCER);
}

/* ---- what follows from them ---------------------------------------------- */

#define POLICY "keys.policy."

_Static_assert(VES_KEY_LOG_POLICY_NAME == sizeof(POLICY) + 8,
               "a prefix and the stream's number");

void ves_key_log_policy_name(uint32_t stream_no,
                             char name[VES_KEY_LOG_POLICY_NAME])
{
    uint8_t number[4];

    memcpy(name, POLICY, sizeof(POLICY));
    ves_store_u32(number, stream_no);
    ves_hex_encode(number, sizeof(number), name + sizeof(POLICY) - 1);
    name[VES_KEY_LOG_POLICY_NAME - 1] = '\0';
}

static enum ves_status save_row(struct ves_key_log *log,
                                const struct ves_uuid *agent,
                                const struct ves_logged_key *key,
                                int64_t now_ms)
{
    struct ves_store *store = log->store;
    const struct ves_stream *stream = &log->world.stream;
    struct ves_key_row row;

    enum ves_status status = store->ops->key_get(store, &stream->tenant, agent,
                                                 key->key_id, log->arena, &row);
    if (!status &&
        (key->revoked_at == 0 || row.revoked_at_ms != 0 || !row.has_store))
        return VES_OK;
    if (status == VES_NOT_FOUND)
        row = (struct ves_key_row){
            .tenant = stream->tenant,
            .has_store = true,
            .store = stream->store,
            .agent = *agent,
            .key_id = key->key_id,
            .public_key = key->public_key,
            .algorithm = ves_bytes_str("ed25519"),
            .registrar = ves_bytes_str(ves_key_author_name(key->author))};
    else if (status)
        return status;
    if (key->revoked_at != 0)
        row.revoked_at_ms = now_ms > 0 ? now_ms : 1; /* 0 would say: not */
    return store->ops->key_put(store, &row);
}

static enum ves_status save_agent(struct ves_key_log *log,
                                  const struct ves_key_state *state,
                                  int64_t now_ms)
{
    struct ves_store *store = log->store;
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < state->count && !status; i++) {
        const struct ves_logged_key *key = &state->keys[i];
        const struct ves_key_span span = {
            .is_found = true,
            .valid_from_sequence = key->valid_from,
            .revoked_at_sequence = key->revoked_at};
        status = save_row(log, &state->agent, key, now_ms);
        if (!status)
            status = store->ops->key_span_put(
                store, log->stream_no, &state->agent, key->key_id, &span);
    }
    return status;
}

enum ves_status ves_key_log_is_strict(struct ves_store *store,
                                      uint32_t stream_no,
                                      struct ves_arena *arena, bool *is_strict)
{
    char name[VES_KEY_LOG_POLICY_NAME];
    struct ves_bytes value;

    ves_key_log_policy_name(stream_no, name);
    enum ves_status status = store->ops->meta_get(store, name, arena, &value);
    *is_strict = !status && ves_bytes_is(value, "strict");
    return status == VES_NOT_FOUND ? VES_OK : status;
}

static enum ves_status save_policy(struct ves_key_log *log)
{
    char name[VES_KEY_LOG_POLICY_NAME];

    ves_key_log_policy_name(log->stream_no, name);
    return log->store->ops->meta_put(
        log->store, name,
        ves_bytes_str(log->world.policy.is_strict ? "strict" : "open"));
}

enum ves_status ves_key_log_save(struct ves_key_log *log, int64_t now_ms)
{
    enum ves_status status = log->is_policy_changed ? save_policy(log) : VES_OK;

    for (struct ves_key_log_agent *a = log->agents; a && !status; a = a->next) {
        if (a->is_changed)
            status = save_agent(log, &a->state, now_ms);
        a->is_changed = false;
    }
    return status;
}
