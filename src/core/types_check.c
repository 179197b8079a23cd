/* types_check.c -- is a payload what its type demands? */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/quantity.h"
#include "core/types.h"

/* One payload under examination. */
struct check {
    const struct ves_json *payload;
    struct ves_error *error;
    bool has_money; /* a member ending in _minor was met */
};

/* Where in the payload, from the outside in. */
struct place {
    const struct place *outer; /* NULL: the payload itself */
    bool is_index;
    size_t index;
    struct ves_bytes name;
};

enum { POINTER_MAX = 224, NAME_MAX_SHOWN = 64 };

struct pointer {
    char text[POINTER_MAX]; /* NUL-terminated */
    size_t len;
};

static void put_char(struct pointer *pointer, char c)
{
    if (pointer->len + 1 < sizeof(pointer->text))
        pointer->text[pointer->len++] = c;
    pointer->text[pointer->len] = '\0';
}

/* One reference token of RFC 6901.  Names are the author's: long ones are cut
 * at a character, control characters do not reach the message. */
static void put_token(struct pointer *pointer, struct ves_bytes name)
{
    if (name.len > NAME_MAX_SHOWN) {
        name.len = NAME_MAX_SHOWN;
        while (name.len > 0 && (name.ptr[name.len] & 0xC0) == 0x80)
            name.len--;
    }
    put_char(pointer, '/');
    for (size_t i = 0; i < name.len; i++) {
        char c = (char)name.ptr[i];
        if (c == '~' || c == '/') {
            put_char(pointer, '~');
            c = c == '~' ? '0' : '1';
        }
        if (name.ptr[i] < 0x20)
            c = '?';
        put_char(pointer, c);
    }
}

static void put_index(struct pointer *pointer, size_t index)
{
    char digits[24];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    put_char(pointer, '/');
    for (; n < sizeof(digits); n++)
        put_char(pointer, digits[n]);
}

static void put_place(struct pointer *pointer, const struct place *place)
{
    if (!place)
        return;
    put_place(pointer, place->outer);
    if (place->is_index)
        put_index(pointer, place->index);
    else
        put_token(pointer, place->name);
}

static enum ves_status bad(const struct check *check, const struct place *place,
                           const char *expected)
{
    struct pointer pointer = {.len = 0};

    put_place(&pointer, place);
    return ves_fail(check->error, VES_INVALID, "payload %s: expected %s",
                    pointer.text, expected);
}

/* ---- one value ------------------------------------------------------------
 */

static bool is_id(const struct ves_json *node)
{
    int64_t number;
    return (node->type == VES_JSON_STRING && node->string.len > 0 &&
            node->string.len <= VES_ENTITY_ID_MAX) ||
           ves_minor_read(node, &number);
}

static bool is_currency(const struct ves_json *node)
{
    if (node->type != VES_JSON_STRING || node->string.len != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (node->string.ptr[i] < 'A' || node->string.ptr[i] > 'Z')
            return false;
    }
    return true;
}

static bool is_texts(const struct ves_json *node)
{
    if (node->type == VES_JSON_STRING)
        return true;
    if (node->type != VES_JSON_ARRAY)
        return false;
    for (const struct ves_json *i = node->first; i; i = i->next) {
        if (i->type != VES_JSON_STRING)
            return false;
    }
    return true;
}

/* What is wrong with a quantity, NULL when nothing is. */
static const char *quantity_fault(const struct ves_json *node,
                                  bool may_be_negative)
{
    struct ves_quantity quantity;
    enum ves_status status = ves_quantity_read(node, &quantity);

    if (status == VES_LIMIT)
        return "at most 6 decimals and less than 10^12 in size";
    if (status)
        return "a decimal number or string";
    if (quantity.millionths < 0 && !may_be_negative)
        return "a quantity that is not below zero";
    return NULL;
}

