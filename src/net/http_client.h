/* http_client.h -- one connection to a sequencer, HTTP(S) by libcurl
 * (net/curl.h).
 *
 * No redirects, only http and https, every answer bounded.  A client is used
 * by one thread at a time and keeps its connection alive between requests.
 */
#ifndef VES_NET_HTTP_CLIENT_H
#define VES_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "ves/ves.h"

struct ves_http_client;

enum { VES_HTTP_NONCE_MAX = 32 };

struct ves_http_options {
    const char *url;        /* "https://host:port", no path */
    const char *credential; /* API key, sent as x-api-key; NULL: none */
    const char *tls_ca;     /* PEM file instead of the machine's; NULL */
    bool has_tls_pin;       /* accept exactly the key with this hash, whoever */
    struct ves_hash tls_pin; /* signed its certificate (SubjectPublicKeyInfo) */
    /* Sent with every request; a sequencer gives it back.  An answer that
     * carries another one was given to somebody else, or long ago, and is not
     * taken; files of the log ("/ves/...") may be anybody's.  At most
     * VES_HTTP_NONCE_MAX letters and digits; NULL: not asked. */
    const char *nonce;
    const char *content_type; /* of bodies; NULL: JSON */
    size_t reply_max;         /* bytes of an answer; 0: 64 MiB */
    uint32_t timeout_ms;      /* whole request; 0: as long as bytes come, a
                               * minute without enough of them ends it */
    /* Asked about ten times a second, from connecting to the last byte; true
     * ends the request at once.  NULL: never. */
    bool (*is_stopped)(void *ctx);
    void *is_stopped_ctx;
};

/* The answer to one request; body belongs to the client and lives until the
 * next request. */
struct ves_http_reply {
    uint32_t status; /* 0: no answer */
    struct ves_bytes body;
    uint32_t retry_after_s; /* of a Retry-After header, 0 without */
};

/* VES_INVALID for a URL that is not http(s)://host[:port].  Strings are
 * copied. */
VES_NODISCARD enum ves_status
ves_http_client_open(const struct ves_http_options *options,
                     const struct ves_alloc *alloc,
                     struct ves_http_client **out, struct ves_error *error);
/* Wipes the credential; NULL allowed. */
void ves_http_client_close(struct ves_http_client *client);

/* Sends one more header with every request from now on, or another value of it;
 * value NULL: no longer.  name and value are copied, and are plain text without
 * line breaks.  VES_NOMEM: it is as it was. */
VES_NODISCARD enum ves_status
ves_http_client_header(struct ves_http_client *client, const char *name,
                       const char *value);

/* path begins with '/' and is already encoded; body may be empty.  VES_OK
 * whenever an answer came, whatever its status; VES_UNREACHABLE (words say
 * what failed: name, connection, TLS key, time; or that it was an old answer),
 * VES_LIMIT when the answer is too large, VES_AGAIN when stopped (what was sent
 * may have arrived all the same), VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_http_request(struct ves_http_client *client, const char *method,
                 const char *path, struct ves_bytes body,
                 struct ves_http_reply *reply, struct ves_error *error);

/* Takes the bytes of an answer as they come; false ends the request. */
typedef bool ves_http_sink(void *ctx, struct ves_bytes bytes);

/* GET.  The body of an answer with status 200 and that content type goes to
 * the sink, however long it lasts and however little comes (is_stopped is how
 * it ends); any other answer is as ves_http_request's.  VES_OK when it came to
 * its end. */
VES_NODISCARD enum ves_status
ves_http_stream(struct ves_http_client *client, const char *path,
                const char *content_type, ves_http_sink *sink, void *sink_ctx,
                struct ves_http_reply *reply, struct ves_error *error);

#endif
