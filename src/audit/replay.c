/* replay.c -- the copy judged and folded again, compared with what the store
 * had.
 *
 * The engine that does it takes its own rows for granted and stops at what
 * cannot be.  A damaged store holds what cannot be, so this is done by a
 * child: whatever becomes of it, the audit goes on and says so.
 */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/entity.h"
#include "core/types.h"
#include "engine/sequencer.h"
#include "store/sqlite_api.h"

enum {
    BUSY_TIMEOUT_MS = 60000,
    STREAM_SHIFT = 40,
    KEPT_BYTES = 32 * 1024 * 1024
};

#define SEQUENCE_BITS ((UINT64_C(1) << STREAM_SHIFT) - 1)

#define ENTITY                                                               \
    "id, stream_no, entity_key, entity_type, entity_id, events,"             \
    " last_sequence, last_jump, version, head, head_applied_at, state_hash," \
    " own_events, own_head, own_last, state, written_at, tombstone,"         \
    " bucket_prev"

/* Entities and conflicts are written again in any case: entities, of which
 * there are many, in a table that hides the copy's and is nobody else's, so
 * that its pages are not sought in a WAL that grows all the time. */
static const char *const keep[] = {
    "PRAGMA synchronous=OFF",
    "CREATE TEMP TABLE ves_entities (id INTEGER PRIMARY KEY, stream_no,"
    " entity_key, entity_type, entity_id, events, last_sequence, last_jump,"
    " version, head, head_applied_at, state_hash, own_events, own_head,"
    " own_last, state, written_at, tombstone, bucket_prev)",
    "PRAGMA temp.cache_size=-32768",
    "INSERT INTO temp.ves_entities SELECT " ENTITY " FROM main.ves_entities",
    "CREATE UNIQUE INDEX temp.ves_entities_name ON ves_entities"
    " (stream_no, entity_type, entity_id)",
    "CREATE TABLE audit_conflicts AS SELECT * FROM ves_conflicts",
    "CREATE TABLE audit_members AS SELECT * FROM ves_conflict_members",
    NULL};
static const char *const keep_of_device[] = {
    "CREATE TABLE audit_outbox AS SELECT local_seq, status, verdict,"
    " disposition FROM ves_outbox",
    NULL};

/* A row for each difference: id of the event or 0, and words. */
struct comparison {
    enum ves_audit_id check;
    const char *counted; /* what was compared */
    const char *sql;
};

static const struct comparison comparisons[] = {
    {VES_AUDIT_VERDICTS, "SELECT count(*) FROM ves_events",
     "SELECT e.id, 'the store says ' || a.verdict || ' where the "
     "rules say ' || e.verdict || CASE WHEN a.verdict = e.verdict THEN ', "
     "but with other particulars' ELSE '' END FROM audit_events a CROSS "
     "JOIN ves_events e ON e.id = a.id WHERE "
     "(e.verdict, e.applied_at, e.version, e.sub_code, e.note, e.is_fact,"
     " e.has_waited, e.conflict_id, e.waits_for, e.effects, e.opposite)"
     " IS NOT"
     " (a.verdict, a.applied_at, a.version, a.sub_code, a.note, a.is_fact,"
     " a.has_waited, a.conflict_id, a.waits_for, a.effects, a.opposite)"
     " ORDER BY e.id"},
    {VES_AUDIT_CONFLICTS, "SELECT count(*) FROM audit_conflicts",
     "SELECT 0, 'conflict ' || substr(hex(id), 1, 16) || ' is not as the rules "
     "say' FROM (SELECT * FROM ves_conflicts EXCEPT SELECT * FROM "
     "audit_conflicts UNION SELECT * FROM (SELECT * FROM audit_conflicts "
     "EXCEPT SELECT * FROM ves_conflicts))"},
    {VES_AUDIT_CONFLICTS, "SELECT count(*) FROM audit_members",
     "SELECT 0, 'the events of conflict ' || substr(hex(conflict_id), 1, 16) "
     "|| ' are not those the rules say' FROM (SELECT * FROM "
     "ves_conflict_members EXCEPT SELECT * FROM audit_members UNION SELECT * "
     "FROM (SELECT * FROM audit_members EXCEPT SELECT * FROM "
     "ves_conflict_members))"},
    {VES_AUDIT_STATE, "SELECT count(*) FROM main.ves_entities",
     "SELECT 0, e.entity_type || ' \"' || e.entity_id || '\" is not what its "
     "events lead to' FROM temp.ves_entities e LEFT JOIN main.ves_entities a "
     "ON a.id = "
     "e.id WHERE a.id IS NULL OR (e.stream_no, e.entity_key, e.entity_type,"
     " e.entity_id, e.events, e.last_sequence, e.last_jump, e.version, e.head,"
     " e.head_applied_at, e.state_hash, e.own_events, e.own_head, e.own_last,"
     " e.state, e.written_at, e.tombstone) IS NOT (a.stream_no, a.entity_key,"
     " a.entity_type, a.entity_id, a.events, a.last_sequence, a.last_jump,"
     " a.version, a.head, a.head_applied_at, a.state_hash, a.own_events,"
     " a.own_head, a.own_last, a.state, a.written_at, a.tombstone)"},
    {VES_AUDIT_STATE, NULL, NULL}};

