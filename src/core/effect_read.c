/* effect_read.c -- the effects and references of one event, from the
 * catalogue.
 */
#include "core/effect_read.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/entity.h"
#include "core/operation.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "json/jcs.h"

/* ---- values -------------------------------------------------------------- */

/* Behind prefix; node NULL: that there is none. */
static enum ves_status hash_value(struct ves_arena *arena, const char *prefix,
                                  const struct ves_json *node,
                                  struct ves_hash *out)
{
    struct ves_scratch scratch;

    if (!node) {
        ves_sha256_one("", 0, out);
        return VES_OK;
    }

    ves_scratch_init(&scratch, arena, 64, 4 * (size_t)VES_PAYLOAD_MAX);
    ves_buf_put_str(&scratch.buf, prefix);
    enum ves_status status =
        node->type == VES_JSON_OBJECT
            ? ves_jcs_write_without(&scratch.buf, arena, node, "_ves")
            : ves_jcs_write(&scratch.buf, arena, node);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status)
        return status == VES_LIMIT ? VES_NOMEM : status;
    ves_sha256_one(scratch.buf.ptr, scratch.buf.len, out);
    return VES_OK;
}

/* An event whose entry is there already does nothing at all: two that make
 * one are the same only when everything else in them is, too. */
static enum ves_status hash_change(struct ves_arena *arena,
                                   const char *type_name,
                                   const struct ves_change *change,
                                   const struct ves_json *whole,
                                   struct ves_hash *out)
{
    bool is_entry = change->op == VES_OP_CREATE && change->path.len > 0 &&
                    change->path.ptr[0] == '/';

    return is_entry ? hash_value(arena, type_name, whole, out)
                    : hash_value(arena, "", change->value, out);
}

/* The effects of changes; of the whole entity when they were too many. */
static enum ves_status to_effects(struct ves_arena *arena,
                                  const char *type_name,
                                  const struct ves_changes *changes,
                                  const struct ves_json *whole,
                                  struct ves_effects *out)
{
    struct ves_change all = {ves_bytes_str(VES_PATH_WHOLE), VES_OP_SET, whole,
                             false};
    const struct ves_change *from = changes->is_full ? &all : changes->list;
    size_t count = changes->is_full ? 1 : changes->count;
    struct ves_effect *list = ves_arena_alloc(arena, count * sizeof(*list));

    if (!list)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++) {
        list[i].path = from[i].path;
        list[i].op = from[i].op;
        enum ves_status status =
            hash_change(arena, type_name, &from[i], whole, &list[i].value);
        if (status)
            return status;
    }
    out->list = list;
    out->count = count;
    return VES_OK;
}

enum ves_status ves_effects_of_payload(struct ves_arena *arena,
                                       const struct ves_event_type *type,
                                       const struct ves_json *payload,
                                       const struct ves_uuid *event_id,
                                       struct ves_effects *out)
{
    const struct ves_operand operand = {arena, payload, event_id, true};
    struct ves_changes changes = {.max = VES_EFFECTS_MAX,
                                  .path_max = VES_EFFECT_PATH_MAX};

    enum ves_status status =
        ves_changes_read(&operand, type->operations, &changes);
    return status ? status
                  : to_effects(arena, type->name, &changes, payload, out);
}

/* ---- operations in JSON ---------------------------------------------------
 */

static const char *const op_names[] = {
    [VES_OP_SET] = "set",
    [VES_OP_DELTA] = "delta",
    [VES_OP_ADD_TO_SET] = "add_to_set",
    [VES_OP_APPEND] = "append",
    [VES_OP_TRANSITION] = "transition",
    [VES_OP_CREATE] = "create",
    [VES_OP_DELETE] = "delete",
    [VES_OP_RESTORE] = "restore",
    [VES_OP_EXPECT] = "expect",
    [VES_OP_ADVANCE] = "advance",
    [VES_OP_DEFAULT] = "default",
};

const char *ves_op_name(enum ves_op op)
{
    return op_names[op];
}

