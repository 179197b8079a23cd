/* test_key_tables.c -- with tables or without, the answers are libsodium's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/endian.h"
#include "crypto/crypto.h"
#include "crypto/key_table.h"
#include "os/key_tables.h"

enum { KEYS = 200, TABLES_MAX = 128, BUILD_AT = 8, ONE_BATCH = 16 };

static struct ves_secret_key secrets[KEYS];
static struct ves_public_key keys[KEYS];
static uint32_t counter;
static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    if (ves_crypto_init())
        return 1;
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t seed[VES_SEED_SIZE] = {(uint8_t)i, 7};
        ves_ed25519_keypair(seed, &secrets[i], &keys[i]);
    }
    return 0;
}

static struct ves_key_tables *new_tables(void)
{
    struct ves_key_tables *tables;
    assert_int_equal(ves_key_tables_new(ves_alloc_default(), &tables, &error),
                     VES_OK);
    return tables;
}

static void sign_item(size_t key, struct ves_verify_item *item)
{
    counter++;
    ves_sha256_one(&counter, sizeof(counter), &item->hash);
    item->key = keys[key];
    ves_ed25519_sign(&secrets[key], ves_bytes(item->hash.b, VES_HASH_SIZE),
                     &item->sig);
    item->is_valid = false;
}

/* Verifies count good signatures of one key; was there a table for it? */
static bool verify_some(struct ves_key_tables *tables, size_t key, size_t count)
{
    struct ves_verify_item items[ONE_BATCH];
    struct ves_key_lease lease;
    for (size_t i = 0; i < count; i++)
        sign_item(key, &items[i]);
    ves_key_tables_take(tables, items, count, &lease);
    bool has_table = lease.keys[0].table != NULL;
    ves_key_lease_verify(&lease, items, count);
    ves_key_tables_give(&lease);
    for (size_t i = 0; i < count; i++)
        assert_true(items[i].is_valid);
    return has_table;
}

static void a_key_seen_often_gets_a_table(void **state)
{
    struct ves_key_tables *tables = new_tables();
    (void)state;
    for (size_t i = 1; i < BUILD_AT; i++)
        assert_false(verify_some(tables, 0, 1));
    assert_true(verify_some(tables, 0, 1));
    assert_true(verify_some(tables, 0, 1));
    assert_false(verify_some(tables, 1, 1));
    assert_true(verify_some(tables, 1, BUILD_AT));
    ves_key_tables_free(tables);
}

/* The one longest out of use goes; what is seen now and then takes none. */
static void tables_are_few(void **state)
{
    struct ves_key_tables *tables = new_tables();
    size_t with = 0;
    (void)state;
    for (size_t i = 0; i < TABLES_MAX; i++)
        with += verify_some(tables, i, ONE_BATCH);
    assert_int_equal(with, TABLES_MAX);
    for (size_t i = 0; i < BUILD_AT + 4; i++)
        assert_false(verify_some(tables, TABLES_MAX, 1));
    assert_true(verify_some(tables, 0, 1));
    assert_true(verify_some(tables, TABLES_MAX, ONE_BATCH));
    assert_true(verify_some(tables, 0, 1));
    assert_false(verify_some(tables, 1, 1));
    assert_true(verify_some(tables, 2, 1));
    ves_key_tables_free(tables);
}

/* Who makes keys that begin alike keeps no other that does from its table. */
static void keys_alike_are_not_in_one_set(void **state)
{
    enum { ALIKE = 9 };
    const struct ves_secret_key secret = secrets[0];
    const struct ves_public_key key = keys[0];
    struct ves_key_tables *tables = new_tables();
    size_t found = 0;
    (void)state;
    for (uint64_t i = 0; found < ALIKE; i++) {
        uint8_t seed[VES_SEED_SIZE] = {9};
        ves_store_le64(seed + 1, i);
        ves_ed25519_keypair(seed, &secrets[0], &keys[0]);
        if (keys[0].b[0] != 0x2a)
            continue;
        assert_true(verify_some(tables, 0, ONE_BATCH));
        found++;
    }
    secrets[0] = secret;
    keys[0] = key;
    ves_key_tables_free(tables);
}

/* A lease keeps its tables, whoever wants one meanwhile. */
static void a_leased_table_stays(void **state)
{
    struct ves_key_tables *tables = new_tables();
    struct ves_verify_item items[ONE_BATCH];
    struct ves_key_lease lease;
    (void)state;
    for (size_t i = 0; i < ONE_BATCH; i++)
        sign_item(0, &items[i]);
    ves_key_tables_take(tables, items, ONE_BATCH, &lease);
    assert_non_null(lease.keys[0].table);
    /* Another lease of the same table, which is given back, ends none. */
    assert_true(verify_some(tables, 0, 1));
    for (size_t i = 1; i < KEYS; i++)
        assert_true(verify_some(tables, i, ONE_BATCH));
    assert_true(verify_some(tables, 0, 1));
    ves_key_lease_verify(&lease, items, ONE_BATCH);
    ves_key_tables_give(&lease);
    for (size_t i = 0; i < ONE_BATCH; i++)
        assert_true(items[i].is_valid);
    ves_key_tables_free(tables);
}

