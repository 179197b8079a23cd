/* rules_log.c -- the rules that a stream's log holds, for one run. */
#include "engine/rules_log.h"

#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "engine/entity_events.h"

enum { ARENA_MAX = 256 * 1024 * 1024 };

void ves_rules_log_open(struct ves_rules_log *log, struct ves_store *store,
                        uint32_t stream_no, const struct ves_alloc *alloc,
                        const struct ves_public_key *owner)
{
    *log = (struct ves_rules_log){.store = store,
                                  .stream_no = stream_no,
                                  .alloc = alloc,
                                  .has_owner = owner != NULL};
    if (owner)
        log->owner = *owner;
}

/* Blocks begin with their size, which the arena does not remember. */
static void *arena_realloc(void *ctx, void *ptr, size_t size)
{
    union {
        size_t size;
        max_align_t align;
    } * block, *old = ptr;

    if (size == 0 || size > SIZE_MAX - sizeof(*block))
        return NULL;
    block = ves_arena_alloc(ctx, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->size = size;
    if (old)
        memcpy(block + 1, old, old[-1].size < size ? old[-1].size : size);
    return block + 1;
}

enum ves_status ves_rules_log_make(struct ves_arena *arena,
                                   struct ves_store *store, uint32_t stream_no,
                                   const struct ves_public_key *owner,
                                   struct ves_rules_log **out)
{
    struct ves_rules_log *log = ves_arena_alloc(arena, sizeof(*log));

    if (!log)
        return VES_NOMEM;
    ves_rules_log_open(log, store, stream_no, &log->in_arena, owner);
    log->in_arena = (struct ves_alloc){arena_realloc, arena};
    *out = log;
    return VES_OK;
}

void ves_rules_log_close(struct ves_rules_log *log)
{
    for (size_t i = log->count; i > 0; i--)
        ves_rules_free(log->list[i - 1]);
    if (log->list)
        (void)log->alloc->realloc(log->alloc->ctx, log->list, 0);
    log->list = NULL;
    log->count = log->room = 0;
    log->is_loaded = false;
}

const struct ves_rules *ves_rules_log_newest(const struct ves_rules_log *log)
{
    return log->count > 0 ? log->list[log->count - 1] : NULL;
}

/* Takes what an event of the log registers. */
static enum ves_status take(struct ves_rules_log *log,
                            const struct ves_event *event, uint64_t sequence,
                            struct ves_error *why)
{
    struct ves_rules *rules;

    if (log->count == log->room) {
        size_t room = log->room > 0 ? 2 * log->room : 8;
        struct ves_rules **list = log->alloc->realloc(
            log->alloc->ctx, log->list, room * sizeof(struct ves_rules *));
        if (!list)
            return VES_NOMEM;
        log->list = list;
        log->room = room;
    }
    enum ves_status status =
        ves_rules_registered(log->alloc, ves_rules_log_newest(log), &log->owner,
                             event, sequence, &rules, why);
    if (!status && rules)
        log->list[log->count++] = rules;
    return status;
}

void ves_rules_log_cut(struct ves_rules_log *log, uint64_t head)
{
    while (log->count > 0 &&
           ves_rules_sequence(ves_rules_log_newest(log)) > head)
        ves_rules_free(log->list[--log->count]);
}

/* ---- from the store -------------------------------------------------------
 */

enum ves_status ves_rules_log_load(struct ves_rules_log *log)
{
    struct ves_entity_events of;
    struct ves_arena arena;

    if (log->is_loaded || !log->has_owner)
        return VES_OK;
    ves_arena_init(&arena, log->alloc, ARENA_MAX);
    enum ves_status status = ves_entity_events_read(
        log->store, log->stream_no, VES_SCHEMA_ENTITY_TYPE,
        VES_SCHEMA_ENTITY_ID, &arena, &of);
    for (size_t i = 0; i < of.count && !status; i++)
        status = take(log, &of.events[i], of.sequences[i], NULL);
    ves_arena_free(&arena);
    log->is_loaded = !status;
    return status;
}

/* ---- asking ---------------------------------------------------------------
 */

/* Types of the program's are not in any log. */
static bool is_needed(const struct ves_event *event)
{
    const struct ves_context *context = &event->context;

    return !(context->is_present && context->schema_version == 0) &&
           !ves_event_type_find(event->event_type) &&
           !ves_bytes_is(ves_entity_type_of(event->event_type),
                         VES_SCHEMA_ENTITY_TYPE);
}

enum ves_status ves_rules_log_at(struct ves_rules_log *log,
                                 const struct ves_event *event,
                                 uint64_t sequence, struct ves_rules_at *out)
{
    *out = VES_RULES_BUILT_IN;
    if (!log || !log->has_owner || !is_needed(event))
        return VES_OK;
    enum ves_status status = ves_rules_log_load(log);
    *out = (struct ves_rules_at){ves_rules_log_newest(log), sequence};
    return status;
}

enum ves_status ves_rules_log_subject(struct ves_rules_log *log,
                                      struct ves_arena *arena,
                                      const struct ves_event *event,
                                      uint64_t sequence,
                                      struct ves_judge_subject *out)
{
    struct ves_rules_at rules;

    enum ves_status status = ves_rules_log_at(log, event, sequence, &rules);
    return status ? status : ves_judge_subject_read(arena, rules, event, out);
}

enum ves_status ves_rules_log_add(struct ves_rules_log *log,
                                  const struct ves_event *event,
                                  uint64_t sequence, struct ves_error *why)
{
    if (why)
        why->status = VES_OK;
    if (!log->has_owner || !ves_rules_is_registration(event))
        return VES_OK;
    enum ves_status status = ves_rules_log_load(log);
    return status ? status : take(log, event, sequence, why);
}
