/* tlog_cover.h -- a part of the log, with the proof of where it stands.
 *
 * Somebody has some entries of a range [from, to) and not the others.  For
 * each run of entries he has not, the fewest complete subtrees that cover it
 * ("covers") are enough to go on from the edge at from to the edge at to: what
 * he has is then proven to stand where it stands, and what he skipped to be
 * some entries that the root commits to.  That none of those would have
 * matched what he looked for is not shown.
 */
#ifndef VES_CORE_TLOG_COVER_H
#define VES_CORE_TLOG_COVER_H

#include "core/tlog.h"

/* Entries that somebody has: indices, ascending, each once. */
struct ves_tlog_kept {
    const uint64_t *index;
    size_t count;
};

/* Walks over the covers of [from, to), left to right. */
struct ves_tlog_gaps {
    struct ves_tlog_kept kept;
    uint64_t at, to;
    size_t next; /* of kept */
};

/* VES_INVALID unless from <= to <= VES_TLOG_SIZE_MAX and kept ascends within
 * them.  kept is borrowed until the last _next. */
VES_NODISCARD enum ves_status ves_tlog_gaps_init(struct ves_tlog_gaps *gaps,
                                                 uint64_t from, uint64_t to,
                                                 struct ves_tlog_kept kept);
/* The next cover; false at the end. */
bool ves_tlog_gaps_next(struct ves_tlog_gaps *gaps, struct ves_tlog_node *node);

/* How many covers there are; at most 126 for each run.  VES_INVALID as
 * _gaps_init. */
VES_NODISCARD enum ves_status ves_tlog_cover_count(uint64_t from, uint64_t to,
                                                   struct ves_tlog_kept kept,
                                                   uint64_t *count);

/* Fills covers, which has room for max, from the source; *count: how many.
 * VES_LIMIT when there are more, nothing is read then; VES_INVALID as
 * _gaps_init; what the source says otherwise. */
VES_NODISCARD enum ves_status
ves_tlog_cover_make(const struct ves_tlog_source *source, uint64_t from,
                    uint64_t to, struct ves_tlog_kept kept,
                    struct ves_hash *covers, size_t max, size_t *count);

/* Takes the edge to size to: kept are entries behind the edge, leaves their
 * leaf hashes, covers what lies between, all of it and nothing else.
 * VES_REFUSED, edge unchanged, unless that is so.  It proves nothing until the
 * edge's root is one somebody signed. */
VES_NODISCARD enum ves_status
ves_tlog_edge_extend(struct ves_tlog_edge *edge, uint64_t to,
                     struct ves_tlog_kept kept, const struct ves_hash *leaves,
                     const struct ves_hash *covers, size_t cover_count);

enum { VES_TLOG_RUN_MAX = 126 }; /* covers of one run */

/* Covers of a run that is met piece by piece: joined, they are the covers of
 * the whole.  All zero bytes is the empty run. */
struct ves_tlog_run {
    size_t count;
    struct ves_tlog_node node[VES_TLOG_RUN_MAX];
    struct ves_hash hash[VES_TLOG_RUN_MAX];
};

/* The next node, which begins where the last one ended.  VES_INVALID, run
 * unchanged, unless it does. */
VES_NODISCARD enum ves_status ves_tlog_run_add(struct ves_tlog_run *run,
                                               struct ves_tlog_node node,
                                               const struct ves_hash *hash);

#endif
