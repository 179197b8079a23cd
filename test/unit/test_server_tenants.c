/* test_server_tenants.c -- what belongs to one tenant, asked for by another's
 * administrator over every route there is: the answer is, byte by byte, the
 * one to a name that nobody has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "base/text.h"
#include "core/invitation.h"
#include "core/merkle.h"
#include "server/routes.h"
#include "test/lib/test_serve.h"

/* What takes the place of a letter in a path or a body. */
struct names {
    const char *tenant;  /* $T */
    const char *store;   /* $S */
    const char *agent;   /* $A */
    const char *log;     /* $L: the stream's id */
    const char *batch;   /* $B */
    const char *api_key; /* $K: the first digits of its hash */
    const char *invited; /* $I */
};

enum {
    OPEN = 1,         /* tells nothing of any tenant */
    NAMED_ITSELF = 2, /* the name does not say whose it is */
    FILTERED = 4      /* a list of what the caller may see */
};

/* One request for each row of the router. */
static const struct asked {
    enum ves_method method;
    const char *pattern;
    const char *path;
    const char *body; /* NULL: none */
    unsigned flags;
} asked[] = {
#define SCOPE "tenant_id=$T&store_id=$S"
#define WHERE "\"tenantId\":\"$T\",\"storeId\":\"$S\""
#define H32   "1111111111111111111111111111111111111111111111111111111111111111"
#define H64   H32 H32
    {VES_METHOD_POST, "/api/v1/ves/events/ingest", "/api/v1/ves/events/ingest",
     "{\"agentId\":\"$A\",\"events\":[{\"ves_version\":1,\"event_id\":\"$A\","
     "\"tenant_id\":\"$T\",\"store_id\":\"$S\",\"source_agent_id\":\"$A\","
     "\"agent_key_id\":1,\"entity_type\":\"x\",\"entity_id\":\"y\","
     "\"event_type\":\"z\",\"created_at\":\"2026-01-01T00:00:00Z\","
     "\"payload_kind\":0,\"payload\":{},\"payload_plain_hash\":\"" H32
     "\",\"agent_signature\":\"" H64 "\"}]}",
     0},
    {VES_METHOD_GET, "/api/v1/ves/events", "/api/v1/ves/events?" SCOPE, NULL,
     0},
    {VES_METHOD_GET, "/api/v1/ves/head", "/api/v1/ves/head?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/entities/{}/{}",
     "/api/v1/ves/entities/order/1?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/cursors/{}", "/api/v1/ves/cursors/$A?" SCOPE,
     NULL, 0},
    {VES_METHOD_PUT, "/api/v1/ves/cursors/{}", "/api/v1/ves/cursors/$A",
     "{" WHERE ",\"sequenceNumber\":1}", 0},
    {VES_METHOD_GET, "/api/v1/ves/refusals", "/api/v1/ves/refusals?" SCOPE,
     NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/state", "/api/v1/ves/state?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/events", "/api/v1/events?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/head", "/api/v1/head?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/entities/{}/{}",
     "/api/v1/entities/order/1?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/events/stream",
     "/api/v1/ves/events/stream?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/keys", "/api/v1/ves/keys?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/sequencer-keys", "/api/v1/ves/sequencer-keys",
     NULL, OPEN},
    {VES_METHOD_GET, "/api/v1/agents/{}/signing-keys",
     "/api/v1/agents/$A/signing-keys?tenant_id=$T", NULL, 0},
    {VES_METHOD_PUT, "/api/v1/agents/{}/policy", "/api/v1/agents/$A/policy",
     "{\"tenantId\":\"$T\",\"allowedEventTypes\":[],"
     "\"allowedEntityTypes\":[],\"enabled\":false}",
     0},
    {VES_METHOD_GET, "/api/v1/agents/{}/policy",
     "/api/v1/agents/$A/policy?tenant_id=$T", NULL, 0},
    {VES_METHOD_POST, "/api/v1/agents/keys", "/api/v1/agents/keys",
     "{\"tenantId\":\"$T\",\"agentId\":\"$A\",\"keyId\":1,\"publicKey\":\"" H32
     "\"}",
     0},
    {VES_METHOD_POST, "/api/v1/agents/{}/key-rotations",
     "/api/v1/agents/$A/key-rotations",
     "{" WHERE ",\"previousKeyId\":1,\"keyId\":2,\"publicKey\":\"" H32
     "\",\"previousSignature\":\"" H64 "\",\"signature\":\"" H64 "\"}",
     0},
    {VES_METHOD_POST, "/api/v1/ves/key-policy", "/api/v1/ves/key-policy",
     "{" WHERE ",\"strict\":true,\"number\":1,\"ownerSignature\":\"" H64 "\"}",
     0},
    {VES_METHOD_POST, "/api/v1/ves/key-revocations",
     "/api/v1/ves/key-revocations",
     "{" WHERE ",\"agentId\":\"$A\",\"keyId\":1,\"ownerSignature\":\"" H64
     "\"}",
     0},
    {VES_METHOD_DELETE, "/api/v1/agents/{}/keys/{}",
     "/api/v1/agents/$A/keys/1?tenant_id=$T", NULL, 0},
    {VES_METHOD_POST, "/api/v1/ves/commitments", "/api/v1/ves/commitments",
     "{\"tenant_id\":\"$T\",\"store_id\":\"$S\",\"sequence_start\":1,"
     "\"sequence_end\":1}",
     0},
    {VES_METHOD_GET, "/api/v1/ves/commitments",
     "/api/v1/ves/commitments?" SCOPE, NULL, 0},
    {VES_METHOD_GET, "/api/v1/ves/commitments/{}", "/api/v1/ves/commitments/$B",
     NULL, NAMED_ITSELF},
    {VES_METHOD_GET, "/api/v1/commitments/{}", "/api/v1/commitments/$B", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/api/v1/ves/proofs/{}",
     "/api/v1/ves/proofs/1?" SCOPE "&batch_id=$B", NULL, 0},
    {VES_METHOD_POST, "/api/v1/ves/proofs/verify", "/api/v1/ves/proofs/verify",
     "{\"leaf_hash\":\"" H32 "\",\"merkle_root\":\"" H32
     "\",\"proof_path\":[],\"leaf_index\":0}",
     OPEN},
    {VES_METHOD_GET, "/ves/{}/checkpoint", "/ves/$L/checkpoint", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/ves/{}/witnessed", "/ves/$L/witnessed", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/ves/{}/tile/{*}", "/ves/$L/tile/0/000.p/1", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/ves/{}/inclusion/{}", "/ves/$L/inclusion/1", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/ves/{}/consistency", "/ves/$L/consistency?from=1", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/ves/{}/proof/{}", "/ves/$L/proof/1", NULL, NAMED_ITSELF},
    {VES_METHOD_GET, "/api/v1/ves/log", "/api/v1/ves/log?" SCOPE, NULL, 0},
    {VES_METHOD_POST, "/api/v1/invitations", "/api/v1/invitations",
     "{" WHERE ",\"invitationId\":\"$I\",\"publicKey\":\"" H32
     "\",\"ownerPublicKey\":\"" H32 "\",\"ownerSignature\":\"" H64
     "\",\"rights\":[\"read\"],\"usesMax\":1,\"expiresAtMs\":9007199254740991}",
     0},
    /* With the asker's own stream: the invitation's is not told. */
    {VES_METHOD_POST, "/api/v1/invitations/redeem",
     "/api/v1/invitations/redeem",
     "{\"tenantId\":\"00000000-0000-4000-8000-000000000001\","
     "\"storeId\":\"00000000-0000-4000-8000-000000000002\","
     "\"invitationId\":\"$I\",\"agentId\":\"$A\",\"keyId\":1,"
     "\"publicKey\":\"" H32 "\",\"invitationSignature\":\"" H64
     "\",\"agentSignature\":\"" H64 "\"}",
     NAMED_ITSELF},
    {VES_METHOD_POST, "/api/v1/api-keys", "/api/v1/api-keys",
     "{\"tenantId\":\"$T\",\"rights\":[\"read\"]}", 0},
    {VES_METHOD_GET, "/api/v1/api-keys", "/api/v1/api-keys?tenant_id=$T", NULL,
     FILTERED},
    {VES_METHOD_DELETE, "/api/v1/api-keys/{}", "/api/v1/api-keys/$K", NULL,
     NAMED_ITSELF},
    {VES_METHOD_GET, "/health", "/health", NULL, OPEN},
    {VES_METHOD_GET, "/ready", "/ready", NULL, OPEN},
    {VES_METHOD_GET, "/health/detailed", "/health/detailed", NULL, 0},
    {VES_METHOD_GET, "/metrics", "/metrics", NULL, 0},
};

static struct test_serve serve;
static char log_id[2 * VES_HASH_SIZE + 1];
static char batch[64], api_key_id[17];
static char invited[] = "00000000-0000-4000-8000-00000000beef";
static struct names theirs, nobodys;

static void fill(const char *form, const struct names *names, char *out,
                 size_t size)
{
    size_t len = 0;
    for (const char *c = form; *c; c++) {
        char one[2] = {*c, 0};
        const char *text = one;
        if (*c == '$') {
            switch (*++c) {
            case 'T':
                text = names->tenant;
                break;
            case 'S':
                text = names->store;
                break;
            case 'A':
                text = names->agent;
                break;
            case 'L':
                text = names->log;
                break;
            case 'B':
                text = names->batch;
                break;
            case 'K':
                text = names->api_key;
                break;
            default:
                text = names->invited;
                break;
            }
        }
        assert_true(len + strlen(text) + 1 < size);
        memcpy(out + len, text, strlen(text));
        len += strlen(text);
    }
    out[len] = 0;
}

static const char *const methods[] = {[VES_METHOD_GET] = "GET",
                                      [VES_METHOD_POST] = "POST",
                                      [VES_METHOD_PUT] = "PUT",
                                      [VES_METHOD_DELETE] = "DELETE"};

static uint32_t ask(struct test_http *http, const struct asked *what,
                    const struct names *names)
{
    char path[1024], body[4096];
    fill(what->path, names, path, sizeof(path));
    if (what->body)
        fill(what->body, names, body, sizeof(body));
    return test_http_call(http, methods[what->method], path,
                          what->body ? ves_bytes_str(body)
                                     : ves_bytes(NULL, 0));
}

/* Status line, headers but the clock's, and body; free it. */
static char *whole(const struct test_http *http)
{
    const char *at = (const char *)http->headers.ptr;
    size_t len = 0;
    char *out = calloc(1, http->headers.len + http->body.len + 1);
    assert_non_null(out);
    while (*at) {
        const char *end = strchr(at, '\n');
        size_t n = end ? (size_t)(end - at) + 1 : strlen(at);
        if (strncasecmp(at, "date:", 5) != 0) {
            memcpy(out + len, at, n);
            len += n;
        }
        at += n;
    }
    memcpy(out + len, http->body.ptr, http->body.len);
    return out;
}

static const struct asked *row_of(const struct ves_route *route)
{
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        if (asked[i].method == route->method &&
            strcmp(asked[i].pattern, route->pattern) == 0)
            return &asked[i];
    }
    fail_msg("no request for %s %s: say here what another tenant gets",
             methods[route->method], route->pattern);
    return NULL;
}

