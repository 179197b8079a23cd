/* ed25519_sodium.c -- Ed25519 signatures by libsodium. */
#include "crypto/crypto.h"

#include <sodium.h>
#include <string.h>

#include "base/assert.h"

_Static_assert(crypto_sign_SEEDBYTES == VES_SEED_SIZE, "seed size");
_Static_assert(crypto_sign_SECRETKEYBYTES == VES_SECRET_SIZE, "secret size");
_Static_assert(crypto_sign_PUBLICKEYBYTES == VES_KEY_SIZE, "key size");
_Static_assert(crypto_sign_BYTES == VES_SIG_SIZE, "signature size");

void ves_ed25519_keypair(const uint8_t seed[VES_SEED_SIZE],
                         struct ves_secret_key *secret,
                         struct ves_public_key *public_key)
{
    int failed = crypto_sign_seed_keypair(public_key->b, secret->b, seed);
    VES_ASSERT(!failed);
}

void ves_ed25519_sign(const struct ves_secret_key *secret,
                      struct ves_bytes message, struct ves_sig *out)
{
    int failed =
        crypto_sign_detached(out->b, NULL, message.ptr, message.len, secret->b);
    VES_ASSERT(!failed);
}

bool ves_ed25519_verify(const struct ves_public_key *key,
                        struct ves_bytes message, const struct ves_sig *sig)
{
    /* design.md D10: libsodium refuses S >= L, an R or a key of small order
     * and a key that is not canonical; it compares R as bytes with the
     * canonical form of the point it computes, so another spelling of R never
     * matches.  test_crypto.c tries each. */
    return crypto_sign_verify_detached(sig->b, message.ptr, message.len,
                                       key->b) == 0;
}

bool ves_ed25519_is_fit(void)
{
    return ves_ed25519_is_strict(ves_ed25519_verify);
}

void ves_ed25519_challenge(const struct ves_public_key *key,
                           struct ves_bytes message, const struct ves_sig *sig,
                           uint8_t out[VES_SCALAR_SIZE])
{
    _Static_assert(crypto_core_ed25519_SCALARBYTES == VES_SCALAR_SIZE, "k");
    uint8_t digest[crypto_hash_sha512_BYTES];
    crypto_hash_sha512_state state;
    (void)crypto_hash_sha512_init(&state);
    (void)crypto_hash_sha512_update(&state, sig->b, VES_SIG_SIZE / 2);
    (void)crypto_hash_sha512_update(&state, key->b, VES_KEY_SIZE);
    (void)crypto_hash_sha512_update(&state, message.ptr, message.len);
    (void)crypto_hash_sha512_final(&state, digest);
    crypto_core_ed25519_scalar_reduce(out, digest);
}

bool ves_ed25519_key_is_valid(const struct ves_public_key *key)
{
    /* libsodium before the fix of CVE-2025-69277, Ubuntu 24.04's for one, takes
     * a point beside the main subgroup for one in it when L times it is the
     * point of order 2.  So it is asked in another way, too, which has one
     * answer with every version: (L - 1)P = -P, the other x at the same y. */
    static const uint8_t last[32] = {
        0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    uint8_t minus[VES_KEY_SIZE];
    if (crypto_core_ed25519_is_valid_point(key->b) != 1 ||
        crypto_scalarmult_ed25519_noclamp(minus, last, key->b))
        return false;
    minus[VES_KEY_SIZE - 1] ^= 0x80;
    return memcmp(minus, key->b, sizeof(minus)) == 0;
}
