/* routes_invite.c -- making and redeeming invitations.
 *
 * The stream's owner signs for an invitation's key; the sequencer keeps only
 * public halves.  Redeeming needs a signature by the invitation's key and one
 * by the agent's; both are kept with the key entry, so that anybody can check
 * later who let this agent in.  A redeem by the same agent key again consumes
 * nothing and replaces the API key: a lost reply harms nothing.  It has to be
 * signed anew, over another nonce, so that nobody who saw the first one can
 * take the API key away.  Not so after an administrator revoked that API key:
 * this takes a new invitation.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/invitation.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/tls_server.h"
#include "server/body.h"
#include "server/grant.h"
#include "server/routes.h"
#include "server/server.h"

enum { NOTE_MAX = 2048, LABEL_ID = 11 + VES_UUID_TEXT };

/* ---- shared -------------------------------------------------------------- */

static void put_sequencer(struct ves_request *request, bool first)
{
    const struct ves_identity *identity = &request->server->identity;
    struct ves_buf *out = &request->out;
    ves_put_name(out, first, "sequencerId");
    ves_put_uuid(out, &identity->sequencer_id);
    ves_buf_put_str(out, ",\"sequencerKeys\":[");
    for (size_t i = 0; i < identity->key_count; i++) {
        ves_buf_putf(out, "%s{\"version\":%u,\"publicKey\":", i ? "," : "",
                     identity->keys[i].version);
        ves_put_hex(out, "", identity->keys[i].public_key.b, VES_KEY_SIZE);
        ves_buf_put_u8(out, '}');
    }
    ves_buf_put_u8(out, ']');
}

/* An act of administration, in the stream's trail. */
static enum ves_status put_trail(struct ves_store *store, uint32_t stream_no,
                                 const char *code, struct ves_bytes detail,
                                 int64_t now_ms)
{
    const struct ves_record record = {
        .at_ms = now_ms, .code = ves_bytes_str(code), .detail = detail};
    return store->ops->record_append(store, VES_RECORD_TRAIL, stream_no,
                                     &record, 1);
}

/* A small JSON object for the trail, on the stack. */
struct note {
    struct ves_alloc alloc;
    struct ves_buf buf;
    uint8_t bytes[NOTE_MAX];
};

static void *note_memory(void *ctx, void *ptr, size_t size)
{
    struct note *note = ctx;
    (void)ptr;
    return size <= sizeof(note->bytes) ? note->bytes : NULL;
}

static void note_init(struct note *note)
{
    note->alloc = (struct ves_alloc){note_memory, note};
    ves_buf_init(&note->buf, &note->alloc, sizeof(note->bytes));
}

/* Ends a transaction: commit, or roll back what failed. */
static enum ves_status finish(struct ves_store *store, enum ves_status status)
{
    if (!status)
        status = store->ops->commit(store);
    if (status)
        store->ops->rollback(store);
    return status;
}

/* ---- inviting ------------------------------------------------------------ */

static bool owner_signed(const struct ves_invitation_body *body)
{
    struct ves_invitation invitation = {.stream = body->stream,
                                        .invitation_id = body->invitation_id,
                                        .public_key = body->public_key,
                                        .rights = body->rights,
                                        .expires_ms = body->expires_ms};
    struct ves_hash hash;
    ves_invitation_hash(&invitation, &hash);
    return ves_ed25519_verify(&body->owner_key,
                              ves_bytes(hash.b, VES_HASH_SIZE),
                              &body->owner_signature);
}

static bool is_same(const struct ves_invitation_row *row,
                    const struct ves_invitation_body *body)
{
    return ves_stream_equal(&row->stream, &body->stream) &&
           memcmp(row->public_key.b, body->public_key.b, VES_KEY_SIZE) == 0 &&
           row->rights == body->rights && row->uses_max == body->uses_max &&
           row->expires_ms == body->expires_ms;
}

/* What the transaction decides; code NULL: a failure of the store. */
struct outcome {
    uint32_t http;
    const char *code;
    const char *words;
};

