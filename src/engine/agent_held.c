/* agent_held.c -- the beginning of an atomic group that did not fit a page.
 *
 * Its members are in the log without a verdict: what becomes of them depends
 * on the whole group, and must not depend on where pages end.
 */
#include "base/bytes.h"
#include "engine/agent_internal.h"
#include "engine/folding.h"

struct reader {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_device_held *held;
    bool is_over;
};

static enum ves_status look(void *ctx, const struct ves_log_row *row)
{
    struct reader *reader = ctx;

    reader->is_over = row->verdict != VES_VERDICT_NONE;
    return VES_OK;
}

static enum ves_status take(void *ctx, const struct ves_log_row *row)
{
    struct reader *reader = ctx;
    struct ves_device_held *held = reader->held;
    struct ves_log_row *kept = &held->rows[held->count];

    *kept = *row;
    kept->raw = ves_bytes(NULL, 0);
    if (ves_arena_copy(reader->arena, row->envelope, &kept->envelope))
        return VES_NOMEM;
    enum ves_status status =
        ves_log_event_read(reader->arena, kept->envelope, &reader->core->error,
                           &held->events[held->count]);
    if (!status)
        held->count++;
    return status;
}

/* How many rows at the end of the log have no verdict. */
static enum ves_status count(struct reader *reader, uint64_t cursor,
                             uint64_t *out)
{
    struct ves_agent_core *core = reader->core;
    enum ves_status status = VES_OK;

    for (*out = 0; *out < cursor && !status; ++*out) {
        status = core->store->ops->log_read(core->store, core->stream_no,
                                            cursor - *out, 1, look, reader);
        if (reader->is_over)
            break;
    }
    return status;
}

enum ves_status ves_device_held(struct ves_agent_core *core,
                                struct ves_arena *arena, uint64_t cursor,
                                struct ves_device_held *out)
{
    struct reader reader = {core, arena, out, false};
    uint64_t n;

    *out = (struct ves_device_held){NULL, NULL, 0};
    enum ves_status status = count(&reader, cursor, &n);
    if (status || n == 0)
        return status;
    out->rows = ves_arena_alloc(arena, (size_t)n * sizeof(*out->rows));
    out->events = ves_arena_alloc(arena, (size_t)n * sizeof(*out->events));
    if (!out->rows || !out->events)
        return VES_NOMEM;
    return core->store->ops->log_read(core->store, core->stream_no,
                                      cursor - n + 1, (uint32_t)n, take,
                                      &reader);
}

/* ---- how far a page goes ------------------------------------------------- */

static bool is_next_member(const struct ves_page_item *a,
                           const struct ves_page_item *b)
{
    return a->event.context.has_cmd && b->event.context.has_cmd &&
           ves_uuid_equal(&a->event.agent, &b->event.agent) &&
           ves_uuid_equal(&a->event.command_id, &b->event.command_id) &&
           a->event.context.cmd_index + 1 == b->event.context.cmd_index;
}

/* semantics.md 3.8: a group is applied in one transaction.  So a page that
 * ends inside one gives its beginning back, unless the group is all it holds
 * and more of it would not fit either. */
size_t ves_device_group_end(const struct ves_page *page, size_t first,
                            size_t end, bool is_good)
{
    const struct ves_page_item *items = page->items;

    if (end == first)
        return end;
    const struct ves_page_item *last = &items[end - 1];
    const struct ves_context *context = &last->event.context;
    if (!context->has_cmd || context->cmd_index + 1 >= context->cmd_count)
        return end;
    bool is_all =
        is_good && !page->is_short && !page->has_more &&
        (!page->has_head || page->head <= last->event.sequence_number);
    size_t start = end - 1;
    while (start > first && is_next_member(&items[start - 1], &items[start]))
        start--;
    bool is_whole_page = start == first && is_good;
    return !is_all && !is_whole_page ? start : end;
}
