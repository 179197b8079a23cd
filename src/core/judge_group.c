/* judge_group.c -- atomic groups: judged one by one, effective together.
 *
 * semantics.md decision 17.  Members are judged against the log with the
 * members before them on top, which is kept here and written nowhere, so that
 * nothing has to be taken back when one of them turns out to be a conflict.
 */
#include "base/bytes.h"
#include "core/judge_scan.h"

/* The view with the first `done` members on top. */
struct overlay {
    const struct ves_judge_view *view;
    struct ves_arena *arena;
    const struct ves_judge_subject *subjects;
    const struct ves_judgement *judgements;
    size_t done;
};

static bool is_applied_on(const struct overlay *overlay, size_t i,
                          const struct ves_hash *key)
{
    return overlay->judgements[i].verdict == VES_VERDICT_APPLIED &&
           ves_hash_equal(&overlay->subjects[i].entity_key, key);
}

static void move_tombstone(const struct ves_judge_subject *subject,
                           const struct ves_judgement *judgement,
                           struct ves_judge_entity *out)
{
    if (judgement->tombstone < 0)
        out->has_tombstone = false;
    if (judgement->tombstone <= 0 || out->has_tombstone)
        return;
    out->has_tombstone = true;
    out->tombstone = subject->hash;
    out->tombstone_at = subject->sequence;
    out->tombstone_sequence = subject->sequence;
    out->tombstone_agent = subject->agent;
    out->tombstone_agent_seq = subject->agent_seq;
    out->tombstone_is_fact = judgement->is_fact;
}

static enum ves_status overlay_entity(void *ctx, const struct ves_hash *key,
                                      struct ves_judge_entity *out)
{
    const struct overlay *overlay = ctx;

    enum ves_status status =
        overlay->view->entity(overlay->view->ctx, key, out);
    for (size_t i = 0; i < overlay->done && !status; i++) {
        const struct ves_judge_subject *subject = &overlay->subjects[i];
        if (!ves_hash_equal(&subject->entity_key, key))
            continue;
        if (out->last < subject->sequence)
            out->last = subject->sequence;
        if (!is_applied_on(overlay, i, key))
            continue;
        out->version++;
        out->head = subject->hash;
        out->head_applied_at = subject->sequence;
        if (!overlay->judgements[i].is_delta)
            out->written_at = subject->sequence;
        move_tombstone(subject, &overlay->judgements[i], out);
    }
    return status;
}

static enum ves_status overlay_applied(void *ctx, const struct ves_hash *key,
                                       ves_judge_applied_visitor *visit,
                                       void *visit_ctx)
{
    const struct overlay *overlay = ctx;

    for (size_t i = overlay->done; i > 0; i--) {
        const struct ves_judge_subject *subject = &overlay->subjects[i - 1];
        const struct ves_judgement *judgement = &overlay->judgements[i - 1];
        struct ves_effects effects = judgement->effects;
        if (!is_applied_on(overlay, i - 1, key))
            continue;
        if (!judgement->has_effects) {
            enum ves_status status = ves_judge_effects(
                overlay->view, overlay->arena, subject, &effects);
            if (status)
                return status;
        }
        const struct ves_judge_applied applied = {
            .hash = subject->hash,
            .sequence = subject->sequence,
            .applied_at = subject->sequence,
            .agent = subject->agent,
            .agent_seq = subject->agent_seq,
            .is_fact = judgement->is_fact,
            .effects = effects,
        };
        if (!visit(visit_ctx, &applied))
            return VES_OK;
    }
    return overlay->view->applied(overlay->view->ctx, key, visit, visit_ctx);
}

static void fill_known(const struct overlay *overlay, size_t i,
                       struct ves_judge_known *out)
{
    const struct ves_judgement *judgement = &overlay->judgements[i];

    *out = (struct ves_judge_known){
        .hash = overlay->subjects[i].hash,
        .event_id = overlay->subjects[i].event_id,
        .sequence = overlay->subjects[i].sequence,
        .agent_seq = overlay->subjects[i].agent_seq,
        .verdict = judgement->verdict,
        .is_fact = judgement->is_fact,
        .has_conflict_id = judgement->has_conflict_id,
        .conflict_id = judgement->conflict_id,
    };
}

static bool is_member(const struct overlay *overlay, uint64_t sequence)
{
    for (size_t i = 0; i < overlay->done; i++) {
        if (overlay->subjects[i].sequence == sequence)
            return true;
    }
    return false;
}

struct own_visit {
    const struct overlay *overlay;
    ves_judge_known_visitor *visit;
    void *ctx;
    bool is_over;
};

/* A member that waited is in the log too, as it was. */
static bool visit_others(void *ctx, const struct ves_judge_known *known)
{
    struct own_visit *own = ctx;

    if (is_member(own->overlay, known->sequence))
        return true;
    own->is_over = !own->visit(own->ctx, known);
    return !own->is_over;
}

static enum ves_status overlay_own(void *ctx, const struct ves_hash *key,
                                   const struct ves_uuid *agent, uint64_t above,
                                   uint64_t below,
                                   ves_judge_known_visitor *visit,
                                   void *visit_ctx)
{
    const struct overlay *overlay = ctx;
    struct own_visit own = {overlay, visit, visit_ctx, false};

    for (size_t i = overlay->done; i > 0; i--) {
        const struct ves_judge_subject *subject = &overlay->subjects[i - 1];
        struct ves_judge_known known;
        if (!ves_hash_equal(&subject->entity_key, key) ||
            !ves_uuid_equal(&subject->agent, agent) ||
            subject->sequence <= above || subject->sequence >= below)
            continue;
        fill_known(overlay, i - 1, &known);
        if (!visit(visit_ctx, &known))
            return VES_OK;
    }
    return overlay->view->own(overlay->view->ctx, key, agent, above, below,
                              visit_others, &own);
}

