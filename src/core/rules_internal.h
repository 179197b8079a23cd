/* rules_internal.h -- one rules document as the reader leaves it.
 *
 * Inside src/core/rules*.c only.
 */
#ifndef VES_CORE_RULES_INTERNAL_H
#define VES_CORE_RULES_INTERNAL_H

#include "core/rules.h"

struct ves_rules {
    const struct ves_alloc *alloc;
    struct ves_arena arena; /* everything below */
    const struct ves_rules *before;
    uint64_t sequence;
    struct ves_bytes document; /* canonical */
    const struct ves_json *root;
    struct ves_event_type *types;
    const struct ves_json **type_sources; /* what each was read from */
    size_t type_count;
    struct ves_entity_type *entities;
    const struct ves_json **entity_sources;
    size_t entity_count;
};

/* Fills in types and entities from root. */
VES_NODISCARD enum ves_status ves_rules_parse(struct ves_rules *rules,
                                              struct ves_error *error);

/* ---- the parser ------------------------------------------------------------
 */

enum { VES_RULES_WHERE_MAX = 200 };

struct ves_rules_parser {
    struct ves_rules *rules;
    struct ves_error *error;
    char where[VES_RULES_WHERE_MAX]; /* pointer of the value under way */
    size_t where_len;
    const struct ves_entity_type *entity; /* of the type under way */
};

/* Steps into a member or an item; leave with what was returned. */
size_t ves_rules_enter(struct ves_rules_parser *parser, const char *name);
size_t ves_rules_enter_index(struct ves_rules_parser *parser, size_t index);
void ves_rules_leave(struct ves_rules_parser *parser, size_t mark);

/* VES_INVALID: what was expected where the parser stands, or in its member. */
enum ves_status ves_rules_bad(struct ves_rules_parser *parser,
                              const char *expected);
enum ves_status ves_rules_bad_at(struct ves_rules_parser *parser,
                                 const char *name, const char *expected);

/* Memory of the document. */
void *ves_rules_get(struct ves_rules_parser *parser, size_t size);
/* A copy with a NUL behind. */
VES_NODISCARD enum ves_status
ves_rules_copy_text(struct ves_rules_parser *parser, struct ves_bytes text,
                    const char **out);

/* A member that is a text without control characters; *out NULL when it is
 * not there. */
VES_NODISCARD enum ves_status ves_rules_text(struct ves_rules_parser *parser,
                                             const struct ves_json *object,
                                             const char *name,
                                             const char **out);
/* Is it an object whose members are all among names, closed by NULL? */
VES_NODISCARD enum ves_status ves_rules_only(struct ves_rules_parser *parser,
                                             const struct ves_json *object,
                                             const char *const *names);
/* A member that is one word of a list closed by NULL; *out its place there, or
 * fallback when it is not there; fallback < 0: it must be. */
VES_NODISCARD enum ves_status ves_rules_word(struct ves_rules_parser *parser,
                                             const struct ves_json *object,
                                             const char *name,
                                             const char *const *words,
                                             int fallback, int *out);
/* A member that is an array of at most `most`; *out NULL when it is not
 * there. */
VES_NODISCARD enum ves_status ves_rules_array(struct ves_rules_parser *parser,
                                              const struct ves_json *object,
                                              const char *name, size_t most,
                                              const struct ves_json **out);

bool ves_rules_is_clean(struct ves_bytes text); /* no control characters */
bool ves_rules_is_word(const char *text, size_t len);
bool ves_rules_is_type_name(const char *name);
/* A JSON pointer with names in braces, or, if it may be one, a mark. */
bool ves_rules_is_path(const char *path, bool may_be_mark);
/* A JSON pointer into the payload; "" is all of it, * any item. */
bool ves_rules_is_pointer(const char *pointer, bool may_have_items);
/* Is path that member of the state, or inside it? */
bool ves_rules_is_below(const char *path, const char *name);

/* Members of a type. */
VES_NODISCARD enum ves_status
ves_rules_operations(struct ves_rules_parser *parser,
                     const struct ves_json *node, struct ves_event_type *out);
VES_NODISCARD enum ves_status
ves_rules_references(struct ves_rules_parser *parser,
                     const struct ves_json *node, struct ves_event_type *out);
VES_NODISCARD enum ves_status ves_rules_payload(struct ves_rules_parser *parser,
                                                const struct ves_json *node,
                                                struct ves_event_type *out);

#endif
