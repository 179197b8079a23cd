/* routes_keys.c -- agents' keys: register, revoke, signed directories; and the
 * sequencer's own (protocol.md A.10, B.6, H; design.md D17, D18). */
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/keydir.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "server/body.h"
#include "server/routes.h"
#include "server/server.h"
#include "json/json.h"

enum { PROOF_MAX = 512 };

/* ---- directories --------------------------------------------------------- */

struct directory {
    struct ves_buf *out;
    const struct ves_stream_row *stream; /* NULL: no sequence members */
    bool with_agents; /* every entry names its agent and registrar (H) */
    size_t count;
};

/* Since when, and from when no more, in this stream.  A stream made after the
 * key has no span of its own: the key is good from its first event, or, when
 * revoked before, never. */
static void put_span(struct ves_buf *out, const struct ves_key_row *row,
                     const struct ves_key_span *span)
{
    uint64_t from = span->is_found ? span->valid_from_sequence : 1;
    uint64_t until = span->is_found            ? span->revoked_at_sequence
                     : row->revoked_at_ms != 0 ? 1
                                               : 0;
    ves_put_name(out, false, "validFromSequence");
    ves_put_sequence(out, from);
    ves_put_name(out, false, "revokedAtSequence");
    ves_put_sequence(out, until);
}

static enum ves_status put_key(void *ctx, const struct ves_key_row *row,
                               const struct ves_key_span *span)
{
    struct directory *dir = ctx;
    struct ves_buf *out = dir->out;
    if (dir->stream && row->has_store &&
        !ves_uuid_equal(&row->store, &dir->stream->stream.store))
        return VES_OK; /* for another stream only */
    ves_buf_put_str(out, dir->count++ ? ",{" : "{");
    if (dir->with_agents) {
        ves_put_name(out, true, "agentId");
        ves_put_uuid(out, &row->agent);
    }
    ves_put_name(out, !dir->with_agents, "keyId");
    ves_buf_put_decimal(out, row->key_id);
    ves_put_name(out, false, "algorithm");
    ves_put_text(out, row->algorithm);
    ves_put_name(out, false, "publicKey");
    ves_put_hex(out, "0x", row->public_key.b, VES_KEY_SIZE);
    if (!dir->with_agents)
        ves_buf_put_str(out, ",\"publicKeyBundle\":null");
    ves_put_name(out, false, "validFrom");
    ves_put_time(out, row->valid_from_ms);
    ves_put_name(out, false, "validTo");
    ves_put_time(out, row->valid_to_ms);
    ves_put_name(out, false, "revokedAt");
    ves_put_time(out, row->revoked_at_ms);
    if (dir->stream)
        put_span(out, row, span);
    if (dir->with_agents) {
        ves_put_name(out, false, "registrar");
        ves_put_text(out, row->registrar);
    }
    ves_buf_put_u8(out, '}');
    return ves_buf_status(out);
}

/* Closes the object in out with a signature over what is there. */
static enum ves_status sign_directory(struct ves_request *request)
{
    struct ves_server *server = request->server;
    struct ves_buf *out = &request->out;
    const struct ves_json *root;
    struct ves_hash hash;
    struct ves_sig sig;
    ves_buf_put_u8(out, '}');
    enum ves_status status = ves_buf_status(out);
    if (!status)
        status = ves_json_read(&request->arena, ves_buf_view(out), NULL, &root,
                               NULL);
    if (!status)
        status = ves_keydir_hash(&request->arena, server->alloc, root, &hash);
    if (status)
        return status;
    ves_identity_sign(&server->identity, &hash, &sig);
    out->len--; /* the brace again, behind the signature */
    ves_put_name(out, false, "directorySignature");
    ves_put_hex(out, "0x", sig.b, VES_SIG_SIZE);
    ves_buf_put_u8(out, '}');
    return ves_buf_status(out);
}

