/* fold_rules.h -- what the rules of one fold step share.
 *
 * Inside src/core only.  A rule makes step->write.state anew and returns
 * VES_OK, VES_NOMEM, or what ves_write_fail() returned.
 */
#ifndef VES_CORE_FOLD_RULES_H
#define VES_CORE_FOLD_RULES_H

#include "core/fold.h"
#include "core/fold_write.h"
#include "core/operation.h"

struct ves_fold_step {
    struct ves_write write;
    struct ves_operand operand; /* its payload is without "_ves" */
    const struct ves_event_type *type;
    bool is_unchanged; /* set by a rule that does nothing */
};

/* The operations of a list, in their order. */
VES_NODISCARD enum ves_status
ves_fold_operations(struct ves_fold_step *step,
                    const struct ves_operation *operations);

/* fold.c: the state a step begins with and ends with.  VES_CORRUPT when it is
 * no object; VES_INVALID when it grew too large or too deep. */
VES_NODISCARD enum ves_status ves_fold_read_state(struct ves_fold_step *step,
                                                  struct ves_bytes state);
VES_NODISCARD enum ves_status ves_fold_write_state(struct ves_fold_step *step,
                                                   struct ves_buf *out);

/* The rules that are no operations. */
VES_NODISCARD enum ves_status
ves_fold_inventory_reserved(struct ves_fold_step *step);
VES_NODISCARD enum ves_status
ves_fold_inventory_released(struct ves_fold_step *step);
VES_NODISCARD enum ves_status
ves_fold_inventory_fulfilled(struct ves_fold_step *step);

#endif
