/* identity.c -- the sequencer's name, its receipt keys and its first admin.
 *
 * Rotation survives a crash at any point: FILE.key.next is complete on disk
 * before the store names it current, and takes the place of FILE.key
 * afterwards; whoever starts next finishes what is left to do.
 */
#include "server/identity.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "os/random.h"
#include "server/auth.h"
#include "server/storage.h"
#include "json/json.h"

enum { META_MAX = 64 * 1024, PATH_SIZE = 4096 };

#define META_ID   "sequencer.id"
#define META_KEYS VES_IDENTITY_META_KEYS

struct context {
    struct ves_store *store;
    const struct ves_alloc *alloc;
    const struct ves_serve_options *options;
    const char *admin_key_file; /* of a shared store that may be made */
    char name[256];             /* of the store, in messages */
    int64_t now_ms;
    struct ves_passphrase passphrase;
    struct ves_identity *identity;
    struct ves_error *error;
    char key_path[PATH_SIZE];
    char next_path[PATH_SIZE];
    char admin_path[PATH_SIZE];
};

static const char *store_name(struct context *c)
{
    return ves_storage_name(c->options, c->name, sizeof(c->name));
}

static const struct ves_passphrase *passphrase(const struct context *c)
{
    return c->passphrase.ask ? &c->passphrase : NULL;
}

/* A first key is sealed only on request, a later one also when the one before
 * is; an old one is opened whenever it is. */
static const struct ves_passphrase *sealing(const struct context *c)
{
    return c->options->seal_key ? passphrase(c) : NULL;
}

static enum ves_status store_failed(struct context *c, enum ves_status status)
{
    return ves_fail(c->error, status, "the sequencer's store failed: %s",
                    c->store->error.text[0] ? c->store->error.text
                                            : ves_status_message(status));
}

/* ---- history ------------------------------------------------------------- */

void ves_identity_write_keys(struct ves_buf *buf,
                             const struct ves_identity *identity)
{
    for (size_t i = 0; i < identity->key_count; i++) {
        const struct ves_identity_key *key = &identity->keys[i];
        char at[VES_TIME_TEXT + 1];
        ves_time_format(key->active_from_ms, at);
        ves_buf_putf(buf, "%s{\"version\":%u,\"publicKey\":\"", i ? "," : "[",
                     key->version);
        ves_buf_put_hex(buf, key->public_key.b, VES_KEY_SIZE);
        ves_buf_putf(buf, "\",\"activeFrom\":\"%s\"", at);
        if (key->has_statement) {
            ves_buf_put_str(buf, ",\"statementSignature\":\"");
            ves_buf_put_hex(buf, key->statement.b, VES_SIG_SIZE);
            ves_buf_put_u8(buf, '"');
        }
        ves_buf_put_u8(buf, '}');
    }
    ves_buf_put_u8(buf, ']');
}

static bool read_key(const struct ves_json *node, struct ves_identity_key *key)
{
    struct ves_bytes text;
    uint64_t version;
    if (!ves_json_get_u64(node, "version", &version) || version > UINT32_MAX ||
        !ves_json_get_string(node, "publicKey", &text) ||
        ves_hex_decode(text, key->public_key.b, VES_KEY_SIZE) ||
        !ves_json_get_string(node, "activeFrom", &text) ||
        ves_time_parse(text, &key->active_from_ms))
        return false;
    key->version = (uint32_t)version;
    key->has_statement = ves_json_get_string(node, "statementSignature", &text);
    return !key->has_statement ||
           ves_hex_decode(text, key->statement.b, VES_SIG_SIZE) == VES_OK;
}

/* design.md D18: version 1, 2, 3 ..., each signed for by the one before. */
static bool follows(const struct ves_identity_key *key,
                    const struct ves_identity_key *previous)
{
    struct ves_hash hash;
    if (!previous)
        return key->version == 1;
    if (key->version != previous->version + 1 || !key->has_statement)
        return false;
    ves_seqkey_hash(&previous->public_key, &key->public_key, key->version,
                    &hash);
    return ves_ed25519_verify(&previous->public_key,
                              ves_bytes(hash.b, VES_HASH_SIZE),
                              &key->statement);
}

static bool read_keys(struct ves_arena *arena, struct ves_bytes text,
                      struct ves_identity *out)
{
    const struct ves_json *root;
    if (ves_json_read(arena, text, NULL, &root, NULL) ||
        root->type != VES_JSON_ARRAY || root->count == 0 ||
        root->count > VES_SEQUENCER_KEYS_MAX)
        return false;
    out->key_count = 0;
    for (const struct ves_json *node = root->first; node; node = node->next) {
        struct ves_identity_key *key = &out->keys[out->key_count];
        if (!read_key(node, key) ||
            !follows(key, out->key_count ? key - 1 : NULL))
            return false;
        out->key_count++;
    }
    return true;
}

