/* test_chain.c -- an entity's events as a chain with jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/chain.h"
#include "store/store_mem.h"
#include "test/lib/test_events.h"
#include "test/lib/test_ops.h"

enum { ENTITIES = 3, EVENTS = 3000 };

static struct ves_store *store;
static uint32_t stream_no;
static struct ves_entity_row entities[ENTITIES];
/* sequences[e][i]: where event number i + 1 of entity e is. */
static uint64_t sequences[ENTITIES][EVENTS];

static void append(size_t e, uint64_t sequence)
{
    struct ves_log_row row = {.sequence_number = sequence,
                              .event_id = test_id((uint32_t)sequence),
                              .entity_key = entities[e].key};

    assert_int_equal(ves_chain_push(store, stream_no, &entities[e], &row),
                     VES_OK);
    assert_int_equal(row.entity_index, entities[e].count);
    sequences[e][row.entity_index - 1] = sequence;
    assert_int_equal(store->ops->log_append(store, stream_no, &row, 1), VES_OK);
}

/* Entity 0 gets every event but those whose number is a multiple of 5 (entity
 * 1) or of 7 (entity 2). */
static int set_up(void **state)
{
    (void)state;
    struct ves_stream stream = {test_id(1), test_id(2)};
    struct ves_stream_row row;

    memset(entities, 0, sizeof(entities));
    for (size_t e = 0; e < ENTITIES; e++)
        memset(entities[e].key.b, (int)e + 1, VES_HASH_SIZE);
    if (ves_store_mem_open(ves_alloc_default(), &store) ||
        store->ops->begin(store) ||
        store->ops->stream_get(store, &stream, true, &row))
        return -1;
    stream_no = row.stream_no;
    test_ops_install(store);
    for (uint64_t s = 1; s <= EVENTS; s++) {
        size_t before = test_ops()->log_reads;
        append(s % 5 == 0 ? 1 : s % 7 == 0 ? 2 : 0, s);
        assert_true(test_ops()->log_reads - before <= 1);
    }
    return store->ops->commit(store) == VES_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    test_ops_remove(store);
    ves_store_mem_close(store);
    return 0;
}

/* Myers' definition, step by step, against the closed form. */
static void test_jump_index(void **state)
{
    (void)state;
    static uint64_t jump[EVENTS + 1];

    for (uint64_t i = 1; i <= EVENTS; i++) {
        uint64_t last = i - 1, over = jump[last], beyond = jump[over];
        jump[i] = last - over == over - beyond ? beyond : last;
        assert_int_equal(ves_chain_jump_index(i), jump[i]);
    }
    assert_int_equal(ves_chain_jump_index(INT64_MAX), 0);
    assert_int_equal(ves_chain_jump_index((uint64_t)INT64_MAX + 1), INT64_MAX);
}

static void test_find_all(void **state)
{
    (void)state;
    size_t worst = 0;

    for (size_t e = 0; e < ENTITIES; e++) {
        assert_true(entities[e].count > 300);
        for (uint64_t i = 1; i <= entities[e].count; i++) {
            uint64_t sequence = 0;
            size_t before = test_ops()->log_reads;
            assert_int_equal(
                ves_chain_find(store, stream_no, &entities[e], i, &sequence),
                VES_OK);
            assert_int_equal(sequence, sequences[e][i - 1]);
            size_t reads = test_ops()->log_reads - before;
            worst = reads > worst ? reads : worst;
        }
    }
    /* Myers: at most 3 lg(n + 1) - 5 steps; lg(2058) is just over 11. */
    assert_true(entities[0].count < 2058);
    assert_true(worst <= 28);
}

/* From every number on, against the list. */
static void test_find_from(void **state)
{
    (void)state;
    for (size_t e = 0; e < ENTITIES; e++) {
        uint64_t want = 1;
        for (uint64_t from = 1; from <= EVENTS + 2; from++) {
            uint64_t index = 0;
            size_t before = test_ops()->log_reads;
            while (want <= entities[e].count && sequences[e][want - 1] < from)
                want++;
            assert_int_equal(
                ves_chain_from(store, stream_no, &entities[e], from, &index),
                VES_OK);
            assert_int_equal(index, want);
            assert_true(test_ops()->log_reads - before <= 30);
        }
    }
}

static void test_not_there(void **state)
{
    (void)state;
    uint64_t sequence;

    assert_int_equal(
        ves_chain_find(store, stream_no, &entities[1], 0, &sequence),
        VES_NOT_FOUND);
    assert_int_equal(ves_chain_find(store, stream_no, &entities[1],
                                    entities[1].count + 1, &sequence),
                     VES_NOT_FOUND);
}

/* A row that belongs to another entity, or to another place. */
static void test_broken(void **state)
{
    (void)state;
    uint64_t sequence;
    struct ves_entity_row bad = entities[1];

    bad.last = entities[2].last;
    assert_int_equal(ves_chain_find(store, stream_no, &bad, 1, &sequence),
                     VES_CORRUPT);
    bad = entities[1];
    bad.last = sequences[1][10];
    assert_int_equal(ves_chain_find(store, stream_no, &bad, 1, &sequence),
                     VES_CORRUPT);
    bad.last = EVENTS + 1;
    assert_int_equal(ves_chain_find(store, stream_no, &bad, 1, &sequence),
                     VES_CORRUPT);
}

static void test_store_fails(void **state)
{
    (void)state;
    uint64_t sequence;

    test_ops_arm(2, false, VES_IO);
    assert_int_equal(
        ves_chain_find(store, stream_no, &entities[0], 1000, &sequence),
        VES_IO);
    test_ops_arm(0, false, VES_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jump_index), cmocka_unit_test(test_find_all),
        cmocka_unit_test(test_find_from),  cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_broken),     cmocka_unit_test(test_store_fails),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("chain", tests, set_up, tear_down);
}
