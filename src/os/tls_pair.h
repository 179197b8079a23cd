/* tls_pair.h -- the certificate and the private key of who listens. */
#ifndef VES_OS_TLS_PAIR_H
#define VES_OS_TLS_PAIR_H

#include "base/buf.h"

struct ves_tls_pair {
    bool is_set;         /* false: no TLS */
    struct ves_buf cert; /* PEM, NUL-terminated */
    struct ves_buf key;
    struct ves_hash spki; /* SHA-256 of the SubjectPublicKeyInfo */
};

/* No pair yet; alloc must outlive it. */
void ves_tls_pair_init(struct ves_tls_pair *pair,
                       const struct ves_alloc *alloc);

/* Reads both files (PEM, the key without a passphrase); both paths NULL: no
 * TLS.  VES_INVALID: only one of them, or not a pair; VES_MALFORMED: not a
 * certificate; VES_IO, VES_LIMIT, VES_NOMEM.  Freed by the caller in any
 * case. */
VES_NODISCARD enum ves_status ves_tls_pair_read(struct ves_tls_pair *pair,
                                                const char *cert_path,
                                                const char *key_path,
                                                struct ves_error *error);

/* Wipes the key.  As after _init. */
void ves_tls_pair_free(struct ves_tls_pair *pair);

#endif
