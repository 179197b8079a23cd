/* identity.h -- the sequencer's name, its receipt keys and its first admin.
 *
 * The current secret lies in FILE.key; names and public history are in the
 * store's meta table: "sequencer.id" (UUID) and "sequencer.keys", JSON
 * [{version, publicKey, activeFrom, statementSignature?}], oldest first.  Every
 * later key is introduced by a statement its predecessor signed (design.md
 * D18).
 */
#ifndef VES_SERVER_IDENTITY_H
#define VES_SERVER_IDENTITY_H

#include "core/invitation.h"
#include "core/note.h"
#include "core/receipt.h"
#include "port/crypt.h"
#include "port/store.h"
#include "ves/serve.h"

/* Name of the value that the logs' names begin with. */
#define VES_META_LOG_HOST "log.host"

/* The named value that holds them. */
#define VES_IDENTITY_META_KEYS "sequencer.keys"

struct ves_identity_key {
    uint32_t version;
    struct ves_public_key public_key;
    int64_t active_from_ms;
    bool has_statement; /* every version but the first */
    struct ves_sig statement;
};

struct ves_identity {
    struct ves_uuid sequencer_id;
    struct ves_identity_key keys[VES_SEQUENCER_KEYS_MAX]; /* oldest first */
    size_t key_count;
    struct ves_signer *signer; /* current key; thread-safe, owned */
    bool is_admin_key_new;     /* FILE.admin-key was written just now */
};

static inline const struct ves_identity_key *
ves_identity_current(const struct ves_identity *identity)
{
    return &identity->keys[identity->key_count - 1];
}

/* Reads the identity, making it (and FILE.key, FILE.admin-key) when the store
 * has none, and the next key first when options->rotate_key.  VES_CORRUPT when
 * FILE.key is not the store's current key or the history does not verify.
 * *out is emptied with _close.
 *
 * Of a shared store (server/storage.h) the files are options->signing_key and
 * admin_key_file, and nothing is made when the latter is NULL (VES_NOT_FOUND);
 * of a file it is always NULL. */
VES_NODISCARD enum ves_status
ves_identity_open(struct ves_store *store, const struct ves_alloc *alloc,
                  const struct ves_serve_options *options,
                  const char *admin_key_file, int64_t now_ms,
                  struct ves_identity *out, struct ves_error *error);
void ves_identity_close(struct ves_identity *identity);

/* Signs with the current key; thread-safe. */
void ves_identity_sign(const struct ves_identity *identity,
                       const struct ves_hash *hash, struct ves_sig *out);

/* Appends the lines of a note that our keys made under that name, each key's
 * once.  false: there is none, or a wrong one. */
bool ves_identity_own_lines(const struct ves_identity *identity,
                            struct ves_bytes name, const struct ves_note *note,
                            struct ves_buf *out);

/* Appends the JSON array of the history (also what meta holds). */
void ves_identity_write_keys(struct ves_buf *buf,
                             const struct ves_identity *identity);

#endif
