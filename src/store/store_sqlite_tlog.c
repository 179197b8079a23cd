/* store_sqlite_tlog.c -- the provable log's rows of a sequencer's file.
 *
 * A tile is one row of up to 256 hashes; its rowid is stream_no << 40 | level
 * << 36 | index, so the tiles that grow are the last of their level.
 */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"

enum {
    TILE_LEVEL_SHIFT = 36,
    TILE_BYTES = VES_STORE_TILE_WIDTH * VES_HASH_SIZE
};

static int64_t tile_rowid(uint32_t stream_no, uint32_t level, uint64_t index)
{
    return ves_sqlite_rowid(stream_no,
                            (uint64_t)level << TILE_LEVEL_SHIFT | index);
}

static enum ves_status open_here(struct ves_store *s, struct ves_sql *q,
                                 enum ves_sql_id id, const char *text)
{
    enum ves_status status =
        ves_sqlite_need(ves_sqlite_of(s), VES_STORE_SEQUENCER);

    return status ? status : ves_sql_open(ves_sqlite_of(s), q, id, text);
}

/* ---- the row --------------------------------------------------------------
 */

static enum ves_status tlog_read(struct ves_sql *q, struct ves_arena *arena,
                                 struct ves_tlog_row *row)
{
    enum ves_status status;

    memset(row, 0, sizeof *row);
    ves_sql_fixed(q, row->stream_id.b, sizeof row->stream_id.b);
    row->edge = ves_sql_bytes(q);
    row->signed_size = ves_sql_u64(q);
    ves_sql_fixed(q, row->signed_root.b, sizeof row->signed_root.b);
    row->note = ves_sql_bytes(q);
    row->signed_at_ms = ves_sql_i64(q);
    row->frozen_at_ms = ves_sql_i64(q);
    row->frozen_why = ves_sql_bytes(q);
    status = ves_sql_check(q);
    if (!status)
        status = ves_arena_copy(arena, row->edge, &row->edge);
    if (!status)
        status = ves_arena_copy(arena, row->note, &row->note);
    if (!status)
        status = ves_arena_copy(arena, row->frozen_why, &row->frozen_why);
    return status;
}

enum ves_status ves_sqlite_tlog_get(struct ves_store *s, uint32_t stream_no,
                                    struct ves_arena *arena,
                                    struct ves_tlog_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_TLOG_GET,
                  "SELECT stream_id, edge, signed_size, signed_root, note,"
                  " signed_at_ms, frozen_at_ms, frozen_why FROM ves_tlogs"
                  " WHERE stream_no = ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_row(&q);
    if (!status)
        status = tlog_read(&q, arena, row);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_tlog_find(struct ves_store *s,
                                     const struct ves_hash *stream_id,
                                     struct ves_stream_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_TLOG_FIND,
                  "SELECT " VES_SQLITE_STREAM_COLUMNS " FROM ves_tlogs t"
                  " JOIN ves_streams s ON s.stream_no = t.stream_no"
                  " WHERE t.stream_id = ?");

    if (status)
        return status;
    ves_sql_put_hash(&q, stream_id);
    status = ves_sql_row(&q);
    if (!status)
        status = ves_sqlite_stream_read(&q, row);
    ves_sql_close(&q);
    return status;
}

/* ---- tiles ----------------------------------------------------------------
 */

static enum ves_status read_tile(struct ves_sqlite *st, int64_t rowid,
                                 uint8_t *bytes, size_t *count)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_TILE_GET, "SELECT hashes FROM ves_tiles WHERE id = ?");

    *count = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, rowid);
    status = ves_sql_row(&q);
    if (!status) {
        struct ves_bytes hashes = ves_sql_bytes(&q);

        status = ves_sql_check(&q);
        if (!status && (hashes.len == 0 || hashes.len > TILE_BYTES ||
                        hashes.len % VES_HASH_SIZE != 0))
            status = ves_fail(&st->store.error, VES_CORRUPT,
                              "A tile of the log's tree holds %zu bytes, which "
                              "is no number of hashes. Keep the file and "
                              "restore a backup.",
                              hashes.len);
        if (!status) {
            memcpy(bytes, hashes.ptr, hashes.len);
            *count = hashes.len / VES_HASH_SIZE;
        }
    }
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_sqlite_tile_read(struct ves_store *s, uint32_t stream_no,
                                     uint32_t level, uint64_t index,
                                     struct ves_hash *hashes, size_t *count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);

    _Static_assert(sizeof *hashes == VES_HASH_SIZE, "hashes lie side by side");
    *count = 0;
    if (status)
        return status;
    return read_tile(st, tile_rowid(stream_no, level, index), hashes->b, count);
}

