/* rsa_openssl.h -- RSA public keys of others. */
#ifndef VES_CRYPTO_RSA_OPENSSL_H
#define VES_CRYPTO_RSA_OPENSSL_H

#include "base/buf.h"

enum { VES_RSA_BITS_MIN = 2048, VES_RSA_BITS_MAX = 8192 };

/* Appends the key as PEM (SubjectPublicKeyInfo), with a NUL.  Modulus and
 * exponent are big-endian.  VES_INVALID: too short or too long, or an exponent
 * below 3 or even; VES_NOMEM. */
VES_NODISCARD enum ves_status ves_rsa_write_pem(struct ves_bytes modulus,
                                                struct ves_bytes exponent,
                                                struct ves_buf *out);

#endif