/* VES_NOT_FOUND for a store without identity. */
static enum ves_status read_meta(struct context *c)
{
    struct ves_arena arena;
    struct ves_bytes id, keys;
    ves_arena_init(&arena, c->alloc, 4 * META_MAX);
    enum ves_status status =
        c->store->ops->meta_get(c->store, META_ID, &arena, &id);
    if (!status)
        status = c->store->ops->meta_get(c->store, META_KEYS, &arena, &keys);
    if (status && status != VES_NOT_FOUND)
        (void)store_failed(c, status);
    if (!status && (ves_uuid_parse(id, &c->identity->sequencer_id) ||
                    !read_keys(&arena, keys, c->identity)))
        status = ves_fail(c->error, VES_CORRUPT,
                          "the store's record of the sequencer's keys does "
                          "not verify; restore a backup of %s",
                          store_name(c));
    ves_arena_free(&arena);
    return status;
}

static enum ves_status write_meta(struct context *c)
{
    struct ves_buf buf;
    char id[VES_UUID_TEXT + 1];
    ves_uuid_format(&c->identity->sequencer_id, id);
    ves_buf_init(&buf, c->alloc, META_MAX);
    ves_identity_write_keys(&buf, c->identity);
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status = c->store->ops->meta_put(c->store, META_ID, ves_bytes_str(id));
    if (!status)
        status =
            c->store->ops->meta_put(c->store, META_KEYS, ves_buf_view(&buf));
    ves_buf_free(&buf);
    return status;
}

/* ---- first start --------------------------------------------------------- */

static enum ves_status write_admin_key(struct context *c)
{
    uint8_t random[VES_API_KEY_RANDOM];
    char text[VES_API_KEY_TEXT + 1];
    const struct ves_uuid nil = {{0}};
    struct ves_credential_row row = {.rights = VES_RIGHT_ADMIN,
                                     .created_ms = c->now_ms,
                                     .label = ves_bytes_str("first start")};
    enum ves_status status = ves_random(random, sizeof(random), c->error);
    if (status)
        return status;
    ves_api_key_make(&nil, random, text);
    ves_api_key_hash(ves_bytes_str(text), &row.key_hash);
    status = ves_credential_file_write(c->admin_path, text, c->error);
    ves_wipe(random, sizeof(random));
    ves_wipe(text, sizeof(text));
    if (status)
        return status;
    status = c->store->ops->credential_put(c->store, &row);
    return status ? store_failed(c, status) : VES_OK;
}

/* Of two that make it at once the second must not. */
static enum ves_status check_unmade(struct context *c)
{
    struct ves_arena arena;
    struct ves_bytes id;
    ves_arena_init(&arena, c->alloc, 4096);
    enum ves_status status =
        c->store->ops->meta_get(c->store, META_ID, &arena, &id);
    ves_arena_free(&arena);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status)
        return store_failed(c, status);
    return ves_fail(c->error, VES_CONFLICT,
                    "%s has a sequencer already; nothing was changed",
                    store_name(c));
}

static enum ves_status make_rows(struct context *c)
{
    struct ves_identity *identity = c->identity;
    enum ves_status status =
        ves_random(identity->sequencer_id.b, VES_UUID_SIZE, c->error);
    if (status)
        return status;
    /* RFC 9562 version 4 */
    identity->sequencer_id.b[6] =
        (uint8_t)((identity->sequencer_id.b[6] & 0x0f) | 0x40);
    identity->sequencer_id.b[8] =
        (uint8_t)((identity->sequencer_id.b[8] & 0x3f) | 0x80);
    identity->keys[0] =
        (struct ves_identity_key){.version = 1,
                                  .public_key = identity->signer->public_key,
                                  .active_from_ms = c->now_ms};
    identity->key_count = 1;
    status = c->store->ops->begin(c->store);
    if (status)
        return store_failed(c, status);
    status = check_unmade(c);
    if (status) {
        c->store->ops->rollback(c->store);
        return status;
    }
    /* The file before the commit: a crash between them makes a new one. */
    status = write_admin_key(c);
    if (!status) {
        status = write_meta(c);
        if (!status)
            status = c->store->ops->commit(c->store);
        if (status)
            (void)store_failed(c, status);
    }
    if (status)
        c->store->ops->rollback(c->store);
    identity->is_admin_key_new = status == VES_OK;
    return status;
}

