/* conflict_list.c -- conflicts as a document. */
#include <string.h>

#include "agent/conflict.h"
#include "agent/follow_ups.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/event.h"

enum {
    LIMIT = 100,
    LIMIT_MAX = 1000,
    CHUNK = 256, /* rows of the store that are looked at at a time */
    ARENA_MAX = 256 * 1024 * 1024
};

/* Where refused events stand in the order: behind every number there is.  Still
 * a number that every program reads as it is written. */
static const uint64_t REFUSED_AFTER = UINT64_C(1) << 52;

enum state { STATE_OPEN, STATE_RESOLVED, STATE_ALL };

/* What a filter lets through, and the page of it. */
struct list {
    struct ves_agent *agent;
    enum state state;
    uint32_t kind; /* 0: any */
    struct ves_bytes event_type, entity_type, entity_id;
    bool has_key;
    struct ves_hash key;
    uint64_t after;
    uint32_t limit;
    struct ves_conflict_row *rows; /* of the page and one more; without texts */
    size_t count;
    uint64_t total; /* of all pages */
    struct ves_arena scratch;
    bool is_of_type; /* the event just looked at */
};

/* ---- filters that need a look at something else -------------------------- */

static enum ves_status look_at_type(void *ctx, const struct ves_log_row *row)
{
    struct list *list = ctx;
    struct ves_refusal refusal;
    struct ves_event event;

    list->is_of_type = false;
    if (row->envelope.len == 0)
        return VES_OK;
    ves_arena_reset(&list->scratch);
    uint8_t *text = ves_arena_bytes(&list->scratch, row->envelope.len + 1);
    if (!text)
        return VES_NOMEM;
    memcpy(text, row->envelope.ptr, row->envelope.len);
    text[row->envelope.len] = '}';
    enum ves_status status =
        ves_event_read(&list->scratch, ves_bytes(text, row->envelope.len + 1),
                       &event, &refusal);
    if (!status)
        list->is_of_type = ves_bytes_equal(event.event_type, list->event_type);
    return status == VES_REFUSED ? VES_CORRUPT : status;
}

static bool is_entity_wanted(const struct list *list,
                             const struct ves_entity_row *entity)
{
    return (list->entity_type.len == 0 ||
            ves_bytes_equal(entity->entity_type, list->entity_type)) &&
           (list->entity_id.len == 0 ||
            ves_bytes_equal(entity->entity_id, list->entity_id));
}

static enum ves_status is_wanted(struct list *list,
                                 const struct ves_conflict_row *row, bool *out)
{
    struct ves_agent *agent = list->agent;
    const struct ves_entity_name name = {.key = row->entity_key};
    struct ves_entity_row entity;
    enum ves_status status = VES_OK;

    *out = true;
    if ((list->entity_type.len > 0 || list->entity_id.len > 0) &&
        !list->has_key) {
        ves_arena_reset(&list->scratch);
        status =
            agent->store->ops->entity_get(agent->store, agent->core.stream_no,
                                          &name, 1, &list->scratch, &entity);
        *out = !status && is_entity_wanted(list, &entity);
    }
    if (status || !*out || list->event_type.len == 0)
        return status;
    status = agent->store->ops->log_read(agent->store, agent->core.stream_no,
                                         row->opened, 1, look_at_type, list);
    *out = list->is_of_type;
    return status;
}

/* ---- the page ------------------------------------------------------------ */

struct chunk {
    struct ves_conflict_row rows[CHUNK];
    size_t count;
};

static enum ves_status take_row(void *ctx, const struct ves_conflict_row *row)
{
    struct chunk *chunk = ctx;

    chunk->rows[chunk->count] = *row;
    chunk->rows[chunk->count++].sub_code = ves_bytes(NULL, 0);
    return VES_OK;
}

