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
    PER_MILLE = 250 /* of the seeds */
};

struct epochs {
    struct sim_world *world;
    struct ves_store *before; /* the disk that is lost */
    uint32_t stream_no;
    uint64_t rng, batches;
    uint64_t size, common;           /* events signed, and left */
    uint64_t beyond[SIM_STORES_MAX]; /* what each store had of the rest */
};

static int64_t now_ms(const struct epochs *e)
{
    return INT64_C(1770000000000) + (int64_t)e->world->tick * 10;
}

static struct sim_process *process(struct epochs *e, size_t device)
{
    return &e->world->devices[device].processes[0];
}

static uint64_t head_of(const struct epochs *e, struct ves_store *disk)
{
    struct ves_stream_row row;

    VES_ASSERT(disk->ops->stream_get(disk, &e->world->stream, false, &row) ==
               VES_OK);
    return row.head;
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

static void sign(struct epochs *e)
{
    struct ves_sequencer *sequencer = &e->world->hub.sequencer;
    struct ves_error error = {.status = VES_OK};
    struct ves_log_head head;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    if (ves_log_head_make(sequencer, sequencer->store, &e->world->stream,
                          now_ms(e), &arena, &head, &error))
        sim_fail(e->world, "the new epoch cannot be signed: %s", error.text);
    if (head.is_due)
        VES_ASSERT(ves_log_head_keep(sequencer, &head, 1) == VES_OK);
    ves_arena_free(&arena);
}

static bool find_receipt_key(void *ctx, uint32_t version,
                             struct ves_public_key *out)
{
    const struct sim_world *world = ctx;

    if (version < 1 || version > world->hub.key_count)
        return false;
    *out = world->hub.keys[version - 1].signer.public_key;
    return true;
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
                                    .keys = {find_receipt_key, world},
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
        status = ves_log_epoch_open(sequencer, &giving_up, &batch, now_ms(e),
                                    &arena, &head, &error);
    if (!status && head.is_due)
        status = ves_log_head_keep(sequencer, &head, 1);
    if (status || head_of(e, world->hub.disk) != e->common + 1)
        sim_fail(world, "the last epoch cannot be opened: %s", error.text);
    ves_arena_free(&arena);
    for (size_t i = 0; i < world->agents; i++)
        register_again(e, i);
}

/* ---- what it tells ------------------------------------------------------- */

struct listing {
    struct epochs *e;
    struct ves_buf *out;
    uint64_t count;
};

static enum ves_status put_row(void *ctx, const struct ves_log_row *row)
{
    static const struct sim_message nobody;
    struct listing *list = ctx;

    ves_buf_put_str(list->out, list->count++ ? "," : "");
    sim_forge_item(list->e->world, &nobody, SIM_TRUTH, row,
                   row->sequence_number, list->out);
    return VES_OK;
}

static void write_page(struct epochs *e, uint64_t from, uint32_t limit,
                       struct ves_buf *out)
{
    struct ves_store *disk = e->world->hub.disk;
    uint64_t head = head_of(e, disk);
    struct listing list = {.e = e, .out = out};
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_init(out, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_str(out, "{\"events\":[");
    VES_ASSERT(disk->ops->log_read(disk, e->stream_no, from, limit, put_row,
                                   &list) == VES_OK);
    uint64_t next = from + list.count;
    ves_buf_putf(out,
                 "],\"count\":%llu,\"next_sequence\":%llu,\"head_sequence\":"
                 "%llu,\"has_more\":%s",
                 (unsigned long long)list.count, (unsigned long long)next,
                 (unsigned long long)head, next <= head ? "true" : "false");
    VES_ASSERT(ves_log_page_write(out, disk, e->stream_no, next - 1, &arena) ==
               VES_OK);
    ves_buf_put_str(out, "}");
    VES_ASSERT(ves_buf_status(out) == VES_OK);
    ves_arena_free(&arena);
}

static void learn_keys(struct epochs *e, size_t device)
{
    struct ves_buf text;

    ves_buf_init(&text, ves_alloc_default(), TEXT_MAX);
    sim_hub_directory(e->world, &text);
    enum ves_status status = ves_core_keys(&process(e, device)->core,
                                           ves_buf_view(&text), now_ms(e));
    if (status)
        sim_fail(e->world, "store %zu refuses the epoch's directory: %s",
                 device, process(e, device)->core.error.text);
    ves_buf_free(&text);
}

/* NULL: not now. */
static struct ves_page *read_page(struct epochs *e, size_t device,
                                  uint64_t from, uint32_t limit)
{
    struct ves_agent_core *core = &process(e, device)->core;
    struct ves_page *page = NULL;
    struct ves_buf text;
    bool needs_keys;

    write_page(e, from, limit, &text);
    for (int i = 0; i < 2; i++) {
        ves_page_free(page);
        page = NULL;
        VES_ASSERT(ves_core_page_read(core, ves_buf_view(&text), from, &page,
                                      &needs_keys) == VES_OK);
        if (!needs_keys)
            break;
        learn_keys(e, device);
    }
    ves_buf_free(&text);
    ves_core_page_verify(core, page);
    return page;
}

static void pull(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_pull_result result = {.received = 0};
    uint64_t from;

    VES_ASSERT(ves_core_pull_from(&p->core, &from) == VES_OK);
    struct ves_page *page =
        read_page(e, device, from, 1 + (uint32_t)sim_below(&e->rng, 40));
    enum ves_status status =
        ves_core_page_apply(&p->core, page, now_ms(e), &result);
    ves_page_free(page);
    if (status && status != VES_AGAIN)
        sim_fail(e->world, "store %zu does not follow the epoch: %s", device,
                 p->core.error.text);
}

/* ---- what it is sent ----------------------------------------------------- */

static bool find_key(void *ctx, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, uint32_t key_id,
                     struct ves_public_key *out)
{
    struct sim_world *world = ctx;

    for (size_t i = 0; i < world->agents; i++)
        if (key_id == 1 && ves_uuid_equal(tenant, &world->stream.tenant) &&
            ves_uuid_equal(agent, &world->devices[i].agent)) {
            *out = world->devices[i].key.signer.public_key;
            return true;
        }
    return false;
}

static void ingest(struct epochs *e, size_t device, struct ves_bytes body,
                   struct ves_buf *answer)
{
    struct sim_world *world = e->world;
    struct ves_key_source keys = {world, find_key};
    struct ves_caller caller = {.tenant = world->stream.tenant,
                                .has_store = true,
                                .store = world->stream.store,
                                .has_agent = true,
                                .agent = world->devices[device].agent,
                                .rights = VES_RIGHT_READ | VES_RIGHT_WRITE};
    struct ves_sequencer *sequencer = &world->hub.sequencer;
    struct ves_ingest request, *group[1] = {&request};
    struct ves_uuid id;

    memset(&id, 0xe1, sizeof(id));
    e->batches++;
    memcpy(id.b, &e->batches, sizeof(e->batches));
    VES_ASSERT(ves_ingest_read(&request, ves_alloc_default(), body, &caller) ==
                   VES_OK &&
               request.http_status == 200);
    VES_ASSERT(ves_ingest_prepare(&request, ves_alloc_default(), &keys,
                                  &world->verifier, false) == VES_OK);
    VES_ASSERT(ves_sequencer_commit(sequencer, group, 1, &id, now_ms(e)) ==
               VES_OK);
    VES_ASSERT(ves_ingest_answer(&request, sequencer, VES_DIALECT_JS, answer) ==
               VES_OK);
    ves_ingest_free(&request);
}

static bool nobody_lives(const struct ves_lease *holder)
{
    (void)holder;
    return false;
}

static void push(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_core_env env = sim_device_env(e->world, device);
    struct ves_push_result result = {.attempted = 0};
    struct ves_core_own own;
    struct ves_buf answer;
    struct ves_push push;

    VES_ASSERT(ves_core_own(&p->core, &own) == VES_OK);
    if (own.was_backup && !own.needs_pull)
        VES_ASSERT(ves_core_own_whole(&p->core) == VES_OK);
    if (own.needs_rechain && !own.needs_pull &&
        ves_core_rechain(&p->core, now_ms(e)))
        return;
    if (ves_core_push_begin(&p->core, &p->lease, nobody_lives, now_ms(e),
                            (uint32_t)(1 + sim_below(&e->rng, 30)), true,
                            &push))
        return;
    if (push.count > 0) {
        ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
        ingest(e, device, ves_buf_view(&push.body), &answer);
        (void)!ves_core_push_end(&p->core, &push, &env, 200,
                                 ves_buf_view(&answer), 0, &result);
        ves_buf_free(&answer);
    }
    ves_core_push_release(&p->core, &push);
    ves_push_free(&push, &p->alloc.alloc);
}

/* ---- the stores ---------------------------------------------------------- */

/* Whatever fails on the way: nothing is done, or all of it. */
static void follow(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_core_given_up done = {.epoch = 0};
    struct ves_store *disk = e->world->devices[device].disk;
    uint64_t cursor = head_of(e, disk);
    enum ves_status status = VES_IO;

    for (int i = 0; i < TRIES_MAX && status; i++) {
        struct ves_page *page = read_page(e, device, e->common + 1, 1);
        p->faults.rng = &e->rng;
        p->faults.fail_per_mille = p->faults.late_per_mille = FAILING_CALLS;
        p->faults.crash_per_mille = p->faults.nomem_per_mille = FAILING_CALLS;
        p->faults.is_on = i + 1 < TRIES_MAX / 2;
        status = ves_core_epoch_follow(&p->core, page, now_ms(e), false, &done);
        p->faults.is_on = false;
        ves_page_free(page);
        sim_device_kill(e->world, device, 0);
        VES_ASSERT(sim_device_revive(e->world, device));
        uint64_t now = head_of(e, disk);
        if (now != cursor && now != e->common)
            sim_fail(e->world, "store %zu is torn at %llu", device,
                     (unsigned long long)now);
        if (status == VES_NOT_FOUND && now == e->common)
            return; /* it was done, and nobody was told */
    }
    if (status)
        sim_fail(e->world, "store %zu does not go back: %s", device,
                 p->core.error.text);
}

static void stop(struct epochs *e, size_t device)
{
    struct sim_process *p = process(e, device);
    struct ves_store *disk = e->world->devices[device].disk;
    uint64_t cursor = head_of(e, disk);
    struct ves_page *page = read_page(e, device, e->common + 1, 1);
    enum ves_status status = ves_core_epoch_beyond(&p->core, page, now_ms(e));

    ves_page_free(page);
    e->beyond[device] = cursor > e->common ? cursor - e->common : 0;
    if (status != (e->beyond[device] ? VES_DIVERGED : VES_NOT_FOUND) ||
        head_of(e, disk) != cursor)
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

static enum ves_status see_given_up(void *ctx, uint64_t epoch,
                                    const struct ves_log_row *row)
{
    struct epochs *e = ctx;
    const struct sim_entry *entry = &e->world->log[row->sequence_number - 1];
    struct ves_hash envelope;

    sim_envelope_hash(row, &envelope);
    if (epoch != 1 || row->sequence_number <= e->common ||
        !ves_hash_equal(&row->event_hash, &entry->event_hash) ||
        !ves_hash_equal(&envelope, &entry->envelope))
        sim_fail(e->world, "what was given up as %llu is kept as another",
                 (unsigned long long)row->sequence_number);
    e->batches++;
    return VES_OK;
}

static void check_store(struct epochs *e, size_t device, struct ves_hash *state)
{
    struct ves_agent_core *core = &process(e, device)->core;
    struct ves_store *disk = e->world->devices[device].disk;
    const struct ves_outbox_filter all = {.status_mask = 0};
    struct own_rows own = {.e = e, .device = device};
    struct ves_core_status status;

    check_log(e, device);
    VES_ASSERT(disk->ops->outbox_list(disk, &all, check_own, &own) == VES_OK);
    VES_ASSERT(ves_core_status(core, &status) == VES_OK);
    if (own.open > 0 || status.is_diverged || status.is_copied)
        sim_fail(e->world, "store %zu keeps %llu events to itself%s%s", device,
                 (unsigned long long)own.open,
                 status.is_diverged ? ", diverged" : "",
                 status.is_copied ? ", copied" : "");
    e->batches = 0;
    VES_ASSERT(disk->ops->given_up_read(disk, 1, 1, 0, see_given_up, e) ==
               VES_OK);
    if (e->batches != e->beyond[device])
        sim_fail(e->world,
                 "store %zu had %llu events that were given up and "
                 "keeps %llu",
                 device, (unsigned long long)e->beyond[device],
                 (unsigned long long)e->batches);
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

static void live_on(struct epochs *e)
{
    struct sim_world *world = e->world;
    size_t stores = world->options.stores;

    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool is_late = round > ROUNDS_MAX / 2;
        for (size_t i = 0; i < stores; i++) {
            size_t device = (i + (size_t)round) % stores;
            if (is_late || sim_chance(&e->rng, 700))
                pull(e, device);
            if (round < 4 && sim_chance(&e->rng, 300))
                sim_device_append(world, device, 0);
            if (is_late || sim_chance(&e->rng, 500))
                push(e, device);
            if (is_late || sim_chance(&e->rng, 300))
                sign(e);
        }
    }
    for (int round = 0; round < 200; round++)
        for (size_t i = 0; i < stores; i++)
            if (head_of(e, world->devices[i].disk) !=
                head_of(e, world->hub.disk))
                pull(e, i);
}

static bool may_begin(struct epochs *e)
{
    struct sim_world *world = e->world;

    for (size_t i = 0; i < world->options.stores; i++)
        if (!world->devices[i].disk || world->devices[i].is_revoked ||
            !process(e, i)->is_loaded)
            return false;
    e->size = head_of(e, e->before);
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
