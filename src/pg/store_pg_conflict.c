/* store_pg_conflict.c -- conflicts and waiting events of the PostgreSQL store.
 */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "core/judge.h"
#include "pg/store_pg_internal.h"

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

#define CONFLICT_COLUMNS                                                    \
    "opened, conflict_id, entity_key, kind, kinds, sub_code, branch_count," \
    " branch_digest, has_branch_fact, has_applied_fact, closed,"            \
    " closed_by, winner"
#define MEMBER_COLUMNS "conflict_id, side, place, sequence_number, event_hash"

/* Of a limit that is none. */
static void put_limit(struct ves_pg_call *q, uint32_t limit)
{
    ves_pg_put_i64(q, limit ? (int64_t)limit : INT64_MAX);
}

static enum ves_status taken(struct ves_pg *st)
{
    return ves_fail(&st->store.error, VES_CONFLICT,
                    "The store already holds one of these. Nothing was "
                    "changed.");
}

/* ---- waiting, late --------------------------------------------------------
 */

enum ves_status ves_pg_waiting_list(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *waits_for,
                                    uint32_t limit, ves_waiting_visitor *visit,
                                    void *ctx)
{
    struct ves_pg_call q;

    if (waits_for)
        ves_pg_open(ves_pg_of(s), &q, VES_PG_WAITING_FOR, "iib",
                    "SELECT waits_for, sequence_number FROM ves_events"
                    " WHERE stream_no = $1 AND waits_for = $3"
                    " ORDER BY sequence_number LIMIT $2");
    else
        ves_pg_open(ves_pg_of(s), &q, VES_PG_WAITING_ALL, "ii",
                    "SELECT waits_for, sequence_number FROM ves_events"
                    " WHERE stream_no = $1 AND waits_for IS NOT NULL"
                    " ORDER BY waits_for, sequence_number LIMIT $2");
    ves_pg_put_i64(&q, stream_no);
    put_limit(&q, limit);
    if (waits_for)
        ves_pg_put_hash(&q, waits_for);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_hash found;

        ves_pg_fixed(&q, found.b, sizeof found.b);
        uint64_t sequence = ves_pg_u64(&q);
        status = ves_pg_check(&q);
        if (!status)
            status = visit(ctx, sequence, &found);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_log_find_late(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *entity_key,
                                     uint64_t version, uint64_t *sequence)
{
    struct ves_pg_call q;

    *sequence = 0;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_LOG_LATE, "ibi",
                "SELECT sequence_number FROM ves_events WHERE stream_no = $1"
                " AND entity_key = $2 AND version = $3 AND has_waited"
                " ORDER BY sequence_number DESC LIMIT 1");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_hash(&q, entity_key);
    ves_pg_put_u64(&q, version);
    enum ves_status status = ves_pg_ask_row(&q);
    if (!status) {
        *sequence = ves_pg_u64(&q);
        status = ves_pg_check(&q);
        ves_pg_close(&q);
    }
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* ---- conflicts ------------------------------------------------------------
 */

static enum ves_status read_conflict(struct ves_pg_call *q,
                                     struct ves_conflict_row *row)
{
    memset(row, 0, sizeof *row);
    row->is_found = true;
    row->opened = ves_pg_u64(q);
    ves_pg_fixed(q, row->id.b, sizeof row->id.b);
    ves_pg_fixed(q, row->entity_key.b, sizeof row->entity_key.b);
    ves_pg_word(q, kinds, VES_CONFLICT_KINDS, &row->kind);
    row->kinds = ves_pg_u32(q);
    row->sub_code = ves_pg_bytes(q);
    row->branch_count = ves_pg_u64(q);
    ves_pg_fixed(q, row->branch_digest.b, sizeof row->branch_digest.b);
    row->has_branch_fact = ves_pg_bool(q);
    row->has_applied_fact = ves_pg_bool(q);
    row->closed = ves_pg_u64(q);
    ves_pg_fixed(q, row->closed_by.b, sizeof row->closed_by.b);
    ves_pg_word(q, winners, WINNERS, &row->winner);
    return ves_pg_check(q);
}

enum ves_status ves_pg_conflict_get(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *ids, size_t count,
                                    struct ves_arena *arena,
                                    struct ves_conflict_row *rows)
{
    struct ves_pg_call q;

    for (size_t i = 0; i < count; i++)
        rows[i] = (struct ves_conflict_row){.id = ids[i]};
    if (count == 0)
        return VES_OK;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_CONFLICT_GET, "iB",
                "SELECT i.n, " CONFLICT_COLUMNS
                " FROM unnest($2) WITH ORDINALITY i (id, n)"
                " CROSS JOIN LATERAL (SELECT * FROM ves_conflicts"
                "  WHERE stream_no = $1 AND conflict_id = i.id OFFSET 0) c");
    ves_pg_put_i64(&q, stream_no);
    for (size_t i = 0; i < count; i++)
        ves_pg_put_hash(&q, &ids[i]);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        uint64_t at = ves_pg_u64(&q) - 1;

        VES_ASSERT(at < count);
        status = read_conflict(&q, &rows[at]);
        if (!status)
            status =
                ves_arena_copy(arena, rows[at].sub_code, &rows[at].sub_code);
    }
    ves_pg_close(&q);
    return status;
}