/* The keys array; agent NULL: all of the tenant. */
static bool put_keys(struct ves_request *request, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, struct directory *dir)
{
    struct ves_store *store = request->store;
    ves_buf_put_str(dir->out, "\"keys\":[");
    enum ves_status status = store->ops->key_list(
        store, tenant, agent, dir->stream ? dir->stream->stream_no : 0, put_key,
        dir);
    ves_buf_put_str(dir->out, "],\"signedAt\":");
    ves_put_time(dir->out, ves_clock_now_ms());
    if (status)
        ves_reply_status(request, status, &store->error);
    return !status;
}

static bool find_stream(struct ves_request *request,
                        const struct ves_stream *stream,
                        struct ves_stream_row *row)
{
    struct ves_store *store = request->store;
    enum ves_status status = store->ops->stream_get(store, stream, false, row);
    if (status == VES_NOT_FOUND) {
        *row = (struct ves_stream_row){.stream = *stream};
        return true;
    }
    if (status)
        ves_reply_status(request, status, &store->error);
    return !status;
}

static void finish_directory(struct ves_request *request)
{
    enum ves_status status = sign_directory(request);
    if (status)
        ves_reply_status(request, status, NULL);
    else
        ves_reply(request, 200);
}

static void get_stream_keys(struct ves_request *request)
{
    struct ves_buf *out = &request->out;
    struct ves_stream stream;
    struct ves_stream_row row;
    if (!ves_request_stream(request, VES_RIGHT_READ, &stream) ||
        !find_stream(request, &stream, &row))
        return;
    struct directory dir = {.out = out, .stream = &row, .with_agents = true};
    ves_buf_put_str(out, "{\"tenantId\":");
    ves_put_uuid(out, &stream.tenant);
    ves_buf_put_str(out, ",\"storeId\":");
    ves_put_uuid(out, &stream.store);
    ves_buf_put_u8(out, ',');
    if (!put_keys(request, &stream.tenant, NULL, &dir))
        return;
    ves_buf_putf(out, ",\"sequencerKeyVersion\":%u",
                 ves_identity_current(&request->server->identity)->version);
    finish_directory(request);
}

static void get_agent_keys(struct ves_request *request)
{
    struct ves_buf *out = &request->out;
    struct ves_stream stream;
    struct ves_stream_row row;
    struct ves_uuid agent;
    bool has_store;
    if (!ves_request_uuid(request, 0, "the agent id", &agent) ||
        !ves_request_tenant(request, VES_RIGHT_READ, &stream.tenant, &has_store,
                            &stream.store) ||
        (has_store && !find_stream(request, &stream, &row)))
        return;
    struct directory dir = {.out = out, .stream = has_store ? &row : NULL};
    ves_buf_put_str(out, "{\"agentId\":");
    ves_put_uuid(out, &agent);
    ves_buf_put_str(out, ",\"tenantId\":");
    ves_put_uuid(out, &stream.tenant);
    if (has_store) {
        ves_buf_put_str(out, ",\"storeId\":");
        ves_put_uuid(out, &stream.store);
    }
    ves_buf_put_u8(out, ',');
    if (put_keys(request, &stream.tenant, &agent, &dir))
        finish_directory(request);
}

static void get_sequencer_keys(struct ves_request *request)
{
    const struct ves_identity *identity = &request->server->identity;
    ves_buf_put_str(&request->out, "{\"sequencerId\":");
    ves_put_uuid(&request->out, &identity->sequencer_id);
    ves_buf_put_str(&request->out, ",\"keys\":");
    ves_identity_write_keys(&request->out, identity);
    ves_buf_put_u8(&request->out, '}');
    ves_reply(request, 200);
}

/* ---- registering --------------------------------------------------------- */

/* The key must be one somebody can sign with, and, where its holder said so,
 * must have signed. */
static bool check_key(struct ves_request *request,
                      const struct ves_key_body *body)
{
    struct ves_hash hash;
    if (!ves_ed25519_key_is_valid(&body->public_key)) {
        ves_reply_error(request, 400, NULL,
                        "publicKey is not a valid Ed25519 public key");
        return false;
    }
    ves_pop_hash(&body->public_key, &hash);
    if (body->has_possession &&
        !ves_ed25519_verify(&body->public_key, ves_bytes(hash.b, VES_HASH_SIZE),
                            &body->possession)) {
        ves_reply_error(request, 400, NULL,
                        "the proof of possession is not publicKey's signature");
        return false;
    }
    return true;
}

