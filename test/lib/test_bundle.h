/* test_bundle.h -- a log of real, signed events, and bundles made of it.
 *
 * Number n is about the customer (n - 1 a multiple of 3) or order "A-x", x
 * being (n - 1) % 5.  The log's origin names the stream; its keys are those of
 * test_log.h.  One agent signs everything; the stream's directory of keys is
 * signed by the log's key, as a sequencer with one key would.
 */
#ifndef VES_TEST_BUNDLE_H
#define VES_TEST_BUNDLE_H

#include "core/bundle.h"
#include "test/lib/test_events.h"
#include "test/lib/test_log.h"
#include "ves/verify.h"

struct test_bundle {
    struct test_log log;
    char origin[128];
    char policy[1024]; /* this log, this witness, quorum of it */
    char no_witness[512];
    struct test_signer agent;
    struct ves_uuid agent_id;
    struct ves_arena arena; /* of the events */
    struct ves_event *events;
    size_t count;
};

/* With count events in the log. */
void test_bundle_open(struct test_bundle *bundle, size_t count);
void test_bundle_close(struct test_bundle *bundle);

/* Appends the stream's signed directory; revoked_at 0: not revoked. */
void test_bundle_directory(const struct test_bundle *bundle,
                           struct ves_buf *out, uint64_t revoked_at);
/* Same for another store or signed by another key. */
void test_bundle_directory_by(const struct test_bundle *bundle,
                              struct ves_buf *out, uint64_t revoked_at,
                              const struct ves_uuid *store,
                              const struct ves_secret_key *secret);

/* Appends the log's checkpoint at size, cosigned at time_s unless it is 0. */
void test_bundle_note(struct test_bundle *bundle, struct ves_buf *out,
                      uint64_t size, uint64_t time_s);

/* Appends a bundle of these events at size, directory included. */
void test_bundle_write(struct test_bundle *bundle, struct ves_buf *out,
                       const uint64_t *sequences, size_t count, uint64_t size,
                       uint64_t time_s);

/* The anchors a careful caller has: the policy with the witness. */
struct ves_verify_anchors test_bundle_anchors(const struct test_bundle *bundle);

/* Verifies, prints nothing. */
enum ves_verify_verdict
test_bundle_verify(const struct ves_verify_anchors *anchors,
                   struct ves_bytes file, struct ves_bytes entry,
                   struct ves_verify_report *report);
/* The line of a report by its name; NULL when it has none. */
const struct ves_verify_property *
test_bundle_line(const struct ves_verify_report *report, const char *name);

#endif
