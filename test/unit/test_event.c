/* test_event.c -- reading and checking envelopes. */
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
#include "crypto/crypto.h"
#include "test/lib/test_envelope.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

static void test_good(void **state)
{
    (void)state;
    struct ves_event event;
    test_env_reset();
    test_env_set("command_id", "\"8AF726E2-40e9-4cb6-b7d0-ea463765a9a7\"");
    test_env_set("base_version", "0");
    assert_int_equal(test_env_take(&event), VES_OK);

    assert_int_equal(event.ves_version, 2);
    struct ves_uuid id = test_uuid(EVENT);
    assert_true(ves_uuid_equal(&event.event_id, &id));
    id = test_uuid("91def158-819a-4461-b5c9-7759750ad157");
    assert_true(ves_uuid_equal(&event.stream.store, &id));
    id = test_uuid("80441726-74e2-430a-95ae-97ce21c6351b");
    assert_true(ves_uuid_equal(&event.agent, &id));
    assert_int_equal(event.agent_key_id, 1);
    assert_true(ves_bytes_is(event.entity_type, "order"));
    assert_true(ves_bytes_is(event.entity_id, "ORD-001"));
    assert_true(ves_bytes_is(event.event_type, "order.created"));
    assert_true(ves_bytes_is(event.created_at, "2025-12-20T17:51:10.243Z"));
    assert_true(
        ves_bytes_is(event.payload_jcs, "{\"a\":[1,\"\xc3\xa9\"],\"b\":1}"));
    assert_true(event.has_command_id && event.has_base_version);
    id = test_uuid("8af726e2-40e9-4cb6-b7d0-ea463765a9a7");
    assert_true(ves_uuid_equal(&event.command_id, &id));
    assert_int_equal(event.base_version, 0);
    assert_int_equal(event.signature.b[0], 0x77);
    assert_false(event.context.is_present);
    assert_int_equal(event.sequence_number, 0);
}

