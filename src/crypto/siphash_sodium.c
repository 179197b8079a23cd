/* siphash_sodium.c -- SipHash-2-4 by libsodium. */
#include "crypto/crypto.h"

#include <sodium.h>

#include "base/endian.h"

_Static_assert(VES_SIPHASH_KEY == crypto_shorthash_KEYBYTES, "as libsodium's");

uint64_t ves_siphash(const uint8_t key[VES_SIPHASH_KEY], const void *data,
                     size_t len)
{
    uint8_t out[crypto_shorthash_BYTES];
    (void)crypto_shorthash(out, data, len, key);
    return ves_load_u64(out);
}
