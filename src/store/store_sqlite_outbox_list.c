/* store_sqlite_outbox_list.c -- listing the outbox, each way by its index. */
#include "base/assert.h"
#include "store/store_sqlite_internal.h"

/* ?1 bound on local_seq, ?2 status mask, ?3 entity key or NULL, ?4 limit. */
#define STATUS_BIT                                            \
    "CASE status WHEN 'pending' THEN 1 WHEN 'syncing' THEN 2" \
    " WHEN 'synced' THEN 4 WHEN 'failed' THEN 8 ELSE 16 END"
#define OF_STATUS " AND (?2 = 0 OR ?2 & " STATUS_BIT ")"
#define OF_ENTITY " AND (?3 IS NULL OR entity_key = ?3)"
#define SELECT    "SELECT " VES_SQLITE_OUTBOX_COLUMNS " FROM ves_outbox WHERE "
#define UP        " ORDER BY local_seq LIMIT ?4"
#define DOWN      " ORDER BY local_seq DESC LIMIT ?4"
#define AFTER     "local_seq > ?1"
#define BEFORE    "local_seq < ?1"

/* Every row, in the order of the table. */
#define ALL(bound) SELECT bound OF_STATUS OF_ENTITY

/* Without synced rows: one arm a status, each in the order of the partial
 * index, merged; an arm whose bit is not asked for costs nothing.  The term
 * with <> is what lets SQLite take the partial index. */
#define ARM(bit, status, bound)                 \
    SELECT "?2 & " bit " AND status = '" status \
           "' AND status <> 'synced' AND " bound OF_ENTITY
#define OPEN(bound)                                             \
    ARM("1", "pending", bound)                                  \
    " UNION ALL " ARM("2", "syncing", bound) " UNION ALL " ARM( \
        "8", "failed", bound) " UNION ALL " ARM("16", "conflict", bound)

/* ?1 the entity's newest row, ?2 how many in the overlay.  From row to row
 * back; a link that leads forward, which nobody writes, ends it. */
#define OVERLAY                                                        \
    "SELECT " VES_SQLITE_OUTBOX_COLUMNS                                \
    " FROM ves_outbox WHERE local_seq IN (WITH RECURSIVE"              \
    " chain (seq, prev, is_in, left) AS ("                             \
    "SELECT local_seq, entity_prev, is_in_overlay, ?2 - is_in_overlay" \
    " FROM ves_outbox WHERE local_seq = ?1 AND ?2 > 0"                 \
    " UNION ALL SELECT o.local_seq, o.entity_prev, o.is_in_overlay,"   \
    " c.left - o.is_in_overlay FROM chain c CROSS JOIN ves_outbox o"   \
    " ON o.local_seq = c.prev WHERE c.left > 0 AND c.prev < c.seq)"    \
    " SELECT seq FROM chain WHERE is_in) ORDER BY local_seq"

/* The terms of the partial index, so that SQLite takes it. */
#define PROMISED                                              \
    "SELECT sequence_number, local_seq FROM ves_outbox WHERE" \
    " is_in_overlay AND receipt IS NOT NULL"                  \
    " AND sequence_number BETWEEN ?1 AND ?2"                  \
    " ORDER BY sequence_number, local_seq LIMIT ?3"

enum way { WAY_ALL, WAY_OPEN, WAYS };

static const char *const statements[WAYS][2] = {
    [WAY_ALL] = {ALL(AFTER) UP, ALL(BEFORE) DOWN},
    [WAY_OPEN] = {OPEN(AFTER) UP, OPEN(BEFORE) DOWN}};

static enum way choose_way(const struct ves_outbox_filter *filter)
{
    if (filter->status_mask && !(filter->status_mask & 1u << VES_OUTBOX_SYNCED))
        return WAY_OPEN;
    return WAY_ALL;
}

static void put_filter(struct ves_sql *q,
                       const struct ves_outbox_filter *filter)
{
    uint64_t bound = filter->after_local_seq;

    if (bound > INT64_MAX || (filter->is_descending && bound == 0))
        bound = INT64_MAX;
    ves_sql_put_u64(q, bound);
    ves_sql_put_i64(q, filter->status_mask);
    ves_sql_put_blob_if(q, filter->has_entity, filter->entity_key.b,
                        sizeof filter->entity_key.b);
    ves_sql_put_i64(q, filter->limit ? (int64_t)filter->limit : -1);
}

static enum ves_status visit_rows(struct ves_sql *q, ves_outbox_visitor *visit,
                                  void *ctx)
{
    enum ves_status status = VES_OK;

    while (!status && ves_sql_next(q)) {
        struct ves_outbox_row row;

        status = ves_sqlite_outbox_read(q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(q);
    ves_sql_close(q);
    return status;
}

enum ves_status ves_sqlite_outbox_list(struct ves_store *s,
                                       const struct ves_outbox_filter *filter,
                                       ves_outbox_visitor *visit, void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum way way = choose_way(filter);
    unsigned down = filter->is_descending;
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    if (!status)
        status =
            ves_sql_open(st, &q, VES_SQL_OUTBOX_LIST + (unsigned)way * 2 + down,
                         statements[way][down]);
    if (status)
        return status;
    put_filter(&q, filter);
    return visit_rows(&q, visit, ctx);
}

enum ves_status ves_sqlite_outbox_overlay(struct ves_store *s, uint64_t last,
                                          uint64_t count,
                                          ves_outbox_visitor *visit, void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_OUTBOX_OVERLAY, OVERLAY);
    if (status)
        return status;
    ves_sql_put_u64(&q, last > INT64_MAX ? 0 : last);
    ves_sql_put_u64(&q, count > INT64_MAX ? INT64_MAX : count);
    return visit_rows(&q, visit, ctx);
}

enum ves_status ves_sqlite_outbox_promised(struct ves_store *s, uint64_t first,
                                           uint64_t last, size_t max,
                                           struct ves_promise_row *rows,
                                           size_t *found)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    *found = 0;
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_OUTBOX_PROMISED, PROMISED);
    if (status)
        return status;
    ves_sql_put_u64(&q, first > INT64_MAX ? INT64_MAX : first);
    ves_sql_put_u64(&q, last > INT64_MAX ? INT64_MAX : last);
    ves_sql_put_u64(&q, max > INT64_MAX ? INT64_MAX : max);
    while (ves_sql_next(&q) && *found < max) {
        struct ves_promise_row *row = &rows[(*found)++];
        row->sequence_number = ves_sql_u64(&q);
        row->local_seq = ves_sql_u64(&q);
    }
    status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
