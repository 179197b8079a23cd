/* keydir.h -- signed key directories, key validity and proof of possession.
 *
 * protocol.md A.10, H; design.md D17.
 */
#ifndef VES_CORE_KEYDIR_H
#define VES_CORE_KEYDIR_H

#include "base/buf.h"
#include "ves/ves.h"
#include "json/json.h"

/* One agent key as one stream sees it. */
struct ves_agent_key {
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_public_key public_key;
    int64_t valid_from_ms; /* 0: none said.  For display and others' clients */
    int64_t valid_to_ms;   /* 0: none */
    int64_t revoked_at_ms; /* 0: not revoked */
    uint64_t valid_from_sequence; /* first sequence it may sign; >= 1 */
    uint64_t revoked_at_sequence; /* first it may no longer sign; 0: none */
    char algorithm[24];           /* "unspecified" or "ed25519" */
    char registrar[40];           /* who entered it: "admin", "invitation" */
};

/* May a key that holds from one number on (0: from the first) until another
 * (0: for good) sign the event with this number (D17)?  Every verdict about a
 * key is this one: the sequencer's, a store's, an audit's, a verifier's. */
bool ves_key_covers(uint64_t from, uint64_t until, uint64_t sequence);
bool ves_agent_key_covers(const struct ves_agent_key *key, uint64_t sequence);

/* SHA256("VES_KEYDIR_V1" | JCS of the object without directorySignature). */
VES_NODISCARD enum ves_status ves_keydir_hash(struct ves_arena *arena,
                                              const struct ves_alloc *alloc,
                                              const struct ves_json *directory,
                                              struct ves_hash *out);

/* Reads the keys array of a directory (A.10 or H shape; agent_id may come
 * from the directory or from each entry).  *keys is in the arena.  Keys of
 * other algorithms than Ed25519 are left out; without sequence members a key
 * counts as valid from 1 and not revoked.  VES_MALFORMED, VES_NOMEM. */
VES_NODISCARD enum ves_status ves_keydir_read(struct ves_arena *arena,
                                              const struct ves_json *directory,
                                              struct ves_agent_key **keys,
                                              size_t *count);

/* SHA256("VES_POP_V1" | key): what proofOfPossession.ed25519Pop signs. */
void ves_pop_hash(const struct ves_public_key *key, struct ves_hash *out);

#endif
