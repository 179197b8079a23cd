/* store_pg_transaction.c -- transactions and how they ended.
 *
 * What is acknowledged has to survive the loss of this server where there is
 * another one, so a commit counts once the database has said "COMMIT" and has
 * not said anything else beside it: a wait for a standby that was cut short
 * ends with a warning, and so might what nobody has thought of.  Then, as after
 * an answer that did not come, the database is asked, by a transaction that
 * writes itself: when that one is durable, whatever it has seen is, too.
 */
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

enum { OUTCOME_NAP_MS = 200 };

/* Whatever the user's own settings are; of one moment each statement, so that
 * what follows the lock sees what was committed before it. */
#define BEGIN_WRITE "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
#define BEGIN_READ  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#define TAKE_LOCK   "SELECT pg_advisory_xact_lock(" VES_PG_LOCK_NO ")"
#define SHARE_LOCK  "SELECT pg_advisory_xact_lock_shared(" VES_PG_LOCK_NO ")"

/* ---- how a transaction ended ----------------------------------------------
 */

static int64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Marks the open transaction with a number of its own, in a row that is there
 * when the transaction is.  One that has only read is marked as well: what it
 * found, such as an event that is there already, is told as durable. */
static enum ves_status queue_mark(struct ves_pg *st)
{
    struct ves_pg_call q;

    st->commit_no++;
    ves_pg_open(st, &q, VES_PG_MARK, "ui",
                "INSERT INTO ves_writers (writer, commit_no) VALUES ($1, $2)"
                " ON CONFLICT (writer) DO UPDATE"
                " SET commit_no = excluded.commit_no, seen = now()");
    ves_pg_put_uuid(&q, &st->writer);
    ves_pg_put_u64(&q, st->commit_no);
    return ves_pg_send(&q);
}

/* Writes the row that it reads. */
static enum ves_status read_mark(struct ves_pg *st, bool *is_there)
{
    struct ves_pg_call q;
    uint64_t found = 0;

    ves_pg_open(st, &q, VES_PG_MARK_GET, "u",
                "UPDATE ves_writers SET seen = now() WHERE writer = $1"
                " RETURNING commit_no");
    ves_pg_put_uuid(&q, &st->writer);
    enum ves_status status = ves_pg_ask_row(&q);
    if (!status) {
        found = ves_pg_u64(&q);
        status = ves_pg_check(&q);
        ves_pg_close(&q);
    }
    *is_there = found == st->commit_no;
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* VES_AGAIN: the database did not say that it is done, nor that it is not. */
static enum ves_status end_with_commit(struct ves_pg *st)
{
    PGresult *answer = NULL;

    st->has_warning = false;
    enum ves_status status = ves_pg_queue(st, "COMMIT");
    if (!status)
        status = ves_pg_settle(st, &answer);
    if (status)
        return st->conn ? status : VES_AGAIN;
    bool is_done = strcmp(PQcmdStatus(answer), "COMMIT") == 0;
    PQclear(answer);
    return is_done && !st->has_warning ? VES_OK : VES_AGAIN;
}

/* The old connection may still be committing; it holds the writers' lock as
 * long as it does. */
static enum ves_status ask_outcome(struct ves_pg *st, bool *is_there)
{
    enum ves_status status = ves_pg_connect(st);

    if (!status)
        status = ves_pg_queue(st, BEGIN_WRITE);
    if (!status)
        status = ves_pg_queue(st, TAKE_LOCK);
    if (!status)
        status = ves_pg_settle(st, NULL);
    if (!status) {
        st->is_reading = true;
        status = read_mark(st, is_there);
        st->is_reading = false;
    }
    if (!status)
        status = end_with_commit(st);
    if (status == VES_AGAIN)
        status = ves_fail(&st->store.error, VES_IO,
                          "it did not confirm the question either");
    /* It also lets go of the lock. */
    ves_pg_drop(st);
    return status;
}

static enum ves_status learn_outcome(struct ves_pg *st, bool *is_there)
{
    const struct timespec nap = {0, OUTCOME_NAP_MS * 1000000L};
    int64_t until = clock_ms() + st->outcome_ms;
    bool was_in = st->is_in;
    enum ves_status status;

