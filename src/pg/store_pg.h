/* pg/store_pg.h -- the store contract in a PostgreSQL database (ADR 0041).
 *
 * The sequencer's half: what port/store.h calls "device only" answers
 * VES_UNSUPPORTED.  Several processes may have one database open; begin takes
 * the database's one writing lock, so that between begin and commit nobody
 * else writes, and commit gives it back.  Writes are sent without waiting for
 * their answers where nothing depends on them; every call waits for one
 * round trip at most, but for the few that meet something unexpected, and for
 * reads of more rows than fit one answer.
 *
 * When the connection dies, or nothing comes over it for two minutes, what
 * was open is lost: the calls say VES_IO, and the next begin, begin_read or
 * read connects again.  A COMMIT whose answer did not come, or came with a
 * warning (a wait for a standby that somebody cut short ends so), is asked for
 * on a new connection and reported as what it was. Only when that cannot be
 * learnt in outcome_ms commit says VES_IO with words that say so; the next
 * begin asks again before anything else.
 */
#ifndef VES_PG_STORE_PG_H
#define VES_PG_STORE_PG_H

#include "port/store.h"

struct ves_store_pg_options {
    const char *url;     /* postgres://..., without a password */
    bool is_read_only;   /* begin is refused, nothing is migrated */
    bool create;         /* make the tables if they are not there */
    int busy_timeout_ms; /* how long begin waits for another writer */
    int outcome_ms;      /* how long a lost COMMIT is asked for; 0: 60,000 */
};

/* Does this name a database and not a file? */
bool ves_store_pg_is_url(const char *text);

/* May there be a password in the URL?  Looked for by hand: what libpq says of
 * a URL that it cannot read may quote it. */
bool ves_store_pg_holds_password(const char *url);

/* What may be shown of a URL: host, port, database.  Always NUL-terminated;
 * cut when it does not fit. */
void ves_store_pg_describe(const char *url, char *out, size_t size);

/* Connects, and brings an older schema up to date in one transaction; several
 * processes may do so at once.  *out is given back with _close; alloc must
 * outlive it.
 *
 * VES_NOT_FOUND: no store in the database, and create is false.
 * VES_UNSUPPORTED: written by a newer program; older and is_read_only; the
 * server is older than PostgreSQL 14, or this program was built without libpq.
 * VES_INVALID: not a URL, or a password in it.  VES_IO: nobody there, or he
 * does not want us.  VES_CORRUPT, VES_BUSY, VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_store_pg_open(const struct ves_store_pg_options *options,
                  const struct ves_alloc *alloc, struct ves_store **out,
                  struct ves_error *error);

/* NULL is allowed.  Rolls back what is open. */
void ves_store_pg_close(struct ves_store *store);

/* Is it one of these? */
bool ves_store_pg_is(const struct ves_store *store);

/* Name of the value that every change of a credential changes, so that who
 * keeps them in memory sees that there is news. */
#define VES_STORE_PG_CREDENTIALS "credentials.changed"

/* From here on every begin looks, in its own transaction, whether the named
 * value is still this one; when it is not, it fails with VES_REFUSED and
 * changes nothing.  name is a literal; value is copied.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_store_pg_expect(struct ves_store *store,
                                                  const char *name,
                                                  struct ves_bytes value);

/* How many other connections of this program the database has. */
VES_NODISCARD enum ves_status ves_store_pg_others(struct ves_store *store,
                                                  uint64_t *count);

/* What processes on one database tell each other: which streams have grown.
 * A notice is a hint; one may be lost with a connection, or be false.
 *
 * _listen connects where that is needed and asks to be told; returns the
 * socket to wait on, -1 with words in the error when the database cannot be
 * reached.  *is_new: what came before is not known. */
int ves_store_pg_listen(struct ves_store *store, bool *is_new);
/* How many processes listen so, this one included; not one before _listen. */
VES_NODISCARD enum ves_status ves_store_pg_serving(struct ves_store *store,
                                                   uint64_t *count);
/* Tells the others; streams NULL: any may have grown.  Not inside a
 * transaction. */
VES_NODISCARD enum ves_status
ves_store_pg_notify(struct ves_store *store, const struct ves_stream *streams,
                    size_t count);
/* Visits what others have told since; NULL: any stream.  Does not wait.
 * false: the connection is lost. */
bool ves_store_pg_hear(struct ves_store *store,
                       void (*visit)(void *ctx,
                                     const struct ves_stream *stream),
                       void *ctx);

/* How often the store has waited for the server since it was opened. */
uint64_t ves_store_pg_round_trips(const struct ves_store *store);

/* Measures for so many seconds what a plain table of events (a number, an id,
 * body) costs: inserts of that many rows, each a transaction.  *us: processor
 * time of both sides a row.  The table is made and dropped.  VES_UNSUPPORTED:
 * the server is on another machine. */
VES_NODISCARD enum ves_status ves_store_pg_plain(struct ves_store *store,
                                                 size_t rows,
                                                 struct ves_bytes body,
                                                 double seconds, double *us);

/* How long an answer is waited for from here on, before the connection counts
 * as lost; for tests. */
void ves_store_pg_patience(struct ves_store *store, int answer_ms);

/* The process the server has for this connection; for tests that end it. */
VES_NODISCARD enum ves_status ves_store_pg_backend(struct ves_store *store,
                                                   int64_t *pid);

/* Calls visit with every cached statement's plan, a line of EXPLAIN at a
 * time, as it is run; for tests. */
VES_NODISCARD enum ves_status ves_store_pg_explain(
    struct ves_store *store,
    void (*visit)(void *ctx, const char *statement, struct ves_bytes line),
    void *ctx);

#endif
