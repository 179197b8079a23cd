/* store_mem_internal.h -- what the files of the memory store share.
 *
 * One ordered map holds every table; a key begins with the table's letter and
 * the stream number.  A row is one heap block: the struct, then the bytes its
 * views point to.  Each call is all or nothing: it marks the journal and goes
 * back to the mark when it fails.
 */
#ifndef VES_STORE_STORE_MEM_INTERNAL_H
#define VES_STORE_STORE_MEM_INTERNAL_H

#include "store/store_mem.h"
#include "store/store_mem_map.h"

enum ves_mem_table {
    VES_MEM_META = 1,
    VES_MEM_STREAM,        /* tenant, store -> struct ves_mem_u64 */
    VES_MEM_STREAM_ROW,    /* stream -> struct ves_stream_row */
    VES_MEM_LOG,           /* stream, sequence -> struct ves_log_row */
    VES_MEM_LOG_ID,        /* stream, event id -> struct ves_mem_u64 */
    VES_MEM_LOG_COMMAND,   /* stream, command id, sequence */
    VES_MEM_ENTITY,        /* stream, key */
    VES_MEM_BUCKET,        /* stream, bucket */
    VES_MEM_OUTBOX,        /* 0, local_seq */
    VES_MEM_OUTBOX_ID,     /* 0, event id -> struct ves_mem_u64 */
    VES_MEM_COUNTS,        /* 0 */
    VES_MEM_RECORD,        /* + kind: stream, no */
    VES_MEM_KEY = 20,      /* 0, tenant, agent, key id */
    VES_MEM_SPAN,          /* stream, agent, key id */
    VES_MEM_COMMITMENT,    /* stream, sequence_start */
    VES_MEM_COMMITMENT_ID, /* 0, batch id */
    VES_MEM_CURSOR,        /* stream, agent */
    VES_MEM_CREDENTIAL,    /* 0, key hash */
    VES_MEM_INVITATION,    /* 0, invitation id */
    VES_MEM_LATE,          /* stream, entity key, version: of has_waited */
    VES_MEM_WAITING,       /* stream, waits_for, sequence */
    VES_MEM_CONFLICT,      /* stream, opened */
    VES_MEM_CONFLICT_ID,   /* stream, conflict id -> `opened`, 0: gone */
    VES_MEM_MEMBER,        /* stream, conflict id, side, place */
    VES_MEM_MEMBER_OF,     /* stream, sequence, conflict id, side, place */
    VES_MEM_TLOG,          /* stream */
    VES_MEM_TLOG_ID,       /* 0, stream id -> stream number */
    VES_MEM_TILE,          /* stream, level, index of the hash */
    VES_MEM_COSIGNED,      /* stream -> its notes */
    VES_MEM_FOLLOW,        /* stream */
    VES_MEM_KEPT_HEAD,     /* stream, size */
    VES_MEM_GIVEN_UP,      /* stream, sequence, epoch -> struct ves_log_row */
    VES_MEM_AGENT_POLICY   /* 0, tenant, agent */
};

struct ves_mem_u64 {
    uint64_t value;
};

struct ves_mem_store {
    struct ves_store store; /* first: the operations are given its address */
    const struct ves_alloc *alloc;
    struct ves_mem_map map;
    bool is_writing;  /* between begin and commit or rollback */
    bool is_kept;     /* the journal goes back to what _keep kept */
    size_t committed; /* place in the journal of the last commit; 0 unless
                         is_kept */
};

static inline struct ves_mem_store *ves_mem_of(struct ves_store *s)
{
    return (struct ves_mem_store *)s;
}

/* Which members of a row's struct are views; the rest is plain. */
struct ves_mem_shape {
    size_t size;
    size_t count;
    size_t offsets[8];
};

extern const struct ves_mem_shape ves_mem_u64_shape;
extern const struct ves_mem_shape ves_mem_log_shape;

struct ves_mem_key ves_mem_key(unsigned table, uint32_t stream_no);

/* Copies row and what its views show into one block of alloc, for
 * ves_mem_put; NULL when out of memory. */
void *ves_mem_pack(const struct ves_alloc *alloc,
                   const struct ves_mem_shape *shape, const void *row);
/* Copies row out, its views into arena. */
VES_NODISCARD enum ves_status
ves_mem_copy_out(const struct ves_mem_shape *shape, const void *row,
                 struct ves_arena *arena, void *out);
