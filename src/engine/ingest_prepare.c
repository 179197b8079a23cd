/* ingest_prepare.c -- everything about an event that needs no store. */
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/entity.h"
#include "core/rules.h"
#include "core/types.h"
#include "engine/ingest.h"

enum {
    /* A payload at its limit written wastefully, or sealed and in base64, and
     * the other members; bounds what one event may cost to parse. */
    ELEMENT_MAX = 2 * VES_PAYLOAD_MAX + 64 * 1024,
    ENVELOPE_MAX = 4 * 1024 * 1024,
    /* A tree of ELEMENT_MAX bytes, two bytes a value. */
    SCRATCH_MAX = 1024 * 1024 * 1024
};

struct prepare {
    struct ves_ingest *ingest;
    const struct ves_key_source *keys;
    bool require_v2;
    struct ves_arena scratch; /* for one event at a time */
    struct ves_buf envelope;
    struct ves_verify_item *items;
    struct ves_ingest_event **owners; /* of items */
    size_t item_count;
};

static enum ves_status read_event(struct prepare *p,
                                  struct ves_ingest_event *item)
{
    struct ves_refusal *refusal = &item->refusal;

    if (item->element.len > ELEMENT_MAX)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                          "the event has %zu bytes; at most %d are allowed",
                          item->element.len, (int)ELEMENT_MAX);
    enum ves_status status =
        ves_event_read(&p->scratch, item->element, &item->event, refusal);
    if (status)
        return status;
    item->is_read = true;
    status = ves_event_check(&p->scratch, &item->event, refusal);
    if (status)
        return status;
    ves_event_fingerprint(&item->event, &item->fingerprint);
    item->has_fingerprint = true;
    return VES_OK;
}

/* What a legible event is refused for whatever the log says. */
static enum ves_status check_event(struct prepare *p,
                                   struct ves_ingest_event *item)
{
    const struct ves_event *event = &item->event;
    struct ves_refusal *refusal = &item->refusal;
    static const char reserved[] = "ves.";
    bool is_known = p->ingest->is_own ||
                    (event->context.is_present &&
                     (ves_bytes_is(event->event_type, VES_TYPE_RESOLVED) ||
                      ves_rules_is_registration(event)));

    /* The whole request was checked on ids that were only peeked at. */
    if (!ves_stream_equal(&event->stream, &p->ingest->stream))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "store_id",
                          "the event is of another tenant or store than the "
                          "request");
    if (!ves_uuid_equal(&event->agent, &p->ingest->agent))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION,
                          "source_agent_id",
                          "source_agent_id is not the request's agentId");
    if (!is_known && event->event_type.len >= sizeof(reserved) - 1 &&
        memcmp(event->event_type.ptr, reserved, sizeof(reserved) - 1) == 0)
        return ves_refuse(refusal, VES_REFUSAL_RESERVED_TYPE, NULL,
                          "event types beginning ves. are the system's own; "
                          "choose another name");
    if (p->require_v2 && event->ves_version < 2)
        return ves_refuse(refusal, VES_REFUSAL_UNSUPPORTED_VERSION, NULL,
                          "ves_version is %u; this sequencer takes new events "
                          "of version 2 only",
                          (unsigned)event->ves_version);
    if (!p->keys->find(p->keys->ctx, &event->stream.tenant, &event->agent,
                       event->agent_key_id, &item->key))
        return ves_refuse(refusal, VES_REFUSAL_KEY_NOT_FOUND, NULL,
                          "key %u of this agent is not registered",
                          (unsigned)event->agent_key_id);
    return VES_OK;
}

/* Moves what is needed later out of the scratch memory. */
static enum ves_status keep_event(struct prepare *p,
                                  struct ves_ingest_event *item)
{
    struct ves_arena *arena = &p->ingest->arena;
    struct ves_event *event = &item->event;
    struct ves_context *context = &event->context;
    struct ves_bytes *texts[] = {&event->entity_type, &event->entity_id,
                                 &event->event_type,  &event->created_at,
                                 &context->schema,    &context->hlc};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ves_arena_copy(arena, *texts[i], texts[i]))
            return VES_NOMEM;
    }
    if (context->dep_count > 0) {
        size_t size = context->dep_count * sizeof(*context->deps);
        struct ves_uuid *deps = ves_arena_alloc(arena, size);
        if (!deps)
            return VES_NOMEM;
        memcpy(deps, context->deps, size);
        context->deps = deps;
        item->subject.deps.list = deps;
    }
    item->payload_len = event->payload_jcs.len;
    event->payload = NULL;
    event->payload_encrypted = NULL;
    event->payload_jcs = ves_bytes(NULL, 0);
    event->sequenced_at = ves_bytes(NULL, 0);
    return VES_OK;
}

