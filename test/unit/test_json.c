/* test_json.c -- the strict reader: what it takes, what it refuses and where,
 * and looking around in the tree.
 */
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
#include "base/text.h"
#include "json/jcs.h"
#include "json/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 256u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

static const struct ves_json_options safe = {.safe_integers = true};

/* Reads from memory of exactly this size, so that sanitizers see overreads;
 * the copy lives in the arena. */
static enum ves_status read_bytes(struct ves_bytes input,
                                  const struct ves_json_options *options,
                                  const struct ves_json **root,
                                  struct ves_json_where *where)
{
    struct ves_bytes copy;
    assert_int_equal(ves_arena_copy(&arena, input, &copy), VES_OK);
    return ves_json_read(&arena, copy, options, root, where);
}

static const struct ves_json *must_read(const char *text)
{
    const struct ves_json *root = NULL;
    struct ves_json_where where = {0, NULL};
    if (read_bytes(ves_bytes_str(text), NULL, &root, &where))
        fail_msg("refused at %zu: %s: %s", where.offset, where.reason, text);
    assert_non_null(root);
    return root;
}

struct refusal {
    const char *text;
    size_t offset;
    const char *reason;
};

static void check_refusal(struct ves_bytes text,
                          const struct ves_json_options *options, size_t offset,
                          const char *reason)
{
    const struct ves_json *root = NULL;
    struct ves_json_where where = {SIZE_MAX, "nothing"};
    uint8_t *exact = malloc(text.len ? text.len : 1);
    assert_non_null(exact);
    if (text.len)
        memcpy(exact, text.ptr, text.len);
    enum ves_status status = ves_json_read(&arena, ves_bytes(exact, text.len),
                                           options, &root, &where);
    free(exact);
    if (status != VES_MALFORMED || where.offset != offset ||
        strcmp(where.reason, reason) != 0)
        fail_msg("%.*s: %s at %zu (%s), not at %zu (%s)", (int)text.len,
                 (const char *)text.ptr, ves_status_name(status), where.offset,
                 where.reason, offset, reason);
    assert_null(root);
    assert_int_equal(ves_json_read(&arena, text, options, &root, NULL),
                     VES_MALFORMED);
}

static void check_refusals(const struct refusal *cases, size_t count,
                           const struct ves_json_options *options)
{
    for (size_t i = 0; i < count; i++)
        check_refusal(ves_bytes_str(cases[i].text), options, cases[i].offset,
                      cases[i].reason);
}

#define SHORT_INPUT "the input ends too early"
#define OPEN_STRING "the input ends inside a string"
#define NO_VALUE    "a value was expected"
#define NO_NAME     "a member name in quotes was expected"
#define NO_COLON    "':' was expected after a member name"
#define NO_COMMA_O  "',' or '}' was expected"
#define NO_COMMA_A  "',' or ']' was expected"
#define TRAILING    "bytes after the end of the document"
#define DUPLICATE   "a duplicate member name"
#define NO_DIGIT    "a digit was expected"
#define ZERO        "a number starts with a needless zero"
#define RANGE       "number out of range"
#define UNSAFE      "an integer beyond 2^53-1"
#define CONTROL     "a control character in a string"
#define ESCAPE      "no such escape in a string"
#define HEX4        "\\u needs four hexadecimal digits"
#define LONE_HIGH   "a high surrogate without a low one after it"
#define LONE_LOW    "a low surrogate without a high one before it"
#define BAD_UTF8    "invalid UTF-8"
#define TOO_DEEP    "nested too deeply"