static enum ves_status refuse(struct outcome *outcome, uint32_t http,
                              const char *code, const char *words)
{
    *outcome = (struct outcome){http, code, words};
    return VES_REFUSED;
}

static void reply_failure(struct ves_request *request, enum ves_status status,
                          const struct outcome *outcome)
{
    if (outcome->code)
        ves_reply_error(request, outcome->http, outcome->code, "%s",
                        outcome->words);
    else
        ves_reply_status(request, status, &request->store->error);
}

static enum ves_status store_invitation(struct ves_request *request,
                                        const struct ves_invitation_body *body,
                                        struct outcome *outcome)
{
    struct ves_store *store = request->store;
    struct ves_stream_row stream;
    struct ves_invitation_row row;
    struct note note;
    int64_t now_ms = ves_clock_now_ms();
    enum ves_status status = ves_sequencer_stream(&request->server->sequencer,
                                                  &body->stream, &stream);
    if (status)
        return status;
    if (stream.has_owner_key &&
        memcmp(stream.owner_key.b, body->owner_key.b, VES_KEY_SIZE) != 0)
        return refuse(outcome, 409, "owner_mismatch",
                      "this stream has another owner key; only its owner may "
                      "invite");
    status = store->ops->invitation_get(store, &body->invitation_id, &row);
    if (!status)
        return is_same(&row, body)
                   ? VES_OK
                   : refuse(outcome, 409, "ALREADY_EXISTS",
                            "this invitation id is used for another "
                            "invitation");
    if (status != VES_NOT_FOUND)
        return status;
    stream.has_owner_key = true;
    stream.owner_key = body->owner_key;
    row = (struct ves_invitation_row){.invitation_id = body->invitation_id,
                                      .stream = body->stream,
                                      .public_key = body->public_key,
                                      .owner_signature = body->owner_signature,
                                      .rights = body->rights,
                                      .uses_max = body->uses_max,
                                      .created_ms = now_ms,
                                      .expires_ms = body->expires_ms};
    note_init(&note);
    ves_buf_put_str(&note.buf, "{\"invitationId\":");
    ves_put_uuid(&note.buf, &body->invitation_id);
    ves_buf_putf(&note.buf, ",\"usesMax\":%u,\"expiresAtMs\":%lld}",
                 body->uses_max, (long long)body->expires_ms);
    status = store->ops->stream_put(store, &stream);
    if (!status)
        status = store->ops->invitation_put(store, &row);
    if (!status)
        status = put_trail(store, stream.stream_no, "invite",
                           ves_buf_view(&note.buf), now_ms);
    return status;
}

static void invite(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_invitation_body body;
    struct ves_error error = {0};
    struct outcome outcome = {0};
    enum ves_status status = ves_invitation_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_ADMIN, &body.stream.tenant,
                            &body.stream.store))
        return;
    if (!ves_ed25519_key_is_valid(&body.public_key) || !owner_signed(&body)) {
        ves_reply_error(request, 400, NULL,
                        "ownerSignature is not the owner key's signature over "
                        "this invitation");
        return;
    }
    status = store->ops->begin(store);
    if (!status)
        status = finish(store, store_invitation(request, &body, &outcome));
    if (status) {
        reply_failure(request, status, &outcome);
        return;
    }
    ves_buf_put_u8(&request->out, '{');
    put_sequencer(request, true);
    ves_put_name(&request->out, false, "tlsKey");
    if (request->server->tls) {
        struct ves_hash spki;
        ves_tls_server_spki(request->server->tls, &spki);
        ves_put_hex(&request->out, "", spki.b, VES_HASH_SIZE);
    } else
        ves_buf_put_str(&request->out, "null");
    ves_buf_put_u8(&request->out, '}');
    ves_reply(request, 200);
}

/* ---- redeeming ----------------------------------------------------------- */

