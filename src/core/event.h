/* event.h -- one event: reading, checking and writing its envelope.
 *
 * protocol.md A.4, A.5 (hashes) and B.3 (JSON).  An event is a value whose
 * views point into the bytes it was read from and into the arena.
 */
#ifndef VES_CORE_EVENT_H
#define VES_CORE_EVENT_H

#include "base/buf.h"
#include "core/refusal.h"
#include "ves/ves.h"
#include "json/json.h"

enum ves_payload_kind { VES_PAYLOAD_PLAIN = 0, VES_PAYLOAD_ENCRYPTED = 1 };

/* Causal context, the payload member "_ves" (semantics.md decision 2); of
 * version 2 events only (ADR 0016).  Not present also where a log holds one
 * that nobody may judge by. */
struct ves_context {
    bool is_present;
    uint64_t agent_seq; /* 1, 2, 3 ... per agent and stream */
    bool has_prev;
    struct ves_hash prev; /* hash of the agent's previous event */
    uint64_t seen;        /* the author's pull cursor */
    bool has_base_head;
    struct ves_hash base_head; /* head of the entity as the author saw it */
    struct ves_bytes schema;   /* "order.updated/1" */
    uint32_t schema_version;   /* the number after the last slash; 0 if none */
    struct ves_bytes hlc;      /* display only; decides nothing */
    struct ves_uuid *deps;     /* ids of the events it waits for */
    size_t dep_count;
    bool has_cmd;
    uint32_t cmd_index; /* 0-based place in an atomic group */
    uint32_t cmd_count;
};

struct ves_event {
    uint32_t ves_version; /* 1 or 2 */
    struct ves_stream stream;
    struct ves_uuid event_id;
    struct ves_uuid agent;
    uint32_t agent_key_id;
    struct ves_bytes entity_type;
    struct ves_bytes entity_id;
    struct ves_bytes event_type;
    struct ves_bytes created_at;    /* RFC 3339, verbatim: it is signed */
    uint32_t payload_kind;          /* enum ves_payload_kind */
    const struct ves_json *payload; /* NULL when encrypted */
    const struct ves_json *payload_encrypted; /* NULL when plain */
    struct ves_bytes payload_jcs; /* canonical payload, or payload_encrypted
                                     when that; set by _check */
    struct ves_hash payload_plain_hash;
    struct ves_hash payload_cipher_hash;
    struct ves_sig signature; /* agent_signature */
    bool has_command_id;
    struct ves_uuid command_id;
    bool has_base_version;
    uint64_t base_version;

    /* Set by ves_event_check. */
    struct ves_hash event_hash; /* signing hash, A.5: "event hash" everywhere */
    struct ves_context context;

    /* Present in pulled envelopes; 0 and empty otherwise.  Not signed by the
     * agent. */
    uint64_t sequence_number;
    struct ves_bytes sequenced_at;
};

/* Reads one envelope (B.3): strict JSON, known members of the right type and
 * of a size that a log may hold, hexadecimal decoded, ids parsed, payload
 * present for its kind. Unknown members are ignored; members with value null
 * are absent. On failure returns VES_REFUSED with *refusal filled (code, field
 * and a sentence), event_id filled in *event when it could be read
 * (refusal->has_event_id); VES_NOMEM when the arena is full. */
VES_NODISCARD enum ves_status ves_event_read(struct ves_arena *arena,
                                             struct ves_bytes json,
                                             struct ves_event *event,
                                             struct ves_refusal *refusal);

/* Same for an envelope that has been read as part of a larger document. */
VES_NODISCARD enum ves_status
ves_event_from_json(struct ves_arena *arena, const struct ves_json *envelope,
                    struct ves_event *event, struct ves_refusal *refusal);

/* Checks everything about a new event that needs no key: version, created_at,
 * canonical payload, payload or cipher hash, structure of payload_encrypted,
 * causal context; fills payload_jcs, event_hash and context.  Does NOT check
 * the signature.  Results as ves_event_read. */
VES_NODISCARD enum ves_status ves_event_check(struct ves_arena *arena,
                                              struct ves_event *event,
                                              struct ves_refusal *refusal);

/* Same for an event that is in a log, which another sequencer may have taken
 * by other rules (ADR 0016): refused is only what its hashes disprove, or
 * cannot show.  A context that nobody may judge by counts as none; a payload
 * with numbers beyond 2^53 is what its canonical form, which is signed, says
 * (payload is that form then). */
VES_NODISCARD enum ves_status
ves_event_check_logged(struct ves_arena *arena, struct ves_event *event,
                       struct ves_refusal *refusal);

/* Computes the signing hash from the fields (A.5), version 1 or 2. */
void ves_event_signing_hash(const struct ves_event *event,
                            struct ves_hash *out);

/* V1HASH of A.5 with the event's own version number in it. */
void ves_event_v1_hash(const struct ves_event *event, struct ves_hash *out);

/* payload_plain_hash of A.4; salt NULL for plain events. */
void ves_payload_plain_hash(struct ves_bytes jcs, const uint8_t salt[16],
                            struct ves_hash *out);

/* Everything a stored copy must equal for a replay to be the same event:
 * SHA-256 over event_hash (set by _check), signature, command id and base
 * version with their presence (B.3 step 2). */
void ves_event_fingerprint(const struct ves_event *event, struct ves_hash *out);

/* Appends the envelope in our one normal spelling, canonical payload, hashes
 * and signature with "0x" (B.4), without the closing brace, so that
 * ves_event_write_position can add the sequence members.  payload_jcs must be
 * set.  Reading it back gives the same event. */
void ves_event_write_open(struct ves_buf *buf, const struct ves_event *event);
/* Appends ',"sequence_number":N,"sequenced_at":"..."}'. */
void ves_event_write_position(struct ves_buf *buf, uint64_t sequence_number,
                              struct ves_bytes sequenced_at);
/* Appends the whole envelope without position, closing brace included. */
void ves_event_write(struct ves_buf *buf, const struct ves_event *event);

/* Appends the value of the member "_ves" as canonical JSON (decision 2): one
 * object. */
void ves_context_write(struct ves_buf *buf, const struct ves_context *context);

#endif
