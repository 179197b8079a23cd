/* part.h -- the events of a stream that are about one type or one entity, put
 * together from the sequencer's filtered pages (doc/http.md), each with the
 * proof of where it stands.
 *
 * What is taken is true: hashes, receipts, positions and the signed head are
 * checked page by page, from the first entry of the log to the last one that
 * is signed, and the bundle it ends in (core/bundle.h) shows the agents'
 * signatures, too.  That nothing which would match was left out is the
 * sequencer's word: covers are hashes, and say nothing about what they cover.
 */
#ifndef VES_CORE_PART_H
#define VES_CORE_PART_H

#include "core/bundle.h"
#include "core/invitation.h"
#include "core/tlog_cover.h"

enum { VES_PART_COVERS_MAX = 32768 /* hashes of one page */ };

/* A hash and what it covers. */
struct ves_part_cover {
    struct ves_tlog_node node;
    struct ves_hash hash;
};

struct ves_part {
    const struct ves_alloc *alloc;
    struct ves_stream stream;
    struct ves_bytes entity_type; /* "": any; borrowed */
    struct ves_bytes entity_id;   /* "": any; borrowed */
    /* Keys that sign the log and its receipts; borrowed. */
    const struct ves_sequencer_key *keys;
    size_t key_count;

    struct ves_tlog_edge edge; /* behind the last entry that was taken */
    struct ves_buf note;       /* the newest signed head; empty: none */
    uint64_t head_size;        /* its entries */
    uint64_t receipts;         /* events that came with one */

    struct ves_buf lines; /* the events as a bundle has them */
    uint64_t *sequences;
    size_t count, room;
    struct ves_part_cover *covers; /* of all runs that have ended */
    size_t cover_count, cover_room;
    struct ves_tlog_run run; /* the one that has not */
};

/* Begins with the empty log. */
void ves_part_init(struct ves_part *part, const struct ves_alloc *alloc,
                   const struct ves_stream *stream,
                   struct ves_bytes entity_type, struct ves_bytes entity_id,
                   const struct ves_sequencer_key *keys, size_t key_count);
void ves_part_free(struct ves_part *part);

/* Checks the page that was asked for from edge.size + 1 on and takes it, or
 * takes nothing of it.  *more: the log goes on, ask from edge.size + 1 again.
 * VES_REFUSED, with words, for a page that lies; VES_MALFORMED for what is
 * no page at all, VES_UNSUPPORTED for one without covers;
 * VES_NOT_FOUND when head or receipt are signed by a key that is not among
 * keys: fetch them, and ask for the page again; VES_AGAIN when no head is
 * signed yet; VES_LIMIT for more events than a bundle holds, VES_NOMEM: the
 * part is then only to be freed. */
VES_NODISCARD enum ves_status ves_part_take(struct ves_part *part,
                                            struct ves_bytes page, bool *more,
                                            struct ves_error *error);

/* Is the head that was known before a beginning of the part's log?  answer:
 * what the log's consistency route says from known's size to head_size
 * (doc/http.md); its path only is looked at.  The part must reach its head.
 * VES_REFUSED, with words, unless it is shown. */
VES_NODISCARD enum ves_status
ves_part_extends(const struct ves_part *part,
                 const struct ves_checkpoint *known, struct ves_bytes answer,
                 struct ves_error *error);

/* Appends the bundle; the part must reach its head (edge.size == head_size)
 * and have an event.  keys_json: the sequencer's key directory. */
VES_NODISCARD enum ves_status ves_part_bundle(const struct ves_part *part,
                                              struct ves_bytes policy_name,
                                              struct ves_bytes keys_json,
                                              struct ves_buf *out);

#endif
