/* types_catalogue.c -- the event types as data, ascending by name.
 *
 * semantics.md 3.4 and 4.2.  Facts and creations need no base, nor do
 * additions that commute.  Unnamed shipments share one place in the footprint,
 * so that two tracking numbers for the same goods meet.
 */
#include "base/bytes.h"
#include "core/merge.h"
#include "core/types.h"

/* ---- words for the table ---------------------------------------------------
 */

#define OPS(...)    ((const struct ves_operation[]){__VA_ARGS__, {.path = NULL}})
#define REFS(...)   ((const struct ves_reference[]){__VA_ARGS__, {NULL, NULL}})
#define NO_REFS     ((const struct ves_reference[]){{NULL, NULL}})
#define FIELDS(...) ((const struct ves_field[]){__VA_ARGS__, {.pointer = NULL}})
#define NO_FIELDS   ((const struct ves_field[]){{.pointer = NULL}})

#define OP(op, path, source, from)                                \
    {                                                             \
        VES_OP_##op, path, VES_SOURCE_##source, from, false, NULL \
    }
/* The payload's member at a pointer, "" for all of it. */
#define SET(path, from) OP(SET, path, MEMBER, from)
#define UNSET(path)     OP(SET, path, VALUE, NULL)
#define ADD(path, from) OP(DELTA, path, MEMBER, from)
#define TAKE(path, from)                                        \
    {                                                           \
        VES_OP_DELTA, path, VES_SOURCE_MEMBER, from, true, NULL \
    }
#define COUNT(path)       OP(DELTA, path, TEXT, "1")
#define APPEND(path)      OP(APPEND, path, MEMBER, "")
#define JOIN(path, from)  OP(ADD_TO_SET, path, MEMBER, from)
#define ENTRY(path, from) OP(CREATE, path, MEMBER, from)
#define FILL(path)        OP(SET, path, FILL, NULL)
#define PATCH(path, from) OP(SET, path, PATCH, from)
#define EDIT              OP(SET, "", EDIT, NULL)
#define STATUS(word)      OP(TRANSITION, "/status", TEXT, word)
#define ADVANCE(word)     OP(ADVANCE, "/status", TEXT, word)
#define FIRST(path, from) OP(DEFAULT, path, MEMBER, from)
#define BORN(word) \
    ENTRY(VES_PATH_BIRTH, ""), FILL(""), OP(DEFAULT, "/status", TEXT, word)
#define DELETED OP(DELETE, VES_PATH_WHOLE, MEMBER, "")
#define STOCK_NAMES \
    FIRST("/product_id", "/product_id"), FIRST("/location_id", "/location_id")

#define STOCK_REFS                                                 \
    REFS({"/product_id", "product"}, {"/location_id", "location"}, \
         {"/order_id", "order"}, {"/return_id", "return"})
#define OF_ORDER   REFS({"/order_id", "order"})
#define OF_PAYMENT REFS({"/payment_id", "payment"})

#define FIELD(pointer, kind)                   \
    {                                          \
        pointer, VES_FIELD_##kind, VES_NEED_NO \
    }
#define MUST(pointer, kind)                     \
    {                                           \
        pointer, VES_FIELD_##kind, VES_NEED_YES \
    }
#define ONE(pointer, kind)                      \
    {                                           \
        pointer, VES_FIELD_##kind, VES_NEED_ONE \
    }
#define CURRENCY_OF_MONEY                               \
    {                                                   \
        "/currency", VES_FIELD_CURRENCY, VES_NEED_MONEY \
    }
#define LINES(kind) FIELD("/lines", LIST), MUST("/lines/*/quantity", kind)

#define CLASS_INTENT VES_CLASS_INTENT, false
#define CLASS_FACT   VES_CLASS_FACT, false
#define CLASS_SALE                                            \
    VES_CLASS_FACT, true /* unless `origin` says draft or web \
                          */
