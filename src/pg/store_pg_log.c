/* store_pg_log.c -- the log of the PostgreSQL store. */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/judge.h"
#include "pg/store_pg_internal.h"

const char *const ves_pg_verdicts[VES_PG_VERDICTS] = {
    [VES_VERDICT_NONE] = "none",
    [VES_VERDICT_APPLIED] = "applied",
    [VES_VERDICT_CONFLICT] = "conflict",
    [VES_VERDICT_WAITING] = "waiting",
    [VES_VERDICT_SUPERSEDED] = "superseded"};

/* All but stream and sequence number. */
#define LOG_COLUMNS                                                      \
    "event_id, event_hash, fingerprint, agent, agent_key_id, agent_seq," \
    " command_id, entity_key, entity_index, entity_prev, entity_jump,"   \
    " verdict, applied_at, version, sub_code, note, sequenced_at_ms,"    \
    " sequencer_id, signature, receipt, receipt_key_version, envelope,"  \
    " raw, is_fact, has_waited, conflict_id, waits_for, effects, opposite"

/* ---- finding --------------------------------------------------------------
 */

enum ves_status ves_pg_log_head(struct ves_store *s, uint32_t stream_no,
                                uint64_t *head)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;

    *head = 0;
    ves_pg_open(st, &q, VES_PG_LOG_HEAD, "i",
                "SELECT head FROM ves_streams WHERE stream_no = $1");
    ves_pg_put_i64(&q, stream_no);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status == VES_NOT_FOUND)
        return ves_pg_missing(st, "stream");
    if (status)
        return status;
    *head = ves_pg_u64(&q);
    status = ves_pg_check(&q);
    ves_pg_close(&q);
    ves_pg_know(st, stream_no);
    return status;
}

static enum ves_status find_all(struct ves_pg *st, enum ves_pg_id id,
                                const char *text, uint32_t stream_no,
                                const struct ves_uuid *ids, size_t count,
                                struct ves_id_row *rows)
{
    struct ves_pg_call q;

    memset(rows, 0, count * sizeof *rows);
    if (count == 0)
        return VES_OK;
    ves_pg_open(st, &q, id, "iU", text);
    ves_pg_put_i64(&q, stream_no);
    for (size_t i = 0; i < count; i++)
        ves_pg_put_uuid(&q, &ids[i]);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        uint64_t at = ves_pg_u64(&q) - 1;

        VES_ASSERT(at < count);
        rows[at].sequence_number = ves_pg_u64(&q);
        ves_pg_fixed(&q, rows[at].fingerprint.b, sizeof rows[at].fingerprint.b);
        status = ves_pg_check(&q);
    }
    ves_pg_close(&q);
    return status;
}

/* Not waited for: it comes with the next answer. */
static enum ves_status ask_ends(struct ves_pg *st, uint32_t stream_no)
{
    struct ves_pg_call q;

    if (st->ends_of == stream_no && st->ends)
        return VES_OK;
    PQclear(st->ends);
    st->ends = NULL;
    st->ends_of = stream_no;
    ves_pg_open_ends(st, &q, stream_no);
    q.is_ends = true;
    return ves_pg_send(&q);
}

static void note_absent(struct ves_pg *st, uint32_t stream_no,
                        const struct ves_uuid *ids, size_t count,
                        const struct ves_id_row *rows)
{
    if (st->absent_of != stream_no)
        ves_buf_reset(&st->absent);
    st->absent_of = stream_no;
    for (size_t i = 0; i < count; i++)
        if (rows[i].sequence_number == 0)
            ves_buf_put(&st->absent, ids[i].b, VES_UUID_SIZE);
}

enum ves_status ves_pg_log_find_ids(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *ids, size_t count,
                                    struct ves_id_row *rows)
{
    struct ves_pg *st = ves_pg_of(s);
    /* Whoever asks so is going to append, and makes the tree grow then. */
    enum ves_status status = st->is_partial ? ask_ends(st, stream_no) : VES_OK;

