/* event.c -- what is hashed and signed of an event (protocol.md A.4, A.5). */
#include "core/event.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "crypto/crypto.h"

/* protocol.md A.1 STR in two parts: length, then text. */
static void put_str(struct ves_bytes parts[2], uint8_t len[4],
                    struct ves_bytes text)
{
    VES_ASSERT(text.len <= UINT32_MAX);
    ves_store_u32(len, (uint32_t)text.len);
    parts[0] = ves_bytes(len, 4);
    parts[1] = text;
}

void ves_event_v1_hash(const struct ves_event *event, struct ves_hash *out)
{
    uint8_t version[4], key_id[4], kind[4], len[4][4];
    ves_store_u32(version, event->ves_version);
    ves_store_u32(key_id, event->agent_key_id);
    ves_store_u32(kind, event->payload_kind);

    struct ves_bytes parts[18] = {
        ves_bytes_str("VES_EVENTSIG_V1"),
        ves_bytes(version, 4),
        ves_bytes(event->stream.tenant.b, VES_UUID_SIZE),
        ves_bytes(event->stream.store.b, VES_UUID_SIZE),
        ves_bytes(event->event_id.b, VES_UUID_SIZE),
        ves_bytes(event->agent.b, VES_UUID_SIZE),
        ves_bytes(key_id, 4),
    };
    put_str(parts + 7, len[0], event->entity_type);
    put_str(parts + 9, len[1], event->entity_id);
    put_str(parts + 11, len[2], event->event_type);
    put_str(parts + 13, len[3], event->created_at);
    parts[15] = ves_bytes(kind, 4);
    parts[16] = ves_bytes(event->payload_plain_hash.b, VES_HASH_SIZE);
    parts[17] = ves_bytes(event->payload_cipher_hash.b, VES_HASH_SIZE);
    ves_sha256(parts, 18, out);
}

/* Command id and base version, each behind a byte that says whether it is
 * there.  Returns how many bytes of out are used. */
static size_t put_controls(const struct ves_event *event,
                           uint8_t out[2 + VES_UUID_SIZE + 8])
{
    size_t n = 0;
    out[n++] = event->has_command_id ? 1 : 0;
    if (event->has_command_id) {
        memcpy(out + n, event->command_id.b, VES_UUID_SIZE);
        n += VES_UUID_SIZE;
    }
    out[n++] = event->has_base_version ? 1 : 0;
    if (event->has_base_version) {
        ves_store_u64(out + n, event->base_version);
        n += 8;
    }
    return n;
}

void ves_event_signing_hash(const struct ves_event *event, struct ves_hash *out)
{
    struct ves_hash inner;
    uint8_t controls[2 + VES_UUID_SIZE + 8];

    ves_event_v1_hash(event, &inner);
    if (event->ves_version != 2) {
        *out = inner;
        return;
    }
    size_t len = put_controls(event, controls);
    const struct ves_bytes parts[] = {ves_bytes_str("VES_EVENTSIG_V2"),
                                      ves_bytes(inner.b, VES_HASH_SIZE),
                                      ves_bytes(controls, len)};
    ves_sha256(parts, 3, out);
}

void ves_payload_plain_hash(struct ves_bytes jcs, const uint8_t salt[16],
                            struct ves_hash *out)
{
    const struct ves_bytes parts[] = {ves_bytes_str("VES_PAYLOAD_PLAIN_V1"),
                                      ves_bytes(salt, salt ? 16 : 0), jcs};
    ves_sha256(parts, 3, out);
}

void ves_event_fingerprint(const struct ves_event *event, struct ves_hash *out)
{
    uint8_t controls[2 + VES_UUID_SIZE + 8];
    size_t len = put_controls(event, controls);
    const struct ves_bytes parts[] = {
        ves_bytes(event->event_hash.b, VES_HASH_SIZE),
        ves_bytes(event->signature.b, VES_SIG_SIZE), ves_bytes(controls, len)};
    ves_sha256(parts, 3, out);
}