/* ves_mem_pack and ves_mem_put. */
VES_NODISCARD enum ves_status ves_mem_put_row(struct ves_mem_store *st,
                                              const struct ves_mem_key *key,
                                              const struct ves_mem_shape *shape,
                                              const void *row);

/* Ends a call: undoes everything since mark unless status is VES_OK, writes
 * the words for it, returns status. */
enum ves_status ves_mem_end(struct ves_mem_store *st, size_t mark,
                            enum ves_status status, const char *what);

/* Last sequence number of a stream's log, 0 when empty. */
uint64_t ves_mem_head(const struct ves_mem_store *st, uint32_t stream_no);

/* Enters a log row into the indexes of waiting and late events, or takes it
 * out of them (store_mem_conflict.c). */
VES_NODISCARD enum ves_status ves_mem_index_row(struct ves_mem_store *st,
                                                uint32_t stream_no,
                                                const struct ves_log_row *row,
                                                bool is_in);

/* The operations, by file. */
enum ves_status ves_mem_log_head(struct ves_store *s, uint32_t stream_no,
                                 uint64_t *head);
enum ves_status ves_mem_log_find_ids(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_uuid *ids, size_t count,
                                     struct ves_id_row *rows);
enum ves_status ves_mem_log_find_commands(struct ves_store *s,
                                          uint32_t stream_no,
                                          const struct ves_uuid *ids,
                                          size_t count,
                                          struct ves_id_row *rows);
enum ves_status ves_mem_log_append(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_log_row *rows,
                                   size_t count);
enum ves_status ves_mem_log_read(struct ves_store *s, uint32_t stream_no,
                                 uint64_t from, uint32_t limit,
                                 ves_log_visitor *visit, void *ctx);
enum ves_status ves_mem_log_judge(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count);
enum ves_status ves_mem_log_prune(struct ves_store *s, uint32_t stream_no,
                                  uint64_t below, const struct ves_hash *spared,
                                  size_t spared_count, uint64_t *count);

enum ves_status ves_mem_waiting_list(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *waits_for,
                                     uint32_t limit, ves_waiting_visitor *visit,
                                     void *ctx);
enum ves_status ves_mem_log_find_late(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_hash *entity_key,
                                      uint64_t version, uint64_t *sequence);
enum ves_status ves_mem_conflict_get(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *ids, size_t count,
                                     struct ves_arena *arena,
                                     struct ves_conflict_row *rows);
enum ves_status ves_mem_conflict_put(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_conflict_row *rows,
                                     size_t count);
enum ves_status ves_mem_conflict_list(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_conflict_filter *filter,
                                      ves_conflict_visitor *visit, void *ctx);
enum ves_status ves_mem_conflict_counts(struct ves_store *s, uint32_t stream_no,
                                        uint64_t counts[VES_CONFLICT_KINDS]);
enum ves_status ves_mem_member_add(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_conflict_member *members,
                                   size_t count);
enum ves_status ves_mem_member_list(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *conflict_id,
                                    ves_member_visitor *visit, void *ctx);
enum ves_status ves_mem_member_find(struct ves_store *s, uint32_t stream_no,
                                    uint64_t sequence,
                                    ves_member_visitor *visit, void *ctx);
enum ves_status ves_mem_verdict_reset(struct ves_store *s, uint32_t stream_no);

enum ves_status ves_mem_entity_get(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_entity_name *names,
                                   size_t count, struct ves_arena *arena,
                                   struct ves_entity_row *rows);
enum ves_status ves_mem_entity_put(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_entity_row *rows,
                                   size_t count);
enum ves_status ves_mem_entity_scan(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *from, uint32_t limit,
                                    struct ves_bytes entity_type,
                                    ves_entity_visitor *visit, void *ctx);
enum ves_status ves_mem_entity_reset(struct ves_store *s, uint32_t stream_no);
enum ves_status ves_mem_bucket_get_all(struct ves_store *s, uint32_t stream_no,
                                       struct ves_hash *hashes, bool *is_dirty);
enum ves_status ves_mem_bucket_read(struct ves_store *s, uint32_t stream_no,
                                    uint16_t bucket, struct ves_arena *arena,
                                    struct ves_state_pair **pairs,
                                    size_t *count);
enum ves_status ves_mem_bucket_mark(struct ves_store *s, uint32_t stream_no,
                                    const uint16_t *buckets, size_t count);
