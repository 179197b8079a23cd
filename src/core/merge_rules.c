/* merge_rules.c -- what one rule makes of two changes of one value. */
#include "core/merge_rules.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "core/fold_tree.h"
#include "core/quantity.h"
#include "core/scratch.h"
#include "json/jcs.h"
#include "json/number.h"
#include "json/order.h"

enum { TEXT_MAX = 4 * VES_PAYLOAD_MAX };

/* ---- building ------------------------------------------------------------ */

enum ves_status ves_merge_build(struct ves_merge_builder *builder,
                                struct ves_arena *arena,
                                enum ves_json_type type)
{
    struct ves_json *node = ves_arena_alloc(arena, sizeof(*node));

    *builder = (struct ves_merge_builder){arena, node, NULL};
    if (!node)
        return VES_NOMEM;
    node->type = type;
    return VES_OK;
}

enum ves_status ves_merge_add(struct ves_merge_builder *builder,
                              struct ves_bytes name,
                              const struct ves_json *value)
{
    struct ves_json *copy = ves_arena_alloc(builder->arena, sizeof(*copy));

    if (!copy)
        return VES_NOMEM;
    *copy = *value;
    copy->key = name;
    copy->next = NULL;
    if (builder->last)
        builder->last->next = copy;
    else
        builder->node->first = copy;
    builder->last = copy;
    builder->node->count++;
    return VES_OK;
}

static enum ves_status spell(struct ves_arena *arena,
                             const struct ves_json *node, struct ves_bytes *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, arena, 64, TEXT_MAX);
    enum ves_status status = ves_jcs_write(&scratch.buf, arena, node);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    *out = ves_buf_view(&scratch.buf);
    return status == VES_LIMIT ? VES_NOMEM : status;
}

static bool is_array_or_none(const struct ves_json *node)
{
    return !node || node->type == VES_JSON_ARRAY;
}

static bool are_arrays(struct ves_merge_sides sides)
{
    return is_array_or_none(sides.base) && sides.local &&
           is_array_or_none(sides.local) && sides.remote &&
           is_array_or_none(sides.remote);
}

/* ---- sums ---------------------------------------------------------------- */

/* As a number where that is exact and no side spelt it as text. */
static enum ves_status quantity_node(struct ves_arena *arena,
                                     struct ves_quantity quantity,
                                     struct ves_merge_sides sides,
                                     const struct ves_json **out)
{
    bool is_text = sides.local->type == VES_JSON_STRING ||
                   sides.remote->type == VES_JSON_STRING;
    char text[VES_QUANTITY_TEXT];
    struct ves_bytes copy;
    double number;
    size_t len = ves_quantity_format(quantity, text);

    if (!is_text && ves_quantity_fits_number(quantity) &&
        !ves_number_parse(ves_bytes(text, len), &number)) {
        *out = ves_tree_number(arena, number);
        return *out ? VES_OK : VES_NOMEM;
    }
    if (ves_arena_copy(arena, ves_bytes(text, len), &copy))
        return VES_NOMEM;
    *out = ves_tree_string(arena, copy);
    return *out ? VES_OK : VES_NOMEM;
}

/* Money: safe integers.  False: they are not, or leave the range. */
static bool add_minor(struct ves_merge_sides sides, double *out)
{
    int64_t base = 0, local, remote;

    if ((sides.base && !ves_minor_read(sides.base, &base)) ||
        !ves_minor_read(sides.local, &local) ||
        !ves_minor_read(sides.remote, &remote))
        return false;
    int64_t sum = local - base + remote; /* below 2^55 */
    *out = (double)sum;
    return sum >= -VES_SAFE_INTEGER_MAX && sum <= VES_SAFE_INTEGER_MAX;
}

enum ves_status ves_merge_sum(struct ves_arena *arena,
                              struct ves_merge_sides sides, bool *is_done,
                              const struct ves_json **out)
{
    struct ves_quantity base = {0}, local, remote, added, sum;
    double number;

    *is_done = true;
    if (add_minor(sides, &number)) {
        *out = ves_tree_number(arena, number);
        return *out ? VES_OK : VES_NOMEM;
    }
    *is_done = !(sides.base && ves_quantity_read(sides.base, &base)) &&
               !ves_quantity_read(sides.local, &local) &&
               !ves_quantity_read(sides.remote, &remote) &&
               ves_quantity_subtract(local, base, &added) &&
               ves_quantity_add(remote, added, &sum);
    return *is_done ? quantity_node(arena, sum, sides, out) : VES_OK;
}