struct redeem {
    struct ves_request *request;
    struct ves_redeem_body body;
    struct ves_invitation_row invitation;
    struct outcome outcome;
    int64_t now_ms;
    char label[128]; /* of its credential: "invitation ID[ NONCE]" */
    struct ves_grant_list old;
    struct ves_credential_row row;
    char api_key[VES_API_KEY_TEXT + 1];
    uint64_t head;
};

static enum ves_status check_signatures(struct redeem *r)
{
    struct ves_hash hash;
    ves_redeem_hash(&r->body.stream, &r->body.invitation_id, &r->body.agent,
                    r->body.key_id, &r->body.public_key,
                    r->body.has_nonce ? r->body.nonce : NULL,
                    r->body.has_next ? &r->body.next : NULL, &hash);
    struct ves_bytes message = ves_bytes(hash.b, VES_HASH_SIZE);
    if (!ves_ed25519_verify(&r->invitation.public_key, message,
                            &r->body.invitation_signature))
        return refuse(&r->outcome, 403, "invalid_signature",
                      "invitationSignature is not the invitation's");
    if (!ves_ed25519_key_is_valid(&r->body.public_key) ||
        !ves_ed25519_verify(&r->body.public_key, message,
                            &r->body.agent_signature))
        return refuse(&r->outcome, 403, "invalid_signature",
                      "agentSignature is not the agent key's");
    return VES_OK;
}

static enum ves_status find_invitation(struct redeem *r)
{
    struct ves_store *store = r->request->store;
    enum ves_status status = store->ops->invitation_get(
        store, &r->body.invitation_id, &r->invitation);
    if (status == VES_NOT_FOUND ||
        (!status && !ves_stream_equal(&r->invitation.stream, &r->body.stream)))
        return refuse(&r->outcome, 404, "RESOURCE_NOT_FOUND",
                      "there is no such invitation; ask for a new one");
    if (status)
        return status;
    status = check_signatures(r);
    if (!status && r->now_ms >= r->invitation.expires_ms)
        status = refuse(&r->outcome, 403, "invitation_expired",
                        "this invitation has expired; ask for a new one");
    return status;
}

struct agent_keys {
    const struct ves_redeem_body *body;
    bool is_known;   /* with exactly this key, not revoked */
    bool is_foreign; /* with another one, or revoked */
};

static enum ves_status look_at_key(void *ctx, const struct ves_key_row *row,
                                   const struct ves_key_span *span)
{
    struct agent_keys *keys = ctx;
    (void)span;
    if (row->key_id == keys->body->key_id && !row->revoked_at_ms &&
        memcmp(row->public_key.b, keys->body->public_key.b, VES_KEY_SIZE) == 0)
        keys->is_known = true;
    else
        keys->is_foreign = true;
    return VES_OK;
}

static bool is_own_credential(const void *ctx,
                              const struct ves_credential_row *row)
{
    const struct redeem *r = ctx;
    return row->has_agent && row->has_store &&
           ves_uuid_equal(&row->agent, &r->body.agent) &&
           ves_uuid_equal(&row->tenant, &r->body.stream.tenant) &&
           ves_uuid_equal(&row->store, &r->body.stream.store);
}

/* Has this agent redeemed this invitation before? */
static bool is_repeat(const struct redeem *r)
{
    for (const struct ves_grant_item *item = r->old.first; item;
         item = item->next) {
        if (item->row.label.len >= LABEL_ID &&
            memcmp(item->row.label.ptr, r->label, LABEL_ID) == 0)
            return true;
    }
    return false;
}

/* Was this very request answered before?  One without a nonce may have been. */
static bool is_replay(const struct redeem *r)
{
    for (const struct ves_grant_item *item = r->old.first; item;
         item = item->next) {
        if (ves_bytes_is(item->row.label, r->label))
            return true;
    }
    return !r->body.has_nonce && is_repeat(r);
}

/* A redeem leaves one API key that is not revoked: where there is none an
 * administrator took it away. */
static bool is_shut_out(const struct redeem *r)
{
    for (const struct ves_grant_item *item = r->old.first; item;
         item = item->next) {
        if (!item->row.revoked_ms)
            return false;
    }
    return is_repeat(r);
}

