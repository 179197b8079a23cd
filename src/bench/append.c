/* append.c -- signing in the application's own transaction, against inserting
 * the same rows by hand.
 *
 * The limit is a program that inserts rows of the same bytes into a table with
 * the same columns and indexes and makes one signature for each, in the same
 * transactions.  Slices of both take turns, so that both see the same disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bench/bench.h"
#include "store/sqlite_api.h"

enum {
    COLUMNS_MAX = 64,
    SLICE_MAX = 1000,
    SLICES_MAX = 51,
    PAYLOAD_MAX = 4096
};

struct shape {
    const char *name;
    size_t slice; /* events in a row of one kind */
    bool is_bulk; /* a slice is one transaction */
    size_t slices, quick_slices;
};

static const struct shape shapes[] = {
    {"append, one transaction each", 100, false, 51, 11},
    {"append, 1,000 a transaction", 1000, true, 51, 15},
};

struct contest {
    struct ves_bench_run *run;
    struct sqlite3 *db; /* the application's; the agent is on it */
    struct ves_agent *agent;
    struct sqlite3 *twin; /* the same table without VES */
    sqlite3_stmt *begin[2], *commit[2], *read, *insert;
    int columns;
    sqlite3_value **values; /* a slice's rows */
    struct ves_secret_key secret;
    struct ves_buf payloads[SLICE_MAX];
    uint64_t appended;
};

static enum ves_status sql_fail(struct contest *c, struct sqlite3 *db)
{
    return ves_fail(c->run->error, VES_IO, "SQLite: %s",
                    db ? sqlite3_errmsg(db) : "out of memory");
}

/* ---- opening --------------------------------------------------------------
 */

static enum ves_status open_db(struct contest *c, const char *name,
                               struct sqlite3 **out)
{
    char path[VES_BENCH_PATH_MAX];
    ves_bench_path(c->run, name, path);
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        NULL) ||
        sqlite3_exec(*out, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
                     NULL, NULL, NULL))
        return sql_fail(c, *out);
    return VES_OK;
}

static int copy_table(void *ctx, int n, char **values, char **names)
{
    struct contest *c = ctx;
    (void)n;
    (void)names;
    return sqlite3_exec(c->twin, values[0], NULL, NULL, NULL);
}

static enum ves_status prepare(struct contest *c, struct sqlite3 *db,
                               const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL)
               ? sql_fail(c, db)
               : VES_OK;
}

static enum ves_status prepare_all(struct contest *c)
{
    char sql[32 + 2 * COLUMNS_MAX] = "INSERT INTO ves_outbox VALUES (?";
    enum ves_status status = prepare(
        c, c->db, "SELECT * FROM ves_outbox WHERE local_seq > ?", &c->read);
    if (status)
        return status;
    c->columns = sqlite3_column_count(c->read);
    if (c->columns > COLUMNS_MAX)
        return ves_fail(c->run->error, VES_LIMIT, "the outbox is too wide");
    for (int i = 1; i < c->columns; i++)
        strncat(sql, ",?", 3);
    strncat(sql, ")", 2);
    status = prepare(c, c->twin, sql, &c->insert);
    struct sqlite3 *const both[2] = {c->db, c->twin};
    for (size_t i = 0; !status && i < 2; i++) {
        status = prepare(c, both[i], "BEGIN IMMEDIATE", &c->begin[i]);
        if (!status)
            status = prepare(c, both[i], "COMMIT", &c->commit[i]);
    }
    return status;
}

static enum ves_status open_contest(struct contest *c)
{
    struct ves_agent_identity identity = {.stream = c->run->source.stream};
    c->secret = c->run->source.agents[0].secret;
    for (size_t i = 0; i < SLICE_MAX; i++)
        ves_buf_init(&c->payloads[i], c->run->alloc, PAYLOAD_MAX);
    enum ves_status status = open_db(c, "till.db", &c->db);
    if (!status)
        status = open_db(c, "twin.db", &c->twin);
    if (status)
        return status;
    struct ves_agent_options options = {.connection = c->db};
    status = ves_agent_create(&options, &identity, &c->agent, c->run->error);
    if (status)
        return status;
    if (sqlite3_exec(c->db,
                     "SELECT sql FROM sqlite_master WHERE tbl_name = "
                     "'ves_outbox' AND type IN ('table', 'index') AND sql IS "
                     "NOT NULL ORDER BY rowid",
                     copy_table, c, NULL))
        return sql_fail(c, c->db);
    return prepare_all(c);
}

static void close_contest(struct contest *c)
{
    sqlite3_stmt *const statements[] = {c->begin[0],  c->begin[1], c->commit[0],
                                        c->commit[1], c->read,     c->insert};
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        sqlite3_finalize(statements[i]);
    ves_agent_close(c->agent);
    sqlite3_close(c->db);
    sqlite3_close(c->twin);
    for (size_t i = 0; i < SLICE_MAX; i++)
        ves_buf_free(&c->payloads[i]);
    ves_bench_forget(c->run, "till.db");
    ves_bench_forget(c->run, "twin.db");
}

/* ---- both sides -----------------------------------------------------------
 */

static enum ves_status step(struct contest *c, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? VES_OK
                             : sql_fail(c, sqlite3_db_handle(statement));
}

