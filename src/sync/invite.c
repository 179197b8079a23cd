/* invite.c -- what an operator asks of the sequencer. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/invitation.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "os/random.h"
#include "port/store.h"
#include "sync/owner.h"
#include "sync/reply.h"
#include "sync/session.h"

enum { SCRATCH_MAX = 1024 * 1024, BODY_MAX = 4096 };

static enum ves_status connect(const char *url, const char *key_file,
                               const char *tls_ca,
                               struct ves_http_client **client,
                               struct ves_error *error)
{
    struct ves_http_options http = {.url = url, .tls_ca = tls_ca};
    char *credential = NULL;
    enum ves_status status =
        ves_credential_file_read(key_file, &credential, error);

    if (status)
        return status;
    http.credential = credential;
    status = ves_http_client_open(&http, ves_alloc_default(), client, error);
    ves_secret_free(credential);
    return status;
}

static enum ves_status fresh_uuid(struct ves_uuid *out, struct ves_error *error)
{
    uint8_t random[8];
    enum ves_status status = ves_random(random, sizeof(random), error);

    if (!status)
        ves_uuid_make_v7((uint64_t)ves_clock_now_ms(), 0, random, out);
    return status;
}

/* It is made at the stream's first invitation. */
static enum ves_status owner_key(const char *key_file,
                                 const struct ves_stream *stream,
                                 struct ves_signer **out,
                                 struct ves_error *error)
{
    char path[VES_OWNER_PATH_MAX];
    enum ves_status named = ves_owner_path(key_file, stream, path, error);

    if (named)
        return named;
    if (!ves_file_exists(path)) {
        enum ves_status status =
            ves_keyfile_generate(path, VES_KEY_OWNER, NULL, NULL, error);
        /* Somebody else made it in the same moment: theirs it is. */
        if (status && status != VES_CONFLICT)
            return status;
    }
    return ves_keyfile_load(path, VES_KEY_OWNER, NULL, out, error);
}

static enum ves_status make(const struct ves_invite_options *options,
                            struct ves_signer *owner,
                            struct ves_invitation *out, struct ves_error *error)
{
    struct ves_sign_item item;
    enum ves_status status = ves_random(out->seed, sizeof(out->seed), error);

    if (!status)
        status = fresh_uuid(&out->invitation_id, error);
    if (status)
        return status;
    struct ves_signer *own = ves_signer_from_seed(out->seed);
    if (!own)
        return ves_fail(error, VES_NOMEM, "no locked memory for the key");
    out->public_key = own->public_key;
    ves_signer_free(own);
    out->url = ves_bytes_str(options->url);
    out->owner_key = owner->public_key;
    out->rights = options->is_read_only ? VES_RIGHT_READ
                                        : VES_RIGHT_READ | VES_RIGHT_WRITE;
    out->expires_ms = ves_clock_now_ms() + (int64_t)options->valid_s * 1000;
    memset(&item, 0, sizeof(item));
    ves_invitation_hash(out, &item.hash);
    owner->sign(owner, &item, 1);
    out->owner_signature = item.sig;
    return VES_OK;
}

static void write_body(struct ves_buf *body,
                       const struct ves_invite_options *options,
                       const struct ves_invitation *invitation)
{
    char uuid[3][VES_UUID_TEXT + 1];
    char hex[3][2 * VES_SIG_SIZE + 1];

    memset(hex, 0, sizeof(hex));
    ves_uuid_format(&invitation->stream.tenant, uuid[0]);
    ves_uuid_format(&invitation->stream.store, uuid[1]);
    ves_uuid_format(&invitation->invitation_id, uuid[2]);
    ves_hex_encode(invitation->public_key.b, VES_KEY_SIZE, hex[0]);
    ves_hex_encode(invitation->owner_key.b, VES_KEY_SIZE, hex[1]);
    ves_hex_encode(invitation->owner_signature.b, VES_SIG_SIZE, hex[2]);
    ves_buf_putf(
        body,
        "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"invitationId\":\"%s\","
        "\"publicKey\":\"%s\",\"ownerPublicKey\":\"%s\",\"ownerSignature\":"
        "\"%s\",\"rights\":[\"read\"%s],\"usesMax\":%" PRIu32
        ",\"expiresAtMs\":%" PRId64 "}",
        uuid[0], uuid[1], uuid[2], hex[0], hex[1], hex[2],
        options->is_read_only ? "" : ",\"write\"", options->uses,
        invitation->expires_ms);
}

