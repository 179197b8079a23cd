/* merge.c -- three-way merges of states, by named and versioned functions. */
#include "core/merge.h"

#include "base/bytes.h"
#include "core/fold_tree.h"
#include "core/merge_rules.h"
#include "core/scratch.h"
#include "core/types.h"
#include "json/jcs.h"
#include "json/order.h"

enum { PATH_MAX = 4096 };

/* ---- the functions ------------------------------------------------------- */

static const char *const line_keys[] = {"line_uid", "line_id", "uid", "id",
                                        NULL};
static const char *const address_keys[] = {"address_id", "id", "uid", NULL};
static const char *const phone_keys[] = {"phone_id", "id", "uid", NULL};
static const char *const email_keys[] = {"email_id", "id", "uid", NULL};
static const char *const purpose_keys[] = {"purpose", NULL};

static const struct ves_merge_member order_members[] = {
    {"lines", VES_MERGE_KEYED, VES_MERGE_PLAIN, line_keys},
    {"subtotal_minor", VES_MERGE_TOTAL, VES_MERGE_PLAIN, NULL},
    {"tags", VES_MERGE_SET, VES_MERGE_PLAIN, NULL},
    {"total_minor", VES_MERGE_TOTAL, VES_MERGE_PLAIN, NULL},
    {"totals", VES_MERGE_PLAIN, VES_MERGE_TOTAL, NULL},
    {NULL, VES_MERGE_PLAIN, VES_MERGE_PLAIN, NULL}};

static const struct ves_merge_member customer_members[] = {
    {"addresses", VES_MERGE_KEYED, VES_MERGE_PLAIN, address_keys},
    {"balance_minor", VES_MERGE_SUM, VES_MERGE_PLAIN, NULL},
    {"consents", VES_MERGE_KEYED, VES_MERGE_CONSENT, purpose_keys},
    {"emails", VES_MERGE_KEYED, VES_MERGE_PLAIN, email_keys},
    {"loyalty_points", VES_MERGE_SUM, VES_MERGE_PLAIN, NULL},
    {"notes", VES_MERGE_LIST, VES_MERGE_PLAIN, NULL},
    {"phones", VES_MERGE_KEYED, VES_MERGE_PLAIN, phone_keys},
    {"points", VES_MERGE_SUM, VES_MERGE_PLAIN, NULL},
    {"store_credit_minor", VES_MERGE_SUM, VES_MERGE_PLAIN, NULL},
    {"tags", VES_MERGE_SET, VES_MERGE_PLAIN, NULL},
    {NULL, VES_MERGE_PLAIN, VES_MERGE_PLAIN, NULL}};

static const struct ves_merge_member no_members[] = {
    {NULL, VES_MERGE_PLAIN, VES_MERGE_PLAIN, NULL}};

static const struct function {
    const char *name;
    const struct ves_merge_member *members; /* of the top object */
    enum ves_merge_kind inner;              /* of every other value */
} functions[] = {
    {VES_MERGE_FIELDS, no_members, VES_MERGE_PLAIN},
    {VES_MERGE_ORDER, order_members, VES_MERGE_PLAIN},
    {VES_MERGE_CUSTOMER, customer_members, VES_MERGE_PLAIN},
    {VES_MERGE_DELTAS, no_members, VES_MERGE_SUM},
};

static const struct function *find(const char *name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    }
    return NULL;
}

bool ves_merge_is_known(const char *function)
{
    return strcmp(function, VES_MERGE_NEVER) == 0 || find(function);
}

/* ---- one merge ----------------------------------------------------------- */

struct merge {
    struct ves_arena *arena;
    const struct function *function;
    struct ves_merge_result *out;
    struct ves_merge_lines lines; /* what totals are derived from */
};

/* Where in the state; spelt only when somebody asks. */
struct place {
    const struct place *up; /* NULL at the top */
    struct ves_bytes name;
};

static enum ves_status merge_value(struct merge *merge,
                                   const struct place *place,
                                   const struct ves_merge_member *rule,
                                   struct ves_merge_sides sides,
                                   const struct ves_json **out);

static void put_place(struct ves_buf *buf, const struct place *place,
                      uint32_t depth)
{
    /* As deep as a state nests. */
    if (!place->up || depth > VES_JSON_DEPTH_LIMIT)
        return;
    put_place(buf, place->up, depth + 1);
    ves_buf_put_u8(buf, '/');
    for (size_t i = 0; i < place->name.len; i++) {
        uint8_t c = place->name.ptr[i];
        if (c == '~' || c == '/') {
            ves_buf_put_u8(buf, '~');
            c = c == '~' ? '0' : '1';
        }
        ves_buf_put_u8(buf, c);
    }
}

