/* world.c -- one seed: a hostile phase, a quiet one, agreement. */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/verifier.h"

enum { QUIET_ROUNDS = 400 };

#define POLICY UINT64_C(0x504f4c494359)

static enum ves_status explain_row(void *ctx, const struct ves_outbox_row *row)
{
    static const char *const words[] = {"pending", "syncing", "synced",
                                        "failed", "conflict"};
    struct sim_world *world = ctx;
    size_t place = 0;

    while (place + 1 < world->event_count &&
           !ves_uuid_equal(&world->events[place].id, &row->event_id))
        place++;
    printf("#   event %u (%llu): %s%s, number %llu (it has %llu)%s%s%s %.*s\n",
           (unsigned)place, (unsigned long long)row->local_seq,
           words[row->status], row->is_refused ? " refused" : "",
           (unsigned long long)row->sequence_number,
           (unsigned long long)world->events[place].sequence,
           row->has_receipt ? ", receipt" : "",
           row->has_verdict ? ", verdict" : "", row->cmd_count ? ", group" : "",
           (int)row->error.len, (const char *)row->error.ptr);
    return VES_OK;
}

/* What stores that do not come to an end have. */
static void explain(struct sim_world *world)
{
    const struct ves_outbox_filter all = {.limit = 0};

    for (size_t i = 0; i < world->options.stores; i++) {
        struct ves_store *disk = world->devices[i].disk;
        struct sim_process *p = &world->devices[i].processes[0];
        struct ves_core_status status;
        if (!disk || ves_core_status(&p->core, &status))
            continue;
        printf("# store %zu: cursor %llu of %llu, copied %d, diverged %d, "
               "restoring %d; last words: %s\n",
               i, (unsigned long long)status.cursor,
               (unsigned long long)world->hub.checked, status.is_copied,
               status.is_diverged, status.is_restoring, p->core.error.text);
        if (disk->ops->outbox_list(disk, &all, explain_row, world))
            printf("# its outbox cannot be read\n");
    }
}

_Noreturn void sim_fail(struct sim_world *world, const char *format, ...)
{
    va_list args;

    printf("seed %llu, tick %llu: ", (unsigned long long)world->seed,
           (unsigned long long)world->tick);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    explain(world);
    printf("(ves-sim --seed %llu shows it again)\n",
           (unsigned long long)world->seed);
    exit(1);
}

void sim_trace(struct sim_world *world, uint64_t a, uint64_t b)
{
    world->trace = (world->trace ^ a) * UINT64_C(1099511628211);
    world->trace = (world->trace ^ b) * UINT64_C(1099511628211);
}

/* ---- signatures ---------------------------------------------------------- */

static void sign(struct ves_signer *signer, struct ves_sign_item *items,
                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        sim_sign((struct sim_signer *)(void *)signer, &items[i].hash,
                 &items[i].sig);
}

void sim_sign(const struct sim_signer *signer, const struct ves_hash *hash,
              struct ves_sig *out)
{
    struct ves_secret_key secret;

    memcpy(secret.b, signer->secret, sizeof(secret.b));
    ves_ed25519_sign(&secret, ves_bytes(hash->b, VES_HASH_SIZE), out);
}

static void sign_text(struct ves_signer *self, struct ves_bytes text,
                      struct ves_sig *sig)
{
    struct ves_secret_key secret;

    memcpy(secret.b, ((struct sim_signer *)self)->secret, sizeof(secret.b));
    ves_ed25519_sign(&secret, text, sig);
}

void sim_signer_init(struct sim_signer *signer, uint8_t kind, uint8_t number)
{
    uint8_t seed[VES_SEED_SIZE];
    struct ves_secret_key secret;

    memset(seed, number, sizeof(seed));
    seed[0] = kind;
    signer->signer.sign = sign;
    signer->signer.sign_text = sign_text;
    ves_ed25519_keypair(seed, &secret, &signer->signer.public_key);
    memcpy(signer->secret, secret.b, sizeof(signer->secret));
}

