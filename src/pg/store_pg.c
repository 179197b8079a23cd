/* store_pg.c -- opening, transactions and their outcome. */
#include "pg/store_pg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

enum { OUTCOME_MS = 60000, OUTCOME_NAP_MS = 200 };

/* ---- how a transaction ended ----------------------------------------------
 */

static int64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Marks the open transaction with a number of its own, in a row that is there
 * when the transaction is. */
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

static enum ves_status read_mark(struct ves_pg *st, bool *is_there)
{
    struct ves_pg_call q;
    uint64_t found = 0;

    ves_pg_open(st, &q, VES_PG_MARK_GET, "u",
                "SELECT commit_no FROM ves_writers WHERE writer = $1");
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

/* The old connection may still be committing; it holds the writers' lock as
 * long as it does. */
static enum ves_status ask_outcome(struct ves_pg *st, bool *is_there)
{
    enum ves_status status = ves_pg_connect(st);

    if (!status)
        status = ves_pg_queue(st, "BEGIN");
    if (!status)
        status = ves_pg_queue(st, "SELECT pg_advisory_xact_lock(" VES_PG_LOCK_NO
                                  ")");
    if (!status)
        status = ves_pg_settle(st, NULL);
    if (!status) {
        st->is_reading = true;
        status = read_mark(st, is_there);
        st->is_reading = false;
    }
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

/* ---- transactions ---------------------------------------------------------
 */

static enum ves_status changed_meanwhile(struct ves_pg *st)
{
    return ves_fail(&st->store.error, VES_REFUSED,
                    "Another process has changed %s in the database since this "
                    "one was started. Nothing was changed. Start this one "
                    "anew.",
                    st->expected_name);
}

/* Opens the transaction and takes the lock, in one round trip. */
static enum ves_status take_lock(struct ves_pg *st)
{
    struct ves_pg_call q;
    enum ves_status status = ves_pg_queue(st, "BEGIN");

    st->is_open = !status;
    if (!status)
        status = ves_pg_queue(st, "SELECT pg_advisory_xact_lock(" VES_PG_LOCK_NO
                                  ")");
    if (status)
        return status;
    if (!st->expected_name)
        return ves_pg_settle(st, NULL);
    ves_pg_open(st, &q, VES_PG_EXPECT, "wb",
                "SELECT EXISTS (SELECT 1 FROM ves_meta WHERE name = $1"
                " AND value = $2)");
    ves_pg_put_word(&q, st->expected_name);
    ves_pg_put_bytes(&q, ves_buf_view(&st->expected));
    status = ves_pg_ask_row(&q);
    if (status)
        return status;
    bool is_same = ves_pg_bool(&q);
    status = ves_pg_check(&q);
    ves_pg_close(&q);
    return status || is_same ? status : changed_meanwhile(st);
}

static void rollback(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_error words = s->error;

    if (st->is_in && st->is_open && st->conn) {
        st->is_in = false;
        if (ves_pg_queue(st, "ROLLBACK") || ves_pg_settle(st, NULL))
            ves_pg_drop(st);
    }
    st->is_in = st->is_open = st->is_failed = false;
    s->error = words;
}

static enum ves_status begin_once(struct ves_pg *st)
{
    enum ves_status status = ves_pg_connect(st);

    st->is_in = true;
    st->is_failed = st->is_open = st->has_written = false;
    st->known_count = 0;
    if (!status)
        status = take_lock(st);
    if (status)
        rollback(&st->store);
    return status;
}

static enum ves_status begin(struct ves_store *s)
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
    enum ves_status status = begin_once(st);
    /* The connection may have died while nobody used it. */
    return status == VES_IO && !st->conn ? begin_once(st) : status;
}

static enum ves_status failed_before(struct ves_pg *st)
{
    return ves_fail(&st->store.error, VES_IO,
                    "An earlier step of this transaction failed, so all of it "
                    "was rolled back. Nothing was stored. Try again.");
}

static enum ves_status send_commit(struct ves_pg *st)
{
    enum ves_status status = VES_OK;

