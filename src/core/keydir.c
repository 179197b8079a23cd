/* keydir.c -- signed key directories, key validity and proof of possession. */
#include "core/keydir.h"

#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "json/jcs.h"

bool ves_key_covers(uint64_t from, uint64_t until, uint64_t sequence)
{
    return sequence >= from && (until == 0 || sequence < until);
}

bool ves_agent_key_covers(const struct ves_agent_key *key, uint64_t sequence)
{
    return ves_key_covers(key->valid_from_sequence, key->revoked_at_sequence,
                          sequence);
}

enum ves_status ves_keydir_hash(struct ves_arena *arena,
                                const struct ves_alloc *alloc,
                                const struct ves_json *directory,
                                struct ves_hash *out)
{
    struct ves_buf buf;

    if (!directory || directory->type != VES_JSON_OBJECT)
        return VES_MALFORMED;
    ves_buf_init(&buf, alloc, VES_BODY_MAX);
    enum ves_status status =
        ves_jcs_write_without(&buf, arena, directory, "directorySignature");
    if (status == VES_OK)
        status = ves_buf_status(&buf);
    if (status == VES_OK) {
        const struct ves_bytes parts[] = {ves_bytes_str("VES_KEYDIR_V1"),
                                          ves_buf_view(&buf)};
        ves_sha256(parts, 2, out);
    }
    ves_buf_free(&buf);
    return status;
}

/* Time of an optional member: 0 when absent or null. */
static bool get_time(const struct ves_json *entry, const char *name,
                     int64_t *out)
{
    const struct ves_json *node = ves_json_member(entry, name);
    *out = 0;
    if (ves_json_is_absent(node))
        return true;
    return node->type == VES_JSON_STRING &&
           node->string.len <= VES_CREATED_AT_MAX &&
           ves_time_parse(node->string, out) == VES_OK;
}

/* Sequence of an optional member: fallback when absent or null. */
static bool get_sequence(const struct ves_json *entry, const char *name,
                         uint64_t fallback, uint64_t *out)
{
    const struct ves_json *node = ves_json_member(entry, name);
    *out = fallback;
    if (ves_json_is_absent(node))
        return true;
    return ves_json_as_u64(node, out) && *out >= 1;
}

/* Short text into a NUL-terminated array; "" when absent or null. */
static bool get_text(const struct ves_json *entry, const char *name, char *out,
                     size_t cap)
{
    const struct ves_json *node = ves_json_member(entry, name);
    out[0] = '\0';
    if (ves_json_is_absent(node))
        return true;
    if (node->type != VES_JSON_STRING || node->string.len >= cap)
        return false;
    if (node->string.len == 0)
        return true;
    if (memchr(node->string.ptr, 0, node->string.len))
        return false;
    memcpy(out, node->string.ptr, node->string.len);
    out[node->string.len] = '\0';
    return true;
}

/* Keys of other algorithms sign nothing that we could verify (A.10 lists
 * their names). */
static bool is_ed25519(const struct ves_json *entry)
{
    struct ves_bytes algorithm;
    return ves_json_get_string(entry, "algorithm", &algorithm) &&
           (ves_bytes_is(algorithm, "ed25519") ||
            ves_bytes_is(algorithm, "unspecified"));
}

static bool get_agent(const struct ves_json *directory,
                      const struct ves_json *entry, struct ves_uuid *out)
{
    const struct ves_json *node = ves_json_member(entry, "agentId");
    if (ves_json_is_absent(node))
        node = ves_json_member(directory, "agentId");
    return node && node->type == VES_JSON_STRING &&
           ves_uuid_parse(node->string, out) == VES_OK;
}

static bool read_entry(const struct ves_json *directory,
                       const struct ves_json *entry, struct ves_agent_key *key)
{
    struct ves_bytes hex;
    uint64_t key_id;

    if (!get_agent(directory, entry, &key->agent) ||
        !ves_json_get_u64(entry, "keyId", &key_id) || key_id > UINT32_MAX ||
        !ves_json_get_string(entry, "publicKey", &hex) ||
        ves_hex_decode(hex, key->public_key.b, VES_KEY_SIZE))
        return false;
    key->key_id = (uint32_t)key_id;
    return get_time(entry, "validFrom", &key->valid_from_ms) &&
           get_time(entry, "validTo", &key->valid_to_ms) &&
           get_time(entry, "revokedAt", &key->revoked_at_ms) &&
           get_sequence(entry, "validFromSequence", 1,
                        &key->valid_from_sequence) &&
           get_sequence(entry, "revokedAtSequence", 0,
                        &key->revoked_at_sequence) &&
           get_text(entry, "algorithm", key->algorithm,
                    sizeof(key->algorithm)) &&
           get_text(entry, "registrar", key->registrar, sizeof(key->registrar));
}

enum ves_status ves_keydir_read(struct ves_arena *arena,
                                const struct ves_json *directory,
                                struct ves_agent_key **keys, size_t *count)
{
    const struct ves_json *list = ves_json_member(directory, "keys");
    size_t n = 0;

    if (!list || list->type != VES_JSON_ARRAY)
        return VES_MALFORMED;
    struct ves_agent_key *entries =
        ves_arena_alloc(arena, list->count * sizeof(*entries));
    if (!entries)
        return VES_NOMEM;
    for (const struct ves_json *e = list->first; e; e = e->next) {
        struct ves_bytes algorithm;
        if (!ves_json_get_string(e, "algorithm", &algorithm))
            return VES_MALFORMED;
        if (!is_ed25519(e))
            continue;
        if (!read_entry(directory, e, &entries[n]))
            return VES_MALFORMED;
        n++;
    }
    *keys = entries;
    *count = n;
    return VES_OK;
}

void ves_pop_hash(const struct ves_public_key *key, struct ves_hash *out)
{
    const struct ves_bytes parts[] = {ves_bytes_str("VES_POP_V1"),
                                      ves_bytes(key->b, VES_KEY_SIZE)};
    ves_sha256(parts, 2, out);
}
