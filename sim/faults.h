/* faults.h -- a store and a heap that fail when chance says so.
 *
 * One struct sim_faults is one process: when it crashes every later call
 * fails until the process is started again.
 */
#ifndef VES_SIM_FAULTS_H
#define VES_SIM_FAULTS_H

#include "port/store.h"

struct sim_faults {
    uint64_t *rng;
    bool is_on;
    uint32_t fail_per_mille;  /* a store call returns VES_IO, nothing done */
    uint32_t late_per_mille;  /* a commit is durable but returns VES_IO */
    uint32_t crash_per_mille; /* the process dies at a store call */
    uint32_t nomem_per_mille; /* an allocation fails */
    bool is_dead;
    uint64_t crashes, failures, nomems; /* counted */
};

struct sim_store {
    struct ves_store store; /* what the engine sees */
    struct ves_store *inner;
    struct sim_faults *faults;
};

void sim_store_init(struct sim_store *store, struct ves_store *inner,
                    struct sim_faults *faults);

struct sim_alloc {
    struct ves_alloc alloc; /* ctx points to this struct: it must not move */
    struct sim_faults *faults;
};

void sim_alloc_init(struct sim_alloc *alloc, struct sim_faults *faults);

#endif
