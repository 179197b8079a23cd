/* conflict.c -- which conflict an id stands for, and how one is said. */
#include "agent/conflict.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lookup.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "core/types.h"
#include "json/jcs.h"

enum { LATER_ARENA_MAX = 256 * 1024 * 1024 };
enum { HEX_MIN = 8, HEX_MAX = 2 * VES_HASH_SIZE, FOUND_MAX = 256 };

/* ---- problems ------------------------------------------------------------ */

enum ves_status ves_conflict_problem(struct ves_jw *jw, struct ves_error *error,
                                     enum ves_status status, const char *code,
                                     const char *format, ...)
{
    struct ves_error words = {VES_OK, ""};
    va_list args;

    va_start(args, format);
    (void)ves_vfail(&words, status, format, args);
    va_end(args);
    if (error)
        *error = words;
    ves_jw_object(jw);
    ves_jw_key(jw, "problem");
    ves_jw_object(jw);
    ves_jw_member_str(jw, "code", code);
    ves_jw_member_str(jw, "message", words.text);
    return status;
}

void ves_conflict_problem_end(struct ves_jw *jw)
{
    ves_jw_end(jw);
    ves_jw_end(jw);
}

enum ves_status ves_conflict_bad_value(struct ves_jw *jw,
                                       struct ves_error *error,
                                       const struct ves_state_fault *fault)
{
    enum ves_status status = ves_conflict_problem(
        jw, error, VES_INVALID, "PAYLOAD_INVALID",
        "%.*s: expected %s; nothing was changed; give a value that may stand "
        "there",
        (int)(fault->path.len < 200 ? fault->path.len : 200),
        (const char *)fault->path.ptr, fault->expected);

    ves_jw_member(jw, "path", fault->path);
    ves_conflict_problem_end(jw);
    return status;
}

/* ---- finding ------------------------------------------------------------- */

struct search {
    struct ves_agent *agent;
    struct ves_hash entity_key; /* of the event */
    uint8_t digits[HEX_MAX];    /* lower case */
    size_t digit_count;
    struct ves_hash found[FOUND_MAX];
    bool names_branch[FOUND_MAX];
    size_t count; /* may be more than FOUND_MAX */
};

static void add_found(struct search *search, const struct ves_hash *id,
                      bool names_branch)
{
    if (search->count < FOUND_MAX) {
        search->found[search->count] = *id;
        search->names_branch[search->count] = names_branch;
    }
    search->count++;
}

static enum ves_status match_prefix(void *ctx,
                                    const struct ves_conflict_row *row)
{
    struct search *search = ctx;
    char text[HEX_MAX];

    ves_hex_encode(row->id.b, VES_HASH_SIZE, text);
    if (memcmp(text, search->digits, search->digit_count) == 0)
        add_found(search, &row->id, true);
    return VES_OK;
}

static enum ves_status take_membership(void *ctx,
                                       const struct ves_conflict_member *member)
{
    add_found(ctx, &member->conflict_id, member->side == VES_SIDE_BRANCH);
    return VES_OK;
}

/* A conflict's id or the beginning of one; false when text is neither. */
static bool read_digits(struct search *search, const char *text)
{
    size_t len = strlen(text);

    if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
        len -= 2;
    }
    if (len < HEX_MIN || len > HEX_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        search->digits[i] = (uint8_t)c;
    }
    search->digit_count = len;
    return true;
}

static enum ves_status by_prefix(struct search *search)
{
    const struct ves_conflict_filter all = {.open_only = false};

    return search->agent->store->ops->conflict_list(
        search->agent->store, search->agent->core.stream_no, &all, match_prefix,
        search);
}

/* A resolution stands for the conflict it names. */
static enum ves_status take_named(void *ctx, const struct ves_log_row *row)
{
    struct search *search = ctx;

    search->entity_key = row->entity_key;
    if (row->has_conflict_id && search->count == 0)
        add_found(search, &row->conflict_id, true);
    return VES_OK;
}

static enum ves_status take_of_entity(void *ctx,
                                      const struct ves_conflict_row *row)
{
    struct search *search = ctx;

    if (ves_hash_equal(&row->entity_key, &search->entity_key))
        add_found(search, &row->id, false);
    return VES_OK;
}

static enum ves_status is_later(struct ves_agent *agent,
                                const struct ves_hash *id,
                                const struct ves_uuid *event_id, bool *out)
{
    struct ves_core_conflict conflict;
    struct ves_arena arena;

    *out = false;
    ves_arena_init(&arena, agent->alloc, LATER_ARENA_MAX);
    enum ves_status status =
        ves_core_conflict(&agent->core, &arena, id, &conflict);
    for (size_t i = 0; !status && i < conflict.later.count; i++)
        *out |= ves_uuid_equal(&conflict.later.list[i].event_id, event_id);
    ves_arena_free(&arena);
    return status;
}

