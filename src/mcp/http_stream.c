/* http_stream.c -- what one request over HTTP sends. */
#include "mcp/http_stream.h"

#include <string.h>

#include "base/bytes.h"
#include "os/timed.h"

enum { STREAM_MAX = 16 * 1024 * 1024 /* waiting for a slow client */ };

static void put_event(struct ves_mcp_stream *s, struct ves_bytes message)
{
    if (message.len && !ves_buf_status(&s->events)) {
        ves_buf_put_str(&s->events, "event: message\ndata: ");
        ves_mcp_put_line(&s->events, message);
        ves_buf_put_str(&s->events, "\n\n");
    }
    pthread_cond_broadcast(&s->changed);
}

static void stream_send(struct ves_mcp_sink *sink, struct ves_bytes message)
{
    struct ves_mcp_stream *s = (struct ves_mcp_stream *)sink;

    pthread_mutex_lock(&s->lock);
    if (!s->is_done && !atomic_load(&sink->is_gone)) {
        s->is_live = true;
        put_event(s, message);
    }
    pthread_mutex_unlock(&s->lock);
}

static void stream_finish(struct ves_mcp_sink *sink, struct ves_bytes message,
                          int status)
{
    struct ves_mcp_stream *s = (struct ves_mcp_stream *)sink;

    pthread_mutex_lock(&s->lock);
    if (!s->is_done) {
        if (s->is_live)
            put_event(s, message);
        else
            ves_buf_put_bytes(&s->answer, message);
        s->status = status;
        s->is_done = true;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void stream_destroy(struct ves_mcp_sink *sink)
{
    struct ves_mcp_stream *s = (struct ves_mcp_stream *)sink;

    ves_buf_free(&s->events);
    ves_buf_free(&s->answer);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    s->alloc->realloc(s->alloc->ctx, s, 0);
}

struct ves_mcp_stream *ves_mcp_stream_new(const struct ves_alloc *alloc)
{
    struct ves_mcp_stream *s = alloc->realloc(alloc->ctx, NULL, sizeof(*s));

    if (!s)
        return NULL;
    memset(s, 0, sizeof(*s));
    ves_mcp_sink_init(&s->sink);
    s->sink.send = stream_send;
    s->sink.finish = stream_finish;
    s->sink.destroy = stream_destroy;
    s->alloc = alloc;
    pthread_mutex_init(&s->lock, NULL);
    ves_timed_cond_init(&s->changed);
    ves_buf_init(&s->events, alloc, STREAM_MAX);
    ves_buf_init(&s->answer, alloc, VES_MCP_REPLY_MAX);
    return s;
}
