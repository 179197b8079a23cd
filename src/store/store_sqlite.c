/* store_sqlite.c -- opening, transactions and backup of the SQLite store. */
#include "store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"
#include "store/store_sqlite_schema.h"
#include "store/store_sqlite_vfs.h"

enum {
    /* Pages of WAL before a commit copies them back: at the default 1,000
     * bulk ingest writes most pages twice (performance.md section 5). */
    WAL_CHECKPOINT_PAGES = 10000,
    /* A WAL that grew further than usual is cut back to this. */
    WAL_KEEP_BYTES = 100 * 1024 * 1024,
    /* Clean pages: few, because SQLite walks its whole cache at many a commit,
     * and what is not in it is in the system's.  Changed ones stay until the
     * commit up to SPILL_PAGES; earlier they would be written twice. */
    CACHE_KIB = 4 * 1024,
    /* Of a device's store: entities are looked up at random places of an index
     * that has 21 MB after a million events, and one process does it, not a
     * dozen connections. */
    DEVICE_CACHE_KIB = 32 * 1024,
    /* Of who reads each page once: a page comes into memory that the processor
     * still has in its cache.  A fifth of what reading costs (ADR 0084). */
    ONCE_CACHE_KIB = 64,
    SPILL_PAGES = 8192,
    SETUP_WAIT_MS = 5000, /* for others who open the same new file */
    SETUP_NAP_MS = 10
};

/* ---- transactions ---------------------------------------------------------
 */

/* Is the transaction that is open certainly a writing one? */
static bool is_writing(sqlite3 *db)
{
    enum { HAS_TXN_STATE = 3034000 };

    return sqlite3_libversion_number() >= HAS_TXN_STATE &&
           sqlite3_txn_state(db, "main") == SQLITE_TXN_WRITE;
}

#define UNDO "ROLLBACK"
/* A constraint broken this way takes the transaction back, too. */
#define UNDO_ANYHOW                     \
    "INSERT OR ROLLBACK INTO ves_meta " \
    "SELECT name, value FROM ves_meta LIMIT 1"

static bool is_prepared(struct ves_sqlite *st, enum ves_sql_id id,
                        const char *text)
{
    struct ves_sql q;

    if (st->cache[id].stmt)
        return true;
    if (ves_sql_open(st, &q, id, text))
        return false;
    ves_sql_close(&q);
    return true;
}

/* When a rollback is needed it is too late to ask for memory.  And the
 * caller's authorizer may forbid transactions. */
static bool can_undo(struct ves_sqlite *st)
{
    bool can = is_prepared(st, VES_SQL_UNDO, UNDO);

    return (st->is_ready &&
            is_prepared(st, VES_SQL_UNDO_ANYHOW, UNDO_ANYHOW)) ||
           can;
}

void ves_sqlite_undo(struct ves_sqlite *st)
{
    enum ves_status status = ves_sql_simple(st, VES_SQL_UNDO, UNDO);

    if (status && st->is_ready)
        status = ves_sql_simple(st, VES_SQL_UNDO_ANYHOW, UNDO_ANYHOW);
    (void)status; /* the second always fails */
}

/* The caller may have begun a reading transaction: being busy should show
 * here, not at some later write. */
static enum ves_status lock_for_writing(struct ves_sqlite *st)
{
    if (!st->is_ready || is_writing(st->db))
        return VES_OK;
    return ves_sql_simple(st, VES_SQL_JOIN_LOCK,
                          "UPDATE ves_meta SET value = value WHERE 0");
}

static enum ves_status begin_joined(struct ves_sqlite *st)
{
    st->joined_spills = ves_sql_spills(st->db);
    enum ves_status status =
        ves_sql_simple(st, VES_SQL_JOIN, "SAVEPOINT ves_joined");

    if (!status)
        status = lock_for_writing(st);
    if (status) {
        sqlite3_exec(st->db, "ROLLBACK TO ves_joined; RELEASE ves_joined", NULL,
                     NULL, NULL);
        return status;
    }
    st->tx = VES_TX_JOINED;
    return VES_OK;
}

static enum ves_status begin_within(struct ves_sqlite *st, bool is_flat)
{
    if (!is_flat || !can_undo(st))
        return begin_joined(st);
    enum ves_status status = lock_for_writing(st);
    if (status)
        return status;
    st->changes = sqlite3_total_changes(st->db);
    st->tx = VES_TX_FLAT;
    ves_sqlite_kept_begin(st);
    return VES_OK;
}

