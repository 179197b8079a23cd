/* suite_outbox.c -- the contract of the outbox. */
#include <stdlib.h>
#include <string.h>

#include "test/store/suite.h"

enum { COUNT = 60 };

static void append(struct suite *s, struct ves_outbox_row *rows, size_t count)
{
    suite_begin(s);
    OK(CALL(s, outbox_append, rows, count));
    suite_commit(s);
}

/* COUNT rows of all statuses and three entities, as the store has them. */
static struct ves_outbox_row *fill_outbox(struct suite *s)
{
    struct ves_outbox_row *rows =
        ves_arena_alloc(&s->arena, COUNT * sizeof *rows);

    assert_non_null(rows);
    for (uint64_t i = 0; i < COUNT; i++) {
        suite_fill_outbox(&rows[i], &s->arena, 1000 + i);
        rows[i].event_id = suite_uuid('E', i);
    }
    append(s, rows, 1);
    append(s, rows + 1, COUNT - 1);
    return rows;
}

static void rows_get_dense_numbers(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s);
    struct ves_outbox_filter all = {0};
    struct ves_outbox_row more;

    for (uint64_t i = 0; i < COUNT; i++) {
        assert_int_equal(rows[i].local_seq, i + 1);
        suite_print_outbox(&s->want, &rows[i]);
    }
    OK(CALL(s, outbox_list, &all, suite_see_outbox, &s->got));
    suite_compare(s);
    /* A number that was rolled back is given again. */
    suite_fill_outbox(&more, &s->arena, 5);
    suite_begin(s);
    OK(CALL(s, outbox_append, &more, 1));
    assert_int_equal(more.local_seq, COUNT + 1);
    suite_rollback(s);
    append(s, &more, 1);
    assert_int_equal(more.local_seq, COUNT + 1);
}

static void rows_are_found_by_event_id(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), got[3], none = {0};
    struct ves_uuid ids[3] = {suite_uuid('E', 9), suite_uuid('E', 999),
                              suite_uuid('E', 0)};

    OK(CALL(s, outbox_get, ids, 3, &s->arena, got));
    suite_print_outbox(&s->want, &rows[9]);
    suite_print_outbox(&s->want, &none);
    suite_print_outbox(&s->want, &rows[0]);
    for (int i = 0; i < 3; i++)
        suite_print_outbox(&s->got, &got[i]);
    suite_compare(s);
}

static void a_taken_event_id_conflicts(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), more[3];

    for (uint64_t i = 0; i < 3; i++) {
        suite_fill_outbox(&more[i], &s->arena, i);
        more[i].event_id = suite_uuid('E', 500 + i);
    }
    more[2].event_id = rows[3].event_id;
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    assert_int_equal(CALL(s, outbox_append, more, 3), VES_CONFLICT);
    assert_int_equal(CALL(s, outbox_append, more + 2, 1), VES_CONFLICT);
    more[2].event_id = more[0].event_id;
    assert_int_equal(CALL(s, outbox_append, more, 3), VES_CONFLICT);
    assert_string_not_equal(s->store->error.text, "");
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static bool is_wanted(const struct ves_outbox_filter *f,
                      const struct ves_outbox_row *row)
{
    if (f->status_mask && !(f->status_mask & 1u << row->status))
        return false;
    if (f->has_entity && !ves_hash_equal(&f->entity_key, &row->entity_key))
        return false;
    if (f->is_descending)
        return f->after_local_seq == 0 || row->local_seq < f->after_local_seq;
    return row->local_seq > f->after_local_seq;
}

static uint32_t check_filter(struct suite *s, const struct ves_outbox_row *rows,
                             const struct ves_outbox_filter *f)
{
    uint32_t count = 0;

    for (int i = 0; i < COUNT; i++) {
        const struct ves_outbox_row *row =
            &rows[f->is_descending ? COUNT - 1 - i : i];

        if (!is_wanted(f, row) || (f->limit && count == f->limit))
            continue;
        suite_print_outbox(&s->want, row);
        count++;
    }
    OK(CALL(s, outbox_list, f, suite_see_outbox, &s->got));
    suite_compare(s);
    return count;
}

