/* merge_rules.h -- what one rule makes of two changes of one value.
 *
 * Inside src/core only.  Where a rule says *is_done false it has no answer and
 * the merge goes on without it.
 */
#ifndef VES_CORE_MERGE_RULES_H
#define VES_CORE_MERGE_RULES_H

#include "json/json.h"

enum ves_merge_kind {
    VES_MERGE_PLAIN,
    VES_MERGE_SUM,     /* base + what each side added */
    VES_MERGE_SET,     /* observed-remove: what neither took away, and what
                          either added */
    VES_MERGE_LIST,    /* both add at the end */
    VES_MERGE_KEYED,   /* an array whose items have a key */
    VES_MERGE_CONSENT, /* the more restrictive stands */
    VES_MERGE_TOTAL    /* derived from the lines */
};

/* The rule of one member of the top object, and of what is below it. */
struct ves_merge_member {
    const char *name; /* NULL ends a list */
    enum ves_merge_kind kind;
    enum ves_merge_kind inner;
    const char *const *keys; /* KEYED: names of keys, NULL at the end */
};

/* NULL: absent there. */
struct ves_merge_sides {
    const struct ves_json *base, *local, *remote;
};

struct ves_merge_lines {
    struct ves_merge_sides sides;
    const struct ves_json *merged;
};

/* An array or object under construction. */
struct ves_merge_builder {
    struct ves_arena *arena;
    struct ves_json *node;
    struct ves_json *last;
};

VES_NODISCARD enum ves_status ves_merge_build(struct ves_merge_builder *builder,
                                              struct ves_arena *arena,
                                              enum ves_json_type type);
/* A copy of value; name is not looked at in an array. */
VES_NODISCARD enum ves_status ves_merge_add(struct ves_merge_builder *builder,
                                            struct ves_bytes name,
                                            const struct ves_json *value);

VES_NODISCARD enum ves_status ves_merge_sum(struct ves_arena *arena,
                                            struct ves_merge_sides sides,
                                            bool *is_done,
                                            const struct ves_json **out);
VES_NODISCARD enum ves_status ves_merge_consent(struct ves_arena *arena,
                                                struct ves_merge_sides sides,
                                                bool *is_done,
                                                const struct ves_json **out);
VES_NODISCARD enum ves_status ves_merge_set(struct ves_arena *arena,
                                            struct ves_merge_sides sides,
                                            bool *is_done,
                                            const struct ves_json **out);
VES_NODISCARD enum ves_status ves_merge_list(struct ves_arena *arena,
                                             struct ves_merge_sides sides,
                                             bool *is_done,
                                             const struct ves_json **out);
VES_NODISCARD enum ves_status
ves_merge_total(struct ves_arena *arena, const struct ves_merge_lines *lines,
                struct ves_merge_sides sides, bool *is_done,
                const struct ves_json **out);

/* Arrays of objects as maps by the first of keys that every item of every one
 * has, each value once; an absent base is an empty map.  *key NULL: there is
 * no such key. */
VES_NODISCARD enum ves_status ves_merge_maps(struct ves_arena *arena,
                                             const char *const *keys,
                                             struct ves_merge_sides sides,
                                             struct ves_merge_sides *maps,
                                             const char **key);
/* The merged map as an array: what base (the map) has in the order of its
 * array, then the others by name.  key NULL: names are the items' canonical
 * JSON. */
VES_NODISCARD enum ves_status
ves_merge_array(struct ves_arena *arena, const char *key,
                struct ves_merge_sides sides, const struct ves_json *base,
                const struct ves_json *merged, const struct ves_json **out);

#endif
