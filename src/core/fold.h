/* fold.h -- entity state from events, deterministically.
 *
 * state' = fold(state, event): canonical JSON in, canonical JSON out; the same
 * bytes on every machine (semantics.md decisions 10 and 14, 3.4, 3.5).  A
 * payload the fold cannot use leaves the state as it was and is reported in
 * *note; it never fails for content.  In all rules the payload is without
 * `_ves`, null is a value like any other, and the order of events is the log
 * order.
 *
 * x.created        Payload members the state lacks are added, so a second
 *                  create, or one that comes late, overwrites nothing; then
 *                  `status` if still absent: "requested" for return, else
 *                  "created".
 * order.updated,   `patch`, or the payload itself when there is no such
 * customer.updated member, is merged into the state (RFC 7396).
 * order.shipped    `status` "shipped"; the payload becomes an entry of
 *                  `shipments` under shipment_id, else the event id.
 * order.cancelled  `status` "cancelled"; the payload becomes `cancellation`.
 * return.approved, `status` "approved" or "rejected"; the payload becomes
 * return.rejected  `approval` or `rejection`.
 * inventory.adjusted  `on_hand` grows by `delta`; `available` is `on_hand` -
 *                  `reserved`; product_id and location_id are taken if the
 *                  state lacks them.
 * inventory.reserved  The payload becomes an entry of `reservations` under
 *                  reservation_id, with `quantity` (given, or the sum over
 *                  `lines`), which is added to `reserved`.  A reservation
 *                  that is there already changes nothing.
 * inventory.released  The entry loses `quantity` (given, or the sum over
 *                  `lines`, or all), and goes when nothing is left; so does
 *                  `reserved`.  An unknown reservation changes nothing.
 * payment.completed   `status` "completed" unless there are refunds;
 *                  `completed_minor` is amount_minor; payload members the
 *                  state lacks are added.
 * payment.refunded    `status` "refunded"; the payload becomes an entry of
 *                  `refunds` under refund_id, else the event id, and its
 *                  amount_minor is added to `refunded_minor`.  A refund that
 *                  is there already changes nothing.
 *
 * An entry of a map that is there already gains the members it lacks.  What
 * stands under the name of a map and is no object gives way to the map.
 * Quantities are exact (core/quantity.h) and written as numbers when these
 * carry them exactly, else as decimal strings.
 */
#ifndef VES_CORE_FOLD_H
#define VES_CORE_FOLD_H

#include "base/buf.h"
#include "core/event.h"
#include "core/types.h"

/* A state never grows past it, nor nests deeper than VES_JSON_DEPTH_MAX: an
 * event that would do so is unusable.  Twice what one payload may have. */
enum { VES_STATE_MAX = 2 * 1024 * 1024 };

struct ves_fold_note {
    bool is_unusable; /* payload could not be folded; state unchanged */
    char reason[512]; /* "" unless is_unusable */
};

/* Appends the new state to out, which must have room for VES_STATE_MAX bytes.
 * rules are those the event is read by (core/types.h).
 * state is canonical JSON or "" when the entity is new.  Events of types
 * without a rule, of rule version 0 and encrypted ones produce the state
 * unchanged ("" stays "": such entities are outside the state hash); an event
 * that names a rule version this program lacks is unusable.  note may be
 * NULL.  arena is scratch, up to 128 times the bytes of state and payload.
 * VES_NOMEM or VES_LIMIT (out is too small); VES_CORRUPT when state is not a
 * JSON object; out is then as before but for its sticky error. */
VES_NODISCARD enum ves_status
ves_fold(struct ves_arena *arena, struct ves_rules_at rules,
         struct ves_bytes state, const struct ves_event *event,
         struct ves_buf *out, struct ves_fold_note *note);

#endif
