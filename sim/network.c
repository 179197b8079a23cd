/* network.c -- messages that are lost, doubled, late, out of order, spoilt. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/world.h"

static uint8_t *copy(const uint8_t *bytes, size_t len)
{
    uint8_t *to = malloc(len ? len : 1);

    VES_ASSERT(to != NULL);
    if (len)
        memcpy(to, bytes, len);
    return to;
}

/* What a server or a proxy may say instead of an answer. */
static const uint32_t errors[] = {400, 401, 403, 404, 413, 422, 429, 500, 502};

/* A reply arrives cut, with other bytes, is an error, or is somebody's older
 * reply. */
static void spoil(struct sim_world *world, struct sim_message *message)
{
    struct sim_message *old =
        &world->old_replies[sim_below(&world->rng, SIM_OLD_REPLIES)];

    world->spoiled++;
    message->is_false = true;
    message->has_false_head = false;
    switch (sim_below(&world->rng, 4)) {
    case 0:
        message->len = message->len ? sim_below(&world->rng, message->len) : 0;
        break;
    case 1:
        for (int i = 0; i < 3 && message->len; i++)
            message->bytes[sim_below(&world->rng, message->len)] ^=
                (uint8_t)(1 + sim_below(&world->rng, 255));
        break;
    case 2:
        message->http_status =
            errors[sim_below(&world->rng, sizeof(errors) / sizeof(errors[0]))];
        message->len = 0;
        break;
    default:
        if (!old->bytes)
            break;
        world->replayed++;
        free(message->bytes);
        message->bytes = copy(old->bytes, old->len);
        message->len = old->len;
        message->http_status = old->http_status;
    }
}

static void remember(struct sim_world *world, const struct sim_message *message)
{
    struct sim_message *slot =
        &world->old_replies[sim_below(&world->rng, SIM_OLD_REPLIES)];

    free(slot->bytes);
    *slot = *message;
    slot->bytes = copy(message->bytes, message->len);
}

static void put(struct sim_world *world, const struct sim_message *message)
{
    const struct sim_options *options = &world->options;
    struct sim_message *slot;

    if (world->message_count == SIM_MESSAGES_MAX) {
        world->lost++;
        return;
    }
    slot = &world->messages[world->message_count++];
    *slot = *message;
    slot->bytes = copy(message->bytes, message->len);
    slot->due = world->tick + sim_below(&world->rng, 4);
    if (world->is_quiet)
        return;
    if (sim_chance(&world->rng, options->delay))
        slot->due += sim_below(&world->rng, 200);
    if (message->is_reply && sim_chance(&world->rng, options->spoil))
        spoil(world, slot);
}

void sim_send(struct sim_world *world, const struct sim_message *message)
{
    const struct sim_options *options = &world->options;
    const struct sim_device *device = &world->devices[message->device];

    if (!world->is_quiet &&
        (device->is_cut_off || sim_chance(&world->rng, options->lose))) {
        world->lost++;
    } else {
        put(world, message);
        if (!world->is_quiet && sim_chance(&world->rng, options->twice))
            put(world, message);
    }
    if (message->is_reply && !world->is_quiet)
        remember(world, message);
    free(message->bytes);
}

bool sim_deliver(struct sim_world *world)
{
    struct sim_message message;
    size_t n = world->message_count;

    if (n == 0)
        return false;
    /* Any that is due may be next: that is what re-orders them. */
    size_t start = sim_below(&world->rng, n);
    for (size_t k = 0; k < n; k++) {
        size_t i = (start + k) % n;
        if (world->messages[i].due > world->tick)
            continue;
        message = world->messages[i];
        world->messages[i] = world->messages[--world->message_count];
        world->delivered++;
        if (!message.is_reply)
            sim_hub_take(world, &message);
        else if (!world->devices[message.device].is_stranger)
            sim_device_take(world, &message);
        free(message.bytes);
        return true;
    }
    return false;
}

void sim_network_forget(struct sim_world *world, size_t device)
{
    size_t n = 0;

    for (size_t i = 0; i < world->message_count; i++) {
        if (world->messages[i].device == device)
            free(world->messages[i].bytes);
        else
            world->messages[n++] = world->messages[i];
    }
    world->message_count = n;
}

void sim_network_free(struct sim_world *world)
{
    for (size_t i = 0; i < world->message_count; i++)
        free(world->messages[i].bytes);
    for (size_t i = 0; i < SIM_OLD_REPLIES; i++)
        free(world->old_replies[i].bytes);
}
