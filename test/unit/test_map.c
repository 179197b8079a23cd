/* test_map.c -- the look-up table of one step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/map.h"

enum { KEYS = 5000 };

struct key {
    uint64_t words[4];
};

static struct key make_key(uint64_t n)
{
    /* Nearly equal keys, as ids made in one millisecond are. */
    return (struct key){{7, n, 7, 7}};
}

static void test_all_found(void **state)
{
    (void)state;
    static int values[KEYS];
    struct ves_uuid secret = {{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}};

    for (size_t expected = 0; expected <= KEYS; expected += KEYS) {
        struct ves_arena arena;
        struct ves_map map;
        ves_arena_init(&arena, ves_alloc_default(), 1 << 24);
        assert_int_equal(
            ves_map_init(&map, &arena, sizeof(struct key), expected, &secret),
            VES_OK);
        for (uint64_t i = 0; i < KEYS; i++) {
            struct key key = make_key(i);
            assert_null(ves_map_get(&map, &key));
            void **slot = ves_map_slot(&map, &key);
            assert_non_null(slot);
            assert_null(*slot);
            *slot = &values[i];
        }
        for (uint64_t i = 0; i < KEYS; i++) {
            struct key key = make_key(i);
            assert_ptr_equal(ves_map_get(&map, &key), &values[i]);
            assert_ptr_equal(*ves_map_slot(&map, &key), &values[i]);
        }
        struct key absent = make_key(KEYS);
        assert_null(ves_map_get(&map, &absent));
        ves_arena_free(&arena);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct ves_uuid secret = {{1}};
    struct ves_arena arena;
    struct ves_map map;
    size_t count = 0;

    ves_arena_init(&arena, ves_alloc_default(), 4096);
    assert_int_equal(ves_map_init(&map, &arena, 16, 100000, &secret),
                     VES_NOMEM);
    assert_int_equal(ves_map_init(&map, &arena, 16, 8, &secret), VES_OK);
    for (;; count++) {
        struct key key = make_key(count);
        if (!ves_map_slot(&map, &key))
            break;
    }
    assert_true(count > 10 && count < 4096 / 16);
    struct key first = make_key(0);
    assert_non_null(ves_map_slot(&map, &first));
    ves_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_found),
        cmocka_unit_test(test_out_of_memory),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
