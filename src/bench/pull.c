/* pull.c -- a second store takes the stream: fetch, verify event and receipt,
 * apply, flush. */
#include <stdio.h>
#include <sys/resource.h>

#include "base/error.h"
#include "bench/bench.h"
#include "ves/sync.h"

enum {
    ROUNDS = 3,
    EVENTS = 60000,
    QUICK_EVENTS = 20000,
    BATCH = 500,
    AGENTS = 4
};

enum ves_status ves_bench_reader(struct ves_bench_run *run, const char *name,
                                 struct ves_agent **out)
{
    const struct ves_bench_server *server = &run->server;
    char path[VES_BENCH_PATH_MAX];
    const struct ves_agent_options options = {.path = path};
    const struct ves_agent_identity identity = {
        .stream = run->source.stream,
        .sequencer_id = server->sequencer_id,
        .sequencer_key = &server->sequencer_key,
        .url = server->url,
        .credential = server->credential};
    ves_bench_path(run, name, path);
    return ves_agent_create(&options, &identity, out, run->error);
}

/* So many events are in the stream. */
static enum ves_status fill(struct ves_bench_run *run, uint64_t events)
{
    struct ves_bench_load load;
    enum ves_status status = ves_bench_server_start(run);
    if (status || run->head >= events)
        return status;
    size_t requests = (size_t)((events - run->head) / BATCH) + AGENTS;
    status = ves_bench_load_make(run, requests, BATCH, AGENTS, &load);
    if (!status)
        status = ves_bench_send(run, &load, AGENTS);
    if (!status)
        status = ves_bench_check(run, &load);
    ves_bench_load_free(run, &load);
    return status;
}

/* Of all threads, user and system. */
static double own_cpu(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage))
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static enum ves_status pull_once(struct ves_bench_run *run, uint64_t events,
                                 struct ves_bench_figure *out)
{
    const struct ves_sync_options options = {.limit = events};
    struct ves_bench_limit limit;
    struct ves_pull_report report;
    struct ves_agent *agent;
    enum ves_status status = ves_bench_reader(run, "reader.db", &agent);
    if (status)
        return status;
    ves_bench_limit(run, &limit);
    double start = ves_bench_now(), cpu = own_cpu();
    double server = ves_bench_server_cpu(&run->server);
    status = ves_pull(agent, &options, 0, &report, run->error);
    double seconds = ves_bench_now() - start;
    cpu = own_cpu() - cpu;
    server = ves_bench_server_cpu(&run->server) - server;
    ves_bench_limit_again(run, &limit);
    ves_agent_close(agent);
    ves_bench_forget(run, "reader.db");
    if (!status && report.applied != events)
        status = ves_fail(
            run->error, VES_REFUSED, "%llu of %llu events were applied",
            (unsigned long long)report.applied, (unsigned long long)events);
    *out = (struct ves_bench_figure){.name = "pull, verify and apply",
                                     .unit = "events/s",
                                     .limit_name = "verify, one core",
                                     .figure = (double)events / seconds,
                                     .limit = 1e6 / limit.verify_us,
                                     .target = 0.6};
    snprintf(out->note, sizeof(out->note),
             "two verifications an event: the event's and its receipt's; "
             "processor us an event: store %.0f, server %.0f",
             cpu * 1e6 / (double)events, server * 1e6 / (double)events);
    return status;
}

enum ves_status ves_bench_pull(struct ves_bench_run *run)
{
    size_t rounds = run->options->is_quick ? 1 : ROUNDS;
    uint64_t events = run->options->is_quick ? QUICK_EVENTS : EVENTS;
    struct ves_bench_figure figures[ROUNDS];
    enum ves_status status = fill(run, events);
    for (size_t k = 0; !status && k < rounds; k++) {
        status = ves_bench_step(run, "pull", k, rounds);
        if (!status)
            status = pull_once(run, events, &figures[k]);
    }
    if (!status)
        ves_bench_add(run, ves_bench_median(figures, rounds));
    return status;
}