static enum ves_status overlap(struct merge *merge, const struct place *place,
                               struct ves_merge_sides sides,
                               const struct ves_json **out)
{
    struct ves_merge_result *result = merge->out;
    struct ves_scratch scratch;

    *out = sides.remote;
    result->is_clean = false;
    if (result->overlap_count == VES_MERGE_OVERLAPS_MAX) {
        result->has_more = true;
        return VES_OK;
    }
    if (!result->overlaps)
        result->overlaps = ves_arena_alloc(
            merge->arena, VES_MERGE_OVERLAPS_MAX * sizeof(*result->overlaps));
    if (!result->overlaps)
        return VES_NOMEM;
    ves_scratch_init(&scratch, merge->arena, 64, PATH_MAX);
    put_place(&scratch.buf, place, 0);
    enum ves_status status = ves_buf_status(&scratch.buf);
    if (status == VES_NOMEM)
        return status;
    /* A longer one is cut, and still begins where the overlap is. */
    result->overlaps[result->overlap_count++] = (struct ves_merge_overlap){
        ves_buf_view(&scratch.buf), sides.base, sides.local, sides.remote};
    return VES_OK;
}

/* ---- objects ------------------------------------------------------------- */

/* The next member of each side, in canonical order. */
struct walk {
    const struct ves_json **members[3];
    size_t count[3], at[3];
};

static enum ves_status
open_walk(struct merge *merge, struct ves_merge_sides sides, struct walk *walk)
{
    const struct ves_json *objects[3] = {sides.base, sides.local, sides.remote};

    for (size_t i = 0; i < 3; i++) {
        walk->at[i] = walk->count[i] = 0;
        if (!objects[i] || objects[i]->type != VES_JSON_OBJECT)
            continue;
        if (ves_json_order(merge->arena, objects[i], &walk->members[i]))
            return VES_NOMEM;
        walk->count[i] = objects[i]->count;
    }
    return VES_OK;
}

/* The member with the smallest name left on any side; false at the end. */
static bool step_walk(struct walk *walk, struct ves_merge_sides *sides,
                      struct ves_bytes *name)
{
    const struct ves_json *found[3] = {NULL, NULL, NULL};
    bool is_any = false;

    for (size_t i = 0; i < 3; i++) {
        if (walk->at[i] == walk->count[i])
            continue;
        struct ves_bytes key = walk->members[i][walk->at[i]]->key;
        if (!is_any || ves_jcs_compare_keys(key, *name) < 0)
            *name = key;
        is_any = true;
    }
    for (size_t i = 0; i < 3 && is_any; i++) {
        if (walk->at[i] < walk->count[i] &&
            ves_bytes_equal(walk->members[i][walk->at[i]]->key, *name))
            found[i] = walk->members[i][walk->at[i]++];
    }
    *sides = (struct ves_merge_sides){found[0], found[1], found[2]};
    return is_any;
}

static const struct ves_merge_member *
rule_of(const struct merge *merge, const struct place *place,
        const struct ves_merge_member *outer, struct ves_bytes name)
{
    static const struct ves_merge_member plain = {NULL, VES_MERGE_PLAIN,
                                                  VES_MERGE_PLAIN, NULL};
    static const struct ves_merge_member inner[] = {
        [VES_MERGE_PLAIN] = {NULL, VES_MERGE_PLAIN, VES_MERGE_PLAIN, NULL},
        [VES_MERGE_SUM] = {NULL, VES_MERGE_SUM, VES_MERGE_SUM, NULL},
        [VES_MERGE_TOTAL] = {NULL, VES_MERGE_TOTAL, VES_MERGE_PLAIN, NULL},
        [VES_MERGE_CONSENT] = {NULL, VES_MERGE_CONSENT, VES_MERGE_PLAIN, NULL},
    };

    if (!place->up) {
        const struct ves_merge_member *m = merge->function->members;
        for (; m->name; m++) {
            if (ves_bytes_is(name, m->name))
                return m;
        }
        return &inner[merge->function->inner];
    }
    if (outer->inner == VES_MERGE_PLAIN)
        return &plain;
    return &inner[outer->inner];
}

static enum ves_status merge_object(struct merge *merge,
                                    const struct place *place,
                                    const struct ves_merge_member *rule,
                                    struct ves_merge_sides sides,
                                    const struct ves_json **out)
{
    struct ves_merge_builder builder;
    struct ves_merge_sides inner;
    struct walk walk;
    struct place below = {.up = place};

    enum ves_status status = open_walk(merge, sides, &walk);
    if (!status)
        status = ves_merge_build(&builder, merge->arena, VES_JSON_OBJECT);
    while (!status && step_walk(&walk, &inner, &below.name)) {
        const struct ves_json *value;
        status =
            merge_value(merge, &below, rule_of(merge, place, rule, below.name),
                        inner, &value);
        if (!status && value)
            status = ves_merge_add(&builder, below.name, value);
        if (!status && !place->up && ves_bytes_is(below.name, "lines")) {
            merge->lines.sides = inner;
            merge->lines.merged = value;
        }
    }
    *out = builder.node;
    return status;
}

