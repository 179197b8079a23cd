/* own_chain.c -- is the chain of a store's own events whole? */
#include "agent/own_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { WORDS_MAX = 160, ROOM_FIRST = 8 };

void ves_own_chain_init(struct ves_own_chain *chain,
                        const struct ves_alloc *alloc)
{
    memset(chain, 0, sizeof(*chain));
    chain->alloc = alloc;
}

void ves_own_chain_free(struct ves_own_chain *chain)
{
    if (chain->runs)
        (void)chain->alloc->realloc(chain->alloc->ctx, chain->runs, 0);
    chain->runs = NULL;
}

static void tell(ves_own_problem *problem, void *ctx, const char *format,
                 uint64_t number)
{
    char words[WORDS_MAX];

    snprintf(words, sizeof(words), "own event number %" PRIu64 " %s", number,
             format);
    problem(ctx, words);
}

static enum ves_status begin_run(struct ves_own_chain *chain,
                                 const struct ves_own_run *run)
{
    const struct ves_alloc *alloc = chain->alloc;

    if (chain->count == chain->room) {
        size_t room = chain->room ? 2 * chain->room : ROOM_FIRST;
        struct ves_own_run *runs =
            alloc->realloc(alloc->ctx, chain->runs, room * sizeof(*runs));
        if (!runs)
            return VES_NOMEM;
        chain->runs = runs;
        chain->room = room;
    }
    chain->runs[chain->count++] = *run;
    return VES_OK;
}

static bool names(bool has_prev, const struct ves_hash *prev,
                  const struct ves_hash *before)
{
    return has_prev && ves_hash_equal(prev, before);
}

enum ves_status ves_own_chain_add(struct ves_own_chain *chain,
                                  uint64_t agent_seq,
                                  const struct ves_hash *event_hash,
                                  const struct ves_context *context,
                                  ves_own_problem *problem, void *ctx)
{
    struct ves_own_run *run =
        chain->count ? &chain->runs[chain->count - 1] : NULL;
    bool knows_prev = context && context->is_present;

    if (knows_prev && context->agent_seq != agent_seq)
        tell(problem, ctx, "says another number of itself", agent_seq);
    if (!run || agent_seq != run->last + 1) {
        struct ves_own_run next = {.first = agent_seq,
                                   .last = agent_seq,
                                   .knows_prev = knows_prev,
                                   .head = *event_hash};
        if (knows_prev) {
            next.has_prev = context->has_prev;
            next.prev = context->prev;
        }
        return begin_run(chain, &next);
    }
    if (knows_prev && !names(context->has_prev, &context->prev, &run->head))
        tell(problem, ctx, "does not name the one before it", agent_seq);
    run->last = agent_seq;
    run->head = *event_hash;
    return VES_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct ves_own_run *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

void ves_own_chain_close(struct ves_own_chain *chain, bool may_have_lost,
                         uint64_t *lost, ves_own_problem *problem, void *ctx)
{
    const struct ves_own_run *before = NULL;

    *lost = 0;
    if (chain->count > 1)
        qsort(chain->runs, chain->count, sizeof(*chain->runs), by_first);
    for (size_t i = 0; i < chain->count; i++) {
        const struct ves_own_run *run = &chain->runs[i];
        uint64_t wanted = before ? before->last + 1 : 1;

        if (run->first < wanted) {
            tell(problem, ctx, "is there twice: the chain has a fork",
                 run->first);
        } else if (run->first > wanted) {
            *lost += run->first - wanted;
            if (!may_have_lost)
                tell(problem, ctx, "is not there: the chain has a hole",
                     wanted);
        } else if (run->knows_prev &&
                   (before ? !names(run->has_prev, &run->prev, &before->head)
                           : run->has_prev)) {
            tell(problem, ctx, "does not name the one before it", run->first);
        }
        before = run;
    }
}
