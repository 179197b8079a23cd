/* suite_log.c -- the contract of the log. */
#include <stdio.h>
#include <string.h>

#include "core/entity.h"
#include "test/store/suite.h"
#include "json/jcs.h"

static void want_rows(struct suite *s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        struct ves_log_row row;

        suite_log_row(s, &row, i);
        suite_print_log(&s->want, &row);
    }
}

static void rows_come_back_as_appended(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 1);

    suite_append_log(s, 1, 60);
    want_rows(s, 1, 61);
    OK(CALL(s, log_read, no, 1, 0, suite_see_log, &s->got));
    suite_compare(s);
}

static void reading_begins_and_ends_where_asked(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 10);
    uint32_t other = suite_append_log(s, 2, 3);

    want_rows(s, 4, 6);
    OK(CALL(s, log_read, no, 4, 3, suite_see_log, &s->got));
    suite_compare(s);
    want_rows(s, 9, 10);
    OK(CALL(s, log_read, no, 9, 100, suite_see_log, &s->got));
    suite_compare(s);
    want_rows(s, 1, 10);
    OK(CALL(s, log_read, no, 0, 0, suite_see_log, &s->got));
    suite_compare(s);
    OK(CALL(s, log_read, no, 11, 0, suite_see_log, &s->got));
    OK(CALL(s, log_read, other + 1, 1, 0, suite_see_log, &s->got));
    suite_compare(s);
    want_rows(s, 1, 3);
    OK(CALL(s, log_read, other, 1, 0, suite_see_log, &s->got));
    suite_compare(s);
}

struct nested {
    struct suite *s;
    uint32_t no, count;
};

static enum ves_status read_inside(void *ctx, const struct ves_log_row *row)
{
    struct nested *n = ctx;

    suite_print_log(&n->s->got, row);
    n->count++;
    OK(CALL(n->s, log_read, n->no, row->sequence_number + 1, 1, suite_see_log,
            &n->s->got));
    return n->count == 3 ? VES_NOT_FOUND : VES_OK;
}

/* Also where the store's numbers end before ours do. */
static void nothing_is_behind_the_end(void **state)
{
    const uint64_t ends[] = {4, (uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1,
                             UINT64_MAX};
    struct suite *s = *state;
    struct ves_leaf_row leaves[4];
    uint32_t no = suite_append_log(s, 1, 3);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t found = 9;
        OK(CALL(s, log_read, no, ends[i], 0, suite_see_log, &s->got));
        OK(CALL(s, log_leaves, no, ends[i], 4, leaves, &found));
        assert_int_equal(found, 0);
    }
    suite_compare(s);
}

static void a_visitor_may_read_and_stop(void **state)
{
    struct suite *s = *state;
    struct nested n = {s, suite_append_log(s, 1, 9), 0};

    for (uint64_t i = 1; i <= 3; i++)
        want_rows(s, i, i + 1);
    /* Also a status with a meaning of its own comes through. */
    assert_int_equal(CALL(s, log_read, n.no, 1, 0, read_inside, &n),
                     VES_NOT_FOUND);
    suite_compare(s);
    want_rows(s, 9, 9);
    OK(CALL(s, log_read, n.no, 9, 0, suite_see_log, &s->got));
    suite_compare(s);
}

static void expect_append(struct suite *s, uint32_t no,
                          const struct ves_log_row *rows, size_t count,
                          enum ves_status want)
{
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    assert_int_equal(CALL(s, log_append, no, rows, count), want);
    if (want) {
        /* Nothing of the call is there, and the transaction goes on. */
        assert_string_not_equal(s->store->error.text, "");
        suite_dump(s->store, s->role, &s->got);
        suite_compare(s);
        suite_commit(s);
    } else {
        ves_buf_reset(&s->want);
        suite_rollback(s);
    }
}

static void taken_numbers_and_ids_conflict(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 5);
    struct ves_log_row rows[3];

    for (uint64_t i = 0; i < 3; i++)
        suite_log_row(s, &rows[i], 6 + i);
    expect_append(s, no, rows, 3, VES_OK);
    rows[0].sequence_number = 5;
    expect_append(s, no, rows, 1, VES_CONFLICT);
    rows[0].sequence_number = 7;
    expect_append(s, no, rows, 1, VES_INVALID);
    rows[0].sequence_number = 6;
    rows[2].event_id = suite_uuid('E', 4); /* taken before */
    expect_append(s, no, rows, 3, VES_CONFLICT);
    expect_append(s, no, rows + 1, 0, VES_OK);
    rows[2].event_id = rows[1].event_id; /* taken by the same call */
    expect_append(s, no, rows, 3, VES_CONFLICT);
    rows[0].event_id = suite_uuid('E', 1);
    expect_append(s, no, rows, 1, VES_CONFLICT);
    expect_append(s, no + 1, rows + 2, 1, VES_NOT_FOUND);
}

