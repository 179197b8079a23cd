/* session.c -- one conversation with the sequencer. */
#include "sync/session.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/random.h"
#include "json/json.h"

enum {
    UNAUTHORIZED = 401,
    NONCE_SIZE = 12, /* bytes */
    WORDS_MAX = 200,
    SCRATCH_MAX = 1024 * 1024,
    WAIT_S = 30,         /* of who is busy and says not for how long */
    WAIT_MAX_S = 60 * 60 /* no more is believed */
};

static bool is_busy(const struct ves_http_reply *reply)
{
    return reply->status == 429 || reply->status == 503;
}

static uint32_t wait_of(const struct ves_http_reply *reply)
{
    if (reply->retry_after_s == 0)
        return WAIT_S;
    return reply->retry_after_s < WAIT_MAX_S ? reply->retry_after_s
                                             : WAIT_MAX_S;
}

/* While a request waits, the caller is asked as it is between requests. */
static bool is_stopped(void *ctx)
{
    struct ves_session *session = ctx;

    return !ves_session_progress(session, session->what, session->done,
                                 session->total);
}

enum ves_status ves_session_open(struct ves_session *session,
                                 struct ves_agent *agent,
                                 const struct ves_sync_options *options,
                                 struct ves_error *error)
{
    char *credential = NULL, nonce[2 * NONCE_SIZE + 1] = "";
    uint8_t random[NONCE_SIZE];
    struct ves_http_options http = {
        .url = agent->url,
        .nonce = nonce,
        .has_tls_pin = agent->has_tls_key,
        .tls_pin = agent->tls_key,
        .timeout_ms = options ? options->timeout_ms : 0,
        .is_stopped = is_stopped,
        .is_stopped_ctx = session,
    };

    memset(session, 0, sizeof(*session));
    session->agent = agent;
    session->options = options;
    session->what = "connect";
    /* What was sent cannot be rolled back any more. */
    if (ves_agent_is_in_transaction(agent))
        return ves_fail(error, VES_INVALID,
                        "a transaction is open on this store's connection; "
                        "nothing was sent. Commit it or roll it back first");
    if (!agent->url[0])
        return ves_fail(error, VES_NOT_FOUND,
                        "this store belongs to no sequencer yet; nothing was "
                        "sent. Ask its operator for an invitation and run "
                        "\"ves init --invite\"");
    enum ves_status status = ves_random(random, sizeof(random), error);
    if (status)
        return status;
    ves_hex_encode(random, sizeof(random), nonce);
    status = ves_agent_credential(agent, &credential, error);
    http.credential = credential;
    if (!status)
        status =
            ves_http_client_open(&http, agent->alloc, &session->client, error);
    ves_secret_free(credential);
    return status ? status : ves_session_known_head(session, error);
}

void ves_session_close(struct ves_session *session)
{
    ves_http_client_close(session->client);
    session->client = NULL;
}

bool ves_session_progress(struct ves_session *session, const char *what,
                          uint64_t done, uint64_t total)
{
    const struct ves_sync_options *options = session->options;

    session->what = what;
    session->done = done;
    session->total = total;
    if (options && options->progress &&
        !options->progress(options->progress_ctx, what, done, total))
        session->is_stopped = true;
    return !session->is_stopped;
}

/* The server's own words, cut and without anything a terminal would obey. */
static void take_words(const struct ves_alloc *alloc,
                       const struct ves_http_reply *reply, char out[WORDS_MAX])
{
    struct ves_arena arena;
    const struct ves_json *root;
    struct ves_bytes words = {NULL, 0};
    size_t n = 0;

    ves_arena_init(&arena, alloc, SCRATCH_MAX);
    if (reply->body.len < SCRATCH_MAX / 16 &&
        ves_json_read(&arena, reply->body, NULL, &root, NULL) == VES_OK &&
        !ves_json_get_string(root, "message", &words))
        (void)ves_json_get_string(root, "error", &words);
    for (; n < words.len && n < WORDS_MAX - 1; n++)
        out[n] = words.ptr[n] >= 0x20 && words.ptr[n] < 0x7f
                     ? (char)words.ptr[n]
                     : '?';
    out[n] = '\0';
    ves_arena_free(&arena);
}

