/* types.c -- what the program knows of event types, as data. */
#include "core/types.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/quantity.h"

/* ---- what a payload must hold ------------------------------------------- */

/* One payload under examination. */
struct check {
    const struct ves_json *payload;
    struct ves_error *error;
    bool has_money; /* a member ending in _minor was met */
};

/* Where in the payload: /outer/index/name, parts may be missing. */
struct place {
    const char *outer; /* NULL at the top */
    bool has_index;
    size_t index;
    struct ves_bytes name; /* empty: the outer value itself */
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

static enum ves_status bad(const struct check *check, const struct place *place,
                           const char *expected)
{
    struct pointer pointer = {.len = 0};
    if (place->outer)
        put_token(&pointer, ves_bytes_str(place->outer));
    if (place->has_index)
        put_index(&pointer, place->index);
    if (place->name.len)
        put_token(&pointer, place->name);
    return ves_fail(check->error, VES_INVALID, "payload %s: expected %s",
                    pointer.text, expected);
}

static enum ves_status bad_member(const struct check *check, const char *name,
                                  const char *expected)
{
    const struct place place = {.name = ves_bytes_str(name)};
    return bad(check, &place, expected);
}

/* The member, NULL when absent or null. */
static const struct ves_json *member(const struct ves_json *object,
                                     const char *name)
{
    const struct ves_json *node = ves_json_member(object, name);
    return ves_json_is_absent(node) ? NULL : node;
}

static bool is_id(const struct ves_json *node)
{
    int64_t number;
    return (node->type == VES_JSON_STRING && node->string.len > 0 &&
            node->string.len <= VES_ENTITY_ID_MAX) ||
           ves_minor_read(node, &number);
}

static enum ves_status need_id(const struct check *check, const char *name,
                               bool is_required)
{
    const struct ves_json *node = member(check->payload, name);
    if (node ? is_id(node) : !is_required)
        return VES_OK;
    return bad_member(check, name,
                      "an id, a text of 1 to 512 bytes or an integer");
}

/* Is node a quantity, at place? */
static enum ves_status need_quantity(const struct check *check,
                                     const struct ves_json *node,
                                     const struct place *place,
                                     bool may_be_negative)
{
    struct ves_quantity quantity;
    enum ves_status status = ves_quantity_read(node, &quantity);
    if (status == VES_LIMIT)
        return bad(check, place,
                   "at most 6 decimals and less than 10^12 in size");
    if (status)
        return bad(check, place, "a decimal number or string");
    if (quantity.millionths < 0 && !may_be_negative)
        return bad(check, place, "a quantity that is not below zero");
    return VES_OK;
}

static bool is_money_name(struct ves_bytes name)
{
    static const char suffix[] = "_minor";
    const size_t len = sizeof(suffix) - 1;
    return name.len > len &&
           memcmp(name.ptr + name.len - len, suffix, len) == 0;
}

/* Money members of one object; place says which. */
static enum ves_status check_money_of(struct check *check,
                                      const struct ves_json *object,
                                      struct place place)
{
    for (const struct ves_json *m = object->first; m; m = m->next) {
        if (!is_money_name(m->key) || m->type == VES_JSON_NULL)
            continue;
        check->has_money = true;
        int64_t amount;
        place.name = m->key;
        if (!ves_minor_read(m, &amount))
            return bad(check, &place,
                       "an integer, the amount in the currency's minor unit");
    }
    return VES_OK;
}

static enum ves_status check_money(struct check *check)
{
    const struct place top = {.outer = NULL};
    enum ves_status status = check_money_of(check, check->payload, top);
    if (status)
        return status;

    const struct ves_json *totals = member(check->payload, "totals");
    if (totals && totals->type == VES_JSON_OBJECT) {
        const struct place place = {.outer = "totals"};
        status = check_money_of(check, totals, place);
    }
    return status;
}

static enum ves_status check_lines(struct check *check, bool may_be_negative)
{
    const struct ves_json *lines = member(check->payload, "lines");
    if (!lines)
        return VES_OK;
    if (lines->type != VES_JSON_ARRAY)
        return bad_member(check, "lines", "an array of objects");

