/* store_sqlite_schema.c -- tables of the SQLite store and their history. */
#include "store/store_sqlite_schema.h"

#include "store/store_sqlite_views.h"

/* Checks spell out OR: IN with more than two words makes SQLite build a
 * temporary table for every row written.
 *
 * Ids, hashes, keys and signatures are BLOBs, times are milliseconds since
 * 1970 (0: never), NULL means "not there". */

const char ves_sqlite_version_table[] =
    "CREATE TABLE ves_schema ("
    " only INTEGER PRIMARY KEY CHECK (only = 1),"
    " version INTEGER NOT NULL,"
    " role TEXT NOT NULL CHECK (role IN ('device', 'sequencer')),"
    " application_id INTEGER NOT NULL,"
    " written_by TEXT NOT NULL"
    ");";

static const char *const common_1[] = {
    ves_sqlite_version_table,
    "CREATE TABLE ves_meta ("
    " name TEXT PRIMARY KEY,"
    " value NOT NULL"
    ") WITHOUT ROWID;",
    "CREATE TABLE ves_streams ("
    " stream_no INTEGER PRIMARY KEY,"
    " tenant BLOB NOT NULL,"
    " store BLOB NOT NULL,"
    " owner_key BLOB,"
    " committed_end INTEGER NOT NULL DEFAULT 0,"
    " state_root BLOB,"
    " UNIQUE (tenant, store)"
    ");",
    /* The rowid is stream_no << 40 | sequence_number: one B-tree that grows
     * at the end of each stream.  The envelope lacks its closing brace. */
    "CREATE TABLE ves_events ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER NOT NULL,"
    " sequence_number INTEGER AS (id & 1099511627775) VIRTUAL,"
    " event_id BLOB NOT NULL,"
    " event_hash BLOB NOT NULL,"
    " fingerprint BLOB NOT NULL,"
    " agent BLOB NOT NULL,"
    " agent_key_id INTEGER NOT NULL,"
    " agent_seq INTEGER NOT NULL,"
    " command_id BLOB,"
    " entity_key BLOB NOT NULL,"
    " entity_index INTEGER NOT NULL,"
    " entity_prev INTEGER NOT NULL,"
    " entity_jump INTEGER NOT NULL,"
    " verdict TEXT NOT NULL CHECK (verdict = 'none' OR verdict = 'applied'"
    "  OR verdict = 'conflict' OR verdict = 'waiting'"
    "  OR verdict = 'superseded'),"
    " applied_at INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " sub_code TEXT NOT NULL,"
    " note TEXT NOT NULL,"
    " sequenced_at_ms INTEGER NOT NULL,"
    " sequencer_id BLOB,"
    " signature BLOB NOT NULL,"
    " receipt BLOB,"
    " receipt_key_version INTEGER NOT NULL,"
    " envelope TEXT NOT NULL,"
    " raw BLOB"
    ");",
    "CREATE UNIQUE INDEX ves_events_event_id"
    " ON ves_events (stream_no, event_id);",
    "CREATE INDEX ves_events_command_id"
    " ON ves_events (stream_no, command_id) WHERE command_id IS NOT NULL;",
    "CREATE TRIGGER ves_events_no_delete BEFORE DELETE ON ves_events BEGIN"
    " SELECT RAISE(ABORT, 'ves_events is append-only'); END;",
    /* In the order of keys, so that a bucket of the state hash is a few pages
     * in a row, and an event costs one search and not two. */
    "CREATE TABLE ves_entities ("
    " stream_no INTEGER NOT NULL,"
    " entity_key BLOB NOT NULL,"
    " entity_type TEXT NOT NULL,"
    " entity_id TEXT NOT NULL,"
    " events INTEGER NOT NULL,"
    " last_sequence INTEGER NOT NULL,"
    " last_jump INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " head BLOB,"
    " head_applied_at INTEGER NOT NULL,"
    " state_hash BLOB,"
    " own_events INTEGER NOT NULL,"
    " own_head BLOB,"
    " state TEXT NOT NULL,"
    " PRIMARY KEY (stream_no, entity_key)"
    ") WITHOUT ROWID;",
    /* Record tables: the rowid is stream_no << 40 | no. */
    "CREATE TABLE ves_trail ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " no INTEGER AS (id & 1099511627775) VIRTUAL,"
    " at_ms INTEGER NOT NULL,"
    " code TEXT NOT NULL,"
    " sequence_number INTEGER NOT NULL,"
    " event_id BLOB,"
    " detail TEXT NOT NULL,"
    " body BLOB,"
    " signature BLOB"
    ");",
    "CREATE TRIGGER ves_trail_no_update BEFORE UPDATE ON ves_trail BEGIN"
    " SELECT RAISE(ABORT, 'ves_trail is append-only'); END;",
    "CREATE TRIGGER ves_trail_no_delete BEFORE DELETE ON ves_trail BEGIN"
    " SELECT RAISE(ABORT, 'ves_trail is append-only'); END;",
    "CREATE TABLE ves_alerts ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " no INTEGER AS (id & 1099511627775) VIRTUAL,"
    " at_ms INTEGER NOT NULL,"
    " code TEXT NOT NULL,"
    " sequence_number INTEGER NOT NULL,"
    " event_id BLOB,"
    " detail TEXT NOT NULL,"
    " body BLOB,"
    " signature BLOB,"
    " closed_ms INTEGER NOT NULL"
    ");",
    "CREATE INDEX ves_alerts_open ON ves_alerts (id) WHERE closed_ms = 0;",
    "CREATE TABLE ves_agent_keys ("
    " tenant BLOB NOT NULL,"
    " agent BLOB NOT NULL,"
    " key_id INTEGER NOT NULL,"
    " store BLOB,"
    " public_key BLOB NOT NULL,"
    " valid_from_ms INTEGER NOT NULL,"
    " valid_to_ms INTEGER NOT NULL,"
    " revoked_at_ms INTEGER NOT NULL,"
    " algorithm TEXT NOT NULL,"
    " registrar TEXT NOT NULL,"
    " proof TEXT NOT NULL,"
    " PRIMARY KEY (tenant, agent, key_id)"
    ") WITHOUT ROWID;",
    "CREATE TABLE ves_key_spans ("
    " stream_no INTEGER NOT NULL,"
    " agent BLOB NOT NULL,"
    " key_id INTEGER NOT NULL,"
    " valid_from_sequence INTEGER NOT NULL,"
    " revoked_at_sequence INTEGER NOT NULL,"
    " PRIMARY KEY (stream_no, agent, key_id)"
    ") WITHOUT ROWID;",
    NULL};

