/* types_catalogue.c -- the event types as data: class, footprint, references.
 *
 * semantics.md 3.4 and 4.2.  The status of a payment is no part of its
 * footprint where a refund is concerned: the fold derives it, and completion
 * and refund commute.  Unnamed shipments share one place, so that two tracking
 * numbers for the same goods meet.
 */
#include "base/bytes.h"
#include "core/types.h"

#define END                                       \
    {                                             \
        VES_FOOTPRINT_END, VES_OP_SET, NULL, NULL \
    }

/* ---- footprints -----------------------------------------------------------
 */

static const struct ves_footprint fp_created[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_CREATE, VES_PATH_BIRTH, NULL},
    {VES_FOOTPRINT_LEAVES, VES_OP_SET, "", NULL},
    END};

static const struct ves_footprint fp_patched[] = {
    {VES_FOOTPRINT_PATCH, VES_OP_SET, "", NULL}, END};

static const struct ves_footprint fp_shipped[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "shipped"},
    {VES_FOOTPRINT_LEAVES, VES_OP_SET, "/shipments/{shipment_id}", NULL},
    END};

static const struct ves_footprint fp_cancelled[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "cancelled"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/cancellation", NULL},
    END};

static const struct ves_footprint fp_adjusted[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/on_hand", "delta"}, END};

static const struct ves_footprint fp_reserved[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/reservations/{reservation_id}", NULL},
    {VES_FOOTPRINT_WHOLE, VES_OP_DELTA, "/reserved", NULL},
    END};

static const struct ves_footprint fp_released[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_DELTA,
     "/reservations/{reservation_id}/quantity", NULL},
    {VES_FOOTPRINT_WHOLE, VES_OP_DELTA, "/reserved", NULL},
    END};

static const struct ves_footprint fp_completed[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/outcome", "completed"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/completed", NULL},
    END};

static const struct ves_footprint fp_refunded[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/refunds/{refund_id}", NULL},
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/refunded_minor", "amount_minor"},
    END};

static const struct ves_footprint fp_approved[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "approved"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/approval", NULL},
    END};

static const struct ves_footprint fp_rejected[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "rejected"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/rejection", NULL},
    END};

static const struct ves_footprint fp_line_set[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/lines/{line_uid}", NULL}, END};

static const struct ves_footprint fp_line_removed[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_SET, "/lines/{line_uid}", ""}, END};

static const struct ves_footprint fp_confirmed[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "confirmed"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/confirmation", NULL},
    END};

static const struct ves_footprint fp_processing[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "processing"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/processing", NULL},
    END};

static const struct ves_footprint fp_delivered[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "delivered"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/deliveries/{shipment_id}", NULL},
    END};

static const struct ves_footprint fp_note_added[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_APPEND, "/notes", NULL}, END};

static const struct ves_footprint fp_tagged[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_ADD_TO_SET, "/tags", "tags"}, END};

static const struct ves_footprint fp_held[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/hold", NULL}, END};

static const struct ves_footprint fp_hold_released[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_SET, "/hold", ""}, END};

static const struct ves_footprint fp_price_override[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/lines/{line_uid}/price_override", NULL},
    END};

static const struct ves_footprint fp_deleted[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_DELETE, VES_PATH_WHOLE, NULL}, END};

static const struct ves_footprint fp_counted[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/on_hand", NULL}, END};

static const struct ves_footprint fp_transferred[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/transfers/{transfer_id}", NULL}, END};

static const struct ves_footprint fp_fulfilled[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/reservations/{reservation_id}", NULL},
    {VES_FOOTPRINT_WHOLE, VES_OP_DELTA, "/on_hand", NULL},
    END};

static const struct ves_footprint fp_noted[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_APPEND, "/log", NULL}, END};

static const struct ves_footprint fp_address_set[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/addresses/{address_id}", NULL}, END};

static const struct ves_footprint fp_address_removed[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_SET, "/addresses/{address_id}", ""}, END};

static const struct ves_footprint fp_consent[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/consents/{purpose}", NULL}, END};

static const struct ves_footprint fp_merged[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_SET, "/merged_to", "to"}, END};

static const struct ves_footprint fp_authorized[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/authorization_outcome",
     "authorized"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/authorization", NULL},
    END};

static const struct ves_footprint fp_failed[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/outcome", "failed"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/failure", NULL},
    END};

