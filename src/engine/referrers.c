/* referrers.c -- which events refer to an entity, for the note `dangling`.
 *
 * No index: it would cost every sale an entry for each product it names, for
 * the sake of deletes, which are rare.  The numbers that a delete's author had
 * not seen are read instead, once a run.
 */
#include "base/bytes.h"
#include "core/effect_read.h"
#include "core/rules.h"
#include "engine/folding.h"
#include "engine/verdicts.h"

enum { SPAN = 4096, ROOM_MIN = 64 };

static enum ves_status add(struct ves_verdicts *v, uint64_t sequence,
                           const struct ves_hash *key)
{
    struct ves_referrers *list = &v->referrers;

    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : ROOM_MIN;
        struct ves_referrer *items =
            ves_arena_alloc(v->arena, room * sizeof(*items));
        if (!items)
            return VES_NOMEM;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = (struct ves_referrer){sequence, *key};
    return VES_OK;
}

/* What it refers to: facts, too, which the judge itself does not ask. */
static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    const uint64_t sequence = row->sequence_number;
    struct ves_verdicts *v = ctx;
    struct ves_event event;
    struct ves_rules_at rules;
    struct ves_entity_name *names;
    size_t count;

    /* A body that is gone says nothing any more. */
    if (row->envelope.len == 0)
        return VES_OK;
    ves_arena_reset(&v->reading);
    enum ves_status status = ves_log_event_read(&v->reading, row->envelope,
                                                &v->store->error, &event);
    if (!status)
        status = ves_rules_log_at(v->rules, &event, sequence, &rules);
    if (status)
        return status;
    const struct ves_event_type *type = ves_event_rule(rules, &event, NULL);
    if (!type || !event.payload || event.payload->type != VES_JSON_OBJECT)
        return VES_OK;
    status = ves_references_of_payload(&v->reading, type, event.payload, &names,
                                       &count);
    for (size_t i = 0; i < count && !status; i++)
        status = add(v, sequence, &names[i].key);
    return status;
}

/* Everything from `from` on is in the list, in the order of the log. */
static enum ves_status fill(struct ves_verdicts *v, uint64_t from)
{
    struct ves_referrers *list = &v->referrers;
    enum ves_status status = VES_OK;

    if (list->to == 0 || from < list->from) {
        list->count = 0;
        list->from = from;
        list->to = from - 1;
    }
    /* One by one: reading a declared type's rules is a look at the log, too. */
    for (; list->to < v->base && !status; list->to++)
        status = v->store->ops->log_read(v->store, v->stream_no, list->to + 1,
                                         1, take_row, v);
    for (; list->to < v->base + v->count && !status; list->to++)
        status = take_row(v, v->events[list->to - v->base]->row);
    return status;
}

enum ves_status ves_verdicts_referrers(void *ctx, const struct ves_hash *key,
                                       uint64_t above,
                                       ves_judge_hash_visitor *visit,
                                       void *visit_ctx)
{
    struct ves_verdicts *v = ctx;
    uint64_t last = v->base + v->count, told = 0;

    if (above >= last)
        return VES_OK;
    enum ves_status status =
        fill(v, last - above > SPAN ? last - SPAN + 1 : above + 1);
    for (size_t i = 0; i < v->referrers.count && !status; i++) {
        const struct ves_referrer *r = &v->referrers.items[i];
        struct ves_verdict_event *event;
        if (r->sequence <= above || r->sequence == told ||
            !ves_hash_equal(&r->key, key))
            continue;
        told = r->sequence;
        status = ves_verdicts_find(v, r->sequence, &event);
        if (status || event->row->verdict != VES_VERDICT_APPLIED)
            continue;
        status = ves_verdicts_show(v, event);
        if (!status && !visit(visit_ctx, &event->row->event_hash))
            break;
    }
    return status;
}
