/* store_sqlite_log.c -- the log of the SQLite store. */
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "core/judge.h"
#include "store/store_sqlite_internal.h"

const char *const ves_sqlite_verdicts[VES_SQLITE_VERDICTS] = {
    [VES_VERDICT_NONE] = "none",
    [VES_VERDICT_APPLIED] = "applied",
    [VES_VERDICT_CONFLICT] = "conflict",
    [VES_VERDICT_WAITING] = "waiting",
    [VES_VERDICT_SUPERSEDED] = "superseded"};

/* ---- finding --------------------------------------------------------------
 */

enum ves_status ves_sqlite_head(struct ves_sqlite *st, uint32_t stream_no,
                                uint64_t *head)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_LOG_HEAD,
        "SELECT coalesce((SELECT id FROM ves_events WHERE id > ?1 << 40"
        "  AND id < (?1 + 1) << 40 ORDER BY id DESC LIMIT 1), 0)"
        " FROM ves_streams WHERE stream_no = ?1");

    *head = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    status = ves_sql_row(&q);
    if (!status)
        *head = ves_sqlite_rowid_no(ves_sql_i64(&q));
    else if (status == VES_NOT_FOUND)
        status = ves_sqlite_missing(st, "stream");
    ves_sql_close(&q);
    return status;
}

/* One row of find_ids or find_commands. */
static enum ves_status find_one(struct ves_sql *q, uint32_t stream_no,
                                const struct ves_uuid *id,
                                struct ves_id_row *row)
{
    enum ves_status status;