bool ves_op_read(struct ves_bytes name, enum ves_op *op)
{
    static const enum ves_op known[] = {
        VES_OP_SET,        VES_OP_DELTA,  VES_OP_ADD_TO_SET, VES_OP_APPEND,
        VES_OP_TRANSITION, VES_OP_DELETE, VES_OP_RESTORE,    VES_OP_ADVANCE};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!ves_bytes_is(name, op_names[known[i]]))
            continue;
        *op = known[i];
        return true;
    }
    return false;
}

/* False when the operation is none. */
static bool add_op(struct ves_arena *arena, struct ves_changes *changes,
                   const struct ves_json *node, enum ves_status *status)
{
    struct ves_bytes name, path = ves_bytes_str(VES_PATH_WHOLE);
    const struct ves_json *value = ves_json_member(node, "value");
    enum ves_op op;

    if (!ves_json_get_string(node, "op", &name) || !ves_op_read(name, &op))
        return false;
    if (op == VES_OP_DELETE || op == VES_OP_RESTORE)
        value = NULL;
    else if (!ves_json_get_string(node, "path", &path) || path.len == 0 ||
             path.ptr[0] != '/' || path.len > VES_EFFECT_PATH_MAX)
        return false;
    *status = ves_changes_add(arena, changes, op, path, value);
    return true;
}

static enum ves_status read_result(struct ves_arena *arena,
                                   const struct ves_json *result,
                                   struct ves_changes *changes)
{
    const struct ves_json *ops = ves_json_member(result, "ops");
    const struct ves_json *patch = ves_json_member(result, "patch");
    enum ves_status status = VES_OK;

    if (ves_json_is_absent(result))
        return VES_OK;
    if (!ops && patch && patch->type == VES_JSON_OBJECT)
        return ves_changes_of_patch(arena, patch, changes);
    changes->is_full = !ops || patch || ops->type != VES_JSON_ARRAY;
    if (changes->is_full)
        return VES_OK;
    for (const struct ves_json *o = ops->first; o && !status; o = o->next) {
        if (add_op(arena, changes, o, &status))
            continue;
        changes->is_full = true;
        return VES_OK;
    }
    return status;
}

enum ves_status ves_effects_of_result(struct ves_arena *arena,
                                      const struct ves_json *result,
                                      struct ves_effects *out)
{
    struct ves_changes changes = {.max = VES_EFFECTS_MAX,
                                  .path_max = VES_EFFECT_PATH_MAX};

    enum ves_status status = read_result(arena, result, &changes);
    return status ? status : to_effects(arena, "", &changes, result, out);
}

/* ---- repeating an event ---------------------------------------------------
 */

static enum ves_status write_change(struct ves_arena *arena,
                                    const struct ves_change *change,
                                    struct ves_buf *out)
{
    bool is_entity =
        change->op == VES_OP_DELETE || change->op == VES_OP_RESTORE;
    enum ves_op op = change->op == VES_OP_CREATE ? VES_OP_SET : change->op;

    ves_buf_putf(out, "{\"op\":\"%s\"", ves_op_name(op));
    if (!is_entity) {
        ves_buf_put_str(out, ",\"path\":");
        ves_jcs_write_string(out, change->path);
    }
    enum ves_status status = VES_OK;
    if (!is_entity && change->value) {
        ves_buf_put_str(out, ",\"value\":");
        status = change->value->type == VES_JSON_OBJECT
                     ? ves_jcs_write_without(out, arena, change->value, "_ves")
                     : ves_jcs_write(out, arena, change->value);
    }
    ves_buf_put_u8(out, '}');
    return status ? status : ves_buf_status(out);
}

/* Marks and preconditions are no part of what is repeated; nor is an empty
 * object, which as an operation would empty the one that is there. */
static bool is_repeated(const struct ves_change *change)
{
    if (change->is_kept)
        return false;
    if (change->op == VES_OP_DELETE || change->op == VES_OP_RESTORE)
        return true;
    return change->op != VES_OP_EXPECT && change->path.len > 0 &&
           change->path.ptr[0] == '/';
}

