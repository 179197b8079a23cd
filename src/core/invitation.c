/* invitation.c -- one string that lets a new store join a stream. */
#include "core/invitation.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "json/jcs.h"
#include "json/json.h"

#define PREFIX         "ves1."
#define INVITATION_TAG "VES_INVITATION_V1"
#define REDEEM_TAG_1   "VES_REDEEM_V1"
#define REDEEM_TAG_2   "VES_REDEEM_V2"
#define REDEEM_TAG_3   "VES_REDEEM_V3"

enum {
    VERSION = 1,
    PREFIX_LEN = 5,
    JSON_MAX = (VES_INVITATION_MAX - PREFIX_LEN) / 4 * 3,
    URL_MAX = 2048,
    RIGHTS_ALL = 7 /* read, write, admin */
};

void ves_invitation_hash(const struct ves_invitation *invitation,
                         struct ves_hash *out)
{
    uint8_t numbers[12];
    ves_store_u32(numbers, invitation->rights);
    ves_store_u64(numbers + 4, (uint64_t)invitation->expires_ms);
    const struct ves_bytes parts[] = {
        ves_bytes_str(INVITATION_TAG),
        ves_bytes(invitation->stream.tenant.b, VES_UUID_SIZE),
        ves_bytes(invitation->stream.store.b, VES_UUID_SIZE),
        ves_bytes(invitation->invitation_id.b, VES_UUID_SIZE),
        ves_bytes(invitation->public_key.b, VES_KEY_SIZE),
        ves_bytes(numbers, sizeof(numbers)),
    };
    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), out);
}

void ves_redeem_hash(const struct ves_stream *stream,
                     const struct ves_uuid *invitation_id,
                     const struct ves_uuid *agent, uint32_t key_id,
                     const struct ves_public_key *agent_key,
                     const uint8_t *nonce, const struct ves_hash *next,
                     struct ves_hash *out)
{
    const char *tag = nonce ? REDEEM_TAG_2 : REDEEM_TAG_1;
    uint8_t number[4];

    VES_ASSERT(nonce || !next);
    ves_store_u32(number, key_id);
    const struct ves_bytes parts[] = {
        ves_bytes_str(next ? REDEEM_TAG_3 : tag),
        ves_bytes(stream->tenant.b, VES_UUID_SIZE),
        ves_bytes(stream->store.b, VES_UUID_SIZE),
        ves_bytes(invitation_id->b, VES_UUID_SIZE),
        ves_bytes(agent->b, VES_UUID_SIZE),
        ves_bytes(number, sizeof(number)),
        ves_bytes(agent_key->b, VES_KEY_SIZE),
        ves_bytes(nonce, nonce ? VES_REDEEM_NONCE_SIZE : 0),
        ves_bytes(next ? next->b : NULL, next ? VES_HASH_SIZE : 0),
    };
    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), out);
}

/* ---- content ------------------------------------------------------------ */

static bool starts_with(struct ves_bytes text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len > len && memcmp(text.ptr, prefix, len) == 0;
}

/* An address to which paths can be appended; nothing that JSON escapes. */
static bool is_good_url(struct ves_bytes url)
{
    if (url.len > URL_MAX ||
        !(starts_with(url, "http://") || starts_with(url, "https://")))
        return false;
    static const char forbidden[] = {'"', '\\', '<', '>', '?', '#'};
    for (size_t i = 0; i < url.len; i++) {
        uint8_t c = url.ptr[i];
        if (c <= 0x20 || c >= 0x7F || memchr(forbidden, c, sizeof(forbidden)))
            return false;
    }
    return true;
}

/* NULL when the values can stand in an invitation, else what is wrong. */
static const char *find_fault(const struct ves_invitation *invitation)
{
    if (!is_good_url(invitation->url))
        return "url is not an http:// or https:// address without query and "
               "fragment";
    if (ves_uuid_is_nil(&invitation->stream.tenant) ||
        ves_uuid_is_nil(&invitation->stream.store) ||
        ves_uuid_is_nil(&invitation->sequencer_id) ||
        ves_uuid_is_nil(&invitation->invitation_id))
        return "an id is missing or nil";
    if (invitation->sequencer_key_count == 0 ||
        invitation->sequencer_key_count > VES_SEQUENCER_KEYS_MAX)
        return "there are no or too many sequencer keys";
    uint32_t last = 0;
    for (size_t i = 0; i < invitation->sequencer_key_count; i++) {
        const struct ves_sequencer_key *key = &invitation->sequencer_keys[i];
        if (key->version <= last)
            return "versions of sequencer keys do not ascend from 1";
        if (!ves_ed25519_key_is_valid(&key->public_key))
            return "a sequencer key is not a valid Ed25519 key";
        last = key->version;
    }
    if (!ves_ed25519_key_is_valid(&invitation->owner_key))
        return "ownerKey is not a valid Ed25519 key";
    if (invitation->rights == 0 || invitation->rights > RIGHTS_ALL)
        return "rights are not 1 to 7";
    if (invitation->expires_ms <= 0 ||
        invitation->expires_ms > VES_SAFE_INTEGER_MAX)
        return "expires is not a time in milliseconds";
    return NULL;
}

