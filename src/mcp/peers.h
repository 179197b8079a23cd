/* peers.h -- connections to an HTTP listener: how many, and how long each may
 * keep the server waiting.
 *
 * A connection either sends (a request, or nothing after an answer) and has
 * until its deadline for that, or is served and has none.  When there are too
 * many, the one that has been sending for the longest goes: whoever means
 * well has sent a request long before.  Only when all are being served the new
 * one is told to come again.
 *
 * Times are milliseconds of a monotonic clock, given by the caller.
 */
#ifndef VES_MCP_PEERS_H
#define VES_MCP_PEERS_H

#include <pthread.h>

#include "ves/ves.h"

enum {
    VES_MCP_PEERS_MAX = 128,
    VES_MCP_PEERS_SPARE = 32, /* taken, to be closed or told to come again */
    VES_MCP_STREAMS_MAX = 48, /* of those, streams of events */
    VES_MCP_CALLS_MAX = 48,   /* of those, waiting for a handler */
    VES_MCP_HEADERS_MS = 10 * 1000,
    VES_MCP_BODY_MS = 30 * 1000,
    VES_MCP_IDLE_MS = 60 * 1000 /* between an answer and the next request */
};

struct ves_mcp_peer {
    struct ves_mcp_peer *next;
    int fd;
    int64_t since_ms; /* sending since then */
    int64_t until_ms; /* deadline; 0: is served */
    bool is_surplus;  /* to be told to come again */
    bool is_closing;  /* shut down; its thread will notice */
};

struct ves_mcp_peers {
    const struct ves_alloc *alloc;
    pthread_mutex_t lock;
    struct ves_mcp_peer *first;
    size_t count;          /* without those that are closing */
    size_t streams, calls; /* taken places */
};

void ves_mcp_peers_init(struct ves_mcp_peers *peers,
                        const struct ves_alloc *alloc);
void ves_mcp_peers_free(struct ves_mcp_peers *peers);

/* A connection over fd, which stays the caller's and open until it is
 * removed; may shut another one down.  NULL: no memory. */
struct ves_mcp_peer *ves_mcp_peers_add(struct ves_mcp_peers *peers, int fd,
                                       int64_t now_ms);
/* NULL allowed, as in the next two. */
void ves_mcp_peers_remove(struct ves_mcp_peers *peers,
                          struct ves_mcp_peer *peer);
/* It sends from now on and has ms for it. */
void ves_mcp_peer_sends(struct ves_mcp_peers *peers, struct ves_mcp_peer *peer,
                        int64_t now_ms, int64_t ms);
void ves_mcp_peer_is_served(struct ves_mcp_peers *peers,
                            struct ves_mcp_peer *peer);
/* Shuts down those whose time is up. */
void ves_mcp_peers_expire(struct ves_mcp_peers *peers, int64_t now_ms);

/* Takes one of max places counted in *taken (streams or calls); false: none is
 * free. */
bool ves_mcp_peers_take(struct ves_mcp_peers *peers, size_t *taken, size_t max);
void ves_mcp_peers_give(struct ves_mcp_peers *peers, size_t *taken);

#endif
