/* http.c -- Streamable HTTP: one path, /mcp.
 *
 * A thread a connection, so that waiting for an answer is waiting.  A POST's
 * answer is plain JSON, unless something is to be said before it: then it is a
 * stream of events.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "mcp/guard.h"
#include "mcp/http_stream.h"
#include "mcp/peers.h"
#include "mcp/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/framing.h"
#include "os/listen.h"
#include "os/mhd.h"
#include "os/random.h"
#include "os/signals.h"
#include "os/timed.h"
#include "os/token.h"

enum {
    SILENT_S = VES_MCP_IDLE_MS / 1000, /* no byte either way */
    HEADERS_MEMORY = 32 * 1024,
    LOOK_MS = 200, /* how often a waiting thread looks for a closed client */
    ALIVE_MS = 15 * 1000,
    SESSION_IDLE_MS = 3600 * 1000
};

struct http {
    struct ves_mcp *mcp;
    struct MHD_Daemon *daemon;
    struct ves_mcp_peers peers;
    const char *origins;
    struct ves_token token;
    atomic_bool is_stopping;
};

struct request {
    struct http *http;
    struct MHD_Connection *connection;
    struct ves_mcp_peer *peer; /* NULL: there was no memory for one */
    size_t *place;             /* one of these is taken; NULL: none */
    struct ves_buf body;
    struct ves_mcp_stream *stream;
    struct ves_mcp_session *session; /* kept */
    bool is_new_session;
    bool is_refused;
    bool is_cut_off; /* refused, and nobody knows where the next one begins */
    bool is_too_large, is_too_much; /* the body */
    size_t held;                    /* of the server's, for the body */
    bool is_modern;
    int64_t written_ms;
};

/* ---- waiting ---------------------------------------------------------------
 */

/* Waits a little for something to change; the stream's lock is held.  A
 * client that closed its end is noticed here. */
static void stream_wait(struct request *r)
{
    struct ves_mcp_stream *s = r->stream;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct timespec until = ves_timed_after(LOOK_MS);

    if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0 || !info)
        return;
    struct pollfd item = {.fd = info->connect_fd, .events = POLLRDHUP};
    if (poll(&item, 1, 0) > 0 &&
        (item.revents & (POLLRDHUP | POLLHUP | POLLERR)))
        atomic_store(&s->sink.is_gone, true);
}

/* ---- answers ------------------------------------------------------------- */

static enum MHD_Result respond(struct request *r, unsigned status,
                               struct MHD_Response *response)
{
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->is_new_session)
        MHD_add_response_header(response, "Mcp-Session-Id", r->session->id);
    if (status == 405)
        MHD_add_response_header(response, "Allow", "POST");
    if (status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    if (status == 408 || status == 413 || status == 503 || r->is_cut_off)
        MHD_add_response_header(response, "Connection", "close");
    if (status == 401)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "Bearer realm=\"mcp\"");
    enum MHD_Result result =
        MHD_queue_response(r->connection, status, response);
    MHD_destroy_response(response);
    /* Taking the answer and sending the next request; a stream takes its time.
     */
    if (r->place != &r->http->peers.streams)
        ves_mcp_peer_sends(&r->http->peers, r->peer, ves_clock_monotonic_ms(),
                           VES_MCP_IDLE_MS);
    return result;
}

static enum MHD_Result respond_json(struct request *r, unsigned status,
                                    struct ves_bytes json)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        json.len, (void *)(uintptr_t)json.ptr, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    if (json.len)
        MHD_add_response_header(response, "Content-Type", "application/json");
    return respond(r, status, response);
}

/* Refuses before, or without, looking at the body. */
static enum MHD_Result refuse(struct request *r, unsigned status,
                              const char *words)
{
    struct ves_buf out;

    r->is_refused = true;
    ves_buf_init(&out, r->http->mcp->alloc, VES_MCP_REPLY_MAX);
    ves_mcp_put_error(&out, ves_bytes(NULL, 0), VES_MCP_INVALID_REQUEST, words,
                      NULL);
    enum MHD_Result result = respond_json(r, status, ves_buf_view(&out));
    ves_buf_free(&out);
    return result;
}

