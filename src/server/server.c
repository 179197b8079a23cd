/* server.c -- the sequencer as a process: start and stop. */
#include "server/server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/key_event.h"
#include "core/note.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "os/listen.h"
#include "os/mhd.h"
#include "os/random.h"
#include "os/tls_server.h"
#include "server/storage.h"

enum {
    HTTP_THREADS_MIN = 2, /* design.md D7 */
    HTTP_THREADS_MAX = 8,
    DRAIN_MS = 10000,
    FOLLOWERS_MS = 500, /* to take their leave */
    LOG_HOST_MAX = VES_ORIGIN_MAX - 5 - 2 * VES_HASH_SIZE /* "/ves/", id */
};

struct start {
    struct ves_server *server;
    const struct ves_serve_options *options;
    struct ves_error *error;
    struct ves_listen_address address;
    unsigned http_threads;
    unsigned address_connections; /* from one address; 0: any number */
    int socket; /* listening; -1 before and once the HTTP server has it */
    unsigned port;
};

static char *copy_text(const struct ves_alloc *alloc, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = alloc->realloc(alloc->ctx, NULL, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* ---- store --------------------------------------------------------------- */

/* API keys are in memory: a second process would go on accepting what this
 * one revokes. */
static enum ves_status lock_store(struct start *s)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s.lock", s->options->db);
    if (n < 0 || (size_t)n >= sizeof(path))
        return ves_fail(s->error, VES_INVALID,
                        "the database's path is too long");
    enum ves_status status = ves_file_lock(path, &s->server->lock_fd, s->error);
    if (status == VES_BUSY)
        return ves_fail(s->error, status,
                        "another sequencer serves %s; stop it first",
                        s->options->db);
    return status;
}

static enum ves_status open_reader(void *ctx, struct ves_store **store,
                                   struct ves_error *error)
{
    const struct start *s = ctx;
    return ves_storage_open(s->options, VES_STORAGE_READ, s->server->alloc,
                            store, error);
}

static enum ves_status start_backfill(struct start *s)
{
    struct ves_server *server = s->server;
    struct ves_store *store;
    if (ves_storage_is_shared(s->options))
        return VES_OK; /* there is no WAL of ours */
    enum ves_status status = ves_storage_open(s->options, VES_STORAGE_WRITE,
                                              server->alloc, &store, s->error);
    return status
               ? status
               : ves_backfill_start(&server->backfill, &server->log,
                                    &ves_backfill_limits,
                                    server->sequencer.store, store, s->error);
}

static enum ves_status open_identity(struct start *s)
{
    struct ves_server *server = s->server;
    enum ves_status status = ves_identity_open(
        server->sequencer.store, server->alloc, s->options, NULL,
        server->started_ms, &server->identity, s->error);
    return status ? status
                  : ves_storage_expect_keys(s->options, server->sequencer.store,
                                            server->alloc, s->error);
}

static enum ves_status open_store(struct start *s)
{
    struct ves_server *server = s->server;
    bool is_shared = ves_storage_is_shared(s->options);
    enum ves_status status = ves_storage_open(
        s->options, is_shared ? VES_STORAGE_WRITE : VES_STORAGE_CREATE,
        server->alloc, &server->sequencer.store, s->error);
    if (!status && !is_shared)
        status = lock_store(s);
    if (!status)
        status = open_identity(s);
    if (status)
        return status;
    server->sequencer.alloc = server->alloc;
    status = ves_sequencer_upgrade(&server->sequencer);
    if (status)
        return ves_fail(s->error, status, "the log cannot be judged: %s",
                        server->sequencer.store->error.text);
    status = start_backfill(s);
    if (status)
        return status;
    size_t readers = s->http_threads + server->threads;
    return ves_readers_open(
        &server->readers, readers < VES_READERS_MAX ? readers : VES_READERS_MAX,
        open_reader, ves_storage_close, s, s->error);
}

static enum ves_status put_log_host(struct start *s, const char *host)
{
    struct ves_store *store = s->server->sequencer.store;
    if (!ves_note_name_is_valid(ves_bytes_str(host)) ||
        strlen(host) > LOG_HOST_MAX)
        return ves_fail(s->error, VES_INVALID,
                        "\"%s\" cannot begin the name of a log: at most %d "
                        "characters, no spaces, no +",
                        host, LOG_HOST_MAX);
    enum ves_status status = store->ops->begin(store);
    if (!status) {
        status =
            store->ops->meta_put(store, VES_META_LOG_HOST, ves_bytes_str(host));
        if (!status)
            status = store->ops->commit(store);
    }
    if (status) {
        (void)ves_fail(s->error, status, "%s", store->error.text);
        store->ops->rollback(store);
    }
    return status;
}

static enum ves_status open_memory(struct start *s)
{
    struct ves_server *server = s->server;
    uint64_t seeds[2];
    enum ves_status status = ves_random(seeds, sizeof(seeds), s->error);
    if (status)
        return status;
    ves_keyring_init(&server->keyring, server->alloc, &server->readers,
                     seeds[0]);
    ves_credentials_init(&server->credentials, server->alloc, seeds[1]);
    status =
        ves_credentials_load(&server->credentials, server->sequencer.store);
    if (status)
        return ves_fail(s->error, status, "the API keys cannot be read: %s",
                        server->sequencer.store->error.text);
    return VES_OK;
}

/* When there are followers to tell. */
static enum ves_status start_refresh(struct start *s)
{
    struct ves_store *reader;
    if (!ves_storage_is_shared(s->options))
        return VES_OK;
    enum ves_status status = open_reader(s, &reader, s->error);
    return status ? status : ves_refresh_start(s->server, reader, s->error);
}

/* Witnesses and stores know logs by their origins, so the host in them stays
 * what it was at the first start. */
static enum ves_status choose_log_host(struct start *s)
{
    struct ves_server *server = s->server;
    struct ves_store *store = server->sequencer.store;
    const char *wanted = s->options->log_host;
    char text[VES_ORIGIN_MAX + 1];
    struct ves_arena arena;
    struct ves_bytes stored;
    ves_arena_init(&arena, server->alloc, 4096);
    enum ves_status status =
        store->ops->meta_get(store, VES_META_LOG_HOST, &arena, &stored);
    if (!status && stored.len < sizeof(text)) {
        memcpy(text, stored.ptr, stored.len);
        text[stored.len] = 0;
    }
    ves_arena_free(&arena);
    if (status && status != VES_NOT_FOUND)
        return ves_fail(s->error, status, "%s", store->error.text);
    if (status == VES_OK && wanted && strcmp(wanted, text) != 0)
        return ves_fail(s->error, VES_INVALID,
                        "the logs of this database are named %s/ves/..., and "
                        "others know them by that name; it cannot become %s",
                        text, wanted);
    if (status == VES_NOT_FOUND) {
        char id[VES_UUID_TEXT + 1];
        ves_uuid_format(&server->identity.sequencer_id, id);
        snprintf(text, sizeof(text), "%s", wanted ? wanted : id);
        status = put_log_host(s, text);
        if (status)
            return status;
    }
    server->log_host = copy_text(server->alloc, text);
    if (!server->log_host)
        return ves_fail(s->error, VES_NOMEM, "out of memory");
    server->sequencer.log_host = ves_bytes_str(server->log_host);
    return VES_OK;
}

/* Signs what is unsigned and compares what is signed; nothing is served
 * before. */
static enum ves_status open_log(struct start *s)
{
    struct ves_store *reader;
    enum ves_status status = choose_log_host(s);
    if (!status)
        status = ves_storage_open(s->options, VES_STORAGE_READ_ONCE,
                                  s->server->alloc, &reader, s->error);
    return status
               ? status
               : ves_checkpoints_start(s->server, s->options, reader, s->error);
}

static void note_grown(void *ctx, const struct ves_stream *stream)
{
    ves_checkpoints_note(ctx, stream);
    ves_followers_note(ctx, stream);
    ves_refresh_note(ctx, stream);
}

/* What our tables know, and the versions of our own key, enter the logs. */
static enum ves_status enter_keys(struct start *s)
{
    const struct ves_identity *identity = &s->server->identity;
    struct ves_key_event versions[VES_SEQUENCER_KEYS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < identity->key_count; i++) {
        const struct ves_identity_key *key = &identity->keys[i];
        if (key->has_statement)
            versions[count++] =
                (struct ves_key_event){.kind = VES_KEY_EVENT_SEQUENCER,
                                       .agent = identity->sequencer_id,
                                       .key_id = key->version,
                                       .public_key = key->public_key,
                                       .signature = key->statement};
    }
    return ves_sequencer_enter_keys(&s->server->sequencer, versions, count,
                                    ves_clock_now_ms(), s->error);
}

static enum ves_status open_sequencer(struct start *s)
{
    struct ves_server *server = s->server;
    struct ves_sequencer *sequencer = &server->sequencer;
    sequencer->key_version = ves_identity_current(&server->identity)->version;
    sequencer->sequencer_id = server->identity.sequencer_id;
    sequencer->require_v2 = s->options->require_v2;
    if (ves_pool_signer_new(server->pool, server->identity.signer,
                            &sequencer->signer))
        return ves_fail(s->error, VES_NOMEM, "out of memory");
    enum ves_status status = open_log(s);
    /* Only now is it sure that the log may grow. */
    sequencer->grown = note_grown;
    sequencer->grown_ctx = server;
    if (!status)
        status = enter_keys(s);
    if (!status)
        status =
            ves_witnesses_open(server, s->options, open_reader, s, s->error);
    if (!status)
        status = ves_pipeline_start(server, server->threads, s->error);
    return status ? status : ves_witnesses_run(server->witnesses, s->error);
}

/* ---- TLS and listening --------------------------------------------------- */

static enum ves_status read_tls(struct start *s)
{
    struct ves_server *server = s->server;
    const struct ves_serve_options *options = s->options;
    if (!options->tls_cert != !options->tls_key)
        return ves_fail(s->error, VES_INVALID,
                        "a certificate and its key go together");
    if (options->tls_client_ca && !options->tls_cert)
        return ves_fail(s->error, VES_INVALID,
                        "clients can show certificates over TLS only: give a "
                        "certificate and its key, too");
    server->needs_client_cert = options->tls_client_ca != NULL;
    return options->tls_cert
               ? ves_tls_server_new(server->alloc, options->tls_cert,
                                    options->tls_key, options->tls_client_ca,
                                    &server->tls, s->error)
               : VES_OK;
}

/* "HOST:PORT" after prefix, with room for it. */
static void write_address(const struct start *s, unsigned port,
                          const char *prefix, char *out, size_t size)
{
    const char *host = s->address.host;
    snprintf(out, size, s->address.is_v6 ? "%s[%s]:%u" : "%s%s:%u", prefix,
             host, port);
}

static enum ves_status tell_port(struct start *s)
{
    unsigned port = s->port;
    struct ves_server *server = s->server;
    char text[VES_LISTEN_HOST_MAX + 32];
    write_address(s, port, server->tls != NULL ? "https://" : "http://", text,
                  sizeof(text));
    server->url = copy_text(server->alloc, text);
    if (!server->url)
        return ves_fail(s->error, VES_NOMEM, "out of memory");
    if (!s->options->port_file)
        return VES_OK;
    server->port_file = copy_text(server->alloc, s->options->port_file);
    if (!server->port_file)
        return ves_fail(s->error, VES_NOMEM, "out of memory");
    write_address(s, port, "", text, sizeof(text) - 1);
    size_t len = strlen(text);
    text[len] = '\n';
    return ves_file_write(s->options->port_file, ves_bytes(text, len + 1),
                          VES_FILE_REPLACE, s->error);
}

static enum ves_status start_http(struct start *s)
{
    struct ves_server *server = s->server;
    struct ves_http_setup setup = {.threads = s->http_threads,
                                   .socket = s->socket,
                                   .address_connections =
                                       s->address_connections,
                                   .tls = server->tls};
    enum ves_status status =
        ves_connections_start(&server->connections, server->alloc,
                              &server->metrics.slow_clients, s->error);
    if (status)
        return status;
    s->socket = -1;
    status = ves_http_start(server, &setup, &server->http, s->error);
    return status ? status : tell_port(s);
}

/* ---- start --------------------------------------------------------------- */

static enum ves_status note_admin_key(struct start *s)
{
    struct ves_server *server = s->server;
    char text[4096];
    if (!server->identity.is_admin_key_new)
        return VES_OK;
    int n = snprintf(text, sizeof(text), "%s.admin-key", s->options->db);
    VES_ASSERT(n > 0 && (size_t)n < sizeof(text));
    server->new_admin_key = copy_text(server->alloc, text);
    return server->new_admin_key
               ? VES_OK
               : ves_fail(s->error, VES_NOMEM, "out of memory");
}

static void choose_threads(struct start *s)
{
    struct ves_server *server = s->server;
    server->threads = ves_pool_threads(server->pool);
    s->http_threads = (server->threads + 1) / 2;
    if (s->http_threads < HTTP_THREADS_MIN)
        s->http_threads = HTTP_THREADS_MIN;
    if (s->http_threads > HTTP_THREADS_MAX)
        s->http_threads = HTTP_THREADS_MAX;
}

/* What is reached from elsewhere has limits, if not those that were asked
 * for. */
static enum ves_status choose_limits(struct start *s)
{
    const struct ves_serve_options *options = s->options;
    const uint32_t asked[VES_RATE_KINDS] = {
        [VES_RATE_CREDENTIAL] = options->rate_limit,
        [VES_RATE_TENANT] = options->tenant_rate_limit,
        [VES_RATE_ADDRESS] = options->address_rate_limit};
    static const uint32_t usual[VES_RATE_KINDS] = {
        [VES_RATE_CREDENTIAL] = VES_SERVE_RATE_CREDENTIAL,
        [VES_RATE_TENANT] = VES_SERVE_RATE_TENANT,
        [VES_RATE_ADDRESS] = VES_SERVE_RATE_ADDRESS};
    uint32_t per_s[VES_RATE_KINDS];
    uint8_t seed[VES_SIPHASH_KEY];
    bool is_loopback;
    enum ves_status status =
        ves_listen_is_loopback(&s->address, &is_loopback, s->error);
    if (!status)
        status = ves_random(seed, sizeof(seed), s->error);
    if (status)
        return status;
    for (size_t i = 0; i < VES_RATE_KINDS; i++) {
        if (asked[i] == VES_SERVE_NO_LIMIT)
            per_s[i] = 0;
        else if (asked[i] > VES_SERVE_RATE_MAX)
            return ves_fail(s->error, VES_INVALID,
                            "a limit of %u requests a second is beyond the "
                            "largest, %d",
                            asked[i], (int)VES_SERVE_RATE_MAX);
        else
            per_s[i] = asked[i] ? asked[i] : is_loopback ? 0 : usual[i];
    }
    s->address_connections =
        options->address_connections == VES_SERVE_NO_LIMIT ? 0
        : options->address_connections ? options->address_connections
        : is_loopback                  ? 0
                                       : VES_SERVE_CONNECTIONS_ADDRESS;
    s->server->credential_connections =
        options->credential_connections == VES_SERVE_NO_LIMIT ? 0
        : options->credential_connections ? options->credential_connections
        : is_loopback                     ? 0
                                          : VES_SERVE_CONNECTIONS_CREDENTIAL;
    return ves_rates_init(&s->server->rates, s->server->alloc, per_s, seed)
               ? ves_fail(s->error, VES_NOMEM, "out of memory")
               : VES_OK;
}

static enum ves_status read_token_keys(struct start *s)
{
    const struct ves_serve_options *options = s->options;
    const struct ves_token_rules rules = {.keys_file = options->jwt_keys,
                                          .audience = options->jwt_audience,
                                          .issuer = options->jwt_issuer};
    if (!options->jwt_keys && (options->jwt_audience || options->jwt_issuer))
        return ves_fail(s->error, VES_INVALID,
                        "an audience or issuer of tokens needs the file of "
                        "their keys (--jwt-keys)");
    return options->jwt_keys ? ves_tokens_new(s->server->alloc, &rules,
                                              &s->server->tokens, s->error)
                             : VES_OK;
}

/* Off loopback others rely on it. */
static enum ves_status check_head_file(struct start *s)
{
    const struct ves_serve_options *options = s->options;
    bool is_loopback;
    if (options->head_file && ves_storage_is_shared(options))
        return VES_OK;
    if (options->head_file)
        return ves_head_file_check_place(options->head_file, options->db,
                                         s->error);
    /* Without TLS it is loopback, or refused for that. */
    if (!s->server->tls)
        return VES_OK;
    enum ves_status status =
        ves_listen_is_loopback(&s->address, &is_loopback, s->error);
    if (!status && !is_loopback)
        status = ves_fail(
            s->error, VES_INVALID,
            "%s is not loopback, and others will rely on what is signed "
            "there: name a file outside the folder of the database for the "
            "signed heads (--head-file), so that a restored backup is noticed",
            options->listen);
    return status;
}

static enum ves_status start_all(struct start *s)
{
    struct ves_server *server = s->server;
    enum ves_status status =
        ves_listen_read(s->options->listen, &s->address, s->error);
    if (!status)
        status = read_tls(s);
    /* Before anything is made on disk: who cannot or may not listen leaves
     * nothing. */
    if (!status)
        status = ves_mhd_load(s->error);
    if (!status)
        status = ves_listen_open(&s->address, server->tls != NULL, &s->socket,
                                 &s->port, s->error);
    if (!status)
        status = check_head_file(s);
    if (!status)
        status = choose_limits(s);
    if (!status)
        status = read_token_keys(s);
    if (!status)
        status = ves_pool_new(server->alloc, s->options->threads, &server->pool,
                              s->error);
    if (status)
        return status;
    choose_threads(s);
    status = open_store(s);
    if (!status)
        status = open_memory(s);
    if (!status)
        status = ves_followers_start(s->server, s->error);
    if (!status)
        status = start_refresh(s);
    if (!status)
        status = open_sequencer(s);
    if (!status)
        status = note_admin_key(s);
    return status ? status : start_http(s);
}

enum ves_status ves_server_start(const struct ves_serve_options *options,
                                 struct ves_server **out,
                                 struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();
    if (options->new_head_file && !options->head_file)
        return ves_fail(error, VES_INVALID,
                        "a new head file needs its path (--head-file)");
    if (!options->db == !options->store || !options->listen)
        return ves_fail(error, VES_INVALID,
                        "a database, of one kind, and an address to listen on "
                        "are needed");
    if (options->store && !options->signing_key)
        return ves_fail(error, VES_INVALID,
                        "a store needs the file of its signing key");
    if (options->threads > VES_POOL_THREADS_MAX)
        return ves_fail(error, VES_INVALID,
                        "%u threads are too many; at most %d are of use",
                        options->threads, (int)VES_POOL_THREADS_MAX);
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    struct ves_server *server =
        alloc->realloc(alloc->ctx, NULL, sizeof(*server));
    if (!server)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(server, 0, sizeof(*server));
    server->lock_fd = -1;
    server->strangers.account = &server->nobody;
    server->alloc = alloc;
    ves_cosignatures_init(&server->cosignatures);
    server->started_ms = ves_clock_now_ms();
    server->log.is_json =
        options->log_format && strcmp(options->log_format, "json") == 0;
    server->log.level = options->log_level > VES_LOG_REQUEST
                            ? VES_LOG_REQUEST
                            : (enum ves_log_level)options->log_level;
    struct start s = {
        .server = server, .options = options, .error = error, .socket = -1};
    enum ves_status status = start_all(&s);
    if (s.socket >= 0)
        (void)close(s.socket);
    if (status) {
        ves_server_stop(server);
        return status;
    }
    ves_log_say(&server->log, VES_LOG_NOTICE, "listening", server->url);
    *out = server;
    return VES_OK;
}

const char *ves_server_url(const struct ves_server *server)
{
    return server->url;
}

const char *ves_server_new_admin_key(const struct ves_server *server)
{
    return server->new_admin_key;
}

enum ves_status ves_server_reload(struct ves_server *server, bool *is_new,
                                  struct ves_error *error)
{
    struct ves_hash before, after;
    *is_new = false;
    if (!server->tls)
        return VES_OK;
    ves_tls_server_spki(server->tls, &before);
    enum ves_status status = ves_tls_server_reload(server->tls, is_new, error);
    ves_tls_server_spki(server->tls, &after);
    if (status)
        ves_log_say(&server->log, VES_LOG_ERROR, "certificate_kept",
                    error->text);
    else if (*is_new)
        ves_log_say(&server->log, VES_LOG_NOTICE, "certificate_new",
                    ves_hash_equal(&before, &after)
                        ? "new connections get the certificate that was read"
                        : "new connections get another key: stores that "
                          "joined by an invitation know the old one, and do "
                          "not talk to this one");
    return status;
}

/* ---- stop ---------------------------------------------------------------- */

/* design.md D7: no new requests, commit what is under way, resume every
 * connection, let the answers leave, then stop. */
static void stop_http(struct ves_server *server)
{
    ves_http_quiesce(server->http);
    ves_pipeline_stop(server);
    ves_followers_stop(server, FOLLOWERS_MS);
    if (!ves_http_drain(server->http, DRAIN_MS))
        ves_log_say(&server->log, VES_LOG_NOTICE, "drain_timeout",
                    "some clients did not take their answers; what they sent "
                    "is stored");
    ves_connections_stop(&server->connections);
    ves_http_stop(server->http);
}

void ves_server_stop(struct ves_server *server)
{
    if (!server)
        return;
    const struct ves_alloc *alloc = server->alloc;
    ves_witnesses_stop(server->witnesses);
    if (server->http) {
        stop_http(server);
        if (server->port_file)
            (void)unlink(server->port_file); /* nobody listens there */
        ves_log_say(&server->log, VES_LOG_NOTICE, "stopped", server->url);
    }
    ves_pipeline_stop(server);
    ves_refresh_stop(server);
    ves_followers_stop(server, 0);
    ves_followers_deinit(server);
    if (server->credentials.table.alloc) {
        ves_credentials_deinit(&server->credentials);
        ves_keyring_deinit(&server->keyring);
    }
    ves_connections_stop(&server->connections);
    ves_connections_deinit(&server->connections);
    ves_tls_server_free(server->tls);
    ves_rates_deinit(&server->rates, alloc);
    ves_tokens_free(server->tokens);
    ves_witnesses_free(server->witnesses);
    ves_checkpoints_stop(server);
    ves_cosignatures_deinit(&server->cosignatures, alloc);
    alloc->realloc(alloc->ctx, server->log_host, 0);
    ves_pool_signer_free(server->sequencer.signer);
    ves_identity_close(&server->identity);
    ves_pool_free(server->pool);
    ves_readers_close(&server->readers);
    ves_backfill_stop(&server->backfill);
    ves_storage_close(server->sequencer.store);
    if (server->lock_fd >= 0)
        (void)close(server->lock_fd);
    alloc->realloc(alloc->ctx, server->url, 0);
    alloc->realloc(alloc->ctx, server->port_file, 0);
    alloc->realloc(alloc->ctx, server->new_admin_key, 0);
    alloc->realloc(alloc->ctx, server, 0);
}
