/* fuzz_ingest.c -- ingest bodies, from the first byte to the last receipt.
 *
 * Bodies are separated by lines "%%" and committed together.  Whatever was
 * accepted must be found again, in order and without gaps; sent once more it
 * must be replayed with the same receipt.  Signatures are a stand-in that
 * holds unless it begins with ff, so that changed events get far.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "engine/sequencer.h"
#include "store/store_mem.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODIES_MAX = 4, NOW_MS = 1770000000 };

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void sign(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++) {
        memcpy(items[i].sig.b, items[i].hash.b, VES_HASH_SIZE);
        memcpy(items[i].sig.b + VES_HASH_SIZE, items[i].hash.b, VES_HASH_SIZE);
    }
}

static void verify(struct ves_verifier *self, struct ves_verify_item *items,
                   size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        items[i].is_valid = items[i].sig.b[0] != 0xff;
}

static struct ves_signer signer = {.sign = sign};
static struct ves_verifier verifier = {.verify = verify};

/* Every agent has key 1, and key 2 which is revoked. */
static bool find_key(void *ctx, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, uint32_t key_id,
                     struct ves_public_key *out)
{
    static const uint8_t seed[VES_SEED_SIZE] = {1};
    struct ves_sequencer *sequencer = ctx;
    struct ves_secret_key secret;
    struct ves_key_row row = {
        .tenant = *tenant, .agent = *agent, .key_id = key_id};

    if (key_id < 1 || key_id > 2)
        return false;
    ves_ed25519_keypair(seed, &secret, out);
    row.public_key = *out;
    enum ves_status status =
        ves_sequencer_register_key(sequencer, &row, 1, NULL);
    /* What is revoked stays so when it is registered again. */
    require(status == VES_OK || (key_id == 2 && status == VES_CONFLICT));
    if (status == VES_OK && key_id == 2)
        require(ves_sequencer_revoke_key(sequencer, tenant, agent, 2, NOW_MS,
                                         NULL, NULL) == VES_OK);
    return true;
}

struct run {
    struct ves_sequencer sequencer;
    struct ves_ingest ingests[BODIES_MAX];
    struct ves_ingest *list[BODIES_MAX];
    size_t count;
};

/* Takes a body; false when it fails as a whole. */
static bool take_body(struct run *run, struct ves_bytes body)
{
    struct ves_caller caller = {.rights = VES_RIGHT_WRITE | VES_RIGHT_ADMIN};
    struct ves_key_source keys = {&run->sequencer, find_key};
    struct ves_ingest *ingest = &run->ingests[run->count];

    require(ves_ingest_read(ingest, run->sequencer.alloc, body, &caller) ==
            VES_OK);
    if (ingest->http_status != 200) {
        require(ingest->http_status == 400 || ingest->http_status == 403 ||
                ingest->http_status == 413);
        require(ingest->error.text[0] != '\0');
        ves_ingest_free(ingest);
        return false;
    }
    require(ingest->count > 0);
    require(ves_ingest_prepare(ingest, run->sequencer.alloc, &keys, &verifier,
                               false) == VES_OK);
    run->list[run->count] = ingest;
    run->count++;
    return true;
}

static void commit(struct run *run)
{
    struct ves_uuid batches[BODIES_MAX] = {{{1}}, {{2}}, {{3}}, {{4}}};

    require(ves_sequencer_commit(&run->sequencer, run->list, run->count,
                                 batches, NOW_MS) == VES_OK);
}

static void check_answer(struct run *run, struct ves_ingest *ingest,
                         enum ves_dialect dialect)
{
    struct ves_buf out;
    struct ves_arena arena;
    const struct ves_json *root;

    ves_buf_init(&out, run->sequencer.alloc, 1 << 24);
    ves_arena_init(&arena, run->sequencer.alloc, 1 << 28);
    require(ves_ingest_answer(ingest, &run->sequencer, dialect, &out) ==
            VES_OK);
    require(ves_json_read(&arena, ves_buf_view(&out), NULL, &root, NULL) ==
            VES_OK);
    ves_arena_free(&arena);
    ves_buf_free(&out);
}

struct found {
    size_t count;
    struct ves_log_row row;
};

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct found *found = ctx;

    found->count++;
    found->row = *row;
    require(row->envelope.len > 0);
    return VES_OK;
}