static enum ves_status look_at_row(struct list *list,
                                   const struct ves_conflict_row *row)
{
    bool is_fine =
        (list->state != STATE_RESOLVED || row->closed > 0) &&
        (list->kind == 0 || row->kind == list->kind) &&
        (!list->has_key || ves_hash_equal(&row->entity_key, &list->key));
    enum ves_status status = is_fine ? is_wanted(list, row, &is_fine) : VES_OK;

    if (status || !is_fine)
        return status;
    list->total++;
    if (row->opened > list->after && list->count <= list->limit)
        list->rows[list->count++] = *row;
    return VES_OK;
}

/* Every conflict from `from` on is looked at, or those of one page. */
static enum ves_status look_at_rows(struct list *list, uint64_t from,
                                    bool is_page)
{
    struct ves_agent *agent = list->agent;
    struct chunk *chunk = ves_arena_alloc(&agent->arena, sizeof(*chunk));
    struct ves_conflict_filter filter = {.open_only = list->state == STATE_OPEN,
                                         .after = from};
    enum ves_status status = chunk ? VES_OK : VES_NOMEM;

    while (!status) {
        size_t left = list->limit + 1 - list->count;
        filter.limit = (uint32_t)(is_page && left < CHUNK ? left : CHUNK);
        chunk->count = 0;
        status = agent->store->ops->conflict_list(
            agent->store, agent->core.stream_no, &filter, take_row, chunk);
        for (size_t i = 0; i < chunk->count && !status; i++)
            status = look_at_row(list, &chunk->rows[i]);
        if (chunk->count < filter.limit ||
            (is_page && list->count > list->limit))
            break;
        filter.after = chunk->rows[chunk->count - 1].opened;
    }
    return status;
}

/* Without a filter the page alone is read: how many are open is known. */
static enum ves_status find_rows(struct list *list,
                                 const uint64_t counts[VES_CONFLICT_KINDS])
{
    bool is_page = list->state == STATE_OPEN && list->kind == 0 &&
                   list->event_type.len == 0 && list->entity_type.len == 0 &&
                   list->entity_id.len == 0;

    list->rows = ves_arena_alloc(&list->agent->arena,
                                 (list->limit + 1) * sizeof(*list->rows));
    if (!list->rows)
        return VES_NOMEM;
    enum ves_status status =
        is_page && list->after >= REFUSED_AFTER
            ? VES_OK
            : look_at_rows(list, is_page ? list->after : 0, is_page);
    if (status || !is_page)
        return status;
    list->total = 0;
    for (size_t i = 0; i < VES_CONFLICT_KINDS; i++)
        list->total += counts[i];
    return VES_OK;
}

/* ---- the document -------------------------------------------------------- */

static enum ves_status put_one(struct list *list, const struct ves_hash *id,
                               struct ves_jw *jw)
{
    struct ves_core_conflict conflict;
    struct ves_arena arena;

    ves_arena_init(&arena, list->agent->alloc, ARENA_MAX);
    enum ves_status status =
        ves_core_conflict(&list->agent->core, &arena, id, &conflict);
    ves_jw_object(jw);
    if (!status)
        status =
            ves_conflict_put_item(list->agent, &arena, &conflict, true, jw);
    ves_jw_end(jw);
    ves_arena_free(&arena);
    return status;
}

/* open: with a record here; unlisted: own events in conflict, of which there
 * is none. */
static void put_summary(struct ves_agent *agent, struct ves_jw *jw,
                        const uint64_t counts[VES_CONFLICT_KINDS],
                        uint64_t open, uint64_t unlisted)
{
    struct ves_buf buf;
    bool is_first = true;

    ves_buf_init(&buf, agent->alloc, 512);
    if (open == 0 && unlisted == 0)
        ves_buf_put_str(&buf, "No conflict is open.");
    else if (open == 0)
        ves_buf_put_str(&buf, "No conflict is known here yet, but own events "
                              "are in one; `ves sync` fetches with what.");
    else
        ves_buf_put_count(&buf, open, "open conflict");
    for (int i = 1; i < VES_CONFLICT_KINDS; i++) {
        if (counts[i] == 0)
            continue;
        ves_buf_putf(&buf, "%s%llu %s", is_first ? ": " : ", ",
                     (unsigned long long)counts[i],
                     ves_conflict_kind_name((enum ves_conflict_kind)i));
        is_first = false;
    }
    if (open > 0)
        ves_buf_put_str(&buf, ".");
    ves_jw_member(jw, "summary", ves_buf_view(&buf));
    ves_buf_free(&buf);
}

