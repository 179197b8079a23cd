/* store_sqlite_outbox.c -- writing and finding outbox rows in SQLite. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "store/store_sqlite_internal.h"

const char *const ves_sqlite_statuses[VES_OUTBOX_STATUSES] = {
    [VES_OUTBOX_PENDING] = "pending",
    [VES_OUTBOX_SYNCING] = "syncing",
    [VES_OUTBOX_SYNCED] = "synced",
    [VES_OUTBOX_FAILED] = "failed",
    [VES_OUTBOX_CONFLICT] = "conflict"};

const char *const ves_sqlite_error_classes[VES_SQLITE_ERROR_CLASSES] = {
    [VES_ERROR_NONE] = "none",           [VES_ERROR_OFFLINE] = "offline",
    [VES_ERROR_BUSY] = "busy",           [VES_ERROR_AUTH] = "auth",
    [VES_ERROR_FORBIDDEN] = "forbidden", [VES_ERROR_PROTOCOL] = "protocol",
    [VES_ERROR_REFUSED] = "refused"};

/* How many rows entered (or left) each status during a call.  The pending ones
 * are not counted: no row ever goes, so they are all but the others, and an
 * append, which adds one of them, has one page less to write. */
struct deltas {
    int64_t of[VES_OUTBOX_STATUSES];
};

/* ---- counts ---------------------------------------------------------------
 */

static bool is_nothing(const struct deltas *deltas)
{
    for (size_t i = 0; i < VES_OUTBOX_STATUSES; i++)
        if (i != VES_OUTBOX_PENDING && deltas->of[i] != 0)
            return false;
    return true;
}

static enum ves_status write_deltas(struct ves_sqlite *st,
                                    const struct deltas *deltas)
{
    struct ves_sql q;

    if (is_nothing(deltas))
        return VES_OK;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_OUTBOX_COUNT,
        "UPDATE ves_counts SET count = count + ? WHERE status = ?");

    if (status)
        return status;
    for (size_t i = 0; i < VES_OUTBOX_STATUSES && !status; i++) {
        if (deltas->of[i] == 0 || i == VES_OUTBOX_PENDING)
            continue;
        ves_sql_put_i64(&q, deltas->of[i]);
        ves_sql_put_word(&q, ves_sqlite_statuses[i]);
        status = ves_sql_run(&q);
    }
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_outbox_counts(struct ves_store *s,
                                         uint64_t counts[VES_OUTBOX_STATUSES])
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    memset(counts, 0, VES_OUTBOX_STATUSES * sizeof *counts);
    /* One statement, so that both are of the same moment. */
    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_OUTBOX_COUNTS,
            "SELECT status, count, (SELECT coalesce(max(local_seq), 0)"
            " FROM ves_outbox) FROM ves_counts");
    if (status)
        return status;
    uint64_t rows = 0, others = 0;

    while (!status && ves_sql_next(&q)) {
        uint32_t at;

        ves_sql_word(&q, ves_sqlite_statuses, VES_OUTBOX_STATUSES, &at);
        counts[at] = ves_sql_u64(&q);
        rows = ves_sql_u64(&q);
        others += counts[at];
        status = ves_sql_check(&q);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    if (!status && others > rows)
        return ves_fail(&s->error, VES_CORRUPT,
                        "The outbox counts more rows than it has. Nothing was "
                        "changed. Keep the file and restore a backup.");
    counts[VES_OUTBOX_PENDING] = rows - others;
    return status;
}

/* ---- appending ------------------------------------------------------------
 */

enum ves_status ves_sqlite_outbox_last(struct ves_sqlite *st, uint64_t *last)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(st, &q, VES_SQL_OUTBOX_LAST,
                     "SELECT coalesce(max(local_seq), 0) FROM ves_outbox");

    *last = 0;
    if (status)
        return status;
    status = ves_sql_row(&q);
    if (!status)
        *last = ves_sql_u64(&q);
    ves_sql_close(&q);
    return status;
}

/* The moving members, in the order in which the
 * statements name them. */
