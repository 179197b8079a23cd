/* store_sqlite_internal.h -- what the files of the SQLite store share.
 *
 * Invariants:
 *  1. Every statement taken with ves_sql_open is given back with
 *     ves_sql_close, reset, before the operation returns.
 *  2. A call that fails with VES_CONFLICT, VES_NOT_FOUND, VES_INVALID or
 *     VES_LIMIT has changed nothing: what cannot be checked beforehand runs
 *     under a savepoint of its own.
 *  3. After VES_IO, VES_NOMEM, VES_CORRUPT or VES_BUSY inside a transaction
 *     is_failed is set and commit rolls back instead.
 *  4. Parameters and columns are used in the order in which the SQL names
 *     them.
 */
#ifndef VES_STORE_STORE_SQLITE_INTERNAL_H
#define VES_STORE_STORE_SQLITE_INTERNAL_H

#include "base/bytes.h"
#include "store/sqlite_api.h"
#include "store/store_sqlite.h"

/* One slot of the statement cache each. */
enum ves_sql_id {
    VES_SQL_META_GET,
    VES_SQL_META_PUT,
    VES_SQL_META_UPDATE,
    VES_SQL_STREAM_GET,
    VES_SQL_STREAM_ADD,
    VES_SQL_STREAM_PUT,
    VES_SQL_STREAM_LIST,
    VES_SQL_LOG_HEAD,
    VES_SQL_LOG_FIND_ID,
    VES_SQL_LOG_FIND_COMMAND,
    VES_SQL_LOG_APPEND,
    VES_SQL_LOG_READ,
    VES_SQL_LOG_JUDGE,
    VES_SQL_LOG_PRUNE,
    VES_SQL_LOG_LATE,
    VES_SQL_WAITING_ALL,
    VES_SQL_WAITING_FOR,
    VES_SQL_WAITING_RESET,
    VES_SQL_LATE_RESET,
    VES_SQL_CONFLICT_GET,
    VES_SQL_CONFLICT_PUT,
    VES_SQL_CONFLICT_LIST, /* four of them, see store_sqlite_conflict.c */
    VES_SQL_CONFLICT_LIST_END = VES_SQL_CONFLICT_LIST + 3,
    VES_SQL_CONFLICT_COUNTS,
    VES_SQL_CONFLICT_RESET,
    VES_SQL_MEMBER_ADD,
    VES_SQL_MEMBER_LIST,
    VES_SQL_MEMBER_FIND,
    VES_SQL_MEMBER_RESET,
    VES_SQL_ENTITY_GET,
    VES_SQL_ENTITY_AT,
    VES_SQL_ENTITY_FIND,
    VES_SQL_ENTITY_PUT,
    VES_SQL_ENTITY_UPDATE,
    VES_SQL_ENTITY_RESET,
    VES_SQL_BUCKET_NEWEST,
    VES_SQL_BUCKET_ADD,
    VES_SQL_BUCKET_STEP,
    VES_SQL_BUCKET_LIST,
    VES_SQL_BUCKET_GET,
    VES_SQL_BUCKET_MARK,
    VES_SQL_BUCKET_PUT,
    VES_SQL_OUTBOX_LAST,
    VES_SQL_OUTBOX_APPEND,
    VES_SQL_OUTBOX_GET,
    VES_SQL_OUTBOX_STATUS,
    VES_SQL_OUTBOX_UPDATE,
    VES_SQL_OUTBOX_COUNTS,
    VES_SQL_OUTBOX_COUNT,
    VES_SQL_OUTBOX_PRUNE,
    VES_SQL_OUTBOX_RESIGN,
    VES_SQL_OUTBOX_LIST, /* four of them, see store_sqlite_outbox_list.c */
    VES_SQL_OUTBOX_LIST_END = VES_SQL_OUTBOX_LIST + 3,
    VES_SQL_OUTBOX_OVERLAY,
    VES_SQL_OUTBOX_PROMISED,
    VES_SQL_RECORD_LAST, /* from here by enum ves_record_kind */
    VES_SQL_RECORD_APPEND = VES_SQL_RECORD_LAST + VES_RECORD_KINDS,
    VES_SQL_RECORD_LIST = VES_SQL_RECORD_APPEND + VES_RECORD_KINDS,
    VES_SQL_RECORD_LIST_DOWN = VES_SQL_RECORD_LIST + VES_RECORD_KINDS,
    VES_SQL_RECORD_CLOSE = VES_SQL_RECORD_LIST_DOWN + VES_RECORD_KINDS,
    VES_SQL_RECORD_OPEN = VES_SQL_RECORD_CLOSE + VES_RECORD_KINDS,
    VES_SQL_KEY_GET = VES_SQL_RECORD_OPEN + VES_RECORD_KINDS,
    VES_SQL_KEY_PUT,
    VES_SQL_KEY_SPAN_GET,
    VES_SQL_KEY_FIND,
    VES_SQL_KEY_SPAN_PUT,
    VES_SQL_KEY_SPAN_FORGET,
    VES_SQL_KEY_LIST,
    VES_SQL_KEY_LIST_AGENT,
    VES_SQL_AGENT_POLICY_GET,
    VES_SQL_AGENT_POLICY_PUT,
    VES_SQL_AGENT_POLICY_LIST,
    VES_SQL_COMMITMENT_PUT,
    VES_SQL_COMMITMENT_GET,
    VES_SQL_COMMITMENT_COVERING,
    VES_SQL_COMMITMENT_LIST,
    VES_SQL_LOG_LEAVES,
    VES_SQL_LOG_LINKS,
    VES_SQL_LOG_MATCH,
    VES_SQL_TLOG_GET,
    VES_SQL_TLOG_FIND,
    VES_SQL_TLOG_SIZE,
    VES_SQL_TLOG_ADD,
    VES_SQL_TLOG_EDGE,
    VES_SQL_TLOG_SIGN,
    VES_SQL_TLOG_FREEZE,
    VES_SQL_COSIGNED_GET,
    VES_SQL_COSIGNED_PUT,
    VES_SQL_TILE_GET,
    VES_SQL_TILE_ADD,
    VES_SQL_TILE_PUT,
    VES_SQL_FOLLOW_GET,
    VES_SQL_FOLLOW_PUT,
    VES_SQL_KEPT_HEAD_PUT,
    VES_SQL_KEPT_HEAD_FORGET,
    VES_SQL_KEPT_HEADS_CUT,
    VES_SQL_KEPT_HEADS_READ,
    VES_SQL_GIVE_UP_COPY,
    VES_SQL_GIVE_UP_CUT,
    VES_SQL_GIVEN_UP_READ,
    VES_SQL_CURSOR_GET,
    VES_SQL_CURSOR_PUT,
    VES_SQL_CREDENTIAL_GET,
    VES_SQL_CREDENTIAL_PUT,
    VES_SQL_CREDENTIAL_LIST,
    VES_SQL_INVITATION_GET,
    VES_SQL_INVITATION_PUT,
    VES_SQL_SYNCHRONOUS,
    VES_SQL_JOURNAL_MODE,
    VES_SQL_TEMPORARY,
    VES_SQL_BEGIN,
    VES_SQL_COMMIT,
    VES_SQL_BEGIN_READ,
    VES_SQL_END_READ,
    VES_SQL_JOIN,
    VES_SQL_JOIN_LOCK,
    VES_SQL_LEAVE,
    VES_SQL_UNDO,
    VES_SQL_UNDO_ANYHOW,
    VES_SQL_CALL_BEGIN,
    VES_SQL_CALL_END,
    VES_SQL_COUNT
};

