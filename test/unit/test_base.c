/* test_base.c -- status, error, bytes, panic, text forms, UUIDs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"

static void test_status(void **state)
{
    (void)state;
    static const struct {
        enum ves_status status;
        const char *name;
        const char *message;
    } all[] = {
#define X(name, value, message) {VES_##name, #name, message},
        VES_STATUS_MAP(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_string_equal(ves_status_name(all[i].status), all[i].name);
        assert_string_equal(ves_status_message(all[i].status), all[i].message);
    }
    /* Values are ABI. */
    assert_int_equal(VES_OK, 0);
    assert_int_equal(VES_REFUSED, 6);
    assert_int_equal(VES_AGAIN, 16);
    assert_string_equal(ves_status_name((enum ves_status)999), "UNKNOWN");
    assert_string_equal(ves_status_message((enum ves_status)999),
                        "unknown status");
    assert_string_equal(ves_version(), VES_VERSION);
}

static void test_fail(void **state)
{
    (void)state;
    struct ves_error error;
    assert_int_equal(ves_fail(NULL, VES_LIMIT, "%d", 1), VES_LIMIT);
    assert_int_equal(ves_fail(&error, VES_IO, "disk %d is %s", 7, "full"),
                     VES_IO);
    assert_int_equal(error.status, VES_IO);
    assert_string_equal(error.text, "disk 7 is full");
    /* An argument may be the old text. */
    assert_int_equal(ves_fail(&error, VES_BUSY, "again: %s", error.text),
                     VES_BUSY);
    assert_string_equal(error.text, "again: disk 7 is full");
}

/* A text of two-, three- and four-byte characters is cut between two. */
static void test_fail_cuts_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC",
                                             "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(characters[c]);
        for (size_t lead = 0; lead < 4; lead++) {
            char text[1024];
            size_t len = lead;
            memset(text, 'x', lead);
            while (len + width < sizeof(text)) {
                memcpy(text + len, characters[c], width);
                len += width;
            }
            text[len] = '\0';
            struct ves_error error;
            ves_fail(&error, VES_LIMIT, "%s", text);
            size_t want = lead + (511 - lead) / width * width;
            assert_int_equal(strlen(error.text), want);
            assert_memory_equal(error.text, text, want);
            assert_true(ves_utf8_valid(ves_bytes_str(error.text), NULL));
        }
    }
    char ascii[600];
    memset(ascii, 'a', sizeof(ascii) - 1);
    ascii[sizeof(ascii) - 1] = '\0';
    struct ves_error error;
    ves_fail(&error, VES_LIMIT, "%s", ascii);
    assert_int_equal(strlen(error.text), 511);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(ves_bytes_compare(ves_bytes_str(""), ves_bytes_str("")),
                     0);
    assert_int_equal(ves_bytes_compare(ves_bytes(NULL, 0), ves_bytes_str("")),
                     0);
    assert_true(ves_bytes_compare(ves_bytes_str("a"), ves_bytes_str("ab")) < 0);
    assert_true(ves_bytes_compare(ves_bytes_str("b"), ves_bytes_str("ab")) > 0);
    assert_true(
        ves_bytes_compare(ves_bytes_str("\x7f"), ves_bytes_str("\xff")) < 0);
    assert_true(ves_bytes_equal(ves_bytes(NULL, 0), ves_bytes_str("")));
    assert_true(ves_bytes_is(ves_bytes_str("ves"), "ves"));
    assert_false(ves_bytes_is(ves_bytes_str("ves"), "vesx"));
    struct ves_hash hash = {{0}};
    struct ves_uuid uuid = {{0}};
    assert_true(ves_hash_is_zero(&hash));
    assert_true(ves_uuid_is_nil(&uuid));
    for (size_t i = 0; i < 8 * sizeof(hash.b); i++) {
        hash.b[i / 8] = (uint8_t)(1 << i % 8);
        assert_false(ves_hash_is_zero(&hash));
        hash.b[i / 8] = 0;
    }
    for (size_t i = 0; i < 8 * sizeof(uuid.b); i++) {
        uuid.b[i / 8] = (uint8_t)(1 << i % 8);
        assert_false(ves_uuid_is_nil(&uuid));
        uuid.b[i / 8] = 0;
    }
}