const char *ves_field_fault(const struct ves_field *field,
                            const struct ves_json *node)
{
    static const struct ves_json none = {.type = VES_JSON_NULL};
    int64_t amount;

    if (!node)
        node = &none;
    switch (field->kind) {
    case VES_FIELD_END:
        break;
    case VES_FIELD_ANY:
        return node->type != VES_JSON_NULL ? NULL : "a value";
    case VES_FIELD_ID:
        return is_id(node) ? NULL
                           : "an id, a text of 1 to 512 bytes or an integer";
    case VES_FIELD_TEXT:
        return node->type == VES_JSON_STRING ? NULL : "a text";
    case VES_FIELD_FLAG:
        return node->type == VES_JSON_TRUE || node->type == VES_JSON_FALSE
                   ? NULL
                   : "true or false";
    case VES_FIELD_QUANTITY:
        return quantity_fault(node, true);
    case VES_FIELD_AMOUNT:
        return quantity_fault(node, false);
    case VES_FIELD_MINOR:
        return ves_minor_read(node, &amount)
                   ? NULL
                   : "an integer, the amount in the currency's minor unit";
    case VES_FIELD_CURRENCY:
        if (is_currency(node))
            return NULL;
        return field->need == VES_NEED_NO
                   ? "an ISO 4217 code of three capital letters"
                   : "an ISO 4217 code of three capital letters, because "
                     "money occurs";
    case VES_FIELD_OBJECT:
        return node->type == VES_JSON_OBJECT ? NULL : "an object";
    case VES_FIELD_PATCH:
        return node->type == VES_JSON_OBJECT ? NULL
                                             : "an object, an RFC 7396 patch";
    case VES_FIELD_BEFORE:
        return node->type == VES_JSON_OBJECT
                   ? NULL
                   : "an object of pointers and previous values";
    case VES_FIELD_LIST:
        return node->type == VES_JSON_ARRAY ? NULL : "an array of objects";
    case VES_FIELD_TEXTS:
        return is_texts(node) ? NULL : "an array of texts";
    }
    return NULL;
}

/* ---- one field ------------------------------------------------------------
 */

static enum ves_status check_value(struct check *check,
                                   const struct ves_field *field,
                                   const struct ves_json *node,
                                   const struct place *place)
{
    bool is_null = node && node->type == VES_JSON_NULL;
    bool is_there = node && (!is_null || field->kind == VES_FIELD_PATCH);

    if (!is_there && field->need != VES_NEED_YES)
        return VES_OK;
    const char *expected = ves_field_fault(field, is_there ? node : NULL);
    if (expected)
        return bad(check, place, expected);
    if (field->kind != VES_FIELD_LIST)
        return VES_OK;
    struct place item = {.outer = place, .is_index = true};
    for (const struct ves_json *i = node->first; i; i = i->next, item.index++) {
        if (i->type != VES_JSON_OBJECT)
            return bad(check, &item, "an object");
    }
    return VES_OK;
}

/* Checks what the rest of a pointer names below node.  Where something on the
 * way is missing nothing is demanded of what would be in it.  Pointers are the
 * table's or a rules file's, where their depth is bounded. */
static enum ves_status follow(struct check *check,
                              const struct ves_field *field, const char *rest,
                              const struct ves_json *node,
                              const struct place *place)
{
    if (*rest == '\0')
        return check_value(check, field, node, place);
    const char *token = rest + 1;
    const char *end = strchr(token, '/');
    size_t len = end ? (size_t)(end - token) : strlen(token);
    struct place inner = {.outer = place, .name = ves_bytes(token, len)};

    if (!node)
        return VES_OK;
    if (len != 1 || *token != '*') {
        if (node->type != VES_JSON_OBJECT)
            return VES_OK;
        return follow(check, field, token + len,
                      ves_json_member_bytes(node, inner.name), &inner);
    }
    if (node->type != VES_JSON_ARRAY)
        return VES_OK;
    inner.is_index = true;
    for (const struct ves_json *i = node->first; i; i = i->next) {
        enum ves_status status = follow(check, field, token + len, i, &inner);
        if (status)
            return status;
        inner.index++;
    }
    return VES_OK;
}

