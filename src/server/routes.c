/* routes.c -- which path does what, and who may ask.
 *
 * method path                                        who    where
 * ------ ------------------------------------------- ------ -----------------
 * POST   /api/v1/ves/events/ingest                   write  workers, committer
 * GET    /api/v1/ves/events                          read   reader
 *          ?tenant_id&store_id&from&limit&receipts=1
 * GET    /api/v1/ves/events/stream                   read   reader, then as
 *          ?tenant_id&store_id&from&receipts=1&heads=1      it grows
 * GET    /api/v1/ves/head                            read   reader
 * GET    /api/v1/ves/entities/{type}/{id}            read   reader
 *          ?tenant_id&store_id&from&limit (from: how many to pass over)
 * GET    /api/v1/ves/cursors/{agent}                 agent  reader
 * PUT    /api/v1/ves/cursors/{agent}                 agent  committer
 * GET    /api/v1/ves/refusals                        read   reader
 *          ?tenant_id&store_id&from&limit
 * GET    /api/v1/ves/keys?tenant_id&store_id         read   reader
 * GET    /api/v1/ves/sequencer-keys                  any    reader
 * GET    /api/v1/ves/state                           read   404: does not fold
 * POST   /api/v1/ves/commitments                     write  committer
 * GET    /api/v1/ves/commitments                     read   reader
 *          ?tenant_id&store_id&from&limit
 * GET    /api/v1/ves/commitments/{batch}             read   reader
 * GET    /api/v1/ves/proofs/{sequence}               read   reader
 *          ?tenant_id&store_id[&batch_id]
 * POST   /api/v1/ves/proofs/verify                   any    reader
 * GET    /api/v1/ves/log?tenant_id&store_id          read   reader
 * GET    /ves/{stream id}/checkpoint                 read   reader
 * GET    /ves/{stream id}/tile/{level}/{tile}        read   reader
 * GET    /ves/{stream id}/tile/entries/{tile}        read   reader
 * GET    /ves/{stream id}/inclusion/{sequence}       read   reader
 *          [?size]
 * GET    /ves/{stream id}/consistency?from[&to]      read   reader
 * GET    /ves/{stream id}/proof/{sequence}           read   reader
 * POST   /api/v1/agents/keys                         admin  committer
 * GET    /api/v1/agents/{agent}/signing-keys         read   reader
 *          ?tenant_id[&store_id]
 * GET    /api/v1/agents/{agent}/policy?tenant_id     admin  reader
 * PUT    /api/v1/agents/{agent}/policy               admin  committer
 * DELETE /api/v1/agents/{agent}/keys/{key}           admin  committer
 *          ?tenant_id
 * POST   /api/v1/invitations                         admin  committer
 * POST   /api/v1/invitations/redeem                  open   committer
 * POST   /api/v1/api-keys                            admin  committer
 * GET    /api/v1/api-keys[?tenant_id]                admin  reader
 * DELETE /api/v1/api-keys/{first 16 digits of hash}  admin  committer
 * GET    /api/v1/events, /api/v1/head,               read   reader; older
 *        /api/v1/entities/{type}/{id}                       names, deprecated
 *        /api/v1/commitments/{batch}
 * GET    /health, /ready                             open   reader
 * GET    /health/detailed, /metrics                  admin  reader
 *
 * HEAD answers as GET without the body, OPTIONS tells the methods.  "agent"
 * is that agent's own key or an administrator.  Administrators may do all
 * inside their tenant; the nil tenant stands for every tenant.  Every request
 * with a key may carry x-ves-known-head (known_head.h).
 */
#include "server/routes.h"

static const struct ves_route *const tables[] = {
    ves_routes_ingest, ves_routes_read,   ves_routes_follow,
    ves_routes_keys,   ves_routes_policy, ves_routes_proof,
    ves_routes_log,    ves_routes_invite, ves_routes_admin};

const struct ves_route *ves_route_find(struct ves_request *request,
                                       uint32_t *allowed)
{
    *allowed = 0;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct ves_route *row = tables[i]; row->pattern; row++) {
            if (!ves_uri_match(row->pattern, request->uri.path,
                               request->captures))
                continue;
            if (row->method == request->method)
                return row;
            *allowed |= row->method;
        }
    }
    return NULL;
}

const struct ves_route *ves_route_at(size_t i)
{
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (const struct ves_route *row = tables[t]; row->pattern; row++) {
            if (i-- == 0)
                return row;
        }
    }
    return NULL;
}

const char *ves_route_allow(uint32_t methods)
{
    switch (methods) {
    case VES_METHOD_GET:
        return "GET, HEAD, OPTIONS";
    case VES_METHOD_POST:
        return "POST, OPTIONS";
    case VES_METHOD_DELETE:
        return "DELETE, OPTIONS";
    case VES_METHOD_GET | VES_METHOD_POST:
        return "GET, HEAD, POST, OPTIONS";
    case VES_METHOD_GET | VES_METHOD_PUT:
        return "GET, HEAD, PUT, OPTIONS";
    default:
        return "OPTIONS";
    }
}
