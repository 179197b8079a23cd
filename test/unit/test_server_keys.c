/* test_server_keys.c -- the HTTP sequencer: keys, proofs, invitations, API
 * keys, restart and rotation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "core/invitation.h"
#include "core/keydir.h"
#include "core/merkle.h"
#include "core/receipt.h"
#include "test/lib/test_serve.h"

static struct test_serve serve;

enum { FAR_MS = 1 }; /* of an expiry: in 1970, long over */
static const unsigned long long never_ms = 9007199254740991ULL;

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

struct hex {
    char text[2 * VES_SIG_SIZE + 1];
};

static const char *hex(const void *data, size_t len, struct hex *out)
{
    ves_hex_encode(data, len, out->text);
    out->text[2 * len] = 0;
    return out->text;
}

#define HEX(data, len) hex(data, len, &(struct hex){""})

static struct ves_public_key sequencer_key(size_t index)
{
    struct ves_public_key key;
    char pointer[64];
    assert_int_equal(test_http_get(&serve.http, "/api/v1/ves/sequencer-keys"),
                     200);
    snprintf(pointer, sizeof(pointer), "/keys/%zu/publicKey", index);
    test_hex(test_http_text(&serve.http, pointer), key.b, VES_KEY_SIZE);
    return key;
}

/* ---- agent keys ---------------------------------------------------------- */

static uint32_t register_text(const char *camel, const char *agent,
                              unsigned key_id, const struct test_signer *key,
                              const char *more)
{
    const char *public_key = HEX(key->signer.public_key.b, VES_KEY_SIZE);
    if (*camel)
        return test_http_post(&serve.http, "/api/v1/agents/keys",
                              "{\"tenantId\":\"%s\",\"agentId\":\"%s\","
                              "\"keyId\":%u,\"publicKey\":\"0x%s\"%s}",
                              serve.tenant, agent, key_id, public_key, more);
    return test_http_post(&serve.http, "/api/v1/agents/keys",
                          "{\"tenant_id\":\"%s\",\"agent_id\":\"%s\","
                          "\"key_id\":%u,\"public_key\":\"%s\"%s}",
                          serve.tenant, agent, key_id, public_key, more);
}

static void test_register(void **state)
{
    (void)state;
    struct test_signer key, other;
    struct ves_hash hash;
    struct ves_sig sig;
    char more[512];
    const char *agent = "0193f000-0000-7000-8000-000000000001";
    test_signer_init(&key, 21);
    test_signer_init(&other, 22);
    assert_int_equal(register_text("c", agent, 1, &key, ""), 200);
    assert_true(test_http_is_true(&serve.http, "/success"));
    assert_int_equal(test_http_u64(&serve.http, "/keyAlgorithm"), 0);
    assert_int_equal(register_text("c", agent, 1, &key, ""), 200);
    assert_int_equal(register_text("", agent, 1, &key, ""), 200);
    assert_int_equal(register_text("c", agent, 1, &other, ""), 409);
    assert_string_equal(test_http_text(&serve.http, "/code"), "ALREADY_EXISTS");
    ves_pop_hash(&other.signer.public_key, &hash);
    test_signer_sign(&other, &hash, &sig);
    snprintf(more, sizeof(more),
             ",\"key_algorithm\":1,\"key_type\":\"signing\","
             "\"valid_to\":null,\"proof_of_possession\":{\"ed25519_pop\":"
             "\"%s\"}",
             HEX(sig.b, VES_SIG_SIZE));
    assert_int_equal(register_text("", agent, 2, &other, more), 200);
    assert_int_equal(test_http_u64(&serve.http, "/keyAlgorithm"), 1);
    sig.b[40] ^= 1;
    snprintf(more, sizeof(more),
             ",\"proofOfPossessionBundle\":{\"ed25519Pop\":\"%s\"}",
             HEX(sig.b, VES_SIG_SIZE));
    assert_int_equal(register_text("c", agent, 3, &other, more), 400);
    assert_int_equal(
        register_text("c", agent, 3, &other, ",\"keyAlgorithm\":5"), 400);
    assert_int_equal(
        register_text("c", agent, 3, &other, ",\"validFrom\":\"soon\""), 400);
    memset(other.signer.public_key.b, 0, VES_KEY_SIZE); /* small order */
    assert_int_equal(register_text("c", agent, 3, &other, ""), 400);
}