static enum ves_status append_slice(struct contest *c,
                                    const struct shape *shape, double *seconds)
{
    struct ves_append *what = calloc(shape->slice, sizeof(*what));
    char(*ids)[VES_BENCH_ID_MAX] = calloc(shape->slice, sizeof(*ids));
    enum ves_status status = VES_OK;
    if (!what || !ids)
        status = ves_fail(c->run->error, VES_NOMEM, "out of memory");
    for (size_t i = 0; !status && i < shape->slice; i++) {
        ves_bench_append_fill(c->appended + i, &c->payloads[i], ids[i],
                              &what[i]);
        status = ves_buf_status(&c->payloads[i]);
    }
    double start = ves_bench_now();
    if (!status && shape->is_bulk)
        status = step(c, c->begin[0]);
    for (size_t i = 0; !status && i < shape->slice; i++) {
        struct ves_uuid id;
        if (!shape->is_bulk)
            status = step(c, c->begin[0]);
        if (!status)
            status = ves_append(c->agent, &what[i], &id, c->run->error);
        if (!status && !shape->is_bulk)
            status = step(c, c->commit[0]);
    }
    if (!status && shape->is_bulk)
        status = step(c, c->commit[0]);
    *seconds += ves_bench_now() - start;
    c->appended += shape->slice;
    free(ids);
    free(what);
    return status;
}

/* What the slice's appends wrote. */
static enum ves_status read_rows(struct contest *c, const struct shape *shape)
{
    size_t n = 0, max = shape->slice * (size_t)c->columns;
    int rc;
    c->values = calloc(max, sizeof(*c->values));
    if (!c->values)
        return ves_fail(c->run->error, VES_NOMEM, "out of memory");
    sqlite3_bind_int64(c->read, 1, (sqlite3_int64)(c->appended - shape->slice));
    while ((rc = sqlite3_step(c->read)) == SQLITE_ROW) {
        for (int i = 0; i < c->columns && n < max; i++)
            c->values[n++] =
                sqlite3_value_dup(sqlite3_column_value(c->read, i));
    }
    sqlite3_reset(c->read);
    return rc == SQLITE_DONE && n == max ? VES_OK : sql_fail(c, c->db);
}

static void forget_rows(struct contest *c, const struct shape *shape)
{
    for (size_t i = 0; c->values && i < shape->slice * (size_t)c->columns; i++)
        sqlite3_value_free(c->values[i]);
    free(c->values);
    c->values = NULL;
}

/* Without copying, as a program that has the bytes at hand would. */
static int bind(sqlite3_stmt *statement, int at, sqlite3_value *value)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return sqlite3_bind_int64(statement, at, sqlite3_value_int64(value));
    case SQLITE_TEXT:
        return sqlite3_bind_text(statement, at,
                                 (const char *)sqlite3_value_text(value),
                                 sqlite3_value_bytes(value), SQLITE_STATIC);
    case SQLITE_BLOB:
        return sqlite3_bind_blob(statement, at, sqlite3_value_blob(value),
                                 sqlite3_value_bytes(value), SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, at);
    }
}

static enum ves_status insert_one(struct contest *c, size_t row)
{
    sqlite3_value **values = c->values + row * (size_t)c->columns;
    struct ves_bytes hash =
        ves_bytes(sqlite3_value_blob(values[2]), VES_HASH_SIZE);
    struct ves_sig sig;
    ves_ed25519_sign(&c->secret, hash, &sig);
    for (int i = 0; i < c->columns; i++) {
        if (bind(c->insert, i + 1, values[i]))
            return sql_fail(c, c->twin);
    }
    return step(c, c->insert);
}

static enum ves_status insert_slice(struct contest *c,
                                    const struct shape *shape, double *seconds)
{
    double start = ves_bench_now();
    enum ves_status status = VES_OK;
    if (shape->is_bulk)
        status = step(c, c->begin[1]);
    for (size_t i = 0; !status && i < shape->slice; i++) {
        if (!shape->is_bulk)
            status = step(c, c->begin[1]);
        if (!status)
            status = insert_one(c, i);
        if (!status && !shape->is_bulk)
            status = step(c, c->commit[1]);
    }
    if (!status && shape->is_bulk)
        status = step(c, c->commit[1]);
    *seconds += ves_bench_now() - start;
    return status;
}

static enum ves_status run_slice(struct contest *c, const struct shape *shape,
                                 struct ves_bench_figure *out)
{
    double mine = 0, theirs = 0, events = (double)shape->slice;
    enum ves_status status = append_slice(c, shape, &mine);
    if (!status)
        status = read_rows(c, shape);
    if (!status)
        status = insert_slice(c, shape, &theirs);
    forget_rows(c, shape);
    *out = (struct ves_bench_figure){.name = shape->name,
                                     .unit = "events/s",
                                     .limit_name = "insert equal rows, sign",
                                     .figure = events / mine,
                                     .limit = events / theirs,
                                     .target = 0.5};
    snprintf(out->note, sizeof(out->note), "%.1f us against %.1f us",
             mine / events * 1e6, theirs / events * 1e6);
    return status;
}

static enum ves_status compete(struct contest *c, const struct shape *shape)
{
    struct ves_bench_figure slices[SLICES_MAX];
    size_t count =
        c->run->options->is_quick ? shape->quick_slices : shape->slices;
    enum ves_status status = VES_OK;
    for (size_t i = 0; !status && i < count; i++) {
        status = ves_bench_step(c->run, shape->name, i, count);
        if (!status)
            status = run_slice(c, shape, &slices[i]);
    }
    if (!status)
        ves_bench_add(c->run, ves_bench_median(slices, count));
    return status;
}

enum ves_status ves_bench_append(struct ves_bench_run *run)
{
    struct contest *c = calloc(1, sizeof(*c));
    if (!c)
        return ves_fail(run->error, VES_NOMEM, "out of memory");
    c->run = run;
    enum ves_status status = open_contest(c);
    for (size_t i = 0; !status && i < sizeof(shapes) / sizeof(shapes[0]); i++)
        status = compete(c, &shapes[i]);
    close_contest(c);
    ves_wipe(c, sizeof(*c));
    free(c);
    return status;
}