    struct place place = {.outer = "lines", .has_index = true};
    for (const struct ves_json *line = lines->first; line; line = line->next) {
        place.name = ves_bytes(NULL, 0);
        if (line->type != VES_JSON_OBJECT)
            return bad(check, &place, "an object");
        place.name = ves_bytes_str("quantity");
        enum ves_status status = need_quantity(
            check, ves_json_member(line, "quantity"), &place, may_be_negative);
        if (status)
            return status;
        status = check_money_of(check, line, place);
        if (status)
            return status;
        place.index++;
    }
    return VES_OK;
}

static enum ves_status need_currency(const struct check *check)
{
    const struct ves_json *node = member(check->payload, "currency");
    bool is_good =
        node && node->type == VES_JSON_STRING && node->string.len == 3;
    for (size_t i = 0; is_good && i < 3; i++)
        is_good = node->string.ptr[i] >= 'A' && node->string.ptr[i] <= 'Z';
    if (is_good)
        return VES_OK;
    return bad_member(check, "currency",
                      "an ISO 4217 code of three capital letters, because "
                      "money occurs");
}

static enum ves_status need_amount(struct check *check)
{
    if (!member(check->payload, "amount_minor"))
        return bad_member(check, "amount_minor",
                          "an integer, the amount in the currency's minor "
                          "unit");
    return check_money(check);
}

/* ---- one function a type ------------------------------------------------ */

static enum ves_status check_order_created(struct check *check)
{
    enum ves_status status = check_money(check);
    if (!status)
        status = check_lines(check, true);
    if (!status && check->has_money)
        status = need_currency(check);
    return status;
}

static enum ves_status check_updated(struct check *check)
{
    /* A patch of null would replace the whole state by null. */
    const struct ves_json *patch = ves_json_member(check->payload, "patch");
    if (patch && patch->type != VES_JSON_OBJECT)
        return bad_member(check, "patch", "an object, an RFC 7396 patch");
    const struct ves_json *before = member(check->payload, "before");
    if (before && before->type != VES_JSON_OBJECT)
        return bad_member(check, "before",
                          "an object of pointers and previous values");
    return VES_OK;
}

static enum ves_status check_order_shipped(struct check *check)
{
    enum ves_status status = need_id(check, "shipment_id", false);
    return status ? status : check_lines(check, true);
}

static enum ves_status check_order_cancelled(struct check *check)
{
    return check_money(check);
}

static enum ves_status check_adjusted(struct check *check)
{
    const struct place place = {.name = ves_bytes_str("delta")};
    return need_quantity(check, member(check->payload, "delta"), &place, true);
}

/* quantity, when there or demanded, is not below zero. */
static enum ves_status check_reservation(struct check *check,
                                         bool needs_quantity)
{
    const struct ves_json *quantity = member(check->payload, "quantity");
    const struct place place = {.name = ves_bytes_str("quantity")};

    enum ves_status status = need_id(check, "reservation_id", true);
    if (!status)
        status = check_lines(check, false);
    if (!status && !quantity && needs_quantity &&
        !member(check->payload, "lines"))
        status = bad(check, &place, "a decimal number or string, or lines");
    if (!status && quantity)
        status = need_quantity(check, quantity, &place, false);
    return status;
}

static enum ves_status check_reserved(struct check *check)
{
    return check_reservation(check, true);
}

static enum ves_status check_released(struct check *check)
{
    return check_reservation(check, false);
}

static enum ves_status check_customer_created(struct check *check)
{
    static const char *const names[] = {"name", "email", "phone",
                                        "customer_id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (member(check->payload, names[i]))
            return VES_OK;
    }
    return ves_fail(check->error, VES_INVALID,
                    "payload: expected at least one of /name, /email, /phone "
                    "and /customer_id");
}

static enum ves_status check_payment_created(struct check *check)
{
    enum ves_status status = need_amount(check);
    return status ? status : need_currency(check);
}

static enum ves_status check_payment_refunded(struct check *check)
{
    enum ves_status status = need_amount(check);
    return status ? status : need_id(check, "refund_id", true);
}

static enum ves_status check_return_created(struct check *check)
{
    enum ves_status status = check_money(check);
    return status ? status : check_lines(check, true);
}

static enum ves_status check_return_decided(struct check *check)
{
    return check_money(check);
}

/* ---- the table ---------------------------------------------------------- */

struct rule {
    const char *name;
    enum ves_status (*check)(struct check *check);
};

static const struct rule rules[] = {
    {"order.created", check_order_created},
    {"order.updated", check_updated},
    {"order.shipped", check_order_shipped},
    {"order.cancelled", check_order_cancelled},
    {"inventory.adjusted", check_adjusted},
    {"inventory.reserved", check_reserved},
    {"inventory.released", check_released},
    {"customer.created", check_customer_created},
    {"customer.updated", check_updated},
    {"payment.created", check_payment_created},
    {"payment.completed", need_amount},
    {"payment.refunded", check_payment_refunded},
    {"return.created", check_return_created},
    {"return.approved", check_return_decided},
    {"return.rejected", check_return_decided},
};

static const struct rule *find_rule(struct ves_bytes event_type)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (ves_bytes_is(event_type, rules[i].name))
            return &rules[i];
    }
    return NULL;
}

const struct ves_event_type *ves_event_type_find(struct ves_bytes event_type)
{
    return find_rule(event_type) ? ves_event_type_catalogue(event_type) : NULL;
}

enum ves_status ves_event_type_check(struct ves_bytes event_type,
                                     const struct ves_json *payload,
                                     struct ves_error *error)
{
    const struct rule *rule = find_rule(event_type);
    struct check check = {payload, error, false};

    VES_ASSERT(payload);
    if (!rule)
        return VES_OK;
    if (payload->type != VES_JSON_OBJECT)
        return ves_fail(error, VES_INVALID, "payload: expected an object");
    return rule->check(&check);
}
