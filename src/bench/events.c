/* events.c -- tills that sell: requests built and signed before the clock
 * starts.
 *
 * Every third event is an order of two lines, the two after it take the stock.
 * Each agent's events form a chain, as a store's do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/uuid.h"
#include "bench/bench.h"
#include "core/event.h"
#include "os/clock.h"

enum {
    SALE = 3, /* events of one sale */
    PRODUCTS = 2000,
    CUSTOMERS = 5000,
    BODY_MAX = VES_BODY_MAX,
    HEAD_MAX = 1024,
    HLC_MAX = 32
};

static void number_uuid(const char *what, uint64_t number, int64_t now_ms,
                        struct ves_uuid *out)
{
    struct ves_bytes parts[2] = {ves_bytes_str(what),
                                 ves_bytes(&number, sizeof(number))};
    struct ves_hash hash;
    ves_sha256(parts, 2, &hash);
    ves_uuid_make_v7((uint64_t)now_ms, (uint16_t)(number & 0xFFF), hash.b, out);
}

void ves_bench_source_init(struct ves_bench_source *source)
{
    memset(source, 0, sizeof(*source));
    source->now_ms = ves_clock_now_ms();
    number_uuid("tenant", 0, source->now_ms, &source->stream.tenant);
    number_uuid("store", 0, source->now_ms, &source->stream.store);
    for (uint64_t i = 0; i < VES_BENCH_AGENTS; i++) {
        struct ves_bench_agent *agent = &source->agents[i];
        uint8_t seed[VES_SEED_SIZE] = {'b', 'e', 'n', 'c', 'h', (uint8_t)i};
        ves_ed25519_keypair(seed, &agent->secret, &agent->key);
        number_uuid("agent", i, source->now_ms, &agent->id);
    }
}

/* ---- one event ------------------------------------------------------------
 */

/* A number below below that looks random and is the same in every run. */
static unsigned pick(uint64_t number, unsigned salt, unsigned below)
{
    uint64_t x = (number + 1) * UINT64_C(0x9E3779B97F4A7C15) + salt;
    x = (x ^ x >> 31) * UINT64_C(0xBF58476D1CE4E5B9);
    return (unsigned)((x ^ x >> 29) % below);
}

/* Members in canonical order: "_ves" stands before all lower-case names. */
static void put_order(struct ves_buf *out, uint64_t sale)
{
    unsigned amount[2] = {pick(sale, 1, 12) + 1, pick(sale, 2, 6) + 1};
    unsigned price[2] = {pick(sale, 3, 2000) + 49, pick(sale, 4, 900) + 25};
    ves_buf_putf(out, ",\"currency\":\"GBP\",\"customer_id\":\"C-%05u\"",
                 pick(sale, 5, CUSTOMERS));
    ves_buf_put_str(out, ",\"lines\":[");
    for (unsigned i = 0; i < 2; i++)
        ves_buf_putf(
            out, "%s{\"price_minor\":%u,\"quantity\":%u,\"sku\":\"SKU-%05u\"}",
            i ? "," : "", price[i], amount[i], pick(sale, 10 + i, PRODUCTS));
    ves_buf_putf(out, "],\"total_minor\":%u}",
                 amount[0] * price[0] + amount[1] * price[1]);
}

static void put_movement(struct ves_buf *out, uint64_t sale, unsigned line)
{
    unsigned amount = line ? pick(sale, 2, 6) + 1 : pick(sale, 1, 12) + 1;
    ves_buf_putf(
        out,
        ",\"delta\":-%u,\"location_id\":\"shop-1\",\"product_id\":"
        "\"SKU-%05u\",\"reason\":\"sale\",\"reference\":\"ORD-%08" PRIu64 "\"}",
        amount, pick(sale, 10 + line, PRODUCTS), sale);
}

static void name_entity(uint64_t number, char out[VES_BENCH_ID_MAX])
{
    unsigned line = (unsigned)(number % SALE);
    if (line == 0)
        snprintf(out, VES_BENCH_ID_MAX, "ORD-%08" PRIu64, number / SALE);
    else
        snprintf(out, VES_BENCH_ID_MAX, "SKU-%05u",
                 pick(number / SALE, 10 + line - 1, PRODUCTS));
}

static const char *type_of(uint64_t number)
{
    return number % SALE == 0 ? "order.created" : "inventory.adjusted";
}

