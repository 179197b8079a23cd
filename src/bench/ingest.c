/* ingest.c -- verified ingest over HTTP, every commit flushed to disk. */
#include <stdio.h>

#include "bench/bench.h"

enum { ROUNDS = 3 };

struct shape {
    const char *name;
    size_t batch;
    size_t connections;
    size_t requests, quick_requests;
    double target;
};

/* So many requests that the moments in which the first are prepared and the
 * last committed, and half the machine waits, do not count.  With fewer
 * connections all that is under way is in one commit, and the rest
 * of the server waits with its clients. */
static const struct shape shapes[] = {
    {"ingest, batches of 100", 100, 64, 1280, 256, 0.6},
    {"ingest, batches of 500", 500, 32, 256, 64, 0.6},
    {"ingest, single events, 64 connections", 1, 64, 32000, 8000, 0.3},
};

static void note_costs(const struct ves_bench_run *run,
                       const struct ves_bench_load *load,
                       const struct ves_bench_limit *limit,
                       struct ves_bench_figure *out)
{
    double per_event = 1e6 / (double)load->events;
    char database[64] = "";

    if (run->options->store)
        snprintf(database, sizeof(database),
                 ", PostgreSQL %.0f (plain row %.0f)",
                 load->database_s * per_event, limit->insert_us);
    snprintf(out->note, sizeof(out->note),
             "answers in %.1f ms (median), %.1f ms (99 of 100); processor us "
             "an event: server %.0f%s, generator %.1f",
             (double)load->p50_us / 1e3, (double)load->p99_us / 1e3,
             load->server_s * per_event, database, load->sender_s * per_event);
}

static enum ves_status send_once(struct ves_bench_run *run,
                                 const struct shape *shape, size_t requests,
                                 struct ves_bench_figure *out)
{
    struct ves_bench_load load;
    struct ves_bench_limit limit = {0};
    enum ves_status status = ves_bench_load_make(run, requests, shape->batch,
                                                 shape->connections, &load);
    if (!status) {
        ves_bench_limit(run, &limit);
        status = ves_bench_database_limit(run, shape->batch, &limit);
    }
    if (!status) {
        status = ves_bench_send(run, &load, shape->connections);
    }
    if (!status) {
        ves_bench_limit_again(run, &limit);
        *out = (struct ves_bench_figure){
            .name = shape->name,
            .unit = "events/s",
            .limit_name = run->options->store
                              ? "verify, sign, insert plain rows, all cores"
                              : "verify and sign, all cores",
            .figure = (double)load.events / load.seconds,
            .limit = run->cores * 1e6 / (limit.both_us + limit.insert_us),
            .target = shape->target};
        note_costs(run, &load, &limit, out);
        status = ves_bench_check(run, &load);
    }
    ves_bench_load_free(run, &load);
    return status;
}

enum ves_status ves_bench_ingest(struct ves_bench_run *run)
{
    size_t rounds = run->options->is_quick ? 1 : ROUNDS;
    size_t kinds = sizeof(shapes) / sizeof(shapes[0]);
    enum ves_status status = ves_bench_server_start(run);
    struct ves_bench_figure figures[ROUNDS];
    if (!status) /* the first requests find nothing in any cache */
        status = send_once(run, &shapes[0], shapes[0].connections, figures);
    for (size_t i = 0; !status && i < kinds; i++) {
        const struct shape *shape = &shapes[i];
        for (size_t k = 0; !status && k < rounds; k++) {
            status =
                ves_bench_step(run, "ingest", i * rounds + k, kinds * rounds);
            if (!status)
                status =
                    send_once(run, shape,
                              run->options->is_quick ? shape->quick_requests
                                                     : shape->requests,
                              &figures[k]);
        }
        if (!status)
            ves_bench_add(run, ves_bench_median(figures, rounds));
    }
    return status;
}