enum ves_sqlite_tx {
    VES_TX_NONE,
    VES_TX_OWN,    /* BEGIN IMMEDIATE is ours */
    VES_TX_JOINED, /* a savepoint inside the caller's */
    VES_TX_FLAT    /* the caller's, without one */
};

/* What the last flat transaction (begin_flat) left behind, for the next one in
 * the same transaction of the caller's: an append reads what the one before it
 * wrote.  It is as good as reading it again when the connection has written
 * nothing since and the last outbox row is still that one's, in a transaction
 * that none of another connection's came before (sync.is_same). */
struct ves_sqlite_kept {
    bool is_good;       /* in the open one: nothing happened since the last */
    bool is_whole;      /* all below is of the last one */
    int changes;        /* rows the connection had changed at its end */
    uint32_t stream_no; /* whose head it is, 0: none */
    uint64_t head;
    const char *name; /* of the value put last; static text, or NULL */
    size_t len;
    uint8_t value[512];
};

struct ves_sqlite {
    struct ves_store store; /* first: the operations are given its address */
    const struct ves_alloc *alloc;
    sqlite3 *db;
    bool is_own;    /* we close it */
    bool holds_vfs; /* store_sqlite_vfs.h */
    bool is_read_only;
    bool is_ready; /* the schema was checked; our tables are there */
    enum ves_store_role role;
    enum ves_sqlite_tx tx;
    bool is_failed;  /* the open transaction cannot be committed */
    bool is_reading; /* begin_read */
    int call_spills, joined_spills; /* ves_sql_spills at the savepoints */
    int changes; /* rows the connection had changed when VES_TX_FLAT began */
    struct ves_sqlite_leaves *leaves; /* being read (store_sqlite_leaves.c) */
    bool (*wal_watch)(void *ctx, uint64_t pages); /* NULL: SQLite's own way */
    void *wal_ctx;
    struct { /* ves_store_sqlite_synchronous */
        struct ves_store_sqlite_sync how;
        unsigned version;   /* of the data when it was asked */
        uint64_t local_seq; /* appended since, 0: none */
        bool is_same; /* asked just now, and it was the same transaction */
    } sync;
    struct ves_sqlite_kept kept;
    struct {
        sqlite3_stmt *stmt; /* NULL: not prepared yet */
        bool is_taken;
    } cache[VES_SQL_COUNT];
};

