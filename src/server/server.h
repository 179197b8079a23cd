/* server.h -- the sequencer as a process: who owns what.
 *
 *   connections (http.c, epoll threads)
 *        | ingest: suspended            | other writes: suspended
 *        v                              |
 *   workers (pipeline.c): read, prepare |           reads: answered at once,
 *        | prepared                     v           on a reader's connection
 *   committer (pipeline.c): one thread, one writer: groups of requests in one
 *        | durable transaction          transaction, then everything resumes
 *        v
 *   connections: answer
 *
 * Beside them backfill.c: copies the WAL back into the database file, and
 * checkpoints.c: makes the heads that the committer keeps, and followers.c:
 * tells those who follow a stream that it has grown.
 *
 * Lock order: none is ever held while another is taken, but for that of the
 * followers, inside which libmicrohttpd takes its own.
 */
#ifndef VES_SERVER_SERVER_H
#define VES_SERVER_SERVER_H

#include "engine/sequencer.h"
#include "os/pool.h"
#include "server/auth.h"
#include "server/backfill.h"
#include "server/checkpoints.h"
#include "server/connections.h"
#include "server/cosignatures.h"
#include "server/followers.h"
#include "server/http.h"
#include "server/identity.h"
#include "server/keyring.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/pipeline.h"
#include "server/rate.h"
#include "server/readers.h"
#include "server/refresh.h"
#include "server/token.h"
#include "server/witnesses.h"
#include "ves/serve.h"

enum {
    /* Bodies held at once, all connections together: bounds memory. */
    VES_SERVER_BODY_MEMORY_MAX = 48 * 1024 * 1024,
    /* A tenant may have as much as this many times what is free: alone two
     * thirds of all, and however many others there are, there is room for one
     * more. */
    VES_SERVER_BODY_MEMORY_SHARE = 2,
    /* ... of one API key. */
    VES_SERVER_BODY_MEMORY_ONE = 32 * 1024 * 1024,
    /* Answers that were made and not yet taken: above it no more are made,
     * so that clients that do not read cannot fill the memory. */
    VES_SERVER_REPLY_MEMORY_MAX = 128 * 1024 * 1024,
    VES_SERVER_REPLY_MEMORY_ONE = 64 * 1024 * 1024
};

struct ves_server {
    const struct ves_alloc *alloc;
    struct ves_log log;
    struct ves_metrics metrics;
    int64_t started_ms;
    int lock_fd;      /* of FILE.lock, -1: none */
    unsigned threads; /* of the pool and of prepare */
    struct ves_pool *pool;
    struct ves_identity identity;
    struct ves_sequencer sequencer; /* the writer's; committer thread only */
    struct ves_backfill backfill;
    struct ves_readers readers;
    struct ves_keyring keyring;
    struct ves_credentials credentials;
    struct ves_refresh refresh; /* of a shared store */
    struct ves_rates rates;
    struct ves_tokens *tokens; /* NULL: none are accepted */
    struct ves_account nobody; /* on which theirs is */
    struct ves_held strangers; /* requests without a key */
    struct ves_pipeline pipeline;
    struct ves_checkpoints checkpoints;
    struct ves_cosignatures cosignatures;
    struct ves_witnesses *witnesses; /* NULL: none are asked */
    struct ves_followers followers;
    char *log_host; /* what origins begin with */
    struct ves_http *http;
    struct ves_connections connections;
    struct ves_tls_server *tls; /* NULL: without */
    bool needs_client_cert;
    unsigned connections_max;        /* in all */
    unsigned credential_connections; /* with one credential; 0: any number */
    char *url;
    char *port_file;
    char *new_admin_key; /* path, or NULL */
};

#endif
