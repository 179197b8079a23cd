/* merge.h -- three-way merges of states, by named and versioned functions.
 *
 * semantics.md 3.4 and 3.5.  Absent is a value, distinct from null.  For every
 * value: what both sides have alike stands; what one side left as it was gives
 * way to the other; else the rule of the function decides, objects recurse,
 * and what is left overlaps.  Arrays are one value unless a rule names the key
 * of their items.  Nothing is guessed: a merge that overlaps says where.
 *
 *   never       merges nothing
 *   fields/1    as above
 *   order/1     fields; `lines` by line_uid, line_id, uid or id; `tags` a set;
 *               members of `totals`, and total_minor and subtotal_minor beside
 *               them, are derived: where on all three sides they differ from
 *               the sum of the lines' total_minor by the same amount, they do
 *               so in the result
 *   customer/1  fields; `tags` an observed-remove set; `addresses`, `phones`
 *               and `emails` by their id; `notes` a list both add to;
 *               `consents` by purpose, and of two changes of one consent the
 *               more restrictive stands; loyalty_points, points,
 *               store_credit_minor and balance_minor are sums
 *   deltas/1    fields; numbers are sums: base + what each side added
 *
 * The result does not depend on which side is called local, but for two
 * declared ties: of two equally restrictive consents the one with the smaller
 * canonical JSON stands, and where sides overlap the value holds remote's.
 * An item of an array that is merged by key is named by its key in paths.
 */
#ifndef VES_CORE_MERGE_H
#define VES_CORE_MERGE_H

#include "json/json.h"

#define VES_MERGE_CUSTOMER "customer/1"

enum { VES_MERGE_OVERLAPS_MAX = 256 }; /* that are told one by one */

/* NULL: absent there. */
struct ves_merge_overlap {
    struct ves_bytes path; /* JSON pointer, "" for the whole */
    const struct ves_json *base, *local, *remote;
};

struct ves_merge_result {
    bool is_clean;
    const struct ves_json *value; /* NULL: absent */
    struct ves_merge_overlap *overlaps;
    size_t overlap_count;
    bool has_more;      /* overlaps than were told */
    const char *reason; /* why nothing was merged: static, else NULL */
};

/* Is there a function of that name? */
bool ves_merge_is_known(const char *function);

/* Any of the three may be NULL: absent.  Results share memory with arena and
 * inputs.  VES_OK, clean or not; VES_NOMEM; VES_UNSUPPORTED: no function of
 * that name. */
VES_NODISCARD enum ves_status
ves_merge(struct ves_arena *arena, const char *function,
          const struct ves_json *base, const struct ves_json *local,
          const struct ves_json *remote, struct ves_merge_result *out);

#endif
