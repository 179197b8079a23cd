/* test_server_attack.c -- the HTTP sequencer against those who mean it harm,
 * and against mistakes that would help them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <time.h>

#include "base/text.h"
#include "core/invitation.h"
#include "os/keyfile.h"
#include "os/pool.h"
#include "server/pipeline.h"
#include "server/server.h"
#include "test/lib/test_serve.h"

static struct test_serve serve;

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

static void nap(void)
{
    nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
}

static uint32_t head_with(const char *api_key)
{
    struct test_http http;
    test_http_init(&http, serve.http.url);
    test_http_auth(&http, "x-api-key: ", api_key);
    uint32_t status = test_http_get(&http, "/api/v1/ves/head?%s", serve.scope);
    test_http_free(&http);
    return status;
}

/* A value of /metrics. */
static uint64_t metric(const char *name)
{
    char line[128];
    assert_int_equal(test_http_get(&serve.http, "/metrics"), 200);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(test_http_body(&serve.http), line);
    if (!at)
        fail_msg("no metric %s", name);
    return strtoull(at + strlen(line), NULL, 10);
}

/* ---- credentials and keys ------------------------------------------------ */

/* 1970-01-01T00:00:00Z is a time like any other, not "never". */
static void test_expired_at_epoch(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct ves_uuid agent = test_id(0x51);
    struct test_signer key;
    struct test_request request;
    struct test_event event;
    char api_key[64], id[VES_UUID_TEXT + 1];
    test_serve_key(
        &serve, "\"rights\":[\"read\"],\"expiresAt\":\"1970-01-01T00:00:00Z\"",
        api_key);
    assert_int_equal(head_with(api_key), 401);
    test_signer_init(&key, 51);
    ves_uuid_format(&agent, id);
    assert_int_equal(
        test_http_post(h, "/api/v1/agents/keys",
                       "{\"tenantId\":\"%s\",\"agentId\":\"%s\",\"keyId\":1,"
                       "\"publicKey\":\"%s\","
                       "\"validTo\":\"1970-01-01T00:00:00Z\"}",
                       serve.tenant, id,
                       HEX(key.signer.public_key.b, VES_KEY_SIZE)),
        200);
    test_request_begin(&request, &agent);
    test_event_init(&event, &serve.stream, &agent, 0x5100);
    test_request_event(&request, &event, &key);
    assert_int_equal(test_http_call(h, "POST", "/api/v1/ves/events/ingest",
                                    test_request_end(&request)),
                     200);
    test_request_free(&request);
    assert_string_equal(test_http_text(h, "/rejections/0/reason"),
                        "agent_key_invalid: Agent key has expired");
}

/* A limit that was misspelt is not a key without limits. */
static void test_misspelt_limits(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    static const char *const wrong[] = {"expiresAtMs", "expires", "store",
                                        "store_Id", "agent"};
    char word[64];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(test_http_post(h, "/api/v1/api-keys",
                                        "{\"tenantId\":\"%s\",\"%s\":null,"
                                        "\"rights\":[\"read\"]}",
                                        serve.tenant, wrong[i]),
                         400);
        snprintf(word, sizeof(word), "member %s is not known", wrong[i]);
        assert_non_null(strstr(test_http_text(h, "/message"), word));
    }
    assert_int_equal(test_http_post(h, "/api/v1/api-keys",
                                    "{\"tenant_id\":\"%s\",\"store_id\":"
                                    "null,\"expires_at\":null,\"label\":null,"
                                    "\"agentId\":null,\"rights\":[\"read\"]}",
                                    serve.tenant),
                     200);
}

/* Nobody is told that a revoked key is registered. */
static void test_revoked_stays_revoked(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct ves_uuid agent = test_id(0x52);
    struct test_signer key;
    char id[VES_UUID_TEXT + 1], path[256];
    test_signer_init(&key, 52);
    test_serve_register(&serve, &agent, 1, &key);
    ves_uuid_format(&agent, id);
    snprintf(path, sizeof(path), "/api/v1/agents/%s/keys/1?tenant_id=%s", id,
             serve.tenant);
    assert_int_equal(test_http_call(h, "DELETE", path, ves_bytes(NULL, 0)),
                     200);
    assert_int_equal(
        test_http_post(h, "/api/v1/agents/keys",
                       "{\"tenantId\":\"%s\",\"agentId\":\"%s\",\"keyId\":1,"
                       "\"publicKey\":\"%s\"}",
                       serve.tenant, id,
                       HEX(key.signer.public_key.b, VES_KEY_SIZE)),
        409);
    assert_non_null(strstr(test_http_text(h, "/message"), "revoked"));
}

