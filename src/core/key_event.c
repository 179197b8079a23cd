/* key_event.c -- key events: what is signed, read and written. */
#include "core/key_event.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"

/* ---- what is signed ------------------------------------------------------ */

static struct ves_bytes id_bytes(const struct ves_uuid *id)
{
    return ves_bytes(id->b, VES_UUID_SIZE);
}

void ves_key_next_hash(const struct ves_public_key *key, struct ves_hash *out)
{
    const struct ves_bytes parts[] = {ves_bytes_str("VES_KEY_NEXT_V1"),
                                      ves_bytes(key->b, VES_KEY_SIZE)};
    ves_sha256(parts, 2, out);
}

/* Tag, stream, agent, numbers, and with is_whole the key and what it commits
 * to. */
static void hash_key(const char *tag, const struct ves_stream *stream,
                     const struct ves_key_event *event,
                     struct ves_bytes numbers, bool is_whole,
                     struct ves_hash *out)
{
    static const struct ves_hash none;
    const struct ves_hash *next = event->has_next ? &event->next : &none;
    const struct ves_bytes parts[] = {
        ves_bytes_str(tag),
        id_bytes(&stream->tenant),
        id_bytes(&stream->store),
        id_bytes(&event->agent),
        numbers,
        ves_bytes(event->public_key.b, VES_KEY_SIZE),
        ves_bytes(next->b, VES_HASH_SIZE),
    };
    ves_sha256(parts, is_whole ? 7 : 5, out);
}

void ves_key_register_hash(const struct ves_stream *stream,
                           const struct ves_key_event *event,
                           struct ves_hash *out)
{
    uint8_t number[4];
    ves_store_u32(number, event->key_id);
    hash_key("VES_KEY_REGISTER_V1", stream, event,
             ves_bytes(number, sizeof(number)), true, out);
}

void ves_key_rotate_hash(const struct ves_stream *stream,
                         const struct ves_key_event *event,
                         struct ves_hash *out)
{
    uint8_t numbers[8];
    ves_store_u32(numbers, event->previous_id);
    ves_store_u32(numbers + 4, event->key_id);
    hash_key("VES_KEY_ROTATE_V1", stream, event,
             ves_bytes(numbers, sizeof(numbers)), true, out);
}

void ves_key_revoke_hash(const struct ves_stream *stream,
                         const struct ves_key_event *event,
                         struct ves_hash *out)
{
    uint8_t number[4];
    ves_store_u32(number, event->key_id);
    hash_key("VES_KEY_REVOKE_V1", stream, event,
             ves_bytes(number, sizeof(number)), false, out);
}

void ves_key_policy_hash(const struct ves_stream *stream,
                         const struct ves_key_event *event,
                         struct ves_hash *out)
{
    uint8_t numbers[9];
    numbers[0] = event->is_strict ? 1 : 0;
    ves_store_u64(numbers + 1, event->number);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_KEY_POLICY_V1"), id_bytes(&stream->tenant),
        id_bytes(&stream->store), ves_bytes(numbers, sizeof(numbers))};
    ves_sha256(parts, 4, out);
}

/* ---- names --------------------------------------------------------------- */

static const char *const type_names[] = {
    [VES_KEY_EVENT_REGISTERED] = VES_TYPE_KEY_REGISTERED,
    [VES_KEY_EVENT_ROTATED] = VES_TYPE_KEY_ROTATED,
    [VES_KEY_EVENT_REVOKED] = VES_TYPE_KEY_REVOKED,
    [VES_KEY_EVENT_POLICY] = VES_TYPE_KEY_POLICY,
    [VES_KEY_EVENT_SEQUENCER] = VES_TYPE_SEQUENCER_KEY,
};

enum ves_key_event_kind ves_key_event_kind_of(const struct ves_event *event)
{
    struct ves_bytes type = event->event_type;

    if (type.len < 4 || memcmp(type.ptr, "ves.", 4) != 0)
        return VES_KEY_EVENT_NONE;
    for (int kind = VES_KEY_EVENT_REGISTERED; kind <= VES_KEY_EVENT_SEQUENCER;
         kind++) {
        if (ves_bytes_is(type, type_names[kind]))
            return (enum ves_key_event_kind)kind;
    }
    return VES_KEY_EVENT_NONE;
}

