/* store_sqlite_conflict.c -- conflicts and waiting events of the SQLite
 * store.
 */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "core/judge.h"
#include "store/store_sqlite_internal.h"

static const char *const kinds[VES_CONFLICT_KINDS] = {
    [VES_CONFLICT_KIND_NONE] = "none",
    [VES_CONFLICT_DELETED_REFERENCE] = "deleted_reference",
    [VES_CONFLICT_VERSION_MISMATCH] = "version_mismatch",
    [VES_CONFLICT_CONCURRENT_EDIT] = "concurrent_edit"};

enum { WINNERS = VES_WINNER_MERGE + 1 };
static const char *const winners[WINNERS] = {[VES_WINNER_NONE] = "",
                                             [VES_WINNER_BRANCH] = "branch",
                                             [VES_WINNER_APPLIED] = "applied",
                                             [VES_WINNER_MERGE] = "merge"};

#define CONFLICT_COLUMNS                                                \
    "id, conflict_id, entity_key, kind, kinds, sub_code, branch_count," \
    " branch_digest, has_branch_fact, has_applied_fact, closed,"        \
    " closed_by, winner"
#define MEMBER_COLUMNS "conflict_id, side, place, sequence_number, event_hash"

/* ---- waiting, late --------------------------------------------------------
 */

enum ves_status ves_sqlite_waiting_list(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_hash *waits_for,
                                        uint32_t limit,
                                        ves_waiting_visitor *visit, void *ctx)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        ves_sqlite_of(s), &q,
        waits_for ? VES_SQL_WAITING_FOR : VES_SQL_WAITING_ALL,
        waits_for ? "SELECT waits_for, id FROM ves_events WHERE stream_no = ?"
                    " AND waits_for = ? ORDER BY id LIMIT ?"
                  : "SELECT waits_for, id FROM ves_events WHERE stream_no = ?"
                    " AND waits_for IS NOT NULL ORDER BY waits_for, id"
                    " LIMIT ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    if (waits_for)
        ves_sql_put_hash(&q, waits_for);
    ves_sql_put_i64(&q, limit ? (int64_t)limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_hash found;
        uint64_t sequence;

        ves_sql_fixed(&q, found.b, sizeof found.b);
        sequence = ves_sqlite_rowid_no(ves_sql_i64(&q));
        status = ves_sql_check(&q);
        if (!status)
            status = visit(ctx, sequence, &found);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_log_find_late(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_hash *entity_key,
                                         uint64_t version, uint64_t *sequence)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_LOG_LATE,
                     "SELECT id FROM ves_events WHERE stream_no = ?"
                     " AND entity_key = ? AND version = ? AND has_waited"
                     " ORDER BY id DESC LIMIT 1");

    *sequence = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_hash(&q, entity_key);
    ves_sql_put_u64(&q, version);
    status = ves_sql_row(&q);
    if (!status)
        *sequence = ves_sqlite_rowid_no(ves_sql_i64(&q));
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* ---- many rows or none ----------------------------------------------------
 */

typedef enum ves_status put_rows(struct ves_sqlite *st, uint32_t stream_no,
                                 const void *rows, size_t count);

static enum ves_status write_many(struct ves_store *s, uint32_t stream_no,
                                  const void *rows, size_t count, put_rows *put)
{
    struct ves_sqlite *st = ves_sqlite_of(s);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (count == 0)
        return VES_OK;
    enum ves_status status = ves_sql_call_begin(st);
    if (status)
        return status;
    return ves_sql_call_end(st, put(st, stream_no, rows, count));
}

/* ---- conflicts ------------------------------------------------------------
 */

static enum ves_status read_conflict(struct ves_sql *q,
                                     struct ves_conflict_row *row)
{
    memset(row, 0, sizeof *row);
    row->is_found = true;
    row->opened = ves_sqlite_rowid_no(ves_sql_i64(q));
    ves_sql_fixed(q, row->id.b, sizeof row->id.b);
    ves_sql_fixed(q, row->entity_key.b, sizeof row->entity_key.b);
    ves_sql_word(q, kinds, VES_CONFLICT_KINDS, &row->kind);
    row->kinds = ves_sql_u32(q);
    row->sub_code = ves_sql_bytes(q);
    row->branch_count = ves_sql_u64(q);
    ves_sql_fixed(q, row->branch_digest.b, sizeof row->branch_digest.b);
    row->has_branch_fact = ves_sql_bool(q);
    row->has_applied_fact = ves_sql_bool(q);
    row->closed = ves_sql_u64(q);
    ves_sql_fixed(q, row->closed_by.b, sizeof row->closed_by.b);
    ves_sql_word(q, winners, WINNERS, &row->winner);
    return ves_sql_check(q);
}

