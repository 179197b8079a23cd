/* agent_policy.c -- what an agent may send. */
#include "core/agent_policy.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "json/jcs.h"

/* ---- reading ------------------------------------------------------------- */

static const struct ves_json *member(const struct ves_json *object,
                                     const char *name, const char *snake)
{
    const struct ves_json *node = ves_json_member(object, name);

    if (ves_json_is_absent(node))
        node = ves_json_member(object, snake);
    return ves_json_is_absent(node) ? NULL : node;
}

/* A star is for the end only: one in the middle would look like a pattern and
 * be a name that nothing has. */
static bool is_rule(const struct ves_json *item, size_t len_max)
{
    if (item->type != VES_JSON_STRING || item->string.len == 0 ||
        item->string.len > len_max)
        return false;
    const void *star = memchr(item->string.ptr, '*', item->string.len);
    return !star ||
           star == (const uint8_t *)item->string.ptr + item->string.len - 1;
}

static void insert(struct ves_agent_policy_rules *rules, struct ves_bytes rule)
{
    size_t at = rules->count;

    while (at > 0 && ves_bytes_compare(rules->list[at - 1], rule) > 0)
        at--;
    if (at > 0 && ves_bytes_equal(rules->list[at - 1], rule))
        return;
    memmove(&rules->list[at + 1], &rules->list[at],
            (rules->count - at) * sizeof(rules->list[0]));
    rules->list[at] = rule;
    rules->count++;
}

static enum ves_status read_rules(const struct ves_json *node, const char *name,
                                  size_t len_max,
                                  struct ves_agent_policy_rules *out,
                                  struct ves_error *error)
{
    out->count = 0;
    if (!node)
        return ves_fail(error, VES_INVALID, "body member %s is missing", name);
    if (node->type != VES_JSON_ARRAY ||
        node->count > VES_AGENT_POLICY_RULES_MAX)
        return ves_fail(error, VES_INVALID,
                        "body member %s is not a list of at most %d rules",
                        name, (int)VES_AGENT_POLICY_RULES_MAX);
    for (const struct ves_json *item = node->first; item; item = item->next) {
        if (!is_rule(item, len_max))
            return ves_fail(error, VES_INVALID,
                            "body member %s has a rule that is not a name of 1 "
                            "to %zu bytes with at most one * at its end",
                            name, len_max);
        insert(out, item->string);
    }
    return VES_OK;
}

static enum ves_status read_switch(const struct ves_json *node,
                                   const char *name, bool *out,
                                   struct ves_error *error)
{
    *out = true;
    if (!node)
        return VES_OK;
    *out = node->type == VES_JSON_TRUE;
    return *out || node->type == VES_JSON_FALSE
               ? VES_OK
               : ves_fail(error, VES_INVALID,
                          "body member %s is neither true nor false", name);
}

static enum ves_status read_payload_max(const struct ves_json *object,
                                        uint64_t *out, struct ves_error *error)
{
    *out = 0;
    if (!member(object, "maxPayloadBytes", "max_payload_bytes"))
        return VES_OK;
    if ((ves_json_get_u64(object, "maxPayloadBytes", out) ||
         ves_json_get_u64(object, "max_payload_bytes", out)) &&
        *out >= 1 && *out <= VES_AGENT_POLICY_PAYLOAD_MAX)
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "body member maxPayloadBytes is not a number from 1 to %d",
                    (int)VES_AGENT_POLICY_PAYLOAD_MAX);
}

enum ves_status ves_agent_policy_read(const struct ves_json *object,
                                      struct ves_agent_policy *out,
                                      struct ves_error *error)
{
    enum ves_status status = read_rules(
        member(object, "allowedEventTypes", "allowed_event_types"),
        "allowedEventTypes", VES_EVENT_TYPE_MAX, &out->event_types, error);

    if (!status)
        status = read_rules(
            member(object, "allowedEntityTypes", "allowed_entity_types"),
            "allowedEntityTypes", VES_ENTITY_TYPE_MAX, &out->entity_types,
            error);
    if (!status)
        status = read_switch(
            member(object, "requireBaseVersion", "require_base_version"),
            "requireBaseVersion", &out->is_base_required, error);
    if (!status)
        status = read_payload_max(object, &out->payload_max, error);
    return status ? status
                  : read_switch(member(object, "enabled", "enabled"), "enabled",
                                &out->is_enabled, error);
}