static const char *const device_1[] = {
    "CREATE TABLE ves_state_buckets ("
    " stream_no INTEGER NOT NULL,"
    " bucket INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 4095),"
    " hash BLOB,"
    " is_dirty INTEGER NOT NULL,"
    " PRIMARY KEY (stream_no, bucket)"
    ") WITHOUT ROWID;",
    "CREATE TABLE ves_outbox ("
    " local_seq INTEGER PRIMARY KEY,"
    " event_id BLOB NOT NULL,"
    " event_hash BLOB NOT NULL,"
    " agent_seq INTEGER NOT NULL,"
    " entity_key BLOB NOT NULL,"
    " entity_type TEXT NOT NULL,"
    " entity_id TEXT NOT NULL,"
    " event_type TEXT NOT NULL,"
    " created_at TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " command_id BLOB,"
    " cmd_index INTEGER NOT NULL,"
    " cmd_count INTEGER NOT NULL,"
    " status TEXT NOT NULL CHECK (status = 'pending' OR status = 'syncing'"
    "  OR status = 'synced' OR status = 'failed'"
    "  OR status = 'conflict'),"
    " claim INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " next_attempt_ms INTEGER NOT NULL,"
    " error_class TEXT NOT NULL CHECK (error_class = 'none' OR error_class = "
    "'offline'"
    "  OR error_class = 'busy' OR error_class = 'auth'"
    "  OR error_class = 'forbidden' OR error_class = 'protocol'"
    "  OR error_class = 'refused'),"
    " error TEXT NOT NULL,"
    " is_refused INTEGER NOT NULL,"
    " refusal_signature BLOB,"
    " sequence_number INTEGER NOT NULL,"
    " sequencer_id BLOB,"
    " sequenced_at_ms INTEGER NOT NULL,"
    " receipt BLOB,"
    " receipt_key_version INTEGER NOT NULL,"
    " verdict TEXT CHECK (verdict = 'none' OR verdict = 'applied'"
    "  OR verdict = 'conflict' OR verdict = 'waiting'"
    "  OR verdict = 'superseded'),"
    " disposition TEXT NOT NULL,"
    " pushed_ms INTEGER NOT NULL,"
    " synced_ms INTEGER NOT NULL,"
    " is_in_overlay INTEGER NOT NULL,"
    " envelope TEXT NOT NULL"
    ");",
    "CREATE UNIQUE INDEX ves_outbox_event_id ON ves_outbox (event_id);",
    "CREATE INDEX ves_outbox_open ON ves_outbox (status, local_seq)"
    " WHERE status <> 'synced';",
    "CREATE INDEX ves_outbox_overlay ON ves_outbox (entity_key, local_seq)"
    " WHERE is_in_overlay;",
    "CREATE TRIGGER ves_outbox_no_delete BEFORE DELETE ON ves_outbox BEGIN"
    " SELECT RAISE(ABORT, 'ves_outbox is never deleted from'); END;",
    "CREATE TABLE ves_counts ("
    " status TEXT PRIMARY KEY,"
    " count INTEGER NOT NULL CHECK (count >= 0)"
    ") WITHOUT ROWID;",
    "INSERT INTO ves_counts VALUES ('pending', 0), ('syncing', 0),"
    " ('synced', 0), ('failed', 0), ('conflict', 0);",
    "CREATE TABLE ves_quarantine ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " no INTEGER AS (id & 1099511627775) VIRTUAL,"
    " at_ms INTEGER NOT NULL,"
    " code TEXT NOT NULL,"
    " sequence_number INTEGER NOT NULL,"
    " event_id BLOB,"
    " detail TEXT NOT NULL,"
    " body BLOB,"
    " signature BLOB,"
    " closed_ms INTEGER NOT NULL"
    ");",
    "CREATE INDEX ves_quarantine_open ON ves_quarantine (id)"
    " WHERE closed_ms = 0;",
    NULL};

