/* http.c -- the only part of the server that knows libmicrohttpd.
 *
 * libmicrohttpd calls handle_request once when the headers are there, again
 * for every piece of body, again when it is complete, and again after a
 * resume.  request->state says which call it is.
 */
#include "server/http.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/framing.h"
#include "os/mhd.h"
#include "os/process.h"
#include "os/random.h"
#include "os/timed.h"
#include "os/tls_server.h"
#include "server/cosignatures.h"
#include "server/guard.h"
#include "server/http_answer.h"
#include "server/known_head.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"

enum {
    /* A refused request's body up to this size is read and forgotten, so that
     * the connection lives and the answer arrives; above it the connection is
     * closed with the answer. */
    DISCARD_MAX = 1024 * 1024,
    BODY_START = 16 * 1024, /* first buffer of a body of unknown length */
    /* Of anything but events; also of those who have shown no key. */
    SMALL_BODY_MAX = 64 * 1024,
    /* Room made on the word of Content-Length alone. */
    BODY_AT_ONCE = 256 * 1024,
    OTHER_FILES = 256, /* of this process that are no connections */
    /* A client that goes on sending what was refused is cut off. */
    REFUSED_BODY_MAX = 2 * VES_BODY_MAX,
    ARENA_MAX = 64 * 1024 * 1024
};

struct ves_http {
    struct ves_server *server;
    struct MHD_Daemon *daemon;
    atomic_bool is_stopping;
    atomic_size_t in_flight; /* requests handed on and not yet answered */
    atomic_uint_fast64_t id_counter;
    uint64_t id_seed; /* random, and the same as long as we run */
    pthread_mutex_t lock;
    pthread_cond_t drained;
};

static struct ves_connection *place_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void *request_begin(void *ctx, const char *target,
                           struct MHD_Connection *connection)
{
    struct ves_http *http = ctx;
    const struct ves_alloc *alloc = http->server->alloc;
    struct ves_request *request =
        alloc->realloc(alloc->ctx, NULL, sizeof(*request));
    size_t size = strlen(target) + 1;
    char *copy = alloc->realloc(alloc->ctx, NULL, size);
    if (!request || !copy) {
        alloc->realloc(alloc->ctx, request, 0);
        alloc->realloc(alloc->ctx, copy, 0);
        return NULL;
    }
    /* Not a compound literal: the ingest and the parameters are large and
     * written before they are read. */
    memset(request, 0, offsetof(struct ves_request, uri));
    memset(&request->uri.param_count, 0,
           sizeof(*request) - offsetof(struct ves_request, uri.param_count));
    memcpy(copy, target, size);
    request->target = copy;
    request->server = http->server;
    request->held = &http->server->strangers;
    request->connection = connection;
    request->place = place_of(connection);
    request->started_us = ves_metric_now_us();
    ves_arena_init(&request->arena, alloc, ARENA_MAX);
    ves_buf_init(&request->out, alloc, VES_REPLY_MAX);
    return request;
}

static void log_request(const struct ves_request *request)
{
    static const char *const methods[] = {
        [VES_METHOD_GET] = "GET",         [VES_METHOD_POST] = "POST",
        [VES_METHOD_PUT] = "PUT",         [VES_METHOD_DELETE] = "DELETE",
        [VES_METHOD_OPTIONS] = "OPTIONS", [VES_METHOD_OTHER] = "other"};
    const struct ves_log_field fields[] = {
        {"method", request->method ? methods[request->method] : "none", 0},
        {"route", request->route ? request->route->pattern : "none", 0},
        {"status", NULL, request->status},
        {"us", NULL, ves_metric_now_us() - request->started_us},
        {"requestId", request->id, 0}};
    ves_log_write(&request->server->log,
                  request->status >= 500 ? VES_LOG_NOTICE : VES_LOG_REQUEST,
                  "http", fields, sizeof(fields) / sizeof(fields[0]));
}

