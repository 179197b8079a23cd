/* context.h -- the causal context of an event, payload member "_ves".
 *
 * semantics.md decision 2.  Writing it is in event.h.
 */
#ifndef VES_CORE_CONTEXT_H
#define VES_CORE_CONTEXT_H

#include "core/event.h"

/* Reads the value of "_ves".  Members are closed for v 1; v, agent_seq, seen
 * and schema are required, prev exactly when agent_seq is above 1.
 * VES_REFUSED with "schema_validation: _ves..."; VES_NOMEM when the arena is
 * full.  *out is untouched then. */
VES_NODISCARD enum ves_status ves_context_read(struct ves_arena *arena,
                                               const struct ves_json *node,
                                               struct ves_context *out,
                                               struct ves_refusal *refusal);

#endif