/* ---- invitations --------------------------------------------------------- */

struct invite {
    struct ves_invitation invitation;
    struct test_signer owner, key;
    char id[VES_UUID_TEXT + 1];
};

static void post_invite(struct invite *invite, uint32_t id)
{
    struct ves_invitation *i = &invite->invitation;
    struct ves_hash hash;
    struct ves_sig sig;
    test_signer_init(&invite->owner, 60);
    test_signer_init(&invite->key, 61);
    *i = (struct ves_invitation){.stream = serve.stream,
                                 .invitation_id = test_id(id),
                                 .public_key = invite->key.signer.public_key,
                                 .rights = VES_RIGHT_READ | VES_RIGHT_WRITE,
                                 .expires_ms = INT64_C(9007199254740991)};
    ves_uuid_format(&i->invitation_id, invite->id);
    ves_invitation_hash(i, &hash);
    test_signer_sign(&invite->owner, &hash, &sig);
    assert_int_equal(
        test_http_post(
            &serve.http, "/api/v1/invitations",
            "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"invitationId\":\"%s\","
            "\"publicKey\":\"%s\",\"ownerPublicKey\":\"%s\","
            "\"ownerSignature\":\"%s\",\"rights\":[\"read\",\"write\"],"
            "\"usesMax\":1,\"expiresAtMs\":%lld}",
            serve.tenant, serve.store, invite->id,
            HEX(i->public_key.b, VES_KEY_SIZE),
            HEX(invite->owner.signer.public_key.b, VES_KEY_SIZE),
            HEX(sig.b, VES_SIG_SIZE), (long long)i->expires_ms),
        200);
}

static uint32_t redeem(struct test_http *http, const struct invite *invite,
                       uint32_t agent, const struct test_signer *key)
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
    return test_http_post(
        http, "/api/v1/invitations/redeem",
        "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"invitationId\":\"%s\","
        "\"agentId\":\"%s\",\"keyId\":1,\"publicKey\":\"%s\","
        "\"invitationSignature\":\"%s\",\"agentSignature\":\"%s\","
        "\"nonce\":\"%s\"}",
        serve.tenant, serve.store, invite->id, text,
        HEX(key->signer.public_key.b, VES_KEY_SIZE),
        HEX(by_invitation.b, VES_SIG_SIZE), HEX(by_agent.b, VES_SIG_SIZE),
        HEX(nonce, sizeof(nonce)));
}

/* Revokes the only API key of that agent which is not revoked. */
static void revoke_credential(uint32_t agent)
{
    struct test_http *h = &serve.http;
    struct ves_uuid id = test_id(agent);
    char text[VES_UUID_TEXT + 1], path[128];
    const struct ves_json *keys, *found = NULL;
    struct ves_bytes name;
    ves_uuid_format(&id, text);
    assert_int_equal(
        test_http_get(h, "/api/v1/api-keys?tenant_id=%s", serve.tenant), 200);
    keys = ves_json_member(h->json, "apiKeys");
    for (const struct ves_json *k = keys->first; k; k = k->next) {
        if (ves_json_is_absent(ves_json_member(k, "revokedAt")) &&
            ves_json_get_string(k, "agentId", &name) &&
            ves_bytes_is(name, text)) {
            assert_null(found);
            found = k;
        }
    }
    assert_true(ves_json_get_string(found, "id", &name));
    snprintf(path, sizeof(path), "/api/v1/api-keys/%.16s",
             (const char *)name.ptr);
    assert_int_equal(test_http_call(h, "DELETE", path, ves_bytes(NULL, 0)),
                     200);
}

/* Whose API key an administrator took away does not get another one with the
 * invitation it used, only with a new one. */
static void test_redeem_after_revocation(void **state)
{
    (void)state;
    struct invite first, second;
    struct test_signer till;
    struct test_http anyone;
    char key[64];
    test_http_init(&anyone, serve.http.url);
    test_signer_init(&till, 62);
    post_invite(&first, 3000);
    assert_int_equal(redeem(&anyone, &first, 3100, &till), 200);
    assert_int_equal(redeem(&anyone, &first, 3100, &till), 200);
    snprintf(key, sizeof(key), "%s", test_http_text(&anyone, "/apiKey"));
    revoke_credential(3100);
    assert_int_equal(head_with(key), 401);
    assert_int_equal(redeem(&anyone, &first, 3100, &till), 403);
    assert_string_equal(test_http_text(&anyone, "/code"), "api_key_revoked");
    post_invite(&second, 3001);
    assert_int_equal(redeem(&anyone, &second, 3100, &till), 200);
    snprintf(key, sizeof(key), "%s", test_http_text(&anyone, "/apiKey"));
    assert_int_equal(head_with(key), 200);
    assert_int_equal(redeem(&anyone, &second, 3100, &till), 200);
    test_http_free(&anyone);
}

