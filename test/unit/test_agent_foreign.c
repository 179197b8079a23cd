/* test_agent_foreign.c -- a log that a laxer sequencer keeps (ADR 0016).
 *
 * What is validly signed and has a number is stored, judged and folded, also
 * where our own sequencer would have refused it; what its hashes disprove
 * stops the store.
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
#include "base/limits.h"
#include "test/lib/test_fleet.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { TEXT_MAX = 64 * 1024 * 1024 };

static struct test_fleet fleet;
static struct ves_pull_result result;
static struct ves_buf page, long_text, long_time;
static uint64_t length; /* of the log */

static int set_up(void **state)
{
    (void)state;
    test_fleet_open(&fleet, 3);
    fleet.has_receipts = false;
    ves_buf_init(&page, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&long_text, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&long_time, ves_alloc_default(), TEXT_MAX);
    length = 0;
    memset(&result, 0, sizeof(result));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_buf_free(&page);
    ves_buf_free(&long_text);
    ves_buf_free(&long_time);
    test_fleet_close(&fleet);
    return 0;
}

/* ---- the log ------------------------------------------------------------- */

enum { SIZE = 11 };

static struct test_event log_of[SIZE];

static struct test_event *add(const char *payload)
{
    struct test_event *event = &log_of[length++];

    test_event_init(event, &fleet.hub.stream, &fleet.devices[0].core.agent,
                    (uint32_t)length);
    event->payload = payload;
    return event;
}

static const char *end(struct ves_buf *buf)
{
    ves_buf_put_u8(buf, 0);
    assert_int_equal(ves_buf_status(buf), VES_OK);
    return (const char *)buf->ptr;
}

/* {"f":[[[ ... ]]]} of that many levels. */
static const char *deep(struct ves_buf *buf, size_t levels)
{
    ves_buf_put_str(buf, "{\"f\":");
    for (size_t i = 1; i < levels; i++)
        ves_buf_put_u8(buf, '[');
    for (size_t i = 1; i < levels; i++)
        ves_buf_put_u8(buf, ']');
    ves_buf_put_u8(buf, '}');
    return end(buf);
}

/* A payload below the limit as sent, five times that when canonical. */
static const char *swelling(struct ves_buf *buf)
{
    ves_buf_put_str(buf, "{\"g\":[1e20");
    while (buf->len + 16 < VES_PAYLOAD_MAX)
        ves_buf_put_str(buf, ",1e20");
    ves_buf_put_str(buf, "]}");
    return end(buf);
}

static void fill_log(struct ves_buf *nested)
{
    struct test_event *event;

    add("{\"a\":1}");
    event = add("{\"b\":1,\"_ves\":{\"agent_seq\":1,\"schema\":"
                "\"order.updated/1\",\"seen\":0,\"v\":1}}");
    event->fields.ves_version = 1;
    add("{\"c\":1,\"_ves\":7}");
    add("{\"c\":2,\"_ves\":{\"agent_seq\":1,\"seen\":0,\"v\":1,\"x\":1}}");
    event = add("{\"d\":1}");
    test_event_context(event, 1, 0);
    event->fields.context.has_cmd = true;
    event->fields.context.cmd_count = 2;
    add("{\"e\":1}")->fields.created_at = ves_bytes_str("2026-01-02 03:04:05Z");
    ves_buf_put_str(&long_time, "2026-01-02T03:04:05.");
    while (long_time.len < 5000)
        ves_buf_put_u8(&long_time, '1');
    ves_buf_put_u8(&long_time, 'Z');
    add("{\"e\":2}")->fields.created_at = ves_buf_view(&long_time);
    add("{\"n\":9007199254740993,\"m\":1e300}");
    add(deep(nested, 120));
    add(swelling(&long_text));
    add("{\"z\":1}");
    assert_int_equal(length, SIZE);
}

/* As the other sequencer serves it: events from .. to. */
static struct ves_bytes serve(uint64_t from, uint64_t to)
{
    char place[96];

    ves_buf_reset(&page);
    ves_buf_put_str(&page, "{\"events\":[");
    for (uint64_t n = from; n <= to; n++) {
        struct test_event *event = &log_of[n - 1];
        snprintf(place, sizeof(place),
                 ",\"sequence_number\":%llu,\"sequenced_at\":"
                 "\"2026-01-02T03:04:06Z\"",
                 (unsigned long long)n);
        event->extra = place;
        ves_buf_put_str(&page, n > from ? ",{\"envelope\":" : "{\"envelope\":");
        test_event_write(&page, event, &fleet.devices[0].key, NULL);
        ves_buf_put_u8(&page, '}');
        event->extra = NULL;
    }
    ves_buf_putf(&page, "],\"head_sequence\":%llu,\"has_more\":%s}",
                 (unsigned long long)length, to < length ? "true" : "false");
    assert_int_equal(ves_buf_status(&page), VES_OK);
    return ves_buf_view(&page);
}

