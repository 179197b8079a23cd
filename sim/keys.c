/* keys.c -- in some seeds, a small world beside the one that was run: its
 * stream has an owner, and keys are rotated and revoked, by him and by the
 * sequencer, while calls fail, answers are lost, processes die and the
 * sequencer's disk comes back as an older copy.  The sequencer backdates: it
 * gives a revocation an earlier number than its own, and shows that number in
 * its directory.
 *
 * Whether a key may sign a number is counted here from the sequencer's log
 * alone, event by event.  Every store has to say the same of every key it has
 * heard of, after every step, whatever it was shown beside the log, and takes
 * every page of the one log.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "core/keydir.h"
#include "core/merkle.h"
#include "crypto/verifier.h"
#include "engine/folding.h"
#include "engine/key_log.h"
#include "engine/log_recover.h"
#include "engine/log_tree.h"
#include "sim/world.h"
#include "store/store_mem.h"
#include "json/json.h"

enum {
    PER_MILLE = 125, /* of the seeds */
    STORES = 3,
    KEYS = 5, /* of a store, one after the other */
    STEPS = 70,
    EVENTS = 60,
    SHOWN = 4, /* directories that come again, late */
    ROUNDS = 12,
    TEXT_MAX = 4 << 20,
    SCRATCH_MAX = 64 << 20
};

struct keys {
    struct sim_world *world;
    struct sim_world *outer; /* the one that was run; counts */
    uint64_t rng;
    uint32_t stream_no;
    struct sim_signer owner;
    struct sim_signer signers[STORES][KEYS + 1]; /* the last: for who steals */
    size_t made[STORES];                         /* keys that the log has */
    bool is_revoked[STORES];
    struct ves_buf shown[SHOWN];
    /* The verdict of the log alone, up to and with number `counted`. */
    uint64_t from[STORES][KEYS], until[STORES][KEYS];
    uint64_t counted;
    uint64_t lies[STORES][KEYS]; /* ends that its directories show instead */
    bool has_backup;
};

static struct keys *at_hand; /* for the callback that gives a store its key */

static struct sim_process *process(struct keys *k, size_t n)
{
    return &k->world->devices[n].processes[0];
}

static uint64_t head(const struct keys *k)
{
    return sim_head_of(k->world, k->world->hub.disk);
}

/* ---- stores -------------------------------------------------------------- */

static enum ves_status rekey(struct ves_agent_core *core,
                             const struct ves_public_key *key)
{
    for (size_t n = 0; n < STORES; n++)
        for (size_t i = 0; i < KEYS; i++)
            if (memcmp(at_hand->signers[n][i].signer.public_key.b, key->b,
                       VES_KEY_SIZE) == 0) {
                core->signer = &at_hand->signers[n][i].signer;
                return VES_OK;
            }
    return VES_NOT_FOUND;
}

/* A process that runs, with the key that its store goes by. */
static struct ves_agent_core *open_store(struct keys *k, size_t n)
{
    struct sim_process *p = process(k, n);

    p->faults.is_on = false;
    if (p->faults.is_dead)
        sim_device_kill(k->world, n, 0);
    bool is_new = !p->is_loaded;
    if (!sim_device_revive(k->world, n))
        sim_fail(k->world, "store %zu does not open: %s", n,
                 p->core.error.text);
    if (is_new) {
        VES_ASSERT(p->core.key_id >= 1 && p->core.key_id <= KEYS);
        p->core.signer = &k->signers[n][p->core.key_id - 1].signer;
    }
    p->core.rekey = rekey;
    return &p->core;
}

static void arm(struct keys *k, size_t n)
{
    struct sim_faults *faults = &process(k, n)->faults;

    faults->is_on = sim_chance(&k->rng, 300);
    faults->fail_per_mille = 20;
    faults->crash_per_mille = 20;
    faults->late_per_mille = 10;
}

/* May the call have failed because of that? */
static bool disarm(struct keys *k, size_t n)
{
    struct sim_faults *faults = &process(k, n)->faults;
    bool was_on = faults->is_on;

    faults->is_on = false;
    return was_on;
}

/* ---- what the log alone says --------------------------------------------- */

static size_t store_of(const struct keys *k, const struct ves_uuid *agent)
{
    size_t n = 0;

    while (n < STORES && !ves_uuid_equal(&k->world->devices[n].agent, agent))
        n++;
    return n;
}

