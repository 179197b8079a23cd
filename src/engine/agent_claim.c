/* agent_claim.c -- which rows of the outbox go into the next request.
 *
 * Rows are gathered in order until the request is full, then taken or left
 * unit by unit (a single event or an atomic group).  What must wait makes the
 * later events of its entities wait too; the gathering then starts again
 * without them, so that a held entity never blocks the others.
 */
#include "engine/agent_claim.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"

enum {
    /* An unsigned version_conflict is somebody's mere word until he says it
     * again; then it is a person's to decide. */
    CONFLICT_WORDS = 2,
    OVERHEAD = 256, /* of the request around its events */
    HELD_MIN = 64
};

/* ---- entities and groups that must wait ---------------------------------- */

struct held_key {
    struct ves_hash key;
    uint64_t from; /* first local_seq that waits, 0: free place */
};

struct held {
    struct held_key *places; /* open addressing */
    size_t count, size;
};

static struct held_key *find_place(const struct held *held,
                                   const struct ves_hash *key)
{
    size_t at;
    memcpy(&at, key->b, sizeof(at));
    for (at &= held->size - 1; held->places[at].from != 0;
         at = (at + 1) & (held->size - 1)) {
        if (ves_hash_equal(&held->places[at].key, key))
            break;
    }
    return &held->places[at];
}

static enum ves_status grow(struct held *held, struct ves_arena *arena)
{
    struct held old = *held;

    held->size = old.size ? 2 * old.size : HELD_MIN;
    held->places = ves_arena_alloc(arena, held->size * sizeof(*held->places));
    if (!held->places)
        return VES_NOMEM;
    for (size_t i = 0; i < old.size; i++) {
        if (old.places[i].from != 0)
            *find_place(held, &old.places[i].key) = old.places[i];
    }
    return VES_OK;
}

static bool is_held(const struct held *held, const struct ves_hash *key,
                    uint64_t local_seq)
{
    if (held->count == 0)
        return false;
    const struct held_key *place = find_place(held, key);
    return place->from != 0 && local_seq >= place->from;
}

static enum ves_status hold(struct held *held, struct ves_arena *arena,
                            const struct ves_hash *key, uint64_t from)
{
    if (2 * (held->count + 1) > held->size) {
        enum ves_status status = grow(held, arena);
        if (status)
            return status;
    }
    struct held_key *place = find_place(held, key);
    if (place->from == 0) {
        place->key = *key;
        place->from = from;
        held->count++;
    } else if (from < place->from) {
        place->from = from;
    }
    return VES_OK;
}

/* Stands for an atomic group in the set; no entity has such a key. */
static struct ves_hash group_key(const struct ves_outbox_row *row)
{
    struct ves_hash key = {{0}};
    memcpy(key.b, row->command_id.b, VES_UUID_SIZE);
    return key;
}

/* ---- candidates ---------------------------------------------------------- */

struct candidate {
    struct ves_outbox_row row;
    struct candidate *next;
};

struct gather {
    struct ves_agent_core *core;
    const struct ves_device_claim *claim;
    struct ves_arena *arena;
    struct held held;
    struct candidate *first, *last;
    size_t count, bytes;
    bool is_full;    /* no byte or event more fits */
    bool is_stopped; /* more rows follow */
    bool has_held;   /* something gathered must wait */
};

/* In the log, or for certain never to be: nothing waits for it. */
static bool is_settled(const struct ves_outbox_row *row)
{
    return row->is_refused || row->sequence_number > 0 ||
           ves_device_is_decided(row);
}

/* A conflict without number and signature is somebody's mere word. */
static bool has_failed(const struct ves_outbox_row *row)
{
    return row->status == VES_OUTBOX_FAILED ||
           (row->status == VES_OUTBOX_CONFLICT && row->sequence_number == 0);
}

static bool is_wanted(const struct ves_device_claim *claim,
                      const struct ves_outbox_row *row)
{
    if (ves_device_is_decided(row) ||
        (row->status == VES_OUTBOX_CONFLICT && row->attempts >= CONFLICT_WORDS))
        return false;
    if (has_failed(row))
        return claim->is_explicit && !row->is_refused &&
               row->claim < claim->session;
    if (row->status != VES_OUTBOX_PENDING)
        return false;
    return claim->is_explicit ||
           ves_device_is_due(ves_device_time(row->next_attempt_ms),
                             claim->wait_max_ms, claim->now_ms);
}

