/* follow_up.c -- what a state asks somebody to look at. */
#include "core/follow_up.h"

#include "base/bytes.h"

static size_t of_stock(const struct ves_json *state, struct ves_follow_up *out)
{
    const struct ves_quantity zero = {0};
    struct ves_quantity available;

    if (ves_quantity_read(ves_json_member(state, "available"), &available) ||
        available.millionths >= 0 ||
        !ves_quantity_subtract(zero, available, &out->quantity))
        return 0;
    out->name = "inventory.oversold";
    return 1;
}

static int64_t minor(const struct ves_json *state, const char *name)
{
    int64_t amount = 0;

    (void)ves_minor_read(ves_json_member(state, name), &amount);
    return amount;
}

static size_t of_payment(const struct ves_json *state,
                         struct ves_follow_up *out)
{
    int64_t completed = minor(state, "completed_minor");
    int64_t refunded = minor(state, "refunded_minor");
    int64_t requested = minor(state, "refund_requested_minor");
    bool is_completed = ves_json_member(state, "completed_minor") != NULL;

    out->is_money = true;
    if (refunded > 0 && !is_completed) {
        out->name = "payment.unmatched";
        out->amount_minor = refunded;
        return 1;
    }
    if (refunded > completed) {
        out->name = "payment.over_refunded";
        out->amount_minor = refunded - completed;
        return 1;
    }
    /* A request that was carried out is in both sums. */
    if (requested > completed && is_completed) {
        out->name = "payment.over_requested";
        out->amount_minor = requested - completed;
        return 1;
    }
    return 0;
}

/* The quantities of lines, which are an array or a map. */
static bool add_lines(const struct ves_json *lines, struct ves_quantity *sum)
{
    if (!lines ||
        (lines->type != VES_JSON_ARRAY && lines->type != VES_JSON_OBJECT))
        return false;
    for (const struct ves_json *line = lines->first; line; line = line->next) {
        struct ves_quantity quantity;
        if (ves_quantity_read(ves_json_member(line, "quantity"), &quantity) ||
            !ves_quantity_add(*sum, quantity, sum))
            return false;
    }
    return true;
}

static size_t of_return(const struct ves_json *state, struct ves_follow_up *out)
{
    const struct ves_json *receipts = ves_json_member(state, "receipts");
    struct ves_quantity asked = {0}, received = {0};

    /* What was to come back nobody said: nothing to compare with. */
    if (!receipts || receipts->type != VES_JSON_ARRAY ||
        !add_lines(ves_json_member(state, "lines"), &asked))
        return 0;
    for (const struct ves_json *r = receipts->first; r; r = r->next) {
        if (!add_lines(ves_json_member(r, "lines"), &received))
            return 0;
    }
    if (received.millionths <= asked.millionths ||
        !ves_quantity_subtract(received, asked, &out->quantity))
        return 0;
    out->name = "return.over_received";
    return 1;
}

/* Each kind of entity whose state may ask for something, and what its canonical
 * bytes hold when it does. */
static const struct {
    const char *entity_type;
    size_t (*find)(const struct ves_json *state, struct ves_follow_up *out);
    const char *hints[2];
} rows[] = {
    {"inventory", of_stock, {"\"available\":\"-", "\"available\":-"}},
    {"payment", of_payment, {"refund", NULL}},
    {"return", of_return, {"\"receipts\":", NULL}},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const char *ves_follow_up_type(size_t index)
{
    return index < ROWS ? rows[index].entity_type : NULL;
}

size_t ves_follow_ups(struct ves_bytes entity_type,
                      const struct ves_json *state,
                      struct ves_follow_up out[VES_FOLLOW_UPS_MAX])
{
    memset(out, 0, VES_FOLLOW_UPS_MAX * sizeof(*out));
    for (size_t i = 0; i < ROWS; i++) {
        if (ves_bytes_is(entity_type, rows[i].entity_type))
            return rows[i].find(state, out);
    }
    return 0;
}

static bool holds(struct ves_bytes state, const char *text)
{
    const size_t len = strlen(text);
    const uint8_t *at = state.ptr, *end = state.ptr + state.len;

    while ((size_t)(end - at) >= len &&
           (at = memchr(at, *text, (size_t)(end - at)))) {
        if ((size_t)(end - at) >= len && memcmp(at, text, len) == 0)
            return true;
        at++;
    }
    return false;
}

bool ves_follow_ups_may(struct ves_bytes entity_type, struct ves_bytes state)
{
    for (size_t i = 0; i < ROWS && state.len > 0; i++) {
        if (!ves_bytes_is(entity_type, rows[i].entity_type))
            continue;
        return holds(state, rows[i].hints[0]) ||
               (rows[i].hints[1] && holds(state, rows[i].hints[1]));
    }
    return false;
}