/* What was applied on the same place after a conflict opened is no member of
 * it, and yet the other side as a person sees it: lists name it. */
static enum ves_status by_later(struct search *search,
                                const struct ves_uuid *event_id)
{
    const struct ves_conflict_filter filter = {.open_only = true};
    struct search of_entity = {.entity_key = search->entity_key};
    struct ves_agent *agent = search->agent;

    enum ves_status status =
        agent->store->ops->conflict_list(agent->store, agent->core.stream_no,
                                         &filter, take_of_entity, &of_entity);
    for (size_t i = 0; i < of_entity.count && i < FOUND_MAX && !status; i++) {
        bool is_named;
        status = is_later(agent, &of_entity.found[i], event_id, &is_named);
        if (is_named)
            add_found(search, &of_entity.found[i], false);
    }
    return status;
}

static enum ves_status by_event(struct search *search,
                                const struct ves_uuid *event_id,
                                bool *is_in_log)
{
    struct ves_agent *agent = search->agent;
    const struct ves_store_ops *ops = agent->store->ops;
    uint32_t no = agent->core.stream_no;
    struct ves_id_row row;

    enum ves_status status =
        ops->log_find_ids(agent->store, no, event_id, 1, &row);
    *is_in_log = !status && row.sequence_number > 0;
    if (!*is_in_log)
        return status;
    status = ops->member_find(agent->store, no, row.sequence_number,
                              take_membership, search);
    if (!status && search->count == 0)
        status = ops->log_read(agent->store, no, row.sequence_number, 1,
                               take_named, search);
    if (!status && search->count == 0)
        status = by_later(search, event_id);
    return status;
}

/* Of several the open one; of several resolved ones the last. */
static enum ves_status choose(struct search *search, size_t *open_count,
                              size_t *place)
{
    struct ves_agent *agent = search->agent;
    size_t count = search->count < FOUND_MAX ? search->count : FOUND_MAX;
    struct ves_conflict_row *rows =
        ves_arena_alloc(&agent->arena, count * sizeof(*rows));
    uint64_t newest = 0;
    bool has_open = false;

    *open_count = 0;
    *place = 0;
    if (!rows)
        return VES_NOMEM;
    enum ves_status status = agent->store->ops->conflict_get(
        agent->store, agent->core.stream_no, search->found, count,
        &agent->arena, rows);
    for (size_t i = 0; i < count && !status; i++) {
        bool is_open = rows[i].is_found && rows[i].closed == 0;
        *open_count += is_open;
        if (is_open || (!has_open && rows[i].opened >= newest)) {
            *place = i;
            newest = rows[i].opened;
            has_open = is_open;
        }
    }
    return status;
}

static enum ves_status several(struct search *search, const char *id,
                               struct ves_jw *jw, struct ves_error *error)
{
    enum ves_status status = ves_conflict_problem(
        jw, error, VES_INVALID, "SEVERAL_CONFLICTS",
        "%.80s stands for %zu conflicts; nothing was changed; say which one "
        "with its conflict id (`ves conflicts` lists them)",
        id, search->count);
    ves_jw_key(jw, "conflictIds");
    ves_jw_array(jw);
    for (size_t i = 0; i < search->count && i < FOUND_MAX; i++)
        ves_jw_hex(jw, "0x", search->found[i].b, VES_HASH_SIZE);
    ves_jw_end(jw);
    ves_conflict_problem_end(jw);
    return status;
}

/* An own event that conflicts without a record of it here: the answer to the
 * push said so, the pull that tells with what is still to come; or there is
 * none, because the sequencer refused the event. */
static enum ves_status without_record(const struct ves_outbox_row *row,
                                      const char *id, struct ves_jw *jw,
                                      struct ves_error *error)
{
    enum ves_status status;

    if (row->sequence_number > 0)
        status = ves_conflict_problem(
            jw, error, VES_AGAIN, "SYNC_FIRST",
            "event %s is in conflict, with what is not in this store yet; "
            "nothing was changed; run `ves sync`, look again, then decide",
            id);
    else
        status = ves_conflict_problem(
            jw, error, VES_NOT_FOUND, "NOT_IN_CONFLICT",
            "event %s was refused (%.*s) and so is in no conflict that could "
            "be decided; nothing was changed; `ves show` has it whole: append "
            "the change again, on the current state",
            id, (int)(row->error.len < 160 ? row->error.len : 160),
            (const char *)row->error.ptr);
    ves_jw_member_str(jw, "status", ves_outbox_status_name(row->status));
    ves_conflict_problem_end(jw);
    return status;
}