/* ---- writing ------------------------------------------------------------- */

static void write_rules(struct ves_buf *buf,
                        const struct ves_agent_policy_rules *rules)
{
    ves_buf_put_u8(buf, '[');
    for (size_t i = 0; i < rules->count; i++) {
        if (i > 0)
            ves_buf_put_u8(buf, ',');
        ves_jcs_write_string(buf, rules->list[i]);
    }
    ves_buf_put_u8(buf, ']');
}

static void write_switch(struct ves_buf *buf, const char *name, bool value)
{
    ves_buf_put_str(buf, name);
    ves_buf_put_str(buf, value ? "true" : "false");
}

void ves_agent_policy_write(struct ves_buf *buf,
                            const struct ves_agent_policy *policy)
{
    ves_buf_put_str(buf, "\"allowedEntityTypes\":");
    write_rules(buf, &policy->entity_types);
    ves_buf_put_str(buf, ",\"allowedEventTypes\":");
    write_rules(buf, &policy->event_types);
    write_switch(buf, ",\"enabled\":", policy->is_enabled);
    ves_buf_put_str(buf, ",\"maxPayloadBytes\":");
    if (policy->payload_max)
        ves_buf_put_decimal(buf, policy->payload_max);
    else
        ves_buf_put_str(buf, "null");
    write_switch(buf, ",\"requireBaseVersion\":", policy->is_base_required);
}

/* ---- asking -------------------------------------------------------------- */

static bool is_allowed(const struct ves_agent_policy_rules *rules,
                       struct ves_bytes name)
{
    for (size_t i = 0; i < rules->count; i++) {
        struct ves_bytes rule = rules->list[i];
        bool is_prefix = ((const char *)rule.ptr)[rule.len - 1] == '*';

        if (is_prefix)
            rule.len--;
        if (name.len < rule.len || (!is_prefix && name.len != rule.len))
            continue;
        if (rule.len == 0 || memcmp(name.ptr, rule.ptr, rule.len) == 0)
            return true;
    }
    return false;
}

static bool says_its_base(const struct ves_event *event)
{
    static const char suffix[] = ".created";
    size_t len = sizeof(suffix) - 1;
    struct ves_bytes type = event->event_type;

    return event->has_base_version || event->context.is_present ||
           (type.len >= len &&
            memcmp((const char *)type.ptr + type.len - len, suffix, len) == 0);
}

enum ves_status ves_agent_policy_check(const struct ves_agent_policy *policy,
                                       const struct ves_event *event,
                                       size_t payload_len,
                                       struct ves_refusal *refusal)
{
    if (!policy->is_enabled)
        return VES_OK;
    if (!is_allowed(&policy->event_types, event->event_type))
        return ves_refuse(refusal, VES_REFUSAL_POLICY_VIOLATION,
                          "event type not allowed",
                          "this agent's policy does not allow events of this "
                          "event_type; an administrator can change it (ves "
                          "admin policy)");
    if (!is_allowed(&policy->entity_types, event->entity_type))
        return ves_refuse(refusal, VES_REFUSAL_POLICY_VIOLATION,
                          "entity type not allowed",
                          "this agent's policy does not allow events on this "
                          "entity_type; an administrator can change it (ves "
                          "admin policy)");
    if (policy->is_base_required && !says_its_base(event))
        return ves_refuse(refusal, VES_REFUSAL_POLICY_VIOLATION,
                          "base_version required",
                          "this agent's policy wants base_version: the number "
                          "of changes of the entity that the agent has seen");
    if (policy->payload_max && payload_len > policy->payload_max)
        return ves_refuse(refusal, VES_REFUSAL_POLICY_VIOLATION,
                          "payload too large",
                          "the payload has %zu bytes; this agent's policy "
                          "allows %llu",
                          payload_len, (unsigned long long)policy->payload_max);
    return VES_OK;
}
