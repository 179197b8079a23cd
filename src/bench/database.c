/* database.c -- the PostgreSQL database under test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bench/bench.h"
#include "pg/store_pg.h"
#include "ves/serve.h"

enum { BODY = 1024, SECONDS = 3 };

/* What /proc says of a process. */
struct seen {
    long parent;
    double own, gone; /* processor seconds: its, of children that ended */
};

static bool look(const char *pid, struct seen *out)
{
    char path[64], text[1024] = "";
    unsigned long user, system, gone_user, gone_system;

    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "re");
    const char *after =
        file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
    if (file)
        fclose(file);
    /* proc(5): a letter and the parent come first. */
    if (!after || !strstr(text, "(postgres)") ||
        sscanf(after + 1,
               " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
               &out->parent, &user, &system, &gone_user, &gone_system) != 5)
        return false;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    out->own = (double)(user + system) / ticks;
    out->gone = (double)(gone_user + gone_system) / ticks;
    return true;
}

double ves_bench_database_cpu(const struct ves_bench_server *server)
{
    struct dirent *entry;
    struct seen seen;
    double sum = 0;
    DIR *all = server->database_pid ? opendir("/proc") : NULL;

    while (all && (entry = readdir(all))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !look(entry->d_name, &seen))
            continue;
        if (strtol(entry->d_name, NULL, 10) == server->database_pid)
            sum += seen.own + seen.gone;
        else if (seen.parent == server->database_pid)
            sum += seen.own;
    }
    if (all)
        closedir(all);
    return sum;
}

/* The process above the one that serves us has all the others of it. */
static void find_database(struct ves_bench_run *run, struct ves_store *store)
{
    struct seen seen;
    char pid[32];
    int64_t ours;

    if (ves_store_pg_backend(store, &ours))
        return;
    snprintf(pid, sizeof(pid), "%lld", (long long)ours);
    if (look(pid, &seen))
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
