/* rotate.c -- the store's key gives way to the one it committed to (ADR 0033).
 *
 * The statement lies in the store before it is sent, and goes out again until
 * the sequencer took it or refused it for good, or the key it leads to is gone;
 * that it was taken shows when the log has it.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/file.h"
#include "sync/session.h"

static enum ves_status is_pending(struct ves_agent *agent, bool *out,
                                  struct ves_error *error)
{
    struct ves_bytes body;

    enum ves_status status =
        ves_core_rotation(&agent->core, &agent->arena, &body);
    *out = !status && body.len > 0;
    return ves_agent_fail(agent, status, error, "rotating the key");
}

/* The sequencer held the statement against its log.  Any other answer is about
 * the way there, the credential or the sequencer: a gateway, one that is older
 * or frozen, a key that was taken away and will be given again. */
static bool is_final(struct ves_session *session,
                     const struct ves_http_reply *reply)
{
    static const char *const codes[] = {"key_event_refused", NULL};

    return ves_session_is_refused_for(session, reply, codes);
}

static enum ves_status refused(struct ves_session *session,
                               const struct ves_http_reply *reply,
                               struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_error words = {VES_OK, ""};

    enum ves_status status =
        ves_session_explain(agent->alloc, reply, "rotating the key", &words);
    bool is_refused = is_final(session, reply);
    /* What waits in the outbox may go all the same, unless nothing would. */
    if (!is_refused && session->wait_s == 0 && status != VES_AUTH &&
        status != VES_FORBIDDEN)
        status = VES_UNSUPPORTED;
    if (!is_refused)
        return ves_fail(error, status,
                        "%s. The rotation waits and goes out with the next "
                        "push",
                        words.text);
    status =
        ves_core_rotation_refused(&agent->core, words.text, ves_clock_now_ms());
    if (status)
        return ves_agent_fail(agent, status, error, "rotating the key");
    return ves_fail(error, VES_REFUSED, "%s. The key was not rotated",
                    words.text);
}

static enum ves_status send(struct ves_session *session, struct ves_bytes body,
                            struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_http_reply reply;
    struct ves_error sent = {VES_OK, ""};
    char path[128], id[VES_UUID_TEXT + 1];

    ves_uuid_format(&agent->core.agent, id);
    (void)snprintf(path, sizeof(path), "/api/v1/agents/%s/key-rotations", id);
    enum ves_status status =
        ves_http_request(session->client, "POST", path, body, &reply, &sent);
    if (status == VES_OK || status == VES_UNREACHABLE)
        ves_agent_note_contact(agent, status == VES_OK, ves_clock_now_ms());
    if (status == VES_UNREACHABLE)
        (void)!ves_session_unsent(session, 0, 0);
    if (status)
        return ves_fail(error, status,
                        "%s. The rotation waits and goes out with the next "
                        "push",
                        sent.text);
    ves_session_note_busy(session, &reply);
    return reply.status >= 200 && reply.status <= 299
               ? VES_OK
               : refused(session, &reply, error);
}

/* From here on it is in the log, or will be seen there. */
static enum ves_status take(struct ves_session *session,
                            struct ves_error *error)
{
    bool is_still = false;

    struct ves_error words = {VES_OK, ""};

    enum ves_status status = ves_session_catch_up(session, &words);
    /* Nothing would be taken under the old key any more. */
    if (status)
        return ves_fail(error, status == VES_REFUSED ? VES_AGAIN : status, "%s",
                        words.text);
    status = is_pending(session->agent, &is_still, error);
    if (!status && is_still)
        return ves_fail(error, VES_AGAIN,
                        "the sequencer took the rotation of this store's key, "
                        "and its log does not show it yet; push or sync again");
    return status ? status : ves_session_sign_again(session, error);
}

/* Once the log has it, this store could sign nothing any more.  One that was
 * sent, and whose answer was lost, is the log's to decide as before. */
static enum ves_status withdraw(struct ves_agent *agent,
                                struct ves_error *error)
{
    struct ves_error words = {VES_OK, ""};

    (void)ves_fail(&words, VES_REFUSED,
                   "%s is not there, and a store whose key gave way to it "
                   "could sign nothing any more. The rotation is not asked for "
                   "again, and the store goes on with the key it has. If the "
                   "file is lost, set up a new store with an invitation, and "
                   "have the owner of the stream revoke this key (ves admin "
                   "revoke)",
                   agent->next_key_path);
    enum ves_status status =
        ves_core_rotation_refused(&agent->core, words.text, ves_clock_now_ms());
    if (status)
        return ves_agent_fail(agent, status, error, "rotating the key");
    return ves_fail(error, VES_REFUSED, "%s", words.text);
}

enum ves_status ves_session_rotate(struct ves_session *session,
                                   struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_bytes body;

    enum ves_status status =
        ves_core_rotation(&agent->core, &agent->arena, &body);
    if (status || body.len == 0)
        return ves_agent_fail(agent, status, error, "rotating the key");
    if (!ves_file_exists(agent->next_key_path))
        return withdraw(agent, error);
    status = send(session, body, error);
    return status ? status : take(session, error);
}

static enum ves_status rotate(struct ves_agent *agent,
                              const struct ves_sync_options *options,
                              struct ves_error *error)
{
    struct ves_session session;

    enum ves_status status = ves_session_open(&session, agent, options, error);
    if (!status)
        status = ves_session_rotate(&session, error);
    ves_session_close(&session);
    return status;
}

enum ves_status ves_rotate_key(struct ves_agent *agent,
                               const struct ves_sync_options *options,
                               struct ves_rotate_report *report,
                               struct ves_error *error)
{
    bool waits = false;

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    enum ves_status status = is_pending(agent, &waits, error);
    /* One that waits is good for going on, while its key is there. */
    if (!status && !waits)
        status = ves_agent_rotate(agent, error);
    if (!status)
        status = rotate(agent, options, error);
    if (is_pending(agent, &report->is_waiting, NULL))
        report->is_waiting = false;
    report->key_id = agent->core.key_id;
    report->public_key = agent->public_key;
    return status;
}
