/* fold_tree.c -- building and merging JSON objects in an arena. */
#include "core/fold_tree.h"

#include "base/bytes.h"
#include "json/jcs.h"
#include "json/order.h"

/* An object under construction. */
struct builder {
    struct ves_json *object;
    struct ves_json *last;
};

static struct ves_json *new_node(struct ves_arena *arena,
                                 enum ves_json_type type)
{
    struct ves_json *node = ves_arena_alloc(arena, sizeof(*node));
    if (node)
        node->type = type;
    return node;
}

/* Appends a shallow copy of value under key; NULL when the arena is full. */
static struct ves_json *add(struct ves_arena *arena, struct builder *builder,
                            struct ves_bytes key, const struct ves_json *value)
{
    struct ves_json *copy = new_node(arena, value->type);
    if (!copy)
        return NULL;
    *copy = *value;
    copy->key = key;
    copy->next = NULL;
    if (builder->last)
        builder->last->next = copy;
    else
        builder->object->first = copy;
    builder->last = copy;
    builder->object->count++;
    return copy;
}

/* object with its members in canonical order: itself when they are. */
static const struct ves_json *sorted(struct ves_arena *arena,
                                     const struct ves_json *object)
{
    if (ves_json_is_ordered(object))
        return object;

    const struct ves_json **members;
    struct builder builder = {new_node(arena, VES_JSON_OBJECT), NULL};
    if (!builder.object || ves_json_order(arena, object, &members))
        return NULL;
    for (size_t i = 0; i < object->count; i++) {
        if (!add(arena, &builder, members[i]->key, members[i]))
            return NULL;
    }
    return builder.object;
}

/* ---- merging ------------------------------------------------------------ */

/* One object being merged; patches nest, so frames form a stack. */
struct frame {
    struct frame *up;
    const struct ves_json *base; /* rest of the members, sorted */
    const struct ves_json *overlay;
    struct builder builder;
};

static bool open_frame(struct ves_arena *arena, struct frame *frame,
                       const struct ves_json *base,
                       const struct ves_json *overlay)
{
    frame->base = NULL;
    if (base && base->type == VES_JSON_OBJECT) {
        base = sorted(arena, base);
        if (!base)
            return false;
        frame->base = base->first;
    }
    overlay = sorted(arena, overlay);
    if (!overlay)
        return false;
    frame->overlay = overlay->first;
    return true;
}

/* Starts merging overlay's object value into that of base (which may be
 * NULL). */
static bool descend(struct ves_arena *arena, struct frame **top,
                    const struct ves_json *base, const struct ves_json *overlay)
{
    const struct ves_json empty = {.type = VES_JSON_OBJECT};
    struct frame *frame = ves_arena_alloc(arena, sizeof(*frame));
    if (!frame || !open_frame(arena, frame, base, overlay))
        return false;
    frame->builder.object = add(arena, &(*top)->builder, overlay->key, &empty);
    frame->up = *top;
    *top = frame;
    return frame->builder.object;
}

/* Takes the member that both or only the overlay has. */
static bool take_overlay(struct ves_arena *arena, struct frame **top,
                         const struct ves_json *base,
                         const struct ves_json *overlay,
                         enum ves_tree_mode mode)
{
    if (mode == VES_TREE_PATCH && overlay->type == VES_JSON_NULL)
        return true;
    if (mode == VES_TREE_PATCH && overlay->type == VES_JSON_OBJECT)
        return descend(arena, top, base, overlay);
    if (mode == VES_TREE_FILL && base) {
        if (base->type == VES_JSON_OBJECT && overlay->type == VES_JSON_OBJECT)
            return descend(arena, top, base, overlay);
        overlay = base;
    }
    return add(arena, &(*top)->builder, overlay->key, overlay);
}

const struct ves_json *ves_tree_merge(struct ves_arena *arena,
                                      const struct ves_json *base,
                                      const struct ves_json *overlay,
                                      enum ves_tree_mode mode)
{
    struct frame root = {.builder = {new_node(arena, VES_JSON_OBJECT), NULL}};
    struct frame *top = &root;
    if (!root.builder.object || !open_frame(arena, &root, base, overlay))
        return NULL;

    while (top) {
        const struct ves_json *b = top->base;
        const struct ves_json *o = top->overlay;
        if (!b && !o) {
            top = top->up;
            continue;
        }
        int order = !b ? 1 : !o ? -1 : ves_jcs_compare_keys(b->key, o->key);
        if (order <= 0)
            top->base = b->next;
        if (order >= 0)
            top->overlay = o->next;
        bool ok = order < 0
                      ? add(arena, &top->builder, b->key, b) != NULL
                      : take_overlay(arena, &top, order ? NULL : b, o, mode);
        if (!ok)
            return NULL;
    }
    return root.builder.object;
}

const struct ves_json *ves_tree_without(struct ves_arena *arena,
                                        const struct ves_json *object,
                                        const char *name)
{
    struct builder builder = {new_node(arena, VES_JSON_OBJECT), NULL};
    if (!builder.object)
        return NULL;
    for (const struct ves_json *m = object->first; m; m = m->next) {
        if (!ves_bytes_is(m->key, name) && !add(arena, &builder, m->key, m))
            return NULL;
    }
    return builder.object;
}

/* ---- values ------------------------------------------------------------- */

const struct ves_json *ves_tree_single(struct ves_arena *arena,
                                       struct ves_bytes key,
                                       const struct ves_json *value)
{
    struct builder builder = {new_node(arena, VES_JSON_OBJECT), NULL};
    if (!builder.object || !add(arena, &builder, key, value))
        return NULL;
    return builder.object;
}

const struct ves_json *ves_tree_string(struct ves_arena *arena,
                                       struct ves_bytes text)
{
    struct ves_json *node = new_node(arena, VES_JSON_STRING);
    if (node)
        node->string = text;
    return node;
}

const struct ves_json *ves_tree_number(struct ves_arena *arena, double number)
{
    struct ves_json *node = new_node(arena, VES_JSON_NUMBER);
    if (node)
        node->number = number;
    return node;
}

const struct ves_json *ves_tree_null(struct ves_arena *arena)
{
    return new_node(arena, VES_JSON_NULL);
}
