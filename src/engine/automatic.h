/* automatic.h -- conflicts decided without being asked, by strategies that the
 * host names.
 *
 * semantics.md decision 13: only the store that wrote the branch event does
 * it, so that two stores never decide the same conflict by policy.  What
 * somebody took back is not decided again, and money and goods that came back
 * are for people.
 */
#ifndef VES_ENGINE_AUTOMATIC_H
#define VES_ENGINE_AUTOMATIC_H

#include "core/resolution.h"
#include "engine/agent.h"

struct ves_core_automatic {
    /* For conflicts of entities of that type; VES_STRATEGY_MANUAL decides
     * nothing. */
    enum ves_strategy (*strategy)(void *ctx, struct ves_bytes entity_type);
    /* Time and randomness of one decision, asked before each.  Any status but
     * VES_OK leaves what is not decided yet. */
    enum ves_status (*prepare)(void *ctx, struct ves_core_env *env);
    /* Told of each decision once it is kept; may be NULL. */
    void (*decided)(void *ctx, const struct ves_uuid *event_id);
    void *ctx;
    uint64_t settings; /* another number when a strategy changed */
};

struct ves_core_automatic_report {
    uint64_t looked_at, resolved, left; /* own open conflicts */
};

/* Decides what the strategies decide, each in a transaction of its own, so
 * that what was decided before a failure stays decided.
 *
 * A conflict that was left is left again as long as nothing happened to its
 * entity and settings and rules are the same, so it is not gathered again: of
 * ten thousand that wait for a person a call costs a look at as many rows.
 * Where the sequencer refused a decision about an entity, its conflicts are
 * left for people: made again at every call, it would be refused again. */
VES_NODISCARD enum ves_status
ves_core_automatic(struct ves_agent_core *core,
                   const struct ves_core_automatic *how,
                   struct ves_core_automatic_report *report);

#endif
