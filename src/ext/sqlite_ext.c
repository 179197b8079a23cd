/* sqlite_ext.c -- VES as SQL functions, a loadable SQLite extension.
 *
 *   ves_append(type, aggregate_id, payload [, options])  -> event id
 *     options: JSON {"commandId", "baseVersion", "eventId"}
 *   ves_status()                    JSON, as `ves status --json`
 *   ves_outbox([status [, limit [, after_local_sequence]]])   JSON
 *   ves_entity(type, aggregate_id)  JSON with sequenced and local state, or
 *                                   NULL when this store knows no such thing
 *   ves_why(event_id)               JSON, why the event is where it is
 *   ves_state_hash()                64 digits
 *   ves_config(name [, value])      "allow_relaxed_sync": 0 or 1
 *   ves_version()
 *
 * The store is the connection's main database, its key lies beside it.  A
 * sealed key is opened with the passphrase in the file that the environment
 * variable VES_PASSPHRASE_FILE names.  Everything but ves_version is
 * direct-only: no trigger and no view of a hostile file can sign or look.
 *
 * One agent serves a connection from the first call on.  It holds prepared
 * statements, with which sqlite3_close() would refuse to close; that is why it
 * is tied to an eponymous virtual table, which SQLite disconnects before it
 * looks for statements.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "os/file.h"
#include "store/sqlite_api.h"
#include "json/json.h"

SQLITE_EXTENSION_INIT1

enum {
    /* 3.31: older ones do not know direct-only functions and would let a
     * trigger sign. */
    SQLITE_VERSION_MIN = 3031000,
    DOCUMENT_MAX = 64 * 1024 * 1024,
    OPTIONS_ARENA_MAX = 64 * 1024,
    OUTBOX_LIMIT = 100
};

/* One per connection that loaded the extension. */
struct session {
    sqlite3 *db;
    unsigned references; /* functions, the module, the table */
    bool allow_relaxed_sync;
    struct ves_agent *agent; /* NULL until the first call */
};

/* ---- the session's life -------------------------------------------------- */

static void drop_session(void *ptr)
{
    struct session *session = ptr;

    if (--session->references > 0)
        return;
    ves_agent_close(session->agent);
    sqlite3_free(session);
}

struct session_table {
    sqlite3_vtab base; /* first: SQLite is given its address */
    struct session *session;
};

static int table_connect(sqlite3 *db, void *aux, int argc,
                         const char *const *argv, sqlite3_vtab **out,
                         char **error)
{
    struct session_table *table;

    (void)argc;
    (void)argv;
    (void)error;
    int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(unused)");
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    table = sqlite3_malloc(sizeof(*table));
    if (!table)
        return SQLITE_NOMEM;
    memset(table, 0, sizeof(*table));
    table->session = aux;
    table->session->references++;
    *out = &table->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base)
{
    struct session_table *table = (struct session_table *)base;

    ves_agent_close(table->session->agent);
    table->session->agent = NULL;
    drop_session(table->session);
    sqlite3_free(table);
    return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    info->estimatedCost = 1;
    return SQLITE_OK;
}

static int table_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    (void)base;
    *out = sqlite3_malloc(sizeof(**out));
    if (!*out)
        return SQLITE_NOMEM;
    memset(*out, 0, sizeof(**out));
    return SQLITE_OK;
}

static int table_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int table_filter(sqlite3_vtab_cursor *cursor, int number,
                        const char *text, int argc, sqlite3_value **argv)
{
    (void)cursor;
    (void)number;
    (void)text;
    (void)argc;
    (void)argv;
    return SQLITE_OK;
}

static int table_next(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return SQLITE_OK;
}

static int table_eof(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return 1; /* it is always empty */
}

static int table_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context,
                        int column)
{
    (void)cursor;
    (void)column;
    sqlite3_result_null(context);
    return SQLITE_OK;
}

static int table_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
    (void)cursor;
    *out = 0;
    return SQLITE_OK;
}

/* Without xCreate it is eponymous only: it exists under the module's name and
 * nobody can make another. */
