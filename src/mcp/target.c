/* target.c -- what a request for work is about, and what it brings. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "mcp/guard.h"
#include "mcp/schema.h"
#include "mcp/server.h"
#include "json/jcs.h"

enum { CANONICAL_MAX = 16 * 1024 * 1024 };

static bool refuse(struct ves_mcp_call *call, const char *message)
{
    ves_mcp_reply_error(call, VES_MCP_INVALID_PARAMS, message, NULL);
    return false;
}

static bool no_memory(struct ves_mcp_call *call)
{
    ves_mcp_reply_error(call, VES_MCP_INTERNAL_ERROR, "out of memory", NULL);
    return false;
}

static bool find_arguments(struct ves_mcp_call *call,
                           const struct ves_json **arguments)
{
    *arguments = ves_json_member(call->message.params, "arguments");
    if (*arguments && (*arguments)->type != VES_JSON_OBJECT)
        return refuse(call, "arguments must be an object");
    return true;
}

/* The arguments as the handler reads them; {} when there are none. */
static bool take_arguments(struct ves_mcp_call *call,
                           const struct ves_json *arguments)
{
    call->arguments = ves_jr_new(
        call->mcp->alloc, arguments ? arguments->text : ves_bytes_str("{}"));
    return call->arguments ? true : no_memory(call);
}

/* ---- questions and answers ----------------------------------------------- */

/* Binds a state to method, target and arguments, however they are written. */
static bool bind_state(struct ves_mcp_call *call,
                       const struct ves_json *arguments)
{
    struct ves_buf canonical;
    enum ves_status status = VES_OK;

    ves_buf_init(&canonical, call->mcp->alloc, CANONICAL_MAX);
    if (arguments)
        status = ves_jcs_write(&canonical, &call->arena, arguments);
    if (!status)
        status = ves_buf_status(&canonical);
    const struct ves_bytes parts[] = {
        call->message.method, ves_bytes("", 1), ves_bytes_str(call->target),
        ves_bytes("", 1), ves_buf_view(&canonical)};
    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), &call->belongs_to);
    ves_buf_free(&canonical);
    return status ? no_memory(call) : true;
}

static bool take_answers(struct ves_mcp_call *call,
                         const struct ves_json *arguments)
{
    const struct ves_json *params = call->message.params;
    const struct ves_json *state = ves_json_member(params, "requestState");
    const struct ves_json *answers = ves_json_member(params, "inputResponses");

    if (!ves_mcp_is_modern(call))
        return true;
    if (!bind_state(call, arguments))
        return false;
    if (state && (state->type != VES_JSON_STRING ||
                  !ves_mcp_open_state(call, state->string)))
        return refuse(call, "requestState is not what this server gave for "
                            "this request, or it is too old; send the request "
                            "again without it");
    if (answers && answers->type != VES_JSON_OBJECT)
        return refuse(call, "inputResponses must be an object");
    for (const struct ves_json *a = answers ? answers->first : NULL; a;
         a = a->next) {
        if (a->type == VES_JSON_OBJECT)
            ves_mcp_call_give(call, a->key, a->text);
    }
    return true;
}

/* ---- tools --------------------------------------------------------------- */

static void explain_arguments(struct ves_mcp_call *call,
                              const struct ves_mcp_problem *problem)
{
    const char *name = call->tool->tool->name;
    size_t len = strlen(problem->text);
    const char *stop = len && problem->text[len - 1] == '?' ? "" : ".";

    if (problem->next[0])
        ves_mcp_fail(
            call, "INVALID_ARGUMENT: %s%s\nNothing was changed.\nNext: %s %s",
            problem->text, stop, name, problem->next);
    else
        ves_mcp_fail(call,
                     "INVALID_ARGUMENT: %s%s\nNothing was changed.\nNext: call "
                     "%s again with that corrected.",
                     problem->text, stop, name);
    ves_mcp_reply_failed(call);
}

/* HTTP clients repeat some parameters in headers; they must agree. */
static bool headers_agree(struct ves_mcp_call *call,
                          const struct ves_json *arguments,
                          const struct ves_mcp_inlet *inlet)
{
    for (size_t i = 0; inlet->header && i < call->tool->header_count; i++) {
        const struct ves_mcp_param_header *h = &call->tool->headers[i];
        const struct ves_json *value =
            ves_json_member_bytes(arguments, h->property);
        const char *header = inlet->header(inlet->header_ctx, h->header);
        if (ves_mcp_header_agrees(&call->arena, header, value))
            continue;
        ves_mcp_reply_error(call, VES_MCP_HEADER_MISMATCH,
                            "a Mcp-Param header and the body disagree", NULL);
        return false;
    }
    return true;
}

