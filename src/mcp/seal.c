/* seal.c -- what a client carries for us between a question and its answer. */
#include "mcp/seal.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/text.h"
#include "crypto/crypto.h"

enum { BLOCK = 64, HEAD = 8 + VES_HASH_SIZE };
static const char prefix[] = "v1.";
enum { PREFIX = sizeof(prefix) - 1 };

void ves_mcp_hmac(struct ves_bytes key, struct ves_bytes text,
                  struct ves_hash *out)
{
    uint8_t inner[BLOCK], outer[BLOCK];
    struct ves_hash hash;

    VES_ASSERT(key.len <= BLOCK);
    memset(inner, 0x36, sizeof(inner));
    memset(outer, 0x5c, sizeof(outer));
    for (size_t i = 0; i < key.len; i++) {
        inner[i] ^= key.ptr[i];
        outer[i] ^= key.ptr[i];
    }
    struct ves_bytes first[] = {ves_bytes(inner, BLOCK), text};
    ves_sha256(first, 2, &hash);
    struct ves_bytes second[] = {ves_bytes(outer, BLOCK),
                                 ves_bytes(hash.b, VES_HASH_SIZE)};
    ves_sha256(second, 2, out);
    ves_wipe(inner, sizeof(inner));
    ves_wipe(outer, sizeof(outer));
}

static void put_b64u(struct ves_buf *out, const uint8_t *data, size_t len)
{
    size_t n = ves_b64u_len(len);
    uint8_t *to = ves_buf_reserve(out, n);
    if (!to)
        return;
    ves_b64u_encode(data, len, (char *)to);
    out->len += n;
}

void ves_mcp_seal(const uint8_t key[VES_MCP_SEAL_KEY],
                  const struct ves_hash *belongs_to, int64_t expires_ms,
                  struct ves_bytes kept, struct ves_buf *out)
{
    uint8_t body[HEAD + VES_MCP_KEPT_MAX];
    struct ves_hash mac;
    size_t start = out->len;

    VES_ASSERT(kept.len <= VES_MCP_KEPT_MAX);
    ves_store_u64(body, (uint64_t)expires_ms);
    memcpy(body + 8, belongs_to->b, VES_HASH_SIZE);
    if (kept.len)
        memcpy(body + HEAD, kept.ptr, kept.len);
    ves_buf_put_str(out, prefix);
    put_b64u(out, body, HEAD + kept.len);
    if (ves_buf_status(out))
        return;
    ves_mcp_hmac(ves_bytes(key, VES_MCP_SEAL_KEY),
                 ves_bytes(out->ptr + start, out->len - start), &mac);
    ves_buf_put_u8(out, '.');
    put_b64u(out, mac.b, VES_HASH_SIZE);
}

enum ves_status ves_mcp_unseal(const uint8_t key[VES_MCP_SEAL_KEY],
                               const struct ves_hash *belongs_to,
                               int64_t now_ms, struct ves_bytes sealed,
                               struct ves_arena *arena, struct ves_bytes *kept)
{
    struct ves_hash mac, claimed;
    size_t len = sizeof(claimed.b);
    const uint8_t *dot =
        sealed.len > PREFIX ? memrchr(sealed.ptr, '.', sealed.len) : NULL;

    if (!dot || memcmp(sealed.ptr, prefix, PREFIX) != 0 ||
        dot < sealed.ptr + PREFIX)
        return VES_REFUSED;
    struct ves_bytes signed_part =
        ves_bytes(sealed.ptr, (size_t)(dot - sealed.ptr));
    if (ves_b64u_decode(ves_bytes(dot + 1, sealed.len - signed_part.len - 1),
                        claimed.b, &len) ||
        len != VES_HASH_SIZE)
        return VES_REFUSED;
    ves_mcp_hmac(ves_bytes(key, VES_MCP_SEAL_KEY), signed_part, &mac);
    if (!ves_equal_ct(mac.b, claimed.b, VES_HASH_SIZE))
        return VES_REFUSED;
    size_t room = signed_part.len;
    uint8_t *body = ves_arena_bytes(arena, room);
    if (!body)
        return VES_NOMEM;
    if (ves_b64u_decode(
            ves_bytes(signed_part.ptr + PREFIX, signed_part.len - PREFIX), body,
            &room) ||
        room < HEAD || memcmp(body + 8, belongs_to->b, VES_HASH_SIZE) != 0 ||
        (int64_t)ves_load_u64(body) < now_ms)
        return VES_REFUSED;
    *kept = ves_bytes(body + HEAD, room - HEAD);
    return VES_OK;
}
