/* open.c -- the handle of a local store: opening, identity, transactions. */
#include <string.h>

#include "agent/agent.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "crypto/verifier.h"
#include "os/keyfile.h"
#include "os/pool.h"
#include "store/sqlite_api.h"
#include "store/store_sqlite.h"

enum {
    ARENA_MAX = 256 * 1024 * 1024, /* the largest event, many times over */
    BUSY_TIMEOUT_MS = 10 * 1000    /* a bulk import of somebody else's */
};

/* ---- words, transactions, meta ------------------------------------------- */

void ves_agent_start(struct ves_agent *agent)
{
    ves_arena_reset(&agent->arena);
    agent->core.error = (struct ves_error){VES_OK, ""};
    agent->store->error = (struct ves_error){VES_OK, ""};
}

enum ves_status ves_agent_fail(struct ves_agent *agent, enum ves_status status,
                               struct ves_error *error, const char *what)
{
    const struct ves_error *core = &agent->core.error;
    const struct ves_error *store = &agent->store->error;
    const char *words = ves_status_message(status);

    if (status == VES_OK)
        return VES_OK;
    if (core->status == status && core->text[0])
        words = core->text;
    else if (store->status == status && store->text[0])
        words = store->text;
    else if (status == VES_CORRUPT)
        words = "stored data contradicts itself; nothing was changed; `ves "
                "doctor` tells where";
    if (!what)
        return ves_fail(error, status, "%s", words);
    return ves_fail(error, status, "%s: %s", what, words);
}

enum ves_status ves_agent_jw_end(struct ves_jw *jw, struct ves_error *error)
{
    enum ves_status status = ves_jw_status(jw);

    if (status)
        return ves_fail(error, status, "the answer could not be written: %s",
                        ves_status_message(status));
    return VES_OK;
}

enum ves_status ves_agent_need_write(struct ves_agent *agent, const char *what,
                                     struct ves_error *error)
{
    if (!agent->is_read_only)
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "%s: this store was opened for reading only; nothing was "
                    "changed",
                    what);
}

enum ves_status ves_agent_begin_write(struct ves_agent *agent)
{
    return agent->store->ops->begin(agent->store);
}

enum ves_status ves_agent_end_write(struct ves_agent *agent,
                                    enum ves_status status)
{
    if (!status)
        status = agent->store->ops->commit(agent->store);
    if (status) {
        /* A rollback may overwrite the store's words. */
        struct ves_error words = agent->store->error;
        agent->store->ops->rollback(agent->store);
        agent->store->error = words;
    }
    return status;
}

