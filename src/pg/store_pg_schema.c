/* store_pg_schema.c -- tables of the PostgreSQL store and their history.
 *
 * What belongs to one stream is partitioned by the hash of the stream's
 * number, which begins every key; what is asked for without a stream (names,
 * streams, keys of agents and of the API) is a small table of its own.  Bytes
 * are bytea: whoever sends an event chooses what is in its strings.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "pg/store_pg_internal.h"

/* A row that is rewritten in every commit stays in its page. */
#define OFTEN " WITH (fillfactor = 50)"

#define PARTITION(table, n)                             \
    "CREATE TABLE " table "_" #n " PARTITION OF " table \
    " FOR VALUES WITH (MODULUS 8, REMAINDER " #n ")"
#define PARTITIONS(table)                                              \
    PARTITION(table, 0), PARTITION(table, 1), PARTITION(table, 2),     \
        PARTITION(table, 3), PARTITION(table, 4), PARTITION(table, 5), \
        PARTITION(table, 6), PARTITION(table, 7)
#define BY_STREAM ") PARTITION BY HASH (stream_no)"
#define FOREVER(table)                                           \
    "CREATE TRIGGER " table "_no_delete BEFORE DELETE ON " table \
    " FOR EACH ROW EXECUTE FUNCTION ves_append_only()"

