/* commitments.c -- Merkle commitments over ranges of a stream (A.8, B.7). */
#include "base/assert.h"
#include "base/error.h"
#include "core/merkle.h"
#include "engine/sequencer.h"

struct range {
    struct ves_sequencer *sequencer;
    struct ves_stream_row stream;
    uint64_t start, end;
    const struct ves_uuid *batch_id;
    int64_t now_ms;
    struct ves_hash *leaves;
    size_t leaf_count;
    struct ves_error *error;
};

static enum ves_status store_failed(struct range *range, enum ves_status status)
{
    const struct ves_store *store = range->sequencer->store;

    return ves_fail(range->error, status, "%s; nothing was committed",
                    store->error.status == status ? store->error.text
                                                  : ves_status_message(status));
}

/* A range that begins inside what is committed: the same again, or wrong. */
static enum ves_status find_stored(struct range *range,
                                   struct ves_commitment_row *out)
{
    struct ves_store *store = range->sequencer->store;

    enum ves_status status = store->ops->commitment_covering(
        store, range->stream.stream_no, range->start, out);
    if (status)
        return store_failed(range, status);
    if (out->sequence_start != range->start)
        return ves_fail(range->error, VES_INVALID,
                        "sequence_start is %llu; the next commitment starts "
                        "at %llu",
                        (unsigned long long)range->start,
                        (unsigned long long)range->stream.committed_end + 1);
    if (out->sequence_end != range->end)
        return ves_fail(range->error, VES_INVALID,
                        "the commitment that starts at %llu ends at %llu, not "
                        "at %llu",
                        (unsigned long long)range->start,
                        (unsigned long long)out->sequence_end,
                        (unsigned long long)range->end);
    return VES_OK;
}

static enum ves_status check_range(const struct range *range)
{
    if (range->start != range->stream.committed_end + 1)
        return ves_fail(range->error, VES_INVALID,
                        "sequence_start is %llu; the next commitment starts "
                        "at %llu",
                        (unsigned long long)range->start,
                        (unsigned long long)range->stream.committed_end + 1);
    if (range->end > range->stream.head)
        return ves_fail(range->error, VES_INVALID,
                        "sequence_end is %llu; the stream ends at %llu",
                        (unsigned long long)range->end,
                        (unsigned long long)range->stream.head);
    if (range->end - range->start >= VES_COMMITMENT_MAX)
        return ves_fail(range->error, VES_INVALID,
                        "the range has %llu events; at most %d are allowed",
                        (unsigned long long)(range->end - range->start + 1),
                        (int)VES_COMMITMENT_MAX);
    return VES_OK;
}

static enum ves_status take_leaf(void *ctx, const struct ves_log_row *row)
{
    struct range *range = ctx;
    uint64_t expected = range->start + range->leaf_count;

    if (row->sequence_number != expected || expected > range->end)
        return VES_CORRUPT;
    ves_leaf_hash(&range->stream.stream, row->sequence_number, &row->event_hash,
                  &row->signature, &range->leaves[range->leaf_count]);
    range->leaf_count++;
    return VES_OK;
}

static enum ves_status read_leaves(struct range *range)
{
    struct ves_store *store = range->sequencer->store;
    size_t count = (size_t)(range->end - range->start + 1);

    enum ves_status status =
        store->ops->log_read(store, range->stream.stream_no, range->start,
                             (uint32_t)count, take_leaf, range);
    if (!status && range->leaf_count != count)
        status = VES_CORRUPT;
    if (status == VES_CORRUPT)
        return ves_fail(range->error, VES_CORRUPT,
                        "the log has a gap after sequence %llu; nothing was "
                        "committed",
                        (unsigned long long)(range->start + range->leaf_count) -
                            1);
    return status ? store_failed(range, status) : VES_OK;
}

static enum ves_status make_row(struct range *range, struct ves_arena *arena,
                                struct ves_commitment_row *out)
{
    size_t count = (size_t)(range->end - range->start + 1);
    struct ves_hash stream_id;

    range->leaves = ves_arena_alloc(arena, count * sizeof(*range->leaves));
    struct ves_hash *scratch = ves_arena_alloc(
        arena, (size_t)ves_padded_count(count) * sizeof(*scratch));
    if (!range->leaves || !scratch)
        return ves_fail(range->error, VES_NOMEM,
                        "out of memory; nothing was committed");
    enum ves_status status = read_leaves(range);
    if (status)
        return status;
    *out = (struct ves_commitment_row){
        .batch_id = *range->batch_id,
        .sequence_start = range->start,
        .sequence_end = range->end,
        .leaf_count = (uint32_t)count,
        .prev_state_root = range->stream.state_root,
        .committed_at_ms = range->now_ms,
    };
    status = ves_merkle_root(range->leaves, count, scratch, &out->merkle_root);
    VES_ASSERT(status == VES_OK); /* the count was checked */
    ves_stream_id(&range->stream.stream, &stream_id);
    ves_state_root(&stream_id, &out->prev_state_root, &out->merkle_root,
                   out->sequence_start, out->sequence_end, out->leaf_count,
                   &out->new_state_root);
    return VES_OK;
}

static enum ves_status write_row(struct range *range,
                                 const struct ves_commitment_row *row)
{
    struct ves_store *store = range->sequencer->store;

    enum ves_status status =
        store->ops->commitment_put(store, range->stream.stream_no, row);
    if (!status) {
        range->stream.committed_end = row->sequence_end;
        range->stream.state_root = row->new_state_root;
        status = store->ops->stream_put(store, &range->stream);
    }
    return status ? store_failed(range, status) : VES_OK;
}

static enum ves_status cut(struct range *range, const struct ves_stream *stream,
                           struct ves_arena *arena,
                           struct ves_commitment_row *out)
{
    struct ves_store *store = range->sequencer->store;

    enum ves_status status =
        store->ops->stream_get(store, stream, false, &range->stream);
    if (status == VES_NOT_FOUND)
        range->stream = (struct ves_stream_row){.stream = *stream};
    else if (status)
        return store_failed(range, status);
    if (range->start <= range->stream.committed_end)
        return find_stored(range, out);
    status = check_range(range);
    if (!status)
        status = make_row(range, arena, out);
    if (!status)
        status = write_row(range, out);
    return status;
}

enum ves_status ves_sequencer_commit_range(
    struct ves_sequencer *sequencer, const struct ves_stream *stream,
    uint64_t start, uint64_t end, const struct ves_uuid *batch_id,
    int64_t now_ms, struct ves_commitment_row *out, struct ves_error *error)
{
    struct ves_store *store = sequencer->store;
    struct range range = {.sequencer = sequencer,
                          .start = start,
                          .end = end,
                          .batch_id = batch_id,
                          .now_ms = now_ms,
                          .error = error};
    struct ves_arena arena;

    if (start == 0 || end < start)
        return ves_fail(error, VES_INVALID,
                        "sequence_start must be at least 1 and sequence_end "
                        "not below it");
    enum ves_status status = store->ops->begin(store);
    if (status)
        return store_failed(&range, status);
    ves_arena_init(&arena, sequencer->alloc,
                   4 * (size_t)VES_COMMITMENT_MAX * VES_HASH_SIZE);
    status = cut(&range, stream, &arena, out);
    ves_arena_free(&arena);
    if (!status) {
        status = store->ops->commit(store);
        if (status)
            (void)store_failed(&range, status);
    }
    if (status)
        store->ops->rollback(store);
    return status;
}
