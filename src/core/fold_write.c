/* fold_write.c -- writing one value into a state. */
#include "core/fold_write.h"

#include <stdarg.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/fold_tree.h"
#include "core/operation.h"
#include "core/quantity.h"
#include "json/jcs.h"
#include "json/number.h"
#include "json/order.h"

enum ves_status ves_write_fail(struct ves_write *write, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)ves_vfail(&write->error, VES_INVALID, format, args);
    va_end(args);
    return VES_INVALID;
}

/* A path as messages name it: names are the author's, long ones stay out. */
static const char *spell(struct ves_bytes path, char out[64])
{
    bool is_plain = path.len > 1 && path.len < 64;

    for (size_t i = 0; i < path.len && is_plain; i++)
        is_plain = path.ptr[i] >= 0x20 && path.ptr[i] < 0x7F;
    if (!is_plain)
        return "a member";
    memcpy(out, path.ptr + 1, path.len - 1);
    out[path.len - 1] = '\0';
    return out;
}

/* ---- pointers -------------------------------------------------------------
 */

/* The token that path (after its slash) begins with, unescaped and with a NUL
 * behind; path moves to what follows, its slash included. */
static enum ves_status take_token(struct ves_write *write,
                                  struct ves_bytes *path,
                                  struct ves_bytes *token)
{
    size_t len = 0;
    uint8_t *text;

