/* resolution.h -- what may be decided about a conflict, what a decision
 * writes, and the payload that says so.
 *
 * semantics.md decisions 8 and 13, section 3.3.  The judge reads the payload
 * (core/judge_subject.c), the fold does its result (core/fold_ops.h):
 *
 *  {"conflict_id":"0x..","strategy":"accept_local","winner":"branch"|"applied"|
 *   "merge"|"undo","inputs":[{"event_id","hash","role":"branch"|"applied"}],
 *   "base":{"version",("head")},"parents":[head, end of the branch],
 *   "result":{"ops":[..]}|null,("result_state_hash"),("merge_fn"),"resolver",
 *   ("reason"),"supersedes":null|"0x.."}
 *
 * result_state_hash is of the state its author was shown: events that commute
 * may come between.
 */
#ifndef VES_CORE_RESOLUTION_H
#define VES_CORE_RESOLUTION_H

#include "base/buf.h"
#include "core/judge.h"
#include "core/merge.h"

enum { VES_RESOLUTION_REASON_MAX = 500 }; /* characters of a person's reason */

/* Who decides where nobody was asked. */
#define VES_RESOLVER_POLICY "policy"

enum ves_strategy {
    VES_STRATEGY_ACCEPT_LOCAL,
    VES_STRATEGY_ACCEPT_REMOTE,
    VES_STRATEGY_MERGE,
    VES_STRATEGY_MANUAL,
    VES_STRATEGIES
};

const char *ves_strategy_name(enum ves_strategy strategy);
/* False when it is none. */
bool ves_strategy_read(struct ves_bytes name, enum ves_strategy *out);
/* The side that accepting keeps, when the call names an event of the branch
 * or of the applied side; MERGE for the other two. */
enum ves_winner ves_strategy_winner(enum ves_strategy strategy,
                                    bool names_branch);
/* "branch" ... as in the payload; "" for NONE. */
const char *ves_winner_name(enum ves_winner winner);

/* ---- a conflict to be decided -------------------------------------------- */

struct ves_case_event {
    struct ves_uuid event_id;
    struct ves_hash hash;
    /* Of a branch event: what it does, an array of operations; NULL: it cannot
     * be done again, and why. */
    const struct ves_json *ops;
    const char *ops_reason; /* static */
};

struct ves_case {
    struct ves_hash conflict_id;
    struct ves_bytes entity_type; /* of the entity in conflict */
    struct ves_rules_at rules;    /* it is decided by */
    enum ves_conflict_kind kind;
    const struct ves_case_event *branch, *applied; /* each in order */
    size_t branch_count, applied_count;
    bool has_branch_fact, has_applied_fact;
    const char *function;         /* ves_case_function */
    const struct ves_json *base;  /* before the two sides parted; NULL: not
                                     known any more */
    const struct ves_json *state; /* as it is now; an object */
    bool is_deleted;              /* now */
    uint64_t version;
    bool has_head;
    struct ves_hash head;
};

/* The merge function of a conflict between events whose types name these:
 * "never" when one does, "deltas/1" when all do, else the most particular. */
const char *ves_case_function(const char *const *names, size_t count);

/* May that side win?  No side that holds a fact may lose.  *reason (static,
 * may be NULL) says why not. */
bool ves_case_allows(const struct ves_case *of, enum ves_winner winner,
                     const char **reason);

/* What a decision writes and comes to. */
struct ves_case_result {
    const struct ves_json *ops; /* array; NULL: nothing */
    const struct ves_json *state;
    bool is_deleted;
    const char *reason; /* of VES_INVALID: static */
};

/* The branch done again on the state as it is, restored first when it is
 * deleted.  VES_OK, VES_NOMEM, VES_INVALID with out->reason. */
VES_NODISCARD enum ves_status ves_case_branch(struct ves_arena *arena,
                                              const struct ves_case *of,
                                              struct ves_case_result *out);

/* What the function makes of both sides: the difference from the state, and
 * the branch's deltas, additions and appends done again.  merge->is_clean
 * false: it overlaps there and out is empty.  VES_INVALID with out->reason:
 * there is no such merge. */
VES_NODISCARD enum ves_status ves_case_merge(struct ves_arena *arena,
                                             const struct ves_case *of,
                                             struct ves_merge_result *merge,
                                             struct ves_case_result *out);

/* A member that a person set; value NULL takes it away. */
struct ves_case_set {
    struct ves_bytes path; /* JSON pointer */
    const struct ves_json *value;
};

/* What a person wrote: patch (RFC 7396, an object; may be NULL), then sets. */
VES_NODISCARD enum ves_status
ves_case_patch(struct ves_arena *arena, const struct ves_case *of,
               const struct ves_json *patch, const struct ves_case_set *sets,
               size_t set_count, struct ves_case_result *out);

/* The branch on top of the base, for showing; the base itself where that
 * cannot be had.  *out NULL: the base is not known. */
VES_NODISCARD enum ves_status ves_case_side(struct ves_arena *arena,
                                            const struct ves_case *of,
                                            const struct ves_json **out);

/* What to do, to who names that side, and why (static).  merge: what
 * ves_case_merge said, NULL when it said VES_INVALID. */
enum ves_strategy ves_case_suggest(const struct ves_case *of, bool names_branch,
                                   const struct ves_merge_result *merge,
                                   const char **reason);

/* ---- differences --------------------------------------------------------- */

struct ves_difference {
    struct ves_bytes path;
    const struct ves_json *base, *local, *remote; /* NULL: absent */
};

enum { VES_DIFFERENCES_MAX = 512 };

struct ves_differences {
    struct ves_difference *list;
    size_t count;
    bool has_more;
};

/* Every path at which the three differ, in canonical order.  Objects are
 * looked into where all that are there are objects. */
VES_NODISCARD enum ves_status ves_differences(struct ves_arena *arena,
                                              const struct ves_json *base,
                                              const struct ves_json *local,
                                              const struct ves_json *remote,
                                              struct ves_differences *out);

/* ---- the payload --------------------------------------------------------- */

struct ves_decision {
    const char *strategy; /* a strategy's name, or "undo" */
    enum ves_winner winner;
    const struct ves_json *ops;   /* NULL: no result */
    const struct ves_json *state; /* shown to its author, or NULL */
    const char *function;         /* of a merge it computed, or NULL */
    const char *resolver;
    struct ves_bytes reason; /* "" when none */
    bool has_supersedes;
    struct ves_hash supersedes;
};

/* Appends the payload, without "_ves". */
VES_NODISCARD enum ves_status
ves_decision_write(struct ves_buf *buf, struct ves_arena *arena,
                   const struct ves_case *of, const struct ves_decision *say);

/* Reads what people are shown; views into payload, absent members empty. */
struct ves_decision_read {
    struct ves_bytes strategy, winner, resolver, reason, function;
    bool has_conflict_id, has_supersedes;
    struct ves_hash conflict_id, supersedes;
    const struct ves_json *result; /* may be NULL */
};
void ves_decision_read(const struct ves_json *payload,
                       struct ves_decision_read *out);

#endif