/* ---- consents ------------------------------------------------------------ */

/* How much a consent permits: 0 nothing, 1 not yet, 2 what was asked; -1 when
 * the word is not known. */
static int permits(const struct ves_json *node)
{
    static const struct {
        const char *word;
        int rank;
    } words[] = {
        {"withdrawn", 0}, {"revoked", 0},   {"denied", 0},  {"declined", 0},
        {"opted_out", 0}, {"no", 0},        {"expired", 0}, {"pending", 1},
        {"unknown", 1},   {"not_asked", 1}, {"granted", 2}, {"given", 2},
        {"opted_in", 2},  {"yes", 2},
    };

    if (node && node->type == VES_JSON_OBJECT)
        node = ves_json_member(node, "state");
    if (!node || node->type == VES_JSON_NULL)
        return 1;
    if (node->type == VES_JSON_FALSE || node->type == VES_JSON_TRUE)
        return node->type == VES_JSON_TRUE ? 2 : 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (node->type == VES_JSON_STRING &&
            ves_bytes_is(node->string, words[i].word))
            return words[i].rank;
    }
    return -1;
}

enum ves_status ves_merge_consent(struct ves_arena *arena,
                                  struct ves_merge_sides sides, bool *is_done,
                                  const struct ves_json **out)
{
    int local = permits(sides.local);
    int remote = permits(sides.remote);
    struct ves_bytes a, b;

    *is_done = local >= 0 && remote >= 0;
    if (!*is_done)
        return VES_OK;
    *out = local < remote ? sides.local : sides.remote;
    if (local != remote)
        return VES_OK;
    /* One side took the entry away: what says something stands. */
    if (!sides.local || !sides.remote) {
        *out = sides.local ? sides.local : sides.remote;
        return VES_OK;
    }
    enum ves_status status = spell(arena, sides.local, &a);
    if (!status)
        status = spell(arena, sides.remote, &b);
    if (!status && ves_bytes_compare(a, b) < 0)
        *out = sides.local;
    return status;
}

/* ---- maps ---------------------------------------------------------------- */

/* The name an item has in a map; false when it has none. */
static enum ves_status name_item(struct ves_arena *arena, const char *key,
                                 const struct ves_json *item,
                                 struct ves_bytes *out, bool *has_name)
{
    const struct ves_json *id = key ? ves_json_member(item, key) : NULL;
    char text[VES_NUMBER_TEXT];

    *has_name = true;
    if (!key)
        return spell(arena, item, out);
    if (id && id->type == VES_JSON_STRING) {
        *out = id->string;
        return VES_OK;
    }
    if (id && id->type == VES_JSON_NUMBER) {
        size_t len = ves_number_format(id->number, text);
        return ves_arena_copy(arena, ves_bytes(text, len), out);
    }
    *has_name = false;
    return VES_OK;
}

/* array as an object by the items' names, with a way to find them fast;
 * *is_done false when an item has no name, or two have the same. */
static enum ves_status map_of(struct ves_arena *arena, const char *key,
                              const struct ves_json *array, bool may_repeat,
                              bool *is_done, const struct ves_json **out)
{
    struct ves_merge_builder builder;
    const struct ves_json **order;

    enum ves_status status = ves_merge_build(&builder, arena, VES_JSON_OBJECT);
    *out = builder.node;
    *is_done = true;
    for (const struct ves_json *i = array ? array->first : NULL; i && !status;
         i = i->next) {
        struct ves_bytes name;
        status = name_item(arena, key, i, &name, is_done);
        if (status || !*is_done)
            return status;
        status = ves_merge_add(&builder, name, i);
    }
    if (!status)
        status = ves_json_order(arena, builder.node, &order);
    if (status)
        return status;
    size_t count = 0;
    for (size_t i = 0; i < builder.node->count; i++) {
        if (count == 0 ||
            !ves_bytes_equal(order[i]->key, order[count - 1]->key))
            order[count++] = order[i];
        else if (!may_repeat)
            *is_done = false;
    }
    /* In canonical order and each once from here on. */
    struct ves_merge_builder again;
    status = ves_merge_build(&again, arena, VES_JSON_OBJECT);
    for (size_t i = 0; i < count && !status; i++)
        status = ves_merge_add(&again, order[i]->key, order[i]);
    if (status)
        return status;
    *out = again.node;
    if (count <= VES_JSON_SMALL)
        return VES_OK;
    status = ves_json_order(arena, again.node, &order);
    again.node->sorted = order;
    return status;
}

