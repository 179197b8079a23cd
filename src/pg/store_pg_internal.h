/* store_pg_internal.h -- what the files of the PostgreSQL store share.
 *
 * Invariants:
 *  1. At most VES_PG_QUEUE_MAX statements are on their way unanswered, each
 *     with an answer of some bytes, so that neither side can block the other.
 *  2. A call that fails with VES_CONFLICT, VES_NOT_FOUND, VES_INVALID or
 *     VES_LIMIT has changed nothing: what could meet a taken id looks in the
 *     statement that writes.  There is one writer, so nobody comes between.
 *  3. After any error of the server inside a transaction is_failed is set and
 *     commit rolls back instead.
 *  4. Parameters and columns are used in the order in which the SQL names
 *     them.  Everything is binary: numbers are int8, ids uuid, other bytes
 *     bytea, words text.
 */
#ifndef VES_PG_STORE_PG_INTERNAL_H
#define VES_PG_STORE_PG_INTERNAL_H

#include "base/buf.h"
#include "base/bytes.h"
#include "pg/pq.h"
#include "pg/store_pg.h"

/* One prepared statement a connection each. */
enum ves_pg_id {
    VES_PG_LOCK_STREAMS,
    VES_PG_EXPECT,
    VES_PG_EXPECT_STREAMS,
    VES_PG_MARK,
    VES_PG_MARK_GET,
    VES_PG_META_GET,
    VES_PG_META_PUT,
    VES_PG_STREAM_GET,
    VES_PG_STREAM_ADD,
    VES_PG_STREAM_PUT,
    VES_PG_STREAM_LIST,
    VES_PG_LOG_HEAD,
    VES_PG_LOG_FIND_IDS,
    VES_PG_LOG_FIND_COMMANDS,
    VES_PG_LOG_APPEND,
    VES_PG_LOG_APPEND_NEW,
    VES_PG_LOG_READ,
    VES_PG_LOG_JUDGE,
    VES_PG_LOG_PRUNE,
    VES_PG_LOG_LEAVES,
    VES_PG_LOG_LINKS,
    VES_PG_LOG_MATCH,
    VES_PG_LOG_LATE,
    VES_PG_WAITING_ALL,
    VES_PG_WAITING_FOR,
    VES_PG_WAITING_RESET,
    VES_PG_LATE_RESET,
    VES_PG_CONFLICT_GET,
    VES_PG_CONFLICT_PUT,
    VES_PG_CONFLICT_LIST, /* by open_only, then by is_descending */
    VES_PG_CONFLICT_LIST_END = VES_PG_CONFLICT_LIST + 3,
    VES_PG_CONFLICT_COUNTS,
    VES_PG_CONFLICT_RESET,
    VES_PG_MEMBER_ADD,
    VES_PG_MEMBER_LIST,
    VES_PG_MEMBER_FIND,
    VES_PG_MEMBER_RESET,
    VES_PG_ENTITY_GET,
    VES_PG_ENTITY_PUT,
    VES_PG_ENTITY_SCAN,
    VES_PG_ENTITY_RESET,
    VES_PG_RECORD_APPEND,
    VES_PG_RECORD_LIST,
    VES_PG_RECORD_LIST_DOWN,
    VES_PG_RECORD_CLOSE,
    VES_PG_RECORD_LAST,
    VES_PG_RECORD_OPEN,
    VES_PG_KEY_GET,
    VES_PG_KEY_FIND,
    VES_PG_KEY_PUT,
    VES_PG_KEY_SPAN_GET,
    VES_PG_KEY_SPAN_PUT,
    VES_PG_KEY_LIST,
    VES_PG_KEY_LIST_AGENT,
    VES_PG_AGENT_POLICY_GET,
    VES_PG_AGENT_POLICY_PUT,
    VES_PG_AGENT_POLICY_LIST,
    VES_PG_COMMITMENT_PUT,
    VES_PG_COMMITMENT_GET,
    VES_PG_COMMITMENT_COVERING,
    VES_PG_COMMITMENT_LIST,
    VES_PG_TLOG_GET,
    VES_PG_TLOG_FIND,
    VES_PG_TLOG_LAST,
    VES_PG_TLOG_EDGE,
    VES_PG_TLOG_SIGN,
    VES_PG_TLOG_SIZE,
    VES_PG_TLOG_FREEZE,
    VES_PG_COSIGNED_GET,
    VES_PG_COSIGNED_PUT,
    VES_PG_TILE_READ,
    VES_PG_TILE_PUT,
    VES_PG_CURSOR_GET,
    VES_PG_CURSOR_PUT,
    VES_PG_CREDENTIAL_GET,
    VES_PG_CREDENTIAL_PUT,
    VES_PG_CREDENTIAL_LIST,
    VES_PG_CREDENTIAL_MARK,
    VES_PG_INVITATION_GET,
    VES_PG_INVITATION_PUT,
    VES_PG_NOTIFY,
    VES_PG_OTHERS,
    VES_PG_SERVING,
    VES_PG_PLAIN,
    VES_PG_IDS
};

