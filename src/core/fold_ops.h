/* fold_ops.h -- operations on an entity's state, and how to take them back.
 *
 * semantics.md 3.3: what a resolution writes is a list of operations, as in
 * core/effect_read.h; an undo writes the opposite of what was there before
 * ("before-images, opposite deltas").
 *
 *   set, transition  the value at path; without "value" the member goes.
 *                    Objects on the way are made; what is none is never
 *                    replaced by one on the way
 *   advance          a transition, unless a higher word of the entity's ladder
 *                    is there
 *   delta            the quantity at path (absent: 0) grows by value; at one
 *                    ending in _minor, the integer
 *   add_to_set       value, or each item of it, joins the array at path unless
 *                    an equal item is there; at most VES_JOIN_MAX
 *   append           value becomes the last item of the array at path
 *   delete, restore  the entity is deleted, or is not any more; its state
 *                    stays as it is
 */
#ifndef VES_CORE_FOLD_OPS_H
#define VES_CORE_FOLD_OPS_H

#include "base/buf.h"
#include "core/types.h"

struct ves_fold_ops {
    const struct ves_json *state; /* an object; in and out */
    bool is_deleted;              /* in and out */
    const char *reason;           /* out: why nothing was done, in the arena;
                                     else NULL */
    /* "order": its lists are addressed by their keys, its balances kept
     * (core/types.h).  Empty: it has none. */
    struct ves_bytes entity_type;
    struct ves_rules_at rules; /* zeros: the built-in ones */
};

/* Does all of ops (an array; NULL counts as empty) or nothing.  Appends the
 * opposite, a JSON array of operations, to opposite unless that is NULL.
 * VES_OK, VES_NOMEM, or VES_INVALID with ops->reason and nothing changed.
 * Results share memory with arena and inputs. */
VES_NODISCARD enum ves_status ves_fold_ops(struct ves_arena *arena,
                                           const struct ves_json *list,
                                           struct ves_fold_ops *ops,
                                           struct ves_buf *opposite);

/* The same for a resolution's `result`: {"ops":[...]}, {"patch":{...}} (RFC
 * 7396, done leaf by leaf; at most VES_OPERATIONS_MAX of them) or null. */
VES_NODISCARD enum ves_status ves_fold_result(struct ves_arena *arena,
                                              const struct ves_json *result,
                                              struct ves_fold_ops *ops,
                                              struct ves_buf *opposite);

#endif
