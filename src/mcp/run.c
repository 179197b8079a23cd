/* run.c -- handlers on workers, questions to the client, cancellation. */
#include <signal.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "mcp/server.h"
#include "os/clock.h"
#include "os/signals.h"
#include "os/timed.h"

enum { ROOM_MS = 1000, TICK_MS = 200, STACK = 512 * 1024 };

/* Waits on a condition of the server's for at most ms; the lock is held. */
static void wait_changed(struct ves_mcp *mcp, pthread_cond_t *cond, int ms)
{
    struct timespec until = ves_timed_after((unsigned)ms);
    (void)pthread_cond_timedwait(cond, &mcp->lock, &until);
}

/* ---- questions ----------------------------------------------------------- */

static enum ves_mcp_ability ability_of(const char *method)
{
    if (strcmp(method, "sampling/createMessage") == 0)
        return VES_MCP_SAMPLING;
    if (strcmp(method, "roots/list") == 0)
        return VES_MCP_ROOTS;
    return VES_MCP_FORM;
}

static const char *required_capability(enum ves_mcp_ability ability)
{
    if (ability == VES_MCP_SAMPLING)
        return "{\"requiredCapabilities\":{\"sampling\":{}}}";
    if (ability == VES_MCP_ROOTS)
        return "{\"requiredCapabilities\":{\"roots\":{}}}";
    return "{\"requiredCapabilities\":{\"elicitation\":{\"form\":{}}}}";
}

/* Only what the client said it can be asked; else the request is answered. */
static bool may_ask(struct ves_mcp_call *call)
{
    for (struct ves_mcp_question *q = call->questions; q; q = q->next) {
        enum ves_mcp_ability ability = ability_of(q->method);
        if (ves_mcp_can(call, ability))
            continue;
        ves_mcp_reply_error(call, VES_MCP_CAPABILITY_MISSING,
                            "This needs a capability the client did not "
                            "declare",
                            required_capability(ability));
        return false;
    }
    return true;
}

static void put_question(const struct ves_mcp_question *q, struct ves_buf *out)
{
    ves_buf_putf(out,
                 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\","
                 "\"params\":",
                 (unsigned long long)q->request_id, q->method);
    ves_buf_put_bytes(out, q->params);
    ves_buf_put_str(out, "}");
}

static void send_questions(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    struct ves_buf out;

    ves_buf_init(&out, mcp->alloc, VES_MCP_REPLY_MAX);
    for (struct ves_mcp_question *q = call->questions; q; q = q->next) {
        pthread_mutex_lock(&mcp->lock);
        q->request_id = ++mcp->next_question;
        pthread_mutex_unlock(&mcp->lock);
        ves_buf_reset(&out);
        put_question(q, &out);
        if (!ves_buf_status(&out))
            call->sink->send(call->sink, ves_buf_view(&out));
    }
    ves_buf_free(&out);
}

static bool all_answered(const struct ves_mcp_call *call)
{
    for (const struct ves_mcp_question *q = call->questions; q; q = q->next) {
        if (!q->is_answered)
            return false;
    }
    return true;
}

/* Waits for a person.  What stays unanswered counts as cancelled. */
static void await_answers(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    int64_t end = ves_clock_monotonic_ms() + VES_MCP_ASK_MS;

    pthread_mutex_lock(&mcp->lock);
    mcp->waiting++;
    while (!all_answered(call) && !atomic_load(&call->is_cancelled) &&
           !call->session->is_closed && !atomic_load(&mcp->is_ending) &&
           !atomic_load(&mcp->is_stopping) && ves_clock_monotonic_ms() < end)
        wait_changed(mcp, &mcp->changed, TICK_MS);
    mcp->waiting--;
    /* An answer that comes from here on comes too late. */
    for (struct ves_mcp_question *q = call->questions; q; q = q->next)
        q->request_id = 0;
    pthread_mutex_unlock(&mcp->lock);
    for (struct ves_mcp_question *q = call->questions; q; q = q->next)
        ves_mcp_call_give(call, q->key,
                          q->is_answered
                              ? ves_buf_view(&q->answer)
                              : ves_bytes_str("{\"action\":\"cancel\"}"));
}

