/* http.c -- a witness over HTTP: submission and monitoring.
 *
 * A thread a connection, because an answer waits for the disk.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/framing.h"
#include "os/listen.h"
#include "os/mhd.h"
#include "os/tls_pair.h"
#include "os/token.h"
#include "witness/witness.h"

enum { CONNECTIONS_MAX = 256, IDLE_S = 30, HEADERS_MEMORY = 16 * 1024 };

struct ves_witness_http {
    struct MHD_Daemon *daemon;
    struct ves_tls_pair tls;
    struct ves_token token;
    char url[VES_LISTEN_HOST_MAX + 32];
    char port_file[VES_WITNESS_PATH_MAX]; /* "": none */
};

struct request {
    struct ves_buf body;
    bool is_answered;
    bool is_cut_off; /* refused, and nobody knows where the next one begins */
};

/* ---- answers ------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection,
                              struct request *r, unsigned status,
                              const char *type, struct ves_bytes body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    r->is_answered = true;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->is_cut_off)
        MHD_add_response_header(response, "Connection", "close");
    if (status == 401)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "Bearer realm=\"witness\"");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection,
                                   struct request *r, unsigned status,
                                   const char *text)
{
    return answer(connection, r, status, "text/plain; charset=utf-8",
                  ves_bytes_str(text));
}

static enum MHD_Result answer_reply(struct MHD_Connection *connection,
                                    struct request *r,
                                    struct ves_witness_reply *reply)
{
    enum MHD_Result result = answer(
        connection, r, reply->status,
        reply->is_size ? "text/x.tlog.size" : "text/plain; charset=utf-8",
        ves_buf_view(&reply->body));
    ves_buf_free(&reply->body);
    return result;
}

/* ---- requests ------------------------------------------------------------ */

/* GET /HEX/checkpoint */
static enum MHD_Result show(struct ves_witness *witness,
                            struct MHD_Connection *connection,
                            struct request *r, const char *url)
{
    static const char rest[] = "/checkpoint";
    struct ves_witness_reply reply;
    size_t len = strlen(url);

    if (len != 1 + VES_WITNESS_HEX + sizeof(rest) - 1 ||
        strcmp(url + 1 + VES_WITNESS_HEX, rest) != 0)
        return answer_text(connection, r, 404, "there is no such path\n");
    ves_witness_show(witness, ves_bytes(url + 1, VES_WITNESS_HEX), &reply);
    return answer_reply(connection, r, &reply);
}

/* What can be said without the body. */
static enum MHD_Result on_headers(struct ves_witness *witness,
                                  struct MHD_Connection *connection,
                                  struct request *r, const char *url,
                                  const char *method)
{
    static const char *const once[] = {"Host", "Authorization", NULL};
    bool is_submission = strcmp(url, "/add-checkpoint") == 0;
    bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    r->is_cut_off = ves_framing_is_ambiguous(connection, once);
    if (r->is_cut_off)
        return answer_text(connection, r, 400, VES_FRAMING_WORDS "\n");
    if (!is_submission && is_get)
        return show(witness, connection, r, url);
    if (!is_submission)
        return answer_text(connection, r, 404, "there is no such path\n");
    if (strcmp(method, "POST") != 0)
        return answer_text(connection, r, 405, "only POST is known here\n");
    const char *shown = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                    "Authorization");
    if (!ves_token_is_shown(&witness->http->token, shown))
        return answer_text(connection, r, 401, "a bearer token is needed\n");
    return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *size, void **slot)
{
    struct ves_witness *witness = ctx;
    const struct ves_alloc *alloc = witness->alloc;
    struct request *r = *slot;
    struct ves_witness_reply reply;

    (void)version;
    if (!r) {
        r = alloc->realloc(alloc->ctx, NULL, sizeof(*r));
        if (!r)
            return MHD_NO;
        memset(r, 0, sizeof(*r));
        ves_buf_init(&r->body, alloc, VES_ADD_CHECKPOINT_MAX);
        *slot = r;
        return on_headers(witness, connection, r, url, method);
    }
    if (r->is_answered) {
        *size = 0;
        return MHD_YES;
    }
    if (*size > 0) {
        /* Over the limit: read to its end and refused then. */
        ves_buf_put(&r->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (ves_buf_status(&r->body) == VES_NOMEM)
        return answer_text(connection, r, 500, "out of memory\n");
    if (ves_buf_status(&r->body))
        return answer_text(connection, r, 400,
                           "a request has at most 32768 bytes\n");
    ves_witness_add(witness, ves_buf_view(&r->body),
                    (uint64_t)(ves_clock_now_ms() / 1000), &reply);
    return answer_reply(connection, r, &reply);
}

static void on_end(void *ctx, struct MHD_Connection *connection, void **slot,
                   enum MHD_RequestTerminationCode code)
{
    struct ves_witness *witness = ctx;
    struct request *r = *slot;

    (void)connection;
    (void)code;
    if (!r)
        return;
    *slot = NULL;
    ves_buf_free(&r->body);
    witness->alloc->realloc(witness->alloc->ctx, r, 0);
}

/* ---- life ---------------------------------------------------------------- */

static enum ves_status start_daemon(struct ves_witness *witness, int socket,
                                    struct ves_error *error)
{
    struct ves_witness_http *http = witness->http;
    bool is_tls = http->tls.is_set;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, http->tls.cert.ptr},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, http->tls.key.ptr},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_INTERNAL_POLLING_THREAD |
                     (is_tls ? MHD_USE_TLS : 0);

    enum ves_status status = ves_mhd_load(error);
    if (status) {
        (void)close(socket);
        return status;
    }
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, witness, MHD_OPTION_LISTEN_SOCKET,
        socket, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, witness,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, /**/
        MHD_OPTION_ARRAY, is_tls ? tls : none, MHD_OPTION_END);
    if (http->daemon)
        return VES_OK;
    (void)close(socket);
    return ves_fail(error, VES_IO,
                    is_tls ? "the HTTPS server does not start; are the "
                             "certificate and its key a pair?"
                           : "the HTTP server does not start");
}