enum ves_status ves_operations_write(struct ves_arena *arena,
                                     const struct ves_event_type *type,
                                     const struct ves_json *payload,
                                     const struct ves_uuid *event_id,
                                     struct ves_buf *out)
{
    const struct ves_operand operand = {arena, payload, event_id, false};
    struct ves_changes changes = {.max = VES_OPERATIONS_MAX,
                                  .path_max = VES_EFFECT_PATH_MAX};
    const char *glue = "";

    if (type->fold != VES_FOLD_OPERATIONS)
        return VES_INVALID;
    enum ves_status status =
        ves_changes_read(&operand, type->operations, &changes);
    if (status || changes.is_full)
        return status ? status : VES_INVALID;
    ves_buf_put_u8(out, '[');
    for (size_t i = 0; i < changes.count && !status; i++) {
        if (!is_repeated(&changes.list[i]))
            continue;
        ves_buf_put_str(out, glue);
        glue = ",";
        status = write_change(arena, &changes.list[i], out);
    }
    ves_buf_put_u8(out, ']');
    return status ? status : ves_buf_status(out);
}

/* ---- references ---------------------------------------------------------- */

struct references {
    struct ves_arena *arena;
    struct ves_entity_name *names;
    size_t count, room;
};

static enum ves_status make_room(struct references *references)
{
    enum { FIRST = 4 };
    size_t room = references->room ? 2 * references->room : FIRST;

    if (references->count < references->room)
        return VES_OK;
    struct ves_entity_name *names =
        ves_arena_alloc(references->arena, room * sizeof(*names));
    if (!names)
        return VES_NOMEM;
    if (references->count > 0)
        memcpy(names, references->names, references->count * sizeof(*names));
    references->names = names;
    references->room = room;
    return VES_OK;
}

static enum ves_status add_reference(struct references *references,
                                     const char *entity_type,
                                     const struct ves_json *node)
{
    struct ves_entity_name name;
    struct ves_bytes id;

    if (!ves_id_is(node) ||
        (node->type == VES_JSON_STRING && node->string.len == 0) ||
        references->count == VES_REFERENCES_MAX)
        return VES_OK;
    if (ves_id_text(references->arena, node, &id))
        return VES_NOMEM;
    ves_entity_name(ves_bytes_str(entity_type), id, &name);
    for (size_t i = 0; i < references->count; i++) {
        if (ves_hash_equal(&references->names[i].key, &name.key))
            return VES_OK;
    }
    if (make_room(references) ||
        ves_arena_copy(references->arena, name.type, &name.type) ||
        ves_arena_copy(references->arena, name.id, &name.id))
        return VES_NOMEM;
    references->names[references->count++] = name;
    return VES_OK;
}

/* Follows a pointer whose tokens may be "*", for every item. */
static enum ves_status follow(struct references *references,
                              const struct ves_reference *reference,
                              const char *pointer, const struct ves_json *node)
{
    if (!node)
        return VES_OK;
    if (*pointer == '\0')
        return add_reference(references, reference->entity_type, node);

    const char *token = pointer + 1;
    const char *end = strchr(token, '/');
    size_t len = end ? (size_t)(end - token) : strlen(token);
    if (len != 1 || *token != '*')
        return follow(references, reference, token + len,
                      ves_json_member_bytes(node, ves_bytes(token, len)));
    enum ves_status status = VES_OK;
    if (node->type != VES_JSON_ARRAY)
        return VES_OK;
    for (const struct ves_json *item = node->first; item && !status;
         item = item->next)
        status = follow(references, reference, token + len, item);
    return status;
}

enum ves_status ves_references_of_payload(struct ves_arena *arena,
                                          const struct ves_event_type *type,
                                          const struct ves_json *payload,
                                          struct ves_entity_name **names,
                                          size_t *count)
{
    struct references references = {.arena = arena};
    enum ves_status status = VES_OK;

    for (const struct ves_reference *r = type->references;
         r->pointer && !status; r++)
        status = follow(&references, r, r->pointer, payload);
    *names = references.names;
    *count = references.count;
    return status;
}
