/* ed25519_strict.c -- signatures that tell a strict verifier from others.
 *
 * All are of one seed, the bytes 00 to 1f, over 32 bytes of which the last 31
 * are zero.  But for the first, each holds for somebody: with the equation
 * multiplied by eight, with S not reduced, with keys or R of small order or of
 * another spelling.  T is a point of order eight, r is 5.
 */
#include "crypto/crypto.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

#define KEY "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
#define KEY_AND_T \
    "b154bd62188ae283dd187fefe8c31f5e276edf083b4cff11c9d5cff856c74440"
#define T "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
#define NEUTRAL \
    "0100000000000000000000000000000000000000000000000000000000000000"
#define NEUTRAL_AND_P \
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
#define R "edc876d6831fd2105d0b4389ca2e283166469289146e2ce06faefe98b22548df"
#define S_IS_5 \
    "0500000000000000000000000000000000000000000000000000000000000000"

struct known {
    const char *key, *r, *s;
    uint8_t message; /* its first byte */
    bool is_valid;
};

static const struct known known[] = {
    {KEY, "f726a1147f71f0ded8fb576ddb369acebf5becc3fc93a31c827fb18eef8de7b1",
     "68d4d57205874ada00debe2e855023e0ecfc86586e86bd7d4bd5b4feb640da0b", 0,
     true},
    /* S + L. */
    {KEY, "f726a1147f71f0ded8fb576ddb369acebf5becc3fc93a31c827fb18eef8de7b1",
     "55a8cbcf1fea5c32d77ab6d1634a02f5ecfc86586e86bd7d4bd5b4feb640da1b", 0,
     false},
    /* R is rB + T, S = r + ka. */
    {KEY, "131604d01865fbedf9f662d25311c68a197cf286f2683724873a147fed6ada35",
     "013a7f94194cc96ddb323e7314f11b19d3e6010e4195925cb83120dd06e2200e", 0,
     false},
    /* The key is A + T, k not a multiple of eight. */
    {KEY_AND_T, R,
     "4ee44a970de4cbb4dcd814c59b1649dd483e99fc533eded130b076fbb171ea08", 0,
     false},
    /* The key is T, k a multiple of eight; the neutral point; the same, spelt
     * as p + 1. */
    {T, R, S_IS_5, 0x2d, false},
    {NEUTRAL, R, S_IS_5, 0, false},
    {NEUTRAL_AND_P, R, S_IS_5, 0, false},
    /* R is T, the key A + T, k = 7 modulo eight; the neutral point, S = ka; the
     * same, spelt as p + 1. */
    {KEY_AND_T, T,
     "5a745ee0bf9214b4ef702a80f322e3a1b5e6a7fe7e0b2105fe961883067b5b04", 0x0a,
     false},
    {KEY, NEUTRAL,
     "70e073e9236725a7df8dcd1145c2e2e2e83ba1a4e0ed4622236b33f045d4930c", 0,
     false},
    {KEY, NEUTRAL_AND_P,
     "bd47d0a62f6f4e402789f85596b49c6f4e3716aad38f33264874078da7f8f008", 0,
     false},
};

static void read_hex(const char *text, uint8_t out[32])
{
    enum ves_status status = ves_hex_decode(ves_bytes_str(text), out, 32);
    VES_ASSERT(!status);
}

bool ves_ed25519_is_strict(ves_ed25519_verifier *verify)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const uint8_t message[32] = {known[i].message};
        struct ves_public_key key;
        struct ves_sig sig;

        read_hex(known[i].key, key.b);
        read_hex(known[i].r, sig.b);
        read_hex(known[i].s, sig.b + 32);
        if (verify(&key, ves_bytes(message, sizeof(message)), &sig) !=
            known[i].is_valid)
            return false;
    }
    return true;
}