/* The hash of A.5, its preimage put together a second time. */
static void test_signing_hash(void **state)
{
    (void)state;
    struct ves_event event;
    struct ves_buf buf;
    struct ves_hash inner, expected;

    test_env_reset();
    test_env_set("command_id", "\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"");
    test_env_set("base_version", "258");
    assert_int_equal(test_env_take(&event), VES_OK);

    ves_buf_init(&buf, ves_alloc_default(), 4096);
    ves_buf_put(&buf, "VES_EVENTSIG_V1\0\0\0\2", 19);
    ves_buf_put(&buf, event.stream.tenant.b, 16);
    ves_buf_put(&buf, event.stream.store.b, 16);
    ves_buf_put(&buf, event.event_id.b, 16);
    ves_buf_put(&buf, event.agent.b, 16);
    ves_buf_put(&buf, "\0\0\0\1", 4);
    ves_buf_put(&buf, "\0\0\0\5order", 9);
    ves_buf_put(&buf, "\0\0\0\7ORD-001", 11);
    ves_buf_put(&buf, "\0\0\0\15order.created", 17);
    ves_buf_put(&buf,
                "\0\0\0\30"
                "2025-12-20T17:51:10.243Z",
                28);
    ves_buf_put(&buf, "\0\0\0\0", 4);
    ves_buf_put(&buf, event.payload_plain_hash.b, 32);
    ves_buf_put(&buf, event.payload_cipher_hash.b, 32);
    ves_sha256_one(buf.ptr, buf.len, &inner);
    ves_event_v1_hash(&event, &expected);
    assert_memory_equal(inner.b, expected.b, 32);

    ves_buf_reset(&buf);
    ves_buf_put(&buf, "VES_EVENTSIG_V2", 15);
    ves_buf_put(&buf, inner.b, 32);
    ves_buf_put(&buf, "\1", 1);
    ves_buf_put(&buf, event.command_id.b, 16);
    ves_buf_put(&buf, "\1\0\0\0\0\0\0\1\2", 9);
    ves_sha256_one(buf.ptr, buf.len, &expected);
    assert_memory_equal(event.event_hash.b, expected.b, 32);
    ves_buf_free(&buf);

    /* Version 1 covers neither. */
    event.ves_version = 1;
    ves_event_signing_hash(&event, &inner);
    event.has_command_id = event.has_base_version = false;
    ves_event_signing_hash(&event, &expected);
    assert_memory_equal(inner.b, expected.b, 32);
}

/* Presence and value of command id and base version: all hash differently. */
static void test_controls_are_covered(void **state)
{
    (void)state;
    static const char *const variants[][2] = {
        {NULL, NULL},
        {"\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"", NULL},
        {"\"8af726e2-40e9-4cb6-b7d0-ea463765a9a8\"", NULL},
        {NULL, "0"},
        {NULL, "1"},
        {NULL, "9007199254740991"},
        {"\"8af726e2-40e9-4cb6-b7d0-ea463765a9a7\"", "0"},
    };
    enum { N = sizeof(variants) / sizeof(variants[0]) };
    struct ves_hash hash[2][N], print[2][N];

    for (size_t version = 0; version < 2; version++) {
        for (size_t i = 0; i < N; i++) {
            struct ves_event event;
            test_env_reset();
            test_env_set("ves_version", version ? "2" : "1");
            test_env_set("command_id", variants[i][0]);
            test_env_set("base_version", variants[i][1]);
            assert_int_equal(test_env_take(&event), VES_OK);
            hash[version][i] = event.event_hash;
            ves_event_fingerprint(&event, &print[version][i]);
            for (size_t k = 0; k < i; k++) {
                assert_true(
                    ves_hash_equal(&hash[version][i], &hash[version][k]) ==
                    (version == 0));
                assert_false(
                    ves_hash_equal(&print[version][i], &print[version][k]));
            }
        }
    }
    /* The fingerprint sees the signature too. */
    struct ves_event event;
    struct ves_hash other;
    test_env_reset();
    assert_int_equal(test_env_take(&event), VES_OK);
    event.signature.b[63] ^= 1;
    ves_event_fingerprint(&event, &other);
    assert_false(ves_hash_equal(&other, &print[1][0]));
    test_env_reset();
}

static void test_optional_members(void **state)
{
    (void)state;
    struct ves_event event;
    test_env_reset();
    test_env_set("agent_signature_scheme", "null");
    test_env_set("agent_signature_bundle", "null");
    test_env_set("command_id", "null");
    test_env_set("base_version", "null");
    test_env_set("sequence_number", "null");
    test_env_set("sequenced_at", "null");
    test_env_set("payload_encrypted", "null");
    assert_int_equal(test_env_take(&event), VES_OK);
    assert_false(event.has_command_id || event.has_base_version);

    test_env_reset();
    test_env_set("agent_signature_scheme", "0");
    test_env_expect_ok();
    test_env_set("agent_signature_scheme", "1");
    test_env_expect_ok();
    test_env_set("agent_signature",
                 "\"777777777777777777777777777777777777777777777777"
                 "77777777777777777777777777777777777777777777777777"
                 "777777777777777777777777777777\"");
    test_env_expect_ok();

    test_env_set("sequence_number", "9007199254740991");
    test_env_set("sequenced_at", "\"2025-12-20T17:51:10.243456789+00:00\"");
    assert_int_equal(test_env_take(&event), VES_OK);
    assert_true(event.sequence_number == (uint64_t)VES_SAFE_INTEGER_MAX);
    assert_true(ves_bytes_is(event.sequenced_at,
                             "2025-12-20T17:51:10.243456789+00:00"));

    /* Unknown members, anywhere, whatever they hold. */
    test_env_reset();
    struct ves_bytes json = test_env_text();
    char *more = malloc(json.len + 64);
    size_t len = (size_t)snprintf(
        more, json.len + 64, "{\"kernel\":{\"x\":[1e300]},%.*s",
        (int)json.len - 1, (const char *)json.ptr + 1);
    assert_int_equal(ves_event_read(&test_arena, ves_bytes(more, len), &event,
                                    &test_refusal),
                     VES_OK);
    free(more);
}

/* Payloads of others' agents: any JSON but null. */
static void test_foreign_payloads(void **state)
{
    (void)state;
    static const char *const good[] = {"[]",
                                       "\"text\"",
                                       "7",
                                       "true",
                                       "false",
                                       "{}",
                                       "[{\"_ves\":1}]",
                                       "{\"a\":{\"_ves\":1}}",
                                       "9007199254740991",
                                       "-9007199254740991",
                                       "1e-300",
                                       "0.1"};
    test_env_reset();
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        test_env_set("payload", good[i]);
        test_env_expect_ok();
    }
    test_env_set("payload_plain_hash", "\"" HASH_A "\"");
    test_env_expect_bad("payload", "null");
    test_env_set("payload_plain_hash", "\"" HASH_A "\"");
    test_env_expect_bad("payload", NULL);
}

static void test_types(void **state)
{
    (void)state;
    static const char *const required[] = {
        "ves_version",  "tenant_id",    "store_id",           "source_agent_id",
        "agent_key_id", "entity_type",  "entity_id",          "event_type",
        "created_at",   "payload_kind", "payload_cipher_hash"};
    static const char *const wrong[] = {NULL,   "null", "[]", "{}",
                                        "true", "1.5",  "-1", "\"\""};
    test_env_reset();
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
            test_env_expect_bad(required[i], wrong[k]);
    }
    test_env_expect_bad("payload_plain_hash", "null");
    test_env_expect_bad("payload_plain_hash", "\"12\"");
    test_env_expect_bad("payload_plain_hash", "17");
    test_env_expect_bad("agent_signature", "null");
    test_env_expect_bad("agent_signature", "\"\"");
    test_env_expect_bad("agent_signature", "\"" ZERO "\"");
    test_env_expect_bad("agent_signature_scheme", "2");
    test_env_expect_bad("agent_signature_scheme", "3");
    test_env_expect_bad("agent_signature_scheme", "\"1\"");
    test_env_expect_bad("command_id", "\"8af726e240e94cb6b7d0ea463765a9a7\"");
    test_env_expect_bad("command_id",
                        "\"{8af726e2-40e9-4cb6-b7d0-ea463765a9a7}\"");
    test_env_expect_bad("command_id", "5");
    test_env_expect_bad("base_version", "-1");
    test_env_expect_bad("base_version", "0.5");
    test_env_expect_bad("base_version", "\"0\"");
    test_env_expect_bad("base_version", "9007199254740992");
    test_env_expect_bad("sequence_number", "\"1\"");
    test_env_expect_bad("sequenced_at", "\"now\"");
    test_env_expect_bad("agent_key_id", "4294967296");
    test_env_expect_bad("payload_kind", "2");
    test_env_expect_bad("payload_encrypted", "{}");
    test_env_expect_bad("payload_cipher_hash", "\"" HASH_A "\"");
    test_env_expect_bad("created_at", "\"2025-12-20 \"");
    test_env_expect_bad("created_at", "\"2025-13-20T17:51:10Z\"");
    test_env_expect_bad("created_at", "\"2025-12-20T17:51:10\"");
    test_env_expect_bad("entity_type", "\"a\\u0000b\"");
    test_env_expect_bad("entity_id", "\"\\u0000\"");
    test_env_expect_bad("event_type", "\"order\\u0000\"");
}

