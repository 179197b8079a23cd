/* prop_tlog.c -- the append-only tree against RFC 6962 read literally.
 *
 * Every pair of sizes up to 300 and every entry of them; larger sizes at
 * random; every flipped byte and wrong length refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/tlog.h"
#include "core/tlog_tile.h"
#include "crypto/crypto.h"

enum { PAIRS = 300, LARGE = 70000, NAIVE_MAX = PAIRS + 1 };

static struct ves_hash leaves[LARGE];
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Leaf number i is the hash of the seed and i. */
static int set_up(void **state)
{
    (void)state;
    const char *text = getenv("VES_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)seed);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (uint64_t i = 0; i < LARGE; i++) {
        const uint64_t words[2] = {seed, i};
        ves_sha256_one(words, sizeof(words), &leaves[i]);
    }
    return 0;
}

static struct ves_hash naive_node(struct ves_hash left, struct ves_hash right)
{
    struct ves_hash out;
    uint8_t preimage[65] = {1};
    memcpy(preimage + 1, left.b, 32);
    memcpy(preimage + 33, right.b, 32);
    ves_sha256_one(preimage, sizeof(preimage), &out);
    return out;
}

static size_t naive_split(size_t n)
{
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    return k;
}

/* MTH(D[from:to]) of RFC 6962 2.1; small ones are remembered. */
static struct ves_hash naive_root(size_t from, size_t to)
{
    static struct {
        bool is_known;
        struct ves_hash hash;
    } known[NAIVE_MAX][NAIVE_MAX];
    struct ves_hash out;

    if (to == from) {
        ves_sha256_one("", 0, &out);
        return out;
    }
    if (to - from == 1)
        return leaves[from];
    if (to < NAIVE_MAX && known[from][to].is_known)
        return known[from][to].hash;
    size_t k = naive_split(to - from);
    out = naive_node(naive_root(from, from + k), naive_root(from + k, to));
    if (to < NAIVE_MAX) {
        known[from][to].is_known = true;
        known[from][to].hash = out;
    }
    return out;
}

static void put(struct ves_tlog_path *path, struct ves_hash hash)
{
    path->hash[path->count++] = hash;
}

/* PATH(m, D[from:to]) of 2.1.1. */
static void naive_path(size_t m, size_t from, size_t to,
                       struct ves_tlog_path *out)
{
    if (to - from == 1)
        return;
    size_t k = naive_split(to - from);
    if (m < k) {
        naive_path(m, from, from + k, out);
        put(out, naive_root(from + k, to));
    } else {
        naive_path(m - k, from + k, to, out);
        put(out, naive_root(from, from + k));
    }
}

/* SUBPROOF(m, D[from:to], b) of 2.1.2. */
static void naive_subproof(size_t m, size_t from, size_t to, bool b,
                           struct ves_tlog_path *out)
{
    size_t n = to - from;
    if (m == n) {
        if (!b)
            put(out, naive_root(from, to));
        return;
    }
    size_t k = naive_split(n);
    if (m <= k) {
        naive_subproof(m, from, from + k, b, out);
        put(out, naive_root(from + k, to));
    } else {
        naive_subproof(m - k, from + k, to, false, out);
        put(out, naive_root(from, from + k));
    }
}

static enum ves_status read_naive(void *ctx, const struct ves_tlog_node *nodes,
                                  size_t count, struct ves_hash *out)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        size_t width = (size_t)1 << nodes[i].level;
        out[i] = naive_root((size_t)nodes[i].index * width,
                            (size_t)(nodes[i].index + 1) * width);
    }
    return VES_OK;
}

static const struct ves_tlog_source naive_source = {read_naive, NULL};

static void expect_path(const struct ves_tlog_path *got,
                        const struct ves_tlog_path *want)
{
    assert_int_equal(got->count, want->count);
    assert_memory_equal(got->hash, want->hash, got->count * sizeof(*got->hash));
}

static struct ves_tlog_node leaf_node(uint64_t index)
{
    struct ves_tlog_node node = {0, index};
    return node;
}

