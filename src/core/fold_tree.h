/* fold_tree.h -- building and merging JSON objects in an arena.
 *
 * Inside src/core only.  Trees are never changed, only made anew; values are
 * shared between old and new.  Functions that return a tree return NULL when
 * the arena is full.
 */
#ifndef VES_CORE_FOLD_TREE_H
#define VES_CORE_FOLD_TREE_H

#include "json/json.h"

enum ves_tree_mode {
    VES_TREE_FILL,    /* what base has stays, the rest is added, at any depth */
    VES_TREE_REPLACE, /* what overlay has wins, member by member */
    VES_TREE_PATCH    /* overlay is an RFC 7396 merge patch */
};

/* The members of base and overlay in one object, in canonical order.  base
 * NULL, or anything but an object, counts as {}; overlay is an object. */
VES_NODISCARD const struct ves_json *
ves_tree_merge(struct ves_arena *arena, const struct ves_json *base,
               const struct ves_json *overlay, enum ves_tree_mode mode);

/* object without the member of that name. */
VES_NODISCARD const struct ves_json *
ves_tree_without(struct ves_arena *arena, const struct ves_json *object,
                 const char *name);

/* {} with one member; key and value must outlive it. */
VES_NODISCARD const struct ves_json *
ves_tree_single(struct ves_arena *arena, struct ves_bytes key,
                const struct ves_json *value);

/* Values; text must outlive the node. */
VES_NODISCARD const struct ves_json *ves_tree_string(struct ves_arena *arena,
                                                     struct ves_bytes text);
VES_NODISCARD const struct ves_json *ves_tree_number(struct ves_arena *arena,
                                                     double number);
VES_NODISCARD const struct ves_json *ves_tree_null(struct ves_arena *arena);

#endif
