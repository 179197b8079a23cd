/* restore.c -- an older copy of the sequencer's disk is put where the disk was.
 *
 * What happens then happens to a copy beside the world, which goes on with its
 * own disk: the log there is the truth the copy has to come to again.
 *
 *   the head file is newer      the sequencer does not start
 *   it was restored, too        as it was at some time before: it starts where
 *                               it is not behind that; whoever knows a later
 *                               head freezes it
 *   then                        the tail is rebuilt from what stores hold, or
 *                               nothing is changed, or what is lost is given
 *                               up, in a new epoch of the copy
 *
 * Whatever the copy signs counts among the heads of the world.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/merkle.h"
#include "engine/log_epoch.h"
#include "engine/log_recover.h"
#include "engine/log_tree.h"
#include "sim/world.h"
#include "store/store_mem.h"

enum { SCRATCH_MAX = 64 << 20, FAILING_CALLS = 30 /* per mille */ };

struct restored {
    struct sim_world *world;
    struct ves_store *disk; /* the copy */
    struct ves_sequencer sequencer;
    uint32_t stream_no;
    uint64_t end;    /* events in the backup */
    uint64_t opened; /* number of an epoch's opening */
    struct ves_store *stores[SIM_STORES_MAX];
    size_t store_count;
};

static enum ves_status copy_row(void *ctx, const struct ves_log_row *row)
{
    struct restored *r = ctx;

    if (row->sequence_number > r->end)
        return VES_OK;
    return r->disk->ops->log_append(r->disk, r->stream_no, row, 1);
}

static void make_copy(struct restored *r)
{
    struct sim_world *world = r->world;
    struct ves_store *from = world->hub.disk;
    struct ves_stream_row row, stream;

    VES_ASSERT(ves_store_mem_open(ves_alloc_default(), &r->disk) == VES_OK);
    VES_ASSERT(from->ops->stream_get(from, &world->stream, false, &stream) ==
               VES_OK);
    VES_ASSERT(r->disk->ops->begin(r->disk) == VES_OK);
    VES_ASSERT(r->disk->ops->stream_get(r->disk, &world->stream, true, &row) ==
               VES_OK);
    r->stream_no = row.stream_no;
    VES_ASSERT(from->ops->log_read(from, stream.stream_no, 1, 0, copy_row, r) ==
               VES_OK);
    VES_ASSERT(r->disk->ops->commit(r->disk) == VES_OK);
    r->sequencer = world->hub.sequencer;
    r->sequencer.store = r->disk;
    r->sequencer.alloc = ves_alloc_default();
    VES_ASSERT(ves_log_tree_plant(&r->sequencer) == VES_OK);
}

/* ---- what it signs ------------------------------------------------------- */

/* The size of the head that is signed and kept now; 0: none. */
static uint64_t sign(struct restored *r)
{
    struct ves_arena arena;
    struct ves_log_head head;
    struct ves_error error = {.status = VES_OK};
    uint64_t size = 0;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    if (ves_log_head_make(&r->sequencer, r->disk, &r->world->stream,
                          (int64_t)r->world->tick, &arena, &head, &error))
        sim_fail(r->world, "a restored log cannot be signed: %s", error.text);
    if (head.is_due) {
        sim_heads_check(r->world, head.row.size, &head.row.root);
        VES_ASSERT(ves_log_head_keep(&r->sequencer, &head, 1) == VES_OK);
        size = head.row.size;
    }
    ves_arena_free(&arena);
    return size;
}

/* ---- a client that knows more -------------------------------------------- */

