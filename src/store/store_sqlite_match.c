/* store_sqlite_match.c -- events by what they are about. */
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "core/entity.h"
#include "store/store_sqlite_internal.h"

/* A name as an envelope says it; what is longer than one may be is looked up.
 */
struct name {
    struct ves_bytes text;
    uint8_t room[VES_ENTITY_ID_MAX];
};

/* Canonical JSON has these escapes, and \u00XX for other control characters
 * (RFC 8785).  How many bytes it takes; 0 for none of them. */
static size_t unescape(const uint8_t *at, const uint8_t *end, uint8_t *out)
{
    static const char from[] = "\"\\bfnrt", to[] = "\"\\\b\f\n\r\t";
    const char *found;

    if (end - at < 2)
        return 0;
    found = at[1] ? strchr(from, (char)at[1]) : NULL;
    if (found) {
        *out = (uint8_t)to[found - from];
        return 2;
    }
    return end - at >= 6 && memcmp(at, "\\u00", 4) == 0 &&
                   !ves_hex_decode(ves_bytes(at + 4, 2), out, 1)
               ? 6
               : 0;
}

/* The text of the first member of that name; "" when there is none that can be
 * read. */
static void read_name(struct ves_bytes envelope, const char *opening,
                      struct name *name)
{
    size_t len = strlen(opening), n = 0, taken;
    const uint8_t *end,
        *at = envelope.len ? memmem(envelope.ptr, envelope.len, opening, len)
                           : NULL;

    name->text = ves_bytes(NULL, 0);
    if (!at)
        return;
    end = envelope.ptr + envelope.len;
    for (at += len; at < end && *at != '"' && n < VES_ENTITY_ID_MAX;
         at += taken) {
        taken = 1;
        if (*at != '\\')
            name->room[n] = *at;
        else
            taken = unescape(at, end, &name->room[n]);
        if (taken == 0)
            return;
        n++;
    }
    if (at < end && *at == '"')
        name->text = ves_bytes(name->room, n);
}

static bool matches(const struct ves_log_match *match, struct ves_bytes type,
                    struct ves_bytes id)
{
    return (match->entity_type.len == 0 ||
            ves_bytes_equal(match->entity_type, type)) &&
           (match->entity_id.len == 0 || ves_bytes_equal(match->entity_id, id));
}

/* Does the event say so itself?  *is_told: its key vouches for what was read;
 * not so when its body is gone.  Names with escapes are read, too: who gave
 * many entities such names, all of one bucket, would have each of their events
 * sought along a list that they made long. */
static bool tells(struct ves_bytes envelope, const struct ves_hash *key,
                  const struct ves_log_match *match, bool *is_told)
{
    struct name type, id;
    struct ves_hash made;

    read_name(envelope, ",\"entity_type\":\"", &type);
    read_name(envelope, ",\"entity_id\":\"", &id);
    ves_entity_key(type.text, id.text, &made);
    *is_told = ves_hash_equal(&made, key);
    return matches(match, type.text, id.text);
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
    *is_it = !status && matches(match, row.entity_type, row.entity_id);
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