static enum ves_status take_reply(const struct ves_invite_options *options,
                                  const struct ves_http_reply *reply,
                                  struct ves_arena *arena,
                                  struct ves_invitation *invitation,
                                  struct ves_error *error)
{
    const struct ves_json *root;

    if (reply->status < 200 || reply->status > 299) {
        enum ves_status status = ves_session_explain(
            ves_alloc_default(), reply, "making the invitation", error);
        return status == VES_CONFLICT ? VES_REFUSED : status;
    }
    if (ves_json_read(arena, reply->body, NULL, &root, NULL) ||
        !ves_reply_uuid(root, "sequencerId", &invitation->sequencer_id) ||
        !ves_reply_sequencer_keys(root, "sequencerKeys",
                                  invitation->sequencer_keys,
                                  &invitation->sequencer_key_count))
        return ves_fail(error, VES_REFUSED,
                        "the sequencer's answer does not name its keys");
    /* A certificate the machine trusts may change its key; one that was named
     * by hand is pinned. */
    invitation->has_tls_key =
        options->tls_ca &&
        ves_reply_hex(root, "tlsKey", invitation->tls_key.b, VES_HASH_SIZE);
    return VES_OK;
}

static enum ves_status request(const struct ves_invite_options *options,
                               struct ves_arena *arena,
                               struct ves_invitation *invitation,
                               struct ves_error *error)
{
    struct ves_http_client *client = NULL;
    struct ves_http_reply reply;
    struct ves_buf body;

    ves_buf_init(&body, ves_alloc_default(), BODY_MAX);
    write_body(&body, options, invitation);
    enum ves_status status = ves_buf_status(&body);
    if (!status)
        status = connect(options->url, options->key_file, options->tls_ca,
                         &client, error);
    if (!status)
        status = ves_http_request(client, "POST", "/api/v1/invitations",
                                  ves_buf_view(&body), &reply, error);
    if (!status)
        status = take_reply(options, &reply, arena, invitation, error);
    ves_http_client_close(client);
    ves_buf_free(&body);
    return status;
}

static enum ves_status print(const struct ves_invitation *invitation, char *out,
                             size_t size, struct ves_error *error)
{
    struct ves_buf text;

    ves_buf_init(&text, ves_alloc_default(), VES_INVITATION_MAX);
    enum ves_status status =
        ves_invitation_write(&text, ves_alloc_default(), invitation);
    if (!status && text.len >= size)
        status = VES_LIMIT;
    if (!status) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = '\0';
    }
    if (text.ptr)
        ves_wipe(text.ptr, text.len);
    ves_buf_free(&text);
    return status ? ves_fail(error, status, "the invitation is too long")
                  : VES_OK;
}

enum ves_status ves_invite(const struct ves_invite_options *options, char *out,
                           size_t size, struct ves_stream *stream,
                           struct ves_error *error)
{
    struct ves_invitation invitation;
    struct ves_signer *owner = NULL;
    struct ves_arena arena;
    enum ves_status status = ves_crypto_init();

    if (status)
        return ves_fail(error, status, VES_CRYPTO_WORDS);
    memset(&invitation, 0, sizeof(invitation));
    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    if (options->stream) {
        invitation.stream = *options->stream;
    } else {
        status = fresh_uuid(&invitation.stream.tenant, error);
        if (!status)
            status = fresh_uuid(&invitation.stream.store, error);
    }
    if (!status)
        status =
            owner_key(options->key_file, &invitation.stream, &owner, error);
    if (!status)
        status = make(options, owner, &invitation, error);
    ves_signer_free(owner);
    if (!status)
        status = request(options, &arena, &invitation, error);
    if (!status)
        status = print(&invitation, out, size, error);
    if (!status)
        *stream = invitation.stream;
    ves_wipe(&invitation, sizeof(invitation));
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_admin_call(const char *url, const char *key_file,
                               const char *tls_ca, const char *method,
                               const char *path, struct ves_bytes body,
                               struct ves_jw *jw, uint32_t *http_status,
                               struct ves_error *error)
{
    struct ves_http_client *client = NULL;
    struct ves_http_reply reply;
    enum ves_status status = ves_crypto_init();

    if (status)
        return ves_fail(error, status, VES_CRYPTO_WORDS);
    status = connect(url, key_file, tls_ca, &client, error);
    if (!status)
        status = ves_http_request(client, method, path, body, &reply, error);
    if (!status) {
        *http_status = reply.status;
        if (reply.status == 401 || reply.status == 403)
            status =
                ves_session_explain(ves_alloc_default(), &reply, path, error);
        else
            ves_jw_raw(jw, reply.body);
    }
    ves_http_client_close(client);
    return status;
}
