/* follow_up.h -- what a state asks somebody to look at.
 *
 * semantics.md 3.3: facts are never refused for business reasons; they apply,
 * and what they leave behind is told.  A pure function of the state, so that
 * every store tells the same and a thing put right is no longer told.
 *
 *   inventory.oversold    `available` is below zero; amount: by how much
 *   payment.over_refunded more was refunded than completed
 *   payment.unmatched     refunded, and no completion is known
 *   payment.over_requested more refunds are requested than was completed
 *   return.over_received  more goods came back than the return was about
 */
#ifndef VES_CORE_FOLLOW_UP_H
#define VES_CORE_FOLLOW_UP_H

#include "core/quantity.h"

enum { VES_FOLLOW_UPS_MAX = 4 };

struct ves_follow_up {
    const char *name; /* "inventory.oversold" */
    bool is_money;    /* amount_minor counts, else quantity */
    int64_t amount_minor;
    struct ves_quantity quantity;
};

/* Of an entity of that type with that state (an object; NULL: none); how many.
 * Members that are not what they should be ask for nothing. */
size_t ves_follow_ups(struct ves_bytes entity_type,
                      const struct ves_json *state,
                      struct ves_follow_up out[VES_FOLLOW_UPS_MAX]);

/* The kinds of entities that may have some; NULL past the end. */
const char *ves_follow_up_type(size_t index);

/* Looks at a state in its canonical form without reading it: false when it can
 * ask for nothing, which is nearly always. */
bool ves_follow_ups_may(struct ves_bytes entity_type, struct ves_bytes state);

#endif
