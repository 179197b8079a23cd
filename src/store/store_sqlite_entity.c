/* store_sqlite_entity.c -- entities and state buckets of the SQLite store. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "core/entity.h"
#include "store/store_sqlite_internal.h"

#define ENTITY_COLUMNS                                                    \
    "entity_key, entity_type, entity_id, events, last_sequence,"          \
    " last_jump, version, head, head_applied_at, state_hash, own_events," \
    " own_head, own_last, state, written_at, tombstone"

/* ---- reading --------------------------------------------------------------
 */

static enum ves_status entity_read(struct ves_sql *q,
                                   struct ves_entity_row *row)
{
    memset(row, 0, sizeof *row);
    row->is_found = true;
    ves_sql_fixed(q, row->key.b, sizeof row->key.b);
    row->entity_type = ves_sql_bytes(q);
    row->entity_id = ves_sql_bytes(q);
    row->count = ves_sql_u64(q);
    row->last = ves_sql_u64(q);
    row->last_jump = ves_sql_u64(q);
    row->version = ves_sql_u64(q);
    ves_sql_fixed(q, row->head.b, sizeof row->head.b);
    row->head_applied_at = ves_sql_u64(q);
    ves_sql_fixed(q, row->state_hash.b, sizeof row->state_hash.b);
    row->own_count = ves_sql_u64(q);
    ves_sql_fixed(q, row->own_head.b, sizeof row->own_head.b);
    row->own_last = ves_sql_u64(q);
    row->state = ves_sql_bytes(q);
    row->written_at = ves_sql_u64(q);
    row->tombstone = ves_sql_u64(q);
    row->place = ves_sql_u64(q);
    return ves_sql_check(q);
}

static enum ves_status entity_get_one(struct ves_sql *q, uint32_t stream_no,
                                      const struct ves_hash *key,
                                      struct ves_arena *arena,
                                      struct ves_entity_row *row)
{
    enum ves_status status;

    q->param = 0;
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_hash(q, key);
    status = ves_sql_row(q);
    if (status == VES_NOT_FOUND) {
        memset(row, 0, sizeof *row);
        row->key = *key;
        status = VES_OK;
    } else if (!status) {
        status = entity_read(q, row);
        if (!status)
            status = ves_arena_copy(arena, row->entity_type, &row->entity_type);
        if (!status)
            status = ves_arena_copy(arena, row->entity_id, &row->entity_id);
        if (!status)
            status = ves_arena_copy(arena, row->state, &row->state);
    }
    sqlite3_reset(q->stmt);
    return status;
}