/* ---- memory -------------------------------------------------------------- */

static int connect_raw(void)
{
    uint64_t port;
    const char *colon = strrchr(serve.http.url, ':');
    assert_int_equal(ves_decimal_parse(ves_bytes_str(colon + 1), &port),
                     VES_OK);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    /* A client that takes its answer in sips. */
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)), 0);
    assert_int_equal(connect(fd,
                             (const struct sockaddr *)(const void *)&address,
                             sizeof(address)),
                     0);
    return fd;
}

static void send_raw(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server has had enough */
        at += n;
        len -= (size_t)n;
    }
}

static void send_head(int fd, const char *method, const char *path,
                      const char *api_key, size_t length)
{
    char head[1024];
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     method, path, api_key, length);
    assert_true(n > 0 && (size_t)n < sizeof(head));
    send_raw(fd, head, (size_t)n);
}

/* Status of the answer, 0 when none comes. */
static unsigned read_status(int fd, int timeout_ms)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    char text[16] = "";
    if (poll(&poller, 1, timeout_ms) <= 0 ||
        recv(fd, text, sizeof(text) - 1, 0) < 12)
        return 0;
    return (unsigned)strtoul(text + 9, NULL, 10);
}

/* All that comes until the server closes. */
static void read_all(int fd, char *out, size_t size)
{
    struct timeval patience = {.tv_sec = 60};
    size_t len = 0;
    ssize_t n = 0;
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    do {
        len += (size_t)n;
        n = recv(fd, out + len, size - 1 - len, 0);
    } while (n > 0);
    out[len] = 0;
    /* It may not have taken all of it. */
    if (n < 0 && errno != ECONNRESET)
        fail_msg("the connection stays open after \"%s\"", out);
}

/* A proxy in front and the server must not differ about where a request ends:
 * what is hidden in a body would be answered as somebody else's; nor about who
 * asks. */
static void test_smuggling(void **state)
{
    (void)state;
    static const char *const framings[] = {
        "Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}",
        "Content-Length: 60\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        "Host: y\r\nContent-Length: 2\r\n\r\n{}",
        "X-API-Key: ss_other\r\nContent-Length: 2\r\n\r\n{}",
        "Authorization: ss_a\r\nAuthorization: ss_b\r\n\r\n",
        "Content-Length: 2\r\nTransfer-Encoding : chunked\r\n\r\n{}",
        "Content-Length : 60\r\nContent-Length: 2\r\n\r\n{}",
        "x-api-key\t: ss_other\r\nContent-Length: 2\r\n\r\n{}"};
    static char answer[65536];
    for (size_t i = 0; i < sizeof(framings) / sizeof(framings[0]); i++) {
        char text[1024];
        int fd = connect_raw();
        int n = snprintf(text, sizeof(text),
                         "POST /api/v1/ves/events/ingest HTTP/1.1\r\n"
                         "Host: x\r\nx-api-key: %s\r\n%s"
                         "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
                         serve.admin_key, framings[i]);
        send_raw(fd, text, (size_t)n);
        read_all(fd, answer, sizeof(answer));
        close(fd);
        if (strncmp(answer, "HTTP/1.1 400 ", 13) != 0 ||
            strstr(answer + 13, "HTTP/1.1 "))
            fail_msg("\"%s\" is answered \"%s\"", framings[i], answer);
    }
    assert_int_equal(test_http_get(&serve.http, "/health"), 200);
}

enum { HOARDERS = 6, HOARD = 10 * 1024 * 1024 };

/* One key that announces or half sends large bodies does not keep others from
 * sending theirs. */
