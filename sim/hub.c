/* hub.c -- the sequencer as a node: requests in, commits, replies out. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "core/keydir.h"
#include "crypto/crypto.h"
#include "sim/world.h"
#include "store/store_mem.h"

enum { REPLY_MAX = 4 * 1024 * 1024, SCRATCH_MAX = 16 * 1024 * 1024 };

int64_t sim_now_ms(const struct sim_world *world)
{
    return INT64_C(1770000000000) + (int64_t)world->tick * 10;
}

static void reply(struct sim_world *world, const struct sim_message *request,
                  uint32_t http_status, const struct ves_buf *body)
{
    struct sim_message message = *request;

    VES_ASSERT(!body || ves_buf_status(body) == VES_OK);
    message.is_reply = true;
    message.is_false = world->hub.is_lying;
    message.has_false_head = world->hub.has_false_head;
    world->hub.is_lying = world->hub.has_false_head = false;
    message.http_status = http_status;
    message.len = body ? body->len : 0;
    message.bytes = malloc(message.len ? message.len : 1);
    VES_ASSERT(message.bytes != NULL);
    if (message.len)
        memcpy(message.bytes, body->ptr, message.len);
    sim_send(world, &message);
}

static void put_hex(struct ves_buf *out, const char *name, const void *data,
                    size_t len)
{
    ves_buf_putf(out, "\"%s\":\"0x", name);
    ves_buf_put_hex(out, data, len);
    ves_buf_put_str(out, "\"");
}

static void put_uuid(struct ves_buf *out, const char *name,
                     const struct ves_uuid *uuid)
{
    ves_buf_putf(out, "\"%s\":\"", name);
    ves_buf_put_uuid(out, uuid);
    ves_buf_put_str(out, "\"");
}

/* ---- what the sequencer knows of keys ------------------------------------ */

static bool find_key(void *ctx, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, uint32_t key_id,
                     struct ves_public_key *out)
{
    struct sim_world *world = ctx;

    for (size_t i = 0; i < world->agents; i++)
        if (key_id == 1 && world->devices[i].is_registered &&
            ves_uuid_equal(tenant, &world->stream.tenant) &&
            ves_uuid_equal(agent, &world->devices[i].agent)) {
            *out = world->devices[i].key.signer.public_key;
            return true;
        }
    return false;
}

bool sim_hub_register(struct sim_world *world, size_t device)
{
    struct ves_error error;
    struct ves_key_row row = {
        .tenant = world->stream.tenant,
        .agent = world->devices[device].agent,
        .key_id = 1,
        .public_key = world->devices[device].key.signer.public_key,
        .algorithm = ves_bytes_str("ed25519"),
        .registrar = ves_bytes_str("admin"),
    };

    enum ves_status status =
        ves_sequencer_register_key(&world->hub.sequencer, &row, 1, &error);
    sim_trace(world, 'r', (uint64_t)status);
    if (!status)
        world->devices[device].is_registered = true;
    return !status;
}

void sim_hub_revoke(struct sim_world *world, size_t device)
{
    struct sim_device *revoked = &world->devices[device];

    if (!revoked->is_revoked &&
        ves_sequencer_revoke_key(&world->hub.sequencer, &world->stream.tenant,
                                 &revoked->agent, 1, sim_now_ms(world), NULL,
                                 NULL) == VES_OK)
        revoked->is_revoked = true;
}

void sim_hub_rotate(struct sim_world *world)
{
    struct sim_hub *hub = &world->hub;

    if (hub->key_count == SIM_HUB_KEYS)
        return;
    struct sim_signer *next = &hub->keys[hub->key_count++];
    sim_signer_init(next, 's', (uint8_t)hub->key_count);
    hub->sequencer.signer = &next->signer;
    hub->sequencer.key_version++;
    sim_trace(world, 'R', hub->key_count);
}

bool sim_hub_receipt_key(void *ctx, uint32_t version,
                         struct ves_public_key *out)
{
    const struct sim_world *world = ctx;

    if (version < 1 || version > world->hub.key_count)
        return false;
    *out = world->hub.keys[version - 1].signer.public_key;
    return true;
}

struct key_list {
    struct ves_buf *out;
    size_t count;
};

