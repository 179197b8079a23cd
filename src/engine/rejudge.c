/* rejudge.c -- judging a log again from its first event on. */
#include "engine/rejudge.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "engine/folding.h"

enum {
    /* Twice the longest group: one that is cut off is whole in the next. */
    ROOM = 2 * VES_EVENTS_PER_REQUEST_MAX,
    CHUNK_FULL = 64 * 1024 * 1024, /* bytes; but never inside a group */
    CHUNK_MAX = 1024 * 1024 * 1024
};

/* ---- groups -------------------------------------------------------------- */

static bool continues(const struct ves_event *first,
                      const struct ves_event *event, size_t index)
{
    const struct ves_context *context = &event->context;

    return context->has_cmd && context->cmd_index == index &&
           context->cmd_count == first->context.cmd_count &&
           ves_uuid_equal(&event->agent, &first->agent) &&
           ves_uuid_equal(&event->command_id, &first->command_id);
}

size_t ves_unit_length(const struct ves_event *const *events, size_t count)
{
    const struct ves_context *context = &events[0]->context;
    size_t n = 1;

    if (!context->has_cmd || context->cmd_index != 0)
        return 1;
    while (n < context->cmd_count && n < count &&
           continues(events[0], events[n], n))
        n++;
    if (n == context->cmd_count)
        return n;
    /* Something else came between: each stands for itself. */
    return n < count ? 1 : 0;
}

/* ---- reading ------------------------------------------------------------- */

struct reader {
    struct ves_rejudge_chunk chunk;
    struct ves_store *store;
    uint32_t stream_no;
    bool is_pruned, is_full;
};

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct reader *reader = ctx;
    struct ves_rejudge_chunk *chunk = &reader->chunk;
    struct ves_event *event = &chunk->events[chunk->count];
    struct ves_log_row *kept = &chunk->rows[chunk->count];

    if (row->envelope.len == 0) {
        reader->is_pruned = true;
        return VES_AGAIN;
    }
    *kept = *row;
    kept->raw = ves_bytes(NULL, 0);
    if (ves_arena_copy(chunk->arena, row->envelope, &kept->envelope))
        return VES_NOMEM;
    enum ves_status status = ves_log_event_read(chunk->arena, kept->envelope,
                                                &reader->store->error, event);
    if (!status)
        status = ves_rules_log_subject(chunk->rules, chunk->arena, event,
                                       row->sequence_number,
                                       &chunk->subjects[chunk->count]);
    if (status)
        return status;
    chunk->count++;
    reader->is_full = chunk->arena->total > CHUNK_FULL &&
                      event->context.cmd_index + 1 >= event->context.cmd_count;
    return reader->is_full ? VES_AGAIN : VES_OK;
}

static enum ves_status list_names(struct ves_rejudge_chunk *chunk)
{
    size_t room = chunk->count;

    for (size_t i = 0; i < chunk->count; i++)
        room += chunk->subjects[i].refs.count;
    chunk->names = ves_arena_alloc(chunk->arena, room * sizeof(*chunk->names));
    chunk->name_count = 0;
    if (!chunk->names)
        return VES_NOMEM;
    for (size_t i = 0; i < chunk->count; i++) {
        const struct ves_entity_names *refs = &chunk->subjects[i].refs;
        chunk->names[chunk->name_count++] = (struct ves_entity_name){
            chunk->rows[i].entity_key, chunk->events[i].entity_type,
            chunk->events[i].entity_id};
        for (size_t k = 0; k < refs->count; k++)
            chunk->names[chunk->name_count++] = refs->list[k];
    }
    return VES_OK;
}

static enum ves_status read_chunk(struct reader *reader, uint32_t limit)
{
    struct ves_rejudge_chunk *chunk = &reader->chunk;

    chunk->count = 0;
    reader->is_full = false;
    chunk->rows = ves_arena_alloc(chunk->arena, limit * sizeof(*chunk->rows));
    chunk->events =
        ves_arena_alloc(chunk->arena, limit * sizeof(*chunk->events));
    chunk->subjects =
        ves_arena_alloc(chunk->arena, limit * sizeof(*chunk->subjects));
    if (!chunk->rows || !chunk->events || !chunk->subjects)
        return VES_NOMEM;
    enum ves_status status =
        reader->store->ops->log_read(reader->store, reader->stream_no,
                                     chunk->base + 1, limit, take_row, reader);
    if (status == VES_AGAIN && (reader->is_pruned || reader->is_full))
        status = VES_OK;
    return status ? status : list_names(chunk);
}

/* ---- judging ------------------------------------------------------------- */

void ves_rejudge_link(struct ves_entity_row *entity,
                      const struct ves_event *event,
                      const struct ves_log_row *row)
{
    if (entity->entity_type.len == 0) {
        entity->entity_type = event->entity_type;
        entity->entity_id = event->entity_id;
    }
    entity->count = row->entity_index;
    entity->last = row->sequence_number;
    entity->last_jump = row->entity_jump;
}

