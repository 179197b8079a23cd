/* operation.h -- what the operations of a type say for one payload.
 *
 * Inside src/core.  The fold does them (fold.c); spelt out as changes, one a
 * leaf, they are what the judge compares and what a resolution repeats
 * (core/effect_read.h).
 */
#ifndef VES_CORE_OPERATION_H
#define VES_CORE_OPERATION_H

#include "base/arena.h"
#include "core/types.h"

/* One event as its operations see it. */
struct ves_operand {
    struct ves_arena *arena;
    const struct ves_json *payload; /* an object */
    const struct ves_uuid *event_id;
    /* Entries named by their event all stand at one place. */
    bool is_footprint;
};

/* An operation's path with its {names} filled in.  An id that is not there is
 * an empty token and *missing its name, which is otherwise empty.  VES_LIMIT
 * when the path has more than max bytes, VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_operation_path(const struct ves_operand *operand, const char *path,
                   size_t max, struct ves_bytes *out,
                   struct ves_bytes *missing);

/* path with one more token. */
VES_NODISCARD enum ves_status
ves_operation_below(struct ves_arena *arena, struct ves_bytes path,
                    struct ves_bytes token, size_t max, struct ves_bytes *out);

/* The value of a MEMBER, TEXT, VALUE, EVENT or PATCH; NULL when there is none.
 * Of the whole payload that is the payload with "_ves", if it has that. */
VES_NODISCARD enum ves_status
ves_operation_value(const struct ves_operand *operand,
                    const struct ves_operation *operation,
                    const struct ves_json **out);

/* Is node an id: a text, or an integer within +-(2^53-1)? */
bool ves_id_is(const struct ves_json *node);
/* Its text, the number's as it is spelt canonically, into arena; VES_NOMEM. */
VES_NODISCARD enum ves_status ves_id_text(struct ves_arena *arena,
                                          const struct ves_json *node,
                                          struct ves_bytes *out);

/* ---- changes ------------------------------------------------------------- */

struct ves_change {
    struct ves_bytes path;
    enum ves_op op;
    const struct ves_json *value; /* NULL: none */
    bool is_kept; /* an empty object of a patch: one that is there stays */
};

struct ves_changes {
    struct ves_change *list;
    size_t count, cap;
    size_t max, path_max; /* more, or a longer path, makes it full */
    bool is_full;         /* what is in the list is not all there is */
};

/* Appends what the operations do, leaf by leaf and in their order.  max and
 * path_max are the caller's.  VES_OK or VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_changes_read(const struct ves_operand *operand,
                 const struct ves_operation *operations,
                 struct ves_changes *changes);

/* Appends every leaf of an RFC 7396 patch. */
VES_NODISCARD enum ves_status ves_changes_of_patch(struct ves_arena *arena,
                                                   const struct ves_json *patch,
                                                   struct ves_changes *changes);

/* Appends one. */
VES_NODISCARD enum ves_status ves_changes_add(struct ves_arena *arena,
                                              struct ves_changes *changes,
                                              enum ves_op op,
                                              struct ves_bytes path,
                                              const struct ves_json *value);

#endif
