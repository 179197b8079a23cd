/* sealed.c -- others' encrypted payloads: structure and cipher hash. */
#include "core/sealed.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/text.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "json/jcs.h"

enum {
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    ENC_SIZE = 32,
    WRAP_RUST = 48, /* HPKE: key and tag */
    WRAP_JS = 60    /* nonce, key and tag */
};

struct recipient {
    uint32_t kid;
    size_t at; /* as sent */
    uint8_t enc[ENC_SIZE];
    uint8_t wrap[WRAP_JS];
    const struct ves_json *node;
};

struct sealed {
    uint8_t nonce[NONCE_SIZE];
    uint8_t tag[TAG_SIZE];
    struct ves_bytes ciphertext;
    struct recipient *recipients;
    size_t count;
    size_t wrap_size; /* WRAP_RUST or WRAP_JS, the same for all */
    bool is_logged;
};

static enum ves_status refuse(struct ves_refusal *refusal, const char *field,
                              const char *rule)
{
    return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, field, "%s %s",
                      field, rule);
}

void ves_sealed_aad(const struct ves_event *event, bool with_version,
                    struct ves_hash *out)
{
    uint8_t version[4], key_id[4], len[4][4];
    const struct ves_bytes texts[] = {event->entity_type, event->entity_id,
                                      event->event_type, event->created_at};
    struct ves_bytes parts[16];
    size_t n = 0;

    ves_store_u32(version, event->ves_version);
    ves_store_u32(key_id, event->agent_key_id);
    parts[n++] = ves_bytes_str("VES_PAYLOAD_AAD_V1");
    if (with_version)
        parts[n++] = ves_bytes(version, 4);
    parts[n++] = ves_bytes(event->stream.tenant.b, VES_UUID_SIZE);
    parts[n++] = ves_bytes(event->stream.store.b, VES_UUID_SIZE);
    parts[n++] = ves_bytes(event->event_id.b, VES_UUID_SIZE);
    parts[n++] = ves_bytes(event->agent.b, VES_UUID_SIZE);
    parts[n++] = ves_bytes(key_id, 4);
    for (size_t i = 0; i < 4; i++) {
        VES_ASSERT(texts[i].len <= UINT32_MAX);
        ves_store_u32(len[i], (uint32_t)texts[i].len);
        parts[n++] = ves_bytes(len[i], 4);
        parts[n++] = texts[i];
    }
    parts[n++] = ves_bytes(event->payload_plain_hash.b, VES_HASH_SIZE);
    ves_sha256(parts, n, out);
}

/* Is the member one of the names, which end with NULL? */
static bool is_one_of(const struct ves_json *object, const char *member,
                      const char *const *names)
{
    struct ves_bytes text;
    if (!ves_json_get_string(object, member, &text))
        return false;
    while (*names && !ves_bytes_is(text, *names))
        names++;
    return *names != NULL;
}

static enum ves_status check_algorithms(const struct ves_json *object,
                                        struct ves_refusal *refusal)
{
    static const char *const aead[] = {"AES-256-GCM", NULL};
    static const char *const modes[] = {"base", "hybrid-base", "pqc-base",
                                        NULL};
    static const char *const kems[] = {"X25519-HKDF-SHA256", "x25519+mlkem768",
                                       "mlkem768", NULL};
    static const char *const kdfs[] = {"HKDF-SHA256", NULL};
    const struct ves_json *hpke = ves_json_member(object, "hpke");
    uint64_t version;

    if (!ves_json_get_u64(object, "enc_version", &version) || version < 1 ||
        version > 3)
        return refuse(refusal, "payload_encrypted.enc_version",
                      "must be 1, 2 or 3");
    if (!is_one_of(object, "aead", aead))
        return refuse(refusal, "payload_encrypted.aead", "must be AES-256-GCM");
    if (!hpke || hpke->type != VES_JSON_OBJECT)
        return refuse(refusal, "payload_encrypted.hpke", "must be an object");
    if (!is_one_of(hpke, "mode", modes))
        return refuse(refusal, "payload_encrypted.hpke.mode",
                      "must be base, hybrid-base or pqc-base");
    if (!is_one_of(hpke, "kem", kems))
        return refuse(refusal, "payload_encrypted.hpke.kem",
                      "must be X25519-HKDF-SHA256, x25519+mlkem768 or "
                      "mlkem768");
    if (!is_one_of(hpke, "kdf", kdfs))
        return refuse(refusal, "payload_encrypted.hpke.kdf",
                      "must be HKDF-SHA256");
    if (!is_one_of(hpke, "aead", aead))
        return refuse(refusal, "payload_encrypted.hpke.aead",
                      "must be AES-256-GCM");
    return VES_OK;
}

/* base64url text of a member into at most cap bytes. */
static bool get_b64u(const struct ves_json *object, const char *name,
                     uint8_t *out, size_t cap, size_t *len)
{
    struct ves_bytes text;
    *len = cap;
    return ves_json_get_string(object, name, &text) &&
           ves_b64u_decode(text, out, len) == VES_OK;
}