static enum ves_status tell(struct ves_witness_http *http, bool is_tls,
                            const struct ves_witness_options *options,
                            const struct ves_listen_address *address,
                            unsigned port, struct ves_error *error)
{
    char text[VES_LISTEN_HOST_MAX + 16];
    int n = snprintf(text, sizeof(text), address->is_v6 ? "[%s]:%u" : "%s:%u",
                     address->host, port);

    snprintf(http->url, sizeof(http->url), "%s://%.270s",
             is_tls ? "https" : "http", text);
    if (!options->port_file)
        return VES_OK;
    text[n] = '\n';
    enum ves_status status =
        ves_file_write(options->port_file, ves_bytes(text, (size_t)n + 1),
                       VES_FILE_REPLACE, error);
    if (!status)
        snprintf(http->port_file, sizeof(http->port_file), "%s",
                 options->port_file);
    return status;
}

enum ves_status
ves_witness_http_start(struct ves_witness *witness,
                       const struct ves_witness_options *options,
                       struct ves_error *error)
{
    const struct ves_alloc *alloc = witness->alloc;
    struct ves_listen_address address;
    unsigned port = 0;
    int socket;

    struct ves_witness_http *http =
        alloc->realloc(alloc->ctx, NULL, sizeof(*http));
    if (!http)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(http, 0, sizeof(*http));
    ves_tls_pair_init(&http->tls, alloc);
    witness->http = http;
    enum ves_status status = ves_listen_read(options->listen, &address, error);
    if (!status)
        status = ves_token_read(options->token_file, &http->token, error);
    if (!status)
        status = ves_tls_pair_read(&http->tls, options->tls_cert,
                                   options->tls_key, error);

    if (!status)
        status = ves_listen_open(&address, options->tls_cert != NULL, &socket,
                                 &port, error);
    if (!status)
        status = start_daemon(witness, socket, error);
    if (!status)
        status = tell(http, options->tls_cert != NULL, options, &address, port,
                      error);
    if (status)
        ves_witness_http_stop(witness);
    return status;
}

void ves_witness_http_stop(struct ves_witness *witness)
{
    struct ves_witness_http *http = witness->http;

    if (!http)
        return;
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    if (http->port_file[0])
        (void)unlink(http->port_file);
    ves_tls_pair_free(&http->tls);
    witness->alloc->realloc(witness->alloc->ctx, http, 0);
    witness->http = NULL;
}

enum ves_status ves_witness_start(const struct ves_witness_options *options,
                                  struct ves_witness **out,
                                  struct ves_error *error)
{
    enum ves_status status = ves_witness_open(options, out, error);

    if (status)
        return status;
    status = ves_witness_http_start(*out, options, error);
    if (status) {
        ves_witness_close(*out);
        *out = NULL;
    }
    return status;
}

const char *ves_witness_url(const struct ves_witness *witness)
{
    return witness->http->url;
}

const char *ves_witness_vkey(const struct ves_witness *witness)
{
    return (const char *)witness->vkey.ptr;
}

void ves_witness_stop(struct ves_witness *witness)
{
    ves_witness_http_stop(witness);
    ves_witness_close(witness);
}
