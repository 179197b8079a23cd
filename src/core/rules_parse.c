/* rules_parse.c -- the strict reader of rules documents (doc/rules.md). */
#include "base/bytes.h"
#include "base/error.h"
#include "core/effect_read.h"
#include "core/entity.h"
#include "core/merge.h"
#include "core/rules_internal.h"
#include "core/scratch.h"

enum { WHERE_MAX = 200, LADDER_MAX = 32, NAME_MAX_LEN = 128 };

struct parser {
    struct ves_rules *rules;
    struct ves_error *error;
    char where[WHERE_MAX]; /* pointer of the value under way, NUL-terminated */
    size_t where_len;
    const struct ves_entity_type *entity; /* of the type under way */
};

/* ---- saying where ---------------------------------------------------------
 */

/* Names in it are those of the format; what authors call things is not. */
static size_t enter(struct parser *parser, const char *name)
{
    size_t mark = parser->where_len;

    if (parser->where_len + strlen(name) + 2 > WHERE_MAX)
        return mark;
    parser->where[parser->where_len++] = '/';
    memcpy(parser->where + parser->where_len, name, strlen(name) + 1);
    parser->where_len += strlen(name);
    return mark;
}

static size_t enter_index(struct parser *parser, size_t index)
{
    char text[24];
    size_t n = sizeof(text);

    text[--n] = '\0';
    do {
        text[--n] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    return enter(parser, text + n);
}

static void leave(struct parser *parser, size_t mark)
{
    parser->where_len = mark;
    parser->where[mark] = '\0';
}

/* What was expected where the parser stands. */
static enum ves_status bad(struct parser *parser, const char *expected)
{
    return ves_fail(parser->error, VES_INVALID, "rules %s: expected %s",
                    parser->where, expected);
}

static enum ves_status bad_at(struct parser *parser, const char *name,
                              const char *expected)
{
    (void)enter(parser, name);
    return bad(parser, expected);
}

/* ---- values ---------------------------------------------------------------
 */

static void *get(struct parser *parser, size_t size)
{
    return ves_arena_alloc(&parser->rules->arena, size);
}

/* A copy that ends in a NUL and holds none. */
static enum ves_status copy_text(struct parser *parser, struct ves_bytes text,
                                 const char **out)
{
    uint8_t *copy = ves_arena_bytes(&parser->rules->arena, text.len + 1);

    if (!copy)
        return VES_NOMEM;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = (const char *)copy;
    return VES_OK;
}

static bool is_clean(struct ves_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            return false;
    }
    return true;
}

/* A member that is a text without control characters; *out NULL when it is
 * not there. */
static enum ves_status read_text(struct parser *parser,
                                 const struct ves_json *object,
                                 const char *name, const char **out)
{
    const struct ves_json *node = ves_json_member(object, name);

    *out = NULL;
    if (!node)
        return VES_OK;
    if (node->type != VES_JSON_STRING ||
        node->string.len > VES_RULES_PATH_MAX || !is_clean(node->string))
        return bad_at(parser, name, "a text of at most 200 bytes");
    return copy_text(parser, node->string, out);
}

/* Objects hold what the format knows and nothing else; names ends in NULL. */
static enum ves_status only(struct parser *parser,
                            const struct ves_json *object,
                            const char *const *names)
{
    struct ves_scratch list;

    if (!object || object->type != VES_JSON_OBJECT)
        return bad(parser, "an object");
    for (const struct ves_json *m = object->first; m; m = m->next) {
        size_t i = 0;
        while (names[i] && !ves_bytes_is(m->key, names[i]))
            i++;
        if (names[i])
            continue;
        ves_scratch_init(&list, &parser->rules->arena, 128, 512);
        for (i = 0; names[i]; i++) {
            ves_buf_put_str(&list.buf, i > 0 ? ", " : "");
            ves_buf_put_str(&list.buf, names[i]);
        }
        ves_buf_put_u8(&list.buf, 0);
        if (ves_buf_status(&list.buf))
            return VES_NOMEM;
        return ves_fail(parser->error, VES_INVALID,
                        "rules %s: a member is not known here; there may be %s",
                        parser->where, (const char *)list.buf.ptr);
    }
    return VES_OK;
}

