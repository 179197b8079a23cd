/* fair.c -- what one tenant keeps while another floods; prints a line of JSON.
 *
 * First the flood alone, for what the machine can do; then the other alone,
 * which asks for a tenth of that; then both.
 *
 *   build/gcc/bench-fair [SECONDS [SHOPPERS [alike]]]
 *
 * The flood's clients give way to the shop's, as another machine's would; with
 * "alike" they do not.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/text.h"
#include "os/process.h"
#include "server/metrics.h"
#include "test/lib/test_serve.h"

enum { FLOODERS = 64, SHOPPERS_MAX = 64, FLOOD_BATCH = 100, SHOP_BATCH = 20 };

struct tenant {
    struct ves_stream stream;
    struct ves_uuid agent;
    struct test_signer key;
    char api_key[64];
    atomic_uint_fast64_t number; /* of the next event */
    atomic_uint_fast64_t accepted, turned_away, slowest_us;
    atomic_uint_fast64_t due; /* batches asked for; of the paced one */
    uint64_t batch_us;        /* between two of them; 0: no pause */
};

static struct test_serve serve;
static struct tenant flood, shop;
static atomic_bool is_over;
static unsigned shoppers = 8;
static bool is_alike;
static uint64_t began_us;

static void join(struct tenant *tenant, uint32_t id)
{
    char text[VES_UUID_TEXT + 1], agent[VES_UUID_TEXT + 1], hex[65] = "";
    tenant->stream = (struct ves_stream){test_id(id), test_id(id + 1)};
    tenant->agent = test_id(id + 2);
    test_signer_init(&tenant->key, (uint8_t)(id >> 8));
    ves_uuid_format(&tenant->stream.tenant, text);
    ves_uuid_format(&tenant->agent, agent);
    ves_hex_encode(tenant->key.signer.public_key.b, VES_KEY_SIZE, hex);
    VES_ASSERT(test_http_post(&serve.http, "/api/v1/agents/keys",
                              "{\"tenantId\":\"%s\",\"agentId\":\"%s\","
                              "\"keyId\":1,\"publicKey\":\"%s\"}",
                              text, agent, hex) == 200);
    VES_ASSERT(test_http_post(&serve.http, "/api/v1/api-keys",
                              "{\"tenantId\":\"%s\",\"rights\":[\"write\"]}",
                              text) == 200);
    snprintf(tenant->api_key, sizeof(tenant->api_key), "%s",
             test_http_text(&serve.http, "/apiKey"));
}

static void push(struct tenant *tenant, struct test_http *http, uint32_t count)
{
    struct test_request request;
    uint64_t first = atomic_fetch_add(&tenant->number, count);
    test_request_begin(&request, &tenant->agent);
    for (uint32_t i = 0; i < count; i++) {
        struct test_event event;
        test_event_init(&event, &tenant->stream, &tenant->agent,
                        (uint32_t)(first + i));
        test_request_event(&request, &event, &tenant->key);
    }
    struct ves_bytes body = test_request_end(&request);
    uint64_t start = ves_metric_now_us();
    uint32_t status =
        test_http_call(http, "POST", "/api/v1/ves/events/ingest", body);
    uint64_t us = ves_metric_now_us() - start;
    if (status == 200) {
        uint64_t accepted = test_http_u64(http, "/eventsAccepted");
        VES_ASSERT(accepted == count);
        atomic_fetch_add(&tenant->accepted, accepted);
    } else {
        VES_ASSERT(status == 503);
        atomic_fetch_add(&tenant->turned_away, 1);
    }
    uint64_t slowest = atomic_load(&tenant->slowest_us);
    while (us > slowest &&
           !atomic_compare_exchange_weak(&tenant->slowest_us, &slowest, us))
        ;
    test_request_free(&request);
}