static size_t number_in(const struct ves_json *payload, const char *name)
{
    uint64_t number = 0;

    VES_ASSERT(ves_json_get_u64(payload, name, &number) && number >= 1 &&
               number <= KEYS);
    return (size_t)number - 1;
}

static void count_key_event(struct keys *k, const struct ves_event *event,
                            uint64_t sequence)
{
    struct ves_bytes text;
    struct ves_uuid agent;

    VES_ASSERT(ves_json_get_string(event->payload, "agent_id", &text) &&
               ves_uuid_parse(text, &agent) == VES_OK);
    size_t n = store_of(k, &agent);
    size_t key = number_in(event->payload, "key_id");
    VES_ASSERT(n < STORES);
    if (ves_bytes_is(event->event_type, "ves.key.revoked")) {
        k->until[n][key] = sequence;
        return;
    }
    k->from[n][key] = sequence;
    if (ves_bytes_is(event->event_type, "ves.key.rotated"))
        k->until[n][number_in(event->payload, "previous_key_id")] = sequence;
}

static enum ves_status count_row(void *ctx, const struct ves_log_row *row)
{
    struct keys *k = ctx;
    struct ves_error ignored;
    struct ves_arena arena;
    struct ves_event event;
    size_t n = store_of(k, &row->agent);

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    VES_ASSERT(ves_log_event_read(&arena, row->envelope, &ignored, &event) ==
               VES_OK);
    if (n == STORES)
        count_key_event(k, &event, row->sequence_number);
    else if (row->agent_key_id < 1 || row->agent_key_id > KEYS ||
             k->from[n][row->agent_key_id - 1] == 0 ||
             k->until[n][row->agent_key_id - 1] != 0)
        sim_fail(k->world, "number %llu is signed with a key that might not",
                 (unsigned long long)row->sequence_number);
    ves_arena_free(&arena);
    k->counted = row->sequence_number;
    return VES_OK;
}

static void count(struct keys *k)
{
    struct ves_store *disk = k->world->hub.disk;

    VES_ASSERT(disk->ops->log_read(disk, k->stream_no, k->counted + 1, 0,
                                   count_row, k) == VES_OK);
}

/* ---- what a store says --------------------------------------------------- */

static void check_key(struct keys *k, size_t by, size_t n, size_t i,
                      const struct ves_logged_key *key)
{
    const struct sim_device *device = &k->world->devices[by];
    uint64_t cursor = sim_head_of(k->world, device->disk);
    uint64_t from = k->from[n][i] <= cursor ? k->from[n][i] : 0;
    uint64_t until = k->until[n][i] <= cursor ? k->until[n][i] : 0;
    struct ves_key_span span = {.is_found = false};

    if (!key != !from)
        sim_fail(k->world, "store %zu at %llu: is key %zu of %zu in the log?",
                 by, (unsigned long long)cursor, i + 1, n);
    if (!key)
        return;
    VES_ASSERT(device->disk->ops->key_span_get(
                   device->disk, process(k, by)->core.stream_no,
                   &k->world->devices[n].agent, (uint32_t)i + 1,
                   &span) == VES_OK);
    for (uint64_t s = 1; s <= cursor; s++)
        if (ves_key_covers(from, until, s) != ves_logged_key_covers(key, s) ||
            !span.is_found ||
            ves_key_covers(from, until, s) !=
                ves_key_covers(span.valid_from_sequence,
                               span.revoked_at_sequence, s))
            sim_fail(k->world,
                     "store %zu at %llu: may key %zu of %zu sign %llu? The "
                     "log: from %llu, until %llu; its table: from %llu, until "
                     "%llu",
                     by, (unsigned long long)cursor, i + 1, n,
                     (unsigned long long)s, (unsigned long long)from,
                     (unsigned long long)until,
                     (unsigned long long)span.valid_from_sequence,
                     (unsigned long long)span.revoked_at_sequence);
}

static void check_store(struct keys *k, size_t by)
{
    struct sim_device *device = &k->world->devices[by];
    const struct ves_agent_core *core = &process(k, by)->core;
    const struct ves_key_state *state;
    struct ves_key_log log;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    ves_key_log_open(&log, device->disk, core->stream_no, &core->stream,
                     &core->owner_key, &core->sequencer_id, &arena);
    for (size_t n = 0; n < STORES; n++) {
        VES_ASSERT(ves_key_log_find(&log, &k->world->devices[n].agent,
                                    &state) == VES_OK);
        for (size_t i = 0; i < KEYS; i++)
            check_key(k, by, n, i,
                      state ? ves_key_state_find(state, (uint32_t)i + 1)
                            : NULL);
    }
    ves_arena_free(&arena);
}