/* A string of n bytes between quotes. */
static const char *letters(size_t n)
{
    static char buffer[4][1024];
    static unsigned turn;
    char *out = buffer[turn++ % 4];
    assert_true(n + 3 <= sizeof(buffer[0]));
    memset(out, 'x', n + 2);
    out[0] = out[n + 1] = '"';
    out[n + 2] = '\0';
    return out;
}

static void test_sizes(void **state)
{
    (void)state;
    const struct {
        const char *name;
        size_t max;
    } cases[] = {{"entity_type", VES_ENTITY_TYPE_MAX},
                 {"entity_id", VES_ENTITY_ID_MAX},
                 {"event_type", VES_EVENT_TYPE_MAX}};
    test_env_reset();
    for (size_t i = 0; i < 3; i++) {
        test_env_set(cases[i].name, letters(cases[i].max));
        test_env_expect_ok();
        struct ves_event event;
        test_env_set(cases[i].name, letters(cases[i].max + 1));
        assert_int_equal(test_env_take(&event), VES_REFUSED);
        /* The message names the limit and the value. */
        char number[32];
        snprintf(number, sizeof(number), "%zu", cases[i].max);
        assert_non_null(strstr(test_refusal.message, number));
        snprintf(number, sizeof(number), "%zu", cases[i].max + 1);
        assert_non_null(strstr(test_refusal.message, number));
        test_env_expect_bad(cases[i].name, letters(cases[i].max + 1));
    }
    test_env_expect_bad("created_at", letters(VES_CREATED_AT_MAX + 1));
}

static void test_payload_size(void **state)
{
    (void)state;
    char *payload = malloc(VES_PAYLOAD_MAX + 64);
    assert_non_null(payload);
    test_env_reset();
    /* Exactly the limit in canonical bytes: quotes and letters. */
    memset(payload, 'p', VES_PAYLOAD_MAX + 8);
    payload[0] = '"';
    payload[VES_PAYLOAD_MAX - 1] = '"';
    payload[VES_PAYLOAD_MAX] = '\0';
    test_env_set("payload", payload);
    test_env_expect_ok();
    /* White space and escapes do not count. */
    memcpy(payload + VES_PAYLOAD_MAX - 13, "\\u0061\"      ", 14);
    test_env_set("payload", payload);
    test_env_expect_ok();
    memset(payload + VES_PAYLOAD_MAX - 13, 'p', 20);
    payload[VES_PAYLOAD_MAX] = '"';
    payload[VES_PAYLOAD_MAX + 1] = '\0';
    test_env_expect_bad("payload", payload);
    free(payload);
}