/* What can be typed as it is: about the first that is shown. */
static void put_steps(const struct ves_hash *first, struct ves_jw *jw)
{
    enum { SHOWN = 6 }; /* bytes; enough to name it, short enough to type */
    struct ves_buf buf;

    if (!first) {
        ves_jw_str(jw, "ves conflict show EVENT");
        ves_jw_str(jw, "ves resolve EVENT --strategy STRATEGY");
        return;
    }
    ves_buf_init(&buf, ves_alloc_default(), 256);
    ves_buf_put_str(&buf, "ves conflict show 0x");
    ves_buf_put_hex(&buf, first->b, SHOWN);
    ves_jw_bytes(jw, ves_buf_view(&buf));
    ves_buf_reset(&buf);
    ves_buf_put_str(&buf, "ves resolve 0x");
    ves_buf_put_hex(&buf, first->b, SHOWN);
    ves_buf_put_str(&buf, " --strategy STRATEGY");
    ves_jw_bytes(jw, ves_buf_view(&buf));
    ves_buf_free(&buf);
}

static enum ves_status put_totals(struct list *list,
                                  const uint64_t counts[VES_CONFLICT_KINDS],
                                  const struct ves_refused_page *refused,
                                  uint64_t next, const struct ves_hash *first,
                                  struct ves_jw *jw)
{
    struct ves_agent *agent = list->agent;
    uint64_t own[VES_OUTBOX_STATUSES], open = 0;
    uint64_t all[VES_CONFLICT_KINDS];

    enum ves_status status =
        agent->store->ops->outbox_counts(agent->store, own);
    if (status)
        return status;
    memcpy(all, counts, sizeof(all));
    all[VES_CONFLICT_VERSION_MISMATCH] += refused->all;
    for (size_t i = 0; i < VES_CONFLICT_KINDS; i++)
        open += all[i];
    ves_jw_member_u64(jw, "total", list->total + refused->total);
    ves_jw_member_u64(jw, "open", open);
    ves_jw_key(jw, "byType");
    ves_jw_object(jw);
    for (int i = VES_CONFLICT_KINDS - 1; i > 0; i--)
        ves_jw_member_u64(jw, ves_conflict_kind_name((enum ves_conflict_kind)i),
                          all[i]);
    ves_jw_end(jw);
    if (next > 0)
        ves_jw_member_u64(jw, "nextAfter", next);
    status = ves_follow_ups_put_all(agent, list->entity_type, list->entity_id,
                                    list->limit, jw);
    if (status)
        return status;
    put_summary(agent, jw, all, open, own[VES_OUTBOX_CONFLICT]);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (open > 0) {
        put_steps(first, jw);
    } else if (own[VES_OUTBOX_CONFLICT] > 0) {
        ves_jw_str(jw, "ves sync");
        ves_jw_str(jw, "ves outbox --status conflict");
    }
    ves_jw_end(jw);
    return VES_OK;
}

/* Refused events have no record: they come after all that have one. */
static enum ves_status put_refused(struct list *list, size_t shown,
                                   struct ves_refused_page *page,
                                   struct ves_jw *jw)
{
    bool is_open =
        list->state != STATE_RESOLVED &&
        (list->kind == 0 || list->kind == VES_CONFLICT_VERSION_MISMATCH);

    page->is_shown = is_open;
    page->event_type = list->event_type;
    page->entity_type = list->entity_type;
    page->entity_id = list->entity_id;
    page->place = REFUSED_AFTER;
    page->after = list->after > REFUSED_AFTER ? list->after : REFUSED_AFTER;
    page->room = list->count > list->limit ? 0 : list->limit - shown;
    return ves_conflict_put_refused(list->agent, page, jw);
}

