/* without.c -- the PostgreSQL store of a program that was built without
 * libpq's headers: it says so.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg.h"

enum ves_status ves_store_pg_open(const struct ves_store_pg_options *options,
                                  const struct ves_alloc *alloc,
                                  struct ves_store **out,
                                  struct ves_error *error)
{
    (void)options, (void)alloc, (void)out;
    return ves_fail(error, VES_UNSUPPORTED,
                    "This program was built without PostgreSQL. Build it where "
                    "libpq-dev is installed, or name a file with --db.");
}

void ves_store_pg_close(struct ves_store *store)
{
    VES_ASSERT(!store);
}

bool ves_store_pg_is(const struct ves_store *store)
{
    (void)store;
    return false;
}

enum ves_status ves_store_pg_expect(struct ves_store *store, const char *name,
                                    struct ves_bytes value)
{
    (void)store, (void)name, (void)value;
    return VES_UNSUPPORTED;
}

enum ves_status ves_store_pg_plain(struct ves_store *store, size_t rows,
                                   struct ves_bytes body, double seconds,
                                   double *us)
{
    (void)store, (void)rows, (void)body, (void)seconds, (void)us;
    return VES_UNSUPPORTED;
}

int ves_store_pg_listen(struct ves_store *store, bool *is_new)
{
    (void)store;
    *is_new = false;
    return -1;
}

enum ves_status ves_store_pg_notify(struct ves_store *store,
                                    const struct ves_stream *streams,
                                    size_t count)
{
    (void)store, (void)streams, (void)count;
    return VES_UNSUPPORTED;
}

bool ves_store_pg_hear(struct ves_store *store,
                       void (*visit)(void *ctx,
                                     const struct ves_stream *stream),
                       void *ctx)
{
    (void)store, (void)visit, (void)ctx;
    return false;
}

enum ves_status ves_store_pg_others(struct ves_store *store, uint64_t *count)
{
    (void)store, (void)count;
    return VES_UNSUPPORTED;
}

enum ves_status ves_store_pg_serving(struct ves_store *store, uint64_t *count)
{
    (void)store, (void)count;
    return VES_UNSUPPORTED;
}