    if (!status)
        status =
            find_all(st, VES_PG_LOG_FIND_IDS,
                     "SELECT i.n, e.sequence_number, e.fingerprint"
                     " FROM unnest($2) WITH ORDINALITY i (id, n)"
                     " CROSS JOIN LATERAL (SELECT sequence_number, fingerprint"
                     "  FROM ves_events WHERE stream_no = $1"
                     "  AND event_id = i.id OFFSET 0) e",
                     stream_no, ids, count, rows);
    if (!status && st->is_partial)
        note_absent(st, stream_no, ids, count, rows);
    return status;
}

enum ves_status ves_pg_log_find_commands(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_uuid *ids,
                                         size_t count, struct ves_id_row *rows)
{
    return find_all(ves_pg_of(s), VES_PG_LOG_FIND_COMMANDS,
                    "SELECT i.n, e.sequence_number, e.fingerprint"
                    " FROM unnest($2) WITH ORDINALITY i (id, n)"
                    " CROSS JOIN LATERAL (SELECT sequence_number, fingerprint"
                    "  FROM ves_events WHERE stream_no = $1"
                    "  AND command_id = i.id ORDER BY sequence_number LIMIT 1)"
                    " e",
                    stream_no, ids, count, rows);
}

/* ---- appending ------------------------------------------------------------
 */

/* What judging adds to a row, in the order in which the statements name it. */
static void put_judged(struct ves_pg_call *q, const struct ves_log_row *row)
{
    ves_pg_put_bool(q, row->is_fact);
    ves_pg_put_bool(q, row->has_waited);
    ves_pg_put_blob_if(q, row->has_conflict_id, row->conflict_id.b,
                       sizeof row->conflict_id.b);
    ves_pg_put_hash_or_null(q, &row->waits_for);
    ves_pg_put_blob_if(q, row->effects.len > 0, row->effects.ptr,
                       row->effects.len);
    ves_pg_put_blob_if(q, row->opposite.len > 0, row->opposite.ptr,
                       row->opposite.len);
}

static void put_row(struct ves_pg_call *q, const struct ves_log_row *row)
{
    ves_pg_put_uuid(q, &row->event_id);
    ves_pg_put_hash(q, &row->event_hash);
    ves_pg_put_hash(q, &row->fingerprint);
    ves_pg_put_uuid(q, &row->agent);
    ves_pg_put_i64(q, row->agent_key_id);
    ves_pg_put_u64(q, row->agent_seq);
    ves_pg_put_uuid_if(q, row->has_command_id, &row->command_id);
    ves_pg_put_hash(q, &row->entity_key);
    ves_pg_put_u64(q, row->entity_index);
    ves_pg_put_u64(q, row->entity_prev);
    ves_pg_put_u64(q, row->entity_jump);
    ves_pg_put_word(q, ves_pg_verdicts[row->verdict]);
    ves_pg_put_u64(q, row->applied_at);
    ves_pg_put_u64(q, row->version);
    ves_pg_put_bytes(q, row->sub_code);
    ves_pg_put_bytes(q, row->note);
    ves_pg_put_i64(q, row->sequenced_at_ms);
    ves_pg_put_uuid_or_null(q, &row->sequencer_id);
    ves_pg_put_blob(q, row->signature.b, sizeof row->signature.b);
    ves_pg_put_blob_if(q, row->has_receipt, row->receipt.b,
                       sizeof row->receipt.b);
    ves_pg_put_i64(q, row->has_receipt ? row->receipt_key_version : 0);
    ves_pg_put_bytes(q, row->envelope);
    ves_pg_put_blob_if(q, row->raw.len > 0, row->raw.ptr, row->raw.len);
    put_judged(q, row);
}

/* Why nothing was appended, or why nothing may be. */
static enum ves_status explain_append(struct ves_pg *st, uint32_t stream_no,
                                      const struct ves_log_row *rows,
                                      size_t count)
{
    uint64_t head;
    enum ves_status status = ves_pg_log_head(&st->store, stream_no, &head);

    if (status)
        return status;
    for (size_t i = 0; i < count; i++) {
        uint64_t next = head + 1 + i;

        if (rows[i].sequence_number == next)
            continue;
        return ves_fail(&st->store.error,
                        rows[i].sequence_number < next ? VES_CONFLICT
                                                       : VES_INVALID,
                        "The log goes on with sequence number %llu, not with "
                        "%llu. Nothing was changed.",
                        (unsigned long long)next,
                        (unsigned long long)rows[i].sequence_number);
    }
    if (count == 0)
        return VES_OK;
    return ves_fail(&st->store.error, VES_CONFLICT,
                    "The log already holds one of these event ids. Nothing was "
                    "changed.");
}

