/* chain.h -- an entity's events as a chain of log rows with jumps.
 *
 * Every log row names the entity's previous event (entity_prev) and one
 * earlier one (entity_jump), chosen as in Myers' skew-binary lists, so that
 * event number i of an entity is found in O(log n) reads and no further index
 * is needed (design.md D15).
 */
#ifndef VES_ENGINE_CHAIN_H
#define VES_ENGINE_CHAIN_H

#include "port/store.h"

/* Fills row's entity_index, entity_prev and entity_jump as the next event of
 * entity, and moves entity's count, last and last_jump.  row's
 * sequence_number must be set.  Reads at most one earlier row. */
VES_NODISCARD enum ves_status ves_chain_push(struct ves_store *store,
                                             uint32_t stream_no,
                                             struct ves_entity_row *entity,
                                             struct ves_log_row *row);

/* Sequence number of event number index (1-based) of entity, O(log n). */
VES_NODISCARD enum ves_status
ves_chain_find(struct ves_store *store, uint32_t stream_no,
               const struct ves_entity_row *entity, uint64_t index,
               uint64_t *sequence);

#endif
