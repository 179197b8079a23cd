/* case_ops.h -- lists of operations (core/fold_ops.h) under construction.
 *
 * Inside src/core only.
 */
#ifndef VES_CORE_CASE_OPS_H
#define VES_CORE_CASE_OPS_H

#include "core/merge_rules.h"

struct ves_case_ops {
    struct ves_arena *arena;
    const struct ves_json *node; /* the array so far */
    struct ves_merge_builder builder;
};

enum ves_case_kind {
    VES_CASE_ALL,
    VES_CASE_COMMUTING, /* delta, add_to_set, append: any order is right */
    VES_CASE_ORDERED    /* the others */
};

VES_NODISCARD enum ves_status ves_case_ops_begin(struct ves_case_ops *ops,
                                                 struct ves_arena *arena);
VES_NODISCARD enum ves_status ves_case_ops_restore(struct ves_case_ops *ops);
/* value NULL: the member goes. */
VES_NODISCARD enum ves_status ves_case_ops_set(struct ves_case_ops *ops,
                                               struct ves_bytes path,
                                               const struct ves_json *value);
/* Those of an array that are of that kind. */
VES_NODISCARD enum ves_status ves_case_ops_copy(struct ves_case_ops *ops,
                                                const struct ves_json *array,
                                                enum ves_case_kind kind);
/* What makes `to` of `from`; both objects. */
VES_NODISCARD enum ves_status
ves_case_ops_difference(struct ves_case_ops *ops, const struct ves_json *from,
                        const struct ves_json *to);
/* What an RFC 7396 patch does to a state; both objects. */
VES_NODISCARD enum ves_status ves_case_ops_patch(struct ves_case_ops *ops,
                                                 const struct ves_json *state,
                                                 const struct ves_json *patch);
/* Is there one of that name?  array may be NULL. */
bool ves_case_ops_have(const struct ves_json *array, const char *name);

/* path and one more token, escaped, in the arena.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_case_path(struct ves_arena *arena,
                                            struct ves_bytes path,
                                            struct ves_bytes name,
                                            struct ves_bytes *out);

#endif
