/* keys.c -- the store's own key: which file holds it, and how the next one
 * takes its place (ADR 0033).
 *
 * Which key is current says the store, where the log's word was written in one
 * transaction; the files follow.  So a crash between any two steps leaves a
 * store whose current key is in one of the three files.
 */
#include <string.h>

#include "agent/agent.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/key_event.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keyfile.h"

/* ---- a passphrase that is asked for once --------------------------------- */

struct ves_agent_asked {
    struct ves_passphrase once;
    struct ves_agent *agent;
    int len; /* 0: not asked yet */
    char text[VES_PASSPHRASE_MAX];
};

static int ask_once(void *ctx, char *out, size_t size)
{
    struct ves_agent_asked *asked = ctx;

    if (asked->len == 0)
        asked->len = asked->agent->passphrase(asked->agent->passphrase_ctx,
                                              asked->text, sizeof(asked->text));
    if (asked->len <= 0 || (size_t)asked->len > size)
        return -1;
    memcpy(out, asked->text, (size_t)asked->len);
    return asked->len;
}

struct ves_agent_asked *ves_agent_asked_new(struct ves_agent *agent)
{
    struct ves_agent_asked *asked = ves_secret_new(sizeof(*asked));

    if (asked) {
        asked->agent = agent;
        asked->len = 0;
        asked->once = (struct ves_passphrase){ask_once, asked};
    }
    return asked;
}

void ves_agent_asked_free(struct ves_agent_asked *asked)
{
    ves_secret_free(asked);
}

struct ves_passphrase *ves_agent_asked_passphrase(struct ves_agent_asked *asked)
{
    return asked->agent->passphrase ? &asked->once : NULL;
}

/* ---- which file ---------------------------------------------------------- */

static bool holds(const char *path, const struct ves_public_key *key)
{
    struct ves_public_key found;

    return ves_file_exists(path) &&
           ves_keyfile_inspect(path, VES_KEY_AGENT, &found, NULL, NULL) ==
               VES_OK &&
           memcmp(found.b, key->b, VES_KEY_SIZE) == 0;
}

static const char *file_of(const struct ves_agent *agent,
                           const struct ves_public_key *key)
{
    if (!holds(agent->key_path, key)) {
        if (holds(agent->next_key_path, key))
            return agent->next_key_path;
        if (holds(agent->later_key_path, key))
            return agent->later_key_path;
    }
    return agent->key_path;
}

const char *ves_agent_key_file(const struct ves_agent *agent)
{
    return agent->has_public_key ? file_of(agent, &agent->public_key)
                                 : agent->key_path;
}

static enum ves_status load_key(struct ves_agent *agent,
                                const struct ves_passphrase *passphrase,
                                struct ves_signer **out,
                                struct ves_error *error)
{
    const char *path = ves_agent_key_file(agent);

    enum ves_status status =
        ves_keyfile_load(path, VES_KEY_AGENT, passphrase, out, error);
    if (status == VES_NOT_FOUND)
        return ves_fail(error, status,
                        "the key file %s is not there; nothing was signed; put "
                        "it back (a backup of the store does not hold it), or "
                        "set up a new store with an invitation",
                        path);
    if (status)
        return status;
    if (agent->has_public_key &&
        memcmp((*out)->public_key.b, agent->public_key.b, VES_KEY_SIZE)) {
        ves_signer_free(*out);
        *out = NULL;
        return ves_fail(error, VES_CONFLICT,
                        "%s is another agent's key, or an older or newer one "
                        "of this store, not the one it goes by now; nothing "
                        "was signed. A store that was restored from a copy "
                        "follows its log: pull, and try again. Else put the "
                        "right file back, or set up a new store with an "
                        "invitation",
                        path);
    }
    return VES_OK;
}

/* It may have been rotated since the store was opened, by a pull of this handle
 * or by somebody else. */