enum {
    VES_PG_COUNTED = VES_PG_IDS + 1,
    VES_PG_ENDS,
    VES_PG_PARAMS_MAX = 32,
    VES_PG_QUEUE_MAX = 64,
    VES_PG_KNOWN_MAX = 16,
    /* What one round trip of a scan may bring: rows of the first, then so many
     * that they are of about this many bytes together. */
    VES_PG_PAGE_ROWS = 32,
    VES_PG_PAGE_ROWS_MAX = 2048,
    VES_PG_PAGE_BYTES = 2 * 1024 * 1024
};

/* What our connections are called. */
#define VES_PG_APPLICATION "ves"

/* PostgreSQL's own limit of one value is 1 GiB. */
#define VES_PG_VALUE_MAX ((size_t)1 << 29)

struct ves_pg {
    struct ves_store store; /* first: the operations are given its address */
    const struct ves_alloc *alloc;
    char *url;
    bool is_read_only;
    int busy_timeout_ms;
    int outcome_ms;
    int answer_ms;
    PGconn *conn;    /* NULL: not connected */
    bool is_in;      /* between begin and commit or rollback */
    bool is_open;    /* ... and the server has a transaction open */
    bool is_reading; /* begin_read */
    bool is_failed;  /* the open transaction cannot be committed */
    bool is_partial; /* it has some streams only (begin_streams) */
    /* What that one knows of them since it began: a row each of the stream
     * and its log; NULL once anything was written. */
    PGresult *streams;
    PGresult *ends; /* of the tree of that stream */
    uint32_t ends_of;
    /* Event ids that this transaction, which has the stream's row, has found
     * not to be in that stream; appending some of them in that order needs no
     * second look, nor an answer before the next question. */
    struct ves_buf absent;
    uint32_t absent_of;
    uint64_t changed; /* rows of the last statement that was to be counted */
    /* Answers that were not read yet, by what was prepared; VES_PG_IDS:
     * nothing was; VES_PG_COUNTED: how many rows it wrote is wanted;
     * VES_PG_ENDS: it is the next `ends`. */
    uint8_t queue[VES_PG_QUEUE_MAX];
    unsigned queued;
    bool is_silent;    /* no answer came in time; the connection is to go */
    bool has_warning;  /* the server has said more than was asked */
    bool is_listening; /* this connection is told of other processes' news */
    bool is_prepared[VES_PG_IDS];
    uint64_t round_trips;
    /* The row that says which of our commits the database has; none before
     * there are tables. */
    struct ves_uuid writer;
    bool has_writer;
    uint64_t commit_no;    /* of the last transaction that was marked */
    bool is_outcome_asked; /* nobody knows yet how that one ended */
    /* Streams that this transaction knows to be there. */
    uint32_t known[VES_PG_KNOWN_MAX];
    size_t known_count;
    const char *expected_name; /* NULL: nothing is expected */
    struct ves_buf expected;
    struct ves_buf params[VES_PG_PARAMS_MAX]; /* of the call being built */
};

static inline struct ves_pg *ves_pg_of(struct ves_store *s)
{
    return (struct ves_pg *)s;
}

/* ---- one statement in use (store_pg_call.c) -------------------------------
 */

struct ves_pg_call {
    struct ves_pg *st;
    enum ves_pg_id id;
    const char *text;
    const char *types; /* a letter a parameter: i int8, u uuid, b bytea, t
                          boolean, w text; capitals: arrays of them */
    size_t param, first_array, params;
    bool is_null[VES_PG_PARAMS_MAX];
    PGresult *result; /* NULL before _ask */
    int row, column;
    enum ves_status status; /* first failure, sticky */
    bool is_counted;        /* for st->changed */
    bool is_ends;           /* for st->ends */
    bool is_borrowed;       /* the result is the store's */
};