    memset(row, 0, sizeof *row);
    q->param = 0;
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_uuid(q, id);
    status = ves_sql_row(q);
    if (!status) {
        row->sequence_number = ves_sqlite_rowid_no(ves_sql_i64(q));
        ves_sql_fixed(q, row->fingerprint.b, sizeof row->fingerprint.b);
        status = ves_sql_check(q);
    }
    sqlite3_reset(q->stmt);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

static enum ves_status find_all(struct ves_sqlite *st, enum ves_sql_id id,
                                const char *text, uint32_t stream_no,
                                const struct ves_uuid *ids, size_t count,
                                struct ves_id_row *rows)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(st, &q, id, text);

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = find_one(&q, stream_no, &ids[i], &rows[i]);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_log_find_ids(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *ids,
                                        size_t count, struct ves_id_row *rows)
{
    return find_all(ves_sqlite_of(s), VES_SQL_LOG_FIND_ID,
                    "SELECT id, fingerprint FROM ves_events"
                    " WHERE stream_no = ? AND event_id = ?",
                    stream_no, ids, count, rows);
}

enum ves_status ves_sqlite_log_find_commands(struct ves_store *s,
                                             uint32_t stream_no,
                                             const struct ves_uuid *ids,
                                             size_t count,
                                             struct ves_id_row *rows)
{
    return find_all(ves_sqlite_of(s), VES_SQL_LOG_FIND_COMMAND,
                    "SELECT id, fingerprint FROM ves_events"
                    " WHERE stream_no = ? AND command_id = ?"
                    " ORDER BY id LIMIT 1",
                    stream_no, ids, count, rows);
}

/* ---- appending ------------------------------------------------------------
 */

/* What judging adds to a row, in the order in which the statements name it. */
static void put_judged(struct ves_sql *q, const struct ves_log_row *row)
{
    ves_sql_put_i64(q, row->is_fact);
    ves_sql_put_i64(q, row->has_waited);
    ves_sql_put_blob_if(q, row->has_conflict_id, row->conflict_id.b,
                        sizeof row->conflict_id.b);
    ves_sql_put_hash_or_null(q, &row->waits_for);
    ves_sql_put_blob_if(q, row->effects.len > 0, row->effects.ptr,
                        row->effects.len);
    if (row->opposite.len > 0)
        ves_sql_put_text(q, row->opposite);
    else
        ves_sql_put_null(q);
}

static enum ves_status append_one(struct ves_sql *q, uint32_t stream_no,
                                  const struct ves_log_row *row)
{
    ves_sql_put_i64(q, ves_sqlite_rowid(stream_no, row->sequence_number));
    ves_sql_put_i64(q, stream_no);
    ves_sql_put_uuid(q, &row->event_id);
    ves_sql_put_hash(q, &row->event_hash);
    ves_sql_put_hash(q, &row->fingerprint);
    ves_sql_put_uuid(q, &row->agent);
    ves_sql_put_i64(q, row->agent_key_id);
    ves_sql_put_u64(q, row->agent_seq);
    ves_sql_put_blob_if(q, row->has_command_id, row->command_id.b,
                        sizeof row->command_id.b);
    ves_sql_put_hash(q, &row->entity_key);
    ves_sql_put_u64(q, row->entity_index);
    ves_sql_put_u64(q, row->entity_prev);
    ves_sql_put_u64(q, row->entity_jump);
    ves_sql_put_word(q, ves_sqlite_verdicts[row->verdict]);
    ves_sql_put_u64(q, row->applied_at);
    ves_sql_put_u64(q, row->version);
    ves_sql_put_text(q, row->sub_code);
    ves_sql_put_text(q, row->note);
    ves_sql_put_i64(q, row->sequenced_at_ms);
    ves_sql_put_uuid_or_null(q, &row->sequencer_id);
    ves_sql_put_blob(q, row->signature.b, sizeof row->signature.b);
    ves_sql_put_blob_if(q, row->has_receipt, row->receipt.b,
                        sizeof row->receipt.b);
    ves_sql_put_i64(q, row->has_receipt ? row->receipt_key_version : 0);
    ves_sql_put_text(q, row->envelope);
    ves_sql_put_blob_if(q, row->raw.len > 0, row->raw.ptr, row->raw.len);
    put_judged(q, row);
    return ves_sql_run(q);
}

static enum ves_status append_all(struct ves_sqlite *st, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_LOG_APPEND,
        "INSERT INTO ves_events (id, stream_no, event_id, event_hash,"
        " fingerprint, agent, agent_key_id, agent_seq, command_id,"
        " entity_key, entity_index, entity_prev, entity_jump, verdict,"
        " applied_at, version, sub_code, note, sequenced_at_ms,"
        " sequencer_id, signature, receipt, receipt_key_version, envelope,"
        " raw, is_fact, has_waited, conflict_id, waits_for, effects, opposite)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = append_one(&q, stream_no, &rows[i]);
    ves_sql_close(&q);
    return status;
}

static enum ves_status check_sequences(struct ves_sqlite *st, uint64_t head,
                                       const struct ves_log_row *rows,
                                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t next = head + 1 + i;

        VES_ASSERT(rows[i].verdict < VES_SQLITE_VERDICTS);
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
    if (head + count <= VES_SQLITE_NO_MAX)
        return VES_OK;
    return ves_fail(&st->store.error, VES_LIMIT,
                    "This store holds streams of up to %llu events. Nothing "
                    "was changed.",
                    (unsigned long long)VES_SQLITE_NO_MAX);
}

enum ves_status ves_sqlite_log_append(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_log_row *rows,
                                      size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;
    uint64_t head;

    VES_ASSERT(st->tx != VES_TX_NONE);
    status = ves_sqlite_head(st, stream_no, &head);
    if (!status)
        status = check_sequences(st, head, rows, count);
    if (status || count == 0)
        return status;
    st->kept.stream_no = 0;
    if (count == 1)
        return append_all(st, stream_no, rows, count);
    status = ves_sql_call_begin(st);
    if (status)
        return status;
    return ves_sql_call_end(st, append_all(st, stream_no, rows, count));
}

/* ---- reading --------------------------------------------------------------
 */

enum ves_status ves_sqlite_log_row(struct ves_sql *q, struct ves_log_row *row)
{
    memset(row, 0, sizeof *row);
    row->sequence_number = ves_sqlite_rowid_no(ves_sql_i64(q));
    ves_sql_fixed(q, row->event_id.b, sizeof row->event_id.b);
    ves_sql_fixed(q, row->event_hash.b, sizeof row->event_hash.b);
    ves_sql_fixed(q, row->fingerprint.b, sizeof row->fingerprint.b);
    ves_sql_fixed(q, row->agent.b, sizeof row->agent.b);
    row->agent_key_id = ves_sql_u32(q);
    row->agent_seq = ves_sql_u64(q);
    row->has_command_id =
        ves_sql_fixed(q, row->command_id.b, sizeof row->command_id.b);
    ves_sql_fixed(q, row->entity_key.b, sizeof row->entity_key.b);
    row->entity_index = ves_sql_u64(q);
    row->entity_prev = ves_sql_u64(q);
    row->entity_jump = ves_sql_u64(q);
    ves_sql_word(q, ves_sqlite_verdicts, VES_SQLITE_VERDICTS, &row->verdict);
    row->applied_at = ves_sql_u64(q);
    row->version = ves_sql_u64(q);
    row->sub_code = ves_sql_bytes(q);
    row->note = ves_sql_bytes(q);
    row->sequenced_at_ms = ves_sql_i64(q);
    ves_sql_fixed(q, row->sequencer_id.b, sizeof row->sequencer_id.b);
    ves_sql_fixed(q, row->signature.b, sizeof row->signature.b);
    row->has_receipt = ves_sql_fixed(q, row->receipt.b, sizeof row->receipt.b);
    row->receipt_key_version = ves_sql_u32(q);
    row->envelope = ves_sql_bytes(q);
    row->raw = ves_sql_bytes(q);
    row->is_fact = ves_sql_bool(q);
    row->has_waited = ves_sql_bool(q);
    row->has_conflict_id =
        ves_sql_fixed(q, row->conflict_id.b, sizeof row->conflict_id.b);
    ves_sql_fixed(q, row->waits_for.b, sizeof row->waits_for.b);
    row->effects = ves_sql_bytes(q);
    row->opposite = ves_sql_bytes(q);
    return ves_sql_check(q);
}

enum ves_status ves_sqlite_log_read(struct ves_store *s, uint32_t stream_no,
                                    uint64_t from, uint32_t limit,
                                    ves_log_visitor *visit, void *ctx)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_LOG_READ,
                     "SELECT " VES_SQLITE_LOG_COLUMNS " FROM ves_events"
                     " WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, from));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, VES_SQLITE_NO_MAX));
    ves_sql_put_i64(&q, limit ? (int64_t)limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_log_row row;

        status = ves_sqlite_log_row(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

static enum ves_status read_link(struct ves_sqlite *st, uint32_t stream_no,
                                 uint64_t sequence, struct ves_link_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_LOG_LINKS,
                     "SELECT entity_key, entity_index, entity_prev,"
                     " entity_jump FROM ves_events WHERE id = ?");

    *row = (struct ves_link_row){0};
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, sequence));
    if (ves_sql_next(&q)) {
        row->sequence_number = sequence;
        ves_sql_fixed(&q, row->entity_key.b, sizeof row->entity_key.b);
        row->entity_index = ves_sql_u64(&q);
        row->entity_prev = ves_sql_u64(&q);
        row->entity_jump = ves_sql_u64(&q);
    }
    status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_log_links(struct ves_store *s, uint32_t stream_no,
                                     const uint64_t *sequences, size_t count,
                                     struct ves_link_row *rows)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; !status && i < count; i++)
        status = read_link(ves_sqlite_of(s), stream_no, sequences[i], &rows[i]);
    return status;
}

