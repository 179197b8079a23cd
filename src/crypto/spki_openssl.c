/* spki_openssl.c -- what a TLS server's key is known by. */
#include "crypto/spki_openssl.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/crypto.h"

enum ves_status ves_tls_spki_hash(struct ves_bytes pem, struct ves_hash *out)
{
    enum ves_status status = VES_MALFORMED;
    if (pem.len > INT_MAX)
        return status;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (certificate) {
        unsigned char *der = NULL;
        int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
        if (len > 0) {
            ves_sha256_one(der, (size_t)len, out);
            status = VES_OK;
        }
        OPENSSL_free(der);
    }
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    return status;
}
