/* store_pg_entity.c -- entities of the PostgreSQL store. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

#define ENTITY_COLUMNS                                                    \
    "entity_key, entity_type, entity_id, events, last_sequence,"          \
    " last_jump, version, head, head_applied_at, state_hash, own_events," \
    " own_head, own_last, state, written_at, tombstone"

/* ---- reading --------------------------------------------------------------
 */

static enum ves_status read_entity(struct ves_pg_call *q,
                                   struct ves_entity_row *row)
{
    memset(row, 0, sizeof *row);
    row->is_found = true;
    ves_pg_fixed(q, row->key.b, sizeof row->key.b);
    row->entity_type = ves_pg_bytes(q);
    row->entity_id = ves_pg_bytes(q);
    row->count = ves_pg_u64(q);
    row->last = ves_pg_u64(q);
    row->last_jump = ves_pg_u64(q);
    row->version = ves_pg_u64(q);
    ves_pg_fixed(q, row->head.b, sizeof row->head.b);
    row->head_applied_at = ves_pg_u64(q);
    ves_pg_fixed(q, row->state_hash.b, sizeof row->state_hash.b);
    row->own_count = ves_pg_u64(q);
    ves_pg_fixed(q, row->own_head.b, sizeof row->own_head.b);
    row->own_last = ves_pg_u64(q);
    row->state = ves_pg_bytes(q);
    row->written_at = ves_pg_u64(q);
    row->tombstone = ves_pg_u64(q);
    return ves_pg_check(q);
}

enum ves_status ves_pg_entity_get(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_name *names,
                                  size_t count, struct ves_arena *arena,
                                  struct ves_entity_row *rows)
{
    struct ves_pg_call q;

    for (size_t i = 0; i < count; i++)
        rows[i] = (struct ves_entity_row){.key = names[i].key};
    if (count == 0)
        return VES_OK;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_ENTITY_GET, "iB",
                "SELECT i.n, " ENTITY_COLUMNS
                " FROM unnest($2) WITH ORDINALITY i (id, n)"
                " CROSS JOIN LATERAL (SELECT * FROM ves_entities"
                "  WHERE stream_no = $1 AND entity_key = i.id OFFSET 0) e");
    ves_pg_put_i64(&q, stream_no);
    for (size_t i = 0; i < count; i++)
        ves_pg_put_hash(&q, &names[i].key);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        uint64_t at = ves_pg_u64(&q) - 1;

        VES_ASSERT(at < count);
        struct ves_entity_row *row = &rows[at];
        status = read_entity(&q, row);
        if (!status)
            status = ves_arena_copy(arena, row->entity_type, &row->entity_type);
        if (!status)
            status = ves_arena_copy(arena, row->entity_id, &row->entity_id);
        if (!status)
            status = ves_arena_copy(arena, row->state, &row->state);
    }
    ves_pg_close(&q);
    return status;
}

static enum ves_status scan_page(struct ves_pg *st, uint32_t stream_no,
                                 struct ves_hash *from, bool *is_after,
                                 struct ves_bytes entity_type,
                                 struct ves_pg_scan *scan,
                                 ves_entity_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_ENTITY_SCAN, "ibtbi",
                "SELECT " ENTITY_COLUMNS " FROM ves_entities"
                " WHERE stream_no = $1 AND entity_key >= $2"
                " AND (NOT $3 OR entity_key <> $2)"
                " AND ($4 = ''::bytea OR entity_type = $4)"
                " ORDER BY entity_key LIMIT $5");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_hash(&q, from);
    ves_pg_put_bool(&q, *is_after);
    ves_pg_put_bytes(&q, entity_type);
    ves_pg_put_u64(&q, scan->rows);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_entity_row row;

        status = read_entity(&q, &row);
        scan->got++;
        scan->bytes += row.entity_id.len + row.state.len;
        *from = row.key;
        *is_after = true;
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_entity_scan(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *from, uint32_t limit,
                                   struct ves_bytes entity_type,
                                   ves_entity_visitor *visit, void *ctx)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_hash at = *from;
    struct ves_pg_scan scan;
    bool is_after = false;
    enum ves_status status = ves_pg_scan_begin(st, &scan, limit);

    if (status)
        return status;
    do
        status = scan_page(st, stream_no, &at, &is_after, entity_type, &scan,
                           visit, ctx);
    while (!status && ves_pg_scan_more(&scan));
    ves_pg_scan_end(st, &scan);
    return status;
}

