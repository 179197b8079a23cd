/* tree.c -- the provable log's tree, recomputed beside what is stored of it:
 * tiles, edge, signed head. */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "core/merkle.h"

static void find(struct ves_audit *audit, uint64_t size, const char *what)
{
    ves_audit_find(audit, VES_AUDIT_TREE, size, "%s", what);
}

/* Whose log the row is, and whether it is one that goes on. */
static void check_row(struct ves_audit *audit,
                      const struct ves_audit_stream *stream,
                      const struct ves_tlog_row *row)
{
    struct ves_hash id;

    ves_stream_id(&stream->row.stream, &id);
    if (!ves_hash_equal(&id, &row->stream_id))
        find(audit, 0, "the tree is said to be of another stream");
    if ((row->frozen_at_ms != 0) != (row->frozen_why.len > 0))
        find(audit, 0,
             "the log is frozen without a reason, or has a reason "
             "without being frozen");
    else if (row->frozen_at_ms != 0)
        ves_audit_unknown(
            audit, VES_AUDIT_TREE, "the log is frozen: %.*s",
            (int)(row->frozen_why.len < 300 ? row->frozen_why.len : 300),
            (const char *)row->frozen_why.ptr);
}

enum ves_status ves_audit_tree_open(struct ves_audit *audit,
                                    struct ves_audit_stream *stream)
{
    struct ves_store *store = audit->store;
    struct ves_tlog_row row;

    enum ves_status status = ves_audit_known(audit, stream);
    if (status)
        return status;
    if (audit->role != VES_STORE_SEQUENCER)
        return ves_audit_heads_followed(audit, stream);
    status =
        store->ops->tlog_get(store, stream->row.stream_no, &audit->arena, &row);
    if (status == VES_NOT_FOUND) {
        if (stream->row.head > 0)
            ves_audit_unknown(audit, VES_AUDIT_TREE,
                              "the database is of a time before it kept the "
                              "tree; serve it once");
        return VES_OK;
    }
    if (status)
        return status;
    check_row(audit, stream, &row);
    stream->has_tree = true;
    stream->signed_size = row.signed_size;
    stream->signed_root = row.signed_root;
    stream->signed_at_ms = row.signed_at_ms;
    stream->stored_edge = row.edge;
    stream->tiles = ves_arena_alloc(&audit->arena, sizeof(*stream->tiles));
    if (!stream->tiles)
        return VES_NOMEM;
    status = ves_audit_heads_signed(audit, stream, &row);
    return status ? status : ves_audit_heads_cosigned(audit, stream);
}

/* Compares a tile of which count hashes are known with the stored one. */
static enum ves_status compare_tile(struct ves_audit *audit,
                                    struct ves_audit_stream *stream,
                                    uint32_t level, uint64_t index,
                                    size_t count)
{
    struct ves_hash stored[VES_STORE_TILE_WIDTH];
    struct ves_store *store = audit->store;
    size_t there = 0;

    enum ves_status status = store->ops->tile_read(
        store, stream->row.stream_no, level, index, stored, &there);
    if (status)
        return status;
    ves_audit_count(audit, VES_AUDIT_TREE, 1);
    if (there != count || memcmp(stored, stream->tiles->hash[level],
                                 count * sizeof(*stored)) != 0)
        ves_audit_find(audit, VES_AUDIT_TREE, stream->edge.size,
                       "tile %llu of level %u is not what the events lead to",
                       (unsigned long long)index, level);
    return VES_OK;
}

/* Compares with what is known of the log at this size. */
static void check_heads(struct ves_audit *audit,
                        struct ves_audit_stream *stream)
{
    const struct ves_audit_options *options = audit->options;
    uint64_t size = stream->edge.size;
    struct ves_hash root;

    ves_audit_heads_pass(audit, stream);
    if (audit->has_published && audit->published.size == size) {
        ves_tlog_edge_root(&stream->edge, &root);
        ves_audit_count(audit, VES_AUDIT_TREE, 1);
        if (!ves_hash_equal(&root, &audit->published.root))
            find(audit, size,
                 "the log that is published is not that of the events that "
                 "are given out");
    }
    for (size_t i = 0; i < options->head_count; i++) {
        if (options->heads[i].size != size)
            continue;
        ves_tlog_edge_root(&stream->edge, &root);
        if (ves_hash_equal(&root, &options->heads[i].root))
            audit->heads_met[i] = true;
        else
            audit->heads_missed[i] = true;
    }
}

/* Of several streams a head is of one; that it is not another's says
 * nothing. */
void ves_audit_tree_heads(struct ves_audit *audit)
{
    const struct ves_audit_options *options = audit->options;

    if (audit->published_note.len > 0 && !audit->streams)
        find(audit, audit->published.size,
             "a checkpoint is published, and no event is given out");
    for (size_t i = 0; i < options->known_count; i++) {
        if (!audit->known_used[i])
            ves_audit_unknown(audit, VES_AUDIT_TREE,
                              "%.200s knows no head of what was audited",
                              options->known[i]);
    }
    for (size_t i = 0; i < options->head_count; i++) {
        ves_audit_count(audit, VES_AUDIT_TREE, 1);
        if (audit->heads_met[i])
            continue;
        find(audit, options->heads[i].size,
             audit->heads_missed[i]
                 ? "the tree of this size is not the one you know"
                 : "you know a tree of this size, and the log is shorter: it "
                   "was cut, or restored from a copy");
    }
}

enum ves_status ves_audit_tree_add(struct ves_audit *audit,
                                   struct ves_audit_stream *stream,
                                   const struct ves_hash *leaf)
{
    struct ves_tlog_made made[VES_TLOG_MADE_MAX];
    size_t count;

    enum ves_status status =
        ves_tlog_edge_append(&stream->edge, leaf, made, &count);
    for (size_t i = 0; i < count && !status && stream->has_tree; i++) {
        uint32_t level = made[i].node.level / VES_TLOG_TILE_HEIGHT;
        uint64_t index = made[i].node.index;
        if (level >= VES_STORE_TILE_LEVELS)
            continue;
        stream->tiles->hash[level][index % VES_STORE_TILE_WIDTH] = made[i].hash;
        if (index % VES_STORE_TILE_WIDTH == VES_STORE_TILE_WIDTH - 1)
            status =
                compare_tile(audit, stream, level, index / VES_STORE_TILE_WIDTH,
                             VES_STORE_TILE_WIDTH);
    }
    if (!status)
        check_heads(audit, stream);
    return status;
}

enum ves_status ves_audit_tree_end(struct ves_audit *audit,
                                   struct ves_audit_stream *stream)
{
    uint64_t entries = stream->edge.size;
    enum ves_status status = VES_OK;
    struct ves_buf edge;

    ves_audit_heads_left(audit, stream);
    if (!stream->has_tree)
        return VES_OK;
    for (uint32_t level = 0; level < VES_STORE_TILE_LEVELS && !status;
         level++, entries /= VES_STORE_TILE_WIDTH) {
        if (entries % VES_STORE_TILE_WIDTH > 0)
            status = compare_tile(audit, stream, level,
                                  entries / VES_STORE_TILE_WIDTH,
                                  (size_t)(entries % VES_STORE_TILE_WIDTH));
    }
    if (status)
        return status;
    ves_buf_init(&edge, audit->alloc, 4096);
    ves_tlog_edge_write(&edge, &stream->edge);
    status = ves_buf_status(&edge);
    if (!status && !ves_bytes_equal(ves_buf_view(&edge), stream->stored_edge))
        find(audit, stream->edge.size,
             "the edge of the tree is not what the events lead to");
    ves_buf_free(&edge);
    return status;
}
