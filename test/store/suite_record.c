/* suite_record.c -- the contract of the append-only records. */
#include "test/store/suite.h"

enum { COUNT = 12 };

static void append(struct suite *s, enum ves_record_kind kind,
                   uint32_t stream_no, struct ves_record *rows)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        suite_fill_record(&rows[i], &s->arena, 100 * stream_no + i);
        rows[i].no = 1000 - i; /* not the caller's to give */
    }
    suite_begin(s);
    OK(CALL(s, record_append, kind, stream_no, rows, 1));
    OK(CALL(s, record_append, kind, stream_no, rows + 1, COUNT - 1));
    suite_commit(s);
    for (uint64_t i = 0; i < COUNT; i++)
        rows[i].no = i + 1;
}

static void check_kind(struct suite *s, enum ves_record_kind kind)
{
    struct ves_record rows[COUNT], others[COUNT];

    append(s, kind, 1, rows);
    append(s, kind, 2, others);
    for (int i = 0; i < COUNT; i++)
        suite_print_record(&s->want, &rows[i]);
    OK(CALL(s, record_list, kind, 1, 0, false, 0, suite_see_record, &s->got));
    suite_compare(s);
    for (int i = 4; i < 7; i++)
        suite_print_record(&s->want, &rows[i]);
    OK(CALL(s, record_list, kind, 1, 5, false, 3, suite_see_record, &s->got));
    suite_compare(s);
    for (int i = COUNT - 1; i >= COUNT - 2; i--)
        suite_print_record(&s->want, &others[i]);
    OK(CALL(s, record_list, kind, 2, 0, true, 2, suite_see_record, &s->got));
    suite_compare(s);
    for (int i = 2; i >= 0; i--)
        suite_print_record(&s->want, &rows[i]);
    OK(CALL(s, record_list, kind, 1, 3, true, 0, suite_see_record, &s->got));
    suite_compare(s);
    OK(CALL(s, record_list, kind, 3, 0, true, 0, suite_see_record, &s->got));
    OK(CALL(s, record_list, kind, 1, COUNT + 1, false, 0, suite_see_record,
            &s->got));
    suite_compare(s);
    OK(CALL(s, record_list, kind, 1, COUNT + 1, true, 1, suite_see_record,
            &s->got));
    suite_print_record(&s->want, &rows[COUNT - 1]);
    suite_compare(s);
}

static void device_records_are_numbered_per_kind_and_stream(void **state)
{
    check_kind(*state, VES_RECORD_TRAIL);
    check_kind(*state, VES_RECORD_QUARANTINE);
    check_kind(*state, VES_RECORD_ALERT);
}

static void sequencer_records_are_numbered_per_kind_and_stream(void **state)
{
    check_kind(*state, VES_RECORD_TRAIL);
    check_kind(*state, VES_RECORD_REFUSAL);
    check_kind(*state, VES_RECORD_ALERT);
}

static void records_of_the_whole_store_have_stream_0(void **state)
{
    struct suite *s = *state;
    struct ves_record rows[COUNT];

    append(s, VES_RECORD_TRAIL, 0, rows);
    for (int i = 0; i < COUNT; i++)
        suite_print_record(&s->want, &rows[i]);
    OK(CALL(s, record_list, VES_RECORD_TRAIL, 0, 0, false, 0, suite_see_record,
            &s->got));
    suite_compare(s);
}

static void expect_open(struct suite *s, enum ves_record_kind kind,
                        uint64_t want)
{
    uint64_t got;

    OK(CALL(s, record_count_open, kind, 1, &got));
    assert_int_equal(got, want);
}

static void closing_is_the_only_change(void **state)
{
    struct suite *s = *state;
    bool is_device = s->role == SUITE_DEVICE;
    enum ves_record_kind kind =
        is_device ? VES_RECORD_QUARANTINE : VES_RECORD_ALERT;
    enum ves_record_kind other =
        is_device ? VES_RECORD_ALERT : VES_RECORD_TRAIL;
    struct ves_record rows[COUNT];

    expect_open(s, kind, 0);
    append(s, kind, 1, rows);
    append(s, other, 1, rows);
    expect_open(s, kind, COUNT);
    suite_begin(s);
    OK(CALL(s, record_close, kind, 1, 4, 12345));
    assert_int_equal(CALL(s, record_close, kind, 1, COUNT + 1, 1),
                     VES_NOT_FOUND);
    assert_int_equal(CALL(s, record_close, kind, 2, 4, 1), VES_NOT_FOUND);
    suite_commit(s);
    rows[3].closed_ms = 12345;
    for (int i = 0; i < COUNT; i++)
        suite_print_record(&s->want, &rows[i]);
    OK(CALL(s, record_list, kind, 1, 0, false, 0, suite_see_record, &s->got));
    suite_compare(s);
    expect_open(s, kind, COUNT - 1);
    expect_open(s, other, COUNT);
}

static void the_trail_is_never_closed(void **state)
{
    struct suite *s = *state;
    struct ves_record rows[COUNT];

    append(s, VES_RECORD_TRAIL, 1, rows);
    suite_begin(s);
    assert_int_equal(CALL(s, record_close, VES_RECORD_TRAIL, 1, 1, 5),
                     VES_INVALID);
    suite_commit(s);
    expect_open(s, VES_RECORD_TRAIL, COUNT);
}

static const struct CMUnitTest record_tests[] = {
    DEVICE_TEST(device_records_are_numbered_per_kind_and_stream),
    SEQUENCER_TEST(sequencer_records_are_numbered_per_kind_and_stream),
    EITHER_TEST(records_of_the_whole_store_have_stream_0),
    EITHER_TEST(closing_is_the_only_change),
    EITHER_TEST(the_trail_is_never_closed),
};

const struct CMUnitTest *suite_record_tests(size_t *count)
{
    *count = sizeof record_tests / sizeof record_tests[0];
    return record_tests;
}
