/* policies.c -- stores that decide their conflicts by policy, and what must
 * hold of what they decided.
 *
 * The product's own run (engine/automatic.h) is what decides; here are the
 * settings, which change now and then, and rules that need no judge: who
 * decided, by which setting, how often, and whether anything was left.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/event.h"
#include "core/resolution.h"
#include "engine/automatic.h"
#include "engine/conflict.h"
#include "sim/world.h"
#include "json/json.h"

enum { ARENA_MAX = 256 << 20, TAKEN_BACK_MAX = 4 };

static const char *const types[SIM_POLICY_TYPES] = {"customer", "order",
                                                    "inventory", "return"};

static const enum ves_strategy for_people = VES_STRATEGY_MANUAL;

static size_t type_place(struct ves_bytes entity_type)
{
    size_t place = 0;

    while (place < SIM_POLICY_TYPES && !ves_bytes_is(entity_type, types[place]))
        place++;
    return place;
}

/* ---- settings ------------------------------------------------------------ */

static void set_one(struct sim_world *world, size_t device)
{
    struct sim_policies *policies = &world->devices[device].policies;
    size_t place = sim_below(&world->policy_rng, SIM_POLICY_TYPES);
    uint64_t strategy = sim_below(&world->policy_rng, VES_STRATEGIES);

    policies->now[place] = (enum ves_strategy)strategy;
    policies->ever[place] |= 1U << strategy;
}

void sim_policies_start(struct sim_world *world, size_t device)
{
    struct sim_policies *policies = &world->devices[device].policies;

    for (size_t i = 0; i < SIM_POLICY_TYPES; i++)
        policies->now[i] = for_people;
    for (size_t i = 0; i < 2 * SIM_POLICY_TYPES; i++)
        if (world->options.policy)
            set_one(world, device);
}

static uint64_t sum_of(const struct sim_policies *policies)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SIM_POLICY_TYPES; i++)
        sum = sum * VES_STRATEGIES + (uint64_t)policies->now[i];
    return sum;
}

/* ---- a run --------------------------------------------------------------- */

struct turn {
    struct sim_world *world;
    size_t device;
};

static enum ves_strategy strategy_for(void *ctx, struct ves_bytes entity_type)
{
    const struct turn *turn = ctx;
    size_t place = type_place(entity_type);

    return place < SIM_POLICY_TYPES
               ? turn->world->devices[turn->device].policies.now[place]
               : for_people;
}

static enum ves_status prepare(void *ctx, struct ves_core_env *env)
{
    const struct turn *turn = ctx;

    *env = sim_device_env(turn->world, turn->device);
    return VES_OK;
}

static void decided(void *ctx, const struct ves_uuid *event_id)
{
    const struct turn *turn = ctx;

    sim_event_known(turn->world, event_id, turn->device)->is_certain = true;
    turn->world->by_policy++;
}

static void run(struct sim_world *world, size_t device, size_t process)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct turn turn = {world, device};
    struct ves_core_automatic_report report;
    const struct ves_core_automatic how = {
        .strategy = strategy_for,
        .prepare = prepare,
        .decided = decided,
        .ctx = &turn,
        .settings = sum_of(&world->devices[device].policies),
    };

    enum ves_status status = ves_core_automatic(&p->core, &how, &report);
    sim_trace(world, 'o', (uint64_t)status * 1000 + report.resolved);
    if (status && status != VES_IO && status != VES_NOMEM)
        sim_fail(world, "deciding by policy on store %zu: %s", device,
                 p->core.error.text);
}

void sim_policies_step(struct sim_world *world, size_t device, size_t process)
{
    if (!world->options.policy ||
        !sim_chance(&world->policy_rng, world->options.policy) ||
        world->event_count >= 2 * world->options.events)
        return;
    if (sim_chance(&world->policy_rng, 30))
        set_one(world, device);
    run(world, device, process);
}

void sim_policies_quiet(struct sim_world *world, size_t device)
{
    if (world->options.policy)
        run(world, device, 0);
}

