/* make_log.c -- a sequencer's database of many events, for bench-audit.
 *
 * make build/gcc/bench-log && build/gcc/bench-log build/ves FOLDER EVENTS
 *
 * Leaves FOLDER/server.db, filled through a server as "ves bench" does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "bench/bench.h"
#include "crypto/crypto.h"

enum { CHUNK = 20000, BATCH = 100, CONNECTIONS = 4 };

static enum ves_status send_chunk(struct ves_bench_run *run, uint64_t events)
{
    struct ves_bench_load load;

    enum ves_status status = ves_bench_load_make(run, (size_t)(events / BATCH),
                                                 BATCH, CONNECTIONS, &load);
    if (!status)
        status = ves_bench_send(run, &load, CONNECTIONS);
    ves_bench_load_free(run, &load);
    return status;
}

int main(int argc, char **argv)
{
    struct ves_error error = {.status = VES_OK};
    uint64_t events = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;

    if (events < BATCH) {
        fprintf(stderr, "usage: bench-log VES FOLDER EVENTS\n");
        return 2;
    }
    const struct ves_bench_options options = {.program = argv[1],
                                              .folder = argv[2]};
    static struct ves_bench_report report;
    static struct ves_bench_run run;
    run.options = &options;
    run.report = &report;
    run.error = &error;
    run.alloc = ves_alloc_default();
    run.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(run.folder, sizeof(run.folder), "%s", argv[2]);
    ves_bench_source_init(&run.source);
    enum ves_status status = ves_crypto_init();
    if (!status)
        status = ves_bench_server_start(&run);
    for (uint64_t done = 0; done < events && !status; done += CHUNK) {
        uint64_t left = events - done;
        status = send_chunk(&run, left < CHUNK ? left : CHUNK);
    }
    ves_bench_server_stop(&run.server);
    if (status)
        fprintf(stderr, "bench-log: %s\n", error.text);
    return status ? 1 : 0;
}