static void reply_registered(struct ves_request *request,
                             const struct ves_key_body *body)
{
    struct ves_buf *out = &request->out;
    ves_buf_put_str(out, "{\"success\":true,\"tenantId\":");
    ves_put_uuid(out, &body->tenant);
    ves_buf_put_str(out, ",\"agentId\":");
    ves_put_uuid(out, &body->agent);
    ves_buf_putf(out, ",\"keyId\":%u,\"keyAlgorithm\":%d,", body->key_id,
                 ves_bytes_is(ves_bytes_str(body->algorithm), "ed25519"));
    ves_buf_put_str(out, "\"message\":\"the key is registered\"}");
    ves_reply(request, 200);
}

/* What goes into the log with the key. */
static void write_proof(const struct ves_key_body *body, struct ves_buf *buf)
{
    if (!body->has_next && !body->has_owner_signature)
        return;
    ves_buf_put_u8(buf, '{');
    if (body->has_next) {
        ves_put_name(buf, true, "nextKeyDigest");
        ves_put_hex(buf, "", body->next.b, VES_HASH_SIZE);
    }
    if (body->has_owner_signature) {
        ves_put_name(buf, !body->has_next, "ownerSignature");
        ves_put_hex(buf, "", body->owner_signature.b, VES_SIG_SIZE);
    }
    ves_buf_put_u8(buf, '}');
}

static void register_key(struct ves_request *request)
{
    struct ves_key_body body;
    struct ves_error error = {0};
    enum ves_status status = ves_key_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_ADMIN, &body.tenant,
                            body.has_store ? &body.store : NULL) ||
        !check_key(request, &body))
        return;
    struct ves_buf proof;
    ves_buf_init(&proof, request->server->alloc, PROOF_MAX);
    write_proof(&body, &proof);
    struct ves_key_row row = {.tenant = body.tenant,
                              .has_store = body.has_store,
                              .store = body.store,
                              .agent = body.agent,
                              .key_id = body.key_id,
                              .public_key = body.public_key,
                              .valid_from_ms = body.valid_from_ms,
                              .valid_to_ms = body.valid_to_ms,
                              .algorithm = ves_bytes_str(body.algorithm),
                              .registrar = ves_bytes_str("admin"),
                              .proof = ves_buf_view(&proof)};
    status = ves_sequencer_register_key(&request->server->sequencer, &row,
                                        ves_clock_now_ms(), &error);
    ves_buf_free(&proof);
    if (status)
        ves_reply_status(request, status, &error);
    else
        reply_registered(request, &body);
}

/* ---- what holders and owners say themselves -------------------------------
 */

static void enter_event(struct ves_request *request,
                        const struct ves_key_event_body *body)
{
    struct ves_error error = {0};
    enum ves_status status = ves_sequencer_enter_key_event(
        &request->server->sequencer, &body->stream, &body->event,
        ves_clock_now_ms(), &error);
    if (status == VES_REFUSED)
        ves_reply_error(request, 409, "key_event_refused", "%s", error.text);
    else if (status)
        ves_reply_status(request, status, &error);
    else
        ves_reply(request, 200);
}

static void rotate_key(struct ves_request *request)
{
    struct ves_key_event_body body;
    struct ves_error error = {0};
    struct ves_uuid agent;
    const struct ves_caller *caller = &request->caller;
    if (!ves_request_uuid(request, 0, "the agent id", &agent))
        return;
    enum ves_status status = ves_key_rotation_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_WRITE, &body.stream.tenant,
                            &body.stream.store))
        return;
    if (caller->has_agent && !ves_uuid_equal(&caller->agent, &agent)) {
        ves_reply_error(request, 403, NULL, "this API key is another agent's");
        return;
    }
    body.event.agent = agent;
    ves_buf_putf(&request->out, "{\"success\":true,\"keyId\":%u}",
                 body.event.key_id);
    enter_event(request, &body);
}

