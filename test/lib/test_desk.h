/* test_desk.h -- a few requests at one sequencer over store_mem, and what
 * became of them.  For cmocka tests: what does not hold fails the test.
 */
#ifndef VES_TEST_DESK_H
#define VES_TEST_DESK_H

#include "test/lib/test_hub.h"

enum { REQUESTS = 8, LOG_MAX = 4096 };

/* Made anew by set_up for every test. */
struct test_desk {
    struct ves_store *store;
    struct test_hub hub;
    struct test_request requests[REQUESTS];
    struct ves_ingest ingests[REQUESTS];
    struct ves_ingest *group[REQUESTS]; /* pointers to ingests */
};
extern struct test_desk desk;

int desk_set_up(void **state);
int desk_tear_down(void **state);

/* Starts request r over; adds to it; reads and prepares it; commits it
 * alone. */
void desk_begin(size_t r);
void desk_add(size_t r, const struct test_event *event);
void desk_prepare(size_t r);
void desk_push(size_t r);
/* Commits requests 0 to count - 1 together; must work. */
void desk_commit(size_t count);

/* Event n of the hub's agent; with a base version; as a member of a group,
 * agent_seq n. */
struct test_event desk_event(uint32_t n);
struct test_event desk_based(uint32_t n, uint64_t base);
struct test_event desk_member(uint32_t n, uint32_t command, uint32_t index,
                              uint32_t count);
/* A request of count events, numbered from first on. */
void desk_add_plain(size_t r, uint32_t first, uint32_t count);
/* A whole group. */
void desk_add_group(size_t r, uint32_t first, uint32_t command, uint32_t count);

void assert_outcome(size_t r, size_t i, enum ves_outcome_kind outcome);
void assert_refused(size_t r, size_t i, enum ves_refusal_code code);
uint64_t sequence_of(size_t r, size_t i);

struct ves_stream_row desk_stream(void);

struct test_log {
    struct ves_log_row rows[LOG_MAX]; /* without envelopes */
    size_t count;
};

/* The log of the hub's stream, which must be dense, its ids unique, its
 * receipts true and its chains whole. */
const struct test_log *desk_log(void);
uint64_t desk_count_refusals(void);

#endif
