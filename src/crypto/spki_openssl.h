/* spki_openssl.h -- what a TLS server's key is known by. */
#ifndef VES_CRYPTO_SPKI_OPENSSL_H
#define VES_CRYPTO_SPKI_OPENSSL_H

#include "ves/ves.h"

/* SHA-256 of the SubjectPublicKeyInfo of the first certificate in PEM text:
 * what a client pins (RFC 7469 2.4).  VES_MALFORMED when there is none. */
VES_NODISCARD enum ves_status ves_tls_spki_hash(struct ves_bytes pem,
                                                struct ves_hash *out);

/* Is key, PEM text, the private key of the first certificate in cert?  A key
 * that asks for a passphrase is none. */
bool ves_tls_is_pair(struct ves_bytes cert, struct ves_bytes key);

#endif
