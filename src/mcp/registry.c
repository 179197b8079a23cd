/* registry.c -- what a server has, and what it says of it. */
#include "mcp/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum { TEXT_MAX = 1024 * 1024, ARENA_MAX = 16 * 1024 * 1024, NAME_MAX = 64 };

/* ---- finding ------------------------------------------------------------- */

const struct ves_mcp_tool_entry *
ves_mcp_find_tool(const struct ves_mcp_registry *registry,
                  struct ves_bytes name)
{
    for (size_t i = 0; i < registry->tool_count; i++) {
        if (ves_bytes_is(name, registry->tools[i].tool->name))
            return &registry->tools[i];
    }
    return NULL;
}

const struct ves_mcp_prompt *
ves_mcp_find_prompt(const struct ves_mcp_registry *registry,
                    struct ves_bytes name)
{
    const struct ves_mcp_prompt *p = registry->options->prompts;
    for (; p && p->name; p++) {
        if (ves_bytes_is(name, p->name))
            return p;
    }
    return NULL;
}

/* Does uri have the shape of "before{variable}after"? */
static bool template_matches(const char *pattern, struct ves_bytes uri,
                             struct ves_bytes *variable)
{
    const char *open = strchr(pattern, '{');
    const char *close = open ? strchr(open, '}') : NULL;

    if (!close)
        return false;
    struct ves_bytes before = ves_bytes(pattern, (size_t)(open - pattern));
    struct ves_bytes after = ves_bytes_str(close + 1);
    if (uri.len <= before.len + after.len ||
        memcmp(uri.ptr, before.ptr, before.len) != 0 ||
        memcmp(uri.ptr + uri.len - after.len, after.ptr, after.len) != 0)
        return false;
    *variable =
        ves_bytes(uri.ptr + before.len, uri.len - before.len - after.len);
    return !memchr(variable->ptr, '/', variable->len);
}

const struct ves_mcp_resource *
ves_mcp_find_resource(const struct ves_mcp_registry *registry,
                      struct ves_bytes uri, struct ves_bytes *variable)
{
    const struct ves_mcp_resource *r = registry->options->resources;

    *variable = ves_bytes(NULL, 0);
    for (; r && r->uri; r++) {
        if (r->is_template ? template_matches(r->uri, uri, variable)
                           : ves_bytes_is(uri, r->uri))
            return r;
    }
    return NULL;
}

const struct ves_mcp_resource *
ves_mcp_find_template(const struct ves_mcp_registry *registry,
                      struct ves_bytes uri_template)
{
    const struct ves_mcp_resource *r = registry->options->resources;
    for (; r && r->uri; r++) {
        if (ves_bytes_is(uri_template, r->uri))
            return r;
    }
    return NULL;
}

/* ---- what is said -------------------------------------------------------- */

static void put_str(struct ves_jw *jw, const char *name, const char *value)
{
    if (!value)
        return;
    ves_jw_key(jw, name);
    ves_jw_str(jw, value);
}

static void put_flag(struct ves_jw *jw, const char *name, bool value)
{
    ves_jw_key(jw, name);
    ves_jw_bool(jw, value);
}

static void put_hints(struct ves_jw *jw, const struct ves_mcp_tool *tool)
{
    if (tool->has_no_hints)
        return;
    ves_jw_key(jw, "annotations");
    ves_jw_object(jw);
    put_str(jw, "title", tool->title);
    put_flag(jw, "readOnlyHint", tool->is_read_only);
    put_flag(jw, "destructiveHint", tool->is_destructive);
    put_flag(jw, "idempotentHint", tool->is_idempotent);
    put_flag(jw, "openWorldHint", tool->is_open_world);
    ves_jw_end(jw);
}

static void put_tool(struct ves_jw *jw, const struct ves_mcp_tool_entry *entry,
                     enum ves_mcp_revision revision)
{
    const struct ves_mcp_tool *tool = entry->tool;

    ves_jw_object(jw);
    put_str(jw, "name", tool->name);
    if (revision >= VES_MCP_2025_06_18)
        put_str(jw, "title", tool->title);
    put_str(jw, "description", tool->description);
    ves_jw_key(jw, "inputSchema");
    ves_jw_raw(jw, entry->input->text);
    if (entry->output && revision >= VES_MCP_2025_06_18) {
        ves_jw_key(jw, "outputSchema");
        ves_jw_raw(jw, entry->output->text);
    }
    if (revision >= VES_MCP_2025_03_26)
        put_hints(jw, tool);
    ves_jw_end(jw);
}