static void every_filter_gives_its_rows_in_order(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s);
    uint32_t seen = 0;

    for (unsigned i = 0; i < 32 * 2 * 2; i++) {
        struct ves_outbox_filter f = {.status_mask = i % 32,
                                      .has_entity = i / 32 % 2,
                                      .is_descending = i / 64};

        f.entity_key = suite_hash('K', 1);
        seen += check_filter(s, rows, &f);
        f.limit = 2;
        seen += check_filter(s, rows, &f);
        f.after_local_seq = 31;
        seen += check_filter(s, rows, &f);
        f.limit = 0;
        seen += check_filter(s, rows, &f);
    }
    assert_true(seen > 500);
}

/* Links each row to the one before it of its entity. */
static void link_entities(struct ves_outbox_row *rows)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        rows[i].entity_prev = 0;
        for (uint64_t k = i; k > 0 && rows[i].entity_prev == 0; k--)
            if (ves_hash_equal(&rows[k - 1].entity_key, &rows[i].entity_key))
                rows[i].entity_prev = k;
    }
}

static void check_overlay(struct suite *s, const struct ves_outbox_row *rows,
                          uint64_t last, uint64_t count)
{
    uint64_t first = last, left = count;

    for (uint64_t i = last; i > 0 && left > 0; i--) {
        const struct ves_outbox_row *row = &rows[i - 1];

        first = i;
        if (row->is_in_overlay &&
            ves_hash_equal(&row->entity_key, &rows[last - 1].entity_key))
            left--;
    }
    for (uint64_t i = first; i <= last && count > 0; i++)
        if (rows[i - 1].is_in_overlay &&
            ves_hash_equal(&rows[i - 1].entity_key, &rows[last - 1].entity_key))
            suite_print_outbox(&s->want, &rows[i - 1]);
    OK(CALL(s, outbox_overlay, last, count, suite_see_outbox, &s->got));
    suite_compare(s);
}

static void the_overlay_of_an_entity_is_its_chain(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows =
        ves_arena_alloc(&s->arena, COUNT * sizeof *rows);

    assert_non_null(rows);
    for (uint64_t i = 0; i < COUNT; i++) {
        suite_fill_outbox(&rows[i], &s->arena, 1000 + i);
        rows[i].event_id = suite_uuid('E', i);
    }
    link_entities(rows);
    append(s, rows, COUNT);
    for (uint64_t last = 1; last <= COUNT; last++)
        for (uint64_t count = 0; count < 8; count++)
            check_overlay(s, rows, last, count);
    check_overlay(s, rows, COUNT, UINT64_MAX);
    OK(CALL(s, outbox_overlay, 0, 5, suite_see_outbox, &s->got));
    OK(CALL(s, outbox_overlay, COUNT + 1, 5, suite_see_outbox, &s->got));
    suite_compare(s);
}

static void put_promise(struct ves_buf *buf, uint64_t number, uint64_t seq)
{
    ves_buf_putf(buf, "%llu %llu\n", (unsigned long long)number,
                 (unsigned long long)seq);
}

static size_t check_promised(struct suite *s, const struct ves_outbox_row *rows,
                             uint64_t first, uint64_t last, size_t max)
{
    struct ves_promise_row promised[COUNT];
    size_t want = 0, found;

    for (uint64_t number = first; number <= last; number++) {
        for (uint64_t i = 0; i < COUNT && want < max; i++) {
            if (!rows[i].is_in_overlay || !rows[i].has_receipt ||
                rows[i].sequence_number != number)
                continue;
            put_promise(&s->want, number, i + 1);
            want++;
        }
    }
    OK(CALL(s, outbox_promised, first, last, max, promised, &found));
    for (size_t i = 0; i < found; i++)
        put_promise(&s->got, promised[i].sequence_number,
                    promised[i].local_seq);
    suite_compare(s);
    return found;
}

