/* guard.c -- may this request be done now, or has its caller asked too often?
 */
#include "server/guard.h"

#include <stdio.h>
#include <string.h>

#include <netinet/in.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "os/mhd.h"
#include "server/routes.h"
#include "server/server.h"

static const char *const names[VES_RATE_KINDS] = {
    [VES_RATE_CREDENTIAL] = "credential",
    [VES_RATE_TENANT] = "tenant",
    [VES_RATE_ADDRESS] = "address"};

/* What of an address its owner cannot change at will; "" when it has none. */
static struct ves_bytes address_of(const struct ves_request *request)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *any = info ? info->client_addr : NULL;
    if (any && any->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)any;
        return ves_bytes(&v4->sin_addr, sizeof(v4->sin_addr));
    }
    if (!any || any->sa_family != AF_INET6)
        return ves_bytes(NULL, 0);
    const struct sockaddr_in6 *v6 = (const void *)any;
    const uint8_t *bytes = v6->sin6_addr.s6_addr;
    return memcmp(bytes, mapped, sizeof(mapped)) == 0
               ? ves_bytes(bytes + sizeof(mapped), 4)
               : ves_bytes(bytes, 8);
}

static void refuse(struct ves_request *request, enum ves_rate_kind kind)
{
    uint32_t wait_s = request->rates[kind].wait_s;
    ves_metric_add(&request->server->metrics.rate_limited, 1);
    ves_reply_error(request, 429, NULL,
                    "too many requests from this %s: at most %u a second on "
                    "average; nothing was done, try again in %u s",
                    names[kind], request->server->rates.per_s[kind], wait_s);
    request->retry_after_s = wait_s;
}

/* false: over it. */
static bool take(struct ves_request *request, enum ves_rate_kind kind,
                 struct ves_bytes key, uint64_t now_us)
{
    ves_rates_take(&request->server->rates, kind, key, now_us,
                   &request->rates[kind]);
    return !request->rates[kind].is_over;
}

static bool is_health(const struct ves_route *route)
{
    return route->access == VES_ACCESS_OPEN && route->kind == VES_ROUTE_READ;
}

void ves_guard_check(struct ves_request *request, bool is_refused)
{
    struct ves_rates *rates = &request->server->rates;
    if (!rates->sets || is_health(request->route))
        return;
    uint64_t now_us = ves_metric_now_us();
    if (is_refused || request->route->access == VES_ACCESS_OPEN) {
        if (!take(request, VES_RATE_ADDRESS, address_of(request), now_us))
            refuse(request, VES_RATE_ADDRESS);
        return;
    }
    struct ves_bytes credential = ves_bytes(request->key_hash.b, VES_HASH_SIZE);
    struct ves_bytes tenant =
        ves_bytes(request->caller.tenant.b, VES_UUID_SIZE);
    if (!take(request, VES_RATE_CREDENTIAL, credential, now_us)) {
        refuse(request, VES_RATE_CREDENTIAL);
    } else if (!take(request, VES_RATE_TENANT, tenant, now_us)) {
        ves_rates_give(rates, VES_RATE_CREDENTIAL, credential);
        refuse(request, VES_RATE_TENANT);
    }
}

/* ---- connections --------------------------------------------------------- */

void ves_guard_leave(struct ves_connection *place)
{
    if (!place || !place->held)
        return;
    atomic_fetch_sub(&place->held->connections, 1);
    atomic_fetch_sub(&place->held->account->connections, 1);
    place->held = NULL;
}

void ves_guard_place(struct ves_request *request)
{
    struct ves_server *server = request->server;
    struct ves_connection *place = request->place;
    struct ves_held *held = request->held;
    if (!place || place->held == held)
        return;
    ves_guard_leave(place);
    place->held = held;
    unsigned own = atomic_fetch_add(&held->connections, 1) + 1;
    unsigned tenants = atomic_fetch_add(&held->account->connections, 1) + 1;
    unsigned max = server->credential_connections;
    uint64_t all = atomic_load(&server->metrics.connections);
    uint64_t left =
        all < server->connections_max ? server->connections_max - all : 0;
    bool is_own = max && own > max;
    if (!is_own && tenants <= VES_GUARD_CONNECTIONS_SHARE * (left + 1))
        return;
    ves_guard_leave(place);
    ves_metric_add(&server->metrics.connections_refused, 1);
    ves_reply_error(request, 429, NULL,
                    "too many connections with the credentials of this %s; "
                    "nothing was done, and this one is closed: use those that "
                    "are open",
                    is_own ? "caller" : "tenant");
    request->retry_after_s = 1;
    request->close = true;
}

/* ---- headers ------------------------------------------------------------- */

bool ves_guard_headers(const struct ves_request *request,
                       char policy[VES_GUARD_HEADER_MAX],
                       char state[VES_GUARD_HEADER_MAX])
{
    size_t policy_len = 0, state_len = 0;
    bool has_one = false;
    for (size_t i = 0; i < VES_RATE_KINDS; i++) {
        const struct ves_rate_state *rate = &request->rates[i];
        if (!rate->is_limited)
            continue;
        const char *comma = has_one ? ", " : "";
        policy_len += (size_t)snprintf(policy + policy_len,
                                       VES_GUARD_HEADER_MAX - policy_len,
                                       "%s\"%s\";q=%u;w=%u", comma, names[i],
                                       rate->most, (unsigned)VES_RATE_BURST_S);
        state_len += (size_t)snprintf(
            state + state_len, VES_GUARD_HEADER_MAX - state_len,
            "%s\"%s\";r=%u;t=%u", comma, names[i], rate->left, rate->full_s);
        VES_ASSERT(policy_len < VES_GUARD_HEADER_MAX &&
                   state_len < VES_GUARD_HEADER_MAX);
        has_one = true;
    }
    return has_one;
}

const struct ves_rate_state *
ves_guard_narrowest(const struct ves_request *request)
{
    const struct ves_rate_state *least = NULL;
    for (size_t i = 0; i < VES_RATE_KINDS; i++) {
        const struct ves_rate_state *rate = &request->rates[i];
        if (rate->is_limited && (!least || rate->left < least->left))
            least = rate;
    }
    return least;
}
