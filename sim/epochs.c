/* epochs.c -- at the end of everything the sequencer's disk is an older copy,
 * and what it lost is given up, though every store has it (ADR 0024, 0048).
 *
 * Stores stop before the epoch, and change nothing by it.  By their owners'
 * word they go back to the common head, while calls fail and processes die;
 * then they pull and push as ever.  In the end nothing is lost: each event of a
 * store is in the new log, once, or refused with a signature, or decided; what
 * others had written is kept by everybody who had it; and all have one log and
 * one state.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "core/merkle.h"
#include "engine/folding.h"
#include "engine/log_epoch.h"
#include "engine/log_recover.h"
#include "engine/log_tree.h"
#include "sim/world.h"
#include "store/store_mem.h"

enum {
    TEXT_MAX = 4 << 20,
    SCRATCH_MAX = 64 << 20,
    FAILING_CALLS = 15, /* per mille */
    TRIES_MAX = 400,
    ROUNDS_MAX = 60,
    WRITING_ROUNDS = 4,
    IDLE_ROUNDS = 2, /* of all stores, that show that nothing is left */
    PER_MILLE = 250  /* of the seeds */
};

struct epochs {
    struct sim_world *world;
    struct ves_store *before; /* the disk that is lost */
    uint32_t stream_no;
    uint64_t rng;
    uint64_t size, common;           /* events signed, and left */
    uint64_t beyond[SIM_STORES_MAX]; /* what each store had of the rest */
};

static struct sim_process *process(struct epochs *e, size_t device)
{
    return &e->world->devices[device].processes[0];
}

/* ---- the older copy ------------------------------------------------------ */

struct boundary {
    uint64_t last; /* number in front of which no group is torn */
};

static enum ves_status see_member(void *ctx, const struct ves_log_row *row)
{
    struct boundary *boundary = ctx;
    struct ves_error ignored;
    struct ves_arena arena;
    struct ves_event event;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    VES_ASSERT(ves_log_event_read(&arena, row->envelope, &ignored, &event) ==
               VES_OK);
    if (event.context.has_cmd && event.context.cmd_index > 0)
        boundary->last = 0;
    ves_arena_free(&arena);
    return VES_OK;
}

/* Heads are signed behind whole requests. */
static bool is_boundary(struct epochs *e, uint64_t common)
{
    struct boundary boundary = {.last = common};

    VES_ASSERT(e->before->ops->log_read(e->before, e->stream_no, common + 1, 1,
                                        see_member, &boundary) == VES_OK);
    return boundary.last == common;
}

struct copying {
    struct epochs *e;
    struct ves_store *to;
};

static enum ves_status copy_row(void *ctx, const struct ves_log_row *row)
{
    struct copying *c = ctx;

    return row->sequence_number > c->e->common
               ? VES_OK
               : c->to->ops->log_append(c->to, c->e->stream_no, row, 1);
}

static enum ves_status copy_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct copying *c = ctx;
    struct ves_key_span known = *span;

    if (!span->is_found || span->valid_from_sequence > c->e->common)
        return VES_OK;
    if (known.revoked_at_sequence > c->e->common)
        known.revoked_at_sequence = 0;
    enum ves_status status = c->to->ops->key_put(c->to, row);
    return status ? status
                  : c->to->ops->key_span_put(c->to, c->e->stream_no,
                                             &row->agent, row->key_id, &known);
}

static void go_back(struct epochs *e)
{
    struct sim_world *world = e->world;
    struct ves_store *from = e->before;
    struct copying c = {.e = e};
    struct ves_stream_row row;

    VES_ASSERT(ves_store_mem_open(ves_alloc_default(), &c.to) == VES_OK);
    VES_ASSERT(c.to->ops->begin(c.to) == VES_OK);
    VES_ASSERT(c.to->ops->stream_get(c.to, &world->stream, true, &row) ==
               VES_OK);
    VES_ASSERT(row.stream_no == e->stream_no);
    VES_ASSERT(from->ops->log_read(from, e->stream_no, 1, 0, copy_row, &c) ==
               VES_OK);
    VES_ASSERT(from->ops->key_list(from, &world->stream.tenant, NULL,
                                   e->stream_no, copy_key, &c) == VES_OK);
    VES_ASSERT(c.to->ops->commit(c.to) == VES_OK);
    world->hub.disk = c.to;
    world->hub.sequencer.store = c.to;
    world->hub.sequencer.alloc = ves_alloc_default();
    VES_ASSERT(ves_log_tree_plant(&world->hub.sequencer) == VES_OK);
}