/* One word out of a list that ends in NULL; *out its place.  fallback < 0: the
 * member is required. */
static enum ves_status read_word(struct parser *parser,
                                 const struct ves_json *object,
                                 const char *name, const char *const *words,
                                 int fallback, int *out)
{
    struct ves_scratch list;
    struct ves_bytes text = {NULL, 0};

    if (!ves_json_member(object, name) && fallback >= 0) {
        *out = fallback;
        return VES_OK;
    }
    (void)ves_json_get_string(object, name, &text);
    for (int i = 0; words[i]; i++) {
        if (ves_bytes_is(text, words[i])) {
            *out = i;
            return VES_OK;
        }
    }
    ves_scratch_init(&list, &parser->rules->arena, 128, 512);
    ves_buf_put_str(&list.buf, "one of ");
    for (int i = 0; words[i]; i++) {
        ves_buf_put_str(&list.buf, i > 0 ? ", " : "");
        ves_buf_put_str(&list.buf, words[i]);
    }
    ves_buf_put_u8(&list.buf, 0);
    if (ves_buf_status(&list.buf))
        return VES_NOMEM;
    return bad_at(parser, name, (const char *)list.buf.ptr);
}

/* A member that is an array of at most `most`; *out NULL when it is not
 * there. */
static enum ves_status read_array(struct parser *parser,
                                  const struct ves_json *object,
                                  const char *name, size_t most,
                                  const struct ves_json **out)
{
    const struct ves_json *node = ves_json_member(object, name);

    *out = node;
    if (!node)
        return VES_OK;
    if (node->type != VES_JSON_ARRAY || node->count > most)
        return ves_fail(parser->error, VES_INVALID,
                        "rules %s/%s: expected an array of at most %zu",
                        parser->where, name, most);
    return VES_OK;
}

/* ---- names and paths ------------------------------------------------------
 */

static bool is_word(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' &&
            c != '-')
            return false;
    }
    return len > 0;
}

/* "repair.received": words with dots between, at least one. */
static bool is_type_name(const char *name)
{
    size_t words = 0;

    if (strlen(name) > NAME_MAX_LEN || strncmp(name, "ves.", 4) == 0)
        return false;
    for (;; name++) {
        const char *dot = strchr(name, '.');
        size_t len = dot ? (size_t)(dot - name) : strlen(name);
        if (!is_word(name, len))
            return false;
        words++;
        if (!dot)
            return words > 1;
        name = dot;
    }
}

/* {name} or {name|other}: names have no braces, bars or slashes. */
static const char *skip_name(const char *at)
{
    size_t bars = 0, len = 0;

    for (at++; *at != '\0' && *at != '}'; at++) {
        if (*at == '{' || *at == '/')
            return NULL;
        if (*at == '|') {
            bars++;
            if (len == 0)
                return NULL;
            len = 0;
        } else {
            len++;
        }
    }
    return *at == '}' && bars <= 1 && len > 0 ? at + 1 : NULL;
}

/* A JSON pointer with names in it, or a mark. */
static bool is_path(const char *path, bool may_be_mark)
{
    bool is_mark = may_be_mark && path[0] == '@';

    if (path[0] != '/' && !is_mark)
        return false;
    for (const char *at = path + 1; *at != '\0';) {
        if (*at == '{') {
            at = skip_name(at);
            if (!at)
                return false;
            continue;
        }
        if (*at == '}' || *at == '*' ||
            (*at == '/' && (at[-1] == '/' || at[1] == '\0')) ||
            (*at == '~' && at[1] != '0' && at[1] != '1'))
            return false;
        at++;
    }
    return is_mark || path[1] != '\0';
}

/* A JSON pointer into the payload; "" is all of it. */
static bool is_pointer(const char *pointer, bool may_have_items)
{
    if (*pointer == '\0')
        return true;
    if (*pointer != '/')
        return false;
    for (const char *at = pointer; *at != '\0'; at++) {
        bool is_item =
            at[0] == '*' && at[-1] == '/' && (at[1] == '/' || at[1] == '\0');
        if (*at == '*' && (!may_have_items || !is_item))
            return false;
        if (*at == '~' && at[1] != '0' && at[1] != '1')
            return false;
    }
    return true;
}

