/* suite_tlog.c -- the contract of what the provable log keeps. */
#include <string.h>

#include "test/store/suite.h"

enum { HASHES = 700 };

static struct ves_tile_hash tile_hash(uint32_t level, uint64_t index)
{
    struct ves_tile_hash hash = {level, index,
                                 suite_hash((char)('a' + level), index)};
    return hash;
}

static enum ves_status add(struct suite *s, uint32_t stream_no,
                           const struct ves_tile_hash *hashes, size_t count)
{
    struct ves_hash id = suite_hash('S', stream_no);

    return CALL(s, tlog_append, stream_no, &id, ves_bytes_str("edge"), hashes,
                count);
}

/* The first `have` hashes of a level are there, and nothing after them. */
static void expect_level(struct suite *s, uint32_t stream_no, uint32_t level,
                         uint64_t have)
{
    struct ves_hash hashes[VES_STORE_TILE_WIDTH];
    size_t count;

    for (uint64_t tile = 0; tile <= have / VES_STORE_TILE_WIDTH; tile++) {
        uint64_t first = tile * VES_STORE_TILE_WIDTH;
        uint64_t want = have - first;

        if (want > VES_STORE_TILE_WIDTH)
            want = VES_STORE_TILE_WIDTH;
        OK(CALL(s, tile_read, stream_no, level, tile, hashes, &count));
        assert_int_equal(count, want);
        for (size_t i = 0; i < count; i++) {
            struct ves_tile_hash hash = tile_hash(level, first + i);

            assert_memory_equal(hashes[i].b, hash.hash.b, VES_HASH_SIZE);
        }
    }
    OK(CALL(s, tile_read, stream_no, level, 9, hashes, &count));
    assert_int_equal(count, 0);
}

static void tiles_grow_by_any_number_of_hashes(void **state)
{
    static const size_t steps[] = {1, 254, 1, 1, 300, 143};
    struct suite *s = *state;
    struct ves_tile_hash hashes[HASHES];
    uint32_t one = suite_append_log(s, 1, 1), two = suite_append_log(s, 2, 1);
    size_t done = 0;

    for (size_t i = 0; i < HASHES; i++)
        hashes[i] = tile_hash(0, i);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        suite_begin(s);
        OK(add(s, one, hashes + done, steps[i]));
        suite_commit(s);
        done += steps[i];
        expect_level(s, one, 0, done);
        expect_level(s, two, 0, 0);
    }
    assert_int_equal(done, HASHES);
}

static void levels_may_be_mixed(void **state)
{
    struct suite *s = *state;
    struct ves_tile_hash hashes[] = {tile_hash(0, 0), tile_hash(7, 0),
                                     tile_hash(0, 1), tile_hash(2, 0),
                                     tile_hash(0, 2), tile_hash(2, 1)};
    uint32_t no = suite_append_log(s, 1, 1);

    suite_begin(s);
    OK(add(s, no, hashes, 6));
    suite_commit(s);
    expect_level(s, no, 0, 3);
    expect_level(s, no, 1, 0);
    expect_level(s, no, 2, 2);
    expect_level(s, no, 7, 1);
}

static void expect_refused(struct suite *s, uint32_t no,
                           const struct ves_tile_hash *hashes, size_t count,
                           enum ves_status status)
{
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    assert_int_equal(add(s, no, hashes, count), status);
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void tiles_have_no_gap_and_never_change(void **state)
{
    struct suite *s = *state;
    struct ves_tile_hash hashes[257];
    uint32_t no = suite_append_log(s, 1, 1);

    for (size_t i = 0; i < 257; i++)
        hashes[i] = tile_hash(0, i);
    expect_refused(s, no, hashes + 1, 1, VES_INVALID);
    suite_begin(s);
    OK(add(s, no, hashes, 3));
    suite_commit(s);
    expect_refused(s, no, hashes + 2, 1, VES_CONFLICT);
    expect_refused(s, no, hashes, 1, VES_CONFLICT);
    expect_refused(s, no, hashes + 4, 1, VES_INVALID);
    expect_refused(s, no, hashes + 256, 1, VES_INVALID);
    /* The first is right, the second is not: neither. */
    hashes[4] = hashes[9];
    expect_refused(s, no, hashes + 3, 2, VES_INVALID);
    expect_refused(s, no + 1, hashes, 1, VES_NOT_FOUND);
}

static void the_row_is_made_once_and_found_by_its_id(void **state)
{
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 3), two = suite_append_log(s, 2, 1);
    struct ves_hash id = suite_hash('S', one), unknown = suite_hash('S', two);
    struct ves_stream stream = suite_stream(1);
    struct ves_stream_row row;
    struct ves_tlog_row tlog;