static enum ves_status put_key(void *ctx, const struct ves_key_row *row,
                               const struct ves_key_span *span)
{
    struct key_list *list = ctx;
    struct ves_buf *out = list->out;

    ves_buf_put_str(out, list->count++ ? ",{" : "{");
    put_uuid(out, "agentId", &row->agent);
    ves_buf_putf(out, ",\"algorithm\":\"ed25519\",\"keyId\":%u,", row->key_id);
    put_hex(out, "publicKey", row->public_key.b, VES_KEY_SIZE);
    ves_buf_putf(out, ",\"registrar\":\"admin\",\"validFrom\":null,"
                      "\"validTo\":null,\"revokedAt\":null");
    ves_buf_putf(out, ",\"validFromSequence\":%llu,\"revokedAtSequence\":",
                 span->is_found ? (unsigned long long)span->valid_from_sequence
                                : 1ULL);
    if (span->revoked_at_sequence)
        ves_buf_put_decimal(out, span->revoked_at_sequence);
    else
        ves_buf_put_str(out, "null");
    ves_buf_put_str(out, "}");
    return VES_OK;
}

static void sign_directory(const struct sim_signer *signer, struct ves_buf *out)
{
    const struct ves_alloc *heap = ves_alloc_default();
    const struct ves_json *root;
    struct ves_arena arena;
    struct ves_hash hash;
    struct ves_sig sig;

    ves_arena_init(&arena, heap, SCRATCH_MAX);
    ves_buf_put_str(out, "}");
    VES_ASSERT(ves_json_read(&arena, ves_buf_view(out), NULL, &root, NULL) ==
               VES_OK);
    VES_ASSERT(ves_keydir_hash(&arena, heap, root, &hash) == VES_OK);
    ves_arena_free(&arena);
    sim_sign(signer, &hash, &sig);
    out->len--;
    ves_buf_put_str(out, ",");
    put_hex(out, "directorySignature", sig.b, VES_SIG_SIZE);
    ves_buf_put_str(out, "}");
}

/* A lie makes the first agent's key the rogue's; it cannot be signed by the
 * sequencer, which a store that meets the agent for the first time believes. */
static void write_directory(struct sim_world *world, bool is_lie,
                            struct ves_buf *out)
{
    struct sim_hub *hub = &world->hub;
    struct ves_store *disk = hub->disk;
    struct ves_stream_row stream;
    struct key_list list = {out, 0};
    const struct sim_signer *signer = &hub->keys[hub->key_count - 1];

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
               VES_OK);
    ves_buf_put_str(out, "{");
    put_uuid(out, "tenantId", &world->stream.tenant);
    ves_buf_put_str(out, ",");
    put_uuid(out, "storeId", &world->stream.store);
    ves_buf_put_str(out, ",\"keys\":[");
    if (is_lie) {
        struct ves_key_row row = {.agent = world->devices[0].agent,
                                  .key_id = 1,
                                  .public_key = world->rogue.signer.public_key};
        struct ves_key_span span = {true, 1, 0};
        VES_ASSERT(put_key(&list, &row, &span) == VES_OK);
        signer = &world->rogue;
    } else {
        VES_ASSERT(disk->ops->key_list(disk, &world->stream.tenant, NULL,
                                       stream.stream_no, put_key,
                                       &list) == VES_OK);
    }
    ves_buf_putf(out,
                 "],\"signedAt\":\"2026-02-02T00:00:00.000Z\","
                 "\"sequencerKeyVersion\":%u",
                 (unsigned)hub->sequencer.key_version);
    sign_directory(signer, out);
}

void sim_hub_directory(struct sim_world *world, struct ves_buf *out)
{
    write_directory(world, false, out);
}

static void answer_keys(struct sim_world *world,
                        const struct sim_message *request, struct ves_buf *out)
{
    write_directory(world, sim_forge_wants(world), out);
    reply(world, request, 200, out);
}

static void put_sequencer_key(struct ves_buf *out, uint32_t version,
                              const struct sim_signer *key,
                              const struct sim_signer *before)
{
    struct ves_hash hash;
    struct ves_sig sig;

    ves_buf_putf(out, "%s{\"version\":%u,", version > 1 ? "," : "",
                 (unsigned)version);
    put_hex(out, "publicKey", key->signer.public_key.b, VES_KEY_SIZE);
    ves_buf_put_str(out, ",\"activeFrom\":\"2026-02-02T00:00:00.000Z\"");
    if (before) {
        ves_seqkey_hash(&before->signer.public_key, &key->signer.public_key,
                        version, &hash);
        /* Only a rogue has nobody to vouch for it but itself. */
        sim_sign(before, &hash, &sig);
        ves_buf_put_str(out, ",");
        put_hex(out, "statementSignature", sig.b, VES_SIG_SIZE);
    }
    ves_buf_put_str(out, "}");
}

