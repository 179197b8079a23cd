/* lines.h -- bytes in, lines out.
 *
 * Pure.  A line ends with "\n"; one "\r" before it is dropped.  How the bytes
 * are cut when they come in makes no difference.
 */
#ifndef VES_MCP_LINES_H
#define VES_MCP_LINES_H

#include "base/buf.h"

struct ves_mcp_lines {
    struct ves_buf buf;
    size_t start;     /* of the line under way */
    size_t seen;      /* up to here there is no line end */
    size_t line_max;  /* bytes, without the line end */
    bool is_skipping; /* the rest of a line that was too long */
};

enum ves_mcp_line {
    VES_MCP_LINE_NONE,     /* more bytes are needed */
    VES_MCP_LINE_WHOLE,    /* *line is one */
    VES_MCP_LINE_TOO_LONG, /* told once; the rest of it is dropped */
    VES_MCP_LINE_NOMEM     /* what was not yet a line is lost */
};

void ves_mcp_lines_init(struct ves_mcp_lines *lines,
                        const struct ves_alloc *alloc, size_t line_max);
void ves_mcp_lines_free(struct ves_mcp_lines *lines);

/* Takes bytes; *line of an earlier call is gone then. */
void ves_mcp_lines_put(struct ves_mcp_lines *lines, struct ves_bytes bytes);
/* The next line; call it until there is none. */
enum ves_mcp_line ves_mcp_lines_next(struct ves_mcp_lines *lines,
                                     struct ves_bytes *line);
/* No more bytes will come: what is left counts as a line. */
enum ves_mcp_line ves_mcp_lines_end(struct ves_mcp_lines *lines,
                                    struct ves_bytes *line);

#endif
