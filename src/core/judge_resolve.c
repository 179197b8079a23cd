/* judge_resolve.c -- the verdict on a ves.conflict.resolved.
 *
 * semantics.md 3.3: the first valid resolution of a conflict takes effect, a
 * later one, or one that decides something else than it names, is superseded
 * and opens no conflict of its own.
 */
#include "base/bytes.h"
#include "core/judge_scan.h"

static enum ves_status supersede(struct ves_judgement *out,
                                 const char *sub_code)
{
    out->verdict = VES_VERDICT_SUPERSEDED;
    ves_judge_sub_code(out, sub_code);
    return VES_OK;
}

static bool names_branch(const struct ves_resolution *resolution,
                         const struct ves_judge_conflict *conflict)
{
    struct ves_hash digest = {{0}};

    if (resolution->inputs.count != conflict->branch_count)
        return false;
    for (size_t i = 0; i < resolution->inputs.count; i++)
        ves_branch_digest(&digest, &resolution->inputs.list[i]);
    return ves_hash_equal(&digest, &conflict->branch_digest);
}

/* No side that holds a fact may lose. */
static bool is_allowed(enum ves_winner winner,
                       const struct ves_judge_conflict *conflict)
{
    switch (winner) {
    case VES_WINNER_BRANCH:
        return !conflict->has_applied_fact;
    case VES_WINNER_APPLIED:
        return !conflict->has_branch_fact;
    case VES_WINNER_MERGE:
        return true;
    case VES_WINNER_NONE:
    case VES_WINNER_UNDO:
        break;
    }
    return false;
}

struct settle_visit {
    struct ves_effects result, fact;
    bool is_settled;
};

static bool visit_against(void *ctx, const struct ves_judge_applied *applied)
{
    struct settle_visit *visit = ctx;

    if (applied->is_fact)
        visit->is_settled =
            ves_effects_settle(visit->result, visit->fact, applied->effects);
    return visit->is_settled;
}

/* A fact that lost against a fact is nowhere but in its branch: a merge that
 * has nothing to say of it would set it aside (ADR 0016). */
static enum ves_status settles_fact(struct ves_judge_scan *scan,
                                    const struct ves_judge_conflict *conflict,
                                    bool *is_settled)
{
    const struct ves_resolution *resolution = scan->subject->resolution;
    const struct ves_judge_view *view = scan->view;
    struct settle_visit visit = {.result = scan->effects, .is_settled = true};

    *is_settled = true;
    if (resolution->winner != VES_WINNER_MERGE || !conflict->has_branch_fact)
        return VES_OK;
    enum ves_status status = view->opener(view->ctx, &resolution->conflict_id,
                                          scan->arena, &visit.fact);
    if (!status)
        status = view->against(view->ctx, &resolution->conflict_id,
                               visit_against, &visit);
    *is_settled = visit.is_settled;
    return status;
}

struct undo_visit {
    struct ves_judge_scan *scan;
    bool is_found; /* what is taken back */
    enum ves_status status;
};

static bool visit_later(void *ctx, const struct ves_judge_applied *applied)
{
    struct undo_visit *visit = ctx;
    struct ves_judge_scan *scan = visit->scan;

    if (ves_hash_equal(&applied->hash,
                       &scan->subject->resolution->supersedes)) {
        visit->is_found = true;
        return false;
    }
    if (!ves_commutes(applied->effects, scan->effects))
        visit->status =
            ves_hash_list_add(&scan->hits, scan->arena, &applied->hash);
    return visit->status == VES_OK;
}

static enum ves_status close(struct ves_judge_scan *scan,
                             const struct ves_judge_conflict *conflict,
                             struct ves_judgement *out)
{
    ves_judge_apply(out, scan);
    out->change = VES_CONFLICT_CLOSED;
    out->winner = scan->subject->resolution->winner;
    out->is_fact = conflict->has_branch_fact;
    return VES_OK;
}

