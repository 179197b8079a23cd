/* forger.c -- replies that lie: by somebody between, or by the sequencer.
 *
 * A lie has no key it should not have: receipts and directories are signed by
 * a rogue, or by the sequencer itself about an event that is none, so that
 * each check of the agent is the only one that stands in its way.  Two
 * histories, each signed and whole, are in treason.c.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "core/event.h"
#include "core/refusal.h"
#include "crypto/crypto.h"
#include "sim/world.h"

enum { SCRATCH_MAX = 1 << 20 };

bool sim_forge_wants(struct sim_world *world)
{
    if (world->is_quiet || !sim_chance(&world->rng, world->options.forge))
        return false;
    world->lies++;
    world->hub.is_lying = true;
    return true;
}

static void read_row(struct ves_arena *arena, struct ves_bytes envelope,
                     struct ves_event *event)
{
    struct ves_refusal refusal;
    struct ves_buf text;
    struct ves_bytes copy;

    ves_buf_init(&text, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_put_bytes(&text, envelope);
    ves_buf_put_str(&text, "}");
    VES_ASSERT(ves_arena_copy(arena, ves_buf_view(&text), &copy) == VES_OK);
    ves_buf_free(&text);
    VES_ASSERT(ves_event_read(arena, copy, event, &refusal) == VES_OK &&
               ves_event_check(arena, event, &refusal) == VES_OK);
}

/* ---- pages --------------------------------------------------------------- */

/* An agent whose key the asking store knows to have ended before number. */
static bool find_ended(struct sim_world *world, size_t asking, uint64_t number,
                       size_t *agent)
{
    struct ves_store *disk = world->devices[asking].disk;
    struct ves_stream_row stream;
    struct ves_key_span span;

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
               VES_OK);
    for (size_t i = 0; i < world->agents; i++)
        if (world->devices[i].is_revoked &&
            disk->ops->key_span_get(disk, stream.stream_no,
                                    &world->devices[i].agent, 1,
                                    &span) == VES_OK &&
            span.is_found && span.revoked_at_sequence != 0 &&
            span.revoked_at_sequence <= number) {
            *agent = i;
            return true;
        }
    return false;
}

/* Another event, signed by the agent that seems to have written it. */
static void invent(struct sim_world *world, struct ves_event *event,
                   size_t agent)
{
    event->agent = world->devices[agent].agent;
    memset(&event->event_id, 0xee, sizeof(event->event_id));
    memcpy(event->event_id.b, &world->lies, sizeof(world->lies));
    ves_event_signing_hash(event, &event->event_hash);
    sim_sign(&world->devices[agent].key, &event->event_hash, &event->signature);
}

/* Makes the event what the lie wants; false if there is nothing to lie with. */
static bool twist(struct sim_world *world, const struct sim_message *request,
                  enum sim_lie lie, uint64_t number, struct ves_event *event)
{
    size_t agent = request->device;

    switch (lie) {
    case SIM_LIE_EVENT:
        event->entity_id = ves_bytes_str("E9");
        ves_event_signing_hash(event, &event->event_hash);
        return true;
    case SIM_LIE_PAYLOAD:
        event->payload_jcs = ves_bytes_str("{\"delta\":\"-7\",\"total\":7}");
        return true;
    case SIM_LIE_REVOKED:
        if (!find_ended(world, request->device, number, &agent))
            return false;
        invent(world, event, agent);
        return true;
    case SIM_LIE_BORROWED:
        invent(world, event, agent);
        return true;
    case SIM_LIE_STREAM:
        event->stream.store.b[0] ^= 1;
        invent(world, event, agent);
        return true;
    default:
        return true;
    }
}

static void put_receipt(struct sim_world *world, enum sim_lie lie,
                        const struct ves_log_row *row,
                        const struct ves_event *event, uint64_t number,
                        struct ves_buf *out)
{
    const struct sim_hub *hub = &world->hub;
    struct ves_receipt receipt = {.sequencer_id = hub->id,
                                  .event_id = event->event_id,
                                  .sequence_number = number,
                                  .sequenced_at_ms = row->sequenced_at_ms,
                                  .signature = row->receipt,
                                  .key_version = row->receipt_key_version};

    if (lie == SIM_LIE_STRIPPED)
        return;
    ves_receipt_hash(&world->stream, &event->event_id, number,
                     &event->event_hash, &receipt.receipt_hash);
    if (lie == SIM_LIE_RECEIPT) {
        sim_sign(&world->rogue, &receipt.receipt_hash, &receipt.signature);
        /* Sometimes as a key that nobody has seen yet. */
        receipt.key_version += (uint32_t)sim_below(&world->rng, 2);
    } else if (lie == SIM_LIE_BORROWED) {
        /* True, but of the event in whose place this one is. */
        ves_receipt_hash(&world->stream, &row->event_id, row->sequence_number,
                         &row->event_hash, &receipt.receipt_hash);
    } else if (lie != SIM_TRUTH && lie != SIM_LIE_PAYLOAD) {
        receipt.key_version = hub->sequencer.key_version;
        sim_sign(&hub->keys[hub->key_count - 1], &receipt.receipt_hash,
                 &receipt.signature);
    }
    ves_buf_put_str(out, ",\"receipt\":");
    ves_receipt_write(out, &receipt);
}