/* What follows the first member of the payload. */
static void put_members(struct ves_buf *out, uint64_t number)
{
    if (number % SALE == 0)
        put_order(out, number / SALE);
    else
        put_movement(out, number / SALE, (unsigned)(number % SALE) - 1);
}

void ves_bench_append_fill(uint64_t number, struct ves_buf *payload,
                           char aggregate[VES_BENCH_ID_MAX],
                           struct ves_append *out)
{
    ves_buf_reset(payload);
    put_members(payload, number);
    payload->ptr[0] = '{'; /* for the comma after "_ves" */
    name_entity(number, aggregate);
    *out = (struct ves_append){.type = type_of(number),
                               .aggregate_id = aggregate,
                               .payload = ves_buf_view(payload)};
}

struct maker {
    struct ves_bench_run *run;
    struct ves_bench_load *load;
    uint64_t first; /* number in the source */
    bool has_failed[256];
};

/* What one thread writes in. */
struct desk {
    struct ves_buf body;
    struct ves_buf payload;
};

static void put_payload(struct desk *desk, const struct ves_event *event,
                        uint64_t number)
{
    ves_buf_reset(&desk->payload);
    ves_buf_put_str(&desk->payload, "{\"_ves\":");
    ves_context_write(&desk->payload, &event->context);
    put_members(&desk->payload, number);
}

static void set_context(struct ves_event *event,
                        const struct ves_bench_agent *agent, const char *hlc)
{
    bool is_order = ves_bytes_is(event->entity_type, "order");
    event->context = (struct ves_context){
        .is_present = true,
        .agent_seq = agent->seq + 1,
        .has_prev = agent->seq > 0,
        .prev = agent->prev,
        .schema = ves_bytes_str(is_order ? "order.created/1"
                                         : "inventory.adjusted/1"),
        .schema_version = 1,
        .hlc = ves_bytes_str(hlc)};
}

static enum ves_status put_event(struct maker *maker, struct desk *desk,
                                 struct ves_bench_agent *agent, uint64_t number,
                                 struct ves_bench_event *out)
{
    struct ves_bench_source *source = &maker->run->source;
    int64_t at_ms = source->now_ms + (int64_t)(number / 20);
    bool is_order = number % SALE == 0;
    char id[VES_BENCH_ID_MAX], created[VES_TIME_TEXT + 1], hlc[HLC_MAX];
    struct ves_event event = {.ves_version = 2,
                              .stream = source->stream,
                              .agent = agent->id,
                              .agent_key_id = 1,
                              .payload_kind = VES_PAYLOAD_PLAIN};
    number_uuid("event", number, at_ms, &event.event_id);
    ves_time_format(at_ms, created);
    snprintf(hlc, sizeof(hlc), "%012" PRIx64 "-%04x", (uint64_t)at_ms,
             (unsigned)(number & 0xFFF));
    name_entity(number, id);
    event.entity_id = ves_bytes_str(id);
    event.entity_type = ves_bytes_str(is_order ? "order" : "inventory");
    event.event_type = ves_bytes_str(type_of(number));
    event.created_at = ves_bytes_str(created);
    set_context(&event, agent, hlc);
    put_payload(desk, &event, number);
    event.payload_jcs = ves_buf_view(&desk->payload);
    ves_payload_plain_hash(event.payload_jcs, NULL, &event.payload_plain_hash);
    ves_event_signing_hash(&event, &out->hash);
    ves_ed25519_sign(&agent->secret, ves_bytes(out->hash.b, VES_HASH_SIZE),
                     &event.signature);
    ves_event_write(&desk->body, &event);
    out->id = event.event_id;
    out->sequence = 0;
    agent->seq++;
    agent->prev = out->hash;
    return ves_buf_status(&desk->payload);
}

/* ---- requests -------------------------------------------------------------
 */

