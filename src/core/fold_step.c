/* fold_step.c -- the operations of a type done to a state. */
#include "base/bytes.h"
#include "core/fold_rules.h"
#include "core/fold_tree.h"

enum {
    /* Ids of other implementations may be as long as a payload. */
    PATH_MAX_BYTES = 2 * VES_STATE_MAX
};

/* What an operation takes is what the type says of that member: others check
 * less than our append does. */
static enum ves_status check_member(struct ves_fold_step *step,
                                    const struct ves_operation *operation,
                                    const struct ves_json *value)
{
    const struct ves_field *field = step->type->fields;

    while (field->kind != VES_FIELD_END &&
           strcmp(field->pointer, operation->from) != 0)
        field++;
    if (field->kind == VES_FIELD_END || (!value && field->need != VES_NEED_YES))
        return VES_OK;
    const char *expected = ves_field_fault(field, value);
    if (!expected)
        return VES_OK;
    switch (field->kind) {
    case VES_FIELD_MINOR:
        return ves_write_fail(&step->write, "%s is no integer of minor units",
                              operation->from);
    case VES_FIELD_QUANTITY:
    case VES_FIELD_AMOUNT:
        return ves_write_fail(&step->write, "%s is no quantity",
                              operation->from);
    default:
        return ves_write_fail(&step->write, "%s is not %s", operation->from,
                              expected);
    }
}

static enum ves_status add(struct ves_fold_step *step,
                           const struct ves_operation *operation,
                           struct ves_bytes path, const struct ves_json *value)
{
    if (operation->is_negative)
        value = ves_delta_opposite(step->write.arena, path, value);
    return value ? ves_write_sum(&step->write, path, value) : VES_NOMEM;
}

static enum ves_status edit(struct ves_fold_step *step)
{
    const struct ves_json *payload = step->operand.payload;
    const struct ves_json *patch = ves_json_member(payload, "patch");

    if (!patch)
        patch = payload;
    if (patch->type != VES_JSON_OBJECT)
        return ves_write_fail(&step->write, "/patch is not an object");
    /* The member is the payload's own; inside a patch it would be state. */
    patch = ves_tree_without(step->write.arena, patch, "_ves");
    return patch ? ves_write_merge(&step->write, ves_bytes("", 0), patch, true)
                 : VES_NOMEM;
}

static enum ves_status patch_at(struct ves_fold_step *step,
                                const struct ves_operation *operation,
                                struct ves_bytes path,
                                const struct ves_json *patch)
{
    if (patch->type != VES_JSON_OBJECT)
        return ves_write_fail(&step->write, "%s is not an object",
                              operation->from);
    return ves_write_merge(&step->write, path, patch, true);
}

/* An entry that is there already makes the event a repetition. */
static enum ves_status create(struct ves_fold_step *step, struct ves_bytes path,
                              const struct ves_json *value)
{
    const struct ves_json *old;

    enum ves_status status = ves_write_get(&step->write, path, &old);
    if (status)
        return status;
    step->is_unchanged = old != NULL;
    return old ? VES_OK : ves_write_put(&step->write, path, value);
}

static enum ves_status put_first(struct ves_fold_step *step,
                                 const struct ves_operation *operation,
                                 struct ves_bytes path,
                                 const struct ves_json *value)
{
    const struct ves_json *old;

    enum ves_status status = ves_write_get(&step->write, path, &old);
    /* Names of the payload's are ids; anything else is no name. */
    if (status || old ||
        (operation->source == VES_SOURCE_MEMBER && !ves_id_is(value)))
        return status;
    return ves_write_put(&step->write, path, value);
}

static enum ves_status write_value(struct ves_fold_step *step,
                                   const struct ves_operation *operation,
                                   struct ves_bytes path,
                                   const struct ves_json *value)
{
    switch (operation->op) {
    case VES_OP_SET:
    case VES_OP_TRANSITION:
        return ves_write_put(&step->write, path, value);
    case VES_OP_DELTA:
        return add(step, operation, path, value);
    case VES_OP_ADD_TO_SET:
        return ves_write_join(&step->write, path, value, true);
    case VES_OP_APPEND:
        return ves_write_join(&step->write, path, value, false);
    case VES_OP_CREATE:
        return create(step, path, value);
    case VES_OP_ADVANCE:
        return ves_write_advance(&step->write, path, value);
    case VES_OP_DEFAULT:
        return put_first(step, operation, path, value);
    case VES_OP_DELETE:
    case VES_OP_RESTORE:
    case VES_OP_EXPECT:
        break;
    }
    return VES_OK;
}

static enum ves_status run(struct ves_fold_step *step,
                           const struct ves_operation *operation)
{
    struct ves_write *write = &step->write;
    const struct ves_json *value;
    struct ves_bytes path, missing;

    if (operation->source == VES_SOURCE_EDIT)
        return edit(step);
    /* The entity itself and marks are no part of the state. */
    if (operation->path[0] != '/' && operation->path[0] != '\0')
        return VES_OK;
    enum ves_status status = ves_operation_path(
        &step->operand, operation->path, PATH_MAX_BYTES, &path, &missing);
    if (status)
        return status == VES_LIMIT
                   ? ves_write_fail(write, "an id in the payload is too long")
                   : status;
    if (missing.len > 0)
        return ves_write_fail(write, "/%.*s is missing", (int)missing.len,
                              (const char *)missing.ptr);
    if (operation->source == VES_SOURCE_FILL)
        return ves_write_merge(write, path, step->operand.payload, false);
    status = ves_operation_value(&step->operand, operation, &value);
    if (status)
        return status;
    if (operation->source == VES_SOURCE_MEMBER)
        status = check_member(step, operation, value);
    if (status)
        return status;
    if (!value && operation->source != VES_SOURCE_VALUE)
        return VES_OK;
    return operation->source == VES_SOURCE_PATCH
               ? patch_at(step, operation, path, value)
               : write_value(step, operation, path, value);
}

enum ves_status ves_fold_operations(struct ves_fold_step *step,
                                    const struct ves_operation *operations)
{
    enum ves_status status = VES_OK;

    for (const struct ves_operation *o = operations;
         o->source != VES_SOURCE_END && !status && !step->is_unchanged; o++)
        status = run(step, o);
    return status;
}
