/* rate.c -- how often somebody may ask: token buckets. */
#include "server/rate.h"

#include <string.h>

#include "base/assert.h"
#include "crypto/crypto.h"

enum { SECOND_US = 1000000 };

static uint64_t tag_of(const struct ves_rates *rates, enum ves_rate_kind kind,
                       struct ves_bytes key)
{
    uint8_t named[1 + VES_RATE_KEY_MAX] = {(uint8_t)kind};
    VES_ASSERT(key.len <= VES_RATE_KEY_MAX);
    if (key.len)
        memcpy(named + 1, key.ptr, key.len);
    uint64_t tag = ves_siphash(rates->seed, named, 1 + key.len);
    return tag ? tag : 1;
}

/* What is in a full one. */
struct size {
    uint64_t token_us, full_us; /* as the time that it takes them to come */
    uint32_t most;              /* in tokens */
};

static struct size size_of(const struct ves_rates *rates,
                           enum ves_rate_kind kind)
{
    uint32_t per_s = rates->per_s[kind];
    uint32_t parts = atomic_load_explicit(&rates->parts, memory_order_relaxed);
    uint32_t most = per_s * VES_RATE_BURST_S / parts;
    struct size size = {.token_us = (uint64_t)SECOND_US * parts / per_s,
                        .most = most ? most : 1};
    size.full_us = size.token_us * size.most;
    return size;
}

enum ves_status ves_rates_init(struct ves_rates *rates,
                               const struct ves_alloc *alloc,
                               const uint32_t *per_s,
                               const uint8_t seed[VES_SIPHASH_KEY])
{
    size_t size = VES_RATE_SETS * sizeof(*rates->sets);
    bool has_limit = false;
    memset(rates, 0, sizeof(*rates));
    atomic_init(&rates->parts, 1);
    for (size_t i = 0; i < VES_RATE_KINDS; i++) {
        VES_ASSERT(per_s[i] <= VES_RATE_PER_S_MAX);
        rates->per_s[i] = per_s[i];
        has_limit = has_limit || per_s[i];
    }
    memcpy(rates->seed, seed, sizeof(rates->seed));
    if (!has_limit)
        return VES_OK;
    rates->sets = alloc->realloc(alloc->ctx, NULL, size);
    if (!rates->sets)
        return VES_NOMEM;
    memset(rates->sets, 0, size);
    for (size_t i = 0; i < VES_RATE_LOCKS; i++)
        pthread_mutex_init(&rates->locks[i], NULL);
    return VES_OK;
}

void ves_rates_deinit(struct ves_rates *rates, const struct ves_alloc *alloc)
{
    if (!rates->sets)
        return;
    for (size_t i = 0; i < VES_RATE_LOCKS; i++)
        pthread_mutex_destroy(&rates->locks[i]);
    alloc->realloc(alloc->ctx, rates->sets, 0);
    rates->sets = NULL;
}

static struct ves_rate_bucket *find(struct ves_rate_bucket *set, uint64_t tag)
{
    for (size_t i = 0; i < VES_RATE_WAYS; i++) {
        if (set[i].tag == tag)
            return &set[i];
    }
    return NULL;
}

/* In the place of the one that is full first, or is already. */
static struct ves_rate_bucket *make(struct ves_rate_bucket *set, uint64_t tag)
{
    struct ves_rate_bucket *bucket = set;
    for (size_t i = 1; i < VES_RATE_WAYS; i++) {
        if (set[i].full_us < bucket->full_us)
            bucket = &set[i];
    }
    *bucket = (struct ves_rate_bucket){.tag = tag};
    return bucket;
}

static pthread_mutex_t *lock_of(struct ves_rates *rates, uint64_t tag)
{
    return &rates->locks[tag % VES_RATE_SETS % VES_RATE_LOCKS];
}

static uint32_t seconds(uint64_t us)
{
    return (uint32_t)((us + SECOND_US - 1) / SECOND_US);
}

void ves_rates_take(struct ves_rates *rates, enum ves_rate_kind kind,
                    struct ves_bytes key, uint64_t now_us,
                    struct ves_rate_state *out)
{
    *out = (struct ves_rate_state){.is_limited = rates->per_s[kind] != 0};
    if (!out->is_limited)
        return;
    uint64_t tag = tag_of(rates, kind, key);
    struct size size = size_of(rates, kind);
    uint64_t token = size.token_us, full = size.full_us;
    struct ves_rate_bucket *set = rates->sets[tag % VES_RATE_SETS];
    pthread_mutex_lock(lock_of(rates, tag));
    struct ves_rate_bucket *bucket = find(set, tag);
    if (!bucket)
        bucket = make(set, tag);
    uint64_t due = bucket->full_us > now_us ? bucket->full_us - now_us : 0;
    out->is_over = due + token > full;
    if (!out->is_over) {
        due += token;
        bucket->full_us = now_us + due;
    }
    pthread_mutex_unlock(lock_of(rates, tag));
    out->most = size.most;
    out->left = (uint32_t)((full - (due < full ? due : full)) / token);
    out->full_s = seconds(due);
    out->wait_s = out->is_over ? seconds(due + token - full) : 0;
}

void ves_rates_give(struct ves_rates *rates, enum ves_rate_kind kind,
                    struct ves_bytes key)
{
    if (!rates->per_s[kind])
        return;
    uint64_t tag = tag_of(rates, kind, key);
    uint64_t token = size_of(rates, kind).token_us;
    pthread_mutex_lock(lock_of(rates, tag));
    struct ves_rate_bucket *bucket =
        find(rates->sets[tag % VES_RATE_SETS], tag);
    if (bucket && bucket->full_us >= token)
        bucket->full_us -= token;
    pthread_mutex_unlock(lock_of(rates, tag));
}

bool ves_rates_is_over(struct ves_rates *rates, enum ves_rate_kind kind,
                       struct ves_bytes key, uint64_t now_us)
{
    if (!rates->per_s[kind])
        return false;
    uint64_t tag = tag_of(rates, kind, key);
    pthread_mutex_lock(lock_of(rates, tag));
    const struct ves_rate_bucket *bucket =
        find(rates->sets[tag % VES_RATE_SETS], tag);
    struct size size = size_of(rates, kind);
    bool is_over = bucket && bucket->full_us > now_us &&
                   bucket->full_us - now_us + size.token_us > size.full_us;
    pthread_mutex_unlock(lock_of(rates, tag));
    return is_over;
}