const char *ves_key_event_type(enum ves_key_event_kind kind)
{
    VES_ASSERT(kind != VES_KEY_EVENT_NONE);
    return type_names[kind];
}

/* ---- writing ------------------------------------------------------------- */

static void put_name(struct ves_buf *buf, const char *name)
{
    if (buf->len > 0 && buf->ptr[buf->len - 1] != '{')
        ves_buf_put_u8(buf, ',');
    ves_buf_putf(buf, "\"%s\":", name);
}

static void put_hex(struct ves_buf *buf, const char *name, const void *data,
                    size_t len)
{
    put_name(buf, name);
    ves_buf_put_str(buf, "\"0x");
    ves_buf_put_hex(buf, data, len);
    ves_buf_put_u8(buf, '"');
}

static void put_uuid(struct ves_buf *buf, const char *name,
                     const struct ves_uuid *id)
{
    put_name(buf, name);
    ves_buf_put_u8(buf, '"');
    ves_buf_put_uuid(buf, id);
    ves_buf_put_u8(buf, '"');
}

static void put_number(struct ves_buf *buf, const char *name, uint64_t value)
{
    put_name(buf, name);
    ves_buf_put_decimal(buf, value);
}

static void put_statement(struct ves_buf *buf,
                          const struct ves_key_statement *s)
{
    put_name(buf, "statement");
    ves_buf_put_u8(buf, '{');
    if (s->has_invitation) {
        put_hex(buf, "agent_signature", s->agent_signature.b, VES_SIG_SIZE);
        put_number(buf, "expires_at_ms", (uint64_t)s->expires_ms);
        put_uuid(buf, "invitation_id", &s->invitation_id);
        put_hex(buf, "invitation_key", s->invitation_key.b, VES_KEY_SIZE);
        put_hex(buf, "invitation_signature", s->invitation_signature.b,
                VES_SIG_SIZE);
        if (s->has_nonce)
            put_hex(buf, "nonce", s->nonce, sizeof(s->nonce));
    }
    put_hex(buf, "owner_signature", s->owner_signature.b, VES_SIG_SIZE);
    if (s->has_invitation)
        put_number(buf, "rights", s->rights);
    ves_buf_put_u8(buf, '}');
}

static void write_registered(struct ves_buf *buf, const struct ves_key_event *e)
{
    put_uuid(buf, "agent_id", &e->agent);
    put_number(buf, "key_id", e->key_id);
    if (e->has_next)
        put_hex(buf, "next_key_digest", e->next.b, VES_HASH_SIZE);
    put_hex(buf, "public_key", e->public_key.b, VES_KEY_SIZE);
    if (e->has_statement)
        put_statement(buf, &e->statement);
    if (e->at_sequence != 0)
        put_number(buf, "valid_from_sequence", e->at_sequence);
}

static void write_rotated(struct ves_buf *buf, const struct ves_key_event *e)
{
    put_uuid(buf, "agent_id", &e->agent);
    put_number(buf, "key_id", e->key_id);
    if (e->has_next)
        put_hex(buf, "next_key_digest", e->next.b, VES_HASH_SIZE);
    put_number(buf, "previous_key_id", e->previous_id);
    put_hex(buf, "previous_signature", e->previous_signature.b, VES_SIG_SIZE);
    put_hex(buf, "public_key", e->public_key.b, VES_KEY_SIZE);
    put_hex(buf, "signature", e->signature.b, VES_SIG_SIZE);
}

static void write_revoked(struct ves_buf *buf, const struct ves_key_event *e)
{
    put_uuid(buf, "agent_id", &e->agent);
    put_number(buf, "key_id", e->key_id);
    if (e->at_sequence != 0)
        put_number(buf, "revoked_at_sequence", e->at_sequence);
    if (e->has_statement)
        put_statement(buf, &e->statement);
}

