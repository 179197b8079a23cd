/* receipt.h -- the sequencer's signed promise that an event has its place.
 *
 * protocol.md A.9; key rotation as design.md D18.
 */
#ifndef VES_CORE_RECEIPT_H
#define VES_CORE_RECEIPT_H

#include "base/buf.h"
#include "ves/ves.h"
#include "json/json.h"

struct ves_receipt {
    struct ves_uuid sequencer_id;
    struct ves_uuid event_id;
    uint64_t sequence_number;
    int64_t sequenced_at_ms; /* display only: not covered */
    struct ves_hash receipt_hash;
    struct ves_sig signature;
    uint32_t key_version; /* 1 is the first sequencer key; 0: not said */
};

/* SHA256("VES_RECEIPT_V1" | tenant | store | event | U64 seq | event hash). */
void ves_receipt_hash(const struct ves_stream *stream,
                      const struct ves_uuid *event_id, uint64_t sequence_number,
                      const struct ves_hash *event_hash, struct ves_hash *out);

/* Appends the JSON object of B.3; hex without 0x. */
void ves_receipt_write(struct ves_buf *buf, const struct ves_receipt *receipt);

/* Reads B.3's object.  VES_MALFORMED when a member is missing or of the wrong
 * form; signatureAlg other than "ed25519" is VES_UNSUPPORTED. */
VES_NODISCARD enum ves_status ves_receipt_read(const struct ves_json *json,
                                               struct ves_receipt *out);

/* The statement that introduces sequencer key number version (D18):
 * SHA256("VES_SEQKEY_V1" | old key | new key | U32 version). */
void ves_seqkey_hash(const struct ves_public_key *old_key,
                     const struct ves_public_key *new_key, uint32_t version,
                     struct ves_hash *out);

#endif
