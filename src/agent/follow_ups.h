/* follow_ups.h -- what states ask somebody to look at, in documents and words;
 * and what is noted beside a verdict.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_FOLLOW_UPS_H
#define VES_AGENT_FOLLOW_UPS_H

#include "agent/agent.h"
#include "base/buf.h"
#include "engine/follow_ups.h"

/* "followUps":[{name, entity{type,id}, quantity? or amountMinor?,
 * explanation}] of one entity. */
VES_NODISCARD enum ves_status ves_follow_ups_put(struct ves_agent *agent,
                                                 struct ves_bytes entity_type,
                                                 struct ves_bytes entity_id,
                                                 struct ves_bytes state,
                                                 struct ves_jw *jw);

/* The same of the whole store, the first `limit` of that entity type ("": of
 * any), or of one entity (id not ""); and "followUpTotal", how many there are
 * in the whole store. */
VES_NODISCARD enum ves_status
ves_follow_ups_put_all(struct ves_agent *agent, struct ves_bytes entity_type,
                       struct ves_bytes entity_id, uint32_t limit,
                       struct ves_jw *jw);

/* Appends sentences about the entity of an event; nothing when its state asks
 * for nothing. */
VES_NODISCARD enum ves_status ves_follow_ups_say(struct ves_agent *agent,
                                                 const struct ves_hash *key,
                                                 struct ves_buf *text);

/* Appends sentences about what is noted beside the verdict of a row of the
 * log: what it was applied over, what waits, what could not be done. */
VES_NODISCARD enum ves_status ves_note_say(struct ves_agent *agent,
                                           const struct ves_log_row *row,
                                           struct ves_buf *text);

#endif
