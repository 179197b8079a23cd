/* test_hub.c -- a sequencer with real keys over any store, for tests. */
#include "test/lib/test_hub.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

enum { BATCHES_MAX = 256 };

void test_hub_register(struct test_hub *hub, const struct ves_uuid *agent,
                       uint32_t key_id, const struct test_signer *key)
{
    struct ves_key_row row = {
        .tenant = hub->stream.tenant,
        .agent = *agent,
        .key_id = key_id,
        .public_key = key->signer.public_key,
        .algorithm = ves_bytes_str("ed25519"),
        .registrar = ves_bytes_str("admin"),
    };

    VES_ASSERT(ves_sequencer_register_key(&hub->sequencer, &row, 1, NULL) ==
               VES_OK);
    test_keys_add(&hub->keys, &row.tenant, agent, key_id, &row.public_key);
}

void test_hub_init(struct test_hub *hub, struct ves_store *store)
{
    VES_ASSERT(ves_crypto_init() == VES_OK);
    memset(hub, 0, sizeof(*hub));
    test_signer_init(&hub->key, 7);
    test_signer_init(&hub->agent_key, 8);
    test_verifier_init(&hub->verifier);
    test_keys_init(&hub->keys);
    hub->sequencer = (struct ves_sequencer){
        .store = store,
        .signer = &hub->key.signer,
        .key_version = 1,
        .sequencer_id = test_id(0xaa),
        .log_host = ves_bytes_str("log.test"),
        .alloc = ves_alloc_default(),
    };
    hub->stream = (struct ves_stream){test_id(0xa1), test_id(0xa2)};
    hub->agent = test_id(0xa3);
    hub->caller = (struct ves_caller){
        .tenant = hub->stream.tenant,
        .has_store = true,
        .store = hub->stream.store,
        .has_agent = true,
        .agent = hub->agent,
        .rights = VES_RIGHT_READ | VES_RIGHT_WRITE,
    };
    hub->now_ms = TEST_NOW_MS;
    test_hub_register(hub, &hub->agent, 1, &hub->agent_key);
}

void test_hub_prepare(struct test_hub *hub, struct ves_ingest *ingest,
                      struct ves_bytes body)
{
    const struct ves_alloc *alloc = hub->sequencer.alloc;

    VES_ASSERT(ves_ingest_read(ingest, alloc, body, &hub->caller) == VES_OK);
    VES_ASSERT(ingest->http_status == 200);
    VES_ASSERT(ves_ingest_prepare(ingest, alloc, &hub->keys.source,
                                  &hub->verifier.verifier,
                                  hub->sequencer.require_v2) == VES_OK);
}

enum ves_status test_hub_commit(struct test_hub *hub,
                                struct ves_ingest **ingests, size_t count)
{
    struct ves_uuid batches[BATCHES_MAX];

    VES_ASSERT(count <= BATCHES_MAX);
    for (size_t i = 0; i < count; i++)
        batches[i] = test_id(0xb0000000 + ++hub->batch);
    return ves_sequencer_commit(&hub->sequencer, ingests, count, batches,
                                hub->now_ms);
}

void test_hub_push(struct test_hub *hub, struct ves_ingest *ingest,
                   struct ves_bytes body)
{
    test_hub_prepare(hub, ingest, body);
    VES_ASSERT(test_hub_commit(hub, &ingest, 1) == VES_OK);
}

struct test_event test_hub_event(const struct test_hub *hub, uint32_t n)
{
    struct test_event event;

    test_event_init(&event, &hub->stream, &hub->agent, n);
    return event;
}
