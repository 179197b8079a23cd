/* test_desk.c -- a few requests at one sequencer over store_mem. */
#include "test/lib/test_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "store/store_mem.h"

struct test_desk desk;

int desk_set_up(void **state)
{
    (void)state;
    if (ves_store_mem_open(ves_alloc_default(), &desk.store))
        return -1;
    test_hub_init(&desk.hub, desk.store);
    memset(desk.ingests, 0, sizeof(desk.ingests));
    memset(desk.requests, 0, sizeof(desk.requests));
    for (size_t i = 0; i < REQUESTS; i++)
        desk.group[i] = &desk.ingests[i];
    return 0;
}

int desk_tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUESTS; i++) {
        ves_ingest_free(&desk.ingests[i]);
        if (desk.requests[i].body.alloc)
            test_request_free(&desk.requests[i]);
    }
    ves_store_mem_close(desk.store);
    return 0;
}

void desk_begin(size_t r)
{
    ves_ingest_free(&desk.ingests[r]);
    if (desk.requests[r].body.alloc)
        test_request_free(&desk.requests[r]);
    test_request_begin(&desk.requests[r], &desk.hub.agent);
}

void desk_add(size_t r, const struct test_event *event)
{
    test_request_event(&desk.requests[r], event, &desk.hub.agent_key);
}

void desk_prepare(size_t r)
{
    test_hub_prepare(&desk.hub, &desk.ingests[r],
                     test_request_end(&desk.requests[r]));
}

void desk_push(size_t r)
{
    desk_prepare(r);
    assert_int_equal(test_hub_commit(&desk.hub, &desk.group[r], 1), VES_OK);
}

struct test_event desk_event(uint32_t n)
{
    return test_hub_event(&desk.hub, n);
}

/* Requests of count events each, numbered from first on. */
void desk_add_plain(size_t r, uint32_t first, uint32_t count)
{
    desk_begin(r);
    for (uint32_t n = first; n < first + count; n++) {
        struct test_event event = desk_event(n);
        desk_add(r, &event);
    }
}

struct test_event desk_member(uint32_t n, uint32_t command, uint32_t index,
                              uint32_t count)
{
    struct test_event event = desk_event(n);
    struct ves_uuid id = test_id(command);

    test_event_context(&event, n, 0);
    test_event_group(&event, &id, index, count);
    return event;
}

void assert_outcome(size_t r, size_t i, enum ves_outcome_kind outcome)
{
    assert_true(i < desk.ingests[r].count);
    assert_int_equal(desk.ingests[r].events[i].outcome, outcome);
}

void assert_refused(size_t r, size_t i, enum ves_refusal_code code)
{
    assert_outcome(r, i, VES_OUTCOME_REFUSED);
    assert_int_equal(desk.ingests[r].events[i].refusal.code, code);
}

uint64_t sequence_of(size_t r, size_t i)
{
    return desk.ingests[r].events[i].receipt.sequence_number;
}

struct ves_stream_row desk_stream(void)
{
    struct ves_stream_row row;

    assert_int_equal(
        desk.store->ops->stream_get(desk.store, &desk.hub.stream, false, &row),
        VES_OK);
    return row;
}

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct test_log *log = ctx;

    assert_true(log->count < LOG_MAX);
    assert_true(row->envelope.len > 0);
    log->rows[log->count] = *row;
    log->rows[log->count].envelope = ves_bytes(NULL, 0);
    log->count++;
    return VES_OK;
}

/* The log must be dense, its ids unique, its receipts true and its chains
 * whole. */
const struct test_log *desk_log(void)
{
    static struct test_log log;
    struct ves_stream_row row = desk_stream();

    log.count = 0;
    assert_int_equal(desk.store->ops->log_read(desk.store, row.stream_no, 1, 0,
                                               take_row, &log),
                     VES_OK);
    assert_int_equal(log.count, row.head);
    for (size_t i = 0; i < log.count; i++) {
        const struct ves_log_row *r = &log.rows[i];
        struct ves_hash hash;
        assert_int_equal(r->sequence_number, i + 1);
        ves_receipt_hash(&desk.hub.stream, &r->event_id, i + 1, &r->event_hash,
                         &hash);
        assert_true(r->has_receipt);
        assert_true(
            test_verify(&desk.hub.key.signer.public_key, &hash, &r->receipt));
        for (size_t k = 0; k < i; k++)
            assert_false(ves_uuid_equal(&log.rows[k].event_id, &r->event_id));
        uint64_t prev = 0, index = 1;
        for (size_t k = 0; k < i; k++) {
            if (ves_hash_equal(&log.rows[k].entity_key, &r->entity_key)) {
                prev = k + 1;
                index++;
            }
        }
        assert_int_equal(r->entity_prev, prev);
        assert_int_equal(r->entity_index, index);
    }
    return &log;
}

uint64_t desk_count_refusals(void)
{
    uint64_t count = 0;

    assert_int_equal(
        desk.store->ops->record_count_open(desk.store, VES_RECORD_REFUSAL,
                                           desk_stream().stream_no, &count),
        VES_OK);
    return count;
}

void desk_add_group(size_t r, uint32_t first, uint32_t command, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        struct test_event event = desk_member(first + k, command, k, count);
        desk_add(r, &event);
    }
}

struct test_event desk_based(uint32_t n, uint64_t base)
{
    struct test_event event = desk_event(n);

    event.fields.has_base_version = true;
    event.fields.base_version = base;
    return event;
}

void desk_commit(size_t count)
{
    assert_int_equal(test_hub_commit(&desk.hub, desk.group, count), VES_OK);
}
