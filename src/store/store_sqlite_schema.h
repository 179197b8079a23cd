/* store_sqlite_schema.h -- tables of the SQLite store and their history.
 *
 * A migration is never edited once released; the next one is added below it.
 */
#ifndef VES_STORE_STORE_SQLITE_SCHEMA_H
#define VES_STORE_STORE_SQLITE_SCHEMA_H

#include "store/store_sqlite_internal.h"

/* "VESd": marks our schema row, and the file itself when it is our own. */
enum { VES_SQLITE_APPLICATION_ID = 0x56455364 /* 1447383908 */ };

/* Lists of lists of statements, both ended by NULL. */
struct ves_sqlite_migration {
    const char *const *const *device;
    const char *const *const *sequencer;
};

/* The statement that makes the table ves_schema, which stays as it is. */
extern const char ves_sqlite_version_table[];

/* Entry i brings version i to i + 1. */
extern const struct ves_sqlite_migration ves_sqlite_migrations[];
extern const uint32_t ves_sqlite_migrations_count;

/* What all of them leave (ves_sqlite_schema_digest), by role.  A wrong one
 * costs some milliseconds whenever a store is opened, and fails a test that
 * says the right one. */
extern const char *const ves_sqlite_digests[2];

/* Is the file one we may go on with, and where does it stand?  *is_current:
 * there is nothing to migrate.  Changes nothing.  Arguments and errors as
 * ves_sqlite_migrate. */
VES_NODISCARD enum ves_status
ves_sqlite_look(struct ves_sqlite *st,
                const struct ves_sqlite_migration *migrations, uint32_t count,
                bool can_create, bool *is_current);

/* Brings the schema to version count by what is missing of migrations, in one
 * transaction (or inside the caller's).  can_create: also from nothing.
 * Errors as ves_store_sqlite_open, with words in st->store.error. */
VES_NODISCARD enum ves_status
ves_sqlite_migrate(struct ves_sqlite *st,
                   const struct ves_sqlite_migration *migrations,
                   uint32_t count, bool can_create);

#endif
