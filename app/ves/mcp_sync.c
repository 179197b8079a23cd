/* mcp_sync.c -- push_events and pull_events. */
#include "ves/conflict.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

enum { SHOWN = 20, AGAIN_S = 30, PROBE_MS = 10000 };

/* A code as models know them: VERSION_CONFLICT. */
static void put_code(struct ves_jw *jw, const char *code)
{
    char text[64];
    size_t n = 0;

    for (; code[n] && n + 1 < sizeof(text); n++)
        text[n] = code[n] == '-' || code[n] == ' '
                      ? '_'
                      : (char)toupper((unsigned char)code[n]);
    text[n] = '\0';
    mcp_put_str(jw, "code", text[0] ? text : "UNKNOWN");
}

/* The step when it is too early; wait_s 0: nobody said how much. */
static void put_again(struct ves_jw *jw, const char *tool, uint32_t wait_s)
{
    char step[64];

    snprintf(step, sizeof(step), "%s {} again in %u s", tool,
             wait_s ? wait_s : AGAIN_S);
    ves_jw_str(jw, step);
}

/* Why it stopped, after what was done before. */
static const char *why_stopped(enum ves_status status, uint32_t wait_s)
{
    return wait_s ? "the sequencer is busy and asks to be left alone"
                  : ves_status_message(status);
}

static bool is_configured(struct ves_mcp_call *call, struct ves_agent *agent)
{
    struct ves_agent_info info;

    ves_agent_info(agent, &info);
    if (info.url[0])
        return true;
    mcp_error(call, "NOT_CONFIGURED",
              "this store has not joined a sequencer, so nothing can be sent "
              "or fetched",
              "Nothing was changed; every event stays in the outbox.",
              "ask the user for an invitation (ves init --invite); reading "
              "the outbox still works.");
    return false;
}

/* A handle for a push or a pull, which come one after the other. */
static struct ves_agent *begin(struct mcp_app *app, struct ves_mcp_call *call,
                               bool is_preview)
{
    if (!mcp_may_write(app, call))
        return NULL;
    if (!is_preview)
        pthread_mutex_lock(&app->sync_lock);
    struct ves_agent *agent = mcp_take(app, call);
    if (!agent && !is_preview)
        pthread_mutex_unlock(&app->sync_lock);
    return agent;
}

static void end(struct mcp_app *app, struct ves_agent *agent, bool is_preview)
{
    mcp_give(app, agent);
    if (!is_preview)
        pthread_mutex_unlock(&app->sync_lock);
}

/* ---- push ---------------------------------------------------------------- */

static void put_problems(struct ves_jw *jw, const struct ves_push_report *r)
{
    ves_jw_key(jw, "problems");
    ves_jw_array(jw);
    for (size_t i = 0; i < r->problem_count && i < SHOWN; i++) {
        const struct ves_push_problem_report *p = &r->problems[i];
        ves_jw_object(jw);
        mcp_put_uuid(jw, "eventId", &p->event_id);
        mcp_put_str(jw, "status", p->status);
        put_code(jw, p->code);
        ves_jw_key(jw, "message");
        ves_jw_str(jw, p->message);
        mcp_put_bool(jw, "retryable", p->is_retryable);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static void put_push_summary(struct ves_jw *jw, const struct ves_push_report *r,
                             enum ves_status status, uint64_t waiting)
{
    char text[512], count[48];
    size_t n;

    if (r->attempted == 0)
        snprintf(text, sizeof(text), "Nothing waits to be pushed.");
    else
        snprintf(text, sizeof(text), "Pushed %llu of %s",
                 (unsigned long long)(r->accepted + r->duplicates),
                 mcp_count(count, r->attempted, "event"));
    n = strlen(text);
    if (r->first_sequence)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              " (sequences %llu-%llu)",
                              (unsigned long long)r->first_sequence,
                              (unsigned long long)r->last_sequence);
    if (r->failed || r->conflicts)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "; %llu not accepted, still in the outbox",
                              (unsigned long long)(r->failed + r->conflicts));
    if (status)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "; then it stopped: %s",
                              why_stopped(status, r->wait_s));
    if (waiting && !status)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "; %llu still wait",
                              (unsigned long long)waiting);
    if (r->attempted)
        snprintf(text + n, sizeof(text) - n, ".");
    mcp_put_str(jw, "summary", text);
}

