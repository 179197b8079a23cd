/* conflict.h -- one conflict gathered from a store, and deciding it.
 *
 * semantics.md 3.3, decisions 8 and 13.  A decision is an ordinary event,
 * ves.conflict.resolved, on the entity in conflict; nothing else is written,
 * and what it comes to is for the judge to say once it has a number.
 */
#ifndef VES_ENGINE_CONFLICT_H
#define VES_ENGINE_CONFLICT_H

#include "core/resolution.h"
#include "core/state_check.h"
#include "engine/agent.h"
#include "engine/rules_log.h"

/* More events of one entity than this are not read again: what the sides
 * began with counts as no longer known. */
enum { VES_CONFLICT_EVENTS_MAX = 4096 };

/* An event that has to do with a conflict. */
struct ves_core_member {
    uint64_t sequence_number;
    struct ves_uuid event_id;
    struct ves_hash hash;
    struct ves_uuid agent;
    uint32_t verdict; /* enum ves_verdict */
    bool is_fact;
    struct ves_bytes sub_code;
    int64_t sequenced_at_ms;
    bool has_event; /* not once its body was pruned */
    struct ves_event event;
};

struct ves_core_members {
    struct ves_core_member *list;
    size_t count;
};

/* All of it lives in the arena it was gathered into. */
struct ves_core_conflict {
    struct ves_conflict_row row;
    struct ves_bytes entity_type, entity_id;
    struct ves_rules_log *rules;
    struct ves_core_members branch;    /* in order */
    struct ves_core_members applied;   /* what it collided with, in order */
    struct ves_core_members later;     /* applied since, not commuting with the
                                          branch */
    struct ves_core_members decisions; /* every resolution that names it */
    bool is_own;      /* the branch was written by this store */
    bool was_undone;  /* somebody opened it again */
    bool has_pending; /* an own decision of it has no number yet */
    struct ves_uuid pending_id;
    struct ves_decision_read pending;
    bool has_pending_edit; /* an own event that will join the branch has no
                              number yet */
    struct ves_case of;    /* state is the local view: own events included */
    struct ves_bytes state, local_state; /* canonical JSON, "" for none */
    struct ves_hash version; /* changes with whatever the answer depends on */
    /* What the merge function makes of it. */
    bool has_merge;
    struct ves_merge_result merge;
    struct ves_case_result merged;
};

/* VES_NOT_FOUND without words: no conflict has that id. */
VES_NODISCARD enum ves_status ves_core_conflict(struct ves_agent_core *core,
                                                struct ves_arena *arena,
                                                const struct ves_hash *id,
                                                struct ves_core_conflict *out);

/* The newest event of the side that is not `names_branch`'s own: what a
 * person reviews before deciding.  NULL when that side has none. */
const struct ves_core_member *
ves_core_conflict_remote(const struct ves_core_conflict *conflict,
                         bool names_branch);

/* Has the merged result something to say of the fact that opened it, where
 * that disagrees with the facts applied?  The judge asks the same. */
VES_NODISCARD enum ves_status
ves_core_conflict_settles(struct ves_agent_core *core, struct ves_arena *arena,
                          const struct ves_core_conflict *conflict,
                          struct ves_effects result, bool *is_settled);

/* Events of the conflict's entity applied after the resolution in effect that
 * do not commute with effects, in log order; then own ones without a number.
 */
VES_NODISCARD enum ves_status
ves_core_conflict_since(struct ves_agent_core *core, struct ves_arena *arena,
                        const struct ves_core_conflict *conflict,
                        struct ves_effects effects,
                        struct ves_core_members *out);

struct ves_core_decide {
    struct ves_hash conflict_id;
    bool names_branch; /* the call names an event of the branch */
    bool is_undo;      /* else: */
    enum ves_strategy strategy;
    const struct ves_json *patch; /* NULL: none */
    const struct ves_case_set *sets;
    size_t set_count;
    const struct ves_uuid *expected_remote;  /* NULL: not asked */
    const struct ves_hash *expected_version; /* NULL: not asked */
    const char *resolver;
    struct ves_bytes reason; /* "" when none */
    bool is_dry_run;
};

enum ves_decide_code {
    VES_DECIDE_DONE,
    VES_DECIDE_PREVIEW,
    VES_DECIDE_ALREADY,    /* the same was decided, or is on its way */
    VES_DECIDE_AWAITING,   /* manual without an answer */
    VES_DECIDE_PENDING,    /* another own decision has no number yet */
    VES_DECIDE_SYNC_FIRST, /* own edits of it have no number yet */
    VES_DECIDE_CHANGED,    /* not what was reviewed */
    VES_DECIDE_OVERLAP,    /* the merge is not clean */
    VES_DECIDE_IMPOSSIBLE,
    VES_DECIDE_BAD_VALUE, /* what a person wrote cannot stand there */
    VES_DECIDE_NOT_ALLOWED,
    VES_DECIDE_NOT_RESOLVED /* undo of nothing */
};

struct ves_core_decided {
    enum ves_decide_code code;
    const char *reason; /* words, static or in the arena; may be NULL */
    enum ves_winner winner;
    struct ves_core_conflict conflict; /* before the decision */
    struct ves_case_result result;     /* DONE, PREVIEW */
    struct ves_uuid event_id;          /* DONE: the new event */
    struct ves_core_members changed;   /* CHANGED */
    struct ves_state_fault fault;      /* BAD_VALUE */
};

/* Decides in one transaction, or says why not; nothing is written unless the
 * code is DONE.  VES_NOT_FOUND: no such conflict. */
VES_NODISCARD enum ves_status ves_core_decide(struct ves_agent_core *core,
                                              struct ves_arena *arena,
                                              const struct ves_core_env *env,
                                              const struct ves_core_decide *say,
                                              struct ves_core_decided *out);

/* ---- refused for a stale base --------------------------------------------
 * By a sequencer that keeps no branches: no record, no id, an outbox row. */

bool ves_core_is_refused_conflict(const struct ves_outbox_row *row);

struct ves_core_refused {
    struct ves_outbox_row row;
    struct ves_event event;
    struct ves_case_event branch; /* what it does; ops NULL: cannot be said */
    const struct ves_json *state; /* sequenced, as it is now */
    uint64_t version;
};

/* VES_NOT_FOUND without words: no such row. */
VES_NODISCARD enum ves_status ves_core_refused(struct ves_agent_core *core,
                                               struct ves_arena *arena,
                                               const struct ves_uuid *event_id,
                                               struct ves_core_refused *out);

struct ves_core_reissued {
    enum ves_decide_code code; /* DONE, PREVIEW, AWAITING, BAD_VALUE or
                                  IMPOSSIBLE */
    const char *reason;
    enum ves_winner winner;
    struct ves_core_refused refused; /* before */
    struct ves_case_result result;
    struct ves_state_fault fault;
    struct ves_uuid event_id; /* of the new event; nil when there is none */
};

/* Decides it: accept_local appends the same again on the state as it is,
 * merge and manual what a person wrote, as an update of the entity;
 * accept_remote appends nothing.  Of say, conflict_id, names_branch, the
 * expectations and words are not looked at. */
VES_NODISCARD enum ves_status ves_core_reissue(
    struct ves_agent_core *core, struct ves_arena *arena,
    const struct ves_core_env *env, const struct ves_uuid *event_id,
    const struct ves_core_decide *say, struct ves_core_reissued *out);

#endif
