/* suite_conflict.c -- the contract of conflicts and waiting events. */
#include <string.h>

#include "test/store/suite.h"

enum { COUNT = 12 };

/* Conflicts opened at 1 to COUNT; every third is closed. */
static void put_all(struct suite *s, uint32_t no, struct ves_conflict_row *rows)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        suite_fill_conflict(&rows[i], &s->arena, 100 + i);
        rows[i].opened = i + 1;
        rows[i].id = suite_hash('Q', i + 1);
        rows[i].closed = i % 3 == 0 ? 50 + i : 0;
        rows[i].winner = i % 3 == 0 ? 1 + (uint32_t)i % 3 : 0;
        memset(&rows[i].closed_by, i % 3 == 0 ? 7 : 0,
               sizeof rows[i].closed_by);
    }
    suite_begin(s);
    OK(CALL(s, conflict_put, no, rows, COUNT));
    suite_commit(s);
}

static void conflicts_come_back_as_put(void **state)
{
    struct suite *s = *state;
    struct ves_conflict_row rows[COUNT], got[3];
    struct ves_hash ids[] = {suite_hash('Q', 4), suite_hash('Q', 99),
                             suite_hash('Q', 12)};

    put_all(s, 1, rows);
    OK(CALL(s, conflict_get, 1, ids, 3, &s->arena, got));
    suite_print_conflict(&s->want, &rows[3]);
    suite_print_conflict(&s->want, &(struct ves_conflict_row){.id = ids[1]});
    suite_print_conflict(&s->want, &rows[11]);
    for (int i = 0; i < 3; i++)
        suite_print_conflict(&s->got, &got[i]);
    suite_compare(s);
    OK(CALL(s, conflict_get, 2, ids, 3, &s->arena, got));
    assert_false(got[0].is_found || got[2].is_found);
}

static void list(struct suite *s, struct ves_conflict_filter filter)
{
    OK(CALL(s, conflict_list, 1, &filter, suite_see_conflict, &s->got));
}

static void lists_go_either_way_from_a_cursor(void **state)
{
    struct suite *s = *state;
    struct ves_conflict_row rows[COUNT];

    put_all(s, 1, rows);
    put_all(s, 2, rows);
    for (int i = 0; i < COUNT; i++)
        suite_print_conflict(&s->want, &rows[i]);
    list(s, (struct ves_conflict_filter){.after = 0});
    suite_compare(s);
    for (int i = COUNT - 1; i >= 0; i--)
        if (rows[i].closed == 0)
            suite_print_conflict(&s->want, &rows[i]);
    list(s, (struct ves_conflict_filter){.open_only = true,
                                         .is_descending = true});
    suite_compare(s);
    suite_print_conflict(&s->want, &rows[4]); /* 5 is open, 4 is not */
    suite_print_conflict(&s->want, &rows[5]);
    list(s, (struct ves_conflict_filter){
                .open_only = true, .after = 3, .limit = 2});
    suite_compare(s);
    suite_print_conflict(&s->want, &rows[1]);
    suite_print_conflict(&s->want, &rows[0]);
    list(s, (struct ves_conflict_filter){
                .after = 3, .is_descending = true, .limit = 5});
    suite_compare(s);
    list(s, (struct ves_conflict_filter){.after = COUNT});
    suite_compare(s);
}

static void closing_and_opening_again_is_counted(void **state)
{
    struct suite *s = *state;
    struct ves_conflict_row rows[COUNT];
    uint64_t counts[VES_CONFLICT_KINDS], want[VES_CONFLICT_KINDS] = {0};

    put_all(s, 1, rows);
    suite_begin(s);
    rows[1].closed = 60;
    rows[1].winner = 2;
    rows[0].closed = rows[0].winner = 0;
    rows[2].branch_count++;
    OK(CALL(s, conflict_put, 1, rows, 3));
    suite_commit(s);
    for (int i = 0; i < COUNT; i++)
        want[rows[i].kind] += rows[i].closed == 0;
    OK(CALL(s, conflict_counts, 1, counts));
    assert_memory_equal(counts, want, sizeof counts);
    OK(CALL(s, conflict_counts, 2, counts));
    assert_int_equal(counts[1] + counts[2] + counts[3], 0);
    for (int i = 0; i < COUNT; i++)
        suite_print_conflict(&s->want, &rows[i]);
    list(s, (struct ves_conflict_filter){.after = 0});
    suite_compare(s);
}