/* Was one refused that will be refused again? */
static bool has_final(const struct ves_push_report *r)
{
    for (size_t i = 0; i < r->problem_count; i++) {
        if (!r->problems[i].is_retryable &&
            strcmp(r->problems[i].status, "failed") == 0)
            return true;
    }
    return false;
}

static void put_push(struct ves_jw *jw, const struct ves_push_report *r,
                     enum ves_status status, uint64_t waiting)
{
    ves_jw_object(jw);
    put_push_summary(jw, r, status, waiting);
    mcp_put_bool(jw, "dryRun", false);
    mcp_put_u64(jw, "attempted", r->attempted);
    mcp_put_u64(jw, "accepted", r->accepted);
    mcp_put_u64(jw, "duplicates", r->duplicates);
    mcp_put_u64(jw, "failed", r->failed);
    mcp_put_u64(jw, "conflicts", r->conflicts);
    mcp_put_u64(jw, "remaining", r->remaining);
    if (r->first_sequence) {
        mcp_put_u64(jw, "firstSequence", r->first_sequence);
        mcp_put_u64(jw, "lastSequence", r->last_sequence);
    }
    put_problems(jw, r);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (r->wait_s || status == VES_UNREACHABLE)
        put_again(jw, "push_events", r->wait_s);
    else if (waiting)
        ves_jw_str(jw, "push_events {}");
    if (!r->wait_s)
        ves_jw_str(jw, "pull_events {}");
    if (r->accepted || r->duplicates)
        ves_jw_str(jw, "acknowledge_events {}");
    if (r->conflicts)
        ves_jw_str(jw, "list_outbox_events {\"status\":\"conflict\"}");
    if (r->failed)
        ves_jw_str(jw, "list_outbox_events {\"status\":\"failed\"}");
    if (has_final(r))
        ves_jw_str(jw, MCP_REFUSED_STEP);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

static enum ves_mcp_outcome preview_push(struct ves_mcp_call *call,
                                         struct ves_agent *agent,
                                         uint64_t limit, bool with_failed)
{
    struct ves_jr *jr = mcp_status(call, agent);
    struct ves_jw *jw = ves_mcp_structured(call);
    char count[48];

    if (!jr)
        return VES_MCP_FAILED;
    uint64_t undelivered = ves_jr_u64(jr, "/undelivered");
    uint64_t waiting = ves_jr_u64(jr, "/counts/pending");
    if (with_failed)
        waiting += undelivered - ves_jr_u64(jr, "/refused");
    uint64_t planned = waiting < limit ? waiting : limit;
    ves_jw_object(jw);
    mcp_putf(jw, "summary", "%s would be pushed; nothing was sent.",
             mcp_count(count, planned, "event"));
    mcp_put_bool(jw, "dryRun", true);
    mcp_put_u64(jw, "attempted", planned);
    mcp_put_u64(jw, "accepted", 0);
    mcp_put_u64(jw, "failed", 0);
    mcp_put_u64(jw, "conflicts", 0);
    mcp_put_u64(jw, "remaining",
                ves_jr_u64(jr, "/counts/pending") + undelivered);
    ves_jw_key(jw, "problems");
    ves_jw_array(jw);
    ves_jw_end(jw);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    ves_jw_str(jw, planned ? "push_events {}" : "pull_events {}");
    ves_jw_end(jw);
    ves_jw_end(jw);
    ves_jr_free(jr);
    return VES_MCP_DONE;
}

static uint64_t limit_of(struct ves_jr *args)
{
    return ves_jr_has(args, "/limit") ? ves_jr_u64(args, "/limit") : 100;
}

/* Still waiting for their first answer; failed and conflicting ones wait for
 * somebody to look. */
static uint64_t still_pending(struct ves_agent *agent)
{
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_outbox(agent, "pending", 1, 0, jw, NULL);
    struct ves_error error;
    struct ves_jr *jr = mcp_read(jw, status, &error);
    uint64_t n = jr ? ves_jr_u64(jr, "/total") : 0;

    ves_jr_free(jr);
    return n;
}

static enum ves_mcp_outcome push(struct ves_mcp_call *call,
                                 struct ves_agent *agent, uint64_t limit,
                                 bool with_failed)
{
    struct ves_sync_options options = {.limit = limit,
                                       .is_automatic = !with_failed,
                                       .progress = mcp_progress,
                                       .progress_ctx = call};
    struct ves_error error = {VES_OK, ""};
    struct ves_push_report *report = calloc(1, sizeof(*report));
    enum ves_mcp_outcome outcome = VES_MCP_DONE;
    char state[128];

    if (!report)
        return mcp_error_of(call, VES_NOMEM, NULL, "Nothing was changed.");
    enum ves_status status = ves_push(agent, &options, report, &error);
    uint64_t done = report->accepted + report->duplicates + report->failed +
                    report->conflicts;
    if (status && done == 0) {
        snprintf(state, sizeof(state),
                 "No event was accepted; all %llu are still in the outbox.",
                 (unsigned long long)report->remaining);
        outcome =
            mcp_error_of_sync(call, status, &error, state, report->wait_s);
    } else {
        put_push(ves_mcp_structured(call), report, status,
                 still_pending(agent));
    }
    free(report);
    return outcome;
}

enum ves_mcp_outcome mcp_push_events(struct ves_mcp_call *call, void *ctx)
{
    struct mcp_app *app = ctx;
    struct ves_jr *args = ves_mcp_arguments(call);
    bool with_failed = !ves_jr_has(args, "/includeFailed") ||
                       ves_jr_bool(args, "/includeFailed");
    enum ves_mcp_outcome outcome = VES_MCP_FAILED;

