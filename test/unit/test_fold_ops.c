/* test_fold_ops.c -- operations of resolutions, done and taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/fold_ops.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

static struct ves_arena arena;
static struct ves_buf text, opposite;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 26);
    ves_buf_init(&text, ves_alloc_default(), (size_t)1 << 20);
    ves_buf_init(&opposite, ves_alloc_default(), (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    ves_buf_free(&text);
    ves_buf_free(&opposite);
    return 0;
}

static const char *spell(const struct ves_json *node)
{
    ves_buf_reset(&text);
    assert_int_equal(ves_jcs_write(&text, &arena, node), VES_OK);
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    return (const char *)text.ptr;
}

static const char *back(void)
{
    ves_buf_put_u8(&opposite, 0);
    assert_int_equal(ves_buf_status(&opposite), VES_OK);
    return (const char *)opposite.ptr;
}

/* Does the operations, and then the opposite: all is as it was. */
static void done_and_undone(void **state)
{
    static const struct {
        const char *before, *ops, *after, *opposite;
    } rows[] = {
        {"{\"a\":1}", "[]", "{\"a\":1}", "[]"},
        {"{\"a\":1}", "[{\"op\":\"set\",\"path\":\"/a\",\"value\":null}]",
         "{\"a\":null}", "[{\"op\":\"set\",\"path\":\"/a\",\"value\":1}]"},
        {"{\"a\":1}", "[{\"op\":\"set\",\"path\":\"/a\"}]", "{}",
         "[{\"op\":\"set\",\"path\":\"/a\",\"value\":1}]"},
        {"{\"a\":1}", "[{\"op\":\"set\",\"path\":\"/b/c\"}]", "{\"a\":1}",
         "[]"},
        {"{}", "[{\"op\":\"set\",\"path\":\"/b/c~1d/e\",\"value\":2}]",
         "{\"b\":{\"c/d\":{\"e\":2}}}", "[{\"op\":\"set\",\"path\":\"/b\"}]"},
        {"{\"b\":{\"x\":1}}",
         "[{\"op\":\"set\",\"path\":\"/b/y\",\"value\":2}]",
         "{\"b\":{\"x\":1,\"y\":2}}", "[{\"op\":\"set\",\"path\":\"/b/y\"}]"},
        {"{\"q_minor\":9000000000000}",
         "[{\"op\":\"delta\",\"path\":\"/q_minor\",\"value\":-7}]",
         "{\"q_minor\":8999999999993}",
         "[{\"op\":\"delta\",\"path\":\"/q_minor\",\"value\":7}]"},
        {"{\"s\":\"a\"}",
         "[{\"op\":\"transition\",\"path\":\"/s\",\"value\":\"b\"}]",
         "{\"s\":\"b\"}",
         "[{\"op\":\"transition\",\"path\":\"/s\",\"value\":\"a\"}]"},
        {"{\"q\":1.5}", "[{\"op\":\"delta\",\"path\":\"/q\",\"value\":\"-2\"}]",
         "{\"q\":-0.5}", "[{\"op\":\"delta\",\"path\":\"/q\",\"value\":2}]"},
        {"{\"t\":[1]}",
         "[{\"op\":\"add_to_set\",\"path\":\"/t\",\"value\":[1,2]}]",
         "{\"t\":[1,2]}", "[{\"op\":\"set\",\"path\":\"/t\",\"value\":[1]}]"},
        {"{}", "[{\"op\":\"append\",\"path\":\"/n\",\"value\":{\"x\":1}}]",
         "{\"n\":[{\"x\":1}]}", "[{\"op\":\"set\",\"path\":\"/n\"}]"},
        {"{\"a\":1}",
         "[{\"op\":\"set\",\"path\":\"/a\",\"value\":2},"
         "{\"op\":\"set\",\"path\":\"/a\",\"value\":3}]",
         "{\"a\":3}",
         "[{\"op\":\"set\",\"path\":\"/a\",\"value\":2},"
         "{\"op\":\"set\",\"path\":\"/a\",\"value\":1}]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ves_fold_ops ops = {.state = test_json(&arena, rows[i].before)};
        ves_buf_reset(&opposite);
        assert_int_equal(ves_fold_ops(&arena, test_json(&arena, rows[i].ops),
                                      &ops, &opposite),
                         VES_OK);
        assert_string_equal(spell(ops.state), rows[i].after);
        assert_string_equal(back(), rows[i].opposite);
        assert_int_equal(ves_fold_ops(&arena,
                                      test_json(&arena, rows[i].opposite), &ops,
                                      NULL),
                         VES_OK);
        assert_string_equal(spell(ops.state), rows[i].before);
    }
}

/* An undone delta on nothing leaves a zero: sums stay sums. */
static void deltas_leave_sums(void **state)
{
    struct ves_fold_ops ops = {.state = test_json(&arena, "{}")};
    (void)state;
    ves_buf_reset(&opposite);
    assert_int_equal(
        ves_fold_ops(&arena,
                     test_json(&arena, "[{\"op\":\"delta\",\"path\":\"/q\","
                                       "\"value\":3}]"),
                     &ops, &opposite),
        VES_OK);
    assert_int_equal(
        ves_fold_ops(&arena, test_json(&arena, back()), &ops, NULL), VES_OK);
    assert_string_equal(spell(ops.state), "{\"q\":0}");
}

/* What the entity's type says of it holds for operations, too. */
static void entity_types_count(void **state)
{
    static const struct {
        const char *entity_type, *before, *ops, *after, *opposite;
    } rows[] = {
        {"inventory", "{\"available\":3,\"on_hand\":5,\"reserved\":2}",
         "[{\"op\":\"delta\",\"path\":\"/on_hand\",\"value\":\"1.5\"}]",
         "{\"available\":4.5,\"on_hand\":6.5,\"reserved\":2}",
         "[{\"op\":\"delta\",\"path\":\"/on_hand\",\"value\":-1.5}]"},
        {"order", "{\"status\":\"shipped\"}",
         "[{\"op\":\"advance\",\"path\":\"/status\",\"value\":"
         "\"confirmed\"}]",
         "{\"status\":\"shipped\"}",
         "[{\"op\":\"transition\",\"path\":\"/status\",\"value\":"
         "\"shipped\"}]"},
        {"order", "{\"lines\":[{\"line_uid\":\"b\",\"q\":1},{\"line_uid\":7}]}",
         "[{\"op\":\"set\",\"path\":\"/lines/b/q\",\"value\":2}]",
         "{\"lines\":{\"7\":{\"line_uid\":7},\"b\":{\"line_uid\":\"b\","
         "\"q\":2}}}",
         "[{\"op\":\"set\",\"path\":\"/lines/b/q\",\"value\":1}]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ves_fold_ops ops = {.entity_type =
                                       ves_bytes_str(rows[i].entity_type),
                                   .state = test_json(&arena, rows[i].before)};
        ves_buf_reset(&opposite);
        assert_int_equal(ves_fold_ops(&arena, test_json(&arena, rows[i].ops),
                                      &ops, &opposite),
                         VES_OK);
        assert_string_equal(spell(ops.state), rows[i].after);
        assert_string_equal(back(), rows[i].opposite);
    }
    struct ves_fold_ops ops = {
        .entity_type = ves_bytes_str("order"),
        .state = test_json(&arena, "{\"lines\":[{\"line_uid\":\"b\"},{}]}")};
    assert_int_equal(
        ves_fold_ops(&arena,
                     test_json(&arena, "[{\"op\":\"set\",\"path\":"
                                       "\"/lines/b/q\",\"value\":2}]"),
                     &ops, NULL),
        VES_INVALID);
    assert_string_equal(ops.reason,
                        "an item of /lines cannot be addressed: not each has a "
                        "line_uid of its own");
}

static void results_are_ops_or_a_patch(void **state)
{
    static const struct {
        const char *result, *after, *opposite; /* after NULL: refused */
    } rows[] = {
        {"null", "{\"a\":{\"b\":1}}", "[]"},
        {"{\"ops\":[{\"op\":\"set\",\"path\":\"/c\",\"value\":1}]}",
         "{\"a\":{\"b\":1},\"c\":1}", "[{\"op\":\"set\",\"path\":\"/c\"}]"},
        {"{\"patch\":{\"a\":{\"b\":null,\"d\":2}}}", "{\"a\":{\"d\":2}}",
         "[{\"op\":\"set\",\"path\":\"/a/d\"},"
         "{\"op\":\"set\",\"path\":\"/a/b\",\"value\":1}]"},
        /* An empty object makes one, and empties none (RFC 7396). */
        {"{\"patch\":{\"a\":{}}}", "{\"a\":{\"b\":1}}", "[]"},
        {"{\"patch\":{},\"ops\":[]}", NULL, NULL},
        {"{\"patch\":[]}", NULL, NULL},
        {"{}", NULL, NULL},
        {"7", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ves_fold_ops ops = {.state =
                                       test_json(&arena, "{\"a\":{\"b\":1}}")};
        ves_buf_reset(&opposite);
        enum ves_status status = ves_fold_result(
            &arena, test_json(&arena, rows[i].result), &ops, &opposite);
        if (!rows[i].after) {
            assert_int_equal(status, VES_INVALID);
            assert_true(strlen(ops.reason) > 0);
            continue;
        }
        assert_int_equal(status, VES_OK);
        assert_string_equal(spell(ops.state), rows[i].after);
        assert_string_equal(back(), rows[i].opposite);
    }
}

static void deletes_and_restores(void **state)
{
    struct ves_fold_ops ops = {.state = test_json(&arena, "{\"a\":1}"),
                               .is_deleted = true};
    (void)state;
    ves_buf_reset(&opposite);
    assert_int_equal(ves_fold_ops(&arena,
                                  test_json(&arena, "[{\"op\":\"restore\"},"
                                                    "{\"op\":\"restore\"}]"),
                                  &ops, &opposite),
                     VES_OK);
    assert_false(ops.is_deleted);
    assert_string_equal(back(), "[{\"op\":\"delete\"}]");
    assert_int_equal(
        ves_fold_ops(&arena, test_json(&arena, back()), &ops, NULL), VES_OK);
    assert_true(ops.is_deleted);
    assert_string_equal(spell(ops.state), "{\"a\":1}");
}

static void all_or_nothing(void **state)
{
    static const char *const bad[] = {
        "[{\"op\":\"delete\"},{\"op\":\"delta\",\"path\":\"/a\",\"value\":1}]",
        ("[{\"op\":\"set\",\"path\":\"/b\",\"value\":1},"
         "{\"op\":\"delta\",\"path\":\"/b\",\"value\":\"x\"}]"),
        "[{\"op\":\"set\",\"path\":\"/a/b\",\"value\":1}]",
        "[{\"op\":\"delta\",\"path\":\"/a/b\",\"value\":1}]",
        "[{\"op\":\"append\",\"path\":\"/a\",\"value\":1}]",
        "[{\"op\":\"set\",\"path\":\"a\",\"value\":1}]",
        "[{\"op\":\"set\",\"path\":\"/\\u0000\",\"value\":1}]",
        "[{\"op\":\"set\"}]",
        "[{\"op\":\"create\",\"path\":\"/b\"}]",
        "[{}]",
        "[7]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ves_fold_ops ops = {.state = test_json(&arena, "{\"a\":\"x\"}")};
        ves_buf_reset(&opposite);
        assert_int_equal(
            ves_fold_ops(&arena, test_json(&arena, bad[i]), &ops, &opposite),
            VES_INVALID);
        assert_true(strlen(ops.reason) > 0);
        assert_string_equal(spell(ops.state), "{\"a\":\"x\"}");
        assert_false(ops.is_deleted);
        assert_int_equal(opposite.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_and_undone),
        cmocka_unit_test(deltas_leave_sums),
        cmocka_unit_test(entity_types_count),
        cmocka_unit_test(results_are_ops_or_a_patch),
        cmocka_unit_test(deletes_and_restores),
        cmocka_unit_test(all_or_nothing),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("fold_ops", tests, set_up, tear_down);
}
