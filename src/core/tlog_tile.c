/* tlog_tile.c -- the tree in tiles, as it is stored and served (C2SP
 * tlog-tiles). */
#include "core/tlog_tile.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

enum { LEVELS = 8 }; /* of the tree in one of the tiles */

/* Three digits a group, all but the last behind an x. */
static void put_index(struct ves_buf *buf, uint64_t index)
{
    uint64_t step = 1;
    while (index / step >= 1000)
        step *= 1000;
    for (; step > 0; step /= 1000) {
        uint32_t group = (uint32_t)(index / step % 1000);
        ves_buf_put_u8(buf, '/');
        if (step > 1)
            ves_buf_put_u8(buf, 'x');
        ves_buf_put_u8(buf, (uint8_t)('0' + group / 100));
        ves_buf_put_u8(buf, (uint8_t)('0' + group / 10 % 10));
        ves_buf_put_u8(buf, (uint8_t)('0' + group % 10));
    }
}

void ves_tile_path_write(struct ves_buf *buf, const struct ves_tile *tile)
{
    VES_ASSERT(tile->width >= 1 && tile->width <= VES_TILE_WIDTH);
    ves_buf_put_str(buf, "tile/");
    if (tile->is_entries)
        ves_buf_put_str(buf, "entries");
    else
        ves_buf_put_decimal(buf, tile->level);
    put_index(buf, tile->index);
    if (tile->width < VES_TILE_WIDTH) {
        ves_buf_put_str(buf, ".p/");
        ves_buf_put_decimal(buf, tile->width);
    }
}

/* Takes text from the front of *rest if it is there. */
static bool take(struct ves_bytes *rest, const char *text)
{
    size_t len = strlen(text);
    if (rest->len < len || memcmp(rest->ptr, text, len) != 0)
        return false;
    rest->ptr += len;
    rest->len -= len;
    return true;
}

static bool take_decimal(struct ves_bytes *rest, uint64_t max, uint32_t *out)
{
    struct ves_bytes digits = {rest->ptr, 0};
    uint64_t value;

    while (digits.len < rest->len && rest->ptr[digits.len] >= '0' &&
           rest->ptr[digits.len] <= '9')
        digits.len++;
    if (ves_decimal_parse(digits, &value) || value > max)
        return false;
    rest->ptr += digits.len;
    rest->len -= digits.len;
    *out = (uint32_t)value;
    return true;
}

/* One group of three digits, appended to *index. */
static bool take_group(struct ves_bytes *rest, uint64_t *index)
{
    uint32_t group = 0;

    if (rest->len < 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
            return false;
        group = group * 10 + (uint32_t)(rest->ptr[i] - '0');
    }
    if (*index > (VES_TLOG_SIZE_MAX - group) / 1000)
        return false;
    *index = *index * 1000 + group;
    rest->ptr += 3;
    rest->len -= 3;
    return true;
}

static bool take_index(struct ves_bytes *rest, uint64_t *index)
{
    bool is_first = true;

    *index = 0;
    while (take(rest, "/x")) {
        /* x000 in front would be a second name for the same tile. */
        if (!take_group(rest, index) || (is_first && *index == 0))
            return false;
        is_first = false;
    }
    return take(rest, "/") && take_group(rest, index);
}

enum ves_status ves_tile_path_read(struct ves_bytes path, struct ves_tile *out)
{
    struct ves_tile tile = {.width = VES_TILE_WIDTH};

    if (!take(&path, "tile/"))
        return VES_MALFORMED;
    tile.is_entries = take(&path, "entries");
    if (!tile.is_entries &&
        !take_decimal(&path, VES_TILE_LEVEL_MAX, &tile.level))
        return VES_MALFORMED;
    if (!take_index(&path, &tile.index))
        return VES_MALFORMED;
    if (take(&path, ".p/") &&
        (!take_decimal(&path, VES_TILE_WIDTH - 1, &tile.width) ||
         tile.width == 0))
        return VES_MALFORMED;
    if (path.len > 0)
        return VES_MALFORMED;
    *out = tile;
    return VES_OK;
}

uint32_t ves_tile_width(uint32_t level, uint64_t index, uint64_t size)
{
    uint64_t count = level < 64 / LEVELS ? size >> (level * LEVELS) : 0;

    if (index > count / VES_TILE_WIDTH)
        return 0;
    uint64_t left = count - index * VES_TILE_WIDTH;
    return left < VES_TILE_WIDTH ? (uint32_t)left : VES_TILE_WIDTH;
}