enum ves_status ves_sqlite_entity_get(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_hash *keys, size_t count,
                                      struct ves_arena *arena,
                                      struct ves_entity_row *rows)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_ENTITY_GET,
                     "SELECT " ENTITY_COLUMNS ", id FROM ves_entities"
                     " WHERE stream_no = ? AND entity_key = ?");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = entity_get_one(&q, stream_no, &keys[i], arena, &rows[i]);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_entity_scan(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *from,
                                       uint32_t limit,
                                       struct ves_bytes entity_type,
                                       ves_entity_visitor *visit, void *ctx)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        ves_sqlite_of(s), &q, VES_SQL_ENTITY_SCAN,
        "SELECT " ENTITY_COLUMNS ", id FROM ves_entities"
        " WHERE stream_no = ?1 AND entity_key >= ?2"
        " AND (?3 = '' OR entity_type = ?3) ORDER BY entity_key LIMIT ?4");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_hash(&q, from);
    ves_sql_put_text(&q, entity_type);
    ves_sql_put_i64(&q, limit ? (int64_t)limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_entity_row row;

        status = entity_read(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- writing --------------------------------------------------------------
 */

static void put_entity(struct ves_sql *q, uint32_t stream_no,
                       const struct ves_entity_row *row)
{
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_hash(q, &row->key);
    ves_sql_put_text(q, row->entity_type);
    ves_sql_put_text(q, row->entity_id);
    ves_sql_put_u64(q, row->count);
    ves_sql_put_u64(q, row->last);
    ves_sql_put_u64(q, row->last_jump);
    ves_sql_put_u64(q, row->version);
    ves_sql_put_hash_or_null(q, &row->head);
    ves_sql_put_u64(q, row->head_applied_at);
    ves_sql_put_hash_or_null(q, &row->state_hash);
    ves_sql_put_u64(q, row->own_count);
    ves_sql_put_hash_or_null(q, &row->own_head);
    ves_sql_put_u64(q, row->own_last);
    ves_sql_put_text(q, row->state);
    ves_sql_put_u64(q, row->written_at);
    ves_sql_put_u64(q, row->tombstone);
}

/* The numbers are those of put_entity. */
#define ENTITY_INSERT                                                    \
    "INSERT INTO ves_entities (stream_no, " ENTITY_COLUMNS ")"           \
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"        \
    " ON CONFLICT (stream_no, entity_key) DO UPDATE SET"                 \
    " entity_type = excluded.entity_type,"                               \
    " entity_id = excluded.entity_id, events = excluded.events,"         \
    " last_sequence = excluded.last_sequence,"                           \
    " last_jump = excluded.last_jump, version = excluded.version,"       \
    " head = excluded.head, head_applied_at = excluded.head_applied_at," \
    " state_hash = excluded.state_hash,"                                 \
    " own_events = excluded.own_events, own_head = excluded.own_head,"   \
    " own_last = excluded.own_last,"                                     \
    " state = excluded.state, written_at = excluded.written_at,"         \
    " tombstone = excluded.tombstone"
#define ENTITY_UPDATE                                                 \
    "UPDATE ves_entities SET entity_type = ?3, entity_id = ?4,"       \
    " events = ?5, last_sequence = ?6, last_jump = ?7, version = ?8," \
    " head = ?9, head_applied_at = ?10, state_hash = ?11,"            \
    " own_events = ?12, own_head = ?13, own_last = ?14, state = ?15," \
    " written_at = ?16, tombstone = ?17"                              \
    " WHERE stream_no = ?1 AND entity_key = ?2 AND id = ?18"

struct put {
    struct ves_sqlite *st;
    struct ves_sql insert, update;
};

/* An upsert costs twice what an update does, and most rows were read from
 * here: the update finds them where they were, without the index. */
static enum ves_status entity_put_one(struct put *put, uint32_t stream_no,
                                      const struct ves_entity_row *row)
{
    if (row->place > 0) {
        put_entity(&put->update, stream_no, row);
        ves_sql_put_u64(&put->update, row->place);
        enum ves_status status = ves_sql_run(&put->update);
        if (status || sqlite3_changes(put->st->db) > 0)
            return status;
    }
    put_entity(&put->insert, stream_no, row);
    return ves_sql_run_row(&put->insert);
}

enum ves_status ves_sqlite_entity_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_entity_row *rows,
                                      size_t count)
{
    struct put put = {.st = ves_sqlite_of(s)};
    enum ves_status status;

    VES_ASSERT(put.st->tx != VES_TX_NONE);
    status =
        ves_sql_open(put.st, &put.insert, VES_SQL_ENTITY_PUT, ENTITY_INSERT);
    if (status)
        return status;
    status =
        ves_sql_open(put.st, &put.update, VES_SQL_ENTITY_UPDATE, ENTITY_UPDATE);
    if (!status) {
        for (size_t i = 0; i < count && !status; i++)
            status = entity_put_one(&put, stream_no, &rows[i]);
        ves_sql_close(&put.update);
    }
    ves_sql_close(&put.insert);
    return status;
}

enum ves_status ves_sqlite_entity_reset(struct ves_store *s, uint32_t stream_no)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    status = ves_sql_open(st, &q, VES_SQL_ENTITY_RESET,
                          "UPDATE ves_entities SET events = 0,"
                          " last_sequence = 0, last_jump = 0, version = 0,"
                          " head = NULL, head_applied_at = 0, written_at = 0,"
                          " tombstone = 0, state = '', state_hash = NULL"
                          " WHERE stream_no = ?");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- state buckets --------------------------------------------------------
 */

enum ves_status ves_sqlite_bucket_get_all(struct ves_store *s,
                                          uint32_t stream_no,
                                          struct ves_hash *hashes,
                                          bool *is_dirty)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    memset(hashes, 0, VES_STATE_BUCKETS * sizeof *hashes);
    memset(is_dirty, 0, VES_STATE_BUCKETS * sizeof *is_dirty);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_BUCKET_GET,
                              "SELECT bucket, hash, is_dirty"
                              " FROM ves_state_buckets WHERE stream_no = ?"
                              " AND bucket BETWEEN 0 AND 4095");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    while (!status && ves_sql_next(&q)) {
        uint32_t bucket = ves_sql_u32(&q);

        ves_sql_fixed(&q, hashes[bucket].b, sizeof hashes[bucket].b);
        is_dirty[bucket] = ves_sql_bool(&q);
        status = ves_sql_check(&q);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_bucket_mark(struct ves_store *s, uint32_t stream_no,
                                       const uint16_t *buckets, size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_BUCKET_MARK,
            "INSERT INTO ves_state_buckets (stream_no, bucket, hash,"
            " is_dirty) VALUES (?, ?, NULL, 1) ON CONFLICT (stream_no, bucket)"
            " DO UPDATE SET is_dirty = 1 WHERE NOT is_dirty");
    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++) {
        VES_ASSERT(buckets[i] < VES_STATE_BUCKETS);
        ves_sql_put_i64(&q, stream_no);
        ves_sql_put_i64(&q, buckets[i]);
        status = ves_sql_run(&q);
    }
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_bucket_put(struct ves_store *s, uint32_t stream_no,
                                      uint16_t bucket,
                                      const struct ves_hash *hash)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE);
    VES_ASSERT(bucket < VES_STATE_BUCKETS);
    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_BUCKET_PUT,
            "INSERT INTO ves_state_buckets (stream_no, bucket, hash,"
            " is_dirty) VALUES (?, ?, ?, 0) ON CONFLICT (stream_no, bucket)"
            " DO UPDATE SET hash = excluded.hash, is_dirty = 0");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_i64(&q, bucket);
    ves_sql_put_hash_or_null(&q, hash);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}