/* Canonical text that is longer than what was sent. */
static void test_payload_grows(void **state)
{
    (void)state;
    enum { N = 2000, LEN = 16 };
    static char payload[5 * N + 2];
    static const char number[] = "1000000000000000,";
    struct ves_event event;
    for (size_t i = 0; i < N; i++)
        memcpy(payload + 1 + 5 * i, "1e15,", 5);
    payload[0] = '[';
    payload[5 * N] = ']';
    test_env_reset();
    test_env_set("payload", payload);
    assert_int_equal(test_env_take(&event), VES_OK);
    assert_int_equal(event.payload_jcs.len, (LEN + 1) * N + 1);
    for (size_t i = 0; i + 1 < N; i++)
        assert_memory_equal(event.payload_jcs.ptr + 1 + (LEN + 1) * i, number,
                            LEN + 1);
    test_env_reset();
}

static void test_payload_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "9007199254740992",
        "-9007199254740992",
        "{\"a\":[1,{\"b\":9007199254740993}]}",
        "[9007199254740992.0]",
        "[9.007199254740993e15]",
        "[90071992547409920e-1]",
        "[\"x\",1e16]",
        "[1,[],{},[[]],123456789012345678901234567890]",
    };
    test_env_reset();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        test_env_expect_bad("payload", bad[i]);
}

/* n arrays in one another, with something behind each. */
static const char *nested(size_t n)
{
    static char out[1024];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        out[len++] = '[';
    for (size_t i = 0; i < n; i++) {
        out[len++] = ']';
        if (i + 1 < n) {
            memcpy(out + len, ",1", 2);
            len += 2;
        }
    }
    out[len] = '\0';
    return out;
}

static void test_depth(void **state)
{
    (void)state;
    struct ves_event event;
    test_env_reset();
    /* The envelope is the first of 64 levels. */
    test_env_set("payload", nested(63));
    test_env_expect_ok();
    test_env_set("payload", nested(64));
    test_env_expect_refused(VES_REFUSAL_SCHEMA_VALIDATION,
                            "schema_validation: payload");

    /* A log may hold deeper ones, to the end of what it may hold. */
    test_env_set("payload_plain_hash", "\"" HASH_A "\"");
    test_env_set("payload", nested(127));
    test_env_expect_refused(VES_REFUSAL_SCHEMA_VALIDATION,
                            "schema_validation: payload");
    test_env_set("payload_plain_hash", "\"" HASH_A "\"");
    test_env_set("payload", nested(127));
    assert_int_equal(
        ves_event_read(&test_arena, test_env_text(), &event, &test_refusal),
        VES_OK);
    test_env_set("payload", nested(128));
    assert_int_equal(
        ves_event_read(&test_arena, test_env_text(), &event, &test_refusal),
        VES_REFUSED);
    test_env_reset();
}

static void test_versions(void **state)
{
    (void)state;
    test_env_reset();
    test_env_set("ves_version", "1");
    test_env_expect_ok();
    test_env_set("ves_version", "0");
    test_env_expect_refused(VES_REFUSAL_UNSUPPORTED_VERSION,
                            "unsupported_version");
    /* Another version may have other members. */
    test_env_set("ves_version", "3");
    test_env_set("tenant_id", NULL);
    test_env_expect_refused(VES_REFUSAL_UNSUPPORTED_VERSION,
                            "unsupported_version");
    test_env_set("ves_version", "4294967297");
    test_env_expect_refused(VES_REFUSAL_UNSUPPORTED_VERSION,
                            "unsupported_version");
}

static void test_payload_hash(void **state)
{
    (void)state;
    test_env_reset();
    test_env_set("payload_plain_hash", "\"" HASH_A "\"");
    test_env_expect_refused(VES_REFUSAL_INVALID_PAYLOAD_HASH,
                            "invalid_payload_hash");
    /* `_ves` is part of what is hashed. */
    test_env_set("payload", "{\"x\":1}");
    test_env_fill();
    test_env_set("payload",
                 "{\"_ves\":{\"agent_seq\":1,\"schema\":\"a/1\",\"seen\":0,"
                 "\"v\":1},\"x\":1}");
    test_env_expect_refused(VES_REFUSAL_INVALID_PAYLOAD_HASH,
                            "invalid_payload_hash");
}

