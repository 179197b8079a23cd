/* rules_words.c -- values, names and paths of rules documents. */
#include "base/bytes.h"
#include "base/error.h"
#include "core/rules_internal.h"
#include "core/scratch.h"

enum { NAME_MAX_LEN = 128 };

/* ---- saying where ---------------------------------------------------------
 */

/* Names in it are those of the format; what authors call things is not. */
size_t ves_rules_enter(struct ves_rules_parser *parser, const char *name)
{
    size_t mark = parser->where_len;

    if (parser->where_len + strlen(name) + 2 > VES_RULES_WHERE_MAX)
        return mark;
    parser->where[parser->where_len++] = '/';
    memcpy(parser->where + parser->where_len, name, strlen(name) + 1);
    parser->where_len += strlen(name);
    return mark;
}

size_t ves_rules_enter_index(struct ves_rules_parser *parser, size_t index)
{
    char text[24];
    size_t n = sizeof(text);

    text[--n] = '\0';
    do {
        text[--n] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    return ves_rules_enter(parser, text + n);
}

void ves_rules_leave(struct ves_rules_parser *parser, size_t mark)
{
    parser->where_len = mark;
    parser->where[mark] = '\0';
}

/* What was expected where the parser stands. */
enum ves_status ves_rules_bad(struct ves_rules_parser *parser,
                              const char *expected)
{
    return ves_fail(parser->error, VES_INVALID, "rules %s: expected %s",
                    parser->where, expected);
}

enum ves_status ves_rules_bad_at(struct ves_rules_parser *parser,
                                 const char *name, const char *expected)
{
    (void)ves_rules_enter(parser, name);
    return ves_rules_bad(parser, expected);
}

/* ---- values ---------------------------------------------------------------
 */

void *ves_rules_get(struct ves_rules_parser *parser, size_t size)
{
    return ves_arena_alloc(&parser->rules->arena, size);
}

/* A copy that ends in a NUL and holds none. */
enum ves_status ves_rules_copy_text(struct ves_rules_parser *parser,
                                    struct ves_bytes text, const char **out)
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

bool ves_rules_is_clean(struct ves_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            return false;
    }
    return true;
}

/* A member that is a text without control characters; *out NULL when it is
 * not there. */
enum ves_status ves_rules_text(struct ves_rules_parser *parser,
                               const struct ves_json *object, const char *name,
                               const char **out)
{
    const struct ves_json *node = ves_json_member(object, name);

    *out = NULL;
    if (!node)
        return VES_OK;
    if (node->type != VES_JSON_STRING ||
        node->string.len > VES_RULES_PATH_MAX ||
        !ves_rules_is_clean(node->string))
        return ves_rules_bad_at(parser, name, "a text of at most 200 bytes");
    return ves_rules_copy_text(parser, node->string, out);
}

/* Objects hold what the format knows and nothing else; names ends in NULL. */
enum ves_status ves_rules_only(struct ves_rules_parser *parser,
                               const struct ves_json *object,
                               const char *const *names)
{
    struct ves_scratch list;

    if (!object || object->type != VES_JSON_OBJECT)
        return ves_rules_bad(parser, "an object");
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
enum ves_status ves_rules_word(struct ves_rules_parser *parser,
                               const struct ves_json *object, const char *name,
                               const char *const *words, int fallback, int *out)
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
    return ves_rules_bad_at(parser, name, (const char *)list.buf.ptr);
}

/* A member that is an array of at most `most`; *out NULL when it is not
 * there. */
enum ves_status ves_rules_array(struct ves_rules_parser *parser,
                                const struct ves_json *object, const char *name,
                                size_t most, const struct ves_json **out)
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

bool ves_rules_is_word(const char *text, size_t len)
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
bool ves_rules_is_type_name(const char *name)
{
    size_t words = 0;

    if (strlen(name) > NAME_MAX_LEN || strncmp(name, "ves.", 4) == 0)
        return false;
    for (;; name++) {
        const char *dot = strchr(name, '.');
        size_t len = dot ? (size_t)(dot - name) : strlen(name);
        if (!ves_rules_is_word(name, len))
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
bool ves_rules_is_path(const char *path, bool may_be_mark)
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
bool ves_rules_is_pointer(const char *pointer, bool may_have_items)
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
bool ves_rules_is_below(const char *path, const char *name)
{
    size_t len = strlen(name);
    return path[0] == '/' && strncmp(path + 1, name, len) == 0 &&
           (path[len + 1] == '\0' || path[len + 1] == '/');
}
