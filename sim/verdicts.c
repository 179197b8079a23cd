/* verdicts.c -- what must hold of verdicts, conflicts and what they fold to. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/fold.h"
#include "sim/world.h"
#include "json/json.h"

enum { ARENA_MAX = 256 << 20, TEXT_MAX = 16 << 20 };

/* ---- everybody says the same --------------------------------------------- */

/* All verdicts and conflicts of a store, as text. */
struct spelling {
    struct sim_world *world;
    struct ves_store *disk;
    uint32_t stream_no;
    struct ves_buf text;
};

static enum ves_status put_row(void *ctx, const struct ves_log_row *row)
{
    struct ves_buf *out = ctx;

    ves_buf_putf(out, "%llu %u %.*s %llu %llu %d %d %d ",
                 (unsigned long long)row->sequence_number, row->verdict,
                 (int)row->sub_code.len, (const char *)row->sub_code.ptr,
                 (unsigned long long)row->applied_at,
                 (unsigned long long)row->version, row->is_fact,
                 row->has_waited, row->has_conflict_id);
    ves_buf_put_hex(out, row->conflict_id.b, VES_HASH_SIZE);
    ves_buf_put_hex(out, row->waits_for.b, VES_HASH_SIZE);
    ves_buf_put_str(out, "\n");
    return VES_OK;
}

static enum ves_status put_member(void *ctx,
                                  const struct ves_conflict_member *member)
{
    ves_buf_putf(ctx, " %u/%llu:%llu", member->side,
                 (unsigned long long)member->place,
                 (unsigned long long)member->sequence_number);
    return VES_OK;
}

static enum ves_status put_conflict(void *ctx,
                                    const struct ves_conflict_row *row)
{
    struct spelling *spelling = ctx;
    struct ves_buf *out = &spelling->text;

    ves_buf_put_hex(out, row->id.b, VES_HASH_SIZE);
    ves_buf_putf(out, " %llu %u %u %llu %d %d %llu %u",
                 (unsigned long long)row->opened, row->kind, row->kinds,
                 (unsigned long long)row->branch_count, row->has_branch_fact,
                 row->has_applied_fact, (unsigned long long)row->closed,
                 row->winner);
    enum ves_status status = spelling->disk->ops->member_list(
        spelling->disk, spelling->stream_no, &row->id, put_member, out);
    ves_buf_put_str(out, "\n");
    return status;
}

static void spell(struct sim_world *world, struct ves_store *disk,
                  struct spelling *out)
{
    const struct ves_conflict_filter all = {.after = 0};
    struct ves_stream_row row;

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    *out = (struct spelling){world, disk, row.stream_no, {0}};
    ves_buf_init(&out->text, ves_alloc_default(), TEXT_MAX);
    VES_ASSERT(disk->ops->log_read(disk, row.stream_no, 1, 0, put_row,
                                   &out->text) == VES_OK);
    VES_ASSERT(disk->ops->conflict_list(disk, row.stream_no, &all, put_conflict,
                                        out) == VES_OK);
    VES_ASSERT(ves_buf_status(&out->text) == VES_OK);
}

static void expect_same(struct sim_world *world, const struct spelling *want,
                        struct ves_store *disk, const char *what, size_t store)
{
    struct spelling got;

    spell(world, disk, &got);
    if (!ves_bytes_equal(ves_buf_view(&want->text), ves_buf_view(&got.text)))
        sim_fail(world,
                 "%s %zu has other verdicts or conflicts than the "
                 "sequencer\n%.*s\n-- and not\n%.*s",
                 what, store, (int)want->text.len, (const char *)want->text.ptr,
                 (int)got.text.len, (const char *)got.text.ptr);
    ves_buf_free(&got.text);
}

/* ---- one conflict -------------------------------------------------------- */

struct state_of {
    struct sim_world *world;
    uint32_t stream_no;
    uint64_t open;
    struct ves_log_row row;
};

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct state_of *state = ctx;
    state->row = *row;
    return VES_OK;
}

bool sim_is_in_open_conflict(struct sim_world *world, uint64_t sequence)
{
    struct state_of state = {.world = world};
    struct ves_store *disk = world->hub.disk;
    struct ves_conflict_row conflict;
    struct ves_stream_row stream;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
               VES_OK);
    VES_ASSERT(disk->ops->log_read(disk, stream.stream_no, sequence, 1,
                                   take_row, &state) == VES_OK);
    bool is_open = state.row.verdict == VES_VERDICT_CONFLICT;
    if (is_open) {
        VES_ASSERT(disk->ops->conflict_get(disk, stream.stream_no,
                                           &state.row.conflict_id, 1, &arena,
                                           &conflict) == VES_OK);
        is_open = conflict.is_found && conflict.closed == 0;
    }
    ves_arena_free(&arena);
    return is_open;
}