/* And the place of a key that has no table yet, however many others come. */
static void a_leased_place_stays(void **state)
{
    enum { OTHERS = 10000 };
    struct ves_key_tables *tables = new_tables();
    struct ves_verify_item item, other;
    struct ves_key_lease lease, others;
    (void)state;
    sign_item(0, &item);
    ves_key_tables_take(tables, &item, 1, &lease);
    sign_item(0, &other);
    for (uint64_t i = 0; i < OTHERS; i++) {
        memset(other.key.b, 0xff, VES_KEY_SIZE); /* no key */
        ves_store_le64(other.key.b + 8, i);
        ves_key_tables_take(tables, &other, 1, &others);
        ves_key_lease_verify(&others, &other, 1);
        assert_false(other.is_valid);
        ves_key_tables_give(&others);
    }
    for (size_t i = 2; i < BUILD_AT; i++)
        assert_false(verify_some(tables, 0, 1));
    assert_true(verify_some(tables, 0, 1));
    ves_key_tables_give(&lease);
    ves_key_tables_free(tables);
}

static bool ask(const struct ves_verify_item *item)
{
    return ves_ed25519_verify(
        &item->key, ves_bytes(item->hash.b, VES_HASH_SIZE), &item->sig);
}

/* Damages a signature, a hash or a key in a random place, or nothing. */
static void damage(struct ves_verify_item *item)
{
    uint8_t *parts[] = {item->sig.b, item->sig.b + 32, item->hash.b,
                        item->key.b};
    uint32_t at = randombytes_uniform(8);
    if (at < 4)
        parts[at][randombytes_uniform(32)] ^=
            (uint8_t)(1 << randombytes_uniform(8));
    if (at == 4)
        item->key = keys[randombytes_uniform(KEYS)];
    if (at == 5)
        randombytes_buf(item->sig.b, VES_SIG_SIZE);
}

/* With nobody behind them whom they ask: a table that refused too much would
 * only be slow elsewhere.  Items that are refused early leave the others be. */
static void tables_alone_give_the_same_answers(void **state)
{
    enum { FEW = 3 };
    const struct ves_alloc *alloc = ves_alloc_default();
    struct ves_base_table *base = ves_base_table_new(alloc);
    struct ves_key_table *table[FEW];
    (void)state;
    for (size_t i = 0; i < FEW; i++) {
        table[i] = ves_key_table_new(alloc, &keys[i]);
        assert_non_null(table[i]);
    }
    for (size_t count = 0; count <= VES_TABLE_BATCH; count++) {
        struct ves_verify_item items[VES_TABLE_BATCH];
        struct ves_table_item found[VES_TABLE_BATCH];
        for (size_t i = 0; i < count; i++) {
            sign_item(i % FEW, &items[i]);
            found[i] = (struct ves_table_item){table[i % FEW], &items[i]};
            items[i].is_valid = i % 2;
            if (randombytes_uniform(4) == 0)
                items[i].sig.b[randombytes_uniform(64)] ^= 4;
            if (randombytes_uniform(8) == 0)
                memset(items[i].sig.b + 32, 0xff, 32);
        }
        ves_key_table_verify(base, found, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(items[i].is_valid, ask(&items[i]));
    }
    for (size_t i = 0; i < FEW; i++)
        ves_key_table_free(alloc, table[i]);
    ves_base_table_free(alloc, base);
}

/* Batches of few and of many keys, more than a lease holds, too. */
static void answers_are_the_same(void **state)
{
    enum { COUNT = 1000 };
    static struct ves_verify_item items[COUNT];
    struct ves_key_tables *tables = new_tables();
    struct ves_key_lease lease;
    unsigned bad = 0;
    (void)state;
    for (uint32_t few = 1; few <= KEYS; few += 66) {
        for (size_t i = 0; i < COUNT; i++) {
            sign_item(randombytes_uniform(few), &items[i]);
            damage(&items[i]);
            items[i].is_valid = i % 2;
        }
        ves_key_tables_take(tables, items, COUNT, &lease);
        for (size_t from = 0; from < COUNT; from += 100)
            ves_key_lease_verify(&lease, items + from, 100);
        ves_key_tables_give(&lease);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(items[i].is_valid, ask(&items[i]));
            bad += !items[i].is_valid;
        }
    }
    assert_in_range(bad, 4 * COUNT / 2, 4 * COUNT * 4 / 5);
    ves_key_tables_free(tables);
}

