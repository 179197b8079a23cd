/* store_sqlite_match.c -- events by what they are about. */
#include <string.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "store/store_sqlite_internal.h"

/* The text of the first member of that name; "" when there is none.  An escape
 * in it stays one. */
static struct ves_bytes member_text(struct ves_bytes envelope,
                                    const char *opening)
{
    size_t len = strlen(opening);
    const uint8_t *end = envelope.ptr + envelope.len, *quote;
    const uint8_t *at =
        envelope.len ? memmem(envelope.ptr, envelope.len, opening, len) : NULL;

    if (!at)
        return ves_bytes(NULL, 0);
    at += len;
    quote = memchr(at, '"', (size_t)(end - at));
    return ves_bytes(at, quote ? (size_t)(quote - at) : 0);
}

/* Does the event say so itself?  *is_told: its key vouches for what was read;
 * not so when its body is gone, or its names have escapes. */
static bool tells(struct ves_bytes envelope, const struct ves_hash *key,
                  const struct ves_log_match *match, bool *is_told)
{
    struct ves_bytes type = member_text(envelope, ",\"entity_type\":\"");
    struct ves_bytes id = member_text(envelope, ",\"entity_id\":\"");
    struct ves_hash made;

    ves_entity_key(type, id, &made);
    *is_told = ves_hash_equal(&made, key);
    return (match->entity_type.len == 0 ||
            ves_bytes_equal(match->entity_type, type)) &&
           (match->entity_id.len == 0 || ves_bytes_equal(match->entity_id, id));
}

static enum ves_status look_up(struct ves_sqlite *st, uint32_t stream_no,
                               const struct ves_hash *key,
                               const struct ves_log_match *match, bool *is_it)
{
    struct ves_entity_row row;
    struct ves_sql q;
    int64_t place;
    enum ves_status status = ves_sqlite_bucket_find(st, stream_no, key, &place);

    *is_it = false;
    if (status || place == 0)
        return status;
    status = ves_sqlite_entity_open(st, &q);
    if (status)
        return status;
    status = ves_sqlite_entity_row(&q, place, &row);
    *is_it = !status &&
             (match->entity_type.len == 0 ||
              ves_bytes_equal(match->entity_type, row.entity_type)) &&
             (match->entity_id.len == 0 ||
              ves_bytes_equal(match->entity_id, row.entity_id));
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_log_match(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_log_match *match,
                                     uint64_t *sequences, size_t max,
                                     size_t *found)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_LOG_MATCH,
                     "SELECT id, entity_key, envelope FROM ves_events"
                     " WHERE id >= ? AND id < ? ORDER BY id");

    *found = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, match->from));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, match->to));
    while (!status && *found < max && ves_sql_next(&q)) {
        uint64_t sequence = ves_sqlite_rowid_no(ves_sql_i64(&q));
        struct ves_hash key = {{0}};
        bool is_told, is_it;

        ves_sql_fixed(&q, key.b, sizeof key.b);
        is_it = tells(ves_sql_bytes(&q), &key, match, &is_told);
        status = ves_sql_check(&q);
        if (!status && !is_told)
            status = look_up(st, stream_no, &key, match, &is_it);
        if (!status && is_it)
            sequences[(*found)++] = sequence;
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
