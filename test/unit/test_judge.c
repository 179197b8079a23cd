/* test_judge.c -- every verdict and sub-code of semantics.md 3.2 and 3.3, one
 * small log each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/merkle.h"
#include "core/types.h"
#include "crypto/crypto.h"
#include "test/lib/test_judge_log.h"
#include "test/lib/test_util.h"

static struct test_judge_log *log_;

static int set_up(void **state)
{
    (void)state;
    log_ = calloc(1, sizeof(*log_));
    assert_non_null(log_);
    test_judge_log_init(log_);
    return 0;
}

static int empty(void **state)
{
    (void)state;
    test_judge_log_reset(log_);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_judge_log_free(log_);
    free(log_);
    return 0;
}

/* ---- writing small logs -------------------------------------------------- */

/* Effects as "op path value; ..." in the words of the stored form. */
static struct test_effects effects(const char *text)
{
    static struct test_effect list[8];
    struct test_effects out = {list, 0};
    char op[16], path[32], value[32];
    int used;

    while (sscanf(text, " %15s %31s %31[^;]%n", op, path, value, &used) == 3) {
        struct test_effect *effect = &list[out.count++];
        memset(effect, 0, sizeof(*effect));
        static const char *const names[] = {
            "",           "set",    "delta",  "add_to_set", "append",
            "transition", "create", "delete", "restore",    "expect"};
        while (strcmp(op, names[effect->op]) != 0)
            effect->op++;
        snprintf(effect->path, sizeof(effect->path), "%s", path);
        snprintf(effect->value, sizeof(effect->value), "%s", value);
        text += used;
        if (*text == ';')
            text++;
    }
    return out;
}

/* An intent on "e" by the agent its name begins with, with that base. */
static struct test_judge_says edit(const char *name, uint64_t seen,
                                   uint64_t base, const char *head,
                                   const char *what)
{
    static char agents[32][2];
    static size_t next;
    char *agent = agents[next++ % 32];

    agent[0] = name[0];
    agent[1] = '\0';
    return (struct test_judge_says){
        .name = name,
        .agent = agent,
        .entity = "e",
        .agent_seq = strtoull(name + 1, NULL, 10),
        .seen = seen,
        .has_base = true,
        .base_version = base,
        .base_head = head,
        .effects = effects(what),
    };
}

static struct test_judge_says fact(const char *name, uint64_t seen,
                                   const char *what)
{
    struct test_judge_says says = edit(name, seen, 0, NULL, what);
    says.has_base = false;
    says.is_fact = true;
    return says;
}

static const struct test_judge_event *put(const struct test_judge_says *says)
{
    return test_judge_log_step(log_, says);
}

static void expect(const struct test_judge_event *event,
                   enum ves_verdict verdict, const char *sub_code)
{
    assert_string_equal(ves_verdict_name(event->now.verdict),
                        ves_verdict_name(verdict));
    assert_string_equal(event->now.sub_code, sub_code);
}

static void applied(const struct test_judge_says *says)
{
    expect(put(says), VES_VERDICT_APPLIED, "");
}

/* A conflict of that type over exactly those events (up to two). */
static const struct test_judge_event *
conflict(const struct test_judge_says *says, enum ves_conflict_kind kind,
         const char *sub_code, const char *over1, const char *over2)
{
    const struct test_judge_event *event = put(says);
    size_t count = (over1 != NULL) + (size_t)(over2 != NULL);

    expect(event, VES_VERDICT_CONFLICT, sub_code);
    assert_int_equal(event->now.kind, kind);
    assert_true((event->now.kinds >> kind & 1) == 1);
    assert_int_equal(event->now.against.count, count);
    for (size_t i = 0; i < count; i++) {
        const char *name =
            test_judge_log_hash(log_, &event->now.against.list[i])->name;
        assert_true(strcmp(name, over1) == 0 ||
                    (over2 && strcmp(name, over2) == 0));
    }
    return event;
}

#define EDIT(...)    (&(struct test_judge_says[]){edit(__VA_ARGS__)}[0])
#define FACT(...)    (&(struct test_judge_says[]){fact(__VA_ARGS__)}[0])
#define APPLIED(...) applied(EDIT(__VA_ARGS__))
#define DELETED(over1, over2, sub, ...)                                     \
    conflict(EDIT(__VA_ARGS__), VES_CONFLICT_DELETED_REFERENCE, sub, over1, \
             over2)
#define MISMATCH(over1, over2, sub, ...)                                   \
    conflict(EDIT(__VA_ARGS__), VES_CONFLICT_VERSION_MISMATCH, sub, over1, \
             over2)
#define CONCURRENT(over1, over2, sub, ...) \
    conflict(EDIT(__VA_ARGS__), VES_CONFLICT_CONCURRENT_EDIT, sub, over1, over2)

static struct test_judge_says resolve(const char *name, uint64_t seen,
                                      enum ves_winner winner, const char *first,
                                      const char *over, const char *what)
{
    struct test_judge_says says = edit(name, seen, 0, NULL, what);
    says.has_base = false;
    says.conflict_first = first;
    says.conflict_over[0] = over;
    says.over_count = 1;
    says.winner = winner;
    says.inputs[0] = first;
    says.input_count = 1;
    return says;
}

