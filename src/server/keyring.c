/* keyring.c -- agents' public keys in memory, for prepare. */
#include "server/keyring.h"

#include <string.h>

#include "base/endian.h"

struct entry {
    struct ves_table_node node;
    struct ves_public_key key;
};

enum { KEY_SIZE = 2 * VES_UUID_SIZE + 4, LOOKUP_MAX = 64 * 1024 };

/* Asks the store; the answer goes into the ring.  An unknown key is not
 * remembered: it may be registered the next moment. */
static bool look_up(struct ves_keyring *ring, const uint8_t name[KEY_SIZE],
                    const struct ves_uuid *tenant, const struct ves_uuid *agent,
                    uint32_t key_id, struct ves_public_key *out)
{
    struct ves_arena arena;
    struct ves_key_row row;
    ves_arena_init(&arena, ring->alloc, LOOKUP_MAX);
    struct ves_store *store = ves_readers_take(ring->readers);
    enum ves_status status =
        store->ops->key_get(store, tenant, agent, key_id, &arena, &row);
    ves_readers_give(ring->readers, store);
    if (!status) {
        *out = row.public_key;
        pthread_rwlock_wrlock(&ring->lock);
        if (!ves_table_find(&ring->table, name)) {
            struct ves_table_node *node =
                ves_table_add(&ring->table, name, sizeof(struct entry));
            if (node)
                ((struct entry *)node)->key = *out;
        }
        pthread_rwlock_unlock(&ring->lock);
    }
    ves_arena_free(&arena);
    return status == VES_OK;
}

static bool find(void *ctx, const struct ves_uuid *tenant,
                 const struct ves_uuid *agent, uint32_t key_id,
                 struct ves_public_key *out)
{
    struct ves_keyring *ring = ctx;
    uint8_t name[KEY_SIZE];
    memcpy(name, tenant->b, VES_UUID_SIZE);
    memcpy(name + VES_UUID_SIZE, agent->b, VES_UUID_SIZE);
    ves_store_u32(name + 2 * VES_UUID_SIZE, key_id);
    pthread_rwlock_rdlock(&ring->lock);
    const struct entry *entry =
        (const struct entry *)ves_table_find(&ring->table, name);
    if (entry)
        *out = entry->key;
    pthread_rwlock_unlock(&ring->lock);
    return entry || look_up(ring, name, tenant, agent, key_id, out);
}

void ves_keyring_init(struct ves_keyring *ring, const struct ves_alloc *alloc,
                      struct ves_readers *readers, uint64_t seed)
{
    ring->readers = readers;
    ring->alloc = alloc;
    pthread_rwlock_init(&ring->lock, NULL);
    ves_table_init(&ring->table, alloc, KEY_SIZE, seed);
}

void ves_keyring_deinit(struct ves_keyring *ring)
{
    ves_table_free(&ring->table);
    pthread_rwlock_destroy(&ring->lock);
}

struct ves_key_source ves_keyring_source(struct ves_keyring *ring)
{
    return (struct ves_key_source){.ctx = ring, .find = find};
}
