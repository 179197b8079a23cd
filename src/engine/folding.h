/* folding.h -- events of one entity folded one after the other, resolutions
 * and undos included.
 *
 * Inside src/engine only.  A device folds what it is sent and remembers; a
 * sequencer keeps no states and folds an entity from its first event when it
 * has to know what was there before a resolution.
 */
#ifndef VES_ENGINE_FOLDING_H
#define VES_ENGINE_FOLDING_H

#include "core/effect.h"
#include "core/event.h"
#include "core/fold.h"
#include "port/store.h"

enum { VES_FOLDING_ARENA_MAX = 512 * 1024 * 1024 };

/* Reads a log row's envelope, which lacks its closing brace, into arena.
 * VES_CORRUPT, with words in *error, when it is readable no more. */
VES_NODISCARD enum ves_status ves_log_event_read(struct ves_arena *arena,
                                                 struct ves_bytes envelope,
                                                 struct ves_error *error,
                                                 struct ves_event *event);

/* What an applied event writes. */
struct ves_folding_write {
    struct ves_rules_at rules; /* of the event */
    bool is_deleted;           /* before */
    /* Of an undo: the opposite of what it takes back; else "". */
    struct ves_bytes opposite;
};

/* Appends the state after the event to out and, when it is a resolution, what
 * takes it back to opposite, a JSON array; "" when it is none.  Both are
 * the same on every machine.  arena is scratch.  Results as ves_fold. */
VES_NODISCARD enum ves_status
ves_folding_apply(struct ves_arena *arena, struct ves_bytes state,
                  const struct ves_event *event,
                  const struct ves_folding_write *what, struct ves_buf *out,
                  struct ves_buf *opposite, struct ves_fold_note *note);

/* What an opposite does, for the judge. */
VES_NODISCARD enum ves_status ves_opposite_effects(struct ves_arena *arena,
                                                   struct ves_bytes opposite,
                                                   struct ves_effects *out);

/* One entity from its first event on. */
struct ves_folding {
    struct ves_buf state, next;
    struct ves_buf opposite; /* of the last event, when it is a resolution */
    bool is_deleted;
    struct ves_arena *arena; /* of what is remembered */
    struct ves_folding_past *past;
};

void ves_folding_open(struct ves_folding *folding,
                      const struct ves_alloc *alloc, struct ves_arena *arena);
/* The next applied event; scratch may be reset afterwards. */
VES_NODISCARD enum ves_status ves_folding_step(struct ves_folding *folding,
                                               struct ves_arena *scratch,
                                               struct ves_rules_at rules,
                                               const struct ves_event *event);
void ves_folding_close(struct ves_folding *folding);

#endif
