/* receipt.c -- the sequencer's signed promise that an event has its place. */
#include "core/receipt.h"

#include "base/bytes.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "crypto/crypto.h"

void ves_receipt_hash(const struct ves_stream *stream,
                      const struct ves_uuid *event_id, uint64_t sequence_number,
                      const struct ves_hash *event_hash, struct ves_hash *out)
{
    uint8_t sequence[8];
    ves_store_u64(sequence, sequence_number);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_RECEIPT_V1"),
        ves_bytes(stream->tenant.b, VES_UUID_SIZE),
        ves_bytes(stream->store.b, VES_UUID_SIZE),
        ves_bytes(event_id->b, VES_UUID_SIZE),
        ves_bytes(sequence, sizeof(sequence)),
        ves_bytes(event_hash->b, VES_HASH_SIZE)};
    ves_sha256(parts, 6, out);
}

void ves_receipt_write(struct ves_buf *buf, const struct ves_receipt *receipt)
{
    char time[VES_TIME_TEXT + 1];
    ves_time_format(receipt->sequenced_at_ms, time);

    ves_buf_put_str(buf, "{\"sequencerId\":\"");
    ves_buf_put_uuid(buf, &receipt->sequencer_id);
    ves_buf_put_str(buf, "\",\"eventId\":\"");
    ves_buf_put_uuid(buf, &receipt->event_id);
    ves_buf_put_str(buf, "\",\"sequenceNumber\":");
    ves_buf_put_decimal(buf, receipt->sequence_number);
    ves_buf_put_str(buf, ",\"sequencedAt\":\"");
    ves_buf_put_str(buf, time);
    ves_buf_put_str(buf, "\",\"receiptHash\":\"");
    ves_buf_put_hex(buf, receipt->receipt_hash.b, VES_HASH_SIZE);
    ves_buf_put_str(buf, "\",\"signatureAlg\":\"ed25519\","
                         "\"sequencerSignature\":\"");
    ves_buf_put_hex(buf, receipt->signature.b, VES_SIG_SIZE);
    ves_buf_put_str(buf, "\",\"sequencerKeyVersion\":");
    ves_buf_put_decimal(buf, receipt->key_version);
    ves_buf_put_u8(buf, '}');
}

/* signatureAlg is ed25519 and the scheme, when said, agrees (A.9). */
static enum ves_status check_algorithm(const struct ves_json *json)
{
    struct ves_bytes algorithm;
    uint64_t scheme;

    if (!ves_json_get_string(json, "signatureAlg", &algorithm))
        return VES_MALFORMED;
    if (!ves_bytes_is(algorithm, "ed25519"))
        return VES_UNSUPPORTED;
    const struct ves_json *node =
        ves_json_member(json, "receiptSignatureScheme");
    if (ves_json_is_absent(node))
        return VES_OK;
    if (!ves_json_as_u64(node, &scheme))
        return VES_MALFORMED;
    return scheme > 1 ? VES_UNSUPPORTED : VES_OK;
}

static bool get_uuid(const struct ves_json *json, const char *name,
                     struct ves_uuid *out)
{
    struct ves_bytes text;
    return ves_json_get_string(json, name, &text) &&
           ves_uuid_parse(text, out) == VES_OK;
}

static bool get_hex(const struct ves_json *json, const char *name, uint8_t *out,
                    size_t len)
{
    struct ves_bytes text;
    return ves_json_get_string(json, name, &text) &&
           ves_hex_decode(text, out, len) == VES_OK;
}

static bool get_key_version(const struct ves_json *json, uint32_t *out)
{
    const struct ves_json *node = ves_json_member(json, "sequencerKeyVersion");
    uint64_t version = 0;

    if (!ves_json_is_absent(node) &&
        (!ves_json_as_u64(node, &version) || version > UINT32_MAX))
        return false;
    *out = (uint32_t)version;
    return true;
}

enum ves_status ves_receipt_read(const struct ves_json *json,
                                 struct ves_receipt *out)
{
    struct ves_receipt receipt = {.sequence_number = 0};
    struct ves_bytes time;

    if (!json || json->type != VES_JSON_OBJECT)
        return VES_MALFORMED;
    /* The algorithm first: without a key the signature is an empty text. */
    enum ves_status status = check_algorithm(json);
    if (status)
        return status;
    if (!get_uuid(json, "sequencerId", &receipt.sequencer_id) ||
        !get_uuid(json, "eventId", &receipt.event_id) ||
        !ves_json_get_u64(json, "sequenceNumber", &receipt.sequence_number) ||
        receipt.sequence_number == 0 ||
        !ves_json_get_string(json, "sequencedAt", &time) ||
        time.len > VES_CREATED_AT_MAX ||
        ves_time_parse(time, &receipt.sequenced_at_ms) ||
        !get_hex(json, "receiptHash", receipt.receipt_hash.b, VES_HASH_SIZE) ||
        !get_hex(json, "sequencerSignature", receipt.signature.b,
                 VES_SIG_SIZE) ||
        !get_key_version(json, &receipt.key_version))
        return VES_MALFORMED;
    *out = receipt;
    return VES_OK;
}

void ves_seqkey_hash(const struct ves_public_key *old_key,
                     const struct ves_public_key *new_key, uint32_t version,
                     struct ves_hash *out)
{
    uint8_t number[4];
    ves_store_u32(number, version);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_SEQKEY_V1"), ves_bytes(old_key->b, VES_KEY_SIZE),
        ves_bytes(new_key->b, VES_KEY_SIZE), ves_bytes(number, sizeof(number))};
    ves_sha256(parts, 4, out);
}
