/* tlog.h -- one append-only tree over the entries of a stream (RFC 6962).
 *
 * Entry number index is the leaf preimage (core/merkle.h) of sequence number
 * index + VES_TLOG_FIRST; the tree is left-full and never padded.  A node
 * (level, index) is the root over the entries [index << level,
 * (index + 1) << level); it is complete, and never changes again, when all of
 * them are there.
 *
 * Whoever appends keeps the edge: the complete subtrees a size is made of, one
 * for each 1 bit, largest first.  It gives the root at that size at any time.
 */
#ifndef VES_CORE_TLOG_H
#define VES_CORE_TLOG_H

#include "base/buf.h"
#include "ves/ves.h"

/* Largest tree: sizes are signed 64-bit in every database and every format. */
#define VES_TLOG_SIZE_MAX UINT64_C(0x7fffffffffffffff)

enum {
    VES_TLOG_FIRST = 1,       /* sequence number of entry 0 */
    VES_TLOG_LEVEL_MAX = 62,  /* of a complete node */
    VES_TLOG_EDGE_MAX = 63,   /* 1 bits of a size */
    VES_TLOG_PATH_MAX = 64,   /* hashes of a consistency path; an inclusion
                                 path has one less */
    VES_TLOG_TILE_HEIGHT = 8, /* levels of a tile (tlog-tiles) */
    VES_TLOG_READ_MAX = 128,  /* nodes a path is made of */
    VES_TLOG_ENTRY_MAX = 147, /* bytes of a leaf preimage */
    VES_TLOG_MADE_MAX = 8     /* hashes one entry adds to the tiles */
};

/* SHA256(0x00 | entry). */
void ves_tlog_leaf_hash(struct ves_bytes entry, struct ves_hash *out);
/* Of count entries of len bytes (at most VES_TLOG_ENTRY_MAX) that follow one
 * another: less time than one after the other. */
void ves_tlog_leaf_hash_each(const uint8_t *entries, size_t len, size_t count,
                             struct ves_hash *out);
/* SHA256(0x01 | left | right); out may be one of them. */
void ves_tlog_node_hash(const struct ves_hash *left,
                        const struct ves_hash *right, struct ves_hash *out);
/* Root of no entries: SHA256(""). */
void ves_tlog_empty_root(struct ves_hash *out);

struct ves_tlog_node {
    uint32_t level; /* 0 is an entry */
    uint64_t index; /* place in its level */
};

/* A tree as its complete subtrees.  All zero bytes is the empty tree. */
struct ves_tlog_edge {
    uint64_t size;  /* entries */
    uint32_t count; /* hashes: one for each 1 bit of size */
    struct ves_hash hash[VES_TLOG_EDGE_MAX]; /* largest first */
};

/* Adds a complete subtree of 1 << level entries at the end: an entry's leaf
 * hash with level 0, or what covers entries one does not have.  VES_INVALID,
 * edge unchanged, unless size is a multiple of 1 << level; VES_LIMIT beyond
 * VES_TLOG_SIZE_MAX. */
VES_NODISCARD enum ves_status ves_tlog_edge_add(struct ves_tlog_edge *edge,
                                                uint32_t level,
                                                const struct ves_hash *hash);

/* A hash that tiles store: its level is a multiple of 8. */
struct ves_tlog_made {
    struct ves_tlog_node node;
    struct ves_hash hash;
};

/* Adds one entry's leaf hash and tells what the tiles gain by it: the leaf
 * itself, and the roots of tiles it filled; made has room for
 * VES_TLOG_MADE_MAX. */
VES_NODISCARD enum ves_status ves_tlog_edge_append(struct ves_tlog_edge *edge,
                                                   const struct ves_hash *leaf,
                                                   struct ves_tlog_made made[],
                                                   size_t *count);

/* Told of count hashes that follow one another in their level, from first on.
 */
typedef void ves_tlog_made_visitor(void *ctx, struct ves_tlog_node first,
                                   const struct ves_hash *hashes, size_t count);

/* Adds the leaf hashes of count entries in less time than one by one; leaves
 * is overwritten.  visit, when not NULL, is told what the tiles gain, a level
 * after the other.  VES_LIMIT as above, edge and leaves unchanged. */
