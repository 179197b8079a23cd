/* agent_reply.c -- the sequencer's answer to a push, read and verified.
 *
 * Nothing here believes the answer: receipts are compared with our own hashes,
 * refusals with our own bytes, both with the pinned keys.
 */
#include "engine/agent_reply.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/refusal.h"

/* ---- which event is meant ------------------------------------------------ */

static size_t hash_of(const struct ves_uuid *id)
{
    size_t h;
    /* The last bytes of every version we make are random. */
    memcpy(&h, id->b + VES_UUID_SIZE - sizeof(h), sizeof(h));
    return h;
}

static uint32_t *place_of(struct ves_reply *reply, const struct ves_uuid *id)
{
    size_t at = hash_of(id) & (reply->index_size - 1);
    while (reply->index[at] != 0 &&
           !ves_uuid_equal(&reply->rows[reply->index[at] - 1].event_id, id))
        at = (at + 1) & (reply->index_size - 1);
    return &reply->index[at];
}

static enum ves_status build_index(struct ves_reply *reply)
{
    reply->index_size = 16;
    while (reply->index_size < 2 * reply->count)
        reply->index_size *= 2;
    reply->index = ves_arena_alloc(reply->arena,
                                   reply->index_size * sizeof(*reply->index));
    reply->events =
        ves_arena_alloc(reply->arena, reply->count * sizeof(*reply->events));
    if (!reply->index || !reply->events)
        return VES_NOMEM;
    for (size_t i = 0; i < reply->count; i++)
        *place_of(reply, &reply->rows[i].event_id) = (uint32_t)i + 1;
    return VES_OK;
}

/* The event node speaks of; reply->count when it is none of ours. */
static size_t find_event(struct ves_reply *reply, const struct ves_json *node)
{
    struct ves_bytes text;
    struct ves_uuid id;
    uint64_t index;

    if (ves_json_get_string(node, "eventId", &text) ||
        ves_json_get_string(node, "event_id", &text)) {
        if (ves_uuid_parse(text, &id))
            return reply->count;
        uint32_t at = *place_of(reply, &id);
        return at ? at - 1 : reply->count;
    }
    /* An event whose id could not be read is named by its place. */
    if (ves_json_get_u64(node, "index", &index) && index < reply->count)
        return (size_t)index;
    return reply->count;
}

/* ---- reading ------------------------------------------------------------- */

static void read_receipt(struct ves_reply *reply, const struct ves_json *node)
{
    size_t at = find_event(reply, node);
    struct ves_hash hash;

    if (at == reply->count)
        return;
    struct ves_reply_event *event = &reply->events[at];
    const struct ves_outbox_row *row = &reply->rows[at];
    if (event->receipt_state != VES_REPLY_NO_RECEIPT)
        return;
    event->receipt_text = node->text;
    enum ves_status status = ves_receipt_read(node, &event->receipt);
    if (status == VES_UNSUPPORTED) {
        event->receipt_state = VES_REPLY_UNSIGNED;
        return;
    }
    event->receipt_state = VES_REPLY_FALSE;
    if (status || !ves_uuid_equal(&event->receipt.event_id, &row->event_id))
        return;
    /* protocol.md A.9: the hash is ours to compute, not theirs to say. */
    ves_receipt_hash(&reply->core->stream, &row->event_id,
                     event->receipt.sequence_number, &row->event_hash, &hash);
    if (!ves_hash_equal(&hash, &event->receipt.receipt_hash))
        return;
    event->receipt_count =
        ves_device_key_count(reply->core, event->receipt.key_version);
    if (event->receipt_count == 0)
        event->receipt_state = VES_REPLY_KEY_UNKNOWN;
}

static void read_refusal(struct ves_reply *reply, const struct ves_json *node)
{
    size_t at = find_event(reply, node);
    struct ves_bytes hex;
    uint64_t version = 0;

    if (at == reply->count || reply->events[at].is_refused)
        return;
    struct ves_reply_event *event = &reply->events[at];
    if (!ves_json_get_string(node, "reason", &event->reason) ||
        event->reason.len > VES_REASON_MAX)
        return;
    (void)ves_json_get_u64(node, "sequencerKeyVersion", &version);
    if (version > UINT32_MAX)
        version = UINT32_MAX;
    size_t keys = ves_device_key_count(reply->core, (uint32_t)version);
    if (keys == 0 && event->receipt_state == VES_REPLY_NO_RECEIPT) {
        event->receipt_state = VES_REPLY_KEY_UNKNOWN;
        return;
    }
    event->is_refused = true;
    (void)ves_json_get_string(node, "message", &event->message);
    event->has_refusal_signature =
        ves_json_get_string(node, "refusalSignature", &hex);
    if (event->has_refusal_signature &&
        ves_hex_decode(hex, event->refusal_signature.b, VES_SIG_SIZE) == VES_OK)
        event->refusal_count = reply->core->sequencer_key_count;
}

