/* http_answer.c -- an answer on its way out. */
#include "server/http_answer.h"

#include <stdio.h>

#include "base/assert.h"
#include "server/connections.h"
#include "server/guard.h"
#include "server/routes.h"
#include "server/server.h"

enum {
    NEWS_BLOCK = 1024 /* of a stream of events, to those without chunks */
};

/* What clients of the open sequencer read (protocol.md B.2). */
static void add_narrowest(const struct ves_request *request,
                          struct MHD_Response *response)
{
    const struct ves_rate_state *rate = ves_guard_narrowest(request);
    char number[16];
    snprintf(number, sizeof(number), "%u", rate->most);
    MHD_add_response_header(response, "RateLimit-Limit", number);
    snprintf(number, sizeof(number), "%u", rate->left);
    MHD_add_response_header(response, "RateLimit-Remaining", number);
    snprintf(number, sizeof(number), "%u",
             rate->is_over ? rate->wait_s : rate->full_s);
    MHD_add_response_header(response, "RateLimit-Reset", number);
}

static void add_headers(struct ves_request *request,
                        struct MHD_Response *response)
{
    static const struct {
        const char *name;
        const char *value;
    } always[] = {{"x-content-type-options", "nosniff"},
                  {"x-frame-options", "DENY"},
                  {"cache-control", "no-store"}},
      legacy[] = {{"Deprecation", "true"},
                  {"Sunset", "Mon, 01 Mar 2027 00:00:00 GMT"},
                  {"Link", "</api/v1/ves/events>; rel=\"successor-version\""}};
    char seconds[16], policy[VES_GUARD_HEADER_MAX], rates[VES_GUARD_HEADER_MAX];
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        MHD_add_response_header(response, always[i].name, always[i].value);
    for (size_t i = 0;
         request->is_legacy && i < sizeof(legacy) / sizeof(legacy[0]); i++)
        MHD_add_response_header(response, legacy[i].name, legacy[i].value);
    MHD_add_response_header(response, "x-request-id", request->id);
    if (request->nonce[0])
        MHD_add_response_header(response, "x-ves-nonce", request->nonce);
    if (request->out.len)
        MHD_add_response_header(response, "content-type",
                                request->content_type ? request->content_type
                                                      : "application/json");
    if (request->error_code)
        MHD_add_response_header(response, "x-error-code", request->error_code);
    if (request->allow)
        MHD_add_response_header(response, "Allow", request->allow);
    if (request->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate",
                                "ApiKey realm=\"ves\"");
    if (request->retry_after_s) {
        snprintf(seconds, sizeof(seconds), "%u", request->retry_after_s);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    if (ves_guard_headers(request, policy, rates)) {
        MHD_add_response_header(response, "RateLimit-Policy", policy);
        MHD_add_response_header(response, "RateLimit", rates);
        add_narrowest(request, response);
    }
    if (request->close)
        MHD_add_response_header(response, "Connection", "close");
}

static ssize_t give_news(void *ctx, uint64_t pos, char *out, size_t max)
{
    (void)pos;
    int64_t n = ves_followers_take(ctx, out, max);
    return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

/* An answer that goes on until somebody has enough. */
static enum MHD_Result send_news(struct ves_request *request)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, NEWS_BLOCK, give_news, request, NULL);
    if (!response)
        return MHD_NO;
    add_headers(request, response);
    MHD_add_response_header(response, "content-type", "text/event-stream");
    /* A proxy that collects an answer first would deliver none. */
    MHD_add_response_header(response, "x-accel-buffering", "no");
    ves_request_release(request);
    ves_connection_enter(request->place, VES_CONNECTION_WORK, 0,
                         ves_metric_now_us());
    enum MHD_Result result =
        MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result ves_http_answer(struct ves_request *request)
{
    struct ves_buf *out = &request->out;
    VES_ASSERT(request->status);
    if (request->follower)
        return send_news(request);
    /* The document is malloc'ed (ves_alloc_default) and given away: no copy. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        out->len, out->ptr,
        out->ptr ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    add_headers(request, response);
    request->reply_len = out->len;
    atomic_fetch_add(&request->server->metrics.reply_memory, out->len);
    atomic_fetch_add(&request->held->replies, out->len);
    ves_buf_init(out, out->alloc, out->max);
    ves_request_release(request);
    ves_connection_enter(request->place, VES_CONNECTION_ANSWER,
                         request->reply_len, ves_metric_now_us());
    enum MHD_Result result =
        MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}
