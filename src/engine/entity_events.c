/* entity_events.c -- all events of one entity, from the log. */
#include "engine/entity_events.h"

#include "base/bytes.h"
#include "core/entity.h"
#include "engine/folding.h"

struct row_visit {
    struct ves_store *store;
    struct ves_arena *arena;
    uint64_t previous; /* of the entity */
    struct ves_event event;
    bool has_event;
};

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct row_visit *visit = ctx;
    struct ves_bytes envelope;

    visit->previous = row->entity_prev;
    visit->has_event = row->envelope.len > 0;
    if (!visit->has_event)
        return VES_OK;
    if (ves_arena_copy(visit->arena, row->envelope, &envelope))
        return VES_NOMEM;
    return ves_log_event_read(visit->arena, envelope, &visit->store->error,
                              &visit->event);
}

/* From the last back to the first, then turned round. */
static enum ves_status read_rows(struct row_visit *visit, uint32_t stream_no,
                                 const struct ves_entity_row *entity,
                                 struct ves_entity_events *out)
{
    struct ves_store *store = visit->store;
    size_t room = (size_t)entity->count, at = room;
    struct ves_event *events =
        ves_arena_alloc(visit->arena, room * sizeof(*events));
    uint64_t *sequences =
        ves_arena_alloc(visit->arena, room * sizeof(*sequences));
    enum ves_status status = VES_OK;

    if (!events || !sequences)
        return VES_NOMEM;
    for (uint64_t number = entity->last; number > 0 && at > 0 && !status;
         number = visit->previous) {
        visit->previous = 0;
        visit->has_event = false;
        status =
            store->ops->log_read(store, stream_no, number, 1, take_row, visit);
        if (status || !visit->has_event)
            continue;
        events[--at] = visit->event;
        sequences[at] = number;
    }
    *out = (struct ves_entity_events){events + at, sequences + at, room - at};
    return status;
}

enum ves_status
ves_entity_events_read(struct ves_store *store, uint32_t stream_no,
                       const char *entity_type, const char *entity_id,
                       struct ves_arena *arena, struct ves_entity_events *out)
{
    struct row_visit visit = {.store = store, .arena = arena};
    struct ves_entity_row entity;
    struct ves_entity_name name;

    *out = (struct ves_entity_events){NULL, NULL, 0};
    ves_entity_name(ves_bytes_str(entity_type), ves_bytes_str(entity_id),
                    &name);
    enum ves_status status =
        store->ops->entity_get(store, stream_no, &name, 1, arena, &entity);
    if (status || !entity.is_found || entity.count == 0)
        return status;
    return read_rows(&visit, stream_no, &entity, out);
}
