/* test_agent_faults.c -- every operation of the agent with every store call,
 * and every allocation, failing once: nothing half done, and the same call
 * again does it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "store/store_mem.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_ops.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

static struct test_fleet fleet;
static struct ves_push push;
static struct ves_buf bytes; /* the reply or page at hand */
static struct ves_core_env env;

/* ---- an allocator that fails once ---------------------------------------- */

static size_t allocations, failing_allocation;

static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (++allocations == failing_allocation)
        return NULL;
    return realloc(ptr, size);
}

static const struct ves_alloc failing_alloc = {failing_realloc, NULL};

/* ---- operations ---------------------------------------------------------- */

struct operation {
    const char *name;
    void (*prepare)(void);
    enum ves_status (*run)(void);
    bool is_read_only; /* what fails in it may be passed over */
};

static struct ves_agent_core *core_of(size_t n)
{
    return &fleet.devices[n].core;
}

static void prepare_append(void)
{
    test_fleet_adjust(&fleet, 0, "s", "1");
}

static enum ves_status run_append(void)
{
    const struct ves_core_append what = {
        .event_type = ves_bytes_str("order.updated"),
        .entity_id = ves_bytes_str("O"),
        .payload = ves_bytes_str("{\"patch\":{\"a\":[1,2,{\"b\":null}]}}")};
    struct ves_uuid id;
    return ves_core_append(core_of(0), &env, &what, &id);
}

static void prepare_begin(void)
{
    for (int i = 0; i < 4; i++)
        test_fleet_adjust(&fleet, 0, i % 2 ? "s" : "t", "1");
    /* Rows of a dead pusher, and failed ones, are about. */
    assert_int_equal(test_fleet_begin(&fleet, 0, 2, true, &push), VES_OK);
    ves_push_free(&push, ves_alloc_default());
    fleet.devices[0].lease.pid++;
}

static enum ves_status run_begin(void)
{
    enum ves_status status = test_fleet_begin(&fleet, 0, 0, true, &push);
    if (!status)
        assert_int_equal(push.count, 4);
    ves_push_free(&push, core_of(0)->alloc);
    return status;
}

static void prepare_end(void)
{
    for (int i = 0; i < 3; i++)
        test_fleet_adjust(&fleet, 0, i % 2 ? "s" : "t", "1");
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_OK);
    test_fleet_ingest(&fleet, 0, ves_buf_view(&push.body), &bytes);
}

static enum ves_status run_end(void)
{
    struct ves_push_result result = {0};
    return ves_core_push_end(core_of(0), &push, &env, 200, ves_buf_view(&bytes),
                             0, &result);
}

/* The sequencer knows no key: everything is refused and leaves the overlay. */
static void prepare_end_refused(void)
{
    fleet.hub.keys.count = 0;
    prepare_end();
}

static enum ves_status run_end_offline(void)
{
    struct ves_push_result result = {0};
    enum ves_status status = ves_core_push_end(core_of(0), &push, &env, 0,
                                               ves_bytes(NULL, 0), 0, &result);
    return status == VES_UNREACHABLE ? VES_OK : status;
}

