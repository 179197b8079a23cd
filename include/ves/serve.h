/* ves/serve.h -- the sequencer as an HTTP server (libves-server, not part of
 * libves: only the ves program links it).
 */
#ifndef VES_SERVE_H
#define VES_SERVE_H

#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ves_server;

enum {
    VES_SERVE_RATE_CREDENTIAL = 500,
    VES_SERVE_RATE_TENANT = 2000,
    VES_SERVE_RATE_ADDRESS = 20,
    VES_SERVE_RATE_MAX = 1000000,
    VES_SERVE_CONNECTIONS_ADDRESS = 512,
    VES_SERVE_CONNECTIONS_CREDENTIAL = 256
};
#define VES_SERVE_NO_LIMIT UINT32_MAX

struct ves_serve_options {
    const char *db; /* SQLite file; key files lie beside it */
    /* Instead of db: postgres://..., which ves_server_init has set up and
     * other processes may serve, too; and the file of its signing key. */
    const char *store;
    const char *signing_key;
    const char *listen;   /* HOST:PORT; port 0: any free one */
    const char *tls_cert; /* PEM files; both or none */
    const char *tls_key;
    const char *tls_client_ca; /* PEM: only clients with a certificate of one of
                                  these may come; NULL: all */
    /* Connections from one address; 0: VES_SERVE_CONNECTIONS_ADDRESS off
     * loopback, and any number on it; VES_SERVE_NO_LIMIT. */
    uint32_t address_connections;
    /* ... with one credential; 0: VES_SERVE_CONNECTIONS_CREDENTIAL, likewise.
     */
    uint32_t credential_connections;
    /* JSON web tokens are accepted beside API keys when their keys are named: a
     * JWK set.  The audience they have to name, and the issuer, NULL for any.
     */
    const char *jwt_keys, *jwt_audience, *jwt_issuer;
    bool require_v2;  /* refuse new events of signing version 1 */
    unsigned threads; /* prepare threads, up to 64; 0: one per core */
    /* Requests a second, on average, with one credential, of one tenant, and
     * from one address without an accepted credential; ten times as many at
     * once.  0: as many as VES_SERVE_RATE_... say off loopback, and any number
     * on it; VES_SERVE_NO_LIMIT: any number. */
    uint32_t rate_limit, tenant_rate_limit, address_rate_limit;
    const char *port_file;  /* written with "HOST:PORT\n" once listening */
    const char *log_format; /* "text" or "json"; NULL: text */
    unsigned log_level;     /* 0 errors, 1 notices, 2 requests */
    /* Where signed heads are written, too: outside the folder of db, so that
     * no backup of it restores them.  NULL: nowhere, on loopback only. */
    const char *head_file;
    bool new_head_file; /* make it although the database had one */
    /* The name checkpoints begin with, fixed at the first start; NULL: as it
     * was, or the sequencer's id. */
    const char *log_host;
    /* A tlog-policy: witnesses in it that have a URL are asked to cosign every
     * signed head.  NULL: none is. */
    const char *witness_policy;
    bool rotate_key; /* make the next receipt key version first (D18) */
    bool seal_key;   /* seal a key that is made now with passphrase's answer;
                        one that follows a sealed key always is */
    /* Asked when a sealed key is to be opened; may be NULL. */
    int (*passphrase)(void *ctx, char *out, size_t size);
    void *passphrase_ctx;
    /* Of ves_server_recover: events that no store has are given up, exactly
     * so many of them, and the log goes on in a new epoch (ADR 0024). */
    bool new_epoch;
    uint64_t give_up;
    const char *epoch_reason; /* the operator's words for stores; NULL: none */
};

/* Opens the store (making it, its signing key FILE.key, and an admin key in
 * FILE.admin-key at the first start), listens and serves.  Refuses to listen
 * off loopback without TLS or without a head file, and to start behind a head
 * that it signed or with another key than the store's (VES_CORRUPT); VES_BUSY
 * while another process serves the same file, by a lock on FILE.lock.  *out
 * stops with ves_server_stop. */
VES_NODISCARD enum ves_status
ves_server_start(const struct ves_serve_options *options,
                 struct ves_server **out, struct ves_error *error);

/* Sets up options->store, a PostgreSQL database: makes the tables, the signing
 * key (options->signing_key; a file that is there is taken) and an admin key in
 * admin_key_file, mode 0600.  Once: VES_CONFLICT when the database has a
 * sequencer, or a file of that name is there.  Of options seal_key and
 * passphrase are used as well. */
VES_NODISCARD enum ves_status
ves_server_init(const struct ves_serve_options *options,
                const char *admin_key_file, struct ves_error *error);

