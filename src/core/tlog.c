/* tlog.c -- one append-only tree over the entries of a stream (RFC 6962). */
#include "core/tlog.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "crypto/crypto.h"

enum {
    AT_ONCE = 32,                    /* hashed together */
    PREIMAGE = 1 + 2 * VES_HASH_SIZE /* of a node */
};

void ves_tlog_leaf_hash(struct ves_bytes entry, struct ves_hash *out)
{
    static const uint8_t tag = 0x00;
    const struct ves_bytes parts[] = {ves_bytes(&tag, 1), entry};
    ves_sha256(parts, 2, out);
}

void ves_tlog_leaf_hash_each(const uint8_t *entries, size_t len, size_t count,
                             struct ves_hash *out)
{
    uint8_t preimages[AT_ONCE * (1 + VES_TLOG_ENTRY_MAX)];

    VES_ASSERT(len <= VES_TLOG_ENTRY_MAX);
    while (count > 0) {
        size_t n = count < AT_ONCE ? count : AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            preimages[i * (1 + len)] = 0x00;
            memcpy(preimages + i * (1 + len) + 1, entries + i * len, len);
        }
        ves_sha256_each(preimages, 1 + len, n, out);
        entries += n * len;
        out += n;
        count -= n;
    }
}

void ves_tlog_node_hash(const struct ves_hash *left,
                        const struct ves_hash *right, struct ves_hash *out)
{
    uint8_t preimage[PREIMAGE] = {0x01};
    memcpy(preimage + 1, left->b, VES_HASH_SIZE);
    memcpy(preimage + 1 + VES_HASH_SIZE, right->b, VES_HASH_SIZE);
    ves_sha256_one(preimage, sizeof(preimage), out);
}

void ves_tlog_empty_root(struct ves_hash *out)
{
    ves_sha256_one("", 0, out);
}

static uint32_t ones(uint64_t value)
{
    uint32_t count = 0;
    for (; value != 0; value &= value - 1)
        count++;
    return count;
}

/* Joins hash with the subtrees it completes.  made, when not NULL, is told the
 * hashes at levels of tiles. */
static void join(struct ves_tlog_edge *edge, uint32_t level,
                 const struct ves_hash *hash, struct ves_tlog_made *made,
                 size_t *made_count)
{
    struct ves_hash at = *hash;
    uint32_t up = level;

    VES_ASSERT(edge->count == ones(edge->size));
    for (;; up++) {
        if (made && up % VES_TLOG_TILE_HEIGHT == 0) {
            made[*made_count].node.level = up;
            made[*made_count].node.index = edge->size >> up;
            made[*made_count].hash = at;
            ++*made_count;
        }
        if ((edge->size >> up & 1) == 0)
            break;
        ves_tlog_node_hash(&edge->hash[--edge->count], &at, &at);
    }
    edge->hash[edge->count++] = at;
    edge->size += UINT64_C(1) << level;
}

enum ves_status ves_tlog_edge_add(struct ves_tlog_edge *edge, uint32_t level,
                                  const struct ves_hash *hash)
{
    if (level > VES_TLOG_LEVEL_MAX || edge->size % (UINT64_C(1) << level) != 0)
        return VES_INVALID;
    if (UINT64_C(1) << level > VES_TLOG_SIZE_MAX - edge->size)
        return VES_LIMIT;
    join(edge, level, hash, NULL, NULL);
    return VES_OK;
}

enum ves_status ves_tlog_edge_append(struct ves_tlog_edge *edge,
                                     const struct ves_hash *leaf,
                                     struct ves_tlog_made made[], size_t *count)
{
    *count = 0;
    if (edge->size >= VES_TLOG_SIZE_MAX)
        return VES_LIMIT;
    join(edge, 0, leaf, made, count);
    return VES_OK;
}

/* Takes the level above out of one, in place: out[i] is the parent of nodes
 * 2 * i and 2 * i + 1.  left, when not NULL, is node 0, and hashes go on. */
static void join_pairs(struct ves_hash *hashes, const struct ves_hash *left,
                       size_t pairs)
{
    uint8_t preimages[AT_ONCE * PREIMAGE];
    struct ves_hash parents[AT_ONCE];
    const struct ves_hash *next = hashes;

    for (size_t done = 0; done < pairs;) {
        size_t n = pairs - done < AT_ONCE ? pairs - done : AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            uint8_t *to = preimages + i * PREIMAGE;
            to[0] = 0x01;
            memcpy(to + 1, left ? left->b : (next++)->b, VES_HASH_SIZE);
            memcpy(to + 1 + VES_HASH_SIZE, (next++)->b, VES_HASH_SIZE);
            left = NULL;
        }
        ves_sha256_each(preimages, PREIMAGE, n, parents);
        memcpy(hashes + done, parents, n * sizeof(*parents));
        done += n;
    }
}

