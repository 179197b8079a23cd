/* own.c -- is this store the newest copy of itself?
 *
 * A file that was restored from an older copy does not know it, and what it
 * would send stands under numbers of its agent's chain that the log has seen
 * (semantics.md decision 15).  So the log is asked before anything is sent.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/random.h"
#include "sync/session.h"
#include "json/json.h"

enum { SCRATCH_MAX = 64 * 1024 };

/* What the sequencer says of this agent's events after a number. */
struct answer {
    bool is_told;    /* there is a head */
    bool is_counted; /* another implementation's sequencer does not count */
    uint64_t head, through, count;
};

enum ves_status ves_session_unsent(struct ves_session *session,
                                   uint32_t http_status, uint32_t retry_after_s)
{
    struct ves_core_env env = {.now_ms = ves_clock_now_ms()};
    enum ves_status status = ves_random(env.random, sizeof(env.random), NULL);

    return status ? status
                  : ves_core_push_unsent(&session->agent->core, &env,
                                         http_status, retry_after_s);
}

static void read_answer(struct ves_session *session, struct ves_bytes body,
                        struct answer *out)
{
    struct ves_arena arena;
    const struct ves_json *root;

    ves_arena_init(&arena, session->agent->alloc, SCRATCH_MAX);
    if (ves_json_read(&arena, body, NULL, &root, NULL) == VES_OK) {
        const struct ves_json *own = ves_json_member(root, "agent_events");
        out->is_told = ves_json_get_u64(root, "head_sequence", &out->head);
        out->is_counted = own &&
                          ves_json_get_u64(own, "through", &out->through) &&
                          ves_json_get_u64(own, "count", &out->count) &&
                          out->through <= out->head;
    }
    ves_arena_free(&arena);
}

/* A failure of the way counts as one of pushing; that it may not be asked or
 * knows no such question is for the push itself to find out. */
static enum ves_status ask(struct ves_session *session, uint64_t after,
                           struct answer *out, struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_http_reply reply;
    struct ves_bytes none = {NULL, 0};
    struct ves_error sent = {VES_OK, ""};
    char query[128], path[320], id[VES_UUID_TEXT + 1];

    memset(out, 0, sizeof(*out));
    ves_session_stream_query(&agent->core.stream, query, sizeof(query));
    ves_uuid_format(&agent->core.agent, id);
    snprintf(path, sizeof(path),
             "/api/v1/ves/head?%s&agent_id=%s&after=%" PRIu64, query, id,
             after);
    enum ves_status status =
        ves_http_request(session->client, "GET", path, none, &reply, &sent);
    if (!status && ves_session_is_in_epoch(session, &reply))
        status =
            ves_http_request(session->client, "GET", path, none, &reply, &sent);
    if (status == VES_OK || status == VES_UNREACHABLE)
        ves_agent_note_contact(agent, status == VES_OK, ves_clock_now_ms());
    if (status) {
        if (status == VES_UNREACHABLE)
            (void)!ves_session_unsent(session, 0, 0);
        return ves_fail(error, status, "%s. Events stay in the outbox",
                        sent.text);
    }
    ves_session_note_busy(session, &reply);
    if (reply.status == 429 || reply.status >= 500) {
        (void)!ves_session_unsent(session, reply.status, reply.retry_after_s);
        return ves_session_explain(agent->alloc, &reply, "push", error);
    }
    if (reply.status >= 200 && reply.status <= 299)
        read_answer(session, reply.body, out);
    return VES_OK;
}

/* Does the log hold own events that this store cannot place? */
static enum ves_status is_behind(struct ves_session *session,
                                 const struct ves_core_own *own,
                                 bool *is_behind, bool *is_counted,
                                 struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct answer answer;
    uint64_t known = own->known;

    *is_behind = false;
    for (;;) {
        enum ves_status status = ask(session, known, &answer, error);
        if (status)
            return status;
        *is_counted = answer.is_counted;
        /* Nothing proves what was told: of a log that long no more is heard. */
        if (answer.is_counted && answer.head < known && known > own->cursor) {
            known = own->cursor;
            continue;
        }
        if (answer.is_counted && answer.head <= known)
            return VES_OK;
        if (!answer.is_counted || answer.through <= known) {
            *is_behind = answer.is_told && answer.head > known;
            return VES_OK;
        }
        bool is_known = false;
        status = ves_core_own_counted(&agent->core, known, answer.through,
                                      answer.count, &is_known);
        if (status)
            return ves_agent_fail(agent, status, error, "push");
        *is_behind = !is_known;
        if (*is_behind || answer.through >= answer.head)
            return VES_OK;
        known = answer.through;
    }
}

enum ves_status ves_session_catch_up(struct ves_session *session,
                                     struct ves_error *error)
{
    const struct ves_sync_options *options = session->options;
    struct ves_sync_options all = {.limit = 0};
    struct ves_pull_report report;

    memset(&report, 0, sizeof(report));
    if (options)
        all = *options;
    all.limit = 0;
    session->options = &all;
    enum ves_status status = ves_session_pull(session, 0, &report, error);
    session->options = options;
    if (!status && session->is_stopped)
        status = ves_fail(error, VES_AGAIN,
                          "stopped while the log was pulled; nothing was sent");
    if (!status)
        session->is_caught_up = !report.has_more;
    return status;
}

enum ves_status ves_session_sign_again(struct ves_session *session,
                                       struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    enum ves_status status = ves_agent_need_key(agent, error);

    if (status)
        return status;
    status = ves_core_rechain(&agent->core, ves_clock_now_ms());
    return status ? ves_agent_fail(agent, status, error, "push")
                  : ves_agent_settle_keys(agent, error);
}

/* Nothing proves where a log ends.  What a backup lost lies behind that end, so
 * it takes two answers, of which the second counts. */
static enum ves_status check_end(struct ves_session *session,
                                 struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_core_own own;
    bool is_missing = false, is_counted = true;
    enum ves_status status = ves_core_own(&agent->core, &own);

    if (status)
        return ves_agent_fail(agent, status, error, "push");
    if (!own.was_backup || own.needs_pull)
        return VES_OK;
    status = is_behind(session, &own, &is_missing, &is_counted, error);
    if (!status && is_missing && is_counted)
        status = ves_fail(error, VES_AGAIN,
                          "this store was restored from an older copy, and the "
                          "sequencer counts more events of it than the log "
                          "shows: an older answer may have come from a cache "
                          "on the way. Nothing was sent; sync again");
    return status;
}

enum ves_status ves_session_own(struct ves_session *session,
                                struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_core_own own;
    bool needs_pull, is_counted = true;
    enum ves_status status = ves_core_own(&agent->core, &own);

    if (status)
        return ves_agent_fail(agent, status, error, "push");
    needs_pull = own.needs_pull;
    if (!needs_pull && (!session->is_caught_up || own.was_backup))
        status = is_behind(session, &own, &needs_pull, &is_counted, error);
    if (!status && needs_pull) {
        status = ves_session_catch_up(session, error);
        /* Pushing goes on while a falsehood stops the pull (semantics.md
         * 3.10), unless there is word of own events behind it. */
        if (status == VES_REFUSED && !is_counted)
            status = VES_OK;
    }
    if (!status && needs_pull)
        status = check_end(session, error);
    if (!status)
        status = ves_core_own(&agent->core, &own);
    if (!status && own.was_backup && !own.needs_pull) {
        status = ves_core_own_whole(&agent->core);
        if (status)
            return ves_agent_fail(agent, status, error, "push");
    }
    if (!status && own.needs_rechain && !own.needs_pull)
        status = ves_session_sign_again(session, error);
    return status;
}
