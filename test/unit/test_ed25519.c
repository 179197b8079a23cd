/* test_ed25519.c -- the arithmetic under tables of keys, against the integers
 * of OpenSSL and the points of libsodium.  test_crypto.c asks tables about
 * every forged signature it asks libsodium about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <sodium.h>

#include "crypto/crypto.h"
#include "crypto/digits.h"
#include "crypto/edwards25519.h"

#ifndef VES_HAS_KEY_TABLES
int main(void)
{
    print_message("1..0 # SKIP this compiler has no 128-bit integers\n");
    return 0;
}
#else

static BN_CTX *context;
static BIGNUM *prime;
static uint64_t random_state = 20261130;
/* VES_SCALE times as many rounds as in every run, with other numbers. */
static unsigned scale = 1;

/* xorshift64*: the same numbers in every run. */
static uint64_t next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static void random_bytes(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(next_random() >> 32);
}

static int set_up(void **state)
{
    const char *asked = getenv("VES_SCALE");
    (void)state;
    if (asked && strtoul(asked, NULL, 0) > 1)
        scale = (unsigned)strtoul(asked, NULL, 0);
    random_state *= scale;
    context = BN_CTX_new();
    prime = BN_new();
    /* 2^255 - 19 */
    return ves_crypto_init() || !context || !prime || !BN_set_bit(prime, 255) ||
           !BN_sub_word(prime, 19);
}

static int tear_down(void **state)
{
    (void)state;
    BN_free(prime);
    BN_CTX_free(context);
    return 0;
}

/* ---- the field ------------------------------------------------------------
 */

enum { TIGHT, BELOW_2_53, LOOSE };
static const uint64_t limb_max[] = {(UINT64_C(1) << 51) + (1 << 13) - 1,
                                    (UINT64_C(1) << 53) - 1,
                                    (UINT64_C(1) << 54) - 1};

/* Limbs at and about their bounds, and any; round 0 has all at the bound. */
static struct ves_field make_element(int bound, unsigned round)
{
    struct ves_field x;
    const uint64_t max = limb_max[bound];
    for (size_t i = 0; i < 5; i++) {
        const uint64_t edges[] = {max,
                                  0,
                                  1,
                                  max - 1,
                                  VES_FIELD_MASK,
                                  VES_FIELD_MASK - 18,
                                  VES_FIELD_MASK + 1};
        x.v[i] = round == 0               ? max
                 : next_random() % 2 == 0 ? next_random() % (max + 1)
                                          : edges[next_random() % 7];
    }
    return x;
}

static BIGNUM *value_of(const struct ves_field *x)
{
    BIGNUM *value = BN_new(), *limb = BN_new();
    BN_zero(value);
    for (size_t i = 5; i-- > 0;) {
        uint8_t bytes[8];
        ves_store_le64(bytes, x->v[i]);
        assert_non_null(BN_lebin2bn(bytes, 8, limb));
        assert_int_equal(BN_lshift(value, value, 51), 1);
        assert_int_equal(BN_add(value, value, limb), 1);
    }
    BN_free(limb);
    return value;
}

/* x is within its bound, and its value and its bytes are wanted modulo p. */
static void assert_is(const struct ves_field *x, int bound, BIGNUM *wanted)
{
    uint8_t bytes[VES_FIELD_SIZE], expected[VES_FIELD_SIZE];
    for (size_t i = 0; i < 5; i++)
        assert_in_range(x->v[i], 0, limb_max[bound]);
    assert_int_equal(BN_nnmod(wanted, wanted, prime, context), 1);
    assert_int_equal(BN_bn2lebinpad(wanted, expected, sizeof(expected)), 32);
    ves_field_store(x, bytes);
    assert_memory_equal(bytes, expected, sizeof(bytes));
}

static void products_are_right(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4000 * scale; round++) {
        struct ves_field x = make_element(LOOSE, round), r;
        struct ves_field y = make_element(LOOSE, round);
        BIGNUM *a = value_of(&x), *b = value_of(&y), *c = BN_new();
        r = ves_field_mul(&x, &y);
        BN_mul(c, a, b, context);
        assert_is(&r, TIGHT, c);
        r = ves_field_square(&x);
        BN_mul(c, a, a, context);
        assert_is(&r, TIGHT, c);
        BN_free(a);
        BN_free(b);
        BN_free(c);
    }
}

static void sums_are_right(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4000 * scale; round++) {
        struct ves_field x = make_element(TIGHT, round), r;
        struct ves_field y = make_element(TIGHT, round);
        struct ves_field large = make_element(BELOW_2_53, round);
        BIGNUM *a = value_of(&x), *b = value_of(&y), *c = BN_new();
        r = ves_field_add(&x, &y);
        BN_add(c, a, b);
        assert_is(&r, BELOW_2_53, c);
        r = ves_field_sub(&large, &y);
        BIGNUM *l = value_of(&large);
        BN_sub(c, l, b);
        assert_is(&r, LOOSE, c);
        BN_free(l);
        BN_free(a);
        BN_free(b);
        BN_free(c);
    }
}

