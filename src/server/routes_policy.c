/* routes_policy.c -- what an agent may send, as an administrator says it
 * (protocol.md B.4).  Asked at ingest: engine/commit_decide.c.
 */
#include "base/bytes.h"
#include "base/error.h"
#include "os/clock.h"
#include "server/body.h"
#include "server/routes.h"
#include "server/server.h"

static void put_policy(struct ves_request *request,
                       const struct ves_agent_policy_row *row)
{
    struct ves_buf *out = &request->out;

    /* The document is an object and has members. */
    ves_buf_put(out, row->document.ptr, row->document.len - 1);
    ves_put_name(out, false, "tenantId");
    ves_put_uuid(out, &row->tenant);
    ves_put_name(out, false, "agentId");
    ves_put_uuid(out, &row->agent);
    ves_put_name(out, false, "updatedAt");
    ves_put_time(out, row->updated_ms);
    ves_buf_put_u8(out, '}');
    ves_reply(request, 200);
}

/* A policy is for all streams of a tenant, so a key for one of them is not
 * enough. */
static bool may_rule(struct ves_request *request, const struct ves_uuid *tenant)
{
    if (!ves_request_allows(request, VES_RIGHT_ADMIN, tenant, NULL))
        return false;
    if (!request->caller.has_store)
        return true;
    ves_reply_auth(request, VES_AUTH_STORE);
    return false;
}

static void get_agent_policy(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_agent_policy_row row;
    struct ves_uuid agent, tenant;
    struct ves_error error = {0};
    if (!ves_request_uuid(request, 0, "the agent id", &agent))
        return;
    enum ves_status status =
        ves_uri_uuid(&request->uri, "tenant_id", &tenant, &error);
    if (status) {
        ves_reply_error(request, 400, NULL, "%s", error.text);
        return;
    }
    if (!may_rule(request, &tenant))
        return;
    status = store->ops->agent_policy_get(store, &tenant, &agent,
                                          &request->arena, &row);
    if (status == VES_NOT_FOUND)
        ves_reply_error(request, 404, NULL,
                        "this agent has no policy: it may send whatever its "
                        "key and its credential allow");
    else if (status)
        ves_reply_status(request, status, &store->error);
    else
        put_policy(request, &row);
}

static enum ves_status write_document(struct ves_request *request,
                                      const struct ves_agent_policy *policy,
                                      struct ves_bytes *out)
{
    struct ves_buf buf;
    ves_buf_init(&buf, request->server->alloc, VES_AGENT_POLICY_TEXT_MAX);
    ves_buf_put_u8(&buf, '{');
    ves_agent_policy_write(&buf, policy);
    ves_buf_put_u8(&buf, '}');
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status = ves_arena_copy(&request->arena, ves_buf_view(&buf), out);
    ves_buf_free(&buf);
    return status;
}

static enum ves_status store_policy(struct ves_store *store,
                                    const struct ves_agent_policy_row *row)
{
    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    status = store->ops->agent_policy_put(store, row);
    if (!status)
        status = store->ops->commit(store);
    if (status)
        store->ops->rollback(store);
    return status;
}

static void put_agent_policy(struct ves_request *request)
{
    struct ves_agent_policy_body body;
    struct ves_agent_policy_row row = {.updated_ms = ves_clock_now_ms()};
    struct ves_error error = {0};
    if (!ves_request_uuid(request, 0, "the agent id", &row.agent))
        return;
    enum ves_status status = ves_agent_policy_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!may_rule(request, &body.tenant))
        return;
    if ((body.has_agent && !ves_uuid_equal(&body.agent, &row.agent)) ||
        ves_uuid_is_nil(&body.tenant)) {
        ves_reply_error(request, 400, NULL,
                        "body member agentId is not the agent of the path, or "
                        "tenantId is nil");
        return;
    }
    if (ves_uuid_equal(&row.agent, &request->server->identity.sequencer_id)) {
        ves_reply_error(request, 400, NULL,
                        "this agent id is the sequencer's own, which no policy "
                        "is for");
        return;
    }
    row.tenant = body.tenant;
    status = write_document(request, &body.policy, &row.document);
    if (!status)
        status = store_policy(request->store, &row);
    if (status)
        ves_reply_status(request, status, &request->store->error);
    else
        put_policy(request, &row);
}

const struct ves_route ves_routes_policy[] = {
    {VES_METHOD_GET, "/api/v1/agents/{}/policy", VES_ROUTE_READ,
     VES_ACCESS_ADMIN, false, get_agent_policy},
    {VES_METHOD_PUT, "/api/v1/agents/{}/policy", VES_ROUTE_WRITE,
     VES_ACCESS_ADMIN, false, put_agent_policy},
    {.pattern = NULL}};
