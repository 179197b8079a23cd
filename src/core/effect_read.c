/* effect_read.c -- the effects and references of one event, from the
 * catalogue.
 */
#include "core/effect_read.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/entity.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "json/jcs.h"
#include "json/number.h"

/* A list of effects under construction. */
struct reader {
    struct ves_arena *arena;
    struct ves_effect *list;
    size_t count, cap;
    bool is_full; /* more, or a longer path, were needed */
};

/* ---- paths --------------------------------------------------------------- */

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

/* The text of an id: a string, or a number as it is spelt canonically. */
static void put_id(struct ves_buf *buf, const struct ves_json *node)
{
    char text[VES_NUMBER_TEXT];

    if (node && node->type == VES_JSON_STRING)
        put_token(buf, node->string);
    else if (node && node->type == VES_JSON_NUMBER)
        put_token(buf, ves_bytes(text, ves_number_format(node->number, text)));
}

/* The path just written; too long a one makes the reader full. */
static enum ves_status take_path(struct reader *reader,
                                 const struct ves_scratch *scratch,
                                 struct ves_bytes *out)
{
    enum ves_status status = ves_buf_status(&scratch->buf);

    *out = ves_buf_view(&scratch->buf);
    if (status != VES_LIMIT)
        return status;
    reader->is_full = true;
    return VES_OK;
}

/* A path of the catalogue with its {names} filled in from the payload. */
static enum ves_status make_path(struct reader *reader, const char *path,
                                 const struct ves_json *payload,
                                 struct ves_bytes *out)
{
    struct ves_scratch scratch;

    if (!strchr(path, '{')) {
        *out = ves_bytes_str(path);
        return VES_OK;
    }
    ves_scratch_init(&scratch, reader->arena, 96, VES_EFFECT_PATH_MAX);
    while (*path != '\0') {
        const char *end = *path == '{' ? strchr(path, '}') : NULL;
        if (end) {
            put_id(&scratch.buf,
                   ves_json_member_bytes(
                       payload, ves_bytes(path + 1, (size_t)(end - path - 1))));
            path = end + 1;
        } else {
            ves_buf_put_u8(&scratch.buf, (uint8_t)*path++);
        }
    }
    return take_path(reader, &scratch, out);
}

static enum ves_status below(struct reader *reader, struct ves_bytes path,
                             struct ves_bytes name, struct ves_bytes *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, reader->arena, path.len + name.len + 8,
                     VES_EFFECT_PATH_MAX);
    ves_buf_put_bytes(&scratch.buf, path);
    ves_buf_put_u8(&scratch.buf, '/');
    put_token(&scratch.buf, name);
    return take_path(reader, &scratch, out);
}

/* ---- values -------------------------------------------------------------- */

/* node NULL: that there is none. */
static enum ves_status hash_value(struct ves_arena *arena,
                                  const struct ves_json *node,
                                  struct ves_hash *out)
{
    struct ves_scratch scratch;

    if (!node) {
        ves_sha256_one("", 0, out);
        return VES_OK;
    }

    ves_scratch_init(&scratch, arena, 64, 4 * (size_t)VES_PAYLOAD_MAX);
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

/* *out is NULL when the reader is full. */
static enum ves_status next(struct reader *reader, struct ves_effect **out)
{
    *out = NULL;
    if (reader->count == VES_EFFECTS_MAX)
        reader->is_full = true;
    if (reader->is_full)
        return VES_OK;
    if (reader->count == reader->cap) {
        size_t cap = reader->cap > 0 ? reader->cap * 2 : 8;
        struct ves_effect *list =
            ves_arena_alloc(reader->arena, cap * sizeof(*list));
        if (!list)
            return VES_NOMEM;
        if (reader->count > 0)
            memcpy(list, reader->list, reader->count * sizeof(*list));
        reader->list = list;
        reader->cap = cap;
    }
    *out = &reader->list[reader->count++];
    return VES_OK;
}

static enum ves_status add(struct reader *reader, enum ves_op op,
                           struct ves_bytes path, const struct ves_json *value)
{
    struct ves_effect *effect;