static bool is_same_group(const struct ves_outbox_row *a,
                          const struct ves_outbox_row *b)
{
    return a->cmd_count > 0 && b->cmd_count > 0 &&
           ves_uuid_equal(&a->command_id, &b->command_id);
}

/* A row that made a whole request fail is tried alone, so that it cannot take
 * others down with it. */
static bool is_suspect(const struct ves_outbox_row *row)
{
    return row->attempts > 0 && row->error_class == VES_ERROR_PROTOCOL;
}

/* May row join what is gathered so far? */
static bool has_room(struct gather *gather, const struct ves_outbox_row *row)
{
    if (gather->count == 0)
        return true;
    if (gather->bytes + row->envelope.len + 1 > VES_BODY_MAX ||
        gather->count == VES_EVENTS_PER_REQUEST_MAX) {
        gather->is_full = true;
        return false;
    }
    if (is_same_group(&gather->last->row, row))
        return true;
    return gather->count < gather->claim->limit &&
           !is_suspect(&gather->last->row) && !is_suspect(row);
}

static bool waits_already(const struct gather *gather,
                          const struct ves_outbox_row *row)
{
    struct ves_hash group = group_key(row);

    /* Members of a group wait together or not at all. */
    return row->cmd_count > 0
               ? is_held(&gather->held, &group, row->local_seq)
               : is_held(&gather->held, &row->entity_key, row->local_seq);
}

/* The rest of its group waits with it: sent in part, it would be refused. */
static enum ves_status hold_row(struct gather *gather,
                                const struct ves_outbox_row *row)
{
    enum ves_status status = VES_OK;

    if (row->cmd_count > 0) {
        struct ves_hash group = group_key(row);
        status = hold(&gather->held, gather->arena, &group, row->local_seq);
    }
    return status ? status
                  : hold(&gather->held, gather->arena, &row->entity_key,
                         row->local_seq);
}

static enum ves_status visit(void *ctx, const struct ves_outbox_row *row)
{
    struct gather *gather = ctx;

    if (!is_wanted(gather->claim, row))
        return is_settled(row) ? VES_OK : hold_row(gather, row);
    if (waits_already(gather, row))
        return VES_OK;
    if (!has_room(gather, row)) {
        gather->is_stopped = true;
        return VES_AGAIN;
    }
    struct candidate *candidate =
        ves_arena_alloc(gather->arena, sizeof(*candidate));
    if (!candidate)
        return VES_NOMEM;
    enum ves_status status =
        ves_device_row_copy(gather->arena, row, true, &candidate->row);
    if (status)
        return status;
    if (gather->last)
        gather->last->next = candidate;
    else
        gather->first = candidate;
    gather->last = candidate;
    gather->count++;
    gather->bytes += row->envelope.len + 1;
    return VES_OK;
}

static enum ves_status gather_rows(struct gather *gather)
{
    struct ves_store *store = gather->core->store;
    /* What failed is looked at also where it is not tried now: what follows it
     * waits.  Once a request, as it may be as much as there is to send. */
    const struct ves_outbox_filter filter = {
        .status_mask = 1U << VES_OUTBOX_PENDING | 1U << VES_OUTBOX_FAILED |
                       1U << VES_OUTBOX_CONFLICT};

    gather->first = NULL;
    gather->last = NULL;
    gather->count = 0;
    gather->bytes = OVERHEAD;
    gather->is_full = false;
    gather->is_stopped = false;
    gather->has_held = false;
    enum ves_status status =
        store->ops->outbox_list(store, &filter, visit, gather);
    return status == VES_AGAIN && gather->is_stopped ? VES_OK : status;
}

/* ---- units: single events and atomic groups ------------------------------ */

/* Candidates from first up to, not including, end. */
struct unit {
    struct candidate *first, *end;
    const struct ves_outbox_row *last;
};

static struct unit unit_at(struct candidate *first)
{
    struct unit unit = {.first = first, .last = &first->row};

    unit.end = first->next;
    while (unit.end && is_same_group(unit.last, &unit.end->row)) {
        unit.last = &unit.end->row;
        unit.end = unit.end->next;
    }
    return unit;
}

static enum ves_status hold_unit(struct gather *gather, const struct unit *unit)
{
    uint64_t from = unit->first->row.local_seq;
    enum ves_status status = VES_OK;

    gather->has_held = true;
    if (unit->last->cmd_count > 0) {
        struct ves_hash group = group_key(unit->last);
        status = hold(&gather->held, gather->arena, &group, from);
    }
    for (struct candidate *c = unit->first; c != unit->end && !status;
         c = c->next)
        status = hold(&gather->held, gather->arena, &c->row.entity_key, from);
    return status;
}