static inline struct ves_sqlite *ves_sqlite_of(struct ves_store *s)
{
    return (struct ves_sqlite *)s;
}

/* store_sqlite_kept.c: at the beginning and the end of a flat transaction. */
void ves_sqlite_kept_begin(struct ves_sqlite *st);
void ves_sqlite_kept_end(struct ves_sqlite *st);
/* The value of that name, if it is kept; valid until the next write. */
bool ves_sqlite_kept_value(const struct ves_sqlite *st, const char *name,
                           struct ves_bytes *value);
void ves_sqlite_keep_value(struct ves_sqlite *st, const char *name,
                           struct ves_bytes value);

/* ---- one statement in use (store_sqlite_sql.c) ----------------------------
 */

struct ves_sql {
    struct ves_sqlite *st;
    sqlite3_stmt *stmt;
    enum ves_sql_id id;
    bool is_cached;
    bool is_reset;          /* has not run since it was */
    int param, column;      /* last used */
    enum ves_status status; /* first failure, sticky until _close */
};

/* Takes the statement from the cache, or prepares it.  On failure nothing is
 * held and _close may be left out. */
VES_NODISCARD enum ves_status ves_sql_open(struct ves_sqlite *st,
                                           struct ves_sql *q,
                                           enum ves_sql_id id,
                                           const char *text);
void ves_sql_close(struct ves_sql *q);

/* The next parameter.  Bytes are borrowed until the next _run or _close. */
void ves_sql_put_null(struct ves_sql *q);
void ves_sql_put_i64(struct ves_sql *q, int64_t value);
void ves_sql_put_u64(struct ves_sql *q, uint64_t value);
void ves_sql_put_text(struct ves_sql *q, struct ves_bytes text);
void ves_sql_put_word(struct ves_sql *q, const char *word); /* static text */
void ves_sql_put_blob(struct ves_sql *q, const void *ptr, size_t len);
/* NULL unless is_there. */
void ves_sql_put_blob_if(struct ves_sql *q, bool is_there, const void *ptr,
                         size_t len);
void ves_sql_put_hash(struct ves_sql *q, const struct ves_hash *hash);
/* Zeros become NULL. */
void ves_sql_put_hash_or_null(struct ves_sql *q, const struct ves_hash *hash);
void ves_sql_put_uuid(struct ves_sql *q, const struct ves_uuid *uuid);
void ves_sql_put_uuid_or_null(struct ves_sql *q, const struct ves_uuid *uuid);

/* For statements that give rows.  VES_OK: a row is there, columns are read
 * from its first; VES_NOT_FOUND: no more. */
VES_NODISCARD enum ves_status ves_sql_row(struct ves_sql *q);
/* For loops over rows: false at the end and on failure; ask _check which. */
bool ves_sql_next(struct ves_sql *q);
/* For statements that give none: runs to the end and is ready for the next
 * set of parameters. */
VES_NODISCARD enum ves_status ves_sql_run(struct ves_sql *q);
/* The same for one row that is written in any case.  VES_CONFLICT when the
 * application's trigger or authorizer swallowed it without a word. */
VES_NODISCARD enum ves_status ves_sql_run_row(struct ves_sql *q);