static void request_end(void *ctx, struct MHD_Connection *connection,
                        void **slot, enum MHD_RequestTerminationCode code)
{
    struct ves_http *http = ctx;
    struct ves_request *request = *slot;
    (void)connection;
    (void)code;
    if (!request)
        return;
    *slot = NULL;
    ves_connection_enter(request->place, VES_CONNECTION_HEADERS, 0,
                         ves_metric_now_us());
    if (request->status) {
        struct ves_metrics *metrics = &http->server->metrics;
        ves_metric_add(&metrics->requests, 1);
        if (request->status >= 500)
            ves_metric_add(&metrics->server_errors, 1);
        else if (request->status >= 400)
            ves_metric_add(&metrics->client_errors, 1);
        log_request(request);
    }
    if (request->follower)
        ves_followers_close(request);
    bool was_in_flight = request->is_in_flight;
    const struct ves_alloc *alloc = http->server->alloc;
    ves_request_release(request);
    ves_buf_free(&request->out);
    atomic_fetch_sub(&http->server->metrics.reply_memory, request->reply_len);
    atomic_fetch_sub(&request->held->replies, request->reply_len);
    if (was_in_flight)
        atomic_fetch_sub(&http->server->metrics.in_flight, 1);
    alloc->realloc(alloc->ctx, request->target, 0);
    alloc->realloc(alloc->ctx, request, 0);
    if (was_in_flight && atomic_fetch_sub(&http->in_flight, 1) == 1 &&
        atomic_load(&http->is_stopping)) {
        pthread_mutex_lock(&http->lock);
        pthread_cond_broadcast(&http->drained);
        pthread_mutex_unlock(&http->lock);
    }
}

static struct ves_bytes header(struct ves_request *request, const char *name)
{
    return ves_bytes_str(MHD_lookup_connection_value(request->connection,
                                                     MHD_HEADER_KIND, name));
}

/* ---- headers ------------------------------------------------------------- */

static enum ves_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum ves_method method;
    } methods[] = {
        {"GET", VES_METHOD_GET},       {"HEAD", VES_METHOD_GET},
        {"POST", VES_METHOD_POST},     {"PUT", VES_METHOD_PUT},
        {"DELETE", VES_METHOD_DELETE}, {"OPTIONS", VES_METHOD_OPTIONS}};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    }
    return VES_METHOD_OTHER;
}

