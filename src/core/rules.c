/* rules.c -- event types that users declare, from the log. */
#include "core/rules.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/entity.h"
#include "core/rules_internal.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "json/jcs.h"

enum {
    ARENA_MAX = 64 * 1024 * 1024,
    SIGNATURE_TEXT = 2 + 2 * VES_SIG_SIZE /* "0x" and digits */
};

/* ---- looking up -----------------------------------------------------------
 */

/* The first that is in force there. */
static const struct ves_rules *first(struct ves_rules_at at)
{
    const struct ves_rules *rules = at.rules;

    while (rules && rules->sequence >= at.sequence)
        rules = rules->before;
    return rules;
}

static const struct ves_event_type *of_document(const struct ves_rules *rules,
                                                struct ves_bytes name,
                                                uint32_t version)
{
    const struct ves_event_type *found = NULL;

    for (size_t i = 0; i < rules->type_count; i++) {
        const struct ves_event_type *type = &rules->types[i];
        if (!ves_bytes_is(name, type->name))
            continue;
        if (version == type->version)
            return type;
        if (version == 0 && (!found || found->version < type->version))
            found = type;
    }
    return found;
}

const struct ves_event_type *ves_rules_type(struct ves_rules_at at,
                                            struct ves_bytes event_type,
                                            uint32_t version)
{
    const struct ves_event_type *found = ves_event_type_find(event_type);

    if (found)
        return version == 0 || version == found->version ? found : NULL;
    for (const struct ves_rules *r = first(at); r; r = r->before) {
        const struct ves_event_type *type = of_document(r, event_type, version);
        if (type && version > 0)
            return type;
        if (type && (!found || found->version < type->version))
            found = type;
    }
    return found;
}

const struct ves_event_type *ves_event_rule(struct ves_rules_at rules,
                                            const struct ves_event *event,
                                            bool *is_unknown)
{
    const struct ves_context *context = &event->context;
    uint32_t named = context->is_present ? context->schema_version : 0;
    const struct ves_event_type *type = NULL;

    if (!context->is_present || named > 0)
        type = ves_rules_type(rules, event->event_type, named);
    /* The system's own have no rules. */
    if (is_unknown)
        *is_unknown = named > 0 && !type &&
                      !ves_bytes_is(ves_entity_type_of(event->event_type),
                                    VES_SCHEMA_ENTITY_TYPE);
    return type;
}

const struct ves_entity_type *ves_rules_entity(struct ves_rules_at at,
                                               struct ves_bytes name)
{
    if (ves_entity_type_is_built_in(name))
        return ves_entity_type_find(name);
    for (const struct ves_rules *r = first(at); r; r = r->before) {
        for (size_t i = 0; i < r->entity_count; i++) {
            if (ves_bytes_is(name, r->entities[i].name))
                return &r->entities[i];
        }
    }
    return ves_entity_type_find(name);
}

const struct ves_rules *ves_rules_before(const struct ves_rules *rules)
{
    return rules->before;
}

uint64_t ves_rules_sequence(const struct ves_rules *rules)
{
    return rules->sequence;
}

struct ves_bytes ves_rules_document(const struct ves_rules *rules)
{
    return rules->document;
}

const struct ves_event_type *ves_rules_type_at(const struct ves_rules *rules,
                                               size_t index)
{
    return index < rules->type_count ? &rules->types[index] : NULL;
}

size_t ves_rules_entity_count(const struct ves_rules *rules)
{
    return rules->entity_count;
}

/* ---- making ---------------------------------------------------------------
 */

void ves_rules_free(struct ves_rules *rules)
{
    if (!rules)
        return;
    const struct ves_alloc *alloc = rules->alloc;
    ves_arena_free(&rules->arena);
    (void)alloc->realloc(alloc->ctx, rules, 0);
}

/* Keeps the canonical form of a document and reads that again, so that nothing
 * of the caller's is needed any more. */
static enum ves_status keep(struct ves_rules *rules, struct ves_bytes text,
                            struct ves_error *error)
{
    const struct ves_json_options options = {.safe_integers = true};
    struct ves_json_where where = {0, ""};
    struct ves_scratch scratch;

    if (text.len > VES_RULES_MAX)
        return ves_fail(error, VES_LIMIT,
                        "the rules have %zu bytes; at most %d are allowed",
                        text.len, (int)VES_RULES_MAX);
    enum ves_status status =
        ves_json_read(&rules->arena, text, &options, &rules->root, &where);
    if (status == VES_MALFORMED)
        return ves_fail(error, VES_MALFORMED,
                        "the rules are not valid JSON at byte %zu: %s",
                        where.offset, where.reason);
    if (status)
        return status;
    ves_scratch_init(&scratch, &rules->arena, text.len,
                     (size_t)8 * VES_RULES_MAX);
    status = ves_jcs_write(&scratch.buf, &rules->arena, rules->root);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status)
        return status;
    rules->document = ves_buf_view(&scratch.buf);
    return ves_json_read(&rules->arena, rules->document, &options, &rules->root,
                         NULL);
}