/* The tile that grows, until the next one does. */
struct growing {
    struct ves_sqlite *st;
    uint32_t stream_no, level;
    bool is_open;
    bool is_new; /* not in the table yet */
    uint64_t index;
    size_t count;
    uint8_t bytes[TILE_BYTES];
};

static enum ves_status write_tile(const struct growing *tile)
{
    struct ves_sql q;
    enum ves_status status =
        tile->is_new
            ? ves_sql_open(tile->st, &q, VES_SQL_TILE_ADD,
                           "INSERT INTO ves_tiles (hashes, id) VALUES (?, ?)")
            : ves_sql_open(tile->st, &q, VES_SQL_TILE_PUT,
                           "UPDATE ves_tiles SET hashes = ? WHERE id = ?");

    if (status)
        return status;
    ves_sql_put_blob(&q, tile->bytes, tile->count * VES_HASH_SIZE);
    ves_sql_put_i64(&q, tile_rowid(tile->stream_no, tile->level, tile->index));
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

/* Is the tile before it full?  The one at hand needs no look. */
static enum ves_status check_before(struct growing *tile, uint64_t index)
{
    uint8_t before[TILE_BYTES];
    size_t count = tile->count;

    if (index == 0)
        return VES_OK;
    if (!tile->is_open || tile->index != index - 1) {
        enum ves_status status = read_tile(
            tile->st, tile_rowid(tile->stream_no, tile->level, index - 1),
            before, &count);
        if (status)
            return status;
    }
    return count == VES_STORE_TILE_WIDTH ? VES_OK : VES_INVALID;
}

static enum ves_status turn_to(struct growing *tile, uint64_t index)
{
    struct growing next = {.st = tile->st,
                           .stream_no = tile->stream_no,
                           .level = tile->level,
                           .is_open = true,
                           .index = index};
    enum ves_status status = VES_OK;

    if (tile->is_open)
        status = write_tile(tile);
    if (!status)
        status =
            read_tile(tile->st, tile_rowid(tile->stream_no, tile->level, index),
                      next.bytes, &next.count);
    next.is_new = next.count == 0;
    if (!status && next.is_new)
        status = check_before(tile, index);
    *tile = next;
    return status;
}

/* What hashes has of one level. */
static enum ves_status grow_level(struct ves_sqlite *st, uint32_t stream_no,
                                  uint32_t level,
                                  const struct ves_tile_hash *hashes,
                                  size_t count)
{
    struct growing tile = {.st = st, .stream_no = stream_no, .level = level};
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < count && !status; i++) {
        uint64_t index = hashes[i].index / VES_STORE_TILE_WIDTH;
        size_t place = (size_t)(hashes[i].index % VES_STORE_TILE_WIDTH);

        if (hashes[i].level != level)
            continue;
        if (!tile.is_open || tile.index != index)
            status = turn_to(&tile, index);
        if (!status && tile.count != place)
            status = place < tile.count ? VES_CONFLICT : VES_INVALID;
        if (!status)
            memcpy(tile.bytes + VES_HASH_SIZE * tile.count++, hashes[i].hash.b,
                   VES_HASH_SIZE);
    }
    return !status && tile.is_open ? write_tile(&tile) : status;
}

static enum ves_status grow(struct ves_sqlite *st, uint32_t stream_no,
                            const struct ves_tile_hash *hashes, size_t count)
{
    enum ves_status status = VES_OK;
    uint32_t levels = 0;

    for (size_t i = 0; i < count; i++) {
        VES_ASSERT(hashes[i].level < VES_STORE_TILE_LEVELS);
        levels |= UINT32_C(1) << hashes[i].level;
    }
    for (uint32_t level = 0; level < VES_STORE_TILE_LEVELS && !status; level++)
        if (levels >> level & 1)
            status = grow_level(st, stream_no, level, hashes, count);
    if (status == VES_CONFLICT || status == VES_INVALID)
        (void)ves_fail(&st->store.error, status,
                       "The tree of the log does not go on with these hashes. "
                       "Nothing was changed.");
    return status;
}

/* ---- writing --------------------------------------------------------------
 */