/* Begins to build a call.  Between _open and _send or _ask no other may be
 * built on the same store. */
void ves_pg_open(struct ves_pg *st, struct ves_pg_call *q, enum ves_pg_id id,
                 const char *types, const char *text);

/* The next parameter; scalars stand before arrays.  Of arrays each _put adds
 * an element, the arrays by turns. */
void ves_pg_put_i64(struct ves_pg_call *q, int64_t value);
void ves_pg_put_u64(struct ves_pg_call *q, uint64_t value);
void ves_pg_put_bool(struct ves_pg_call *q, bool value);
void ves_pg_put_bytes(struct ves_pg_call *q, struct ves_bytes bytes);
void ves_pg_put_word(struct ves_pg_call *q, const char *word);
void ves_pg_put_blob(struct ves_pg_call *q, const void *ptr, size_t len);
/* NULL unless is_there. */
void ves_pg_put_blob_if(struct ves_pg_call *q, bool is_there, const void *ptr,
                        size_t len);
void ves_pg_put_hash(struct ves_pg_call *q, const struct ves_hash *hash);
void ves_pg_put_uuid_if(struct ves_pg_call *q, bool is_there,
                        const struct ves_uuid *uuid);
/* Zeros become NULL. */
void ves_pg_put_hash_or_null(struct ves_pg_call *q,
                             const struct ves_hash *hash);
void ves_pg_put_uuid(struct ves_pg_call *q, const struct ves_uuid *uuid);
void ves_pg_put_uuid_or_null(struct ves_pg_call *q,
                             const struct ves_uuid *uuid);

/* Sends the call of a transaction and does not wait: what fails is told by
 * whatever waits next.  Nothing is held afterwards. */
VES_NODISCARD enum ves_status ves_pg_send(struct ves_pg_call *q);
/* Sends, waits, keeps the rows until _close.  Connects first when nothing is
 * open, and once more when that connection turns out to be dead. */
VES_NODISCARD enum ves_status ves_pg_ask(struct ves_pg_call *q);
/* The same for a statement without rows; *changed (may be NULL): how many rows
 * it wrote.  Nothing is held afterwards. */
VES_NODISCARD enum ves_status ves_pg_run(struct ves_pg_call *q,
                                         uint64_t *changed);
void ves_pg_close(struct ves_pg_call *q);

/* Turns to the next row; false at the end. */
bool ves_pg_next(struct ves_pg_call *q);
/* _ask and the first row; VES_NOT_FOUND (nothing held) when there is none. */
VES_NODISCARD enum ves_status ves_pg_ask_row(struct ves_pg_call *q);
/* The same of a row that is one number, and _close; *value stays as it is when
 * there is none. */
VES_NODISCARD enum ves_status ves_pg_ask_u64(struct ves_pg_call *q,
                                             uint64_t *value);

/* The next column.  What does not fit the schema sets status to VES_CORRUPT
 * (see _check).  Views live until _close. */
int64_t ves_pg_i64(struct ves_pg_call *q);
uint64_t ves_pg_u64(struct ves_pg_call *q);
uint32_t ves_pg_u32(struct ves_pg_call *q);
bool ves_pg_bool(struct ves_pg_call *q);
struct ves_bytes ves_pg_bytes(struct ves_pg_call *q); /* NULL reads as "" */
/* Exactly len bytes into out; false and zeros when the column is NULL. */
bool ves_pg_fixed(struct ves_pg_call *q, void *out, size_t len);
/* Index of the column's word in words; false and 0 when it is NULL. */
bool ves_pg_word(struct ves_pg_call *q, const char *const *words, size_t count,
                 uint32_t *out);
/* VES_OK, or the first failure of reading. */
VES_NODISCARD enum ves_status ves_pg_check(struct ves_pg_call *q);

/* How far a scan is: rows in pages, each a call of its own. */
struct ves_pg_scan {
    uint64_t left;    /* rows still wanted */
    uint64_t rows;    /* asked for in this page */
    uint64_t bytes;   /* of this page so far */
    uint64_t got;     /* rows of this page so far */
    bool is_own_read; /* a snapshot that the scan itself opened */
};
/* limit 0: no limit.  Sees one moment, also over several pages. */
VES_NODISCARD enum ves_status
ves_pg_scan_begin(struct ves_pg *st, struct ves_pg_scan *scan, uint32_t limit);
/* After a page was visited: is there another one to ask for? */
bool ves_pg_scan_more(struct ves_pg_scan *scan);
void ves_pg_scan_end(struct ves_pg *st, struct ves_pg_scan *scan);

