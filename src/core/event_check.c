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
#include "json/number.h"

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
        {"created_at", event->created_at, VES_LOG_PAYLOAD_MAX},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum ves_status status =
            check_text(texts[i].name, texts[i].text, texts[i].max, refusal);
        if (status)
            return status;
    }
    return VES_OK;
}

/* ---- payloads ------------------------------------------------------------
 */

enum tree_fault { TREE_FINE, TREE_UNSAFE, TREE_DEEP };

/* What is wrong with the tree below root; level is how many containers are
 * open around it. */
static enum tree_fault tree_fault(const struct ves_json *root, size_t level)
{
    const struct ves_json *open[VES_LOG_DEPTH_MAX];
    const struct ves_json *node = root;
    enum tree_fault fault = TREE_FINE;
    size_t depth = 0;

    for (;;) {
        if (node->type == VES_JSON_NUMBER &&
            ves_number_is_unsafe_integer(node->text))
            fault = TREE_UNSAFE;
        if (node->type == VES_JSON_ARRAY || node->type == VES_JSON_OBJECT) {
            if (level + depth >= VES_JSON_DEPTH_MAX)
                return TREE_DEEP;
            if (node->first) {
                open[depth++] = node;
                node = node->first;
                continue;
            }
        }
        while (depth > 0 && !node->next)
            node = open[--depth];
        if (depth == 0)
            return fault;
        node = node->next;
    }
}

static enum ves_status check_tree(const char *name, const struct ves_json *root,
                                  struct ves_refusal *refusal)
{
    switch (tree_fault(root, 1)) {
    case TREE_UNSAFE:
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "%s has an integer beyond 9007199254740991, which "
                          "other programs would round",
                          name);
    case TREE_DEEP:
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "%s is nested too deeply; an event may have 64 "
                          "levels",
                          name);
    case TREE_FINE:
        break;
    }
    return VES_OK;
}

/* Canonical form of node in the arena. */
static enum ves_status canonicalise(struct ves_arena *arena, const char *name,
                                    const struct ves_json *node, size_t max,
                                    struct ves_bytes *out,
                                    struct ves_refusal *refusal)
{
    struct ves_scratch scratch;

    /* Canonical text is shorter than what was sent, but for numbers such as
     * 1e15; those few make the buffer grow. */
    ves_scratch_init(&scratch, arena, node->text.len + 64, max);
    enum ves_status status = ves_jcs_write(&scratch.buf, arena, node);
    if (status == VES_OK)
        status = ves_buf_status(&scratch.buf);
    if (status == VES_LIMIT)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "%s has %zu bytes as sent; at most %zu canonical "
                          "bytes are allowed",
                          name, node->text.len, max);
    *out = ves_buf_view(&scratch.buf);
    return status;
}

