/* test_fleet.h -- a few devices and a sequencer in one process, all in memory.
 *
 * Every request and reply is bytes in between, so that a test can lose, change
 * or repeat them.  For cmocka tests: what must work and does not fails the
 * test.
 */
#ifndef VES_TEST_FLEET_H
#define VES_TEST_FLEET_H

#include "engine/agent.h"
#include "test/lib/test_hub.h"

enum { TEST_FLEET_MAX = 4 };

struct test_device {
    struct ves_store *store;
    struct test_signer key;
    struct test_verifier verifier;
    struct ves_agent_core core;
    struct ves_lease lease;
};

struct test_fleet {
    struct ves_store *hub_store;
    struct test_hub hub;
    struct test_device devices[TEST_FLEET_MAX];
    size_t count;
    uint64_t random;   /* state of the generator behind env.random */
    bool has_receipts; /* pull pages carry receipts */
    bool has_log;      /* ... and the newest signed head */
    bool has_files;    /* its stores are SQLite files in test_dir */
};

/* A sequencer and count devices whose keys are registered.  fleet must not
 * move. */
void test_fleet_open(struct test_fleet *fleet, size_t count);
/* The same over SQLite files in test_dir (test_dir.h), which the caller makes
 * and clears. */
void test_fleet_open_files(struct test_fleet *fleet, size_t count);
void test_fleet_close(struct test_fleet *fleet);

/* A device over a fresh store for the agent of number n (as devices[n] has
 * it); the caller closes the store. */
void test_fleet_device(struct test_fleet *fleet, size_t n,
                       struct test_device *device);
/* The same over this empty store. */
void test_fleet_device_over(struct test_fleet *fleet, size_t n,
                            struct ves_store *store,
                            struct test_device *device);
struct ves_core_env test_fleet_env(struct test_fleet *fleet);

/* Everything a store holds, into a fresh one: what a file copy does. */
struct ves_store *test_fleet_copy(struct test_fleet *fleet,
                                  const struct test_device *device);

/* Appends; must work. */
struct ves_uuid test_fleet_append(struct test_fleet *fleet, size_t n,
                                  const char *type, const char *id,
                                  const char *payload);
/* An inventory delta. */
struct ves_uuid test_fleet_adjust(struct test_fleet *fleet, size_t n,
                                  const char *id, const char *delta);

/* The sequencer's answer to an ingest request from device n. */
void test_fleet_ingest(struct test_fleet *fleet, size_t n,
                       struct ves_bytes body, struct ves_buf *answer);
/* A pull page from the sequencer's log; limit 0: all. */
void test_fleet_page(struct test_fleet *fleet, uint64_t from, uint32_t limit,
                     struct ves_buf *page);
/* Signs the head of the log as it is now. */
void test_fleet_sign(struct test_fleet *fleet);
/* The signed key directory of the stream, and the list of sequencer keys. */
void test_fleet_directory(struct test_fleet *fleet, struct ves_buf *out);
void test_fleet_seqkeys(struct test_fleet *fleet, struct ves_buf *out);

/* Claims; the lease is held. */
enum ves_status test_fleet_begin(struct test_fleet *fleet, size_t n,
                                 uint32_t limit, bool is_explicit,
                                 struct ves_push *push);
/* Ends a push with this reply. */
enum ves_status test_fleet_end(struct test_fleet *fleet, size_t n,
                               struct ves_push *push, uint32_t http_status,
                               const char *reply,
                               struct ves_push_result *result);
/* One request: begin, the sequencer, end, release.  VES_OK also when there was
 * nothing to push. */
enum ves_status test_fleet_push(struct test_fleet *fleet, size_t n,
                                struct ves_push_result *result);

/* Reads (with the directory fetched when asked for), verifies and applies
 * these bytes. */
enum ves_status test_fleet_take(struct test_fleet *fleet, size_t n,
                                struct ves_bytes bytes, uint64_t from,
                                struct ves_pull_result *result);
/* One page of at most limit items from the cursor on. */
enum ves_status test_fleet_pull(struct test_fleet *fleet, size_t n,
                                uint32_t limit, struct ves_pull_result *result);
/* Push until empty, pull until there is no more, acknowledge; must work. */
void test_fleet_sync(struct test_fleet *fleet, size_t n);

/* What the outbox holds of an event, without its texts; must be there. */
struct ves_outbox_row test_fleet_row(struct test_fleet *fleet, size_t n,
                                     const struct ves_uuid *id);
struct ves_core_status test_fleet_status(struct test_fleet *fleet, size_t n);
/* Member of the local (or sequenced) state as text, "" when there is none;
 * valid until the fourth call after it. */
const char *test_fleet_member(struct test_fleet *fleet, size_t n,
                              const char *type, const char *id,
                              const char *member, bool is_local);
/* Open records of a kind with this code (NULL: any). */
size_t test_fleet_open_records(struct test_fleet *fleet, size_t n,
                               enum ves_record_kind kind, const char *code);
size_t test_fleet_trail(struct test_fleet *fleet, size_t n, const char *code);

/* SHA-256 over everything in a device's store, row by row; two stores that
 * hold the same give the same. */
struct ves_hash test_fleet_digest(struct test_device *device);

#endif
