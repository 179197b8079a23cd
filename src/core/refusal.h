/* refusal.h -- why an event was not taken, in the protocol's words (B.3). */
#ifndef VES_CORE_REFUSAL_H
#define VES_CORE_REFUSAL_H

#include "ves/ves.h"

/* name, reason on the wire */
#define VES_REFUSAL_MAP(X)                                          \
    X(NONE, "")                                                     \
    X(DUPLICATE_EVENT_ID, "duplicate_event_id")                     \
    X(DUPLICATE_COMMAND_ID, "duplicate_command_id")                 \
    X(INVALID_PAYLOAD_HASH, "invalid_payload_hash")                 \
    X(INVALID_CIPHER_HASH, "invalid_cipher_hash")                   \
    X(INVALID_SIGNATURE, "invalid_signature")                       \
    X(KEY_NOT_FOUND, "agent_key_invalid: Agent key not found")      \
    X(KEY_REVOKED, "agent_key_invalid: Agent key has been revoked") \
    X(KEY_EXPIRED, "agent_key_invalid: Agent key has expired")      \
    X(KEY_NOT_YET, "agent_key_invalid: Agent key is not yet valid") \
    X(UNSUPPORTED_VERSION, "unsupported_version")                   \
    X(SCHEMA_VALIDATION, "schema_validation")                       \
    X(VERSION_CONFLICT, "version_conflict")                         \
    X(SEEN_BEYOND_HEAD, "seen_beyond_head")                         \
    X(INCOMPLETE_GROUP, "incomplete_group")                         \
    X(RESERVED_TYPE, "reserved_type")                               \
    X(POLICY_VIOLATION, "policy_violation")

enum ves_refusal_code {
#define X(name, reason) VES_REFUSAL_##name,
    VES_REFUSAL_MAP(X)
#undef X
};

struct ves_refusal {
    enum ves_refusal_code code;
    char reason[256];  /* on the wire and under the signature; UTF-8, NUL */
    char message[256]; /* for people: what is wrong, where, what to do */
    bool has_event_id;
    struct ves_uuid event_id;
};

/* The fixed part of a reason. */
const char *ves_refusal_reason(enum ves_refusal_code code);

/* Fills *refusal; has_event_id becomes false, the caller who knows the event
 * sets it afterwards.  detail (may be NULL) is appended to the reason after
 * ": "; message is printf-style; text that does not fit is cut at a character
 * boundary.  Always returns VES_REFUSED. */
enum ves_status ves_refuse(struct ves_refusal *refusal,
                           enum ves_refusal_code code, const char *detail,
                           const char *message, ...)
    __attribute__((format(printf, 4, 5)));

/* Hash a refusal signature covers (semantics.md decision 5):
 * SHA256("VES_REFUSAL_V1" | stream_id | SHA256(element) | STR reason). */
void ves_refusal_hash(const struct ves_stream *stream, struct ves_bytes element,
                      struct ves_bytes reason, struct ves_hash *out);

#endif
