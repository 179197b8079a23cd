/* store.h -- what the engines need from durable storage (design.md D15).
 *
 * Calls are synchronous and batched: arrays in, arrays out, bytes and never
 * database types.  A back end makes everything between begin and commit atomic
 * and durable, or nothing.  In joined mode (somebody else's transaction is
 * open on the connection) begin and commit nest inside it and durability comes
 * with the outer commit.
 *
 * Rules for every call:
 *  - Reads outside a transaction are allowed and see the last commit.
 *  - Writes outside a transaction are a programmer's mistake (assertion).
 *  - On any status but VES_OK outputs are unspecified; after VES_IO, VES_NOMEM
 *    or VES_CORRUPT from a write the transaction must be rolled back and
 *    nothing of it may be assumed.  A commit that fails has rolled back.
 *    After any other failed write nothing of that call was done and the
 *    transaction may go on.
 *  - Views handed out live in the arena given to the call, or, for visitors,
 *    until the visitor returns.  A visitor returning non-OK stops the scan;
 *    that status is returned.  Visitors must not write to the store.
 *  - A store is used by one thread at a time.
 *
 * Rows are in port/store_rows.h.  test/store/suite.c is this contract as a
 * program.
 */
#ifndef VES_PORT_STORE_H
#define VES_PORT_STORE_H

#include "base/arena.h"
#include "port/store_rows.h"
#include "ves/ves.h"

/* ---- visitors ------------------------------------------------------------ */

typedef enum ves_status ves_log_visitor(void *ctx,
                                        const struct ves_log_row *row);
typedef enum ves_status ves_entity_visitor(void *ctx,
                                           const struct ves_entity_row *row);
typedef enum ves_status ves_waiting_visitor(void *ctx, uint64_t sequence,
                                            const struct ves_hash *waits_for);
typedef enum ves_status
ves_conflict_visitor(void *ctx, const struct ves_conflict_row *row);
typedef enum ves_status
ves_member_visitor(void *ctx, const struct ves_conflict_member *member);
typedef enum ves_status ves_outbox_visitor(void *ctx,
                                           const struct ves_outbox_row *row);
typedef enum ves_status ves_record_visitor(void *ctx,
                                           const struct ves_record *row);
typedef enum ves_status ves_key_visitor(void *ctx,
                                        const struct ves_key_row *row,
                                        const struct ves_key_span *span);
typedef enum ves_status
ves_commitment_visitor(void *ctx, const struct ves_commitment_row *row);
typedef enum ves_status
ves_agent_policy_visitor(void *ctx, const struct ves_agent_policy_row *row);
typedef enum ves_status
ves_credential_visitor(void *ctx, const struct ves_credential_row *row);
typedef enum ves_status ves_stream_visitor(void *ctx,
                                           const struct ves_stream_row *row);

struct ves_store;

/* Name of the value that a backup of a device's store holds and a store does
 * not; anything but "". */
#define VES_STORE_BACKUP "store.backup"

struct ves_store_ops {
    /* -- transactions -- */
    enum ves_status (*begin)(struct ves_store *s); /* VES_BUSY: locked */
    /* begin for a transaction that decides first and writes last.  In joined
     * mode it has no way back of its own: a rollback before its first write
     * takes back nothing, one after it takes the outer transaction back as a
     * whole, as a database does when the disk fails.  Either way nothing of
     * it remains. */
    enum ves_status (*begin_flat)(struct ves_store *s);
    /* begin for a transaction that writes nothing but what these streams lead
     * (the calls that take a stream's number, and stream_put of them).  Others
     * of other streams may run beside it; those of begin do not.  A stream is
     * named once.  VES_NOT_FOUND: one of them is not there, and nothing was
     * begun; a back end that has one lock for all need not look. */
    enum ves_status (*begin_streams)(struct ves_store *s,
                                     const struct ves_stream *streams,
                                     size_t count);
    enum ves_status (*commit)(struct ves_store *s);
    void (*rollback)(struct ves_store *s); /* never fails; idempotent */
    /* What is read until end_read is of one moment, whatever others commit
     * meanwhile.  Not inside a transaction; nothing is written in between. */
    enum ves_status (*begin_read)(struct ves_store *s);
    void (*end_read)(struct ves_store *s); /* never fails; idempotent */

    /* -- small named values of the whole store; name is a literal -- */
    /* value "" and VES_NOT_FOUND when it was never put. */
    enum ves_status (*meta_get)(struct ves_store *s, const char *name,
                                struct ves_arena *arena,
                                struct ves_bytes *value);
    enum ves_status (*meta_put)(struct ves_store *s, const char *name,
                                struct ves_bytes value);