static void test_structure_refused(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"", 0, SHORT_INPUT},
        {" \t\r\n", 4, SHORT_INPUT},
        {"[", 1, SHORT_INPUT},
        {"{", 1, SHORT_INPUT},
        {"[1", 2, SHORT_INPUT},
        {"[1,", 3, SHORT_INPUT},
        {"{\"a\"", 4, SHORT_INPUT},
        {"{\"a\":", 5, SHORT_INPUT},
        {"{\"a\":1", 6, SHORT_INPUT},
        {"{\"a\":1,", 7, SHORT_INPUT},
        {"[[]", 3, SHORT_INPUT},
        {"]", 0, NO_VALUE},
        {"}", 0, NO_VALUE},
        {",", 0, NO_VALUE},
        {"[,1]", 1, NO_VALUE},
        {"[1,]", 3, NO_VALUE},
        {"[1,,2]", 3, NO_VALUE},
        {"[1 2]", 3, NO_COMMA_A},
        {"[1}", 2, NO_COMMA_A},
        {"[1:2]", 2, NO_COMMA_A},
        {"{]", 1, NO_NAME},
        {"{,}", 1, NO_NAME},
        {"{1:2}", 1, NO_NAME},
        {"{a:2}", 1, NO_NAME},
        {"{'a':2}", 1, NO_NAME},
        {"{\"a\":1,}", 7, NO_NAME},
        {"{\"a\" 1}", 5, NO_COLON},
        {"{\"a\",1}", 4, NO_COLON},
        {"{\"a\":}", 5, NO_VALUE},
        {"{\"a\":1 \"b\":2}", 7, NO_COMMA_O},
        {"{\"a\":1]", 6, NO_COMMA_O},
        {"1 1", 2, TRAILING},
        {"{}}", 2, TRAILING},
        {"[]]", 2, TRAILING},
        {"{} x", 3, TRAILING},
        {"\"a\"\"b\"", 3, TRAILING},
        {"[] []", 3, TRAILING},
        {"nullnull", 4, TRAILING},
        {"truex", 4, TRAILING},
        {"tru", 0, NO_VALUE},
        {"nul", 0, NO_VALUE},
        {"True", 0, NO_VALUE},
        {"NULL", 0, NO_VALUE},
        {"fals\x65\x7f", 5, TRAILING},
        {"NaN", 0, NO_VALUE},
        {"Infinity", 0, NO_VALUE},
        {"undefined", 0, NO_VALUE},
        {"'a'", 0, NO_VALUE},
        {"// x\n1", 0, NO_VALUE},
        {"[1/**/]", 2, NO_COMMA_A},
        {"\xEF\xBB\xBF{}", 0, NO_VALUE},
        {"\xC2\xA0{}", 0, NO_VALUE},
        {"\f1", 0, NO_VALUE},
        {"\v1", 0, NO_VALUE},
    };
    check_refusals(cases, COUNT(cases), NULL);
    check_refusal(ves_bytes(NULL, 0), NULL, 0, SHORT_INPUT);
    check_refusal(ves_bytes("1\0", 2), NULL, 1, TRAILING);
    check_refusal(ves_bytes("\0", 1), NULL, 0, NO_VALUE);
    check_refusal(ves_bytes("[1\0]", 4), NULL, 2, NO_COMMA_A);
}

static void test_numbers_refused(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"-", 1, SHORT_INPUT},
        {"1.", 2, SHORT_INPUT},
        {"1e", 2, SHORT_INPUT},
        {"1e+", 3, SHORT_INPUT},
        {"[-]", 2, NO_DIGIT},
        {"[1.]", 3, NO_DIGIT},
        {"[1.e5]", 3, NO_DIGIT},
        {"[1e]", 3, NO_DIGIT},
        {"[1e-]", 4, NO_DIGIT},
        {"[1E+-5]", 4, NO_DIGIT},
        {"[-a]", 2, NO_DIGIT},
        {"01", 0, ZERO},
        {"-01", 1, ZERO},
        {"[00]", 1, ZERO},
        {"[1,-00.5]", 4, ZERO},
        {"+1", 0, NO_VALUE},
        {".5", 0, NO_VALUE},
        {"[1.5.5]", 4, NO_COMMA_A},
        {"0x10", 1, TRAILING},
        {"1_000", 1, TRAILING},
        {"1,5", 1, TRAILING},
        {"[1e5.5]", 4, NO_COMMA_A},
        {"1e400", 0, RANGE},
        {"[1, -1e309]", 4, RANGE},
        {"{\"a\":1e999}", 5, RANGE},
        {"\xD9\xA1", 0, NO_VALUE},
    };
    check_refusals(cases, COUNT(cases), NULL);
    check_refusals(cases, COUNT(cases), &safe);
}

static void test_unsafe_integers(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"9007199254740992", 0, UNSAFE},
        {" -9007199254740992", 1, UNSAFE},
        {"[1,9007199254740993]", 3, UNSAFE},
        {"[9007199254740992.0]", 1, UNSAFE},
        {"[9.007199254740992e15]", 1, UNSAFE},
        {"{\"n\":90071992547409920e-1}", 5, UNSAFE},
        {"[10000000000000000]", 1, UNSAFE},
        {"[1e16]", 1, UNSAFE},
        {"[1E22]", 1, UNSAFE},
        {"[-1e308]", 1, UNSAFE},
        {"[123456789012345678901234567890]", 1, UNSAFE},
        {"[18446744073709551616]", 1, UNSAFE},
        {"[18446744073709551617]", 1, UNSAFE}, /* 1 modulo 2^64 */
        /* Fractions that would be canonicalised to such an integer. */
        {"[9007199254740992.5]", 1, UNSAFE},
        {"[9007199254740991.5]", 1, UNSAFE},
    };
    check_refusals(cases, COUNT(cases), &safe);
    const struct ves_json *root;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(
            read_bytes(ves_bytes_str(cases[i].text), NULL, &root, NULL),
            VES_OK);
    static const char *const fine[] = {
        "9007199254740991",
        "-9007199254740991",
        "9007199254740991.0",
        "9.007199254740991e15",
        "9007199254740991.4999",
        "0",
        "-0",
        "0e400",
        "1e-400",
        "1e15",
        "0.1",
        "\"9007199254740992\"",
    };
    for (size_t i = 0; i < COUNT(fine); i++)
        assert_int_equal(read_bytes(ves_bytes_str(fine[i]), &safe, &root, NULL),
                         VES_OK);
}

