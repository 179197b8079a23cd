/* test_signer.c -- real signatures behind the ports, and a key registry. */
#include "test/lib/test_signer.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

static void sign(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count)
{
    struct test_signer *signer = (struct test_signer *)self;

    signer->calls++;
    signer->items += count;
    for (size_t i = 0; i < count; i++)
        test_signer_sign(signer, &items[i].hash, &items[i].sig);
}

static void sign_text(struct ves_signer *self, struct ves_bytes text,
                      struct ves_sig *sig)
{
    ves_ed25519_sign(&((struct test_signer *)self)->secret, text, sig);
}

void test_signer_init(struct test_signer *signer, uint8_t seed)
{
    uint8_t bytes[VES_SEED_SIZE];

    memset(signer, 0, sizeof(*signer));
    memset(bytes, seed, sizeof(bytes));
    ves_ed25519_keypair(bytes, &signer->secret, &signer->signer.public_key);
    signer->signer.sign = sign;
    signer->signer.sign_text = sign_text;
}

void test_signer_sign(const struct test_signer *signer,
                      const struct ves_hash *hash, struct ves_sig *out)
{
    ves_ed25519_sign(&signer->secret, ves_bytes(hash->b, VES_HASH_SIZE), out);
}

static void verify(struct ves_verifier *self, struct ves_verify_item *items,
                   size_t count)
{
    struct test_verifier *verifier = (struct test_verifier *)self;

    verifier->calls++;
    verifier->items += count;
    for (size_t i = 0; i < count; i++)
        items[i].is_valid =
            test_verify(&items[i].key, &items[i].hash, &items[i].sig);
}

void test_verifier_init(struct test_verifier *verifier)
{
    memset(verifier, 0, sizeof(*verifier));
    verifier->verifier.verify = verify;
}

bool test_verify(const struct ves_public_key *key, const struct ves_hash *hash,
                 const struct ves_sig *sig)
{
    return ves_ed25519_verify(key, ves_bytes(hash->b, VES_HASH_SIZE), sig);
}

static bool find_key(void *ctx, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, uint32_t key_id,
                     struct ves_public_key *out)
{
    const struct test_keys *keys = ctx;

    for (size_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].key_id != key_id ||
            !ves_uuid_equal(&keys->keys[i].tenant, tenant) ||
            !ves_uuid_equal(&keys->keys[i].agent, agent))
            continue;
        *out = keys->keys[i].key;
        return true;
    }
    return false;
}

void test_keys_init(struct test_keys *keys)
{
    memset(keys, 0, sizeof(*keys));
    keys->source.ctx = keys;
    keys->source.find = find_key;
}

void test_keys_add(struct test_keys *keys, const struct ves_uuid *tenant,
                   const struct ves_uuid *agent, uint32_t key_id,
                   const struct ves_public_key *key)
{
    VES_ASSERT(keys->count < TEST_KEYS_MAX);
    keys->keys[keys->count].tenant = *tenant;
    keys->keys[keys->count].agent = *agent;
    keys->keys[keys->count].key_id = key_id;
    keys->keys[keys->count].key = *key;
    keys->count++;
}
