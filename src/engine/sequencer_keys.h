/* sequencer_keys.h -- the tables of keys and spans.  Inside src/engine only;
 * key_entry.c enters what changes here in the logs.
 */
#ifndef VES_ENGINE_SEQUENCER_KEYS_H
#define VES_ENGINE_SEQUENCER_KEYS_H

#include "engine/sequencer.h"

/* Is the key for that stream, or for all of its tenant? */
bool ves_key_is_for(const struct ves_key_row *key,
                    const struct ves_stream *stream);

/* Where the key is valid in the stream, given what the table of spans has:
 * nowhere when it is for another one, from the start when the table has
 * nothing, since then the stream is younger. */
void ves_key_span_in(const struct ves_stream *stream,
                     const struct ves_key_row *key, struct ves_key_span *span);

/* Both inside the open transaction, results as ves_sequencer_register_key. */
VES_NODISCARD enum ves_status ves_keys_register(struct ves_sequencer *sequencer,
                                                const struct ves_key_row *row,
                                                struct ves_arena *arena,
                                                struct ves_error *error);
/* key is not revoked yet. */
VES_NODISCARD enum ves_status ves_keys_revoke(struct ves_sequencer *sequencer,
                                              struct ves_key_row *key,
                                              int64_t now_ms,
                                              struct ves_arena *arena);

#endif