static enum ves_status make(struct context *c)
{
    /* A key file without a store's record is of a first start cut short, or
     * of a sequencer that lost its database and keeps its key. */
    if (!ves_file_exists(c->key_path)) {
        enum ves_status status = ves_keyfile_generate(
            c->key_path, VES_KEY_SEQUENCER, sealing(c), NULL, c->error);
        if (status)
            return status;
    }
    enum ves_status status =
        ves_keyfile_load(c->key_path, VES_KEY_SEQUENCER, passphrase(c),
                         &c->identity->signer, c->error);
    return status ? status : make_rows(c);
}

/* ---- the current key, and the next --------------------------------------- */

static bool is_current(const struct context *c,
                       const struct ves_public_key *key)
{
    return memcmp(ves_identity_current(c->identity)->public_key.b, key->b,
                  VES_KEY_SIZE) == 0;
}

/* Overwrites what the old file held; the name is then given to the new one.
 * Best effort: a file system may keep old blocks, the key is retired anyway. */
static void wipe_file(const char *path)
{
    static const uint8_t zeros[256];
    struct stat info;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        off_t left = info.st_size;
        while (left > 0) {
            size_t n =
                left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros);
            ssize_t done = write(fd, zeros, n);
            if (done <= 0)
                break;
            left -= done;
        }
        (void)fsync(fd);
    }
    (void)close(fd);
}

