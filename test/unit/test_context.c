/* test_context.c -- the causal context of an event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/event.h"
#include "test/lib/test_envelope.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

#define ID_A      "aa000000-0000-4000-8000-00000000000a"
#define ID_B      "bb000000-0000-4000-8000-00000000000b"
#define VES(body) "{\"n\":1,\"_ves\":" body "}"

static void test_context(void **state)
{
    (void)state;
    struct ves_event event;
    test_env_reset();
    test_env_set(
        "payload",
        VES("{\"v\":1,\"agent_seq\":7,\"prev\":\"" HASH_A "\",\"seen\":41,"
            "\"base_head\":\"" HASH_B "\",\"schema\":\"order.updated/12\","
            "\"hlc\":\"2026-01-01T00:00:00.000Z-0000\",\"deps\":[\"" ID_B
            "\",\"" ID_A "\"],\"cmd\":{\"index\":2,\"count\":3}}"));
    test_env_set("command_id", "\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"");
    assert_int_equal(test_env_take(&event), VES_OK);

    const struct ves_context *c = &event.context;
    assert_true(c->is_present && c->has_prev && c->has_base_head && c->has_cmd);
    assert_int_equal(c->agent_seq, 7);
    assert_int_equal(c->seen, 41);
    assert_int_equal(c->prev.b[31], 0x11);
    assert_int_equal(c->base_head.b[0], 0x22);
    assert_true(ves_bytes_is(c->schema, "order.updated/12"));
    assert_int_equal(c->schema_version, 12);
    assert_true(ves_bytes_is(c->hlc, "2026-01-01T00:00:00.000Z-0000"));
    assert_int_equal(c->dep_count, 2);
    assert_int_equal(c->deps[0].b[0], 0xbb);
    assert_int_equal(c->deps[1].b[15], 0x0a);
    assert_int_equal(c->cmd_index, 2);
    assert_int_equal(c->cmd_count, 3);

    /* Writing it gives the canonical text it had in the payload. */
    struct ves_buf buf, jcs;
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    ves_buf_init(&jcs, ves_alloc_default(), 4096);
    ves_context_write(&buf, c);
    assert_int_equal(ves_jcs_write(&jcs, &test_arena,
                                   ves_json_member(event.payload, "_ves")),
                     VES_OK);
    assert_true(ves_bytes_equal(ves_buf_view(&buf), ves_buf_view(&jcs)));
    ves_buf_free(&buf);
    ves_buf_free(&jcs);
    test_env_reset();
}

static void test_smallest_context(void **state)
{
    (void)state;
    struct ves_event event;
    struct ves_buf buf;
    test_env_reset();
    test_env_set(
        "payload",
        VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"note\"}"));
    assert_int_equal(test_env_take(&event), VES_OK);
    assert_int_equal(event.context.schema_version, 0);
    assert_false(event.context.has_prev || event.context.has_base_head ||
                 event.context.has_cmd || event.context.dep_count);
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    ves_context_write(&buf, &event.context);
    assert_true(ves_bytes_is(
        ves_buf_view(&buf),
        "{\"agent_seq\":1,\"schema\":\"note\",\"seen\":0,\"v\":1}"));
    ves_buf_free(&buf);
    test_env_reset();
}

static void expect_bad_context(const char *payload, const char *member)
{
    char reason[300];
    test_env_set("payload", payload);
    test_env_set("command_id", "\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"");
    snprintf(reason, sizeof(reason), "schema_validation: %s", member);
    test_env_expect_refused(VES_REFUSAL_SCHEMA_VALIDATION, reason);
}

/* Version 1, first event, with more members behind. */
#define FIRST(more) \
    VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"a/1\"" more "}")

