/* test_keydir.c -- key directories, validity by sequence, possession. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "core/keydir.h"
#include "crypto/crypto.h"
#include "test/lib/test_util.h"

#define AGENT "80441726-74e2-430a-95ae-97ce21c6351b"
#define OTHER "22222222-2222-2222-2222-222222222222"
#define KEY1  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define KEY2  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    return ves_crypto_init() == VES_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

static void test_covers(void **state)
{
    (void)state;
    struct ves_agent_key key = {.valid_from_sequence = 5};
    assert_false(ves_agent_key_covers(&key, 0));
    assert_false(ves_agent_key_covers(&key, 4));
    assert_true(ves_agent_key_covers(&key, 5));
    assert_true(ves_agent_key_covers(&key, INT64_MAX));
    key.revoked_at_sequence = 7;
    assert_true(ves_agent_key_covers(&key, 6));
    assert_false(ves_agent_key_covers(&key, 7));
    assert_false(ves_agent_key_covers(&key, 8));
    /* Revoked before it began: never valid. */
    key.revoked_at_sequence = 5;
    assert_false(ves_agent_key_covers(&key, 5));
    /* Wall-clock members decide nothing (D17). */
    key.revoked_at_sequence = 0;
    key.revoked_at_ms = 1;
    key.valid_to_ms = 1;
    assert_true(ves_agent_key_covers(&key, 5));
}

/* Shape of protocol.md A.10: one agent, named by the directory. */
static void test_agent_directory(void **state)
{
    (void)state;
    struct ves_agent_key *keys;
    size_t count;
    const struct ves_json *directory = test_json(
        &arena,
        "{\"agentId\":\"" AGENT "\",\"tenantId\":\"" OTHER "\",\"keys\":["
        "{\"keyId\":1,\"algorithm\":\"unspecified\",\"publicKey\":\"0x" KEY1
        "\",\"publicKeyBundle\":null,\"validFrom\":\"2026-01-01T00:00:00Z\","
        "\"validTo\":null,\"revokedAt\":null},"
        "{\"keyId\":2,\"algorithm\":\"x25519\",\"publicKey\":\"0x00\"},"
        "{\"keyId\":3,\"algorithm\":\"ed25519\",\"publicKey\":\"" KEY2
        "\",\"validTo\":\"2026-03-01T00:00:00Z\","
        "\"revokedAt\":\"2026-02-01T00:00:00.5Z\"}],"
        "\"signedAt\":\"2026-10-01T00:00:00Z\"}");

    assert_int_equal(ves_keydir_read(&arena, directory, &keys, &count), VES_OK);
    assert_int_equal(count, 2);
    struct ves_uuid agent = test_uuid(AGENT);
    assert_true(ves_uuid_equal(&keys[0].agent, &agent));
    assert_int_equal(keys[0].key_id, 1);
    assert_string_equal(keys[0].algorithm, "unspecified");
    assert_true(test_is_hex(ves_bytes_str(KEY1), keys[0].public_key.b, 32));
    assert_true(keys[0].valid_from_ms == INT64_C(1767225600000));
    assert_true(keys[0].valid_to_ms == 0 && keys[0].revoked_at_ms == 0);
    assert_int_equal(keys[0].valid_from_sequence, 1);
    assert_int_equal(keys[0].revoked_at_sequence, 0);
    assert_string_equal(keys[0].registrar, "");
    assert_int_equal(keys[1].key_id, 3);
    assert_true(keys[1].valid_to_ms == INT64_C(1772323200000));
    assert_true(keys[1].revoked_at_ms == INT64_C(1769904000500));
}

/* Shape of protocol.md H: agents in the entries, sequences, registrar. */
static void test_stream_directory(void **state)
{
    (void)state;
    struct ves_agent_key *keys;
    size_t count;
    const struct ves_json *directory = test_json(
        &arena, "{\"keys\":[{\"agentId\":\"" OTHER "\",\"keyId\":4294967295,"
                "\"algorithm\":\"ed25519\",\"publicKey\":\"0x" KEY1
                "\",\"validFromSequence\":12,\"revokedAtSequence\":40,"
                "\"registrar\":\"invitation\"}]}");

    assert_int_equal(ves_keydir_read(&arena, directory, &keys, &count), VES_OK);
    assert_int_equal(count, 1);
    struct ves_uuid agent = test_uuid(OTHER);
    assert_true(ves_uuid_equal(&keys[0].agent, &agent));
    assert_int_equal(keys[0].key_id, UINT32_MAX);
    assert_int_equal(keys[0].valid_from_sequence, 12);
    assert_int_equal(keys[0].revoked_at_sequence, 40);
    assert_string_equal(keys[0].registrar, "invitation");
}

