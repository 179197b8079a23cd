/* checks.c -- what must hold at every moment, whatever failed before. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/keydir.h"
#include "core/receipt.h"
#include "core/refusal.h"
#include "crypto/crypto.h"
#include "engine/follow_ups.h"
#include "sim/world.h"

enum { SCRATCH_MAX = 1 << 20 };

/* Own ids begin with the event's place in world->events; those of decisions
 * are the library's, UUIDs of version 7. */
static struct sim_event *event_of(struct sim_world *world,
                                  const struct ves_uuid *id, size_t device)
{
    uint32_t index;

    memcpy(&index, id->b, sizeof(index));
    if (index < world->event_count &&
        ves_uuid_equal(&world->events[index].id, id))
        return &world->events[index];
    if (id->b[6] >> 4 != 7 || device == SIM_AGENTS_MAX)
        sim_fail(world, "an event that nobody appended");
    return sim_event_known(world, id, device);
}

/* SIM_AGENTS_MAX: none has that id. */
static size_t device_of(const struct sim_world *world,
                        const struct ves_uuid *agent)
{
    size_t i = 0;

    while (i < world->agents &&
           !ves_uuid_equal(&world->devices[i].agent, agent))
        i++;
    return i < world->agents ? i : SIM_AGENTS_MAX;
}

static size_t place_of(const struct sim_world *world,
                       const struct sim_event *event)
{
    return (size_t)(event - world->events);
}

static bool verifies(const struct sim_signer *signer,
                     const struct ves_hash *hash, const struct ves_sig *sig)
{
    return ves_ed25519_verify(&signer->signer.public_key,
                              ves_bytes(hash->b, VES_HASH_SIZE), sig);
}

/* ---- the sequencer's log ------------------------------------------------- */

static void check_receipt(struct sim_world *world,
                          const struct ves_log_row *row)
{
    const struct sim_hub *hub = &world->hub;
    uint32_t version = row->receipt_key_version;
    struct ves_hash hash;

    ves_receipt_hash(&world->stream, &row->event_id, row->sequence_number,
                     &row->event_hash, &hash);
    if (!row->has_receipt || version == 0 || version > hub->key_count ||
        !verifies(&hub->keys[version - 1], &hash, &row->receipt))
        sim_fail(world, "number %llu has no true receipt",
                 (unsigned long long)row->sequence_number);
}

/* The agent signed it, with a key that may sign this number. */
static void check_author(struct sim_world *world, const struct ves_log_row *row)
{
    struct ves_store *disk = world->hub.disk;
    struct ves_stream_row stream;
    struct ves_key_span span;
    struct ves_agent_key key;
    size_t i = 0;

    while (i < world->agents &&
           !ves_uuid_equal(&world->devices[i].agent, &row->agent))
        i++;
    if (i == world->agents ||
        !verifies(&world->devices[i].key, &row->event_hash, &row->signature))
        sim_fail(world, "number %llu is not signed by its agent",
                 (unsigned long long)row->sequence_number);
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
               VES_OK);
    VES_ASSERT(disk->ops->key_span_get(disk, stream.stream_no, &row->agent,
                                       row->agent_key_id, &span) == VES_OK);
    key.valid_from_sequence = span.valid_from_sequence;
    key.revoked_at_sequence = span.revoked_at_sequence;
    if (!span.is_found || !ves_agent_key_covers(&key, row->sequence_number))
        sim_fail(world, "number %llu is signed by a key that may not",
                 (unsigned long long)row->sequence_number);
}

/* Members of an atomic group stand together; other commands are unique. */
static void check_command(struct sim_world *world,
                          const struct ves_event *event)
{
    const struct ves_context *context = &event->context;
    bool is_next = context->is_present && context->has_cmd &&
                   context->cmd_index == world->group.next &&
                   (world->group.next == 0 ||
                    (context->cmd_count == world->group.count &&
                     ves_uuid_equal(&event->agent, &world->group.agent) &&
                     ves_uuid_equal(&event->command_id, &world->group.id)));

    if ((world->group.next > 0 || context->has_cmd) && !is_next)
        sim_fail(world, "an atomic group is torn apart");
    if (event->has_command_id && world->group.next == 0) {
        for (size_t i = 0; i < world->used_command_count; i++)
            if (ves_uuid_equal(&world->used_commands[i], &event->command_id))
                sim_fail(world, "a command was carried out twice");
        world->used_commands[world->used_command_count++] = event->command_id;
    }
    if (!context->has_cmd)
        return;
    world->group.id = event->command_id;
    world->group.agent = event->agent;
    world->group.count = context->cmd_count;
    world->group.next = context->cmd_index + 1 == context->cmd_count
                            ? 0
                            : context->cmd_index + 1;
}