static jmp_buf panic_jump;
static char panic_text[128];

static void catch_panic(const char *what, const char *file, int line)
{
    (void)file;
    (void)line;
    snprintf(panic_text, sizeof(panic_text), "%s", what);
    longjmp(panic_jump, 1);
}

static void test_panic_handler(void **state)
{
    (void)state;
    volatile int two = 2;
    ves_set_panic_handler(catch_panic);
    if (setjmp(panic_jump) == 0) {
        VES_ASSERT(two == 3);
        fail_msg("an assertion was not checked");
    }
    assert_string_equal(panic_text, "two == 3");
    VES_ASSERT(two == 2);
    /* A counter over 12 bits is the caller's mistake. */
    struct ves_uuid uuid;
    uint8_t random[8] = {0};
    ves_set_panic_handler(catch_panic);
    if (setjmp(panic_jump) == 0) {
        ves_uuid_make_v7(1, 4096, random, &uuid);
        fail_msg("a broken contract was not noticed");
    }
    ves_set_panic_handler(NULL);
}

static void test_alloc_default(void **state)
{
    (void)state;
    const struct ves_alloc *alloc = ves_alloc_default();
    char *p = alloc->realloc(alloc->ctx, NULL, 8);
    assert_non_null(p);
    memcpy(p, "1234567", 8);
    p = alloc->realloc(alloc->ctx, p, 100000);
    assert_non_null(p);
    assert_string_equal(p, "1234567");
    assert_null(alloc->realloc(alloc->ctx, p, 0));
    assert_null(alloc->realloc(alloc->ctx, NULL, 0));
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t all[256];
    uint8_t back[256];
    char text[512];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    ves_hex_encode(all, sizeof(all), text);
    for (size_t i = 0; i < sizeof(all); i++) {
        char want[3];
        snprintf(want, sizeof(want), "%02x", (unsigned)i);
        assert_memory_equal(text + 2 * i, want, 2);
    }
    assert_int_equal(ves_hex_decode(ves_bytes(text, 512), back, 256), VES_OK);
    assert_memory_equal(all, back, 256);
    static const struct {
        const char *text;
        enum ves_status want;
    } cases[] = {
        {"00ff", VES_OK},          {"0x00ff", VES_OK},
        {"0X00FF", VES_OK},        {"00fF", VES_OK},
        {"", VES_MALFORMED},       {"0x", VES_MALFORMED},
        {"00f", VES_MALFORMED},    {"00ff0", VES_MALFORMED},
        {"0x0f", VES_MALFORMED},   {"00fg", VES_MALFORMED},
        {"00f ", VES_MALFORMED},   {"00ff00", VES_MALFORMED},
        {"0x0x00", VES_MALFORMED}, {"x00ff", VES_MALFORMED},
        {"00/f", VES_MALFORMED},   {"00:f", VES_MALFORMED},
        {"00@f", VES_MALFORMED},   {"00Gf", VES_MALFORMED},
        {"00`f", VES_MALFORMED},   {"\xff\xff\xff\xff", VES_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t b[2] = {9, 9};
        assert_int_equal(ves_hex_decode(ves_bytes_str(cases[i].text), b, 2),
                         cases[i].want);
        if (cases[i].want == VES_OK)
            assert_true(b[0] == 0x00 && b[1] == 0xFF);
    }
    assert_int_equal(ves_hex_decode(ves_bytes_str(""), back, 0), VES_OK);
    assert_int_equal(ves_hex_decode(ves_bytes_str("0x"), back, 0), VES_OK);
}

/* RFC 4648 section 10, without padding; and bytes that use '-' and '_'. */
static void test_b64u_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xef\xbe", "----"},
        {"\xff\xff\xff", "____"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        size_t len = strlen(pairs[i][0]);
        char text[16] = {0};
        assert_int_equal(ves_b64u_len(len), strlen(pairs[i][1]));
        ves_b64u_encode((const uint8_t *)pairs[i][0], len, text);
        assert_string_equal(text, pairs[i][1]);
        uint8_t back[16];
        size_t back_len = len;
        assert_int_equal(ves_b64u_decode(ves_bytes_str(text), back, &back_len),
                         VES_OK);
        assert_int_equal(back_len, len);
        assert_memory_equal(back, pairs[i][0], len);
        if (len == 0)
            continue;
        back_len = len - 1;
        assert_int_equal(ves_b64u_decode(ves_bytes_str(text), back, &back_len),
                         VES_LIMIT);
    }
}

