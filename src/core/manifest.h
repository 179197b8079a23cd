/* manifest.h -- the commitment manifest some clients verify.
 *
 * protocol.md A.13: a signed statement that a commitment ends at a number with
 * a state root.  Texts are covered as they are sent.
 */
#ifndef VES_CORE_MANIFEST_H
#define VES_CORE_MANIFEST_H

#include "ves/ves.h"

struct ves_manifest {
    struct ves_bytes commitment_id;
    struct ves_bytes previous_id; /* ptr NULL: there is none before */
    struct ves_hash state_root;
    uint64_t remote_head; /* last sequence the commitment covers */
    struct ves_bytes signer_id;
    struct ves_bytes scheme;    /* "ed25519" */
    struct ves_bytes issued_at; /* RFC 3339 with "+00:00" */
};

/* What its signer signs.  Lengths have eight bytes here, unlike STR. */
void ves_manifest_hash(const struct ves_manifest *manifest,
                       struct ves_hash *out);

#endif
