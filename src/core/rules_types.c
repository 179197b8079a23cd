/* rules_types.c -- operations, references and payloads of declared types. */
#include "base/bytes.h"
#include "base/error.h"
#include "core/quantity.h"
#include "core/rules_internal.h"

/* ---- operations -----------------------------------------------------------
 */

/* Which members an operation has. */
enum { PATH = 1, FROM = 2, VALUE = 4, TO = 8, NEGATE = 16, MARK = 32 };

static const struct {
    const char *name;
    enum ves_op op;
    unsigned members;
} forms[] = {
    {"set", VES_OP_SET, PATH | FROM | VALUE},
    {"remove", VES_OP_SET, PATH},
    {"delta", VES_OP_DELTA, PATH | FROM | VALUE | NEGATE},
    {"add_to_set", VES_OP_ADD_TO_SET, PATH | FROM | VALUE},
    {"append", VES_OP_APPEND, PATH | FROM | VALUE},
    {"transition", VES_OP_TRANSITION, PATH | FROM | TO},
    {"advance", VES_OP_ADVANCE, PATH | TO},
    {"create", VES_OP_CREATE, PATH | FROM | MARK},
    {"fill", VES_OP_SET, PATH},
    {"patch", VES_OP_SET, PATH | FROM},
    {"edit", VES_OP_SET, 0},
    {"default", VES_OP_DEFAULT, PATH | FROM | VALUE},
    {"delete", VES_OP_DELETE, 0},
    {"restore", VES_OP_RESTORE, 0},
};

enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static enum ves_status read_form(struct ves_rules_parser *parser,
                                 const struct ves_json *node, int *form)
{
    static const char *const all[] = {"op", "path",   "from", "value",
                                      "to", "negate", NULL};
    const char *words[FORMS + 1] = {NULL};
    const char *names[8] = {"op"};
    size_t n = 1;

    for (size_t i = 0; i < FORMS; i++)
        words[i] = forms[i].name;
    enum ves_status status = ves_rules_only(parser, node, all);
    if (!status)
        status = ves_rules_word(parser, node, "op", words, -1, form);
    if (status)
        return status;
    for (size_t i = 1; all[i]; i++) {
        if (forms[*form].members & (1u << (i - 1)))
            names[n++] = all[i];
    }
    return ves_rules_only(parser, node, names);
}

static bool is_root_form(int form)
{
    return strcmp(forms[form].name, "fill") == 0 ||
           strcmp(forms[form].name, "patch") == 0;
}

static enum ves_status read_path(struct ves_rules_parser *parser,
                                 const struct ves_json *node, int form,
                                 struct ves_operation *out)
{
    enum ves_status status = ves_rules_text(parser, node, "path", &out->path);

    if (status)
        return status;
    if (out->path && out->path[0] == '\0' && is_root_form(form))
        return VES_OK;
    if (!out->path || !ves_rules_is_path(out->path, forms[form].members & MARK))
        return ves_rules_bad_at(
            parser, "path", "a JSON pointer like \"/a/{id}\" into the state");
    if (ves_rules_is_below(out->path, "_ves"))
        return ves_rules_bad_at(parser, "path", "a member other than _ves");
    for (const struct ves_balance *b = parser->entity->balances; b->name; b++) {
        if (ves_rules_is_below(out->path, b->name))
            return ves_rules_bad_at(parser, "path",
                                    "a member that is not a balance of others");
    }
    return VES_OK;
}

/* from, value or to: where the value comes from. */
static enum ves_status read_source(struct ves_rules_parser *parser,
                                   const struct ves_json *node, int form,
                                   struct ves_operation *out)
{
    unsigned members = forms[form].members;
    struct ves_quantity quantity;
    const char *to;

    enum ves_status status = ves_rules_text(parser, node, "from", &out->from);
    if (!status)
        status = ves_rules_text(parser, node, "to", &to);
    if (status)
        return status;
    const struct ves_json *value = ves_json_member(node, "value");
    int count = (out->from != NULL) + (to != NULL) + (value != NULL);
    bool may_default = out->op == VES_OP_CREATE || out->op == VES_OP_APPEND;
    if (count > 1 || (count == 0 && !may_default))
        return ves_rules_bad(
            parser, members & TO ? "\"to\" (a word) or \"from\" (a pointer), "
                                   "one of them"
                                 : "\"from\" (a pointer) or \"value\", one of "
                                   "them");
    if (count == 0)
        out->from = "";
    if (out->from && !ves_rules_is_pointer(out->from, false))
        return ves_rules_bad_at(parser, "from",
                                "a JSON pointer into the payload");
    out->source = VES_SOURCE_MEMBER;
    if (to) {
        out->source = VES_SOURCE_TEXT;
        out->from = to;
    } else if (value) {
        out->source = VES_SOURCE_VALUE;
        out->value = value;
        if (out->op == VES_OP_DELTA && ves_quantity_read(value, &quantity))
            return ves_rules_bad_at(parser, "value",
                                    "a decimal number or string");
    }
    return VES_OK;
}