void ves_key_event_write(struct ves_buf *buf, const struct ves_key_event *e)
{
    ves_buf_put_u8(buf, '{');
    switch (e->kind) {
    case VES_KEY_EVENT_REGISTERED:
        write_registered(buf, e);
        break;
    case VES_KEY_EVENT_ROTATED:
        write_rotated(buf, e);
        break;
    case VES_KEY_EVENT_REVOKED:
        write_revoked(buf, e);
        break;
    case VES_KEY_EVENT_POLICY:
        put_number(buf, "number", e->number);
        put_hex(buf, "owner_signature", e->signature.b, VES_SIG_SIZE);
        put_name(buf, "strict");
        ves_buf_put_str(buf, e->is_strict ? "true" : "false");
        break;
    case VES_KEY_EVENT_SEQUENCER:
        put_hex(buf, "public_key", e->public_key.b, VES_KEY_SIZE);
        put_uuid(buf, "sequencer_id", &e->agent);
        put_hex(buf, "statement_signature", e->signature.b, VES_SIG_SIZE);
        put_number(buf, "version", e->key_id);
        break;
    case VES_KEY_EVENT_NONE:
        VES_ASSERT(false);
    }
    ves_buf_put_u8(buf, '}');
}

/* ---- reading ------------------------------------------------------------- */

/* Reads members and remembers the first that is not as it should be. */
struct reader {
    const struct ves_json *object;
    const char *bad;
};

static void fault(struct reader *r, const char *name)
{
    if (!r->bad)
        r->bad = name;
}

static bool has(const struct reader *r, const char *name)
{
    return ves_json_member(r->object, name) != NULL;
}

static void get_hex(struct reader *r, const char *name, void *out, size_t len)
{
    struct ves_bytes text;

    if (!ves_json_get_string(r->object, name, &text) ||
        text.len != 2 * len + 2 || memcmp(text.ptr, "0x", 2) != 0 ||
        ves_hex_decode(ves_bytes(text.ptr + 2, 2 * len), out, len))
        fault(r, name);
}

static void get_uuid(struct reader *r, const char *name, struct ves_uuid *out)
{
    struct ves_bytes text;

    if (!ves_json_get_string(r->object, name, &text) ||
        ves_uuid_parse(text, out))
        fault(r, name);
}

static uint64_t get_number(struct reader *r, const char *name, uint64_t low,
                           uint64_t high)
{
    uint64_t value = 0;

    if (!ves_json_get_u64(r->object, name, &value) || value < low ||
        value > high) {
        fault(r, name);
        return 0;
    }
    return value;
}

static uint32_t get_u32(struct reader *r, const char *name)
{
    return (uint32_t)get_number(r, name, 0, UINT32_MAX);
}

static void get_next(struct reader *r, struct ves_key_event *e)
{
    e->has_next = has(r, "next_key_digest");
    if (e->has_next)
        get_hex(r, "next_key_digest", e->next.b, VES_HASH_SIZE);
}

static void get_statement(struct reader *r, struct ves_key_event *e)
{
    struct ves_key_statement *s = &e->statement;
    struct reader in = {.object = ves_json_member(r->object, "statement")};

    e->has_statement = in.object != NULL;
    if (!e->has_statement)
        return;
    get_hex(&in, "owner_signature", s->owner_signature.b, VES_SIG_SIZE);
    s->has_invitation = has(&in, "invitation_id");
    if (s->has_invitation) {
        get_uuid(&in, "invitation_id", &s->invitation_id);
        get_hex(&in, "invitation_key", s->invitation_key.b, VES_KEY_SIZE);
        get_hex(&in, "invitation_signature", s->invitation_signature.b,
                VES_SIG_SIZE);
        get_hex(&in, "agent_signature", s->agent_signature.b, VES_SIG_SIZE);
        s->rights = get_u32(&in, "rights");
        s->expires_ms = (int64_t)get_number(&in, "expires_at_ms", 1,
                                            (uint64_t)VES_SAFE_INTEGER_MAX);
        s->has_nonce = has(&in, "nonce");
        if (s->has_nonce)
            get_hex(&in, "nonce", s->nonce, sizeof(s->nonce));
    }
    if (in.bad)
        fault(r, in.bad);
}