static enum ves_status write_edge(struct ves_sqlite *st, uint32_t stream_no,
                                  const struct ves_hash *stream_id,
                                  struct ves_bytes edge)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_TLOG_EDGE,
                     "UPDATE ves_tlogs SET edge = ? WHERE stream_no = ?");

    if (status)
        return status;
    ves_sql_put_blob(&q, edge.ptr, edge.len);
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (status || sqlite3_changes(st->db) > 0)
        return status;
    status = ves_sql_open(st, &q, VES_SQL_TLOG_ADD,
                          "INSERT INTO ves_tlogs (stream_no, stream_id, edge)"
                          " VALUES (?, ?, ?)");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_hash(&q, stream_id);
    ves_sql_put_blob(&q, edge.ptr, edge.len);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_tlog_append(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *stream_id,
                                       struct ves_bytes edge,
                                       const struct ves_tile_hash *hashes,
                                       size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    uint64_t head;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sqlite_head(st, stream_no, &head);
    if (!status)
        status = ves_sql_call_begin(st);
    if (status)
        return status;
    status = write_edge(st, stream_no, stream_id, edge);
    if (!status)
        status = grow(st, stream_no, hashes, count);
    return ves_sql_call_end(st, status);
}

static enum ves_status find_signed_size(struct ves_sqlite *st,
                                        uint32_t stream_no, uint64_t *size)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_TLOG_SIZE,
                     "SELECT signed_size FROM ves_tlogs WHERE stream_no = ?");

    *size = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_row(&q);
    if (!status)
        *size = ves_sql_u64(&q);
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? ves_sqlite_missing(st, "log") : status;
}

enum ves_status ves_sqlite_tlog_sign(struct ves_store *s, uint32_t stream_no,
                                     uint64_t expected_size,
                                     const struct ves_head_row *head)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    struct ves_sql q;
    uint64_t size;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = find_signed_size(st, stream_no, &size);
    if (!status && size != expected_size)
        status = ves_fail(&s->error, VES_CONFLICT,
                          "The signed head has size %llu, not %llu: somebody "
                          "else signed. Nothing was changed.",
                          (unsigned long long)size,
                          (unsigned long long)expected_size);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_TLOG_SIGN,
                              "UPDATE ves_tlogs SET signed_size = ?,"
                              " signed_root = ?, note = ?, signed_at_ms = ?"
                              " WHERE stream_no = ?");
    if (status)
        return status;
    ves_sql_put_u64(&q, head->size);
    ves_sql_put_hash(&q, &head->root);
    ves_sql_put_text(&q, head->note);
    ves_sql_put_i64(&q, head->signed_at_ms);
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_tlog_freeze(struct ves_store *s, uint32_t stream_no,
                                       int64_t at_ms, struct ves_bytes why)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    struct ves_sql q;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_TLOG_FREEZE,
                              "UPDATE ves_tlogs SET frozen_at_ms = ?,"
                              " frozen_why = ? WHERE stream_no = ?");
    if (status)
        return status;
    ves_sql_put_i64(&q, at_ms);
    ves_sql_put_text(&q, at_ms ? why : ves_bytes_str(""));
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status && sqlite3_changes(st->db) == 0)
        status = ves_sqlite_missing(st, "log");
    return status;
}

/* ---- cosignatures ---------------------------------------------------------
 */

enum ves_status ves_sqlite_cosigned_get(struct ves_store *s, uint32_t stream_no,
                                        struct ves_arena *arena,
                                        struct ves_bytes *notes)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_COSIGNED_GET,
                  "SELECT notes FROM ves_cosigned WHERE stream_no = ?");

    *notes = ves_bytes(NULL, 0);
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_row(&q);
    if (!status) {
        struct ves_bytes kept = ves_sql_bytes(&q);

        status = ves_sql_check(&q);
        if (!status)
            status = ves_arena_copy(arena, kept, notes);
    }
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_sqlite_cosigned_put(struct ves_store *s, uint32_t stream_no,
                                        struct ves_bytes notes)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    struct ves_sql q;
    uint64_t head;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sqlite_head(st, stream_no, &head);
    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_COSIGNED_PUT,
            "INSERT INTO ves_cosigned (stream_no, notes) VALUES (?, ?)"
            " ON CONFLICT (stream_no) DO UPDATE SET notes = excluded.notes");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_text(&q, notes);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}
