/* store_sqlite_entity.c -- entities of the SQLite store. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
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

static enum ves_status copy_texts(struct ves_arena *arena,
                                  struct ves_entity_row *row)
{
    enum ves_status status =
        ves_arena_copy(arena, row->entity_type, &row->entity_type);

    if (!status)
        status = ves_arena_copy(arena, row->entity_id, &row->entity_id);
    if (!status)
        status = ves_arena_copy(arena, row->state, &row->state);
    return status;
}

static enum ves_status misplaced(struct ves_sqlite *st)
{
    return ves_fail(&st->store.error, VES_CORRUPT,
                    "an entity lies under another's key; \"ves doctor\" says "
                    "which");
}

static enum ves_status get_by_name(struct ves_sqlite *st, uint32_t stream_no,
                                   const struct ves_entity_name *name,
                                   struct ves_arena *arena,
                                   struct ves_entity_row *row)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_ENTITY_GET,
        "SELECT " ENTITY_COLUMNS ", id FROM ves_entities"
        " WHERE stream_no = ? AND entity_type = ? AND entity_id = ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_text(&q, name->type);
    ves_sql_put_text(&q, name->id);
    status = ves_sql_row(&q);
    if (!status)
        status = entity_read(&q, row);
    if (!status)
        status = copy_texts(arena, row);
    ves_sql_close(&q);
    return status || ves_hash_equal(&row->key, &name->key) ? status
                                                           : misplaced(st);
}

enum ves_status ves_sqlite_entity_open(struct ves_sqlite *st, struct ves_sql *q)
{
    return ves_sql_open(st, q, VES_SQL_ENTITY_AT,
                        "SELECT " ENTITY_COLUMNS
                        ", id FROM ves_entities WHERE id = ?");
}

enum ves_status ves_sqlite_entity_row(struct ves_sql *q, int64_t place,
                                      struct ves_entity_row *row)
{
    if (!q->is_reset)
        sqlite3_reset(q->stmt);
    q->is_reset = true;
    q->param = 0;
    ves_sql_put_i64(q, place);
    enum ves_status status = ves_sql_row(q);
    return status ? status : entity_read(q, row);
}

static enum ves_status get_at(struct ves_sqlite *st, int64_t place,
                              struct ves_arena *arena,
                              struct ves_entity_row *row)
{
    struct ves_sql q;
    enum ves_status status = ves_sqlite_entity_open(st, &q);

    if (status)
        return status;
    status = ves_sqlite_entity_row(&q, place, row);
    if (!status)
        status = copy_texts(arena, row);
    ves_sql_close(&q);
    return status;
}

static enum ves_status get_by_key(struct ves_sqlite *st, uint32_t stream_no,
                                  const struct ves_hash *key,
                                  struct ves_arena *arena,
                                  struct ves_entity_row *row)
{
    int64_t place;
    enum ves_status status = ves_sqlite_bucket_find(st, stream_no, key, &place);

    if (!status)
        status = place ? get_at(st, place, arena, row) : VES_NOT_FOUND;
    return status;
}

enum ves_status ves_sqlite_entity_get(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_entity_name *names,
                                      size_t count, struct ves_arena *arena,
                                      struct ves_entity_row *rows)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < count && !status; i++) {
        const struct ves_entity_name *name = &names[i];
        status = name->type.len > 0
                     ? get_by_name(st, stream_no, name, arena, &rows[i])
                     : get_by_key(st, stream_no, &name->key, arena, &rows[i]);
        if (status != VES_NOT_FOUND)
            continue;
        memset(&rows[i], 0, sizeof rows[i]);
        rows[i].key = name->key;
        status = VES_OK;
    }
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
#define ENTITY_INSERT                                          \
    "INSERT INTO ves_entities (stream_no, " ENTITY_COLUMNS "," \
    " bucket_prev)"                                            \
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
/* An entity keeps its name: what is in an index is not written again. */
#define ENTITY_UPDATE                                                 \
    "UPDATE ves_entities SET"                                         \
    " events = ?5, last_sequence = ?6, last_jump = ?7, version = ?8," \
    " head = ?9, head_applied_at = ?10, state_hash = ?11,"            \
    " own_events = ?12, own_head = ?13, own_last = ?14, state = ?15," \
    " written_at = ?16, tombstone = ?17"                              \
    " WHERE id = ?18 AND stream_no = ?1 AND entity_key = ?2"          \
    " AND entity_type = ?3 AND entity_id = ?4"

