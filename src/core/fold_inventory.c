/* fold_inventory.c -- reservations of stock, which end by what is left of them.
 *
 * Releases and fulfilments commute with each other: a reservation goes down to
 * nothing and no further, whoever comes first; goods that left, left.
 */
#include "base/bytes.h"
#include "core/fold_rules.h"
#include "core/fold_tree.h"
#include "core/quantity.h"

/* What the payload speaks of: `quantity`, else the sum over `lines`, else
 * *is_given is false.  Never below zero. */
static enum ves_status read_amount(struct ves_fold_step *step,
                                   struct ves_quantity *amount, bool *is_given)
{
    const struct ves_json *payload = step->operand.payload;
    const struct ves_json *quantity = ves_json_member(payload, "quantity");
    const struct ves_json *lines = ves_json_member(payload, "lines");

    amount->millionths = 0;
    *is_given = true;
    if (!ves_json_is_absent(quantity)) {
        if (ves_quantity_read(quantity, amount) || amount->millionths < 0)
            return ves_write_fail(&step->write, "/quantity is no quantity of "
                                                "zero or more");
        return VES_OK;
    }
    *is_given = !ves_json_is_absent(lines);
    if (!*is_given)
        return VES_OK;
    if (lines->type != VES_JSON_ARRAY)
        return ves_write_fail(&step->write, "/lines is not an array");
    for (const struct ves_json *line = lines->first; line; line = line->next) {
        struct ves_quantity part;
        if (ves_quantity_read(ves_json_member(line, "quantity"), &part) ||
            part.millionths < 0)
            return ves_write_fail(&step->write,
                                  "a quantity in /lines is no quantity of zero "
                                  "or more");
        if (!ves_quantity_add(*amount, part, amount))
            return ves_write_fail(&step->write, "the sum over /lines leaves "
                                                "the range of quantities");
    }
    return VES_OK;
}

/* One reservation of the state. */
struct reservation {
    struct ves_bytes path;
    const struct ves_json *entry; /* NULL: none */
    struct ves_quantity held;
};

static enum ves_status find(struct ves_fold_step *step, struct reservation *out)
{
    struct ves_bytes missing;

    out->entry = NULL;
    out->held.millionths = 0;
    enum ves_status status =
        ves_operation_path(&step->operand, "/reservations/{reservation_id}",
                           (size_t)2 * VES_STATE_MAX, &out->path, &missing);
    if (status)
        return status;
    if (missing.len > 0)
        return ves_write_fail(&step->write, "/reservation_id is missing");
    status = ves_write_get(&step->write, out->path, &out->entry);
    if (status || !out->entry)
        return status;
    if (ves_quantity_read(ves_json_member(out->entry, "quantity"), &out->held))
        return ves_write_fail(&step->write,
                              "the reservation holds no quantity");
    return VES_OK;
}

/* Adds to a total, or takes away. */
static enum ves_status move(struct ves_fold_step *step, const char *path,
                            struct ves_quantity amount, bool is_negative)
{
    const struct ves_json *delta = ves_quantity_node(step->write.arena, amount);

    if (delta && is_negative)
        delta =
            ves_delta_opposite(step->write.arena, ves_bytes_str(path), delta);
    return delta ? ves_write_sum(&step->write, ves_bytes_str(path), delta)
                 : VES_NOMEM;
}

/* Puts the reservation with that quantity. */
static enum ves_status put(struct ves_fold_step *step,
                           const struct reservation *reservation,
                           const struct ves_json *entry,
                           struct ves_quantity quantity)
{
    struct ves_arena *arena = step->write.arena;
    const struct ves_json *node = ves_quantity_node(arena, quantity);
    const struct ves_json *single =
        node ? ves_tree_single(arena, ves_bytes_str("quantity"), node) : NULL;

    entry =
        single ? ves_tree_merge(arena, entry, single, VES_TREE_REPLACE) : NULL;
    return entry ? ves_write_put(&step->write, reservation->path, entry)
                 : VES_NOMEM;
}

enum ves_status ves_fold_inventory_reserved(struct ves_fold_step *step)
{
    struct reservation reservation;
    struct ves_quantity amount;
    bool is_given;

    enum ves_status status = read_amount(step, &amount, &is_given);
    if (!status)
        status = find(step, &reservation);
    if (!status && !is_given)
        status =
            ves_write_fail(&step->write, "/quantity and /lines are missing");
    if (status)
        return status;
    step->is_unchanged = reservation.entry != NULL;
    if (step->is_unchanged)
        return VES_OK;
    status = put(step, &reservation, step->operand.payload, amount);
    return status ? status : move(step, "/reserved", amount, false);
}

/* Takes amount, or all, of what is held. */
static enum ves_status take(struct ves_fold_step *step,
                            const struct reservation *reservation,
                            struct ves_quantity amount, bool is_given)
{
    struct ves_quantity rest = reservation->held;
    enum ves_status status;

    if (!reservation->entry)
        return VES_OK;
    if (!is_given || amount.millionths > rest.millionths)
        amount = rest;
    rest.millionths -= amount.millionths;
    status = rest.millionths == 0
                 ? ves_write_put(&step->write, reservation->path, NULL)
                 : put(step, reservation, reservation->entry, rest);
    return status ? status : move(step, "/reserved", amount, true);
}

enum ves_status ves_fold_inventory_released(struct ves_fold_step *step)
{
    struct reservation reservation;
    struct ves_quantity amount;
    bool is_given;

    enum ves_status status = read_amount(step, &amount, &is_given);
    if (!status)
        status = find(step, &reservation);
    if (status)
        return status;
    step->is_unchanged = !reservation.entry;
    return take(step, &reservation, amount, is_given);
}

enum ves_status ves_fold_inventory_fulfilled(struct ves_fold_step *step)
{
    struct reservation reservation;
    struct ves_quantity amount;
    bool is_given;

    enum ves_status status = read_amount(step, &amount, &is_given);
    if (!status)
        status = find(step, &reservation);
    /* All that is held would depend on what was released meanwhile. */
    if (!status && !is_given)
        status =
            ves_write_fail(&step->write, "/quantity and /lines are missing");
    if (status)
        return status;
    status = take(step, &reservation, amount, true);
    return status ? status : move(step, "/on_hand", amount, true);
}