static struct sim_entity *entity_of(struct sim_world *world,
                                    const struct ves_hash *key)
{
    for (size_t i = 0; i < world->entity_count; i++)
        if (ves_hash_equal(&world->entities[i].key, key))
            return &world->entities[i];
    VES_ASSERT(world->entity_count < SIM_ENTITIES_MAX);
    struct sim_entity *entity = &world->entities[world->entity_count++];
    entity->key = *key;
    return entity;
}

/* Counts what the event does to its entity. */
static void count_entity(struct sim_world *world, const struct ves_event *event,
                         const struct ves_log_row *row)
{
    struct sim_entity *entity = entity_of(world, &row->entity_key);

    if (!event->context.is_present && event->has_base_version &&
        row->verdict == VES_VERDICT_APPLIED &&
        event->base_version + 1 != row->version)
        sim_fail(world,
                 "number %llu was written upon version %llu and makes "
                 "version %llu",
                 (unsigned long long)row->sequence_number,
                 (unsigned long long)event->base_version,
                 (unsigned long long)row->version);
    world->conflicts += row->verdict == VES_VERDICT_CONFLICT;
    entity->count++;
    /* Strangers write upon it; at the end it is counted anew. */
    entity->version += row->verdict == VES_VERDICT_APPLIED;
}

/* A chain never forks: whatever becomes of a store, each of its agent's
 * numbers stands for one event. */
static void check_place(struct sim_world *world, const struct ves_event *event)
{
    size_t device = device_of(world, &event->agent);

    if (!event->context.is_present || device == SIM_AGENTS_MAX ||
        world->devices[device].is_stranger)
        return;
    for (size_t i = 0; i < world->used_place_count; i++)
        if (world->used_places[i].device == device &&
            world->used_places[i].agent_seq == event->context.agent_seq)
            sim_fail(world, "store %zu gave number %llu of its chain twice",
                     device, (unsigned long long)event->context.agent_seq);
    world->used_places[world->used_place_count].device = device;
    world->used_places[world->used_place_count++].agent_seq =
        event->context.agent_seq;
}

