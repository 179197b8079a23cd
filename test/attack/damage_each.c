/* damage_each.c -- every column of every table of a store damaged in turn, and
 * a row of every table taken away: an audit names it, or the list below says
 * why it need not.
 *
 * damage-each STORE WORK_DIR [EVERY [FIRST]]; STORE is sound.  Of the damages
 * every so many-th is done, from number FIRST on; without, all.  What is on the
 * list and is found all the same is as wrong as what is not found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "ves/audit.h"

enum {
    PATH_SIZE = 512,
    NAME_SIZE = 64,
    SQL_SIZE = 2048,
    DOCUMENT_MAX = 1 << 24
};

/* "TABLE.COLUMN", "TABLE" for a row that is gone, "TABLE.*" for all of it. */
struct excuse {
    const char *of;
    const char *why;
};

static const struct excuse excuses[] = {
    /* Times that nobody signed, and that decide nothing. */
    {"ves_events.sequenced_at_ms", "the sequencer's clock: no receipt covers"},
    {"ves_outbox.created_ms", "this device's clock; the event signs its own"},
    {"ves_outbox.pushed_ms", "when it was tried"},
    {"ves_outbox.synced_ms", "when it was received"},
    {"ves_follow.verified_ms", "when it was looked at"},
    {"ves_tlogs.signed_at_ms", "when; the cosigners' times are signed"},
    {"ves_commitments.committed_at_ms", "when"},
    {"ves_cursors.updated_ms", "when"},
    {"ves_agent_keys.valid_from_ms", "keys are valid by number (D17)"},
    {"ves_agent_keys.valid_to_ms", "keys are valid by number (D17)"},
    {"ves_agent_keys.revoked_at_ms", "keys are valid by number (D17)"},
    {"ves_meta:keys.directory", "its signature says whose it is"},
    {"ves_meta:keys.directory gone", "only its maker reads it, after a loss"},
    {"ves_meta:sequencer.checked_ms", "when it was asked last"},
    {"ves_meta:sequencer.checked_ms gone", "it is asked again"},
    /* How to go on, which is found out again. */
    {"ves_outbox.attempts", "how often it was tried"},
    {"ves_outbox.claim", "who is pushing it"},
    {"ves_outbox.next_attempt_ms", "when it is tried again"},
    {"ves_outbox.error", "what was said when it was tried"},
    {"ves_outbox.is_likely_conflict", "a guess, made again at each pull"},
    {"ves_state_buckets.is_dirty", "it is worked out again"},
    {"ves_meta:push.lease", "who is pushing"},
    {"ves_meta:push.lease gone", "nobody is pushing"},
    {"ves_meta:sequencer.reachable", "it is tried again"},
    {"ves_meta:sequencer.reachable gone", "it is tried again"},
    {"ves_meta:sequencer.url", "where it is; whose it is, its key says"},
    {"ves_meta:sequencer.url gone", "where it is; whose it is, its key says"},
    {"ves_meta:sequencer.tls_key gone", "none is pinned"},
    {"ves_meta:log.own-cosigned-size gone", "it is cosigned again"},
    {"ves_meta:log.own-cosigned-time", "when"},
    {"ves_meta:log.own-cosigned-time gone", "when"},
    /* Words about what is checked elsewhere. */
    {"ves_outbox.disposition", "the verdict in the sequencer's words"},
    {"ves_events.raw", "the event as it was spelt, which is not its hash"},
    {"ves_agent_keys.registrar", "who entered it; the log says it, signed"},
    {"ves_agent_keys.proof", "what the log says, signed"},
    {"ves_meta:agent.public_key gone", "its directory has it"},
    {"ves_schema.application_id", "for programs that look at files"},
    {"ves_schema.written_by", "which program made the file"},
    {"ves_commitments.batch_id", "a name by chance"},
    /* None is as good. */
    {"ves_counts", "a count that is not there is 0"},
    {"ves_kept_heads", "the oldest are forgotten"},
    {"ves_follow.witnessed", "below the heads that are kept nothing tells"},
    {"ves_cosigned", "they are witnessed again"},
    {"ves_cursors", "a reader who never asked"},
    {"ves_cursors.agent", "whose it is, only the reader knows"},
    {"ves_cursors.sequence_number", "the reader's word, also before a restore"},
    /* Who may call: checked at each call, and nobody's evidence. */
    {"ves_api_keys.*", "who may call"},
    {"ves_invitations.*",
     "who may join; the owner's signature is checked then"},
    {"ves_trail.*", "a diary, for people"},
    {NULL, NULL}};

