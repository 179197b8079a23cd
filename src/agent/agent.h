/* agent.h -- the host of a local store: one handle, its file, its key.
 *
 * For src/agent, src/sync and src/ext.  The engine (engine/agent.h) decides;
 * here it gets a SQLite file, a clock, randomness and a key, and its answers
 * become JSON documents.  A handle is used by one thread at a time.
 *
 * Files: FILE (SQLite), FILE.key (the agent's secret, 0600), FILE.key.next (the
 * one it committed to), FILE.key.later (the one after it, while the key is
 * rotated), FILE.credential (what the sequencer gave, 0600),
 * FILE.delivery (agent/delivery.h).  Meta names beside
 * the engine's: "agent.public_key" (hex), "sequencer.url", "sequencer.tls_key"
 * (hex), "sequencer.checked_ms", "sequencer.reachable" ("0" or "1"),
 * "setting.NAME", "settings.version", "log.pruned_below".
 */
#ifndef VES_AGENT_AGENT_H
#define VES_AGENT_AGENT_H

#include "agent/kept.h"
#include "agent/wal.h"
#include "base/arena.h"
#include "engine/agent.h"
#include "ves/agent.h"

enum {
    VES_AGENT_URL_MAX = 2048,
    VES_AGENT_PATH_MAX = 4096,
    VES_AGENT_PAGE_MAX = 1000 /* events in one document of a list */
};

struct ves_agent {
    struct ves_agent_core core; /* core.signer is NULL until it is needed */
    const struct ves_alloc *alloc;
    struct ves_store *store;    /* owned; core.store */
    struct ves_verifier direct; /* verifies one after the other */
    struct ves_pool *pool;      /* NULL until ves_agent_use_pool */
    struct ves_agent_wal wal;
    struct sqlite3 *connection; /* the store's; owned by it unless caller's */
    bool is_joined;             /* the connection is the caller's */
    bool is_read_only;
    bool allow_relaxed_sync;
    bool has_begun; /* ves_agent_begin without its end */
    int (*passphrase)(void *ctx, char *out, size_t size);
    void *passphrase_ctx;
    char *path;            /* absolute, of FILE; owned, as the next six */
    char *key_path;        /* FILE.key */
    char *next_key_path;   /* FILE.key.next */
    char *later_key_path;  /* FILE.key.later */
    char *credential_path; /* FILE.credential */
    char *delivery_path;   /* FILE.delivery */
    char *url;             /* "" when there is none */
    bool has_public_key;
    struct ves_public_key public_key; /* as pinned when the store was made, or
                                         as the log rotated it */
    bool has_tls_key;
    struct ves_hash tls_key; /* SHA-256 of the server's SubjectPublicKeyInfo */
    struct ves_contact contact; /* what a probe showed that wrote nothing */
    struct ves_kept standing;   /* what ves_agent_standing last said */
    int64_t noted_ms; /* when it was last kept that the sequencer answers */
    struct ves_arena arena; /* scratch; every public call starts it anew */
};

/* ---- making --------------------------------------------------------------
 */

struct ves_agent_make {
    struct ves_core_identity identity; /* agent nil: a fresh one; key id 0: as
                                          it is, 1 in a fresh store */
    const char *url;                   /* may be NULL */
    const struct ves_hash *tls_key;    /* may be NULL */
    const char *credential;            /* may be NULL */
    bool seal_key;     /* with the answer of options->passphrase */
    bool commits_next; /* a fresh key gets a next one beside it */
};

/* Makes store, key file and identity, or finds the same ones there from an
 * earlier, interrupted call: the key and the agent id are kept then.
 * VES_CONFLICT when the file is a store of another stream or agent. */
VES_NODISCARD enum ves_status
ves_agent_make(const struct ves_agent_options *options,
               const struct ves_agent_make *make, struct ves_agent **out,
               struct ves_error *error);

/* Reads the key file unless that is done; afterwards core.signer is set.
 * VES_NOT_FOUND no key file, VES_AUTH no or a wrong passphrase, VES_REFUSED
 * a key file others can read, VES_CONFLICT another agent's key. */
VES_NODISCARD enum ves_status ves_agent_need_key(struct ves_agent *agent,
                                                 struct ves_error *error);

/* The file that holds the key of public_key: FILE.key, or, when moving files
 * was cut short after a rotation, one of those beside it. */
const char *ves_agent_key_file(const struct ves_agent *agent);
/* What the key commits to: the digest of the key in FILE.key.next.  *has false:
 * there is none. */
VES_NODISCARD enum ves_status ves_agent_next_key(const struct ves_agent *agent,
                                                 bool *has,
                                                 struct ves_hash *digest,
                                                 struct ves_error *error);
/* Makes FILE.key.later and signs the statement that asks for the rotation to
 * FILE.key.next (ves_core_rotate).  Whatever was cut short before is good for
 * going on. */
VES_NODISCARD enum ves_status ves_agent_rotate(struct ves_agent *agent,
                                               struct ves_error *error);
/* Reads which key is current and gives the files their names by it; the key
 * before is gone then. */
VES_NODISCARD enum ves_status ves_agent_settle_keys(struct ves_agent *agent,
                                                    struct ves_error *error);

/* ---- what src/sync asks for ----------------------------------------------
 */

/* Reads FILE.credential; *out is NUL-terminated, in locked memory, and given
 * back with ves_secret_free.  VES_AUTH when there is none. */
VES_NODISCARD enum ves_status ves_agent_credential(struct ves_agent *agent,
                                                   char **out,
                                                   struct ves_error *error);
