/* log_tree.c -- the provable log of a stream: growing and reading it. */
#include "engine/log_tree.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/merkle.h"
#include "core/scratch.h"
#include "engine/streams.h"

enum {
    ENTRIES = 32, /* hashed at a time */
    EDGE_BYTES_MAX = 8 + VES_TLOG_EDGE_MAX * VES_HASH_SIZE,
    PLANT_CHUNK = 4096, /* events a transaction */
    ARENA_MAX = 256 * 1024 * 1024
};

static enum ves_status is_damaged(struct ves_store *store,
                                  const struct ves_stream *stream,
                                  const char *what)
{
    char text[VES_UUID_TEXT + 1];

    ves_uuid_format(&stream->store, text);
    return ves_fail(&store->error, VES_CORRUPT,
                    "the tree of the log of store %s does not fit its events "
                    "(%s); nothing was stored: keep the file and restore a "
                    "backup",
                    text, what);
}

/* ---- growing ------------------------------------------------------------- */

/* Hashes that count events add to tiles, at most, whatever the size. */
static size_t hashes_max(size_t count)
{
    size_t all = count;

    for (size_t n = count; n > 0;) {
        n /= VES_TILE_WIDTH;
        all += n + 1; /* one more may fill with what was there */
    }
    return all + VES_STORE_TILE_LEVELS;
}

enum ves_status ves_log_tree_open(struct ves_log_tree *tree,
                                  struct ves_store *store,
                                  const struct ves_stream_row *row,
                                  struct ves_bytes edge, size_t count,
                                  struct ves_arena *arena)
{
    *tree = (struct ves_log_tree){.store = store,
                                  .arena = arena,
                                  .stream = row->stream,
                                  .stream_no = row->stream_no,
                                  .max = count,
                                  .hash_max = hashes_max(count)};
    tree->entries = ves_arena_list(arena, ENTRIES, VES_LEAF_SIZE);
    tree->leaves = ves_arena_list(arena, count, sizeof(*tree->leaves));
    tree->hashes = ves_arena_list(arena, tree->hash_max, sizeof(*tree->hashes));
    if (!tree->entries || !tree->leaves || !tree->hashes)
        return VES_NOMEM;
    if (edge.len > 0 && ves_tlog_edge_read(edge, &tree->edge))
        return is_damaged(store, &row->stream, "its edge is no edge");
    return VES_OK;
}

static void hash_entries(struct ves_log_tree *tree)
{
    ves_tlog_leaf_hash_each(tree->entries, VES_LEAF_SIZE, tree->entry_count,
                            tree->leaves + tree->leaf_count);
    tree->leaf_count += tree->entry_count;
    tree->entry_count = 0;
}

enum ves_status ves_log_tree_add(struct ves_log_tree *tree, uint64_t sequence,
                                 const struct ves_hash *hash,
                                 const struct ves_sig *signature)
{
    const struct ves_leaf leaf = {tree->stream, sequence, *hash, *signature};
    size_t added = tree->leaf_count + tree->entry_count;

    if (sequence != tree->edge.size + added + VES_TLOG_FIRST)
        return is_damaged(tree->store, &tree->stream,
                          "they have not the same size");
    VES_ASSERT(added < tree->max);
    ves_leaf_write(&leaf, tree->entries + tree->entry_count++ * VES_LEAF_SIZE);
    if (tree->entry_count == ENTRIES)
        hash_entries(tree);
    return VES_OK;
}

static void keep_hashes(void *ctx, struct ves_tlog_node first,
                        const struct ves_hash *hashes, size_t count)
{
    struct ves_log_tree *tree = ctx;

    VES_ASSERT(tree->count + count <= tree->hash_max);
    for (size_t i = 0; i < count; i++)
        tree->hashes[tree->count++] = (struct ves_tile_hash){
            first.level / VES_TLOG_TILE_HEIGHT, first.index + i, hashes[i]};
}

enum ves_status ves_log_tree_save(struct ves_log_tree *tree)
{
    struct ves_scratch edge;
    struct ves_hash stream_id;