/* ---- concurrent_edit ----------------------------------------------------- */

static void first_writer_wins_and_the_second_is_kept(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "create @ 1; set f 0");
    APPLIED("A2", 1, 1, "A1", "set f 1");
    const struct test_judge_event *b =
        CONCURRENT("A2", NULL, "same_field", "B1", 1, 1, "A1", "set f 2");
    const struct test_judge_conflict *c =
        test_judge_log_conflict(log_, &b->now.conflict_id);
    assert_non_null(c);
    assert_true(c->record.is_open);
    assert_string_equal(test_judge_log_state(log_, "e", "f"), "1");
    assert_int_equal(test_judge_log_entity(log_, "e")->version, 2);
}

/* Decision 8, spelt out. */
static void conflict_ids_are_the_decisions(void **state)
{
    struct ves_stream stream = test_judge_stream();
    struct ves_hash stream_id, a, b, id;
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    const struct test_judge_event *event =
        CONCURRENT("A1", NULL, "same_field", "B1", 0, 0, NULL, "set f 2");
    ves_stream_id(&stream, &stream_id);
    ves_sha256_one("A1", 2, &a);
    ves_sha256_one("B1", 2, &b);
    const struct ves_bytes parts[] = {ves_bytes_str("VES_CONFLICT_V1"),
                                      ves_bytes(stream_id.b, 32),
                                      ves_bytes(b.b, 32), ves_bytes(a.b, 32)};
    ves_sha256(parts, 4, &id);
    assert_true(event->now.has_conflict_id);
    assert_true(ves_hash_equal(&event->now.conflict_id, &id));
}

static void commuting_changes_are_applied_and_noted(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "create @ 1");
    APPLIED("A2", 1, 1, "A1", "set f 1");
    const struct test_judge_event *b = put(EDIT("B1", 1, 1, "A1", "set g 2"));
    expect(b, VES_VERDICT_APPLIED, "");
    assert_int_equal(b->now.commuted.count, 1);
    assert_string_equal(
        test_judge_log_hash(log_, &b->now.commuted.list[0])->name, "A2");
    b = put(EDIT("C1", 1, 1, "A1", "set f 1"));
    expect(b, VES_VERDICT_APPLIED, "");
    assert_int_equal(b->now.commuted.count, 2);
}

static void sub_codes_of_concurrent_edits(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "create @ 1; set /lines/u/quantity 1");
    CONCURRENT("A1", NULL, "create_create", "B1", 0, 0, NULL, "create @ 2");
    CONCURRENT("A1", NULL, "same_line", "C1", 0, 0, NULL,
               "set /lines/u/quantity 2");
    CONCURRENT("A1", NULL, "edit_delete", "D1", 0, 0, NULL, "delete * 0");
    APPLIED("A2", 1, 1, "A1", "transition /status x");
    CONCURRENT("A2", NULL, "state_transition", "E1", 4, 1, "A1",
               "set /lines/z 7; transition /status y");
}

static void several_types_one_primary(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    APPLIED("A2", 1, 1, "A1", "set g 1");
    APPLIED("A3", 2, 2, "A2", "set f 2");
    /* B saw two events, used the first and met the third. */
    const struct test_judge_event *b =
        conflict(EDIT("B1", 2, 1, "A1", "set f 3"),
                 VES_CONFLICT_VERSION_MISMATCH, "stale_base", "A2", "A3");
    assert_int_equal(b->now.kinds, 1U << VES_CONFLICT_VERSION_MISMATCH |
                                       1U << VES_CONFLICT_CONCURRENT_EDIT);
}

/* ---- version_mismatch ---------------------------------------------------- */

static void stale_base(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    APPLIED("A2", 1, 1, "A1", "set f 2");
    MISMATCH("A2", NULL, "stale_base", "B1", 2, 1, "A1", "set g 3");
    MISMATCH("A1", "A2", "stale_base", "B2", 4, 0, NULL, "set g 3");
    /* Own events that the cursor had not reached count as well. */
    APPLIED("C1", 4, 2, "A2", "set h 1");
    MISMATCH("C1", NULL, "stale_base", "C2", 4, 2, "A2", "set i 1");
}

static void future_base(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    MISMATCH(NULL, NULL, "future_base", "B1", 1, 2, "A9", "set f 3");
}

static void fork_base(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    MISMATCH(NULL, NULL, "fork_base", "B1", 1, 1, "A7", "set f 3");
    /* Nothing to be the head of. */
    test_judge_log_reset(log_);
    MISMATCH(NULL, NULL, "fork_base", "B1", 0, 0, "A7", "set f 3");
    /* Without a head the number alone speaks. */
    test_judge_log_reset(log_);
    APPLIED("A1", 0, 0, NULL, "set f 1");
    APPLIED("B1", 1, 1, NULL, "set f 3");
}

static void missing_base(void **state)
{
    struct test_judge_says says;
    (void)state;
    says = edit("A1", 0, 0, NULL, "set f 1");
    says.has_base = false;
    applied(&says); /* of a new entity */
    says = edit("B1", 1, 0, NULL, "set f 2");
    says.has_base = false;
    conflict(&says, VES_CONFLICT_VERSION_MISMATCH, "missing_base", NULL, NULL);
    says = edit("C1", 1, 0, NULL, "set f 2");
    says.has_base = false;
    says.is_free = true;
    applied(&says);
}

