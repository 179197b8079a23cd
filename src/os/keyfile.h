/* keyfile.h -- secret keys and credentials on disk (design.md D8).
 *
 * A key file is text, mode 0600, in one of two forms:
 *
 *     ves-secret-key 1 agent          ves-secret-key 1 agent
 *     public <64 digits>              public <64 digits>
 *     seed <64 digits>                sealed <32 salt> <48 nonce> <96 digits>
 *
 * with lower-case hexadecimal digits, single blanks and a newline after each
 * line, nothing else.  Sealed means ves_passphrase_seal of the seed.  Writing
 * flushes file and directory; a key file is never replaced.  Secrets pass
 * through locked, wiped memory only.
 */
#ifndef VES_OS_KEYFILE_H
#define VES_OS_KEYFILE_H

#include "crypto/crypto.h"
#include "port/crypt.h"
#include "ves/ves.h"

enum ves_key_kind {
    VES_KEY_AGENT,
    VES_KEY_SEQUENCER,
    VES_KEY_OWNER,
    VES_KEY_INVITATION,
    VES_KEY_WITNESS
};

/* Asked for a passphrase: writes at most size bytes into out and returns how
 * many, or -1 when there is none (ves/agent.h). */
struct ves_passphrase {
    int (*ask)(void *ctx, char *out, size_t size);
    void *ctx;
};

enum { VES_PASSPHRASE_MAX = 1024, VES_CREDENTIAL_MAX = 4096 };

/* Makes the file.  passphrase NULL: the seed is written as it is; else it is
 * asked for once and the seed sealed; an empty one is refused.  public_key may
 * be NULL.  VES_CONFLICT when something has that name, VES_AUTH without a
 * passphrase, VES_IO, VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_keyfile_create(const char *path, enum ves_key_kind kind,
                   const uint8_t seed[VES_SEED_SIZE],
                   const struct ves_passphrase *passphrase,
                   struct ves_public_key *public_key, struct ves_error *error);

/* Same with a fresh seed that nobody else sees. */
VES_NODISCARD enum ves_status
ves_keyfile_generate(const char *path, enum ves_key_kind kind,
                     const struct ves_passphrase *passphrase,
                     struct ves_public_key *public_key,
                     struct ves_error *error);

/* Reads the file into a signer whose secret lies in locked memory; its sign
 * may be called from several threads.  passphrase is asked only if the key is
 * sealed, and may be NULL.  VES_NOT_FOUND, VES_REFUSED (file open to others,
 * somebody else's, a symbolic link), VES_MALFORMED, VES_UNSUPPORTED (version),
 * VES_INVALID (another kind of key), VES_AUTH (no or a wrong passphrase),
 * VES_CORRUPT (public and secret half do not belong together), VES_NOMEM,
 * VES_IO. */
VES_NODISCARD enum ves_status
ves_keyfile_load(const char *path, enum ves_key_kind kind,
                 const struct ves_passphrase *passphrase,
                 struct ves_signer **out, struct ves_error *error);

/* What the file says without opening it; is_sealed may be NULL. */
VES_NODISCARD enum ves_status
ves_keyfile_inspect(const char *path, enum ves_key_kind kind,
                    struct ves_public_key *public_key, bool *is_sealed,
                    struct ves_error *error);

/* A signer like those of ves_keyfile_load, from a seed; NULL when there is no
 * locked memory. */
VES_NODISCARD struct ves_signer *
ves_signer_from_seed(const uint8_t seed[VES_SEED_SIZE]);
/* The secret of a signer made here, where something other than a hash is to be
 * signed; borrowed, in locked memory. */
const struct ves_secret_key *ves_signer_secret(const struct ves_signer *signer);
/* Wipes and frees a signer made here; NULL allowed. */
void ves_signer_free(struct ves_signer *signer);

/* A credential file holds one line of 1 to VES_CREDENTIAL_MAX printable ASCII
 * characters, mode 0600.  Writing takes the place of an older one.
 * VES_INVALID for another text. */
VES_NODISCARD enum ves_status
ves_credential_file_write(const char *path, const char *credential,
                          struct ves_error *error);

/* *out is NUL-terminated text in locked memory; give it back with
 * ves_secret_free.  Results as ves_keyfile_load; VES_LIMIT when too long. */
VES_NODISCARD enum ves_status
ves_credential_file_read(const char *path, char **out, struct ves_error *error);

#endif
