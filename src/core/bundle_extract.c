/* bundle_extract.c -- one event of a bundle as a .tlog-proof. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/bundle.h"
#include "core/lines.h"
#include "core/tlog_proof.h"

enum { EVENT_ARENA_MAX = 64 * 1024 * 1024 };

/* The tree as a bundle has it: covers and events, left to right, no gap. */
struct piece {
    struct ves_tlog_node node;
    struct ves_hash hash;
};

struct pieces {
    struct piece *list;
    size_t count;
    size_t cap;
};

static uint64_t first_of(const struct piece *piece)
{
    return piece->node.index << piece->node.level;
}

/* The piece that starts at an entry; there is one. */
static size_t find(const struct pieces *pieces, uint64_t first)
{
    size_t low = 0, high = pieces->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (first_of(&pieces->list[middle]) < first)
            low = middle + 1;
        else
            high = middle;
    }
    VES_ASSERT(low < pieces->count && first_of(&pieces->list[low]) == first);
    return low;
}

/* A node beside an event's path is never a part of a cover: the cover would
 * contain the node's parent, too, and so the event. */
static enum ves_status read_pieces(void *ctx, const struct ves_tlog_node *nodes,
                                   size_t count, struct ves_hash *out)
{
    const struct pieces *pieces = ctx;

    for (size_t i = 0; i < count; i++) {
        struct ves_tlog_edge edge = {0};
        uint64_t width = UINT64_C(1) << nodes[i].level;
        size_t at = find(pieces, nodes[i].index << nodes[i].level);
        while (edge.size < width) {
            const struct piece *piece = &pieces->list[at++];
            enum ves_status status =
                ves_tlog_edge_add(&edge, piece->node.level, &piece->hash);
            VES_ASSERT(status == VES_OK);
        }
        VES_ASSERT(edge.size == width);
        out[i] = edge.hash[0];
    }
    return VES_OK;
}

static void add(struct pieces *pieces, struct ves_tlog_node node,
                const struct ves_hash *hash)
{
    VES_ASSERT(pieces->count < pieces->cap);
    pieces->list[pieces->count].node = node;
    pieces->list[pieces->count++].hash = *hash;
}

static void add_covers(struct pieces *pieces, struct ves_bytes *covers,
                       uint64_t at, uint64_t end)
{
    struct ves_tlog_node node;

    while (ves_tlog_cover_next(&at, end, &node)) {
        struct ves_bytes line;
        struct ves_hash hash;
        bool is_read =
            ves_line_take(covers, &line) && ves_line_hash(line, &hash);
        VES_ASSERT(is_read);
        add(pieces, node, &hash);
    }
}

/* Collects the pieces and finds the event wanted. */
static enum ves_status collect(const struct ves_bundle *bundle,
                               struct ves_arena *arena, uint64_t wanted,
                               struct pieces *pieces,
                               struct ves_bytes *envelope)
{
    struct ves_bytes events = bundle->events, covers = bundle->covers;
    struct ves_bundle_event item;
    uint64_t at = 0;

    while (ves_bundle_next_event(&events, &item)) {
        struct ves_event event;
        struct ves_leaf leaf;
        struct ves_refusal refusal;
        uint8_t entry[VES_LEAF_SIZE];
        struct ves_hash hash;

        ves_arena_reset(arena);
        enum ves_status status = ves_bundle_event_check(
            arena, bundle, &item, &event, &leaf, &refusal);
        if (status)
            return status;
        struct ves_tlog_node node = {0, item.sequence_number - VES_TLOG_FIRST};
        add_covers(pieces, &covers, at, node.index);
        ves_leaf_write(&leaf, entry);
        ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
        add(pieces, node, &hash);
        at = node.index + 1;
        if (item.sequence_number == wanted)
            *envelope = item.envelope;
    }
    add_covers(pieces, &covers, at, bundle->checkpoint.size);
    return envelope->len > 0 ? VES_OK : VES_NOT_FOUND;
}

enum ves_status ves_bundle_extract(const struct ves_bundle *bundle,
                                   const struct ves_alloc *alloc,
                                   uint64_t sequence_number,
                                   struct ves_buf *out)
{
    enum { COVER_TEXT = 45 };
    struct pieces pieces = {.cap = bundle->event_count +
                                   bundle->covers.len / COVER_TEXT};
    const struct ves_tlog_source source = {read_pieces, &pieces};
    struct ves_bytes envelope = {NULL, 0};
    struct ves_tlog_path path;
    struct ves_arena arena;

    pieces.list =
        alloc->realloc(alloc->ctx, NULL, pieces.cap * sizeof(*pieces.list));
    if (!pieces.list)
        return VES_NOMEM;
    ves_arena_init(&arena, alloc, EVENT_ARENA_MAX);
    enum ves_status status =
        collect(bundle, &arena, sequence_number, &pieces, &envelope);
    if (status == VES_OK) {
        struct ves_tlog_node node = {0, sequence_number - VES_TLOG_FIRST};
        status = ves_tlog_inclusion_make(&source, node, bundle->checkpoint.size,
                                         &path);
        VES_ASSERT(status == VES_OK);
        ves_tlog_proof_write(out, &envelope, node.index, &path,
                             bundle->note_bytes);
        status = ves_buf_status(out);
    }
    ves_arena_free(&arena);
    alloc->realloc(alloc->ctx, pieces.list, 0);
    return status;
}