static void test_bad_context(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        const char *member;
    } bad[] = {
        {VES("null"), "_ves"},
        {VES("[]"), "_ves"},
        {VES("\"x\""), "_ves"},
        {VES("{}"), "_ves.v"},
        {VES("{\"v\":2,\"agent_seq\":1,\"seen\":0,\"schema\":\"a/1\"}"),
         "_ves.v"},
        {VES("{\"v\":\"1\",\"agent_seq\":1,\"seen\":0,\"schema\":\"a/1\"}"),
         "_ves.v"},
        {VES("{\"v\":1,\"seen\":0,\"schema\":\"a/1\"}"), "_ves.agent_seq"},
        {VES("{\"v\":1,\"agent_seq\":0,\"seen\":0,\"schema\":\"a/1\"}"),
         "_ves.agent_seq"},
        {VES("{\"v\":1,\"agent_seq\":1.5,\"seen\":0,\"schema\":\"a/1\"}"),
         "_ves.agent_seq"},
        {VES("{\"v\":1,\"agent_seq\":1,\"schema\":\"a/1\"}"), "_ves.seen"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":-1,\"schema\":\"a/1\"}"),
         "_ves.seen"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0}"), "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"\"}"),
         "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"a/\"}"),
         "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"/1\"}"),
         "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"a/01\"}"),
         "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"a/b\"}"),
         "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":1,\"seen\":0,"
             "\"schema\":\"a/4294967296\"}"),
         "_ves.schema"},
        {VES("{\"v\":1,\"agent_seq\":2,\"seen\":0,\"schema\":\"a/1\"}"),
         "_ves.prev"},
        {FIRST(",\"prev\":\"" HASH_A "\""), "_ves.prev"},
        {FIRST(",\"prev\":null"), "_ves.prev"},
        {VES("{\"v\":1,\"agent_seq\":2,\"seen\":0,\"schema\":\"a/1\","
             "\"prev\":\"11\"}"),
         "_ves.prev"},
        {VES("{\"v\":1,\"agent_seq\":2,\"seen\":0,\"schema\":\"a/1\",\"prev\":"
             "\"111111111111111111111111111111111111111111111111111111111111111"
             "1"
             "\"}"),
         "_ves.prev"},
        {FIRST(",\"base_head\":\"0x12\""), "_ves.base_head"},
        {FIRST(",\"base_head\":null"), "_ves.base_head"},
        {FIRST(",\"hlc\":7"), "_ves.hlc"},
        {FIRST(",\"hlc\":\"\""), "_ves.hlc"},
        {FIRST(",\"deps\":{}"), "_ves.deps"},
        {FIRST(",\"deps\":[1]"), "_ves.deps"},
        {FIRST(",\"deps\":[\"" ID_A "\",\"0x11\"]"), "_ves.deps"},
        {FIRST(",\"deps\":[\"" HASH_A "\"]"), "_ves.deps"},
        {FIRST(",\"cmd\":[]"), "_ves.cmd"},
        {FIRST(",\"cmd\":{}"), "_ves.cmd"},
        {FIRST(",\"cmd\":{\"index\":0}"), "_ves.cmd"},
        {FIRST(",\"cmd\":{\"index\":0,\"count\":1,\"x\":1}"), "_ves.cmd"},
        {FIRST(",\"cmd\":{\"index\":1,\"count\":1}"), "_ves.cmd.index"},
        {FIRST(",\"cmd\":{\"index\":0,\"count\":0}"), "_ves.cmd.index"},
        {FIRST(",\"cmd\":{\"index\":0,\"count\":1001}"), "_ves.cmd.count"},
        {FIRST(",\"x\":1"), "_ves"},
        {FIRST(",\"V\":1"), "_ves"},
    };
    test_env_reset();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_bad_context(bad[i].payload, bad[i].member);
    test_env_set("payload", FIRST(""));
    test_env_expect_ok();
    /* Version 1 signs neither base_version nor command_id. */
    test_env_set("payload", FIRST(""));
    test_env_set("ves_version", "1");
    test_env_expect_refused(VES_REFUSAL_SCHEMA_VALIDATION,
                            "schema_validation: _ves");
    test_env_set("payload", "{\"n\":1}");
    test_env_set("ves_version", "1");
    test_env_expect_ok();
    /* A group needs a name. */
    test_env_set("payload", FIRST(",\"cmd\":{\"index\":0,\"count\":1}"));
    test_env_expect_refused(VES_REFUSAL_SCHEMA_VALIDATION,
                            "schema_validation: _ves.cmd");
    test_env_set("payload", FIRST(",\"cmd\":{\"index\":999,\"count\":1000}"));
    test_env_set("command_id", "\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"");
    test_env_expect_ok();
}

static void test_dep_count(void **state)
{
    (void)state;
    static char payload[8192];
    for (size_t n = 0; n <= VES_DEPS_MAX + 1; n += n == 0 ? VES_DEPS_MAX : 1) {
        struct ves_event event;
        size_t len = (size_t)snprintf(
            payload, sizeof(payload),
            "{\"_ves\":{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":\"a/1\","
            "\"deps\":[");
        for (size_t i = 0; i < n; i++)
            len += (size_t)snprintf(payload + len, sizeof(payload) - len,
                                    "%s\"" ID_A "\"", i ? "," : "");
        snprintf(payload + len, sizeof(payload) - len, "]}}");
        test_env_reset();
        test_env_set("payload", payload);
        enum ves_status status = test_env_take(&event);
        assert_int_equal(status, n > VES_DEPS_MAX ? VES_REFUSED : VES_OK);
        if (status == VES_OK)
            assert_int_equal(event.context.dep_count, n);
        else
            assert_non_null(strstr(test_refusal.message, "65"));
    }
    test_env_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_smallest_context),
        cmocka_unit_test(test_bad_context),
        cmocka_unit_test(test_dep_count),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_env_set_up, test_env_tear_down);
}
