/* dispatch.c -- which method, in which revision, answered by whom. */
#include <string.h>

#include "base/bytes.h"
#include "mcp/server.h"
#include "json/jcs.h"

enum { ERA_LEGACY = 1, ERA_MODERN = 2, ERA_BOTH = 3 };

static void answer_empty(struct ves_mcp_call *call)
{
    struct ves_buf out;

    ves_mcp_reply_begin(call, &out);
    ves_mcp_reply_end(call, &out, VES_MCP_UNCACHED, false);
}

/* ---- handshakes ---------------------------------------------------------- */

static unsigned abilities_of(const struct ves_json *capabilities,
                             enum ves_mcp_revision revision)
{
    const struct ves_json *form = ves_json_member(capabilities, "elicitation");
    unsigned abilities = 0;

    /* {} means forms; {url} alone does not. */
    if (form && form->type == VES_JSON_OBJECT &&
        revision >= VES_MCP_2025_06_18 &&
        (form->count == 0 || ves_json_member(form, "form")))
        abilities |= VES_MCP_FORM;
    if (ves_json_member(capabilities, "sampling"))
        abilities |= VES_MCP_SAMPLING;
    if (ves_json_member(capabilities, "roots"))
        abilities |= VES_MCP_ROOTS;
    return abilities;
}

static void put_instructions(const struct ves_mcp_call *call,
                             struct ves_buf *out)
{
    const char *text = call->mcp->options.instructions;

    if (!text)
        return;
    ves_buf_put_str(out, "\"instructions\":");
    ves_jcs_write_string(out, ves_bytes_str(text));
    ves_buf_put_str(out, ",");
}

/* A version we do not speak is answered with the newest that has a handshake;
 * whether that will do is the client's decision. */
static void initialize(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    struct ves_mcp_session *session = call->session;
    enum ves_mcp_revision revision = VES_MCP_LEGACY_LATEST, asked;
    struct ves_bytes version;
    struct ves_buf out;

    if (!ves_json_get_string(call->message.params, "protocolVersion",
                             &version)) {
        ves_mcp_reply_error(call, VES_MCP_INVALID_PARAMS,
                            "protocolVersion is missing", NULL);
        return;
    }
    if (ves_mcp_revision_read(version, &asked) && asked < VES_MCP_2026_07_28)
        revision = asked;
    unsigned abilities = abilities_of(
        ves_json_member(call->message.params, "capabilities"), revision);
    pthread_mutex_lock(&mcp->lock);
    if (session) {
        session->revision = revision;
        session->abilities = abilities;
        session->is_initialized = true;
    }
    pthread_mutex_unlock(&mcp->lock);
    call->revision = revision;
    ves_mcp_reply_begin(call, &out);
    ves_buf_putf(&out, "\"protocolVersion\":\"%s\",\"capabilities\":",
                 ves_mcp_revision_name(revision));
    ves_buf_put_bytes(&out,
                      ves_buf_view(&mcp->registry.capabilities[revision]));
    ves_buf_put_str(&out, ",\"serverInfo\":");
    ves_buf_put_bytes(&out, ves_buf_view(&mcp->registry.info[revision]));
    ves_buf_put_str(&out, ",");
    put_instructions(call, &out);
    ves_mcp_reply_end(call, &out, VES_MCP_UNCACHED, false);
}

static void discover(struct ves_mcp_call *call)
{
    struct ves_buf out;

    ves_mcp_reply_begin(call, &out);
    ves_buf_putf(&out, "\"supportedVersions\":[\"%s\"],\"capabilities\":",
                 ves_mcp_revision_name(VES_MCP_2026_07_28));
    ves_buf_put_bytes(
        &out,
        ves_buf_view(&call->mcp->registry.capabilities[VES_MCP_2026_07_28]));
    ves_buf_put_str(&out, ",");
    put_instructions(call, &out);
    ves_mcp_reply_end(call, &out, 3600000, true);
}

/* ---- lists --------------------------------------------------------------- */

