/* follow_ups.h -- what the states of a store ask somebody to look at.
 *
 * semantics.md 3.3.  Which ones a state asks for, core/follow_up.h says; here
 * they are counted as states change, so that a status costs no look at them,
 * and found when somebody wants the list.  Sequenced states only: what is
 * counted is the same in every store at the same number.
 */
#ifndef VES_ENGINE_FOLLOW_UPS_H
#define VES_ENGINE_FOLLOW_UPS_H

#include "core/follow_up.h"
#include "engine/agent.h"

/* How many there are now. */
VES_NODISCARD enum ves_status ves_core_follow_ups(struct ves_agent_core *core,
                                                  uint64_t *out);

/* Those of one state (canonical JSON, "" for none). */
VES_NODISCARD enum ves_status
ves_core_follow_ups_of(struct ves_arena *arena, struct ves_bytes entity_type,
                       struct ves_bytes state,
                       struct ves_follow_up out[VES_FOLLOW_UPS_MAX],
                       size_t *count);

/* Views live until it returns; any status but VES_OK ends the walk. */
typedef enum ves_status
ves_follow_up_visitor(void *ctx, const struct ves_entity_row *entity,
                      const struct ves_follow_up *follow_up);

/* All of them, of that entity type ("": of any), in the order of their
 * entities' keys. */
VES_NODISCARD enum ves_status
ves_core_follow_ups_list(struct ves_agent_core *core,
                         struct ves_bytes entity_type,
                         ves_follow_up_visitor *visit, void *ctx);

#endif