static void check_directory(const struct ves_public_key *sequencer)
{
    struct ves_hash hash;
    struct ves_sig sig;
    struct test_http *h = &serve.http;
    test_hex(test_http_text(h, "/directorySignature") + 2, sig.b, VES_SIG_SIZE);
    assert_int_equal(
        ves_keydir_hash(&h->arena, ves_alloc_default(), h->json, &hash),
        VES_OK);
    assert_true(test_verify(sequencer, &hash, &sig));
}

static const struct ves_agent_key *find_key(const struct ves_uuid *agent,
                                            uint32_t key_id)
{
    struct ves_agent_key *keys;
    size_t count;
    assert_int_equal(
        ves_keydir_read(&serve.http.arena, serve.http.json, &keys, &count),
        VES_OK);
    for (size_t i = 0; i < count; i++) {
        if (ves_uuid_equal(&keys[i].agent, agent) && keys[i].key_id == key_id)
            return &keys[i];
    }
    return NULL;
}

static void get_directory(const char *path)
{
    assert_int_equal(test_http_get(&serve.http, "%s", path), 200);
}

static void push_as(const struct test_signer *key, uint32_t key_id, uint32_t n,
                    const char *reason)
{
    struct test_request request;
    struct test_event event;
    test_request_begin(&request, &serve.agent);
    test_event_init(&event, &serve.stream, &serve.agent, n);
    event.fields.agent_key_id = key_id;
    test_request_event(&request, &event, key);
    assert_int_equal(test_http_call(&serve.http, "POST",
                                    "/api/v1/ves/events/ingest",
                                    test_request_end(&request)),
                     200);
    test_request_free(&request);
    assert_int_equal(test_http_u64(&serve.http, "/eventsAccepted"), !reason);
    if (reason)
        assert_string_equal(test_http_text(&serve.http, "/rejections/0/reason"),
                            reason);
}

static void test_revoke(void **state)
{
    (void)state;
    struct ves_public_key sequencer = sequencer_key(0);
    struct test_signer key;
    char path[256], stream_keys[256];
    test_signer_init(&key, 23);
    snprintf(stream_keys, sizeof(stream_keys), "/api/v1/ves/keys?%s",
             serve.scope);
    assert_int_equal(test_serve_push(&serve, &serve.http, 10, 2), 200);
    uint64_t head = test_http_u64(&serve.http, "/headSequence");
    push_as(&key, 7, 20, "agent_key_invalid: Agent key not found");
    test_serve_register(&serve, &serve.agent, 7, &key);
    push_as(&key, 7, 20, NULL);
    get_directory(stream_keys);
    check_directory(&sequencer);
    assert_string_equal(test_http_text(&serve.http, "/storeId"), serve.store);
    assert_int_equal(find_key(&serve.agent, 7)->valid_from_sequence, head + 1);
    assert_int_equal(find_key(&serve.agent, 7)->revoked_at_sequence, 0);
    assert_int_equal(find_key(&serve.agent, 1)->valid_from_sequence, 1);
    snprintf(path, sizeof(path), "/api/v1/agents/%s/keys/7?tenant_id=%s",
             serve.agent_text, serve.tenant);
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 200);
    /* What is in the log stays; the next number is refused. */
    push_as(&key, 7, 21, "agent_key_invalid: Agent key has been revoked");
    get_directory(stream_keys);
    check_directory(&sequencer);
    assert_int_equal(find_key(&serve.agent, 7)->revoked_at_sequence, head + 2);
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 200);
    snprintf(path, sizeof(path), "/api/v1/agents/%s/keys/99?tenant_id=%s",
             serve.agent_text, serve.tenant);
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 404);
    /* One agent's, without and with the sequence members (A.10, H). */
    snprintf(path, sizeof(path), "/api/v1/agents/%s/signing-keys?tenant_id=%s",
             serve.agent_text, serve.tenant);
    get_directory(path);
    check_directory(&sequencer);
    assert_string_equal(test_http_text(&serve.http, "/agentId"),
                        serve.agent_text);
    assert_true(test_http_is_null(&serve.http, "/keys/0/publicKeyBundle"));
    assert_null(strstr(test_http_body(&serve.http), "Sequence"));
    assert_non_null(find_key(&serve.agent, 7));
    snprintf(path, sizeof(path), "/api/v1/agents/%s/signing-keys?%s",
             serve.agent_text, serve.scope);
    get_directory(path);
    check_directory(&sequencer);
    assert_int_equal(find_key(&serve.agent, 7)->revoked_at_sequence, head + 2);
    assert_string_equal(test_http_text(&serve.http, "/storeId"), serve.store);
}