static enum ves_status read_ciphertext(struct ves_arena *arena,
                                       const struct ves_json *object,
                                       struct sealed *sealed,
                                       struct ves_refusal *refusal)
{
    struct ves_bytes text;
    size_t len;

    if (!get_b64u(object, "nonce_b64u", sealed->nonce, NONCE_SIZE, &len) ||
        len != NONCE_SIZE)
        return refuse(refusal, "payload_encrypted.nonce_b64u",
                      "must be 12 bytes of base64url");
    if (!get_b64u(object, "tag_b64u", sealed->tag, TAG_SIZE, &len) ||
        len != TAG_SIZE)
        return refuse(refusal, "payload_encrypted.tag_b64u",
                      "must be 16 bytes of base64url");

    if (!ves_json_get_string(object, "ciphertext_b64u", &text) || !text.len)
        return refuse(refusal, "payload_encrypted.ciphertext_b64u",
                      "must be base64url and not empty");
    uint8_t *bytes = ves_arena_bytes(arena, text.len);
    if (!bytes)
        return VES_NOMEM;
    if (!get_b64u(object, "ciphertext_b64u", bytes, text.len, &len) || !len)
        return refuse(refusal, "payload_encrypted.ciphertext_b64u",
                      "must be base64url and not empty");
    sealed->ciphertext = ves_bytes(bytes, len);
    return VES_OK;
}

static enum ves_status read_recipient(const struct ves_json *node,
                                      struct sealed *sealed,
                                      struct ves_refusal *refusal)
{
    struct recipient *recipient = &sealed->recipients[sealed->count];
    uint64_t kid;
    size_t len;

    if (!ves_json_get_u64(node, "recipient_kid", &kid) || kid > UINT32_MAX)
        return refuse(refusal, "payload_encrypted.recipients.recipient_kid",
                      "must be an integer from 0 to 4294967295");
    if (!get_b64u(node, "enc_b64u", recipient->enc, ENC_SIZE, &len) ||
        len != ENC_SIZE)
        return refuse(refusal, "payload_encrypted.recipients.enc_b64u",
                      "must be 32 bytes of base64url");
    if (!get_b64u(node, "ct_b64u", recipient->wrap, WRAP_JS, &len) ||
        (len != WRAP_RUST && len != WRAP_JS) ||
        (sealed->count > 0 && len != sealed->wrap_size))
        return refuse(refusal, "payload_encrypted.recipients.ct_b64u",
                      "must be 48 bytes of base64url, or 60 in all of them");
    recipient->kid = (uint32_t)kid;
    recipient->node = node;
    recipient->at = sealed->count;
    sealed->wrap_size = len;
    sealed->count++;
    return VES_OK;
}

/* By key, and as sent where two have the same. */
static bool is_before(const struct recipient *a, const struct recipient *b)
{
    return a->kid != b->kid ? a->kid < b->kid : a->at < b->at;
}

/* The one at `top` sinks until none below it comes later. */
static void sink(struct recipient *list, size_t top, size_t count)
{
    struct recipient moving = list[top];

    for (size_t child; (child = 2 * top + 1) < count; top = child) {
        if (child + 1 < count && is_before(&list[child], &list[child + 1]))
            child++;
        if (!is_before(&moving, &list[child]))
            break;
        list[top] = list[child];
    }
    list[top] = moving;
}

/* A log may hold thousands of them. */
static void sort(struct recipient *list, size_t count)
{
    for (size_t top = count / 2; top > 0; top--)
        sink(list, top - 1, count);
    for (size_t end = count; end > 1; end--) {
        struct recipient last = list[0];
        list[0] = list[end - 1];
        list[end - 1] = last;
        sink(list, 0, end - 1);
    }
}

/* The Rust layout wants ascending keys on the wire; the JS layout sorts them
 * itself, so there any order will do.  Two of one key are hashed as sent. */
static enum ves_status sort_recipients(struct sealed *sealed,
                                       struct ves_refusal *refusal)
{
    struct recipient *list = sealed->recipients;

    sort(list, sealed->count);
    for (size_t i = 0; i < sealed->count; i++) {
        bool is_again = i > 0 && list[i - 1].kid == list[i].kid;
        bool is_moved = list[i].at != i && sealed->wrap_size == WRAP_RUST;
        if (is_moved || (is_again && !sealed->is_logged))
            return refuse(refusal, "payload_encrypted.recipients",
                          "must have ascending recipient_kid, each once");
    }
    return VES_OK;
}

static enum ves_status read_recipients(struct ves_arena *arena,
                                       const struct ves_json *object,
                                       struct sealed *sealed,
                                       struct ves_refusal *refusal)
{
    const struct ves_json *list = ves_json_member(object, "recipients");

    if (!list || list->type != VES_JSON_ARRAY || list->count == 0)
        return refuse(refusal, "payload_encrypted.recipients",
                      "must be an array with at least one recipient");
    if (list->count > VES_RECIPIENTS_MAX && !sealed->is_logged)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION,
                          "payload_encrypted.recipients",
                          "payload_encrypted has %zu recipients; at most %d "
                          "are allowed",
                          list->count, (int)VES_RECIPIENTS_MAX);
    sealed->recipients =
        ves_arena_alloc(arena, list->count * sizeof(*sealed->recipients));
    if (!sealed->recipients)
        return VES_NOMEM;
    for (const struct ves_json *node = list->first; node; node = node->next) {
        enum ves_status status = read_recipient(node, sealed, refusal);
        if (status)
            return status;
    }
    return sort_recipients(sealed, refusal);
}