static void test_edge(void **state)
{
    (void)state;
    struct ves_tlog_edge edge = {0}, again, at;
    struct ves_buf buf;

    ves_buf_init(&buf, ves_alloc_default(), 4096);
    for (size_t n = 0; n <= PAIRS; n++) {
        struct ves_hash root, want = naive_root(0, n);
        ves_tlog_edge_root(&edge, &root);
        assert_int_equal(edge.size, n);
        assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
        assert_int_equal(ves_tlog_edge_at(&naive_source, n, &at), VES_OK);
        ves_buf_reset(&buf);
        ves_tlog_edge_write(&buf, &edge);
        assert_int_equal(ves_tlog_edge_read(ves_buf_view(&buf), &again),
                         VES_OK);
        assert_int_equal(at.size, n);
        assert_int_equal(again.size, n);
        assert_int_equal(at.count, edge.count);
        assert_memory_equal(at.hash, edge.hash, edge.count * 32);
        assert_memory_equal(again.hash, edge.hash, edge.count * 32);
        for (size_t cut = 1; cut <= buf.len; cut++)
            assert_int_equal(
                ves_tlog_edge_read(ves_bytes(buf.ptr, buf.len - cut), &again),
                VES_MALFORMED);
        assert_int_equal(ves_tlog_edge_add(&edge, 0, &leaves[n]), VES_OK);
    }
    ves_buf_free(&buf);
}

static bool is_included(const struct ves_tlog_path *path,
                        struct ves_tlog_node node, uint64_t size,
                        const struct ves_hash *hash,
                        const struct ves_hash *root)
{
    enum ves_status status =
        ves_tlog_inclusion_check(path, node, size, hash, root);
    assert_true(status == VES_OK || status == VES_REFUSED);
    return status == VES_OK;
}

static bool is_consistent(const struct ves_tlog_path *path, uint64_t m,
                          const struct ves_hash *old, uint64_t n,
                          const struct ves_hash *new)
{
    enum ves_status status = ves_tlog_consistency_check(path, m, old, n, new);
    assert_true(status == VES_OK || status == VES_REFUSED);
    return status == VES_OK;
}

static void test_inclusion(void **state)
{
    (void)state;
    for (size_t n = 1; n <= PAIRS; n++) {
        struct ves_hash root = naive_root(0, n);
        for (size_t i = 0; i < n; i++) {
            struct ves_tlog_path path, want = {0};
            naive_path(i, 0, n, &want);
            assert_int_equal(
                ves_tlog_inclusion_make(&naive_source, leaf_node(i), n, &path),
                VES_OK);
            expect_path(&path, &want);
            assert_true(is_included(&path, leaf_node(i), n, &leaves[i], &root));
            struct ves_hash then, now, old = naive_root(0, i + 1);
            assert_int_equal(
                ves_tlog_inclusion_roots(&path, i, n, &leaves[i], &then, &now),
                VES_OK);
            assert_true(ves_hash_equal(&then, &old));
            assert_true(ves_hash_equal(&now, &root));
        }
        struct ves_tlog_path none;
        assert_int_equal(
            ves_tlog_inclusion_make(&naive_source, leaf_node(n), n, &none),
            VES_INVALID);
    }
}

/* A complete subtree's path is a leaf's without its beginning. */
static void test_inclusion_of_subtrees(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 130; n++) {
        struct ves_hash root = naive_root(0, n);
        for (uint32_t level = 0; level < 8; level++) {
            size_t width = (size_t)1 << level;
            for (size_t i = 0; (i + 1) * width <= n; i++) {
                struct ves_tlog_node node = {level, i};
                struct ves_hash hash = naive_root(i * width, (i + 1) * width);
                struct ves_tlog_path path;
                assert_int_equal(
                    ves_tlog_inclusion_make(&naive_source, node, n, &path),
                    VES_OK);
                assert_true(is_included(&path, node, n, &hash, &root));
                node.index++;
                assert_false(is_included(&path, node, n, &hash, &root));
            }
            struct ves_tlog_node beyond = {level, n / width};
            struct ves_tlog_path path = {0};
            assert_int_equal(
                ves_tlog_inclusion_make(&naive_source, beyond, n, &path),
                VES_INVALID);
            assert_false(is_included(&path, beyond, n, &root, &root));
        }
    }
}

static void test_consistency(void **state)
{
    (void)state;
    for (size_t n = 0; n <= PAIRS; n++) {
        struct ves_hash new = naive_root(0, n);
        for (size_t m = 0; m <= n; m++) {
            struct ves_hash old = naive_root(0, m);
            struct ves_tlog_path path, want = {0};
            if (m > 0 && m < n)
                naive_subproof(m, 0, n, true, &want);
            assert_int_equal(
                ves_tlog_consistency_make(&naive_source, m, n, &path), VES_OK);
            expect_path(&path, &want);
            assert_true(is_consistent(&path, m, &old, n, &new));
        }
        struct ves_tlog_path none;
        assert_int_equal(
            ves_tlog_consistency_make(&naive_source, n + 1, n, &none),
            VES_INVALID);
    }
}

