/* waits.h -- what an event waits for, in plain words.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_WAITS_H
#define VES_AGENT_WAITS_H

#include "agent/agent.h"
#include "base/buf.h"

/* Appends sentences about the dependencies that keep an event of the log
 * waiting, and whether it waits for ever; nothing when it does not wait. */
VES_NODISCARD enum ves_status ves_waits_say(struct ves_agent *agent,
                                            const struct ves_log_row *log,
                                            struct ves_buf *text);

#endif
