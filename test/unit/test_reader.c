/* test_reader.c -- documents read back through ves/json.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "ves/json.h"

static struct ves_jr *jr;

static void open_document(const char *json)
{
    ves_jr_free(jr);
    jr = ves_jr_new(ves_alloc_default(), ves_bytes_str(json));
    assert_non_null(jr);
}

static int close_document(void **state)
{
    (void)state;
    ves_jr_free(jr);
    jr = NULL;
    return 0;
}

static void strings_come_decoded_and_others_as_written(void **state)
{
    (void)state;
    open_document("{\"s\":\"a\\\"\\u00e9\\n\",\"empty\":\"\",\"n\":-1.50e2,"
                  "\"t\":true,\"f\":false,\"z\":null,\"o\":{ \"a\" : 1 },"
                  "\"l\":[1, 2]}");
    assert_string_equal(ves_jr_str(jr, "/s"), "a\"\xc3\xa9\n");
    assert_string_equal(ves_jr_str(jr, "/empty"), "");
    assert_string_equal(ves_jr_str(jr, "/n"), "-1.50e2");
    assert_string_equal(ves_jr_str(jr, "/t"), "true");
    assert_string_equal(ves_jr_str(jr, "/f"), "false");
    assert_string_equal(ves_jr_str(jr, "/z"), "null");
    assert_string_equal(ves_jr_str(jr, "/o"), "{ \"a\" : 1 }");
    assert_string_equal(ves_jr_str(jr, "/l"), "[1, 2]");
    assert_string_equal(ves_jr_str(jr, "/missing"), "");
    assert_string_equal(ves_jr_str(jr, "/s/deeper"), "");
}

static void what_was_given_out_stays(void **state)
{
    (void)state;
    open_document("{\"a\":\"first\",\"b\":\"second\"}");
    const char *a = ves_jr_str(jr, "/a");
    const char *b = ves_jr_str(jr, "/b");
    assert_string_equal(a, "first");
    assert_string_equal(b, "second");
}

static void the_document_is_copied(void **state)
{
    char json[] = "{\"a\":\"kept\"}";

    (void)state;
    open_document(json);
    memset(json, 'x', sizeof(json) - 1);
    assert_string_equal(ves_jr_str(jr, "/a"), "kept");
}

static void pointers_are_rfc_6901(void **state)
{
    (void)state;
    open_document("{\"\":0,\"a/b\":1,\"m~n\":8,\" \":7,"
                  "\"list\":[{\"type\":\"x\"},{\"type\":\"y\"}]}");
    assert_int_equal(ves_jr_count(jr, "%s", ""), 5); /* the whole document */
    assert_true(ves_jr_has(jr, "/"));
    assert_int_equal(ves_jr_u64(jr, "/a~1b"), 1);
    assert_int_equal(ves_jr_u64(jr, "/m~0n"), 8);
    assert_int_equal(ves_jr_u64(jr, "/ "), 7);
    for (size_t i = 0; i < ves_jr_count(jr, "/list"); i++)
        assert_string_equal(ves_jr_str(jr, "/list/%zu/type", i), i ? "y" : "x");
    assert_false(ves_jr_has(jr, "/list/2"));
    assert_false(ves_jr_has(jr, "/list/-"));
    assert_false(ves_jr_has(jr, "/list/00"));
    assert_false(ves_jr_has(jr, "list"));
}

static void numbers_are_safe_integers(void **state)
{
    (void)state;
    open_document("{\"max\":9007199254740991,\"over\":9007199254740992,"
                  "\"zero\":0,\"minus\":-1,\"half\":0.5,\"exp\":1e3,"
                  "\"text\":\"12\"}");
    assert_true(ves_jr_u64(jr, "/max") == UINT64_C(9007199254740991));
    assert_int_equal(ves_jr_u64(jr, "/over"), 0);
    assert_int_equal(ves_jr_u64(jr, "/zero"), 0);
    assert_int_equal(ves_jr_u64(jr, "/minus"), 0);
    assert_int_equal(ves_jr_u64(jr, "/half"), 0);
    assert_int_equal(ves_jr_u64(jr, "/exp"), 1000);
    assert_int_equal(ves_jr_u64(jr, "/text"), 0);
    assert_int_equal(ves_jr_u64(jr, "/missing"), 0);
}

