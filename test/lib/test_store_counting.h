/* test_store_counting.h -- a store that counts what is asked of another.
 *
 * For tests that say how many calls a step may make: on a database behind a
 * network every call is a round trip (design.md D15).
 */
#ifndef TEST_LIB_TEST_STORE_COUNTING_H
#define TEST_LIB_TEST_STORE_COUNTING_H

#include "port/store.h"

/* Every operation that returns a status, in the order of struct ves_store_ops:
 * name, parameters, arguments. */
#define TEST_STORE_OPS(X)                                                      \
    X(meta_get,                                                                \
      (const char *name, struct ves_arena *arena, struct ves_bytes *value),    \
      (name, arena, value))                                                    \
    X(meta_put, (const char *name, struct ves_bytes value), (name, value))     \
    X(stream_get,                                                              \
      (const struct ves_stream *stream, bool create,                           \
       struct ves_stream_row *row),                                            \
      (stream, create, row))                                                   \
    X(stream_put, (const struct ves_stream_row *row), (row))                   \
    X(stream_list, (ves_stream_visitor * visit, void *ctx), (visit, ctx))      \
    X(log_head, (uint32_t stream_no, uint64_t * head), (stream_no, head))      \
    X(log_find_ids,                                                            \
      (uint32_t stream_no, const struct ves_uuid *ids, size_t count,           \
       struct ves_id_row *rows),                                               \
      (stream_no, ids, count, rows))                                           \
    X(log_find_commands,                                                       \
      (uint32_t stream_no, const struct ves_uuid *ids, size_t count,           \
       struct ves_id_row *rows),                                               \
      (stream_no, ids, count, rows))                                           \
    X(log_append,                                                              \
      (uint32_t stream_no, const struct ves_log_row *rows, size_t count),      \
      (stream_no, rows, count))                                                \
    X(log_read,                                                                \
      (uint32_t stream_no, uint64_t from, uint32_t limit,                      \
       ves_log_visitor * visit, void *ctx),                                    \
      (stream_no, from, limit, visit, ctx))                                    \
    X(log_judge,                                                               \
      (uint32_t stream_no, const struct ves_log_row *rows, size_t count),      \
      (stream_no, rows, count))                                                \
    X(log_prune,                                                               \
      (uint32_t stream_no, uint64_t below, const struct ves_hash *spared,      \
       size_t spared_count, uint64_t *count),                                  \
      (stream_no, below, spared, spared_count, count))                         \
    X(waiting_list,                                                            \
      (uint32_t stream_no, const struct ves_hash *waits_for, uint32_t limit,   \
       ves_waiting_visitor *visit, void *ctx),                                 \
      (stream_no, waits_for, limit, visit, ctx))                               \
    X(log_find_late,                                                           \
      (uint32_t stream_no, const struct ves_hash *entity_key,                  \
       uint64_t version, uint64_t *sequence),                                  \
      (stream_no, entity_key, version, sequence))                              \
    X(conflict_get,                                                            \
      (uint32_t stream_no, const struct ves_hash *ids, size_t count,           \
       struct ves_arena *arena, struct ves_conflict_row *rows),                \
      (stream_no, ids, count, arena, rows))                                    \
    X(conflict_put,                                                            \
      (uint32_t stream_no, const struct ves_conflict_row *rows, size_t count), \
      (stream_no, rows, count))                                                \
    X(conflict_list,                                                           \
      (uint32_t stream_no, const struct ves_conflict_filter *filter,           \
       ves_conflict_visitor *visit, void *ctx),                                \
      (stream_no, filter, visit, ctx))                                         \
    X(conflict_counts,                                                         \
      (uint32_t stream_no, uint64_t counts[VES_CONFLICT_KINDS]),               \
      (stream_no, counts))                                                     \
    X(member_add,                                                              \
      (uint32_t stream_no, const struct ves_conflict_member *members,          \
       size_t count),                                                          \
      (stream_no, members, count))                                             \
    X(member_list,                                                             \
      (uint32_t stream_no, const struct ves_hash *conflict_id,                 \
       ves_member_visitor *visit, void *ctx),                                  \
      (stream_no, conflict_id, visit, ctx))                                    \
    X(member_find,                                                             \
      (uint32_t stream_no, uint64_t sequence, ves_member_visitor * visit,      \
       void *ctx),                                                             \
      (stream_no, sequence, visit, ctx))                                       \
    X(verdict_reset, (uint32_t stream_no), (stream_no))                        \
    X(entity_get,                                                              \
      (uint32_t stream_no, const struct ves_entity_name *names, size_t count,  \
       struct ves_arena *arena, struct ves_entity_row *rows),                  \
      (stream_no, names, count, arena, rows))                                  \
    X(entity_put,                                                              \
      (uint32_t stream_no, const struct ves_entity_row *rows, size_t count),   \
      (stream_no, rows, count))                                                \
    X(entity_scan,                                                             \
      (uint32_t stream_no, const struct ves_hash *from, uint32_t limit,        \
       struct ves_bytes entity_type, ves_entity_visitor *visit, void *ctx),    \
      (stream_no, from, limit, entity_type, visit, ctx))                       \
    X(entity_reset, (uint32_t stream_no), (stream_no))                         \
    X(bucket_get_all,                                                          \
      (uint32_t stream_no, struct ves_hash * hashes, bool *is_dirty),          \
      (stream_no, hashes, is_dirty))                                           \
    X(bucket_read,                                                             \
      (uint32_t stream_no, uint16_t bucket, struct ves_arena * arena,          \
       struct ves_state_pair * *pairs, size_t * count),                        \
      (stream_no, bucket, arena, pairs, count))                                \
    X(bucket_mark,                                                             \
      (uint32_t stream_no, const uint16_t *buckets, size_t count),             \
      (stream_no, buckets, count))                                             \
    X(bucket_put,                                                              \
      (uint32_t stream_no, uint16_t bucket, const struct ves_hash *hash),      \
      (stream_no, bucket, hash))                                               \
    X(outbox_append, (struct ves_outbox_row * rows, size_t count),             \
      (rows, count))                                                           \
    X(outbox_get,                                                              \
      (const struct ves_uuid *ids, size_t count, struct ves_arena *arena,      \
       struct ves_outbox_row *rows),                                           \
      (ids, count, arena, rows))                                               \
    X(outbox_list,                                                             \
      (const struct ves_outbox_filter *filter, ves_outbox_visitor *visit,      \
       void *ctx),                                                             \
      (filter, visit, ctx))                                                    \
    X(outbox_overlay,                                                          \
      (uint64_t last, uint64_t count, ves_outbox_visitor * visit, void *ctx),  \
      (last, count, visit, ctx))                                               \
    X(outbox_promised,                                                         \
      (uint64_t first, uint64_t last, size_t max,                              \
       struct ves_promise_row * rows, size_t * found),                         \
      (first, last, max, rows, found))                                         \
    X(outbox_update, (const struct ves_outbox_row *rows, size_t count),        \
      (rows, count))                                                           \
    X(outbox_resign, (const struct ves_outbox_row *row), (row))                \
    X(outbox_counts, (uint64_t counts[VES_OUTBOX_STATUSES]), (counts))         \
    X(outbox_prune, (int64_t before_ms, uint64_t * count), (before_ms, count)) \
    X(record_append,                                                           \
      (enum ves_record_kind kind, uint32_t stream_no,                          \
       const struct ves_record *rows, size_t count),                           \
      (kind, stream_no, rows, count))                                          \
    X(record_list,                                                             \
      (enum ves_record_kind kind, uint32_t stream_no, uint64_t from,           \
       bool is_descending, uint32_t limit, ves_record_visitor *visit,          \
       void *ctx),                                                             \
      (kind, stream_no, from, is_descending, limit, visit, ctx))               \
    X(record_close,                                                            \
      (enum ves_record_kind kind, uint32_t stream_no, uint64_t no,             \
       int64_t closed_ms),                                                     \
      (kind, stream_no, no, closed_ms))                                        \
    X(record_count_open,                                                       \
      (enum ves_record_kind kind, uint32_t stream_no, uint64_t * count),       \
      (kind, stream_no, count))                                                \
    X(follow_get,                                                              \
      (uint32_t stream_no, struct ves_arena * arena,                           \
       struct ves_follow_row * row),                                           \
      (stream_no, arena, row))                                                 \
    X(follow_put, (uint32_t stream_no, const struct ves_follow_row *row),      \
      (stream_no, row))                                                        \
    X(kept_head_put,                                                           \
      (uint32_t stream_no, const struct ves_kept_head *head, uint32_t keep),   \
      (stream_no, head, keep))                                                 \
    X(kept_heads_read,                                                         \
      (uint32_t stream_no, uint64_t from, size_t count,                        \
       struct ves_kept_head * rows, size_t * found),                           \
      (stream_no, from, count, rows, found))                                   \
    X(kept_heads_cut, (uint32_t stream_no, uint64_t above),                    \
      (stream_no, above))                                                      \
    X(log_give_up,                                                             \
      (uint32_t stream_no, uint64_t above, uint64_t epoch, uint64_t * count),  \
      (stream_no, above, epoch, count))                                        \
    X(given_up_read,                                                           \
      (uint32_t stream_no, uint64_t from, uint32_t limit,                      \
       ves_given_up_visitor * visit, void *ctx),                               \
      (stream_no, from, limit, visit, ctx))                                    \
    X(key_get,                                                                 \
      (const struct ves_uuid *tenant, const struct ves_uuid *agent,            \
       uint32_t key_id, struct ves_arena *arena, struct ves_key_row *row),     \
      (tenant, agent, key_id, arena, row))                                     \
    X(key_find,                                                                \
      (uint32_t stream_no, const struct ves_uuid *tenant,                      \
       const struct ves_key_name *names, size_t count,                         \
       struct ves_arena *arena, struct ves_key_found *found),                  \
      (stream_no, tenant, names, count, arena, found))                         \
    X(key_put, (const struct ves_key_row *row), (row))                         \
    X(key_span_get,                                                            \
      (uint32_t stream_no, const struct ves_uuid *agent, uint32_t key_id,      \
       struct ves_key_span *span),                                             \
      (stream_no, agent, key_id, span))                                        \
    X(key_span_put,                                                            \
      (uint32_t stream_no, const struct ves_uuid *agent, uint32_t key_id,      \
       const struct ves_key_span *span),                                       \
      (stream_no, agent, key_id, span))                                        \
    X(key_span_forget,                                                         \
      (uint32_t stream_no, const struct ves_uuid *agent, uint32_t key_id),     \
      (stream_no, agent, key_id))                                              \
    X(key_list,                                                                \
      (const struct ves_uuid *tenant, const struct ves_uuid *agent,            \
       uint32_t stream_no, ves_key_visitor *visit, void *ctx),                 \
      (tenant, agent, stream_no, visit, ctx))                                  \
    X(commitment_put,                                                          \
      (uint32_t stream_no, const struct ves_commitment_row *row),              \
      (stream_no, row))                                                        \
    X(commitment_get,                                                          \
      (const struct ves_uuid *batch_id, uint32_t *stream_no,                   \
       struct ves_commitment_row *row),                                        \
      (batch_id, stream_no, row))                                              \
    X(commitment_covering,                                                     \
      (uint32_t stream_no, uint64_t sequence,                                  \
       struct ves_commitment_row * row),                                       \
      (stream_no, sequence, row))                                              \
    X(commitment_list,                                                         \
      (uint32_t stream_no, uint64_t from, uint32_t limit,                      \
       ves_commitment_visitor * visit, void *ctx),                             \
      (stream_no, from, limit, visit, ctx))                                    \
    X(tlog_get,                                                                \
      (uint32_t stream_no, struct ves_arena * arena,                           \
       struct ves_tlog_row * row),                                             \
      (stream_no, arena, row))                                                 \
    X(tlog_find,                                                               \
      (const struct ves_hash *stream_id, struct ves_stream_row *row),          \
      (stream_id, row))                                                        \
    X(tlog_append,                                                             \
      (uint32_t stream_no, const struct ves_hash *stream_id,                   \
       struct ves_bytes edge, const struct ves_tile_hash *hashes,              \
       size_t count),                                                          \
      (stream_no, stream_id, edge, hashes, count))                             \
    X(tlog_sign,                                                               \
      (uint32_t stream_no, uint64_t expected_size,                             \
       const struct ves_head_row *head),                                       \
      (stream_no, expected_size, head))                                        \
    X(tlog_freeze, (uint32_t stream_no, int64_t at_ms, struct ves_bytes why),  \
      (stream_no, at_ms, why))                                                 \
    X(cosigned_get,                                                            \
      (uint32_t stream_no, struct ves_arena * arena,                           \
       struct ves_bytes * notes),                                              \
      (stream_no, arena, notes))                                               \
    X(cosigned_put, (uint32_t stream_no, struct ves_bytes notes),              \
      (stream_no, notes))                                                      \
    X(tile_read,                                                               \
      (uint32_t stream_no, uint32_t level, uint64_t index,                     \
       struct ves_hash * hashes, size_t * count),                              \
      (stream_no, level, index, hashes, count))                                \
    X(log_leaves,                                                              \
      (uint32_t stream_no, uint64_t from, size_t count,                        \
       struct ves_leaf_row * rows, size_t * found),                            \
      (stream_no, from, count, rows, found))                                   \
    X(log_links,                                                               \
      (uint32_t stream_no, const uint64_t *sequences, size_t count,            \
       struct ves_link_row *rows),                                             \
      (stream_no, sequences, count, rows))                                     \
    X(log_match,                                                               \
      (uint32_t stream_no, const struct ves_log_match *match,                  \
       uint64_t *sequences, size_t max, size_t *found),                        \
      (stream_no, match, sequences, max, found))                               \
    X(cursor_get,                                                              \
      (uint32_t stream_no, const struct ves_uuid *agent, uint64_t *sequence,   \
       int64_t *updated_ms),                                                   \
      (stream_no, agent, sequence, updated_ms))                                \
    X(cursor_put,                                                              \
      (uint32_t stream_no, const struct ves_uuid *agent, uint64_t sequence,    \
       int64_t updated_ms),                                                    \
      (stream_no, agent, sequence, updated_ms))                                \
    X(agent_policy_get,                                                        \
      (const struct ves_uuid *tenant, const struct ves_uuid *agent,            \
       struct ves_arena *arena, struct ves_agent_policy_row *row),             \
      (tenant, agent, arena, row))                                             \
    X(agent_policy_put, (const struct ves_agent_policy_row *row), (row))       \
    X(agent_policy_list, (ves_agent_policy_visitor * visit, void *ctx),        \
      (visit, ctx))                                                            \
    X(credential_get,                                                          \
      (const struct ves_hash *key_hash, struct ves_arena *arena,               \
       struct ves_credential_row *row),                                        \
      (key_hash, arena, row))                                                  \
    X(credential_put, (const struct ves_credential_row *row), (row))           \
    X(credential_list, (ves_credential_visitor * visit, void *ctx),            \
      (visit, ctx))                                                            \
    X(invitation_get,                                                          \
      (const struct ves_uuid *invitation_id, struct ves_invitation_row *row),  \
      (invitation_id, row))                                                    \
    X(invitation_put, (const struct ves_invitation_row *row), (row))

struct test_store_calls {
    uint64_t begin, commit, rollback;
#define X(name, parameters, arguments) uint64_t name;
    TEST_STORE_OPS(X)
#undef X
};

struct test_counting {
    struct ves_store store; /* use this one */
    struct ves_store *inner;
    struct test_store_calls calls; /* since _init or _reset */
};

/* counting forwards to inner, which stays the caller's. */
void test_counting_init(struct test_counting *counting,
                        struct ves_store *inner);
void test_counting_reset(struct test_counting *counting);
/* All calls but begin, commit and rollback. */
uint64_t test_counting_total(const struct test_counting *counting);

#endif
