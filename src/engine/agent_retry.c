/* agent_retry.c -- when a push that failed is tried again (semantics.md 3.9).
 */
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "engine/agent_internal.h"

enum { BREAKER_WINDOW_MS = 60 * 1000 };

/* name is "setting." and what people call it. */
static enum ves_status get_setting(struct ves_agent_core *core,
                                   struct ves_arena *arena, const char *name,
                                   uint64_t fallback, uint64_t low,
                                   uint64_t high, uint64_t *out)
{
    if (core->setting && core->setting(name + strlen("setting."), out) &&
        *out >= low && *out <= high)
        return VES_OK;
    return ves_device_number_get(core, arena, name, fallback, low, high, out);
}

enum ves_status ves_device_retry_get(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     struct ves_device_retry *out)
{
    enum ves_status status = get_setting(
        core, arena, "setting.retryBaseDelayMs", 1000, 1, 60000, &out->base_ms);
    if (!status)
        status = get_setting(core, arena, "setting.retryMaxDelayMs", 30000, 1,
                             3600000, &out->cap_ms);
    if (!status)
        status = get_setting(core, arena, "setting.maxRetries", 3, 0, 50,
                             &out->count_max);
    return status;
}

uint64_t ves_device_delay(const struct ves_device_retry *retry,
                          uint64_t failures, const uint8_t random[16])
{
    uint64_t ceiling = retry->base_ms;
    VES_ASSERT(failures >= 1);

    for (uint64_t i = 1; i < failures && ceiling < retry->cap_ms; i++)
        ceiling *= 2;
    if (ceiling > retry->cap_ms)
        ceiling = retry->cap_ms;
    return ves_load_u64(random) % (ceiling + 1);
}

static bool is_breaker_due(const struct ves_device_state *state)
{
    const uint64_t *ms = state->failed_ms;
    uint64_t first = ms[VES_DEVICE_BREAKER_COUNT - 1];

    return state->push_failures >= VES_DEVICE_BREAKER_COUNT && ms[0] >= first &&
           ms[0] - first <= BREAKER_WINDOW_MS;
}

void ves_device_failed(struct ves_device_state *state,
                       const struct ves_device_retry *retry,
                       const struct ves_core_env *env, uint64_t wait_min_ms)
{
    uint64_t now = ves_device_time(env->now_ms);

    state->push_failures++;
    memmove(&state->failed_ms[1], &state->failed_ms[0],
            sizeof(state->failed_ms) - sizeof(state->failed_ms[0]));
    state->failed_ms[0] = now;
    /* Once open it stays so until a push is answered: each wait ends in one
     * probe. */
    if (is_breaker_due(state))
        state->is_breaker_open = 1;

    uint64_t wait = ves_device_delay(retry, state->push_failures, env->random);
    if (state->is_breaker_open)
        wait = retry->cap_ms;
    if (wait < wait_min_ms)
        wait = wait_min_ms;
    state->wait_ms = wait;
    state->next_attempt_ms = now + wait;
}

static enum ves_status unsent(struct ves_agent_core *core,
                              struct ves_arena *arena,
                              const struct ves_core_env *env,
                              uint32_t http_status, uint32_t retry_after_s)
{
    struct ves_device_state state;
    struct ves_device_retry retry;
    struct ves_buf detail;

    enum ves_status status = ves_device_state_get(core, arena, &state);
    if (!status)
        status = ves_device_retry_get(core, arena, &retry);
    if (status)
        return status;
    if (retry_after_s > VES_DEVICE_RETRY_AFTER_MAX_S)
        retry_after_s = VES_DEVICE_RETRY_AFTER_MAX_S;
    if (http_status == 0)
        state.offline_failures++;
    ves_device_failed(&state, &retry, env, retry_after_s * UINT64_C(1000));
    status = ves_device_state_put(core, &state);
    ves_buf_init(&detail, core->alloc, 256);
    ves_buf_putf(&detail, "{\"attempted\":0,\"httpStatus\":%u}", http_status);
    if (!status)
        status = ves_buf_status(&detail);
    if (!status)
        status =
            ves_device_trail(core, env->now_ms, "push", ves_buf_view(&detail));
    ves_buf_free(&detail);
    return status;
}

enum ves_status ves_core_push_unsent(struct ves_agent_core *core,
                                     const struct ves_core_env *env,
                                     uint32_t http_status,
                                     uint32_t retry_after_s)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(
            core, unsent(core, &arena, env, http_status, retry_after_s));
    ves_arena_free(&arena);
    return status;
}

void ves_device_succeeded(struct ves_device_state *state)
{
    state->push_failures = 0;
    state->offline_failures = 0;
    state->protocol_failures = 0;
    state->suspect = 0;
    state->next_attempt_ms = 0;
    state->wait_ms = 0;
    state->quiet_ms = 0;
    memset(state->failed_ms, 0, sizeof(state->failed_ms));
    state->is_breaker_open = 0;
    state->needs_auth = 0;
    state->is_forbidden = 0;
}

static enum ves_status keep_quiet(struct ves_agent_core *core,
                                  struct ves_arena *arena, int64_t now_ms,
                                  uint32_t seconds)
{
    struct ves_device_state state;

    enum ves_status status = ves_device_state_get(core, arena, &state);
    if (status)
        return status;
    if (seconds > VES_DEVICE_RETRY_AFTER_MAX_S)
        seconds = VES_DEVICE_RETRY_AFTER_MAX_S;
    state.quiet_from_ms = ves_device_time(now_ms);
    state.quiet_ms = seconds * UINT64_C(1000);
    return ves_device_state_put(core, &state);
}

static enum ves_status let_in(struct ves_agent_core *core,
                              struct ves_arena *arena)
{
    struct ves_device_state state;

    enum ves_status status = ves_device_state_get(core, arena, &state);
    if (status)
        return status;
    state.needs_auth = 0;
    state.is_forbidden = 0;
    return ves_device_state_put(core, &state);
}

enum ves_status ves_core_renewed(struct ves_agent_core *core)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, let_in(core, &arena));
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_told_to_wait(struct ves_agent_core *core,
                                      int64_t now_ms, uint32_t seconds)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status =
            ves_device_end(core, keep_quiet(core, &arena, now_ms, seconds));
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_is_to_wait(struct ves_agent_core *core, int64_t now_ms,
                                    uint32_t *seconds)
{
    struct ves_device_state state;
    struct ves_arena arena;
    uint64_t now = ves_device_time(now_ms);

    *seconds = 0;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_state_get(core, &arena, &state);
    ves_arena_free(&arena);
    /* A clock that was set back must not make it longer. */
    if (!status && now >= state.quiet_from_ms &&
        now - state.quiet_from_ms < state.quiet_ms)
        *seconds =
            (uint32_t)((state.quiet_ms - (now - state.quiet_from_ms) + 999) /
                       1000);
    return ves_device_say(core, status);
}
