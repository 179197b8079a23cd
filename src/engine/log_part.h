/* log_part.h -- some events of a stream's log, chosen by what they are about,
 * and the covers of what lies between them.
 *
 * A part is of a range of numbers, begins where the last one ended, and costs
 * a bounded amount of work: it ends early, and another part goes on.
 */
#ifndef VES_ENGINE_LOG_PART_H
#define VES_ENGINE_LOG_PART_H

#include "core/tlog_cover.h"
#include "port/store.h"

enum {
    /* Numbers a part covers when every one of them must be looked at. */
    VES_LOG_PART_SPAN = 20000,
    VES_LOG_PART_COVERS_MAX = 16384
};

struct ves_log_filter {
    struct ves_bytes entity_type; /* "": any */
    struct ves_bytes entity_id;   /* "": any */
};

/* The events that match in [from, to), by number, and nothing else does. */
struct ves_log_part {
    uint64_t from, to;
    uint64_t *sequences;
    size_t count;
};

/* Looks from number from on, in the first size entries; at most limit events.
 * from is 1 to size + 1.  An entity named with type and id is found along its
 * chain, however long the log; otherwise a part spans at most
 * VES_LOG_PART_SPAN numbers.  The array is in arena. */
VES_NODISCARD enum ves_status
ves_log_part_find(struct ves_store *store, uint32_t stream_no,
                  const struct ves_log_filter *filter, uint64_t from,
                  uint64_t size, size_t limit, struct ves_arena *arena,
                  struct ves_log_part *part);

/* Ends the part behind its first count events; count is not 0. */
void ves_log_part_cut(struct ves_log_part *part, size_t count);

/* Covers of what is between, at most VES_LOG_PART_COVERS_MAX, in arena; size
 * as given to _find. */
VES_NODISCARD enum ves_status
ves_log_part_cover(struct ves_store *store, uint32_t stream_no, uint64_t size,
                   const struct ves_log_part *part, struct ves_arena *arena,
                   struct ves_hash **covers, size_t *count);

#endif
