/* store_mem_map.c -- an ordered map of byte strings with an undo journal. */
#include "store/store_mem_map.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"

static void *get_memory(struct ves_mem_map *map, void *old, size_t size)
{
    return map->alloc->realloc(map->alloc->ctx, old, size);
}

static void free_memory(struct ves_mem_map *map, void *ptr)
{
    if (ptr)
        map->alloc->realloc(map->alloc->ctx, ptr, 0);
}

static const uint8_t *node_key(const struct ves_mem_node *node)
{
    return (const uint8_t *)&node->next[node->levels];
}

static int compare(const struct ves_mem_node *node,
                   const struct ves_mem_key *key)
{
    size_t n = node->key_len < key->len ? node->key_len : key->len;
    int c = memcmp(node_key(node), key->b, n);

    return c ? c : (int)node->key_len - (int)key->len;
}

/* links[i] is where the pointer to the first node not below key is kept on
 * level i. */
static void find_links(struct ves_mem_map *map, const struct ves_mem_key *key,
                       struct ves_mem_node **links[VES_MEM_LEVELS])
{
    struct ves_mem_node **row = map->first;

    for (int i = VES_MEM_LEVELS - 1; i >= 0; i--) {
        while (row[i] && compare(row[i], key) < 0)
            row = row[i]->next;
        links[i] = &row[i];
    }
}

static uint8_t toss_levels(struct ves_mem_map *map)
{
    uint8_t levels = 1;

    map->tosses ^= map->tosses << 13;
    map->tosses ^= map->tosses >> 7;
    map->tosses ^= map->tosses << 17;
    for (uint64_t t = map->tosses; levels < VES_MEM_LEVELS && (t & 3) == 0;
         t >>= 2)
        levels++;
    return levels;
}

void ves_mem_map_init(struct ves_mem_map *map, const struct ves_alloc *alloc)
{
    memset(map, 0, sizeof *map);
    map->alloc = alloc;
    map->tosses = UINT64_C(0x9e3779b97f4a7c15);
}

void ves_mem_map_free(struct ves_mem_map *map)
{
    struct ves_mem_node *node = map->first[0];

    ves_mem_undo(map, 0);
    node = map->first[0];
    while (node) {
        struct ves_mem_node *next = node->next[0];

        free_memory(map, node->value);
        free_memory(map, node);
        node = next;
    }
    free_memory(map, map->journal);
    memset(map, 0, sizeof *map);
}

void ves_mem_key_add(struct ves_mem_key *key, const void *bytes, size_t len)
{
    VES_ASSERT(len <= sizeof key->b - key->len);
    memcpy(key->b + key->len, bytes, len);
    key->len = (uint8_t)(key->len + len);
}

void ves_mem_key_add_u32(struct ves_mem_key *key, uint32_t value)
{
    uint8_t b[4];

    ves_store_u32(b, value);
    ves_mem_key_add(key, b, sizeof b);
}

void ves_mem_key_add_u64(struct ves_mem_key *key, uint64_t value)
{
    uint8_t b[8];

    ves_store_u64(b, value);
    ves_mem_key_add(key, b, sizeof b);
}

bool ves_mem_key_leads(const struct ves_mem_key *key, size_t len,
                       const struct ves_mem_node *node)
{
    return node->key_len >= len && memcmp(node_key(node), key->b, len) == 0;
}

uint64_t ves_mem_node_u64(const struct ves_mem_node *node)
{
    VES_ASSERT(node->key_len >= 8);
    return ves_load_u64(node_key(node) + node->key_len - 8);
}

struct ves_mem_node *ves_mem_seek(const struct ves_mem_map *map,
                                  const struct ves_mem_key *key)
{
    struct ves_mem_node *const *row = map->first;

    for (int i = VES_MEM_LEVELS - 1; i >= 0; i--)
        while (row[i] && compare(row[i], key) < 0)
            row = row[i]->next;
    return row[0];
}

struct ves_mem_node *ves_mem_seek_below(const struct ves_mem_map *map,
                                        const struct ves_mem_key *key)
{
    struct ves_mem_node *const *row = map->first;
    struct ves_mem_node *below = NULL;

    for (int i = VES_MEM_LEVELS - 1; i >= 0; i--) {
        while (row[i] && compare(row[i], key) < 0) {
            below = row[i];
            row = below->next;
        }
    }
    return below;
}

