/* agent_claim.h -- which rows of the outbox go into the next request.
 *
 * Inside src/engine only.
 */
#ifndef VES_ENGINE_AGENT_CLAIM_H
#define VES_ENGINE_AGENT_CLAIM_H

#include "engine/agent_internal.h"

struct ves_device_claim {
    uint64_t token;
    uint64_t session; /* failed rows claimed since then are left alone */
    int64_t now_ms;
    uint64_t wait_max_ms; /* longest wait a row can have been given */
    size_t limit;         /* events, >= 1; a group may go beyond it */
    bool is_explicit;
};

/* Claims rows in order: whole atomic groups, nothing whose entity is held
 * back.  *rows are in the arena with their envelopes. */
VES_NODISCARD enum ves_status
ves_device_claim(struct ves_agent_core *core, struct ves_arena *arena,
                 const struct ves_device_claim *claim,
                 struct ves_outbox_row **rows, size_t *count);

#endif