/* The next column.  What does not fit the schema sets status to VES_CORRUPT
 * (see _check).  Views live until the next _row or _close. */
int64_t ves_sql_i64(struct ves_sql *q);
uint64_t ves_sql_u64(struct ves_sql *q);
uint32_t ves_sql_u32(struct ves_sql *q);
bool ves_sql_bool(struct ves_sql *q);
struct ves_bytes ves_sql_bytes(struct ves_sql *q); /* NULL reads as "" */
/* Exactly len bytes into out; false and zeros when the column is NULL. */
bool ves_sql_fixed(struct ves_sql *q, void *out, size_t len);
/* Index of the column's word in words; false and 0 when it is NULL. */
bool ves_sql_word(struct ves_sql *q, const char *const *words, size_t count,
                  uint32_t *out);

/* VES_OK, or the first failure of putting or reading. */
VES_NODISCARD enum ves_status ves_sql_check(struct ves_sql *q);

/* Writes words about rc into st->store.error; the matching status. */
enum ves_status ves_sql_fail(struct ves_sqlite *st, int rc);
/* The same without a store. */
enum ves_status ves_sql_error(sqlite3 *db, int rc, struct ves_error *error);

/* Runs a statement without parameters and rows from the cache. */
VES_NODISCARD enum ves_status
ves_sql_simple(struct ves_sqlite *st, enum ves_sql_id id, const char *text);
/* Runs one or more statements, uncached. */
VES_NODISCARD enum ves_status ves_sql_exec(struct ves_sqlite *st,
                                           const char *text);

/* A savepoint around one call that writes several rows: _end keeps them, or
 * takes them back unless status is VES_OK.  Returns status, or what went
 * wrong when keeping. */
VES_NODISCARD enum ves_status ves_sql_call_begin(struct ves_sqlite *st);
enum ves_status ves_sql_call_end(struct ves_sqlite *st, enum ves_status status);

/* SQLite up to 3.45 at least, and 3.53.4 no more, loses what is committed in
 * WAL mode after a ROLLBACK TO that took back pages the cache had spilled: its
 * frames have no checksums, so readers find them until the next crash, and the
 * recovery does not (ADR 0075).  So a savepoint behind which pages were spilled
 * is not rolled back to, the transaction is.
 *
 * How often pages were spilled on this connection. */
int ves_sql_spills(sqlite3 *db);
/* Would a ROLLBACK TO a savepoint made at that count be followed by a commit
 * that a crash may lose? */
bool ves_sql_is_torn(struct ves_sqlite *st, int spills_before);
/* Says so, before the words of the store's error. */
void ves_sql_tell_torn(struct ves_sqlite *st);
/* Rolls everything back, the caller's rows, too (store_sqlite.c). */
void ves_sqlite_undo(struct ves_sqlite *st);

/* VES_OK, or VES_UNSUPPORTED with words when the store has another role and
 * so not the tables. */
VES_NODISCARD enum ves_status ves_sqlite_need(struct ves_sqlite *st,
                                              enum ves_store_role role);
/* Says what was not there; returns VES_NOT_FOUND. */
enum ves_status ves_sqlite_missing(struct ves_sqlite *st, const char *what);

/* The columns of a row of the log, and the row they are, from the next column
 * on (store_sqlite_log.c). */
#define VES_SQLITE_LOG_COLUMNS                                       \
    "id, event_id, event_hash, fingerprint, agent, agent_key_id,"    \
    " agent_seq, command_id, entity_key, entity_index, entity_prev," \
    " entity_jump, verdict, applied_at, version, sub_code, note,"    \
    " sequenced_at_ms, sequencer_id, signature, receipt,"            \
    " receipt_key_version, envelope, raw, is_fact, has_waited,"      \
    " conflict_id, waits_for, effects, opposite"
VES_NODISCARD enum ves_status ves_sqlite_log_row(struct ves_sql *q,
                                                 struct ves_log_row *row);

/* stream_no and a number inside the stream as one rowid: rows lie in order in
 * one B-tree, which is what makes appending cheap. */
enum { VES_SQLITE_NO_BITS = 40 };
#define VES_SQLITE_NO_MAX     ((UINT64_C(1) << VES_SQLITE_NO_BITS) - 1)
#define VES_SQLITE_STREAM_MAX ((UINT32_C(1) << 23) - 1)

