/* rows.c -- what stands beside the log: own events, cursors, keys and settings,
 * each held against what it must follow from.
 *
 * Rules of one sentence are SQL; a row that comes out is a finding.
 */
#include <string.h>

#include "agent/agent.h"
#include "audit/audit.h"
#include "base/bytes.h"
#include "store/sqlite_api.h"
#include "store/store_sqlite_views.h"

enum { DEVICE = 1, SEQUENCER = 2, BOTH = DEVICE | SEQUENCER };

struct rule {
    enum ves_audit_id check;
    unsigned roles;
    const char *sql; /* words of each row that breaks it */
};

#define META(name) "(SELECT value FROM ves_meta WHERE name = '" name "')"
#define HEAD                                                              \
    "(SELECT coalesce(max(id), 0) & 1099511627775 FROM ves_events WHERE " \
    "id < (stream_no + 1) << 40)"
#define LISTED "(SELECT stream_no FROM ves_streams)"

/* One rule a paragraph; clang-format would break words, and again each time.
 */
/* clang-format off */
static const struct rule rules[] = {
    /* ---- rows of a stream that is not there ---- */
    {VES_AUDIT_FILE, BOTH,
     "SELECT DISTINCT 'it has rows of a stream that it does not list (' "
     "|| t || ')' FROM (SELECT 'entities' AS t, stream_no AS n FROM "
     "ves_entities UNION SELECT 'conflicts', stream_no FROM ves_conflicts "
     "UNION SELECT 'members of conflicts', stream_no FROM "
     "ves_conflict_members UNION SELECT 'key spans', stream_no FROM "
     "ves_key_spans) WHERE n NOT IN " LISTED},
    {VES_AUDIT_FILE, DEVICE,
     "SELECT DISTINCT 'it has rows of a stream that it does not list (' "
     "|| t || ')' FROM (SELECT 'log' AS t, stream_no AS n FROM ves_follow "
     "UNION SELECT 'heads', id >> 40 FROM ves_kept_heads UNION SELECT "
     "'parts of the state hash', stream_no FROM ves_state_buckets) WHERE "
     "n NOT IN " LISTED},
    {VES_AUDIT_FILE, SEQUENCER,
     "SELECT DISTINCT 'it has rows of a stream that it does not list (' "
     "|| t || ')' FROM (SELECT 'tree' AS t, stream_no AS n FROM ves_tlogs "
     "UNION SELECT 'tiles', id >> 40 FROM ves_tiles UNION SELECT "
     "'cosigned heads', stream_no FROM ves_cosigned UNION SELECT "
     "'commitments', stream_no FROM ves_commitments UNION SELECT "
     "'cursors', stream_no FROM ves_cursors) WHERE n NOT IN " LISTED},
    /* ---- cursors ---- */
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'the store has pulled ' || h || ' events and says nothing of "
     "a pull' FROM (SELECT " HEAD " AS h FROM ves_streams) WHERE h > 0 AND "
     META("sync") " IS NULL"},
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'the store has ' || h || ' events of a log that it says ends "
     "at ' || r FROM (SELECT " HEAD " AS h, CAST(substr(" META("sync")
     ", 13) AS INTEGER) AS r FROM ves_streams) WHERE r < h"},
    /* Behind it, numbers would be given twice: a fork. */
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'own event ' || local_seq || ' has number ' || agent_seq || "
     "' of its agent, and the store would go on after another' FROM "
     "ves_outbox WHERE agent_seq > 0 AND agent_seq = (SELECT "
     "max(agent_seq) FROM ves_outbox) AND coalesce(" META("sync")
     ", 'fork_from=0 ') LIKE '%fork_from=0 %' AND coalesce(" META("append")
     ", '') NOT LIKE 'agent_seq=' || agent_seq || ' prev=' || "
     "lower(hex(event_hash)) || ' %' AND CAST(substr(coalesce(" META("append")
     ", ''), 11) AS INTEGER) <= agent_seq"},
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'where the agent''s chain stands is cut off' FROM ves_meta "
     "WHERE name = 'append' AND value NOT LIKE '% '"},
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'the store cosigned a head of ' || s || ' entries and "
     "verified none larger than ' || coalesce(l, 0) FROM (SELECT CAST("
     META("log.own-cosigned-size")
     " AS INTEGER) AS s, (SELECT max(logged) FROM ves_follow) AS l) WHERE "
     "s > coalesce(l, 0)"},
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'a head of ' || (h.id & 1099511627775) || ' entries is kept, "
     "and the newest that was verified is not' FROM ves_kept_heads h LEFT "
     "JOIN ves_follow f ON f.stream_no = h.id >> 40 WHERE f.logged IS "
     "NULL OR (h.id & 1099511627775) > f.logged"},
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'the head of ' || witnessed || ' entries is called witnessed "
     "and was not kept' FROM ves_follow f WHERE witnessed NOT IN (0, "
     "logged) AND witnessed >= (SELECT min(id) & 1099511627775 FROM "
     "ves_kept_heads WHERE id >= f.stream_no << 40) AND (f.stream_no << "
     "40) + witnessed NOT IN (SELECT id FROM ves_kept_heads)"},
    {VES_AUDIT_CURSORS, DEVICE,
     "SELECT 'the newest head was verified with version ' || key_version "
     "|| ' of the sequencer''s key, which the store does not pin' FROM "
     "ves_follow WHERE key_version <> 0 AND instr(char(10) || "
     META("sequencer.keys") ", char(10) || key_version || ' ') = 0"},
    /* ---- own events ----
     * Without a receipt one may have been seen in the log all the
     * same: it is pushed again, for the receipt. */
    {VES_AUDIT_OUTBOX, DEVICE,
     "SELECT 'own event ' || local_seq || ' has a receipt without a "
     "number, or a number that neither a receipt nor the log gave it' "
     "FROM ves_outbox WHERE (receipt IS NOT NULL AND sequence_number <= "
     "0) OR (receipt IS NULL AND (receipt_key_version <> 0 OR "
     "sequence_number NOT BETWEEN 0 AND (SELECT coalesce(max(id), 0) & "
     "1099511627775 FROM ves_events))) OR (sequence_number = 0 AND "
     "(sequencer_id IS NOT NULL OR sequenced_at_ms <> 0))"},
    {VES_AUDIT_OUTBOX, DEVICE,
     "SELECT 'own event ' || o.local_seq || ' stands in the log and is "
     "shown as ' || o.status FROM ves_outbox o CROSS JOIN ves_streams s "
     "CROSS JOIN ves_events e ON e.stream_no = s.stream_no AND e.event_id "
     "= o.event_id WHERE o.status = 'failed' OR (o.status IN ('pending', "
     "'syncing') AND o.sequence_number <> e.id & 1099511627775)"},
    {VES_AUDIT_OUTBOX, DEVICE,
     "SELECT 'own event ' || local_seq || ' has a receipt and is shown as "
     "' || status FROM ves_outbox WHERE receipt IS NOT NULL AND (status "
     "IN ('pending', 'failed') OR is_refused)"},
    {VES_AUDIT_OUTBOX, DEVICE,
     "SELECT 'own event ' || local_seq || ' is called refused, and counts "
     "all the same' FROM ves_outbox WHERE is_refused AND is_in_overlay"},
    {VES_AUDIT_OUTBOX, DEVICE,
     "SELECT 'own event ' || local_seq || ' names another one before it "
     "of its entity than there is' FROM (SELECT local_seq, entity_prev, "
     "lag(local_seq, 1, 0) OVER (PARTITION BY entity_key ORDER BY "
     "local_seq) AS prev FROM ves_outbox) WHERE entity_prev <> prev"},
    {VES_AUDIT_STATE, DEVICE,
     "SELECT 'what comes after the own events of ' || n.entity_type || "
     "' \"' || n.entity_id || '\" would name another than the newest' FROM "
     "(SELECT entity_key AS k, max(local_seq) AS l FROM ves_outbox WHERE "
     "is_in_overlay GROUP BY entity_key) JOIN ves_outbox o ON o.local_seq "
     "= l CROSS JOIN ves_streams s CROSS JOIN ves_entities n ON "
     "n.stream_no = s.stream_no AND n.entity_type = o.entity_type AND "
     "n.entity_id = o.entity_id WHERE n.entity_key = k AND n.own_head IS "
     "NOT o.event_hash"},
    /* ---- the lists of buckets ---- */
    {VES_AUDIT_STATE, BOTH,
     "SELECT entity_type || ' \"' || entity_id || '\" names another one "
     "before it in its bucket than there is' FROM (SELECT entity_type, "
     "entity_id, bucket_prev, lag(id, 1, 0) OVER (PARTITION BY stream_no, "
     "substr(hex(entity_key), 1, 3) ORDER BY id) AS prev FROM ves_entities) "
     "WHERE bucket_prev <> prev"},
    {VES_AUDIT_STATE, BOTH,
     "SELECT 'the newest entity of bucket ' || (id & 4095) || ' is ' || "
     "coalesce(max(found), 'none') || ', and ' || coalesce(max(said), 'none') "
     "|| ' is said to be' FROM (SELECT id, newest AS said, NULL AS found FROM "
     "ves_entity_buckets UNION ALL SELECT stream_no << 12 | "
     VES_SQLITE_BUCKET("entity_key") ", NULL, max(id) FROM ves_entities GROUP "
     "BY 1) GROUP BY id HAVING max(said) IS NOT max(found)"},
    {VES_AUDIT_STATE, BOTH,
     "SELECT entity_type || ' \"' || entity_id || '\" has no own events "
     "and names one' FROM ves_entities WHERE own_events = 0 AND own_head "
     "IS NOT NULL"},
    {VES_AUDIT_STATE, SEQUENCER,
     "SELECT entity_type || ' \"' || entity_id || '\" counts events that "
     "only a device has' FROM ves_entities WHERE own_events <> 0 OR "
     "own_last <> 0"},
    /* ---- keys ---- */
    {VES_AUDIT_KEYS, BOTH,
     "SELECT 'key ' || key_id || ' of an agent is of no kind that is "
     "known: ' || algorithm FROM ves_agent_keys WHERE algorithm NOT IN "
     "('ed25519', 'unspecified')"},
    {VES_AUDIT_KEYS, BOTH,
     "SELECT 'key ' || k.key_id || ' of an agent is valid in a stream "
     "that it is not for' FROM ves_key_spans p JOIN ves_streams s USING "
     "(stream_no) JOIN ves_agent_keys k ON k.tenant = s.tenant AND "
     "k.agent = p.agent AND k.key_id = p.key_id WHERE k.store IS NOT NULL "
     "AND k.store <> s.store"},
    {VES_AUDIT_KEYS, DEVICE,
     "SELECT 'the store signs with key ' || " META("agent.key_id")
     " || ', and its directory has another under that number' FROM "
     "ves_agent_keys WHERE lower(hex(agent)) = replace(" META("agent")
     ", '-', '') AND (lower(hex(public_key)) = " META("agent.public_key")
     ") <> (key_id = CAST(" META("agent.key_id") " AS INTEGER))"},
    {VES_AUDIT_KEYS, DEVICE,
     "SELECT 'the store signs with a key that its directory has for "
     "another agent' WHERE " META("agent.public_key") " IN (SELECT "
     "lower(hex(public_key)) FROM ves_agent_keys) AND " META("agent.public_key")
     " NOT IN (SELECT lower(hex(public_key)) FROM ves_agent_keys WHERE "
     "lower(hex(agent)) = replace(" META("agent") ", '-', ''))"},
    {VES_AUDIT_KEYS, DEVICE,
     "SELECT 'the stream says another owner than the store' FROM "
     "ves_streams WHERE owner_key IS NOT NULL AND lower(hex(owner_key)) "
     "IS NOT " META("owner.key")},
};
/* clang-format on */

