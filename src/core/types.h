/* types.h -- what the program knows of event types, as data.
 *
 * semantics.md decisions 5, 9, 10 and sections 3.4, 4.2.  Types without a row
 * are carried: version 0, no footprint, outside the state hash.
 */
#ifndef VES_CORE_TYPES_H
#define VES_CORE_TYPES_H

#include "ves/ves.h"
#include "json/json.h"

enum ves_event_class { VES_CLASS_INTENT, VES_CLASS_FACT };
enum ves_base_rule { VES_BASE_REQUIRED, VES_BASE_NONE };

enum { VES_FOLD_VERSION = 1, VES_JUDGE_VERSION = 0 };

/* The class is that of the plain form; `origin` "web" or "draft" will make an
 * order.created an intent once rules that look at it exist (decision 10). */
struct ves_event_type {
    const char *name;        /* "order.created" */
    const char *entity_type; /* "order" */
    uint32_t version;        /* rule version named in _ves.schema */
    enum ves_event_class event_class;
    enum ves_base_rule base;
};

/* The row of a built-in type; NULL when unknown. */
const struct ves_event_type *ves_event_type_find(struct ves_bytes event_type);

/* Is the payload what the type demands (decision 10)?  Unknown types pass.
 * VES_INVALID with *error naming the JSON pointer of the bad member, e.g.
 * "payload /lines/0/quantity: expected a decimal number or string".
 *
 * Ids are texts of 1 to VES_ENTITY_ID_MAX bytes or safe integers.  Quantities
 * and deltas are decimal strings or numbers (core/quantity.h).  Money members
 * end in _minor and are safe integers, at the top, in `totals` and in `lines`;
 * where one occurs in order.created, `currency` is required: three capital
 * letters.  `lines`, where a type has them, is an array of objects, each with
 * `quantity`.  Besides, required are: delta (inventory.adjusted);
 * reservation_id and `quantity` or `lines`, none below zero
 * (inventory.reserved); reservation_id (inventory.released); one of name,
 * email, phone, customer_id (customer.created); amount_minor and currency
 * (payment.created); amount_minor (payment.completed); amount_minor and
 * refund_id (payment.refunded).  `patch` and `before` of an update are objects
 * if present.  Members with value null count as absent but for `patch`; all
 * others may be anything. */
VES_NODISCARD enum ves_status
ves_event_type_check(struct ves_bytes event_type,
                     const struct ves_json *payload, struct ves_error *error);

#endif
