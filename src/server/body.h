/* body.h -- the JSON bodies of the routes, read and checked.
 *
 * Pure.  Members are accepted in camelCase and in snake_case (protocol.md G.5).
 * VES_MALFORMED: not JSON, with the offset; VES_INVALID: a member is missing
 * or wrong, named; VES_UNSUPPORTED: an algorithm we do not have; VES_NOMEM.
 * Views are in the arena or the body.
 */
#ifndef VES_SERVER_BODY_H
#define VES_SERVER_BODY_H

#include "core/agent_policy.h"
#include "core/key_event.h"
#include "core/merkle.h"
#include "port/store.h"

struct ves_commitment_body {
    struct ves_stream stream;
    uint64_t sequence_start, sequence_end;
};

struct ves_cursor_body {
    struct ves_stream stream;
    uint64_t sequence_number;
};

struct ves_proof_body {
    struct ves_hash leaf;
    struct ves_hash root;
    struct ves_inclusion proof;
};

struct ves_key_body {
    struct ves_uuid tenant;
    bool has_store;
    struct ves_uuid store;
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_public_key public_key;
    int64_t valid_from_ms, valid_to_ms; /* 0: not given */
    const char *algorithm;              /* "unspecified" or "ed25519" */
    bool has_possession;
    struct ves_sig possession; /* over ves_pop_hash */
    bool has_next;
    struct ves_hash next; /* core/key_event.h */
    bool has_owner_signature;
    struct ves_sig owner_signature; /* over ves_key_register_hash */
};

/* A rotation, or the owner's policy or revocation. */
struct ves_key_event_body {
    struct ves_stream stream;
    struct ves_key_event event;
};

struct ves_invitation_body {
    struct ves_stream stream;
    struct ves_uuid invitation_id;
    struct ves_public_key public_key;
    struct ves_public_key owner_key;
    struct ves_sig owner_signature;
    uint32_t rights; /* read and write only */
    uint32_t uses_max;
    int64_t expires_ms;
};

struct ves_redeem_body {
    struct ves_stream stream;
    struct ves_uuid invitation_id;
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_public_key public_key;
    bool has_nonce;
    uint8_t nonce[VES_REDEEM_NONCE_SIZE];
    bool has_next; /* then has_nonce */
    struct ves_hash next;
    struct ves_sig invitation_signature;
    struct ves_sig agent_signature;
};

struct ves_agent_policy_body {
    struct ves_uuid tenant;
    bool has_agent;
    struct ves_uuid agent;
    struct ves_agent_policy policy;
};

struct ves_api_key_body {
    struct ves_uuid tenant; /* nil only together with admin */
    bool has_store;
    struct ves_uuid store;
    bool has_agent;
    struct ves_uuid agent;
    uint32_t rights;
    int64_t expires_ms; /* 0: never */
    struct ves_bytes label;
};

#define VES_BODY_READER(name)                             \
    VES_NODISCARD enum ves_status ves_##name##_body_read( \
        struct ves_arena *arena, struct ves_bytes body,   \
        struct ves_##name##_body *out, struct ves_error *error)

#define ves_key_rotation_body   ves_key_event_body
#define ves_key_policy_body     ves_key_event_body
#define ves_key_revocation_body ves_key_event_body

VES_BODY_READER(commitment);
VES_BODY_READER(cursor);
VES_BODY_READER(proof);
VES_BODY_READER(key);
VES_BODY_READER(key_rotation);
VES_BODY_READER(key_policy);
VES_BODY_READER(key_revocation);
VES_BODY_READER(invitation);
VES_BODY_READER(redeem);
VES_BODY_READER(agent_policy);
VES_BODY_READER(api_key);

#endif
