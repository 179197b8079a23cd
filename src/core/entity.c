/* entity.c -- naming an entity: its key hash and its state bucket. */
#include "core/entity.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/crypto.h"

#define BUCKET_TAG "VES_STATE_BUCKET_V1"
#define NODE_TAG   "VES_STATE_NODE_V1"

/* Pairs are hashed where they lie. */
_Static_assert(sizeof(struct ves_state_pair) == 2 * sizeof(struct ves_hash),
               "a pair is two hashes and nothing else");

void ves_entity_key(struct ves_bytes entity_type, struct ves_bytes entity_id,
                    struct ves_hash *out)
{
    const struct ves_bytes parts[] = {entity_type, ves_bytes("", 1), entity_id};
    ves_sha256(parts, 3, out);
}

void ves_entity_name(struct ves_bytes entity_type, struct ves_bytes entity_id,
                     struct ves_entity_name *out)
{
    ves_entity_key(entity_type, entity_id, &out->key);
    out->type = entity_type;
    out->id = entity_id;
}

uint16_t ves_entity_bucket(const struct ves_hash *key)
{
    return (uint16_t)(key->b[0] << 4 | key->b[1] >> 4);
}

struct ves_bytes ves_entity_type_of(struct ves_bytes event_type)
{
    const uint8_t *dot =
        event_type.len ? memchr(event_type.ptr, '.', event_type.len) : NULL;
    if (dot)
        event_type.len = (size_t)(dot - event_type.ptr);
    return event_type;
}

void ves_state_bucket_hash(const struct ves_state_pair *pairs, size_t count,
                           struct ves_hash *out)
{
    const struct ves_bytes parts[] = {ves_bytes_str(BUCKET_TAG),
                                      ves_bytes(pairs, count * sizeof(*pairs))};
    VES_ASSERT(count == 0 || pairs);
    ves_sha256(parts, 2, out);
}

static void hash_node(const struct ves_hash children[2], struct ves_hash *out)
{
    const struct ves_bytes parts[] = {
        ves_bytes_str(NODE_TAG), ves_bytes(children, 2 * sizeof(children[0]))};

    ves_sha256(parts, 2, out);
}

void ves_state_root_hash(struct ves_hash buckets[VES_STATE_BUCKETS],
                         struct ves_hash *out)
{
    struct ves_hash nothing[2]; /* a pair of subtrees without an entity */

    ves_state_bucket_hash(NULL, 0, &nothing[0]);
    for (size_t i = 0; i < VES_STATE_BUCKETS; i++) {
        if (ves_hash_is_zero(&buckets[i]))
            buckets[i] = nothing[0];
    }

    /* A small store has 4,000 nodes of which a few dozen are not alike. */
    for (size_t width = VES_STATE_BUCKETS; width > 1; width /= 2) {
        struct ves_hash above;
        nothing[1] = nothing[0];
        hash_node(nothing, &above);
        for (size_t i = 0; i < width / 2; i++) {
            struct ves_hash node = above;
            if (memcmp(&buckets[2 * i], nothing, sizeof(nothing)) != 0)
                hash_node(&buckets[2 * i], &node);
            buckets[i] = node;
        }
        nothing[0] = above;
    }
    *out = buckets[0];
}
