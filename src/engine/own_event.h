/* own_event.h -- events of the sequencer's own agent (ADR 0025).
 *
 * Its id is the sequencer's, its keys are the receipt keys, a key id is a
 * version.  Such an event carries no `_ves`, waits for nothing, and is a
 * request of its own, so that it never stands inside another's range.
 */
#ifndef VES_ENGINE_OWN_EVENT_H
#define VES_ENGINE_OWN_EVENT_H

#include "engine/sequencer.h"

struct ves_own_event {
    struct ves_stream stream;
    const char *event_type; /* beginning "ves." */
    const char *entity_type;
    const char *entity_id;
    struct ves_bytes payload; /* a JSON object */
};

/* Makes, signs and prepares it; *ingest is then committed like any request and
 * freed with ves_ingest_free.  Its id follows from stream, type and payload:
 * the same again is the same event.  arena holds the bytes. */
VES_NODISCARD enum ves_status
ves_own_event_prepare(struct ves_sequencer *sequencer,
                      const struct ves_own_event *what, int64_t now_ms,
                      struct ves_arena *arena, struct ves_ingest *ingest);

/* The sequencer's agent as an entry of the tenant's key table, put there at
 * its first event.  Needs a transaction open. */
VES_NODISCARD enum ves_status ves_own_key_put(struct ves_sequencer *sequencer,
                                              const struct ves_uuid *tenant);

#endif