enum ves_status ves_rules_read(const struct ves_alloc *alloc,
                               const struct ves_rules *before,
                               struct ves_bytes document, uint64_t sequence,
                               struct ves_rules **out, struct ves_error *error)
{
    struct ves_rules *rules = alloc->realloc(alloc->ctx, NULL, sizeof(*rules));

    *out = NULL;
    if (!rules)
        return VES_NOMEM;
    memset(rules, 0, sizeof(*rules));
    rules->alloc = alloc;
    rules->before = before;
    rules->sequence = sequence;
    ves_arena_init(&rules->arena, alloc, ARENA_MAX);
    enum ves_status status = keep(rules, document, error);
    if (!status)
        status = ves_rules_parse(rules, error);
    if (status) {
        ves_rules_free(rules);
        return status;
    }
    *out = rules;
    return VES_OK;
}

/* ---- events ---------------------------------------------------------------
 */

void ves_rules_hash(const struct ves_stream *stream,
                    const struct ves_rules *rules, struct ves_hash *out)
{
    struct ves_hash document;

    ves_sha256_one(rules->document.ptr, rules->document.len, &document);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_RULES_V1"),
        ves_bytes(stream->tenant.b, VES_UUID_SIZE),
        ves_bytes(stream->store.b, VES_UUID_SIZE),
        ves_bytes(document.b, VES_HASH_SIZE),
    };
    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), out);
}

void ves_rules_write(struct ves_buf *buf, const struct ves_rules *rules,
                     const struct ves_sig *owner_signature)
{
    ves_buf_put_str(buf, "{\"owner_signature\":\"0x");
    ves_buf_put_hex(buf, owner_signature->b, VES_SIG_SIZE);
    ves_buf_put_str(buf, "\",\"rules\":");
    ves_buf_put_bytes(buf, rules->document);
    ves_buf_put_u8(buf, '}');
}

static bool is_signed(const struct ves_rules *rules,
                      const struct ves_event *event,
                      const struct ves_public_key *owner)
{
    struct ves_bytes text;
    struct ves_hash hash;
    struct ves_sig sig;

    if (!ves_json_get_string(event->payload, "owner_signature", &text) ||
        text.len != SIGNATURE_TEXT || memcmp(text.ptr, "0x", 2) != 0 ||
        ves_hex_decode(ves_bytes(text.ptr + 2, text.len - 2), sig.b,
                       VES_SIG_SIZE))
        return false;
    ves_rules_hash(&event->stream, rules, &hash);
    return ves_ed25519_verify(owner, ves_bytes(hash.b, VES_HASH_SIZE), &sig);
}

bool ves_rules_is_registration(const struct ves_event *event)
{
    return ves_bytes_is(event->event_type, VES_TYPE_SCHEMA) &&
           ves_bytes_is(event->entity_type, VES_SCHEMA_ENTITY_TYPE) &&
           ves_bytes_is(event->entity_id, VES_SCHEMA_ENTITY_ID);
}

enum ves_status ves_rules_registered(const struct ves_alloc *alloc,
                                     const struct ves_rules *before,
                                     const struct ves_public_key *owner,
                                     const struct ves_event *event,
                                     uint64_t sequence, struct ves_rules **out,
                                     struct ves_error *why)
{
    const struct ves_json *document;
    struct ves_error ignored;

    *out = NULL;
    if (!why)
        why = &ignored;
    memset(why, 0, sizeof(*why));
    if (!ves_rules_is_registration(event) ||
        event->payload_kind != VES_PAYLOAD_PLAIN || !event->payload)
        return VES_OK;
    document = ves_json_member(event->payload, "rules");
    if (!document) {
        (void)ves_fail(why, VES_INVALID, "the event holds no rules");
        return VES_OK;
    }
    enum ves_status status =
        ves_rules_read(alloc, before, document->text, sequence, out, why);
    if (status)
        return status == VES_NOMEM ? status : VES_OK;
    if (is_signed(*out, event, owner))
        return VES_OK;
    (void)ves_fail(why, VES_REFUSED,
                   "the rules are not signed by the owner of this stream");
    ves_rules_free(*out);
    *out = NULL;
    return VES_OK;
}