/* ---- the sequencer ------------------------------------------------------- */

static void arm_hub(struct keys *k)
{
    struct sim_faults *faults = &k->world->hub.faults;

    faults->is_on = sim_chance(&k->rng, 200);
    faults->fail_per_mille = 20;
    faults->crash_per_mille = 20;
    faults->late_per_mille = 20;
}

static void disarm_hub(struct keys *k)
{
    struct sim_hub *hub = &k->world->hub;

    hub->faults.is_on = false;
    if (hub->faults.is_dead)
        ves_store_mem_crash(hub->disk);
    hub->faults.is_dead = false;
    count(k);
    for (size_t n = 0; n < STORES; n++)
        for (size_t i = 0; i < KEYS; i++) {
            if (k->from[n][i] != 0 && k->made[n] <= i)
                k->made[n] = i + 1;
            if (i + 1 == k->made[n])
                k->is_revoked[n] = k->until[n][i] != 0;
        }
}

static void enter(struct keys *k, const struct ves_key_event *event)
{
    struct ves_error ignored;

    k->world->tick += 100; /* nobody asks twice at once */
    arm_hub(k);
    (void)!ves_sequencer_enter_key_event(&k->world->hub.sequencer,
                                         &k->world->stream, event,
                                         sim_now_ms(k->world), &ignored);
    disarm_hub(k);
}