static const char *const version_1[] = {
    "CREATE TABLE ves_schema ("
    " only_row int8 PRIMARY KEY CHECK (only_row = 1),"
    " version int8 NOT NULL,"
    " written_by text NOT NULL)",
    "CREATE FUNCTION ves_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RAISE EXCEPTION ''% is append-only'', TG_TABLE_NAME; END'",
    "CREATE TABLE ves_writers ("
    " writer uuid PRIMARY KEY,"
    " commit_no int8 NOT NULL,"
    " seen timestamptz NOT NULL DEFAULT now())" OFTEN,
    "CREATE TABLE ves_meta (name text PRIMARY KEY, value bytea NOT NULL)",
    "CREATE TABLE ves_streams ("
    " stream_no int8 PRIMARY KEY,"
    " tenant uuid NOT NULL,"
    " store uuid NOT NULL,"
    " owner_key bytea,"
    " head int8 NOT NULL DEFAULT 0,"
    " committed_end int8 NOT NULL DEFAULT 0,"
    " state_root bytea,"
    " UNIQUE (tenant, store))" OFTEN,

    "CREATE TABLE ves_events ("
    " stream_no int8 NOT NULL,"
    " sequence_number int8 NOT NULL,"
    " event_id uuid NOT NULL,"
    " event_hash bytea NOT NULL,"
    " fingerprint bytea NOT NULL,"
    " agent uuid NOT NULL,"
    " agent_key_id int8 NOT NULL,"
    " agent_seq int8 NOT NULL,"
    " command_id uuid,"
    " entity_key bytea NOT NULL,"
    " entity_index int8 NOT NULL,"
    " entity_prev int8 NOT NULL,"
    " entity_jump int8 NOT NULL,"
    " verdict text NOT NULL CHECK (verdict IN ('none', 'applied', 'conflict',"
    "  'waiting', 'superseded')),"
    " applied_at int8 NOT NULL,"
    " version int8 NOT NULL,"
    " sub_code bytea NOT NULL,"
    " note bytea NOT NULL,"
    " sequenced_at_ms int8 NOT NULL,"
    " sequencer_id uuid,"
    " signature bytea NOT NULL,"
    " receipt bytea,"
    " receipt_key_version int8 NOT NULL,"
    " envelope bytea NOT NULL,"
    " raw bytea,"
    " is_fact boolean NOT NULL,"
    " has_waited boolean NOT NULL,"
    " conflict_id bytea,"
    " waits_for bytea,"
    " effects bytea,"
    " opposite bytea,"
    " PRIMARY KEY (stream_no, sequence_number),"
    " UNIQUE (stream_no, event_id)" BY_STREAM,
    PARTITIONS("ves_events"),
    "CREATE INDEX ves_events_command_id ON ves_events"
    " (stream_no, command_id, sequence_number) WHERE command_id IS NOT NULL",
    "CREATE INDEX ves_events_waiting ON ves_events"
    " (stream_no, waits_for, sequence_number) WHERE waits_for IS NOT NULL",
    "CREATE INDEX ves_events_late ON ves_events"
    " (stream_no, entity_key, version) WHERE has_waited",
    FOREVER("ves_events"),

    "CREATE TABLE ves_entities ("
    " stream_no int8 NOT NULL,"
    " entity_key bytea NOT NULL,"
    " entity_type bytea NOT NULL,"
    " entity_id bytea NOT NULL,"
    " events int8 NOT NULL,"
    " last_sequence int8 NOT NULL,"
    " last_jump int8 NOT NULL,"
    " version int8 NOT NULL,"
    " head bytea,"
    " head_applied_at int8 NOT NULL,"
    " written_at int8 NOT NULL,"
    " tombstone int8 NOT NULL,"
    " state_hash bytea,"
    " own_events int8 NOT NULL,"
    " own_head bytea,"
    " own_last int8 NOT NULL,"
    " state bytea NOT NULL,"
    " PRIMARY KEY (stream_no, entity_key)" BY_STREAM,
    PARTITIONS("ves_entities"),

    "CREATE TABLE ves_conflicts ("
    " stream_no int8 NOT NULL,"
    " opened int8 NOT NULL,"
    " conflict_id bytea NOT NULL,"
    " entity_key bytea NOT NULL,"
    " kind text NOT NULL CHECK (kind IN ('deleted_reference',"
    "  'version_mismatch', 'concurrent_edit')),"
    " kinds int8 NOT NULL,"
    " sub_code bytea NOT NULL,"
    " branch_count int8 NOT NULL,"
    " branch_digest bytea NOT NULL,"
    " has_branch_fact boolean NOT NULL,"
    " has_applied_fact boolean NOT NULL,"
    " closed int8 NOT NULL,"
    " closed_by bytea,"
    " winner text NOT NULL CHECK (winner IN ('', 'branch', 'applied',"
    "  'merge')),"
    " PRIMARY KEY (stream_no, opened),"
    " UNIQUE (stream_no, conflict_id)" BY_STREAM,
    PARTITIONS("ves_conflicts"),
    "CREATE INDEX ves_conflicts_open ON ves_conflicts"
    " (stream_no, opened) INCLUDE (kind) WHERE closed = 0",

    "CREATE TABLE ves_conflict_members ("
    " stream_no int8 NOT NULL,"
    " conflict_id bytea NOT NULL,"
    " side int8 NOT NULL CHECK (side IN (0, 1)),"
    " place int8 NOT NULL,"
    " sequence_number int8 NOT NULL,"
    " event_hash bytea NOT NULL,"
    " PRIMARY KEY (stream_no, conflict_id, side, place)" BY_STREAM,
    PARTITIONS("ves_conflict_members"),
    "CREATE INDEX ves_conflict_members_event ON ves_conflict_members"
    " (stream_no, sequence_number)",

    /* kind is enum ves_record_kind. */
    "CREATE TABLE ves_records ("
    " stream_no int8 NOT NULL,"
    " kind int8 NOT NULL,"
    " no int8 NOT NULL,"
    " at_ms int8 NOT NULL,"
    " sequence_number int8 NOT NULL,"
    " event_id uuid,"
    " code bytea NOT NULL,"
    " detail bytea NOT NULL,"
    " body bytea,"
    " signature bytea,"
    " closed_ms int8 NOT NULL,"
    " PRIMARY KEY (stream_no, kind, no)" BY_STREAM,
    PARTITIONS("ves_records"),
    "CREATE INDEX ves_records_open ON ves_records (stream_no, kind)"
    " WHERE closed_ms = 0 AND kind = 3",
    FOREVER("ves_records"),

    "CREATE TABLE ves_agent_keys ("
    " tenant uuid NOT NULL,"
    " agent uuid NOT NULL,"
    " key_id int8 NOT NULL,"
    " store uuid,"
    " public_key bytea NOT NULL,"
    " valid_from_ms int8 NOT NULL,"
    " valid_to_ms int8 NOT NULL,"
    " revoked_at_ms int8 NOT NULL,"
    " algorithm bytea NOT NULL,"
    " registrar bytea NOT NULL,"
    " proof bytea NOT NULL,"
    " PRIMARY KEY (tenant, agent, key_id))",
    "CREATE TABLE ves_key_spans ("
    " stream_no int8 NOT NULL,"
    " agent uuid NOT NULL,"
    " key_id int8 NOT NULL,"
    " valid_from_sequence int8 NOT NULL,"
    " revoked_at_sequence int8 NOT NULL,"
    " PRIMARY KEY (stream_no, agent, key_id)" BY_STREAM,
    PARTITIONS("ves_key_spans"),

    /* A batch id is of one stream, which the writer sees to: a key of its own
     * could not begin with the stream. */
    "CREATE TABLE ves_commitments ("
    " stream_no int8 NOT NULL,"
    " sequence_start int8 NOT NULL,"
    " sequence_end int8 NOT NULL,"
    " batch_id uuid NOT NULL,"
    " leaf_count int8 NOT NULL,"
    " merkle_root bytea NOT NULL,"
    " prev_state_root bytea NOT NULL,"
    " new_state_root bytea NOT NULL,"
    " committed_at_ms int8 NOT NULL,"
    " PRIMARY KEY (stream_no, sequence_start)" BY_STREAM,
    PARTITIONS("ves_commitments"),
    "CREATE INDEX ves_commitments_batch_id ON ves_commitments (batch_id)",

    "CREATE TABLE ves_cursors ("
    " stream_no int8 NOT NULL,"
    " agent uuid NOT NULL,"
    " sequence_number int8 NOT NULL,"
    " updated_ms int8 NOT NULL,"
    " PRIMARY KEY (stream_no, agent)" BY_STREAM,
    PARTITIONS("ves_cursors"),

    "CREATE TABLE ves_api_keys ("
    " key_hash bytea PRIMARY KEY,"
    " tenant uuid NOT NULL,"
    " store uuid,"
    " agent uuid,"
    " rights int8 NOT NULL,"
    " created_ms int8 NOT NULL,"
    " expires_ms int8 NOT NULL,"
    " revoked_ms int8 NOT NULL,"
    " label bytea NOT NULL)",
    "CREATE TABLE ves_invitations ("
    " invitation_id uuid PRIMARY KEY,"
    " tenant uuid NOT NULL,"
    " store uuid NOT NULL,"
    " public_key bytea NOT NULL,"
    " owner_signature bytea NOT NULL,"
    " rights int8 NOT NULL,"
    " uses_max int8 NOT NULL,"
    " uses int8 NOT NULL,"
    " created_ms int8 NOT NULL,"
    " expires_ms int8 NOT NULL)",

    "CREATE TABLE ves_tlogs ("
    " stream_no int8 PRIMARY KEY,"
    " stream_id bytea NOT NULL UNIQUE,"
    " edge bytea NOT NULL,"
    " signed_size int8 NOT NULL DEFAULT 0,"
    " signed_root bytea,"
    " note bytea NOT NULL DEFAULT '',"
    " signed_at_ms int8 NOT NULL DEFAULT 0,"
    " frozen_at_ms int8 NOT NULL DEFAULT 0,"
    " frozen_why bytea NOT NULL DEFAULT '')" OFTEN,
    /* A sixteenth of a tile a row: what a commit rewrites is half a KiB and
     * stays in its page. */
    "CREATE TABLE ves_tiles ("
    " stream_no int8 NOT NULL,"
    " level int8 NOT NULL,"
    " part int8 NOT NULL,"
    " hashes bytea NOT NULL,"
    " PRIMARY KEY (stream_no, level, part)" BY_STREAM,
    PARTITIONS("ves_tiles"), FOREVER("ves_tiles"),
    "CREATE TABLE ves_cosigned ("
    " stream_no int8 PRIMARY KEY,"
    " notes bytea NOT NULL)",

    /* For people. */
    "CREATE VIEW ves_status_view AS SELECT s.stream_no, s.tenant, s.store,"
    " s.head, s.committed_end, coalesce(t.signed_size, 0) AS signed_size,"
    " coalesce(t.frozen_at_ms, 0) <> 0 AS is_frozen"
    " FROM ves_streams s LEFT JOIN ves_tlogs t USING (stream_no)",
    "CREATE VIEW ves_log_view AS SELECT e.stream_no, e.sequence_number,"
    " e.event_id, encode(n.entity_type, 'escape') AS entity_type,"
    " encode(n.entity_id, 'escape') AS entity_id, e.agent, e.verdict,"
    " encode(e.sub_code, 'escape') AS sub_code,"
    " to_timestamp(e.sequenced_at_ms / 1000.0) AS sequenced_at,"
    " encode(e.event_hash, 'hex') AS event_hash,"
    " encode(e.envelope, 'escape') || '}' AS envelope"
    " FROM ves_events e LEFT JOIN ves_entities n USING (stream_no,"
    " entity_key)",
    NULL};