static void reply_list(struct ves_mcp_call *call, enum ves_mcp_list list)
{
    struct ves_buf out;

    /* Every list is one page, so that no cursor is one of ours. */
    if (!ves_json_is_absent(ves_json_member(call->message.params, "cursor"))) {
        ves_mcp_reply_error(call, VES_MCP_INVALID_PARAMS,
                            "this cursor is not from this server", NULL);
        return;
    }
    ves_mcp_reply_begin(call, &out);
    ves_buf_put_bytes(
        &out, ves_buf_view(&call->mcp->registry.lists[list][call->revision]));
    ves_buf_put_str(&out, ",");
    ves_mcp_reply_end(call, &out, 3600000, true);
}

static void list_tools(struct ves_mcp_call *call)
{
    reply_list(call, VES_MCP_LIST_TOOLS);
}

static void list_resources(struct ves_mcp_call *call)
{
    reply_list(call, VES_MCP_LIST_RESOURCES);
}

static void list_templates(struct ves_mcp_call *call)
{
    reply_list(call, VES_MCP_LIST_TEMPLATES);
}

static void list_prompts(struct ves_mcp_call *call)
{
    reply_list(call, VES_MCP_LIST_PROMPTS);
}

static void set_level(struct ves_mcp_call *call)
{
    struct ves_bytes name = {0};
    int level;

    (void)ves_json_get_string(call->message.params, "level", &name);
    level = ves_mcp_level(name);
    if (level < 0) {
        ves_mcp_reply_error(call, VES_MCP_INVALID_PARAMS,
                            "there is no such level", NULL);
        return;
    }
    pthread_mutex_lock(&call->mcp->lock);
    if (call->session)
        call->session->log_level = level;
    pthread_mutex_unlock(&call->mcp->lock);
    answer_empty(call);
}

/* ---- methods ------------------------------------------------------------- */

struct method {
    const char *name;
    unsigned eras;
    enum ves_mcp_purpose purpose;              /* NONE: answered at once */
    void (*answer)(struct ves_mcp_call *call); /* of those, or LISTENING */
    size_t needs; /* offset in the options of what it is about; 0: nothing */
};

#define OF(member) offsetof(struct ves_mcp_options, member)
static const struct method methods[] = {
    {"initialize", ERA_LEGACY, VES_MCP_FOR_NONE, initialize, 0},
    {"ping", ERA_LEGACY, VES_MCP_FOR_NONE, answer_empty, 0},
    {"server/discover", ERA_MODERN, VES_MCP_FOR_NONE, discover, 0},
    {"tools/list", ERA_BOTH, VES_MCP_FOR_NONE, list_tools, OF(tools)},
    {"tools/call", ERA_BOTH, VES_MCP_FOR_TOOL, NULL, OF(tools)},
    {"resources/list", ERA_BOTH, VES_MCP_FOR_NONE, list_resources,
     OF(resources)},
    {"resources/templates/list", ERA_BOTH, VES_MCP_FOR_NONE, list_templates,
     OF(resources)},
    {"resources/read", ERA_BOTH, VES_MCP_FOR_RESOURCE, NULL, OF(resources)},
    {"resources/subscribe", ERA_LEGACY, VES_MCP_FOR_LISTENING,
     ves_mcp_subscribe, OF(resources)},
    {"resources/unsubscribe", ERA_LEGACY, VES_MCP_FOR_LISTENING,
     ves_mcp_unsubscribe, OF(resources)},
    {"prompts/list", ERA_BOTH, VES_MCP_FOR_NONE, list_prompts, OF(prompts)},
    {"prompts/get", ERA_BOTH, VES_MCP_FOR_PROMPT, NULL, OF(prompts)},
    {"completion/complete", ERA_BOTH, VES_MCP_FOR_COMPLETION, NULL,
     OF(complete)},
    {"subscriptions/listen", ERA_MODERN, VES_MCP_FOR_LISTENING, ves_mcp_listen,
     0},
    {"logging/setLevel", ERA_LEGACY, VES_MCP_FOR_NONE, set_level,
     OF(has_logging)},
};

