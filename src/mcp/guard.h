/* guard.h -- what HTTP headers may say.
 *
 * Pure.  Host and Origin keep web pages of others away from a server on
 * loopback (DNS rebinding); the Mcp headers repeat what the body says, and a
 * request whose two voices differ is refused.
 */
#ifndef VES_MCP_GUARD_H
#define VES_MCP_GUARD_H

#include "base/arena.h"
#include "mcp/message.h"
#include "json/json.h"

/* Is it "localhost", "127.0.0.1" or "[::1]", with any port or none? */
bool ves_mcp_host_is_local(const char *host);
/* An origin on loopback, or one of the list (separated by commas; NULL). */
bool ves_mcp_origin_is_allowed(const char *origin, const char *list);
/* application/json, with any parameters. */
bool ves_mcp_type_is_json(const char *content_type);

/* A header's value without blanks around it, "=?base64?...?=" undone.  False:
 * absent, or not printable ASCII. */
bool ves_mcp_header_value(struct ves_arena *arena, const char *header,
                          struct ves_bytes *out);
/* Does a header say the same as a member of the body?  An absent one goes
 * with an absent or null member; numbers are compared as numbers. */
bool ves_mcp_header_agrees(struct ves_arena *arena, const char *header,
                           const struct ves_json *value);

struct ves_mcp_headers {
    const char *version; /* MCP-Protocol-Version; NULL when absent */
    const char *method;  /* Mcp-Method */
    const char *name;    /* Mcp-Name */
};
/* Of a request of revision 2026-07-28: what the headers lack or contradict, a
 * sentence; NULL when they are right. */
const char *ves_mcp_headers_wrong(struct ves_arena *arena,
                                  const struct ves_mcp_headers *headers,
                                  const struct ves_mcp_message *message,
                                  const struct ves_mcp_envelope *envelope);

#endif
