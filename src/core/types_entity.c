/* types_entity.c -- what is true of all events of an entity type. */
#include "base/bytes.h"
#include "core/types.h"

static const char *const order_statuses[] = {
    "created", "confirmed", "processing", "shipped", "delivered", NULL};
static const char *const payment_statuses[] = {"created", "authorized",
                                               "completed", "refunded", NULL};
static const char *const return_statuses[] = {
    "requested", "approved", "received", "refunded", "completed", NULL};

static const struct ves_list no_lists[] = {{NULL, NULL}};
static const struct ves_list lines[] = {{"lines", "line_uid"}, {NULL, NULL}};

static const struct ves_ladder no_ladders[] = {{NULL, NULL}};
static const struct ves_ladder order_ladders[] = {{"/status", order_statuses},
                                                  {NULL, NULL}};
static const struct ves_ladder payment_ladders[] = {
    {"/status", payment_statuses}, {NULL, NULL}};
static const struct ves_ladder return_ladders[] = {{"/status", return_statuses},
                                                   {NULL, NULL}};

static const struct ves_balance no_balances[] = {{NULL, NULL, NULL}};
static const struct ves_balance stock[] = {{"available", "on_hand", "reserved"},
                                           {NULL, NULL, NULL}};

static const struct ves_entity_type types[] = {
    {"order", lines, order_ladders, no_balances},
    {"payment", no_lists, payment_ladders, no_balances},
    {"return", lines, return_ladders, no_balances},
    {"inventory", no_lists, no_ladders, stock},
};

static const struct ves_entity_type plain = {"", no_lists, no_ladders,
                                             no_balances};

bool ves_entity_type_is_built_in(struct ves_bytes name)
{
    return ves_entity_type_find(name) != &plain;
}

const struct ves_entity_type *ves_entity_type_find(struct ves_bytes name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (ves_bytes_is(name, types[i].name))
            return &types[i];
    }
    return &plain;
}
