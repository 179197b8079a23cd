/* store_sqlite.h -- the store contract in one SQLite file.
 *
 * All tables, indexes, views and triggers begin with ves_, so that the file
 * may as well be the application's own database.
 *
 *  - A file of our own (path): WAL, synchronous FULL, foreign keys off, schema
 *    not trusted, created with mode 0600.  begin is BEGIN IMMEDIATE.
 *  - A connection of the caller's: none of its settings is touched.  While the
 *    caller has a transaction open, begin, commit and rollback nest in it as a
 *    savepoint (joined mode; begin_flat without one): durability comes with
 *    the caller's commit, the caller's rollback removes everything.
 *
 * SQLite's answers come back as: busy or locked VES_BUSY, disk full and I/O
 * errors VES_IO, damaged or not a database VES_CORRUPT, no memory VES_NOMEM,
 * a constraint VES_CONFLICT; words are in store->error.
 */
#ifndef VES_STORE_STORE_SQLITE_H
#define VES_STORE_STORE_SQLITE_H

#include "port/store.h"

struct sqlite3;

enum ves_store_role {
    VES_STORE_DEVICE,   /* outbox, states, quarantine */
    VES_STORE_SEQUENCER /* refusals, commitments, credentials */
};

struct ves_store_sqlite_options {
    struct sqlite3 *connection; /* the caller's, borrowed until close, or NULL:
                                   open path */
    const char *path;           /* used when connection is NULL */
    bool is_read_only;          /* begin is refused, nothing is migrated */
    bool create;                /* make file and tables if they are not there */
    bool reads_once; /* hardly a page is wanted twice, as by who reads
                        a log's new events again: next to nothing is
                        cached; own connections only */
    enum ves_store_role role;
    int busy_timeout_ms; /* how long begin waits for another writer; own
                            connections only */
};

/* Opens, and brings an older schema up to date in one transaction; several
 * processes may do so at once.  *out is given back with _close; alloc and a
 * borrowed connection must outlive it.
 *
 * VES_NOT_FOUND: no file, or no store in it, and create is false.
 * VES_UNSUPPORTED: written by a newer program; or older and is_read_only.
 * VES_INVALID: it holds a store of the other role, or somebody else's tables
 * where a sequencer should be made, or a ves_ name where any should.
 * VES_CORRUPT: damaged, or something in it begins with ves_, or is tied to
 * what does, and was not made by this program (store_sqlite_check.h).  VES_IO,
 * VES_BUSY, VES_NOMEM.  Nothing is changed on failure, except that an empty
 * file may have been made. */
VES_NODISCARD enum ves_status
ves_store_sqlite_open(const struct ves_store_sqlite_options *options,
                      const struct ves_alloc *alloc, struct ves_store **out,
                      struct ves_error *error);

/* NULL is allowed.  Rolls back what is open; closes an own connection. */
void ves_store_sqlite_close(struct ves_store *store);

/* The connection, own or borrowed. */
struct sqlite3 *ves_store_sqlite_connection(struct ves_store *store);

/* Gives back all prepared statements; later calls prepare anew.  For hosts
 * that want to close a borrowed connection while the store is still open. */
void ves_store_sqlite_forget_statements(struct ves_store *store);

/* Writes a copy of the whole database, as of the last commit, to a new file
 * with mode 0600; it is durable on return.  Others may go on writing.
 * VES_CONFLICT: path exists (it is left alone).  VES_INVALID: a transaction is
 * open on the connection.  On failure there is no file. */
VES_NODISCARD enum ves_status ves_store_sqlite_backup(struct ves_store *store,
                                                      const char *path,
                                                      struct ves_error *error);
/* The same for who takes the file away when it has been read: nothing waits
 * for the disk. */
VES_NODISCARD enum ves_status ves_store_sqlite_copy(struct ves_store *store,
                                                    const char *path,
                                                    struct ves_error *error);

/* Has the connection temporary tables or views at all that begin with ves_?
 * SQLite looks for a name among them first. */
VES_NODISCARD enum ves_status
ves_store_sqlite_has_temporary(struct ves_store *store, bool *has);

/* Does this process's SQLite lose in a crash what is committed after a ROLLBACK
 * TO that took back spilled pages?  So every version is taken that is older
 * than the one that was seen right (ADR 0075).  The store itself never does
 * that. */
bool ves_store_sqlite_tears_savepoints(void);

/* How the connection writes to disk.  level is its PRAGMA synchronous: 0 off, 1
 * normal, 2 full, 3 extra; has_journal: what a crash or a rollback cuts short
 * is undone out of a journal on disk. */
struct ves_store_sqlite_sync {
    int level;
    bool has_journal;
};
/* A begin_flat after it, with the connection's mutex held since, takes over
 * what it found out about the transaction. */
VES_NODISCARD enum ves_status
ves_store_sqlite_synchronous(struct ves_store *store,
                             struct ves_store_sqlite_sync *out);

/* From here on no commit of this own connection copies the WAL back by
 * itself.  watch is called after each with the pages the WAL has, on the
 * committing thread; when it returns true that thread copies back what it can.
 * A WAL that is never copied back grows without bound. */
void ves_store_sqlite_watch_wal(struct ves_store *store,
                                bool (*watch)(void *ctx, uint64_t pages),
                                void *ctx);

/* Copies the WAL back as far as no reader needs it, without keeping writers
 * or readers of other connections waiting ("passive").  *pages: what the WAL
 * had at the beginning; *filled: how many of them are in the database now.
 * VES_BUSY: another connection is at it.  VES_IO, VES_NOMEM. */
VES_NODISCARD enum ves_status ves_store_sqlite_backfill(struct ves_store *store,
                                                        uint64_t *pages,
                                                        uint64_t *filled);

#endif
