/* prop_merkle.c -- batch trees against a naive recursion, exhaustively small.
 *
 * Sizes 1 to 64, every index, every single-bit flip of leaf, root and path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/merkle.h"
#include "crypto/crypto.h"

enum { SIZE_MAX_TESTED = 64 };

static struct ves_hash leaves[SIZE_MAX_TESTED];
static struct ves_hash scratch[SIZE_MAX_TESTED];

/* Leaf number i is the hash of the seed and i. */
static int set_up(void **state)
{
    (void)state;
    const char *text = getenv("VES_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)seed);
    for (uint64_t i = 0; i < SIZE_MAX_TESTED; i++) {
        const uint64_t words[2] = {seed, i};
        ves_sha256_one(words, sizeof(words), &leaves[i]);
    }
    return 0;
}

/* Root over the leaves from first on, width of them, a power of two; those
 * from count on are padding. */
static struct ves_hash naive_root(size_t first, size_t width, size_t count)
{
    struct ves_hash hash;
    if (width == 1) {
        if (first < count)
            return leaves[first];
        ves_sha256_one("VES_PAD_LEAF_V1", 15, &hash);
        return hash;
    }
    struct ves_hash left = naive_root(first, width / 2, count);
    struct ves_hash right = naive_root(first + width / 2, width / 2, count);
    uint8_t preimage[11 + 64];
    memcpy(preimage, "VES_NODE_V1", 11);
    memcpy(preimage + 11, left.b, 32);
    memcpy(preimage + 43, right.b, 32);
    ves_sha256_one(preimage, sizeof(preimage), &hash);
    return hash;
}

static size_t naive_width(size_t count)
{
    return count <= 1 ? 1 : 2 * naive_width((count + 1) / 2);
}

static void test_root(void **state)
{
    (void)state;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
        struct ves_hash root, expected = naive_root(0, naive_width(n), n);
        assert_int_equal(ves_padded_count(n), naive_width(n));
        assert_int_equal(ves_merkle_root(leaves, n, scratch, &root), VES_OK);
        assert_memory_equal(root.b, expected.b, VES_HASH_SIZE);
    }
}

/* The sibling at each level is the naive root of the neighbouring subtree. */
static void check_path(const struct ves_inclusion *proof, size_t n,
                       size_t index)
{
    size_t width = 1, at = index;
    for (uint32_t d = 0; d < proof->depth; d++) {
        struct ves_hash sibling = naive_root((at ^ 1) * width, width, n);
        assert_memory_equal(proof->path[d].b, sibling.b, VES_HASH_SIZE);
        width *= 2;
        at /= 2;
    }
    assert_int_equal(width, naive_width(n));
}

static bool holds(const struct ves_inclusion *proof,
                  const struct ves_hash *leaf, const struct ves_hash *root)
{
    enum ves_status status = ves_inclusion_check(proof, leaf, root);
    assert_true(status == VES_OK || status == VES_REFUSED);
    return status == VES_OK;
}

/* Any other index is refused: a neighbour's, one with a high bit, one past
 * the end. */
static void check_other_indices(const struct ves_inclusion *proof,
                                const struct ves_hash *leaf,
                                const struct ves_hash *root)
{
    struct ves_inclusion other = *proof;
    for (uint64_t i = 0; i < 2 * SIZE_MAX_TESTED; i++) {
        other.leaf_index = i;
        assert_true(holds(&other, leaf, root) == (i == proof->leaf_index));
    }
    for (uint32_t bit = 0; bit < 64; bit++) {
        other.leaf_index = proof->leaf_index ^ UINT64_C(1) << bit;
        assert_false(holds(&other, leaf, root));
    }
}

static void check_other_depths(const struct ves_inclusion *proof,
                               const struct ves_hash *leaf,
                               const struct ves_hash *root)
{
    struct ves_inclusion other = *proof;
    memset(&other.path[proof->depth], 0,
           (VES_PROOF_PATH_MAX - proof->depth) * sizeof(other.path[0]));
    for (uint32_t depth = 0; depth <= VES_PROOF_PATH_MAX; depth++) {
        other.depth = depth;
        assert_true(holds(&other, leaf, root) == (depth == proof->depth));
    }
}

static void test_proofs(void **state)
{
    (void)state;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
        struct ves_hash root = naive_root(0, naive_width(n), n);
        for (size_t i = 0; i < n; i++) {
            static struct ves_inclusion proof;
            assert_int_equal(ves_inclusion_make(leaves, n, i, scratch, &proof),
                             VES_OK);
            assert_int_equal(proof.leaf_index, i);
            check_path(&proof, n, i);
            assert_true(holds(&proof, &leaves[i], &root));
            check_other_indices(&proof, &leaves[i], &root);
            check_other_depths(&proof, &leaves[i], &root);
            for (size_t k = 0; k < n; k++)
                assert_true(holds(&proof, &leaves[k], &root) == (k == i));
        }
    }
}

static void flip(struct ves_hash *hash, uint32_t bit)
{
    hash->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void check_flips(struct ves_inclusion *proof, struct ves_hash leaf,
                        struct ves_hash root)
{
    assert_true(holds(proof, &leaf, &root));
    for (uint32_t bit = 0; bit < 256; bit++) {
        flip(&leaf, bit);
        assert_false(holds(proof, &leaf, &root));
        flip(&leaf, bit);
        flip(&root, bit);
        assert_false(holds(proof, &leaf, &root));
        flip(&root, bit);
        for (uint32_t d = 0; d < proof->depth; d++) {
            flip(&proof->path[d], bit);
            assert_false(holds(proof, &leaf, &root));
            flip(&proof->path[d], bit);
        }
    }
}

static void test_flips(void **state)
{
    (void)state;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
        struct ves_hash root = naive_root(0, naive_width(n), n);
        for (size_t i = 0; i < n; i++) {
            static struct ves_inclusion proof;
            assert_int_equal(ves_inclusion_make(leaves, n, i, scratch, &proof),
                             VES_OK);
            check_flips(&proof, leaves[i], root);
        }
    }
}

/* Leaves, padding and nodes never stand for one another. */
static void test_padding_is_no_leaf(void **state)
{
    (void)state;
    static struct ves_inclusion proof;
    struct ves_hash pad, root;
    ves_pad_leaf(&pad);
    for (size_t n = 1; n < SIZE_MAX_TESTED; n++) {
        assert_int_equal(ves_merkle_root(leaves, n, scratch, &root), VES_OK);
        struct ves_hash shorter = naive_root(0, naive_width(n + 1), n + 1);
        assert_memory_not_equal(root.b, shorter.b, VES_HASH_SIZE);
        assert_int_equal(ves_inclusion_make(leaves, n, n - 1, scratch, &proof),
                         VES_OK);
        assert_false(holds(&proof, &pad, &root));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_padding_is_no_leaf),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
