/* test_server.c -- the HTTP sequencer: forms, rights, ingest, reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/text.h"
#include "core/receipt.h"
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

static void expect_code(const char *code)
{
    char line[128];
    assert_string_equal(test_http_text(&serve.http, "/code"), code);
    assert_true(strlen(test_http_text(&serve.http, "/message")) > 0);
    snprintf(line, sizeof(line), "x-error-code: %s", code);
    assert_true(test_http_has_header(&serve.http, line));
}

/* ---- first start --------------------------------------------------------- */

static void expect_private(const char *suffix)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof(path), "%s%s", serve.db, suffix);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

static void test_first_start(void **state)
{
    (void)state;
    expect_private("");
    expect_private(".key");
    expect_private(".admin-key");
    assert_int_equal(strncmp(serve.admin_key, "ss_00000000", 11), 0);
    assert_int_equal(strlen(serve.admin_key), 43);
    assert_non_null(ves_server_new_admin_key(serve.server));
    assert_int_equal(
        strncmp(ves_server_url(serve.server), "http://127.0.0.1:", 17), 0);
}

static void test_listening(void **state)
{
    (void)state;
    struct ves_serve_options options = serve.options;
    struct ves_server *server;
    struct ves_error error;
    char db[128], port_file[128];
    snprintf(db, sizeof(db), "%s/other.db", serve.folder);
    snprintf(port_file, sizeof(port_file), "%s/port", serve.folder);
    options.db = db;
    options.port_file = port_file;
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:x",     ":80",
                                      "::1:80",    "127.0.0.1:65536", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.listen = bad[i];
        assert_int_equal(ves_server_start(&options, &server, &error),
                         VES_INVALID);
    }
    options.listen = "0.0.0.0:0";
    assert_int_equal(ves_server_start(&options, &server, &error), VES_REFUSED);
    options.listen = "[::]:0";
    assert_int_equal(ves_server_start(&options, &server, &error), VES_REFUSED);
    assert_non_null(strstr(error.text, "--tls-cert"));
    options.listen = "localhost:0";
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    struct ves_bytes text = test_read_file(port_file);
    assert_true(text.len > 11);
    assert_int_equal(strncmp((const char *)text.ptr, "localhost:", 10), 0);
    assert_int_equal(text.ptr[text.len - 1], '\n');
    assert_int_equal(strncmp(ves_server_url(server), "http://localhost:", 17),
                     0);
    assert_memory_equal(ves_server_url(server) + 7, text.ptr, text.len - 1);
    free((void *)(uintptr_t)text.ptr);
    ves_server_stop(server);
}

/* ---- HTTP ---------------------------------------------------------------- */

