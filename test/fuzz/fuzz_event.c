/* fuzz_event.c -- envelopes: what is accepted reads back the same.
 *
 * Accepted input is written in our one spelling; that must be accepted again,
 * equal in every member, hash and fingerprint, and be written in the same
 * bytes.  What is refused has a reason, and is refused again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "core/event.h"
#include "core/refusal.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static enum ves_status take(struct ves_arena *arena, struct ves_bytes json,
                            struct ves_event *event,
                            struct ves_refusal *refusal)
{
    struct ves_refusal why;

    enum ves_status status = ves_event_read(arena, json, event, refusal);
    if (status == VES_OK) {
        /* A log may hold whatever may be new, and as the same event. */
        struct ves_event logged = *event;
        enum ves_status carried = ves_event_check_logged(arena, &logged, &why);
        status = ves_event_check(arena, event, refusal);
        require(status != VES_OK || carried == VES_OK || carried == VES_NOMEM);
        require(status != VES_OK || carried != VES_OK ||
                (ves_hash_equal(&logged.event_hash, &event->event_hash) &&
                 logged.context.is_present == event->context.is_present &&
                 ves_bytes_equal(logged.payload_jcs, event->payload_jcs)));
    }
    require(status == VES_OK || status == VES_REFUSED || status == VES_NOMEM);
    return status;
}

static void check_refusal(const struct ves_refusal *refusal)
{
    const char *fixed_part = ves_refusal_reason(refusal->code);
    require(refusal->code != VES_REFUSAL_NONE);
    require(strncmp(refusal->reason, fixed_part, strlen(fixed_part)) == 0);
    require(refusal->message[0] != '\0');
    require(memchr(refusal->message, 0, sizeof(refusal->message)) != NULL);
}

static void check_equal(const struct ves_event *a, const struct ves_event *b)
{
    struct ves_hash x, y;
    require(a->ves_version == b->ves_version);
    require(ves_stream_equal(&a->stream, &b->stream));
    require(ves_uuid_equal(&a->event_id, &b->event_id));
    require(ves_uuid_equal(&a->agent, &b->agent));
    require(a->agent_key_id == b->agent_key_id);
    require(ves_bytes_equal(a->entity_type, b->entity_type));
    require(ves_bytes_equal(a->entity_id, b->entity_id));
    require(ves_bytes_equal(a->event_type, b->event_type));
    require(ves_bytes_equal(a->created_at, b->created_at));
    require(a->payload_kind == b->payload_kind);
    require(ves_bytes_equal(a->payload_jcs, b->payload_jcs));
    if (a->payload)
        require(ves_json_equal(a->payload, b->payload));
    if (a->payload_encrypted)
        require(ves_json_equal(a->payload_encrypted, b->payload_encrypted));
    require(ves_hash_equal(&a->payload_plain_hash, &b->payload_plain_hash));
    require(ves_hash_equal(&a->payload_cipher_hash, &b->payload_cipher_hash));
    require(memcmp(&a->signature, &b->signature, sizeof(a->signature)) == 0);
    require(a->has_command_id == b->has_command_id);
    require(ves_uuid_equal(&a->command_id, &b->command_id));
    require(a->has_base_version == b->has_base_version);
    require(a->base_version == b->base_version);
    require(ves_hash_equal(&a->event_hash, &b->event_hash));
    ves_event_fingerprint(a, &x);
    ves_event_fingerprint(b, &y);
    require(ves_hash_equal(&x, &y));
}

/* The limits that everything behind relies on. */
static void check_limits(const struct ves_event *event)
{
    const struct ves_context *c = &event->context;
    require(event->ves_version == 1 || event->ves_version == 2);
    require(event->entity_type.len - 1 < VES_ENTITY_TYPE_MAX);
    require(event->entity_id.len - 1 < VES_ENTITY_ID_MAX);
    require(event->event_type.len - 1 < VES_EVENT_TYPE_MAX);
    require(event->payload_jcs.len - 1 < VES_PAYLOAD_MAX);
    require((event->payload != NULL) != (event->payload_encrypted != NULL));
    if (c->is_present) {
        require(c->agent_seq >= 1 && c->has_prev == (c->agent_seq > 1));
        require(c->dep_count <= VES_DEPS_MAX && c->schema.len > 0);
        require(!c->has_cmd || c->cmd_index < c->cmd_count);
        require(!c->has_cmd || event->has_command_id);
    }
}

static void round_trip(struct ves_arena *arena, const struct ves_event *event)
{
    struct ves_event again;
    struct ves_refusal refusal;
    struct ves_buf one, two;

    ves_buf_init(&one, ves_alloc_default(), VES_BODY_MAX);
    ves_buf_init(&two, ves_alloc_default(), VES_BODY_MAX);
    ves_event_write(&one, event);
    require(ves_buf_status(&one) == VES_OK);
    require(take(arena, ves_buf_view(&one), &again, &refusal) == VES_OK);
    check_equal(event, &again);
    ves_event_write(&two, &again);
    require(ves_bytes_equal(ves_buf_view(&one), ves_buf_view(&two)));

    ves_buf_reset(&two);
    ves_event_write_open(&two, event);
    ves_event_write_position(&two, 7, event->created_at);
    require(take(arena, ves_buf_view(&two), &again, &refusal) == VES_OK);
    check_equal(event, &again);
    require(again.sequence_number == 7);
    require(ves_bytes_equal(again.sequenced_at, event->created_at));

    if (event->context.is_present) {
        ves_buf_reset(&one);
        ves_buf_reset(&two);
        ves_context_write(&one, &event->context);
        ves_context_write(&two, &again.context);
        require(ves_bytes_equal(ves_buf_view(&one), ves_buf_view(&two)));
    }
    ves_buf_free(&one);
    ves_buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_arena arena;
    struct ves_event event;
    struct ves_refusal refusal, second;

    require(ves_crypto_init() == VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), 64 << 20);
    enum ves_status status =
        take(&arena, ves_bytes(data, size), &event, &refusal);
    if (status == VES_OK) {
        check_limits(&event);
        round_trip(&arena, &event);
    } else if (status == VES_REFUSED) {
        check_refusal(&refusal);
        require(take(&arena, ves_bytes(data, size), &event, &second) ==
                VES_REFUSED);
        require(memcmp(&refusal, &second, sizeof(refusal)) == 0);
    }
    ves_arena_free(&arena);
    return 0;
}
