/* witness.c -- what a witness knows and decides, without HTTP. */
#include "witness/witness.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/cosign.h"
#include "os/file.h"
#include "os/keyfile.h"

enum {
    LIST_MAX = 1024 * 1024,
    VKEY_MAX = 1024,
    STATE_MAX = VES_ADD_CHECKPOINT_MAX + 1024,
    KEYS_MAX = 16 /* of one origin */
};

/* DIR/name; false when that is too long. */
static bool path_of(const struct ves_witness *witness, struct ves_bytes name,
                    char out[VES_WITNESS_PATH_MAX])
{
    int n = snprintf(out, VES_WITNESS_PATH_MAX, "%s/%.*s", witness->dir,
                     (int)name.len, (const char *)name.ptr);
    return n > 0 && n < VES_WITNESS_PATH_MAX;
}

/* ---- opening ------------------------------------------------------------- */

static enum ves_status make_folder(struct ves_witness *witness,
                                   struct ves_error *error)
{
    struct stat st;

    if (mkdir(witness->dir, S_IRWXU) == 0)
        return VES_OK;
    if (stat(witness->dir, &st) == 0 && S_ISDIR(st.st_mode))
        return VES_OK;
    return ves_fail(error, VES_IO, "the folder %s cannot be made",
                    witness->dir);
}

static enum ves_status open_key(struct ves_witness *witness,
                                const struct ves_witness_options *options,
                                struct ves_error *error)
{
    const struct ves_passphrase ask = {options->passphrase,
                                       options->passphrase_ctx};
    char path[VES_WITNESS_PATH_MAX];

    if (!path_of(witness, ves_bytes_str("key"), path))
        return ves_fail(error, VES_INVALID, "the folder's path is too long");
    enum ves_status status =
        ves_keyfile_load(path, VES_KEY_WITNESS, &ask, &witness->signer, error);
    if (status != VES_NOT_FOUND)
        return status;
    /* States without the key: it was lost, and another one would vouch for
     * what it has not seen. */
    char vkey[VES_WITNESS_PATH_MAX];
    if (path_of(witness, ves_bytes_str("vkey"), vkey) && ves_file_exists(vkey))
        return ves_fail(error, VES_CORRUPT,
                        "%s has a witness's state but not its key; a new "
                        "witness needs a new folder",
                        witness->dir);
    status = ves_keyfile_generate(path, VES_KEY_WITNESS,
                                  options->seal_key ? &ask : NULL, NULL, error);
    return status ? status
                  : ves_keyfile_load(path, VES_KEY_WITNESS, &ask,
                                     &witness->signer, error);
}

static enum ves_status name_key(struct ves_witness *witness, const char *name,
                                struct ves_error *error)
{
    struct ves_bytes text = ves_bytes_str(name);

    if (!ves_note_name_is_valid(text))
        return ves_fail(error, VES_INVALID,
                        "a witness's name has neither blanks nor \"+\"");
    ves_note_key_init(&witness->key, text, VES_NOTE_COSIGNATURE,
                      &witness->signer->public_key);
    ves_note_key_write(&witness->vkey, &witness->key);
    ves_buf_put_u8(&witness->vkey, '\n');
    return ves_buf_status(&witness->vkey)
               ? ves_fail(error, VES_LIMIT, "the witness's name is too long")
               : VES_OK;
}

/* The name is part of what policies name, so it stays what it was. */
static enum ves_status open_name(struct ves_witness *witness,
                                 const struct ves_witness_options *options,
                                 struct ves_error *error)
{
    char path[VES_WITNESS_PATH_MAX];