    while (len < path->len && path->ptr[len] != '/')
        len++;
    text = ves_arena_bytes(write->arena, len + 1);
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
            return ves_write_fail(write, "a path holds a NUL character");
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
static enum ves_status put(struct ves_write *write,
                           const struct ves_json *object, struct ves_bytes path,
                           const struct ves_json *value,
                           const struct ves_json **out)
{
    static const struct ves_json empty = {.type = VES_JSON_OBJECT};
    struct ves_bytes token;

    path = ves_bytes(path.ptr + 1, path.len - 1);
    enum ves_status status = take_token(write, &path, &token);
    if (status)
        return status;
    const struct ves_json *child = ves_json_member_bytes(object, token);
    if (path.len > 0) {
        if (child && child->type != VES_JSON_OBJECT) {
            if (!write->gives_way)
                return ves_write_fail(write, "a path leads through a value "
                                             "that is no object");
            child = value ? &empty : NULL;
        }
        if (!child && !value) {
            *out = object;
            return VES_OK;
        }
        status = put(write, child ? child : &empty, path, value, &value);
        if (status)
            return status;
    } else if (!value) {
        *out = ves_tree_without(write->arena, object, (const char *)token.ptr);
        return *out ? VES_OK : VES_NOMEM;
    }
    const struct ves_json *single = ves_tree_single(write->arena, token, value);
    if (!single)
        return VES_NOMEM;
    *out = ves_tree_merge(write->arena, object, single, VES_TREE_REPLACE);
    return *out ? VES_OK : VES_NOMEM;
}

/* ---- lists ----------------------------------------------------------------
 */

/* The items of an array by their own ids; *out is NULL when they have none, or
 * two have the same. */
static enum ves_status by_key(struct ves_write *write, const char *key,
                              const struct ves_json *array,
                              const struct ves_json **out)
{
    size_t count = array->count;
    struct ves_json *nodes =
        ves_arena_alloc(write->arena, (count + 1) * sizeof(*nodes));
    const struct ves_json **members;
    size_t n = 1;

    *out = NULL;
    if (!nodes)
        return VES_NOMEM;
    nodes[0] = (struct ves_json){.type = VES_JSON_OBJECT,
                                 .count = count,
                                 .first = count > 0 ? &nodes[1] : NULL};
    for (const struct ves_json *i = array->first; i; i = i->next, n++) {
        const struct ves_json *id = ves_json_member(i, key);
        nodes[n] = *i;
        nodes[n].next = n < count ? &nodes[n + 1] : NULL;
        if (!ves_id_is(id))
            return VES_OK;
        if (ves_id_text(write->arena, id, &nodes[n].key))
            return VES_NOMEM;
    }
    enum ves_status status = ves_json_order(write->arena, nodes, &members);
    if (status)
        return status;
    for (size_t i = 1; i < count; i++) {
        if (ves_bytes_equal(members[i - 1]->key, members[i]->key))
            return VES_OK;
    }
    *out = nodes;
    return VES_OK;
}

static enum ves_status open_list(struct ves_write *write,
                                 const struct ves_list *list)
{
    const struct ves_json *array = ves_json_member(write->state, list->name);
    const struct ves_json *map;

    if (!array || array->type != VES_JSON_ARRAY)
        return VES_OK;
    enum ves_status status = by_key(write, list->key, array, &map);
    if (status)
        return status;
    if (!map)
        return ves_write_fail(write,
                              "an item of /%s cannot be addressed: not each "
                              "has a %s of its own",
                              list->name, list->key);
    const struct ves_json *single =
        ves_tree_single(write->arena, ves_bytes_str(list->name), map);
    if (!single)
        return VES_NOMEM;
    const struct ves_json *state =
        ves_tree_merge(write->arena, write->state, single, VES_TREE_REPLACE);
    if (!state)
        return VES_NOMEM;
    write->state = state;
    return VES_OK;
}

/* Opens the list that path leads into, if it is one. */
static enum ves_status open_path(struct ves_write *write, struct ves_bytes path)
{
    for (const struct ves_list *l = write->entity->lists; l->name; l++) {
        size_t len = strlen(l->name);
        if (path.len > len + 1 && memcmp(path.ptr + 1, l->name, len) == 0 &&
            path.ptr[len + 1] == '/')
            return open_list(write, l);
    }
    return VES_OK;
}

/* ---- values ---------------------------------------------------------------
 */

enum ves_status ves_write_image(struct ves_write *write, struct ves_bytes path,
                                struct ves_bytes *place,
                                const struct ves_json **out)
{
    struct ves_bytes rest = path, token;

    enum ves_status status = open_path(write, path);
    if (status)
        return status;
    const struct ves_json *node = write->state;
    while (rest.len > 0 && node && node->type == VES_JSON_OBJECT) {
        rest = ves_bytes(rest.ptr + 1, rest.len - 1);
        status = take_token(write, &rest, &token);
        if (status)
            return status;
        node = ves_json_member_bytes(node, token);
    }
    *place = ves_bytes(path.ptr, path.len - rest.len);
    *out = node;
    return VES_OK;
}

enum ves_status ves_write_get(struct ves_write *write, struct ves_bytes path,
                              const struct ves_json **out)
{
    struct ves_bytes place;

    enum ves_status status = ves_write_image(write, path, &place, out);
    if (!status && place.len < path.len)
        *out = NULL;
    return status;
}

enum ves_status ves_write_put(struct ves_write *write, struct ves_bytes path,
                              const struct ves_json *value)
{
    enum ves_status status = open_path(write, path);
    return status ? status
                  : put(write, write->state, path, value, &write->state);
}

/* Does merging object at path write into that list? */
static bool enters_list(const struct ves_list *list, struct ves_bytes path,
                        const struct ves_json *object)
{
    const struct ves_json *inner;

    if (path.len > 0)
        return path.ptr[0] == '/' &&
               ves_bytes_is(ves_bytes(path.ptr + 1, path.len - 1), list->name);
    inner = ves_json_member(object, list->name);
    return inner && inner->type == VES_JSON_OBJECT;
}

enum ves_status ves_write_merge(struct ves_write *write, struct ves_bytes path,
                                const struct ves_json *object, bool is_patch)
{
    const struct ves_json *old;
    enum ves_status status = VES_OK;

    for (const struct ves_list *l = write->entity->lists;
         is_patch && l->name && !status; l++) {
        if (enters_list(l, path, object))
            status = open_list(write, l);
    }
    if (!status)
        status = ves_write_get(write, path, &old);
    if (status)
        return status;
    const struct ves_json *value = ves_tree_merge(
        write->arena, old, object, is_patch ? VES_TREE_PATCH : VES_TREE_FILL);
    if (!value)
        return VES_NOMEM;
    if (path.len > 0)
        return put(write, write->state, path, value, &write->state);
    write->state = value;
    return VES_OK;
}

/* ---- sums -----------------------------------------------------------------
 */

static bool is_money(struct ves_bytes path)
{
    static const char suffix[] = "_minor";
    const size_t len = sizeof(suffix) - 1;
    return path.len > len &&
           memcmp(path.ptr + path.len - len, suffix, len) == 0;
}

const struct ves_json *ves_quantity_node(struct ves_arena *arena,
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

const struct ves_json *ves_delta_opposite(struct ves_arena *arena,
                                          struct ves_bytes path,
                                          const struct ves_json *delta)
{
    const struct ves_quantity zero = {0};
    struct ves_quantity quantity;
    int64_t amount;

    if (is_money(path))
        return ves_minor_read(delta, &amount)
                   ? ves_tree_number(arena, (double)-amount)
                   : delta;
    if (ves_quantity_read(delta, &quantity) ||
        !ves_quantity_subtract(zero, quantity, &quantity))
        return delta;
    return ves_quantity_node(arena, quantity);
}

static enum ves_status sum_money(struct ves_write *write, struct ves_bytes path,
                                 const struct ves_json *old,
                                 const struct ves_json *delta,
                                 const struct ves_json **out)
{
    char name[64];
    int64_t amount, sum = 0;

    if (!ves_minor_read(delta, &amount))
        return ves_write_fail(write, "a delta is no integer of minor units");
    if (!ves_json_is_absent(old) && !ves_minor_read(old, &sum))
        return ves_write_fail(write,
                              "the state's %s is no integer of minor units",
                              spell(path, name));
    sum += amount;
    if (sum > VES_SAFE_INTEGER_MAX || sum < -VES_SAFE_INTEGER_MAX)
        return ves_write_fail(write, "%s would leave the range of amounts",
                              spell(path, name));
    *out = ves_tree_number(write->arena, (double)sum);
    return *out ? VES_OK : VES_NOMEM;
}

static enum ves_status sum_quantity(struct ves_write *write,
                                    struct ves_bytes path,
                                    const struct ves_json *old,
                                    const struct ves_json *delta,
                                    const struct ves_json **out)
{
    struct ves_quantity amount, sum = {0};
    char name[64];

    if (ves_quantity_read(delta, &amount))
        return ves_write_fail(write, "a delta is no quantity");
    if (!ves_json_is_absent(old) && ves_quantity_read(old, &sum))
        return ves_write_fail(write, "the state's %s is no quantity",
                              spell(path, name));
    if (!ves_quantity_add(sum, amount, &sum))
        return ves_write_fail(write, "%s would leave the range of quantities",
                              spell(path, name));
    *out = ves_quantity_node(write->arena, sum);
    return *out ? VES_OK : VES_NOMEM;
}

enum ves_status ves_write_sum(struct ves_write *write, struct ves_bytes path,
                              const struct ves_json *delta)
{
    const struct ves_json *old, *sum = NULL;

    enum ves_status status = ves_write_get(write, path, &old);
    if (!status)
        status = is_money(path) ? sum_money(write, path, old, delta, &sum)
                                : sum_quantity(write, path, old, delta, &sum);
    return status ? status : ves_write_put(write, path, sum);
}

/* value NULL: there is no such member. */
static bool put_member(struct ves_write *write, const char *name,
                       const struct ves_json *value)
{
    if (!value) {
        if (ves_json_member(write->state, name))
            write->state = ves_tree_without(write->arena, write->state, name);
        return write->state != NULL;
    }
    const struct ves_json *single =
        ves_tree_single(write->arena, ves_bytes_str(name), value);
    if (!single)
        return false;
    write->state =
        ves_tree_merge(write->arena, write->state, single, VES_TREE_REPLACE);
    return write->state != NULL;
}

/* A balance that outlived its parts would be that of the last order they were
 * taken away in: without both parts there is none. */
enum ves_status ves_write_balances(struct ves_write *write)
{
    for (const struct ves_balance *d = write->entity->balances; d->name; d++) {
        const char *const names[] = {d->minuend, d->subtrahend};
        struct ves_quantity part[2] = {{0}, {0}}, result;
        bool is_there = false;
        for (size_t i = 0; i < 2; i++) {
            const struct ves_json *node =
                ves_json_member(write->state, names[i]);
            is_there |= !ves_json_is_absent(node);
            if (!ves_json_is_absent(node) && ves_quantity_read(node, &part[i]))
                return ves_write_fail(write, "the state's %s is no quantity",
                                      names[i]);
        }
        const struct ves_json *node = NULL;
        if (is_there) {
            if (!ves_quantity_subtract(part[0], part[1], &result))
                return ves_write_fail(
                    write, "%s would leave the range of quantities", d->name);
            node = ves_quantity_node(write->arena, result);
            if (!node)
                return VES_NOMEM;
        }
        if (!put_member(write, d->name, node))
            return VES_NOMEM;
    }
    return VES_OK;
}

/* ---- arrays and words -----------------------------------------------------
 */

static bool holds(const struct ves_json *array, const struct ves_json *value)
{
    for (const struct ves_json *i = array->first; i; i = i->next) {
        if (ves_json_equal(i, value))
            return true;
    }
    return false;
}

/* An item as one of an array that is being made. */
static void put_item(struct ves_json *nodes, const struct ves_json *item)
{
    size_t n = nodes[0].count++;

    nodes[n + 1] = *item;
    nodes[n + 1].key = ves_bytes(NULL, 0);
    nodes[n + 1].next = NULL;
    if (n > 0)
        nodes[n].next = &nodes[n + 1];
    else
        nodes[0].first = &nodes[1];
}

enum ves_status ves_write_join(struct ves_write *write, struct ves_bytes path,
                               const struct ves_json *value, bool is_set)
{
    static const struct ves_json empty = {.type = VES_JSON_ARRAY};
    bool is_many = is_set && value->type == VES_JSON_ARRAY;
    const struct ves_json *array;

    enum ves_status status = ves_write_get(write, path, &array);
    if (status)
        return status;
    if (array && array->type != VES_JSON_ARRAY)
        return ves_write_fail(write, "what is appended to is no array");
    if (!array)
        array = &empty;
    size_t more = is_many ? value->count : 1;
    if (more > VES_JOIN_MAX)
        return ves_write_fail(write, "more than %d items join a set at once",
                              (int)VES_JOIN_MAX);
    struct ves_json *nodes = ves_arena_alloc(
        write->arena, (array->count + more + 1) * sizeof(*nodes));
    if (!nodes)
        return VES_NOMEM;
    nodes[0].type = VES_JSON_ARRAY;
    for (const struct ves_json *i = array->first; i; i = i->next)
        put_item(nodes, i);
    for (const struct ves_json *i = is_many ? value->first : value; i;
         i = is_many ? i->next : NULL) {
        if (!is_set || !holds(nodes, i))
            put_item(nodes, i);
    }
    return ves_write_put(write, path, nodes);
}

/* Its place on the ladder, -1 when it has none. */
static int rank(const struct ves_ladder *ladder, const struct ves_json *word)
{
    if (!word || word->type != VES_JSON_STRING)
        return -1;
    for (int i = 0; ladder->words[i]; i++) {
        if (ves_bytes_is(word->string, ladder->words[i]))
            return i;
    }
    return -1;
}

enum ves_status ves_write_advance(struct ves_write *write,
                                  struct ves_bytes path,
                                  const struct ves_json *word)
{
    const struct ves_json *old;

    enum ves_status status = ves_write_get(write, path, &old);
    if (status)
        return status;
    for (const struct ves_ladder *l = write->entity->ladders; l->path; l++) {
        if (ves_bytes_is(path, l->path) && rank(l, old) >= 0 &&
            rank(l, old) >= rank(l, word))
            return VES_OK;
    }
    return ves_write_put(write, path, word);
}
