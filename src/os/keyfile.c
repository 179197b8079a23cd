/* keyfile.c -- secret keys on disk. */
#include "os/keyfile.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "os/file.h"
#include "os/random.h"

#define MAGIC   "ves-secret-key "
#define VERSION "1"

enum { SEALED_SIZE = VES_SEED_SIZE + VES_SEAL_TAG_SIZE, TEXT_MAX = 512 };

/* What a key file holds; in secret memory. */
struct key_text {
    struct ves_public_key public_key;
    bool is_sealed;
    uint8_t seed[VES_SEED_SIZE];
    uint8_t salt[VES_SEAL_SALT_SIZE];
    uint8_t nonce[VES_SEAL_NONCE_SIZE];
    uint8_t sealed[SEALED_SIZE];
    char passphrase[VES_PASSPHRASE_MAX];
    char text[TEXT_MAX];
    size_t len;
};

static const char *kind_name(enum ves_key_kind kind)
{
    switch (kind) {
    case VES_KEY_AGENT:
        return "agent";
    case VES_KEY_SEQUENCER:
        return "sequencer";
    case VES_KEY_OWNER:
        return "owner";
    case VES_KEY_INVITATION:
        return "invitation";
    case VES_KEY_WITNESS:
        return "witness";
    }
    return "";
}

static enum ves_status no_memory(struct ves_error *error)
{
    return ves_fail(error, VES_NOMEM, "no memory for a secret");
}

/* ---- signers ------------------------------------------------------------ */

struct key_signer {
    struct ves_signer signer; /* first: see ves_signer_free */
    struct ves_secret_key secret;
};

static void sign(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count)
{
    const struct key_signer *signer = (const struct key_signer *)self;
    for (size_t i = 0; i < count; i++)
        ves_ed25519_sign(&signer->secret,
                         ves_bytes(items[i].hash.b, VES_HASH_SIZE),
                         &items[i].sig);
}

static void sign_text(struct ves_signer *self, struct ves_bytes text,
                      struct ves_sig *sig)
{
    const struct key_signer *signer = (const struct key_signer *)self;
    ves_ed25519_sign(&signer->secret, text, sig);
}

struct ves_signer *ves_signer_from_seed(const uint8_t seed[VES_SEED_SIZE])
{
    struct key_signer *signer = ves_secret_new(sizeof(*signer));
    if (!signer)
        return NULL;
    signer->signer.sign = sign;
    signer->signer.sign_text = sign_text;
    ves_ed25519_keypair(seed, &signer->secret, &signer->signer.public_key);
    return &signer->signer;
}

const struct ves_secret_key *ves_signer_secret(const struct ves_signer *signer)
{
    return &((const struct key_signer *)signer)->secret;
}

void ves_signer_free(struct ves_signer *signer)
{
    ves_secret_free(signer);
}

/* ---- text --------------------------------------------------------------- */

static void put_text(struct key_text *key, const char *text)
{
    size_t len = strlen(text);
    VES_ASSERT(len <= sizeof(key->text) - key->len);
    memcpy(key->text + key->len, text, len);
    key->len += len;
}

static void put_hex(struct key_text *key, const char *before, const void *data,
                    size_t len)
{
    put_text(key, before);
    VES_ASSERT(2 * len <= sizeof(key->text) - key->len);
    ves_hex_encode(data, len, key->text + key->len);
    key->len += 2 * len;
}

static void write_text(struct key_text *key, enum ves_key_kind kind)
{
    key->len = 0;
    put_text(key, MAGIC VERSION " ");
    put_text(key, kind_name(kind));
    put_hex(key, "\npublic ", key->public_key.b, VES_KEY_SIZE);
    if (key->is_sealed) {
        put_hex(key, "\nsealed ", key->salt, sizeof(key->salt));
        put_hex(key, " ", key->nonce, sizeof(key->nonce));
        put_hex(key, " ", key->sealed, sizeof(key->sealed));
    } else {
        put_hex(key, "\nseed ", key->seed, sizeof(key->seed));
    }
    put_text(key, "\n");
}

