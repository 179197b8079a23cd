/* store_sqlite_bucket.c -- entities by bucket, and the buckets' hashes.
 *
 * Keys are SHA-256 values: an index of them has a random place for every new
 * entity, a page to write each.  So there is none.  The entities of a bucket
 * are a list instead, newest first: each row names the one before it, and a
 * small table the newest of each bucket.  Rows come into being in the order of
 * the list and stay, so it goes down and ends.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "store/store_sqlite_internal.h"

enum {
    BUCKET_BITS = 12, /* of VES_STATE_BUCKETS */
    LIST_MAX = 256 * 1024 * 1024
};

static int64_t bucket_id(uint32_t stream_no, uint32_t bucket)
{
    return (int64_t)stream_no << BUCKET_BITS | bucket;
}

/* ---- the list of a bucket -------------------------------------------------
 */

static enum ves_status newest_of(struct ves_sqlite *st, int64_t id,
                                 int64_t *place)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_BUCKET_NEWEST,
                     "SELECT newest FROM ves_entity_buckets WHERE id = ?");

    *place = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, id);
    status = ves_sql_row(&q);
    if (!status) {
        *place = ves_sql_i64(&q);
        status = ves_sql_check(&q);
    }
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_sqlite_bucket_newest(struct ves_sqlite *st,
                                         uint32_t stream_no,
                                         const struct ves_hash *key,
                                         int64_t *place)
{
    return newest_of(st, bucket_id(stream_no, ves_entity_bucket(key)), place);
}

enum ves_status ves_sqlite_bucket_add(struct ves_sqlite *st, uint32_t stream_no,
                                      const struct ves_hash *key, int64_t place)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_BUCKET_ADD,
        "REPLACE INTO ves_entity_buckets (id, newest) VALUES (?, ?)");

    if (status)
        return status;
    ves_sql_put_i64(&q, bucket_id(stream_no, ves_entity_bucket(key)));
    ves_sql_put_i64(&q, place);
    status = ves_sql_run_row(&q);
    ves_sql_close(&q);
    return status;
}

static enum ves_status broken(struct ves_sqlite *st)
{
    return ves_fail(&st->store.error, VES_CORRUPT,
                    "the list of a bucket's entities is broken; \"ves audit\" "
                    "says where");
}

/* A row of the list. */
struct listed {
    struct ves_state_pair pair;
    bool has_state; /* a state has a hash, and only a state (ves_entity_row) */
    int64_t place, prev;
};

static enum ves_status step(struct ves_sql *q, int64_t place,
                            struct listed *out)
{
    q->param = 0;
    ves_sql_put_i64(q, place);
    enum ves_status status = ves_sql_row(q);
    if (!status) {
        ves_sql_fixed(q, out->pair.key.b, VES_HASH_SIZE);
        out->has_state =
            ves_sql_fixed(q, out->pair.state_hash.b, VES_HASH_SIZE);
        out->place = place;
        out->prev = ves_sql_i64(q);
        status = ves_sql_check(q);
    }
    sqlite3_reset(q->stmt);
    q->is_reset = true;
    return status == VES_NOT_FOUND || (!status && out->prev >= place)
               ? broken(q->st)
               : status;
}

static enum ves_status open_list(struct ves_sqlite *st, struct ves_sql *q)
{
    return ves_sql_open(st, q, VES_SQL_BUCKET_STEP,
                        "SELECT entity_key, state_hash, bucket_prev"
                        " FROM ves_entities WHERE id = ?");
}

enum ves_status ves_sqlite_bucket_find(struct ves_sqlite *st,
                                       uint32_t stream_no,
                                       const struct ves_hash *key,
                                       int64_t *place)
{
    struct listed row = {.has_state = false};
    struct ves_sql q;
    enum ves_status status =
        ves_sqlite_bucket_newest(st, stream_no, key, place);

    if (status || *place == 0)
        return status;
    status = open_list(st, &q);
    if (status)
        return status;
    while (!status && *place) {
        status = step(&q, *place, &row);
        if (status || ves_hash_equal(&row.pair.key, key))
            break;
        *place = row.prev;
    }
    ves_sql_close(&q);
    return status;
}

/* Doubles the room of a list that is full. */
static void *more_room(struct ves_arena *arena, const void *list, size_t size,
                       size_t *room)
{
    enum { FIRST = 64 };
    size_t wanted = *room ? 2 * *room : FIRST;
    void *more = ves_arena_alloc(arena, wanted * size);

    if (more && *room)
        memcpy(more, list, *room * size);
    *room = wanted;
    return more;
}