static bool aim_tool(struct ves_mcp_call *call,
                     const struct ves_mcp_inlet *inlet)
{
    const struct ves_json *arguments;
    struct ves_mcp_problem problem;
    struct ves_bytes name;
    static const struct ves_json nothing = {.type = VES_JSON_OBJECT};

    if (!ves_json_get_string(call->message.params, "name", &name))
        return refuse(call, "name of the tool is missing");
    call->tool = ves_mcp_find_tool(&call->mcp->registry, name);
    if (!call->tool)
        return refuse(call, "there is no tool of that name");
    call->target = ves_mcp_call_text(call, name);
    if (!find_arguments(call, &arguments) ||
        (ves_mcp_is_modern(call) && !headers_agree(call, arguments, inlet)))
        return false;
    if (!ves_mcp_schema_check(call->tool->input,
                              arguments ? arguments : &nothing, &problem)) {
        explain_arguments(call, &problem);
        return false;
    }
    return take_arguments(call, arguments) && take_answers(call, arguments);
}

/* ---- resources ----------------------------------------------------------- */

/* Undoes %xx; what is broken stays as it is. */
static char *decoded(struct ves_mcp_call *call, struct ves_bytes text)
{
    char *out = ves_mcp_call_text(call, text);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte;
        if (text.ptr[i] == '%' && text.len - i > 2 &&
            !ves_hex_decode(ves_bytes(text.ptr + i + 1, 2), &byte, 1) && byte) {
            out[n++] = (char)byte;
            i += 2;
        } else {
            out[n++] = (char)text.ptr[i];
        }
    }
    out[n] = '\0';
    return out;
}

static bool aim_resource(struct ves_mcp_call *call)
{
    struct ves_bytes uri, variable;

    if (!ves_json_get_string(call->message.params, "uri", &uri) ||
        uri.len > VES_MCP_URI_MAX)
        return refuse(call, "uri is missing or too long");
    call->target = ves_mcp_call_text(call, uri);
    call->resource =
        ves_mcp_find_resource(&call->mcp->registry, uri, &variable);
    if (!call->resource) {
        ves_mcp_no_resource(call);
        ves_mcp_reply_failed(call);
        return false;
    }
    call->variable = decoded(call, variable);
    return take_answers(call, NULL);
}

/* ---- prompts ------------------------------------------------------------- */

static bool aim_prompt(struct ves_mcp_call *call)
{
    const struct ves_json *arguments;
    struct ves_bytes name;
    char words[128];

    if (!ves_json_get_string(call->message.params, "name", &name))
        return refuse(call, "name of the prompt is missing");
    call->prompt = ves_mcp_find_prompt(&call->mcp->registry, name);
    if (!call->prompt)
        return refuse(call, "there is no prompt of that name");
    call->target = ves_mcp_call_text(call, name);
    if (!find_arguments(call, &arguments) || !take_arguments(call, arguments))
        return false;
    for (const struct ves_mcp_prompt_argument *a = call->prompt->arguments;
         a && a->name; a++) {
        const struct ves_json *value = ves_json_member(arguments, a->name);
        if (value ? value->type == VES_JSON_STRING : !a->is_required)
            continue;
        snprintf(words, sizeof(words), "argument %s %s", a->name,
                 value ? "must be a string" : "is missing");
        return refuse(call, words);
    }
    return take_answers(call, arguments);
}

/* ---- completion ---------------------------------------------------------- */

static bool find_reference(struct ves_mcp_call *call)
{
    const struct ves_json *ref = ves_json_member(call->message.params, "ref");
    struct ves_bytes type, name;

    if (!ves_json_get_string(ref, "type", &type))
        return refuse(call, "ref is missing");
    if (ves_bytes_is(type, "ref/prompt")) {
        if (ves_json_get_string(ref, "name", &name))
            call->prompt = ves_mcp_find_prompt(&call->mcp->registry, name);
        if (!call->prompt)
            return refuse(call, "there is no prompt of that name");
    } else if (ves_bytes_is(type, "ref/resource")) {
        if (ves_json_get_string(ref, "uri", &name))
            call->resource = ves_mcp_find_template(&call->mcp->registry, name);
        if (!call->resource)
            return refuse(call, "there is no such resource template");
    } else {
        return refuse(call, "ref must be ref/prompt or ref/resource");
    }
    call->target = ves_mcp_call_text(call, name);
    return true;
}

static bool aim_completion(struct ves_mcp_call *call)
{
    const struct ves_json *argument =
        ves_json_member(call->message.params, "argument");
    struct ves_bytes name, value;

    if (!find_reference(call))
        return false;
    if (!ves_json_get_string(argument, "name", &name) ||
        !ves_json_get_string(argument, "value", &value))
        return refuse(call, "argument needs a name and a value");
    call->argument = ves_mcp_call_text(call, name);
    call->typed = ves_mcp_call_text(call, value);
    return true;
}

bool ves_mcp_aim(struct ves_mcp_call *call, const struct ves_mcp_inlet *inlet)
{
    switch (call->purpose) {
    case VES_MCP_FOR_TOOL:
        return aim_tool(call, inlet);
    case VES_MCP_FOR_RESOURCE:
        return aim_resource(call);
    case VES_MCP_FOR_PROMPT:
        return aim_prompt(call);
    case VES_MCP_FOR_LISTENING:
        return true;
    default:
        return aim_completion(call);
    }
}
