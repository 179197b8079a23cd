/* strategies.h -- strategies by entity type, as part of the settings.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_STRATEGIES_H
#define VES_AGENT_STRATEGIES_H

#include "agent/agent.h"
#include "core/resolution.h"

/* The strategy for entities of that type: its own, else conflictStrategy. */
enum ves_strategy ves_agent_policy(struct ves_agent *agent,
                                   struct ves_bytes entity_type);
/* Of all of them together: another number when one changed, but for chance. */
uint64_t ves_agent_policies_sum(struct ves_agent *agent);
/* Is there one that decides anything? */
bool ves_agent_has_policy(struct ves_agent *agent);

/* Is that the name under which the store keeps them, and this such a list? */
bool ves_strategies_hold(const char *meta, struct ves_bytes list);

/* "conflictStrategy.order" and the like. */
bool ves_strategy_setting_is(const char *name);
/* value: a strategy, or "default" to take the entry away. */
VES_NODISCARD enum ves_status
ves_strategy_setting_check(const char *name, const char *value,
                           struct ves_error *error);
/* A checked one, inside a transaction. */
VES_NODISCARD enum ves_status ves_strategy_setting_put(struct ves_agent *agent,
                                                       const char *name,
                                                       const char *value);
/* "conflictStrategies":{type: strategy}. */
VES_NODISCARD enum ves_status ves_strategy_settings_put(struct ves_agent *agent,
                                                        struct ves_jw *jw);

#endif
