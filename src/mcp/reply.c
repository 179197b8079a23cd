/* reply.c -- answers, as the revision of the request wants them. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "mcp/schema.h"
#include "mcp/server.h"
#include "os/clock.h"
#include "json/jcs.h"

enum { ERROR_MAX = 64 * 1024 };

void ves_mcp_put_error(struct ves_buf *out, struct ves_bytes id, int code,
                       const char *message, const char *data)
{
    ves_buf_put_str(out, "{\"jsonrpc\":\"2.0\",");
    if (id.len) {
        ves_buf_put_str(out, "\"id\":");
        ves_buf_put_bytes(out, id);
        ves_buf_put_str(out, ",");
    }
    ves_buf_putf(out, "\"error\":{\"code\":%d,\"message\":", code);
    ves_jcs_write_string(out, ves_bytes_str(message));
    if (data)
        ves_buf_putf(out, ",\"data\":%s", data);
    ves_buf_put_str(out, "}}");
}

/* Over HTTP errors of the envelope show in the status; errors of what was
 * asked do not. */
static int http_status(const struct ves_mcp_call *call, int code)
{
    switch (code) {
    case VES_MCP_PARSE_ERROR:
    case VES_MCP_INVALID_REQUEST:
    case VES_MCP_HEADER_MISMATCH:
    case VES_MCP_CAPABILITY_MISSING:
    case VES_MCP_UNSUPPORTED_VERSION:
        return 400;
    case VES_MCP_METHOD_NOT_FOUND:
        return ves_mcp_is_modern(call) ? 404 : 200;
    case VES_MCP_INTERNAL_ERROR:
        return ves_mcp_is_modern(call) ? 500 : 200;
    default:
        return 200;
    }
}

void ves_mcp_reply_error_status(struct ves_mcp_call *call, int code,
                                const char *message, const char *data,
                                int status)
{
    struct ves_buf out;

    ves_buf_init(&out, call->mcp->alloc, ERROR_MAX);
    ves_mcp_put_error(&out, call->message.id, code, message, data);
    if (ves_buf_status(&out)) {
        ves_buf_reset(&out);
        ves_mcp_put_error(&out, call->message.id, code, "Error", NULL);
    }
    call->sink->finish(call->sink, ves_buf_view(&out), status);
    ves_buf_free(&out);
}

void ves_mcp_reply_error(struct ves_mcp_call *call, int code,
                         const char *message, const char *data)
{
    ves_mcp_reply_error_status(call, code, message, data,
                               http_status(call, code));
}

void ves_mcp_reply_begin(const struct ves_mcp_call *call, struct ves_buf *out)
{
    ves_buf_init(out, call->mcp->alloc, VES_MCP_REPLY_MAX);
    ves_buf_put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    ves_buf_put_bytes(out, call->message.id);
    ves_buf_put_str(out, ",\"result\":{");
}

void ves_mcp_reply_end(struct ves_mcp_call *call, struct ves_buf *out,
                       int64_t ttl_ms, bool is_public)
{
    if (ves_mcp_is_modern(call)) {
        if (ttl_ms >= 0)
            ves_buf_putf(out, "\"ttlMs\":%lld,\"cacheScope\":\"%s\",",
                         (long long)ttl_ms, is_public ? "public" : "private");
        if (ttl_ms != VES_MCP_BARE)
            ves_buf_put_str(out, "\"resultType\":\"complete\",");
        ves_buf_put_str(out,
                        "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":");
        ves_buf_put_bytes(
            out, ves_buf_view(&call->mcp->registry.info[VES_MCP_2026_07_28]));
        ves_buf_put_str(out, "},");
    }
    /* Every member put a comma behind itself; the last one goes. */
    if (!ves_buf_status(out) && out->ptr[out->len - 1] == ',')
        out->len--;
    ves_buf_put_str(out, "}}");
    if (ves_buf_status(out))
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "the answer is too large", NULL);
    else
        call->sink->finish(call->sink, ves_buf_view(out), 200);
    ves_buf_free(out);
}