static void true_is_true_and_null_is_absent(void **state)
{
    (void)state;
    open_document("{\"t\":true,\"f\":false,\"z\":null,\"one\":1,"
                  "\"text\":\"true\"}");
    assert_true(ves_jr_bool(jr, "/t"));
    assert_false(ves_jr_bool(jr, "/f"));
    assert_false(ves_jr_bool(jr, "/one"));
    assert_false(ves_jr_bool(jr, "/text"));
    assert_false(ves_jr_bool(jr, "/missing"));
    assert_true(ves_jr_has(jr, "/f"));
    assert_false(ves_jr_has(jr, "/z"));
    assert_false(ves_jr_has(jr, "/missing"));
}

static void counts_are_of_arrays_and_objects(void **state)
{
    (void)state;
    open_document("{\"o\":{\"a\":1,\"b\":2,\"c\":3},\"l\":[0,0],\"e\":[],"
                  "\"s\":\"long text\",\"n\":5}");
    assert_int_equal(ves_jr_count(jr, "/o"), 3);
    assert_int_equal(ves_jr_count(jr, "/l"), 2);
    assert_int_equal(ves_jr_count(jr, "/e"), 0);
    assert_int_equal(ves_jr_count(jr, "/s"), 0);
    assert_int_equal(ves_jr_count(jr, "/n"), 0);
    assert_int_equal(ves_jr_count(jr, "/missing"), 0);
}

static void a_pointer_without_end_names_nothing(void **state)
{
    char name[2000];

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    open_document("{\"a\":1}");
    assert_false(ves_jr_has(jr, "/%s", name));
    assert_string_equal(ves_jr_str(jr, "/%s", name), "");
    /* And the next one is read as if nothing had been. */
    assert_int_equal(ves_jr_u64(jr, "/a"), 1);
}

static void what_is_not_well_formed_is_not_opened(void **state)
{
    static const char *const bad[] = {"",         "{",     "{\"a\":1,\"a\":2}",
                                      "[1,]",     "{} {}", "\"\\ud800\"",
                                      "\"\xff\"", "01",    "{\"a\":nul}"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(ves_jr_new(ves_alloc_default(), ves_bytes_str(bad[i])));
}

/* ---- memory -------------------------------------------------------------- */

struct counter {
    struct ves_alloc alloc;
    int left; /* allocations until one fails; -1: none does */
    int open;
};

static void *counting_realloc(void *ctx, void *ptr, size_t size)
{
    struct counter *counter = ctx;

    if (size == 0) {
        counter->open -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (counter->left == 0)
        return NULL;
    counter->left -= counter->left > 0;
    counter->open += ptr == NULL;
    return realloc(ptr, size);
}

static void no_memory_is_no_document_and_no_leak(void **state)
{
    struct counter counter = {{counting_realloc, &counter}, 0, 0};
    int needed = 0;

    (void)state;
    for (;; needed++) {
        counter.left = needed;
        struct ves_jr *made = ves_jr_new(
            &counter.alloc, ves_bytes_str("{\"a\":[1,2,{\"b\":\"c\"}]}"));
        if (made) {
            /* Out of memory later on is an absent value, not a crash. */
            counter.left = 0;
            assert_string_equal(ves_jr_str(made, "/nothing/%d", 1), "");
            ves_jr_free(made);
            break;
        }
        assert_int_equal(counter.open, 0);
    }
    assert_int_equal(counter.open, 0);
    assert_true(needed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(name, close_document)
        TEST(strings_come_decoded_and_others_as_written),
        TEST(what_was_given_out_stays),
        TEST(the_document_is_copied),
        TEST(pointers_are_rfc_6901),
        TEST(numbers_are_safe_integers),
        TEST(true_is_true_and_null_is_absent),
        TEST(counts_are_of_arrays_and_objects),
        TEST(a_pointer_without_end_names_nothing),
        TEST(what_is_not_well_formed_is_not_opened),
        TEST(no_memory_is_no_document_and_no_leak),
#undef TEST
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
