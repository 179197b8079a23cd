/* subscribe.c -- who wants to know what changed. */
#include <string.h>

#include "base/bytes.h"
#include "mcp/server.h"
#include "json/jcs.h"

/* Names in one listening request that are looked at; each may be a question to
 * the store. */
enum { LOOKED_AT_MAX = 1024 };

static void free_subscription(struct ves_mcp *mcp,
                              struct ves_mcp_subscription *s)
{
    const struct ves_alloc *alloc = mcp->alloc;

    ves_mcp_sink_drop(s->sink);
    alloc->realloc(alloc->ctx, s->id, 0);
    alloc->realloc(alloc->ctx, s->uris, 0);
    alloc->realloc(alloc->ctx, s, 0);
    mcp->subscription_count--;
}

/* Does nobody listen any more?  The lock is held: whoever goes marks that
 * before its subscriptions are forgotten. */
static bool is_gone(const struct ves_mcp_call *call)
{
    return atomic_load(&call->is_cancelled) ||
           atomic_load(&call->sink->is_gone) ||
           (call->session && call->session->is_closed);
}

/* Is there room for one more, also among those of the session? */
static bool has_room(const struct ves_mcp_call *call)
{
    const struct ves_mcp *mcp = call->mcp;
    size_t count = 0;

    for (const struct ves_mcp_subscription *s = mcp->subscriptions; s;
         s = s->next)
        count += call->session && s->session == call->session;
    return mcp->subscription_count < VES_MCP_SUBSCRIPTIONS_MAX &&
           count < VES_MCP_SESSION_SUBSCRIPTIONS_MAX;
}

/* A subscription to uris, linked; NULL: no memory, too many, or nobody
 * listens.  The lock is held. */
static struct ves_mcp_subscription *
add(struct ves_mcp_call *call, struct ves_bytes id, struct ves_bytes uris)
{
    struct ves_mcp *mcp = call->mcp;
    const struct ves_alloc *alloc = mcp->alloc;
    struct ves_mcp_subscription *s = NULL;

    if (has_room(call) && !is_gone(call))
        s = alloc->realloc(alloc->ctx, NULL, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct ves_mcp_subscription){.session = call->session};
    s->uris = alloc->realloc(alloc->ctx, NULL, uris.len + 1);
    s->id = id.len ? alloc->realloc(alloc->ctx, NULL, id.len + 1) : NULL;
    mcp->subscription_count++;
    if (!s->uris || (id.len && !s->id)) {
        free_subscription(mcp, s);
        return NULL;
    }
    if (uris.len)
        memcpy(s->uris, uris.ptr, uris.len);
    s->uris[uris.len] = '\0';
    if (id.len) {
        memcpy(s->id, id.ptr, id.len);
        s->id[id.len] = '\0';
        s->sink = ves_mcp_sink_keep(call->sink);
    }
    s->next = mcp->subscriptions;
    mcp->subscriptions = s;
    return s;
}

static bool can_subscribe(struct ves_mcp_call *call, struct ves_bytes uri)
{
    struct ves_bytes variable;
    const struct ves_mcp_resource *resource =
        ves_mcp_find_resource(&call->mcp->registry, uri, &variable);

    if (!resource || !resource->is_subscribable || uri.len > VES_MCP_URI_MAX ||
        memchr(uri.ptr, 0, uri.len))
        return false;
    return !resource->is_there ||
           resource->is_there(call->mcp->options.ctx,
                              ves_mcp_call_text(call, variable));
}

/* ---- revision 2026-07-28 ------------------------------------------------- */

static bool is_listed(struct ves_bytes uris, struct ves_bytes uri)
{
    for (size_t at = 0; at < uris.len;) {
        struct ves_bytes one = ves_bytes_str((const char *)uris.ptr + at);
        if (ves_bytes_equal(one, uri))
            return true;
        at += one.len + 1;
    }
    return false;
}

/* Which of the wanted URIs there are, each once, one after the other with
 * their NULs; the first ones if there are very many. */
static void honoured(struct ves_mcp_call *call, struct ves_buf *uris)
{
    size_t looked_at = 0, count = 0;
    const struct ves_json *wanted =
        ves_json_member(ves_json_member(call->message.params, "notifications"),
                        "resourceSubscriptions");

    if (!wanted || wanted->type != VES_JSON_ARRAY)
        return;
    for (const struct ves_json *uri = wanted->first;
         uri && count < VES_MCP_LISTENED_MAX && looked_at < LOOKED_AT_MAX;
         uri = uri->next, looked_at++) {
        if (uri->type != VES_JSON_STRING ||
            is_listed(ves_buf_view(uris), uri->string) ||
            !can_subscribe(call, uri->string))
            continue;
        ves_buf_put_bytes(uris, uri->string);
        ves_buf_put_u8(uris, 0);
        count++;
    }
}