static enum ves_status load_current(struct ves_agent *agent,
                                    struct ves_public_key *tried,
                                    struct ves_error *error)
{
    const struct ves_passphrase passphrase = {agent->passphrase,
                                              agent->passphrase_ctx};

    enum ves_status status = ves_agent_read_key(agent);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the key");
    *tried = agent->public_key;
    return load_key(agent, agent->passphrase ? &passphrase : NULL,
                    &agent->core.signer, error);
}

enum ves_status ves_agent_need_key(struct ves_agent *agent,
                                   struct ves_error *error)
{
    struct ves_public_key tried;

    if (agent->core.signer)
        return VES_OK;
    if (agent->is_read_only)
        return ves_fail(error, VES_INVALID,
                        "this store was opened for reading only; nothing was "
                        "signed");
    enum ves_status status = load_current(agent, &tried, error);
    /* Rotated in between, so that the file has another key. */
    if ((status == VES_CONFLICT || status == VES_NOT_FOUND) &&
        !ves_agent_read_key(agent) &&
        memcmp(tried.b, agent->public_key.b, VES_KEY_SIZE) != 0)
        status = load_current(agent, &tried, error);
    return status;
}

enum ves_status ves_agent_rekey(struct ves_agent_core *core,
                                const struct ves_public_key *key)
{
    struct ves_agent *agent = (struct ves_agent *)core; /* its first member */
    const struct ves_passphrase passphrase = {agent->passphrase,
                                              agent->passphrase_ctx};
    const struct ves_public_key before = agent->public_key;
    struct ves_signer *signer;

    agent->public_key = *key;
    enum ves_status status = load_key(
        agent, agent->passphrase ? &passphrase : NULL, &signer, &core->error);
    if (status) {
        agent->public_key = before;
        return status;
    }
    ves_signer_free(core->signer);
    core->signer = signer;
    return VES_OK;
}

enum ves_status ves_agent_next_key(const struct ves_agent *agent, bool *has,
                                   struct ves_hash *digest,
                                   struct ves_error *error)
{
    struct ves_public_key key;

    *has = ves_file_exists(agent->next_key_path);
    if (!*has)
        return VES_OK;
    enum ves_status status = ves_keyfile_inspect(
        agent->next_key_path, VES_KEY_AGENT, &key, NULL, error);
    if (!status)
        ves_key_next_hash(&key, digest);
    return status;
}

/* ---- files get their names ----------------------------------------------- */

/* The store's write lock is held: nobody else moves them. */
static enum ves_status move_files(struct ves_agent *agent,
                                  struct ves_error *error)
{
    enum ves_status status = VES_OK;

    if (!agent->has_public_key)
        return VES_OK;
    if (!holds(agent->key_path, &agent->public_key)) {
        /* need_key says what is wrong. */
        if (!holds(agent->next_key_path, &agent->public_key))
            return VES_OK;
        status = ves_file_rename(agent->next_key_path, agent->key_path, error);
    }
    if (!status && !ves_file_exists(agent->next_key_path) &&
        ves_file_exists(agent->later_key_path))
        status =
            ves_file_rename(agent->later_key_path, agent->next_key_path, error);
    return status;
}

enum ves_status ves_agent_settle_keys(struct ves_agent *agent,
                                      struct ves_error *error)
{
    struct ves_error moved = {VES_OK, ""};

    enum ves_status status = ves_agent_begin_write(agent);
    if (!status)
        status = ves_agent_read_key(agent);
    if (!status)
        status = move_files(agent, &moved);
    status = ves_agent_end_write(agent, status);
    if (moved.status)
        return ves_fail(error, moved.status, "%s", moved.text);
    return ves_agent_fail(agent, status, error, "giving key files their names");
}

/* ---- asking for the rotation --------------------------------------------- */