/* Whose key was registered behind the common head. */
static void register_again(struct epochs *e, size_t device)
{
    struct sim_world *world = e->world;
    struct ves_store *disk = world->hub.disk;
    struct ves_key_row row;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    if (disk->ops->key_get(disk, &world->stream.tenant,
                           &world->devices[device].agent, 1, &arena, &row) &&
        !sim_hub_register(world, device))
        sim_fail(world, "agent %zu cannot be registered again", device);
    ves_arena_free(&arena);
}

static void open_epoch(struct epochs *e)
{
    struct sim_world *world = e->world;
    struct ves_sequencer *sequencer = &world->hub.sequencer;
    uint64_t lost = 0, events;
    struct ves_log_recovery what = {.size = e->size,
                                    .root = world->log[e->size - 1].root,
                                    .keys = {sim_hub_receipt_key, world},
                                    .lost = &lost,
                                    .gives_up = true};
    const struct ves_log_giving_up giving_up = {.stream = world->stream,
                                                .size = e->size,
                                                .root = what.root,
                                                .reason = ves_bytes_str("sim")};
    const struct ves_uuid batch = {{0xe0}};
    struct ves_log_head head = {.is_due = false};
    struct ves_error error = {.status = VES_OK};
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    ves_stream_id(&world->stream, &what.stream_id);
    enum ves_status status = ves_log_recover(sequencer, &what, &events, &error);
    if (!status)
        status = ves_sequencer_upgrade(sequencer);
    if (!status)
        status =
            ves_log_epoch_open(sequencer, &giving_up, &batch,
                               sim_now_ms(e->world), &arena, &head, &error);
    if (!status && head.is_due)
        status = ves_log_head_keep(sequencer, &head, 1);
    if (status || sim_head_of(e->world, world->hub.disk) != e->common + 1)
        sim_fail(world, "the last epoch cannot be opened: %s", error.text);
    ves_arena_free(&arena);
    for (size_t i = 0; i < world->agents; i++)
        register_again(e, i);
}

/* ---- what it tells ------------------------------------------------------- */

static void write_page(struct epochs *e, uint64_t from, uint32_t limit,
                       struct ves_buf *out)
{
    struct ves_buf items;

    ves_buf_init(&items, ves_alloc_default(), TEXT_MAX);
    uint64_t count =
        sim_direct_items(e->world, e->stream_no, from, limit, &items);
    sim_direct_page(e->world, e->stream_no, ves_buf_view(&items), from,
                    from + count, sim_head_of(e->world, e->world->hub.disk),
                    out);
    ves_buf_free(&items);
}

static void learn_keys(struct epochs *e, size_t device)
{
    struct ves_buf text;

    ves_buf_init(&text, ves_alloc_default(), TEXT_MAX);
    sim_hub_directory(e->world, &text);
    enum ves_status status = ves_core_keys(
        &process(e, device)->core, ves_buf_view(&text), sim_now_ms(e->world));
    if (status)
        sim_fail(e->world, "store %zu refuses the epoch's directory: %s",
                 device, process(e, device)->core.error.text);
    ves_buf_free(&text);
}

static struct ves_page *take_page(struct epochs *e, size_t device,
                                  uint64_t from, struct ves_bytes text)
{
    struct ves_agent_core *core = &process(e, device)->core;
    struct ves_page *page = NULL;
    bool needs_keys;

    for (int i = 0; i < 2; i++) {
        ves_page_free(page);
        page = NULL;
        VES_ASSERT(ves_core_page_read(core, text, from, &page, &needs_keys) ==
                   VES_OK);
        if (!needs_keys)
            break;
        learn_keys(e, device);
    }
    ves_core_page_verify(core, page);
    return page;
}

static struct ves_page *read_page(struct epochs *e, size_t device,
                                  uint64_t from, uint32_t limit)
{
    struct ves_buf text;

    write_page(e, from, limit, &text);
    struct ves_page *page = take_page(e, device, from, ves_buf_view(&text));
    ves_buf_free(&text);
    return page;
}

