/* suite_follow.c -- the contract of what a store keeps of a log it follows. */
#include <string.h>

#include "test/store/suite.h"

enum { KEEP = 5 };

static void the_row_is_replaced_as_a_whole(void **state)
{
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 3), two = suite_append_log(s, 2, 1);
    struct ves_follow_row row, got;

    assert_int_equal(CALL(s, follow_get, one, &s->arena, &got), VES_NOT_FOUND);
    suite_begin(s);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        suite_fill_follow(&row, &s->arena, seed);
        OK(CALL(s, follow_put, one, &row));
    }
    assert_int_equal(CALL(s, follow_put, two + 7, &row), VES_NOT_FOUND);
    suite_commit(s);
    OK(CALL(s, follow_get, one, &s->arena, &got));
    suite_print_follow(&s->want, &row);
    suite_print_follow(&s->got, &got);
    suite_compare(s);
    assert_int_equal(CALL(s, follow_get, two, &s->arena, &got), VES_NOT_FOUND);
    suite_begin(s);
    suite_fill_follow(&row, &s->arena, 9);
    row.edge = ves_bytes("\0\1", 2);
    OK(CALL(s, follow_put, one, &row));
    suite_rollback(s);
    OK(CALL(s, follow_get, one, &s->arena, &got));
    assert_int_not_equal(got.edge.len, 2);
}

static struct ves_kept_head head(uint64_t size)
{
    return (struct ves_kept_head){size, suite_hash('r', size)};
}

static enum ves_status keep(struct suite *s, uint32_t no, uint64_t size)
{
    struct ves_kept_head row = head(size);

    return CALL(s, kept_head_put, no, &row, KEEP);
}

/* Exactly these sizes from `from` on, 0 behind them. */
static void expect(struct suite *s, uint32_t no, uint64_t from,
                   const uint64_t *sizes)
{
    struct ves_kept_head rows[2 * KEEP];
    size_t found;

    OK(CALL(s, kept_heads_read, no, from, 2 * KEEP, rows, &found));
    for (size_t i = 0; i < found; i++) {
        struct ves_hash root = suite_hash('r', sizes[i]);

        assert_int_equal(rows[i].size, sizes[i]);
        assert_true(ves_hash_equal(&rows[i].root, &root));
    }
    assert_int_equal(sizes[found], 0);
}

static void the_largest_heads_are_kept(void **state)
{
    static const uint64_t order[] = {40, 10, 30, 20, 60, 50, 10, 5};
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 1), two = suite_append_log(s, 2, 1);

    suite_begin(s);
    OK(keep(s, two, 3));
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        OK(keep(s, one, order[i]));
    suite_commit(s);
    expect(s, one, 0, (const uint64_t[]){20, 30, 40, 50, 60, 0});
    expect(s, one, 31, (const uint64_t[]){40, 50, 60, 0});
    expect(s, one, 61, (const uint64_t[]){0});
    expect(s, two, 0, (const uint64_t[]){3, 0});
    struct ves_kept_head rows[2];
    size_t found;
    OK(CALL(s, kept_heads_read, one, 30, 2, rows, &found));
    assert_int_equal(found, 2);
    assert_int_equal(rows[1].size, 40);
}

static void a_size_has_one_root(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 1);
    struct ves_kept_head other = {7, suite_hash('x', 7)};

    suite_begin(s);
    OK(keep(s, no, 7));
    OK(keep(s, no, 7));
    assert_int_equal(CALL(s, kept_head_put, no, &other, KEEP), VES_CONFLICT);
    assert_int_equal(keep(s, no + 9, 7), VES_NOT_FOUND);
    suite_commit(s);
    expect(s, no, 0, (const uint64_t[]){7, 0});
}

/* What was kept under a name that is given up stands in nobody's way. */
static void heads_are_cut(void **state)
{
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 1), two = suite_append_log(s, 2, 1);
    struct ves_kept_head other = {50, suite_hash('r', 50)};

    suite_begin(s);
    OK(keep(s, two, 60));
    for (uint64_t size = 10; size <= 70; size += 10)
        OK(keep(s, one, size));
    other.root = suite_hash('x', 50);
    assert_int_equal(CALL(s, kept_head_put, one, &other, KEEP), VES_CONFLICT);
    OK(CALL(s, kept_heads_cut, one, 40));
    suite_commit(s);
    expect(s, one, 0, (const uint64_t[]){30, 40, 0});
    expect(s, two, 0, (const uint64_t[]){60, 0});
    suite_begin(s);
    OK(CALL(s, kept_head_put, one, &other, KEEP));
    OK(keep(s, one, 45));
    OK(keep(s, one, 55));
    OK(keep(s, one, 65));
    OK(CALL(s, kept_heads_cut, one, 65));
    OK(CALL(s, kept_heads_cut, two, 0));
    suite_commit(s);
    struct ves_kept_head rows[2 * KEEP];
    size_t found;
    OK(CALL(s, kept_heads_read, one, 41, 2 * KEEP, rows, &found));
    assert_int_equal(found, 4);
    assert_int_equal(rows[1].size, 50);
    assert_true(ves_hash_equal(&rows[1].root, &other.root));
    expect(s, two, 0, (const uint64_t[]){0});
}

