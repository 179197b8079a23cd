/* store_pg_tlog.c -- the provable log's rows in PostgreSQL.
 *
 * A tile is up to sixteen rows of sixteen hashes, numbered through its level:
 * what a commit rewrites is the last of them.
 */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

enum {
    PART_WIDTH = 16, /* hashes of a full part */
    PART_BYTES = PART_WIDTH * VES_HASH_SIZE,
    PARTS = VES_STORE_TILE_WIDTH / PART_WIDTH
};

/* ---- the row --------------------------------------------------------------
 */

static enum ves_status read_tlog(struct ves_pg_call *q, struct ves_arena *arena,
                                 struct ves_tlog_row *row)
{
    memset(row, 0, sizeof *row);
    ves_pg_fixed(q, row->stream_id.b, sizeof row->stream_id.b);
    row->edge = ves_pg_bytes(q);
    row->signed_size = ves_pg_u64(q);
    ves_pg_fixed(q, row->signed_root.b, sizeof row->signed_root.b);
    row->note = ves_pg_bytes(q);
    row->signed_at_ms = ves_pg_i64(q);
    row->frozen_at_ms = ves_pg_i64(q);
    row->frozen_why = ves_pg_bytes(q);
    enum ves_status status = ves_pg_check(q);
    if (!status)
        status = ves_arena_copy(arena, row->edge, &row->edge);
    if (!status)
        status = ves_arena_copy(arena, row->note, &row->note);
    if (!status)
        status = ves_arena_copy(arena, row->frozen_why, &row->frozen_why);
    return status;
}

enum ves_status ves_pg_tlog_get(struct ves_store *s, uint32_t stream_no,
                                struct ves_arena *arena,
                                struct ves_tlog_row *row)
{
    struct ves_pg_call q;

    if (ves_pg_recall(ves_pg_of(s), &q, NULL, stream_no)) {
        struct ves_stream_row stream;
        enum ves_status known = ves_pg_stream_read(&q, &stream);
        bool is_there = !PQgetisnull(q.result, q.row, q.column + 1);
        if (known)
            return known;
        return is_there ? read_tlog(&q, arena, row) : VES_NOT_FOUND;
    }
    ves_pg_open(ves_pg_of(s), &q, VES_PG_TLOG_GET, "i",
                "SELECT " VES_PG_TLOG_COLUMNS " FROM ves_tlogs"
                " WHERE stream_no = $1");
    ves_pg_put_i64(&q, stream_no);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    status = read_tlog(&q, arena, row);
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_tlog_find(struct ves_store *s,
                                 const struct ves_hash *stream_id,
                                 struct ves_stream_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_TLOG_FIND, "b",
                "SELECT " VES_PG_STREAM_COLUMNS " FROM ves_tlogs t"
                " CROSS JOIN LATERAL (SELECT * FROM ves_streams"
                "  WHERE stream_no = t.stream_no OFFSET 0) s"
                " WHERE t.stream_id = $1");
    ves_pg_put_hash(&q, stream_id);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    status = ves_pg_stream_read(&q, row);
    ves_pg_close(&q);
    return status;
}

/* ---- tiles ----------------------------------------------------------------
 */

static enum ves_status check_part(struct ves_pg *st, struct ves_bytes hashes)
{
    if (hashes.len > 0 && hashes.len <= PART_BYTES &&
        hashes.len % VES_HASH_SIZE == 0)
        return VES_OK;
    st->is_failed = st->is_in;
    return ves_fail(&st->store.error, VES_CORRUPT,
                    "A part of a tile of the log's tree holds %zu bytes, which "
                    "is no number of hashes. Keep the database and restore a "
                    "backup.",
                    hashes.len);
}

enum ves_status ves_pg_tile_read(struct ves_store *s, uint32_t stream_no,
                                 uint32_t level, uint64_t index,
                                 struct ves_hash *hashes, size_t *count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;

    *count = 0;
    ves_pg_open(st, &q, VES_PG_TILE_READ, "iiii",
                "SELECT hashes FROM ves_tiles WHERE stream_no = $1"
                " AND level = $2 AND part >= $3 AND part < $4 ORDER BY part");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_i64(&q, level);
    ves_pg_put_u64(&q, index * PARTS);
    ves_pg_put_u64(&q, (index + 1) * PARTS);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && *count < VES_STORE_TILE_WIDTH && ves_pg_next(&q)) {
        struct ves_bytes part = ves_pg_bytes(&q);

        status = check_part(st, part);
        if (status)
            break;
        memcpy(hashes[*count].b, part.ptr, part.len);
        *count += part.len / VES_HASH_SIZE;
    }
    ves_pg_close(&q);
    return status;
}

/* The end of each level: how many hashes it has, and those of the part that is
 * not full. */