static bool id_is_fit(struct ves_bytes id, size_t max)
{
    if (id.len == 0 || id.len > max)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

static void choose_id(struct ves_http *http, struct ves_request *request)
{
    struct ves_bytes id = header(request, "x-request-id");
    struct ves_bytes nonce = header(request, "x-ves-nonce");
    if (id_is_fit(nonce, VES_NONCE_MAX))
        memcpy(request->nonce, nonce.ptr, nonce.len);
    if (id_is_fit(id, VES_REQUEST_ID_MAX)) {
        memcpy(request->id, id.ptr, id.len);
        return;
    }
    /* Unlike events and batches, requests only need names of their own: no
     * system call for each. */
    struct ves_uuid uuid;
    uint64_t n = atomic_fetch_add(&http->id_counter, 1);
    uint8_t tail[8];
    ves_store_u64(tail, n ^ http->id_seed);
    ves_uuid_make_v7((uint64_t)ves_clock_now_ms(), 0, tail, &uuid);
    ves_uuid_format(&uuid, request->id);
}

static enum ves_auth_result find_api_key(struct ves_request *request,
                                         struct ves_bytes key)
{
    struct ves_credentials *credentials = &request->server->credentials;
    ves_api_key_hash(key, &request->key_hash);
    enum ves_auth_result result = ves_credentials_check(
        credentials, &request->key_hash, ves_clock_now_ms(), &request->caller,
        &request->held);
    /* Another process may have made it. */
    if (result == VES_AUTH_INVALID_KEY &&
        ves_refresh_find(request->server, &request->key_hash))
        result = ves_credentials_check(credentials, &request->key_hash,
                                       ves_clock_now_ms(), &request->caller,
                                       &request->held);
    return result;
}

static enum ves_auth_result read_token(struct ves_request *request,
                                       struct ves_bytes text)
{
    struct ves_server *server = request->server;
    struct ves_token token;
    enum ves_auth_result result =
        ves_tokens_check(server->tokens, text, ves_clock_now_ms(), &token);
    if (result)
        return result;
    struct ves_held *held =
        ves_credentials_tenant(&server->credentials, &token.caller.tenant);
    if (!held)
        return VES_AUTH_BAD_JWT;
    request->held = held;
    request->caller = token.caller;
    request->key_hash = token.id;
    request->token_until_ms = token.until_ms;
    return VES_AUTH_OK;
}

static void authenticate(struct ves_request *request)
{
    struct ves_bytes key;
    enum ves_route_access access = request->route->access;
    if (access == VES_ACCESS_OPEN) {
        ves_guard_check(request, false);
        return;
    }
    enum ves_auth_result result = ves_auth_header_read(
        header(request, "Authorization"), header(request, "x-api-key"), &key,
        &request->dialect);
    if (!result)
        result = find_api_key(request, key);
    else if (result == VES_AUTH_INVALID_JWT && request->server->tokens)
        result = read_token(request, key);
    ves_guard_check(request, result != VES_AUTH_OK);
    if (request->status)
        return;
    uint32_t rights = request->caller.rights;
    if (!result && !(rights & VES_RIGHT_ADMIN) &&
        ((access == VES_ACCESS_READ && !(rights & VES_RIGHT_READ)) ||
         (access == VES_ACCESS_WRITE && !(rights & VES_RIGHT_WRITE)) ||
         access == VES_ACCESS_ADMIN))
        result = VES_AUTH_RIGHTS;
    if (result)
        ves_reply_auth(request, result);
    else
        ves_guard_place(request);
}

static void find_route(struct ves_request *request)
{
    uint32_t allowed;
    request->route = ves_route_find(request, &allowed);
    if (request->route) {
        request->is_legacy = request->route->is_legacy;
        return;
    }
    if (!allowed) {
        ves_reply_error(request, 404, NULL, "there is no such path");
        return;
    }
    request->allow = ves_route_allow(allowed);
    if (request->method == VES_METHOD_OPTIONS)
        ves_reply(request, 204);
    else
        ves_reply_error(request, 405, NULL,
                        "this path does not know that method; it knows %s",
                        request->allow);
}

static size_t body_max(const struct ves_request *request)
{
    return request->route->kind == VES_ROUTE_INGEST ? VES_BODY_MAX
                                                    : SMALL_BODY_MAX;
}

/* Where clients need a certificate, does this one's connection have it? */
static bool is_welcome(const struct ves_request *request)
{
    struct ves_connection *place = request->place;
    if (!request->server->needs_client_cert)
        return true;
    if (place && place->peer != VES_PEER_UNKNOWN)
        return place->peer == VES_PEER_WELCOME;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    bool is_it = info && ves_tls_server_vouches(info->tls_session);
    if (place)
        place->peer = is_it ? VES_PEER_WELCOME : VES_PEER_STRANGER;
    return is_it;
}

/* Looks at the headers; afterwards request->status says whether it is refused
 * already.  *length: of the body, UINT64_MAX when not said. */
static void accept_headers(struct ves_http *http, struct ves_request *request,
                           const char *method, uint64_t *length)
{
    struct ves_error error = {0};
    static const char *const once[] = {"Host", "Authorization", "x-api-key",
                                       NULL};
    struct ves_bytes text = header(request, "Content-Length");
    request->method = method_of(method);
    choose_id(http, request);
    *length = header(request, "Transfer-Encoding").len ? UINT64_MAX : 0;
    if (text.len && ves_decimal_parse(text, length))
        *length = UINT64_MAX;
    if (ves_framing_is_ambiguous(request->connection, once)) {
        ves_reply_error(request, 400, NULL, "%s", VES_FRAMING_WORDS);
        request->is_cut_off = true;
        return;
    }
    if (!is_welcome(request)) {
        ves_reply_error(request, 403, "CLIENT_CERTIFICATE_REQUIRED",
                        "a client needs a certificate here, of an authority "
                        "that this sequencer was told of, valid now and for "
                        "clients");
        request->close = true;
        return;
    }
    if (atomic_load(&http->is_stopping)) {
        ves_reply_error(request, 503, NULL, "the sequencer is shutting down");
        request->close = true;
        return;
    }
    enum ves_status status = ves_uri_read(
        &request->arena, ves_bytes_str(request->target), &request->uri, &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    find_route(request);
    if (!request->status)
        authenticate(request);
    request->last_event_id = header(request, "Last-Event-ID");
    if (!request->status && *length != UINT64_MAX &&
        *length > body_max(request))
        ves_reply_error(request, 413, NULL,
                        "the body has %llu bytes; the limit is %zu",
                        (unsigned long long)*length, body_max(request));
}

static enum MHD_Result on_headers(struct ves_http *http,
                                  struct ves_request *request,
                                  const char *method)
{
    uint64_t length;
    accept_headers(http, request, method, &length);
    request->state = VES_REQUEST_BODY;
    ves_connection_enter(request->place, VES_CONNECTION_BODY, 0,
                         request->started_us);
    if (request->status && (request->is_cut_off ||
                            (length != UINT64_MAX && length > DISCARD_MAX))) {
        request->close = true;
        return ves_http_answer(request);
    }
    if (!request->status && length != UINT64_MAX)
        request->body_expected = (size_t)length;
    return MHD_YES;
}

/* ---- body ---------------------------------------------------------------- */

static bool body_grow(struct ves_request *request, size_t cap)
{
    struct ves_server *server = request->server;
    struct ves_account *account = request->held->account;
    size_t more = cap - request->body_cap;
    uint64_t all = atomic_fetch_add(&server->metrics.body_memory, more) + more;
    uint64_t one = atomic_fetch_add(&request->held->bodies, more) + more;
    uint64_t tenant = atomic_fetch_add(&account->bodies, more) + more;
    if (all <= VES_SERVER_BODY_MEMORY_MAX &&
        one <= VES_SERVER_BODY_MEMORY_ONE &&
        tenant <=
            VES_SERVER_BODY_MEMORY_SHARE * (VES_SERVER_BODY_MEMORY_MAX - all)) {
        uint8_t *body =
            server->alloc->realloc(server->alloc->ctx, request->body, cap);
        if (body) {
            request->body = body;
            request->body_cap = cap;
            return true;
        }
    }
    atomic_fetch_sub(&server->metrics.body_memory, more);
    atomic_fetch_sub(&request->held->bodies, more);
    atomic_fetch_sub(&account->bodies, more);
    ves_request_body_free(request);
    ves_reply_error(request, 503, NULL,
                    "too many requests are being read; nothing was stored");
    return false;
}

/* Room for size more bytes; false: the request is refused. */
static bool body_reserve(struct ves_request *request, size_t size)
{
    size_t max = body_max(request);
    if (size > max - request->body_len) {
        ves_request_body_free(request);
        ves_reply_error(request, 413, NULL,
                        "the body has more than %zu bytes, the limit", max);
        return false;
    }
    size_t need = request->body_len + size;
    if (need <= request->body_cap)
        return true;
    size_t cap = request->body_cap        ? 2 * request->body_cap
                 : request->body_expected ? BODY_AT_ONCE
                                          : BODY_START;
    if (cap > request->body_expected && request->body_expected)
        cap = request->body_expected;
    if (cap < need)
        cap = need;
    return body_grow(request, cap < max ? cap : max);
}

static enum MHD_Result on_body(struct ves_request *request, const char *data,
                               size_t size)
{
    ves_metric_add(&request->server->metrics.body_bytes, size);
    ves_connection_received(request->place, size);
    if (!request->status && request->method != VES_METHOD_GET &&
        body_reserve(request, size)) {
        memcpy(request->body + request->body_len, data, size);
        request->body_len += size;
        return MHD_YES;
    }
    request->body_refused += size;
    return request->body_refused <= REFUSED_BODY_MAX ? MHD_YES : MHD_NO;
}

/* ---- complete ------------------------------------------------------------ */

/* What the client knows of a log, before anything is done for it. */
static void check_known_head(struct ves_request *request)
{
    struct ves_readers *readers = &request->server->readers;
    struct ves_bytes text = header(request, VES_KNOWN_HEAD);
    if (!text.ptr || request->route->access == VES_ACCESS_OPEN)
        return;
    request->store = ves_readers_take(readers);
    if (!ves_known_head_check(request, text) && !request->status)
        request->route = &ves_known_head_route;
    ves_readers_give(readers, request->store);
    request->store = NULL;
}

/* The request goes on as if it had not been there. */
static void take_cosignatures(struct ves_request *request)
{
    struct ves_readers *readers = &request->server->readers;
    struct ves_bytes text = header(request, VES_COSIGNATURE);
    if (!text.ptr || request->route->access == VES_ACCESS_OPEN)
        return;
    request->store = ves_readers_take(readers);
    ves_cosignatures_take(request, text);
    ves_readers_give(readers, request->store);
    request->store = NULL;
}

static void read_now(struct ves_request *request)
{
    struct ves_readers *readers = &request->server->readers;
    if (!ves_request_has_room(request))
        return;
    request->store = ves_readers_take(readers);
    request->route->handle(request);
    ves_readers_give(readers, request->store);
    request->store = NULL;
}

static enum MHD_Result on_complete(struct ves_http *http,
                                   struct ves_request *request)
{
    if (!request->status)
        check_known_head(request);
    if (!request->status)
        take_cosignatures(request);
    if (request->status)
        return ves_http_answer(request);
    if (request->route->kind == VES_ROUTE_READ) {
        read_now(request);
        return ves_http_answer(request);
    }
    request->is_in_flight = true;
    atomic_fetch_add(&http->in_flight, 1);
    ves_metric_add(&http->server->metrics.in_flight, 1);
    request->state = VES_REQUEST_WAITING;
    ves_connection_enter(request->place, VES_CONNECTION_WORK, 0,
                         request->started_us);
    /* Suspended first: once it is handed on, somebody may resume it. */
    MHD_suspend_connection(request->connection);
    bool is_taken = request->route->kind == VES_ROUTE_INGEST
                        ? ves_pipeline_ingest(request->server, request)
                        : ves_pipeline_write(request->server, request);
    if (!is_taken) {
        ves_reply_error(request, 503, NULL, "the sequencer is shutting down");
        request->close = true;
        ves_http_resume(request);
    }
    return MHD_YES;
}

static enum MHD_Result handle_request(void *ctx,
                                      struct MHD_Connection *connection,
                                      const char *url, const char *method,
                                      const char *version, const char *data,
                                      size_t *size, void **slot)
{
    struct ves_http *http = ctx;
    struct ves_request *request = *slot;
    (void)connection;
    (void)url;
    (void)version;
    if (!request)
        return MHD_NO;
    switch (request->state) {
    case VES_REQUEST_NEW:
        return on_headers(http, request, method);
    case VES_REQUEST_BODY:
        if (*size == 0)
            return on_complete(http, request);
        enum MHD_Result result = on_body(request, data, *size);
        *size = 0;
        return result;
    case VES_REQUEST_DONE:
        if (!request->status)
            ves_ingest_reply(request);
        return ves_http_answer(request);
    case VES_REQUEST_WAITING:
        break;
    }
    return MHD_YES;
}

void ves_http_resume(struct ves_request *request)
{
    request->state = VES_REQUEST_DONE;
    MHD_resume_connection(request->connection);
}

void ves_http_sleep(struct ves_request *request)
{
    MHD_suspend_connection(request->connection);
}

void ves_http_wake(struct ves_request *request)
{
    MHD_resume_connection(request->connection);
}

/* ---- life ---------------------------------------------------------------- */

static void on_connection(void *ctx, struct MHD_Connection *connection,
                          void **slot, enum MHD_ConnectionNotificationCode code)
{
    static _Thread_local bool gives_way;
    struct ves_http *http = ctx;
    struct ves_server *server = http->server;
    /* Its threads are the library's; everybody waits for the committer. */
    if (!gives_way)
        ves_thread_give_way();
    gives_way = true;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        ves_metric_add(&server->metrics.connections, 1);
        if (info)
            *slot = ves_connections_add(&server->connections, info->connect_fd,
                                        ves_metric_now_us());
    } else {
        atomic_fetch_sub(&server->metrics.connections, 1);
        ves_guard_leave(*slot);
        ves_connections_remove(&server->connections, *slot);
        *slot = NULL;
    }
}

static enum MHD_Result
accept_connection(void *ctx, const struct sockaddr *address, socklen_t len)
{
    struct ves_http *http = ctx;
    (void)address;
    (void)len;
    return atomic_load(&http->is_stopping) ? MHD_NO : MHD_YES;
}

/* Connections must leave files for the rest of the process. */
static unsigned connections_max(void)
{
    size_t files =
        ves_process_allow_files(VES_HTTP_CONNECTIONS_MAX + OTHER_FILES);
    if (files >= VES_HTTP_CONNECTIONS_MAX + OTHER_FILES)
        return VES_HTTP_CONNECTIONS_MAX;
    return (unsigned)(files > 2 * OTHER_FILES ? files - OTHER_FILES
                                              : files / 2);
}

static struct MHD_Daemon *start_daemon(struct ves_http *http,
                                       const struct ves_http_setup *options)
{
    http->server->connections_max = connections_max();
    const char *trust = options->tls ? ves_tls_server_trust(options->tls) : "";
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, ves_tls_server_choose()},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {trust ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
         (void *)(uintptr_t)trust},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     (options->tls ? MHD_USE_TLS : 0);
    return MHD_start_daemon(
        flags, 0, accept_connection, http, handle_request, http, /**/
        MHD_OPTION_LISTEN_SOCKET, options->socket,               /**/
        MHD_OPTION_THREAD_POOL_SIZE, options->threads,
        MHD_OPTION_CONNECTION_LIMIT, http->server->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)VES_HTTP_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)VES_HTTP_MEMORY,
        MHD_OPTION_URI_LOG_CALLBACK, request_begin, http, /**/
        MHD_OPTION_NOTIFY_COMPLETED, request_end, http,   /**/
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, /**/
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->address_connections,
        MHD_OPTION_ARRAY, options->tls ? tls : none, MHD_OPTION_END);
}