enum ves_status ves_tlog_edge_append_all(struct ves_tlog_edge *edge,
                                         struct ves_hash *leaves, size_t count,
                                         ves_tlog_made_visitor *visit,
                                         void *ctx)
{
    struct ves_hash ends[VES_TLOG_EDGE_MAX]; /* lowest level first */
    struct ves_tlog_node first = {0, edge->size};
    uint32_t end_count = 0;
    size_t n = count;

    VES_ASSERT(edge->count == ones(edge->size));
    if (count > VES_TLOG_SIZE_MAX - edge->size)
        return VES_LIMIT;
    for (; n > 0; first.level++, first.index /= 2) {
        bool has_left = first.index % 2 == 1;
        size_t all = n + (has_left ? 1 : 0);
        if (visit && first.level % VES_TLOG_TILE_HEIGHT == 0)
            visit(ctx, first, leaves, n);
        if (all % 2 == 1)
            ends[end_count++] = leaves[n - 1];
        join_pairs(leaves, has_left ? &edge->hash[--edge->count] : NULL,
                   all / 2);
        n = all / 2;
    }
    while (end_count > 0)
        edge->hash[edge->count++] = ends[--end_count];
    edge->size += count;
    VES_ASSERT(edge->count == ones(edge->size));
    return VES_OK;
}

/* Root over subtrees that follow one another, each smaller than the one
 * before. */
static void fold(const struct ves_hash *hash, size_t count,
                 struct ves_hash *out)
{
    VES_ASSERT(count > 0);
    *out = hash[count - 1];
    for (size_t i = count - 1; i > 0; i--)
        ves_tlog_node_hash(&hash[i - 1], out, out);
}

void ves_tlog_edge_root(const struct ves_tlog_edge *edge, struct ves_hash *out)
{
    VES_ASSERT(edge->count == ones(edge->size));
    if (edge->count == 0)
        ves_tlog_empty_root(out);
    else
        fold(edge->hash, edge->count, out);
}

void ves_tlog_edge_write(struct ves_buf *buf, const struct ves_tlog_edge *edge)
{
    ves_buf_put_u64(buf, edge->size);
    for (uint32_t i = 0; i < edge->count; i++)
        ves_buf_put(buf, edge->hash[i].b, VES_HASH_SIZE);
}

enum ves_status ves_tlog_edge_read(struct ves_bytes bytes,
                                   struct ves_tlog_edge *out)
{
    if (bytes.len < 8)
        return VES_MALFORMED;
    uint64_t size = ves_load_u64(bytes.ptr);
    if (size > VES_TLOG_SIZE_MAX ||
        bytes.len != 8 + (size_t)ones(size) * VES_HASH_SIZE)
        return VES_MALFORMED;
    out->size = size;
    out->count = ones(size);
    for (uint32_t i = 0; i < out->count; i++)
        memcpy(out->hash[i].b, bytes.ptr + 8 + i * VES_HASH_SIZE,
               VES_HASH_SIZE);
    return VES_OK;
}

bool ves_tlog_cover_next(uint64_t *at, uint64_t end, struct ves_tlog_node *node)
{
    VES_ASSERT(end <= VES_TLOG_SIZE_MAX);
    if (*at >= end)
        return false;
    uint32_t aligned =
        *at == 0 ? VES_TLOG_LEVEL_MAX : (uint32_t)__builtin_ctzll(*at);
    uint32_t fits = 63 - (uint32_t)__builtin_clzll(end - *at);
    node->level = aligned < fits ? aligned : fits;
    node->index = *at >> node->level;
    *at += UINT64_C(1) << node->level;
    return true;
}

/* Does the node lie within size entries? */
static bool is_within(struct ves_tlog_node node, uint64_t size)
{
    return node.level <= VES_TLOG_LEVEL_MAX && size <= VES_TLOG_SIZE_MAX &&
           node.index < size >> node.level;
}

/* Nodes to read, and the hashes to fold them to. */
struct plan {
    struct ves_tlog_node nodes[VES_TLOG_READ_MAX];
    size_t count;
    size_t ends[VES_TLOG_PATH_MAX]; /* first node that is not of item i */
    size_t items;
};

/* One hash: the root over [from, to), a range the tree has as one subtree. */
static void plan_range(struct plan *plan, uint64_t from, uint64_t to)
{
    while (from < to) {
        VES_ASSERT(plan->count < VES_TLOG_READ_MAX);
        ves_tlog_cover_next(&from, to, &plan->nodes[plan->count++]);
    }
    VES_ASSERT(plan->items < VES_TLOG_PATH_MAX);
    plan->ends[plan->items++] = plan->count;
}