static void test_strings_refused(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"\"", 1, OPEN_STRING},
        {"\"abc", 4, OPEN_STRING},
        {"\"0123456789abcdef", 17, OPEN_STRING},
        {"{\"abc", 5, OPEN_STRING},
        {"\"\\", 2, SHORT_INPUT},
        {"\"a\\\"", 4, OPEN_STRING},
        {"\"a\nb\"", 2, CONTROL},
        {"\"01234567\t\"", 9, CONTROL},
        {"{\"a\x1f\":1}", 3, CONTROL},
        {"\"\\a\"", 1, ESCAPE},
        {"\"\\'\"", 1, ESCAPE},
        {"\"\\x41\"", 1, ESCAPE},
        {"\"\\0\"", 1, ESCAPE},
        {"\"\\U0041\"", 1, ESCAPE},
        {"\"ab\\\xC3\xA9\"", 3, ESCAPE},
        {"\"\\u\"", 1, HEX4},
        {"\"\\u004\"", 1, HEX4},
        {"\"\\u004", 1, HEX4},
        {"\"\\u00g1\"", 1, HEX4},
        {"\"\\u 041\"", 1, HEX4},
        {"\"\\u+041\"", 1, HEX4},
        {"\"\\u0x41\"", 1, HEX4},
        {"\"\\u0X0041\"", 1, HEX4},
        {"\"\\ud800\"", 1, LONE_HIGH},
        {"\"\\uDBFF\"", 1, LONE_HIGH},
        {"\"abc\\ud83dx\"", 4, LONE_HIGH},
        {"\"\\ud83d\\n\"", 1, LONE_HIGH},
        {"\"\\ud83d\\u0041\"", 1, LONE_HIGH},
        {"\"\\ud83d\\ud83d\\ude00\"", 1, LONE_HIGH},
        {"\"\\ud83d\\u\"", 1, LONE_HIGH},
        {"\"\\ud83d\\ude0", 1, LONE_HIGH},
        {"\"\\ud83d", 1, LONE_HIGH},
        {"\"\\ud83d\\ue000\"", 1, LONE_HIGH},
        {"\"\\udc00\"", 1, LONE_LOW},
        {"\"ab\\uDFFF\"", 3, LONE_LOW},
        {"\"\\ud83d\\ude00\\ude00\"", 13, LONE_LOW},
        {"{\"\\udc00\":1}", 2, LONE_LOW},
    };
    check_refusals(cases, COUNT(cases), NULL);
    for (unsigned c = 0; c < 0x20; c++) {
        char text[] = "\"ab?\"";
        text[3] = (char)c;
        check_refusal(ves_bytes(text, 5), NULL, 3, CONTROL);
    }
}

/* Every byte at every place of a long string, where eight are looked at
 * together. */
static void test_every_byte_in_a_string(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 1; at < 25; at++) {
            char text[] = "\"abcdefghijklmnopqrstuvwx\"";
            struct ves_bytes input = ves_bytes(text, sizeof(text) - 1);
            text[at] = (char)c;
            if (c < 0x20) {
                check_refusal(input, NULL, at, CONTROL);
            } else if (c >= 0x80) {
                check_refusal(input, NULL, at, BAD_UTF8);
            } else if (c == '"') {
                check_refusal(input, NULL, at + 1, TRAILING);
            } else if (c != '\\') {
                const struct ves_json *root = must_read(text);
                assert_true(
                    ves_bytes_equal(root->string, ves_bytes(text + 1, 24)));
            } else if (at == 24) {
                check_refusal(input, NULL, 26, OPEN_STRING);
            } else if (!strchr("bfnrt", text[at + 1])) {
                check_refusal(input, NULL, at,
                              text[at + 1] == 'u' ? HEX4 : ESCAPE);
            } else {
                assert_int_equal(must_read(text)->string.len, 23);
            }
        }
    }
}

/* Every class of ill-formed UTF-8, at every place around a word of eight
 * bytes, in values and names. */