static void event_ids_are_unique_per_stream(void **state)
{
    struct suite *s = *state;
    uint32_t one = suite_append_log(s, 1, 3), two = suite_append_log(s, 2, 2);
    struct ves_uuid ids[4];
    struct ves_id_row rows[4];

    for (uint64_t i = 0; i < 4; i++)
        ids[i] = suite_uuid('E', 4 - i);
    OK(CALL(s, log_find_ids, one, ids, 4, rows));
    for (uint64_t i = 0; i < 4; i++) {
        struct ves_log_row want;

        suite_log_row(s, &want, 4 - i);
        assert_int_equal(rows[i].sequence_number, i == 0 ? 0 : 4 - i);
        if (i > 0)
            assert_memory_equal(&rows[i].fingerprint, &want.fingerprint,
                                sizeof want.fingerprint);
    }
    OK(CALL(s, log_find_ids, two, ids, 4, rows));
    assert_int_equal(rows[1].sequence_number, 0);
    assert_int_equal(rows[2].sequence_number, 2);
    OK(CALL(s, log_find_ids, two + 1, ids, 4, rows));
    assert_int_equal(rows[3].sequence_number, 0);
}

static void a_command_is_found_by_its_first_event(void **state)
{
    struct suite *s = *state;
    struct ves_stream stream = suite_stream(1);
    struct ves_stream_row row;
    struct ves_log_row rows[4];
    struct ves_uuid ids[3] = {suite_uuid('D', 1), suite_uuid('D', 2),
                              suite_uuid('D', 3)};
    struct ves_id_row found[3];

    suite_begin(s);
    OK(CALL(s, stream_get, &stream, true, &row));
    for (uint64_t i = 0; i < 4; i++) {
        suite_log_row(s, &rows[i], i + 1);
        rows[i].has_command_id = i != 0;
        if (i == 0)
            memset(&rows[i].command_id, 0, sizeof rows[i].command_id);
        else
            rows[i].command_id = ids[i == 3 ? 1 : 0];
    }
    OK(CALL(s, log_append, row.stream_no, rows, 4));
    OK(CALL(s, log_find_commands, row.stream_no, ids, 3, found));
    suite_commit(s);
    assert_int_equal(found[0].sequence_number, 2);
    assert_int_equal(found[1].sequence_number, 4);
    assert_int_equal(found[2].sequence_number, 0);
    assert_memory_equal(&found[0].fingerprint, &rows[1].fingerprint,
                        sizeof rows[1].fingerprint);
    OK(CALL(s, log_find_commands, row.stream_no + 1, ids, 3, found));
    assert_int_equal(found[0].sequence_number, 0);
}

