/* suite.h -- the store contract (src/port/store.h) as a program.
 *
 * A back end exists when suite_run() passes for it.  Rows are compared as
 * text: every row type can be filled from a seed and printed with all its
 * members, and suite_dump prints all a store answers.
 */
#ifndef TEST_STORE_SUITE_H
#define TEST_STORE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "port/store.h"

enum suite_role { SUITE_DEVICE, SUITE_SEQUENCER };

/* How the suite gets stores of one kind. */
struct suite_backend {
    const char *name;
    /* An empty store; *handle is handed to the others. */
    struct ves_store *(*open)(enum suite_role role, void **handle);
    /* Closes and opens again what was committed; NULL: cannot. */
    struct ves_store *(*reopen)(void *handle);
    void (*close)(void *handle);
    /* It has none of what the contract calls "device only": the tests of that
     * are left out, and what serves both roles is tested on a sequencer's
     * store. */
    bool is_sequencer_only;
};

/* Runs everything and prints TAP; the number of failures. */
int suite_run(const struct suite_backend *backend);

/* What a test works with; a test's *state. */
struct suite {
    const struct suite_backend *backend;
    enum suite_role role;
    void *handle;
    struct ves_store *store;
    struct ves_arena arena; /* for the test's rows */
    struct ves_buf got, want;
};

/* Calls operation op of the suite's store; s is a struct suite. */
#define CALL(s, op, ...) ((s)->store->ops->op((s)->store, __VA_ARGS__))
#define OK(call)         assert_int_equal((call), VES_OK)

void suite_begin(struct suite *s);
void suite_commit(struct suite *s);
void suite_rollback(struct suite *s);
/* Fails with a readable difference unless got and want are equal; empties
 * both. */
void suite_compare(struct suite *s);

int suite_setup_device(void **state);
int suite_setup_either(void **state);
int suite_setup_sequencer(void **state);
int suite_teardown(void **state);

#define DEVICE_TEST(f) \
    cmocka_unit_test_setup_teardown(f, suite_setup_device, suite_teardown)
/* Of what serves both roles, and needs no table of one of them. */
#define EITHER_TEST(f) \
    cmocka_unit_test_setup_teardown(f, suite_setup_either, suite_teardown)
#define SEQUENCER_TEST(f) \
    cmocka_unit_test_setup_teardown(f, suite_setup_sequencer, suite_teardown)

/* The tests by file. */
const struct CMUnitTest *suite_base_tests(size_t *count);
const struct CMUnitTest *suite_log_tests(size_t *count);
const struct CMUnitTest *suite_entity_tests(size_t *count);
const struct CMUnitTest *suite_conflict_tests(size_t *count);
const struct CMUnitTest *suite_outbox_tests(size_t *count);
const struct CMUnitTest *suite_record_tests(size_t *count);
const struct CMUnitTest *suite_keys_tests(size_t *count);
const struct CMUnitTest *suite_tlog_tests(size_t *count);
const struct CMUnitTest *suite_follow_tests(size_t *count);

/* ---- ids, rows from seeds (suite_rows.c) ----------------------------------
 */

uint64_t suite_random(uint64_t *seed);
/* Id number n of a kind; every kind and n gives another one. */
struct ves_uuid suite_uuid(char kind, uint64_t n);
struct ves_hash suite_hash(char kind, uint64_t n);
struct ves_stream suite_stream(uint64_t n);

void suite_fill_log(struct ves_log_row *row, struct ves_arena *arena,
                    uint64_t seed);
/* Entity number n: its key, suite_hash('K', n), and its name. */
struct ves_entity_name suite_entity_name(uint64_t n);
void suite_fill_entity(struct ves_entity_row *row, struct ves_arena *arena,
                       uint64_t n, uint64_t seed);
/* opened is 1 to 30 and says the id; suite_hash('Q', opened). */
void suite_fill_conflict(struct ves_conflict_row *row, struct ves_arena *arena,
                         uint64_t seed);
