/* connections.c -- open connections, and the end of those that take their
 * time. */
#include "server/connections.h"

#include <string.h>

#include "base/error.h"
#include "os/listen.h"
#include "os/process.h"
#include "os/timed.h"
#include "server/metrics.h"

enum { SECOND_US = 1000000 };

bool ves_connection_is_late(const struct ves_connection *connection,
                            uint64_t now_us)
{
    uint64_t since = atomic_load(&connection->since_us);
    unsigned phase = atomic_load(&connection->phase);
    uint64_t bytes = atomic_load(&connection->bytes);
    /* Its thread went on meanwhile: these do not belong together. */
    if (atomic_load(&connection->since_us) != since)
        return false;
    uint64_t spent_us = now_us > since ? now_us - since : 0;
    uint64_t grace_us = (uint64_t)VES_CONNECTION_GRACE_S * SECOND_US;
    switch ((enum ves_connection_phase)phase) {
    case VES_CONNECTION_HEADERS:
        return spent_us > (uint64_t)VES_CONNECTION_HEADERS_S * SECOND_US;
    case VES_CONNECTION_BODY:
        return spent_us > grace_us &&
               bytes < (spent_us - grace_us) / SECOND_US * VES_CONNECTION_SPEED;
    case VES_CONNECTION_ANSWER:
        return spent_us > grace_us + bytes / VES_CONNECTION_SPEED * SECOND_US;
    case VES_CONNECTION_WORK:
        break;
    }
    return false;
}

size_t ves_connections_sweep(struct ves_connections *connections,
                             uint64_t now_us)
{
    size_t count = 0;
    pthread_mutex_lock(&connections->lock);
    for (struct ves_connection *c = connections->first; c; c = c->next) {
        if (c->is_cut || !ves_connection_is_late(c, now_us))
            continue;
        /* Its thread notices, and closes it. */
        ves_listen_hang_up(c->fd);
        c->is_cut = true;
        count++;
    }
    pthread_mutex_unlock(&connections->lock);
    if (count)
        ves_metric_add(connections->cut, count);
    return count;
}

static bool wait_to_stop(struct ves_connections *connections)
{
    struct timespec until = ves_timed_after(VES_CONNECTIONS_SWEEP_MS);
    int rc = 0;
    pthread_mutex_lock(&connections->lock);
    while (!connections->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&connections->changed, &connections->lock,
                                    &until);
    bool is_stopping = connections->is_stopping;
    pthread_mutex_unlock(&connections->lock);
    return is_stopping;
}

static void *sweep_all(void *ctx)
{
    struct ves_connections *connections = ctx;
    ves_thread_name("ves-sweep");
    while (!wait_to_stop(connections))
        (void)ves_connections_sweep(connections, ves_metric_now_us());
    return NULL;
}

enum ves_status ves_connections_start(struct ves_connections *connections,
                                      const struct ves_alloc *alloc,
                                      atomic_uint_fast64_t *cut,
                                      struct ves_error *error)
{
    memset(connections, 0, sizeof(*connections));
    connections->alloc = alloc;
    connections->cut = cut;
    pthread_mutex_init(&connections->lock, NULL);
    ves_timed_cond_init(&connections->changed);
    if (pthread_create(&connections->thread, NULL, sweep_all, connections)) {
        ves_connections_deinit(connections);
        return ves_fail(error, VES_NOMEM, "no more threads can be made");
    }
    connections->is_running = true;
    return VES_OK;
}

void ves_connections_stop(struct ves_connections *connections)
{
    if (!connections->is_running)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->is_stopping = true;
    pthread_cond_broadcast(&connections->changed);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->thread, NULL);
    connections->is_running = false;
}

void ves_connections_deinit(struct ves_connections *connections)
{
    if (!connections->alloc)
        return;
    pthread_cond_destroy(&connections->changed);
    pthread_mutex_destroy(&connections->lock);
    connections->alloc = NULL;
}

struct ves_connection *ves_connections_add(struct ves_connections *connections,
                                           int fd, uint64_t now_us)
{
    const struct ves_alloc *alloc = connections->alloc;
    struct ves_connection *c = alloc->realloc(alloc->ctx, NULL, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct ves_connection){.fd = fd};
    atomic_store(&c->since_us, now_us);
    pthread_mutex_lock(&connections->lock);
    c->next = connections->first;
    if (c->next)
        c->next->prev = c;
    connections->first = c;
    pthread_mutex_unlock(&connections->lock);
    return c;
}

void ves_connections_remove(struct ves_connections *connections,
                            struct ves_connection *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&connections->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        connections->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    pthread_mutex_unlock(&connections->lock);
    connections->alloc->realloc(connections->alloc->ctx, c, 0);
}

void ves_connection_enter(struct ves_connection *connection,
                          enum ves_connection_phase phase, uint64_t bytes,
                          uint64_t now_us)
{
    if (!connection)
        return;
    /* The sweeper may look in between: the phase that never ends comes first,
     * and since_us tells it that something changed. */
    atomic_store_explicit(&connection->phase, VES_CONNECTION_WORK,
                          memory_order_release);
    atomic_store_explicit(&connection->bytes, bytes, memory_order_release);
    atomic_store_explicit(&connection->since_us, now_us, memory_order_release);
    atomic_store_explicit(&connection->phase, phase, memory_order_release);
}

void ves_connection_received(struct ves_connection *connection, size_t bytes)
{
    if (connection)
        atomic_fetch_add_explicit(&connection->bytes, bytes,
                                  memory_order_relaxed);
}