static void test_http_shape(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    char auth[512];
    memcpy(auth, h->auth, sizeof(auth));
    h->auth[0] = 0;
    assert_int_equal(test_http_get(h, "/health"), 200);
    assert_string_equal(test_http_text(h, "/status"), "healthy");
    assert_int_equal(test_http_get(h, "/ready"), 200);
    assert_true(test_http_is_true(h, "/database/connected"));
    assert_true(test_http_has_header(h, "x-content-type-options: nosniff"));
    assert_true(test_http_has_header(h, "x-frame-options:"));
    assert_true(test_http_has_header(h, "cache-control: no-store"));
    assert_true(test_http_has_header(h, "content-type: application/json"));
    snprintf(h->extra, sizeof(h->extra), "%s", "x-request-id: my-id.7");
    assert_int_equal(test_http_get(h, "/health"), 200);
    assert_true(test_http_has_header(h, "x-request-id: my-id.7"));
    snprintf(h->extra, sizeof(h->extra), "%s", "x-request-id: <script>");
    assert_int_equal(test_http_get(h, "/nowhere"), 404);
    assert_false(test_http_has_header(h, "x-request-id: <"));
    assert_true(test_http_has_header(h, "x-request-id: 0"));
    h->extra[0] = 0;
    expect_code("RESOURCE_NOT_FOUND");
    assert_int_equal(test_http_u64(h, "/error/numeric_code"), 4001);
    assert_string_equal(test_http_text(h, "/error/code"), "RESOURCE_NOT_FOUND");
    assert_int_equal(test_http_post(h, "/health", "{}"), 405);
    assert_true(test_http_has_header(h, "Allow: GET, HEAD, OPTIONS"));
    assert_int_equal(test_http_call(h, "OPTIONS", "/api/v1/ves/commitments",
                                    ves_bytes(NULL, 0)),
                     204);
    assert_true(test_http_has_header(h, "Allow: GET, HEAD, POST, OPTIONS"));
    assert_int_equal(test_http_call(h, "HEAD", "/health", ves_bytes(NULL, 0)),
                     200);
    assert_int_equal(h->body.len, 1);
    static const char *const unknown[] = {"/", "/health/", "//health",
                                          "/api/v1/ves/entities/order/",
                                          "/api/v1/ves/commitments/anchor/x"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(test_http_get(h, "%s", unknown[i]), 404);
    memcpy(h->auth, auth, sizeof(auth));
}

static void expect_bad(const char *path, const char *word)
{
    assert_int_equal(test_http_get(&serve.http, "%s", path), 400);
    expect_code("INVALID_FIELD_VALUE");
    if (!strstr(test_http_text(&serve.http, "/message"), word))
        fail_msg("no %s in: %s", word, test_http_body(&serve.http));
}

static void test_bad_queries(void **state)
{
    (void)state;
    char path[512];
    static const char *const rows[][2] = {
        {"?tenant_id=x&store_id=%s", "tenant_id"},
        {"?store_id=%s", "tenant_id"},
        {"?tenant_id=%s", "store_id"},
        {"?tenant_id=%1$s&store_id=%1$s&limit=0", "limit"},
        {"?tenant_id=%1$s&store_id=%1$s&limit=-1", "limit"},
        {"?tenant_id=%1$s&store_id=%1$s&limit=", "limit"},
        {"?tenant_id=%1$s&store_id=%1$s&from=1e3", "from"},
        {"?tenant_id=%1$s&store_id=%1$s&from=9223372036854775808", "from"},
        {"?tenant_id=%1$s&tenant_id=%1$s", "tenant_id is given twice"},
        {"?tenant_id=%%zz", "percent"},
        {"?tenant_id=%%00", "percent"},
        {"?tenant_id=%%ff", "percent"},
        {"?tenant_id=%%4", "percent"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int n = snprintf(path, sizeof(path), "/api/v1/ves/events");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path + n, sizeof(path) - (size_t)n, rows[i][0], serve.tenant);
#pragma GCC diagnostic pop
        expect_bad(path, rows[i][1]);
    }
}

static void test_raw_requests(void **state)
{
    (void)state;
    const char *url = ves_server_url(serve.server);
    char text[1024];
    snprintf(text, sizeof(text),
             "POST /api/v1/ves/events/ingest HTTP/1.1\r\nHost: x\r\n"
             "x-api-key: %s\r\nContent-Length: 20000000\r\n\r\n",
             serve.admin_key);
    /* Refused at once, without a byte of the body. */
    char *answer = test_http_raw(url, text, 60000);
    assert_non_null(strstr(answer, " 413 "));
    assert_non_null(strstr(answer, "PAYLOAD_TOO_LARGE"));
    free(answer);
    /* A body in chunks. */
    snprintf(text, sizeof(text),
             "POST /api/v1/ves/proofs/verify HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\nAuthorization: %s\r\n"
             "Transfer-Encoding: chunked\r\n\r\n"
             "5\r\n{\"lea\r\n1\r\nf\r\n0\r\n\r\n",
             serve.admin_key);
    answer = test_http_raw(url, text, 60000);
    assert_non_null(strstr(answer, " 400 "));
    assert_non_null(strstr(answer, "not JSON"));
    free(answer);
    static const char *const nonsense[] = {"\r\n\r\n", "GET\r\n\r\n",
                                           "GET / HTTP/9.9\r\n\r\n",
                                           "\x16\x03\x01\x02garbage\r\n\r\n"};
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
        free(test_http_raw(url, nonsense[i], 50));
    assert_int_equal(test_http_get(&serve.http, "/health"), 200);
}

/* ---- authentication ------------------------------------------------------ */

static void expect_head(const char *name, const char *key, uint32_t status,
                        const char *code)
{
    struct test_http http;
    test_http_init(&http, ves_server_url(serve.server));
    if (key)
        test_http_auth(&http, name, key);
    assert_int_equal(test_http_get(&http, "/api/v1/ves/head?%s", serve.scope),
                     status);
    if (code)
        assert_string_equal(test_http_text(&http, "/code"), code);
    if (code) /* shape of B.1: error is text */
        assert_true(strlen(test_http_text(&http, "/error")) > 10);
    if (status == 401)
        assert_true(test_http_has_header(&http, "WWW-Authenticate: ApiKey"));
    test_http_free(&http);
}

static void test_key_forms(void **state)
{
    (void)state;
    char key[64], wrong[64];
    test_serve_key(&serve, "\"rights\":[\"read\"]", key);
    memcpy(wrong, key, sizeof(key));
    wrong[20] ^= 1;
    expect_head("Authorization: ApiKey ", key, 200, NULL);
    expect_head("Authorization: apikey   ", key, 200, NULL);
    expect_head("Authorization: ", key, 200, NULL);
    expect_head("Authorization: Bearer ", key, 200, NULL);
    expect_head("x-api-key: ", key, 200, NULL);
    expect_head("", NULL, 401, "missing_auth");
    expect_head("Authorization: ApiKey ", wrong, 401, "invalid_api_key");
    expect_head("x-api-key: ", "dev_admin_key", 401, "invalid_api_key");
    expect_head("x-api-key: ", "ss_", 401, "invalid_api_key");
    expect_head("Authorization: Bearer ", "eyJhbGciOi.J9.x", 401,
                "invalid_jwt");
    expect_head("Authorization: Basic ", key, 401, "invalid_api_key");
}

static void test_scopes(void **state)
{
    (void)state;
    char key[64], members[256];
    test_serve_key(&serve,
                   "\"rights\":[\"read\"],"
                   "\"expiresAt\":\"2001-01-01T00:00:00Z\"",
                   key);
    expect_head("x-api-key: ", key, 401, "token_expired");
    test_serve_key(&serve, "\"rights\":[\"write\"]", key);
    expect_head("x-api-key: ", key, 403, "insufficient_permissions");
    snprintf(members, sizeof(members),
             "\"rights\":[\"read\"],\"storeId\":\"%s\"", serve.store);
    test_serve_key(&serve, members, key);
    expect_head("x-api-key: ", key, 200, NULL);
    snprintf(members, sizeof(members),
             "\"rights\":[\"admin\"],\"storeId\":\"%s\"", serve.tenant);
    test_serve_key(&serve, members, key);
    expect_head("x-api-key: ", key, 403, "store_access_denied");
    /* An administrator of another tenant. */
    assert_int_equal(test_http_post(&serve.http, "/api/v1/api-keys",
                                    "{\"tenant_id\":\"%s\","
                                    "\"rights\":[\"admin\"]}",
                                    serve.store),
                     200);
    char other[64];
    strncpy(other, test_http_text(&serve.http, "/apiKey"), 63);
    other[63] = 0;
    expect_head("x-api-key: ", other, 403, "insufficient_permissions");
    struct test_http http;
    test_http_init(&http, ves_server_url(serve.server));
    test_http_auth(&http, "x-api-key: ", other);
    assert_int_equal(test_http_post(&http, "/api/v1/api-keys",
                                    "{\"tenant_id\":\"%s\","
                                    "\"rights\":[\"read\"]}",
                                    serve.tenant),
                     403);
    assert_int_equal(test_http_get(&http, "/metrics"), 403);
    assert_int_equal(test_http_get(&http, "/api/v1/api-keys"), 200);
    assert_int_equal(test_http_u64(&http, "/count"), 1);
    test_http_free(&http);
}

/* ---- ingest -------------------------------------------------------------- */

static struct test_http client_as(const char *members, const char *name)
{
    struct test_http http;
    char key[64];
    test_serve_key(&serve, members, key);
    test_http_init(&http, ves_server_url(serve.server));
    test_http_auth(&http, name, key);
    return http;
}

static void test_ingest_answers(void **state)
{
    (void)state;
    struct test_http js = client_as("\"rights\":[\"write\"]", "x-api-key: ");
    struct test_http rust =
        client_as("\"rights\":[\"write\"]", "Authorization: ApiKey ");
    assert_int_equal(test_serve_push(&serve, &js, 100, 3), 200);
    assert_int_equal(test_http_u64(&js, "/eventsAccepted"), 3);
    uint64_t start = test_http_u64(&js, "/sequenceStart");
    assert_int_equal(test_http_u64(&js, "/sequenceEnd"), start + 2);
    assert_int_equal(test_http_u64(&js, "/headSequence"), start + 2);
    assert_string_equal(test_http_text(&js, "/verdicts/2/verdict"), "applied");
    assert_int_equal(test_http_u64(&js, "/receipts/1/sequencerKeyVersion"), 1);
    /* Replays: as accepted for one family of clients, apart for the other
     * (C.1, G.3). */
    assert_int_equal(test_serve_push(&serve, &js, 100, 3), 200);
    assert_int_equal(test_http_u64(&js, "/eventsAccepted"), 3);
    assert_int_equal(test_http_u64(&js, "/sequenceStart"), start);
    assert_int_equal(test_serve_push(&serve, &rust, 100, 3), 200);
    assert_int_equal(test_http_u64(&rust, "/eventsAccepted"), 0);
    assert_true(test_http_is_null(&rust, "/sequenceStart"));
    assert_int_equal(test_http_u64(&rust, "/receipts/2/sequenceNumber"),
                     start + 2);
    test_http_free(&js);
    test_http_free(&rust);
}

static void test_ingest_refusals(void **state)
{
    (void)state;
    struct test_http js = client_as("\"rights\":[\"write\"]", "x-api-key: ");
    struct test_http rust =
        client_as("\"rights\":[\"write\"]", "Authorization: ApiKey ");
    struct test_http *const clients[] = {&js, &rust};
    for (uint32_t i = 0; i < 2; i++) {
        struct test_request request;
        struct test_event event;
        test_request_begin(&request, &serve.agent);
        test_event_init(&event, &serve.stream, &serve.agent, 200 + 2 * i);
        event.has_bad_signature = true;
        test_request_event(&request, &event, &serve.agent_key);
        test_event_init(&event, &serve.stream, &serve.agent, 201 + 2 * i);
        test_request_event(&request, &event, &serve.agent_key);
        assert_int_equal(test_http_call(clients[i], "POST",
                                        "/api/v1/ves/events/ingest",
                                        test_request_end(&request)),
                         200);
        test_request_free(&request);
        assert_int_equal(test_http_u64(clients[i], "/eventsAccepted"), 1);
        assert_int_equal(test_http_u64(clients[i], "/eventsRejected"), 1);
        assert_string_equal(test_http_text(clients[i], "/rejections/0/reason"),
                            "invalid_signature");
        assert_int_equal(test_http_u64(clients[i], "/rejections/0/index"), 0);
    }
    assert_non_null(strstr(test_http_body(&js), "\"eventId\":"));
    assert_null(strstr(test_http_body(&js), "\"event_id\":"));
    assert_non_null(test_http_text(&rust, "/rejections/0/event_id"));
    assert_non_null(test_http_text(&rust, "/rejections/0/message"));
    /* Kept, and listed with the bytes. */
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/refusals?%s", serve.scope),
        200);
    assert_int_equal(test_http_u64(&serve.http, "/count"), 2);
    assert_string_equal(test_http_text(&serve.http, "/refusals/0/reason"),
                        "invalid_signature");
    assert_int_equal(
        strlen(test_http_text(&serve.http, "/refusals/1/refusalSignature")),
        128);
    assert_int_equal(
        strncmp(test_http_text(&serve.http, "/refusals/1/element"), "eyJ", 3),
        0);
    uint64_t no = test_http_u64(&serve.http, "/refusals/0/no");
    assert_int_equal(test_http_get(&serve.http,
                                   "/api/v1/ves/refusals?%s&from=%llu&limit=1",
                                   serve.scope, (unsigned long long)no + 1),
                     200);
    assert_int_equal(test_http_u64(&serve.http, "/count"), 1);
    test_http_free(&js);
    test_http_free(&rust);
}