/* ---- commitments and proofs ---------------------------------------------- */

static uint32_t commit(uint64_t start, uint64_t end)
{
    return test_http_post(&serve.http, "/api/v1/ves/commitments",
                          "{\"tenant_id\":\"%s\",\"store_id\":\"%s\","
                          "\"sequence_start\":%llu,\"sequence_end\":%llu}",
                          serve.tenant, serve.store, (unsigned long long)start,
                          (unsigned long long)end);
}

static struct ves_hash hash_at(const char *pointer)
{
    return test_hash(test_http_text(&serve.http, pointer));
}

/* The state root as A.8 says, from what the answer tells. */
static void check_chain(const struct ves_hash *previous)
{
    struct ves_hash id, want, have = hash_at("/new_state_root");
    struct ves_hash root = hash_at("/merkle_root");
    struct ves_hash told = hash_at("/prev_state_root");
    assert_memory_equal(told.b, previous->b, VES_HASH_SIZE);
    ves_stream_id(&serve.stream, &id);
    ves_state_root(&id, previous, &root,
                   test_http_u64(&serve.http, "/sequence_start"),
                   test_http_u64(&serve.http, "/sequence_end"),
                   (uint32_t)test_http_u64(&serve.http, "/leaf_count"), &want);
    assert_memory_equal(want.b, have.b, VES_HASH_SIZE);
}

static void check_proof(uint64_t sequence, const char *more)
{
    struct test_http *h = &serve.http;
    struct ves_inclusion proof = {0};
    assert_int_equal(test_http_get(h, "/api/v1/ves/proofs/%llu?%s%s",
                                   (unsigned long long)sequence, serve.scope,
                                   more),
                     200);
    struct ves_hash leaf = hash_at("/leaf_hash");
    struct ves_hash root = hash_at("/merkle_root");
    proof.leaf_index = test_http_u64(h, "/leaf_index");
    for (const struct ves_json *item =
             ves_json_member(h->json, "proof_path")->first;
         item; item = item->next)
        assert_int_equal(ves_hex_decode(item->string,
                                        proof.path[proof.depth++].b,
                                        VES_HASH_SIZE),
                         VES_OK);
    assert_int_equal(ves_inclusion_check(&proof, &leaf, &root), VES_OK);
    /* The server's own check, and of a changed path. */
    struct ves_bytes path = ves_json_member(h->json, "proof_path")->text;
    for (int bad = 0; bad < 2; bad++) {
        struct test_http ask;
        test_http_init(&ask, h->url);
        test_http_auth(&ask, "x-api-key: ", serve.admin_key);
        assert_int_equal(
            test_http_post(
                &ask, "/api/v1/ves/proofs/verify",
                "{\"leaf_hash\":\"%s\",\"merkle_root\":\"0x%s\","
                "\"proof_path\":%.*s,\"leaf_index\":%llu}",
                HEX(leaf.b, VES_HASH_SIZE), HEX(root.b, VES_HASH_SIZE),
                (int)path.len, (const char *)path.ptr,
                (unsigned long long)proof.leaf_index + (bad ? 1024 : 0)),
            200);
        assert_int_equal(test_http_is_true(&ask, "/valid"), !bad);
        test_http_free(&ask);
    }
}

