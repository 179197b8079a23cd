/* test_own_chain.c -- is the chain of a store's own events whole? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/own_chain.h"

static struct ves_own_chain chain;
static char words[512]; /* of all problems */
static uint64_t lost;

static int set_up(void **state)
{
    (void)state;
    ves_own_chain_init(&chain, ves_alloc_default());
    words[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_own_chain_free(&chain);
    return 0;
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    strncat(words, text, sizeof(words) - strlen(words) - 1);
    strncat(words, "; ", sizeof(words) - strlen(words) - 1);
}

static struct ves_hash hash_of(uint64_t number)
{
    struct ves_hash hash;

    memset(&hash, (int)number, sizeof(hash));
    return hash;
}

/* Number n, after the event with that hash; 0: the first. */
static void add(uint64_t n, uint64_t after)
{
    const struct ves_hash hash = hash_of(n);
    const struct ves_context context = {.is_present = true,
                                        .agent_seq = n,
                                        .has_prev = after > 0,
                                        .prev = hash_of(after)};

    assert_int_equal(ves_own_chain_add(&chain, n, &hash, &context, note, NULL),
                     VES_OK);
}

static void close_chain(bool may_have_lost)
{
    ves_own_chain_close(&chain, may_have_lost, &lost, note, NULL);
}

static void in_order_it_is_one_run(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 100; n++)
        add(n, n - 1);
    close_chain(false);
    assert_string_equal(words, "");
    assert_int_equal(chain.count, 1);
    assert_int_equal(chain.runs[0].last, 100);
    assert_int_equal(lost, 0);
}

static void order_is_that_of_numbers(void **state)
{
    (void)state;
    add(1, 0);
    add(6, 5);
    add(7, 6);
    add(2, 1);
    add(3, 2);
    add(5, 4);
    add(4, 3);
    close_chain(false);
    assert_string_equal(words, "");
    assert_int_equal(chain.runs[chain.count - 1].last, 7);
}

static void a_hole_is_wrong_but_where_it_was_lost(void **state)
{
    (void)state;
    add(1, 0);
    add(4, 3);
    close_chain(true);
    assert_string_equal(words, "");
    assert_int_equal(lost, 2);
    close_chain(false);
    assert_string_equal(words, "own event number 2 is not there: the chain has "
                               "a hole; ");
}

static void a_fork_is_always_wrong(void **state)
{
    (void)state;
    add(1, 0);
    add(2, 1);
    add(2, 1);
    close_chain(true);
    assert_string_equal(words, "own event number 2 is there twice: the chain "
                               "has a fork; ");
}

static void each_names_the_one_before_it(void **state)
{
    (void)state;
    add(1, 0);
    add(2, 9);
    add(4, 8);
    add(3, 2);
    close_chain(true);
    assert_string_equal(words,
                        "own event number 2 does not name the one before it; "
                        "own event number 4 does not name the one before it; ");
}

static void the_first_names_none(void **state)
{
    (void)state;
    add(1, 7);
    close_chain(true);
    assert_string_equal(words,
                        "own event number 1 does not name the one before it; ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(in_order_it_is_one_run),
        TEST(order_is_that_of_numbers),
        TEST(a_hole_is_wrong_but_where_it_was_lost),
        TEST(a_fork_is_always_wrong),
        TEST(each_names_the_one_before_it),
        TEST(the_first_names_none),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