static bool must_wait(const struct gather *gather, const struct unit *unit)
{
    for (const struct candidate *c = unit->first; c != unit->end; c = c->next) {
        if (is_held(&gather->held, &c->row.entity_key, c->row.local_seq))
            return true;
    }
    return false;
}

static enum ves_status see_row(void *ctx, const struct ves_outbox_row *row)
{
    struct ves_outbox_row *seen = ctx;
    *seen = *row;
    return VES_OK;
}

/* Is the group's end still to come?  A group that something else follows in
 * the outbox will never be complete: it is sent, and refused with a signature
 * that sets its entities free.  Where the next member is settled, the group was
 * sent, and stood or fell as one: these members ask for what was said of them,
 * and are not to wait for one that rests. */
static enum ves_status is_unfinished(struct gather *gather,
                                     const struct unit *unit, bool *out)
{
    struct ves_store *store = gather->core->store;
    const struct ves_outbox_row *last = unit->last;
    const struct ves_outbox_filter filter = {.after_local_seq = last->local_seq,
                                             .limit = 1};
    struct ves_outbox_row next = {.local_seq = 0};

    *out = false;
    if (last->cmd_count == 0 || last->cmd_index + 1 == last->cmd_count)
        return VES_OK;
    enum ves_status status =
        store->ops->outbox_list(store, &filter, see_row, &next);
    *out = next.local_seq == 0 ||
           (is_same_group(last, &next) && !is_settled(&next));
    return status;
}

/* No request can carry the group: it stays, visibly failed. */
static enum ves_status give_up(struct gather *gather, const struct unit *unit)
{
    struct ves_store *store = gather->core->store;
    enum ves_status status = VES_OK;

    for (struct candidate *c = unit->first; c != unit->end && !status;
         c = c->next) {
        c->row.status = VES_OUTBOX_FAILED;
        c->row.claim = gather->claim->token;
        c->row.error_class = VES_ERROR_PROTOCOL;
        c->row.error = ves_bytes_str("the atomic group does not fit into one "
                                     "request");
        status = store->ops->outbox_update(store, &c->row, 1);
    }
    return status;
}

/* ---- the claim ----------------------------------------------------------- */

static void take(const struct gather *gather, const struct unit *unit,
                 struct ves_outbox_row *rows, size_t *count)
{
    for (struct candidate *c = unit->first; c != unit->end; c = c->next) {
        c->row.status = VES_OUTBOX_SYNCING;
        c->row.claim = gather->claim->token;
        rows[(*count)++] = c->row;
    }
}

static enum ves_status choose(struct gather *gather,
                              struct ves_outbox_row *rows, size_t *count,
                              bool *again)
{
    struct unit unit;

    for (struct candidate *c = gather->first; c; c = unit.end) {
        bool is_open = false;
        unit = unit_at(c);
        bool waits = must_wait(gather, &unit);
        enum ves_status status = is_unfinished(gather, &unit, &is_open);
        if (status)
            return status;
        /* The request ended in the middle of this group. */
        if (is_open && gather->is_full && !unit.end && !waits) {
            if (c != gather->first)
                break;
            *again = true;
            return give_up(gather, &unit);
        }
        if (waits || is_open) {
            status = hold_unit(gather, &unit);
            if (status)
                return status;
        } else {
            take(gather, &unit, rows, count);
        }
    }
    *again =
        gather->has_held && gather->is_stopped && *count < gather->claim->limit;
    return VES_OK;
}

enum ves_status ves_device_claim(struct ves_agent_core *core,
                                 struct ves_arena *arena,
                                 const struct ves_device_claim *claim,
                                 struct ves_outbox_row **rows, size_t *count)
{
    struct gather gather = {.core = core, .claim = claim, .arena = arena};
    bool again;
    VES_ASSERT(claim->limit >= 1);

    do {
        again = false;
        *count = 0;
        enum ves_status status = gather_rows(&gather);
        if (status)
            return status;
        *rows = ves_arena_alloc(arena, gather.count * sizeof(**rows));
        if (!*rows)
            return VES_NOMEM;
        status = choose(&gather, *rows, count, &again);
        if (status)
            return status;
    } while (again);
    if (*count == 0)
        return VES_OK;
    return core->store->ops->outbox_update(core->store, *rows, *count);
}