static void test_hoarded_bodies(void **state)
{
    (void)state;
    int fds[HOARDERS];
    char thief[64];
    struct test_http *h = &serve.http;
    uint8_t *half = calloc(1, HOARD);
    assert_non_null(half);
    test_serve_key(&serve, "\"rights\":[\"write\"]", thief);
    for (size_t i = 0; i < HOARDERS; i++) {
        fds[i] = connect_raw();
        send_head(fds[i], "POST", "/api/v1/ves/events/ingest", thief, HOARD);
        send_raw(fds[i], half, 1);
    }
    nap();
    assert_int_equal(test_serve_push(&serve, h, 0x5300, 1), 200);
    for (size_t i = 0; i < HOARDERS; i++)
        send_raw(fds[i], half, HOARD - 2);
    nap();
    assert_true(metric("sequencer_http_body_memory_bytes") > 0);
    assert_true(metric("sequencer_http_body_memory_bytes") <=
                VES_SERVER_BODY_MEMORY_ONE);
    assert_int_equal(test_serve_push(&serve, h, 0x5301, 1), 200);
    for (size_t i = 0; i < HOARDERS; i++)
        close(fds[i]);
    for (int i = 0; i < 6000 && metric("sequencer_http_body_memory_bytes"); i++)
        nap();
    assert_int_equal(metric("sequencer_http_body_memory_bytes"), 0);
    free(half);
}

/* Where no large body makes sense none is taken. */
static void test_small_bodies(void **state)
{
    (void)state;
    char reader[64];
    static const char *const paths[] = {"/api/v1/ves/proofs/verify",
                                        "/api/v1/ves/commitments",
                                        "/api/v1/invitations/redeem"};
    test_serve_key(&serve, "\"rights\":[\"read\",\"write\"]", reader);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        int fd = connect_raw();
        send_head(fd, "POST", paths[i], reader, 9 * 1024 * 1024);
        assert_int_equal(read_status(fd, 60000), 413);
        close(fd);
    }
}

enum { SIPPERS = 40, BIG = 900 * 1024, BIG_EVENTS = 9 };

/* Clients that do not take their answers cannot fill the memory. */
static void test_answers_not_taken(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    int fds[SIPPERS];
    char sipper[64], other[64], path[256];
    unsigned refused = 0;
    char *payload = malloc(BIG + 16);
    assert_non_null(payload);
    memcpy(payload, "{\"b\":\"", 6);
    memset(payload + 6, 'x', BIG);
    memcpy(payload + 6 + BIG, "\"}", 3);
    for (uint32_t i = 0; i < BIG_EVENTS; i++) {
        struct test_request request;
        struct test_event event;
        test_request_begin(&request, &serve.agent);
        test_event_init(&event, &serve.stream, &serve.agent, 0x5400 + i);
        event.payload = payload;
        test_request_event(&request, &event, &serve.agent_key);
        assert_int_equal(test_http_call(h, "POST", "/api/v1/ves/events/ingest",
                                        test_request_end(&request)),
                         200);
        test_request_free(&request);
    }
    free(payload);
    test_serve_key(&serve, "\"rights\":[\"read\"]", sipper);
    test_serve_key(&serve, "\"rights\":[\"read\"]", other);
    snprintf(path, sizeof(path), "/api/v1/ves/events?%s&limit=1000",
             serve.scope);
    for (size_t i = 0; i < SIPPERS; i++) {
        fds[i] = connect_raw();
        send_head(fds[i], "GET", path, sipper, 0);
    }
    for (size_t i = 0; i < SIPPERS; i++) {
        unsigned status = read_status(fds[i], 60000);
        assert_true(status == 200 || status == 503);
        refused += status == 503;
    }
    assert_true(refused > 0 && refused < SIPPERS);
    /* Pages differ by a few bytes; each thread may be one page ahead. */
    assert_in_range(metric("sequencer_http_reply_memory_bytes"), 1,
                    VES_SERVER_REPLY_MEMORY_ONE + 8 * 16 * 1024 * 1024);
    assert_int_equal(head_with(sipper), 503);
    assert_int_equal(head_with(other), 200);
    for (size_t i = 0; i < SIPPERS; i++)
        close(fds[i]);
    for (int i = 0; i < 6000 && metric("sequencer_http_reply_memory_bytes");
         i++)
        nap();
    assert_int_equal(metric("sequencer_http_reply_memory_bytes"), 0);
    assert_int_equal(head_with(sipper), 200);
}

enum { FLOOD = 60, FLOOD_EVENTS = 1000, STILL = 100 /* naps: one second */ };

/* Requests of two kilobytes become a thousand events each: while the disk is
 * slow no more of them are taken apart than fits. */
