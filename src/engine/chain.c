/* chain.c -- an entity's events as a chain of log rows with jumps. */
#include "engine/chain.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"

/* Myers' lists: n elements are complete trees of 2^k - 1 elements, biggest
 * first as often as they fit; the newest element is the root of the smallest
 * tree and jumps over all of it. */
uint64_t ves_chain_jump_index(uint64_t index)
{
    uint64_t rest = index;
    uint64_t tree = 0;

    VES_ASSERT(index < UINT64_MAX);
    while (rest > 0) {
        int log2 = 63 - __builtin_clzll(rest + 1);
        tree = (UINT64_C(1) << log2) - 1;
        rest -= tree;
    }
    return index - tree;
}

uint64_t ves_chain_wanted(const struct ves_entity_row *entity)
{
    uint64_t target = ves_chain_jump_index(entity->count + 1);

    return target == 0 || target == entity->count ? 0 : entity->last_jump;
}

void ves_chain_link(struct ves_entity_row *entity, uint64_t jump,
                    struct ves_log_row *row)
{
    uint64_t index = entity->count + 1;
    uint64_t target = ves_chain_jump_index(index);

    VES_ASSERT(row->sequence_number > entity->last);
    if (target == 0)
        jump = 0;
    else if (target == entity->count)
        jump = entity->last;

    row->entity_index = index;
    row->entity_prev = entity->last;
    row->entity_jump = jump;
    entity->count = index;
    entity->last = row->sequence_number;
    entity->last_jump = jump;
}

static enum ves_status check_link(struct ves_store *store,
                                  const struct ves_hash *entity_key,
                                  uint64_t sequence, uint64_t index,
                                  const struct ves_link_row *row)
{
    if (row->sequence_number == sequence && row->entity_index == index &&
        ves_hash_equal(&row->entity_key, entity_key))
        return VES_OK;
    return ves_fail(&store->error, VES_CORRUPT,
                    "log row %llu should be event number %llu of its "
                    "entity and is not",
                    (unsigned long long)sequence, (unsigned long long)index);
}

enum ves_status ves_chain_check(struct ves_store *store,
                                const struct ves_entity_row *entity,
                                uint64_t wanted, const struct ves_link_row *row)
{
    return check_link(store, &entity->key, wanted,
                      ves_chain_jump_index(entity->count), row);
}

/* Reads the links of one row, which must be event number index of the
 * entity. */
static enum ves_status read_link(struct ves_store *store, uint32_t stream_no,
                                 const struct ves_hash *entity_key,
                                 uint64_t sequence, uint64_t index,
                                 struct ves_link_row *link)
{
    enum ves_status status =
        store->ops->log_links(store, stream_no, &sequence, 1, link);

    return status ? status
                  : check_link(store, entity_key, sequence, index, link);
}

enum ves_status ves_chain_push(struct ves_store *store, uint32_t stream_no,
                               struct ves_entity_row *entity,
                               struct ves_log_row *row)
{
    struct ves_link_row link = {0};
    uint64_t wanted = ves_chain_wanted(entity);

    if (wanted != 0) {
        enum ves_status status =
            read_link(store, stream_no, &entity->key, wanted,
                      ves_chain_jump_index(entity->count), &link);
        if (status)
            return status;
    }
    ves_chain_link(entity, link.entity_jump, row);
    return VES_OK;
}

enum ves_status ves_chain_find(struct ves_store *store, uint32_t stream_no,
                               const struct ves_entity_row *entity,
                               uint64_t index, uint64_t *sequence)
{
    uint64_t at = entity->count;
    uint64_t at_sequence = entity->last;

    if (index == 0 || index > entity->count)
        return VES_NOT_FOUND;
    while (at > index) {
        struct ves_link_row link = {0};
        enum ves_status status =
            read_link(store, stream_no, &entity->key, at_sequence, at, &link);
        if (status)
            return status;
        uint64_t jump = ves_chain_jump_index(at);
        at_sequence = jump >= index ? link.entity_jump : link.entity_prev;
        at = jump >= index ? jump : at - 1;
    }
    *sequence = at_sequence;
    return VES_OK;
}

enum ves_status ves_chain_from(struct ves_store *store, uint32_t stream_no,
                               const struct ves_entity_row *entity,
                               uint64_t from, uint64_t *index)
{
    uint64_t at = entity->count;
    uint64_t sequence = entity->last;

    /* at is the number of an event, sequence its place, all above is known to
     * be at from or behind it. */
    while (at > 0 && sequence >= from) {
        struct ves_link_row link = {0};
        enum ves_status status =
            read_link(store, stream_no, &entity->key, sequence, at, &link);
        if (status)
            return status;
        bool is_jump = link.entity_jump >= from && link.entity_jump > 0;
        at = is_jump ? ves_chain_jump_index(at) : at - 1;
        sequence = is_jump ? link.entity_jump : link.entity_prev;
    }
    *index = at + 1;
    return VES_OK;
}