/* ---- the connection (store_pg_connect.c) ----------------------------------
 */

/* Connects and sets up the session; VES_OK when it is there already. */
VES_NODISCARD enum ves_status ves_pg_connect(struct ves_pg *st);
/* Forgets the connection and all that hung on it. */
void ves_pg_drop(struct ves_pg *st);
/* Queues a statement without parameters that is not kept prepared. */
VES_NODISCARD enum ves_status ves_pg_queue(struct ves_pg *st, const char *text);
/* Waits for all that is on its way; *last (may be NULL) is the answer to the
 * last of them, given back with PQclear. */
VES_NODISCARD enum ves_status ves_pg_settle(struct ves_pg *st, PGresult **last);
/* The connection is of no use any more: drops it; VES_IO with words. */
enum ves_status ves_pg_lost(struct ves_pg *st);
/* Writes words about an answer that says no into the store's error. */
enum ves_status ves_pg_fail(struct ves_pg *st, const PGresult *result);
/* Says what was not there; returns VES_NOT_FOUND. */
enum ves_status ves_pg_missing(struct ves_pg *st, const char *what);

/* The version of the tables that this program works with. */
enum { VES_PG_SCHEMA = 2 };

/* Brings the tables up to date (store_pg_schema.c). */
VES_NODISCARD enum ves_status ves_pg_migrate(struct ves_pg *st,
                                             bool can_create);

/* The number by which every writer locks the database. */
#define VES_PG_LOCK_NO "5639425"
/* Shared by every process that serves, to be counted. */
#define VES_PG_SERVING_NO "5639426"

/* The question where the tree of a stream ends (store_pg_tlog.c). */
void ves_pg_open_ends(struct ves_pg *st, struct ves_pg_call *q,
                      uint32_t stream_no);

/* store_pg_transaction.c */
enum ves_status ves_pg_begin(struct ves_store *s);
enum ves_status ves_pg_begin_streams(struct ves_store *s,
                                     const struct ves_stream *streams,
                                     size_t count);
/* Turns q, which is not open yet, to what begin_streams has read of a stream:
 * its columns (VES_PG_STREAM_COLUMNS), then those of its log (VES_PG_TLOG_
 * COLUMNS), all NULL when there is none yet.  false: nothing is known, ask. */
bool ves_pg_recall(struct ves_pg *st, struct ves_pg_call *q,
                   const struct ves_stream *stream, uint32_t stream_no);
/* What was read when the transaction began is not so any more. */
void ves_pg_forget(struct ves_pg *st);
enum ves_status ves_pg_commit(struct ves_store *s);
void ves_pg_rollback(struct ves_store *s);
enum ves_status ves_pg_begin_read(struct ves_store *s);
void ves_pg_end_read(struct ves_store *s);

/* Is it known in this transaction that the stream is there? */
bool ves_pg_knows(const struct ves_pg *st, uint32_t stream_no);
void ves_pg_know(struct ves_pg *st, uint32_t stream_no);

enum { VES_PG_VERDICTS = 5 };
extern const char *const ves_pg_verdicts[VES_PG_VERDICTS];

/* The columns of a stream s in the order of ves_pg_stream_read. */
#define VES_PG_STREAM_COLUMNS                                       \
    "s.stream_no, s.tenant, s.store, s.owner_key, s.committed_end," \
    " s.state_root, s.head"
#define VES_PG_TLOG_COLUMNS                            \
    "stream_id, edge, signed_size, signed_root, note," \
    " signed_at_ms, frozen_at_ms, frozen_why"
VES_NODISCARD enum ves_status ves_pg_stream_read(struct ves_pg_call *q,
                                                 struct ves_stream_row *row);

/* ---- the operations, by file ----------------------------------------------
 */

enum ves_status ves_pg_meta_get(struct ves_store *s, const char *name,
                                struct ves_arena *arena,
                                struct ves_bytes *value);
enum ves_status ves_pg_meta_put(struct ves_store *s, const char *name,
                                struct ves_bytes value);
enum ves_status ves_pg_stream_get(struct ves_store *s,
                                  const struct ves_stream *stream, bool create,
                                  struct ves_stream_row *row);