    bool is_preview = mcp_is_preview(app, call);

    struct ves_agent *agent = begin(app, call, is_preview);
    if (!agent)
        return VES_MCP_FAILED;
    if (is_preview)
        outcome = preview_push(call, agent, limit_of(args), with_failed);
    else if (is_configured(call, agent))
        outcome = push(call, agent, limit_of(args), with_failed);
    end(app, agent, is_preview);
    return outcome;
}

/* ---- pull ---------------------------------------------------------------- */

/* What was found out before and after a pull. */
struct pulled {
    struct ves_pull_report report;
    enum ves_status status;
    uint64_t before;          /* cursor */
    uint64_t first;           /* sequence the events shown begin with */
    struct ves_jr *conflicts; /* opened since; may be NULL */
};

/* since: an event of the log, or "0"; *from is where to begin. */
static bool find_since(struct ves_mcp_call *call, struct ves_agent *agent,
                       uint64_t *from)
{
    const char *since = ves_jr_str(ves_mcp_arguments(call), "/since");
    struct ves_error error = {VES_OK, ""};
    struct ves_uuid id;
    uint64_t sequence = 0;

    *from = 0;
    if (!since[0])
        return true;
    if (strcmp(since, "0") == 0) {
        *from = 1;
        return true;
    }
    if (mcp_uuid(since, &id)) {
        struct ves_jw *jw = cli_writer();
        enum ves_status status = ves_agent_show(agent, &id, jw, &error);
        struct ves_jr *jr = mcp_read(jw, status, &error);
        sequence = jr ? ves_jr_u64(jr, "/sequenceNumber") : 0;
        ves_jr_free(jr);
    }
    *from = sequence + 1;
    if (sequence)
        return true;
    mcp_error(call, "UNKNOWN_SINCE",
              "since names no event this store has seen in the stream",
              "Nothing was changed.",
              "pull_events {} to continue from the stored cursor.");
    return false;
}

static const char *outcome_of(const char *verdict)
{
    if (strcmp(verdict, "conflict") == 0)
        return "conflict";
    return "applied";
}

/* Events of the log as they are now; false when the room is used up. */
static bool put_event(struct ves_jw *jw, struct ves_jr *log, size_t i,
                      bool is_full, uint64_t before)
{
    uint64_t sequence = ves_jr_u64(log, "/events/%zu/sequenceNumber", i);

    if (ves_jw_view(jw).len > MCP_LONG)
        return false;
    ves_jw_object(jw);
    if (ves_jr_has(log, "/events/%zu/event", i)) {
        mcp_copy_str(jw, "eventId", log, "/events/%zu/event/eventId", i);
        mcp_copy_str(jw, "type", log, "/events/%zu/event/type", i);
        mcp_copy_str(jw, "aggregateId", log, "/events/%zu/event/aggregateId",
                     i);
        mcp_copy_str(jw, "timestamp", log, "/events/%zu/event/timestamp", i);
    } else {
        mcp_copy_str(jw, "eventId", log, "/events/%zu/eventId", i);
        mcp_put_str(jw, "type", "pruned");
        mcp_put_str(jw, "aggregateId", "pruned");
    }
    mcp_put_u64(jw, "sequence", sequence);
    mcp_put_str(jw, "outcome",
                sequence <= before
                    ? "already_applied"
                    : outcome_of(ves_jr_str(log, "/events/%zu/verdict", i)));
    const char *payload = ves_jr_str(log, "/events/%zu/event/payload", i);
    if (is_full && payload[0] == '{' &&
        ves_jw_view(jw).len + strlen(payload) < MCP_LONG)
        mcp_put_raw(jw, "payload", payload);
    ves_jw_end(jw);
    return true;
}

static void put_events(struct ves_jw *jw, struct ves_agent *agent,
                       const struct pulled *p, const char *detail)
{
    bool is_full = strcmp(detail, "full") == 0;
    uint64_t last = p->report.cursor;
    uint64_t n = last >= p->first ? last - p->first + 1 : 0;
    struct ves_error error = {VES_OK, ""};

    if (n > p->report.received)
        n = p->report.received;
    if (is_full && n > SHOWN)
        n = SHOWN;
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    if (n > 0) {
        struct ves_jw *doc = cli_writer();
        enum ves_status status =
            ves_agent_log(agent, p->first, (uint32_t)n, doc, &error);
        struct ves_jr *log = mcp_read(doc, status, &error);
        size_t count = log ? ves_jr_count(log, "/events") : 0;
        for (size_t i = 0;
             i < count && i < n && put_event(jw, log, i, is_full, p->before);
             i++)
            continue;
        ves_jr_free(log);
    }
    ves_jw_end(jw);
}

static void put_pull_summary(struct ves_jw *jw, const struct pulled *p)
{
    const struct ves_pull_report *r = &p->report;
    char applied[48], conflicts[64] = "", kept[64] = "", stop[128] = "";

    if (r->conflicts)
        snprintf(conflicts, sizeof(conflicts), " %llu new conflict%s.",
                 (unsigned long long)r->conflicts,
                 r->conflicts == 1 ? "" : "s");
    if (r->quarantined)
        snprintf(kept, sizeof(kept), " %llu did not verify and %s kept aside.",
                 (unsigned long long)r->quarantined,
                 r->quarantined == 1 ? "was" : "were");
    if (p->status)
        snprintf(stop, sizeof(stop), " Then it stopped: %s.",
                 r->gap_expected ? "a sequence number is missing"
                                 : why_stopped(p->status, r->wait_s));
    if (r->applied == 0 && r->already_applied)
        mcp_putf(jw, "summary",
                 "%llu events were checked again; they are as they were.%s%s%s",
                 (unsigned long long)r->already_applied, conflicts, kept, stop);
    else
        mcp_putf(jw, "summary",
                 "Applied %s; this store is at sequence %llu of "
                 "%llu.%s%s%s",
                 mcp_count(applied, r->applied, "event"),
                 (unsigned long long)r->cursor,
                 (unsigned long long)(r->remote_head > r->cursor
                                          ? r->remote_head
                                          : r->cursor),
                 conflicts, kept, stop);
}

/* Numbers that are there, as the sequencer says, and were not given. */
static void say_missing(char *out, size_t size, const struct ves_pull_report *r)
{
    uint64_t last = r->gap_received > 0 ? r->gap_received - 1 : r->remote_head;

    if (last > r->gap_expected)
        snprintf(out, size, "sequences %llu-%llu",
                 (unsigned long long)r->gap_expected, (unsigned long long)last);
    else
        snprintf(out, size, "sequence %llu",
                 (unsigned long long)r->gap_expected);
}

static void put_gap_step(struct ves_jw *jw, const struct ves_pull_report *r)
{
    char missing[64], step[160];

    say_missing(missing, sizeof(missing), r);
    ves_jw_str(jw, "pull_events {}");
    snprintf(step, sizeof(step),
             "If it stops there again, report %s to the user as missing",
             missing);
    ves_jw_str(jw, step);
}

static void put_gap(struct ves_jw *jw, const struct ves_pull_report *r)
{
    if (!r->gap_expected)
        return;
    ves_jw_key(jw, "gap");
    ves_jw_object(jw);
    mcp_put_u64(jw, "expected", r->gap_expected);
    mcp_put_u64(jw, "received", r->gap_received);
    ves_jw_end(jw);
}

static void put_pull_steps(struct ves_jw *jw, struct ves_agent *agent,
                           const struct pulled *p)
{
    const struct ves_pull_report *r = &p->report;
    struct ves_jw *doc = cli_writer();
    struct ves_error error = {VES_OK, ""};
    enum ves_status status = ves_agent_standing(agent, doc, &error);
    struct ves_jr *now = mcp_read(doc, status, &error);

    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (r->gap_expected)
        put_gap_step(jw, r);
    else if (r->wait_s || p->status == VES_UNREACHABLE)
        put_again(jw, "pull_events", r->wait_s);
    else if (r->has_more && !p->status)
        ves_jw_str(jw, "pull_events {}");
    if (r->quarantined)
        ves_jw_str(jw, "Tell the user that received events do not verify; do "
                       "not retry them");
    if (now && ves_jr_u64(now, "/counts/syncing"))
        ves_jw_str(jw, "acknowledge_events {}");
    if (now && ves_jr_u64(now, "/counts/pending"))
        ves_jw_str(jw, "push_events {}");
    if (r->conflicts)
        ves_jw_str(jw, "list_outbox_events {\"status\":\"conflict\"}");
    ves_jw_str(jw, "get_sync_status {}");
    ves_jw_end(jw);
    ves_jr_free(now);
}

static void put_conflicts(struct ves_jw *jw, const struct pulled *p)
{
    size_t n = p->conflicts ? ves_jr_count(p->conflicts, "/conflicts") : 0;

    ves_jw_key(jw, "conflictEventIds");
    ves_jw_array(jw);
    for (size_t i = 0; i < n && i < SHOWN; i++)
        ves_jw_str(jw, ves_jr_str(p->conflicts, "/conflicts/%zu/eventId", i));
    ves_jw_end(jw);
}

static void put_pull(struct ves_jw *jw, struct ves_agent *agent,
                     const struct pulled *p, const char *detail)
{
    const struct ves_pull_report *r = &p->report;
    static const struct ves_uuid nil;

    ves_jw_object(jw);
    put_pull_summary(jw, p);
    mcp_put_bool(jw, "dryRun", false);
    mcp_put_u64(jw, "received", r->received);
    mcp_put_u64(jw, "applied", r->applied);
    mcp_put_u64(jw, "alreadyApplied", r->already_applied);
    mcp_put_u64(jw, "quarantined", r->quarantined);
    mcp_put_u64(jw, "newConflicts", r->conflicts);
    if (r->conflicts)
        put_conflicts(jw, p);
    if (strcmp(detail, "summary") == 0 || strcmp(detail, "full") == 0)
        put_events(jw, agent, p, detail);
    if (memcmp(&r->last_event_id, &nil, sizeof(nil)) != 0)
        mcp_put_uuid(jw, "lastEventId", &r->last_event_id);
    mcp_put_bool(jw, "hasMore", r->has_more);
    put_gap(jw, r);
    put_pull_steps(jw, agent, p);
    ves_jw_end(jw);
}

/* Conflicts whose opening this pull brought in. */
static void find_conflicts(struct ves_agent *agent, struct pulled *p)
{
    const struct ves_conflicts_filter filter = {.after = p->before,
                                                .limit = SHOWN};
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_conflicts(agent, &filter, jw, &error);

    p->conflicts = mcp_read(jw, status, &error);
}

/* The sequencer has more and does not give it, or not what comes next. */
static enum ves_mcp_outcome fail_gap(struct ves_mcp_call *call,
                                     const struct ves_pull_report *r,
                                     const char *state)
{
    char what[160], step[160], missing[64];

    if (r->gap_received)
        snprintf(what, sizeof(what), "expected sequence %llu, received %llu",
                 (unsigned long long)r->gap_expected,
                 (unsigned long long)r->gap_received);
    else
        snprintf(what, sizeof(what),
                 "expected sequence %llu, and the sequencer, whose log goes to "
                 "%llu, does not give it",
                 (unsigned long long)r->gap_expected,
                 (unsigned long long)r->remote_head);
    say_missing(missing, sizeof(missing), r);
    snprintf(step, sizeof(step),
             "pull_events {}; if it repeats, report %s to the user as missing.",
             missing);
    return mcp_error(call, "SEQUENCE_GAP", what, state, step);
}

static enum ves_mcp_outcome pull(struct ves_mcp_call *call,
                                 struct ves_agent *agent, uint64_t from)
{
    struct ves_jr *args = ves_mcp_arguments(call);
    struct ves_sync_options options = {.limit = limit_of(args),
                                       .progress = mcp_progress,
                                       .progress_ctx = call};
    struct ves_error error = {VES_OK, ""};
    struct pulled p = {.status = VES_OK};
    enum ves_mcp_outcome outcome = VES_MCP_DONE;
    char state[128];

