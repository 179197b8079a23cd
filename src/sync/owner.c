/* owner.c -- what the owner of a stream says of its keys (ADR 0025): which may
 * sign at all, and that one may no more. */
#include "sync/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/key_event.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keyfile.h"

enum { BODY_MAX = 4096 };

enum ves_status ves_owner_path(const char *key_file,
                               const struct ves_stream *stream,
                               char path[VES_OWNER_PATH_MAX],
                               struct ves_error *error)
{
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];

    ves_uuid_format(&stream->tenant, tenant);
    ves_uuid_format(&stream->store, store);
    int n = snprintf(path, VES_OWNER_PATH_MAX, "%s.owner-%s-%s", key_file,
                     tenant, store);
    return n < 0 || n >= VES_OWNER_PATH_MAX
               ? ves_fail(error, VES_LIMIT, "the key file's path is too long")
               : VES_OK;
}

static enum ves_status load(const char *key_file,
                            const struct ves_stream *stream,
                            struct ves_signer **owner, struct ves_error *error)
{
    char path[VES_OWNER_PATH_MAX];
    enum ves_status status = ves_crypto_init();

    if (status)
        return ves_fail(error, status, VES_CRYPTO_WORDS);
    status = ves_owner_path(key_file, stream, path, error);
    if (!status && !ves_file_exists(path))
        status = ves_fail(error, VES_NOT_FOUND,
                          "the stream's owner key %.3000s is not there; it was "
                          "made where the stream's first invitation was",
                          path);
    return status ? status
                  : ves_keyfile_load(path, VES_KEY_OWNER, NULL, owner, error);
}

enum ves_status ves_owner_public(const char *key_file,
                                 const struct ves_stream *stream,
                                 struct ves_public_key *out,
                                 struct ves_error *error)
{
    struct ves_signer *owner = NULL;
    enum ves_status status = load(key_file, stream, &owner, error);

    if (status)
        return status;
    *out = owner->public_key;
    ves_signer_free(owner);
    return VES_OK;
}

static enum ves_status sign(const char *key_file,
                            const struct ves_stream *stream,
                            const struct ves_hash *hash, struct ves_sig *out,
                            struct ves_error *error)
{
    struct ves_signer *owner = NULL;
    struct ves_sign_item item;
    enum ves_status status = load(key_file, stream, &owner, error);

    if (status)
        return status;
    memset(&item, 0, sizeof(item));
    item.hash = *hash;
    owner->sign(owner, &item, 1);
    *out = item.sig;
    ves_signer_free(owner);
    return VES_OK;
}

/* The body's beginning, which names the stream. */
static void begin(struct ves_buf *body, const struct ves_stream *stream)
{
    ves_buf_init(body, ves_alloc_default(), BODY_MAX);
    ves_buf_put_str(body, "{\"tenantId\":\"");
    ves_buf_put_uuid(body, &stream->tenant);
    ves_buf_put_str(body, "\",\"storeId\":\"");
    ves_buf_put_uuid(body, &stream->store);
    ves_buf_put_u8(body, '"');
}

/* Its end, which is the owner's signature; frees it. */
static enum ves_status post(const struct ves_admin *admin, const char *path,
                            struct ves_buf *body, const struct ves_sig *sig,
                            struct ves_jw *jw, uint32_t *http_status,
                            struct ves_error *error)
{
    ves_buf_put_str(body, ",\"ownerSignature\":\"");
    ves_buf_put_hex(body, sig->b, VES_SIG_SIZE);
    ves_buf_put_str(body, "\"}");
    enum ves_status status = ves_buf_status(body);
    if (!status)
        status =
            ves_admin_call(admin->url, admin->key_file, admin->tls_ca, "POST",
                           path, ves_buf_view(body), jw, http_status, error);
    ves_buf_free(body);
    return status;
}

enum ves_status ves_admin_key_policy(const struct ves_admin *admin,
                                     const struct ves_stream *stream,
                                     bool is_strict, struct ves_jw *jw,
                                     uint32_t *http_status,
                                     struct ves_error *error)
{
    /* Numbers only have to rise, and nobody keeps the last one. */
    struct ves_key_event policy = {.kind = VES_KEY_EVENT_POLICY,
                                   .is_strict = is_strict,
                                   .number = (uint64_t)ves_clock_now_ms()};
    struct ves_hash hash;
    struct ves_sig sig;
    struct ves_buf body;

    ves_key_policy_hash(stream, &policy, &hash);
    enum ves_status status = sign(admin->key_file, stream, &hash, &sig, error);
    if (status)
        return status;
    begin(&body, stream);
    ves_buf_putf(&body, ",\"strict\":%s,\"number\":%" PRIu64,
                 is_strict ? "true" : "false", policy.number);
    return post(admin, "/api/v1/ves/key-policy", &body, &sig, jw, http_status,
                error);
}

enum ves_status ves_admin_revoke_key(const struct ves_admin *admin,
                                     const struct ves_stream *stream,
                                     const struct ves_uuid *agent,
                                     uint32_t key_id, struct ves_jw *jw,
                                     uint32_t *http_status,
                                     struct ves_error *error)
{
    const struct ves_key_event revoked = {
        .kind = VES_KEY_EVENT_REVOKED, .agent = *agent, .key_id = key_id};
    struct ves_hash hash;
    struct ves_sig sig;
    struct ves_buf body;

    ves_key_revoke_hash(stream, &revoked, &hash);
    enum ves_status status = sign(admin->key_file, stream, &hash, &sig, error);
    if (status)
        return status;
    begin(&body, stream);
    ves_buf_put_str(&body, ",\"agentId\":\"");
    ves_buf_put_uuid(&body, agent);
    ves_buf_putf(&body, "\",\"keyId\":%" PRIu32, key_id);
    return post(admin, "/api/v1/ves/key-revocations", &body, &sig, jw,
                http_status, error);
}
