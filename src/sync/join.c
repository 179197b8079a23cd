/* join.c -- an invitation becomes a store with an agent of its own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/invitation.h"
#include "os/clock.h"
#include "os/keyfile.h"
#include "os/random.h"
#include "sync/reply.h"
#include "sync/session.h"

enum { SCRATCH_MAX = 1024 * 1024, BODY_MAX = 4096 };

static const char REDEEM[] = "/api/v1/invitations/redeem";

/* Both halves sign: whoever redeems holds the invitation and the agent's key.
 */
static enum ves_status write_body(struct ves_agent *agent,
                                  const struct ves_invitation *invitation,
                                  struct ves_buf *body, struct ves_error *error)
{
    const struct ves_agent_core *core = &agent->core;
    struct ves_sign_item by_invitation, by_agent;
    char uuid[4][VES_UUID_TEXT + 1];
    char hex[4][2 * VES_SIG_SIZE + 1];
    uint8_t nonce[VES_REDEEM_NONCE_SIZE];
    struct ves_hash next;
    bool has_next;

    /* Fresh for each request: one that somebody saw is of no use to him. */
    enum ves_status status = ves_random(nonce, sizeof(nonce), error);
    if (!status)
        status = ves_agent_next_key(agent, &has_next, &next, error);
    if (status)
        return status;
    memset(hex, 0, sizeof(hex));
    memset(&by_agent, 0, sizeof(by_agent));
    ves_redeem_hash(&invitation->stream, &invitation->invitation_id,
                    &core->agent, core->key_id, &core->signer->public_key,
                    nonce, has_next ? &next : NULL, &by_agent.hash);
    by_invitation = by_agent;
    struct ves_signer *signer = ves_signer_from_seed(invitation->seed);
    if (!signer)
        return ves_fail(error, VES_NOMEM, "no locked memory for the key");
    signer->sign(signer, &by_invitation, 1);
    ves_signer_free(signer);
    core->signer->sign(core->signer, &by_agent, 1);

    ves_uuid_format(&invitation->stream.tenant, uuid[0]);
    ves_uuid_format(&invitation->stream.store, uuid[1]);
    ves_uuid_format(&invitation->invitation_id, uuid[2]);
    ves_uuid_format(&core->agent, uuid[3]);
    ves_hex_encode(core->signer->public_key.b, VES_KEY_SIZE, hex[0]);
    ves_hex_encode(by_invitation.sig.b, VES_SIG_SIZE, hex[1]);
    ves_hex_encode(by_agent.sig.b, VES_SIG_SIZE, hex[2]);
    ves_hex_encode(nonce, sizeof(nonce), hex[3]);
    ves_buf_putf(body,
                 "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"invitationId\":"
                 "\"%s\",\"agentId\":\"%s\",\"keyId\":%" PRIu32
                 ",\"publicKey\":\"%s\",\"invitationSignature\":\"%s\","
                 "\"agentSignature\":\"%s\",\"nonce\":\"%s\"",
                 uuid[0], uuid[1], uuid[2], uuid[3], core->key_id, hex[0],
                 hex[1], hex[2], hex[3]);
    if (has_next) {
        ves_buf_put_str(body, ",\"nextKeyDigest\":\"");
        ves_buf_put_hex(body, next.b, VES_HASH_SIZE);
        ves_buf_put_u8(body, '"');
    }
    ves_buf_put_u8(body, '}');
    return ves_buf_status(body);
}

/* The credential is the last thing written: a store without one knows that it
 * has to be joined again. */
static enum ves_status take_reply(struct ves_agent *agent,
                                  struct ves_arena *arena,
                                  const struct ves_http_reply *reply,
                                  struct ves_error *error)
{
    const struct ves_json *root;
    struct ves_bytes key;
    char text[VES_CREDENTIAL_MAX];

    if (ves_json_read(arena, reply->body, NULL, &root, NULL) ||
        !ves_json_get_string(root, "apiKey", &key) || key.len == 0 ||
        key.len >= sizeof(text))
        return ves_fail(error, VES_REFUSED,
                        "the sequencer's answer holds no API key; run the "
                        "same command again");
    memcpy(text, key.ptr, key.len);
    text[key.len] = '\0';
    enum ves_status status = ves_agent_put_credential(agent, text, error);
    explicit_bzero(text, sizeof(text));
    if (!status)
        ves_agent_note_credential(agent, true);
    /* Not kept, a loop that pushes waits for somebody to push by hand. */
    if (!status)
        (void)!ves_core_renewed(&agent->core);
    return status;
}

static bool is_signature_refused(struct ves_agent *agent,
                                 const struct ves_http_reply *reply)
{
    const struct ves_json *root;
    struct ves_arena arena;
    struct ves_bytes code;
    bool is_it = false;

    ves_arena_init(&arena, agent->alloc, BODY_MAX);
    if (reply->status == 403 &&
        !ves_json_read(&arena, reply->body, NULL, &root, NULL))
        is_it = ves_json_get_string(ves_json_member(root, "error"), "code",
                                    &code) &&
                ves_bytes_is(code, "invalid_signature");
    ves_arena_free(&arena);
    return is_it;
}

