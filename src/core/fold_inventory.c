/* fold_inventory.c -- stock: deltas that commute, and reservations. */
#include "base/bytes.h"
#include "core/fold_rules.h"
#include "core/quantity.h"
#include "json/number.h"

/* A quantity as the state holds it; NULL when the arena is full. */
static const struct ves_json *quantity_node(struct ves_arena *arena,
                                            struct ves_quantity quantity)
{
    char text[VES_QUANTITY_TEXT];
    struct ves_bytes copy;
    double number;
    size_t len = ves_quantity_format(quantity, text);

    if (ves_quantity_fits_number(quantity) &&
        !ves_number_parse(ves_bytes(text, len), &number))
        return ves_tree_number(arena, number);
    if (ves_arena_copy(arena, ves_bytes(text, len), &copy))
        return NULL;
    return ves_tree_string(arena, copy);
}

/* A total of the state; zero when it is not there yet. */
static bool read_total(const struct ves_fold_step *step, const char *name,
                       struct ves_quantity *out)
{
    const struct ves_json *node = ves_json_member(step->state, name);
    out->millionths = 0;
    return ves_json_is_absent(node) || !ves_quantity_read(node, out);
}

static enum ves_status set_total(struct ves_fold_step *step, const char *name,
                                 struct ves_quantity total)
{
    return ves_fold_set(step, name, quantity_node(step->arena, total));
}

static enum ves_status set_available(struct ves_fold_step *step,
                                     struct ves_quantity on_hand,
                                     struct ves_quantity reserved)
{
    struct ves_quantity available;
    if (!ves_quantity_subtract(on_hand, reserved, &available))
        return ves_fold_unusable(step, "available would leave the range of "
                                       "quantities");
    return set_total(step, "available", available);
}

static enum ves_status read_totals(struct ves_fold_step *step,
                                   struct ves_quantity *on_hand,
                                   struct ves_quantity *reserved)
{
    if (!read_total(step, "on_hand", on_hand))
        return ves_fold_unusable(step, "the state's on_hand is no quantity");
    if (!read_total(step, "reserved", reserved))
        return ves_fold_unusable(step, "the state's reserved is no quantity");
    return VES_OK;
}

/* Names of what the entity is about, from whoever says them first. */
static enum ves_status fill_names(struct ves_fold_step *step)
{
    static const char *const names[] = {"product_id", "location_id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!ves_fold_has_id(step, names[i]) ||
            ves_json_member(step->state, names[i]))
            continue;
        enum ves_status status = ves_fold_set(
            step, names[i], ves_json_member(step->payload, names[i]));
        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_fold_inventory_adjusted(struct ves_fold_step *step)
{
    struct ves_quantity delta, on_hand = {0}, reserved = {0};
    if (ves_quantity_read(ves_json_member(step->payload, "delta"), &delta))
        return ves_fold_unusable(step, "/delta is no quantity");
    enum ves_status status = read_totals(step, &on_hand, &reserved);
    if (status)
        return status;
    if (!ves_quantity_add(on_hand, delta, &on_hand))
        return ves_fold_unusable(step, "on_hand would leave the range of "
                                       "quantities");

    status = set_total(step, "on_hand", on_hand);
    if (!status)
        status = set_available(step, on_hand, reserved);
    return status ? status : fill_names(step);
}

/* What the payload speaks of: `quantity`, else the sum over `lines`, else
 * *is_given is false.  Never below zero. */
static enum ves_status read_amount(struct ves_fold_step *step,
                                   struct ves_quantity *amount, bool *is_given)
{
    const struct ves_json *quantity =
        ves_json_member(step->payload, "quantity");
    const struct ves_json *lines = ves_json_member(step->payload, "lines");

