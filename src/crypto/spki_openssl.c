/* spki_openssl.c -- what a TLS server's key is known by. */
#include "crypto/spki_openssl.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/crypto.h"

static BIO *open_pem(struct ves_bytes pem)
{
    return pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

static X509 *read_certificate(struct ves_bytes pem)
{
    BIO *bio = open_pem(pem);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

/* Without it OpenSSL asks on the terminal. */
static int no_passphrase(char *out, int size, int is_writing, void *ctx)
{
    (void)out, (void)size, (void)is_writing, (void)ctx;
    return -1;
}

enum ves_status ves_tls_spki_hash(struct ves_bytes pem, struct ves_hash *out)
{
    enum ves_status status = VES_MALFORMED;
    X509 *certificate = read_certificate(pem);
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
    ERR_clear_error();
    return status;
}

bool ves_tls_is_pair(struct ves_bytes cert, struct ves_bytes key)
{
    X509 *certificate = read_certificate(cert);
    BIO *bio = open_pem(key);
    EVP_PKEY *secret =
        bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    bool is_pair =
        certificate && secret && X509_check_private_key(certificate, secret);
    EVP_PKEY_free(secret);
    BIO_free(bio);
    X509_free(certificate);
    ERR_clear_error();
    return is_pair;
}
