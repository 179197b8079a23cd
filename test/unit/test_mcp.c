/* test_mcp.c -- the pure parts of src/mcp: lines, messages, schemas, seals,
 * headers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "mcp/guard.h"
#include "mcp/lines.h"
#include "mcp/message.h"
#include "mcp/schema.h"
#include "mcp/seal.h"
#include "test/lib/test_util.h"

enum { ARENA = 1024 * 1024 };

static struct ves_arena arena;

static int setup(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), ARENA);
    return ves_crypto_init() ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

/* ---- lines --------------------------------------------------------------- */

/* What comes out when text goes in `step` bytes at a time: lines in "<>",
 * "!" for one that was too long. */
static void cut(const char *text, size_t step, size_t max, char *out)
{
    struct ves_mcp_lines lines;
    struct ves_bytes line;
    enum ves_mcp_line what;
    size_t len = strlen(text);

    out[0] = '\0';
    ves_mcp_lines_init(&lines, ves_alloc_default(), max);
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        ves_mcp_lines_put(&lines, ves_bytes(text + at, n));
        while ((what = ves_mcp_lines_next(&lines, &line)) !=
               VES_MCP_LINE_NONE) {
            if (what == VES_MCP_LINE_TOO_LONG)
                strncat(out, "!", 200);
            else
                snprintf(out + strlen(out), 200, "<%.*s>", (int)line.len,
                         (const char *)line.ptr);
        }
    }
    if (ves_mcp_lines_end(&lines, &line) == VES_MCP_LINE_WHOLE)
        snprintf(out + strlen(out), 200, "<%.*s>", (int)line.len,
                 (const char *)line.ptr);
    ves_mcp_lines_free(&lines);
}

static void test_lines(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {{"", ""},
                 {"a\n", "<a>"},
                 {"a\r\n\nb", "<a><><b>"},
                 {"12345678\n", "<12345678>"},
                 {"123456789\nx\n", "!<x>"},
                 {"1234567890123456789012345\nx\ny", "!<x><y>"},
                 {"\r\n", "<>"},
                 {"a\rb\n", "<a\rb>"}};
    char out[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 30; step++) {
            cut(cases[i].in, step, 8, out);
            assert_string_equal(out, cases[i].out);
        }
    }
}

/* ---- messages ------------------------------------------------------------ */

static struct ves_mcp_message read_message(const char *text)
{
    struct ves_mcp_message message;
    ves_mcp_message_read(&arena, ves_bytes_str(text), &message);
    return message;
}

static void test_message_kinds(void **state)
{
    static const struct {
        const char *text;
        enum ves_mcp_kind kind;
        int code;
        const char *id;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}", VES_MCP_REQUEST, 0,
         "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"\\u0041\",\"method\":\"m\"}",
         VES_MCP_REQUEST, 0, "\"\\u0041\""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", VES_MCP_NOTIFICATION, 0, ""},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"m\"}", VES_MCP_NOTIFICATION, 0, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", VES_MCP_RESPONSE, 0,
         "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", VES_MCP_RESPONSE, 0,
         "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{},\"result\":1}",
         VES_MCP_BROKEN, -32600, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"m\"}", VES_MCP_BROKEN,
         -32600, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", VES_MCP_BROKEN,
         -32600, ""},
        {"{\"jsonrpc\":\"1.0\",\"id\":3,\"method\":\"m\"}", VES_MCP_BROKEN,
         -32600, "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"m\",\"params\":[]}",
         VES_MCP_BROKEN, -32602, "3"},
        {"[]", VES_MCP_BATCH, 0, ""},
        {"7", VES_MCP_BROKEN, -32600, ""},
        {"{", VES_MCP_BROKEN, -32700, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_mcp_message m = read_message(cases[i].text);
        assert_int_equal(m.kind, cases[i].kind);
        assert_int_equal(m.code, cases[i].code);
        assert_true(ves_bytes_is(m.id, cases[i].id));
        assert_true((m.kind == VES_MCP_BROKEN) == (m.reason != NULL));
    }
}

static void test_message_envelope(void **state)
{
#define REQUEST(meta)                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"," \
    "\"params\":{\"_meta\":" meta "}}"
    struct ves_mcp_envelope e;
    struct ves_mcp_message m;

    (void)state;
    m = read_message(
        REQUEST("{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                "\"io.modelcontextprotocol/clientCapabilities\":{},"
                "\"io.modelcontextprotocol/logLevel\":\"info\","
                "\"progressToken\":\"x\"}"));
    ves_mcp_envelope_read(&m, &e);
    assert_true(e.is_there && e.capabilities);
    assert_true(ves_bytes_is(e.version, "2026-07-28"));
    assert_true(ves_bytes_is(e.log_level, "info"));
    assert_true(ves_bytes_is(ves_mcp_progress_token(&m), "\"x\""));
    m = read_message(REQUEST("{\"progressToken\":1.5}"));
    ves_mcp_envelope_read(&m, &e);
    assert_false(e.is_there);
    assert_int_equal(ves_mcp_progress_token(&m).len, 0);
    m = read_message(REQUEST("7"));
    ves_mcp_envelope_read(&m, &e);
    assert_false(e.is_there);
}

