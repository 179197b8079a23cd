/* make.c -- a new store: its key, its identity, its sequencer.
 *
 * Order matters for a crash in between: the key file first, durable, then
 * everything else in one transaction.  Whoever comes again finds the key and
 * goes on with it.
 */
#include <string.h>

#include "agent/agent.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "os/random.h"
#include "store/sqlite_api.h"

enum { NOTED_MS = 5000 /* between two notes that the sequencer answers */ };

/* ---- the sequencer's address and credential ------------------------------ */

static enum ves_status check_url(const char *url, struct ves_error *error)
{
    if (url && strlen(url) > VES_AGENT_URL_MAX)
        return ves_fail(error, VES_LIMIT,
                        "the sequencer's URL is longer than %d bytes; nothing "
                        "was changed",
                        VES_AGENT_URL_MAX);
    return VES_OK;
}

static enum ves_status write_peer(struct ves_agent *agent, const char *url,
                                  const struct ves_hash *tls_key)
{
    enum ves_status status = agent->store->ops->meta_put(
        agent->store, "sequencer.url", ves_bytes_str(url));

    if (!status && tls_key)
        status = ves_agent_meta_put_hex(agent, "sequencer.tls_key", tls_key->b,
                                        VES_HASH_SIZE);
    else if (!status)
        status = agent->store->ops->meta_put(agent->store, "sequencer.tls_key",
                                             ves_bytes(NULL, 0));
    return status;
}

enum ves_status ves_agent_put_peer(struct ves_agent *agent, const char *url,
                                   const struct ves_hash *tls_key,
                                   struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = check_url(url, error);
    if (status)
        return status;
    status = ves_agent_begin_write(agent);
    if (!status)
        status = ves_agent_end_write(agent, write_peer(agent, url, tls_key));
    if (status)
        return ves_agent_fail(agent, status, error,
                              "keeping the sequencer's address");
    return ves_agent_load(agent, error);
}

enum ves_status ves_agent_credential(struct ves_agent *agent, char **out,
                                     struct ves_error *error)
{
    enum ves_status status =
        ves_credential_file_read(agent->credential_path, out, error);

    if (status == VES_NOT_FOUND)
        return ves_fail(error, VES_AUTH,
                        "this store has no credential (%s is not there); "
                        "`ves init --invite STRING` gets one",
                        agent->credential_path);
    return status;
}

enum ves_status ves_agent_put_credential(struct ves_agent *agent,
                                         const char *credential,
                                         struct ves_error *error)
{
    return ves_credential_file_write(agent->credential_path, credential, error);
}

void ves_agent_note_contact(struct ves_agent *agent, bool is_reachable,
                            int64_t now_ms)
{
    ves_agent_start(agent);
    if (agent->is_read_only || now_ms < 0)
        return;
    /* A flush to disk for each answer would be most of what a request takes,
     * and what it says is what is there. */
    if (is_reachable && agent->noted_ms && now_ms >= agent->noted_ms &&
        now_ms - agent->noted_ms < NOTED_MS)
        return;
    if (ves_agent_begin_write(agent))
        return;
    enum ves_status status =
        ves_agent_meta_put_u64(agent, "sequencer.reachable", is_reachable);
    if (!status)
        status = ves_agent_meta_put_u64(agent, "sequencer.checked_ms",
                                        (uint64_t)now_ms);
    bool is_kept = !ves_agent_end_write(agent, status);
    agent->noted_ms = is_kept && is_reachable ? now_ms : 0;
}

void ves_agent_note_credential(struct ves_agent *agent, bool is_accepted)
{
    uint64_t is_refused = 0;

    ves_agent_start(agent);
    if (agent->is_read_only ||
        ves_agent_meta_u64(agent, VES_AGENT_REFUSED, &is_refused) ||
        (is_refused == 0) == is_accepted || ves_agent_begin_write(agent))
        return;
    (void)!ves_agent_end_write(
        agent, ves_agent_meta_put_u64(agent, VES_AGENT_REFUSED, !is_accepted));
}

/* ---- a new store ----------------------------------------------------------
 */

static enum ves_status fresh_uuid(struct ves_uuid *out, struct ves_error *error)
{
    uint8_t random[10];