static void put_moving(struct ves_sql *q, const struct ves_outbox_row *row)
{
    VES_ASSERT(row->status < VES_OUTBOX_STATUSES);
    VES_ASSERT(row->error_class < VES_SQLITE_ERROR_CLASSES);
    VES_ASSERT(!row->has_verdict || row->verdict < VES_SQLITE_VERDICTS);
    ves_sql_put_word(q, ves_sqlite_statuses[row->status]);
    ves_sql_put_u64(q, row->claim);
    ves_sql_put_i64(q, row->attempts);
    ves_sql_put_i64(q, row->next_attempt_ms);
    ves_sql_put_word(q, ves_sqlite_error_classes[row->error_class]);
    ves_sql_put_text(q, row->error);
    ves_sql_put_blob_if(q, row->is_refused, row->refusal_signature.b,
                        sizeof row->refusal_signature.b);
    ves_sql_put_i64(q, row->is_refused);
    ves_sql_put_u64(q, row->sequence_number);
    ves_sql_put_uuid_or_null(q, &row->sequencer_id);
    ves_sql_put_i64(q, row->sequenced_at_ms);
    ves_sql_put_blob_if(q, row->has_receipt, row->receipt.b,
                        sizeof row->receipt.b);
    ves_sql_put_i64(q, row->has_receipt ? row->receipt_key_version : 0);
    if (row->has_verdict)
        ves_sql_put_word(q, ves_sqlite_verdicts[row->verdict]);
    else
        ves_sql_put_null(q);
    ves_sql_put_text(q, row->disposition);
    ves_sql_put_i64(q, row->pushed_ms);
    ves_sql_put_i64(q, row->synced_ms);
    ves_sql_put_i64(q, row->is_in_overlay);
    ves_sql_put_i64(q, row->is_likely_conflict);
}

static enum ves_status append_one(struct ves_sql *q,
                                  const struct ves_outbox_row *row)
{
    ves_sql_put_null(q); /* local_seq, given by SQLite */
    ves_sql_put_uuid(q, &row->event_id);
    ves_sql_put_hash(q, &row->event_hash);
    ves_sql_put_u64(q, row->agent_seq);
    ves_sql_put_hash(q, &row->entity_key);
    ves_sql_put_text(q, row->entity_type);
    ves_sql_put_text(q, row->entity_id);
    ves_sql_put_text(q, row->event_type);
    ves_sql_put_text(q, row->created_at);
    ves_sql_put_i64(q, row->created_ms);
    ves_sql_put_blob_if(q, row->has_command_id, row->command_id.b,
                        sizeof row->command_id.b);
    ves_sql_put_i64(q, row->cmd_index);
    ves_sql_put_i64(q, row->cmd_count);
    put_moving(q, row);
    ves_sql_put_text(q, row->envelope);
    ves_sql_put_u64(q, row->entity_prev);
    return ves_sql_run_row(q);
}

static enum ves_status append_all(struct ves_sqlite *st,
                                  struct ves_outbox_row *rows, size_t count)
{
    struct deltas deltas = {{0}};
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        st, &q, VES_SQL_OUTBOX_APPEND,
        "INSERT INTO ves_outbox (" VES_SQLITE_OUTBOX_COLUMNS ") VALUES"
        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++) {
        status = append_one(&q, &rows[i]);
        /* SQLite's next rowid is the last one plus one: no row ever goes. */
        rows[i].local_seq = (uint64_t)sqlite3_last_insert_rowid(st->db);
        deltas.of[rows[i].status]++;
    }
    ves_sql_close(&q);
    return status ? status : write_deltas(st, &deltas);
}

enum ves_status ves_sqlite_outbox_append(struct ves_store *s,
                                         struct ves_outbox_row *rows,
                                         size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (status || count == 0)
        return status;
    if (count == 1) {
        status = append_all(st, rows, count);
    } else {
        status = ves_sql_call_begin(st);
        if (!status)
            status = ves_sql_call_end(st, append_all(st, rows, count));
    }
    if (!status)
        st->sync.local_seq = rows[count - 1].local_seq;
    return status;
}

/* ---- reading --------------------------------------------------------------
 */

enum ves_status ves_sqlite_outbox_read(struct ves_sql *q,
                                       struct ves_outbox_row *row)
{
    uint32_t status;