/* ---- deleted_reference --------------------------------------------------- */

static void edits_of_what_is_deleted(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "create @ 1");
    APPLIED("A2", 1, 1, "A1", "delete * 0");
    DELETED("A2", NULL, "concurrent_delete", "B1", 1, 1, "A1", "set f 1");
    DELETED("A2", NULL, "known_deleted", "C1", 3, 2, "A2", "set f 1");
    /* The own delete, above the cursor, is known too. */
    DELETED("A2", NULL, "known_deleted", "A3", 1, 2, "A2", "set f 1");
    /* Deletes commute; a declared restore is what it says. */
    APPLIED("D1", 1, 1, "A1", "delete * 0");
    APPLIED("E1", 6, 3, "D1", "restore * 0");
    APPLIED("F1", 7, 4, "E1", "set f 2");
}

static void references_to_what_is_deleted(void **state)
{
    struct test_judge_says says = edit("A1", 0, 0, NULL, "create @ 1");
    (void)state;
    says.entity = "p";
    applied(&says);
    says = edit("B1", 1, 0, NULL, "set ref p");
    says.ref = "p";
    applied(&says);
    says = edit("A2", 1, 1, "A1", "delete * 0");
    says.entity = "p";
    const struct test_judge_event *a = put(&says);
    expect(a, VES_VERDICT_APPLIED, "");
    assert_int_equal(a->now.dangling.count, 1);
    assert_string_equal(
        test_judge_log_hash(log_, &a->now.dangling.list[0])->name, "B1");
    says = edit("C1", 3, 1, "B1", "set ref p");
    says.ref = "p";
    conflict(&says, VES_CONFLICT_DELETED_REFERENCE, "ref_deleted", "A2", NULL);
    says = edit("D1", 3, 1, "B1", "set ref q");
    says.ref = "q";
    a = put(&says);
    expect(a, VES_VERDICT_APPLIED, "");
    assert_int_equal(a->now.unresolved_refs.count, 1);
}

/* ---- facts --------------------------------------------------------------- */

static void facts_override_intents_and_tombstones(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "transition /status cancelled");
    const struct test_judge_event *b =
        put(FACT("B1", 0, "transition /status shipped"));
    expect(b, VES_VERDICT_APPLIED, "");
    assert_int_equal(b->now.overrode.count, 1);
    assert_string_equal(
        test_judge_log_hash(log_, &b->now.overrode.list[0])->name, "A1");
    /* An intent that meets an applied fact loses. */
    CONCURRENT("B1", NULL, "state_transition", "C1", 1, 1, "A1",
               "transition /status x");
    APPLIED("A2", 3, 2, "B1", "delete * 0");
    b = put(FACT("B2", 4, "delta q 1"));
    expect(b, VES_VERDICT_APPLIED, "");
    assert_int_equal(b->now.overrode.count, 1);
    assert_true(test_judge_log_entity(log_, "e")->tombstone > 0);
}

static void facts_conflict_with_facts_only(void **state)
{
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set track x");
    applied(FACT("B1", 0, "set track y"));
    conflict(FACT("C1", 0, "set track z"), VES_CONFLICT_CONCURRENT_EDIT,
             "fact_fact", "B1", NULL);
    applied(FACT("D1", 0, "set track y"));
}

static void deltas_always_commute(void **state)
{
    (void)state;
    applied(FACT("A1", 0, "delta q 10"));
    applied(FACT("B1", 1, "delta q -2"));
    applied(FACT("C1", 1, "delta q -3"));
    assert_string_equal(test_judge_log_state(log_, "e", "q"), "5");
}

/* A till that sold one product five hundred times while another did too asks
 * for nothing: deltas met deltas only. */
static void deltas_on_deltas_cost_no_scan(void **state)
{
    char name[16];
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "%c%u", i % 2 ? 'A' : 'B', i + 1);
        struct test_judge_says says = fact(name, 0, "delta q -1");
        (void)put(&says);
    }
    assert_int_equal(log_->visited, 0);
}

/* A till that changed one order two hundred times offline: each change has all
 * the earlier ones for its own, and none of them is looked at again.  What
 * another did in between is. */
static void a_stretch_of_ones_own_costs_no_scan(void **state)
{
    char name[16], head[16] = "A1";
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    for (unsigned i = 2; i <= 199; i++) {
        snprintf(name, sizeof(name), "A%u", i);
        struct test_judge_says says = edit(name, 1, i - 1, head, "set f 2");
        applied(&says);
        snprintf(head, sizeof(head), "A%u", i);
    }
    assert_int_equal(log_->visited, 0);
    CONCURRENT("A199", "A198", "same_field", "B1", 197, 197, "A197", "set f 3");
}

/* ---- waiting ------------------------------------------------------------- */