/* What agents may send (core/agent_policy.h). */
static const char *const version_2[] = {"CREATE TABLE ves_agent_policies ("
                                        " tenant uuid NOT NULL,"
                                        " agent uuid NOT NULL,"
                                        " document bytea NOT NULL,"
                                        " updated_ms int8 NOT NULL,"
                                        " PRIMARY KEY (tenant, agent))",
                                        NULL};

static const char *const *const versions[] = {version_1, version_2};
enum { VERSIONS = VES_PG_SCHEMA, WAITS = 12 };
_Static_assert(VERSIONS == sizeof versions / sizeof versions[0],
               "each version has its statements");

/* ---- where a database stands ----------------------------------------------
 */

static enum ves_status find_version(struct ves_pg *st, uint32_t *version)
{
    PGresult *answer = NULL;
    bool is_there;
    enum ves_status status =
        ves_pg_queue(st, "SELECT to_regclass('ves_schema') IS NOT NULL");

    *version = 0;
    if (!status)
        status = ves_pg_settle(st, &answer);
    if (status)
        return status;
    is_there = *PQgetvalue(answer, 0, 0);
    PQclear(answer);
    if (!is_there)
        return VES_OK;
    status = ves_pg_queue(st, "SELECT version::text FROM ves_schema");
    if (!status)
        status = ves_pg_settle(st, &answer);
    if (status)
        return status;
    if (PQntuples(answer) == 1)
        *version = (uint32_t)strtoul(PQgetvalue(answer, 0, 0), NULL, 10);
    PQclear(answer);
    return VES_OK;
}