static enum ves_status begin_either(struct ves_store *s, bool is_flat)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;

    VES_ASSERT(st->tx == VES_TX_NONE);
    st->is_failed = false;
    if (st->is_read_only)
        return ves_fail(&s->error, VES_INVALID,
                        "The store is opened for reading only. Nothing was "
                        "changed. Open it for writing.");
    if (!sqlite3_get_autocommit(st->db))
        return begin_within(st, is_flat);
    (void)can_undo(st);
    status = ves_sql_simple(st, VES_SQL_BEGIN, "BEGIN IMMEDIATE");
    if (!status)
        st->tx = VES_TX_OWN;
    return status;
}

static enum ves_status begin(struct ves_store *s)
{
    return begin_either(s, false);
}

static enum ves_status begin_flat(struct ves_store *s)
{
    return begin_either(s, true);
}

/* One file, one writer. */
static enum ves_status begin_streams(struct ves_store *s,
                                     const struct ves_stream *streams,
                                     size_t count)
{
    (void)streams, (void)count;
    return begin_either(s, false);
}

static void rollback_open(struct ves_sqlite *st)
{
    if (st->tx == VES_TX_FLAT && sqlite3_total_changes(st->db) == st->changes)
        return;
    /* Half of it must not stay for the caller to commit. */
    if (st->tx == VES_TX_JOINED && ves_sql_is_torn(st, st->joined_spills)) {
        ves_sqlite_undo(st);
        ves_sql_tell_torn(st);
    } else if (st->tx != VES_TX_JOINED ||
               sqlite3_exec(st->db,
                            "ROLLBACK TO ves_joined; RELEASE ves_joined", NULL,
                            NULL, NULL) != SQLITE_OK) {
        ves_sqlite_undo(st);
    }
}

static void rollback(struct ves_store *s)
{
    struct ves_sqlite *st = ves_sqlite_of(s);

    /* After some failures SQLite has rolled back everything by itself. */
    if (st->tx != VES_TX_NONE && !sqlite3_get_autocommit(st->db))
        rollback_open(st);
    st->tx = VES_TX_NONE;
    st->is_failed = false;
}

static enum ves_status commit(struct ves_store *s)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (st->is_failed || sqlite3_get_autocommit(st->db))
        status = ves_fail(&s->error, VES_IO,
                          "An earlier step of this transaction failed, so all "
                          "of it was rolled back. Nothing was stored. Try "
                          "again.");
    else if (st->tx == VES_TX_OWN)
        status = ves_sql_simple(st, VES_SQL_COMMIT, "COMMIT");
    else if (st->tx == VES_TX_JOINED)
        status = ves_sql_simple(st, VES_SQL_LEAVE, "RELEASE ves_joined");
    else
        status = VES_OK;
    if (status) {
        struct ves_error words = s->error;

        rollback(s);
        s->error = words;
        return status;
    }
    if (st->tx == VES_TX_FLAT)
        ves_sqlite_kept_end(st);
    st->tx = VES_TX_NONE;
    return VES_OK;
}

static enum ves_status begin_read(struct ves_store *s)
{
    struct ves_sqlite *st = ves_sqlite_of(s);

    VES_ASSERT(st->tx == VES_TX_NONE && !st->is_reading &&
               sqlite3_get_autocommit(st->db));
    enum ves_status status = ves_sql_simple(st, VES_SQL_BEGIN_READ, "BEGIN");
    st->is_reading = !status;
    return status;
}

static void end_read(struct ves_store *s)
{
    struct ves_sqlite *st = ves_sqlite_of(s);

    if (st->is_reading)
        (void)!ves_sql_simple(st, VES_SQL_END_READ, "ROLLBACK");
    st->is_reading = false;
}