static enum ves_status read_negate(struct ves_rules_parser *parser,
                                   const struct ves_json *node,
                                   struct ves_operation *out)
{
    if (ves_json_member(node, "negate") &&
        !ves_json_get_bool(node, "negate", &out->is_negative))
        return ves_rules_bad_at(parser, "negate", "true or false");
    return VES_OK;
}

/* Words at a ladder's path: an advance is to one of them, a default is none or
 * the lowest, or the order of events would decide. */
static enum ves_status check_ladder(struct ves_rules_parser *parser,
                                    const struct ves_operation *operation)
{
    const struct ves_ladder *ladder = parser->entity->ladders;
    const struct ves_json *value = operation->value;
    size_t i = 0;

    while (ladder->path && strcmp(ladder->path, operation->path) != 0)
        ladder++;
    if (operation->op == VES_OP_ADVANCE) {
        if (!ladder->path)
            return ves_rules_bad_at(parser, "path",
                                    "the path of a ladder of the entity");
        while (ladder->words[i] &&
               strcmp(ladder->words[i], operation->from) != 0)
            i++;
        return ladder->words[i]
                   ? VES_OK
                   : ves_rules_bad_at(parser, "to", "a word of the ladder");
    }
    if (operation->op != VES_OP_DEFAULT || !ladder->path)
        return VES_OK;
    if (!value || value->type != VES_JSON_STRING)
        return ves_rules_bad(parser,
                             "a word as \"value\", the lowest of the ladder");
    for (i = 1; ladder->words[0] && ladder->words[i]; i++) {
        if (ves_bytes_is(value->string, ladder->words[i]))
            return ves_rules_bad_at(parser, "value",
                                    "the lowest word of the ladder");
    }
    return VES_OK;
}

static enum ves_status read_operation(struct ves_rules_parser *parser,
                                      const struct ves_json *node,
                                      struct ves_operation *out)
{
    int form;

    enum ves_status status = read_form(parser, node, &form);
    if (status)
        return status;
    out->op = forms[form].op;
    out->path = VES_PATH_WHOLE;
    out->source = VES_SOURCE_MEMBER;
    out->from = "";
    if (forms[form].members & PATH)
        status = read_path(parser, node, form, out);
    if (!status && (forms[form].members & (FROM | TO)))
        status = read_source(parser, node, form, out);
    if (!status)
        status = read_negate(parser, node, out);
    if (status)
        return status;
    if (strcmp(forms[form].name, "remove") == 0)
        out->source = VES_SOURCE_VALUE;
    if (strcmp(forms[form].name, "fill") == 0)
        out->source = VES_SOURCE_FILL;
    if (strcmp(forms[form].name, "patch") == 0)
        out->source = VES_SOURCE_PATCH;
    if (strcmp(forms[form].name, "edit") == 0) {
        out->source = VES_SOURCE_EDIT;
        out->path = "";
    }
    return check_ladder(parser, out);
}

enum ves_status ves_rules_operations(struct ves_rules_parser *parser,
                                     const struct ves_json *node,
                                     struct ves_event_type *out)
{
    const struct ves_json *array;
    size_t mark = parser->where_len;

    enum ves_status status = ves_rules_array(parser, node, "operations",
                                             VES_RULES_OPERATIONS_MAX, &array);
    if (status)
        return status;
    if (!array || array->count == 0)
        return ves_rules_bad_at(parser, "operations",
                                "an array of at least one");
    struct ves_operation *list =
        ves_rules_get(parser, (array->count + 1) * sizeof(*list));
    if (!list)
        return VES_NOMEM;
    out->operations = list;
    (void)ves_rules_enter(parser, "operations");
    size_t inner = parser->where_len, index = 0;
    for (const struct ves_json *i = array->first; i; i = i->next, list++) {
        (void)ves_rules_enter_index(parser, index++);
        status = read_operation(parser, i, list);
        if (status)
            return status;
        if (list->op == VES_OP_DELETE && list != out->operations)
            return ves_rules_bad(parser, "delete as the first operation");
        ves_rules_leave(parser, inner);
    }
    ves_rules_leave(parser, mark);
    return VES_OK;
}