struct ves_migrated {
    uint64_t streams, events;
};

/* Copies a sequencer's whole store into an empty one, each a file or a
 * postgres:// URL, in one transaction; the tree of every log is computed anew
 * from what was copied and compared with the head that was signed.  Then the
 * streams of the one to leave are frozen, so that nobody goes on there.
 * Invitations that are open are not copied, nor are keys of tenants that have
 * neither a stream nor an API key.  Nobody may serve either: VES_BUSY where
 * that shows.  VES_CONFLICT: the target is not empty.  VES_CORRUPT: a tree is
 * another one.  On failure the target is as it was. */
VES_NODISCARD enum ves_status ves_server_migrate(const char *from,
                                                 const char *to,
                                                 struct ves_migrated *out,
                                                 struct ves_error *error);

/* Reads the certificate and its key again; *is_new: they were others, and new
 * connections get them.  On failure those in use stay.  Either is logged, too.
 * From one thread at a time.  Without TLS it does nothing. */
VES_NODISCARD enum ves_status ves_server_reload(struct ves_server *server,
                                                bool *is_new,
                                                struct ves_error *error);

/* Where it listens; valid until stop. */
const char *ves_server_url(const struct ves_server *server);
/* Was an admin key made just now?  Its file's path, or NULL. */
const char *ves_server_new_admin_key(const struct ves_server *server);

/* What an administrator did, or how that ended; views until the visit is over.
 * code "asked": detail has who (first digits of the credential's hash),
 * tenantId, method, target, bodyHash, requestId; "ended": of (the act's number)
 * and status. */
struct ves_trail_record {
    uint64_t no;
    int64_t at_ms;
    struct ves_bytes code, detail;
    struct ves_hash hash; /* of everything up to here */
};
struct ves_trail {
    uint64_t count;
    struct ves_hash head; /* zeros when there is none */
};

/* Reads the trail of a sequencer's store (options: db, or store), oldest first,
 * and computes its hashes anew.  VES_CORRUPT: a record was changed or is
 * missing; those before it were visited.  Records cut off at the end show only
 * to who has kept the hash of one of them. */
VES_NODISCARD enum ves_status ves_server_trail(
    const struct ves_serve_options *options,
    void (*visit)(void *ctx, const struct ves_trail_record *record), void *ctx,
    struct ves_trail *out, struct ves_error *error);

enum { VES_RECOVER_STORES_MAX = 64 };

struct ves_recovered {
    uint64_t streams;  /* made whole, or only unfrozen */
    uint64_t events;   /* put back */
    uint64_t epochs;   /* opened, or opened before and made good now */
    uint64_t given_up; /* events, signed and in none of the stores */
    uint64_t beyond;   /* events that a store pulled from this sequencer, behind
                          the end of the database, that no signed head asked
                          for; of the store with the most */
    /* Revocations that were made after the backup and are in no log. */
    uint64_t revocations; /* made again: a directory that this sequencer signed,
                             and a store kept, shows them */
    uint64_t doubtful; /* that a store's tables have, and nothing shows; these
                          keys can sign, until they are revoked again */
    struct ves_uuid doubtful_agent; /* of the first of those */
    uint32_t doubtful_key_id;
    uint64_t ownerless; /* streams without an owner, whose revocations are no
                           events: if a stream had to be made whole, those of
                           after the backup that no store was shown are lost */
    /* Of what administrators did, the last that the database knows; set when a
     * stream had to be made whole.  What they did later, agents' policies and
     * API keys for example, is in no log and no store. */
    uint64_t last_act; /* its number in the trail; 0: none */
    int64_t last_act_ms;
};

/* Makes a database that is behind its signed heads (options->head_file, and the
 * evidence of frozen streams) whole again: the events that are missing come
 * out of count stores' files, with the receipts this sequencer signed, and must
 * make the very root that was signed; what stores have behind it, with
 * receipts, is taken, too.  Each stream all or nothing.  With new_epoch,
 * streams with events that are in none of the stores go on without them, if
 * there are give_up of them in all; VES_REFUSED when there are not. Of options
 * db, head_file, passphrase and those of the epoch are used.  VES_BUSY while a
 * sequencer serves it; VES_NOT_FOUND when an event is in none of the stores. */
VES_NODISCARD enum ves_status
ves_server_recover(const struct ves_serve_options *options,
                   const char *const *stores, size_t count,
                   struct ves_recovered *out, struct ves_error *error);

/* Takes no new requests, commits what is under way, answers, stops. */
void ves_server_stop(struct ves_server *server);

#ifdef __cplusplus
}
#endif
#endif