struct sim_event *sim_event_known(struct sim_world *world,
                                  const struct ves_uuid *id, size_t device)
{
    for (size_t i = 0; i < world->event_count; i++)
        if (ves_uuid_equal(&world->events[i].id, id))
            return &world->events[i];
    struct sim_event *event = sim_event_new(world, device);
    if (!event)
        sim_fail(world, "too many events");
    event->id = *id;
    return event;
}

struct sim_event *sim_event_new(struct sim_world *world, size_t device)
{
    struct sim_event *event = &world->events[world->event_count];
    uint32_t place = (uint32_t)world->event_count;

    if (world->event_count == SIM_EVENTS_MAX)
        return NULL;
    world->event_count++;
    memset(event, 0, sizeof(*event));
    memset(&event->id, 0x7e, sizeof(event->id));
    memcpy(event->id.b, &place, sizeof(place));
    event->device = device;
    return event;
}

/* ---- chance -------------------------------------------------------------- */

/* Of chances of its own, so that other histories stay as they were. */
static uint32_t draw_policy(uint64_t seed)
{
    uint64_t rng = seed ^ POLICY;
    return sim_chance(&rng, 500) ? 20 + (uint32_t)sim_below(&rng, 150) : 0;
}

void sim_options_draw(uint64_t seed, struct sim_options *out)
{
    uint64_t rng = seed * 77 + 1;
    bool is_calm = sim_chance(&rng, 100);

    memset(out, 0, sizeof(*out));
    out->stores = 2 + sim_below(&rng, sim_chance(&rng, 100) ? 15 : 4);
    out->strangers = sim_chance(&rng, 300) ? 1 + sim_below(&rng, 2) : 0;
    out->processes = sim_chance(&rng, 300) ? 2 : 1;
    out->late = sim_below(&rng, out->stores);
    out->events = out->stores * (2 + sim_below(&rng, 10));
    out->group = sim_chance(&rng, 300) ? 200 : 0;
    out->refresh = 50;
    out->blind = sim_chance(&rng, 200) ? 200 : 0;
    out->quarrel = sim_chance(&rng, 600) ? (uint32_t)sim_below(&rng, 900) : 0;
    out->decide = out->quarrel ? (uint32_t)sim_below(&rng, 250) : 0;
    out->ticks = (uint32_t)(out->events * (8 + sim_below(&rng, 12)));
    out->policy = out->quarrel ? draw_policy(seed) : 0;
    if (is_calm)
        return;
    out->lose = (uint32_t)sim_below(&rng, 200);
    out->twice = (uint32_t)sim_below(&rng, 200);
    out->delay = (uint32_t)sim_below(&rng, 200);
    out->spoil = (uint32_t)sim_below(&rng, 100);
    out->forge = sim_chance(&rng, 500) ? (uint32_t)sim_below(&rng, 300) : 0;
    out->partition = (uint32_t)sim_below(&rng, 20);
    out->clock_jump = (uint32_t)sim_below(&rng, 20);
    out->kill = (uint32_t)sim_below(&rng, 20);
    out->revoke = sim_chance(&rng, 150) ? 5 : 0;
    if (out->revoke)
        out->refresh = 200;
    out->rotate = sim_chance(&rng, 300) ? 15 : 0;
    out->store_fail = (uint32_t)sim_below(&rng, 5);
    out->store_late = (uint32_t)sim_below(&rng, 60);
    out->store_crash = (uint32_t)sim_below(&rng, 4);
    out->nomem = (uint32_t)sim_below(&rng, 4);
    out->restore = sim_chance(&rng, 250) ? 15 : 0;
}

void sim_options_quarrel(struct sim_options *out)
{
    enum { STORES = 4, EVENTS = 15 };

    out->stores = out->stores > STORES ? STORES : out->stores;
    out->late = out->late < out->stores ? out->late : out->stores - 1;
    out->strangers = 0;
    out->events = out->stores * EVENTS;
    out->ticks = (uint32_t)out->events * 16;
    out->group = 0;
    out->quarrel = 900;
    out->decide = 120;
    out->policy = 120;
}

static void arm(struct sim_world *world, struct sim_faults *faults, bool is_on)
{
    faults->rng = &world->rng;
    faults->is_on = is_on;
    faults->fail_per_mille = world->options.store_fail;
    faults->late_per_mille = world->options.store_late;
    faults->crash_per_mille = world->options.store_crash;
    faults->nomem_per_mille = world->options.nomem;
}

