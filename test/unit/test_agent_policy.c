/* test_agent_policy.c -- what an agent may send: reading, writing, asking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/agent_policy.h"

static struct ves_arena arena;
static struct ves_agent_policy policy;
static struct ves_error error;

static enum ves_status read_text(const char *text)
{
    const struct ves_json *root;

    ves_arena_free(&arena);
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 20);
    assert_int_equal(
        ves_json_read(&arena, ves_bytes_str(text), NULL, &root, NULL), VES_OK);
    error.text[0] = 0;
    return ves_agent_policy_read(root, &policy, &error);
}

static void expect_written(const char *want)
{
    struct ves_buf buf;

    ves_buf_init(&buf, ves_alloc_default(), VES_AGENT_POLICY_TEXT_MAX);
    ves_agent_policy_write(&buf, &policy);
    ves_buf_put_u8(&buf, 0);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    assert_string_equal((const char *)buf.ptr, want);
    ves_buf_free(&buf);
}

static void rules_are_sorted_and_stand_once(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"allowedEventTypes\":[\"order.*\",\"a\",\"order.*\","
                  "\"*\"],\"allowed_entity_types\":[],\"enabled\":false,"
                  "\"max_payload_bytes\":10485760,\"x\":1}"),
        VES_OK);
    expect_written("\"allowedEntityTypes\":[],\"allowedEventTypes\":[\"*\","
                   "\"a\",\"order.*\"],\"enabled\":false,\"maxPayloadBytes\":"
                   "10485760,\"requireBaseVersion\":true");
    assert_int_equal(read_text("{\"allowedEventTypes\":[\"*\"],"
                               "\"allowedEntityTypes\":[\"*\"],"
                               "\"requireBaseVersion\":false,"
                               "\"maxPayloadBytes\":null}"),
                     VES_OK);
    expect_written("\"allowedEntityTypes\":[\"*\"],\"allowedEventTypes\":["
                   "\"*\"],\"enabled\":true,\"maxPayloadBytes\":null,"
                   "\"requireBaseVersion\":false");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *member;
    } cases[] = {
        {"{\"allowedEntityTypes\":[]}", "allowedEventTypes is missing"},
        {"{\"allowedEventTypes\":[]}", "allowedEntityTypes is missing"},
        {"{\"allowedEventTypes\":\"*\",\"allowedEntityTypes\":[]}",
         "allowedEventTypes"},
        {"{\"allowedEventTypes\":[\"\"],\"allowedEntityTypes\":[]}", "a rule"},
        {"{\"allowedEventTypes\":[7],\"allowedEntityTypes\":[]}", "a rule"},
        {"{\"allowedEventTypes\":[],\"allowedEntityTypes\":[\"a*b\"]}",
         "allowedEntityTypes has a rule"},
        {"{\"allowedEventTypes\":[\"**\"],\"allowedEntityTypes\":[]}",
         "a rule"},
        {"{\"allowedEventTypes\":[],\"allowedEntityTypes\":[],\"enabled\":1}",
         "enabled"},
        {"{\"allowedEventTypes\":[],\"allowedEntityTypes\":[],"
         "\"requireBaseVersion\":\"no\"}",
         "requireBaseVersion"},
        {"{\"allowedEventTypes\":[],\"allowedEntityTypes\":[],"
         "\"maxPayloadBytes\":0}",
         "maxPayloadBytes"},
        {"{\"allowedEventTypes\":[],\"allowedEntityTypes\":[],"
         "\"maxPayloadBytes\":10485761}",
         "maxPayloadBytes"},
        {"{\"allowedEventTypes\":[],\"allowedEntityTypes\":[],"
         "\"maxPayloadBytes\":1.5}",
         "maxPayloadBytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_text(cases[i].text), VES_INVALID);
        if (!strstr(error.text, cases[i].member))
            fail_msg("%s: %s", cases[i].text, error.text);
    }
}

/* count rules of len bytes each, every byte an escape when written. */
static enum ves_status read_many(size_t count, size_t len)
{
    struct ves_buf text;

    ves_buf_init(&text, ves_alloc_default(), 1 << 20);
    ves_buf_put_str(&text, "{\"allowedEventTypes\":[");
    for (size_t i = 0; i < count; i++) {
        ves_buf_putf(&text, "%s\"%03zu", i ? "," : "", i);
        for (size_t k = 3; k < len; k++)
            ves_buf_put_str(&text, "\\u0001");
        ves_buf_put_u8(&text, '"');
    }
    ves_buf_put_str(&text, "],\"allowedEntityTypes\":[]}");
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    enum ves_status status = read_text((const char *)text.ptr);
    ves_buf_free(&text);
    return status;
}