static void wait_for_head(void)
{
    for (int i = 0; i < 3000; i++) {
        if (test_http_get(&serve.http, "/ves/%s/checkpoint", log_id) == 200)
            return;
        nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
    }
    fail_msg("no head was signed");
}

/* A tenant with something under every name. */
static void furnish(void)
{
    struct ves_hash id;
    char text[128];
    assert_int_equal(test_serve_push(&serve, &serve.http, 1, 2), 200);
    ves_stream_id(&serve.stream, &id);
    ves_hex_encode(id.b, VES_HASH_SIZE, log_id);
    wait_for_head();
    assert_int_equal(test_http_post(&serve.http, "/api/v1/ves/commitments",
                                    "{\"tenant_id\":\"%s\",\"store_id\":\"%s\","
                                    "\"sequence_start\":1,\"sequence_end\":2}",
                                    serve.tenant, serve.store),
                     200);
    strncpy(batch, test_http_text(&serve.http, "/batch_id"), 63);
    char policy[256];
    int len = snprintf(policy, sizeof(policy),
                       "{\"tenantId\":\"%s\",\"allowedEventTypes\":[\"*\"],"
                       "\"allowedEntityTypes\":[\"*\"]}",
                       serve.tenant);
    snprintf(text, sizeof(text), "/api/v1/agents/%s/policy", serve.agent_text);
    assert_int_equal(test_http_call(&serve.http, "PUT", text,
                                    ves_bytes(policy, (size_t)len)),
                     200);
    test_serve_key(&serve, "\"rights\":[\"read\"]", text);
    strncpy(api_key_id, test_http_text(&serve.http, "/id"), 16);
    struct test_signer owner, key;
    struct ves_invitation invitation = {.stream = serve.stream,
                                        .rights = VES_RIGHT_READ,
                                        .expires_ms =
                                            INT64_C(9007199254740991)};
    struct ves_hash hash;
    struct ves_sig sig;
    char hex[3][2 * VES_SIG_SIZE + 1] = {"", "", ""};
    test_signer_init(&owner, 60);
    test_signer_init(&key, 61);
    assert_int_equal(
        ves_uuid_parse(ves_bytes_str(invited), &invitation.invitation_id),
        VES_OK);
    invitation.public_key = key.signer.public_key;
    ves_invitation_hash(&invitation, &hash);
    test_signer_sign(&owner, &hash, &sig);
    ves_hex_encode(key.signer.public_key.b, VES_KEY_SIZE, hex[0]);
    ves_hex_encode(owner.signer.public_key.b, VES_KEY_SIZE, hex[1]);
    ves_hex_encode(sig.b, VES_SIG_SIZE, hex[2]);
    assert_int_equal(
        test_http_post(&serve.http, "/api/v1/invitations",
                       "{\"tenantId\":\"%s\",\"storeId\":\"%s\","
                       "\"invitationId\":\"%s\",\"publicKey\":\"%s\","
                       "\"ownerPublicKey\":\"%s\",\"ownerSignature\":\"%s\","
                       "\"rights\":[\"read\"],\"usesMax\":1,"
                       "\"expiresAtMs\":%lld}",
                       serve.tenant, serve.store, invited, hex[0], hex[1],
                       hex[2], (long long)invitation.expires_ms),
        200);
}