/* ---- schemas ------------------------------------------------------------- */

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000},"
    "\"status\":{\"type\":\"string\",\"enum\":[\"pending\",\"failed\"]},"
    "\"eventId\":{\"type\":\"string\",\"format\":\"uuid\"},"
    "\"reason\":{\"type\":\"string\",\"maxLength\":3},"
    "\"dryRun\":{\"type\":\"boolean\"},"
    "\"ids\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,"
    "\"items\":{\"type\":\"string\",\"format\":\"uuid\"}},"
    "\"payload\":{\"type\":\"object\",\"additionalProperties\":true}},"
    "\"additionalProperties\":false,\"minProperties\":1}";

static void test_schema(void **state)
{
    static const struct {
        const char *value;
        const char *text; /* NULL: right */
        const char *next;
    } cases[] = {
        {"{\"limit\":1}", NULL, ""},
        {"{\"limit\":10.0}", NULL, ""},
        {"{\"reason\":\"\xC3\xA4\xC3\xB6\xC3\xBC\"}", NULL, ""},
        {"{\"payload\":{\"anything\":[null]}}", NULL, ""},
        {"{\"limit\":5000}",
         "limit must be an integer from 1 to 1000 (got 5000)",
         "{\"limit\":1000}"},
        {"{\"limit\":0}", "limit must be an integer from 1 to 1000 (got 0)",
         "{\"limit\":1}"},
        {"{\"limit\":1.5}", "limit must be an integer from 1 to 1000 (got 1.5)",
         ""},
        {"{\"limit\":\"5\"}",
         "limit must be an integer from 1 to 1000 (got a string)", ""},
        {"{\"status\":\"Pending\"}",
         "status must be one of pending, failed (got a string); did you mean "
         "\"pending\"?",
         "{\"status\":\"pending\"}"},
        {"{\"event_id\":\"x\"}",
         "unknown argument \"event_id\"; did you mean \"eventId\"?", ""},
        {"{\"quux\":1}",
         "unknown argument \"quux\"; known are limit, status, eventId, "
         "reason, dryRun, ids, payload",
         ""},
        {"{\"a\\u0007\\\"b\":1}",
         "unknown argument \"a??b\"; known are limit, status, eventId, "
         "reason, dryRun, ids, payload",
         ""},
        {"{\"eventId\":\"secret text\"}",
         "eventId must be a UUID (got a string)", ""},
        {"{\"reason\":\"abcd\"}",
         "reason must be a string of at most 3 characters (got a string)", ""},
        {"{\"dryRun\":1}", "dryRun must be true or false (got 1)", ""},
        {"{\"ids\":[]}", "ids must be a list from 1 to 2 items (got a list)",
         ""},
        {"{\"ids\":[\"x\"]}", "ids[0] must be a UUID (got a string)", ""},
        {"{\"payload\":null}", "payload must be an object (got null)", ""},
        {"{}", "the arguments must name at least one thing", ""},
    };
    const struct ves_json *root = test_json(&arena, schema);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_mcp_problem problem;
        bool is_right = ves_mcp_schema_check(
            root, test_json(&arena, cases[i].value), &problem);
        assert_int_equal(is_right, cases[i].text == NULL);
        if (!cases[i].text)
            continue;
        assert_string_equal(problem.text, cases[i].text);
        assert_string_equal(problem.next, cases[i].next);
    }
}

static void test_schema_required(void **state)
{
    const struct ves_json *root = test_json(
        &arena, "{\"type\":\"object\",\"properties\":{\"eventId\":{\"type\":"
                "\"string\",\"format\":\"uuid\"}},\"required\":[\"eventId\"]}");
    struct ves_mcp_problem problem;

    (void)state;
    assert_false(ves_mcp_schema_check(root, test_json(&arena, "{}"), &problem));
    assert_string_equal(problem.text, "eventId is missing; it must be a UUID");
}

/* ---- seals --------------------------------------------------------------- */

