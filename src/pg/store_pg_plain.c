/* store_pg_plain.c -- what a plain table of events costs, measured. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

/* Processor seconds of the server's process for this connection, when it is on
 * this machine. */
static bool backend_seconds(int64_t pid, double *out)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, system = 0;

    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *file = fopen(path, "re");
    const char *after =
        file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    if (file)
        fclose(file);
    if (!after || !strstr(text, "(postgres)") ||
        sscanf(after + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        return false;
    *out = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum ves_status insert(struct ves_pg *st, uint64_t first, size_t rows,
                              struct ves_bytes body)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_PLAIN, "IUB",
                "INSERT INTO ves_plain SELECT * FROM unnest($1, $2, $3)");
    for (uint64_t no = first; no < first + rows; no++) {
        struct ves_uuid id = {{0}};

        ves_store_u64(id.b, no);
        ves_store_u64(id.b + 8, no * UINT64_C(0x9e3779b97f4a7c15));
        ves_pg_put_u64(&q, no);
        ves_pg_put_uuid(&q, &id);
        ves_pg_put_bytes(&q, body);
    }
    enum ves_status status = ves_pg_ask(&q);
    ves_pg_close(&q);
    return status;
}

static enum ves_status run(struct ves_pg *st, const char *text)
{
    enum ves_status status = ves_pg_queue(st, text);

    return status ? status : ves_pg_settle(st, NULL);
}

enum ves_status ves_store_pg_plain(struct ves_store *store, size_t rows,
                                   struct ves_bytes body, double seconds,
                                   double *us)
{
    struct ves_pg *st = ves_pg_of(store);
    double before = 0, after = 0;
    uint64_t done = 0;
    int64_t pid;
    enum ves_status status = ves_store_pg_backend(store, &pid);

    if (!status)
        status = run(st, "CREATE TABLE ves_plain (no int8 PRIMARY KEY,"
                         " id uuid NOT NULL UNIQUE, body bytea NOT NULL)");
    if (!status && !backend_seconds(pid, &before))
        status = ves_fail(&store->error, VES_UNSUPPORTED,
                          "the database is on another machine, whose processor "
                          "time cannot be measured from here");
    double own = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    double until = seconds_of(CLOCK_MONOTONIC) + seconds;
    while (!status && seconds_of(CLOCK_MONOTONIC) < until) {
        status = insert(st, done, rows, body);
        done += rows;
    }
    if (!status && backend_seconds(pid, &after))
        *us = (after - before + seconds_of(CLOCK_THREAD_CPUTIME_ID) - own) *
              1e6 / (double)done;
    struct ves_error words = store->error;
    if (st->conn)
        (void)!run(st, "DROP TABLE IF EXISTS ves_plain");
    store->error = words;
    return status;
}