/* Did anything come? */
static bool pull(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_pull_result result = {.received = 0};
    uint64_t from;

    VES_ASSERT(ves_core_pull_from(&p->core, &from) == VES_OK);
    struct ves_page *page =
        read_page(e, device, from, 1 + (uint32_t)sim_below(&e->rng, 40));
    enum ves_status status =
        ves_core_page_apply(&p->core, page, sim_now_ms(e->world), &result);
    ves_page_free(page);
    if (status && status != VES_AGAIN)
        sim_fail(e->world, "store %zu does not follow the epoch: %s", device,
                 p->core.error.text);
    return status || result.received > 0;
}

/* ---- what it is sent ----------------------------------------------------- */

/* Was there anything to do? */
static bool push(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_core_own own;

    VES_ASSERT(ves_core_own(&p->core, &own) == VES_OK);
    bool is_whole = own.was_backup && !own.needs_pull;
    bool is_chained = own.needs_rechain && !own.needs_pull;
    if (is_whole)
        VES_ASSERT(ves_core_own_whole(&p->core) == VES_OK);
    if (is_chained && ves_core_rechain(&p->core, sim_now_ms(e->world)))
        return true;
    return sim_direct_push(e->world, device,
                           (uint32_t)(1 + sim_below(&e->rng, 30))) !=
               SIM_NOTHING_TO_PUSH ||
           is_whole || is_chained;
}

/* ---- the stores ---------------------------------------------------------- */

/* Whatever fails on the way: nothing is done, or all of it. */
static void follow(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_core_given_up done = {.epoch = 0};
    struct ves_store *disk = e->world->devices[device].disk;
    uint64_t cursor = sim_head_of(e->world, disk);
    enum ves_status status = VES_IO;
    struct ves_buf text;

    write_page(e, e->common + 1, 1, &text);
    for (int i = 0; i < TRIES_MAX && status; i++) {
        struct ves_page *page =
            take_page(e, device, e->common + 1, ves_buf_view(&text));
        p->faults.rng = &e->rng;
        p->faults.fail_per_mille = p->faults.late_per_mille = FAILING_CALLS;
        p->faults.crash_per_mille = p->faults.nomem_per_mille = FAILING_CALLS;
        p->faults.is_on = i + 1 < TRIES_MAX / 2;
        status = ves_core_epoch_follow(&p->core, page, sim_now_ms(e->world),
                                       false, &done);
        p->faults.is_on = false;
        ves_page_free(page);
        sim_device_kill(e->world, device, 0);
        VES_ASSERT(sim_device_revive(e->world, device));
        uint64_t now = sim_head_of(e->world, disk);
        if (now != cursor && now != e->common)
            sim_fail(e->world, "store %zu is torn at %llu", device,
                     (unsigned long long)now);
        if (status == VES_NOT_FOUND && now == e->common)
            status = VES_OK; /* it was done, and nobody was told */
    }
    ves_buf_free(&text);
    if (status)
        sim_fail(e->world, "store %zu does not go back: %s", device,
                 p->core.error.text);
}

static void stop(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_store *disk = e->world->devices[device].disk;
    uint64_t cursor = sim_head_of(e->world, disk);
    struct ves_page *page = read_page(e, device, e->common + 1, 1);
    enum ves_status status =
        ves_core_epoch_beyond(&p->core, page, sim_now_ms(e->world));

    ves_page_free(page);
    e->beyond[device] = cursor > e->common ? cursor - e->common : 0;
    if (status != (e->beyond[device] ? VES_DIVERGED : VES_NOT_FOUND) ||
        sim_head_of(e->world, disk) != cursor)
        sim_fail(e->world,
                 "store %zu of %llu events meets an epoch from %llu "
                 "on: %s",
                 device, (unsigned long long)cursor,
                 (unsigned long long)e->common, ves_status_name(status));
}

/* ---- what holds in the end ----------------------------------------------- */

struct comparing {
    struct epochs *e;
    struct ves_buf *out;
};

static enum ves_status spell_row(void *ctx, const struct ves_log_row *row)
{
    struct ves_buf *out = ctx;

    ves_buf_put_hex(out, row->event_hash.b, VES_HASH_SIZE);
    ves_buf_put_hex(out, row->signature.b, VES_SIG_SIZE);
    return VES_OK;
}