/* I4: what closed it is applied and names it. */
static enum ves_status check_conflict(void *ctx,
                                      const struct ves_conflict_row *row)
{
    struct state_of *state = ctx;
    struct ves_store *disk = state->world->hub.disk;

    state->open += row->closed == 0;
    VES_ASSERT(disk->ops->log_read(disk, state->stream_no, row->opened, 1,
                                   take_row, state) == VES_OK);
    if (state->row.verdict != VES_VERDICT_CONFLICT ||
        !ves_hash_equal(&state->row.conflict_id, &row->id))
        sim_fail(state->world, "number %llu did not open its conflict",
                 (unsigned long long)row->opened);
    if (row->closed == 0)
        return VES_OK;
    VES_ASSERT(disk->ops->log_read(disk, state->stream_no, row->closed, 1,
                                   take_row, state) == VES_OK);
    if (state->row.verdict != VES_VERDICT_APPLIED ||
        !ves_hash_equal(&state->row.conflict_id, &row->id) ||
        !ves_hash_equal(&state->row.event_hash, &row->closed_by))
        sim_fail(state->world, "number %llu closed a conflict and did not",
                 (unsigned long long)row->closed);
    return VES_OK;
}

/* ---- what verdicts mean --------------------------------------------------
 *
 * The sequencer and the stores run one judge, so that they agree says little of
 * whether it is right.  test/prop asks the model; these are the rules that need
 * none.
 */

struct judged {
    struct ves_log_row row;
    struct ves_event event;
    bool has_context, is_resolution, is_alone;
};

struct judgements {
    struct sim_world *world;
    struct ves_arena arena;
    struct judged *list;
    size_t count;
};

static enum ves_status take_judged(void *ctx, const struct ves_log_row *row)
{
    struct judgements *all = ctx;
    struct judged *judged = &all->list[all->count++];
    const struct ves_bytes parts[] = {row->envelope, ves_bytes_str("}")};
    struct ves_refusal refusal;

    VES_ASSERT(all->count <= SIM_EVENTS_MAX);
    judged->row = *row;
    char *text = ves_arena_alloc(&all->arena, parts[0].len + parts[1].len);
    VES_ASSERT(text != NULL);
    memcpy(text, parts[0].ptr, parts[0].len);
    memcpy(text + parts[0].len, parts[1].ptr, parts[1].len);
    VES_ASSERT(ves_event_read(&all->arena,
                              ves_bytes(text, parts[0].len + parts[1].len),
                              &judged->event, &refusal) == VES_OK &&
               ves_event_check(&all->arena, &judged->event, &refusal) ==
                   VES_OK);
    const struct ves_context *context = &judged->event.context;
    judged->has_context = context->is_present;
    judged->is_alone = !context->has_cmd && context->dep_count == 0;
    judged->is_resolution =
        ves_bytes_is(judged->event.event_type, "ves.conflict.resolved");
    return VES_OK;
}

static bool is_intent(const struct judged *j)
{
    return j->has_context && !j->row.is_fact && !j->is_resolution;
}

static bool is_same_entity(const struct judged *a, const struct judged *b)
{
    return ves_hash_equal(&a->row.entity_key, &b->row.entity_key);
}

static bool is_same_agent(const struct judged *a, const struct judged *b)
{
    return ves_uuid_equal(&a->row.agent, &b->row.agent);
}

static bool is_decided(const struct judgements *all,
                       const struct ves_hash *entity)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].is_resolution &&
            all->list[i].row.verdict == VES_VERDICT_APPLIED &&
            ves_hash_equal(&all->list[i].row.entity_key, entity))
            return true;
    return false;
}

/* Two that do not know of each other and set one member to different values:
 * not both are applied. */
static void check_pair(const struct judgements *all, const struct judged *a,
                       const struct judged *b)
{
    if (!a->event.payload || !b->event.payload)
        return;
    const struct ves_json *one = ves_json_member(a->event.payload, "patch");
    const struct ves_json *two = ves_json_member(b->event.payload, "patch");
    if (!one || !two || b->event.context.seen >= a->row.applied_at)
        return;
    for (const struct ves_json *m = one->first; m; m = m->next) {
        for (const struct ves_json *o = two->first; o; o = o->next) {
            if (ves_bytes_equal(m->key, o->key) &&
                !ves_bytes_equal(m->text, o->text))
                sim_fail(all->world,
                         "numbers %llu and %llu write the same and are applied",
                         (unsigned long long)a->row.sequence_number,
                         (unsigned long long)b->row.sequence_number);
        }
    }
}