static void fold_again(size_t n)
{
    struct ves_store *store = fleet.devices[n].store;

    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->meta_put(store, "fold.version", ves_bytes_str("0")),
        VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    assert_int_equal(ves_core_load(&fleet.devices[n].core), VES_OK);
}

/* ---- what is carried ----------------------------------------------------- */

static void what_is_signed_and_numbered_is_carried(void **state)
{
    static const struct {
        const char *member, *value;
    } members[] = {{"a", "1"},
                   {"b", "1"},
                   {"c", "2"},
                   {"d", "1"},
                   {"e", "2"},
                   {"m", "1e+300"},
                   {"n", "9007199254740992"},
                   {"z", "1"},
                   {"_ves", ""}};
    struct ves_buf nested;

    (void)state;
    ves_buf_init(&nested, ves_alloc_default(), TEXT_MAX);
    fill_log(&nested);
    assert_int_equal(test_fleet_take(&fleet, 1, serve(1, SIZE), 1, &result),
                     VES_OK);
    for (uint64_t n = 1; n <= SIZE; n++)
        assert_int_equal(test_fleet_take(&fleet, 2, serve(n, n), n, &result),
                         VES_OK);
    struct ves_core_status one = test_fleet_status(&fleet, 1);
    struct ves_core_status two = test_fleet_status(&fleet, 2);
    assert_int_equal(one.cursor, SIZE);
    assert_int_equal(two.cursor, SIZE);
    assert_int_equal(one.quarantined, 0);
    assert_true(ves_hash_equal(&one.state_hash, &two.state_hash));
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        assert_string_equal(test_fleet_member(&fleet, 1, "order", "A-1",
                                              members[i].member, false),
                            members[i].value);
    fold_again(1);
    two = test_fleet_status(&fleet, 1);
    assert_true(ves_hash_equal(&one.state_hash, &two.state_hash));
    ves_buf_free(&nested);
}

/* ---- what our own sequencer still refuses -------------------------------- */

static void our_sequencer_refuses_them(void **state)
{
    struct ves_buf nested;
    struct ves_buf answer;

    (void)state;
    ves_buf_init(&nested, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    fill_log(&nested);
    for (size_t i = 1; i + 1 < SIZE; i++) {
        struct test_request request;
        test_request_begin(&request, &fleet.devices[0].core.agent);
        test_request_event(&request, &log_of[i], &fleet.devices[0].key);
        ves_buf_reset(&answer);
        test_fleet_ingest(&fleet, 0, test_request_end(&request), &answer);
        ves_buf_put_u8(&answer, 0);
        if (!strstr((const char *)answer.ptr, "\"schema_validation"))
            fail_msg("event %zu: %.300s", i + 1, (const char *)answer.ptr);
        test_request_free(&request);
    }
    ves_buf_free(&nested);
    ves_buf_free(&answer);
}

/* ---- what stops ---------------------------------------------------------- */

static void what_its_hashes_disprove_stops(void **state)
{
    struct ves_buf nested;

    (void)state;
    ves_buf_init(&nested, ves_alloc_default(), TEXT_MAX);
    fill_log(&nested);
    log_of[1].has_bad_hash = true;
    assert_int_equal(test_fleet_take(&fleet, 1, serve(1, SIZE), 1, &result),
                     VES_REFUSED);
    assert_int_equal(test_fleet_status(&fleet, 1).cursor, 1);
    assert_int_equal(test_fleet_open_records(&fleet, 1, VES_RECORD_QUARANTINE,
                                             "hash_mismatch"),
                     1);
    log_of[1].has_bad_hash = false;
    log_of[2].has_bad_signature = true;
    assert_int_equal(test_fleet_take(&fleet, 1, serve(2, SIZE), 2, &result),
                     VES_REFUSED);
    assert_int_equal(test_fleet_status(&fleet, 1).cursor, 2);
    ves_buf_free(&nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_signed_and_numbered_is_carried),
        TEST(our_sequencer_refuses_them),
        TEST(what_its_hashes_disprove_stops),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent_foreign", tests, NULL, NULL);
}