/* A key of order 8 L has no table, and is asked of libsodium ever after. */
static void no_table_for_a_strange_key(void **state)
{
    struct ves_key_tables *tables = new_tables();
    struct ves_verify_item items[ONE_BATCH];
    struct ves_key_lease lease;
    uint8_t minus_1[32];
    (void)state;
    memset(minus_1, 0xff, 32);
    minus_1[0] = 0xec;
    minus_1[31] = 0x7f;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ONE_BATCH; i++) {
            sign_item(0, &items[i]);
            assert_int_equal(
                crypto_core_ed25519_add(items[i].key.b, keys[0].b, minus_1), 0);
        }
        ves_key_tables_take(tables, items, ONE_BATCH, &lease);
        assert_null(lease.keys[0].table);
        ves_key_lease_verify(&lease, items, ONE_BATCH);
        ves_key_tables_give(&lease);
        for (size_t i = 0; i < ONE_BATCH; i++)
            assert_false(items[i].is_valid);
    }
    ves_key_tables_free(tables);
}

/* ---- another libsodium ----------------------------------------------------
 */

static bool is_lenient, is_harsh;

/* Stands before libsodium's: one that takes everything, or nothing. */
int crypto_sign_verify_detached(const unsigned char *sig,
                                const unsigned char *message,
                                unsigned long long size,
                                const unsigned char *key)
{
    int (*theirs)(const unsigned char *, const unsigned char *,
                  unsigned long long, const unsigned char *) = NULL;
    *(void **)&theirs = dlsym(RTLD_NEXT, "crypto_sign_verify_detached");
    return is_lenient ? 0 : is_harsh ? -1 : theirs(sig, message, size, key);
}

/* If some libsodium took more than RFC 8032's equation with bytes compared,
 * whoever signs so would not end the process, and libsodium's answer counts. */
static void more_lenient_than_a_table(void **state)
{
    struct ves_key_tables *tables = new_tables();
    struct ves_verify_item items[ONE_BATCH];
    struct ves_key_lease lease;
    (void)state;
    is_lenient = true;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < ONE_BATCH; i++) {
            sign_item(0, &items[i]);
            /* Bad is what a new table is tried with, then the rest, then
             * everything. */
            if (round == 2 || (round == 0) == (i == 0))
                items[i].sig.b[3] ^= 1;
        }
        ves_key_tables_take(tables, items, ONE_BATCH, &lease);
        assert_int_equal(lease.keys[0].table != NULL, round > 0);
        ves_key_lease_verify(&lease, items, ONE_BATCH);
        ves_key_tables_give(&lease);
        for (size_t i = 0; i < ONE_BATCH; i++)
            assert_true(items[i].is_valid);
    }
    is_lenient = false;
    ves_key_tables_free(tables);
}

/* Does a process end by abort() that takes count signatures, of a key with a
 * table or of a new one, which libsodium all refuses? */
static bool ends(bool is_new, size_t count)
{
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (child == 0) {
        struct ves_key_tables *tables = new_tables();
        if (!is_new)
            (void)verify_some(tables, 0, ONE_BATCH);
        is_harsh = true;
        ves_set_panic_handler(NULL);
        (void)close(STDERR_FILENO);
        for (size_t i = 0; i < count; i += ONE_BATCH)
            (void)verify_some(tables, 0, ONE_BATCH);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* A table that said yes where libsodium says no would not be believed. */
static void a_false_yes_ends_the_process(void **state)
{
    (void)state;
    assert_true(ends(true, ONE_BATCH));
    assert_true(ends(false, VES_ACCEPTED_CHECKED));
    assert_false(ends(false, VES_ACCEPTED_CHECKED / 2));
}

/* ---- memory ---------------------------------------------------------------
 */

static size_t left;

static void *scarce(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (left == 0)
        return NULL;
    left--;
    return realloc(ptr, size);
}

static void without_memory_it_is_slower(void **state)
{
    const struct ves_alloc alloc = {.realloc = scarce};
    (void)state;
    for (size_t n = 0; n <= 4; n++) {
        struct ves_key_tables *tables;
        left = n;
        enum ves_status status = ves_key_tables_new(&alloc, &tables, &error);
        assert_int_equal(status, n == 0 ? VES_NOMEM : VES_OK);
        if (status)
            continue;
        /* One allocation is the tables', one the base's, one each key's. */
        assert_int_equal(verify_some(tables, 0, ONE_BATCH), n >= 3);
        assert_int_equal(verify_some(tables, 1, ONE_BATCH), n >= 4);
        left = 9;
        assert_true(verify_some(tables, 0, ONE_BATCH));
        ves_key_tables_free(tables);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_seen_often_gets_a_table),
        cmocka_unit_test(tables_are_few),
        cmocka_unit_test(keys_alike_are_not_in_one_set),
        cmocka_unit_test(a_leased_table_stays),
        cmocka_unit_test(a_leased_place_stays),
        cmocka_unit_test(tables_alone_give_the_same_answers),
        cmocka_unit_test(answers_are_the_same),
        cmocka_unit_test(no_table_for_a_strange_key),
        cmocka_unit_test(more_lenient_than_a_table),
        cmocka_unit_test(a_false_yes_ends_the_process),
        cmocka_unit_test(without_memory_it_is_slower),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("key_tables", tests, set_up, NULL);
}
