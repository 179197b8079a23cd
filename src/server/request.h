/* request.h -- one HTTP request on its way through the server.
 *
 *   headers --> body --> [queued --> worker/committer] --> reply
 *
 * Made by http.c when the request line is there, freed when the answer was
 * sent or the connection broke.  Exactly one thread works on it at a time: the
 * connection's, or, while the connection is suspended, a worker or the
 * committer.  Nothing may touch it after ves_http_resume.
 */
#ifndef VES_SERVER_REQUEST_H
#define VES_SERVER_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "engine/sequencer.h"
#include "server/auth.h"
#include "server/rate.h"
#include "server/uri.h"

struct MHD_Connection;
struct ves_connection;
struct ves_follower;
struct ves_server;
struct ves_route;

enum ves_method {
    VES_METHOD_GET = 1, /* HEAD too */
    VES_METHOD_POST = 2,
    VES_METHOD_PUT = 4,
    VES_METHOD_DELETE = 8,
    VES_METHOD_OPTIONS = 16,
    VES_METHOD_OTHER = 32
};

enum {
    VES_REQUEST_ID_MAX = 128,
    VES_NONCE_MAX = 32,
    VES_REPLY_MAX = 64 * 1024 * 1024
};

/* code on the wire, HTTP status, number (protocol.md B.2) */
#define VES_HTTP_ERROR_MAP(X)              \
    X(INVALID_FIELD_VALUE, 400, 3003)      \
    X(AUTH_REQUIRED, 401, 1001)            \
    X(INSUFFICIENT_PERMISSIONS, 403, 1005) \
    X(RESOURCE_NOT_FOUND, 404, 4001)       \
    X(METHOD_NOT_ALLOWED, 405, 3003)       \
    X(ALREADY_EXISTS, 409, 5004)           \
    X(PAYLOAD_TOO_LARGE, 413, 3004)        \
    X(RATE_LIMIT_EXCEEDED, 429, 2001)      \
    X(INTERNAL_ERROR, 500, 8999)           \
    X(SERVICE_UNAVAILABLE, 503, 8002)

enum ves_request_state {
    VES_REQUEST_NEW,     /* request line read */
    VES_REQUEST_BODY,    /* headers accepted, body arriving */
    VES_REQUEST_WAITING, /* suspended */
    VES_REQUEST_DONE     /* reply ready */
};

struct ves_request {
    struct ves_request *next; /* in a queue */
    struct ves_server *server;
    struct MHD_Connection *connection;
    struct ves_connection *place; /* NULL: its time is not watched */
    enum ves_request_state state;
    bool is_in_flight;
    uint64_t started_us;
    struct ves_arena arena;

    /* What was asked. */
    enum ves_method method;
    char *target; /* as received; owned */
    struct ves_uri uri;
    struct ves_bytes captures[VES_URI_CAPTURES_MAX]; /* still encoded */
    struct ves_bytes last_event_id; /* Last-Event-ID; until the answer */
    const struct ves_route *route;
    char id[VES_REQUEST_ID_MAX + 1];
    char nonce[VES_NONCE_MAX + 1]; /* given back as it came; "": none */
    uint8_t *body;                 /* owned */
    size_t body_len, body_cap;
    size_t body_expected; /* from Content-Length; 0: not said */
    size_t body_refused;  /* read and forgotten */

    /* Who asked; set when the route needs a key. */
    struct ves_caller caller;
    struct ves_hash key_hash; /* of the API key, or the id of a token */
    int64_t token_until_ms;   /* a token's; 0: it was an API key */
    struct ves_held *held;    /* on whose account body and answer are */
    enum ves_dialect dialect;
    struct ves_rate_state rates[VES_RATE_KINDS];

    /* The store a handler may use: read-only, or the writer's on the
     * committer thread. */
    struct ves_store *store;

    /* Our signature on a head our log does not have (known_head.h); views the
     * arena, "" when there is none. */
    struct ves_bytes evidence;
    uint64_t evidence_size; /* entries of that head */
    struct ves_stream evidence_stream;

    bool has_ingest;
    struct ves_ingest ingest;
    size_t prepared; /* events of it that the pipeline counts */

