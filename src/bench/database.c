/* database.c -- the PostgreSQL database under test. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bench/bench.h"
#include "pg/store_pg.h"
#include "ves/serve.h"

enum { BODY = 1024, SECONDS = 3 };

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
    status = ves_store_pg_plain(store, batch, ves_bytes(body, sizeof(body)),
                                run->options->is_quick ? 1 : SECONDS,
                                &limit->insert_us);
    if (status)
        (void)ves_fail(run->error, status, "%s", store->error.text);
    ves_store_pg_close(store);
    return status;
}