static const struct ves_footprint fp_voided[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/outcome", "voided"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/void", NULL},
    END};

static const struct ves_footprint fp_expired[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/outcome", "expired_offline"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/expiry", NULL},
    END};

static const struct ves_footprint fp_refund_requested[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/refund_requests/{refund_id}", NULL},
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/refund_requested_minor",
     "amount_minor"},
    END};

static const struct ves_footprint fp_evidence[] = {
    {VES_FOOTPRINT_WHOLE, VES_OP_APPEND, "/evidence", NULL}, END};

static const struct ves_footprint fp_closed[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "closed"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/closing", NULL},
    END};

static const struct ves_footprint fp_received[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/receipt_status", "received"},
    {VES_FOOTPRINT_WHOLE, VES_OP_SET, "/receipt", NULL},
    END};

static const struct ves_footprint fp_activated[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "active"}, END};

static const struct ves_footprint fp_deactivated[] = {
    {VES_FOOTPRINT_TEXT, VES_OP_TRANSITION, "/status", "inactive"}, END};

static const struct ves_footprint fp_price[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_SET, "/price_minor", "price_minor"},
    {VES_FOOTPRINT_VALUE, VES_OP_SET, "/currency", "currency"},
    END};

static const struct ves_footprint fp_balance[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/balance_minor", "delta_minor"}, END};

static const struct ves_footprint fp_points[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/points", "points"}, END};

static const struct ves_footprint fp_cash_in[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/cash_minor", "amount_minor"}, END};

static const struct ves_footprint fp_cash_out[] = {
    {VES_FOOTPRINT_VALUE, VES_OP_DELTA, "/cash_minor", "amount_minor"}, END};

/* ---- references ------------------------------------------------------------
 */

static const struct ves_reference ref_order_created[] = {
    {"/customer_id", "customer"},
    {"/lines/*/product_id", "product"},
    {NULL, NULL}};

static const struct ves_reference ref_order_updated[] = {
    {"/patch/customer_id", "customer"}, {NULL, NULL}};

static const struct ves_reference ref_shipped[] = {{"/location_id", "location"},
                                                   {NULL, NULL}};

static const struct ves_reference ref_none[] = {{NULL, NULL}};

static const struct ves_reference ref_stock[] = {{"/product_id", "product"},
                                                 {"/location_id", "location"},
                                                 {"/order_id", "order"},
                                                 {"/return_id", "return"},
                                                 {NULL, NULL}};

static const struct ves_reference ref_of_order[] = {{"/order_id", "order"},
                                                    {NULL, NULL}};

static const struct ves_reference ref_return_created[] = {
    {"/order_id", "order"}, {"/customer_id", "customer"}, {NULL, NULL}};

static const struct ves_reference ref_line[] = {{"/product_id", "product"},
                                                {NULL, NULL}};

static const struct ves_reference ref_merged_to[] = {{"/to", "customer"},
                                                     {NULL, NULL}};

static const struct ves_reference ref_of_payment[] = {
    {"/payment_id", "payment"}, {NULL, NULL}};

/* ---- the table -------------------------------------------------------------
 */

#define INTENT VES_CLASS_INTENT
#define FACT   VES_CLASS_FACT
#define BASE   VES_BASE_REQUIRED
#define FREE   VES_BASE_NONE
#define ROW(name, entity, class, base, by_origin, merge, footprint, refs) \
    {                                                                     \
        name, entity, 1, class, base, by_origin, VES_MERGE_##merge,       \
            fp_##footprint, ref_##refs                                    \
    }

/* Facts and creations need no base, nor do reservations: they commute. */
static const struct ves_event_type types[] = {
    ROW("order.created", "order", FACT, FREE, true, ORDER, created,
        order_created),
    ROW("order.updated", "order", INTENT, BASE, false, ORDER, patched,
        order_updated),
    ROW("order.shipped", "order", FACT, FREE, false, ORDER, shipped, shipped),
    ROW("order.cancelled", "order", INTENT, BASE, false, ORDER, cancelled,
        none),
    ROW("inventory.adjusted", "inventory", FACT, FREE, false, DELTAS, adjusted,
        stock),
    ROW("inventory.reserved", "inventory", INTENT, FREE, false, DELTAS,
        reserved, stock),
    ROW("inventory.released", "inventory", INTENT, FREE, false, DELTAS,
        released, none),
    ROW("customer.created", "customer", INTENT, FREE, false, FIELDS, created,
        none),
    ROW("customer.updated", "customer", INTENT, BASE, false, FIELDS, patched,
        none),
    ROW("payment.created", "payment", INTENT, FREE, false, NEVER, created,
        of_order),
    ROW("payment.completed", "payment", FACT, FREE, false, NEVER, completed,
        of_order),
    ROW("payment.refunded", "payment", FACT, FREE, false, NEVER, refunded,
        of_order),
    ROW("return.created", "return", INTENT, FREE, false, FIELDS, created,
        return_created),
    ROW("return.approved", "return", INTENT, BASE, false, NEVER, approved,
        none),
    ROW("return.rejected", "return", INTENT, BASE, false, NEVER, rejected,
        none),
    /* The wider catalogue. */
    ROW("order.line_added", "order", INTENT, BASE, false, ORDER, line_set,
        line),
    ROW("order.line_changed", "order", INTENT, BASE, false, ORDER, line_set,
        line),
    ROW("order.line_removed", "order", INTENT, BASE, false, ORDER, line_removed,
        none),
    ROW("order.confirmed", "order", INTENT, BASE, false, ORDER, confirmed,
        none),
    ROW("order.processing", "order", INTENT, BASE, false, ORDER, processing,
        none),
    ROW("order.delivered", "order", FACT, FREE, false, ORDER, delivered, none),
    ROW("order.note_added", "order", INTENT, FREE, false, FIELDS, note_added,
        none),
    ROW("order.tagged", "order", INTENT, FREE, false, FIELDS, tagged, none),
    ROW("order.held", "order", INTENT, BASE, false, ORDER, held, none),
    ROW("order.hold_released", "order", INTENT, BASE, false, ORDER,
        hold_released, none),
    ROW("order.edited_price_override", "order", INTENT, BASE, false, ORDER,
        price_override, none),
    ROW("order.deleted", "order", INTENT, BASE, false, NEVER, deleted, none),
    ROW("inventory.initialized", "inventory", FACT, FREE, false, NEVER, created,
        stock),
    ROW("inventory.counted", "inventory", FACT, FREE, false, NEVER, counted,
        stock),
    ROW("inventory.transferred", "inventory", FACT, FREE, false, DELTAS,
        transferred, none),
    ROW("inventory.fulfilled", "inventory", FACT, FREE, false, DELTAS,
        fulfilled, none),
    ROW("inventory.oversold", "inventory", FACT, FREE, false, NEVER, noted,
        stock),
    ROW("customer.address_added", "customer", INTENT, BASE, false, FIELDS,
        address_set, none),
    ROW("customer.address_changed", "customer", INTENT, BASE, false, FIELDS,
        address_set, none),
    ROW("customer.address_removed", "customer", INTENT, BASE, false, FIELDS,
        address_removed, none),
    ROW("customer.consent_changed", "customer", INTENT, BASE, false, FIELDS,
        consent, none),
    ROW("customer.merged", "customer", INTENT, BASE, false, NEVER, merged,
        merged_to),
    ROW("customer.deleted", "customer", INTENT, BASE, false, NEVER, deleted,
        none),
    ROW("customer.erased", "customer", FACT, FREE, false, NEVER, deleted, none),
    ROW("payment.authorized", "payment", FACT, FREE, false, NEVER, authorized,
        of_order),
    ROW("payment.failed", "payment", FACT, FREE, false, NEVER, failed, none),
    ROW("payment.voided", "payment", FACT, FREE, false, NEVER, voided, none),
    ROW("payment.expired_offline", "payment", FACT, FREE, false, NEVER, expired,
        none),
    ROW("payment.refund_requested", "payment", INTENT, FREE, false, NEVER,
        refund_requested, none),
    ROW("dispute.opened", "dispute", FACT, FREE, false, NEVER, created,
        of_payment),
    ROW("dispute.evidence_added", "dispute", FACT, FREE, false, NEVER, evidence,
        none),
    ROW("dispute.closed", "dispute", FACT, FREE, false, NEVER, closed, none),
    ROW("payout.sent", "payout", FACT, FREE, false, NEVER, created, none),
    ROW("return.requested", "return", INTENT, FREE, false, FIELDS, created,
        return_created),
    ROW("return.received", "return", FACT, FREE, false, NEVER, received, none),
    ROW("return.refunded", "return", FACT, FREE, false, NEVER, refunded, none),
    ROW("return.completed", "return", INTENT, BASE, false, NEVER, closed, none),
    ROW("product.created", "product", INTENT, FREE, false, FIELDS, created,
        none),
    ROW("product.updated", "product", INTENT, BASE, false, FIELDS, patched,
        none),
    ROW("product.activated", "product", INTENT, BASE, false, FIELDS, activated,
        none),
    ROW("product.deactivated", "product", INTENT, BASE, false, FIELDS,
        deactivated, none),
    ROW("product.price_changed", "product", INTENT, BASE, false, FIELDS, price,
        none),
    ROW("product.deleted", "product", INTENT, BASE, false, NEVER, deleted,
        none),
    ROW("giftcard.activated", "giftcard", FACT, FREE, false, NEVER, created,
        none),
    ROW("giftcard.loaded", "giftcard", FACT, FREE, false, DELTAS, balance,
        of_order),
    ROW("giftcard.redeemed", "giftcard", FACT, FREE, false, DELTAS, balance,
        of_order),
    ROW("giftcard.adjusted", "giftcard", FACT, FREE, false, DELTAS, balance,
        of_order),
    ROW("loyalty.earned", "loyalty", FACT, FREE, false, DELTAS, points,
        of_order),
    ROW("loyalty.redeemed", "loyalty", FACT, FREE, false, DELTAS, points,
        of_order),
    ROW("loyalty.expired", "loyalty", FACT, FREE, false, DELTAS, points,
        of_order),
    ROW("register.opened", "register", FACT, FREE, false, NEVER, created, none),
    ROW("register.closed", "register", FACT, FREE, false, NEVER, closed, none),
    ROW("register.cash_paid_in", "register", FACT, FREE, false, DELTAS, cash_in,
        none),
    ROW("register.cash_paid_out", "register", FACT, FREE, false, DELTAS,
        cash_out, none),
    ROW("register.no_sale", "register", FACT, FREE, false, DELTAS, noted, none),
    ROW("cart.created", "cart", INTENT, FREE, false, FIELDS, created, none),
    ROW("cart.updated", "cart", INTENT, BASE, false, FIELDS, patched, none),
    ROW("cart.checked_out", "cart", FACT, FREE, false, NEVER, closed, none),
    ROW("subscription.created", "subscription", INTENT, FREE, false, FIELDS,
        created, none),
    ROW("subscription.updated", "subscription", INTENT, BASE, false, FIELDS,
        patched, none),
    ROW("subscription.cancelled", "subscription", INTENT, BASE, false, FIELDS,
        cancelled, none),
    ROW("shipment.created", "shipment", INTENT, FREE, false, FIELDS, created,
        none),
    ROW("shipment.updated", "shipment", INTENT, BASE, false, FIELDS, patched,
        none),
    ROW("shipment.cancelled", "shipment", INTENT, BASE, false, FIELDS,
        cancelled, none),
    ROW("invoice.created", "invoice", INTENT, FREE, false, FIELDS, created,
        none),
    ROW("invoice.updated", "invoice", INTENT, BASE, false, FIELDS, patched,
        none),
    ROW("invoice.cancelled", "invoice", INTENT, BASE, false, FIELDS, cancelled,
        none),
    ROW("promotion.created", "promotion", INTENT, FREE, false, FIELDS, created,
        none),
    ROW("promotion.updated", "promotion", INTENT, BASE, false, FIELDS, patched,
        none),
    ROW("promotion.cancelled", "promotion", INTENT, BASE, false, FIELDS,
        cancelled, none),
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

const struct ves_event_type *ves_event_type_at(size_t index)
{
    return index < TYPES ? &types[index] : NULL;
}

const struct ves_event_type *
ves_event_type_catalogue(struct ves_bytes event_type)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (ves_bytes_is(event_type, types[i].name))
            return &types[i];
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