    struct ves_jr *jr = mcp_status(call, agent);
    if (!jr)
        return VES_MCP_FAILED;
    p.before = ves_jr_u64(jr, "/sequence/lastPulled");
    p.first = from ? from : p.before + 1;
    ves_jr_free(jr);
    p.status = ves_pull(agent, &options, from, &p.report, &error);
    if (p.status && p.report.received == 0) {
        snprintf(state, sizeof(state),
                 "Nothing was applied; the cursor is still at sequence %llu.",
                 (unsigned long long)p.before);
        if (p.report.gap_expected)
            outcome = fail_gap(call, &p.report, state);
        else
            outcome = mcp_error_of_sync(call, p.status, &error, state,
                                        p.report.wait_s);
        return outcome;
    }
    if (p.report.conflicts)
        find_conflicts(agent, &p);
    put_pull(ves_mcp_structured(call), agent, &p, ves_jr_str(args, "/detail"));
    ves_jr_free(p.conflicts);
    return outcome;
}

static enum ves_mcp_outcome preview_pull(struct mcp_app *app,
                                         struct ves_mcp_call *call,
                                         struct ves_agent *agent)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = ves_mcp_structured(call);
    struct ves_contact contact;
    char count[48];

    enum ves_status status =
        mcp_probe(app, call, agent, PROBE_MS, &contact, &error);
    struct ves_jr *jr = status ? NULL : mcp_status(call, agent);
    if (status)
        return mcp_error_of_sync(call, status, &error, "Nothing was applied.",
                                 contact.wait_s);
    if (!jr)
        return VES_MCP_FAILED;
    uint64_t at = ves_jr_u64(jr, "/sequence/lastPulled");
    uint64_t lag = contact.head > at ? contact.head - at : 0;
    ves_jr_free(jr);
    ves_jw_object(jw);
    mcp_putf(jw, "summary",
             "%s wait at the sequencer; nothing was fetched or applied.",
             mcp_count(count, lag, "event"));
    mcp_put_bool(jw, "dryRun", true);
    mcp_put_u64(jw, "received", 0);
    mcp_put_u64(jw, "applied", 0);
    mcp_put_u64(jw, "quarantined", 0);
    mcp_put_u64(jw, "newConflicts", 0);
    mcp_put_bool(jw, "hasMore", lag > 0);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    ves_jw_str(jw, lag ? "pull_events {}" : "get_sync_status {}");
    ves_jw_end(jw);
    ves_jw_end(jw);
    return VES_MCP_DONE;
}

enum ves_mcp_outcome mcp_pull_events(struct ves_mcp_call *call, void *ctx)
{
    struct mcp_app *app = ctx;
    enum ves_mcp_outcome outcome = VES_MCP_FAILED;
    uint64_t from;

    bool is_preview = mcp_is_preview(app, call);

    struct ves_agent *agent = begin(app, call, is_preview);
    if (!agent)
        return VES_MCP_FAILED;
    if (is_configured(call, agent) && find_since(call, agent, &from))
        outcome = is_preview ? preview_pull(app, call, agent)
                             : pull(call, agent, from);
    end(app, agent, is_preview);
    return outcome;
}
