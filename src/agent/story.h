/* story.h -- what an event has to do with a conflict, in plain words.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_STORY_H
#define VES_AGENT_STORY_H

#include "agent/agent.h"
#include "base/buf.h"

/* The conflict whose branch the event is in; out->is_found false: none. */
VES_NODISCARD enum ves_status
ves_event_conflict(struct ves_agent *agent, const struct ves_uuid *event_id,
                   struct ves_conflict_row *out);

/* Appends sentences about the conflicts it is in or decides, and who decided
 * what and why; nothing when there is none.  *is_open: one of them is. */
VES_NODISCARD enum ves_status ves_event_story(struct ves_agent *agent,
                                              const struct ves_uuid *event_id,
                                              struct ves_buf *text,
                                              bool *is_open);

/* Why a decision with that sub-code was set aside, static: "it names no
 * conflict of that entity". */
const char *ves_lost_because(struct ves_bytes sub_code);

#endif