static void acknowledge(struct ves_mcp_call *call, struct ves_bytes uris)
{
    struct ves_buf out;

    ves_buf_init(&out, call->mcp->alloc, VES_MCP_REPLY_MAX);
    ves_buf_put_str(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
                          "subscriptions/acknowledged\",\"params\":{"
                          "\"notifications\":{");
    if (uris.len) {
        ves_buf_put_str(&out, "\"resourceSubscriptions\":[");
        for (size_t at = 0; at < uris.len;) {
            struct ves_bytes uri = ves_bytes_str((const char *)uris.ptr + at);
            if (at)
                ves_buf_put_str(&out, ",");
            ves_jcs_write_string(&out, uri);
            at += uri.len + 1;
        }
        ves_buf_put_str(&out, "]");
    }
    ves_buf_put_str(&out, "},\"_meta\":{\"io.modelcontextprotocol/"
                          "subscriptionId\":");
    ves_buf_put_bytes(&out, call->message.id);
    ves_buf_put_str(&out, "}}}");
    if (!ves_buf_status(&out))
        call->sink->send(call->sink, ves_buf_view(&out));
    ves_buf_free(&out);
}

/* Is the session listening under this id already?  The lock is held. */
static bool is_under_way(const struct ves_mcp_call *call)
{
    const struct ves_mcp_subscription *s = call->mcp->subscriptions;

    while (s && !(call->session && s->session == call->session && s->id &&
                  ves_bytes_is(call->message.id, s->id)))
        s = s->next;
    return s != NULL;
}

void ves_mcp_listen(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    const struct ves_json *wanted =
        ves_json_member(call->message.params, "notifications");
    struct ves_buf uris;
    struct ves_mcp_subscription *s = NULL;

    if (!wanted || wanted->type != VES_JSON_OBJECT) {
        ves_mcp_reply_error(call, VES_MCP_INVALID_PARAMS,
                            "notifications is missing", NULL);
        return;
    }
    ves_buf_init(&uris, mcp->alloc, VES_MCP_REPLY_MAX);
    honoured(call, &uris);
    /* Nothing may come before the acknowledgement, hence under the lock. */
    pthread_mutex_lock(&mcp->lock);
    bool is_twice = is_under_way(call);
    if (!is_twice && !ves_buf_status(&uris))
        s = add(call, call->message.id, ves_buf_view(&uris));
    if (s)
        acknowledge(call, ves_buf_view(&uris));
    pthread_mutex_unlock(&mcp->lock);
    ves_buf_free(&uris);
    if (s)
        return;
    if (is_gone(call))
        call->sink->finish(call->sink, ves_bytes(NULL, 0), 200);
    else if (is_twice)
        ves_mcp_reply_error(call, VES_MCP_INVALID_REQUEST,
                            "a request with this id is under way", NULL);
    else
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "Too many subscriptions", NULL);
}

void ves_mcp_unlisten(struct ves_mcp_session *session, struct ves_bytes id)
{
    struct ves_mcp *mcp = session->mcp;
    struct ves_mcp_subscription **link = &mcp->subscriptions;
    while (*link) {
        struct ves_mcp_subscription *s = *link;
        if (s->session != session || !s->id || !ves_bytes_is(id, s->id)) {
            link = &s->next;
            continue;
        }
        *link = s->next;
        free_subscription(mcp, s);
    }
}

void ves_mcp_end_subscriptions(struct ves_mcp *mcp)
{
    struct ves_buf out;

    ves_buf_init(&out, mcp->alloc, VES_MCP_REPLY_MAX);
    pthread_mutex_lock(&mcp->lock);
    while (mcp->subscriptions) {
        struct ves_mcp_subscription *s = mcp->subscriptions;
        mcp->subscriptions = s->next;
        if (s->id) {
            ves_buf_reset(&out);
            ves_buf_putf(&out,
                         "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{"
                         "\"resultType\":\"complete\",\"_meta\":{"
                         "\"io.modelcontextprotocol/subscriptionId\":%s}}}",
                         s->id, s->id);
            s->sink->finish(s->sink, ves_buf_view(&out), 200);
        }
        free_subscription(mcp, s);
    }
    pthread_mutex_unlock(&mcp->lock);
    ves_buf_free(&out);
}

/* ---- legacy revisions ---------------------------------------------------- */

static bool legacy_uri(struct ves_mcp_call *call, struct ves_bytes *uri)
{
    if (!ves_json_get_string(call->message.params, "uri", uri)) {
        ves_mcp_reply_error(call, VES_MCP_INVALID_PARAMS, "uri is missing",
                            NULL);
        return false;
    }
    call->target = ves_mcp_call_text(call, *uri);
    if (can_subscribe(call, *uri))
        return true;
    ves_mcp_no_resource(call);
    ves_mcp_reply_failed(call);
    return false;
}