static void expect_post(struct test_http *http, const char *body,
                        uint32_t status, const char *word)
{
    assert_int_equal(test_http_call(http, "POST", "/api/v1/ves/events/ingest",
                                    ves_bytes_str(body)),
                     status);
    if (!strstr(test_http_text(http, "/message"), word))
        fail_msg("no %s in: %s", word, test_http_body(http));
}

static void test_ingest_whole(void **state)
{
    (void)state;
    struct test_http http = client_as("\"rights\":[\"write\"]", "x-api-key: ");
    char text[256];
    expect_post(&http, "", 400, "JSON");
    expect_post(&http, "{\"agentId\":", 400, "byte 11");
    snprintf(text, sizeof(text), "{\"agentId\":\"%s\",\"events\":[]}",
             serve.agent_text);
    expect_post(&http, text, 400, "no events");
    struct ves_buf big;
    ves_buf_init(&big, ves_alloc_default(), 64 * 1024 * 1024);
    ves_buf_putf(&big, "{\"agentId\":\"%s\",\"events\":[0", serve.agent_text);
    for (int i = 0; i < 1000; i++)
        ves_buf_put_str(&big, ",0");
    ves_buf_put(&big, "]}", 3);
    expect_post(&http, (const char *)big.ptr, 413, "1000");
    ves_buf_free(&big);
    test_http_free(&http);
    /* Not that agent. */
    char members[128];
    snprintf(members, sizeof(members),
             "\"rights\":[\"write\"],\"agentId\":\"%s\"", serve.tenant);
    http = client_as(members, "x-api-key: ");
    assert_int_equal(test_serve_push(&serve, &http, 300, 1), 403);
    assert_non_null(
        strstr(test_http_text(&http, "/message"), "Agent mismatch"));
    test_http_free(&http);
    http = client_as("\"rights\":[\"read\"]", "x-api-key: ");
    assert_int_equal(test_serve_push(&serve, &http, 300, 1), 403);
    test_http_free(&http);
}

