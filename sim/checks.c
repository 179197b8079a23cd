/* checks.c -- what must hold at every moment, whatever failed before. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/receipt.h"
#include "crypto/crypto.h"
#include "sim/world.h"

/* Own ids begin with the event's place in world->events. */
static struct sim_event *event_of(struct sim_world *world,
                                  const struct ves_uuid *id)
{
    uint32_t index;

    memcpy(&index, id->b, sizeof(index));
    if (index >= world->event_count ||
        !ves_uuid_equal(&world->events[index].id, id))
        sim_fail(world, "an event that nobody appended");
    return &world->events[index];
}

/* ---- the sequencer's log ------------------------------------------------- */

static void check_receipt(struct sim_world *world,
                          const struct ves_log_row *row)
{
    struct ves_hash hash;

    ves_receipt_hash(&world->stream, &row->event_id, row->sequence_number,
                     &row->event_hash, &hash);
    if (!row->has_receipt ||
        !ves_ed25519_verify(&world->hub.key.signer.public_key,
                            ves_bytes(hash.b, VES_HASH_SIZE), &row->receipt))
        sim_fail(world, "number %llu has no true receipt",
                 (unsigned long long)row->sequence_number);
}

/* Sequences dense and unique, ids once, causes before effects. */
static enum ves_status check_row(void *ctx, const struct ves_log_row *row)
{
    struct sim_world *world = ctx;
    struct sim_hub *hub = &world->hub;
    struct sim_event *event = event_of(world, &row->event_id);
    struct ves_arena arena;
    struct ves_event parsed;
    struct ves_refusal refusal;
    struct ves_buf text;

    if (row->sequence_number != hub->checked + 1)
        sim_fail(world, "number %llu follows %llu",
                 (unsigned long long)row->sequence_number,
                 (unsigned long long)hub->checked);
    if (event->sequence)
        sim_fail(world, "event %zu has number %llu and %llu",
                 (size_t)(event - world->events),
                 (unsigned long long)event->sequence,
                 (unsigned long long)row->sequence_number);
    check_receipt(world, row);
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    ves_buf_init(&text, ves_alloc_default(), 1 << 20);
    ves_buf_put_bytes(&text, row->envelope);
    ves_buf_put_str(&text, "}");
    if (ves_event_read(&arena, ves_buf_view(&text), &parsed, &refusal) ||
        ves_event_check(&arena, &parsed, &refusal) ||
        !ves_hash_equal(&parsed.event_hash, &row->event_hash))
        sim_fail(world, "number %llu is not the event it says",
                 (unsigned long long)row->sequence_number);
    if (parsed.context.seen >= row->sequence_number)
        sim_fail(world, "number %llu saw %llu",
                 (unsigned long long)row->sequence_number,
                 (unsigned long long)parsed.context.seen);
    ves_buf_free(&text);
    ves_arena_free(&arena);
    event->sequence = row->sequence_number;
    world->log[hub->checked] = row->event_hash;
    hub->checked = row->sequence_number;
    return VES_OK;
}

void sim_check_log(struct sim_world *world)
{
    struct sim_hub *hub = &world->hub;
    struct ves_stream_row row;

    /* What a process that died left open is no state. */
    if (hub->faults.is_dead)
        return;
    VES_ASSERT(hub->disk->ops->stream_get(hub->disk, &world->stream, false,
                                          &row) == VES_OK);
    VES_ASSERT(hub->disk->ops->log_read(hub->disk, row.stream_no,
                                        hub->checked + 1, 0, check_row,
                                        world) == VES_OK);
    if (row.head != hub->checked)
        sim_fail(world, "the stream says head %llu, its log ends at %llu",
                 (unsigned long long)row.head,
                 (unsigned long long)hub->checked);
}

/* ---- a store ------------------------------------------------------------- */

struct compare {
    struct sim_world *world;
    size_t device;
    uint64_t next;
};

/* A store holds exactly what the sequencer sequenced, in its order. */
static enum ves_status compare_row(void *ctx, const struct ves_log_row *row)
{
    struct compare *compare = ctx;
    struct sim_world *world = compare->world;

    if (row->sequence_number != compare->next)
        sim_fail(world, "store %zu has a hole at %llu", compare->device,
                 (unsigned long long)compare->next);
    if (row->sequence_number > world->hub.checked)
        sim_fail(world, "store %zu has number %llu, which nobody gave",
                 compare->device, (unsigned long long)row->sequence_number);
    if (!ves_hash_equal(&row->event_hash,
                        &world->log[row->sequence_number - 1]))
        sim_fail(world, "store %zu applied something else as number %llu",
                 compare->device, (unsigned long long)row->sequence_number);
    compare->next++;
    return VES_OK;
}