static void answer_sequencer_keys(struct sim_world *world,
                                  const struct sim_message *request,
                                  struct ves_buf *out)
{
    struct sim_hub *hub = &world->hub;
    size_t count = hub->key_count;

    ves_buf_put_str(out, "{");
    put_uuid(out, "sequencerId", &hub->id);
    ves_buf_put_str(out, ",\"keys\":[");
    for (size_t i = 0; i < count; i++)
        put_sequencer_key(out, (uint32_t)i + 1, &hub->keys[i],
                          i ? &hub->keys[i - 1] : NULL);
    if (sim_forge_wants(world))
        put_sequencer_key(out, (uint32_t)count + 1, &world->rogue,
                          &world->rogue);
    ves_buf_put_str(out, "]}");
    reply(world, request, 200, out);
}

/* ---- pages --------------------------------------------------------------- */

struct page {
    struct sim_world *world;
    const struct sim_message *request;
    struct ves_buf *out;
    uint32_t stream_no;
    uint64_t count, next;
    enum sim_lie lie;
    uint64_t lie_at;     /* place in the page */
    struct ves_buf held; /* SIM_LIE_SWAP: what comes one place later */
};

static void put_item(struct page *page, const struct ves_log_row *row,
                     enum sim_lie lie, uint64_t number)
{
    ves_buf_put_str(page->out, page->count ? "," : "");
    page->count++;
    sim_forge_item(page->world, page->request, lie, row, number, page->out);
}

struct again {
    struct page *page;
    uint64_t number;
};

static enum ves_status put_again(void *ctx, const struct ves_log_row *row)
{
    struct again *again = ctx;

    put_item(again->page, row, again->page->lie, again->number);
    return VES_OK;
}

/* One of the log's first events as number, which is not its own. */
static void put_other(struct page *page, uint64_t number)
{
    struct sim_world *world = page->world;
    struct ves_store *disk = world->hub.disk;
    struct again again = {page, number};
    uint64_t old = 1 + sim_below(&world->rng, number - 1);

    VES_ASSERT(disk->ops->log_read(disk, page->stream_no, old, 1, put_again,
                                   &again) == VES_OK);
}

static void put_held(struct page *page)
{
    ves_buf_put_str(page->out, page->count ? "," : "");
    ves_buf_put_bytes(page->out, ves_buf_view(&page->held));
    page->count++;
    ves_buf_reset(&page->held);
}

static enum ves_status take_row(void *ctx, const struct ves_log_row *row)
{
    struct page *page = ctx;
    uint64_t number = row->sequence_number;
    bool is_here = number - page->request->from == page->lie_at ||
                   page->lie == SIM_LIE_STRIPPED;
    /* Before the first there is no other. */
    bool is_alone = page->lie == SIM_LIE_TWICE && number == 1;

    page->next = number + 1;
    if (page->held.len > 0) {
        put_item(page, row, SIM_TRUTH, number);
        put_held(page);
    } else if (page->lie == SIM_TRUTH || !is_here || is_alone) {
        put_item(page, row, SIM_TRUTH, number);
    } else if (page->lie == SIM_LIE_SWAP) {
        sim_forge_item(page->world, page->request, SIM_TRUTH, row, number,
                       &page->held);
    } else if (page->lie == SIM_LIE_TWICE) {
        put_other(page, number);
    } else if (page->lie != SIM_LIE_HOLE) {
        put_item(page, row, page->lie, number);
    }
    return VES_OK;
}

