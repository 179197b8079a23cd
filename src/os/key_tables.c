/* key_tables.c -- counts keys, and keeps the tables of those seen most. */
#include "os/key_tables.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "crypto/key_table.h"
#include "os/random.h"

/* BUILD_AT: what a table costs, in verifications; a key is given one when it
 * would have paid for it.  ONE_BATCH: a batch that pays twice for a table of
 * its own takes another key's.  AGE_EVERY: signatures after which what was
 * seen before counts half.  WAYS: with all tables given, one key in ten
 * million finds a set that is full of them. */
enum {
    SETS = 256,
    WAYS = 8,
    TABLES_MAX = 128,
    BUILD_AT = 8,
    ONE_BATCH = 16,
    AGE_EVERY = 1 << 14
};

struct key_entry {
    struct ves_public_key key;
    struct ves_key_table *table; /* NULL: none yet, or being built */
    uint64_t used_at;            /* of the clock below; 0: a free entry */
    size_t seen;
    unsigned users; /* leases that hold the entry */
    bool is_building;
};

struct ves_key_tables {
    const struct ves_alloc *alloc;
    struct ves_base_table *base; /* NULL before the first table */
    atomic_uint accepted;        /* by tables, all in all */
    pthread_mutex_t lock;        /* of all below */
    bool is_building_base;
    uint64_t clock; /* leases taken */
    uint64_t since_aged;
    size_t table_count; /* built and being built */
    uint8_t seed[VES_SIPHASH_KEY];
    struct key_entry entries[SETS][WAYS];
};

/* ---- entries; all under the lock ------------------------------------------
 */

static struct key_entry *all_entries(struct ves_key_tables *tables)
{
    return tables->entries[0];
}

static void drop_table(struct ves_key_tables *tables, struct key_entry *entry)
{
    ves_key_table_free(tables->alloc, entry->table);
    entry->table = NULL;
    tables->table_count--;
}

/* The entry of a key; a new one may take the place of one with less to its
 * name.  NULL if its set is full of tables and leases; whoever makes keys does
 * not know which set they fall into, so cannot fill that of another's. */
static struct key_entry *find(struct ves_key_tables *tables,
                              const struct ves_public_key *key)
{
    uint64_t hash = ves_siphash(tables->seed, key->b, VES_KEY_SIZE);
    struct key_entry *set = tables->entries[hash % SETS], *worst = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used_at > 0 && memcmp(&set[i].key, key, sizeof(*key)) == 0)
            return &set[i];
        if (set[i].users == 0 && !set[i].table &&
            (!worst || set[i].seen < worst->seen))
            worst = &set[i];
    }
    if (worst)
        *worst = (struct key_entry){.key = *key};
    return worst;
}

static void age(struct ves_key_tables *tables, size_t count)
{
    tables->since_aged += count;
    if (tables->since_aged < AGE_EVERY)
        return;
    tables->since_aged = 0;
    for (size_t i = 0; i < SETS * WAYS; i++)
        all_entries(tables)[i].seen /= 2;
}

/* Is there room for one more table, if need be that of a key seen less? */
static bool make_room(struct ves_key_tables *tables,
                      const struct ves_leased_key *leased)
{
    struct key_entry *oldest = NULL;
    if (tables->table_count < TABLES_MAX)
        return true;
    for (size_t i = 0; i < SETS * WAYS; i++) {
        struct key_entry *entry = &all_entries(tables)[i];
        if (entry->table && entry->users == 0 &&
            (!oldest || entry->used_at < oldest->used_at))
            oldest = entry;
    }
    if (!oldest || (leased->seen < ONE_BATCH &&
                    leased->entry->seen <= 2 * oldest->seen + BUILD_AT))
        return false;
    drop_table(tables, oldest);
    return true;
}

static void take_one(struct ves_key_tables *tables,
                     struct ves_leased_key *leased)
{
    struct key_entry *entry = find(tables, &leased->first->key);
    if (!entry)
        return;
    entry->used_at = tables->clock;
    entry->seen += leased->seen;
    entry->users++;
    leased->entry = entry;
    leased->table = tables->base ? entry->table : NULL;
    if (entry->table || entry->is_building || entry->seen < BUILD_AT ||
        tables->is_building_base || !make_room(tables, leased))
        return;
    entry->is_building = leased->is_to_build = true;
    leased->is_to_build_base = !tables->base;
    tables->is_building_base = leased->is_to_build_base;
    tables->table_count++;
}

/* ---- a batch's tables -----------------------------------------------------
 */

/* Which of the lease's keys; their count if none. */
static size_t find_leased(const struct ves_key_lease *lease,
                          const struct ves_public_key *key)
{
    size_t i = 0;
    while (i < lease->count &&
           memcmp(&lease->keys[i].first->key, key, sizeof(*key)) != 0)
        i++;
    return i;
}

static void count_keys(struct ves_key_lease *lease,
                       const struct ves_verify_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = find_leased(lease, &items[i].key);
        if (at == VES_LEASED_KEYS_MAX)
            continue;
        if (at == lease->count)
            lease->keys[lease->count++] =
                (struct ves_leased_key){.first = &items[i]};
        lease->keys[at].seen++;
    }
}

static bool ask_libsodium(const struct ves_verify_item *item)
{
    return ves_ed25519_verify(
        &item->key, ves_bytes(item->hash.b, VES_HASH_SIZE), &item->sig);
}