    if (!path_of(witness, ves_bytes_str("vkey"), path))
        return ves_fail(error, VES_INVALID, "the folder's path is too long");
    enum ves_status status = ves_file_read(path, &witness->vkey, NULL);
    if (status == VES_NOT_FOUND) {
        if (!options->name)
            return ves_fail(error, VES_INVALID,
                            "a witness needs a name at its first start");
        status = name_key(witness, options->name, error);
        if (!status)
            status = ves_file_write(path, ves_buf_view(&witness->vkey),
                                    VES_FILE_NEW, error);
    } else if (status) {
        return ves_fail(error, status, "%s cannot be read", path);
    }
    if (status)
        return status;
    struct ves_bytes line = ves_buf_view(&witness->vkey);
    if (line.len == 0 || line.ptr[line.len - 1] != '\n' ||
        ves_note_key_read(ves_bytes(line.ptr, line.len - 1), &witness->key,
                          NULL) ||
        witness->key.type != VES_NOTE_COSIGNATURE ||
        memcmp(witness->key.key.b, witness->signer->public_key.b,
               VES_KEY_SIZE) != 0)
        return ves_fail(error, VES_CORRUPT, "%s is not of the key beside it",
                        path);
    if (options->name &&
        !ves_bytes_equal(witness->key.name, ves_bytes_str(options->name)))
        return ves_fail(error, VES_INVALID,
                        "this witness has the name %.*s, which is part of its "
                        "key; another name needs a new folder",
                        (int)witness->key.name.len,
                        (const char *)witness->key.name.ptr);
    witness->vkey.ptr[witness->vkey.len - 1] = '\0';
    return VES_OK;
}

static enum ves_status open_all(struct ves_witness *witness,
                                const struct ves_witness_options *options,
                                struct ves_error *error)
{
    struct ves_error why = {.status = VES_OK};
    char path[VES_WITNESS_PATH_MAX];

    enum ves_status status = make_folder(witness, error);
    if (status)
        return status;
    if (!path_of(witness, ves_bytes_str("lock"), path))
        return ves_fail(error, VES_INVALID, "the folder's path is too long");
    status = ves_file_lock(path, &witness->lock_fd, error);
    if (status == VES_BUSY)
        return ves_fail(error, status,
                        "another process is the witness in %s; stop it first",
                        witness->dir);
    if (!status)
        status = open_key(witness, options, error);
    if (!status)
        status = open_name(witness, options, error);
    if (!status)
        status = ves_file_read(options->logs, &witness->list, error);
    if (status)
        return status;
    status = ves_witness_logs_read(witness, &why);
    return status ? ves_fail(error, status, "%s: %s", options->logs, why.text)
                  : VES_OK;
}

enum ves_status ves_witness_open(const struct ves_witness_options *options,
                                 struct ves_witness **out,
                                 struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();

    *out = NULL;
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    if (strlen(options->dir) + VES_WITNESS_HEX + 2 > VES_WITNESS_PATH_MAX)
        return ves_fail(error, VES_INVALID, "the folder's path is too long");
    struct ves_witness *witness =
        alloc->realloc(alloc->ctx, NULL, sizeof(*witness));
    if (!witness)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(witness, 0, sizeof(*witness));
    witness->alloc = alloc;
    witness->lock_fd = -1;
    snprintf(witness->dir, sizeof(witness->dir), "%s", options->dir);
    ves_buf_init(&witness->vkey, alloc, VKEY_MAX);
    ves_buf_init(&witness->list, alloc, LIST_MAX);
    for (size_t i = 0; i < VES_WITNESS_LOCKS; i++)
        pthread_mutex_init(&witness->locks[i], NULL);
    enum ves_status status = open_all(witness, options, error);
    if (status)
        ves_witness_close(witness);
    else
        *out = witness;
    return status;
}

void ves_witness_close(struct ves_witness *witness)
{
    if (!witness)
        return;
    for (size_t i = 0; i < VES_WITNESS_LOCKS; i++)
        pthread_mutex_destroy(&witness->locks[i]);
    ves_signer_free(witness->signer);
    ves_buf_free(&witness->vkey);
    ves_buf_free(&witness->list);
    witness->alloc->realloc(witness->alloc->ctx, witness->logs, 0);
    if (witness->lock_fd >= 0)
        close(witness->lock_fd);
    witness->alloc->realloc(witness->alloc->ctx, witness, 0);
}

/* ---- state --------------------------------------------------------------- */

/* What is known of an origin. */
struct known {
    struct ves_witness_head head;
    uint64_t time_s; /* of our last cosignature; 0: none yet */
};

