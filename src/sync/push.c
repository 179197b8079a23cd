/* push.c -- the outbox goes to the sequencer, receipts come back. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/random.h"
#include "sync/session.h"

enum {
    BUSY = 503,  /* HTTP status: not now */
    BACKLOG = 64 /* events; threads and tables do not pay for a sale alone */
};

static const char INGEST[] = "/api/v1/ves/events/ingest";

static const char *status_word(enum ves_outbox_status status)
{
    static const char *const words[VES_OUTBOX_STATUSES] = {
        "pending", "syncing", "synced", "failed", "conflict"};

    return words[status];
}

static bool holder_is_alive(const struct ves_lease *holder)
{
    struct ves_process process = {holder->pid, holder->process_start,
                                  holder->boot_id};

    return ves_process_is_alive(&process);
}

static enum ves_status lease_of_self(struct ves_lease *out,
                                     struct ves_error *error)
{
    struct ves_process self;
    enum ves_status status = ves_process_self(&self, error);

    if (!status)
        *out = (struct ves_lease){self.pid, self.start, self.boot_id};
    return status;
}

static void add(struct ves_push_report *report,
                const struct ves_push_result *result)
{
    size_t max = sizeof(report->problems) / sizeof(report->problems[0]);

    report->attempted += result->attempted;
    report->accepted += result->accepted;
    report->duplicates += result->duplicates;
    report->failed += result->failed;
    report->conflicts += result->conflicts;
    if (result->first_sequence && !report->first_sequence)
        report->first_sequence = result->first_sequence;
    if (result->last_sequence)
        report->last_sequence = result->last_sequence;
    for (size_t i = 0; i < result->problem_count; i++) {
        if (report->problem_count == max)
            break;
        const struct ves_push_problem *from = &result->problems[i];
        struct ves_push_problem_report *to =
            &report->problems[report->problem_count++];
        to->event_id = from->event_id;
        to->status = status_word(from->status);
        memcpy(to->code, from->code, sizeof(to->code));
        memcpy(to->message, from->message, sizeof(to->message));
        to->is_retryable = from->is_retryable;
    }
}

/* Sends one claimed batch and hands the answer, or its absence, to the engine.
 */
static enum ves_status send_batch(struct ves_session *session,
                                  struct ves_push *push,
                                  struct ves_push_report *report,
                                  struct ves_error *error)
{
    struct ves_agent_core *core = &session->agent->core;
    struct ves_http_reply reply;
    struct ves_push_result result;
    struct ves_core_env env;
    struct ves_error sent = {VES_OK, ""};

    memset(&result, 0, sizeof(result));
    /* A status that is no success is the engine's to judge, so the plain
     * request and not ves_session_request. */
    enum ves_status network =
        ves_http_request(session->client, "POST", INGEST,
                         ves_buf_view(&push->body), &reply, &sent);
    /* Whoever stopped it learned nothing of the sequencer: the claim is given
     * back with the lease, and what arrived all the same is a replay then. */
    if (network == VES_AGAIN)
        return ves_fail(error, network, "%s. Events stay in the outbox",
                        sent.text);
    ves_agent_note_contact(session->agent, network == VES_OK,
                           ves_clock_now_ms());
    if (!network) {
        ves_session_note_busy(session, &reply);
        ves_agent_note_credential(session->agent, reply.status != 401);
        ves_session_vouched(session);
    }
    env.now_ms = ves_clock_now_ms();
    enum ves_status status = ves_random(env.random, sizeof(env.random), error);
    /* The answer is about the log, not about these events. */
    bool is_behind = !network && ves_session_is_behind(session, &reply);
    if (!status)
        status = ves_core_push_end(core, push, &env,
                                   network     ? 0
                                   : is_behind ? BUSY
                                               : reply.status,
                                   reply.body, reply.retry_after_s, &result);
    add(report, &result);
    if (is_behind)
        return ves_session_note_behind(session, error);
    if (network)
        return ves_fail(error, network, "%s. Events stay in the outbox",
                        sent.text);
    if (status && (reply.status < 200 || reply.status > 299))
        return ves_session_explain(session->agent->alloc, &reply, "push",
                                   error);
    if (status)
        return ves_agent_fail(session->agent, status, error, "push");
    return VES_OK;
}

static enum ves_status count_waiting(struct ves_agent *agent, uint64_t *waiting)
{
    uint64_t counts[VES_OUTBOX_STATUSES] = {0};
    enum ves_status status =
        agent->store->ops->outbox_counts(agent->store, counts);

    *waiting = counts[VES_OUTBOX_PENDING];
    return status;
}

enum ves_status ves_session_remaining(struct ves_agent *agent,
                                      uint64_t *waiting,
                                      struct ves_push_report *report)
{
    uint64_t counts[VES_OUTBOX_STATUSES] = {0};
    enum ves_status status =
        agent->store->ops->outbox_counts(agent->store, counts);

    *waiting = counts[VES_OUTBOX_PENDING];
    struct ves_undelivered undelivered = {0};
    if (!status)
        status = ves_core_undelivered(&agent->core, counts[VES_OUTBOX_FAILED],
                                      &undelivered);
    if (status)
        return status;
    report->undelivered = undelivered.events;
    report->refused = undelivered.refused;
    report->remaining = *waiting + undelivered.events;
    return VES_OK;
}

static enum ves_status push_all(struct ves_session *session,
                                const struct ves_lease *self,
                                struct ves_push *push,
                                struct ves_push_report *report,
                                struct ves_error *error)
{
    const struct ves_sync_options *options = session->options;
    struct ves_agent *agent = session->agent;
    uint64_t batch = ves_agent_setting(agent, "batchSize");
    uint64_t limit = options && options->limit ? options->limit : UINT64_MAX;
    bool is_explicit = !(options && options->is_automatic);
    uint64_t total = 0;
    enum ves_status status = count_waiting(session->agent, &total);