static void test_body_limit(void **state)
{
    (void)state;
    struct test_http http = client_as("\"rights\":[\"write\"]", "x-api-key: ");
    enum { LIMIT = 10 * 1024 * 1024 };
    char *body = malloc(LIMIT + 1);
    assert_non_null(body);
    memset(body, ' ', LIMIT + 1);
    assert_int_equal(test_http_call(&http, "POST", "/api/v1/ves/events/ingest",
                                    ves_bytes(body, LIMIT)),
                     400);
    test_http_call(&http, "POST", "/api/v1/ves/events/ingest",
                   ves_bytes(body, LIMIT + 1));
    /* The answer comes before the body is sent; the client may see the closed
     * connection first. */
    assert_true(http.status == 413 || http.status == 0);
    free(body);
    test_http_free(&http);
}

/* ---- reads --------------------------------------------------------------- */

/* Checks one page item: the event's own signature and the receipt. */
static void check_item(const struct ves_json *item, uint64_t sequence,
                       const struct ves_public_key *sequencer)
{
    struct ves_arena arena;
    struct ves_event event;
    struct ves_refusal refusal;
    struct ves_receipt receipt;
    struct ves_hash hash;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 24);
    assert_int_equal(ves_event_from_json(&arena,
                                         ves_json_member(item, "envelope"),
                                         &event, &refusal),
                     VES_OK);
    assert_int_equal(ves_event_check(&arena, &event, &refusal), VES_OK);
    assert_int_equal(event.sequence_number, sequence);
    assert_true(test_verify(&serve.agent_key.signer.public_key,
                            &event.event_hash, &event.signature));
    assert_int_equal(
        ves_receipt_read(ves_json_member(item, "receipt"), &receipt), VES_OK);
    ves_receipt_hash(&serve.stream, &event.event_id, sequence,
                     &event.event_hash, &hash);
    assert_memory_equal(hash.b, receipt.receipt_hash.b, VES_HASH_SIZE);
    assert_true(test_verify(sequencer, &hash, &receipt.signature));
    ves_arena_free(&arena);
}

