/* test_resolution.c -- what may be decided, what it writes, and its payload
 * (semantics.md 3.3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/effect_read.h"
#include "core/fold_ops.h"
#include "core/resolution.h"
#include "core/types.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

static struct ves_arena arena;
static struct ves_buf text;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 26);
    ves_buf_init(&text, ves_alloc_default(), (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    ves_buf_free(&text);
    return 0;
}

static const char *spell(const struct ves_json *node)
{
    if (!node)
        return "-";
    ves_buf_reset(&text);
    assert_int_equal(ves_jcs_write(&text, &arena, node), VES_OK);
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    return (const char *)text.ptr;
}

static const struct ves_json *json(const char *value)
{
    return test_json(&arena, value);
}

/* A conflict between one applied event and a branch whose events do ops. */
static struct ves_case make(const char *base, const char *state,
                            const char *const *ops, size_t count)
{
    struct ves_case_event *branch =
        ves_arena_alloc(&arena, count * sizeof(*branch));
    struct ves_case_event *applied = ves_arena_alloc(&arena, sizeof(*applied));
    struct ves_case of = {
        .kind = VES_CONFLICT_CONCURRENT_EDIT,
        .branch = branch,
        .branch_count = count,
        .applied = applied,
        .applied_count = 1,
        .function = VES_MERGE_FIELDS,
        .base = base ? json(base) : NULL,
        .state = json(state),
        .version = 2,
        .has_head = true,
    };

    assert_true(branch && applied);
    for (size_t i = 0; i < count; i++) {
        branch[i].event_id.b[0] = (uint8_t)(i + 1);
        branch[i].hash.b[0] = (uint8_t)(i + 1);
        branch[i].ops = ops[i] ? json(ops[i]) : NULL;
        branch[i].ops_reason = "cannot be done again";
    }
    applied->event_id.b[0] = applied->hash.b[0] = 0xA0;
    of.head = applied->hash;
    of.conflict_id.b[0] = 0xC0;
    return of;
}

#define SET(path, value) \
    "{\"op\":\"set\",\"path\":\"" path "\",\"value\":" value "}"
#define DELTA(path, value) \
    "{\"op\":\"delta\",\"path\":\"" path "\",\"value\":" value "}"
#define RESTORE "{\"op\":\"restore\"}"
#define DELETE  "{\"op\":\"delete\"}"

/* ---- words --------------------------------------------------------------- */

static void local_is_the_side_that_was_named(void **state)
{
    (void)state;
    assert_int_equal(ves_strategy_winner(VES_STRATEGY_ACCEPT_LOCAL, true),
                     VES_WINNER_BRANCH);
    assert_int_equal(ves_strategy_winner(VES_STRATEGY_ACCEPT_LOCAL, false),
                     VES_WINNER_APPLIED);
    assert_int_equal(ves_strategy_winner(VES_STRATEGY_ACCEPT_REMOTE, true),
                     VES_WINNER_APPLIED);
    assert_int_equal(ves_strategy_winner(VES_STRATEGY_ACCEPT_REMOTE, false),
                     VES_WINNER_BRANCH);
    assert_int_equal(ves_strategy_winner(VES_STRATEGY_MERGE, false),
                     VES_WINNER_MERGE);
    assert_int_equal(ves_strategy_winner(VES_STRATEGY_MANUAL, true),
                     VES_WINNER_MERGE);
    for (int i = 0; i < (int)VES_STRATEGIES; i++) {
        enum ves_strategy back;
        const char *name = ves_strategy_name((enum ves_strategy)i);
        assert_true(ves_strategy_read(ves_bytes_str(name), &back));
        assert_int_equal(back, i);
    }
    enum ves_strategy none;
    assert_false(ves_strategy_read(ves_bytes_str("accept"), &none));
}

