/* sync.c -- the whole round, and the reports as JSON. */
#include <string.h>

#include "base/error.h"
#include "os/clock.h"
#include "sync/session.h"

enum { BUSY = 503 }; /* HTTP status; 429 means the same */

/* Is there more to say first?  What fails first is told, but a push that was
 * refused is no reason not to pull. */
static bool stops_round(enum ves_status status)
{
    return status == VES_UNREACHABLE || status == VES_AUTH ||
           status == VES_NOMEM || status == VES_IO || status == VES_CORRUPT;
}

/* First of all: own events that a restored store lost come back before it
 * sends anything (semantics.md decision 15), and a history that was cut off may
 * have healed. */
static enum ves_status pull_first(struct ves_session *session,
                                  struct ves_sync_report *report,
                                  struct ves_error *error)
{
    const struct ves_sync_options *options = session->options;
    struct ves_agent_core *core = &session->agent->core;
    uint64_t waiting = 0;
    enum ves_status status = ves_session_pull(session, 0, &report->pull, error);

    session->is_caught_up = !status && !report->pull.has_more;
    if (ves_session_remaining(session->agent, &waiting, &report->push))
        return VES_IO;
    /* Nothing could have been sent either. */
    if (status == VES_UNREACHABLE && waiting > 0 &&
        !ves_core_push_may(core, ves_clock_now_ms(),
                           !(options && options->is_automatic)))
        (void)!ves_session_unsent(session, session->wait_s ? BUSY : 0,
                                  session->wait_s);
    return status;
}

/* What the settings decide about own conflicts goes out in the same round. */
static enum ves_status decide(struct ves_session *session,
                              struct ves_sync_report *report,
                              struct ves_error *error)
{
    enum ves_status status =
        ves_resolve_automatic(session->agent, &report->automatic, error);

    if (status || report->automatic.resolved == 0 || session->is_stopped)
        return status;
    status = ves_session_push(session, &report->push, error);
    return status ? status : ves_session_pull(session, 0, &report->pull, error);
}

enum ves_status ves_sync(struct ves_agent *agent,
                         const struct ves_sync_options *options,
                         struct ves_sync_report *report,
                         struct ves_error *error)
{
    struct ves_session session;
    struct ves_error pulling = {VES_OK, ""};

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "sync", error);
    if (status)
        return status;
    /* Where this store stands is told whether or not it comes to anything. */
    uint64_t waiting;
    status = ves_core_pull_from(&agent->core, &report->pull.cursor);
    if (!status)
        status = ves_session_remaining(agent, &waiting, &report->push);
    if (status)
        return ves_agent_fail(agent, status, error, "sync");
    report->pull.cursor--;
    status = ves_session_open(&session, agent, options, error);
    if (!status)
        status = ves_session_may_ask(&session, error);
    if (status)
        goto out;
    enum ves_status pulled = pull_first(&session, report, &pulling);
    if (stops_round(pulled) || session.is_stopped) {
        status = pulled;
        if (error)
            *error = pulling;
        goto out;
    }
    status = ves_session_push(&session, &report->push, error);
    if (stops_round(status) || session.is_stopped)
        goto out;
    if (!pulled && report->push.attempted > 0)
        pulled = ves_session_pull(&session, 0, &report->pull, &pulling);
    if (pulled && !status) {
        status = pulled;
        if (error)
            *error = pulling;
    }
    if (!status)
        status = decide(&session, report, error);
    /* What has a receipt and a verdict is synced whatever else went wrong. */
    enum ves_status acknowledged =
        ves_acknowledge(agent, NULL, 0, &report->ack, status ? NULL : error);
    if (!status)
        status = acknowledged;
out:
    report->push.wait_s = report->pull.wait_s = session.wait_s;
    ves_session_close(&session);
    return status;
}

static void member(struct ves_jw *jw, const char *name, uint64_t value)
{
    ves_jw_key(jw, name);
    ves_jw_u64(jw, value);
}

static void sequence(struct ves_jw *jw, const char *name, uint64_t value)
{
    ves_jw_key(jw, name);
    if (value)
        ves_jw_u64(jw, value);
    else
        ves_jw_null(jw);
}

void ves_push_report_json(struct ves_jw *jw,
                          const struct ves_push_report *report)
{
    ves_jw_object(jw);
    member(jw, "attempted", report->attempted);
    member(jw, "accepted", report->accepted);
    member(jw, "duplicates", report->duplicates);
    member(jw, "failed", report->failed);
    member(jw, "conflicts", report->conflicts);
    member(jw, "remaining", report->remaining);
    member(jw, "undelivered", report->undelivered);
    member(jw, "refused", report->refused);
    sequence(jw, "firstSequence", report->first_sequence);
    sequence(jw, "lastSequence", report->last_sequence);
    ves_jw_key(jw, "problems");
    ves_jw_array(jw);
    for (size_t i = 0; i < report->problem_count; i++) {
        const struct ves_push_problem_report *p = &report->problems[i];
        ves_jw_object(jw);
        ves_jw_key(jw, "eventId");
        ves_jw_uuid(jw, &p->event_id);
        ves_jw_key(jw, "status");
        ves_jw_str(jw, p->status);
        ves_jw_key(jw, "code");
        ves_jw_str(jw, p->code);
        ves_jw_key(jw, "message");
        ves_jw_str(jw, p->message);
        ves_jw_key(jw, "retryable");
        ves_jw_bool(jw, p->is_retryable);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    ves_jw_end(jw);
}

void ves_pull_report_json(struct ves_jw *jw,
                          const struct ves_pull_report *report)
{
    static const struct ves_uuid nil;

    ves_jw_object(jw);
    member(jw, "received", report->received);
    member(jw, "applied", report->applied);
    member(jw, "alreadyApplied", report->already_applied);
    member(jw, "quarantined", report->quarantined);
    member(jw, "newConflicts", report->conflicts);
    member(jw, "cursor", report->cursor);
    member(jw, "remoteHead", report->remote_head);
    ves_jw_key(jw, "lastEventId");
    if (memcmp(&report->last_event_id, &nil, sizeof(nil)) != 0)
        ves_jw_uuid(jw, &report->last_event_id);
    else
        ves_jw_null(jw);
    ves_jw_key(jw, "hasMore");
    ves_jw_bool(jw, report->has_more);
    if (report->is_position_unproven) {
        ves_jw_key(jw, "position");
        ves_jw_str(jw, "unproven");
    }
    ves_jw_end(jw);
}

void ves_ack_report_json(struct ves_jw *jw, const struct ves_ack_report *report)
{
    ves_jw_object(jw);
    member(jw, "acknowledged", report->acknowledged);
    member(jw, "alreadySynced", report->already_synced);
    ves_jw_key(jw, "notAcknowledged");
    ves_jw_array(jw);
    for (size_t i = 0; i < report->problem_count; i++) {
        ves_jw_object(jw);
        ves_jw_key(jw, "eventId");
        ves_jw_uuid(jw, &report->problem_ids[i]);
        ves_jw_key(jw, "reason");
        ves_jw_str(jw, report->problem_reasons[i]);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    member(jw, "notAcknowledgedCount", report->not_acknowledged);
    ves_jw_end(jw);
}