static void test_utf8_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"\x80",
                                         "\xBF",
                                         "\x80\x80",
                                         "\xC0\x80",
                                         "\xC1\xBF",
                                         "\xC3",
                                         "\xC3(",
                                         "\xE0\x80\x80",
                                         "\xE0\x9F\xBF",
                                         "\xE2\x82",
                                         "\xE2(\xA1",
                                         "\xE2\x82(",
                                         "\xED\xA0\x80",
                                         "\xED\xBF\xBF",
                                         "\xF0\x80\x80\x80",
                                         "\xF0\x8F\xBF\xBF",
                                         "\xF0\x9F\x98",
                                         "\xF0(\x98\x80",
                                         "\xF0\x9F(\x80",
                                         "\xF0\x9F\x98(",
                                         "\xF4\x90\x80\x80",
                                         "\xF5\x80\x80\x80",
                                         "\xF8\x88\x80\x80\x80",
                                         "\xFE",
                                         "\xFF"};
    for (size_t i = 0; i < COUNT(broken); i++) {
        for (int lead = 0; lead < 18; lead++) {
            char text[64];
            snprintf(text, sizeof(text), "\"%.*s%s\"", lead,
                     "abcdefghijklmnopqrs", broken[i]);
            check_refusal(ves_bytes_str(text), NULL, 1 + (size_t)lead,
                          BAD_UTF8);
            snprintf(text, sizeof(text), "{\"%.*s%s\":1}", lead,
                     "abcdefghijklmnopqrs", broken[i]);
            check_refusal(ves_bytes_str(text), NULL, 2 + (size_t)lead,
                          BAD_UTF8);
        }
    }
    /* Cut by the end of the input. */
    check_refusal(ves_bytes_str("\"abc\xF0\x9F\x98"), NULL, 4, BAD_UTF8);
}

static void test_duplicates_refused(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {"{\"a\":1,\"a\":2}", 7, DUPLICATE},
        {"{\"a\":1,\"b\":0, \"a\" :2}", 14, DUPLICATE},
        {"{\"\":1,\"\":2}", 6, DUPLICATE},
        {"{\"a\":1,\"\\u0061\":2}", 7, DUPLICATE},
        {"{\"\\u0061\":1,\"a\":2}", 12, DUPLICATE},
        {"{\"\\u00e9\":1,\"\xC3\xA9\":2}", 12, DUPLICATE},
        {"{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}", 18, DUPLICATE},
        {"{\"\\/\":1,\"/\":2}", 8, DUPLICATE},
        {"{\"x\\n\":1,\"x\\u000A\":2}", 9, DUPLICATE},
        {"[{\"o\":{\"k\":{},\"k\":[]}}]", 14, DUPLICATE},
        /* The first that repeats, even when others follow. */
        {"{\"b\":1,\"a\":2,\"b\":3,\"a\":4}", 13, DUPLICATE},
        {"{\"a\":\"\\\"\",\"a\":1}", 10, DUPLICATE},
    };
    check_refusals(cases, COUNT(cases), NULL);
    must_read("{\"a\":{\"a\":{\"a\":1}},\"A\":1,\"a \":1,\"\":1}");
}

/* Objects of all sizes around the switch to sorting, and a large one; the
 * repeated name anywhere. */
static void test_duplicates_in_large_objects(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 3, 8, 15, 16, 17, 18, 33, 1000, 20000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        size_t count = sizes[s];
        for (unsigned kind = 0; kind < 4; kind++) {
            struct ves_buf buf;
            ves_buf_init(&buf, ves_alloc_default(), 1u << 22);
            size_t twice = kind == 0   ? 0
                           : kind == 1 ? (count - 1) / 2
                                       : count - 2;
            size_t offset = 0;
            ves_buf_put_u8(&buf, '{');
            for (size_t i = 0; i < count; i++) {
                ves_buf_put_str(&buf, i ? ",\n" : "");
                /* An order that is neither ascending nor descending. */
                size_t name = i * 7919 % count;
                if (i == count - 1) {
                    offset = buf.len;
                    if (kind < 3)
                        name = twice * 7919 % count;
                }
                ves_buf_putf(&buf, "\"%zu\":%zu", name, i);
            }
            ves_buf_put_u8(&buf, '}');
            struct ves_bytes text = ves_buf_view(&buf);
            const struct ves_json *root = NULL;
            if (kind < 3) {
                check_refusal(text, NULL, offset, DUPLICATE);
            } else {
                assert_int_equal(ves_json_read(&arena, text, NULL, &root, NULL),
                                 VES_OK);
                assert_int_equal(root->count, count);
                for (size_t i = 0; i < count; i++) {
                    char name[32];
                    uint64_t value;
                    snprintf(name, sizeof(name), "%zu", i * 7919 % count);
                    assert_true(ves_json_get_u64(root, name, &value));
                    assert_int_equal(value, i);
                }
                assert_null(ves_json_member(root, "none"));
            }
            ves_buf_free(&buf);
            ves_arena_reset(&arena);
        }
    }
}

/* Of several repeated names in a large object the first is reported, whatever
 * their order by name. */
static void test_first_duplicate(void **state)
{
    (void)state;
    for (int swap = 0; swap < 2; swap++) {
        struct ves_buf buf;
        ves_buf_init(&buf, ves_alloc_default(), 1u << 16);
        ves_buf_put_u8(&buf, '{');
        for (int i = 10; i < 40; i++)
            ves_buf_putf(&buf, "\"%d\":0,", i);
        size_t offset = buf.len;
        ves_buf_put_str(&buf,
                        swap ? "\"12\":1,\"35\":1," : "\"35\":1,\"12\":1,");
        ves_buf_put_str(&buf, "\"20\":1,\"12\":1}");
        check_refusal(ves_buf_view(&buf), NULL, offset, DUPLICATE);
        ves_buf_free(&buf);
    }
}