    ves_pg_drop(st);
    st->is_in = false;
    st->is_outcome_asked = true;
    while ((status = ask_outcome(st, is_there)) && clock_ms() < until)
        (void)nanosleep(&nap, NULL);
    st->is_in = was_in;
    st->is_failed = false;
    if (!status) {
        st->is_outcome_asked = false;
        return VES_OK;
    }
    struct ves_error why = st->store.error;
    return ves_fail(&st->store.error, VES_IO,
                    "The database did not say whether the last transaction was "
                    "stored, and cannot be asked (%s). Nothing else is done "
                    "before it is known.",
                    why.text);
}

/* ---- writing --------------------------------------------------------------
 */

static enum ves_status changed_meanwhile(struct ves_pg *st)
{
    return ves_fail(&st->store.error, VES_REFUSED,
                    "Another process has changed %s in the database since this "
                    "one was started. Nothing was changed. Start this one "
                    "anew.",
                    st->expected_name);
}

static enum ves_status newer_meanwhile(struct ves_pg *st)
{
    return ves_fail(&st->store.error, VES_UNSUPPORTED,
                    "Another process has brought the store to the schema of "
                    "another program. Nothing was changed. Stop this one and "
                    "start that program here, too.");
}

/* Whether the store is still the one that was opened. */
static enum ves_status look_again(struct ves_pg *st)
{
    struct ves_pg_call q;

    ves_pg_open(
        st, &q, VES_PG_EXPECT, "iwb",
        "SELECT (SELECT version = $1 FROM ves_schema WHERE only_row = 1),"
        " EXISTS (SELECT 1 FROM ves_meta WHERE name = $2"
        " AND value = $3)");
    ves_pg_put_i64(&q, VES_PG_SCHEMA);
    ves_pg_put_word(&q, st->expected_name ? st->expected_name : "");
    ves_pg_put_bytes(&q, ves_buf_view(&st->expected));
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    bool is_same_schema = ves_pg_bool(&q);
    bool is_same = ves_pg_bool(&q) || !st->expected_name;
    status = ves_pg_check(&q);
    ves_pg_close(&q);
    if (!status && !is_same_schema)
        status = newer_meanwhile(st);
    return status || is_same ? status : changed_meanwhile(st);
}

/* ---- of some streams -------------------------------------------------------
 *
 * The lock of the database is shared, and the rows of the streams are locked,
 * always in the same order, so that two who want the same two do not wait for
 * each other.  Only then they are read, by a statement of its own: one that
 * has waited for a row sees the rest as it was before.
 */

struct wanted {
    const struct ves_stream *streams; /* NULL: the whole database */
    size_t count;
};

static bool is_before(const struct ves_stream *a, const struct ves_stream *b)
{
    int order = memcmp(a->tenant.b, b->tenant.b, VES_UUID_SIZE);

    return order < 0 ||
           (order == 0 && memcmp(a->store.b, b->store.b, VES_UUID_SIZE) < 0);
}

/* The smallest that is larger than *last (NULL: of all). */
static const struct ves_stream *next_stream(const struct wanted *wanted,
                                            const struct ves_stream *last)
{
    const struct ves_stream *best = NULL;

    for (size_t i = 0; i < wanted->count; i++) {
        const struct ves_stream *stream = &wanted->streams[i];
        if ((!last || is_before(last, stream)) &&
            (!best || is_before(stream, best)))
            best = stream;
    }
    return best;
}

static void put_streams(struct ves_pg_call *q, const struct wanted *wanted)
{
    const struct ves_stream *stream = NULL;

    while ((stream = next_stream(wanted, stream))) {
        ves_pg_put_uuid(q, &stream->tenant);
        ves_pg_put_uuid(q, &stream->store);
    }
}

static enum ves_status lock_streams(struct ves_pg *st,
                                    const struct wanted *wanted)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_LOCK_STREAMS, "UU",
                "SELECT count(*) FROM unnest($1, $2) i (tenant, store)"
                " CROSS JOIN LATERAL (SELECT 1 FROM ves_streams"
                "  WHERE tenant = i.tenant AND store = i.store OFFSET 0"
                "  FOR NO KEY UPDATE) s");
    put_streams(&q, wanted);
    return ves_pg_send(&q);
}

