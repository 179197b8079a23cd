/* tls_server.c -- the certificates of who listens, read anew without a restart,
 * and those of clients. */
#include "os/tls_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/spki_openssl.h"
#include "os/file.h"
#include "os/library.h"
#include "os/tls_pair.h"

/* The number of its interface, the same since 2015. */
#define LIBRARY "libgnutls.so.30"

enum { CHAIN_MAX = 16, TRUST_MAX = 1024 * 1024 };

/* Loaded as libmicrohttpd is, which brings it along. */
static struct {
    __typeof__(gnutls_pcert_list_import_x509_raw) *chain_read;
    __typeof__(gnutls_pcert_deinit) *pcert_deinit;
    __typeof__(gnutls_privkey_init) *key_init;
    __typeof__(gnutls_privkey_import_x509_raw) *key_read;
    __typeof__(gnutls_privkey_deinit) *key_deinit;
    __typeof__(gnutls_certificate_verify_peers) *verify_peers;
} gnutls;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;
static char reason[VES_LIBRARY_REASON];

/* A pair as the library wants it. */
struct pair {
    struct pair *older;
    struct ves_tls_pair text; /* to see whether the files changed */
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_len;
    gnutls_privkey_t key;
};

struct ves_tls_server {
    const struct ves_alloc *alloc;
    char *cert_path, *key_path;
    struct ves_buf trust; /* "" without */
    _Atomic(struct pair *) pair;
};

static _Atomic(struct ves_tls_server *) serving;

static void load(void)
{
    const struct ves_library_symbol symbols[] = {
        {"gnutls_pcert_list_import_x509_raw", &gnutls.chain_read},
        {"gnutls_pcert_deinit", &gnutls.pcert_deinit},
        {"gnutls_privkey_init", &gnutls.key_init},
        {"gnutls_privkey_import_x509_raw", &gnutls.key_read},
        {"gnutls_privkey_deinit", &gnutls.key_deinit},
        {"gnutls_certificate_verify_peers", &gnutls.verify_peers},
        {NULL, NULL}};

    is_loaded = ves_library_load(LIBRARY, symbols, reason);
}

static gnutls_datum_t datum(const struct ves_buf *text)
{
    /* Without the NUL behind it. */
    return (gnutls_datum_t){.data = text->ptr,
                            .size = (unsigned)(text->len - 1)};
}

static void pair_free(const struct ves_alloc *alloc, struct pair *pair)
{
    if (!pair)
        return;
    for (unsigned i = 0; i < pair->chain_len; i++)
        gnutls.pcert_deinit(&pair->chain[i]);
    if (pair->key)
        gnutls.key_deinit(pair->key);
    ves_tls_pair_free(&pair->text);
    alloc->realloc(alloc->ctx, pair, 0);
}