static void nest(char *text, size_t depth, bool objects)
{
    size_t len = 0;
    for (size_t i = 0; i < depth; i++) {
        if (!objects)
            text[len++] = '[';
        else
            len += (size_t)snprintf(text + len, 6, "{\"a\":");
    }
    text[len++] = '1';
    for (size_t i = 0; i < depth; i++)
        text[len++] = objects ? '}' : ']';
    text[len] = '\0';
}

static void test_depth(void **state)
{
    (void)state;
    static char text[4000];
    const struct ves_json *root;
    assert_int_equal(VES_JSON_DEPTH_MAX, 64);
    for (int objects = 0; objects < 2; objects++) {
        size_t width = objects ? 5 : 1;
        nest(text, 64, objects);
        must_read(text);
        nest(text, 65, objects);
        check_refusal(ves_bytes_str(text), NULL, 64 * width, TOO_DEEP);
        for (uint32_t max = 1; max <= VES_JSON_DEPTH_LIMIT; max *= 4) {
            struct ves_json_options options = {.depth_max = max};
            nest(text, max, objects);
            assert_int_equal(
                read_bytes(ves_bytes_str(text), &options, &root, NULL), VES_OK);
            nest(text, max + 1, objects);
            check_refusal(ves_bytes_str(text), &options, max * width, TOO_DEEP);
        }
    }
    /* Depth is nesting, not the number of containers. */
    struct ves_json_options two = {.depth_max = 2};
    assert_int_equal(read_bytes(ves_bytes_str("[[],[],{},[1],{\"a\":2}]"), &two,
                                &root, NULL),
                     VES_OK);
    check_refusal(ves_bytes_str("[[],[],{\"a\":[]}]"), &two, 12, TOO_DEEP);
    struct ves_json_options one = {.depth_max = 1};
    assert_int_equal(read_bytes(ves_bytes_str("7"), &one, &root, NULL), VES_OK);
}