VES_NODISCARD enum ves_status
ves_tlog_edge_append_all(struct ves_tlog_edge *edge, struct ves_hash *leaves,
                         size_t count, ves_tlog_made_visitor *visit, void *ctx);

void ves_tlog_edge_root(const struct ves_tlog_edge *edge, struct ves_hash *out);

/* U64 size and the hashes, largest first; at most 2,024 bytes. */
void ves_tlog_edge_write(struct ves_buf *buf, const struct ves_tlog_edge *edge);
/* VES_MALFORMED unless it has exactly the hashes its size needs. */
VES_NODISCARD enum ves_status ves_tlog_edge_read(struct ves_bytes bytes,
                                                 struct ves_tlog_edge *out);

/* The fewest complete subtrees over the entries [*at, end), left to right:
 * gives the next one and moves *at behind it; false when *at has reached end.
 * end is at most VES_TLOG_SIZE_MAX.  Adding their hashes to the edge at *at
 * leads to the edge at end. */
bool ves_tlog_cover_next(uint64_t *at, uint64_t end,
                         struct ves_tlog_node *node);

/* Where the hashes of complete nodes come from.  read fills out[i] with that
 * of nodes[i]; any other result than VES_OK is given back to the caller. */
struct ves_tlog_source {
    enum ves_status (*read)(void *ctx, const struct ves_tlog_node *nodes,
                            size_t count, struct ves_hash *out);
    void *ctx;
};

/* Root and edge at any size up to what the source has; one read. */
VES_NODISCARD enum ves_status
ves_tlog_edge_at(const struct ves_tlog_source *source, uint64_t size,
                 struct ves_tlog_edge *out);

/* The hashes of a proof, in the order of RFC 6962: leaf's sibling first, child
 * of the root last. */
struct ves_tlog_path {
    uint32_t count;
    struct ves_hash hash[VES_TLOG_PATH_MAX];
};

/* Path from a complete node to the root at size; one read.  VES_INVALID unless
 * the node lies within size. */
VES_NODISCARD enum ves_status
ves_tlog_inclusion_make(const struct ves_tlog_source *source,
                        struct ves_tlog_node node, uint64_t size,
                        struct ves_tlog_path *out);

/* The root a node's path leads to.  VES_REFUSED unless the node lies within
 * size and the path has exactly the length the two imply. */
VES_NODISCARD enum ves_status
ves_tlog_inclusion_root(const struct ves_tlog_path *path,
                        struct ves_tlog_node node, uint64_t size,
                        const struct ves_hash *hash, struct ves_hash *root);
/* VES_REFUSED unless it leads to root. */
VES_NODISCARD enum ves_status ves_tlog_inclusion_check(
    const struct ves_tlog_path *path, struct ves_tlog_node node, uint64_t size,
    const struct ves_hash *hash, const struct ves_hash *root);

/* The same of an entry's leaf hash, and with it the root of the tree that ends
 * with the entry: what stands to its left is the same in both.  So one path
 * tells whether a head of index + 1 entries is of the same history. */
VES_NODISCARD enum ves_status
ves_tlog_inclusion_roots(const struct ves_tlog_path *path, uint64_t index,
                         uint64_t size, const struct ves_hash *leaf,
                         struct ves_hash *ends_here, struct ves_hash *root);

/* Proof that the tree of new_size only added to that of old_size; empty when
 * old_size is 0 or new_size.  One read.  VES_INVALID when old_size is larger.
 */
VES_NODISCARD enum ves_status
ves_tlog_consistency_make(const struct ves_tlog_source *source,
                          uint64_t old_size, uint64_t new_size,
                          struct ves_tlog_path *out);
/* VES_REFUSED unless it proves that; the length is exactly what the sizes
 * imply, and size 0 has the root of no entries. */
VES_NODISCARD enum ves_status
ves_tlog_consistency_check(const struct ves_tlog_path *path, uint64_t old_size,
                           const struct ves_hash *old_root, uint64_t new_size,
                           const struct ves_hash *new_root);

#endif
