/* store_sqlite_check.c -- is what begins with ves_ in a file made by us? */
#include "store/store_sqlite_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"

/* Rows without a text are the indexes of UNIQUE, which stand in the text of
 * their table. */
#define OURS                                                         \
    "SELECT type, name, tbl_name, sql FROM main.sqlite_master"       \
    " WHERE sql IS NOT NULL AND (lower(substr(name, 1, 4)) = 'ves_'" \
    " OR lower(substr(tbl_name, 1, 4)) = 'ves_') ORDER BY name, type"

enum { COLUMNS = 4, NAME_MAX_SHOWN = 60 };

/* The name goes to terminals and to agents, so nothing of it but letters,
 * digits and _ does. */
static void show(sqlite3_stmt *row, int column, char out[NAME_MAX_SHOWN + 1])
{
    const unsigned char *name = sqlite3_column_text(row, column);
    size_t len = 0;

    for (; name && name[len] && len < NAME_MAX_SHOWN; len++)
        out[len] =
            isalnum(name[len]) || name[len] == '_' ? (char)name[len] : '?';
    out[len] = '\0';
}

/* ---- what there should be -------------------------------------------------
 */

/* A database in memory as the migrations up to version leave it. */
static int make_model(const struct ves_sqlite_migration *migrations,
                      uint32_t version, enum ves_store_role role,
                      sqlite3 **model)
{
    int rc = sqlite3_open_v2(
        ":memory:", model,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*model, "BEGIN", NULL, NULL, NULL);
    for (uint32_t i = 0; i < version; i++) {
        const char *const *const *script = role == VES_STORE_DEVICE
                                               ? migrations[i].device
                                               : migrations[i].sequencer;
        for (; *script; script++)
            for (const char *const *text = *script; *text && rc == SQLITE_OK;
                 text++)
                rc = sqlite3_exec(*model, *text, NULL, NULL, NULL);
    }
    return rc;
}

static int digest_of(sqlite3 *db, struct ves_hash *out)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v3(db, OURS, -1, 0, &row, NULL);

    memset(out, 0, sizeof *out);
    while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        struct ves_bytes parts[1 + 2 * COLUMNS];
        uint32_t lengths[COLUMNS];

        parts[0] = ves_bytes(out->b, sizeof out->b);
        for (int i = 0; i < COLUMNS; i++) {
            const void *text = sqlite3_column_text(row, i);

            lengths[i] = text ? (uint32_t)sqlite3_column_bytes(row, i) : 0;
            parts[1 + 2 * i] = ves_bytes(&lengths[i], sizeof lengths[i]);
            parts[2 + 2 * i] = ves_bytes(text, lengths[i]);
        }
        ves_sha256(parts, sizeof parts / sizeof parts[0], out);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(row);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum ves_status
ves_sqlite_schema_digest(const struct ves_sqlite_migration *migrations,
                         uint32_t version, enum ves_store_role role,
                         struct ves_hash *out)
{
    sqlite3 *model = NULL;
    int rc = make_model(migrations, version, role, &model);

    if (rc == SQLITE_OK)
        rc = digest_of(model, out);
    sqlite3_close(model);
    return rc == SQLITE_OK ? VES_OK : VES_NOMEM;
}

/* ---- what there is --------------------------------------------------------
 */

static enum ves_status refuse(struct ves_sqlite *st, sqlite3_stmt *row,
                              uint32_t version)
{
    char type[NAME_MAX_SHOWN + 1], name[NAME_MAX_SHOWN + 1];
    char table[NAME_MAX_SHOWN + 1];

    show(row, 0, type);
    show(row, 1, name);
    show(row, 2, table);
    if (version == 0)
        return ves_fail(&st->store.error, VES_INVALID,
                        "The database has a %s %s (of %s); what begins with "
                        "ves_ is kept for VES. Nothing was changed. Give it "
                        "another name, or name another file.",
                        type, name, table);
    return ves_fail(&st->store.error, VES_CORRUPT,
                    "The %s %s (of %s) is not one that this program made, and "
                    "could run when the store is used. Nothing of the store "
                    "was read or changed. If you made it, drop it; if not, "
                    "keep the file and restore a backup.",
                    type, name, table);
}

/* Looks for a row of the file that the model has not. */
static enum ves_status find_stranger(struct ves_sqlite *st, sqlite3 *model,
                                     uint32_t version)
{
    sqlite3_stmt *row = NULL, *same = NULL;
    enum ves_status status = VES_OK;
    int rc = sqlite3_prepare_v3(st->db, OURS, -1, 0, &row, NULL);

    if (rc != SQLITE_OK)
        return ves_sql_fail(st, rc);
    if (sqlite3_prepare_v3(model,
                           "SELECT 1 FROM sqlite_master WHERE type = ? AND"
                           " name = ? AND tbl_name = ? AND sql = ?",
                           -1, 0, &same, NULL) != SQLITE_OK)
        status = ves_fail(&st->store.error, VES_NOMEM,
                          "There is not enough memory. Nothing was changed.");
    while (!status && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        for (int i = 0; i < COLUMNS; i++)
            sqlite3_bind_value(same, i + 1, sqlite3_column_value(row, i));
        if (sqlite3_step(same) != SQLITE_ROW)
            status = refuse(st, row, version);
        sqlite3_reset(same);
    }
    if (!status && rc != SQLITE_DONE)
        status = ves_sql_fail(st, rc);
    sqlite3_finalize(row);
    sqlite3_finalize(same);
    return status;
}

enum ves_status
ves_sqlite_check_schema(struct ves_sqlite *st,
                        const struct ves_sqlite_migration *migrations,
                        uint32_t version)
{
    char text[2 * VES_HASH_SIZE + 1] = "";
    struct ves_hash digest;
    sqlite3 *model = NULL;
    int rc = digest_of(st->db, &digest);

    if (rc != SQLITE_OK)
        return ves_sql_fail(st, rc);
    ves_hex_encode(digest.b, VES_HASH_SIZE, text);
    if (strcmp(text, ves_sqlite_digests[st->role]) == 0 &&
        version == ves_sqlite_migrations_count)
        return VES_OK;
    /* It takes some milliseconds to find out what differs. */
    enum ves_status status =
        make_model(migrations, version, st->role, &model) == SQLITE_OK
            ? find_stranger(st, model, version)
            : ves_fail(&st->store.error, VES_NOMEM,
                       "There is not enough memory. Nothing was changed.");
    sqlite3_close(model);
    return status;
}

enum ves_status ves_sqlite_check_version(struct ves_sqlite *st, bool *is_there)
{
    sqlite3_stmt *row = NULL;
    enum ves_status status = VES_OK;
    int rc = sqlite3_prepare_v3(
        st->db,
        "SELECT type, name, tbl_name, type = 'table' AND sql || ';' = ?"
        " FROM main.sqlite_master WHERE lower(name) = 'ves_schema'",
        -1, 0, &row, NULL);

    *is_there = false;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(row, 1, ves_sqlite_version_table, -1,
                               SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        *is_there = true;
        if (!sqlite3_column_int(row, 3))
            status = refuse(st, row, 1);
    } else if (rc != SQLITE_DONE) {
        status = ves_sql_fail(st, rc);
    }
    sqlite3_finalize(row);
    return status;
}
