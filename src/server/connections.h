/* connections.h -- open connections, and the end of those that take their time.
 *
 * libmicrohttpd closes a connection on which nothing happens; who sends or
 * takes a byte now and then would keep its place for ever.  So a request's
 * headers have to be there in some time, and its body and the taking of the
 * answer have to reach some speed on average.  Requests that are being worked
 * on, and followers (followers.h), have time.
 */
#ifndef VES_SERVER_CONNECTIONS_H
#define VES_SERVER_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include "ves/ves.h"

struct ves_held;

enum {
    VES_CONNECTION_HEADERS_S = 60, /* from the start, or the last answer */
    VES_CONNECTION_GRACE_S = 30,   /* before speed counts */
    VES_CONNECTION_SPEED = 4096,   /* bytes a second */
    VES_CONNECTIONS_SWEEP_MS = 1000
};

enum ves_connection_phase {
    VES_CONNECTION_HEADERS,
    VES_CONNECTION_BODY,
    VES_CONNECTION_WORK,
    VES_CONNECTION_ANSWER
};

enum ves_connection_peer {
    VES_PEER_UNKNOWN, /* not looked at yet */
    VES_PEER_WELCOME,
    VES_PEER_STRANGER
};

struct ves_connection {
    struct ves_connection *prev, *next;
    int fd;
    atomic_uint phase;
    atomic_uint_fast64_t since_us; /* it began */
    atomic_uint_fast64_t bytes;    /* received, or to be taken */
    enum ves_connection_peer peer; /* its own thread's, as held */
    struct ves_held *held; /* whose last accepted key it was, and who is charged
                              with it; NULL: nobody */
    bool is_cut;           /* the sweeper's */
};

struct ves_connections {
    const struct ves_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool is_running, is_stopping;
    struct ves_connection *first;
    atomic_uint_fast64_t *cut; /* a counter of those that were ended */
};

/* Starts the thread that looks at them; cut counts.  VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_connections_start(struct ves_connections *connections,
                      const struct ves_alloc *alloc, atomic_uint_fast64_t *cut,
                      struct ves_error *error);
/* Ends it; the connections are still there.  Safe on a zeroed struct. */
void ves_connections_stop(struct ves_connections *connections);
/* There are none any more. */
void ves_connections_deinit(struct ves_connections *connections);

/* NULL when out of memory: it is then not looked at. */
struct ves_connection *ves_connections_add(struct ves_connections *connections,
                                           int fd, uint64_t now_us);
/* Before its descriptor is closed; NULL is fine. */
void ves_connections_remove(struct ves_connections *connections,
                            struct ves_connection *connection);

/* From the connection's thread; NULL is fine. */
void ves_connection_enter(struct ves_connection *connection,
                          enum ves_connection_phase phase, uint64_t bytes,
                          uint64_t now_us);
void ves_connection_received(struct ves_connection *connection, size_t bytes);

/* Has it had its time?  Pure. */
bool ves_connection_is_late(const struct ves_connection *connection,
                            uint64_t now_us);
/* Ends those that have; how many. */
size_t ves_connections_sweep(struct ves_connections *connections,
                             uint64_t now_us);

#endif