static void function_of_a_conflict(void **state)
{
    static const struct {
        const char *names[3];
        size_t count;
        const char *function;
    } rows[] = {
        {{"order/1", "fields/1"}, 2, "order/1"},
        {{"fields/1", "customer/1"}, 2, "customer/1"},
        {{"order/1", "never"}, 2, "never"},
        {{"deltas/1", "deltas/1"}, 2, "deltas/1"},
        {{"deltas/1", "fields/1"}, 2, "fields/1"},
        {{NULL}, 0, "fields/1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(ves_case_function(rows[i].names, rows[i].count),
                            rows[i].function);
}

static void facts_may_not_lose(void **state)
{
    const char *ops[] = {"[" SET("/a", "1") "]"};
    struct ves_case of = make("{}", "{}", ops, 1);
    const char *reason;

    (void)state;
    assert_true(ves_case_allows(&of, VES_WINNER_BRANCH, &reason));
    assert_null(reason);
    of.has_applied_fact = true;
    assert_false(ves_case_allows(&of, VES_WINNER_BRANCH, &reason));
    assert_non_null(reason);
    assert_true(ves_case_allows(&of, VES_WINNER_APPLIED, NULL));
    of.has_branch_fact = true;
    assert_false(ves_case_allows(&of, VES_WINNER_APPLIED, NULL));
    assert_true(ves_case_allows(&of, VES_WINNER_MERGE, NULL));
}

/* ---- the branch again ---------------------------------------------------- */

static void branch_is_done_again(void **state)
{
    const char *ops[] = {"[" SET("/a", "1") "," DELTA("/n", "-2") "]",
                         "[" SET("/a", "3") "]"};
    struct ves_case of =
        make("{\"n\":10}", "{\"a\":2,\"b\":9,\"n\":7}", ops, 2);
    struct ves_case_result result;

    (void)state;
    assert_int_equal(ves_case_branch(&arena, &of, &result), VES_OK);
    assert_string_equal(
        spell(result.ops),
        "[" SET("/a", "1") "," DELTA("/n", "-2") "," SET("/a", "3") "]");
    /* what the other side changed elsewhere stays; its delta counts once */
    assert_string_equal(spell(result.state), "{\"a\":3,\"b\":9,\"n\":5}");
}

static void branch_restores_what_was_deleted(void **state)
{
    const char *edit[] = {"[" SET("/a", "1") "]"};
    const char *gone[] = {"[" DELETE "]"};
    struct ves_case of = make("{}", "{}", edit, 1);
    struct ves_case_result result;

    (void)state;
    of.is_deleted = true;
    assert_int_equal(ves_case_branch(&arena, &of, &result), VES_OK);
    assert_string_equal(spell(result.ops), "[" RESTORE "," SET("/a", "1") "]");
    assert_false(result.is_deleted);

    of = make("{}", "{}", gone, 1);
    assert_int_equal(ves_case_branch(&arena, &of, &result), VES_OK);
    assert_string_equal(spell(result.ops), "[" DELETE "]");
    assert_true(result.is_deleted);
}

static void branch_that_cannot_be_done_again(void **state)
{
    const char *none[] = {NULL};
    const char *through[] = {"[" SET("/a/b", "1") "]"};
    struct ves_case of = make("{}", "{}", none, 1);
    struct ves_case_result result;

    (void)state;
    assert_int_equal(ves_case_branch(&arena, &of, &result), VES_INVALID);
    assert_string_equal(result.reason, "cannot be done again");
    of = make("{}", "{\"a\":1}", through, 1);
    assert_int_equal(ves_case_branch(&arena, &of, &result), VES_INVALID);
    assert_non_null(result.reason);
    assert_null(result.ops);
}

/* ---- merging ------------------------------------------------------------- */

static void merge_takes_both(void **state)
{
    const char *ops[] = {"[" SET("/a", "1") "," DELTA("/n", "-2") "]"};
    struct ves_case of =
        make("{\"a\":0,\"b\":0,\"n\":10}", "{\"a\":0,\"b\":5,\"n\":7}", ops, 1);
    struct ves_case_result result;
    struct ves_merge_result merge;

    (void)state;
    assert_int_equal(ves_case_merge(&arena, &of, &merge, &result), VES_OK);
    assert_true(merge.is_clean);
    /* only what the state lacks, and never what is sequenced already */
    assert_string_equal(spell(result.ops),
                        "[" SET("/a", "1") "," DELTA("/n", "-2") "]");
    assert_string_equal(spell(result.state), "{\"a\":1,\"b\":5,\"n\":5}");
}

static void merge_that_overlaps(void **state)
{
    const char *ops[] = {"[" SET("/a", "1") "]"};
    struct ves_case of = make("{\"a\":0}", "{\"a\":2}", ops, 1);
    struct ves_case_result result;
    struct ves_merge_result merge;

    (void)state;
    assert_int_equal(ves_case_merge(&arena, &of, &merge, &result), VES_OK);
    assert_false(merge.is_clean);
    assert_int_equal(merge.overlap_count, 1);
    assert_true(ves_bytes_is(merge.overlaps[0].path, "/a"));
    assert_null(result.ops);
    assert_null(result.state);
}

static void merge_that_there_is_not(void **state)
{
    const char *edit[] = {"[" SET("/a", "1") "]"};
    const char *gone[] = {"[" DELETE "]"};
    struct ves_case of = make("{}", "{}", edit, 1);
    struct ves_case_result result;
    struct ves_merge_result merge;

    (void)state;
    of.function = VES_MERGE_NEVER;
    assert_int_equal(ves_case_merge(&arena, &of, &merge, &result), VES_INVALID);
    assert_non_null(result.reason);
    of = make(NULL, "{}", edit, 1);
    assert_int_equal(ves_case_merge(&arena, &of, &merge, &result), VES_INVALID);
    of = make("{}", "{}", gone, 1);
    assert_int_equal(ves_case_merge(&arena, &of, &merge, &result), VES_INVALID);
    of = make("{\"b\":1}", "{\"b\":1}", edit, 1);
    of.is_deleted = true;
    assert_int_equal(ves_case_merge(&arena, &of, &merge, &result), VES_OK);
    assert_string_equal(spell(result.ops), "[" RESTORE "," SET("/a", "1") "]");
}

/* ---- a person's -----------------------------------------------------------
 */

static void patch_and_sets(void **state)
{
    static const struct {
        const char *before, *patch, *ops, *after;
    } rows[] = {
        {"{\"a\":1,\"b\":{\"c\":1,\"d\":1}}",
         "{\"a\":null,\"b\":{\"c\":2,\"e\":{\"x\":null,\"y\":1}}}",
         "[{\"op\":\"set\",\"path\":\"/a\"}," SET("/b/c", "2") "," SET(
             "/b/e", "{\"y\":1}") "]",
         "{\"b\":{\"c\":2,\"d\":1,\"e\":{\"y\":1}}}"},
        {"{\"a\":1}", "{\"a\":{\"b\":2}}", "[" SET("/a", "{\"b\":2}") "]",
         "{\"a\":{\"b\":2}}"},
        {"{}", "{\"a/b\":1,\"c~\":[]}",
         "[" SET("/a~1b", "1") "," SET("/c~0", "[]") "]",
         "{\"a/b\":1,\"c~\":[]}"},
        {"{\"a\":1}", "{}", "-", "{\"a\":1}"},
    };
    const char *ops[] = {"[" SET("/a", "1") "]"};
    struct ves_case_result result;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ves_case of = make("{}", rows[i].before, ops, 1);
        assert_int_equal(
            ves_case_patch(&arena, &of, json(rows[i].patch), NULL, 0, &result),
            VES_OK);
        assert_string_equal(spell(result.ops), rows[i].ops);
        assert_string_equal(spell(result.state), rows[i].after);
    }
    struct ves_case of = make("{}", "{\"a\":1,\"b\":2}", ops, 1);
    const struct ves_case_set sets[] = {
        {ves_bytes_str("/a"), json("null")},
        {ves_bytes_str("/b"), NULL},
        {ves_bytes_str("/c/d"), json("[1]")},
    };
    of.is_deleted = true;
    assert_int_equal(
        ves_case_patch(&arena, &of, json("{\"e\":1}"), sets, 3, &result),
        VES_OK);
    assert_string_equal(spell(result.state),
                        "{\"a\":null,\"c\":{\"d\":[1]},\"e\":1}");
    assert_false(result.is_deleted);
    const struct ves_case_set bad = {ves_bytes_str("/a/b"), json("1")};
    assert_int_equal(ves_case_patch(&arena, &of, NULL, &bad, 1, &result),
                     VES_INVALID);
}