static enum ves_status check_agent(struct redeem *r)
{
    struct ves_store *store = r->request->store;
    struct agent_keys keys = {.body = &r->body};
    enum ves_status status = store->ops->key_list(
        store, &r->body.stream.tenant, &r->body.agent, 0, look_at_key, &keys);
    if (status)
        return status;
    if (keys.is_foreign && !keys.is_known)
        return refuse(&r->outcome, 409, "agent_exists",
                      "this agent id belongs to another key; begin with a new "
                      "agent id");
    status = ves_grant_find(store, &r->request->arena, is_own_credential, r,
                            &r->old);
    if (!status && is_replay(r))
        return refuse(&r->outcome, 409, "redeem_replayed",
                      "this request was answered before and gives nothing a "
                      "second time; sign a new one over another nonce");
    if (!status && is_shut_out(r))
        return refuse(&r->outcome, 403, "api_key_revoked",
                      "an administrator revoked this agent's API key; ask for "
                      "a new invitation");
    if (!status && r->invitation.uses_max &&
        r->invitation.uses >= r->invitation.uses_max &&
        !(keys.is_known && is_repeat(r)))
        status = refuse(&r->outcome, 403, "invitation_used",
                        "this invitation was used as often as it may be; ask "
                        "for a new one");
    return status;
}

static void write_proof(const struct redeem *r, struct ves_buf *buf)
{
    ves_buf_put_str(buf, "{\"invitationId\":");
    ves_put_uuid(buf, &r->body.invitation_id);
    ves_buf_put_str(buf, ",\"invitationKey\":");
    ves_put_hex(buf, "", r->invitation.public_key.b, VES_KEY_SIZE);
    ves_buf_put_str(buf, ",\"invitationSignature\":");
    ves_put_hex(buf, "", r->body.invitation_signature.b, VES_SIG_SIZE);
    ves_buf_put_str(buf, ",\"agentSignature\":");
    ves_put_hex(buf, "", r->body.agent_signature.b, VES_SIG_SIZE);
    if (r->body.has_nonce) {
        ves_buf_put_str(buf, ",\"nonce\":");
        ves_put_hex(buf, "", r->body.nonce, sizeof(r->body.nonce));
    }
    if (r->body.has_next) {
        ves_buf_put_str(buf, ",\"nextKeyDigest\":");
        ves_put_hex(buf, "", r->body.next.b, VES_HASH_SIZE);
    }
    ves_buf_put_str(buf, ",\"ownerSignature\":");
    ves_put_hex(buf, "", r->invitation.owner_signature.b, VES_SIG_SIZE);
    ves_buf_putf(buf, ",\"rights\":%u,\"expiresAtMs\":%lld}",
                 r->invitation.rights, (long long)r->invitation.expires_ms);
}

/* The key first: should we stop after it, the same redeem completes it. */
static enum ves_status register_agent(struct redeem *r, struct ves_error *error)
{
    struct note proof;
    note_init(&proof);
    write_proof(r, &proof.buf);
    const struct ves_key_row row = {.tenant = r->body.stream.tenant,
                                    .has_store = true,
                                    .store = r->body.stream.store,
                                    .agent = r->body.agent,
                                    .key_id = r->body.key_id,
                                    .public_key = r->body.public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("invitation"),
                                    .proof = ves_buf_view(&proof.buf)};
    enum ves_status status = ves_buf_status(&proof.buf);
    if (!status)
        status = ves_sequencer_register_key(&r->request->server->sequencer,
                                            &row, r->now_ms, error);
    if (status == VES_CONFLICT)
        return refuse(&r->outcome, 409, "agent_exists", error->text);
    return status;
}