/* Moves *at over word; false when something else is there. */
static bool take(const struct key_text *key, size_t *at, const char *word)
{
    size_t len = strlen(word);
    if (key->len - *at < len || memcmp(key->text + *at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

/* Moves *at over word and the digits after it. */
static bool take_hex(const struct key_text *key, size_t *at, const char *word,
                     uint8_t *out, size_t len)
{
    if (!take(key, at, word) || key->len - *at < 2 * len)
        return false;
    const char *digits = key->text + *at;
    for (size_t i = 0; i < 2 * len; i++) {
        if (!((digits[i] >= '0' && digits[i] <= '9') ||
              (digits[i] >= 'a' && digits[i] <= 'f')))
            return false;
    }
    *at += 2 * len;
    return ves_hex_decode(ves_bytes(digits, 2 * len), out, len) == VES_OK;
}

static bool parse_body(struct key_text *key, size_t at)
{
    if (!take_hex(key, &at, "\npublic ", key->public_key.b, VES_KEY_SIZE))
        return false;
    size_t start = at;
    key->is_sealed = take(key, &at, "\nsealed ");
    at = start;
    if (key->is_sealed
            ? !(take_hex(key, &at, "\nsealed ", key->salt, sizeof(key->salt)) &&
                take_hex(key, &at, " ", key->nonce, sizeof(key->nonce)) &&
                take_hex(key, &at, " ", key->sealed, sizeof(key->sealed)))
            : !take_hex(key, &at, "\nseed ", key->seed, sizeof(key->seed)))
        return false;
    return take(key, &at, "\n") && at == key->len;
}

static enum ves_status parse_text(struct key_text *key, const char *path,
                                  enum ves_key_kind kind,
                                  struct ves_error *error)
{
    static const enum ves_key_kind kinds[] = {VES_KEY_AGENT, VES_KEY_SEQUENCER,
                                              VES_KEY_OWNER, VES_KEY_INVITATION,
                                              VES_KEY_WITNESS};
    size_t at = 0;
    if (!take(key, &at, MAGIC))
        return ves_fail(error, VES_MALFORMED,
                        "%s is not a key file; nothing was signed; put the "
                        "right file there",
                        path);
    if (!take(key, &at, VERSION " "))
        return ves_fail(error, VES_UNSUPPORTED,
                        "%s is a key file of another version; this program "
                        "reads version " VERSION,
                        path);

    size_t count = sizeof(kinds) / sizeof(kinds[0]);
    size_t i = 0;
    const size_t start = at;
    for (; i < count; i++, at = start) {
        if (take(key, &at, kind_name(kinds[i])) && at < key->len &&
            key->text[at] == '\n')
            break;
    }
    if (i == count || !parse_body(key, at))
        return ves_fail(error, VES_MALFORMED,
                        "%s is a damaged key file; nothing was signed; put a "
                        "good copy there",
                        path);
    if (kinds[i] != kind)
        return ves_fail(error, VES_INVALID,
                        "%s holds a key of kind %s; one of kind %s is wanted",
                        path, kind_name(kinds[i]), kind_name(kind));
    return VES_OK;
}

static enum ves_status read_text(struct key_text *key, const char *path,
                                 enum ves_key_kind kind,
                                 struct ves_error *error)
{
    enum ves_status status = ves_file_read_secret(
        path, key->text, sizeof(key->text), &key->len, error);
    if (status == VES_LIMIT)
        return ves_fail(error, VES_MALFORMED,
                        "%s is not a key file; nothing was signed; put the "
                        "right file there",
                        path);
    return status ? status : parse_text(key, path, kind, error);
}

/* ---- sealing ------------------------------------------------------------ */

static enum ves_status ask(struct key_text *key, const char *path,
                           const struct ves_passphrase *passphrase,
                           struct ves_bytes *out, struct ves_error *error)
{
    int len = passphrase && passphrase->ask
                  ? passphrase->ask(passphrase->ctx, key->passphrase,
                                    sizeof(key->passphrase))
                  : -1;
    if (len <= 0 || (size_t)len > sizeof(key->passphrase))
        return ves_fail(error, VES_AUTH,
                        "the key in %s needs a passphrase and none was given",
                        path);
    *out = ves_bytes(key->passphrase, (size_t)len);
    return VES_OK;
}

static enum ves_status seal(struct key_text *key, const char *path,
                            const struct ves_passphrase *passphrase,
                            struct ves_error *error)
{
    struct ves_bytes words = {NULL, 0};
    enum ves_status status = ask(key, path, passphrase, &words, error);
    if (!status)
        status = ves_random(key->salt, sizeof(key->salt), error);
    if (!status)
        status = ves_random(key->nonce, sizeof(key->nonce), error);
    if (status)
        return status;
    key->is_sealed = true;
    status = ves_passphrase_seal(words, key->salt, key->nonce, key->seed,
                                 sizeof(key->seed), key->sealed);
    return status ? no_memory(error) : VES_OK;
}

static enum ves_status unseal(struct key_text *key, const char *path,
                              const struct ves_passphrase *passphrase,
                              struct ves_error *error)
{
    struct ves_bytes words = {NULL, 0};
    enum ves_status status = ask(key, path, passphrase, &words, error);
    if (status)
        return status;
    status = ves_passphrase_open(words, key->salt, key->nonce, key->sealed,
                                 sizeof(key->seed), key->seed);
    if (status == VES_REFUSED)
        return ves_fail(error, VES_AUTH,
                        "the passphrase does not open the key in %s, or the "
                        "file was altered",
                        path);
    return status ? no_memory(error) : VES_OK;
}

/* ---- the calls ---------------------------------------------------------- */

static enum ves_status create(struct key_text *key, const char *path,
                              enum ves_key_kind kind,
                              const struct ves_passphrase *passphrase,
                              struct ves_error *error)
{
    enum ves_status status;
    struct ves_signer *signer = ves_signer_from_seed(key->seed);
    if (!signer)
        return no_memory(error);
    key->public_key = signer->public_key;
    ves_signer_free(signer);
    if (passphrase) {
        status = seal(key, path, passphrase, error);
        if (status)
            return status;
    }
    write_text(key, kind);
    return ves_file_write(path, ves_bytes(key->text, key->len), VES_FILE_NEW,
                          error);
}

enum ves_status ves_keyfile_create(const char *path, enum ves_key_kind kind,
                                   const uint8_t seed[VES_SEED_SIZE],
                                   const struct ves_passphrase *passphrase,
                                   struct ves_public_key *public_key,
                                   struct ves_error *error)
{
    struct key_text *key = ves_secret_new(sizeof(*key));
    if (!key)
        return no_memory(error);
    memcpy(key->seed, seed, VES_SEED_SIZE);
    enum ves_status status = create(key, path, kind, passphrase, error);
    if (!status && public_key)
        *public_key = key->public_key;
    ves_secret_free(key);
    return status;
}

enum ves_status ves_keyfile_generate(const char *path, enum ves_key_kind kind,
                                     const struct ves_passphrase *passphrase,
                                     struct ves_public_key *public_key,
                                     struct ves_error *error)
{
    uint8_t *seed = ves_secret_new(VES_SEED_SIZE);
    if (!seed)
        return no_memory(error);
    enum ves_status status = ves_random(seed, VES_SEED_SIZE, error);
    if (!status)
        status =
            ves_keyfile_create(path, kind, seed, passphrase, public_key, error);
    ves_secret_free(seed);
    return status;
}

static enum ves_status load(struct key_text *key, const char *path,
                            enum ves_key_kind kind,
                            const struct ves_passphrase *passphrase,
                            struct ves_signer **out, struct ves_error *error)
{
    enum ves_status status = read_text(key, path, kind, error);
    if (!status && key->is_sealed)
        status = unseal(key, path, passphrase, error);
    if (status)
        return status;
    struct ves_signer *signer = ves_signer_from_seed(key->seed);
    if (!signer)
        return no_memory(error);
    if (memcmp(signer->public_key.b, key->public_key.b, VES_KEY_SIZE) != 0) {
        ves_signer_free(signer);
        return ves_fail(error, VES_CORRUPT,
                        "public and secret half in %s do not belong together",
                        path);
    }
    *out = signer;
    return VES_OK;
}

enum ves_status ves_keyfile_load(const char *path, enum ves_key_kind kind,
                                 const struct ves_passphrase *passphrase,
                                 struct ves_signer **out,
                                 struct ves_error *error)
{
    *out = NULL;
    struct key_text *key = ves_secret_new(sizeof(*key));
    if (!key)
        return no_memory(error);
    enum ves_status status = load(key, path, kind, passphrase, out, error);
    ves_secret_free(key);
    return status;
}

enum ves_status ves_keyfile_inspect(const char *path, enum ves_key_kind kind,
                                    struct ves_public_key *public_key,
                                    bool *is_sealed, struct ves_error *error)
{
    struct key_text *key = ves_secret_new(sizeof(*key));
    if (!key)
        return no_memory(error);
    enum ves_status status = read_text(key, path, kind, error);
    if (!status) {
        *public_key = key->public_key;
        if (is_sealed)
            *is_sealed = key->is_sealed;
    }
    ves_secret_free(key);
    return status;
}