static void answer_page(struct sim_world *world,
                        const struct sim_message *request, struct ves_buf *out)
{
    struct ves_store *disk = world->hub.disk;
    struct ves_stream_row stream;
    struct page page = {
        .world = world, .request = request, .out = out, .next = request->from};

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &stream) ==
               VES_OK);
    page.stream_no = stream.stream_no;
    uint64_t rows =
        stream.head < request->from ? 0 : stream.head - request->from + 1;
    if (rows > request->limit)
        rows = request->limit;
    ves_buf_init(&page.held, ves_alloc_default(), REPLY_MAX);
    if (sim_forge_wants(world)) {
        page.lie = (enum sim_lie)(1 + sim_below(&world->rng, SIM_LIES - 1));
        page.lie_at = sim_below(&world->rng, rows > 0 ? rows : 1);
        sim_trace(world, 'f', page.lie);
    }
    ves_buf_put_str(out, "{\"events\":[");
    VES_ASSERT(disk->ops->log_read(disk, stream.stream_no, request->from,
                                   (uint32_t)request->limit, take_row,
                                   &page) == VES_OK);
    if (page.lie != SIM_TRUTH && page.lie != SIM_LIE_STRIPPED &&
        page.lie != SIM_LIE_PAYLOAD && page.next == stream.head + 1 &&
        stream.head > 0)
        put_other(&page, stream.head + 1);
    ves_buf_putf(out,
                 "],\"count\":%llu,\"next_sequence\":%llu,\"head_sequence\":"
                 "%llu,\"has_more\":%s",
                 (unsigned long long)page.count, (unsigned long long)page.next,
                 (unsigned long long)stream.head,
                 page.next <= stream.head ? "true" : "false");
    /* Without a head each check of an event is the only one there is. */
    if (page.lie == SIM_TRUTH)
        sim_heads_tell(world, stream.stream_no, page.next - 1, out);
    ves_buf_put_str(out, "}");
    ves_buf_free(&page.held);
    reply(world, request, 200, out);
}

/* ---- ingest -------------------------------------------------------------- */

static void drop_queued(struct sim_hub *hub, size_t i)
{
    ves_ingest_free(&hub->queue[i].ingest);
    free(hub->queue[i].request.bytes);
    hub->queued--;
    memmove(&hub->queue[i], &hub->queue[i + 1],
            (hub->queued - i) * sizeof(hub->queue[0]));
}

static void take_ingest(struct sim_world *world,
                        const struct sim_message *request)
{
    struct sim_hub *hub = &world->hub;
    struct ves_key_source keys = {world, find_key};
    struct ves_caller caller = {
        .tenant = world->stream.tenant,
        .has_store = true,
        .store = world->stream.store,
        .has_agent = true,
        .agent = world->devices[request->device].agent,
        .rights = VES_RIGHT_READ | VES_RIGHT_WRITE,
    };

    if (hub->queued == SIM_QUEUE_MAX) {
        reply(world, request, 503, NULL);
        return;
    }
    struct sim_message *own = &hub->queue[hub->queued].request;
    struct ves_ingest *ingest = &hub->queue[hub->queued].ingest;
    *own = *request;
    own->bytes = malloc(request->len ? request->len : 1);
    VES_ASSERT(own->bytes != NULL);
    memcpy(own->bytes, request->bytes, request->len);
    hub->queued++;
    enum ves_status status = ves_ingest_read(
        ingest, &hub->alloc.alloc, ves_bytes(own->bytes, own->len), &caller);
    if (!status && ingest->http_status == 200)
        status = ves_ingest_prepare(ingest, &hub->alloc.alloc, &keys,
                                    &world->verifier, false);
    if (status || ingest->http_status != 200) {
        reply(world, request, status ? 503 : ingest->http_status, NULL);
        drop_queued(hub, hub->queued - 1);
    } else if (sim_chance(&world->rng, 500) && sim_forge_wants(world)) {
        /* Somebody in between took it and answers. */
        struct ves_buf out;
        ves_buf_init(&out, ves_alloc_default(), REPLY_MAX);
        sim_forge_answer(world, ingest, &out);
        reply(world, request, 200, &out);
        ves_buf_free(&out);
        drop_queued(hub, hub->queued - 1);
    }
}

void sim_hub_take(struct sim_world *world, const struct sim_message *request)
{
    struct ves_buf out;

    if (world->hub.faults.is_dead)
        return;
    ves_buf_init(&out, ves_alloc_default(), REPLY_MAX);
    switch (request->kind) {
    case SIM_INGEST:
        take_ingest(world, request);
        break;
    case SIM_PULL:
        answer_page(world, request, &out);
        break;
    case SIM_KEYS:
        answer_keys(world, request, &out);
        break;
    default:
        answer_sequencer_keys(world, request, &out);
    }
    ves_buf_free(&out);
}

void sim_hub_batch_id(struct sim_hub *hub, struct ves_uuid *out)
{
    memset(out, 0xb0, sizeof(*out));
    hub->batches++;
    memcpy(out->b, &hub->batches, sizeof(hub->batches));
}

