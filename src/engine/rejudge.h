/* rejudge.h -- judging a log again from its first event on, after a change of
 * the rules (semantics.md decision 5).
 *
 * Inside src/engine only; the same for both roles.  Atomic groups are found
 * here, too.
 */
#ifndef VES_ENGINE_REJUDGE_H
#define VES_ENGINE_REJUDGE_H

#include "engine/verdicts.h"

/* How many events from the first on are judged together: the members of an
 * atomic group that is there whole, else 1.  0: they begin a group whose end
 * may still come, because nothing follows them. */
size_t ves_unit_length(const struct ves_event *const *events, size_t count);

/* A part of the log. */
struct ves_rejudge_chunk {
    struct ves_arena *arena; /* of the chunk */
    struct ves_rules_log *rules;
    uint64_t base;
    struct ves_log_row *rows;
    struct ves_event *events;
    struct ves_judge_subject *subjects;
    size_t count;
    struct ves_entity_name *names; /* of entities that will be looked at */
    size_t name_count;
};

struct ves_rejudge_host {
    void *ctx;
    /* Loads entities and opens the run. */
    enum ves_status (*begin)(void *ctx, const struct ves_rejudge_chunk *chunk,
                             struct ves_verdicts **v);
    /* The entity of an event that was judged: it takes its place again. */
    enum ves_status (*link)(void *ctx, const struct ves_event *event,
                            const struct ves_log_row *row);
    /* Writes entities and closes the run; status: what came of it. */
    enum ves_status (*end)(void *ctx, enum ves_status status);
};

/* Inside the open transaction, up to head.  owner NULL: the stream has none.
 * *is_pruned: bodies are gone and
 * nothing was changed. */
VES_NODISCARD enum ves_status
ves_rejudge(struct ves_store *store, uint32_t stream_no,
            const struct ves_alloc *alloc, const struct ves_public_key *owner,
            uint64_t head, const struct ves_rejudge_host *host,
            bool *is_pruned);

/* An entity's row as its event's row says, before it has others. */
void ves_rejudge_link(struct ves_entity_row *entity,
                      const struct ves_event *event,
                      const struct ves_log_row *row);

#endif