struct ends {
    uint64_t counts[VES_STORE_TILE_LEVELS];
    uint8_t parts[VES_STORE_TILE_LEVELS][PART_BYTES];
};

void ves_pg_open_ends(struct ves_pg *st, struct ves_pg_call *q,
                      uint32_t stream_no)
{
    ves_pg_open(st, q, VES_PG_TLOG_LAST, "ii",
                "SELECT l.level, t.part, t.hashes,"
                " (SELECT true FROM ves_streams WHERE stream_no = $1)"
                " FROM generate_series(0, $2 - 1) l (level)"
                " LEFT JOIN LATERAL (SELECT part, hashes FROM ves_tiles"
                "  WHERE stream_no = $1 AND level = l.level"
                "  ORDER BY part DESC LIMIT 1) t ON true");
    ves_pg_put_i64(q, stream_no);
    ves_pg_put_i64(q, VES_STORE_TILE_LEVELS);
}

static enum ves_status read_ends(struct ves_pg *st, uint32_t stream_no,
                                 struct ends *ends)
{
    struct ves_pg_call q;
    bool is_there = false;

    memset(ends, 0, sizeof *ends);
    ves_pg_open_ends(st, &q, stream_no);
    if (st->ends && st->ends_of == stream_no) {
        q.result = st->ends;
        st->ends = NULL;
    }
    enum ves_status status = q.result ? VES_OK : ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        uint64_t level = ves_pg_u64(&q), part = ves_pg_u64(&q);
        struct ves_bytes hashes = ves_pg_bytes(&q);

        VES_ASSERT(level < VES_STORE_TILE_LEVELS);
        is_there = ves_pg_bool(&q);
        status = ves_pg_check(&q);
        if (status || hashes.len == 0)
            continue;
        status = check_part(st, hashes);
        if (status)
            break;
        ends->counts[level] = part * PART_WIDTH + hashes.len / VES_HASH_SIZE;
        memcpy(ends->parts[level], hashes.ptr, hashes.len);
    }
    ves_pg_close(&q);
    return status || is_there ? status : ves_pg_missing(st, "stream");
}

/* Each level goes on where it ends, without a gap. */
static enum ves_status check_growth(struct ves_pg *st, const struct ends *ends,
                                    const struct ves_tile_hash *hashes,
                                    size_t count)
{
    uint64_t next[VES_STORE_TILE_LEVELS];

    memcpy(next, ends->counts, sizeof next);
    for (size_t i = 0; i < count; i++) {
        VES_ASSERT(hashes[i].level < VES_STORE_TILE_LEVELS);
        if (hashes[i].index == next[hashes[i].level]++)
            continue;
        return ves_fail(&st->store.error,
                        hashes[i].index < next[hashes[i].level] ? VES_CONFLICT
                                                                : VES_INVALID,
                        "The tree of the log does not go on with these hashes. "
                        "Nothing was changed.");
    }
    return VES_OK;
}

static void put_part(struct ves_pg_call *q, uint32_t level, uint64_t count,
                     const uint8_t *part)
{
    uint64_t no = (count - 1) / PART_WIDTH;

    ves_pg_put_i64(q, level);
    ves_pg_put_u64(q, no);
    ves_pg_put_blob(q, part, (count - no * PART_WIDTH) * VES_HASH_SIZE);
}

/* Every part that is new, or longer than it was. */
static void put_level(struct ves_pg_call *q, struct ends *ends, uint32_t level,
                      const struct ves_tile_hash *hashes, size_t count)
{
    uint64_t *have = &ends->counts[level];
    bool is_open = false;

    for (size_t i = 0; i < count; i++) {
        if (hashes[i].level != level)
            continue;
        memcpy(ends->parts[level] + *have % PART_WIDTH * VES_HASH_SIZE,
               hashes[i].hash.b, VES_HASH_SIZE);
        ++*have;
        is_open = *have % PART_WIDTH != 0;
        if (!is_open)
            put_part(q, level, *have, ends->parts[level]);
    }
    if (is_open)
        put_part(q, level, *have, ends->parts[level]);
}

static enum ves_status write_tiles(struct ves_pg *st, uint32_t stream_no,
                                   struct ends *ends,
                                   const struct ves_tile_hash *hashes,
                                   size_t count)
{
    struct ves_pg_call q;

    if (count == 0)
        return VES_OK;
    ves_pg_open(st, &q, VES_PG_TILE_PUT, "iIIB",
                "INSERT INTO ves_tiles (stream_no, level, part, hashes)"
                " SELECT $1, * FROM unnest($2, $3, $4)"
                " ON CONFLICT (stream_no, level, part)"
                " DO UPDATE SET hashes = excluded.hashes");
    ves_pg_put_i64(&q, stream_no);
    for (uint32_t level = 0; level < VES_STORE_TILE_LEVELS; level++)
        put_level(&q, ends, level, hashes, count);
    return ves_pg_send(&q);
}

