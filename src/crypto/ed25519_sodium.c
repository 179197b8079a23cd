/* ed25519_sodium.c -- Ed25519 signatures by libsodium. */
#include "crypto/crypto.h"

#include <sodium.h>

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

bool ves_ed25519_key_is_valid(const struct ves_public_key *key)
{
    return crypto_core_ed25519_is_valid_point(key->b) == 1;
}