/* ---- writing --------------------------------------------------------------
 */

static void put_entity(struct ves_pg_call *q, const struct ves_entity_row *row)
{
    ves_pg_put_hash(q, &row->key);
    ves_pg_put_bytes(q, row->entity_type);
    ves_pg_put_bytes(q, row->entity_id);
    ves_pg_put_u64(q, row->count);
    ves_pg_put_u64(q, row->last);
    ves_pg_put_u64(q, row->last_jump);
    ves_pg_put_u64(q, row->version);
    ves_pg_put_hash_or_null(q, &row->head);
    ves_pg_put_u64(q, row->head_applied_at);
    ves_pg_put_hash_or_null(q, &row->state_hash);
    ves_pg_put_u64(q, row->own_count);
    ves_pg_put_hash_or_null(q, &row->own_head);
    ves_pg_put_u64(q, row->own_last);
    ves_pg_put_bytes(q, row->state);
    ves_pg_put_u64(q, row->written_at);
    ves_pg_put_u64(q, row->tombstone);
}

static int by_key_last_first(const void *a, const void *b)
{
    const struct ves_entity_row *x = *(const struct ves_entity_row *const *)a;
    const struct ves_entity_row *y = *(const struct ves_entity_row *const *)b;
    int order = memcmp(x->key.b, y->key.b, VES_HASH_SIZE);

    return order ? order : (x < y) - (x > y);
}

/* In the order of their keys, as the index wants them; of one that is there
 * twice the last. */
static enum ves_status put_entities(struct ves_pg *st, struct ves_pg_call *q,
                                    const struct ves_entity_row *rows,
                                    size_t count)
{
    const struct ves_entity_row **sorted = st->alloc->realloc(
        st->alloc->ctx, NULL, count * sizeof(const struct ves_entity_row *));

    if (!sorted) {
        st->is_failed = true;
        return ves_fail(&st->store.error, VES_NOMEM,
                        "There is not enough memory. Nothing of this step was "
                        "stored.");
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &rows[i];
    qsort(sorted, count, sizeof *sorted, by_key_last_first);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !ves_hash_equal(&sorted[i]->key, &sorted[i - 1]->key))
            put_entity(q, sorted[i]);
    st->alloc->realloc(st->alloc->ctx, sorted, 0);
    return VES_OK;
}

enum ves_status ves_pg_entity_put(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_row *rows,
                                  size_t count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;

    VES_ASSERT(st->is_in);
    if (count == 0)
        return VES_OK;
    ves_pg_open(
        st, &q, VES_PG_ENTITY_PUT, "iBBBIIIIBIBIBIBII",
        "INSERT INTO ves_entities (stream_no, " ENTITY_COLUMNS ")"
        " SELECT $1, unnest($2), unnest($3), unnest($4), unnest($5),"
        " unnest($6), unnest($7), unnest($8), unnest($9), unnest($10),"
        " unnest($11), unnest($12), unnest($13), unnest($14), unnest($15),"
        " unnest($16), unnest($17)"
        " ON CONFLICT (stream_no, entity_key) DO UPDATE SET"
        " entity_type = excluded.entity_type,"
        " entity_id = excluded.entity_id, events = excluded.events,"
        " last_sequence = excluded.last_sequence,"
        " last_jump = excluded.last_jump, version = excluded.version,"
        " head = excluded.head, head_applied_at = excluded.head_applied_at,"
        " state_hash = excluded.state_hash,"
        " own_events = excluded.own_events, own_head = excluded.own_head,"
        " own_last = excluded.own_last, state = excluded.state,"
        " written_at = excluded.written_at, tombstone = excluded.tombstone");
    ves_pg_put_i64(&q, stream_no);
    enum ves_status status = put_entities(st, &q, rows, count);
    return status ? status : ves_pg_send(&q);
}

enum ves_status ves_pg_entity_reset(struct ves_store *s, uint32_t stream_no)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_ENTITY_RESET, "i",
                "UPDATE ves_entities SET events = 0, last_sequence = 0,"
                " last_jump = 0, version = 0, head = NULL,"
                " head_applied_at = 0, written_at = 0, tombstone = 0,"
                " state = '', state_hash = NULL WHERE stream_no = $1");
    ves_pg_put_i64(&q, stream_no);
    return ves_pg_send(&q);
}
