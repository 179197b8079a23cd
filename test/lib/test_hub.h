/* test_hub.h -- a sequencer with real keys over any store, for tests. */
#ifndef VES_TEST_HUB_H
#define VES_TEST_HUB_H

#include "engine/sequencer.h"
#include "test/lib/test_events.h"
#include "test/lib/test_signer.h"

enum { TEST_NOW_MS = 1770000000 };

struct test_hub {
    struct ves_sequencer sequencer;
    struct test_signer key; /* signs receipts */
    struct test_verifier verifier;
    struct test_keys keys;
    struct ves_stream stream;
    struct ves_uuid agent; /* the caller's, with key 1 registered */
    struct test_signer agent_key;
    struct ves_caller caller;
    int64_t now_ms;
    uint32_t batch; /* number of the last one */
};

/* Fills hub over an empty store, which stays the caller's.  hub must not
 * move. */
void test_hub_init(struct test_hub *hub, struct ves_store *store);

/* Registers a key in the store and in the source prepare asks. */
void test_hub_register(struct test_hub *hub, const struct ves_uuid *agent,
                       uint32_t key_id, const struct test_signer *key);

/* Reads and prepares; both must work. */
void test_hub_prepare(struct test_hub *hub, struct ves_ingest *ingest,
                      struct ves_bytes body);
VES_NODISCARD enum ves_status test_hub_commit(struct test_hub *hub,
                                              struct ves_ingest **ingests,
                                              size_t count);
/* Reads, prepares and commits one request; all must work. */
void test_hub_push(struct test_hub *hub, struct ves_ingest *ingest,
                   struct ves_bytes body);

/* A fresh event of the hub's agent. */
struct test_event test_hub_event(const struct test_hub *hub, uint32_t n);

#endif