    assert_int_equal(CALL(s, tlog_get, one, &s->arena, &tlog), VES_NOT_FOUND);
    assert_int_equal(CALL(s, tlog_find, &id, &row), VES_NOT_FOUND);
    suite_begin(s);
    OK(CALL(s, tlog_append, one, &id, ves_bytes_str("a"), NULL, 0));
    /* The id is the first call's. */
    OK(CALL(s, tlog_append, one, &unknown, ves_bytes("\0b", 2), NULL, 0));
    suite_commit(s);
    OK(CALL(s, tlog_get, one, &s->arena, &tlog));
    assert_true(ves_hash_equal(&tlog.stream_id, &id));
    assert_true(ves_bytes_equal(tlog.edge, ves_bytes("\0b", 2)));
    assert_int_equal(tlog.signed_size, 0);
    assert_true(ves_hash_is_zero(&tlog.signed_root));
    assert_int_equal(tlog.note.len, 0);
    assert_int_equal(tlog.frozen_at_ms, 0);
    OK(CALL(s, tlog_find, &id, &row));
    assert_int_equal(row.stream_no, one);
    assert_int_equal(row.head, 3);
    assert_true(ves_stream_equal(&row.stream, &stream));
    assert_int_equal(CALL(s, tlog_find, &unknown, &row), VES_NOT_FOUND);
}

static void signed_heads_are_compared_before_they_are_swapped(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 3);
    struct ves_head_row head = {2, suite_hash('R', 2),
                                ves_bytes_str("note 2\n"), 20};
    struct ves_tlog_row row;

    suite_begin(s);
    assert_int_equal(CALL(s, tlog_sign, no, 0, &head), VES_NOT_FOUND);
    OK(add(s, no, NULL, 0));
    assert_int_equal(CALL(s, tlog_sign, no, 1, &head), VES_CONFLICT);
    OK(CALL(s, tlog_sign, no, 0, &head));
    suite_commit(s);
    head = (struct ves_head_row){3, suite_hash('R', 3),
                                 ves_bytes_str("note 3\n"), 30};
    suite_begin(s);
    assert_int_equal(CALL(s, tlog_sign, no, 0, &head), VES_CONFLICT);
    suite_commit(s);
    OK(CALL(s, tlog_get, no, &s->arena, &row));
    assert_int_equal(row.signed_size, 2);
    assert_int_equal(row.signed_at_ms, 20);
    assert_true(ves_bytes_is(row.note, "note 2\n"));
    suite_begin(s);
    OK(CALL(s, tlog_sign, no, 2, &head));
    suite_commit(s);
    OK(CALL(s, tlog_get, no, &s->arena, &row));
    assert_int_equal(row.signed_size, 3);
    assert_true(ves_hash_equal(&row.signed_root, &head.root));
    /* Appending leaves the signed head as it is. */
    suite_begin(s);
    OK(add(s, no, NULL, 0));
    suite_commit(s);
    OK(CALL(s, tlog_get, no, &s->arena, &row));
    assert_int_equal(row.signed_size, 3);
}

static void a_stream_is_frozen_and_thawed(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 1);
    struct ves_tlog_row row;

    suite_begin(s);
    assert_int_equal(CALL(s, tlog_freeze, no, 5, ves_bytes_str("why")),
                     VES_NOT_FOUND);
    OK(add(s, no, NULL, 0));
    OK(CALL(s, tlog_freeze, no, 5, ves_bytes_str("why")));
    suite_commit(s);
    OK(CALL(s, tlog_get, no, &s->arena, &row));
    assert_int_equal(row.frozen_at_ms, 5);
    assert_true(ves_bytes_is(row.frozen_why, "why"));
    suite_begin(s);
    OK(CALL(s, tlog_freeze, no, 0, ves_bytes_str("forgotten")));
    suite_commit(s);
    OK(CALL(s, tlog_get, no, &s->arena, &row));
    assert_int_equal(row.frozen_at_ms, 0);
    assert_int_equal(row.frozen_why.len, 0);
}

