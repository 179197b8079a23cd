/* seal.h -- what a client carries for us between a question and its answer.
 *
 * Pure: key and time are arguments.  "v1." base64url(body) "." base64url(MAC),
 * MAC = HMAC-SHA256(key, everything before the last dot), body = expiry in
 * ms (8 bytes) || SHA-256 of what it belongs to || what was kept.
 */
#ifndef VES_MCP_SEAL_H
#define VES_MCP_SEAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "ves/ves.h"

enum { VES_MCP_SEAL_KEY = 32, VES_MCP_KEPT_MAX = 4096 };

/* HMAC, RFC 2104, with SHA-256 and a key of at most 64 bytes. */
void ves_mcp_hmac(struct ves_bytes key, struct ves_bytes text,
                  struct ves_hash *out);

/* Appends the sealed text of kept. */
void ves_mcp_seal(const uint8_t key[VES_MCP_SEAL_KEY],
                  const struct ves_hash *belongs_to, int64_t expires_ms,
                  struct ves_bytes kept, struct ves_buf *out);

/* Opens a sealed text.  VES_REFUSED: not ours, of another request, or too
 * old; VES_NOMEM.  *kept is in the arena. */
VES_NODISCARD enum ves_status
ves_mcp_unseal(const uint8_t key[VES_MCP_SEAL_KEY],
               const struct ves_hash *belongs_to, int64_t now_ms,
               struct ves_bytes sealed, struct ves_arena *arena,
               struct ves_bytes *kept);

#endif