static void reply_empty(struct ves_mcp_call *call)
{
    struct ves_buf out;

    ves_mcp_reply_begin(call, &out);
    ves_mcp_reply_end(call, &out, VES_MCP_UNCACHED, false);
}

void ves_mcp_subscribe(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    struct ves_bytes uri;
    bool is_there = false;

    if (!legacy_uri(call, &uri))
        return;
    pthread_mutex_lock(&mcp->lock);
    for (struct ves_mcp_subscription *s = mcp->subscriptions; s; s = s->next)
        is_there |=
            s->session == call->session && !s->id && ves_bytes_is(uri, s->uris);
    if (!is_there) {
        /* One URI and the empty one that ends the list. */
        struct ves_buf one;
        ves_buf_init(&one, mcp->alloc, VES_MCP_URI_MAX + 1);
        ves_buf_put_bytes(&one, uri);
        ves_buf_put_u8(&one, 0);
        is_there = !ves_buf_status(&one) && call->session &&
                   add(call, ves_bytes(NULL, 0), ves_buf_view(&one));
        ves_buf_free(&one);
    }
    pthread_mutex_unlock(&mcp->lock);
    if (is_there)
        reply_empty(call);
    else
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "Too many subscriptions", NULL);
}

void ves_mcp_unsubscribe(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    struct ves_bytes uri;

    if (!legacy_uri(call, &uri))
        return;
    pthread_mutex_lock(&mcp->lock);
    struct ves_mcp_subscription **link = &mcp->subscriptions;
    while (*link) {
        struct ves_mcp_subscription *s = *link;
        if (s->session == call->session && !s->id &&
            ves_bytes_is(uri, s->uris)) {
            *link = s->next;
            free_subscription(mcp, s);
        } else {
            link = &s->next;
        }
    }
    pthread_mutex_unlock(&mcp->lock);
    reply_empty(call);
}

void ves_mcp_forget_subscriptions(struct ves_mcp *mcp,
                                  struct ves_mcp_session *session,
                                  struct ves_mcp_sink *sink)
{
    pthread_mutex_lock(&mcp->lock);
    struct ves_mcp_subscription **link = &mcp->subscriptions;
    while (*link) {
        struct ves_mcp_subscription *s = *link;
        if ((session && s->session == session) || (sink && s->sink == sink)) {
            *link = s->next;
            free_subscription(mcp, s);
        } else {
            link = &s->next;
        }
    }
    pthread_mutex_unlock(&mcp->lock);
}

bool ves_mcp_is_watched(struct ves_mcp *mcp)
{
    pthread_mutex_lock(&mcp->lock);
    bool is_watched = mcp->subscriptions != NULL;
    pthread_mutex_unlock(&mcp->lock);
    return is_watched;
}

void ves_mcp_each_watched(struct ves_mcp *mcp, const char *prefix,
                          void (*see)(void *ctx, const char *uri), void *ctx)
{
    size_t len = strlen(prefix);

    pthread_mutex_lock(&mcp->lock);
    for (struct ves_mcp_subscription *s = mcp->subscriptions; s; s = s->next) {
        for (const char *u = s->uris; *u; u += strlen(u) + 1) {
            if (strncmp(u, prefix, len) == 0)
                see(ctx, u);
        }
    }
    pthread_mutex_unlock(&mcp->lock);
}

/* ---- telling ------------------------------------------------------------- */

static bool wants(const struct ves_mcp_subscription *s, const char *uri)
{
    for (const char *u = s->uris; *u; u += strlen(u) + 1) {
        if (strcmp(u, uri) == 0)
            return true;
    }
    return false;
}

void ves_mcp_updated(struct ves_mcp *mcp, const char *uri)
{
    struct ves_buf out;

    ves_buf_init(&out, mcp->alloc, VES_MCP_REPLY_MAX);
    pthread_mutex_lock(&mcp->lock);
    for (struct ves_mcp_subscription *s = mcp->subscriptions; s; s = s->next) {
        struct ves_mcp_sink *sink = s->sink      ? s->sink
                                    : s->session ? s->session->general
                                                 : NULL;
        if (!sink || !wants(s, uri))
            continue;
        ves_buf_reset(&out);
        ves_buf_put_str(&out, "{\"jsonrpc\":\"2.0\",\"method\":"
                              "\"notifications/resources/updated\","
                              "\"params\":{\"uri\":");
        ves_jcs_write_string(&out, ves_bytes_str(uri));
        if (s->id)
            ves_buf_putf(&out,
                         ",\"_meta\":{\"io.modelcontextprotocol/"
                         "subscriptionId\":%s}",
                         s->id);
        ves_buf_put_str(&out, "}}");
        if (!ves_buf_status(&out))
            sink->send(sink, ves_buf_view(&out));
    }
    pthread_mutex_unlock(&mcp->lock);
    ves_buf_free(&out);
}