static void powers_are_right(void **state)
{
    BIGNUM *minus_2 = BN_dup(prime), *root = BN_dup(prime);
    (void)state;
    BN_sub_word(minus_2, 2);
    BN_sub_word(root, 5);
    BN_div_word(root, 8);
    for (unsigned round = 0; round < 300 * scale; round++) {
        struct ves_field x = make_element(LOOSE, round), r;
        BIGNUM *a = value_of(&x), *c = BN_new();
        r = ves_field_invert(&x);
        BN_mod_exp(c, a, minus_2, prime, context);
        assert_is(&r, TIGHT, c);
        r = ves_field_root_power(&x);
        BN_mod_exp(c, a, root, prime, context);
        assert_is(&r, TIGHT, c);
        r = ves_field_square_times(&x, 1 + round % 7);
        BN_copy(c, a);
        for (unsigned i = 0; i <= round % 7; i++)
            BN_mod_sqr(c, c, prime, context);
        assert_is(&r, TIGHT, c);
        BN_free(a);
        BN_free(c);
    }
    BN_free(minus_2);
    BN_free(root);
}

static void many_inverses_are_each_the_inverse(void **state)
{
    struct ves_field x[20], before[20], room[20];
    (void)state;
    for (size_t n = 0; n <= 20; n++) {
        for (size_t i = 0; i < n; i++)
            before[i] = x[i] = make_element(TIGHT, 1);
        ves_field_invert_all(x, room, n);
        for (size_t i = 0; i < n; i++) {
            struct ves_field expected = ves_field_invert(&before[i]);
            assert_true(ves_field_equal(&x[i], &expected));
        }
    }
}

/* Multiples of p and their neighbours, where a careless last step is wrong. */
static void bytes_are_canonical(void **state)
{
    (void)state;
    for (unsigned times = 0; times <= 8; times++) {
        for (int off = -20; off <= 20; off++) {
            struct ves_field x = VES_FIELD_ZERO;
            BIGNUM *wanted = BN_new();
            x.v[0] = times * (VES_FIELD_MASK - 18);
            for (size_t i = 1; i < 5; i++)
                x.v[i] = times * VES_FIELD_MASK;
            if (times == 0 && off < 0)
                off = 0;
            x.v[0] += (uint64_t)(int64_t)off;
            BN_set_word(wanted, (BN_ULONG)(off < 0 ? -off : off));
            BN_set_negative(wanted, off < 0);
            assert_is(&x, LOOSE, wanted);
            BN_free(wanted);
        }
    }
    for (unsigned round = 0; round < 2000 * scale; round++) {
        uint8_t bytes[VES_FIELD_SIZE];
        random_bytes(bytes, sizeof(bytes));
        if (round < 32)
            memset(bytes, 0xff, sizeof(bytes));
        bytes[0] = (uint8_t)(round < 32 ? 0xe0 + round : bytes[0]);
        struct ves_field x = ves_field_load(bytes);
        bytes[31] &= 0x7f;
        BIGNUM *wanted = BN_lebin2bn(bytes, 32, NULL);
        assert_is(&x, TIGHT, wanted);
        BN_free(wanted);
    }
}

/* ---- points ---------------------------------------------------------------
 */

/* libsodium's points: any, of the whole curve; and the eight small ones. */
static void make_encoding(uint8_t out[32], unsigned round)
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
    uint8_t uniform[32], torsion[32];
    random_bytes(uniform, sizeof(uniform));
    assert_int_equal(crypto_core_ed25519_from_uniform(out, uniform), 0);
    if (round % 4 == 0)
        return;
    assert_int_equal(sodium_hex2bin(torsion, 32, small[next_random() % 8], 64,
                                    NULL, NULL, NULL),
                     0);
    if (round % 4 == 1)
        memcpy(out, torsion, 32);
    else
        assert_int_equal(crypto_core_ed25519_add(out, out, torsion), 0);
}

static struct ves_point load(const uint8_t bytes[32])
{
    struct ves_point p;
    assert_true(ves_point_load(bytes, &p));
    return p;
}

static void assert_encodes(struct ves_point p, const uint8_t expected[32])
{
    uint8_t bytes[32];
    /* X Y = Z T, or the next addition would be wrong. */
    struct ves_field left = ves_field_mul(&p.x, &p.y);
    struct ves_field right = ves_field_mul(&p.z, &p.t);
    assert_true(ves_field_equal(&left, &right));
    p.z = ves_field_invert(&p.z);
    ves_point_store(&p, bytes);
    assert_memory_equal(bytes, expected, 32);
}

