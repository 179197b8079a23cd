/* verifier.h -- the port of port/crypt.h without threads: one after the other.
 */
#ifndef VES_CRYPTO_VERIFIER_H
#define VES_CRYPTO_VERIFIER_H

#include "port/crypt.h"

/* What a ves_verifier without state of its own has as verify; self may be NULL.
 */
void ves_verify_each(struct ves_verifier *self, struct ves_verify_item *items,
                     size_t count);

#endif