static void test_b64u_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ves_status want;
    } cases[] = {
        {"Zg==", VES_OK},
        {"Zm8=", VES_OK},
        {"Zg=", VES_MALFORMED},
        {"Zg===", VES_MALFORMED},
        {"Zm8==", VES_MALFORMED},
        {"Zm9v=", VES_MALFORMED},
        {"Zm9v====", VES_MALFORMED},
        {"=", VES_MALFORMED},
        {"==", VES_MALFORMED},
        {"====", VES_MALFORMED},
        {"Z===", VES_MALFORMED},
        {"Z", VES_MALFORMED},
        {"Zm9vY", VES_MALFORMED},
        {"Zh", VES_MALFORMED},   /* stray bits */
        {"Zm9", VES_MALFORMED},  /* stray bits */
        {"Zh==", VES_MALFORMED}, /* stray bits */
        {"Z g", VES_MALFORMED},
        {"Zm+v", VES_MALFORMED},
        {"Zm/v", VES_MALFORMED},
        {"Zm9v\n", VES_MALFORMED},
        {"Z=g=", VES_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[16];
        size_t len = sizeof(out);
        if (ves_b64u_decode(ves_bytes_str(cases[i].text), out, &len) !=
            cases[i].want)
            fail_msg("%s", cases[i].text);
    }
    /* Of all texts of one last character exactly one in 16, or in 4, is
     * canonical. */
    unsigned good2 = 0;
    unsigned good3 = 0;
    for (unsigned c = 1; c < 256; c++) {
        uint8_t out[4];
        size_t len = sizeof(out);
        char text[4] = {'A', (char)c, 0, 0};
        good2 += ves_b64u_decode(ves_bytes(text, 2), out, &len) == VES_OK;
        text[1] = 'A';
        text[2] = (char)c;
        len = sizeof(out);
        good3 += ves_b64u_decode(ves_bytes(text, 3), out, &len) == VES_OK;
    }
    assert_int_equal(good2, 64 / 16);
    assert_int_equal(good3, 64 / 4);
}

/* What RFC 3629 says, decoded the slow way. */
static bool naive_utf8(const uint8_t *p, size_t n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0x80)
        return n == 1;
    size_t len = (p[0] & 0xE0) == 0xC0   ? 2
                 : (p[0] & 0xF0) == 0xE0 ? 3
                 : (p[0] & 0xF8) == 0xF0 ? 4
                                         : 0;
    if (len != n)
        return false;
    uint32_t c = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return false;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    return c >= least[n] && c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
}

/* All sequences of up to three bytes, and four-byte ones whose last two bytes
 * stand at the borders. */