static const struct ves_store_ops ops = {
    .begin = begin,
    .begin_flat = begin_flat,
    .begin_streams = begin_streams,
    .begin_read = begin_read,
    .end_read = end_read,
    .commit = commit,
    .rollback = rollback,
    .meta_get = ves_sqlite_meta_get,
    .meta_put = ves_sqlite_meta_put,
    .stream_get = ves_sqlite_stream_get,
    .stream_put = ves_sqlite_stream_put,
    .stream_list = ves_sqlite_stream_list,
    .log_head = ves_sqlite_log_head,
    .log_find_ids = ves_sqlite_log_find_ids,
    .log_find_commands = ves_sqlite_log_find_commands,
    .log_append = ves_sqlite_log_append,
    .log_read = ves_sqlite_log_read,
    .log_judge = ves_sqlite_log_judge,
    .log_prune = ves_sqlite_log_prune,
    .log_leaves = ves_sqlite_log_leaves,
    .log_links = ves_sqlite_log_links,
    .log_match = ves_sqlite_log_match,
    .waiting_list = ves_sqlite_waiting_list,
    .log_find_late = ves_sqlite_log_find_late,
    .conflict_get = ves_sqlite_conflict_get,
    .conflict_put = ves_sqlite_conflict_put,
    .conflict_list = ves_sqlite_conflict_list,
    .conflict_counts = ves_sqlite_conflict_counts,
    .member_add = ves_sqlite_member_add,
    .member_list = ves_sqlite_member_list,
    .member_find = ves_sqlite_member_find,
    .verdict_reset = ves_sqlite_verdict_reset,
    .entity_get = ves_sqlite_entity_get,
    .entity_put = ves_sqlite_entity_put,
    .entity_scan = ves_sqlite_entity_scan,
    .entity_reset = ves_sqlite_entity_reset,
    .bucket_get_all = ves_sqlite_bucket_get_all,
    .bucket_mark = ves_sqlite_bucket_mark,
    .bucket_read = ves_sqlite_bucket_read,
    .bucket_put = ves_sqlite_bucket_put,
    .outbox_append = ves_sqlite_outbox_append,
    .outbox_get = ves_sqlite_outbox_get,
    .outbox_list = ves_sqlite_outbox_list,
    .outbox_overlay = ves_sqlite_outbox_overlay,
    .outbox_promised = ves_sqlite_outbox_promised,
    .outbox_update = ves_sqlite_outbox_update,
    .outbox_resign = ves_sqlite_outbox_resign,
    .outbox_counts = ves_sqlite_outbox_counts,
    .outbox_prune = ves_sqlite_outbox_prune,
    .record_append = ves_sqlite_record_append,
    .record_list = ves_sqlite_record_list,
    .record_close = ves_sqlite_record_close,
    .record_count_open = ves_sqlite_record_count_open,
    .follow_get = ves_sqlite_follow_get,
    .follow_put = ves_sqlite_follow_put,
    .kept_head_put = ves_sqlite_kept_head_put,
    .kept_heads_cut = ves_sqlite_kept_heads_cut,
    .log_give_up = ves_sqlite_log_give_up,
    .given_up_read = ves_sqlite_given_up_read,
    .kept_heads_read = ves_sqlite_kept_heads_read,
    .key_get = ves_sqlite_key_get,
    .key_put = ves_sqlite_key_put,
    .key_find = ves_sqlite_key_find,
    .key_span_get = ves_sqlite_key_span_get,
    .key_span_put = ves_sqlite_key_span_put,
    .key_span_forget = ves_sqlite_key_span_forget,
    .key_list = ves_sqlite_key_list,
    .commitment_put = ves_sqlite_commitment_put,
    .commitment_get = ves_sqlite_commitment_get,
    .commitment_covering = ves_sqlite_commitment_covering,
    .commitment_list = ves_sqlite_commitment_list,
    .tlog_get = ves_sqlite_tlog_get,
    .tlog_find = ves_sqlite_tlog_find,
    .tlog_append = ves_sqlite_tlog_append,
    .tlog_sign = ves_sqlite_tlog_sign,
    .tlog_freeze = ves_sqlite_tlog_freeze,
    .cosigned_get = ves_sqlite_cosigned_get,
    .cosigned_put = ves_sqlite_cosigned_put,
    .tile_read = ves_sqlite_tile_read,
    .cursor_get = ves_sqlite_cursor_get,
    .cursor_put = ves_sqlite_cursor_put,
    .agent_policy_get = ves_sqlite_agent_policy_get,
    .agent_policy_put = ves_sqlite_agent_policy_put,
    .agent_policy_list = ves_sqlite_agent_policy_list,
    .credential_get = ves_sqlite_credential_get,
    .credential_put = ves_sqlite_credential_put,
    .credential_list = ves_sqlite_credential_list,
    .invitation_get = ves_sqlite_invitation_get,
    .invitation_put = ves_sqlite_invitation_put,
};

/* ---- an own connection ----------------------------------------------------
 */

