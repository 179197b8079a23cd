/* streak.c -- one author's own at the end of an entity's events.
 *
 * A till that was offline brings many events on one entity, each of which has
 * all the earlier ones for its own.  Looking at them anew for each would cost
 * the square of their number.
 */
#include "base/bytes.h"
#include "engine/verdicts.h"

/* May it be in one: judged at once, applied at its own number, with a place in
 * its agent's chain. */
static bool is_plain(const struct ves_log_row *row)
{
    return row->verdict == VES_VERDICT_APPLIED && !row->has_waited &&
           row->applied_at == row->sequence_number && row->agent_seq > 0;
}

void ves_verdicts_streak_move(const struct ves_verdict_event *event,
                              bool is_first_word, uint64_t last,
                              uint64_t head_applied_at)
{
    const struct ves_log_row *row = event->row;
    struct ves_judge_streak *streak = &event->entity->streak;

    event->entity->is_streak_known = true;
    if (!is_first_word || !is_plain(row)) {
        streak->is_found = false;
        return;
    }
    if (!streak->is_found || !ves_uuid_equal(&streak->agent, &row->agent) ||
        row->agent_seq <= streak->last_agent_seq)
        *streak = (struct ves_judge_streak){
            .is_found = true,
            .agent = row->agent,
            .after = last > head_applied_at ? last : head_applied_at};
    streak->last_agent_seq = row->agent_seq;
}

/* Backwards along the chain, as far as it is one author's. */
static enum ves_status walk(struct ves_verdicts *v,
                            const struct ves_verdict_entity *entity,
                            struct ves_judge_streak *out)
{
    uint64_t sequence = entity->stored_last, version = entity->stored_version;
    uint64_t agent_seq = UINT64_MAX, first = 0;

    while (sequence > 0) {
        struct ves_verdict_event *event;
        enum ves_status status = ves_verdicts_load(v, sequence, &event);
        if (status)
            return status;
        const struct ves_log_row *row = event->row;
        if (event->is_changed || !is_plain(row) || row->version != version ||
            row->agent_seq >= agent_seq ||
            (out->is_found && !ves_uuid_equal(&row->agent, &out->agent))) {
            /* The one before the first became applied before that came, but
             * this one may not be it. */
            out->after =
                row->verdict == VES_VERDICT_APPLIED && row->version == version
                    ? row->applied_at
                    : first - 1;
            return VES_OK;
        }
        if (!out->is_found)
            out->last_agent_seq = row->agent_seq;
        out->is_found = true;
        out->agent = row->agent;
        agent_seq = row->agent_seq;
        first = sequence;
        version--;
        sequence = row->entity_prev;
    }
    out->after = version > 0 ? first - 1 : 0;
    return VES_OK;
}

enum ves_status ves_verdicts_streak(void *ctx, const struct ves_hash *key,
                                    struct ves_judge_streak *out)
{
    struct ves_verdicts *v = ctx;
    struct ves_verdict_entity *entity;

    enum ves_status status = v->host.entity(v->host.ctx, key, &entity);
    if (!status && !entity->is_streak_known && !entity->newest) {
        struct ves_judge_streak found = {.is_found = false};
        status = walk(v, entity, &found);
        entity->streak = found;
        entity->is_streak_known = status == VES_OK;
    }
    if (!status)
        *out = entity->streak;
    return status;
}
