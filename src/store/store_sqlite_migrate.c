/* store_sqlite_migrate.c -- where a file stands, and bringing it up to date. */
#include <string.h>

#include "base/error.h"
#include "store/store_sqlite_check.h"
#include "store/store_sqlite_internal.h"
#include "store/store_sqlite_schema.h"

/* ---- where a file stands --------------------------------------------------
 */

static const char *const role_names[] = {"device", "sequencer"};

/* First column of the first row of text, 0 when there is none. */
static enum ves_status ask(struct ves_sqlite *st, const char *text,
                           int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(st->db, text, -1, 0, &stmt, NULL);

    *out = 0;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            *out = sqlite3_column_int64(stmt, 0);
        if (rc == SQLITE_ROW || rc == SQLITE_DONE)
            rc = SQLITE_OK;
        sqlite3_finalize(stmt);
    }
    return rc == SQLITE_OK ? VES_OK : ves_sql_fail(st, rc);
}

struct standing {
    int64_t version; /* 0: no tables of ours */
    int64_t tables;  /* of anybody, ours included */
    bool is_other_role;
};

static enum ves_status find_standing(struct ves_sqlite *st,
                                     struct standing *out)
{
    int64_t is_device;
    bool has_schema;

    memset(out, 0, sizeof *out);
    enum ves_status status = ves_sqlite_check_version(st, &has_schema);
    if (!status)
        status = ask(st,
                     "SELECT count(*) FROM main.sqlite_master"
                     " WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                     &out->tables);
    if (status || !has_schema)
        return status;
    status = ask(st, "SELECT version FROM main.ves_schema", &out->version);
    if (!status)
        status =
            ask(st, "SELECT role = 'device' FROM main.ves_schema", &is_device);
    if (status)
        return status;
    out->is_other_role = (st->role == VES_STORE_DEVICE) != (is_device != 0);
    if (out->version < 1)
        return ves_fail(&st->store.error, VES_CORRUPT,
                        "The table ves_schema does not say which version the "
                        "store has. Nothing was changed. Keep the file and "
                        "restore a backup.");
    return VES_OK;
}

/* Is this a file of a version and role we may go on with? */
static enum ves_status check_standing(struct ves_sqlite *st,
                                      const struct standing *at, uint32_t count,
                                      bool can_create)
{
    struct ves_error *error = &st->store.error;

    if (at->version == 0 && (!can_create || st->is_read_only))
        return ves_fail(error, VES_NOT_FOUND,
                        "There is no VES store in this database. Make one with "
                        "\"ves init\" (or \"ves serve\" for a sequencer).");
    if (at->version == 0 && st->role == VES_STORE_SEQUENCER && at->tables > 0)
        return ves_fail(error, VES_INVALID,
                        "The file holds other tables; a sequencer needs a "
                        "database of its own. Nothing was changed. Name "
                        "another file.");
    if (at->version > count)
        return ves_fail(error, VES_UNSUPPORTED,
                        "The store was written by a newer program (schema "
                        "version %lld, this program knows %u). Nothing was "
                        "changed. Upgrade this program.",
                        (long long)at->version, count);
    if (at->version > 0 && at->is_other_role)
        return ves_fail(error, VES_INVALID,
                        "The file is the store of a %s, not of a %s. Nothing "
                        "was changed. Name another file.",
                        role_names[st->role == VES_STORE_DEVICE],
                        role_names[st->role != VES_STORE_DEVICE]);
    if (at->version < count && st->is_read_only)
        return ves_fail(error, VES_UNSUPPORTED,
                        "The store has an older schema (version %lld, this "
                        "program wants %u) and is opened for reading only. "
                        "Open it once for writing to upgrade it.",
                        (long long)at->version, count);
    return VES_OK;
}

static enum ves_status look(struct ves_sqlite *st,
                            const struct ves_sqlite_migration *migrations,
                            uint32_t count, bool can_create,
                            struct standing *at)
{
    enum ves_status status = find_standing(st, at);

    if (!status)
        status = check_standing(st, at, count, can_create);
    return status
               ? status
               : ves_sqlite_check_schema(st, migrations, (uint32_t)at->version);
}

enum ves_status ves_sqlite_look(struct ves_sqlite *st,
                                const struct ves_sqlite_migration *migrations,
                                uint32_t count, bool can_create,
                                bool *is_current)
{
    struct standing at;
    enum ves_status status = look(st, migrations, count, can_create, &at);

    *is_current = !status && at.version == count;
    return status;
}

/* ---- moving on ------------------------------------------------------------
 */

static enum ves_status run_scripts(struct ves_sqlite *st,
                                   const char *const *const *scripts)
{
    for (; *scripts; scripts++) {
        for (const char *const *text = *scripts; *text; text++) {
            enum ves_status status = ves_sql_exec(st, *text);

            if (status)
                return status;
        }
    }
    return VES_OK;
}

static enum ves_status write_version(struct ves_sqlite *st, uint32_t version)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(
        st->db,
        "INSERT INTO main.ves_schema (only, version, role, application_id,"
        " written_by) VALUES (1, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET"
        " version = excluded.version, written_by = excluded.written_by",
        -1, 0, &stmt, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, version);
        sqlite3_bind_text(stmt, 2, role_names[st->role], -1, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 3, VES_SQLITE_APPLICATION_ID);
        sqlite3_bind_text(stmt, 4, "ves " VES_VERSION, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
        sqlite3_finalize(stmt);
    }
    return rc == SQLITE_DONE ? VES_OK : ves_sql_fail(st, rc);
}

static enum ves_status move_on(struct ves_sqlite *st,
                               const struct ves_sqlite_migration *migrations,
                               uint32_t count, bool can_create)
{
    struct standing at;
    /* Somebody else may have moved it while we waited for the lock. */
    enum ves_status status = look(st, migrations, count, can_create, &at);

    if (status || at.version == count)
        return status;
    if (st->is_own && at.tables == 0) {
        status = ves_sql_exec(st, "PRAGMA application_id = 1447383908");
        if (status)
            return status;
    }
    for (uint32_t i = (uint32_t)at.version; i < count; i++) {
        status = run_scripts(st, st->role == VES_STORE_DEVICE
                                     ? migrations[i].device
                                     : migrations[i].sequencer);
        if (status)
            return status;
    }
    return write_version(st, count);
}

enum ves_status
ves_sqlite_migrate(struct ves_sqlite *st,
                   const struct ves_sqlite_migration *migrations,
                   uint32_t count, bool can_create)
{
    bool is_current;
    enum ves_status status =
        ves_sqlite_look(st, migrations, count, can_create, &is_current);

    if (status || is_current)
        return status;
    status = st->store.ops->begin(&st->store);
    if (status)
        return status;
    status = move_on(st, migrations, count, can_create);
    if (status) {
        struct ves_error words = st->store.error;

        st->store.ops->rollback(&st->store);
        st->store.error = words;
        return status;
    }
    return st->store.ops->commit(&st->store);
}
