/* test_envelope.h -- an envelope as a list of members that a test changes.
 *
 * The members start as those of a good event; payload_plain_hash and
 * agent_signature are filled in unless the test sets them.  test_envelope.c
 * fails the running cmocka test when something is not as expected, and goes
 * back to the good members after each expectation.
 */
#ifndef VES_TEST_ENVELOPE_H
#define VES_TEST_ENVELOPE_H

#include "base/arena.h"
#include "core/event.h"

#define HASH_A \
    "0x1111111111111111111111111111111111111111111111111111111111111111"
#define HASH_B \
    "0x2222222222222222222222222222222222222222222222222222222222222222"
#define ZERO \
    "0x0000000000000000000000000000000000000000000000000000000000000000"
#define EVENT "861910c9-7a1d-4b6f-83d6-51bbf4ae2849"

/* Arena and refusal of the calls below. */
extern struct ves_arena test_arena;
extern struct ves_refusal test_refusal;

/* For cmocka_run_group_tests. */
int test_env_set_up(void **state);
int test_env_tear_down(void **state);

void test_env_reset(void);
/* value is JSON and must stay; NULL leaves the member out. */
void test_env_set(const char *name, const char *value);
const char *test_env_get(const char *name);
/* Fills payload_plain_hash and agent_signature now. */
void test_env_fill(void);
/* The JSON text; valid until the next call. */
struct ves_bytes test_env_text(void);

/* Reads and checks. */
enum ves_status test_env_take(struct ves_event *event);
void test_env_expect_ok(void);
void test_env_expect_refused(enum ves_refusal_code code, const char *reason);
/* With this member set, refused as "schema_validation: name". */
void test_env_expect_bad(const char *name, const char *value);

#endif