static void put_conflict(struct ves_pg_call *q,
                         const struct ves_conflict_row *row)
{
    VES_ASSERT(row->kind > 0 && row->kind < VES_CONFLICT_KINDS);
    VES_ASSERT(row->winner < WINNERS && row->opened > 0);
    ves_pg_put_u64(q, row->opened);
    ves_pg_put_hash(q, &row->id);
    ves_pg_put_hash(q, &row->entity_key);
    ves_pg_put_word(q, kinds[row->kind]);
    ves_pg_put_i64(q, row->kinds);
    ves_pg_put_bytes(q, row->sub_code);
    ves_pg_put_u64(q, row->branch_count);
    ves_pg_put_hash(q, &row->branch_digest);
    ves_pg_put_bool(q, row->has_branch_fact);
    ves_pg_put_bool(q, row->has_applied_fact);
    ves_pg_put_u64(q, row->closed);
    ves_pg_put_hash_or_null(q, &row->closed_by);
    ves_pg_put_word(q, winners[row->winner]);
}

enum ves_status ves_pg_conflict_put(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_conflict_row *rows,
                                    size_t count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;

    VES_ASSERT(st->is_in);
    if (count == 0)
        return VES_OK;
    /* Of one that is there twice the last. */
    ves_pg_open(
        st, &q, VES_PG_CONFLICT_PUT, "iIBBWIBIBTTIBW",
        "INSERT INTO ves_conflicts (stream_no, " CONFLICT_COLUMNS ")"
        " SELECT DISTINCT ON (r.conflict_id) $1, " CONFLICT_COLUMNS
        " FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        " WITH ORDINALITY r (" CONFLICT_COLUMNS ", n)"
        " WHERE NOT EXISTS (SELECT 1 FROM unnest($2, $3) w (opened, id)"
        "  CROSS JOIN LATERAL (SELECT conflict_id FROM ves_conflicts"
        "   WHERE stream_no = $1 AND opened = w.opened OFFSET 0) c"
        "  WHERE c.conflict_id <> w.id)"
        " AND (SELECT count(DISTINCT o) FROM unnest($2) o) ="
        "  (SELECT count(DISTINCT i) FROM unnest($3) i)"
        " ORDER BY r.conflict_id, r.n DESC"
        " ON CONFLICT (stream_no, conflict_id) DO UPDATE SET"
        " entity_key = excluded.entity_key, kind = excluded.kind,"
        " kinds = excluded.kinds, sub_code = excluded.sub_code,"
        " branch_count = excluded.branch_count,"
        " branch_digest = excluded.branch_digest,"
        " has_branch_fact = excluded.has_branch_fact,"
        " has_applied_fact = excluded.has_applied_fact,"
        " closed = excluded.closed, closed_by = excluded.closed_by,"
        " winner = excluded.winner");
    ves_pg_put_i64(&q, stream_no);
    for (size_t i = 0; i < count; i++)
        put_conflict(&q, &rows[i]);
    enum ves_status status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? taken(st) : status;
}

/* By open_only, then by is_descending. */
#define LIST(where, order)                                                 \
    "SELECT " CONFLICT_COLUMNS " FROM ves_conflicts WHERE " where          \
    "stream_no = $1 AND opened > $2 AND opened < $3 ORDER BY opened" order \
    " LIMIT $4"
static const char *const list_texts[4] = {LIST("", ""), LIST("", " DESC"),
                                          LIST("closed = 0 AND ", ""),
                                          LIST("closed = 0 AND ", " DESC")};

enum ves_status ves_pg_conflict_list(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_conflict_filter *filter,
                                     ves_conflict_visitor *visit, void *ctx)
{
    unsigned at =
        (filter->open_only ? 2U : 0U) | (filter->is_descending ? 1U : 0U);
    uint64_t above = filter->is_descending ? 0 : filter->after;
    uint64_t below =
        filter->is_descending && filter->after ? filter->after : INT64_MAX;
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_CONFLICT_LIST + at, "iiii",
                list_texts[at]);
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, above);
    ves_pg_put_u64(&q, below);
    put_limit(&q, filter->limit);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_conflict_row row;

        status = read_conflict(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_conflict_counts(struct ves_store *s, uint32_t stream_no,
                                       uint64_t counts[VES_CONFLICT_KINDS])
{
    struct ves_pg_call q;

    memset(counts, 0, VES_CONFLICT_KINDS * sizeof *counts);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_CONFLICT_COUNTS, "i",
                "SELECT kind, count(*) FROM ves_conflicts"
                " WHERE stream_no = $1 AND closed = 0 GROUP BY kind");
    ves_pg_put_i64(&q, stream_no);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        uint32_t kind;

        ves_pg_word(&q, kinds, VES_CONFLICT_KINDS, &kind);
        counts[kind] = ves_pg_u64(&q);
        status = ves_pg_check(&q);
    }
    ves_pg_close(&q);
    return status;
}