/* ---- writing --------------------------------------------------------------
 */

static enum ves_status write_edge(struct ves_pg *st, uint32_t stream_no,
                                  const struct ves_hash *stream_id,
                                  struct ves_bytes edge)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_TLOG_EDGE, "ibb",
                "INSERT INTO ves_tlogs (stream_no, stream_id, edge)"
                " VALUES ($1, $2, $3) ON CONFLICT (stream_no)"
                " DO UPDATE SET edge = excluded.edge");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_hash(&q, stream_id);
    ves_pg_put_bytes(&q, edge);
    return ves_pg_send(&q);
}

enum ves_status ves_pg_tlog_append(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *stream_id,
                                   struct ves_bytes edge,
                                   const struct ves_tile_hash *hashes,
                                   size_t count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ends ends;

    VES_ASSERT(st->is_in);
    enum ves_status status = read_ends(st, stream_no, &ends);
    ves_pg_forget(st);
    if (!status)
        status = check_growth(st, &ends, hashes, count);
    if (!status)
        status = write_edge(st, stream_no, stream_id, edge);
    return status ? status : write_tiles(st, stream_no, &ends, hashes, count);
}

static enum ves_status explain_sign(struct ves_pg *st, uint32_t stream_no,
                                    uint64_t expected_size)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_TLOG_SIZE, "i",
                "SELECT signed_size FROM ves_tlogs WHERE stream_no = $1");
    ves_pg_put_i64(&q, stream_no);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status == VES_NOT_FOUND)
        return ves_pg_missing(st, "log");
    if (status)
        return status;
    uint64_t size = ves_pg_u64(&q);
    ves_pg_close(&q);
    return ves_fail(&st->store.error, VES_CONFLICT,
                    "The signed head has size %llu, not %llu: somebody else "
                    "signed. Nothing was changed.",
                    (unsigned long long)size,
                    (unsigned long long)expected_size);
}

enum ves_status ves_pg_tlog_sign(struct ves_store *s, uint32_t stream_no,
                                 uint64_t expected_size,
                                 const struct ves_head_row *head)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;

    ves_pg_forget(st);
    ves_pg_open(st, &q, VES_PG_TLOG_SIGN, "iiibbi",
                "UPDATE ves_tlogs SET signed_size = $3, signed_root = $4,"
                " note = $5, signed_at_ms = $6"
                " WHERE stream_no = $1 AND signed_size = $2");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, expected_size);
    ves_pg_put_u64(&q, head->size);
    ves_pg_put_hash(&q, &head->root);
    ves_pg_put_bytes(&q, head->note);
    ves_pg_put_i64(&q, head->signed_at_ms);
    enum ves_status status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? explain_sign(st, stream_no, expected_size)
                                   : status;
}

enum ves_status ves_pg_tlog_freeze(struct ves_store *s, uint32_t stream_no,
                                   int64_t at_ms, struct ves_bytes why)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;

    ves_pg_forget(st);
    ves_pg_open(st, &q, VES_PG_TLOG_FREEZE, "iib",
                "UPDATE ves_tlogs SET frozen_at_ms = $2, frozen_why = $3"
                " WHERE stream_no = $1");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_i64(&q, at_ms);
    ves_pg_put_bytes(&q, at_ms ? why : ves_bytes_str(""));
    enum ves_status status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? ves_pg_missing(st, "log") : status;
}

/* ---- cosignatures ---------------------------------------------------------
 */

enum ves_status ves_pg_cosigned_get(struct ves_store *s, uint32_t stream_no,
                                    struct ves_arena *arena,
                                    struct ves_bytes *notes)
{
    struct ves_pg_call q;

    *notes = ves_bytes(NULL, 0);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_COSIGNED_GET, "i",
                "SELECT notes FROM ves_cosigned WHERE stream_no = $1");
    ves_pg_put_i64(&q, stream_no);
    enum ves_status status = ves_pg_ask_row(&q);
    if (!status) {
        status = ves_arena_copy(arena, ves_pg_bytes(&q), notes);
        ves_pg_close(&q);
    }
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_pg_cosigned_put(struct ves_store *s, uint32_t stream_no,
                                    struct ves_bytes notes)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;

    ves_pg_open(st, &q, VES_PG_COSIGNED_PUT, "ib",
                "INSERT INTO ves_cosigned (stream_no, notes)"
                " SELECT stream_no, $2 FROM ves_streams WHERE stream_no = $1"
                " ON CONFLICT (stream_no) DO UPDATE SET notes ="
                " excluded.notes");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_bytes(&q, notes);
    enum ves_status status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? ves_pg_missing(st, "stream") : status;
}
