/* prop_key_table.c -- batches of signatures under tables of their keys, against
 * libsodium and OpenSSL, which know nothing of tables.
 *
 * Keys and nonces are scalars of our own choosing besides those of seeds: near
 * 0, near L, powers of two, runs of one bit.  They make sums whose entries are
 * equal, each other's negatives, or few.  Signatures are good, damaged in one
 * bit, somebody else's, beyond the order, with parts of small order.
 *
 * VES_ROUNDS batches (200) of VES_SEED (1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/key_table.h"

enum { ROUNDS = 200, KEYS = 5, SCALAR = VES_SCALAR_SIZE, POINT = 32 };

static uint64_t random_state;

/* xorshift64* */
static uint64_t next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t below(size_t n)
{
    return (size_t)(next_random() >> 32) % n;
}

static void random_bytes(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(next_random() >> 32);
}

/* ---- scalars, keys, signatures ------------------------------------------- */

/* Below L: any, small, near L, a power of two, runs of one bit. */
static void make_scalar(uint8_t out[SCALAR])
{
    uint8_t wide[crypto_core_ed25519_NONREDUCEDSCALARBYTES] = {0};
    size_t kind = below(6), at = below(SCALAR);
    if (kind == 0 || kind == 5)
        random_bytes(wide, sizeof(wide));
    else if (kind == 3)
        wide[at] = (uint8_t)(1u << below(8));
    else
        wide[0] = (uint8_t)(1 + below(20));
    if (kind == 4)
        memset(wide, 0xff, 1 + at);
    if (kind == 5)
        memset(wide + at, (int)(0xff * below(2)), SCALAR - at);
    crypto_core_ed25519_scalar_reduce(out, wide);
    if (kind == 2)
        crypto_core_ed25519_scalar_negate(out, out);
}

/* The small ones have no encoding libsodium would make for us. */
static void multiply_base(uint8_t out[POINT], const uint8_t scalar[SCALAR])
{
    memset(out, 0, POINT);
    out[0] = 1;
    if (!sodium_is_zero(scalar, SCALAR))
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(out, scalar),
                         0);
}

struct signer {
    uint8_t scalar[SCALAR];
    struct ves_public_key key;
    struct ves_key_table *table;
};

static struct signer signers[KEYS];
static struct ves_base_table *base;

static void make_signer(struct signer *s)
{
    ves_key_table_free(ves_alloc_default(), s->table);
    do
        make_scalar(s->scalar);
    while (sodium_is_zero(s->scalar, SCALAR));
    multiply_base(s->key.b, s->scalar);
    s->table = ves_key_table_new(ves_alloc_default(), &s->key);
    assert_non_null(s->table);
}

/* S = r + k a, with R = [r]B. */
static void sign(const struct signer *s, const uint8_t r[SCALAR],
                 struct ves_verify_item *item)
{
    uint8_t k[SCALAR];
    multiply_base(item->sig.b, r);
    ves_ed25519_challenge(&s->key, ves_bytes(item->hash.b, VES_HASH_SIZE),
                          &item->sig, k);
    crypto_core_ed25519_scalar_mul(k, k, s->scalar);
    crypto_core_ed25519_scalar_add(item->sig.b + POINT, k, r);
}

/* ---- damage -------------------------------------------------------------- */

enum damage {
    NONE,
    NONE_AGAIN, /* half of all */
    NONE_ONCE_MORE,
    BIT_OF_R,
    BIT_OF_S,
    BIT_OF_HASH,
    SIGN_OF_R,
    S_BESIDE,
    S_AND_ORDER,
    S_ANY,
    R_ANY,
    R_SMALL,
    R_AND_SMALL,
    R_NEUTRAL, /* the equation holds all the same */
    DAMAGES
};

static const uint8_t order[SCALAR] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
    0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

