/* store_sqlite_views.c -- the tables as people read them. */
#include "store/store_sqlite_views.h"

#include <stddef.h>

/* SQL is broken where SQL wants it. */
/* clang-format off */

#define UUID_TEXT(x)                                                      \
    "lower(substr(hex(" x "), 1, 8) || '-' || substr(hex(" x "), 9, 4)"   \
    " || '-' || substr(hex(" x "), 13, 4) || '-'"                         \
    " || substr(hex(" x "), 17, 4) || '-' || substr(hex(" x "), 21)) "
#define TIME_TEXT(x)                                                      \
    "strftime('%Y-%m-%dT%H:%M:%fZ', nullif(" x ", 0) / 1000.0, 'unixepoch') "

/* Not json_extract: older SQLite refuses it in a view while the schema is not
 * trusted.  The member stands before the payload, and a quote in a value
 * before it is escaped. */
#define AFTER_TYPE(x) "substr(" x ", instr(" x ", ',\"event_type\":\"') + 15)"
#define EVENT_TYPE(x)                                                     \
    "nullif(substr(" AFTER_TYPE(x) ", 1,"                                 \
    " instr(" AFTER_TYPE(x) ", '\"') - 1), '') "

/* All of ves_log_view but what names the entity, and how that is found. */
#define LOG_BEFORE_NAMES \
    "CREATE VIEW ves_log_view AS SELECT" \
    " e.stream_no, e.sequence_number," \
    " " UUID_TEXT("e.event_id") "AS event_id," \
    " " EVENT_TYPE("e.envelope") "AS event_type,"
#define LOG_AFTER_NAMES \
    " " UUID_TEXT("e.agent") "AS agent," \
    " e.agent_key_id, e.agent_seq," \
    " CASE WHEN e.command_id IS NOT NULL THEN" \
    "  " UUID_TEXT("e.command_id") "END AS command_id," \
    " e.verdict, e.sub_code, e.note, e.applied_at, e.version," \
    " " TIME_TEXT("e.sequenced_at_ms") "AS sequenced_at," \
    " e.receipt IS NOT NULL AS has_receipt," \
    " lower(hex(e.event_hash)) AS event_hash," \
    " CASE WHEN e.envelope <> '' THEN e.envelope || '}' END AS envelope" \
    " FROM ves_events e LEFT JOIN ves_entities n"

const char *const ves_sqlite_views_common[] = {
    LOG_BEFORE_NAMES
    " n.entity_type, n.entity_id,"
    LOG_AFTER_NAMES
    " ON n.stream_no = e.stream_no AND n.entity_key = e.entity_key;",
    "CREATE VIEW ves_entity_view AS SELECT"
    " stream_no, entity_type, entity_id, version, events, last_sequence,"
    " head_applied_at, lower(hex(head)) AS head,"
    " lower(hex(state_hash)) AS state_hash, own_events,"
    " nullif(state, '') AS state,"
    " lower(hex(entity_key)) AS entity_key FROM ves_entities;",
    NULL};

const char *const ves_sqlite_views_device[] = {
    "CREATE VIEW ves_outbox_view AS SELECT"
    " local_seq,"
    " " UUID_TEXT("event_id") "AS event_id,"
    " event_type, entity_type, entity_id, status, verdict, disposition,"
    " nullif(sequence_number, 0) AS sequence_number,"
    " created_at, attempts,"
    " " TIME_TEXT("next_attempt_ms") "AS next_attempt_at,"
    " error_class, error, is_refused,"
    " " TIME_TEXT("pushed_ms") "AS pushed_at,"
    " " TIME_TEXT("synced_ms") "AS synced_at,"
    " receipt IS NOT NULL AS has_receipt, agent_seq,"
    " lower(hex(event_hash)) AS event_hash, envelope FROM ves_outbox;",
    "CREATE VIEW ves_status_view AS SELECT"
    " (SELECT count FROM ves_counts WHERE status = 'pending') AS pending,"
    " (SELECT count FROM ves_counts WHERE status = 'syncing') AS syncing,"
    " (SELECT count FROM ves_counts WHERE status = 'synced') AS synced,"
    " (SELECT count FROM ves_counts WHERE status = 'failed') AS failed,"
    " (SELECT count FROM ves_counts WHERE status = 'conflict') AS conflict,"
    " (SELECT count(*) FROM ves_quarantine WHERE closed_ms = 0)"
    "  AS quarantined,"
    " (SELECT count(*) FROM ves_alerts WHERE closed_ms = 0) AS alerts,"
    " (SELECT coalesce(max(id), 0) & 1099511627775 FROM ves_events)"
    "  AS head;",
    NULL};

const char *const ves_sqlite_views_sequencer[] = {
    "CREATE VIEW ves_status_view AS SELECT"
    " s.stream_no,"
    " " UUID_TEXT("s.tenant") "AS tenant,"
    " " UUID_TEXT("s.store") "AS store,"
    " coalesce((SELECT e.id & 1099511627775 FROM ves_events e"
    "  WHERE e.id > s.stream_no << 40 AND e.id < (s.stream_no + 1) << 40"
    "  ORDER BY e.id DESC LIMIT 1), 0)"
    "  AS head,"
    " s.committed_end FROM ves_streams s;",
    NULL};

/* ---- version 8 --------------------------------------------------------------
 */

/* The members of the envelope that name the entity stand before the payload,
 * too.  Where its body is gone, or an escape is in a name, the entity is sought
 * by its key along the list of its bucket. */
#define AFTER(x, member)                                              \
    "substr(" x ", instr(" x ", ',\"" member "\":\"')"                \
    " + length(',\"" member "\":\"'))"
#define MEMBER(x, member)                                             \
    "substr(" AFTER(x, member) ", 1, instr(" AFTER(x, member) ", '\"') - 1)"
#define IS_PLAIN(x)                                                   \
    "(instr(" x ", ',\"entity_type\":\"') > 0"                        \
    " AND instr(" MEMBER(x, "entity_type") " || " MEMBER(x, "entity_id")\
    ", '\\') = 0)"
#define FIND(row)                                                     \
    "(WITH RECURSIVE list (id) AS (SELECT newest FROM ves_entity_buckets"\
    " WHERE id = " row ".stream_no << 12 | "                          \
    VES_SQLITE_BUCKET(row ".entity_key")                              \
    " UNION SELECT m.bucket_prev"                                     \
    " FROM list JOIN ves_entities m ON m.id = list.id"                \
    " WHERE m.entity_key <> " row ".entity_key)"                      \
    " SELECT m.id FROM list JOIN ves_entities m ON m.id = list.id"    \
    " WHERE m.entity_key = " row ".entity_key) "

const char *const ves_sqlite_views_8[] = {
    LOG_BEFORE_NAMES
    " CASE WHEN n.id IS NULL THEN nullif(" MEMBER("e.envelope", "entity_type")
    ", '') ELSE n.entity_type END AS entity_type,"
    " CASE WHEN n.id IS NULL THEN nullif(" MEMBER("e.envelope", "entity_id")
    ", '') ELSE n.entity_id END AS entity_id,"
    LOG_AFTER_NAMES
    " ON n.id = CASE WHEN NOT " IS_PLAIN("e.envelope") " THEN " FIND("e")
    " END;",
    VES_SQLITE_CONFLICT_VIEW
    " ON n.id = " FIND("c") ";",
    NULL};