static void put_resource(struct ves_jw *jw, const struct ves_mcp_resource *r,
                         enum ves_mcp_revision revision)
{
    ves_jw_object(jw);
    put_str(jw, r->is_template ? "uriTemplate" : "uri", r->uri);
    put_str(jw, "name", r->name);
    if (revision >= VES_MCP_2025_06_18)
        put_str(jw, "title", r->title);
    put_str(jw, "description", r->description);
    put_str(jw, "mimeType", r->mime_type);
    if (r->priority > 0) {
        ves_jw_key(jw, "annotations");
        ves_jw_object(jw);
        ves_jw_key(jw, "priority");
        ves_jw_double(jw, r->priority);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static void put_prompt(struct ves_jw *jw, const struct ves_mcp_prompt *prompt,
                       enum ves_mcp_revision revision)
{
    const struct ves_mcp_prompt_argument *a = prompt->arguments;

    ves_jw_object(jw);
    put_str(jw, "name", prompt->name);
    if (revision >= VES_MCP_2025_06_18)
        put_str(jw, "title", prompt->title);
    put_str(jw, "description", prompt->description);
    if (a && a->name) {
        ves_jw_key(jw, "arguments");
        ves_jw_array(jw);
        for (; a->name; a++) {
            ves_jw_object(jw);
            put_str(jw, "name", a->name);
            put_str(jw, "description", a->description);
            put_flag(jw, "required", a->is_required);
            ves_jw_end(jw);
        }
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static bool has_subscriptions(const struct ves_mcp_options *options)
{
    const struct ves_mcp_resource *r = options->resources;
    for (; r && r->uri; r++) {
        if (r->is_subscribable)
            return true;
    }
    return false;
}

static void put_empty(struct ves_jw *jw, const char *name)
{
    ves_jw_key(jw, name);
    ves_jw_object(jw);
    ves_jw_end(jw);
}

static void put_capabilities(struct ves_jw *jw,
                             const struct ves_mcp_options *options,
                             enum ves_mcp_revision revision)
{
    ves_jw_object(jw);
    if (options->tools)
        put_empty(jw, "tools");
    if (options->resources) {
        ves_jw_key(jw, "resources");
        ves_jw_object(jw);
        if (has_subscriptions(options))
            put_flag(jw, "subscribe", true);
        ves_jw_end(jw);
    }
    if (options->prompts)
        put_empty(jw, "prompts");
    if (options->complete && revision >= VES_MCP_2025_03_26)
        put_empty(jw, "completions");
    if (options->has_logging)
        put_empty(jw, "logging");
    ves_jw_end(jw);
}

static void put_info(struct ves_jw *jw, const struct ves_mcp_options *options,
                     enum ves_mcp_revision revision)
{
    ves_jw_object(jw);
    put_str(jw, "name", options->name);
    if (revision >= VES_MCP_2025_06_18)
        put_str(jw, "title", options->title);
    put_str(jw, "version", options->version);
    ves_jw_end(jw);
}

static void put_list(struct ves_jw *jw, struct ves_mcp_registry *registry,
                     enum ves_mcp_list list, enum ves_mcp_revision revision)
{
    const struct ves_mcp_options *options = registry->options;

    ves_jw_array(jw);
    if (list == VES_MCP_LIST_TOOLS) {
        for (size_t i = 0; i < registry->tool_count; i++)
            put_tool(jw, &registry->tools[i], revision);
    } else if (list == VES_MCP_LIST_PROMPTS) {
        for (const struct ves_mcp_prompt *p = options->prompts; p && p->name;
             p++)
            put_prompt(jw, p, revision);
    } else {
        for (const struct ves_mcp_resource *r = options->resources; r && r->uri;
             r++) {
            if (r->is_template == (list == VES_MCP_LIST_TEMPLATES))
                put_resource(jw, r, revision);
        }
    }
    ves_jw_end(jw);
}

/* ---- making -------------------------------------------------------------- */

/* A schema without the blanks it was laid out with.  Two strings with nothing
 * between them are one that was written in parts. */
static struct ves_bytes compact(struct ves_arena *arena, const char *text)
{
    size_t len = strlen(text), n = 0;
    uint8_t *out = ves_arena_bytes(arena, len);
    bool in_string = false;

    if (!out)
        return ves_bytes(NULL, 0);
    for (size_t i = 0; i < len; i++) {
        if (in_string && text[i] == '\\' && i + 1 < len)
            out[n++] = (uint8_t)text[i++];
        else if (!in_string && strchr(" \t\r\n", text[i]))
            continue;
        else if (text[i] == '"' && !in_string && n > 0 && out[n - 1] == '"') {
            in_string = true;
            n--;
            continue;
        } else if (text[i] == '"')
            in_string = !in_string;
        out[n++] = (uint8_t)text[i];
    }
    return ves_bytes(out, n);
}

static enum ves_status read_schema(struct ves_mcp_registry *registry,
                                   const char *text, const char *of,
                                   const struct ves_json **out,
                                   struct ves_error *error)
{
    struct ves_json_where where = {0, "out of memory"};
    enum ves_status status = ves_json_read(
        &registry->arena, compact(&registry->arena, text), NULL, out, &where);
    if (!status && (*out)->type != VES_JSON_OBJECT) {
        status = VES_INVALID;
        where.reason = "it is no object";
    }
    if (status)
        return ves_fail(error, VES_INVALID, "the schema of %s: %s at byte %zu",
                        of, where.reason, where.offset);
    return VES_OK;
}

/* Which parameters HTTP clients repeat in headers. */
static void find_headers(struct ves_mcp_tool_entry *entry)
{
    const struct ves_json *properties =
        ves_json_member(entry->input, "properties");

    for (const struct ves_json *p = properties ? properties->first : NULL; p;
         p = p->next) {
        struct ves_bytes name;
        if (!ves_json_get_string(p, "x-mcp-header", &name) ||
            entry->header_count == VES_MCP_PARAM_HEADERS_MAX)
            continue;
        struct ves_mcp_param_header *h = &entry->headers[entry->header_count++];
        h->property = p->key;
        snprintf(h->header, sizeof(h->header), "Mcp-Param-%.*s", (int)name.len,
                 (const char *)name.ptr);
    }
}

static bool name_is_fit(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return len > 0 && len <= NAME_MAX && name[len] == '\0';
}

static enum ves_status make_tools(struct ves_mcp_registry *registry,
                                  struct ves_error *error)
{
    const struct ves_mcp_tool *tools = registry->options->tools;
    size_t n = 0;
    enum ves_status status = VES_OK;

    while (tools && tools[n].name)
        n++;
    registry->tools =
        ves_arena_alloc(&registry->arena, n * sizeof(*registry->tools));
    if (!registry->tools)
        return ves_fail(error, VES_NOMEM, "out of memory");
    for (size_t i = 0; i < n && !status; i++) {
        struct ves_mcp_tool_entry *entry = &registry->tools[i];
        entry->tool = &tools[i];
        if (!name_is_fit(tools[i].name))
            return ves_fail(error, VES_INVALID, "\"%s\" is no name for a tool",
                            tools[i].name);
        status = read_schema(registry, tools[i].input_schema, tools[i].name,
                             &entry->input, error);
        if (!status && tools[i].output_schema)
            status = read_schema(registry, tools[i].output_schema,
                                 tools[i].name, &entry->output, error);
        if (!status)
            find_headers(entry);
    }
    registry->tool_count = n;
    return status;
}

static enum ves_status make_texts(struct ves_mcp_registry *registry,
                                  struct ves_jw *jw)
{
    static const char *const names[VES_MCP_LISTS] = {
        "tools", "resources", "resourceTemplates", "prompts"};
    enum ves_status status = VES_OK;

    for (int r = 0; r < VES_MCP_REVISIONS && !status; r++) {
        enum ves_mcp_revision revision = (enum ves_mcp_revision)r;
        for (int l = 0; l < VES_MCP_LISTS && !status; l++) {
            struct ves_buf *out = &registry->lists[l][r];
            ves_jw_reset(jw);
            put_list(jw, registry, (enum ves_mcp_list)l, revision);
            ves_buf_putf(out, "\"%s\":", names[l]);
            ves_buf_put_bytes(out, ves_jw_view(jw));
            status =
                ves_jw_status(jw) ? ves_jw_status(jw) : ves_buf_status(out);
        }
        ves_jw_reset(jw);
        put_capabilities(jw, registry->options, revision);
        ves_buf_put_bytes(&registry->capabilities[r], ves_jw_view(jw));
        ves_jw_reset(jw);
        put_info(jw, registry->options, revision);
        ves_buf_put_bytes(&registry->info[r], ves_jw_view(jw));
        if (!status)
            status = ves_buf_status(&registry->info[r]);
    }
    return status;
}

enum ves_status ves_mcp_registry_make(struct ves_mcp_registry *registry,
                                      const struct ves_alloc *alloc,
                                      const struct ves_mcp_options *options,
                                      struct ves_error *error)
{
    *registry = (struct ves_mcp_registry){.options = options};
    ves_arena_init(&registry->arena, alloc, ARENA_MAX);
    for (int r = 0; r < VES_MCP_REVISIONS; r++) {
        for (int l = 0; l < VES_MCP_LISTS; l++)
            ves_buf_init(&registry->lists[l][r], alloc, TEXT_MAX);
        ves_buf_init(&registry->capabilities[r], alloc, TEXT_MAX);
        ves_buf_init(&registry->info[r], alloc, TEXT_MAX);
    }
    struct ves_jw *jw = ves_jw_new(alloc, TEXT_MAX);
    if (!jw)
        return ves_fail(error, VES_NOMEM, "out of memory");
    enum ves_status status = make_tools(registry, error);
    if (!status) {
        status = make_texts(registry, jw);
        if (status)
            ves_fail(error, status,
                     "the lists of tools, resources and "
                     "prompts cannot be made");
    }
    ves_jw_free(jw);
    return status;
}

void ves_mcp_registry_free(struct ves_mcp_registry *registry)
{
    for (int r = 0; r < VES_MCP_REVISIONS; r++) {
        for (int l = 0; l < VES_MCP_LISTS; l++)
            ves_buf_free(&registry->lists[l][r]);
        ves_buf_free(&registry->capabilities[r]);
        ves_buf_free(&registry->info[r]);
    }
    ves_arena_free(&registry->arena);
}