/* ---- what the log says --------------------------------------------------- */

struct decision {
    uint64_t number, seen;
    struct ves_uuid agent;
    struct ves_hash conflict_id;
    bool is_by_policy, is_undo, is_applied;
    char strategy[16], sub_code[32];
    struct ves_bytes entity_type;
};

struct decisions {
    struct sim_world *world;
    struct ves_store *disk;
    uint32_t stream_no;
    struct ves_arena arena;
    struct decision list[SIM_EVENTS_MAX];
    size_t count;
};

static void keep_text(char *out, size_t size, struct ves_bytes text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    if (len)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static enum ves_status take_decision(void *ctx, const struct ves_log_row *row)
{
    struct decisions *all = ctx;
    struct decision *decision = &all->list[all->count];
    const struct ves_bytes parts[] = {row->envelope, ves_bytes_str("}")};
    struct ves_decision_read read;
    struct ves_refusal refusal;
    struct ves_event event;

    char *text = ves_arena_alloc(&all->arena, parts[0].len + parts[1].len);
    VES_ASSERT(text != NULL);
    memcpy(text, parts[0].ptr, parts[0].len);
    memcpy(text + parts[0].len, parts[1].ptr, parts[1].len);
    VES_ASSERT(ves_event_read(&all->arena,
                              ves_bytes(text, parts[0].len + parts[1].len),
                              &event, &refusal) == VES_OK &&
               ves_event_check(&all->arena, &event, &refusal) == VES_OK);
    if (!ves_bytes_is(event.event_type, "ves.conflict.resolved"))
        return VES_OK;
    ves_decision_read(event.payload, &read);
    *decision = (struct decision){
        .number = row->sequence_number,
        .seen = event.context.seen,
        .agent = row->agent,
        .conflict_id = read.conflict_id,
        .is_by_policy = ves_bytes_is(read.resolver, VES_RESOLVER_POLICY),
        .is_undo = read.has_supersedes,
        .is_applied = row->verdict == VES_VERDICT_APPLIED,
        .entity_type = event.entity_type,
    };
    keep_text(decision->strategy, sizeof(decision->strategy), read.strategy);
    keep_text(decision->sub_code, sizeof(decision->sub_code), row->sub_code);
    all->count++;
    return VES_OK;
}

static void read_decisions(struct sim_world *world, struct decisions *all)
{
    struct ves_stream_row stream;

    memset(all, 0, sizeof(*all));
    all->world = world;
    all->disk = world->hub.disk;
    ves_arena_init(&all->arena, ves_alloc_default(), ARENA_MAX);
    VES_ASSERT(all->disk->ops->stream_get(all->disk, &world->stream, false,
                                          &stream) == VES_OK);
    all->stream_no = stream.stream_no;
    VES_ASSERT(all->disk->ops->log_read(all->disk, all->stream_no, 1, 0,
                                        take_decision, all) == VES_OK);
}

static enum ves_status see_author(void *ctx, const struct ves_log_row *row)
{
    *(struct ves_uuid *)ctx = row->agent;
    return VES_OK;
}

static const struct sim_device *device_of(const struct sim_world *world,
                                          const struct ves_uuid *agent)
{
    for (size_t i = 0; i < world->agents; i++)
        if (ves_uuid_equal(&world->devices[i].agent, agent))
            return &world->devices[i];
    return NULL;
}

/* Decision 13: where the branch was written, and as the settings said. */
static void check_author(struct decisions *all, const struct decision *d)
{
    const struct sim_device *self = device_of(all->world, &d->agent);
    struct ves_conflict_row row;
    enum ves_strategy strategy;
    struct ves_uuid author;
    size_t place = type_place(d->entity_type);

    VES_ASSERT(all->disk->ops->conflict_get(all->disk, all->stream_no,
                                            &d->conflict_id, 1, &all->arena,
                                            &row) == VES_OK);
    if (!row.is_found)
        sim_fail(all->world, "number %llu decides what is no conflict",
                 (unsigned long long)d->number);
    VES_ASSERT(all->disk->ops->log_read(all->disk, all->stream_no, row.opened,
                                        1, see_author, &author) == VES_OK);
    if (!ves_uuid_equal(&author, &d->agent))
        sim_fail(all->world,
                 "number %llu decides by policy what another store wrote",
                 (unsigned long long)d->number);
    if (place == SIM_POLICY_TYPES || strcmp(types[place], "return") == 0 ||
        !ves_strategy_read(ves_bytes_str(d->strategy), &strategy) ||
        strategy == for_people || !self ||
        !(self->policies.ever[place] >> strategy & 1))
        sim_fail(all->world, "number %llu decides by policy, by no setting",
                 (unsigned long long)d->number);
}

/* What was decided is decided again only where that came to nothing, and what
 * was taken back not at all. */
static void check_again(struct decisions *all, const struct decision *d)
{
    const struct sim_device *self = device_of(all->world, &d->agent);

    for (const struct decision *e = all->list; e < d; e++) {
        if (!ves_hash_equal(&e->conflict_id, &d->conflict_id))
            continue;
        if (e->is_undo && e->is_applied && e->number <= d->seen)
            sim_fail(all->world,
                     "number %llu decides by policy what number %llu took back",
                     (unsigned long long)d->number,
                     (unsigned long long)e->number);
        bool is_same_store = e->is_by_policy &&
                             ves_uuid_equal(&e->agent, &d->agent) &&
                             !self->was_restored;
        if (is_same_store && (e->number > d->seen || e->is_applied))
            sim_fail(all->world, "numbers %llu and %llu decide one conflict",
                     (unsigned long long)e->number,
                     (unsigned long long)d->number);
    }
}

/* Applied ones of a conflict take turns: a decision, an undo, a decision ...;
 * whatever else was said of it is told why it lost. */
static void check_turns(struct decisions *all, const struct decision *d)
{
    const struct decision *last = NULL;

    if (!d->is_applied) {
        if (d->sub_code[0] == '\0')
            sim_fail(all->world, "number %llu lost, and is not told why",
                     (unsigned long long)d->number);
        return;
    }
    for (const struct decision *e = all->list; e < d; e++)
        if (e->is_applied && ves_hash_equal(&e->conflict_id, &d->conflict_id))
            last = e;
    bool is_open = !last || last->is_undo;
    if (d->is_undo == is_open)
        sim_fail(all->world, "number %llu decides what is %s",
                 (unsigned long long)d->number,
                 is_open ? "open, by an undo" : "decided");
}

/* ---- what is left -------------------------------------------------------- */

struct left {
    struct sim_world *world;
    size_t device;
    struct ves_hash open[SIM_EVENTS_MAX];
    size_t count;
};

static enum ves_status take_open(void *ctx, const struct ves_conflict_row *row)
{
    struct left *left = ctx;

    VES_ASSERT(left->count < SIM_EVENTS_MAX);
    left->open[left->count++] = row->id;
    return VES_OK;
}

/* Looked at without what earlier looks remembered: would the setting decide it?
 */
static void check_left(struct left *left, const struct ves_hash *id,
                       struct ves_arena *arena)
{
    struct sim_world *world = left->world;
    struct turn turn = {world, left->device};
    struct ves_agent_core *core =
        &world->devices[left->device].processes[0].core;
    const struct ves_core_env env = {.now_ms = 0};
    struct ves_core_conflict found;
    struct ves_core_decided preview;

    VES_ASSERT(ves_core_conflict(core, arena, id, &found) == VES_OK);
    enum ves_strategy strategy = strategy_for(&turn, found.entity_type);
    if (!found.is_own || found.was_undone || strategy == for_people ||
        ves_bytes_is(found.entity_type, "return") ||
        strcmp(found.of.function, VES_MERGE_NEVER) == 0)
        return;
    const struct ves_core_decide say = {.conflict_id = *id,
                                        .names_branch = true,
                                        .strategy = strategy,
                                        .resolver = VES_RESOLVER_POLICY,
                                        .is_dry_run = true};
    VES_ASSERT(ves_core_decide(core, arena, &env, &say, &preview) == VES_OK);
    if (preview.code == VES_DECIDE_PREVIEW)
        sim_fail(world, "store %zu left the conflict of number %llu undecided",
                 left->device, (unsigned long long)found.row.opened);
}

static void check_all_left(struct sim_world *world, size_t device)
{
    const struct ves_conflict_filter open = {.open_only = true};
    struct ves_store *disk = world->devices[device].disk;
    static struct left left;
    struct ves_stream_row stream;
    struct ves_arena arena;

    left.world = world;
    left.device = device;
    left.count = 0;
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
                   VES_OK &&
               disk->ops->conflict_list(disk, stream.stream_no, &open,
                                        take_open, &left) == VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), ARENA_MAX);
    for (size_t i = 0; i < left.count; i++) {
        ves_arena_reset(&arena);
        check_left(&left, &left.open[i], &arena);
    }
    ves_arena_free(&arena);
}

