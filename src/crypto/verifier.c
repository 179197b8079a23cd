/* verifier.c -- the port of port/crypt.h without threads. */
#include "crypto/verifier.h"

#include "base/bytes.h"
#include "crypto/crypto.h"

void ves_verify_each(struct ves_verifier *self, struct ves_verify_item *items,
                     size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        items[i].is_valid = ves_ed25519_verify(
            &items[i].key, ves_bytes(items[i].hash.b, VES_HASH_SIZE),
            &items[i].sig);
}