static void judging_changes_the_verdict_alone(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 4);
    struct ves_log_row rows[2], other;

    for (uint64_t i = 0; i < 2; i++) {
        suite_log_row(s, &rows[i], 2 + i);
        suite_log_row(s, &other, 20 + i);
        rows[i].verdict = other.verdict;
        rows[i].applied_at = other.applied_at;
        rows[i].version = other.version;
        rows[i].sub_code = other.sub_code;
        rows[i].note = other.note;
        rows[i].is_fact = other.is_fact;
        rows[i].has_waited = other.has_waited;
        rows[i].has_conflict_id = other.has_conflict_id;
        rows[i].conflict_id = other.conflict_id;
        rows[i].waits_for = other.waits_for;
        rows[i].effects = other.effects;
        rows[i].opposite = other.opposite;
    }
    want_rows(s, 1, 1);
    suite_print_log(&s->want, &rows[0]);
    suite_print_log(&s->want, &rows[1]);
    want_rows(s, 4, 4);
    /* What judging must not look at. */
    rows[0].envelope = ves_bytes_str("other");
    rows[0].has_receipt = !rows[0].has_receipt;
    rows[0].event_id = suite_uuid('E', 99);
    suite_begin(s);
    OK(CALL(s, log_judge, no, rows, 2));
    suite_commit(s);
    OK(CALL(s, log_read, no, 1, 0, suite_see_log, &s->got));
    suite_compare(s);
    suite_dump(s->store, s->role, &s->want);
    rows[1].sequence_number = 5;
    rows[0].note = ves_bytes_str("half");
    suite_begin(s);
    assert_int_equal(CALL(s, log_judge, no, rows, 2), VES_NOT_FOUND);
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void pruning_keeps_hashes_and_receipts(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 6);
    uint64_t count = 99, full = 0;

    suite_append_log(s, 2, 3);
    for (uint64_t i = 1; i <= 6; i++) {
        struct ves_log_row row;

        suite_log_row(s, &row, i);
        if (i < 4) {
            full += row.envelope.len || row.raw.len;
            row.envelope = row.raw = ves_bytes(NULL, 0);
        }
        suite_print_log(&s->want, &row);
    }
    assert_true(full > 0);
    suite_begin(s);
    /* All but one of them, for its entity. */
    struct ves_log_row spared;
    suite_log_row(s, &spared, 2);
    OK(CALL(s, log_prune, no, 3, &spared.entity_key, 1, &count));
    assert_true(count < full);
    uint64_t first = count;
    OK(CALL(s, log_prune, no, 4, NULL, 0, &count));
    assert_int_equal(first + count, full);
    assert_true(count > 1);
    OK(CALL(s, log_prune, no, 4, NULL, 0, &count));
    assert_int_equal(count, 0);
    suite_commit(s);
    OK(CALL(s, log_read, no, 1, 0, suite_see_log, &s->got));
    suite_compare(s);
    want_rows(s, 1, 3);
    OK(CALL(s, log_read, no + 1, 1, 0, suite_see_log, &s->got));
    suite_compare(s);
}

/* Events 1 to 12 of four entities by turns: orders a and b, customers a and
 * c. */
static uint32_t append_of_entities(struct suite *s)
{
    static const char *const names[4][2] = {
        {"order", "a"}, {"order", "b"}, {"customer", "a"}, {"customer", "c"}};
    struct ves_entity_row entities[4];
    struct ves_log_row rows[12];
    char envelopes[12][80];
    uint32_t no = suite_append_log(s, 1, 0);

    suite_append_log(s, 2, 3);
    for (uint64_t i = 0; i < 4; i++) {
        suite_fill_entity(&entities[i], &s->arena, i, i);
        entities[i].entity_type = ves_bytes_str(names[i][0]);
        entities[i].entity_id = ves_bytes_str(names[i][1]);
        ves_entity_key(entities[i].entity_type, entities[i].entity_id,
                       &entities[i].key);
    }
    /* Half of them say themselves what they are about. */
    for (uint64_t i = 0; i < 12; i++) {
        suite_log_row(s, &rows[i], i + 1);
        rows[i].entity_key = entities[i % 4].key;
        snprintf(envelopes[i], sizeof(envelopes[i]),
                 "{\"agent_key_id\":1,\"entity_id\":\"%s\",\"entity_type\":"
                 "\"%s\",\"event_id\":\"\"",
                 names[i % 4][1], names[i % 4][0]);
        if (i >= 6)
            rows[i].envelope = ves_bytes_str(envelopes[i]);
    }
    suite_begin(s);
    OK(CALL(s, entity_put, no, entities, 4));
    OK(CALL(s, log_append, no, rows, 12));
    suite_commit(s);
    return no;
}

static void expect_matches(struct suite *s, uint32_t no, const char *type,
                           const char *id, uint64_t from, uint64_t to,
                           size_t max, const char *want)
{
    const struct ves_log_match match = {.entity_type = ves_bytes_str(type),
                                        .entity_id = ves_bytes_str(id),
                                        .from = from,
                                        .to = to};
    uint64_t sequences[16];
    char text[128] = "";
    size_t found = 99, at = 0;

    OK(CALL(s, log_match, no, &match, sequences, max, &found));
    assert_true(found <= max);
    for (size_t i = 0; i < found; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%llu ",
                               (unsigned long long)sequences[i]);
    assert_string_equal(text, want);
}

