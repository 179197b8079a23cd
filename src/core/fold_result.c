/* fold_result.c -- what a resolution or an undo writes into a state. */
#include "core/fold_result.h"

#include <string.h>

#include "core/fold_ops.h"
#include "core/fold_rules.h"

static enum ves_status run(struct ves_fold_step *step, struct ves_bytes state,
                           const struct ves_fold_decision *decision,
                           struct ves_buf *out, struct ves_buf *opposite)
{
    struct ves_fold_ops ops = {.is_deleted = decision->is_deleted,
                               .entity_type = decision->entity_type,
                               .rules = decision->rules};
    size_t start = opposite->len;

    enum ves_status status = ves_fold_read_state(step, state);
    if (status)
        return status;
    ops.state = step->write.state;
    status =
        ves_fold_result(step->write.arena, decision->result, &ops, opposite);
    if (status == VES_INVALID)
        return ves_write_fail(&step->write, "%s", ops.reason);
    if (status)
        return status;
    /* An entity outside the state hash stays there when nothing is written. */
    step->is_unchanged = opposite->len - start <= 2;
    step->write.state = ops.state;
    return step->is_unchanged ? VES_OK : ves_fold_write_state(step, out);
}

enum ves_status ves_fold_decision(struct ves_arena *arena,
                                  struct ves_bytes state,
                                  const struct ves_fold_decision *decision,
                                  struct ves_buf *out, struct ves_buf *opposite,
                                  struct ves_fold_note *note)
{
    struct ves_fold_step step = {.write.arena = arena, .operand.arena = arena};
    size_t start = opposite->len;

    memset(note, 0, sizeof(*note));
    enum ves_status status = run(&step, state, decision, out, opposite);
    if (status == VES_INVALID) {
        note->is_unusable = true;
        memcpy(note->reason, step.write.error.text, sizeof(note->reason));
        status = VES_OK;
        step.is_unchanged = true;
        opposite->len = start;
        ves_buf_put_str(opposite, "[]");
    }
    if (!status && step.is_unchanged)
        ves_buf_put_bytes(out, state);
    if (!status)
        status = ves_buf_status(opposite);
    return status ? status : ves_buf_status(out);
}
