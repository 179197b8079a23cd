/* guard.c -- what HTTP headers may say. */
#include "mcp/guard.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/text.h"

/* Length of the local name host begins with; 0: none. */
static size_t local_name(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncasecmp(host, names[i], strlen(names[i])) == 0)
            return strlen(names[i]);
    }
    return 0;
}

bool ves_mcp_host_is_local(const char *host)
{
    size_t len = local_name(host);

    if (len == 0)
        return false;
    const char *rest = host + len;
    return !*rest || (*rest == ':' && rest[1] &&
                      strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

bool ves_mcp_origin_is_allowed(const char *origin, const char *list)
{
    size_t len = strlen(origin);

    if ((strncmp(origin, "http://", 7) == 0 &&
         ves_mcp_host_is_local(origin + 7)) ||
        (strncmp(origin, "https://", 8) == 0 &&
         ves_mcp_host_is_local(origin + 8)))
        return true;
    for (const char *at = list; at && *at;) {
        size_t n = strcspn(at, ",");
        if (n == len && strncmp(at, origin, n) == 0)
            return true;
        at += n;
        at += *at == ',';
    }
    return false;
}

bool ves_mcp_type_is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;

    if (!content_type || strncasecmp(content_type, json, len) != 0)
        return false;
    return !content_type[len] || strchr("; \t", content_type[len]);
}

static bool decode_base64(struct ves_arena *arena, struct ves_bytes text,
                          struct ves_bytes *out)
{
    uint8_t *data = ves_arena_bytes(arena, text.len);
    size_t n = text.len;

    if (!data || ves_b64_decode(text, data, &n) ||
        !ves_utf8_valid(ves_bytes(data, n), NULL))
        return false;
    *out = ves_bytes(data, n);
    return true;
}

bool ves_mcp_header_value(struct ves_arena *arena, const char *header,
                          struct ves_bytes *out)
{
    static const char begin[] = "=?base64?", end[] = "?=";
    size_t head = sizeof(begin) - 1, tail = sizeof(end) - 1;

    if (!header)
        return false;
    struct ves_bytes v = ves_bytes_str(header);
    while (v.len && (*v.ptr == ' ' || *v.ptr == '\t'))
        v = ves_bytes(v.ptr + 1, v.len - 1);
    while (v.len && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    for (size_t i = 0; i < v.len; i++) {
        if ((v.ptr[i] < 0x20 && v.ptr[i] != '\t') || v.ptr[i] > 0x7e)
            return false;
    }
    *out = v;
    if (v.len >= head + tail && memcmp(v.ptr, begin, head) == 0 &&
        memcmp(v.ptr + v.len - tail, end, tail) == 0)
        return decode_base64(arena,
                             ves_bytes(v.ptr + head, v.len - head - tail), out);
    return true;
}

bool ves_mcp_header_agrees(struct ves_arena *arena, const char *header,
                           const struct ves_json *value)
{
    struct ves_bytes text;
    const struct ves_json *number;

    if (ves_json_is_absent(value))
        return !header;
    if (!ves_mcp_header_value(arena, header, &text))
        return false;
    switch (value->type) {
    case VES_JSON_STRING:
        return ves_bytes_equal(text, value->string);
    case VES_JSON_TRUE:
    case VES_JSON_FALSE:
        return ves_bytes_equal(text, value->text);
    case VES_JSON_NUMBER:
        return !ves_json_read(arena, text, NULL, &number, NULL) &&
               number->type == VES_JSON_NUMBER && ves_json_equal(number, value);
    default:
        return false;
    }
}

/* Which member of params the Mcp-Name header repeats; NULL: none. */
static const char *named_by(struct ves_bytes method)
{
    if (ves_bytes_is(method, "tools/call") ||
        ves_bytes_is(method, "prompts/get"))
        return "name";
    if (ves_bytes_is(method, "resources/read"))
        return "uri";
    return NULL;
}

const char *ves_mcp_headers_wrong(struct ves_arena *arena,
                                  const struct ves_mcp_headers *headers,
                                  const struct ves_mcp_message *message,
                                  const struct ves_mcp_envelope *envelope)
{
    struct ves_bytes value;
    const char *member = named_by(message->method);

    if (!ves_mcp_header_value(arena, headers->version, &value))
        return "the header MCP-Protocol-Version is missing or malformed";
    if (envelope->version.len && !ves_bytes_equal(value, envelope->version))
        return "the header MCP-Protocol-Version and _meta disagree";
    if (message->kind != VES_MCP_REQUEST)
        return NULL;
    if (!ves_mcp_header_value(arena, headers->method, &value))
        return "the header Mcp-Method is missing or malformed";
    if (!ves_bytes_equal(value, message->method))
        return "the header Mcp-Method and the body disagree";
    const struct ves_json *named =
        member ? ves_json_member(message->params, member) : NULL;
    if (!named || named->type != VES_JSON_STRING)
        return NULL;
    if (!ves_mcp_header_value(arena, headers->name, &value))
        return "the header Mcp-Name is missing or malformed";
    return ves_bytes_equal(value, named->string)
               ? NULL
               : "the header Mcp-Name and the body disagree";
}
