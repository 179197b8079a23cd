/* fold_result.h -- what a resolution or an undo writes into a state.
 *
 * semantics.md 3.3.  core/fold_ops.h does the operations; here they meet the
 * bounds every state has.  What cannot be used leaves the state as it was, as
 * in core/fold.h.
 */
#ifndef VES_CORE_FOLD_RESULT_H
#define VES_CORE_FOLD_RESULT_H

#include "core/fold.h"

struct ves_fold_decision {
    struct ves_rules_at rules;
    struct ves_bytes entity_type;
    bool is_deleted;               /* before */
    const struct ves_json *result; /* of a resolution; NULL: none */
};

/* Appends the new state to out and what takes it back, a JSON array, to
 * opposite.  Else as ves_fold. */
VES_NODISCARD enum ves_status
ves_fold_decision(struct ves_arena *arena, struct ves_bytes state,
                  const struct ves_fold_decision *decision, struct ves_buf *out,
                  struct ves_buf *opposite, struct ves_fold_note *note);

#endif
