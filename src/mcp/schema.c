/* schema.c -- checks a value against a JSON Schema, in words. */
#include "mcp/schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/nearest.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"

enum { PATH_MAX_LEN = 128, NAMES_MAX = 64, NAME_SHOWN = 40 };

struct check {
    struct ves_mcp_problem *problem;
    char path[PATH_MAX_LEN]; /* "eventIds[3]"; "" for the whole */
};

/* ---- words --------------------------------------------------------------- */

static void complain(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(struct check *c, const char *format, ...)
{
    size_t size = sizeof(c->problem->text);
    const char *what = c->path[0] ? c->path : "the arguments";
    int n = snprintf(c->problem->text, size, "%s ", what);
    va_list args;

    va_start(args, format);
    if (n > 0 && (size_t)n < size)
        vsnprintf(c->problem->text + n, size - (size_t)n, format, args);
    va_end(args);
}

/* Suggests {"PATH":TEXT} for a value at the top. */
static void suggest(struct check *c, struct ves_bytes text, bool is_string)
{
    const char *quote = is_string ? "\"" : "";
    if (!c->path[0] || strpbrk(c->path, ".[") || text.len > 64)
        return;
    snprintf(c->problem->next, sizeof(c->problem->next), "{\"%s\":%s%.*s%s}",
             c->path, quote, (int)text.len, (const char *)text.ptr, quote);
}

static void put(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds to a text. */
static void put(char *out, size_t size, const char *format, ...)
{
    size_t n = strlen(out);
    va_list args;

    va_start(args, format);
    vsnprintf(out + n, size - n, format, args);
    va_end(args);
}

static void put_range(char *out, size_t size, const struct ves_json *schema,
                      const char *low, const char *high, const char *noun)
{
    const struct ves_json *min = ves_json_member(schema, low);
    const struct ves_json *max = ves_json_member(schema, high);

    if (min && max)
        put(out, size, " from %.*s to %.*s%s", (int)min->text.len,
            (const char *)min->text.ptr, (int)max->text.len,
            (const char *)max->text.ptr, noun);
    else if (min)
        put(out, size, " of at least %.*s%s", (int)min->text.len,
            (const char *)min->text.ptr, noun);
    else if (max)
        put(out, size, " of at most %.*s%s", (int)max->text.len,
            (const char *)max->text.ptr, noun);
}

static void put_enum(char *out, size_t size, const struct ves_json *list)
{
    put(out, size, "one of ");
    for (const struct ves_json *item = list->first; item; item = item->next)
        put(out, size, "%s%.*s", item == list->first ? "" : ", ",
            (int)(item->type == VES_JSON_STRING ? item->string : item->text)
                .len,
            (const char *)(item->type == VES_JSON_STRING ? item->string
                                                         : item->text)
                .ptr);
}

/* What a value must be: "an integer from 1 to 1000". */
static void describe(const struct ves_json *schema, char *out, size_t size)
{
    const struct ves_json *list = ves_json_member(schema, "enum");
    struct ves_bytes type = {0}, format = {0};

    out[0] = '\0';
    (void)ves_json_get_string(schema, "type", &type);
    (void)ves_json_get_string(schema, "format", &format);
    if (list && list->type == VES_JSON_ARRAY) {
        put_enum(out, size, list);
    } else if (ves_bytes_is(format, "uuid")) {
        put(out, size, "a UUID");
    } else if (ves_bytes_is(format, "date-time")) {
        put(out, size, "a time (RFC 3339)");
    } else if (ves_bytes_is(type, "string")) {
        put(out, size, "a string");
        put_range(out, size, schema, "minLength", "maxLength", " characters");
    } else if (ves_bytes_is(type, "boolean")) {
        put(out, size, "true or false");
    } else if (ves_bytes_is(type, "array")) {
        put(out, size, "a list");
        put_range(out, size, schema, "minItems", "maxItems", " items");
    } else if (ves_bytes_is(type, "integer") || ves_bytes_is(type, "number")) {
        put(out, size,
            ves_bytes_is(type, "integer") ? "an integer" : "a number");
        put_range(out, size, schema, "minimum", "maximum", "");
    } else {
        put(out, size, "an object");
    }
}

static void put_got(const struct ves_json *value, char *out, size_t size)
{
    static const char *const words[] = {
        [VES_JSON_NULL] = "null",       [VES_JSON_FALSE] = "false",
        [VES_JSON_TRUE] = "true",       [VES_JSON_NUMBER] = "a number",
        [VES_JSON_STRING] = "a string", [VES_JSON_ARRAY] = "a list",
        [VES_JSON_OBJECT] = "an object"};

    out[0] = '\0';
    if (value->type == VES_JSON_NUMBER && value->text.len <= 24)
        put(out, size, "%.*s", (int)value->text.len,
            (const char *)value->text.ptr);
    else
        put(out, size, "%s", words[value->type]);
}

static bool wrong(struct check *c, const struct ves_json *schema,
                  const struct ves_json *value)
{
    char must[400], got[32];

    describe(schema, must, sizeof(must));
    put_got(value, got, sizeof(got));
    complain(c, "must be %s (got %s)", must, got);
    return false;
}

/* ---- values -------------------------------------------------------------- */

static bool type_is(const struct ves_json *value, struct ves_bytes type)
{
    switch (value->type) {
    case VES_JSON_NULL:
        return ves_bytes_is(type, "null");
    case VES_JSON_FALSE:
    case VES_JSON_TRUE:
        return ves_bytes_is(type, "boolean");
    case VES_JSON_NUMBER:
        return ves_bytes_is(type, "number") ||
               (ves_bytes_is(type, "integer") &&
                floor(value->number) == value->number);
    case VES_JSON_STRING:
        return ves_bytes_is(type, "string");
    case VES_JSON_ARRAY:
        return ves_bytes_is(type, "array");
    case VES_JSON_OBJECT:
        return ves_bytes_is(type, "object");
    }
    return false;
}

static bool has_type(const struct ves_json *schema,
                     const struct ves_json *value)
{
    const struct ves_json *type = ves_json_member(schema, "type");

    if (!type)
        return true;
    if (type->type == VES_JSON_STRING)
        return type_is(value, type->string);
    for (const struct ves_json *item = type->first; item; item = item->next) {
        if (item->type == VES_JSON_STRING && type_is(value, item->string))
            return true;
    }
    return false;
}

static bool in_bounds(const struct ves_json *schema, const char *low,
                      const char *high, double value)
{
    const struct ves_json *min = ves_json_member(schema, low);
    const struct ves_json *max = ves_json_member(schema, high);

    return !(min && min->type == VES_JSON_NUMBER && value < min->number) &&
           !(max && max->type == VES_JSON_NUMBER && value > max->number);
}

static bool check_number(struct check *c, const struct ves_json *schema,
                         const struct ves_json *value)
{
    const struct ves_json *min = ves_json_member(schema, "minimum");
    const struct ves_json *max = ves_json_member(schema, "maximum");

    if (in_bounds(schema, "minimum", "maximum", value->number))
        return true;
    wrong(c, schema, value);
    suggest(c, min && value->number < min->number ? min->text : max->text,
            false);
    return false;
}

static double characters(struct ves_bytes text)
{
    double n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += (text.ptr[i] & 0xC0) != 0x80;
    return n;
}

static bool check_string(struct check *c, const struct ves_json *schema,
                         const struct ves_json *value)
{
    struct ves_bytes format;
    struct ves_uuid uuid;
    bool is_fit =
        in_bounds(schema, "minLength", "maxLength", characters(value->string));

    if (is_fit && ves_json_get_string(schema, "format", &format)) {
        if (ves_bytes_is(format, "uuid"))
            is_fit = ves_uuid_parse(value->string, &uuid) == VES_OK;
        else if (ves_bytes_is(format, "date-time"))
            is_fit = ves_time_parse(value->string, NULL) == VES_OK;
    }
    return is_fit ? true : wrong(c, schema, value);
}

static bool check_enum(struct check *c, const struct ves_json *list,
                       const struct ves_json *schema,
                       const struct ves_json *value)
{
    struct ves_bytes names[NAMES_MAX];
    size_t n = 0;

    for (const struct ves_json *item = list->first; item; item = item->next) {
        if (ves_json_equal(item, value))
            return true;
        if (item->type == VES_JSON_STRING && n < NAMES_MAX)
            names[n++] = item->string;
    }
    wrong(c, schema, value);
    if (value->type == VES_JSON_STRING) {
        int near = ves_nearest(value->string, names, n);
        if (near >= 0) {
            put(c->problem->text, sizeof(c->problem->text),
                "; did you mean \"%.*s\"?", (int)names[near].len,
                (const char *)names[near].ptr);
            suggest(c, names[near], true);
        }
    }
    return false;
}

static bool check_value(struct check *c, const struct ves_json *schema,
                        const struct ves_json *value);

static bool check_items(struct check *c, const struct ves_json *schema,
                        const struct ves_json *value)
{
    const struct ves_json *items = ves_json_member(schema, "items");
    size_t length = strlen(c->path), i = 0;

    if (!in_bounds(schema, "minItems", "maxItems", (double)value->count))
        return wrong(c, schema, value);
    for (const struct ves_json *item = value->first; item && items;
         item = item->next, i++) {
        put(c->path, sizeof(c->path), "[%zu]", i);
        if (!check_value(c, items, item))
            return false;
        c->path[length] = '\0';
    }
    return true;
}

/* A name as somebody else wrote it, made harmless. */
static void shown_name(struct ves_bytes name, char out[NAME_SHOWN + 1])
{
    size_t n = name.len < NAME_SHOWN ? name.len : NAME_SHOWN;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = name.ptr[i];
        out[i] = b > 0x20 && b < 0x7f && b != '"' && b != '\\' ? (char)b : '?';
    }
    out[n] = '\0';
}

static bool unknown_member(struct check *c, const struct ves_json *properties,
                           struct ves_bytes key)
{
    struct ves_bytes names[NAMES_MAX];
    char shown[NAME_SHOWN + 1];
    size_t n = 0, size = sizeof(c->problem->text);

    for (const struct ves_json *p = properties ? properties->first : NULL;
         p && n < NAMES_MAX; p = p->next)
        names[n++] = p->key;
    shown_name(key, shown);
    snprintf(c->problem->text, size, "unknown argument \"%s\"", shown);
    if (n == 0) {
        put(c->problem->text, size, "; this tool takes none");
        snprintf(c->problem->next, sizeof(c->problem->next), "{}");
        return false;
    }
    int near = ves_nearest(key, names, n);
    if (near >= 0) {
        put(c->problem->text, size, "; did you mean \"%.*s\"?",
            (int)names[near].len, (const char *)names[near].ptr);
        return false;
    }
    put(c->problem->text, size, "; known are ");
    for (size_t i = 0; i < n; i++)
        put(c->problem->text, size, "%s%.*s", i ? ", " : "", (int)names[i].len,
            (const char *)names[i].ptr);
    return false;
}

static bool check_required(struct check *c, const struct ves_json *schema,
                           const struct ves_json *value)
{
    const struct ves_json *required = ves_json_member(schema, "required");

    for (const struct ves_json *name = required ? required->first : NULL; name;
         name = name->next) {
        if (ves_json_member_bytes(value, name->string))
            continue;
        char must[300];
        const struct ves_json *property = ves_json_member_bytes(
            ves_json_member(schema, "properties"), name->string);
        describe(property, must, sizeof(must));
        put(c->path, sizeof(c->path), "%s%.*s", c->path[0] ? "." : "",
            (int)name->string.len, (const char *)name->string.ptr);
        complain(c, "is missing; it must be %s", must);
        return false;
    }
    return true;
}

static bool check_members(struct check *c, const struct ves_json *schema,
                          const struct ves_json *value)
{
    const struct ves_json *properties = ves_json_member(schema, "properties");
    const struct ves_json *more =
        ves_json_member(schema, "additionalProperties");
    size_t length = strlen(c->path);

    /* What is unknown explains what is missing, so it comes first. */
    for (const struct ves_json *m = value->first; m; m = m->next) {
        if (more && more->type == VES_JSON_FALSE &&
            !ves_json_member_bytes(properties, m->key))
            return unknown_member(c, properties, m->key);
    }
    if (!check_required(c, schema, value))
        return false;
    if (!in_bounds(schema, "minProperties", "maxProperties",
                   (double)value->count)) {
        complain(c, "must name at least one thing");
        return false;
    }
    for (const struct ves_json *m = value->first; m; m = m->next) {
        const struct ves_json *sub = ves_json_member_bytes(properties, m->key);
        if (!sub)
            continue;
        put(c->path, sizeof(c->path), "%s%.*s", length ? "." : "",
            (int)m->key.len, (const char *)m->key.ptr);
        if (!check_value(c, sub, m))
            return false;
        c->path[length] = '\0';
    }
    return true;
}

static bool check_value(struct check *c, const struct ves_json *schema,
                        const struct ves_json *value)
{
    const struct ves_json *list, *fixed;

    if (schema->type != VES_JSON_OBJECT)
        return schema->type != VES_JSON_FALSE;
    if (!has_type(schema, value))
        return wrong(c, schema, value);
    list = ves_json_member(schema, "enum");
    if (list && !check_enum(c, list, schema, value))
        return false;
    fixed = ves_json_member(schema, "const");
    if (fixed && !ves_json_equal(fixed, value))
        return wrong(c, schema, value);
    switch (value->type) {
    case VES_JSON_NUMBER:
        return check_number(c, schema, value);
    case VES_JSON_STRING:
        return check_string(c, schema, value);
    case VES_JSON_ARRAY:
        return check_items(c, schema, value);
    case VES_JSON_OBJECT:
        return check_members(c, schema, value);
    default:
        return true;
    }
}

bool ves_mcp_schema_check(const struct ves_json *schema,
                          const struct ves_json *value,
                          struct ves_mcp_problem *problem)
{
    struct check c = {.problem = problem};

    problem->text[0] = problem->next[0] = '\0';
    return check_value(&c, schema, value);
}
