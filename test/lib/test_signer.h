/* test_signer.h -- real signatures behind the ports, and a key registry.
 *
 * Keys come from one byte, so that every run signs the same bytes.
 */
#ifndef VES_TEST_SIGNER_H
#define VES_TEST_SIGNER_H

#include "crypto/crypto.h"
#include "engine/sequencer.h"
#include "port/crypt.h"

struct test_signer {
    struct ves_signer signer; /* first: the port's view */
    struct ves_secret_key secret;
    size_t calls; /* of sign */
    size_t items; /* signed by them */
};

/* The key of seed { seed, seed, ... }.  Needs ves_crypto_init(). */
void test_signer_init(struct test_signer *signer, uint8_t seed);
void test_signer_sign(const struct test_signer *signer,
                      const struct ves_hash *hash, struct ves_sig *out);

struct test_verifier {
    struct ves_verifier verifier;
    size_t calls;
    size_t items;
};

void test_verifier_init(struct test_verifier *verifier);

bool test_verify(const struct ves_public_key *key, const struct ves_hash *hash,
                 const struct ves_sig *sig);

enum { TEST_KEYS_MAX = 64 };

/* What a server keeps in memory of the registered keys. */
struct test_keys {
    struct ves_key_source source;
    struct {
        struct ves_uuid tenant, agent;
        uint32_t key_id;
        struct ves_public_key key;
    } keys[TEST_KEYS_MAX];
    size_t count;
};

/* keys must not move afterwards. */
void test_keys_init(struct test_keys *keys);
void test_keys_add(struct test_keys *keys, const struct ves_uuid *tenant,
                   const struct ves_uuid *agent, uint32_t key_id,
                   const struct ves_public_key *key);

#endif