/* One of the eight points of small order. */
static void small_point(uint8_t out[POINT])
{
    static const char *const small[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"};
    assert_int_equal(
        sodium_hex2bin(out, POINT, small[below(8)], 64, NULL, NULL, NULL), 0);
}

static void damage_r(enum damage how, uint8_t r[POINT])
{
    uint8_t uniform[POINT], small[POINT];
    random_bytes(uniform, sizeof(uniform));
    small_point(small);
    if (how == R_ANY)
        assert_int_equal(crypto_core_ed25519_from_uniform(r, uniform), 0);
    else if (how == R_SMALL)
        memcpy(r, small, POINT);
    else
        assert_int_equal(crypto_core_ed25519_add(r, r, small), 0);
}

static void damage(enum damage how, struct ves_verify_item *item)
{
    const uint8_t one[SCALAR] = {1};
    uint8_t *r = item->sig.b, *s = item->sig.b + POINT;
    const size_t bit = below(256);
    if (how == BIT_OF_R)
        r[bit / 8] ^= (uint8_t)(1u << bit % 8);
    else if (how == BIT_OF_S)
        s[bit / 8] ^= (uint8_t)(1u << bit % 8);
    else if (how == BIT_OF_HASH)
        item->hash.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    else if (how == SIGN_OF_R)
        r[POINT - 1] ^= 0x80;
    else if (how == S_BESIDE && bit % 2)
        crypto_core_ed25519_scalar_add(s, s, one);
    else if (how == S_BESIDE)
        crypto_core_ed25519_scalar_sub(s, s, one);
    else if (how == S_AND_ORDER)
        sodium_add(s, order, SCALAR);
    else if (how == S_ANY)
        make_scalar(s);
    else if (how >= R_ANY && how <= R_AND_SMALL)
        damage_r(how, r);
}

/* ---- what others say ----------------------------------------------------- */

/* OpenSSL's answer; it takes the neutral point for R, which we do not. */
static bool openssl_accepts(const struct ves_verify_item *item)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                item->key.b, VES_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_non_null(key);
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key), 1);
    bool is_valid = EVP_DigestVerify(context, item->sig.b, VES_SIG_SIZE,
                                     item->hash.b, VES_HASH_SIZE) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return is_valid;
}

static bool is_neutral(const uint8_t point[POINT])
{
    static const uint8_t neutral[POINT] = {1};
    return memcmp(point, neutral, POINT) == 0;
}

static unsigned met[DAMAGES][2];

static void check(const struct ves_verify_item *item, enum damage how)
{
    bool is_valid = ves_ed25519_verify(
        &item->key, ves_bytes(item->hash.b, VES_HASH_SIZE), &item->sig);
    assert_int_equal(item->is_valid, is_valid);
    if (openssl_accepts(item) != is_valid)
        assert_true(!is_valid && is_neutral(item->sig.b));
    met[how][is_valid]++;
}

static void one_batch(void)
{
    struct ves_verify_item items[VES_TABLE_BATCH];
    struct ves_table_item batch[VES_TABLE_BATCH];
    enum damage how[VES_TABLE_BATCH];
    const size_t count = 1 + below(VES_TABLE_BATCH);
    make_signer(&signers[below(KEYS)]);
    for (size_t i = 0; i < count; i++) {
        const struct signer *s = &signers[below(KEYS)];
        uint8_t r[SCALAR];
        how[i] = (enum damage)below(DAMAGES);
        random_bytes(items[i].hash.b, VES_HASH_SIZE);
        make_scalar(r);
        if (how[i] == R_NEUTRAL)
            memset(r, 0, SCALAR);
        sign(s, r, &items[i]);
        damage(how[i], &items[i]);
        items[i].key = s->key;
        items[i].is_valid = next_random() % 2;
        batch[i] = (struct ves_table_item){s->table, &items[i]};
    }
    ves_key_table_verify(base, batch, count);
    for (size_t i = 0; i < count; i++)
        check(&items[i], how[i]);
}

static void tables_say_what_others_say(void **state)
{
    const char *asked = getenv("VES_ROUNDS");
    const unsigned long rounds = asked ? strtoul(asked, NULL, 0) : ROUNDS;
    (void)state;
    for (size_t i = 0; base && i < KEYS; i++)
        make_signer(&signers[i]);
    for (unsigned long i = 0; base && i < rounds; i++)
        one_batch();
    if (!base) {
        print_message("# this compiler has no 128-bit integers\n");
        skip();
    }
    for (size_t i = 0; i < DAMAGES; i++) {
        print_message("# %zu: %u accepted, %u refused\n", i, met[i][1],
                      met[i][0]);
        if (rounds >= ROUNDS)
            assert_true(met[i][i > NONE_ONCE_MORE ? 0 : 1] > 0);
    }
}

static int set_up(void **state)
{
    const char *seed = getenv("VES_SEED");
    (void)state;
    random_state = seed ? strtoull(seed, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)random_state);
    /* Seeds that follow one another are nothing alike, and 0 is none. */
    random_state = (random_state + 1) * UINT64_C(0x9E3779B97F4A7C15);
    if (ves_crypto_init())
        return 1;
    base = ves_base_table_new(ves_alloc_default());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        ves_key_table_free(ves_alloc_default(), signers[i].table);
    ves_base_table_free(ves_alloc_default(), base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_what_others_say),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("key_table", tests, set_up, tear_down);
}