static enum ves_status undo(struct ves_judge_scan *scan,
                            const struct ves_judge_conflict *conflict,
                            struct ves_judgement *out)
{
    const struct ves_resolution *resolution = scan->subject->resolution;
    struct undo_visit visit = {scan, false, VES_OK};
    struct ves_effects opposite;

    if (conflict->is_open || !resolution->has_supersedes ||
        !ves_hash_equal(&conflict->closed_by, &resolution->supersedes))
        return supersede(out, "already_resolved");
    enum ves_status status = scan->view->opposite(
        scan->view->ctx, &resolution->supersedes, &opposite);
    if (status)
        return status;
    struct ves_effect *copy =
        ves_arena_alloc(scan->arena, opposite.count * sizeof(*copy));
    if (!copy)
        return VES_NOMEM;
    for (size_t i = 0; i < opposite.count; i++) {
        copy[i] = opposite.list[i];
        if (ves_arena_copy(scan->arena, opposite.list[i].path, &copy[i].path))
            return VES_NOMEM;
    }
    scan->effects = (struct ves_effects){copy, opposite.count};
    scan->has_effects = true;
    scan->is_delta = ves_effects_are_deltas(scan->effects);
    scan->tombstone = ves_effects_tombstone(scan->effects);
    status = scan->view->applied(scan->view->ctx, &scan->subject->entity_key,
                                 visit_later, &visit);
    if (!status)
        status = visit.status;
    if (status)
        return status;
    if (!visit.is_found)
        return VES_CORRUPT;
    if (scan->hits.hashes.count > 0) {
        ves_hash_list_reverse(&scan->hits);
        out->against = scan->hits.hashes;
        return supersede(out, "head_moved");
    }
    ves_judge_apply(out, scan);
    out->has_effects = true;
    out->effects = scan->effects;
    out->change = VES_CONFLICT_REOPENED;
    out->is_fact = conflict->has_branch_fact;
    return VES_OK;
}

/* What happened that the author of the resolution did not know. */
static enum ves_status find_moved(struct ves_judge_scan *scan,
                                  struct ves_hash_list *moved)
{
    enum ves_status status = ves_judge_scan_own(scan);
    for (size_t i = 0; i < scan->own.count && !status; i++) {
        if (scan->own.list[i].verdict != VES_VERDICT_APPLIED)
            status =
                ves_hash_list_add(moved, scan->arena, &scan->own.list[i].hash);
    }
    if (status || moved->hashes.count > 0)
        return status;
    status = ves_judge_scan_concurrent(scan);
    *moved = scan->hits;
    return status;
}

enum ves_status ves_judge_resolution(struct ves_judge_scan *scan,
                                     struct ves_judgement *out)
{
    const struct ves_resolution *resolution = scan->subject->resolution;
    struct ves_judge_conflict conflict = {.is_found = false};
    struct ves_hash_list moved = {.cap = 0};

    out->has_conflict_id = true;
    out->conflict_id = resolution->conflict_id;
    enum ves_status status = scan->view->conflict(
        scan->view->ctx, &resolution->conflict_id, &conflict);
    if (status)
        return status;
    if (!conflict.is_found ||
        !ves_hash_equal(&conflict.entity_key, &scan->subject->entity_key))
        return supersede(out, "no_such_conflict");
    status = ves_judge_scan_entity(scan);
    if (status)
        return status;
    if (resolution->winner == VES_WINNER_UNDO)
        return undo(scan, &conflict, out);
    if (!conflict.is_open)
        return supersede(out, "already_resolved");
    if (!names_branch(resolution, &conflict))
        return supersede(out, "branch_grew");
    bool is_settled = false;
    if (is_allowed(resolution->winner, &conflict))
        status = settles_fact(scan, &conflict, &is_settled);
    if (status)
        return status;
    if (!is_settled)
        return supersede(out, "not_allowed");
    status = find_moved(scan, &moved);
    if (status)
        return status;
    if (moved.hashes.count > 0) {
        out->against = moved.hashes;
        return supersede(out, "head_moved");
    }
    return close(scan, &conflict, out);
}