#define BASE VES_BASE_REQUIRED
#define FREE VES_BASE_NONE
#define RULE(name, entity, class, base, merge, fold, ops, refs, fields) \
    {                                                                   \
        name, entity, 1, CLASS_##class, base, VES_MERGE_##merge,        \
            VES_FOLD_##fold, ops, refs, fields                          \
    }
#define TYPE(name, entity, class, base, merge, ops, refs, fields) \
    {                                                             \
        name, entity, 1, CLASS_##class, base, VES_MERGE_##merge,  \
            VES_FOLD_OPERATIONS, ops, refs, fields                \
    }

/* ---- the table -------------------------------------------------------------
 */

static const struct ves_event_type types[] = {
    TYPE("cart.abandoned", "cart", INTENT, BASE, FIELDS,
         OPS(STATUS("abandoned")), NO_REFS, NO_FIELDS),
    TYPE("cart.cancelled", "cart", INTENT, BASE, FIELDS,
         OPS(STATUS("cancelled"), SET("/cancellation", "")), NO_REFS,
         NO_FIELDS),
    TYPE("cart.checked_out", "cart", FACT, FREE, NEVER,
         OPS(STATUS("checked_out"), SET("/checkout", "")), OF_ORDER, NO_FIELDS),
    TYPE("cart.created", "cart", INTENT, FREE, FIELDS, OPS(BORN("created")),
         REFS({"/customer_id", "customer"}),
         FIELDS(LINES(QUANTITY), CURRENCY_OF_MONEY)),
    TYPE("cart.discount_applied", "cart", INTENT, FREE, FIELDS,
         OPS(ENTRY("/discounts/{code}", "")), NO_REFS,
         FIELDS(MUST("/code", ID))),
    TYPE("cart.item_added", "cart", INTENT, FREE, FIELDS,
         OPS(ENTRY("/items/{item_id}", "")), REFS({"/product_id", "product"}),
         FIELDS(MUST("/item_id", ID), MUST("/quantity", QUANTITY))),
    TYPE("cart.item_removed", "cart", INTENT, BASE, FIELDS,
         OPS(UNSET("/items/{item_id}")), NO_REFS, FIELDS(MUST("/item_id", ID))),
    TYPE("cart.item_updated", "cart", INTENT, BASE, FIELDS,
         OPS(PATCH("/items/{item_id}", "")), NO_REFS,
         FIELDS(MUST("/item_id", ID), FIELD("/quantity", QUANTITY))),
    TYPE("cart.payment_set", "cart", INTENT, BASE, FIELDS,
         OPS(SET("/payment", "")), NO_REFS, NO_FIELDS),
    TYPE("cart.shipping_set", "cart", INTENT, BASE, FIELDS,
         OPS(SET("/shipping", "")), NO_REFS, NO_FIELDS),
    TYPE("cart.updated", "cart", INTENT, BASE, FIELDS, OPS(EDIT), NO_REFS,
         FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("customer.address_added", "customer", INTENT, BASE, CUSTOMER,
         OPS(ENTRY("/addresses/{address_id}", "")), NO_REFS,
         FIELDS(MUST("/address_id", ID))),
    TYPE("customer.address_changed", "customer", INTENT, BASE, CUSTOMER,
         OPS(PATCH("/addresses/{address_id}", "")), NO_REFS,
         FIELDS(MUST("/address_id", ID))),
    TYPE("customer.address_removed", "customer", INTENT, BASE, CUSTOMER,
         OPS(UNSET("/addresses/{address_id}")), NO_REFS,
         FIELDS(MUST("/address_id", ID))),
    TYPE("customer.consent_changed", "customer", INTENT, BASE, CUSTOMER,
         OPS(SET("/consents/{purpose}", "")), NO_REFS,
         FIELDS(MUST("/purpose", ID), MUST("/state", TEXT))),
    TYPE("customer.created", "customer", INTENT, FREE, CUSTOMER,
         OPS(BORN("created")), NO_REFS,
         FIELDS(ONE("/name", ANY), ONE("/email", ANY), ONE("/phone", ANY),
                ONE("/customer_id", ANY))),
    TYPE("customer.deleted", "customer", INTENT, BASE, NEVER, OPS(DELETED),
         NO_REFS, NO_FIELDS),
    TYPE("customer.erased", "customer", FACT, FREE, NEVER, OPS(DELETED),
         NO_REFS, NO_FIELDS),
    TYPE("customer.merged", "customer", INTENT, BASE, NEVER,
         OPS(SET("/merged_to", "/to")), REFS({"/to", "customer"}),
         FIELDS(MUST("/to", ID), FIELD("/from", ID))),
    TYPE("customer.updated", "customer", INTENT, BASE, CUSTOMER, OPS(EDIT),
         NO_REFS, FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("dispute.closed", "dispute", FACT, FREE, NEVER,
         OPS(STATUS("closed"), SET("/closing", "")), NO_REFS, NO_FIELDS),
    TYPE("dispute.evidence_added", "dispute", FACT, FREE, NEVER,
         OPS(APPEND("/evidence")), NO_REFS, NO_FIELDS),
    TYPE("dispute.opened", "dispute", FACT, FREE, NEVER, OPS(BORN("open")),
         OF_PAYMENT,
         FIELDS(MUST("/payment_id", ID), MUST("/amount_minor", MINOR),
                CURRENCY_OF_MONEY)),
    TYPE("giftcard.activated", "giftcard", FACT, FREE, DELTAS,
         OPS(ENTRY("/activation", ""), ADD("/balance_minor", "/delta_minor"),
             FIRST("/currency", "/currency")),
         OF_ORDER, FIELDS(FIELD("/delta_minor", MINOR), CURRENCY_OF_MONEY)),
    TYPE("giftcard.adjusted", "giftcard", FACT, FREE, DELTAS,
         OPS(ADD("/balance_minor", "/delta_minor")), OF_ORDER,
         FIELDS(MUST("/delta_minor", MINOR))),
    TYPE("giftcard.loaded", "giftcard", FACT, FREE, DELTAS,
         OPS(ADD("/balance_minor", "/delta_minor")), OF_ORDER,
         FIELDS(MUST("/delta_minor", MINOR))),
    TYPE("giftcard.redeemed", "giftcard", FACT, FREE, DELTAS,
         OPS(ADD("/balance_minor", "/delta_minor")), OF_ORDER,
         FIELDS(MUST("/delta_minor", MINOR))),
    TYPE("inventory.adjusted", "inventory", FACT, FREE, DELTAS,
         OPS(ADD("/on_hand", "/delta"), STOCK_NAMES), STOCK_REFS,
         FIELDS(MUST("/delta", QUANTITY))),
    TYPE("inventory.counted", "inventory", FACT, FREE, NEVER,
         OPS(SET("/on_hand", "/counted"), STOCK_NAMES), STOCK_REFS,
         FIELDS(MUST("/counted", QUANTITY), FIELD("/expected", QUANTITY))),
    RULE("inventory.fulfilled", "inventory", FACT, FREE, DELTAS, FULFIL,
         OPS(OP(CREATE, "@fulfilled/{fulfilment_id|reservation_id}", EVENT,
                NULL),
             ADD("/reservations/{reservation_id}", ""), ADD("/reserved", ""),
             ADD("/on_hand", "")),
         NO_REFS,
         FIELDS(MUST("/reservation_id", ID), FIELD("/fulfilment_id", ID),
                ONE("/quantity", AMOUNT), ONE("/lines", LIST),
                MUST("/lines/*/quantity", AMOUNT))),
    TYPE("inventory.initialized", "inventory", FACT, FREE, DELTAS,
         OPS(ENTRY("/initialized", ""), ADD("/on_hand", "/quantity"),
             STOCK_NAMES),
         STOCK_REFS, FIELDS(MUST("/quantity", QUANTITY))),
    TYPE("inventory.oversold", "inventory", FACT, FREE, NEVER,
         OPS(COUNT("/oversold_count")), STOCK_REFS,
         FIELDS(MUST("/shortfall", AMOUNT))),
    RULE("inventory.released", "inventory", INTENT, FREE, DELTAS, RELEASE,
         OPS(ADD("/reservations/{reservation_id}", ""), ADD("/reserved", "")),
         NO_REFS,
         FIELDS(MUST("/reservation_id", ID), FIELD("/quantity", AMOUNT),
                LINES(AMOUNT))),
    RULE("inventory.reserved", "inventory", INTENT, FREE, DELTAS, RESERVE,
         OPS(ENTRY("/reservations/{reservation_id}", ""), ADD("/reserved", ""),
             STOCK_NAMES),
         STOCK_REFS,
         FIELDS(MUST("/reservation_id", ID), ONE("/quantity", AMOUNT),
                ONE("/lines", LIST), MUST("/lines/*/quantity", AMOUNT))),
    TYPE("inventory.transferred", "inventory", FACT, FREE, DELTAS,
         OPS(ENTRY("/transfers/{transfer_id}", ""), ADD("/on_hand", "/delta"),
             STOCK_NAMES),
         STOCK_REFS,
         FIELDS(MUST("/transfer_id", ID), ONE("/delta", QUANTITY),
                ONE("/lines", LIST), MUST("/lines/*/quantity", QUANTITY))),
    TYPE("invoice.cancelled", "invoice", INTENT, BASE, FIELDS,
         OPS(STATUS("cancelled"), SET("/cancellation", "")), NO_REFS,
         NO_FIELDS),
    TYPE("invoice.created", "invoice", INTENT, FREE, FIELDS,
         OPS(BORN("created")), OF_ORDER,
         FIELDS(LINES(QUANTITY), CURRENCY_OF_MONEY)),
    TYPE("invoice.status_changed", "invoice", INTENT, BASE, FIELDS,
         OPS(OP(TRANSITION, "/status", MEMBER, "/status")), NO_REFS,
         FIELDS(MUST("/status", TEXT))),
    TYPE("invoice.updated", "invoice", INTENT, BASE, FIELDS, OPS(EDIT), NO_REFS,
         FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("loyalty.earned", "loyalty", FACT, FREE, DELTAS,
         OPS(ADD("/points", "/points")), OF_ORDER,
         FIELDS(MUST("/points", AMOUNT))),
    TYPE("loyalty.expired", "loyalty", FACT, FREE, DELTAS,
         OPS(TAKE("/points", "/points")), OF_ORDER,
         FIELDS(MUST("/points", AMOUNT))),
    TYPE("loyalty.redeemed", "loyalty", FACT, FREE, DELTAS,
         OPS(TAKE("/points", "/points")), OF_ORDER,
         FIELDS(MUST("/points", AMOUNT))),
    TYPE("order.cancelled", "order", INTENT, BASE, ORDER,
         OPS(STATUS("cancelled"), SET("/cancellation", "")), NO_REFS,
         NO_FIELDS),
    TYPE("order.confirmed", "order", INTENT, BASE, ORDER,
         OPS(ADVANCE("confirmed"), SET("/confirmation", "")),
         REFS({"/warehouse_id", "warehouse"}), NO_FIELDS),
    TYPE("order.created", "order", SALE, FREE, ORDER, OPS(BORN("created")),
         REFS({"/customer_id", "customer"}, {"/lines/*/product_id", "product"}),
         FIELDS(LINES(QUANTITY), CURRENCY_OF_MONEY)),
    TYPE("order.deleted", "order", INTENT, BASE, NEVER, OPS(DELETED), NO_REFS,
         NO_FIELDS),
    TYPE("order.delivered", "order", FACT, FREE, ORDER,
         OPS(ADVANCE("delivered"), FILL("/deliveries/{shipment_id|event_id}")),
         NO_REFS, FIELDS(FIELD("/shipment_id", ID))),
    TYPE("order.edited_price_override", "order", INTENT, BASE, ORDER,
         OPS(SET("/lines/{line_uid}/price_override", "")), NO_REFS,
         FIELDS(MUST("/line_uid", ID))),
    TYPE("order.held", "order", INTENT, BASE, ORDER, OPS(SET("/hold", "")),
         NO_REFS, NO_FIELDS),
    TYPE("order.hold_released", "order", INTENT, BASE, ORDER,
         OPS(UNSET("/hold")), NO_REFS, NO_FIELDS),
    TYPE("order.line_added", "order", INTENT, BASE, ORDER,
         OPS(ENTRY("/lines/{line_uid}", "/line")),
         REFS({"/line/product_id", "product"}),
         FIELDS(MUST("/line_uid", ID), MUST("/line", OBJECT),
                MUST("/line/quantity", QUANTITY))),
    TYPE("order.line_changed", "order", INTENT, BASE, ORDER,
         OPS(PATCH("/lines/{line_uid}", "/line"),
             SET("/lines/{line_uid}/quantity", "/quantity_to")),
         REFS({"/line/product_id", "product"}),
         FIELDS(MUST("/line_uid", ID), ONE("/line", PATCH),
                ONE("/quantity_to", QUANTITY),
                FIELD("/quantity_from", QUANTITY))),
    TYPE("order.line_removed", "order", INTENT, BASE, ORDER,
         OPS(UNSET("/lines/{line_uid}")), NO_REFS,
         FIELDS(MUST("/line_uid", ID))),
    TYPE("order.note_added", "order", INTENT, FREE, FIELDS,
         OPS(APPEND("/notes")), NO_REFS, FIELDS(MUST("/text", TEXT))),
    TYPE("order.processing", "order", INTENT, BASE, ORDER,
         OPS(ADVANCE("processing"), SET("/processing", "")),
         REFS({"/warehouse_id", "warehouse"}), NO_FIELDS),
    TYPE("order.shipped", "order", FACT, FREE, ORDER,
         OPS(ADVANCE("shipped"), FILL("/shipments/{shipment_id|event_id}")),
         REFS({"/location_id", "location"}),
         FIELDS(FIELD("/shipment_id", ID), LINES(QUANTITY))),
    TYPE("order.tagged", "order", INTENT, FREE, FIELDS,
         OPS(JOIN("/tags", "/tags")), NO_REFS, FIELDS(MUST("/tags", TEXTS))),
    TYPE("order.updated", "order", INTENT, BASE, ORDER, OPS(EDIT),
         REFS({"/patch/customer_id", "customer"}),
         FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("payment.authorized", "payment", FACT, FREE, NEVER,
         OPS(ADVANCE("authorized"), SET("/authorization", "")), OF_ORDER,
         FIELDS(MUST("/amount_minor", MINOR))),
    TYPE("payment.completed", "payment", FACT, FREE, NEVER,
         OPS(ENTRY("@completed", ""), ADVANCE("completed"),
             SET("/completed_minor", "/amount_minor"), FILL("")),
         OF_ORDER, FIELDS(MUST("/amount_minor", MINOR))),
    TYPE("payment.created", "payment", INTENT, FREE, NEVER,
         OPS(BORN("created")), OF_ORDER,
         FIELDS(MUST("/amount_minor", MINOR), MUST("/currency", CURRENCY),
                FIELD("/payment_id", ID))),
    TYPE("payment.expired_offline", "payment", FACT, FREE, NEVER,
         OPS(STATUS("expired_offline"), SET("/expiry", "")), NO_REFS,
         NO_FIELDS),
    TYPE("payment.failed", "payment", FACT, FREE, NEVER,
         OPS(STATUS("failed"), SET("/failure", "")), NO_REFS,
         FIELDS(MUST("/reason_code", TEXT))),
    TYPE("payment.refund_requested", "payment", INTENT, FREE, NEVER,
         OPS(ENTRY("/refund_requests/{refund_id}", ""),
             ADD("/refund_requested_minor", "/amount_minor")),
         OF_ORDER,
         FIELDS(MUST("/refund_id", ID), MUST("/amount_minor", MINOR),
                LINES(QUANTITY))),
    TYPE("payment.refunded", "payment", FACT, FREE, NEVER,
         OPS(ENTRY("/refunds/{refund_id|event_id}", ""),
             ADD("/refunded_minor", "/amount_minor"), ADVANCE("refunded")),
         OF_ORDER,
         FIELDS(MUST("/amount_minor", MINOR), MUST("/refund_id", ID))),
    TYPE("payment.voided", "payment", FACT, FREE, NEVER,
         OPS(STATUS("voided"), SET("/void", "")), NO_REFS, NO_FIELDS),
    TYPE("payout.sent", "payout", FACT, FREE, NEVER, OPS(BORN("sent")), NO_REFS,
         FIELDS(MUST("/amount_minor", MINOR), MUST("/currency", CURRENCY))),
    TYPE("product.activated", "product", INTENT, BASE, FIELDS,
         OPS(STATUS("active")), NO_REFS, NO_FIELDS),
    TYPE("product.created", "product", INTENT, FREE, FIELDS,
         OPS(BORN("created")), NO_REFS,
         FIELDS(ONE("/sku", ANY), ONE("/name", ANY), ONE("/product_id", ANY),
                CURRENCY_OF_MONEY)),
    TYPE("product.deactivated", "product", INTENT, BASE, FIELDS,
         OPS(STATUS("inactive")), NO_REFS, NO_FIELDS),
    TYPE("product.deleted", "product", INTENT, BASE, NEVER, OPS(DELETED),
         NO_REFS, NO_FIELDS),
    TYPE(
        "product.price_changed", "product", INTENT, BASE, FIELDS,
        OPS(SET("/price_minor", "/price_minor"), SET("/currency", "/currency")),
        NO_REFS,
        FIELDS(MUST("/price_minor", MINOR), MUST("/currency", CURRENCY))),
    TYPE("product.updated", "product", INTENT, BASE, FIELDS, OPS(EDIT), NO_REFS,
         FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("promotion.cancelled", "promotion", INTENT, BASE, FIELDS,
         OPS(STATUS("cancelled"), SET("/cancellation", "")), NO_REFS,
         NO_FIELDS),
    TYPE("promotion.condition_added", "promotion", INTENT, FREE, FIELDS,
         OPS(ENTRY("/conditions/{condition_id}", "")), NO_REFS,
         FIELDS(MUST("/condition_id", ID))),
    TYPE("promotion.created", "promotion", INTENT, FREE, FIELDS,
         OPS(BORN("created")), NO_REFS, FIELDS(CURRENCY_OF_MONEY)),
    TYPE("promotion.updated", "promotion", INTENT, BASE, FIELDS, OPS(EDIT),
         NO_REFS, FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("register.cash_paid_in", "register", FACT, FREE, DELTAS,
         OPS(ADD("/cash_minor", "/amount_minor")), NO_REFS,
         FIELDS(MUST("/amount_minor", MINOR))),
    TYPE("register.cash_paid_out", "register", FACT, FREE, DELTAS,
         OPS(TAKE("/cash_minor", "/amount_minor")), NO_REFS,
         FIELDS(MUST("/amount_minor", MINOR))),
    TYPE("register.closed", "register", FACT, FREE, NEVER,
         OPS(STATUS("closed"), SET("/closing", "")), NO_REFS,
         FIELDS(MUST("/shift_id", ID))),
    TYPE("register.no_sale", "register", FACT, FREE, DELTAS,
         OPS(COUNT("/no_sale_count")), NO_REFS, NO_FIELDS),
    TYPE("register.opened", "register", FACT, FREE, NEVER,
         OPS(STATUS("open"), SET("/opening", ""),
             SET("/cash_minor", "/amount_minor")),
         NO_REFS,
         FIELDS(MUST("/shift_id", ID), MUST("/amount_minor", MINOR),
                CURRENCY_OF_MONEY)),
    TYPE("return.approved", "return", INTENT, BASE, NEVER,
         OPS(ADVANCE("approved"), SET("/approval", "")), NO_REFS, NO_FIELDS),
    TYPE("return.completed", "return", INTENT, BASE, NEVER,
         OPS(ADVANCE("completed"), SET("/completion", "")), NO_REFS, NO_FIELDS),
    TYPE("return.created", "return", INTENT, FREE, FIELDS,
         OPS(BORN("requested")),
         REFS({"/order_id", "order"}, {"/customer_id", "customer"}),
         FIELDS(LINES(QUANTITY))),
    TYPE("return.received", "return", FACT, FREE, NEVER,
         OPS(ADVANCE("received"), APPEND("/receipts")), NO_REFS,
         FIELDS(MUST("/lines", LIST), MUST("/lines/*/quantity", QUANTITY))),
    TYPE("return.refunded", "return", FACT, FREE, NEVER,
         OPS(ENTRY("/refunds/{refund_id}", ""),
             ADD("/refunded_minor", "/amount_minor"), ADVANCE("refunded")),
         NO_REFS, FIELDS(MUST("/refund_id", ID), MUST("/amount_minor", MINOR))),
    TYPE("return.rejected", "return", INTENT, BASE, NEVER,
         OPS(STATUS("rejected"), SET("/rejection", "")), NO_REFS, NO_FIELDS),
    TYPE("return.requested", "return", INTENT, FREE, FIELDS,
         OPS(BORN("requested")),
         REFS({"/order_id", "order"}, {"/customer_id", "customer"}),
         FIELDS(MUST("/order_id", ID), LINES(QUANTITY))),
    TYPE("shipment.cancelled", "shipment", INTENT, BASE, FIELDS,
         OPS(STATUS("cancelled"), SET("/cancellation", "")), NO_REFS,
         NO_FIELDS),
    TYPE("shipment.created", "shipment", INTENT, FREE, FIELDS,
         OPS(BORN("created")), OF_ORDER, FIELDS(LINES(QUANTITY))),
    TYPE("shipment.event_added", "shipment", FACT, FREE, NEVER,
         OPS(APPEND("/events")), NO_REFS, NO_FIELDS),
    TYPE("shipment.item_added", "shipment", INTENT, FREE, FIELDS,
         OPS(ENTRY("/items/{item_id}", "")), NO_REFS,
         FIELDS(MUST("/item_id", ID), MUST("/quantity", QUANTITY))),
    TYPE("shipment.item_removed", "shipment", INTENT, BASE, FIELDS,
         OPS(UNSET("/items/{item_id}")), NO_REFS, FIELDS(MUST("/item_id", ID))),
    TYPE("shipment.status_changed", "shipment", INTENT, BASE, FIELDS,
         OPS(OP(TRANSITION, "/status", MEMBER, "/status")), NO_REFS,
         FIELDS(MUST("/status", TEXT))),
    TYPE("shipment.updated", "shipment", INTENT, BASE, FIELDS, OPS(EDIT),
         NO_REFS, FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
    TYPE("subscription.activated", "subscription", INTENT, BASE, FIELDS,
         OPS(STATUS("active")), NO_REFS, NO_FIELDS),
    TYPE("subscription.address_updated", "subscription", INTENT, BASE, FIELDS,
         OPS(SET("/address", "")), NO_REFS, NO_FIELDS),
    TYPE("subscription.cancelled", "subscription", INTENT, BASE, FIELDS,
         OPS(STATUS("cancelled"), SET("/cancellation", "")), NO_REFS,
         NO_FIELDS),
    TYPE("subscription.created", "subscription", INTENT, FREE, FIELDS,
         OPS(BORN("created")), REFS({"/customer_id", "customer"}),
         FIELDS(CURRENCY_OF_MONEY)),
    TYPE("subscription.discount_applied", "subscription", INTENT, FREE, FIELDS,
         OPS(ENTRY("/discounts/{code}", "")), NO_REFS,
         FIELDS(MUST("/code", ID))),
    TYPE("subscription.discount_removed", "subscription", INTENT, BASE, FIELDS,
         OPS(UNSET("/discounts/{code}")), NO_REFS, FIELDS(MUST("/code", ID))),
    TYPE("subscription.expired", "subscription", INTENT, BASE, FIELDS,
         OPS(STATUS("expired")), NO_REFS, NO_FIELDS),
    TYPE("subscription.paused", "subscription", INTENT, BASE, FIELDS,
         OPS(STATUS("paused")), NO_REFS, NO_FIELDS),
    TYPE("subscription.payment_failed", "subscription", FACT, FREE, DELTAS,
         OPS(COUNT("/payment_failures")), NO_REFS, NO_FIELDS),
    TYPE("subscription.payment_method_updated", "subscription", INTENT, BASE,
         FIELDS, OPS(SET("/payment_method", "")), NO_REFS, NO_FIELDS),
    TYPE("subscription.plan_changed", "subscription", INTENT, BASE, FIELDS,
         OPS(SET("/plan_id", "/plan_id")), NO_REFS,
         FIELDS(MUST("/plan_id", ID))),
    TYPE("subscription.quantity_changed", "subscription", INTENT, BASE, FIELDS,
         OPS(SET("/quantity", "/quantity")), NO_REFS,
         FIELDS(MUST("/quantity", AMOUNT))),
    TYPE("subscription.refunded", "subscription", FACT, FREE, NEVER,
         OPS(ENTRY("/refunds/{refund_id}", ""),
             ADD("/refunded_minor", "/amount_minor")),
         NO_REFS, FIELDS(MUST("/refund_id", ID), MUST("/amount_minor", MINOR))),
    TYPE("subscription.renewed", "subscription", FACT, FREE, NEVER,
         OPS(ENTRY("/renewals/{period_id|event_id}", "")), NO_REFS,
         FIELDS(FIELD("/period_id", ID))),
    TYPE("subscription.resumed", "subscription", INTENT, BASE, FIELDS,
         OPS(STATUS("active")), NO_REFS, NO_FIELDS),
    TYPE("subscription.updated", "subscription", INTENT, BASE, FIELDS,
         OPS(EDIT), NO_REFS,
         FIELDS(FIELD("/patch", PATCH), FIELD("/before", BEFORE))),
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

const struct ves_event_type *ves_event_type_at(size_t index)
{
    return index < TYPES ? &types[index] : NULL;
}

const struct ves_event_type *ves_event_type_find(struct ves_bytes event_type)
{
    size_t low = 0, high = TYPES;

    while (low < high) {
        size_t at = low + (high - low) / 2;
        int order =
            ves_bytes_compare(event_type, ves_bytes_str(types[at].name));
        if (order == 0)
            return &types[at];
        if (order < 0)
            high = at;
        else
            low = at + 1;
    }
    return NULL;
}

bool ves_event_is_fact(const struct ves_event_type *type,
                       const struct ves_json *payload)
{
    struct ves_bytes origin;

    if (type->is_intent_by_origin &&
        ves_json_get_string(payload, "origin", &origin) &&
        (ves_bytes_is(origin, "web") || ves_bytes_is(origin, "draft")))
        return false;
    return type->event_class == VES_CLASS_FACT;
}