enum ves_status ves_merge_maps(struct ves_arena *arena, const char *const *keys,
                               struct ves_merge_sides sides,
                               struct ves_merge_sides *maps, const char **key)
{
    const struct ves_json *arrays[3] = {sides.base, sides.local, sides.remote};
    const struct ves_json *found[3] = {NULL, NULL, NULL};
    bool is_done = false;

    *key = NULL;
    for (; are_arrays(sides) && *keys && !is_done; keys++) {
        is_done = true;
        *key = *keys;
        for (size_t i = 0; i < 3 && is_done; i++) {
            enum ves_status status =
                map_of(arena, *keys, arrays[i], false, &is_done, &found[i]);
            if (status)
                return status;
        }
    }
    if (!is_done)
        *key = NULL;
    *maps = (struct ves_merge_sides){found[0], found[1], found[2]};
    return VES_OK;
}

/* object itself, or with a way to find members fast. */
static enum ves_status findable(struct ves_arena *arena,
                                const struct ves_json *object,
                                const struct ves_json **out)
{
    const struct ves_json **order;

    *out = object;
    if (object->count <= VES_JSON_SMALL || object->sorted)
        return VES_OK;
    struct ves_json *copy = ves_arena_alloc(arena, sizeof(*copy));
    if (!copy || ves_json_order(arena, object, &order))
        return VES_NOMEM;
    *copy = *object;
    copy->sorted = order;
    *out = copy;
    return VES_OK;
}

enum ves_status ves_merge_array(struct ves_arena *arena, const char *key,
                                struct ves_merge_sides sides,
                                const struct ves_json *base,
                                const struct ves_json *merged,
                                const struct ves_json **out)
{
    struct ves_merge_builder array;
    const struct ves_json *known;

    enum ves_status status = ves_merge_build(&array, arena, VES_JSON_ARRAY);
    if (!status)
        status = findable(arena, merged, &known);
    for (const struct ves_json *i = sides.base ? sides.base->first : NULL;
         i && !status; i = i->next) {
        const struct ves_json *item = NULL;
        struct ves_bytes name;
        bool has_name;
        status = name_item(arena, key, i, &name, &has_name);
        if (!status)
            item = ves_json_member_bytes(known, name);
        if (item)
            status = ves_merge_add(&array, ves_bytes(NULL, 0), item);
    }
    for (const struct ves_json *m = merged->first; m && !status; m = m->next) {
        if (!ves_json_member_bytes(base, m->key))
            status = ves_merge_add(&array, ves_bytes(NULL, 0), m);
    }
    *out = array.node;
    return status;
}

/* ---- sets and lists ------------------------------------------------------ */

enum ves_status ves_merge_set(struct ves_arena *arena,
                              struct ves_merge_sides sides, bool *is_done,
                              const struct ves_json **out)
{
    const struct ves_json *arrays[3] = {sides.base, sides.local, sides.remote};
    const struct ves_json *sets[3] = {NULL, NULL, NULL};
    struct ves_merge_builder kept;
    enum ves_status status = VES_OK;

    *is_done = are_arrays(sides);
    if (!*is_done)
        return VES_OK;
    for (size_t i = 0; i < 3 && !status; i++) {
        bool has_names;
        status = map_of(arena, NULL, arrays[i], true, &has_names, &sets[i]);
    }
    if (!status)
        status = ves_merge_build(&kept, arena, VES_JSON_OBJECT);
    /* In one order whoever asks: by canonical text. */
    const struct ves_json *a = sets[1] ? sets[1]->first : NULL;
    const struct ves_json *b = sets[2] ? sets[2]->first : NULL;
    while (!status && (a || b)) {
        int order = !a ? 1 : !b ? -1 : ves_jcs_compare_keys(a->key, b->key);
        const struct ves_json *item = order <= 0 ? a : b;
        bool was_there = ves_json_member_bytes(sets[0], item->key) != NULL;
        if (order == 0 || !was_there)
            status = ves_merge_add(&kept, item->key, item);
        if (order <= 0)
            a = a->next;
        if (order >= 0)
            b = b->next;
    }
    return status
               ? status
               : ves_merge_array(arena, NULL, sides, sets[0], kept.node, out);
}

