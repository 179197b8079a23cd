/* store_sqlite_outbox_list.c -- listing the outbox, each way by its index. */
#include "base/assert.h"
#include "store/store_sqlite_internal.h"

/* ?1 bound on local_seq, ?2 status mask, ?3 entity key or NULL, ?4 overlay
 * only, ?5 limit. */
#define STATUS_BIT                                            \
    "CASE status WHEN 'pending' THEN 1 WHEN 'syncing' THEN 2" \
    " WHEN 'synced' THEN 4 WHEN 'failed' THEN 8 ELSE 16 END"
#define OF_STATUS " AND (?2 = 0 OR ?2 & " STATUS_BIT ")"
#define OF_ENTITY " AND (?3 IS NULL OR entity_key = ?3)"
#define SELECT    "SELECT " VES_SQLITE_OUTBOX_COLUMNS " FROM ves_outbox WHERE "
#define UP        " ORDER BY local_seq LIMIT ?5"
#define DOWN      " ORDER BY local_seq DESC LIMIT ?5"
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

#define OVERLAY_OF_ENTITY(bound) \
    SELECT "entity_key = ?3 AND is_in_overlay AND " bound OF_STATUS

/* The overlay is small beside the table; its index knows the rows. */
#define OVERLAY(bound)                                                      \
    SELECT "local_seq IN (SELECT local_seq FROM ves_outbox"                 \
           " INDEXED BY ves_outbox_overlay WHERE is_in_overlay) AND " bound \
               OF_STATUS

enum way { WAY_ALL, WAY_OPEN, WAY_OVERLAY_OF_ENTITY, WAY_OVERLAY, WAYS };

static const char *const statements[WAYS][2] = {
    [WAY_ALL] = {ALL(AFTER) UP, ALL(BEFORE) DOWN},
    [WAY_OPEN] = {OPEN(AFTER) UP, OPEN(BEFORE) DOWN},
    [WAY_OVERLAY_OF_ENTITY] = {OVERLAY_OF_ENTITY(AFTER) UP,
                               OVERLAY_OF_ENTITY(BEFORE) DOWN},
    [WAY_OVERLAY] = {OVERLAY(AFTER) UP, OVERLAY(BEFORE) DOWN}};

static enum way choose_way(const struct ves_outbox_filter *filter)
{
    if (filter->overlay_only)
        return filter->has_entity ? WAY_OVERLAY_OF_ENTITY : WAY_OVERLAY;
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
    ves_sql_put_i64(q, filter->overlay_only);
    ves_sql_put_i64(q, filter->limit ? (int64_t)filter->limit : -1);
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
    while (!status && ves_sql_next(&q)) {
        struct ves_outbox_row row;

        status = ves_sqlite_outbox_read(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