/* How many there are to be looked at. */
static const struct rule counts[] = {
    {VES_AUDIT_CURSORS, SEQUENCER, "SELECT count(*) FROM ves_cursors"},
    {VES_AUDIT_CURSORS, DEVICE, "SELECT 1 + count(*) FROM ves_kept_heads"},
    {VES_AUDIT_SETTINGS, DEVICE,
     "SELECT count(*) FROM ves_meta WHERE name LIKE 'setting.%'"}};

static void check_rule(struct ves_audit *audit, sqlite3 *db,
                       const struct rule *rule)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, rule->sql, -1, &stmt, NULL);

    while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *words = (const char *)sqlite3_column_text(stmt, 0);
        ves_audit_find_in(audit, 0, rule->check, 0, "%s",
                          words ? words
                                : "a row has nothing where something "
                                  "must be");
        code = SQLITE_OK;
    }
    if (code != SQLITE_OK && code != SQLITE_DONE)
        ves_audit_find_in(audit, 0, rule->check, 0,
                          "its rows cannot be read: "
                          "%s",
                          sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
}

static void count_rows(struct ves_audit *audit, sqlite3 *db,
                       const struct rule *rule)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, rule->sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        ves_audit_count(audit, rule->check,
                        (uint64_t)sqlite3_column_int64(stmt, 0));
    sqlite3_finalize(stmt);
}

/* Values that the program would not have let anybody set. */
static void check_settings(struct ves_audit *audit, sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db,
                           "SELECT name, value FROM ves_meta WHERE name LIKE "
                           "'setting.%'",
                           -1, &stmt, NULL) != SQLITE_OK)
        return;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *value = (const char *)sqlite3_column_text(stmt, 1);
        if (!name || !value || !ves_agent_setting_holds(name, value))
            ves_audit_find_in(audit, 0, VES_AUDIT_SETTINGS, 0,
                              "%.60s is \"%.60s\", which it cannot be",
                              name ? name : "", value ? value : "");
    }
    sqlite3_finalize(stmt);
}

void ves_audit_rows(struct ves_audit *audit, struct sqlite3 *db)
{
    unsigned role = audit->role == VES_STORE_DEVICE ? DEVICE : SEQUENCER;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (counts[i].roles & role)
            count_rows(audit, db, &counts[i]);
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].roles & role)
            check_rule(audit, db, &rules[i]);
    }
    if (role == DEVICE)
        check_settings(audit, db);
}