    /* The answer. */
    uint32_t status; /* 0: none yet */
    struct ves_buf out;
    struct ves_follower *follower; /* set: the answer goes on without end */
    size_t reply_len;              /* bytes of it given away */
    const char *content_type;      /* NULL: JSON */
    const char *error_code;        /* x-error-code; NULL: none */
    const char *allow;             /* Allow */
    uint32_t retry_after_s;        /* Retry-After; 0: none */
    bool is_legacy;                /* deprecation headers */
    bool close;                    /* Connection: close */
    bool is_cut_off;               /* answered and closed, its body unread */
};

void ves_request_body_free(struct ves_request *request);
/* Gives back what is not needed once the answer is made: taking it may last. */
void ves_request_release(struct ves_request *request);

/* ---- answering; the last one wins ---------------------------------------- */

/* The handler has put its document into request->out; a failed buffer turns
 * into 500. */
void ves_reply(struct ves_request *request, uint32_t status);

/* Error document of protocol.md B.2 number 1, with message and code at the
 * top level too.  code NULL: the status's own. */
void ves_reply_error(struct ves_request *request, uint32_t status,
                     const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Error document of B.1. */
void ves_reply_auth(struct ves_request *request, enum ves_auth_result result);

/* Is there room for another answer, or do clients not take theirs? */
bool ves_request_may_hold(const struct ves_request *request);
/* The same; false: the answer, 503, is made. */
bool ves_request_has_room(struct ves_request *request);

/* A failed call as an answer; error may be NULL. */
void ves_reply_status(struct ves_request *request, enum ves_status status,
                      const struct ves_error *error);

/* ---- what handlers ask for ----------------------------------------------- */

/* May the caller use right there?  Otherwise false, and the answer is made. */
bool ves_request_allows(struct ves_request *request, uint32_t right,
                        const struct ves_uuid *tenant,
                        const struct ves_uuid *store);

/* The same for what has a name of its own and was found in stream (NULL: there
 * is none): what is not the caller's is answered as what is not there, 404 with
 * these words. */
bool ves_request_may_see(struct ves_request *request, uint32_t right,
                         const struct ves_stream *stream, const char *words);

/* Stream from tenant_id and store_id of the query, with the right checked.
 * false: the answer is made. */
bool ves_request_stream(struct ves_request *request, uint32_t right,
                        struct ves_stream *out);

/* tenant_id, and store_id when given. */
bool ves_request_tenant(struct ves_request *request, uint32_t right,
                        struct ves_uuid *tenant, bool *has_store,
                        struct ves_uuid *store);

/* A number of the query, or fallback when absent. */
bool ves_request_u64(struct ves_request *request, const char *name,
                     uint64_t fallback, uint64_t *out);
/* Is a switch of the query on? */
bool ves_request_wants(const struct ves_request *request, const char *name);
/* limit: 1 to max, clamped; 0 is refused. */
bool ves_request_limit(struct ves_request *request, uint32_t fallback,
                       uint32_t max, uint32_t *out);

/* A captured segment, decoded; name is for the words. */
bool ves_request_text(struct ves_request *request, size_t capture,
                      const char *name, size_t max, struct ves_bytes *out);
bool ves_request_uuid(struct ves_request *request, size_t capture,
                      const char *name, struct ves_uuid *out);

/* ---- JSON pieces --------------------------------------------------------- */

/* ,"name":  and values; first says that no comma is needed. */
void ves_put_name(struct ves_buf *buf, bool first, const char *name);
void ves_put_text(struct ves_buf *buf, struct ves_bytes text);
void ves_put_uuid(struct ves_buf *buf, const struct ves_uuid *uuid);
/* Quoted lower-case hex after prefix ("" or "0x"). */
void ves_put_hex(struct ves_buf *buf, const char *prefix, const void *data,
                 size_t len);
/* Quoted RFC 3339, or null for 0. */
void ves_put_time(struct ves_buf *buf, int64_t unix_ms);
/* Number, or null for 0. */
void ves_put_sequence(struct ves_buf *buf, uint64_t sequence);
void ves_put_bool(struct ves_buf *buf, bool value);

#endif