static enum ves_status judge_unit(struct reader *reader,
                                  const struct ves_rejudge_host *host,
                                  struct ves_verdicts *v, size_t at,
                                  size_t count)
{
    struct ves_rejudge_chunk *chunk = &reader->chunk;
    enum ves_status status = VES_OK;

    for (size_t i = at; i < at + count && !status; i++)
        status = ves_verdicts_add(v, &chunk->rows[i], &chunk->events[i],
                                  &chunk->subjects[i]);
    if (!status)
        status = ves_verdicts_step(v, count);
    for (size_t i = at; i < at + count && !status; i++)
        status = host->link(host->ctx, &chunk->events[i], &chunk->rows[i]);
    return status;
}

/* What is left at the end of the log: no verdict yet. */
static enum ves_status leave(struct reader *reader,
                             const struct ves_rejudge_host *host, size_t at)
{
    struct ves_rejudge_chunk *chunk = &reader->chunk;
    enum ves_status status = VES_OK;

    for (size_t i = at; i < chunk->count && !status; i++) {
        ves_verdict_forget(&chunk->rows[i]);
        status = host->link(host->ctx, &chunk->events[i], &chunk->rows[i]);
    }
    return status;
}

/* Judges what is there whole; *done: how many. */
static enum ves_status judge_units(struct reader *reader,
                                   const struct ves_rejudge_host *host,
                                   struct ves_verdicts *v, bool is_end,
                                   size_t *done)
{
    struct ves_rejudge_chunk *chunk = &reader->chunk;
    const struct ves_event **events = ves_arena_alloc(
        chunk->arena, chunk->count * sizeof(const struct ves_event *));
    size_t at = 0;

    if (!events)
        return VES_NOMEM;
    for (size_t i = 0; i < chunk->count; i++)
        events[i] = &chunk->events[i];
    while (at < chunk->count) {
        size_t count = ves_unit_length(events + at, chunk->count - at);
        if (count == 0)
            break;
        enum ves_status status = judge_unit(reader, host, v, at, count);
        if (status)
            return status;
        at += count;
    }
    *done = at;
    if (!is_end)
        return VES_OK;
    *done = chunk->count;
    return leave(reader, host, at);
}

static enum ves_status judge_chunk(struct reader *reader,
                                   const struct ves_rejudge_host *host,
                                   uint64_t head, size_t *done)
{
    struct ves_rejudge_chunk *chunk = &reader->chunk;
    bool is_end = chunk->base + chunk->count >= head;
    struct ves_verdicts *v;

    enum ves_status status = host->begin(host->ctx, chunk, &v);
    if (status)
        return status;
    status = judge_units(reader, host, v, is_end, done);
    if (!status)
        status = reader->store->ops->log_judge(reader->store, reader->stream_no,
                                               chunk->rows, *done);
    if (!status)
        status = ves_verdicts_save(v);
    return host->end(host->ctx, status);
}

static enum ves_status reset(struct reader *reader)
{
    struct ves_store *store = reader->store;

    enum ves_status status =
        store->ops->verdict_reset(store, reader->stream_no);
    return status ? status : store->ops->entity_reset(store, reader->stream_no);
}

static enum ves_status judge_all(struct reader *reader, uint64_t head,
                                 const struct ves_rejudge_host *host)
{
    struct ves_rejudge_chunk *chunk = &reader->chunk;

    /* Pruning goes from the front, so the first row tells. */
    enum ves_status status = head > 0 ? read_chunk(reader, 1) : VES_OK;
    if (status || reader->is_pruned)
        return status;
    /* Entities forget below which events are theirs. */
    status = ves_rules_log_load(chunk->rules);
    if (!status)
        status = reset(reader);
    while (chunk->base < head && !status) {
        size_t done = 0;
        ves_arena_reset(chunk->arena);
        /* No more room than there are events: it is cleared each time. */
        uint64_t left = head - chunk->base;
        status = read_chunk(reader, left < ROOM ? (uint32_t)left : ROOM);
        if (!status && (reader->is_pruned || chunk->count == 0))
            status = ves_fail(&reader->store->error, VES_CORRUPT,
                              "the log has no body at number %llu",
                              (unsigned long long)chunk->base + 1);
        if (!status)
            status = judge_chunk(reader, host, head, &done);
        VES_ASSERT(status || done > 0);
        chunk->base += done;
    }
    return status;
}

enum ves_status ves_rejudge(struct ves_store *store, uint32_t stream_no,
                            const struct ves_alloc *alloc,
                            const struct ves_public_key *owner, uint64_t head,
                            const struct ves_rejudge_host *host,
                            bool *is_pruned)
{
    struct ves_rules_log rules;
    struct ves_arena arena;
    struct reader reader = {.chunk = {.arena = &arena, .rules = &rules},
                            .store = store,
                            .stream_no = stream_no};

    ves_arena_init(&arena, alloc, CHUNK_MAX);
    ves_rules_log_open(&rules, store, stream_no, alloc, owner);
    enum ves_status status = judge_all(&reader, head, host);
    ves_rules_log_close(&rules);
    *is_pruned = reader.is_pruned && !status;
    ves_arena_free(&arena);
    return status;
}