static void events_are_found_by_what_they_are_about(void **state)
{
    struct suite *s = *state;
    uint32_t no = append_of_entities(s);

    expect_matches(s, no, "order", "", 1, 13, 16, "1 2 5 6 9 10 ");
    expect_matches(s, no, "order", "", 2, 10, 16, "2 5 6 9 ");
    expect_matches(s, no, "order", "", 2, 10, 2, "2 5 ");
    expect_matches(s, no, "order", "", 2, 10, 0, "");
    expect_matches(s, no, "order", "b", 1, 13, 16, "2 6 10 ");
    expect_matches(s, no, "", "a", 1, 13, 16, "1 3 5 7 9 11 ");
    expect_matches(s, no, "", "", 4, 6, 16, "4 5 ");
    expect_matches(s, no, "Order", "", 1, 13, 16, "");
    expect_matches(s, no, "order", "c", 1, 13, 16, "");
    expect_matches(s, no, "order", "", 1, 1000, 16, "1 2 5 6 9 10 ");
    expect_matches(s, no, "order", "", 13, 1000, 16, "");
    expect_matches(s, no, "order", "", 6, 6, 16, "");
    expect_matches(s, 9, "order", "", 1, 13, 16, "");
}

/* Names that envelopes escape, or that look like members of one. */
static void names_are_not_mistaken_for_members(void **state)
{
    static const char *const names[][2] = {
        {"order", "a\",\"entity_type\":\"customer"},
        {"x,", ",\"entity_id\":\"a"},
        {",\"entity_id\":\"a\",", "b"},
        {"order\\", "\\"},
        {"\x01\x1f\b\t\n\f\r\x7f", "\\u0041"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xef\xbb\xbf"}};
    enum { N = sizeof(names) / sizeof(names[0]) };
    struct suite *s = *state;
    struct ves_entity_row entities[N];
    struct ves_log_row rows[N];
    struct ves_buf envelopes[N];
    char want[8];
    uint32_t no = suite_append_log(s, 1, 0);

    for (size_t i = 0; i < N; i++) {
        struct ves_buf *envelope = &envelopes[i];

        suite_fill_entity(&entities[i], &s->arena, i, i);
        entities[i].entity_type = ves_bytes_str(names[i][0]);
        entities[i].entity_id = ves_bytes_str(names[i][1]);
        ves_entity_key(entities[i].entity_type, entities[i].entity_id,
                       &entities[i].key);
        suite_log_row(s, &rows[i], i + 1);
        rows[i].entity_key = entities[i].key;
        ves_buf_init(envelope, ves_alloc_default(), 1024);
        ves_buf_put_str(envelope, "{\"ves_version\":2,\"entity_type\":");
        ves_jcs_write_string(envelope, entities[i].entity_type);
        ves_buf_put_str(envelope, ",\"entity_id\":");
        ves_jcs_write_string(envelope, entities[i].entity_id);
        ves_buf_put_str(envelope, ",\"payload\":{\"entity_id\":\"c\"}");
        rows[i].envelope = ves_buf_view(envelope);
    }
    suite_begin(s);
    OK(CALL(s, entity_put, no, entities, N));
    OK(CALL(s, log_append, no, rows, N));
    suite_commit(s);
    for (size_t i = 0; i < N; i++) {
        snprintf(want, sizeof(want), "%zu ", i + 1);
        expect_matches(s, no, names[i][0], "", 1, 13, 16, want);
        expect_matches(s, no, "", names[i][1], 1, 13, 16, want);
        ves_buf_free(&envelopes[i]);
    }
    expect_matches(s, no, "customer", "", 1, 13, 16, "");
    expect_matches(s, no, "", "a", 1, 13, 16, "");
}

static const struct CMUnitTest log_tests[] = {
    EITHER_TEST(rows_come_back_as_appended),
    SEQUENCER_TEST(reading_begins_and_ends_where_asked),
    SEQUENCER_TEST(nothing_is_behind_the_end),
    EITHER_TEST(a_visitor_may_read_and_stop),
    SEQUENCER_TEST(taken_numbers_and_ids_conflict),
    SEQUENCER_TEST(event_ids_are_unique_per_stream),
    SEQUENCER_TEST(a_command_is_found_by_its_first_event),
    EITHER_TEST(judging_changes_the_verdict_alone),
    EITHER_TEST(pruning_keeps_hashes_and_receipts),
    SEQUENCER_TEST(events_are_found_by_what_they_are_about),
    DEVICE_TEST(events_are_found_by_what_they_are_about),
    EITHER_TEST(names_are_not_mistaken_for_members),
};

const struct CMUnitTest *suite_log_tests(size_t *count)
{
    *count = sizeof log_tests / sizeof log_tests[0];
    return log_tests;
}
