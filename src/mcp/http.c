/* http.c -- Streamable HTTP: one path, /mcp.
 *
 * A thread a connection, so that waiting for an answer is waiting.  A POST's
 * answer is plain JSON, unless something is to be said before it: then it is a
 * stream of events.
 */
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "mcp/guard.h"
#include "mcp/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/listen.h"
#include "os/random.h"
#include "os/signals.h"

enum {
    CONNECTIONS_MAX = 128,
    IDLE_S = 60,
    HEADERS_MEMORY = 32 * 1024,
    LOOK_MS = 200, /* how often a waiting thread looks for a closed client */
    ALIVE_MS = 15 * 1000,
    STREAM_MAX = 16 * 1024 * 1024, /* waiting for a slow client */
    TOKEN_MAX = 4096,
    SESSION_IDLE_MS = 3600 * 1000
};

struct http {
    struct ves_mcp *mcp;
    struct MHD_Daemon *daemon;
    const char *origins;
    bool has_token;
    struct ves_hash token; /* its SHA-256 */
    atomic_bool is_stopping;
};

/* What one request sends: events, then an answer. */
struct stream {
    struct ves_mcp_sink sink;
    const struct ves_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ves_buf events; /* not yet taken */
    struct ves_buf answer;
    int status;
    bool is_done;
    bool is_live; /* a stream of events was begun */
};

struct request {
    struct http *http;
    struct MHD_Connection *connection;
    struct ves_buf body;
    struct stream *stream;
    struct ves_mcp_session *session; /* kept */
    bool is_new_session;
    bool is_refused;
    bool is_modern;
    int64_t written_ms;
};

/* ---- streams ------------------------------------------------------------- */

static void put_event(struct stream *s, struct ves_bytes message)
{
    struct ves_buf scratch;

    ves_buf_init(&scratch, s->alloc, VES_MCP_REPLY_MAX);
    message = ves_mcp_one_line(&scratch, message);
    if (message.len && !ves_buf_status(&s->events)) {
        ves_buf_put_str(&s->events, "event: message\ndata: ");
        ves_buf_put_bytes(&s->events, message);
        ves_buf_put_str(&s->events, "\n\n");
    }
    ves_buf_free(&scratch);
    pthread_cond_broadcast(&s->changed);
}

static void stream_send(struct ves_mcp_sink *sink, struct ves_bytes message)
{
    struct stream *s = (struct stream *)sink;

    pthread_mutex_lock(&s->lock);
    if (!s->is_done && !atomic_load(&sink->is_gone)) {
        s->is_live = true;
        put_event(s, message);
    }
    pthread_mutex_unlock(&s->lock);
}