/* Of conflicts 1 to 4. */
void suite_fill_member(struct ves_conflict_member *member, uint64_t seed);
void suite_fill_outbox(struct ves_outbox_row *row, struct ves_arena *arena,
                       uint64_t seed);
/* Only the moving members. */
void suite_fill_moving(struct ves_outbox_row *row, struct ves_arena *arena,
                       uint64_t seed);
void suite_fill_record(struct ves_record *row, struct ves_arena *arena,
                       uint64_t seed);
void suite_fill_key(struct ves_key_row *row, struct ves_arena *arena,
                    uint64_t seed);
void suite_fill_commitment(struct ves_commitment_row *row, uint64_t seed);
void suite_fill_credential(struct ves_credential_row *row,
                           struct ves_arena *arena, uint64_t seed);
void suite_fill_invitation(struct ves_invitation_row *row, uint64_t seed);
void suite_fill_follow(struct ves_follow_row *row, struct ves_arena *arena,
                       uint64_t seed);

/* count rows appended to a stream that is made if need be, sequence numbers
 * from the next on, event ids suite_uuid('E', sequence); one transaction.
 * Returns the stream's number. */
uint32_t suite_append_log(struct suite *s, uint64_t stream, uint64_t count);
/* The row suite_append_log gives a sequence number. */
void suite_log_row(struct suite *s, struct ves_log_row *row, uint64_t sequence);

/* One line a row. */
void suite_print_stream(struct ves_buf *out, const struct ves_stream_row *row);
void suite_print_log(struct ves_buf *out, const struct ves_log_row *row);
void suite_print_entity(struct ves_buf *out, const struct ves_entity_row *row);
void suite_print_conflict(struct ves_buf *out,
                          const struct ves_conflict_row *row);
void suite_print_member(struct ves_buf *out,
                        const struct ves_conflict_member *row);
void suite_print_outbox(struct ves_buf *out, const struct ves_outbox_row *row);
void suite_print_record(struct ves_buf *out, const struct ves_record *row);
void suite_print_key(struct ves_buf *out, const struct ves_key_row *row,
                     const struct ves_key_span *span);
void suite_print_commitment(struct ves_buf *out,
                            const struct ves_commitment_row *row);
void suite_print_credential(struct ves_buf *out,
                            const struct ves_credential_row *row);
void suite_print_tlog(struct ves_buf *out, const struct ves_tlog_row *row);
void suite_print_follow(struct ves_buf *out, const struct ves_follow_row *row);
void suite_print_invitation(struct ves_buf *out,
                            const struct ves_invitation_row *row);

/* Visitors that print into a struct ves_buf. */
enum ves_status suite_see_stream(void *ctx, const struct ves_stream_row *row);
enum ves_status suite_see_log(void *ctx, const struct ves_log_row *row);
enum ves_status suite_see_entity(void *ctx, const struct ves_entity_row *row);
enum ves_status suite_see_waiting(void *ctx, uint64_t sequence,
                                  const struct ves_hash *waits_for);
enum ves_status suite_see_conflict(void *ctx,
                                   const struct ves_conflict_row *row);
enum ves_status suite_see_member(void *ctx,
                                 const struct ves_conflict_member *member);
enum ves_status suite_see_outbox(void *ctx, const struct ves_outbox_row *row);
enum ves_status suite_see_record(void *ctx, const struct ves_record *row);
enum ves_status suite_see_key(void *ctx, const struct ves_key_row *row,
                              const struct ves_key_span *span);
enum ves_status suite_see_commitment(void *ctx,
                                     const struct ves_commitment_row *row);
enum ves_status suite_see_credential(void *ctx,
                                     const struct ves_credential_row *row);

enum { SUITE_POOL = 8 }; /* ids 0 to 7 of a kind are asked for by dumps */

/* Everything the store answers, of streams, names and ids in the pools. */
void suite_dump(struct ves_store *store, enum suite_role role,
                struct ves_buf *out);

#endif