/* RFC 4231, cases 1 and 2. */
static void test_hmac(void **state)
{
    uint8_t key[20];
    struct ves_hash mac, wanted;

    (void)state;
    memset(key, 0x0b, sizeof(key));
    ves_mcp_hmac(ves_bytes(key, sizeof(key)), ves_bytes_str("Hi There"), &mac);
    wanted = test_hash(
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_memory_equal(mac.b, wanted.b, VES_HASH_SIZE);
    ves_mcp_hmac(ves_bytes_str("Jefe"),
                 ves_bytes_str("what do ya want for nothing?"), &mac);
    wanted = test_hash(
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_memory_equal(mac.b, wanted.b, VES_HASH_SIZE);
}

static void test_seal(void **state)
{
    uint8_t key[VES_MCP_SEAL_KEY] = {1}, other_key[VES_MCP_SEAL_KEY] = {2};
    struct ves_hash mine = {{3}}, other = {{4}};
    struct ves_bytes kept, text = ves_bytes_str("{\"a\":1}");
    struct ves_buf out;

    (void)state;
    ves_buf_init(&out, ves_alloc_default(), 4096);
    ves_mcp_seal(key, &mine, 1000, text, &out);
    assert_int_equal(ves_buf_status(&out), VES_OK);
#define OPEN(key, hash, now, sealed) \
    ves_mcp_unseal(key, hash, now, sealed, &arena, &kept)
    assert_int_equal(OPEN(key, &mine, 1000, ves_buf_view(&out)), VES_OK);
    assert_true(ves_bytes_equal(kept, text));
    assert_int_equal(OPEN(key, &mine, 1001, ves_buf_view(&out)), VES_REFUSED);
    assert_int_equal(OPEN(other_key, &mine, 0, ves_buf_view(&out)),
                     VES_REFUSED);
    assert_int_equal(OPEN(key, &other, 0, ves_buf_view(&out)), VES_REFUSED);
    /* Every byte counts, and so does every one that is missing. */
    for (size_t i = 0; i < out.len; i++) {
        assert_int_equal(OPEN(key, &mine, 0, ves_bytes(out.ptr, i)),
                         VES_REFUSED);
        out.ptr[i] ^= 1;
        assert_int_equal(OPEN(key, &mine, 0, ves_buf_view(&out)), VES_REFUSED);
        out.ptr[i] ^= 1;
    }
    assert_int_equal(OPEN(key, &mine, 0, ves_buf_view(&out)), VES_OK);
    ves_buf_free(&out);
}

/* ---- headers ------------------------------------------------------------- */

static void test_hosts(void **state)
{
    static const char *const good[] = {"localhost", "LOCALHOST:1",
                                       "127.0.0.1:80", "[::1]", "[::1]:8080"};
    static const char *const bad[] = {
        "",           "evil.com",      "localhost.evil.com",
        "localhost:", "localhost:80x", "127.0.0.1.evil.com",
        "127.0.0.10", "::1",           "[::1]x"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(ves_mcp_host_is_local(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ves_mcp_host_is_local(bad[i]));
}

static void test_origins(void **state)
{
    static const char list[] = "https://a.example,https://b.example:8443";

    (void)state;
    assert_true(ves_mcp_origin_is_allowed("http://localhost:3000", NULL));
    assert_true(ves_mcp_origin_is_allowed("https://[::1]", NULL));
    assert_false(ves_mcp_origin_is_allowed("null", NULL));
    assert_false(ves_mcp_origin_is_allowed("http://evil.com", list));
    assert_true(ves_mcp_origin_is_allowed("https://a.example", list));
    assert_true(ves_mcp_origin_is_allowed("https://b.example:8443", list));
    assert_false(ves_mcp_origin_is_allowed("https://b.example", list));
    assert_false(ves_mcp_origin_is_allowed("https://a.example,", list));
    assert_false(ves_mcp_origin_is_allowed("http://localhost@evil.com", list));
    assert_false(ves_mcp_origin_is_allowed("ftp://localhost", list));
}

static void test_header_values(void **state)
{
    static const struct {
        const char *header;
        const char *value; /* JSON */
        bool agrees;
    } cases[] = {
        {"a", "\"a\"", true},
        {" a\t", "\"a\"", true},
        {"A", "\"a\"", false},
        {NULL, "\"a\"", false},
        {NULL, "null", true},
        {"a", "null", false},
        {"=?base64?SGVsbG8=?=", "\"Hello\"", true},
        {"=?base64?SGVsbG8?=", "\"Hello\"", false},
        {"=?base64?SGVs!!!bG8=?=", "\"Hello\"", false},
        {"=?base64?SGVsbG8=", "\"=?base64?SGVsbG8=\"", true},
        {"SGVsbG8=", "\"SGVsbG8=\"", true},
        {"=?base64?4pyT?=", "\"\\u2713\"", true},
        {"=?base64?/w==?=", "\"x\"", false},
        {"42", "42", true},
        {"42.0", "42", true},
        {"43", "42", false},
        {"x", "42", false},
        {"true", "true", true},
        {"True", "true", false},
        {"a\x01", "\"a\\u0001\"", false},
        {"\xC3\xA4", "\"\xC3\xA4\"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            ves_mcp_header_agrees(&arena, cases[i].header,
                                  test_json(&arena, cases[i].value)),
            cases[i].agrees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_message_kinds),
        cmocka_unit_test(test_message_envelope),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_schema_required),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_header_values),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, teardown);
}
