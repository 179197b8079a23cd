/* stranger.c -- an agent of another implementation, which also misbehaves.
 *
 * It has a registered key and writes events without causal context, some with
 * a base version.  What it sends is an event of its own, or something that no
 * sequencer may take: another's signature, another's name, an id or a command
 * used before, a past that is still to come.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/entity.h"
#include "core/event.h"
#include "sim/world.h"
#include "json/json.h"

enum { BODY_MAX = 16 * 1024, ENTITIES = 5 };

enum sin {
    SIN_NONE,
    SIN_SIGNATURE, /* by a key that is not the agent's */
    SIN_NAME,      /* of another agent */
    SIN_ID,        /* an id that has another content already */
    SIN_TWICE,     /* the same event twice in a request */
    SIN_FUTURE,    /* has seen what is not there yet */
    SIN_COMMAND,   /* a command id that is used */
    SINS
};

struct draft {
    struct ves_event event;
    struct ves_buf payload;
    char entity_id[3];
};

static void write_payload(struct sim_world *world, enum sin sin,
                          struct draft *draft)
{
    struct ves_context context = {.is_present = true,
                                  .agent_seq = 1,
                                  .seen = world->hub.checked + 1000,
                                  .schema = ves_bytes_str("payment.created/1"),
                                  .hlc = ves_bytes_str("019c0000000a-0000")};

    ves_buf_init(&draft->payload, ves_alloc_default(), BODY_MAX);
    ves_buf_put_str(&draft->payload, "{");
    if (sin == SIN_FUTURE) {
        ves_buf_put_str(&draft->payload, "\"_ves\":");
        ves_context_write(&draft->payload, &context);
        ves_buf_put_str(&draft->payload, ",");
    }
    ves_buf_putf(&draft->payload, "\"amount_minor\":%u,\"currency\":\"GBP\"}",
                 (unsigned)sim_below(&world->rng, 1000));
    VES_ASSERT(ves_buf_status(&draft->payload) == VES_OK);
    draft->event.payload_jcs = ves_buf_view(&draft->payload);
}

/* The version the entity has, or nearly. */
static void set_base(struct sim_world *world, struct draft *draft)
{
    uint64_t version = 0;
    struct ves_hash key;

    if (sim_chance(&world->rng, 500))
        return;
    ves_entity_key(draft->event.entity_type, draft->event.entity_id, &key);
    for (size_t i = 0; i < world->entity_count; i++)
        if (ves_hash_equal(&world->entities[i].key, &key))
            version = world->entities[i].version;
    draft->event.has_base_version = true;
    draft->event.base_version =
        version + (sim_chance(&world->rng, 300) ? 1 : 0);
}

static void set_command(struct sim_world *world, enum sin sin,
                        struct ves_event *event)
{
    uint64_t number = ++world->commands;

    if (sin == SIN_COMMAND && world->used_command_count > 0) {
        event->has_command_id = true;
        event->command_id = world->used_commands[sim_below(
            &world->rng, world->used_command_count)];
    } else if (sim_chance(&world->rng, 300)) {
        event->has_command_id = true;
        memset(&event->command_id, 0xcc, sizeof(event->command_id));
        memcpy(event->command_id.b, &number, sizeof(number));
    }
}

/* An event of this agent that is in the log or on its way; NULL if none. */
static const struct sim_event *earlier(struct sim_world *world, size_t device)
{
    size_t start = sim_below(&world->rng, world->event_count + 1);

    for (size_t k = 0; k < world->event_count; k++) {
        const struct sim_event *event =
            &world->events[(start + k) % world->event_count];
        if (event->device == device && event->sequence)
            return event;
    }
    return NULL;
}