static enum ves_status read_context(struct ves_arena *arena,
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

static enum ves_status check_context(struct ves_arena *arena,
                                     struct ves_event *event, bool is_logged,
                                     struct ves_refusal *refusal)
{
    struct ves_refusal ignored;

    enum ves_status status =
        read_context(arena, event, is_logged ? &ignored : refusal);
    if (status != VES_REFUSED || !is_logged)
        return status;
    memset(&event->context, 0, sizeof(event->context));
    return VES_OK;
}

/* Of a new payload; of one in a log, what was signed is what counts. */
static enum ves_status check_shape(struct ves_arena *arena, const char *name,
                                   const struct ves_json **payload,
                                   struct ves_bytes canonical, bool is_logged,
                                   struct ves_refusal *refusal)
{
    const struct ves_json_options options = {.depth_max = VES_LOG_DEPTH_MAX};

    if (!is_logged)
        return check_tree(name, *payload, refusal);
    if (tree_fault(*payload, 1) == TREE_FINE)
        return VES_OK;
    enum ves_status status =
        ves_json_read(arena, canonical, &options, payload, NULL);
    VES_ASSERT(status != VES_MALFORMED);
    return status;
}

static enum ves_status check_plain(struct ves_arena *arena,
                                   struct ves_event *event, bool is_logged,
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
    status = canonicalise(arena, "payload", event->payload,
                          is_logged ? VES_LOG_PAYLOAD_MAX : VES_PAYLOAD_MAX,
                          &event->payload_jcs, refusal);
    if (!status)
        status = check_shape(arena, "payload", &event->payload,
                             event->payload_jcs, is_logged, refusal);
    if (status)
        return status;
    ves_payload_plain_hash(event->payload_jcs, NULL, &hash);
    if (!ves_hash_equal(&hash, &event->payload_plain_hash))
        return ves_refuse(refusal, VES_REFUSAL_INVALID_PAYLOAD_HASH, NULL,
                          "payload_plain_hash is not the hash of the canonical "
                          "payload");
    return check_context(arena, event, is_logged, refusal);
}

static enum ves_status check_encrypted(struct ves_arena *arena,
                                       struct ves_event *event, bool is_logged,
                                       struct ves_refusal *refusal)
{
    static const char name[] = "payload_encrypted";

    if (!event->payload_encrypted)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, name,
                          "payload_encrypted is missing; payload_kind 1 needs "
                          "it");
    /* First, so that the rest works on something of bounded size. */
    enum ves_status status =
        canonicalise(arena, name, event->payload_encrypted,
                     is_logged ? VES_LOG_PAYLOAD_MAX : VES_PAYLOAD_MAX,
                     &event->payload_jcs, refusal);
    if (!status)
        status = check_shape(arena, name, &event->payload_encrypted,
                             event->payload_jcs, is_logged, refusal);
    return status ? status : ves_sealed_check(arena, event, is_logged, refusal);
}

/* ---- the event ----------------------------------------------------------- */

static enum ves_status check_time(const struct ves_event *event,
                                  struct ves_refusal *refusal)
{
    enum ves_status status = check_text("created_at", event->created_at,
                                        VES_CREATED_AT_MAX, refusal);
    if (status || !ves_time_parse(event->created_at, NULL))
        return status;
    return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "created_at",
                      "created_at must be an RFC 3339 time");
}

static enum ves_status check(struct ves_arena *arena, struct ves_event *event,
                             bool is_logged, struct ves_refusal *refusal)
{
    enum ves_status status;

    status = ves_event_check_version(event->ves_version, refusal);
    if (!status)
        status = ves_event_check_text(event, refusal);
    if (!status && !is_logged)
        status = check_time(event, refusal);
    if (status)
        return status;
    if (event->payload_kind == VES_PAYLOAD_PLAIN)
        return check_plain(arena, event, is_logged, refusal);
    if (event->payload_kind == VES_PAYLOAD_ENCRYPTED)
        return check_encrypted(arena, event, is_logged, refusal);
    return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "payload_kind",
                      "payload_kind must be 0 (plain) or 1 (encrypted)");
}

static enum ves_status check_all(struct ves_arena *arena,
                                 struct ves_event *event, bool is_logged,
                                 struct ves_refusal *refusal)
{
    memset(&event->context, 0, sizeof(event->context));
    enum ves_status status = check(arena, event, is_logged, refusal);
    if (status == VES_REFUSED) {
        refusal->has_event_id = true;
        refusal->event_id = event->event_id;
    }
    if (status)
        return status;
    ves_event_signing_hash(event, &event->event_hash);
    return VES_OK;
}

enum ves_status ves_event_check(struct ves_arena *arena,
                                struct ves_event *event,
                                struct ves_refusal *refusal)
{
    return check_all(arena, event, false, refusal);
}

enum ves_status ves_event_check_logged(struct ves_arena *arena,
                                       struct ves_event *event,
                                       struct ves_refusal *refusal)
{
    return check_all(arena, event, true, refusal);
}
