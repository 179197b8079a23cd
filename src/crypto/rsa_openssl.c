/* rsa_openssl.c -- RSA public keys of others. */
#include "crypto/rsa_openssl.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

enum { EXPONENT_BYTES_MAX = 8 };

static EVP_PKEY *build(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (ctx && builder &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(builder);
    if (!params || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static enum ves_status write_pem(EVP_PKEY *key, struct ves_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    enum ves_status status = VES_NOMEM;
    if (bio && PEM_write_bio_PUBKEY(bio, key)) {
        long len = BIO_get_mem_data(bio, &text);
        ves_buf_put(out, text, len > 0 ? (size_t)len : 0);
        ves_buf_put_u8(out, 0);
        status = ves_buf_status(out);
    }
    BIO_free(bio);
    return status;
}

enum ves_status ves_rsa_write_pem(struct ves_bytes modulus,
                                  struct ves_bytes exponent,
                                  struct ves_buf *out)
{
    if (modulus.len > VES_RSA_BITS_MAX / 8 || exponent.len == 0 ||
        exponent.len > EXPONENT_BYTES_MAX)
        return VES_INVALID;
    BIGNUM *n = BN_bin2bn(modulus.ptr, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.ptr, (int)exponent.len, NULL);
    enum ves_status status = n && e ? VES_OK : VES_NOMEM;
    if (!status && (BN_num_bits(n) < VES_RSA_BITS_MIN || !BN_is_odd(n) ||
                    !BN_is_odd(e) || BN_is_one(e)))
        status = VES_INVALID;
    EVP_PKEY *key = status ? NULL : build(n, e);
    if (!status && !key)
        status = VES_INVALID;
    if (!status)
        status = write_pem(key, out);
    EVP_PKEY_free(key);
    BN_free(n);
    BN_free(e);
    return status;
}
