/* lines.c -- bytes in, lines out. */
#include "mcp/lines.h"

#include <string.h>

#include "base/bytes.h"

/* Room for what one read may add to a line that is nearly too long. */
enum { SLACK = 1024 * 1024 };

void ves_mcp_lines_init(struct ves_mcp_lines *lines,
                        const struct ves_alloc *alloc, size_t line_max)
{
    *lines = (struct ves_mcp_lines){.line_max = line_max};
    ves_buf_init(&lines->buf, alloc, line_max + SLACK);
}

void ves_mcp_lines_free(struct ves_mcp_lines *lines)
{
    ves_buf_free(&lines->buf);
}

static void forget_taken(struct ves_mcp_lines *lines)
{
    struct ves_buf *buf = &lines->buf;
    if (lines->start == 0)
        return;
    if (buf->len > lines->start)
        memmove(buf->ptr, buf->ptr + lines->start, buf->len - lines->start);
    buf->len -= lines->start;
    lines->seen -= lines->start;
    lines->start = 0;
}

void ves_mcp_lines_put(struct ves_mcp_lines *lines, struct ves_bytes bytes)
{
    if (lines->is_skipping) {
        const uint8_t *end =
            bytes.len ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
        if (!end)
            return;
        lines->is_skipping = false;
        bytes = ves_bytes(end + 1, bytes.len - (size_t)(end + 1 - bytes.ptr));
    }
    forget_taken(lines);
    ves_buf_put_bytes(&lines->buf, bytes);
}

static struct ves_bytes without_return(struct ves_bytes line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Drops the rest of the buffer, which is one unfinished line. */
static enum ves_mcp_line give_up(struct ves_mcp_lines *lines,
                                 enum ves_mcp_line why)
{
    ves_buf_reset(&lines->buf);
    lines->start = lines->seen = 0;
    lines->is_skipping = true;
    return why;
}

enum ves_mcp_line ves_mcp_lines_next(struct ves_mcp_lines *lines,
                                     struct ves_bytes *line)
{
    struct ves_buf *buf = &lines->buf;
    if (ves_buf_status(buf))
        return give_up(lines, ves_buf_status(buf) == VES_LIMIT
                                  ? VES_MCP_LINE_TOO_LONG
                                  : VES_MCP_LINE_NOMEM);
    const uint8_t *end =
        buf->len > lines->seen
            ? memchr(buf->ptr + lines->seen, '\n', buf->len - lines->seen)
            : NULL;
    if (!end) {
        lines->seen = buf->len;
        return buf->len - lines->start > lines->line_max
                   ? give_up(lines, VES_MCP_LINE_TOO_LONG)
                   : VES_MCP_LINE_NONE;
    }
    struct ves_bytes found = ves_bytes(
        buf->ptr + lines->start, (size_t)(end - (buf->ptr + lines->start)));
    lines->start = lines->seen = (size_t)(end + 1 - buf->ptr);
    if (found.len > lines->line_max)
        return VES_MCP_LINE_TOO_LONG;
    *line = without_return(found);
    return VES_MCP_LINE_WHOLE;
}

enum ves_mcp_line ves_mcp_lines_end(struct ves_mcp_lines *lines,
                                    struct ves_bytes *line)
{
    struct ves_buf *buf = &lines->buf;
    if (buf->len == lines->start)
        return VES_MCP_LINE_NONE;
    *line = without_return(
        ves_bytes(buf->ptr + lines->start, buf->len - lines->start));
    lines->start = lines->seen = buf->len;
    return VES_MCP_LINE_WHOLE;
}
