/* store_sqlite_views.h -- the tables as people read them.
 *
 * Ids as text, times as ISO 8601, NULL for "not there".  These are the views of
 * version 1; store_sqlite_schema.c replaces some of them in later versions.
 */
#ifndef VES_STORE_STORE_SQLITE_VIEWS_H
#define VES_STORE_STORE_SQLITE_VIEWS_H

/* SQL: the bucket of a key, its first 12 bits. */
#define VES_SQLITE_HEX_DIGIT(key, n) \
    "instr('123456789ABCDEF', substr(hex(substr(" key ", 1, 2)), " n ", 1))"
/* << and | bind alike in SQL, from the left. */
#define VES_SQLITE_BUCKET(key)                                              \
    "((" VES_SQLITE_HEX_DIGIT(key, "1") ") * 256 + (" VES_SQLITE_HEX_DIGIT( \
        key, "2") ") * 16 + " VES_SQLITE_HEX_DIGIT(key, "3") ")"

/* ves_conflict_view since version 4, up to how the entity is found. */
#define VES_SQLITE_CONFLICT_VIEW                                         \
    "CREATE VIEW ves_conflict_view AS SELECT"                            \
    " c.stream_no, c.opened, lower(hex(c.conflict_id)) AS conflict_id,"  \
    " c.kind, c.sub_code, n.entity_type, n.entity_id, c.branch_count,"   \
    " CASE WHEN c.closed = 0 THEN 'open' ELSE 'resolved' END AS status," \
    " nullif(c.closed, 0) AS resolved, nullif(c.winner, '') AS winner"   \
    " FROM ves_conflicts c LEFT JOIN ves_entities n"

/* Lists of statements, ended by NULL. */
extern const char *const ves_sqlite_views_common[];
extern const char *const ves_sqlite_views_device[];
extern const char *const ves_sqlite_views_sequencer[];
extern const char *const ves_sqlite_views_8[]; /* both roles' */

#endif
