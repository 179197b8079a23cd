/* agent_follow_ups.c -- what the states of a store ask somebody to look at. */
#include "base/bytes.h"
#include "engine/agent_internal.h"
#include "engine/follow_ups.h"

#define META "follow_ups"

enum { STATE_ARENA_MAX = 64 * 1024 * 1024, PAGE = 256 };

enum ves_status
ves_core_follow_ups_of(struct ves_arena *arena, struct ves_bytes entity_type,
                       struct ves_bytes state,
                       struct ves_follow_up out[VES_FOLLOW_UPS_MAX],
                       size_t *count)
{
    const struct ves_json *root;

    *count = 0;
    if (!ves_follow_ups_may(entity_type, state))
        return VES_OK;
    enum ves_status status = ves_json_read(arena, state, NULL, &root, NULL);
    if (!status)
        *count = ves_follow_ups(entity_type, root, out);
    return status == VES_MALFORMED ? VES_CORRUPT : status;
}

/* ---- counting ------------------------------------------------------------ */

enum ves_status ves_device_follow_ups_begin(struct ves_agent_core *core,
                                            uint64_t count)
{
    return ves_device_number_put(core, META, count);
}

enum ves_status ves_core_follow_ups(struct ves_agent_core *core, uint64_t *out)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, 4096);
    enum ves_status status =
        ves_device_number_get(core, &arena, META, 0, 0, INT64_MAX, out);
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_device_follow_ups_change(struct ves_arena *scratch,
                                             const struct ves_entity_row *row,
                                             struct ves_bytes state,
                                             int64_t *change)
{
    struct ves_follow_up list[VES_FOLLOW_UPS_MAX];
    size_t before, after;

    if (!ves_follow_ups_may(row->entity_type, row->state) &&
        !ves_follow_ups_may(row->entity_type, state))
        return VES_OK;
    ves_arena_reset(scratch);
    enum ves_status status = ves_core_follow_ups_of(scratch, row->entity_type,
                                                    row->state, list, &before);
    if (!status)
        status = ves_core_follow_ups_of(scratch, row->entity_type, state, list,
                                        &after);
    if (!status)
        *change += (int64_t)after - (int64_t)before;
    return status;
}

enum ves_status ves_device_follow_ups_add(struct ves_agent_core *core,
                                          int64_t change)
{
    uint64_t count;

    if (change == 0)
        return VES_OK;
    enum ves_status status = ves_core_follow_ups(core, &count);
    if (status)
        return status;
    /* A store that was folded before they were counted knows of none. */
    count = change < 0 && count < (uint64_t)-change
                ? 0
                : (uint64_t)((int64_t)count + change);
    return ves_device_number_put(core, META, count);
}

/* ---- finding ------------------------------------------------------------- */

struct walk {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    ves_follow_up_visitor *visit;
    void *ctx;
    struct ves_hash last;
    size_t seen;
};

static enum ves_status look(void *ctx, const struct ves_entity_row *row)
{
    struct walk *walk = ctx;
    struct ves_follow_up list[VES_FOLLOW_UPS_MAX];
    size_t count;

    walk->last = row->key;
    walk->seen++;
    ves_arena_reset(walk->arena);
    enum ves_status status = ves_core_follow_ups_of(
        walk->arena, row->entity_type, row->state, list, &count);
    for (size_t i = 0; i < count && !status; i++)
        status = walk->visit(walk->ctx, row, &list[i]);
    return status;
}

/* The key after; false past the last. */
static bool step(struct ves_hash *key)
{
    for (size_t i = VES_HASH_SIZE; i > 0; i--) {
        if (++key->b[i - 1] != 0)
            return true;
    }
    return false;
}

static enum ves_status walk_type(struct walk *walk, const char *type)
{
    struct ves_hash from = {{0}};
    enum ves_status status = VES_OK;

    /* In pages: nobody's commit waits for a long look. */
    do {
        walk->seen = 0;
        status = walk->core->store->ops->entity_scan(
            walk->core->store, walk->core->stream_no, &from, PAGE,
            ves_bytes_str(type), look, walk);
        from = walk->last;
    } while (!status && walk->seen == PAGE && step(&from));
    return status;
}

enum ves_status ves_core_follow_ups_list(struct ves_agent_core *core,
                                         struct ves_bytes entity_type,
                                         ves_follow_up_visitor *visit,
                                         void *ctx)
{
    struct ves_arena arena;
    struct walk walk = {
        .core = core, .arena = &arena, .visit = visit, .ctx = ctx};
    enum ves_status status = VES_OK;

    ves_arena_init(&arena, core->alloc, STATE_ARENA_MAX);
    const char *type;
    for (size_t i = 0; !status && (type = ves_follow_up_type(i)); i++) {
        if (entity_type.len == 0 || ves_bytes_is(entity_type, type))
            status = walk_type(&walk, type);
    }
    ves_arena_free(&arena);
    return status;
}
