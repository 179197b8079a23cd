/* fuzz_ed25519.c -- a table and libsodium give the same answer.
 *
 * Input: which key (1 byte), hash (32) and signature (64), which a good
 * signature is mixed with if the highest bit of the first byte is set: of a
 * signature at random nothing but the first checks would be tried. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/key_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

enum { KEYS = 4, INPUT = 1 + VES_HASH_SIZE + VES_SIG_SIZE };

static struct ves_base_table *base;
static struct ves_secret_key secret[KEYS];
static struct ves_public_key key[KEYS];
static struct ves_key_table *table[KEYS];

static void set_up(void)
{
    REQUIRE(ves_crypto_init() == VES_OK);
    base = ves_base_table_new(ves_alloc_default());
    for (uint8_t i = 0; base && i < KEYS; i++) {
        const uint8_t seed[VES_SEED_SIZE] = {i};
        ves_ed25519_keypair(seed, &secret[i], &key[i]);
        table[i] = ves_key_table_new(ves_alloc_default(), &key[i]);
        REQUIRE(table[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!table[0])
        set_up();
    if (!base || size < INPUT)
        return 0;
    const size_t which = data[0] % KEYS;
    struct ves_verify_item item = {.key = key[which]};
    struct ves_table_item found = {table[which], &item};
    memcpy(item.hash.b, data + 1, VES_HASH_SIZE);
    if (data[0] & 0x80)
        ves_ed25519_sign(&secret[which], ves_bytes(item.hash.b, VES_HASH_SIZE),
                         &item.sig);
    for (size_t i = 0; i < VES_SIG_SIZE; i++)
        item.sig.b[i] ^= data[1 + VES_HASH_SIZE + i];
    ves_key_table_verify(base, &found, 1);
    REQUIRE(item.is_valid ==
            ves_ed25519_verify(&item.key, ves_bytes(item.hash.b, VES_HASH_SIZE),
                               &item.sig));
    return 0;
}