static bool has(const struct ves_mcp_options *options, size_t offset)
{
    const void *member;

    if (offset == OF(has_logging))
        return options->has_logging;
    memcpy(&member, (const char *)options + offset, sizeof(member));
    return offset == 0 || member;
}

static const struct method *find_method(const struct ves_mcp_call *call)
{
    unsigned era = ves_mcp_is_modern(call) ? ERA_MODERN : ERA_LEGACY;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if ((methods[i].eras & era) &&
            ves_bytes_is(call->message.method, methods[i].name) &&
            has(&call->mcp->options, methods[i].needs))
            return &methods[i];
    }
    return NULL;
}

enum ves_mcp_purpose ves_mcp_purpose_of(const struct ves_mcp_message *message)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (message->kind == VES_MCP_REQUEST &&
            ves_bytes_is(message->method, methods[i].name))
            return methods[i].purpose;
    }
    return VES_MCP_FOR_NONE;
}

/* ---- envelopes ----------------------------------------------------------- */

static bool unsupported(struct ves_mcp_call *call, struct ves_bytes version)
{
    struct ves_buf data;

    ves_buf_init(&data, call->mcp->alloc, VES_MCP_REPLY_MAX);
    ves_buf_putf(&data, "{\"supported\":[\"%s\"],\"requested\":",
                 ves_mcp_revision_name(VES_MCP_2026_07_28));
    ves_jcs_write_string(&data, version);
    ves_buf_put_str(&data, "}");
    ves_buf_put_u8(&data, 0);
    ves_mcp_reply_error(call, VES_MCP_UNSUPPORTED_VERSION,
                        "Unsupported protocol version",
                        ves_buf_status(&data) ? NULL : (const char *)data.ptr);
    ves_buf_free(&data);
    return false;
}

/* A request that says what it is, of revision 2026-07-28. */
static bool take_modern(struct ves_mcp_call *call,
                        const struct ves_mcp_envelope *envelope)
{
    enum ves_mcp_revision revision;

    call->revision = VES_MCP_2026_07_28;
    if (envelope->version.len &&
        (!ves_mcp_revision_read(envelope->version, &revision) ||
         revision != VES_MCP_2026_07_28))
        return unsupported(call, envelope->version);
    if (!envelope->version.len || !envelope->capabilities) {
        ves_mcp_reply_error_status(
            call, VES_MCP_INVALID_PARAMS,
            envelope->version.len
                ? "_meta lacks io.modelcontextprotocol/clientCapabilities"
                : "_meta lacks io.modelcontextprotocol/protocolVersion",
            NULL, 400);
        return false;
    }
    call->abilities = abilities_of(envelope->capabilities, VES_MCP_2026_07_28);
    call->log_level = ves_mcp_level(envelope->log_level);
    return true;
}

static void take_legacy(struct ves_mcp_call *call,
                        const struct ves_mcp_inlet *inlet)
{
    struct ves_mcp_session *session = call->session;

    call->revision = inlet->assumed;
    if (!session)
        return;
    pthread_mutex_lock(&call->mcp->lock);
    if (session->is_initialized) {
        call->revision = session->revision;
        call->abilities = session->abilities;
    }
    /* Until a client says how loud, it gets everything (2025-11-25). */
    call->log_level = session->log_level < 0 ? 7 : session->log_level;
    pthread_mutex_unlock(&call->mcp->lock);
}

/* Methods only revision 2026-07-28 has: a request for one that lacks _meta is
 * told so, and not that there is no such method. */
static bool is_modern_method(struct ves_bytes method)
{
    return ves_bytes_is(method, "server/discover") ||
           ves_bytes_is(method, "subscriptions/listen");
}

/* Counts the call in; false: its id is in use, or its session, one of several
 * that share the server, has enough under way. */