    /* -- streams -- */
    /* VES_NOT_FOUND unless there; with create, makes it (needs a
     * transaction). */
    enum ves_status (*stream_get)(struct ves_store *s,
                                  const struct ves_stream *stream, bool create,
                                  struct ves_stream_row *row);
    /* Writes all but stream and head, which follows the log. */
    enum ves_status (*stream_put)(struct ves_store *s,
                                  const struct ves_stream_row *row);
    enum ves_status (*stream_list)(struct ves_store *s,
                                   ves_stream_visitor *visit, void *ctx);

    /* -- log; every row's sequence must be the stream's next -- */
    /* Last sequence number, 0 when empty; VES_NOT_FOUND without such a
     * stream. */
    enum ves_status (*log_head)(struct ves_store *s, uint32_t stream_no,
                                uint64_t *head);
    enum ves_status (*log_find_ids)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *ids, size_t count,
                                    struct ves_id_row *rows);
    /* Of several events with one command id the first. */
    enum ves_status (*log_find_commands)(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_uuid *ids,
                                         size_t count, struct ves_id_row *rows);
    /* VES_CONFLICT when a sequence or event id is taken (or at commit, ADR
     * 0064), VES_INVALID at a gap, VES_NOT_FOUND without such a stream. */
    enum ves_status (*log_append)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count);
    /* In order from `from`, at most limit rows (0: no limit). */
    enum ves_status (*log_read)(struct ves_store *s, uint32_t stream_no,
                                uint64_t from, uint32_t limit,
                                ves_log_visitor *visit, void *ctx);
    /* Changes all members from verdict to opposite.  VES_NOT_FOUND when a row
     * is not there. */
    enum ves_status (*log_judge)(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_row *rows, size_t count);
    /* Empties envelope and raw of rows with sequence < below, but of those on
     * the entities `spared` (two at most).  *count: how many. */
    enum ves_status (*log_prune)(struct ves_store *s, uint32_t stream_no,
                                 uint64_t below, const struct ves_hash *spared,
                                 size_t spared_count, uint64_t *count);

    /* Fills rows with the leaves of [from, from + count) as they are stored;
     * *found: how many there are from `from` on.  Reads nothing else. */
    enum ves_status (*log_leaves)(struct ves_store *s, uint32_t stream_no,
                                  uint64_t from, size_t count,
                                  struct ves_leaf_row *rows, size_t *found);
    /* Fills rows[i] for sequences[i].  Reads nothing else. */
    enum ves_status (*log_links)(struct ves_store *s, uint32_t stream_no,
                                 const uint64_t *sequences, size_t count,
                                 struct ves_link_row *rows);
    /* Sequences of the range's events whose entity has that type and id, in
     * order.  Costs a look at every event up to the last one found. */
    enum ves_status (*log_match)(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_match *match,
                                 uint64_t *sequences, size_t max,
                                 size_t *found);

    /* Events that wait (waits_for not zeros) for this, or for anything (NULL);
     * in the order of what they wait for, then of their sequence. */
    enum ves_status (*waiting_list)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *waits_for,
                                    uint32_t limit, ves_waiting_visitor *visit,
                                    void *ctx);
    /* The event with has_waited that is number version of its entity; its
     * sequence, 0 when there is none. */
    enum ves_status (*log_find_late)(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *entity_key,
                                     uint64_t version, uint64_t *sequence);

    /* -- conflicts -- */
    /* Fills rows[i] for ids[i]. */
    enum ves_status (*conflict_get)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *ids, size_t count,
                                    struct ves_arena *arena,
                                    struct ves_conflict_row *rows);
    /* Inserts, or replaces the one with the same id.  VES_CONFLICT when
     * another has the same `opened`. */
    enum ves_status (*conflict_put)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_conflict_row *rows,
                                    size_t count);
    /* In the order of `opened`. */
    enum ves_status (*conflict_list)(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_conflict_filter *filter,
                                     ves_conflict_visitor *visit, void *ctx);
    /* Open ones of each kind. */
    enum ves_status (*conflict_counts)(struct ves_store *s, uint32_t stream_no,
                                       uint64_t counts[VES_CONFLICT_KINDS]);
    /* Adds members; VES_CONFLICT when a place is taken. */
    enum ves_status (*member_add)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_conflict_member *members,
                                  size_t count);
    /* Those of one conflict: the branch, then the applied side. */
    enum ves_status (*member_list)(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *conflict_id,
                                   ves_member_visitor *visit, void *ctx);
    /* What one event is a member of, in the order of conflict ids. */
    enum ves_status (*member_find)(struct ves_store *s, uint32_t stream_no,
                                   uint64_t sequence, ves_member_visitor *visit,
                                   void *ctx);
    /* Forgets conflicts, members, and what waits or has waited, for judging
     * from the start. */
    enum ves_status (*verdict_reset)(struct ves_store *s, uint32_t stream_no);

    /* -- entities -- */
    /* Fills rows[i] for names[i]. */
    enum ves_status (*entity_get)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_name *names,
                                  size_t count, struct ves_arena *arena,
                                  struct ves_entity_row *rows);
    enum ves_status (*entity_put)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_row *rows,
                                  size_t count);
    /* Rows with from <= key, in key order; limit 0, entity_type "": all. */
    enum ves_status (*entity_scan)(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *from, uint32_t limit,
                                   struct ves_bytes entity_type,
                                   ves_entity_visitor *visit, void *ctx);
    /* Forgets all but names and own_*, for judging and folding anew. */
    enum ves_status (*entity_reset)(struct ves_store *s, uint32_t stream_no);

    /* -- state buckets (decision 14); 4,096 of them, device only -- */
    /* hash[i], is_dirty[i] for i in [0, 4096); never written: zero, clean. */
    enum ves_status (*bucket_get_all)(struct ves_store *s, uint32_t stream_no,
                                      struct ves_hash *hashes, bool *is_dirty);
    enum ves_status (*bucket_mark)(struct ves_store *s, uint32_t stream_no,
                                   const uint16_t *buckets, size_t count);
    /* The entities of a bucket that have a state, in the order of keys, in
     * arena. */
    enum ves_status (*bucket_read)(struct ves_store *s, uint32_t stream_no,
                                   uint16_t bucket, struct ves_arena *arena,
                                   struct ves_state_pair **pairs,
                                   size_t *count);
    /* Writes the hash and makes it clean. */
    enum ves_status (*bucket_put)(struct ves_store *s, uint32_t stream_no,
                                  uint16_t bucket, const struct ves_hash *hash);

    /* -- outbox -- */
    /* Gives rows[i].local_seq.  VES_CONFLICT when an event id is taken. */
    enum ves_status (*outbox_append)(struct ves_store *s,
                                     struct ves_outbox_row *rows, size_t count);
    /* rows[i].local_seq is 0 when ids[i] is not there. */
    enum ves_status (*outbox_get)(struct ves_store *s,
                                  const struct ves_uuid *ids, size_t count,
                                  struct ves_arena *arena,
                                  struct ves_outbox_row *rows);
    enum ves_status (*outbox_list)(struct ves_store *s,
                                   const struct ves_outbox_filter *filter,
                                   ves_outbox_visitor *visit, void *ctx);
    /* The newest `count` rows in the overlay of the entity whose newest row is
     * last (own_count and own_last), oldest first: found by entity_prev, so
     * that no index by entity has to be kept. */
    enum ves_status (*outbox_overlay)(struct ves_store *s, uint64_t last,
                                      uint64_t count, ves_outbox_visitor *visit,
                                      void *ctx);
    /* Rows in the overlay that have a receipt for one of the numbers first to
     * last, at most max: by number, then by local_seq.  Found by an index of
     * their own, however long the outbox is. */
    enum ves_status (*outbox_promised)(struct ves_store *s, uint64_t first,
                                       uint64_t last, size_t max,
                                       struct ves_promise_row *rows,
                                       size_t *found);
    /* Writes the moving members of rows by local_seq.  VES_NOT_FOUND when a
     * row is not there. */
    enum ves_status (*outbox_update)(struct ves_store *s,
                                     const struct ves_outbox_row *rows,
                                     size_t count);
    /* Writes event_hash, agent_seq and envelope of one row by local_seq: an
     * event that never left the store was signed again.  VES_NOT_FOUND when it
     * is not there. */
    enum ves_status (*outbox_resign)(struct ves_store *s,
                                     const struct ves_outbox_row *row);
    /* Rows in each status; kept, not counted. */
    enum ves_status (*outbox_counts)(struct ves_store *s,
                                     uint64_t counts[VES_OUTBOX_STATUSES]);
    /* Empties envelopes of synced rows with synced_ms < before_ms, but not of
     * those in the overlay, which is folded from them. */
    enum ves_status (*outbox_prune)(struct ves_store *s, int64_t before_ms,
                                    uint64_t *count);

    /* -- records -- */
    enum ves_status (*record_append)(struct ves_store *s,
                                     enum ves_record_kind kind,
                                     uint32_t stream_no,
                                     const struct ves_record *rows,
                                     size_t count);
    /* Rows with no >= from, oldest first (or newest first, from 0 = newest). */
    enum ves_status (*record_list)(struct ves_store *s,
                                   enum ves_record_kind kind,
                                   uint32_t stream_no, uint64_t from,
                                   bool is_descending, uint32_t limit,
                                   ves_record_visitor *visit, void *ctx);
    /* VES_NOT_FOUND unless there; VES_INVALID for trail and refusals. */
    enum ves_status (*record_close)(struct ves_store *s,
                                    enum ves_record_kind kind,
                                    uint32_t stream_no, uint64_t no,
                                    int64_t closed_ms);
    /* Open records of a kind (closed_ms 0). */
    enum ves_status (*record_count_open)(struct ves_store *s,
                                         enum ves_record_kind kind,
                                         uint32_t stream_no, uint64_t *count);

    /* -- the log that is followed, device only -- */
    /* VES_NOT_FOUND before the first follow_put. */
    enum ves_status (*follow_get)(struct ves_store *s, uint32_t stream_no,
                                  struct ves_arena *arena,
                                  struct ves_follow_row *row);
    /* Inserts or replaces. */
    enum ves_status (*follow_put)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_follow_row *row);
    /* Adds a head and forgets all but the `keep` largest.  VES_CONFLICT when
     * one of that size has another root. */
    enum ves_status (*kept_head_put)(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_kept_head *head,
                                     uint32_t keep);
    /* Forgets those of size > above, as if they had never been kept. */
    enum ves_status (*kept_heads_cut)(struct ves_store *s, uint32_t stream_no,
                                      uint64_t above);
    /* Fills rows with those of size >= from, in order. */
    enum ves_status (*kept_heads_read)(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, size_t count,
                                       struct ves_kept_head *rows,
                                       size_t *found);

    /* Moves the log's rows with a number > above, as they are, to what the
     * epoch of that number gave up; *count: how many.  The only way in which an
     * event leaves a log.  Conflicts, entities and what waits are not touched:
     * the caller folds again.  VES_CONFLICT when that epoch gave up one of
     * these numbers before. */
    enum ves_status (*log_give_up)(struct ves_store *s, uint32_t stream_no,
                                   uint64_t above, uint64_t epoch,
                                   uint64_t *count);
    /* What was given up, in the order of sequence numbers from `from`, then of
     * epochs; at most limit rows (0: no limit). */
    enum ves_status (*given_up_read)(struct ves_store *s, uint32_t stream_no,
                                     uint64_t from, uint32_t limit,
                                     ves_given_up_visitor *visit, void *ctx);

    /* -- keys -- */
    /* VES_NOT_FOUND unless there. */
    enum ves_status (*key_get)(struct ves_store *s,
                               const struct ves_uuid *tenant,
                               const struct ves_uuid *agent, uint32_t key_id,
                               struct ves_arena *arena,
                               struct ves_key_row *row);
    /* Several of one tenant at once, with what key_span_get says of them in
     * that stream, and their agents' policies: found[i] for names[i]. */
    enum ves_status (*key_find)(struct ves_store *s, uint32_t stream_no,
                                const struct ves_uuid *tenant,
                                const struct ves_key_name *names, size_t count,
                                struct ves_arena *arena,
                                struct ves_key_found *found);
    /* Inserts or replaces. */
    enum ves_status (*key_put)(struct ves_store *s,
                               const struct ves_key_row *row);
    enum ves_status (*key_span_get)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id, struct ves_key_span *span);
    enum ves_status (*key_span_put)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id,
                                    const struct ves_key_span *span);
    /* As if it had never been put; device only. */
    enum ves_status (*key_span_forget)(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_uuid *agent,
                                       uint32_t key_id);
    /* All keys of a tenant (agent NULL: all agents), ascending agent, key id;
     * the span is that of stream_no (0: not asked, is_found false). */
    enum ves_status (*key_list)(struct ves_store *s,
                                const struct ves_uuid *tenant,
                                const struct ves_uuid *agent,
                                uint32_t stream_no, ves_key_visitor *visit,
                                void *ctx);

    /* -- sequencer only -- */
    /* VES_CONFLICT when its batch id or its start is taken. */
    enum ves_status (*commitment_put)(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_commitment_row *row);
    /* Any stream; VES_NOT_FOUND unless there. */
    enum ves_status (*commitment_get)(struct ves_store *s,
                                      const struct ves_uuid *batch_id,
                                      uint32_t *stream_no,
                                      struct ves_commitment_row *row);
    /* The commitment that covers a sequence; VES_NOT_FOUND if none. */
    enum ves_status (*commitment_covering)(struct ves_store *s,
                                           uint32_t stream_no,
                                           uint64_t sequence,
                                           struct ves_commitment_row *row);
    /* Oldest first, sequence_start >= from. */
    enum ves_status (*commitment_list)(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, uint32_t limit,
                                       ves_commitment_visitor *visit,
                                       void *ctx);
    /* VES_NOT_FOUND before the first tlog_append. */
    enum ves_status (*tlog_get)(struct ves_store *s, uint32_t stream_no,
                                struct ves_arena *arena,
                                struct ves_tlog_row *row);
    /* The stream with that id; VES_NOT_FOUND. */
    enum ves_status (*tlog_find)(struct ves_store *s,
                                 const struct ves_hash *stream_id,
                                 struct ves_stream_row *row);
    /* Makes the edge the log's and adds hashes to the tiles, each level's in
     * ascending order; the first call makes the row.  VES_CONFLICT when a hash
     * is there already, VES_INVALID when one would leave a gap. */
    enum ves_status (*tlog_append)(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *stream_id,
                                   struct ves_bytes edge,
                                   const struct ves_tile_hash *hashes,
                                   size_t count);
    /* Replaces the signed head when that of expected_size is there still.
     * VES_CONFLICT when it is another, VES_NOT_FOUND without a row. */
    enum ves_status (*tlog_sign)(struct ves_store *s, uint32_t stream_no,
                                 uint64_t expected_size,
                                 const struct ves_head_row *head);
    /* at_ms 0: not frozen any more.  VES_NOT_FOUND without a row. */
    enum ves_status (*tlog_freeze)(struct ves_store *s, uint32_t stream_no,
                                   int64_t at_ms, struct ves_bytes why);
    /* The heads of the log that somebody cosigned (core/cosigned.h); "" when
     * it was never put. */
    enum ves_status (*cosigned_get)(struct ves_store *s, uint32_t stream_no,
                                    struct ves_arena *arena,
                                    struct ves_bytes *notes);
    /* VES_NOT_FOUND without such a stream. */
    enum ves_status (*cosigned_put)(struct ves_store *s, uint32_t stream_no,
                                    struct ves_bytes notes);
    /* The hashes of one tile, in order; *count is 0 when it is not there.
     * hashes has room for VES_STORE_TILE_WIDTH. */
    enum ves_status (*tile_read)(struct ves_store *s, uint32_t stream_no,
                                 uint32_t level, uint64_t index,
                                 struct ves_hash *hashes, size_t *count);
    /* 0 when never put; *updated_ms too. */
    enum ves_status (*cursor_get)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t *sequence, int64_t *updated_ms);
    enum ves_status (*cursor_put)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t sequence, int64_t updated_ms);
    /* VES_NOT_FOUND unless there. */
    enum ves_status (*agent_policy_get)(struct ves_store *s,
                                        const struct ves_uuid *tenant,
                                        const struct ves_uuid *agent,
                                        struct ves_arena *arena,
                                        struct ves_agent_policy_row *row);
    /* Inserts or replaces. */
    enum ves_status (*agent_policy_put)(struct ves_store *s,
                                        const struct ves_agent_policy_row *row);
    /* All of them, ascending tenant, agent. */
    enum ves_status (*agent_policy_list)(struct ves_store *s,
                                         ves_agent_policy_visitor *visit,
                                         void *ctx);
    enum ves_status (*credential_get)(struct ves_store *s,
                                      const struct ves_hash *key_hash,
                                      struct ves_arena *arena,
                                      struct ves_credential_row *row);
    enum ves_status (*credential_put)(struct ves_store *s,
                                      const struct ves_credential_row *row);
    /* In the order of key hashes. */
    enum ves_status (*credential_list)(struct ves_store *s,
                                       ves_credential_visitor *visit,
                                       void *ctx);
    enum ves_status (*invitation_get)(struct ves_store *s,
                                      const struct ves_uuid *invitation_id,
                                      struct ves_invitation_row *row);
    enum ves_status (*invitation_put)(struct ves_store *s,
                                      const struct ves_invitation_row *row);
};

struct ves_store {
    const struct ves_store_ops *ops;
    struct ves_error error; /* words about the last failure, for people */
};

#endif
