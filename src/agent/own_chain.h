/* own_chain.h -- is the chain of a store's own events whole?
 *
 * Rows come in the order of the outbox, which in a store that was restored is
 * not that of the chain.  What is remembered is runs of numbers, so a store
 * that never was needs one.
 */
#ifndef VES_AGENT_OWN_CHAIN_H
#define VES_AGENT_OWN_CHAIN_H

#include "core/event.h"

/* Numbers without a break, each event naming the one before it. */
struct ves_own_run {
    uint64_t first, last;
    bool knows_prev; /* what the first one names is known */
    bool has_prev;
    struct ves_hash prev;
    struct ves_hash head; /* of the last one */
};

struct ves_own_chain {
    const struct ves_alloc *alloc;
    struct ves_own_run *runs; /* owned */
    size_t count, room;
};

/* Told of everything that is wrong, in words. */
typedef void ves_own_problem(void *ctx, const char *words);

void ves_own_chain_init(struct ves_own_chain *chain,
                        const struct ves_alloc *alloc);
void ves_own_chain_free(struct ves_own_chain *chain);

/* One own event; context NULL when its body is gone. */
VES_NODISCARD enum ves_status
ves_own_chain_add(struct ves_own_chain *chain, uint64_t agent_seq,
                  const struct ves_hash *event_hash,
                  const struct ves_context *context, ves_own_problem *problem,
                  void *ctx);

/* After the last one.  Sorts the runs: the last of them ends the chain.
 * Numbers that are missing are a problem unless may_have_lost; *lost is how
 * many. */
void ves_own_chain_close(struct ves_own_chain *chain, bool may_have_lost,
                         uint64_t *lost, ves_own_problem *problem, void *ctx);

#endif
