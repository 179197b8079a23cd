/* init.c -- a database that becomes a sequencer's, once. */
#include <unistd.h>

#include "crypto/crypto.h"

#include "base/error.h"
#include "os/clock.h"
#include "os/file.h"
#include "server/identity.h"
#include "server/storage.h"

static enum ves_status check_options(const struct ves_serve_options *options,
                                     const char *admin_key_file,
                                     struct ves_error *error)
{
    if (!options->store || !options->signing_key || !admin_key_file)
        return ves_fail(error, VES_INVALID,
                        "a store's URL, and files for its signing key and its "
                        "admin key, are needed");
    if (ves_file_exists(admin_key_file))
        return ves_fail(error, VES_CONFLICT,
                        "%s is there already and was left alone; nothing was "
                        "changed; name another file for the admin key",
                        admin_key_file);
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    return VES_OK;
}

enum ves_status ves_server_init(const struct ves_serve_options *options,
                                const char *admin_key_file,
                                struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();
    struct ves_identity identity;
    struct ves_store *store;
    char name[256];

    enum ves_status status = check_options(options, admin_key_file, error);
    if (!status)
        status =
            ves_storage_open(options, VES_STORAGE_CREATE, alloc, &store, error);
    if (status)
        return status;
    bool had_key = ves_file_exists(options->signing_key);
    status = ves_identity_open(store, alloc, options, admin_key_file,
                               ves_clock_now_ms(), &identity, error);
    bool is_new = !status && identity.is_admin_key_new;
    if (!status)
        ves_identity_close(&identity);
    ves_storage_close(store);
    if (status == VES_CONFLICT && !had_key)
        (void)unlink(options->signing_key);
    if (!status && !is_new)
        status = ves_fail(error, VES_CONFLICT,
                          "%s has a sequencer already; nothing was changed",
                          ves_storage_name(options, name, sizeof(name)));
    return status;
}
