/* fold_write.h -- writing one value into a state.
 *
 * Inside src/core only.  The fold and the operations of resolutions share it,
 * so that both mean the same by a path, a sum, a list.
 */
#ifndef VES_CORE_FOLD_WRITE_H
#define VES_CORE_FOLD_WRITE_H

#include "core/quantity.h"
#include "core/types.h"

/* A state being made anew.  Functions return VES_OK, VES_NOMEM, or VES_INVALID
 * with `error`; the state is then of no use. */
struct ves_write {
    struct ves_arena *arena;
    const struct ves_json *state;         /* an object; in and out */
    const struct ves_entity_type *entity; /* its lists */
    bool gives_way; /* what is in the way of a path and no object is replaced
                       by one, else it is an error */
    struct ves_error error;
};

enum ves_status ves_write_fail(struct ves_write *write, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The value at a pointer, NULL when there is none. */
VES_NODISCARD enum ves_status ves_write_get(struct ves_write *write,
                                            struct ves_bytes path,
                                            const struct ves_json **out);

/* What putting something at path replaces: the value there; or, where an
 * object on the way is missing or something else is in its place, that.
 * *place is the beginning of path where it stands; *out is NULL when there is
 * nothing. */
VES_NODISCARD enum ves_status ves_write_image(struct ves_write *write,
                                              struct ves_bytes path,
                                              struct ves_bytes *place,
                                              const struct ves_json **out);

/* Puts value there, making objects on the way; value NULL: takes it away. */
VES_NODISCARD enum ves_status ves_write_put(struct ves_write *write,
                                            struct ves_bytes path,
                                            const struct ves_json *value);

/* Adds delta to what is there (nothing counts as 0): integers of minor units
 * when the path ends in "_minor", quantities else. */
VES_NODISCARD enum ves_status ves_write_sum(struct ves_write *write,
                                            struct ves_bytes path,
                                            const struct ves_json *delta);

/* Appends value to the array there; is_set: value, or each item of it (at most
 * VES_JOIN_MAX), unless an equal one is in it. */
enum { VES_JOIN_MAX = 256 };
VES_NODISCARD enum ves_status ves_write_join(struct ves_write *write,
                                             struct ves_bytes path,
                                             const struct ves_json *value,
                                             bool is_set);

/* Merges an object into the one there (core/fold_tree.h: FILL or PATCH). */
VES_NODISCARD enum ves_status ves_write_merge(struct ves_write *write,
                                              struct ves_bytes path,
                                              const struct ves_json *object,
                                              bool is_patch);

/* A word at a ladder's path, unless a higher one is there. */
VES_NODISCARD enum ves_status ves_write_advance(struct ves_write *write,
                                                struct ves_bytes path,
                                                const struct ves_json *word);

/* Recomputes the entity's balances. */
VES_NODISCARD enum ves_status ves_write_balances(struct ves_write *write);

/* The delta that takes it back; itself when it is none.  NULL: no memory. */
const struct ves_json *ves_delta_opposite(struct ves_arena *arena,
                                          struct ves_bytes path,
                                          const struct ves_json *delta);

/* A quantity as states hold it; NULL when the arena is full. */
const struct ves_json *ves_quantity_node(struct ves_arena *arena,
                                         struct ves_quantity quantity);

#endif