static void write_draft(struct sim_world *world, size_t device, enum sin sin,
                        const struct sim_event *record, struct draft *draft)
{
    struct sim_device *self = &world->devices[device];
    struct ves_event *event = &draft->event;
    const struct sim_signer *signer = &self->key;

    memset(draft, 0, sizeof(*draft));
    draft->entity_id[0] = 'P';
    draft->entity_id[1] = (char)('0' + sim_below(&world->rng, ENTITIES));
    event->ves_version = 1 + (uint32_t)sim_below(&world->rng, 2);
    event->stream = world->stream;
    event->event_id = record->id;
    event->agent = self->agent;
    event->agent_key_id = 1;
    event->entity_type = ves_bytes_str("payment");
    event->entity_id = ves_bytes_str(draft->entity_id);
    event->event_type = ves_bytes_str("payment.created");
    event->created_at = ves_bytes_str("2026-02-02T00:00:00.000Z");
    write_payload(world, sin, draft);
    if (sin != SIN_FUTURE) {
        set_base(world, draft);
        set_command(world, sin, event);
    }
    if (sin == SIN_NAME) {
        /* With a stolen key even. */
        event->agent = world->devices[0].agent;
        signer = &world->devices[0].key;
    }
    if (sin == SIN_SIGNATURE)
        signer = &world->rogue;
    ves_payload_plain_hash(event->payload_jcs, NULL,
                           &event->payload_plain_hash);
    ves_event_signing_hash(event, &event->event_hash);
    sim_sign(signer, &event->event_hash, &event->signature);
}

static void send(struct sim_world *world, size_t device, enum sin sin,
                 const struct draft *draft)
{
    struct sim_message message = {.kind = SIM_INGEST,
                                  .request = ++world->requests,
                                  .device = device,
                                  .sent = draft->event.event_hash};
    struct ves_buf body;

    ves_buf_init(&body, ves_alloc_default(), BODY_MAX);
    ves_buf_put_str(&body, "{\"agentId\":\"");
    ves_buf_put_uuid(&body, &world->devices[device].agent);
    ves_buf_put_str(&body, "\",\"events\":[");
    ves_event_write(&body, &draft->event);
    if (sin == SIN_TWICE) {
        ves_buf_put_str(&body, ",");
        ves_event_write(&body, &draft->event);
    }
    ves_buf_put_str(&body, "]}");
    VES_ASSERT(ves_buf_status(&body) == VES_OK);
    message.bytes = malloc(body.len);
    VES_ASSERT(message.bytes != NULL);
    memcpy(message.bytes, body.ptr, body.len);
    message.len = body.len;
    ves_buf_free(&body);
    sim_send(world, &message);
}

void sim_stranger_step(struct sim_world *world, size_t device)
{
    enum sin sin = (enum sin)(
        sim_chance(&world->rng, 500) ? 0 : sim_below(&world->rng, SINS));
    const struct sim_event *record = NULL;
    struct draft draft;

    if (sin == SIN_ID)
        record = earlier(world, device);
    if (!record) {
        struct sim_event *made = sim_event_new(world, device);
        if (!made)
            return;
        made->is_false = sin == SIN_SIGNATURE || sin == SIN_NAME ||
                         sin == SIN_FUTURE || sin == SIN_COMMAND;
        /* Nothing was used yet: then it is an event like any other. */
        if (sin == SIN_COMMAND && world->used_command_count == 0)
            made->is_false = false;
        record = made;
    }
    write_draft(world, device, sin, record, &draft);
    send(world, device, sin, &draft);
    ves_buf_free(&draft.payload);
    sim_trace(world, 'x', sin);
}

void sim_stranger_check(struct sim_world *world,
                        const struct sim_message *request,
                        struct ves_bytes answer)
{
    struct ves_arena arena;
    const struct ves_json *root, *list;
    struct ves_receipt receipt;
    struct ves_hash hash;

    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    if (ves_json_read(&arena, answer, NULL, &root, NULL))
        sim_fail(world, "an answer that is no JSON");
    list = ves_json_member(root, "receipts");
    for (const struct ves_json *e = list ? list->first : NULL; e; e = e->next) {
        if (ves_receipt_read(e, &receipt))
            sim_fail(world, "a receipt that cannot be read");
        ves_receipt_hash(&world->stream, &receipt.event_id,
                         receipt.sequence_number, &request->sent, &hash);
        if (!ves_hash_equal(&hash, &receipt.receipt_hash))
            sim_fail(world,
                     "the receipt for number %llu speaks of another event "
                     "than was sent",
                     (unsigned long long)receipt.sequence_number);
    }
    ves_arena_free(&arena);
}