static const sqlite3_module session_module = {
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = table_open,
    .xClose = table_close,
    .xFilter = table_filter,
    .xNext = table_next,
    .xEof = table_eof,
    .xColumn = table_column,
    .xRowid = table_rowid,
};

/* Connects the table, so that it will be disconnected at close. */
static bool tie(struct session *session)
{
    sqlite3_stmt *stmt = NULL;

    int rc = sqlite3_prepare_v2(session->db, "SELECT 1 FROM ves_session", -1,
                                &stmt, NULL);
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK;
}

/* ---- the agent ------------------------------------------------------------
 */

static int read_passphrase(void *ctx, char *out, size_t size)
{
    const char *path = secure_getenv("VES_PASSPHRASE_FILE");
    size_t len;

    (void)ctx;
    if (!path || ves_file_read_secret(path, out, size, &len, NULL))
        return -1;
    while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r'))
        len--;
    return (int)len;
}

static enum ves_status need_agent(struct session *session,
                                  struct ves_error *error)
{
    const struct ves_agent_options options = {
        .connection = session->db,
        .is_read_only = sqlite3_db_readonly(session->db, "main") == 1,
        .passphrase = read_passphrase,
    };

    if (session->agent)
        return VES_OK;
    enum ves_status status = ves_agent_open(&options, &session->agent, error);
    if (status)
        return status;
    session->agent->allow_relaxed_sync = session->allow_relaxed_sync;
    if (tie(session))
        return VES_OK;
    ves_agent_close(session->agent);
    session->agent = NULL;
    return ves_fail(error, VES_IO,
                    "the extension could not tie itself to the connection: %s",
                    sqlite3_errmsg(session->db));
}

/* ---- arguments and results ----------------------------------------------- */

static void result_error(sqlite3_context *context, const char *function,
                         const struct ves_error *error)
{
    char *text = sqlite3_mprintf("%s: %s", function, error->text);

    if (text) {
        sqlite3_result_error(context, text, -1);
        if (error->status == VES_BUSY)
            sqlite3_result_error_code(context, SQLITE_BUSY);
        if (error->status == VES_NOMEM)
            sqlite3_result_error_code(context, SQLITE_NOMEM);
    } else {
        sqlite3_result_error_nomem(context);
    }
    sqlite3_free(text);
}

/* Text without a NUL inside.  Numbers are taken as their text. */
static bool get_text(sqlite3_value *value, const char *what, const char **out,
                     struct ves_error *error)
{
    int type = sqlite3_value_type(value);

    if (type == SQLITE_NULL || type == SQLITE_BLOB) {
        ves_fail(error, VES_INVALID, "the %s must be text", what);
        return false;
    }
    *out = (const char *)sqlite3_value_text(value);
    if (!*out) {
        ves_fail(error, VES_NOMEM, "out of memory");
        return false;
    }
    if (strlen(*out) != (size_t)sqlite3_value_bytes(value)) {
        ves_fail(error, VES_INVALID, "the %s must not hold a NUL", what);
        return false;
    }
    return true;
}

static bool get_bytes(sqlite3_value *value, const char *what,
                      struct ves_bytes *out, struct ves_error *error)
{
    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        ves_fail(error, VES_INVALID, "the %s must be JSON text", what);
        return false;
    }
    const void *text = sqlite3_value_text(value);
    if (!text) {
        ves_fail(error, VES_NOMEM, "out of memory");
        return false;
    }
    *out = ves_bytes(text, (size_t)sqlite3_value_bytes(value));
    return true;
}

struct session_options {
    bool has_event_id, has_command_id, has_base_version;
    struct ves_uuid event_id, command_id;
    uint64_t base_version;
};

static enum ves_status read_option(const struct ves_json *member,
                                   struct session_options *out,
                                   struct ves_error *error)
{
    bool is_event = ves_bytes_is(member->key, "eventId");
    bool is_text = member->type == VES_JSON_STRING;