/* Gives what there is to the client; waits while there is nothing. */
static ssize_t give_events(void *ctx, uint64_t pos, char *buf, size_t max)
{
    static const char alive[] = ": alive\n\n";
    struct request *r = ctx;
    struct ves_mcp_stream *s = r->stream;
    ssize_t n = MHD_CONTENT_READER_END_OF_STREAM;

    (void)pos;
    pthread_mutex_lock(&s->lock);
    while (s->events.len == 0 && !s->is_done &&
           !atomic_load(&s->sink.is_gone) &&
           !atomic_load(&r->http->is_stopping) &&
           ves_clock_monotonic_ms() - r->written_ms < ALIVE_MS)
        stream_wait(r);
    if (s->events.len > 0) {
        size_t some = s->events.len < max ? s->events.len : max;
        memcpy(buf, s->events.ptr, some);
        memmove(s->events.ptr, s->events.ptr + some, s->events.len - some);
        s->events.len -= some;
        n = (ssize_t)some;
    } else if (!s->is_done && !atomic_load(&s->sink.is_gone) &&
               !atomic_load(&r->http->is_stopping)) {
        memcpy(buf, alive, sizeof(alive) - 1);
        n = sizeof(alive) - 1;
    }
    pthread_mutex_unlock(&s->lock);
    r->written_ms = ves_clock_monotonic_ms();
    return n;
}

static enum MHD_Result respond_events(struct request *r)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 16 * 1024, give_events, r, NULL);

    if (!response)
        return MHD_NO;
    r->written_ms = ves_clock_monotonic_ms();
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    return respond(r, 200, response);
}

/* Waits for the answer, or for the first event before it. */
static enum MHD_Result await(struct request *r)
{
    struct ves_mcp_stream *s = r->stream;

    pthread_mutex_lock(&s->lock);
    while (!s->is_done && !s->is_live && !atomic_load(&r->http->is_stopping) &&
           !(r->is_modern && atomic_load(&s->sink.is_gone)))
        stream_wait(r);
    bool is_live = s->is_live;
    bool is_done = s->is_done;
    pthread_mutex_unlock(&s->lock);
    if (is_live)
        return respond_events(r);
    if (!is_done)
        return MHD_NO;
    return respond_json(r, (unsigned)s->status, ves_buf_view(&s->answer));
}

/* ---- sessions of legacy clients ------------------------------------------ */