static void read_key(struct reader *r, struct ves_key_event *e)
{
    get_uuid(r, "agent_id", &e->agent);
    e->key_id = get_u32(r, "key_id");
}

static void read_registered(struct reader *r, struct ves_key_event *e)
{
    read_key(r, e);
    get_hex(r, "public_key", e->public_key.b, VES_KEY_SIZE);
    get_next(r, e);
    get_statement(r, e);
    if (has(r, "valid_from_sequence"))
        e->at_sequence =
            get_number(r, "valid_from_sequence", 1, VES_SAFE_INTEGER_MAX);
}

static void read_rotated(struct reader *r, struct ves_key_event *e)
{
    read_key(r, e);
    e->previous_id = get_u32(r, "previous_key_id");
    get_hex(r, "public_key", e->public_key.b, VES_KEY_SIZE);
    get_next(r, e);
    get_hex(r, "previous_signature", e->previous_signature.b, VES_SIG_SIZE);
    get_hex(r, "signature", e->signature.b, VES_SIG_SIZE);
}

static void read_revoked(struct reader *r, struct ves_key_event *e)
{
    read_key(r, e);
    get_statement(r, e);
    if (e->has_statement && e->statement.has_invitation)
        fault(r, "invitation_id");
    if (has(r, "revoked_at_sequence"))
        e->at_sequence =
            get_number(r, "revoked_at_sequence", 1, VES_SAFE_INTEGER_MAX);
}

static void read_sequencer(struct reader *r, struct ves_key_event *e)
{
    get_uuid(r, "sequencer_id", &e->agent);
    e->key_id = get_u32(r, "version");
    if (e->key_id < 2)
        fault(r, "version");
    get_hex(r, "public_key", e->public_key.b, VES_KEY_SIZE);
    get_hex(r, "statement_signature", e->signature.b, VES_SIG_SIZE);
}

static void read_members(struct reader *r, struct ves_key_event *e)
{
    switch (e->kind) {
    case VES_KEY_EVENT_REGISTERED:
        read_registered(r, e);
        break;
    case VES_KEY_EVENT_ROTATED:
        read_rotated(r, e);
        break;
    case VES_KEY_EVENT_REVOKED:
        read_revoked(r, e);
        break;
    case VES_KEY_EVENT_POLICY:
        e->number = get_number(r, "number", 1, VES_SAFE_INTEGER_MAX);
        get_hex(r, "owner_signature", e->signature.b, VES_SIG_SIZE);
        if (!ves_json_get_bool(r->object, "strict", &e->is_strict))
            fault(r, "strict");
        break;
    case VES_KEY_EVENT_SEQUENCER:
        read_sequencer(r, e);
        break;
    case VES_KEY_EVENT_NONE:
        VES_ASSERT(false);
    }
}

enum ves_status ves_key_event_read(const struct ves_event *event,
                                   struct ves_key_event *out,
                                   struct ves_error *why)
{
    struct reader reader = {.object = event->payload};

    memset(out, 0, sizeof(*out));
    out->kind = ves_key_event_kind_of(event);
    VES_ASSERT(out->kind != VES_KEY_EVENT_NONE);
    if (event->payload_kind != VES_PAYLOAD_PLAIN || !event->payload)
        return ves_fail(why, VES_INVALID,
                        "a key event has to be legible, and this one is not");
    read_members(&reader, out);
    if (reader.bad)
        return ves_fail(why, VES_INVALID,
                        "payload member %s of the key event is missing or not "
                        "what it should be",
                        reader.bad);
    if (!ves_bytes_is(event->entity_type, VES_KEY_ENTITY_TYPE) ||
        !ves_bytes_is(event->entity_id, VES_KEY_ENTITY_ID))
        return ves_fail(why, VES_INVALID,
                        "the key event stands on another entity than "
                        "\"" VES_KEY_ENTITY_TYPE "\" \"" VES_KEY_ENTITY_ID
                        "\"");
    return VES_OK;
}