    if (is_event || ves_bytes_is(member->key, "commandId")) {
        struct ves_uuid *to = is_event ? &out->event_id : &out->command_id;
        if (!is_text || ves_uuid_parse(member->string, to))
            return ves_fail(error, VES_INVALID,
                            "the option %s must be a UUID; nothing was "
                            "appended",
                            is_event ? "eventId" : "commandId");
        out->has_event_id |= is_event;
        out->has_command_id |= !is_event;
        return VES_OK;
    }
    if (ves_bytes_is(member->key, "baseVersion")) {
        if (!ves_json_as_u64(member, &out->base_version))
            return ves_fail(error, VES_INVALID,
                            "the option baseVersion must be a number from 0 to "
                            "2^53-1; nothing was appended");
        out->has_base_version = true;
        return VES_OK;
    }
    return ves_fail(error, VES_INVALID,
                    "there is no option \"%.*s\": they are commandId, "
                    "baseVersion and eventId; nothing was appended",
                    (int)(member->key.len < 64 ? member->key.len : 64),
                    (const char *)member->key.ptr);
}

static enum ves_status read_options(struct ves_arena *arena,
                                    struct ves_bytes text,
                                    struct session_options *out,
                                    struct ves_error *error)
{
    struct ves_json_where where = {0, ""};
    const struct ves_json *root;

    enum ves_status status = ves_json_read(arena, text, NULL, &root, &where);
    if (status)
        return ves_fail(error, status,
                        "the options are not valid JSON at byte %zu: %s; "
                        "nothing was appended",
                        where.offset, where.reason);
    if (root->type != VES_JSON_OBJECT)
        return ves_fail(error, VES_INVALID,
                        "the options must be a JSON object; nothing was "
                        "appended");
    for (const struct ves_json *member = root->first; member;
         member = member->next) {
        if (ves_json_is_absent(member))
            continue;
        status = read_option(member, out, error);
        if (status)
            return status;
    }
    return VES_OK;
}

/* ---- functions ----------------------------------------------------------- */

static enum ves_status append(struct session *session, int argc,
                              sqlite3_value **argv, struct ves_uuid *event_id,
                              struct ves_error *error)
{
    struct session_options options = {0};
    struct ves_append what = {0};
    struct ves_bytes text;

    if (!get_text(argv[0], "event type", &what.type, error) ||
        !get_text(argv[1], "aggregate id", &what.aggregate_id, error) ||
        !get_bytes(argv[2], "payload", &what.payload, error))
        return error->status;
    if (argc > 3 && sqlite3_value_type(argv[3]) != SQLITE_NULL) {
        struct ves_arena arena;

        if (!get_bytes(argv[3], "options", &text, error))
            return error->status;
        ves_arena_init(&arena, ves_alloc_default(), OPTIONS_ARENA_MAX);
        enum ves_status status = read_options(&arena, text, &options, error);
        ves_arena_free(&arena);
        if (status)
            return status;
    }
    what.event_id = options.has_event_id ? &options.event_id : NULL;
    what.command_id = options.has_command_id ? &options.command_id : NULL;
    what.has_base_version = options.has_base_version;
    what.base_version = options.base_version;
    enum ves_status status = need_agent(session, error);
    return status ? status : ves_append(session->agent, &what, event_id, error);
}

static void sql_append(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_uuid event_id;
    char text[VES_UUID_TEXT + 1];
    sqlite3 *db = sqlite3_context_db_handle(context);
    bool was_open = !sqlite3_get_autocommit(db);

    if (append(sqlite3_user_data(context), argc, argv, &event_id, &error)) {
        /* Who is busy tries this statement again, and the sale that was to go
         * with it is gone. */
        if (was_open && sqlite3_get_autocommit(db))
            error.status = VES_IO;
        result_error(context, "ves_append", &error);
        return;
    }
    ves_uuid_format(&event_id, text);
    sqlite3_result_text(context, text, VES_UUID_TEXT, SQLITE_TRANSIENT);
}

/* Writes the document of one function into jw. */
typedef enum ves_status document(struct ves_agent *agent, int argc,
                                 sqlite3_value **argv, struct ves_jw *jw,
                                 struct ves_error *error);