/* ---- members --------------------------------------------------------------
 */

enum ves_status ves_pg_member_add(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_conflict_member *members,
                                  size_t count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;

    VES_ASSERT(st->is_in);
    if (count == 0)
        return VES_OK;
    ves_pg_open(st, &q, VES_PG_MEMBER_ADD, "iBIIIB",
                "INSERT INTO ves_conflict_members (stream_no, " MEMBER_COLUMNS
                ") SELECT $1, " MEMBER_COLUMNS
                " FROM unnest($2, $3, $4, $5, $6) r (" MEMBER_COLUMNS ")"
                " WHERE NOT EXISTS (SELECT 1 FROM unnest($2, $3, $4)"
                "  w (id, side, place) CROSS JOIN LATERAL (SELECT 1"
                "   FROM ves_conflict_members m WHERE m.stream_no = $1"
                "   AND m.conflict_id = w.id AND m.side = w.side"
                "   AND m.place = w.place OFFSET 0) m)"
                " AND (SELECT count(*) FROM (SELECT DISTINCT * FROM"
                "  unnest($2, $3, $4)) d) = cardinality($2)");
    ves_pg_put_i64(&q, stream_no);
    for (size_t i = 0; i < count; i++) {
        VES_ASSERT(members[i].side <= VES_SIDE_APPLIED && members[i].place > 0);
        ves_pg_put_hash(&q, &members[i].conflict_id);
        ves_pg_put_i64(&q, members[i].side);
        ves_pg_put_u64(&q, members[i].place);
        ves_pg_put_u64(&q, members[i].sequence_number);
        ves_pg_put_hash(&q, &members[i].event_hash);
    }
    enum ves_status status = ves_pg_run(&q, &changed);
    return !status && changed == 0 ? taken(st) : status;
}

static enum ves_status visit_members(struct ves_pg_call *q,
                                     ves_member_visitor *visit, void *ctx)
{
    enum ves_status status = ves_pg_ask(q);

    while (!status && ves_pg_next(q)) {
        struct ves_conflict_member member;

        ves_pg_fixed(q, member.conflict_id.b, sizeof member.conflict_id.b);
        member.side = ves_pg_u32(q);
        member.place = ves_pg_u64(q);
        member.sequence_number = ves_pg_u64(q);
        ves_pg_fixed(q, member.event_hash.b, sizeof member.event_hash.b);
        status = ves_pg_check(q);
        if (!status)
            status = visit(ctx, &member);
    }
    ves_pg_close(q);
    return status;
}

enum ves_status ves_pg_member_list(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *conflict_id,
                                   ves_member_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_MEMBER_LIST, "ib",
                "SELECT " MEMBER_COLUMNS " FROM ves_conflict_members"
                " WHERE stream_no = $1 AND conflict_id = $2"
                " ORDER BY side, place");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_hash(&q, conflict_id);
    return visit_members(&q, visit, ctx);
}

enum ves_status ves_pg_member_find(struct ves_store *s, uint32_t stream_no,
                                   uint64_t sequence, ves_member_visitor *visit,
                                   void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_MEMBER_FIND, "ii",
                "SELECT " MEMBER_COLUMNS " FROM ves_conflict_members"
                " WHERE stream_no = $1 AND sequence_number = $2"
                " ORDER BY conflict_id, side, place");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, sequence);
    return visit_members(&q, visit, ctx);
}

/* ---- forgetting -----------------------------------------------------------
 */

static enum ves_status forget(struct ves_pg *st, uint32_t stream_no,
                              enum ves_pg_id id, const char *text)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, id, "i", text);
    ves_pg_put_i64(&q, stream_no);
    return ves_pg_send(&q);
}

enum ves_status ves_pg_verdict_reset(struct ves_store *s, uint32_t stream_no)
{
    struct ves_pg *st = ves_pg_of(s);
    enum ves_status status =
        forget(st, stream_no, VES_PG_CONFLICT_RESET,
               "DELETE FROM ves_conflicts WHERE stream_no = $1");

    if (!status)
        status =
            forget(st, stream_no, VES_PG_MEMBER_RESET,
                   "DELETE FROM ves_conflict_members WHERE stream_no = $1");
    if (!status)
        status = forget(st, stream_no, VES_PG_WAITING_RESET,
                        "UPDATE ves_events SET waits_for = NULL"
                        " WHERE stream_no = $1 AND waits_for IS NOT NULL");
    if (!status)
        status = forget(st, stream_no, VES_PG_LATE_RESET,
                        "UPDATE ves_events SET has_waited = false"
                        " WHERE stream_no = $1 AND has_waited");
    return status;
}
