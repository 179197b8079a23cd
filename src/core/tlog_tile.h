/* tlog_tile.h -- the tree in tiles, as it is stored and served (C2SP
 * tlog-tiles).
 *
 * A tile holds up to 256 hashes of one level; level l counts in steps of 8
 * levels of the tree, so that an entry of level 1 is the root of a full tile
 * of level 0.  Full tiles never change.  The entries themselves come in bundles
 * that are numbered like tiles of level 0.
 */
#ifndef VES_CORE_TLOG_TILE_H
#define VES_CORE_TLOG_TILE_H

#include "core/tlog.h"

enum {
    VES_TILE_WIDTH = 256,    /* hashes in a full tile */
    VES_TILE_LEVEL_MAX = 63, /* in an address; a tree needs 0 to 7 */
    VES_TILE_PATH_TEXT = 64, /* characters of the longest path */
    VES_ENTRY_MAX = 65535    /* bytes of one entry in a bundle */
};

struct ves_tile {
    bool is_entries; /* a bundle of entries; level is then 0 */
    uint32_t level;
    uint64_t index;
    uint32_t width; /* hashes or entries: 1 to VES_TILE_WIDTH */
};

/* Appends "tile/0/x001/234", "tile/1/000.p/17", "tile/entries/000". */
void ves_tile_path_write(struct ves_buf *buf, const struct ves_tile *tile);
/* Opposite: only what the writer makes.  VES_MALFORMED otherwise. */
VES_NODISCARD enum ves_status ves_tile_path_read(struct ves_bytes path,
                                                 struct ves_tile *out);

/* How many hashes tile index of a level has in a tree of size; 0: none. */
uint32_t ves_tile_width(uint32_t level, uint64_t index, uint64_t size);
/* May a tree of size serve it: is the tile there with at least that width? */
bool ves_tile_is_within(const struct ves_tile *tile, uint64_t size);

/* Takes a tile's bytes apart: exactly width hashes.  VES_MALFORMED. */
VES_NODISCARD enum ves_status
ves_tile_read(struct ves_bytes bytes, uint32_t width, struct ves_hash *out);

/* Appends one entry (at most VES_ENTRY_MAX bytes) as bundles have it: U16
 * length, bytes. */
void ves_tile_entry_write(struct ves_buf *buf, struct ves_bytes entry);
/* Takes the next entry from the front of *bundle.  VES_NOT_FOUND at the end,
 * VES_MALFORMED when it is cut. */
VES_NODISCARD enum ves_status ves_tile_entry_next(struct ves_bytes *bundle,
                                                  struct ves_bytes *entry);

/* A source of nodes (core/tlog.h) that knows only tiles.  Each tile a proof
 * needs is read once: at most two a level, so three or four below a million
 * entries and five or six below sixteen million. */
struct ves_tile_source {
    struct ves_tlog_source source; /* what the proof makers take */
    uint64_t size; /* of the tree; tiles are as wide as it says */
    /* Fills hashes with the tile's width; any other result than VES_OK is
     * given back.  ctx as given to _init. */
    enum ves_status (*read)(void *ctx, const struct ves_tile *tile,
                            struct ves_hash *hashes);
    void *ctx;
    size_t reads;                         /* tiles read so far */
    struct ves_hash hash[VES_TILE_WIDTH]; /* the tile at hand */
};

/* source must not move afterwards.  Nodes that are not complete within size
 * are VES_INVALID. */
void ves_tile_source_init(struct ves_tile_source *source, uint64_t size,
                          enum ves_status (*read)(void *ctx,
                                                  const struct ves_tile *tile,
                                                  struct ves_hash *hashes),
                          void *ctx);

#endif