/* Known to be deleted, nobody writes it any more. */
static void check_deleted(const struct judgements *all, const struct judged *a,
                          const struct judged *b)
{
    if (!ves_bytes_is(a->event.event_type, "customer.deleted") ||
        ves_bytes_is(b->event.event_type, "customer.deleted") ||
        is_decided(all, &a->row.entity_key))
        return;
    sim_fail(all->world, "number %llu is deleted by %llu and applied",
             (unsigned long long)b->row.sequence_number,
             (unsigned long long)a->row.sequence_number);
}

static void check_applied(const struct judgements *all, const struct judged *b)
{
    if (b->row.applied_at < b->row.sequence_number ||
        (b->row.has_waited && b->row.applied_at == b->row.sequence_number &&
         b->is_alone))
        sim_fail(all->world, "number %llu became applied at %llu",
                 (unsigned long long)b->row.sequence_number,
                 (unsigned long long)b->row.applied_at);
    for (size_t i = 0; i < all->count; i++) {
        const struct judged *a = &all->list[i];
        if (a->row.verdict != VES_VERDICT_APPLIED || !is_same_entity(a, b) ||
            a->row.version >= b->row.version || !is_intent(a) || !is_intent(b))
            continue;
        if (a->row.applied_at > b->row.applied_at)
            sim_fail(all->world, "versions do not follow what was applied");
        if (is_same_agent(a, b))
            continue;
        check_pair(all, a, b);
        check_deleted(all, a, b);
    }
}

/* Who goes on, not knowing that it is in conflict, is in that conflict. */
static void check_tail(const struct judgements *all, const struct judged *b)
{
    const struct judged *lost = NULL;

    for (const struct judged *a = all->list; a < b; a++)
        if (is_same_entity(a, b) && is_same_agent(a, b) &&
            a->row.sequence_number > b->event.context.seen &&
            a->row.verdict != VES_VERDICT_APPLIED)
            lost = a;
    if (!lost || !lost->is_alone || !b->is_alone ||
        !b->event.has_base_version ||
        lost->row.verdict != VES_VERDICT_CONFLICT ||
        b->row.verdict == VES_VERDICT_WAITING ||
        is_decided(all, &b->row.entity_key))
        return;
    if (b->row.verdict != VES_VERDICT_CONFLICT ||
        !ves_hash_equal(&b->row.conflict_id, &lost->row.conflict_id))
        sim_fail(all->world, "number %llu does not stand with number %llu",
                 (unsigned long long)b->row.sequence_number,
                 (unsigned long long)lost->row.sequence_number);
}

/* Nothing waits for what is there; for what was superseded, for ever. */
static void check_waiting(const struct judgements *all, const struct judged *b)
{
    const struct ves_hash *what = &b->row.waits_for;

    for (size_t i = 0; i < all->count; i++) {
        const struct ves_log_row *row = &all->list[i].row;
        struct ves_hash event = {{0}};
        memcpy(event.b, row->event_id.b, VES_UUID_SIZE);
        if ((row->verdict == VES_VERDICT_APPLIED ||
             row->verdict == VES_VERDICT_CONFLICT) &&
            ves_hash_equal(&event, what))
            sim_fail(all->world, "number %llu still waits for number %llu",
                     (unsigned long long)b->row.sequence_number,
                     (unsigned long long)row->sequence_number);
    }
}

/* The last decision that is applied is the one that counts. */
static enum ves_status check_decided(void *ctx,
                                     const struct ves_conflict_row *row)
{
    struct judgements *all = ctx;
    const struct judged *last = NULL;

    for (size_t i = 0; i < all->count; i++) {
        struct judged *j = &all->list[i];
        if (j->is_resolution && j->row.verdict == VES_VERDICT_APPLIED &&
            ves_hash_equal(&j->row.conflict_id, &row->id))
            last = j;
    }
    const struct ves_json *winner =
        last ? ves_json_member(last->event.payload, "winner") : NULL;
    bool is_closed = winner && !ves_bytes_is(winner->string, "undo");
    if (is_closed != (row->closed > 0))
        sim_fail(all->world, "the conflict of number %llu is %s",
                 (unsigned long long)row->opened,
                 is_closed ? "decided, and open" : "closed by nobody");
    return VES_OK;
}

/* ---- what is folded ------------------------------------------------------ */

static const struct judged *next_applied(const struct judgements *all,
                                         const struct ves_hash *key,
                                         uint64_t version)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].row.verdict == VES_VERDICT_APPLIED &&
            all->list[i].row.version == version &&
            ves_hash_equal(&all->list[i].row.entity_key, key))
            return &all->list[i];
    return NULL;
}