/* ---- what a handler made ------------------------------------------------- */

/* Our own results obey our own schemas; tests run with this. */
static bool output_is_right(struct ves_mcp_call *call)
{
    const struct ves_json *root;
    struct ves_mcp_problem problem = {"it is no JSON", ""};

    if (!call->mcp->options.checks_output || !call->tool->output)
        return true;
    if (call->structured &&
        !ves_json_read(&call->arena, ves_jw_view(call->structured), NULL, &root,
                       NULL) &&
        ves_mcp_schema_check(call->tool->output, root, &problem))
        return true;
    ves_mcp_say(call->mcp, "the result of %s is wrong: %s",
                call->tool->tool->name, problem.text);
    return false;
}

static void put_structured(struct ves_mcp_call *call, struct ves_buf *out)
{
    struct ves_bytes json = ves_jw_view(call->structured);

    if (call->revision < VES_MCP_2025_06_18)
        return;
    ves_buf_put_str(out, "\"structuredContent\":");
    ves_buf_put_bytes(out, json);
    ves_buf_put_str(out, ",");
}

/* The blocks of a tool's result: the structured one as text, then the rest. */
static void put_content(struct ves_mcp_call *call, struct ves_buf *out)
{
    ves_buf_put_str(out, "\"content\":[");
    if (call->structured) {
        ves_buf_put_str(out, "{\"type\":\"text\",\"text\":");
        ves_jcs_write_string(out, ves_jw_view(call->structured));
        ves_buf_put_str(out, "}");
    }
    if (call->items) {
        struct ves_bytes items = ves_jw_view(call->items);
        if (call->structured && items.len > 2)
            ves_buf_put_str(out, ",");
        ves_buf_put(out, items.ptr + 1, items.len - 2);
    }
    ves_buf_put_str(out, "],");
}

static void reply_tool(struct ves_mcp_call *call)
{
    struct ves_buf out;
    size_t max = call->mcp->options.result_max;

    if ((call->structured && ves_jw_status(call->structured)) ||
        (call->items && ves_jw_status(call->items)) || !output_is_right(call)) {
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "the tool made a result that is none", NULL);
        return;
    }
    if (max && call->structured && ves_jw_view(call->structured).len > max) {
        ves_mcp_fail(call,
                     "RESULT_TOO_LARGE: the result has %zu characters, more "
                     "than %zu.\nNothing else went wrong.\nNext: ask for less "
                     "of it.",
                     ves_jw_view(call->structured).len, max);
        ves_mcp_reply_failed(call);
        return;
    }
    ves_mcp_reply_begin(call, &out);
    put_content(call, &out);
    if (call->structured)
        put_structured(call, &out);
    ves_mcp_reply_end(call, &out, VES_MCP_UNCACHED, false);
}

static void reply_items(struct ves_mcp_call *call)
{
    struct ves_buf out;
    struct ves_bytes items = ves_jw_view(ves_mcp_items(call));
    const struct ves_mcp_resource *resource = call->resource;

    ves_mcp_reply_begin(call, &out);
    if (call->purpose == VES_MCP_FOR_RESOURCE)
        ves_buf_put_str(&out, "\"contents\":");
    else if (call->purpose == VES_MCP_FOR_PROMPT) {
        if (call->prompt->description) {
            ves_buf_put_str(&out, "\"description\":");
            ves_jcs_write_string(&out,
                                 ves_bytes_str(call->prompt->description));
            ves_buf_put_str(&out, ",");
        }
        ves_buf_put_str(&out, "\"messages\":");
    } else {
        ves_buf_put_str(&out, "\"completion\":{\"values\":");
    }
    ves_buf_put_bytes(&out, items);
    if (call->purpose == VES_MCP_FOR_COMPLETION)
        ves_buf_putf(&out, ",\"total\":%zu,\"hasMore\":%s}", call->offered,
                     call->offered > call->item_count ? "true" : "false");
    ves_buf_put_str(&out, ",");
    if (resource && call->purpose == VES_MCP_FOR_RESOURCE)
        ves_mcp_reply_end(call, &out, resource->ttl_ms, resource->is_public);
    else
        ves_mcp_reply_end(call, &out, VES_MCP_UNCACHED, false);
}

