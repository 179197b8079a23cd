/* store_sqlite_kept.c -- what an append knows from the one before it. */
#include <string.h>

#include "base/arena.h"
#include "store/store_sqlite_internal.h"

void ves_sqlite_kept_begin(struct ves_sqlite *st)
{
    struct ves_sqlite_kept *kept = &st->kept;

    kept->is_good =
        kept->is_whole && st->sync.is_same && kept->changes == st->changes;
    st->sync.is_same = false;
    kept->is_whole = false;
    if (kept->is_good)
        return;
    kept->stream_no = 0;
    kept->name = NULL;
}

void ves_sqlite_kept_end(struct ves_sqlite *st)
{
    st->kept.is_whole = st->kept.stream_no > 0 && st->kept.name;
    st->kept.changes = sqlite3_total_changes(st->db);
}

bool ves_sqlite_kept_value(const struct ves_sqlite *st, const char *name,
                           struct ves_bytes *value)
{
    const struct ves_sqlite_kept *kept = &st->kept;

    if (st->tx != VES_TX_FLAT || !kept->name || strcmp(name, kept->name) != 0)
        return false;
    *value = ves_bytes(kept->value, kept->len);
    return true;
}

void ves_sqlite_keep_value(struct ves_sqlite *st, const char *name,
                           struct ves_bytes value)
{
    struct ves_sqlite_kept *kept = &st->kept;

    kept->name = NULL;
    if (st->tx != VES_TX_FLAT || value.len == 0 ||
        value.len > sizeof kept->value)
        return;
    memcpy(kept->value, value.ptr, value.len);
    kept->len = value.len;
    kept->name = name;
}

enum ves_status ves_sqlite_log_head(struct ves_store *s, uint32_t stream_no,
                                    uint64_t *head)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sqlite_kept *kept = &st->kept;

    if (st->tx != VES_TX_FLAT)
        return ves_sqlite_head(st, stream_no, head);
    if (kept->stream_no == 0 || kept->stream_no != stream_no) {
        enum ves_status status = ves_sqlite_head(st, stream_no, &kept->head);
        if (status)
            return status;
        kept->stream_no = stream_no;
    }
    *head = kept->head;
    return VES_OK;
}
