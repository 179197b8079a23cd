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

/* The two halves of ves_chain_push, for a writer whose earlier rows are not
 * in the store yet.  ves_chain_wanted: sequence of the row whose entity_jump
 * the entity's next event takes over, 0 when it needs none; that row's
 * entity_index is ves_chain_jump_index(entity->count).  ves_chain_link: does
 * the rest; jump is that row's entity_jump, 0 when none was wanted. */
uint64_t ves_chain_wanted(const struct ves_entity_row *entity);
void ves_chain_link(struct ves_entity_row *entity, uint64_t jump,
                    struct ves_log_row *row);

/* Is that the row that was wanted?  VES_CORRUPT when it is not. */
VES_NODISCARD enum ves_status
ves_chain_check(struct ves_store *store, const struct ves_entity_row *entity,
                uint64_t wanted, const struct ves_link_row *row);

/* Number of the event that event number index jumps to; 0 for the start. */
uint64_t ves_chain_jump_index(uint64_t index);

/* Sequence number of event number index (1-based) of entity, O(log n) reads.
 * VES_NOT_FOUND when the entity has fewer events; VES_CORRUPT when the chain
 * does not hold together. */
VES_NODISCARD enum ves_status
ves_chain_find(struct ves_store *store, uint32_t stream_no,
               const struct ves_entity_row *entity, uint64_t index,
               uint64_t *sequence);

/* Number (1-based) of entity's first event whose sequence number is at least
 * from, count + 1 when there is none; O(log n) reads. */
VES_NODISCARD enum ves_status
ves_chain_from(struct ves_store *store, uint32_t stream_no,
               const struct ves_entity_row *entity, uint64_t from,
               uint64_t *index);

#endif
