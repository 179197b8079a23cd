/* state_check.h -- may that value stand there in the state of an entity?
 *
 * What a person or an agent writes into a resolution is no event of any type,
 * so no payload schema sees it.  What the state may hold follows from what the
 * types of its entity write there: a field of the payload that ends up at a
 * path is of its kind there, sums are numbers, statuses are texts, members
 * ending in _minor are money, and a balance of others is written by nobody.
 * Other members may be anything (semantics.md decision 10).
 */
#ifndef VES_CORE_STATE_CHECK_H
#define VES_CORE_STATE_CHECK_H

#include "core/types.h"

struct ves_state_fault {
    struct ves_bytes path; /* JSON pointer into the state; a view of the one
                              given, or in the arena */
    const char *expected;  /* static: "a decimal number or string" */
};

/* Setting the value at path; NULL takes the member away, which only those may
 * be that nothing requires.  VES_INVALID with *fault; VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_state_check(struct ves_arena *arena, struct ves_rules_at rules,
                struct ves_bytes entity_type, struct ves_bytes path,
                const struct ves_json *value, struct ves_state_fault *fault);

/* Every "set" of an array of operations (core/fold_ops.h). */
VES_NODISCARD enum ves_status
ves_state_check_ops(struct ves_arena *arena, struct ves_rules_at rules,
                    struct ves_bytes entity_type, const struct ves_json *ops,
                    struct ves_state_fault *fault);

/* Is text all that may stand there?  What a person types is read by it. */
bool ves_state_is_text(struct ves_rules_at rules, struct ves_bytes entity_type,
                       struct ves_bytes path);

#endif