/* The file of an origin is our own word, and is checked like anybody's: a
 * damaged one must not make us cosign a fork. */
static enum ves_status read_known(const struct ves_witness *witness,
                                  const char *path, struct ves_bytes origin,
                                  struct known *out)
{
    struct ves_checkpoint checkpoint;
    struct ves_note_times times;
    struct ves_note note;
    struct ves_buf file;

    memset(out, 0, sizeof(*out));
    ves_buf_init(&file, witness->alloc, STATE_MAX);
    enum ves_status status = ves_file_read(path, &file, NULL);
    if (status == VES_OK) {
        status = ves_note_read(ves_buf_view(&file), &note, NULL);
        if (status == VES_OK)
            status = ves_checkpoint_read(note.text, &checkpoint, NULL);
        if (status == VES_OK &&
            ves_note_check(&note, &witness->key, &times) == VES_NOTE_GOOD &&
            ves_bytes_equal(checkpoint.origin, origin)) {
            out->head.size = checkpoint.size;
            out->head.root = checkpoint.root;
            out->time_s = times.last;
        } else {
            status = VES_CORRUPT;
        }
    } else if (status == VES_NOT_FOUND) {
        status = VES_OK;
    }
    ves_buf_free(&file);
    return status;
}

/* Which keys the list has for an origin. */
static size_t find_keys(const struct ves_witness *witness,
                        struct ves_bytes origin,
                        struct ves_note_key keys[KEYS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < witness->log_count && count < KEYS_MAX; i++) {
        const struct ves_witness_log *log = &witness->logs[i];
        if (log->is_prefix
                ? origin.len <= log->name.len ||
                      memcmp(origin.ptr, log->name.ptr, log->name.len) != 0
                : !ves_bytes_equal(origin, log->name))
            continue;
        if (ves_note_name_is_valid(origin))
            ves_note_key_init(&keys[count++], origin, VES_NOTE_ED25519,
                              &log->key);
    }
    return count;
}

/* ---- deciding ------------------------------------------------------------ */

static void refuse(struct ves_witness_reply *reply, unsigned status,
                   const char *words)
{
    reply->status = status;
    ves_buf_reset(&reply->body);
    ves_buf_put_str(&reply->body, words);
    ves_buf_put_u8(&reply->body, '\n');
}

/* Lines of the log's keys only: what else stands in a request is nobody's
 * word. */
static void put_lines(struct ves_buf *out, const struct ves_note *note,
                      const struct ves_note_key *keys, size_t count)
{
    for (size_t i = 0; i < note->count; i++) {
        const struct ves_note_line *line = &note->lines[i];
        for (size_t k = 0; k < count; k++) {
            if (keys[k].id == line->key_id &&
                ves_bytes_equal(keys[k].name, line->name)) {
                ves_buf_put_bytes(out, line->text);
                break;
            }
        }
    }
}

/* Writes the new head and only then fills the reply. */
static void cosign(struct ves_witness *witness, const char *path,
                   const struct ves_add_checkpoint *request,
                   const struct ves_note_key *keys, size_t count,
                   uint64_t time_s, struct ves_witness_reply *reply)
{
    struct ves_error error = {.status = VES_OK};
    struct ves_bytes text = request->note.text;
    struct ves_buf file, line;

    ves_buf_init(&file, witness->alloc, STATE_MAX);
    ves_buf_init(&line, witness->alloc, VKEY_MAX);
    ves_cosign(&line, text, time_s, &witness->key,
               ves_signer_secret(witness->signer));
    ves_buf_put_bytes(&file, text);
    ves_buf_put_u8(&file, '\n');
    put_lines(&file, &request->note, keys, count);
    ves_buf_put_bytes(&file, ves_buf_view(&line));
    enum ves_status status = ves_buf_status(&file);
    if (!status)
        status = ves_buf_status(&line);
    if (!status)
        status =
            ves_file_write(path, ves_buf_view(&file), VES_FILE_REPLACE, &error);
    if (status) {
        refuse(reply, 500, "the witness cannot write its state");
    } else {
        reply->status = VES_WITNESS_OK;
        ves_buf_put_bytes(&reply->body, ves_buf_view(&line));
    }
    ves_buf_free(&file);
    ves_buf_free(&line);
}

