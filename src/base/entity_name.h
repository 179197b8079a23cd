/* entity_name.h -- an entity as a store is asked for it, and what it answers of
 * many at once. */
#ifndef VES_BASE_ENTITY_NAME_H
#define VES_BASE_ENTITY_NAME_H

#include "ves/ves.h"

/* key is that of type and id (core/entity.h, which makes it).  Both "" where
 * only the key is known: then the store looks longer, the more entities there
 * are.  The texts are whoever made it's. */
struct ves_entity_name {
    struct ves_hash key;
    struct ves_bytes type, id;
};

/* What an entity adds to the state hash (semantics.md decision 14). */
struct ves_state_pair {
    struct ves_hash key;
    struct ves_hash state_hash;
};

#endif
