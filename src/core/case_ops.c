/* case_ops.c -- lists of operations under construction. */
#include "core/case_ops.h"

#include "base/bytes.h"
#include "core/fold_tree.h"
#include "core/scratch.h"
#include "json/jcs.h"
#include "json/order.h"

enum { PATH_MAX = 64 * 1024 }; /* names are bounded by the payload */

enum ves_status ves_case_ops_begin(struct ves_case_ops *ops,
                                   struct ves_arena *arena)
{
    ops->arena = arena;
    enum ves_status status =
        ves_merge_build(&ops->builder, arena, VES_JSON_ARRAY);
    ops->node = ops->builder.node;
    return status;
}

/* One operation; path "" and value NULL are left out. */
static enum ves_status add(struct ves_case_ops *ops, const char *name,
                           struct ves_bytes path, const struct ves_json *value)
{
    const struct ves_json op = {.type = VES_JSON_STRING,
                                .string = ves_bytes_str(name)};
    const struct ves_json at = {.type = VES_JSON_STRING, .string = path};
    struct ves_merge_builder object;

    enum ves_status status =
        ves_merge_build(&object, ops->arena, VES_JSON_OBJECT);
    if (!status)
        status = ves_merge_add(&object, ves_bytes_str("op"), &op);
    if (!status && path.len > 0)
        status = ves_merge_add(&object, ves_bytes_str("path"), &at);
    if (!status && value)
        status = ves_merge_add(&object, ves_bytes_str("value"), value);
    return status
               ? status
               : ves_merge_add(&ops->builder, ves_bytes(NULL, 0), object.node);
}

enum ves_status ves_case_ops_restore(struct ves_case_ops *ops)
{
    return add(ops, "restore", ves_bytes(NULL, 0), NULL);
}

enum ves_status ves_case_ops_set(struct ves_case_ops *ops,
                                 struct ves_bytes path,
                                 const struct ves_json *value)
{
    return add(ops, "set", path, value);
}

static bool is_commuting(const struct ves_json *op)
{
    struct ves_bytes name = {NULL, 0};

    (void)ves_json_get_string(op, "op", &name);
    return ves_bytes_is(name, "delta") || ves_bytes_is(name, "add_to_set") ||
           ves_bytes_is(name, "append");
}

enum ves_status ves_case_ops_copy(struct ves_case_ops *ops,
                                  const struct ves_json *array,
                                  enum ves_case_kind kind)
{
    enum ves_status status = VES_OK;

    for (const struct ves_json *o = array->first; o && !status; o = o->next) {
        if (kind == VES_CASE_ALL ||
            is_commuting(o) == (kind == VES_CASE_COMMUTING))
            status = ves_merge_add(&ops->builder, ves_bytes(NULL, 0), o);
    }
    return status;
}

bool ves_case_ops_have(const struct ves_json *array, const char *name)
{
    for (const struct ves_json *o = array ? array->first : NULL; o;
         o = o->next) {
        struct ves_bytes op;
        if (ves_json_get_string(o, "op", &op) && ves_bytes_is(op, name))
            return true;
    }
    return false;
}

enum ves_status ves_case_path(struct ves_arena *arena, struct ves_bytes path,
                              struct ves_bytes name, struct ves_bytes *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, arena, path.len + name.len + 8,
                     PATH_MAX + 2 * name.len);
    ves_buf_put_bytes(&scratch.buf, path);
    ves_buf_put_u8(&scratch.buf, '/');
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (c == '~' || c == '/') {
            ves_buf_put_u8(&scratch.buf, '~');
            c = c == '~' ? '0' : '1';
        }
        ves_buf_put_u8(&scratch.buf, c);
    }
    *out = ves_buf_view(&scratch.buf);
    return ves_buf_status(&scratch.buf) ? VES_NOMEM : VES_OK;
}

/* ---- differences --------------------------------------------------------- */

static bool is_object(const struct ves_json *node)
{
    return node && node->type == VES_JSON_OBJECT;
}

/* As deep as a state nests. */
static enum ves_status difference(struct ves_case_ops *ops,
                                  struct ves_bytes path,
                                  const struct ves_json *from,
                                  const struct ves_json *to)
{
    const struct ves_json **old, **new;
    size_t i = 0, k = 0;

    if (ves_json_order(ops->arena, from, &old) ||
        ves_json_order(ops->arena, to, &new))
        return VES_NOMEM;
    while (i < from->count || k < to->count) {
        int order = i == from->count ? 1
                    : k == to->count
                        ? -1
                        : ves_jcs_compare_keys(old[i]->key, new[k]->key);
        const struct ves_json *a = order <= 0 ? old[i++] : NULL;
        const struct ves_json *b = order >= 0 ? new[k++] : NULL;
        struct ves_bytes inner;
        if (a && b && ves_json_equal(a, b))
            continue;
        enum ves_status status =
            ves_case_path(ops->arena, path, a ? a->key : b->key, &inner);
        if (status)
            return status;
        status = is_object(a) && is_object(b) ? difference(ops, inner, a, b)
                                              : ves_case_ops_set(ops, inner, b);
        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_case_ops_difference(struct ves_case_ops *ops,
                                        const struct ves_json *from,
                                        const struct ves_json *to)
{
    return difference(ops, ves_bytes("", 0), from, to);
}

/* ---- patches ------------------------------------------------------------- */

/* What a patch makes where there is no object: itself without nulls. */
static enum ves_status plain(struct ves_case_ops *ops,
                             const struct ves_json *patch,
                             const struct ves_json **out)
{
    static const struct ves_json empty = {.type = VES_JSON_OBJECT};

    *out = ves_tree_merge(ops->arena, &empty, patch, VES_TREE_PATCH);
    return *out ? VES_OK : VES_NOMEM;
}

static enum ves_status patch_below(struct ves_case_ops *ops,
                                   struct ves_bytes path,
                                   const struct ves_json *state,
                                   const struct ves_json *patch)
{
    for (const struct ves_json *m = patch->first; m; m = m->next) {
        const struct ves_json *old = ves_json_member_bytes(state, m->key);
        const struct ves_json *value = m;
        struct ves_bytes inner;
        enum ves_status status =
            ves_case_path(ops->arena, path, m->key, &inner);
        if (!status && is_object(m) && is_object(old)) {
            status = patch_below(ops, inner, old, m);
        } else if (!status) {
            if (is_object(m))
                status = plain(ops, m, &value);
            else if (m->type == VES_JSON_NULL)
                value = NULL;
            if (!status)
                status = ves_case_ops_set(ops, inner, value);
        }
        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_case_ops_patch(struct ves_case_ops *ops,
                                   const struct ves_json *state,
                                   const struct ves_json *patch)
{
    return patch_below(ops, ves_bytes("", 0), state, patch);
}