static enum ves_status is_there_already(const char *path,
                                        struct ves_error *error)
{
    return ves_fail(error, VES_CONFLICT,
                    "The file %s exists already and was left alone. Name "
                    "another one.",
                    path);
}

/* Makes an empty file only its owner may read: SQLite gives its WAL the same
 * mode, but would make the file itself with the umask's. */
static enum ves_status make_file(const char *path, struct ves_error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
        return VES_OK;
    }
    if (errno == EEXIST)
        return is_there_already(path, error);
    return ves_fail(error, VES_IO,
                    "The file %s cannot be made (%s). Nothing was changed. "
                    "Check the folder and its permissions.",
                    path, strerror(errno));
}

/* SQLite gives "file:..." and ":memory:" a meaning of their own; a path is a
 * path.  false: it does not fit. */
static bool literal_path(const char *path, char *out, size_t size)
{
    int len = snprintf(out, size, "%s%s", path[0] == '/' ? "" : "./", path);

    return len >= 0 && (size_t)len < size;
}

static enum ves_status open_path(struct ves_sqlite *st, const char *path,
                                 bool create, struct ves_error *error)
{
    int flags = st->is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    char literal[PATH_MAX];
    int rc;

    if (!literal_path(path, literal, sizeof literal))
        return ves_fail(error, VES_LIMIT, "The path %s is too long.", path);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        enum ves_status status;

        if (!create || st->is_read_only)
            return ves_fail(error, VES_NOT_FOUND,
                            "There is no file %s. Make a store with \"ves "
                            "init\", or name the right one with --db.",
                            path);
        status = make_file(path, error);
        /* VES_CONFLICT: another process made it in the meantime. */
        if (status && status != VES_CONFLICT)
            return status;
    }
    const char *vfs = st->is_read_only ? NULL : ves_sqlite_vfs_hold();
    st->holds_vfs = vfs != NULL;
    rc = sqlite3_open_v2(literal, &st->db, flags | SQLITE_OPEN_NOMUTEX, vfs);
    if (rc != SQLITE_OK)
        return ves_sql_error(st->db, rc, error);
    sqlite3_extended_result_codes(st->db, 1);
    return VES_OK;
}

/* Turning a new file into a WAL file wants it alone for a moment and does not
 * always wait by itself. */
static enum ves_status exec_patiently(struct ves_sqlite *st, const char *text)
{
    enum ves_status status = VES_BUSY;

    for (int ms = 0; ms < SETUP_WAIT_MS && status == VES_BUSY;
         ms += SETUP_NAP_MS) {
        if (ms > 0)
            sqlite3_sleep(SETUP_NAP_MS);
        status = ves_sql_exec(st, text);
    }
    return status;
}

/* What holds for this connection and leaves the file alone.  No foreign keys:
 * ours have none, and what another table's would do belongs to its owner. */
static enum ves_status settle(struct ves_sqlite *st,
                              const struct ves_store_sqlite_options *options)
{
    char text[256];

    sqlite3_busy_timeout(st->db, options->busy_timeout_ms);
    sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    snprintf(text, sizeof text,
             "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF;"
             " PRAGMA cache_size = -%d; PRAGMA cache_spill = %d;"
             " PRAGMA temp_store = MEMORY",
             options->reads_once            ? ONCE_CACHE_KIB
             : st->role == VES_STORE_DEVICE ? DEVICE_CACHE_KIB
                                            : CACHE_KIB,
             SPILL_PAGES);
    enum ves_status status = ves_sql_exec(st, text);
    return status ? status : ves_sqlite_leaves_define(st);
}

static enum ves_status use_wal(struct ves_sqlite *st)
{
    char text[256];
    enum ves_status status = exec_patiently(st, "PRAGMA journal_mode = WAL");

    if (status)
        return status;
    snprintf(text, sizeof text,
             "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = %d;"
             " PRAGMA journal_size_limit = %d",
             WAL_CHECKPOINT_PAGES, WAL_KEEP_BYTES);
    return ves_sql_exec(st, text);
}

/* SQLite complains that it cannot write, to somebody who only wanted to read.
 */