static const char *const sequencer_1[] = {
    "CREATE TABLE ves_refusals ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " no INTEGER AS (id & 1099511627775) VIRTUAL,"
    " at_ms INTEGER NOT NULL,"
    " code TEXT NOT NULL,"
    " sequence_number INTEGER NOT NULL,"
    " event_id BLOB,"
    " detail TEXT NOT NULL,"
    " body BLOB,"
    " signature BLOB"
    ");",
    "CREATE TABLE ves_commitments ("
    " stream_no INTEGER NOT NULL,"
    " sequence_start INTEGER NOT NULL,"
    " sequence_end INTEGER NOT NULL,"
    " batch_id BLOB NOT NULL UNIQUE,"
    " leaf_count INTEGER NOT NULL,"
    " merkle_root BLOB NOT NULL,"
    " prev_state_root BLOB NOT NULL,"
    " new_state_root BLOB NOT NULL,"
    " committed_at_ms INTEGER NOT NULL,"
    " PRIMARY KEY (stream_no, sequence_start)"
    ") WITHOUT ROWID;",
    "CREATE TABLE ves_cursors ("
    " stream_no INTEGER NOT NULL,"
    " agent BLOB NOT NULL,"
    " sequence_number INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " PRIMARY KEY (stream_no, agent)"
    ") WITHOUT ROWID;",
    "CREATE TABLE ves_api_keys ("
    " key_hash BLOB PRIMARY KEY,"
    " tenant BLOB NOT NULL,"
    " store BLOB,"
    " agent BLOB,"
    " rights INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL,"
    " revoked_ms INTEGER NOT NULL,"
    " label TEXT NOT NULL"
    ") WITHOUT ROWID;",
    "CREATE TABLE ves_invitations ("
    " invitation_id BLOB PRIMARY KEY,"
    " tenant BLOB NOT NULL,"
    " store BLOB NOT NULL,"
    " public_key BLOB NOT NULL,"
    " owner_signature BLOB NOT NULL,"
    " rights INTEGER NOT NULL,"
    " uses_max INTEGER NOT NULL,"
    " uses INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL"
    ") WITHOUT ROWID;",
    NULL};

