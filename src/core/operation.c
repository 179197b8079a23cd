/* operation.c -- what the operations of a type say for one payload. */
#include "core/operation.h"

#include "base/bytes.h"
#include "base/uuid.h"
#include "core/fold_tree.h"
#include "core/fold_write.h"
#include "core/quantity.h"
#include "core/scratch.h"
#include "json/number.h"

/* ---- ids and paths --------------------------------------------------------
 */

bool ves_id_is(const struct ves_json *node)
{
    int64_t number;
    return node &&
           (node->type == VES_JSON_STRING || ves_minor_read(node, &number));
}

enum ves_status ves_id_text(struct ves_arena *arena,
                            const struct ves_json *node, struct ves_bytes *out)
{
    char text[VES_NUMBER_TEXT];

    if (node->type != VES_JSON_STRING)
        return ves_arena_copy(
            arena, ves_bytes(text, ves_number_format(node->number, text)), out);
    /* An empty text has no bytes of its own perhaps. */
    *out = node->string.len > 0 ? node->string : ves_bytes("", 0);
    return VES_OK;
}

static void put_token(struct ves_buf *buf, struct ves_bytes token)
{
    for (size_t i = 0; i < token.len; i++) {
        uint8_t c = token.ptr[i];
        if (c == '~' || c == '/') {
            ves_buf_put_u8(buf, '~');
            c = c == '~' ? '0' : '1';
        }
        ves_buf_put_u8(buf, c);
    }
}

/* The inside of one pair of braces. */
static enum ves_status put_name(const struct ves_operand *operand,
                                struct ves_bytes name, struct ves_buf *buf,
                                struct ves_bytes *missing)
{
    static const char or_event[] = "|event_id";
    char uuid[VES_UUID_TEXT + 1];
    const uint8_t *bar = memchr(name.ptr, '|', name.len);
    struct ves_bytes first =
        bar ? ves_bytes(name.ptr, (size_t)(bar - name.ptr)) : name;
    const struct ves_json *node =
        ves_json_member_bytes(operand->payload, first);
    struct ves_bytes text;

    if (!ves_id_is(node) && bar) {
        struct ves_bytes rest =
            ves_bytes(bar, name.len - (size_t)(bar - name.ptr));
        if (ves_bytes_is(rest, or_event)) {
            if (operand->is_footprint)
                return VES_OK;
            ves_uuid_format(operand->event_id, uuid);
            ves_buf_put_str(buf, uuid);
            return VES_OK;
        }
        first = ves_bytes(rest.ptr + 1, rest.len - 1);
        node = ves_json_member_bytes(operand->payload, first);
    }
    if (!ves_id_is(node)) {
        *missing = first;
        return VES_OK;
    }
    enum ves_status status = ves_id_text(operand->arena, node, &text);
    if (!status)
        put_token(buf, text);
    return status;
}

enum ves_status ves_operation_path(const struct ves_operand *operand,
                                   const char *path, size_t max,
                                   struct ves_bytes *out,
                                   struct ves_bytes *missing)
{
    struct ves_scratch scratch;
    enum ves_status status = VES_OK;

    *missing = ves_bytes(NULL, 0);
    if (!strchr(path, '{')) {
        *out = ves_bytes_str(path);
        return VES_OK;
    }
    ves_scratch_init(&scratch, operand->arena, 96, max);
    while (*path != '\0' && !status) {
        const char *end = *path == '{' ? strchr(path, '}') : NULL;
        if (end) {
            status =
                put_name(operand, ves_bytes(path + 1, (size_t)(end - path - 1)),
                         &scratch.buf, missing);
            path = end + 1;
        } else {
            ves_buf_put_u8(&scratch.buf, (uint8_t)*path++);
        }
    }
    *out = ves_buf_view(&scratch.buf);
    return status ? status : ves_buf_status(&scratch.buf);
}

enum ves_status ves_operation_below(struct ves_arena *arena,
                                    struct ves_bytes path,
                                    struct ves_bytes token, size_t max,
                                    struct ves_bytes *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, arena, path.len + token.len + 8, max);
    ves_buf_put_bytes(&scratch.buf, path);
    ves_buf_put_u8(&scratch.buf, '/');
    put_token(&scratch.buf, token);
    *out = ves_buf_view(&scratch.buf);
    return ves_buf_status(&scratch.buf);
}