static void test_utf8_exhaustive(void **state)
{
    (void)state;
    static const uint8_t border[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    size_t wrong = 0;
    for (unsigned a = 0; a < 256; a++) {
        uint8_t p[4] = {(uint8_t)a, 0, 0, 0};
        wrong += (ves_utf8_sequence(p, 1) == 1) != naive_utf8(p, 1);
        for (unsigned b = 0; b < 256; b++) {
            p[1] = (uint8_t)b;
            wrong += (ves_utf8_sequence(p, 2) == 2) != naive_utf8(p, 2);
            for (unsigned c = 0; a >= 0x80 && c < 256; c++) {
                p[2] = (uint8_t)c;
                wrong += (ves_utf8_sequence(p, 3) == 3) != naive_utf8(p, 3);
            }
            for (size_t i = 0; a >= 0x80 && i < 36; i++) {
                p[2] = border[i / 6];
                p[3] = border[i % 6];
                wrong += (ves_utf8_sequence(p, 4) == 4) != naive_utf8(p, 4);
            }
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(ves_utf8_sequence((const uint8_t *)"", 0), 0);
}

static void test_utf8_offset(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "\x80",         "\xBF",     "\xC0\xAF",         "\xC1\xBF",
        "\xC3",         "\xC3(",    "\xE0\x9F\xBF",     "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5",         "\xFF",     "\xF0\x9F\x98",     "\xFE"};
    static const char good[] = "plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80.";
    assert_true(ves_utf8_valid(ves_bytes_str(good), NULL));
    assert_true(ves_utf8_valid(ves_bytes(NULL, 0), NULL));
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        for (size_t lead = 0; lead < 20; lead++) {
            char text[64];
            memset(text, 'a', lead);
            snprintf(text + lead, sizeof(text) - lead, "%s%s", broken[i],
                     lead % 2 ? "tail of ASCII" : "");
            size_t bad = 99;
            assert_false(ves_utf8_valid(ves_bytes_str(text), &bad));
            assert_int_equal(bad, lead);
            assert_false(ves_utf8_valid(ves_bytes_str(text), NULL));
        }
    }
}

static void test_decimal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum ves_status want;
        uint64_t value;
    } cases[] = {
        {"0", VES_OK, 0},
        {"7", VES_OK, 7},
        {"18446744073709551615", VES_OK, UINT64_MAX},
        {"18446744073709551616", VES_MALFORMED, 0},
        {"18446744073709551620", VES_MALFORMED, 0},
        {"28446744073709551615", VES_MALFORMED, 0},
        {"184467440737095516150", VES_MALFORMED, 0},
        {"", VES_MALFORMED, 0},
        {"00", VES_MALFORMED, 0},
        {"01", VES_MALFORMED, 0},
        {"-1", VES_MALFORMED, 0},
        {"+1", VES_MALFORMED, 0},
        {" 1", VES_MALFORMED, 0},
        {"1 ", VES_MALFORMED, 0},
        {"1.0", VES_MALFORMED, 0},
        {"1e3", VES_MALFORMED, 0},
        {"0x1", VES_MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 42;
        assert_int_equal(
            ves_decimal_parse(ves_bytes_str(cases[i].text), &value),
            cases[i].want);
        assert_true(value == (cases[i].want ? 42 : cases[i].value));
    }
}

static void test_uuid_text(void **state)
{
    (void)state;
    static const char text[] = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    struct ves_uuid uuid;
    char back[VES_UUID_TEXT + 1];
    assert_int_equal(ves_uuid_parse(ves_bytes_str(text), &uuid), VES_OK);
    assert_int_equal(uuid.b[0], 0x0F);
    assert_int_equal(uuid.b[7], 0x78);
    assert_int_equal(uuid.b[15], 0xF0);
    ves_uuid_format(&uuid, back);
    assert_string_equal(back, text);
    struct ves_uuid upper;
    assert_int_equal(
        ves_uuid_parse(ves_bytes_str("0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0"),
                       &upper),
        VES_OK);
    assert_true(ves_uuid_equal(&uuid, &upper));
    static const char *const wrong[] = {
        "",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "{0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0}",
        "urn:uuid:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f",
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f00",
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1g0",
        "0x1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "0f1e2d3c-0x5a-6978-8796-a5b4c3d2e1f0",
        "0f1e2d3c 4b5a-6978-8796-a5b4c3d2e1f0",
        "0f1e2d3-c4b5a-6978-8796-a5b4c3d2e1f0",
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f ",
        " f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ves_uuid untouched = uuid;
        assert_int_equal(ves_uuid_parse(ves_bytes_str(wrong[i]), &untouched),
                         VES_MALFORMED);
        assert_true(ves_uuid_equal(&uuid, &untouched));
    }
}

