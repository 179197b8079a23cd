/* registry.h -- what a server has, and what it says of it.
 *
 * Made once at the start and only read afterwards.  The answers to the lists
 * are ready texts, one for each revision.
 */
#ifndef VES_MCP_REGISTRY_H
#define VES_MCP_REGISTRY_H

#include "base/buf.h"
#include "mcp/message.h"
#include "ves/mcp.h"

/* A parameter that HTTP clients repeat in a header (x-mcp-header). */
struct ves_mcp_param_header {
    struct ves_bytes property;
    char header[64]; /* "Mcp-Param-Region" */
};

enum { VES_MCP_PARAM_HEADERS_MAX = 8 };

struct ves_mcp_tool_entry {
    const struct ves_mcp_tool *tool;
    const struct ves_json *input;  /* schema */
    const struct ves_json *output; /* NULL: none */
    struct ves_mcp_param_header headers[VES_MCP_PARAM_HEADERS_MAX];
    size_t header_count;
};

enum ves_mcp_list {
    VES_MCP_LIST_TOOLS,
    VES_MCP_LIST_RESOURCES,
    VES_MCP_LIST_TEMPLATES,
    VES_MCP_LIST_PROMPTS,
    VES_MCP_LISTS
};

struct ves_mcp_registry {
    const struct ves_mcp_options *options;
    struct ves_arena arena;
    struct ves_mcp_tool_entry *tools;
    size_t tool_count;
    /* "tools":[...] without braces */
    struct ves_buf lists[VES_MCP_LISTS][VES_MCP_REVISIONS];
    struct ves_buf capabilities[VES_MCP_REVISIONS]; /* an object */
    struct ves_buf info[VES_MCP_REVISIONS];         /* an object */
};

/* VES_INVALID names what is wrong with a definition; VES_NOMEM. */
VES_NODISCARD enum ves_status ves_mcp_registry_make(
    struct ves_mcp_registry *registry, const struct ves_alloc *alloc,
    const struct ves_mcp_options *options, struct ves_error *error);
void ves_mcp_registry_free(struct ves_mcp_registry *registry);

/* NULL when there is none of that name. */
const struct ves_mcp_tool_entry *
ves_mcp_find_tool(const struct ves_mcp_registry *registry,
                  struct ves_bytes name);
const struct ves_mcp_prompt *
ves_mcp_find_prompt(const struct ves_mcp_registry *registry,
                    struct ves_bytes name);
/* Of a template *variable is what stands for it, not yet decoded; else empty.
 */
const struct ves_mcp_resource *
ves_mcp_find_resource(const struct ves_mcp_registry *registry,
                      struct ves_bytes uri, struct ves_bytes *variable);
/* The template itself, as completion refers to it. */
const struct ves_mcp_resource *
ves_mcp_find_template(const struct ves_mcp_registry *registry,
                      struct ves_bytes uri_template);

#endif