static void test_tree(void **state)
{
    (void)state;
    const struct ves_json *root = must_read(
        " {\"n\" : null, \"t\":true,\"f\":false , \"i\":-12,\"d\":1.50e1,"
        "\"s\":\"x\\ty\",\"a\":[1, [ ] ,{ }],\"o\":{\"k\":\"v\"}} ");
    assert_int_equal(root->type, VES_JSON_OBJECT);
    assert_int_equal(root->count, 8);
    assert_null(root->next);
    static const enum ves_json_type types[] = {
        VES_JSON_NULL,   VES_JSON_TRUE,   VES_JSON_FALSE, VES_JSON_NUMBER,
        VES_JSON_NUMBER, VES_JSON_STRING, VES_JSON_ARRAY, VES_JSON_OBJECT};
    static const char *const texts[] = {
        "null",   "true",      "false",         "-12",
        "1.50e1", "\"x\\ty\"", "[1, [ ] ,{ }]", "{\"k\":\"v\"}"};
    static const char names[] = "ntfidsao";
    size_t i = 0;
    for (const struct ves_json *m = root->first; m; m = m->next, i++) {
        assert_int_equal(m->type, types[i]);
        assert_true(ves_bytes_is(m->text, texts[i]));
        assert_true(ves_bytes_equal(m->key, ves_bytes(names + i, 1)));
    }
    assert_int_equal(i, 8);
    assert_true(ves_json_member(root, "i")->number == -12);
    assert_true(ves_json_member(root, "d")->number == 15);
    assert_true(ves_bytes_is(ves_json_member(root, "s")->string, "x\ty"));
    const struct ves_json *array = ves_json_member(root, "a");
    assert_int_equal(array->count, 3);
    assert_int_equal(array->first->next->type, VES_JSON_ARRAY);
    assert_int_equal(array->first->next->count, 0);
    assert_null(array->first->next->first);
    assert_true(ves_bytes_is(array->first->next->text, "[ ]"));
    assert_int_equal(array->first->next->next->type, VES_JSON_OBJECT);
    assert_int_equal(array->first->next->next->count, 0);
    assert_int_equal(must_read("\"top\"")->type, VES_JSON_STRING);
    assert_int_equal(must_read("null")->type, VES_JSON_NULL);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct ves_bytes want;
    } cases[] = {
        {"\"\"", {(const uint8_t *)"", 0}},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
         {(const uint8_t *)"\"\\/\b\f\n\r\t", 8}},
        {"\"\\u0000\"", {(const uint8_t *)"\0", 1}},
        {"\"a\\u0000b\"", {(const uint8_t *)"a\0b", 3}},
        {"\"\\u0041\\u007f\\u0080\\u07FF\\u0800\\uFFFF\"",
         {(const uint8_t *)"A\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF",
          12}},
        {"\"\\ud83d\\ude00\"", {(const uint8_t *)"\xF0\x9F\x98\x80", 4}},
        {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"",
         {(const uint8_t *)"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8}},
        {"\"\\ud7ff\\ue000\"",
         {(const uint8_t *)"\xED\x9F\xBF\xEE\x80\x80", 6}},
        {"\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F\"",
         {(const uint8_t *)"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F", 10}},
        {"\"tail after \\n an escape, and more than eight\"",
         {(const uint8_t *)"tail after \n an escape, and more than eight", 43}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ves_json *root = must_read(cases[i].text);
        assert_int_equal(root->type, VES_JSON_STRING);
        if (!ves_bytes_equal(root->string, cases[i].want))
            fail_msg("%s is wrong", cases[i].text);
    }
    /* All escapes \u0000 to \uffff against the UTF-8 of their number. */
    for (unsigned c = 0; c < 0x10000; c++) {
        char text[16];
        uint8_t want[3];
        size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
        snprintf(text, sizeof(text), c & 1 ? "\"\\u%04x\"" : "\"\\u%04X\"", c);
        if (c >= 0xD800 && c <= 0xDFFF) {
            check_refusal(ves_bytes_str(text), NULL, 1,
                          c < 0xDC00 ? LONE_HIGH : LONE_LOW);
            continue;
        }
        want[0] = (uint8_t)(len == 1   ? c
                            : len == 2 ? 0xC0 | c >> 6
                                       : 0xE0 | c >> 12);
        want[1] = (uint8_t)(0x80 | (len == 2 ? c & 63 : c >> 6 & 63));
        want[2] = (uint8_t)(0x80 | (c & 63));
        const struct ves_json *root = must_read(text);
        assert_true(ves_bytes_equal(root->string, ves_bytes(want, len)));
    }
}

static void test_members(void **state)
{
    (void)state;
    const struct ves_json *root =
        must_read("{\"u\":7,\"big\":9007199254740991,\"over\":9007199254740992,"
                  "\"neg\":-1,\"frac\":1.5,\"exp\":1e3,\"zero\":-0,\"s\":\"x\","
                  "\"t\":true,\"f\":false,\"n\":null}");
    uint64_t u = 42;
    bool b = false;
    struct ves_bytes s = ves_bytes_str("old");
    assert_true(ves_json_get_u64(root, "u", &u) && u == 7);
    assert_true(ves_json_get_u64(root, "big", &u) &&
                u == (uint64_t)VES_SAFE_INTEGER_MAX);
    assert_true(ves_json_get_u64(root, "exp", &u) && u == 1000);
    assert_true(ves_json_get_u64(root, "zero", &u) && u == 0);
    u = 42;
    static const char *const no_u64[] = {"over", "neg", "frac", "s",
                                         "t",    "n",   "none"};
    for (size_t i = 0; i < COUNT(no_u64); i++)
        assert_false(ves_json_get_u64(root, no_u64[i], &u));
    assert_int_equal(u, 42);
    assert_true(ves_json_get_bool(root, "t", &b) && b);
    assert_true(ves_json_get_bool(root, "f", &b) && !b);
    assert_false(ves_json_get_bool(root, "n", &b));
    assert_false(ves_json_get_bool(root, "u", &b));
    assert_false(ves_json_get_bool(root, "none", &b));
    assert_true(ves_json_get_string(root, "s", &s) && ves_bytes_is(s, "x"));
    assert_false(ves_json_get_string(root, "u", &s));
    assert_false(ves_json_get_string(root, "none", &s));
    assert_true(ves_json_is_absent(NULL));
    assert_true(ves_json_is_absent(ves_json_member(root, "n")));
    assert_true(ves_json_is_absent(ves_json_member(root, "none")));
    assert_false(ves_json_is_absent(ves_json_member(root, "f")));
    assert_null(ves_json_member(NULL, "u"));
    assert_null(ves_json_member(ves_json_member(root, "s"), "u"));
    assert_null(ves_json_member(must_read("[1]"), ""));
    assert_false(ves_json_as_u64(NULL, &u));
    assert_false(ves_json_as_u64(must_read("1e308"), &u));
}

static void check_end(const char *text, size_t from, size_t want)
{
    size_t offset = from;
    struct ves_json_where where = {0, NULL};
    if (ves_json_skip(ves_bytes_str(text), &offset, &where))
        fail_msg("%s: %s at %zu", text, where.reason, where.offset);
    if (offset != want)
        fail_msg("%s: ends at %zu, not %zu", text, offset, want);
}

static void test_skip(void **state)
{
    (void)state;
    check_end("1", 0, 1);
    check_end("  -1.5e3 ,2", 0, 8);
    check_end("true]", 0, 4);
    check_end("x y", 0, 1); /* what it is, the reader will say */
    check_end("\"a\\\"]\\\\\" ", 0, 8);
    check_end("\"0123456789\\\"abcdefgh\",1", 0, 22);
    check_end("\"\x01\xC3\xA9\xFF\n\"x", 0, 7);
    check_end("{} {}", 0, 2);
    check_end("{} {}", 2, 5);
    check_end("[ ]]", 0, 3);
    check_end("{\"a\":[1,{\"]\":\"}\"}]}, 1", 0, 19);
    check_end("[1 2,,:]", 0, 8);
    check_end("[{\"a\" 01 tru}]x", 0, 14);
    check_end("{\"events\": [ {\"a\":1} , {\"a\":2} ]}", 12, 20);
    static const struct refusal broken[] = {
        {"", 0, SHORT_INPUT},
        {"  ", 2, SHORT_INPUT},
        {"[", 1, SHORT_INPUT},
        {"[1,[2]", 6, SHORT_INPUT},
        {"{\"a\":1", 6, SHORT_INPUT},
        {"\"abc", 4, OPEN_STRING},
        {"\"abc\\", 5, OPEN_STRING},
        {"\"abc\\\"", 6, OPEN_STRING},
        {"[\"a\\\\\\\"]", 8, OPEN_STRING},
        {"]", 0, "a bracket that closes nothing"},
        {" }", 1, "a bracket that closes nothing"},
        {"[}", 1, "a bracket that closes nothing"},
        {"{\"a\":[1}]", 7, "a bracket that closes nothing"},
        {"[{]", 2, "a bracket that closes nothing"},
        {",", 0, NO_VALUE},
        {" :1", 1, NO_VALUE},
    };
    for (size_t i = 0; i < COUNT(broken); i++) {
        size_t offset = 0;
        struct ves_json_where where = {99, NULL};
        assert_int_equal(
            ves_json_skip(ves_bytes_str(broken[i].text), &offset, &where),
            VES_MALFORMED);
        assert_string_equal(where.reason, broken[i].reason);
        assert_int_equal(where.offset, broken[i].offset);
        assert_int_equal(offset, 0);
    }
    size_t beyond = 5;
    assert_int_equal(ves_json_skip(ves_bytes_str("123"), &beyond, NULL),
                     VES_MALFORMED);
}

/* An event nested without end must not spoil the others of its request. */
static void test_skip_deep(void **state)
{
    (void)state;
    enum { DEPTH = 300000 };
    char *text = malloc(2 * DEPTH + 1);
    assert_non_null(text);
    for (size_t i = 0; i < DEPTH; i++) {
        text[i] = i % 3 ? '[' : '{';
        text[2 * DEPTH - 1 - i] = i % 3 ? ']' : '}';
    }
    text[2 * DEPTH] = ',';
    size_t offset = 0;
    assert_int_equal(
        ves_json_skip(ves_bytes(text, 2 * DEPTH + 1), &offset, NULL), VES_OK);
    assert_int_equal(offset, 2 * DEPTH);
    offset = 0;
    text[2 * DEPTH - 100] = text[2 * DEPTH - 100] == ']' ? '}' : ']';
    struct ves_json_where where;
    assert_int_equal(
        ves_json_skip(ves_bytes(text, 2 * DEPTH + 1), &offset, &where),
        VES_MALFORMED);
    assert_int_equal(where.offset, 2 * DEPTH - 100);
    free(text);
}

/* RFC 6901, section 5. */
static void test_pointer(void **state)
{
    (void)state;
    const struct ves_json *root = must_read(
        "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
        "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,"
        "\"o\":{\"p\":[{\"q\":9}]},\"~1\":10,\"\\u0000\":11}");
    static const struct {
        const char *pointer;
        const char *text;
    } cases[] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/foo/1", "\"baz\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/o/p/0/q", "9"},
        {"/~01", "10"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/01", NULL},
        {"/foo/+1", NULL},
        {"/foo/", NULL},
        {"/foo/18446744073709551616", NULL},
        {"/foo/0/0", NULL},
        {"foo", NULL},
        {"/bar", NULL},
        {"/a~b", NULL},
        {"/m~n", NULL},
        {"/m~", NULL},
        {"/~1", NULL},
        {"/~2", NULL},
        {"//", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ves_json *node =
            ves_json_pointer(root, ves_bytes_str(cases[i].pointer));
        if (cases[i].text ? !node || !ves_bytes_is(node->text, cases[i].text)
                          : node != NULL)
            fail_msg("%s is wrong", cases[i].pointer);
    }
    assert_ptr_equal(ves_json_pointer(root, ves_bytes(NULL, 0)), root);
    assert_non_null(ves_json_pointer(root, ves_bytes("/\0", 2)));
    assert_null(ves_json_pointer(NULL, ves_bytes_str("/a")));
}

static void test_equal(void **state)
{
    (void)state;
    static const char *const groups[][4] = {
        {"null", " null "},
        {"true"},
        {"false"},
        {"0", "-0", "0.0", "0e5"},
        {"1", "1.0", "10e-1", "1E0"},
        {"1.5", "15e-1"},
        {"\"a\"", "\"\\u0061\""},
        {"\"\""},
        {"\"1\""},
        {"[]", "[ ]"},
        {"{}"},
        {"[1,2]", "[1.0, 2]"},
        {"[2,1]"},
        {"[1,2,3]"},
        {"[[1],2]"},
        {"[1,[2]]"},
        {"[[],{}]"},
        {"[{},[]]"},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "{\"\\u0062\":2e0,\"a\":1}"},
        {"{\"a\":2,\"b\":1}"},
        {"{\"a\":1,\"c\":2}"},
        {"{\"a\":1}"},
        {"{\"a\":{\"x\":[1,{\"y\":null}],\"z\":0},\"b\":[]}",
         "{\"b\":[],\"a\":{\"z\":0,\"x\":[1,{\"y\":null}]}}"},
        {"{\"a\":{\"x\":[1,{\"y\":false}],\"z\":0},\"b\":[]}"},
        {"{\"a\":{\"x\":[1,{}],\"z\":0},\"b\":[]}"},
    };
    for (size_t i = 0; i < COUNT(groups); i++) {
        for (size_t j = 0; j < COUNT(groups); j++) {
            for (size_t a = 0; a < 4 && groups[i][a]; a++) {
                for (size_t b = 0; b < 4 && groups[j][b]; b++) {
                    if (ves_json_equal(must_read(groups[i][a]),
                                       must_read(groups[j][b])) != (i == j))
                        fail_msg("%s and %s", groups[i][a], groups[j][b]);
                }
            }
        }
    }
}