    hash_entries(tree);
    enum ves_status status = ves_tlog_edge_append_all(
        &tree->edge, tree->leaves, tree->leaf_count, keep_hashes, tree);
    if (status)
        return status;
    tree->leaf_count = 0;
    ves_stream_id(&tree->stream, &stream_id);
    ves_scratch_init(&edge, tree->arena, EDGE_BYTES_MAX, EDGE_BYTES_MAX);
    ves_tlog_edge_write(&edge.buf, &tree->edge);
    status = ves_buf_status(&edge.buf);
    if (!status)
        status = tree->store->ops->tlog_append(
            tree->store, tree->stream_no, &stream_id, ves_buf_view(&edge.buf),
            tree->hashes, tree->count);
    if (status == VES_CONFLICT || status == VES_INVALID)
        status = is_damaged(tree->store, &tree->stream, "its tiles differ");
    return status;
}

/* ---- planting ------------------------------------------------------------ */

struct plant {
    struct ves_sequencer *sequencer;
    struct ves_arena arena; /* of one chunk */
    uint64_t size;          /* of the tree, as far as it is planted */
};

/* As many of the stream's events as make a chunk. */
static enum ves_status plant_chunk(struct plant *plant,
                                   const struct ves_stream_row *stream,
                                   struct ves_log_tree *tree)
{
    struct ves_store *store = plant->sequencer->store;
    size_t found;
    struct ves_leaf_row *leaves =
        ves_arena_list(&plant->arena, PLANT_CHUNK, sizeof(*leaves));

    if (!leaves)
        return VES_NOMEM;
    enum ves_status status = store->ops->log_leaves(
        store, stream->stream_no, tree->edge.size + VES_TLOG_FIRST, PLANT_CHUNK,
        leaves, &found);
    for (size_t i = 0; !status && i < found; i++)
        status = ves_log_tree_add(tree, leaves[i].sequence_number,
                                  &leaves[i].event_hash, &leaves[i].signature);
    if (!status && found == 0)
        status = is_damaged(store, &stream->stream, "events are missing");
    return status ? status : ves_log_tree_save(tree);
}

static enum ves_status open_tree(struct plant *plant,
                                 const struct ves_stream_row *stream,
                                 struct ves_log_tree *tree)
{
    struct ves_store *store = plant->sequencer->store;
    struct ves_tlog_row row = {.edge = ves_bytes(NULL, 0)};

    enum ves_status status =
        store->ops->tlog_get(store, stream->stream_no, &plant->arena, &row);
    if (status && status != VES_NOT_FOUND)
        return status;
    status = ves_log_tree_open(tree, store, stream, row.edge, PLANT_CHUNK,
                               &plant->arena);
    if (!status && tree->edge.size > stream->head)
        status = is_damaged(store, &stream->stream, "events are missing");
    plant->size = tree->edge.size;
    return status;
}

static enum ves_status plant_stream(struct plant *plant,
                                    const struct ves_stream_row *stream)
{
    struct ves_store *store = plant->sequencer->store;
    struct ves_log_tree tree;
    enum ves_status status = open_tree(plant, stream, &tree);

    while (!status && plant->size < stream->head) {
        status = store->ops->begin(store);
        if (status)
            return status;
        status = plant_chunk(plant, stream, &tree);
        if (!status)
            status = store->ops->commit(store);
        if (status) {
            struct ves_error words = store->error;
            store->ops->rollback(store);
            store->error = words;
            return status;
        }
        ves_arena_reset(&plant->arena);
        status = open_tree(plant, stream, &tree);
    }
    return status;
}

enum ves_status ves_log_tree_plant(struct ves_sequencer *sequencer)
{
    struct ves_store *store = sequencer->store;
    struct plant plant = {.sequencer = sequencer};
    struct ves_arena arena;
    struct ves_stream_item *first;

    ves_arena_init(&arena, sequencer->alloc, ARENA_MAX);
    ves_arena_init(&plant.arena, sequencer->alloc, ARENA_MAX);
    enum ves_status status = ves_streams_list(store, NULL, &arena, &first);
    for (const struct ves_stream_item *s = first; s && !status; s = s->next) {
        ves_arena_reset(&plant.arena);
        status = plant_stream(&plant, &s->row);
    }
    ves_arena_free(&plant.arena);
    ves_arena_free(&arena);
    return status;
}
