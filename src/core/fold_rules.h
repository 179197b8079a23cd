/* fold_rules.h -- what the rules of one fold step share.
 *
 * Inside src/core only.  A rule makes step->state anew and returns VES_OK,
 * VES_NOMEM, or what ves_fold_unusable() returned.
 */
#ifndef VES_CORE_FOLD_RULES_H
#define VES_CORE_FOLD_RULES_H

#include "core/fold.h"
#include "core/fold_tree.h"

struct ves_fold_step {
    struct ves_arena *arena;
    const struct ves_event *event;
    const struct ves_json *payload; /* an object, without "_ves" */
    const struct ves_json *state;   /* an object; {} when new */
    bool is_unchanged;              /* set by a rule that does nothing */
    const char *reason;             /* why the payload is unusable */
};

/* Notes why and returns VES_INVALID; reason is a static phrase. */
enum ves_status ves_fold_unusable(struct ves_fold_step *step,
                                  const char *reason);

/* state := state with that member; value NULL (the arena was full) is
 * VES_NOMEM. */
VES_NODISCARD enum ves_status ves_fold_set(struct ves_fold_step *step,
                                           const char *name,
                                           const struct ves_json *value);
VES_NODISCARD enum ves_status ves_fold_set_text(struct ves_fold_step *step,
                                                const char *name,
                                                const char *text);
/* state := state with the members of object that it lacks. */
VES_NODISCARD enum ves_status ves_fold_fill(struct ves_fold_step *step,
                                            const struct ves_json *object);

/* The map of that name in the state; NULL when there is none. */
const struct ves_json *ves_fold_map(const struct ves_fold_step *step,
                                    const char *name);
/* Puts entry under key into the map of that name, made if need be. */
VES_NODISCARD enum ves_status ves_fold_map_put(struct ves_fold_step *step,
                                               const char *name,
                                               struct ves_bytes key,
                                               const struct ves_json *entry);
/* The payload member's text, of a string or a safe integer; the event id when
 * it is neither.  NULL bytes when the arena is full. */
struct ves_bytes ves_fold_id(struct ves_fold_step *step, const char *name);
/* Is there an id under that name in the payload? */
bool ves_fold_has_id(const struct ves_fold_step *step, const char *name);

/* The rules. */
enum ves_status ves_fold_created(struct ves_fold_step *step);
enum ves_status ves_fold_return_created(struct ves_fold_step *step);
enum ves_status ves_fold_updated(struct ves_fold_step *step);
enum ves_status ves_fold_order_shipped(struct ves_fold_step *step);
enum ves_status ves_fold_order_cancelled(struct ves_fold_step *step);
enum ves_status ves_fold_return_approved(struct ves_fold_step *step);
enum ves_status ves_fold_return_rejected(struct ves_fold_step *step);
enum ves_status ves_fold_inventory_adjusted(struct ves_fold_step *step);
enum ves_status ves_fold_inventory_reserved(struct ves_fold_step *step);
enum ves_status ves_fold_inventory_released(struct ves_fold_step *step);
enum ves_status ves_fold_payment_completed(struct ves_fold_step *step);
enum ves_status ves_fold_payment_refunded(struct ves_fold_step *step);

#endif