/* Device 0's log page with own pending events, its keys known. */
static void prepare_page(void)
{
    test_fleet_adjust(&fleet, 1, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    for (int i = 0; i < 9; i++)
        test_fleet_adjust(&fleet, (size_t)i % 2, i % 3 ? "s" : "t", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(test_fleet_push(&fleet, 1, NULL), VES_OK);
    test_fleet_adjust(&fleet, 0, "s", "1");
    test_fleet_page(&fleet, 2, 0, &bytes);
}

static enum ves_status run_page(void)
{
    struct ves_pull_result result = {0};
    struct ves_page *page;
    bool needs_keys;

    enum ves_status status = ves_core_page_read(
        core_of(0), ves_buf_view(&bytes), 2, &page, &needs_keys);
    if (status)
        return status;
    assert_false(needs_keys);
    ves_core_page_verify(core_of(0), page);
    status = ves_core_page_apply(core_of(0), page, fleet.hub.now_ms, &result);
    ves_page_free(page);
    return status;
}

/* The same page for a store that lost everything. */
static void prepare_take_back(void)
{
    for (int i = 0; i < 5; i++)
        test_fleet_adjust(&fleet, 0, i % 2 ? "s" : "t", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    ves_store_mem_close(fleet.devices[0].store);
    test_fleet_device(&fleet, 0, &fleet.devices[0]);
    assert_int_equal(test_fleet_pull(&fleet, 0, 1, NULL), VES_OK);
    test_fleet_page(&fleet, 2, 0, &bytes);
}

/* A page whose last event is false: quarantine. */
static void prepare_false_page(void)
{
    prepare_page();
    for (size_t i = bytes.len; i-- > 0;) {
        if (bytes.len - i > 18 &&
            memcmp(bytes.ptr + i, "agent_signature\":\"", 18) == 0) {
            bytes.ptr[i + 20] = bytes.ptr[i + 20] == '1' ? '2' : '1';
            return;
        }
    }
    fail();
}

static enum ves_status run_false_page(void)
{
    enum ves_status status = run_page();
    assert_int_not_equal(status, VES_OK);
    return status == VES_REFUSED ? VES_OK : status;
}

static void prepare_keys(void)
{
    test_fleet_directory(&fleet, &bytes);
}

static enum ves_status run_keys(void)
{
    return ves_core_keys(core_of(0), ves_buf_view(&bytes), fleet.hub.now_ms);
}

static void prepare_ack(void)
{
    for (int i = 0; i < 3; i++)
        test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
}

static enum ves_status run_ack(void)
{
    struct ves_ack_result result = {0};
    return ves_core_acknowledge(core_of(0), NULL, 0, 1, &result);
}

static void prepare_retry(void)
{
    size_t keys = fleet.hub.keys.count;

    fleet.hub.keys.count = 0;
    for (int i = 0; i < 3; i++)
        test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    fleet.hub.keys.count = keys;
}

static enum ves_status run_retry(void)
{
    uint64_t retried;
    return ves_core_retry(core_of(0), NULL, 0, 1, &retried);
}

static void prepare_log(void)
{
    for (int i = 0; i < 5; i++)
        test_fleet_adjust(&fleet, 0, i % 2 ? "s" : "t", "1");
    test_fleet_sync(&fleet, 0);
    test_fleet_adjust(&fleet, 0, "s", "1");
}

static enum ves_status run_refold(void)
{
    return ves_core_refold(core_of(0));
}

static enum ves_status run_status(void)
{
    struct ves_core_status status;
    return ves_core_status(core_of(0), &status);
}

static enum ves_status run_entity(void)
{
    struct ves_core_entity entity;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    enum ves_status status =
        ves_core_entity(core_of(0), ves_bytes_str("inventory"),
                        ves_bytes_str("s"), &arena, &entity);
    ves_arena_free(&arena);
    return status;
}

static const struct operation operations[] = {
    {"append", prepare_append, run_append, false},
    {"push_begin", prepare_begin, run_begin, false},
    {"push_end", prepare_end, run_end, false},
    {"push_end, refused", prepare_end_refused, run_end, false},
    {"push_end, offline", prepare_end, run_end_offline, false},
    {"page", prepare_page, run_page, false},
    {"page, taken back", prepare_take_back, run_page, false},
    {"page, false", prepare_false_page, run_false_page, false},
    {"keys", prepare_keys, run_keys, false},
    {"acknowledge", prepare_ack, run_ack, false},
    {"retry", prepare_retry, run_retry, false},
    {"refold", prepare_log, run_refold, false},
    {"status", prepare_log, run_status, true},
    {"entity", prepare_log, run_entity, true},
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

/* ---- the sweep ----------------------------------------------------------- */

static void open_with(const struct operation *operation)
{
    test_fleet_open(&fleet, 2);
    ves_buf_init(&bytes, ves_alloc_default(), TEXT_MAX);
    memset(&push, 0, sizeof(push));
    operation->prepare();
    env = test_fleet_env(&fleet);
}

static void close_all(void)
{
    core_of(0)->alloc = ves_alloc_default();
    ves_push_free(&push, ves_alloc_default());
    ves_buf_free(&bytes);
    test_fleet_close(&fleet);
}

static struct ves_hash digest(void)
{
    return test_fleet_digest(&fleet.devices[0]);
}

struct good {
    struct ves_hash before, after;
    size_t calls, allocations;
};

static struct good run_well(const struct operation *operation)
{
    struct good good;

    open_with(operation);
    good.before = digest();
    core_of(0)->alloc = &failing_alloc;
    allocations = 0;
    failing_allocation = 0;
    test_ops_install(fleet.devices[0].store);
    if (operation->run())
        fail_msg("%s: %s", operation->name, core_of(0)->error.text);
    good.calls = test_ops()->calls;
    good.allocations = allocations;
    test_ops_remove(fleet.devices[0].store);
    good.after = digest();
    close_all();
    return good;
}

static void check_after(const struct operation *operation,
                        const struct good *good, enum ves_status status,
                        bool may_be_done, size_t n)
{
    struct ves_hash now = digest();

    if (status == VES_OK && !operation->is_read_only)
        fail_msg("%s: call %zu failed unnoticed", operation->name, n);
    if (ves_hash_equal(&now, &good->before)) {
        if (operation->run())
            fail_msg("%s: not repeatable after call %zu: %s", operation->name,
                     n, core_of(0)->error.text);
        now = digest();
        if (!ves_hash_equal(&now, &good->after))
            fail_msg("%s: something else after call %zu", operation->name, n);
        return;
    }
    /* A commit that was durable and said it failed. */
    if (!may_be_done || !ves_hash_equal(&now, &good->after))
        fail_msg("%s: half done after call %zu", operation->name, n);
}

static void store_calls_that_fail_leave_nothing_half_done(void **state)
{
    (void)state;
    for (size_t o = 0; o < OPERATIONS; o++) {
        const struct operation *operation = &operations[o];
        struct good good = run_well(operation);
        for (size_t n = 1; n <= 2 * good.calls; n++) {
            bool is_late = n > good.calls;
            open_with(operation);
            test_ops_install(fleet.devices[0].store);
            test_ops_arm(is_late ? n - good.calls : n, is_late, VES_IO);
            enum ves_status status = operation->run();
            test_ops_arm(0, false, VES_OK);
            test_ops_remove(fleet.devices[0].store);
            if (status && status != VES_IO)
                fail_msg("%s: call %zu: %s", operation->name, n,
                         ves_status_name(status));
            check_after(operation, &good, status, is_late, n);
            close_all();
        }
    }
}

static void allocations_that_fail_leave_nothing_half_done(void **state)
{
    (void)state;
    for (size_t o = 0; o < OPERATIONS; o++) {
        const struct operation *operation = &operations[o];
        struct good good = run_well(operation);
        for (size_t n = 1; n <= good.allocations; n++) {
            open_with(operation);
            core_of(0)->alloc = &failing_alloc;
            allocations = 0;
            failing_allocation = n;
            enum ves_status status = operation->run();
            failing_allocation = 0;
            if (status && status != VES_NOMEM)
                fail_msg("%s: allocation %zu: %s", operation->name, n,
                         ves_status_name(status));
            check_after(operation, &good, status, false, n);
            close_all();
        }
    }
}

/* A crash at any call is the same: what was not committed is gone. */
static void crashes_leave_nothing_half_done(void **state)
{
    (void)state;
    for (size_t o = 0; o < OPERATIONS; o++) {
        const struct operation *operation = &operations[o];
        struct good good = run_well(operation);
        if (operation->is_read_only)
            continue;
        for (size_t n = 1; n <= good.calls; n++) {
            open_with(operation);
            test_ops_install(fleet.devices[0].store);
            test_ops_arm(n, false, VES_IO);
            enum ves_status status = operation->run();
            test_ops_remove(fleet.devices[0].store);
            ves_store_mem_crash(fleet.devices[0].store);
            assert_int_equal(ves_core_load(core_of(0)), VES_OK);
            check_after(operation, &good, status, false, n);
            close_all();
        }
    }
}

static void a_locked_store_says_so(void **state)
{
    (void)state;
    for (size_t o = 0; o < OPERATIONS; o++) {
        const struct operation *operation = &operations[o];
        if (operation->is_read_only)
            continue;
        open_with(operation);
        struct ves_hash before = digest();
        /* Find the call that begins: failing only that one. */
        bool is_busy = false;
        for (size_t n = 1; n < 8 && !is_busy; n++) {
            test_ops_install(fleet.devices[0].store);
            test_ops_arm(n, false, VES_BUSY);
            is_busy = operation->run() == VES_BUSY &&
                      strstr(core_of(0)->error.text, "the test says so");
            test_ops_remove(fleet.devices[0].store);
        }
        assert_true(is_busy);
        struct ves_hash after = digest();
        assert_true(ves_hash_equal(&before, &after));
        close_all();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_calls_that_fail_leave_nothing_half_done),
        cmocka_unit_test(allocations_that_fail_leave_nothing_half_done),
        cmocka_unit_test(crashes_leave_nothing_half_done),
        cmocka_unit_test(a_locked_store_says_so),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