/* What is applied, version by version, is the state, and nothing else. */
static void check_fold(struct judgements *all, const struct sim_entity *entity)
{
    struct ves_agent_core *core = &all->world->devices[0].processes[0].core;
    struct ves_core_entity found;
    const struct judged *j = NULL;
    struct ves_buf state[2];
    size_t at = 0;

    if (is_decided(all, &entity->key) || entity->version == 0)
        return;
    ves_buf_init(&state[0], ves_alloc_default(), VES_STATE_MAX);
    ves_buf_init(&state[1], ves_alloc_default(), VES_STATE_MAX);
    for (uint64_t version = 1; version <= entity->version; version++) {
        j = next_applied(all, &entity->key, version);
        VES_ASSERT(j != NULL);
        /* What a deleted entity makes of more is the folding's matter. */
        if (ves_bytes_is(j->event.event_type, "customer.deleted"))
            break;
        ves_buf_reset(&state[1 - at]);
        VES_ASSERT(ves_fold(&all->arena, VES_RULES_BUILT_IN,
                            ves_buf_view(&state[at]), &j->event, &state[1 - at],
                            NULL) == VES_OK);
        at = 1 - at;
        j = NULL;
    }
    if (!j) {
        j = next_applied(all, &entity->key, 1);
        VES_ASSERT(ves_core_entity(core, j->event.entity_type,
                                   j->event.entity_id, &all->arena,
                                   &found) == VES_OK);
        if (!ves_bytes_equal(ves_buf_view(&state[at]), found.state))
            sim_fail(all->world, "%.*s is %.*s, and by what is applied %.*s",
                     (int)j->event.entity_id.len,
                     (const char *)j->event.entity_id.ptr, (int)found.state.len,
                     (const char *)found.state.ptr, (int)state[at].len,
                     (const char *)state[at].ptr);
    }
    ves_buf_free(&state[0]);
    ves_buf_free(&state[1]);
}

static void check_rules(struct sim_world *world)
{
    struct judgements all = {.world = world};
    const struct ves_conflict_filter every = {.after = 0};
    struct ves_store *disk = world->hub.disk;
    struct ves_stream_row stream;

    all.list = calloc(SIM_EVENTS_MAX + 1, sizeof(*all.list));
    VES_ASSERT(all.list != NULL);
    ves_arena_init(&all.arena, ves_alloc_default(), ARENA_MAX);
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
               VES_OK);
    VES_ASSERT(disk->ops->log_read(disk, stream.stream_no, 1, 0, take_judged,
                                   &all) == VES_OK);
    for (size_t i = 0; i < all.count; i++) {
        struct judged *j = &all.list[i];
        world->freed += j->row.has_waited;
        if (j->row.verdict == VES_VERDICT_WAITING)
            check_waiting(&all, j);
        if (!is_intent(j))
            continue;
        check_tail(&all, j);
        if (j->row.verdict == VES_VERDICT_APPLIED)
            check_applied(&all, j);
    }
    VES_ASSERT(disk->ops->conflict_list(disk, stream.stream_no, &every,
                                        check_decided, &all) == VES_OK);
    for (size_t i = 0; i < world->entity_count; i++)
        check_fold(&all, &world->entities[i]);
    ves_arena_free(&all.arena);
    free(all.list);
}

void sim_check_verdicts(struct sim_world *world)
{
    struct ves_store *disk = world->hub.disk;
    const struct ves_conflict_filter all = {.after = 0};
    struct state_of state = {.world = world};
    uint64_t counts[VES_CONFLICT_KINDS];
    struct spelling want;

    spell(world, disk, &want);
    state.stream_no = want.stream_no;
    VES_ASSERT(disk->ops->conflict_list(disk, want.stream_no, &all,
                                        check_conflict, &state) == VES_OK);
    for (size_t i = 0; i < world->options.stores; i++) {
        struct ves_store *mine = world->devices[i].disk;
        struct ves_stream_row row;
        expect_same(world, &want, mine, "store", i);
        VES_ASSERT(mine->ops->stream_get(mine, &world->stream, false, &row) ==
                   VES_OK);
        VES_ASSERT(mine->ops->conflict_counts(mine, row.stream_no, counts) ==
                   VES_OK);
        if (counts[0] != 0 || counts[1] + counts[2] + counts[3] != state.open)
            sim_fail(world, "store %zu does not count %llu open conflicts", i,
                     (unsigned long long)state.open);
    }
    /* I6: judged again from the first event on, all is the same. */
    sim_hub_rejudge(world);
    expect_same(world, &want, disk, "the sequencer, judging again,", 0);
    ves_buf_free(&want.text);
    check_rules(world);
}

/* After a store was folded again. */
void sim_check_refolded(struct sim_world *world, size_t device)
{
    struct spelling want;

    spell(world, world->hub.disk, &want);
    expect_same(world, &want, world->devices[device].disk,
                "folded again, store", device);
    ves_buf_free(&want.text);
}