/* ---- values ---------------------------------------------------------------
 */

/* Nodes of the catalogue's texts are made anew, in the arena. */
static enum ves_status text_node(struct ves_arena *arena, struct ves_bytes text,
                                 const struct ves_json **out)
{
    *out = ves_tree_string(arena, text);
    return *out ? VES_OK : VES_NOMEM;
}

enum ves_status ves_operation_value(const struct ves_operand *operand,
                                    const struct ves_operation *operation,
                                    const struct ves_json **out)
{
    char uuid[VES_UUID_TEXT + 1];
    struct ves_bytes copy;

    *out = NULL;
    switch (operation->source) {
    case VES_SOURCE_MEMBER:
    case VES_SOURCE_PATCH:
        *out =
            ves_json_pointer(operand->payload, ves_bytes_str(operation->from));
        return VES_OK;
    case VES_SOURCE_TEXT:
        return text_node(operand->arena, ves_bytes_str(operation->from), out);
    case VES_SOURCE_VALUE:
        *out = operation->value;
        return VES_OK;
    case VES_SOURCE_EVENT:
        ves_uuid_format(operand->event_id, uuid);
        if (ves_arena_copy(operand->arena, ves_bytes(uuid, VES_UUID_TEXT),
                           &copy))
            return VES_NOMEM;
        return text_node(operand->arena, copy, out);
    case VES_SOURCE_END:
    case VES_SOURCE_FILL:
    case VES_SOURCE_EDIT:
        break;
    }
    return VES_OK;
}

/* ---- changes --------------------------------------------------------------
 */

enum ves_status ves_changes_add(struct ves_arena *arena,
                                struct ves_changes *changes, enum ves_op op,
                                struct ves_bytes path,
                                const struct ves_json *value)
{
    if (changes->count == changes->max || path.len > changes->path_max)
        changes->is_full = true;
    if (changes->is_full)
        return VES_OK;
    if (changes->count == changes->cap) {
        size_t cap = changes->cap > 0 ? changes->cap * 2 : 8;
        struct ves_change *list = ves_arena_alloc(arena, cap * sizeof(*list));
        if (!list)
            return VES_NOMEM;
        if (changes->count > 0)
            memcpy(list, changes->list, changes->count * sizeof(*list));
        changes->list = list;
        changes->cap = cap;
    }
    changes->list[changes->count++] =
        (struct ves_change){path, op, value, false};
    return VES_OK;
}

/* Leaves under construction. */
struct leaves {
    struct ves_arena *arena;
    struct ves_changes *changes;
    bool is_patch;  /* null removes */
    size_t written; /* FILL: what the first so many changes write is taken */
};

static enum ves_status full_or(enum ves_status status,
                               struct ves_changes *changes)
{
    if (status != VES_LIMIT)
        return status;
    changes->is_full = true;
    return VES_OK;
}

static bool is_written(const struct ves_changes *changes, size_t count,
                       struct ves_bytes path)
{
    const struct ves_effect probe = {.path = path};

    for (size_t i = 0; i < count; i++) {
        const struct ves_effect other = {.path = changes->list[i].path};
        if (ves_effect_overlaps(&probe, &other))
            return true;
    }
    return false;
}

/* RFC 7396: makes an object where none is, and else does nothing. */
static enum ves_status add_empty(struct ves_arena *arena,
                                 struct ves_changes *changes,
                                 struct ves_bytes path,
                                 const struct ves_json *empty)
{
    enum ves_status status =
        ves_changes_add(arena, changes, VES_OP_SET, path, empty);

    if (!status && !changes->is_full)
        changes->list[changes->count - 1].is_kept = true;
    return status;
}

/* Every leaf below an object: whatever is no object with members.  Depth is
 * bounded by that of payloads. */