static void as_many_as_are_allowed_can_be_written(void **state)
{
    struct ves_buf buf;

    (void)state;
    assert_int_equal(read_many(VES_AGENT_POLICY_RULES_MAX, VES_EVENT_TYPE_MAX),
                     VES_OK);
    assert_int_equal(policy.event_types.count, VES_AGENT_POLICY_RULES_MAX);
    ves_buf_init(&buf, ves_alloc_default(), VES_AGENT_POLICY_TEXT_MAX);
    ves_agent_policy_write(&buf, &policy);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    ves_buf_free(&buf);
    assert_int_equal(read_many(VES_AGENT_POLICY_RULES_MAX + 1, 8), VES_INVALID);
    assert_int_equal(read_many(1, VES_EVENT_TYPE_MAX + 1), VES_INVALID);
}

struct ask {
    const char *event_type, *entity_type;
    bool has_base, has_context;
    size_t payload_len;
    const char *reason; /* NULL: allowed */
};

static void expect_answers(const struct ask *asks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ves_event event = {
            .event_type = ves_bytes_str(asks[i].event_type),
            .entity_type = ves_bytes_str(asks[i].entity_type),
            .has_base_version = asks[i].has_base,
            .context.is_present = asks[i].has_context};
        struct ves_refusal refusal = {.reason = ""};
        enum ves_status status = ves_agent_policy_check(
            &policy, &event, asks[i].payload_len, &refusal);

        assert_int_equal(status, asks[i].reason ? VES_REFUSED : VES_OK);
        assert_string_equal(refusal.reason,
                            asks[i].reason ? asks[i].reason : "");
        if (asks[i].reason)
            assert_int_equal(refusal.code, VES_REFUSAL_POLICY_VIOLATION);
    }
}

#define TYPE         "policy_violation: event type not allowed"
#define ENTITY       "policy_violation: entity type not allowed"
#define BASE         "policy_violation: base_version required"
#define SIZE         "policy_violation: payload too large"
#define EXPECT(asks) expect_answers(asks, sizeof(asks) / sizeof((asks)[0]))

static void events_are_held_against_it(void **state)
{
    static const struct ask asks[] = {
        {"order.created", "order", false, false, 100, NULL},
        {"order.updated", "order", true, false, 100, NULL},
        {"order.updated", "order", false, true, 100, NULL},
        {"order.updated", "order", false, false, 100, BASE},
        {"order.updated", "order", true, false, 101, SIZE},
        {"order.", "order", true, false, 0, NULL},
        {"order", "order", true, false, 0, TYPE},
        {"return.created", "order", true, false, 0, NULL},
        {"return.created2", "order", true, false, 0, TYPE},
        {"return.create", "order", true, false, 0, TYPE},
        {"", "order", true, false, 0, TYPE},
        {"order.created", "orders", true, false, 0, ENTITY},
        {"order.created", "", true, false, 0, ENTITY},
        {"order.uncreated", "order", false, false, 0, BASE},
    };

    (void)state;
    assert_int_equal(read_text("{\"allowedEventTypes\":[\"order.*\","
                               "\"return.created\"],\"allowedEntityTypes\":"
                               "[\"order\"],\"maxPayloadBytes\":100}"),
                     VES_OK);
    EXPECT(asks);
}

static void nothing_listed_is_nothing_allowed(void **state)
{
    static const struct ask none[] = {
        {"order.created", "order", true, true, 0, TYPE}};
    static const struct ask all[] = {{"x", "y", false, false, 1 << 20, NULL}};

    (void)state;
    assert_int_equal(
        read_text("{\"allowedEventTypes\":[],\"allowedEntityTypes\":[]}"),
        VES_OK);
    EXPECT(none);
    assert_int_equal(read_text("{\"allowedEventTypes\":[],"
                               "\"allowedEntityTypes\":[],\"enabled\":false}"),
                     VES_OK);
    EXPECT(all);
    assert_int_equal(read_text("{\"allowedEventTypes\":[\"*\"],"
                               "\"allowedEntityTypes\":[\"*\"],"
                               "\"requireBaseVersion\":false}"),
                     VES_OK);
    EXPECT(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_sorted_and_stand_once),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(as_many_as_are_allowed_can_be_written),
        cmocka_unit_test(events_are_held_against_it),
        cmocka_unit_test(nothing_listed_is_nothing_allowed),
    };
    int code;

    cmocka_set_message_output(CM_OUTPUT_TAP);
    code = cmocka_run_group_tests(tests, NULL, NULL);
    ves_arena_free(&arena);
    return code;
}