/* Comparing and finding must not be quadratic: 60,000 members in opposite
 * orders, one of them already sorted. */
static void test_equal_large(void **state)
{
    (void)state;
    enum { COUNT_OF_MEMBERS = 60000 };
    struct ves_buf buf[2];
    const struct ves_json *root[2];
    for (size_t k = 0; k < 2; k++) {
        ves_buf_init(&buf[k], ves_alloc_default(), 4u << 20);
        ves_buf_put_u8(&buf[k], '{');
        for (size_t i = 0; i < COUNT_OF_MEMBERS; i++) {
            size_t name = k ? COUNT_OF_MEMBERS - 1 - i : i;
            ves_buf_putf(&buf[k], "%s\"%05zu\":%zu", i ? "," : "", name, name);
        }
        ves_buf_put_u8(&buf[k], '}');
        assert_int_equal(
            ves_json_read(&arena, ves_buf_view(&buf[k]), NULL, &root[k], NULL),
            VES_OK);
    }
    assert_true(ves_json_equal(root[0], root[1]));
    assert_true(ves_json_equal(root[1], root[0]));
    ves_buf_free(&buf[0]);
    ves_buf_free(&buf[1]);
}

static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    size_t *left = ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (*left == 0)
        return NULL;
    --*left;
    return realloc(ptr, size);
}

