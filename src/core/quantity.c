/* quantity.c -- exact amounts: stock, deltas, order quantities, money. */
#include "core/quantity.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "json/number.h"

enum { SCALE = 1000000 };

/* DBL_DIG: a decimal of so many digits survives a double unchanged. */
#define NUMBER_DIGITS_LIMIT INT64_C(1000000000000000)

static bool in_range(int64_t millionths)
{
    return millionths > -VES_QUANTITY_LIMIT && millionths < VES_QUANTITY_LIMIT;
}

/* Moves *at over digits; false when there is none or a leading zero that the
 * grammar of numbers forbids. */
static bool skip_digits(struct ves_bytes text, size_t *at, bool is_integer)
{
    size_t start = *at;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9')
        (*at)++;
    size_t count = *at - start;
    return count > 0 && !(is_integer && count > 1 && text.ptr[start] == '0');
}

/* Digits as an integer after *value; false when it gets too large. */
static bool take_digits(struct ves_bytes digits, int64_t *value)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (*value >= VES_QUANTITY_LIMIT / 10)
            return false;
        *value = *value * 10 + (digits.ptr[i] - '0');
    }
    return true;
}

enum ves_status ves_quantity_parse(struct ves_bytes text,
                                   struct ves_quantity *out)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    size_t start = is_negative ? 1 : 0;
    size_t at = start;
    struct ves_bytes decimals = {NULL, 0};

    if (!skip_digits(text, &at, true))
        return VES_MALFORMED;
    struct ves_bytes digits = ves_bytes(text.ptr + start, at - start);
    if (at < text.len && text.ptr[at] == '.') {
        start = ++at;
        if (!skip_digits(text, &at, false))
            return VES_MALFORMED;
        decimals = ves_bytes(text.ptr + start, at - start);
    }
    if (at != text.len)
        return VES_MALFORMED;

    while (decimals.len > 0 && decimals.ptr[decimals.len - 1] == '0')
        decimals.len--;
    int64_t value = 0;
    if (decimals.len > VES_QUANTITY_DECIMALS || !take_digits(digits, &value) ||
        !take_digits(decimals, &value))
        return VES_LIMIT;
    for (size_t i = decimals.len; i < VES_QUANTITY_DECIMALS; i++) {
        if (value >= VES_QUANTITY_LIMIT / 10)
            return VES_LIMIT;
        value *= 10;
    }
    out->millionths = is_negative ? -value : value;
    return VES_OK;
}

enum ves_status ves_quantity_read(const struct ves_json *node,
                                  struct ves_quantity *out)
{
    if (node && node->type == VES_JSON_STRING)
        return ves_quantity_parse(node->string, out);
    if (!node || node->type != VES_JSON_NUMBER)
        return VES_MALFORMED;

    char text[VES_NUMBER_TEXT];
    size_t len = ves_number_format(node->number, text);
    enum ves_status status = ves_quantity_parse(ves_bytes(text, len), out);
    /* Exponents appear from 1e21 up and below 1e-6 only: out of range. */
    return status == VES_MALFORMED ? VES_LIMIT : status;
}

bool ves_quantity_add(struct ves_quantity a, struct ves_quantity b,
                      struct ves_quantity *out)
{
    VES_ASSERT(in_range(a.millionths) && in_range(b.millionths));
    int64_t sum = a.millionths + b.millionths;
    if (!in_range(sum))
        return false;
    out->millionths = sum;
    return true;
}

bool ves_quantity_subtract(struct ves_quantity a, struct ves_quantity b,
                           struct ves_quantity *out)
{
    b.millionths = -b.millionths;
    return ves_quantity_add(a, b, out);
}

size_t ves_quantity_format(struct ves_quantity quantity,
                           char out[VES_QUANTITY_TEXT])
{
    bool is_negative = quantity.millionths < 0;
    uint64_t rest =
        (uint64_t)(is_negative ? -quantity.millionths : quantity.millionths);
    char reversed[VES_QUANTITY_TEXT];
    size_t n = 0;

    VES_ASSERT(in_range(quantity.millionths));
    uint64_t decimals = rest % SCALE;
    if (decimals > 0) {
        size_t count = VES_QUANTITY_DECIMALS;
        while (decimals % 10 == 0) {
            decimals /= 10;
            count--;
        }
        for (; count > 0; count--) {
            reversed[n++] = (char)('0' + decimals % 10);
            decimals /= 10;
        }
        reversed[n++] = '.';
    }
    rest /= SCALE;
    do {
        reversed[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (is_negative)
        reversed[n++] = '-';

    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

bool ves_quantity_fits_number(struct ves_quantity quantity)
{
    int64_t value = quantity.millionths;
    while (value != 0 && value % 10 == 0)
        value /= 10;
    return value > -NUMBER_DIGITS_LIMIT && value < NUMBER_DIGITS_LIMIT;
}

bool ves_minor_read(const struct ves_json *node, int64_t *out)
{
    const double max = (double)VES_SAFE_INTEGER_MAX;
    if (!node || node->type != VES_JSON_NUMBER || node->number < -max ||
        node->number > max || (double)(int64_t)node->number != node->number)
        return false;
    *out = (int64_t)node->number;
    return true;
}