static void check_content(struct sim_world *world,
                          const struct ves_log_row *row)
{
    struct ves_arena arena;
    struct ves_event event;
    struct ves_refusal refusal;
    struct ves_buf text;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_init(&text, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_put_bytes(&text, row->envelope);
    ves_buf_put_str(&text, "}");
    if (ves_event_read(&arena, ves_buf_view(&text), &event, &refusal) ||
        ves_event_check(&arena, &event, &refusal) ||
        !ves_hash_equal(&event.event_hash, &row->event_hash))
        sim_fail(world, "number %llu is not the event it says",
                 (unsigned long long)row->sequence_number);
    if (event.context.seen >= row->sequence_number)
        sim_fail(world, "number %llu saw %llu",
                 (unsigned long long)row->sequence_number,
                 (unsigned long long)event.context.seen);
    check_command(world, &event);
    check_place(world, &event);
    count_entity(world, &event, row);
    ves_buf_free(&text);
    ves_arena_free(&arena);
}

/* An envelope as far as somebody vouches for it: in events of ves_version 1
 * nobody signs the command and the base version, which come last. */
void sim_envelope_hash(const struct ves_log_row *row, struct ves_hash *out)
{
    static const char v1[] = "{\"ves_version\":1,";
    static const char tail[] = "\"agent_signature\":\"0x";
    const size_t hex = 2 * VES_SIG_SIZE + 1;
    size_t len = row->envelope.len;

    if (len > sizeof(v1) && memcmp(row->envelope.ptr, v1, sizeof(v1) - 1) == 0)
        for (size_t i = 0; i + sizeof(tail) + hex < row->envelope.len; i++)
            if (memcmp(row->envelope.ptr + i, tail, sizeof(tail) - 1) == 0)
                len = i + sizeof(tail) - 1 + hex;
    ves_sha256_one(row->envelope.ptr, len, out);
}

/* Sequences dense and unique, ids once, causes before effects. */
static enum ves_status check_row(void *ctx, const struct ves_log_row *row)
{
    struct sim_world *world = ctx;
    struct sim_hub *hub = &world->hub;
    struct sim_event *event =
        event_of(world, &row->event_id, device_of(world, &row->agent));
    struct sim_entry *entry = &world->log[hub->checked];

    if (row->sequence_number != hub->checked + 1)
        sim_fail(world, "number %llu follows %llu",
                 (unsigned long long)row->sequence_number,
                 (unsigned long long)hub->checked);
    if (event->sequence)
        sim_fail(world, "event %zu has number %llu and %llu",
                 place_of(world, event), (unsigned long long)event->sequence,
                 (unsigned long long)row->sequence_number);
    if (event->is_false)
        sim_fail(world, "number %llu should have been refused",
                 (unsigned long long)row->sequence_number);
    check_receipt(world, row);
    check_author(world, row);
    check_content(world, row);
    event->sequence = row->sequence_number;
    entry->event_hash = row->event_hash;
    entry->receipt = row->receipt;
    entry->receipt_key_version = row->receipt_key_version;
    sim_envelope_hash(row, &entry->envelope);
    sim_heads_row(world, row);
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
    if (world->group.next > 0)
        sim_fail(world, "the log ends inside an atomic group");
}

/* ---- a store's log ------------------------------------------------------- */

struct walk {
    struct sim_world *world;
    size_t device;
    uint64_t next;
    uint64_t cursor;
    bool is_thorough;
    struct ves_hash prev; /* of the agent's chain */
    struct sim_link {
        uint64_t agent_seq;
        struct ves_hash hash, prev;
    } * links; /* of a store that was restored, at the end; NULL: not now */
    size_t link_count;
    struct {
        struct ves_hash key, head;
        uint64_t count, last;
    } own[SIM_ENTITIES_MAX]; /* rows and overlay, entity by entity */
    size_t own_count;
};

/* A store holds exactly what the sequencer sequenced, in its order. */
static enum ves_status compare_row(void *ctx, const struct ves_log_row *row)
{
    struct walk *walk = ctx;
    struct sim_world *world = walk->world;
    struct ves_hash envelope;

    if (row->sequence_number != walk->next)
        sim_fail(world, "store %zu has a hole at %llu", walk->device,
                 (unsigned long long)walk->next);
    if (row->sequence_number > world->hub.checked)
        sim_fail(world, "store %zu has number %llu, which nobody gave",
                 walk->device, (unsigned long long)row->sequence_number);
    const struct sim_entry *entry = &world->log[row->sequence_number - 1];
    sim_envelope_hash(row, &envelope);
    if (!ves_hash_equal(&row->event_hash, &entry->event_hash) ||
        !ves_hash_equal(&envelope, &entry->envelope))
        sim_fail(world, "store %zu applied something else as number %llu",
                 walk->device, (unsigned long long)row->sequence_number);
    if (row->has_receipt &&
        memcmp(row->receipt.b, entry->receipt.b, VES_SIG_SIZE) != 0)
        sim_fail(world, "store %zu keeps a false receipt for number %llu",
                 walk->device, (unsigned long long)row->sequence_number);
    walk->next++;
    return VES_OK;
}

/* ---- a store's outbox ---------------------------------------------------- */

/* A row's refusal is one the sequencer signed about these very bytes. */
static void check_refusal(struct walk *walk, const struct ves_outbox_row *row)
{
    const struct sim_hub *hub = &walk->world->hub;
    struct ves_hash hash;

    ves_refusal_hash(&walk->world->stream, row->envelope, row->error, &hash);
    for (size_t i = 0; i < hub->key_count; i++)
        if (verifies(&hub->keys[i], &hash, &row->refusal_signature))
            return;
    sim_fail(walk->world, "store %zu believes a refusal nobody gave",
             walk->device);
}

/* In a store that was restored they are not in order, and what was refused and
 * lost is a hole; in the end the rest is one chain. */
static void check_restored_chain(struct walk *walk,
                                 const struct ves_outbox_row *row,
                                 const struct ves_context *context)
{
    for (size_t i = 0; i < walk->link_count; i++) {
        const struct sim_link *link = &walk->links[i];
        bool is_wrong = link->agent_seq == row->agent_seq ||
                        (link->agent_seq + 1 == row->agent_seq &&
                         !ves_hash_equal(&link->hash, &context->prev)) ||
                        (row->agent_seq + 1 == link->agent_seq &&
                         !ves_hash_equal(&row->event_hash, &link->prev));
        if (is_wrong)
            sim_fail(walk->world,
                     "store %zu: events %llu and %llu of its "
                     "chain are no chain",
                     walk->device, (unsigned long long)link->agent_seq,
                     (unsigned long long)row->agent_seq);
    }
    walk->links[walk->link_count++] =
        (struct sim_link){row->agent_seq, row->event_hash, context->prev};
}

/* agent_seq and prev form one chain (agent.h A2). */
static void check_chain(struct walk *walk, const struct ves_outbox_row *row)
{
    struct sim_world *world = walk->world;
    bool was_restored = world->devices[walk->device].was_restored;
    struct ves_arena arena;
    struct ves_event event;
    struct ves_refusal refusal;

    if (was_restored && !(walk->is_thorough && walk->links))
        return;
    if (!was_restored && row->agent_seq != walk->next)
        sim_fail(world, "store %zu: event %llu of its chain stands at %llu",
                 walk->device, (unsigned long long)row->agent_seq,
                 (unsigned long long)walk->next);
    walk->next++;
    if (!walk->is_thorough)
        return;
    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    VES_ASSERT(ves_event_read(&arena, row->envelope, &event, &refusal) ==
                   VES_OK &&
               ves_event_check(&arena, &event, &refusal) == VES_OK);
    const struct ves_context *context = &event.context;
    if (was_restored)
        check_restored_chain(walk, row, context);
    else if (context->agent_seq != row->agent_seq ||
             context->has_prev != (row->agent_seq > 1) ||
             (context->has_prev &&
              !ves_hash_equal(&context->prev, &walk->prev)))
        sim_fail(world, "store %zu: event %llu does not follow the one before",
                 walk->device, (unsigned long long)row->agent_seq);
    walk->prev = row->event_hash;
    ves_arena_free(&arena);
}

static void count_own(struct walk *walk, const struct ves_outbox_row *row)
{
    size_t i = 0;

    while (i < walk->own_count &&
           !ves_hash_equal(&walk->own[i].key, &row->entity_key))
        i++;
    VES_ASSERT(i < SIM_ENTITIES_MAX);
    if (i == walk->own_count) {
        walk->own_count++;
        walk->own[i].key = row->entity_key;
        walk->own[i].count = 0;
        walk->own[i].last = 0;
        memset(&walk->own[i].head, 0, sizeof(walk->own[i].head));
    }
    if (row->entity_prev != walk->own[i].last)
        sim_fail(walk->world, "store %zu: row %llu does not follow row %llu",
                 walk->device, (unsigned long long)row->local_seq,
                 (unsigned long long)walk->own[i].last);
    walk->own[i].last = row->local_seq;
    if (!row->is_in_overlay)
        return;
    walk->own[i].count++;
    walk->own[i].head = row->event_hash;
}

/* What has a number keeps it, and synced means sequenced. */
static enum ves_status check_outbox(void *ctx, const struct ves_outbox_row *row)
{
    struct walk *walk = ctx;
    struct sim_world *world = walk->world;
    const struct sim_event *event =
        event_of(world, &row->event_id, walk->device);
    size_t place = place_of(world, event);

    if (row->sequence_number && row->sequence_number != event->sequence)
        sim_fail(world,
                 "store %zu believes in number %llu of event %zu, which has "
                 "%llu",
                 walk->device, (unsigned long long)row->sequence_number, place,
                 (unsigned long long)event->sequence);
    if (row->has_receipt &&
        (event->sequence == 0 ||
         memcmp(row->receipt.b, world->log[event->sequence - 1].receipt.b,
                VES_SIG_SIZE) != 0))
        sim_fail(world, "store %zu holds a false receipt for event %zu",
                 walk->device, place);
    if (row->has_receipt && row->status == VES_OUTBOX_PENDING)
        sim_fail(world, "store %zu would send event %zu again", walk->device,
                 place);
    if (row->status == VES_OUTBOX_SYNCED &&
        (event->sequence == 0 || !row->has_receipt || !row->has_verdict))
        sim_fail(world, "store %zu says synced of event %zu without proof",
                 walk->device, place);
    if (row->is_refused && event->sequence)
        sim_fail(world, "event %zu is refused and sequenced", place);
    if (row->is_refused)
        check_refusal(walk, row);
    bool is_above = event->sequence == 0 || event->sequence > walk->cursor;
    if (row->is_in_overlay != (is_above && !row->is_refused))
        sim_fail(world, "store %zu %s event %zu in its local view",
                 walk->device, row->is_in_overlay ? "still has" : "misses",
                 place);
    count_own(walk, row);
    check_chain(walk, row);
    return VES_OK;
}

/* Entities count the overlay as it is. */
static enum ves_status check_entity(void *ctx, const struct ves_entity_row *row)
{
    static const struct ves_hash none;
    struct walk *walk = ctx;
    const struct ves_hash *head = &none;
    uint64_t count = 0, last = 0;

    for (size_t i = 0; i < walk->own_count; i++)
        if (ves_hash_equal(&walk->own[i].key, &row->key)) {
            count = walk->own[i].count;
            head = &walk->own[i].head;
            last = walk->own[i].last;
        }
    if (row->own_count != count || !ves_hash_equal(&row->own_head, head))
        sim_fail(walk->world,
                 "store %zu counts %llu own events on an entity that has %llu",
                 walk->device, (unsigned long long)row->own_count,
                 (unsigned long long)count);
    if (row->own_last != last)
        sim_fail(walk->world,
                 "store %zu: an entity's rows end at %llu, not %llu",
                 walk->device, (unsigned long long)last,
                 (unsigned long long)row->own_last);
    return VES_OK;
}

void sim_check_device(struct sim_world *world, size_t device, bool is_thorough)
{
    static const struct ves_hash lowest;
    static struct sim_link links[SIM_EVENTS_MAX];
    struct sim_device *self = &world->devices[device];
    struct ves_store *disk = self->disk;
    struct ves_outbox_filter all = {.limit = 0};
    struct ves_stream_row row;
    struct walk walk;

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
    walk.world = world;
    walk.device = device;
    walk.is_thorough = is_thorough;
    walk.cursor = row.head;
    walk.own_count = 0;
    walk.links = is_thorough && world->is_quiet ? links : NULL;
    walk.link_count = 0;
    walk.next = is_thorough ? 1 : self->checked + 1;
    VES_ASSERT(disk->ops->log_read(disk, row.stream_no, walk.next, 0,
                                   compare_row, &walk) == VES_OK);
    if (walk.next != row.head + 1)
        sim_fail(world,
                 "the cursor of store %zu is at %llu, its log ends at "
                 "%llu",
                 device, (unsigned long long)row.head,
                 (unsigned long long)walk.next - 1);
    self->checked = row.head;
    walk.next = 1;
    VES_ASSERT(disk->ops->outbox_list(disk, &all, check_outbox, &walk) ==
               VES_OK);
    VES_ASSERT(disk->ops->entity_scan(disk, row.stream_no, &lowest, 0,
                                      ves_bytes(NULL, 0), check_entity,
                                      &walk) == VES_OK);
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
        /* Whose it was is told in messages only. */
        struct sim_event *event = event_of(refusals->world, &row->event_id, 0);
        refusals->is_refused[place_of(refusals->world, event)] = true;
        refusals->count++;
    }
    return VES_OK;
}