static enum ves_status write_grant(struct redeem *r, struct ves_error *error)
{
    struct ves_store *store = r->request->store;
    struct ves_stream_row stream;
    struct note note;
    enum ves_status status = ves_sequencer_stream(
        &r->request->server->sequencer, &r->body.stream, &stream);
    if (status)
        return status;
    r->head = stream.head;
    if (!is_repeat(r)) {
        r->invitation.uses++;
        status = store->ops->invitation_put(store, &r->invitation);
    }
    r->row = (struct ves_credential_row){.tenant = r->body.stream.tenant,
                                         .has_store = true,
                                         .store = r->body.stream.store,
                                         .has_agent = true,
                                         .agent = r->body.agent,
                                         .rights = r->invitation.rights,
                                         .created_ms = r->now_ms,
                                         .label = ves_bytes_str(r->label)};
    if (!status)
        status = ves_grant_revoke(store, &r->old, r->now_ms);
    if (!status)
        status = ves_grant_make(store, &r->row, r->api_key, error);
    note_init(&note);
    ves_buf_put_str(&note.buf, "{\"invitationId\":");
    ves_put_uuid(&note.buf, &r->body.invitation_id);
    ves_buf_put_str(&note.buf, ",\"agentId\":");
    ves_put_uuid(&note.buf, &r->body.agent);
    ves_buf_put_u8(&note.buf, '}');
    if (!status)
        status = put_trail(store, stream.stream_no, "redeem",
                           ves_buf_view(&note.buf), r->now_ms);
    return status;
}

static void reply_redeemed(struct redeem *r)
{
    struct ves_buf *out = &r->request->out;
    ves_buf_putf(out, "{\"apiKey\":\"%s\",\"agentId\":", r->api_key);
    ves_put_uuid(out, &r->body.agent);
    ves_buf_putf(out, ",\"keyId\":%u,\"tenantId\":", r->body.key_id);
    ves_put_uuid(out, &r->body.stream.tenant);
    ves_buf_put_str(out, ",\"storeId\":");
    ves_put_uuid(out, &r->body.stream.store);
    put_sequencer(r->request, false);
    ves_buf_putf(out, ",\"headSequence\":%llu}", (unsigned long long)r->head);
    ves_reply(r->request, 200);
}

static enum ves_status redeem_all(struct redeem *r, struct ves_error *error)
{
    struct ves_store *store = r->request->store;
    enum ves_status status = find_invitation(r);
    if (!status)
        status = check_agent(r);
    if (!status)
        status = register_agent(r, error);
    if (status)
        return status;
    status = store->ops->begin(store);
    if (!status)
        status = finish(store, write_grant(r, error));
    if (status)
        return status;
    struct ves_credentials *creds = &r->request->server->credentials;
    status = ves_grant_publish(creds, &r->old);
    ves_followers_recheck(r->request->server);
    return status ? status : ves_credentials_put(creds, &r->row);
}

static void redeem(struct ves_request *request)
{
    struct redeem r = {.request = request, .now_ms = ves_clock_now_ms()};
    struct ves_error error = {0};
    char id[VES_UUID_TEXT + 1];
    enum ves_status status = ves_redeem_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &r.body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    ves_uuid_format(&r.body.invitation_id, id);
    memcpy(r.label, "invitation ", 11);
    memcpy(r.label + 11, id, sizeof(id));
    if (r.body.has_nonce) {
        r.label[LABEL_ID] = ' ';
        ves_hex_encode(r.body.nonce, sizeof(r.body.nonce),
                       r.label + LABEL_ID + 1);
    }
    status = redeem_all(&r, &error);
    if (!status)
        reply_redeemed(&r);
    else if (r.outcome.code || !error.text[0])
        reply_failure(request, status, &r.outcome);
    else
        ves_reply_status(request, status, &error);
    ves_wipe(r.api_key, sizeof(r.api_key));
}

const struct ves_route ves_routes_invite[] = {
    {VES_METHOD_POST, "/api/v1/invitations", VES_ROUTE_WRITE, VES_ACCESS_ADMIN,
     false, invite},
    {VES_METHOD_POST, "/api/v1/invitations/redeem", VES_ROUTE_WRITE,
     VES_ACCESS_OPEN, false, redeem},
    {.pattern = NULL}};
