/* rate.h -- how often somebody may ask: token buckets.
 *
 * A bucket holds up to VES_RATE_BURST_S seconds' worth of requests and is full
 * at first.  What is kept of one is the time at which it is full again, so one
 * that is full needs no memory: buckets share a table of fixed size, and a new
 * one takes the place of the fullest of VES_RATE_WAYS.
 *
 * Where several processes serve one database, each lets pass its part: limits
 * are divided by their number, and there is one request in a bucket at least.
 *
 * Reads no clock: times are microseconds that never go back.  Thread-safe.
 */
#ifndef VES_SERVER_RATE_H
#define VES_SERVER_RATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/crypto.h"

enum {
    VES_RATE_BURST_S = 10,
    VES_RATE_PER_S_MAX = 1000000,
    VES_RATE_KEY_MAX = 32, /* bytes */
    VES_RATE_WAYS = 8,
    VES_RATE_SETS = 1024,
    VES_RATE_LOCKS = 32
};

/* Whose bucket; the limits of each are its own. */
enum ves_rate_kind {
    VES_RATE_CREDENTIAL,
    VES_RATE_TENANT,
    VES_RATE_ADDRESS, /* of those who show no accepted credential */
    VES_RATE_KINDS
};

struct ves_rate_bucket {
    uint64_t tag;     /* of kind and key; 0: free */
    uint64_t full_us; /* when it is full again */
};

struct ves_rates {
    uint32_t per_s[VES_RATE_KINDS]; /* of all parts; 0: no limit */
    atomic_uint parts;              /* at least 1; set by anybody */
    uint8_t seed[VES_SIPHASH_KEY];  /* so that nobody can choose a set */
    pthread_mutex_t locks[VES_RATE_LOCKS];
    struct ves_rate_bucket (*sets)[VES_RATE_WAYS];
};

/* What became of one request. */
struct ves_rate_state {
    bool is_limited; /* by a limit of this kind; else nothing else is set */
    bool is_over;    /* no token was there, and none was taken */
    uint32_t most;   /* requests that a full bucket has room for */
    uint32_t left;   /* requests that may follow at once */
    uint32_t full_s; /* until the bucket is full */
    uint32_t wait_s; /* is_over: until a token is there; at least 1 */
};

/* per_s: of each kind, at most VES_RATE_PER_S_MAX.  Without any limit no
 * memory is taken.  VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_rates_init(struct ves_rates *rates, const struct ves_alloc *alloc,
               const uint32_t *per_s, const uint8_t seed[VES_SIPHASH_KEY]);
/* Safe on a zeroed struct. */
void ves_rates_deinit(struct ves_rates *rates, const struct ves_alloc *alloc);

/* Takes a token out of the bucket of that kind and key. */
void ves_rates_take(struct ves_rates *rates, enum ves_rate_kind kind,
                    struct ves_bytes key, uint64_t now_us,
                    struct ves_rate_state *out);
/* Puts one back that was of no use. */
void ves_rates_give(struct ves_rates *rates, enum ves_rate_kind kind,
                    struct ves_bytes key);

/* Is there no token?  Takes none. */
bool ves_rates_is_over(struct ves_rates *rates, enum ves_rate_kind kind,
                       struct ves_bytes key, uint64_t now_us);

#endif