enum ves_status ves_http_start(struct ves_server *server,
                               const struct ves_http_setup *options,
                               struct ves_http **out, struct ves_error *error)
{
    VES_ASSERT(options->threads >= 2);
    const struct ves_alloc *alloc = server->alloc;
    enum ves_status status = ves_mhd_load(error);
    if (status) {
        close(options->socket);
        return status;
    }
    struct ves_http *http = alloc->realloc(alloc->ctx, NULL, sizeof(*http));
    if (!http) {
        close(options->socket);
        return ves_fail(error, VES_NOMEM, "out of memory");
    }
    memset(http, 0, sizeof(*http));
    http->server = server;
    /* Without randomness ids are only easier to guess. */
    (void)!ves_random(&http->id_seed, sizeof(http->id_seed), NULL);
    pthread_mutex_init(&http->lock, NULL);
    ves_timed_cond_init(&http->drained);
    http->daemon = start_daemon(http, options);
    if (!http->daemon) {
        close(options->socket);
        pthread_cond_destroy(&http->drained);
        pthread_mutex_destroy(&http->lock);
        alloc->realloc(alloc->ctx, http, 0);
        return ves_fail(error, VES_IO,
                        options->tls
                            ? "the HTTPS server does not start; are the "
                              "certificate and its key a pair?"
                            : "the HTTP server does not start");
    }
    *out = http;
    return VES_OK;
}

/* Not MHD_quiesce_daemon: with a pool of epoll threads it and a thread that
 * just woke up may both take the listening socket out of the epoll set, and the
 * second one panics (0.9.75). */
void ves_http_quiesce(struct ves_http *http)
{
    atomic_store(&http->is_stopping, true);
}

bool ves_http_drain(struct ves_http *http, unsigned timeout_ms)
{
    pthread_mutex_lock(&http->lock);
    while (atomic_load(&http->in_flight) &&
           ves_timed_wait(&http->drained, &http->lock, &timeout_ms))
        continue;
    pthread_mutex_unlock(&http->lock);
    return atomic_load(&http->in_flight) == 0;
}

void ves_http_stop(struct ves_http *http)
{
    const struct ves_alloc *alloc = http->server->alloc;
    MHD_stop_daemon(http->daemon);
    pthread_cond_destroy(&http->drained);
    pthread_mutex_destroy(&http->lock);
    alloc->realloc(alloc->ctx, http, 0);
}
