/* test_store_mem.c -- the contract on the memory store, and its own ways. */
#include <stdlib.h>

#include "store/store_mem.h"
#include "test/lib/test_store_counting.h"
#include "test/store/suite.h"

/* An allocator that counts what is out and fails the n-th request. */
struct meter {
    long out;
    long fail_at; /* 0: never */
    long requests;
};

static void *metered(void *ctx, void *ptr, size_t size)
{
    struct meter *m = ctx;

    if (size == 0) {
        m->out -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (++m->requests == m->fail_at)
        return NULL;
    m->out += ptr == NULL;
    return realloc(ptr, size);
}

static struct meter meter;
static const struct ves_alloc metered_alloc = {metered, &meter};

static struct ves_store *open_mem(enum suite_role role, void **handle)
{
    struct ves_store *store = NULL;

    (void)role;
    assert_int_equal(ves_store_mem_open(&metered_alloc, &store), VES_OK);
    *handle = store;
    return store;
}

/* The only thing it survives. */
static struct ves_store *crash_mem(void *handle)
{
    ves_store_mem_crash(handle);
    return handle;
}

static void close_mem(void *handle)
{
    ves_store_mem_close(handle);
    assert_int_equal(meter.out, 0);
}

static const struct suite_backend backend = {.name = "store_mem",
                                             .open = open_mem,
                                             .reopen = crash_mem,
                                             .close = close_mem};

static void fill(struct suite *s, uint64_t seed)
{
    for (uint64_t i = 0; i < 5; i++) {
        struct ves_outbox_row row;

        suite_fill_outbox(&row, &s->arena, seed + i);
        row.event_id = suite_uuid('E', seed + i);
        suite_begin(s);
        OK(CALL(s, outbox_append, &row, 1));
        suite_commit(s);
    }
    suite_append_log(s, 1, 5);
}

static void a_crash_drops_what_is_open(void **state)
{
    struct suite s = {.role = SUITE_DEVICE};

    (void)state;
    s.store = open_mem(SUITE_DEVICE, &s.handle);
    ves_arena_init(&s.arena, ves_alloc_default(), 1 << 24);
    ves_buf_init(&s.got, ves_alloc_default(), 1 << 24);
    ves_buf_init(&s.want, ves_alloc_default(), 1 << 24);
    fill(&s, 0);
    suite_dump(s.store, s.role, &s.want);
    suite_begin(&s);
    OK(CALL(&s, meta_put, "cursor", ves_bytes_str("lost")));
    ves_store_mem_crash(s.store);
    suite_dump(s.store, s.role, &s.got);
    suite_compare(&s);
    fill(&s, 100);
    suite_begin(&s); /* open at close */
    OK(CALL(&s, meta_put, "cursor", ves_bytes_str("lost")));
    close_mem(s.handle);
    ves_buf_free(&s.got);
    ves_buf_free(&s.want);
    ves_arena_free(&s.arena);
}

/* Every request for memory fails once; a call that fails changes nothing. */
static void no_memory_changes_nothing(void **state)
{
    long fail_at = 0;
    bool is_done = false;
    struct suite s = {.role = SUITE_DEVICE};
    struct ves_outbox_row rows[3];

    (void)state;
    ves_arena_init(&s.arena, ves_alloc_default(), 1 << 24);
    ves_buf_init(&s.got, ves_alloc_default(), 1 << 24);
    ves_buf_init(&s.want, ves_alloc_default(), 1 << 24);
    s.store = open_mem(SUITE_DEVICE, &s.handle);
    fill(&s, 0);
    for (uint64_t i = 0; i < 3; i++) {
        suite_fill_outbox(&rows[i], &s.arena, i);
        rows[i].event_id = suite_uuid('E', 50 + i);
    }
    suite_dump(s.store, s.role, &s.want);
    while (!is_done) {
        enum ves_status status;

        suite_begin(&s);
        meter.requests = 0;
        meter.fail_at = ++fail_at;
        status = CALL(&s, outbox_append, rows, 3);
        is_done = meter.requests < fail_at;
        meter.fail_at = 0;
        assert_int_equal(status, is_done ? VES_OK : VES_NOMEM);
        if (!is_done) {
            ves_buf_reset(&s.got);
            suite_dump(s.store, s.role, &s.got);
            assert_true(
                ves_bytes_equal(ves_buf_view(&s.got), ves_buf_view(&s.want)));
        }
        suite_rollback(&s);
    }
    assert_true(fail_at > 9); /* three rows, their index entries, counts */
    close_mem(s.handle);
    ves_buf_free(&s.got);
    ves_buf_free(&s.want);
    ves_arena_free(&s.arena);
}

static void opening_without_memory_fails(void **state)
{
    struct ves_store *store = NULL;

    (void)state;
    meter.requests = 0;
    meter.fail_at = 1;
    assert_int_equal(ves_store_mem_open(&metered_alloc, &store), VES_NOMEM);
    meter.fail_at = 0;
    assert_null(store);
    ves_store_mem_close(NULL);
}

static void the_counting_store_counts(void **state)
{
    struct suite s = {.role = SUITE_DEVICE};
    struct test_counting counting;
    struct ves_bytes value;

    (void)state;
    test_counting_init(&counting, open_mem(SUITE_DEVICE, &s.handle));
    s.store = &counting.store;
    ves_arena_init(&s.arena, ves_alloc_default(), 1 << 24);
    suite_begin(&s);
    OK(CALL(&s, meta_put, "cursor", ves_bytes_str("1")));
    OK(CALL(&s, meta_put, "cursor", ves_bytes_str("2")));
    suite_commit(&s);
    suite_begin(&s);
    assert_int_equal(CALL(&s, record_close, VES_RECORD_ALERT, 1, 1, 1),
                     VES_NOT_FOUND);
    assert_string_not_equal(s.store->error.text, "");
    suite_rollback(&s);
    OK(CALL(&s, meta_get, "cursor", &s.arena, &value));
    assert_true(ves_bytes_is(value, "2"));
    assert_int_equal(counting.calls.begin, 2);
    assert_int_equal(counting.calls.commit, 1);
    assert_int_equal(counting.calls.rollback, 1);
    assert_int_equal(counting.calls.meta_put, 2);
    assert_int_equal(counting.calls.meta_get, 1);
    assert_int_equal(counting.calls.record_close, 1);
    assert_int_equal(test_counting_total(&counting), 4);
    test_counting_reset(&counting);
    assert_int_equal(test_counting_total(&counting), 0);
    close_mem(s.handle);
    ves_arena_free(&s.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_drops_what_is_open),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(opening_without_memory_fails),
        cmocka_unit_test(the_counting_store_counts),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_mem alone", tests, NULL, NULL) +
           suite_run(&backend);
}
