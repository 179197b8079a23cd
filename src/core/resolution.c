/* resolution.c -- what may be decided about a conflict, and what it writes. */
#include "core/resolution.h"

#include "base/bytes.h"
#include "core/case_ops.h"
#include "core/fold_ops.h"
#include "core/types.h"

/* ---- words --------------------------------------------------------------- */

static const char *const strategies[VES_STRATEGIES] = {
    "accept_local", "accept_remote", "merge", "manual"};

const char *ves_strategy_name(enum ves_strategy strategy)
{
    return strategies[strategy];
}

bool ves_strategy_read(struct ves_bytes name, enum ves_strategy *out)
{
    for (int i = 0; i < (int)VES_STRATEGIES; i++) {
        if (ves_bytes_is(name, strategies[i])) {
            *out = (enum ves_strategy)i;
            return true;
        }
    }
    return false;
}

enum ves_winner ves_strategy_winner(enum ves_strategy strategy,
                                    bool names_branch)
{
    if (strategy == VES_STRATEGY_ACCEPT_LOCAL)
        return names_branch ? VES_WINNER_BRANCH : VES_WINNER_APPLIED;
    if (strategy == VES_STRATEGY_ACCEPT_REMOTE)
        return names_branch ? VES_WINNER_APPLIED : VES_WINNER_BRANCH;
    return VES_WINNER_MERGE;
}

const char *ves_winner_name(enum ves_winner winner)
{
    static const char *const names[] = {
        [VES_WINNER_NONE] = "",           [VES_WINNER_BRANCH] = "branch",
        [VES_WINNER_APPLIED] = "applied", [VES_WINNER_MERGE] = "merge",
        [VES_WINNER_UNDO] = "undo",
    };
    return names[winner];
}

/* ---- what may be decided ------------------------------------------------- */

const char *ves_case_function(const char *const *names, size_t count)
{
    bool are_deltas = count > 0;
    const char *found = VES_MERGE_FIELDS;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], VES_MERGE_NEVER) == 0)
            return VES_MERGE_NEVER;
        if (strcmp(names[i], VES_MERGE_DELTAS) == 0)
            continue;
        are_deltas = false;
        if (strcmp(names[i], VES_MERGE_FIELDS) != 0)
            found = names[i];
    }
    return are_deltas ? VES_MERGE_DELTAS : found;
}

bool ves_case_allows(const struct ves_case *of, enum ves_winner winner,
                     const char **reason)
{
    const char *ignored;

    if (!reason)
        reason = &ignored;
    *reason = NULL;
    if (winner == VES_WINNER_BRANCH && of->has_applied_fact)
        *reason = "what was applied meanwhile really happened, so that side "
                  "cannot lose";
    if (winner == VES_WINNER_APPLIED && of->has_branch_fact)
        *reason = "the branch holds something that really happened, so that "
                  "side cannot lose";
    return !*reason;
}

/* ---- what a decision writes ---------------------------------------------- */

static enum ves_status invalid(struct ves_case_result *out, const char *reason)
{
    out->reason = reason;
    out->ops = NULL;
    return VES_INVALID;
}

/* Does ops on the state as it is now. */
static enum ves_status finish(struct ves_arena *arena,
                              const struct ves_case *of,
                              const struct ves_json *ops,
                              struct ves_case_result *out)
{
    struct ves_fold_ops fold = {.state = of->state,
                                .is_deleted = of->is_deleted,
                                .entity_type = of->entity_type,
                                .rules = of->rules};

    enum ves_status status = ves_fold_ops(arena, ops, &fold, NULL);
    if (status == VES_INVALID)
        return invalid(out, fold.reason);
    if (status)
        return status;
    *out = (struct ves_case_result){.ops = ops && ops->count > 0 ? ops : NULL,
                                    .state = fold.state,
                                    .is_deleted = fold.is_deleted};
    return VES_OK;
}

static bool branch_deletes(const struct ves_case *of)
{
    for (size_t i = 0; i < of->branch_count; i++) {
        if (ves_case_ops_have(of->branch[i].ops, "delete"))
            return true;
    }
    return false;
}

/* All branch events' operations one after the other, restored first when the
 * entity is gone and the branch does not want that itself. */
enum ves_status ves_case_branch(struct ves_arena *arena,
                                const struct ves_case *of,
                                struct ves_case_result *out)
{
    struct ves_case_ops ops;

    memset(out, 0, sizeof(*out));
    enum ves_status status = ves_case_ops_begin(&ops, arena);
    if (!status && of->is_deleted && !branch_deletes(of))
        status = ves_case_ops_restore(&ops);
    for (size_t i = 0; i < of->branch_count && !status; i++) {
        if (!of->branch[i].ops)
            return invalid(out, of->branch[i].ops_reason);
        status = ves_case_ops_copy(&ops, of->branch[i].ops, VES_CASE_ALL);
    }
    return status ? status : finish(arena, of, ops.node, out);
}