/* ---- in the order of keys -------------------------------------------------
 */

struct scan {
    struct ves_sqlite *st;
    struct ves_arena arena; /* of one bucket */
    const struct ves_hash *from;
    struct ves_bytes entity_type;
    uint64_t left;
    ves_entity_visitor *visit;
    void *ctx;
};

static int by_key(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    return memcmp(x->pair.key.b, y->pair.key.b, VES_HASH_SIZE);
}

/* Those of a bucket from `from` on (NULL: all), in the order of keys. */
static enum ves_status list_bucket(struct ves_sqlite *st, int64_t newest,
                                   const struct ves_hash *from,
                                   struct ves_arena *arena,
                                   struct listed **list, size_t *count)
{
    size_t room = 0;
    struct ves_sql q;
    enum ves_status status = open_list(st, &q);

    *list = NULL;
    *count = 0;
    if (status)
        return status;
    for (int64_t place = newest; !status && place;) {
        if (*count == room)
            *list = more_room(arena, *list, sizeof **list, &room);
        struct listed *next = *list ? &(*list)[*count] : NULL;
        status = next ? step(&q, place, next) : VES_NOMEM;
        if (status)
            break;
        place = next->prev;
        *count +=
            !from || memcmp(next->pair.key.b, from->b, VES_HASH_SIZE) >= 0;
    }
    ves_sql_close(&q);
    if (!status && *count > 0)
        qsort(*list, *count, sizeof **list, by_key);
    return status;
}

static enum ves_status visit_bucket(struct scan *scan, int64_t newest)
{
    struct ves_entity_row row;
    struct listed *list;
    size_t count;
    struct ves_sql q;

    ves_arena_reset(&scan->arena);
    enum ves_status status =
        list_bucket(scan->st, newest, scan->from, &scan->arena, &list, &count);
    if (!status)
        status = ves_sqlite_entity_open(scan->st, &q);
    if (status)
        return status;
    for (size_t i = 0; i < count && !status && scan->left > 0; i++) {
        status = ves_sqlite_entity_row(&q, list[i].place, &row);
        if (status || (scan->entity_type.len > 0 &&
                       !ves_bytes_equal(row.entity_type, scan->entity_type)))
            continue;
        scan->left--;
        status = scan->visit(scan->ctx, &row);
    }
    ves_sql_close(&q);
    return status;
}

/* The statement that goes through the buckets stays open: all of it is read
 * from one state of the file. */
enum ves_status ves_sqlite_entity_scan(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *from,
                                       uint32_t limit,
                                       struct ves_bytes entity_type,
                                       ves_entity_visitor *visit, void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct scan scan = {.st = st,
                        .from = from,
                        .entity_type = entity_type,
                        .left = limit ? limit : UINT64_MAX,
                        .visit = visit,
                        .ctx = ctx};
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_BUCKET_LIST,
                     "SELECT newest FROM ves_entity_buckets"
                     " WHERE id >= ? AND id < ? ORDER BY id");

    if (status)
        return status;
    ves_arena_init(&scan.arena, st->alloc, LIST_MAX);
    ves_sql_put_i64(&q, bucket_id(stream_no, ves_entity_bucket(from)));
    ves_sql_put_i64(&q, bucket_id(stream_no + 1, 0));
    while (!status && scan.left > 0 && ves_sql_next(&q)) {
        int64_t newest = ves_sql_i64(&q);

        status = ves_sql_check(&q);
        if (!status)
            status = visit_bucket(&scan, newest);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    ves_arena_free(&scan.arena);
    return status;
}

/* ---- what a bucket is hashed from -----------------------------------------
 */

enum ves_status ves_sqlite_bucket_read(struct ves_store *s, uint32_t stream_no,
                                       uint16_t bucket, struct ves_arena *arena,
                                       struct ves_state_pair **pairs,
                                       size_t *count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct listed *list = NULL;
    size_t all = 0;
    int64_t newest;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(bucket < VES_STATE_BUCKETS);
    *pairs = NULL;
    *count = 0;
    if (!status)
        status = newest_of(st, bucket_id(stream_no, bucket), &newest);
    if (!status)
        status = list_bucket(st, newest, NULL, arena, &list, &all);
    if (status || all == 0)
        return status;
    *pairs = ves_arena_alloc(arena, all * sizeof **pairs);
    if (!*pairs)
        return VES_NOMEM;
    for (size_t i = 0; i < all; i++) {
        if (list[i].has_state)
            (*pairs)[(*count)++] = list[i].pair;
    }
    return VES_OK;
}

/* ---- the hash of a bucket -------------------------------------------------
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