static void decide(struct ves_witness *witness, const char *path,
                   const struct ves_add_checkpoint *request,
                   const struct ves_note_key *keys, size_t count,
                   uint64_t now_s, struct ves_witness_reply *reply)
{
    struct known known;

    if (read_known(witness, path, request->checkpoint.origin, &known)) {
        refuse(reply, 500,
               "the witness's state of this origin is damaged; it cosigns "
               "nothing of it any more");
        return;
    }
    enum ves_witness_answer answer =
        ves_witness_decide(request, keys, count, &known.head);
    switch (answer) {
    case VES_WITNESS_OK:
        /* Not before what we said last, whatever the clock says. */
        cosign(witness, path, request, keys, count,
               now_s > known.time_s ? now_s : known.time_s, reply);
        break;
    case VES_WITNESS_CONFLICT:
        reply->status = VES_WITNESS_CONFLICT;
        reply->is_size = true;
        ves_witness_size_write(&reply->body, known.head.size);
        break;
    case VES_WITNESS_MALFORMED:
        refuse(reply, answer, "the old size is larger than the checkpoint's");
        break;
    case VES_WITNESS_FORBIDDEN:
        refuse(reply, answer, "no key of this log signed the checkpoint");
        break;
    case VES_WITNESS_INCONSISTENT:
        refuse(reply, answer,
               "the proof does not show that the tree only added to the one "
               "that was cosigned");
        break;
    case VES_WITNESS_UNKNOWN:
        refuse(reply, answer, "this witness does not know that origin");
        break;
    }
}

void ves_witness_add(struct ves_witness *witness, struct ves_bytes body,
                     uint64_t now_s, struct ves_witness_reply *reply)
{
    struct ves_error error = {.status = VES_OK};
    struct ves_add_checkpoint request;
    struct ves_note_key keys[KEYS_MAX];
    char path[VES_WITNESS_PATH_MAX], hex[VES_WITNESS_HEX];
    struct ves_hash hash;

    memset(reply, 0, sizeof(*reply));
    ves_buf_init(&reply->body, witness->alloc, STATE_MAX);
    if (ves_add_checkpoint_read(body, &request, &error)) {
        refuse(reply, VES_WITNESS_MALFORMED, error.text);
        return;
    }
    struct ves_bytes origin = request.checkpoint.origin;
    size_t count = find_keys(witness, origin, keys);
    if (count == 0) {
        refuse(reply, VES_WITNESS_UNKNOWN,
               "this witness does not know that origin");
        return;
    }
    ves_sha256_one(origin.ptr, origin.len, &hash);
    ves_hex_encode(hash.b, VES_HASH_SIZE, hex);
    if (!path_of(witness, ves_bytes(hex, sizeof(hex)), path)) {
        refuse(reply, 500, "the witness's path is too long");
        return;
    }
    pthread_mutex_t *lock = &witness->locks[hash.b[0] % VES_WITNESS_LOCKS];
    pthread_mutex_lock(lock);
    decide(witness, path, &request, keys, count, now_s, reply);
    pthread_mutex_unlock(lock);
    if (ves_buf_status(&reply->body))
        reply->status = 500;
}

void ves_witness_show(struct ves_witness *witness, struct ves_bytes hex,
                      struct ves_witness_reply *reply)
{
    char path[VES_WITNESS_PATH_MAX];
    bool is_hex = hex.len == VES_WITNESS_HEX;

    memset(reply, 0, sizeof(*reply));
    ves_buf_init(&reply->body, witness->alloc, STATE_MAX);
    for (size_t i = 0; i < hex.len; i++)
        is_hex &= (hex.ptr[i] >= '0' && hex.ptr[i] <= '9') ||
                  (hex.ptr[i] >= 'a' && hex.ptr[i] <= 'f');
    if (!is_hex || !path_of(witness, hex, path) ||
        ves_file_read(path, &reply->body, NULL))
        refuse(reply, 404, "no checkpoint of that origin was cosigned");
    else
        reply->status = 200;
}
