/* log_recover.h -- the lost tail of a stream, rebuilt from what stores hold.
 *
 * A sequencer's database came back from a backup and a head beyond it was
 * signed.  Stores that pulled the events hold them with the receipts this
 * sequencer signed, so the tail can be made again, byte for byte: same
 * numbers, same receipts, and the root that was signed.
 *
 * The file of a store is anybody's word.  Believed is an envelope that is the
 * event of a receipt; all else that a row says is worked out of it again.
 */
#ifndef VES_ENGINE_LOG_RECOVER_H
#define VES_ENGINE_LOG_RECOVER_H

#include "core/checkpoint.h"
#include "engine/sequencer.h"

/* A public key of the sequencer, by version; false: there is none. */
struct ves_receipt_keys {
    bool (*find)(void *ctx, uint32_t version, struct ves_public_key *out);
    void *ctx;
};

struct ves_log_recovery {
    struct ves_hash stream_id;
    uint64_t epoch; /* of the log (ADR 0024): what a store has of a later one
                       is not taken, and what the next one gave up is */
    uint64_t size;  /* the head that was signed */
    struct ves_hash root;
    struct ves_store *const *stores; /* devices' stores, open for reading */
    size_t store_count;
    struct ves_receipt_keys keys;
    /* Behind the head, too: between commit and head an event has a receipt and
     * no head (ADR 0022), and its number must not be given again. */
    bool takes_more;
    /* Out, may be NULL: how many events are in none of the stores. */
    uint64_t *lost;
    /* With lost: what there is is taken all the same, and the stream frozen
     * until an epoch is opened (engine/log_epoch.h). */
    bool gives_up;
};

/* Appends the events up to what->size, or as far as stores have them, those
 * that a store pulled and its own that it has a receipt for, and the keys that
 * signed them, where a store has them and this sequencer has not, and unfreezes
 * the stream; in one transaction, all or nothing.  The log has to be judged
 * again afterwards (ves_sequencer_upgrade does); where that is due already, it
 * is done first, in a transaction of its own.  *events: how many were appended.
 * VES_NOT_FOUND: an event is in none of the stores. VES_CORRUPT: the root is
 * another.  Both with words in *error. */
VES_NODISCARD enum ves_status
ves_log_recover(struct ves_sequencer *sequencer,
                const struct ves_log_recovery *what, uint64_t *events,
                struct ves_error *error);

/* Ends of keys that a store knows and the sequencer does not. */
struct ves_key_ends {
    uint64_t restored;     /* a directory of this sequencer shows them */
    uint64_t doubtful;     /* only the store's tables do: nothing was changed */
    struct ves_uuid agent; /* of the first doubtful one */
    uint32_t key_id;
};

/* Ends them again, after the log is whole; adds to *out.  In a transaction of
 * its own. */
VES_NODISCARD enum ves_status
ves_keys_recover(struct ves_sequencer *sequencer,
                 const struct ves_receipt_keys *keys, struct ves_store *from,
                 struct ves_key_ends *out);

#endif