static void only_a_declared_dependency_waits(void **state)
{
    struct test_judge_says says = edit("B1", 0, 0, NULL, "set f 1");
    (void)state;
    says.deps[0] = "A1";
    const struct test_judge_event *b = put(&says);
    expect(b, VES_VERDICT_WAITING, "");
    /* What the same author built on it waits too, its facts do not. */
    const struct test_judge_event *b2 = put(EDIT("B2", 0, 1, "B1", "set g 1"));
    expect(b2, VES_VERDICT_WAITING, "");
    applied(FACT("B3", 0, "delta q 1"));
    says = edit("A1", 0, 0, NULL, "create @ 1");
    says.entity = "p";
    applied(&says);
    expect(b, VES_VERDICT_APPLIED, "");
    expect(b2, VES_VERDICT_APPLIED, "");
    assert_int_equal(b->applied_at, 4);
    assert_int_equal(b2->applied_at, 4);
    assert_int_equal(b2->version, b->version + 1);
}

/* Judged anew, against all that happened meanwhile. */
static void a_waiting_event_may_become_a_conflict(void **state)
{
    struct test_judge_says says = edit("B1", 0, 0, NULL, "set f 1");
    (void)state;
    says.deps[0] = "C1";
    const struct test_judge_event *b = put(&says);
    APPLIED("A1", 0, 0, NULL, "set f 2");
    says = edit("C1", 0, 0, NULL, "create @ 1");
    says.entity = "p";
    applied(&says);
    expect(b, VES_VERDICT_CONFLICT, "same_field");
}

static void a_dependency_is_met_by_a_resolution(void **state)
{
    struct test_judge_says says;
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    CONCURRENT("A1", NULL, "same_field", "B1", 0, 0, NULL, "set f 2");
    says = edit("C1", 0, 0, NULL, "set g 1");
    says.entity = "p";
    says.deps[0] = "B1";
    const struct test_judge_event *c = put(&says);
    expect(c, VES_VERDICT_WAITING, "");
    says = resolve("A2", 3, VES_WINNER_APPLIED, "B1", "A1", "");
    applied(&says);
    expect(c, VES_VERDICT_WAITING, ""); /* overridden is not met */
    says = resolve("A3", 4, VES_WINNER_UNDO, "B1", "A1", "");
    says.supersedes = "A2";
    applied(&says);
    says = resolve("A4", 5, VES_WINNER_BRANCH, "B1", "A1", "set f 2");
    applied(&says);
    expect(c, VES_VERDICT_APPLIED, "");
}

/* ---- branches ------------------------------------------------------------ */