enum ves_status ves_pg_stream_put(struct ves_store *s,
                                  const struct ves_stream_row *row);
enum ves_status ves_pg_stream_list(struct ves_store *s,
                                   ves_stream_visitor *visit, void *ctx);
enum ves_status ves_pg_log_head(struct ves_store *s, uint32_t stream_no,
                                uint64_t *head);
enum ves_status ves_pg_log_find_ids(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *ids, size_t count,
                                    struct ves_id_row *rows);
enum ves_status ves_pg_log_find_commands(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_uuid *ids,
                                         size_t count, struct ves_id_row *rows);
enum ves_status ves_pg_log_append(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count);
enum ves_status ves_pg_log_read(struct ves_store *s, uint32_t stream_no,
                                uint64_t from, uint32_t limit,
                                ves_log_visitor *visit, void *ctx);
enum ves_status ves_pg_log_judge(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_row *rows, size_t count);
enum ves_status ves_pg_log_prune(struct ves_store *s, uint32_t stream_no,
                                 uint64_t below, const struct ves_hash *spared,
                                 size_t spared_count, uint64_t *count);
enum ves_status ves_pg_waiting_list(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *waits_for,
                                    uint32_t limit, ves_waiting_visitor *visit,
                                    void *ctx);
enum ves_status ves_pg_log_find_late(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *entity_key,
                                     uint64_t version, uint64_t *sequence);
enum ves_status ves_pg_conflict_get(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *ids, size_t count,
                                    struct ves_arena *arena,
                                    struct ves_conflict_row *rows);
enum ves_status ves_pg_conflict_put(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_conflict_row *rows,
                                    size_t count);
enum ves_status ves_pg_conflict_list(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_conflict_filter *filter,
                                     ves_conflict_visitor *visit, void *ctx);
enum ves_status ves_pg_conflict_counts(struct ves_store *s, uint32_t stream_no,
                                       uint64_t counts[VES_CONFLICT_KINDS]);
enum ves_status ves_pg_member_add(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_conflict_member *members,
                                  size_t count);
enum ves_status ves_pg_member_list(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *conflict_id,
                                   ves_member_visitor *visit, void *ctx);
enum ves_status ves_pg_member_find(struct ves_store *s, uint32_t stream_no,
                                   uint64_t sequence, ves_member_visitor *visit,
                                   void *ctx);
enum ves_status ves_pg_verdict_reset(struct ves_store *s, uint32_t stream_no);
enum ves_status ves_pg_entity_get(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_name *names,
                                  size_t count, struct ves_arena *arena,
                                  struct ves_entity_row *rows);
enum ves_status ves_pg_entity_put(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_row *rows,
                                  size_t count);
enum ves_status ves_pg_entity_scan(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *from, uint32_t limit,
                                   struct ves_bytes entity_type,
                                   ves_entity_visitor *visit, void *ctx);
enum ves_status ves_pg_entity_reset(struct ves_store *s, uint32_t stream_no);
enum ves_status ves_pg_record_append(struct ves_store *s,
                                     enum ves_record_kind kind,
                                     uint32_t stream_no,
                                     const struct ves_record *rows,
                                     size_t count);
enum ves_status ves_pg_record_list(struct ves_store *s,
                                   enum ves_record_kind kind,
                                   uint32_t stream_no, uint64_t from,
                                   bool is_descending, uint32_t limit,
                                   ves_record_visitor *visit, void *ctx);
enum ves_status ves_pg_record_close(struct ves_store *s,
                                    enum ves_record_kind kind,
                                    uint32_t stream_no, uint64_t no,
                                    int64_t closed_ms);
enum ves_status ves_pg_record_count_open(struct ves_store *s,
                                         enum ves_record_kind kind,
                                         uint32_t stream_no, uint64_t *count);
enum ves_status ves_pg_key_get(struct ves_store *s,
                               const struct ves_uuid *tenant,
                               const struct ves_uuid *agent, uint32_t key_id,
                               struct ves_arena *arena,
                               struct ves_key_row *row);
enum ves_status ves_pg_key_find(struct ves_store *s, uint32_t stream_no,
                                const struct ves_uuid *tenant,
                                const struct ves_key_name *names, size_t count,
                                struct ves_arena *arena,
                                struct ves_key_found *found);
