/* test_jcs.c -- canonical JSON: RFC 8785's examples, published vectors, the
 * order of names, escapes; and the writer programs use.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "test/lib/test_util.h"
#include "ves/json.h"
#include "json/jcs.h"
#include "json/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PUBLISHED "vectors/ves/published_ves_vectors.json"

static struct ves_arena arena;
static struct ves_buf buf;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 64u << 20);
    ves_buf_init(&buf, ves_alloc_default(), 64u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_buf_free(&buf);
    ves_arena_free(&arena);
    return 0;
}

static const struct ves_json *must_read(const char *text)
{
    const struct ves_json *root = NULL;
    struct ves_json_where where;
    if (ves_json_read(&arena, ves_bytes_str(text), NULL, &root, &where))
        fail_msg("refused at %zu: %s: %s", where.offset, where.reason, text);
    return root;
}

/* Canonical text as a C string; valid until the next call. */
static const char *canonical(const struct ves_json *root)
{
    ves_buf_reset(&buf);
    assert_int_equal(ves_jcs_write(&buf, &arena, root), VES_OK);
    ves_buf_put_u8(&buf, 0);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    return (const char *)buf.ptr;
}

/* RFC 8785, sections 3.2.2 and 3.2.3. */
static void test_rfc8785_examples(void **state)
{
    (void)state;
    assert_string_equal(
        canonical(must_read(
            "{\n  \"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, "
            "0.000000000000000000000000001],\n"
            "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c"
            "\\\\\\\"\\/\",\n"
            "  \"literals\": [null, true, false]\n}")),
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,"
        "1e+30,4.5,0.002,1e-27],\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\""
        "\\\\\\\\\\\"/\"}");
    assert_string_equal(
        canonical(must_read(
            "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
            "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
            "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\","
            "\"\\u0080\":\"Control\","
            "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}")),
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
        "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\","
        "\"\xE2\x82\xAC\":\"Euro Sign\","
        "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
        "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

static void test_published_vectors(void **state)
{
    (void)state;
    struct ves_bytes file = test_read_shared(PUBLISHED);
    assert_non_null(file.ptr);
    const struct ves_json *root;
    assert_int_equal(ves_json_read(&arena, file, NULL, &root, NULL), VES_OK);
    const struct ves_json *list = ves_json_member(root, "canonical_json");
    assert_non_null(list);
    size_t checked = 0;
    for (const struct ves_json *c = list->first; c; c = c->next, checked++) {
        struct ves_bytes want;
        assert_true(ves_json_get_string(c, "out", &want));
        const char *got = canonical(ves_json_member(c, "in"));
        assert_true(ves_bytes_is(want, got));
    }
    assert_int_equal(checked, 3);
    free((void *)(uintptr_t)file.ptr);
}

static void test_plain_values(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"null", "null"},
        {" true ", "true"},
        {"false", "false"},
        {"-0", "0"},
        {"-0.0e7", "0"},
        {"1.0", "1"},
        {"1e2", "100"},
        {"1e20", "100000000000000000000"},
        {"1e21", "1e+21"},
        {"9007199254740993", "9007199254740992"},
        {"[]", "[]"},
        {"{ }", "{}"},
        {"[ [ ] , { } , [ [ 1 ] ] ]", "[[],{},[[1]]]"},
        {"\"\"", "\"\""},
        {"{\"b\":{\"z\":1,\"y\":[{\"d\":1,\"c\":2}]},\"a\":[]}",
         "{\"a\":[],\"b\":{\"y\":[{\"c\":2,\"d\":1}],\"z\":1}}"},
        {"{\"aa\":1,\"a\":2,\"\":3,\"B\":4}",
         "{\"\":3,\"B\":4,\"a\":2,\"aa\":1}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(canonical(must_read(cases[i][0])), cases[i][1]);
}

/* RFC 8785, section 3.2.2.2, for every character of one byte. */
static void test_escapes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        static const char from[] = "\b\t\n\f\r\"\\";
        static const char to[] = "btnfr\"\\";
        char want[16];
        const char *at = c ? strchr(from, (int)c) : NULL;
        if (at)
            snprintf(want, sizeof(want), "\"a\\%cb\"", to[at - from]);
        else if (c < 0x20)
            snprintf(want, sizeof(want), "\"a\\u%04xb\"", c);
        else
            snprintf(want, sizeof(want), "\"a%cb\"", (char)c);
        /* At every place of a longer text too. */
        for (size_t i = 0; i < 24; i++) {
            char places[] = "abcdefghijklmnopqrstuvwx";
            char longer[64];
            places[i] = (char)c;
            int middle = (int)strlen(want) - 4; /* without "a and b" */
            snprintf(longer, sizeof(longer), "\"%.*s%.*s%s\"", (int)i, places,
                     middle, want + 2, places + i + 1);
            ves_buf_reset(&buf);
            ves_jcs_write_string(&buf, ves_bytes(places, 24));
            assert_true(ves_bytes_is(ves_buf_view(&buf), longer));
        }
        uint8_t text[3] = {'a', (uint8_t)c, 'b'};
        ves_buf_reset(&buf);
        ves_jcs_write_string(&buf, ves_bytes(text, 3));
        assert_true(ves_bytes_is(ves_buf_view(&buf), want));
        char input[16];
        snprintf(input, sizeof(input), "\"a\\u%04Xb\"", c);
        assert_string_equal(canonical(must_read(input)), want);
    }
    ves_buf_reset(&buf);
    ves_jcs_write_string(&buf, ves_bytes_str("\x7F/\xC2\x80\xE2\x80\xA8"));
    assert_true(
        ves_bytes_is(ves_buf_view(&buf), "\"\x7F/\xC2\x80\xE2\x80\xA8\""));
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static size_t put_utf16(uint16_t *out, uint32_t c)
{
    if (c < 0x10000) {
        out[0] = (uint16_t)c;
        return 1;
    }
    out[0] = (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
    out[1] = (uint16_t)(0xDC00 + ((c - 0x10000) & 1023));
    return 2;
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static int compare_utf16(const uint16_t *a, size_t a_len, const uint16_t *b,
                         size_t b_len)
{
    for (size_t i = 0; i < a_len && i < b_len; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return sign((a_len > b_len) - (a_len < b_len));
}

/* Random names out of characters at every border, against real UTF-16. */
static void test_order_of_names(void **state)
{
    (void)state;
    static const uint32_t points[] = {
        0,       'a',     'b',     0x7F,    0x80,    0x7FF,    0x800,
        0x1000,  0xD7FF,  0xE000,  0xEFFF,  0xF000,  0xFFFD,   0xFFFF,
        0x10000, 0x103FF, 0x1F600, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF};
    uint32_t random = 2026;
    size_t differs = 0;
    for (int i = 0; i < 300000; i++) {
        char text[2][64];
        uint16_t units[2][32];
        size_t len[2] = {0, 0};
        size_t count[2] = {0, 0};
        random = random * 1664525 + 1013904223;
        size_t common = random >> 28;
        for (size_t k = 0; k < 2; k++) {
            random = random * 1664525 + 1013904223;
            size_t n = common + (random >> 30);
            uint32_t same = 99;
            for (size_t c = 0; c < n && c < 14; c++) {
                random = random * 1664525 + 1013904223;
                same = same * 69069 + 1;
                uint32_t pick = c < common ? same : random;
                uint32_t point = points[(pick >> 16) % COUNT(points)];
                len[k] += put_utf8(text[k] + len[k], point);
                count[k] += put_utf16(units[k] + count[k], point);
            }
        }
        struct ves_bytes a = ves_bytes(text[0], len[0]);
        struct ves_bytes b = ves_bytes(text[1], len[1]);
        int want = compare_utf16(units[0], count[0], units[1], count[1]);
        assert_int_equal(sign(ves_jcs_compare_keys(a, b)), want);
        assert_int_equal(sign(ves_jcs_compare_keys(b, a)), -want);
        differs += sign(ves_bytes_compare(a, b)) != want;
    }
    /* The test means something only if the two orders do differ. */
    assert_true(differs > 1000);
}

/* Objects of all sizes, shuffled: names come out in order. */
static void test_sorting(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (size_t count = 0; count < 200; count++) {
        static char names[200][8];
        static size_t order[200];
        for (size_t i = 0; i < count; i++) {
            snprintf(names[i], sizeof(names[i]), "%03zu", i);
            order[i] = i;
        }
        for (size_t i = count; i > 1; i--) {
            random = random * 1664525 + 1013904223;
            size_t j = (random >> 8) % i;
            size_t swap = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swap;
        }
        struct ves_buf text;
        struct ves_buf want;
        ves_buf_init(&text, ves_alloc_default(), 1u << 20);
        ves_buf_init(&want, ves_alloc_default(), 1u << 20);
        ves_buf_put_u8(&text, '{');
        ves_buf_put_u8(&want, '{');
        for (size_t i = 0; i < count; i++) {
            ves_buf_putf(&text, "%s\"%s\":%zu", i ? "," : "", names[order[i]],
                         order[i]);
            ves_buf_putf(&want, "%s\"%s\":%zu", i ? "," : "", names[i], i);
        }
        ves_buf_put(&text, "}", 2);
        ves_buf_put_u8(&want, '}');
        const char *got = canonical(must_read((const char *)text.ptr));
        assert_true(ves_bytes_is(ves_buf_view(&want), got));
        ves_buf_free(&text);
        ves_buf_free(&want);
    }
}

static void check_without(const char *text, const char *name, const char *want)
{
    ves_buf_reset(&buf);
    assert_int_equal(ves_jcs_write_without(&buf, &arena, must_read(text), name),
                     VES_OK);
    if (!ves_bytes_is(ves_buf_view(&buf), want))
        fail_msg("%s without %s is %.*s", text, name, (int)buf.len,
                 (const char *)buf.ptr);
}

/* What reading and writing the whole of it gives. */
static void check_with(const char *text, const char *name, const char *value)
{
    char whole[256];
    struct ves_buf want, got;
    size_t len = strlen(text);

    snprintf(whole, sizeof(whole), "%.*s%s\"%s\":%s}", (int)len - 1, text,
             len > 2 ? "," : "", name, value);
    ves_buf_init(&want, ves_alloc_default(), 1024);
    ves_buf_init(&got, ves_alloc_default(), 1024);
    assert_int_equal(ves_jcs_write(&want, &arena, must_read(whole)), VES_OK);
    assert_int_equal(ves_jcs_write_with(&got, &arena, must_read(text), name,
                                        ves_bytes_str(value)),
                     VES_OK);
    if (!ves_bytes_equal(ves_buf_view(&want), ves_buf_view(&got)))
        fail_msg("%s with %s is %.*s", text, name, (int)got.len,
                 (const char *)got.ptr);
    ves_buf_free(&want);
    ves_buf_free(&got);
}

static void test_with(void **state)
{
    static const char *const objects[] = {
        "{}",
        "{\"a\":1}",
        "{\"Z\":1}",
        "{\"Z\":{\"a\":1,\"Z\":2},\"a\":[{\"Z\":1,\"a\":2},[]]}",
        "{\"a\":{\"b\":1,\"Z\":2},\"Z\":[{}]}",
        "{\"c\":3,\"b\":2,\"_a\":1,\"_z\":{}}",
        "{\"\xc3\xa9\":1,\"\":0,\"_\":\"_ves\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        check_with(objects[i], "_ves", "{\"a\":1,\"b\":[]}");
        check_with(objects[i], "0", "null");
        check_with(objects[i], "\xf0\x9f\x98\x80", "\"x\"");
    }
}

static void test_without(void **state)
{
    (void)state;
    check_without("{\"a\":1,\"b\":2,\"c\":3}", "a", "{\"b\":2,\"c\":3}");
    check_without("{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}");
    check_without("{\"c\":3,\"b\":2,\"a\":1}", "c", "{\"a\":1,\"b\":2}");
    check_without("{\"a\":1}", "a", "{}");
    check_without("{\"a\":1}", "b", "{\"a\":1}");
    check_without("{}", "a", "{}");
    check_without("{\"a\":{\"a\":1},\"b\":[{\"a\":2}]}", "a",
                  "{\"b\":[{\"a\":2}]}");
    check_without("{\"b\":{\"a\":1}}", "a", "{\"b\":{\"a\":1}}");
    check_without("{\"b\":1,\"\":2}", "", "{\"\":2,\"b\":1}");
    check_without("{\"\\u0061b\":1,\"b\":2}", "ab", "{\"b\":2}");
    check_without("[{\"a\":1}]", "a", "[{\"a\":1}]");
}

static void test_deep(void **state)
{
    (void)state;
    enum { DEPTH = VES_JSON_DEPTH_LIMIT };
    char text[DEPTH * 6 + 2];
    size_t len = 0;
    for (int i = 0; i < DEPTH / 2; i++)
        len += (size_t)snprintf(text + len, 8, "[{\"a\":");
    text[len++] = '0';
    for (int i = 0; i < DEPTH / 2; i++)
        len += (size_t)snprintf(text + len, 8, "}]");
    struct ves_json_options options = {.depth_max = DEPTH};
    const struct ves_json *root;
    assert_int_equal(
        ves_json_read(&arena, ves_bytes(text, len), &options, &root, NULL),
        VES_OK);
    assert_string_equal(canonical(root), text);
    assert_true(ves_json_equal(root, root));
}

static void test_errors_stick(void **state)
{
    (void)state;
    static const char text[] = "{\"b\":[1,2,3],\"a\":\"\\u0001 text\"}";
    const struct ves_json *root = must_read(text);
    size_t full = strlen(canonical(root));
    for (size_t max = 0; max <= full; max++) {
        struct ves_buf small;
        ves_buf_init(&small, ves_alloc_default(), max);
        enum ves_status want = max < full ? VES_LIMIT : VES_OK;
        assert_int_equal(ves_jcs_write(&small, &arena, root), want);
        assert_int_equal(ves_buf_status(&small), want);
        ves_buf_free(&small);
    }
    struct ves_arena none;
    ves_arena_init(&none, ves_alloc_default(), 0);
    ves_buf_reset(&buf);
    assert_int_equal(ves_jcs_write(&buf, &none, root), VES_NOMEM);
    assert_int_equal(ves_buf_status(&buf), VES_NOMEM);
    ves_arena_free(&none);
}

static void test_writer_document(void **state)
{
    (void)state;
    struct ves_jw *jw = ves_jw_new(ves_alloc_default(), 4096);
    assert_non_null(jw);
    struct ves_uuid uuid = {{0xAB, 1}};
    ves_jw_object(jw);
    ves_jw_key(jw, "s");
    ves_jw_str(jw, "a\"\n\xC3\xA9");
    ves_jw_key(jw, "none");
    ves_jw_str(jw, NULL);
    ves_jw_key(jw, "bytes");
    ves_jw_bytes(jw, ves_bytes("x\0y", 3));
    ves_jw_key(jw, "list");
    ves_jw_array(jw);
    ves_jw_u64(jw, UINT64_MAX);
    ves_jw_i64(jw, INT64_MIN);
    ves_jw_i64(jw, INT64_MAX);
    ves_jw_i64(jw, 0);
    ves_jw_double(jw, 1e21);
    ves_jw_double(jw, -0.5);
    ves_jw_double(jw, NAN);
    ves_jw_double(jw, -INFINITY);
    ves_jw_bool(jw, true);
    ves_jw_bool(jw, false);
    ves_jw_null(jw);
    ves_jw_raw(jw, ves_bytes_str("{\"raw\": 1}"));
    ves_jw_array(jw);
    ves_jw_end(jw);
    ves_jw_object(jw);
    ves_jw_end(jw);
    ves_jw_end(jw);
    ves_jw_key(jw, "id");
    ves_jw_uuid(jw, &uuid);
    ves_jw_key(jw, "hex");
    ves_jw_hex(jw, "0x", "\x01\xFE", 2);
    ves_jw_key(jw, "");
    ves_jw_hex(jw, "", NULL, 0);
    ves_jw_key(jw, "at");
    ves_jw_time(jw, 1);
    ves_jw_key(jw, "never");
    ves_jw_time(jw, 0);
    ves_jw_end(jw);
    assert_int_equal(ves_jw_status(jw), VES_OK);
    static const char want[] =
        "{\"s\":\"a\\\"\\n\xC3\xA9\",\"none\":null,\"bytes\":\"x\\u0000y\","
        "\"list\":[18446744073709551615,-9223372036854775808,"
        "9223372036854775807,0,1e+21,-0.5,null,null,true,false,null,"
        "{\"raw\": 1},[],{}],"
        "\"id\":\"ab010000-0000-0000-0000-000000000000\","
        "\"hex\":\"0x01fe\",\"\":\"\",\"at\":\"1970-01-01T00:00:00.001Z\","
        "\"never\":null}";
    assert_true(ves_bytes_is(ves_jw_view(jw), want));
    ves_jw_reset(jw);
    ves_jw_u64(jw, 5);
    assert_true(ves_bytes_is(ves_jw_view(jw), "5"));
    ves_jw_free(jw);
    ves_jw_free(NULL);
    jw = ves_jw_new(NULL, 10);
    assert_non_null(jw);
    ves_jw_free(jw);
}

/* What is not UTF-8, a file's name for example, must not spoil a document. */
static void test_writer_repairs_text(void **state)
{
    (void)state;
    struct ves_jw *jw = ves_jw_new(ves_alloc_default(), 4096);
    assert_non_null(jw);
    ves_jw_object(jw);
    ves_jw_key(jw, "\xFF");
    ves_jw_str(jw, "a\xC3(\xED\xA0\x80\x80z\xE2\x82");
    ves_jw_end(jw);
    assert_int_equal(ves_jw_status(jw), VES_OK);
#define BAD "\xEF\xBF\xBD"
    assert_true(ves_bytes_is(ves_jw_view(jw),
                             "{\"" BAD "\":\"a" BAD "(" BAD BAD BAD BAD
                             "z" BAD BAD "\"}"));
    ves_jw_free(jw);
}

static void test_writer_misuse(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 10; wrong++) {
        struct ves_jw *jw = ves_jw_new(ves_alloc_default(), 1000);
        assert_non_null(jw);
        enum ves_status want = VES_INVALID;
        ves_jw_array(jw);
        switch (wrong) {
        case 0:
            ves_jw_key(jw, "a");
            break;
        case 1:
            ves_jw_end(jw);
            ves_jw_end(jw);
            break;
        case 2:
            ves_jw_end(jw);
            ves_jw_null(jw);
            break;
        case 3:
            ves_jw_object(jw);
            ves_jw_null(jw);
            break;
        case 4:
            ves_jw_object(jw);
            ves_jw_key(jw, "a");
            ves_jw_key(jw, "b");
            break;
        case 5:
            ves_jw_object(jw);
            ves_jw_key(jw, "a");
            ves_jw_end(jw);
            break;
        case 6:
            ves_jw_raw(jw, ves_bytes(NULL, 0));
            break;
        case 7:
            ves_jw_object(jw);
            ves_jw_key(jw, NULL);
            break;
        case 8:
            for (int i = 0; i < 64; i++)
                ves_jw_array(jw);
            want = VES_LIMIT;
            break;
        default:
            for (int i = 0; i < 1000; i++)
                ves_jw_u64(jw, 10);
            want = VES_LIMIT;
        }
        assert_int_equal(ves_jw_status(jw), want);
        struct ves_bytes before = ves_jw_view(jw);
        ves_jw_str(jw, "more");
        ves_jw_end(jw);
        assert_int_equal(ves_jw_view(jw).len, before.len);
        assert_int_equal(ves_jw_status(jw), want);
        ves_jw_reset(jw);
        assert_int_equal(ves_jw_status(jw), VES_OK);
        ves_jw_free(jw);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc8785_examples),
        TEST(test_plain_values),
        TEST(test_escapes),
        TEST(test_order_of_names),
        TEST(test_sorting),
        TEST(test_without),
        TEST(test_with),
        TEST(test_deep),
        TEST(test_errors_stick),
        TEST(test_writer_document),
        TEST(test_writer_repairs_text),
        TEST(test_writer_misuse),
        TEST(test_published_vectors),
    };
    /* The last test needs its file. */
    size_t count = COUNT(tests);
    struct ves_bytes file = test_read_shared(PUBLISHED);
    if (!file.ptr)
        printf("ok %zu - test_published_vectors # SKIP no %s/" PUBLISHED
               "; set VES_SHARED\n",
               count--, test_shared_dir());
    free((void *)(uintptr_t)file.ptr);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
}