static enum ves_status sync_directory(const char *path)
{
    char directory[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    memcpy(directory, path, len);
    directory[len] = 0;
    int fd = open(slash ? (len ? directory : "/") : ".",
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return VES_IO;
    int result = fsync(fd);
    (void)close(fd);
    return result ? VES_IO : VES_OK;
}

static enum ves_status adopt_next(struct context *c)
{
    wipe_file(c->key_path);
    if (rename(c->next_path, c->key_path) || sync_directory(c->key_path))
        return ves_fail(c->error, VES_IO,
                        "%s cannot take the place of %s; the next start tries "
                        "again",
                        c->next_path, c->key_path);
    return VES_OK;
}

/* Finishes or undoes a rotation that was cut short. */
static enum ves_status settle_rotation(struct context *c)
{
    struct ves_public_key key;
    if (!ves_file_exists(c->next_path))
        return VES_OK;
    enum ves_status status = ves_keyfile_inspect(
        c->next_path, VES_KEY_SEQUENCER, &key, NULL, c->error);
    if (status)
        return status;
    if (is_current(c, &key))
        return adopt_next(c);
    wipe_file(c->next_path);
    if (unlink(c->next_path))
        return ves_fail(c->error, VES_IO,
                        "%s is left from a rotation that did not happen and "
                        "cannot be removed",
                        c->next_path);
    return VES_OK;
}

static enum ves_status load_current(struct context *c)
{
    struct ves_public_key key;
    if (!ves_file_exists(c->key_path))
        return ves_fail(c->error, VES_NOT_FOUND,
                        "the sequencer's signing key %s is missing; bring it "
                        "back from a backup, the database alone cannot sign",
                        c->key_path);
    enum ves_status status = ves_keyfile_inspect(c->key_path, VES_KEY_SEQUENCER,
                                                 &key, NULL, c->error);
    if (status)
        return status;
    if (!is_current(c, &key))
        return ves_fail(c->error, VES_CORRUPT,
                        "%s is not the key this database signs with (version "
                        "%u); nothing was changed: find the key that belongs "
                        "to %s",
                        c->key_path, ves_identity_current(c->identity)->version,
                        store_name(c));
    return ves_keyfile_load(c->key_path, VES_KEY_SEQUENCER, passphrase(c),
                            &c->identity->signer, c->error);
}

static enum ves_status put_next(struct context *c,
                                const struct ves_identity_key *next)
{
    struct ves_identity *identity = c->identity;
    identity->keys[identity->key_count++] = *next;
    enum ves_status status = c->store->ops->begin(c->store);
    if (!status)
        status = write_meta(c);
    if (!status)
        status = c->store->ops->commit(c->store);
    if (status) {
        c->store->ops->rollback(c->store);
        identity->key_count--;
        return store_failed(c, status);
    }
    return VES_OK;
}

static enum ves_status rotate(struct context *c)
{
    struct ves_identity *identity = c->identity;
    const struct ves_identity_key *current = ves_identity_current(identity);
    struct ves_identity_key next = {.version = current->version + 1,
                                    .active_from_ms = c->now_ms,
                                    .has_statement = true};
    if (identity->key_count == VES_SEQUENCER_KEYS_MAX)
        return ves_fail(c->error, VES_LIMIT,
                        "the sequencer has had %d keys, which is the most a "
                        "store can pin; the key was not rotated",
                        VES_SEQUENCER_KEYS_MAX);
    struct ves_public_key ignored;
    bool is_sealed = false;
    enum ves_status status = ves_keyfile_inspect(
        c->key_path, VES_KEY_SEQUENCER, &ignored, &is_sealed, c->error);
    if (!status)
        status = ves_keyfile_generate(c->next_path, VES_KEY_SEQUENCER,
                                      is_sealed ? passphrase(c) : sealing(c),
                                      &next.public_key, c->error);
    if (status)
        return status;
    struct ves_hash hash;
    ves_seqkey_hash(&current->public_key, &next.public_key, next.version,
                    &hash);
    ves_identity_sign(identity, &hash, &next.statement);
    status = put_next(c, &next);
    if (status)
        return status;
    ves_signer_free(identity->signer);
    identity->signer = NULL;
    status = adopt_next(c);
    return status ? status : load_current(c);
}

/* ---- opening ------------------------------------------------------------- */

static enum ves_status name_file(struct context *c, char out[PATH_SIZE],
                                 const char *base, const char *suffix)
{
    int n = snprintf(out, PATH_SIZE, "%s%s", base, suffix);
    if (n >= 0 && n < PATH_SIZE)
        return VES_OK;
    return ves_fail(c->error, VES_INVALID, "the path %s%s is too long", base,
                    suffix);
}

static enum ves_status name_files(struct context *c)
{
    bool is_shared = ves_storage_is_shared(c->options);
    enum ves_status status =
        is_shared ? name_file(c, c->key_path, c->options->signing_key, "")
                  : name_file(c, c->key_path, c->options->db, ".key");
    if (!status)
        status = name_file(c, c->next_path, c->key_path, ".next");
    if (!status && is_shared)
        status = name_file(c, c->admin_path,
                           c->admin_key_file ? c->admin_key_file : "", "");
    else if (!status)
        status = name_file(c, c->admin_path, c->options->db, ".admin-key");
    return status;
}

static enum ves_status is_not_made(struct context *c)
{
    return ves_fail(c->error, VES_NOT_FOUND,
                    "there is no sequencer in %s yet; make its keys once: ves "
                    "admin init --store URL --signing-key FILE "
                    "--admin-key-file FILE",
                    store_name(c));
}

enum ves_status ves_identity_open(struct ves_store *store,
                                  const struct ves_alloc *alloc,
                                  const struct ves_serve_options *options,
                                  const char *admin_key_file, int64_t now_ms,
                                  struct ves_identity *out,
                                  struct ves_error *error)
{
    struct context c = {
        .store = store,
        .alloc = alloc,
        .options = options,
        .admin_key_file = admin_key_file,
        .now_ms = now_ms,
        .passphrase = {options->passphrase, options->passphrase_ctx},
        .identity = out,
        .error = error};
    *out = (struct ves_identity){0};
    enum ves_status status = name_files(&c);
    if (!status) {
        status = read_meta(&c);
        if (status == VES_NOT_FOUND) {
            status = !ves_storage_is_shared(options) || admin_key_file
                         ? make(&c)
                         : is_not_made(&c);
        } else if (!status) {
            status = settle_rotation(&c);
            if (!status)
                status = load_current(&c);
        }
    }
    if (!status && options->rotate_key)
        status = rotate(&c);
    if (status)
        ves_identity_close(out);
    return status;
}

void ves_identity_close(struct ves_identity *identity)
{
    ves_signer_free(identity->signer);
    identity->signer = NULL;
}

void ves_identity_sign(const struct ves_identity *identity,
                       const struct ves_hash *hash, struct ves_sig *out)
{
    struct ves_sign_item item = {.hash = *hash};
    identity->signer->sign(identity->signer, &item, 1);
    *out = item.sig;
}

bool ves_identity_own_lines(const struct ves_identity *identity,
                            struct ves_bytes name, const struct ves_note *note,
                            struct ves_buf *out)
{
    bool has_good = false;
    for (size_t i = 0; i < identity->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, name, VES_NOTE_ED25519,
                          &identity->keys[i].public_key);
        enum ves_note_verdict verdict = ves_note_check(note, &key, NULL);
        if (verdict == VES_NOTE_BAD)
            return false;
        for (size_t k = 0; verdict == VES_NOTE_GOOD && k < note->count; k++) {
            if (note->lines[k].key_id != key.id ||
                !ves_bytes_equal(note->lines[k].name, name))
                continue;
            ves_buf_put_bytes(out, note->lines[k].text);
            has_good = true;
            break;
        }
    }
    return has_good;
}
