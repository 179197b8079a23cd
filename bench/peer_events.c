/* peer_events.c -- the events that bench/peers gives to everybody: those of
 * "ves bench", signed, as bodies of ingest requests.
 *
 * peer-events REQUESTS BATCH AGENTS: a line that names the stream and the
 * agents' keys, then a body a line.  Request i is of agent i % AGENTS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "bench/bench.h"

static void print_stream(const struct ves_bench_source *source, size_t agents)
{
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];
    char agent[VES_UUID_TEXT + 1], key[2 * VES_KEY_SIZE + 1];

    ves_uuid_format(&source->stream.tenant, tenant);
    ves_uuid_format(&source->stream.store, store);
    printf("{\"tenantId\":\"%s\",\"storeId\":\"%s\",\"agents\":[", tenant,
           store);
    for (size_t i = 0; i < agents; i++) {
        ves_uuid_format(&source->agents[i].id, agent);
        ves_hex_encode(source->agents[i].key.b, VES_KEY_SIZE, key);
        key[2 * VES_KEY_SIZE] = '\0';
        printf("%s{\"agentId\":\"%s\",\"publicKey\":\"%s\"}", i ? "," : "",
               agent, key);
    }
    printf("]}\n");
}

static void print_body(const struct ves_bench_request *request)
{
    const uint8_t *body = memmem(request->bytes, request->len, "\r\n\r\n", 4);
    if (body)
        fwrite(body + 4, 1, request->len - (size_t)(body + 4 - request->bytes),
               stdout);
    putchar('\n');
}

int main(int argc, char **argv)
{
    struct ves_error error = {.status = VES_OK};
    const struct ves_bench_options options = {.folder = "/tmp"};
    static struct ves_bench_report report;
    static struct ves_bench_run run;
    struct ves_bench_load load;
    size_t numbers[3] = {0};

    for (int i = 1; i < argc && i < 4; i++)
        numbers[i - 1] = strtoull(argv[i], NULL, 10);
    if (argc != 4 || !numbers[0] || !numbers[1] || !numbers[2] ||
        numbers[2] > VES_BENCH_AGENTS) {
        fprintf(stderr, "usage: peer-events REQUESTS BATCH AGENTS (at most "
                        "64)\n");
        return 2;
    }
    run.options = &options;
    run.report = &report;
    run.error = &error;
    run.alloc = ves_alloc_default();
    run.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    enum ves_status status = ves_crypto_init();
    if (!status) {
        ves_bench_source_init(&run.source);
        status = ves_bench_load_make(&run, numbers[0], numbers[1], numbers[2],
                                     &load);
    }
    if (status) {
        fprintf(stderr, "peer-events: %s\n", error.text);
        return 1;
    }
    print_stream(&run.source, numbers[2]);
    for (size_t i = 0; i < load.count; i++)
        print_body(&load.requests[i]);
    ves_bench_load_free(&run, &load);
    return ferror(stdout) ? 1 : 0;
}