/* ---- references and payloads ----------------------------------------------
 */

typedef enum ves_status item_reader(struct ves_rules_parser *parser,
                                    const struct ves_json *node, void *item);

/* An array of things of one size; what ends it is all zeros. */
static enum ves_status read_list(struct ves_rules_parser *parser,
                                 const struct ves_json *node, const char *name,
                                 size_t size, item_reader *read, void **out)
{
    size_t mark = parser->where_len, index = 0;
    const struct ves_json *array;

    enum ves_status status =
        ves_rules_array(parser, node, name, VES_RULES_OPERATIONS_MAX, &array);
    uint8_t *item =
        status ? NULL
               : ves_rules_get(parser, ((array ? array->count : 0) + 1) * size);
    if (!item)
        return status ? status : VES_NOMEM;
    *out = item;
    (void)ves_rules_enter(parser, name);
    size_t inner = parser->where_len;
    for (const struct ves_json *i = array ? array->first : NULL; i;
         i = i->next, item += size) {
        (void)ves_rules_enter_index(parser, index++);
        status = read(parser, i, item);
        if (status)
            return status;
        ves_rules_leave(parser, inner);
    }
    ves_rules_leave(parser, mark);
    return VES_OK;
}

/* Into the payload; example is one that would do. */
static enum ves_status read_pointer(struct ves_rules_parser *parser,
                                    const struct ves_json *node,
                                    const char *example, const char **out)
{
    enum ves_status status = ves_rules_text(parser, node, "pointer", out);

    if (status)
        return status;
    return *out && **out && ves_rules_is_pointer(*out, true)
               ? VES_OK
               : ves_rules_bad_at(parser, "pointer", example);
}

static enum ves_status read_reference(struct ves_rules_parser *parser,
                                      const struct ves_json *node, void *item)
{
    static const char *const names[] = {"pointer", "entity", NULL};
    struct ves_reference *out = item;

    enum ves_status status = ves_rules_only(parser, node, names);
    if (!status)
        status = read_pointer(parser, node,
                              "a JSON pointer like \"/lines/*/product_id\"",
                              &out->pointer);
    if (!status)
        status = ves_rules_text(parser, node, "entity", &out->entity_type);
    if (status)
        return status;
    return out->entity_type &&
                   ves_rules_is_word(out->entity_type, strlen(out->entity_type))
               ? VES_OK
               : ves_rules_bad_at(parser, "entity", "an entity type");
}

enum ves_status ves_rules_references(struct ves_rules_parser *parser,
                                     const struct ves_json *node,
                                     struct ves_event_type *out)
{
    void *list = NULL;

    enum ves_status status =
        read_list(parser, node, "references", sizeof(struct ves_reference),
                  read_reference, &list);
    out->references = list;
    return status;
}

static const char *const kinds[] = {
    "any",      "id",     "text",  "flag",   "quantity", "amount", "minor",
    "currency", "object", "patch", "before", "list",     "texts",  NULL};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == VES_FIELD_TEXTS + 1,
               "one word a kind");
static const char *const needs[] = {"no", "yes", "one", "money", NULL};

static enum ves_status read_field(struct ves_rules_parser *parser,
                                  const struct ves_json *node, void *item)
{
    static const char *const names[] = {"pointer", "is", "need", NULL};
    struct ves_field *out = item;
    int kind = 0, need = 0;

    enum ves_status status = ves_rules_only(parser, node, names);
    if (!status)
        status = read_pointer(parser, node,
                              "a JSON pointer like \"/lines/*/quantity\"",
                              &out->pointer);
    if (!status)
        status = ves_rules_word(parser, node, "is", kinds, 0, &kind);
    if (!status)
        status = ves_rules_word(parser, node, "need", needs, 0, &need);
    out->kind = (enum ves_field_kind)(kind + VES_FIELD_ANY);
    out->need = (enum ves_need)need;
    return status;
}

enum ves_status ves_rules_payload(struct ves_rules_parser *parser,
                                  const struct ves_json *node,
                                  struct ves_event_type *out)
{
    void *list = NULL;

    enum ves_status status = read_list(
        parser, node, "payload", sizeof(struct ves_field), read_field, &list);
    out->fields = list;
    return status;
}