static enum ves_status no_next(const struct ves_agent *agent,
                               struct ves_error *error)
{
    return ves_fail(error, VES_NOT_FOUND,
                    "%s is not there: the key of this store committed to no "
                    "next one when it joined (an older program made it), or "
                    "the file is lost, and no other can take its place; "
                    "nothing was changed. Set up a new store with an "
                    "invitation, and have the owner of the stream revoke this "
                    "key (ves admin revoke)",
                    agent->next_key_path);
}

/* The key after the next, sealed as the present one is; the one that is there,
 * when an earlier call made it, or another process does. */
static enum ves_status make_later(struct ves_agent *agent,
                                  const struct ves_passphrase *passphrase,
                                  struct ves_hash *digest,
                                  struct ves_error *error)
{
    struct ves_public_key key;
    bool is_sealed;

    enum ves_status status = ves_keyfile_inspect(agent->key_path, VES_KEY_AGENT,
                                                 &key, &is_sealed, error);
    if (!status && !ves_file_exists(agent->later_key_path))
        status =
            ves_keyfile_generate(agent->later_key_path, VES_KEY_AGENT,
                                 is_sealed ? passphrase : NULL, &key, error);
    if (!status || status == VES_CONFLICT)
        status = ves_keyfile_inspect(agent->later_key_path, VES_KEY_AGENT, &key,
                                     NULL, error);
    if (!status)
        ves_key_next_hash(&key, digest);
    return status;
}

static enum ves_status ask(struct ves_agent *agent,
                           const struct ves_passphrase *passphrase,
                           struct ves_error *error)
{
    struct ves_signer *next = NULL;
    struct ves_hash following;

    if (!agent->core.signer) {
        enum ves_status loaded =
            load_key(agent, passphrase, &agent->core.signer, error);
        if (loaded)
            return loaded;
    }
    if (!ves_file_exists(agent->next_key_path))
        return no_next(agent, error);
    enum ves_status status = ves_keyfile_load(
        agent->next_key_path, VES_KEY_AGENT, passphrase, &next, error);
    if (!status)
        status = make_later(agent, passphrase, &following, error);
    if (!status)
        status = ves_agent_fail(
            agent,
            ves_core_rotate(&agent->core, next, &following, ves_clock_now_ms()),
            error, NULL);
    ves_signer_free(next);
    return status;
}

enum ves_status ves_agent_rotate(struct ves_agent *agent,
                                 struct ves_error *error)
{
    enum ves_status status =
        ves_agent_need_write(agent, "rotating the key", error);

    if (!status && ves_agent_is_in_transaction(agent))
        status = ves_fail(error, VES_INVALID,
                          "a transaction is open on this connection; end it, "
                          "then rotate the key");
    if (!status)
        status = ves_agent_settle_keys(agent, error);
    if (status)
        return status;
    struct ves_agent_asked *asked = ves_agent_asked_new(agent);
    if (!asked)
        return ves_fail(error, VES_NOMEM, "no locked memory for a secret");
    status = ask(agent, ves_agent_asked_passphrase(asked), error);
    ves_agent_asked_free(asked);
    return status;
}

enum ves_status ves_agent_trust_key(struct ves_agent *agent,
                                    const struct ves_uuid *who, uint32_t key_id,
                                    const struct ves_public_key *key,
                                    struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "a key", error);
    if (status)
        return status;
    if (!ves_uuid_is_nil(&agent->core.sequencer_id))
        return ves_fail(error, VES_INVALID,
                        "this store was joined by an invitation: its sequencer "
                        "says whose keys are good. Nothing was changed");
    if (!ves_ed25519_key_is_valid(key))
        return ves_fail(error, VES_INVALID,
                        "that is not a valid Ed25519 public key; nothing was "
                        "changed");
    status =
        ves_core_trust_key(&agent->core, who, key_id, key, ves_clock_now_ms());
    if (status == VES_REFUSED)
        return ves_fail(error, status,
                        "this store has another key %u of that agent; nothing "
                        "was changed. Ask which one is right before you go on",
                        (unsigned)key_id);
    return status ? ves_agent_fail(agent, status, error, "a key") : VES_OK;
}