/* The rowid; numbers beyond the bounds are taken as the bounds. */
int64_t ves_sqlite_rowid(uint32_t stream_no, uint64_t no);
static inline uint64_t ves_sqlite_rowid_no(int64_t rowid)
{
    return (uint64_t)rowid & VES_SQLITE_NO_MAX;
}

/* The columns of a stream s in the order of ves_sqlite_stream_read.  The head
 * is not kept but found: one seek, and it cannot be wrong. */
#define VES_SQLITE_STREAM_COLUMNS                                         \
    "s.stream_no, s.tenant, s.store, s.owner_key, s.committed_end,"       \
    " s.state_root, coalesce((SELECT e.id FROM ves_events e"              \
    "  WHERE e.id > s.stream_no << 40 AND e.id < (s.stream_no + 1) << 40" \
    "  ORDER BY e.id DESC LIMIT 1), 0)"
VES_NODISCARD enum ves_status
ves_sqlite_stream_read(struct ves_sql *q, struct ves_stream_row *row);

/* VES_NOT_FOUND unless the stream is there. */
VES_NODISCARD enum ves_status
ves_sqlite_head(struct ves_sqlite *st, uint32_t stream_no, uint64_t *head);

/* ---- words in columns -----------------------------------------------------
 */

enum { VES_SQLITE_VERDICTS = 5, VES_SQLITE_ERROR_CLASSES = 7 };
extern const char *const ves_sqlite_verdicts[VES_SQLITE_VERDICTS];
extern const char *const ves_sqlite_statuses[VES_OUTBOX_STATUSES];
extern const char *const ves_sqlite_error_classes[VES_SQLITE_ERROR_CLASSES];

/* Outbox columns in the order of ves_sqlite_outbox_read. */
#define VES_SQLITE_OUTBOX_COLUMNS                                          \
    "local_seq, event_id, event_hash, agent_seq, entity_key, entity_type," \
    " entity_id, event_type, created_at, created_ms, command_id,"          \
    " cmd_index, cmd_count, status, claim, attempts, next_attempt_ms,"     \
    " error_class, error, refusal_signature, is_refused,"                  \
    " sequence_number, sequencer_id, sequenced_at_ms, receipt,"            \
    " receipt_key_version, verdict, disposition, pushed_ms, synced_ms,"    \
    " is_in_overlay, is_likely_conflict, envelope, entity_prev"
VES_NODISCARD enum ves_status
ves_sqlite_outbox_read(struct ves_sql *q, struct ves_outbox_row *row);

/* ---- the operations, by file ----------------------------------------------
 */

enum ves_status ves_sqlite_meta_get(struct ves_store *s, const char *name,
                                    struct ves_arena *arena,
                                    struct ves_bytes *value);
enum ves_status ves_sqlite_meta_put(struct ves_store *s, const char *name,
                                    struct ves_bytes value);
enum ves_status ves_sqlite_stream_get(struct ves_store *s,
                                      const struct ves_stream *stream,
                                      bool create, struct ves_stream_row *row);
enum ves_status ves_sqlite_stream_put(struct ves_store *s,
                                      const struct ves_stream_row *row);
enum ves_status ves_sqlite_stream_list(struct ves_store *s,
                                       ves_stream_visitor *visit, void *ctx);
enum ves_status ves_sqlite_log_head(struct ves_store *s, uint32_t stream_no,
                                    uint64_t *head);
enum ves_status ves_sqlite_log_find_ids(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *ids,
                                        size_t count, struct ves_id_row *rows);
enum ves_status ves_sqlite_log_find_commands(struct ves_store *s,
                                             uint32_t stream_no,
                                             const struct ves_uuid *ids,
                                             size_t count,
                                             struct ves_id_row *rows);
enum ves_status ves_sqlite_log_append(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_log_row *rows,
                                      size_t count);
enum ves_status ves_sqlite_log_read(struct ves_store *s, uint32_t stream_no,
                                    uint64_t from, uint32_t limit,
                                    ves_log_visitor *visit, void *ctx);
enum ves_status ves_sqlite_log_judge(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_log_row *rows,
                                     size_t count);
enum ves_status ves_sqlite_log_prune(struct ves_store *s, uint32_t stream_no,
                                     uint64_t below,
                                     const struct ves_hash *spared,
                                     size_t spared_count, uint64_t *count);

enum ves_status ves_sqlite_waiting_list(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_hash *waits_for,
                                        uint32_t limit,
                                        ves_waiting_visitor *visit, void *ctx);