/* Says a head of that size, which was published. */
static void hear(struct restored *r, uint64_t size)
{
    const struct ves_checkpoint head = {.size = size,
                                        .root = r->world->log[size - 1].root};
    enum ves_log_claim claim = VES_LOG_AGREES;
    struct ves_stream_row row;

    VES_ASSERT(r->disk->ops->stream_get(r->disk, &r->world->stream, false,
                                        &row) == VES_OK);
    VES_ASSERT(ves_log_claim_compare(r->disk, &row, &head, &claim) == VES_OK);
    if ((claim == VES_LOG_AGREES) != (size <= r->end))
        sim_fail(r->world, "a head of %llu %s a backup of %llu events",
                 (unsigned long long)size,
                 claim == VES_LOG_AGREES ? "agrees with" : "contradicts",
                 (unsigned long long)r->end);
    if (claim == VES_LOG_AGREES)
        return;
    VES_ASSERT(ves_log_freeze(&r->sequencer, &r->world->stream,
                              ves_bytes_str("a client knows more"),
                              ves_bytes_str(""), 1) == VES_OK);
    if (sign(r) > 0)
        sim_fail(r->world, "a frozen stream is signed");
}

/* ---- the tail ------------------------------------------------------------ */

static void choose_stores(struct restored *r)
{
    struct sim_world *world = r->world;
    size_t first = sim_below(&world->heads_rng, world->options.stores);

    for (size_t i = 0; i < world->options.stores; i++) {
        struct sim_device *device =
            &world->devices[(first + i) % world->options.stores];
        if (device->disk && sim_chance(&world->heads_rng, 600))
            r->stores[r->store_count++] = device->disk;
    }
}

struct held {
    uint64_t number;
    bool is_held;
};

static enum ves_status see_row(void *ctx, const struct ves_log_row *row)
{
    struct held *held = ctx;

    held->is_held |= row->sequence_number == held->number && row->has_receipt;
    return VES_OK;
}

/* The first event up to size that none of the stores can give back; 0: they
 * have them all. */
static uint64_t find_lost(const struct restored *r, uint64_t size)
{
    for (uint64_t n = r->end + 1; n <= size; n++) {
        struct held held = {.number = n};
        for (size_t i = 0; i < r->store_count; i++) {
            struct ves_store *store = r->stores[i];
            struct ves_stream_row row;
            if (store->ops->stream_get(store, &r->world->stream, false, &row))
                continue;
            VES_ASSERT(store->ops->log_read(store, row.stream_no, n, 1, see_row,
                                            &held) == VES_OK);
            struct ves_promise_row promise;
            size_t found;
            VES_ASSERT(store->ops->outbox_promised(store, n, n, 1, &promise,
                                                   &found) == VES_OK);
            held.is_held |= found > 0;
        }
        if (!held.is_held)
            return n;
    }
    return 0;
}

static enum ves_status compare_row(void *ctx, const struct ves_log_row *row)
{
    struct restored *r = ctx;
    const struct sim_entry *entry = &r->world->log[row->sequence_number - 1];
    struct ves_hash envelope;

    sim_envelope_hash(row, &envelope);
    if (!ves_hash_equal(&row->event_hash, &entry->event_hash) ||
        !ves_hash_equal(&envelope, &entry->envelope) ||
        memcmp(row->receipt.b, entry->receipt.b, VES_SIG_SIZE) != 0 ||
        row->receipt_key_version != entry->receipt_key_version)
        sim_fail(r->world, "event %llu came back as another",
                 (unsigned long long)row->sequence_number);
    return VES_OK;
}

/* lost may be NULL: all or nothing; else what there is is taken. */
static enum ves_status try_recover(struct restored *r, uint64_t size,
                                   uint64_t *lost)
{
    struct ves_log_recovery what = {.size = size,
                                    .lost = lost,
                                    .gives_up = lost != NULL,
                                    .root = r->world->log[size - 1].root,
                                    .stores = r->stores,
                                    .store_count = r->store_count,
                                    .keys = {sim_hub_receipt_key, r->world}};
    struct ves_error error = {.status = VES_OK};
    uint64_t events;

    ves_stream_id(&r->world->stream, &what.stream_id);
    return ves_log_recover(&r->sequencer, &what, &events, &error);
}

