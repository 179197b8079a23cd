/* session.c -- sinks and sessions: who listens, and what was agreed. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "mcp/server.h"
#include "os/clock.h"

void ves_mcp_sink_init(struct ves_mcp_sink *sink)
{
    atomic_store(&sink->refs, 1);
    atomic_store(&sink->is_gone, false);
}

struct ves_mcp_sink *ves_mcp_sink_keep(struct ves_mcp_sink *sink)
{
    atomic_fetch_add(&sink->refs, 1);
    return sink;
}

void ves_mcp_sink_drop(struct ves_mcp_sink *sink)
{
    if (sink && atomic_fetch_sub(&sink->refs, 1) == 1)
        sink->destroy(sink);
}

void ves_mcp_put_line(struct ves_buf *out, struct ves_bytes message)
{
    static const char ends[] = {'\n', '\r'};
    size_t from = out->len;

    ves_buf_put_bytes(out, message);
    if (ves_buf_status(out))
        return;
    for (size_t i = 0; i < sizeof(ends); i++) {
        for (uint8_t *p = out->ptr + from;
             (p = memchr(p, ends[i], (size_t)(out->ptr + out->len - p)));)
            *p = ' ';
    }
}

struct ves_mcp_session *ves_mcp_session_new(struct ves_mcp *mcp)
{
    struct ves_mcp_session *session =
        mcp->alloc->realloc(mcp->alloc->ctx, NULL, sizeof(*session));

    if (!session)
        return NULL;
    memset(session, 0, sizeof(*session));
    session->mcp = mcp;
    session->revision = VES_MCP_LEGACY_LATEST;
    session->log_level = -1;
    session->used_ms = ves_clock_monotonic_ms();
    atomic_store(&session->refs, 1);
    return session;
}

struct ves_mcp_session *ves_mcp_session_keep(struct ves_mcp_session *session)
{
    if (session)
        atomic_fetch_add(&session->refs, 1);
    return session;
}

void ves_mcp_session_drop(struct ves_mcp_session *session)
{
    if (!session || atomic_fetch_sub(&session->refs, 1) != 1)
        return;
    const struct ves_alloc *alloc = session->mcp->alloc;
    VES_ASSERT(!session->calls);
    ves_mcp_sink_drop(session->general);
    alloc->realloc(alloc->ctx, session, 0);
}

void ves_mcp_session_close(struct ves_mcp_session *session)
{
    struct ves_mcp *mcp = session->mcp;

    pthread_mutex_lock(&mcp->lock);
    session->is_closed = true;
    for (struct ves_mcp_call *call = session->calls; call;
         call = call->next_in_session)
        atomic_store(&call->is_cancelled, true);
    pthread_cond_broadcast(&mcp->changed);
    pthread_mutex_unlock(&mcp->lock);
    /* Nobody subscribes for a session that is closed. */
    ves_mcp_forget_subscriptions(mcp, session, NULL);
}