/* Does path begin with that member? */
static bool is_below(const char *path, const char *name)
{
    size_t len = strlen(name);
    return path[0] == '/' && strncmp(path + 1, name, len) == 0 &&
           (path[len + 1] == '\0' || path[len + 1] == '/');
}

/* ---- entities -------------------------------------------------------------
 */

static enum ves_status read_lists(struct parser *parser,
                                  const struct ves_json *node,
                                  struct ves_entity_type *out)
{
    const struct ves_json *object = ves_json_member(node, "lists");
    size_t count = object ? object->count : 0;
    struct ves_list *lists = get(parser, (count + 1) * sizeof(*lists));

    if (!lists)
        return VES_NOMEM;
    out->lists = lists;
    if (object && object->type != VES_JSON_OBJECT)
        return bad_at(parser, "lists", "an object of members and their keys");
    for (const struct ves_json *m = object ? object->first : NULL; m;
         m = m->next, lists++) {
        if (m->type != VES_JSON_STRING || m->string.len == 0 ||
            m->key.len == 0 || m->key.len > VES_RULES_PATH_MAX ||
            m->string.len > VES_RULES_PATH_MAX || !is_clean(m->key) ||
            !is_clean(m->string) || memchr(m->key.ptr, '/', m->key.len) ||
            memchr(m->key.ptr, '~', m->key.len))
            return bad_at(parser, "lists",
                          "names of members, each with the name of its items' "
                          "key");
        enum ves_status status = copy_text(parser, m->key, &lists->name);
        if (!status)
            status = copy_text(parser, m->string, &lists->key);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status read_ladders(struct parser *parser,
                                    const struct ves_json *node,
                                    struct ves_entity_type *out)
{
    const struct ves_json *object = ves_json_member(node, "ladders");
    size_t count = object ? object->count : 0;
    struct ves_ladder *ladders = get(parser, (count + 1) * sizeof(*ladders));

    if (!ladders)
        return VES_NOMEM;
    out->ladders = ladders;
    if (object && object->type != VES_JSON_OBJECT)
        return bad_at(parser, "ladders", "an object of paths and their words");
    for (const struct ves_json *m = object ? object->first : NULL; m;
         m = m->next, ladders++) {
        size_t n = 0;
        if (m->type != VES_JSON_ARRAY || m->count == 0 ||
            m->count > LADDER_MAX || m->key.len > VES_RULES_PATH_MAX)
            return bad_at(parser, "ladders",
                          "paths, each with an array of 1 to 32 words");
        const char **words = get(parser, (m->count + 1) * sizeof(*words));
        if (!words)
            return VES_NOMEM;
        enum ves_status status = copy_text(parser, m->key, &ladders->path);
        if (status)
            return status;
        if (!is_clean(m->key) || !is_path(ladders->path, false) ||
            strchr(ladders->path, '{'))
            return bad_at(parser, "ladders", "a JSON pointer as path");
        for (const struct ves_json *i = m->first; i; i = i->next) {
            if (i->type != VES_JSON_STRING || !is_clean(i->string))
                return bad_at(parser, "ladders", "words that are texts");
            status = copy_text(parser, i->string, &words[n++]);
            if (status)
                return status;
        }
        ladders->words = words;
    }
    return VES_OK;
}

static enum ves_status read_balances(struct parser *parser,
                                     const struct ves_json *node,
                                     struct ves_entity_type *out)
{
    const struct ves_json *object = ves_json_member(node, "balances");
    size_t count = object ? object->count : 0;
    struct ves_balance *balances = get(parser, (count + 1) * sizeof(*balances));
    static const char expected[] =
        "names of members, each with an array of two names: what it is the "
        "difference of";

    if (!balances)
        return VES_NOMEM;
    out->balances = balances;
    if (object && object->type != VES_JSON_OBJECT)
        return bad_at(parser, "balances", expected);
    for (const struct ves_json *m = object ? object->first : NULL; m;
         m = m->next, balances++) {
        const struct ves_json *a = m->type == VES_JSON_ARRAY ? m->first : NULL;
        const struct ves_json *b = a ? a->next : NULL;
        if (!b || b->next || a->type != VES_JSON_STRING ||
            b->type != VES_JSON_STRING || !is_clean(m->key) ||
            !is_clean(a->string) || !is_clean(b->string) ||
            m->key.len > VES_RULES_PATH_MAX)
            return bad_at(parser, "balances", expected);
        enum ves_status status = copy_text(parser, m->key, &balances->name);
        if (!status)
            status = copy_text(parser, a->string, &balances->minuend);
        if (!status)
            status = copy_text(parser, b->string, &balances->subtrahend);
        if (status)
            return status;
        if (!is_word(balances->name, strlen(balances->name)) ||
            strcmp(balances->name, balances->minuend) == 0 ||
            strcmp(balances->name, balances->subtrahend) == 0)
            return bad_at(parser, "balances", expected);
    }
    return VES_OK;
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
static enum ves_status check_published(struct parser *parser, const char *name,
                                       uint32_t version,
                                       const struct ves_json *source,
                                       bool *is_known)
{
    const struct ves_json *other =
        find_source(parser->rules->before, name, version);

    *is_known = other != NULL;
    if (find_source(parser->rules, name, version) && !other)
        return bad(parser, "each name and version once");
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

static enum ves_status read_entity(struct parser *parser,
                                   const struct ves_json *node)
{
    static const char *const names[] = {"name", "lists", "ladders", "balances",
                                        NULL};
    struct ves_rules *rules = parser->rules;
    struct ves_entity_type *out = &rules->entities[rules->entity_count];
    bool is_known;

    enum ves_status status = only(parser, node, names);
    if (!status)
        status = read_text(parser, node, "name", &out->name);
    if (status)
        return status;
    if (!out->name || !is_word(out->name, strlen(out->name)) ||
        strcmp(out->name, VES_SCHEMA_ENTITY_TYPE) == 0)
        return bad_at(parser, "name",
                      "an entity type: lower-case letters, digits, - and _");
    if (ves_entity_type_is_built_in(ves_bytes_str(out->name)))
        return bad_at(parser, "name", "an entity type that is not built in");
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

static enum ves_status read_form(struct parser *parser,
                                 const struct ves_json *node, int *form)
{
    static const char *const all[] = {"op", "path",   "from", "value",
                                      "to", "negate", NULL};
    const char *words[FORMS + 1] = {NULL};
    const char *names[8] = {"op"};
    size_t n = 1;

    for (size_t i = 0; i < FORMS; i++)
        words[i] = forms[i].name;
    enum ves_status status = only(parser, node, all);
    if (!status)
        status = read_word(parser, node, "op", words, -1, form);
    if (status)
        return status;
    for (size_t i = 1; all[i]; i++) {
        if (forms[*form].members & (1u << (i - 1)))
            names[n++] = all[i];
    }
    return only(parser, node, names);
}

static bool is_root_form(int form)
{
    return strcmp(forms[form].name, "fill") == 0 ||
           strcmp(forms[form].name, "patch") == 0;
}

static enum ves_status read_path(struct parser *parser,
                                 const struct ves_json *node, int form,
                                 struct ves_operation *out)
{
    enum ves_status status = read_text(parser, node, "path", &out->path);

    if (status)
        return status;
    if (out->path && out->path[0] == '\0' && is_root_form(form))
        return VES_OK;
    if (!out->path || !is_path(out->path, forms[form].members & MARK))
        return bad_at(parser, "path",
                      "a JSON pointer like \"/a/{id}\" into the state");
    if (is_below(out->path, "_ves"))
        return bad_at(parser, "path", "a member other than _ves");
    for (const struct ves_balance *b = parser->entity->balances; b->name; b++) {
        if (is_below(out->path, b->name))
            return bad_at(parser, "path",
                          "a member that is not a balance of others");
    }
    return VES_OK;
}

/* from, value or to: where the value comes from. */
static enum ves_status read_source(struct parser *parser,
                                   const struct ves_json *node, int form,
                                   struct ves_operation *out)
{
    unsigned members = forms[form].members;
    const char *to;

    enum ves_status status = read_text(parser, node, "from", &out->from);
    if (!status)
        status = read_text(parser, node, "to", &to);
    if (status)
        return status;
    const struct ves_json *value = ves_json_member(node, "value");
    int count = (out->from != NULL) + (to != NULL) + (value != NULL);
    bool may_default = out->op == VES_OP_CREATE || out->op == VES_OP_APPEND;
    if (count > 1 || (count == 0 && !may_default))
        return bad(parser, members & TO
                               ? "\"to\" (a word) or \"from\" (a pointer), "
                                 "one of them"
                               : "\"from\" (a pointer) or \"value\", one of "
                                 "them");
    if (count == 0)
        out->from = "";
    if (out->from && !is_pointer(out->from, false))
        return bad_at(parser, "from", "a JSON pointer into the payload");
    out->source = VES_SOURCE_MEMBER;
    if (to) {
        out->source = VES_SOURCE_TEXT;
        out->from = to;
    } else if (value) {
        out->source = VES_SOURCE_VALUE;
        out->value = value;
    }
    return VES_OK;
}

static enum ves_status read_negate(struct parser *parser,
                                   const struct ves_json *node,
                                   struct ves_operation *out)
{
    if (ves_json_member(node, "negate") &&
        !ves_json_get_bool(node, "negate", &out->is_negative))
        return bad_at(parser, "negate", "true or false");
    return VES_OK;
}

/* Words at a ladder's path: an advance is to one of them, a default is none or
 * the lowest, or the order of events would decide. */
static enum ves_status check_ladder(struct parser *parser,
                                    const struct ves_operation *operation)
{
    const struct ves_ladder *ladder = parser->entity->ladders;
    const struct ves_json *value = operation->value;
    size_t i = 0;

    while (ladder->path && strcmp(ladder->path, operation->path) != 0)
        ladder++;
    if (operation->op == VES_OP_ADVANCE) {
        if (!ladder->path)
            return bad_at(parser, "path", "the path of a ladder of the entity");
        while (ladder->words[i] &&
               strcmp(ladder->words[i], operation->from) != 0)
            i++;
        return ladder->words[i] ? VES_OK
                                : bad_at(parser, "to", "a word of the ladder");
    }
    if (operation->op != VES_OP_DEFAULT || !ladder->path)
        return VES_OK;
    if (!value || value->type != VES_JSON_STRING)
        return bad(parser, "a word as \"value\", the lowest of the ladder");
    for (i = 1; ladder->words[0] && ladder->words[i]; i++) {
        if (ves_bytes_is(value->string, ladder->words[i]))
            return bad_at(parser, "value", "the lowest word of the ladder");
    }
    return VES_OK;
}

static enum ves_status read_operation(struct parser *parser,
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

static enum ves_status read_operations(struct parser *parser,
                                       const struct ves_json *node,
                                       struct ves_event_type *out)
{
    const struct ves_json *array;
    size_t entries = 0, mark = parser->where_len;

    enum ves_status status = read_array(parser, node, "operations",
                                        VES_RULES_OPERATIONS_MAX, &array);
    if (status)
        return status;
    if (!array || array->count == 0)
        return bad_at(parser, "operations", "an array of at least one");
    struct ves_operation *list =
        get(parser, (array->count + 1) * sizeof(*list));
    if (!list)
        return VES_NOMEM;
    out->operations = list;
    (void)enter(parser, "operations");
    size_t inner = parser->where_len, index = 0;
    for (const struct ves_json *i = array->first; i; i = i->next, list++) {
        (void)enter_index(parser, index++);
        status = read_operation(parser, i, list);
        if (status)
            return status;
        entries += list->op == VES_OP_CREATE && list->path[0] == '/';
        /* The entry decides whether the rest is done at all. */
        if (entries > 1)
            return bad(parser, "at most one entry that is created");
        leave(parser, inner);
    }
    leave(parser, mark);
    return VES_OK;
}

/* ---- references and payloads ----------------------------------------------
 */

static enum ves_status read_references(struct parser *parser,
                                       const struct ves_json *node,
                                       struct ves_event_type *out)
{
    static const char *const names[] = {"pointer", "entity", NULL};
    size_t mark = parser->where_len, index = 0;
    const struct ves_json *array;

    enum ves_status status = read_array(parser, node, "references",
                                        VES_RULES_OPERATIONS_MAX, &array);
    struct ves_reference *list =
        status ? NULL
               : get(parser, ((array ? array->count : 0) + 1) * sizeof(*list));
    if (!list)
        return status ? status : VES_NOMEM;
    out->references = list;
    (void)enter(parser, "references");
    size_t inner = parser->where_len;
    for (const struct ves_json *i = array ? array->first : NULL; i;
         i = i->next, list++) {
        (void)enter_index(parser, index++);
        status = only(parser, i, names);
        if (!status)
            status = read_text(parser, i, "pointer", &list->pointer);
        if (!status)
            status = read_text(parser, i, "entity", &list->entity_type);
        if (status)
            return status;
        if (!list->pointer || !*list->pointer ||
            !is_pointer(list->pointer, true))
            return bad_at(parser, "pointer",
                          "a JSON pointer like \"/lines/*/product_id\"");
        if (!list->entity_type ||
            !is_word(list->entity_type, strlen(list->entity_type)))
            return bad_at(parser, "entity", "an entity type");
        leave(parser, inner);
    }
    leave(parser, mark);
    return VES_OK;
}

static const char *const kinds[] = {
    "any",      "id",     "text",  "flag",   "quantity", "amount", "minor",
    "currency", "object", "patch", "before", "list",     "texts",  NULL};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == VES_FIELD_TEXTS + 1,
               "one word a kind");
static const char *const needs[] = {"no", "yes", "one", "money", NULL};

static enum ves_status read_payload(struct parser *parser,
                                    const struct ves_json *node,
                                    struct ves_event_type *out)
{
    static const char *const names[] = {"pointer", "is", "need", NULL};
    size_t mark = parser->where_len, index = 0;
    const struct ves_json *array;
    int kind, need;

    enum ves_status status =
        read_array(parser, node, "payload", VES_RULES_OPERATIONS_MAX, &array);
    struct ves_field *list =
        status ? NULL
               : get(parser, ((array ? array->count : 0) + 1) * sizeof(*list));
    if (!list)
        return status ? status : VES_NOMEM;
    out->fields = list;
    (void)enter(parser, "payload");
    size_t inner = parser->where_len;
    for (const struct ves_json *i = array ? array->first : NULL; i;
         i = i->next, list++) {
        (void)enter_index(parser, index++);
        status = only(parser, i, names);
        if (!status)
            status = read_text(parser, i, "pointer", &list->pointer);
        if (status)
            return status;
        if (!list->pointer || !*list->pointer ||
            !is_pointer(list->pointer, true))
            return bad_at(parser, "pointer",
                          "a JSON pointer like \"/lines/*/quantity\"");
        status = read_word(parser, i, "is", kinds, 0, &kind);
        if (!status)
            status = read_word(parser, i, "need", needs, 0, &need);
        if (status)
            return status;
        list->kind = (enum ves_field_kind)(kind + VES_FIELD_ANY);
        list->need = (enum ves_need)need;
        leave(parser, inner);
    }
    leave(parser, mark);
    return VES_OK;
}

/* ---- types ----------------------------------------------------------------
 */

static enum ves_status read_name(struct parser *parser,
                                 const struct ves_json *node,
                                 struct ves_event_type *out)
{
    uint64_t version = 0;

    enum ves_status status = read_text(parser, node, "name", &out->name);
    if (status)
        return status;
    if (!out->name || !is_type_name(out->name))
        return bad_at(parser, "name",
                      "an event type like \"repair.received\", not of ves");
    struct ves_bytes entity = ves_entity_type_of(ves_bytes_str(out->name));
    status = copy_text(parser, entity, &out->entity_type);
    if (status)
        return status;
    if (!ves_json_get_u64(node, "version", &version) || version == 0 ||
        version > INT32_MAX)
        return bad_at(parser, "version", "an integer from 1 on");
    const struct ves_event_type *built_in =
        ves_event_type_find(ves_bytes_str(out->name));
    if (built_in && version <= built_in->version)
        return bad_at(parser, "version",
                      "one that is not built in; take a higher one");
    out->version = (uint32_t)version;
    return VES_OK;
}

static enum ves_status read_class(struct parser *parser,
                                  const struct ves_json *node,
                                  struct ves_event_type *out)
{
    static const char *const classes[] = {"intent", "fact", NULL};
    static const char *const bases[] = {"required", "none", NULL};
    int event_class, base;

    enum ves_status status =
        read_word(parser, node, "class", classes, -1, &event_class);
    out->event_class = (enum ves_event_class)event_class;
    if (!status)
        status =
            read_word(parser, node, "base", bases,
                      event_class ? VES_BASE_NONE : VES_BASE_REQUIRED, &base);
    if (!status)
        status = read_text(parser, node, "merge", &out->merge);
    if (status)
        return status;
    out->base = (enum ves_base_rule)base;
    if (out->event_class == VES_CLASS_FACT && out->base == VES_BASE_REQUIRED)
        return bad_at(parser, "base", "\"none\": a fact needs no base");
    if (!out->merge)
        out->merge = VES_MERGE_NEVER;
    if (!ves_merge_is_known(out->merge))
        return bad_at(parser, "merge", "the name of a merge function");
    return VES_OK;
}

static enum ves_status read_type(struct parser *parser,
                                 const struct ves_json *node)
{
    static const char *const names[] = {
        "name",       "version",    "class",   "base", "merge",
        "operations", "references", "payload", "doc",  NULL};
    struct ves_rules *rules = parser->rules;
    struct ves_event_type *out = &rules->types[rules->type_count];
    const char *doc;
    bool is_known;

    enum ves_status status = only(parser, node, names);
    if (!status)
        status = read_name(parser, node, out);
    if (!status)
        status =
            check_published(parser, out->name, out->version, node, &is_known);
    if (!status)
        status = read_text(parser, node, "doc", &doc);
    if (!status)
        status = read_class(parser, node, out);
    if (status)
        return status;
    /* The entity may be one of this document. */
    const struct ves_rules_at at = {rules, VES_SEQUENCE_NEXT};
    parser->entity = ves_rules_entity(at, ves_bytes_str(out->entity_type));
    status = read_operations(parser, node, out);
    if (!status)
        status = read_references(parser, node, out);
    if (!status)
        status = read_payload(parser, node, out);
    if (!status && !is_known)
        rules->type_sources[rules->type_count++] = node;
    return status;
}

/* ---- the document ---------------------------------------------------------
 */

static enum ves_status read_each(
    struct parser *parser, const char *name, const struct ves_json *array,
    enum ves_status (*read)(struct parser *parser, const struct ves_json *node))
{
    size_t mark = enter(parser, name), index = 0;
    size_t inner = parser->where_len;

    for (const struct ves_json *i = array ? array->first : NULL; i;
         i = i->next) {
        (void)enter_index(parser, index++);
        enum ves_status status = read(parser, i);
        if (status)
            return status;
        leave(parser, inner);
    }
    leave(parser, mark);
    return VES_OK;
}

enum ves_status ves_rules_parse(struct ves_rules *rules,
                                struct ves_error *error)
{
    static const char *const names[] = {"rules", "doc", "entities", "types",
                                        NULL};
    struct parser parser = {.rules = rules, .error = error};
    const struct ves_json *types, *entities;
    uint64_t format = 0;

    enum ves_status status = only(&parser, rules->root, names);
    if (status)
        return status;
    if (!ves_json_get_u64(rules->root, "rules", &format) || format != 1)
        return bad_at(&parser, "rules", "1, the version of this format");
    status = read_array(&parser, rules->root, "entities", VES_RULES_TYPES_MAX,
                        &entities);
    if (!status)
        status = read_array(&parser, rules->root, "types", VES_RULES_TYPES_MAX,
                            &types);
    if (status)
        return status;
    if (!types && !entities)
        return bad(&parser, "types or entities");
    size_t type_count = types ? types->count : 0;
    size_t entity_count = entities ? entities->count : 0;
    rules->types = get(&parser, (type_count + 1) * sizeof(*rules->types));
    rules->type_sources =
        get(&parser, (type_count + 1) * sizeof(struct ves_json *));
    rules->entities =
        get(&parser, (entity_count + 1) * sizeof(*rules->entities));
    rules->entity_sources =
        get(&parser, (entity_count + 1) * sizeof(struct ves_json *));
    if (!rules->types || !rules->type_sources || !rules->entities ||
        !rules->entity_sources)
        return VES_NOMEM;
    status = read_each(&parser, "entities", entities, read_entity);
    return status ? status : read_each(&parser, "types", types, read_type);
}
