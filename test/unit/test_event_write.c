/* test_event_write.c -- writing envelopes, and reading them back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/event.h"
#include "test/lib/test_envelope.h"
#include "test/lib/test_util.h"
#include "json/json.h"

#define CONTEXT                                                         \
    "{\"n\":1,\"_ves\":{\"v\":1,\"agent_seq\":1,\"seen\":0,\"schema\":" \
    "\"a/1\",\"deps\":[]}}"

/* read(write(e)) is e, and writing that gives the same bytes. */
static void test_round_trip(void **state)
{
    (void)state;
    test_env_reset();
    for (unsigned variant = 0; variant < 8; variant++) {
        struct ves_event event, again;
        struct ves_buf one, two;
        test_env_set("payload", variant & 4 ? CONTEXT : "[1e15,1e-7,\"\\/\"]");
        test_env_set("entity_id",
                     "\"caf\\u00e9 \\\" \\\\ \\n \\ud83d\\ude00\"");
        if (variant & 1)
            test_env_set("command_id",
                         "\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"");
        if (variant & 2)
            test_env_set("base_version",
                         variant & 4 ? "0" : "9007199254740991");
        assert_int_equal(test_env_take(&event), VES_OK);

        ves_buf_init(&one, ves_alloc_default(), 65536);
        ves_buf_init(&two, ves_alloc_default(), 65536);
        ves_event_write(&one, &event);
        assert_int_equal(ves_buf_status(&one), VES_OK);
        assert_int_equal(ves_event_read(&test_arena, ves_buf_view(&one), &again,
                                        &test_refusal),
                         VES_OK);
        assert_int_equal(ves_event_check(&test_arena, &again, &test_refusal),
                         VES_OK);
        assert_memory_equal(&event.event_hash, &again.event_hash, 32);
        assert_true(event.has_base_version == again.has_base_version);
        assert_true(event.base_version == again.base_version);
        assert_true(event.has_command_id == again.has_command_id);
        assert_true(ves_bytes_equal(event.entity_id, again.entity_id));
        assert_true(ves_json_equal(event.payload, again.payload));
        ves_event_write(&two, &again);
        assert_true(ves_bytes_equal(ves_buf_view(&one), ves_buf_view(&two)));

        /* With its place in the stream. */
        ves_buf_reset(&two);
        ves_event_write_open(&two, &event);
        ves_event_write_position(&two, 42,
                                 ves_bytes_str("2026-01-01T00:00:00.000Z"));
        assert_int_equal(ves_event_read(&test_arena, ves_buf_view(&two), &again,
                                        &test_refusal),
                         VES_OK);
        assert_int_equal(again.sequence_number, 42);
        assert_true(
            ves_bytes_is(again.sequenced_at, "2026-01-01T00:00:00.000Z"));
        ves_buf_free(&one);
        ves_buf_free(&two);
        test_env_reset();
    }
}

/* The one spelling, written out: member order of protocol.md B.3. */
static void test_written_form(void **state)
{
    (void)state;
    struct ves_event event;
    struct ves_buf buf;
    test_env_reset();
    test_env_set("payload", "{ \"b\" : 1.0 }");
    test_env_set("payload_plain_hash", "\"fa8de1d66d4c04cd0ac6a43b7d8ea6e2"
                                       "00000000000000000000000000000000\"");
    test_env_set("base_version", "3");
    assert_int_equal(
        ves_event_read(&test_arena, test_env_text(), &event, &test_refusal),
        VES_OK);
    event.payload_jcs = ves_bytes_str("{\"b\":1}");
    ves_buf_init(&buf, ves_alloc_default(), 65536);
    ves_event_write(&buf, &event);
    assert_true(ves_bytes_is(
        ves_buf_view(&buf),
        "{\"ves_version\":2,\"event_id\":\"" EVENT "\","
        "\"tenant_id\":\"64527dd3-a654-4410-9327-e58a1492ce77\","
        "\"store_id\":\"91def158-819a-4461-b5c9-7759750ad157\","
        "\"source_agent_id\":\"80441726-74e2-430a-95ae-97ce21c6351b\","
        "\"agent_key_id\":1,\"entity_type\":\"order\","
        "\"entity_id\":\"ORD-001\",\"event_type\":\"order.created\","
        "\"created_at\":\"2025-12-20T17:51:10.243Z\",\"payload_kind\":0,"
        "\"payload\":{\"b\":1},\"payload_plain_hash\":\"0xfa8de1d66d4c04cd0ac6"
        "a43b7d8ea6e200000000000000000000000000000000\","
        "\"payload_cipher_hash\":\"" ZERO "\",\"agent_signature\":\"0x"
        "7777777777777777777777777777777777777777777777777777777777777777"
        "7777777777777777777777777777777777777777777777777777777777777777"
        "\",\"base_version\":3}"));
    ves_buf_free(&buf);
    test_env_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_written_form),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_env_set_up, test_env_tear_down);
}