static void tell_reader(struct ves_sqlite *st)
{
    if (!st->is_own || !st->is_read_only ||
        (sqlite3_errcode(st->db) & 0xff) != SQLITE_READONLY)
        return;
    (void)ves_fail(&st->store.error, VES_IO,
                   "The store cannot be read by a user without the right to "
                   "write to its folder, while nobody else has it open: SQLite "
                   "puts an index beside the file. Nothing was changed. Run "
                   "this as the user who owns the store, or let that user make "
                   "a copy (\"ves backup FILE\") in a folder of yours.");
}

/* ---- the handle -----------------------------------------------------------
 */

static enum ves_status
open_store(struct ves_sqlite *st,
           const struct ves_store_sqlite_options *options,
           struct ves_error *error)
{
    enum ves_status status = VES_OK;
    bool is_current = false;

    st->store.ops = &ops;
    st->is_own = options->connection == NULL;
    st->is_read_only = options->is_read_only;
    st->role = options->role;
    st->db = options->connection;
    if (st->is_own) {
        status = open_path(st, options->path, options->create, error);
        if (status)
            return status;
        status = settle(st, options);
    }
    /* Before the file is touched: it may be somebody else's. */
    if (!status)
        status = ves_sqlite_look(st, ves_sqlite_migrations,
                                 ves_sqlite_migrations_count, options->create,
                                 &is_current);
    if (!status && st->is_own && !st->is_read_only)
        status = use_wal(st);
    if (!status && !is_current)
        status =
            ves_sqlite_migrate(st, ves_sqlite_migrations,
                               ves_sqlite_migrations_count, options->create);
    if (status)
        tell_reader(st);
    if (status && error)
        *error = st->store.error;
    st->is_ready = !status;
    return status;
}

enum ves_status
ves_store_sqlite_open(const struct ves_store_sqlite_options *options,
                      const struct ves_alloc *alloc, struct ves_store **out,
                      struct ves_error *error)
{
    struct ves_sqlite *st = alloc->realloc(alloc->ctx, NULL, sizeof *st);
    enum ves_status status;

    VES_ASSERT(options->connection || options->path);
    if (!st)
        return ves_fail(error, VES_NOMEM, "There is not enough memory.");
    memset(st, 0, sizeof *st);
    st->alloc = alloc;
    status = open_store(st, options, error);
    if (status) {
        ves_store_sqlite_close(&st->store);
        return status;
    }
    memset(&st->store.error, 0, sizeof st->store.error);
    *out = &st->store;
    return VES_OK;
}

void ves_store_sqlite_forget_statements(struct ves_store *store)
{
    struct ves_sqlite *st = ves_sqlite_of(store);

    for (size_t i = 0; i < VES_SQL_COUNT; i++) {
        VES_ASSERT(!st->cache[i].is_taken);
        sqlite3_finalize(st->cache[i].stmt);
        st->cache[i].stmt = NULL;
    }
}

void ves_store_sqlite_close(struct ves_store *store)
{
    struct ves_sqlite *st = ves_sqlite_of(store);

    if (!store)
        return;
    rollback(store);
    ves_store_sqlite_forget_statements(store);
    if (st->is_own)
        sqlite3_close_v2(st->db);
    if (st->holds_vfs)
        ves_sqlite_vfs_release();
    st->alloc->realloc(st->alloc->ctx, st, 0);
}

struct sqlite3 *ves_store_sqlite_connection(struct ves_store *store)
{
    return ves_sqlite_of(store)->db;
}

enum ves_status ves_store_sqlite_has_temporary(struct ves_store *store,
                                               bool *has)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        ves_sqlite_of(store), &q, VES_SQL_TEMPORARY,
        "SELECT 1 FROM sqlite_temp_master WHERE lower(substr(name, 1, 4)) ="
        " 'ves_' LIMIT 1");

    if (status)
        return status;
    status = ves_sql_row(&q);
    *has = status == VES_OK;
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* ---- backup ---------------------------------------------------------------
 */

/* The whole copy in one step is one reading transaction: a snapshot that no
 * writer disturbs and that disturbs none. */
static enum ves_status copy_into(struct ves_sqlite *st, sqlite3 *target,
                                 struct ves_error *error)
{
    sqlite3_backup *backup =
        sqlite3_backup_init(target, "main", st->db, "main");
    int rc;

    if (!backup)
        return ves_sql_error(target, sqlite3_errcode(target), error);
    sqlite3_backup_step(backup, -1);
    rc = sqlite3_backup_finish(backup);
    return rc == SQLITE_OK ? VES_OK : ves_sql_error(target, rc, error);
}