/* Tag, then for each recipient U32 kid, U32 and enc, U32 and wrapped key. */
static enum ves_status rust_recipients(struct ves_arena *arena,
                                       const struct sealed *sealed,
                                       struct ves_hash *out)
{
    size_t size = 12 + ENC_SIZE + sealed->wrap_size;
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, arena, sealed->count * size + 32, VES_BODY_MAX);
    ves_buf_put_str(&scratch.buf, "VES_RECIPIENTS_V1");
    for (size_t i = 0; i < sealed->count; i++) {
        const struct recipient *recipient = &sealed->recipients[i];
        ves_buf_put_u32(&scratch.buf, recipient->kid);
        ves_buf_put_lstr(&scratch.buf, ves_bytes(recipient->enc, ENC_SIZE));
        ves_buf_put_lstr(&scratch.buf,
                         ves_bytes(recipient->wrap, sealed->wrap_size));
    }
    struct ves_bytes view = ves_buf_view(&scratch.buf);
    ves_sha256(&view, 1, out);
    return ves_buf_status(&scratch.buf);
}

/* Tag, then the canonical array of whole recipient objects by kid. */
static enum ves_status js_recipients(struct ves_arena *arena,
                                     const struct sealed *sealed,
                                     struct ves_hash *out)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, arena, sealed->count * 256, VES_BODY_MAX);
    ves_buf_put_str(&scratch.buf, "VES_RECIPIENTS_V1[");
    for (size_t i = 0; i < sealed->count; i++) {
        if (i > 0)
            ves_buf_put_u8(&scratch.buf, ',');
        enum ves_status status =
            ves_jcs_write(&scratch.buf, arena, sealed->recipients[i].node);
        if (status)
            return status;
    }
    ves_buf_put_u8(&scratch.buf, ']');
    struct ves_bytes view = ves_buf_view(&scratch.buf);
    ves_sha256(&view, 1, out);
    return ves_buf_status(&scratch.buf);
}

/* The Rust layout has two numbers that the JS layout leaves out. */
static enum ves_status cipher_hash(struct ves_arena *arena,
                                   const struct ves_event *event,
                                   const struct sealed *sealed, bool is_js,
                                   struct ves_hash *out)
{
    struct ves_hash aad, recipients;
    uint8_t one[4], len[4];
    enum ves_status status = is_js
                                 ? js_recipients(arena, sealed, &recipients)
                                 : rust_recipients(arena, sealed, &recipients);
    if (status)
        return status;

    ves_sealed_aad(event, is_js, &aad);
    ves_store_u32(one, 1);
    VES_ASSERT(sealed->ciphertext.len <= UINT32_MAX);
    ves_store_u32(len, (uint32_t)sealed->ciphertext.len);
    const struct ves_bytes parts[] = {ves_bytes_str("VES_PAYLOAD_CIPHER_V1"),
                                      ves_bytes(one, is_js ? 0 : 4),
                                      ves_bytes(sealed->nonce, NONCE_SIZE),
                                      ves_bytes(aad.b, VES_HASH_SIZE),
                                      ves_bytes(len, is_js ? 0 : 4),
                                      sealed->ciphertext,
                                      ves_bytes(sealed->tag, TAG_SIZE),
                                      ves_bytes(recipients.b, VES_HASH_SIZE)};
    ves_sha256(parts, 8, out);
    return VES_OK;
}

enum ves_status ves_sealed_check(struct ves_arena *arena,
                                 const struct ves_event *event, bool is_logged,
                                 struct ves_refusal *refusal)
{
    const struct ves_json *object = event->payload_encrypted;
    struct sealed sealed = {.is_logged = is_logged};
    enum ves_status status;

    if (!object || object->type != VES_JSON_OBJECT)
        return refuse(refusal, "payload_encrypted", "must be an object");
    /* The hash does not cover the names. */
    status = is_logged ? VES_OK : check_algorithms(object, refusal);
    if (status)
        return status;
    status = read_ciphertext(arena, object, &sealed, refusal);
    if (status)
        return status;
    status = read_recipients(arena, object, &sealed, refusal);
    if (status)
        return status;

    for (int is_js = 0; is_js <= 1; is_js++) {
        struct ves_hash hash;
        status = cipher_hash(arena, event, &sealed, is_js != 0, &hash);
        if (status == VES_LIMIT)
            return refuse(refusal, "payload_encrypted.recipients",
                          "are more than 10 MiB of canonical JSON");
        if (status)
            return status;
        if (ves_hash_equal(&hash, &event->payload_cipher_hash))
            return VES_OK;
    }
    return ves_refuse(refusal, VES_REFUSAL_INVALID_CIPHER_HASH, NULL,
                      "payload_cipher_hash is not the hash of "
                      "payload_encrypted in either known layout");
}
