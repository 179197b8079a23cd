/* fold_ops.c -- operations on an entity's state, and how to take them back. */
#include "core/fold_ops.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/fold_tree.h"
#include "core/quantity.h"
#include "core/scratch.h"
#include "json/jcs.h"
#include "json/number.h"

enum { OPPOSITE_MAX = 4 * VES_PAYLOAD_MAX };

struct step {
    struct ves_arena *arena;
    const struct ves_json *state;
    bool is_deleted;
    const char *reason;
    struct ves_bytes *opposite; /* one each; written last first */
    size_t opposite_count;
};

static enum ves_status unusable(struct step *step, const char *reason)
{
    step->reason = reason;
    return VES_INVALID;
}

/* ---- pointers ------------------------------------------------------------ */

/* The token that path (after its slash) begins with, unescaped and with a NUL
 * behind; path moves to what follows, its slash included. */
static enum ves_status take_token(struct step *step, struct ves_bytes *path,
                                  struct ves_bytes *token)
{
    size_t len = 0;
    uint8_t *text;

    while (len < path->len && path->ptr[len] != '/')
        len++;
    text = ves_arena_bytes(step->arena, len + 1);
    if (!text)
        return VES_NOMEM;
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = path->ptr[i];
        if (c == '~' && i + 1 < len && path->ptr[i + 1] <= '1') {
            i++;
            c = path->ptr[i] == '1' ? '/' : '~';
        }
        if (c == '\0')
            return unusable(step, "a path holds a NUL character");
        text[used++] = c;
    }
    text[used] = '\0';
    *token = ves_bytes(text, used);
    path->ptr += len;
    path->len -= len;
    return VES_OK;
}

/* object with value at path, which begins with a slash; value NULL: without
 * it. */
static enum ves_status put(struct step *step, const struct ves_json *object,
                           struct ves_bytes path, const struct ves_json *value,
                           const struct ves_json **out)
{
    static const struct ves_json empty = {.type = VES_JSON_OBJECT};
    struct ves_bytes token;

    path = ves_bytes(path.ptr + 1, path.len - 1);
    enum ves_status status = take_token(step, &path, &token);
    if (status)
        return status;
    const struct ves_json *child = ves_json_member_bytes(object, token);
    if (path.len > 0) {
        if (child && child->type != VES_JSON_OBJECT)
            return unusable(step, "a path leads through a value that is no "
                                  "object");
        if (!child && !value) {
            *out = object;
            return VES_OK;
        }
        status = put(step, child ? child : &empty, path, value, &value);
        if (status)
            return status;
    } else if (!value) {
        *out = ves_tree_without(step->arena, object, (const char *)token.ptr);
        return *out ? VES_OK : VES_NOMEM;
    }
    const struct ves_json *single = ves_tree_single(step->arena, token, value);
    if (!single)
        return VES_NOMEM;
    *out = ves_tree_merge(step->arena, object, single, VES_TREE_REPLACE);
    return *out ? VES_OK : VES_NOMEM;
}

/* The value at path, NULL when there is none; *missing is then the shortest
 * beginning of path that is not there. */
static enum ves_status get(struct step *step, struct ves_bytes path,
                           const struct ves_json **out,
                           struct ves_bytes *missing)
{
    const struct ves_json *node = step->state;
    struct ves_bytes rest = path;

    *missing = path;
    while (rest.len > 0) {
        struct ves_bytes token;
        rest = ves_bytes(rest.ptr + 1, rest.len - 1);
        enum ves_status status = take_token(step, &rest, &token);
        if (status)
            return status;
        node = ves_json_member_bytes(node, token);
        if (!node) {
            *missing = ves_bytes(path.ptr, path.len - rest.len);
            break;
        }
    }
    *out = node;
    return VES_OK;
}

/* ---- the opposite -------------------------------------------------------- */

/* value NULL: none is written. */
static enum ves_status take_back(struct step *step, const char *op,
                                 struct ves_bytes path,
                                 const struct ves_json *value)
{
    struct ves_scratch scratch;
    enum ves_status status = VES_OK;

    ves_scratch_init(&scratch, step->arena, 128, OPPOSITE_MAX);
    ves_buf_putf(&scratch.buf, "{\"op\":\"%s\"", op);
    if (path.len > 0) {
        ves_buf_put_str(&scratch.buf, ",\"path\":");
        ves_jcs_write_string(&scratch.buf, path);
    }
    if (value) {
        ves_buf_put_str(&scratch.buf, ",\"value\":");
        status = ves_jcs_write(&scratch.buf, step->arena, value);
    }
    ves_buf_put_u8(&scratch.buf, '}');
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status == VES_LIMIT)
        return unusable(step, "what was there before is too large to keep");
    step->opposite[step->opposite_count++] = ves_buf_view(&scratch.buf);
    return status;
}

/* ---- operations ---------------------------------------------------------- */

static enum ves_status set(struct step *step, struct ves_bytes path,
                           const struct ves_json *value, const char *op)
{
    const struct ves_json *old;
    struct ves_bytes missing;

    enum ves_status status = get(step, path, &old, &missing);
    if (status || (!old && !value))
        return status;
    status = take_back(step, op, missing, old);
    return status ? status : put(step, step->state, path, value, &step->state);
}

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