/* The event is known, or not, but in no conflict. */
static enum ves_status not_in_conflict(struct ves_agent *agent, const char *id,
                                       const struct ves_uuid *event_id,
                                       bool is_in_log, struct ves_jw *jw,
                                       struct ves_error *error)
{
    struct ves_found found;
    const char *state = "in the log";

    enum ves_status status = ves_agent_find(agent, event_id, &found, NULL);
    if (status == VES_NOT_FOUND) {
        status = ves_conflict_problem(
            jw, error, VES_NOT_FOUND, "EVENT_NOT_FOUND",
            "event %s is not in this store; nothing was changed; `ves pull` "
            "fetches what others wrote",
            id);
        ves_conflict_problem_end(jw);
        return status;
    }
    if (status)
        return ves_agent_fail(agent, status, error, "looking for an event");
    if (found.is_in_outbox && found.outbox.status == VES_OUTBOX_CONFLICT)
        return without_record(&found.outbox, id, jw, error);
    if (found.is_in_outbox)
        state = ves_outbox_status_name(found.outbox.status);
    else if (!is_in_log)
        state = "in quarantine";
    status = ves_conflict_problem(
        jw, error, VES_NOT_FOUND, "NOT_IN_CONFLICT",
        "event %s is %s, not in conflict; nothing was changed; `ves "
        "conflicts` lists what is",
        id, state);
    ves_jw_member_str(jw, "status", state);
    ves_conflict_problem_end(jw);
    return status;
}

static enum ves_status not_found(const char *id, bool is_uuid,
                                 struct ves_jw *jw, struct ves_error *error)
{
    enum ves_status status = ves_conflict_problem(
        jw, error, VES_NOT_FOUND,
        is_uuid ? "EVENT_NOT_FOUND" : "CONFLICT_NOT_FOUND",
        "there is no conflict %.80s in this store; nothing was changed; `ves "
        "conflicts` lists them, `ves pull` fetches what others wrote",
        id);
    ves_conflict_problem_end(jw);
    return status;
}

static enum ves_status bad_id(const char *id, const char *name,
                              struct ves_jw *jw, struct ves_error *error)
{
    enum ves_status status = ves_conflict_problem(
        jw, error, VES_INVALID, "INVALID_ARGUMENT",
        "\"%.80s\" is neither an event's id (a UUID) nor a conflict's (64 hex "
        "digits, or the first 8 or more of them); nothing was changed",
        id);
    ves_jw_member_str(jw, "argument", name);
    ves_conflict_problem_end(jw);
    return status;
}

/* Narrows what was found to the conflict the caller named beside it. */
static enum ves_status narrow(struct search *search, const char *conflict_id,
                              bool *is_readable)
{
    struct search given = {.agent = search->agent};
    struct search both = {.agent = search->agent};

    *is_readable = read_digits(&given, conflict_id);
    enum ves_status status = *is_readable ? by_prefix(&given) : VES_OK;
    for (size_t i = 0; i < search->count && i < FOUND_MAX; i++) {
        for (size_t k = 0; k < given.count && k < FOUND_MAX; k++) {
            if (ves_hash_equal(&search->found[i], &given.found[k]))
                add_found(&both, &search->found[i], search->names_branch[i]);
        }
    }
    *search = both;
    return status;
}

enum ves_status ves_conflict_named(struct ves_agent *agent, const char *id,
                                   const char *conflict_id,
                                   struct ves_named *out, struct ves_jw *jw,
                                   struct ves_error *error)
{
    struct search search = {.agent = agent};
    bool is_in_log = false, is_readable = true;
    size_t open_count, place;

    memset(out, 0, sizeof(*out));
    id = id ? id : "";
    out->has_event = !ves_uuid_parse(ves_bytes_str(id), &out->event_id);
    if (!out->has_event && !read_digits(&search, id))
        return bad_id(id, "id", jw, error);
    enum ves_status status = out->has_event
                                 ? by_event(&search, &out->event_id, &is_in_log)
                                 : by_prefix(&search);
    if (!status && search.count == 0 && out->has_event)
        return not_in_conflict(agent, id, &out->event_id, is_in_log, jw, error);
    if (!status && conflict_id)
        status = narrow(&search, conflict_id, &is_readable);
    if (status)
        return ves_agent_fail(agent, status, error, "looking for a conflict");
    if (!is_readable)
        return bad_id(conflict_id, "conflictId", jw, error);
    if (search.count == 0)
        return not_found(conflict_id ? conflict_id : id, false, jw, error);
    status = choose(&search, &open_count, &place);
    if (status)
        return ves_agent_fail(agent, status, error, "looking for a conflict");
    if (open_count > 1 || (!out->has_event && search.count > 1))
        return several(&search, id, jw, error);
    out->conflict_id = search.found[place];
    out->names_branch = search.names_branch[place];
    return VES_OK;
}