/* Of an event that is not well formed only the id is kept. */
static void forget_event(struct ves_ingest_event *item)
{
    struct ves_refusal *refusal = &item->refusal;

    if (!refusal->has_event_id)
        refusal->has_event_id =
            ves_ingest_peek_event_id(item->element, &refusal->event_id);
    memset(&item->event, 0, sizeof(item->event));
    if (refusal->has_event_id)
        item->event.event_id = refusal->event_id;
}

static enum ves_status write_envelope(struct prepare *p,
                                      struct ves_ingest_event *item)
{
    ves_buf_reset(&p->envelope);
    ves_event_write_open(&p->envelope, &item->event);
    enum ves_status status = ves_buf_status(&p->envelope);
    if (status == VES_LIMIT)
        return ves_refuse(&item->refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                          "the envelope has over %d bytes", (int)ENVELOPE_MAX);
    if (status)
        return status;
    return ves_arena_copy(&p->ingest->arena, ves_buf_view(&p->envelope),
                          &item->envelope);
}

/* VES_REFUSED is the event's affair and marked there. */
static enum ves_status prepare_event(struct prepare *p,
                                     struct ves_ingest_event *item)
{
    /* From the start, also when an earlier attempt ran out of memory. */
    *item = (struct ves_ingest_event){.element = item->element};
    enum ves_status status = read_event(p, item);
    if (status == VES_REFUSED)
        forget_event(item);
    if (status)
        return status;
    ves_entity_name(item->event.entity_type, item->event.entity_id,
                    &item->entity);
    enum ves_status checked = check_event(p, item);
    if (!checked)
        checked = write_envelope(p, item);
    if (!checked)
        checked = ves_judge_subject_read(&p->ingest->arena, VES_RULES_BUILT_IN,
                                         &item->event, &item->subject);
    if (checked && checked != VES_REFUSED)
        return checked;
    status = keep_event(p, item);
    if (status)
        return status;
    if (checked) {
        item->refusal.has_event_id = true;
        item->refusal.event_id = item->event.event_id;
    }
    return checked;
}

static enum ves_status prepare_events(struct prepare *p)
{
    struct ves_ingest *ingest = p->ingest;

    p->items =
        ves_arena_alloc(&ingest->arena, ingest->count * sizeof(*p->items));
    p->owners =
        ves_arena_alloc(&ingest->arena, ingest->count * sizeof(*p->owners));
    if (!p->items || !p->owners)
        return VES_NOMEM;
    for (size_t i = 0; i < ingest->count; i++) {
        struct ves_ingest_event *item = &ingest->events[i];
        enum ves_status status = prepare_event(p, item);
        ves_arena_reset(&p->scratch);
        if (status == VES_REFUSED)
            continue;
        if (status)
            return status;
        struct ves_verify_item *check = &p->items[p->item_count];
        check->key = item->key;
        check->hash = item->event.event_hash;
        check->sig = item->event.signature;
        p->owners[p->item_count++] = item;
    }
    return VES_OK;
}

static void verify_events(struct prepare *p, struct ves_verifier *verifier)
{
    if (p->item_count == 0)
        return;
    verifier->verify(verifier, p->items, p->item_count);
    for (size_t i = 0; i < p->item_count; i++) {
        struct ves_ingest_event *item = p->owners[i];
        if (p->items[i].is_valid)
            continue;
        (void)ves_refuse(&item->refusal, VES_REFUSAL_INVALID_SIGNATURE, NULL,
                         "agent_signature is not the signature of key %u over "
                         "this event",
                         (unsigned)item->event.agent_key_id);
        item->refusal.has_event_id = true;
        item->refusal.event_id = item->event.event_id;
    }
}

enum ves_status ves_ingest_prepare(struct ves_ingest *ingest,
                                   const struct ves_alloc *alloc,
                                   const struct ves_key_source *keys,
                                   struct ves_verifier *verifier,
                                   bool require_v2)
{
    struct prepare p = {
        .ingest = ingest, .keys = keys, .require_v2 = require_v2};

    ves_arena_init(&p.scratch, alloc, SCRATCH_MAX);
    ves_buf_init(&p.envelope, alloc, ENVELOPE_MAX);
    enum ves_status status = prepare_events(&p);
    if (!status)
        verify_events(&p, verifier);
    ves_buf_free(&p.envelope);
    ves_arena_free(&p.scratch);
    return status;
}
