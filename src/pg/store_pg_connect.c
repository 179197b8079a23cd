/* store_pg_connect.c -- the connection: made, set up, asked, lost. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pg/store_pg_internal.h"

/* ---- the URL --------------------------------------------------------------
 */

static enum ves_status fail_secret(struct ves_error *error)
{
    return ves_fail(error, VES_INVALID,
                    "The URL of the store holds a password, which every "
                    "user of this machine can read in the list of "
                    "processes. Nothing was done. Put it into a file that "
                    "PGPASSFILE names (mode 0600), or name a service: "
                    "postgres://?service=NAME.");
}

/* Its names may be written with escapes, which a look at the text misses. */
static bool holds_secret(const PQconninfoOption *options)
{
    for (; options->keyword; options++)
        if (options->val && (strcmp(options->keyword, "password") == 0 ||
                             strcmp(options->keyword, "sslpassword") == 0))
            return true;
    return false;
}

static enum ves_status check_url(const char *url, struct ves_error *error)
{
    PQconninfoOption *options = NULL;
    char *why = NULL;

    if (!ves_store_pg_is_url(url))
        return ves_fail(error, VES_INVALID,
                        "A PostgreSQL store is named by a URL, "
                        "postgres://USER@HOST:PORT/DATABASE.");
    if (ves_store_pg_holds_password(url))
        return fail_secret(error);
    options = PQconninfoParse(url, &why);
    if (options) {
        bool is_secret = holds_secret(options);
        PQconninfoFree(options);
        return is_secret ? fail_secret(error) : VES_OK;
    }
    (void)ves_fail(error, VES_INVALID,
                   "The URL of the store cannot be read: %s",
                   why ? why : "out of memory");
    PQfreemem(why);
    return VES_INVALID;
}

/* ---- errors ---------------------------------------------------------------
 */

static bool is_state(const char *state, const char *prefix)
{
    return strncmp(state, prefix, strlen(prefix)) == 0;
}

static enum ves_status fail_state(struct ves_error *error, const char *state,
                                  const char *why)
{
    if (is_state(state, "55P03") || is_state(state, "40"))
        return ves_fail(error, VES_BUSY,
                        "Another process is writing to the database (%s). "
                        "Nothing was changed. Try again.",
                        why);
    if (is_state(state, "53200"))
        return ves_fail(error, VES_NOMEM,
                        "The database has not enough memory (%s). Nothing of "
                        "this step was stored.",
                        why);
    if (is_state(state, "53"))
        return ves_fail(error, VES_IO,
                        "The database has no room (%s). Nothing of this step "
                        "was stored. Make some and try again.",
                        why);
    if (is_state(state, "23"))
        return ves_fail(error, VES_CONFLICT,
                        "The store already holds this (%s). Nothing was "
                        "changed.",
                        why);
    if (is_state(state, "54"))
        return ves_fail(error, VES_LIMIT,
                        "A value is too large for the store (%s). Nothing was "
                        "changed.",
                        why);
    if (is_state(state, "42501") || is_state(state, "28"))
        return ves_fail(error, VES_IO,
                        "The database does not let us (%s). Nothing was "
                        "changed. Check the user and what he was granted.",
                        why);
    if (is_state(state, "42") || is_state(state, "22"))
        return ves_fail(error, VES_CORRUPT,
                        "The store's tables are not as this program made them "
                        "(%s). Nothing was changed.",
                        why);
    if (is_state(state, "XX"))
        return ves_fail(error, VES_CORRUPT,
                        "The database is damaged (%s). Nothing was changed. "
                        "Keep it and restore a backup.",
                        why);
    return ves_fail(error, VES_IO,
                    "The database failed (%s, SQLSTATE %s). Nothing of this "
                    "step was stored. Try again.",
                    why, state[0] ? state : "unknown");
}

/* libpq ends its sentences with a line feed. */
static void copy_line(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
    out[strcspn(out, "\n")] = 0;
}

enum ves_status ves_pg_lost(struct ves_pg *st)
{
    char why[256];

    copy_line(why, sizeof why,
              st->is_silent ? "no answer for too long"
              : st->conn    ? PQerrorMessage(st->conn)
                            : "not connected");
    ves_pg_drop(st);
    return ves_fail(&st->store.error, VES_IO,
                    "The connection to the database was lost (%s). Nothing of "
                    "this step was stored. Try again.",
                    why);
}