static void answer(sqlite3_context *context, const char *function,
                   document *write, int argc, sqlite3_value **argv)
{
    struct session *session = sqlite3_user_data(context);
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = ves_jw_new(ves_alloc_default(), DOCUMENT_MAX);

    if (!jw) {
        sqlite3_result_error_nomem(context);
        return;
    }
    enum ves_status status = need_agent(session, &error);
    if (!status)
        status = write(session->agent, argc, argv, jw, &error);
    struct ves_bytes text = ves_jw_view(jw);
    if (status)
        result_error(context, function, &error);
    else if (text.len == 0)
        sqlite3_result_null(context);
    else
        sqlite3_result_text64(context, (const char *)text.ptr, text.len,
                              SQLITE_TRANSIENT, SQLITE_UTF8);
    ves_jw_free(jw);
}

static enum ves_status write_status(struct ves_agent *agent, int argc,
                                    sqlite3_value **argv, struct ves_jw *jw,
                                    struct ves_error *error)
{
    (void)argc;
    (void)argv;
    return ves_agent_status(agent, jw, error);
}

static void sql_status(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    answer(context, "ves_status", write_status, argc, argv);
}

static enum ves_status write_outbox(struct ves_agent *agent, int argc,
                                    sqlite3_value **argv, struct ves_jw *jw,
                                    struct ves_error *error)
{
    const char *status = NULL;
    sqlite3_int64 limit = OUTBOX_LIMIT, after = 0;

    if (argc > 0 && sqlite3_value_type(argv[0]) != SQLITE_NULL &&
        !get_text(argv[0], "status", &status, error))
        return error->status;
    if (argc > 1)
        limit = sqlite3_value_int64(argv[1]);
    if (argc > 2)
        after = sqlite3_value_int64(argv[2]);
    if (limit < 1 || limit > VES_AGENT_PAGE_MAX || after < 0)
        return ves_fail(error, VES_INVALID,
                        "the limit must be a number from 1 to %d, and what "
                        "comes after it not be negative",
                        VES_AGENT_PAGE_MAX);
    return ves_agent_outbox(agent, status, (uint32_t)limit, (uint64_t)after, jw,
                            error);
}

static void sql_outbox(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    answer(context, "ves_outbox", write_outbox, argc, argv);
}

static enum ves_status write_entity(struct ves_agent *agent, int argc,
                                    sqlite3_value **argv, struct ves_jw *jw,
                                    struct ves_error *error)
{
    const char *type, *id;

    (void)argc;
    if (!get_text(argv[0], "entity type", &type, error) ||
        !get_text(argv[1], "aggregate id", &id, error))
        return error->status;
    enum ves_status status = ves_agent_entity(agent, type, id, jw, error);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

static void sql_entity(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    answer(context, "ves_entity", write_entity, argc, argv);
}

static enum ves_status write_why(struct ves_agent *agent, int argc,
                                 sqlite3_value **argv, struct ves_jw *jw,
                                 struct ves_error *error)
{
    const char *text;
    struct ves_uuid event_id;