static char whole[PATH_SIZE], damaged[PATH_SIZE];
static char said[sizeof(((struct ves_error *)NULL)->text)];
static uint8_t *image;
static size_t image_len;
static int tried, wrong;
static unsigned number, every = 1, first = 0;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "damage-each: %s: %s\n", what, why);
    exit(2);
}

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(path, sqlite3_errmsg(db));
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        die(sql, why);
}

/* ---- what an audit says ---------------------------------------------------
 */

static bool is_named(void)
{
    struct ves_error error = {.status = VES_OK};
    enum ves_audit_verdict verdict;
    char work[PATH_SIZE];
    const struct ves_audit_options options = {
        .path = damaged, .work_dir = work, .threads = 1};
    struct ves_jw *jw = ves_jw_new(NULL, DOCUMENT_MAX);

    snprintf(work, sizeof(work), "%.*s", (int)(strrchr(damaged, '/') - damaged),
             damaged);
    if (!jw)
        die("audit", "out of memory");
    enum ves_status status = ves_audit_run(&options, jw, &verdict, &error);
    snprintf(said, sizeof(said), "%s", error.text);
    if (!status && verdict != VES_AUDIT_SOUND) {
        struct ves_jr *jr = ves_jr_new(NULL, ves_jw_view(jw));
        if (!jr)
            die("audit", "its report is no JSON");
        snprintf(said, sizeof(said), "%s",
                 ves_jr_count(jr, "/findings") > 0
                     ? ves_jr_str(jr, "/findings/0/text")
                     : "incomplete");
        ves_jr_free(jr);
    }
    ves_jw_free(jw);
    return status || verdict != VES_AUDIT_SOUND;
}

static const struct excuse *excuse_of(const char *of)
{
    size_t n = strcspn(of, ".");

    for (size_t i = 0; excuses[i].of; i++) {
        const char *name = excuses[i].of;
        if (strcmp(name, of) == 0 ||
            (strncmp(name, of, n) == 0 && strcmp(name + n, ".*") == 0))
            return &excuses[i];
    }
    return NULL;
}

static void write_copy(void)
{
    FILE *file = fopen(damaged, "wb");

    if (!file || fwrite(image, 1, image_len, file) != image_len ||
        fclose(file) != 0)
        die(damaged, "cannot be written");
}

/* Damages a fresh copy with sql and looks what is said. */
static void try(const char *of, const char *sql)
{
    if (number++ % every != first)
        return;
    write_copy();
    sqlite3 *db = open_db(damaged);
    run(db, "PRAGMA synchronous = OFF");
    run(db, "PRAGMA ignore_check_constraints = ON");
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    int changes = sqlite3_changes(db);
    if (code != SQLITE_OK && getenv("VERBOSE"))
        printf("%s: kept out: %s\n", of, sqlite3_errmsg(db));
    sqlite3_close(db);
    if (code != SQLITE_OK || changes == 0)
        return; /* the schema keeps such a row out */
    const struct excuse *excuse = excuse_of(of);
    bool is_found = is_named();
    tried++;
    if (getenv("VERBOSE"))
        printf("%s: %s\n", of, is_found ? said : "-");
    if (is_found != (excuse != NULL))
        return;
    wrong++;
    printf("%s: %s: %s\n", of,
           excuse ? "found, and on the list of what is not" : "not found",
           is_found ? said : sql);
}

/* ---- damage ---------------------------------------------------------------
 */

/* Another value of the same kind: what only its meaning can give away. */
static void put_value(char *out, const char *c)
{
    snprintf(
        out, SQL_SIZE,
        "%s = CASE typeof(%s) WHEN 'integer' THEN %s + 1 WHEN 'text' THEN CASE"
        " WHEN %s = '' THEN 'x' WHEN %s GLOB '*[0-9]' THEN substr(%s, 1,"
        " length(%s) - 1) || ((substr(%s, -1) + 1) %% 10) ELSE substr(%s, 1,"
        " length(%s) - 1) || 'x' END WHEN 'blob' THEN CAST(substr(%s, 1,"
        " length(%s) - 1) || CASE WHEN substr(%s, -1) = x'07' THEN x'08' ELSE"
        " x'07' END AS BLOB) ELSE CAST('12345678901234567890123456789012' AS "
        "BLOB) END",
        c, c, c, c, c, c, c, c, c, c, c, c, c);
}

/* The last row that has something there. */
static void damage_column(const char *table, const char *key,
                          const char *column)
{
    char of[2 * NAME_SIZE + 2], value[SQL_SIZE];

    snprintf(of, sizeof(of), "%.60s.%.60s", table, column);
    put_value(value, column);
    char *sql = sqlite3_mprintf(
        "UPDATE %s SET %s WHERE (%s) = (SELECT %s FROM %s ORDER BY %s IS"
        " NULL, %s = '', %s DESC LIMIT 1)",
        table, value, key, key, table, column, column, key);
    if (!sql)
        die(of, "out of memory");
    try(of, sql);
    sqlite3_free(sql);
}

