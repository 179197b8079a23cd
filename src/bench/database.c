/* database.c -- the PostgreSQL database under test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bench/bench.h"
#include "pg/store_pg.h"
#include "ves/serve.h"

enum { BODY = 1024, SECONDS = 3 };

static bool look(long pid, struct ves_bench_process *out)
{
    return ves_bench_process((pid_t)pid, out) &&
           strcmp(out->name, "postgres") == 0;
}

double ves_bench_database_cpu(const struct ves_bench_server *server)
{
    struct dirent *entry;
    struct ves_bench_process seen;
    double sum = 0;
    long pid;
    DIR *all = server->database_pid ? opendir("/proc") : NULL;

    while (all && (entry = readdir(all))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !look(pid = strtol(entry->d_name, NULL, 10), &seen))
            continue;
        if (pid == server->database_pid)
            sum += seen.own_s + seen.gone_s;
        else if (seen.parent == server->database_pid)
            sum += seen.own_s;
    }
    if (all)
        closedir(all);
    return sum;
}

/* The process above the one that serves us has all the others of it. */
static void find_database(struct ves_bench_run *run, struct ves_store *store)
{
    struct ves_bench_process seen;
    int64_t ours;

    if (ves_store_pg_backend(store, &ours))
        return;
    if (look((long)ours, &seen))
        run->server.database_pid = seen.parent;
}

enum ves_status ves_bench_database(struct ves_bench_run *run)
{
    struct ves_bench_server *server = &run->server;
    const struct ves_serve_options options = {
        .store = run->options->store, .signing_key = server->signing_key};

    ves_bench_path(run, "signing.key", server->signing_key);
    return ves_server_init(&options, server->admin_key_file, run->error);
}

enum ves_status ves_bench_database_limit(struct ves_bench_run *run,
                                         size_t batch,
                                         struct ves_bench_limit *limit)
{
    const struct ves_store_pg_options options = {.url = run->options->store,
                                                 .busy_timeout_ms = 1000};
    uint8_t body[BODY];
    struct ves_store *store;

    limit->insert_us = 0;
    if (!run->options->store)
        return VES_OK;
    memset(body, 'x', sizeof(body));
    enum ves_status status =
        ves_store_pg_open(&options, run->alloc, &store, run->error);
    if (status)
        return status;
    find_database(run, store);
    status = ves_store_pg_plain(store, batch, ves_bytes(body, sizeof(body)),
                                run->options->is_quick ? 1 : SECONDS,
                                &limit->insert_us);
    if (status)
        (void)ves_fail(run->error, status, "%s", store->error.text);
    ves_store_pg_close(store);
    return status;
}
