/* fold_ops.c -- operations on an entity's state, and how to take them back. */
#include "core/fold_ops.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/effect_read.h"
#include "core/fold_write.h"
#include "core/operation.h"
#include "core/scratch.h"
#include "json/jcs.h"

enum { OPPOSITE_MAX = 4 * VES_PAYLOAD_MAX };

struct step {
    struct ves_write write;
    bool is_deleted;
    struct ves_bytes *opposite; /* one each; written last first */
    size_t opposite_count;
};

/* ---- the opposite -------------------------------------------------------- */

/* value NULL: none is written. */
static enum ves_status take_back(struct step *step, const char *op,
                                 struct ves_bytes path,
                                 const struct ves_json *value)
{
    struct ves_scratch scratch;
    enum ves_status status = VES_OK;

    ves_scratch_init(&scratch, step->write.arena, 128, OPPOSITE_MAX);
    ves_buf_putf(&scratch.buf, "{\"op\":\"%s\"", op);
    if (path.len > 0) {
        ves_buf_put_str(&scratch.buf, ",\"path\":");
        ves_jcs_write_string(&scratch.buf, path);
    }
    if (value) {
        ves_buf_put_str(&scratch.buf, ",\"value\":");
        status = ves_jcs_write(&scratch.buf, step->write.arena, value);
    }
    ves_buf_put_u8(&scratch.buf, '}');
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status == VES_LIMIT)
        return ves_write_fail(&step->write,
                              "what was there before is too large to keep");
    step->opposite[step->opposite_count++] = ves_buf_view(&scratch.buf);
    return status;
}

/* ---- operations ---------------------------------------------------------- */

/* Notes how to bring back what is at path. */
static enum ves_status keep_old(struct step *step, const char *op,
                                struct ves_bytes path, bool is_needed)
{
    const struct ves_json *old;
    struct ves_bytes place;

    enum ves_status status = ves_write_image(&step->write, path, &place, &old);
    /* Nothing is taken away where nothing is. */
    if (status || (!is_needed && (!old || place.len < path.len)))
        return status;
    return take_back(step, op, place, old);
}

static enum ves_status set(struct step *step, enum ves_op op,
                           struct ves_bytes path, const struct ves_json *value)
{
    enum ves_status status = keep_old(
        step, op == VES_OP_SET ? "set" : "transition", path, value != NULL);
    if (status)
        return status;
    return op == VES_OP_ADVANCE ? ves_write_advance(&step->write, path, value)
                                : ves_write_put(&step->write, path, value);
}

static enum ves_status add(struct step *step, struct ves_bytes path,
                           const struct ves_json *value)
{
    enum ves_status status = ves_write_sum(&step->write, path, value);
    if (status)
        return status;
    const struct ves_json *back =
        ves_delta_opposite(step->write.arena, path, value);
    return back ? take_back(step, "delta", path, back) : VES_NOMEM;
}

static enum ves_status join(struct step *step, struct ves_bytes path,
                            const struct ves_json *value, bool is_set)
{
    enum ves_status status = keep_old(step, "set", path, true);
    return status ? status : ves_write_join(&step->write, path, value, is_set);
}

static enum ves_status bury(struct step *step, bool is_deleted)
{
    if (step->is_deleted == is_deleted)
        return VES_OK;
    step->is_deleted = is_deleted;
    return take_back(step, is_deleted ? "restore" : "delete",
                     ves_bytes(NULL, 0), NULL);
}

static enum ves_status write_at(struct step *step, enum ves_op op,
                                struct ves_bytes path,
                                const struct ves_json *value)
{
    static const struct ves_json null = {.type = VES_JSON_NULL};

    switch (op) {
    case VES_OP_DELTA:
        return add(step, path, value);
    case VES_OP_ADD_TO_SET:
    case VES_OP_APPEND:
        return join(step, path, value ? value : &null, op == VES_OP_ADD_TO_SET);
    default:
        return set(step, op, path,
                   !value && op == VES_OP_ADVANCE ? &null : value);
    }
}

static enum ves_status run(struct step *step, const struct ves_json *json)
{
    struct ves_bytes name, path;
    enum ves_op op;

    if (!ves_json_get_string(json, "op", &name))
        return ves_write_fail(&step->write, "an operation without a name");
    if (!ves_op_read(name, &op))
        return ves_write_fail(&step->write, "an operation of an unknown name");
    if (op == VES_OP_DELETE || op == VES_OP_RESTORE)
        return bury(step, op == VES_OP_DELETE);
    if (!ves_json_get_string(json, "path", &path) || path.len == 0 ||
        path.ptr[0] != '/')
        return ves_write_fail(&step->write, "an operation without a path");
    return write_at(step, op, path, ves_json_member(json, "value"));
}

