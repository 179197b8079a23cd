/* ed25519_standin.c -- signatures that cost two hashes, for the simulator.
 *
 * Same functions as src/crypto/ed25519_sodium.c, linked in its place
 * (design.md D16).  Whoever knows the public key can sign, so this protects
 * against accidents only: any change of message, key or signature is seen,
 * which is what a simulated history needs.
 */
#include "crypto/crypto.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

#define KEY_TAG   "VES_STANDIN_KEY"
#define LEFT_TAG  "VES_STANDIN_SIG_LEFT"
#define RIGHT_TAG "VES_STANDIN_SIG_RIGHT"

static void make_sig(const uint8_t key[VES_KEY_SIZE], struct ves_bytes message,
                     struct ves_sig *out)
{
    static const char *const tags[2] = {LEFT_TAG, RIGHT_TAG};
    for (size_t half = 0; half < 2; half++) {
        const struct ves_bytes parts[] = {
            ves_bytes_str(tags[half]), ves_bytes(key, VES_KEY_SIZE), message};
        struct ves_hash hash;
        ves_sha256(parts, 3, &hash);
        memcpy(out->b + half * VES_HASH_SIZE, hash.b, VES_HASH_SIZE);
    }
}

void ves_ed25519_keypair(const uint8_t seed[VES_SEED_SIZE],
                         struct ves_secret_key *secret,
                         struct ves_public_key *public_key)
{
    const struct ves_bytes parts[] = {ves_bytes_str(KEY_TAG),
                                      ves_bytes(seed, VES_SEED_SIZE)};
    struct ves_hash hash;
    ves_sha256(parts, 2, &hash);
    memcpy(public_key->b, hash.b, VES_KEY_SIZE);
    /* Seed, then public half: the layout libsodium uses. */
    memcpy(secret->b, seed, VES_SEED_SIZE);
    memcpy(secret->b + VES_SEED_SIZE, hash.b, VES_KEY_SIZE);
}

void ves_ed25519_sign(const struct ves_secret_key *secret,
                      struct ves_bytes message, struct ves_sig *out)
{
    make_sig(secret->b + VES_SEED_SIZE, message, out);
}

bool ves_ed25519_verify(const struct ves_public_key *key,
                        struct ves_bytes message, const struct ves_sig *sig)
{
    struct ves_sig expected;
    make_sig(key->b, message, &expected);
    return memcmp(expected.b, sig->b, VES_SIG_SIZE) == 0;
}

bool ves_ed25519_is_fit(void)
{
    return true;
}

/* Tables are of the real curve only: whoever simulates verifies one by one. */
void ves_ed25519_challenge(const struct ves_public_key *key,
                           struct ves_bytes message, const struct ves_sig *sig,
                           uint8_t out[VES_SCALAR_SIZE])
{
    (void)key;
    (void)message;
    (void)sig;
    (void)out;
    VES_ASSERT(false);
}

bool ves_ed25519_key_is_valid(const struct ves_public_key *key)
{
    static const uint8_t zero[VES_KEY_SIZE];
    return memcmp(key->b, zero, VES_KEY_SIZE) != 0;
}