static enum ves_status check_end_row(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct walk *walk = ctx;
    const struct sim_event *event =
        event_of(walk->world, &row->event_id, walk->device);
    /* What is in conflict stays so until somebody decides it. */
    bool is_open = event->sequence &&
                   sim_is_in_open_conflict(walk->world, event->sequence);
    enum ves_outbox_status want =
        is_open ? VES_OUTBOX_CONFLICT : VES_OUTBOX_SYNCED;

    if (event->sequence ? row->status != want : !row->is_refused)
        sim_fail(walk->world, "store %zu never finished with event %zu",
                 walk->device, place_of(walk->world, event));
    return VES_OK;
}

/* The entity as the log makes it; the sequencer and every store agree. */
static enum ves_status check_end_entity(void *ctx,
                                        const struct ves_entity_row *row)
{
    struct walk *walk = ctx;
    const struct sim_entity *entity = entity_of(walk->world, &row->key);

    if (row->count != entity->count || row->version != entity->version ||
        !ves_hash_equal(&row->head, &entity->head))
        sim_fail(walk->world,
                 "an entity has version %llu and %llu events where the log "
                 "says %llu and %llu",
                 (unsigned long long)row->version,
                 (unsigned long long)row->count,
                 (unsigned long long)entity->version,
                 (unsigned long long)entity->count);
    walk->next++;
    return VES_OK;
}