/* NULL without memory, or for a key that no table can be of; or if libsodium
 * takes what the table refuses: then it would only cost time. */
static struct ves_key_table *new_table(const struct ves_alloc *alloc,
                                       const struct ves_base_table *base,
                                       const struct ves_verify_item *first)
{
    struct ves_key_table *table = ves_key_table_new(alloc, &first->key);
    if (!table)
        return NULL;
    struct ves_verify_item item = *first;
    struct ves_table_item found = {table, &item};
    ves_key_table_verify(base, &found, 1);
    bool is_valid = ask_libsodium(first);
    VES_ASSERT(is_valid || !item.is_valid);
    if (item.is_valid == is_valid)
        return table;
    ves_key_table_free(alloc, table);
    return NULL;
}

static void build(struct ves_key_tables *tables, struct ves_leased_key *leased)
{
    /* Whoever builds a key's table with a base another made has seen it under
     * the lock. */
    struct ves_base_table *base = leased->is_to_build_base
                                      ? ves_base_table_new(tables->alloc)
                                      : tables->base;
    struct ves_key_table *table =
        base ? new_table(tables->alloc, base, leased->first) : NULL;
    pthread_mutex_lock(&tables->lock);
    if (leased->is_to_build_base) {
        tables->base = base;
        tables->is_building_base = false;
    }
    if (!table) {
        /* To try again at once would be of no use. */
        leased->entry->seen = 0;
        tables->table_count--;
    }
    leased->entry->table = table;
    leased->entry->is_building = false;
    leased->table = table;
    pthread_mutex_unlock(&tables->lock);
}

void ves_key_tables_take(struct ves_key_tables *tables,
                         const struct ves_verify_item *items, size_t count,
                         struct ves_key_lease *lease)
{
    lease->tables = tables;
    lease->count = 0;
    count_keys(lease, items, count);
    pthread_mutex_lock(&tables->lock);
    tables->clock++;
    age(tables, count);
    for (size_t i = 0; i < lease->count; i++)
        take_one(tables, &lease->keys[i]);
    pthread_mutex_unlock(&tables->lock);
    for (size_t i = 0; i < lease->count; i++)
        if (lease->keys[i].is_to_build)
            build(tables, &lease->keys[i]);
}

void ves_key_tables_give(struct ves_key_lease *lease)
{
    pthread_mutex_lock(&lease->tables->lock);
    for (size_t i = 0; i < lease->count; i++)
        if (lease->keys[i].entry)
            lease->keys[i].entry->users--;
    pthread_mutex_unlock(&lease->tables->lock);
}

/* ---- verifying ------------------------------------------------------------
 */

static void verify_by_tables(struct ves_key_tables *tables,
                             const struct ves_table_item *found, size_t count)
{
    const struct ves_verify_item *last = NULL;
    unsigned accepted = 0;
    if (count == 0)
        return;
    ves_key_table_verify(tables->base, found, count);
    for (size_t i = 0; i < count; i++) {
        struct ves_verify_item *item = found[i].item;
        if (item->is_valid) {
            last = item;
            accepted++;
        } else {
            item->is_valid = ask_libsodium(item);
        }
    }
    unsigned before = atomic_fetch_add_explicit(&tables->accepted, accepted,
                                                memory_order_relaxed);
    if (before % VES_ACCEPTED_CHECKED + accepted >= VES_ACCEPTED_CHECKED)
        VES_ASSERT(ask_libsodium(last));
}

void ves_key_lease_verify(const struct ves_key_lease *lease,
                          struct ves_verify_item *items, size_t count)
{
    struct ves_table_item found[VES_TABLE_BATCH];
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = find_leased(lease, &items[i].key);
        const struct ves_key_table *table =
            at < lease->count ? lease->keys[at].table : NULL;
        if (!table) {
            items[i].is_valid = ask_libsodium(&items[i]);
            continue;
        }
        found[held++] = (struct ves_table_item){table, &items[i]};
        if (held == VES_TABLE_BATCH) {
            verify_by_tables(lease->tables, found, held);
            held = 0;
        }
    }
    verify_by_tables(lease->tables, found, held);
}

/* ---- life -----------------------------------------------------------------
 */

enum ves_status ves_key_tables_new(const struct ves_alloc *alloc,
                                   struct ves_key_tables **out,
                                   struct ves_error *error)
{
    struct ves_key_tables *tables =
        alloc->realloc(alloc->ctx, NULL, sizeof(*tables));
    if (!tables)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(tables, 0, sizeof(*tables));
    enum ves_status status =
        ves_random(tables->seed, sizeof(tables->seed), error);
    if (status) {
        alloc->realloc(alloc->ctx, tables, 0);
        return status;
    }
    tables->alloc = alloc;
    pthread_mutex_init(&tables->lock, NULL);
    *out = tables;
    return VES_OK;
}

void ves_key_tables_free(struct ves_key_tables *tables)
{
    if (!tables)
        return;
    for (size_t i = 0; i < SETS * WAYS; i++) {
        VES_ASSERT(all_entries(tables)[i].users == 0);
        if (all_entries(tables)[i].table)
            drop_table(tables, &all_entries(tables)[i]);
    }
    ves_base_table_free(tables->alloc, tables->base);
    pthread_mutex_destroy(&tables->lock);
    tables->alloc->realloc(tables->alloc->ctx, tables, 0);
}
