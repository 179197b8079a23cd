/* tls_pair.c -- the certificate and the private key of who listens. */
#include "os/tls_pair.h"

#include "base/error.h"
#include "crypto/crypto.h"
#include "crypto/spki_openssl.h"
#include "os/file.h"

enum { FILE_MAX = 1024 * 1024 };

void ves_tls_pair_init(struct ves_tls_pair *pair, const struct ves_alloc *alloc)
{
    *pair = (struct ves_tls_pair){.is_set = false};
    ves_buf_init(&pair->cert, alloc, FILE_MAX);
    ves_buf_init(&pair->key, alloc, FILE_MAX);
}

enum ves_status ves_tls_pair_read(struct ves_tls_pair *pair,
                                  const char *cert_path, const char *key_path,
                                  struct ves_error *error)
{
    if (!cert_path != !key_path)
        return ves_fail(error, VES_INVALID,
                        "a certificate and its key go together");
    if (!cert_path)
        return VES_OK;
    enum ves_status status = ves_file_read(cert_path, &pair->cert, error);
    if (!status)
        status = ves_file_read(key_path, &pair->key, error);
    if (status)
        return status;
    if (ves_tls_spki_hash(ves_buf_view(&pair->cert), &pair->spki))
        return ves_fail(error, VES_MALFORMED,
                        "%s does not hold a certificate in PEM form",
                        cert_path);
    if (!ves_tls_is_pair(ves_buf_view(&pair->cert), ves_buf_view(&pair->key)))
        return ves_fail(error, VES_INVALID,
                        "%s is not the private key, without a passphrase, of "
                        "the certificate in %s",
                        key_path, cert_path);
    ves_buf_put_u8(&pair->cert, 0);
    ves_buf_put_u8(&pair->key, 0);
    status = ves_buf_status(&pair->cert);
    if (!status)
        status = ves_buf_status(&pair->key);
    if (status)
        return ves_fail(error, status, "out of memory");
    pair->is_set = true;
    return VES_OK;
}

void ves_tls_pair_free(struct ves_tls_pair *pair)
{
    if (pair->key.ptr)
        ves_wipe(pair->key.ptr, pair->key.cap);
    ves_buf_free(&pair->key);
    ves_buf_free(&pair->cert);
    pair->is_set = false;
}
