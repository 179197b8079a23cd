/* rules_parse.c -- the strict reader of rules documents (doc/rules.md). */
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/merge.h"
#include "core/rules_internal.h"

enum { LADDER_MAX = 32 };

/* ---- entities -------------------------------------------------------------
 */

static enum ves_status read_lists(struct ves_rules_parser *parser,
                                  const struct ves_json *node,
                                  struct ves_entity_type *out)
{
    const struct ves_json *object = ves_json_member(node, "lists");
    size_t count = object ? object->count : 0;
    struct ves_list *lists =
        ves_rules_get(parser, (count + 1) * sizeof(*lists));

    if (!lists)
        return VES_NOMEM;
    out->lists = lists;
    if (object && object->type != VES_JSON_OBJECT)
        return ves_rules_bad_at(parser, "lists",
                                "an object of members and their keys");
    for (const struct ves_json *m = object ? object->first : NULL; m;
         m = m->next, lists++) {
        if (m->type != VES_JSON_STRING || m->string.len == 0 ||
            m->key.len == 0 || m->key.len > VES_RULES_PATH_MAX ||
            m->string.len > VES_RULES_PATH_MAX || !ves_rules_is_clean(m->key) ||
            !ves_rules_is_clean(m->string) ||
            memchr(m->key.ptr, '/', m->key.len) ||
            memchr(m->key.ptr, '~', m->key.len))
            return ves_rules_bad_at(
                parser, "lists",
                "names of members, each with the name of its items' "
                "key");
        enum ves_status status =
            ves_rules_copy_text(parser, m->key, &lists->name);
        if (!status)
            status = ves_rules_copy_text(parser, m->string, &lists->key);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status read_ladders(struct ves_rules_parser *parser,
                                    const struct ves_json *node,
                                    struct ves_entity_type *out)
{
    const struct ves_json *object = ves_json_member(node, "ladders");
    size_t count = object ? object->count : 0;
    struct ves_ladder *ladders =
        ves_rules_get(parser, (count + 1) * sizeof(*ladders));

    if (!ladders)
        return VES_NOMEM;
    out->ladders = ladders;
    if (object && object->type != VES_JSON_OBJECT)
        return ves_rules_bad_at(parser, "ladders",
                                "an object of paths and their words");
    for (const struct ves_json *m = object ? object->first : NULL; m;
         m = m->next, ladders++) {
        size_t n = 0;
        if (m->type != VES_JSON_ARRAY || m->count == 0 ||
            m->count > LADDER_MAX || m->key.len > VES_RULES_PATH_MAX)
            return ves_rules_bad_at(
                parser, "ladders",
                "paths, each with an array of 1 to 32 words");
        const char **words =
            ves_rules_get(parser, (m->count + 1) * sizeof(*words));
        if (!words)
            return VES_NOMEM;
        enum ves_status status =
            ves_rules_copy_text(parser, m->key, &ladders->path);
        if (status)
            return status;
        if (!ves_rules_is_clean(m->key) ||
            !ves_rules_is_path(ladders->path, false) ||
            strchr(ladders->path, '{'))
            return ves_rules_bad_at(parser, "ladders",
                                    "a JSON pointer as path");
        for (const struct ves_json *i = m->first; i; i = i->next) {
            if (i->type != VES_JSON_STRING || !ves_rules_is_clean(i->string))
                return ves_rules_bad_at(parser, "ladders",
                                        "words that are texts");
            status = ves_rules_copy_text(parser, i->string, &words[n++]);
            if (status)
                return status;
        }
        ladders->words = words;
    }
    return VES_OK;
}

/* They are computed one after the other, so one of another would be behind by
 * a step. */
static bool are_balances_flat(const struct ves_balance *balances)
{
    for (const struct ves_balance *b = balances; b->name; b++) {
        for (const struct ves_balance *other = balances; other->name; other++) {
            if (strcmp(b->minuend, other->name) == 0 ||
                strcmp(b->subtrahend, other->name) == 0)
                return false;
        }
    }
    return true;
}

static enum ves_status read_balances(struct ves_rules_parser *parser,
                                     const struct ves_json *node,
                                     struct ves_entity_type *out)
{
    const struct ves_json *object = ves_json_member(node, "balances");
    size_t count = object ? object->count : 0;
    struct ves_balance *balances =
        ves_rules_get(parser, (count + 1) * sizeof(*balances));
    static const char expected[] =
        "names of members, each with an array of two names: what it is the "
        "difference of";

    if (!balances)
        return VES_NOMEM;
    out->balances = balances;
    if (object && object->type != VES_JSON_OBJECT)
        return ves_rules_bad_at(parser, "balances", expected);
    for (const struct ves_json *m = object ? object->first : NULL; m;
         m = m->next, balances++) {
        const struct ves_json *a = m->type == VES_JSON_ARRAY ? m->first : NULL;
        const struct ves_json *b = a ? a->next : NULL;
        if (!b || b->next || a->type != VES_JSON_STRING ||
            b->type != VES_JSON_STRING || !ves_rules_is_clean(m->key) ||
            !ves_rules_is_clean(a->string) || !ves_rules_is_clean(b->string) ||
            m->key.len > VES_RULES_PATH_MAX)
            return ves_rules_bad_at(parser, "balances", expected);
        enum ves_status status =
            ves_rules_copy_text(parser, m->key, &balances->name);
        if (!status)
            status = ves_rules_copy_text(parser, a->string, &balances->minuend);
        if (!status)
            status =
                ves_rules_copy_text(parser, b->string, &balances->subtrahend);
        if (status)
            return status;
        if (!ves_rules_is_word(balances->name, strlen(balances->name)))
            return ves_rules_bad_at(parser, "balances", expected);
    }
    return are_balances_flat(out->balances)
               ? VES_OK
               : ves_rules_bad_at(parser, "balances",
                                  "members that are no balances themselves");
}

static const struct ves_json *find_source(const struct ves_rules *rules,
                                          const char *name, uint32_t version)
{
    for (const struct ves_rules *r = rules; r; r = r->before) {
        for (size_t i = 0; i < r->type_count && version > 0; i++) {
            if (strcmp(r->types[i].name, name) == 0 &&
                r->types[i].version == version)
                return r->type_sources[i];
        }
        for (size_t i = 0; i < r->entity_count && version == 0; i++) {
            if (strcmp(r->entities[i].name, name) == 0)
                return r->entity_sources[i];
        }
    }
    return NULL;
}

/* Was something else published under that name (and version; 0: an entity)?
 * *is_known: the very same was. */
static enum ves_status check_published(struct ves_rules_parser *parser,
                                       const char *name, uint32_t version,
                                       const struct ves_json *source,
                                       bool *is_known)
{
    const struct ves_json *other =
        find_source(parser->rules->before, name, version);

    *is_known = other != NULL;
    if (find_source(parser->rules, name, version) && !other)
        return ves_rules_bad(parser, "each name and version once");
    if (!other || ves_json_equal(other, source))
        return VES_OK;
    if (version == 0)
        return ves_fail(parser->error, VES_CONFLICT,
                        "rules %s: the entity type \"%s\" was published with "
                        "other rules, and these never change",
                        parser->where, name);
    return ves_fail(parser->error, VES_CONFLICT,
                    "rules %s: version %u of \"%s\" was published with other "
                    "rules, and a version never changes; publish the next "
                    "version",
                    parser->where, version, name);
}

static enum ves_status read_entity(struct ves_rules_parser *parser,
                                   const struct ves_json *node)
{
    static const char *const names[] = {"name", "lists", "ladders", "balances",
                                        NULL};
    struct ves_rules *rules = parser->rules;
    struct ves_entity_type *out = &rules->entities[rules->entity_count];
    bool is_known;

    enum ves_status status = ves_rules_only(parser, node, names);
    if (!status)
        status = ves_rules_text(parser, node, "name", &out->name);
    if (status)
        return status;
    if (!out->name || !ves_rules_is_word(out->name, strlen(out->name)) ||
        strcmp(out->name, VES_SCHEMA_ENTITY_TYPE) == 0)
        return ves_rules_bad_at(
            parser, "name",
            "an entity type: lower-case letters, digits, - and _");
    if (ves_entity_type_is_built_in(ves_bytes_str(out->name)))
        return ves_rules_bad_at(parser, "name",
                                "an entity type that is not built in");
    status = check_published(parser, out->name, 0, node, &is_known);
    if (!status)
        status = read_lists(parser, node, out);
    if (!status)
        status = read_ladders(parser, node, out);
    if (!status)
        status = read_balances(parser, node, out);
    if (!status && !is_known)
        rules->entity_sources[rules->entity_count++] = node;
    return status;
}

/* ---- types ----------------------------------------------------------------
 */

static enum ves_status read_name(struct ves_rules_parser *parser,
                                 const struct ves_json *node,
                                 struct ves_event_type *out)
{
    uint64_t version = 0;

    enum ves_status status = ves_rules_text(parser, node, "name", &out->name);
    if (status)
        return status;
    if (!out->name || !ves_rules_is_type_name(out->name))
        return ves_rules_bad_at(
            parser, "name",
            "an event type like \"repair.received\", not of ves");
    struct ves_bytes entity = ves_entity_type_of(ves_bytes_str(out->name));
    status = ves_rules_copy_text(parser, entity, &out->entity_type);
    if (status)
        return status;
    if (!ves_json_get_u64(node, "version", &version) || version == 0 ||
        version > INT32_MAX)
        return ves_rules_bad_at(parser, "version", "an integer from 1 on");
    if (ves_event_type_find(ves_bytes_str(out->name)))
        return ves_rules_bad_at(parser, "name",
                                "an event type that is not built in");
    out->version = (uint32_t)version;
    return VES_OK;
}

static enum ves_status read_class(struct ves_rules_parser *parser,
                                  const struct ves_json *node,
                                  struct ves_event_type *out)
{
    static const char *const classes[] = {"intent", "fact", NULL};
    static const char *const bases[] = {"required", "none", NULL};
    int event_class, base;

    enum ves_status status =
        ves_rules_word(parser, node, "class", classes, -1, &event_class);
    out->event_class = (enum ves_event_class)event_class;
    if (!status)
        status = ves_rules_word(parser, node, "base", bases,
                                event_class ? VES_BASE_NONE : VES_BASE_REQUIRED,
                                &base);
    if (!status)
        status = ves_rules_text(parser, node, "merge", &out->merge);
    if (status)
        return status;
    out->base = (enum ves_base_rule)base;
    if (out->event_class == VES_CLASS_FACT && out->base == VES_BASE_REQUIRED)
        return ves_rules_bad_at(parser, "base",
                                "\"none\": a fact needs no base");
    if (!out->merge)
        out->merge = VES_MERGE_NEVER;
    if (!ves_merge_is_known(out->merge))
        return ves_rules_bad_at(parser, "merge",
                                "the name of a merge function");
    return VES_OK;
}

static enum ves_status read_type(struct ves_rules_parser *parser,
                                 const struct ves_json *node)
{
    static const char *const names[] = {
        "name",       "version",    "class",   "base", "merge",
        "operations", "references", "payload", "doc",  NULL};
    struct ves_rules *rules = parser->rules;
    struct ves_event_type *out = &rules->types[rules->type_count];
    const char *doc;
    bool is_known;

    enum ves_status status = ves_rules_only(parser, node, names);
    if (!status)
        status = read_name(parser, node, out);
    if (!status)
        status =
            check_published(parser, out->name, out->version, node, &is_known);
    if (!status)
        status = ves_rules_text(parser, node, "doc", &doc);
    if (!status)
        status = read_class(parser, node, out);
    if (status)
        return status;
    /* The entity may be one of this document. */
    const struct ves_rules_at at = {rules, VES_SEQUENCE_NEXT};
    parser->entity = ves_rules_entity(at, ves_bytes_str(out->entity_type));
    status = ves_rules_operations(parser, node, out);
    if (!status)
        status = ves_rules_references(parser, node, out);
    if (!status)
        status = ves_rules_payload(parser, node, out);
    if (!status && !is_known)
        rules->type_sources[rules->type_count++] = node;
    return status;
}

/* ---- the document ---------------------------------------------------------
 */

static enum ves_status
read_each(struct ves_rules_parser *parser, const char *name,
          const struct ves_json *array,
          enum ves_status (*read)(struct ves_rules_parser *parser,
                                  const struct ves_json *node))
{
    size_t mark = ves_rules_enter(parser, name), index = 0;
    size_t inner = parser->where_len;

    for (const struct ves_json *i = array ? array->first : NULL; i;
         i = i->next) {
        (void)ves_rules_enter_index(parser, index++);
        enum ves_status status = read(parser, i);
        if (status)
            return status;
        ves_rules_leave(parser, inner);
    }
    ves_rules_leave(parser, mark);
    return VES_OK;
}

enum ves_status ves_rules_parse(struct ves_rules *rules,
                                struct ves_error *error)
{
    static const char *const names[] = {"rules", "doc", "entities", "types",
                                        NULL};
    struct ves_rules_parser parser = {.rules = rules, .error = error};
    const struct ves_json *types, *entities;
    uint64_t format = 0;

    enum ves_status status = ves_rules_only(&parser, rules->root, names);
    if (status)
        return status;
    if (!ves_json_get_u64(rules->root, "rules", &format) || format != 1)
        return ves_rules_bad_at(&parser, "rules",
                                "1, the version of this format");
    status = ves_rules_array(&parser, rules->root, "entities",
                             VES_RULES_TYPES_MAX, &entities);
    if (!status)
        status = ves_rules_array(&parser, rules->root, "types",
                                 VES_RULES_TYPES_MAX, &types);
    if (status)
        return status;
    if (!types && !entities)
        return ves_rules_bad(&parser, "types or entities");
    size_t type_count = types ? types->count : 0;
    size_t entity_count = entities ? entities->count : 0;
    rules->types =
        ves_rules_get(&parser, (type_count + 1) * sizeof(*rules->types));
    rules->type_sources =
        ves_rules_get(&parser, (type_count + 1) * sizeof(struct ves_json *));
    rules->entities =
        ves_rules_get(&parser, (entity_count + 1) * sizeof(*rules->entities));
    rules->entity_sources =
        ves_rules_get(&parser, (entity_count + 1) * sizeof(struct ves_json *));
    if (!rules->types || !rules->type_sources || !rules->entities ||
        !rules->entity_sources)
        return VES_NOMEM;
    status = read_each(&parser, "entities", entities, read_entity);
    return status ? status : read_each(&parser, "types", types, read_type);
}
