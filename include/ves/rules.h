/* ves/rules.h -- event types of your own (doc/rules.md).
 *
 * A rules document names types with their operations and payloads.  In the log
 * and signed by the stream's owner it is in force for every event behind it,
 * on every store.  A version never changes.
 */
#ifndef VES_RULES_H
#define VES_RULES_H

#include "ves/agent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Is a document (at most 256 KiB of JSON) good?  agent may be NULL: on top of
 * the built-in types alone; else on top of what its store has pulled.
 * {"types":[{name, version, class, base, merge, isNew}], "newTypes"}.
 * VES_MALFORMED, VES_LIMIT, VES_INVALID with the pointer of what is wrong,
 * VES_CONFLICT: it changes a version that was published. */
VES_API VES_NODISCARD enum ves_status ves_rules_check(struct ves_agent *agent,
                                                      struct ves_bytes document,
                                                      struct ves_jw *jw,
                                                      struct ves_error *error);

/* Signs a good document as the owner of the store's stream and appends it as
 * one event, which is in force when it was synced.  key_file is the admin key;
 * the owner's lies beside it as KEY_FILE.owner-TENANT-STORE.  The document of
 * ves_rules_check with "eventId"; without it when nothing in it is new and
 * nothing was appended.  VES_NOT_FOUND: no owner key there; VES_REFUSED: it is
 * not the owner's of this stream. */
VES_API VES_NODISCARD enum ves_status ves_rules_apply(struct ves_agent *agent,
                                                      const char *key_file,
                                                      struct ves_bytes document,
                                                      struct ves_jw *jw,
                                                      struct ves_error *error);

/* What is in force in the store's log, oldest first:
 * {"rules":[{"sequenceNumber", "types":[..], "document"}], "types"}. */
VES_API VES_NODISCARD enum ves_status ves_rules_show(struct ves_agent *agent,
                                                     struct ves_jw *jw,
                                                     struct ves_error *error);

enum { VES_RULES_NAME_MAX = 256 };

/* Does the program, or what the store has pulled of the log, have rules for an
 * event type?  Events of other types are carried: signed, sequenced and kept,
 * and they change no state (semantics.md decision 9), which is just what a
 * mistyped name does.  near, which may be NULL: the name that was probably
 * meant, "" when none is like it or the type is known. */
VES_API VES_NODISCARD enum ves_status
ves_rules_knows(struct ves_agent *agent, const char *type, bool *is_known,
                char near[VES_RULES_NAME_MAX + 1], struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
