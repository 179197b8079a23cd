/* fold_order.c -- orders, customers and returns: documents with a status. */
#include "base/bytes.h"
#include "core/fold_rules.h"

static enum ves_status create(struct ves_fold_step *step, const char *initial)
{
    enum ves_status status = ves_fold_fill(step, step->payload);
    if (status || ves_json_member(step->state, "status"))
        return status;
    return ves_fold_set_text(step, "status", initial);
}

enum ves_status ves_fold_created(struct ves_fold_step *step)
{
    return create(step, "created");
}

enum ves_status ves_fold_return_created(struct ves_fold_step *step)
{
    return create(step, "requested");
}

enum ves_status ves_fold_updated(struct ves_fold_step *step)
{
    const struct ves_json *patch = ves_json_member(step->payload, "patch");
    if (!patch)
        patch = step->payload;
    if (patch->type != VES_JSON_OBJECT)
        return ves_fold_unusable(step, "/patch is not an object");

    /* The member is the payload's own; inside a patch it would be state. */
    patch = ves_tree_without(step->arena, patch, "_ves");
    if (!patch)
        return VES_NOMEM;
    const struct ves_json *state =
        ves_tree_merge(step->arena, step->state, patch, VES_TREE_PATCH);
    if (!state)
        return VES_NOMEM;
    step->state = state;
    return VES_OK;
}

enum ves_status ves_fold_order_shipped(struct ves_fold_step *step)
{
    struct ves_bytes id = ves_fold_id(step, "shipment_id");
    if (!id.ptr)
        return VES_NOMEM;

    const struct ves_json *entry = step->payload;
    const struct ves_json *known =
        ves_json_member_bytes(ves_fold_map(step, "shipments"), id);
    if (known) {
        entry = ves_tree_merge(step->arena, known, entry, VES_TREE_KEEP);
        if (!entry)
            return VES_NOMEM;
    }
    enum ves_status status = ves_fold_map_put(step, "shipments", id, entry);
    return status ? status : ves_fold_set_text(step, "status", "shipped");
}

/* The payload becomes a member of the state, which takes a new status. */
static enum ves_status decide(struct ves_fold_step *step, const char *name,
                              const char *new_status)
{
    enum ves_status status = ves_fold_set(step, name, step->payload);
    return status ? status : ves_fold_set_text(step, "status", new_status);
}

enum ves_status ves_fold_order_cancelled(struct ves_fold_step *step)
{
    return decide(step, "cancellation", "cancelled");
}

enum ves_status ves_fold_return_approved(struct ves_fold_step *step)
{
    return decide(step, "approval", "approved");
}

enum ves_status ves_fold_return_rejected(struct ves_fold_step *step)
{
    return decide(step, "rejection", "rejected");
}