enum ves_status ves_mem_bucket_put(struct ves_store *s, uint32_t stream_no,
                                   uint16_t bucket,
                                   const struct ves_hash *hash);

enum ves_status ves_mem_outbox_append(struct ves_store *s,
                                      struct ves_outbox_row *rows,
                                      size_t count);
enum ves_status ves_mem_outbox_get(struct ves_store *s,
                                   const struct ves_uuid *ids, size_t count,
                                   struct ves_arena *arena,
                                   struct ves_outbox_row *rows);
enum ves_status ves_mem_outbox_list(struct ves_store *s,
                                    const struct ves_outbox_filter *filter,
                                    ves_outbox_visitor *visit, void *ctx);
enum ves_status ves_mem_outbox_overlay(struct ves_store *s, uint64_t last,
                                       uint64_t count,
                                       ves_outbox_visitor *visit, void *ctx);
enum ves_status ves_mem_outbox_promised(struct ves_store *s, uint64_t first,
                                        uint64_t last, size_t max,
                                        struct ves_promise_row *rows,
                                        size_t *found);
enum ves_status ves_mem_outbox_resign(struct ves_store *s,
                                      const struct ves_outbox_row *row);
enum ves_status ves_mem_outbox_update(struct ves_store *s,
                                      const struct ves_outbox_row *rows,
                                      size_t count);
enum ves_status ves_mem_outbox_counts(struct ves_store *s,
                                      uint64_t counts[VES_OUTBOX_STATUSES]);
enum ves_status ves_mem_outbox_prune(struct ves_store *s, int64_t before_ms,
                                     uint64_t *count);

enum ves_status ves_mem_record_append(struct ves_store *s,
                                      enum ves_record_kind kind,
                                      uint32_t stream_no,
                                      const struct ves_record *rows,
                                      size_t count);
enum ves_status ves_mem_record_list(struct ves_store *s,
                                    enum ves_record_kind kind,
                                    uint32_t stream_no, uint64_t from,
                                    bool is_descending, uint32_t limit,
                                    ves_record_visitor *visit, void *ctx);
enum ves_status ves_mem_record_close(struct ves_store *s,
                                     enum ves_record_kind kind,
                                     uint32_t stream_no, uint64_t no,
                                     int64_t closed_ms);
enum ves_status ves_mem_record_count_open(struct ves_store *s,
                                          enum ves_record_kind kind,
                                          uint32_t stream_no, uint64_t *count);

enum ves_status ves_mem_follow_get(struct ves_store *s, uint32_t stream_no,
                                   struct ves_arena *arena,
                                   struct ves_follow_row *row);
enum ves_status ves_mem_follow_put(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_follow_row *row);
enum ves_status ves_mem_kept_head_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_kept_head *head,
                                      uint32_t keep);
enum ves_status ves_mem_kept_heads_cut(struct ves_store *s, uint32_t stream_no,
                                       uint64_t above);
enum ves_status ves_mem_kept_heads_read(struct ves_store *s, uint32_t stream_no,
                                        uint64_t from, size_t count,
                                        struct ves_kept_head *rows,
                                        size_t *found);
enum ves_status ves_mem_log_give_up(struct ves_store *s, uint32_t stream_no,
                                    uint64_t above, uint64_t epoch,
                                    uint64_t *count);
enum ves_status ves_mem_given_up_read(struct ves_store *s, uint32_t stream_no,
                                      uint64_t from, uint32_t limit,
                                      ves_given_up_visitor *visit, void *ctx);

enum ves_status ves_mem_key_get(struct ves_store *s,
                                const struct ves_uuid *tenant,
                                const struct ves_uuid *agent, uint32_t key_id,
                                struct ves_arena *arena,
                                struct ves_key_row *row);
enum ves_status ves_mem_key_put(struct ves_store *s,
                                const struct ves_key_row *row);
enum ves_status ves_mem_key_find(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_uuid *tenant,
                                 const struct ves_key_name *names, size_t count,
                                 struct ves_arena *arena,
                                 struct ves_key_found *found);
enum ves_status ves_mem_key_span_get(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_uuid *agent,
                                     uint32_t key_id,
                                     struct ves_key_span *span);
enum ves_status ves_mem_key_span_put(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_uuid *agent,
                                     uint32_t key_id,
                                     const struct ves_key_span *span);
