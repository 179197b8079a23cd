/* event_rules.h -- rules that reading and checking an event share.
 *
 * Inside src/core only.
 */
#ifndef VES_CORE_EVENT_RULES_H
#define VES_CORE_EVENT_RULES_H

#include "core/event.h"

/* VES_OK for 1 and 2; VES_REFUSED with UNSUPPORTED_VERSION. */
VES_NODISCARD enum ves_status
ves_event_check_version(uint64_t version, struct ves_refusal *refusal);

/* Sizes of entity_type, entity_id, event_type and created_at, and no NUL in
 * the first three: a type and an id are joined by one (semantics.md
 * decision 14). */
VES_NODISCARD enum ves_status
ves_event_check_text(const struct ves_event *event,
                     struct ves_refusal *refusal);

#endif
