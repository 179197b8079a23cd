/* test_serve.h -- a sequencer process inside the test, on a folder of its
 * own.  Everything is inline, because only programs that link the server may
 * use it.
 */
#ifndef VES_TEST_SERVE_H
#define VES_TEST_SERVE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "test/lib/test_events.h"
#include "test/lib/test_http.h"
#include "test/lib/test_util.h"
#include "ves/serve.h"

struct test_serve {
    char folder[64];
    char db[96];
    struct ves_serve_options options;
    struct ves_server *server;
    char admin_key[128];
    struct ves_stream stream;
    char scope[128]; /* "tenant_id=...&store_id=..." */
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];
    struct ves_uuid agent;
    char agent_text[VES_UUID_TEXT + 1];
    struct test_signer agent_key;
    struct test_http http; /* with the admin key */
};

static inline int test_serve_remove(const char *path, const struct stat *info,
                                    int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

/* Starts or restarts over what lies in the folder. */
static inline void test_serve_start(struct test_serve *serve)
{
    struct ves_error error = {0};
    if (ves_server_start(&serve->options, &serve->server, &error)) {
        fprintf(stderr, "test: the server does not start: %s\n", error.text);
        abort();
    }
    char path[128];
    snprintf(path, sizeof(path), "%s.admin-key", serve->db);
    struct ves_bytes text = test_read_file(path);
    VES_ASSERT(text.ptr && text.len > 1 && text.len < sizeof(serve->admin_key));
    memcpy(serve->admin_key, text.ptr, text.len - 1);
    serve->admin_key[text.len - 1] = 0;
    ves_alloc_default()->realloc(NULL, (void *)(uintptr_t)text.ptr, 0);
    test_http_init(&serve->http, ves_server_url(serve->server));
    test_http_auth(&serve->http, "x-api-key: ", serve->admin_key);
}

static inline void test_serve_stop(struct test_serve *serve)
{
    test_http_free(&serve->http);
    ves_server_stop(serve->server);
    serve->server = NULL;
}

static inline void test_serve_register(struct test_serve *serve,
                                       const struct ves_uuid *agent,
                                       uint32_t key_id,
                                       const struct test_signer *key)
{
    char id[VES_UUID_TEXT + 1];
    char hex[65] = "";
    ves_uuid_format(agent, id);
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", key->signer.public_key.b[i]);
    uint32_t status =
        test_http_post(&serve->http, "/api/v1/agents/keys",
                       "{\"tenantId\":\"%s\",\"agentId\":\"%s\",\"keyId\":%u,"
                       "\"publicKey\":\"%s\"}",
                       serve->tenant, id, key_id, hex);
    if (status != 200) {
        fprintf(stderr, "test: key not registered: %s\n",
                test_http_body(&serve->http));
        abort();
    }
}

/* A new folder, a server in it, one stream's names and an agent with key 1. */
static inline void test_serve_init(struct test_serve *serve)
{
    const char *base = getenv("TMPDIR");
    memset(serve, 0, sizeof(*serve));
    VES_ASSERT(ves_crypto_init() == VES_OK);
    snprintf(serve->folder, sizeof(serve->folder), "%.40s/ves-test-XXXXXX",
             base && *base ? base : "/tmp");
    VES_ASSERT(mkdtemp(serve->folder));
    snprintf(serve->db, sizeof(serve->db), "%s/hub.db", serve->folder);
    serve->options = (struct ves_serve_options){
        .db = serve->db, .listen = "127.0.0.1:0", .threads = 2};
    serve->stream = (struct ves_stream){test_id(0xa1), test_id(0xa2)};
    serve->agent = test_id(0xa3);
    ves_uuid_format(&serve->stream.tenant, serve->tenant);
    ves_uuid_format(&serve->stream.store, serve->store);
    ves_uuid_format(&serve->agent, serve->agent_text);
    snprintf(serve->scope, sizeof(serve->scope), "tenant_id=%s&store_id=%s",
             serve->tenant, serve->store);
    test_signer_init(&serve->agent_key, 8);
    test_serve_start(serve);
    test_serve_register(serve, &serve->agent, 1, &serve->agent_key);
}

static inline void test_serve_free(struct test_serve *serve)
{
    if (serve->server)
        test_serve_stop(serve);
    (void)nftw(serve->folder, test_serve_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Makes an API key with these members of the body; out takes 64 bytes. */
static inline void test_serve_key(struct test_serve *serve, const char *members,
                                  char *out)
{
    uint32_t status =
        test_http_post(&serve->http, "/api/v1/api-keys",
                       "{\"tenantId\":\"%s\",%s}", serve->tenant, members);
    if (status != 200) {
        fprintf(stderr, "test: no API key: %s\n", test_http_body(&serve->http));
        abort();
    }
    strncpy(out, test_http_text(&serve->http, "/apiKey"), 63);
    out[63] = 0;
}

/* Pushes count events numbered from first on, of the serve's agent; returns
 * the status. */
static inline uint32_t test_serve_push(struct test_serve *serve,
                                       struct test_http *http, uint32_t first,
                                       uint32_t count)
{
    struct test_request request;
    test_request_begin(&request, &serve->agent);
    for (uint32_t i = 0; i < count; i++) {
        struct test_event event;
        test_event_init(&event, &serve->stream, &serve->agent, first + i);
        test_request_event(&request, &event, &serve->agent_key);
    }
    uint32_t status = test_http_call(http, "POST", "/api/v1/ves/events/ingest",
                                     test_request_end(&request));
    test_request_free(&request);
    return status;
}

#endif
