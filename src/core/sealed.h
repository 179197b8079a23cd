/* sealed.h -- others' encrypted payloads: structure and cipher hash.
 *
 * protocol.md A.11, the Rust layout first, then the JS layout.  Nothing is
 * opened here (design.md D19): such events are carried and judged by their
 * envelope.
 */
#ifndef VES_CORE_SEALED_H
#define VES_CORE_SEALED_H

#include "core/event.h"

/* Structure, algorithm names, sizes, recipient order, and payload_cipher_hash
 * in either layout; of one that is in a log, only what the hash is made of.
 * VES_REFUSED with SCHEMA_VALIDATION or INVALID_CIPHER_HASH; VES_NOMEM when the
 * arena is full. */
VES_NODISCARD enum ves_status ves_sealed_check(struct ves_arena *arena,
                                               const struct ves_event *event,
                                               bool is_logged,
                                               struct ves_refusal *refusal);

/* Associated data without (Rust) or with (JS) the version number. */
void ves_sealed_aad(const struct ves_event *event, bool with_version,
                    struct ves_hash *out);

#endif