static void set_policy(struct ves_request *request)
{
    struct ves_key_event_body body;
    struct ves_error error = {0};
    enum ves_status status = ves_key_policy_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_ADMIN, &body.stream.tenant,
                            &body.stream.store))
        return;
    ves_buf_putf(&request->out, "{\"success\":true,\"strict\":%s}",
                 body.event.is_strict ? "true" : "false");
    enter_event(request, &body);
}

/* By its owner, in one stream. */
static void revoke_owned(struct ves_request *request)
{
    struct ves_key_event_body body;
    struct ves_error error = {0};
    enum ves_status status = ves_key_revocation_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_ADMIN, &body.stream.tenant,
                            &body.stream.store))
        return;
    ves_buf_put_str(&request->out, "{\"success\":true,\"agentId\":");
    ves_put_uuid(&request->out, &body.event.agent);
    ves_buf_putf(&request->out, ",\"keyId\":%u,\"signedBy\":\"owner\"}",
                 body.event.key_id);
    enter_event(request, &body);
}

/* By the operator, in all streams of the tenant. */
static void revoke_key(struct ves_request *request)
{
    struct ves_uuid agent, tenant, store;
    bool has_store;
    uint64_t key_id;
    if (!ves_request_uuid(request, 0, "the agent id", &agent))
        return;
    if (ves_decimal_parse(request->captures[1], &key_id) ||
        key_id > UINT32_MAX) {
        ves_reply_error(request, 400, NULL,
                        "the key id in the path is not a number below 2^32");
        return;
    }
    if (!ves_request_tenant(request, VES_RIGHT_ADMIN, &tenant, &has_store,
                            &store))
        return;
    if (request->caller.has_store) { /* a key may serve several stores */
        ves_reply_auth(request, VES_AUTH_STORE);
        return;
    }
    int64_t now_ms = ves_clock_now_ms();
    struct ves_error error = {0};
    enum ves_status status =
        ves_sequencer_revoke_key(&request->server->sequencer, &tenant, &agent,
                                 (uint32_t)key_id, now_ms, NULL, &error);
    if (status == VES_NOT_FOUND) {
        ves_reply_error(request, 404, NULL,
                        "this agent has no key with that number");
        return;
    }
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    struct ves_buf *out = &request->out;
    ves_buf_put_str(out, "{\"success\":true,\"tenantId\":");
    ves_put_uuid(out, &tenant);
    ves_buf_put_str(out, ",\"agentId\":");
    ves_put_uuid(out, &agent);
    ves_buf_putf(out, ",\"keyId\":%llu,", (unsigned long long)key_id);
    ves_buf_put_str(out, "\"message\":\"the key is revoked: no event after the "
                         "present head may carry it\"}");
    ves_reply(request, 200);
}

const struct ves_route ves_routes_keys[] = {
    {VES_METHOD_GET, "/api/v1/ves/keys", VES_ROUTE_READ, VES_ACCESS_READ, false,
     get_stream_keys},
    {VES_METHOD_GET, "/api/v1/ves/sequencer-keys", VES_ROUTE_READ,
     VES_ACCESS_ANY, false, get_sequencer_keys},
    {VES_METHOD_GET, "/api/v1/agents/{}/signing-keys", VES_ROUTE_READ,
     VES_ACCESS_READ, false, get_agent_keys},
    {VES_METHOD_POST, "/api/v1/agents/keys", VES_ROUTE_WRITE, VES_ACCESS_ADMIN,
     false, register_key},
    {VES_METHOD_POST, "/api/v1/agents/{}/key-rotations", VES_ROUTE_WRITE,
     VES_ACCESS_WRITE, false, rotate_key},
    {VES_METHOD_POST, "/api/v1/ves/key-policy", VES_ROUTE_WRITE,
     VES_ACCESS_ADMIN, false, set_policy},
    {VES_METHOD_POST, "/api/v1/ves/key-revocations", VES_ROUTE_WRITE,
     VES_ACCESS_ADMIN, false, revoke_owned},
    {VES_METHOD_DELETE, "/api/v1/agents/{}/keys/{}", VES_ROUTE_WRITE,
     VES_ACCESS_ADMIN, false, revoke_key},
    {.pattern = NULL}};
