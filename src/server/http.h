/* http.h -- the only part of the server that knows libmicrohttpd.
 *
 * Reads requests, bounds them, finds route and caller, hands complete ones on
 * and writes answers.  A request whose work is done elsewhere is suspended;
 * ves_http_resume brings it back.
 */
#ifndef VES_SERVER_HTTP_H
#define VES_SERVER_HTTP_H

#include "ves/ves.h"

struct ves_http;
struct ves_request;
struct ves_server;
struct ves_tls_server;

enum {
    VES_HTTP_CONNECTIONS_MAX = 4096, /* half of them may follow */
    VES_HTTP_IDLE_S = 30,
    VES_HTTP_MEMORY = 16 * 1024, /* a connection's own buffers, bytes */
    VES_HTTP_HEADERS_MAX = VES_HTTP_MEMORY / 2
};

struct ves_http_setup {
    int socket;       /* listening; owned from here on, also on failure */
    unsigned threads; /* >= 2 (design.md D7) */
    unsigned address_connections; /* from one address; 0: any number */
    struct ves_tls_server *tls;   /* NULL: no TLS */
};

VES_NODISCARD enum ves_status
ves_http_start(struct ves_server *server, const struct ves_http_setup *options,
               struct ves_http **out, struct ves_error *error);

/* Stops accepting connections and turns new requests away.  What is under way
 * goes on. */
void ves_http_quiesce(struct ves_http *http);
/* Waits until nothing is in flight, at most timeout_ms. */
bool ves_http_drain(struct ves_http *http, unsigned timeout_ms);
/* No connection may be suspended any more. */
void ves_http_stop(struct ves_http *http);

/* Gives a suspended request, its answer made, back to its connection. */
void ves_http_resume(struct ves_request *request);

/* Suspends the connection of a follower that has nothing to say (from inside
 * ves_followers_take only), and has it asked again. */
void ves_http_sleep(struct ves_request *request);
void ves_http_wake(struct ves_request *request);

#endif
