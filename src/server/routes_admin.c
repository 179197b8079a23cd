/* routes_admin.c -- API keys, health and metrics (protocol.md B.1, B.8). */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "server/body.h"
#include "server/grant.h"
#include "server/routes.h"
#include "server/server.h"

enum {
    NAME_DIGITS = 16,  /* of the hash: how a key is named (B.6) */
    HEADS_MAX = 10000, /* streams shown in metrics */
    DATABASE_SLOW_MS = 1000
};

/* ---- API keys ------------------------------------------------------------ */

static void put_rights(struct ves_buf *out, uint32_t rights)
{
    static const struct {
        uint32_t right;
        const char *name;
    } names[] = {{VES_RIGHT_READ, "\"read\""},
                 {VES_RIGHT_WRITE, "\"write\""},
                 {VES_RIGHT_ADMIN, "\"admin\""}};
    const char *before = "[";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(rights & names[i].right))
            continue;
        ves_buf_put_str(out, before);
        ves_buf_put_str(out, names[i].name);
        before = ",";
    }
    ves_buf_put_str(out, *before == '[' ? "[]" : "]");
}

/* Members of a key's description, without braces. */
static void put_credential(struct ves_buf *out,
                           const struct ves_credential_row *row)
{
    ves_put_name(out, true, "id");
    ves_put_hex(out, "", row->key_hash.b, NAME_DIGITS / 2);
    ves_put_name(out, false, "tenantId");
    ves_put_uuid(out, &row->tenant);
    ves_put_name(out, false, "storeId");
    if (row->has_store)
        ves_put_uuid(out, &row->store);
    else
        ves_buf_put_str(out, "null");
    ves_put_name(out, false, "agentId");
    if (row->has_agent)
        ves_put_uuid(out, &row->agent);
    else
        ves_buf_put_str(out, "null");
    ves_put_name(out, false, "rights");
    put_rights(out, row->rights);
    ves_put_name(out, false, "label");
    ves_put_text(out, row->label);
    ves_put_name(out, false, "createdAt");
    ves_put_time(out, row->created_ms);
    ves_put_name(out, false, "expiresAt");
    ves_put_time(out, row->expires_ms);
    ves_put_name(out, false, "revokedAt");
    ves_put_time(out, row->revoked_ms);
}

static void make_api_key(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_api_key_body body;
    struct ves_error error = {0};
    char text[VES_API_KEY_TEXT + 1] = "";
    enum ves_status status = ves_api_key_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_ADMIN, &body.tenant,
                            body.has_store ? &body.store : NULL))
        return;
    struct ves_credential_row row = {.tenant = body.tenant,
                                     .has_store = body.has_store,
                                     .store = body.store,
                                     .has_agent = body.has_agent,
                                     .agent = body.agent,
                                     .rights = body.rights,
                                     .created_ms = ves_clock_now_ms(),
                                     .expires_ms = body.expires_ms,
                                     .label = body.label};
    status = store->ops->begin(store);
    if (!status) {
        status = ves_grant_make(store, &row, text, &error);
        if (!status)
            status = store->ops->commit(store);
        if (status)
            store->ops->rollback(store);
    }
    if (!status)
        status = ves_credentials_put(&request->server->credentials, &row);
    if (status) {
        ves_reply_status(request, status,
                         error.text[0] ? &error : &store->error);
    } else {
        ves_buf_putf(&request->out, "{\"apiKey\":\"%s\",", text);
        put_credential(&request->out, &row);
        ves_buf_put_u8(&request->out, '}');
        ves_reply(request, 200);
    }
    ves_wipe(text, sizeof(text));
}

struct visible {
    const struct ves_caller *caller;
    bool has_tenant;
    struct ves_uuid tenant;
    struct ves_bytes name; /* first digits of the hash; empty: all */
};

static bool is_visible(const void *ctx, const struct ves_credential_row *row)
{
    const struct visible *v = ctx;
    char digits[NAME_DIGITS];
    if (ves_auth_allows(v->caller, VES_RIGHT_ADMIN, &row->tenant,
                        row->has_store ? &row->store : NULL))
        return false;
    if (v->has_tenant && !ves_uuid_equal(&v->tenant, &row->tenant))
        return false;
    if (v->name.len == 0)
        return true;
    ves_hex_encode(row->key_hash.b, NAME_DIGITS / 2, digits);
    return ves_bytes_equal(v->name, ves_bytes(digits, NAME_DIGITS));
}

