/* event_read.c -- reading an envelope (protocol.md B.3). */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/event.h"
#include "core/event_rules.h"

/* Members in the order of B.3, which is also the order we write; so the
 * search below mostly hits at once. */
#define FIELD_MAP(X)                                     \
    X(VES_VERSION, "ves_version", true)                  \
    X(EVENT_ID, "event_id", true)                        \
    X(TENANT_ID, "tenant_id", true)                      \
    X(STORE_ID, "store_id", true)                        \
    X(SOURCE_AGENT_ID, "source_agent_id", true)          \
    X(AGENT_KEY_ID, "agent_key_id", true)                \
    X(ENTITY_TYPE, "entity_type", true)                  \
    X(ENTITY_ID, "entity_id", true)                      \
    X(EVENT_TYPE, "event_type", true)                    \
    X(CREATED_AT, "created_at", true)                    \
    X(PAYLOAD_KIND, "payload_kind", true)                \
    X(PAYLOAD, "payload", false)                         \
    X(PAYLOAD_ENCRYPTED, "payload_encrypted", false)     \
    X(PAYLOAD_PLAIN_HASH, "payload_plain_hash", true)    \
    X(PAYLOAD_CIPHER_HASH, "payload_cipher_hash", true)  \
    X(AGENT_SIGNATURE, "agent_signature", true)          \
    X(SIGNATURE_SCHEME, "agent_signature_scheme", false) \
    X(COMMAND_ID, "command_id", false)                   \
    X(BASE_VERSION, "base_version", false)               \
    X(SEQUENCE_NUMBER, "sequence_number", false)         \
    X(SEQUENCED_AT, "sequenced_at", false)

enum field {
#define X(id, name, is_required) F_##id,
    FIELD_MAP(X)
#undef X
        F_COUNT
};

static const struct {
    const char *name;
    size_t len;
    bool is_required;
} fields[F_COUNT] = {
#define X(id, name, is_required) {name, sizeof(name) - 1, is_required},
    FIELD_MAP(X)
#undef X
};

struct reader {
    const struct ves_json *node[F_COUNT]; /* NULL: absent or null */
    struct ves_refusal *refusal;
};

static enum ves_status bad(const struct reader *reader, enum field field,
                           const char *rule)
{
    return ves_refuse(reader->refusal, VES_REFUSAL_SCHEMA_VALIDATION,
                      fields[field].name, "%s %s", fields[field].name, rule);
}

static void collect(struct reader *reader, const struct ves_json *envelope)
{
    size_t guess = 0;
    for (const struct ves_json *m = envelope->first; m; m = m->next) {
        for (size_t tries = 0; tries < F_COUNT; tries++) {
            size_t f = (guess + tries) % F_COUNT;
            if (m->key.len != fields[f].len ||
                memcmp(m->key.ptr, fields[f].name, fields[f].len) != 0)
                continue;
            if (m->type != VES_JSON_NULL)
                reader->node[f] = m;
            guess = f + 1;
            break;
        }
    }
}

static enum ves_status read_uuid(const struct reader *reader, enum field field,
                                 struct ves_uuid *out)
{
    const struct ves_json *node = reader->node[field];
    if (node->type != VES_JSON_STRING || ves_uuid_parse(node->string, out))
        return bad(reader, field,
                   "must be a UUID in the form 8-4-4-4-12 hexadecimal digits");
    return VES_OK;
}

static enum ves_status read_u32(const struct reader *reader, enum field field,
                                uint32_t *out)
{
    uint64_t value;
    if (!ves_json_as_u64(reader->node[field], &value) || value > UINT32_MAX)
        return bad(reader, field, "must be an integer from 0 to 4294967295");
    *out = (uint32_t)value;
    return VES_OK;
}

static enum ves_status read_u64(const struct reader *reader, enum field field,
                                uint64_t *out)
{
    if (!ves_json_as_u64(reader->node[field], out))
        return bad(reader, field,
                   "must be an integer from 0 to 9007199254740991");
    return VES_OK;
}

static enum ves_status read_text(const struct reader *reader, enum field field,
                                 struct ves_bytes *out)
{
    const struct ves_json *node = reader->node[field];
    if (node->type != VES_JSON_STRING)
        return bad(reader, field, "must be a string");
    *out = node->string;
    return VES_OK;
}

