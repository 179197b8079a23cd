/* test_pool.c -- the worker pool answers as one thread does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "os/keyfile.h"
#include "os/pool.h"

static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    return ves_crypto_init() != VES_OK;
}

enum { ITEMS = 1000 };

/* Good and bad signatures; bad ones differ in one bit of something. */
static void make_items(struct ves_verify_item *items)
{
    struct ves_secret_key secret[4];
    struct ves_public_key key[4];
    for (uint8_t i = 0; i < 4; i++) {
        uint8_t seed[VES_SEED_SIZE] = {i};
        ves_ed25519_keypair(seed, &secret[i], &key[i]);
    }
    for (unsigned i = 0; i < ITEMS; i++) {
        ves_sha256_one(&i, sizeof(i), &items[i].hash);
        items[i].key = key[i % 4];
        ves_ed25519_sign(&secret[i % 4],
                         ves_bytes(items[i].hash.b, VES_HASH_SIZE),
                         &items[i].sig);
        items[i].is_valid = i % 2; /* must be written either way */
        if (i % 7 == 0)
            items[i].hash.b[i % 32] ^= 1;
        if (i % 11 == 0)
            items[i].sig.b[i % 64] ^= (uint8_t)(1 << i % 8);
        if (i % 13 == 0)
            items[i].key = key[(i + 1) % 4];
    }
}

static void pools_answer_as_one_thread_does(void **state)
{
    static struct ves_verify_item items[ITEMS];
    static bool expected[ITEMS];
    unsigned bad = 0;
    (void)state;
    make_items(items);
    for (unsigned i = 0; i < ITEMS; i++) {
        expected[i] = ves_ed25519_verify(
            &items[i].key, ves_bytes(items[i].hash.b, VES_HASH_SIZE),
            &items[i].sig);
        bad += !expected[i];
    }
    assert_in_range(bad, ITEMS / 5, ITEMS / 3);
    for (unsigned threads = 0; threads <= 5; threads++) {
        struct ves_pool *pool;
        assert_int_equal(
            ves_pool_new(ves_alloc_default(), threads, &pool, &error), VES_OK);
        assert_int_equal(ves_pool_threads(pool),
                         threads ? threads : ves_pool_threads(pool));
        struct ves_verifier *verifier = ves_pool_verifier(pool);
        static const size_t counts[] = {ITEMS, 0, 1, 7, 8, 9, 17, 100};
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            make_items(items);
            verifier->verify(verifier, items, counts[c]);
            for (unsigned i = 0; i < counts[c]; i++)
                assert_int_equal(items[i].is_valid, expected[i]);
        }
        ves_pool_free(pool);
    }
    ves_pool_free(NULL);
}

static void parallel_signatures_are_the_same(void **state)
{
    static struct ves_sign_item one[ITEMS], many[ITEMS];
    const uint8_t seed[VES_SEED_SIZE] = {42};
    struct ves_signer *outer;
    struct ves_pool *pool;
    (void)state;
    struct ves_signer *inner = ves_signer_from_seed(seed);
    assert_non_null(inner);
    assert_int_equal(ves_pool_new(ves_alloc_default(), 4, &pool, &error),
                     VES_OK);
    assert_int_equal(ves_pool_signer_new(pool, inner, &outer), VES_OK);
    assert_memory_equal(outer->public_key.b, inner->public_key.b, VES_KEY_SIZE);
    for (unsigned i = 0; i < ITEMS; i++) {
        ves_sha256_one(&i, sizeof(i), &one[i].hash);
        many[i].hash = one[i].hash;
    }
    inner->sign(inner, one, ITEMS);
    outer->sign(outer, many, ITEMS);
    assert_memory_equal(one, many, sizeof(one));
    /* And in two halves, of several batches at a time, of every size. */
    for (size_t count = 0; count <= ITEMS; count += 1 + count / 3) {
        struct ves_signing halves[2] = {
            {.items = many, .count = count / 2},
            {.items = many + count / 2, .count = count - count / 2}};
        for (unsigned i = 0; i < ITEMS; i++)
            memset(&many[i].sig, 0, sizeof(many[i].sig));
        outer->begin(outer, &halves[0]);
        outer->begin(outer, &halves[1]);
        outer->end(outer, &halves[1]);
        outer->end(outer, &halves[0]);
        assert_memory_equal(one, many, count * sizeof(one[0]));
    }
    ves_pool_signer_free(outer);
    ves_pool_signer_free(NULL);
    ves_pool_free(pool);
    ves_signer_free(inner);
}

struct caller {
    pthread_t thread;
    struct ves_verifier *verifier;
    struct ves_verify_item items[100];
    bool ok;
};

static void *call_often(void *ctx)
{
    struct caller *caller = ctx;
    caller->ok = true;
    for (int round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 100; i++)
            caller->items[i].is_valid = i % 5 == 0;
        caller->verifier->verify(caller->verifier, caller->items, 100);
        for (unsigned i = 0; i < 100; i++)
            caller->ok &= caller->items[i].is_valid == (i % 5 != 0);
    }
    return NULL;
}

