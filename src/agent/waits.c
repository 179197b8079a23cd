/* waits.c -- what an event waits for, in plain words. */
#include "agent/waits.h"

#include <string.h>

#include "agent/lookup.h"
#include "agent/story.h"
#include "agent/words.h"
#include "base/error.h"

/* semantics.md decision 6: a dependency is met when the event is applied, or
 * its conflict is resolved with its effect. */
enum wait {
    WAIT_NONE,
    WAIT_LOG,      /* the log has not seen it */
    WAIT_WAITING,  /* it waits itself */
    WAIT_CONFLICT, /* it is in a conflict that is open */
    WAIT_LOST      /* it will never take effect */
};

static enum ves_status look_at_conflict(struct ves_agent *agent,
                                        const struct ves_uuid *dep,
                                        enum wait *out)
{
    struct ves_conflict_row row;
    enum ves_status status = ves_event_conflict(agent, dep, &row);

    if (status)
        return status;
    if (!row.is_found || row.closed == 0)
        *out = WAIT_CONFLICT;
    else if (row.winner == VES_WINNER_APPLIED)
        *out = WAIT_LOST;
    return VES_OK;
}

static enum ves_status look_at(struct ves_agent *agent,
                               const struct ves_uuid *dep, enum wait *out)
{
    struct ves_found found;
    struct ves_error ignored;

    *out = WAIT_NONE;
    enum ves_status status = ves_agent_find(agent, dep, &found, &ignored);
    if (status == VES_NOT_FOUND || (!status && !found.is_in_log)) {
        *out = WAIT_LOG;
        return VES_OK;
    }
    if (status)
        return status;
    switch ((enum ves_verdict)found.log.verdict) {
    case VES_VERDICT_WAITING:
        *out = WAIT_WAITING;
        return VES_OK;
    case VES_VERDICT_SUPERSEDED:
        *out = WAIT_LOST;
        return VES_OK;
    case VES_VERDICT_CONFLICT:
        return look_at_conflict(agent, dep, out);
    case VES_VERDICT_APPLIED:
    case VES_VERDICT_NONE:
        break;
    }
    return VES_OK;
}

static void say(struct ves_buf *text, const struct ves_uuid *dep,
                enum wait wait)
{
    static const char *const words[] = {
        [WAIT_LOG] = ", which the log does not hold yet.",
        [WAIT_WAITING] = ", which waits itself.",
        [WAIT_CONFLICT] = ", which is in a conflict: a decision by which it "
                          "takes effect sets this one free.",
        [WAIT_LOST] = ", which has no effect and will never have one, because "
                      "it was superseded or its conflict was decided against "
                      "it."};

    ves_buf_put_str(text, text->len > 0 ? " It depends on event "
                                        : "It depends on event ");
    ves_buf_put_uuid(text, dep);
    ves_buf_put_str(text, words[wait]);
}

static enum ves_status say_all(struct ves_agent *agent,
                               const struct ves_context *context,
                               struct ves_buf *text)
{
    bool is_lost = false;
    size_t count = 0;

    for (size_t i = 0; i < context->dep_count; i++) {
        enum wait wait;
        enum ves_status status = look_at(agent, &context->deps[i], &wait);
        if (status)
            return status;
        if (wait == WAIT_NONE)
            continue;
        say(text, &context->deps[i], wait);
        is_lost |= wait == WAIT_LOST;
        count++;
    }
    if (count == 0)
        ves_buf_put_str(text, " It waits because an earlier event of its agent "
                              "on the same entity waits.");
    if (is_lost)
        ves_buf_put_str(text,
                        " So it waits for ever and has no effect, unless that "
                        "decision is taken back. If what it says is still "
                        "wanted, append a new event that does not depend on "
                        "the other one.");
    return VES_OK;
}

enum ves_status ves_waits_say(struct ves_agent *agent,
                              const struct ves_log_row *log,
                              struct ves_buf *text)
{
    struct ves_event event;
    struct ves_error error;

    if (log->verdict != (uint32_t)VES_VERDICT_WAITING || log->envelope.len == 0)
        return VES_OK;
    enum ves_status status =
        ves_agent_read_envelope(agent, log->envelope, true, &event, &error);
    /* What is wrong with its bytes is doctor's to say. */
    if (status == VES_CORRUPT)
        return VES_OK;
    return status ? status : say_all(agent, &event.context, text);
}
