/* event_write.c -- writing an envelope in our one spelling (protocol.md B.4).
 */
#include "base/assert.h"
#include "core/event.h"
#include "json/jcs.h"

static void put_uuid(struct ves_buf *buf, const char *prefix,
                     const struct ves_uuid *uuid)
{
    ves_buf_put_str(buf, prefix);
    ves_buf_put_uuid(buf, uuid);
    ves_buf_put_u8(buf, '"');
}

static void put_text(struct ves_buf *buf, const char *prefix,
                     struct ves_bytes text)
{
    ves_buf_put_str(buf, prefix);
    ves_jcs_write_string(buf, text);
}

static void put_number(struct ves_buf *buf, const char *prefix, uint64_t value)
{
    ves_buf_put_str(buf, prefix);
    ves_buf_put_decimal(buf, value);
}

static void put_hex(struct ves_buf *buf, const char *prefix,
                    const uint8_t *data, size_t len)
{
    ves_buf_put_str(buf, prefix);
    ves_buf_put_hex(buf, data, len);
    ves_buf_put_u8(buf, '"');
}

void ves_event_write_open(struct ves_buf *buf, const struct ves_event *event)
{
    bool is_plain = event->payload_kind == VES_PAYLOAD_PLAIN;
    VES_ASSERT(event->payload_jcs.len > 0);

    put_number(buf, "{\"ves_version\":", event->ves_version);
    put_uuid(buf, ",\"event_id\":\"", &event->event_id);
    put_uuid(buf, ",\"tenant_id\":\"", &event->stream.tenant);
    put_uuid(buf, ",\"store_id\":\"", &event->stream.store);
    put_uuid(buf, ",\"source_agent_id\":\"", &event->agent);
    put_number(buf, ",\"agent_key_id\":", event->agent_key_id);
    put_text(buf, ",\"entity_type\":", event->entity_type);
    put_text(buf, ",\"entity_id\":", event->entity_id);
    put_text(buf, ",\"event_type\":", event->event_type);
    put_text(buf, ",\"created_at\":", event->created_at);
    put_number(buf, ",\"payload_kind\":", event->payload_kind);
    ves_buf_put_str(buf,
                    is_plain ? ",\"payload\":" : ",\"payload_encrypted\":");
    ves_buf_put_bytes(buf, event->payload_jcs);
    put_hex(buf, ",\"payload_plain_hash\":\"0x", event->payload_plain_hash.b,
            VES_HASH_SIZE);
    put_hex(buf, ",\"payload_cipher_hash\":\"0x", event->payload_cipher_hash.b,
            VES_HASH_SIZE);
    put_hex(buf, ",\"agent_signature\":\"0x", event->signature.b, VES_SIG_SIZE);
    if (event->has_command_id)
        put_uuid(buf, ",\"command_id\":\"", &event->command_id);
    if (event->has_base_version)
        put_number(buf, ",\"base_version\":", event->base_version);
}

void ves_event_write_position(struct ves_buf *buf, uint64_t sequence_number,
                              struct ves_bytes sequenced_at)
{
    put_number(buf, ",\"sequence_number\":", sequence_number);
    put_text(buf, ",\"sequenced_at\":", sequenced_at);
    ves_buf_put_u8(buf, '}');
}

void ves_event_write(struct ves_buf *buf, const struct ves_event *event)
{
    ves_event_write_open(buf, event);
    ves_buf_put_u8(buf, '}');
}