static enum ves_status put_head(struct maker *maker, const struct desk *desk,
                                struct ves_bench_request *request)
{
    const struct ves_alloc *alloc = maker->run->alloc;
    size_t body = desk->body.len;
    char head[HEAD_MAX];
    int n = snprintf(head, sizeof(head),
                     "POST /api/v1/ves/events/ingest HTTP/1.1\r\n"
                     "Host: 127.0.0.1\r\nx-api-key: %s\r\n"
                     "Content-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     maker->run->server.credential, body);
    VES_ASSERT(n > 0 && n < HEAD_MAX);
    request->bytes = alloc->realloc(alloc->ctx, NULL, (size_t)n + body);
    if (!request->bytes)
        return VES_NOMEM;
    memcpy(request->bytes, head, (size_t)n);
    memcpy(request->bytes + n, desk->body.ptr, body);
    request->len = (size_t)n + body;
    return VES_OK;
}

static enum ves_status make_request(struct maker *maker, struct desk *desk,
                                    size_t index)
{
    struct ves_bench_load *load = maker->load;
    struct ves_bench_request *request = &load->requests[index];
    struct ves_bench_agent *agent =
        &maker->run->source.agents[index % load->agents];
    const struct ves_alloc *alloc = maker->run->alloc;
    enum ves_status status = VES_OK;
    request->count = load->batch;
    request->first = maker->first + index * load->batch;
    request->events = alloc->realloc(alloc->ctx, NULL,
                                     load->batch * sizeof(*request->events));
    if (!request->events)
        return VES_NOMEM;
    ves_buf_reset(&desk->body);
    ves_buf_put_str(&desk->body, "{\"agentId\":\"");
    ves_buf_put_uuid(&desk->body, &agent->id);
    ves_buf_put_str(&desk->body, "\",\"events\":[");
    for (size_t i = 0; !status && i < load->batch; i++) {
        if (i)
            ves_buf_put_u8(&desk->body, ',');
        status = put_event(maker, desk, agent, request->first + i,
                           &request->events[i]);
    }
    ves_buf_put_str(&desk->body, "]}");
    if (!status)
        status = ves_buf_status(&desk->body);
    return status ? status : put_head(maker, desk, request);
}

/* One thread makes all requests of an agent, in order. */
static void make_some(void *ctx, unsigned thread)
{
    struct maker *maker = ctx;
    struct ves_bench_load *load = maker->load;
    const struct ves_alloc *alloc = maker->run->alloc;
    enum ves_status status = VES_OK;
    struct desk desk;
    ves_buf_init(&desk.body, alloc, BODY_MAX);
    ves_buf_init(&desk.payload, alloc, VES_PAYLOAD_MAX);
    for (size_t i = 0; !status && i < load->count; i++) {
        if (i % load->agents % maker->run->cores == thread)
            status = make_request(maker, &desk, i);
    }
    maker->has_failed[thread] = status != VES_OK;
    ves_buf_free(&desk.body);
    ves_buf_free(&desk.payload);
}

/* Of large requests, where their heads do not count. */
static void note_size(struct ves_bench_run *run,
                      const struct ves_bench_load *load)
{
    size_t bytes = 0;
    for (size_t i = 0; i < load->count; i++)
        bytes += load->requests[i].len;
    double each = (double)bytes / (double)load->events;
    if (load->batch > 1)
        run->report->event_bytes = each;
}

enum ves_status ves_bench_load_make(struct ves_bench_run *run, size_t count,
                                    size_t batch, size_t agents,
                                    struct ves_bench_load *out)
{
    const struct ves_alloc *alloc = run->alloc;
    struct maker maker = {.run = run, .load = out, .first = run->source.made};
    VES_ASSERT(agents > 0 && agents <= VES_BENCH_AGENTS);
    *out = (struct ves_bench_load){
        .batch = batch, .agents = agents, .events = count * batch};
    out->requests =
        alloc->realloc(alloc->ctx, NULL, count * sizeof(*out->requests));
    if (!out->requests)
        return ves_fail(run->error, VES_NOMEM, "out of memory");
    memset(out->requests, 0, count * sizeof(*out->requests));
    out->count = count;
    ves_bench_parallel(run->cores, make_some, &maker);
    run->source.made += out->events;
    for (size_t i = 0; i < run->cores; i++) {
        if (maker.has_failed[i])
            return ves_fail(run->error, VES_NOMEM,
                            "the events to send do not fit in memory");
    }
    note_size(run, out);
    return VES_OK;
}

void ves_bench_load_free(struct ves_bench_run *run, struct ves_bench_load *load)
{
    const struct ves_alloc *alloc = run->alloc;
    for (size_t i = 0; i < load->count; i++) {
        struct ves_bench_request *request = &load->requests[i];
        alloc->realloc(alloc->ctx, request->bytes, 0);
        alloc->realloc(alloc->ctx, request->events, 0);
        alloc->realloc(alloc->ctx, request->answer, 0);
    }
    if (load->requests)
        alloc->realloc(alloc->ctx, load->requests, 0);
    *load = (struct ves_bench_load){0};
}
