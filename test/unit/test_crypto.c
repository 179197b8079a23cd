/* test_crypto.c -- hashes, signatures and passphrases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/field25519.h"
#include "crypto/key_table.h"
#include "crypto/sha256_wide.h"
#include "test/lib/test_util.h"

/* FIPS 180-4 example values as NIST publishes them (SHA256.pdf and the
 * "long message" of a million letters a). */
static void test_sha256_known(void **state)
{
    (void)state;
    static const char two_blocks[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static char million[1000000];
    const struct {
        const char *text;
        size_t len;
        const char *hash;
    } cases[] = {
        {"", 0,
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 3,
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {two_blocks, sizeof(two_blocks) - 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {million, sizeof(million),
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    memset(million, 'a', sizeof(million));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_hash hash, expected = test_hash(cases[i].hash);
        ves_sha256_one(cases[i].text, cases[i].len, &hash);
        assert_memory_equal(hash.b, expected.b, VES_HASH_SIZE);
    }
    struct ves_hash hash, expected = test_hash(cases[0].hash);
    ves_sha256(NULL, 0, &hash);
    assert_memory_equal(hash.b, expected.b, VES_HASH_SIZE);
}

/* Every length up to 300, cut into three parts, against another library. */
static void test_sha256_parts(void **state)
{
    (void)state;
    uint8_t data[300];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof(data); len++) {
        const struct ves_bytes parts[] = {
            ves_bytes(data, len / 3),
            ves_bytes(data + len / 3, len / 2 - len / 3),
            ves_bytes(data + len / 2, len - len / 2)};
        uint8_t expected[32];
        struct ves_hash hash;
        crypto_hash_sha256(expected, data, len);
        ves_sha256(parts, 3, &hash);
        assert_memory_equal(hash.b, expected, 32);
    }
}

/* Every length up to 300 and up to 35 runs, against another library: sixteen
 * at once, twice, two at once, and one. */
static void test_sha256_each(void **state)
{
    (void)state;
    enum { RUNS = 35, LONGEST = 300 };
    static uint8_t data[RUNS * LONGEST];
    struct ves_hash hashes[RUNS + 1];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 41 + i / 256 + 3);
    for (size_t len = 0; len <= LONGEST; len++) {
        for (size_t count = 0; count <= RUNS; count++) {
            uint8_t expected[32];
            memset(hashes, 0xA5, sizeof(hashes));
            ves_sha256_each(data, len, count, hashes);
            for (size_t i = 0; i < count; i++) {
                crypto_hash_sha256(expected, data + i * len, len);
                assert_memory_equal(hashes[i].b, expected, 32);
            }
            memset(expected, 0xA5, 32);
            assert_memory_equal(hashes[count].b, expected, 32);
        }
    }
}

/* Sixteen at once by themselves: ves_sha256_each would not use them if they
 * were wrong.  Behind the last run lies memory that must not be read. */
static void test_sha256_wide(void **state)
{
    (void)state;
    enum { LONGEST = 300, ROOM = 8192 };
    struct ves_hash hashes[VES_SHA256_WIDE];

    if (!ves_sha256_wide_is_there())
        skip();
    uint8_t *room = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(room, MAP_FAILED);
    assert_int_equal(mprotect(room + ROOM, ROOM, PROT_NONE), 0);
    for (size_t i = 0; i < ROOM; i++)
        room[i] = (uint8_t)(i * 59 + i / 256 + 7);
    for (size_t len = 0; len <= LONGEST; len++) {
        const uint8_t *data = room + ROOM - len * VES_SHA256_WIDE;
        ves_sha256_wide(data, len, hashes);
        for (size_t i = 0; i < VES_SHA256_WIDE; i++) {
            uint8_t expected[32];
            crypto_hash_sha256(expected, data + i * len, len);
            assert_memory_equal(hashes[i].b, expected, 32);
        }
    }
    munmap(room, 2 * ROOM);
}

struct vector {
    const char *seed;
    const char *key;
    const char *message;
    const char *sig;
};

/* RFC 8032 section 7.1. */
static const char message_1024[] =
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98"
    "fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d8"
    "79de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d"
    "658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc"
    "1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4fe"
    "ba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e"
    "06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbef"
    "efd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7"
    "aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed1"
    "85ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2"
    "d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24"
    "554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f270"
    "88d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc"
    "2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b07"
    "07e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba"
    "b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51a"
    "ddd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429e"
    "c96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb7"
    "51fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c"
    "42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8"
    "ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34df"
    "f7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08"
    "d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649"
    "de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e4"
    "88acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a3"
    "2ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e"
    "6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5f"
    "b93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b5"
    "0d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1"
    "369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d"
    "b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c"
    "0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0";
static const struct vector rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb882159"
     "0a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43"
     "e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538"
     "d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
     "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
     message_1024,
     "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b15"
     "08f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9a"
     "c90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

static void test_rfc8032(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc8032) / sizeof(rfc8032[0]); i++) {
        const struct vector *v = &rfc8032[i];
        uint8_t seed[VES_SEED_SIZE], expected[64], message[1024];
        struct ves_secret_key secret;
        struct ves_public_key key;
        struct ves_sig sig;
        size_t len = strlen(v->message) / 2;

        test_hex(v->seed, seed, sizeof(seed));
        test_hex(v->message, message, len);
        ves_ed25519_keypair(seed, &secret, &key);
        test_hex(v->key, expected, 32);
        assert_memory_equal(key.b, expected, 32);
        assert_true(ves_ed25519_key_is_valid(&key));

        ves_ed25519_sign(&secret, ves_bytes(message, len), &sig);
        test_hex(v->sig, expected, 64);
        assert_memory_equal(sig.b, expected, 64);
        assert_true(ves_ed25519_verify(&key, ves_bytes(message, len), &sig));
        /* Signing again gives the same bytes. */
        ves_ed25519_sign(&secret, ves_bytes(message, len), &sig);
        assert_memory_equal(sig.b, expected, 64);
    }
}