static enum ves_status find_refused(void *ctx, const struct ves_outbox_row *row)
{
    (void)ctx;
    return row->is_refused &&
                   ves_bytes_is(row->event_type, "ves.conflict.resolved")
               ? VES_AGAIN
               : VES_OK;
}

/* What was decided and refused, its key being revoked, is for people. */
static bool was_refused(const struct sim_world *world, size_t device)
{
    const struct ves_outbox_filter failed = {.status_mask =
                                                 1U << VES_OUTBOX_FAILED};
    struct ves_store *disk = world->devices[device].disk;

    return disk->ops->outbox_list(disk, &failed, find_refused, NULL) != VES_OK;
}

void sim_check_policies(struct sim_world *world)
{
    static struct decisions all;

    read_decisions(world, &all);
    for (size_t i = 0; i < all.count; i++) {
        check_turns(&all, &all.list[i]);
        if (!all.list[i].is_by_policy)
            continue;
        check_author(&all, &all.list[i]);
        check_again(&all, &all.list[i]);
    }
    ves_arena_free(&all.arena);
    for (size_t i = 0; world->options.policy && i < world->options.stores; i++)
        if (!was_refused(world, i))
            check_all_left(world, i);
}

/* ---- after the first quiet
 * ---------------------------------------------------------- */