    enum ves_status status = ves_random(random, sizeof(random), error);
    if (status)
        return status;
    ves_uuid_make_v7((uint64_t)ves_clock_now_ms(),
                     (uint16_t)((random[8] << 8 | random[9]) & 0xFFF), random,
                     out);
    return VES_OK;
}

/* What an interrupted call left is used, when it is as it should be. */
static enum ves_status make_next(struct ves_agent *agent,
                                 const struct ves_passphrase *seal,
                                 struct ves_error *error)
{
    struct ves_public_key ignored;
    bool is_sealed;

    if (!ves_file_exists(agent->next_key_path))
        return ves_keyfile_generate(agent->next_key_path, VES_KEY_AGENT, seal,
                                    NULL, error);
    enum ves_status status = ves_keyfile_inspect(
        agent->next_key_path, VES_KEY_AGENT, &ignored, &is_sealed, error);
    if (!status && is_sealed != (seal != NULL))
        return ves_fail(error, VES_CONFLICT,
                        "%s is there already and is %ssealed; nothing was "
                        "made; take it away or ask for a key like it",
                        agent->next_key_path, is_sealed ? "" : "not ");
    return status;
}

/* The next one first: a key without it is one that committed to none. */
static enum ves_status make_keys(struct ves_agent *agent,
                                 const struct ves_agent_make *make,
                                 const struct ves_passphrase *seal,
                                 struct ves_public_key *out,
                                 struct ves_error *error)
{
    enum ves_status status =
        make->commits_next ? make_next(agent, seal, error) : VES_OK;

    return status ? status
                  : ves_keyfile_generate(agent->key_path, VES_KEY_AGENT, seal,
                                         out, error);
}

static enum ves_status make_key(struct ves_agent *agent,
                                const struct ves_agent_make *make,
                                struct ves_public_key *out,
                                struct ves_error *error)
{
    const char *path = ves_agent_key_file(agent);

    if (ves_file_exists(path))
        return ves_keyfile_inspect(path, VES_KEY_AGENT, out, NULL, error);
    if (!make->seal_key)
        return make_keys(agent, make, NULL, out, error);
    if (!agent->passphrase)
        return ves_fail(error, VES_AUTH,
                        "the key is to be sealed, but there is nobody to ask "
                        "for a passphrase; nothing was made");
    struct ves_agent_asked *asked = ves_agent_asked_new(agent);
    if (!asked)
        return ves_fail(error, VES_NOMEM, "no locked memory for a secret");
    enum ves_status status =
        make_keys(agent, make, ves_agent_asked_passphrase(asked), out, error);
    ves_agent_asked_free(asked);
    return status;
}

static enum ves_status write_identity(struct ves_agent *agent,
                                      const struct ves_agent_make *make,
                                      const struct ves_core_identity *identity,
                                      const struct ves_public_key *key)
{
    enum ves_status status = ves_core_create(&agent->core, identity);

    if (status)
        return status;
    status = ves_agent_begin_write(agent);
    if (status)
        return status;
    status =
        ves_agent_meta_put_hex(agent, "agent.public_key", key->b, VES_KEY_SIZE);
    if (!status && make->url)
        status = write_peer(agent, make->url, make->tls_key);
    return ves_agent_end_write(agent, status);
}

/* All of the identity, or none. */
static enum ves_status write_identity_at_once(
    struct ves_agent *agent, const struct ves_agent_make *make,
    const struct ves_core_identity *identity, const struct ves_public_key *key,
    struct ves_error *error)
{
    bool is_alone = sqlite3_get_autocommit(agent->connection) != 0;

    enum ves_status status = ves_agent_sql(
        agent, is_alone ? "BEGIN IMMEDIATE" : "SAVEPOINT ves_make", error);
    if (status)
        return status;
    status = write_identity(agent, make, identity, key);
    (void)ves_agent_fail(agent, status, error, "making the store");
    if (!status)
        status = ves_agent_sql(agent, is_alone ? "COMMIT" : "RELEASE ves_make",
                               error);
    if (status)
        (void)ves_agent_sql(agent,
                            is_alone ? "ROLLBACK"
                                     : "ROLLBACK TO ves_make; RELEASE ves_make",
                            NULL);
    return status;
}