/* ---- version 2 -------------------------------------------------------------
 * Writing costs what an index holds at random places (README.md).  Entities
 * lie in the order of first sight, so that those which events go on to touch
 * lie together and only a new one has a random place, in the index; the
 * overlay is a chain from the entity back and needs no index.  How many rows
 * are pending is not counted but follows from the other counts, for an append
 * adds one of those.
 */

static const char *const common_2[] = {
    "CREATE TABLE ves_moving AS SELECT * FROM ves_entities;",
    "DROP TABLE ves_entities;",
    "CREATE TABLE ves_entities ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER NOT NULL,"
    " entity_key BLOB NOT NULL,"
    " entity_type TEXT NOT NULL,"
    " entity_id TEXT NOT NULL,"
    " events INTEGER NOT NULL,"
    " last_sequence INTEGER NOT NULL,"
    " last_jump INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " head BLOB,"
    " head_applied_at INTEGER NOT NULL,"
    " state_hash BLOB,"
    " own_events INTEGER NOT NULL,"
    " own_head BLOB,"
    " own_last INTEGER NOT NULL,"
    " state TEXT NOT NULL"
    ");",
    "CREATE UNIQUE INDEX ves_entities_key"
    " ON ves_entities (stream_no, entity_key);",
    "INSERT INTO ves_entities (stream_no, entity_key, entity_type, entity_id,"
    " events, last_sequence, last_jump, version, head, head_applied_at,"
    " state_hash, own_events, own_head, own_last, state) SELECT stream_no,"
    " entity_key, entity_type, entity_id, events, last_sequence, last_jump,"
    " version, head, head_applied_at, state_hash, own_events, own_head, 0,"
    " state FROM ves_moving ORDER BY stream_no, last_sequence;",
    "DROP TABLE ves_moving;",
    NULL};