    memset(row, 0, sizeof *row);
    row->local_seq = ves_sql_u64(q);
    ves_sql_fixed(q, row->event_id.b, sizeof row->event_id.b);
    ves_sql_fixed(q, row->event_hash.b, sizeof row->event_hash.b);
    row->agent_seq = ves_sql_u64(q);
    ves_sql_fixed(q, row->entity_key.b, sizeof row->entity_key.b);
    row->entity_type = ves_sql_bytes(q);
    row->entity_id = ves_sql_bytes(q);
    row->event_type = ves_sql_bytes(q);
    row->created_at = ves_sql_bytes(q);
    row->created_ms = ves_sql_i64(q);
    row->has_command_id =
        ves_sql_fixed(q, row->command_id.b, sizeof row->command_id.b);
    row->cmd_index = ves_sql_u32(q);
    row->cmd_count = ves_sql_u32(q);
    ves_sql_word(q, ves_sqlite_statuses, VES_OUTBOX_STATUSES, &status);
    row->status = (enum ves_outbox_status)status;
    row->claim = ves_sql_u64(q);
    row->attempts = ves_sql_u32(q);
    row->next_attempt_ms = ves_sql_i64(q);
    ves_sql_word(q, ves_sqlite_error_classes, VES_SQLITE_ERROR_CLASSES,
                 &row->error_class);
    row->error = ves_sql_bytes(q);
    ves_sql_fixed(q, row->refusal_signature.b, sizeof row->refusal_signature.b);
    row->is_refused = ves_sql_bool(q);
    row->sequence_number = ves_sql_u64(q);
    ves_sql_fixed(q, row->sequencer_id.b, sizeof row->sequencer_id.b);
    row->sequenced_at_ms = ves_sql_i64(q);
    row->has_receipt = ves_sql_fixed(q, row->receipt.b, sizeof row->receipt.b);
    row->receipt_key_version = ves_sql_u32(q);
    row->has_verdict = ves_sql_word(q, ves_sqlite_verdicts, VES_SQLITE_VERDICTS,
                                    &row->verdict);
    row->disposition = ves_sql_bytes(q);
    row->pushed_ms = ves_sql_i64(q);
    row->synced_ms = ves_sql_i64(q);
    row->is_in_overlay = ves_sql_bool(q);
    row->is_likely_conflict = ves_sql_bool(q);
    row->envelope = ves_sql_bytes(q);
    row->entity_prev = ves_sql_u64(q);
    return ves_sql_check(q);
}

static enum ves_status keep_views(struct ves_outbox_row *row,
                                  struct ves_arena *arena)
{
    struct ves_bytes *views[] = {&row->entity_type, &row->entity_id,
                                 &row->event_type,  &row->created_at,
                                 &row->error,       &row->disposition,
                                 &row->envelope};

    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        enum ves_status status = ves_arena_copy(arena, *views[i], views[i]);

        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status get_one(struct ves_sql *q, const struct ves_uuid *id,
                               struct ves_arena *arena,
                               struct ves_outbox_row *row)
{
    enum ves_status status;

    memset(row, 0, sizeof *row);
    q->param = 0;
    ves_sql_put_uuid(q, id);
    status = ves_sql_row(q);
    if (!status)
        status = ves_sqlite_outbox_read(q, row);
    if (!status)
        status = keep_views(row, arena);
    sqlite3_reset(q->stmt);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_sqlite_outbox_get(struct ves_store *s,
                                      const struct ves_uuid *ids, size_t count,
                                      struct ves_arena *arena,
                                      struct ves_outbox_row *rows)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_OUTBOX_GET,
                              "SELECT " VES_SQLITE_OUTBOX_COLUMNS
                              " FROM ves_outbox WHERE event_id = ?");
    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++)
        status = get_one(&q, &ids[i], arena, &rows[i]);
    ves_sql_close(&q);
    return status;
}

/* ---- changing -------------------------------------------------------------
 */