enum ves_status ves_mem_key_span_forget(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *agent,
                                        uint32_t key_id);
enum ves_status ves_mem_key_list(struct ves_store *s,
                                 const struct ves_uuid *tenant,
                                 const struct ves_uuid *agent,
                                 uint32_t stream_no, ves_key_visitor *visit,
                                 void *ctx);

enum ves_status ves_mem_commitment_put(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_commitment_row *row);
enum ves_status ves_mem_commitment_get(struct ves_store *s,
                                       const struct ves_uuid *batch_id,
                                       uint32_t *stream_no,
                                       struct ves_commitment_row *row);
enum ves_status ves_mem_commitment_covering(struct ves_store *s,
                                            uint32_t stream_no,
                                            uint64_t sequence,
                                            struct ves_commitment_row *row);
enum ves_status ves_mem_commitment_list(struct ves_store *s, uint32_t stream_no,
                                        uint64_t from, uint32_t limit,
                                        ves_commitment_visitor *visit,
                                        void *ctx);
enum ves_status ves_mem_log_links(struct ves_store *s, uint32_t stream_no,
                                  const uint64_t *sequences, size_t count,
                                  struct ves_link_row *rows);
enum ves_status ves_mem_log_leaves(struct ves_store *s, uint32_t stream_no,
                                   uint64_t from, size_t count,
                                   struct ves_leaf_row *rows, size_t *found);
enum ves_status ves_mem_log_match(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_match *match,
                                  uint64_t *sequences, size_t max,
                                  size_t *found);
enum ves_status ves_mem_tlog_get(struct ves_store *s, uint32_t stream_no,
                                 struct ves_arena *arena,
                                 struct ves_tlog_row *row);
enum ves_status ves_mem_tlog_find(struct ves_store *s,
                                  const struct ves_hash *stream_id,
                                  struct ves_stream_row *row);
enum ves_status ves_mem_tlog_append(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *stream_id,
                                    struct ves_bytes edge,
                                    const struct ves_tile_hash *hashes,
                                    size_t count);
enum ves_status ves_mem_tlog_sign(struct ves_store *s, uint32_t stream_no,
                                  uint64_t expected_size,
                                  const struct ves_head_row *head);
enum ves_status ves_mem_tlog_freeze(struct ves_store *s, uint32_t stream_no,
                                    int64_t at_ms, struct ves_bytes why);
enum ves_status ves_mem_cosigned_get(struct ves_store *s, uint32_t stream_no,
                                     struct ves_arena *arena,
                                     struct ves_bytes *notes);
enum ves_status ves_mem_cosigned_put(struct ves_store *s, uint32_t stream_no,
                                     struct ves_bytes notes);
enum ves_status ves_mem_tile_read(struct ves_store *s, uint32_t stream_no,
                                  uint32_t level, uint64_t index,
                                  struct ves_hash *hashes, size_t *count);
enum ves_status ves_mem_cursor_get(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_uuid *agent,
                                   uint64_t *sequence, int64_t *updated_ms);
enum ves_status ves_mem_cursor_put(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_uuid *agent,
                                   uint64_t sequence, int64_t updated_ms);
enum ves_status ves_mem_agent_policy_get(struct ves_store *s,
                                         const struct ves_uuid *tenant,
                                         const struct ves_uuid *agent,
                                         struct ves_arena *arena,
                                         struct ves_agent_policy_row *row);
enum ves_status
ves_mem_agent_policy_put(struct ves_store *s,
                         const struct ves_agent_policy_row *row);
enum ves_status ves_mem_agent_policy_list(struct ves_store *s,
                                          ves_agent_policy_visitor *visit,
                                          void *ctx);
enum ves_status ves_mem_credential_get(struct ves_store *s,
                                       const struct ves_hash *key_hash,
                                       struct ves_arena *arena,
                                       struct ves_credential_row *row);
enum ves_status ves_mem_credential_put(struct ves_store *s,
                                       const struct ves_credential_row *row);
enum ves_status ves_mem_credential_list(struct ves_store *s,
                                        ves_credential_visitor *visit,
                                        void *ctx);
enum ves_status ves_mem_invitation_get(struct ves_store *s,
                                       const struct ves_uuid *invitation_id,
                                       struct ves_invitation_row *row);
enum ves_status ves_mem_invitation_put(struct ves_store *s,
                                       const struct ves_invitation_row *row);

#endif