enum ves_status ves_sqlite_log_find_late(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_hash *entity_key,
                                         uint64_t version, uint64_t *sequence);
enum ves_status ves_sqlite_conflict_get(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_hash *ids,
                                        size_t count, struct ves_arena *arena,
                                        struct ves_conflict_row *rows);
enum ves_status ves_sqlite_conflict_put(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_conflict_row *rows,
                                        size_t count);
enum ves_status
ves_sqlite_conflict_list(struct ves_store *s, uint32_t stream_no,
                         const struct ves_conflict_filter *filter,
                         ves_conflict_visitor *visit, void *ctx);
enum ves_status ves_sqlite_conflict_counts(struct ves_store *s,
                                           uint32_t stream_no,
                                           uint64_t counts[VES_CONFLICT_KINDS]);
enum ves_status ves_sqlite_member_add(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_conflict_member *members,
                                      size_t count);
enum ves_status ves_sqlite_member_list(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *conflict_id,
                                       ves_member_visitor *visit, void *ctx);
enum ves_status ves_sqlite_member_find(struct ves_store *s, uint32_t stream_no,
                                       uint64_t sequence,
                                       ves_member_visitor *visit, void *ctx);
enum ves_status ves_sqlite_verdict_reset(struct ves_store *s,
                                         uint32_t stream_no);

enum ves_status ves_sqlite_entity_get(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_entity_name *names,
                                      size_t count, struct ves_arena *arena,
                                      struct ves_entity_row *rows);
enum ves_status ves_sqlite_entity_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_entity_row *rows,
                                      size_t count);
enum ves_status ves_sqlite_entity_scan(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *from,
                                       uint32_t limit,
                                       struct ves_bytes entity_type,
                                       ves_entity_visitor *visit, void *ctx);
enum ves_status ves_sqlite_entity_reset(struct ves_store *s,
                                        uint32_t stream_no);
/* A statement for single rows, and the row at a place, whose texts live until
 * the next one; VES_NOT_FOUND. */
VES_NODISCARD enum ves_status ves_sqlite_entity_open(struct ves_sqlite *st,
                                                     struct ves_sql *q);
VES_NODISCARD enum ves_status ves_sqlite_entity_row(struct ves_sql *q,
                                                    int64_t place,
                                                    struct ves_entity_row *row);

/* store_sqlite_bucket.c: the newest entity of the key's bucket, 0: it has
 * none; what is added becomes it, and names the one that was.  Finding an
 * entity takes a step for each newer one of its bucket; place 0: there is
 * none. */
VES_NODISCARD enum ves_status
ves_sqlite_bucket_newest(struct ves_sqlite *st, uint32_t stream_no,
                         const struct ves_hash *key, int64_t *place);
VES_NODISCARD enum ves_status ves_sqlite_bucket_add(struct ves_sqlite *st,
                                                    uint32_t stream_no,
                                                    const struct ves_hash *key,
                                                    int64_t place);
VES_NODISCARD enum ves_status ves_sqlite_bucket_find(struct ves_sqlite *st,
                                                     uint32_t stream_no,
                                                     const struct ves_hash *key,
                                                     int64_t *place);
enum ves_status ves_sqlite_bucket_get_all(struct ves_store *s,
                                          uint32_t stream_no,
                                          struct ves_hash *hashes,
                                          bool *is_dirty);
enum ves_status ves_sqlite_bucket_read(struct ves_store *s, uint32_t stream_no,
                                       uint16_t bucket, struct ves_arena *arena,
                                       struct ves_state_pair **pairs,
                                       size_t *count);
enum ves_status ves_sqlite_bucket_mark(struct ves_store *s, uint32_t stream_no,
                                       const uint16_t *buckets, size_t count);
enum ves_status ves_sqlite_bucket_put(struct ves_store *s, uint32_t stream_no,
                                      uint16_t bucket,
                                      const struct ves_hash *hash);

/* The highest local_seq, 0: none. */
VES_NODISCARD enum ves_status ves_sqlite_outbox_last(struct ves_sqlite *st,
                                                     uint64_t *last);
enum ves_status ves_sqlite_outbox_append(struct ves_store *s,
                                         struct ves_outbox_row *rows,
                                         size_t count);
enum ves_status ves_sqlite_outbox_get(struct ves_store *s,
                                      const struct ves_uuid *ids, size_t count,
                                      struct ves_arena *arena,
                                      struct ves_outbox_row *rows);