static void a_branch_grows_until_it_is_closed(void **state)
{
    struct test_judge_says says;
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    const struct test_judge_event *b =
        CONCURRENT("A1", NULL, "same_field", "B1", 0, 0, NULL, "set f 2");
    const struct test_judge_event *b2 = put(EDIT("B2", 0, 1, "B1", "set g 1"));
    expect(b2, VES_VERDICT_CONFLICT, "tail");
    assert_true(ves_hash_equal(&b2->now.conflict_id, &b->now.conflict_id));
    assert_int_equal(log_->conflict_count, 1);
    /* Facts, and deltas that say no base, are on no branch. */
    applied(FACT("B3", 0, "delta q 1"));
    says = edit("B4", 0, 0, NULL, "delta q 1");
    says.has_base = false;
    says.is_free = true;
    applied(&says);
    /* A resolution has to know the whole branch. */
    says = resolve("A2", 5, VES_WINNER_APPLIED, "B1", "A1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "branch_grew");
    says = resolve("A3", 6, VES_WINNER_APPLIED, "B1", "A1", "");
    says.inputs[1] = "B2";
    says.input_count = 2;
    applied(&says);
    MISMATCH("A3", NULL, "closed_branch", "B5", 0, 4, "B4", "set h 1");
}

/* ---- resolutions --------------------------------------------------------- */

static void a_conflict(void)
{
    APPLIED("A1", 0, 0, NULL, "set f 1");
    CONCURRENT("A1", NULL, "same_field", "B1", 0, 0, NULL, "set f 2");
}

static void the_first_resolution_wins(void **state)
{
    struct test_judge_says says;
    (void)state;
    a_conflict();
    says = resolve("A2", 2, VES_WINNER_BRANCH, "B1", "A1", "set f 2");
    applied(&says);
    assert_string_equal(test_judge_log_state(log_, "e", "f"), "2");
    says = resolve("C1", 2, VES_WINNER_APPLIED, "B1", "A1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "already_resolved");
    assert_int_equal(test_judge_log_entity(log_, "e")->version, 2);
}

static void a_resolution_names_a_conflict_of_its_entity(void **state)
{
    struct test_judge_says says;
    (void)state;
    a_conflict();
    says = resolve("A2", 2, VES_WINNER_APPLIED, "B1", "B1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "no_such_conflict");
    says = resolve("A3", 2, VES_WINNER_APPLIED, "B1", "A1", "");
    says.entity = "p";
    expect(put(&says), VES_VERDICT_SUPERSEDED, "no_such_conflict");
    says = resolve("A4", 4, VES_WINNER_NONE, "B1", "A1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
}

static void no_fact_may_lose(void **state)
{
    struct test_judge_says says;
    (void)state;
    applied(FACT("A1", 0, "set f 1"));
    CONCURRENT("A1", NULL, "same_field", "B1", 0, 0, NULL, "set f 2");
    says = resolve("A2", 2, VES_WINNER_BRANCH, "B1", "A1", "set f 2");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
    says = resolve("A3", 3, VES_WINNER_MERGE, "B1", "A1", "set f 3");
    applied(&says);
    assert_false(test_judge_log_event(log_, "A3")->now.is_fact);
    /* Fact against fact: only a merge, which then counts as a fact. */
    conflict(FACT("C1", 0, "set f 4"), VES_CONFLICT_CONCURRENT_EDIT,
             "fact_fact", "A1", NULL);
    says = resolve("D1", 5, VES_WINNER_APPLIED, "C1", "A1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
    says = resolve("D2", 6, VES_WINNER_MERGE, "C1", "A1", "set f 5");
    applied(&says);
    assert_true(test_judge_log_event(log_, "D2")->now.is_fact);
}

/* A merge that has nothing to say of a fact would set it aside in all but
 * name. */
static void a_merge_speaks_of_the_fact_that_lost(void **state)
{
    struct test_judge_says says;
    (void)state;
    applied(FACT("A1", 0, "set f 1;set g 1;delta q 1"));
    conflict(FACT("B1", 0, "set f 2;set g 2;set h 2;delta q 1"),
             VES_CONFLICT_CONCURRENT_EDIT, "fact_fact", "A1", NULL);
    says = resolve("C1", 2, VES_WINNER_MERGE, "B1", "A1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
    says = resolve("C2", 3, VES_WINNER_MERGE, "B1", "A1", "set note x");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
    says = resolve("C3", 4, VES_WINNER_MERGE, "B1", "A1", "set f 2");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
    /* What is said again of what stands is something said. */
    says = resolve("C4", 5, VES_WINNER_MERGE, "B1", "A1", "set f 1;set g 2");
    applied(&says);
    /* They differ in marks alone: anything that it writes. */
    applied(FACT("D1", 6, "create @m 1;set k 1"));
    conflict(FACT("E1", 6, "create @m 2;set k 1;set l 2"),
             VES_CONFLICT_CONCURRENT_EDIT, "fact_fact", "D1", NULL);
    says = resolve("E2", 8, VES_WINNER_MERGE, "E1", "D1", "set f 9");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "not_allowed");
    says = resolve("E3", 9, VES_WINNER_MERGE, "E1", "D1", "set l 2");
    applied(&says);
}

static void a_resolution_against_a_moved_head_is_told_why(void **state)
{
    struct test_judge_says says;
    (void)state;
    a_conflict();
    APPLIED("A2", 2, 1, "A1", "set f 3");
    says = resolve("C1", 2, VES_WINNER_BRANCH, "B1", "A1", "set f 2");
    const struct test_judge_event *c = put(&says);
    expect(c, VES_VERDICT_SUPERSEDED, "head_moved");
    assert_int_equal(c->now.against.count, 1);
    assert_string_equal(
        test_judge_log_hash(log_, &c->now.against.list[0])->name, "A2");
    /* What does not touch the same is no reason. */
    says = resolve("D1", 2, VES_WINNER_APPLIED, "B1", "A1", "");
    applied(&says);
}

static void undo_takes_back_and_reopens(void **state)
{
    struct test_judge_says says;
    (void)state;
    a_conflict();
    says = resolve("A2", 2, VES_WINNER_BRANCH, "B1", "A1", "set f 2");
    applied(&says);
    says = resolve("A3", 3, VES_WINNER_UNDO, "B1", "A1", "");
    expect(put(&says), VES_VERDICT_SUPERSEDED, "already_resolved");
    says.name = "A4";
    says.agent_seq = 4;
    says.supersedes = "A2";
    applied(&says);
    assert_string_equal(test_judge_log_state(log_, "e", "f"), "1");
    const struct test_judge_conflict *c = &log_->conflicts[0];
    assert_true(c->record.is_open);
    says = resolve("A5", 5, VES_WINNER_BRANCH, "B1", "A1", "set f 2");
    applied(&says);
    APPLIED("C1", 6, 4, "A5", "set f 9");
    says = resolve("A6", 7, VES_WINNER_UNDO, "B1", "A1", "");
    says.supersedes = "A5";
    expect(put(&says), VES_VERDICT_SUPERSEDED, "head_moved");
    assert_false(c->record.is_open);
}

static void resolving_a_deleted_entity_restores_it(void **state)
{
    struct test_judge_says says;
    (void)state;
    APPLIED("A1", 0, 0, NULL, "delete * 0");
    DELETED("A1", NULL, "concurrent_delete", "B1", 0, 0, NULL, "set f 2");
    says =
        resolve("A2", 2, VES_WINNER_BRANCH, "B1", "A1", "restore * 0; set f 2");
    applied(&says);
    assert_int_equal(test_judge_log_entity(log_, "e")->tombstone, 0);
    says = resolve("A3", 3, VES_WINNER_UNDO, "B1", "A1", "");
    says.supersedes = "A2";
    applied(&says);
    assert_string_equal(
        log_->events[test_judge_log_entity(log_, "e")->tombstone - 1].name,
        "A3");
}

/* ---- events without rules ------------------------------------------------ */

static void carried_events_count_and_touch_nothing(void **state)
{
    struct test_judge_says says = edit("A1", 0, 0, NULL, "");
    (void)state;
    says.is_carried = true;
    says.deps[0] = "Z9";
    applied(&says);
    APPLIED("B1", 0, 0, NULL, "set f 1");
    assert_int_equal(test_judge_log_entity(log_, "e")->version, 2);
}

/* Decision 5: they saw everything; to others they are the whole entity. */
static void foreign_events_are_the_whole_entity(void **state)
{
    struct test_judge_says says;
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    says = edit("X0", 0, 0, NULL, "set * x");
    says.is_foreign = true;
    says.has_base = false;
    applied(&says);
    CONCURRENT("X0", NULL, "same_field", "B1", 1, 1, "A1", "set g 1");
    APPLIED("B2", 3, 2, "X0", "set g 1");
}

/* ---- atomic groups (decision 17) ----------------------------------------- */

static void a_group_takes_effect_together(void **state)
{
    struct test_judge_says group[3];
    (void)state;
    APPLIED("A1", 0, 0, NULL, "set f 1");
    group[0] = edit("B1", 0, 0, NULL, "set f 7");
    group[0].entity = "p";
    struct test_effect kept[3];
    kept[0] = group[0].effects.list[0];
    group[0].effects.list = &kept[0];
    group[1] = edit("B2", 0, 0, NULL, "set f 2");
    kept[1] = group[1].effects.list[0];
    group[1].effects.list = &kept[1];
    group[2] = fact("B3", 0, "delta q 1");
    kept[2] = group[2].effects.list[0];
    group[2].effects.list = &kept[2];
    const struct test_judge_event *b = test_judge_log_group(log_, group, 3);
    expect(&b[1], VES_VERDICT_CONFLICT, "same_field");
    expect(&b[0], VES_VERDICT_CONFLICT, "tail");
    expect(&b[2], VES_VERDICT_APPLIED, ""); /* it happened */
    assert_int_equal(log_->conflict_count, 1);
    assert_int_equal(log_->conflicts[0].branch.count, 2);
    assert_int_equal(test_judge_log_entity(log_, "p")->version, 0);
}

/* Members see the ones before them. */
static void a_group_may_build_on_itself(void **state)
{
    struct test_judge_says group[2];
    struct test_effect kept[2];
    (void)state;
    group[0] = edit("B1", 0, 0, NULL, "create @ 1");
    kept[0] = group[0].effects.list[0];
    group[0].effects.list = &kept[0];
    group[1] = edit("B2", 0, 1, "B1", "set f 2");
    kept[1] = group[1].effects.list[0];
    group[1].effects.list = &kept[1];
    const struct test_judge_event *b = test_judge_log_group(log_, group, 2);
    expect(&b[0], VES_VERDICT_APPLIED, "");
    expect(&b[1], VES_VERDICT_APPLIED, "");
    assert_int_equal(test_judge_log_entity(log_, "e")->version, 2);
    APPLIED("A1", 2, 2, "B2", "set f 3");
}

static void a_group_waits_together(void **state)
{
    struct test_judge_says group[2], says;
    struct test_effect kept[2];
    (void)state;
    group[0] = edit("B1", 0, 0, NULL, "set f 7");
    group[0].entity = "p";
    kept[0] = group[0].effects.list[0];
    group[0].effects.list = &kept[0];
    group[1] = edit("B2", 0, 0, NULL, "set f 2");
    kept[1] = group[1].effects.list[0];
    group[1].effects.list = &kept[1];
    group[1].deps[0] = "C1";
    const struct test_judge_event *b = test_judge_log_group(log_, group, 2);
    expect(&b[0], VES_VERDICT_WAITING, "");
    expect(&b[1], VES_VERDICT_WAITING, "");
    says = edit("C1", 0, 0, NULL, "set f 1");
    says.entity = "r";
    applied(&says);
    expect(&b[0], VES_VERDICT_APPLIED, "");
    expect(&b[1], VES_VERDICT_APPLIED, "");
    assert_int_equal(b[0].applied_at, 3);
}

/* ---- reading events ------------------------------------------------------ */

static struct ves_judge_subject read(struct ves_event *event, const char *type,
                                     const char *payload)
{
    struct ves_judge_subject subject;

    event->event_type = ves_bytes_str(type);
    event->entity_type = ves_entity_type_of(event->event_type);
    event->entity_id = ves_bytes_str("A-1");
    event->payload = payload ? test_json(&log_->arena, payload) : NULL;
    event->payload_kind = payload ? VES_PAYLOAD_PLAIN : VES_PAYLOAD_ENCRYPTED;
    memset(&subject, 0xEE, sizeof(subject));
    assert_int_equal(ves_judge_subject_read(&log_->arena, VES_RULES_BUILT_IN,
                                            event, &subject),
                     VES_OK);
    ves_judge_subject_place(&subject, 9, event);
    if (subject.has_effects)
        return subject;
    assert_int_equal(ves_judge_subject_effects(&log_->arena, VES_RULES_BUILT_IN,
                                               event, &subject.effects),
                     VES_OK);
    /* What is said without them must be true of them. */
    assert_true(!subject.is_delta || ves_effects_are_deltas(subject.effects));
    assert_int_equal(subject.tombstone, ves_effects_tombstone(subject.effects));
    return subject;
}

/* The shape of every type that the judge has a rule for. */
static void effects_are_what_was_said_of_them(void **state)
{
    static const char *const payloads[] = {
        "{}",
        "{\"delta\":\"3\",\"amount_minor\":5,\"refund_id\":\"r\","
        "\"reservation_id\":\"x\",\"quantity\":1,\"points\":2,"
        "\"delta_minor\":1,\"status\":\"s\",\"a\":{\"b\":null}}",
        "{\"patch\":{\"a\":1},\"before\":{\"/b\":2}}"};
    struct ves_event event = {
        .context = {.is_present = true, .schema_version = 1}};
    const struct ves_event_type *type;
    size_t deltas = 0;
    (void)state;

    for (size_t i = 0; (type = ves_event_type_at(i)) != NULL; i++) {
        for (size_t k = 0; k < 3; k++)
            deltas += read(&event, type->name, payloads[k]).is_delta;
    }
    assert_true(deltas > 0);
}

static void subjects_of_our_events(void **state)
{
    struct ves_event event = {.has_base_version = true, .base_version = 3};
    struct ves_uuid dep = {{7}};
    (void)state;
    event.context = (struct ves_context){.is_present = true,
                                         .agent_seq = 5,
                                         .seen = 4,
                                         .has_base_head = true,
                                         .base_head = {{6}},
                                         .schema_version = 1,
                                         .deps = &dep,
                                         .dep_count = 1};
    struct ves_judge_subject s =
        read(&event, "order.updated", "{\"patch\":{\"customer_id\":\"C\"}}");
    assert_true(s.has_context && s.has_base && s.has_base_head);
    assert_true(s.needs_base && !s.is_fact && !s.is_carried);
    assert_int_equal(s.seen, 4);
    assert_int_equal(s.agent_seq, 5);
    assert_int_equal(s.sequence, 9);
    assert_int_equal(s.base_version, 3);
    assert_int_equal(s.base_head.b[0], 6);
    assert_int_equal(s.deps.count, 1);
    assert_int_equal(s.deps.list[0].b[0], 7);
    assert_int_equal(s.refs.count, 1);
    assert_int_equal(s.effects.count, 1);
    s = read(&event, "order.shipped", "{}");
    assert_true(s.is_fact && !s.needs_base);
    s = read(&event, "order.confirmed", "{}");
    assert_true(!s.is_carried && s.needs_base && s.effects.count == 2);
    s = read(&event, "order.gift_wrapped", "{}");
    assert_true(s.is_carried && s.is_unknown && s.effects.count == 0);
    event.context.schema_version = 0;
    s = read(&event, "order.updated", "{\"patch\":{}}");
    assert_true(s.is_carried && !s.is_unknown);
    event.context.schema_version = 2;
    s = read(&event, "order.updated", "{\"patch\":{}}");
    assert_true(s.is_carried && s.is_unknown);
}

static void subjects_of_other_events(void **state)
{
    struct ves_event event = {.has_base_version = true};
    (void)state;
    struct ves_judge_subject s =
        read(&event, "order.updated", "{\"patch\":{\"a\":1}}");
    assert_false(s.has_context);
    assert_int_equal(s.seen, 8);
    assert_int_equal(s.effects.count, 1);
    assert_true(ves_bytes_is(s.effects.list[0].path, "*"));
    s = read(&event, "order.updated", NULL); /* encrypted */
    assert_int_equal(s.effects.count, 1);
    assert_true(ves_bytes_is(s.effects.list[0].path, "*"));
    s = read(&event, "acme.thing", "{}");
    assert_true(s.is_carried);
    assert_int_equal(s.effects.count, 0);
}

static void subjects_of_resolutions(void **state)
{
    struct ves_event event = {.context = {.is_present = true}};
    char payload[1024];
    char hex[3][65] = {{0}};
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        memset(hex[i], (int)('a' + (int)i), 64);
    snprintf(payload, sizeof(payload),
             "{\"conflict_id\":\"0x%s\",\"winner\":\"branch\",\"inputs\":["
             "{\"hash\":\"0x%s\",\"role\":\"branch\"},"
             "{\"hash\":\"0x%s\",\"role\":\"applied\"}],"
             "\"result\":{\"ops\":[{\"op\":\"set\",\"path\":\"/a\","
             "\"value\":1}]},\"supersedes\":null}",
             hex[0], hex[1], hex[2]);
    struct ves_judge_subject s = read(&event, "ves.conflict.resolved", payload);
    assert_non_null(s.resolution);
    assert_int_equal(s.resolution->winner, VES_WINNER_BRANCH);
    assert_int_equal(s.resolution->conflict_id.b[0], 0xAA);
    assert_int_equal(s.resolution->inputs.count, 1);
    assert_int_equal(s.resolution->inputs.list[0].b[31], 0xBB);
    assert_int_equal(s.effects.count, 1);
    assert_false(s.resolution->has_supersedes);
    snprintf(payload, sizeof(payload),
             "{\"conflict_id\":7,\"supersedes\":\"0x%s\"}", hex[2]);
    s = read(&event, "ves.conflict.resolved", payload);
    assert_int_equal(s.resolution->winner, VES_WINNER_UNDO);
    assert_true(s.resolution->has_supersedes);
    assert_int_equal(s.resolution->conflict_id.b[0], 0);
    s = read(&event, "ves.conflict.resolved",
             "{\"winner\":\"applied\",\"result\":{\"patch\":{\"a\":1}}}");
    assert_int_equal(s.resolution->winner, VES_WINNER_APPLIED);
    assert_int_equal(s.effects.count, 0); /* it writes nothing */
    s = read(&event, "ves.conflict.resolved", "{\"winner\":\"local\"}");
    assert_int_equal(s.resolution->winner, VES_WINNER_NONE);
}

/* ---- the other implementation's answer ----------------------------------- */

static struct ves_event event_with_base(bool has_base, uint64_t base)
{
    struct ves_event event;
    memset(&event, 0, sizeof(event));
    event.event_id.b[3] = 9;
    event.has_base_version = has_base;
    event.base_version = base;
    return event;
}

/* protocol.md B.3: "version_conflict: expected X, actual Y". */
static void foreign_event_on_another_version_is_refused(void **state)
{
    static const struct {
        uint64_t version, base;
        const char *reason;
    } cases[] = {
        {7, 6, "version_conflict: expected 6, actual 7"},
        {7, 8, "version_conflict: expected 8, actual 7"},
        {1, 0, "version_conflict: expected 0, actual 1"},
        {0, UINT64_MAX,
         "version_conflict: expected 18446744073709551615, actual 0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_event event = event_with_base(true, cases[i].base);
        struct ves_refusal refusal;
        assert_int_equal(ves_judge_foreign(&event, cases[i].version, &refusal),
                         VES_REFUSED);
        assert_int_equal(refusal.code, VES_REFUSAL_VERSION_CONFLICT);
        assert_string_equal(refusal.reason, cases[i].reason);
        assert_true(refusal.has_event_id);
        assert_true(ves_uuid_equal(&refusal.event_id, &event.event_id));
        assert_true(strlen(refusal.message) > 0);
    }
}

static void other_events_are_never_refused(void **state)
{
    struct ves_refusal refusal;
    struct ves_event event = event_with_base(true, 7);
    (void)state;
    assert_int_equal(ves_judge_foreign(&event, 7, &refusal), VES_OK);
    event = event_with_base(false, 3);
    assert_int_equal(ves_judge_foreign(&event, 7, &refusal), VES_OK);
    event = event_with_base(true, 3);
    event.context.is_present = true;
    assert_int_equal(ves_judge_foreign(&event, 7, &refusal), VES_OK);
}

static enum ves_status no_entity(void *ctx, const struct ves_hash *key,
                                 struct ves_judge_entity *out)
{
    (void)ctx;
    (void)key;
    (void)out;
    return VES_IO;
}

static void a_failing_view_is_no_verdict(void **state)
{
    const struct ves_judge_view view = {.entity = no_entity};
    const struct ves_judge_subject subject = {.has_context = true};
    struct ves_judgement out;
    (void)state;
    assert_int_equal(ves_judge(&view, &log_->arena, &subject, &out), VES_IO);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(ves_verdict_name(VES_VERDICT_NONE), "");
    assert_string_equal(ves_verdict_name(VES_VERDICT_APPLIED), "applied");
    assert_string_equal(ves_verdict_name(VES_VERDICT_CONFLICT), "conflict");
    assert_string_equal(ves_verdict_name(VES_VERDICT_WAITING), "waiting");
    assert_string_equal(ves_verdict_name(VES_VERDICT_SUPERSEDED), "superseded");
    assert_string_equal(ves_conflict_kind_name(VES_CONFLICT_KIND_NONE), "");
}

#define T(function) cmocka_unit_test_setup(function, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(first_writer_wins_and_the_second_is_kept),
        T(conflict_ids_are_the_decisions),
        T(commuting_changes_are_applied_and_noted),
        T(sub_codes_of_concurrent_edits),
        T(several_types_one_primary),
        T(stale_base),
        T(future_base),
        T(fork_base),
        T(missing_base),
        T(edits_of_what_is_deleted),
        T(references_to_what_is_deleted),
        T(facts_override_intents_and_tombstones),
        T(facts_conflict_with_facts_only),
        T(deltas_always_commute),
        T(deltas_on_deltas_cost_no_scan),
        T(a_stretch_of_ones_own_costs_no_scan),
        T(only_a_declared_dependency_waits),
        T(a_waiting_event_may_become_a_conflict),
        T(a_dependency_is_met_by_a_resolution),
        T(a_branch_grows_until_it_is_closed),
        T(the_first_resolution_wins),
        T(a_resolution_names_a_conflict_of_its_entity),
        T(no_fact_may_lose),
        T(a_merge_speaks_of_the_fact_that_lost),
        T(a_resolution_against_a_moved_head_is_told_why),
        T(undo_takes_back_and_reopens),
        T(resolving_a_deleted_entity_restores_it),
        T(carried_events_count_and_touch_nothing),
        T(foreign_events_are_the_whole_entity),
        T(a_group_takes_effect_together),
        T(a_group_may_build_on_itself),
        T(a_group_waits_together),
        T(effects_are_what_was_said_of_them),
        T(subjects_of_our_events),
        T(subjects_of_other_events),
        T(subjects_of_resolutions),
        T(foreign_event_on_another_version_is_refused),
        T(other_events_are_never_refused),
        T(a_failing_view_is_no_verdict),
        T(names),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("judge", tests, set_up, tear_down);
}