/* ---- advice -------------------------------------------------------------- */

static void suggestions(void **state)
{
    const char *edit[] = {"[" SET("/a", "1") "]"};
    const struct ves_merge_result clean = {.is_clean = true};
    const struct ves_merge_result unclean = {.is_clean = false};
    struct ves_case of = make("{}", "{}", edit, 1);
    const char *reason;

    (void)state;
    assert_int_equal(ves_case_suggest(&of, true, &clean, &reason),
                     VES_STRATEGY_MERGE);
    assert_non_null(strstr(reason, "two sides"));
    of.kind = VES_CONFLICT_VERSION_MISMATCH;
    assert_int_equal(ves_case_suggest(&of, true, &clean, &reason),
                     VES_STRATEGY_MERGE);
    assert_null(strstr(reason, "two sides"));
    of.kind = VES_CONFLICT_CONCURRENT_EDIT;
    assert_int_equal(ves_case_suggest(&of, true, &unclean, &reason),
                     VES_STRATEGY_MANUAL);
    assert_int_equal(ves_case_suggest(&of, true, NULL, &reason),
                     VES_STRATEGY_MANUAL);
    of.has_applied_fact = true;
    assert_int_equal(ves_case_suggest(&of, true, &clean, &reason),
                     VES_STRATEGY_ACCEPT_REMOTE);
    assert_int_equal(ves_case_suggest(&of, false, &clean, &reason),
                     VES_STRATEGY_ACCEPT_LOCAL);
    of.has_branch_fact = true;
    assert_int_equal(ves_case_suggest(&of, false, NULL, &reason),
                     VES_STRATEGY_MANUAL);
    of.has_branch_fact = of.has_applied_fact = false;
    of.kind = VES_CONFLICT_DELETED_REFERENCE;
    assert_int_equal(ves_case_suggest(&of, true, &clean, &reason),
                     VES_STRATEGY_MANUAL);
    of.kind = VES_CONFLICT_VERSION_MISMATCH;
    of.function = VES_MERGE_NEVER;
    assert_int_equal(ves_case_suggest(&of, true, &clean, &reason),
                     VES_STRATEGY_MANUAL);
    assert_non_null(reason);
}