static void stream_finish(struct ves_mcp_sink *sink, struct ves_bytes message,
                          int status)
{
    struct stream *s = (struct stream *)sink;

    pthread_mutex_lock(&s->lock);
    if (!s->is_done) {
        if (s->is_live)
            put_event(s, message);
        else
            ves_buf_put_bytes(&s->answer, message);
        s->status = status;
        s->is_done = true;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void stream_destroy(struct ves_mcp_sink *sink)
{
    struct stream *s = (struct stream *)sink;

    ves_buf_free(&s->events);
    ves_buf_free(&s->answer);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    s->alloc->realloc(s->alloc->ctx, s, 0);
}

static struct stream *stream_new(const struct ves_alloc *alloc)
{
    struct stream *s = alloc->realloc(alloc->ctx, NULL, sizeof(*s));
    pthread_condattr_t monotonic;

    if (!s)
        return NULL;
    memset(s, 0, sizeof(*s));
    ves_mcp_sink_init(&s->sink);
    s->sink.send = stream_send;
    s->sink.finish = stream_finish;
    s->sink.destroy = stream_destroy;
    s->alloc = alloc;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    ves_buf_init(&s->events, alloc, STREAM_MAX);
    ves_buf_init(&s->answer, alloc, VES_MCP_REPLY_MAX);
    return s;
}

/* Waits a little for something to change; the stream's lock is held.  A
 * client that closed its end is noticed here. */
static void stream_wait(struct request *r)
{
    struct stream *s = r->stream;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)LOOK_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
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
    if (status == 401)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "Bearer realm=\"mcp\"");
    enum MHD_Result result =
        MHD_queue_response(r->connection, status, response);
    MHD_destroy_response(response);
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
    struct stream *s = r->stream;
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
    struct stream *s = r->stream;

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
    r->stream = stream_new(mcp->alloc);
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

    r->stream = call ? stream_new(mcp->alloc) : NULL;
    if (!r->stream) {
        if (call)
            ves_mcp_call_free(call);
        return refuse(r, 503, "out of memory");
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

static bool shows_token(struct request *r)
{
    static const char scheme[] = "Bearer ";
    const char *given = header(r, "Authorization");
    struct ves_hash hash;

    if (!r->http->has_token)
        return true;
    if (!given || strncasecmp(given, scheme, sizeof(scheme) - 1) != 0)
        return false;
    /* Hashes have one length, whatever was given. */
    given += sizeof(scheme) - 1;
    ves_sha256_one(given, strlen(given), &hash);
    return ves_equal_ct(hash.b, r->http->token.b, VES_HASH_SIZE);
}

/* Everything that can be said without the body; MHD_YES with is_refused unset:
 * go on. */
static enum MHD_Result on_headers(struct request *r, const char *url,
                                  const char *method)
{
    const char *host = header(r, "Host"), *origin = header(r, "Origin");
    const char *length = header(r, "Content-Length");
    uint64_t bytes = 0;

    if (!host || !ves_mcp_host_is_local(host))
        return refuse(r, 403, "this Host is not served here");
    if (origin && !ves_mcp_origin_is_allowed(origin, r->http->origins))
        return refuse(r, 403, "this Origin may not ask");
    if (strcmp(url, "/mcp") != 0)
        return refuse(r, 404, "there is only /mcp");
    if (!shows_token(r))
        return refuse(r, 401, "a bearer token is needed");
    if (strcmp(method, "GET") == 0)
        return open_general(r);
    if (strcmp(method, "DELETE") == 0)
        return delete_session(r);
    if (strcmp(method, "POST") != 0)
        return refuse(r, 405, "only POST is known here");
    if (!ves_mcp_type_is_json(header(r, "Content-Type")))
        return refuse(r, 415, "Content-Type must be application/json");
    if (length && (ves_decimal_parse(ves_bytes_str(length), &bytes) ||
                   bytes > r->http->mcp->options.message_max))
        return refuse(r, 413, "the body is too large");
    return MHD_YES;
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
        ves_buf_init(&r->body, alloc, http->mcp->options.message_max);
        *slot = r;
        return on_headers(r, url, method);
    }
    if (*size) {
        ves_buf_put(&r->body, data, *size);
        *size = 0;
        return ves_buf_status(&r->body) ? MHD_NO : MHD_YES;
    }
    return post(r);
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
    ves_mcp_session_drop(r->session);
    ves_buf_free(&r->body);
    alloc->realloc(alloc->ctx, r, 0);
}

/* ---- life ---------------------------------------------------------------- */

static enum ves_status read_token(struct http *http, const char *path,
                                  struct ves_error *error)
{
    char token[TOKEN_MAX];
    size_t len;

    if (!path)
        return VES_OK;
    enum ves_status status =
        ves_file_read_secret(path, token, sizeof(token), &len, error);
    if (status)
        return status;
    const char *end = memchr(token, '\n', len);
    size_t n = end ? (size_t)(end - token) : len;
    while (n > 0 && (token[n - 1] == '\r' || token[n - 1] == ' '))
        n--;
    http->has_token = n > 0;
    ves_sha256_one(token, n, &http->token);
    ves_wipe(token, sizeof(token));
    if (n > 0)
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "%s holds no token in its first line; nothing is served",
                    path);
}

static enum ves_status start(struct http *http, int socket,
                             struct ves_error *error)
{
    unsigned flags =
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD;

    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
        socket, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
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
        status = read_token(&http, options->token_file, error);
    if (!status)
        status = ves_listen_open(&address, false, &socket, &port, error);
    if (!status)
        status = start(&http, socket, error);
    if (status)
        return status;
    status = tell(&http, options, &address, port, error);
    while (!status && !ves_stop_wait(1000))
        continue;
    stop(&http);
    if (options->port_file)
        (void)unlink(options->port_file);
    return status;
}
