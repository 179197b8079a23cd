/* keys.c -- agents' keys as the log has them, held against the tables.
 *
 * The log is the source (ADR 0025): it is followed event by event, and what
 * it leads to has to be what the tables say.  A key that it does not name is
 * the directory's word, which is said.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/uuid.h"

static bool read_owner(struct ves_audit *audit,
                       const struct ves_audit_stream *stream,
                       struct ves_public_key *out)
{
    static const struct ves_public_key none;
    struct ves_store *store = audit->store;
    struct ves_bytes text;

    if (audit->role == VES_STORE_SEQUENCER) {
        *out = stream->row.owner_key;
        return stream->row.has_owner_key;
    }
    return store->ops->meta_get(store, "owner.key", &audit->arena, &text) ==
               VES_OK &&
           ves_hex_decode(text, out->b, VES_KEY_SIZE) == VES_OK &&
           memcmp(out, &none, sizeof(none)) != 0;
}

void ves_audit_keys_open(struct ves_audit *audit,
                         struct ves_audit_stream *stream)
{
    struct ves_audit_keys *keys = &stream->logged;
    struct ves_store *store = audit->store;
    struct ves_public_key owner;
    struct ves_uuid sequencer = {{0}};
    struct ves_bytes text;

    if (store->ops->meta_get(store, "sequencer.id", &audit->arena, &text) ||
        ves_uuid_parse(text, &sequencer))
        memset(&sequencer, 0, sizeof(sequencer));
    keys->is_followed =
        read_owner(audit, stream, &owner) && !ves_uuid_is_nil(&sequencer);
    ves_key_log_open(&keys->log, store, stream->row.stream_no,
                     &stream->row.stream, keys->is_followed ? &owner : NULL,
                     &sequencer, &audit->arena);
    keys->log.is_loaded = true; /* it is given every event */
}

/* The version of the sequencer's key that the event at sequence entered. */
static void check_version(struct ves_audit *audit,
                          const struct ves_audit_keys *keys, uint64_t sequence)
{
    const struct ves_key_log_version *newest = keys->log.versions;

    if (!newest || newest->sequence != sequence)
        return;
    for (size_t i = 0; i < audit->key_count; i++) {
        if (audit->keys[i].version == newest->key.version &&
            memcmp(audit->keys[i].key.b, newest->key.public_key.b,
                   VES_KEY_SIZE) != 0)
            ves_audit_find(audit, VES_AUDIT_KEYS, sequence,
                           "it enters another version %u of the sequencer's "
                           "key than the file has",
                           newest->key.version);
    }
}

enum ves_status ves_audit_keys_take(struct ves_audit *audit,
                                    struct ves_audit_stream *stream,
                                    const struct ves_event *event,
                                    uint64_t sequence)
{
    struct ves_audit_keys *keys = &stream->logged;
    struct ves_event kept = *event;
    struct ves_error why;

    if (!keys->is_followed)
        return VES_OK;
    enum ves_status status = ves_key_log_add(&keys->log, &kept, sequence, &why);
    if (!status && why.status)
        ves_audit_find(audit, VES_AUDIT_KEYS, sequence,
                       "the key event does not hold: %.150s", why.text);
    if (!status && !why.status)
        check_version(audit, keys, sequence);
    return status;
}

bool ves_audit_keys_own(const struct ves_audit *audit,
                        const struct ves_audit_stream *stream,
                        const struct ves_uuid *agent, uint32_t key_id,
                        struct ves_public_key *out)
{
    const struct ves_audit_keys *keys = &stream->logged;

    if (!keys->is_followed || !ves_uuid_equal(agent, &keys->log.sequencer))
        return false;
    for (size_t i = 0; i < audit->key_count; i++) {
        if (audit->keys[i].version != key_id)
            continue;
        *out = audit->keys[i].key;
        return true;
    }
    return false;
}

enum ves_audit_key_answer ves_audit_keys_check(struct ves_audit *audit,
                                               struct ves_audit_stream *stream,
                                               const struct ves_log_row *row,
                                               struct ves_public_key *out)
{
    struct ves_audit_keys *keys = &stream->logged;
    const struct ves_key_log_agent *agent = keys->log.agents;
    const struct ves_logged_key *key = NULL;

    while (agent && !ves_uuid_equal(&agent->state.agent, &row->agent))
        agent = agent->next;
    if (agent)
        key = ves_key_state_find(&agent->state, row->agent_key_id);
    if (keys->is_followed && !ves_key_log_allows(&keys->log, key))
        ves_audit_find(audit, VES_AUDIT_KEYS, row->sequence_number,
                       "the owner accepts only keys that he signed for, and "
                       "its agent's key %u is none",
                       row->agent_key_id);
    if (!key) {
        if (keys->is_followed)
            keys->unlogged++;
        return VES_AUDIT_KEY_UNKNOWN;
    }
    *out = key->public_key;
    if (ves_logged_key_covers(key, row->sequence_number))
        return VES_AUDIT_KEY_VALID;
    ves_audit_find(audit, VES_AUDIT_KEYS, row->sequence_number,
                   "the log says that its agent's key %u is not valid at this "
                   "number (from %llu on, until %llu)",
                   row->agent_key_id, (unsigned long long)key->valid_from,
                   (unsigned long long)key->revoked_at);
    return VES_AUDIT_KEY_INVALID;
}

/* Where the tables say that the key ends.  Those of before ADR 0058 have the
 * number that the event gave. */
static bool is_end(const struct ves_logged_key *key, uint64_t sequence)
{
    return sequence == key->revoked_at ||
           (sequence != 0 && sequence == key->claimed_at);
}

static enum ves_status compare(struct ves_audit *audit,
                               struct ves_audit_stream *stream,
                               const struct ves_uuid *agent,
                               const struct ves_logged_key *key)
{
    struct ves_store *store = audit->store;
    struct ves_key_span span = {.is_found = false};
    struct ves_key_row row;

    enum ves_status status =
        store->ops->key_get(store, &stream->row.stream.tenant, agent,
                            key->key_id, &audit->arena, &row);
    if (!status)
        status = store->ops->key_span_get(store, stream->row.stream_no, agent,
                                          key->key_id, &span);
    if (status && status != VES_NOT_FOUND)
        return status;
    if (status || memcmp(row.public_key.b, key->public_key.b, VES_KEY_SIZE) ||
        !span.is_found || span.valid_from_sequence != key->valid_from ||
        !is_end(key, span.revoked_at_sequence))
        ves_audit_find(audit, VES_AUDIT_KEYS, key->entered_at,
                       "the directory here says something else of key %u than "
                       "the log",
                       key->key_id);
    return VES_OK;
}

enum ves_status ves_audit_keys_end(struct ves_audit *audit,
                                   struct ves_audit_stream *stream)
{
    struct ves_audit_keys *keys = &stream->logged;
    enum ves_status status = VES_OK;

    for (const struct ves_key_log_agent *a = keys->log.agents; a; a = a->next) {
        for (size_t i = 0; i < a->state.count && !status; i++)
            status = compare(audit, stream, &a->state.agent, &a->state.keys[i]);
    }
    if (keys->unlogged > 0)
        ves_audit_unknown(audit, VES_AUDIT_KEYS,
                          "%llu events are signed by keys that the log does "
                          "not name: the directory's word alone",
                          (unsigned long long)keys->unlogged);
    return status;
}