static const char *const device_2[] = {
    "DROP INDEX ves_outbox_overlay;",
    "ALTER TABLE ves_outbox ADD COLUMN"
    " entity_prev INTEGER NOT NULL DEFAULT 0;",
    "CREATE TABLE ves_moving (local_seq INTEGER PRIMARY KEY, prev, key);",
    "INSERT INTO ves_moving SELECT local_seq,"
    " lag(local_seq, 1, 0) OVER (PARTITION BY entity_key ORDER BY local_seq),"
    " entity_key FROM ves_outbox;",
    "UPDATE ves_outbox SET entity_prev = (SELECT prev FROM ves_moving m"
    "  WHERE m.local_seq = ves_outbox.local_seq);",
    "CREATE INDEX ves_moving_key ON ves_moving (key, local_seq);",
    "UPDATE ves_entities SET own_last = coalesce((SELECT max(local_seq)"
    "  FROM ves_moving m WHERE m.key = ves_entities.entity_key), 0);",
    "DROP TABLE ves_moving;",
    "DELETE FROM ves_counts WHERE status = 'pending';",
    "DROP VIEW ves_status_view;",
    "CREATE VIEW ves_status_view AS SELECT"
    " (SELECT coalesce(max(local_seq), 0) FROM ves_outbox)"
    "  - (SELECT sum(count) FROM ves_counts) AS pending,"
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

/* ---- version 3: conflicts --------------------------------------------------
 */

static const char *const common_3[] = {
    "ALTER TABLE ves_events ADD COLUMN is_fact INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE ves_events ADD COLUMN has_waited INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE ves_events ADD COLUMN conflict_id BLOB;",
    "ALTER TABLE ves_events ADD COLUMN waits_for BLOB;",
    "ALTER TABLE ves_events ADD COLUMN effects BLOB;",
    "ALTER TABLE ves_events ADD COLUMN opposite TEXT;",
    /* Events that wait, or did, are few; others pay for neither index. */
    "CREATE INDEX ves_events_waiting ON ves_events (stream_no, waits_for)"
    " WHERE waits_for IS NOT NULL;",
    "CREATE INDEX ves_events_late ON ves_events"
    " (stream_no, entity_key, version) WHERE has_waited;",
    "ALTER TABLE ves_entities ADD COLUMN written_at INTEGER NOT NULL DEFAULT "
    "0;",
    "ALTER TABLE ves_entities ADD COLUMN tombstone INTEGER NOT NULL DEFAULT 0;",
    /* The rowid is stream_no << 40 | sequence of the event that opened it. */
    "CREATE TABLE ves_conflicts ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER NOT NULL,"
    " opened INTEGER AS (id & 1099511627775) VIRTUAL,"
    " conflict_id BLOB NOT NULL,"
    " entity_key BLOB NOT NULL,"
    " kind TEXT NOT NULL CHECK (kind = 'deleted_reference'"
    "  OR kind = 'version_mismatch' OR kind = 'concurrent_edit'),"
    " kinds INTEGER NOT NULL,"
    " sub_code TEXT NOT NULL,"
    " branch_count INTEGER NOT NULL,"
    " branch_digest BLOB NOT NULL,"
    " has_branch_fact INTEGER NOT NULL,"
    " has_applied_fact INTEGER NOT NULL,"
    " closed INTEGER NOT NULL,"
    " closed_by BLOB,"
    " winner TEXT NOT NULL CHECK (winner = '' OR winner = 'branch'"
    "  OR winner = 'applied' OR winner = 'merge')"
    ");",
    "CREATE UNIQUE INDEX ves_conflicts_id"
    " ON ves_conflicts (stream_no, conflict_id);",
    "CREATE INDEX ves_conflicts_open ON ves_conflicts (id, kind)"
    " WHERE closed = 0;",
    "CREATE TABLE ves_conflict_members ("
    " stream_no INTEGER NOT NULL,"
    " conflict_id BLOB NOT NULL,"
    " side INTEGER NOT NULL CHECK (side = 0 OR side = 1),"
    " place INTEGER NOT NULL,"
    " sequence_number INTEGER NOT NULL,"
    " event_hash BLOB NOT NULL,"
    " PRIMARY KEY (stream_no, conflict_id, side, place)"
    ") WITHOUT ROWID;",
    "CREATE INDEX ves_conflict_members_event"
    " ON ves_conflict_members (stream_no, sequence_number);",
    "CREATE VIEW ves_conflict_view AS SELECT"
    " c.stream_no, c.opened, lower(hex(c.conflict_id)) AS conflict_id,"
    " c.kind, c.sub_code, n.entity_type, n.entity_id, c.branch_count,"
    " CASE WHEN c.closed = 0 THEN 'open' ELSE 'closed' END AS status,"
    " nullif(c.closed, 0) AS closed, nullif(c.winner, '') AS winner"
    " FROM ves_conflicts c LEFT JOIN ves_entities n"
    " ON n.stream_no = c.stream_no AND n.entity_key = c.entity_key;",
    NULL};

static const char *const device_3[] = {
    "ALTER TABLE ves_outbox ADD COLUMN is_likely_conflict INTEGER NOT NULL"
    " DEFAULT 0;",
    NULL};

/* ---- version 4: the provable log -------------------------------------------
 * A stream's tree as its edge, the last head that was signed, and the hashes
 * in tiles.  The rowid of a tile is stream_no << 40 | level << 36 | index. What
 * the log has already is added by the engine (ves_sequencer_upgrade).
 */

static const char *const sequencer_4[] = {
    "CREATE TABLE ves_tlogs ("
    " stream_no INTEGER PRIMARY KEY,"
    " stream_id BLOB NOT NULL UNIQUE,"
    " edge BLOB NOT NULL,"
    " signed_size INTEGER NOT NULL DEFAULT 0,"
    " signed_root BLOB,"
    " note TEXT NOT NULL DEFAULT '',"
    " signed_at_ms INTEGER NOT NULL DEFAULT 0,"
    " frozen_at_ms INTEGER NOT NULL DEFAULT 0,"
    " frozen_why TEXT NOT NULL DEFAULT ''"
    ");",
    "CREATE TABLE ves_tiles ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " level INTEGER AS (id >> 36 & 15) VIRTUAL,"
    " tile INTEGER AS (id & 68719476735) VIRTUAL,"
    " hashes BLOB NOT NULL"
    ");",
    "CREATE TRIGGER ves_tiles_no_delete BEFORE DELETE ON ves_tiles BEGIN"
    " SELECT RAISE(ABORT, 'ves_tiles is append-only'); END;",
    NULL};

/* The words of documents: a conflict is open or resolved. */
static const char *const common_4[] = {
    "DROP VIEW ves_conflict_view;",
    VES_SQLITE_CONFLICT_VIEW
    " ON n.stream_no = c.stream_no AND n.entity_key = c.entity_key;",
    NULL};
static const char *const device_4[] = {
    "DROP VIEW ves_status_view;",
    "CREATE VIEW ves_status_view AS SELECT"
    " (SELECT coalesce(max(local_seq), 0) FROM ves_outbox)"
    "  - (SELECT sum(count) FROM ves_counts) AS pending,"
    " (SELECT count FROM ves_counts WHERE status = 'syncing') AS syncing,"
    " (SELECT count FROM ves_counts WHERE status = 'synced') AS synced,"
    " (SELECT count FROM ves_counts WHERE status = 'failed') AS failed,"
    " (SELECT count FROM ves_counts WHERE status = 'conflict') AS conflict,"
    " (SELECT count(*) FROM ves_conflicts WHERE closed = 0)"
    "  AS open_conflicts,"
    " coalesce((SELECT CAST(value AS INTEGER) FROM ves_meta"
    "  WHERE name = 'follow_ups'), 0) AS follow_ups,"
    " (SELECT count(*) FROM ves_quarantine WHERE closed_ms = 0)"
    "  AS quarantined,"
    " (SELECT count(*) FROM ves_alerts WHERE closed_ms = 0) AS alerts,"
    " (SELECT coalesce(max(id), 0) & 1099511627775 FROM ves_events)"
    "  AS head;",
    NULL};

/* ---- version 5: who vouches for the log ------------------------------------
 * Signed notes with the lines of cosigners (core/cosigned.h), a text a stream.
 */

static const char *const sequencer_5[] = {"CREATE TABLE ves_cosigned ("
                                          " stream_no INTEGER PRIMARY KEY,"
                                          " notes TEXT NOT NULL"
                                          ");",
                                          NULL};

/* What a store has verified of its log, and the last heads by size; the rowid
 * of a head is stream_no << 40 | size.  The edge of what is here already is
 * added by the engine when it pulls.
 */

static const char *const device_5[] = {
    "CREATE TABLE ves_follow ("
    " stream_no INTEGER PRIMARY KEY,"
    " edge BLOB NOT NULL,"
    " origin TEXT NOT NULL DEFAULT '',"
    " note TEXT NOT NULL DEFAULT '',"
    " key_version INTEGER NOT NULL DEFAULT 0,"
    " logged INTEGER NOT NULL DEFAULT 0,"
    " witnessed INTEGER NOT NULL DEFAULT 0,"
    " verified_ms INTEGER NOT NULL DEFAULT 0"
    ");",
    "CREATE TABLE ves_kept_heads ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " size INTEGER AS (id & 1099511627775) VIRTUAL,"
    " root BLOB NOT NULL"
    ");",
    /* Only what has a receipt and was not pulled yet. */
    "CREATE INDEX ves_outbox_promised ON ves_outbox (sequence_number)"
    " WHERE is_in_overlay AND receipt IS NOT NULL;",
    NULL};

/* ---- version 6: what an epoch of the log gave up ----------------------------
 * An event leaves the log only when it stands here.
 */

static const char *const device_6[] = {
    "CREATE TABLE ves_given_up ("
    " id INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " stream_no INTEGER AS (id >> 40) VIRTUAL,"
    " sequence_number INTEGER AS (id & 1099511627775) VIRTUAL,"
    " event_id BLOB NOT NULL,"
    " event_hash BLOB NOT NULL,"
    " fingerprint BLOB NOT NULL,"
    " agent BLOB NOT NULL,"
    " agent_key_id INTEGER NOT NULL,"
    " agent_seq INTEGER NOT NULL,"
    " command_id BLOB,"
    " entity_key BLOB NOT NULL,"
    " entity_index INTEGER NOT NULL,"
    " entity_prev INTEGER NOT NULL,"
    " entity_jump INTEGER NOT NULL,"
    " verdict TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " sub_code TEXT NOT NULL,"
    " note TEXT NOT NULL,"
    " sequenced_at_ms INTEGER NOT NULL,"
    " sequencer_id BLOB,"
    " signature BLOB NOT NULL,"
    " receipt BLOB,"
    " receipt_key_version INTEGER NOT NULL,"
    " envelope TEXT NOT NULL,"
    " raw BLOB,"
    " is_fact INTEGER NOT NULL,"
    " has_waited INTEGER NOT NULL,"
    " conflict_id BLOB,"
    " waits_for BLOB,"
    " effects BLOB,"
    " opposite TEXT,"
    " PRIMARY KEY (id, epoch)"
    ") WITHOUT ROWID;",
    "CREATE TRIGGER ves_given_up_no_update BEFORE UPDATE ON ves_given_up BEGIN"
    " SELECT RAISE(ABORT, 'ves_given_up is append-only'); END;",
    "CREATE TRIGGER ves_given_up_no_delete BEFORE DELETE ON ves_given_up BEGIN"
    " SELECT RAISE(ABORT, 'ves_given_up is append-only'); END;",
    "DROP TRIGGER ves_events_no_delete;",
    "CREATE TRIGGER ves_events_no_delete BEFORE DELETE ON ves_events"
    " WHEN NOT EXISTS (SELECT 1 FROM ves_given_up g WHERE g.id = OLD.id"
    "  AND g.event_hash = OLD.event_hash) BEGIN"
    " SELECT RAISE(ABORT, 'ves_events is append-only'); END;",
    NULL};

/* ---- version 7: what agents may send ----------------------------------------
 * A document (core/agent_policy.h) an agent of a tenant.
 */

static const char *const sequencer_7[] = {"CREATE TABLE ves_agent_policies ("
                                          " tenant BLOB NOT NULL,"
                                          " agent BLOB NOT NULL,"
                                          " document TEXT NOT NULL,"
                                          " updated_ms INTEGER NOT NULL,"
                                          " PRIMARY KEY (tenant, agent)"
                                          ") WITHOUT ROWID;",
                                          NULL};

/* ---- version 8: no index of keys
 * --------------------------------------------- Keys are SHA-256 values, so
 * each new entity had a random place in their index.  Names are in an index
 * now, where those that are given in an order lie in it, and the entities of a
 * bucket are a list (store_sqlite_bucket.c).
 */

static const char *const common_8[] = {
    "DROP VIEW ves_log_view;", "DROP VIEW ves_conflict_view;",
    "DROP INDEX ves_entities_key;",
    "ALTER TABLE ves_entities ADD COLUMN"
    " bucket_prev INTEGER NOT NULL DEFAULT 0;",
    /* The rowid is stream_no << 12 | bucket. */
    "CREATE TABLE ves_entity_buckets ("
    " id INTEGER PRIMARY KEY,"
    " stream_no INTEGER AS (id >> 12) VIRTUAL,"
    " bucket INTEGER AS (id & 4095) VIRTUAL,"
    " newest INTEGER NOT NULL"
    ");",
    "CREATE TABLE ves_moving (id INTEGER PRIMARY KEY, bucket, prev);",
    "INSERT INTO ves_moving SELECT id, bucket,"
    " lag(id, 1, 0) OVER (PARTITION BY bucket ORDER BY id) FROM"
    " (SELECT id, stream_no << 12 | " VES_SQLITE_BUCKET(
        "entity_key") " AS bucket"
                      "  FROM ves_entities);",
    "UPDATE ves_entities SET bucket_prev = (SELECT prev FROM ves_moving m"
    "  WHERE m.id = ves_entities.id);",
    "INSERT INTO ves_entity_buckets (id, newest)"
    " SELECT bucket, max(id) FROM ves_moving GROUP BY bucket;",
    "DROP TABLE ves_moving;",
    "CREATE UNIQUE INDEX ves_entities_name"
    " ON ves_entities (stream_no, entity_type, entity_id);",
    NULL};

static const char *const *const device_1_scripts[] = {
    common_1, device_1, ves_sqlite_views_common, ves_sqlite_views_device, NULL};
static const char *const *const sequencer_1_scripts[] = {
    common_1, sequencer_1, ves_sqlite_views_common, ves_sqlite_views_sequencer,
    NULL};

static const char *const *const device_2_scripts[] = {common_2, device_2, NULL};
static const char *const *const sequencer_2_scripts[] = {common_2, NULL};

static const char *const *const device_3_scripts[] = {common_3, device_3, NULL};
static const char *const *const sequencer_3_scripts[] = {common_3, NULL};

static const char *const *const device_4_scripts[] = {common_4, device_4, NULL};
static const char *const *const sequencer_4_scripts[] = {common_4, sequencer_4,
                                                         NULL};

static const char *const *const device_5_scripts[] = {device_5, NULL};
static const char *const *const sequencer_5_scripts[] = {sequencer_5, NULL};

static const char *const *const device_6_scripts[] = {device_6, NULL};
static const char *const *const sequencer_6_scripts[] = {NULL};

static const char *const *const device_7_scripts[] = {NULL};
static const char *const *const sequencer_7_scripts[] = {sequencer_7, NULL};

static const char *const *const device_8_scripts[] = {common_8,
                                                      ves_sqlite_views_8, NULL};
static const char *const *const sequencer_8_scripts[] = {
    common_8, ves_sqlite_views_8, NULL};

const struct ves_sqlite_migration ves_sqlite_migrations[] = {
    {device_1_scripts, sequencer_1_scripts},
    {device_2_scripts, sequencer_2_scripts},
    {device_3_scripts, sequencer_3_scripts},
    {device_4_scripts, sequencer_4_scripts},
    {device_5_scripts, sequencer_5_scripts},
    {device_6_scripts, sequencer_6_scripts},
    {device_7_scripts, sequencer_7_scripts},
    {device_8_scripts, sequencer_8_scripts}};
const uint32_t ves_sqlite_migrations_count =
    sizeof ves_sqlite_migrations / sizeof ves_sqlite_migrations[0];

const char *const ves_sqlite_digests[2] = {
    [VES_STORE_DEVICE] =
        "d9f75d0cbc9bedcfd2b5dca8796d83256a0fbd432fba9455a8a1d9293d09cbfd",
    [VES_STORE_SEQUENCER] =
        "ded5b8fe7841e3a800915cddeecbefa88a3a13c1fc062d7eed3aea671433149c"};