static enum ves_status carry_out(const struct plan *plan,
                                 const struct ves_tlog_source *source,
                                 struct ves_tlog_path *out)
{
    struct ves_hash hash[VES_TLOG_READ_MAX];

    if (plan->count > 0) {
        enum ves_status status =
            source->read(source->ctx, plan->nodes, plan->count, hash);
        if (status)
            return status;
    }
    out->count = (uint32_t)plan->items;
    for (size_t i = 0, at = 0; i < plan->items; at = plan->ends[i++])
        fold(&hash[at], plan->ends[i] - at, &out->hash[i]);
    return VES_OK;
}

/* Ranges of a proof in the order they are met, from the root down; a proof
 * lists them from the bottom up. */
struct ranges {
    struct {
        uint64_t from, to;
    } range[VES_TLOG_PATH_MAX];
    size_t count;
};

static void note_range(struct ranges *ranges, uint64_t from, uint64_t to)
{
    VES_ASSERT(ranges->count < VES_TLOG_PATH_MAX);
    ranges->range[ranges->count].from = from;
    ranges->range[ranges->count++].to = to;
}

static enum ves_status make(const struct ranges *ranges,
                            const struct ves_tlog_source *source,
                            struct ves_tlog_path *out)
{
    struct plan plan;

    plan.count = plan.items = 0;
    for (size_t i = ranges->count; i > 0; i--)
        plan_range(&plan, ranges->range[i - 1].from, ranges->range[i - 1].to);
    return carry_out(&plan, source, out);
}

enum ves_status ves_tlog_edge_at(const struct ves_tlog_source *source,
                                 uint64_t size, struct ves_tlog_edge *out)
{
    struct ves_tlog_node nodes[VES_TLOG_EDGE_MAX];
    struct ves_hash hash[VES_TLOG_EDGE_MAX];
    uint32_t count = 0;

    if (size > VES_TLOG_SIZE_MAX)
        return VES_INVALID;
    for (uint64_t at = 0; at < size;)
        ves_tlog_cover_next(&at, size, &nodes[count++]);
    if (count > 0) {
        enum ves_status status = source->read(source->ctx, nodes, count, hash);
        if (status)
            return status;
    }
    out->size = size;
    out->count = count;
    memcpy(out->hash, hash, count * sizeof(*hash));
    return VES_OK;
}

/* Where a subtree of width entries is split: the largest power of two below
 * width. */
static uint64_t split(uint64_t width)
{
    VES_ASSERT(width > 1);
    return UINT64_C(1) << (63 - __builtin_clzll(width - 1));
}

enum ves_status ves_tlog_inclusion_make(const struct ves_tlog_source *source,
                                        struct ves_tlog_node node,
                                        uint64_t size,
                                        struct ves_tlog_path *out)
{
    struct ranges ranges = {.count = 0};

    if (!is_within(node, size))
        return VES_INVALID;
    uint64_t first = node.index << node.level, width = UINT64_C(1)
                                                       << node.level;
    for (uint64_t from = 0, to = size; to - from > width;) {
        uint64_t middle = from + split(to - from);
        if (first < middle) {
            note_range(&ranges, middle, to);
            to = middle;
        } else {
            note_range(&ranges, from, middle);
            from = middle;
        }
    }
    return make(&ranges, source, out);
}

/* RFC 9162 2.1.3.2, begun at any level: above level, the tree looks the same
 * as one over its complete and incomplete subtrees at that level. */
/* *before: over the node and what stands to its left. */
static enum ves_status climb(const struct ves_tlog_path *path,
                             struct ves_tlog_node node, uint64_t size,
                             const struct ves_hash *hash,
                             struct ves_hash *before, struct ves_hash *root)
{
    if (!is_within(node, size) || path->count > VES_TLOG_PATH_MAX)
        return VES_REFUSED;

    struct ves_hash at = *hash;
    *before = *hash;
    uint64_t index = node.index, last = (size - 1) >> node.level;
    for (uint32_t i = 0; i < path->count; i++) {
        if (last == 0)
            return VES_REFUSED;
        if (index & 1 || index == last) {
            ves_tlog_node_hash(&path->hash[i], &at, &at);
            ves_tlog_node_hash(&path->hash[i], before, before);
            while ((index & 1) == 0) {
                index >>= 1;
                last >>= 1;
            }
        } else {
            ves_tlog_node_hash(&at, &path->hash[i], &at);
        }
        index >>= 1;
        last >>= 1;
    }
    if (last != 0)
        return VES_REFUSED;
    *root = at;
    return VES_OK;
}