static void take_back(struct sim_world *world, size_t device,
                      const struct ves_hash *id)
{
    struct ves_agent_core *core = &world->devices[device].processes[0].core;
    struct ves_core_env env = sim_device_env(world, device);
    const struct ves_core_decide say = {.conflict_id = *id,
                                        .names_branch = true,
                                        .is_undo = true,
                                        .resolver = "person"};
    struct ves_core_decided done;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), ARENA_MAX);
    VES_ASSERT(ves_core_decide(core, &arena, &env, &say, &done) == VES_OK);
    ves_arena_free(&arena);
    if (done.code != VES_DECIDE_DONE)
        return;
    sim_event_known(world, &done.event_id, device)->is_certain = true;
    world->taken_back++;
}

static void take_some_back(struct sim_world *world)
{
    static struct decisions all;
    size_t left = TAKEN_BACK_MAX;

    read_decisions(world, &all);
    for (size_t i = 0; i < all.count && left > 0; i++) {
        const struct decision *d = &all.list[i];
        size_t device = sim_below(&world->policy_rng, world->options.stores);
        if (!d->is_by_policy || !d->is_applied)
            continue;
        take_back(world, device, &d->conflict_id);
        left--;
    }
    ves_arena_free(&all.arena);
}

bool sim_policies_turn(struct sim_world *world)
{
    if (!world->options.policy)
        return false;
    take_some_back(world);
    for (size_t i = 0; i < world->options.stores; i++)
        set_one(world, i);
    return true;
}