static bool register_call(struct ves_mcp_call *call)
{
    struct ves_mcp *mcp = call->mcp;
    struct ves_mcp_session *session = call->session;
    bool is_taken = false, is_full = false;
    size_t count = 0;

    pthread_mutex_lock(&mcp->lock);
    mcp->in_flight++;
    for (struct ves_mcp_call *c = session ? session->calls : NULL; c;
         c = c->next_in_session, count++)
        is_taken |= ves_bytes_equal(c->message.id, call->message.id);
    is_full = session && session->id[0] && count >= VES_MCP_SESSION_CALLS_MAX;
    if (session && !is_taken && !is_full) {
        call->next_in_session = session->calls;
        session->calls = call;
    }
    pthread_mutex_unlock(&mcp->lock);
    if (is_taken)
        ves_mcp_reply_error(call, VES_MCP_INVALID_REQUEST,
                            "a request with this id is under way", NULL);
    else if (is_full)
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "too many requests of this session are under way; "
                            "wait for an answer to one of them",
                            NULL);
    return !is_taken && !is_full;
}

static void take_request(struct ves_mcp_call *call,
                         const struct ves_mcp_inlet *inlet)
{
    struct ves_mcp_envelope envelope;

    ves_mcp_envelope_read(&call->message, &envelope);
    if (envelope.is_there || inlet->is_modern ||
        (!inlet->is_http && is_modern_method(call->message.method))) {
        if (!take_modern(call, &envelope)) {
            ves_mcp_call_free(call);
            return;
        }
    } else {
        take_legacy(call, inlet);
    }
    call->progress_token = ves_mcp_progress_token(&call->message);
    const struct method *method = find_method(call);
    if (!method) {
        ves_mcp_reply_error(call, VES_MCP_METHOD_NOT_FOUND, "Method not found",
                            NULL);
        ves_mcp_call_free(call);
        return;
    }
    if (method->purpose == VES_MCP_FOR_NONE) {
        method->answer(call);
        ves_mcp_call_free(call);
        return;
    }
    atomic_store(&call->mcp->is_used, true);
    call->purpose = method->purpose;
    call->listen = method->answer;
    if (!register_call(call) || !ves_mcp_aim(call, inlet))
        ves_mcp_call_end(call);
    else
        ves_mcp_enqueue(call);
}

/* ---- batches ------------------------------------------------------------- */

/* Gathers the answers of a batch; the last one sends them. */
struct batch {
    struct ves_mcp_sink sink;
    struct ves_mcp *mcp;
    struct ves_mcp_sink *outer;
    pthread_mutex_t lock;
    struct ves_buf out;
    size_t left;
};

static void batch_send(struct ves_mcp_sink *sink, struct ves_bytes message)
{
    struct batch *batch = (struct batch *)sink;
    batch->outer->send(batch->outer, message);
}

static void batch_finish(struct ves_mcp_sink *sink, struct ves_bytes message,
                         int status)
{
    struct batch *batch = (struct batch *)sink;

    (void)status;
    pthread_mutex_lock(&batch->lock);
    if (message.len) {
        ves_buf_put_str(&batch->out, batch->out.len ? "," : "[");
        ves_buf_put_bytes(&batch->out, message);
    }
    bool is_last = --batch->left == 0;
    pthread_mutex_unlock(&batch->lock);
    if (!is_last)
        return;
    if (batch->out.len)
        ves_buf_put_str(&batch->out, "]");
    if (ves_buf_status(&batch->out)) {
        ves_buf_reset(&batch->out);
        ves_mcp_put_error(
            &batch->out, ves_bytes(NULL, 0), VES_MCP_INTERNAL_ERROR,
            "the answers of this batch are too large together", NULL);
    }
    batch->outer->finish(batch->outer, ves_buf_view(&batch->out),
                         batch->out.len ? 200 : 202);
}

static void batch_destroy(struct ves_mcp_sink *sink)
{
    struct batch *batch = (struct batch *)sink;
    const struct ves_alloc *alloc = batch->mcp->alloc;

    ves_mcp_sink_drop(batch->outer);
    ves_buf_free(&batch->out);
    pthread_mutex_destroy(&batch->lock);
    alloc->realloc(alloc->ctx, batch, 0);
}

