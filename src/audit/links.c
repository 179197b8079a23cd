/* links.c -- an entity's events in the log: each has the next number, names the
 * one before it, and jumps where it must (engine/chain.h).
 *
 * Where an entity stands is remembered for those that come again soon; of
 * others the row is read that the event names.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "engine/chain.h"
#include "store/sqlite_api.h"

enum { SLOTS = 1 << 16, STREAM_SHIFT = 40 };

struct place {
    struct ves_hash entity_key;
    uint64_t index, sequence, jump; /* index 0: nothing here */
};

struct ves_audit_links {
    struct place places[SLOTS];
    sqlite3_stmt *read;
};

enum ves_status ves_audit_links_open(struct ves_audit *audit,
                                     struct ves_audit_stream *stream)
{
    sqlite3 *db = ves_store_sqlite_connection(audit->store);

    stream->links = ves_arena_alloc(&audit->arena, sizeof(*stream->links));
    if (!stream->links)
        return VES_NOMEM;
    return sqlite3_prepare_v2(db,
                              "SELECT entity_key, entity_index, entity_jump"
                              " FROM ves_events WHERE id = ?",
                              -1, &stream->links->read, NULL) == SQLITE_OK
               ? VES_OK
               : VES_IO;
}

void ves_audit_links_close(struct ves_audit_stream *stream)
{
    if (stream->links)
        sqlite3_finalize(stream->links->read);
    stream->links = NULL;
}

/* What the row with that number says; false: there is none of the entity. */
static bool read_place(const struct ves_audit_stream *stream,
                       const struct ves_hash *entity_key, uint64_t sequence,
                       struct place *out)
{
    sqlite3_stmt *read = stream->links->read;

    if (sequence >> STREAM_SHIFT != 0)
        return false;
    sqlite3_bind_int64(read, 1,
                       ((int64_t)stream->row.stream_no << STREAM_SHIFT) +
                           (int64_t)sequence);
    bool is_there =
        sqlite3_step(read) == SQLITE_ROW &&
        sqlite3_column_bytes(read, 0) == VES_HASH_SIZE &&
        memcmp(sqlite3_column_blob(read, 0), entity_key->b, VES_HASH_SIZE) == 0;
    *out = (struct place){*entity_key, (uint64_t)sqlite3_column_int64(read, 1),
                          sequence, (uint64_t)sqlite3_column_int64(read, 2)};
    sqlite3_reset(read);
    return is_there && out->index > 0;
}

/* Where the entity stood before this event; index 0: nowhere yet. */
static bool find_before(const struct ves_audit_stream *stream,
                        const struct ves_log_row *row,
                        const struct place *remembered, struct place *out)
{
    if (remembered->index > 0 &&
        ves_hash_equal(&remembered->entity_key, &row->entity_key)) {
        *out = *remembered;
        return true;
    }
    *out = (struct place){.index = 0};
    return row->entity_prev == 0 ||
           (row->entity_prev < row->sequence_number &&
            read_place(stream, &row->entity_key, row->entity_prev, out));
}

/* Is the row what must come after that? */
static bool is_next(const struct ves_audit_stream *stream,
                    const struct place *before, const struct ves_log_row *row)
{
    struct ves_entity_row entity = {.count = before->index,
                                    .last = before->sequence,
                                    .last_jump = before->jump};
    struct ves_log_row expected = {.sequence_number = row->sequence_number};
    uint64_t wanted = ves_chain_wanted(&entity);
    struct place far = {.jump = 0};

    if (row->sequence_number <= before->sequence ||
        (wanted > 0 && !read_place(stream, &row->entity_key, wanted, &far)))
        return false;
    ves_chain_link(&entity, far.jump, &expected);
    return row->entity_index == expected.entity_index &&
           row->entity_prev == expected.entity_prev &&
           row->entity_jump == expected.entity_jump;
}

void ves_audit_links_check(struct ves_audit *audit,
                           struct ves_audit_stream *stream,
                           const struct ves_log_row *row)
{
    struct place *remembered =
        &stream->links->places[ves_load_u64(row->entity_key.b) % SLOTS];
    struct place before;

    if (!find_before(stream, row, remembered, &before) ||
        before.index >= UINT32_MAX || !is_next(stream, &before, row))
        ves_audit_find(audit, VES_AUDIT_EVENTS, row->sequence_number,
                       "its place among the events of its entity is not what "
                       "the row says");
    *remembered = (struct place){row->entity_key, row->entity_index,
                                 row->sequence_number, row->entity_jump};
}