static void additions_are_right(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 1500 * scale; round++) {
        uint8_t p_bytes[32], q_bytes[32], minus[32], expected[32];
        make_encoding(p_bytes, round);
        make_encoding(q_bytes, round / 4);
        if (round % 9 == 0)
            memcpy(q_bytes, p_bytes, 32);
        struct ves_point p = load(p_bytes), q = load(q_bytes), r;
        if (round % 11 == 0) {
            q = ves_point_negate(&p);
            r = q;
            ves_point_store(&r, q_bytes); /* its z is 1 */
        }
        assert_encodes(p, p_bytes);
        assert_int_equal(crypto_core_ed25519_add(expected, p_bytes, q_bytes),
                         0);
        assert_encodes(ves_point_add(&p, &q), expected);
        struct ves_affine affine[2];
        const struct ves_point both[2] = {q, ves_point_double(&q)};
        ves_points_normalize(both, affine, 2);
        assert_encodes(ves_point_add_affine(&p, &affine[0], false), expected);
        assert_int_equal(crypto_core_ed25519_sub(minus, p_bytes, q_bytes), 0);
        assert_encodes(ves_point_add_affine(&p, &affine[0], true), minus);
        assert_int_equal(crypto_core_ed25519_add(expected, p_bytes, p_bytes),
                         0);
        assert_encodes(ves_point_double(&p), expected);
        /* Not only with z = 1. */
        struct ves_point twice = ves_point_double(&p);
        assert_int_equal(crypto_core_ed25519_add(expected, expected, q_bytes),
                         0);
        assert_encodes(ves_point_add(&twice, &q), expected);
        assert_encodes(ves_point_add_affine(&twice, &affine[0], false),
                       expected);
        assert_int_equal(crypto_core_ed25519_add(expected, expected, q_bytes),
                         0);
        assert_encodes(ves_point_add_affine(&twice, &affine[1], false),
                       expected);
    }
}

/* Half of all bytes are no point.  libsodium takes part in an addition only
 * what is one. */
static void other_bytes_are_no_points(void **state)
{
    unsigned points = 0;
    (void)state;
    for (unsigned round = 0; round < 1000 * scale; round++) {
        uint8_t bytes[32], neutral[32] = {1}, sum[32];
        struct ves_point p;
        random_bytes(bytes, sizeof(bytes));
        bool is_point = ves_point_load(bytes, &p);
        assert_int_equal(crypto_core_ed25519_add(sum, bytes, neutral) == 0,
                         is_point);
        points += is_point;
    }
    assert_in_range(points, 400 * scale, 600 * scale);
    /* x = 0 has no odd root (RFC 8032 section 5.1.3, step 4). */
    uint8_t no_point[32] = {1};
    struct ves_point p;
    no_point[31] = 0x80;
    assert_false(ves_point_load(no_point, &p));
}

/* ---- digits ---------------------------------------------------------------
 */

static void assert_digits(const uint8_t number[32], unsigned bits,
                          size_t windows)
{
    int16_t digits[VES_DIGITS_MAX];
    BIGNUM *sum = BN_new(), *wanted = BN_lebin2bn(number, 32, NULL);
    ves_digits(number, bits, windows, digits);
    BN_zero(sum);
    for (size_t i = windows; i-- > 0;) {
        assert_true(digits[i] <= 1 << (bits - 1) &&
                    digits[i] > -(1 << (bits - 1)));
        BN_lshift(sum, sum, (int)bits);
        if (digits[i] < 0)
            BN_sub_word(sum, (BN_ULONG)-digits[i]);
        else
            BN_add_word(sum, (BN_ULONG)digits[i]);
    }
    assert_int_equal(BN_cmp(sum, wanted), 0);
    BN_free(sum);
    BN_free(wanted);
}

static void digits_add_up_to_the_number(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5000 * scale; round++) {
        uint8_t number[32];
        random_bytes(number, sizeof(number));
        /* Runs of one bit: carries that go far, and none. */
        if (round % 3 == 0)
            memset(number + round % 32, round % 2 ? 0xff : 0, 32 - round % 32);
        number[31] &= 0x1f;
        for (unsigned bits = 4; bits <= 8; bits++)
            assert_digits(number, bits, 253 / bits + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(sums_are_right),
        cmocka_unit_test(powers_are_right),
        cmocka_unit_test(many_inverses_are_each_the_inverse),
        cmocka_unit_test(bytes_are_canonical),
        cmocka_unit_test(additions_are_right),
        cmocka_unit_test(other_bytes_are_no_points),
        cmocka_unit_test(digits_add_up_to_the_number),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("ed25519", tests, set_up, tear_down);
}
#endif
