/* test_merkle.c -- leaves, batch trees, proofs and the commitment chain.
 *
 * Known values are those of test/vectors/derived_ves_vectors.json; all of
 * them are walked by test_vectors.c.
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
#include "test/lib/test_util.h"

static const struct ves_stream *stream(void)
{
    static struct ves_stream s;
    s.tenant = test_uuid("64527dd3-a654-4410-9327-e58a1492ce77");
    s.store = test_uuid("91def158-819a-4461-b5c9-7759750ad157");
    return &s;
}

static void expect(const struct ves_hash *hash, const char *hex)
{
    struct ves_hash expected = test_hash(hex);
    assert_memory_equal(hash->b, expected.b, VES_HASH_SIZE);
}

static void test_known_hashes(void **state)
{
    (void)state;
    struct ves_hash hash, event, prev = {{0}}, root;
    struct ves_sig sig;

    event = test_hash(
        "dddac2cbe5ccf8e7e007e60bd17439ca28ac47a7a4d1b02ac4b406f694d263b6");
    test_hex("4febd7ed297ae02dda89066ae62d0b4d40b7afcd0090441ab6d02aa19a4d3de5"
             "7194c34e029d1674bdd7e39294bcb06e72f0d9bcd2908bf88c4c494a14d03702",
             sig.b, sizeof(sig.b));
    ves_leaf_hash(stream(), 1, &event, &sig, &hash);
    expect(&hash,
           "8c1bb09e9785266cbcb026088321129e33e312791425dd507a1d5bf941b9bf8e");
    ves_pad_leaf(&hash);
    expect(&hash,
           "d9dd0e003ba5370a698013c48ed69c6c41d9ebc1236d44b280c52ceacfdad524");
    ves_stream_id(stream(), &hash);
    expect(&hash,
           "4d40d17f96bcd030441655dd9aba4656ffdfe3d5d873182568f57ed813dfcfa6");
    root = test_hash(
        "2365fc00428a3de4c3af0e50d271209a6f962e2e58e4507adcdad87d41e61c1f");
    ves_state_root(&hash, &prev, &root, 1, 3, 3, &root);
    expect(&root,
           "d47f05578ade08166d078c4a004432618d427cf87720cf5b98abe1bf4db31864");
}

static void test_counts(void **state)
{
    (void)state;
    const struct {
        uint64_t count;
        uint64_t padded;
        uint32_t depth;
    } cases[] = {{1, 1, 0},
                 {2, 2, 1},
                 {3, 4, 2},
                 {4, 4, 2},
                 {5, 8, 3},
                 {65535, 65536, 16},
                 {65536, 65536, 16},
                 {65537, 131072, 17},
                 {(UINT64_C(1) << 62) + 1, UINT64_C(1) << 63, 63},
                 {UINT64_C(1) << 63, UINT64_C(1) << 63, 63}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ves_padded_count(cases[i].count), cases[i].padded);
        assert_int_equal(ves_tree_depth(cases[i].count), cases[i].depth);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct ves_hash *leaves = calloc(VES_COMMITMENT_MAX, sizeof(*leaves));
    struct ves_hash *scratch = calloc(VES_COMMITMENT_MAX, sizeof(*scratch));
    struct ves_hash root, untouched;
    struct ves_inclusion proof;
    assert_true(leaves && scratch);

    memset(&root, 0x5a, sizeof(root));
    untouched = root;
    assert_int_equal(ves_merkle_root(leaves, 0, scratch, &root), VES_INVALID);
    assert_int_equal(
        ves_merkle_root(leaves, VES_COMMITMENT_MAX + 1, scratch, &root),
        VES_INVALID);
    assert_memory_equal(&root, &untouched, sizeof(root));
    assert_int_equal(ves_inclusion_make(leaves, 0, 0, scratch, &proof),
                     VES_INVALID);
    assert_int_equal(ves_inclusion_make(leaves, 3, 3, scratch, &proof),
                     VES_INVALID);
    assert_int_equal(
        ves_inclusion_make(leaves, VES_COMMITMENT_MAX + 1, 0, scratch, &proof),
        VES_INVALID);

    /* The largest one works, and its proofs have 16 steps. */
    size_t last = VES_COMMITMENT_MAX - 1;
    leaves[last].b[0] = 1;
    assert_int_equal(
        ves_merkle_root(leaves, VES_COMMITMENT_MAX, scratch, &root), VES_OK);
    assert_int_equal(
        ves_inclusion_make(leaves, VES_COMMITMENT_MAX, last, scratch, &proof),
        VES_OK);
    assert_int_equal(proof.depth, 16);
    assert_int_equal(ves_inclusion_check(&proof, &leaves[last], &root), VES_OK);
    free(leaves);
    free(scratch);
}

/* Sibling number d of the path below. */
static struct ves_hash sibling(uint32_t d)
{
    struct ves_hash hash = {{(uint8_t)d}};
    return hash;
}

static struct ves_hash climb(uint64_t index, uint32_t depth,
                             const struct ves_hash *leaf)
{
    struct ves_hash at = *leaf;
    for (uint32_t d = 0; d < depth; d++) {
        struct ves_hash below = at, beside = sibling(d);
        if (d < 64 && index >> d & 1)
            ves_node_hash(&beside, &below, &at);
        else
            ves_node_hash(&below, &beside, &at);
    }
    return at;
}

/* A path of 64 siblings is the longest there may be; its index uses all 64
 * bits.  The 65th sibling is there too, right behind: it must not be used. */
static void test_longest_path(void **state)
{
    (void)state;
    static union {
        struct ves_inclusion proof;
        uint8_t bytes[sizeof(struct ves_inclusion) + VES_HASH_SIZE];
    } memory;
    struct ves_inclusion *const proof = &memory.proof;
    const struct ves_hash leaf = {{1}};
    struct ves_hash at;

    proof->leaf_index = UINT64_C(0x8000000000000001);
    proof->depth = VES_PROOF_PATH_MAX;
    for (uint32_t d = 0; d < VES_PROOF_PATH_MAX; d++)
        proof->path[d] = sibling(d);
    const struct ves_hash behind = sibling(VES_PROOF_PATH_MAX);
    memcpy(memory.bytes + offsetof(struct ves_inclusion, path) +
               sizeof(proof->path),
           behind.b, VES_HASH_SIZE);
    at = climb(proof->leaf_index, VES_PROOF_PATH_MAX, &leaf);
    assert_int_equal(ves_inclusion_check(proof, &leaf, &at), VES_OK);
    proof->depth = VES_PROOF_PATH_MAX + 1;
    at = climb(proof->leaf_index, VES_PROOF_PATH_MAX + 1, &leaf);
    assert_int_equal(ves_inclusion_check(proof, &leaf, &at), VES_REFUSED);
    proof->depth = UINT32_MAX;
    assert_int_equal(ves_inclusion_check(proof, &leaf, &at), VES_REFUSED);
    /* No path: the leaf is the root, and only index 0 exists. */
    proof->depth = 0;
    proof->leaf_index = 0;
    assert_int_equal(ves_inclusion_check(proof, &leaf, &leaf), VES_OK);
    proof->leaf_index = 1;
    assert_int_equal(ves_inclusion_check(proof, &leaf, &leaf), VES_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_hashes),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_longest_path),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