/* ---- money ----------------------------------------------------------------
 */

static bool is_money_name(struct ves_bytes name)
{
    static const char suffix[] = "_minor";
    const size_t len = sizeof(suffix) - 1;
    return name.len > len &&
           memcmp(name.ptr + name.len - len, suffix, len) == 0;
}

/* Money members of one object. */
static enum ves_status check_money_of(struct check *check,
                                      const struct ves_json *object,
                                      const struct place *place)
{
    const struct ves_field field = {"", VES_FIELD_MINOR, VES_NEED_NO};

    if (!object || object->type != VES_JSON_OBJECT)
        return VES_OK;
    for (const struct ves_json *m = object->first; m; m = m->next) {
        const struct place inner = {.outer = place, .name = m->key};
        if (!is_money_name(m->key) || m->type == VES_JSON_NULL)
            continue;
        check->has_money = true;
        enum ves_status status = check_value(check, &field, m, &inner);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status check_money(struct check *check)
{
    const struct place totals = {.name = ves_bytes_str("totals")};
    const struct place lines = {.name = ves_bytes_str("lines")};
    struct place line = {.outer = &lines, .is_index = true};

    enum ves_status status = check_money_of(check, check->payload, NULL);
    if (!status)
        status = check_money_of(
            check, ves_json_member(check->payload, "totals"), &totals);
    const struct ves_json *array = ves_json_member(check->payload, "lines");
    if (status || !array || array->type != VES_JSON_ARRAY)
        return status;
    for (const struct ves_json *i = array->first; i && !status; i = i->next) {
        status = check_money_of(check, i, &line);
        line.index++;
    }
    return status;
}

/* ---- one payload ----------------------------------------------------------
 */

static void put_text(struct pointer *pointer, const char *text)
{
    while (*text != '\0')
        put_char(pointer, *text++);
}

static enum ves_status need_one(const struct check *check,
                                const struct ves_field *fields)
{
    struct pointer names = {.len = 0};
    size_t count = 0, total = 0;

    for (const struct ves_field *f = fields; f->kind != VES_FIELD_END; f++) {
        if (f->need != VES_NEED_ONE)
            continue;
        total++;
        if (!ves_json_is_absent(
                ves_json_pointer(check->payload, ves_bytes_str(f->pointer))))
            return VES_OK;
    }
    for (const struct ves_field *f = fields; f->kind != VES_FIELD_END; f++) {
        if (f->need != VES_NEED_ONE)
            continue;
        put_text(&names, count == 0 ? "" : count + 1 < total ? ", " : " and ");
        put_text(&names, f->pointer);
        count++;
    }
    if (total == 0)
        return VES_OK;
    return ves_fail(check->error, VES_INVALID,
                    "payload: expected at least one of %s", names.text);
}

/* Fields that depend on whether there is money come last. */
static enum ves_status check_fields(struct check *check,
                                    const struct ves_field *fields,
                                    bool are_of_money)
{
    enum ves_status status = VES_OK;

    for (const struct ves_field *f = fields;
         f->kind != VES_FIELD_END && !status; f++) {
        struct ves_field field = *f;
        if ((f->need == VES_NEED_MONEY) != are_of_money)
            continue;
        if (are_of_money && check->has_money)
            field.need = VES_NEED_YES;
        if (!are_of_money || check->has_money)
            status = follow(check, &field, f->pointer, check->payload, NULL);
    }
    return status;
}

enum ves_status ves_event_type_check(const struct ves_event_type *type,
                                     const struct ves_json *payload,
                                     struct ves_error *error)
{
    struct check check = {payload, error, false};

    VES_ASSERT(type && payload);
    if (payload->type != VES_JSON_OBJECT)
        return ves_fail(error, VES_INVALID, "payload: expected an object");
    enum ves_status status = need_one(&check, type->fields);
    if (!status)
        status = check_fields(&check, type->fields, false);
    if (!status)
        status = check_money(&check);
    return status ? status : check_fields(&check, type->fields, true);
}