static bool are_dense(const struct ves_log_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        VES_ASSERT(rows[i].verdict < VES_PG_VERDICTS);
        if (rows[i].sequence_number != rows[0].sequence_number + i)
            return false;
    }
    return count > 0;
}

/* In the order in which they were looked for. */
static bool are_absent(const struct ves_pg *st, uint32_t stream_no,
                       const struct ves_log_row *rows, size_t count)
{
    size_t at = 0, len = st->absent.len;

    if (st->absent_of != stream_no || ves_buf_status(&st->absent))
        return false;
    for (size_t i = 0; i < count; i++, at += VES_UUID_SIZE) {
        while (at < len && memcmp(st->absent.ptr + at, rows[i].event_id.b,
                                  VES_UUID_SIZE) != 0)
            at += VES_UUID_SIZE;
        if (at >= len)
            return false;
    }
    return true;
}

/* Is it known that they go on from the head, and that none is there? */
static bool are_new(struct ves_pg *st, uint32_t stream_no,
                    const struct ves_log_row *rows, size_t count)
{
    struct ves_stream_row stream;
    struct ves_pg_call q;

    return st->ends && st->ends_of == stream_no &&
           ves_pg_recall(st, &q, NULL, stream_no) &&
           !ves_pg_stream_read(&q, &stream) &&
           rows[0].sequence_number == stream.head + 1 &&
           are_absent(st, stream_no, rows, count);
}

#define APPEND_TYPES "iiiUBBUIIUBIIIWIIBBIUBBIBBTTBBBB"
/* Sets in the select list go in step, and none of them is laid down in a table
 * of its own first, as those of a FROM are. */
#define APPENDED_ROWS                                               \
    "(SELECT unnest($4) AS event_id, unnest($5) AS event_hash,"     \
    " unnest($6) AS fingerprint, unnest($7) AS agent,"              \
    " unnest($8) AS agent_key_id, unnest($9) AS agent_seq,"         \
    " unnest($10) AS command_id, unnest($11) AS entity_key,"        \
    " unnest($12) AS entity_index, unnest($13) AS entity_prev,"     \
    " unnest($14) AS entity_jump, unnest($15) AS verdict,"          \
    " unnest($16) AS applied_at, unnest($17) AS version,"           \
    " unnest($18) AS sub_code, unnest($19) AS note,"                \
    " unnest($20) AS sequenced_at_ms, unnest($21) AS sequencer_id," \
    " unnest($22) AS signature, unnest($23) AS receipt,"            \
    " unnest($24) AS receipt_key_version, unnest($25) AS envelope," \
    " unnest($26) AS raw, unnest($27) AS is_fact,"                  \
    " unnest($28) AS has_waited, unnest($29) AS conflict_id,"       \
    " unnest($30) AS waits_for, unnest($31) AS effects,"            \
    " unnest($32) AS opposite,"                                     \
    " generate_series(1, $3) AS n) r"

static void put_rows(struct ves_pg_call *q, uint32_t stream_no,
                     const struct ves_log_row *rows, size_t count)
{
    ves_pg_put_i64(q, stream_no);
    ves_pg_put_u64(q, rows[0].sequence_number);
    ves_pg_put_u64(q, count);
    for (size_t i = 0; i < count; i++)
        put_row(q, &rows[i]);
}

/* What is known is not looked at again.  Were it not so, a row without a
 * stream, or the index of ids, would end the transaction. */
static enum ves_status append_new(struct ves_pg *st, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count)
{
    struct ves_pg_call q;