static enum ves_status read_hex(const struct reader *reader, enum field field,
                                uint8_t *out, size_t len)
{
    const struct ves_json *node = reader->node[field];
    if (node->type == VES_JSON_STRING &&
        ves_hex_decode(node->string, out, len) == VES_OK)
        return VES_OK;
    return bad(reader, field,
               len == VES_SIG_SIZE ? "must be 128 hexadecimal digits"
                                   : "must be 64 hexadecimal digits");
}

static enum ves_status read_identity(const struct reader *reader,
                                     struct ves_event *event)
{
    enum ves_status status;
    if ((status = read_uuid(reader, F_TENANT_ID, &event->stream.tenant)) ||
        (status = read_uuid(reader, F_STORE_ID, &event->stream.store)) ||
        (status = read_uuid(reader, F_SOURCE_AGENT_ID, &event->agent)) ||
        (status = read_u32(reader, F_AGENT_KEY_ID, &event->agent_key_id)) ||
        (status = read_text(reader, F_ENTITY_TYPE, &event->entity_type)) ||
        (status = read_text(reader, F_ENTITY_ID, &event->entity_id)) ||
        (status = read_text(reader, F_EVENT_TYPE, &event->event_type)) ||
        (status = read_text(reader, F_CREATED_AT, &event->created_at)))
        return status;
    return ves_event_check_text(event, reader->refusal);
}

static enum ves_status read_plain(const struct reader *reader,
                                  struct ves_event *event)
{
    if (!reader->node[F_PAYLOAD])
        return bad(reader, F_PAYLOAD, "is missing; payload_kind 0 needs it");
    if (reader->node[F_PAYLOAD_ENCRYPTED])
        return bad(reader, F_PAYLOAD_ENCRYPTED,
                   "must be absent when payload_kind is 0");
    event->payload = reader->node[F_PAYLOAD];
    return VES_OK;
}

static enum ves_status read_encrypted(const struct reader *reader,
                                      struct ves_event *event)
{
    const struct ves_json *payload = reader->node[F_PAYLOAD];

    /* Some clients send null or an empty object beside an encrypted payload
     * (protocol.md A.11); anything else would be unsigned content. */
    if (payload && (payload->type != VES_JSON_OBJECT || payload->count > 0))
        return bad(reader, F_PAYLOAD, "must be absent when payload_kind is 1");
    if (!reader->node[F_PAYLOAD_ENCRYPTED])
        return bad(reader, F_PAYLOAD_ENCRYPTED,
                   "is missing; payload_kind 1 needs it");
    if (reader->node[F_PAYLOAD_ENCRYPTED]->type != VES_JSON_OBJECT)
        return bad(reader, F_PAYLOAD_ENCRYPTED, "must be an object");
    event->payload_encrypted = reader->node[F_PAYLOAD_ENCRYPTED];
    return VES_OK;
}

static enum ves_status read_payload(const struct reader *reader,
                                    struct ves_event *event)
{
    enum ves_status status;

    status = read_u32(reader, F_PAYLOAD_KIND, &event->payload_kind);
    if (status)
        return status;
    if (event->payload_kind > VES_PAYLOAD_ENCRYPTED)
        return bad(reader, F_PAYLOAD_KIND,
                   "must be 0 (plain) or 1 (encrypted)");
    status = event->payload_kind == VES_PAYLOAD_PLAIN
                 ? read_plain(reader, event)
                 : read_encrypted(reader, event);
    if (status)
        return status;

    status = read_hex(reader, F_PAYLOAD_PLAIN_HASH, event->payload_plain_hash.b,
                      VES_HASH_SIZE);
    if (status)
        return status;
    return read_hex(reader, F_PAYLOAD_CIPHER_HASH, event->payload_cipher_hash.b,
                    VES_HASH_SIZE);
}

static enum ves_status read_signature(const struct reader *reader,
                                      struct ves_event *event)
{
    uint64_t scheme = 0;