static void test_flood_of_small_events(void **state)
{
    (void)state;
    int fds[FLOOD];
    char writer[64];
    struct ves_buf body;
    sqlite3 *db;
    ves_buf_init(&body, ves_alloc_default(), 1 << 20);
    test_serve_key(&serve, "\"rights\":[\"write\"]", writer);
    ves_buf_putf(&body, "{\"agentId\":\"%s\",\"events\":[", serve.agent_text);
    ves_buf_putf(&body, "{\"tenant_id\":\"%s\",\"store_id\":\"%s\"}",
                 serve.tenant, serve.store);
    for (int i = 1; i < FLOOD_EVENTS; i++)
        ves_buf_put_str(&body, ",1");
    ves_buf_put_str(&body, "]}");
    uint64_t before = metric("sequencer_events_ingested_total");
    assert_int_equal(sqlite3_open(serve.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < FLOOD; i++) {
        fds[i] = connect_raw();
        send_head(fds[i], "POST", "/api/v1/ves/events/ingest", writer,
                  body.len);
        send_raw(fds[i], body.ptr, body.len);
    }
    uint64_t taken = 0, last = 0;
    for (int still = 0; still < STILL; still++) {
        nap();
        taken = metric("sequencer_events_ingested_total") - before;
        if (taken != last)
            still = 0;
        last = taken;
    }
    assert_int_equal(metric("sequencer_http_in_flight"), FLOOD);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_in_range(taken, FLOOD_EVENTS,
                    VES_PIPELINE_EVENTS_MAX + 2 * FLOOD_EVENTS);
    for (size_t i = 0; i < FLOOD; i++) {
        assert_int_equal(read_status(fds[i], 60000), 200);
        close(fds[i]);
    }
    assert_int_equal(metric("sequencer_events_ingested_total") - before,
                     FLOOD * FLOOD_EVENTS);
    ves_buf_free(&body);
}

/* ---- starting ------------------------------------------------------------ */

static void test_too_many_threads(void **state)
{
    (void)state;
    struct ves_serve_options options = serve.options;
    struct ves_server *server;
    struct ves_error error;
    char db[128];
    snprintf(db, sizeof(db), "%s/threads.db", serve.folder);
    options.db = db;
    options.threads = VES_POOL_THREADS_MAX + 1;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_INVALID);
    assert_non_null(strstr(error.text, "threads"));
    options.threads = VES_POOL_THREADS_MAX;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    ves_server_stop(server);
}

/* A second process would not learn which API keys the first one revokes. */
static void test_second_server(void **state)
{
    (void)state;
    struct ves_server *server;
    struct ves_error error;
    assert_int_equal(ves_server_start(&serve.options, &server, &error),
                     VES_BUSY);
    assert_non_null(strstr(error.text, serve.db));
    assert_int_equal(head_with(serve.admin_key), 200);
    test_serve_stop(&serve);
    test_serve_start(&serve);
}

static int give_passphrase(void *ctx, char *out, size_t size)
{
    (void)ctx;
    assert_true(size >= 5);
    memcpy(out, "horse", 5);
    return 5;
}

/* Rotating a sealed key leaves no open one behind, asked for or not. */
static void test_rotation_stays_sealed(void **state)
{
    (void)state;
    struct ves_serve_options options = serve.options;
    struct ves_server *server;
    struct ves_public_key key;
    struct ves_error error;
    char db[128], path[160];
    bool is_sealed = false;
    snprintf(db, sizeof(db), "%s/rotated.db", serve.folder);
    snprintf(path, sizeof(path), "%s.key", db);
    options.db = db;
    options.seal_key = true;
    options.passphrase = give_passphrase;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    ves_server_stop(server);
    options.seal_key = false;
    options.rotate_key = true;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    ves_server_stop(server);
    assert_int_equal(
        ves_keyfile_inspect(path, VES_KEY_SEQUENCER, &key, &is_sealed, &error),
        VES_OK);
    assert_true(is_sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expired_at_epoch),
        cmocka_unit_test(test_misspelt_limits),
        cmocka_unit_test(test_revoked_stays_revoked),
        cmocka_unit_test(test_redeem_after_revocation),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_hoarded_bodies),
        cmocka_unit_test(test_small_bodies),
        cmocka_unit_test(test_answers_not_taken),
        cmocka_unit_test(test_flood_of_small_events),
        cmocka_unit_test(test_too_many_threads),
        cmocka_unit_test(test_second_server),
        cmocka_unit_test(test_rotation_stays_sealed)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
