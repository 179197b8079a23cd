/* rules_internal.h -- one rules document as the reader leaves it.
 *
 * Inside src/core/rules*.c only.
 */
#ifndef VES_CORE_RULES_INTERNAL_H
#define VES_CORE_RULES_INTERNAL_H

#include "core/rules.h"

struct ves_rules {
    const struct ves_alloc *alloc;
    struct ves_arena arena; /* everything below */
    const struct ves_rules *before;
    uint64_t sequence;
    struct ves_bytes document; /* canonical */
    const struct ves_json *root;
    struct ves_event_type *types;
    const struct ves_json **type_sources; /* what each was read from */
    size_t type_count;
    struct ves_entity_type *entities;
    const struct ves_json **entity_sources;
    size_t entity_count;
};

/* Fills in types and entities from root. */
VES_NODISCARD enum ves_status ves_rules_parse(struct ves_rules *rules,
                                              struct ves_error *error);

#endif