static void an_event_opens_one_conflict(void **state)
{
    struct suite *s = *state;
    struct ves_conflict_row rows[COUNT];

    put_all(s, 1, rows);
    suite_dump(s->store, s->role, &s->want);
    rows[1].id = suite_hash('Q', 77);
    rows[0].branch_count++;
    suite_begin(s);
    assert_int_equal(CALL(s, conflict_put, 1, rows, 2), VES_CONFLICT);
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static struct ves_conflict_member member(uint64_t conflict, uint32_t side,
                                         uint64_t place, uint64_t sequence)
{
    return (struct ves_conflict_member){
        .conflict_id = suite_hash('Q', conflict),
        .side = side,
        .place = place,
        .sequence_number = sequence,
        .event_hash = suite_hash('H', sequence)};
}

static void members_are_found_from_both_ends(void **state)
{
    struct suite *s = *state;
    struct ves_hash id = suite_hash('Q', 1);
    const struct ves_conflict_member members[] = {
        member(1, VES_SIDE_APPLIED, 1, 4), member(1, VES_SIDE_BRANCH, 1, 9),
        member(1, VES_SIDE_APPLIED, 2, 6), member(2, VES_SIDE_APPLIED, 1, 6),
        member(2, VES_SIDE_BRANCH, 1, 11), member(1, VES_SIDE_BRANCH, 2, 10)};
    static const int of_first[] = {1, 5, 0, 2};

    suite_begin(s);
    OK(CALL(s, member_add, 1, members, 5));
    OK(CALL(s, member_add, 1, members + 5, 1));
    suite_commit(s);
    for (int i = 0; i < 4; i++)
        suite_print_member(&s->want, &members[of_first[i]]);
    OK(CALL(s, member_list, 1, &id, suite_see_member, &s->got));
    suite_compare(s);
    /* By conflict id, which suite_hash spreads: 2 comes before 1. */
    suite_print_member(&s->want, &members[3]);
    suite_print_member(&s->want, &members[2]);
    OK(CALL(s, member_find, 1, 6, suite_see_member, &s->got));
    suite_compare(s);
    OK(CALL(s, member_find, 1, 7, suite_see_member, &s->got));
    OK(CALL(s, member_find, 2, 6, suite_see_member, &s->got));
    OK(CALL(s, member_list, 2, &id, suite_see_member, &s->got));
    suite_compare(s);
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    assert_int_equal(CALL(s, member_add, 1, &members[5], 1), VES_CONFLICT);
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void what_waits_is_found_until_it_does_not(void **state)
{
    struct suite *s = *state;
    struct ves_hash a = suite_hash('W', 1), b = suite_hash('W', 3);
    struct ves_stream stream = suite_stream(1);
    struct ves_stream_row at;
    struct ves_log_row rows[5];
    uint64_t sequence;

    suite_begin(s);
    OK(CALL(s, stream_get, &stream, true, &at));
    for (uint64_t i = 0; i < 5; i++) {
        suite_log_row(s, &rows[i], i + 1);
        rows[i].has_waited = false;
        memset(&rows[i].waits_for, 0, sizeof rows[i].waits_for);
    }
    rows[0].waits_for = rows[3].waits_for = b;
    rows[2].waits_for = a;
    OK(CALL(s, log_append, 1, rows, 5));
    suite_commit(s);
    suite_see_waiting(&s->want, 3, &a);
    suite_see_waiting(&s->want, 1, &b);
    suite_see_waiting(&s->want, 4, &b);
    OK(CALL(s, waiting_list, 1, NULL, 0, suite_see_waiting, &s->got));
    suite_compare(s);
    suite_see_waiting(&s->want, 1, &b);
    OK(CALL(s, waiting_list, 1, &b, 1, suite_see_waiting, &s->got));
    suite_compare(s);
    OK(CALL(s, log_find_late, 1, &rows[0].entity_key, rows[0].version,
            &sequence));
    assert_int_equal(sequence, 0);

    memset(&rows[0].waits_for, 0, sizeof rows[0].waits_for);
    rows[0].has_waited = true;
    rows[0].version = 7;
    rows[2].waits_for = b;
    suite_begin(s);
    OK(CALL(s, log_judge, 1, rows, 3));
    suite_commit(s);
    suite_see_waiting(&s->want, 3, &b);
    suite_see_waiting(&s->want, 4, &b);
    OK(CALL(s, waiting_list, 1, NULL, 0, suite_see_waiting, &s->got));
    OK(CALL(s, waiting_list, 1, &a, 0, suite_see_waiting, &s->got));
    suite_compare(s);
    OK(CALL(s, log_find_late, 1, &rows[0].entity_key, 7, &sequence));
    assert_int_equal(sequence, 1);
    OK(CALL(s, log_find_late, 1, &rows[0].entity_key, 8, &sequence));
    assert_int_equal(sequence, 0);
}

static void resetting_forgets_one_stream(void **state)
{
    struct suite *s = *state;
    struct ves_conflict_row rows[COUNT];
    const struct ves_conflict_member one = member(1, VES_SIDE_BRANCH, 1, 1);
    struct ves_hash id = suite_hash('Q', 1);

    suite_append_log(s, 1, 6);
    put_all(s, 1, rows);
    put_all(s, 2, rows);
    suite_begin(s);
    OK(CALL(s, member_add, 1, &one, 1));
    OK(CALL(s, member_add, 2, &one, 1));
    OK(CALL(s, verdict_reset, 1));
    suite_commit(s);
    list(s, (struct ves_conflict_filter){.after = 0});
    OK(CALL(s, waiting_list, 1, NULL, 0, suite_see_waiting, &s->got));
    OK(CALL(s, member_list, 1, &id, suite_see_member, &s->got));
    OK(CALL(s, member_find, 1, 1, suite_see_member, &s->got));
    suite_compare(s);
    suite_print_member(&s->want, &one);
    OK(CALL(s, member_list, 2, &id, suite_see_member, &s->got));
    suite_compare(s);
    /* Everything may come again. */
    put_all(s, 1, rows);
    suite_begin(s);
    OK(CALL(s, member_add, 1, &one, 1));
    suite_commit(s);
    for (int i = 0; i < COUNT; i++)
        suite_print_conflict(&s->want, &rows[i]);
    list(s, (struct ves_conflict_filter){.after = 0});
    suite_compare(s);
}

static const struct CMUnitTest conflict_tests[] = {
    EITHER_TEST(conflicts_come_back_as_put),
    SEQUENCER_TEST(lists_go_either_way_from_a_cursor),
    EITHER_TEST(closing_and_opening_again_is_counted),
    SEQUENCER_TEST(an_event_opens_one_conflict),
    EITHER_TEST(members_are_found_from_both_ends),
    SEQUENCER_TEST(what_waits_is_found_until_it_does_not),
    DEVICE_TEST(resetting_forgets_one_stream),
    SEQUENCER_TEST(resetting_forgets_one_stream),
};

const struct CMUnitTest *suite_conflict_tests(size_t *count)
{
    *count = sizeof conflict_tests / sizeof conflict_tests[0];
    return conflict_tests;
}