static const struct comparison comparisons_of_device[] = {
    {VES_AUDIT_VERDICTS, NULL,
     "SELECT 0, 'own event ' || o.local_seq || ' is shown as ' || a.status ||"
     " ' (' || coalesce(a.verdict, 'no verdict') || ') where the rules say ' ||"
     " o.status || ' (' || coalesce(o.verdict, 'no verdict') || ')'"
     " FROM ves_outbox o JOIN audit_outbox a USING (local_seq) WHERE"
     " (o.status, o.verdict, o.disposition) IS NOT"
     " (a.status, a.verdict, a.disposition) ORDER BY local_seq"},
    /* What is shown on top of the sequenced state is found by these. */
    {VES_AUDIT_STATE, NULL,
     "SELECT 0, 'an entity counts ' || sum(own_events) || ' own events (newest "
     "' || sum(own_last) || ') that the log has not, and there are ' || sum(n)"
     " || ' (' || sum(newest) || ')' FROM (SELECT entity_key,"
     " sum(is_in_overlay) AS n, max(local_seq) AS newest, 0 AS own_events,"
     " 0 AS own_last FROM ves_outbox GROUP BY entity_key UNION ALL SELECT"
     " entity_key, 0, 0, own_events, own_last FROM ves_entities) GROUP BY"
     " entity_key HAVING sum(own_events) <> sum(n) OR sum(own_last) <>"
     " sum(newest)"},
    {VES_AUDIT_STATE, NULL, NULL}};

static void cannot(struct ves_audit *audit, const char *why)
{
    ves_audit_unknown(audit, VES_AUDIT_VERDICTS, "%s", why);
    ves_audit_unknown(audit, VES_AUDIT_CONFLICTS, "%s", why);
    ves_audit_unknown(audit, VES_AUDIT_STATE, "%s", why);
}

static bool run_sql(sqlite3 *db, const char *sql, struct ves_audit *audit)
{
    char words[256];

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    snprintf(words, sizeof(words), "the copy could not be worked on: %.180s",
             sqlite3_errmsg(db));
    cannot(audit, words);
    return false;
}

/* The judge reads a log without gaps; what else is there has been found. */
static bool has_gaps(sqlite3 *db)
{
    /* The index has all rows in a tenth of the pages. */
    static const char sql[] =
        "SELECT 1 FROM (SELECT stream_no AS s, count(*) AS n FROM ves_events"
        " INDEXED BY ves_events_event_id GROUP BY stream_no) WHERE"
        " (SELECT min(id) FROM ves_events WHERE id >= s << 40) IS NOT"
        " (s << 40) + 1 OR (SELECT max(id) FROM ves_events WHERE id <"
        " (s + 1) << 40) IS NOT (s << 40) + n";
    sqlite3_stmt *stmt = NULL;

    bool has = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
               sqlite3_step(stmt) != SQLITE_DONE;
    sqlite3_finalize(stmt);
    return has;
}

