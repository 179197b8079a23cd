/* types.h -- what the program knows of event types, as data.
 *
 * semantics.md decisions 5, 9, 10 and sections 3.4, 4.2.  Types without a row
 * are carried: version 0, no footprint, outside the state hash.
 */
#ifndef VES_CORE_TYPES_H
#define VES_CORE_TYPES_H

#include "json/json.h"
#include "ves/ves.h"

enum ves_event_class { VES_CLASS_INTENT, VES_CLASS_FACT };
enum ves_base_rule { VES_BASE_REQUIRED, VES_BASE_NONE };

enum { VES_FOLD_VERSION = 1, VES_JUDGE_VERSION = 0 };

struct ves_event_type {
    const char *name;        /* "order.created" */
    const char *entity_type; /* "order" */
    uint32_t version;        /* rule version named in _ves.schema */
    enum ves_event_class event_class;
    enum ves_base_rule base;
};

/* NULL when unknown. */
const struct ves_event_type *ves_event_type_find(struct ves_bytes event_type);

/* Is the payload what the type demands (decision 10)?  Unknown types pass.
 * VES_INVALID with *error naming the JSON pointer of the bad member.  Money
 * members end in _minor and are safe integers; quantities and deltas are
 * decimal strings or numbers. */
VES_NODISCARD enum ves_status
ves_event_type_check(struct ves_bytes event_type,
                     const struct ves_json *payload, struct ves_error *error);

#endif
