/* rng.h -- splitmix64: the only source of chance in a run. */
#ifndef VES_SIM_RNG_H
#define VES_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t sim_rng(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A number in [0, bound). */
static inline uint64_t sim_below(uint64_t *state, uint64_t bound)
{
    return sim_rng(state) % bound;
}

/* True in per_mille of a thousand cases. */
static inline bool sim_chance(uint64_t *state, uint64_t per_mille)
{
    return sim_rng(state) % 1000 < per_mille;
}

#endif