/* Keeps what will be compared. */
static bool prepare(struct ves_store *store, sqlite3 *db,
                    struct ves_audit *audit)
{
    bool is_kept = true;

    if (has_gaps(db)) {
        cannot(audit, "the log has gaps, so it cannot be judged again");
        return false;
    }
    for (size_t i = 0; keep[i] && is_kept; i++)
        is_kept = run_sql(db, keep[i], audit);
    for (size_t i = 0;
         audit->role == VES_STORE_DEVICE && keep_of_device[i] && is_kept; i++)
        is_kept = run_sql(db, keep_of_device[i], audit);
    if (is_kept && !ves_audit_kept_open(store, db)) {
        cannot(audit, sqlite3_errmsg(db));
        is_kept = false;
    }
    return is_kept;
}

static void count(sqlite3 *db, struct ves_audit *audit,
                  const struct comparison *comparison)
{
    sqlite3_stmt *stmt = NULL;

    if (!comparison->counted)
        return;
    if (sqlite3_prepare_v2(db, comparison->counted, -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        ves_audit_count(audit, comparison->check,
                        (uint64_t)sqlite3_column_int64(stmt, 0));
    sqlite3_finalize(stmt);
}

static void compare(sqlite3 *db, struct ves_audit *audit,
                    const struct comparison *comparison)
{
    for (; comparison->sql; comparison++) {
        sqlite3_stmt *stmt = NULL;
        count(db, audit, comparison);
        int code = sqlite3_prepare_v2(db, comparison->sql, -1, &stmt, NULL);
        while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
            ves_audit_find_in(
                audit,
                (uint32_t)(sqlite3_column_int64(stmt, 0) >> STREAM_SHIFT),
                comparison->check,
                (uint64_t)sqlite3_column_int64(stmt, 0) & SEQUENCE_BITS, "%s",
                (const char *)sqlite3_column_text(stmt, 1));
            code = SQLITE_OK;
        }
        if (code != SQLITE_DONE && code != SQLITE_OK)
            ves_audit_unknown(audit, comparison->check, "%s",
                              sqlite3_errmsg(db));
        sqlite3_finalize(stmt);
    }
}

/* ---- the state hash ------------------------------------------------------ */

struct buckets {
    struct ves_hash hash[VES_STATE_BUCKETS];
    bool is_dirty[VES_STATE_BUCKETS]; /* to be worked out when it is wanted */
};

static enum ves_status read_buckets(struct ves_agent_core *core,
                                    struct buckets *out)
{
    struct ves_hash empty;

    enum ves_status status = core->store->ops->bucket_get_all(
        core->store, core->stream_no, out->hash, out->is_dirty);
    ves_state_bucket_hash(NULL, 0, &empty);
    for (size_t i = 0; i < VES_STATE_BUCKETS; i++) {
        if (ves_hash_is_zero(&out->hash[i]))
            out->hash[i] = empty;
    }
    return status;
}

/* Two stores compare their states by one hash, which is made of kept parts. */
static void compare_buckets(struct ves_audit *audit,
                            struct ves_agent_core *core,
                            const struct buckets *kept)
{
    static struct buckets again;
    struct ves_hash root;

    enum ves_status status = ves_core_state_hash(core, &root);
    if (!status)
        status = read_buckets(core, &again);
    if (status) {
        ves_audit_unknown(audit, VES_AUDIT_STATE, "%s", core->error.text);
        return;
    }
    for (size_t i = 0; i < VES_STATE_BUCKETS; i++) {
        if (!kept->is_dirty[i] &&
            !ves_hash_equal(&kept->hash[i], &again.hash[i]))
            ves_audit_find(audit, VES_AUDIT_STATE, 0,
                           "part %zu of the state hash is not that of its "
                           "entities",
                           i);
    }
}

/* Was it judged by the rules of this program? */
static bool is_current(struct ves_audit *audit, struct ves_store *store,
                       const char *name, uint64_t wanted)
{
    struct ves_bytes text;
    struct ves_arena arena;
    uint64_t version = 0;

    ves_arena_init(&arena, audit->alloc, 4096);
    bool is_known =
        store->ops->meta_get(store, name, &arena, &text) == VES_OK &&
        ves_decimal_parse(text, &version) == VES_OK;
    ves_arena_free(&arena);
    if (is_known && version == wanted)
        return true;
    cannot(audit, "the store was judged by the rules of another version of "
                  "this program; open it with this one first");
    return false;
}

static void put_unsupported(struct ves_audit *audit, enum ves_status status,
                            const char *words)
{
    cannot(audit, status == VES_UNSUPPORTED
                      ? "bodies were pruned, so the log cannot be judged again"
                      : words);
}

static void replay_device(struct ves_audit *audit)
{
    static struct buckets kept;
    struct ves_agent_options options = {.path = audit->copy};
    struct ves_error error = {.status = VES_OK};
    struct ves_agent *agent;

    enum ves_status status = ves_agent_open(&options, &agent, &error);
    if (status) {
        put_unsupported(audit, status, error.text);
        return;
    }
    sqlite3 *db = agent->connection;
    if (prepare(agent->store, db, audit)) {
        status = read_buckets(&agent->core, &kept);
        if (!status)
            status = ves_core_refold(&agent->core);
        if (status) {
            put_unsupported(audit, status, agent->core.error.text);
        } else {
            compare(db, audit, comparisons);
            compare(db, audit, comparisons_of_device);
            compare_buckets(audit, &agent->core, &kept);
        }
    }
    ves_audit_kept_close(agent->store);
    ves_agent_close(agent);
}

static void replay_sequencer(struct ves_audit *audit)
{
    const struct ves_store_sqlite_options options = {
        .path = audit->copy,
        .role = VES_STORE_SEQUENCER,
        .busy_timeout_ms = BUSY_TIMEOUT_MS};
    struct ves_sequencer sequencer = {.alloc = audit->alloc};
    struct ves_error error = {.status = VES_OK};

    enum ves_status status =
        ves_store_sqlite_open(&options, audit->alloc, &sequencer.store, &error);
    if (status) {
        cannot(audit, error.text);
        return;
    }
    struct ves_store *store = sequencer.store;
    sqlite3 *db = ves_store_sqlite_connection(store);
    if (prepare(store, db, audit)) {
        /* Judged by version 0, it is judged again. */
        status = store->ops->begin(store);
        if (!status)
            status = store->ops->meta_put(store, "judge.version",
                                          ves_bytes_str("0"));
        if (!status)
            status = store->ops->commit(store);
        if (!status)
            status = ves_sequencer_upgrade(&sequencer);
        if (status)
            put_unsupported(audit, status, store->error.text);
        else
            compare(db, audit, comparisons);
    }
    ves_audit_kept_close(store);
    ves_store_sqlite_close(store);
}

/* ---- in a process of its own ----------------------------------------------
 */

static const enum ves_audit_id judged[] = {
    VES_AUDIT_VERDICTS, VES_AUDIT_CONFLICTS, VES_AUDIT_STATE};

enum { JUDGED_COUNT = sizeof(judged) / sizeof(judged[0]) };

/* What the child tells: this, then the findings it lists. */
struct told {
    struct ves_audit_check checks[JUDGED_COUNT];
    uint64_t findings;
};

static bool write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t len)
{
    uint8_t *at = bytes;

    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void tell(const struct ves_audit *audit, int fd)
{
    struct told told = {.findings = 0};

    for (size_t i = 0; i < JUDGED_COUNT; i++)
        told.checks[i] = audit->checks[judged[i]];
    for (const struct ves_audit_finding *f = audit->findings; f; f = f->next)
        told.findings++;
    bool is_told = write_all(fd, &told, sizeof(told));
    for (const struct ves_audit_finding *f = audit->findings; f && is_told;
         f = f->next)
        is_told = write_all(fd, f, sizeof(*f));
}

/* What one chunk of the log needed the next needs too; given back to the
 * system, it would be cleared each time. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

/* The audit here is the child's own copy of it, with nothing found yet.  It
 * goes when the other end of the pipe is closed, by a parent that lives. */
static void work(struct ves_audit *audit, pid_t parent, int go, int out)
{
    static const struct rlimit no_core = {0, 0};
    char none;

    keep_memory();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)read_all(go, &none, 1);
    if (getppid() != parent)
        _exit(1);
    if (audit->role == VES_STORE_DEVICE)
        replay_device(audit);
    else
        replay_sequencer(audit);
    tell(audit, out);
    _exit(0);
}