/* Items after those of base; NULL and false when base is no beginning. */
static bool tail_of(const struct ves_json *array, const struct ves_json *base,
                    const struct ves_json **out)
{
    const struct ves_json *i = array->first;

    for (const struct ves_json *b = base ? base->first : NULL; b; b = b->next) {
        if (!i || !ves_json_equal(i, b))
            return false;
        i = i->next;
    }
    *out = i;
    return true;
}

static enum ves_status put_items(struct ves_merge_builder *builder,
                                 const struct ves_json *first)
{
    enum ves_status status = VES_OK;

    for (const struct ves_json *i = first; i && !status; i = i->next)
        status = ves_merge_add(builder, ves_bytes(NULL, 0), i);
    return status;
}

enum ves_status ves_merge_list(struct ves_arena *arena,
                               struct ves_merge_sides sides, bool *is_done,
                               const struct ves_json **out)
{
    const struct ves_json *local, *remote;
    struct ves_merge_builder builder;
    struct ves_bytes a, b;

    *is_done = are_arrays(sides) && tail_of(sides.local, sides.base, &local) &&
               tail_of(sides.remote, sides.base, &remote);
    if (!*is_done)
        return VES_OK;
    enum ves_status status = spell(arena, sides.local, &a);
    if (!status)
        status = spell(arena, sides.remote, &b);
    if (!status)
        status = ves_merge_build(&builder, arena, VES_JSON_ARRAY);
    if (status)
        return status;
    bool is_local_first = ves_bytes_compare(a, b) <= 0;
    status = put_items(&builder, sides.base ? sides.base->first : NULL);
    if (!status)
        status = put_items(&builder, is_local_first ? local : remote);
    if (!status)
        status = put_items(&builder, is_local_first ? remote : local);
    *out = builder.node;
    return status;
}

/* ---- totals -------------------------------------------------------------- */

/* What total says beyond the sum of the lines; false when that cannot be
 * told. */
static bool beyond_lines(const struct ves_json *lines,
                         const struct ves_json *total, int64_t *out)
{
    int64_t sum = 0, value;

    if (!lines ||
        (lines->type != VES_JSON_ARRAY && lines->type != VES_JSON_OBJECT))
        return false;
    for (const struct ves_json *line = lines->first; line; line = line->next) {
        if (!ves_minor_read(ves_json_member(line, "total_minor"), &value) ||
            __builtin_add_overflow(sum, value, &sum))
            return false;
    }
    if (!total)
        value = 0;
    else if (!ves_minor_read(total, &value))
        return false;
    return !__builtin_sub_overflow(value, sum, out);
}

enum ves_status ves_merge_total(struct ves_arena *arena,
                                const struct ves_merge_lines *lines,
                                struct ves_merge_sides sides, bool *is_done,
                                const struct ves_json **out)
{
    int64_t base, local, remote, merged;

    *is_done = sides.base && sides.local && sides.remote &&
               beyond_lines(lines->sides.base, sides.base, &base) &&
               beyond_lines(lines->sides.local, sides.local, &local) &&
               beyond_lines(lines->sides.remote, sides.remote, &remote) &&
               base == local && base == remote &&
               beyond_lines(lines->merged, NULL, &merged);
    if (!*is_done)
        return VES_OK;
    /* merged is minus the sum of the lines. */
    int64_t total = base - merged;
    *is_done = total >= -VES_SAFE_INTEGER_MAX && total <= VES_SAFE_INTEGER_MAX;
    if (!*is_done)
        return VES_OK;
    *out = ves_tree_number(arena, (double)total);
    return *out ? VES_OK : VES_NOMEM;
}
