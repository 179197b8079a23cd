/* entity_events.h -- all events of one entity, from the log. */
#ifndef VES_ENGINE_ENTITY_EVENTS_H
#define VES_ENGINE_ENTITY_EVENTS_H

#include "core/event.h"
#include "port/store.h"

struct ves_entity_events {
    struct ves_event *events; /* in the order of the log */
    uint64_t *sequences;
    size_t count;
};

/* Reads them into the arena, but those whose bodies are gone. */
VES_NODISCARD enum ves_status
ves_entity_events_read(struct ves_store *store, uint32_t stream_no,
                       const char *entity_type, const char *entity_id,
                       struct ves_arena *arena, struct ves_entity_events *out);

#endif
