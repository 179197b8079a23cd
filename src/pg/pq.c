/* pq.c -- libpq, loaded when a PostgreSQL store is opened. */
#define VES_PG_PQ_C
#include "pg/pq.h"

#include <pthread.h>

#include "base/error.h"
#include "os/library.h"

/* The number of its interface, the same since 2006. */
#define LIBRARY "libpq.so.5"

struct ves_pq ves_pq;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;
static char reason[VES_LIBRARY_REASON]; /* why not */

static void load(void)
{
    const struct ves_library_symbol symbols[] = {
#define X(name) {"PQ" #name, &ves_pq.name},
        VES_PQ_MAP(X)
#undef X
            {NULL, NULL}};

    is_loaded = ves_library_load(LIBRARY, symbols, reason);
}

enum ves_status ves_pq_load(struct ves_error *error)
{
    pthread_once(&once, load);
    if (is_loaded)
        return VES_OK;
    return ves_fail(error, VES_IO,
                    "PostgreSQL's client library cannot be loaded (%s); "
                    "install libpq5 of version 14 or later",
                    reason);
}