static void what_is_promised_is_found_by_number(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows =
        ves_arena_alloc(&s->arena, COUNT * sizeof *rows);
    size_t seen = 0;

    assert_non_null(rows);
    for (uint64_t i = 0; i < COUNT; i++) {
        suite_fill_outbox(&rows[i], &s->arena, 2000 + i);
        rows[i].event_id = suite_uuid('E', i);
        rows[i].sequence_number = 1 + (i * 7) % 20;
    }
    append(s, rows, COUNT);
    for (uint64_t first = 0; first < 22; first += 3)
        for (uint64_t last = first; last < 22; last++)
            for (size_t max = 0; max <= COUNT; max += COUNT / 4)
                seen += check_promised(s, rows, first, last, max);
    assert_true(seen > 100);
}

static void a_link_that_leads_forward_ends_the_chain(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), own[2];

    for (uint64_t i = 0; i < 2; i++) {
        own[i] = rows[i];
        own[i].event_id = suite_uuid('E', 700 + i);
        own[i].entity_prev = COUNT + 2 - i;
        own[i].is_in_overlay = true;
    }
    append(s, own, 2);
    suite_print_outbox(&s->want, &own[0]);
    suite_print_outbox(&s->want, &own[1]);
    OK(CALL(s, outbox_overlay, COUNT + 2, 9, suite_see_outbox, &s->got));
    suite_compare(s);
}

static void pages_put_together_give_the_whole(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s);
    struct ves_outbox_filter f = {.status_mask = 1u << VES_OUTBOX_PENDING |
                                                 1u << VES_OUTBOX_FAILED,
                                  .limit = 4};
    uint64_t last = 0;

    for (int i = 0; i < COUNT; i++) {
        if (rows[i].status != VES_OUTBOX_PENDING &&
            rows[i].status != VES_OUTBOX_FAILED)
            continue;
        suite_print_outbox(&s->want, &rows[i]);
        last = rows[i].local_seq;
    }
    while (f.after_local_seq < last) {
        struct ves_bytes view;
        const char *at, *line = NULL;

        OK(CALL(s, outbox_list, &f, suite_see_outbox, &s->got));
        ves_buf_put_u8(&s->got, 0);
        s->got.len--;
        view = ves_buf_view(&s->got);
        for (at = (const char *)view.ptr;
             (at = strstr(at, "local_seq=")) != NULL; at++)
            line = at;
        assert_non_null(line);
        f.after_local_seq = strtoull(line + 10, NULL, 10);
    }
    suite_compare(s);
}

static enum ves_status stop_at_once(void *ctx, const struct ves_outbox_row *row)
{
    (void)row;
    ++*(int *)ctx;
    return VES_REFUSED;
}

static void a_visitor_may_stop(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_filter all = {0};
    int calls = 0;

    fill_outbox(s);
    assert_int_equal(CALL(s, outbox_list, &all, stop_at_once, &calls),
                     VES_REFUSED);
    assert_int_equal(calls, 1);
}

static void expect_counts(struct suite *s, const struct ves_outbox_row *rows)
{
    uint64_t want[VES_OUTBOX_STATUSES] = {0}, got[VES_OUTBOX_STATUSES];

    for (int i = 0; i < COUNT; i++)
        want[rows[i].status]++;
    OK(CALL(s, outbox_counts, got));
    assert_memory_equal(got, want, sizeof want);
}

static void updating_changes_the_moving_members_alone(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), moved[COUNT];
    struct ves_outbox_filter all = {0};

    expect_counts(s, rows);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct ves_outbox_row *row = &moved[i];

        suite_fill_moving(&rows[i], &s->arena, 9000 + i);
        suite_fill_outbox(row, &s->arena, 9000 + i);
        row->local_seq = rows[i].local_seq;
        suite_print_outbox(&s->want, &rows[i]);
    }
    suite_begin(s);
    OK(CALL(s, outbox_update, moved, COUNT / 2));
    OK(CALL(s, outbox_update, moved + COUNT / 2, COUNT - COUNT / 2));
    suite_commit(s);
    OK(CALL(s, outbox_list, &all, suite_see_outbox, &s->got));
    suite_compare(s);
    expect_counts(s, rows);
}