    if (st->has_written)
        status = queue_mark(st);
    if (!status)
        status = ves_pg_queue(st, "COMMIT");
    return status ? status : ves_pg_settle(st, NULL);
}

static enum ves_status commit(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);
    bool is_there = false;

    VES_ASSERT(st->is_in);
    bool is_sound = !st->is_failed && st->is_open;
    enum ves_status status = is_sound ? send_commit(st) : failed_before(st);
    /* Without a connection nobody has said no. */
    if (status && is_sound && !st->conn && st->has_written) {
        status = learn_outcome(st, &is_there);
        if (!status && !is_there)
            status = failed_before(st);
    }
    if (status)
        rollback(s);
    st->is_in = st->is_open = st->is_failed = false;
    return status;
}

static enum ves_status begin_read(struct ves_store *s)
{
    struct ves_pg *st = ves_pg_of(s);

    VES_ASSERT(!st->is_in && !st->is_reading);
    enum ves_status status = ves_pg_connect(st);
    if (!status)
        status =
            ves_pg_queue(st, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    /* Alone, so that a connection that died meanwhile is noticed while there
     * is still nothing that hangs on it. */
    if (!status)
        status = ves_pg_settle(st, NULL);
    if (status && !st->conn) {
        status = ves_pg_connect(st);
        if (!status)
            status = ves_pg_queue(
                st, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    }
    st->is_reading = !status;
    return status;
}

static void end_read(struct ves_store *s)
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

/* ---- what only a device has -----------------------------------------------
 */

static enum ves_status not_here(struct ves_store *s)
{
    return ves_fail(&s->error, VES_UNSUPPORTED,
                    "This is a sequencer's store; it has no such table. "
                    "Nothing was changed.");
}

static enum ves_status bucket_get_all(struct ves_store *s, uint32_t stream_no,
                                      struct ves_hash *hashes, bool *is_dirty)
{
    (void)stream_no, (void)hashes, (void)is_dirty;
    return not_here(s);
}

static enum ves_status bucket_mark(struct ves_store *s, uint32_t stream_no,
                                   const uint16_t *buckets, size_t count)
{
    (void)stream_no, (void)buckets, (void)count;
    return not_here(s);
}

static enum ves_status bucket_put(struct ves_store *s, uint32_t stream_no,
                                  uint16_t bucket, const struct ves_hash *hash)
{
    (void)stream_no, (void)bucket, (void)hash;
    return not_here(s);
}

static enum ves_status outbox_append(struct ves_store *s,
                                     struct ves_outbox_row *rows, size_t count)
{
    (void)rows, (void)count;
    return not_here(s);
}

static enum ves_status outbox_get(struct ves_store *s,
                                  const struct ves_uuid *ids, size_t count,
                                  struct ves_arena *arena,
                                  struct ves_outbox_row *rows)
{
    (void)ids, (void)count, (void)arena, (void)rows;
    return not_here(s);
}

static enum ves_status outbox_list(struct ves_store *s,
                                   const struct ves_outbox_filter *filter,
                                   ves_outbox_visitor *visit, void *ctx)
{
    (void)filter, (void)visit, (void)ctx;
    return not_here(s);
}

static enum ves_status outbox_overlay(struct ves_store *s, uint64_t last,
                                      uint64_t count, ves_outbox_visitor *visit,
                                      void *ctx)
{
    (void)last, (void)count, (void)visit, (void)ctx;
    return not_here(s);
}

static enum ves_status outbox_promised(struct ves_store *s, uint64_t first,
                                       uint64_t last, size_t max,
                                       struct ves_promise_row *rows,
                                       size_t *found)
{
    (void)first, (void)last, (void)max, (void)rows;
    *found = 0;
    return not_here(s);
}

static enum ves_status outbox_update(struct ves_store *s,
                                     const struct ves_outbox_row *rows,
                                     size_t count)
{
    (void)rows, (void)count;
    return not_here(s);
}

static enum ves_status outbox_resign(struct ves_store *s,
                                     const struct ves_outbox_row *row)
{
    (void)row;
    return not_here(s);
}

static enum ves_status outbox_counts(struct ves_store *s,
                                     uint64_t counts[VES_OUTBOX_STATUSES])
{
    memset(counts, 0, VES_OUTBOX_STATUSES * sizeof *counts);
    return not_here(s);
}

static enum ves_status outbox_prune(struct ves_store *s, int64_t before_ms,
                                    uint64_t *count)
{
    (void)before_ms;
    *count = 0;
    return not_here(s);
}

static enum ves_status follow_get(struct ves_store *s, uint32_t stream_no,
                                  struct ves_arena *arena,
                                  struct ves_follow_row *row)
{
    (void)stream_no, (void)arena, (void)row;
    return not_here(s);
}

static enum ves_status follow_put(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_follow_row *row)
{
    (void)stream_no, (void)row;
    return not_here(s);
}

static enum ves_status kept_head_put(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_kept_head *head,
                                     uint32_t keep)
{
    (void)stream_no, (void)head, (void)keep;
    return not_here(s);
}

static enum ves_status kept_heads_read(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, size_t count,
                                       struct ves_kept_head *rows,
                                       size_t *found)
{
    (void)stream_no, (void)from, (void)count, (void)rows;
    *found = 0;
    return not_here(s);
}

static enum ves_status kept_heads_cut(struct ves_store *s, uint32_t stream_no,
                                      uint64_t above)
{
    (void)stream_no, (void)above;
    return not_here(s);
}

static const struct ves_store_ops ops = {
    .begin = begin,
    .begin_flat = begin,
    .begin_read = begin_read,
    .end_read = end_read,
    .commit = commit,
    .rollback = rollback,
    .meta_get = ves_pg_meta_get,
    .meta_put = ves_pg_meta_put,
    .stream_get = ves_pg_stream_get,
    .stream_put = ves_pg_stream_put,
    .stream_list = ves_pg_stream_list,
    .log_head = ves_pg_log_head,
    .log_find_ids = ves_pg_log_find_ids,
    .log_find_commands = ves_pg_log_find_commands,
    .log_append = ves_pg_log_append,
    .log_read = ves_pg_log_read,
    .log_judge = ves_pg_log_judge,
    .log_prune = ves_pg_log_prune,
    .log_leaves = ves_pg_log_leaves,
    .log_match = ves_pg_log_match,
    .waiting_list = ves_pg_waiting_list,
    .log_find_late = ves_pg_log_find_late,
    .conflict_get = ves_pg_conflict_get,
    .conflict_put = ves_pg_conflict_put,
    .conflict_list = ves_pg_conflict_list,
    .conflict_counts = ves_pg_conflict_counts,
    .member_add = ves_pg_member_add,
    .member_list = ves_pg_member_list,
    .member_find = ves_pg_member_find,
    .verdict_reset = ves_pg_verdict_reset,
    .entity_get = ves_pg_entity_get,
    .entity_put = ves_pg_entity_put,
    .entity_scan = ves_pg_entity_scan,
    .entity_reset = ves_pg_entity_reset,
    .bucket_get_all = bucket_get_all,
    .bucket_mark = bucket_mark,
    .bucket_put = bucket_put,
    .outbox_append = outbox_append,
    .outbox_get = outbox_get,
    .outbox_list = outbox_list,
    .outbox_overlay = outbox_overlay,
    .outbox_promised = outbox_promised,
    .outbox_update = outbox_update,
    .outbox_resign = outbox_resign,
    .outbox_counts = outbox_counts,
    .outbox_prune = outbox_prune,
    .record_append = ves_pg_record_append,
    .record_list = ves_pg_record_list,
    .record_close = ves_pg_record_close,
    .record_count_open = ves_pg_record_count_open,
    .follow_get = follow_get,
    .follow_put = follow_put,
    .kept_head_put = kept_head_put,
    .kept_heads_read = kept_heads_read,
    .kept_heads_cut = kept_heads_cut,
    .key_get = ves_pg_key_get,
    .key_put = ves_pg_key_put,
    .key_span_get = ves_pg_key_span_get,
    .key_span_put = ves_pg_key_span_put,
    .key_list = ves_pg_key_list,
    .commitment_put = ves_pg_commitment_put,
    .commitment_get = ves_pg_commitment_get,
    .commitment_covering = ves_pg_commitment_covering,
    .commitment_list = ves_pg_commitment_list,
    .tlog_get = ves_pg_tlog_get,
    .tlog_find = ves_pg_tlog_find,
    .tlog_append = ves_pg_tlog_append,
    .tlog_sign = ves_pg_tlog_sign,
    .tlog_freeze = ves_pg_tlog_freeze,
    .cosigned_get = ves_pg_cosigned_get,
    .cosigned_put = ves_pg_cosigned_put,
    .tile_read = ves_pg_tile_read,
    .cursor_get = ves_pg_cursor_get,
    .cursor_put = ves_pg_cursor_put,
    .credential_get = ves_pg_credential_get,
    .credential_put = ves_pg_credential_put,
    .credential_list = ves_pg_credential_list,
    .invitation_get = ves_pg_invitation_get,
    .invitation_put = ves_pg_invitation_put,
};

/* ---- the handle -----------------------------------------------------------
 */

/* Marks of processes that are long gone are of no use. */
static enum ves_status name_writer(struct ves_pg *st)
{
    PGresult *answer = NULL;
    enum ves_status status = ves_pg_queue(
        st, "DELETE FROM ves_writers WHERE seen < now() - interval '30 days'");

    if (!status)
        status = ves_pg_queue(st, "SELECT gen_random_uuid()");
    if (!status)
        status = ves_pg_settle(st, &answer);
    if (status)
        return status;
    VES_ASSERT(PQntuples(answer) == 1 &&
               PQgetlength(answer, 0, 0) == VES_UUID_SIZE);
    memcpy(st->writer.b, PQgetvalue(answer, 0, 0), VES_UUID_SIZE);
    PQclear(answer);
    return VES_OK;
}

static enum ves_status open_store(struct ves_pg *st,
                                  const struct ves_store_pg_options *options)
{
    size_t size = strlen(options->url) + 1;
    enum ves_status status = ves_pq_load(&st->store.error);

    if (status)
        return status;
    st->url = st->alloc->realloc(st->alloc->ctx, NULL, size);
    if (!st->url)
        return ves_fail(&st->store.error, VES_NOMEM,
                        "There is not enough memory.");
    memcpy(st->url, options->url, size);
    status = ves_pg_connect(st);
    if (!status)
        status = ves_pg_migrate(st, options->create);
    return status || st->is_read_only ? status : name_writer(st);
}

enum ves_status ves_store_pg_open(const struct ves_store_pg_options *options,
                                  const struct ves_alloc *alloc,
                                  struct ves_store **out,
                                  struct ves_error *error)
{
    struct ves_pg *st = alloc->realloc(alloc->ctx, NULL, sizeof *st);

    if (!st)
        return ves_fail(error, VES_NOMEM, "There is not enough memory.");
    memset(st, 0, sizeof *st);
    st->store.ops = &ops;
    st->alloc = alloc;
    st->is_read_only = options->is_read_only;
    st->busy_timeout_ms = options->busy_timeout_ms;
    st->outcome_ms = options->outcome_ms ? options->outcome_ms : OUTCOME_MS;
    for (size_t i = 0; i < VES_PG_PARAMS_MAX; i++)
        ves_buf_init(&st->params[i], alloc, VES_PG_VALUE_MAX);
    ves_buf_init(&st->expected, alloc, VES_PG_VALUE_MAX);
    enum ves_status status = open_store(st, options);
    if (status) {
        if (error)
            *error = st->store.error;
        ves_store_pg_close(&st->store);
        return status;
    }
    memset(&st->store.error, 0, sizeof st->store.error);
    *out = &st->store;
    return VES_OK;
}

void ves_store_pg_close(struct ves_store *store)
{
    struct ves_pg *st = ves_pg_of(store);

    if (!store)
        return;
    rollback(store);
    ves_pg_drop(st);
    for (size_t i = 0; i < VES_PG_PARAMS_MAX; i++)
        ves_buf_free(&st->params[i]);
    ves_buf_free(&st->expected);
    if (st->url)
        st->alloc->realloc(st->alloc->ctx, st->url, 0);
    st->alloc->realloc(st->alloc->ctx, st, 0);
}

bool ves_store_pg_is(const struct ves_store *store)
{
    return store->ops == &ops;
}

enum ves_status ves_store_pg_expect(struct ves_store *store, const char *name,
                                    struct ves_bytes value)
{
    struct ves_pg *st = ves_pg_of(store);

    ves_buf_reset(&st->expected);
    ves_buf_put_bytes(&st->expected, value);
    st->expected_name = name;
    return ves_buf_status(&st->expected);
}

uint64_t ves_store_pg_round_trips(const struct ves_store *store)
{
    return ((const struct ves_pg *)store)->round_trips;
}

/* ---- for tests ------------------------------------------------------------
 */

enum ves_status ves_store_pg_backend(struct ves_store *store, int64_t *pid)
{
    struct ves_pg *st = ves_pg_of(store);
    PGresult *answer = NULL;
    enum ves_status status = ves_pg_connect(st);

    *pid = 0;
    if (!status)
        status = ves_pg_queue(st, "SELECT pg_backend_pid()::text");
    if (!status)
        status = ves_pg_settle(st, &answer);
    if (status)
        return status;
    for (const char *p = PQgetvalue(answer, 0, 0); *p; p++)
        *pid = *pid * 10 + (*p - '0');
    PQclear(answer);
    return VES_OK;
}

/* Arguments are NULL: the plan does not depend on them. */
static enum ves_status explain_one(struct ves_pg *st, int id, PGresult **answer)
{
    char text[512];
    int at = snprintf(text, sizeof text,
                      "SELECT repeat(', NULL', cardinality("
                      "parameter_types))::bytea FROM pg_prepared_statements"
                      " WHERE name = 'ves%d'",
                      id);
    enum ves_status status = ves_pg_queue(st, text);

    *answer = NULL;
    if (!status)
        status = ves_pg_settle(st, answer);
    if (status)
        return status;
    int len = PQgetlength(*answer, 0, 0);
    at = snprintf(text, sizeof text, "EXPLAIN (COSTS OFF) EXECUTE ves%d", id);
    if (len > 1)
        snprintf(text + at, sizeof text - (size_t)at, "(%.*s)", len - 1,
                 PQgetvalue(*answer, 0, 0) + 1);
    PQclear(*answer);
    *answer = NULL;
    status = ves_pg_queue(st, text);
    return status ? status : ves_pg_settle(st, answer);
}

enum ves_status ves_store_pg_explain(struct ves_store *store,
                                     void (*visit)(void *ctx,
                                                   const char *statement,
                                                   struct ves_bytes line),
                                     void *ctx)
{
    struct ves_pg *st = ves_pg_of(store);

    for (int id = 0; id < VES_PG_IDS; id++) {
        PGresult *answer;
        char name[16];

        if (!st->is_prepared[id])
            continue;
        enum ves_status status = explain_one(st, id, &answer);
        if (status)
            return status;
        snprintf(name, sizeof name, "ves%d", id);
        for (int i = 0; i < PQntuples(answer); i++)
            visit(ctx, name,
                  ves_bytes(PQgetvalue(answer, i, 0),
                            (size_t)PQgetlength(answer, i, 0)));
        PQclear(answer);
    }
    return VES_OK;
}