/* One key and a signed hash, as VES uses them. */
struct signed_hash {
    uint8_t seed[VES_SEED_SIZE];
    struct ves_secret_key secret;
    struct ves_public_key key;
    struct ves_hash hash;
    struct ves_sig sig;
};

static struct signed_hash make_signed(void)
{
    struct signed_hash s;
    test_hex(rfc8032[0].seed, s.seed, sizeof(s.seed));
    ves_ed25519_keypair(s.seed, &s.secret, &s.key);
    ves_sha256_one("event", 5, &s.hash);
    ves_ed25519_sign(&s.secret, ves_bytes(s.hash.b, VES_HASH_SIZE), &s.sig);
    return s;
}

/* What libsodium says; a table of the key, if there can be one, must say the
 * same. */
static bool verify(const struct signed_hash *s)
{
    static struct ves_base_table *base;
    const struct ves_alloc *alloc = ves_alloc_default();
    bool is_valid = ves_ed25519_verify(
        &s->key, ves_bytes(s->hash.b, VES_HASH_SIZE), &s->sig);
    struct ves_key_table *table = ves_key_table_new(alloc, &s->key);
#ifdef VES_HAS_KEY_TABLES
    assert_true(!table == !ves_ed25519_key_is_valid(&s->key));
#endif
    if (table && !base)
        base = ves_base_table_new(alloc);
    if (table) {
        struct ves_verify_item item = {.key = s->key,
                                       .hash = s->hash,
                                       .sig = s->sig,
                                       .is_valid = !is_valid};
        struct ves_table_item one = {table, &item};
        ves_key_table_verify(base, &one, 1);
        assert_int_equal(item.is_valid, is_valid);
    }
    ves_key_table_free(alloc, table);
    return is_valid;
}

static void test_bit_flips(void **state)
{
    (void)state;
    const struct signed_hash good = make_signed();
    assert_true(verify(&good));
    for (size_t bit = 0; bit < 512; bit++) {
        struct signed_hash bad = good;
        bad.sig.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(&bad));
    }
    for (size_t bit = 0; bit < 256; bit++) {
        struct signed_hash bad = good;
        bad.hash.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(&bad));
        bad = good;
        bad.key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(&bad));
    }
}

