/* suite_entity.c -- the contract of entities and state buckets. */
#include <stdio.h>
#include <string.h>

#include "core/entity.h"
#include "test/store/suite.h"

enum { COUNT = 20 };

static void entity_row(struct suite *s, struct ves_entity_row *row, uint64_t n)
{
    suite_fill_entity(row, &s->arena, n, n);
}

static void put_all(struct suite *s, uint32_t stream_no,
                    struct ves_entity_row *rows)
{
    for (uint64_t i = 0; i < COUNT; i++)
        entity_row(s, &rows[i], i);
    suite_begin(s);
    OK(CALL(s, entity_put, stream_no, rows, COUNT));
    suite_commit(s);
}

/* By key; the suite's keys are not in the order of their numbers. */
static void sort(struct ves_entity_row *rows)
{
    for (int i = 1; i < COUNT; i++) {
        struct ves_entity_row row = rows[i];
        int at = i;

        for (; at > 0 &&
               memcmp(rows[at - 1].key.b, row.key.b, sizeof row.key.b) > 0;
             at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

struct see_order {
    struct ves_hash last;
    int count;
};

static enum ves_status see_order(void *ctx, const struct ves_entity_row *row)
{
    struct see_order *seen = ctx;

    if (seen->count++ > 0)
        assert_true(memcmp(seen->last.b, row->key.b, VES_HASH_SIZE) < 0);
    seen->last = row->key;
    return VES_OK;
}

static void entities_come_back_as_put(void **state)
{
    struct suite *s = *state;
    struct ves_entity_row rows[COUNT], got[3];
    struct ves_entity_name names[3] = {
        suite_entity_name(7), suite_entity_name(99), suite_entity_name(3)};
    struct ves_entity_row none = {.key = suite_hash('K', 99)};

    put_all(s, 1, rows);
    /* By name, and by key alone. */
    for (int round = 0; round < 2; round++) {
        OK(CALL(s, entity_get, 1, names, 3, &s->arena, got));
        suite_print_entity(&s->want, &rows[7]);
        suite_print_entity(&s->want, &none);
        suite_print_entity(&s->want, &rows[3]);
        for (int i = 0; i < 3; i++)
            suite_print_entity(&s->got, &got[i]);
        suite_compare(s);
        OK(CALL(s, entity_get, 2, names, 1, &s->arena, got));
        assert_false(got[0].is_found);
        for (int i = 0; i < 3; i++)
            names[i].type = names[i].id = ves_bytes(NULL, 0);
    }
}

/* Keys with the same first bits, which a store may keep together. */
static void neighbours_are_told_apart(void **state)
{
    enum { NEAR = 200 };
    struct suite *s = *state;
    struct ves_hash zero = {{0}};
    struct ves_entity_row row, got;
    char id[8];

    suite_begin(s);
    for (int i = 0; i < NEAR; i++) {
        suite_fill_entity(&row, &s->arena, 1, (uint64_t)i);
        row.key = zero;
        row.key.b[0] = 0xAB;
        row.key.b[1] = (uint8_t)(i % 4 == 3 ? 0xD0 : 0xC0 | (i & 15));
        row.key.b[31] = (uint8_t)(i * 37);
        snprintf(id, sizeof id, "n-%d", i);
        row.entity_id = ves_bytes_str(id);
        OK(CALL(s, entity_put, 1, &row, 1));
        struct ves_entity_name name = {.key = row.key};
        OK(CALL(s, entity_get, 1, &name, 1, &s->arena, &got));
        suite_print_entity(&s->want, &row);
        suite_print_entity(&s->got, &got);
        suite_compare(s);
    }
    suite_commit(s);
    struct see_order seen = {.count = 0};
    OK(CALL(s, entity_scan, 1, &zero, 0, ves_bytes(NULL, 0), see_order, &seen));
    assert_int_equal(seen.count, NEAR);
    seen = (struct see_order){.count = 0};
    struct ves_hash from = {{0xAB, 0xD0}};
    OK(CALL(s, entity_scan, 1, &from, 0, ves_bytes(NULL, 0), see_order, &seen));
    assert_int_equal(seen.count, NEAR / 4);
    seen = (struct see_order){.count = 0};
    OK(CALL(s, entity_scan, 1, &zero, 7, ves_bytes(NULL, 0), see_order, &seen));
    assert_int_equal(seen.count, 7);
}

static void putting_again_replaces(void **state)
{
    struct suite *s = *state;
    struct ves_entity_row rows[COUNT], other, got;

    put_all(s, 1, rows);
    suite_fill_entity(&other, &s->arena, 4, 50);
    const struct ves_entity_name name = suite_entity_name(4);
    suite_begin(s);
    OK(CALL(s, entity_put, 1, &rows[4], 1));
    OK(CALL(s, entity_put, 1, &other, 1));
    OK(CALL(s, entity_get, 1, &name, 1, &s->arena, &got));
    suite_commit(s);
    suite_print_entity(&s->want, &other);
    suite_print_entity(&s->got, &got);
    suite_compare(s);
}

static void scans_go_by_key(void **state)
{
    struct suite *s = *state;
    struct ves_entity_row rows[COUNT];
    struct ves_bytes all = ves_bytes(NULL, 0);
    uint32_t orders = 0;

    put_all(s, 1, rows);
    put_all(s, 2, rows);
    sort(rows);
    for (int i = 6; i < 11; i++)
        suite_print_entity(&s->want, &rows[i]);
    OK(CALL(s, entity_scan, 1, &rows[6].key, 5, all, suite_see_entity,
            &s->got));
    suite_compare(s);
    for (int i = 5; i < COUNT; i++) {
        if (!ves_bytes_is(rows[i].entity_type, "order") || orders == 3)
            continue;
        suite_print_entity(&s->want, &rows[i]);
        orders++;
    }
    assert_int_equal(orders, 3);
    OK(CALL(s, entity_scan, 1, &rows[5].key, 3, ves_bytes_str("order"),
            suite_see_entity, &s->got));
    suite_compare(s);
    rows[COUNT - 1].key.b[31]++;
    OK(CALL(s, entity_scan, 1, &rows[COUNT - 1].key, 0, all, suite_see_entity,
            &s->got));
    suite_compare(s);
}

static void resetting_keeps_names_and_own_events(void **state)
{
    struct suite *s = *state;
    struct ves_entity_row rows[COUNT];
    struct ves_hash zero = {{0}};

    put_all(s, 1, rows);
    put_all(s, 2, rows);
    suite_begin(s);
    OK(CALL(s, entity_reset, 1));
    suite_commit(s);
    OK(CALL(s, entity_scan, 2, &zero, 0, ves_bytes(NULL, 0), suite_see_entity,
            &s->got));
    OK(CALL(s, entity_scan, 1, &zero, 0, ves_bytes(NULL, 0), suite_see_entity,
            &s->got));
    sort(rows);
    for (int i = 0; i < COUNT; i++)
        suite_print_entity(&s->want, &rows[i]);
    for (int i = 0; i < COUNT; i++) {
        rows[i].count = rows[i].last = rows[i].last_jump = 0;
        rows[i].version = rows[i].head_applied_at = 0;
        rows[i].written_at = rows[i].tombstone = 0;
        rows[i].head = rows[i].state_hash = zero;
        rows[i].state = ves_bytes(NULL, 0);
        suite_print_entity(&s->want, &rows[i]);
    }
    suite_compare(s);
}

struct of_bucket {
    struct ves_state_pair pairs[COUNT];
    size_t count;
};

static enum ves_status collect(void *ctx, const struct ves_entity_row *row)
{
    struct of_bucket *all = ctx;

    if (row->state.len > 0)
        all->pairs[all->count++] =
            (struct ves_state_pair){row->key, row->state_hash};
    return VES_OK;
}

/* Three buckets in a row: what comes of the middle one are its entities with a
 * state, as the scan gives them. */
static void a_bucket_is_read_in_the_order_of_keys(void **state)
{
    struct suite *s = *state;
    struct of_bucket all = {.count = 0};
    struct ves_hash zero = {{0}};
    struct ves_entity_row row;
    struct ves_state_pair *pairs;
    size_t count, before = 0;

    suite_begin(s);
    for (uint64_t n = 0; n < COUNT; n++) {
        entity_row(s, &row, n);
        row.key.b[0] = 0x7F;
        row.key.b[1] = (uint8_t)(n % 3 << 4 | (row.key.b[1] & 15));
        if (n % 5 == 0) {
            row.state = ves_bytes(NULL, 0);
            row.state_hash = zero;
        }
        OK(CALL(s, entity_put, 1, &row, 1));
    }
    suite_commit(s);
    OK(CALL(s, entity_scan, 1, &zero, 0, ves_bytes(NULL, 0), collect, &all));
    for (uint16_t bucket = 0x7EF; bucket <= 0x7F3; bucket++) {
        OK(CALL(s, bucket_read, 1, bucket, &s->arena, &pairs, &count));
        assert_true(before + count <= all.count);
        assert_true(count > 0 || bucket == 0x7EF || bucket == 0x7F3);
        if (count > 0)
            assert_memory_equal(pairs, &all.pairs[before],
                                count * sizeof *pairs);
        before += count;
    }
    assert_int_equal(before, all.count);
    OK(CALL(s, bucket_read, 2, 0x7F1, &s->arena, &pairs, &count));
    assert_int_equal(count, 0);
}

static void buckets_are_marked_and_written(void **state)
{
    static struct ves_hash hashes[VES_STATE_BUCKETS];
    static bool is_dirty[VES_STATE_BUCKETS];
    struct suite *s = *state;
    uint16_t marked[] = {4095, 0, 7, 7};
    struct ves_hash hash = suite_hash('B', 1);

    memset(is_dirty, 1, sizeof is_dirty);
    OK(CALL(s, bucket_get_all, 1, hashes, is_dirty));
    for (int i = 0; i < VES_STATE_BUCKETS; i++)
        assert_true(!is_dirty[i] && ves_hash_is_zero(&hashes[i]));
    suite_begin(s);
    OK(CALL(s, bucket_put, 1, 7, &hash));
    OK(CALL(s, bucket_mark, 1, marked, 4));
    OK(CALL(s, bucket_put, 1, 0, &hash));
    OK(CALL(s, bucket_mark, 2, marked, 1));
    suite_commit(s);
    OK(CALL(s, bucket_get_all, 1, hashes, is_dirty));
    for (int i = 0; i < VES_STATE_BUCKETS; i++) {
        assert_int_equal(is_dirty[i], i == 7 || i == 4095);
        /* A marked bucket keeps the hash it had. */
        assert_int_equal(ves_hash_equal(&hashes[i], &hash), i == 0 || i == 7);
    }
    OK(CALL(s, bucket_get_all, 2, hashes, is_dirty));
    assert_true(is_dirty[4095] && !is_dirty[0]);
}

static const struct CMUnitTest entity_tests[] = {
    EITHER_TEST(entities_come_back_as_put),
    EITHER_TEST(neighbours_are_told_apart),
    SEQUENCER_TEST(putting_again_replaces),
    EITHER_TEST(scans_go_by_key),
    EITHER_TEST(resetting_keeps_names_and_own_events),
    DEVICE_TEST(a_bucket_is_read_in_the_order_of_keys),
    DEVICE_TEST(buckets_are_marked_and_written),
};

const struct CMUnitTest *suite_entity_tests(size_t *count)
{
    *count = sizeof entity_tests / sizeof entity_tests[0];
    return entity_tests;
}
