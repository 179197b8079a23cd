/* routes.h -- which path does what, and who may ask. */
#ifndef VES_SERVER_ROUTES_H
#define VES_SERVER_ROUTES_H

#include "server/request.h"

enum ves_route_kind {
    VES_ROUTE_READ,  /* on the connection's thread, with a reader's store */
    VES_ROUTE_WRITE, /* on the committer's thread, with the writer's store */
    VES_ROUTE_INGEST /* prepared by a worker, committed in a group */
};

enum ves_route_access {
    VES_ACCESS_OPEN, /* no key needed */
    VES_ACCESS_ANY,  /* any accepted key; the handler checks the scope */
    VES_ACCESS_READ,
    VES_ACCESS_WRITE,
    VES_ACCESS_ADMIN
};

struct ves_route {
    enum ves_method method;
    const char *pattern; /* "{}" is one segment, "{*}" at the end the rest */
    enum ves_route_kind kind;
    enum ves_route_access access;
    bool is_legacy; /* deprecation headers */
    void (*handle)(struct ves_request *request);
};

/* Finds the route and fills request->route and captures.  NULL: none; then
 * *allowed is 0 (404) or the VES_METHOD_ bits the path has (405). */
const struct ves_route *ves_route_find(struct ves_request *request,
                                       uint32_t *allowed);

/* Every route there is, by number from 0 on; NULL behind the last. */
const struct ves_route *ves_route_at(size_t i);

/* Value of an Allow header; static. */
const char *ves_route_allow(uint32_t methods);

/* Tables of the route files, ended by a row without pattern. */
extern const struct ves_route ves_routes_ingest[];
extern const struct ves_route ves_routes_read[];
extern const struct ves_route ves_routes_follow[];
extern const struct ves_route ves_routes_keys[];
extern const struct ves_route ves_routes_policy[];
extern const struct ves_route ves_routes_proof[];
extern const struct ves_route ves_routes_log[];
extern const struct ves_route ves_routes_invite[];
extern const struct ves_route ves_routes_admin[];

/* Answers a page of the events that entity_type and entity_id of the query
 * choose. */
void ves_events_part(struct ves_request *request);

/* Appends the member latest_commitment, signed, when the stream has one.
 * false: the answer is made. */
bool ves_commitment_put_latest(struct ves_request *request,
                               const struct ves_stream_row *stream);

/* Makes the answer of a committed ingest, on the connection's thread. */
void ves_ingest_reply(struct ves_request *request);

#endif
