/* evidence.h -- a sequencer's signatures that cannot all be honest, in one
 * file.
 *
 * Suffix .ves-evidence; doc/bundle.md describes it line by line.  Whoever has
 * the log's key can check it, offline and without trusting who made it.
 */
#ifndef VES_CORE_EVIDENCE_H
#define VES_CORE_EVIDENCE_H

#include "core/checkpoint.h"
#include "core/note.h"
#include "core/receipt.h"

enum {
    VES_EVIDENCE_MAX = 512 * 1024, /* bytes */
    VES_EVIDENCE_ENTRY_MAX = 1024  /* bytes of an entry: a leaf has 147 */
};

/* What every file begins with. */
#define VES_EVIDENCE_MARK "ves-evidence@v1"

/* kind, word in the file */
#define VES_EVIDENCE_MAP(X)                                                   \
    X(FORK, "fork")         /* two checkpoints that are not of one history */ \
    X(RECEIPT, "receipt")   /* an entry that is not what was promised */      \
    X(RECEIPTS, "receipts") /* two promises that cannot both be kept */       \
    X(ENTRY, "entry")       /* an entry that may not stand where it stands */

enum ves_evidence_kind {
#define X(name, word) VES_EVIDENCE_##name,
    VES_EVIDENCE_MAP(X)
#undef X
};

/* A checkpoint with what one wants to show of its tree. */
struct ves_evidence_head {
    struct ves_bytes note_bytes;
    struct ves_note note;
    struct ves_checkpoint checkpoint;
    struct ves_hash hash; /* of the node shown */
    struct ves_tlog_path path;
};

struct ves_evidence_receipt {
    struct ves_receipt receipt;
    struct ves_hash event_hash; /* of the event promised */
};

/* A file taken apart; views the bytes it was read from.  Nothing is verified.
 */
struct ves_evidence {
    enum ves_evidence_kind kind;
    /* FORK: both heads, and the node when has_node: it shows that the two
     * differ inside what they should share.  RECEIPT, ENTRY: the first. */
    struct ves_evidence_head heads[2];
    bool has_node;
    struct ves_tlog_node node; /* RECEIPT, ENTRY: the entry's */
    /* FORK, instead of a node: the last entry that both should share, and its
     * path in the larger tree, for who has the entries of neither. */
    bool has_last;
    struct ves_hash last;
    struct ves_tlog_path last_path;
    uint8_t entry[VES_EVIDENCE_ENTRY_MAX];
    size_t entry_len;
    /* RECEIPT: the first.  RECEIPTS: both, and the stream. */
    struct ves_evidence_receipt receipts[2];
    struct ves_stream stream;
};

/* The word of a kind in a file. */
const char *ves_evidence_kind_name(enum ves_evidence_kind kind);

/* VES_MALFORMED, VES_LIMIT, VES_NOMEM.  alloc is used while reading only. */
VES_NODISCARD enum ves_status ves_evidence_read(struct ves_bytes bytes,
                                                const struct ves_alloc *alloc,
                                                struct ves_evidence *out,
                                                struct ves_error *error);

/* Do the two heads contradict each other, as the last entry shows it
 * (has_last)? VES_OK: they are of two histories; VES_NOT_FOUND: the larger tree
 * goes on from the smaller; VES_REFUSED: what is shown is not in the larger;
 * VES_INVALID: the sizes are the same, or one tree is empty. */
VES_NODISCARD enum ves_status
ves_evidence_last(const struct ves_evidence *evidence);

/* Appends the file of what is in evidence: of heads the bytes of the note, and
 * hash and path where a node or an entry is shown. */
void ves_evidence_write(struct ves_buf *buf,
                        const struct ves_evidence *evidence);

#endif