static enum ves_status check_version(struct ves_pg *st, uint32_t version,
                                     bool can_create)
{
    struct ves_error *error = &st->store.error;

    if (version == 0 && (!can_create || st->is_read_only))
        return ves_fail(error, VES_NOT_FOUND,
                        "There is no store of a sequencer in this database. "
                        "Make one with \"ves admin init --store URL\".");
    if (version > VERSIONS)
        return ves_fail(error, VES_UNSUPPORTED,
                        "The store was written by a newer program (schema "
                        "version %u, this program knows %u). Nothing was "
                        "changed. Upgrade this program.",
                        version, (unsigned)VERSIONS);
    if (version < VERSIONS && st->is_read_only)
        return ves_fail(error, VES_UNSUPPORTED,
                        "The store has an older schema (version %u, this "
                        "program wants %u) and is opened for reading only. "
                        "Open it once for writing to upgrade it.",
                        version, (unsigned)VERSIONS);
    return VES_OK;
}

/* ---- moving on ------------------------------------------------------------
 */

static enum ves_status write_version(struct ves_pg *st)
{
    char text[256];

    snprintf(text, sizeof text,
             "INSERT INTO ves_schema VALUES (1, %u, 'ves " VES_VERSION "')"
             " ON CONFLICT (only_row) DO UPDATE SET version ="
             " excluded.version, written_by = excluded.written_by",
             (unsigned)VERSIONS);
    return ves_pg_queue(st, text);
}

static enum ves_status move_on(struct ves_pg *st, bool can_create)
{
    uint32_t version;
    /* Somebody else may have moved it while we waited for the lock. */
    enum ves_status status = find_version(st, &version);

    if (!status)
        status = check_version(st, version, can_create);
    if (status || version == VERSIONS)
        return status;
    for (uint32_t i = version; i < VERSIONS; i++)
        for (const char *const *text = versions[i]; *text && !status; text++)
            status = ves_pg_queue(st, *text);
    if (!status)
        status = write_version(st);
    return status ? status : ves_pg_settle(st, NULL);
}

enum ves_status ves_pg_migrate(struct ves_pg *st, bool can_create)
{
    struct ves_store *s = &st->store;
    uint32_t version;
    enum ves_status status = find_version(st, &version);

    if (!status)
        status = check_version(st, version, can_create);
    if (status || version == VERSIONS)
        return status;
    /* Another process may be at it, which takes longer than a commit. */
    for (int i = 0; i == 0 || (status == VES_BUSY && i < WAITS); i++)
        status = s->ops->begin(s);
    if (status)
        return status;
    status = move_on(st, can_create);
    if (!status)
        return s->ops->commit(s);
    s->ops->rollback(s);
    return status;
}
