/* entity.h -- naming an entity: its key hash and its state bucket.
 *
 * semantics.md decision 14.
 */
#ifndef VES_CORE_ENTITY_H
#define VES_CORE_ENTITY_H

#include "base/entity_name.h"
#include "ves/ves.h"

enum { VES_STATE_BUCKETS = 4096 };

/* SHA256(entity_type | 0x00 | entity_id). */
void ves_entity_key(struct ves_bytes entity_type, struct ves_bytes entity_id,
                    struct ves_hash *out);

/* The same with its texts, which are entity_type and entity_id themselves. */
void ves_entity_name(struct ves_bytes entity_type, struct ves_bytes entity_id,
                     struct ves_entity_name *out);

/* First 12 bits of a key. */
uint16_t ves_entity_bucket(const struct ves_hash *key);

/* The part of an event type before the first dot; the whole when none. */
struct ves_bytes ves_entity_type_of(struct ves_bytes event_type);

/* SHA256("VES_STATE_BUCKET_V1" | pairs sorted by key); the caller sorts. */
void ves_state_bucket_hash(const struct ves_state_pair *pairs, size_t count,
                           struct ves_hash *out);

/* Root over the 4,096 bucket hashes with tag VES_STATE_NODE_V1.  buckets is
 * overwritten.  An all-zero entry stands for the hash of an empty bucket. */
void ves_state_root_hash(struct ves_hash buckets[VES_STATE_BUCKETS],
                         struct ves_hash *out);

#endif