/* What is applied in the end, in the order of versions. */
static enum ves_status recount(void *ctx, const struct ves_log_row *row)
{
    struct sim_world *world = ctx;
    struct sim_entity *entity = entity_of(world, &row->entity_key);

    if (row->verdict != VES_VERDICT_APPLIED)
        return VES_OK;
    entity->version++;
    if (row->version > entity->head_version) {
        entity->head_version = row->version;
        entity->head = row->event_hash;
    }
    return VES_OK;
}

static void recount_entities(struct sim_world *world)
{
    struct ves_store *disk = world->hub.disk;
    struct ves_stream_row row;

    for (size_t i = 0; i < world->entity_count; i++) {
        world->entities[i].version = world->entities[i].head_version = 0;
        memset(&world->entities[i].head, 0, sizeof(struct ves_hash));
    }
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    VES_ASSERT(disk->ops->log_read(disk, row.stream_no, 1, 0, recount, world) ==
               VES_OK);
    for (size_t i = 0; i < world->entity_count; i++)
        if (world->entities[i].version != world->entities[i].head_version)
            sim_fail(world, "versions of an entity are not dense");
}

static void check_entities(struct sim_world *world, struct ves_store *disk)
{
    static const struct ves_hash lowest;
    struct walk walk = {.world = world};
    struct ves_stream_row row;
    uint64_t wanted = 0;

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    VES_ASSERT(disk->ops->entity_scan(disk, row.stream_no, &lowest, 0,
                                      ves_bytes(NULL, 0), check_end_entity,
                                      &walk) == VES_OK);
    for (size_t i = 0; i < world->entity_count; i++)
        wanted += world->entities[i].count > 0;
    if (walk.next < wanted)
        sim_fail(world, "a store lacks entities that the log has");
}

