/* follow_up.c -- what a state asks somebody to look at. */
#include "core/follow_up.h"

#include "base/bytes.h"

static size_t of_stock(const struct ves_json *state, struct ves_follow_up *out)
{
    const struct ves_quantity zero = {0};
    struct ves_quantity available;

    if (ves_quantity_read(ves_json_member(state, "available"), &available) ||
        available.millionths >= 0 ||
        !ves_quantity_subtract(zero, available, &out->quantity))
        return 0;
    out->name = "inventory.oversold";
    return 1;
}

static int64_t minor(const struct ves_json *state, const char *name)
{
    int64_t amount = 0;

    (void)ves_minor_read(ves_json_member(state, name), &amount);
    return amount;
}

static size_t of_payment(const struct ves_json *state,
                         struct ves_follow_up *out)
{
    int64_t completed = minor(state, "completed_minor");
    int64_t refunded = minor(state, "refunded_minor");
    int64_t requested = minor(state, "refund_requested_minor");
    bool is_completed = ves_json_member(state, "completed_minor") != NULL;

    out->is_money = true;
    if (refunded > 0 && !is_completed) {
        out->name = "payment.unmatched";
        out->amount_minor = refunded;
        return 1;
    }
    if (refunded > completed) {
        out->name = "payment.over_refunded";
        out->amount_minor = refunded - completed;
        return 1;
    }
    /* A request that was carried out is in both sums. */
    if (requested > completed && is_completed) {
        out->name = "payment.over_requested";
        out->amount_minor = requested - completed;
        return 1;
    }
    return 0;
}

size_t ves_follow_ups(struct ves_bytes entity_type,
                      const struct ves_json *state,
                      struct ves_follow_up out[VES_FOLLOW_UPS_MAX])
{
    memset(out, 0, VES_FOLLOW_UPS_MAX * sizeof(*out));
    if (ves_bytes_is(entity_type, "inventory"))
        return of_stock(state, out);
    if (ves_bytes_is(entity_type, "payment"))
        return of_payment(state, out);
    return 0;
}