static void list_api_keys(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_buf *out = &request->out;
    struct visible visible = {.caller = &request->caller};
    struct ves_grant_list list;
    struct ves_error error = {0};
    enum ves_status status =
        ves_uri_uuid(&request->uri, "tenant_id", &visible.tenant, &error);
    visible.has_tenant = status == VES_OK;
    if (status == VES_INVALID) {
        ves_reply_status(request, status, &error);
        return;
    }
    status =
        ves_grant_find(store, &request->arena, is_visible, &visible, &list);
    if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    ves_buf_put_str(out, "{\"apiKeys\":[");
    for (const struct ves_grant_item *item = list.first; item;
         item = item->next) {
        ves_buf_put_str(out, item == list.first ? "{" : ",{");
        put_credential(out, &item->row);
        ves_buf_put_u8(out, '}');
    }
    ves_buf_putf(out, "],\"count\":%zu}", list.count);
    ves_reply(request, 200);
}

static bool is_last_way_in(const void *ctx,
                           const struct ves_credential_row *row)
{
    const int64_t *now_ms = ctx;
    return (row->rights & VES_RIGHT_ADMIN) && ves_uuid_is_nil(&row->tenant) &&
           !row->revoked_ms && (!row->expires_ms || row->expires_ms > *now_ms);
}

/* Would this lock everybody out?  Then the answer is made. */
static bool is_last_admin(struct ves_request *request,
                          const struct ves_credential_row *row, int64_t now_ms)
{
    struct ves_grant_list admins;
    if (!is_last_way_in(&now_ms, row))
        return false;
    enum ves_status status = ves_grant_find(request->store, &request->arena,
                                            is_last_way_in, &now_ms, &admins);
    if (status)
        ves_reply_status(request, status, &request->store->error);
    else if (admins.count == 1)
        ves_reply_error(request, 409, NULL,
                        "this is the last administrator's key; make another "
                        "one first");
    else
        return false;
    return true;
}

static void revoke_api_key(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct visible visible = {.caller = &request->caller,
                              .name = request->captures[0]};
    struct ves_grant_list list = {0};
    int64_t now_ms = ves_clock_now_ms();
    enum ves_status status =
        ves_grant_find(store, &request->arena, is_visible, &visible, &list);
    if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    if (list.count != 1) {
        ves_reply_error(request, 404, NULL,
                        "there is no API key with this id: the first %d "
                        "lower-case digits of its hash",
                        NAME_DIGITS);
        return;
    }
    if (is_last_admin(request, &list.first->row, now_ms))
        return;
    status = store->ops->begin(store);
    if (!status) {
        status = ves_grant_revoke(store, &list, now_ms);
        if (!status)
            status = store->ops->commit(store);
        if (status)
            store->ops->rollback(store);
    }
    if (!status)
        status = ves_grant_publish(&request->server->credentials, &list);
    ves_followers_recheck(request->server);
    if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    ves_buf_put_str(&request->out, "{\"success\":true,");
    put_credential(&request->out, &list.first->row);
    ves_buf_put_u8(&request->out, '}');
    ves_reply(request, 200);
}

/* ---- health -------------------------------------------------------------- */

static void get_health(struct ves_request *request)
{
    struct ves_buf *out = &request->out;
    ves_buf_putf(out,
                 "{\"status\":\"healthy\",\"service\":\"ves-sequencer\","
                 "\"version\":\"%s\",\"timestamp\":",
                 VES_VERSION);
    ves_put_time(out, ves_clock_now_ms());
    ves_buf_put_u8(out, '}');
    ves_reply(request, 200);
}

/* A read that goes to the database. */
static bool probe(struct ves_request *request, uint64_t *us)
{
    struct ves_store *store = request->store;
    struct ves_bytes value;
    uint64_t start = ves_metric_now_us();
    enum ves_status status =
        store->ops->meta_get(store, "sequencer.id", &request->arena, &value);
    *us = ves_metric_now_us() - start;
    return status == VES_OK;
}

static void get_ready(struct ves_request *request)
{
    uint64_t us;
    if (!probe(request, &us)) {
        ves_reply_error(request, 503, NULL, "the database does not answer");
        return;
    }
    ves_buf_putf(&request->out,
                 "{\"status\":\"ready\",\"database\":{\"connected\":true,"
                 "\"response_time_ms\":%llu},\"pool\":null}",
                 (unsigned long long)(us / 1000));
    ves_reply(request, 200);
}

struct heads {
    struct ves_buf *out;
    size_t count;
    uint64_t events;
    bool is_text; /* Prometheus lines */
};