static void test_commitments(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    const struct ves_hash zeros = {{0}};
    char batch[VES_UUID_TEXT + 1], more[96];
    assert_int_equal(test_serve_push(&serve, h, 40, 11), 200);
    uint64_t head = test_http_u64(h, "/headSequence");
    assert_int_equal(commit(2, 5), 400);
    assert_int_equal(commit(1, head + 1), 400);
    assert_int_equal(commit(1, 5), 200);
    check_chain(&zeros);
    assert_int_equal(test_http_u64(h, "/tree_depth"), 3);
    assert_int_equal(test_http_u64(h, "/padded_leaf_count"), 8);
    struct ves_hash first = hash_at("/new_state_root");
    strncpy(batch, test_http_text(h, "/batch_id"), VES_UUID_TEXT);
    batch[VES_UUID_TEXT] = 0;
    assert_int_equal(commit(1, 5), 200);
    assert_string_equal(test_http_text(h, "/batch_id"), batch);
    assert_int_equal(commit(1, 6), 400);
    assert_int_equal(commit(6, head), 200);
    check_chain(&first);
    assert_int_equal(
        test_http_get(h, "/api/v1/ves/commitments?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(h, "/count"), 2);
    assert_string_equal(test_http_text(h, "/commitments/0/batch_id"), batch);
    assert_false(test_http_is_true(h, "/commitments/1/is_anchored"));
    assert_int_equal(test_http_get(h, "/api/v1/ves/commitments/%s", batch),
                     200);
    assert_int_equal(test_http_u64(h, "/event_count"), 5);
    assert_int_equal(
        test_http_get(h, "/api/v1/ves/commitments/%s", serve.tenant), 404);
    for (uint64_t n = 1; n <= head; n++)
        check_proof(n, "");
    snprintf(more, sizeof(more), "&batch_id=%s", batch);
    check_proof(3, more);
    assert_int_equal(
        test_http_get(h, "/api/v1/ves/proofs/6?%s%s", serve.scope, more), 400);
    assert_int_equal(test_http_get(h, "/api/v1/ves/proofs/%llu?%s",
                                   (unsigned long long)head + 1, serve.scope),
                     404);
    assert_int_equal(test_http_get(h, "/api/v1/ves/proofs/0?%s", serve.scope),
                     400);
}

/* ---- invitations --------------------------------------------------------- */

struct invite {
    struct ves_invitation invitation;
    struct test_signer owner, key;
    unsigned uses;
    char id[VES_UUID_TEXT + 1];
};

static void invite_init(struct invite *invite, uint32_t id, uint8_t owner)
{
    memset(invite, 0, sizeof(*invite));
    test_signer_init(&invite->owner, owner);
    test_signer_init(&invite->key, 31);
    invite->uses = 1;
    invite->invitation.stream =
        (struct ves_stream){serve.stream.tenant, test_id(0xb2)};
    invite->invitation.invitation_id = test_id(id);
    invite->invitation.public_key = invite->key.signer.public_key;
    invite->invitation.rights = VES_RIGHT_READ | VES_RIGHT_WRITE;
    invite->invitation.expires_ms = (int64_t)never_ms;
    ves_uuid_format(&invite->invitation.invitation_id, invite->id);
}

static const char *other_store(void)
{
    static char text[VES_UUID_TEXT + 1];
    struct ves_uuid id = test_id(0xb2);
    ves_uuid_format(&id, text);
    return text;
}

static uint32_t post_invite(const struct invite *invite)
{
    struct ves_hash hash;
    struct ves_sig sig;
    ves_invitation_hash(&invite->invitation, &hash);
    test_signer_sign(&invite->owner, &hash, &sig);
    return test_http_post(
        &serve.http, "/api/v1/invitations",
        "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"invitationId\":\"%s\","
        "\"publicKey\":\"%s\",\"ownerPublicKey\":\"%s\","
        "\"ownerSignature\":\"%s\",\"rights\":[\"read\",\"write\"],"
        "\"usesMax\":%u,\"expiresAtMs\":%llu}",
        serve.tenant, other_store(), invite->id,
        HEX(invite->key.signer.public_key.b, VES_KEY_SIZE),
        HEX(invite->owner.signer.public_key.b, VES_KEY_SIZE),
        HEX(sig.b, VES_SIG_SIZE), invite->uses,
        (unsigned long long)invite->invitation.expires_ms);
}

/* Without an API key; bad: 1 spoils the invitation's signature, 2 the
 * agent's. */
static uint32_t redeem(struct test_http *http, const struct invite *invite,
                       uint32_t agent, const struct test_signer *key, int bad)
{
    struct ves_uuid id = test_id(agent);
    struct ves_hash hash;
    struct ves_sig by_invitation, by_agent;
    char text[VES_UUID_TEXT + 1];
    static uint8_t nonce[VES_REDEEM_NONCE_SIZE]; /* another each time */
    nonce[0]++;
    ves_uuid_format(&id, text);
    ves_redeem_hash(&invite->invitation.stream,
                    &invite->invitation.invitation_id, &id, 1,
                    &key->signer.public_key, nonce, NULL, &hash);
    test_signer_sign(&invite->key, &hash, &by_invitation);
    test_signer_sign(key, &hash, &by_agent);
    by_invitation.b[3] ^= bad == 1;
    by_agent.b[3] ^= bad == 2;
    return test_http_post(
        http, "/api/v1/invitations/redeem",
        "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"invitationId\":\"%s\","
        "\"agentId\":\"%s\",\"keyId\":1,\"publicKey\":\"%s\","
        "\"invitationSignature\":\"%s\",\"agentSignature\":\"%s\","
        "\"nonce\":\"%s\"}",
        serve.tenant, other_store(), invite->id, text,
        HEX(key->signer.public_key.b, VES_KEY_SIZE),
        HEX(by_invitation.b, VES_SIG_SIZE), HEX(by_agent.b, VES_SIG_SIZE),
        HEX(nonce, sizeof(nonce)));
}

static uint32_t head_with(const char *api_key)
{
    struct test_http http;
    test_http_init(&http, serve.http.url);
    test_http_auth(&http, "x-api-key: ", api_key);
    uint32_t status =
        test_http_get(&http, "/api/v1/ves/head?tenant_id=%s&store_id=%s",
                      serve.tenant, other_store());
    test_http_free(&http);
    return status;
}

static void keep_key(struct test_http *http, char out[64])
{
    strncpy(out, test_http_text(http, "/apiKey"), 63);
    out[63] = 0;
}

static void expect_code(struct test_http *http, const char *code)
{
    assert_string_equal(test_http_text(http, "/code"), code);
}

static void test_invite(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct invite invite;
    invite_init(&invite, 1000, 30);
    invite.invitation.rights = VES_RIGHT_READ; /* signed for less */
    assert_int_equal(post_invite(&invite), 400);
    invite.invitation.rights = VES_RIGHT_READ | VES_RIGHT_WRITE;
    assert_int_equal(post_invite(&invite), 200);
    assert_true(test_http_is_null(h, "/tlsKey"));
    assert_int_equal(test_http_u64(h, "/sequencerKeys/0/version"), 1);
    assert_int_equal(strlen(test_http_text(h, "/sequencerId")), 36);
    assert_int_equal(post_invite(&invite), 200); /* the very same */
    invite.uses = 2;
    assert_int_equal(post_invite(&invite), 409);
    invite_init(&invite, 1001, 32);
    assert_int_equal(post_invite(&invite), 409);
    expect_code(h, "owner_mismatch");
}

static void test_redeem(void **state)
{
    (void)state;
    struct invite invite;
    struct test_signer till, other;
    struct test_http anyone;
    char first[64], second[64];
    test_http_init(&anyone, serve.http.url);
    test_signer_init(&till, 33);
    test_signer_init(&other, 34);
    invite_init(&invite, 1010, 30);
    assert_int_equal(post_invite(&invite), 200);
    assert_int_equal(redeem(&anyone, &invite, 2000, &till, 1), 403);
    expect_code(&anyone, "invalid_signature");
    assert_int_equal(redeem(&anyone, &invite, 2000, &till, 2), 403);
    assert_int_equal(redeem(&anyone, &invite, 2000, &till, 0), 200);
    keep_key(&anyone, first);
    assert_int_equal(test_http_u64(&anyone, "/keyId"), 1);
    /* The key itself is in the log of a stream that has an owner. */
    assert_int_equal(test_http_u64(&anyone, "/headSequence"), 1);
    assert_int_equal(test_http_u64(&anyone, "/sequencerKeys/0/version"), 1);
    assert_int_equal(head_with(first), 200);
    /* The reply was lost: again, though it was for one use. */
    assert_int_equal(redeem(&anyone, &invite, 2000, &till, 0), 200);
    keep_key(&anyone, second);
    assert_int_equal(head_with(first), 401);
    assert_int_equal(head_with(second), 200);
    /* Another agent, and another key under the same id. */
    assert_int_equal(redeem(&anyone, &invite, 2001, &other, 0), 403);
    expect_code(&anyone, "invitation_used");
    assert_int_equal(redeem(&anyone, &invite, 2000, &other, 0), 409);
    expect_code(&anyone, "agent_exists");
    assert_int_equal(head_with(second), 200);
    invite.id[35] ^= 1;
    assert_int_equal(redeem(&anyone, &invite, 2000, &till, 0), 404);
    /* Both signatures stay with the key, whose registrar is named. */
    assert_int_equal(test_http_get(&serve.http,
                                   "/api/v1/ves/keys?tenant_id=%s&store_id=%s",
                                   serve.tenant, other_store()),
                     200);
    struct ves_uuid agent = test_id(2000);
    assert_string_equal(find_key(&agent, 1)->registrar, "invitation");
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/keys?%s", serve.scope), 200);
    assert_null(find_key(&agent, 1)); /* it is no key of another stream */
    /* The API key is that agent's, for that stream. */
    test_http_auth(&anyone, "x-api-key: ", second);
    assert_int_equal(test_http_get(&anyone, "/api/v1/ves/head?%s", serve.scope),
                     403);
    test_http_free(&anyone);
}

static void test_redeem_limits(void **state)
{
    (void)state;
    struct invite invite;
    struct test_signer key;
    struct test_http anyone;
    test_http_init(&anyone, serve.http.url);
    invite_init(&invite, 1020, 30);
    invite.invitation.expires_ms = FAR_MS;
    assert_int_equal(post_invite(&invite), 200);
    test_signer_init(&key, 35);
    assert_int_equal(redeem(&anyone, &invite, 2010, &key, 0), 403);
    expect_code(&anyone, "invitation_expired");
    invite_init(&invite, 1021, 30);
    invite.uses = 0; /* any number */
    assert_int_equal(post_invite(&invite), 200);
    for (uint8_t i = 0; i < 3; i++) {
        test_signer_init(&key, (uint8_t)(40 + i));
        assert_int_equal(redeem(&anyone, &invite, 2020u + i, &key, 0), 200);
    }
    /* A revoked agent does not come back by its invitation. */
    struct ves_uuid agent = test_id(2022);
    char path[256], text[VES_UUID_TEXT + 1];
    ves_uuid_format(&agent, text);
    snprintf(path, sizeof(path), "/api/v1/agents/%s/keys/1?tenant_id=%s", text,
             serve.tenant);
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 200);
    assert_int_equal(redeem(&anyone, &invite, 2022, &key, 0), 409);
    test_http_free(&anyone);
}

/* ---- API keys, metrics --------------------------------------------------- */

static void test_api_keys(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    char key[64], id[32], path[128];
    test_serve_key(&serve, "\"rights\":[\"read\"],\"label\":\"page\"", key);
    strncpy(id, test_http_text(h, "/id"), sizeof(id) - 1);
    id[16] = 0;
    assert_int_equal(strncmp(key, "ss_01930000", 11), 0);
    assert_int_equal(
        test_http_get(h, "/api/v1/api-keys?tenant_id=%s", serve.tenant), 200);
    assert_non_null(strstr(test_http_body(h), id));
    assert_non_null(strstr(test_http_body(h), "\"page\""));
    assert_null(strstr(test_http_body(h), key));
    assert_int_equal(head_with(key), 200);
    snprintf(path, sizeof(path), "/api/v1/api-keys/%s", id);
    assert_int_equal(test_http_call(h, "DELETE", path, ves_bytes(NULL, 0)),
                     200);
    assert_int_equal(head_with(key), 401);
    snprintf(path, sizeof(path), "/api/v1/api-keys/%.15s", id);
    assert_int_equal(test_http_call(h, "DELETE", path, ves_bytes(NULL, 0)),
                     404);
    /* Nobody locks himself out. */
    assert_int_equal(test_http_get(h, "/api/v1/api-keys?tenant_id=%s",
                                   "00000000-0000-0000-0000-000000000000"),
                     200);
    snprintf(path, sizeof(path), "/api/v1/api-keys/%s",
             test_http_text(h, "/apiKeys/0/id"));
    assert_int_equal(test_http_call(h, "DELETE", path, ves_bytes(NULL, 0)),
                     409);
    assert_int_equal(
        test_http_post(h, "/api/v1/api-keys",
                       "{\"tenantId\":\"00000000-0000-0000-0000-000000000000\""
                       ",\"rights\":[\"read\"]}"),
        400);
    assert_int_equal(test_http_post(h, "/api/v1/api-keys",
                                    "{\"tenantId\":\"%s\",\"rights\":[\"x\"]}",
                                    serve.tenant),
                     400);
}

static void test_metrics(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    char line[160];
    assert_int_equal(test_http_get(h, "/api/v1/ves/head?%s", serve.scope), 200);
    uint64_t head = test_http_u64(h, "/head_sequence");
    assert_int_equal(test_http_get(h, "/metrics"), 200);
    assert_true(test_http_has_header(h, "content-type: text/plain"));
    snprintf(line, sizeof(line),
             "\nsequencer_head_sequence{tenant=\"%s\",store=\"%s\"} %llu\n",
             serve.tenant, serve.store, (unsigned long long)head);
    assert_non_null(strstr(test_http_body(h), line));
    assert_non_null(
        strstr(test_http_body(h), "\nsequencer_events_sequenced_total "));
    assert_non_null(strstr(test_http_body(h), "_bucket{le=\"+Inf\"} "));
    assert_null(
        strstr(test_http_body(h), "sequencer_events_sequenced_total 0"));
    assert_int_equal(test_http_get(h, "/health/detailed"), 200);
    assert_int_equal(test_http_u64(h, "/sequencerKeyVersion"), 1);
}

/* ---- restart and rotation ------------------------------------------------ */

static void test_restart(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    char key[64], id[64];
    struct ves_public_key before = sequencer_key(0);
    test_serve_key(&serve, "\"rights\":[\"read\"]", key);
    assert_int_equal(test_http_get(h, "/api/v1/ves/head?%s", serve.scope), 200);
    uint64_t head = test_http_u64(h, "/head_sequence");
    assert_int_equal(test_http_get(h, "/api/v1/ves/sequencer-keys"), 200);
    strncpy(id, test_http_text(h, "/sequencerId"), sizeof(id) - 1);
    id[36] = 0;
    test_serve_stop(&serve);
    test_serve_start(&serve);
    assert_null(ves_server_new_admin_key(serve.server));
    assert_int_equal(test_http_get(h, "/api/v1/ves/head?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(h, "/head_sequence"), head);
    assert_int_equal(head_with(key), 200);
    struct ves_public_key after = sequencer_key(0);
    assert_memory_equal(before.b, after.b, VES_KEY_SIZE);
    assert_string_equal(test_http_text(h, "/sequencerId"), id);
    /* A known event again, and a new one behind the old head. */
    assert_int_equal(test_serve_push(&serve, h, 10, 1), 200);
    assert_int_equal(test_http_u64(h, "/headSequence"), head);
    assert_int_equal(test_serve_push(&serve, h, 90, 1), 200);
    assert_int_equal(test_http_u64(h, "/sequenceStart"), head + 1);
}

static void test_rotation(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct ves_public_key old = sequencer_key(0);
    struct ves_hash hash;
    struct ves_sig sig;
    test_serve_stop(&serve);
    serve.options.rotate_key = true;
    test_serve_start(&serve);
    serve.options.rotate_key = false;
    struct ves_public_key now = sequencer_key(1);
    assert_memory_not_equal(old.b, now.b, VES_KEY_SIZE);
    test_hex(test_http_text(h, "/keys/1/statementSignature"), sig.b,
             VES_SIG_SIZE);
    ves_seqkey_hash(&old, &now, 2, &hash);
    assert_true(test_verify(&old, &hash, &sig));
    assert_int_equal(test_http_u64(h, "/keys/1/version"), 2);
    assert_int_equal(test_serve_push(&serve, h, 91, 1), 200);
    assert_int_equal(test_http_u64(h, "/receipts/0/sequencerKeyVersion"), 2);
    test_hex(test_http_text(h, "/receipts/0/receiptHash"), hash.b,
             VES_HASH_SIZE);
    test_hex(test_http_text(h, "/receipts/0/sequencerSignature"), sig.b,
             VES_SIG_SIZE);
    assert_true(test_verify(&now, &hash, &sig));
    /* Directories go with the new key, old receipts keep theirs. */
    assert_int_equal(test_http_get(h, "/api/v1/ves/keys?%s", serve.scope), 200);
    check_directory(&now);
    assert_int_equal(test_serve_push(&serve, h, 10, 1), 200);
    assert_int_equal(test_http_u64(h, "/receipts/0/sequencerKeyVersion"), 1);
    test_serve_stop(&serve);
    test_serve_start(&serve);
    assert_int_equal(test_serve_push(&serve, h, 92, 1), 200);
    assert_int_equal(test_http_u64(h, "/receipts/0/sequencerKeyVersion"), 2);
}

static void paths(char key[128], char next[128], char kept[128])
{
    snprintf(key, 128, "%s.key", serve.db);
    snprintf(next, 128, "%s.key.next", serve.db);
    snprintf(kept, 128, "%s.kept", serve.db);
}

static void expect_start(enum ves_status want, const char *word)
{
    struct ves_server *server = NULL;
    struct ves_error error = {0};
    assert_int_equal(ves_server_start(&serve.options, &server, &error), want);
    if (word && !strstr(error.text, word))
        fail_msg("no %s in: %s", word, error.text);
    if (server)
        ves_server_stop(server);
}

static void test_key_files(void **state)
{
    (void)state;
    char key[128], next[128], kept[128];
    paths(key, next, kept);
    test_serve_stop(&serve);
    /* Missing, and another sequencer's. */
    assert_int_equal(rename(key, kept), 0);
    expect_start(VES_NOT_FOUND, "missing");
    struct test_serve other;
    test_serve_init(&other);
    test_serve_stop(&other);
    char stranger[128];
    snprintf(stranger, sizeof(stranger), "%s.key", other.db);
    assert_int_equal(rename(stranger, key), 0);
    expect_start(VES_CORRUPT, "not the key");
    test_serve_free(&other);
    /* A rotation cut short after the store named the next key... */
    assert_int_equal(rename(kept, next), 0);
    expect_start(VES_OK, NULL);
    assert_int_not_equal(access(next, F_OK), 0);
    /* ...and before. */
    struct test_serve third;
    test_serve_init(&third);
    test_serve_stop(&third);
    snprintf(stranger, sizeof(stranger), "%s.key", third.db);
    assert_int_equal(rename(stranger, next), 0);
    expect_start(VES_OK, NULL);
    assert_int_not_equal(access(next, F_OK), 0);
    test_serve_free(&third);
    test_serve_start(&serve);
    assert_int_equal(test_serve_push(&serve, &serve.http, 93, 1), 200);
    assert_int_equal(
        test_http_u64(&serve.http, "/receipts/0/sequencerKeyVersion"), 2);
}

/* ---- options ------------------------------------------------------------- */

static void test_require_v2(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct test_event event;
    for (int require = 0; require < 2; require++) {
        struct test_request request;
        test_serve_stop(&serve);
        serve.options.require_v2 = require;
        test_serve_start(&serve);
        test_request_begin(&request, &serve.agent);
        test_event_init(&event, &serve.stream, &serve.agent,
                        9000 + (uint32_t)require);
        event.fields.ves_version = 1;
        test_request_event(&request, &event, &serve.agent_key);
        assert_int_equal(test_http_call(h, "POST", "/api/v1/ves/events/ingest",
                                        test_request_end(&request)),
                         200);
        test_request_free(&request);
        assert_int_equal(test_http_u64(h, "/eventsAccepted"), !require);
    }
    assert_string_equal(test_http_text(h, "/rejections/0/reason"),
                        "unsupported_version");
    serve.options.require_v2 = false;
}

static int give_passphrase(void *ctx, char *out, size_t size)
{
    const char *text = ctx;
    size_t len = strlen(text);
    assert_true(len <= size);
    memcpy(out, text, len);
    return (int)len;
}

static void test_passphrase(void **state)
{
    (void)state;
    struct ves_serve_options options = serve.options;
    struct ves_server *server;
    struct ves_error error;
    char db[128];
    static char right[] = "correct horse", wrong[] = "battery";
    snprintf(db, sizeof(db), "%s/sealed.db", serve.folder);
    options.db = db;
    options.seal_key = true;
    options.passphrase = give_passphrase;
    options.passphrase_ctx = right;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    ves_server_stop(server);
    options.passphrase_ctx = wrong;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_AUTH);
    options.passphrase = NULL;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_AUTH);
    options.passphrase = give_passphrase;
    options.passphrase_ctx = right;
    options.rotate_key = true;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    ves_server_stop(server);
    options.rotate_key = false;
    options.passphrase = NULL; /* the next key is sealed, too */
    assert_int_equal(ves_server_start(&options, &server, &error), VES_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register),
        cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_commitments),
        cmocka_unit_test(test_invite),
        cmocka_unit_test(test_redeem),
        cmocka_unit_test(test_redeem_limits),
        cmocka_unit_test(test_api_keys),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_key_files),
        cmocka_unit_test(test_require_v2),
        cmocka_unit_test(test_passphrase),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