    (void)argc;
    if (!get_text(argv[0], "event id", &text, error))
        return error->status;
    if (ves_uuid_parse(ves_bytes_str(text), &event_id))
        return ves_fail(error, VES_INVALID, "the event id must be a UUID");
    return ves_agent_why(agent, &event_id, jw, error);
}

static void sql_why(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    answer(context, "ves_why", write_why, argc, argv);
}

static void sql_state_hash(sqlite3_context *context, int argc,
                           sqlite3_value **argv)
{
    struct session *session = sqlite3_user_data(context);
    struct ves_error error = {VES_OK, ""};
    struct ves_hash hash;
    uint64_t at_sequence;
    char text[2 * VES_HASH_SIZE];

    (void)argc;
    (void)argv;
    enum ves_status status = need_agent(session, &error);
    if (!status)
        status =
            ves_agent_state_hash(session->agent, &hash, &at_sequence, &error);
    if (status) {
        result_error(context, "ves_state_hash", &error);
        return;
    }
    ves_hex_encode(hash.b, VES_HASH_SIZE, text);
    sqlite3_result_text(context, text, sizeof(text), SQLITE_TRANSIENT);
}

static void sql_config(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct session *session = sqlite3_user_data(context);
    struct ves_error error = {VES_OK, ""};
    const char *name;

    if (get_text(argv[0], "name", &name, &error) &&
        strcmp(name, "allow_relaxed_sync") != 0)
        ves_fail(&error, VES_INVALID,
                 "there is no such thing to configure; it is "
                 "allow_relaxed_sync");
    if (!error.status && argc > 1) {
        int value = sqlite3_value_int(argv[1]);

        if (sqlite3_value_type(argv[1]) != SQLITE_INTEGER || value < 0 ||
            value > 1)
            ves_fail(&error, VES_INVALID, "allow_relaxed_sync is 0 or 1");
        else
            session->allow_relaxed_sync = value == 1;
    }
    if (error.status) {
        result_error(context, "ves_config", &error);
        return;
    }
    if (session->agent)
        session->agent->allow_relaxed_sync = session->allow_relaxed_sync;
    sqlite3_result_int(context, session->allow_relaxed_sync);
}

static void sql_version(sqlite3_context *context, int argc,
                        sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_text(context, VES_VERSION, -1, SQLITE_STATIC);
}

/* ---- registration -------------------------------------------------------- */

static const struct {
    const char *name;
    int argc;
    int flags;
    void (*call)(sqlite3_context *, int, sqlite3_value **);
} functions[] = {
    {"ves_append", 3, SQLITE_DIRECTONLY, sql_append},
    {"ves_append", 4, SQLITE_DIRECTONLY, sql_append},
    {"ves_status", 0, SQLITE_DIRECTONLY, sql_status},
    {"ves_outbox", 0, SQLITE_DIRECTONLY, sql_outbox},
    {"ves_outbox", 1, SQLITE_DIRECTONLY, sql_outbox},
    {"ves_outbox", 2, SQLITE_DIRECTONLY, sql_outbox},
    {"ves_outbox", 3, SQLITE_DIRECTONLY, sql_outbox},
    {"ves_entity", 2, SQLITE_DIRECTONLY, sql_entity},
    {"ves_why", 1, SQLITE_DIRECTONLY, sql_why},
    {"ves_state_hash", 0, SQLITE_DIRECTONLY, sql_state_hash},
    {"ves_config", 1, SQLITE_DIRECTONLY, sql_config},
    {"ves_config", 2, SQLITE_DIRECTONLY, sql_config},
    {"ves_version", 0, SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, sql_version},
};

static int register_all(sqlite3 *db, struct session *session)
{
    int rc = SQLITE_OK;

    /* SQLite gives each reference back through drop_session, also when
     * registering fails. */
    for (size_t i = 0;
         i < sizeof(functions) / sizeof(functions[0]) && rc == SQLITE_OK; i++) {
        session->references++;
        rc = sqlite3_create_function_v2(
            db, functions[i].name, functions[i].argc,
            SQLITE_UTF8 | functions[i].flags, session, functions[i].call, NULL,
            NULL, drop_session);
    }
    if (rc != SQLITE_OK)
        return rc;
    session->references++;
    return sqlite3_create_module_v2(db, "ves_session", &session_module, session,
                                    drop_session);
}

__attribute__((visibility("default"))) int
sqlite3_extension_init(sqlite3 *db, char **error,
                       const sqlite3_api_routines *api);

int sqlite3_extension_init(sqlite3 *db, char **error,
                           const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api)

    if (sqlite3_libversion_number() < SQLITE_VERSION_MIN) {
        *error = sqlite3_mprintf(
            "ves needs SQLite 3.31 or newer, this is %s: older ones would let "
            "a trigger sign",
            sqlite3_libversion());
        return SQLITE_ERROR;
    }
    if (ves_crypto_init()) {
        *error = sqlite3_mprintf(VES_CRYPTO_WORDS);
        return SQLITE_ERROR;
    }
    struct session *session = sqlite3_malloc(sizeof(*session));
    if (!session)
        return SQLITE_NOMEM;
    memset(session, 0, sizeof(*session));
    session->db = db;
    session->references = 1;
    int rc = register_all(db, session);
    drop_session(session);
    if (rc != SQLITE_OK)
        *error = sqlite3_mprintf("ves could not register its functions: %s",
                                 sqlite3_errmsg(db));
    return rc;
}