static void answer(struct sim_world *world, const struct sim_message *request,
                   struct ves_buf *out)
{
    if (world->devices[request->device].is_stranger)
        sim_stranger_check(world, request, ves_buf_view(out));
    else if (sim_forge_wants(world))
        sim_forge_verdict(out);
    reply(world, request, 200, out);
}

static void answer_queued(struct sim_world *world, size_t count,
                          enum ves_status committed)
{
    struct sim_hub *hub = &world->hub;

    for (size_t i = 0; i < count; i++) {
        struct sim_message *request = &hub->queue[0].request;
        struct ves_buf out;

        ves_buf_init(&out, ves_alloc_default(), REPLY_MAX);
        if (committed)
            reply(world, request, 503, NULL);
        else if (ves_ingest_answer(&hub->queue[0].ingest, &hub->sequencer,
                                   VES_DIALECT_JS, &out) == VES_OK)
            answer(world, request, &out);
        ves_buf_free(&out);
        drop_queued(hub, 0);
    }
}

void sim_hub_commit(struct sim_world *world)
{
    struct sim_hub *hub = &world->hub;
    struct ves_ingest *group[SIM_QUEUE_MAX];
    struct ves_uuid ids[SIM_QUEUE_MAX];

    if (hub->queued == 0 || hub->faults.is_dead)
        return;
    size_t count = 1 + sim_below(&world->rng, hub->queued);
    for (size_t i = 0; i < count; i++) {
        group[i] = &hub->queue[i].ingest;
        sim_hub_batch_id(hub, &ids[i]);
    }
    enum ves_status status = ves_sequencer_commit(&hub->sequencer, group, count,
                                                  ids, sim_now_ms(world));
    sim_trace(world, 'c', (uint64_t)status);
    if (hub->faults.is_dead)
        return;
    /* Whatever a reply tells must be true on disk by now. */
    sim_check_log(world);
    for (size_t i = 0; !status && i < count; i++)
        if (group[i]->sequence_end > hub->checked)
            sim_fail(world,
                     "a reply promises number %llu, but only %llu are "
                     "durable",
                     (unsigned long long)group[i]->sequence_end,
                     (unsigned long long)hub->checked);
    answer_queued(world, count, status);
    sim_heads_sign(world);
}

void sim_hub_restart(struct sim_world *world)
{
    struct sim_hub *hub = &world->hub;

    while (hub->queued)
        drop_queued(hub, hub->queued - 1);
    ves_store_mem_crash(hub->disk);
    hub->faults.is_dead = false;
    sim_check_log(world);
    sim_heads_restart(world);
}

void sim_hub_start(struct sim_world *world)
{
    struct sim_hub *hub = &world->hub;

    VES_ASSERT(ves_store_mem_open(ves_alloc_default(), &hub->disk) == VES_OK);
    sim_store_init(&hub->store, hub->disk, &hub->faults);
    sim_alloc_init(&hub->alloc, &hub->faults);
    sim_signer_init(&hub->keys[0], 's', 1);
    hub->key_count = 1;
    memset(&hub->id, 0x5e, sizeof(hub->id));
    hub->sequencer = (struct ves_sequencer){
        .store = &hub->store.store,
        .signer = &hub->keys[0].signer,
        .key_version = 1,
        .sequencer_id = hub->id,
        .log_host = ves_bytes_str("sim"),
        .alloc = &hub->alloc.alloc,
    };
    struct ves_stream_row row;
    VES_ASSERT(hub->disk->ops->begin(hub->disk) == VES_OK);
    VES_ASSERT(hub->disk->ops->stream_get(hub->disk, &world->stream, true,
                                          &row) == VES_OK);
    VES_ASSERT(hub->disk->ops->commit(hub->disk) == VES_OK);
}

void sim_hub_rejudge(struct sim_world *world)
{
    struct ves_store *store = world->hub.sequencer.store;

    VES_ASSERT(store->ops->begin(store) == VES_OK);
    VES_ASSERT(store->ops->meta_put(store, "judge.version",
                                    ves_bytes_str("0")) == VES_OK);
    VES_ASSERT(store->ops->commit(store) == VES_OK);
    if (ves_sequencer_upgrade(&world->hub.sequencer))
        sim_fail(world, "the sequencer cannot judge again: %s",
                 store->error.text);
}

void sim_hub_free(struct sim_world *world)
{
    while (world->hub.queued)
        drop_queued(&world->hub, world->hub.queued - 1);
    ves_store_mem_close(world->hub.disk);
}