/* Memory that runs out at any point: VES_NOMEM, never anything else. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 1u << 20);
    ves_buf_put_str(&buf, "{\"esc\\n\":\"\\u00e9 and so on\"");
    for (int i = 0; i < 400; i++)
        ves_buf_putf(&buf, ",\"k%d\":[%d,{\"x\":\"\\t%d\"}]", 400 - i, i, i);
    ves_buf_put_u8(&buf, '}');
    const struct ves_json *root;
    struct ves_arena small;
    unsigned failures = 0;
    for (size_t max = 0;; max += 1009) {
        ves_arena_init(&small, ves_alloc_default(), max);
        struct ves_json_where where = {0, NULL};
        enum ves_status status =
            ves_json_read(&small, ves_buf_view(&buf), NULL, &root, &where);
        ves_arena_free(&small);
        if (status == VES_OK)
            break;
        assert_int_equal(status, VES_NOMEM);
        assert_string_equal(where.reason, "out of memory");
        failures++;
    }
    assert_true(failures > 50);
    for (size_t calls = 0;; calls++) {
        size_t left = calls;
        struct ves_alloc alloc = {failing_realloc, &left};
        ves_arena_init(&small, &alloc, SIZE_MAX);
        enum ves_status status =
            ves_json_read(&small, ves_buf_view(&buf), NULL, &root, NULL);
        ves_arena_free(&small);
        if (status == VES_OK) {
            assert_true(calls > 2);
            break;
        }
        assert_int_equal(status, VES_NOMEM);
    }
    ves_buf_free(&buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_structure_refused),
        TEST(test_numbers_refused),
        TEST(test_unsafe_integers),
        TEST(test_strings_refused),
        TEST(test_every_byte_in_a_string),
        TEST(test_utf8_refused),
        TEST(test_duplicates_refused),
        TEST(test_duplicates_in_large_objects),
        TEST(test_first_duplicate),
        TEST(test_depth),
        TEST(test_tree),
        TEST(test_strings),
        TEST(test_members),
        TEST(test_skip),
        TEST(test_skip_deep),
        TEST(test_pointer),
        TEST(test_equal),
        TEST(test_equal_large),
        TEST(test_out_of_memory),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
