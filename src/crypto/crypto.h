/* crypto.h -- every cryptographic primitive VES uses (design.md D8, D10, D16).
 *
 * SHA-256 is OpenSSL's, Ed25519 and key memory are libsodium's; one file per
 * library.  The simulator replaces ed25519_sodium.c by a keyed hash.  Many
 * signatures of few keys are verified by our own arithmetic (key_tables.h), and
 * many runs of one length hashed by our own code (sha256_each.c).
 */
#ifndef VES_CRYPTO_CRYPTO_H
#define VES_CRYPTO_CRYPTO_H

#include "ves/ves.h"

/* Prepares the libraries; safe to call again and from several threads.
 * Everything below needs it first.  VES_IO if a library refuses to start, or
 * if the signatures of ed25519_strict.c are not verified as they must be. */
VES_NODISCARD enum ves_status ves_crypto_init(void);

/* What to say then. */
#define VES_CRYPTO_WORDS                                                     \
    "the crypto libraries do not start, or libsodium takes signatures that " \
    "are none; nothing was done; install libsodium and OpenSSL as your "     \
    "system's packages have them"

/* SHA-256 of the concatenation of n parts. */
void ves_sha256(const struct ves_bytes *parts, size_t n, struct ves_hash *out);
/* SHA-256 of one run of bytes. */
void ves_sha256_one(const void *data, size_t len, struct ves_hash *out);
/* SHA-256 of each of count runs of len bytes that follow one another: half the
 * time of one after the other where the processor can, a third for sixteen and
 * more with AVX-512.  out has room for
 * count. */
void ves_sha256_each(const uint8_t *data, size_t len, size_t count,
                     struct ves_hash *out);

/* For tables whose keys others choose: without the key nobody finds two that
 * fall together. */
enum { VES_SIPHASH_KEY = 16 };
uint64_t ves_siphash(const uint8_t key[VES_SIPHASH_KEY], const void *data,
                     size_t len);

enum { VES_SEED_SIZE = 32, VES_SECRET_SIZE = 64 };

/* An Ed25519 secret: seed and public half.  Lives in locked memory made by
 * ves_secret_new() wherever it stays longer than a call. */
struct ves_secret_key {
    uint8_t b[VES_SECRET_SIZE];
};

void ves_ed25519_keypair(const uint8_t seed[VES_SEED_SIZE],
                         struct ves_secret_key *secret,
                         struct ves_public_key *public_key);

/* RFC 8032, deterministic, over any bytes; VES signs 32-byte hashes. */
void ves_ed25519_sign(const struct ves_secret_key *secret,
                      struct ves_bytes message, struct ves_sig *out);

/* Strict (design.md D10): S < L, key and R canonical and not of small order.
 */
VES_NODISCARD bool ves_ed25519_verify(const struct ves_public_key *key,
                                      struct ves_bytes message,
                                      const struct ves_sig *sig);

/* Is it strict, as far as known signatures tell that break one rule each? */
typedef bool ves_ed25519_verifier(const struct ves_public_key *key,
                                  struct ves_bytes message,
                                  const struct ves_sig *sig);
VES_NODISCARD bool ves_ed25519_is_strict(ves_ed25519_verifier *verify);

/* The same of what ves_ed25519_verify rests on; true of a stand-in. */
VES_NODISCARD bool ves_ed25519_is_fit(void);

/* The number k of RFC 8032 section 5.1.7: SHA-512 of R, key and message modulo
 * L, little-endian. */
enum { VES_SCALAR_SIZE = 32 };
void ves_ed25519_challenge(const struct ves_public_key *key,
                           struct ves_bytes message, const struct ves_sig *sig,
                           uint8_t out[VES_SCALAR_SIZE]);

/* Is key canonical, on the curve, in the main subgroup and not small? */
VES_NODISCARD bool ves_ed25519_key_is_valid(const struct ves_public_key *key);

/* Locked, guarded, wiped memory for secrets; NULL when there is none. */
VES_NODISCARD void *ves_secret_new(size_t size);
void ves_secret_free(void *secret); /* wipes; NULL allowed */
void ves_wipe(void *data, size_t size);

/* Equal in constant time? */
VES_NODISCARD bool ves_equal_ct(const void *a, const void *b, size_t size);

enum {
    VES_SEAL_SALT_SIZE = 16,
    VES_SEAL_NONCE_SIZE = 24,
    VES_SEAL_TAG_SIZE = 16
};

/* Seals size bytes under a passphrase (Argon2id, interactive limits, then
 * XChaCha20-Poly1305).  salt and nonce are random bytes of the caller's; out
 * takes size + VES_SEAL_TAG_SIZE bytes.  VES_NOMEM when the key derivation
 * has not enough memory. */
VES_NODISCARD enum ves_status
ves_passphrase_seal(struct ves_bytes passphrase,
                    const uint8_t salt[VES_SEAL_SALT_SIZE],
                    const uint8_t nonce[VES_SEAL_NONCE_SIZE],
                    const uint8_t *secret, size_t size, uint8_t *out);

/* Opposite; sealed holds size + VES_SEAL_TAG_SIZE bytes, out takes size.
 * VES_REFUSED for a wrong passphrase or altered bytes; out is then wiped. */
VES_NODISCARD enum ves_status
ves_passphrase_open(struct ves_bytes passphrase,
                    const uint8_t salt[VES_SEAL_SALT_SIZE],
                    const uint8_t nonce[VES_SEAL_NONCE_SIZE],
                    const uint8_t *sealed, size_t size, uint8_t *out);

#endif