static void check_log(struct epochs *e, size_t device)
{
    struct ves_store *ours = e->world->devices[device].disk;
    struct ves_store *theirs = e->world->hub.disk;
    struct ves_buf a, b;

    ves_buf_init(&a, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_init(&b, ves_alloc_default(), SCRATCH_MAX);
    VES_ASSERT(ours->ops->log_read(ours, 1, 1, 0, spell_row, &a) == VES_OK);
    VES_ASSERT(theirs->ops->log_read(theirs, e->stream_no, 1, 0, spell_row,
                                     &b) == VES_OK);
    if (!ves_bytes_equal(ves_buf_view(&a), ves_buf_view(&b)))
        sim_fail(e->world, "store %zu has another log than the new epoch",
                 device);
    ves_buf_free(&a);
    ves_buf_free(&b);
}

struct own_rows {
    struct epochs *e;
    size_t device;
    uint64_t open;
};

static enum ves_status check_own(void *ctx, const struct ves_outbox_row *row)
{
    struct own_rows *own = ctx;
    struct ves_store *hub = own->e->world->hub.disk;
    struct ves_id_row found;

    VES_ASSERT(hub->ops->log_find_ids(hub, own->e->stream_no, &row->event_id, 1,
                                      &found) == VES_OK);
    if (found.sequence_number != row->sequence_number)
        sim_fail(own->e->world,
                 "store %zu says number %llu of an event that has %llu",
                 own->device, (unsigned long long)row->sequence_number,
                 (unsigned long long)found.sequence_number);
    if (row->sequence_number == 0 && !row->is_refused &&
        row->status != VES_OUTBOX_FAILED && row->status != VES_OUTBOX_CONFLICT)
        own->open++;
    return VES_OK;
}

struct given_up {
    struct epochs *e;
    uint64_t count;
};

static enum ves_status see_given_up(void *ctx, uint64_t epoch,
                                    const struct ves_log_row *row)
{
    struct given_up *given_up = ctx;
    const struct epochs *e = given_up->e;
    const struct sim_entry *entry = &e->world->log[row->sequence_number - 1];
    struct ves_hash envelope;

    sim_envelope_hash(row, &envelope);
    if (epoch != 1 || row->sequence_number <= e->common ||
        !ves_hash_equal(&row->event_hash, &entry->event_hash) ||
        !ves_hash_equal(&envelope, &entry->envelope))
        sim_fail(e->world, "what was given up as %llu is kept as another",
                 (unsigned long long)row->sequence_number);
    given_up->count++;
    return VES_OK;
}

static void check_store(struct epochs *e, size_t device, struct ves_hash *state)
{
    struct ves_agent_core *core = &process(e, device)->core;
    struct ves_store *disk = e->world->devices[device].disk;
    const struct ves_outbox_filter all = {.status_mask = 0};
    struct own_rows own = {.e = e, .device = device};
    struct given_up given_up = {e, 0};
    struct ves_core_status status;

    check_log(e, device);
    VES_ASSERT(disk->ops->outbox_list(disk, &all, check_own, &own) == VES_OK);
    VES_ASSERT(ves_core_status(core, &status) == VES_OK);
    if (own.open > 0 || status.is_diverged || status.is_copied)
        sim_fail(e->world, "store %zu keeps %llu events to itself%s%s", device,
                 (unsigned long long)own.open,
                 status.is_diverged ? ", diverged" : "",
                 status.is_copied ? ", copied" : "");
    VES_ASSERT(disk->ops->given_up_read(disk, 1, 1, 0, see_given_up,
                                        &given_up) == VES_OK);
    if (given_up.count != e->beyond[device])
        sim_fail(e->world,
                 "store %zu had %llu events that were given up and "
                 "keeps %llu",
                 device, (unsigned long long)e->beyond[device],
                 (unsigned long long)given_up.count);
    VES_ASSERT(ves_core_state_hash(core, state) == VES_OK);
    VES_ASSERT(ves_core_refold(core) == VES_OK);
    sim_check_refolded(e->world, device);
}

struct certain {
    struct epochs *e;
    uint64_t
        numbers[SIM_EVENTS_MAX]; /* chain numbers met, a device at a time */
    size_t count, device;
};

static enum ves_status see_place(void *ctx, const struct ves_log_row *row)
{
    struct certain *c = ctx;

    if (!ves_uuid_equal(&row->agent, &c->e->world->devices[c->device].agent) ||
        row->agent_seq == 0)
        return VES_OK;
    for (size_t i = 0; i < c->count; i++)
        if (c->numbers[i] == row->agent_seq)
            sim_fail(c->e->world,
                     "store %zu gave number %llu of its chain twice", c->device,
                     (unsigned long long)row->agent_seq);
    c->numbers[c->count++] = row->agent_seq;
    return VES_OK;
}

static void check_chains(struct epochs *e)
{
    static struct certain c;
    struct ves_store *disk = e->world->hub.disk;

    for (size_t i = 0; i < e->world->options.stores; i++) {
        c = (struct certain){.e = e, .device = i};
        VES_ASSERT(disk->ops->log_read(disk, e->stream_no, 1, 0, see_place,
                                       &c) == VES_OK);
    }
}

static void check_end(struct epochs *e)
{
    struct ves_hash first, other;

    for (size_t i = 0; i < e->world->options.stores; i++) {
        check_store(e, i, i == 0 ? &first : &other);
        if (i > 0 && !ves_hash_equal(&first, &other))
            sim_fail(e->world, "store %zu has another state", i);
    }
    check_chains(e);
}

/* ---- all of it ----------------------------------------------------------- */

/* True when there was anything to do. */
static bool live_round(struct epochs *e, int round, bool is_late)
{
    struct sim_world *world = e->world;
    size_t stores = world->options.stores;
    bool has_moved = round < WRITING_ROUNDS;

    for (size_t i = 0; i < stores; i++) {
        size_t device = (i + (size_t)round) % stores;
        if (is_late || sim_chance(&e->rng, 700))
            has_moved |= pull(e, device);
        if (round < WRITING_ROUNDS && sim_chance(&e->rng, 300))
            sim_device_append(world, device, 0);
        if (is_late || sim_chance(&e->rng, 500))
            has_moved |= push(e, device);
        if (is_late || sim_chance(&e->rng, 300))
            sim_direct_sign(e->world, "the new epoch");
    }
    return has_moved;
}

/* No time passes here: rounds in which everybody was asked and nobody had
 * anything to do would be followed by others of their kind. */
static void live_on(struct epochs *e)
{
    struct sim_world *world = e->world;
    size_t stores = world->options.stores;
    int idle = 0;

    for (int round = 0; round < ROUNDS_MAX && idle <= IDLE_ROUNDS; round++) {
        bool is_late = round > ROUNDS_MAX / 2 || idle > 0;
        idle = live_round(e, round, is_late) ? 0 : idle + 1;
    }
    for (int round = 0; round < 200; round++)
        for (size_t i = 0; i < stores; i++)
            if (sim_head_of(e->world, world->devices[i].disk) !=
                sim_head_of(e->world, world->hub.disk))
                pull(e, i);
}

static bool may_begin(struct epochs *e)
{
    struct sim_world *world = e->world;

    for (size_t i = 0; i < world->options.stores; i++)
        if (!world->devices[i].disk || world->devices[i].is_revoked ||
            !process(e, i)->is_loaded)
            return false;
    e->size = sim_head_of(e->world, e->before);
    if (e->size < 2)
        return false;
    e->common = 1 + sim_below(&e->rng, e->size - 1);
    while (e->common > 0 && !is_boundary(e, e->common))
        e->common--;
    return e->common > 0;
}

bool sim_epochs(struct sim_world *world)
{
    struct epochs e = {.world = world,
                       .before = world->hub.disk,
                       .rng = world->seed ^ UINT64_C(0x45504f4348)};
    struct ves_store *wrapped = world->hub.sequencer.store;
    const struct ves_alloc *alloc = world->hub.sequencer.alloc;
    struct ves_stream_row row;

    if (!sim_chance(&e.rng, PER_MILLE))
        return false;
    VES_ASSERT(e.before->ops->stream_get(e.before, &world->stream, false,
                                         &row) == VES_OK);
    e.stream_no = row.stream_no;
    if (!may_begin(&e))
        return false;
    go_back(&e);
    open_epoch(&e);
    for (size_t i = 0; i < world->options.stores; i++) {
        stop(&e, i);
        if (sim_chance(&e.rng, 500))
            sim_device_append(world, i, 0);
        if (e.beyond[i] > 0)
            follow(&e, i);
    }
    live_on(&e);
    check_end(&e);
    ves_store_mem_close(world->hub.disk);
    world->hub.disk = e.before;
    world->hub.sequencer.store = wrapped;
    world->hub.sequencer.alloc = alloc;
    world->followed++;
    return true;
}