enum ves_status ves_sqlite_outbox_list(struct ves_store *s,
                                       const struct ves_outbox_filter *filter,
                                       ves_outbox_visitor *visit, void *ctx);
enum ves_status ves_sqlite_outbox_overlay(struct ves_store *s, uint64_t last,
                                          uint64_t count,
                                          ves_outbox_visitor *visit, void *ctx);
enum ves_status ves_sqlite_outbox_promised(struct ves_store *s, uint64_t first,
                                           uint64_t last, size_t max,
                                           struct ves_promise_row *rows,
                                           size_t *found);
enum ves_status ves_sqlite_outbox_resign(struct ves_store *s,
                                         const struct ves_outbox_row *row);
enum ves_status ves_sqlite_outbox_update(struct ves_store *s,
                                         const struct ves_outbox_row *rows,
                                         size_t count);
enum ves_status ves_sqlite_outbox_counts(struct ves_store *s,
                                         uint64_t counts[VES_OUTBOX_STATUSES]);
enum ves_status ves_sqlite_outbox_prune(struct ves_store *s, int64_t before_ms,
                                        uint64_t *count);

enum ves_status ves_sqlite_record_append(struct ves_store *s,
                                         enum ves_record_kind kind,
                                         uint32_t stream_no,
                                         const struct ves_record *rows,
                                         size_t count);
enum ves_status ves_sqlite_record_list(struct ves_store *s,
                                       enum ves_record_kind kind,
                                       uint32_t stream_no, uint64_t from,
                                       bool is_descending, uint32_t limit,
                                       ves_record_visitor *visit, void *ctx);
enum ves_status ves_sqlite_record_close(struct ves_store *s,
                                        enum ves_record_kind kind,
                                        uint32_t stream_no, uint64_t no,
                                        int64_t closed_ms);
enum ves_status ves_sqlite_record_count_open(struct ves_store *s,
                                             enum ves_record_kind kind,
                                             uint32_t stream_no,
                                             uint64_t *count);

enum ves_status ves_sqlite_follow_get(struct ves_store *s, uint32_t stream_no,
                                      struct ves_arena *arena,
                                      struct ves_follow_row *row);
enum ves_status ves_sqlite_follow_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_follow_row *row);
enum ves_status ves_sqlite_kept_head_put(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_kept_head *head,
                                         uint32_t keep);
enum ves_status ves_sqlite_kept_heads_cut(struct ves_store *s,
                                          uint32_t stream_no, uint64_t above);
enum ves_status ves_sqlite_kept_heads_read(struct ves_store *s,
                                           uint32_t stream_no, uint64_t from,
                                           size_t count,
                                           struct ves_kept_head *rows,
                                           size_t *found);
enum ves_status ves_sqlite_log_give_up(struct ves_store *s, uint32_t stream_no,
                                       uint64_t above, uint64_t epoch,
                                       uint64_t *count);
enum ves_status ves_sqlite_given_up_read(struct ves_store *s,
                                         uint32_t stream_no, uint64_t from,
                                         uint32_t limit,
                                         ves_given_up_visitor *visit,
                                         void *ctx);

enum ves_status ves_sqlite_key_get(struct ves_store *s,
                                   const struct ves_uuid *tenant,
                                   const struct ves_uuid *agent,
                                   uint32_t key_id, struct ves_arena *arena,
                                   struct ves_key_row *row);
enum ves_status ves_sqlite_key_put(struct ves_store *s,
                                   const struct ves_key_row *row);
enum ves_status ves_sqlite_key_find(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *tenant,
                                    const struct ves_key_name *names,
                                    size_t count, struct ves_arena *arena,
                                    struct ves_key_found *found);
enum ves_status ves_sqlite_key_span_get(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *agent,
                                        uint32_t key_id,
                                        struct ves_key_span *span);
enum ves_status ves_sqlite_key_span_put(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *agent,
                                        uint32_t key_id,
                                        const struct ves_key_span *span);
enum ves_status ves_sqlite_key_span_forget(struct ves_store *s,
                                           uint32_t stream_no,
                                           const struct ves_uuid *agent,
                                           uint32_t key_id);
enum ves_status ves_sqlite_key_list(struct ves_store *s,
                                    const struct ves_uuid *tenant,
                                    const struct ves_uuid *agent,
                                    uint32_t stream_no, ves_key_visitor *visit,
                                    void *ctx);

