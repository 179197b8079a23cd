/* fold.h -- entity state from events, deterministically.
 *
 * state' = fold(state, event): canonical JSON in, canonical JSON out; the same
 * bytes on every machine.  A payload the fold cannot use leaves the state as
 * it was and is reported in *note; it never fails for content.
 */
#ifndef VES_CORE_FOLD_H
#define VES_CORE_FOLD_H

#include "base/buf.h"
#include "core/event.h"

struct ves_fold_note {
    bool is_unusable;  /* payload could not be folded; state unchanged */
    char reason[128];
};

/* Appends the new state to out.  state is canonical JSON or "" when the entity
 * is new.  Events of types without a rule, and encrypted ones, produce the
 * state unchanged ("" stays "": such entities are outside the state hash).
 * arena is scratch.  Only VES_NOMEM or VES_LIMIT fail. */
VES_NODISCARD enum ves_status ves_fold(struct ves_arena *arena,
                                       struct ves_bytes state,
                                       const struct ves_event *event,
                                       struct ves_buf *out,
                                       struct ves_fold_note *note);

#endif
