/* fold_payment.c -- payments and refunds: facts about money. */
#include "base/limits.h"
#include "core/fold_rules.h"
#include "core/quantity.h"

static enum ves_status set_minor(struct ves_fold_step *step, const char *name,
                                 int64_t value)
{
    return ves_fold_set(step, name,
                        ves_tree_number(step->arena, (double)value));
}

enum ves_status ves_fold_payment_completed(struct ves_fold_step *step)
{
    int64_t amount;
    if (!ves_minor_read(ves_json_member(step->payload, "amount_minor"),
                        &amount))
        return ves_fold_unusable(step, "/amount_minor is no integer of minor "
                                       "units");
    /* A completion that is sequenced after a refund says nothing new about
     * where the payment stands; and its own status member, if any, is not the
     * state's. */
    enum ves_status status = VES_OK;
    if (!ves_fold_map(step, "refunds"))
        status = ves_fold_set_text(step, "status", "completed");
    if (!status)
        status = ves_fold_fill(step, step->payload);
    return status ? status : set_minor(step, "completed_minor", amount);
}

enum ves_status ves_fold_payment_refunded(struct ves_fold_step *step)
{
    const struct ves_json *total =
        ves_json_member(step->state, "refunded_minor");
    int64_t amount;
    int64_t refunded = 0;
    if (!ves_minor_read(ves_json_member(step->payload, "amount_minor"),
                        &amount))
        return ves_fold_unusable(step, "/amount_minor is no integer of minor "
                                       "units");
    if (!ves_json_is_absent(total) && !ves_minor_read(total, &refunded))
        return ves_fold_unusable(step, "the state's refunded_minor is no "
                                       "integer of minor units");

    struct ves_bytes id = ves_fold_id(step, "refund_id");
    if (!id.ptr)
        return VES_NOMEM;
    if (ves_json_member_bytes(ves_fold_map(step, "refunds"), id)) {
        step->is_unchanged = true;
        return VES_OK;
    }
    refunded += amount;
    if (refunded > VES_SAFE_INTEGER_MAX || refunded < -VES_SAFE_INTEGER_MAX)
        return ves_fold_unusable(step, "refunded_minor would leave the range "
                                       "of amounts");
    enum ves_status status =
        ves_fold_map_put(step, "refunds", id, step->payload);
    if (!status)
        status = set_minor(step, "refunded_minor", refunded);
    return status ? status : ves_fold_set_text(step, "status", "refunded");
}