/* ---- changing -------------------------------------------------------------
 */

static enum ves_status judge_all(struct ves_sqlite *st, uint32_t stream_no,
                                 const struct ves_log_row *rows, size_t count)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_LOG_JUDGE,
                     "UPDATE ves_events SET verdict = ?, applied_at = ?,"
                     " version = ?, sub_code = ?, note = ?, is_fact = ?,"
                     " has_waited = ?, conflict_id = ?, waits_for = ?,"
                     " effects = ?, opposite = ? WHERE id = ?");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++) {
        ves_sql_put_word(&q, ves_sqlite_verdicts[rows[i].verdict]);
        ves_sql_put_u64(&q, rows[i].applied_at);
        ves_sql_put_u64(&q, rows[i].version);
        ves_sql_put_text(&q, rows[i].sub_code);
        ves_sql_put_text(&q, rows[i].note);
        put_judged(&q, &rows[i]);
        ves_sql_put_i64(&q,
                        ves_sqlite_rowid(stream_no, rows[i].sequence_number));
        status = ves_sql_run(&q);
    }
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_log_judge(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_log_row *rows,
                                     size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status;
    uint64_t head;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (count == 0)
        return VES_OK;
    status = ves_sqlite_head(st, stream_no, &head);
    if (status)
        return status;
    /* The log is dense: a number up to the head is there. */
    for (size_t i = 0; i < count; i++) {
        VES_ASSERT(rows[i].verdict < VES_SQLITE_VERDICTS);
        if (rows[i].sequence_number < 1 || rows[i].sequence_number > head)
            return ves_sqlite_missing(st, "event in its log");
    }
    return judge_all(st, stream_no, rows, count);
}

enum ves_status ves_sqlite_log_prune(struct ves_store *s, uint32_t stream_no,
                                     uint64_t below,
                                     const struct ves_hash *spared,
                                     size_t spared_count, uint64_t *count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE && spared_count <= 2);
    *count = 0;
    status = ves_sql_open(st, &q, VES_SQL_LOG_PRUNE,
                          "UPDATE ves_events SET envelope = '', raw = NULL"
                          " WHERE id > ? AND id < ? AND entity_key IS NOT ?"
                          " AND entity_key IS NOT ?"
                          " AND (envelope <> '' OR raw IS NOT NULL)");
    if (status)
        return status;
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, 0));
    ves_sql_put_i64(&q, ves_sqlite_rowid(stream_no, below));
    for (size_t i = 0; i < 2; i++)
        ves_sql_put_blob_if(&q, i < spared_count,
                            i < spared_count ? &spared[i] : NULL,
                            VES_HASH_SIZE);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status)
        *count = (uint64_t)sqlite3_changes(st->db);
    return status;
}