static void take_row(const char *table, const char *key, const char *order)
{
    char sql[SQL_SIZE];

    snprintf(sql, sizeof(sql),
             "DELETE FROM %s WHERE (%s) = (SELECT %s FROM %s ORDER BY %s LIMIT"
             " 1)",
             table, key, key, table, order);
    try(table, sql);
}

/* Names are rows there. */
static void damage_meta(sqlite3 *db)
{
    char of[2 * NAME_SIZE], value[SQL_SIZE], sql[4 * SQL_SIZE];
    sqlite3_stmt *stmt;

    put_value(value, "value");
    if (sqlite3_prepare_v2(db, "SELECT name FROM ves_meta", -1, &stmt, NULL) !=
        SQLITE_OK)
        die("ves_meta", sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        snprintf(of, sizeof(of), "ves_meta:%.60s", name);
        snprintf(sql, sizeof(sql),
                 "UPDATE ves_meta SET %s WHERE name = '%.60s'", value, name);
        try(of, sql);
        snprintf(of, sizeof(of), "ves_meta:%.60s gone", name);
        snprintf(sql, sizeof(sql), "DELETE FROM ves_meta WHERE name = '%.60s'",
                 name);
        try(of, sql);
    }
    sqlite3_finalize(stmt);
}

static void damage_table(sqlite3 *db, const char *table)
{
    char key[256] = "", names[64][NAME_SIZE];
    size_t count = 0;
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db,
                           "SELECT name, pk FROM pragma_table_info(?1) ORDER "
                           "BY pk = 0, pk",
                           -1, &stmt, NULL) != SQLITE_OK)
        die(table, sqlite3_errmsg(db));
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    while (sqlite3_step(stmt) == SQLITE_ROW && count < 64) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        snprintf(names[count++], NAME_SIZE, "%s", name);
        if (sqlite3_column_int(stmt, 1) > 0)
            snprintf(key + strlen(key), sizeof(key) - strlen(key), "%s%s",
                     key[0] ? ", " : "", name);
    }
    sqlite3_finalize(stmt);
    for (size_t i = 0; i < count; i++)
        damage_column(table, key, names[i]);
    take_row(table, key, names[0]);
}

static void damage_all(void)
{
    sqlite3 *db = open_db(whole);
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db,
                           "SELECT name FROM sqlite_master WHERE type = 'table'"
                           " AND name LIKE 'ves\\_%' ESCAPE '\\' ORDER BY name",
                           -1, &stmt, NULL) != SQLITE_OK)
        die(whole, sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(stmt, 0);
        if (strcmp(table, "ves_meta") == 0)
            damage_meta(db);
        else
            damage_table(db, table);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void copy_whole(const char *store)
{
    static const char triggers[] =
        "SELECT name FROM sqlite_master WHERE type = 'trigger'";
    char sql[2 * PATH_SIZE];
    sqlite3_stmt *stmt;

    unlink(whole);
    sqlite3 *db = open_db(store);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", whole);
    run(db, sql);
    sqlite3_close(db);
    db = open_db(whole);
    for (;;) {
        if (sqlite3_prepare_v2(db, triggers, -1, &stmt, NULL) != SQLITE_OK ||
            sqlite3_step(stmt) != SQLITE_ROW)
            break;
        snprintf(sql, sizeof(sql), "DROP TRIGGER %s",
                 (const char *)sqlite3_column_text(stmt, 0));
        sqlite3_finalize(stmt);
        run(db, sql);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    FILE *file = fopen(whole, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        die(whole, "cannot be read");
    image_len = (size_t)ftell(file);
    image = malloc(image_len);
    rewind(file);
    if (!image || fread(image, 1, image_len, file) != image_len)
        die(whole, "cannot be read");
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: damage-each STORE WORK_DIR [EVERY [FIRST]]\n");
        return 2;
    }
    if (argc > 3)
        every = (unsigned)strtoul(argv[3], NULL, 10);
    if (argc > 4)
        first = (unsigned)strtoul(argv[4], NULL, 10);
    if (every == 0 || first >= every)
        die("EVERY and FIRST", "not 0, and the first below it");
    snprintf(whole, sizeof(whole), "%s/each.db", argv[2]);
    snprintf(damaged, sizeof(damaged), "%s/each-damaged.db", argv[2]);
    copy_whole(argv[1]);
    write_copy();
    if (is_named())
        die(argv[1], said);
    damage_all();
    unlink(whole);
    unlink(damaged);
    free(image);
    printf("%d damaged copies, %d of them wrong\n", tried, wrong);
    return wrong > 0;
}