    amount->millionths = 0;
    *is_given = true;
    if (!ves_json_is_absent(quantity)) {
        if (ves_quantity_read(quantity, amount) || amount->millionths < 0)
            return ves_fold_unusable(step, "/quantity is no quantity of zero "
                                           "or more");
        return VES_OK;
    }
    *is_given = !ves_json_is_absent(lines);
    if (!*is_given)
        return VES_OK;
    if (lines->type != VES_JSON_ARRAY)
        return ves_fold_unusable(step, "/lines is not an array");
    for (const struct ves_json *line = lines->first; line; line = line->next) {
        struct ves_quantity part;
        if (ves_quantity_read(ves_json_member(line, "quantity"), &part) ||
            part.millionths < 0)
            return ves_fold_unusable(step, "a quantity in /lines is no "
                                           "quantity of zero or more");
        if (!ves_quantity_add(*amount, part, amount))
            return ves_fold_unusable(step, "the sum over /lines leaves the "
                                           "range of quantities");
    }
    return VES_OK;
}

static enum ves_status set_reserved(struct ves_fold_step *step,
                                    struct ves_quantity on_hand,
                                    struct ves_quantity reserved)
{
    enum ves_status status = set_total(step, "reserved", reserved);
    return status ? status : set_available(step, on_hand, reserved);
}

/* entry with that quantity; NULL when the arena is full. */
static const struct ves_json *with_quantity(struct ves_fold_step *step,
                                            const struct ves_json *entry,
                                            struct ves_quantity quantity)
{
    const struct ves_json *node = quantity_node(step->arena, quantity);
    const struct ves_json *single =
        node ? ves_tree_single(step->arena, ves_bytes_str("quantity"), node)
             : NULL;
    return single ? ves_tree_merge(step->arena, entry, single, VES_TREE_REPLACE)
                  : NULL;
}

static enum ves_status put_reservation(struct ves_fold_step *step,
                                       struct ves_bytes id,
                                       const struct ves_json *entry)
{
    return entry ? ves_fold_map_put(step, "reservations", id, entry)
                 : VES_NOMEM;
}

enum ves_status ves_fold_inventory_reserved(struct ves_fold_step *step)
{
    struct ves_quantity amount, on_hand = {0}, reserved = {0};
    bool is_given;
    if (!ves_fold_has_id(step, "reservation_id"))
        return ves_fold_unusable(step, "/reservation_id is missing");
    enum ves_status status = read_amount(step, &amount, &is_given);
    if (!status && !is_given)
        status = ves_fold_unusable(step, "/quantity and /lines are missing");
    if (!status)
        status = read_totals(step, &on_hand, &reserved);
    if (status)
        return status;

    struct ves_bytes id = ves_fold_id(step, "reservation_id");
    if (!id.ptr)
        return VES_NOMEM;
    if (ves_json_member_bytes(ves_fold_map(step, "reservations"), id)) {
        step->is_unchanged = true;
        return VES_OK;
    }
    if (!ves_quantity_add(reserved, amount, &reserved))
        return ves_fold_unusable(step, "reserved would leave the range of "
                                       "quantities");
    status =
        put_reservation(step, id, with_quantity(step, step->payload, amount));
    if (!status)
        status = set_reserved(step, on_hand, reserved);
    return status ? status : fill_names(step);
}

static enum ves_status remove_reservation(struct ves_fold_step *step,
                                          struct ves_bytes id)
{
    const struct ves_json *null = ves_tree_null(step->arena);
    const struct ves_json *patch =
        null ? ves_tree_single(step->arena, id, null) : NULL;
    if (!patch)
        return VES_NOMEM;
    return ves_fold_set(step, "reservations",
                        ves_tree_merge(step->arena,
                                       ves_fold_map(step, "reservations"),
                                       patch, VES_TREE_PATCH));
}

enum ves_status ves_fold_inventory_released(struct ves_fold_step *step)
{
    struct ves_quantity amount, held, on_hand = {0}, reserved = {0};
    bool is_given;
    if (!ves_fold_has_id(step, "reservation_id"))
        return ves_fold_unusable(step, "/reservation_id is missing");
    enum ves_status status = read_amount(step, &amount, &is_given);
    if (!status)
        status = read_totals(step, &on_hand, &reserved);
    if (status)
        return status;

    struct ves_bytes id = ves_fold_id(step, "reservation_id");
    if (!id.ptr)
        return VES_NOMEM;
    const struct ves_json *entry =
        ves_json_member_bytes(ves_fold_map(step, "reservations"), id);
    if (!entry) {
        step->is_unchanged = true;
        return VES_OK;
    }
    if (ves_quantity_read(ves_json_member(entry, "quantity"), &held))
        return ves_fold_unusable(step, "the reservation holds no quantity");
    if (!is_given || amount.millionths > held.millionths)
        amount = held;
    held.millionths -= amount.millionths;
    if (!ves_quantity_subtract(reserved, amount, &reserved))
        return ves_fold_unusable(step, "reserved would leave the range of "
                                       "quantities");
    status = held.millionths == 0
                 ? remove_reservation(step, id)
                 : put_reservation(step, id, with_quantity(step, entry, held));
    return status ? status : set_reserved(step, on_hand, reserved);
}