/* ---- what an epoch gave up ------------------------------------------------
 */

static enum ves_status see_given_up(void *ctx, uint64_t epoch,
                                    const struct ves_log_row *row)
{
    ves_buf_putf(ctx, "epoch %llu ", (unsigned long long)epoch);
    return suite_see_log(ctx, row);
}

static void want_given_up(struct suite *s, uint64_t epoch, uint64_t sequence)
{
    struct ves_log_row row;

    suite_log_row(s, &row, sequence);
    ves_buf_putf(&s->want, "epoch %llu ", (unsigned long long)epoch);
    suite_print_log(&s->want, &row);
}

static void expect_given_up(struct suite *s, uint32_t no, uint64_t from,
                            uint32_t limit)
{
    OK(CALL(s, given_up_read, no, from, limit, see_given_up, &s->got));
    suite_compare(s);
}

static void an_end_is_given_up(void **state)
{
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 6), two = suite_append_log(s, 2, 6);
    struct ves_uuid id = suite_uuid('E', 5);
    struct ves_id_row found;
    struct ves_log_row row;
    uint64_t count, last;

    suite_begin(s);
    OK(CALL(s, log_give_up, one, 4, 1, &count));
    assert_int_equal(count, 2);
    suite_rollback(s);
    OK(CALL(s, log_head, one, &last));
    assert_int_equal(last, 6);
    expect_given_up(s, one, 1, 0);
    suite_begin(s);
    OK(CALL(s, log_give_up, one, 4, 1, &count));
    assert_int_equal(count, 2);
    OK(CALL(s, log_head, one, &last));
    assert_int_equal(last, 4);
    /* Its number and id are free for another, and for itself. */
    OK(CALL(s, log_find_ids, one, &id, 1, &found));
    assert_int_equal(found.sequence_number, 0);
    suite_log_row(s, &row, 5);
    OK(CALL(s, log_append, one, &row, 1));
    assert_int_equal(CALL(s, log_give_up, one, 4, 1, &count), VES_CONFLICT);
    OK(CALL(s, log_head, one, &last));
    assert_int_equal(last, 5);
    OK(CALL(s, log_give_up, one, 4, 2, &count));
    OK(CALL(s, log_give_up, one, 4, 2, &count));
    assert_int_equal(count, 0);
    suite_commit(s);
    OK(CALL(s, log_head, two, &last));
    assert_int_equal(last, 6);
    want_given_up(s, 1, 5);
    want_given_up(s, 2, 5);
    want_given_up(s, 1, 6);
    expect_given_up(s, one, 1, 0);
    want_given_up(s, 1, 5);
    expect_given_up(s, one, 5, 1);
    want_given_up(s, 1, 6);
    expect_given_up(s, one, 6, 9);
    expect_given_up(s, two, 1, 0);
}

static void a_span_is_forgotten(void **state)
{
    struct suite *s = *state;
    const struct ves_key_span span = {true, 4, 7};
    struct ves_uuid a = suite_uuid('A', 1);
    struct ves_key_span got;

    suite_begin(s);
    for (uint32_t id = 1; id <= 2; id++)
        OK(CALL(s, key_span_put, 1, &a, id, &span));
    suite_commit(s);
    suite_begin(s);
    OK(CALL(s, key_span_forget, 1, &a, 1));
    suite_rollback(s);
    OK(CALL(s, key_span_get, 1, &a, 1, &got));
    assert_true(got.is_found);
    suite_begin(s);
    OK(CALL(s, key_span_forget, 1, &a, 1));
    OK(CALL(s, key_span_forget, 1, &a, 1));
    suite_commit(s);
    OK(CALL(s, key_span_get, 1, &a, 1, &got));
    assert_false(got.is_found);
    OK(CALL(s, key_span_get, 1, &a, 2, &got));
    assert_int_equal(got.revoked_at_sequence, 7);
    suite_begin(s);
    OK(CALL(s, key_span_put, 1, &a, 1, &span));
    suite_commit(s);
    OK(CALL(s, key_span_get, 1, &a, 1, &got));
    assert_int_equal(got.valid_from_sequence, 4);
}

static const struct CMUnitTest follow_tests[] = {
    DEVICE_TEST(the_row_is_replaced_as_a_whole),
    DEVICE_TEST(the_largest_heads_are_kept),
    DEVICE_TEST(a_size_has_one_root),
    DEVICE_TEST(heads_are_cut),
    DEVICE_TEST(an_end_is_given_up),
    DEVICE_TEST(a_span_is_forgotten),
};

const struct CMUnitTest *suite_follow_tests(size_t *count)
{
    *count = sizeof follow_tests / sizeof follow_tests[0];
    return follow_tests;
}
