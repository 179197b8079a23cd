/* key_event.h -- agents' keys as the log has them.
 *
 * ADR 0025; verifiability.md 3.7.  Registering, rotating and revoking a key
 * are events that the sequencer's own agent signs.  Its signature says where
 * they stand; whose word they are is in the payload: the stream's owner's, the
 * holder's of the key before, or nobody's but the sequencer's.  What is known
 * of an agent's keys at a number is a function of the events on that one
 * entity before it: ves_key_event_apply.
 */
#ifndef VES_CORE_KEY_EVENT_H
#define VES_CORE_KEY_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/event.h"
#include "core/invitation.h"
#include "core/keydir.h"

#define VES_TYPE_KEY_REGISTERED "ves.key.registered"
#define VES_TYPE_KEY_ROTATED    "ves.key.rotated"
#define VES_TYPE_KEY_REVOKED    "ves.key.revoked"
#define VES_TYPE_KEY_POLICY     "ves.key.policy"
#define VES_TYPE_SEQUENCER_KEY  "ves.sequencer.key"

/* The entity all such events are on: type and id. */
#define VES_KEY_ENTITY_TYPE "ves"
#define VES_KEY_ENTITY_ID   "keys"

enum {
    VES_KEYS_LOGGED_MAX = 4096, /* of one agent */
    VES_KEY_EVENT_MAX = 4096    /* bytes of a payload */
};

enum ves_key_event_kind {
    VES_KEY_EVENT_NONE,
    VES_KEY_EVENT_REGISTERED,
    VES_KEY_EVENT_ROTATED,
    VES_KEY_EVENT_REVOKED,
    VES_KEY_EVENT_POLICY,
    VES_KEY_EVENT_SEQUENCER
};

/* Whose word a key is. */
enum ves_key_author {
    VES_KEY_BY_NOBODY,    /* not in the log: the directory's word only */
    VES_KEY_BY_SEQUENCER, /* "sequencer" */
    VES_KEY_BY_OWNER,     /* "owner" */
    VES_KEY_BY_ROTATION   /* "rotation": the committed next of an older one */
};

/* "directory", "sequencer", "owner", "rotation". */
const char *ves_key_author_name(enum ves_key_author author);

/* The owner's word for a key: directly, or through an invitation he signed,
 * which its holder redeemed for this key (core/invitation.h). */
struct ves_key_statement {
    struct ves_sig owner_signature;
    bool has_invitation;
    struct ves_uuid invitation_id;
    struct ves_public_key invitation_key;
    uint32_t rights;
    int64_t expires_ms;
    bool has_nonce;
    uint8_t nonce[VES_REDEEM_NONCE_SIZE];
    struct ves_sig invitation_signature, agent_signature;
};

struct ves_key_event {
    enum ves_key_event_kind kind;
    struct ves_uuid agent; /* SEQUENCER: its id; POLICY: nil */
    uint32_t key_id;       /* ROTATED: the new one; SEQUENCER: the version */
    struct ves_public_key public_key;
    bool has_next;
    struct ves_hash next; /* ves_key_next_hash of the key to come */
    /* REGISTERED: valid from; 0: from the event itself.  Another one only for
     * what was so before it was entered.  REVOKED: only events of before
     * ADR 0058 have one, and it ends nothing. */
    uint64_t at_sequence;
    bool has_statement; /* REGISTERED, REVOKED */
    struct ves_key_statement statement;
    uint32_t previous_id; /* ROTATED */
    struct ves_sig previous_signature;
    struct ves_sig signature; /* ROTATED: of the new key; SEQUENCER: of the
                                 version before */
    bool is_strict;           /* POLICY */
    uint64_t number;          /* POLICY: above that of the one before */
};

/* ---- what is signed ------------------------------------------------------ */

/* SHA256("VES_KEY_NEXT_V1" | public key). */
void ves_key_next_hash(const struct ves_public_key *key, struct ves_hash *out);
/* The owner's own word: SHA256("VES_KEY_REGISTER_V1" | tenant | store | agent |
 * U32 key id | public key | next; zeros: none). */
void ves_key_register_hash(const struct ves_stream *stream,
                           const struct ves_key_event *event,
                           struct ves_hash *out);
/* Both keys: SHA256("VES_KEY_ROTATE_V1" | tenant | store | agent | U32 previous
 * id | U32 key id | public key | next; zeros: none). */
void ves_key_rotate_hash(const struct ves_stream *stream,
                         const struct ves_key_event *event,
                         struct ves_hash *out);
/* The owner: SHA256("VES_KEY_REVOKE_V1" | tenant | store | agent | U32 id).
 * It names no number, so that it ends the key where the event stands. */
void ves_key_revoke_hash(const struct ves_stream *stream,
                         const struct ves_key_event *event,
                         struct ves_hash *out);
