/* peers.c -- connections to an HTTP listener. */
#include "mcp/peers.h"

#include "base/assert.h"
#include "os/listen.h"

void ves_mcp_peers_init(struct ves_mcp_peers *peers,
                        const struct ves_alloc *alloc)
{
    *peers = (struct ves_mcp_peers){.alloc = alloc};
    pthread_mutex_init(&peers->lock, NULL);
}

void ves_mcp_peers_free(struct ves_mcp_peers *peers)
{
    VES_ASSERT(!peers->first);
    pthread_mutex_destroy(&peers->lock);
}

/* Its thread finds the connection at its end and closes it.  The lock is
 * held. */
static void shut_down(struct ves_mcp_peers *peers, struct ves_mcp_peer *peer)
{
    peer->is_closing = true;
    peers->count--;
    ves_listen_hang_up(peer->fd);
}

/* The one that has been sending for the longest; NULL: all are being served.
 * The lock is held. */
static struct ves_mcp_peer *slowest(const struct ves_mcp_peers *peers)
{
    struct ves_mcp_peer *found = NULL;

    for (struct ves_mcp_peer *p = peers->first; p; p = p->next) {
        if (p->until_ms && !p->is_closing &&
            (!found || p->since_ms <= found->since_ms))
            found = p;
    }
    return found;
}

struct ves_mcp_peer *ves_mcp_peers_add(struct ves_mcp_peers *peers, int fd,
                                       int64_t now_ms)
{
    const struct ves_alloc *alloc = peers->alloc;
    struct ves_mcp_peer *peer = alloc->realloc(alloc->ctx, NULL, sizeof(*peer));

    if (!peer)
        return NULL;
    *peer = (struct ves_mcp_peer){
        .fd = fd, .since_ms = now_ms, .until_ms = now_ms + VES_MCP_HEADERS_MS};
    pthread_mutex_lock(&peers->lock);
    if (peers->count >= VES_MCP_PEERS_MAX) {
        struct ves_mcp_peer *gone = slowest(peers);
        if (gone)
            shut_down(peers, gone);
        else
            peer->is_surplus = true;
    }
    peer->next = peers->first;
    peers->first = peer;
    peers->count++;
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

void ves_mcp_peers_remove(struct ves_mcp_peers *peers,
                          struct ves_mcp_peer *peer)
{
    struct ves_mcp_peer **link = &peers->first;

    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    while (*link != peer)
        link = &(*link)->next;
    *link = peer->next;
    peers->count -= !peer->is_closing;
    pthread_mutex_unlock(&peers->lock);
    peers->alloc->realloc(peers->alloc->ctx, peer, 0);
}

void ves_mcp_peer_sends(struct ves_mcp_peers *peers, struct ves_mcp_peer *peer,
                        int64_t now_ms, int64_t ms)
{
    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    peer->since_ms = now_ms;
    peer->until_ms = now_ms + ms;
    pthread_mutex_unlock(&peers->lock);
}

void ves_mcp_peer_is_served(struct ves_mcp_peers *peers,
                            struct ves_mcp_peer *peer)
{
    if (!peer)
        return;
    pthread_mutex_lock(&peers->lock);
    peer->until_ms = 0;
    pthread_mutex_unlock(&peers->lock);
}

void ves_mcp_peers_expire(struct ves_mcp_peers *peers, int64_t now_ms)
{
    pthread_mutex_lock(&peers->lock);
    for (struct ves_mcp_peer *p = peers->first; p; p = p->next) {
        if (p->until_ms && p->until_ms <= now_ms && !p->is_closing)
            shut_down(peers, p);
    }
    pthread_mutex_unlock(&peers->lock);
}

bool ves_mcp_peers_take(struct ves_mcp_peers *peers, size_t *taken, size_t max)
{
    pthread_mutex_lock(&peers->lock);
    bool is_free = *taken < max;
    *taken += is_free;
    pthread_mutex_unlock(&peers->lock);
    return is_free;
}

void ves_mcp_peers_give(struct ves_mcp_peers *peers, size_t *taken)
{
    pthread_mutex_lock(&peers->lock);
    (*taken)--;
    pthread_mutex_unlock(&peers->lock);
}