/* L = 2^252 + 27742317777372353535851937790883648493, little endian. */
static const uint8_t group_order[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
    0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

/* Adds L to a little-endian number; false when it does not fit. */
static bool add_order(uint8_t s[32])
{
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)s[i] + group_order[i];
        s[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

static void test_large_s(void **state)
{
    (void)state;
    struct signed_hash s = make_signed();
    int times = 0;
    /* S + L, S + 2L ... satisfy the equation just as S does. */
    while (add_order(s.sig.b + 32)) {
        assert_false(verify(&s));
        times++;
    }
    assert_true(times >= 14);
    s = make_signed();
    memcpy(s.sig.b + 32, group_order, 32);
    assert_false(verify(&s));
}

/* The eight points of small order in their canonical form, then the other
 * spellings of the first three kinds: y + p where it fits, and a sign where x
 * is 0. */
static const char *const small_order[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
enum { CANONICAL_SMALL = 8, ALL_SMALL = 14 };

/* k = SHA-512(R | A | M) mod L. */
static void challenge(const uint8_t r[32], const uint8_t a[32],
                      const struct ves_hash *message, uint8_t k[32])
{
    uint8_t wide[64];
    crypto_hash_sha512_state hash;
    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, r, 32);
    crypto_hash_sha512_update(&hash, a, 32);
    crypto_hash_sha512_update(&hash, message->b, 32);
    crypto_hash_sha512_final(&hash, wide);
    crypto_core_ed25519_scalar_reduce(k, wide);
}

/* A message for which k = rest mod 8: then [k]T is [rest]T for every T of
 * small order. */
static void find_message(const uint8_t r[32], const uint8_t a[32],
                         unsigned rest, struct ves_hash *message, uint8_t k[32])
{
    uint8_t try = 0;
    do {
        ves_sha256_one(&try, 1, message);
        challenge(r, a, message, k);
        try++;
    } while ((k[0] & 7u) != rest && try != 0);
    assert_int_equal(k[0] & 7u, rest);
}

/* With [k]A = 0 anybody can sign for a key of small order: S = r, R = rB. */
static void test_small_order_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SMALL; i++) {
        struct signed_hash s;
        uint8_t r[32] = {5}, k[32];
        test_hex(small_order[i], s.key.b, 32);
        memset(s.sig.b, 0, sizeof(s.sig.b));
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(s.sig.b, r), 0);
        memcpy(s.sig.b + 32, r, 32);
        find_message(s.sig.b, s.key.b, 0, &s.hash, k);
        assert_false(verify(&s));
        assert_false(ves_ed25519_key_is_valid(&s.key));
    }
}

/* The secret scalar of a seed, reduced. */
static void secret_scalar(const uint8_t seed[32], uint8_t a[32])
{
    uint8_t h[64], wide[64] = {0};
    crypto_hash_sha512(h, seed, 32);
    h[0] &= 248;
    h[31] &= 127;
    h[31] |= 64;
    memcpy(wide, h, 32);
    crypto_core_ed25519_scalar_reduce(a, wide);
}

/* Key A + T, R = T, S = ka, k = 7 mod 8: [S]B - [k](A + T) = -7T = T.  The
 * equation holds, and R is of small order. */
static void test_small_order_r(void **state)
{
    (void)state;
    for (size_t i = 0; i < CANONICAL_SMALL; i++) {
        struct signed_hash s = make_signed();
        uint8_t a[32], k[32], t[32], key[32];
        test_hex(small_order[i], t, 32);
        assert_int_equal(crypto_core_ed25519_add(key, s.key.b, t), 0);
        memcpy(s.key.b, key, 32);
        memcpy(s.sig.b, t, 32);
        find_message(t, key, 7, &s.hash, k);
        secret_scalar(s.seed, a);
        crypto_core_ed25519_scalar_mul(s.sig.b + 32, k, a);
        assert_false(verify(&s));
        /* Only A itself is in the main subgroup: T 0 is the neutral one. */
        assert_true(ves_ed25519_key_is_valid(&s.key) == (i == 0));
    }
    /* The other spellings of small R. */
    for (size_t i = CANONICAL_SMALL; i < ALL_SMALL; i++) {
        struct signed_hash s = make_signed();
        uint8_t a[32], k[32];
        test_hex(small_order[i], s.sig.b, 32);
        secret_scalar(s.seed, a);
        challenge(s.sig.b, s.key.b, &s.hash, k);
        crypto_core_ed25519_scalar_mul(s.sig.b + 32, k, a);
        assert_false(verify(&s));
    }
}

/* S = r + ka with a k that was made of a wrong R: the equation gives rB, which
 * differs from R in one bit, whichever it is. */