static void flip(struct ves_hash *hash, size_t bit)
{
    hash->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* Every other claim with the same path is refused. */
static void check_lies(struct ves_tlog_path *path, size_t i, size_t n)
{
    struct ves_hash root = naive_root(0, n), leaf = leaves[i];
    uint32_t count = path->count;

    for (size_t k = 0; k < n + 3; k++)
        assert_true(is_included(path, leaf_node(k), n, &leaf, &root) ==
                    (k == i));
    for (path->count = 0; path->count <= VES_TLOG_PATH_MAX + 1; path->count++)
        assert_true((path->count == count) ==
                    is_included(path, leaf_node(i), n, &leaf, &root));
    path->count = count;
    for (size_t bit = 0; bit < 256; bit += 5) {
        flip(&leaf, bit);
        assert_false(is_included(path, leaf_node(i), n, &leaf, &root));
        flip(&leaf, bit);
        for (uint32_t d = 0; d < count; d++) {
            flip(&path->hash[d], bit);
            assert_false(is_included(path, leaf_node(i), n, &leaf, &root));
            flip(&path->hash[d], bit);
        }
    }
}

static void test_inclusion_lies(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40; n++) {
        for (size_t i = 0; i < n; i++) {
            static struct ves_tlog_path path;
            assert_int_equal(
                ves_tlog_inclusion_make(&naive_source, leaf_node(i), n, &path),
                VES_OK);
            check_lies(&path, i, n);
        }
    }
}

/* The path proves these two sizes and roots and no others. */
static void check_consistency_lies(struct ves_tlog_path *path, size_t m,
                                   size_t n)
{
    struct ves_hash old = naive_root(0, m), new = naive_root(0, n);
    uint32_t count = path->count;

    for (path->count = 0; path->count <= VES_TLOG_PATH_MAX + 1; path->count++)
        assert_true(is_consistent(path, m, &old, n, &new) ==
                    (path->count == count));
    path->count = count;
    for (size_t other = 0; other <= n; other++) {
        struct ves_hash wrong = naive_root(0, other);
        assert_true(is_consistent(path, m, &wrong, n, &new) == (other == m));
        if (m > 0) /* anything grows out of nothing */
            assert_true(is_consistent(path, m, &old, n, &wrong) ==
                        (other == n));
    }
    for (size_t bit = 0; bit < 256; bit += 5) {
        for (uint32_t d = 0; d < count; d++) {
            flip(&path->hash[d], bit);
            assert_false(is_consistent(path, m, &old, n, &new));
            flip(&path->hash[d], bit);
        }
    }
}

static void test_consistency_lies(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 40; n++) {
        for (size_t m = 0; m <= n; m++) {
            static struct ves_tlog_path path;
            assert_int_equal(
                ves_tlog_consistency_make(&naive_source, m, n, &path), VES_OK);
            check_consistency_lies(&path, m, n);
        }
    }
}

/* Entries one has, and covers for runs one has not, give the same edge. */
static void test_covers(void **state)
{
    (void)state;
    for (size_t round = 0; round < 2000; round++) {
        struct ves_tlog_edge edge = {0}, whole = {0};
        size_t n = 1 + next_random() % PAIRS, kept = 1 + next_random() % 20;
        size_t covers = 0, runs = 0;
        for (uint64_t at = 0; at < n;) {
            uint64_t end = at + next_random() % kept;
            struct ves_tlog_node node;
            end = end > n ? n : end;
            runs += end > at;
            while (ves_tlog_cover_next(&at, end, &node)) {
                size_t width = (size_t)1 << node.level;
                struct ves_hash hash =
                    naive_root(node.index * width, (node.index + 1) * width);
                assert_int_equal(ves_tlog_edge_add(&edge, node.level, &hash),
                                 VES_OK);
                covers++;
            }
            if (at < n) {
                assert_int_equal(ves_tlog_edge_add(&edge, 0, &leaves[at]),
                                 VES_OK);
                at++;
            }
        }
        assert_true(covers <= runs * 16);
        assert_int_equal(ves_tlog_edge_at(&naive_source, n, &whole), VES_OK);
        assert_int_equal(edge.size, n);
        assert_memory_equal(edge.hash, whole.hash, whole.count * 32);
    }
}

/* No two neighbours of a cover could be one node. */
static void test_covers_are_minimal(void **state)
{
    (void)state;
    for (uint64_t from = 0; from < 140; from++) {
        for (uint64_t end = from; end < 140; end++) {
            struct ves_tlog_node before = {0}, node;
            bool has_before = false;
            for (uint64_t at = from; ves_tlog_cover_next(&at, end, &node);) {
                assert_false(has_before && before.level == node.level &&
                             before.index + 1 == node.index &&
                             before.index % 2 == 0);
                before = node;
                has_before = true;
            }
        }
    }
}

