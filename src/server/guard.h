/* guard.h -- may this request be done now, or has its caller asked too often?
 *
 * Three limits (rate.h): of a credential, of its tenant, and, for requests
 * without an accepted credential, of the address they come from (of IPv6 the
 * first 64 bits).  Health and readiness have none.
 */
#ifndef VES_SERVER_GUARD_H
#define VES_SERVER_GUARD_H

#include "server/request.h"

enum { VES_GUARD_HEADER_MAX = 128 };

/* After the caller was found, or not (refused: the answer that is made).
 * Whoever is over a limit gets 429 instead, with the time to wait. */
void ves_guard_check(struct ves_request *request, bool is_refused);

/* The two header fields of the IETF draft httpapi-ratelimit-headers-10; false:
 * no limit was looked at. */
bool ves_guard_headers(const struct ves_request *request,
                       char policy[VES_GUARD_HEADER_MAX],
                       char state[VES_GUARD_HEADER_MAX]);

#endif