static void signing_again_changes_hash_number_and_envelope_alone(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), other = rows[3];
    struct ves_outbox_filter all = {0};

    suite_fill_outbox(&other, &s->arena, 9003);
    other.local_seq = rows[3].local_seq;
    rows[3].event_hash = other.event_hash;
    rows[3].agent_seq = other.agent_seq;
    rows[3].envelope = other.envelope;
    for (size_t i = 0; i < COUNT; i++)
        suite_print_outbox(&s->want, &rows[i]);
    suite_begin(s);
    OK(CALL(s, outbox_resign, &other));
    other.local_seq = COUNT + 1;
    assert_int_equal(CALL(s, outbox_resign, &other), VES_NOT_FOUND);
    suite_commit(s);
    OK(CALL(s, outbox_list, &all, suite_see_outbox, &s->got));
    suite_compare(s);
    expect_counts(s, rows);
}

static void counts_follow_a_row_moved_twice_in_one_call(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), twice[2];

    twice[0] = twice[1] = rows[5];
    twice[0].status = VES_OUTBOX_FAILED;
    twice[1].status = rows[5].status = VES_OUTBOX_SYNCING;
    suite_begin(s);
    OK(CALL(s, outbox_update, twice, 2));
    suite_commit(s);
    expect_counts(s, rows);
}

static void updating_what_is_not_there_changes_nothing(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s), moved[2];

    moved[0] = moved[1] = rows[0];
    moved[0].error = ves_bytes_str("half");
    moved[1].local_seq = COUNT + 1;
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    assert_int_equal(CALL(s, outbox_update, moved, 2), VES_NOT_FOUND);
    moved[1].local_seq = 0;
    assert_int_equal(CALL(s, outbox_update, moved, 2), VES_NOT_FOUND);
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void pruning_empties_old_synced_envelopes(void **state)
{
    struct suite *s = *state;
    struct ves_outbox_row *rows = fill_outbox(s);
    struct ves_outbox_filter all = {0};
    uint64_t count = 99, want = 0;

    for (int i = 0; i < COUNT; i++) {
        struct ves_outbox_row row = rows[i];

        /* In the overlay the envelope is still needed. */
        if (row.status == VES_OUTBOX_SYNCED && row.synced_ms < 70 &&
            !row.is_in_overlay && row.envelope.len) {
            row.envelope = ves_bytes(NULL, 0);
            want++;
        }
        suite_print_outbox(&s->want, &row);
    }
    assert_true(want > 0);
    suite_begin(s);
    OK(CALL(s, outbox_prune, 70, &count));
    assert_int_equal(count, want);
    OK(CALL(s, outbox_prune, 70, &count));
    assert_int_equal(count, 0);
    suite_commit(s);
    OK(CALL(s, outbox_list, &all, suite_see_outbox, &s->got));
    suite_compare(s);
    expect_counts(s, rows);
}

static const struct CMUnitTest outbox_tests[] = {
    DEVICE_TEST(rows_get_dense_numbers),
    DEVICE_TEST(rows_are_found_by_event_id),
    DEVICE_TEST(a_taken_event_id_conflicts),
    DEVICE_TEST(every_filter_gives_its_rows_in_order),
    DEVICE_TEST(the_overlay_of_an_entity_is_its_chain),
    DEVICE_TEST(what_is_promised_is_found_by_number),
    DEVICE_TEST(a_link_that_leads_forward_ends_the_chain),
    DEVICE_TEST(pages_put_together_give_the_whole),
    DEVICE_TEST(a_visitor_may_stop),
    DEVICE_TEST(updating_changes_the_moving_members_alone),
    DEVICE_TEST(signing_again_changes_hash_number_and_envelope_alone),
    DEVICE_TEST(counts_follow_a_row_moved_twice_in_one_call),
    DEVICE_TEST(updating_what_is_not_there_changes_nothing),
    DEVICE_TEST(pruning_empties_old_synced_envelopes),
};

const struct CMUnitTest *suite_outbox_tests(size_t *count)
{
    *count = sizeof outbox_tests / sizeof outbox_tests[0];
    return outbox_tests;
}