static struct batch *batch_new(struct ves_mcp_call *call)
{
    const struct ves_alloc *alloc = call->mcp->alloc;
    struct batch *batch = alloc->realloc(alloc->ctx, NULL, sizeof(*batch));

    if (!batch)
        return NULL;
    memset(batch, 0, sizeof(*batch));
    ves_mcp_sink_init(&batch->sink);
    batch->sink.send = batch_send;
    batch->sink.finish = batch_finish;
    batch->sink.destroy = batch_destroy;
    batch->mcp = call->mcp;
    batch->outer = ves_mcp_sink_keep(call->sink);
    pthread_mutex_init(&batch->lock, NULL);
    ves_buf_init(&batch->out, alloc, VES_MCP_REPLY_MAX);
    batch->left = call->message.root->count;
    return batch;
}

/* Only revision 2025-03-26 knows batches (2024-11-05 says nothing of them). */
static bool knows_batches(const struct ves_mcp_call *call)
{
    struct ves_mcp_session *session = call->session;
    bool knows = false;

    if (!session)
        return false;
    pthread_mutex_lock(&call->mcp->lock);
    knows = session->is_initialized && session->revision == VES_MCP_2025_03_26;
    pthread_mutex_unlock(&call->mcp->lock);
    return knows;
}

static void take_batch(struct ves_mcp_call *call,
                       const struct ves_mcp_inlet *inlet)
{
    struct batch *batch = NULL;
    struct ves_mcp_inlet inner = *inlet;

    if (!knows_batches(call) || call->message.root->count == 0) {
        ves_mcp_reply_error(call, VES_MCP_INVALID_REQUEST,
                            "one message at a time, please", NULL);
        return;
    }
    batch = batch_new(call);
    if (!batch) {
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR, "out of memory",
                            NULL);
        return;
    }
    inner.sink = &batch->sink;
    for (const struct ves_json *item = call->message.root->first; item;
         item = item->next) {
        struct ves_mcp_call *one = ves_mcp_call_new(call->mcp, item->text);
        if (!one)
            batch_finish(&batch->sink, ves_bytes(NULL, 0), 200);
        else if (item->type == VES_JSON_ARRAY) {
            one->sink = ves_mcp_sink_keep(&batch->sink);
            ves_mcp_reply_error(one, VES_MCP_INVALID_REQUEST,
                                "a batch holds no batches", NULL);
            ves_mcp_call_free(one);
        } else {
            ves_mcp_take(one, &inner);
        }
    }
    ves_mcp_sink_drop(&batch->sink);
}

/* ---- everything ---------------------------------------------------------- */

static void take_notification(struct ves_mcp_call *call)
{
    if (call->session &&
        ves_bytes_is(call->message.method, "notifications/cancelled"))
        ves_mcp_cancel(call->session, &call->message);
    call->sink->finish(call->sink, ves_bytes(NULL, 0), 202);
}

void ves_mcp_take(struct ves_mcp_call *call, const struct ves_mcp_inlet *inlet)
{
    call->sink = ves_mcp_sink_keep(inlet->sink);
    call->session = ves_mcp_session_keep(inlet->session);
    switch (call->message.kind) {
    case VES_MCP_REQUEST:
        take_request(call, inlet);
        return;
    case VES_MCP_NOTIFICATION:
        take_notification(call);
        break;
    case VES_MCP_RESPONSE:
        if (call->session)
            ves_mcp_answered(call->session, &call->message);
        call->sink->finish(call->sink, ves_bytes(NULL, 0), 202);
        break;
    case VES_MCP_BATCH:
        take_batch(call, inlet);
        break;
    case VES_MCP_BROKEN:
        ves_mcp_reply_error(call, call->message.code, call->message.reason,
                            NULL);
        break;
    }
    ves_mcp_call_free(call);
}