void *ves_mem_get(const struct ves_mem_map *map, const struct ves_mem_key *key)
{
    struct ves_mem_node *node = ves_mem_seek(map, key);

    return node && compare(node, key) == 0 ? node->value : NULL;
}

static struct ves_mem_change *journal_slot(struct ves_mem_map *map)
{
    if (map->journal_count == map->journal_cap) {
        size_t cap = map->journal_cap ? map->journal_cap * 2 : 64;
        void *grown = get_memory(map, map->journal, cap * sizeof *map->journal);

        if (!grown)
            return NULL;
        map->journal = grown;
        map->journal_cap = cap;
    }
    return &map->journal[map->journal_count];
}

static struct ves_mem_node *insert(struct ves_mem_map *map,
                                   const struct ves_mem_key *key,
                                   struct ves_mem_node **links[VES_MEM_LEVELS])
{
    uint8_t levels = toss_levels(map);
    struct ves_mem_node *node = get_memory(
        map, NULL, sizeof *node + levels * sizeof node->next[0] + key->len);

    if (!node)
        return NULL;
    node->value = NULL;
    node->key_len = key->len;
    node->levels = levels;
    memcpy(&node->next[levels], key->b, key->len);
    for (int i = 0; i < levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
    return node;
}

enum ves_status ves_mem_put(struct ves_mem_map *map,
                            const struct ves_mem_key *key, void *value)
{
    struct ves_mem_node **links[VES_MEM_LEVELS];
    struct ves_mem_change *change = value ? journal_slot(map) : NULL;
    struct ves_mem_node *node;

    if (!change) {
        free_memory(map, value);
        return VES_NOMEM;
    }
    find_links(map, key, links);
    node = *links[0];
    if (!node || compare(node, key) != 0)
        node = insert(map, key, links);
    if (!node) {
        free_memory(map, value);
        return VES_NOMEM;
    }
    change->node = node;
    change->old_value = node->value;
    change->is_removal = false;
    node->value = value;
    map->journal_count++;
    return VES_OK;
}

static void free_node(struct ves_mem_map *map, struct ves_mem_node *node)
{
    free_memory(map, node->value);
    free_memory(map, node);
}

static void find_node_links(struct ves_mem_map *map,
                            const struct ves_mem_node *node,
                            struct ves_mem_node **links[VES_MEM_LEVELS])
{
    struct ves_mem_key key;

    key.len = 0;
    ves_mem_key_add(&key, node_key(node), node->key_len);
    find_links(map, &key, links);
}

static void unlink_node(struct ves_mem_map *map, struct ves_mem_node *node)
{
    struct ves_mem_node **links[VES_MEM_LEVELS];

    find_node_links(map, node, links);
    for (int i = 0; i < node->levels; i++) {
        VES_ASSERT(*links[i] == node);
        *links[i] = node->next[i];
    }
}

static void link_again(struct ves_mem_map *map, struct ves_mem_node *node)
{
    struct ves_mem_node **links[VES_MEM_LEVELS];

    find_node_links(map, node, links);
    for (int i = 0; i < node->levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
}

enum ves_status ves_mem_remove(struct ves_mem_map *map,
                               const struct ves_mem_key *key)
{
    struct ves_mem_change *change = journal_slot(map);
    struct ves_mem_node *node = ves_mem_seek(map, key);

    VES_ASSERT(node && compare(node, key) == 0);
    if (!change)
        return VES_NOMEM;
    unlink_node(map, node);
    change->node = node;
    change->old_value = NULL;
    change->is_removal = true;
    map->journal_count++;
    return VES_OK;
}

size_t ves_mem_mark(const struct ves_mem_map *map)
{
    return map->journal_count;
}

void ves_mem_undo(struct ves_mem_map *map, size_t mark)
{
    while (map->journal_count > mark) {
        struct ves_mem_change *change = &map->journal[--map->journal_count];

        if (change->is_removal) {
            link_again(map, change->node);
        } else if (change->old_value) {
            free_memory(map, change->node->value);
            change->node->value = change->old_value;
        } else {
            unlink_node(map, change->node);
            free_node(map, change->node);
        }
    }
}

void ves_mem_settle(struct ves_mem_map *map)
{
    for (size_t i = 0; i < map->journal_count; i++) {
        if (map->journal[i].is_removal)
            free_node(map, map->journal[i].node);
        free_memory(map, map->journal[i].old_value);
    }
    map->journal_count = 0;
}
