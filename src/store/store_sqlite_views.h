/* store_sqlite_views.h -- the tables as people read them.
 *
 * Ids as text, times as ISO 8601, NULL for "not there".  These are the views of
 * version 1; store_sqlite_schema.c replaces some of them in later versions.
 */
#ifndef VES_STORE_STORE_SQLITE_VIEWS_H
#define VES_STORE_STORE_SQLITE_VIEWS_H

/* Lists of statements, ended by NULL. */
extern const char *const ves_sqlite_views_common[];
extern const char *const ves_sqlite_views_device[];
extern const char *const ves_sqlite_views_sequencer[];

#endif