static void wait_until(uint64_t us)
{
    uint64_t now = ves_metric_now_us();
    if (us > now)
        nanosleep(&(struct timespec){(time_t)((us - now) / 1000000),
                                     (long)((us - now) % 1000000 * 1000)},
                  NULL);
}

static void *run(void *ctx)
{
    struct tenant *tenant = ctx;
    struct test_http http;
    /* All clients sign on the server's own processors: those of the flood,
     * eight times as many, must not starve the shop's there. */
    if (!tenant->batch_us && !is_alike)
        ves_thread_give_way();
    test_http_init(&http, serve.http.url);
    test_http_auth(&http, "x-api-key: ", tenant->api_key);
    while (!atomic_load(&is_over)) {
        if (tenant->batch_us)
            wait_until(began_us +
                       atomic_fetch_add(&tenant->due, 1) * tenant->batch_us);
        if (!atomic_load(&is_over))
            push(tenant, &http, tenant->batch_us ? SHOP_BATCH : FLOOD_BATCH);
    }
    test_http_free(&http);
    return NULL;
}

static void measure(bool has_flood, bool has_shop, unsigned seconds)
{
    pthread_t threads[FLOODERS + SHOPPERS_MAX];
    size_t count = 0;
    atomic_store(&is_over, false);
    atomic_store(&flood.accepted, 0);
    atomic_store(&shop.accepted, 0);
    atomic_store(&shop.due, 0);
    atomic_store(&shop.slowest_us, 0);
    began_us = ves_metric_now_us();
    for (size_t i = 0; has_flood && i < FLOODERS; i++)
        VES_ASSERT(!pthread_create(&threads[count++], NULL, run, &flood));
    for (size_t i = 0; has_shop && i < shoppers; i++)
        VES_ASSERT(!pthread_create(&threads[count++], NULL, run, &shop));
    wait_until(began_us + (uint64_t)seconds * 1000000);
    atomic_store(&is_over, true);
    while (count > 0)
        pthread_join(threads[--count], NULL);
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5;
    if (argc > 2)
        shoppers = (unsigned)strtoul(argv[2], NULL, 10);
    is_alike = argc > 3;
    if (seconds < 1 || seconds > 600 || shoppers < 1 ||
        shoppers > SHOPPERS_MAX) {
        fputs("usage: bench-fair [SECONDS [SHOPPERS [alike]]], 1 to 600 "
              "(default 5), 1 to 64 (default 8)\n",
              stderr);
        return 2;
    }
    test_serve_init(&serve);
    join(&flood, 0x100);
    join(&shop, 0x200);
    measure(true, false, seconds);
    uint64_t capacity = atomic_load(&flood.accepted) / seconds;
    shop.batch_us = (uint64_t)SHOP_BATCH * 10 * 1000000 / (capacity + 1);
    measure(false, true, seconds);
    uint64_t alone = atomic_load(&shop.accepted) / seconds;
    uint64_t alone_us = atomic_load(&shop.slowest_us);
    measure(true, true, seconds);
    uint64_t kept = atomic_load(&shop.accepted) / seconds;
    printf("{\"seconds\":%u,\"floodAlone\":%llu,\"shopAlone\":%llu,"
           "\"floodBeside\":%llu,\"shopBeside\":%llu,\"kept\":%.3f,"
           "\"shopTurnedAway\":%llu,\"shopSlowestAloneMs\":%llu,"
           "\"shopSlowestBesideMs\":%llu}\n",
           seconds, (unsigned long long)capacity, (unsigned long long)alone,
           (unsigned long long)(atomic_load(&flood.accepted) / seconds),
           (unsigned long long)kept, (double)kept / (double)(alone ? alone : 1),
           (unsigned long long)atomic_load(&shop.turned_away),
           (unsigned long long)(alone_us / 1000),
           (unsigned long long)(atomic_load(&shop.slowest_us) / 1000));
    test_serve_free(&serve);
    return kept * 10 >= alone * 8 ? 0 : 1;
}
