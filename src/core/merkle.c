/* merkle.c -- leaves, padded batch trees, proofs and the commitment chain. */
#include "core/merkle.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "crypto/crypto.h"

static const char leaf_tag[] = "VES_LEAF_V1";

/* Where the fields of a preimage start; it has no gaps. */
enum {
    AT_TENANT = sizeof(leaf_tag) - 1,
    AT_STORE = AT_TENANT + VES_UUID_SIZE,
    AT_SEQUENCE = AT_STORE + VES_UUID_SIZE,
    AT_EVENT = AT_SEQUENCE + 8,
    AT_SIGNATURE = AT_EVENT + VES_HASH_SIZE
};
_Static_assert(AT_SIGNATURE + VES_SIG_SIZE == VES_LEAF_SIZE, "no gaps");

void ves_leaf_write(const struct ves_leaf *leaf, uint8_t out[VES_LEAF_SIZE])
{
    memcpy(out, leaf_tag, AT_TENANT);
    memcpy(out + AT_TENANT, leaf->stream.tenant.b, VES_UUID_SIZE);
    memcpy(out + AT_STORE, leaf->stream.store.b, VES_UUID_SIZE);
    ves_store_u64(out + AT_SEQUENCE, leaf->sequence_number);
    memcpy(out + AT_EVENT, leaf->event_hash.b, VES_HASH_SIZE);
    memcpy(out + AT_SIGNATURE, leaf->signature.b, VES_SIG_SIZE);
}

enum ves_status ves_leaf_read(struct ves_bytes preimage, struct ves_leaf *out)
{
    const uint8_t *p = preimage.ptr;

    if (preimage.len != VES_LEAF_SIZE || memcmp(p, leaf_tag, AT_TENANT) != 0)
        return VES_MALFORMED;
    memcpy(out->stream.tenant.b, p + AT_TENANT, VES_UUID_SIZE);
    memcpy(out->stream.store.b, p + AT_STORE, VES_UUID_SIZE);
    out->sequence_number = ves_load_u64(p + AT_SEQUENCE);
    memcpy(out->event_hash.b, p + AT_EVENT, VES_HASH_SIZE);
    memcpy(out->signature.b, p + AT_SIGNATURE, VES_SIG_SIZE);
    return VES_OK;
}

void ves_leaf_hash(const struct ves_stream *stream, uint64_t sequence_number,
                   const struct ves_hash *event_hash,
                   const struct ves_sig *signature, struct ves_hash *out)
{
    const struct ves_leaf leaf = {*stream, sequence_number, *event_hash,
                                  *signature};
    uint8_t preimage[VES_LEAF_SIZE];

    ves_leaf_write(&leaf, preimage);
    ves_sha256_one(preimage, sizeof(preimage), out);
}

void ves_node_hash(const struct ves_hash *left, const struct ves_hash *right,
                   struct ves_hash *out)
{
    const struct ves_bytes parts[] = {ves_bytes_str("VES_NODE_V1"),
                                      ves_bytes(left->b, VES_HASH_SIZE),
                                      ves_bytes(right->b, VES_HASH_SIZE)};
    ves_sha256(parts, 3, out);
}

void ves_pad_leaf(struct ves_hash *out)
{
    static const char tag[] = "VES_PAD_LEAF_V1";
    ves_sha256_one(tag, sizeof(tag) - 1, out);
}

uint64_t ves_padded_count(uint64_t count)
{
    uint64_t padded = 1;
    VES_ASSERT(count >= 1 && count <= UINT64_C(1) << 63);
    while (padded < count)
        padded *= 2;
    return padded;
}

uint32_t ves_tree_depth(uint64_t count)
{
    uint64_t padded = ves_padded_count(count);
    uint32_t depth = 0;
    while (padded >> depth > 1)
        depth++;
    return depth;
}

/* Fills scratch with the lowest level: the leaves, padded. */
static size_t fill_level(const struct ves_hash *leaves, size_t count,
                         struct ves_hash *scratch)
{
    size_t width = (size_t)ves_padded_count(count);
    struct ves_hash pad;

    memmove(scratch, leaves, count * sizeof(*leaves));
    if (width > count)
        ves_pad_leaf(&pad);
    for (size_t i = count; i < width; i++)
        scratch[i] = pad;
    return width;
}

/* Replaces a level by the one above it and returns its width. */
static size_t raise_level(struct ves_hash *scratch, size_t width)
{
    for (size_t i = 0; i < width / 2; i++)
        ves_node_hash(&scratch[2 * i], &scratch[2 * i + 1], &scratch[i]);
    return width / 2;
}

enum ves_status ves_merkle_root(const struct ves_hash *leaves, size_t count,
                                struct ves_hash *scratch, struct ves_hash *root)
{
    if (count == 0 || count > VES_COMMITMENT_MAX)
        return VES_INVALID;

    size_t width = fill_level(leaves, count, scratch);
    while (width > 1)
        width = raise_level(scratch, width);
    *root = scratch[0];
    return VES_OK;
}

enum ves_status ves_inclusion_make(const struct ves_hash *leaves, size_t count,
                                   size_t index, struct ves_hash *scratch,
                                   struct ves_inclusion *out)
{
    if (count == 0 || count > VES_COMMITMENT_MAX || index >= count)
        return VES_INVALID;

    out->leaf_index = index;
    out->depth = 0;
    size_t width = fill_level(leaves, count, scratch);
    for (size_t at = index; width > 1; at /= 2) {
        out->path[out->depth++] = scratch[at ^ 1];
        width = raise_level(scratch, width);
    }
    return VES_OK;
}

enum ves_status ves_inclusion_check(const struct ves_inclusion *proof,
                                    const struct ves_hash *leaf,
                                    const struct ves_hash *root)
{
    struct ves_hash at = *leaf;
    uint64_t index = proof->leaf_index;

    if (proof->depth > VES_PROOF_PATH_MAX)
        return VES_REFUSED;
    for (uint32_t d = 0; d < proof->depth; d++) {
        struct ves_hash below = at;
        if (index & 1)
            ves_node_hash(&proof->path[d], &below, &at);
        else
            ves_node_hash(&below, &proof->path[d], &at);
        index >>= 1;
    }
    /* protocol.md A.7: a path shorter than its index proves another leaf. */
    return index == 0 && ves_hash_equal(&at, root) ? VES_OK : VES_REFUSED;
}

void ves_stream_id(const struct ves_stream *stream, struct ves_hash *out)
{
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_STREAM_V1"),
        ves_bytes(stream->tenant.b, VES_UUID_SIZE),
        ves_bytes(stream->store.b, VES_UUID_SIZE)};
    ves_sha256(parts, 3, out);
}

void ves_state_root(const struct ves_hash *stream_id,
                    const struct ves_hash *prev_state_root,
                    const struct ves_hash *merkle_root, uint64_t sequence_start,
                    uint64_t sequence_end, uint32_t leaf_count,
                    struct ves_hash *out)
{
    uint8_t numbers[20];
    ves_store_u64(numbers, sequence_start);
    ves_store_u64(numbers + 8, sequence_end);
    ves_store_u32(numbers + 16, leaf_count);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_STATE_ROOT_V1"),
        ves_bytes(stream_id->b, VES_HASH_SIZE),
        ves_bytes(prev_state_root->b, VES_HASH_SIZE),
        ves_bytes(merkle_root->b, VES_HASH_SIZE),
        ves_bytes(numbers, sizeof(numbers))};
    ves_sha256(parts, 5, out);
}
