/* invitation.h -- one string that lets a new store join a stream.
 *
 * "ves1." then base64url without padding of canonical JSON: {v, url, tenant,
 * store, sequencerId, sequencerKeys:[{version, publicKey}], tlsKey?, ownerKey,
 * invitationId, secret, rights, expires, ownerSignature}.  Keys, hashes and
 * signatures are lower-case hexadecimal without "0x", rights and expires are
 * numbers as in the struct, sequencerKeys ascend by version.  The secret is
 * the seed of the invitation's own key; ownerSignature is the stream owner's
 * over ves_invitation_hash.  Whoever holds the string may redeem it.
 */
#ifndef VES_CORE_INVITATION_H
#define VES_CORE_INVITATION_H

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/crypto.h"
#include "ves/ves.h"

enum { VES_SEQUENCER_KEYS_MAX = 16, VES_INVITATION_MAX = 8192 };

struct ves_sequencer_key {
    uint32_t version;
    struct ves_public_key public_key;
};

struct ves_invitation {
    struct ves_bytes url; /* http:// or https://, no query, no fragment */
    struct ves_stream stream;
    struct ves_uuid sequencer_id;
    struct ves_sequencer_key sequencer_keys[VES_SEQUENCER_KEYS_MAX];
    size_t sequencer_key_count;
    bool has_tls_key;
    struct ves_hash tls_key; /* SHA-256 of the server's SubjectPublicKeyInfo */
    struct ves_public_key owner_key;
    struct ves_uuid invitation_id;
    struct ves_public_key public_key; /* of the invitation; from the seed */
    uint8_t seed[VES_SEED_SIZE];      /* secret */
    uint32_t rights;                  /* VES_RIGHT_*, 1 to 7 */
    int64_t expires_ms;               /* 1 to 2^53-1 */
    struct ves_sig owner_signature;
};

/* SHA256("VES_INVITATION_V1" | tenant | store | invitation id | invitation
 * public key | U32 rights | U64 expires_ms). */
void ves_invitation_hash(const struct ves_invitation *invitation,
                         struct ves_hash *out);

enum { VES_REDEEM_NONCE_SIZE = 16 };

/* What redeeming signs, with the invitation's key and with the agent's:
 * SHA256("VES_REDEEM_V3" | tenant | store | invitation id | agent | U32 key id
 * | agent public key | nonce | next), next being what the key commits to
 * (core/key_event.h).  With next NULL the second version, which is the same
 * without it and begins "VES_REDEEM_V2"; with nonce NULL, too, the first. */
void ves_redeem_hash(const struct ves_stream *stream,
                     const struct ves_uuid *invitation_id,
                     const struct ves_uuid *agent, uint32_t key_id,
                     const struct ves_public_key *agent_key,
                     const uint8_t *nonce, const struct ves_hash *next,
                     struct ves_hash *out);

/* Appends the string.  public_key must be the seed's.  VES_INVALID for
 * content that ves_invitation_read would not take (the owner's signature is
 * not checked); nothing is appended then. */
VES_NODISCARD enum ves_status
ves_invitation_write(struct ves_buf *buf, const struct ves_alloc *alloc,
                     const struct ves_invitation *invitation);

/* Reads and checks form and owner signature, not the time.  There is one
 * spelling: every other one, white space included, is refused.  Views are in
 * the arena, which afterwards holds no copy of the secret.  VES_MALFORMED,
 * VES_LIMIT (too long), VES_UNSUPPORTED (version), VES_REFUSED (signature) or
 * VES_NOMEM with *error; the text never repeats the string; *out is wiped. */
VES_NODISCARD enum ves_status ves_invitation_read(struct ves_arena *arena,
                                                  struct ves_bytes text,
                                                  struct ves_invitation *out,
                                                  struct ves_error *error);

#endif