static void test_bad_json(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *offset;
    } cases[] = {
        {"{\"event_id\":}", "byte 12"},
        {"{\"a\":1,\"a\":2}", "byte"},
        {"{\"a\":\"\\ud800\"}", "byte"},
        {"{\"a\":\"\xff\"}", "byte 6"},
        {"{} x", "byte 3"},
        {"", "byte 0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_event event;
        memset(&test_refusal, 0x5a, sizeof(test_refusal));
        assert_int_equal(ves_event_read(&test_arena,
                                        ves_bytes_str(cases[i].json), &event,
                                        &test_refusal),
                         VES_REFUSED);
        assert_string_equal(test_refusal.reason, "schema_validation");
        assert_non_null(strstr(test_refusal.message, cases[i].offset));
        assert_false(test_refusal.has_event_id);
    }
    static const char *const other[] = {"[]", "1", "null", "\"x\""};
    for (size_t i = 0; i < 4; i++) {
        struct ves_event event;
        assert_int_equal(ves_event_read(&test_arena, ves_bytes_str(other[i]),
                                        &event, &test_refusal),
                         VES_REFUSED);
        assert_string_equal(test_refusal.reason, "schema_validation");
    }
}

/* A test_refusal names the event as soon as its id can be read. */
static void test_event_id_in_refusal(void **state)
{
    (void)state;
    struct ves_event event;
    struct ves_uuid id = test_uuid(EVENT);
    test_env_reset();
    test_env_set("ves_version", "9");
    assert_int_equal(test_env_take(&event), VES_REFUSED);
    assert_true(test_refusal.has_event_id);
    assert_true(ves_uuid_equal(&test_refusal.event_id, &id));
    assert_true(ves_uuid_equal(&event.event_id, &id));
    test_env_reset();
    test_env_set("created_at", "\"later\"");
    assert_int_equal(test_env_take(&event), VES_REFUSED);
    assert_true(test_refusal.has_event_id);
    assert_true(ves_uuid_equal(&test_refusal.event_id, &id));

    test_env_reset();
    test_env_set("event_id", "\"861910c9\"");
    assert_int_equal(test_env_take(&event), VES_REFUSED);
    assert_string_equal(test_refusal.reason, "schema_validation: event_id");
    assert_false(test_refusal.has_event_id);
    test_env_reset();
    test_env_set("event_id", NULL);
    assert_int_equal(test_env_take(&event), VES_REFUSED);
    assert_string_equal(test_refusal.reason, "schema_validation: event_id");
    assert_false(test_refusal.has_event_id);
    test_env_reset();
}

/* Out of memory at any point: VES_NOMEM, never a test_refusal of a good event.
 */
static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    int *left = ctx;
    if (size > 0 && (*left)-- <= 0)
        return NULL;
    return ves_alloc_default()->realloc(NULL, ptr, size);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    bool done = false;
    test_env_reset();
    char *payload = malloc(200100);
    memset(payload, '7', 200000);
    for (size_t i = 2; i < 199998; i += 2)
        payload[i] = ',';
    payload[0] = '[';
    memcpy(payload + 199999, "]", 2);
    for (int allowed = 0; !done; allowed++) {
        int left = allowed;
        const struct ves_alloc alloc = {failing_realloc, &left};
        struct ves_arena small;
        struct ves_event event;
        test_env_set("payload", payload);
        struct ves_bytes json = test_env_text();
        ves_arena_init(&small, &alloc, 64 << 20);
        enum ves_status status =
            ves_event_read(&small, json, &event, &test_refusal);
        if (status == VES_OK)
            status = ves_event_check(&small, &event, &test_refusal);
        assert_true(status == VES_OK || status == VES_NOMEM);
        done = status == VES_OK;
        ves_arena_free(&small);
        assert_true(allowed < 1000);
    }
    free(payload);
    test_env_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_signing_hash),
        cmocka_unit_test(test_controls_are_covered),
        cmocka_unit_test(test_optional_members),
        cmocka_unit_test(test_foreign_payloads),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_payload_size),
        cmocka_unit_test(test_payload_grows),
        cmocka_unit_test(test_payload_numbers),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_payload_hash),
        cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_event_id_in_refusal),
        cmocka_unit_test(test_out_of_memory),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_env_set_up, test_env_tear_down);
}