static enum ves_status overlay_event(void *ctx, const struct ves_uuid *event_id,
                                     struct ves_judge_known *out)
{
    const struct overlay *overlay = ctx;

    for (size_t i = 0; i < overlay->done; i++) {
        if (!ves_uuid_equal(&overlay->subjects[i].event_id, event_id))
            continue;
        fill_known(overlay, i, out);
        return VES_OK;
    }
    return overlay->view->event(overlay->view->ctx, event_id, out);
}

static enum ves_status overlay_conflict(void *ctx, const struct ves_hash *id,
                                        struct ves_judge_conflict *out)
{
    const struct overlay *overlay = ctx;
    return overlay->view->conflict(overlay->view->ctx, id, out);
}

static enum ves_status overlay_opener(void *ctx, const struct ves_hash *id,
                                      struct ves_arena *arena,
                                      struct ves_effects *out)
{
    const struct overlay *overlay = ctx;
    return overlay->view->opener(overlay->view->ctx, id, arena, out);
}

static enum ves_status overlay_against(void *ctx, const struct ves_hash *id,
                                       ves_judge_applied_visitor *visit,
                                       void *visit_ctx)
{
    const struct overlay *overlay = ctx;
    return overlay->view->against(overlay->view->ctx, id, visit, visit_ctx);
}

static enum ves_status overlay_opposite(void *ctx,
                                        const struct ves_hash *resolution,
                                        struct ves_effects *out)
{
    const struct overlay *overlay = ctx;
    return overlay->view->opposite(overlay->view->ctx, resolution, out);
}

static enum ves_status overlay_effects(void *ctx,
                                       const struct ves_judge_subject *subject,
                                       struct ves_arena *arena,
                                       struct ves_effects *out)
{
    const struct overlay *overlay = ctx;
    return overlay->view->effects(overlay->view->ctx, subject, arena, out);
}

static enum ves_status overlay_referrers(void *ctx, const struct ves_hash *key,
                                         uint64_t above,
                                         ves_judge_hash_visitor *visit,
                                         void *visit_ctx)
{
    const struct overlay *overlay = ctx;
    return overlay->view->referrers(overlay->view->ctx, key, above, visit,
                                    visit_ctx);
}

/* ---- together ------------------------------------------------------------ */

/* Facts and what has no effect stand for themselves; so do resolutions. */
static bool is_bound(const struct ves_judge_subject *subject)
{
    return !subject->is_fact && !subject->is_carried && !subject->resolution;
}

/* The first member with that verdict; count when there is none. */
static size_t find_verdict(const struct ves_judgement *judgements, size_t count,
                           enum ves_verdict verdict)
{
    size_t i = 0;
    while (i < count && judgements[i].verdict != verdict)
        i++;
    return i;
}

static void bind(const struct ves_judge_subject *subjects, size_t count,
                 struct ves_judgement *judgements)
{
    size_t lost = find_verdict(judgements, count, VES_VERDICT_CONFLICT);
    size_t waits = find_verdict(judgements, count, VES_VERDICT_WAITING);
    struct ves_hash waits_for = {{0}};

    if (lost == count && waits == count)
        return;
    if (lost == count)
        waits_for = judgements[waits].waits_for;
    for (size_t i = 0; i < count; i++) {
        struct ves_judgement *judgement = &judgements[i];
        if (i == lost || !is_bound(&subjects[i]))
            continue;
        memset(judgement, 0, sizeof(*judgement));
        if (lost == count) {
            judgement->verdict = VES_VERDICT_WAITING;
            judgement->waits_for = waits_for;
        } else {
            ves_judge_join(judgement, &judgements[lost].conflict_id);
        }
    }
}

/* Each with those before it on top.  is_group: what comes after the
 * first conflict is its tail in any case and not looked at. */
static enum ves_status judge_all(const struct ves_judge_view *view,
                                 struct ves_arena *arena,
                                 const struct ves_judge_subject *subjects,
                                 size_t count, bool is_group,
                                 struct ves_judgement *out)
{
    struct overlay overlay = {view, arena, subjects, out, 0};
    const struct ves_judge_view top = {
        .ctx = &overlay,
        .entity = overlay_entity,
        .applied = overlay_applied,
        .own = overlay_own,
        .event = overlay_event,
        .conflict = overlay_conflict,
        .opener = overlay_opener,
        .against = overlay_against,
        .opposite = overlay_opposite,
        .effects = view->effects ? overlay_effects : NULL,
        .referrers = view->referrers ? overlay_referrers : NULL,
    };
    bool is_lost = false;

    for (size_t i = 0; i < count; i++, overlay.done++) {
        enum ves_status status = VES_OK;
        if (is_group && is_lost && is_bound(&subjects[i]))
            memset(&out[i], 0, sizeof(out[i]));
        else
            status = ves_judge(&top, arena, &subjects[i], &out[i]);
        if (status)
            return status;
        is_lost = is_lost || out[i].verdict == VES_VERDICT_CONFLICT;
    }
    return VES_OK;
}

enum ves_status ves_judge_group(const struct ves_judge_view *view,
                                struct ves_arena *arena,
                                const struct ves_judge_subject *subjects,
                                size_t count, struct ves_judgement *out)
{
    if (count == 1)
        return ves_judge(view, arena, subjects, out);
    enum ves_status status = judge_all(view, arena, subjects, count, true, out);
    if (!status)
        bind(subjects, count, out);
    return status;
}

enum ves_status ves_judge_forecast(const struct ves_judge_view *view,
                                   struct ves_arena *arena,
                                   const struct ves_judge_subject *subjects,
                                   size_t count, struct ves_judgement *out)
{
    return judge_all(view, arena, subjects, count, false, out);
}
