/* ingest.h -- what reading and preparing a request share.  Inside src/engine
 * only; the contract is sequencer.h.
 */
#ifndef VES_ENGINE_INGEST_H
#define VES_ENGINE_INGEST_H

#include "engine/sequencer.h"

/* The event id in an element that need not be a legible event; false when it
 * is not there exactly once. */
bool ves_ingest_peek_event_id(struct ves_bytes element, struct ves_uuid *out);

#endif