    ves_pg_open(
        st, &q, VES_PG_LOG_APPEND_NEW, APPEND_TYPES,
        "WITH moved AS (UPDATE ves_streams SET head = $2 + $3 - 1"
        "  WHERE stream_no = $1 AND head = $2 - 1 RETURNING stream_no)"
        " INSERT INTO ves_events (stream_no, sequence_number, " LOG_COLUMNS
        ") SELECT (SELECT stream_no FROM moved), $2 - 1 + r.n, " LOG_COLUMNS
        " FROM " APPENDED_ROWS);
    put_rows(&q, stream_no, rows, count);
    return ves_pg_send(&q);
}

/* The head moves from the number before the first row or not at all, and only
 * when it has moved is anything inserted. */
static enum ves_status append_looking(struct ves_pg *st, uint32_t stream_no,
                                      const struct ves_log_row *rows,
                                      size_t count)
{
    struct ves_pg_call q;

    ves_pg_open(
        st, &q, VES_PG_LOG_APPEND, APPEND_TYPES,
        "WITH moved AS (UPDATE ves_streams SET head = $2 + $3 - 1"
        "  WHERE stream_no = $1 AND head = $2 - 1"
        "  AND NOT EXISTS (SELECT 1 FROM unnest($4) i (id) CROSS JOIN LATERAL"
        "   (SELECT 1 FROM ves_events WHERE stream_no = $1"
        "    AND event_id = i.id OFFSET 0) e)"
        "  AND (SELECT count(DISTINCT id) FROM unnest($4) i (id)) = $3"
        "  RETURNING stream_no)"
        " INSERT INTO ves_events (stream_no, sequence_number, " LOG_COLUMNS
        ") SELECT moved.stream_no, $2 - 1 + r.n, " LOG_COLUMNS
        " FROM moved, " APPENDED_ROWS);
    put_rows(&q, stream_no, rows, count);
    q.is_counted = true;
    enum ves_status status = ves_pg_send(&q);
    if (status)
        return status;
    /* Whoever appends makes the tree grow next. */
    ves_pg_open_ends(st, &q, stream_no);
    status = ves_pg_ask(&q);
    if (status)
        return status;
    PQclear(st->ends);
    st->ends = q.result;
    st->ends_of = stream_no;
    return st->changed == count ? VES_OK
                                : explain_append(st, stream_no, rows, count);
}

enum ves_status ves_pg_log_append(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count)
{
    struct ves_pg *st = ves_pg_of(s);

    VES_ASSERT(st->is_in);
    bool is_dense = are_dense(rows, count);
    bool is_new = is_dense && are_new(st, stream_no, rows, count);
    ves_pg_forget(st);
    st->absent_of = 0;
    if (!is_dense)
        return explain_append(st, stream_no, rows, count);
    return is_new ? append_new(st, stream_no, rows, count)
                  : append_looking(st, stream_no, rows, count);
}

/* ---- reading --------------------------------------------------------------
 */

static enum ves_status read_row(struct ves_pg_call *q, struct ves_log_row *row)
{
    memset(row, 0, sizeof *row);
    row->sequence_number = ves_pg_u64(q);
    ves_pg_fixed(q, row->event_id.b, sizeof row->event_id.b);
    ves_pg_fixed(q, row->event_hash.b, sizeof row->event_hash.b);
    ves_pg_fixed(q, row->fingerprint.b, sizeof row->fingerprint.b);
    ves_pg_fixed(q, row->agent.b, sizeof row->agent.b);
    row->agent_key_id = ves_pg_u32(q);
    row->agent_seq = ves_pg_u64(q);
    row->has_command_id =
        ves_pg_fixed(q, row->command_id.b, sizeof row->command_id.b);
    ves_pg_fixed(q, row->entity_key.b, sizeof row->entity_key.b);
    row->entity_index = ves_pg_u64(q);
    row->entity_prev = ves_pg_u64(q);
    row->entity_jump = ves_pg_u64(q);
    ves_pg_word(q, ves_pg_verdicts, VES_PG_VERDICTS, &row->verdict);
    row->applied_at = ves_pg_u64(q);
    row->version = ves_pg_u64(q);
    row->sub_code = ves_pg_bytes(q);
    row->note = ves_pg_bytes(q);
    row->sequenced_at_ms = ves_pg_i64(q);
    ves_pg_fixed(q, row->sequencer_id.b, sizeof row->sequencer_id.b);
    ves_pg_fixed(q, row->signature.b, sizeof row->signature.b);
    row->has_receipt = ves_pg_fixed(q, row->receipt.b, sizeof row->receipt.b);
    row->receipt_key_version = ves_pg_u32(q);
    row->envelope = ves_pg_bytes(q);
    row->raw = ves_pg_bytes(q);
    row->is_fact = ves_pg_bool(q);
    row->has_waited = ves_pg_bool(q);
    row->has_conflict_id =
        ves_pg_fixed(q, row->conflict_id.b, sizeof row->conflict_id.b);
    ves_pg_fixed(q, row->waits_for.b, sizeof row->waits_for.b);
    row->effects = ves_pg_bytes(q);
    row->opposite = ves_pg_bytes(q);
    return ves_pg_check(q);
}

