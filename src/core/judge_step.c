/* judge_step.c -- a new event, and the waiting ones it sets free.
 *
 * semantics.md 3.1.  A waiting event can only come free when the very thing
 * it waits for changes, so nothing else is looked at.
 */
#include "base/bytes.h"
#include "core/judge_scan.h"

/* Sequences to look at, a binary heap with the smallest on top. */
struct heap {
    struct ves_arena *arena;
    uint64_t *list;
    size_t count, cap;
    enum ves_status status;
};

static bool push(void *ctx, uint64_t sequence)
{
    struct heap *heap = ctx;

    if (heap->count == heap->cap) {
        size_t cap = heap->cap > 0 ? heap->cap * 2 : 16;
        uint64_t *list = ves_arena_alloc(heap->arena, cap * sizeof(*list));
        if (!list) {
            heap->status = VES_NOMEM;
            return false;
        }
        if (heap->count > 0)
            memcpy(list, heap->list, heap->count * sizeof(*list));
        heap->list = list;
        heap->cap = cap;
    }
    size_t at = heap->count++;
    for (; at > 0 && heap->list[(at - 1) / 2] > sequence; at = (at - 1) / 2)
        heap->list[at] = heap->list[(at - 1) / 2];
    heap->list[at] = sequence;
    return true;
}

static uint64_t pop(struct heap *heap)
{
    uint64_t top = heap->list[0];
    uint64_t last = heap->list[--heap->count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->list[child + 1] < heap->list[child])
            child++;
        if (heap->list[child] >= last)
            break;
        heap->list[at] = heap->list[child];
        at = child;
    }
    heap->list[at] = last;
    return top;
}

/* Everything that waits for what this judgement changed. */
static enum ves_status wake(const struct ves_judge_writer *writer,
                            struct heap *heap,
                            const struct ves_judge_subject *subject,
                            const struct ves_judgement *judgement)
{
    enum ves_status status = VES_OK;
    struct ves_hash event;

    ves_waits_for_event(&subject->event_id, &event);
    if (judgement->verdict != VES_VERDICT_WAITING)
        status = writer->waiters(writer->ctx, &event, push, heap);
    if (!status && judgement->change == VES_CONFLICT_CLOSED)
        status =
            writer->waiters(writer->ctx, &judgement->conflict_id, push, heap);
    return status ? status : heap->status;
}

/* Writes judgements made together; the one that opens a record comes before
 * those that join it. */
static enum ves_status write_all(const struct ves_judge_writer *writer,
                                 struct heap *heap,
                                 const struct ves_judge_subject *subjects,
                                 size_t count,
                                 const struct ves_judgement *judgements)
{
    enum ves_status status = VES_OK;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count && !status; i++) {
            bool is_tail = judgements[i].change == VES_CONFLICT_JOINED;
            if (is_tail != (pass == 1))
                continue;
            status = writer->write(writer->ctx, &subjects[i], &judgements[i]);
            if (!status)
                status = wake(writer, heap, &subjects[i], &judgements[i]);
        }
    }
    return status;
}

/* The waiting members of the group that one is in; *count is 0 when it does
 * not wait any more. */
static enum ves_status load_waiting(const struct ves_judge_writer *writer,
                                    struct ves_arena *arena, uint64_t sequence,
                                    struct ves_judge_subject **subjects,
                                    size_t *count)
{
    struct ves_judge_subject one;

    *count = 0;
    enum ves_status status =
        writer->subject(writer->ctx, sequence, arena, &one);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    size_t room = one.group_count > 1 ? one.group_count : 1;
    uint64_t first = room > 1 ? one.first_of_group : sequence;
    *subjects = ves_arena_alloc(arena, room * sizeof(**subjects));
    if (!*subjects)
        return VES_NOMEM;
    for (size_t i = 0; i < room; i++) {
        status = writer->subject(writer->ctx, first + i, arena,
                                 &(*subjects)[*count]);
        if (status && status != VES_NOT_FOUND)
            return status;
        /* Of a group that was torn, others may stand in its place. */
        const struct ves_judge_subject *member = &(*subjects)[*count];
        if (!status &&
            (room == 1 || (member->first_of_group == first &&
                           member->group_count == one.group_count &&
                           ves_uuid_equal(&member->agent, &one.agent))))
            ++*count;
    }
    return VES_OK;
}

static enum ves_status judge_again(const struct ves_judge_view *view,
                                   const struct ves_judge_writer *writer,
                                   struct heap *heap, uint64_t sequence)
{
    struct ves_judge_subject *subjects;
    size_t count;

    enum ves_status status =
        load_waiting(writer, writer->waking, sequence, &subjects, &count);
    if (status || count == 0)
        return status;
    struct ves_judgement *judgements =
        ves_arena_alloc(writer->waking, count * sizeof(*judgements));
    if (!judgements)
        return VES_NOMEM;
    status = ves_judge_group(view, writer->waking, subjects, count, judgements);
    return status ? status
                  : write_all(writer, heap, subjects, count, judgements);
}

/* Looks at one waiting event, and those bound to it, again. */
static enum ves_status again(const struct ves_judge_view *view,
                             const struct ves_judge_writer *writer,
                             struct heap *heap, uint64_t sequence)
{
    enum ves_status status = judge_again(view, writer, heap, sequence);

    if (writer->release)
        writer->release(writer->ctx);
    ves_arena_reset(writer->waking);
    return status;
}

enum ves_status ves_judge_step(const struct ves_judge_view *view,
                               const struct ves_judge_writer *writer,
                               struct ves_arena *arena,
                               const struct ves_judge_subject *subjects,
                               size_t count, struct ves_judgement *out)
{
    struct heap heap = {.arena = arena};

    enum ves_status status = ves_judge_group(view, arena, subjects, count, out);
    if (!status)
        status = write_all(writer, &heap, subjects, count, out);
    while (!status && heap.count > 0) {
        uint64_t sequence = pop(&heap);
        /* Two reasons to look at one event come one after the other. */
        while (heap.count > 0 && heap.list[0] == sequence)
            (void)pop(&heap);
        status = again(view, writer, &heap, sequence);
    }
    return status;
}