/* Replaces FILE.credential, 0600, atomically and durably. */
VES_NODISCARD enum ves_status ves_agent_put_credential(struct ves_agent *agent,
                                                       const char *credential,
                                                       struct ves_error *error);

/* From now on core.verifier spreads batches over all cores; harmless when
 * threads cannot be had.  For pages, not for single signatures. */
void ves_agent_use_pool(struct ves_agent *agent);

/* Writes url and TLS pin (NULL: none) into the store and the handle. */
VES_NODISCARD enum ves_status ves_agent_put_peer(struct ves_agent *agent,
                                                 const char *url,
                                                 const struct ves_hash *tls_key,
                                                 struct ves_error *error);

/* Keeps what the last attempt to reach the sequencer showed, for status; that
 * it answers, once in some seconds.  A failure to keep it is of no
 * consequence. */
void ves_agent_note_contact(struct ves_agent *agent, bool is_reachable,
                            int64_t now_ms);

/* Keeps whether it accepts this store's credential, when that is news; as
 * above. */
#define VES_AGENT_REFUSED "sequencer.refused"
void ves_agent_note_credential(struct ves_agent *agent, bool is_accepted);

/* What was seen of a store's file that others write to as well. */
struct ves_agent_seen {
    uint64_t version;   /* SQLite's, of the file's content */
    uint64_t local_seq; /* of the newest own event */
};

/* Has another connection written an own event since the last call?  Cheap.
 * The first call, with *seen zeroed, says where things stand. */
bool ves_agent_changes(struct ves_agent *agent, struct ves_agent_seen *seen);

/* ---- shared by the files of src/agent ------------------------------------
 */

/* A handle with an open file and paths, not yet loaded.  VES_NOT_FOUND when
 * there is no store and create is false. */
VES_NODISCARD enum ves_status
ves_agent_open_file(const struct ves_agent_options *options, bool create,
                    struct ves_agent **out, struct ves_error *error);
/* Reads identity and peer.  VES_NOT_FOUND, without words: no identity yet. */
VES_NODISCARD enum ves_status ves_agent_load(struct ves_agent *agent,
                                             struct ves_error *error);
/* Is a transaction open on the connection, the caller's or our own? */
bool ves_agent_is_in_transaction(const struct ves_agent *agent);
/* Runs SQL that gives no rows; words about a failure in *error. */
enum ves_status ves_agent_sql(struct ves_agent *agent, const char *sql,
                              struct ves_error *error);
/* core.rekey: the signer of that key from one of the files. */
enum ves_status ves_agent_rekey(struct ves_agent_core *core,
                                const struct ves_public_key *key);
/* Reads the pinned public key into agent. */
VES_NODISCARD enum ves_status ves_agent_read_key(struct ves_agent *agent);
/* A passphrase that is asked for once, however many files want it.  ctx of
 * ves_passphrase; _free wipes it. */
struct ves_agent_asked;
VES_NODISCARD struct ves_agent_asked *
ves_agent_asked_new(struct ves_agent *agent);
void ves_agent_asked_free(struct ves_agent_asked *asked);
struct ves_passphrase *
ves_agent_asked_passphrase(struct ves_agent_asked *asked);
VES_NODISCARD enum ves_status ves_agent_meta_put_hex(struct ves_agent *agent,
                                                     const char *name,
                                                     const uint8_t *data,
                                                     size_t len);

/* Starts a public call: empties the arena, checks that the handle may do it. */
void ves_agent_start(struct ves_agent *agent);

/* Turns the engine's or the store's failure into words for the caller:
 * "WHAT: their words", or their words alone when what is NULL.  Returns
 * status. */
enum ves_status ves_agent_fail(struct ves_agent *agent, enum ves_status status,
                               struct ves_error *error, const char *what);

/* The end of a document: jw's sticky status with words. */
VES_NODISCARD enum ves_status ves_agent_jw_end(struct ves_jw *jw,
                                               struct ves_error *error);

/* VES_INVALID on a handle opened for reading only; what names the act. */
VES_NODISCARD enum ves_status ves_agent_need_write(struct ves_agent *agent,
                                                   const char *what,
                                                   struct ves_error *error);

/* What is read until _end_read is of one moment, whatever other processes
 * write; inside a transaction it is already.  _end_read takes what _begin_read
 * returned. */
bool ves_agent_begin_read(struct ves_agent *agent);
void ves_agent_end_read(struct ves_agent *agent, bool has_begun);

/* A transaction of the store's; _end commits, or rolls back unless status is
 * VES_OK, and returns what came of it. */
VES_NODISCARD enum ves_status ves_agent_begin_write(struct ves_agent *agent);
enum ves_status ves_agent_end_write(struct ves_agent *agent,
                                    enum ves_status status);

/* A meta value as a number; 0 when it is not there. */
VES_NODISCARD enum ves_status
ves_agent_meta_u64(struct ves_agent *agent, const char *name, uint64_t *out);
VES_NODISCARD enum ves_status ves_agent_meta_put_u64(struct ves_agent *agent,
                                                     const char *name,
                                                     uint64_t value);

/* What the environment says of a setting; false: nothing readable. */
bool ves_agent_environment(const char *name, uint64_t *value);

/* Can the store's value of that name ("setting.batchSize") be this? */
bool ves_agent_setting_holds(const char *meta, const char *text);

/* Checks the environment's settings (VES_BATCH_SIZE ...); VES_INVALID names
 * the variable and what it may be. */
VES_NODISCARD enum ves_status
ves_agent_check_environment(struct ves_error *error);

#endif