/* Whatever fails, and whenever it dies: all of it or nothing. */
static void recover_badly(struct restored *r, uint64_t size)
{
    struct sim_faults faults = {.rng = &r->world->heads_rng,
                                .is_on = true,
                                .fail_per_mille = FAILING_CALLS,
                                .crash_per_mille = FAILING_CALLS};
    struct sim_store store;

    sim_store_init(&store, r->disk, &faults);
    r->sequencer.store = &store.store;
    enum ves_status status = try_recover(r, size, NULL);
    r->sequencer.store = r->disk;
    ves_store_mem_crash(r->disk);
    uint64_t head = sim_head_of(r->world, r->disk);
    if (head != size && (head != r->end || !status))
        sim_fail(r->world, "a rebuilt tail is torn at %llu",
                 (unsigned long long)head);
}

/* ---- what is given up ---------------------------------------------------- */

static enum ves_status try_epoch(struct restored *r, uint64_t size,
                                 struct ves_arena *arena)
{
    const struct ves_log_giving_up what = {.stream = r->world->stream,
                                           .size = size,
                                           .root = r->world->log[size - 1].root,
                                           .reason = ves_bytes_str("sim")};
    struct ves_uuid batch = {{0}};
    struct ves_log_head head = {.is_due = false};
    struct ves_error error = {.status = VES_OK};
    uint64_t lost;

    batch.b[0] = (uint8_t)sim_below(&r->world->heads_rng, 256);
    enum ves_status status = VES_OK;
    struct ves_log_epoch last;
    bool is_open;
    status = ves_log_epoch_find(r->sequencer.store, r->stream_no,
                                &r->sequencer.sequencer_id, size, &what.root,
                                arena, &is_open, &last);
    if (!status && !is_open)
        status = try_recover(r, size, &lost);
    if (!status)
        status = ves_sequencer_upgrade(&r->sequencer);
    if (!status)
        status =
            ves_log_epoch_open(&r->sequencer, &what, &batch,
                               (int64_t)r->world->tick, arena, &head, &error);
    if (!status && head.is_due)
        status = ves_log_head_keep(&r->sequencer, &head, 1);
    return status;
}

static enum ves_status compare_kept(void *ctx, const struct ves_log_row *row)
{
    struct restored *r = ctx;

    return row->sequence_number < r->opened ? compare_row(ctx, row) : VES_OK;
}

/* Whatever fails on the way, in the end there is one opening, behind all that
 * is left, and the head under the new name has it. */
static void check_epoch(struct restored *r, uint64_t size, uint64_t lost,
                        struct ves_arena *arena)
{
    struct sim_world *world = r->world;
    struct ves_log_epoch last;
    struct ves_tlog_row log;
    struct ves_hash root;

    VES_ASSERT(ves_log_epoch_last(r->disk, r->stream_no,
                                  &r->sequencer.sequencer_id, arena,
                                  &last) == VES_OK);
    VES_ASSERT(r->disk->ops->tlog_get(r->disk, r->stream_no, arena, &log) ==
               VES_OK);
    if (last.epoch.number != 1 || last.sequence != lost ||
        last.epoch.common.size != lost - 1 || last.epoch.lost.size != size ||
        sim_head_of(r->world, r->disk) != lost)
        sim_fail(world,
                 "event %llu is lost, and epoch %llu was opened at %llu of "
                 "%llu",
                 (unsigned long long)lost,
                 (unsigned long long)last.epoch.number,
                 (unsigned long long)last.sequence,
                 (unsigned long long)sim_head_of(r->world, r->disk));
    VES_ASSERT(ves_log_root_at(r->disk, r->stream_no, lost, &root) == VES_OK);
    if (log.frozen_at_ms || log.signed_size != lost ||
        !ves_hash_equal(&log.signed_root, &root))
        sim_fail(world, "the epoch has no head, or stands still");
    r->opened = lost;
    VES_ASSERT(r->disk->ops->log_read(r->disk, r->stream_no, 1, 0, compare_kept,
                                      r) == VES_OK);
    world->epochs++;
}