static const char *header(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* Takes the session out of the list; the list's reference is the caller's.
 * The lock is held. */
static struct ves_mcp_session *unlink_session(struct ves_mcp *mcp,
                                              struct ves_mcp_session **link)
{
    struct ves_mcp_session *session = *link;

    *link = session->next;
    mcp->session_count--;
    return session;
}

static void end_session(struct ves_mcp_session *session)
{
    ves_mcp_session_close(session);
    ves_mcp_session_drop(session);
}

/* Ends the session nobody used for the longest time, if it must go. */
static void make_room(struct ves_mcp *mcp)
{
    struct ves_mcp_session **oldest = NULL, *gone = NULL;

    pthread_mutex_lock(&mcp->lock);
    for (struct ves_mcp_session **link = &mcp->sessions; *link;
         link = &(*link)->next) {
        if (!oldest || (*link)->used_ms < (*oldest)->used_ms)
            oldest = link;
    }
    if (oldest &&
        (mcp->session_count >= VES_MCP_SESSIONS_MAX ||
         ves_clock_monotonic_ms() - (*oldest)->used_ms > SESSION_IDLE_MS))
        gone = unlink_session(mcp, oldest);
    pthread_mutex_unlock(&mcp->lock);
    if (gone)
        end_session(gone);
}

static struct ves_mcp_session *new_session(struct request *r)
{
    struct ves_mcp *mcp = r->http->mcp;
    struct ves_mcp_session *session = ves_mcp_session_new(mcp);
    uint8_t random[VES_MCP_SESSION_ID / 2];

    make_room(mcp);
    if (!session || ves_random(random, sizeof(random), NULL)) {
        ves_mcp_session_drop(session);
        return NULL;
    }
    ves_hex_encode(random, sizeof(random), session->id);
    pthread_mutex_lock(&mcp->lock);
    session->next = mcp->sessions;
    mcp->sessions = ves_mcp_session_keep(session);
    mcp->session_count++;
    pthread_mutex_unlock(&mcp->lock);
    return session;
}

/* The session the request names, kept; NULL: none of that name. */
static struct ves_mcp_session *find_session(struct request *r)
{
    struct ves_mcp *mcp = r->http->mcp;
    const char *id = header(r, "Mcp-Session-Id");
    struct ves_mcp_session *found = NULL;

    pthread_mutex_lock(&mcp->lock);
    for (struct ves_mcp_session *s = mcp->sessions; s && id && !found;
         s = s->next) {
        if (strcmp(s->id, id) == 0)
            found = ves_mcp_session_keep(s);
    }
    if (found)
        found->used_ms = ves_clock_monotonic_ms();
    pthread_mutex_unlock(&mcp->lock);
    return found;
}

static enum MHD_Result delete_session(struct request *r)
{
    struct ves_mcp *mcp = r->http->mcp;
    struct ves_mcp_session *found = find_session(r), *gone = NULL;

    if (!found)
        return header(r, "Mcp-Session-Id")
                   ? refuse(r, 404, "there is no such session")
                   : refuse(r, 405, "only POST is known here");
    pthread_mutex_lock(&mcp->lock);
    struct ves_mcp_session **link = &mcp->sessions;
    while (*link && *link != found)
        link = &(*link)->next;
    if (*link)
        gone = unlink_session(mcp, link);
    pthread_mutex_unlock(&mcp->lock);
    if (gone)
        end_session(gone);
    ves_mcp_session_drop(found);
    return respond_json(r, 200, ves_bytes(NULL, 0));
}

/* A place among those that wait for something, kept to the end of the request.
 */
static bool take_place(struct request *r, size_t *places, size_t max)
{
    if (!ves_mcp_peers_take(&r->http->peers, places, max))
        return false;
    r->place = places;
    return true;
}

/* The stream for what belongs to no request. */
static enum MHD_Result open_general(struct request *r)
{
    struct ves_mcp *mcp = r->http->mcp;
    const char *accept = header(r, "Accept");
    bool is_taken;

    r->session = find_session(r);
    if (!r->session)
        return header(r, "Mcp-Session-Id")
                   ? refuse(r, 404, "there is no such session")
                   : refuse(r, 405, "only POST is known here");
    if (!accept || !strstr(accept, "text/event-stream"))
        return refuse(r, 406, "this is a stream of events");
    if (!take_place(r, &r->http->peers.streams, VES_MCP_STREAMS_MAX))
        return refuse(r, 503, "too many streams are open; try again later");
    ves_mcp_peer_is_served(&r->http->peers, r->peer);
    r->stream = ves_mcp_stream_new(mcp->alloc);
    if (!r->stream)
        return MHD_NO;
    pthread_mutex_lock(&mcp->lock);
    is_taken =
        r->session->general && !atomic_load(&r->session->general->is_gone);
    struct ves_mcp_sink *before = NULL;
    if (!is_taken) {
        before = r->session->general;
        r->session->general = ves_mcp_sink_keep(&r->stream->sink);
    }
    pthread_mutex_unlock(&mcp->lock);
    ves_mcp_sink_drop(before);
    return is_taken ? refuse(r, 409, "the session has a stream already")
                    : respond_events(r);
}

/* What waits for a handler, or listens, needs a place: some connections stay
 * free for handshakes, lists and the answers others wait for. */
static bool finds_place(struct request *r, const struct ves_mcp_call *call)
{
    struct ves_mcp_peers *peers = &r->http->peers;

    if (call->message.kind == VES_MCP_BATCH)
        return take_place(r, &peers->calls, VES_MCP_CALLS_MAX);
    switch (ves_mcp_purpose_of(&call->message)) {
    case VES_MCP_FOR_NONE:
        return true;
    case VES_MCP_FOR_LISTENING:
        return take_place(r, &peers->streams, VES_MCP_STREAMS_MAX);
    default:
        return take_place(r, &peers->calls, VES_MCP_CALLS_MAX);
    }
}

/* ---- POST ---------------------------------------------------------------- */

static const char *header_value(void *ctx, const char *name)
{
    return header(ctx, name);
}

static bool is_method(const struct ves_mcp_call *call, const char *name)
{
    return call->message.kind == VES_MCP_REQUEST &&
           ves_bytes_is(call->message.method, name);
}

/* Which session a legacy message belongs to; false: answered. */
static bool find_legacy(struct request *r, struct ves_mcp_call *call,
                        struct ves_mcp_inlet *inlet)
{
    const char *version = header(r, "MCP-Protocol-Version");
    const char *words = NULL;
    int status = 400;

    inlet->assumed = VES_MCP_2025_03_26;
    if (version &&
        (!ves_mcp_revision_read(ves_bytes_str(version), &inlet->assumed) ||
         inlet->assumed == VES_MCP_2026_07_28)) {
        words = "MCP-Protocol-Version names no version this server speaks";
    } else if (is_method(call, "initialize")) {
        r->session = new_session(r);
        r->is_new_session = r->session != NULL;
        words = r->session ? NULL : "no session can be made";
        status = r->session ? 200 : 503;
    } else if (call->message.kind != VES_MCP_BROKEN) {
        r->session = find_session(r);
        if (!r->session && header(r, "Mcp-Session-Id")) {
            words = "there is no such session";
            status = 404;
        } else if (!r->session) {
            words = "Mcp-Session-Id is missing; send initialize first";
        }
    }
    inlet->session = r->session;
    if (!words)
        return true;
    call->sink = ves_mcp_sink_keep(&r->stream->sink);
    ves_mcp_reply_error_status(call, VES_MCP_INVALID_REQUEST, words, NULL,
                               status);
    return false;
}

/* Do the headers of a modern request say what its body says? */
static bool check_modern(struct request *r, struct ves_mcp_call *call,
                         const struct ves_mcp_envelope *envelope)
{
    const struct ves_mcp_headers headers = {
        .version = header(r, "MCP-Protocol-Version"),
        .method = header(r, "Mcp-Method"),
        .name = header(r, "Mcp-Name")};
    const char *wrong =
        ves_mcp_headers_wrong(&call->arena, &headers, &call->message, envelope);

    if (!wrong)
        return true;
    call->sink = ves_mcp_sink_keep(&r->stream->sink);
    ves_mcp_reply_error(call, VES_MCP_HEADER_MISMATCH, wrong, NULL);
    return false;
}

static enum MHD_Result post(struct request *r)
{
    struct ves_mcp *mcp = r->http->mcp;
    const char *version = header(r, "MCP-Protocol-Version");
    struct ves_mcp_envelope envelope;
    struct ves_mcp_call *call = ves_mcp_call_new(mcp, ves_buf_view(&r->body));

    ves_mcp_peer_is_served(&r->http->peers, r->peer);
    bool has_place = call && finds_place(r, call);
    r->stream = has_place ? ves_mcp_stream_new(mcp->alloc) : NULL;
    if (!r->stream) {
        if (call)
            ves_mcp_call_free(call);
        return refuse(r, 503,
                      "too much is under way; nothing was done, try again "
                      "later");
    }
    struct ves_mcp_inlet inlet = {.sink = &r->stream->sink,
                                  .is_http = true,
                                  .header = header_value,
                                  .header_ctx = r};
    ves_mcp_envelope_read(&call->message, &envelope);
    bool says_modern =
        version &&
        strcmp(version, ves_mcp_revision_name(VES_MCP_2026_07_28)) == 0;
    r->is_modern = inlet.is_modern = says_modern || envelope.is_there;
    bool may_pass = r->is_modern ? call->message.kind == VES_MCP_BROKEN ||
                                       call->message.kind == VES_MCP_BATCH ||
                                       check_modern(r, call, &envelope)
                                 : find_legacy(r, call, &inlet);
    if (may_pass)
        ves_mcp_take(call, &inlet);
    else
        ves_mcp_call_free(call);
    return await(r);
}

/* ---- requests ------------------------------------------------------------ */

/* Everything that can be said without the body; MHD_YES with is_refused unset:
 * go on. */
static enum MHD_Result on_headers(struct request *r, const char *url,
                                  const char *method)
{
    static const char *const once[] = {
        "Host",       "Origin",   "Authorization",        "Mcp-Session-Id",
        "Mcp-Method", "Mcp-Name", "MCP-Protocol-Version", NULL};
    const char *host = header(r, "Host"), *origin = header(r, "Origin");
    const char *length = header(r, "Content-Length");
    uint64_t bytes = 0;

    if (r->peer && r->peer->is_surplus)
        return refuse(r, 503, "too many connections; try again later");
    if (ves_framing_is_ambiguous(r->connection, once)) {
        r->is_cut_off = true;
        return refuse(r, 400, VES_FRAMING_WORDS);
    }
    if (!host || !ves_mcp_host_is_local(host))
        return refuse(r, 403, "this Host is not served here");
    if (origin && !ves_mcp_origin_is_allowed(origin, r->http->origins))
        return refuse(r, 403, "this Origin may not ask");
    if (strcmp(url, "/mcp") != 0)
        return refuse(r, 404, "there is only /mcp");
    if (!ves_token_is_shown(&r->http->token, header(r, "Authorization")))
        return refuse(r, 401, "a bearer token is needed");
    if (strcmp(method, "GET") == 0)
        return open_general(r);
    if (strcmp(method, "DELETE") == 0)
        return delete_session(r);
    if (strcmp(method, "POST") != 0)
        return refuse(r, 405, "only POST is known here");
    ves_mcp_peer_sends(&r->http->peers, r->peer, ves_clock_monotonic_ms(),
                       VES_MCP_BODY_MS);
    if (!ves_mcp_type_is_json(header(r, "Content-Type")))
        return refuse(r, 415, "Content-Type must be application/json");
    if (length && (ves_decimal_parse(ves_bytes_str(length), &bytes) ||
                   bytes > r->http->mcp->options.message_max))
        return refuse(r, 413, "the body is too large");
    return MHD_YES;
}

/* Of a body that is not wanted the rest is read and dropped, within its time:
 * the client can then read why. */
static void take_body(struct request *r, const char *data, size_t size)
{
    struct ves_mcp *mcp = r->http->mcp;

    if (r->is_too_large || r->is_too_much)
        return;
    r->is_too_much = !ves_mcp_hold(mcp, size);
    if (!r->is_too_much) {
        r->held += size;
        ves_buf_put(&r->body, data, size);
        r->is_too_large = ves_buf_status(&r->body) != VES_OK;
    }
    if (r->is_too_large || r->is_too_much)
        ves_buf_free(&r->body);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *size, void **slot)
{
    struct http *http = ctx;
    const struct ves_alloc *alloc = http->mcp->alloc;
    struct request *r = *slot;

    (void)version;
    if (!r) {
        r = alloc->realloc(alloc->ctx, NULL, sizeof(*r));
        if (!r)
            return MHD_NO;
        memset(r, 0, sizeof(*r));
        r->http = http;
        r->connection = connection;
        r->peer = MHD_get_connection_info(connection,
                                          MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                      ->socket_context;
        ves_buf_init(&r->body, alloc, http->mcp->options.message_max);
        *slot = r;
        return on_headers(r, url, method);
    }
    if (*size && !r->is_refused)
        take_body(r, data, *size);
    if (*size) {
        *size = 0;
        return MHD_YES;
    }
    if (!r->is_too_large && !r->is_too_much)
        return post(r);
    return refuse(r, r->is_too_large ? 413 : 503,
                  r->is_too_large ? "the body is too large"
                                  : "too much is under way; nothing was done, "
                                    "try again later");
}

static void on_end(void *ctx, struct MHD_Connection *connection, void **slot,
                   enum MHD_RequestTerminationCode code)
{
    struct http *http = ctx;
    const struct ves_alloc *alloc = http->mcp->alloc;
    struct request *r = *slot;

    (void)connection;
    (void)code;
    if (!r)
        return;
    *slot = NULL;
    if (r->stream) {
        atomic_store(&r->stream->sink.is_gone, true);
        ves_mcp_forget_subscriptions(http->mcp, NULL, &r->stream->sink);
        ves_mcp_sink_drop(&r->stream->sink);
    }
    if (r->place)
        ves_mcp_peers_give(&http->peers, r->place);
    ves_mcp_peer_sends(&http->peers, r->peer, ves_clock_monotonic_ms(),
                       VES_MCP_IDLE_MS);
    ves_mcp_session_drop(r->session);
    ves_mcp_release(http->mcp, r->held);
    ves_buf_free(&r->body);
    alloc->realloc(alloc->ctx, r, 0);
}

static void on_connection(void *ctx, struct MHD_Connection *connection,
                          void **slot, enum MHD_ConnectionNotificationCode code)
{
    struct http *http = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (code == MHD_CONNECTION_NOTIFY_STARTED && info)
        *slot = ves_mcp_peers_add(&http->peers, info->connect_fd,
                                  ves_clock_monotonic_ms());
    else
        ves_mcp_peers_remove(&http->peers, *slot);
}

/* ---- life ---------------------------------------------------------------- */

static enum ves_status start(struct http *http, int socket,
                             struct ves_error *error)
{
    unsigned flags =
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD;

    enum ves_status status = ves_mhd_load(error);
    if (status) {
        (void)close(socket);
        return status;
    }
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
        socket, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(VES_MCP_PEERS_MAX + VES_MCP_PEERS_SPARE),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, http, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_END);
    if (http->daemon)
        return VES_OK;
    (void)close(socket);
    return ves_fail(error, VES_IO, "the HTTP server does not start");
}

static enum ves_status tell(const struct http *http,
                            const struct ves_mcp_http_options *options,
                            const struct ves_listen_address *address,
                            unsigned port, struct ves_error *error)
{
    char text[VES_LISTEN_HOST_MAX + 16];
    int n = snprintf(text, sizeof(text), address->is_v6 ? "[%s]:%u" : "%s:%u",
                     address->host, port);

    ves_mcp_say(http->mcp, "listening on http://%s/mcp", text);
    if (!options->port_file)
        return VES_OK;
    text[n] = '\n';
    return ves_file_write(options->port_file, ves_bytes(text, (size_t)n + 1),
                          VES_FILE_REPLACE, error);
}

static void stop(struct http *http)
{
    struct ves_mcp *mcp = http->mcp;

    atomic_store(&mcp->is_stopping, true);
    atomic_store(&mcp->is_ending, true);
    ves_mcp_end_subscriptions(mcp);
    ves_mcp_drain(mcp);
    atomic_store(&http->is_stopping, true);
    MHD_stop_daemon(http->daemon);
    while (mcp->sessions)
        end_session(unlink_session(mcp, &mcp->sessions));
}

enum ves_status ves_mcp_run_http(struct ves_mcp *mcp,
                                 const struct ves_mcp_http_options *options,
                                 struct ves_error *error)
{
    struct http http = {.mcp = mcp, .origins = options->allow_origins};
    struct ves_listen_address address;
    unsigned port = 0;
    int socket;

    enum ves_status status = ves_stop_install(error);
    if (!status)
        status = ves_listen_read(options->listen, &address, error);
    if (!status)
        status = ves_token_read(options->token_file, &http.token, error);
    if (!status)
        status = ves_listen_open(&address, false, &socket, &port, error);
    ves_mcp_peers_init(&http.peers, mcp->alloc);
    if (!status)
        status = start(&http, socket, error);
    if (status) {
        ves_mcp_peers_free(&http.peers);
        return status;
    }
    status = tell(&http, options, &address, port, error);
    while (!status && !ves_stop_wait(1000))
        ves_mcp_peers_expire(&http.peers, ves_clock_monotonic_ms());
    stop(&http);
    ves_mcp_peers_free(&http.peers);
    if (options->port_file)
        (void)unlink(options->port_file);
    return status;
}