static void check_in_log(struct run *run, const struct ves_ingest *ingest,
                         const struct ves_ingest_event *event)
{
    struct ves_store *store = run->sequencer.store;
    struct ves_stream_row stream;
    struct ves_id_row id;
    struct found found = {0};

    require(store->ops->stream_get(store, &ingest->stream, false, &stream) ==
            VES_OK);
    require(stream.head == ingest->head);
    require(store->ops->log_find_ids(store, stream.stream_no,
                                     &event->event.event_id, 1, &id) == VES_OK);
    require(id.sequence_number == event->receipt.sequence_number);
    require(ves_hash_equal(&id.fingerprint, &event->fingerprint));
    require(store->ops->log_read(store, stream.stream_no, id.sequence_number, 1,
                                 take_row, &found) == VES_OK);
    require(found.count == 1);
    require(ves_uuid_equal(&found.row.event_id, &event->event.event_id));
    require(memcmp(&found.row.receipt, &event->receipt.signature,
                   VES_SIG_SIZE) == 0);
}

static void check_ingest(struct run *run, struct ves_ingest *ingest)
{
    uint64_t next = ingest->sequence_start;

    require(ingest->accepted + ingest->replayed + ingest->refused ==
            ingest->count);
    for (size_t i = 0; i < ingest->count; i++) {
        const struct ves_ingest_event *event = &ingest->events[i];
        switch (event->outcome) {
        case VES_OUTCOME_ACCEPTED:
            require(event->refusal.code == VES_REFUSAL_NONE);
            require(event->receipt.sequence_number == next++);
            check_in_log(run, ingest, event);
            break;
        case VES_OUTCOME_REPLAYED:
            check_in_log(run, ingest, event);
            break;
        case VES_OUTCOME_REFUSED:
            require(event->refusal.code != VES_REFUSAL_NONE);
            require(event->refusal.message[0] != '\0');
            break;
        case VES_OUTCOME_NONE:
            abort();
        }
    }
    if (ingest->accepted > 0)
        require(next == ingest->sequence_end + 1);
    check_answer(run, ingest, VES_DIALECT_RUST);
    check_answer(run, ingest, VES_DIALECT_JS);
}

/* The same requests again: nothing new, the same receipts. */
static void check_again(struct run *first)
{
    struct run again = {.sequencer = first->sequencer};

    for (size_t r = 0; r < first->count; r++)
        require(take_body(&again, first->ingests[r].body));
    commit(&again);
    for (size_t r = 0; r < first->count; r++) {
        check_ingest(&again, &again.ingests[r]);
        require(again.ingests[r].accepted == 0 ||
                first->ingests[r].refused > 0);
        for (size_t i = 0; i < first->ingests[r].count; i++) {
            const struct ves_ingest_event *a = &first->ingests[r].events[i];
            const struct ves_ingest_event *b = &again.ingests[r].events[i];
            if (a->outcome == VES_OUTCOME_REFUSED)
                continue;
            require(b->outcome == VES_OUTCOME_REPLAYED);
            require(memcmp(&a->receipt, &b->receipt, sizeof(a->receipt)) == 0);
        }
        ves_ingest_free(&again.ingests[r]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.sequencer = {.signer = &signer,
                                    .key_version = 1,
                                    .alloc = ves_alloc_default()}};
    size_t at = 0;

    if (size == 0)
        return 0;
    require(ves_crypto_init() == VES_OK);
    require(ves_store_mem_open(ves_alloc_default(), &run.sequencer.store) ==
            VES_OK);
    while (run.count < BODIES_MAX && at < size) {
        const uint8_t *mark = memmem(data + at, size - at, "\n%%\n", 4);
        size_t end = mark ? (size_t)(mark - data) : size;
        (void)take_body(&run, ves_bytes(data + at, end - at));
        at = mark ? end + 4 : size;
    }
    commit(&run);
    for (size_t r = 0; r < run.count; r++)
        check_ingest(&run, &run.ingests[r]);
    check_again(&run);
    for (size_t r = 0; r < run.count; r++)
        ves_ingest_free(&run.ingests[r]);
    ves_store_mem_close(run.sequencer.store);
    return 0;
}