enum ves_status ves_agent_meta_u64(struct ves_agent *agent, const char *name,
                                   uint64_t *out)
{
    struct ves_bytes text;

    *out = 0;
    enum ves_status status =
        agent->store->ops->meta_get(agent->store, name, &agent->arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (!status && ves_decimal_parse(text, out))
        return ves_fail(&agent->core.error, VES_CORRUPT,
                        "the store's value \"%s\" is not a number", name);
    return status;
}

enum ves_status ves_agent_meta_put_u64(struct ves_agent *agent,
                                       const char *name, uint64_t value)
{
    struct ves_buf text;

    ves_buf_init(&text, agent->alloc, 32);
    ves_buf_put_decimal(&text, value);
    enum ves_status status = ves_buf_status(&text);
    if (!status)
        status = agent->store->ops->meta_put(agent->store, name,
                                             ves_buf_view(&text));
    ves_buf_free(&text);
    return status;
}

enum ves_status ves_agent_meta_put_hex(struct ves_agent *agent,
                                       const char *name, const uint8_t *data,
                                       size_t len)
{
    char text[2 * VES_HASH_SIZE];

    VES_ASSERT(len <= VES_HASH_SIZE);
    ves_hex_encode(data, len, text);
    return agent->store->ops->meta_put(agent->store, name,
                                       ves_bytes(text, 2 * len));
}

static enum ves_status meta_get_hex(struct ves_agent *agent, const char *name,
                                    uint8_t *out, size_t len, bool *is_there)
{
    struct ves_bytes text;

    *is_there = false;
    enum ves_status status =
        agent->store->ops->meta_get(agent->store, name, &agent->arena, &text);
    if (status == VES_NOT_FOUND || (!status && text.len == 0))
        return VES_OK;
    if (status)
        return status;
    if (ves_hex_decode(text, out, len))
        return ves_fail(&agent->core.error, VES_CORRUPT,
                        "the store's value \"%s\" is not readable", name);
    *is_there = true;
    return VES_OK;
}

/* ---- opening --------------------------------------------------------------
 */

static char *join(struct ves_agent *agent, const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    char *out =
        agent->alloc->realloc(agent->alloc->ctx, NULL, len + end_len + 1);

    if (out) {
        memcpy(out, text, len);
        memcpy(out + len, end, end_len + 1);
    }
    return out;
}

static void release(struct ves_agent *agent, void *owned)
{
    if (owned)
        agent->alloc->realloc(agent->alloc->ctx, owned, 0);
}

/* The key lies beside the file that SQLite opened, symbolic links followed, so
 * that every way to name a store finds the same key. */
static enum ves_status set_paths(struct ves_agent *agent,
                                 struct ves_error *error)
{
    const char *path = sqlite3_db_filename(agent->connection, "main");

    if (!path || path[0] == '\0')
        return ves_fail(error, VES_INVALID,
                        "this connection has no file: a store must be one, "
                        "its key lies beside it");
    if (strlen(path) > VES_AGENT_PATH_MAX)
        return ves_fail(error, VES_LIMIT, "the file's name is too long");
    agent->path = join(agent, path, "");
    agent->key_path = join(agent, path, ".key");
    agent->next_key_path = join(agent, path, ".key.next");
    agent->later_key_path = join(agent, path, ".key.later");
    agent->credential_path = join(agent, path, ".credential");
    agent->delivery_path = join(agent, path, ".delivery");
    if (!agent->path || !agent->key_path || !agent->next_key_path ||
        !agent->later_key_path || !agent->credential_path ||
        !agent->delivery_path)
        return ves_fail(error, VES_NOMEM, "%s", ves_status_message(VES_NOMEM));
    return VES_OK;
}

static enum ves_status not_a_store(const struct ves_agent *agent,
                                   const struct ves_agent_options *options,
                                   struct ves_error *error)
{
    const char *path = agent && agent->path ? agent->path : options->path;

    return ves_fail(error, VES_NOT_FOUND,
                    "there is no VES store in %s; `ves init --invite STRING` "
                    "makes one",
                    path ? path : "this database");
}

/* A handle with an open file, not yet loaded. */
enum ves_status ves_agent_open_file(const struct ves_agent_options *options,
                                    bool create, struct ves_agent **out,
                                    struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();
    const struct ves_store_sqlite_options store_options = {
        .connection = options->connection,
        .path = options->path,
        .is_read_only = options->is_read_only,
        .create = create,
        .role = VES_STORE_DEVICE,
        .busy_timeout_ms = BUSY_TIMEOUT_MS,
    };
    struct ves_store *store;

    if (!options->connection && (!options->path || !options->path[0]))
        return ves_fail(error, VES_INVALID, "the store's file is not named");
    enum ves_status status = ves_agent_check_environment(error);
    if (status)
        return status;
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    status = ves_store_sqlite_open(&store_options, alloc, &store, error);
    if (status == VES_NOT_FOUND)
        return not_a_store(NULL, options, error);
    if (status)
        return status;
    struct ves_agent *agent =
        alloc->realloc(alloc->ctx, NULL, sizeof(struct ves_agent));
    if (!agent) {
        ves_store_sqlite_close(store);
        return ves_fail(error, VES_NOMEM, "%s", ves_status_message(VES_NOMEM));
    }
    memset(agent, 0, sizeof(*agent));
    agent->alloc = alloc;
    agent->store = store;
    agent->connection = ves_store_sqlite_connection(store);
    agent->is_joined = options->connection != NULL;
    agent->is_read_only = options->is_read_only;
    agent->allow_relaxed_sync = options->allow_relaxed_sync;
    agent->passphrase = options->passphrase;
    agent->passphrase_ctx = options->passphrase_ctx;
    agent->direct.verify = ves_verify_each;
    agent->core.store = store;
    agent->core.alloc = alloc;
    agent->core.verifier = &agent->direct;
    agent->core.setting = ves_agent_environment;
    agent->core.rekey = ves_agent_rekey;
    ves_arena_init(&agent->arena, alloc, ARENA_MAX);
    ves_kept_init(&agent->standing, alloc);
    status = set_paths(agent, error);
    if (status) {
        ves_agent_close(agent);
        return status;
    }
    ves_agent_wal_watch(agent);
    *out = agent;
    return VES_OK;
}

enum ves_status ves_agent_read_key(struct ves_agent *agent)
{
    return meta_get_hex(agent, "agent.public_key", agent->public_key.b,
                        VES_KEY_SIZE, &agent->has_public_key);
}

static enum ves_status read_peer(struct ves_agent *agent)
{
    struct ves_bytes url;

    enum ves_status status = agent->store->ops->meta_get(
        agent->store, "sequencer.url", &agent->arena, &url);
    if (status && status != VES_NOT_FOUND)
        return status;
    if (status == VES_NOT_FOUND)
        url = ves_bytes(NULL, 0);
    release(agent, agent->url);
    agent->url = agent->alloc->realloc(agent->alloc->ctx, NULL, url.len + 1);
    if (!agent->url)
        return VES_NOMEM;
    if (url.len > 0)
        memcpy(agent->url, url.ptr, url.len);
    agent->url[url.len] = '\0';
    status = meta_get_hex(agent, "sequencer.tls_key", agent->tls_key.b,
                          VES_HASH_SIZE, &agent->has_tls_key);
    return status ? status : ves_agent_read_key(agent);
}

enum ves_status ves_agent_load(struct ves_agent *agent, struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = ves_core_load(&agent->core);
    if (status == VES_NOT_FOUND)
        return status;
    if (!status)
        status = read_peer(agent);
    return ves_agent_fail(agent, status, error, "opening the store");
}

enum ves_status ves_agent_open(const struct ves_agent_options *options,
                               struct ves_agent **out, struct ves_error *error)
{
    struct ves_agent *agent;

    enum ves_status status = ves_agent_open_file(options, false, &agent, error);
    if (status)
        return status;
    status = ves_agent_load(agent, error);
    if (status == VES_NOT_FOUND)
        not_a_store(agent, options, error);
    if (status) {
        ves_agent_close(agent);
        return status;
    }
    *out = agent;
    return VES_OK;
}

void ves_agent_close(struct ves_agent *agent)
{
    if (!agent)
        return;
    ves_agent_rollback(agent);
    ves_pool_free(agent->pool);
    ves_signer_free(agent->core.signer);
    ves_agent_wal_close(agent);
    ves_store_sqlite_close(agent->store);
    ves_arena_free(&agent->arena);
    ves_kept_free(&agent->standing);
    release(agent, agent->path);
    release(agent, agent->key_path);
    release(agent, agent->next_key_path);
    release(agent, agent->later_key_path);
    release(agent, agent->credential_path);
    release(agent, agent->delivery_path);
    release(agent, agent->url);
    release(agent, agent);
}

void ves_agent_info(const struct ves_agent *agent, struct ves_agent_info *out)
{
    *out = (struct ves_agent_info){
        .stream = agent->core.stream,
        .agent = agent->core.agent,
        .key_id = agent->core.key_id,
        .public_key = agent->public_key,
        .sequencer_id = agent->core.sequencer_id,
        .url = agent->url,
        .path = agent->path,
    };
}

void ves_agent_use_pool(struct ves_agent *agent)
{
    if (!agent->pool && ves_pool_new(agent->alloc, 0, &agent->pool, NULL))
        agent->pool = NULL;
    if (agent->pool)
        agent->core.verifier = ves_pool_verifier(agent->pool);
}

/* ---- transactions of our own --------------------------------------------- */

bool ves_agent_is_in_transaction(const struct ves_agent *agent)
{
    return sqlite3_get_autocommit(agent->connection) == 0;
}

enum ves_status ves_agent_sql(struct ves_agent *agent, const char *sql,
                              struct ves_error *error)
{
    int rc = sqlite3_exec(agent->connection, sql, NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        return VES_OK;
    if ((rc & 0xFF) == SQLITE_BUSY || (rc & 0xFF) == SQLITE_LOCKED)
        return ves_fail(error, VES_BUSY,
                        "another process is writing to this store; nothing was "
                        "changed; try again");
    return ves_fail(error, rc == SQLITE_NOMEM ? VES_NOMEM : VES_IO,
                    "the store's file could not be written: %s",
                    sqlite3_errmsg(agent->connection));
}

bool ves_agent_begin_read(struct ves_agent *agent)
{
    return !ves_agent_is_in_transaction(agent) &&
           !agent->store->ops->begin_read(agent->store);
}

void ves_agent_end_read(struct ves_agent *agent, bool has_begun)
{
    if (has_begun)
        agent->store->ops->end_read(agent->store);
}

enum ves_status ves_agent_begin(struct ves_agent *agent,
                                struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status =
        ves_agent_need_write(agent, "beginning a transaction", error);
    if (status)
        return status;
    if (agent->is_joined)
        return ves_fail(error, VES_INVALID,
                        "the connection is the caller's: it begins its own "
                        "transactions");
    if (agent->has_begun)
        return ves_fail(error, VES_INVALID, "a transaction is open already");
    status = ves_agent_sql(agent, "BEGIN IMMEDIATE", error);
    agent->has_begun = status == VES_OK;
    return status;
}

enum ves_status ves_agent_commit(struct ves_agent *agent,
                                 struct ves_error *error)
{
    ves_agent_start(agent);
    if (!agent->has_begun)
        return ves_fail(error, VES_INVALID, "no transaction is open");
    enum ves_status status = ves_agent_sql(agent, "COMMIT", error);
    if (status)
        ves_agent_rollback(agent);
    agent->has_begun = false;
    return status;
}

void ves_agent_rollback(struct ves_agent *agent)
{
    /* SQLite may have rolled back by itself, on a full disk for one. */
    if (agent->has_begun && !sqlite3_get_autocommit(agent->connection))
        (void)ves_agent_sql(agent, "ROLLBACK", NULL);
    agent->has_begun = false;
}