static void cosigned_heads_are_a_text_a_stream(void **state)
{
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 1), two = suite_append_log(s, 2, 1);
    struct ves_bytes notes;

    OK(CALL(s, cosigned_get, one, &s->arena, &notes));
    assert_int_equal(notes.len, 0);
    suite_begin(s);
    assert_int_equal(CALL(s, cosigned_put, two + 1, ves_bytes_str("x")),
                     VES_NOT_FOUND);
    OK(CALL(s, cosigned_put, one, ves_bytes_str("first \xE2\x80\x94\n")));
    suite_commit(s);
    suite_begin(s);
    OK(CALL(s, cosigned_put, one, ves_bytes_str("second \xE2\x80\x94\n")));
    OK(CALL(s, cosigned_put, two, ves_bytes_str("")));
    suite_commit(s);
    OK(CALL(s, cosigned_get, one, &s->arena, &notes));
    assert_true(ves_bytes_is(notes, "second \xE2\x80\x94\n"));
    OK(CALL(s, cosigned_get, two, &s->arena, &notes));
    assert_int_equal(notes.len, 0);
    OK(CALL(s, cosigned_get, 9, &s->arena, &notes));
    assert_int_equal(notes.len, 0);
}

static void links_are_what_the_rows_say(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 5);
    const uint64_t wanted[] = {4, 6, 2, 4, 0, INT64_MAX};
    struct ves_link_row links[6];

    suite_append_log(s, 2, 6);
    OK(CALL(s, log_links, no, wanted, 6, links));
    for (size_t i = 0; i < 6; i++) {
        struct ves_log_row row;

        assert_int_equal(links[i].sequence_number,
                         wanted[i] <= 5 ? wanted[i] : 0);
        if (links[i].sequence_number == 0)
            continue;
        suite_log_row(s, &row, wanted[i]);
        assert_true(ves_hash_equal(&links[i].entity_key, &row.entity_key));
        assert_int_equal(links[i].entity_index, row.entity_index);
        assert_int_equal(links[i].entity_prev, row.entity_prev);
        assert_int_equal(links[i].entity_jump, row.entity_jump);
    }
    OK(CALL(s, log_links, no, NULL, 0, NULL));
    OK(CALL(s, log_links, 9, wanted, 1, links));
    assert_int_equal(links[0].sequence_number, 0);
}

static void leaves_are_what_the_rows_say(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 5);
    struct ves_leaf_row leaves[8];
    size_t found;

    suite_append_log(s, 2, 2);
    OK(CALL(s, log_leaves, no, 2, 3, leaves, &found));
    assert_int_equal(found, 3);
    for (size_t i = 0; i < found; i++) {
        struct ves_log_row row;

        suite_log_row(s, &row, 2 + i);
        assert_int_equal(leaves[i].sequence_number, 2 + i);
        assert_true(ves_hash_equal(&leaves[i].event_hash, &row.event_hash));
        assert_memory_equal(leaves[i].signature.b, row.signature.b,
                            VES_SIG_SIZE);
    }
    OK(CALL(s, log_leaves, no, 4, 8, leaves, &found));
    assert_int_equal(found, 2);
    OK(CALL(s, log_leaves, no, 6, 8, leaves, &found));
    assert_int_equal(found, 0);
    /* There is no event 0, and what is behind the range is not asked for. */
    OK(CALL(s, log_leaves, no, 0, 3, leaves, &found));
    assert_int_equal(found, 2);
    assert_int_equal(leaves[0].sequence_number, 1);
    assert_int_equal(leaves[1].sequence_number, 2);
    OK(CALL(s, log_leaves, no, INT64_MAX, 8, leaves, &found));
    assert_int_equal(found, 0);
    OK(CALL(s, log_leaves, no, 1, 0, leaves, &found));
    assert_int_equal(found, 0);
    OK(CALL(s, log_leaves, 9, 1, 8, leaves, &found));
    assert_int_equal(found, 0);
}

static const struct CMUnitTest tlog_tests[] = {
    SEQUENCER_TEST(tiles_grow_by_any_number_of_hashes),
    SEQUENCER_TEST(levels_may_be_mixed),
    SEQUENCER_TEST(tiles_have_no_gap_and_never_change),
    SEQUENCER_TEST(the_row_is_made_once_and_found_by_its_id),
    SEQUENCER_TEST(signed_heads_are_compared_before_they_are_swapped),
    SEQUENCER_TEST(a_stream_is_frozen_and_thawed),
    SEQUENCER_TEST(cosigned_heads_are_a_text_a_stream),
    SEQUENCER_TEST(links_are_what_the_rows_say),
    DEVICE_TEST(links_are_what_the_rows_say),
    SEQUENCER_TEST(leaves_are_what_the_rows_say),
    DEVICE_TEST(leaves_are_what_the_rows_say),
};

const struct CMUnitTest *suite_tlog_tests(size_t *count)
{
    *count = sizeof tlog_tests / sizeof tlog_tests[0];
    return tlog_tests;
}
