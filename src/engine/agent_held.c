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