static void differences(void **state)
{
    static const struct {
        const char *base, *local, *remote, *paths;
    } rows[] = {
        {"{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "{\"a\":1,\"b\":1}", "/a"},
        {"{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1,\"y\":2}}", "{}", "/a/x /a/y"},
        {"{\"a\":{\"x\":1}}", "{\"a\":3}", "{\"a\":{\"x\":1}}", "/a"},
        {"{}", "{\"a\":null}", "{}", "/a"},
        {"{}", "{\"a\":{}}", "{}", "/a"},
        {"{\"a/b\":[1]}", "{\"a/b\":[1]}", "{\"a/b\":[2]}", "/a~1b"},
        {"{}", "{}", "{}", ""},
    };
    struct ves_differences list;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ves_differences(&arena, json(rows[i].base),
                                         json(rows[i].local),
                                         json(rows[i].remote), &list),
                         VES_OK);
        ves_buf_reset(&text);
        for (size_t k = 0; k < list.count; k++)
            ves_buf_putf(&text, "%s%.*s", k ? " " : "",
                         (int)list.list[k].path.len,
                         (const char *)list.list[k].path.ptr);
        ves_buf_put_u8(&text, 0);
        assert_string_equal((const char *)text.ptr, rows[i].paths);
    }
}

/* ---- the payload --------------------------------------------------------- */

static const struct ves_json *payload_of(const struct ves_case *of,
                                         const struct ves_decision *say)
{
    struct ves_bytes copy;

    ves_buf_reset(&text);
    assert_int_equal(ves_decision_write(&text, &arena, of, say), VES_OK);
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&text), &copy),
                     VES_OK);
    return json((const char *)copy.ptr);
}

