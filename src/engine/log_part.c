/* log_part.c -- some events of a stream's log, chosen by what they are about.
 */
#include "engine/log_part.h"

#include "base/assert.h"
#include "core/entity.h"
#include "engine/chain.h"
#include "engine/log_tree.h"

struct search {
    struct ves_store *store;
    uint32_t stream_no;
    const struct ves_log_filter *filter;
    uint64_t size;
    size_t limit;
    struct ves_arena *arena;
    struct ves_log_part *part;
};

struct link {
    uint64_t prev;
    bool is_found;
};

static enum ves_status take_prev(void *ctx, const struct ves_log_row *row)
{
    struct link *link = ctx;

    link->prev = row->entity_prev;
    link->is_found = true;
    return VES_OK;
}

/* Events number first to last of the entity, met from the last one back. */
static enum ves_status walk_back(struct search *search,
                                 const struct ves_entity_row *entity,
                                 uint64_t first, uint64_t last)
{
    struct ves_log_part *part = search->part;
    uint64_t sequence = 0;
    enum ves_status status = ves_chain_find(search->store, search->stream_no,
                                            entity, last, &sequence);

    part->count = (size_t)(last - first + 1);
    for (size_t i = part->count; !status && i > 0; i--) {
        struct link link = {.prev = 0};
        part->sequences[i - 1] = sequence;
        status = search->store->ops->log_read(search->store, search->stream_no,
                                              sequence, 1, take_prev, &link);
        if (!status && (!link.is_found || link.prev >= sequence))
            status = VES_CORRUPT;
        sequence = link.prev;
    }
    return status;
}

static enum ves_status find_entity(struct search *search)
{
    struct ves_log_part *part = search->part;
    struct ves_entity_row entity;
    struct ves_entity_name name;
    uint64_t first;

    ves_entity_name(search->filter->entity_type, search->filter->entity_id,
                    &name);
    part->to = search->size + 1;
    enum ves_status status = search->store->ops->entity_get(
        search->store, search->stream_no, &name, 1, search->arena, &entity);
    if (status || !entity.is_found)
        return status;
    status = ves_chain_from(search->store, search->stream_no, &entity,
                            part->from, &first);
    if (status || first > entity.count)
        return status;
    uint64_t left = entity.count - first + 1;
    bool is_cut = left > search->limit;
    status = walk_back(search, &entity, first,
                       first + (is_cut ? search->limit : left) - 1);
    if (status)
        return status;
    /* What is stored and not yet signed is of a later part. */
    while (part->count > 0 && part->sequences[part->count - 1] > search->size) {
        part->count--;
        is_cut = false;
    }
    if (is_cut)
        part->to = part->sequences[part->count - 1] + 1;
    return VES_OK;
}

static enum ves_status find_along(struct search *search)
{
    struct ves_log_part *part = search->part;
    uint64_t left = search->size + 1 - part->from;

    part->to = part->from +
               (left < VES_LOG_PART_SPAN ? left : (uint64_t)VES_LOG_PART_SPAN);
    const struct ves_log_match match = {.entity_type =
                                            search->filter->entity_type,
                                        .entity_id = search->filter->entity_id,
                                        .from = part->from,
                                        .to = part->to};
    enum ves_status status = search->store->ops->log_match(
        search->store, search->stream_no, &match, part->sequences,
        search->limit, &part->count);
    if (!status && part->count == search->limit)
        ves_log_part_cut(part, part->count);
    return status;
}

/* Ends a part whose covers would be too many. */
static void bound_covers(struct ves_log_part *part)
{
    uint64_t at = part->from - VES_TLOG_FIRST;
    struct ves_tlog_node node;
    size_t count = 0;

    for (size_t i = 0; i < part->count; i++) {
        uint64_t index = part->sequences[i] - VES_TLOG_FIRST;
        while (ves_tlog_cover_next(&at, index, &node))
            count++;
        at = index + 1;
        if (count > VES_LOG_PART_COVERS_MAX - 2 * VES_TLOG_RUN_MAX) {
            ves_log_part_cut(part, i + 1);
            return;
        }
    }
}

enum ves_status ves_log_part_find(struct ves_store *store, uint32_t stream_no,
                                  const struct ves_log_filter *filter,
                                  uint64_t from, uint64_t size, size_t limit,
                                  struct ves_arena *arena,
                                  struct ves_log_part *part)
{
    struct search search = {.store = store,
                            .stream_no = stream_no,
                            .filter = filter,
                            .size = size,
                            .limit = limit,
                            .arena = arena,
                            .part = part};

    VES_ASSERT(from >= VES_TLOG_FIRST && from <= size + 1 && limit > 0);
    part->from = from;
    part->count = 0;
    part->sequences = ves_arena_alloc(arena, limit * sizeof(uint64_t));
    if (!part->sequences)
        return VES_NOMEM;
    bool is_one = filter->entity_type.len > 0 && filter->entity_id.len > 0;
    enum ves_status status =
        is_one ? find_entity(&search) : find_along(&search);
    if (!status)
        bound_covers(part);
    return status;
}

void ves_log_part_cut(struct ves_log_part *part, size_t count)
{
    VES_ASSERT(count > 0 && count <= part->count);
    part->count = count;
    part->to = part->sequences[count - 1] + 1;
}

enum ves_status ves_log_part_cover(struct ves_store *store, uint32_t stream_no,
                                   uint64_t size,
                                   const struct ves_log_part *part,
                                   struct ves_arena *arena,
                                   struct ves_hash **covers, size_t *count)
{
    struct ves_log_source source;
    uint64_t needed;
    uint64_t *indices =
        ves_arena_alloc(arena, (part->count + 1) * sizeof(*indices));

    if (!indices)
        return VES_NOMEM;
    for (size_t i = 0; i < part->count; i++)
        indices[i] = part->sequences[i] - VES_TLOG_FIRST;
    const struct ves_tlog_kept kept = {indices, part->count};
    uint64_t from = part->from - VES_TLOG_FIRST, to = part->to - VES_TLOG_FIRST;
    if (ves_tlog_cover_count(from, to, kept, &needed) ||
        needed > VES_LOG_PART_COVERS_MAX)
        return VES_CORRUPT;
    *covers = ves_arena_alloc(arena, (size_t)(needed + 1) * sizeof(**covers));
    if (!*covers)
        return VES_NOMEM;
    ves_log_source_init(&source, store, stream_no, size);
    return ves_tlog_cover_make(&source.tiles.source, from, to, kept, *covers,
                               (size_t)needed, count);
}
