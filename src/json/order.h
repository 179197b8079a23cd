/* order.h -- members of an object in canonical order. */
#ifndef VES_JSON_ORDER_H
#define VES_JSON_ORDER_H

#include "base/arena.h"
#include "json/json.h"

/* Does every name come after the one before it (so that none is double)? */
bool ves_json_is_ordered(const struct ves_json *object);

/* Members by ves_jcs_compare_keys, equal ones in document order; the array
 * has count elements and lives in the arena.  O(n log n). */
VES_NODISCARD enum ves_status ves_json_order(struct ves_arena *arena,
                                             const struct ves_json *object,
                                             const struct ves_json ***out);

#endif