enum ves_status ves_pg_key_put(struct ves_store *s,
                               const struct ves_key_row *row);
enum ves_status ves_pg_key_span_get(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id, struct ves_key_span *span);
enum ves_status ves_pg_key_span_put(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id,
                                    const struct ves_key_span *span);
enum ves_status ves_pg_key_list(struct ves_store *s,
                                const struct ves_uuid *tenant,
                                const struct ves_uuid *agent,
                                uint32_t stream_no, ves_key_visitor *visit,
                                void *ctx);
enum ves_status ves_pg_commitment_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_commitment_row *row);
enum ves_status ves_pg_commitment_get(struct ves_store *s,
                                      const struct ves_uuid *batch_id,
                                      uint32_t *stream_no,
                                      struct ves_commitment_row *row);
enum ves_status ves_pg_commitment_covering(struct ves_store *s,
                                           uint32_t stream_no,
                                           uint64_t sequence,
                                           struct ves_commitment_row *row);
enum ves_status ves_pg_commitment_list(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, uint32_t limit,
                                       ves_commitment_visitor *visit,
                                       void *ctx);
enum ves_status ves_pg_log_links(struct ves_store *s, uint32_t stream_no,
                                 const uint64_t *sequences, size_t count,
                                 struct ves_link_row *rows);
enum ves_status ves_pg_log_leaves(struct ves_store *s, uint32_t stream_no,
                                  uint64_t from, size_t count,
                                  struct ves_leaf_row *rows, size_t *found);
enum ves_status ves_pg_log_match(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_match *match,
                                 uint64_t *sequences, size_t max,
                                 size_t *found);
enum ves_status ves_pg_tlog_get(struct ves_store *s, uint32_t stream_no,
                                struct ves_arena *arena,
                                struct ves_tlog_row *row);
enum ves_status ves_pg_tlog_find(struct ves_store *s,
                                 const struct ves_hash *stream_id,
                                 struct ves_stream_row *row);
enum ves_status ves_pg_tlog_append(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *stream_id,
                                   struct ves_bytes edge,
                                   const struct ves_tile_hash *hashes,
                                   size_t count);
enum ves_status ves_pg_tlog_sign(struct ves_store *s, uint32_t stream_no,
                                 uint64_t expected_size,
                                 const struct ves_head_row *head);
enum ves_status ves_pg_tlog_freeze(struct ves_store *s, uint32_t stream_no,
                                   int64_t at_ms, struct ves_bytes why);
enum ves_status ves_pg_cosigned_get(struct ves_store *s, uint32_t stream_no,
                                    struct ves_arena *arena,
                                    struct ves_bytes *notes);
enum ves_status ves_pg_cosigned_put(struct ves_store *s, uint32_t stream_no,
                                    struct ves_bytes notes);
enum ves_status ves_pg_tile_read(struct ves_store *s, uint32_t stream_no,
                                 uint32_t level, uint64_t index,
                                 struct ves_hash *hashes, size_t *count);
enum ves_status ves_pg_cursor_get(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t *sequence, int64_t *updated_ms);
enum ves_status ves_pg_cursor_put(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t sequence, int64_t updated_ms);
enum ves_status ves_pg_agent_policy_get(struct ves_store *s,
                                        const struct ves_uuid *tenant,
                                        const struct ves_uuid *agent,
                                        struct ves_arena *arena,
                                        struct ves_agent_policy_row *row);
enum ves_status ves_pg_agent_policy_put(struct ves_store *s,
                                        const struct ves_agent_policy_row *row);
enum ves_status ves_pg_agent_policy_list(struct ves_store *s,
                                         ves_agent_policy_visitor *visit,
                                         void *ctx);
enum ves_status ves_pg_credential_get(struct ves_store *s,
                                      const struct ves_hash *key_hash,
                                      struct ves_arena *arena,
                                      struct ves_credential_row *row);
enum ves_status ves_pg_credential_put(struct ves_store *s,
                                      const struct ves_credential_row *row);
enum ves_status ves_pg_credential_list(struct ves_store *s,
                                       ves_credential_visitor *visit,
                                       void *ctx);
enum ves_status ves_pg_invitation_get(struct ves_store *s,
                                      const struct ves_uuid *invitation_id,
                                      struct ves_invitation_row *row);
enum ves_status ves_pg_invitation_put(struct ves_store *s,
                                      const struct ves_invitation_row *row);

#endif