void ves_mcp_answered(struct ves_mcp_session *session,
                      const struct ves_mcp_message *message)
{
    struct ves_mcp *mcp = session->mcp;
    char id[24];
    struct ves_buf text;

    ves_buf_init(&text, mcp->alloc, sizeof(id));
    pthread_mutex_lock(&mcp->lock);
    for (struct ves_mcp_call *call = session->calls; call;
         call = call->next_in_session) {
        for (struct ves_mcp_question *q = call->questions; q; q = q->next) {
            ves_buf_reset(&text);
            ves_buf_put_decimal(&text, q->request_id);
            if (!q->request_id || q->is_answered ||
                !ves_bytes_equal(ves_buf_view(&text), message->id))
                continue;
            if (message->result)
                ves_buf_put_bytes(&q->answer, message->result->text);
            else
                ves_buf_put_str(&q->answer, "{\"action\":\"cancel\"}");
            q->is_answered = true;
        }
    }
    pthread_cond_broadcast(&mcp->changed);
    pthread_mutex_unlock(&mcp->lock);
    ves_buf_free(&text);
}

/* ---- the handler --------------------------------------------------------- */

static ves_mcp_handler *handler_of(const struct ves_mcp_call *call)
{
    switch (call->purpose) {
    case VES_MCP_FOR_TOOL:
        return call->tool->tool->run;
    case VES_MCP_FOR_RESOURCE:
        return call->resource->read;
    case VES_MCP_FOR_PROMPT:
        return call->prompt->get;
    default:
        return call->mcp->options.complete;
    }
}

/* Between rounds of a legacy client the state stays here. */
static void next_round(struct ves_mcp_call *call)
{
    struct ves_bytes kept;

    if (ves_arena_copy(&call->arena, ves_buf_view(&call->kept), &kept))
        kept = ves_bytes(NULL, 0);
    pthread_mutex_lock(&call->mcp->lock);
    ves_mcp_call_reset(call);
    pthread_mutex_unlock(&call->mcp->lock);
    call->state = kept;
}

static void run_handler(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    ves_mcp_handler *handler = handler_of(call);

    for (int round = 0; round < VES_MCP_ROUNDS_MAX; round++) {
        enum ves_mcp_outcome outcome = ves_mcp_is_cancelled(call)
                                           ? VES_MCP_FAILED
                                           : handler(call, mcp->options.ctx);
        if (ves_mcp_is_cancelled(call)) {
            call->sink->finish(call->sink, ves_bytes(NULL, 0), 200);
            return;
        }
        if (outcome == VES_MCP_DONE) {
            ves_mcp_reply_done(call);
            return;
        }
        if (outcome == VES_MCP_FAILED) {
            ves_mcp_reply_failed(call);
            return;
        }
        if (!may_ask(call))
            return;
        if (ves_mcp_is_modern(call)) {
            ves_mcp_reply_ask(call);
            return;
        }
        send_questions(call);
        await_answers(call);
        next_round(call);
    }
    ves_mcp_fail(call, "INTERNAL: too many questions in a row; the request "
                       "was given up.");
    ves_mcp_reply_failed(call);
}

void ves_mcp_call_run(struct ves_mcp_call *call)
{
    /* What still waits when time is up would keep the process for as long as
     * each of them takes. */
    if (!ves_mcp_is_cancelled(call) && !ves_mcp_may_go_on(call))
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "The server ends; this request was not begun",
                            NULL);
    else if (call->purpose == VES_MCP_FOR_LISTENING)
        call->listen(call);
    else
        run_handler(call);
}

void ves_mcp_call_end(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;

    pthread_mutex_lock(&mcp->lock);
    if (call->session) {
        struct ves_mcp_call **link = &call->session->calls;
        while (*link && *link != call)
            link = &(*link)->next_in_session;
        if (*link)
            *link = call->next_in_session;
    }
    mcp->in_flight--;
    pthread_cond_broadcast(&mcp->changed);
    pthread_mutex_unlock(&mcp->lock);
    ves_mcp_call_free(call);
}