/* The tiles of a log, filled by what appending tells. */
static struct ves_hash rows[3][LARGE];
static size_t row_count[3];

static enum ves_status read_rows(void *ctx, const struct ves_tile *tile,
                                 struct ves_hash *hashes)
{
    (void)ctx;
    assert_true(tile->level < 3 && !tile->is_entries);
    assert_true(tile->index * VES_TILE_WIDTH + tile->width <=
                row_count[tile->level]);
    memcpy(hashes, &rows[tile->level][tile->index * VES_TILE_WIDTH],
           tile->width * sizeof(*hashes));
    return VES_OK;
}

static void fill_rows(size_t size)
{
    struct ves_tlog_edge edge = {0};
    memset(row_count, 0, sizeof(row_count));
    for (size_t i = 0; i < size; i++) {
        struct ves_tlog_made made[VES_TLOG_MADE_MAX];
        size_t count;
        assert_int_equal(ves_tlog_edge_append(&edge, &leaves[i], made, &count),
                         VES_OK);
        for (size_t k = 0; k < count; k++) {
            uint32_t row = made[k].node.level / 8;
            assert_int_equal(made[k].node.level % 8, 0);
            assert_int_equal(made[k].node.index, row_count[row]);
            rows[row][row_count[row]++] = made[k].hash;
        }
    }
    for (uint32_t level = 0; level < 3; level++)
        assert_int_equal(row_count[level], size >> 8 * level);
}

static void test_tiles(void **state)
{
    (void)state;
    fill_rows(LARGE);
    for (size_t round = 0; round < 3000; round++) {
        static struct ves_tile_source tiles;
        size_t n = 1 + next_random() % LARGE, i = next_random() % n;
        struct ves_tlog_path path;
        struct ves_hash root, old;
        struct ves_tlog_edge edge;

        ves_tile_source_init(&tiles, n, read_rows, NULL);
        assert_int_equal(ves_tlog_edge_at(&tiles.source, n, &edge), VES_OK);
        ves_tlog_edge_root(&edge, &root);
        tiles.reads = 0;
        assert_int_equal(
            ves_tlog_inclusion_make(&tiles.source, leaf_node(i), n, &path),
            VES_OK);
        assert_true(tiles.reads <= 5);
        assert_true(is_included(&path, leaf_node(i), n, &leaves[i], &root));
        assert_int_equal(ves_tlog_edge_at(&tiles.source, i, &edge), VES_OK);
        ves_tlog_edge_root(&edge, &old);
        tiles.reads = 0;
        assert_int_equal(ves_tlog_consistency_make(&tiles.source, i, n, &path),
                         VES_OK);
        assert_true(tiles.reads <= 5);
        assert_true(is_consistent(&path, i, &old, n, &root));
        assert_int_equal(
            ves_tlog_inclusion_make(&tiles.source, leaf_node(0), n + 1, &path),
            VES_INVALID);
    }
    struct ves_hash root, want = naive_root(0, LARGE);
    static struct ves_tile_source tiles;
    struct ves_tlog_edge edge;
    ves_tile_source_init(&tiles, LARGE, read_rows, NULL);
    assert_int_equal(ves_tlog_edge_at(&tiles.source, LARGE, &edge), VES_OK);
    ves_tlog_edge_root(&edge, &root);
    assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
}

static enum ves_status read_nothing(void *ctx, const struct ves_tile *tile,
                                    struct ves_hash *hashes)
{
    (void)ctx, (void)tile, (void)hashes;
    return VES_IO;
}

static void test_a_source_that_fails(void **state)
{
    (void)state;
    static struct ves_tile_source tiles;
    struct ves_tlog_path path = {.count = 77};
    struct ves_tlog_edge edge = {.size = 77};

    ves_tile_source_init(&tiles, 1000, read_nothing, NULL);
    assert_int_equal(
        ves_tlog_inclusion_make(&tiles.source, leaf_node(5), 1000, &path),
        VES_IO);
    assert_int_equal(ves_tlog_consistency_make(&tiles.source, 5, 1000, &path),
                     VES_IO);
    assert_int_equal(ves_tlog_edge_at(&tiles.source, 5, &edge), VES_IO);
    assert_int_equal(path.count, 77);
    assert_int_equal(edge.size, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_inclusion),
        cmocka_unit_test(test_inclusion_of_subtrees),
        cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_inclusion_lies),
        cmocka_unit_test(test_consistency_lies),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_covers_are_minimal),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_a_source_that_fails),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