enum ves_status ves_session_explain(const struct ves_alloc *alloc,
                                    const struct ves_http_reply *reply,
                                    const char *what, struct ves_error *error)
{
    char words[WORDS_MAX];

    take_words(alloc, reply, words);
    switch (reply->status) {
    case UNAUTHORIZED:
        return ves_fail(error, VES_AUTH,
                        "%s: the sequencer does not accept this store's "
                        "credential (%s). Nothing is lost; a new invitation "
                        "of the same stream renews it",
                        what, words);
    case 403:
        return ves_fail(error, VES_FORBIDDEN,
                        "%s: this store's credential lacks the right (%s). "
                        "Nothing is lost; ask the operator",
                        what, words);
    case 404:
        return ves_fail(error, VES_NOT_FOUND,
                        "%s: the sequencer knows no such thing (%s)", what,
                        words);
    case 409:
        return ves_fail(error, VES_CONFLICT, "%s: refused (%s)", what, words);
    case 429:
    case 503:
        return ves_fail(error, VES_UNREACHABLE,
                        "%s: the sequencer is busy (HTTP %u); nothing is "
                        "lost, try again in %u s",
                        what, reply->status, wait_of(reply));
    default:
        return ves_fail(error,
                        reply->status >= 500 ? VES_UNREACHABLE : VES_REFUSED,
                        "%s: the sequencer answered HTTP %u (%s)", what,
                        reply->status, words);
    }
}

void ves_session_note_busy(struct ves_session *session,
                           const struct ves_http_reply *reply)
{
    session->wait_s = is_busy(reply) ? wait_of(reply) : 0;
    if (session->wait_s == 0 || reply->retry_after_s == 0 || session->is_quiet)
        return;
    /* Not kept, the next loop asks too early, which does no harm here. */
    (void)!ves_core_told_to_wait(&session->agent->core, ves_clock_now_ms(),
                                 session->wait_s);
}

enum ves_status ves_session_may_ask(struct ves_session *session,
                                    struct ves_error *error)
{
    struct ves_agent *agent = session->agent;

    if (!session->options || !session->options->is_automatic)
        return VES_OK;
    enum ves_status status =
        ves_core_is_to_wait(&agent->core, ves_clock_now_ms(), &session->wait_s);
    if (status)
        return ves_agent_fail(agent, status, error, "sync");
    if (session->wait_s == 0)
        return VES_OK;
    return ves_fail(error, VES_UNREACHABLE,
                    "the sequencer asked to be left alone for %u s more; "
                    "nothing was sent, everything is kept",
                    session->wait_s);
}

enum ves_status ves_session_request(struct ves_session *session,
                                    const char *method, const char *path,
                                    struct ves_bytes body,
                                    struct ves_http_reply *reply,
                                    struct ves_error *error)
{
    enum ves_status status =
        ves_http_request(session->client, method, path, body, reply, error);

    if (!status && ves_session_is_in_epoch(session, reply))
        status =
            ves_http_request(session->client, method, path, body, reply, error);
    if (status == VES_OK || status == VES_UNREACHABLE) {
        session->contact.at_ms = ves_clock_now_ms();
        session->contact.is_reachable = status == VES_OK;
        if (!session->is_quiet)
            ves_agent_note_contact(session->agent, status == VES_OK,
                                   session->contact.at_ms);
    }
    if (!status)
        ves_session_note_busy(session, reply);
    if (!status) {
        session->contact.is_refused = reply->status == UNAUTHORIZED;
        if (!session->is_quiet)
            ves_agent_note_credential(session->agent,
                                      reply->status != UNAUTHORIZED);
    }
    if (!status)
        ves_session_vouched(session);
    if (!status && ves_session_is_behind(session, reply))
        return ves_session_note_behind(session, error);
    if (!status && (reply->status < 200 || reply->status > 299))
        status = ves_session_explain(session->agent->alloc, reply,
                                     "asking the sequencer", error);
    return status;
}

void ves_session_stream_query(const struct ves_stream *stream, char *out,
                              size_t size)
{
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];

    ves_uuid_format(&stream->tenant, tenant);
    ves_uuid_format(&stream->store, store);
    snprintf(out, size, "tenant_id=%s&store_id=%s", tenant, store);
}