/* What is written is what the judge and the fold read. */
static void payload_is_what_the_judge_reads(void **state)
{
    const char *ops[] = {"[" SET("/a", "1") "]", "[" DELTA("/n", "-2") "]"};
    struct ves_case of = make("{\"n\":9}", "{\"a\":0,\"n\":7}", ops, 2);
    struct ves_case_result result;
    struct ves_judge_subject subject;
    struct ves_effects effects;
    struct ves_event event = {
        .event_type = ves_bytes_str(VES_TYPE_RESOLVED),
        .entity_type = ves_bytes_str("order"),
        .entity_id = ves_bytes_str("O1"),
        .context = {.is_present = true, .agent_seq = 1},
    };

    (void)state;
    assert_int_equal(ves_case_branch(&arena, &of, &result), VES_OK);
    const struct ves_decision say = {
        .strategy = "accept_local",
        .winner = VES_WINNER_BRANCH,
        .ops = result.ops,
        .state = result.state,
        .resolver = "person",
        .reason = ves_bytes_str("they \"called\""),
    };
    event.payload = payload_of(&of, &say);
    assert_int_equal(
        ves_judge_subject_read(&arena, VES_RULES_BUILT_IN, &event, &subject),
        VES_OK);
    assert_non_null(subject.resolution);
    assert_true(
        ves_hash_equal(&subject.resolution->conflict_id, &of.conflict_id));
    assert_int_equal(subject.resolution->winner, VES_WINNER_BRANCH);
    assert_false(subject.resolution->has_supersedes);
    assert_int_equal(subject.resolution->inputs.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(ves_hash_equal(&subject.resolution->inputs.list[i],
                                   &of.branch[i].hash));
    assert_int_equal(
        ves_effects_of_result(&arena, ves_json_member(event.payload, "result"),
                              &effects),
        VES_OK);
    assert_int_equal(subject.effects.count, 2);
    assert_int_equal(effects.count, 2);
    assert_true(ves_bytes_is(subject.effects.list[0].path, "/a"));
    assert_int_equal(subject.effects.list[1].op, VES_OP_DELTA);
    /* two parents: where the entity stands and the end of the branch */
    const struct ves_json *parents = ves_json_member(event.payload, "parents");
    assert_int_equal(parents->count, 2);

    struct ves_decision_read read;
    ves_decision_read(event.payload, &read);
    assert_true(ves_bytes_is(read.strategy, "accept_local"));
    assert_true(ves_bytes_is(read.winner, "branch"));
    assert_true(ves_bytes_is(read.resolver, "person"));
    assert_true(ves_bytes_is(read.reason, "they \"called\""));
    assert_true(read.has_conflict_id);
    assert_false(read.has_supersedes);
    assert_non_null(read.result);
}

static void payload_of_the_other_winners(void **state)
{
    static const struct {
        enum ves_winner winner;
        bool supersedes, has_result;
    } rows[] = {
        {VES_WINNER_APPLIED, false, false},
        {VES_WINNER_MERGE, false, true},
        {VES_WINNER_UNDO, true, false},
    };
    const char *ops[] = {"[" SET("/a", "1") "]"};
    struct ves_case of = make("{}", "{}", ops, 1);
    struct ves_judge_subject subject;
    struct ves_event event = {
        .event_type = ves_bytes_str(VES_TYPE_RESOLVED),
        .context = {.is_present = true, .agent_seq = 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ves_decision say = {
            .strategy = "merge",
            .winner = rows[i].winner,
            .ops = rows[i].has_result ? of.branch[0].ops : NULL,
            .function = "fields/1",
            .resolver = VES_RESOLVER_POLICY,
            .has_supersedes = rows[i].supersedes,
        };
        say.supersedes.b[0] = 0x77;
        event.payload = payload_of(&of, &say);
        assert_int_equal(ves_judge_subject_read(&arena, VES_RULES_BUILT_IN,
                                                &event, &subject),
                         VES_OK);
        assert_int_equal(subject.resolution->winner, rows[i].winner);
        assert_int_equal(subject.resolution->has_supersedes,
                         rows[i].supersedes);
        if (rows[i].supersedes)
            assert_int_equal(subject.resolution->supersedes.b[0], 0x77);
        assert_int_equal(subject.effects.count, rows[i].has_result ? 1 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(local_is_the_side_that_was_named,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(function_of_a_conflict, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(facts_may_not_lose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(branch_is_done_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(branch_restores_what_was_deleted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(branch_that_cannot_be_done_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(merge_takes_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merge_that_overlaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merge_that_there_is_not, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(patch_and_sets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(suggestions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(differences, set_up, tear_down),
        cmocka_unit_test_setup_teardown(payload_is_what_the_judge_reads, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(payload_of_the_other_winners, set_up,
                                        tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("resolution", tests, NULL, NULL);
}
