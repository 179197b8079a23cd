/* tlog_cover.c -- a part of the log, with the proof of where it stands. */
#include "core/tlog_cover.h"

#include "base/assert.h"

/* Ascending, each once, all within [from, to)? */
static bool is_kept_well(uint64_t from, uint64_t to, struct ves_tlog_kept kept)
{
    if (from > to || to > VES_TLOG_SIZE_MAX)
        return false;
    for (size_t i = 0; i < kept.count; i++) {
        if (kept.index[i] < from || kept.index[i] >= to)
            return false;
        from = kept.index[i] + 1;
    }
    return true;
}

enum ves_status ves_tlog_gaps_init(struct ves_tlog_gaps *gaps, uint64_t from,
                                   uint64_t to, struct ves_tlog_kept kept)
{
    if (!is_kept_well(from, to, kept))
        return VES_INVALID;
    gaps->kept = kept;
    gaps->at = from;
    gaps->to = to;
    gaps->next = 0;
    return VES_OK;
}

bool ves_tlog_gaps_next(struct ves_tlog_gaps *gaps, struct ves_tlog_node *node)
{
    while (gaps->next < gaps->kept.count) {
        uint64_t index = gaps->kept.index[gaps->next];
        if (ves_tlog_cover_next(&gaps->at, index, node))
            return true;
        gaps->at = index + 1;
        gaps->next++;
    }
    return ves_tlog_cover_next(&gaps->at, gaps->to, node);
}

enum ves_status ves_tlog_cover_count(uint64_t from, uint64_t to,
                                     struct ves_tlog_kept kept, uint64_t *count)
{
    struct ves_tlog_gaps gaps;
    struct ves_tlog_node node;
    enum ves_status status = ves_tlog_gaps_init(&gaps, from, to, kept);

    *count = 0;
    if (status)
        return status;
    while (ves_tlog_gaps_next(&gaps, &node))
        ++*count;
    return VES_OK;
}

enum ves_status ves_tlog_cover_make(const struct ves_tlog_source *source,
                                    uint64_t from, uint64_t to,
                                    struct ves_tlog_kept kept,
                                    struct ves_hash *covers, size_t max,
                                    size_t *count)
{
    struct ves_tlog_node nodes[VES_TLOG_READ_MAX];
    struct ves_tlog_gaps gaps;
    uint64_t needed;
    enum ves_status status = ves_tlog_cover_count(from, to, kept, &needed);

    *count = 0;
    if (!status && needed > max)
        status = VES_LIMIT;
    if (!status)
        status = ves_tlog_gaps_init(&gaps, from, to, kept);
    /* In parts: a source opens each tile once a part. */
    while (!status && *count < needed) {
        size_t part = 0;
        while (part < VES_TLOG_READ_MAX &&
               ves_tlog_gaps_next(&gaps, &nodes[part]))
            part++;
        status = source->read(source->ctx, nodes, part, &covers[*count]);
        *count += part;
    }
    return status;
}

enum ves_status ves_tlog_edge_extend(struct ves_tlog_edge *edge, uint64_t to,
                                     struct ves_tlog_kept kept,
                                     const struct ves_hash *leaves,
                                     const struct ves_hash *covers,
                                     size_t cover_count)
{
    struct ves_tlog_edge at = *edge;
    struct ves_tlog_gaps gaps;
    struct ves_tlog_node node;
    uint64_t needed;
    size_t used = 0, added = 0;

    if (ves_tlog_cover_count(edge->size, to, kept, &needed) ||
        needed != cover_count || ves_tlog_gaps_init(&gaps, at.size, to, kept))
        return VES_REFUSED;
    for (;;) {
        bool is_cover = ves_tlog_gaps_next(&gaps, &node);
        /* What is kept up to where the walk has come. */
        uint64_t end = is_cover ? node.index << node.level : to;
        enum ves_status status = VES_OK;
        while (!status && at.size < end)
            status = ves_tlog_edge_add(&at, 0, &leaves[added++]);
        if (!status && is_cover)
            status = ves_tlog_edge_add(&at, node.level, &covers[used++]);
        VES_ASSERT(!status && added <= kept.count && used <= cover_count);
        if (!is_cover)
            break;
    }
    VES_ASSERT(added == kept.count && used == cover_count && at.size == to);
    *edge = at;
    return VES_OK;
}

enum ves_status ves_tlog_run_add(struct ves_tlog_run *run,
                                 struct ves_tlog_node node,
                                 const struct ves_hash *hash)
{
    struct ves_hash at = *hash;

    if (node.level > VES_TLOG_LEVEL_MAX ||
        node.index >= VES_TLOG_SIZE_MAX >> node.level)
        return VES_INVALID;
    if (run->count > 0) {
        const struct ves_tlog_node *last = &run->node[run->count - 1];
        if ((last->index + 1) << last->level != node.index << node.level)
            return VES_INVALID;
    }
    while (run->count > 0 && node.index % 2 == 1 &&
           run->node[run->count - 1].level == node.level) {
        ves_tlog_node_hash(&run->hash[--run->count], &at, &at);
        node.level++;
        node.index /= 2;
    }
    VES_ASSERT(run->count < VES_TLOG_RUN_MAX);
    run->node[run->count] = node;
    run->hash[run->count++] = at;
    return VES_OK;
}
