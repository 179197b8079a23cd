/* storage.c -- the sequencer's store: a file or a database. */
#include "server/storage.h"

#include "base/arena.h"
#include "base/error.h"
#include "pg/store_pg.h"
#include "server/identity.h"
#include "store/store_sqlite.h"

enum { BUSY_TIMEOUT_MS = 5000, KEYS_MAX = 64 * 1024 };

const char *ves_storage_name(const struct ves_serve_options *options,
                             char *text, size_t size)
{
    if (!options->store)
        return options->db;
    ves_store_pg_describe(options->store, text, size);
    return text;
}

static bool is_reading(enum ves_storage_use use)
{
    return use == VES_STORAGE_READ || use == VES_STORAGE_READ_ONCE;
}

static enum ves_status open_shared(const struct ves_serve_options *options,
                                   enum ves_storage_use use,
                                   const struct ves_alloc *alloc,
                                   struct ves_store **store,
                                   struct ves_error *error)
{
    const struct ves_store_pg_options pg = {.url = options->store,
                                            .is_read_only = is_reading(use),
                                            .create = use == VES_STORAGE_CREATE,
                                            .busy_timeout_ms = BUSY_TIMEOUT_MS};

    if (!ves_store_pg_is_url(options->store))
        return ves_fail(error, VES_INVALID,
                        "a store is named by a URL, "
                        "postgres://USER@HOST:PORT/DATABASE");
    return ves_store_pg_open(&pg, alloc, store, error);
}

enum ves_status ves_storage_open(const struct ves_serve_options *options,
                                 enum ves_storage_use use,
                                 const struct ves_alloc *alloc,
                                 struct ves_store **store,
                                 struct ves_error *error)
{
    if (options->store)
        return open_shared(options, use, alloc, store, error);
    const struct ves_store_sqlite_options sqlite = {
        .path = options->db,
        .is_read_only = is_reading(use),
        .create = use == VES_STORAGE_CREATE,
        .reads_once = use == VES_STORAGE_READ_ONCE,
        .role = VES_STORE_SEQUENCER,
        .busy_timeout_ms = BUSY_TIMEOUT_MS};
    return ves_store_sqlite_open(&sqlite, alloc, store, error);
}

void ves_storage_close(struct ves_store *store)
{
    if (store && ves_store_pg_is(store))
        ves_store_pg_close(store);
    else
        ves_store_sqlite_close(store);
}

enum ves_status ves_storage_expect_keys(const struct ves_serve_options *options,
                                        struct ves_store *store,
                                        const struct ves_alloc *alloc,
                                        struct ves_error *error)
{
    struct ves_arena arena;
    struct ves_bytes keys;

    if (!ves_storage_is_shared(options))
        return VES_OK;
    ves_arena_init(&arena, alloc, 2 * KEYS_MAX);
    enum ves_status status =
        store->ops->meta_get(store, VES_IDENTITY_META_KEYS, &arena, &keys);
    if (!status)
        status = ves_store_pg_expect(store, VES_IDENTITY_META_KEYS, keys);
    if (status)
        (void)ves_fail(error, status, "%s", store->error.text);
    ves_arena_free(&arena);
    return status;
}
