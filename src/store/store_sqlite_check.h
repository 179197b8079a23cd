/* store_sqlite_check.h -- is what begins with ves_ in a file made by us?
 *
 * A file from somewhere else may hold a view in the place of a table, or a
 * trigger, an index or a column of its own on one: SQL that would run whenever
 * the store is read or written, without end if its author likes.  So nothing
 * that begins with ves_, and nothing tied to such a table, is read before its
 * text is known to be what our migrations write.  What is missing is not
 * looked for: a guard that was taken away makes nothing run.
 */
#ifndef VES_STORE_STORE_SQLITE_CHECK_H
#define VES_STORE_STORE_SQLITE_CHECK_H

#include "store/store_sqlite_schema.h"

/* May the file be read as a store of this version (0: none yet) and of st's
 * role?  VES_CORRUPT (VES_INVALID for version 0) with the stranger's name. */
VES_NODISCARD enum ves_status
ves_sqlite_check_schema(struct ves_sqlite *st,
                        const struct ves_sqlite_migration *migrations,
                        uint32_t version);

/* May ves_schema be read, which says the version?  *is_there is false when the
 * file has none.  VES_CORRUPT: it is something else. */
VES_NODISCARD enum ves_status ves_sqlite_check_version(struct ves_sqlite *st,
                                                       bool *is_there);

/* Of the texts of all that the migrations up to version make.  VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_sqlite_schema_digest(const struct ves_sqlite_migration *migrations,
                         uint32_t version, enum ves_store_role role,
                         struct ves_hash *out);

#endif