/* What has a number keeps it, and synced means sequenced. */
static enum ves_status check_outbox(void *ctx, const struct ves_outbox_row *row)
{
    struct compare *compare = ctx;
    struct sim_world *world = compare->world;
    const struct sim_event *event = event_of(world, &row->event_id);

    if (row->has_receipt && row->sequence_number != event->sequence)
        sim_fail(world,
                 "store %zu holds a receipt for number %llu of event "
                 "%zu, which has %llu",
                 compare->device, (unsigned long long)row->sequence_number,
                 (size_t)(event - world->events),
                 (unsigned long long)event->sequence);
    if (row->status == VES_OUTBOX_SYNCED &&
        (event->sequence == 0 || !row->has_receipt || !row->has_verdict))
        sim_fail(world, "store %zu says synced of event %zu without proof",
                 compare->device, (size_t)(event - world->events));
    if (row->is_refused && event->sequence)
        sim_fail(world, "event %zu is refused and sequenced",
                 (size_t)(event - world->events));
    if (row->agent_seq != compare->next)
        sim_fail(world, "store %zu: event %llu of its chain stands at %llu",
                 compare->device, (unsigned long long)row->agent_seq,
                 (unsigned long long)compare->next);
    compare->next++;
    return VES_OK;
}

void sim_check_device(struct sim_world *world, size_t device, bool is_thorough)
{
    struct sim_device *self = &world->devices[device];
    struct ves_store *disk = self->disk;
    struct ves_outbox_filter all = {.limit = 0};
    struct ves_stream_row row;

    sim_check_log(world);
    /* A process that died in a transaction is buried when it is revived; its
     * half-done work is no state. */
    for (size_t k = 0; k < world->options.processes; k++)
        if (self->processes[k].faults.is_dead)
            return;
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    if (row.head < self->checked)
        sim_fail(world, "the cursor of store %zu went back", device);
    struct compare log = {world, device, is_thorough ? 1 : self->checked + 1};
    VES_ASSERT(disk->ops->log_read(disk, row.stream_no, log.next, 0,
                                   compare_row, &log) == VES_OK);
    if (log.next != row.head + 1)
        sim_fail(world,
                 "the cursor of store %zu is at %llu, its log ends at "
                 "%llu",
                 device, (unsigned long long)row.head,
                 (unsigned long long)log.next - 1);
    self->checked = row.head;
    struct compare outbox = {world, device, 1};
    VES_ASSERT(disk->ops->outbox_list(disk, &all, check_outbox, &outbox) ==
               VES_OK);
}

/* ---- the end ------------------------------------------------------------- */

struct refusals {
    struct sim_world *world;
    bool is_refused[SIM_EVENTS_MAX];
    uint64_t count;
};

static enum ves_status note_refusal(void *ctx, const struct ves_record *row)
{
    struct refusals *refusals = ctx;

    if (row->has_event_id && row->has_signature) {
        struct sim_event *event = event_of(refusals->world, &row->event_id);
        refusals->is_refused[event - refusals->world->events] = true;
        refusals->count++;
    }
    return VES_OK;
}

static void check_states(struct sim_world *world)
{
    struct ves_hash first, other;

    for (size_t i = 0; i < world->options.stores; i++) {
        struct ves_agent_core *core = &world->devices[i].processes[0].core;
        if (ves_core_state_hash(core, &other))
            sim_fail(world, "store %zu has no state hash", i);
        if (i == 0)
            first = other;
        else if (!ves_hash_equal(&first, &other))
            sim_fail(world, "stores 0 and %zu have different states", i);
        /* Folded again from the log, it is the same. */
        if (i == world->seed % world->options.stores) {
            if (ves_core_refold(core) || ves_core_state_hash(core, &other))
                sim_fail(world, "store %zu cannot be folded again", i);
            if (!ves_hash_equal(&first, &other))
                sim_fail(world, "store %zu folds to another state", i);
        }
    }
    sim_trace(world, first.b[0], first.b[1]);
}

void sim_check_end(struct sim_world *world, struct sim_summary *out)
{
    static struct refusals refusals;
    struct ves_store *disk = world->hub.disk;
    struct ves_stream_row row;

    memset(&refusals, 0, sizeof(refusals));
    refusals.world = world;
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    VES_ASSERT(disk->ops->record_list(disk, VES_RECORD_REFUSAL, row.stream_no,
                                      1, false, 0, note_refusal,
                                      &refusals) == VES_OK);
    /* Every event ever appended is in the log or refused with a signature. */
    for (size_t i = 0; i < world->event_count; i++)
        if (world->events[i].is_certain && !world->events[i].sequence &&
            !refusals.is_refused[i])
            sim_fail(world, "event %zu of store %zu is lost", i,
                     world->events[i].device);
    for (size_t i = 0; i < world->options.stores; i++)
        sim_check_device(world, i, true);
    check_states(world);
    out->events = world->hub.checked;
    out->refused = refusals.count;
}