enum ves_status ves_tlog_inclusion_root(const struct ves_tlog_path *path,
                                        struct ves_tlog_node node,
                                        uint64_t size,
                                        const struct ves_hash *hash,
                                        struct ves_hash *root)
{
    struct ves_hash before;

    return climb(path, node, size, hash, &before, root);
}

enum ves_status ves_tlog_inclusion_roots(const struct ves_tlog_path *path,
                                         uint64_t index, uint64_t size,
                                         const struct ves_hash *leaf,
                                         struct ves_hash *ends_here,
                                         struct ves_hash *root)
{
    return climb(path, (struct ves_tlog_node){0, index}, size, leaf, ends_here,
                 root);
}

enum ves_status ves_tlog_inclusion_check(const struct ves_tlog_path *path,
                                         struct ves_tlog_node node,
                                         uint64_t size,
                                         const struct ves_hash *hash,
                                         const struct ves_hash *root)
{
    struct ves_hash got;
    enum ves_status status =
        ves_tlog_inclusion_root(path, node, size, hash, &got);
    if (status)
        return status;
    return ves_hash_equal(&got, root) ? VES_OK : VES_REFUSED;
}

enum ves_status ves_tlog_consistency_make(const struct ves_tlog_source *source,
                                          uint64_t old_size, uint64_t new_size,
                                          struct ves_tlog_path *out)
{
    struct ranges ranges = {.count = 0};

    if (old_size > new_size || new_size > VES_TLOG_SIZE_MAX)
        return VES_INVALID;
    uint64_t from = 0, to = new_size;
    if (old_size == 0)
        to = 0;
    /* The old tree's last subtree starts at from and ends at old_size; the
     * verifier knows it without being told only when it is the old root. */
    while (to > old_size) {
        uint64_t middle = from + split(to - from);
        if (old_size <= middle) {
            note_range(&ranges, middle, to);
            to = middle;
        } else {
            note_range(&ranges, from, middle);
            from = middle;
        }
    }
    if (from > 0)
        note_range(&ranges, from, to);
    return make(&ranges, source, out);
}

/* RFC 9162 2.1.4.2 from its second step on, for 0 < old_size < new_size. */
static enum ves_status climb_both(const struct ves_tlog_path *path,
                                  uint64_t old_size,
                                  const struct ves_hash *old_root,
                                  uint64_t new_size,
                                  const struct ves_hash *new_root)
{
    uint64_t index = old_size - 1, last = new_size - 1;
    uint32_t i = 0;

    while (index & 1) {
        index >>= 1;
        last >>= 1;
    }
    /* A power of two is its own last subtree: its root is known. */
    struct ves_hash first = *old_root;
    if (index != 0) {
        if (path->count == 0)
            return VES_REFUSED;
        first = path->hash[i++];
    }
    struct ves_hash old_at = first, new_at = first;
    for (; i < path->count; i++) {
        const struct ves_hash *beside = &path->hash[i];
        if (last == 0)
            return VES_REFUSED;
        if (index & 1 || index == last) {
            ves_tlog_node_hash(beside, &old_at, &old_at);
            ves_tlog_node_hash(beside, &new_at, &new_at);
            while ((index & 1) == 0) {
                index >>= 1;
                last >>= 1;
            }
        } else {
            ves_tlog_node_hash(&new_at, beside, &new_at);
        }
        index >>= 1;
        last >>= 1;
    }
    return last == 0 && ves_hash_equal(&old_at, old_root) &&
                   ves_hash_equal(&new_at, new_root)
               ? VES_OK
               : VES_REFUSED;
}

enum ves_status ves_tlog_consistency_check(const struct ves_tlog_path *path,
                                           uint64_t old_size,
                                           const struct ves_hash *old_root,
                                           uint64_t new_size,
                                           const struct ves_hash *new_root)
{
    struct ves_hash empty;

    if (path->count > VES_TLOG_PATH_MAX || old_size > new_size ||
        new_size > VES_TLOG_SIZE_MAX)
        return VES_REFUSED;
    ves_tlog_empty_root(&empty);
    if ((old_size == 0 && !ves_hash_equal(old_root, &empty)) ||
        (new_size == 0 && !ves_hash_equal(new_root, &empty)))
        return VES_REFUSED;
    if (old_size == 0)
        return path->count == 0 ? VES_OK : VES_REFUSED;
    if (old_size == new_size)
        return path->count == 0 && ves_hash_equal(old_root, new_root)
                   ? VES_OK
                   : VES_REFUSED;
    return climb_both(path, old_size, old_root, new_size, new_root);
}