static void arm_all(struct sim_world *world, bool is_on)
{
    arm(world, &world->hub.faults, is_on);
    for (size_t i = 0; i < world->options.stores; i++)
        for (size_t k = 0; k < SIM_PROCESSES; k++)
            arm(world, &world->devices[i].processes[k].faults, is_on);
}

/* ---- phases -------------------------------------------------------------- */

static void misfortune(struct sim_world *world, size_t device)
{
    const struct sim_options *options = &world->options;
    struct sim_device *self = &world->devices[device];

    if (sim_chance(&world->rng, options->partition))
        self->is_cut_off = !self->is_cut_off;
    if (sim_chance(&world->rng, options->clock_jump))
        self->clock_offset_ms =
            (int64_t)sim_below(&world->rng, 2 * 86400000) - 3600000;
    if (sim_chance(&world->rng, options->kill) && self->disk)
        sim_device_kill(world, device,
                        sim_below(&world->rng, options->processes));
    if (sim_chance(&world->rng, options->kill))
        sim_hub_restart(world);
    if (sim_chance(&world->rng, options->revoke) && self->is_registered)
        sim_hub_revoke(world, device);
    if (sim_chance(&world->rng, options->rotate))
        sim_hub_rotate(world);
    if (options->restore && sim_chance(&world->rng, options->restore) &&
        self->disk)
        sim_device_restore(world, device);
}

/* An agent's key is registered before its store exists. */
static bool join(struct sim_world *world, size_t device)
{
    struct sim_device *self = &world->devices[device];

    if (!self->is_registered && !sim_hub_register(world, device))
        return false;
    if (!self->is_stranger && !self->disk)
        sim_device_start(world, device);
    return true;
}

static void store_step(struct sim_world *world, size_t device)
{
    size_t process = sim_below(&world->rng, world->options.processes);
    uint64_t dice = sim_below(&world->rng, 100);

    if (!sim_device_revive(world, device))
        return;
    sim_policies_step(world, device, process);
    if (sim_chance(&world->rng, world->options.decide) &&
        world->event_count < 2 * world->options.events)
        sim_device_decide(world, device, process);
    else if (dice < 12 && world->event_count < world->options.events)
        sim_device_append(world, device, process);
    else if (dice < 27)
        sim_device_push(world, device, process);
    else if (dice < 42)
        sim_device_pull(world, device, process);
    else if (dice < 47)
        sim_device_ack(world, device, process);
    else if (dice < 57)
        sim_hub_commit(world);
    else
        sim_deliver(world);
}

static void step(struct sim_world *world)
{
    size_t device = sim_below(&world->rng, world->agents);
    struct sim_device *self = &world->devices[device];

    misfortune(world, device);
    if (world->hub.faults.is_dead)
        sim_hub_restart(world);
    if (world->tick < self->joins_at || !join(world, device))
        return;
    if (!self->is_stranger)
        store_step(world, device);
    else if (sim_chance(&world->rng, 200) &&
             world->event_count < world->options.events)
        sim_stranger_step(world, device);
    else
        sim_deliver(world);
    sim_device_timeouts(world);
}

static void drain(struct sim_world *world)
{
    for (int i = 0; i < 64; i++) {
        world->tick += 10;
        sim_hub_commit(world);
        if (!sim_deliver(world) && world->hub.queued == 0)
            return;
    }
}

static bool quiet_round(struct sim_world *world)
{
    bool is_settled = true;

    for (size_t i = 0; i < world->options.stores; i++) {
        if (!sim_device_revive(world, i))
            sim_fail(world, "store %zu does not open: %s", i,
                     world->devices[i].processes[0].core.error.text);
        sim_device_timeouts(world);
        sim_device_push(world, i, 0);
        drain(world);
        sim_device_pull(world, i, 0);
        drain(world);
        sim_policies_quiet(world, i);
        sim_device_ack(world, i, 0);
    }
    for (size_t i = 0; i < world->options.stores; i++)
        is_settled &= sim_device_is_settled(world, i);
    return is_settled;
}

