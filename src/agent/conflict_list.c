/* conflict_list.c -- conflicts as a document. */
#include <string.h>

#include "agent/conflict.h"
#include "agent/follow_ups.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"

enum { LIMIT = 100, LIMIT_MAX = 1000, ARENA_MAX = 256 * 1024 * 1024 };

enum state { STATE_OPEN, STATE_RESOLVED, STATE_ALL };

/* What a filter lets through, and what it let through. */
struct list {
    struct ves_agent *agent;
    enum state state;
    uint32_t kind; /* 0: any */
    struct ves_bytes event_type, entity_type, entity_id;
    bool has_key;
    struct ves_hash key;
    struct ves_conflict_row *rows; /* id, opened and entity only */
    size_t count, room;
    bool is_late; /* the event type of the row just read is wanted */
};

static enum ves_status take_row(void *ctx, const struct ves_conflict_row *row)
{
    struct list *list = ctx;

    if ((list->state == STATE_RESOLVED && row->closed == 0) ||
        (list->kind != 0 && row->kind != list->kind) ||
        (list->has_key && !ves_hash_equal(&row->entity_key, &list->key)))
        return VES_OK;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        struct ves_conflict_row *rows =
            ves_arena_alloc(&list->agent->arena, room * sizeof(*rows));
        if (!rows)
            return VES_NOMEM;
        if (list->count > 0)
            memcpy(rows, list->rows, list->count * sizeof(*rows));
        list->rows = rows;
        list->room = room;
    }
    struct ves_conflict_row *copy = &list->rows[list->count++];
    *copy = *row;
    copy->sub_code = ves_bytes(NULL, 0);
    return VES_OK;
}

/* ---- filters that need a look at something else -------------------------- */

static enum ves_status look_at_type(void *ctx, const struct ves_log_row *row)
{
    struct list *list = ctx;
    struct ves_event event;

    list->is_late = false;
    if (row->envelope.len == 0)
        return VES_OK;
    enum ves_status status =
        ves_agent_read_envelope(list->agent, row->envelope, true, &event, NULL);
    if (!status)
        list->is_late = ves_bytes_equal(event.event_type, list->event_type);
    return status;
}

static enum ves_status is_wanted(struct list *list,
                                 const struct ves_conflict_row *row, bool *out)
{
    struct ves_agent *agent = list->agent;
    struct ves_entity_row entity;
    enum ves_status status = VES_OK;

    *out = true;
    if (list->entity_type.len > 0 && !list->has_key) {
        status = agent->store->ops->entity_get(
            agent->store, agent->core.stream_no, &row->entity_key, 1,
            &agent->arena, &entity);
        *out =
            !status && ves_bytes_equal(entity.entity_type, list->entity_type);
    }
    if (status || !*out || list->event_type.len == 0)
        return status;
    status = agent->store->ops->log_read(agent->store, agent->core.stream_no,
                                         row->opened, 1, look_at_type, list);
    *out = list->is_late;
    return status;
}

static enum ves_status find_rows(struct list *list)
{
    const struct ves_conflict_filter filter = {.open_only =
                                                   list->state == STATE_OPEN};
    struct ves_agent *agent = list->agent;
    size_t kept = 0;

    enum ves_status status = agent->store->ops->conflict_list(
        agent->store, agent->core.stream_no, &filter, take_row, list);
    for (size_t i = 0; i < list->count && !status; i++) {
        bool is_fine;
        status = is_wanted(list, &list->rows[i], &is_fine);
        if (is_fine)
            list->rows[kept++] = list->rows[i];
    }
    list->count = kept;
    return status;
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

/* They have no record and are no part of any entity's history. */
static bool shows_refused(const struct list *list)
{
    return list->state != STATE_RESOLVED && list->event_type.len == 0 &&
           list->entity_type.len == 0 &&
           (list->kind == 0 || list->kind == VES_CONFLICT_VERSION_MISMATCH);
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

static enum ves_status put_totals(struct list *list, uint32_t limit,
                                  uint64_t next, uint64_t refused,
                                  const struct ves_hash *first,
                                  struct ves_jw *jw)
{
    struct ves_agent *agent = list->agent;
    uint64_t counts[VES_CONFLICT_KINDS], open = 0;
    uint64_t own[VES_OUTBOX_STATUSES];

    enum ves_status status = agent->store->ops->conflict_counts(
        agent->store, agent->core.stream_no, counts);
    if (!status)
        status = agent->store->ops->outbox_counts(agent->store, own);
    if (status)
        return status;
    counts[VES_CONFLICT_VERSION_MISMATCH] += refused;
    ves_jw_member_u64(jw, "total",
                      list->count + (shows_refused(list) ? refused : 0));
    for (size_t i = 0; i < VES_CONFLICT_KINDS; i++)
        open += counts[i];
    ves_jw_member_u64(jw, "open", open);
    ves_jw_key(jw, "byType");
    ves_jw_object(jw);
    for (int i = VES_CONFLICT_KINDS - 1; i > 0; i--)
        ves_jw_member_u64(jw, ves_conflict_kind_name((enum ves_conflict_kind)i),
                          counts[i]);
    ves_jw_end(jw);
    if (next > 0)
        ves_jw_member_u64(jw, "nextAfter", next);
    status = ves_follow_ups_put_all(agent, list->entity_type, list->entity_id,
                                    limit, jw);
    if (status)
        return status;
    put_summary(agent, jw, counts, open, own[VES_OUTBOX_CONFLICT]);
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

static enum ves_status put_list(struct list *list, uint64_t after,
                                uint32_t limit, struct ves_jw *jw)
{
    enum ves_status status = find_rows(list);
    uint32_t shown = 0;
    uint64_t next = 0, last = 0, refused = 0;
    const struct ves_hash *first = NULL;

    ves_jw_object(jw);
    ves_jw_key(jw, "conflicts");
    ves_jw_array(jw);
    for (size_t i = 0; i < list->count && !status; i++) {
        if (list->rows[i].opened <= after)
            continue;
        if (shown == limit) {
            next = last;
            break;
        }
        status = put_one(list, &list->rows[i].id, jw);
        if (!first && list->rows[i].closed == 0)
            first = &list->rows[i].id;
        last = list->rows[i].opened;
        shown++;
    }
    if (!status)
        status = ves_conflict_put_refused(
            list->agent, shows_refused(list) && next == 0, jw, &refused);
    ves_jw_end(jw);
    if (!status)
        status = put_totals(list, limit, next, refused, first, jw);
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
    if (filter->entity_id && !filter->entity_type)
        return ves_fail(error, VES_INVALID,
                        "an entity is named by its type and its id");
    list->event_type = ves_bytes_str(filter->event_type);
    list->entity_type = ves_bytes_str(filter->entity_type);
    list->entity_id = ves_bytes_str(filter->entity_id);
    list->has_key = filter->entity_id != NULL;
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
    uint32_t limit = filter->limit == 0          ? LIMIT
                     : filter->limit > LIMIT_MAX ? LIMIT_MAX
                                                 : filter->limit;
    status = put_list(&list, filter->after, limit, jw);
    if (status)
        return ves_agent_fail(agent, status, error, "listing conflicts");
    return ves_agent_jw_end(jw, error);
}