static enum ves_status look_at_streams(struct ves_pg *st,
                                       const struct wanted *wanted)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_EXPECT_STREAMS, "iwbUU",
                "SELECT (SELECT version = $1 FROM ves_schema"
                " WHERE only_row = 1), EXISTS (SELECT 1 FROM ves_meta"
                " WHERE name = $2 AND value = $3), " VES_PG_STREAM_COLUMNS
                ", " VES_PG_TLOG_COLUMNS
                " FROM unnest($4, $5) i (tenant, store)"
                " CROSS JOIN LATERAL (SELECT * FROM ves_streams"
                "  WHERE tenant = i.tenant AND store = i.store OFFSET 0) s"
                " LEFT JOIN LATERAL (SELECT * FROM ves_tlogs"
                "  WHERE stream_no = s.stream_no OFFSET 0) t ON true");
    ves_pg_put_i64(&q, VES_PG_SCHEMA);
    ves_pg_put_word(&q, st->expected_name ? st->expected_name : "");
    ves_pg_put_bytes(&q, ves_buf_view(&st->expected));
    put_streams(&q, wanted);
    enum ves_status status = ves_pg_ask(&q);
    if (status)
        return status;
    st->streams = q.result;
    if ((size_t)PQntuples(q.result) < wanted->count)
        return VES_NOT_FOUND;
    (void)ves_pg_next(&q);
    bool is_same_schema = ves_pg_bool(&q);
    bool is_same = ves_pg_bool(&q) || !st->expected_name;
    status = ves_pg_check(&q);
    if (!status && !is_same_schema)
        status = newer_meanwhile(st);
    return status || is_same ? status : changed_meanwhile(st);
}

bool ves_pg_recall(struct ves_pg *st, struct ves_pg_call *q,
                   const struct ves_stream *stream, uint32_t stream_no)
{
    enum { CHECKS = 2 }; /* the columns before */

    if (!st->streams)
        return false;
    memset(q, 0, sizeof *q);
    q->st = st;
    q->result = st->streams;
    q->is_borrowed = true;
    q->row = -1;
    while (ves_pg_next(q)) {
        struct ves_stream_row row;

        q->column = CHECKS - 1;
        if (ves_pg_stream_read(q, &row) ||
            !(stream ? ves_stream_equal(stream, &row.stream)
                     : row.stream_no == stream_no))
            continue;
        q->column = CHECKS - 1;
        return true;
    }
    return false;
}

void ves_pg_forget(struct ves_pg *st)
{
    PQclear(st->streams);
    st->streams = NULL;
}

static void end_transaction(struct ves_pg *st)
{
    st->is_in = st->is_open = st->is_failed = st->is_partial = false;
    ves_pg_forget(st);
    PQclear(st->ends);
    st->ends = NULL;
    st->absent_of = 0;
    ves_buf_reset(&st->absent);
}

/* ---- the lock -------------------------------------------------------------
 */

static enum ves_status take_streams(struct ves_pg *st,
                                    const struct wanted *wanted)
{
    enum ves_status status = ves_pg_queue(st, BEGIN_WRITE);

    st->is_open = !status;
    if (!status)
        status = ves_pg_queue(st, SHARE_LOCK);
    if (!status)
        status = lock_streams(st, wanted);
    return status ? status : look_at_streams(st, wanted);
}

/* Opens the transaction and takes the lock, in one round trip. */
static enum ves_status take_lock(struct ves_pg *st)
{
    enum ves_status status = ves_pg_queue(st, BEGIN_WRITE);

    st->is_open = !status;
    if (!status)
        status = ves_pg_queue(st, TAKE_LOCK);
    if (status)
        return status;
    /* Before there is a writer there may be no tables. */
    return st->has_writer ? look_again(st) : ves_pg_settle(st, NULL);
}

void ves_pg_rollback(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_error words = s->error;

    if (st->is_in && st->is_open && st->conn) {
        st->is_in = false;
        if (ves_pg_queue(st, "ROLLBACK") || ves_pg_settle(st, NULL))
            ves_pg_drop(st);
    }
    end_transaction(st);
    s->error = words;
}