/* Arrays whose items have a key are merged as the maps they stand for. */
static enum ves_status merge_keyed(struct merge *merge,
                                   const struct place *place,
                                   const struct ves_merge_member *rule,
                                   struct ves_merge_sides sides, bool *is_done,
                                   const struct ves_json **out)
{
    struct ves_merge_sides maps;
    const struct ves_json *merged;
    const char *key;

    enum ves_status status =
        ves_merge_maps(merge->arena, rule->keys, sides, &maps, &key);
    *is_done = key != NULL;
    if (status || !*is_done)
        return status;
    status = merge_object(merge, place, rule, maps, &merged);
    return status ? status
                  : ves_merge_array(merge->arena, key, sides, maps.base, merged,
                                    out);
}

/* ---- one value ----------------------------------------------------------- */

static bool equal(const struct ves_json *a, const struct ves_json *b)
{
    return a && b ? ves_json_equal(a, b) : a == b;
}

static bool is_object(const struct ves_json *node)
{
    return node && node->type == VES_JSON_OBJECT;
}

/* What the function's rule for that place makes of two changes; *is_done
 * false: nothing. */
static enum ves_status apply_rule(struct merge *merge,
                                  const struct place *place,
                                  const struct ves_merge_member *rule,
                                  struct ves_merge_sides sides, bool *is_done,
                                  const struct ves_json **out)
{
    *is_done = false;
    switch (rule->kind) {
    case VES_MERGE_PLAIN:
    case VES_MERGE_TOTAL: /* looked at before */
        return VES_OK;
    case VES_MERGE_SUM:
        return ves_merge_sum(merge->arena, sides, is_done, out);
    case VES_MERGE_CONSENT:
        return ves_merge_consent(merge->arena, sides, is_done, out);
    case VES_MERGE_SET:
        return ves_merge_set(merge->arena, sides, is_done, out);
    case VES_MERGE_LIST:
        return ves_merge_list(merge->arena, sides, is_done, out);
    case VES_MERGE_KEYED:
        return merge_keyed(merge, place, rule, sides, is_done, out);
    }
    return VES_OK;
}

static enum ves_status merge_value(struct merge *merge,
                                   const struct place *place,
                                   const struct ves_merge_member *rule,
                                   struct ves_merge_sides sides,
                                   const struct ves_json **out)
{
    bool is_done = false;
    enum ves_status status = VES_OK;

    /* Two orders may grow by the same sum for different lines. */
    if (rule->kind == VES_MERGE_TOTAL)
        status =
            ves_merge_total(merge->arena, &merge->lines, sides, &is_done, out);
    if (status || is_done)
        return status;
    if (rule->inner == VES_MERGE_TOTAL && is_object(sides.base) &&
        is_object(sides.local) && is_object(sides.remote))
        return merge_object(merge, place, rule, sides, out);
    if (equal(sides.local, sides.remote) || equal(sides.remote, sides.base)) {
        *out = sides.local;
        return VES_OK;
    }
    if (equal(sides.local, sides.base)) {
        *out = sides.remote;
        return VES_OK;
    }
    status = apply_rule(merge, place, rule, sides, &is_done, out);
    if (status || is_done)
        return status;
    if (is_object(sides.local) && is_object(sides.remote) &&
        (!sides.base || is_object(sides.base)))
        return merge_object(merge, place, rule, sides, out);
    return overlap(merge, place, sides, out);
}

enum ves_status ves_merge(struct ves_arena *arena, const char *function,
                          const struct ves_json *base,
                          const struct ves_json *local,
                          const struct ves_json *remote,
                          struct ves_merge_result *out)
{
    static const struct ves_merge_member top = {NULL, VES_MERGE_PLAIN,
                                                VES_MERGE_PLAIN, NULL};
    const struct place place = {NULL, {NULL, 0}};
    struct merge merge = {.arena = arena, .out = out};

    memset(out, 0, sizeof(*out));
    out->value = remote;
    if (strcmp(function, VES_MERGE_NEVER) == 0) {
        out->reason = "what happened to money or goods is never merged by "
                      "itself";
        return VES_OK;
    }
    merge.function = find(function);
    if (!merge.function)
        return VES_UNSUPPORTED;
    out->is_clean = true;
    return merge_value(&merge, &place, &top,
                       (struct ves_merge_sides){base, local, remote},
                       &out->value);
}