    if (total >= BACKLOG)
        ves_agent_use_pool(agent);
    while (!status && report->attempted < limit &&
           ves_session_progress(session, "push", report->attempted, total)) {
        uint64_t want = limit - report->attempted;
        if (want > batch)
            want = batch;
        ves_push_free(push, agent->alloc);
        status = ves_core_push_begin(&agent->core, self, holder_is_alive,
                                     ves_clock_now_ms(), (uint32_t)want,
                                     is_explicit, push);
        if (status)
            return ves_agent_fail(agent, status, error, "push");
        if (push->count == 0)
            break;
        /* Failed rows are taken up once a call, not once a batch: what fails
         * again must not be sent in a circle. */
        is_explicit = false;
        status = send_batch(session, push, report, error);
    }
    return status;
}

/* Receipts by a key that was introduced since: pins it, if its predecessor
 * vouches for it, and sends again, which gets the same receipts. */
static enum ves_status push_with_new_key(struct ves_session *session,
                                         const struct ves_lease *self,
                                         struct ves_push *push,
                                         struct ves_push_report *report,
                                         struct ves_error *error)
{
    size_t known = session->agent->core.sequencer_key_count;
    struct ves_error before = {VES_AGAIN, ""};

    if (error)
        before = *error;
    enum ves_status status = ves_session_sequencer_keys(session, error);
    if (status || session->agent->core.sequencer_key_count > known)
        return status ? status : push_all(session, self, push, report, error);
    if (error)
        *error = before;
    return VES_AGAIN;
}

/* A rotation that waits goes first: what is sent behind it is signed with the
 * new key.  Refused, it is no reason not to push. */
static enum ves_status rotate(struct ves_session *session,
                              struct ves_error *error)
{
    struct ves_error words = {VES_OK, ""};

    enum ves_status status = ves_session_rotate(session, &words);
    if (status == VES_OK || status == VES_REFUSED || status == VES_UNSUPPORTED)
        return VES_OK;
    return ves_fail(error, status, "%s", words.text);
}

/* Is there anything to send, to ask for or to sign again? */
static enum ves_status is_idle(struct ves_agent *agent, bool *is_idle,
                               struct ves_error *error)
{
    uint64_t waiting = 0;
    struct ves_core_own own;
    struct ves_bytes rotation;

    *is_idle = false;
    enum ves_status status = count_waiting(agent, &waiting);
    if (status || waiting > 0)
        return ves_agent_fail(agent, status, error, "push");
    status = ves_core_own(&agent->core, &own);
    if (!status)
        status = ves_core_rotation(&agent->core, &agent->arena, &rotation);
    *is_idle =
        !status && !own.needs_rechain && !own.was_backup && rotation.len == 0;
    return ves_agent_fail(agent, status, error, "push");
}

/* Nothing to send, nothing to ask; and an automatic push that has to wait
 * does not ask either. */
static enum ves_status prepare(struct ves_session *session,
                               struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    bool is_explicit = !(session->options && session->options->is_automatic);
    bool idle;
    enum ves_status status = is_idle(agent, &idle, error);

    if (status || idle)
        return status;
    status = ves_core_push_may(&agent->core, ves_clock_now_ms(), is_explicit);
    if (status && status != VES_AGAIN)
        return ves_agent_fail(agent, status, error, "push");
    if (status) {
        struct ves_error too_early = agent->core.error;
        struct ves_core_own own;
        enum ves_status found = ves_core_own(&agent->core, &own);
        agent->core.error = too_early;
        if (found || !(own.needs_pull || own.needs_rechain))
            return ves_agent_fail(agent, status, error, "push");
    }
    status = rotate(session, error);
    return status ? status : ves_session_own(session, error);
}

enum ves_status ves_session_push(struct ves_session *session,
                                 struct ves_push_report *report,
                                 struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_lease self;
    struct ves_push push;
    uint64_t waiting;

    memset(&push, 0, sizeof(push));
    ves_buf_init(&push.body, agent->alloc, VES_BODY_MAX);
    enum ves_status status = lease_of_self(&self, error);
    if (status)
        return status;
    status = prepare(session, error);
    if (!status)
        status = push_all(session, &self, &push, report, error);
    if (status == VES_AGAIN && report->attempted > 0 && !session->is_stopped)
        status = push_with_new_key(session, &self, &push, report, error);
    ves_core_push_release(&agent->core, &push);
    ves_push_free(&push, agent->alloc);
    if (ves_session_remaining(session->agent, &waiting, report) && !status)
        status = ves_agent_fail(agent, VES_IO, error, "push");
    return status;
}

enum ves_status ves_push(struct ves_agent *agent,
                         const struct ves_sync_options *options,
                         struct ves_push_report *report,
                         struct ves_error *error)
{
    struct ves_session session;

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "push", error);
    if (status)
        return status;
    /* What waits is told whether or not it comes to a push. */
    uint64_t waiting;
    status = ves_session_remaining(agent, &waiting, report);
    if (status)
        return ves_agent_fail(agent, status, error, "push");
    if (options && options->dry_run) {
        /* Who asks for a push takes up what failed, too. */
        waiting = report->remaining - report->refused;
        report->attempted = options->limit && waiting > options->limit
                                ? options->limit
                                : waiting;
        return VES_OK;
    }
    status = ves_session_open(&session, agent, options, error);
    if (!status)
        status = ves_session_may_ask(&session, error);
    if (!status)
        status = ves_session_push(&session, report, error);
    report->wait_s = session.wait_s;
    ves_session_close(&session);
    return status;
}
