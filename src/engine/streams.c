/* streams.c -- the streams of a store as a list. */
#include "engine/streams.h"

#include "base/bytes.h"
#include "base/uuid.h"

struct list {
    struct ves_arena *arena;
    const struct ves_uuid *tenant;
    struct ves_stream_item *first;
};

static enum ves_status take(void *ctx, const struct ves_stream_row *row)
{
    struct list *list = ctx;

    if (list->tenant && !ves_uuid_equal(&row->stream.tenant, list->tenant))
        return VES_OK;
    struct ves_stream_item *item = ves_arena_alloc(list->arena, sizeof(*item));
    if (!item)
        return VES_NOMEM;
    item->row = *row;
    item->next = list->first;
    list->first = item;
    return VES_OK;
}

enum ves_status ves_streams_list(struct ves_store *store,
                                 const struct ves_uuid *tenant,
                                 struct ves_arena *arena,
                                 struct ves_stream_item **first)
{
    struct list list = {.arena = arena, .tenant = tenant};

    enum ves_status status = store->ops->stream_list(store, take, &list);
    *first = list.first;
    return status;
}