static void test_refused(void **state)
{
    (void)state;
#define ENTRY(agent, id, alg, key, more)                                    \
    "{\"keys\":[{\"agentId\":" agent ",\"keyId\":" id ",\"algorithm\":" alg \
    ",\"publicKey\":" key more "}]}"
#define A "\"" AGENT "\""
#define E "\"ed25519\""
#define K "\"0x" KEY1 "\""
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"keys\":{}}",
        "{\"keys\":[1]}",
        "{\"keys\":[{}]}",
        ENTRY("null", "1", E, K, ""),
        ENTRY("\"x\"", "1", E, K, ""),
        ENTRY(A, "-1", E, K, ""),
        ENTRY(A, "4294967296", E, K, ""),
        ENTRY(A, "\"1\"", E, K, ""),
        ENTRY(A, "1", "1", K, ""),
        ENTRY(A, "1", E, "\"0x00\"", ""),
        ENTRY(A, "1", E, "null", ""),
        ENTRY(A, "1", E, K, ",\"validFrom\":\"yesterday\""),
        ENTRY(A, "1", E, K, ",\"validTo\":5"),
        ENTRY(A, "1", E, K, ",\"revokedAt\":\"\""),
        ENTRY(A, "1", E, K, ",\"validFromSequence\":0"),
        ENTRY(A, "1", E, K, ",\"validFromSequence\":\"1\""),
        ENTRY(A, "1", E, K, ",\"revokedAtSequence\":0"),
        ENTRY(A, "1", E, K, ",\"revokedAtSequence\":1.5"),
        ENTRY(A, "1", E, K, ",\"registrar\":7"),
        ENTRY(A, "1", E, K,
              ",\"registrar\":\"0123456789012345678901234567890123456789\""),
        ENTRY(A, "1", E, K, ",\"registrar\":\"a\\u0000b\""),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ves_agent_key *keys = NULL;
        size_t count = 99;
        assert_int_equal(
            ves_keydir_read(&arena, test_json(&arena, bad[i]), &keys, &count),
            VES_MALFORMED);
        assert_int_equal(count, 99);
    }
    struct ves_agent_key *keys;
    size_t count;
    assert_int_equal(ves_keydir_read(&arena,
                                     test_json(&arena, ENTRY(A, "1", E, K, "")),
                                     &keys, &count),
                     VES_OK);
    assert_int_equal(count, 1);
}

/* The hash leaves out the signature, and only that. */
static void test_hash_rules(void **state)
{
    (void)state;
    struct ves_hash a, b, c, expected;
    const struct ves_alloc *alloc = ves_alloc_default();
    static const char canonical[] = "VES_KEYDIR_V1{\"a\":null,\"keys\":[]}";

    assert_int_equal(
        ves_keydir_hash(&arena, alloc,
                        test_json(&arena, "{\"keys\":[],\"a\":null}"), &a),
        VES_OK);
    ves_sha256_one(canonical, sizeof(canonical) - 1, &expected);
    assert_memory_equal(a.b, expected.b, VES_HASH_SIZE);
    assert_int_equal(
        ves_keydir_hash(&arena, alloc,
                        test_json(&arena, "{\"keys\":[], \"a\" :null,"
                                          "\"directorySignature\":\"0x\"}"),
                        &b),
        VES_OK);
    assert_memory_equal(a.b, b.b, VES_HASH_SIZE);
    assert_int_equal(
        ves_keydir_hash(&arena, alloc, test_json(&arena, "{\"keys\":[]}"), &c),
        VES_OK);
    assert_memory_not_equal(a.b, c.b, VES_HASH_SIZE);
    assert_int_equal(
        ves_keydir_hash(&arena, alloc, test_json(&arena, "[]"), &c),
        VES_MALFORMED);
    assert_int_equal(ves_keydir_hash(&arena, alloc, NULL, &c), VES_MALFORMED);
}

/* pop_challenge_ed25519_pubkey_only of derived_ves_vectors.json. */
static void test_possession(void **state)
{
    (void)state;
    struct ves_public_key key;
    struct ves_hash hash;
    test_hex(KEY1, key.b, 32);
    ves_pop_hash(&key, &hash);
    assert_true(test_is_hex(ves_bytes_str("2e2bf429472257d0e429b79efd292f52"
                                          "18c207ffd0489043d6c4fc80f54d9805"),
                            hash.b, VES_HASH_SIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_agent_directory),
        cmocka_unit_test(test_stream_directory),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hash_rules),
        cmocka_unit_test(test_possession),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