static enum ves_status get_one(struct ves_sql *q, uint32_t stream_no,
                               const struct ves_hash *id,
                               struct ves_arena *arena,
                               struct ves_conflict_row *row)
{
    enum ves_status status;

    q->param = 0;
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_hash(q, id);
    status = ves_sql_row(q);
    if (status == VES_NOT_FOUND) {
        memset(row, 0, sizeof *row);
        row->id = *id;
        status = VES_OK;
    } else if (!status) {
        status = read_conflict(q, row);
        if (!status)
            status = ves_arena_copy(arena, row->sub_code, &row->sub_code);
    }
    sqlite3_reset(q->stmt);
    return status;
}

enum ves_status ves_sqlite_conflict_get(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_hash *ids,
                                        size_t count, struct ves_arena *arena,
                                        struct ves_conflict_row *rows)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_CONFLICT_GET,
                     "SELECT " CONFLICT_COLUMNS " FROM ves_conflicts"
                     " WHERE stream_no = ? AND conflict_id = ?");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = get_one(&q, stream_no, &ids[i], arena, &rows[i]);
    ves_sql_close(&q);
    return status;
}

static enum ves_status put_one(struct ves_sql *q, uint32_t stream_no,
                               const struct ves_conflict_row *row)
{
    VES_ASSERT(row->kind > 0 && row->kind < VES_CONFLICT_KINDS);
    VES_ASSERT(row->winner < WINNERS && row->opened > 0);
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_i64(q, ves_sqlite_rowid(stream_no, row->opened));
    ves_sql_put_hash(q, &row->id);
    ves_sql_put_hash(q, &row->entity_key);
    ves_sql_put_word(q, kinds[row->kind]);
    ves_sql_put_i64(q, row->kinds);
    ves_sql_put_text(q, row->sub_code);
    ves_sql_put_u64(q, row->branch_count);
    ves_sql_put_hash(q, &row->branch_digest);
    ves_sql_put_i64(q, row->has_branch_fact);
    ves_sql_put_i64(q, row->has_applied_fact);
    ves_sql_put_u64(q, row->closed);
    ves_sql_put_hash_or_null(q, &row->closed_by);
    ves_sql_put_word(q, winners[row->winner]);
    return ves_sql_run(q);
}

static enum ves_status put_all(struct ves_sqlite *st, uint32_t stream_no,
                               const void *from, size_t count)
{
    const struct ves_conflict_row *rows = from;
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_CONFLICT_PUT,
        "INSERT INTO ves_conflicts (stream_no, " CONFLICT_COLUMNS ")"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (stream_no, conflict_id) DO UPDATE SET"
        " entity_key = excluded.entity_key, kind = excluded.kind,"
        " kinds = excluded.kinds, sub_code = excluded.sub_code,"
        " branch_count = excluded.branch_count,"
        " branch_digest = excluded.branch_digest,"
        " has_branch_fact = excluded.has_branch_fact,"
        " has_applied_fact = excluded.has_applied_fact,"
        " closed = excluded.closed, closed_by = excluded.closed_by,"
        " winner = excluded.winner");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = put_one(&q, stream_no, &rows[i]);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_conflict_put(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_conflict_row *rows,
                                        size_t count)
{
    return write_many(s, stream_no, rows, count, put_all);
}

/* By open_only, then by is_descending. */
static const char *const list_texts[4] = {
    "SELECT " CONFLICT_COLUMNS " FROM ves_conflicts"
    " WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
    "SELECT " CONFLICT_COLUMNS " FROM ves_conflicts"
    " WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?",
    "SELECT " CONFLICT_COLUMNS
    " FROM ves_conflicts INDEXED BY ves_conflicts_open"
    " WHERE closed = 0 AND id > ? AND id < ? ORDER BY id LIMIT ?",
    "SELECT " CONFLICT_COLUMNS
    " FROM ves_conflicts INDEXED BY ves_conflicts_open"
    " WHERE closed = 0 AND id > ? AND id < ? ORDER BY id DESC LIMIT ?"};