static enum ves_status pair_read(struct pair *pair, const char *cert_path,
                                 const char *key_path, struct ves_error *error)
{
    enum ves_status status =
        ves_tls_pair_read(&pair->text, cert_path, key_path, error);
    if (status)
        return status;
    gnutls_datum_t cert = datum(&pair->text.cert), key = datum(&pair->text.key);
    unsigned len = CHAIN_MAX;
    if (gnutls.chain_read(pair->chain, &len, &cert, GNUTLS_X509_FMT_PEM, 0) < 0)
        return ves_fail(error, VES_MALFORMED,
                        "%s is not a chain of 1 to %d certificates, the "
                        "server's first",
                        cert_path, (int)CHAIN_MAX);
    pair->chain_len = len;
    if (gnutls.key_init(&pair->key) < 0) {
        pair->key = NULL;
        return ves_fail(error, VES_NOMEM, "out of memory");
    }
    if (gnutls.key_read(pair->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
        return ves_fail(error, VES_UNSUPPORTED,
                        "%s is not a private key that GnuTLS can use",
                        key_path);
    return VES_OK;
}

static enum ves_status pair_new(const struct ves_tls_server *tls,
                                struct pair **out, struct ves_error *error)
{
    const struct ves_alloc *alloc = tls->alloc;
    struct pair *pair = alloc->realloc(alloc->ctx, NULL, sizeof(*pair));
    if (!pair)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(pair, 0, sizeof(*pair));
    ves_tls_pair_init(&pair->text, alloc);
    enum ves_status status =
        pair_read(pair, tls->cert_path, tls->key_path, error);
    if (status) {
        pair_free(alloc, pair);
        return status;
    }
    *out = pair;
    return VES_OK;
}

static char *copy_text(const struct ves_alloc *alloc, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = alloc->realloc(alloc->ctx, NULL, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

static enum ves_status read_trust(struct ves_tls_server *tls, const char *path,
                                  struct ves_error *error)
{
    struct ves_hash ignored;
    if (!path)
        return VES_OK;
    enum ves_status status = ves_file_read(path, &tls->trust, error);
    if (status)
        return status;
    if (ves_tls_spki_hash(ves_buf_view(&tls->trust), &ignored))
        return ves_fail(error, VES_MALFORMED,
                        "%s does not hold a certificate in PEM form", path);
    ves_buf_put_u8(&tls->trust, 0);
    return ves_buf_status(&tls->trust)
               ? ves_fail(error, VES_NOMEM, "out of memory")
               : VES_OK;
}

static enum ves_status fill(struct ves_tls_server *tls, const char *cert_path,
                            const char *key_path, const char *client_ca_path,
                            struct ves_error *error)
{
    struct pair *pair;
    tls->cert_path = copy_text(tls->alloc, cert_path);
    tls->key_path = copy_text(tls->alloc, key_path);
    if (!tls->cert_path || !tls->key_path)
        return ves_fail(error, VES_NOMEM, "out of memory");
    enum ves_status status = read_trust(tls, client_ca_path, error);
    if (!status)
        status = pair_new(tls, &pair, error);
    if (status)
        return status;
    atomic_store(&tls->pair, pair);
    struct ves_tls_server *none = NULL;
    return atomic_compare_exchange_strong(&serving, &none, tls)
               ? VES_OK
               : ves_fail(error, VES_BUSY,
                          "this process serves TLS already; one server can");
}

enum ves_status ves_tls_server_new(const struct ves_alloc *alloc,
                                   const char *cert_path, const char *key_path,
                                   const char *client_ca_path,
                                   struct ves_tls_server **out,
                                   struct ves_error *error)
{
    pthread_once(&once, load);
    if (!is_loaded)
        return ves_fail(error, VES_IO,
                        "the library that does TLS cannot be loaded (%s); "
                        "install gnutls 3.6.3 or later",
                        reason);
    struct ves_tls_server *tls = alloc->realloc(alloc->ctx, NULL, sizeof(*tls));
    if (!tls)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(tls, 0, sizeof(*tls));
    tls->alloc = alloc;
    ves_buf_init(&tls->trust, alloc, TRUST_MAX);
    enum ves_status status =
        fill(tls, cert_path, key_path, client_ca_path, error);
    if (status) {
        ves_tls_server_free(tls);
        return status;
    }
    *out = tls;
    return VES_OK;
}

void ves_tls_server_free(struct ves_tls_server *tls)
{
    struct ves_tls_server *mine = tls;
    if (!tls)
        return;
    atomic_compare_exchange_strong(&serving, &mine, NULL);
    struct pair *pair = atomic_load(&tls->pair);
    while (pair) {
        struct pair *older = pair->older;
        pair_free(tls->alloc, pair);
        pair = older;
    }
    ves_buf_free(&tls->trust);
    tls->alloc->realloc(tls->alloc->ctx, tls->cert_path, 0);
    tls->alloc->realloc(tls->alloc->ctx, tls->key_path, 0);
    tls->alloc->realloc(tls->alloc->ctx, tls, 0);
}

static bool is_same(const struct pair *a, const struct pair *b)
{
    return ves_bytes_equal(ves_buf_view(&a->text.cert),
                           ves_buf_view(&b->text.cert)) &&
           ves_bytes_equal(ves_buf_view(&a->text.key),
                           ves_buf_view(&b->text.key));
}

enum ves_status ves_tls_server_reload(struct ves_tls_server *tls, bool *is_new,
                                      struct ves_error *error)
{
    struct pair *pair;
    *is_new = false;
    enum ves_status status = pair_new(tls, &pair, error);
    if (status)
        return status;
    struct pair *old = atomic_load(&tls->pair);
    if (is_same(pair, old)) {
        pair_free(tls->alloc, pair);
        return VES_OK;
    }
    pair->older = old;
    atomic_store(&tls->pair, pair);
    *is_new = true;
    return VES_OK;
}

void ves_tls_server_spki(struct ves_tls_server *tls, struct ves_hash *out)
{
    *out = atomic_load(&tls->pair)->text.spki;
}

const char *ves_tls_server_trust(const struct ves_tls_server *tls)
{
    return tls->trust.len ? (const char *)tls->trust.ptr : NULL;
}

static int choose(gnutls_session_t session,
                  const struct gnutls_cert_retr_st *info,
                  gnutls_pcert_st **certs, unsigned *certs_len,
                  gnutls_ocsp_data_st **ocsp, unsigned *ocsp_len,
                  gnutls_privkey_t *key, unsigned *flags)
{
    struct ves_tls_server *tls = atomic_load(&serving);
    (void)session;
    (void)info;
    if (!tls)
        return -1;
    struct pair *pair = atomic_load(&tls->pair);
    *certs = pair->chain;
    *certs_len = pair->chain_len;
    *ocsp = NULL;
    *ocsp_len = 0;
    *key = pair->key;
    *flags = 0; /* it all stays ours */
    return 0;
}

void *ves_tls_server_choose(void)
{
    gnutls_certificate_retrieve_function3 *function = choose;
    void *pointer;
    memcpy(&pointer, &function, sizeof(pointer));
    return pointer;
}

bool ves_tls_server_vouches(void *session)
{
    static char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st wanted = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                    .data = (unsigned char *)purpose};
    unsigned faults = ~0U;
    return session && gnutls.verify_peers(session, &wanted, 1, &faults) == 0 &&
           faults == 0;
}
