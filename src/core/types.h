/* types.h -- what the program knows of event types, as data.
 *
 * semantics.md decisions 5, 9, 10 and sections 3.4, 4.2.  Types without a row
 * are carried: version 0, no footprint, outside the state hash.
 */
#ifndef VES_CORE_TYPES_H
#define VES_CORE_TYPES_H

#include "core/effect.h"
#include "json/json.h"

enum ves_event_class { VES_CLASS_INTENT, VES_CLASS_FACT };
enum ves_base_rule { VES_BASE_REQUIRED, VES_BASE_NONE };

enum { VES_FOLD_VERSION = 1, VES_JUDGE_VERSION = 0 };

/* The one system event the judge reads (semantics.md 3.3). */
#define VES_TYPE_RESOLVED "ves.conflict.resolved"

/* How a payload becomes effects (core/effect.h). */
enum ves_footprint_kind {
    VES_FOOTPRINT_END,    /* closes a list */
    VES_FOOTPRINT_VALUE,  /* the value of `member`, if the payload has it */
    VES_FOOTPRINT_TEXT,   /* the text `member` itself */
    VES_FOOTPRINT_WHOLE,  /* the whole payload as one value */
    VES_FOOTPRINT_LEAVES, /* every leaf of the payload, at its own pointer
                             below `path` */
    VES_FOOTPRINT_PATCH   /* every leaf of `patch`, else of the payload; every
                             other pointer of `before` is expected */
};

struct ves_footprint {
    enum ves_footprint_kind kind;
    enum ves_op op;
    /* JSON pointer into the state; {name} stands for the payload's member of
     * that name, escaped, nothing when it is not there. */
    const char *path;
    const char *member;
};

/* A payload member that names another entity. */
struct ves_reference {
    const char *pointer; /* a token * stands for every item of an array */
    const char *entity_type;
};

/* Merging is by name and version, so that a resolution can say which one it
 * used (semantics.md 3.4): */
#define VES_MERGE_NEVER  "never"    /* by a person only */
#define VES_MERGE_FIELDS "fields/1" /* three-way, field by field */
#define VES_MERGE_ORDER  "order/1"  /* fields, lines by uid */
#define VES_MERGE_DELTAS "deltas/1" /* sums */

struct ves_event_type {
    const char *name;        /* "order.created" */
    const char *entity_type; /* "order" */
    uint32_t version;        /* rule version named in _ves.schema */
    enum ves_event_class event_class;
    enum ves_base_rule base;
    bool is_intent_by_origin; /* a draft or a web order is no sale yet */
    const char *merge;
    const struct ves_footprint *footprint;  /* closed by END */
    const struct ves_reference *references; /* closed by pointer NULL */
};

/* Is this event a fact (decision 10: `origin` "web" or "draft" makes an
 * order.created an intent)?  payload NULL: not readable, the type decides. */
bool ves_event_is_fact(const struct ves_event_type *type,
                       const struct ves_json *payload);

/* Every row, the built-in ones first; NULL past the end. */
const struct ves_event_type *ves_event_type_at(size_t index);

/* The row of a type the fold has no rule for yet counts as unknown here and
 * is found by the second: the wider catalogue of 4.2. */
/* The row of a built-in type; NULL when unknown. */
const struct ves_event_type *ves_event_type_find(struct ves_bytes event_type);
const struct ves_event_type *
ves_event_type_catalogue(struct ves_bytes event_type);

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