static void test_r_of_other_bytes(void **state)
{
    (void)state;
    struct signed_hash s = make_signed();
    uint8_t a[32], k[32], r[32] = {5}, point[32];
    secret_scalar(s.seed, a);
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(point, r), 0);
    for (size_t bit = 0; bit <= 256; bit++) {
        memcpy(s.sig.b, point, 32);
        if (bit < 256)
            s.sig.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        challenge(s.sig.b, s.key.b, &s.hash, k);
        crypto_core_ed25519_scalar_mul(s.sig.b + 32, k, a);
        crypto_core_ed25519_scalar_add(s.sig.b + 32, s.sig.b + 32, r);
        assert_true(verify(&s) == (bit == 256));
    }
}

/* All encodings of y from p to 2^255 - 1, as key and as R. */
static void test_not_canonical(void **state)
{
    (void)state;
    for (unsigned low = 0xed; low <= 0xff; low++) {
        for (unsigned sign = 0; sign <= 1; sign++) {
            struct signed_hash s = make_signed();
            struct ves_public_key key;
            memset(key.b, 0xff, sizeof(key.b));
            key.b[0] = (uint8_t)low;
            key.b[31] = sign ? 0xff : 0x7f;
            assert_false(ves_ed25519_key_is_valid(&key));
            memcpy(s.sig.b, key.b, 32);
            assert_false(verify(&s));
            s = make_signed();
            s.key = key;
            assert_false(verify(&s));
        }
    }
}

/* ---- verifiers that are none ---------------------------------------------
 */

static bool takes_all(const struct ves_public_key *key, struct ves_bytes m,
                      const struct ves_sig *sig)
{
    (void)key;
    (void)m;
    (void)sig;
    return true;
}

static bool takes_none(const struct ves_public_key *key, struct ves_bytes m,
                       const struct ves_sig *sig)
{
    return !takes_all(key, m, sig);
}

/* RFC 8032 lets S be reduced by nobody, but old libraries did. */
static bool takes_large_s(const struct ves_public_key *key, struct ves_bytes m,
                          const struct ves_sig *sig)
{
    struct ves_sig reduced = *sig;
    uint8_t wide[64] = {0};
    memcpy(wide, sig->b + 32, 32);
    crypto_core_ed25519_scalar_reduce(reduced.b + 32, wide);
    return ves_ed25519_verify(key, m, &reduced);
}

static void times_eight(uint8_t point[32])
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(crypto_core_ed25519_add(point, point, point), 0);
}

/* 8SB = 8R + k(8A), of keys and R that are not small: what RFC 8032 allows,
 * too, and what verifiers of many at a time do. */
static bool takes_eightfold(const struct ves_public_key *key,
                            struct ves_bytes m, const struct ves_sig *sig)
{
    static const uint8_t neutral[32] = {1};
    uint8_t left[32], right[32], r[32], a[32], k[32], s[32] = {0};
    struct ves_hash message;
    for (size_t i = 0; i < ALL_SMALL; i++) {
        uint8_t small[32];
        test_hex(small_order[i], small, 32);
        if (memcmp(small, key->b, 32) == 0 || memcmp(small, sig->b, 32) == 0)
            return false;
    }
    crypto_core_ed25519_scalar_add(s, s, sig->b + 32);
    if (memcmp(s, sig->b + 32, 32) != 0)
        return false;
    memcpy(message.b, m.ptr, 32);
    challenge(sig->b, key->b, &message, k);
    memcpy(r, sig->b, 32);
    memcpy(a, key->b, 32);
    times_eight(r);
    times_eight(a);
    if (crypto_scalarmult_ed25519_base_noclamp(left, s) ||
        crypto_scalarmult_ed25519_noclamp(right, k, a))
        return false;
    times_eight(left);
    if (memcmp(r, neutral, 32) != 0)
        assert_int_equal(crypto_core_ed25519_add(right, right, r), 0);
    return memcmp(left, right, 32) == 0;
}

/* OpenSSL's is of the equation as it stands, and takes keys of small order. */
static bool takes_small_keys(const struct ves_public_key *key,
                             struct ves_bytes m, const struct ves_sig *sig)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->b,
                                                 VES_KEY_SIZE);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_taken =
        pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestVerify(ctx, sig->b, VES_SIG_SIZE, m.ptr, m.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return is_taken;
}