static enum ves_status put_head(void *ctx, const struct ves_stream_row *row)
{
    struct heads *heads = ctx;
    heads->events += row->head;
    if (heads->count++ >= HEADS_MAX || !heads->is_text)
        return VES_OK;
    ves_buf_put_str(heads->out, "sequencer_head_sequence{tenant=\"");
    ves_buf_put_uuid(heads->out, &row->stream.tenant);
    ves_buf_put_str(heads->out, "\",store=\"");
    ves_buf_put_uuid(heads->out, &row->stream.store);
    ves_buf_putf(heads->out, "\"} %llu\n", (unsigned long long)row->head);
    return VES_OK;
}

/* What is told about the whole server is for who may see the whole server. */
static bool is_operator(struct ves_request *request)
{
    if (ves_uuid_is_nil(&request->caller.tenant))
        return true;
    ves_reply_auth(request, VES_AUTH_RIGHTS);
    return false;
}

static void get_detailed(struct ves_request *request)
{
    struct ves_server *server = request->server;
    struct ves_store *store = request->store;
    struct heads heads = {.out = &request->out};
    uint64_t us;
    if (!is_operator(request))
        return;
    bool is_up = probe(request, &us) &&
                 store->ops->stream_list(store, put_head, &heads) == VES_OK;
    const char *health = !is_up                         ? "unhealthy"
                         : us / 1000 > DATABASE_SLOW_MS ? "degraded"
                                                        : "healthy";
    ves_buf_putf(heads.out, "{\"status\":\"%s\",\"version\":\"%s\",", health,
                 VES_VERSION);
    ves_buf_putf(heads.out, "\"startedAt\":");
    ves_put_time(heads.out, server->started_ms);
    ves_buf_putf(heads.out, ",\"database\":{\"connected\":%s,",
                 is_up ? "true" : "false");
    ves_buf_putf(heads.out, "\"response_time_ms\":%llu},\"streams\":%zu,",
                 (unsigned long long)(us / 1000), heads.count);
    ves_buf_putf(heads.out, "\"events\":%llu,\"waitingToPrepare\":%zu,",
                 (unsigned long long)heads.events,
                 ves_queue_count(&server->pipeline.prepare));
    ves_buf_putf(heads.out, "\"waitingToCommit\":%zu,\"threads\":%u,",
                 ves_queue_count(&server->pipeline.commit), server->threads);
    ves_buf_put_str(heads.out, "\"sequencerId\":");
    ves_put_uuid(heads.out, &server->identity.sequencer_id);
    ves_buf_putf(heads.out, ",\"sequencerKeyVersion\":%u}",
                 ves_identity_current(&server->identity)->version);
    ves_reply(request, is_up ? 200 : 503);
}

static void get_metrics(struct ves_request *request)
{
    struct ves_server *server = request->server;
    struct ves_store *store = request->store;
    struct heads heads = {.out = &request->out, .is_text = true};
    if (!is_operator(request))
        return;
    ves_metrics_write(&request->out, &server->metrics);
    ves_buf_put_str(&request->out,
                    "# HELP sequencer_head_sequence Last sequence number of a "
                    "stream.\n# TYPE sequencer_head_sequence gauge\n");
    enum ves_status status = store->ops->stream_list(store, put_head, &heads);
    if (status) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    request->content_type = "text/plain; version=0.0.4; charset=utf-8";
    ves_reply(request, 200);
}

const struct ves_route ves_routes_admin[] = {
    {VES_METHOD_POST, "/api/v1/api-keys", VES_ROUTE_WRITE, VES_ACCESS_ADMIN,
     false, make_api_key},
    {VES_METHOD_GET, "/api/v1/api-keys", VES_ROUTE_READ, VES_ACCESS_ADMIN,
     false, list_api_keys},
    {VES_METHOD_DELETE, "/api/v1/api-keys/{}", VES_ROUTE_WRITE,
     VES_ACCESS_ADMIN, false, revoke_api_key},
    {VES_METHOD_GET, "/health", VES_ROUTE_READ, VES_ACCESS_OPEN, false,
     get_health},
    {VES_METHOD_GET, "/ready", VES_ROUTE_READ, VES_ACCESS_OPEN, false,
     get_ready},
    {VES_METHOD_GET, "/health/detailed", VES_ROUTE_READ, VES_ACCESS_ADMIN,
     false, get_detailed},
    {VES_METHOD_GET, "/metrics", VES_ROUTE_READ, VES_ACCESS_ADMIN, false,
     get_metrics},
    {.pattern = NULL}};
