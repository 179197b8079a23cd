/* agent_policy.h -- what an agent may send (protocol.md B.3 step 4, B.4).
 *
 * A rule of the sequencer's administrator, not of the stream's owner: it is
 * asked when an event comes in, and says nothing of events in the log.
 */
#ifndef VES_CORE_AGENT_POLICY_H
#define VES_CORE_AGENT_POLICY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "core/event.h"
#include "json/json.h"

enum {
    VES_AGENT_POLICY_RULES_MAX = 128,
    VES_AGENT_POLICY_PAYLOAD_MAX = 10 * 1024 * 1024,
    /* Any policy written: two lists of the longest rules, every byte of them
     * an escape. */
    VES_AGENT_POLICY_TEXT_MAX =
        6 * VES_AGENT_POLICY_RULES_MAX *
            (VES_EVENT_TYPE_MAX + VES_ENTITY_TYPE_MAX + 2) +
        1024
};

/* Names that are allowed: as they stand, "*" for all, or what begins with the
 * text before a "*" at the end.  Ascending, each once. */
struct ves_agent_policy_rules {
    struct ves_bytes list[VES_AGENT_POLICY_RULES_MAX];
    size_t count;
};

struct ves_agent_policy {
    struct ves_agent_policy_rules event_types, entity_types;
    bool is_base_required;
    uint64_t payload_max; /* bytes of a canonical payload; 0: no limit here */
    bool is_enabled;      /* false: as if there were none */
};

/* Reads the members allowedEventTypes, allowedEntityTypes (both needed),
 * requireBaseVersion (true), maxPayloadBytes (no limit) and enabled (true), or
 * the same in snake_case, of an object; others are not looked at.  Views are
 * the object's.  VES_INVALID, with the member's name in *error. */
VES_NODISCARD enum ves_status
ves_agent_policy_read(const struct ves_json *object,
                      struct ves_agent_policy *out, struct ves_error *error);

/* Appends the members, without braces. */
void ves_agent_policy_write(struct ves_buf *buf,
                            const struct ves_agent_policy *policy);

/* VES_OK, or VES_REFUSED with *refusal (policy_violation).  payload_len: of the
 * canonical payload.  What an event is based on is said by its base_version, or
 * by a causal context, or it makes its entity (a type that ends in
 * ".created"). */
VES_NODISCARD enum ves_status
ves_agent_policy_check(const struct ves_agent_policy *policy,
                       const struct ves_event *event, size_t payload_len,
                       struct ves_refusal *refusal);

#endif