static enum ves_status entity_insert(struct ves_sqlite *st, uint32_t stream_no,
                                     const struct ves_entity_row *row)
{
    int64_t newest;
    struct ves_sql q;
    enum ves_status status =
        ves_sqlite_bucket_newest(st, stream_no, &row->key, &newest);

    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_ENTITY_PUT, ENTITY_INSERT);
    if (status)
        return status;
    put_entity(&q, stream_no, row);
    ves_sql_put_i64(&q, newest);
    status = ves_sql_run_row(&q);
    ves_sql_close(&q);
    return status ? status
                  : ves_sqlite_bucket_add(st, stream_no, &row->key,
                                          sqlite3_last_insert_rowid(st->db));
}

/* False in *is_there when the entity is not where it is said to be; NULL: it
 * is. */
static enum ves_status entity_update(struct ves_sqlite *st, uint32_t stream_no,
                                     const struct ves_entity_row *row,
                                     int64_t place, bool *is_there)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_ENTITY_UPDATE, ENTITY_UPDATE);

    if (status)
        return status;
    put_entity(&q, stream_no, row);
    ves_sql_put_i64(&q, place);
    status = is_there ? ves_sql_run(&q) : ves_sql_run_row(&q);
    if (is_there)
        *is_there = sqlite3_changes(st->db) > 0;
    ves_sql_close(&q);
    return status;
}

/* *place 0: there is none of that name. */
static enum ves_status find_place(struct ves_sqlite *st, uint32_t stream_no,
                                  const struct ves_entity_row *row,
                                  int64_t *place)
{
    struct ves_hash key = {{0}};
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_ENTITY_FIND,
        "SELECT id, entity_key FROM ves_entities"
        " WHERE stream_no = ? AND entity_type = ? AND entity_id = ?");

    *place = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_text(&q, row->entity_type);
    ves_sql_put_text(&q, row->entity_id);
    status = ves_sql_row(&q);
    if (!status) {
        *place = ves_sql_i64(&q);
        ves_sql_fixed(&q, key.b, sizeof key.b);
        status = ves_sql_check(&q);
    }
    ves_sql_close(&q);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    return status || ves_hash_equal(&key, &row->key) ? status : misplaced(st);
}

/* Most rows were read from here, and are where they were, found without an
 * index. */
static enum ves_status entity_put_one(struct ves_sqlite *st, uint32_t stream_no,
                                      const struct ves_entity_row *row)
{
    int64_t place = (int64_t)row->place;
    bool is_there = false;
    enum ves_status status = VES_OK;

    /* Only a damaged file has events, waiting ones, of an entity it lacks. */
    if (row->entity_type.len == 0)
        return ves_fail(&st->store.error, VES_CORRUPT,
                        "an event's entity is not in the store; \"ves audit\" "
                        "says which");
    if (place > 0)
        status = entity_update(st, stream_no, row, place, &is_there);
    if (status || is_there)
        return status;
    status = find_place(st, stream_no, row, &place);
    if (status)
        return status;
    return place > 0 ? entity_update(st, stream_no, row, place, NULL)
                     : entity_insert(st, stream_no, row);
}

enum ves_status ves_sqlite_entity_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_entity_row *rows,
                                      size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->tx != VES_TX_NONE);
    for (size_t i = 0; i < count && !status; i++)
        status = entity_put_one(st, stream_no, &rows[i]);
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
