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