bool ves_tile_is_within(const struct ves_tile *tile, uint64_t size)
{
    return tile->width <= ves_tile_width(tile->level, tile->index, size);
}

enum ves_status ves_tile_read(struct ves_bytes bytes, uint32_t width,
                              struct ves_hash *out)
{
    VES_ASSERT(width >= 1 && width <= VES_TILE_WIDTH);
    if (bytes.len != (size_t)width * VES_HASH_SIZE)
        return VES_MALFORMED;
    for (size_t i = 0; i < width; i++)
        memcpy(out[i].b, bytes.ptr + i * VES_HASH_SIZE, VES_HASH_SIZE);
    return VES_OK;
}

void ves_tile_entry_write(struct ves_buf *buf, struct ves_bytes entry)
{
    VES_ASSERT(entry.len <= VES_ENTRY_MAX);
    ves_buf_put_u8(buf, (uint8_t)(entry.len >> 8));
    ves_buf_put_u8(buf, (uint8_t)entry.len);
    ves_buf_put_bytes(buf, entry);
}

enum ves_status ves_tile_entry_next(struct ves_bytes *bundle,
                                    struct ves_bytes *entry)
{
    if (bundle->len == 0)
        return VES_NOT_FOUND;
    if (bundle->len < 2)
        return VES_MALFORMED;
    size_t len = (size_t)bundle->ptr[0] << 8 | bundle->ptr[1];
    if (len > bundle->len - 2)
        return VES_MALFORMED;
    *entry = ves_bytes(bundle->ptr + 2, len);
    bundle->ptr += 2 + len;
    bundle->len -= 2 + len;
    return VES_OK;
}

/* Address of the tile that has what a node is made of. */
static struct ves_tile tile_of(const struct ves_tlog_node *node, uint64_t size)
{
    struct ves_tile tile = {.level = node->level / LEVELS};
    tile.index = node->index >> (LEVELS - node->level % LEVELS);
    tile.width = ves_tile_width(tile.level, tile.index, size);
    return tile;
}

/* Root of the node over its hashes in the tile. */
static void fold(const struct ves_hash *tile, const struct ves_tlog_node *node,
                 struct ves_hash *out)
{
    struct ves_hash level[VES_TILE_WIDTH / 2];
    uint32_t up = node->level % LEVELS;
    size_t width = (size_t)1 << up;
    size_t first = (size_t)(node->index << up) % VES_TILE_WIDTH;

    if (width == 1) {
        *out = tile[first];
        return;
    }
    for (size_t i = 0; i < width / 2; i++)
        ves_tlog_node_hash(&tile[first + 2 * i], &tile[first + 2 * i + 1],
                           &level[i]);
    for (width /= 2; width > 1; width /= 2) {
        for (size_t i = 0; i < width / 2; i++)
            ves_tlog_node_hash(&level[2 * i], &level[2 * i + 1], &level[i]);
    }
    *out = level[0];
}

static bool is_same(const struct ves_tile *a, const struct ves_tile *b)
{
    return a->level == b->level && a->index == b->index;
}

static enum ves_status read_nodes(void *ctx, const struct ves_tlog_node *nodes,
                                  size_t count, struct ves_hash *out)
{
    struct ves_tile_source *source = ctx;
    bool is_done[VES_TLOG_READ_MAX] = {false};

    VES_ASSERT(count <= VES_TLOG_READ_MAX);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].index >= source->size >> nodes[i].level)
            return VES_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_done[i])
            continue;
        struct ves_tile tile = tile_of(&nodes[i], source->size);
        enum ves_status status = source->read(source->ctx, &tile, source->hash);
        if (status)
            return status;
        source->reads++;
        for (size_t k = i; k < count; k++) {
            struct ves_tile other = tile_of(&nodes[k], source->size);
            if (is_done[k] || !is_same(&tile, &other))
                continue;
            fold(source->hash, &nodes[k], &out[k]);
            is_done[k] = true;
        }
    }
    return VES_OK;
}

void ves_tile_source_init(struct ves_tile_source *source, uint64_t size,
                          enum ves_status (*read)(void *ctx,
                                                  const struct ves_tile *tile,
                                                  struct ves_hash *hashes),
                          void *ctx)
{
    VES_ASSERT(size <= VES_TLOG_SIZE_MAX);
    source->source.read = read_nodes;
    source->source.ctx = source;
    source->size = size;
    source->read = read;
    source->ctx = ctx;
    source->reads = 0;
}
