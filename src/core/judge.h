/* judge.h -- the verdict on an event: a pure function of the log prefix.
 *
 * semantics.md decision 5 and section 3.2; judge.py is its executable model.
 * The sequencer, every store and the simulator call the same function.
 */
#ifndef VES_CORE_JUDGE_H
#define VES_CORE_JUDGE_H

#include "core/event.h"
#include "core/refusal.h"

enum ves_verdict {
    VES_VERDICT_NONE, /* not judged */
    VES_VERDICT_APPLIED,
    VES_VERDICT_CONFLICT,
    VES_VERDICT_WAITING,
    VES_VERDICT_SUPERSEDED
};

/* "applied" ...; "" for NONE. */
const char *ves_verdict_name(enum ves_verdict verdict);

/* What the judge may know of the log before the event.  The functions answer
 * from the prefix that ends right before it. */
struct ves_judge_view {
    void *ctx;
    uint64_t head; /* last sequence number of the prefix */
    /* ver(e), head(e) and the sequence at which head(e) was applied. */
    enum ves_status (*entity)(void *ctx, const struct ves_hash *entity_key,
                              uint64_t *version, struct ves_hash *head,
                              uint64_t *head_applied_at);
    /* Applied events of an entity, newest first, as far as the visitor wants
     * (it returns false to stop).  May be NULL while VES_JUDGE_VERSION is 0. */
    enum ves_status (*applied)(void *ctx, const struct ves_hash *entity_key,
                               bool (*visit)(void *visit_ctx, uint64_t sequence,
                                             uint64_t applied_at,
                                             const struct ves_event *event),
                               void *visit_ctx);
};

struct ves_judgement {
    enum ves_verdict verdict;
    char sub_code[32]; /* "" when none */
    bool has_conflict_id;
    struct ves_hash conflict_id; /* decision 8 */
};

/* Judges an authentic event.  VES_OK with *out filled; VES_REFUSED with
 * *refusal (version_conflict) for an event without causal context whose base
 * version differs from ver(e), which is refused as its author expects; any
 * other status is the view's. */
VES_NODISCARD enum ves_status ves_judge(const struct ves_judge_view *view,
                                        const struct ves_event *event,
                                        struct ves_judgement *out,
                                        struct ves_refusal *refusal);

#endif
