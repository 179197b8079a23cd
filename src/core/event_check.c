/* event_check.c -- everything about an event that needs no key. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/time.h"
#include "core/context.h"
#include "core/event.h"
#include "core/event_rules.h"
#include "core/scratch.h"
#include "core/sealed.h"
#include "json/jcs.h"

enum ves_status ves_event_check_version(uint64_t version,
                                        struct ves_refusal *refusal)
{
    if (version == 1 || version == 2)
        return VES_OK;
    return ves_refuse(refusal, VES_REFUSAL_UNSUPPORTED_VERSION, NULL,
                      "ves_version is %llu; 1 and 2 are supported",
                      (unsigned long long)version);
}

static enum ves_status check_text(const char *name, struct ves_bytes text,
                                  size_t max, struct ves_refusal *refusal)
{
    if (text.len == 0 || text.len > max)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "%s has %zu bytes; 1 to %zu are allowed", name,
                          text.len, max);
    if (memchr(text.ptr, 0, text.len))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "%s must not contain U+0000", name);
    return VES_OK;
}

enum ves_status ves_event_check_text(const struct ves_event *event,
                                     struct ves_refusal *refusal)
{
    const struct {
        const char *name;
        struct ves_bytes text;
        size_t max;
    } texts[] = {
        {"entity_type", event->entity_type, VES_ENTITY_TYPE_MAX},
        {"entity_id", event->entity_id, VES_ENTITY_ID_MAX},
        {"event_type", event->event_type, VES_EVENT_TYPE_MAX},
        {"created_at", event->created_at, VES_CREATED_AT_MAX},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum ves_status status =
            check_text(texts[i].name, texts[i].text, texts[i].max, refusal);
        if (status)
            return status;
    }
    return VES_OK;
}

/* Canonical form of node in the arena. */
static enum ves_status canonicalise(struct ves_arena *arena, const char *name,
                                    const struct ves_json *node,
                                    struct ves_bytes *out,
                                    struct ves_refusal *refusal)
{
    struct ves_scratch scratch;

    /* Canonical text is shorter than what was sent, but for numbers such as
     * 1e15; those few make the buffer grow. */
    ves_scratch_init(&scratch, arena, node->text.len + 64, VES_PAYLOAD_MAX);
    enum ves_status status = ves_jcs_write(&scratch.buf, arena, node);
    if (status == VES_OK)
        status = ves_buf_status(&scratch.buf);
    if (status == VES_LIMIT)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "%s has %zu bytes as sent; at most %d canonical "
                          "bytes are allowed",
                          name, node->text.len, (int)VES_PAYLOAD_MAX);
    *out = ves_buf_view(&scratch.buf);
    return status;
}

static enum ves_status check_context(struct ves_arena *arena,
                                     struct ves_event *event,
                                     struct ves_refusal *refusal)
{
    const struct ves_json *node = ves_json_member(event->payload, "_ves");
    if (!node)
        return VES_OK;
    /* A verdict reads the context together with base_version and command_id,
     * which version 1 leaves to whoever carries the event. */
    if (event->ves_version < 2)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "_ves",
                          "_ves needs ves_version 2, which signs base_version "
                          "and command_id; this event has %u",
                          (unsigned)event->ves_version);
    enum ves_status status =
        ves_context_read(arena, node, &event->context, refusal);
    if (status)
        return status;
    if (event->context.has_cmd && !event->has_command_id)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "_ves.cmd",
                          "_ves.cmd marks a group under one command_id, and "
                          "this event has none");
    return VES_OK;
}

static enum ves_status check_plain(struct ves_arena *arena,
                                   struct ves_event *event,
                                   struct ves_refusal *refusal)
{
    struct ves_hash hash;
    enum ves_status status;

    if (!event->payload)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "payload",
                          "payload is missing; payload_kind 0 needs it");
    if (!ves_hash_is_zero(&event->payload_cipher_hash))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION,
                          "payload_cipher_hash",
                          "payload_cipher_hash must be zero when payload_kind "
                          "is 0");
    status = canonicalise(arena, "payload", event->payload, &event->payload_jcs,
                          refusal);
    if (status)
        return status;
    ves_payload_plain_hash(event->payload_jcs, NULL, &hash);
    if (!ves_hash_equal(&hash, &event->payload_plain_hash))
        return ves_refuse(refusal, VES_REFUSAL_INVALID_PAYLOAD_HASH, NULL,
                          "payload_plain_hash is not the hash of the canonical "
                          "payload");
    return check_context(arena, event, refusal);
}

static enum ves_status check_encrypted(struct ves_arena *arena,
                                       struct ves_event *event,
                                       struct ves_refusal *refusal)
{
    if (!event->payload_encrypted)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION,
                          "payload_encrypted",
                          "payload_encrypted is missing; payload_kind 1 needs "
                          "it");
    /* First, so that the rest works on something of bounded size. */
    enum ves_status status =
        canonicalise(arena, "payload_encrypted", event->payload_encrypted,
                     &event->payload_jcs, refusal);
    if (status)
        return status;
    return ves_sealed_check(arena, event, refusal);
}

static enum ves_status check(struct ves_arena *arena, struct ves_event *event,
                             struct ves_refusal *refusal)
{
    enum ves_status status;

    status = ves_event_check_version(event->ves_version, refusal);
    if (status)
        return status;
    status = ves_event_check_text(event, refusal);
    if (status)
        return status;
    if (ves_time_parse(event->created_at, NULL))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "created_at",
                          "created_at must be an RFC 3339 time");
    if (event->payload_kind == VES_PAYLOAD_PLAIN)
        return check_plain(arena, event, refusal);
    if (event->payload_kind == VES_PAYLOAD_ENCRYPTED)
        return check_encrypted(arena, event, refusal);
    return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "payload_kind",
                      "payload_kind must be 0 (plain) or 1 (encrypted)");
}

enum ves_status ves_event_check(struct ves_arena *arena,
                                struct ves_event *event,
                                struct ves_refusal *refusal)
{
    memset(&event->context, 0, sizeof(event->context));
    enum ves_status status = check(arena, event, refusal);
    if (status == VES_REFUSED) {
        refusal->has_event_id = true;
        refusal->event_id = event->event_id;
    }
    if (status)
        return status;
    ves_event_signing_hash(event, &event->event_hash);
    return VES_OK;
}
