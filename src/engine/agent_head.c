/* agent_head.c -- a head the sequencer told. */
#include "engine/agent_internal.h"

enum ves_status ves_core_note_head(struct ves_agent_core *core,
                                   uint64_t remote_head)
{
    struct ves_device_state state;
    struct ves_arena arena;
    enum ves_status status = ves_device_begin(core);

    if (status)
        return status;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    status = ves_device_state_get(core, &arena, &state);
    if (!status && remote_head > state.remote_head) {
        state.remote_head = remote_head;
        status = ves_device_state_put(core, &state);
    }
    ves_arena_free(&arena);
    return ves_device_end(core, status);
}

static enum ves_status note_behind(struct ves_agent_core *core,
                                   struct ves_arena *arena, int64_t now_ms)
{
    struct ves_device_state state;
    const struct ves_device_alert alert = {
        .code = "diverged",
        .detail = "the sequencer has not the signed head of the log that this "
                  "store verified: it may have lost its tail"};

    enum ves_status status = ves_device_state_get(core, arena, &state);
    if (status)
        return status;
    state.is_diverged = 1;
    status = ves_device_state_put(core, &state);
    return status ? status : ves_device_alert(core, now_ms, &alert);
}

enum ves_status ves_core_behind(struct ves_agent_core *core, int64_t now_ms)
{
    struct ves_arena arena;
    enum ves_status status = ves_device_begin(core);

    if (status)
        return status;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    status = ves_device_end(core, note_behind(core, &arena, now_ms));
    ves_arena_free(&arena);
    return status;
}