/* The branch's operations of that kind on a state. */
static enum ves_status branch_on(struct ves_arena *arena,
                                 const struct ves_case *of,
                                 enum ves_case_kind kind,
                                 const struct ves_json *state,
                                 struct ves_case_result *out)
{
    struct ves_fold_ops fold = {
        .state = state, .entity_type = of->entity_type, .rules = of->rules};
    struct ves_case_ops ops;

    enum ves_status status = ves_case_ops_begin(&ops, arena);
    for (size_t i = 0; i < of->branch_count && !status; i++) {
        if (!of->branch[i].ops)
            return invalid(out, of->branch[i].ops_reason);
        status = ves_case_ops_copy(&ops, of->branch[i].ops, kind);
    }
    if (!status)
        status = ves_fold_ops(arena, ops.node, &fold, NULL);
    if (status == VES_INVALID)
        return invalid(out, fold.reason);
    out->state = fold.state;
    return status;
}

enum ves_status ves_case_merge(struct ves_arena *arena,
                               const struct ves_case *of,
                               struct ves_merge_result *merge,
                               struct ves_case_result *out)
{
    struct ves_case_ops ops;

    memset(out, 0, sizeof(*out));
    memset(merge, 0, sizeof(*merge));
    if (strcmp(of->function, VES_MERGE_NEVER) == 0)
        return invalid(out, "what happened to money or goods is never merged "
                            "by itself");
    if (!of->base)
        return invalid(out, "what the two sides began with is no longer kept "
                            "here");
    if (branch_deletes(of))
        return invalid(out, "one side deletes it: there is nothing between");
    enum ves_status status =
        branch_on(arena, of, VES_CASE_ORDERED, of->base, out);
    if (!status)
        status = ves_merge(arena, of->function, of->base, out->state, of->state,
                           merge);
    if (status || !merge->is_clean) {
        out->state = NULL;
        return status;
    }
    status = ves_case_ops_begin(&ops, arena);
    if (!status && of->is_deleted)
        status = ves_case_ops_restore(&ops);
    if (!status)
        status = ves_case_ops_difference(&ops, of->state, merge->value);
    for (size_t i = 0; i < of->branch_count && !status; i++)
        status = ves_case_ops_copy(&ops, of->branch[i].ops, VES_CASE_COMMUTING);
    return status ? status : finish(arena, of, ops.node, out);
}

enum ves_status ves_case_patch(struct ves_arena *arena,
                               const struct ves_case *of,
                               const struct ves_json *patch,
                               const struct ves_case_set *sets,
                               size_t set_count, struct ves_case_result *out)
{
    struct ves_case_ops ops;

    memset(out, 0, sizeof(*out));
    enum ves_status status = ves_case_ops_begin(&ops, arena);
    if (!status && of->is_deleted)
        status = ves_case_ops_restore(&ops);
    if (!status && patch)
        status = ves_case_ops_patch(&ops, of->state, patch);
    for (size_t i = 0; i < set_count && !status; i++)
        status = ves_case_ops_set(&ops, sets[i].path, sets[i].value);
    return status ? status : finish(arena, of, ops.node, out);
}

enum ves_status ves_case_side(struct ves_arena *arena,
                              const struct ves_case *of,
                              const struct ves_json **out)
{
    struct ves_case_result result = {.ops = NULL};

    *out = of->base;
    if (!of->base)
        return VES_OK;
    enum ves_status status =
        branch_on(arena, of, VES_CASE_ALL, of->base, &result);
    if (status == VES_INVALID)
        return VES_OK;
    *out = result.state;
    return status;
}

/* ---- what to do ---------------------------------------------------------- */

static enum ves_strategy keep(bool is_branch, bool names_branch)
{
    return is_branch == names_branch ? VES_STRATEGY_ACCEPT_LOCAL
                                     : VES_STRATEGY_ACCEPT_REMOTE;
}

enum ves_strategy ves_case_suggest(const struct ves_case *of, bool names_branch,
                                   const struct ves_merge_result *merge,
                                   const char **reason)
{
    if (of->has_branch_fact && of->has_applied_fact) {
        *reason = "both sides say what really happened; only a person can "
                  "find out which is right";
        return VES_STRATEGY_MANUAL;
    }
    if (of->has_applied_fact) {
        *reason = "what was applied really happened; the other side was a "
                  "wish";
        return keep(false, names_branch);
    }
    if (of->kind == VES_CONFLICT_DELETED_REFERENCE || branch_deletes(of)) {
        *reason = "one side deleted, the other went on working with it; "
                  "whether it comes back is for a person to say";
        return VES_STRATEGY_MANUAL;
    }
    if (strcmp(of->function, VES_MERGE_NEVER) == 0) {
        *reason = "this kind of change is never merged by itself";
        return VES_STRATEGY_MANUAL;
    }
    if (merge && merge->is_clean) {
        *reason = of->kind == VES_CONFLICT_VERSION_MISMATCH
                      ? "it was made upon another version than this log has, "
                        "and fits what is there all the same"
                      : "the two sides changed different things; both fit";
        return VES_STRATEGY_MERGE;
    }
    *reason = merge ? "both sides changed the same thing; which is right is "
                      "for a person to say"
                    : "the two sides cannot be put together without a person";
    return VES_STRATEGY_MANUAL;
}