/* A copy that becomes a store has to know that it is one. */
static enum ves_status mark_copy(const struct ves_sqlite *st, sqlite3 *target,
                                 struct ves_error *error)
{
    if (st->role != VES_STORE_DEVICE)
        return VES_OK;
    int rc = sqlite3_exec(target,
                          "INSERT OR REPLACE INTO ves_meta (name, value)"
                          " VALUES ('" VES_STORE_BACKUP "', '1')",
                          NULL, NULL, NULL);
    return rc == SQLITE_OK ? VES_OK : ves_sql_error(target, rc, error);
}

/* The name is durable only when its folder is. */
static enum ves_status sync_folder(const char *path, struct ves_error *error)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 1;
    int fd, failed;

    if (len >= sizeof folder)
        return ves_fail(error, VES_LIMIT, "The path %s is too long.", path);
    memcpy(folder, slash ? path : ".", len);
    folder[len] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    failed = fd < 0 || fsync(fd) != 0;
    if (fd >= 0)
        close(fd);
    if (!failed)
        return VES_OK;
    return ves_fail(error, VES_IO,
                    "The folder %s could not be made durable (%s). There is no "
                    "backup.",
                    folder, strerror(errno));
}

/* Copies into a new file; what is left after a failure is taken away. */
static enum ves_status copy_to(struct ves_sqlite *st, const char *literal,
                               bool is_durable, struct ves_error *error)
{
    sqlite3 *target = NULL;
    enum ves_status status = make_file(literal, error);
    int rc;

    if (status)
        return status;
    rc = sqlite3_open_v2(literal, &target,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK && !is_durable)
        rc = sqlite3_exec(target, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        status = ves_sql_error(target, rc, error);
    else
        status = copy_into(st, target, error);
    if (!status)
        status = mark_copy(st, target, error);
    rc = sqlite3_close(target);
    if (!status && rc != SQLITE_OK)
        status = ves_sql_error(NULL, rc, error);
    if (status)
        unlink(literal);
    return status;
}

/* Gives the finished copy its name, unless somebody has taken it. */
static enum ves_status give_name(const char *part, const char *path,
                                 struct ves_error *error)
{
    int failed = renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE);

    /* Not every file system knows how to leave a file alone. */
    if (failed && (errno == EINVAL || errno == ENOSYS)) {
        errno = EEXIST;
        failed = access(path, F_OK) == 0 || rename(part, path) != 0;
    }
    if (!failed)
        return VES_OK;
    if (errno == EEXIST)
        return is_there_already(path, error);
    return ves_fail(error, VES_IO,
                    "The copy could not be named %s (%s). There is no backup.",
                    path, strerror(errno));
}

/* May it be copied, and what is that path to SQLite? */
static enum ves_status may_copy(const struct ves_sqlite *st, const char *path,
                                char literal[PATH_MAX], struct ves_error *error)
{
    if (!sqlite3_get_autocommit(st->db))
        return ves_fail(error, VES_INVALID,
                        "A transaction is open; a backup would hold what may "
                        "never be committed. No backup was made. Commit "
                        "first.");
    if (!literal_path(path, literal, PATH_MAX))
        return ves_fail(error, VES_LIMIT, "The path %s is too long.", path);
    return VES_OK;
}

enum ves_status ves_store_sqlite_copy(struct ves_store *store, const char *path,
                                      struct ves_error *error)
{
    struct ves_sqlite *st = ves_sqlite_of(store);
    char literal[PATH_MAX];
    enum ves_status status = may_copy(st, path, literal, error);

    return status ? status : copy_to(st, literal, false, error);
}

enum ves_status ves_store_sqlite_backup(struct ves_store *store,
                                        const char *path,
                                        struct ves_error *error)
{
    struct ves_sqlite *st = ves_sqlite_of(store);
    char literal[PATH_MAX], part[PATH_MAX + 32];
    enum ves_status status = may_copy(st, path, literal, error);

    if (status)
        return status;
    if (access(literal, F_OK) == 0)
        return is_there_already(path, error);
    /* Whatever happens on the way, the name is that of a whole copy only. */
    snprintf(part, sizeof part, "%s.part-%ld", literal, (long)getpid());
    status = copy_to(st, part, true, error);
    if (status)
        return status;
    status = give_name(part, literal, error);
    if (status) {
        unlink(part);
        return status;
    }
    status = sync_folder(path, error);
    if (status)
        unlink(literal);
    return status;
}