static enum ves_status add_leaves(struct leaves *leaves, struct ves_bytes path,
                                  const struct ves_json *object, bool is_top)
{
    struct ves_changes *changes = leaves->changes;

    for (const struct ves_json *m = object->first; m && !changes->is_full;
         m = m->next) {
        struct ves_bytes inner;
        bool is_removed = leaves->is_patch && m->type == VES_JSON_NULL;
        if (is_top && ves_bytes_is(m->key, "_ves"))
            continue;
        enum ves_status status =
            full_or(ves_operation_below(leaves->arena, path, m->key,
                                        changes->path_max, &inner),
                    changes);
        if (status || changes->is_full)
            return status;
        if (m->type == VES_JSON_OBJECT && m->first)
            status = add_leaves(leaves, inner, m, false);
        else if (leaves->is_patch && m->type == VES_JSON_OBJECT)
            status = add_empty(leaves->arena, changes, inner, m);
        else if (!is_written(changes, leaves->written, inner))
            status = ves_changes_add(leaves->arena, changes, VES_OP_SET, inner,
                                     is_removed ? NULL : m);
        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_changes_of_patch(struct ves_arena *arena,
                                     const struct ves_json *patch,
                                     struct ves_changes *changes)
{
    struct leaves leaves = {arena, changes, true, 0};
    return add_leaves(&leaves, ves_bytes("", 0), patch, true);
}

/* What the author relied on and does not write itself. */
static enum ves_status add_expected(struct ves_arena *arena,
                                    struct ves_changes *changes,
                                    const struct ves_json *before)
{
    size_t written = changes->count;
    enum ves_status status = VES_OK;

    if (!before || before->type != VES_JSON_OBJECT)
        return VES_OK;
    for (const struct ves_json *m = before->first;
         m && !changes->is_full && !status; m = m->next) {
        if (!is_written(changes, written, m->key))
            status = ves_changes_add(arena, changes, VES_OP_EXPECT, m->key, m);
    }
    return status;
}

static enum ves_status add_edit(const struct ves_operand *operand,
                                struct ves_changes *changes)
{
    const struct ves_json *patch = ves_json_member(operand->payload, "patch");

    if (!patch)
        return ves_changes_of_patch(operand->arena, operand->payload, changes);
    if (patch->type != VES_JSON_OBJECT)
        return VES_OK;
    enum ves_status status =
        ves_changes_of_patch(operand->arena, patch, changes);
    return status ? status
                  : add_expected(operand->arena, changes,
                                 ves_json_member(operand->payload, "before"));
}

static enum ves_status add_operation(const struct ves_operand *operand,
                                     const struct ves_operation *operation,
                                     struct ves_changes *changes)
{
    struct leaves leaves = {operand->arena, changes, false, 0};
    const struct ves_json *value;
    struct ves_bytes path, missing;

    if (operation->op == VES_OP_DEFAULT)
        return VES_OK;
    if (operation->source == VES_SOURCE_EDIT)
        return add_edit(operand, changes);
    enum ves_status status =
        full_or(ves_operation_path(operand, operation->path, changes->path_max,
                                   &path, &missing),
                changes);
    if (status || changes->is_full)
        return status;
    if (operation->source == VES_SOURCE_FILL) {
        leaves.written = changes->count;
        return add_leaves(&leaves, path, operand->payload, true);
    }
    status = ves_operation_value(operand, operation, &value);
    if (status || (!value && operation->source != VES_SOURCE_VALUE))
        return status;
    if (operation->is_negative) {
        value = ves_delta_opposite(operand->arena, path, value);
        if (!value)
            return VES_NOMEM;
    }
    if (operation->source != VES_SOURCE_PATCH)
        return ves_changes_add(operand->arena, changes, operation->op, path,
                               value);
    leaves.is_patch = true;
    if (value->type == VES_JSON_OBJECT && !value->first && path.len > 0)
        return add_empty(operand->arena, changes, path, value);
    return value->type == VES_JSON_OBJECT
               ? add_leaves(&leaves, path, value, *operation->from == '\0')
               : VES_OK;
}

enum ves_status ves_changes_read(const struct ves_operand *operand,
                                 const struct ves_operation *operations,
                                 struct ves_changes *changes)
{
    enum ves_status status = VES_OK;

    for (const struct ves_operation *o = operations;
         o->source != VES_SOURCE_END && !status; o++)
        status = add_operation(operand, o, changes);
    return status;
}