static void test_pages(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct ves_public_key sequencer;
    assert_int_equal(test_serve_push(&serve, h, 400, 25), 200);
    assert_int_equal(test_http_get(h, "/api/v1/ves/sequencer-keys"), 200);
    test_hex(test_http_text(h, "/keys/0/publicKey"), sequencer.b, VES_KEY_SIZE);
    assert_int_equal(test_http_get(h, "/api/v1/ves/head?%s", serve.scope), 200);
    uint64_t head = test_http_u64(h, "/head_sequence");
    assert_true(head >= 25);
    uint64_t next = 1;
    bool more = true;
    while (more) {
        assert_int_equal(
            test_http_get(h,
                          "/api/v1/ves/events?%s&from=%llu&limit=7&"
                          "receipts=1",
                          serve.scope, (unsigned long long)next),
            200);
        const struct ves_json *item = ves_json_member(h->json, "events")->first;
        uint64_t count = test_http_u64(h, "/count");
        for (uint64_t i = 0; i < count; i++, item = item->next)
            check_item(item, next + i, &sequencer);
        next += count;
        assert_int_equal(test_http_u64(h, "/next_sequence"), next);
        assert_int_equal(test_http_u64(h, "/head_sequence"), head);
        more = test_http_is_true(h, "/has_more");
        assert_int_equal(more, next <= head);
    }
    assert_int_equal(next, head + 1);
    /* One event is left. */
    assert_int_equal(test_http_get(h, "/api/v1/ves/events?%s&limit=%llu",
                                   serve.scope, (unsigned long long)head - 1),
                     200);
    assert_true(test_http_is_true(h, "/has_more"));
    assert_int_equal(test_http_get(h,
                                   "/api/v1/ves/events?%s&from=0&limit=99999",
                                   serve.scope),
                     200);
    assert_int_equal(test_http_u64(h, "/count"), head);
    assert_null(strstr(test_http_body(h), "\"receipt\""));
    assert_int_equal(test_http_get(h, "/api/v1/ves/events?%s&from=%llu",
                                   serve.scope, (unsigned long long)head + 5),
                     200);
    assert_int_equal(test_http_u64(h, "/count"), 0);
    assert_int_equal(test_http_u64(h, "/next_sequence"), head + 5);
    assert_false(test_http_is_true(h, "/has_more"));
    /* A stream that nobody wrote to. */
    assert_int_equal(
        test_http_get(h, "/api/v1/ves/events?tenant_id=%s&store_id=%s",
                      serve.tenant, serve.tenant),
        200);
    assert_int_equal(test_http_u64(h, "/head_sequence"), 0);
    assert_int_equal(test_http_get(h, "/api/v1/ves/state?%s", serve.scope),
                     404);
}