    /* protocol.md A.12: 0 (not said) and 1 are Ed25519.  With any other the
     * bundle would have to be verified too, and we cannot. */
    if (reader->node[F_SIGNATURE_SCHEME] &&
        (!ves_json_as_u64(reader->node[F_SIGNATURE_SCHEME], &scheme) ||
         scheme > 1))
        return bad(reader, F_SIGNATURE_SCHEME,
                   "must be 0 or 1 (Ed25519); others are not supported");
    return read_hex(reader, F_AGENT_SIGNATURE, event->signature.b,
                    VES_SIG_SIZE);
}

static enum ves_status read_position(const struct reader *reader,
                                     struct ves_event *event)
{
    enum ves_status status;

    if (reader->node[F_SEQUENCE_NUMBER]) {
        status = read_u64(reader, F_SEQUENCE_NUMBER, &event->sequence_number);
        if (status)
            return status;
    }
    if (reader->node[F_SEQUENCED_AT]) {
        status = read_text(reader, F_SEQUENCED_AT, &event->sequenced_at);
        if (status)
            return status;
        if (event->sequenced_at.len > VES_CREATED_AT_MAX ||
            ves_time_parse(event->sequenced_at, NULL))
            return bad(reader, F_SEQUENCED_AT, "must be an RFC 3339 time");
    }
    return VES_OK;
}

static enum ves_status read_members(const struct reader *reader,
                                    struct ves_event *event)
{
    enum ves_status status;

    status = read_u32(reader, F_VES_VERSION, &event->ves_version);
    if (status)
        return status;
    status = read_identity(reader, event);
    if (status)
        return status;
    status = read_payload(reader, event);
    if (status)
        return status;
    status = read_signature(reader, event);
    if (status)
        return status;
    if (reader->node[F_COMMAND_ID]) {
        status = read_uuid(reader, F_COMMAND_ID, &event->command_id);
        if (status)
            return status;
        event->has_command_id = true;
    }
    if (reader->node[F_BASE_VERSION]) {
        status = read_u64(reader, F_BASE_VERSION, &event->base_version);
        if (status)
            return status;
        event->has_base_version = true;
    }
    return read_position(reader, event);
}

/* The id first, so that a refusal can name the event; then the version,
 * because another version may well have other members. */
static enum ves_status read_envelope(const struct reader *reader,
                                     struct ves_event *event, bool *has_id)
{
    enum ves_status status;
    uint64_t version;

    if (reader->node[F_EVENT_ID]) {
        status = read_uuid(reader, F_EVENT_ID, &event->event_id);
        if (status)
            return status;
        *has_id = true;
    }
    if (reader->node[F_VES_VERSION] &&
        ves_json_as_u64(reader->node[F_VES_VERSION], &version)) {
        status = ves_event_check_version(version, reader->refusal);
        if (status)
            return status;
    }
    for (size_t f = 0; f < F_COUNT; f++) {
        if (fields[f].is_required && !reader->node[f])
            return bad(reader, (enum field)f, "is missing");
    }
    return read_members(reader, event);
}

enum ves_status ves_event_from_json(struct ves_arena *arena,
                                    const struct ves_json *envelope,
                                    struct ves_event *event,
                                    struct ves_refusal *refusal)
{
    struct reader reader = {.refusal = refusal};
    bool has_id = false;
    (void)arena; /* an envelope needs no memory beyond its tree yet */

    memset(event, 0, sizeof(*event));
    if (!envelope || envelope->type != VES_JSON_OBJECT)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                          "an event must be a JSON object");
    collect(&reader, envelope);
    enum ves_status status = read_envelope(&reader, event, &has_id);
    if (status == VES_REFUSED && has_id) {
        refusal->has_event_id = true;
        refusal->event_id = event->event_id;
    }
    return status;
}

enum ves_status ves_event_read(struct ves_arena *arena, struct ves_bytes json,
                               struct ves_event *event,
                               struct ves_refusal *refusal)
{
    const struct ves_json_options options = {.depth_max = VES_LOG_DEPTH_MAX};
    const struct ves_json *root = NULL;
    struct ves_json_where where = {0, ""};

    memset(event, 0, sizeof(*event));
    enum ves_status status =
        ves_json_read(arena, json, &options, &root, &where);
    if (status == VES_MALFORMED)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                          "the event is not valid JSON at byte %zu: %s",
                          where.offset, where.reason);
    if (status)
        return status;
    return ves_event_from_json(arena, root, event, refusal);
}
