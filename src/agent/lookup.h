/* lookup.h -- one event wherever this store holds it.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_LOOKUP_H
#define VES_AGENT_LOOKUP_H

#include "agent/agent.h"
#include "core/event.h"

/* Rows are copies in the agent's arena. */
struct ves_found {
    bool is_in_outbox;
    struct ves_outbox_row outbox;
    bool is_in_log;
    struct ves_log_row log;
    bool is_in_quarantine; /* open, or closed when it is nowhere else */
    struct ves_record quarantine;
};

/* VES_NOT_FOUND with words when it is in none of the three. */
VES_NODISCARD enum ves_status ves_agent_find(struct ves_agent *agent,
                                             const struct ves_uuid *event_id,
                                             struct ves_found *out,
                                             struct ves_error *error);

/* The key this store knows for the event's author; *has_key false: none. */
VES_NODISCARD enum ves_status
ves_agent_author_key(struct ves_agent *agent, const struct ves_event *event,
                     bool *has_key, struct ves_public_key *out);

#endif