static void test_lenient_verifiers_are_told(void **state)
{
    (void)state;
    assert_true(ves_ed25519_is_strict(ves_ed25519_verify));
    assert_true(ves_ed25519_is_fit());
    assert_false(ves_ed25519_is_strict(takes_all));
    assert_false(ves_ed25519_is_strict(takes_none));
    assert_false(ves_ed25519_is_strict(takes_large_s));
    assert_false(ves_ed25519_is_strict(takes_eightfold));
    assert_false(ves_ed25519_is_strict(takes_small_keys));
    /* They are what they are called: what is signed they take. */
    const struct signed_hash s = make_signed();
    const struct ves_bytes m = ves_bytes(s.hash.b, VES_HASH_SIZE);
    struct ves_sig other = s.sig;
    other.b[0] ^= 1;
    assert_true(takes_large_s(&s.key, m, &s.sig));
    assert_true(takes_eightfold(&s.key, m, &s.sig));
    assert_true(takes_small_keys(&s.key, m, &s.sig));
    assert_false(takes_small_keys(&s.key, m, &other));
}

static void test_secret_memory(void **state)
{
    (void)state;
    static const uint8_t zero[64];
    uint8_t *secret = ves_secret_new(64);
    assert_non_null(secret);
    assert_memory_equal(secret, zero, 64);
    memset(secret, 7, 64);
    assert_false(ves_equal_ct(secret, zero, 64));
    ves_wipe(secret, 64);
    assert_true(ves_equal_ct(secret, zero, 64));
    ves_secret_free(secret);
    ves_secret_free(NULL);
    assert_int_equal(ves_crypto_init(), VES_OK);
}

static void test_passphrase(void **state)
{
    (void)state;
    static const uint8_t salt[VES_SEAL_SALT_SIZE] = {1};
    static const uint8_t other_salt[VES_SEAL_SALT_SIZE] = {2};
    static const uint8_t nonce[VES_SEAL_NONCE_SIZE] = {3};
    static const uint8_t secret[32] = "the secret of a till, 32 bytes.";
    static const uint8_t zero[32];
    uint8_t sealed[32 + VES_SEAL_TAG_SIZE], opened[32];
    const struct ves_bytes good = ves_bytes_str("correct horse");

    assert_int_equal(ves_passphrase_seal(good, salt, nonce, secret, 32, sealed),
                     VES_OK);
    assert_memory_not_equal(sealed, secret, 32);
    assert_int_equal(ves_passphrase_open(good, salt, nonce, sealed, 32, opened),
                     VES_OK);
    assert_memory_equal(opened, secret, 32);

    memset(opened, 9, sizeof(opened));
    assert_int_equal(ves_passphrase_open(ves_bytes_str("correct hors"), salt,
                                         nonce, sealed, 32, opened),
                     VES_REFUSED);
    assert_memory_equal(opened, zero, 32);
    assert_int_equal(
        ves_passphrase_open(good, other_salt, nonce, sealed, 32, opened),
        VES_REFUSED);
    for (size_t i = 0; i < sizeof(sealed); i += 47) {
        sealed[i] ^= 1;
        assert_int_equal(
            ves_passphrase_open(good, salt, nonce, sealed, 32, opened),
            VES_REFUSED);
        sealed[i] ^= 1;
    }
    /* An empty passphrase is still a passphrase. */
    assert_int_equal(ves_passphrase_seal(ves_bytes(NULL, 0), salt, nonce,
                                         secret, 32, sealed),
                     VES_OK);
    assert_int_equal(ves_passphrase_open(ves_bytes(NULL, 0), salt, nonce,
                                         sealed, 32, opened),
                     VES_OK);
}

static int set_up(void **state)
{
    (void)state;
    return ves_crypto_init() == VES_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_known),
        cmocka_unit_test(test_sha256_parts),
        cmocka_unit_test(test_sha256_each),
        cmocka_unit_test(test_sha256_wide),
        cmocka_unit_test(test_rfc8032),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_large_s),
        cmocka_unit_test(test_small_order_key),
        cmocka_unit_test(test_small_order_r),
        cmocka_unit_test(test_lenient_verifiers_are_told),
        cmocka_unit_test(test_r_of_other_bytes),
        cmocka_unit_test(test_not_canonical),
        cmocka_unit_test(test_secret_memory),
        cmocka_unit_test(test_passphrase),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