/* Version 3 of the signed bytes names the next key; a program that knows the
 * first two versions only reads the request as one of those.  It is not tried
 * again without: a key that commits to none cannot be rotated, ever, and
 * somebody between could bring that about. */
static void explain_next_key(struct ves_agent *agent, struct ves_error *error)
{
    struct ves_error said;
    struct ves_hash next;
    bool has_next;

    if (!error || ves_agent_next_key(agent, &has_next, &next, NULL) ||
        !has_next)
        return;
    said = *error;
    (void)ves_fail(error, said.status,
                   "%.300s. This store's key commits to the one after it; a "
                   "sequencer of an older version takes that for a wrong "
                   "signature. Let its operator update it, then run the same "
                   "command again",
                   said.text);
}

static enum ves_status redeem(struct ves_agent *agent,
                              struct ves_http_client *client,
                              const struct ves_invitation *invitation,
                              struct ves_arena *arena, struct ves_error *error)
{
    struct ves_http_reply reply;
    struct ves_buf body;

    ves_buf_init(&body, agent->alloc, BODY_MAX);
    enum ves_status status = write_body(agent, invitation, &body, error);
    if (!status)
        status = ves_http_request(client, "POST", REDEEM, ves_buf_view(&body),
                                  &reply, error);
    ves_buf_free(&body);
    if (status)
        return status;
    if (reply.status < 200 || reply.status > 299) {
        status = ves_session_explain(agent->alloc, &reply,
                                     "redeeming the invitation", error);
        if (is_signature_refused(agent, &reply))
            explain_next_key(agent, error);
        return status == VES_AUTH || status == VES_CONFLICT ||
                       status == VES_NOT_FOUND
                   ? VES_REFUSED
                   : status;
    }
    return take_reply(agent, arena, &reply, error);
}

static enum ves_status connect(const struct ves_invitation *invitation,
                               const char *url, struct ves_http_client **client,
                               struct ves_error *error)
{
    struct ves_http_options http = {
        .url = url,
        .has_tls_pin = invitation->has_tls_key,
        .tls_pin = invitation->tls_key,
    };
    struct ves_http_reply reply;
    struct ves_bytes none = {NULL, 0};
    enum ves_status status =
        ves_http_client_open(&http, ves_alloc_default(), client, error);

    if (status)
        return status;
    /* Nothing is made on disk for a sequencer that is not there. */
    status = ves_http_request(*client, "GET", "/health", none, &reply, error);
    if (!status && reply.status != 200)
        status =
            ves_fail(error, VES_UNREACHABLE,
                     "%s answers HTTP %u; nothing was made", url, reply.status);
    return status;
}

static void fill_identity(const struct ves_invitation *invitation,
                          struct ves_core_identity *out)
{
    memset(out, 0, sizeof(*out));
    out->stream = invitation->stream;
    out->sequencer_id = invitation->sequencer_id;
    memcpy(out->sequencer_keys, invitation->sequencer_keys,
           sizeof(out->sequencer_keys));
    out->sequencer_key_count = invitation->sequencer_key_count;
    out->owner_key = invitation->owner_key;
}

static enum ves_status join(const struct ves_join_options *options,
                            const struct ves_invitation *invitation,
                            struct ves_arena *arena, struct ves_agent **out,
                            struct ves_error *error)
{
    struct ves_agent_make make = {.seal_key = options->seal_key,
                                  .commits_next = true};
    struct ves_http_client *client = NULL;
    char url[VES_AGENT_URL_MAX];

    if (invitation->url.len >= sizeof(url))
        return ves_fail(error, VES_LIMIT, "the invitation's URL is too long");
    memcpy(url, invitation->url.ptr, invitation->url.len);
    url[invitation->url.len] = '\0';
    enum ves_status status = connect(invitation, url, &client, error);
    if (!status) {
        fill_identity(invitation, &make.identity);
        make.url = url;
        make.tls_key = invitation->has_tls_key ? &invitation->tls_key : NULL;
        status = ves_agent_make(&options->store, &make, out, error);
    }
    if (!status) {
        status = ves_agent_need_key(*out, error);
        if (!status)
            status = redeem(*out, client, invitation, arena, error);
        if (!status)
            status =
                ves_core_trail(&(*out)->core, ves_clock_now_ms(), "join", "{}");
        if (status) {
            ves_agent_close(*out);
            *out = NULL;
        }
    }
    ves_http_client_close(client);
    return status;
}

enum ves_status ves_join(const struct ves_join_options *options,
                         struct ves_agent **out, struct ves_error *error)
{
    struct ves_invitation invitation;
    struct ves_arena arena;

    *out = NULL;
    enum ves_status status = ves_crypto_init();
    if (status)
        return ves_fail(error, status, VES_CRYPTO_WORDS);
    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    status =
        ves_invitation_read(&arena, options->invitation, &invitation, error);
    if (!status)
        status = join(options, &invitation, &arena, out, error);
    ves_wipe(&invitation, sizeof(invitation));
    ves_arena_free(&arena);
    return status;
}
