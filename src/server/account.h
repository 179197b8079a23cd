/* account.h -- what one tenant has in the server, all its credentials together.
 */
#ifndef VES_SERVER_ACCOUNT_H
#define VES_SERVER_ACCOUNT_H

#include <stdatomic.h>

#include "ves/ves.h"

struct ves_request;

/* The queues that requests stand in (pipeline.h); in each a tenant has a lane.
 */
enum ves_lane_no { VES_LANE_PREPARE, VES_LANE_COMMIT, VES_LANES };

/* Requests of one tenant in one queue, in order; under the queue's lock. */
struct ves_lane {
    struct ves_lane *next; /* whose turn it is then */
    struct ves_request *first, *last;
    uint64_t credit; /* bytes it may still take in this round */
};

struct ves_account {
    atomic_uint_fast64_t bodies; /* bytes held of requests' bodies */
    atomic_uint connections;     /* open, of all its credentials */
    struct ves_lane lanes[VES_LANES];
};

#endif