static void agree(struct sim_world *world)
{
    for (int round = 0; round < QUIET_ROUNDS; round++)
        if (quiet_round(world))
            return;
    sim_fail(world, "no agreement after %d quiet rounds", QUIET_ROUNDS);
}

static void settle(struct sim_world *world)
{
    world->is_quiet = true;
    arm_all(world, false);
    if (world->hub.faults.is_dead)
        sim_hub_restart(world);
    for (size_t i = 0; i < world->options.stores; i++) {
        VES_ASSERT(join(world, i));
        world->devices[i].is_cut_off = false;
        /* The second process ends; the first has to go on with its claims. */
        if (world->options.processes > 1)
            sim_device_kill(world, i, 1);
    }
    world->options.processes = 1;
    /* Half a group at the end of an outbox waits for what comes next. */
    for (size_t i = 0; world->options.group && i < world->options.stores; i++)
        if (sim_device_revive(world, i))
            sim_device_append(world, i, 0);
    agree(world);
    if (sim_policies_turn(world))
        agree(world);
}

static void start(struct sim_world *world)
{
    memset(world->stream.tenant.b, 0x11, VES_UUID_SIZE);
    memset(world->stream.store.b, 0x22, VES_UUID_SIZE);
    world->verifier.verify = ves_verify_each;
    world->hub.faults.rng = &world->rng;
    sim_hub_start(world);
    world->agents = world->options.stores + world->options.strangers;
    sim_signer_init(&world->rogue, 'r', 1);
    for (size_t i = 0; i < world->agents; i++) {
        struct sim_device *device = &world->devices[i];
        memset(device->agent.b, 0xa0 + (int)i, VES_UUID_SIZE);
        sim_signer_init(&device->key, 'd', (uint8_t)i);
        device->is_stranger = i >= world->options.stores;
        sim_policies_start(world, i);
        if (i < world->options.late)
            device->joins_at = sim_below(&world->rng, world->options.ticks);
        else
            VES_ASSERT(join(world, i));
    }
}

void sim_run(uint64_t seed, const struct sim_options *options,
             struct sim_summary *out)
{
    struct sim_world *world = calloc(1, sizeof(*world));

    VES_ASSERT(world != NULL);
    memset(out, 0, sizeof(*out));
    world->seed = seed;
    world->rng = seed;
    world->heads_rng = seed ^ UINT64_C(0x4845414453);
    world->told_rng = seed ^ UINT64_C(0x544f4c44);
    world->policy_rng = seed ^ POLICY;
    world->trace = UINT64_C(14695981039346656037);
    world->options = *options;
    start(world);
    arm_all(world, true);
    for (; world->tick < options->ticks; world->tick++)
        step(world);
    settle(world);
    sim_restore(world);
    sim_check_end(world, out);
    if (options->export)
        sim_export(world, options->export);
    if (!sim_epochs(world))
        sim_treason(world);
    sim_keys(world);
    out->decided = world->decided;
    out->by_policy = world->by_policy;
    out->taken_back = world->taken_back;
    out->conflicts = world->conflicts;
    out->freed = world->freed;
    out->restored = world->restored;
    out->trace = world->trace;
    out->ticks = world->tick;
    out->lies = world->lies;
    for (size_t i = 0; i < options->stores; i++)
        for (size_t k = 0; k < SIM_PROCESSES; k++) {
            out->crashes += world->devices[i].processes[k].faults.crashes;
            out->failures += world->devices[i].processes[k].faults.failures;
        }
    out->crashes += world->hub.faults.crashes;
    out->heads = world->heads;
    out->backups = world->backups;
    out->recovered = world->recovered;
    out->epochs = world->epochs;
    out->betrayals = world->betrayals;
    out->followed = world->followed;
    out->key_worlds = world->key_worlds;
    out->key_rotations = world->key_rotations;
    out->key_revocations = world->key_revocations;
    out->failures += world->hub.faults.failures;
    for (size_t i = 0; i < options->stores; i++)
        sim_device_free(world, i);
    sim_hub_free(world);
    sim_network_free(world);
    free(world);
}
