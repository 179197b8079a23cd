/* message.h -- JSON-RPC 2.0 messages, and what MCP says of their envelope.
 *
 * Pure: reads any bytes.  Ids keep the very bytes they were written with.
 * Names of members that appear twice are refused, like everything the strict
 * reader of json/json.h refuses.
 */
#ifndef VES_MCP_MESSAGE_H
#define VES_MCP_MESSAGE_H

#include "base/arena.h"
#include "json/json.h"

enum ves_mcp_revision {
    VES_MCP_2024_11_05,
    VES_MCP_2025_03_26,
    VES_MCP_2025_06_18,
    VES_MCP_2025_11_25, /* the last one with a handshake */
    VES_MCP_2026_07_28,
    VES_MCP_REVISIONS
};
#define VES_MCP_LEGACY_LATEST VES_MCP_2025_11_25

/* "2025-11-25" ... */
const char *ves_mcp_revision_name(enum ves_mcp_revision revision);
/* False when it is none of them. */
bool ves_mcp_revision_read(struct ves_bytes name,
                           enum ves_mcp_revision *revision);

enum ves_mcp_code {
    VES_MCP_PARSE_ERROR = -32700,
    VES_MCP_INVALID_REQUEST = -32600,
    VES_MCP_METHOD_NOT_FOUND = -32601,
    VES_MCP_INVALID_PARAMS = -32602,
    VES_MCP_INTERNAL_ERROR = -32603,
    VES_MCP_RESOURCE_NOT_FOUND = -32002, /* legacy revisions only */
    VES_MCP_HEADER_MISMATCH = -32020,
    VES_MCP_CAPABILITY_MISSING = -32021,
    VES_MCP_UNSUPPORTED_VERSION = -32022
};

enum ves_mcp_kind {
    VES_MCP_REQUEST,
    VES_MCP_NOTIFICATION, /* method may be "" when it is malformed */
    VES_MCP_RESPONSE,
    VES_MCP_BATCH, /* root is an array; its items are messages */
    VES_MCP_BROKEN /* code and reason; id when it could be read */
};

struct ves_mcp_message {
    enum ves_mcp_kind kind;
    struct ves_bytes id;           /* as written; empty: none */
    struct ves_bytes method;       /* unescaped */
    const struct ves_json *root;   /* NULL when it is no JSON */
    const struct ves_json *params; /* an object, or NULL */
    const struct ves_json *result; /* of a response; NULL: it is an error */
    int code;
    const char *reason; /* static */
};

enum { VES_MCP_ID_MAX = 1024 }; /* bytes of an id; longer ones are broken */

/* Reads a line.  out points into arena and bytes. */
void ves_mcp_message_read(struct ves_arena *arena, struct ves_bytes bytes,
                          struct ves_mcp_message *out);
/* Reads an item of a batch. */
void ves_mcp_message_of(const struct ves_json *node,
                        struct ves_mcp_message *out);

/* What a request of revision 2026-07-28 says about itself in params._meta. */
struct ves_mcp_envelope {
    bool is_there; /* _meta names a protocol version, or means to */
    struct ves_bytes version;
    const struct ves_json *capabilities; /* NULL: missing or no object */
    struct ves_bytes log_level;
};
void ves_mcp_envelope_read(const struct ves_mcp_message *message,
                           struct ves_mcp_envelope *out);

/* The progressToken of _meta as written; empty: none. */
struct ves_bytes ves_mcp_progress_token(const struct ves_mcp_message *message);

#endif