/* The example of RFC 9562, appendix A.6. */
static void test_uuid_v7(void **state)
{
    (void)state;
    static const uint8_t random[8] = {0x18, 0xC4, 0xDC, 0x0C,
                                      0x0C, 0x07, 0x39, 0x8F};
    struct ves_uuid uuid;
    char text[VES_UUID_TEXT + 1];
    ves_uuid_make_v7(UINT64_C(0x017F22E279B0), 0xCC3, random, &uuid);
    ves_uuid_format(&uuid, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    /* Later, or a higher counter: sorts after, whatever the random bytes. */
    static const uint8_t high[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t low[8] = {0};
    struct ves_uuid a;
    struct ves_uuid b;
    ves_uuid_make_v7(1000, 4094, high, &a);
    ves_uuid_make_v7(1000, 4095, low, &b);
    assert_true(memcmp(a.b, b.b, sizeof(a.b)) < 0);
    ves_uuid_make_v7(1001, 0, low, &a);
    assert_true(memcmp(b.b, a.b, sizeof(a.b)) < 0);
    ves_uuid_make_v7(UINT64_MAX, 0, low, &b);
    assert_true(memcmp(a.b, b.b, sizeof(a.b)) < 0);
    assert_int_equal(b.b[6] >> 4, 7);
    assert_int_equal(b.b[8] >> 6, 2);
}

static void test_uuid_v8(void **state)
{
    (void)state;
    struct ves_hash hash;
    for (size_t i = 0; i < sizeof(hash.b); i++)
        hash.b[i] = (uint8_t)(0xFF - i);
    struct ves_uuid uuid;
    char text[VES_UUID_TEXT + 1];
    ves_uuid_make_v8(&hash, &uuid);
    ves_uuid_format(&uuid, text);
    assert_string_equal(text, "fffefdfc-fbfa-89f8-b7f6-f5f4f3f2f1f0");
}

/* RFC 4648 section 10; padding is not optional. */
static void test_b64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xFB\xEF\xFF", "++//"}};
    static const char *const wrong[] = {
        "Z",     "Zg",       "Zg=",   "Zg===", "Zh==",    "Zm9",
        "Zm9=v", "Zm8=Zm8=", "====",  "=",     "Z===",    "Zm-v",
        "Zm_v",  "Zm9v\n",   " Zm9v", "Zm 9",  "Zg==Zg=="};
    char text[32];
    uint8_t back[32];
    size_t len;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        size_t n = strlen(pairs[i][0]);
        assert_int_equal(ves_b64_len(n), strlen(pairs[i][1]));
        ves_b64_encode((const uint8_t *)pairs[i][0], n, text);
        assert_memory_equal(text, pairs[i][1], ves_b64_len(n));
        len = sizeof(back);
        assert_int_equal(ves_b64_decode(ves_bytes_str(pairs[i][1]), back, &len),
                         VES_OK);
        assert_int_equal(len, n);
        assert_memory_equal(back, pairs[i][0], n);
        assert_true(ves_b64_is_valid(ves_bytes_str(pairs[i][1]), &len));
        assert_int_equal(len, n);
        if (n > 0) {
            len = n - 1;
            assert_int_equal(
                ves_b64_decode(ves_bytes_str(pairs[i][1]), back, &len),
                VES_LIMIT);
        }
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        len = sizeof(back);
        if (ves_b64_decode(ves_bytes_str(wrong[i]), back, &len) !=
                VES_MALFORMED ||
            ves_b64_is_valid(ves_bytes_str(wrong[i]), &len))
            fail_msg("\"%s\" was read", wrong[i]);
    }
}

/* Long texts are looked at piece by piece; padding is at their end only. */
static void test_b64_is_valid_when_long(void **state)
{
    (void)state;
    uint8_t data[300];
    char text[400];
    size_t len;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n <= sizeof(data); n++) {
        size_t chars = ves_b64_len(n);
        ves_b64_encode(data, n, text);
        assert_true(ves_b64_is_valid(ves_bytes(text, chars), &len));
        assert_int_equal(len, n);
        for (size_t i = 0; i + 4 < chars; i++) {
            char kept = text[i];
            text[i] = '=';
            assert_false(ves_b64_is_valid(ves_bytes(text, chars), &len));
            text[i] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_fail_cuts_characters),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_panic_handler),
        cmocka_unit_test(test_alloc_default),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_b64),
        cmocka_unit_test(test_b64_is_valid_when_long),
        cmocka_unit_test(test_b64u_vectors),
        cmocka_unit_test(test_b64u_refusals),
        cmocka_unit_test(test_utf8_exhaustive),
        cmocka_unit_test(test_utf8_offset),
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_uuid_text),
        cmocka_unit_test(test_uuid_v7),
        cmocka_unit_test(test_uuid_v8),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