static void give_up(struct restored *r, uint64_t size, uint64_t lost)
{
    struct sim_faults faults = {.rng = &r->world->heads_rng,
                                .is_on = true,
                                .fail_per_mille = FAILING_CALLS / 2,
                                .crash_per_mille = FAILING_CALLS / 2};
    enum ves_status status = VES_IO;
    struct sim_store store;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    for (int i = 0; i < 8 && status; i++) {
        ves_arena_reset(&arena);
        faults.is_on = i < 7;
        sim_store_init(&store, r->disk, &faults);
        r->sequencer.store = faults.is_on ? &store.store : r->disk;
        status = try_epoch(r, size, &arena);
        r->sequencer.store = r->disk;
        if (status)
            ves_store_mem_crash(r->disk);
    }
    if (status)
        sim_fail(r->world, "an epoch cannot be opened: %s",
                 ves_status_name(status));
    else
        check_epoch(r, size, lost, &arena);
    ves_arena_free(&arena);
}

static void recover(struct restored *r, uint64_t size)
{
    struct sim_world *world = r->world;

    choose_stores(r);
    uint64_t lost = find_lost(r, size);
    recover_badly(r, size);
    enum ves_status status = sim_head_of(r->world, r->disk) == size
                                 ? VES_OK
                                 : try_recover(r, size, NULL);
    if (status != (lost ? VES_NOT_FOUND : VES_OK))
        sim_fail(world, "recovery says %s, and event %llu is lost",
                 ves_status_name(status), (unsigned long long)lost);
    if (status) {
        if (sim_head_of(r->world, r->disk) != r->end)
            sim_fail(world, "a recovery that failed changed the log");
        if (lost > 1 && sim_chance(&world->heads_rng, 500))
            give_up(r, size, lost);
        return;
    }
    VES_ASSERT(r->disk->ops->log_read(r->disk, r->stream_no, 1, 0, compare_row,
                                      r) == VES_OK);
    if (!sim_heads_may_start(world, r->disk, size))
        sim_fail(world, "a rebuilt log does not start");
    if (sign(r) != size)
        sim_fail(world, "a rebuilt log is not signed");
    world->recovered++;
}

/* ---- all of it ----------------------------------------------------------- */

/* The head file that comes with it has a head of that size, or none. */
static void come_back(struct sim_world *world, uint64_t file_size)
{
    struct sim_hub *hub = &world->hub;
    struct restored r = {.world = world};

    r.end = sim_below(&world->heads_rng, hub->checked + 1);
    make_copy(&r);
    bool may_start = sim_heads_may_start(world, r.disk, file_size);
    if (may_start != (r.end >= file_size))
        sim_fail(world, "a backup of %llu events %s with a head of %llu signed",
                 (unsigned long long)r.end,
                 may_start ? "starts" : "does not start",
                 (unsigned long long)file_size);
    world->backups++;
    if (!may_start) {
        recover(&r, file_size);
    } else {
        /* What the backup has beyond the last head is of the same log. */
        if (sim_chance(&world->heads_rng, 700))
            (void)sign(&r);
        if (r.end > 0 && hub->published_size > r.end) {
            hear(&r, hub->published_size);
            recover(&r, hub->published_size);
        }
    }
    ves_store_mem_close(r.disk);
}

void sim_restore(struct sim_world *world)
{
    uint64_t rng = world->heads_rng;

    /* The file came back, too, as it was at some time before: a client is all
     * that remembers.  With chances of its own, so that histories are what they
     * were. */
    world->heads_rng ^= UINT64_C(0x46494c45);
    if (sim_chance(&world->heads_rng, 600))
        come_back(world,
                  sim_below(&world->heads_rng, world->hub.file_size + 1));
    world->heads_rng = rng;
    come_back(world, world->hub.file_size);
}