enum ves_status
ves_sqlite_conflict_list(struct ves_store *s, uint32_t stream_no,
                         const struct ves_conflict_filter *filter,
                         ves_conflict_visitor *visit, void *ctx)
{
    unsigned at =
        (filter->open_only ? 2U : 0U) | (filter->is_descending ? 1U : 0U);
    uint64_t above = filter->is_descending ? 0 : filter->after;
    uint64_t below = filter->is_descending && filter->after ? filter->after
                                                            : VES_SQLITE_NO_MAX;
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        ves_sqlite_of(s), &q, VES_SQL_CONFLICT_LIST + at, list_texts[at]);

    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, above));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, below));
    ves_sql_put_i64(&q, filter->limit ? (int64_t)filter->limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_conflict_row row;

        status = read_conflict(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_conflict_counts(struct ves_store *s,
                                           uint32_t stream_no,
                                           uint64_t counts[VES_CONFLICT_KINDS])
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_CONFLICT_COUNTS,
                     "SELECT coalesce(sum(kind = 'deleted_reference'), 0),"
                     " coalesce(sum(kind = 'version_mismatch'), 0),"
                     " coalesce(sum(kind = 'concurrent_edit'), 0)"
                     " FROM ves_conflicts INDEXED BY ves_conflicts_open"
                     " WHERE closed = 0 AND id > ? AND id < ?");

    memset(counts, 0, VES_CONFLICT_KINDS * sizeof *counts);
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, 0));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    status = ves_sql_row(&q);
    for (size_t i = VES_CONFLICT_DELETED_REFERENCE;
         !status && i < VES_CONFLICT_KINDS; i++)
        counts[i] = ves_sql_u64(&q);
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- members --------------------------------------------------------------
 */

static enum ves_status add_one(struct ves_sql *q, uint32_t stream_no,
                               const struct ves_conflict_member *member)
{
    VES_ASSERT(member->side <= VES_SIDE_APPLIED && member->place > 0);
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_hash(q, &member->conflict_id);
    ves_sql_put_i64(q, member->side);
    ves_sql_put_u64(q, member->place);
    ves_sql_put_u64(q, member->sequence_number);
    ves_sql_put_hash(q, &member->event_hash);
    return ves_sql_run(q);
}

static enum ves_status add_all(struct ves_sqlite *st, uint32_t stream_no,
                               const void *from, size_t count)
{
    const struct ves_conflict_member *members = from;
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_MEMBER_ADD,
                     "INSERT INTO ves_conflict_members (stream_no,"
                     " " MEMBER_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = add_one(&q, stream_no, &members[i]);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_member_add(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_conflict_member *members,
                                      size_t count)
{
    return write_many(s, stream_no, members, count, add_all);
}

static enum ves_status visit_members(struct ves_sql *q,
                                     ves_member_visitor *visit, void *ctx)
{
    enum ves_status status = VES_OK;

    while (!status && ves_sql_next(q)) {
        struct ves_conflict_member member;

        ves_sql_fixed(q, member.conflict_id.b, sizeof member.conflict_id.b);
        member.side = ves_sql_u32(q);
        member.place = ves_sql_u64(q);
        member.sequence_number = ves_sql_u64(q);
        ves_sql_fixed(q, member.event_hash.b, sizeof member.event_hash.b);
        status = ves_sql_check(q);
        if (!status)
            status = visit(ctx, &member);
    }
    if (!status)
        status = ves_sql_check(q);
    ves_sql_close(q);
    return status;
}

enum ves_status ves_sqlite_member_list(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *conflict_id,
                                       ves_member_visitor *visit, void *ctx)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_MEMBER_LIST,
                     "SELECT " MEMBER_COLUMNS " FROM ves_conflict_members"
                     " WHERE stream_no = ? AND conflict_id = ?"
                     " ORDER BY side, place");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_hash(&q, conflict_id);
    return visit_members(&q, visit, ctx);
}

enum ves_status ves_sqlite_member_find(struct ves_store *s, uint32_t stream_no,
                                       uint64_t sequence,
                                       ves_member_visitor *visit, void *ctx)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_MEMBER_FIND,
                     "SELECT " MEMBER_COLUMNS " FROM ves_conflict_members"
                     " WHERE stream_no = ? AND sequence_number = ?"
                     " ORDER BY conflict_id, side, place");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_u64(&q, sequence);
    return visit_members(&q, visit, ctx);
}

/* ---- forgetting -----------------------------------------------------------
 */

static enum ves_status forget(struct ves_sqlite *st, uint32_t stream_no,
                              enum ves_sql_id id, const char *text)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(st, &q, id, text);

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_verdict_reset(struct ves_store *s,
                                         uint32_t stream_no)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    status = forget(st, stream_no, VES_SQL_CONFLICT_RESET,
                    "DELETE FROM ves_conflicts WHERE stream_no = ?");
    if (!status)
        status = forget(st, stream_no, VES_SQL_MEMBER_RESET,
                        "DELETE FROM ves_conflict_members WHERE stream_no = ?");
    if (!status)
        status = forget(st, stream_no, VES_SQL_WAITING_RESET,
                        "UPDATE ves_events SET waits_for = NULL"
                        " WHERE stream_no = ? AND waits_for IS NOT NULL");
    if (!status)
        status = forget(st, stream_no, VES_SQL_LATE_RESET,
                        "UPDATE ves_events SET has_waited = 0"
                        " WHERE stream_no = ? AND has_waited");
    return status;
}