static void take(struct ves_audit *audit, const struct told *told, int fd)
{
    uint64_t listed[VES_AUDIT_CHECK_COUNT] = {0};
    struct ves_audit_finding finding;

    for (uint64_t i = 0;
         i < told->findings && read_all(fd, &finding, sizeof(finding)); i++) {
        ves_audit_find_in(audit, finding.stream_no, finding.check,
                          finding.sequence, "%s", finding.text);
        listed[finding.check]++;
    }
    for (size_t i = 0; i < JUDGED_COUNT; i++) {
        struct ves_audit_check *check = &audit->checks[judged[i]];
        const struct ves_audit_check *add = &told->checks[i];
        uint64_t more = add->problems - listed[judged[i]];
        if (check->unknown == 0)
            check->reason = add->reason;
        check->examined += add->examined;
        check->problems += more;
        check->unknown += add->unknown;
        audit->finding_count += more;
    }
}

/* A log that brings the judge down is a finding, whoever is to blame. */
static void explain_end(struct ves_audit *audit, int ended)
{
    if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL)
        cannot(audit, "the process that judges the log again was killed; is "
                      "there memory enough?");
    else
        ves_audit_find(audit, VES_AUDIT_VERDICTS, 0,
                       "judging the log again came to something that cannot "
                       "be (%s %d): no sound store has such rows",
                       WIFSIGNALED(ended) ? "signal" : "exit",
                       WIFSIGNALED(ended) ? WTERMSIG(ended)
                                          : WEXITSTATUS(ended));
}