/* ---- writing ------------------------------------------------------------ */

static void put_hex(struct ves_buf *buf, const char *name, const void *data,
                    size_t len)
{
    ves_buf_putf(buf, ",\"%s\":\"", name);
    ves_buf_put_hex(buf, data, len);
    ves_buf_put_u8(buf, '"');
}

static void put_uuid(struct ves_buf *buf, const char *name,
                     const struct ves_uuid *uuid)
{
    ves_buf_putf(buf, ",\"%s\":\"", name);
    ves_buf_put_uuid(buf, uuid);
    ves_buf_put_u8(buf, '"');
}

/* Canonical JSON: the members in this order. */
static void put_json(struct ves_buf *buf,
                     const struct ves_invitation *invitation)
{
    ves_buf_putf(buf, "{\"expires\":%lld", (long long)invitation->expires_ms);
    put_uuid(buf, "invitationId", &invitation->invitation_id);
    put_hex(buf, "ownerKey", invitation->owner_key.b, VES_KEY_SIZE);
    put_hex(buf, "ownerSignature", invitation->owner_signature.b, VES_SIG_SIZE);
    ves_buf_putf(buf, ",\"rights\":%u", (unsigned)invitation->rights);
    put_hex(buf, "secret", invitation->seed, VES_SEED_SIZE);
    put_uuid(buf, "sequencerId", &invitation->sequencer_id);
    ves_buf_put_str(buf, ",\"sequencerKeys\":[");
    for (size_t i = 0; i < invitation->sequencer_key_count; i++) {
        const struct ves_sequencer_key *key = &invitation->sequencer_keys[i];
        ves_buf_put_str(buf, i ? ",{\"publicKey\":\"" : "{\"publicKey\":\"");
        ves_buf_put_hex(buf, key->public_key.b, VES_KEY_SIZE);
        ves_buf_putf(buf, "\",\"version\":%u}", (unsigned)key->version);
    }
    ves_buf_put_u8(buf, ']');
    put_uuid(buf, "store", &invitation->stream.store);
    put_uuid(buf, "tenant", &invitation->stream.tenant);
    if (invitation->has_tls_key)
        put_hex(buf, "tlsKey", invitation->tls_key.b, VES_HASH_SIZE);
    ves_buf_put_str(buf, ",\"url\":");
    ves_jcs_write_string(buf, invitation->url);
    ves_buf_putf(buf, ",\"v\":%d}", VERSION);
}

enum ves_status ves_invitation_write(struct ves_buf *buf,
                                     const struct ves_alloc *alloc,
                                     const struct ves_invitation *invitation)
{
    struct ves_buf json;
    if (find_fault(invitation))
        return VES_INVALID;

    ves_buf_init(&json, alloc, JSON_MAX);
    /* All room at once: growing would leave copies of the secret behind. */
    if (ves_buf_reserve(&json, JSON_MAX))
        put_json(&json, invitation);
    enum ves_status status = ves_buf_status(&json);
    if (!status) {
        size_t len = PREFIX_LEN + ves_b64u_len(json.len);
        uint8_t *out = ves_buf_reserve(buf, len);
        if (out) {
            memcpy(out, PREFIX, PREFIX_LEN);
            ves_b64u_encode(json.ptr, json.len, (char *)out + PREFIX_LEN);
            buf->len += len;
        }
        status = ves_buf_status(buf);
    }
    if (json.ptr)
        ves_wipe(json.ptr, json.cap);
    ves_buf_free(&json);
    return status;
}

/* ---- reading ------------------------------------------------------------ */

static bool get_hex(const struct ves_json *object, const char *name,
                    uint8_t *out, size_t len)
{
    struct ves_bytes text;
    return ves_json_get_string(object, name, &text) &&
           ves_hex_decode(text, out, len) == VES_OK;
}