/* What an interrupted call left: its agent id is kept when only a fresh one
 * is asked for. */
static enum ves_status adopt(struct ves_agent *agent,
                             struct ves_core_identity *identity,
                             struct ves_error *error)
{
    enum ves_status status = ves_agent_load(agent, error);

    if (status == VES_NOT_FOUND) {
        if (identity->key_id == 0)
            identity->key_id = 1;
        if (ves_uuid_is_nil(&identity->agent))
            return fresh_uuid(&identity->agent, error);
        return VES_OK;
    }
    if (status)
        return status;
    if (!ves_stream_equal(&agent->core.stream, &identity->stream) ||
        (!ves_uuid_is_nil(&identity->agent) &&
         !ves_uuid_equal(&agent->core.agent, &identity->agent)))
        return ves_fail(error, VES_CONFLICT,
                        "%s is already the store of another stream or agent; "
                        "nothing was changed; use a new file",
                        agent->path);
    identity->agent = agent->core.agent;
    if (identity->key_id == 0)
        identity->key_id = agent->core.key_id;
    return VES_OK;
}

static enum ves_status make_store(struct ves_agent *agent,
                                  const struct ves_agent_make *make,
                                  struct ves_error *error)
{
    struct ves_core_identity identity = make->identity;
    struct ves_public_key key;

    enum ves_status status = adopt(agent, &identity, error);
    if (!status && agent->has_public_key &&
        !ves_file_exists(ves_agent_key_file(agent)))
        return ves_fail(error, VES_NOT_FOUND,
                        "this store exists, but its key %s is not there; "
                        "nothing was changed; put it back, or use a new file",
                        agent->key_path);
    if (!status)
        status = make_key(agent, make, &key, error);
    if (status)
        return status;
    if (agent->has_public_key &&
        memcmp(key.b, agent->public_key.b, VES_KEY_SIZE) != 0)
        return ves_fail(error, VES_CONFLICT,
                        "%s is not the key this store was made with; nothing "
                        "was changed",
                        agent->key_path);
    ves_agent_start(agent);
    status = write_identity_at_once(agent, make, &identity, &key, error);
    if (!status && make->credential)
        status = ves_agent_put_credential(agent, make->credential, error);
    return status ? status : ves_agent_load(agent, error);
}

enum ves_status ves_agent_make(const struct ves_agent_options *options,
                               const struct ves_agent_make *make,
                               struct ves_agent **out, struct ves_error *error)
{
    struct ves_agent *agent;

    if (options->is_read_only)
        return ves_fail(error, VES_INVALID,
                        "a store cannot be made for reading only");
    enum ves_status status = check_url(make->url, error);
    if (!status)
        status = ves_agent_open_file(options, true, &agent, error);
    if (status)
        return status;
    status = make_store(agent, make, error);
    if (status) {
        ves_agent_close(agent);
        return status;
    }
    *out = agent;
    return VES_OK;
}

enum ves_status ves_agent_create(const struct ves_agent_options *options,
                                 const struct ves_agent_identity *identity,
                                 struct ves_agent **out,
                                 struct ves_error *error)
{
    struct ves_agent_make make = {
        .identity =
            {
                .stream = identity->stream,
                .agent = identity->agent,
                .key_id = identity->key_id ? identity->key_id : 1,
                .sequencer_id = identity->sequencer_id,
            },
        .url = identity->url,
        .credential = identity->credential,
    };

    if (ves_uuid_is_nil(&identity->stream.tenant) ||
        ves_uuid_is_nil(&identity->stream.store))
        return ves_fail(error, VES_INVALID,
                        "the stream needs a tenant id and a store id; nothing "
                        "was made");
    if (identity->sequencer_key) {
        make.identity.sequencer_keys[0].version = 1;
        make.identity.sequencer_keys[0].public_key = *identity->sequencer_key;
        make.identity.sequencer_key_count = 1;
    }
    if (identity->owner_key)
        make.identity.owner_key = *identity->owner_key;
    return ves_agent_make(options, &make, out, error);
}