/* The row is about to be written, so its page is wanted anyway. */
static enum ves_status old_status(struct ves_sql *q, uint64_t local_seq,
                                  uint32_t *out)
{
    enum ves_status status;

    q->param = 0;
    ves_sql_put_u64(q, local_seq);
    status = ves_sql_row(q);
    if (!status) {
        ves_sql_word(q, ves_sqlite_statuses, VES_OUTBOX_STATUSES, out);
        status = ves_sql_check(q);
    }
    sqlite3_reset(q->stmt);
    return status;
}

static enum ves_status update_all(struct ves_sql *find, struct ves_sql *update,
                                  const struct ves_outbox_row *rows,
                                  size_t count, struct deltas *deltas)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t old;
        enum ves_status status = old_status(find, rows[i].local_seq, &old);

        if (!status) {
            put_moving(update, &rows[i]);
            ves_sql_put_u64(update, rows[i].local_seq);
            status = ves_sql_run(update);
        }
        if (status)
            return status;
        deltas->of[old]--;
        deltas->of[rows[i].status]++;
    }
    return VES_OK;
}

static enum ves_status update_rows(struct ves_sqlite *st,
                                   const struct ves_outbox_row *rows,
                                   size_t count, struct deltas *deltas)
{
    struct ves_sql find, update;
    enum ves_status status =
        ves_sql_open(st, &find, VES_SQL_OUTBOX_STATUS,
                     "SELECT status FROM ves_outbox WHERE local_seq = ?");

    if (status)
        return status;
    status = ves_sql_open(
        st, &update, VES_SQL_OUTBOX_UPDATE,
        "UPDATE ves_outbox SET status = ?, claim = ?, attempts = ?,"
        " next_attempt_ms = ?, error_class = ?, error = ?,"
        " refusal_signature = ?, is_refused = ?, sequence_number = ?,"
        " sequencer_id = ?, sequenced_at_ms = ?, receipt = ?,"
        " receipt_key_version = ?, verdict = ?, disposition = ?,"
        " pushed_ms = ?, synced_ms = ?, is_in_overlay = ?,"
        " is_likely_conflict = ?"
        " WHERE local_seq = ?");
    if (!status) {
        status = update_all(&find, &update, rows, count, deltas);
        ves_sql_close(&update);
    }
    ves_sql_close(&find);
    return status;
}

enum ves_status ves_sqlite_outbox_update(struct ves_store *s,
                                         const struct ves_outbox_row *rows,
                                         size_t count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct deltas deltas = {{0}};
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);
    uint64_t last;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sqlite_outbox_last(st, &last);
    if (status)
        return status;
    /* The outbox is dense: a number up to the last is there. */
    for (size_t i = 0; i < count; i++)
        if (rows[i].local_seq < 1 || rows[i].local_seq > last)
            return ves_sqlite_missing(st, "outbox row");
    status = update_rows(st, rows, count, &deltas);
    return status ? status : write_deltas(st, &deltas);
}

enum ves_status ves_sqlite_outbox_resign(struct ves_store *s,
                                         const struct ves_outbox_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_OUTBOX_RESIGN,
                              "UPDATE ves_outbox SET event_hash = ?,"
                              " agent_seq = ?, envelope = ?"
                              " WHERE local_seq = ?");
    if (status)
        return status;
    ves_sql_put_hash(&q, &row->event_hash);
    ves_sql_put_u64(&q, row->agent_seq);
    ves_sql_put_text(&q, row->envelope);
    ves_sql_put_u64(&q, row->local_seq);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status && sqlite3_changes(st->db) != 1)
        return ves_sqlite_missing(st, "outbox row");
    return status;
}

enum ves_status ves_sqlite_outbox_prune(struct ves_store *s, int64_t before_ms,
                                        uint64_t *count)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);

    VES_ASSERT(st->tx != VES_TX_NONE);
    *count = 0;
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_OUTBOX_PRUNE,
                              "UPDATE ves_outbox SET envelope = ''"
                              " WHERE status = 'synced' AND synced_ms < ?"
                              " AND NOT is_in_overlay AND envelope <> ''");
    if (status)
        return status;
    ves_sql_put_i64(&q, before_ms);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    if (!status)
        *count = (uint64_t)sqlite3_changes(st->db);
    return status;
}
