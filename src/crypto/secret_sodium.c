/* secret_sodium.c -- start-up, memory for secrets and passphrases by
 * libsodium. */
#include "crypto/crypto.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"

#define SEAL_KEY_SIZE crypto_aead_xchacha20poly1305_ietf_KEYBYTES

_Static_assert(crypto_pwhash_SALTBYTES == VES_SEAL_SALT_SIZE, "salt size");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES ==
                   VES_SEAL_NONCE_SIZE,
               "nonce size");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == VES_SEAL_TAG_SIZE,
               "tag size");

enum ves_status ves_crypto_init(void)
{
    static atomic_bool is_known; /* to be fit */

    /* sodium_init: 0 the first time, 1 later, -1 on failure. */
    if (sodium_init() < 0)
        return VES_IO;
    if (!atomic_load(&is_known) && !ves_ed25519_is_fit())
        return VES_IO;
    atomic_store(&is_known, true);
    return VES_OK;
}

void *ves_secret_new(size_t size)
{
    void *secret = sodium_malloc(size);
    if (secret)
        memset(secret, 0, size);
    return secret;
}

void ves_secret_free(void *secret)
{
    sodium_free(secret);
}

void ves_wipe(void *data, size_t size)
{
    sodium_memzero(data, size);
}

bool ves_equal_ct(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

/* Argon2id with the interactive limits (64 MiB, two passes): the parameters
 * are part of the file format and may not follow the library's defaults. */
static enum ves_status derive_key(struct ves_bytes passphrase,
                                  const uint8_t salt[VES_SEAL_SALT_SIZE],
                                  uint8_t key[SEAL_KEY_SIZE])
{
    static const unsigned long long passes = 2;
    static const size_t memory = 67108864;
    /* libsodium wants a pointer even for an empty passphrase. */
    const char *text = passphrase.ptr ? (const char *)passphrase.ptr : "";
    int failed = crypto_pwhash(key, SEAL_KEY_SIZE, text, passphrase.len, salt,
                               passes, memory, crypto_pwhash_ALG_ARGON2ID13);
    return failed ? VES_NOMEM : VES_OK;
}

enum ves_status ves_passphrase_seal(struct ves_bytes passphrase,
                                    const uint8_t salt[VES_SEAL_SALT_SIZE],
                                    const uint8_t nonce[VES_SEAL_NONCE_SIZE],
                                    const uint8_t *secret, size_t size,
                                    uint8_t *out)
{
    uint8_t key[SEAL_KEY_SIZE];
    unsigned long long sealed_len = 0;
    enum ves_status status = derive_key(passphrase, salt, key);
    if (status)
        return status;

    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, &sealed_len, secret, size, NULL, 0, NULL, nonce, key);
    ves_wipe(key, sizeof(key));
    VES_ASSERT(!failed && sealed_len == size + VES_SEAL_TAG_SIZE);
    return VES_OK;
}

enum ves_status ves_passphrase_open(struct ves_bytes passphrase,
                                    const uint8_t salt[VES_SEAL_SALT_SIZE],
                                    const uint8_t nonce[VES_SEAL_NONCE_SIZE],
                                    const uint8_t *sealed, size_t size,
                                    uint8_t *out)
{
    uint8_t key[SEAL_KEY_SIZE];
    unsigned long long len = 0;
    enum ves_status status = derive_key(passphrase, salt, key);
    if (status) {
        ves_wipe(out, size);
        return status;
    }

    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, &len, NULL, sealed, size + VES_SEAL_TAG_SIZE, NULL, 0, nonce, key);
    ves_wipe(key, sizeof(key));
    if (failed) {
        ves_wipe(out, size);
        return VES_REFUSED;
    }
    VES_ASSERT(len == size);
    return VES_OK;
}