static enum ves_status run_patch(struct step *step,
                                 const struct ves_changes *changes)
{
    enum ves_status status = VES_OK;

    if (changes->is_full)
        return ves_write_fail(&step->write, "the patch has too many members");
    for (size_t i = 0; i < changes->count && !status; i++) {
        const struct ves_change *change = &changes->list[i];
        const struct ves_json *old = NULL;
        if (change->is_kept)
            status = ves_write_get(&step->write, change->path, &old);
        if (!status && !(old && old->type == VES_JSON_OBJECT))
            status = set(step, VES_OP_SET, change->path, change->value);
    }
    return status;
}

static enum ves_status keep_reason(struct step *step, struct ves_fold_ops *ops)
{
    struct ves_bytes copy;

    /* Its NUL, too. */
    if (ves_arena_copy(step->write.arena,
                       ves_bytes(step->write.error.text,
                                 strlen(step->write.error.text) + 1),
                       &copy))
        return VES_NOMEM;
    ops->reason = (const char *)copy.ptr;
    return VES_INVALID;
}

/* What comes of it, if it went well so far. */
static enum ves_status finish(struct step *step, enum ves_status status,
                              struct ves_fold_ops *ops,
                              struct ves_buf *opposite)
{
    ops->reason = NULL;
    if (!status)
        status = ves_write_balances(&step->write);
    if (status == VES_INVALID)
        return keep_reason(step, ops);
    if (status)
        return status;
    ops->state = step->write.state;
    ops->is_deleted = step->is_deleted;
    if (!opposite)
        return VES_OK;
    ves_buf_put_u8(opposite, '[');
    for (size_t i = step->opposite_count; i > 0; i--) {
        ves_buf_put_bytes(opposite, step->opposite[i - 1]);
        if (i > 1)
            ves_buf_put_u8(opposite, ',');
    }
    ves_buf_put_u8(opposite, ']');
    return ves_buf_status(opposite);
}

/* Room for `count` operations. */
static enum ves_status begin(struct step *step, struct ves_arena *arena,
                             const struct ves_fold_ops *ops, size_t count)
{
    memset(step, 0, sizeof(*step));
    step->write.arena = arena;
    step->write.state = ops->state;
    step->write.entity = ves_rules_entity(ops->rules, ops->entity_type);
    step->is_deleted = ops->is_deleted;
    step->opposite = ves_arena_alloc(arena, count * sizeof(*step->opposite));
    return step->opposite ? VES_OK : VES_NOMEM;
}

enum ves_status ves_fold_ops(struct ves_arena *arena,
                             const struct ves_json *list,
                             struct ves_fold_ops *ops, struct ves_buf *opposite)
{
    struct step step;

    enum ves_status status = begin(&step, arena, ops, list ? list->count : 0);
    for (const struct ves_json *op = list ? list->first : NULL; op && !status;
         op = op->next)
        status = run(&step, op);
    return finish(&step, status, ops, opposite);
}

enum ves_status ves_fold_result(struct ves_arena *arena,
                                const struct ves_json *result,
                                struct ves_fold_ops *ops,
                                struct ves_buf *opposite)
{
    struct ves_changes changes = {.max = VES_OPERATIONS_MAX,
                                  .path_max = VES_EFFECT_PATH_MAX};
    const struct ves_json *list = ves_json_member(result, "ops");
    const struct ves_json *patch = ves_json_member(result, "patch");
    struct step step;

    if (ves_json_is_absent(result))
        return ves_fold_ops(arena, NULL, ops, opposite);
    if (list && list->type == VES_JSON_ARRAY && !patch)
        return ves_fold_ops(arena, list, ops, opposite);
    enum ves_status status = VES_OK;
    bool is_patch = patch && patch->type == VES_JSON_OBJECT && !list;
    if (is_patch)
        status = ves_changes_of_patch(arena, patch, &changes);
    if (!status)
        status = begin(&step, arena, ops, changes.count);
    if (status)
        return status;
    status = is_patch ? run_patch(&step, &changes)
                      : ves_write_fail(&step.write,
                                       "the result has neither ops nor a "
                                       "patch");
    return finish(&step, status, ops, opposite);
}
