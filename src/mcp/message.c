/* message.c -- JSON-RPC 2.0 messages, and what MCP says of their envelope. */
#include "mcp/message.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define META "io.modelcontextprotocol/"

static const char *const revisions[VES_MCP_REVISIONS] = {
    "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"};

const char *ves_mcp_revision_name(enum ves_mcp_revision revision)
{
    return revisions[revision];
}

bool ves_mcp_revision_read(struct ves_bytes name,
                           enum ves_mcp_revision *revision)
{
    for (int i = 0; i < VES_MCP_REVISIONS; i++) {
        if (ves_bytes_is(name, revisions[i])) {
            *revision = (enum ves_mcp_revision)i;
            return true;
        }
    }
    return false;
}

static bool is_string(const struct ves_json *node)
{
    return node && node->type == VES_JSON_STRING;
}

static bool is_object(const struct ves_json *node)
{
    return node && node->type == VES_JSON_OBJECT;
}

/* A string or a whole number, written as one. */
static bool id_is_fit(const struct ves_json *id)
{
    if (id->text.len > VES_MCP_ID_MAX)
        return false;
    if (id->type == VES_JSON_STRING)
        return true;
    if (id->type != VES_JSON_NUMBER)
        return false;
    for (size_t i = 0; i < id->text.len; i++) {
        uint8_t c = id->text.ptr[i];
        if ((c < '0' || c > '9') && !(c == '-' && i == 0))
            return false;
    }
    return true;
}

static void broken(struct ves_mcp_message *out, int code, const char *reason)
{
    out->kind = VES_MCP_BROKEN;
    out->code = code;
    out->reason = reason;
}

static void read_response(struct ves_mcp_message *out,
                          const struct ves_json *result,
                          const struct ves_json *error)
{
    out->kind = VES_MCP_RESPONSE;
    if (!result == !error)
        broken(out, VES_MCP_INVALID_REQUEST,
               "a message has a method, a result or an error");
    else
        out->result = result;
}

static void read_object(const struct ves_json *root,
                        struct ves_mcp_message *out)
{
    const struct ves_json *id = ves_json_member(root, "id");
    const struct ves_json *method = ves_json_member(root, "method");
    const struct ves_json *params = ves_json_member(root, "params");
    const struct ves_json *result = ves_json_member(root, "result");
    const struct ves_json *error = ves_json_member(root, "error");
    const struct ves_json *version = ves_json_member(root, "jsonrpc");
    bool is_notification = !id && method;

    if (id && id_is_fit(id))
        out->id = id->text;
    if (is_string(method))
        out->method = method->string;
    if (is_object(params))
        out->params = params;
    if (is_notification) {
        out->kind = VES_MCP_NOTIFICATION;
        if (!is_string(version) || !ves_bytes_is(version->string, "2.0") ||
            (params && !out->params))
            out->method = ves_bytes_str("");
        return;
    }
    if (id && out->id.len == 0 && !error)
        broken(out, VES_MCP_INVALID_REQUEST,
               "an id is a string or a whole number");
    else if (!is_string(version) || !ves_bytes_is(version->string, "2.0"))
        broken(out, VES_MCP_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
    else if (!method)
        read_response(out, result, error);
    else if (!is_string(method))
        broken(out, VES_MCP_INVALID_REQUEST, "method must be a string");
    else if (params && !out->params)
        broken(out, VES_MCP_INVALID_PARAMS, "params must be an object");
    else
        out->kind = VES_MCP_REQUEST;
}

void ves_mcp_message_of(const struct ves_json *node,
                        struct ves_mcp_message *out)
{
    *out = (struct ves_mcp_message){.root = node};
    if (is_object(node))
        read_object(node, out);
    else if (node->type == VES_JSON_ARRAY)
        out->kind = VES_MCP_BATCH;
    else
        broken(out, VES_MCP_INVALID_REQUEST, "a message is an object");
}

void ves_mcp_message_read(struct ves_arena *arena, struct ves_bytes bytes,
                          struct ves_mcp_message *out)
{
    struct ves_json_where where = {0, "out of memory"};
    const struct ves_json *root;
    enum ves_status status = ves_json_read(arena, bytes, NULL, &root, &where);

    *out = (struct ves_mcp_message){.root = NULL};
    if (status == VES_MALFORMED)
        broken(out, VES_MCP_PARSE_ERROR, where.reason);
    else if (status)
        broken(out, VES_MCP_INTERNAL_ERROR,
               "out of memory, or too many values in one message");
    else
        ves_mcp_message_of(root, out);
}

static const struct ves_json *meta_of(const struct ves_mcp_message *message)
{
    const struct ves_json *meta = ves_json_member(message->params, "_meta");
    return is_object(meta) ? meta : NULL;
}

void ves_mcp_envelope_read(const struct ves_mcp_message *message,
                           struct ves_mcp_envelope *out)
{
    const struct ves_json *meta = meta_of(message);
    const struct ves_json *version =
        ves_json_member(meta, META "protocolVersion");
    const struct ves_json *capabilities =
        ves_json_member(meta, META "clientCapabilities");

    *out = (struct ves_mcp_envelope){.is_there = version || capabilities};
    if (is_string(version))
        out->version = version->string;
    if (is_object(capabilities))
        out->capabilities = capabilities;
    (void)ves_json_get_string(meta, META "logLevel", &out->log_level);
}

struct ves_bytes ves_mcp_progress_token(const struct ves_mcp_message *message)
{
    const struct ves_json *token =
        ves_json_member(meta_of(message), "progressToken");

    if (token && id_is_fit(token))
        return token->text;
    return ves_bytes(NULL, 0);
}
