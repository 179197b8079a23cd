/* test_entity.c -- keys, buckets and the state root, against preimages
 * written out by hand and hashed by OpenSSL's EVP interface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "core/entity.h"

/* SHA-256 of a followed by b; another path than src/crypto takes. */
static struct ves_hash sha256(const char *tag, const void *data, size_t len)
{
    struct ves_hash hash;
    unsigned size = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(ctx, tag, strlen(tag)), 1);
    assert_int_equal(EVP_DigestUpdate(ctx, data, len), 1);
    assert_int_equal(EVP_DigestFinal_ex(ctx, hash.b, &size), 1);
    assert_int_equal(size, VES_HASH_SIZE);
    EVP_MD_CTX_free(ctx);
    return hash;
}

static void key_is_hash_of_type_nul_id(void **state)
{
    struct ves_hash key;
    (void)state;
    ves_entity_key(ves_bytes_str("order"), ves_bytes_str("A-1"), &key);
    struct ves_hash expected = sha256("", "order\0A-1", 9);
    assert_memory_equal(key.b, expected.b, VES_HASH_SIZE);
    ves_entity_key(ves_bytes(NULL, 0), ves_bytes(NULL, 0), &key);
    expected = sha256("", "\0", 1);
    assert_memory_equal(key.b, expected.b, VES_HASH_SIZE);
}

static void bucket_is_the_first_12_bits(void **state)
{
    struct ves_hash key;
    (void)state;
    memset(&key, 0, sizeof(key));
    for (unsigned i = 0; i < VES_STATE_BUCKETS; i++) {
        key.b[0] = (uint8_t)(i / 16);
        key.b[1] = (uint8_t)(i % 16 * 16 + i % 7);
        assert_int_equal(ves_entity_bucket(&key), i);
    }
}

static void type_ends_at_the_first_dot(void **state)
{
    static const char *const cases[][2] = {{"order.created", "order"},
                                           {"a.b.c", "a"},
                                           {"plain", "plain"},
                                           {".x", ""},
                                           {"", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(ves_bytes_is(ves_entity_type_of(ves_bytes_str(cases[i][0])),
                                 cases[i][1]));
    assert_int_equal(ves_entity_type_of(ves_bytes(NULL, 0)).len, 0);
}

static void bucket_hash_is_tag_and_pairs(void **state)
{
    struct ves_state_pair pairs[3];
    uint8_t preimage[3 * 64];
    (void)state;
    for (unsigned i = 0; i < sizeof(preimage); i++)
        preimage[i] = (uint8_t)(i * 5 + 1);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(pairs[i].key.b, preimage + 64 * i, 32);
        memcpy(pairs[i].state_hash.b, preimage + 64 * i + 32, 32);
    }
    for (size_t count = 0; count <= 3; count++) {
        struct ves_hash hash;
        ves_state_bucket_hash(pairs, count, &hash);
        struct ves_hash expected =
            sha256("VES_STATE_BUCKET_V1", preimage, 64 * count);
        assert_memory_equal(hash.b, expected.b, VES_HASH_SIZE);
    }
}

/* Root over width leaves from first on, from the definition. */
static struct ves_hash naive_root(const struct ves_hash *leaves, size_t first,
                                  size_t width)
{
    struct ves_hash pair[2];
    if (width == 1)
        return leaves[first];
    pair[0] = naive_root(leaves, first, width / 2);
    pair[1] = naive_root(leaves, first + width / 2, width / 2);
    return sha256("VES_STATE_NODE_V1", pair, sizeof(pair));
}

static void root_equals_a_naive_tree(void **state)
{
    static struct ves_hash given[VES_STATE_BUCKETS];
    static struct ves_hash leaves[VES_STATE_BUCKETS];
    struct ves_hash root;
    (void)state;
    for (unsigned i = 0; i < VES_STATE_BUCKETS; i++) {
        /* Most buckets of a small store are empty. */
        leaves[i] = i % 3 ? sha256("VES_STATE_BUCKET_V1", NULL, 0)
                          : sha256("leaf", &i, sizeof(i));
        if (i % 3 == 0)
            given[i] = leaves[i];
    }
    struct ves_hash expected = naive_root(leaves, 0, VES_STATE_BUCKETS);
    ves_state_root_hash(given, &root);
    assert_memory_equal(root.b, expected.b, VES_HASH_SIZE);
}

/* Written out or left zero, an empty bucket is the same. */
static void root_of_nothing(void **state)
{
    static struct ves_hash zero[VES_STATE_BUCKETS];
    static struct ves_hash empty[VES_STATE_BUCKETS];
    struct ves_hash a, b;
    (void)state;
    for (unsigned i = 0; i < VES_STATE_BUCKETS; i++)
        ves_state_bucket_hash(NULL, 0, &empty[i]);
    ves_state_root_hash(zero, &a);
    ves_state_root_hash(empty, &b);
    assert_memory_equal(a.b, b.b, VES_HASH_SIZE);
    struct ves_hash level = sha256("VES_STATE_BUCKET_V1", NULL, 0);
    for (int i = 0; i < 12; i++) {
        const struct ves_hash pair[2] = {level, level};
        level = sha256("VES_STATE_NODE_V1", pair, sizeof(pair));
    }
    assert_memory_equal(a.b, level.b, VES_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_hash_of_type_nul_id),
        cmocka_unit_test(bucket_is_the_first_12_bits),
        cmocka_unit_test(type_ends_at_the_first_dot),
        cmocka_unit_test(bucket_hash_is_tag_and_pairs),
        cmocka_unit_test(root_equals_a_naive_tree),
        cmocka_unit_test(root_of_nothing),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("entity", tests, NULL, NULL);
}