static enum ves_status begin_once(struct ves_pg *st,
                                  const struct wanted *wanted)
{
    enum ves_status status = ves_pg_connect(st);

    st->is_in = true;
    st->is_failed = st->is_open = false;
    st->is_partial = wanted->streams != NULL;
    st->known_count = 0;
    if (!status)
        status = st->is_partial ? take_streams(st, wanted) : take_lock(st);
    if (status)
        ves_pg_rollback(&st->store);
    return status;
}

static enum ves_status begin(struct ves_store *s, const struct wanted *wanted)
{
    struct ves_pg *st = ves_pg_of(s);
    bool ignored;

    VES_ASSERT(!st->is_in && !st->is_reading);
    if (st->is_read_only)
        return ves_fail(&s->error, VES_INVALID,
                        "The store is opened for reading only. Nothing was "
                        "changed. Open it for writing.");
    if (st->is_outcome_asked) {
        enum ves_status status = learn_outcome(st, &ignored);
        if (status)
            return status;
    }
    enum ves_status status = begin_once(st, wanted);
    /* The connection may have died while nobody used it. */
    return status == VES_IO && !st->conn ? begin_once(st, wanted) : status;
}

enum ves_status ves_pg_begin(struct ves_store *s)
{
    return begin(s, &(struct wanted){NULL, 0});
}

enum ves_status ves_pg_begin_streams(struct ves_store *s,
                                     const struct ves_stream *streams,
                                     size_t count)
{
    VES_ASSERT(streams && count > 0);
    return begin(s, &(struct wanted){streams, count});
}

static enum ves_status failed_before(struct ves_pg *st)
{
    return ves_fail(&st->store.error, VES_IO,
                    "An earlier step of this transaction failed, so all of it "
                    "was rolled back. Nothing was stored. Try again.");
}

static enum ves_status commit_sound(struct ves_pg *st)
{
    bool is_there = false;
    enum ves_status status = st->has_writer ? queue_mark(st) : VES_OK;

    if (!status)
        status = end_with_commit(st);
    else if (!st->conn)
        status = VES_AGAIN;
    if (status != VES_AGAIN)
        return status;
    if (!st->has_writer)
        return ves_pg_lost(st);
    status = learn_outcome(st, &is_there);
    return status || is_there ? status : failed_before(st);
}

enum ves_status ves_pg_commit(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);

    VES_ASSERT(st->is_in);
    enum ves_status status =
        st->is_failed || !st->is_open ? failed_before(st) : commit_sound(st);
    if (status)
        ves_pg_rollback(s);
    end_transaction(st);
    return status;
}

/* ---- reading --------------------------------------------------------------
 */

enum ves_status ves_pg_begin_read(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);

    VES_ASSERT(!st->is_in && !st->is_reading);
    enum ves_status status = ves_pg_connect(st);
    if (!status)
        status = ves_pg_queue(st, BEGIN_READ);
    /* Alone, so that a connection that died meanwhile is noticed while there
     * is still nothing that hangs on it. */
    if (!status)
        status = ves_pg_settle(st, NULL);
    if (status && !st->conn) {
        status = ves_pg_connect(st);
        if (!status)
            status = ves_pg_queue(st, BEGIN_READ);
    }
    st->is_reading = !status;
    return status;
}

void ves_pg_end_read(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_error words = s->error;

    if (st->is_reading && st->conn &&
        (ves_pg_queue(st, "ROLLBACK") || ves_pg_settle(st, NULL)))
        ves_pg_drop(st);
    st->is_reading = false;
    s->error = words;
}

bool ves_pg_knows(const struct ves_pg *st, uint32_t stream_no)
{
    for (size_t i = 0; st->is_in && i < st->known_count; i++)
        if (st->known[i] == stream_no)
            return true;
    return false;
}

void ves_pg_know(struct ves_pg *st, uint32_t stream_no)
{
    if (st->known_count < VES_PG_KNOWN_MAX && !ves_pg_knows(st, stream_no))
        st->known[st->known_count++] = stream_no;
}