static void many_callers_share_a_pool(void **state)
{
    static struct caller callers[4];
    const uint8_t seed[VES_SEED_SIZE] = {43};
    struct ves_secret_key secret;
    struct ves_public_key key;
    struct ves_pool *pool;
    (void)state;
    ves_ed25519_keypair(seed, &secret, &key);
    assert_int_equal(ves_pool_new(ves_alloc_default(), 3, &pool, &error),
                     VES_OK);
    for (unsigned c = 0; c < 4; c++) {
        callers[c].verifier = ves_pool_verifier(pool);
        for (unsigned i = 0; i < 100; i++) {
            struct ves_verify_item *item = &callers[c].items[i];
            unsigned words[2] = {c, i};
            ves_sha256_one(words, sizeof(words), &item->hash);
            item->key = key;
            ves_ed25519_sign(&secret, ves_bytes(item->hash.b, VES_HASH_SIZE),
                             &item->sig);
            if (i % 5 == 0)
                item->sig.b[3] ^= 1;
        }
    }
    for (unsigned c = 0; c < 4; c++)
        assert_int_equal(
            pthread_create(&callers[c].thread, NULL, call_often, &callers[c]),
            0);
    for (unsigned c = 0; c < 4; c++) {
        assert_int_equal(pthread_join(callers[c].thread, NULL), 0);
        assert_true(callers[c].ok);
    }
    ves_pool_free(pool);
}

/* ---- more keys than there are tables --------------------------------------
 */

enum { CROWD = 140, CROWD_THREADS = 4, VISITED = 45, OF_EACH = 32 };

struct crowd {
    pthread_t thread;
    struct ves_verifier *verifier;
    const struct ves_verify_item *good; /* one of each key */
    size_t first;
    bool ok;
};

static void *verify_of_many_keys(void *ctx)
{
    struct crowd *crowd = ctx;
    struct ves_verify_item items[OF_EACH];
    crowd->ok = true;
    for (size_t i = 0; i < VISITED; i++) {
        for (size_t j = 0; j < OF_EACH; j++) {
            items[j] = crowd->good[(crowd->first + i + j % 2) % CROWD];
            items[j].is_valid = j % 5 == 0;
            items[j].sig.b[40] ^= j % 5 == 0;
        }
        crowd->verifier->verify(crowd->verifier, items, OF_EACH);
        for (size_t j = 0; j < OF_EACH; j++)
            crowd->ok &= items[j].is_valid == (j % 5 != 0);
    }
    return NULL;
}

/* Tables are built, used and given up by several at a time. */
static void tables_come_and_go(void **state)
{
    static struct ves_verify_item good[CROWD];
    struct crowd crowds[CROWD_THREADS];
    struct ves_pool *pool;
    (void)state;
    for (size_t i = 0; i < CROWD; i++) {
        const uint8_t seed[VES_SEED_SIZE] = {(uint8_t)i, 44};
        struct ves_secret_key secret;
        ves_ed25519_keypair(seed, &secret, &good[i].key);
        ves_sha256_one(&i, sizeof(i), &good[i].hash);
        ves_ed25519_sign(&secret, ves_bytes(good[i].hash.b, VES_HASH_SIZE),
                         &good[i].sig);
    }
    assert_int_equal(ves_pool_new(ves_alloc_default(), 2, &pool, &error),
                     VES_OK);
    for (size_t c = 0; c < CROWD_THREADS; c++) {
        crowds[c] = (struct crowd){.verifier = ves_pool_verifier(pool),
                                   .good = good,
                                   .first = c * CROWD / CROWD_THREADS};
        assert_int_equal(pthread_create(&crowds[c].thread, NULL,
                                        verify_of_many_keys, &crowds[c]),
                         0);
    }
    for (size_t c = 0; c < CROWD_THREADS; c++) {
        assert_int_equal(pthread_join(crowds[c].thread, NULL), 0);
        assert_true(crowds[c].ok);
    }
    ves_pool_free(pool);
}

static void *refuse(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)ptr;
    (void)size;
    return NULL;
}

static void pools_run_out_of_memory_politely(void **state)
{
    const struct ves_alloc none = {refuse, NULL};
    struct ves_pool *pool;
    (void)state;
    assert_int_equal(ves_pool_new(&none, 2, &pool, &error), VES_NOMEM);
}

int main(void)
{
#define CASE(f) cmocka_unit_test(f)
    const struct CMUnitTest tests[] = {
        CASE(pools_answer_as_one_thread_does),
        CASE(parallel_signatures_are_the_same),
        CASE(many_callers_share_a_pool),
        CASE(tables_come_and_go),
        CASE(pools_run_out_of_memory_politely),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("pool", tests, set_up, NULL);
}
