/* log_tree.h -- the provable log of a stream over a store.
 *
 * The tree moves with the events, in their transaction: one edge, and the
 * hashes tiles gain.  A head is signed afterwards, in three steps that never
 * hold anything while they wait:
 *
 *   _head_make   reads the events again through another view of the store,
 *                recomputes the tree from the head signed before, compares it
 *                with what the commits left, and signs
 *   (host)       writes the head where no backup of the store reaches
 *   _head_keep   swaps it in, if the one before is still there
 *
 * Whoever reads a signed head from the store reads one that passed all three.
 */
#ifndef VES_ENGINE_LOG_TREE_H
#define VES_ENGINE_LOG_TREE_H

#include "core/checkpoint.h"
#include "core/note.h"
#include "core/tlog_tile.h"
#include "engine/sequencer.h"

/* ---- growing, inside a transaction --------------------------------------- */

struct ves_log_tree {
    struct ves_store *store;
    struct ves_arena *arena;
    struct ves_stream stream;
    uint32_t stream_no;
    struct ves_tlog_edge edge; /* as it was until _save */
    uint8_t *entries;          /* not yet hashed */
    size_t entry_count;
    struct ves_hash *leaves; /* hashed; room for max */
    size_t leaf_count, max;
    struct ves_tile_hash *hashes; /* what is new */
    size_t count, hash_max;
};

/* The tree of row's stream as edge (of its ves_tlog_row; "" when it has none)
 * says, with room for count more events in arena.  VES_CORRUPT when it is no
 * edge. */
VES_NODISCARD enum ves_status
ves_log_tree_open(struct ves_log_tree *tree, struct ves_store *store,
                  const struct ves_stream_row *row, struct ves_bytes edge,
                  size_t count, struct ves_arena *arena);
/* The next event; VES_CORRUPT when sequence is not the tree's next. */
VES_NODISCARD enum ves_status ves_log_tree_add(struct ves_log_tree *tree,
                                               uint64_t sequence,
                                               const struct ves_hash *hash,
                                               const struct ves_sig *signature);
VES_NODISCARD enum ves_status ves_log_tree_save(struct ves_log_tree *tree);

/* Plants the trees of streams that have more events than tree: those of a
 * database from before it had any.  In chunks, each a transaction, so it goes
 * on where it was interrupted. */
VES_NODISCARD enum ves_status
ves_log_tree_plant(struct ves_sequencer *sequencer);

/* ---- reading ------------------------------------------------------------- */

/* A source of nodes (core/tlog.h) in the tiles of one stream. */
struct ves_log_source {
    struct ves_tile_source tiles;
    struct ves_store *store;
    uint32_t stream_no;
};

/* size is at most the tree's.  source must not move afterwards. */
void ves_log_source_init(struct ves_log_source *source, struct ves_store *store,
                         uint32_t stream_no, uint64_t size);

/* Root of the first size entries. */
VES_NODISCARD enum ves_status ves_log_root_at(struct ves_store *store,
                                              uint32_t stream_no, uint64_t size,
                                              struct ves_hash *root);

/* Appends width entries of a bundle, from entry first on.  VES_NOT_FOUND when
 * they are not all there. */
VES_NODISCARD enum ves_status
ves_log_entries_write(struct ves_store *store,
                      const struct ves_stream_row *stream, uint64_t first,
                      uint32_t width, struct ves_buf *out);

/* Appends what a page of events that ends with number end says of the log:
 * ',"checkpoint":NOTE,"witnessed":[NOTE...],"consistency":[...]', the newest
 * signed head with the lines of cosigners, older cosigned heads, and the proof
 * from the page's end to the newest; none when it lies within the page.
 * ',"checkpoint":null' before the first head. */
VES_NODISCARD enum ves_status
ves_log_page_write(struct ves_buf *out, struct ves_store *store,
                   uint32_t stream_no, uint64_t end, struct ves_arena *arena);

/* ---- signed heads -------------------------------------------------------- */

struct ves_log_head {
    bool is_due; /* false: nothing to sign, the rest is empty */
    uint32_t stream_no;
    struct ves_hash stream_id;
    uint64_t epoch;         /* of the log, 0 before the first was opened */
    uint64_t expected_size; /* of the signed head it follows */
    struct ves_head_row row;
};

/* Makes the next head of a stream.  VES_CORRUPT with words in *error when what
 * the store gives back is not what was committed, or a head was signed that
 * the log does not have: nothing is signed, and the host freezes the stream.
 * reader may be the sequencer's own store.  The note is in arena. */
VES_NODISCARD enum ves_status
ves_log_head_make(struct ves_sequencer *sequencer, struct ves_store *reader,
                  const struct ves_stream *stream, int64_t now_ms,
                  struct ves_arena *arena, struct ves_log_head *out,
                  struct ves_error *error);
/* All that are due, of different streams, in one transaction of their own.
 * VES_CONFLICT: somebody else signed. */
VES_NODISCARD enum ves_status
ves_log_head_keep(struct ves_sequencer *sequencer,
                  const struct ves_log_head *heads, size_t count);

/* What a signed head that somebody holds says of our log. */
enum ves_log_claim {
    VES_LOG_AGREES,     /* the log has it, or it is of size 0 */
    VES_LOG_CONTRADICTS /* larger than the log, or another root at its size */
};

/* A head somebody holds, against the stream's tree; no signature is looked
 * at. */
VES_NODISCARD enum ves_status ves_log_claim_compare(
    struct ves_store *store, const struct ves_stream_row *stream,
    const struct ves_checkpoint *head, enum ves_log_claim *out);

/* Stops a stream: nothing is appended or signed until it is recovered.  The
 * evidence, a signed note or "", is kept as an alert of code "log_frozen".  A
 * stream that is frozen stays as it was, VES_OK.  In a transaction of its own.
 * why: words. */
VES_NODISCARD enum ves_status
ves_log_freeze(struct ves_sequencer *sequencer, const struct ves_stream *stream,
               struct ves_bytes why, struct ves_bytes evidence, int64_t now_ms);

#endif