/* An administrator of another tenant, who names every request alike. */
static void stranger_init(struct test_http *http)
{
    char key[64];
    assert_int_equal(
        test_http_post(&serve.http, "/api/v1/api-keys",
                       "{\"tenantId\":\"00000000-0000-4000-8000-000000000001\","
                       "\"rights\":[\"read\",\"write\",\"admin\"]}"),
        200);
    strncpy(key, test_http_text(&serve.http, "/apiKey"), 63);
    key[63] = 0;
    test_http_init(http, serve.http.url);
    test_http_auth(http, "x-api-key: ", key);
    snprintf(http->extra, sizeof(http->extra), "x-request-id: the-same");
}

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    furnish();
    theirs = (struct names){serve.tenant, serve.store, serve.agent_text, log_id,
                            batch,        api_key_id,  invited};
    nobodys = (struct names){
        "0badc0de-0000-4000-8000-0000000000a1",
        "0badc0de-0000-4000-8000-0000000000a2",
        "0badc0de-0000-4000-8000-0000000000a3",
        "0000000000000000000000000000000000000000000000000000000000badc0d",
        "0badc0de-0000-4000-8000-0000000000a4",
        "0000000000000000",
        "0badc0de-0000-4000-8000-0000000000a5"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

static void test_not_yours_is_not_there(void **state)
{
    (void)state;
    struct test_http stranger;
    stranger_init(&stranger);
    size_t count = 0;
    const struct ves_route *route;
    for (; (route = ves_route_at(count)); count++) {
        const struct asked *what = row_of(route);
        uint32_t there = ask(&stranger, what, &theirs);
        char *yours = whole(&stranger);
        uint32_t absent = ask(&stranger, what, &nobodys);
        char *none = whole(&stranger);
        if (what->flags & OPEN) {
            assert_int_equal(there, 200);
        } else {
            if (there != absent || strcmp(yours, none) != 0)
                fail_msg("%s %s tells them apart:\n%s\n%s", what->pattern,
                         methods[what->method], yours, none);
            /* 403 comes before anything is looked for. */
            uint32_t expected = what->flags & FILTERED       ? 200
                                : what->flags & NAMED_ITSELF ? 404
                                                             : 403;
            if (there != expected)
                fail_msg("%s %s: %u instead of %u: %s", methods[what->method],
                         what->pattern, there, expected, yours);
        }
        free(yours);
        free(none);
    }
    assert_int_equal(count, sizeof(asked) / sizeof(asked[0]));
    test_http_free(&stranger);
}

/* The other half: the names asked for above are really there. */
static void test_they_are_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        if (asked[i].method != VES_METHOD_GET ||
            strstr(asked[i].pattern, "/stream") ||
            strstr(asked[i].pattern, "/state") ||
            strstr(asked[i].pattern, "/witnessed"))
            continue;
        uint32_t status = ask(&serve.http, &asked[i], &theirs);
        if (status != 200)
            fail_msg("GET %s: %u %s", asked[i].pattern, status,
                     test_http_body(&serve.http));
    }
}