static void read_verdict(struct ves_reply *reply, const struct ves_json *node)
{
    static const enum ves_verdict verdicts[] = {
        VES_VERDICT_APPLIED, VES_VERDICT_CONFLICT, VES_VERDICT_WAITING,
        VES_VERDICT_SUPERSEDED};
    size_t at = find_event(reply, node);
    struct ves_bytes name;

    if (at == reply->count || !ves_json_get_string(node, "verdict", &name))
        return;
    struct ves_reply_event *event = &reply->events[at];
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        if (!ves_bytes_is(name, ves_verdict_name(verdicts[i])))
            continue;
        event->has_verdict = true;
        event->verdict = verdicts[i];
        event->disposition = name;
        (void)ves_json_get_string(node, "disposition", &event->disposition);
    }
}

static void read_list(struct ves_reply *reply, const struct ves_json *root,
                      const char *name,
                      void (*read)(struct ves_reply *, const struct ves_json *))
{
    const struct ves_json *list = ves_json_member(root, name);
    if (!list || list->type != VES_JSON_ARRAY)
        return;
    for (const struct ves_json *node = list->first; node; node = node->next)
        read(reply, node);
}

/* ---- verifying ----------------------------------------------------------- */

static enum ves_status collect(struct ves_reply *reply)
{
    size_t count = 0;

    for (size_t i = 0; i < reply->count; i++) {
        struct ves_reply_event *event = &reply->events[i];
        event->receipt_first = count;
        count += event->receipt_count;
        event->refusal_first = count;
        count += event->refusal_count;
    }
    reply->item_count = count;
    reply->items = ves_arena_alloc(reply->arena, count * sizeof(*reply->items));
    return reply->items ? VES_OK : VES_NOMEM;
}

static void fill_items(struct ves_reply *reply)
{
    const struct ves_agent_core *core = reply->core;
    struct ves_hash hash;

    for (size_t i = 0; i < reply->count; i++) {
        struct ves_reply_event *event = &reply->events[i];
        if (event->receipt_count > 0)
            ves_device_key_items(
                core, event->receipt.key_version, &event->receipt.receipt_hash,
                &event->receipt.signature, &reply->items[event->receipt_first]);
        if (event->refusal_count == 0)
            continue;
        /* decision 5: it speaks of exactly these bytes. */
        ves_refusal_hash(&core->stream, reply->rows[i].envelope, event->reason,
                         &hash);
        ves_device_key_items(core, 0, &hash, &event->refusal_signature,
                             &reply->items[event->refusal_first]);
    }
}

static void verify(struct ves_reply *reply)
{
    struct ves_verifier *verifier = reply->core->verifier;

    fill_items(reply);
    if (reply->item_count > 0)
        verifier->verify(verifier, reply->items, reply->item_count);
    for (size_t i = 0; i < reply->count; i++) {
        struct ves_reply_event *event = &reply->events[i];
        if (event->receipt_count > 0 &&
            ves_device_receipt_verified(reply->core,
                                        &reply->items[event->receipt_first],
                                        &event->receipt))
            event->receipt_state = VES_REPLY_VALID;
        event->is_refusal_valid = ves_device_is_valid(
            &reply->items[event->refusal_first], event->refusal_count);
    }
}

enum ves_status ves_reply_read(struct ves_reply *reply, struct ves_bytes body)
{
    struct ves_json_where where = {0, ""};
    const struct ves_json *root;

    enum ves_status status =
        ves_json_read(reply->arena, body, NULL, &root, &where);
    if (status == VES_MALFORMED)
        return ves_fail(&reply->core->error, VES_MALFORMED,
                        "the sequencer's answer is not valid JSON at byte "
                        "%zu: %s",
                        where.offset, where.reason);
    if (!status)
        status = build_index(reply);
    if (status)
        return status;
    read_list(reply, root, "receipts", read_receipt);
    read_list(reply, root, "rejections", read_refusal);
    read_list(reply, root, "verdicts", read_verdict);
    (void)ves_json_get_u64(root, "sequenceStart", &reply->sequence_start);
    (void)ves_json_get_u64(root, "sequenceEnd", &reply->sequence_end);
    status = collect(reply);
    if (!status)
        verify(reply);
    return status;
}