void ves_audit_replay_prepare(struct ves_audit_replay *replay,
                              struct ves_audit *audit)
{
    pid_t parent = getpid();
    int go[2], out[2];

    *replay = (struct ves_audit_replay){.audit = audit, .go = -1, .out = -1};
    if (pipe2(go, O_CLOEXEC))
        return;
    if (pipe2(out, O_CLOEXEC)) {
        (void)close(go[0]);
        (void)close(go[1]);
        return;
    }
    replay->child = fork();
    if (replay->child == 0) {
        (void)close(go[1]);
        (void)close(out[0]);
        work(audit, parent, go[0], out[1]);
    }
    (void)close(go[0]);
    (void)close(out[1]);
    replay->go = go[1];
    replay->out = out[0];
}

static void close_pipe(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void ves_audit_replay_start(struct ves_audit_replay *replay)
{
    struct ves_audit *audit = replay->audit;

    if (!is_current(audit, audit->store, "judge.version", VES_JUDGE_VERSION) ||
        (audit->role == VES_STORE_DEVICE &&
         !is_current(audit, audit->store, "fold.version", VES_FOLD_VERSION)))
        return;
    replay->is_started = replay->child > 0;
    if (!replay->is_started)
        cannot(audit, "no process can be started");
    else
        close_pipe(&replay->go);
}

void ves_audit_replay_end(struct ves_audit_replay *replay, bool is_wanted)
{
    struct told told;
    int ended = 0;

    if (replay->child > 0 && !(replay->is_started && is_wanted))
        (void)kill(replay->child, SIGKILL);
    bool is_told = replay->is_started && is_wanted &&
                   read_all(replay->out, &told, sizeof(told));
    if (is_told)
        take(replay->audit, &told, replay->out);
    close_pipe(&replay->go);
    close_pipe(&replay->out);
    while (replay->child > 0 && waitpid(replay->child, &ended, 0) < 0 &&
           errno == EINTR)
        ;
    if (replay->is_started && is_wanted && !is_told)
        explain_end(replay->audit, ended);
}