static void push_named(uint32_t first, uint32_t count, const char *type,
                       const char *id)
{
    struct test_request request;
    test_request_begin(&request, &serve.agent);
    for (uint32_t i = 0; i < count; i++) {
        struct test_event event;
        test_event_init(&event, &serve.stream, &serve.agent, first + i);
        event.fields.entity_type = ves_bytes_str(type);
        event.fields.entity_id = ves_bytes_str(id);
        test_request_event(&request, &event, &serve.agent_key);
    }
    assert_int_equal(test_http_call(&serve.http, "POST",
                                    "/api/v1/ves/events/ingest",
                                    test_request_end(&request)),
                     200);
    assert_int_equal(test_http_u64(&serve.http, "/eventsAccepted"), count);
    test_request_free(&request);
}

static void test_entities(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    push_named(500, 9, "order", "a/b c+%\xc3\xa9");
    uint64_t last = test_http_u64(h, "/headSequence");
    for (uint64_t from = 0; from < 11; from++) {
        assert_int_equal(
            test_http_get(h,
                          "/api/v1/ves/entities/order/"
                          "a%%2Fb%%20c+%%25%%C3%%a9?%s&from=%llu&limit=4",
                          serve.scope, (unsigned long long)from),
            200);
        uint64_t left = from < 9 ? 9 - from : 0;
        uint64_t count = left < 4 ? left : 4;
        assert_string_equal(test_http_text(h, "/entity_id"), "a/b c+%\xc3\xa9");
        assert_int_equal(test_http_u64(h, "/count"), count);
        assert_int_equal(test_http_u64(h, "/total"), 9);
        assert_int_equal(test_http_u64(h, "/current_version"), 9);
        assert_int_equal(test_http_is_true(h, "/has_more"), left > 4);
        for (uint64_t i = 0; i < count; i++) {
            char pointer[64];
            snprintf(pointer, sizeof(pointer),
                     "/events/%llu/envelope/sequence_number",
                     (unsigned long long)i);
            assert_int_equal(test_http_u64(h, pointer), last - 8 + from + i);
        }
    }
    /* The longest names the protocol knows. */
    char type[129], id[513];
    memset(type, 't', 128);
    memset(id, 'i', 512);
    type[128] = id[512] = 0;
    push_named(520, 1, type, id);
    assert_int_equal(test_http_get(h, "/api/v1/ves/entities/%s/%s?%s", type, id,
                                   serve.scope),
                     200);
    assert_int_equal(test_http_u64(h, "/total"), 1);
    assert_int_equal(test_http_get(h, "/api/v1/ves/entities/%sx/%s?%s", type,
                                   id, serve.scope),
                     400);
    assert_int_equal(
        test_http_get(h, "/api/v1/ves/entities/a%%00/b?%s", serve.scope), 400);
    assert_int_equal(
        test_http_get(h, "/api/v1/ves/entities/no/thing?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(h, "/total"), 0);
}

static uint32_t put_cursor(struct test_http *http, uint64_t sequence)
{
    char path[128], body[256];
    snprintf(path, sizeof(path), "/api/v1/ves/cursors/%s", serve.agent_text);
    snprintf(body, sizeof(body),
             "{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"sequenceNumber\":%llu}",
             serve.tenant, serve.store, (unsigned long long)sequence);
    return test_http_call(http, "PUT", path, ves_bytes_str(body));
}

static void test_cursors(void **state)
{
    (void)state;
    char members[128];
    snprintf(members, sizeof(members),
             "\"rights\":[\"read\"],\"agentId\":\"%s\"", serve.agent_text);
    struct test_http own = client_as(members, "x-api-key: ");
    struct test_http other = client_as("\"rights\":[\"read\"]", "x-api-key: ");
    assert_int_equal(test_serve_push(&serve, &serve.http, 600, 5), 200);
    uint64_t head = test_http_u64(&serve.http, "/headSequence");
    assert_int_equal(test_http_get(&own, "/api/v1/ves/cursors/%s?%s",
                                   serve.agent_text, serve.scope),
                     200);
    assert_int_equal(test_http_u64(&own, "/acknowledgedSequence"), 0);
    assert_true(test_http_is_null(&own, "/updatedAt"));
    assert_int_equal(put_cursor(&own, 3), 200);
    assert_int_equal(put_cursor(&own, 2), 200); /* never back */
    assert_int_equal(test_http_u64(&own, "/acknowledgedSequence"), 3);
    assert_int_equal(test_http_u64(&own, "/lag"), head - 3);
    assert_false(test_http_is_null(&own, "/updatedAt"));
    assert_int_equal(put_cursor(&own, head + 1), 400);
    assert_int_equal(put_cursor(&other, 4), 403);
    assert_int_equal(put_cursor(&serve.http, 4), 200); /* administrator */
    assert_int_equal(test_http_get(&own, "/api/v1/ves/cursors/%s?%s",
                                   serve.agent_text, serve.scope),
                     200);
    assert_int_equal(test_http_u64(&own, "/acknowledgedSequence"), 4);
    assert_int_equal(
        test_http_get(&own, "/api/v1/ves/cursors/nobody?%s", serve.scope), 400);
    test_http_free(&own);
    test_http_free(&other);
}

static void test_legacy(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    push_named(700, 2, "order", "L-1");
    uint64_t head = test_http_u64(h, "/headSequence");
    assert_int_equal(test_http_get(h, "/api/v1/events?%s&from=%llu",
                                   serve.scope, (unsigned long long)head),
                     200);
    assert_true(test_http_has_header(h, "Deprecation: true"));
    assert_true(test_http_has_header(h, "Sunset:"));
    assert_int_equal(test_http_u64(h, "/head_sequence"), head);
    assert_int_equal(test_http_u64(h, "/count"), 1);
    assert_string_equal(test_http_text(h, "/events/0/envelope/source_agent"),
                        serve.agent_text);
    assert_string_equal(test_http_text(h, "/events/0/envelope/source_agent_id"),
                        serve.agent_text);
    assert_int_equal(test_http_u64(h, "/events/0/envelope/sequence_number"),
                     head);
    assert_int_equal(strlen(test_http_text(h, "/events/0/receipt_hash")), 64);
    assert_int_equal(strlen(test_http_text(h, "/events/0/sequenced_at")), 24);
    assert_int_equal(test_http_get(h, "/api/v1/head?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(h, "/head_sequence"), head);
    assert_int_equal(
        test_http_get(h, "/api/v1/entities/order/L-1?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(h, "/events/1/sequence_number"), head);
    assert_string_equal(test_http_text(h, "/events/1/source_agent"),
                        serve.agent_text);
    assert_string_equal(test_http_text(h, "/events/1/event_id"),
                        test_http_text(h, "/events/1/envelope/event_id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_start),
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_http_shape),
        cmocka_unit_test(test_bad_queries),
        cmocka_unit_test(test_raw_requests),
        cmocka_unit_test(test_key_forms),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_ingest_answers),
        cmocka_unit_test(test_ingest_refusals),
        cmocka_unit_test(test_ingest_whole),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_cursors),
        cmocka_unit_test(test_legacy),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
