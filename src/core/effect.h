/* effect.h -- what one event does to its entity, as data: paths, operations
 * and value hashes.
 *
 * semantics.md 3.2 (footprint) and 3.4 (commutation).  A value is only ever
 * compared, so its hash stands for it.
 */
#ifndef VES_CORE_EFFECT_H
#define VES_CORE_EFFECT_H

#include "base/arena.h"
#include "base/buf.h"

/* Stored by number: append, never renumber. */
enum ves_op {
    VES_OP_SET = 1,
    VES_OP_DELTA,
    VES_OP_ADD_TO_SET,
    VES_OP_APPEND,
    VES_OP_TRANSITION,
    VES_OP_CREATE,  /* of the entity, at VES_PATH_BIRTH; of an entry, at its
                       path; of a mark, at its name */
    VES_OP_DELETE,  /* of the entity, at VES_PATH_WHOLE */
    VES_OP_RESTORE, /* of the entity, at VES_PATH_WHOLE */
    VES_OP_EXPECT,  /* a precondition: writes nothing */
    VES_OP_ADVANCE, /* a transition that only ever goes up a ladder */
    VES_OP_DEFAULT  /* in core/types.h only: never an effect */
};

#define VES_PATH_WHOLE "*" /* overlaps every path */
#define VES_PATH_BIRTH "@" /* that the entity exists */

struct ves_effect {
    struct ves_bytes path; /* JSON pointer into the state, or one of the two */
    enum ves_op op;
    struct ves_hash value; /* SHA-256 of the value's canonical JSON */
};

/* In the order in which they take effect. */
struct ves_effects {
    const struct ves_effect *list;
    size_t count;
};

/* Are the paths the same, is one inside the other, or is one the whole? */
bool ves_effect_overlaps(const struct ves_effect *a,
                         const struct ves_effect *b);

/* May a and b come in either order?  Where paths overlap both must be the
 * same effect, or both deltas, additions to a set, appends or advances at one
 * path, or both deletes or restores, whatever was said with them.  A set and a
 * transition to one value are the same: a merge writes with the first what an
 * event wrote with the second. */
bool ves_effect_commutes(const struct ves_effect *a,
                         const struct ves_effect *b);

/* Every effect of a with every effect of b. */
bool ves_commutes(struct ves_effects a, struct ves_effects b);

/* Are all of them deltas?  True for none. */
bool ves_effects_are_deltas(struct ves_effects effects);

/* Does the first effect delete the entity? */
bool ves_effects_delete(struct ves_effects effects);

/* Does result say something wherever fact and other disagree?  Where they do
 * so in marks alone, anywhere that fact writes. */
bool ves_effects_settle(struct ves_effects result, struct ves_effects fact,
                        struct ves_effects other);

/* What the effects leave the tombstone in: +1 in force, -1 lifted, 0 as it
 * was. */
int ves_effects_tombstone(struct ves_effects effects);

/* A compact form for storing: U32 count, then per effect U8 op, STR path and
 * the hash.  Reading it back gives the same list, in arena; VES_CORRUPT for
 * bytes that are none, VES_NOMEM. */
void ves_effects_write(struct ves_buf *buf, struct ves_effects effects);
VES_NODISCARD enum ves_status ves_effects_read(struct ves_arena *arena,
                                               struct ves_bytes bytes,
                                               struct ves_effects *out);

#endif