/* By the owner's word, or the sequencer's alone. */
static void register_first(struct keys *k, size_t n)
{
    struct ves_key_event event = {.kind = VES_KEY_EVENT_REGISTERED,
                                  .agent = k->world->devices[n].agent,
                                  .key_id = 1,
                                  .has_next = true};
    struct ves_error error = {.status = VES_OK};
    struct ves_hash hash;
    struct ves_sig sig;
    struct ves_buf proof;

    event.public_key = k->signers[n][0].signer.public_key;
    ves_key_next_hash(&k->signers[n][1].signer.public_key, &event.next);
    ves_key_register_hash(&k->world->stream, &event, &hash);
    sim_sign(&k->owner, &hash, &sig);
    ves_buf_init(&proof, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_str(&proof, "{\"nextKeyDigest\":\"");
    ves_buf_put_hex(&proof, event.next.b, VES_HASH_SIZE);
    if (sim_chance(&k->rng, 700)) {
        ves_buf_put_str(&proof, "\",\"ownerSignature\":\"");
        ves_buf_put_hex(&proof, sig.b, VES_SIG_SIZE);
    }
    ves_buf_put_str(&proof, "\"}");
    const struct ves_key_row row = {.tenant = k->world->stream.tenant,
                                    .agent = event.agent,
                                    .key_id = 1,
                                    .public_key = event.public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("admin"),
                                    .proof = ves_buf_view(&proof)};
    if (ves_sequencer_register_key(&k->world->hub.sequencer, &row, 1, &error))
        sim_fail(k->world, "a key is not registered: %s", error.text);
    ves_buf_free(&proof);
    k->made[n] = 1;
}

/* The holder's, or a thief's, who has not what was committed to. */
static void rotate(struct keys *k, size_t n)
{
    size_t now = k->made[n];
    bool is_thief = sim_chance(&k->rng, 100);

    if (now == 0 || now >= KEYS)
        return;
    const struct sim_signer *next = &k->signers[n][is_thief ? KEYS : now];
    struct ves_key_event event = {.kind = VES_KEY_EVENT_ROTATED,
                                  .agent = k->world->devices[n].agent,
                                  .key_id = (uint32_t)now + 1,
                                  .previous_id = (uint32_t)now,
                                  .public_key = next->signer.public_key,
                                  .has_next = now + 1 < KEYS};
    struct ves_hash hash;

    if (event.has_next)
        ves_key_next_hash(&k->signers[n][now + 1].signer.public_key,
                          &event.next);
    ves_key_rotate_hash(&k->world->stream, &event, &hash);
    sim_sign(&k->signers[n][now - 1], &hash, &event.previous_signature);
    sim_sign(next, &hash, &event.signature);
    enter(k, &event);
    if (sim_chance(&k->rng, 300))
        enter(k, &event); /* its answer was lost */
    if (k->made[n] > now) {
        k->outer->key_rotations++;
        if (is_thief)
            sim_fail(k->world, "a thief rotated key %zu of %zu", now, n);
    }
}

/* The directory shows another end than the log has. */
static void lie(struct keys *k, size_t n, size_t i)
{
    struct ves_store *disk = k->world->hub.disk;
    const struct ves_uuid *agent = &k->world->devices[n].agent;
    struct ves_key_span span;
    uint32_t id = (uint32_t)i + 1;

    VES_ASSERT(disk->ops->begin(disk) == VES_OK);
    VES_ASSERT(disk->ops->key_span_get(disk, k->stream_no, agent, id, &span) ==
               VES_OK);
    span.revoked_at_sequence = k->lies[n][i];
    VES_ASSERT(disk->ops->key_span_put(disk, k->stream_no, agent, id, &span) ==
               VES_OK);
    VES_ASSERT(disk->ops->commit(disk) == VES_OK);
}

/* What it has once said of a key it goes on saying: a store that was told of
 * one end, and has not pulled the event itself, takes no other. */
static void lie_again(struct keys *k)
{
    for (size_t n = 0; n < STORES; n++)
        for (size_t i = 0; i < KEYS; i++)
            if (k->lies[n][i] != 0 && k->until[n][i] != 0)
                lie(k, n, i);
}

static void revoke(struct keys *k, size_t n)
{
    struct ves_key_event event = {.kind = VES_KEY_EVENT_REVOKED,
                                  .agent = k->world->devices[n].agent,
                                  .key_id = (uint32_t)k->made[n],
                                  .has_statement = sim_chance(&k->rng, 600)};
    bool is_backdated = sim_chance(&k->rng, 500);
    struct ves_hash hash;

    if (k->made[n] == 0 || k->is_revoked[n])
        return;
    ves_key_revoke_hash(&k->world->stream, &event, &hash);
    if (event.has_statement)
        sim_sign(&k->owner, &hash, &event.statement.owner_signature);
    if (is_backdated)
        event.at_sequence = 1 + sim_below(&k->rng, head(k));
    if (is_backdated || event.has_statement) {
        enter(k, &event);
    } else {
        arm_hub(k);
        (void)!ves_sequencer_revoke_key(
            &k->world->hub.sequencer, &k->world->stream.tenant, &event.agent,
            event.key_id, sim_now_ms(k->world), NULL, NULL);
        disarm_hub(k);
    }
    k->outer->key_revocations += k->is_revoked[n];
    if (k->is_revoked[n] && is_backdated && sim_chance(&k->rng, 700)) {
        k->lies[n][event.key_id - 1] = event.at_sequence;
        lie(k, n, event.key_id - 1);
    }
}

/* ---- an older copy of its disk ------------------------------------------- */

static bool is_whole_somewhere(struct keys *k)
{
    for (size_t n = 0; n < STORES; n++)
        if (sim_head_of(k->world, k->world->devices[n].disk) == head(k))
            return true;
    return false;
}

/* Comes back, and the tail is made again from what stores have, revocations
 * and rotations too. */
static void restore(struct keys *k)
{
    struct sim_world *world = k->world;
    struct ves_sequencer *sequencer = &world->hub.sequencer;
    struct ves_store *stores[STORES];
    struct ves_log_recovery what = {
        .size = head(k), .stores = stores, .store_count = STORES};
    struct ves_error error = {.status = VES_OK};
    uint64_t events;

    if (!k->has_backup) {
        ves_store_mem_keep(world->hub.disk);
        k->has_backup = true;
        return;
    }
    if (!is_whole_somewhere(k))
        return;
    for (size_t n = 0; n < STORES; n++)
        stores[n] = world->devices[n].disk;
    ves_stream_id(&world->stream, &what.stream_id);
    what.keys = (struct ves_receipt_keys){sim_hub_receipt_key, world};
    VES_ASSERT(ves_log_root_at(world->hub.disk, k->stream_no, what.size,
                               &what.root) == VES_OK);
    ves_store_mem_return(world->hub.disk);
    k->has_backup = false;
    if (ves_log_recover(sequencer, &what, &events, &error))
        sim_fail(world, "the log is not made whole: %s", error.text);
    VES_ASSERT(ves_sequencer_upgrade(sequencer) == VES_OK);
    if (ves_sequencer_enter_keys(sequencer, NULL, 0, sim_now_ms(world), &error))
        sim_fail(world, "keys are not entered again: %s", error.text);
    k->outer->recovered++;
    disarm_hub(k);
    lie_again(k);
}

/* ---- what stores do ------------------------------------------------------ */

/* The newest, or one of before that comes late. */
static void show(struct keys *k, size_t n)
{
    struct ves_buf *directory = &k->shown[sim_below(&k->rng, SHOWN)];
    struct ves_agent_core *core = open_store(k, n);

    if (directory->len == 0 || sim_chance(&k->rng, 600)) {
        ves_buf_reset(directory);
        sim_hub_directory(k->world, directory);
    }
    arm(k, n);
    enum ves_status status =
        ves_core_keys(core, ves_buf_view(directory), sim_now_ms(k->world));
    if (!disarm(k, n) && status)
        sim_fail(k->world, "store %zu does not take a directory: %s", n,
                 core->error.text);
}

static struct ves_page *read_page(struct keys *k, size_t n, uint64_t limit)
{
    struct ves_agent_core *core = open_store(k, n);
    struct ves_buf items, text;
    struct ves_page *page;
    bool needs_keys = false;
    uint64_t from;

    VES_ASSERT(ves_core_pull_from(core, &from) == VES_OK);
    ves_buf_init(&items, ves_alloc_default(), TEXT_MAX);
    uint64_t count_of =
        sim_direct_items(k->world, k->stream_no, from, (uint32_t)limit, &items);
    sim_direct_page(k->world, k->stream_no, ves_buf_view(&items), from,
                    from + count_of, head(k), &text);
    for (int i = 0; i < 2; i++) {
        if (ves_core_page_read(core, ves_buf_view(&text), from, &page,
                               &needs_keys))
            sim_fail(k->world, "store %zu cannot read a page: %s", n,
                     core->error.text);
        if (!needs_keys || i == 1)
            break;
        ves_page_free(page);
        struct ves_buf directory;
        ves_buf_init(&directory, ves_alloc_default(), TEXT_MAX);
        sim_hub_directory(k->world, &directory);
        if (ves_core_keys(core, ves_buf_view(&directory), sim_now_ms(k->world)))
            sim_fail(k->world, "store %zu does not take a directory: %s", n,
                     core->error.text);
        ves_buf_free(&directory);
    }
    ves_buf_free(&items);
    ves_buf_free(&text);
    return page;
}

static void pull(struct keys *k, size_t n, uint64_t limit)
{
    struct ves_pull_result result = {0};
    struct ves_page *page = read_page(k, n, limit);
    struct ves_agent_core *core = &process(k, n)->core;

    ves_core_page_verify(core, page);
    arm(k, n);
    enum ves_status status =
        ves_core_page_apply(core, page, sim_now_ms(k->world), &result);
    if (!disarm(k, n) && status)
        sim_fail(k->world, "store %zu does not take a true page: %s", n,
                 core->error.text);
    ves_page_free(page);
}

static void push(struct keys *k, size_t n)
{
    struct ves_agent_core *core = open_store(k, n);
    struct ves_core_own own;

    VES_ASSERT(ves_core_own(core, &own) == VES_OK);
    if (own.needs_pull)
        return;
    if (own.needs_rechain) {
        arm(k, n);
        enum ves_status status = ves_core_rechain(core, sim_now_ms(k->world));
        if (!disarm(k, n) && status)
            sim_fail(k->world, "store %zu cannot sign again: %s", n,
                     core->error.text);
        if (status)
            return;
    }
    bool is_heard = sim_chance(&k->rng, 800);
    (void)sim_direct_send(k->world, n, 1 + (uint32_t)sim_below(&k->rng, 4),
                          is_heard);
    if (!is_heard)
        sim_device_kill(k->world, n, 0);
    count(k);
}

static void step(struct keys *k)
{
    size_t n = (size_t)sim_below(&k->rng, STORES);
    uint64_t what = sim_below(&k->rng, 100);

    k->world->tick += 10;
    if (what < 30) {
        (void)open_store(k, n);
        if (k->world->event_count < EVENTS)
            sim_device_append(k->world, n, 0);
    } else if (what < 50) {
        push(k, n);
    } else if (what < 75) {
        pull(k, n, 1 + sim_below(&k->rng, 8));
    } else if (what < 82) {
        rotate(k, n);
    } else if (what < 85) {
        revoke(k, n);
    } else if (what < 92) {
        show(k, n);
    } else if (what < 95) {
        sim_direct_sign(k->world, "a log with keys");
    } else if (what < 97) {
        sim_device_kill(k->world, n, 0);
    } else {
        restore(k);
    }
    (void)open_store(k, n);
    check_store(k, n);
}

/* ---- the whole ----------------------------------------------------------- */

static void open_world(struct keys *k, uint64_t seed)
{
    struct sim_world *world = k->world;
    struct sim_hub *hub = &world->hub;
    struct ves_stream_row row;

    world->seed = seed;
    world->rng = k->rng;
    world->options.stores = STORES;
    world->options.processes = 1;
    memset(world->stream.tenant.b, 0x11, VES_UUID_SIZE);
    memset(world->stream.store.b, 0x33, VES_UUID_SIZE);
    world->verifier.verify = ves_verify_each;
    hub->faults.rng = &world->rng;
    world->agents = STORES;
    sim_signer_init(&k->owner, 'o', 1);
    world->owner_key = k->owner.signer.public_key;
    sim_hub_start(world);
    VES_ASSERT(hub->disk->ops->begin(hub->disk) == VES_OK);
    VES_ASSERT(hub->disk->ops->stream_get(hub->disk, &world->stream, false,
                                          &row) == VES_OK);
    row.has_owner_key = true;
    row.owner_key = world->owner_key;
    VES_ASSERT(hub->disk->ops->stream_put(hub->disk, &row) == VES_OK);
    VES_ASSERT(hub->disk->ops->commit(hub->disk) == VES_OK);
    k->stream_no = row.stream_no;
    for (size_t n = 0; n < STORES; n++) {
        memset(world->devices[n].agent.b, 0xa0 + (int)n, VES_UUID_SIZE);
        for (size_t i = 0; i <= KEYS; i++)
            sim_signer_init(&k->signers[n][i], 'k',
                            (uint8_t)(n * (KEYS + 1) + i));
        world->devices[n].key = k->signers[n][0];
        world->devices[n].is_registered = true;
        register_first(k, n);
        sim_device_start(world, n);
    }
    for (size_t i = 0; i < SHOWN; i++)
        ves_buf_init(&k->shown[i], ves_alloc_default(), TEXT_MAX);
    count(k);
}

/* Everybody hears all of it, and what can be sent is. */
static void settle(struct keys *k)
{
    bool is_done = false;

    for (int round = 0; round < ROUNDS && !is_done; round++) {
        is_done = true;
        for (size_t n = 0; n < STORES; n++) {
            for (int i = 0;
                 i < 40 &&
                 sim_head_of(k->world, k->world->devices[n].disk) != head(k);
                 i++)
                pull(k, n, 0);
            if (round + 2 < ROUNDS)
                push(k, n);
        }
        for (size_t n = 0; n < STORES; n++)
            is_done &=
                sim_head_of(k->world, k->world->devices[n].disk) == head(k);
    }
    if (!is_done)
        sim_fail(k->world, "not everybody has the log with keys");
    for (size_t n = 0; n < STORES; n++) {
        (void)open_store(k, n);
        check_store(k, n);
    }
}

static void close_world(struct keys *k)
{
    for (size_t i = 0; i < SHOWN; i++)
        ves_buf_free(&k->shown[i]);
    for (size_t n = 0; n < STORES; n++)
        sim_device_free(k->world, n);
    sim_hub_free(k->world);
    sim_network_free(k->world);
}

void sim_keys(struct sim_world *outer)
{
    uint64_t rng = outer->seed ^ UINT64_C(0x4b455953);

    if (!sim_chance(&rng, PER_MILLE))
        return;
    struct keys *k = calloc(1, sizeof(*k));
    VES_ASSERT(k != NULL);
    k->world = calloc(1, sizeof(*k->world));
    VES_ASSERT(k->world != NULL);
    k->outer = outer;
    k->rng = rng;
    at_hand = k;
    open_world(k, outer->seed);
    for (int i = 0; i < STEPS; i++)
        step(k);
    settle(k);
    sim_trace(outer, 'K', k->counted);
    sim_trace(outer, 'K', k->rng);
    outer->key_worlds++;
    close_world(k);
    free(k->world);
    free(k);
}