void ves_mcp_reply_done(struct ves_mcp_call *call)
{
    if (call->purpose == VES_MCP_FOR_TOOL) {
        if (call->items)
            ves_jw_end(call->items);
        reply_tool(call);
        return;
    }
    ves_jw_end(ves_mcp_items(call));
    if (ves_jw_status(call->items))
        ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                            "the handler made a result that is none", NULL);
    else
        reply_items(call);
}

void ves_mcp_reply_failed(struct ves_mcp_call *call)
{
    struct ves_buf out;
    char *words = ves_mcp_call_text(call, ves_buf_view(&call->words));

    if (call->code) {
        ves_mcp_reply_error(call, call->code, words, call->data);
        return;
    }
    ves_mcp_reply_begin(call, &out);
    ves_buf_put_str(&out, "\"content\":[{\"type\":\"text\",\"text\":");
    ves_jcs_write_string(&out, ves_bytes_str(words));
    ves_buf_put_str(&out, "}],\"isError\":true,");
    ves_mcp_reply_end(call, &out, VES_MCP_UNCACHED, false);
}

static bool need_seal_key(struct ves_mcp *mcp)
{
    pthread_mutex_lock(&mcp->lock);
    bool has = mcp->has_seal_key;
    pthread_mutex_unlock(&mcp->lock);
    if (has || !mcp->options.seal_key)
        return has;
    uint8_t key[VES_MCP_SEAL_KEY];
    if (!mcp->options.seal_key(mcp->options.ctx, key))
        return false;
    pthread_mutex_lock(&mcp->lock);
    memcpy(mcp->seal_key, key, sizeof(key));
    mcp->has_seal_key = true;
    pthread_mutex_unlock(&mcp->lock);
    return true;
}

bool ves_mcp_open_state(struct ves_mcp_call *call, struct ves_bytes sealed)
{
    return need_seal_key(call->mcp) &&
           ves_mcp_unseal(call->mcp->seal_key, &call->belongs_to,
                          ves_clock_now_ms(), sealed, &call->arena,
                          &call->state) == VES_OK;
}

void ves_mcp_reply_ask(struct ves_mcp_call *call)
{
    struct ves_buf out;

    ves_mcp_reply_begin(call, &out);
    if (call->questions) {
        ves_buf_put_str(&out, "\"inputRequests\":{");
        for (struct ves_mcp_question *q = call->questions; q; q = q->next) {
            ves_jcs_write_string(&out, q->key);
            ves_buf_putf(&out, ":{\"method\":\"%s\",\"params\":", q->method);
            ves_buf_put_bytes(&out, q->params);
            ves_buf_put_str(&out, q->next ? "}," : "}");
        }
        ves_buf_put_str(&out, "},");
    }
    if (call->kept.len) {
        if (!need_seal_key(call->mcp)) {
            ves_buf_free(&out);
            ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR,
                                "there is no key to seal a question with",
                                NULL);
            return;
        }
        ves_buf_put_str(&out, "\"requestState\":\"");
        ves_mcp_seal(call->mcp->seal_key, &call->belongs_to,
                     ves_clock_now_ms() + VES_MCP_STATE_MS,
                     ves_buf_view(&call->kept), &out);
        ves_buf_put_str(&out, "\",");
    }
    ves_buf_put_str(&out, "\"resultType\":\"input_required\",");
    ves_mcp_reply_end(call, &out, VES_MCP_BARE, false);
}