static enum ves_status count_follow_up(void *ctx,
                                       const struct ves_entity_row *entity,
                                       const struct ves_follow_up *one)
{
    (void)entity;
    (void)one;
    ++*(uint64_t *)ctx;
    return VES_OK;
}

/* What is counted as states change is what can be found in them. */
static void check_follow_ups(struct sim_world *world, size_t device)
{
    struct ves_agent_core *core = &world->devices[device].processes[0].core;
    uint64_t counted = 0, found = 0;

    if (ves_core_follow_ups(core, &counted) ||
        ves_core_follow_ups_list(core, ves_bytes(NULL, 0), count_follow_up,
                                 &found))
        sim_fail(world, "store %zu cannot tell its follow-ups", device);
    if (counted != found)
        sim_fail(world, "store %zu counts %llu follow-ups and has %llu", device,
                 (unsigned long long)counted, (unsigned long long)found);
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
        check_follow_ups(world, i);
        /* Folded again from the log, it is the same. */
        if (i == world->seed % world->options.stores) {
            if (ves_core_refold(core) || ves_core_state_hash(core, &other))
                sim_fail(world, "store %zu cannot be folded again", i);
            if (!ves_hash_equal(&first, &other))
                sim_fail(world, "store %zu folds to another state", i);
            sim_check_refolded(world, i);
            check_follow_ups(world, i);
        }
    }
    sim_trace(world, first.b[0], first.b[1]);
}

void sim_check_end(struct sim_world *world, struct sim_summary *out)
{
    static struct refusals refusals;
    struct ves_store *disk = world->hub.disk;
    struct ves_outbox_filter all = {.limit = 0};
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
    recount_entities(world);
    check_entities(world, disk);
    sim_check_verdicts(world);
    sim_check_policies(world);
    for (size_t i = 0; i < world->options.stores; i++) {
        struct ves_store *own = world->devices[i].disk;
        struct walk walk = {.world = world, .device = i};
        sim_check_device(world, i, true);
        VES_ASSERT(own->ops->outbox_list(own, &all, check_end_row, &walk) ==
                   VES_OK);
        check_entities(world, own);
    }
    check_states(world);
    out->events = world->hub.checked;
    out->refused = refusals.count;
}
