/* store_pg.c -- opening, and what a sequencer's store does not have. */
#include "pg/store_pg.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

enum { OUTCOME_MS = 60000, ANSWER_MS = 120000 };

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

static enum ves_status bucket_read(struct ves_store *s, uint32_t stream_no,
                                   uint16_t bucket, struct ves_arena *arena,
                                   struct ves_state_pair **pairs, size_t *count)
{
    (void)stream_no, (void)bucket, (void)arena, (void)pairs, (void)count;
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

static enum ves_status key_span_forget(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_uuid *agent,
                                       uint32_t key_id)
{
    (void)stream_no, (void)agent, (void)key_id;
    return not_here(s);
}

static enum ves_status log_give_up(struct ves_store *s, uint32_t stream_no,
                                   uint64_t above, uint64_t epoch,
                                   uint64_t *count)
{
    (void)stream_no, (void)above, (void)epoch;
    *count = 0;
    return not_here(s);
}

static enum ves_status given_up_read(struct ves_store *s, uint32_t stream_no,
                                     uint64_t from, uint32_t limit,
                                     ves_given_up_visitor *visit, void *ctx)
{
    (void)stream_no, (void)from, (void)limit, (void)visit, (void)ctx;
    return not_here(s);
}

static const struct ves_store_ops ops = {
    .begin = ves_pg_begin,
    .begin_flat = ves_pg_begin,
    .begin_streams = ves_pg_begin_streams,
    .begin_read = ves_pg_begin_read,
    .end_read = ves_pg_end_read,
    .commit = ves_pg_commit,
    .rollback = ves_pg_rollback,
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
    .log_links = ves_pg_log_links,
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
    .bucket_read = bucket_read,
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
    .log_give_up = log_give_up,
    .given_up_read = given_up_read,
    .key_get = ves_pg_key_get,
    .key_find = ves_pg_key_find,
    .key_put = ves_pg_key_put,
    .key_span_get = ves_pg_key_span_get,
    .key_span_put = ves_pg_key_span_put,
    .key_span_forget = key_span_forget,
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
    .agent_policy_get = ves_pg_agent_policy_get,
    .agent_policy_put = ves_pg_agent_policy_put,
    .agent_policy_list = ves_pg_agent_policy_list,
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
    st->has_writer = true;
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
    st->answer_ms = ANSWER_MS;
    for (size_t i = 0; i < VES_PG_PARAMS_MAX; i++)
        ves_buf_init(&st->params[i], alloc, VES_PG_VALUE_MAX);
    ves_buf_init(&st->expected, alloc, VES_PG_VALUE_MAX);
    ves_buf_init(&st->absent, alloc, VES_PG_VALUE_MAX);
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
    ves_pg_rollback(store);
    ves_pg_drop(st);
    for (size_t i = 0; i < VES_PG_PARAMS_MAX; i++)
        ves_buf_free(&st->params[i]);
    ves_buf_free(&st->expected);
    ves_buf_free(&st->absent);
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

enum ves_status ves_store_pg_others(struct ves_store *store, uint64_t *count)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(store), &q, VES_PG_OTHERS, "w",
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database()"
                " AND application_name = $1 AND pid <> pg_backend_pid()");
    ves_pg_put_word(&q, VES_PG_APPLICATION);
    return ves_pg_ask_u64(&q, count);
}

uint64_t ves_store_pg_round_trips(const struct ves_store *store)
{
    return ((const struct ves_pg *)store)->round_trips;
}

/* ---- for tests ------------------------------------------------------------
 */

void ves_store_pg_patience(struct ves_store *store, int answer_ms)
{
    ves_pg_of(store)->answer_ms = answer_ms;
}

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
