/* pinned.h -- what this store has pinned, as the beliefs of a verifier. */
#ifndef VES_SYNC_PINNED_H
#define VES_SYNC_PINNED_H

#include "agent/agent.h"
#include "core/note.h"

/* Appends a policy: these keys sign the log under its origin's name, no
 * witness is asked for. */
VES_NODISCARD enum ves_status
ves_pinned_policy(const struct ves_sequencer_key *keys, size_t count,
                  struct ves_bytes origin, struct ves_buf *out);

/* The newest pinned key under that name, NUL-terminated; "" without one. */
void ves_pinned_log_key(const struct ves_agent *agent, struct ves_bytes origin,
                        char *out, size_t size);

/* NULL, empty, or a name a bundle can carry?  VES_INVALID with words. */
VES_NODISCARD enum ves_status ves_pinned_check_name(const char *policy_name,
                                                    struct ves_error *error);

/* Verifies a bundle with what this store believes.  VES_REFUSED, with the
 * line's words, unless every property is proven; but keys that are nobody's
 * word in the log are the stream's affair. */
VES_NODISCARD enum ves_status ves_pinned_verify(const struct ves_agent *agent,
                                                struct ves_bytes policy,
                                                struct ves_bytes bundle,
                                                struct ves_arena *arena,
                                                struct ves_error *error);

#endif
