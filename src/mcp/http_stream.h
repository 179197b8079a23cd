/* http_stream.h -- what one request over HTTP sends: events, then an answer.
 *
 * Whoever works for the request writes through the sink, which never waits for
 * the client; the connection's thread takes what there is.
 */
#ifndef VES_MCP_HTTP_STREAM_H
#define VES_MCP_HTTP_STREAM_H

#include "mcp/server.h"

struct ves_mcp_stream {
    struct ves_mcp_sink sink;
    const struct ves_alloc *alloc;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ves_buf events; /* not yet taken */
    struct ves_buf answer;
    int status;
    bool is_done;
    bool is_live; /* a stream of events was begun */
};

/* Its one reference is the caller's; NULL: no memory. */
struct ves_mcp_stream *ves_mcp_stream_new(const struct ves_alloc *alloc);

#endif