    enum ves_status status = next(reader, &effect);
    if (status || !effect)
        return status;
    effect->op = op;
    effect->path = path;
    return hash_value(reader->arena, value, &effect->value);
}

/* ---- leaves -------------------------------------------------------------- */

/* Every leaf below an object: whatever is no object with members.  In a patch
 * null removes.  Depth is bounded by that of payloads. */
static enum ves_status add_leaves(struct reader *reader, struct ves_bytes path,
                                  const struct ves_json *object, bool is_patch,
                                  bool is_top)
{
    for (const struct ves_json *m = object->first; m && !reader->is_full;
         m = m->next) {
        struct ves_bytes inner;
        bool is_removed = is_patch && m->type == VES_JSON_NULL;
        if (is_top && ves_bytes_is(m->key, "_ves"))
            continue;
        enum ves_status status = below(reader, path, m->key, &inner);
        if (status)
            return status;
        if (m->type == VES_JSON_OBJECT && m->first)
            status = add_leaves(reader, inner, m, is_patch, false);
        else
            status = add(reader, VES_OP_SET, inner, is_removed ? NULL : m);
        if (status)
            return status;
    }
    return VES_OK;
}

/* What the author relied on and does not write itself. */
static enum ves_status add_expected(struct reader *reader,
                                    const struct ves_json *before)
{
    size_t written = reader->count;

    if (!before || before->type != VES_JSON_OBJECT)
        return VES_OK;
    for (const struct ves_json *m = before->first; m && !reader->is_full;
         m = m->next) {
        const struct ves_effect probe = {.path = m->key, .op = VES_OP_EXPECT};
        bool is_written = false;
        for (size_t i = 0; i < written && !is_written; i++)
            is_written = ves_effect_overlaps(&probe, &reader->list[i]);
        if (is_written)
            continue;
        if (m->key.len > VES_EFFECT_PATH_MAX)
            reader->is_full = true;
        enum ves_status status = add(reader, VES_OP_EXPECT, m->key, m);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status add_patch(struct reader *reader,
                                 const struct ves_json *payload)
{
    const struct ves_json *patch = ves_json_member(payload, "patch");

    if (!patch)
        return add_leaves(reader, ves_bytes("", 0), payload, true, true);
    if (patch->type != VES_JSON_OBJECT)
        return VES_OK;
    enum ves_status status =
        add_leaves(reader, ves_bytes("", 0), patch, true, true);
    return status ? status
                  : add_expected(reader, ves_json_member(payload, "before"));
}

/* ---- one event ----------------------------------------------------------- */

static enum ves_status add_footprint(struct reader *reader,
                                     const struct ves_footprint *footprint,
                                     const struct ves_json *payload)
{
    const struct ves_json text = {.type = VES_JSON_STRING,
                                  .string = ves_bytes_str(footprint->member)};
    const struct ves_json *value;
    struct ves_bytes path;

    enum ves_status status = make_path(reader, footprint->path, payload, &path);
    if (status)
        return status;
    switch (footprint->kind) {
    case VES_FOOTPRINT_END:
        return VES_OK;
    case VES_FOOTPRINT_VALUE:
        value = ves_json_member(payload, footprint->member);
        return value ? add(reader, footprint->op, path, value) : VES_OK;
    case VES_FOOTPRINT_TEXT:
        return add(reader, footprint->op, path, &text);
    case VES_FOOTPRINT_WHOLE:
        return add(reader, footprint->op, path, payload);
    case VES_FOOTPRINT_LEAVES:
        return add_leaves(reader, path, payload, false, true);
    case VES_FOOTPRINT_PATCH:
        return add_patch(reader, payload);
    }
    return VES_OK;
}

/* The whole entity, whatever was found before. */
static enum ves_status whole(struct reader *reader,
                             const struct ves_json *value)
{
    reader->count = 0;
    reader->is_full = false;
    return add(reader, VES_OP_SET, ves_bytes_str(VES_PATH_WHOLE), value);
}

enum ves_status ves_effects_of_payload(struct ves_arena *arena,
                                       const struct ves_event_type *type,
                                       const struct ves_json *payload,
                                       struct ves_effects *out)
{
    struct reader reader = {.arena = arena};
    enum ves_status status = VES_OK;

    for (const struct ves_footprint *f = type->footprint;
         f->kind != VES_FOOTPRINT_END && !status; f++)
        status = add_footprint(&reader, f, payload);
    if (!status && reader.is_full)
        status = whole(&reader, payload);
    out->list = reader.list;
    out->count = reader.count;
    return status;
}

/* ---- resolutions --------------------------------------------------------- */

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
};

const char *ves_op_name(enum ves_op op)
{
    return op_names[op];
}

static bool read_op(const struct ves_json *node, enum ves_op *op)
{
    struct ves_bytes name;

    if (!ves_json_get_string(node, "op", &name))
        return false;
    for (int i = VES_OP_SET; i <= (int)VES_OP_RESTORE; i++) {
        if (i == (int)VES_OP_CREATE || !ves_bytes_is(name, op_names[i]))
            continue;
        *op = (enum ves_op)i;
        return true;
    }
    return false;
}

/* False when the operation is none. */
static bool add_op(struct reader *reader, const struct ves_json *node,
                   enum ves_status *status)
{
    const struct ves_json *value = ves_json_member(node, "value");
    struct ves_bytes path;
    enum ves_op op;

    if (!read_op(node, &op))
        return false;
    if (op == VES_OP_DELETE || op == VES_OP_RESTORE) {
        *status = add(reader, op, ves_bytes_str(VES_PATH_WHOLE), NULL);
        return true;
    }
    if (!ves_json_get_string(node, "path", &path) || path.len == 0 ||
        path.ptr[0] != '/')
        return false;
    if (path.len > VES_EFFECT_PATH_MAX)
        return false;
    *status = add(reader, op, path, value);
    return true;
}

static enum ves_status read_result(struct reader *reader,
                                   const struct ves_json *result)
{
    const struct ves_json *ops = ves_json_member(result, "ops");
    const struct ves_json *patch = ves_json_member(result, "patch");
    enum ves_status status = VES_OK;

    if (ves_json_is_absent(result))
        return VES_OK;
    if (!ops && patch && patch->type == VES_JSON_OBJECT)
        return add_leaves(reader, ves_bytes("", 0), patch, true, true);
    if (!ops || patch || ops->type != VES_JSON_ARRAY)
        return whole(reader, result);
    for (const struct ves_json *o = ops->first; o && !status; o = o->next) {
        if (!add_op(reader, o, &status))
            return whole(reader, result);
    }
    return status;
}

enum ves_status ves_effects_of_result(struct ves_arena *arena,
                                      const struct ves_json *result,
                                      struct ves_effects *out)
{
    struct reader reader = {.arena = arena};

    enum ves_status status = read_result(&reader, result);
    if (!status && reader.is_full)
        status = whole(&reader, result);
    out->list = reader.list;
    out->count = reader.count;
    return status;
}

/* ---- references ---------------------------------------------------------- */

struct references {
    struct ves_arena *arena;
    struct ves_hash *keys; /* room for VES_REFERENCES_MAX */
    size_t count;
};

static enum ves_status add_reference(struct references *references,
                                     const char *entity_type,
                                     const struct ves_json *node)
{
    struct ves_scratch scratch;
    struct ves_hash key;

    bool is_id =
        node && (node->type == VES_JSON_STRING ? node->string.len > 0
                                               : node->type == VES_JSON_NUMBER);
    if (!is_id || references->count == VES_REFERENCES_MAX)
        return VES_OK;
    struct ves_bytes id = node->string;
    if (node->type == VES_JSON_NUMBER) {
        ves_scratch_init(&scratch, references->arena, VES_NUMBER_TEXT,
                         VES_NUMBER_TEXT);
        put_id(&scratch.buf, node);
        if (ves_buf_status(&scratch.buf))
            return VES_NOMEM;
        id = ves_buf_view(&scratch.buf);
    }
    ves_entity_key(ves_bytes_str(entity_type), id, &key);
    for (size_t i = 0; i < references->count; i++) {
        if (ves_hash_equal(&references->keys[i], &key))
            return VES_OK;
    }
    references->keys[references->count++] = key;
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
                                          struct ves_hash **keys, size_t *count)
{
    struct references references = {.arena = arena};
    enum ves_status status = VES_OK;

    *keys = NULL;
    *count = 0;
    if (!type->references->pointer)
        return VES_OK;
    references.keys =
        ves_arena_alloc(arena, VES_REFERENCES_MAX * sizeof(struct ves_hash));
    if (!references.keys)
        return VES_NOMEM;
    for (const struct ves_reference *r = type->references;
         r->pointer && !status; r++)
        status = follow(&references, r, r->pointer, payload);
    *keys = references.keys;
    *count = references.count;
    return status;
}