/* What a client knows of a log of others is nothing that we would confirm. */
static void test_known_head_of_others(void **state)
{
    (void)state;
    struct test_http stranger;
    char note[2048], line[4096], *answers[2];
    stranger_init(&stranger);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(
            test_http_get(&serve.http, "/ves/%s/checkpoint", log_id), 200);
        strncpy(note, test_http_body(&serve.http), sizeof(note) - 1);
        note[sizeof(note) - 1] = 0;
        char *id = strstr(note, log_id);
        assert_non_null(id);
        if (k == 1) /* of a log that nobody has, everywhere it is named */
            for (; id; id = strstr(note, log_id))
                memcpy(id, nobodys.log, 2 * VES_HASH_SIZE);
        size_t len = strlen(note);
        size_t n = (size_t)snprintf(line, sizeof(line), "x-ves-known-head: ");
        ves_b64_encode((const uint8_t *)note, len, line + n);
        line[n + ves_b64_len(len)] = 0;
        snprintf(stranger.extra, sizeof(stranger.extra), "%s", line);
        assert_int_equal(test_http_get(&stranger, "/api/v1/ves/sequencer-keys"),
                         409);
        struct ves_bytes code =
            ves_bytes_str(test_http_text(&stranger, "/code"));
        assert_true(ves_bytes_is(code, "LOG_UNKNOWN"));
        answers[k] = strdup(test_http_text(&stranger, "/message"));
    }
    assert_string_equal(answers[0], answers[1]);
    free(answers[0]);
    free(answers[1]);
    test_http_free(&stranger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_yours_is_not_there),
        cmocka_unit_test(test_they_are_there),
        cmocka_unit_test(test_known_head_of_others),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_tenants", tests, set_up,
                                       tear_down);
}
