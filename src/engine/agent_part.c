/* agent_part.c -- what a part of the log that was fetched leaves in a store:
 * nothing, or the evidence that it was false. */
#include "base/bytes.h"
#include "engine/agent_internal.h"

enum { BODY_MAX = 32 * 1024 * 1024 };

enum ves_status ves_core_part_refused(struct ves_agent_core *core,
                                      const char *words, struct ves_bytes shown,
                                      int64_t now_ms)
{
    const struct ves_device_alert alert = {
        .code = "part_invalid",
        .detail = words,
        .body = shown.len <= BODY_MAX ? shown : ves_bytes(NULL, 0)};

    core->error.status = VES_OK;
    enum ves_status status = ves_device_begin(core);
    if (status)
        return status;
    return ves_device_end(core, ves_device_alert(core, now_ms, &alert));
}