void sim_forge_item(struct sim_world *world, const struct sim_message *request,
                    enum sim_lie lie, const struct ves_log_row *row,
                    uint64_t number, struct ves_buf *out)
{
    struct ves_arena arena;
    struct ves_event event = {.event_id = row->event_id,
                              .event_hash = row->event_hash};

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_put_str(out, "{\"envelope\":");
    if (lie == SIM_TRUTH || lie == SIM_LIE_STRIPPED || lie == SIM_LIE_RECEIPT) {
        ves_buf_put_bytes(out, row->envelope);
    } else {
        read_row(&arena, row->envelope, &event);
        if (!twist(world, request, lie, number, &event))
            lie = SIM_TRUTH;
        ves_event_write_open(out, &event);
    }
    ves_event_write_position(out, number,
                             ves_bytes_str("2026-02-02T00:00:00.000Z"));
    put_receipt(world, lie, row, &event, number, out);
    ves_buf_put_str(out, "}");
    ves_arena_free(&arena);
}

/* ---- answers to a push --------------------------------------------------- */

static void put_hex(struct ves_buf *out, const char *name, const void *data,
                    size_t len)
{
    ves_buf_putf(out, ",\"%s\":\"", name);
    ves_buf_put_hex(out, data, len);
    ves_buf_put_str(out, "\"");
}

/* Another event's receipt; false when there is none yet. */
static bool borrow(struct sim_world *world, struct ves_receipt *receipt)
{
    uint64_t number = 1 + sim_below(&world->rng, world->hub.checked + 1);

    for (size_t i = 0; i < world->event_count; i++)
        if (world->events[i].sequence == number) {
            const struct sim_entry *entry = &world->log[number - 1];
            ves_receipt_hash(&world->stream, &world->events[i].id, number,
                             &entry->event_hash, &receipt->receipt_hash);
            receipt->signature = entry->receipt;
            receipt->key_version = entry->receipt_key_version;
            return true;
        }
    return false;
}

/* Receipts nobody gave, signed by nobody known or about something else. */
static void invent_receipts(struct sim_world *world, struct ves_ingest *ingest,
                            struct ves_buf *out)
{
    uint64_t number = world->hub.checked + 1;
    bool is_borrowed = sim_chance(&world->rng, 500);

    ves_buf_putf(out,
                 "{\"eventsAccepted\":%zu,\"eventsRejected\":0,"
                 "\"sequenceStart\":%llu,\"sequenceEnd\":%llu,\"receipts\":[",
                 ingest->count, (unsigned long long)number,
                 (unsigned long long)(number + ingest->count - 1));
    for (size_t i = 0; i < ingest->count; i++, number++) {
        const struct ves_event *event = &ingest->events[i].event;
        struct ves_receipt receipt = {.sequencer_id = world->hub.id,
                                      .event_id = event->event_id,
                                      .sequence_number = number,
                                      .sequenced_at_ms = 1,
                                      .key_version = 1};
        if (!is_borrowed || !borrow(world, &receipt)) {
            ves_receipt_hash(&world->stream, &event->event_id, number,
                             &event->event_hash, &receipt.receipt_hash);
            sim_sign(&world->rogue, &receipt.receipt_hash, &receipt.signature);
        }
        ves_buf_put_str(out, i ? "," : "");
        ves_receipt_write(out, &receipt);
    }
    ves_buf_put_str(out, "],\"verdicts\":[");
    for (size_t i = 0; i < ingest->count; i++) {
        ves_buf_put_str(out, i ? ",{\"eventId\":\"" : "{\"eventId\":\"");
        ves_buf_put_uuid(out, &ingest->events[i].event.event_id);
        ves_buf_put_str(out, "\",\"verdict\":\"applied\"}");
    }
    ves_buf_put_str(out, "]}");
}

/* Refusals nobody gave, signed by a rogue, or not at all. */
static void invent_refusals(struct sim_world *world, struct ves_ingest *ingest,
                            struct ves_buf *out)
{
    static const char *const reasons[] = {
        "schema_validation", "invalid_signature", "seen_beyond_head",
        "duplicate_event_id", "version_conflict: expected 1, actual 2"};
    const char *reason =
        reasons[sim_below(&world->rng, sizeof(reasons) / sizeof(reasons[0]))];
    bool is_signed = sim_chance(&world->rng, 700);

    ves_buf_putf(out,
                 "{\"eventsAccepted\":0,\"eventsRejected\":%zu,"
                 "\"rejections\":[",
                 ingest->count);
    for (size_t i = 0; i < ingest->count; i++) {
        struct ves_hash hash;
        struct ves_sig sig;
        ves_refusal_hash(&world->stream, ingest->events[i].element,
                         ves_bytes_str(reason), &hash);
        sim_sign(&world->rogue, &hash, &sig);
        ves_buf_put_str(out, i ? ",{\"eventId\":\"" : "{\"eventId\":\"");
        ves_buf_put_uuid(out, &ingest->events[i].event.event_id);
        ves_buf_putf(out, "\",\"reason\":\"%s\",\"index\":%zu", reason, i);
        if (is_signed)
            put_hex(out, "refusalSignature", sig.b, VES_SIG_SIZE);
        ves_buf_put_str(out, "}");
    }
    ves_buf_put_str(out, "],\"verdicts\":[]}");
}

void sim_forge_answer(struct sim_world *world, struct ves_ingest *ingest,
                      struct ves_buf *out)
{
    if (sim_chance(&world->rng, 500))
        invent_receipts(world, ingest, out);
    else
        invent_refusals(world, ingest, out);
}

void sim_forge_verdict(struct ves_buf *out)
{
    static const char from[] = "\"verdict\":\"applied\"";
    static const char to[] = "\"verdict\":\"waiting\"";
    uint8_t *at = out->ptr;
    const uint8_t *end = out->ptr + out->len;

    _Static_assert(sizeof(from) == sizeof(to), "written over");
    while ((at = memmem(at, (size_t)(end - at), from, sizeof(from) - 1)))
        memcpy(at, to, sizeof(to) - 1);
}