/* The owner: SHA256("VES_KEY_POLICY_V1" | tenant | store | U8 strict | U64
 * number). */
void ves_key_policy_hash(const struct ves_stream *stream,
                         const struct ves_key_event *event,
                         struct ves_hash *out);

/* ---- events -------------------------------------------------------------- */

/* By its type alone; NONE for all others. */
enum ves_key_event_kind ves_key_event_kind_of(const struct ves_event *event);
/* Its event type; kind is not NONE. */
const char *ves_key_event_type(enum ves_key_event_kind kind);

/* Appends the payload as canonical JSON. */
void ves_key_event_write(struct ves_buf *buf,
                         const struct ves_key_event *event);

/* Reads an event of one of these kinds: entity, members, their forms; nothing
 * that needs a key.  VES_INVALID with *why (may be NULL). */
VES_NODISCARD enum ves_status ves_key_event_read(const struct ves_event *event,
                                                 struct ves_key_event *out,
                                                 struct ves_error *why);

/* ---- what they make known ------------------------------------------------ */

struct ves_logged_key {
    uint32_t key_id;
    struct ves_public_key public_key;
    enum ves_key_author author;
    bool has_next;
    struct ves_hash next;
    uint64_t valid_from; /* first sequence it may sign */
    /* First it may no longer, which is that of the event that ended it; 0:
     * none. */
    uint64_t revoked_at;
    uint64_t claimed_at; /* the number that event gave; 0: none */
    uint64_t entered_at; /* sequence of the event that registered it */
    enum ves_key_author ended_by;
};

/* Keys of one agent, in the order of the log. */
struct ves_key_state {
    struct ves_uuid agent;
    struct ves_logged_key *keys;
    size_t count;
};

/* What the owner wants of keys in this stream. */
struct ves_key_policy {
    bool is_strict; /* only keys he signed for, and their rotations */
    uint64_t number;
    uint64_t entered_at; /* sequence; 0: never said */
};

/* name, code */
#define VES_KEY_FAULT_MAP(X)                  \
    X(NONE, "")                               \
    X(NO_OWNER, "no_owner")                   \
    X(OWNER, "owner_signature_invalid")       \
    X(STRICT, "owner_signature_required")     \
    X(EXISTS, "key_exists")                   \
    X(UNKNOWN, "key_unknown")                 \
    X(REVOKED, "key_revoked")                 \
    X(KEY, "key_invalid")                     \
    X(SIGNATURE, "key_signature_invalid")     \
    X(UNCOMMITTED, "no_next_key_committed")   \
    X(NOT_NEXT, "not_the_committed_next_key") \
    X(SEQUENCE, "sequence_invalid")           \
    X(NUMBER, "policy_number_invalid")        \
    X(LIMIT, "too_many_keys")

enum ves_key_fault {
#define X(name, code) VES_KEY_FAULT_##name,
    VES_KEY_FAULT_MAP(X)
#undef X
};

/* The code and a sentence for people. */
const char *ves_key_fault_code(enum ves_key_fault fault);
const char *ves_key_fault_words(enum ves_key_fault fault);

/* What a rule about keys depends on beside the agent's own events. */
struct ves_key_world {
    struct ves_stream stream;
    bool has_owner;
    struct ves_public_key owner;
    struct ves_key_policy policy;
};

/* Takes an event about an agent's key that stands at sequence.  *fault is NONE
 * and *state has changed, or it is not and nothing has.  An agent's keys that
 * an owner's or its own word ended never come back.  Only VES_NOMEM fails.
 * Not for POLICY and SEQUENCER. */
VES_NODISCARD enum ves_status
ves_key_event_apply(struct ves_arena *arena, const struct ves_key_world *world,
                    const struct ves_key_event *event, uint64_t sequence,
                    struct ves_key_state *state, enum ves_key_fault *fault);

/* The same for POLICY. */
enum ves_key_fault ves_key_policy_apply(const struct ves_key_world *world,
                                        const struct ves_key_event *event,
                                        uint64_t sequence,
                                        struct ves_key_policy *policy);

/* And for SEQUENCER: is it what the version before said? */
enum ves_key_fault
ves_sequencer_key_check(const struct ves_key_event *event,
                        const struct ves_public_key *previous);

/* NULL: not in the log. */
const struct ves_logged_key *
ves_key_state_find(const struct ves_key_state *state, uint32_t key_id);

/* May the key sign the event with this number, as the log has it? */
bool ves_logged_key_covers(const struct ves_logged_key *key, uint64_t sequence);

/* As a stream sees it (core/keydir.h); algorithm and registrar filled. */
void ves_logged_key_show(const struct ves_uuid *agent,
                         const struct ves_logged_key *key,
                         struct ves_agent_key *out);

#endif
