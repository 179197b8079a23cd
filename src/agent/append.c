/* append.c -- signing events inside the application's own transaction. */
#include <string.h>

#include "agent/agent.h"
#include "agent/conflict.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/random.h"
#include "store/sqlite_api.h"
#include "store/store_sqlite.h"

/* A savepoint cannot be opened while a statement is writing, and what such a
 * statement does around us could not be undone with our rows. */
static bool is_writing(struct sqlite3 *connection)
{
    sqlite3_stmt *stmt = sqlite3_next_stmt(connection, NULL);

    for (; stmt; stmt = sqlite3_next_stmt(connection, stmt)) {
        if (sqlite3_stmt_busy(stmt) && !sqlite3_stmt_readonly(stmt))
            return true;
    }
    return false;
}

/* SQLite looks for a name in the temporary tables first: an event written
 * into one of them would be gone with the connection. */
static enum ves_status check_temporary(struct ves_agent *agent,
                                       struct ves_error *error)
{
    struct sqlite3 *connection = agent->connection;
    bool has_some;
    static const char *const tables[] = {
        "ves_meta",     "ves_streams",        "ves_events", "ves_outbox",
        "ves_entities", "ves_entity_buckets", "ves_counts"};

    enum ves_status status =
        ves_store_sqlite_has_temporary(agent->store, &has_some);
    if (status)
        return ves_agent_fail(agent, status, error,
                              "looking for temporary tables");
    if (!has_some)
        return VES_OK;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (sqlite3_table_column_metadata(connection, "temp", tables[i], NULL,
                                          NULL, NULL, NULL, NULL,
                                          NULL) == SQLITE_OK)
            return ves_fail(error, VES_INVALID,
                            "this connection has a temporary table %s, which "
                            "hides the store's; nothing was appended; drop it",
                            tables[i]);
    }
    return VES_OK;
}

/* 2 is FULL, 3 EXTRA.  Asked each time: the host may change it between two
 * transactions. */
static enum ves_status check_sync(struct ves_agent *agent,
                                  struct ves_error *error)
{
    struct ves_store_sqlite_sync how;

    if (agent->allow_relaxed_sync)
        return VES_OK;
    enum ves_status status = ves_store_sqlite_synchronous(agent->store, &how);
    if (status)
        return ves_agent_fail(agent, status, error,
                              "asking how the connection writes to disk");
    if (!how.has_journal)
        return ves_fail(error, VES_INVALID,
                        "this connection keeps no journal on disk (PRAGMA "
                        "journal_mode is OFF or MEMORY), so a crash in a later "
                        "commit could take committed sales with it; nothing "
                        "was appended; run PRAGMA journal_mode=WAL before the "
                        "transaction, or allow relaxed sync");
    if (how.level >= 2)
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "this connection does not wait for the disk (PRAGMA "
                    "synchronous is %d, below FULL), so a committed sale could "
                    "be lost; nothing was appended; run PRAGMA "
                    "synchronous=FULL before the transaction, or allow relaxed "
                    "sync",
                    how.level);
}

static enum ves_status check_text(const char *what, const char *text,
                                  size_t max, struct ves_error *error)
{
    size_t len = text ? strlen(text) : 0;

    if (len == 0)
        return ves_fail(error, VES_INVALID,
                        "the %s is missing; nothing was appended", what);
    if (len > max)
        return ves_fail(error, VES_LIMIT,
                        "the %s has %zu bytes, the limit is %zu; nothing was "
                        "appended",
                        what, len, max);
    return VES_OK;
}

enum ves_status ves_agent_may_append(struct ves_agent *agent,
                                     struct ves_error *error)
{
    enum ves_status status = ves_agent_need_write(agent, "appending", error);

    if (status)
        return status;
    if (agent->is_joined && is_writing(agent->connection))
        return ves_fail(error, VES_INVALID,
                        "an INSERT, UPDATE or DELETE is still running on this "
                        "connection; nothing was appended; finish it, then "
                        "append with a statement of its own in the same "
                        "transaction");
    if (agent->is_joined)
        status = check_temporary(agent, error);
    return status ? status : check_sync(agent, error);
}

static enum ves_status check_append(struct ves_agent *agent,
                                    const struct ves_append *what,
                                    struct ves_error *error)
{
    enum ves_status status = ves_agent_need_write(agent, "appending", error);

    if (!status)
        status =
            check_text("event type", what->type, VES_EVENT_TYPE_MAX, error);
    if (!status)
        status = check_text("aggregate id", what->aggregate_id,
                            VES_ENTITY_ID_MAX, error);
    if (status)
        return status;
    if (what->dep_count > VES_DEPS_MAX)
        return ves_fail(error, VES_LIMIT,
                        "the event declares %zu dependencies, the limit is %d; "
                        "nothing was appended",
                        what->dep_count, VES_DEPS_MAX);
    if (what->cmd_count > 0 && !what->command_id)
        return ves_fail(error, VES_INVALID,
                        "an atomic group needs a command id; nothing was "
                        "appended");
    return ves_agent_may_append(agent, error);
}

