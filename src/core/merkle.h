/* merkle.h -- leaves, padded batch trees, proofs and the commitment chain.
 *
 * protocol.md A.6 to A.8.
 */
#ifndef VES_CORE_MERKLE_H
#define VES_CORE_MERKLE_H

#include "base/limits.h"
#include "ves/ves.h"

/* What a leaf says.  The entry of the provable log (core/tlog.h) is its
 * preimage: one run of bytes stands in both trees. */
struct ves_leaf {
    struct ves_stream stream;
    uint64_t sequence_number;
    struct ves_hash event_hash;
    struct ves_sig signature;
};

enum { VES_LEAF_SIZE = 147 }; /* bytes of a preimage */

/* "VES_LEAF_V1" | tenant | store | U64 seq | event hash | signature. */
void ves_leaf_write(const struct ves_leaf *leaf, uint8_t out[VES_LEAF_SIZE]);
/* Opposite.  VES_MALFORMED when it has another length or another tag. */
VES_NODISCARD enum ves_status ves_leaf_read(struct ves_bytes preimage,
                                            struct ves_leaf *out);

/* SHA-256 of the preimage. */
void ves_leaf_hash(const struct ves_stream *stream, uint64_t sequence_number,
                   const struct ves_hash *event_hash,
                   const struct ves_sig *signature, struct ves_hash *out);
void ves_node_hash(const struct ves_hash *left, const struct ves_hash *right,
                   struct ves_hash *out);
/* SHA256("VES_PAD_LEAF_V1"). */
void ves_pad_leaf(struct ves_hash *out);

/* Smallest power of two >= count; count 1 to 2^63. */
uint64_t ves_padded_count(uint64_t count);
/* log2 of the padded count. */
uint32_t ves_tree_depth(uint64_t count);

/* Root over count leaves (1 to VES_COMMITMENT_MAX) padded to a power of two.
 * scratch holds ves_padded_count(count) hashes and is overwritten.
 * VES_INVALID for 0 or too many: commitments over nothing are refused. */
VES_NODISCARD enum ves_status ves_merkle_root(const struct ves_hash *leaves,
                                              size_t count,
                                              struct ves_hash *scratch,
                                              struct ves_hash *root);

struct ves_inclusion {
    uint64_t leaf_index; /* sequence_number - sequence_start */
    uint32_t depth;      /* items in path */
    struct ves_hash path[VES_PROOF_PATH_MAX]; /* siblings, bottom up */
};

/* Proof for leaf index of count leaves; scratch as above. */
VES_NODISCARD enum ves_status ves_inclusion_make(const struct ves_hash *leaves,
                                                 size_t count, size_t index,
                                                 struct ves_hash *scratch,
                                                 struct ves_inclusion *out);

/* VES_REFUSED unless leaf at leaf_index leads to root: depth at most
 * VES_PROOF_PATH_MAX and the index exhausted by the path (A.7). */
VES_NODISCARD enum ves_status
ves_inclusion_check(const struct ves_inclusion *proof,
                    const struct ves_hash *leaf, const struct ves_hash *root);

void ves_stream_id(const struct ves_stream *stream, struct ves_hash *out);

/* new_state_root of A.8; first commitment: prev is 32 zero bytes. */
void ves_state_root(const struct ves_hash *stream_id,
                    const struct ves_hash *prev_state_root,
                    const struct ves_hash *merkle_root, uint64_t sequence_start,
                    uint64_t sequence_end, uint32_t leaf_count,
                    struct ves_hash *out);

#endif
