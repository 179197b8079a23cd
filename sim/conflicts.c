/* conflicts.c -- people who decide conflicts.  Policies: policies.c. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "engine/conflict.h"
#include "sim/world.h"
#include "json/json.h"

enum { ARENA_MAX = 64 << 20, TEXT_MAX = 16 << 20, CHOICES = 64 };

struct choice {
    struct ves_hash ids[CHOICES];
    bool is_open[CHOICES];
    size_t count;
};

static enum ves_status take_choice(void *ctx,
                                   const struct ves_conflict_row *row)
{
    struct choice *choice = ctx;

    choice->is_open[choice->count] = row->closed == 0;
    choice->ids[choice->count++] = row->id;
    return VES_OK;
}

static bool choose(struct sim_world *world, size_t device,
                   struct ves_core_decide *say)
{
    struct ves_store *disk = world->devices[device].disk;
    const struct ves_conflict_filter newest = {.is_descending = true,
                                               .limit = CHOICES};
    struct choice choice = {.count = 0};
    struct ves_stream_row row;

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    VES_ASSERT(disk->ops->conflict_list(disk, row.stream_no, &newest,
                                        take_choice, &choice) == VES_OK);
    if (choice.count == 0)
        return false;
    size_t at = sim_below(&world->rng, choice.count);
    *say = (struct ves_core_decide){
        .conflict_id = choice.ids[at],
        .names_branch = sim_chance(&world->rng, 500),
        .is_undo = !choice.is_open[at],
        .strategy = (enum ves_strategy)sim_below(&world->rng, VES_STRATEGIES),
        .resolver = sim_chance(&world->rng, 300) ? "ann" : "person",
        .is_dry_run = sim_chance(&world->rng, 50)};
    return true;
}

void sim_device_decide(struct sim_world *world, size_t device, size_t process)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct ves_core_env env = sim_device_env(world, device);
    struct ves_core_decided decided;
    struct ves_core_decide say;
    struct ves_json answer = {.type = VES_JSON_STRING,
                              .string = ves_bytes_str("decided")};
    const struct ves_case_set set = {ves_bytes_str("/name"), &answer};
    struct ves_arena arena;

    if (!choose(world, device, &say))
        return;
    if (say.strategy == VES_STRATEGY_MANUAL && !say.is_undo &&
        sim_chance(&world->rng, 500)) {
        say.sets = &set;
        say.set_count = 1;
    }
    ves_arena_init(&arena, ves_alloc_default(), ARENA_MAX);
    memset(&decided, 0, sizeof(decided));
    enum ves_status status =
        ves_core_decide(&p->core, &arena, &env, &say, &decided);
    sim_trace(world, 'd', (uint64_t)status * 100 + (uint64_t)decided.code);
    if (status && status != VES_IO && status != VES_NOMEM)
        sim_fail(world, "deciding on store %zu: %s", device,
                 p->core.error.text);
    if (!status && decided.code == VES_DECIDE_DONE) {
        struct sim_event *event =
            sim_event_known(world, &decided.event_id, device);
        event->is_certain = true;
    }
    ves_arena_free(&arena);
    world->decided += !status && decided.code == VES_DECIDE_DONE;
}
