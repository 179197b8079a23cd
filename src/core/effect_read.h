/* effect_read.h -- the effects and references of one event, from the catalogue.
 *
 * Inside src/core, tests and whoever shows footprints.
 */
#ifndef VES_CORE_EFFECT_READ_H
#define VES_CORE_EFFECT_READ_H

#include "base/entity_name.h"
#include "core/effect.h"
#include "core/types.h"

enum {
    /* Comparing two events is the product of their effects.  Beyond it an
     * event's footprint is the whole entity. */
    VES_EFFECTS_MAX = 256,
    VES_EFFECT_PATH_MAX = 1024, /* bytes; the same goes for longer ones */
    VES_REFERENCES_MAX = 256,   /* later ones of one event are not looked at */
    VES_OPERATIONS_MAX = 4096   /* of one event, spelt out */
};

/* What a payload of that type does; payload is an object with or without
 * "_ves", which is no part of it.  Lists live in the arena.  VES_OK or
 * VES_NOMEM. */
VES_NODISCARD enum ves_status ves_effects_of_payload(
    struct ves_arena *arena, const struct ves_event_type *type,
    const struct ves_json *payload, const struct ves_uuid *event_id,
    struct ves_effects *out);

/* Operations of a resolution's result: {"ops":[{"op":"set","path":"/email",
 * "value":...}]}, op one of set, delta, add_to_set, append, transition,
 * advance, delete, restore (the last two concern the entity and have no path);
 * or
 * {"patch":{...}} (RFC 7396); or null for none.  Anything else counts as a
 * change of the whole entity, so that it conflicts rather than slips through.
 */
VES_NODISCARD enum ves_status
ves_effects_of_result(struct ves_arena *arena, const struct ves_json *result,
                      struct ves_effects *out);

/* The entities a payload refers to, each once, with texts of their own. */
VES_NODISCARD enum ves_status
ves_references_of_payload(struct ves_arena *arena,
                          const struct ves_event_type *type,
                          const struct ves_json *payload,
                          struct ves_entity_name **names, size_t *count);

/* What an event does, as such a list of operations: doing them to another
 * state is what "the event on top of that" means.  Entries and members it
 * makes are set.  Appends a JSON array to out.  VES_INVALID when it cannot be
 * said without its state (reservations) or takes more than VES_OPERATIONS_MAX;
 * VES_NOMEM, VES_LIMIT. */
VES_NODISCARD enum ves_status
ves_operations_write(struct ves_arena *arena, const struct ves_event_type *type,
                     const struct ves_json *payload,
                     const struct ves_uuid *event_id, struct ves_buf *out);

/* The name of an operation in JSON: "set", "delta" ... */
const char *ves_op_name(enum ves_op op);
/* False unless name is one that a result may hold. */
bool ves_op_read(struct ves_bytes name, enum ves_op *op);

#endif