enum ves_status ves_sqlite_commitment_put(struct ves_store *s,
                                          uint32_t stream_no,
                                          const struct ves_commitment_row *row);
enum ves_status ves_sqlite_commitment_get(struct ves_store *s,
                                          const struct ves_uuid *batch_id,
                                          uint32_t *stream_no,
                                          struct ves_commitment_row *row);
enum ves_status ves_sqlite_commitment_covering(struct ves_store *s,
                                               uint32_t stream_no,
                                               uint64_t sequence,
                                               struct ves_commitment_row *row);
enum ves_status ves_sqlite_commitment_list(struct ves_store *s,
                                           uint32_t stream_no, uint64_t from,
                                           uint32_t limit,
                                           ves_commitment_visitor *visit,
                                           void *ctx);
enum ves_status ves_sqlite_log_links(struct ves_store *s, uint32_t stream_no,
                                     const uint64_t *sequences, size_t count,
                                     struct ves_link_row *rows);
/* Once a connection of our own is open. */
VES_NODISCARD enum ves_status ves_sqlite_leaves_define(struct ves_sqlite *st);
enum ves_status ves_sqlite_log_leaves(struct ves_store *s, uint32_t stream_no,
                                      uint64_t from, size_t count,
                                      struct ves_leaf_row *rows, size_t *found);
enum ves_status ves_sqlite_log_match(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_log_match *match,
                                     uint64_t *sequences, size_t max,
                                     size_t *found);
enum ves_status ves_sqlite_tlog_get(struct ves_store *s, uint32_t stream_no,
                                    struct ves_arena *arena,
                                    struct ves_tlog_row *row);
enum ves_status ves_sqlite_tlog_find(struct ves_store *s,
                                     const struct ves_hash *stream_id,
                                     struct ves_stream_row *row);
enum ves_status ves_sqlite_tlog_append(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_hash *stream_id,
                                       struct ves_bytes edge,
                                       const struct ves_tile_hash *hashes,
                                       size_t count);
enum ves_status ves_sqlite_tlog_sign(struct ves_store *s, uint32_t stream_no,
                                     uint64_t expected_size,
                                     const struct ves_head_row *head);
enum ves_status ves_sqlite_tlog_freeze(struct ves_store *s, uint32_t stream_no,
                                       int64_t at_ms, struct ves_bytes why);
enum ves_status ves_sqlite_cosigned_get(struct ves_store *s, uint32_t stream_no,
                                        struct ves_arena *arena,
                                        struct ves_bytes *notes);
enum ves_status ves_sqlite_cosigned_put(struct ves_store *s, uint32_t stream_no,
                                        struct ves_bytes notes);
enum ves_status ves_sqlite_tile_read(struct ves_store *s, uint32_t stream_no,
                                     uint32_t level, uint64_t index,
                                     struct ves_hash *hashes, size_t *count);
enum ves_status ves_sqlite_cursor_get(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_uuid *agent,
                                      uint64_t *sequence, int64_t *updated_ms);
enum ves_status ves_sqlite_cursor_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_uuid *agent,
                                      uint64_t sequence, int64_t updated_ms);
enum ves_status ves_sqlite_agent_policy_get(struct ves_store *s,
                                            const struct ves_uuid *tenant,
                                            const struct ves_uuid *agent,
                                            struct ves_arena *arena,
                                            struct ves_agent_policy_row *row);
enum ves_status
ves_sqlite_agent_policy_put(struct ves_store *s,
                            const struct ves_agent_policy_row *row);
enum ves_status ves_sqlite_agent_policy_list(struct ves_store *s,
                                             ves_agent_policy_visitor *visit,
                                             void *ctx);
enum ves_status ves_sqlite_credential_get(struct ves_store *s,
                                          const struct ves_hash *key_hash,
                                          struct ves_arena *arena,
                                          struct ves_credential_row *row);
enum ves_status ves_sqlite_credential_put(struct ves_store *s,
                                          const struct ves_credential_row *row);
enum ves_status ves_sqlite_credential_list(struct ves_store *s,
                                           ves_credential_visitor *visit,
                                           void *ctx);
enum ves_status ves_sqlite_invitation_get(struct ves_store *s,
                                          const struct ves_uuid *invitation_id,
                                          struct ves_invitation_row *row);
enum ves_status ves_sqlite_invitation_put(struct ves_store *s,
                                          const struct ves_invitation_row *row);

#endif