static enum ves_status read_page(struct ves_pg *st, uint32_t stream_no,
                                 uint64_t *from, struct ves_pg_scan *scan,
                                 ves_log_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_LOG_READ, "iii",
                "SELECT sequence_number, " LOG_COLUMNS
                " FROM ves_events WHERE stream_no = $1"
                " AND sequence_number >= $2 ORDER BY sequence_number"
                " LIMIT $3");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, *from);
    ves_pg_put_u64(&q, scan->rows);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_log_row row;

        status = read_row(&q, &row);
        scan->got++;
        scan->bytes += row.envelope.len + row.raw.len + row.effects.len;
        *from = row.sequence_number + 1;
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_log_read(struct ves_store *s, uint32_t stream_no,
                                uint64_t from, uint32_t limit,
                                ves_log_visitor *visit, void *ctx)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_scan scan;
    enum ves_status status = ves_pg_scan_begin(st, &scan, limit);

    if (status)
        return status;
    do
        status = read_page(st, stream_no, &from, &scan, visit, ctx);
    while (!status && ves_pg_scan_more(&scan));
    ves_pg_scan_end(st, &scan);
    return status;
}

enum ves_status ves_pg_log_leaves(struct ves_store *s, uint32_t stream_no,
                                  uint64_t from, size_t count,
                                  struct ves_leaf_row *rows, size_t *found)
{
    struct ves_pg_call q;

    *found = 0;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_LOG_LEAVES, "iii",
                "SELECT sequence_number, event_hash, signature"
                " FROM ves_events WHERE stream_no = $1"
                " AND sequence_number >= $2 AND sequence_number < $3"
                " ORDER BY sequence_number");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, from);
    ves_pg_put_u64(&q, count > UINT64_MAX - from ? UINT64_MAX : from + count);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && *found < count && ves_pg_next(&q)) {
        struct ves_leaf_row *row = &rows[(*found)++];

        row->sequence_number = ves_pg_u64(&q);
        ves_pg_fixed(&q, row->event_hash.b, sizeof row->event_hash.b);
        ves_pg_fixed(&q, row->signature.b, sizeof row->signature.b);
        status = ves_pg_check(&q);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_log_links(struct ves_store *s, uint32_t stream_no,
                                 const uint64_t *sequences, size_t count,
                                 struct ves_link_row *rows)
{
    struct ves_pg_call q;

    if (count == 0)
        return VES_OK;
    memset(rows, 0, count * sizeof *rows);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_LOG_LINKS, "iI",
                "SELECT i.n, e.* FROM unnest($2) WITH ORDINALITY i (no, n)"
                " CROSS JOIN LATERAL (SELECT sequence_number, entity_key,"
                "  entity_index, entity_prev, entity_jump FROM ves_events"
                "  WHERE stream_no = $1 AND sequence_number = i.no OFFSET 0)"
                " e");
    ves_pg_put_i64(&q, stream_no);
    for (size_t i = 0; i < count; i++)
        ves_pg_put_u64(&q, sequences[i]);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        uint64_t at = ves_pg_u64(&q) - 1;

        VES_ASSERT(at < count);
        rows[at].sequence_number = ves_pg_u64(&q);
        ves_pg_fixed(&q, rows[at].entity_key.b, sizeof rows[at].entity_key.b);
        rows[at].entity_index = ves_pg_u64(&q);
        rows[at].entity_prev = ves_pg_u64(&q);
        rows[at].entity_jump = ves_pg_u64(&q);
        status = ves_pg_check(&q);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_log_match(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_match *match,
                                 uint64_t *sequences, size_t max, size_t *found)
{
    struct ves_pg_call q;

    *found = 0;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_LOG_MATCH, "iiibbi",
                "SELECT e.sequence_number FROM ves_events e"
                " CROSS JOIN LATERAL (SELECT 1 FROM ves_entities n"
                "  WHERE n.stream_no = $1 AND n.entity_key = e.entity_key"
                "  AND ($4 = ''::bytea OR n.entity_type = $4)"
                "  AND ($5 = ''::bytea OR n.entity_id = $5) OFFSET 0) n"
                " WHERE e.stream_no = $1 AND e.sequence_number >= $2"
                " AND e.sequence_number < $3"
                " ORDER BY e.sequence_number LIMIT $6");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, match->from);
    ves_pg_put_u64(&q, match->to);
    ves_pg_put_bytes(&q, match->entity_type);
    ves_pg_put_bytes(&q, match->entity_id);
    ves_pg_put_u64(&q, max);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && *found < max && ves_pg_next(&q)) {
        sequences[(*found)++] = ves_pg_u64(&q);
        status = ves_pg_check(&q);
    }
    ves_pg_close(&q);
    return status;
}