static enum ves_status put_list(struct list *list, struct ves_jw *jw)
{
    uint64_t counts[VES_CONFLICT_KINDS], next = 0;
    struct ves_refused_page refused = {.room = 0};
    const struct ves_hash *first = NULL;
    struct ves_agent *agent = list->agent;
    size_t shown = 0;

    enum ves_status status = agent->store->ops->conflict_counts(
        agent->store, agent->core.stream_no, counts);
    if (!status)
        status = find_rows(list, counts);
    ves_jw_object(jw);
    ves_jw_key(jw, "conflicts");
    ves_jw_array(jw);
    for (; shown < list->count && shown < list->limit && !status; shown++) {
        const struct ves_conflict_row *row = &list->rows[shown];
        status = put_one(list, &row->id, jw);
        if (!first && row->closed == 0)
            first = &row->id;
        next = row->opened;
    }
    if (!status)
        status = put_refused(list, shown, &refused, jw);
    ves_jw_end(jw);
    if (refused.last > 0)
        next = refused.last;
    if (list->count <= list->limit && !refused.has_more)
        next = 0;
    else if (next == 0)
        next = REFUSED_AFTER;
    if (!status)
        status = put_totals(list, counts, &refused, next, first, jw);
    ves_jw_end(jw);
    return status;
}

static enum ves_status read_filter(struct list *list,
                                   const struct ves_conflicts_filter *filter,
                                   struct ves_error *error)
{
    static const char *const states[] = {"open", "resolved", "all"};
    const char *state = filter->state ? filter->state : "open";
    int found = -1;

    for (int i = 0; i < 3; i++)
        found = strcmp(state, states[i]) == 0 ? i : found;
    if (found < 0)
        return ves_fail(error, VES_INVALID,
                        "\"%.40s\" is no state of a conflict; it is open, "
                        "resolved or all",
                        state);
    list->state = (enum state)found;
    for (int i = 1; filter->conflict_type && i < VES_CONFLICT_KINDS; i++) {
        if (strcmp(filter->conflict_type,
                   ves_conflict_kind_name((enum ves_conflict_kind)i)) == 0)
            list->kind = (uint32_t)i;
    }
    if (filter->conflict_type && list->kind == 0)
        return ves_fail(error, VES_INVALID,
                        "\"%.40s\" is no type of conflict; it is "
                        "concurrent_edit, version_mismatch or "
                        "deleted_reference",
                        filter->conflict_type);
    list->event_type = ves_bytes_str(filter->event_type);
    list->entity_type = ves_bytes_str(filter->entity_type);
    list->entity_id = ves_bytes_str(filter->entity_id);
    list->has_key = filter->entity_type && filter->entity_id;
    if (list->has_key)
        ves_entity_key(list->entity_type, ves_bytes_str(filter->entity_id),
                       &list->key);
    return VES_OK;
}

enum ves_status ves_conflicts(struct ves_agent *agent,
                              const struct ves_conflicts_filter *filter,
                              struct ves_jw *jw, struct ves_error *error)
{
    static const struct ves_conflicts_filter none = {.state = NULL};
    struct list list = {.agent = agent};

    ves_agent_start(agent);
    filter = filter ? filter : &none;
    enum ves_status status = read_filter(&list, filter, error);
    if (status)
        return status;
    list.after = filter->after;
    list.limit = filter->limit == 0          ? LIMIT
                 : filter->limit > LIMIT_MAX ? LIMIT_MAX
                                             : filter->limit;
    ves_arena_init(&list.scratch, agent->alloc, ARENA_MAX);
    status = put_list(&list, jw);
    ves_arena_free(&list.scratch);
    if (status)
        return ves_agent_fail(agent, status, error, "listing conflicts");
    return ves_agent_jw_end(jw, error);
}
