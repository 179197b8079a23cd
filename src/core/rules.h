/* rules.h -- event types that users declare, from the log.
 *
 * semantics.md decision 5, doc/rules.md.  A rules document names types with
 * version, class, operations and payload, and entity types.  It is in force
 * behind the first `ves.schema.registered` of the log that carries it under
 * the signature of the stream's owner, and never changes: a document that says
 * something else of a version that is already published has no effect at all.
 * So what is known at a number of the log is a function of the log before it.
 *
 * Documents are immutable; each new one points at those before it.
 */
#ifndef VES_CORE_RULES_H
#define VES_CORE_RULES_H

#include "core/event.h"
#include "core/types.h"

#define VES_TYPE_SCHEMA "ves.schema.registered"
/* The entity such events are on: type and id. */
#define VES_SCHEMA_ENTITY_TYPE "ves"
#define VES_SCHEMA_ENTITY_ID   "rules"

enum {
    VES_RULES_MAX = 256 * 1024, /* bytes of a document */
    VES_RULES_TYPES_MAX = 256,
    VES_RULES_OPERATIONS_MAX = 64, /* of a type; fields and references too */
    VES_RULES_PATH_MAX = 200       /* bytes of a path or pointer */
};

/* Reads a document on top of `before` (NULL: built-in types only), to be in
 * force behind `sequence`.  VES_OK with *out; VES_INVALID with *error naming
 * the pointer of what is wrong and what was expected, VES_MALFORMED (no JSON),
 * VES_LIMIT (size), VES_CONFLICT (says something else of a version that was
 * published), VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_rules_read(const struct ves_alloc *alloc, const struct ves_rules *before,
               struct ves_bytes document, uint64_t sequence,
               struct ves_rules **out, struct ves_error *error);

/* The row an event is read by: that of the version it names, or the newest
 * when it has no causal context and names none.  NULL: there is none, or it
 * names version 0.  *is_unknown (may be NULL): it names a version that neither
 * the program nor the log before it has. */
const struct ves_event_type *ves_event_rule(struct ves_rules_at rules,
                                            const struct ves_event *event,
                                            bool *is_unknown);

/* Frees one document and none before it. */
void ves_rules_free(struct ves_rules *rules);

/* The document before this one, NULL when it is the first. */
const struct ves_rules *ves_rules_before(const struct ves_rules *rules);
uint64_t ves_rules_sequence(const struct ves_rules *rules);
/* As canonical JSON; lives as long as the rules. */
struct ves_bytes ves_rules_document(const struct ves_rules *rules);
/* Its types, in their order; NULL past the end. */
const struct ves_event_type *ves_rules_type_at(const struct ves_rules *rules,
                                               size_t index);
/* How many entity types it declares that no earlier one did. */
size_t ves_rules_entity_count(const struct ves_rules *rules);

/* What the owner signs: SHA256("VES_RULES_V1" | tenant | store | SHA256 of the
 * canonical document). */
void ves_rules_hash(const struct ves_stream *stream,
                    const struct ves_rules *rules, struct ves_hash *out);

/* Appends the payload of the event: {"owner_signature":"0x..","rules":{..}}. */
void ves_rules_write(struct ves_buf *buf, const struct ves_rules *rules,
                     const struct ves_sig *owner_signature);

/* Is it an event of that type, on the entity that holds them? */
bool ves_rules_is_registration(const struct ves_event *event);

/* Reads the rules of a sequenced event of that kind.  *out is NULL when it is
 * none, is not signed by owner, or says nothing that can be in force, and
 * *why (may be NULL) tells; only VES_NOMEM is a failure. */
VES_NODISCARD enum ves_status ves_rules_registered(
    const struct ves_alloc *alloc, const struct ves_rules *before,
    const struct ves_public_key *owner, const struct ves_event *event,
    uint64_t sequence, struct ves_rules **out, struct ves_error *why);

#endif