/* ---- changing -------------------------------------------------------------
 */

/* Row by row, for a join of a list with a table is planned for what the table
 * held at first; none of them is waited for. */
static enum ves_status judge_one(struct ves_pg *st, uint32_t stream_no,
                                 const struct ves_log_row *row)
{
    struct ves_pg_call q;

    VES_ASSERT(row->verdict < VES_PG_VERDICTS);
    ves_pg_open(st, &q, VES_PG_LOG_JUDGE, "iiwiibbttbbbb",
                "UPDATE ves_events SET verdict = $3, applied_at = $4,"
                " version = $5, sub_code = $6, note = $7, is_fact = $8,"
                " has_waited = $9, conflict_id = $10, waits_for = $11,"
                " effects = $12, opposite = $13"
                " WHERE stream_no = $1 AND sequence_number = $2");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, row->sequence_number);
    ves_pg_put_word(&q, ves_pg_verdicts[row->verdict]);
    ves_pg_put_u64(&q, row->applied_at);
    ves_pg_put_u64(&q, row->version);
    ves_pg_put_bytes(&q, row->sub_code);
    ves_pg_put_bytes(&q, row->note);
    put_judged(&q, row);
    return ves_pg_send(&q);
}

enum ves_status ves_pg_log_judge(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_row *rows, size_t count)
{
    struct ves_pg *st = ves_pg_of(s);
    uint64_t head;

    VES_ASSERT(st->is_in);
    if (count == 0)
        return VES_OK;
    enum ves_status status = ves_pg_log_head(s, stream_no, &head);
    /* The log is dense: a number up to the head is there. */
    for (size_t i = 0; i < count && !status; i++)
        if (rows[i].sequence_number < 1 || rows[i].sequence_number > head)
            status = ves_pg_missing(st, "event in its log");
    for (size_t i = 0; i < count && !status; i++)
        status = judge_one(st, stream_no, &rows[i]);
    return status;
}

enum ves_status ves_pg_log_prune(struct ves_store *s, uint32_t stream_no,
                                 uint64_t below, const struct ves_hash *spared,
                                 size_t spared_count, uint64_t *count)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;

    VES_ASSERT(st->is_in && spared_count <= 2);
    *count = 0;
    ves_pg_open(st, &q, VES_PG_LOG_PRUNE, "iiB",
                "UPDATE ves_events SET envelope = '', raw = NULL"
                " WHERE stream_no = $1 AND sequence_number < $2"
                " AND entity_key <> ALL ($3)"
                " AND (envelope <> '' OR raw IS NOT NULL)");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, below);
    for (size_t i = 0; i < spared_count; i++)
        ves_pg_put_hash(&q, &spared[i]);
    return ves_pg_run(&q, count);
}
