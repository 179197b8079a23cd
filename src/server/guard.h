/* guard.h -- may this request be done now, or has its caller asked too often?
 *
 * Three limits (rate.h): of a credential, of its tenant, and, for requests
 * without an accepted credential, of the address they come from (of IPv6 the
 * first 64 bits).  Health and readiness have none.
 *
 * And may its caller have one more connection?  A connection is whose last
 * accepted credential came over it; a credential may have so many, and a tenant
 * twice what is free of all, so that there is always room for one more.
 */
#ifndef VES_SERVER_GUARD_H
#define VES_SERVER_GUARD_H

#include "server/request.h"

enum { VES_GUARD_HEADER_MAX = 128, VES_GUARD_CONNECTIONS_SHARE = 2 };

/* After the caller was found, or not (refused: the answer that is made).
 * Whoever is over a limit gets 429 instead, with the time to wait. */
void ves_guard_check(struct ves_request *request, bool is_refused);

/* An accepted request's connection is its caller's from here on; one too many
 * is answered 429, and closed. */
void ves_guard_place(struct ves_request *request);
/* It is nobody's any more; NULL is fine. */
void ves_guard_leave(struct ves_connection *place);

/* The two header fields of the IETF draft httpapi-ratelimit-headers-10; false:
 * no limit was looked at. */
bool ves_guard_headers(const struct ves_request *request,
                       char policy[VES_GUARD_HEADER_MAX],
                       char state[VES_GUARD_HEADER_MAX]);

/* Of the limits that were looked at the one that leaves least, for the three
 * fields of older drafts, which have room for one; NULL: none was. */
const struct ves_rate_state *
ves_guard_narrowest(const struct ves_request *request);

#endif