static bool get_uuid(const struct ves_json *object, const char *name,
                     struct ves_uuid *out)
{
    struct ves_bytes text;
    return ves_json_get_string(object, name, &text) &&
           ves_uuid_parse(text, out) == VES_OK;
}

static bool get_u32(const struct ves_json *object, const char *name,
                    uint32_t *out)
{
    uint64_t value;
    if (!ves_json_get_u64(object, name, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool get_sequencer_keys(const struct ves_json *json,
                               struct ves_invitation *out)
{
    const struct ves_json *keys = ves_json_member(json, "sequencerKeys");
    if (!keys || keys->type != VES_JSON_ARRAY ||
        keys->count > VES_SEQUENCER_KEYS_MAX)
        return false;
    for (const struct ves_json *k = keys->first; k; k = k->next) {
        struct ves_sequencer_key *key =
            &out->sequencer_keys[out->sequencer_key_count++];
        if (!get_u32(k, "version", &key->version) ||
            !get_hex(k, "publicKey", key->public_key.b, VES_KEY_SIZE))
            return false;
    }
    return true;
}

/* NULL when all members could be read, else the name of one that could not.
 * Spelling is left to the comparison with the one normal form. */
static const char *get_members(const struct ves_json *json,
                               struct ves_invitation *out)
{
    uint64_t expires;
    if (!ves_json_get_u64(json, "expires", &expires))
        return "expires";
    out->expires_ms = (int64_t)expires;
    if (!get_uuid(json, "invitationId", &out->invitation_id))
        return "invitationId";
    if (!get_hex(json, "ownerKey", out->owner_key.b, VES_KEY_SIZE))
        return "ownerKey";
    if (!get_hex(json, "ownerSignature", out->owner_signature.b, VES_SIG_SIZE))
        return "ownerSignature";
    if (!get_u32(json, "rights", &out->rights))
        return "rights";
    if (!get_hex(json, "secret", out->seed, VES_SEED_SIZE))
        return "secret";
    if (!get_uuid(json, "sequencerId", &out->sequencer_id))
        return "sequencerId";
    if (!get_sequencer_keys(json, out))
        return "sequencerKeys";
    if (!get_uuid(json, "store", &out->stream.store))
        return "store";
    if (!get_uuid(json, "tenant", &out->stream.tenant))
        return "tenant";
    out->has_tls_key = ves_json_member(json, "tlsKey") != NULL;
    if (out->has_tls_key &&
        !get_hex(json, "tlsKey", out->tls_key.b, VES_HASH_SIZE))
        return "tlsKey";
    if (!ves_json_get_string(json, "url", &out->url))
        return "url";
    return NULL;
}

/* Is text what we would write?  One comparison settles order of members,
 * unknown ones, case, padding and every other freedom of spelling. */
static enum ves_status check_spelling(struct ves_arena *arena,
                                      struct ves_bytes text,
                                      const struct ves_invitation *invitation,
                                      struct ves_error *error)
{
    struct ves_scratch scratch;
    ves_scratch_init(&scratch, arena, VES_INVITATION_MAX, VES_INVITATION_MAX);
    enum ves_status status =
        ves_invitation_write(&scratch.buf, &scratch.alloc, invitation);
    bool is_same = !status && ves_bytes_equal(ves_buf_view(&scratch.buf), text);
    if (scratch.buf.ptr)
        ves_wipe(scratch.buf.ptr, scratch.buf.cap);
    if (status == VES_NOMEM)
        return ves_fail(error, VES_NOMEM, "out of memory");
    if (!is_same)
        return ves_fail(error, VES_MALFORMED,
                        "the invitation is not in the one spelling there is; "
                        "it was altered on its way");
    return VES_OK;
}

static enum ves_status read_json(struct ves_arena *arena,
                                 struct ves_bytes decoded,
                                 struct ves_invitation *out,
                                 struct ves_error *error)
{
    const struct ves_json_options options = {.safe_integers = true};
    const struct ves_json *json;
    uint64_t version;

    /* No value needs an escape, and without escapes all strings are views of
     * the decoded bytes, which are wiped afterwards. */
    if (memchr(decoded.ptr, '\\', decoded.len))
        return ves_fail(error, VES_MALFORMED,
                        "the invitation contains an escape; it was altered on "
                        "its way");
    enum ves_status status =
        ves_json_read(arena, decoded, &options, &json, NULL);
    if (status == VES_NOMEM)
        return ves_fail(error, status, "out of memory");
    if (status || !ves_json_get_u64(json, "v", &version))
        return ves_fail(error, VES_MALFORMED,
                        "the invitation is damaged: there is no readable "
                        "content in it; copy all of it again");
    if (version != VERSION)
        return ves_fail(error, VES_UNSUPPORTED,
                        "the invitation has version %llu, this program reads "
                        "version %d; use a newer program",
                        (unsigned long long)version, VERSION);

    const char *bad_name = get_members(json, out);
    if (bad_name)
        return ves_fail(error, VES_MALFORMED,
                        "the invitation's %s is missing or malformed",
                        bad_name);
    return VES_OK;
}

/* Public key and signature; the values have been read. */
static enum ves_status check_owner(struct ves_invitation *invitation,
                                   struct ves_error *error)
{
    struct ves_hash hash;
    const char *fault = find_fault(invitation);
    if (fault)
        return ves_fail(error, VES_MALFORMED, "the invitation is wrong: %s",
                        fault);
    ves_invitation_hash(invitation, &hash);
    if (!ves_ed25519_verify(&invitation->owner_key,
                            ves_bytes(hash.b, VES_HASH_SIZE),
                            &invitation->owner_signature))
        return ves_fail(error, VES_REFUSED,
                        "the signature of the stream's owner does not verify; "
                        "ask for a new invitation");
    return VES_OK;
}

static void derive_public_key(struct ves_invitation *invitation)
{
    struct ves_secret_key secret;
    ves_ed25519_keypair(invitation->seed, &secret, &invitation->public_key);
    ves_wipe(&secret, sizeof(secret));
}

static enum ves_status check_form(struct ves_bytes text,
                                  struct ves_error *error)
{
    if (text.len > VES_INVITATION_MAX)
        return ves_fail(error, VES_LIMIT,
                        "the invitation has %zu bytes; at most %d are allowed",
                        text.len, VES_INVITATION_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= 0x20)
            return ves_fail(error, VES_MALFORMED,
                            "the invitation contains white space; give it as "
                            "one word");
    }
    if (starts_with(text, PREFIX))
        return VES_OK;
    if (text.len > PREFIX_LEN && memcmp(text.ptr, "ves", 3) == 0 &&
        text.ptr[3] >= '2' && text.ptr[3] <= '9' && text.ptr[4] == '.')
        return ves_fail(error, VES_UNSUPPORTED,
                        "the invitation is of a newer kind than this program "
                        "reads; use a newer program");
    return ves_fail(error, VES_MALFORMED,
                    "this is not an invitation: one begins with " PREFIX);
}

/* Everything but wiping; decoded has room for len bytes. */
static enum ves_status read_decoded(struct ves_arena *arena,
                                    struct ves_bytes text, uint8_t *decoded,
                                    size_t len, struct ves_invitation *out,
                                    struct ves_error *error)
{
    struct ves_bytes body =
        ves_bytes(text.ptr + PREFIX_LEN, text.len - PREFIX_LEN);
    if (ves_b64u_decode(body, decoded, &len) || len == 0)
        return ves_fail(error, VES_MALFORMED,
                        "the invitation is damaged: it is not base64url; copy "
                        "all of it again");
    enum ves_status status =
        read_json(arena, ves_bytes(decoded, len), out, error);
    if (status)
        return status;
    derive_public_key(out);
    status = check_owner(out, error);
    if (!status)
        status = check_spelling(arena, text, out, error);
    if (!status && ves_arena_copy(arena, out->url, &out->url))
        status = ves_fail(error, VES_NOMEM, "out of memory");
    return status;
}

enum ves_status ves_invitation_read(struct ves_arena *arena,
                                    struct ves_bytes text,
                                    struct ves_invitation *out,
                                    struct ves_error *error)
{
    size_t len = VES_INVITATION_MAX; /* more than base64 can hold in that */
    memset(out, 0, sizeof(*out));
    enum ves_status status = check_form(text, error);
    if (status)
        return status;
    uint8_t *decoded = ves_arena_bytes(arena, len);
    if (!decoded)
        return ves_fail(error, VES_NOMEM, "out of memory");

    status = read_decoded(arena, text, decoded, len, out, error);
    ves_wipe(decoded, len);
    if (status)
        ves_wipe(out, sizeof(*out));
    return status;
}