/* ---- workers ------------------------------------------------------------- */

static void *work(void *ctx)
{
    struct ves_mcp *mcp = ctx;

    pthread_mutex_lock(&mcp->lock);
    for (;;) {
        while (!mcp->queue && !mcp->is_closing) {
            mcp->idle++;
            pthread_cond_wait(&mcp->has_work, &mcp->lock);
            mcp->idle--;
        }
        struct ves_mcp_call *call = mcp->queue;
        if (!call)
            break;
        mcp->queue = call->next_in_queue;
        if (!mcp->queue)
            mcp->queue_end = &mcp->queue;
        mcp->queued--;
        pthread_mutex_unlock(&mcp->lock);
        ves_mcp_call_run(call);
        ves_mcp_call_end(call);
        pthread_mutex_lock(&mcp->lock);
    }
    pthread_mutex_unlock(&mcp->lock);
    return NULL;
}

/* Signals are for the thread that waits for them. */
static void add_worker(struct ves_mcp *mcp)
{
    sigset_t all, before;
    pthread_attr_t attributes;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK);
    if (pthread_create(&mcp->threads[mcp->workers], &attributes, work, mcp) ==
        0)
        mcp->workers++;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ves_mcp_enqueue(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    int64_t end = ves_clock_monotonic_ms() + ROOM_MS;

    pthread_mutex_lock(&mcp->lock);
    while (mcp->queued >= VES_MCP_QUEUE_MAX && ves_clock_monotonic_ms() < end)
        wait_changed(mcp, &mcp->changed, ROOM_MS);
    /* Idle ones that were woken are still counted: one more worker than
     * needed is no harm.  Those that wait for a person count as none. */
    if (mcp->idle <= mcp->queued && mcp->workers < VES_MCP_WORKERS_MAX &&
        mcp->workers - mcp->waiting < VES_MCP_BUSY_MAX)
        add_worker(mcp);
    bool is_taken = mcp->queued < VES_MCP_QUEUE_MAX && mcp->workers > 0;
    if (is_taken) {
        *mcp->queue_end = call;
        mcp->queue_end = &call->next_in_queue;
        mcp->queued++;
    }
    pthread_mutex_unlock(&mcp->lock);
    /* Not before: a worker woken under the lock waits for it at once. */
    if (is_taken) {
        pthread_cond_signal(&mcp->has_work);
        return;
    }
    ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                        "Too many requests are under way; try again later",
                        NULL);
    ves_mcp_call_end(call);
}

void ves_mcp_drain(struct ves_mcp *mcp)
{
    pthread_mutex_lock(&mcp->lock);
    while (mcp->in_flight > 0) {
        if (ves_stop_requested())
            atomic_store(&mcp->is_stopping, true);
        wait_changed(mcp, &mcp->changed, TICK_MS);
    }
    mcp->is_closing = true;
    pthread_cond_broadcast(&mcp->has_work);
    pthread_mutex_unlock(&mcp->lock);
    for (size_t i = 0; i < mcp->workers; i++)
        pthread_join(mcp->threads[i], NULL);
    mcp->workers = 0;
}

/* ---- cancellation -------------------------------------------------------- */

void ves_mcp_cancel(struct ves_mcp_session *session,
                    const struct ves_mcp_message *message)
{
    const struct ves_json *id = ves_json_member(message->params, "requestId");
    struct ves_mcp *mcp = session->mcp;

    if (!id)
        return;
    pthread_mutex_lock(&mcp->lock);
    ves_mcp_unlisten(session, id->text);
    for (struct ves_mcp_call *call = session->calls; call;
         call = call->next_in_session) {
        if (ves_bytes_equal(call->message.id, id->text))
            atomic_store(&call->is_cancelled, true);
    }
    pthread_cond_broadcast(&mcp->changed);
    pthread_mutex_unlock(&mcp->lock);
}