static enum ves_status add(struct step *step, struct ves_bytes path,
                           const struct ves_json *value)
{
    const struct ves_quantity zero = {0};
    struct ves_quantity delta, sum = {0}, negative;
    const struct ves_json *old;
    struct ves_bytes missing;

    enum ves_status status = get(step, path, &old, &missing);
    if (status)
        return status;
    if (ves_quantity_read(value, &delta) ||
        !ves_quantity_subtract(zero, delta, &negative))
        return unusable(step, "a delta is no quantity");
    if (old && ves_quantity_read(old, &sum))
        return unusable(step, "what a delta is added to is no quantity");
    if (!ves_quantity_add(sum, delta, &sum))
        return unusable(step, "a sum would leave the range of quantities");
    const struct ves_json *total = quantity_node(step->arena, sum);
    const struct ves_json *back = quantity_node(step->arena, negative);
    if (!total || !back)
        return VES_NOMEM;
    status = take_back(step, "delta", path, back);
    return status ? status : put(step, step->state, path, total, &step->state);
}

static bool holds(const struct ves_json *array, const struct ves_json *value)
{
    for (const struct ves_json *i = array->first; i; i = i->next) {
        if (ves_json_equal(i, value))
            return true;
    }
    return false;
}

/* A copy of array with value at its end. */
static const struct ves_json *longer(struct ves_arena *arena,
                                     const struct ves_json *array,
                                     const struct ves_json *value)
{
    struct ves_json *nodes =
        ves_arena_alloc(arena, (array->count + 2) * sizeof(*nodes));
    size_t n = 1;

    if (!nodes)
        return NULL;
    nodes[0] = (struct ves_json){
        .type = VES_JSON_ARRAY, .count = array->count + 1, .first = &nodes[1]};
    for (const struct ves_json *i = array->first; i; i = i->next, n++) {
        nodes[n] = *i;
        nodes[n].next = &nodes[n + 1];
    }
    nodes[n] = *value;
    nodes[n].next = NULL;
    return nodes;
}

static enum ves_status join(struct step *step, struct ves_bytes path,
                            const struct ves_json *value, bool is_set)
{
    static const struct ves_json empty = {.type = VES_JSON_ARRAY};
    const struct ves_json *array;
    struct ves_bytes missing;

    enum ves_status status = get(step, path, &array, &missing);
    if (status)
        return status;
    if (array && array->type != VES_JSON_ARRAY)
        return unusable(step, "what is appended to is no array");
    if (!array)
        array = &empty;
    if (!is_set || value->type != VES_JSON_ARRAY) {
        if (!is_set || !holds(array, value))
            array = longer(step->arena, array, value);
        return array ? set(step, path, array, "set") : VES_NOMEM;
    }
    for (const struct ves_json *i = value->first; i; i = i->next) {
        if (!holds(array, i))
            array = longer(step->arena, array, i);
        if (!array)
            return VES_NOMEM;
    }
    return set(step, path, array, "set");
}

static enum ves_status bury(struct step *step, bool is_deleted)
{
    if (step->is_deleted == is_deleted)
        return VES_OK;
    step->is_deleted = is_deleted;
    return take_back(step, is_deleted ? "restore" : "delete",
                     ves_bytes(NULL, 0), NULL);
}

static enum ves_status run(struct step *step, const struct ves_json *op)
{
    static const struct ves_json null = {.type = VES_JSON_NULL};
    const struct ves_json *value = ves_json_member(op, "value");
    struct ves_bytes name, path;

    if (!ves_json_get_string(op, "op", &name))
        return unusable(step, "an operation without a name");
    if (ves_bytes_is(name, "delete") || ves_bytes_is(name, "restore"))
        return bury(step, ves_bytes_is(name, "delete"));
    if (!ves_json_get_string(op, "path", &path) || path.len == 0 ||
        path.ptr[0] != '/')
        return unusable(step, "an operation without a path");
    if (ves_bytes_is(name, "set"))
        return set(step, path, value, "set");
    if (ves_bytes_is(name, "transition"))
        return set(step, path, value, "transition");
    if (ves_bytes_is(name, "delta"))
        return add(step, path, value);
    if (ves_bytes_is(name, "add_to_set"))
        return join(step, path, value ? value : &null, true);
    if (ves_bytes_is(name, "append"))
        return join(step, path, value ? value : &null, false);
    return unusable(step, "an operation of an unknown name");
}

enum ves_status ves_fold_ops(struct ves_arena *arena,
                             const struct ves_json *list,
                             struct ves_fold_ops *ops, struct ves_buf *opposite)
{
    struct step step = {
        .arena = arena, .state = ops->state, .is_deleted = ops->is_deleted};
    enum ves_status status = VES_OK;
    size_t count = list ? list->count : 0;

    ops->reason = NULL;
    step.opposite = ves_arena_alloc(arena, count * sizeof(*step.opposite));
    if (!step.opposite)
        return VES_NOMEM;
    for (const struct ves_json *op = list ? list->first : NULL; op && !status;
         op = op->next)
        status = run(&step, op);
    if (status) {
        ops->reason = step.reason;
        return status;
    }
    ops->state = step.state;
    ops->is_deleted = step.is_deleted;
    if (!opposite)
        return VES_OK;
    ves_buf_put_u8(opposite, '[');
    for (size_t i = step.opposite_count; i > 0; i--) {
        ves_buf_put_bytes(opposite, step.opposite[i - 1]);
        if (i > 1)
            ves_buf_put_u8(opposite, ',');
    }
    ves_buf_put_u8(opposite, ']');
    return ves_buf_status(opposite);
}