/* ---- words --------------------------------------------------------------- */

enum ves_status ves_jw_node(struct ves_jw *jw, struct ves_arena *arena,
                            const char *name, const struct ves_json *node)
{
    struct ves_scratch scratch;

    if (!node)
        return VES_OK;
    ves_scratch_init(&scratch, arena, 64, 4 * (size_t)VES_PAYLOAD_MAX);
    enum ves_status status = ves_jcs_write(&scratch.buf, arena, node);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status)
        return status;
    ves_jw_key(jw, name);
    ves_jw_raw(jw, ves_buf_view(&scratch.buf));
    return VES_OK;
}

void ves_jw_member_hash(struct ves_jw *jw, const char *name,
                        const struct ves_hash *hash)
{
    ves_jw_member_hex(jw, name, hash->b, VES_HASH_SIZE);
}

/* ---- what is on its way -------------------------------------------------- */

/* Conflicts an own event without a number decides. */
struct on_the_way {
    struct ves_agent *agent;
    struct ves_hash *list;
    size_t count, room;
};

static enum ves_status add_decided(struct on_the_way *ours,
                                   const struct ves_hash *id)
{
    if (ours->count == ours->room) {
        size_t room = ours->room ? 2 * ours->room : 64;
        struct ves_hash *list =
            ves_arena_alloc(&ours->agent->arena, room * sizeof(*list));
        if (!list)
            return VES_NOMEM;
        if (ours->count > 0)
            memcpy(list, ours->list, ours->count * sizeof(*list));
        ours->list = list;
        ours->room = room;
    }
    ours->list[ours->count++] = *id;
    return VES_OK;
}

static enum ves_status take_decision(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct on_the_way *ours = ctx;
    struct ves_decision_read read;
    struct ves_event event;

    if (!row->is_in_overlay ||
        !ves_bytes_is(row->event_type, VES_TYPE_RESOLVED))
        return VES_OK;
    enum ves_status status = ves_agent_read_envelope(ours->agent, row->envelope,
                                                     false, &event, NULL);
    if (status || !event.payload)
        return status;
    ves_decision_read(event.payload, &read);
    if (read.has_supersedes || !read.has_conflict_id)
        return VES_OK;
    return add_decided(ours, &read.conflict_id);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ves_hash));
}

/* Each once; somebody may have tried to decide the same twice. */
static void drop_repeated(struct on_the_way *ours)
{
    size_t kept = 0;

    if (ours->count > 0)
        qsort(ours->list, ours->count, sizeof(*ours->list), compare_ids);
    for (size_t i = 0; i < ours->count; i++) {
        if (kept == 0 || !ves_hash_equal(&ours->list[kept - 1], &ours->list[i]))
            ours->list[kept++] = ours->list[i];
    }
    ours->count = kept;
}

enum ves_status ves_conflict_remaining(struct ves_agent *agent, uint64_t *out)
{
    const struct ves_outbox_filter filter = {
        .status_mask = 1U << VES_OUTBOX_PENDING | 1U << VES_OUTBOX_SYNCING |
                       1U << VES_OUTBOX_FAILED};
    const struct ves_store_ops *ops = agent->store->ops;
    struct on_the_way ours = {.agent = agent};
    struct ves_refused_page refused = {.is_shown = false};
    uint64_t counts[VES_CONFLICT_KINDS];
    struct ves_conflict_row *rows;

    enum ves_status status =
        ops->conflict_counts(agent->store, agent->core.stream_no, counts);
    if (!status)
        status = ves_conflict_put_refused(agent, &refused, NULL);
    *out = refused.all;
    for (size_t i = 0; i < VES_CONFLICT_KINDS && !status; i++)
        *out += counts[i];
    if (status || *out == refused.all)
        return status;
    status = ops->outbox_list(agent->store, &filter, take_decision, &ours);
    drop_repeated(&ours);
    if (status || ours.count == 0)
        return status;
    rows = ves_arena_alloc(&agent->arena, ours.count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    status = ops->conflict_get(agent->store, agent->core.stream_no, ours.list,
                               ours.count, &agent->arena, rows);
    for (size_t i = 0; i < ours.count && !status; i++)
        *out -= rows[i].is_found && rows[i].closed == 0;
    return status;
}