static void fill_append(const struct ves_append *what,
                        struct ves_core_append *out)
{
    memset(out, 0, sizeof(*out));
    out->event_type = ves_bytes_str(what->type);
    out->entity_id = ves_bytes_str(what->aggregate_id);
    out->payload = what->payload;
    if (what->event_id) {
        out->has_event_id = true;
        out->event_id = *what->event_id;
    }
    if (what->command_id) {
        out->has_command_id = true;
        out->command_id = *what->command_id;
    }
    out->cmd_index = what->cmd_index;
    out->cmd_count = what->cmd_count;
    out->has_base_version = what->has_base_version;
    out->base_version = what->base_version;
    out->deps = what->deps;
    out->dep_count = what->dep_count;
}

static enum ves_status append(struct ves_agent *agent,
                              const struct ves_append *what,
                              struct ves_uuid *event_id,
                              struct ves_error *error)
{
    struct ves_core_env env;
    struct ves_core_append core_append;

    ves_agent_start(agent);
    enum ves_status status = check_append(agent, what, error);
    if (!status)
        status = ves_agent_need_key(agent, error);
    if (!status)
        status = ves_random(env.random, sizeof(env.random), error);
    if (status)
        return status;
    env.now_ms = ves_clock_now_ms();
    fill_append(what, &core_append);
    status = ves_core_append(&agent->core, &env, &core_append, event_id);
    return ves_agent_fail(agent, status, error, NULL);
}

/* A caller that went on would commit the rest of its sale without the first
 * half of it. */
static void say_rolled_back(struct ves_error *error)
{
    struct ves_error words;

    if (!error)
        return;
    words = *error;
    /* First, because words that come from a trigger may be long. */
    (void)ves_fail(error, words.status,
                   "the transaction was rolled back as a whole, begin it "
                   "again: %s",
                   words.text);
}

enum ves_status ves_append(struct ves_agent *agent,
                           const struct ves_append *what,
                           struct ves_uuid *event_id, struct ves_error *error)
{
    /* Once here is cheaper than in each of some hundred calls, and nobody else
     * may use the connection in between anyway. */
    struct sqlite3 *connection = ves_store_sqlite_connection(agent->store);
    sqlite3_mutex *mutex = sqlite3_db_mutex(connection);

    sqlite3_mutex_enter(mutex);
    bool was_open = !sqlite3_get_autocommit(connection);
    enum ves_status status = append(agent, what, event_id, error);
    if (status && was_open && sqlite3_get_autocommit(connection))
        say_rolled_back(error);
    sqlite3_mutex_leave(mutex);
    return status;
}

void ves_import_id(const struct ves_agent *agent, const char *format,
                   const char *event_type, const char *number, uint64_t ordinal,
                   struct ves_uuid *out)
{
    static const char tag[] = "VES_IMPORT_V1";
    const char *const texts[] = {format, event_type, number};
    uint8_t lengths[3][4];
    uint8_t ordinal_be[8];
    struct ves_bytes parts[5 + 2 * 3];
    size_t n = 0;
    struct ves_hash hash;

    parts[n++] = ves_bytes(tag, sizeof(tag) - 1);
    parts[n++] = ves_bytes(agent->core.stream.tenant.b, VES_UUID_SIZE);
    parts[n++] = ves_bytes(agent->core.stream.store.b, VES_UUID_SIZE);
    parts[n++] = ves_bytes(agent->core.agent.b, VES_UUID_SIZE);
    for (size_t i = 0; i < 3; i++) {
        struct ves_bytes text = ves_bytes_str(texts[i]);

        VES_ASSERT(text.len <= UINT32_MAX);
        ves_store_u32(lengths[i], (uint32_t)text.len);
        parts[n++] = ves_bytes(lengths[i], sizeof(lengths[i]));
        parts[n++] = text;
    }
    ves_store_u64(ordinal_be, ordinal);
    parts[n++] = ves_bytes(ordinal_be, sizeof(ordinal_be));
    ves_sha256(parts, n, &hash);
    ves_uuid_make_v8(&hash, out);
}

enum ves_status ves_agent_has_event(struct ves_agent *agent,
                                    const struct ves_uuid *event_id,
                                    bool *is_there, struct ves_error *error)
{
    const struct ves_store_ops *ops = agent->store->ops;
    struct ves_outbox_row row;
    struct ves_id_row id;

    ves_agent_start(agent);
    enum ves_status status =
        ops->outbox_get(agent->store, event_id, 1, &agent->arena, &row);
    if (!status && row.local_seq != 0) {
        *is_there = true;
        return VES_OK;
    }
    if (!status)
        status = ops->log_find_ids(agent->store, agent->core.stream_no,
                                   event_id, 1, &id);
    if (!status)
        *is_there = id.sequence_number != 0;
    return ves_agent_fail(agent, status, error, "looking for an event");
}