enum ves_status ves_pg_fail(struct ves_pg *st, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    char why[256];

    copy_line(why, sizeof why,
              PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    st->is_failed = st->is_in;
    return fail_state(&st->store.error, state ? state : "", why);
}

enum ves_status ves_pg_missing(struct ves_pg *st, const char *what)
{
    return ves_fail(&st->store.error, VES_NOT_FOUND,
                    "The store has no such %s. Nothing was changed.", what);
}

/* ---- waiting --------------------------------------------------------------
 */

/* A server whose disk hangs is there and says nothing: then nobody else is
 * looked for.  Such a connection is closed, so that a result of failure is
 * what is got. */
static PGresult *get_result(struct ves_pg *st)
{
    while (!st->is_silent && PQstatus(st->conn) == CONNECTION_OK &&
           PQisBusy(st->conn)) {
        struct pollfd from = {.fd = PQsocket(st->conn), .events = POLLIN};
        int ready = poll(&from, 1, st->answer_ms);

        if (ready < 0 && errno == EINTR)
            continue;
        st->is_silent = ready <= 0;
        if (!st->is_silent && !PQconsumeInput(st->conn))
            break;
    }
    return st->is_silent ? NULL : PQgetResult(st->conn);
}

/* All answers to one statement; the last of them. */
static PGresult *next_answer(struct ves_pg *st)
{
    PGresult *result = get_result(st), *more;

    if (!result)
        return NULL;
    while ((more = get_result(st))) {
        PQclear(result);
        result = more;
    }
    return result;
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Reads an answer to each queued statement; the first that says no, or else
 * the last. */
static PGresult *read_answers(struct ves_pg *st)
{
    PGresult *kept = NULL;
    bool has_failed = false;

    for (unsigned i = 0; i < st->queued; i++) {
        PGresult *result = next_answer(st);
        bool good = result && is_good(result);

        if (good && st->queue[i] < VES_PG_IDS)
            st->is_prepared[st->queue[i]] = true;
        if (good && st->queue[i] == VES_PG_COUNTED)
            st->changed = strtoull(PQcmdTuples(result), NULL, 10);
        if (good && st->queue[i] == VES_PG_ENDS) {
            PQclear(st->ends);
            st->ends = result;
            continue;
        }
        if (has_failed || !result) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
        has_failed = !good;
    }
    st->queued = 0;
    return kept;
}

enum ves_status ves_pg_settle(struct ves_pg *st, PGresult **last)
{
    if (last)
        *last = NULL;
    if (!st->conn)
        return ves_pg_lost(st);
    st->round_trips++;
    if (!PQpipelineSync(st->conn))
        return ves_pg_lost(st);
    PGresult *result = read_answers(st);
    PGresult *sync = get_result(st);
    bool is_sync = sync && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    if (!is_sync || PQstatus(st->conn) != CONNECTION_OK) {
        PQclear(result);
        st->is_failed = st->is_in;
        return ves_pg_lost(st);
    }
    enum ves_status status = VES_OK;
    if (result && !is_good(result))
        status = ves_pg_fail(st, result);
    if (last && !status)
        *last = result;
    else
        PQclear(result);
    return status;
}

enum ves_status ves_pg_queue(struct ves_pg *st, const char *text)
{
    if (!st->conn)
        return ves_pg_lost(st);
    if (st->queued == VES_PG_QUEUE_MAX) {
        enum ves_status status = ves_pg_settle(st, NULL);
        if (status)
            return status;
    }
    if (!PQsendQueryParams(st->conn, text, 0, NULL, NULL, NULL, NULL, 1))
        return ves_pg_lost(st);
    st->queue[st->queued++] = VES_PG_IDS;
    return VES_OK;
}

/* ---- connecting -----------------------------------------------------------
 */

void ves_pg_drop(struct ves_pg *st)
{
    if (st->conn)
        PQfinish(st->conn);
    st->conn = NULL;
    st->is_silent = st->is_listening = false;
    st->queued = 0;
    st->is_open = false;
    st->is_failed = st->is_in;
    memset(st->is_prepared, 0, sizeof st->is_prepared);
}

static void note_warning(void *ctx, const PGresult *notice)
{
    struct ves_pg *st = ctx;

    (void)notice;
    st->has_warning = true;
}

/* Every statement is written for an index: a plan that scans a table is one
 * that was made while the table was empty.  A transaction whose process hangs
 * must not keep the others waiting for ever.  Only what is weaker than "on"
 * is raised. */
static enum ves_status set_up(struct ves_pg *st)
{
    char timeout[64];
    static const char raise_durability[] =
        "SELECT set_config('synchronous_commit', 'on', false) WHERE "
        "current_setting('synchronous_commit') NOT IN ('on', "
        "'remote_apply')";
    static const char *const settings[] = {
        raise_durability,
        "SET enable_seqscan = off",
        "SET enable_hashjoin = off",
        "SET enable_mergejoin = off",
        "SET jit = off",
        "SET plan_cache_mode = force_generic_plan",
        "SET client_min_messages = warning",
        "SET statement_timeout = 0",
        "SET idle_in_transaction_session_timeout = '60s'",
        "SET tcp_keepalives_idle = 10",
        "SET tcp_keepalives_interval = 5",
        "SET tcp_keepalives_count = 3"};
    enum ves_status status = VES_OK;

    snprintf(timeout, sizeof timeout, "SET lock_timeout = %d",
             st->busy_timeout_ms > 0 ? st->busy_timeout_ms : 1);
    status = ves_pg_queue(st, timeout);
    for (size_t i = 0; !status && i < sizeof settings / sizeof settings[0]; i++)
        status = ves_pg_queue(st, settings[i]);
    return status ? status : ves_pg_settle(st, NULL);
}

static enum ves_status check_server(struct ves_pg *st)
{
    enum { OLDEST = 140000 };
    PGresult *answer = NULL;

    if (PQserverVersion(st->conn) < OLDEST)
        return ves_fail(&st->store.error, VES_UNSUPPORTED,
                        "The server is older than PostgreSQL 14. Nothing was "
                        "changed. Upgrade it.");
    enum ves_status status =
        ves_pg_queue(st, "SELECT current_setting('fsync')::boolean");
    if (!status)
        status = ves_pg_settle(st, &answer);
    if (status)
        return status;
    bool is_durable = PQntuples(answer) == 1 && *PQgetvalue(answer, 0, 0);
    PQclear(answer);
    if (is_durable)
        return VES_OK;
    return ves_fail(&st->store.error, VES_UNSUPPORTED,
                    "The server runs with fsync = off: what it confirms may be "
                    "gone after a crash. Nothing was changed. Turn it on.");
}

static enum ves_status open_connection(struct ves_pg *st)
{
    const char *const names[] = {"connect_timeout",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "target_session_attrs",
                                 "fallback_application_name",
                                 "client_encoding",
                                 "dbname",
                                 NULL};
    const char *const values[] = {
        "10",   "10",    "5", "3", "15000", "read-write", VES_PG_APPLICATION,
        "UTF8", st->url, NULL};
    char where[256], why[256];

    st->conn = PQconnectdbParams(names, values, 1);
    if (!st->conn)
        return ves_fail(&st->store.error, VES_NOMEM,
                        "There is not enough memory.");
    if (PQstatus(st->conn) == CONNECTION_OK && PQenterPipelineMode(st->conn)) {
        PQsetNoticeReceiver(st->conn, note_warning, st);
        return VES_OK;
    }
    ves_store_pg_describe(st->url, where, sizeof where);
    copy_line(why, sizeof why, PQerrorMessage(st->conn));
    return ves_fail(&st->store.error, VES_IO,
                    "The database %s cannot be reached (%s). Nothing was "
                    "changed. Check the URL, the server, and the password "
                    "file.",
                    where, why);
}

enum ves_status ves_pg_connect(struct ves_pg *st)
{
    if (st->conn && PQstatus(st->conn) == CONNECTION_OK)
        return VES_OK;
    ves_pg_drop(st);
    enum ves_status status = check_url(st->url, &st->store.error);
    if (!status)
        status = open_connection(st);
    if (!status)
        status = check_server(st);
    if (!status)
        status = set_up(st);
    if (status)
        ves_pg_drop(st);
    return status;
}
